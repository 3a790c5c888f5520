//! The table of families: names, types, units, help, and where each value comes from. A new counter
//! is a row here and one in `docs/metrics.md`; a test fails until both are there.
//!
//! Names begin with `shardring_` and end with their base unit (seconds, bytes); what is told of
//! each kind, core or shard has that word behind the prefix. Nothing is written here; the parent
//! does that.

use std::time::Duration;

use super::text::Family;
use super::text::Type::{self, Counter, Gauge, Histogram, Info};
use crate::metrics::{
    CoreMetrics, Counters, KindCounters, Latency, Metrics, ShardMetrics, StartMetrics,
};
use crate::shard::notice::State;

pub(super) const BUILD: Family = family(Info, "shardring_build", "", "The library's version.");

/// A value of the engine's counters.
pub(super) type OfEngine = fn(&Counters) -> u64;

#[rustfmt::skip]
pub(super) const COUNTERS: &[(Family, OfEngine)] = &[
    (family(Counter, "shardring_wire_bytes", "bytes",
        "Bytes received from sockets, WebSocket framing included."), |c| c.wire_len),
    (family(Counter, "shardring_text_bytes", "bytes", "Bytes of JSON received."), |c| c.text_len),
    (counter("shardring_payloads",
        "Gateway payloads received, control payloads included."), |c| c.payloads),
    (counter("shardring_events_received",
        "Dispatches received, duplicates not counted."), |c| c.dispatches),
    (counter("shardring_events_delivered",
        "Dispatches given to the handler."), |c| c.delivered),
    (counter("shardring_events_duplicate",
        "Dispatches dropped since their sequence number had been seen."), |c| c.duplicates),
    (counter("shardring_events_replayed",
        "Dispatches that a RESUME brought again."), |c| c.replayed),
    (counter("shardring_sequence_numbers_missing",
        "Sequence numbers that were skipped over."), |c| c.missing),
    (counter("shardring_payloads_undecoded",
        "Payloads whose JSON was broken."), |c| c.undecoded),
    (counter("shardring_opcodes_unknown",
        "Payloads with an opcode that this version does not know."), |c| c.opcodes_unknown),
    (counter("shardring_identifies_sent", "IDENTIFYs written."), |c| c.identifies),
    (counter("shardring_resumes_sent", "RESUMEs written."), |c| c.resumes),
    (counter("shardring_heartbeats_sent", "Heartbeats written."), |c| c.heartbeats),
    (counter("shardring_commands_sent", "Commands written."), |c| c.commands),
    (counter("shardring_sessions_started", "READYs received."), |c| c.readies),
    (counter("shardring_sessions_resumed", "Sessions resumed."), |c| c.resumed),
    (counter("shardring_sessions_lost",
        "Sessions lost with what they may have held back."), |c| c.sessions_lost),
    (counter("shardring_handler_panics", "Panics of handlers."), |c| c.handler_panics),
    (counter("shardring_task_panics",
        "Panics of futures that handlers spawned."), |c| c.task_panics),
    (counter("shardring_buffers_exhausted",
        "Receives that found no free buffer in the ring."), |c| c.buffers_exhausted),
    (counter("shardring_receivers_held_back",
        "Times that a receiver was held back since the pool for unfinished messages was full."),
        |c| c.receivers_held_back),
    (counter("shardring_acks_dropped",
        "Events whose acknowledgement was put off and then dropped."), |c| c.acks_dropped),
    (counter("shardring_turns", "Times that a core looked for completions."), |c| c.turns),
];

pub(super) const POOL_PEAK: Family = family(
    Gauge,
    "shardring_pool_peak_bytes",
    "bytes",
    "Most that the pool for unfinished messages of any core held since the start.",
);

pub(super) const UPTIME: Family = family(
    Gauge,
    "shardring_uptime_seconds",
    "seconds",
    "How long the engine has run; it falls when another engine answers.",
);

/// A value of the start's guards.
pub(super) type OfStart = fn(&StartMetrics) -> u64;

#[rustfmt::skip]
pub(super) const START: &[(Family, OfStart)] = &[
    (gauge("shardring_session_starts_remaining",
        "IDENTIFYs that are left in Discord's window, the reserve among them."),
        |s| s.session_starts_remaining.into()),
    (gauge("shardring_session_starts_limit",
        "IDENTIFYs of a window."), |s| s.session_starts_total.into()),
    (gauge("shardring_dials_waiting", "Shards that wait to dial."), |s| s.dials_waiting as u64),
    (gauge("shardring_dials_in_flight",
        "Connections that are being made."), |s| s.dials_in_flight as u64),
    (gauge("shardring_hosts_shut",
        "Hosts that nobody dials but for probes."), |s| s.hosts_shut as u64),
];

pub(super) const DISCONNECTS: Family =
    family(Counter, "shardring_disconnects", "", "Connections that ended, by cause.");

/// Those of a kind; kinds that never came have no samples.
pub(super) type OfKind = fn(&KindCounters) -> u64;

pub(super) const KINDS: &[(Family, OfKind)] = &[
    (counter("shardring_kind_received", "Dispatches of a kind received."), |k| k.received),
    (counter("shardring_kind_delivered", "Of these, given to the handler."), |k| k.delivered),
    (counter("shardring_kind_skipped", "Of these, skipped as the handler had no interest."), |k| {
        k.skipped
    }),
    (counter("shardring_kind_filtered", "Of these, not wanted by the interest's filter."), |k| {
        k.filtered
    }),
    (
        counter(
            "shardring_kind_imperfect",
            "Of these, delivered with a field that could not be read, untyped for want of an id, \
             or undecoded.",
        ),
        |k| k.imperfect,
    ),
    (family(Counter, "shardring_kind_text_bytes", "bytes", "Bytes of JSON of a kind."), |k| {
        k.text_len
    }),
];

/// One of the engine's histograms.
pub(super) type OfLatency = fn(&Metrics) -> &Latency;

pub(super) const LATENCIES: &[(Family, OfLatency)] = &[
    (
        histogram(
            "shardring_receive_to_callback_seconds",
            "From the receipt of a payload's last byte to the call of the handler.",
        ),
        |m| &m.receive_to_callback,
    ),
    (histogram("shardring_decode_seconds", "Inflating and decoding one payload."), |m| &m.decode),
    (histogram("shardring_callback_seconds", "The handler's own time, one call."), |m| &m.callback),
    (
        histogram(
            "shardring_heartbeat_round_trip_seconds",
            "From a heartbeat to its acknowledgement.",
        ),
        |m| &m.heartbeat,
    ),
    (
        histogram(
            "shardring_discord_lag_seconds",
            "From the moment that Discord made an event, by its snowflake, to its receipt.",
        ),
        |m| &m.discord_lag,
    ),
];

/// Upper bounds of the histograms' buckets: in ns, and in seconds as the format wants them written.
pub(super) const BUCKETS: [(u64, &str); 24] = [
    (1_000, "1e-06"),
    (2_500, "2.5e-06"),
    (5_000, "5e-06"),
    (10_000, "1e-05"),
    (25_000, "2.5e-05"),
    (50_000, "5e-05"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1.0"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5.0"),
    (10_000_000_000, "10.0"),
    (60_000_000_000, "60.0"),
    (600_000_000_000, "600.0"),
];

pub(super) const QUANTILE: Family = family(
    Gauge,
    "shardring_latency_quantile_seconds",
    "seconds",
    "Quantiles of the histogram that `of` names, since the start, to two digits; 1.0 is the \
     longest.",
);

/// As percentiles, and as labels.
pub(super) const QUANTILES: [(f64, &str); 5] =
    [(50.0, "0.5"), (90.0, "0.9"), (99.0, "0.99"), (99.9, "0.999"), (100.0, "1.0")];

pub(super) const CORES_LEFT_OUT: Family = family(
    Gauge,
    "shardring_cores_left_out",
    "",
    "Cores without samples of their own: those beyond the first 256.",
);

/// A value of one core.
pub(super) type OfCore = fn(&CoreMetrics) -> u64;

pub(super) const CORES: &[(Family, OfCore)] = &[
    (family(Gauge, "shardring_core_shards", "", "Shards that a core drives."), |c| c.shards as u64),
    (counter("shardring_core_events_received", "Dispatches that a core received."), |c| {
        c.counters.dispatches
    }),
    (family(Counter, "shardring_core_wire_bytes", "bytes", "Bytes that a core received."), |c| {
        c.counters.wire_len
    }),
    (counter("shardring_core_turns", "Times that a core looked for completions."), |c| {
        c.counters.turns
    }),
    (
        counter("shardring_core_buffers_exhausted", "Receives of a core that found no buffer."),
        |c| c.counters.buffers_exhausted,
    ),
    (
        counter("shardring_core_receivers_held_back", "Receivers of a core that were held back."),
        |c| c.counters.receivers_held_back,
    ),
    (
        family(
            Gauge,
            "shardring_core_pool_peak_bytes",
            "bytes",
            "Most that a core's pool for unfinished messages held since the start.",
        ),
        |c| c.counters.pool_peak_len,
    ),
];

pub(super) const SHARDS: Family =
    family(Gauge, "shardring_shards", "", "Shards by what they await.");

/// By [`state_index`].
pub(super) const STATES: [&str; 10] = [
    "idle",
    "waiting",
    "connecting",
    "greeting",
    "queued",
    "identifying",
    "resuming",
    "active",
    "closing",
    "retired",
];

pub(super) const fn state_index(state: State) -> usize {
    match state {
        State::Idle => 0,
        State::Waiting => 1,
        State::Connecting => 2,
        State::Greeting => 3,
        State::Queued => 4,
        State::Identifying => 5,
        State::Resuming => 6,
        State::Active => 7,
        State::Closing => 8,
        State::Retired => 9,
    }
}

pub(super) const PAUSED: Family =
    family(Gauge, "shardring_shards_paused", "", "Shards that the handler has paused.");

pub(super) const ACKS_OPEN: Family =
    family(Gauge, "shardring_acks_open", "", "Events whose acknowledgement is put off and open.");

/// A span of one shard, if it has one.
pub(super) type SpanOfShard = fn(&ShardMetrics) -> Option<Duration>;

/// Maxima over all shards.
pub(super) const SHARDS_MAX: &[(Family, SpanOfShard)] = &[
    (
        family(
            Gauge,
            "shardring_last_ack_age_max_seconds",
            "seconds",
            "How long ago the last heartbeat was acknowledged, of the shard where that is longest.",
        ),
        |shard| shard.last_ack_age,
    ),
    (
        family(
            Gauge,
            "shardring_round_trip_max_seconds",
            "seconds",
            "The last heartbeat's round trip, of the shard where that is longest.",
        ),
        |shard| shard.round_trip.last,
    ),
    (
        family(
            Gauge,
            "shardring_paused_max_seconds",
            "seconds",
            "How long the handler has had a shard paused, of the shard where that is longest.",
        ),
        |shard| shard.paused_for,
    ),
    (
        family(
            Gauge,
            "shardring_ack_open_max_seconds",
            "seconds",
            "How long the oldest event has waited for its acknowledgement.",
        ),
        |shard| shard.oldest_ack_age,
    ),
];

pub(super) const SHARDS_LEFT_OUT: Family = family(
    Gauge,
    "shardring_shards_left_out",
    "",
    "Shards without samples of their own: those beyond the first 1000.",
);

/// A value of one shard, if it has one.
pub(super) type OfShard = fn(&ShardMetrics) -> Option<f64>;

pub(super) const EACH_SHARD: &[(Family, OfShard)] = &[
    (
        family(
            Gauge,
            "shardring_shard_state",
            "",
            "What a shard awaits: 0 idle, 1 waiting, 2 connecting, 3 greeting, 4 queued, \
             5 identifying, 6 resuming, 7 active, 8 closing, 9 retired.",
        ),
        |shard| Some(state_index(shard.state) as f64),
    ),
    (
        family(
            Gauge,
            "shardring_shard_last_ack_age_seconds",
            "seconds",
            "How long ago a shard's last heartbeat was acknowledged.",
        ),
        |shard| shard.last_ack_age.map(|age| age.as_secs_f64()),
    ),
    (
        family(
            Gauge,
            "shardring_shard_round_trip_seconds",
            "seconds",
            "The round trip of a shard's last heartbeat.",
        ),
        |shard| shard.round_trip.last.map(|last| last.as_secs_f64()),
    ),
    (
        family(
            Gauge,
            "shardring_shard_paused_seconds",
            "seconds",
            "How long the handler has had a shard paused; 0: it has not.",
        ),
        |shard| Some(shard.paused_for.map_or(0.0, |paused_for| paused_for.as_secs_f64())),
    ),
    (counter("shardring_shard_disconnects", "A shard's connections that ended."), |shard| {
        Some(shard.disconnects as f64)
    }),
    (counter("shardring_shard_identifies_sent", "IDENTIFYs that a shard sent."), |shard| {
        Some(shard.identifies as f64)
    }),
    (counter("shardring_shard_sessions_resumed", "Sessions of a shard resumed."), |shard| {
        Some(shard.resumes as f64)
    }),
];

const fn family(kind: Type, name: &'static str, unit: &'static str, help: &'static str) -> Family {
    Family { name, kind, unit, help }
}

/// A gauge without a unit.
const fn gauge(name: &'static str, help: &'static str) -> Family {
    family(Gauge, name, "", help)
}

/// A counter without a unit.
const fn counter(name: &'static str, help: &'static str) -> Family {
    family(Counter, name, "", help)
}

const fn histogram(name: &'static str, help: &'static str) -> Family {
    family(Histogram, name, "seconds", help)
}

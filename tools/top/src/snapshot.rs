//! What one scrape told, by the names of `docs/metrics.md`. Never divides by time: that is `rates`.
//!
//! Invariant: nothing here grows beyond its named bound, and every text is printable ASCII,
//! whatever the endpoint sent: it goes to a terminal. What an older engine does not tell is `None`
//! or absent.
//! Made by `app` and `once` of a scrape's text.

use std::fmt;

use crate::openmetrics::{self, Broken, Sample};

/// The most kinds of events.
pub(crate) const KINDS_MAX: usize = 256;
/// The most causes of disconnects.
pub(crate) const CAUSES_MAX: usize = 64;
/// The most cores with numbers of their own.
pub(crate) const CORES_MAX: usize = 256;
/// The most shards with numbers of their own; an engine tells 1,000.
pub(crate) const SHARDS_MAX: usize = 4_096;
/// The most buckets of a histogram.
pub(crate) const BUCKETS_MAX: usize = 64;
/// The longest text of a label, characters; the rest is cut off.
pub(crate) const LABEL_LEN_MAX: usize = 64;

/// What a shard awaits, in the engine's order: `shardring_shard_state` counts in it.
pub(crate) const STATES: [&str; 10] = [
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
/// The place of `active` in [`STATES`].
pub(crate) const ACTIVE: usize = 7;

/// Declares an enumeration of single values, each with its metric's name.
macro_rules! named {
    ($(#[$doc:meta])* $kind:ident: $($name:ident = $text:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $kind { $($name,)* }

        impl $kind {
            pub(crate) const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// Its family, without `shardring_`.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

named! {
    /// The engine's counters.
    Total:
    WireBytes = "wire_bytes",
    TextBytes = "text_bytes",
    Payloads = "payloads",
    Received = "events_received",
    Delivered = "events_delivered",
    Duplicate = "events_duplicate",
    Replayed = "events_replayed",
    Missing = "sequence_numbers_missing",
    Undecoded = "payloads_undecoded",
    UnknownOpcodes = "opcodes_unknown",
    Identifies = "identifies_sent",
    Resumes = "resumes_sent",
    Heartbeats = "heartbeats_sent",
    Commands = "commands_sent",
    Started = "sessions_started",
    Resumed = "sessions_resumed",
    Lost = "sessions_lost",
    HandlerPanics = "handler_panics",
    TaskPanics = "task_panics",
    BuffersExhausted = "buffers_exhausted",
    HeldBack = "receivers_held_back",
    Turns = "turns",
}

named! {
    /// The engine's gauges.
    Gauge:
    Uptime = "uptime_seconds",
    StartsRemaining = "session_starts_remaining",
    StartsLimit = "session_starts_limit",
    DialsWaiting = "dials_waiting",
    DialsInFlight = "dials_in_flight",
    HostsShut = "hosts_shut",
    PoolPeak = "pool_peak_bytes",
    Paused = "shards_paused",
    AckAgeMax = "last_ack_age_max_seconds",
    RoundTripMax = "round_trip_max_seconds",
    PausedMax = "paused_max_seconds",
    ShardsLeftOut = "shards_left_out",
    CoresLeftOut = "cores_left_out",
}

named! {
    /// The engine's histograms.
    Latency:
    ReceiveToCallback = "receive_to_callback",
    Callback = "callback",
    Decode = "decode",
    HeartbeatRoundTrip = "heartbeat_round_trip",
    DiscordLag = "discord_lag",
}

named! {
    /// What is counted of each kind of event.
    OfKind:
    Received = "received",
    Delivered = "delivered",
    Skipped = "skipped",
    Filtered = "filtered",
    Imperfect = "imperfect",
    TextBytes = "text_bytes",
}

named! {
    /// What is told of each core.
    OfCore:
    Shards = "shards",
    Received = "events_received",
    WireBytes = "wire_bytes",
    Turns = "turns",
    BuffersExhausted = "buffers_exhausted",
    HeldBack = "receivers_held_back",
    PoolPeak = "pool_peak_bytes",
}

named! {
    /// What is told of each shard.
    OfShard:
    State = "state",
    AckAge = "last_ack_age_seconds",
    RoundTrip = "round_trip_seconds",
    Paused = "paused_seconds",
    Disconnects = "disconnects",
    Identifies = "identifies_sent",
    Resumed = "sessions_resumed",
}

/// Quantiles since the start that the engine tells, as it labels them; the last is the longest.
pub(crate) const QUANTILES: [&str; 5] = ["0.5", "0.9", "0.99", "0.999", "1.0"];

/// A histogram as it was scraped.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Histogram {
    /// Upper bounds, ascending, in seconds, and how many did not exceed them.
    pub(crate) buckets: Vec<(f64, f64)>,
    /// Since the start, by [`QUANTILES`], in seconds.
    pub(crate) quantiles: [Option<f64>; QUANTILES.len()],
}

impl Histogram {
    /// How many were recorded.
    pub(crate) fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }
}

/// A row of a table: what it is of, and its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row<Id, const N: usize> {
    pub(crate) id: Id,
    pub(crate) values: [Option<f64>; N],
}

pub(crate) type KindRow = Row<String, { OfKind::ALL.len() }>;
pub(crate) type CauseRow = Row<String, 1>;
pub(crate) type CoreRow = Row<u32, { OfCore::ALL.len() }>;
pub(crate) type ShardRow = Row<u32, { OfShard::ALL.len() }>;

/// One scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) version: String,
    totals: [Option<f64>; Total::ALL.len()],
    gauges: [Option<f64>; Gauge::ALL.len()],
    latencies: [Histogram; Latency::ALL.len()],
    pub(crate) kinds: Vec<KindRow>,
    pub(crate) causes: Vec<CauseRow>,
    pub(crate) cores: Vec<CoreRow>,
    pub(crate) shards: Vec<ShardRow>,
    /// Shards by what they await, by [`STATES`].
    pub(crate) states: [f64; STATES.len()],
}

/// Why a text is no snapshot: the endpoint's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is no exposition.
    Broken(Broken),
    /// It is one, of something else.
    NoEngine,
    /// More rows than the bound that is named.
    TooMany(&'static str),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(broken) => broken.fmt(f),
            Self::NoEngine => f.write_str("an exposition without shardring_build_info"),
            Self::TooMany(what) => write!(f, "an exposition with too many {what}"),
        }
    }
}

impl Snapshot {
    /// Reads an exposition.
    ///
    /// # Errors
    /// See [`Unread`].
    pub(crate) fn read(text: &str) -> Result<Self, Unread> {
        let mut snapshot = Self::default();
        let mut kept = Ok(());
        openmetrics::read(text, |sample| {
            if kept.is_ok() {
                kept = snapshot.keep(&sample);
            }
        })
        .map_err(Unread::Broken)?;
        kept?;
        if snapshot.version.is_empty() {
            return Err(Unread::NoEngine);
        }
        for histogram in &mut snapshot.latencies {
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Ok(snapshot)
    }

    pub(crate) fn total(&self, total: Total) -> Option<f64> {
        self.totals[total as usize]
    }

    pub(crate) fn gauge(&self, gauge: Gauge) -> Option<f64> {
        self.gauges[gauge as usize]
    }

    pub(crate) fn latency(&self, latency: Latency) -> &Histogram {
        &self.latencies[latency as usize]
    }

    /// All shards, those without numbers of their own among them.
    pub(crate) fn shards_total(&self) -> f64 {
        self.states.iter().sum()
    }

    fn keep(&mut self, sample: &Sample<'_>) -> Result<(), Unread> {
        let Some(family) = sample.family.strip_prefix("shardring_") else { return Ok(()) };
        let value = Some(sample.value).filter(|value| value.is_finite());
        if !["", "_total", "_info", "_bucket"].contains(&sample.suffix) {
            return Ok(());
        }
        if sample.suffix == "_bucket" {
            return self.keep_bucket(family, sample);
        }
        if let Some(name) = family.strip_prefix("kind_") {
            let Some(place) = place(&OfKind::ALL.map(OfKind::name), name) else { return Ok(()) };
            let id = printable(sample.label("kind").unwrap_or(""));
            return put(&mut self.kinds, id, place, value, KINDS_MAX, "kinds");
        }
        if let Some(name) = family.strip_prefix("core_") {
            let Some(place) = place(&OfCore::ALL.map(OfCore::name), name) else { return Ok(()) };
            let Some(id) = number(sample, "core") else { return Ok(()) };
            return put(&mut self.cores, id, place, value, CORES_MAX, "cores");
        }
        if let Some(name) = family.strip_prefix("shard_") {
            let Some(place) = place(&OfShard::ALL.map(OfShard::name), name) else { return Ok(()) };
            let Some(id) = number(sample, "shard") else { return Ok(()) };
            return put(&mut self.shards, id, place, value, SHARDS_MAX, "shards");
        }
        match family {
            "build" => self.version = printable(sample.label("version").unwrap_or("")),
            "disconnects" => {
                let id = printable(sample.label("cause").unwrap_or(""));
                return put(&mut self.causes, id, 0, value, CAUSES_MAX, "causes");
            }
            "shards" => {
                let state = sample.label("state").unwrap_or("");
                if let Some(place) = place(&STATES, state) {
                    self.states[place] = value.unwrap_or(0.0).max(0.0);
                }
            }
            "latency_quantile_seconds" => {
                let of = place(&Latency::ALL.map(Latency::name), sample.label("of").unwrap_or(""));
                let at = place(&QUANTILES, sample.label("quantile").unwrap_or(""));
                if let (Some(of), Some(at)) = (of, at) {
                    self.latencies[of].quantiles[at] = value;
                }
            }
            name => {
                if let Some(place) = place(&Total::ALL.map(Total::name), name)
                    && sample.suffix == "_total"
                {
                    self.totals[place] = value;
                } else if let Some(place) = place(&Gauge::ALL.map(Gauge::name), name) {
                    self.gauges[place] = value;
                }
            }
        }
        Ok(())
    }

    fn keep_bucket(&mut self, family: &str, sample: &Sample<'_>) -> Result<(), Unread> {
        let name = family.strip_suffix("_seconds").unwrap_or(family);
        let Some(place) = place(&Latency::ALL.map(Latency::name), name) else { return Ok(()) };
        let Some(le) = sample.label("le").and_then(|le| le.parse::<f64>().ok()) else {
            return Ok(());
        };
        let buckets = &mut self.latencies[place].buckets;
        if buckets.len() == BUCKETS_MAX {
            return Err(Unread::TooMany("buckets"));
        }
        if !le.is_nan() {
            buckets.push((le, sample.value));
        }
        Ok(())
    }
}

/// Puts a value into its row; families come one after the other, each with its rows in order.
fn put<Id: PartialEq, const N: usize>(
    rows: &mut Vec<Row<Id, N>>,
    id: Id,
    place: usize,
    value: Option<f64>,
    rows_max: usize,
    what: &'static str,
) -> Result<(), Unread> {
    // Mostly the row behind the one that has this value already: found from the end of those.
    let at = rows.partition_point(|row| row.values[place].is_some());
    let found = match rows.get(at) {
        Some(row) if row.id == id => Some(at),
        _ => rows.iter().position(|row| row.id == id),
    };
    match found {
        Some(at) => rows[at].values[place] = value,
        None if rows.len() == rows_max => return Err(Unread::TooMany(what)),
        None => {
            let mut values = [None; N];
            values[place] = value;
            rows.push(Row { id, values });
        }
    }
    Ok(())
}

fn place(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|known| *known == name)
}

fn number(sample: &Sample<'_>, label: &str) -> Option<u32> {
    sample.label(label)?.parse().ok()
}

/// A text that a terminal shows and does not obey.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(LABEL_LEN_MAX).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{exposition, page};

    #[test]
    fn what_an_engine_tells_is_read_by_its_names() {
        let snapshot = Snapshot::read(&exposition(4, 1_000.0)).unwrap();
        assert_eq!(snapshot.version, "0.1.0");
        assert_eq!(snapshot.total(Total::Received), Some(1_000.0));
        assert_eq!(snapshot.gauge(Gauge::StartsRemaining), Some(936.0));
        assert_eq!(snapshot.states[ACTIVE], 3.0);
        assert_eq!(snapshot.shards_total(), 4.0);
        let kind = &snapshot.kinds[0];
        assert_eq!(kind.id, "MESSAGE_CREATE");
        assert_eq!(kind.values[OfKind::Received as usize], Some(750.0));
        assert_eq!(kind.values[OfKind::TextBytes as usize], Some(750_000.0));
        let decode = snapshot.latency(Latency::Decode);
        assert_eq!(decode.count(), 1_000.0);
        assert_eq!(decode.buckets.last().unwrap().0, f64::INFINITY);
        assert_eq!(decode.quantiles[4], Some(0.008));
        assert_eq!(snapshot.shards.len(), 4);
        assert_eq!(snapshot.shards[3].values[OfShard::AckAge as usize], None);
        assert_eq!(snapshot.cores[1].values[OfCore::Shards as usize], Some(2.0));
        let zombie = snapshot.causes.iter().find(|cause| cause.id == "zombie").unwrap();
        assert_eq!(zombie.values, [Some(2.0)]);
    }

    #[test]
    fn every_name_that_is_read_here_stands_in_the_table_of_names() {
        let table = include_str!("../../../docs/metrics.md");
        let is_there = |name: String| {
            let found = table.contains(&format!("| `shardring_{name}` |"))
                || table.contains(&format!("| `shardring_{name}_total` |"));
            assert!(found, "{name}");
        };
        Total::ALL.iter().for_each(|total| is_there(total.name().to_owned()));
        Gauge::ALL.iter().for_each(|gauge| is_there(gauge.name().to_owned()));
        Latency::ALL.iter().for_each(|latency| is_there(format!("{}_seconds", latency.name())));
        OfKind::ALL.iter().for_each(|of| is_there(format!("kind_{}", of.name())));
        OfCore::ALL.iter().for_each(|of| is_there(format!("core_{}", of.name())));
        OfShard::ALL.iter().for_each(|of| is_there(format!("shard_{}", of.name())));
        STATES.iter().for_each(|state| assert!(table.contains(&format!("`{state}`")), "{state}"));
        let place = |state: &str| table.contains(&format!("{ACTIVE} {state}"));
        assert!(place(STATES[ACTIVE]));
    }

    #[test]
    fn nan_and_infinity_are_no_values() {
        let text = page(
            "# TYPE shardring_dials_waiting gauge\nshardring_dials_waiting NaN\n\
                         # TYPE shardring_shards gauge\nshardring_shards{state=\"active\"} NaN\n\
                         # TYPE shardring_hosts_shut gauge\nshardring_hosts_shut +Inf\n",
        );
        let snapshot = Snapshot::read(&text).unwrap();
        assert_eq!(snapshot.gauge(Gauge::DialsWaiting), None);
        assert_eq!(snapshot.gauge(Gauge::HostsShut), None);
        assert_eq!(snapshot.shards_total(), 0.0);
    }

    #[test]
    fn an_exposition_of_something_else_is_told_apart_from_a_broken_one() {
        assert_eq!(Snapshot::read("a 1\n# EOF\n"), Err(Unread::NoEngine));
        assert_eq!(Snapshot::read("a 1\n"), Err(Unread::Broken(Broken::NoEof)));
    }

    #[test]
    fn rows_are_bounded_and_labels_cannot_drive_a_terminal() {
        let family = "# TYPE shardring_kind_received counter\n";
        let rows: String = (0..=KINDS_MAX)
            .map(|at| format!("shardring_kind_received_total{{kind=\"K{at}\"}} 1\n"))
            .collect();
        let text = page(&format!("{family}{rows}"));
        assert_eq!(Snapshot::read(&text), Err(Unread::TooMany("kinds")));
        let odd = "shardring_kind_received_total{kind=\"\u{1b}[2Jä\"} 1\n";
        let snapshot = Snapshot::read(&page(&format!("{family}{odd}"))).unwrap();
        assert_eq!(snapshot.kinds[0].id, "?[2J?");
        assert_eq!(printable(&"x".repeat(1_000)).len(), LABEL_LEN_MAX);
    }
}

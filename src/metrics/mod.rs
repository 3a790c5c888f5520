//! What one core counted and timed; merging; nothing is sent anywhere from here.
//!
//! Plain integers and HDR histograms, all allocated at the start: recording is an addition.
//! A core writes its own; a copy is made and merged when somebody asks
//! ([`Handle::metrics`](crate::Handle::metrics)). At most [`HEAP_LEN_MAX`] a core. As text for
//! Prometheus and its kin: [`Metrics::render_openmetrics`].

mod openmetrics;

pub use openmetrics::{CORES_RENDERED_MAX, OPENMETRICS_CONTENT_TYPE, SHARDS_RENDERED_MAX};

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::EventKind;
use crate::shard::close::Cause;
use crate::shard::notice::State;

/// The most heap that the metrics of one core take: 1 MiB.
pub const HEAP_LEN_MAX: usize = 1 << 20;

/// The longest time that a histogram tells from a longer one: an hour. Longer counts as an hour.
const SPAN_MAX: Duration = Duration::from_secs(3600);

/// A histogram of durations: two significant digits, from 1 ns to 1 h, saturating.
///
/// Counts are 64 bits wide: a bucket that gets 10,000 a second would fill 32 bits in five days.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Latency {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, SPAN_MAX.as_nanos() as u64, 2)
            .expect("the bounds are constants that fit");
        Self(histogram)
    }

    /// Adds one; never allocates, never fails.
    pub(crate) fn record(&mut self, span: Duration) {
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(ns.max(1));
    }

    /// How many were recorded.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// None was recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The span that `percent` of all did not exceed; zero if none was recorded.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_percentile(percent))
    }

    /// The longest, to two digits.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The shortest, to two digits.
    pub fn min(&self) -> Duration {
        Duration::from_nanos(if self.0.is_empty() { 0 } else { self.0.min() })
    }

    /// The mean, to two digits.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.0.mean() as u64)
    }

    /// Each bucket that holds anything: its upper bound and how many lie in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.0.iter_recorded().map(|bucket| {
            (Duration::from_nanos(bucket.value_iterated_to()), bucket.count_since_last_iteration())
        })
    }

    /// How many did not exceed each of these bounds (ascending, in ns), to two digits.
    fn counts_up_to<const N: usize>(&self, bounds_ns: [u64; N]) -> [u64; N] {
        let mut counts = [0; N];
        for bucket in self.0.iter_recorded() {
            let lowest_ns = self.0.lowest_equivalent(bucket.value_iterated_to());
            if let Some(at) = bounds_ns.iter().position(|bound_ns| lowest_ns <= *bound_ns) {
                counts[at] += bucket.count_since_last_iteration();
            }
        }
        let mut sum = 0;
        counts.map(|count| {
            sum += count;
            sum
        })
    }

    /// The sum of all, in seconds, to two digits. Never falls.
    fn sum_s(&self) -> f64 {
        self.0.mean() * self.0.len() as f64 / 1e9
    }

    fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    fn heap_len(&self) -> usize {
        self.0.distinct_values() * size_of::<u64>()
    }
}

/// What happened to the events of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KindCounters {
    /// Dispatches received, duplicates not counted.
    pub received: u64,
    /// Of these, given to the handler (a handler that panicked included).
    pub delivered: u64,
    /// Of these, skipped as the handler had no interest in the kind.
    pub skipped: u64,
    /// Of these, not wanted by the interest's [`Filter`](crate::Filter).
    pub filtered: u64,
    /// Of these, delivered with a field that could not be read, or untyped for want of an id, or
    /// as [`Event::Undecoded`](crate::Event::Undecoded).
    pub imperfect: u64,
    /// Bytes of JSON.
    pub text_len: u64,
}

/// Plain counters of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Bytes received from sockets, WebSocket framing included.
    pub wire_len: u64,
    /// Bytes of JSON that came of them.
    pub text_len: u64,
    /// Gateway payloads received, control payloads included.
    pub payloads: u64,
    /// Dispatches received, duplicates not counted.
    pub dispatches: u64,
    /// Dispatches given to the handler.
    pub delivered: u64,
    /// Dispatches dropped since their sequence number had been seen.
    pub duplicates: u64,
    /// Sequence numbers that were skipped over.
    pub missing: u64,
    /// Dispatches that a RESUME brought again.
    pub replayed: u64,
    /// Payloads whose JSON was broken.
    pub undecoded: u64,
    /// Opcodes that this version does not know.
    pub opcodes_unknown: u64,
    /// IDENTIFYs written.
    pub identifies: u64,
    /// RESUMEs written.
    pub resumes: u64,
    /// Sessions resumed.
    pub resumed: u64,
    /// READYs received.
    pub readies: u64,
    /// Heartbeats written.
    pub heartbeats: u64,
    /// Sessions lost with what they may have held back.
    pub sessions_lost: u64,
    /// Panics of handlers.
    pub handler_panics: u64,
    /// Panics of futures that handlers spawned.
    pub task_panics: u64,
    /// Receives that found no free buffer in the ring.
    pub buffers_exhausted: u64,
    /// Times that a receiver was held back since the pool for unfinished messages was full.
    pub receivers_held_back: u64,
    /// Most bytes that the pool for unfinished messages held.
    pub pool_peak_len: u64,
    /// Times that the core looked for completions.
    pub turns: u64,
    /// Commands written.
    pub commands: u64,
    /// Events whose [`Ack`](crate::Ack)s were dropped without being acknowledged.
    pub acks_dropped: u64,
    /// Why connections ended: by [`Cause::index`], named by [`Cause::NAMES`].
    pub disconnects: [u64; Cause::COUNT],
}

impl Counters {
    /// So many sequence numbers were skipped: as many as the peer likes to make up.
    pub(crate) fn miss(&mut self, count: u64) {
        self.missing = self.missing.saturating_add(count);
    }

    fn merge(&mut self, other: &Self) {
        self.wire_len += other.wire_len;
        self.text_len += other.text_len;
        self.payloads += other.payloads;
        self.dispatches += other.dispatches;
        self.delivered += other.delivered;
        self.duplicates += other.duplicates;
        self.miss(other.missing);
        self.replayed += other.replayed;
        self.undecoded += other.undecoded;
        self.opcodes_unknown += other.opcodes_unknown;
        self.identifies += other.identifies;
        self.resumes += other.resumes;
        self.resumed += other.resumed;
        self.readies += other.readies;
        self.heartbeats += other.heartbeats;
        self.sessions_lost += other.sessions_lost;
        self.handler_panics += other.handler_panics;
        self.task_panics += other.task_panics;
        self.buffers_exhausted += other.buffers_exhausted;
        self.receivers_held_back += other.receivers_held_back;
        self.pool_peak_len = self.pool_peak_len.max(other.pool_peak_len);
        self.turns += other.turns;
        self.commands += other.commands;
        self.acks_dropped += other.acks_dropped;
        for (ours, theirs) in self.disconnects.iter_mut().zip(other.disconnects) {
            *ours += theirs;
        }
    }
}

/// A copy of what the cores counted and timed, merged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// From the moment that the last byte of a payload was taken from the ring to the moment that
    /// the handler is called with it: the wait behind other payloads (and for a paused shard to go
    /// on), inflate, and decoding.
    pub receive_to_callback: Latency,
    /// Inflating and decoding one payload.
    pub decode: Latency,
    /// The handler's own time, one call.
    pub callback: Latency,
    /// From a heartbeat to its acknowledgement.
    pub heartbeat: Latency,
    /// From the moment that Discord made an event (by its snowflake) to its receipt. Needs clocks
    /// that agree; coarse (milliseconds), and what came from the future counts as 0.
    pub discord_lag: Latency,
    /// Plain counters.
    pub counters: Counters,
    kinds: Box<[KindCounters; EventKind::COUNT]>,
    cores: Vec<CoreMetrics>,
    shards: Vec<ShardMetrics>,
    start: Option<StartMetrics>,
}

/// Since when the engine runs, and what stands between its shards and Discord when they connect:
/// the budget of session starts, and the admission of dials. Of the whole engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartMetrics {
    /// How long the engine has run.
    pub uptime: Duration,
    /// IDENTIFYs of the window that are left, the reserve among them.
    pub session_starts_remaining: u32,
    /// IDENTIFYs of a window.
    pub session_starts_total: u32,
    /// Shards that wait to dial.
    pub dials_waiting: usize,
    /// Connections that are being made.
    pub dials_in_flight: usize,
    /// Hosts that nobody dials but for probes.
    pub hosts_shut: usize,
}

/// What one core counted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CoreMetrics {
    /// Which of the engine's threads.
    pub core: usize,
    /// How many shards it drives.
    pub shards: usize,
    /// Its counters.
    pub counters: Counters,
}

/// What is known of one shard.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShardMetrics {
    /// The shard's id.
    pub shard: u32,
    /// Which of the engine's threads drives it.
    pub core: usize,
    /// What it awaits.
    pub state: State,
    /// The session, if there is one.
    pub session_id: Option<String>,
    /// The last sequence number of the session.
    pub sequence: Option<u64>,
    /// Heartbeat round trips.
    pub round_trip: RoundTrips,
    /// How long ago the last acknowledgement came: a latency older than this is stale.
    pub last_ack_age: Option<Duration>,
    /// How long the handler has had it paused, if it has.
    pub paused_for: Option<Duration>,
    /// Events whose acknowledgement the handler has put off, and that are open.
    pub open_acks: usize,
    /// How long the oldest of them has been.
    pub oldest_ack_age: Option<Duration>,
    /// IDENTIFYs sent.
    pub identifies: u64,
    /// Sessions resumed.
    pub resumes: u64,
    /// Connections that ended.
    pub disconnects: u64,
}

/// Heartbeat round trips of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrips {
    /// The last.
    pub last: Option<Duration>,
    /// The last ten, newest last.
    pub recent: Vec<Duration>,
    /// The shortest since the start.
    pub min: Option<Duration>,
    /// The longest since the start.
    pub max: Option<Duration>,
}

impl RoundTrips {
    /// The mean of the last ten; `None` before the first acknowledgement.
    pub fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.recent.len()).ok().filter(|count| *count > 0)?;
        Some(self.recent.iter().sum::<Duration>() / count)
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            receive_to_callback: Latency::new(),
            decode: Latency::new(),
            callback: Latency::new(),
            heartbeat: Latency::new(),
            discord_lag: Latency::new(),
            counters: Counters::default(),
            kinds: Box::new([KindCounters::default(); EventKind::COUNT]),
            cores: Vec::new(),
            shards: Vec::new(),
            start: None,
        };
        assert!(metrics.heap_len() <= HEAP_LEN_MAX, "the metrics of a core outgrew their bound");
        metrics
    }

    /// The counters of one kind.
    pub fn kind(&self, kind: EventKind) -> KindCounters {
        self.kinds[kind.index()]
    }

    /// Each kind that was received, with its counters.
    pub fn kinds(&self) -> impl Iterator<Item = (EventKind, KindCounters)> + '_ {
        EventKind::ALL
            .iter()
            .map(|kind| (*kind, self.kind(*kind)))
            .filter(|(_, counters)| counters.received > 0)
    }

    /// The cores, ascending: [`counters`](Self::counters) is their sum.
    pub fn cores(&self) -> &[CoreMetrics] {
        &self.cores
    }

    /// How long the engine has run, the budget of session starts and the admission of dials; `None`
    /// if the engine's first core ended by a fault.
    pub fn start(&self) -> Option<StartMetrics> {
        self.start
    }

    pub(crate) fn set_start(&mut self, start: StartMetrics) {
        self.start = Some(start);
    }

    /// The shards, ascending.
    pub fn shards(&self) -> &[ShardMetrics] {
        &self.shards
    }

    pub(crate) fn kind_mut(&mut self, kind: EventKind) -> &mut KindCounters {
        &mut self.kinds[kind.index()]
    }

    pub(crate) fn push_shard(&mut self, shard: ShardMetrics) {
        self.shards.push(shard);
    }

    /// A copy of a core's metrics: what they count is that core's, and so are the shards so far.
    pub(crate) fn sign(&mut self, core: usize) {
        let shards = self.shards.len();
        self.cores = vec![CoreMetrics { core, shards, counters: self.counters }];
    }

    /// All of it as OpenMetrics 1.0 text, for a scraper such as Prometheus: answer it with
    /// [`OPENMETRICS_CONTENT_TYPE`].
    ///
    /// The names, their units and meaning stand in `docs/metrics.md`. Of a size that the number of
    /// shards does not grow without end: by itself each shard up to [`SHARDS_RENDERED_MAX`] and
    /// each core up to [`CORES_RENDERED_MAX`] (some 500 KB with so many; how many were left out is
    /// told, and totals and maxima are always of all). One pass over the histograms and the shards;
    /// it runs where it is called, never on a core of the engine.
    pub fn render_openmetrics(&self) -> String {
        let mut text = String::new();
        self.write_openmetrics(&mut text).expect("a string takes everything");
        text
    }

    /// The same into whatever takes text.
    ///
    /// # Errors
    /// Those of `out`; what has been written until then is no whole exposition.
    pub fn write_openmetrics(&self, out: &mut impl fmt::Write) -> fmt::Result {
        openmetrics::write(self, out)
    }

    /// Adds another core's.
    pub(crate) fn merge(&mut self, other: Self) {
        self.receive_to_callback.merge(&other.receive_to_callback);
        self.decode.merge(&other.decode);
        self.callback.merge(&other.callback);
        self.heartbeat.merge(&other.heartbeat);
        self.discord_lag.merge(&other.discord_lag);
        self.counters.merge(&other.counters);
        for (kind, theirs) in self.kinds.iter_mut().zip(other.kinds.iter()) {
            kind.received += theirs.received;
            kind.delivered += theirs.delivered;
            kind.skipped += theirs.skipped;
            kind.filtered += theirs.filtered;
            kind.imperfect += theirs.imperfect;
            kind.text_len += theirs.text_len;
        }
        self.cores.extend(other.cores);
        self.cores.sort_by_key(|core| core.core);
        self.shards.extend(other.shards);
        self.shards.sort_by_key(|shard| shard.shard);
        self.start = self.start.or(other.start);
    }

    /// Bytes of heap that recording uses. What [`shards`](Self::shards) and [`cores`](Self::cores)
    /// hold is made for a copy only and not counted.
    pub fn heap_len(&self) -> usize {
        [
            &self.receive_to_callback,
            &self.decode,
            &self.callback,
            &self.heartbeat,
            &self.discord_lag,
        ]
        .iter()
        .map(|latency| latency.heap_len())
        .sum::<usize>()
            + size_of::<[KindCounters; EventKind::COUNT]>()
    }
}

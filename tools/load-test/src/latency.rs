//! Latency from the intended moment of sending: both sides compute the schedule from start, seed,
//! shard and number, so a gateway that falls behind cannot hide its lateness, nor can the client.
//!
//! Per core, owned by its handler; allocated before the engine starts.

use std::time::{SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use replay_gateway::traffic::schedule::{Pace, Schedule};
use serde::Serialize;

use crate::course::Curve;

/// A histogram in ns: 1 µs to 1 h, three digits, saturating.
#[derive(Clone, Debug)]
pub(crate) struct Spans(Histogram<u32>);

impl Spans {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3);
        Self(histogram.expect("the bounds are constants that fit"))
    }

    pub(crate) fn record_ns(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// As a curve over the percentiles.
    pub(crate) fn curve(&self, name: &'static str) -> Curve {
        let value_us = |percent| self.0.value_at_percentile(percent) as f64 / 1e3;
        Curve::of(name, self.0.len(), value_us)
    }

    /// `None` if nothing was recorded.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        (!self.0.is_empty()).then(|| {
            let at = |percent| self.0.value_at_percentile(percent) as f64 / 1e3;
            Percentiles {
                count: self.0.len(),
                p50_us: at(50.0),
                p90_us: at(90.0),
                p99_us: at(99.0),
                p99_9_us: at(99.9),
                p99_99_us: at(99.99),
                max_us: self.0.max() as f64 / 1e3,
            }
        })
    }
}

/// Percentiles of a histogram, µs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p99_9_us: f64,
    pub(crate) p99_99_us: f64,
    pub(crate) max_us: f64,
}

impl Percentiles {
    /// Those of one of the engine's histograms.
    pub(crate) fn of_engine(latency: &shardring::metrics::Latency) -> Option<Self> {
        (!latency.is_empty()).then(|| {
            let at = |percent| latency.percentile(percent).as_nanos() as f64 / 1e3;
            Self {
                count: latency.len(),
                p50_us: at(50.0),
                p90_us: at(90.0),
                p99_us: at(99.0),
                p99_9_us: at(99.9),
                p99_99_us: at(99.99),
                max_us: latency.max().as_nanos() as f64 / 1e3,
            }
        })
    }
}

/// When the events of one session are due.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    schedule: Schedule,
    first_s: u64,
    first_k: u64,
}

impl Due {
    /// A session whose sequence number `first_s` is event `first_k` of its shard.
    pub(crate) fn new(pace: Pace, shard: u32, first_s: u64, first_k: u64) -> Self {
        Self { schedule: Schedule::new(pace, shard), first_s, first_k }
    }

    /// When the event numbered `s` was to be sent: ns after the traffic's start. Bursts within a
    /// session come in order, so this walks forward only (a replay starts over: rare).
    pub(crate) fn due_ns(&mut self, s: u64) -> u64 {
        self.schedule.due_ns(s.saturating_sub(self.first_s) + self.first_k)
    }
}

/// Turns the engine's clock into Unix time. Each look at both clocks gives the offset plus the
/// time between the two readings: the least one is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnixOffset(u64);

impl UnixOffset {
    /// Nothing seen yet.
    pub(crate) const fn unknown() -> Self {
        Self(u64::MAX)
    }

    /// The engine's clock said `engine_ns` a moment ago.
    pub(crate) fn look(&mut self, engine_ns: u64) {
        let unix_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos());
        self.0 = self.0.min((unix_ns as u64).saturating_sub(engine_ns));
    }

    /// The Unix time of a moment of the engine.
    pub(crate) fn unix_ns(self, engine_ns: u64) -> u64 {
        self.0.saturating_add(engine_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_starts_late_is_due_by_its_first_index() {
        let pace = Pace { seed: 5, rate_per_s: 1_000.0, shards: 4, burst: 2 };
        let mut schedule = Schedule::new(pace, 2);
        let mut due = Due::new(pace, 2, 3, 0);
        let mut late = Due::new(pace, 2, 3, 10);
        for k in 10..50 {
            let expected = schedule.due_ns(k);
            assert_eq!(due.due_ns(k + 3), expected);
            assert_eq!(late.due_ns(k - 10 + 3), expected);
        }
    }

    #[test]
    fn the_offset_only_ever_gets_tighter() {
        let mut offset = UnixOffset::unknown();
        offset.look(1_000);
        let first = offset.unix_ns(0);
        offset.look(1_000);
        assert_eq!(offset.unix_ns(0), first, "a later reading of the same moment is looser");
        offset.look(1_000_000_000_000);
        assert!(offset.unix_ns(0) < first);
    }

    #[test]
    fn percentiles_are_in_microseconds_and_none_without_values() {
        let mut spans = Spans::new();
        assert_eq!(spans.percentiles(), None);
        (1..=100).for_each(|us| spans.record_ns(us * 1_000));
        let mut other = Spans::new();
        other.record_ns(5_000_000);
        spans.merge(&other);
        let all = spans.percentiles().unwrap();
        assert_eq!(all.count, 101);
        assert!((all.p50_us - 51.0).abs() < 1.0, "{all:?}");
        assert!((all.max_us - 5_000.0).abs() < 10.0, "{all:?}");
    }
}

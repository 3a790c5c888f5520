//! The difference of two scrapes: per second, and quantiles of what lies between them. Never looks
//! at a clock: how far apart they are is an argument.
//!
//! Invariant: two scrapes of one engine give finite rates that are not negative; whether they are
//! of one engine, [`is_restart`] tells. Called by `history`.

use std::time::Duration;

use crate::snapshot::{CauseRow, CoreRow, Gauge, Histogram, KindRow, Latency};
use crate::snapshot::{OfCore, OfKind, Row, Snapshot, Total};

/// The quantiles that are taken from the buckets.
pub(crate) const PARTS: [f64; 3] = [0.5, 0.99, 0.999];

/// What a histogram got between two scrapes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Window {
    /// How many.
    pub(crate) count: f64,
    /// By [`PARTS`], in seconds: drawn straight between the bounds of a bucket, as
    /// `histogram_quantile` does; beyond the last finite bound it is that bound. `None`: none came.
    pub(crate) quantiles: [Option<f64>; PARTS.len()],
}

/// What happened between two scrapes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// How far they are apart.
    pub(crate) span: Duration,
    totals: [Option<f64>; Total::ALL.len()],
    latencies: [Window; Latency::ALL.len()],
    /// Per second; every row of the newer scrape, in its order.
    pub(crate) kinds: Vec<KindRow>,
    /// Per second; every row of the newer scrape, in its order.
    pub(crate) causes: Vec<CauseRow>,
    /// Per second; every row of the newer scrape, in its order. Those of gauges are meaningless.
    pub(crate) cores: Vec<CoreRow>,
}

impl Rates {
    /// From `old` to `new`, which are `span` apart; `None` if that is no time.
    pub(crate) fn between(old: &Snapshot, new: &Snapshot, span: Duration) -> Option<Self> {
        let span_s = span.as_secs_f64();
        if span_s <= 0.0 {
            return None;
        }
        let per_s = |old: Option<f64>, new: Option<f64>| {
            let more = new? - old?;
            (more >= 0.0).then_some(more / span_s)
        };
        Some(Self {
            span,
            totals: Total::ALL.map(|total| per_s(old.total(total), new.total(total))),
            latencies: Latency::ALL.map(|of| window(old.latency(of), new.latency(of))),
            kinds: rows(&old.kinds, &new.kinds, per_s),
            causes: rows(&old.causes, &new.causes, per_s),
            cores: rows(&old.cores, &new.cores, per_s),
        })
    }

    /// Per second.
    pub(crate) fn total(&self, total: Total) -> Option<f64> {
        self.totals[total as usize]
    }

    pub(crate) fn latency(&self, latency: Latency) -> &Window {
        &self.latencies[latency as usize]
    }

    /// Per second, of one kind.
    pub(crate) fn kind(&self, id: &str, of: OfKind) -> Option<f64> {
        self.kinds.iter().find(|row| row.id == id)?.values[of as usize]
    }

    /// Per second, of one cause.
    pub(crate) fn cause(&self, id: &str) -> Option<f64> {
        self.causes.iter().find(|row| row.id == id)?.values[0]
    }

    /// Per second, of one core.
    pub(crate) fn core(&self, id: u32, of: OfCore) -> Option<f64> {
        self.cores.iter().find(|row| row.id == id)?.values[of as usize]
    }
}

/// A row that is new counted from 0: kinds that never came have none.
fn rows<Id: Clone + PartialEq, const N: usize>(
    old: &[Row<Id, N>],
    new: &[Row<Id, N>],
    per_s: impl Fn(Option<f64>, Option<f64>) -> Option<f64>,
) -> Vec<Row<Id, N>> {
    let difference = |(at, row): (usize, &Row<Id, N>)| {
        let before = match old.get(at) {
            Some(before) if before.id == row.id => Some(before),
            _ => old.iter().find(|before| before.id == row.id),
        };
        let mut values = row.values;
        for (at, value) in values.iter_mut().enumerate() {
            *value = per_s(before.map_or(Some(0.0), |before| before.values[at]), *value);
        }
        Row { id: row.id.clone(), values }
    };
    new.iter().enumerate().map(difference).collect()
}

/// The scrapes are not of one run of an engine: it has run for less than the time between them, or
/// something that only grows has fallen.
pub(crate) fn is_restart(old: &Snapshot, new: &Snapshot, span: Duration) -> bool {
    let fell = |old: Option<f64>, new: Option<f64>| match (old, new) {
        (Some(old), Some(new)) => new < old,
        _ => false,
    };
    let (before, now) = (old.gauge(Gauge::Uptime), new.gauge(Gauge::Uptime));
    let too_young = match (before, now) {
        (Some(before), Some(now)) => now < before + span.as_secs_f64() - CLOCKS_APART_S,
        _ => false,
    };
    too_young
        || fell(before, now)
        || Total::ALL.iter().any(|total| fell(old.total(*total), new.total(*total)))
        || Latency::ALL.iter().any(|of| new.latency(*of).count() < old.latency(*of).count())
}

/// The engine's clock and ours may run apart by so much between two scrapes: a scrape takes a
/// while, and hosts correct their clocks.
const CLOCKS_APART_S: f64 = 15.0;

fn window(old: &Histogram, new: &Histogram) -> Window {
    let same_bounds =
        old.buckets.iter().map(|(le, _)| *le).eq(new.buckets.iter().map(|(le, _)| *le));
    // One that was empty may not have been told.
    if !same_bounds && !old.buckets.is_empty() {
        return Window::default();
    }
    let mut buckets = new.buckets.clone();
    for ((_, count), (_, before)) in buckets.iter_mut().zip(&old.buckets) {
        *count -= before;
    }
    let count = buckets.last().map_or(0.0, |(_, count)| *count).max(0.0);
    // None of them is longer than the longest since the start.
    let longest = new.quantiles.last().copied().flatten().unwrap_or(f64::INFINITY);
    let quantiles = PARTS.map(|part| quantile(&buckets, part).map(|span| span.min(longest)));
    Window { count, quantiles }
}

/// Of cumulative buckets.
fn quantile(buckets: &[(f64, f64)], part: f64) -> Option<f64> {
    let total = buckets.last().map(|(_, count)| *count).filter(|total| *total > 0.0)?;
    let rank = part * total;
    let at = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (low, below) = match at.checked_sub(1) {
        Some(before) => buckets[before],
        None => (0.0, 0.0),
    };
    let (high, up_to) = buckets[at];
    if !high.is_finite() || up_to <= below {
        return Some(low);
    }
    Some(low + (high - low) * (rank - below) / (up_to - below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{exposition, page};

    fn scraped(shards: u32, events: f64) -> Snapshot {
        Snapshot::read(&exposition(shards, events)).unwrap()
    }

    #[test]
    fn rates_are_differences_by_time() {
        let (old, new) = (scraped(4, 1_000.0), scraped(4, 5_000.0));
        let rates = Rates::between(&old, &new, Duration::from_secs(2)).unwrap();
        assert_eq!(rates.total(Total::Received), Some(2_000.0));
        assert_eq!(rates.kind("MESSAGE_CREATE", OfKind::Received), Some(1_500.0));
        assert_eq!(rates.core(1, OfCore::Received), Some(1_000.0));
        assert_eq!(rates.cause("zombie"), Some(0.0));
        assert_eq!(rates.total(Total::Commands), None, "the engine does not tell it");
        assert_eq!(Rates::between(&old, &new, Duration::ZERO), None);
    }

    #[test]
    fn a_kind_that_comes_for_the_first_time_counts_from_0() {
        let old = Snapshot::read(&page("")).unwrap();
        let rates = Rates::between(&old, &scraped(1, 100.0), Duration::from_secs(1)).unwrap();
        assert_eq!(rates.kind("PRESENCE_UPDATE", OfKind::Received), Some(25.0));
        assert_eq!(rates.total(Total::Received), None, "what it was before is not known");
    }

    #[test]
    fn quantiles_are_of_what_came_between_the_scrapes() {
        let bucket = |counts: [f64; 4]| Histogram {
            buckets: [0.001, 0.002, 0.004, f64::INFINITY].into_iter().zip(counts).collect(),
            quantiles: Default::default(),
        };
        let old = bucket([1_000.0; 4]);
        // Ten more: five in the second bucket, four in the third, one beyond.
        let found = window(&old, &bucket([1_000.0, 1_005.0, 1_009.0, 1_010.0]));
        assert_eq!(found.count, 10.0);
        assert_eq!(found.quantiles, [Some(0.002), Some(0.004), Some(0.004)]);
        let mut longest = bucket([1_000.0, 1_000.0, 1_010.0, 1_010.0]);
        longest.quantiles[4] = Some(0.0025);
        let found = window(&old, &longest);
        assert_eq!(found.quantiles, [Some(0.0025); 3], "none is longer than the longest");
        let found = window(&old, &bucket([1_004.0, 1_004.0, 1_004.0, 1_004.0]));
        assert_eq!(found.quantiles[0], Some(0.0005), "half of the first bucket");
        assert_eq!(window(&old, &old).quantiles, [None; 3]);
        let other = Histogram { buckets: vec![(1.0, 2_000.0)], ..Histogram::default() };
        assert_eq!(window(&old, &other), Window::default(), "other bounds");
        assert_eq!(window(&Histogram::default(), &old).count, 1_000.0);
    }

    #[test]
    fn a_restart_is_told_by_counters_that_fall_and_by_a_run_that_is_too_short() {
        let second = Duration::from_secs(1);
        let old = scraped(4, 100_000.0); // has run for 160 s
        assert!(!is_restart(&old, &scraped(4, 100_000.0), second));
        assert!(!is_restart(&old, &scraped(4, 101_000.0), second));
        assert!(is_restart(&old, &scraped(4, 99_999.0), second));
        // More events than before, but it cannot have run since then.
        assert!(is_restart(&old, &scraped(4, 200_000.0), Duration::from_secs(600)));
    }
}

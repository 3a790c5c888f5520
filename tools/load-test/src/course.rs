//! How a job went over time, and in more detail than its numbers: moments, curves, kinds of events.
//! What the page of `--report` draws; not part of `--json`.
//!
//! Invariant: however long the job, at most [`MOMENTS_MAX`] moments: when there are so many, every
//! second one goes and the interval doubles. Peaks of memory and dips of shards survive that, and
//! what is counted is counted from the start, so no event falls out.

use std::time::Duration;

use shardring::Metrics;
use shardring::metrics::{KindCounters, Latency};

/// The course of a job.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    moments: Vec<Moment>,
    every: Duration,
    /// Latencies, each as a curve.
    pub(crate) curves: Vec<Curve>,
    /// Each kind that came, since the engine's start.
    pub(crate) kinds: Vec<(&'static str, KindCounters)>,
}

/// Where the job stood. Counts and CPU time are since the engine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since the engine's start.
    pub(crate) at: Duration,
    pub(crate) events: u64,
    pub(crate) cpu_ns: u64,
    /// The most since the moment before.
    pub(crate) rss_kib: u64,
    /// The least since the moment before.
    pub(crate) shards_up: u64,
    pub(crate) links: Links,
}

/// What happened to connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// Connections that ended, and dials that failed.
    pub(crate) ended: u64,
    /// Sessions that were resumed.
    pub(crate) resumed: u64,
    /// Sessions that began: IDENTIFY and READY.
    pub(crate) ready: u64,
}

impl Default for Course {
    fn default() -> Self {
        let (moments, curves, kinds) = (Vec::new(), Vec::new(), Vec::new());
        Self { moments, every: EVERY_MIN, curves, kinds }
    }
}

impl Course {
    /// Whether it is time for the next moment.
    pub(crate) fn is_due(&self, at: Duration) -> bool {
        self.moments.last().is_none_or(|last| at >= last.at + self.every)
    }

    /// Notes a moment, later than those before.
    pub(crate) fn push(&mut self, moment: Moment) {
        if self.moments.len() >= MOMENTS_MAX {
            self.thin();
        }
        self.moments.push(moment);
    }

    /// Notes the last moment. One that follows hard on the one before takes its place: over so
    /// short an interval rates would be noise.
    pub(crate) fn end(&mut self, mut moment: Moment) {
        if let Some(last) = self.moments.pop_if(|last| moment.at < last.at + self.every / 2) {
            moment = join(&[last, moment]);
        }
        self.push(moment);
    }

    /// The moments, in their order.
    pub(crate) fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// Keeps what the engine counted by kind, the most frequent first.
    pub(crate) fn set_kinds(&mut self, metrics: &Metrics) {
        self.kinds = metrics.kinds().map(|(kind, counters)| (kind.name(), counters)).collect();
        self.kinds.sort_by_key(|(name, counters)| (u64::MAX - counters.received, *name));
    }

    /// The first stays, each two after it become the later one.
    fn thin(&mut self) {
        let mut thinned = self.moments[..1].to_vec();
        thinned.extend(self.moments[1..].chunks(2).map(join));
        self.moments = thinned;
        self.every = self.every.saturating_mul(2);
    }
}

/// Some moments as their last one, with the extremes of all.
fn join(moments: &[Moment]) -> Moment {
    Moment {
        rss_kib: moments.iter().map(|moment| moment.rss_kib).max().unwrap_or(0),
        shards_up: moments.iter().map(|moment| moment.shards_up).min().unwrap_or(0),
        ..moments.last().copied().unwrap_or_default()
    }
}

/// A latency over its percentiles.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    /// (nines, µs): 0 is the 0th percentile, 1 the 90th, 2 the 99th; the last is the longest.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    /// That of one of the engine's histograms.
    pub(crate) fn of_engine(name: &'static str, latency: &Latency) -> Self {
        let value_us = |percent| latency.percentile(percent).as_nanos() as f64 / 1e3;
        Self::of(name, latency.len(), value_us)
    }

    /// Asks a histogram of `count` values for its value in µs at each percentile that it can tell.
    pub(crate) fn of(name: &'static str, count: u64, value_us: impl Fn(f64) -> f64) -> Self {
        if count == 0 {
            return Self { name, points: Vec::new() };
        }
        let end = (count as f64).log10().min(NINES_MAX);
        let steps = (end * STEPS_PER_NINE).floor() as usize;
        let mut points: Vec<(f64, f64)> = (0..=steps)
            .map(|step| step as f64 / STEPS_PER_NINE)
            .map(|nines| (nines, value_us(100.0 * (1.0 - 10f64.powf(-nines)))))
            .collect();
        points.pop_if(|last| last.0 > end - 1e-9);
        points.push((end, value_us(100.0)));
        Self { name, points }
    }
}

/// Moments that are kept.
const MOMENTS_MAX: usize = 600;
/// Between two moments, at first. Shorter ones would tell more of the kernel's accounting of CPU
/// time, which a running thread brings up to date every few ms, than of the job.
const EVERY_MIN: Duration = Duration::from_millis(100);
/// A curve ends at 99.999999 %.
const NINES_MAX: f64 = 8.0;
/// Points of a curve from 90 to 99 %, and so on.
const STEPS_PER_NINE: f64 = 24.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(n: u64) -> Moment {
        Moment {
            at: Duration::from_millis(n * 100),
            events: n,
            rss_kib: if n == 333 { 9_999 } else { 10 },
            shards_up: if n == 444 { 1 } else { 64 },
            ..Moment::default()
        }
    }

    #[test]
    fn a_long_job_keeps_a_bounded_number_of_moments_and_its_extremes() {
        let mut course = Course::default();
        // An hour.
        for n in 0..36_000 {
            let moment = moment(n);
            if course.is_due(moment.at) || [333, 444].contains(&n) {
                course.push(moment);
            }
        }
        let moments = course.moments();
        assert!((MOMENTS_MAX / 2..=MOMENTS_MAX).contains(&moments.len()), "{}", moments.len());
        assert_eq!((moments[0].events, moments[0].at), (0, Duration::ZERO));
        assert!(moments.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert!(moments.last().unwrap().events > 35_900);
        assert_eq!(moments.iter().map(|moment| moment.rss_kib).max(), Some(9_999));
        assert_eq!(moments.iter().map(|moment| moment.shards_up).min(), Some(1));
    }

    #[test]
    fn an_end_that_follows_hard_on_a_moment_takes_its_place() {
        let mut course = Course::default();
        course.push(moment(332));
        course.push(moment(333));
        course.end(Moment { at: moment(333).at + Duration::from_millis(1), ..moment(334) });
        let last = course.moments()[1];
        assert_eq!((course.moments().len(), last.events, last.rss_kib), (2, 334, 9_999));
        course.end(moment(335));
        assert_eq!(course.moments().len(), 3);
    }

    #[test]
    fn a_curve_goes_as_far_as_its_values_can_tell_and_ends_with_the_longest() {
        let curve = Curve::of("x", 1_000, |percent| percent);
        assert_eq!(curve.points[0], (0.0, 0.0));
        assert_eq!(*curve.points.last().unwrap(), (3.0, 100.0));
        let at = |nines: f64| curve.points.iter().find(|point| point.0 == nines).unwrap().1;
        assert!((at(1.0) - 90.0).abs() < 1e-9 && (at(2.0) - 99.0).abs() < 1e-9);
        assert_eq!(Curve::of("x", 1, |_| 7.0).points, [(0.0, 7.0)]);
        assert!(Curve::of("x", 0, |_| 7.0).points.is_empty());
    }
}

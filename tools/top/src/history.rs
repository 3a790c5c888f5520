//! The scrapes of the last minute, so that rates can be taken over more than one interval, and the
//! events per second of each interval for the curve. Never looks at a clock.
//!
//! Invariant: all scrapes in it are of one run of one engine, ascending in time; at most
//! [`PAST_MAX`] of them, of which only the newest has its shards. Owned by `app`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::rates::{Rates, is_restart};
use crate::snapshot::{Snapshot, Total};

/// The most scrapes that are kept: a minute of the shortest interval, and the one before it.
pub(crate) const PAST_MAX: usize = 128;
/// The most points of the curve.
pub(crate) const CURVE_MAX: usize = 600;

/// Over how much time rates are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Span {
    /// From the scrape before the last.
    Interval,
    /// Ten seconds, or one interval if that is longer.
    #[default]
    Seconds10,
    /// A minute, likewise.
    Minute,
    /// From the first scrape, or from the last reset.
    Reset,
}

impl Span {
    /// The next one of the cycle.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Interval => Self::Seconds10,
            Self::Seconds10 => Self::Minute,
            Self::Minute => Self::Reset,
            Self::Reset => Self::Interval,
        }
    }
}

/// A scrape and when it came.
#[derive(Clone, Debug)]
pub(crate) struct Scraped {
    pub(crate) at: Duration,
    pub(crate) snapshot: Snapshot,
}

/// What has been scraped.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    past: VecDeque<Scraped>,
    /// Where [`Span::Reset`] begins.
    first: Option<Scraped>,
    /// Events per second of each interval, the newest last.
    curve: VecDeque<f64>,
    /// How long the points of the curve took in all.
    curve_span: VecDeque<Duration>,
    /// When an engine was found to have been replaced by another one.
    pub(crate) restarted_at: Option<Duration>,
}

impl History {
    /// A scrape came.
    pub(crate) fn push(&mut self, at: Duration, snapshot: Snapshot) {
        if let Some(last) = self.past.back_mut() {
            let span = at.saturating_sub(last.at);
            if is_restart(&last.snapshot, &snapshot, span) {
                self.past.clear();
                self.reset();
                self.restarted_at = Some(at);
            } else if let Some(rates) = Rates::between(&last.snapshot, &snapshot, span) {
                last.snapshot.shards = Vec::new();
                self.curve.push_back(rates.total(Total::Received).unwrap_or(0.0));
                self.curve_span.push_back(span);
            } else {
                return; // of the same moment: it tells nothing new
            }
        }
        if self.curve.len() > CURVE_MAX {
            self.curve.pop_front();
            self.curve_span.pop_front();
        }
        if self.past.len() == PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(Scraped { at, snapshot });
        if self.first.is_none() {
            self.first = self.past.back().cloned();
        }
    }

    /// Forgets rates and curve: they begin again at the newest scrape.
    pub(crate) fn reset(&mut self) {
        self.past.drain(..self.past.len().saturating_sub(1));
        self.first = self.past.back().cloned();
        self.curve.clear();
        self.curve_span.clear();
    }

    /// The newest scrape.
    pub(crate) fn last(&self) -> Option<&Scraped> {
        self.past.back()
    }

    /// Rates up to the newest scrape; `None` if there is but one.
    pub(crate) fn rates(&self, span: Span) -> Option<Rates> {
        let last = self.past.back()?;
        let before = self.past.iter().rev().nth(1)?;
        let since = |long: Duration| {
            // A scrape that came a little early is still that of ten seconds ago.
            let long = long + last.at.saturating_sub(before.at) / 2;
            let found = self.past.iter().find(|past| past.at + long >= last.at);
            found.filter(|found| found.at < before.at).unwrap_or(before)
        };
        let old = match span {
            Span::Interval => before,
            Span::Seconds10 => since(Duration::from_secs(10)),
            Span::Minute => since(Duration::from_secs(60)),
            Span::Reset => self.first.as_ref()?,
        };
        Rates::between(&old.snapshot, &last.snapshot, last.at.saturating_sub(old.at))
    }

    /// The newest points of the curve, at most so many, and how much time they cover.
    pub(crate) fn curve(&self, len_max: usize) -> (Vec<f64>, Duration) {
        let skipped = self.curve.len().saturating_sub(len_max);
        let points = self.curve.iter().skip(skipped).copied().collect();
        (points, self.curve_span.iter().skip(skipped).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::exposition;

    fn scraped(events: f64) -> Snapshot {
        Snapshot::read(&exposition(2, events)).unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// One scrape a second; each second brings a thousand events more than the one before.
    fn filled(until: u64) -> History {
        let mut history = History::default();
        for at in 0..=until {
            history.push(seconds(at), scraped(((at * (at + 1)) / 2 * 1_000) as f64));
        }
        history
    }

    #[test]
    fn each_span_reaches_back_as_far_as_it_says() {
        let history = filled(100);
        let span = |span: Span| history.rates(span).unwrap().span;
        assert_eq!(span(Span::Interval), seconds(1));
        assert_eq!(span(Span::Seconds10), seconds(10));
        assert_eq!(span(Span::Minute), seconds(60));
        assert_eq!(span(Span::Reset), seconds(100));
        let rate = history.rates(Span::Interval).unwrap().total(Total::Received);
        assert_eq!(rate, Some(100_000.0));
        let short = filled(3);
        assert_eq!(short.rates(Span::Minute).unwrap().span, seconds(3));
        assert!(filled(0).rates(Span::Interval).is_none());
    }

    #[test]
    fn an_interval_longer_than_the_span_is_the_span() {
        let mut history = History::default();
        for at in 0..4 {
            history.push(seconds(at * 30), scraped((at * 30_000) as f64));
        }
        assert_eq!(history.rates(Span::Seconds10).unwrap().span, seconds(30));
        assert_eq!(history.rates(Span::Minute).unwrap().span, seconds(60));
    }

    #[test]
    fn the_curve_has_a_point_an_interval_and_a_bound() {
        let (points, span) = filled(5).curve(3);
        assert_eq!((points, span), (vec![3_000.0, 4_000.0, 5_000.0], seconds(3)));
        let history = filled(700);
        assert_eq!(history.curve(usize::MAX).0.len(), CURVE_MAX);
        assert_eq!(history.past.len(), PAST_MAX);
        let with_shards = history.past.iter().filter(|past| !past.snapshot.shards.is_empty());
        assert_eq!(with_shards.count(), 1, "older scrapes are kept without their shards");
    }

    #[test]
    fn a_restart_begins_anew_and_is_told() {
        let mut history = filled(20);
        assert_eq!(history.restarted_at, None);
        history.push(seconds(21), scraped(5.0));
        assert_eq!(history.restarted_at, Some(seconds(21)));
        assert!(history.rates(Span::Reset).is_none());
        history.push(seconds(22), scraped(7.0));
        let rates = history.rates(Span::Reset).unwrap();
        assert_eq!((rates.span, rates.total(Total::Received)), (seconds(1), Some(2.0)));
    }

    #[test]
    fn a_reset_keeps_the_picture_and_begins_rates_anew() {
        let mut history = filled(20);
        history.reset();
        assert!(history.last().is_some());
        assert!(history.rates(Span::Interval).is_none());
        assert!(history.curve(10).0.is_empty());
        history.push(seconds(30), scraped(400_000.0));
        assert_eq!(history.rates(Span::Reset).unwrap().span, seconds(10));
        History::default().reset();
    }
}

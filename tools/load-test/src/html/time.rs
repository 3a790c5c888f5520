//! How the job went over time: throughput, CPU, memory, shards; and when connections ended, were
//! resumed or began anew.

use std::fmt::Write as _;

use super::axis::Axis;
use super::chart::{Chart, HALF, Line, Mark, X};
use crate::course::{Course, Links, Moment};
use crate::units::spaced;

/// The charts.
pub(super) fn section(course: &Course) -> String {
    let view = View::of(course);
    let mut out = format!("<h2>Over time</h2>\n{}<div class=\"charts\">\n", view.legend());
    out.push_str(&view.chart(
        "Throughput",
        "events/s",
        view.rates(|from, to| Some(to.events.saturating_sub(from.events) as f64)),
        "c1",
    ));
    out.push_str(&view.chart(
        "CPU of the client",
        "% of one core",
        view.rates(|from, to| Some(cpu_ns(from, to) / 1e7)),
        "c2",
    ));
    out.push_str(&view.chart("CPU time per event", "µs per event", view.cpu_per_event(), "c2"));
    let mib = |moment: &Moment| Some((moment.at.as_secs_f64(), moment.rss_kib as f64 / 1024.0));
    out.push_str(&view.chart("Resident memory", "MiB", view.each(mib), "c3"));
    let up = |moment: &Moment| Some((moment.at.as_secs_f64(), moment.shards_up as f64));
    out.push_str(&view.chart("Shards up", "shards", view.each(up), "c4"));
    out.push_str("</div>\n");
    out
}

/// What all charts share.
struct View<'c> {
    moments: &'c [Moment],
    marks: Vec<Mark>,
    /// From before the first event to after the last.
    band: Option<(f64, f64)>,
    end_s: f64,
}

impl<'c> View<'c> {
    fn of(course: &'c Course) -> Self {
        let moments = course.moments();
        let last = moments.last().copied().unwrap_or_default();
        let begins = moments.iter().rposition(|moment| moment.events == 0).unwrap_or(0);
        let ends = moments.iter().position(|moment| moment.events == last.events).unwrap_or(0);
        let at_s = |at: usize| moments[at].at.as_secs_f64();
        let band = (last.events > 0).then(|| (at_s(begins), at_s(ends)));
        Self { moments, marks: marks(moments), band, end_s: last.at.as_secs_f64() }
    }

    fn chart(
        &self,
        title: &str,
        unit: &str,
        points: Vec<Option<(f64, f64)>>,
        class: &'static str,
    ) -> String {
        let max = points.iter().flatten().map(|point| point.1).fold(0.0, f64::max);
        let chart = Chart {
            title: &format!("{title} over time, {unit}"),
            x: X::Time(self.end_s),
            // A line that never moves is not to lie on the frame.
            y: Axis::from_zero(unit, max * 1.05, 4),
            lines: vec![Line { class, points }],
            marks: &self.marks,
            band: self.band,
        };
        chart.figure(&HALF, title, "")
    }

    /// A value of each interval by its seconds, in the middle of the interval.
    fn rates(&self, value: impl Fn(&Moment, &Moment) -> Option<f64>) -> Vec<Option<(f64, f64)>> {
        let rate = |pair: &[Moment]| {
            let [from, to] = pair else { return None };
            let span_s = to.at.saturating_sub(from.at).as_secs_f64();
            let middle_s = (from.at.as_secs_f64() + to.at.as_secs_f64()) / 2.0;
            (span_s > 0.0).then_some((middle_s, value(from, to)? / span_s))
        };
        self.moments.windows(2).map(rate).collect()
    }

    /// Of intervals with enough events to tell.
    fn cpu_per_event(&self) -> Vec<Option<(f64, f64)>> {
        let events = |pair: &[Moment]| pair[1].events.saturating_sub(pair[0].events);
        let busiest = self.moments.windows(2).map(events).max().unwrap_or(0);
        let enough = (busiest / TELLING_SHARE).max(1);
        let each = |pair: &[Moment]| {
            let middle_s = (pair[0].at.as_secs_f64() + pair[1].at.as_secs_f64()) / 2.0;
            let us = cpu_ns(&pair[0], &pair[1]) / 1e3 / events(pair).max(1) as f64;
            (events(pair) >= enough).then_some((middle_s, us))
        };
        self.moments.windows(2).map(each).collect()
    }

    fn each(&self, value: impl Fn(&Moment) -> Option<(f64, f64)>) -> Vec<Option<(f64, f64)>> {
        self.moments.iter().map(value).collect()
    }

    /// What the marks and the shade mean, with their numbers.
    fn legend(&self) -> String {
        let last = self.moments.last().copied().unwrap_or_default();
        let mut out = String::from("<ul class=\"legend\">\n");
        for (class, nouns, count) in KINDS_OF_MARK {
            let total = count(&last.links);
            if total == 0 {
                continue;
            }
            let _ = writeln!(
                out,
                "<li><svg viewBox=\"0 0 28 8\" aria-hidden=\"true\"><path class=\"mark {class}\" \
                 d=\"M14 0v8\"/></svg>{}</li>",
                counted(total, nouns)
            );
        }
        if self.band.is_some() {
            out.push_str(
                "<li><svg viewBox=\"0 0 28 8\" aria-hidden=\"true\"><rect class=\"band\" \
                 width=\"28\" height=\"8\"/></svg>traffic</li>\n",
            );
        }
        out.push_str("</ul>\n");
        out
    }
}

fn cpu_ns(from: &Moment, to: &Moment) -> f64 {
    to.cpu_ns.saturating_sub(from.cpu_ns) as f64
}

/// Marks of what happened, at most [`MARKS_MAX`] of a kind: neighbours are told together. Kinds
/// that never happened have no lane.
fn marks(moments: &[Moment]) -> Vec<Mark> {
    let end_s = moments.last().map_or(0.0, |last| last.at.as_secs_f64());
    let cell = |at: f64| (at / end_s.max(1e-9) * (MARKS_MAX - 1) as f64) as usize;
    let origin = Moment::default();
    let mut marks = Vec::new();
    let mut lane = 0;
    for (class, nouns, count) in KINDS_OF_MARK {
        let mut found: Vec<(f64, u64)> = Vec::new();
        for (from, to) in std::iter::once(&origin).chain(moments).zip(moments) {
            let happened = count(&to.links).saturating_sub(count(&from.links));
            let at = (from.at.as_secs_f64() + to.at.as_secs_f64()) / 2.0;
            match found.last_mut() {
                _ if happened == 0 => {}
                Some((first, sum)) if cell(*first) == cell(at) => *sum += happened,
                _ => found.push((at, happened)),
            }
        }
        marks.extend(found.iter().map(|(at, happened)| {
            let text = format!("{} at {at:.1} s", counted(*happened, nouns));
            Mark { class, lane, at: *at, text }
        }));
        lane += usize::from(!found.is_empty());
    }
    marks
}

fn counted(count: u64, [one, more]: [&str; 2]) -> String {
    format!("{} {}", spaced(count), if count == 1 { one } else { more })
}

/// A count of links.
type Count = fn(&Links) -> u64;

/// In the order of their lanes.
const KINDS_OF_MARK: [(&str, [&str; 2], Count); 3] = [
    ("ended", ["connection ended", "connections ended"], |links| links.ended),
    ("resumed", ["session resumed", "sessions resumed"], |links| links.resumed),
    ("ready", ["session begun (IDENTIFY)", "sessions begun (IDENTIFY)"], |links| links.ready),
];

/// Marks of a kind.
const MARKS_MAX: usize = 100;
/// An interval with fewer events than this share (one in so many) of the busiest one's tells
/// nothing of the cost of an event.
const TELLING_SHARE: u64 = 4;

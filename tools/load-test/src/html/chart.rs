//! One chart as SVG: frame, ticks, lines, marks. Drawn once for wide and once for narrow windows,
//! so that its letters stay letters; the style sheet shows one of the two.
//!
//! Invariant: nothing leaves the frame and no two labels of an axis overlap: one that would is left
//! out, those listed first have precedence.

use std::fmt::Write as _;

use super::axis::{Axis, Tick};
use super::escape;

/// A chart.
#[derive(Debug)]
pub(super) struct Chart<'c> {
    /// For those who cannot see it.
    pub(super) title: &'c str,
    pub(super) x: X,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    pub(super) marks: &'c [Mark],
    /// A span of x that is shaded.
    pub(super) band: Option<(f64, f64)>,
}

/// What the x axis tells; how many ticks it has depends on the room.
#[derive(Clone, Copy, Debug)]
pub(super) enum X {
    /// From 0 to so many seconds.
    Time(f64),
    /// Percentiles, up to so many nines.
    Nines(f64),
}

/// A line in the units of the axes; `None` interrupts it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) class: &'static str,
    pub(super) points: Vec<Option<(f64, f64)>>,
}

/// Something that happened at a moment: a tick above the plot and a faint line through it.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) class: &'static str,
    /// Its row above the plot.
    pub(super) lane: usize,
    pub(super) at: f64,
    pub(super) text: String,
}

/// A size in px, and the class that shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    class: &'static str,
    width: f64,
    height: f64,
}

/// Two beside each other.
pub(super) const HALF: [Size; 2] = [
    Size { class: "wide", width: 580.0, height: 250.0 },
    Size { class: "narrow", width: 360.0, height: 240.0 },
];
/// One as wide as the page.
pub(super) const FULL: [Size; 2] = [
    Size { class: "wide", width: 1_180.0, height: 380.0 },
    Size { class: "narrow", width: 360.0, height: 320.0 },
];

impl Chart<'_> {
    /// The chart in these sizes, with a heading and a sentence below it (both HTML).
    pub(super) fn figure(&self, sizes: &[Size], heading: &str, below: &str) -> String {
        let mut out = format!("<figure>\n<h3>{heading}</h3>\n");
        sizes.iter().for_each(|size| self.svg(*size, &mut out));
        if !below.is_empty() {
            let _ = writeln!(out, "<figcaption>{below}</figcaption>");
        }
        out.push_str("</figure>\n");
        out
    }

    fn svg(&self, size: Size, out: &mut String) {
        let plot = Plot::of(self, size);
        let x = match self.x {
            X::Time(max_s) => Axis::time(max_s, (plot.width / X_TICK_PX) as usize),
            X::Nines(max) => Axis::nines(max),
        };
        let Size { class, width, height } = size;
        let _ = writeln!(
            out,
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{}\">",
            escape(self.title)
        );
        if let Some((from, to)) = self.band {
            let (left, right) = (plot.x(x.place(from)), plot.x(x.place(to)));
            let _ = writeln!(
                out,
                "<rect class=\"band\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" \
                 height=\"{:.1}\"/>",
                plot.top,
                (right - left).max(1.0),
                plot.height
            );
        }
        plot.x_axis(&x, size, out);
        plot.y_axis(&self.y, out);
        plot.marks(&x, self.marks, out);
        let is_empty = self.lines.iter().all(|line| line.points.iter().all(Option::is_none));
        if is_empty {
            let (x, y) = (plot.x(0.5), plot.y(0.5));
            let _ = writeln!(
                out,
                "<text class=\"empty\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">nothing \
                 was measured</text>"
            );
        }
        for line in &self.lines {
            plot.line(line, &x, &self.y, out);
        }
        out.push_str("</svg>\n");
    }
}

/// Where the plot lies in its picture, px.
struct Plot {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Plot {
    fn of(chart: &Chart<'_>, size: Size) -> Self {
        let labels = chart.y.ticks.iter().map(|tick| width_px(&tick.label));
        let left = labels.fold(0.0, f64::max) + 12.0;
        let lanes = chart.marks.iter().map(|mark| mark.lane + 1).max().unwrap_or(0);
        let top = TITLE_PX + lanes as f64 * LANE_PX + 8.0;
        let width = size.width - left - RIGHT_PX;
        Self { left, top, width, height: size.height - top - BOTTOM_PX }
    }

    fn x(&self, place: f64) -> f64 {
        self.left + place * self.width
    }

    fn y(&self, place: f64) -> f64 {
        self.top + (1.0 - place) * self.height
    }

    fn x_axis(&self, axis: &Axis, size: Size, out: &mut String) {
        let mut taken: Vec<(f64, f64)> = Vec::new();
        let bottom = self.y(0.0);
        for Tick { place, label } in &axis.ticks {
            let (x, half) = (self.x(*place), width_px(label) / 2.0);
            // A label at an end stays in the picture.
            let middle = x.clamp(half, size.width - half);
            let span = (middle - half - LABEL_GAP_PX, middle + half + LABEL_GAP_PX);
            let _ =
                writeln!(out, "<path class=\"grid\" d=\"M{x:.1} {:.1}V{bottom:.1}\"/>", self.top);
            if taken.iter().all(|other| span.1 <= other.0 || span.0 >= other.1) {
                let y = bottom + 17.0;
                let _ = writeln!(
                    out,
                    "<text x=\"{middle:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text>"
                );
                taken.push(span);
            }
        }
        let _ = writeln!(
            out,
            "<text class=\"title\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            self.x(1.0),
            size.height - 5.0,
            escape(&axis.title)
        );
    }

    fn y_axis(&self, axis: &Axis, out: &mut String) {
        let mut last = f64::INFINITY;
        for Tick { place, label } in &axis.ticks {
            let y = self.y(*place);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{:.1} {y:.1}H{:.1}\"/>",
                self.left,
                self.x(1.0)
            );
            if last - y >= LINE_PX {
                let (x, y) = (self.left - 7.0, y + 4.0);
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{label}</text>"
                );
                last = y - 4.0;
            }
        }
        let _ =
            writeln!(out, "<text class=\"title\" x=\"0\" y=\"12\">{}</text>", escape(&axis.title));
    }

    fn marks(&self, axis: &Axis, marks: &[Mark], out: &mut String) {
        let lines = marks.len() <= MARK_LINES_MAX;
        for Mark { class, lane, at, text } in marks {
            let x = self.x(axis.place(*at));
            let y = TITLE_PX + *lane as f64 * LANE_PX + 2.0;
            if lines {
                let (from, to) = (y + LANE_PX, self.y(0.0));
                let _ = writeln!(
                    out,
                    "<path class=\"through {class}\" d=\"M{x:.1} {from:.1}V{to:.1}\"/>"
                );
            }
            let _ = writeln!(
                out,
                "<path class=\"mark {class}\" d=\"M{x:.1} {y:.1}v{:.1}\"><title>{}</title></path>",
                LANE_PX - 2.0,
                escape(text)
            );
        }
    }

    fn line(&self, line: &Line, x: &Axis, y: &Axis, out: &mut String) {
        for part in line.points.split(Option::is_none) {
            let mut path = String::new();
            for (at, (to_x, to_y)) in part.iter().flatten().enumerate() {
                let letter = if at == 0 { 'M' } else { 'L' };
                let (px, py) = (self.x(x.place(*to_x)), self.y(y.place(*to_y)));
                if part.len() == 1 {
                    let class = line.class;
                    let _ = writeln!(
                        out,
                        "<circle class=\"dot {class}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3\"/>"
                    );
                }
                let _ = write!(path, "{letter}{px:.1} {py:.1}");
            }
            if part.len() > 1 {
                let _ = writeln!(out, "<path class=\"line {}\" d=\"{path}\"/>", line.class);
            }
        }
    }
}

/// What a label takes at most: the style sheet sets 12 px, and few letters are wider than those of
/// DejaVu Sans.
fn width_px(label: &str) -> f64 {
    let width = |c| match c {
        '.' | ',' | ' ' => 3.9,
        '%' | 'm' | 'M' => 11.7,
        _ => 7.7,
    };
    label.chars().map(width).sum()
}

/// The y axis' title.
const TITLE_PX: f64 = 18.0;
/// A row of marks.
const LANE_PX: f64 = 10.0;
/// Below the plot: labels and title of the x axis.
const BOTTOM_PX: f64 = 42.0;
/// Right of it.
const RIGHT_PX: f64 = 14.0;
/// Between two ticks of the time axis, at least.
const X_TICK_PX: f64 = 70.0;
/// On each side of a label.
const LABEL_GAP_PX: f64 = 4.0;
/// Between two labels of the y axis.
const LINE_PX: f64 = 15.0;
/// More marks than this have no lines through the plot, which would hide it.
const MARK_LINES_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<Option<(f64, f64)>>) -> String {
        let chart = Chart {
            title: "a <title>",
            x: X::Time(10.0),
            y: Axis::from_zero("events/s", 100.0, 5),
            lines: vec![Line { class: "c1", points }],
            marks: &[],
            band: None,
        };
        chart.figure(&HALF, "h", "")
    }

    #[test]
    fn one_point_is_a_dot_none_is_said_and_a_gap_interrupts_the_line() {
        let one = chart(vec![Some((1.0, 50.0))]);
        assert_eq!((one.matches("<circle").count(), one.matches("class=\"line").count()), (2, 0));
        let none = chart(vec![]);
        assert_eq!(none.matches("nothing was measured").count(), 2);
        let gap = chart(vec![
            Some((0.0, 1.0)),
            Some((1.0, 2.0)),
            None,
            Some((3.0, 2.0)),
            Some((4.0, 9.0)),
        ]);
        assert_eq!(gap.matches("class=\"line").count(), 4);
        assert!(one.contains("aria-label=\"a &lt;title&gt;\""));
    }

    #[test]
    fn nothing_leaves_the_frame() {
        let wild = chart(vec![Some((-5.0, 50.0)), Some((50.0, 1e12)), Some((f64::NAN, 1.0))]);
        assert!(!wild.contains("NaN") && !wild.contains("inf"), "{wild}");
    }
}

//! The first pane: the curve of events, shards by state, the facts, latencies, and, where there is
//! room, the first rows of the tables of kinds and shards.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::{RenderDirection, Sparkline, Widget};

use super::table::{self, len, put};
use super::theme::Theme;
use super::{WIDE, halves};
use crate::app::{App, Look};
use crate::snapshot::{ACTIVE, STATES, Snapshot};
use crate::tables::{self, Tone};
use crate::units::{count, long, rate};

/// Rows of the facts and the states, with their titles.
const FACTS_HEIGHT: u16 = 10;
/// Rows of the latencies, with title and names.
const LATENCY_HEIGHT: u16 = 7;
/// The highest curve, rows with its title.
const CURVE_HEIGHT_MAX: u16 = 9;
/// Less rows than this are left empty rather than filled with tables.
const MORE_HEIGHT_MIN: u16 = 5;

pub(super) fn draw(app: &App, snapshot: &Snapshot, theme: Theme, area: Rect, buf: &mut Buffer) {
    let spare = area.height.saturating_sub(FACTS_HEIGHT + LATENCY_HEIGHT);
    // A third of what is left is the curve's, the rest belongs to the tables.
    let curve_height = match spare {
        0..10 => spare,
        _ => (spare / 3).clamp(4, CURVE_HEIGHT_MAX),
    };
    let [curve_area, facts_area, latency_area, more] = Layout::vertical([
        Constraint::Length(curve_height),
        Constraint::Length(FACTS_HEIGHT),
        Constraint::Length(LATENCY_HEIGHT),
        Constraint::Fill(1),
    ])
    .areas(area);
    curve(app, theme, curve_area, buf);
    // The facts are of one width, whatever the screen's.
    let facts_width = FACTS_WIDTH.max(area.width / 2);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(facts_width)])
        .spacing(2)
        .areas(facts_area);
    states(snapshot, theme, left, buf);
    facts(app, snapshot, theme, right, buf);
    latencies(app, snapshot, theme, latency_area, buf);
    if more.height >= MORE_HEIGHT_MIN {
        let more = Rect { y: more.y + 1, height: more.height - 1, ..more };
        let look = Look::default();
        let kinds = tables::events(snapshot, app.rates.as_ref(), &look);
        if more.width >= WIDE {
            let [left, right] = halves(more);
            table::draw(&kinds, 0, theme, left, buf);
            table::draw(&tables::shards(snapshot, &look), 0, theme, right, buf);
        } else {
            table::draw(&kinds, 0, theme, more, buf);
        }
    }
}

/// Columns of the facts at least.
const FACTS_WIDTH: u16 = 52;

fn curve(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let (points, span) = app.history.curve(usize::from(area.width));
    let highest = points.iter().copied().fold(0.0, f64::max);
    let title = match points.last() {
        None => "Events/s: the second scrape will tell".to_owned(),
        Some(last) => {
            let (last, highest) = (rate(Some(*last)), rate(Some(highest)));
            format!("Events/s: {last} now, at most {highest} in the last {}", long(span))
        }
    };
    put(buf, area, 0, area.y, &title, area.width, theme.title());
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    // Thousandths of the highest, so that small rates have a curve, too; the newest at the right.
    let scale = if highest > 0.0 { 1_000.0 / highest } else { 0.0 };
    let bars = points.iter().rev().map(|point| (point * scale).round() as u64);
    Sparkline::default()
        .data(bars)
        .max(1_000)
        .direction(RenderDirection::RightToLeft)
        .style(theme.curve())
        .render(below, buf);
}

fn states(snapshot: &Snapshot, theme: Theme, area: Rect, buf: &mut Buffer) {
    let total = snapshot.shards_total();
    let title = format!("Shards by state: {}", count(Some(total)));
    put(buf, area, 0, area.y, &title, area.width, theme.title());
    let shown: Vec<usize> =
        (0..STATES.len()).filter(|at| *at == ACTIVE || snapshot.states[*at] > 0.0).collect();
    let width = shown.iter().map(|at| len(&count(Some(snapshot.states[*at])))).max().unwrap_or(1);
    for (at, y) in shown.into_iter().zip(area.y + 1..) {
        let here = snapshot.states[at];
        let tone = match at {
            _ if here == 0.0 => Tone::Quiet,
            ACTIVE => Tone::Good,
            _ => Tone::Warn,
        };
        let text =
            format!("{:<11} {:>width$} ", STATES[at], count(Some(here)), width = width.into());
        put(buf, area, 0, y, &text, area.width, theme.tone(tone));
        let room = area.width.saturating_sub(len(&text));
        let part = if total > 0.0 { here / total } else { 0.0 };
        put(buf, area, len(&text), y, &bar(part, room), room, theme.tone(tone));
    }
}

/// A bar of eighths of a column; what is not nothing is seen.
fn bar(part: f64, width: u16) -> String {
    let eighths = (part.clamp(0.0, 1.0) * f64::from(width) * 8.0).round() as usize;
    let eighths = if part > 0.0 { eighths.max(1) } else { 0 };
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + rest
}

fn facts(app: &App, snapshot: &Snapshot, theme: Theme, area: Rect, buf: &mut Buffer) {
    put(buf, area, 0, area.y, "At a glance", area.width, theme.title());
    let facts = tables::facts(snapshot, app.rates.as_ref());
    for (fact, y) in facts.iter().zip(area.y + 1..) {
        put(buf, area, 0, y, fact.name, area.width, theme.label());
        put(buf, area, 12, y, &fact.text, area.width, theme.tone(fact.tone));
    }
}

/// A table with a second title above its last columns.
fn latencies(app: &App, snapshot: &Snapshot, theme: Theme, area: Rect, buf: &mut Buffer) {
    let found = tables::latencies(snapshot, app.rates.as_ref());
    put(buf, area, 0, area.y, &found.title, area.width, theme.title());
    let (first, second) = (16, 8);
    let each = ((area.width - first - second) / 7).min(13);
    let at_right = |buf: &mut Buffer, end: u16, y: u16, text: &str, style| {
        put(buf, area, end.saturating_sub(len(text)), y, text, area.width, style);
    };
    at_right(buf, first + second + 7 * each, area.y, "since the start", theme.title());
    for (at, column) in found.columns.iter().enumerate() {
        let end = match at {
            0 => first,
            at => first + second + each * (at as u16 - 1),
        };
        let name = column.name.replace('_', " ");
        let name = if at == 0 { "" } else { &name };
        at_right(buf, end, area.y + 1, name, theme.label());
        for (row, y) in found.rows.iter().zip(area.y + 2..) {
            match at {
                0 => put(buf, area, 0, y, &row.cells[0], first, theme.label()),
                _ => at_right(buf, end, y, &row.cells[at], theme.tone(row.tone)),
            }
        }
    }
}

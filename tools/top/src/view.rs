//! Draws an [`App`] into a buffer. Pure: the same state at the same time is the same picture;
//! nothing here reads a clock, a terminal or the environment.
//!
//! Invariant: nothing is drawn outside of the area that was given, whatever its size. Called by
//! `live`, and by the tests with areas of all sizes.

mod frame;
mod overview;
mod table;
#[cfg(test)]
mod tests;
mod theme;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};

use crate::app::{App, Pane};
use crate::tables;

pub(crate) use frame::KEYS;

pub(crate) use theme::Theme;

/// The least that the view needs, columns.
pub(crate) const WIDTH_MIN: u16 = 80;
/// The least that the view needs, rows.
pub(crate) const HEIGHT_MIN: u16 = 24;
/// From this width on a pane has a second table beside its first.
const WIDE: u16 = 110;

/// Draws everything.
pub(crate) fn draw(app: &App, now: Duration, theme: Theme, area: Rect, buf: &mut Buffer) {
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        return too_small(area, buf);
    }
    let [header, body, footer] = split(app, area);
    frame::header(app, now, theme, header, buf);
    frame::footer(app, theme, footer, buf);
    match app.snapshot() {
        None => frame::waiting(app, body, buf),
        Some(snapshot) => match app.pane {
            Pane::Overview => overview::draw(app, snapshot, theme, body, buf),
            Pane::Connections if body.width >= WIDE => {
                let [left, right] = halves(body);
                draw_table(app, theme, left, buf);
                let all = tables::totals(snapshot, app.rates.as_ref());
                table::draw(&all, 0, theme, right, buf);
            }
            _ => draw_table(app, theme, body, buf),
        },
    }
    if app.help {
        frame::help(theme, area, buf);
    }
}

/// So many rows of a pane's table fit into an area.
pub(crate) fn page_len(app: &App, area: Rect) -> usize {
    let [_, body, _] = split(app, area);
    usize::from(body.height.saturating_sub(table::HEAD_HEIGHT))
}

fn draw_table(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    if let Some(found) = tables::of(app) {
        table::draw(&found, app.look().scroll, theme, area, buf);
    }
}

fn split(app: &App, area: Rect) -> [Rect; 3] {
    let header = frame::header_height(app);
    Layout::vertical([Constraint::Length(header), Constraint::Fill(1), Constraint::Length(1)])
        .areas(area)
}

/// Two halves with a gap.
fn halves(area: Rect) -> [Rect; 2] {
    Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(2).areas(area)
}

fn too_small(area: Rect, buf: &mut Buffer) {
    let text = vec![
        Line::from(format!("{} x {} is too small", area.width, area.height)),
        Line::from(format!("{WIDTH_MIN} x {HEIGHT_MIN} is needed")),
        Line::from("q quits"),
    ];
    let height = area.height.min(3);
    let y = area.y + (area.height - height) / 2;
    let middle = Rect { y, height, ..area };
    Paragraph::new(text).centered().render(middle, buf);
}

//! A table on the screen: as many of its columns and rows as fit. Never sorts, never formats.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme::Theme;
use crate::tables::Table;

/// Rows above the table's own: the title and the names of the columns.
pub(super) const HEAD_HEIGHT: u16 = 2;
/// Between two columns, when they stand as close as they can.
const GAP: u16 = 1;
/// Between two columns, when there is room enough.
const GAP_WIDE: u16 = 3;

/// Draws from row `scroll` on.
pub(super) fn draw(table: &Table, scroll: usize, theme: Theme, area: Rect, buf: &mut Buffer) {
    if area.height < HEAD_HEIGHT {
        return;
    }
    put(buf, area, 0, area.y, &table.title, area.width, theme.title());
    let widths = widths(table);
    let (shown, gap) = fitting(&widths, area.width);
    let rows = usize::from(area.height - HEAD_HEIGHT);
    let mut x = 0;
    for (at, width) in widths.iter().enumerate().take(shown) {
        let column = table.columns[at];
        let mut cell = |y: u16, text: &str, style: Style| {
            let len = len(text);
            let indent = if column.right { width.saturating_sub(len) } else { 0 };
            put(buf, area, x + indent, y, text, *width, style);
        };
        cell(area.y + 1, &column.name.replace('_', " "), theme.label());
        for (row, y) in table.rows.iter().skip(scroll).take(rows).zip(area.y + HEAD_HEIGHT..) {
            cell(y, &row.cells[at], theme.tone(row.tone));
        }
        x += width + gap;
    }
    let below = table.rows.len().saturating_sub(scroll + rows);
    if scroll > 0 || below > 0 {
        let text = format!("{scroll} above, {below} below");
        let at = area.width.saturating_sub(len(&text));
        if at > len(&table.title) + 1 {
            put(buf, area, at, area.y, &text, area.width, theme.label());
        }
    }
}

/// Of each column: the widest of its texts.
fn widths(table: &Table) -> Vec<u16> {
    let of = |at: usize| {
        let rows = table.rows.iter().map(|row| len(&row.cells[at]));
        rows.max().unwrap_or(0).max(len(table.columns[at].name))
    };
    (0..table.columns.len()).map(of).collect()
}

/// How many columns fit, and the gap between them.
fn fitting(widths: &[u16], width: u16) -> (usize, u16) {
    let needs = |shown: usize, gap: u16| {
        widths[..shown].iter().sum::<u16>() + gap * shown.saturating_sub(1) as u16
    };
    let shown = (0..=widths.len()).rev().find(|shown| needs(*shown, GAP) <= width).unwrap_or(0);
    let gap = (GAP..=GAP_WIDE).rev().find(|gap| needs(shown, *gap) <= width).unwrap_or(GAP);
    (shown, gap)
}

/// Writes at column `x` of the area, cut at `width` and at the area's end.
pub(super) fn put(
    buf: &mut Buffer,
    area: Rect,
    x: u16,
    y: u16,
    text: &str,
    width: u16,
    style: Style,
) {
    if x >= area.width || y < area.y || y >= area.bottom() {
        return;
    }
    buf.set_stringn(area.x + x, y, text, usize::from(width.min(area.width - x)), style);
}

/// Columns that a text takes: no text here has wide characters.
pub(super) fn len(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX)
}

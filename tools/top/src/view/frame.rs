//! What stands around each pane: header, panes' names, keys, help. Never draws what was scraped,
//! but for the few numbers of the header.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Widget, Wrap};

use super::table::{len, put};
use super::theme::Theme;
use crate::app::{App, Pane};
use crate::history::Span;
use crate::snapshot::{ACTIVE, Gauge, Total};
use crate::tables::{self, Tone};
use crate::units::{bytes, count, long, rate};

/// For so long it is said that another engine answers.
const RESTART_TOLD: Duration = Duration::from_secs(60);
/// A scrape that is older than this many intervals is stale.
const STALE_INTERVALS: u32 = 3;

/// Rows of the header: one more while the endpoint is gone.
pub(super) fn header_height(app: &App) -> u16 {
    3 + u16::from(app.trouble.is_some())
}

pub(super) fn header(app: &App, now: Duration, theme: Theme, area: Rect, buf: &mut Buffer) {
    let (first, second) = numbers(app);
    put(buf, area, 0, area.y, &first, area.width, theme.title());
    at_right(buf, area, area.y, short(&app.target), len(&first), theme, Tone::Quiet);
    put(buf, area, 0, area.y + 1, &second, area.width, theme.tone(Tone::Plain));
    let (state, tone) = freshness(app, now);
    at_right(buf, area, area.y + 1, &state, len(&second), theme, tone);
    let mut x = 0;
    for (at, pane) in Pane::ALL.iter().enumerate() {
        let text = format!(" {} {} ", at + 1, pane.name());
        let style = if *pane == app.pane { theme.chosen() } else { theme.label() };
        put(buf, area, x, area.y + 2, &text, area.width, style);
        x += len(&text) + 1;
    }
    if let Some(trouble) = &app.trouble {
        let for_s = long(now.saturating_sub(trouble.since));
        let text = format!("No metrics for {for_s}: {}", trouble.reason);
        put(buf, area, 0, area.y + 3, &text, area.width, theme.tone(Tone::Bad));
    }
}

/// Of the address what tells it from others.
fn short(target: &str) -> &str {
    let target = target.strip_prefix("http://").unwrap_or(target);
    target.strip_suffix("/metrics").unwrap_or(target)
}

/// The engine, and what it receives.
fn numbers(app: &App) -> (String, String) {
    let Some(snapshot) = app.snapshot() else {
        return ("shardring".to_owned(), String::new());
    };
    let uptime = match snapshot.gauge(Gauge::Uptime) {
        Some(uptime) => format!("up {}, ", long(Duration::from_secs_f64(uptime.clamp(0.0, 1e12)))),
        None => String::new(),
    };
    let cores = snapshot.cores.len() as f64 + snapshot.gauge(Gauge::CoresLeftOut).unwrap_or(0.0);
    let first = format!(
        "shardring {}  {uptime}{} {}, {} of {} shards active",
        snapshot.version,
        count(Some(cores)),
        if cores == 1.0 { "core" } else { "cores" },
        count(Some(snapshot.states[ACTIVE])),
        count(Some(snapshot.shards_total())),
    );
    let over = match app.span {
        Span::Interval => "the last interval",
        Span::Seconds10 => "10 s",
        Span::Minute => "60 s",
        Span::Reset => "all since r",
    };
    let per_s = |total: Total| app.rates.as_ref().and_then(|rates| rates.total(total));
    let second = format!(
        "{} events/s, {}/s over {over}",
        rate(per_s(Total::Received)),
        bytes(per_s(Total::WireBytes)),
    );
    (first, second)
}

/// How old the picture is, and why.
fn freshness(app: &App, now: Duration) -> (String, Tone) {
    let Some(last) = app.history.last() else { return (String::new(), Tone::Plain) };
    let age = now.saturating_sub(last.at);
    let every = app.interval.as_secs_f64();
    if app.trouble.is_some() {
        return (format!("GONE, this is {} old", long(age)), Tone::Bad);
    }
    if app.paused {
        return (format!("PAUSED, this is {} old", long(age)), Tone::Warn);
    }
    if let Some(at) = app.history.restarted_at
        && now.saturating_sub(at) < RESTART_TOLD
    {
        return (format!("engine restarted {} ago", long(now.saturating_sub(at))), Tone::Warn);
    }
    let stale = age > app.interval * STALE_INTERVALS;
    let tone = if stale { Tone::Warn } else { Tone::Quiet };
    (format!("{:.1} s old, every {every} s", age.as_secs_f64()), tone)
}

/// Behind what stands at the left, if there is room for some of it.
fn at_right(
    buf: &mut Buffer,
    area: Rect,
    y: u16,
    text: &str,
    taken: u16,
    theme: Theme,
    tone: Tone,
) {
    let x = area.width.saturating_sub(len(text)).max(taken + 2);
    put(buf, area, x, y, text, area.width, theme.tone(tone));
}

pub(super) fn footer(app: &App, theme: Theme, area: Rect, buf: &mut Buffer) {
    if app.typing {
        let text = format!("/{}_  Enter keeps, Esc clears", app.look().filter);
        return put(buf, area, 0, area.y, &text, area.width, theme.tone(Tone::Warn));
    }
    let mut text = String::from("q quit  ? help  Tab pane  p pause  r reset  +/- pace  w span");
    if !tables::sorts(app.pane).is_empty() {
        text.push_str("  s sort");
    }
    if tables::has_filter(app.pane) {
        text.push_str("  / filter");
    }
    put(buf, area, 0, area.y, &text, area.width, theme.label());
}

/// Before the first scrape.
pub(super) fn waiting(app: &App, area: Rect, buf: &mut Buffer) {
    let text = match &app.trouble {
        None => format!("Asking {} for metrics.", app.target),
        Some(_) => format!(
            "{} gives no metrics yet. It is asked again every {} s.",
            app.target,
            app.interval.as_secs_f64()
        ),
    };
    let middle = Rect { y: area.y + area.height / 3, height: 3.min(area.height), ..area };
    Paragraph::new(text).wrap(Wrap { trim: true }).centered().render(middle, buf);
}

/// Every key: the same text stands in the README and behind `--help`.
pub(crate) const KEYS: &str = "\
q, Ctrl-C   quit
1-5, Tab    panes; Shift-Tab goes back
p, Space    pause: keep the picture and scrape no more
s           sort by the next column
/           show rows with this text; Enter keeps it, Esc clears it
Up, Down    scroll; also j, k, PgUp, PgDn, Home, End
w           rates and latencies over: 10 s, 60 s, since r, last interval
r           reset: rates, latencies and the curve begin anew
+, -        a longer or shorter interval, 0.5 s to 60 s
?, h        this help; any key closes it";

pub(super) fn help(theme: Theme, area: Rect, buf: &mut Buffer) {
    let mut lines: Vec<Line<'_>> = KEYS.lines().map(Line::from).collect();
    lines.push(Line::default());
    lines.extend(NOTES.lines().map(Line::from));
    let (width, height) = (78.min(area.width), (lines.len() as u16 + 4).min(area.height));
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    let area = Rect { x, y, width, height };
    Clear.render(area, buf);
    let block = Block::bordered().title(" Help ").title_style(theme.title());
    Paragraph::new(lines).block(block.padding(Padding::symmetric(2, 1))).render(area, buf);
}

/// What the numbers mean.
const NOTES: &str = "\
Latencies of the span come from the histograms' buckets, drawn straight
between their bounds; those since the start are exact to two digits.
Yellow: not as it should be, or it was so. Red: now. Grey: none.";

//! What is on the screen, by drawing into a buffer of many sizes.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::app::Key;
use crate::samples::{exposition, page};
use crate::snapshot::Snapshot;

const SECOND: Duration = Duration::from_secs(1);
const PLAIN: Theme = Theme { colour: false };

fn scraped(shards: u32, events: f64) -> Result<Snapshot, String> {
    Ok(Snapshot::read(&exposition(shards, events)).unwrap())
}

/// Two scrapes, a second apart, with a thousand events between them.
fn app(shards: u32) -> App {
    let mut app = App::new("http://bot.test:9464/metrics".to_owned(), SECOND);
    app.scraped(SECOND, scraped(shards, 1_000.0));
    app.scraped(2 * SECOND, scraped(shards, 2_000.0));
    app
}

fn drawn(app: &App, now: Duration, theme: Theme, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(app, now, theme, frame.area(), frame.buffer_mut())).unwrap();
    terminal
}

fn screen(app: &App, now: Duration, width: u16, height: u16) -> Vec<String> {
    let terminal = drawn(app, now, PLAIN, width, height);
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_owned()).collect()
}

/// One blank between words, however wide the columns are.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn shows(screen: &[String], parts: &[&str]) {
    for part in parts {
        let is_here = |line: &String| line.contains(part) || words(line).contains(part);
        assert!(screen.iter().any(is_here), "{part}\n{}", screen.join("\n"));
    }
}

#[test]
fn the_overview_fits_into_the_least_size() {
    let screen = screen(&app(64), 2 * SECOND, 80, 24);
    assert_eq!(
        screen[0],
        "shardring 0.1.0  up 62 s, 2 cores, 63 of 64 shards active          bot.test:9464"
    );
    let columns = [
        "1,000 events/s, 293 KiB/s over 10 s",
        "0.0 s old, every 1 s",
        " 1 Overview ",
        "Events/s: 1,000 now, at most 1,000 in the last 1 s",
        "Shards by state: 64",
        "queued       1 ",
        "active      63 ████████",
        "budget      936 of 1,000 session starts left",
        "dials       1 waiting, - dialling, - hosts shut",
        "heartbeats  oldest ACK 39.0 s",
        "connections 3 ended, 0/min",
        "panics      0 handler",
        "memory      pool peak 1.0 MiB, - starved, - held",
        "Latency of the last 1 s",
        "since the start",
        "decode             1,000 1.00 ms 4.00 ms 4.00 ms 1.00 ms 4.00 ms       - 8.00 ms",
        "Discord lag",
        "q quit  ? help",
    ];
    shows(&screen, &columns);
}

#[test]
fn a_large_screen_has_a_higher_curve_and_the_first_rows_of_two_tables() {
    let screen = screen(&app(64), 2 * SECOND, 160, 50);
    shows(&screen, &["Events by kind: 2", "MESSAGE_CREATE", "Shards: 64, by last ACK", "72.5 s"]);
    assert!(screen[0].ends_with("  bot.test:9464"));
    let curve = screen.iter().filter(|line| line.ends_with('█')).count();
    assert_eq!(curve, 8, "{}", screen.join("\n"));
}

#[test]
fn each_pane_shows_its_table() {
    let mut app = app(64);
    for (key, parts) in [
        ('2', ["Events by kind: 2, by events/s", "MESSAGE_CREATE", "75.0 %"]),
        ('3', ["Shards: 64, by last ACK", "62 active", "72.5 s"]),
        ('4', ["Ended connections by cause", "zombie", "66.7 %"]),
        ('5', ["Cores: 2, by core", "events/s", "50.0 %"]),
    ] {
        app.press(2 * SECOND, Key::Char(key));
        shows(&screen(&app, 2 * SECOND, 80, 24), &parts);
    }
    app.press(2 * SECOND, Key::Char('4'));
    shows(&screen(&app, 2 * SECOND, 160, 50), &["Counters since the start", "sessions lost"]);
}

#[test]
fn tables_scroll_and_say_what_is_not_seen() {
    let mut app = app(64);
    app.press(2 * SECOND, Key::Char('3'));
    app.set_page(page_len(&app, Rect::new(0, 0, 80, 24)));
    shows(&screen(&app, 2 * SECOND, 80, 24), &["0 above, 46 below"]);
    app.press(2 * SECOND, Key::End);
    let end = screen(&app, 2 * SECOND, 80, 24);
    shows(&end, &["46 above, 0 below"]);
    assert!(words(&end[22]).starts_with("63 queued"), "{}", end.join("\n"));
}

#[test]
fn an_endpoint_that_is_gone_is_told_with_the_last_picture() {
    let mut app = app(4);
    app.scraped(3 * SECOND, Err("connection refused".to_owned()));
    let gone = screen(&app, 15 * SECOND, 80, 24);
    shows(
        &gone,
        &[
            "No metrics for 12 s: connection refused",
            "GONE, this is 13 s old",
            "1,000 events/s",
            "active      3 ",
            "Discord lag",
        ],
    );
    app.scraped(16 * SECOND, scraped(4, 3_000.0));
    let back = screen(&app, 16 * SECOND, 80, 24);
    assert!(!back.iter().any(|line| line.contains("No metrics")));
}

#[test]
fn before_the_first_scrape_it_says_what_it_waits_for() {
    let mut app = App::new("http://bot.test/metrics".to_owned(), SECOND);
    shows(&screen(&app, SECOND, 80, 24), &["Asking http://bot.test/metrics for metrics."]);
    app.scraped(SECOND, Err("connection refused".to_owned()));
    let parts = ["No metrics for 4 s: connection refused", "It is asked again every 1 s."];
    shows(&screen(&app, 5 * SECOND, 80, 24), &parts);
}

#[test]
fn an_engine_that_was_restarted_is_told_and_its_rates_begin_anew() {
    let mut app = app(4);
    app.scraped(3 * SECOND, scraped(4, 5.0));
    let restarted = screen(&app, 8 * SECOND, 80, 24);
    shows(&restarted, &["engine restarted 5 s ago", "- events/s", "the second scrape will tell"]);
    app.scraped(4 * SECOND, scraped(4, 10.0));
    shows(&screen(&app, 8 * SECOND, 80, 24), &["5.0 events/s"]);
}

#[test]
fn an_exposition_without_numbers_is_a_picture_without_numbers() {
    let mut app = App::new(String::new(), SECOND);
    let nan = "# TYPE shardring_last_ack_age_max_seconds gauge\n\
               shardring_last_ack_age_max_seconds NaN\n";
    app.scraped(SECOND, Ok(Snapshot::read(&page(nan)).unwrap()));
    app.scraped(2 * SECOND, Ok(Snapshot::read(&page(nan)).unwrap()));
    for key in "12345".chars() {
        app.press(2 * SECOND, Key::Char(key));
        let shown = screen(&app, 2 * SECOND, 100, 30).join("\n");
        assert!(!shown.contains("NaN") && !shown.contains("inf"), "{shown}");
    }
    app.press(2 * SECOND, Key::Char('1'));
    shows(
        &screen(&app, 2 * SECOND, 80, 24),
        &["active      0", "oldest ACK -", "- of - session starts left"],
    );
}

#[test]
fn every_state_of_the_view_draws_at_every_size() {
    let mut gone = app(64);
    gone.scraped(3 * SECOND, Err("x".repeat(300)));
    let empty = App::new("x".repeat(300), SECOND);
    for mut app in [app(64), app(0), gone, empty] {
        for key in ['1', '2', '3', '4', '5', '?'] {
            app.press(2 * SECOND, Key::Char(key));
            for (width, height) in [(0, 0), (1, 1), (20, 2), (79, 24), (80, 23), (80, 24), (81, 37)]
            {
                screen(&app, 2 * SECOND, width, height);
            }
            screen(&app, 2 * SECOND, 300, 100);
        }
    }
}

#[test]
fn a_terminal_that_is_too_small_is_told_what_is_needed() {
    let small = screen(&app(4), 2 * SECOND, 60, 10);
    shows(&small, &["60 x 10 is too small", "80 x 24 is needed", "q quits"]);
    assert!(!small.iter().any(|line| line.contains("shardring")));
}

#[test]
fn the_help_has_every_key_and_fits() {
    let mut app = app(4);
    app.press(2 * SECOND, Key::Char('?'));
    let shown = screen(&app, 2 * SECOND, 80, 24);
    let keys: Vec<&str> = KEYS.lines().collect();
    shows(&shown, &keys);
    shows(&shown, &["Latencies of the span", "Grey: none.", "└──"]);
}

#[test]
fn the_view_tells_keys_span_and_a_filter_that_is_typed() {
    let mut app = app(4);
    app.press(2 * SECOND, Key::Char('2'));
    let shown = screen(&app, 2 * SECOND, 100, 24);
    assert!(shown[23].ends_with("w span  s sort  / filter"), "{}", shown[23]);
    app.press(2 * SECOND, Key::Char('w'));
    shows(&screen(&app, 2 * SECOND, 80, 24), &["1,000 events/s, 293 KiB/s over 60 s", "/ filter"]);
    app.press(2 * SECOND, Key::Char('p'));
    shows(&screen(&app, 4 * SECOND, 80, 24), &["PAUSED, this is 2 s old"]);
    for key in "/pres".chars() {
        app.press(2 * SECOND, Key::Char(key));
    }
    let shown = screen(&app, 2 * SECOND, 80, 24);
    assert_eq!(shown[23], "/pres_  Enter keeps, Esc clears");
    shows(&shown, &["Events by kind: 1 with `pres`"]);
}

#[test]
fn without_colours_there_are_none_and_what_is_bad_is_still_marked() {
    let mut app = app(200); // the oldest acknowledgement is older than it may be
    app.press(2 * SECOND, Key::Char('3'));
    let at = |theme: Theme| {
        let terminal = drawn(&app, 2 * SECOND, theme, 80, 24);
        let buffer = terminal.backend().buffer().clone();
        let row = |y: u16| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        let y = (0..24).find(|y| words(&row(*y)).starts_with("198 active")).unwrap();
        let x = (0..80).find(|x| buffer[(*x, y)].symbol() == "a").unwrap();
        let cell = buffer[(x, y)].clone();
        (cell, buffer)
    };
    let (cell, buffer) = at(PLAIN);
    assert!(buffer.content().iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
    assert!(cell.modifier.contains(Modifier::UNDERLINED));
    let (cell, _) = at(Theme { colour: true });
    assert_eq!(cell.fg, Color::Red);
}

//! What is shown and what the keys do: a machine that is told the time, keys and scrapes, and is
//! asked when to scrape and what to draw. Never fetches, draws or reads a clock.
//!
//! Invariant: at most one scrape is under way; a scrape that fails leaves the last picture. Driven
//! by `live`, drawn by `view`.

use std::time::Duration;

use crate::history::{History, Span};
use crate::rates::Rates;
use crate::snapshot::Snapshot;
use crate::tables;

/// Between two scrapes; `+` and `-` step through them.
pub(crate) const INTERVALS: [Duration; 7] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];
/// The longest filter, characters.
pub(crate) const FILTER_LEN_MAX: usize = 32;

/// A page of the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    #[default]
    Overview,
    Events,
    Shards,
    Connections,
    Cores,
}

impl Pane {
    pub(crate) const ALL: [Self; 5] =
        [Self::Overview, Self::Events, Self::Shards, Self::Connections, Self::Cores];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Events => "Events",
            Self::Shards => "Shards",
            Self::Connections => "Connections",
            Self::Cores => "Cores",
        }
    }
}

/// A key, free of the terminal's library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Enter,
    Esc,
    Backspace,
    Tab,
    BackTab,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// How one pane is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Which of [`tables::sorts`].
    pub(crate) sort: usize,
    /// Rows without it are not shown; lower case.
    pub(crate) filter: String,
    /// Rows above the first one shown.
    pub(crate) scroll: usize,
}

/// The endpoint does not answer, or with something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) since: Duration,
    /// The last reason.
    pub(crate) reason: String,
}

/// The view's state.
#[derive(Clone, Debug)]
pub(crate) struct App {
    /// Where is scraped, as it is shown.
    pub(crate) target: String,
    pub(crate) history: History,
    /// Up to the newest scrape, over [`App::span`].
    pub(crate) rates: Option<Rates>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) interval: Duration,
    pub(crate) span: Span,
    pub(crate) paused: bool,
    pub(crate) pane: Pane,
    looks: [Look; Pane::ALL.len()],
    /// The filter is being typed.
    pub(crate) typing: bool,
    pub(crate) help: bool,
    /// Rows of the table that fit on the screen.
    page: usize,
    due: Duration,
    under_way: bool,
}

impl App {
    pub(crate) fn new(target: String, interval: Duration) -> Self {
        Self {
            target,
            history: History::default(),
            rates: None,
            trouble: None,
            interval,
            span: Span::default(),
            paused: false,
            pane: Pane::default(),
            looks: Default::default(),
            typing: false,
            help: false,
            page: 1,
            due: Duration::ZERO,
            under_way: false,
        }
    }

    /// Whether to scrape now; if so, one is under way until [`App::scraped`].
    pub(crate) fn poll_scrape(&mut self, now: Duration) -> bool {
        if self.under_way || self.paused || now < self.due {
            return false;
        }
        self.under_way = true;
        // From when it was due, so that a slow answer does not stretch the interval; not twice in a
        // row after a pause.
        self.due = (self.due + self.interval).max(now + self.interval / 2);
        true
    }

    /// The scrape that was under way has ended, at `at`.
    pub(crate) fn scraped(&mut self, at: Duration, result: Result<Snapshot, String>) {
        self.under_way = false;
        match result {
            Ok(snapshot) => {
                self.trouble = None;
                self.history.push(at, snapshot);
                self.rates = self.history.rates(self.span);
                self.keep_scroll_in_bounds();
            }
            Err(reason) => {
                let since = self.trouble.as_ref().map_or(at, |trouble| trouble.since);
                self.trouble = Some(Trouble { since, reason });
            }
        }
    }

    /// A key was pressed; `true`: the view is to end.
    pub(crate) fn press(&mut self, now: Duration, key: Key) -> bool {
        if self.typing {
            self.type_filter(key);
        } else if self.help {
            match key {
                Key::Char('q') => return true,
                _ => self.help = false,
            }
        } else {
            return self.obey(now, key);
        }
        false
    }

    /// How one looks at the pane that is shown.
    pub(crate) fn look(&self) -> &Look {
        &self.looks[self.pane as usize]
    }

    pub(crate) fn snapshot(&self) -> Option<&Snapshot> {
        self.history.last().map(|last| &last.snapshot)
    }

    /// So many rows of a table fit on the screen.
    pub(crate) fn set_page(&mut self, rows: usize) {
        self.page = rows.max(1);
        self.keep_scroll_in_bounds();
    }

    fn obey(&mut self, now: Duration, key: Key) -> bool {
        let place = self.pane as usize;
        let panes = Pane::ALL.len();
        match key {
            Key::Char('q') => return true,
            Key::Char('?' | 'h') => self.help = true,
            Key::Char('p' | ' ') => {
                self.paused = !self.paused;
                self.due = now;
            }
            Key::Tab => self.pane = Pane::ALL[(place + 1) % panes],
            Key::BackTab => self.pane = Pane::ALL[(place + panes - 1) % panes],
            Key::Char(digit @ '1'..='5') => self.pane = Pane::ALL[digit as usize - '1' as usize],
            Key::Char('s') => {
                let sorts = tables::sorts(self.pane).len().max(1);
                let look = &mut self.looks[place];
                (look.sort, look.scroll) = ((look.sort + 1) % sorts, 0);
            }
            Key::Char('/') if tables::has_filter(self.pane) => self.typing = true,
            Key::Esc => self.looks[place].filter.clear(),
            Key::Char('r') => {
                self.history.reset();
                self.rates = None;
            }
            Key::Char('w') => {
                self.span = self.span.next();
                self.rates = self.history.rates(self.span);
            }
            Key::Char('+' | '=') => self.step_interval(now, true),
            Key::Char('-') => self.step_interval(now, false),
            Key::Up | Key::Char('k') => self.scroll(-1),
            Key::Down | Key::Char('j') => self.scroll(1),
            Key::PageUp => self.scroll(-(self.page as isize)),
            Key::PageDown => self.scroll(self.page as isize),
            Key::Home => self.scroll(isize::MIN),
            Key::End => self.scroll(isize::MAX),
            _ => {}
        }
        false
    }

    fn type_filter(&mut self, key: Key) {
        let look = &mut self.looks[self.pane as usize];
        match key {
            Key::Enter => self.typing = false,
            Key::Esc => {
                look.filter.clear();
                self.typing = false;
            }
            Key::Backspace => drop(look.filter.pop()),
            Key::Char(c) if c.is_ascii_graphic() && look.filter.len() < FILTER_LEN_MAX => {
                look.filter.push(c.to_ascii_lowercase());
                look.scroll = 0;
            }
            _ => {}
        }
    }

    fn step_interval(&mut self, now: Duration, longer: bool) {
        let next = match longer {
            true => INTERVALS.iter().find(|known| **known > self.interval),
            false => INTERVALS.iter().rev().find(|known| **known < self.interval),
        };
        if let Some(next) = next {
            self.interval = *next;
            self.due = self.due.min(now + *next);
        }
    }

    fn scroll(&mut self, rows: isize) {
        let look = &mut self.looks[self.pane as usize];
        look.scroll = look.scroll.saturating_add_signed(rows);
        self.keep_scroll_in_bounds();
    }

    fn keep_scroll_in_bounds(&mut self) {
        let rows = tables::of(self).map_or(0, |table| table.rows.len());
        let look = &mut self.looks[self.pane as usize];
        look.scroll = look.scroll.min(rows.saturating_sub(self.page));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::exposition;

    const SECOND: Duration = Duration::from_secs(1);

    fn scraped(events: f64) -> Result<Snapshot, String> {
        Ok(Snapshot::read(&exposition(40, events)).unwrap())
    }

    fn app() -> App {
        let mut app = App::new("http://engine.test/metrics".to_owned(), SECOND);
        app.scraped(Duration::ZERO, scraped(0.0));
        app.scraped(SECOND, scraped(1_000.0));
        app.set_page(10);
        app
    }

    fn press(app: &mut App, keys: &str) {
        keys.chars().for_each(|key| assert!(!app.press(SECOND, Key::Char(key))));
    }

    #[test]
    fn one_scrape_is_under_way_at_a_time_and_the_interval_is_kept() {
        let mut app = App::new(String::new(), SECOND);
        let ms = Duration::from_millis;
        assert!(app.poll_scrape(ms(10)));
        assert!(!app.poll_scrape(ms(3_000)), "one is under way");
        app.scraped(ms(3_100), scraped(0.0));
        assert!(app.poll_scrape(ms(3_100)));
        app.scraped(ms(3_110), scraped(1.0));
        assert!(!app.poll_scrape(ms(3_500)), "not twice in a row to make up for it");
        assert!(app.poll_scrape(ms(3_600)));
    }

    #[test]
    fn a_pause_keeps_the_picture_and_stops_scraping() {
        let mut app = app();
        press(&mut app, "p");
        assert!(!app.poll_scrape(Duration::from_secs(60)));
        assert!(app.snapshot().is_some());
        app.press(Duration::from_secs(60), Key::Char('p'));
        assert!(app.poll_scrape(Duration::from_secs(60)), "at once when it goes on");
    }

    #[test]
    fn an_endpoint_that_is_gone_leaves_the_picture_and_says_since_when() {
        let mut app = app();
        app.scraped(2 * SECOND, Err("refused".to_owned()));
        app.scraped(3 * SECOND, Err("timed out".to_owned()));
        let trouble = app.trouble.clone().unwrap();
        assert_eq!((trouble.since, trouble.reason.as_str()), (2 * SECOND, "timed out"));
        assert!(app.snapshot().is_some() && app.rates.is_some());
        app.scraped(4 * SECOND, scraped(2_000.0));
        assert_eq!(app.trouble, None);
    }

    #[test]
    fn keys_choose_panes_sorts_and_spans() {
        let mut app = app();
        press(&mut app, "3");
        assert_eq!(app.pane, Pane::Shards);
        app.press(SECOND, Key::Tab);
        assert_eq!(app.pane, Pane::Connections);
        app.press(SECOND, Key::BackTab);
        app.press(SECOND, Key::BackTab);
        assert_eq!(app.pane, Pane::Events);
        press(&mut app, "1");
        app.press(SECOND, Key::BackTab);
        assert_eq!(app.pane, Pane::Cores);
        press(&mut app, "2s");
        assert_eq!(app.look().sort, 1);
        (1..tables::sorts(Pane::Events).len()).for_each(|_| press(&mut app, "s"));
        assert_eq!(app.look().sort, 0);
        press(&mut app, "w");
        assert_eq!(app.span, Span::Minute);
        press(&mut app, "r");
        assert_eq!(app.rates, None);
        assert!(app.press(SECOND, Key::Char('q')));
    }

    #[test]
    fn the_interval_steps_through_its_values_and_stops_at_its_ends() {
        let mut app = app();
        press(&mut app, "+");
        assert_eq!(app.interval, INTERVALS[2]);
        press(&mut app, "++++++++");
        assert_eq!(app.interval, INTERVALS[6]);
        press(&mut app, "---------");
        assert_eq!(app.interval, INTERVALS[0]);
        let mut odd = App::new(String::new(), Duration::from_millis(700));
        press(&mut odd, "-");
        assert_eq!(odd.interval, INTERVALS[0]);
    }

    #[test]
    fn a_filter_is_typed_kept_and_cleared_and_letters_are_no_commands_meanwhile() {
        let mut app = app();
        press(&mut app, "/");
        assert!(!app.typing, "the overview has no rows to filter");
        press(&mut app, "2/Quest");
        assert!(app.typing);
        app.press(SECOND, Key::Backspace);
        app.press(SECOND, Key::Enter);
        assert_eq!((app.typing, app.look().filter.as_str()), (false, "ques"));
        press(&mut app, "3");
        assert_eq!(app.look().filter, "", "each pane has its own");
        press(&mut app, "2");
        app.press(SECOND, Key::Esc);
        assert_eq!(app.look().filter, "");
        press(&mut app, "/");
        press(&mut app, &"x".repeat(100));
        assert_eq!(app.look().filter.len(), FILTER_LEN_MAX);
    }

    #[test]
    fn scrolling_ends_with_the_last_row_at_the_bottom() {
        let mut app = app();
        press(&mut app, "3");
        app.press(SECOND, Key::End);
        assert_eq!(app.look().scroll, 30, "40 rows, 10 of them fit");
        app.press(SECOND, Key::Down);
        assert_eq!(app.look().scroll, 30);
        app.press(SECOND, Key::PageUp);
        app.press(SECOND, Key::Up);
        assert_eq!(app.look().scroll, 19);
        app.press(SECOND, Key::Home);
        assert_eq!(app.look().scroll, 0);
        app.press(SECOND, Key::End);
        app.set_page(100);
        assert_eq!(app.look().scroll, 0, "all of them fit now");
    }

    #[test]
    fn any_key_closes_the_help() {
        let mut app = app();
        press(&mut app, "?");
        assert!(app.help);
        press(&mut app, "2");
        assert_eq!((app.help, app.pane), (false, Pane::Overview));
    }
}

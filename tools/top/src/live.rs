//! The live view: a terminal, a thread that scrapes, and the loop between them and [`App`].
//!
//! Invariant: however it ends (key, signal, error, panic), the terminal is given back as it was,
//! if it is still there.
//! Scraping has a thread of its own, so that keys are obeyed while an endpoint stalls; one request
//! and one answer are on the way at most.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::app::{App, Key};
use crate::fetch::{self, Target};
use crate::snapshot::Snapshot;
use crate::view::{self, Theme};

/// As for a terminal that cannot be used.
const EXIT_NO_TERMINAL: u8 = 3;
/// For keys to be waited for, before anything else is looked at.
const TICK: Duration = Duration::from_millis(50);
/// The picture is drawn anew at least so often: it tells its own age.
const DRAW_EVERY: Duration = Duration::from_millis(250);

/// What the thread gives back: when it had the answer, and the answer.
type Answer = (Instant, Result<Snapshot, String>);

/// Shows the view until it is left.
///
/// # Errors
/// A text about the terminal.
pub(crate) fn run(target: Target, interval: Duration, theme: Theme) -> Result<(), String> {
    let stop = Arc::new(AtomicBool::new(false));
    // SIGHUP keeps its default: there is no terminal to give back. A second signal ends it whatever
    // it does; so it is registered before the one that raises the flag.
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| format!("signals cannot be watched: {error}"))?;
    }
    let app = App::new(target.to_string(), interval);
    let (requests, answers) = scraper(target).map_err(|error| format!("no thread: {error}"))?;
    // It also has panics give the terminal back before they are told.
    let mut terminal = ratatui::try_init().map_err(|error| format!("the terminal: {error}"))?;
    end_with_the_terminal().map_err(|error| format!("no thread: {error}"))?;
    let ended = drive(app, theme, &mut terminal, &stop, &requests, &answers);
    // Of a terminal that is gone nothing can be given back.
    let _ = ratatui::try_restore();
    ended.map_err(|error| format!("the terminal: {error}"))
}

/// Draws, scrapes and obeys, in turn.
fn drive(
    mut app: App,
    theme: Theme,
    terminal: &mut DefaultTerminal,
    stop: &AtomicBool,
    requests: &SyncSender<()>,
    answers: &Receiver<Answer>,
) -> io::Result<()> {
    let started = Instant::now();
    let mut drawn: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) {
        let now = started.elapsed();
        let mut changed = false;
        if app.poll_scrape(now) && requests.try_send(()).is_err() {
            return Err(io::Error::other("the thread that scrapes has ended"));
        }
        match answers.try_recv() {
            Ok((at, result)) => {
                app.scraped(at.saturating_duration_since(started), result);
                changed = true;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                return Err(io::Error::other("the thread that scrapes has ended"));
            }
        }
        // Each key that is there is taken before the next picture.
        let mut patience = TICK;
        while event::poll(patience)? {
            patience = Duration::ZERO;
            changed = true;
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
                && (is_interrupt(key) || key_of(key).is_some_and(|key| app.press(now, key)))
            {
                return Ok(());
            }
        }
        if changed || drawn.is_none_or(|drawn| drawn.elapsed() >= DRAW_EVERY) {
            drawn = Some(Instant::now());
            terminal.draw(|frame| {
                let area = frame.area();
                app.set_page(view::page_len(&app, area));
                view::draw(&app, started.elapsed(), theme, area, frame.buffer_mut());
            })?;
        }
    }
    Ok(())
}

/// Ends the program when nobody is at the other end of the terminal any more: it reads as an end
/// without end, in which a look for keys never returns, and nothing is left to be given back.
fn end_with_the_terminal() -> io::Result<()> {
    std::thread::Builder::new().name("hang-up".to_owned()).spawn(|| {
        let stdin = io::stdin();
        loop {
            // Nothing is asked for but what is always told.
            let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
            if poll(&mut fds, None).is_ok() && !fds[0].revents().is_empty() {
                std::process::exit(i32::from(EXIT_NO_TERMINAL));
            }
        }
    })?;
    Ok(())
}

/// In raw mode Ctrl-C is a key.
fn is_interrupt(key: KeyEvent) -> bool {
    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL)
}

fn key_of(key: KeyEvent) -> Option<Key> {
    if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return None;
    }
    Some(match key.code {
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

/// A thread that answers each request with a scrape; it ends with the requests.
fn scraper(target: Target) -> io::Result<(SyncSender<()>, Receiver<Answer>)> {
    let (requests, asked) = sync_channel::<()>(1);
    let (answer, answers) = sync_channel(1);
    std::thread::Builder::new().name("scraper".to_owned()).spawn(move || {
        while asked.recv().is_ok() {
            let result = scrape(&target);
            if answer.send((Instant::now(), result)).is_err() {
                break;
            }
        }
    })?;
    Ok((requests, answers))
}

/// One scrape.
///
/// # Errors
/// A text that says what went wrong.
pub(crate) fn scrape(target: &Target) -> Result<Snapshot, String> {
    let text = fetch::fetch(target)?;
    Snapshot::read(&text).map_err(|error| error.to_string())
}

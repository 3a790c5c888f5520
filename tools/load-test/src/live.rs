//! The live line on standard error: a spinner or bar on a terminal, a plain line a second
//! elsewhere, nothing if quiet. Never writes to standard output.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::units::{kib, plural, spaced};

/// What is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    pub(crate) shards_up: u64,
    pub(crate) shards: u64,
    pub(crate) events: u64,
    /// How many will come, if that is known.
    pub(crate) expected: Option<u64>,
    pub(crate) cpu_ns: u64,
    pub(crate) rss_kib: u64,
    /// Connections that ended, dials that failed among them.
    pub(crate) reconnects: u64,
}

/// The line.
#[derive(Debug)]
pub(crate) struct Live {
    way: Way,
    title: String,
    phase: &'static str,
    last: Option<(Instant, Now)>,
    rate_per_s: f64,
    cpu_percent: f64,
}

#[derive(Debug)]
enum Way {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Live {
    pub(crate) fn new(title: String, quiet: bool) -> Self {
        let way = if quiet {
            Way::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant that indicatif understands; without it, its own.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            Way::Bar(bar)
        } else {
            Way::Lines
        };
        Self { way, title, phase: "", last: None, rate_per_s: 0.0, cpu_percent: 0.0 }
    }

    /// A new phase of the job; said at once.
    pub(crate) fn phase(&mut self, phase: &'static str) {
        self.phase = phase;
        match &self.way {
            Way::Bar(bar) => bar.set_message(format!("{}: {phase}", self.title)),
            Way::Lines => say(&format!("{}: {phase}", self.title)),
            Way::Quiet => {}
        }
    }

    /// Shows what there is now, if it is time to.
    pub(crate) fn show(&mut self, now: Now) {
        let every = match &self.way {
            Way::Bar(_) => BAR_EVERY,
            Way::Lines => LINES_EVERY,
            Way::Quiet => return,
        };
        let at = Instant::now();
        if let Some((last_at, last)) = self.last {
            let span_s = at.duration_since(last_at).as_secs_f64();
            if span_s < every.as_secs_f64() {
                return;
            }
            self.rate_per_s = now.events.saturating_sub(last.events) as f64 / span_s;
            self.cpu_percent = now.cpu_ns.saturating_sub(last.cpu_ns) as f64 / span_s / 1e7;
        }
        self.last = Some((at, now));
        let text = self.text(now);
        match &self.way {
            Way::Bar(bar) => {
                bar.set_message(text);
                bar.tick();
            }
            Way::Lines => say(&text),
            Way::Quiet => {}
        }
    }

    fn text(&self, now: Now) -> String {
        let Now { shards_up, shards, events, expected, rss_kib, reconnects, .. } = now;
        let mut text = format!(
            "{}: {}: {} of {} shards up",
            self.title,
            self.phase,
            spaced(shards_up),
            spaced(shards)
        );
        // What matters most comes first: a narrow terminal cuts the rest.
        if reconnects > 0 {
            let _ = write!(text, ", {}", plural(reconnects, "reconnect"));
        }
        if events > 0 {
            let rate = spaced(self.rate_per_s as u64);
            let _ = match expected {
                Some(expected) => {
                    let percent = 100.0 * events as f64 / expected.max(1) as f64;
                    let (events, expected) = (spaced(events), spaced(expected));
                    write!(text, ", {events} of {expected} events ({percent:.0} %)")
                }
                None => write!(text, ", {} events", spaced(events)),
            };
            let _ = write!(text, ", {rate} events/s");
        }
        let cpu_percent = self.cpu_percent;
        let _ = write!(text, ", CPU {cpu_percent:.0} % of a core, {} resident", kib(rss_kib));
        text
    }

    /// Takes the line away: the report follows.
    pub(crate) fn end(&self) {
        if let Way::Bar(bar) = &self.way {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}

/// Unlike `eprintln!` it does not panic when nobody reads standard error any more.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// How often a bar is drawn.
const BAR_EVERY: Duration = Duration::from_millis(100);
/// How often a line is printed.
const LINES_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_progress_and_rate() {
        let mut live = Live::new("paced".to_owned(), true);
        live.phase = "traffic";
        live.rate_per_s = 20_000.4;
        let mut now =
            Now { shards_up: 3, shards: 4, expected: Some(200), rss_kib: 17_000, ..Now::default() };
        let text = live.text(now);
        assert_eq!(text, "paced: traffic: 3 of 4 shards up, CPU 0 % of a core, 16.6 MiB resident");
        (now.events, now.reconnects) = (50, 1);
        let text = live.text(now);
        assert_eq!(
            text,
            "paced: traffic: 3 of 4 shards up, 1 reconnect, 50 of 200 events (25 %), \
             20,000 events/s, CPU 0 % of a core, 16.6 MiB resident"
        );
    }
}

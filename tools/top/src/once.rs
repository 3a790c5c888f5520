//! `--once`: two scrapes and one picture on standard output, as text or JSON. No terminal, no
//! colours, no control characters.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::app::Look;
use crate::fetch::Target;
use crate::json;
use crate::live::scrape;
use crate::rates::{Rates, is_restart};
use crate::snapshot::{ACTIVE, Gauge, STATES, Snapshot, Total};
use crate::tables::{self, Table};
use crate::units::{bytes, count, long, rate};

/// Shards that are printed, the worst ones.
const SHARDS_SHOWN: usize = 10;
/// Between two attempts while it waits.
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// Scrapes twice, prints once.
///
/// # Errors
/// A text that says why there are no metrics.
pub(crate) fn run(
    target: &Target,
    interval: Duration,
    wait: Duration,
    as_json: bool,
) -> Result<(), String> {
    let until = Instant::now() + wait;
    let old = loop {
        match scrape(target) {
            Ok(snapshot) => break snapshot,
            Err(error) if Instant::now() >= until => return Err(format!("{target}: {error}")),
            Err(_) => std::thread::sleep(RETRY_EVERY),
        }
    };
    let at = Instant::now();
    std::thread::sleep(interval);
    let new = scrape(target).map_err(|error| format!("{target}: {error}"))?;
    let span = at.elapsed();
    if is_restart(&old, &new, span) {
        return Err(format!("{target}: the engine was restarted between two scrapes"));
    }
    let rates = Rates::between(&old, &new, span);
    let target = target.to_string();
    let text = match as_json {
        true => format!("{:#}\n", json::of(&target, &new, rates.as_ref())),
        false => text(&target, &new, rates.as_ref()),
    };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read it has seen enough of it.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}"))
        }
        _ => Ok(()),
    }
}

fn text(target: &str, snapshot: &Snapshot, rates: Option<&Rates>) -> String {
    let mut out = format!("shardring {} at {target}\n", snapshot.version);
    if let Some(uptime) = snapshot.gauge(Gauge::Uptime) {
        let uptime = Duration::from_secs_f64(uptime.clamp(0.0, 1e12));
        let _ = writeln!(out, "up               {}", long(uptime));
    }
    let per_s = |total: Total| rates.and_then(|rates| rates.total(total));
    let _ = writeln!(out, "events/s         {}", rate(per_s(Total::Received)));
    let _ = writeln!(out, "wire/s           {}", bytes(per_s(Total::WireBytes)));
    let _ = writeln!(out, "cores            {}", snapshot.cores.len());
    let (active, all) = (snapshot.states[ACTIVE], snapshot.shards_total());
    let _ = writeln!(out, "shards active    {} of {}", count(Some(active)), count(Some(all)));
    for (state, here) in STATES.iter().zip(snapshot.states) {
        if here > 0.0 && *state != STATES[ACTIVE] {
            let _ = writeln!(out, "shards {state:<10}{}", count(Some(here)));
        }
    }
    for fact in tables::facts(snapshot, rates) {
        let _ = writeln!(out, "{:<17}{}", fact.name, fact.text);
    }
    let look = Look::default();
    let mut latencies = tables::latencies(snapshot, rates);
    latencies.title.push_str(", then since the start");
    let mut shards = tables::shards(snapshot, &look);
    if shards.rows.len() > SHARDS_SHOWN {
        shards.rows.truncate(SHARDS_SHOWN);
        shards.title = format!("{}; the first {SHARDS_SHOWN}", shards.title);
    }
    let mut causes = tables::causes(snapshot, rates, &look);
    causes.rows.retain(|row| row.cells[1] != "0");
    causes.title = "Ended connections by cause".to_owned();
    for table in [
        latencies,
        tables::events(snapshot, rates, &look),
        shards,
        causes,
        tables::cores(snapshot, rates, &look),
        tables::totals(snapshot, rates),
    ] {
        write(&table, &mut out);
    }
    out
}

/// A title, the names of the columns, and the rows, in columns of blanks.
fn write(table: &Table, out: &mut String) {
    let _ = writeln!(out, "\n{}", table.title);
    if table.rows.is_empty() {
        let _ = writeln!(out, "  none");
        return;
    }
    let len = |text: &str| text.chars().count();
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|at| {
            let rows = table.rows.iter().map(|row| len(&row.cells[at]));
            rows.max().unwrap_or(0).max(len(table.columns[at].name))
        })
        .collect();
    let names: Vec<String> =
        table.columns.iter().map(|column| column.name.replace('_', " ")).collect();
    for cells in std::iter::once(&names).chain(table.rows.iter().map(|row| &row.cells)) {
        let mut line = String::new();
        for ((cell, column), width) in cells.iter().zip(&table.columns).zip(&widths) {
            let _ = match column.right {
                true => write!(line, "  {cell:>width$}"),
                false => write!(line, "  {cell:<width$}"),
            };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{exposition, page};

    #[test]
    fn the_text_has_what_the_panes_show() {
        let scraped = |events| Snapshot::read(&exposition(40, events)).unwrap();
        let (old, new) = (scraped(1_000.0), scraped(3_000.0));
        let rates = Rates::between(&old, &new, Duration::from_secs(2)).unwrap();
        let text = text("http://bot.test/metrics", &new, Some(&rates));
        for part in [
            "shardring 0.1.0 at http://bot.test/metrics\n",
            "events/s         1,000\n",
            "shards active    39 of 40\nshards queued    1\n",
            "budget           936 of 1,000 session starts left\n",
            "Latency of the last 2 s, then since the start\n",
            "MESSAGE_CREATE",
            "Shards: 40, by last ACK; the first 10\n",
            "zombie",
            "sessions lost",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("close code"), "causes that never came are left out");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn an_engine_that_tells_nothing_has_a_text_too() {
        let empty = Snapshot::read(&page("")).unwrap();
        let text = text("http://bot.test/metrics", &empty, None);
        assert!(text.contains("events/s         -\n"), "{text}");
        assert!(text.contains("Events by kind: 0, by events/s\n  none\n"), "{text}");
    }
}

//! What the program says: a line of status while it runs, and the report at the end.

use super::args::Args;
use crate::stats::{CutStats, Stats};
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// The line of status on standard error: rewritten in place on a terminal, else one a time.
pub(super) struct Status {
    every: Option<Duration>,
    in_place: bool,
    began: Instant,
    told: Instant,
    events: u64,
}

impl Status {
    /// `every_ms`: 0 for none; without it once a second on a terminal.
    pub(super) fn new(every_ms: Option<u64>) -> Self {
        let in_place = std::io::stderr().is_terminal();
        let every_ms = every_ms.unwrap_or(if in_place { 1_000 } else { 0 });
        let every = (every_ms > 0).then(|| Duration::from_millis(every_ms));
        let now = Instant::now();
        Self { every, in_place, began: now, told: now, events: 0 }
    }

    /// Whether a line is due.
    pub(super) fn is_due(&self) -> bool {
        self.every.is_some_and(|every| self.told.elapsed() >= every)
    }

    /// Writes the line, if it is due.
    pub(super) fn tell(&mut self, stats: &Stats) {
        if !self.is_due() {
            return;
        }
        let took = self.told.elapsed().as_secs_f64();
        let rate = stats.traffic_sent.saturating_sub(self.events) as f64 / took;
        (self.told, self.events) = (Instant::now(), stats.traffic_sent);
        let line = line(stats, self.began.elapsed(), rate);
        let (before, after) = if self.in_place { ("\r\x1b[K", "") } else { ("", "\n") };
        // Whoever watched may have gone.
        let _ = write!(std::io::stderr(), "{before}{line}{after}");
    }

    /// Leaves the line that is rewritten.
    pub(super) fn end(&self) {
        if self.in_place && self.every.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// How it stands, in one line.
fn line(stats: &Stats, since: Duration, events_per_s: f64) -> String {
    let mut line = format!(
        "{:>5.0} s  {} open, {} in session, {} away  {} events/s  {} identifies  {}/{} resumed",
        since.as_secs_f64(),
        grouped(stats.connections_open),
        grouped(stats.sessions_connected),
        grouped(stats.sessions_waiting),
        grouped(events_per_s as u64),
        grouped(stats.identifies),
        grouped(stats.resumed),
        grouped(stats.resumes),
    );
    let rest = [
        ("handshaking", stats.tls_handshaking),
        ("cut and waiting", stats.cut.waiting),
        ("identified too soon", stats.identifies_too_soon),
        ("heartbeats overdue", stats.heartbeats_overdue),
        ("faults", stats.faults),
    ];
    for (name, count) in rest.into_iter().filter(|(_, count)| *count > 0) {
        line.push_str(&format!("  {} {name}", grouped(count)));
    }
    line
}

/// Writes the report: a table, or one JSON object.
///
/// # Errors
/// Standard output is closed.
pub(super) fn report(stats: &Stats, args: &Args) -> std::io::Result<()> {
    let sent = stats.traffic_sent.max(1) as f64;
    let cpu_ns = (stats.cpu_user_ns as f64 / sent, stats.cpu_system_ns as f64 / sent);
    let mut stdout = std::io::stdout();
    if args.json {
        let mut value = serde_json::to_value(stats).map_err(std::io::Error::other)?;
        value["cpu_user_ns_per_event"] = cpu_ns.0.into();
        value["cpu_system_ns_per_event"] = cpu_ns.1.into();
        return writeln!(stdout, "{value}");
    }
    for (name, value) in rows(stats, cpu_ns) {
        writeln!(stdout, "{name:>20}  {value}")?;
    }
    Ok(())
}

/// The rows of the table; what did not occur has none.
fn rows(stats: &Stats, cpu_ns: (f64, f64)) -> Vec<(&'static str, String)> {
    let mut rows = vec![("connections", connections(stats))];
    if stats.tls_full + stats.tls_resumed + stats.tls_failed > 0 {
        rows.push(("TLS handshakes", tls(stats)));
    }
    if stats.upgrades > 0 {
        let asked = stats.compressions.iter();
        let asked: Vec<_> =
            asked.map(|(name, count)| format!("{} {name}", grouped(*count))).collect();
        rows.push(("upgrades", asked.join(", ")));
    }
    if !stats.http.is_empty() {
        let answered: u64 = stats.http.values().sum();
        let most = stats.http.iter().map(|(name, count)| format!("{count} {name}"));
        let most: Vec<_> = most.take(4).collect();
        rows.push(("HTTP requests", format!("{} ({})", grouped(answered), most.join(", "))));
    }
    let identifies = format!(
        "{} ({} too soon, at most {} of a key in a window)",
        grouped(stats.identifies),
        grouped(stats.identifies_too_soon),
        stats.identifies_per_window_max
    );
    rows.extend([
        ("sessions", grouped(stats.sessions)),
        ("identifies", identifies),
        ("resumes", format!("{} ({} resumed)", grouped(stats.resumes), grouped(stats.resumed))),
        ("heartbeats", heartbeats(stats)),
    ]);
    if stats.cut.cuts > 0 {
        rows.push(("cuts", cuts(&stats.cut)));
    }
    if !stats.closes_received.is_empty() || !stats.closes_sent.is_empty() {
        rows.push(("close codes", closes(stats)));
    }
    rows.extend(traffic(stats, cpu_ns));
    rows.push(("faults committed", grouped(stats.faults)));
    rows
}

fn connections(stats: &Stats) -> String {
    let all = grouped(stats.connections);
    if stats.connections == 0 {
        return all;
    }
    let mut text = format!("{all} (at most {} in a second", grouped(stats.accepted_per_s_max));
    if stats.connections_resume_host > 0 {
        let count = grouped(stats.connections_resume_host);
        text.push_str(&format!(", {count} to the resume host"));
    }
    text.push(')');
    text
}

fn tls(stats: &Stats) -> String {
    format!(
        "{} full, {} resumed, {} failed, at most {} at a time",
        grouped(stats.tls_full),
        grouped(stats.tls_resumed),
        grouped(stats.tls_failed),
        grouped(stats.tls_handshaking_max)
    )
}

fn heartbeats(stats: &Stats) -> String {
    let overdue = grouped(stats.heartbeats_overdue);
    let closed = grouped(stats.heartbeats_late);
    format!("{} ({overdue} overdue, {closed} connections closed)", grouped(stats.heartbeats))
}

fn cuts(cut: &CutStats) -> String {
    let ended =
        format!("{} ({} connections); the last: ", grouped(cut.cuts), grouped(cut.connections));
    let sessions = grouped(cut.sessions);
    let back = format!("{sessions} sessions, resumed after {}–{} ms", cut.first_resumed_ms, {
        cut.last_resumed_ms
    });
    let missing = match (cut.waiting, cut.lost) {
        (0, 0) => ", all".to_owned(),
        (waiting, lost) => format!(", {} not yet, {} lost", grouped(waiting), grouped(lost)),
    };
    ended + &back + &missing
}

fn closes(stats: &Stats) -> String {
    let list = |codes: &std::collections::BTreeMap<u16, u64>| {
        let codes: Vec<_> =
            codes.iter().map(|(code, count)| format!("{code} × {}", grouped(*count))).collect();
        if codes.is_empty() { "none".to_owned() } else { codes.join(", ") }
    };
    format!("sent {}; received {}", list(&stats.closes_sent), list(&stats.closes_received))
}

fn traffic(stats: &Stats, cpu_ns: (f64, f64)) -> [(&'static str, String); 7] {
    let took_ns = stats.traffic_last_unix_ns.saturating_sub(stats.traffic_start_unix_ns);
    let rate = match took_ns {
        0 => String::new(),
        _ => {
            format!(" ({}/s)", grouped((stats.traffic_sent as f64 / (took_ns as f64 / 1e9)) as u64))
        }
    };
    let written = format!("{} in {} writes", grouped(stats.bytes_written), grouped(stats.writes));
    [
        ("dispatches numbered", grouped(stats.numbered)),
        ("events sent", grouped(stats.traffic_sent) + &rate),
        ("  from blocks", grouped(stats.traffic_from_blocks)),
        ("  replayed", grouped(stats.replayed)),
        ("bytes written", written),
        (
            "blocks prepared in",
            format!("{:.2} s, {} waits", stats.prepare_ns as f64 / 1e9, { grouped(stats.starved) }),
        ),
        ("CPU ns per event", format!("{:.0} user, {:.0} system", cpu_ns.0, cpu_ns.1)),
    ]
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let texts = [0, 7, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn the_status_tells_what_is_not_as_it_should_be_and_nothing_else() {
        let mut stats =
            Stats { connections_open: 1_200, resumed: 3, resumes: 4, ..Stats::default() };
        let quiet = line(&stats, Duration::from_secs(12), 98_765.4);
        assert!(quiet.contains("1,200 open") && quiet.contains("98,765 events/s"), "{quiet}");
        assert!(quiet.contains("3/4 resumed") && !quiet.contains("faults"), "{quiet}");
        stats.faults = 2;
        stats.cut.waiting = 5;
        let loud = line(&stats, Duration::from_secs(12), 0.0);
        assert!(loud.ends_with("5 cut and waiting  2 faults"), "{loud}");
    }

    #[test]
    fn the_report_has_rows_for_what_occurred() {
        let names = |stats: &Stats| -> Vec<_> {
            rows(stats, (0.0, 0.0)).into_iter().map(|(name, _)| name).collect()
        };
        let mut stats = Stats::default();
        assert!(!names(&stats).contains(&"TLS handshakes") && !names(&stats).contains(&"cuts"));
        stats.tls_full = 1;
        stats.cut = CutStats { cuts: 1, sessions: 3, waiting: 1, ..CutStats::default() };
        let text: String = rows(&stats, (0.0, 0.0)).into_iter().map(|(_, value)| value).collect();
        assert!(names(&stats).contains(&"TLS handshakes") && text.contains("1 not yet, 0 lost"));
    }
}

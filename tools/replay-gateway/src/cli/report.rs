//! What the program says: the report at the end.

use super::args::Args;
use crate::stats::Stats;
use std::io::Write as _;

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
    let took_ns = stats.traffic_last_unix_ns.saturating_sub(stats.traffic_start_unix_ns);
    let rate = stats.traffic_sent as f64 / (took_ns.max(1) as f64 / 1e9);
    let rows = [
        ("connections", stats.connections.to_string()),
        ("sessions", stats.sessions.to_string()),
        ("identifies", format!("{} ({} too soon)", stats.identifies, stats.identifies_too_soon)),
        ("resumes", format!("{} ({} resumed)", stats.resumes, stats.resumed)),
        ("heartbeats", format!("{} ({} late)", stats.heartbeats, stats.heartbeats_late)),
        ("dispatches numbered", stats.numbered.to_string()),
        ("events sent", format!("{} ({rate:.0}/s)", stats.traffic_sent)),
        ("  from blocks", stats.traffic_from_blocks.to_string()),
        ("  replayed", stats.replayed.to_string()),
        ("bytes written", format!("{} in {} writes", stats.bytes_written, stats.writes)),
        ("blocks prepared in", format!("{:.2} s", stats.prepare_ns as f64 / 1e9)),
        ("waits for a block", stats.starved.to_string()),
        ("CPU ns per event", format!("{:.0} user, {:.0} system", cpu_ns.0, cpu_ns.1)),
        ("faults committed", stats.faults.to_string()),
    ];
    for (name, value) in rows {
        writeln!(stdout, "{name:>20}  {value}")?;
    }
    Ok(())
}

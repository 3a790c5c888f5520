//! Reports as text for people: aligned, units beside the numbers, what was found at the end.
//! Text out only; the program prints it.

use std::fmt::Write as _;

use replay_gateway::ledger;

use crate::html::tables::unhashed_are;
use crate::latency::Percentiles;
use crate::report::{Outcome, Report};
use crate::units::{bytes, cpu, digits, kib, micros, plural, spaced};

/// The table of one job.
pub(crate) fn of_job(report: &Report) -> String {
    let mut table = Table(String::new());
    settings(report, &mut table);
    load(report, &mut table);
    memory(report, &mut table);
    latencies(report, &mut table);
    links(report, &mut table);
    ledger(report, &mut table);
    for note in &report.notes {
        table.row("note", note);
    }
    let compared = report.ledger.is_some();
    let verdict = match report.outcome {
        Outcome::Clean if report.never_ready => "interrupted before any shard was READY",
        Outcome::Clean if report.interrupted => "clean, as far as it went: interrupted",
        Outcome::Clean if compared => "clean: nothing lost, doubled, out of order or altered",
        Outcome::Clean => "clean, as far as can be told without comparing ledgers",
        Outcome::Findings => "FINDINGS",
        Outcome::Failed => "FAILED: the job could not be done",
    };
    table.row("outcome", verdict);
    for problem in &report.problems {
        table.row("", problem);
    }
    for example in report.ledger.iter().flat_map(|ledger| &ledger.examples) {
        table.row("", example);
    }
    table.0
}

/// A line for each job of a series.
pub(crate) fn of_series(reports: &[Report]) -> String {
    let mut text = format!(
        "{:>7} {:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>11} {:>9} {:>9}  {}\n",
        "shards",
        "burst",
        "events",
        "events/s",
        "CPU/event",
        "user",
        "system",
        "gateway's",
        "p50",
        "p99",
        "outcome"
    );
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for report in reports {
        let cpu = |ns: Option<f64>| or_dash(ns.map(cpu));
        let latency = |at: fn(&Percentiles) -> f64| {
            or_dash(report.latency.as_ref().map(|latency| micros(at(latency))))
        };
        let burst = report.settings.burst.map_or("flat".to_owned(), |burst| burst.to_string());
        let _ = writeln!(
            text,
            "{:>7} {:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>11} {:>9} {:>9}  {}",
            report.settings.shards,
            burst,
            spaced(report.events),
            or_dash(report.events_per_s.map(|rate| spaced(rate as u64))),
            cpu(report.cpu_ns_per_event),
            cpu(report.cpu_ns_per_event_user),
            cpu(report.cpu_ns_per_event_system),
            cpu(report.gateway_cpu_ns_per_event),
            latency(|latency| latency.p50_us),
            latency(|latency| latency.p99_us),
            match report.outcome {
                Outcome::Clean if report.never_ready => "interrupted".to_owned(),
                Outcome::Clean => "clean".to_owned(),
                _ => report.problems.join("; "),
            }
        );
    }
    text.push_str(
        "CPU of the client's process and of the gateway's; flat: as many as a write holds\n",
    );
    text
}

/// The memory scenarios' lines.
pub(crate) fn of_memory(report: &Report, fixed_kib: Option<f64>) -> String {
    let mut table = Table(String::new());
    let guilds = plural(report.settings.guilds_per_shard.into(), "guild");
    let shards = f64::from(report.settings.shards);
    let text = format!("{}, {guilds} in each READY", plural(shards as u64, "shard"));
    table.row("shards", &text);
    memory(report, &mut table);
    if let Some(fixed) = fixed_kib {
        table.row("fixed part", &format!("{fixed:.0} KiB: an engine with one shard, idle"));
        if let Some(per_shard) = report.rss_per_shard_kib.filter(|_| shards > 1.0) {
            let net = (per_shard * shards - fixed) / (shards - 1.0);
            table.row("each further shard", &format!("{net:.1} KiB"));
        }
    }
    if let (Some(idle), Some(end)) = (report.rss_idle_kib, report.rss_end_kib)
        && report.events > 0
    {
        let growth = end as i64 - idle as i64;
        let text = format!(
            "{growth:+} KiB in all after a 3 MB GUILD_CREATE on {} in turn",
            plural(report.events, "shard")
        );
        table.row("growth", &text);
    }
    for problem in &report.problems {
        table.row("problem", problem);
    }
    table.0
}

struct Table(String);

impl Table {
    fn row(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "{name:<20} {value}");
    }
}

fn settings(report: &Report, table: &mut Table) {
    let settings = &report.settings;
    let compression = settings.compression.name();
    let tls = if settings.tls { "TLS, " } else { "" };
    let gateway = match settings.gateway.as_str() {
        "embedded" => "a replay gateway, in a process of its own",
        url => url,
    };
    table.row("gateway", gateway);
    let cpus = |cpus: &[usize]| {
        let list: Vec<_> = cpus.iter().map(usize::to_string).collect();
        let noun = if list.len() == 1 { "core" } else { "cores" };
        if list.is_empty() { "any core".to_owned() } else { format!("{noun} {}", list.join(",")) }
    };
    table.row(
        "client",
        &format!(
            "{}, {tls}{compression}, {} on {}, all else on {}",
            settings.shards_text(),
            plural(settings.threads as u64, "engine thread"),
            cpus(&settings.client_cpus),
            cpus(&settings.other_cpus)
        ),
    );
    let mut text = settings.load.replace('_', " ");
    if let Some(rate) = settings.rate_per_s {
        let _ = write!(text, ", {} events/s", digits(rate));
    }
    if let Some(burst) = settings.burst.filter(|burst| *burst > 1) {
        let _ = write!(text, ", bursts of {}", spaced(burst));
    }
    let _ = write!(text, ", seed {}", settings.seed);
    table.row("traffic", &text);
}

fn load(report: &Report, table: &mut Table) {
    if let Some(ready_ms) = report.ready_ms {
        let shards = plural(report.settings.shards.into(), "shard");
        table.row("READY", &format!("{shards} in {}", micros(ready_ms * 1e3)));
    }
    if report.events == 0 {
        return;
    }
    let of = report.events_expected.map_or(String::new(), |all| format!(" of {}", spaced(all)));
    let rate = report.events_per_s.map_or(String::new(), |rate| {
        format!(" in {:.3} s: {} events/s", report.window_ms / 1e3, spaced(rate as u64))
    });
    table.row("events", &format!("{}{of}{rate}", spaced(report.events)));
    if let Some(why) = report.places_taken() {
        table.row("", &why);
    }
    let three = |all: Option<f64>, user: Option<f64>, system: Option<f64>| match (all, user, system)
    {
        (Some(all), Some(user), Some(system)) => {
            let of_core = match report.window_ms {
                ms if ms > 0.0 => {
                    format!("; {} % of one core", digits(all * report.events as f64 / (ms * 1e4)))
                }
                _ => String::new(),
            };
            format!("{} per event (user {}, system {}){of_core}", cpu(all), cpu(user), cpu(system))
        }
        _ => "not measured".to_owned(),
    };
    table.row(
        "CPU, client",
        &three(
            report.cpu_ns_per_event,
            report.cpu_ns_per_event_user,
            report.cpu_ns_per_event_system,
        ),
    );
    if report.gateway_cpu_ns_per_event.is_some() {
        table.row(
            "CPU, gateway",
            &three(
                report.gateway_cpu_ns_per_event,
                report.gateway_cpu_ns_per_event_user,
                report.gateway_cpu_ns_per_event_system,
            ),
        );
    }
    let each = |len: Option<f64>| len.map_or("-".to_owned(), bytes);
    table.row(
        "bytes",
        &format!(
            "{} on the wire ({} per event), {} of JSON ({} per event)",
            bytes(report.wire_bytes as f64),
            each(report.wire_bytes_per_event),
            bytes(report.text_bytes as f64),
            each(report.text_bytes_per_event)
        ),
    );
}

fn memory(report: &Report, table: &mut Table) {
    let size = |value: Option<u64>| value.map_or("-".to_owned(), kib);
    table.row(
        "resident memory",
        &format!(
            "{} before the engine, {} idle after READY, {} at most, {} at the end",
            size(report.rss_before_kib),
            size(report.rss_idle_kib),
            size(report.rss_peak_kib),
            size(report.rss_end_kib)
        ),
    );
    if let Some(per_shard) = report.rss_per_shard_kib {
        let text = format!("{per_shard:.1} KiB, idle, the engine's fixed part included");
        table.row("a shard's share", &text);
    }
}

fn latencies(report: &Report, table: &mut Table) {
    let rows = [
        ("receive to callback", &report.receive_to_callback),
        ("inflate and decode", &report.decode),
        ("callback", &report.callback),
        ("heartbeat to ACK", &report.heartbeat),
    ];
    let first = match report.latency_from {
        "intended_send" => Some(("due to callback", &report.latency)),
        _ => None,
    };
    if rows.iter().all(|(_, row)| row.is_none()) {
        return;
    }
    let heads = ["p50", "p90", "p99", "p99.9", "p99.99", "longest"];
    let heads: String = heads.iter().map(|head| format!("{head:>10}")).collect();
    table.row("latency", &heads);
    for (name, row) in first.into_iter().chain(rows) {
        let Some(Percentiles { p50_us, p90_us, p99_us, p99_9_us, p99_99_us, max_us, .. }) = row
        else {
            continue;
        };
        let values = [p50_us, p90_us, p99_us, p99_9_us, p99_99_us, max_us];
        let values: String = values.iter().map(|us| format!("{:>10}", micros(**us))).collect();
        table.row(&format!("  {name}"), &values);
    }
}

fn links(report: &Report, table: &mut Table) {
    let causes: Vec<String> = report
        .reconnects_by_cause
        .iter()
        .map(|(cause, count)| format!("{} {}", spaced(*count), cause.replace('_', " ")))
        .collect();
    let causes = match causes.is_empty() {
        true => String::new(),
        false => format!(" ({})", causes.join(", ")),
    };
    table.row("reconnects", &format!("{}{causes}", spaced(report.reconnects)));
    table.row(
        "sessions",
        &format!(
            "{} IDENTIFY, {} RESUME: {} resumed, {} lost; {} replayed, {} dropped as seen before",
            spaced(report.identifies),
            spaced(report.resumes_sent),
            spaced(report.sessions_resumed),
            spaced(report.sessions_lost),
            plural(report.replayed, "event"),
            spaced(report.duplicates_dropped)
        ),
    );
    let missing = match report.numbers_missing {
        0 => "none missing".to_owned(),
        count => format!("{} MISSING", spaced(count)),
    };
    table.row("sequence numbers", &missing);
    commands(report, table);
}

/// What became of the commands, and how near the gateway saw its limits.
fn commands(report: &Report, table: &mut Table) {
    let Some(commands) = &report.commands else { return };
    let counts = [
        (commands.superseded, "superseded"),
        (commands.expired, "expired"),
        (commands.full, "refused as too many waited"),
        (commands.dropped, "lost with a connection"),
        (commands.failed, "FAILED"),
        (commands.unanswered, "WITHOUT AN ANSWER"),
    ];
    let mut text = format!("{} given, {} sent", spaced(commands.given), spaced(commands.sent));
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        let _ = write!(text, ", {} {what}", spaced(*count));
    }
    table.row("commands", &text);
    let Some(stats) = &report.gateway else { return };
    let number = |key: &str| stats.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
    table.row(
        "",
        &format!(
            "the gateway saw at most {} payloads in 60 s and {} presences in 20 s on a connection",
            number("payloads_per_window_max"),
            number("presences_per_window_max")
        ),
    );
}

fn ledger(report: &Report, table: &mut Table) {
    let Some(ledger) = &report.ledger else {
        let text = match report.settings.gateway.as_str() {
            "embedded" => "not kept",
            _ => "not known of this gateway: events counted, numbers checked, nothing compared",
        };
        return table.row("ledger", text);
    };
    let ledger::Report { lost, doubled, out_of_order, altered, .. } = ledger;
    let text =
        format!("{lost} lost, {doubled} doubled, {out_of_order} out of order, {altered} altered");
    table.row("ledger", &text);
    let (numbered, seen) = (spaced(ledger.numbered), spaced(ledger.seen));
    let mut text = format!("{numbered} sent by the gateway, {seen} seen by the handler");
    for (count, what) in [
        (ledger.excused, "under way at the end or covered by a notice"),
        (ledger.misnumbered, "under another number"),
        (ledger.unexpected, "never numbered"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {} {what}", spaced(count));
        }
    }
    table.row("", &text);
    if ledger.unhashed > 0 {
        let (count, are) = (spaced(ledger.unhashed), unhashed_are(report));
        table.row("", &format!("{count} compared without a hash: {are}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_told_in_the_table_with_examples() {
        let mut report = Report { events: 5, ..Report::default() };
        let found = ledger::Report {
            altered: 1,
            examples: vec!["altered: session 1".to_owned()],
            ..Default::default()
        };
        report.set_ledger(found, false);
        let text = of_job(&report);
        for part in ["0 lost, 0 doubled, 0 out of order, 1 altered", "FINDINGS", "altered: session"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn a_job_without_any_ready_is_a_finding_unless_it_was_interrupted() {
        let mut report = Report::default();
        report.set_never_ready();
        assert_eq!(report.outcome.exit_code(), 1);
        assert!(report.problems[0].starts_with("nothing was connected"));
        let mut report = Report { interrupted: true, ..Report::default() };
        report.set_never_ready();
        assert_eq!(report.outcome.exit_code(), 0);
        let text = of_job(&report);
        assert!(!text.contains("clean") && text.contains("before any shard was READY"), "{text}");
    }

    #[test]
    fn a_foreign_gateways_table_says_that_nothing_was_compared() {
        let mut report = Report::default();
        report.settings.gateway = "ws://127.0.0.1:1".to_owned();
        assert!(of_job(&report).contains("nothing compared"));
    }

    #[test]
    fn growth_is_over_the_idle_state() {
        let report = Report {
            events: 10,
            rss_idle_kib: Some(1_000),
            rss_end_kib: Some(1_500),
            ..Report::default()
        };
        assert!(of_memory(&report, None).contains("+500 KiB in all"));
    }
}

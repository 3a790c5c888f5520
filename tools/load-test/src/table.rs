//! Reports as text for people: aligned, units beside the numbers, what was found at the end.
//! Text out only; the program prints it.

use std::fmt::Write as _;

use crate::latency::Percentiles;
use crate::live::spaced;
use crate::report::{Outcome, Report};

/// The table of one job.
pub(crate) fn of_job(report: &Report) -> String {
    let mut table = Table(String::new());
    settings(report, &mut table);
    load(report, &mut table);
    memory(report, &mut table);
    latencies(report, &mut table);
    links(report, &mut table);
    ledger(report, &mut table);
    let verdict = match report.outcome {
        Outcome::Clean if report.interrupted => "clean, as far as it went: interrupted",
        Outcome::Clean => "clean",
        Outcome::Findings => "FINDINGS",
        Outcome::Failed => "FAILED",
    };
    table.row("outcome", verdict);
    for problem in &report.problems {
        table.row("", problem);
    }
    for note in &report.notes {
        table.row("note", note);
    }
    for example in report.ledger.iter().flat_map(|ledger| &ledger.examples) {
        table.row("", example);
    }
    table.0
}

/// A line for each job of a series.
pub(crate) fn of_series(reports: &[Report]) -> String {
    let mut text = format!(
        "{:>7} {:>6} {:>10} {:>10} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9}  {}\n",
        "shards",
        "burst",
        "events",
        "events/s",
        "CPU ns",
        "user",
        "system",
        "gateway ns",
        "p50 us",
        "p99 us",
        "outcome"
    );
    for report in reports {
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.0}"));
        let micros = |at: fn(&Percentiles) -> f64| {
            report.latency.as_ref().map_or("-".to_owned(), |latency| format!("{:.1}", at(latency)))
        };
        let burst = report.settings.burst.map_or("flat".to_owned(), |burst| burst.to_string());
        let _ = writeln!(
            text,
            "{:>7} {:>6} {:>10} {:>10} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9}  {}",
            report.settings.shards,
            burst,
            spaced(report.events),
            report.events_per_s.map_or("-".to_owned(), |rate| spaced(rate as u64)),
            number(report.cpu_ns_per_event),
            number(report.cpu_ns_per_event_user),
            number(report.cpu_ns_per_event_system),
            number(report.gateway_cpu_ns_per_event),
            micros(|latency| latency.p50_us),
            micros(|latency| latency.p99_us),
            match report.outcome {
                Outcome::Clean => "clean".to_owned(),
                _ => report.problems.join("; "),
            }
        );
    }
    text
}

/// The memory scenarios' lines.
pub(crate) fn of_memory(report: &Report, fixed_kib: Option<f64>) -> String {
    let mut table = Table(String::new());
    let shards = f64::from(report.settings.shards);
    let guilds = report.settings.guilds_per_shard;
    table.row("shards", &format!("{shards}, {guilds} guilds in each READY"));
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
            "{growth:+} KiB in all after a 3 MB GUILD_CREATE on {} shards in turn",
            spaced(report.events)
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
    let compression = match settings.compression {
        crate::plan::Wanted::Zlib => "zlib-stream",
        crate::plan::Wanted::None => "plain text",
    };
    table.row("gateway", &settings.gateway);
    let cpus = |cpus: &[usize]| {
        let list: Vec<_> = cpus.iter().map(usize::to_string).collect();
        if list.is_empty() { "any".to_owned() } else { list.join(",") }
    };
    table.row(
        "client",
        &format!(
            "{} shards, {compression}, {} thread(s) on core(s) {}; the rest on {}",
            spaced(settings.shards.into()),
            settings.threads,
            cpus(&settings.client_cpus),
            cpus(&settings.other_cpus)
        ),
    );
    let mut text = settings.load.replace('_', " ");
    if let Some(rate) = settings.rate_per_s {
        let _ = write!(text, ", {} events/s", spaced(rate as u64));
    }
    if let Some(burst) = settings.burst {
        let _ = write!(text, ", bursts of {burst}");
    }
    let _ = write!(text, ", seed {}", settings.seed);
    table.row("traffic", &text);
}

fn load(report: &Report, table: &mut Table) {
    if let Some(ready_ms) = report.ready_ms {
        let shards = spaced(report.settings.shards.into());
        table.row("READY", &format!("{shards} shards in {ready_ms:.0} ms"));
    }
    if report.events == 0 {
        return;
    }
    let of = report.events_expected.map_or(String::new(), |all| format!(" of {}", spaced(all)));
    let rate = report.events_per_s.map_or(String::new(), |rate| {
        format!(" in {:.3} s: {} events/s", report.window_ms / 1e3, spaced(rate as u64))
    });
    table.row("events", &format!("{}{of}{rate}", spaced(report.events)));
    let three = |all: Option<f64>, user: Option<f64>, system: Option<f64>| match (all, user, system)
    {
        (Some(all), Some(user), Some(system)) => {
            format!("{all:.0} ns per event (user {user:.0}, system {system:.0})")
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
    let each = |bytes: Option<f64>| bytes.map_or("-".to_owned(), |bytes| format!("{bytes:.0}"));
    table.row(
        "bytes",
        &format!(
            "{} on the wire ({} per event), {} of JSON ({} per event)",
            spaced(report.wire_bytes),
            each(report.wire_bytes_per_event),
            spaced(report.text_bytes),
            each(report.text_bytes_per_event)
        ),
    );
}

fn memory(report: &Report, table: &mut Table) {
    let kib = |value: Option<u64>| value.map_or("-".to_owned(), spaced);
    table.row(
        "RSS, KiB",
        &format!(
            "{} before the engine, {} idle after READY, {} peak, {} end",
            kib(report.rss_before_kib),
            kib(report.rss_idle_kib),
            kib(report.rss_peak_kib),
            kib(report.rss_end_kib)
        ),
    );
    if let Some(per_shard) = report.rss_per_shard_kib {
        let text = format!("{per_shard:.1} KiB, idle, the engine's fixed part included");
        table.row("a shard", &text);
    }
}

fn latencies(report: &Report, table: &mut Table) {
    let rows = [
        ("receive to callback", &report.receive_to_callback),
        ("inflate and decode", &report.decode),
        ("callback", &report.callback),
        ("heartbeat", &report.heartbeat),
    ];
    let first = match report.latency_from {
        "intended_send" => Some(("due to callback", &report.latency)),
        _ => None,
    };
    if rows.iter().all(|(_, row)| row.is_none()) {
        return;
    }
    let heads = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let heads: String = heads.iter().map(|head| format!("{head:>10}")).collect();
    table.row("latency, us", &heads);
    for (name, row) in first.into_iter().chain(rows) {
        let Some(Percentiles { p50_us, p90_us, p99_us, p99_9_us, p99_99_us, max_us, .. }) = row
        else {
            continue;
        };
        let values = [p50_us, p90_us, p99_us, p99_9_us, p99_99_us, max_us];
        let values: String = values.iter().map(|value| format!("{value:>10.1}")).collect();
        table.row(&format!("  {name}"), &values);
    }
}

fn links(report: &Report, table: &mut Table) {
    let mut text = report.reconnects.to_string();
    let causes: Vec<String> = report
        .reconnects_by_cause
        .iter()
        .map(|(cause, count)| format!("{cause} {count}"))
        .collect();
    if !causes.is_empty() {
        let _ = write!(text, " ({})", causes.join(", "));
    }
    table.row(
        "reconnects",
        &format!(
            "{text}; {} IDENTIFY, {} RESUME, {} resumed, {} replayed, {} sessions lost",
            report.identifies,
            report.resumes_sent,
            report.sessions_resumed,
            report.replayed,
            report.sessions_lost
        ),
    );
    table.row(
        "numbers",
        &format!(
            "{} missing, {} dropped as duplicates",
            report.numbers_missing, report.duplicates_dropped
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
    table.row(
        "ledger",
        &format!(
            "{} lost, {} doubled, {} out of order, {} altered",
            ledger.lost, ledger.doubled, ledger.out_of_order, ledger.altered
        ),
    );
    let mut text = format!("{} numbered, {} seen", spaced(ledger.numbered), spaced(ledger.seen));
    for (count, what) in [
        (ledger.excused, "under way at the end or covered by a notice"),
        (ledger.misnumbered, "under another number"),
        (ledger.unexpected, "never numbered"),
        (ledger.unhashed, "without a hash"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {} {what}", spaced(count));
        }
    }
    table.row("", &text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use replay_gateway::ledger;

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

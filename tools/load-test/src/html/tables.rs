//! The page's tables: ledger, connections, memory, kinds of events, the job and the machine.

use std::fmt::Write as _;

use shardring::metrics::KindCounters;

use super::escape;
use crate::machine::Machine;
use crate::plan::LedgerMode;
use crate::report::{Report, Settings};
use crate::units::{bytes, digits, kib, micros, plural, spaced};

/// Rows of a name and a text.
#[derive(Debug, Default)]
struct Facts(String);

impl Facts {
    fn row(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "<tr><th>{name}</th><td>{}</td></tr>", escape(value));
    }

    fn table(self, heading: &str) -> String {
        let rows = self.0;
        format!(
            "<div>\n<h2>{heading}</h2>\n<table class=\"facts\"><tbody>\n{rows}</tbody></table>\n\
             </div>\n"
        )
    }
}

/// What the comparison of the two ledgers gave.
pub(super) fn ledger(report: &Report) -> String {
    let mut facts = Facts::default();
    let Some(ledger) = &report.ledger else {
        let text = match report.settings.ledger {
            LedgerMode::Off => "not kept: events were counted, sequence numbers checked",
            _ => "not compared",
        };
        facts.row("ledger", text);
        facts.row("numbers missing", &spaced(report.numbers_missing));
        return facts.table("Was anything lost?");
    };
    let compared = match report.settings.ledger {
        LedgerMode::Full => "session, number, id and a hash of the text, event by event",
        LedgerMode::Ids => "session, number and id, event by event",
        LedgerMode::Off => "nothing",
    };
    facts.row("compared", compared);
    for (name, count) in [
        ("sent by the gateway", ledger.numbered),
        ("seen by the handler", ledger.seen),
        ("lost", ledger.lost),
        ("doubled", ledger.doubled),
        ("out of order", ledger.out_of_order),
        ("altered", ledger.altered),
    ] {
        facts.row(name, &spaced(count));
    }
    if let Some(why) = report.places_taken() {
        let all = report.events_expected.unwrap_or(0);
        facts.row("planned", &format!("{}: {why}", spaced(all)));
    }
    if ledger.unhashed > 0 {
        let unhashed = format!("{} ({})", spaced(ledger.unhashed), unhashed_are(report));
        facts.row("compared without a hash", &unhashed);
    }
    for (name, count) in [
        ("under another number", ledger.misnumbered),
        ("never sent", ledger.unexpected),
        ("under way at the end, or lost with a notice", ledger.excused),
        ("GUILD_CREATEs after READY that never came", ledger.start_guilds_unseen),
    ] {
        if count > 0 {
            facts.row(name, &spaced(count));
        }
    }
    ledger.examples.iter().for_each(|example| facts.row("example", example));
    facts.table("Was anything lost?")
}

/// Which events have no hash.
pub(crate) fn unhashed_are(report: &Report) -> &'static str {
    match report.settings.ledger {
        LedgerMode::Full => "the GUILD_CREATEs after READY, known by session, number and id alone",
        _ => "hashes were not asked for: session, number and id alone",
    }
}

/// How the shards that were cut came back; nothing without a storm.
pub(super) fn storm(report: &Report) -> String {
    if report.storm.is_none() {
        return String::new();
    }
    let mut facts = Facts::default();
    report.storm.rows().iter().for_each(|(name, value)| facts.row(name, value));
    facts.table("Storm")
}

/// What happened to the connections.
pub(super) fn links(report: &Report) -> String {
    let mut facts = Facts::default();
    if let Some(ready_ms) = report.ready_ms {
        facts.row("all shards READY after", &micros(ready_ms * 1e3));
    }
    let shards = u64::from(report.settings.shards);
    facts.row("up at the end", &format!("{} of {}", spaced(report.shards_up), spaced(shards)));
    facts.row("connections ended", &spaced(report.reconnects));
    for (cause, count) in &report.reconnects_by_cause {
        facts.row(&format!("&nbsp;&nbsp;{}", cause.replace('_', " ")), &spaced(*count));
    }
    for (name, count) in [
        ("IDENTIFYs sent", report.identifies),
        ("RESUMEs sent", report.resumes_sent),
        ("sessions resumed", report.sessions_resumed),
        ("events replayed by RESUMEs", report.replayed),
        ("duplicates dropped", report.duplicates_dropped),
        ("sessions lost", report.sessions_lost),
    ] {
        facts.row(name, &spaced(count));
    }
    facts.table("Connections")
}

/// CPU, bytes and memory.
pub(super) fn cost(report: &Report) -> String {
    let mut facts = Facts::default();
    let cpu = |all: Option<f64>, user: Option<f64>, system: Option<f64>| {
        let us = |ns: f64| digits(ns / 1e3);
        let (user, system) = (us(user?), us(system?));
        Some(format!("{} µs an event (user {user}, system {system})", us(all?)))
    };
    let unknown = || "not measured".to_owned();
    let ours =
        cpu(report.cpu_ns_per_event, report.cpu_ns_per_event_user, report.cpu_ns_per_event_system);
    facts.row("CPU, client", &ours.unwrap_or_else(unknown));
    if let Some(theirs) = cpu(
        report.gateway_cpu_ns_per_event,
        report.gateway_cpu_ns_per_event_user,
        report.gateway_cpu_ns_per_event_system,
    ) {
        facts.row("CPU, gateway", &theirs);
    }
    for (name, all, each) in [
        ("received from sockets", report.wire_bytes, report.wire_bytes_per_event),
        ("JSON that came of it", report.text_bytes, report.text_bytes_per_event),
    ] {
        let each = each.map_or(String::new(), |each| format!(", {} an event", bytes(each)));
        facts.row(name, &format!("{}{each}", bytes(all as f64)));
    }
    for (name, value) in [
        ("memory before the engine", report.rss_before_kib),
        ("memory idle, after READY", report.rss_idle_kib),
        ("memory, most", report.rss_peak_kib),
        ("memory at the end", report.rss_end_kib),
    ] {
        facts.row(name, &value.map_or_else(unknown, kib));
    }
    if let Some(each) = report.rss_per_shard_kib {
        let text = format!("{} KiB, the engine's fixed part included", digits(each));
        facts.row("memory a shard, idle", &text);
    }
    facts.table("Cost")
}

/// The job's settings and the machine.
pub(super) fn job(report: &Report, machine: &Machine) -> String {
    let settings = &report.settings;
    let mut facts = Facts::default();
    facts.row(
        "gateway",
        &match settings.gateway.as_str() {
            "embedded" => "replay gateway in a process of its own".to_owned(),
            url => url.to_owned(),
        },
    );
    facts.row("shards", &settings.shards_text());
    facts.row("TLS", if settings.tls { "yes" } else { "no" });
    facts.row("compression", compression(settings));
    let each = settings
        .events_per_shard
        .map_or(String::new(), |events| format!(", {} on each shard", plural(events, "event")));
    facts.row("traffic", &format!("{}{each}", traffic(settings)));
    facts.row("guilds in each READY", &spaced(settings.guilds_per_shard.into()));
    facts.row("seed", &settings.seed.to_string());
    let cpus = |cpus: &[usize]| {
        let list: Vec<_> = cpus.iter().map(usize::to_string).collect();
        if list.is_empty() { "any".to_owned() } else { list.join(", ") }
    };
    let threads = plural(settings.threads as u64, "engine thread");
    let (ours, others) = (cpus(&settings.client_cpus), cpus(&settings.other_cpus));
    facts.row("cores", &format!("{threads} on {ours}; all else on {others}"));
    if !machine.cpu.is_empty() {
        let cores = plural(machine.cores as u64, "core");
        facts.row("machine", &format!("{}, {cores}", machine.cpu));
    }
    facts.row("its memory", &kib(machine.memory_kib));
    facts.row("kernel", &format!("Linux {}", machine.kernel));
    facts.row("ended", &machine.when());
    facts.table("Job and machine")
}

/// Transport compression, as Discord calls it.
pub(super) fn compression(settings: &Settings) -> &'static str {
    settings.compression.name()
}

/// What was sent, in a few words.
pub(super) fn traffic(settings: &Settings) -> String {
    let mut text = match settings.load {
        "paced" => {
            format!("{} events/s", settings.rate_per_s.map_or("?".to_owned(), digits))
        }
        "flat_out" => "flat out".to_owned(),
        "idle" => "none: memory is measured".to_owned(),
        "capture" => "a capture".to_owned(),
        _ => "whatever the gateway sends".to_owned(),
    };
    let tells = |burst: &u64| *burst > 1 || settings.load == "flat_out";
    if let Some(burst) = settings.burst.filter(tells) {
        let _ = write!(text, ", bursts of {}", spaced(burst));
    }
    if let Some(seconds) = settings.seconds {
        let _ = write!(text, ", for {seconds} s");
    }
    text
}

/// What came, by kind.
pub(super) fn kinds(kinds: &[(&'static str, KindCounters)]) -> String {
    let all: u64 = kinds.iter().map(|(_, counters)| counters.received).sum();
    let mut out = String::from("<h2>Events by kind</h2>\n");
    if all == 0 {
        out.push_str("<p>None came.</p>\n");
        return out;
    }
    out.push_str(
        "<p class=\"soft\">Since the engine's start, READY and its GUILD_CREATEs included.</p>\n\
         <div class=\"scroll\"><table class=\"kinds\">\n<thead><tr><th>kind</th>\
         <th>received</th><th>share</th><th>JSON</th><th>mean</th><th>delivered</th>\
         <th>skipped</th><th>imperfect</th></tr></thead>\n<tbody>\n",
    );
    for (name, counters) in kinds {
        let KindCounters { received, delivered, skipped, imperfect, text_len, .. } = *counters;
        let _ = writeln!(
            out,
            "<tr><th>{name}</th><td>{}</td><td>{:.1} %</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td></tr>",
            spaced(received),
            100.0 * received as f64 / all as f64,
            bytes(text_len as f64),
            bytes(text_len as f64 / received.max(1) as f64),
            spaced(delivered),
            spaced(skipped),
            spaced(imperfect)
        );
    }
    out.push_str("</tbody></table></div>\n");
    out
}

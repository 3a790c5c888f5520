//! What a job found, as data: one JSON object, whose keys the README of this tool documents, and
//! the source of the table. Units stand in the names. Never prints.

use std::collections::BTreeMap;

use replay_gateway::ledger;
use serde::Serialize;
use serde_json::Value;
use shardring::Metrics;
use shardring::metrics::Counters;

use crate::commands::Commands;
use crate::course::{Course, Curve};
use crate::latency::Percentiles;
use crate::plan::{GatewayPlan, JobPlan, LedgerMode, Load, Wanted};
use crate::storm::Storm;
use crate::units::{plural, spaced};

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Nothing was lost, doubled, out of order or altered.
    #[default]
    Clean,
    /// Something was, or something else is not as it should be: see `problems`.
    Findings,
    /// The job could not be done.
    Failed,
}

impl Outcome {
    /// 0, 1, 3; 2 are wrong flags.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Failed => 3,
        }
    }
}

/// The report of one job.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) outcome: Outcome,
    pub(crate) problems: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) interrupted: bool,
    /// Not one shard was ever READY.
    #[serde(skip)]
    pub(crate) never_ready: bool,
    pub(crate) settings: Settings,
    pub(crate) shards_up: u64,
    pub(crate) ready_ms: Option<f64>,
    pub(crate) events: u64,
    pub(crate) events_expected: Option<u64>,
    pub(crate) window_ms: f64,
    pub(crate) events_per_s: Option<f64>,
    pub(crate) cpu_ns_per_event: Option<f64>,
    pub(crate) cpu_ns_per_event_user: Option<f64>,
    pub(crate) cpu_ns_per_event_system: Option<f64>,
    pub(crate) gateway_cpu_ns_per_event: Option<f64>,
    pub(crate) gateway_cpu_ns_per_event_user: Option<f64>,
    pub(crate) gateway_cpu_ns_per_event_system: Option<f64>,
    pub(crate) wire_bytes: u64,
    pub(crate) text_bytes: u64,
    pub(crate) wire_bytes_per_event: Option<f64>,
    pub(crate) text_bytes_per_event: Option<f64>,
    pub(crate) rss_before_kib: Option<u64>,
    pub(crate) rss_started_kib: Option<u64>,
    pub(crate) rss_idle_kib: Option<u64>,
    pub(crate) rss_peak_kib: Option<u64>,
    pub(crate) rss_end_kib: Option<u64>,
    pub(crate) rss_per_shard_kib: Option<f64>,
    pub(crate) latency_from: &'static str,
    pub(crate) latency: Option<Percentiles>,
    pub(crate) receive_to_callback: Option<Percentiles>,
    pub(crate) decode: Option<Percentiles>,
    pub(crate) callback: Option<Percentiles>,
    pub(crate) heartbeat: Option<Percentiles>,
    pub(crate) reconnects: u64,
    pub(crate) reconnects_by_cause: BTreeMap<&'static str, u64>,
    pub(crate) identifies: u64,
    pub(crate) resumes_sent: u64,
    pub(crate) sessions_resumed: u64,
    pub(crate) sessions_lost: u64,
    pub(crate) replayed: u64,
    pub(crate) duplicates_dropped: u64,
    pub(crate) numbers_missing: u64,
    pub(crate) undecoded: u64,
    pub(crate) events_without_id: u64,
    pub(crate) turns: u64,
    pub(crate) buffers_exhausted: u64,
    pub(crate) receivers_held_back: u64,
    pub(crate) pool_peak_bytes: u64,
    pub(crate) ledger_waits: u64,
    pub(crate) ledger: Option<ledger::Report>,
    pub(crate) gateway: Option<Value>,
    /// What became of the commands, if there were any.
    pub(crate) commands: Option<Commands>,
    /// How the shards that were cut came back, in the scenario `storm`.
    #[serde(skip_serializing_if = "Storm::is_none")]
    pub(crate) storm: Storm,
    /// What `--report` draws.
    #[serde(skip)]
    pub(crate) course: Course,
}

/// What the job was.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) gateway: String,
    pub(crate) shards: u32,
    pub(crate) threads: usize,
    pub(crate) client_cpus: Vec<usize>,
    pub(crate) other_cpus: Vec<usize>,
    pub(crate) compression: Wanted,
    pub(crate) tls: bool,
    /// The first so many shards are cut (`storm`); the others are its bystanders.
    pub(crate) cut: Option<u32>,
    pub(crate) load: &'static str,
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) burst: Option<u64>,
    pub(crate) events_per_shard: Option<u64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) ledger: LedgerMode,
    pub(crate) linger_us: u64,
    pub(crate) guilds_per_shard: u32,
    pub(crate) commands_per_s: Option<f64>,
    pub(crate) guild_bytes: usize,
    pub(crate) seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gateway: String::new(),
            shards: 0,
            threads: 0,
            client_cpus: Vec::new(),
            other_cpus: Vec::new(),
            compression: Wanted::Zlib,
            tls: false,
            cut: None,
            load: "",
            rate_per_s: None,
            burst: None,
            events_per_shard: None,
            seconds: None,
            ledger: LedgerMode::Off,
            linger_us: 0,
            guilds_per_shard: 0,
            commands_per_s: None,
            guild_bytes: 0,
            seed: 0,
        }
    }
}

impl Settings {
    /// `400 shards (200 that are cut, 200 bystanders)`.
    pub(crate) fn shards_text(&self) -> String {
        let shards = plural(self.shards.into(), "shard");
        match self.cut {
            Some(cut) => {
                let bystanders = plural(self.shards.saturating_sub(cut).into(), "bystander");
                format!("{shards} ({} that are cut, {bystanders})", spaced(cut.into()))
            }
            None => shards,
        }
    }

    /// Those of a plan.
    pub(crate) fn of(plan: &JobPlan) -> Self {
        let mut settings = Self {
            gateway: match &plan.gateway {
                GatewayPlan::Embedded { .. } => "embedded".to_owned(),
                GatewayPlan::At { url, .. } => strike_out(url, plan.token.as_str()),
            },
            shards: plan.shards,
            threads: plan.placement.client.len(),
            client_cpus: plan.placement.client.clone(),
            other_cpus: plan.placement.others.clone(),
            compression: plan.compression,
            tls: plan.tls,
            cut: plan.cut,
            ledger: plan.ledger,
            linger_us: plan.linger.as_micros() as u64,
            guilds_per_shard: plan.guilds_per_shard,
            commands_per_s: plan.commands_per_s,
            guild_bytes: plan.guild_bytes,
            seed: plan.seed,
            ..Self::default()
        };
        let seconds =
            |at_most: &Option<std::time::Duration>| at_most.map(|span| span.as_secs_f64());
        match &plan.load {
            Load::Idle { .. } => settings.load = "idle",
            Load::Paced { rate_per_s, burst, events_per_shard } => {
                settings.load = "paced";
                settings.rate_per_s = Some(*rate_per_s);
                settings.burst = Some(*burst);
                settings.events_per_shard = Some(*events_per_shard);
            }
            Load::FlatOut { burst, events_per_shard, at_most } => {
                settings.load = "flat_out";
                settings.burst = (*burst > 0).then_some(*burst);
                settings.events_per_shard = *events_per_shard;
                settings.seconds = seconds(at_most);
            }
            Load::Capture { at_most, .. } => {
                settings.load = "capture";
                settings.seconds = seconds(at_most);
            }
            Load::Foreign { at_most, .. } => {
                settings.load = "foreign";
                settings.seconds = seconds(at_most);
            }
        }
        settings
    }
}

impl Report {
    /// Notes something that is not as it should be.
    pub(crate) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
        self.outcome = self.outcome.max(Outcome::Findings);
    }

    /// Notes what makes the numbers tell less than they seem to.
    pub(crate) fn set_notes(&mut self) {
        if cfg!(debug_assertions) {
            self.notes.push("built without --release: the figures mean little".to_owned());
        }
        if let (Some(asked), Some(came)) = (self.settings.rate_per_s, self.events_per_s)
            && came < PACE_KEPT * asked
            && !self.interrupted
        {
            self.notes.push(format!(
                "the pace was not kept: {came:.0} instead of {asked:.0} events/s, so latency \
                 from the intended moment is mostly waiting"
            ));
        }
        if self.ledger_waits > 0 {
            let waits = self.ledger_waits;
            self.notes.push(format!("the handler waited {waits} times for the ledger's writer"));
        }
        if self.events_without_id > 0 {
            self.notes.push(format!("{} events had no readable id", self.events_without_id));
        }
    }

    /// Not one shard was ever READY: nothing was tested, so nothing can be called clean.
    pub(crate) fn set_never_ready(&mut self) {
        self.never_ready = true;
        if self.interrupted {
            self.notes.push("interrupted before any shard was READY: nothing was tested".into());
        } else {
            self.problem("nothing was connected: no shard was ever READY");
        }
    }

    /// Why fewer events came than were planned although none is lost.
    pub(crate) fn places_taken(&self) -> Option<String> {
        let lost = self.ledger.as_ref().map_or(0, |ledger| ledger.lost) + self.numbers_missing;
        if lost > 0 || self.interrupted {
            return None;
        }
        let fewer = self.events_expected?.checked_sub(self.events).filter(|fewer| *fewer > 0)?;
        if self.sessions_lost > 0 {
            let text = "sessions that began anew skip the numbers that are past";
            return Some(text.to_owned());
        }
        (fewer <= self.sessions_resumed).then(|| {
            format!("{} planned numbers were taken by RESUMED, one a resume", spaced(fewer))
        })
    }

    /// The job could not be done.
    pub(crate) fn fail(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
        self.outcome = Outcome::Failed;
    }

    /// CPU time per event, of the events so far.
    pub(crate) fn set_cpu(&mut self, cpu: crate::process::CpuTime) {
        if self.events > 0 {
            let per_event = |ns: u64| Some(ns as f64 / self.events as f64);
            self.cpu_ns_per_event_user = per_event(cpu.user_ns);
            self.cpu_ns_per_event_system = per_event(cpu.system_ns);
            self.cpu_ns_per_event = per_event(cpu.user_ns + cpu.system_ns);
        }
    }

    /// What the engine counted: `before` is from before the traffic.
    pub(crate) fn set_metrics(&mut self, before: Option<&Metrics>, metrics: &Metrics) {
        let zero = Counters::default();
        let before = before.map_or(&zero, |metrics| &metrics.counters);
        let counters = &metrics.counters;
        self.wire_bytes = counters.wire_len - before.wire_len.min(counters.wire_len);
        self.text_bytes = counters.text_len - before.text_len.min(counters.text_len);
        if self.events > 0 {
            self.wire_bytes_per_event = Some(self.wire_bytes as f64 / self.events as f64);
            self.text_bytes_per_event = Some(self.text_bytes as f64 / self.events as f64);
        }
        self.receive_to_callback = Percentiles::of_engine(&metrics.receive_to_callback);
        self.decode = Percentiles::of_engine(&metrics.decode);
        self.callback = Percentiles::of_engine(&metrics.callback);
        self.heartbeat = Percentiles::of_engine(&metrics.heartbeat);
        for (name, latency) in [
            ("receive to callback", &metrics.receive_to_callback),
            ("inflate and decode", &metrics.decode),
            ("callback", &metrics.callback),
        ] {
            self.course.curves.push(Curve::of_engine(name, latency));
        }
        self.course.set_kinds(metrics);
        for (cause, count) in shardring::shard::close::Cause::NAMES.iter().zip(counters.disconnects)
        {
            if count > 0 {
                self.reconnects_by_cause.insert(cause, count);
                self.reconnects += count;
            }
        }
        self.identifies = counters.identifies;
        self.resumes_sent = counters.resumes;
        self.sessions_resumed = counters.resumed;
        self.sessions_lost = counters.sessions_lost;
        self.replayed = counters.replayed;
        self.duplicates_dropped = counters.duplicates;
        self.numbers_missing = counters.missing;
        self.turns = counters.turns - before.turns.min(counters.turns);
        self.buffers_exhausted = counters.buffers_exhausted;
        self.receivers_held_back = counters.receivers_held_back;
        self.pool_peak_bytes = counters.pool_peak_len;
        if counters.handler_panics > 0 {
            self.problem(format!("{} panics of the handler", counters.handler_panics));
        }
    }

    /// The gateway's own counters.
    pub(crate) fn set_gateway(&mut self, stats: Value) {
        let number = |key: &str| stats.get(key).and_then(Value::as_f64);
        let sent = number("traffic_sent").filter(|sent| *sent > 0.0);
        let per_event = |key: &str| Some(number(key)? / sent?);
        self.gateway_cpu_ns_per_event_user = per_event("cpu_user_ns");
        self.gateway_cpu_ns_per_event_system = per_event("cpu_system_ns");
        self.gateway_cpu_ns_per_event = self
            .gateway_cpu_ns_per_event_user
            .zip(self.gateway_cpu_ns_per_event_system)
            .map(|(user, system)| user + system);
        self.gateway = Some(stats);
    }

    /// The comparison of the two ledgers; `ended_early`: what was under way is no loss.
    pub(crate) fn set_ledger(&mut self, ledger: ledger::Report, ended_early: bool) {
        if !ledger.is_clean() {
            let ledger::Report { lost, doubled, out_of_order, altered, .. } = ledger;
            let ledger::Report { misnumbered, unexpected, .. } = ledger;
            let counts = [
                (lost, "lost"),
                (doubled, "doubled"),
                (out_of_order, "out of order"),
                (altered, "altered"),
                (misnumbered, "under another number"),
                (unexpected, "never numbered by the gateway"),
            ];
            let found: Vec<String> = counts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}"))
                .collect();
            self.problem(format!("the ledgers differ: {}", found.join(", ")));
        }
        if ledger.start_guilds_unseen > 0 && !ended_early {
            let text =
                format!("{} GUILD_CREATEs after READY never came", ledger.start_guilds_unseen);
            self.problem(text);
        }
        self.ledger = Some(ledger);
    }

    /// Memory per shard: idle after READY, less what the process had before the engine started.
    pub(crate) fn set_idle(&mut self, idle_kib: u64) {
        self.rss_idle_kib = Some(idle_kib);
        self.rss_per_shard_kib = self.rss_before_kib.map(|before| {
            (idle_kib as f64 - before as f64) / f64::from(self.settings.shards.max(1))
        });
    }
}

/// A text without the bot's token, whoever put it there. Texts as short as no token is stay.
pub(crate) fn strike_out(text: &str, token: &str) -> String {
    match token.len() {
        0..TOKEN_LEN_MIN => text.to_owned(),
        _ => text.replace(token, "(token)"),
    }
}

/// Shorter texts are no tokens, and may stand anywhere.
const TOKEN_LEN_MIN: usize = 8;
/// Below this share of the rate asked for the pace was not kept.
const PACE_KEPT: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn findings_and_failures_have_their_exit_codes() {
        let mut report = Report::default();
        assert_eq!(report.outcome.exit_code(), 0);
        report.set_ledger(ledger::Report::default(), false);
        assert_eq!(report.outcome.exit_code(), 0);
        report.set_ledger(ledger::Report { lost: 2, altered: 1, ..Default::default() }, false);
        assert_eq!(report.outcome.exit_code(), 1);
        assert_eq!(report.problems, ["the ledgers differ: 2 lost, 1 altered"]);
        report.fail("no");
        report.problem("later");
        assert_eq!(report.outcome.exit_code(), 3);
    }

    #[test]
    fn resumes_explain_the_numbers_that_no_event_had_and_nothing_else() {
        let report = |events, sessions_resumed| Report {
            events,
            events_expected: Some(80_000),
            sessions_resumed,
            ..Report::default()
        };
        let text = report(79_800, 200).places_taken().unwrap();
        assert!(text.contains("200 planned numbers were taken by RESUMED"), "{text}");
        assert_eq!(report(79_799, 200).places_taken(), None);
        assert_eq!(report(80_000, 200).places_taken(), None);
        let lossy = Report { numbers_missing: 1, ..report(79_800, 200) };
        assert_eq!(lossy.places_taken(), None);
    }

    #[test]
    fn guild_creates_that_never_came_are_a_finding_unless_the_job_ended_early() {
        let ledger = ledger::Report { start_guilds_unseen: 1, ..Default::default() };
        let mut report = Report::default();
        report.set_ledger(ledger.clone(), true);
        assert_eq!(report.outcome, Outcome::Clean);
        report.set_ledger(ledger, false);
        assert_eq!(report.outcome, Outcome::Findings);
    }

    #[test]
    fn the_gateways_cost_is_per_event_that_it_sent() {
        let mut report = Report::default();
        report.set_gateway(json!({"traffic_sent": 10, "cpu_user_ns": 50, "cpu_system_ns": 20}));
        assert_eq!(report.gateway_cpu_ns_per_event, Some(7.0));
        let mut report = Report::default();
        report.set_gateway(json!({"traffic_sent": 0, "cpu_user_ns": 50, "cpu_system_ns": 20}));
        assert_eq!(report.gateway_cpu_ns_per_event, None);
    }
}

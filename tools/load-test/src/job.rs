//! One job: gateway, engine, READY, idle, traffic, end, comparison, report.
//!
//! Every wait here has a bound and watches for Ctrl-C, for a gateway that ended, and for errors
//! of the engine. Invariant: whatever happens, a report comes back and the child is gone.

mod wait;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use replay_gateway::ledger::SessionLost;
use shardring::{Engine, Handle, Metrics};

use crate::child::GatewayChild;
use crate::commands::{self, Commander};
use crate::course::{Links, Moment};
use crate::endpoint::Endpoint;
use crate::http;
use crate::ledger::{self, Clerk};
use crate::live::{Live, Now};
use crate::orders::Orders;
use crate::placement;
use crate::plan::{GatewayPlan, JobPlan, LedgerMode, Load};
use crate::probe::{Bench, Kit, Seen, Task, Watch};
use crate::process::{self, CpuTime};
use crate::report::{Report, Settings};
use crate::settle;
use crate::setup::{Folder, config, expected, pace, stop_engine};
use crate::storm;

/// Does a job and says what it found.
pub(crate) fn run(plan: &JobPlan, live: &mut Live, interrupted: &AtomicBool) -> Report {
    let mut report = Report { settings: Settings::of(plan), ..Report::default() };
    match Job::start(plan, &mut report) {
        Ok(mut job) => {
            let end = job.drive(live, interrupted, &mut report);
            live.phase("ends");
            job.finish(&end, live, &mut report);
        }
        Err(detail) => report.fail(detail),
    }
    report.set_notes();
    live.end();
    report
}

/// A job that runs.
struct Job<'a> {
    plan: &'a JobPlan,
    child: Option<GatewayChild>,
    /// Whoever scrapes is asked to leave before the engine is.
    endpoint: Option<Endpoint>,
    engine: Option<Engine>,
    handle: Handle,
    watch: Arc<Watch>,
    results: Receiver<Seen>,
    clerk: Option<Clerk>,
    commander: Option<Commander>,
    folder: Folder,
    url: String,
    expected: Option<u64>,
    metrics_before: Option<Metrics>,
    started_at: Instant,
}

/// Why traffic ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// All that was expected has come.
    Complete,
    /// The time is over: what was under way is not lost.
    Early,
    /// Nothing comes any more, or something failed (told already).
    Broken,
}

impl End {
    fn is_early(&self) -> bool {
        *self == End::Early
    }
}

impl<'a> Job<'a> {
    /// Starts gateway and engine.
    fn start(plan: &'a JobPlan, report: &mut Report) -> Result<Self, String> {
        // First of all: a port that is taken should cost nothing.
        let listener = plan.metrics_listen.map(TcpListener::bind).transpose();
        let listener = listener.map_err(|error| format!("--metrics-listen: {error}"))?;
        let folder = Folder::make().map_err(|error| format!("a temporary folder: {error}"))?;
        let gateway_ledger = folder.path("gateway.ledger");
        let (child, url) = match &plan.gateway {
            GatewayPlan::Embedded { canary, faults } => {
                let compared = plan.ledger != LedgerMode::Off;
                let ledger = compared.then_some(gateway_ledger.as_path());
                let orders = Orders::of(plan, *canary, faults, ledger);
                let child = GatewayChild::start(&orders).map_err(|error| error.to_string())?;
                let url = child.url().to_owned();
                (Some(child), url)
            }
            GatewayPlan::At { url, .. } => (None, url.clone()),
        };
        let ca = match (&child, &plan.ca) {
            (Some(child), _) => child.ca().map(str::to_owned),
            (None, Some(path)) => Some(
                std::fs::read_to_string(path)
                    .map_err(|error| format!("--ca: {}: {error}", path.display()))?,
            ),
            (None, None) => None,
        };
        let pace = pace(plan, &url);
        let task = Task {
            shards: plan.shards,
            pace,
            hashes: plan.ledger == LedgerMode::Full,
            by_id: !matches!(plan.load, Load::Capture { .. }),
        };
        let cores = plan.placement.client.len();
        let (clerk, pages) = if plan.ledger == LedgerMode::Off {
            (None, Vec::new())
        } else {
            let others = plan.placement.others.clone();
            // A writer that may run anywhere is no less right.
            let pin = move || {
                let _ = placement::keep_to(&others);
            };
            let (clerk, pages) = ledger::open(&folder.path("client.ledger"), cores, pin)
                .map_err(|error| format!("the client's ledger: {error}"))?;
            (Some(clerk), pages)
        };
        let mut pages = pages.into_iter();
        let kits: Vec<Kit> = (0..cores).map(|_| Kit::new(&task, pages.next())).collect();
        let watch = Arc::new(Watch::new(cores));
        let (sender, results) = channel();
        let bench = Bench::new(task.clone(), Arc::clone(&watch), kits, sender);
        let config = config(plan, &url, ca.as_deref(), &task).map_err(|error| error.to_string())?;
        report.rss_before_kib = process::rss_kib().ok();
        let started_at = Instant::now();
        report.course.push(Moment {
            cpu_ns: CpuTime::now().all_ns(),
            rss_kib: report.rss_before_kib.unwrap_or(0),
            ..Moment::default()
        });
        let engine = Engine::start(config, move |core| Ok(bench.probe(core)))
            .map_err(|error| format!("the engine does not start: {error}"))?;
        report.rss_started_kib = process::rss_kib().ok();
        let endpoint = listener.map(|listener| Endpoint::open(listener, engine.handle()));
        let endpoint = endpoint.transpose().map_err(|error| format!("a thread: {error}"))?;
        Ok(Self {
            plan,
            child,
            endpoint,
            handle: engine.handle(),
            engine: Some(engine),
            watch,
            results,
            clerk,
            commander: None,
            folder,
            url,
            expected: expected(plan)?,
            metrics_before: None,
            started_at,
        })
    }

    /// READY, idle, traffic.
    fn drive(&mut self, live: &mut Live, interrupted: &AtomicBool, report: &mut Report) -> End {
        let mut tick = Tick { live, interrupted, report, checked_at: Instant::now() };
        let (Ok(end) | Err(end)) = self.drive_through(&mut tick);
        let mut last = self.moment();
        last.rss_kib = process::rss_kib().unwrap_or(0);
        report.course.end(last);
        end
    }

    fn drive_through(&mut self, tick: &mut Tick<'_>) -> Result<End, End> {
        self.wait_ready(tick)?;
        // With a foreign gateway READY is all that is sure to come.
        if self.child.is_some() {
            self.wait_guilds(tick)?;
        }
        self.pause(tick, self.plan.settle())?;
        if let Ok(idle_kib) = process::rss_kib() {
            tick.report.set_idle(idle_kib);
        }
        self.metrics_before = self.metrics();
        if let Load::Idle { big_guilds } = self.plan.load {
            if big_guilds {
                self.wait_big_guilds(tick)?;
            }
            return Ok(End::Complete);
        }
        self.learn_start(tick)?;
        let commander = Commander::start(self.plan, self.handle.clone());
        self.commander = commander.map_err(|error| {
            tick.report.fail(format!("the thread of the commands: {error}"));
            End::Broken
        })?;
        let end = self.wait_traffic(tick);
        tick.report.commands = self.commander.take().and_then(Commander::finish);
        end
    }

    /// Closes the window of measurement: events, time, CPU.
    fn read_window(&self, report: &mut Report) {
        let cpu = CpuTime::now();
        report.events = self.watch.sum(|core| &core.events);
        let window_ns = self.watch.window_ns();
        report.window_ms = window_ns as f64 / 1e6;
        if window_ns > 0 && report.events > 1 {
            report.events_per_s = Some((report.events - 1) as f64 * 1e9 / window_ns as f64);
        }
        if let Some(first) = self.watch.cpu_first.get() {
            report.set_cpu(cpu.since(*first));
        }
    }

    /// Sleeps a little, shows where the job stands, and looks whether it has to end.
    fn tick(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
        std::thread::sleep(TICK);
        let mut moment = self.moment();
        tick.live.show(Now {
            shards_up: moment.shards_up,
            shards: self.plan.shards.into(),
            events: moment.events,
            expected: self.expected,
            cpu_ns: moment.cpu_ns,
            rss_kib: tick.report.course.moments().last().map_or(0, |last| last.rss_kib),
            reconnects: moment.links.ended,
        });
        if let Some(cut) = self.plan.cut {
            tick.report.storm.look(&moment, cut.into());
        }
        if tick.report.course.is_due(moment.at) {
            moment.rss_kib = process::rss_kib().unwrap_or(0);
            tick.report.course.push(moment);
        }
        if tick.interrupted.load(Ordering::Relaxed) {
            tick.report.interrupted = true;
            return Err(End::Early);
        }
        if let Some(refused) = self.watch.refused.get() {
            tick.report.fail(format!("the gateway refuses: {refused}"));
            return Err(End::Broken);
        }
        if tick.checked_at.elapsed() < CHECK_EVERY {
            return Ok(());
        }
        tick.checked_at = Instant::now();
        if let Some(error) = self.handle.errors().first() {
            tick.report.fail(format!("the engine: {error}"));
            return Err(End::Broken);
        }
        if let Some(child) = &mut self.child
            && child.has_ended()
        {
            tick.report.fail(format!("the replay gateway ended: {}", child.complaints()));
            return Err(End::Broken);
        }
        // The process may be there and its event loop gone.
        if self.child.is_some()
            && tick.report.ready_ms.is_some()
            && self.watch.sum(|core| &core.up) == 0
            && !self.plan.tls
            && http::traffic_info(&self.url).is_none()
        {
            tick.report.fail("the replay gateway does not answer any more");
            return Err(End::Broken);
        }
        Ok(())
    }

    /// Where the job stands; memory, which takes reading a file, is left to the caller.
    fn moment(&self) -> Moment {
        let at = self.started_at.elapsed();
        Moment {
            at,
            events: self.watch.sum(|core| &core.events),
            cpu_ns: CpuTime::now().all_ns(),
            rss_kib: 0,
            shards_up: self.watch.sum(|core| &core.up),
            links: Links {
                ended: self.watch.sum(|core| &core.ended),
                resumed: self.watch.sum(|core| &core.resumed),
                ready: self.watch.sum(|core| &core.readies),
            },
        }
    }

    fn metrics(&self) -> Option<Metrics> {
        self.handle.metrics().wait_timeout(ANSWER_PATIENCE).ok()?.ok()
    }

    /// Stops the engine, then the gateway, and compares.
    fn finish(mut self, end: &End, live: &mut Live, report: &mut Report) {
        if self.watch.sum(|core| &core.readies) == 0 {
            report.set_never_ready();
        }
        report.shards_up = self.watch.sum(|core| &core.up);
        report.events_expected = self.expected;
        report.rss_end_kib = process::rss_kib().ok();
        report.rss_peak_kib = process::rss_peak_kib().ok();
        match self.metrics() {
            Some(metrics) => report.set_metrics(self.metrics_before.as_ref(), &metrics),
            None => report.problem("the engine did not give its metrics"),
        }
        drop(self.endpoint.take());
        if let Some(engine) = self.engine.take() {
            stop_engine(engine, report);
        }
        let (lost, last) = self.gather(report);
        report.latency_from = if report.latency.is_some() { "intended_send" } else { "receipt" };
        if report.latency.is_none() {
            report.latency = report.receive_to_callback;
        }
        if let Some(clerk) = self.clerk.take()
            && let Err(error) = clerk.close()
        {
            report.fail(format!("the client's ledger: {error}"));
        }
        let embedded = self.child.is_some();
        if let Some(child) = self.child.take() {
            match child.stop() {
                Ok(stats) => report.set_gateway(stats),
                Err(error) => report.fail(error.to_string()),
            }
        }
        if let Some(commands) = report.commands.clone() {
            commands::judge(&commands, report);
        }
        let ours = self.folder.path("client.ledger");
        if let Some(cut) = self.plan.cut {
            storm::judge(cut, self.plan.shards, report);
        }
        match (&self.plan.gateway, self.plan.ledger) {
            (_, LedgerMode::Off) if report.numbers_missing > 0 => {
                report.problem(format!("{} numbers are missing", report.numbers_missing));
            }
            (_, LedgerMode::Off) => {}
            (GatewayPlan::Embedded { .. }, _) if embedded => {
                let theirs = self.folder.path("gateway.ledger");
                let notices = if end.is_early() { [lost, last].concat() } else { lost };
                let compared = settle::compare_files(&theirs, &ours, &notices);
                settle::enter(compared, end.is_early(), report);
            }
            (GatewayPlan::At { ledger_file: Some(theirs), .. }, _) => {
                live.phase("awaits the gateway's ledger, which is whole when the gateway ends");
                let compared = settle::compare_foreign(theirs, &ours, &lost, &last);
                settle::enter(compared, true, report);
            }
            _ => {}
        }
    }

    /// What the handlers saw.
    fn gather(&self, report: &mut Report) -> (Vec<SessionLost>, Vec<SessionLost>) {
        let (mut lost, mut last) = (Vec::new(), Vec::new());
        let mut latency = crate::latency::Spans::new();
        for _ in 0..self.watch.cores.len() {
            let Ok(seen) = self.results.recv_timeout(ANSWER_PATIENCE) else {
                report.problem("a core did not give back what it saw");
                break;
            };
            latency.merge(&seen.latency);
            lost.extend(seen.lost);
            last.extend(seen.last);
            report.undecoded += seen.undecoded;
            report.events_without_id += seen.without_id;
            report.ledger_waits += seen.ledger_waits;
            std::hint::black_box(seen.checksum);
        }
        report.latency = latency.percentiles();
        report.course.curves.insert(0, latency.curve("due to callback"));
        if report.undecoded > 0 {
            report.problem(format!("{} events could not be decoded", report.undecoded));
        }
        (lost, last)
    }
}

/// What every tick needs.
struct Tick<'t> {
    live: &'t mut Live,
    interrupted: &'t AtomicBool,
    report: &'t mut Report,
    checked_at: Instant,
}

/// Between two looks at the job.
const TICK: Duration = Duration::from_millis(20);
/// Between two looks at the child and at the engine's errors.
const CHECK_EVERY: Duration = Duration::from_millis(200);
/// For an answer of the engine's threads.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

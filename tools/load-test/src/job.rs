//! One job: gateway, engine, READY, idle, traffic, end, comparison, report.
//!
//! Every wait here has a bound and watches for Ctrl-C, for a gateway that ended, and for errors
//! of the engine. Invariant: whatever happens, a report comes back and the child is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use replay_gateway::ledger::SessionLost;
use shardring::shard::notice::State;
use shardring::{Engine, Handle, Metrics};

use crate::child::GatewayChild;
use crate::cli::{GatewayPlan, JobPlan, LedgerMode, Load};
use crate::http;
use crate::ledger::{self, Clerk};
use crate::live::{Live, Now};
use crate::orders::Orders;
use crate::placement;
use crate::probe::{Bench, Kit, Seen, Task, Watch};
use crate::process::{self, CpuTime};
use crate::report::{Report, Settings};
use crate::settle;
use crate::setup::{Folder, config, expected, pace, stop_engine};

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
    engine: Option<Engine>,
    handle: Handle,
    watch: Arc<Watch>,
    results: Receiver<Seen>,
    clerk: Option<Clerk>,
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
        let config = config(plan, &url, &task).map_err(|error| error.to_string())?;
        report.rss_before_kib = process::rss_kib().ok();
        let started_at = Instant::now();
        let engine = Engine::start(config, move |core| Ok(bench.probe(core)))
            .map_err(|error| format!("the engine does not start: {error}"))?;
        report.rss_started_kib = process::rss_kib().ok();
        Ok(Self {
            plan,
            child,
            handle: engine.handle(),
            engine: Some(engine),
            watch,
            results,
            clerk,
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
        match self.drive_through(&mut tick) {
            Ok(end) | Err(end) => end,
        }
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
        self.wait_traffic(tick)
    }

    fn wait_ready(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
        tick.live.phase("connects");
        let shards = u64::from(self.plan.shards);
        let turns = self.plan.shards.div_ceil(self.plan.max_concurrency.max(1));
        let patience = self.plan.ready_timeout + IDENTIFY_TURN * (turns - 1);
        while self.watch.sum(|core| &core.up) < shards {
            self.tick(tick)?;
            if self.started_at.elapsed() > patience {
                let up = self.watch.sum(|core| &core.up);
                tick.report.fail(format!(
                    "only {up} of {shards} shards were READY within {:.0} s{}",
                    patience.as_secs_f64(),
                    self.not_active()
                ));
                return Err(End::Broken);
            }
        }
        tick.report.ready_ms = Some(self.started_at.elapsed().as_secs_f64() * 1e3);
        Ok(())
    }

    /// What the first few shards that are not up await.
    fn not_active(&self) -> String {
        let metrics = self.metrics();
        let shards = metrics.iter().flat_map(|metrics| metrics.shards());
        let waiting: Vec<String> = shards
            .filter(|shard| shard.state != State::Active)
            .take(NOT_ACTIVE_MAX)
            .map(|shard| format!("; shard {} is {:?}", shard.shard, shard.state))
            .collect();
        waiting.concat()
    }

    fn wait_guilds(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
        let all = u64::from(self.plan.shards) * u64::from(self.plan.guilds_per_shard);
        let mut last = (0, Instant::now());
        loop {
            let seen = self.watch.sum(|core| &core.start_guilds);
            if seen >= all {
                return Ok(());
            }
            if seen > last.0 {
                last = (seen, Instant::now());
            }
            self.tick(tick)?;
            if last.1.elapsed() > GUILDS_PATIENCE {
                tick.report.problem(format!("only {seen} of {all} GUILD_CREATEs came after READY"));
                return Ok(());
            }
        }
    }

    /// Has a large GUILD_CREATE sent to each shard in turn, and waits for them.
    fn wait_big_guilds(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
        tick.live.phase("large guilds");
        self.expected = Some(self.plan.shards.into());
        if let Some(Err(error)) = self.child.as_ref().map(GatewayChild::send_big_guilds) {
            tick.report.fail(format!("the replay gateway: {error}"));
            return Err(End::Broken);
        }
        self.wait_traffic(tick)?;
        self.pause(tick, self.plan.settle())
    }

    /// Asks a replay gateway when its traffic starts, so that latency can be told from then on.
    fn learn_start(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
        tick.live.phase("awaits traffic");
        if pace(self.plan, &self.url).is_none() {
            return Ok(());
        }
        let until = Instant::now() + START_PATIENCE;
        while Instant::now() < until && self.watch.sum(|core| &core.events) == 0 {
            match http::traffic_info(&self.url) {
                Some(info) if info.start_unix_ns > 0 => {
                    self.watch.start_unix_ns.store(info.start_unix_ns, Ordering::Relaxed);
                    return Ok(());
                }
                Some(_) => self.tick(tick)?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn wait_traffic(&mut self, tick: &mut Tick<'_>) -> Result<End, End> {
        let at_most = match self.plan.load {
            Load::FlatOut { at_most, .. }
            | Load::Capture { at_most, .. }
            | Load::Foreign { at_most, .. } => at_most,
            Load::Idle { .. } | Load::Paced { .. } => None,
        };
        let foreign = matches!(self.plan.load, Load::Foreign { .. });
        let quiet_max = self.quiet_max();
        let began_at = Instant::now();
        let mut first_at = None;
        let mut last = (0, Instant::now());
        loop {
            let events = self.watch.sum(|core| &core.events);
            if events > 0 && first_at.is_none() {
                first_at = Some(Instant::now());
                tick.live.phase("traffic");
            }
            // Sessions that faults end and start anew may bring more than was reckoned with.
            let rest = if self.has_faults() { FAULTS_REST } else { Duration::ZERO };
            if self.expected.is_some_and(|expected| events >= expected)
                && events == last.0
                && last.1.elapsed() >= rest
            {
                self.read_window(tick.report);
                return Ok(End::Complete);
            }
            let since = if foreign { Some(began_at) } else { first_at };
            if at_most.zip(since).is_some_and(|(at_most, since)| since.elapsed() >= at_most) {
                self.read_window(tick.report);
                return Ok(End::Early);
            }
            if events > last.0 {
                last = (events, Instant::now());
            }
            let up = self.watch.sum(|core| &core.up) == u64::from(self.plan.shards);
            let patience = match (first_at, up) {
                (None, _) => START_PATIENCE,
                (Some(_), true) => quiet_max,
                (Some(_), false) => quiet_max + RECONNECT_PATIENCE,
            };
            if !foreign && last.1.elapsed() > patience {
                self.read_window(tick.report);
                if up && self.expected.is_some_and(|all| all - events <= self.places_taken()) {
                    return Ok(End::Complete);
                }
                let expected = self.expected.map_or(String::new(), |all| format!(" of {all}"));
                tick.report.problem(format!(
                    "{events}{expected} events came, then none for {:.0} s",
                    patience.as_secs_f64()
                ));
                return Ok(End::Broken);
            }
            if let Err(end) = self.tick(tick) {
                self.read_window(tick.report);
                return Err(end);
            }
        }
    }

    /// How many events fewer than reckoned may come: each RESUMED takes a number that an event
    /// would have had, and a session that starts anew in mid-traffic skips what is past.
    fn places_taken(&self) -> u64 {
        self.metrics().map_or(0, |metrics| match metrics.counters.sessions_lost {
            0 => metrics.counters.resumed,
            _ => u64::MAX,
        })
    }

    fn has_faults(&self) -> bool {
        match &self.plan.gateway {
            GatewayPlan::Embedded { faults, .. } => !faults.is_empty(),
            GatewayPlan::At { .. } => false,
        }
    }

    /// How long no event may come while all shards are up.
    fn quiet_max(&self) -> Duration {
        let mean_gap_s = match self.plan.load {
            Load::Paced { rate_per_s, burst, .. } => burst as f64 / rate_per_s,
            Load::Capture { .. } => CAPTURE_QUIET_MAX.as_secs_f64() / QUIET_GAPS,
            _ => 0.0,
        };
        QUIET_MIN.max(Duration::from_secs_f64((mean_gap_s * QUIET_GAPS).min(3_600.0)))
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

    fn pause(&mut self, tick: &mut Tick<'_>, span: Duration) -> Result<(), End> {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.tick(tick)?;
        }
        Ok(())
    }

    /// Sleeps a little, shows where the job stands, and looks whether it has to end.
    fn tick(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
        std::thread::sleep(TICK);
        tick.live.show(Now {
            shards_up: self.watch.sum(|core| &core.up),
            shards: self.plan.shards.into(),
            events: self.watch.sum(|core| &core.events),
            expected: self.expected,
            cpu_ns: {
                let CpuTime { user_ns, system_ns } = CpuTime::now();
                user_ns + system_ns
            },
        });
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
            && http::traffic_info(&self.url).is_none()
        {
            tick.report.fail("the replay gateway does not answer any more");
            return Err(End::Broken);
        }
        Ok(())
    }

    fn metrics(&self) -> Option<Metrics> {
        self.handle.metrics().wait_timeout(ANSWER_PATIENCE).ok()?.ok()
    }

    /// Stops the engine, then the gateway, and compares.
    fn finish(mut self, end: &End, live: &mut Live, report: &mut Report) {
        report.shards_up = self.watch.sum(|core| &core.up);
        report.events_expected = self.expected;
        report.rss_end_kib = process::rss_kib().ok();
        report.rss_peak_kib = process::rss_peak_kib().ok();
        match self.metrics() {
            Some(metrics) => report.set_metrics(self.metrics_before.as_ref(), &metrics),
            None => report.problem("the engine did not give its metrics"),
        }
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
        let ours = self.folder.path("client.ledger");
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

/// Shards that the report of a missing READY names.
const NOT_ACTIVE_MAX: usize = 5;
/// Between two looks at the job.
const TICK: Duration = Duration::from_millis(20);
/// Between two looks at the child and at the engine's errors.
const CHECK_EVERY: Duration = Duration::from_millis(200);
/// One turn of the identify gate.
const IDENTIFY_TURN: Duration = Duration::from_millis(5_300);
/// No GUILD_CREATE for so long: the rest will not come.
const GUILDS_PATIENCE: Duration = Duration::from_secs(30);
/// From READY to the first event: the gateway prepares its traffic meanwhile.
const START_PATIENCE: Duration = Duration::from_secs(300);
/// No event for so long while all shards are up: no more will come.
const QUIET_MIN: Duration = Duration::from_secs(3);
/// Or this many mean gaps of the pace.
const QUIET_GAPS: f64 = 30.0;
/// With faults: no event for so long after all that was expected.
const FAULTS_REST: Duration = Duration::from_secs(2);
/// A pause in a capture that is played.
const CAPTURE_QUIET_MAX: Duration = Duration::from_secs(60);
/// While a shard is down it may take so much longer.
const RECONNECT_PATIENCE: Duration = Duration::from_secs(60);
/// For an answer of the engine's threads.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

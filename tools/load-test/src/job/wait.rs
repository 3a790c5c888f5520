//! What a job waits for, one after the other: READY, start guilds, the traffic's start, its end.
//! Each wait has a bound and ticks meanwhile ([`Job::tick`]).

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use shardring::shard::close::Cause;
use shardring::shard::notice::State;
use shardring::wire::WireError;

use super::{End, Job, Tick};
use crate::child::GatewayChild;
use crate::http;
use crate::plan::{GatewayPlan, Load};
use crate::setup::pace;
use crate::units::spaced;

impl Job<'_> {
    pub(super) fn wait_ready(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
        tick.live.phase("connects");
        let shards = u64::from(self.plan.shards);
        let turns = self.plan.shards.div_ceil(self.plan.max_concurrency.max(1));
        let patience = self.plan.ready_timeout + IDENTIFY_TURN * (turns - 1);
        let mut failing_since = None;
        while self.watch.sum(|core| &core.up) < shards {
            self.tick(tick)?;
            if self.only_fails(&mut failing_since) {
                tick.report.fail(format!(
                    "no shard could connect: for {:.0} s every attempt has failed{}",
                    FAILING_MAX.as_secs_f64(),
                    self.causes()
                ));
                return Err(End::Broken);
            }
            if self.started_at.elapsed() > patience {
                let up = self.watch.sum(|core| &core.up);
                tick.report.fail(format!(
                    "only {up} of {shards} shards were READY within {:.0} s{}{}",
                    patience.as_secs_f64(),
                    self.not_active(),
                    self.causes()
                ));
                return Err(End::Broken);
            }
        }
        tick.report.ready_ms = Some(self.started_at.elapsed().as_secs_f64() * 1e3);
        Ok(())
    }

    /// Whether no shard has ever been READY and no attempt of the last while came as far as HELLO.
    fn only_fails(&self, since: &mut Option<Instant>) -> bool {
        if self.watch.sum(|core| &core.readies) > 0 || self.watch.sum(|core| &core.ended) == 0 {
            return false;
        }
        if since.get_or_insert_with(Instant::now).elapsed() < FAILING_MAX {
            return false;
        }
        // Who has had HELLO may still become READY.
        let on_its_way = self.metrics().is_none_or(|metrics| {
            let states = [State::Queued, State::Identifying, State::Active];
            metrics.shards().iter().any(|shard| states.contains(&shard.state))
        });
        if on_its_way {
            *since = None;
        }
        !on_its_way
    }

    /// Why connections ended so far, and what the last wire error was.
    fn causes(&self) -> String {
        let Some(metrics) = self.metrics() else { return String::new() };
        let ended = Cause::NAMES.iter().zip(metrics.counters.disconnects);
        let causes: Vec<String> = ended
            .filter(|(_, count)| *count > 0)
            .map(|(cause, count)| format!("{} {}", spaced(count), cause.replace('_', " ")))
            .collect();
        if causes.is_empty() {
            return String::new();
        }
        let wire = *self.watch.wire.lock().unwrap_or_else(PoisonError::into_inner);
        let last = wire.map_or(String::new(), |wire| format!("; the last: {wire}"));
        let hint = match wire {
            Some(WireError::TlsUnknownCa | WireError::TlsCertificate) => CA_HINT,
            _ => "",
        };
        format!("; connections ended: {}{last}{hint}", causes.join(", "))
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

    pub(super) fn wait_guilds(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
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
    pub(super) fn wait_big_guilds(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
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
    pub(super) fn learn_start(&mut self, tick: &mut Tick<'_>) -> Result<(), End> {
        tick.live.phase("awaits traffic");
        if pace(self.plan, &self.url).is_none() {
            return Ok(());
        }
        let until = Instant::now() + START_PATIENCE;
        while Instant::now() < until && self.watch.sum(|core| &core.events) == 0 {
            if self.plan.tls {
                let known = self.child.as_ref().and_then(GatewayChild::traffic_start);
                if let Some(start_unix_ns) = known {
                    self.watch.start_unix_ns.store(start_unix_ns, Ordering::Relaxed);
                    return Ok(());
                }
                self.tick(tick)?;
                continue;
            }
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

    pub(super) fn wait_traffic(&mut self, tick: &mut Tick<'_>) -> Result<End, End> {
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
            GatewayPlan::Embedded { faults, .. } => !faults.is_empty() || self.plan.cut.is_some(),
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

    pub(super) fn pause(&mut self, tick: &mut Tick<'_>, span: Duration) -> Result<(), End> {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.tick(tick)?;
        }
        Ok(())
    }
}

/// Shards that the report of a missing READY names.
const NOT_ACTIVE_MAX: usize = 5;
/// With no READY ever, and every attempt failing for so long, the gateway is not there.
const FAILING_MAX: Duration = Duration::from_secs(10);
/// What helps with a certificate of a private CA.
const CA_HINT: &str = "; --ca FILE names the CA of a private gateway (replay-gateway writes its \
                       own with --tls-ca-out FILE)";
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

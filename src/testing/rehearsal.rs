//! [`Rehearsal`]: shards, desk and clock of an engine of one core, in a test's hands.
//!
//! It holds no rule of the protocol and does no I/O. Panics are for mistakes of the test's author,
//! and say what to call instead. Invariant: every shard is settled between two calls.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Rng, Time};
use crate::config::{Config, Intents, Interest, Limits, Shards};
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::shard::admission::Admission;
use crate::shard::budget::{Budget, MemoryLedger, StartLedger};
use crate::shard::close::LinkEnd;
use crate::shard::handler::Handler;
use crate::shard::identify::{IdentifyGate, LocalGate};
use crate::shard::notice::State;
use crate::shard::session::Guards;
use crate::shard::token::Token;
use crate::shard::{Common, Desk, Shard, ShardId};
use crate::testing::gateway::{Dispatched, Gateway};
use crate::testing::play::Line;
use crate::testing::tasks::{Tasks, run_to_rest};
use crate::wire::Compression;

/// An engine of one core without sockets, and a gateway that does what the test says.
///
/// It drives the same shards as [`Engine`](crate::Engine), over WebSocket frames of plain text,
/// under a clock that stands still but in [`advance`](Self::advance) and in the calls that wait
/// for a shard ([`ready`](Self::ready), [`resume`](Self::resume)). The gateway upgrades, greets
/// with HELLO (a heartbeat every 41.25 s) and acknowledges heartbeats by itself; all else is
/// called for.
///
/// Calls that name no shard concern the first one, but for those that say otherwise;
/// [`gateway`](Self::gateway) gives the others. What the handler spawned runs when it is
/// [told to](Self::run_spawned).
///
/// What differs from an engine: there is one core, hence one handler for all shards. TLS,
/// compression, proxies and the size of buffers are not rehearsed, nor are TCP's time-outs. The
/// handler's calls take no time. There is no [`Handle`](crate::Handle).
pub struct Rehearsal<H: Handler> {
    pub(super) desk: Desk<H>,
    pub(super) lines: Vec<Line>,
    pub(super) clock: Rc<Cell<Time>>,
    /// How dials end while the gateway cannot be reached.
    pub(super) refusal: Option<LinkEnd>,
    pub(super) limits: Limits,
    pub(super) tasks: Tasks,
    pub(super) jobs: Vec<Box<dyn FnOnce() + Send>>,
    failures: Vec<Error>,
}

impl<H: Handler> Rehearsal<H> {
    /// One shard with every intent, a token of no bot and all defaults. `make` makes the handler,
    /// and another one after a panic.
    ///
    /// # Panics
    ///
    /// If a [`Filter`](crate::Filter) of the interest is not valid.
    #[track_caller]
    pub fn new(interest: Interest, make: impl Fn() -> H + Send + Sync + 'static) -> Self {
        let started = Token::new(TOKEN)
            .map_err(Error::from)
            .and_then(|token| {
                Config::builder(token, Intents::ALL)
                    .interest(interest)
                    .shards(Shards::all(1))
                    .gateway_url(GATEWAY_URL)
                    .build()
            })
            .and_then(|config| Self::start(config, move |_core| Ok(make())));
        match started {
            Ok(stage) => stage,
            Err(error) => panic!("{error}"),
        }
    }

    /// The configuration that the bot runs with, in place of
    /// [`Engine::start`](crate::Engine::start): its intents, interest, shards, limits, time-outs,
    /// presence, budget, [gate](crate::ConfigBuilder::identify_gate) and
    /// [ledger](crate::ConfigBuilder::start_ledger) hold. The shards dial at once, each when it is
    /// its turn.
    ///
    /// Nothing is discovered (where as many shards as recommended are wanted, one runs) and no
    /// [`book`](crate::ConfigBuilder::book) is opened. Without a
    /// [`seed`](crate::ConfigBuilder::seed) it is always the same one.
    ///
    /// # Errors
    ///
    /// As [`Engine::start`](crate::Engine::start), where the configuration is at fault, the budget
    /// does not cover the start, or the factory fails.
    pub fn start<F>(mut config: Config, factory: F) -> Result<Self, Error>
    where
        F: Fn(usize) -> Result<H, Error> + Send + Sync + 'static,
    {
        if config.shards.is_recommended() {
            config.shards = Shards::all(1);
        }
        config.compression = Compression::None;
        let mut rng = Rng::new(config.seed.unwrap_or(SEED));
        let guards = guards(&config, rng.next_u64())?;
        let common = Arc::new(Common::of(&config, None, guards)?);
        let clock = Rc::new(Cell::new(Time::ZERO));
        let desks = Rc::clone(&clock);
        let desk = Desk::new(
            0,
            Arc::new(factory),
            &config.limits,
            Box::new(move || desks.get()),
            EPOCH_MS,
        )?;
        let ids = config.shards.ids().iter().map(|id| ShardId::new(*id, config.shards.total()));
        let lines = ids
            .map(|id| Line::new(Shard::new(id, Arc::clone(&common), rng.next_u64()), &config.token))
            .collect();
        let mut stage = Self {
            desk,
            lines,
            clock,
            refusal: None,
            limits: config.limits,
            tasks: Tasks::default(),
            jobs: Vec::new(),
            failures: Vec::new(),
        };
        for at in 0..stage.lines.len() {
            stage.lines[at].shard.start(Time::ZERO);
            stage.turn(at);
        }
        Ok(stage)
    }

    /// Discord's side of one shard.
    ///
    /// # Panics
    ///
    /// If no shard of that id runs.
    #[track_caller]
    pub fn gateway(&mut self, shard: u32) -> Gateway<'_, H> {
        match self.lines.iter().position(|line| line.shard.id().id == shard) {
            Some(at) => Gateway::new(self, at),
            None => panic!("no shard {shard} runs here"),
        }
    }

    fn first(&mut self) -> Gateway<'_, H> {
        Gateway::new(self, 0)
    }

    /// Gives every shard that has no session its READY, in their order; see [`Gateway::ready`].
    ///
    /// # Panics
    ///
    /// As [`Gateway::ready`].
    #[track_caller]
    pub fn ready(&mut self) {
        for at in 0..self.lines.len() {
            if self.lines[at].shard.session().state() != State::Active {
                Gateway::new(self, at).ready();
            }
        }
    }

    /// A dispatch; see [`Gateway::dispatch`].
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn dispatch(&mut self, name: &str, data: &str) -> Dispatched {
        self.first().dispatch(name, data)
    }

    /// The connection is cut; see [`Gateway::disconnect`].
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn disconnect(&mut self) {
        self.first().disconnect();
    }

    /// The session goes on; see [`Gateway::resume`].
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn resume<'m>(&mut self, missed: impl IntoIterator<Item = (&'m str, &'m str)>) {
        self.first().resume(missed);
    }

    /// The session is declared invalid; see [`Gateway::lose_session`].
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn lose_session(&mut self) {
        self.first().lose_session();
    }

    /// What [`Handle::unpause`](crate::Handle::unpause) does; see [`Gateway::unpause`].
    pub fn unpause(&mut self) {
        self.first().unpause();
    }

    /// The commands that came at the gateway since the last time; see [`Gateway::take_sent`].
    pub fn take_sent(&mut self) -> Vec<String> {
        self.first().take_sent()
    }

    /// What the first shard waits for.
    pub fn state(&self) -> State {
        self.lines[0].shard.session().state()
    }

    /// Lets time pass for all shards: heartbeats go and are acknowledged, back-offs end, time-outs
    /// strike. Each happens at its own moment. With no time at all it lets those go on whose
    /// [`Ack`](crate::Ack)s have come meanwhile.
    pub fn advance(&mut self, time: Duration) {
        self.acknowledged();
        let until = self.now() + time;
        while self.step(until) {}
    }

    /// What time it is, since the start: what [`Context::now`](crate::Context::now) says.
    pub fn now(&self) -> Time {
        self.clock.get()
    }

    /// How long an acknowledgement takes from here on, for all shards: what
    /// [`Context::latency`](crate::Context::latency) will say. At the start 40 ms.
    pub fn round_trip(&mut self, time: Duration) {
        self.lines.iter_mut().for_each(|line| line.peer.round_trip = time);
    }

    /// From here on every dial fails so; `None`: the gateway can be reached again. Connections that
    /// are up stay.
    pub fn refuse_dials(&mut self, end: Option<LinkEnd>) {
        self.refusal = end;
    }

    /// The handler: after a panic, the one that replaced it.
    pub fn handler(&mut self) -> &mut H {
        self.desk.handler()
    }

    /// What [`Handle::metrics`](crate::Handle::metrics) would give.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = self.desk.metrics().clone();
        for line in &self.lines {
            metrics.push_shard(line.shard.report(self.now(), 0));
        }
        metrics.sign(0);
        metrics
    }

    /// What [`Handle::failure`](crate::Handle::failure) would have told so far: refusals, handlers
    /// that panicked too often, futures and jobs that panicked.
    pub fn failures(&mut self) -> &[Error] {
        self.failures.extend(self.desk.stage.take_failures());
        &self.failures
    }

    /// Runs what the handler gave to [`Context::spawn`](crate::Context::spawn) until each future
    /// has ended or waits for something; gives how many still wait.
    ///
    /// They are polled here, outside of any runtime: channels, locks and other futures that need
    /// none work; tokio's timers, sockets and `spawn` want a runtime to be entered, and panic
    /// without. Their time is not the rehearsal's. For those use
    /// [`finish_spawned`](Self::finish_spawned).
    pub fn run_spawned(&mut self) -> usize {
        let panics = self.tasks.run();
        self.count_task_panics(panics);
        self.acknowledged();
        self.tasks.len()
    }

    /// Runs them to their end on the caller's runtime, as in a `#[tokio::test]` (of the
    /// current-thread flavour, as a core's is), where they may use all of tokio: with
    /// `start_paused = true` its timers cost no time.
    pub fn finish_spawned(&mut self) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            let (panics, poll) = self.tasks.poll(cx);
            self.count_task_panics(panics);
            poll
        })
    }

    fn count_task_panics(&mut self, panics: u64) {
        self.desk.stage.metrics.counters.task_panics += panics;
        for _ in 0..panics {
            let detail = "a future that the handler spawned on core 0 panicked";
            self.failures.push(Error::new(ErrorKind::HandlerPanicked, detail));
        }
    }

    /// Runs the jobs that the handler gave to
    /// [`Context::spawn_blocking`](crate::Context::spawn_blocking), here and in their order; gives
    /// how many there were. The panic of one is told by [`failures`](Self::failures).
    pub fn run_blocking(&mut self) -> usize {
        let jobs = std::mem::take(&mut self.jobs);
        let count = jobs.len();
        for job in jobs {
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                let detail = "a job that the handler gave to the helper threads panicked";
                self.failures.push(Error::new(ErrorKind::HandlerPanicked, detail));
            }
        }
        self.acknowledged();
        count
    }

    /// What [`Engine::stop`](crate::Engine::stop) does: the sessions end, what was spawned is
    /// dropped, and [`Handler::on_stop`] runs. Gives whether it came to its end; if it waits for
    /// something of a runtime, use [`finish`](Self::finish).
    pub fn stop(&mut self) -> bool {
        self.end_shards();
        run_to_rest(std::pin::pin!(self.desk.handler().on_stop()))
    }

    /// The same, with [`Handler::on_stop`] to be awaited on the caller's runtime.
    pub fn finish(&mut self) -> impl Future<Output = ()> {
        self.end_shards();
        self.desk.handler().on_stop()
    }

    fn end_shards(&mut self) {
        for at in 0..self.lines.len() {
            self.lines[at].shard.stop(self.clock.get(), false);
            self.turn(at);
        }
        self.tasks = Tasks::default();
    }
}

impl<H: Handler> fmt::Debug for Rehearsal<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rehearsal")
            .field("now", &self.now())
            .field("shards", &self.lines.len())
            .finish_non_exhaustive()
    }
}

/// The guards of an engine of this configuration, without a book.
fn guards(config: &Config, seed: u64) -> Result<Guards, Error> {
    let (ids, total) = (config.shards.ids(), config.shards.total());
    let max_concurrency = config.max_concurrency.unwrap_or(1);
    let fleet = ids.iter().map(|id| ShardId::new(*id, total));
    let gate: Arc<dyn IdentifyGate> = match &config.identify_gate {
        Some(gate) => Arc::clone(gate),
        None => Arc::new(LocalGate::with_fleet(max_concurrency, fleet)),
    };
    let ledger: Arc<dyn StartLedger> = match &config.start_ledger {
        Some(ledger) => Arc::clone(ledger),
        None => Arc::new(MemoryLedger::new()),
    };
    let budget = Arc::new(Budget::new(config.budget, ledger, None, Time::ZERO));
    let shards = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    budget
        .check_start(shards, max_concurrency, Time::ZERO)
        .map_err(|error| Error::new(ErrorKind::Budget, error.to_string()))?;
    let admission = Arc::new(Admission::new(config.limits.dials_max, seed));
    Ok(Guards { admission, budget, gate, verdict: Arc::default() })
}

/// The token of [`Rehearsal::new`]: of no bot.
const TOKEN: &str = "a.rehearsals.token";
/// Never dialled.
const GATEWAY_URL: &str = "ws://gateway.rehearsal";
/// The seed where the configuration names none.
const SEED: u64 = 1;
/// Unix milliseconds at the start: what lags are measured by.
const EPOCH_MS: u64 = 1_767_225_600_000;

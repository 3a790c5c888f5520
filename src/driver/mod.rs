//! The only room with I/O: threads, pinning, io_uring, and the handles to them.
//!
//! It moves bytes between sockets and shards and does what shards order; it knows no rule of the
//! protocol. Start here: [`Engine::start`] starts the helpers, then one pinned thread per core
//! (`core.rs`, the loop), each with its ring (`ring.rs`), its links (`link.rs`) and its shards.

mod book;
mod core;
mod dial;
mod eyeballs;
mod gateway_info;
mod handle;
mod helpers;
mod hold;
mod link;
mod mailbox;
mod names;
mod receipt;
mod receive;
mod rest;
mod ring;
mod route;
mod run;
mod shared;
mod stages;
mod start;
mod system;
pub(crate) mod tasks;
mod tend;
mod unread;
mod warning;
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

pub use book::{Book, BookError, HostClock};
pub use gateway_info::GatewayInfo;
pub use handle::{CommandReceipts, CommandTally, Handle, ShardHandle};
pub use mailbox::Stop;
pub use receipt::Receipt;
pub use shared::StageCounts;
pub use warning::Warning;

use crate::clock::{Rng, Time};
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::shard::budget::Forecast;
use crate::shard::handler::Handler;
use crate::shard::{Common, Factory};

use self::core::Clock;
use self::gateway_info::Facts;
use self::helpers::Helpers;
use self::mailbox::{Mail, Mailbox};
use self::route::Route;
use self::run::{CoreSeat, run_core};
use self::shared::Shared;
use self::start::{Found, Guarded};
use self::watch::{Refresh, Watch};

/// The engine: its threads run until [`stop`](Self::stop), or until no shard is left that could.
///
/// Dropping it without [`join`](Self::join) lets the threads run on; handles still reach them.
pub struct Engine {
    handle: Handle,
    threads: Vec<JoinHandle<Result<(), Error>>>,
    forecast: Forecast,
}

impl Engine {
    /// Asks `GET /gateway/bot`, if that is wanted
    /// ([`discovery`](crate::ConfigBuilder::discovery)), which blocks for up to a minute where
    /// Discord does not answer; sees whether the day's session starts cover the shards; starts one
    /// pinned thread per core, each with a handler of its own; and returns when all run. Shards
    /// connect after that: see [`Handle::ready`].
    ///
    /// `factory` is called on each core's thread with the core's number, from 0; and again after
    /// a panic of that core's handler.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::IoUring`] where io_uring is denied or too old, [`ErrorKind::Limit`] where
    /// `RLIMIT_NOFILE` or `RLIMIT_MEMLOCK` is too low, [`ErrorKind::Thread`] where a thread cannot
    /// be made or pinned, [`ErrorKind::Config`] where more cores are asked for than the process
    /// may use, and whatever `factory` gives. [`ErrorKind::Token`] and [`ErrorKind::Discovery`] of
    /// the asking, [`ErrorKind::Tls`] without a root to believe in, [`ErrorKind::Book`] where the
    /// file of session starts cannot be used, [`ErrorKind::Budget`] where what is left of them
    /// does not cover the start. Nothing runs then, and no session start was spent.
    pub fn start<H, F>(mut config: Config, factory: F) -> Result<Self, Error>
    where
        H: Handler,
        F: Fn(usize) -> Result<H, Error> + Send + Sync + 'static,
    {
        let mut route = Route::new(&config)?;
        let mut found = start::discover(&mut config, &route)?;
        route.prepare(&config)?;
        let route = Arc::new(route);
        let cpus = system::choose_cpus(&config.cores, &system::allowed_cpus()?)?;
        let cpus = &cpus[..cpus.len().min(config.shards.ids().len())];
        system::ensure_descriptors(config.shards.ids().len())?;
        // Before anything is pinned: helpers keep the mask of the process.
        let helpers = Helpers::start(config.limits.helper_threads, config.limits.blocking_len_max)?;
        let resolvers = Helpers::start_resolvers()?;
        let shards_len = config.shards.ids().len();
        let shared = Arc::new(Shared::new(helpers, resolvers, shards_len, cpus.len()));
        let mailboxes: Arc<[Arc<Mailbox>]> =
            cpus.iter().map(|_| Arc::new(Mailbox::new(config.limits.mailbox_len_max))).collect();
        let handle = Handle::new(Arc::clone(&mailboxes), Arc::clone(&shared), &config);
        let factory: Factory<H> = Arc::new(factory);
        let mut rng = Rng::new(config.seed.unwrap_or_else(run::random_seed));
        let clock = Clock::start();
        let guarded = start::guard(&config, &found, clock.now(), rng.next_u64())?;
        shared.set_facts(facts(&config, &found, &guarded, clock));
        let refresh = Refresh::new(found.asker.take(), guarded.own_gate, &config, clock);
        let mut watch = Some(Watch::new(&guarded.guards, guarded.book, refresh, clock.now()));
        let common = Arc::new(Common::of(&config, found.recommended_shards(), guarded.guards)?);
        found.warnings.into_iter().for_each(|warning| shared.warn(warning));
        let config = Arc::new(config);
        let (started, starts) = mpsc::channel();
        let mut threads = Vec::with_capacity(cpus.len());
        for (index, cpu) in cpus.iter().enumerate() {
            let seat = CoreSeat {
                index,
                cores: cpus.len(),
                cpu: *cpu,
                config: Arc::clone(&config),
                factory: Arc::clone(&factory),
                common: Arc::clone(&common),
                mailbox: Arc::clone(&mailboxes[index]),
                shared: Arc::clone(&shared),
                route: Arc::clone(&route),
                clock,
                seed: rng.next_u64(),
                watch: watch.take(), // the first core looks for all
            };
            let started = started.clone();
            let thread = std::thread::Builder::new()
                .name(format!("shardring-{index}"))
                .spawn(move || run_core(seat, started))
                .map_err(|error| {
                    Error::new(ErrorKind::Thread, format!("cannot start a thread: {error}"))
                });
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => return Err(Self::give_up(error, &handle, threads)),
            }
        }
        drop(started);
        if let Err(error) = cpus.iter().try_for_each(|_| await_start(&starts)) {
            return Err(Self::give_up(error, &handle, threads));
        }
        // Not before: an IDENTIFY of a start that fails would be spent for nothing.
        for mailbox in mailboxes.iter() {
            // Closed: that core has ended already, and `failure` tells why.
            let _ = mailbox.push_internal(Mail::Start);
        }
        Ok(Self { handle, threads, forecast: guarded.forecast })
    }

    /// [`start`](Self::start), and returns when every shard is READY.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use shardring::{Config, Context, Engine, Error, Event, Handler};
    /// # struct Bot;
    /// # impl Handler for Bot { fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {} }
    /// # fn run(config: Config) -> Result<(), Error> {
    /// let engine = Engine::start_ready(config, |_core| Ok(Bot), Duration::from_secs(120))?;
    /// println!("{} shards are up", engine.handle().stages().ready);
    /// # engine.join() }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `start`; [`ErrorKind::Refused`] if Discord refuses a shard for good;
    /// [`ErrorKind::TimedOut`] if they are not READY within `at_most` (what
    /// [`forecast`](Self::forecast) says is how long they need at the least). Nothing runs then:
    /// the engine has been stopped, and the sessions that there were have ended.
    pub fn start_ready<H, F>(config: Config, factory: F, at_most: Duration) -> Result<Self, Error>
    where
        H: Handler,
        F: Fn(usize) -> Result<H, Error> + Send + Sync + 'static,
    {
        let engine = Self::start(config, factory)?;
        let error = match engine.handle.ready().wait_timeout(at_most) {
            Ok(Ok(())) => return Ok(engine),
            Ok(Err(error)) => error,
            Err(_) => {
                let (counts, total) = (engine.handle.stages(), engine.handle.shards().len());
                let detail = format!(
                    "after {at_most:?} not every shard has been READY: of {total}, {} are \
                     connected and {} ready",
                    counts.connected, counts.ready
                );
                Error::new(ErrorKind::TimedOut, detail)
            }
        };
        // The first error is the one to tell.
        let _ = engine.stop(Stop::EndSessions);
        Err(error)
    }

    fn give_up(
        error: Error,
        handle: &Handle,
        threads: Vec<JoinHandle<Result<(), Error>>>,
    ) -> Error {
        handle.stop(Stop::EndSessions);
        for thread in threads {
            // The first error is the one to tell.
            let _ = thread.join();
        }
        error
    }

    /// How long the start takes and what it costs: its `Display` is a sentence. It is told to the
    /// log, too.
    pub fn forecast(&self) -> Forecast {
        self.forecast
    }

    /// A handle: clone it, send it anywhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops: every shard closes its connection, [`Handler::on_stop`] is awaited on each core, the
    /// threads end. Returns when they have, after at most twice
    /// [`Limits::stop_timeout`](crate::Limits::stop_timeout) unless a handler blocks.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    pub fn stop(self, stop: Stop) -> Result<(), Error> {
        self.handle.stop(stop);
        self.join()
    }

    /// Waits for the threads to end: after a [`Handle::stop`], or when Discord has refused every
    /// shard for good.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] if Discord refused every shard of a core for good, and
    /// [`ErrorKind::CoreFailed`] if a thread ended by a fault of this library.
    pub fn join(self) -> Result<(), Error> {
        let mut result = Ok(());
        for thread in self.threads {
            let ended = thread.join().unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::CoreFailed, "a core's thread panicked"))
            });
            result = result.and(ended);
        }
        self.handle.close();
        result
    }
}

/// What handles tell of the gateway.
fn facts(config: &Config, found: &Found, guarded: &Guarded, clock: Clock) -> Facts {
    let now = clock.now();
    let facts = Facts {
        budget: Arc::clone(&guarded.guards.budget),
        clock,
        origin: SystemTime::now() - now.since(Time::ZERO),
        url: config.gateway_url.to_string(),
        max_concurrency: config.max_concurrency.filter(|_| config.max_concurrency_given),
        told: Mutex::default(),
    };
    if let Some(info) = &found.info {
        facts.tell(info, now);
    }
    facts
}

/// Waits until one more core is up.
fn await_start(starts: &mpsc::Receiver<Result<(), Error>>) -> Result<(), Error> {
    starts.recv().unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::CoreFailed, "a core's thread panicked as it started"))
    })
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("cores", &self.threads.len()).finish_non_exhaustive()
    }
}

//! A core's thread from its first line to its last: pin, runtime, ring, loop, end.
//!
//! Part of [`Core`]: it drives turns and sleeps between them, as `rest.rs` has it. Invariant: a
//! core that ends, by a panic too, leaves nobody waiting for it.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::{Rng, Time};
use crate::config::Config;
use crate::driver::core::{Clock, Core};
use crate::driver::mailbox::{Mail, Mailbox};
use crate::driver::rest::Rest;
use crate::driver::ring::{Ring, RingLimits};
use crate::driver::route::Route;
use crate::driver::shared::Shared;
use crate::driver::system;
use crate::driver::tend::within;
use crate::driver::watch::Watch;
use crate::error::{Error, ErrorKind};
use crate::shard::handler::Handler;
use crate::shard::{Common, Desk, Factory, Shard, ShardId};

/// What a core's thread is given.
pub(super) struct CoreSeat<H> {
    pub(super) index: usize,
    pub(super) cores: usize,
    pub(super) cpu: usize,
    pub(super) config: Arc<Config>,
    pub(super) factory: Factory<H>,
    pub(super) common: Arc<Common>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) shared: Arc<Shared>,
    pub(super) route: Arc<Route>,
    pub(super) clock: Clock,
    pub(super) seed: u64,
    pub(super) watch: Option<Watch>,
}

/// The thread's whole life. Tells by `started` whether it came up.
pub(super) fn run_core<H: Handler>(
    seat: CoreSeat<H>,
    started: mpsc::Sender<Result<(), Error>>,
) -> Result<(), Error> {
    if let Err(error) = system::pin(seat.cpu) {
        let _ = started.send(Err(error.clone()));
        return Err(error);
    }
    let mut flags = tokio_uring::uring_builder();
    // Without these each completion interrupts whatever the thread computes. Not DEFER_TASKRUN:
    // tokio-uring watches its ring by epoll, and would never see anything complete.
    flags.setup_coop_taskrun().setup_single_issuer();
    let mut builder = tokio_uring::builder();
    builder.entries(RUNTIME_ENTRIES).uring_builder(&flags);
    let runtime = match tokio_uring::Runtime::new(&builder) {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = system::ring_error(&error);
            let _ = started.send(Err(error.clone()));
            return Err(error);
        }
    };
    let _leave = Leave { mailbox: Arc::clone(&seat.mailbox), shared: Arc::clone(&seat.shared) };
    let shared = Arc::clone(&seat.shared);
    let ended = runtime.block_on(async {
        let mut core = match build(seat) {
            Ok(core) => core,
            Err(error) => {
                let _ = started.send(Err(error.clone()));
                return Err(error);
            }
        };
        let _ = started.send(Ok(()));
        drop(started);
        core.run().await
    });
    if let Err(error) = &ended {
        shared.ended_by(error);
        if error.kind() == ErrorKind::CoreFailed {
            // The other cores run on: whoever waits for a failure must hear of it now.
            shared.raise(error.clone());
        }
    }
    ended
}

/// Lets nobody wait for a core that has ended, by a panic too.
struct Leave {
    mailbox: Arc<Mailbox>,
    shared: Arc<Shared>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.mailbox.close();
        if std::thread::panicking() {
            let error = Error::new(
                ErrorKind::CoreFailed,
                "a core's thread panicked: its shards are gone, please report it",
            );
            self.shared.ended_by(&error);
            self.shared.raise(error);
        }
        self.shared.core_ended();
    }
}

/// Entries of the runtime's own ring: the user's futures may use it.
const RUNTIME_ENTRIES: u32 = 64;

fn build<H: Handler>(seat: CoreSeat<H>) -> Result<Core<H>, Error> {
    let config = &seat.config;
    let limits = RingLimits {
        buffers: config.limits.receive_buffers,
        buffer_len: config.limits.receive_buffer_len,
    };
    let mut ring = Ring::new(limits).map_err(|error| system::ring_error(&error))?;
    ring.try_out().map_err(|error| system::ring_error(&error))?;
    let mut rng = Rng::new(seat.seed);
    let shards = config
        .shards
        .ids()
        .iter()
        // Spread in turn, as `Handle::mailbox` knows: a guild stays on its core.
        .skip(seat.index)
        .step_by(seat.cores)
        .map(|id| {
            let id = ShardId::new(*id, config.shards.total());
            Shard::new(id, Arc::clone(&seat.common), rng.next_u64())
        })
        .collect();
    let clock = seat.clock;
    let mut desk = Desk::new(
        seat.index,
        Arc::clone(&seat.factory),
        &config.limits,
        Box::new(move || clock.now()),
        unix_ms().saturating_sub(clock.now().as_ms()),
    )?;
    let mailbox = Arc::clone(&seat.mailbox);
    desk.stage.effects.acks.wake = Arc::new(move |shard| {
        // Closed: the core has ended, and nobody waits. At most two a shard are under way: one that
        // it has asked for, and one alarm.
        let _ = mailbox.push_internal(Mail::Acked { shard });
    });
    let mut core =
        Core::new(config, ring, shards, desk, clock, seat.mailbox, seat.shared, seat.route, rng);
    core.watch = seat.watch;
    Ok(core)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A seed that differs from run to run.
pub(super) fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32)
}

impl<H: Handler> Core<H> {
    async fn run(&mut self) -> Result<(), Error> {
        let eventfd = self.ring.eventfd().try_clone().map_err(|e| system::ring_error(&e))?;
        let wake = Arc::clone(&self.mailbox.wake);
        let mut rest = Rest::new(eventfd, wake).map_err(|error| system::ring_error(&error))?;
        loop {
            let more = self.turn().map_err(|error| {
                Error::new(ErrorKind::CoreFailed, format!("the receive ring failed: {error}"))
            })?;
            self.raise_failures();
            if self.stopping.is_some() || self.is_over() {
                break;
            }
            self.rest(&mut rest, more, None).await;
        }
        self.wind_up(&mut rest).await
    }

    /// Closes what is open, lets the handler finish, and says how it went.
    async fn wind_up(&mut self, rest: &mut Rest) -> Result<(), Error> {
        let end = self.clock.now() + self.limits.stop_timeout;
        let mut abandoned = false;
        while self.links.len() > 0 || !self.is_over() {
            let more = self.turn().unwrap_or(false);
            let now = self.clock.now();
            if now >= end && !abandoned {
                self.abandon();
                abandoned = true;
            }
            if now >= end + self.limits.stop_timeout {
                break; // What is in flight is leaked rather than freed under the kernel.
            }
            if self.links.len() == 0 && self.is_over() {
                break;
            }
            self.rest(rest, more, Some(now + WIND_UP_LOOK)).await;
        }
        if !self.aborting {
            self.let_handler_finish().await;
        }
        let metrics = self.metrics();
        self.shared.keep_metrics(metrics);
        match self.refused.take() {
            Some(error) if self.stopping.is_none() => Err(error),
            _ => Ok(()),
        }
    }

    async fn let_handler_finish(&mut self) {
        let ended = on_stop(&mut self.desk.stage.handler);
        if let Some(Err(())) = within(self.limits.stop_timeout, ended).await {
            let core = self.desk.stage.core;
            self.shared.raise(Error::new(
                ErrorKind::HandlerPanicked,
                format!("the handler of core {core} panicked as it was to stop"),
            ));
        }
    }

    /// Lets the runtime have its turn; sleeps if there is nothing to do, at the latest until `by`.
    async fn rest(&mut self, rest: &mut Rest, more: bool, by: Option<Time>) {
        let now = self.clock.now();
        if more {
            rest.give_way(now, self.tasks.running() > 0).await;
            return;
        }
        let due = self.next_deadline().into_iter().chain(by).min();
        rest.sleep(now, due).await;
        let now = self.clock.now();
        self.overslept(now, due);
    }
}

/// Lets the handler finish; its panic is its own.
async fn on_stop<H: Handler>(handler: &mut H) -> Result<(), ()> {
    // After a panic neither the handler nor its future is called again.
    let made = catch_unwind(AssertUnwindSafe(move || {
        let handler = handler; // Moved in, as the future borrows it for longer than the call.
        handler.on_stop()
    }));
    let mut future = pin!(made.map_err(drop)?);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(())),
    })
    .await
}

/// How often the end of connections is looked at while stopping.
const WIND_UP_LOOK: Duration = Duration::from_millis(50);

impl Ring {
    /// Tries the operations that the engine lives on, on a pair of sockets.
    ///
    /// # Errors
    ///
    /// Those of the kernel: an old one does not know multishot receives.
    fn try_out(&mut self) -> io::Result<()> {
        use std::io::Write as _;
        let (mut near, far) = system::socket_pair()?;
        near.write_all(b"?")?;
        self.receive(far.as_raw_fd(), TRY_OUT)?;
        let mut received = false;
        for _ in 0..TRY_OUT_LOOKS {
            self.enter()?;
            while let Some(completion) = self.reap() {
                let result = completion.result;
                if let Some(filled) = completion.filled {
                    received |= self.bytes(&filled) == b"?";
                    self.recycle(filled);
                }
                if result < 0 {
                    return Err(io::Error::from_raw_os_error(-result));
                }
                if !completion.more {
                    return if received { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) };
                }
            }
            if received {
                // The other end goes, and with it the receive ends.
                near.shutdown(std::net::Shutdown::Both)?;
            }
        }
        Err(io::ErrorKind::Unsupported.into())
    }
}

const TRY_OUT: u64 = u64::MAX;
const TRY_OUT_LOOKS: u32 = 1000;

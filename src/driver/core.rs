//! One pinned thread: its ring, its shards, its handler. The loop that everything runs in.
//!
//! A turn reaps completions and hands their bytes to the shards, works off what waits, looks at
//! deadlines and mail, and drains each shard it touched: orders, bytes to send, the next deadline.
//! It never parses a byte and knows no rule of the protocol. Invariants: a shard is settled after
//! each input; a ring buffer is recycled before the next completion is looked at; a turn ends
//! after [`Limits::turn`] so that timers, mail and the handler's futures have theirs.
//!
//! The engine starts it; it calls shards, ring and links.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::{Rng, Time};
use crate::config::{Config, Limits};
use crate::driver::dial::Dialing;
use crate::driver::link::{LinkKey, Links, Op, Receive, Sending};
use crate::driver::mailbox::{Mailbox, Stop};
use crate::driver::ring::{Completion, Ring};
use crate::driver::route::Route;
use crate::driver::shared::Shared;
use crate::driver::stages::Waiters;
use crate::driver::system::{self, TcpTimeouts};
use crate::driver::tasks::TaskCount;
use crate::driver::unread::{Held, Unread};
use crate::driver::watch::Watch;
use crate::error::Error;
use crate::shard::close::LinkEnd;
use crate::shard::handler::Handler;
use crate::shard::stage::Stage;
use crate::shard::{Action, Desk, Shard};
use crate::wire::RecordBuffer;

/// The clock of an engine: the same origin for all its cores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }
}

/// One thread's everything.
pub(crate) struct Core<H: Handler> {
    // Drop order: the ring goes before what its operations point to.
    pub(crate) ring: Ring,
    pub(crate) links: Links,
    pub(crate) shards: Vec<Slot>,
    pub(crate) desk: Desk<H>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    /// How long a TCP connect may take: as long as the session lets a whole dial take.
    pub(super) dial_timeout: Duration,
    /// How the kernel looks after a connection on which nothing moves.
    pub(super) tcp: TcpTimeouts,
    pub(super) route: Arc<Route>,
    /// Where a TLS record that came in pieces is put together.
    pub(super) record: RecordBuffer,
    pub(crate) linger: Duration,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) rng: Rng,
    pub(super) deadlines: BinaryHeap<Reverse<(Time, Wake)>>,
    /// Links with a backlog to work on.
    pub(super) runnable: VecDeque<LinkKey>,
    /// Links whose receive ended for want of buffers: armed again at the turn's end.
    pub(super) starved: Vec<LinkKey>,
    pub(super) unread: Unread,
    pub(crate) stopping: Option<Stop>,
    /// At once: nobody is waited for.
    pub(super) aborting: bool,
    /// Who waits for stages of this core's shards.
    pub(super) waiters: Waiters,
    /// Receivers that the full pool holds back.
    pub(super) held_back: usize,
    /// Bytes in the pool when it was last looked after.
    pub(super) relieved_len: usize,
    /// Which receivers go on in a full pool: from this one, by position.
    pub(super) few_from: usize,
    pub(super) relief_planned: bool,
    /// The receiver that is never held, by what it lacks; and since when it lacks that.
    pub(super) leader: Option<(usize, LinkKey)>,
    pub(super) leader_since: Time,
    /// Futures that the handler has spawned.
    pub(super) tasks: TaskCount,
    /// The first shard that Discord refused for good.
    pub(super) refused: Option<Error>,
    /// Dials so far: names the answers of the resolver.
    pub(super) dials: u64,
    pub(super) trim_planned: bool,
    /// What this core looks at for all.
    pub(super) watch: Option<Watch>,
}

/// A shard and where it stands with this core.
pub(crate) struct Slot {
    pub(crate) shard: Shard,
    pub(crate) link: Option<LinkKey>,
    /// The earliest deadline of it that lies in the heap.
    pub(super) armed: Option<Time>,
    /// The connection that is being made.
    pub(super) dialing: Option<Box<Dialing>>,
    /// The engine knows that it was READY.
    pub(super) told_ready: bool,
    /// The stage that those who wait know of.
    pub(super) stage: Stage,
    /// Time in which what came for this shard waited: its connection was held, or it had a backlog.
    pub(super) held: Held,
}

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    Shard(u32),
    /// The next address of a shard's dial may be tried.
    Dial(u32),
    /// A send of this link should have ended.
    Send(LinkKey),
    /// The scratch that a large payload left is to be given back.
    Trim,
    /// Receivers are held back for the pool.
    Relief,
    /// It is time to look at what concerns all cores.
    Look,
}

/// A link whose backlog is so long, in bytes, is not read until it has been worked off. What the
/// kernel has received by then comes on top: at most the core's receive buffers.
pub(super) const BACKLOG_LEN_MAX: usize = 64 * 1024;

/// So many completions end a [linger](crate::ConfigBuilder::linger) early.
const LINGER_COMPLETIONS: usize = 64;

/// Completions handled between two looks at the ring.
const COMPLETIONS_PER_LOOK: u32 = 256;

impl<H: Handler> Core<H> {
    #[expect(clippy::too_many_arguments, reason = "made in one place, each part from elsewhere")]
    pub(crate) fn new(
        config: &Config,
        ring: Ring,
        shards: Vec<Shard>,
        desk: Desk<H>,
        clock: Clock,
        mailbox: Arc<Mailbox>,
        shared: Arc<Shared>,
        route: Arc<Route>,
        rng: Rng,
    ) -> Self {
        let slots = shards
            .into_iter()
            .map(|shard| Slot {
                shard,
                link: None,
                armed: None,
                dialing: None,
                told_ready: false,
                stage: Stage::Stopped,
                held: Held::default(),
            })
            .collect();
        Self {
            ring,
            links: Links::default(),
            shards: slots,
            desk,
            clock,
            limits: config.limits.clone(),
            dial_timeout: config.timeouts.dial,
            tcp: TcpTimeouts {
                keepalive: config.timeouts.tcp_keepalive,
                user: config.timeouts.tcp_user,
            },
            route,
            record: RecordBuffer::new(),
            linger: config.linger,
            mailbox,
            shared,
            rng,
            deadlines: BinaryHeap::new(),
            runnable: VecDeque::new(),
            starved: Vec::new(),
            unread: Unread { total: Duration::ZERO, read_up_to: clock.now() },
            stopping: None,
            aborting: false,
            waiters: Waiters::default(),
            held_back: 0,
            relieved_len: 0,
            few_from: 0,
            relief_planned: false,
            leader: None,
            leader_since: Time::ZERO,
            tasks: TaskCount::default(),
            refused: None,
            dials: 0,
            trim_planned: false,
            watch: None,
        }
    }

    /// Starts every shard.
    pub(crate) fn start_shards(&mut self) {
        let now = self.clock.now();
        self.refill_room();
        self.look();
        for local in 0..self.shards.len() as u32 {
            self.shards[local as usize].shard.start(now);
            self.settle(local);
        }
    }

    /// One turn. True if there is more to do at once.
    ///
    /// # Errors
    ///
    /// The ring's own, which nothing can mend.
    pub(crate) fn turn(&mut self) -> io::Result<bool> {
        self.desk.stage.metrics.counters.turns += 1;
        let end = self.clock.now() + self.limits.turn;
        self.ring.signal(false);
        self.refill_room();
        let reaped = self.reap(end)?;
        self.work_off_backlogs(end);
        self.read_mail();
        self.expire();
        self.arm_starved()?;
        self.relieve_pool()?;
        self.plan_trim();
        if reaped > 0 && !self.linger.is_zero() && self.ring.is_idle() && self.runnable.is_empty() {
            // More is likely to come soon: one wake-up for all of it.
            self.ring.linger(LINGER_COMPLETIONS, self.linger)?;
            return Ok(true);
        }
        if self.ring.has_submissions() {
            self.ring.enter()?;
        }
        self.ring.signal(true);
        let unsent = self.ring.has_submissions();
        Ok(unsent || !self.ring.is_idle() || !self.runnable.is_empty())
    }

    /// Reaps completions until there are none or the turn is over; gives how many.
    fn reap(&mut self, end: Time) -> io::Result<usize> {
        let mut reaped = 0;
        loop {
            self.ring.enter()?;
            for _ in 0..COMPLETIONS_PER_LOOK {
                let Some(completion) = self.ring.reap() else { break };
                self.complete(completion)?;
                reaped += 1;
                if self.needs_relief() {
                    return Ok(reaped); // Before what is received outruns the pool's reserve.
                }
            }
            let now = self.clock.now();
            if self.ring.is_reaped() {
                // What lies in backlogs is their shards' own affair: see `Held`.
                self.unread.caught_up(now);
            }
            if now >= end || self.ring.is_idle() {
                return Ok(reaped);
            }
        }
    }

    fn complete(&mut self, completion: Completion) -> io::Result<()> {
        let (key, op) = LinkKey::parse(completion.user_data);
        match op {
            Op::Receive => self.received(key, completion)?,
            Op::Send => self.sent(key, completion.result),
            Op::Connect => self.connected(key, completion.result)?,
            Op::Ignored => {}
        }
        self.remove_if_quiet(key);
        Ok(())
    }

    /// The shard's connection is over, by the peer or by the machine.
    pub(super) fn end_link(&mut self, local: u32, end: LinkEnd) {
        let now = self.clock.now();
        self.let_go(local);
        let slot = &mut self.shards[local as usize];
        slot.shard.link_ended(now, end);
        self.settle(local);
    }

    /// Detaches a shard from its link, which then only awaits its last completions.
    pub(super) fn let_go(&mut self, local: u32) {
        let now = self.clock.now();
        let slot = &mut self.shards[local as usize];
        slot.held.set(now, false);
        let mut farewell = slot.shard.take_farewell();
        slot.shard.release(&mut self.desk.pool);
        let key = slot.link.take();
        self.drop_dial(local);
        let Some(key) = key else { return };
        let Some(link) = self.links.find(key) else { return };
        link.shard = None;
        if link.sending.is_none() {
            let mut bytes = Vec::new();
            if link.channel.is_open() {
                // What cannot be said any more is not missed.
                let _ = link.channel.seal(&mut farewell, &mut bytes);
            }
            link.channel.farewell(&mut bytes);
            if !bytes.is_empty() {
                system::send_at_once(link.fd(), &bytes);
            }
        }
        link.channel.release(&mut self.desk.pool);
        link.backlog.clear(&mut self.desk.pool);
        // Ends whatever is in flight, a connect included.
        link.shut_down();
        if link.receive == Receive::Armed {
            link.receive = Receive::Cancelling;
            // Should the queue be full, the shutdown ends the receive all the same.
            let _ = self.ring.cancel(key.user_data(Op::Receive), key.user_data(Op::Ignored));
        }
        self.remove_if_quiet(key);
    }

    pub(super) fn remove_if_quiet(&mut self, key: LinkKey) {
        if self.links.find(key).is_some_and(|link| link.shard.is_none() && link.is_quiet()) {
            self.links.remove(key);
        }
    }

    /// Drains a shard after an input: notices, orders, bytes, deadline.
    pub(crate) fn settle(&mut self, local: u32) {
        // An action may lead to another (a dial that fails at once), never to many: a shard dials
        // again only after a wait.
        let now = self.clock.now();
        while let Some(action) = self.shards[local as usize].shard.settle(now, &mut self.desk) {
            match action {
                Action::Dial(target) => self.dial(local, target),
                Action::Drop => self.let_go(local),
            }
        }
        let slot = &mut self.shards[local as usize];
        if slot.shard.stage() != slot.stage {
            self.stage_changed(local);
        }
        let slot = &mut self.shards[local as usize];
        if slot.shard.was_ready() && !std::mem::replace(&mut slot.told_ready, true) {
            self.shared.shard_ready();
        }
        self.start_send(local);
        self.arm_deadline(local);
        self.hold_or_release(local);
        self.count_held(local);
        self.drain_effects();
    }

    /// Sends what a shard has sealed, if nothing is in flight.
    fn start_send(&mut self, local: u32) {
        let slot = &mut self.shards[local as usize];
        let Some(key) = slot.link else { return };
        let Some(link) = self.links.find(key) else { return };
        if link.sending.is_some() || link.is_broken {
            return;
        }
        let mut plain = Vec::new();
        if link.channel.is_open() {
            plain = slot.shard.take_outgoing().unwrap_or_default();
        }
        if plain.is_empty() && !link.channel.wants_to_write() {
            return;
        }
        let mut bytes = Vec::new();
        if let Err(error) = link.channel.seal(&mut plain, &mut bytes) {
            let end = slot.shard.broke(error);
            self.end_link(local, end);
            return;
        }
        if bytes.is_empty() {
            return;
        }
        let now = self.clock.now();
        let fd = link.fd();
        let unread = self.unread.up_to(now);
        let sending = link.sending.insert(Sending { bytes, since: now, unread });
        // SAFETY: the bytes lie on the heap, owned by the link, which is not removed before this
        // send has completed (`is_quiet`); nobody touches `sending` until `sent` takes it.
        let pushed = unsafe { self.ring.send(fd, &sending.bytes, key.user_data(Op::Send)) };
        match pushed {
            Ok(()) => {
                self.deadlines.push(Reverse((now + self.limits.write_timeout, Wake::Send(key))))
            }
            Err(_) => {
                link.sending = None;
                self.end_link(local, LinkEnd::WriteStuck);
            }
        }
    }

    /// How long nobody has read a shard, since the start.
    pub(super) fn unread_by(&self, local: u32, now: Time) -> Duration {
        self.unread.up_to(now) + self.shards[local as usize].held.up_to(now)
    }

    /// What the loop slept through, if it woke later than it asked for.
    pub(super) fn overslept(&mut self, now: Time, due: Option<Time>) {
        let late = due.map_or(Duration::ZERO, |due| now.since(due));
        self.unread.slept(now, late);
    }
}

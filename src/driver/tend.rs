//! What a core does between completions: deadlines, mail, receivers to arm or to hold back,
//! memory, and the end.
//!
//! No bytes pass here. Invariants: a deadline is judged only after the ring was reaped; while the
//! pool for unfinished messages is full, one large receiver goes on and so frees it. Part of
//! [`Core`].

use std::cmp::Reverse;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Time;
use crate::command::Prepared;
use crate::driver::core::{Core, Wake};
use crate::driver::link::{Hold, LinkKey, Op, Receive};
use crate::driver::mailbox::{Mail, Stop};
use crate::driver::system;
use crate::driver::tasks::run_guarded;
use crate::driver::watch::LOOK_INTERVAL;
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::shard::close::LinkEnd;
use crate::shard::handler::Handler;
use crate::shard::receipt::{Over, Ticket};

impl<H: Handler> Core<H> {
    /// Puts a shard's deadline into the heap, if none as early lies there.
    pub(super) fn arm_deadline(&mut self, local: u32) {
        let slot = &mut self.shards[local as usize];
        let Some(deadline) = slot.shard.poll_deadline() else { return };
        if slot.armed.is_none_or(|armed| deadline < armed) {
            slot.armed = Some(deadline);
            self.deadlines.push(Reverse((deadline, Wake::Shard(local))));
        }
    }

    /// Handles what is due.
    pub(super) fn expire(&mut self) {
        let now = self.clock.now();
        while let Some(Reverse((due, wake))) = self.deadlines.peek().copied()
            && due <= now
        {
            self.deadlines.pop();
            match wake {
                Wake::Shard(local) => self.expire_shard(local, due, now),
                Wake::Dial(local) => self.expire_dial(local, now),
                Wake::Send(key) => self.expire_send(key, now),
                Wake::Look => self.look(),
                Wake::Trim => self.trim(),
                // The turn looks after the pool anyway.
                Wake::Relief => self.relief_planned = false,
            }
        }
    }

    fn expire_shard(&mut self, local: u32, due: Time, now: Time) {
        let unread = self.unread_by(local, now);
        let slot = &mut self.shards[local as usize];
        if slot.armed != Some(due) {
            return; // An earlier one was armed since, and has been handled.
        }
        slot.armed = None;
        if slot.shard.poll_deadline().is_some_and(|deadline| deadline <= now) {
            slot.shard.expire(now, unread);
            self.settle(local);
        } else {
            self.arm_deadline(local);
        }
    }

    fn expire_send(&mut self, key: LinkKey, now: Time) {
        let Some(link) = self.links.find(key) else { return };
        let (Some(sending), Some(local)) = (&link.sending, link.shard) else { return };
        let timeout = self.limits.write_timeout;
        if now.since(sending.since) < timeout {
            return; // A later send, with a deadline of its own.
        }
        // While a handler blocks nothing is submitted and no completion is seen.
        let unread = self.unread.up_to(now).saturating_sub(sending.unread);
        let waited = now.since(sending.since).saturating_sub(unread);
        if waited >= timeout {
            self.end_link(local, LinkEnd::WriteStuck);
        } else {
            self.deadlines.push(Reverse((now + (timeout - waited), Wake::Send(key))));
        }
    }

    /// Looks at what concerns all cores, if that is this one's to do.
    pub(super) fn look(&mut self) {
        let now = self.clock.now();
        if let Some(watch) = &mut self.watch {
            watch.look(now, &self.shared);
            self.deadlines.push(Reverse((now + LOOK_INTERVAL, Wake::Look)));
        }
    }

    /// When the core must be awake again.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.peek().map(|Reverse((due, _))| *due)
    }

    /// Does what other threads asked for.
    pub(super) fn read_mail(&mut self) {
        for _ in 0..MAIL_PER_TURN {
            let Some(mail) = self.mailbox.pop() else { return };
            match mail {
                Mail::Command { shard, command, ticket, given_at } => {
                    self.command(shard, command, ticket, given_at);
                }
                Mail::Visit { shard, visit } => {
                    if let Some(local) = self.local(shard) {
                        visit(self.clock.now(), &mut self.shards[local as usize].shard);
                        self.settle(local);
                    }
                }
                Mail::Acked { shard } => self.acked(shard),
                Mail::Report(report) => report(self.metrics()),
                Mail::Resolved { local, dial, addresses } => self.resolved(local, dial, addresses),
                Mail::Start => self.start_shards(),
                Mail::Await { shard, stage, part } => self.await_stage(shard, stage, part),
                Mail::Order { shard, order, told } => self.order(shard, order, told),
                Mail::Stop(stop) => self.stop(stop),
                Mail::Abort => self.abort(),
            }
        }
        self.mailbox.wake.notify_one();
    }

    fn command(&mut self, shard: u32, mut command: Prepared, ticket: Ticket, given_at: Instant) {
        let Some(local) = self.local(shard) else {
            let error = Error::new(ErrorKind::NoSuchShard, format!("no shard {shard} here"));
            return ticket.end(Over::Rejected(error));
        };
        let waited = given_at.elapsed();
        command.expires_in = command.expires_in.map(|after| after.saturating_sub(waited));
        // Refused: the ticket was told why.
        let _ = self.shards[local as usize].shard.submit(self.clock.now(), command, ticket);
        self.settle(local);
    }

    pub(super) fn local(&self, shard: u32) -> Option<u32> {
        let found = self.shards.binary_search_by_key(&shard, |slot| slot.shard.id().id);
        found.ok().map(|local| local as u32)
    }

    pub(super) fn metrics(&mut self) -> Metrics {
        let now = self.clock.now();
        self.desk.stage.metrics.counters.pool_peak_len =
            self.desk.pool.counters().used_high_len as u64;
        let mut metrics = self.desk.stage.metrics.clone();
        if let Some(watch) = &self.watch {
            metrics.set_start(watch.metrics(now));
        }
        for slot in &self.shards {
            metrics.push_shard(slot.shard.report(now, self.desk.stage.core));
        }
        metrics.sign(self.desk.stage.core);
        metrics
    }

    fn stop(&mut self, stop: Stop) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(stop);
        let now = self.clock.now();
        for local in 0..self.shards.len() as u32 {
            self.shards[local as usize].shard.stop(now, stop == Stop::KeepSessions);
            self.settle(local);
        }
    }

    /// Arms the receivers whose last receive ended, if nothing holds them.
    pub(super) fn arm_starved(&mut self) -> io::Result<()> {
        let mut starved = std::mem::take(&mut self.starved);
        for key in starved.drain(..) {
            let Some(link) = self.links.find(key) else { continue };
            if link.shard.is_none()
                || link.receive != Receive::Off
                || link.hold != Hold::None
                || link.connecting.is_some()
            {
                continue;
            }
            link.receive = Receive::Armed;
            let fd = link.fd();
            self.ring.receive(fd, key.user_data(Op::Receive))?;
        }
        self.starved = starved;
        Ok(())
    }

    /// The pool is full, and has grown since receivers were last held back.
    pub(super) fn needs_relief(&self) -> bool {
        let pool = &self.desk.pool;
        pool.is_tight() && pool.used_len() >= self.relieved_len + RELIEF_STEP_LEN
    }

    /// While the pool is full, lets only those receive that free it; then, step by step, the rest.
    ///
    /// The receiver whose message lacks least is never held: its message becomes whole, and its
    /// chunks free; if its peer falls silent, the next one goes on beside it. Receivers without
    /// anything unfinished go on a few at a time, in turn, so that small messages pass; not once a
    /// part of the reserve is used, which is kept for the first.
    pub(super) fn relieve_pool(&mut self) -> io::Result<()> {
        let (used_len, limits) = (self.desk.pool.used_len(), self.desk.pool.limits());
        self.relieved_len = used_len;
        let is_tight = used_len >= limits.len_max;
        if !is_tight && self.held_back == 0 {
            return Ok(());
        }
        let (mut unfinished, mut empty) = (Vec::new(), Vec::new());
        for (key, link) in self.links.iter_mut() {
            let Some(local) = link.shard.filter(|_| link.connecting.is_none()) else { continue };
            let shard = &self.shards[local as usize].shard;
            match link.hold {
                Hold::Paused | Hold::Backlog => {}
                _ if shard.held_len() + link.held_len() == 0 => empty.push(key),
                _ => unfinished.push((shard.lacking_len().unwrap_or(usize::MAX), key)),
            }
        }
        self.held_back = 0;
        if used_len < limits.len_max / 2 {
            let all = unfinished.into_iter().map(|(_, key)| key).chain(empty);
            all.for_each(|key| self.hold_for_pool(key, false));
            return self.arm_starved();
        }
        self.plan_relief();
        unfinished.sort_unstable();
        let leaders = self.leaders(unfinished.first().copied());
        // Memory that paused shards hold is not freed by waiting: then the small ones go on.
        let keeps_reserve = !unfinished.is_empty();
        let mut room = limits.len_max.saturating_sub(used_len);
        let mut room_hard = (limits.len_max + limits.reserve_len_max).saturating_sub(used_len);
        for (position, (lacking, key)) in unfinished.into_iter().enumerate() {
            let leads = position == 0 || (position < leaders && lacking <= room_hard);
            let goes_on = leads || lacking <= room;
            let brings = if goes_on { lacking } else { 0 };
            (room, room_hard) = (room.saturating_sub(brings), room_hard.saturating_sub(brings));
            self.hold_for_pool(key, !goes_on);
        }
        let is_critical = used_len >= limits.len_max + limits.reserve_len_max / 4;
        let few = if is_critical && keeps_reserve { 0 } else { FEW.max(room / WAKE_LEN) };
        self.few_from = (self.few_from + FEW) % empty.len().max(1);
        for (position, key) in empty.iter().enumerate() {
            let distance = (position + empty.len() - self.few_from) % empty.len();
            self.hold_for_pool(*key, distance >= few);
        }
        self.arm_starved()
    }

    /// How many of the unfinished go on however full the pool is: one, and one more for each second
    /// in which the first has not moved.
    fn leaders(&mut self, first: Option<(usize, LinkKey)>) -> usize {
        let now = self.clock.now();
        if self.leader != first {
            self.leader = first;
            self.leader_since = now;
        }
        1 + (now - self.leader_since).as_secs() as usize
    }

    /// While receivers are held back, the core looks after them even if nothing comes.
    fn plan_relief(&mut self) {
        if !std::mem::replace(&mut self.relief_planned, true) {
            self.deadlines.push(Reverse((self.clock.now() + RELIEF_INTERVAL, Wake::Relief)));
        }
    }

    fn hold_for_pool(&mut self, key: LinkKey, is_held: bool) {
        self.held_back += usize::from(is_held);
        let Some(link) = self.links.find(key) else { return };
        match (link.hold, is_held) {
            (Hold::None, true) => {
                self.desk.stage.metrics.counters.receivers_held_back += 1;
                self.set_hold(key, Hold::Pool);
            }
            // Its receive could not be cancelled then.
            (Hold::Pool, true) if link.receive == Receive::Armed => self.set_hold(key, Hold::Pool),
            (Hold::Pool, false) => self.set_hold(key, Hold::None),
            _ => {}
        }
    }

    /// After a large payload, plans to give back what it left in the scratch.
    pub(super) fn plan_trim(&mut self) {
        if self.desk.wants_trim() && !std::mem::replace(&mut self.trim_planned, true) {
            let at = self.clock.now() + TRIM_DELAY;
            self.deadlines.push(Reverse((at, Wake::Trim)));
        }
    }

    fn trim(&mut self) {
        self.trim_planned = false;
        let longest_len = self.desk.trim();
        system::trim_heap(longest_len * SCRATCH_FACTOR);
    }

    /// Starts what the handler spawned.
    pub(super) fn drain_effects(&mut self) {
        let effects = &mut self.desk.stage.effects;
        if effects.tasks.is_empty() && effects.blocking.is_empty() {
            return;
        }
        for task in effects.tasks.drain(..) {
            self.tasks.accept();
            tokio_uring::spawn(run_guarded(task, self.tasks.clone()));
        }
        for job in effects.blocking.drain(..) {
            let shared = Arc::clone(&self.shared);
            let job = Box::new(move || {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    shared.raise(Error::new(
                        ErrorKind::HandlerPanicked,
                        "a job that the handler gave to the helper threads panicked",
                    ));
                }
            });
            // The context has asked whether there is room; other cores may have taken it since.
            if self.shared.helpers.push(job).is_err() {
                self.shared.raise(Error::new(
                    ErrorKind::Full,
                    "a job for the helper threads was dropped: too many wait",
                ));
            }
        }
        self.refill_room();
    }

    /// Tells the contexts to come how much more may be started. Each turn anew: futures and jobs
    /// end when nothing is started, too.
    pub(super) fn refill_room(&mut self) {
        let room = &mut self.desk.stage.effects.room;
        room.tasks = self.limits.tasks_max.saturating_sub(self.tasks.running());
        room.blocking = self.shared.helpers.room();
    }

    /// Raises on the handle what failed since the last turn.
    pub(super) fn raise_failures(&mut self) {
        for error in self.desk.stage.take_failures() {
            if error.kind() == ErrorKind::Refused {
                self.refused.get_or_insert(error.clone());
            }
            self.shared.raise(error);
        }
        let panics = self.tasks.panics();
        let counted = &mut self.desk.stage.metrics.counters.task_panics;
        if panics > *counted {
            *counted = panics;
            self.shared.raise(Error::new(
                ErrorKind::HandlerPanicked,
                format!(
                    "a future that the handler spawned on core {} panicked",
                    self.desk.stage.core
                ),
            ));
        }
    }

    /// Whether nothing is left to do before the end.
    pub(super) fn is_over(&self) -> bool {
        self.links.len() == 0 && self.shards.iter().all(|slot| slot.shard.is_retired())
    }

    /// Ends every connection without ceremony.
    pub(super) fn abandon(&mut self) {
        let now = self.clock.now();
        for local in 0..self.shards.len() as u32 {
            if self.shards[local as usize].link.is_some() {
                self.let_go(local);
                self.shards[local as usize].shard.link_ended(now, LinkEnd::Reset);
                self.settle(local);
            }
        }
    }
}

/// Awaits a future for at most so long.
pub(super) async fn within<F: Future>(at_most: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(at_most, future).await.ok()
}

/// Calls from other threads that are handled in one turn.
const MAIL_PER_TURN: usize = 1024;

/// Receivers without anything unfinished that go on at a time while the pool is full.
const FEW: usize = 8;

/// What one receiver may bring before the core looks at it: the kernel fills up to 32 buffers in
/// one go.
const WAKE_LEN: usize = 32 * 4096;

/// How often held receivers are looked after at the least.
const RELIEF_INTERVAL: Duration = Duration::from_millis(20);

/// Growth of a full pool, in bytes, after which it is looked after within a turn.
const RELIEF_STEP_LEN: usize = 1 << 20;

/// The scratch of a payload (text, tape, the parser's buffers) in terms of its text, at most.
const SCRATCH_FACTOR: usize = 8;

/// A large payload is often followed by another: scratch is given back this much later, and so at
/// most once in that time.
const TRIM_DELAY: Duration = Duration::from_secs(1);

//! What a driver does, without a world: bytes between shards and peers, and moments in their order.
//!
//! The same steps as a core's: a shard is settled after each input, deadlines are judged after what
//! has arrived by then, a held shard is not read. Part of [`Rehearsal`].

use std::time::Duration;

use crate::clock::Time;
use crate::shard::close::LinkEnd;
use crate::shard::handler::Handler;
use crate::shard::notice::Target;
use crate::shard::token::Token;
use crate::shard::{Action, Flow, Shard};
use crate::testing::peer::Peer;
use crate::testing::rehearsal::Rehearsal;

/// A shard, its gateway, and the time in which nobody read between them.
pub(super) struct Line {
    pub(super) shard: Shard,
    pub(super) peer: Peer,
    held_since: Option<Time>,
    unread: Duration,
}

impl Line {
    pub(super) fn new(shard: Shard, token: &Token) -> Self {
        let peer = Peer::new(shard.id(), token);
        Self { shard, peer, held_since: None, unread: Duration::ZERO }
    }

    fn deadline(&self) -> Option<Time> {
        [self.shard.poll_deadline(), self.peer.next_ack()].into_iter().flatten().min()
    }

    fn unread_up_to(&self, now: Time) -> Duration {
        self.unread + self.held_since.map_or(Duration::ZERO, |since| now - since)
    }

    fn note_held(&mut self, now: Time, is_held: bool) {
        if is_held {
            self.held_since.get_or_insert(now);
        } else if let Some(since) = self.held_since.take() {
            self.unread += now - since;
        }
    }
}

impl<H: Handler> Rehearsal<H> {
    /// Carries bytes between a shard and its peer until neither has any more.
    #[track_caller]
    pub(super) fn turn(&mut self, at: usize) {
        for _ in 0..EXCHANGES_MAX {
            self.lines[at].shard.acknowledgements_came();
            self.settle(at);
            let carried = self.carry(at);
            if !self.give(at) && !carried {
                let (now, halted) = (self.clock.get(), self.desk.is_halted());
                let line = &mut self.lines[at];
                line.note_held(now, line.shard.is_held(halted));
                return;
            }
        }
        panic!("shard {} and its gateway talk without end", self.lines[at].shard.id());
    }

    /// What was acknowledged since the last call of the test lets its shards go on.
    #[track_caller]
    pub(super) fn acknowledged(&mut self) {
        for at in 0..self.lines.len() {
            if !self.lines[at].shard.session().acks.is_unused() {
                self.turn(at);
            }
        }
    }

    /// The peer's bytes go to the shard, a payload at a time; whether any did.
    fn give(&mut self, at: usize) -> bool {
        let now = self.clock.get();
        let mut gave = false;
        while !self.lines[at].peer.inbox.is_empty() {
            self.refill_room();
            let line = &mut self.lines[at];
            if line.shard.is_held(self.desk.is_halted()) {
                break;
            }
            gave = true;
            line.shard.heard(now);
            let mut budget = 1;
            let received = line.shard.receive(now, &line.peer.inbox, &mut budget, &mut self.desk);
            line.peer.taken(received.used, 1 - budget as usize);
            if let Flow::Ended(end) = received.flow {
                self.end(at, end);
            }
            self.settle(at);
            // What it answers goes before what comes next, as on a quick line.
            self.carry(at);
        }
        gave
    }

    /// Drains what the shard wants done.
    fn settle(&mut self, at: usize) {
        let now = self.clock.get();
        self.refill_room();
        while let Some(action) = self.lines[at].shard.settle(now, &mut self.desk) {
            match action {
                Action::Dial(target) => self.dial(at, target),
                Action::Drop => self.hang_up(at),
            }
        }
        let effects = &mut self.desk.stage.effects;
        effects.tasks.drain(..).for_each(|task| self.tasks.push(task));
        self.jobs.append(&mut effects.blocking);
    }

    /// Frames go from the shard to the peer; whether there were any.
    fn carry(&mut self, at: usize) -> bool {
        let now = self.clock.get();
        let line = &mut self.lines[at];
        let Some(bytes) = line.shard.take_outgoing() else { return false };
        line.shard.written(now, &mut self.desk.stage.metrics);
        line.peer.hear(now, &bytes);
        true
    }

    fn dial(&mut self, at: usize, target: Target) {
        let line = &mut self.lines[at];
        line.shard.dial(target);
        match self.refusal {
            Some(end) => self.end(at, end),
            None => line.peer.dialled(),
        }
    }

    /// The connection is over, by the peer or by the way to it.
    pub(super) fn end(&mut self, at: usize, end: LinkEnd) {
        self.hang_up(at);
        self.lines[at].shard.link_ended(self.clock.get(), end);
    }

    fn hang_up(&mut self, at: usize) {
        let line = &mut self.lines[at];
        // The answer to a close frame: nobody is there to read it.
        line.shard.take_farewell();
        line.shard.release(&mut self.desk.pool);
        line.peer.hang_up();
    }

    fn refill_room(&mut self) {
        let room = &mut self.desk.stage.effects.room;
        room.tasks = self.limits.tasks_max.saturating_sub(self.tasks.len());
        room.blocking = self.limits.blocking_len_max.saturating_sub(self.jobs.len());
    }

    /// Goes on to the next moment at which something is due, at most to `until`; whether anything
    /// was.
    #[track_caller]
    pub(super) fn step(&mut self, until: Time) -> bool {
        let due = self.lines.iter().filter_map(Line::deadline).min();
        let Some(due) = due.filter(|due| *due <= until) else {
            self.clock.set(self.clock.get().max(until));
            return false;
        };
        let now = self.clock.get().max(due);
        self.clock.set(now);
        for at in 0..self.lines.len() {
            // What has arrived is read before anything is judged.
            if self.lines[at].peer.acknowledge(now) {
                self.turn(at);
            }
            for round in 0.. {
                let line = &mut self.lines[at];
                if line.shard.poll_deadline().is_none_or(|deadline| deadline > now) {
                    break;
                }
                assert!(round < EXCHANGES_MAX, "shard {} is due without end", line.shard.id());
                line.shard.expire(now, line.unread_up_to(now));
                self.turn(at);
            }
        }
        true
    }

    /// Lets time pass until something is so.
    #[track_caller]
    pub(super) fn until(&mut self, at: usize, what: &str, is_so: impl Fn(&Line) -> bool) {
        let until = self.clock.get() + WAIT_MAX;
        loop {
            let line = &self.lines[at];
            if is_so(line) {
                return;
            }
            let state = line.shard.session().state();
            let id = line.shard.id();
            if line.shard.is_retired() || !self.step(until) {
                panic!("shard {id} is {state:?}, and within {WAIT_MAX:?} {what}");
            }
        }
    }
}

/// Exchanges of a shard and its peer at one moment: far above what any takes.
const EXCHANGES_MAX: u32 = 10_000;

/// For so long a shard is waited for, of the rehearsal's time.
const WAIT_MAX: Duration = Duration::from_secs(2 * 3600);

//! The identify gate: who may IDENTIFY when. The only protocol state that cores share.
//!
//! Discord takes one IDENTIFY per key and 5 s, `key = shard_id % max_concurrency` (protocol
//! section 7). Per key the gate keeps a line of shards and at most one permit. A shard takes a
//! place (`enqueue`), dials when its turn is near (`may_dial`), asks for the permit after HELLO
//! (`ask`) and holds it until its IDENTIFY is written (`written`); the next grant of that key comes
//! [`TURN`] after the write. READY is never waited for. A shard that drops leaves (`give_back`).
//!
//! Order: at the first start by shard id, later by time of asking. One exception keeps the line
//! moving: who has been let dial and has not asked one turn after it could have had the permit is
//! *overdue*; others pass it, and it counts as no turn, until it asks.
//!
//! Invariants: at most one permit a key; two writes of a key lie at least [`TURN`] apart; at most
//! one entry a shard. No clock inside; the lock is held for a few comparisons.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Time;
use crate::shard::id::ShardId;

/// From one written IDENTIFY of a key to the next grant. A little more than Discord's 5 s, as
/// network delay may bring two writes closer together.
pub const TURN: Duration = Duration::from_millis(5250);
/// A shard may dial when it is at most this many turns from its permit.
pub const TURNS_TO_DIAL: usize = 2;
/// The longest time after which a waiting shard asks again.
pub const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The gate. One per bot and machine, shared by all cores.
#[derive(Debug)]
pub struct IdentifyGate {
    keys: Mutex<Box<[Key]>>,
}

/// A shard's place in its line. Not a lock: if it is forgotten, the place goes overdue and is passed.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place that is not given back holds up its line for a turn"]
pub struct Ticket {
    shard: ShardId,
}

/// The gate's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Now,
    /// Not yet: ask again then. The best estimate, at most [`ASK_AGAIN`] away.
    Later(Time),
}

impl IdentifyGate {
    /// A gate for `max_concurrency` keys, from GET /gateway/bot's `session_start_limit`; 0 is 1.
    pub fn new(max_concurrency: u32) -> Self {
        let keys = (0..max_concurrency.max(1)).map(|_| Key::default()).collect();
        Self { keys: Mutex::new(keys) }
    }

    /// A gate in whose lines these shards already have their places, by shard id: the order of the
    /// first start then holds whichever core is up first. A shard that never comes is passed.
    pub fn with_fleet(max_concurrency: u32, shards: impl IntoIterator<Item = ShardId>) -> Self {
        let gate = Self::new(max_concurrency);
        for shard in shards {
            gate.with(shard, |key| key.insert(shard, true));
        }
        gate
    }

    /// How many keys there are.
    pub fn max_concurrency(&self) -> u32 {
        self.lock().len() as u32
    }

    /// Takes a place: among those who start for the `first` time by shard id, else at the end. A
    /// shard that already has a place keeps it.
    pub fn enqueue(&self, shard: ShardId, first: bool, now: Time) -> Ticket {
        self.with(shard, |key| {
            key.insert(shard, first);
            key.advance(now);
        });
        Ticket { shard }
    }

    /// Whether the shard is near enough to its turn to open its connection.
    pub fn may_dial(&self, ticket: &Ticket, now: Time) -> Turn {
        self.with(ticket.shard, |key| {
            key.advance(now);
            match key.entry(ticket.shard) {
                Some(entry) if entry.entered.is_none() => Turn::Later(now + ASK_AGAIN),
                _ => Turn::Now, // no entry: the ticket was used; never strand its holder
            }
        })
    }

    /// Asks for the permit to IDENTIFY; the connection is open and HELLO has come.
    ///
    /// After [`Turn::Now`] the shard holds the permit, and with it its key, until [`written`] or
    /// [`give_back`].
    ///
    /// [`written`]: Self::written
    /// [`give_back`]: Self::give_back
    pub fn ask(&self, ticket: &Ticket, now: Time) -> Turn {
        self.with(ticket.shard, |key| key.ask(ticket.shard, now))
    }

    /// The IDENTIFY was written: the permit is used, the next of this key comes [`TURN`] later.
    pub fn written(&self, ticket: Ticket, now: Time) {
        self.with(ticket.shard, |key| {
            if key.permit == Some(ticket.shard) {
                key.permit = None;
                key.free_at = key.free_at.max(now + TURN);
            }
            key.remove(ticket.shard);
        });
    }

    /// The shard leaves without having written an IDENTIFY: its place or permit is free at once.
    pub fn give_back(&self, ticket: Ticket) {
        self.with(ticket.shard, |key| {
            if key.permit == Some(ticket.shard) {
                key.permit = None;
            }
            key.remove(ticket.shard);
        });
    }

    /// The shard is gone and nobody knows when it wrote its IDENTIFY, if at all: the key rests a
    /// whole turn from the next time that anybody asks.
    pub fn abandon(&self, ticket: Ticket) {
        self.with(ticket.shard, |key| {
            key.rest |= key.permit == Some(ticket.shard);
        });
        self.give_back(ticket);
    }

    /// How many shards are in line, all keys together.
    pub fn waiting(&self) -> usize {
        self.lock().iter().map(|key| key.line.len()).sum()
    }

    /// Checks the gate's own rules.
    ///
    /// # Panics
    /// If one is broken: a mistake of the gate.
    pub fn invariants(&self) {
        for key in self.lock().iter() {
            for (at, entry) in key.line.iter().enumerate() {
                assert!(key.permit != Some(entry.shard), "who holds the permit is not in line");
                let again = key.line.iter().skip(at + 1).any(|other| other.shard == entry.shard);
                assert!(!again, "one place a shard");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Box<[Key]>> {
        // Nothing in here can leave a key half changed, even if it panicked.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, shard: ShardId, work: impl FnOnce(&mut Key) -> T) -> T {
        let mut keys = self.lock();
        let at = shard.id as usize % keys.len();
        work(&mut keys[at])
    }
}

/// One rate-limit key.
#[derive(Debug, Default)]
struct Key {
    line: VecDeque<Entry>,
    permit: Option<ShardId>,
    free_at: Time,
    /// An IDENTIFY may have been written at an unknown moment.
    rest: bool,
}

#[derive(Debug)]
struct Entry {
    shard: ShardId,
    first: bool,
    /// Since when it may dial.
    entered: Option<Time>,
    asked: bool,
}

impl Key {
    fn insert(&mut self, shard: ShardId, first: bool) {
        if self.permit == Some(shard) || self.line.iter().any(|entry| entry.shard == shard) {
            return;
        }
        // Who has been let dial is not overtaken: it would sit connected and unidentified.
        let behind =
            |entry: &Entry| entry.entered.is_none() && (!entry.first || entry.shard > shard);
        let at = if first { self.line.iter().position(behind) } else { None };
        let entry = Entry { shard, first, entered: None, asked: false };
        self.line.insert(at.unwrap_or(self.line.len()), entry);
    }

    fn entry(&self, shard: ShardId) -> Option<&Entry> {
        self.line.iter().find(|entry| entry.shard == shard)
    }

    fn remove(&mut self, shard: ShardId) {
        if let Some(at) = self.line.iter().position(|entry| entry.shard == shard) {
            self.line.remove(at);
        }
    }

    /// Lets those near their turn dial.
    fn advance(&mut self, now: Time) {
        if std::mem::take(&mut self.rest) {
            self.free_at = self.free_at.max(now + TURN);
        }
        let (held, free_at) = (self.permit.is_some(), self.free_at);
        let mut turns = 0;
        for entry in &mut self.line {
            if turns == TURNS_TO_DIAL {
                break;
            }
            entry.entered.get_or_insert(now);
            turns += usize::from(!entry.overdue(held, free_at, now));
        }
    }

    fn ask(&mut self, shard: ShardId, now: Time) -> Turn {
        self.advance(now);
        if self.permit == Some(shard) {
            return Turn::Now;
        }
        let (held, free_at) = (self.permit.is_some(), self.free_at);
        let Some(at) = self.line.iter().position(|entry| entry.shard == shard) else {
            self.insert(shard, false); // its place was lost; it gets the last one
            return Turn::Later(now + ASK_AGAIN);
        };
        self.line[at].asked = true;
        let passable = |entry: &Entry| entry.overdue(held, free_at, now);
        let turn = self.line.iter().take(at).all(passable);
        if turn && !held && now >= free_at {
            self.line.remove(at);
            self.permit = Some(shard);
            self.advance(now);
            return Turn::Now;
        }
        let again = now + ASK_AGAIN;
        Turn::Later(if turn && !held { free_at.min(again) } else { again })
    }
}

impl Entry {
    /// Whether others may pass: it could have had the permit for a whole turn and has not asked.
    fn overdue(&self, held: bool, free_at: Time, now: Time) -> bool {
        let Some(entered) = self.entered else { return false };
        !self.asked && !held && now >= entered.max(free_at) + TURN
    }
}

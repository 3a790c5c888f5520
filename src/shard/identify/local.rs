//! The gate of one process: a line of shards per key, and at most one permit a key.
//!
//! The only protocol state that cores share. Order: at the first start by shard id, later by time
//! of asking. One exception keeps a line moving: who has been let dial and has not asked one turn
//! after it could have had the permit is *overdue*; others pass it, and it counts as no turn, until
//! it asks.
//!
//! Invariants: at most one permit a key; two writes of a key lie at least [`TURN`] apart, also when
//! the number of keys changes between them; at most one entry a shard. No clock inside; the lock is
//! held for a few comparisons. Made by the engine, called through
//! [`IdentifyGate`](crate::shard::identify::IdentifyGate).

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Time;
use crate::shard::id::ShardId;
use crate::shard::identify::{ASK_AGAIN, IdentifyGate, TURN, Ticket, Turn};

/// A shard may dial when it is at most this many turns from its permit.
const TURNS_TO_DIAL: usize = 2;
/// So many places before it let a shard ask a second later. A line moves by two places in a turn
/// at the most, unless many leave it.
const PLACES_PER_ASK: u32 = 16;
/// However far it is from its turn, it asks again after this.
const FAR_AGAIN_MAX: Duration = Duration::from_secs(10);
/// The gate of one process, shared by all its cores. The default.
#[derive(Debug)]
pub struct LocalGate {
    lines: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    keys: Box<[Key]>,
    /// As many keys as there shall be, once no permit of the old number is out.
    planned: Option<u32>,
}

impl LocalGate {
    /// A gate for `max_concurrency` keys, from GET /gateway/bot's `session_start_limit`; 0 is 1.
    pub fn new(max_concurrency: u32) -> Self {
        let keys = (0..max_concurrency.max(1)).map(|_| Key::default()).collect();
        Self { lines: Mutex::new(Lines { keys, planned: None }) }
    }

    /// A gate in whose lines these shards already have their places, by shard id: the order of the
    /// first start then holds whichever core is up first. A shard that never comes is passed.
    pub fn with_fleet(max_concurrency: u32, shards: impl IntoIterator<Item = ShardId>) -> Self {
        let gate = Self::new(max_concurrency);
        for shard in shards {
            gate.lock().key(shard).insert(shard, true);
        }
        gate
    }

    /// Changes the number of keys: Discord's `max_concurrency` has changed. 0 is 1.
    ///
    /// Nobody is granted a permit of the new keys before all permits of the old ones are written or
    /// given back and every rest of an old key is over, as which shards share a key is another
    /// question now. Places in line are kept.
    pub fn set_max_concurrency(&self, max_concurrency: u32) {
        let mut lines = self.lock();
        let planned = max_concurrency.max(1);
        lines.planned = (planned as usize != lines.keys.len()).then_some(planned);
        lines.rekey();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Nothing in here can leave a key half changed, even if it panicked.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `ask` answers, and the key that was asked for, of one moment.
    pub(super) fn ask_key(&self, shard: ShardId, now: Time) -> (Turn, u32) {
        let mut lines = self.lock();
        lines.rekey();
        let planned = lines.planned.is_some();
        let key = shard.id % lines.keys.len() as u32;
        (lines.key(shard).ask(shard, now, planned), key)
    }

    /// The key whose permit a shard holds.
    pub(super) fn permit_of(&self, shard: ShardId) -> Option<u32> {
        let lines = self.lock();
        lines.keys.iter().position(|key| key.permit == Some(shard)).map(|at| at as u32)
    }

    fn leave(&self, shard: ShardId, note: impl FnOnce(&mut Key)) {
        let mut lines = self.lock();
        let key = lines.key(shard);
        if key.permit == Some(shard) {
            key.permit = None;
            note(key);
        }
        key.remove(shard);
        lines.rekey();
    }
}

impl IdentifyGate for LocalGate {
    fn max_concurrency(&self) -> u32 {
        let lines = self.lock();
        lines.planned.unwrap_or(lines.keys.len() as u32)
    }

    fn enqueue(&self, shard: ShardId, first: bool, now: Time) -> Ticket {
        let mut lines = self.lock();
        let key = lines.key(shard);
        key.insert(shard, first);
        key.advance(now);
        Ticket::new(shard)
    }

    fn may_dial(&self, ticket: &Ticket, now: Time) -> Turn {
        let mut lines = self.lock();
        lines.rekey();
        let key = lines.key(ticket.shard());
        key.advance(now);
        match key.place(ticket.shard()) {
            Some(place) if key.line[place].entered.is_none() => {
                let after = ASK_AGAIN * (place as u32 / PLACES_PER_ASK);
                Turn::Later(now + after.clamp(ASK_AGAIN, FAR_AGAIN_MAX))
            }
            _ => Turn::Now, // no entry: the ticket was used; never strand its holder
        }
    }

    fn ask(&self, ticket: &Ticket, now: Time) -> Turn {
        self.ask_key(ticket.shard(), now).0
    }

    fn written(&self, ticket: Ticket, now: Time) {
        self.leave(ticket.shard(), |key| key.free_at = key.free_at.max(now + TURN));
    }

    fn give_back(&self, ticket: Ticket, _now: Time) {
        self.leave(ticket.shard(), |_| ());
    }

    /// The key rests a whole turn from the next time that anybody asks.
    fn abandon(&self, ticket: Ticket) {
        self.leave(ticket.shard(), |key| key.rest = true);
    }

    fn waiting(&self) -> usize {
        self.lock().keys.iter().map(|key| key.line.len()).sum()
    }

    fn invariants(&self) {
        let lines = self.lock();
        let (count, planned) = (lines.keys.len(), lines.planned.is_some());
        assert!(
            !planned || lines.keys.iter().any(|key| key.permit.is_some()),
            "nothing to wait for"
        );
        for (at, key) in lines.keys.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for entry in &key.line {
                assert_eq!(entry.shard.id as usize % count, at, "in the line of its key");
                assert!(key.permit != Some(entry.shard), "who holds the permit is not in line");
                assert!(seen.insert(entry.shard), "one place a shard");
            }
        }
    }
}

impl Lines {
    fn key(&mut self, shard: ShardId) -> &mut Key {
        let at = shard.id as usize % self.keys.len();
        &mut self.keys[at]
    }

    /// Deals everybody out anew, if that is planned and no permit is out.
    fn rekey(&mut self) {
        let Some(planned) = self.planned else { return };
        if self.keys.iter().any(|key| key.permit.is_some()) {
            return;
        }
        self.planned = None;
        // Which of the old keys a new one overlaps does not matter for one turn: all rest.
        let free_at = self.keys.iter().map(|key| key.free_at).max().unwrap_or_default();
        let rest = self.keys.iter().any(|key| key.rest);
        let fresh = || Key { free_at, rest, ..Key::default() };
        let old = std::mem::replace(&mut self.keys, (0..planned).map(|_| fresh()).collect());
        // By place first, so that nobody's place is better for the number of its old key.
        let mut lines: Vec<_> = old.into_iter().map(|key| key.line).collect();
        while lines.iter().any(|line| !line.is_empty()) {
            for line in &mut lines {
                let Some(entry) = line.pop_front() else { continue };
                self.key(entry.shard).line.push_back(entry);
            }
        }
        for key in &mut self.keys {
            let order = |entry: &Entry| {
                let by_id = if entry.first { entry.shard.id } else { 0 };
                (entry.entered.is_none(), !entry.first, by_id)
            };
            key.line.make_contiguous().sort_by_key(order); // stable: the others stay as they are
        }
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

    fn place(&self, shard: ShardId) -> Option<usize> {
        self.line.iter().position(|entry| entry.shard == shard)
    }

    fn remove(&mut self, shard: ShardId) {
        if let Some(at) = self.place(shard) {
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

    /// `closed`: who holds the permit keeps it, and nobody new gets it.
    fn ask(&mut self, shard: ShardId, now: Time, closed: bool) -> Turn {
        self.advance(now);
        if self.permit == Some(shard) {
            return Turn::Now;
        }
        let (held, free_at) = (self.permit.is_some(), self.free_at);
        let Some(at) = self.place(shard) else {
            self.insert(shard, false); // its place was lost; it gets the last one
            return Turn::Later(now + ASK_AGAIN);
        };
        self.line[at].asked = true;
        let passable = |entry: &Entry| entry.overdue(held, free_at, now);
        let turn = self.line.iter().take(at).all(passable);
        if turn && !held && !closed && now >= free_at {
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

//! The gate of several processes: each has its own lines, and claims a key from a common store
//! before one of its shards may IDENTIFY.
//!
//! The head of a line of this process holds the line's permit and, as long as the store gives the
//! key to others, is told to ask again. The store itself (a file, a cluster's database) is behind
//! [`KeyStore`]; what it must keep per key is written out once, as [`KeyRecord`], and
//! [`MemoryKeys`] is a store for processes that are simulated.
//!
//! Invariant: two processes never hold one key. A process may die between any two steps: its claim
//! frees the key when its lease ends, and the lease is long enough that an IDENTIFY written at the
//! last possible moment is a whole turn old by then. Processes that share a store must run shards
//! of the same total under the same `max_concurrency`, or their keys mean different shards.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Time;
use crate::shard::id::ShardId;
use crate::shard::identify::{ASK_AGAIN, IdentifyGate, LocalGate, TURN, Ticket, Turn};

/// How long a claim holds its key if nothing more is heard of its owner.
///
/// It spans everything that may follow a claim: the IDENTIFY is handed to the driver in the same
/// step, and the driver gives a connection up if a write takes 20 s
/// ([`write_timeout`](crate::Limits::write_timeout)'s default); from the write a [`TURN`] of 5.25 s
/// must pass; the rest, almost 5 s, is for a thread that did not run. So a key of a process that
/// was killed is free again after at most half a minute, whatever it had done. A process that is
/// stopped for longer between claim and write may meet another's IDENTIFY; Discord answers one of
/// them with op 9, and that shard backs off.
pub const CLAIM_LEASE: Duration = Duration::from_secs(30);

/// Keys that several processes claim in turn. One value per process: it knows who it is.
///
/// Polled, as [`IdentifyGate`] is: a store that has to wait for an answer says [`Claim::Later`].
/// The moments are of this process' own clock; a store that outlives the process translates them
/// to one that all its users share.
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// Claims a key for this process. A key that it holds already is granted again, and its lease
    /// starts anew.
    ///
    /// After [`Claim::Granted`] nobody else is granted the key until [`TURN`] after
    /// [`written`](Self::written), [`give_back`](Self::give_back), or the end of the lease,
    /// [`CLAIM_LEASE`] from now.
    fn claim(&self, key: u32, now: Time) -> Claim;

    /// An IDENTIFY of this key was written: it is free [`TURN`] from now, not earlier, even if this
    /// process has lost the claim meanwhile.
    fn written(&self, key: u32, now: Time);

    /// Nothing was written: the key is free at once, if this process still holds it.
    fn give_back(&self, key: u32, now: Time);
}

/// A store's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The key is this process'.
    Granted,
    /// It is not, or that is not known yet: ask again then, at the earliest.
    Later(Time),
}

/// A gate whose keys several processes share.
#[derive(Debug)]
pub struct SharedGate<K> {
    local: LocalGate,
    store: K,
    /// The keys that the store has granted, and for whom. At most one a key.
    claims: Mutex<BTreeMap<u32, ShardId>>,
}

impl<K: KeyStore> SharedGate<K> {
    /// A gate with the lines of `local`, whose shards are those of this process only.
    pub fn new(local: LocalGate, store: K) -> Self {
        Self { local, store, claims: Mutex::default() }
    }

    /// The lines of this process, for [`LocalGate::set_max_concurrency`].
    pub fn local(&self) -> &LocalGate {
        &self.local
    }

    /// The store.
    pub fn store(&self) -> &K {
        &self.store
    }

    fn claims(&self) -> MutexGuard<'_, BTreeMap<u32, ShardId>> {
        // One insertion or removal at a time: never half changed.
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the claim off the books that was made for this shard, if one was.
    fn claim_of(&self, shard: ShardId) -> Option<u32> {
        let mut claims = self.claims();
        let key = claims.iter().find(|(_, holder)| **holder == shard).map(|(key, _)| *key)?;
        claims.remove(&key);
        Some(key)
    }
}

impl<K: KeyStore> IdentifyGate for SharedGate<K> {
    fn max_concurrency(&self) -> u32 {
        self.local.max_concurrency()
    }

    fn enqueue(&self, shard: ShardId, first: bool, now: Time) -> Ticket {
        self.local.enqueue(shard, first, now)
    }

    fn may_dial(&self, ticket: &Ticket, now: Time) -> Turn {
        self.local.may_dial(ticket, now)
    }

    fn ask(&self, ticket: &Ticket, now: Time) -> Turn {
        let (turn, key) = self.local.ask_key(ticket.shard(), now);
        if let Turn::Later(_) = turn {
            return turn;
        }
        match self.store.claim(key, now) {
            Claim::Granted => {
                self.claims().insert(key, ticket.shard());
                Turn::Now
            }
            // The line's permit stays with this shard: it is next when the key is.
            Claim::Later(at) => Turn::Later(at.clamp(now + CLAIM_AGAIN_MIN, now + ASK_AGAIN)),
        }
    }

    fn written(&self, ticket: Ticket, now: Time) {
        if let Some(key) = self.claim_of(ticket.shard()) {
            self.store.written(key, now);
        }
        self.local.written(ticket, now);
    }

    fn give_back(&self, ticket: Ticket, now: Time) {
        if let Some(key) = self.claim_of(ticket.shard()) {
            self.store.give_back(key, now);
        }
        self.local.give_back(ticket, now);
    }

    /// The claim is left to its lease.
    fn abandon(&self, ticket: Ticket) {
        self.claim_of(ticket.shard());
        self.local.abandon(ticket);
    }

    fn waiting(&self) -> usize {
        self.local.waiting()
    }

    fn invariants(&self) {
        self.local.invariants();
        for (key, shard) in self.claims().iter() {
            let holder = self.local.permit_of(*shard);
            assert_eq!(holder, Some(*key), "a claim stands for the permit of its line");
        }
    }
}

/// The shortest time after which a store is asked again about a key.
const CLAIM_AGAIN_MIN: Duration = Duration::from_millis(50);

/// What a store remembers of a key. Times are milliseconds of a clock that all users of the store
/// share and that goes on while they do not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyRecord {
    /// Who holds it; 0: nobody. Every process draws its own number anew as it starts.
    pub owner: u64,
    /// Until when it is not free to others: the end of the lease or of the rest.
    pub until_ms: u64,
}

impl KeyRecord {
    /// [`KeyStore::claim`]; `Err` says when to ask again, in ms.
    ///
    /// # Errors
    /// The key is somebody else's until then.
    pub fn claim(&mut self, me: u64, now_ms: u64) -> Result<(), u64> {
        let lease_end_ms = now_ms.saturating_add(LEASE_MS);
        // A clock that was set back, or begins anew with the machine, must not lock the key.
        self.until_ms = self.until_ms.min(lease_end_ms);
        if self.owner != me && now_ms < self.until_ms {
            return Err(self.until_ms);
        }
        *self = Self { owner: me, until_ms: lease_end_ms };
        Ok(())
    }

    /// [`KeyStore::written`].
    pub fn written(&mut self, me: u64, now_ms: u64) {
        let rest_end_ms = now_ms.saturating_add(TURN_MS);
        if self.owner == me {
            *self = Self { owner: 0, until_ms: rest_end_ms };
        } else {
            self.until_ms = self.until_ms.max(rest_end_ms);
        }
    }

    /// [`KeyStore::give_back`].
    pub fn give_back(&mut self, me: u64, now_ms: u64) {
        if self.owner == me {
            *self = Self { owner: 0, until_ms: now_ms };
        }
    }
}

const LEASE_MS: u64 = CLAIM_LEASE.as_millis() as u64;
const TURN_MS: u64 = TURN.as_millis() as u64;

/// A store in memory, for several simulated processes under one virtual clock.
#[derive(Debug)]
pub struct MemoryKeys {
    owner: u64,
    records: Arc<Mutex<BTreeMap<u32, KeyRecord>>>,
}

impl MemoryKeys {
    /// The store as the process `owner` (not 0) sees it.
    pub fn new(owner: u64) -> Self {
        Self { owner, records: Arc::default() }
    }

    /// The same store as another process sees it.
    pub fn of(&self, owner: u64) -> Self {
        Self { owner, records: Arc::clone(&self.records) }
    }

    fn with<T>(&self, key: u32, work: impl FnOnce(&mut KeyRecord) -> T) -> T {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        work(records.entry(key).or_default())
    }
}

impl KeyStore for MemoryKeys {
    fn claim(&self, key: u32, now: Time) -> Claim {
        match self.with(key, |record| record.claim(self.owner, now.as_ms())) {
            Ok(()) => Claim::Granted,
            Err(until_ms) => Claim::Later(Time::from_ns(until_ms.saturating_mul(1_000_000))),
        }
    }

    fn written(&self, key: u32, now: Time) {
        // Rounded up, so that no rest ends early.
        self.with(key, |record| record.written(self.owner, now.as_ms() + 1));
    }

    fn give_back(&self, key: u32, now: Time) {
        self.with(key, |record| record.give_back(self.owner, now.as_ms()));
    }
}

//! The identify gate: who may IDENTIFY when.
//!
//! Discord takes one IDENTIFY per key and 5 s, `key = shard_id % max_concurrency` (protocol
//! section 7). This file holds the trait that sessions go by, its answers and the two figures that
//! every gate shares. `local` is the gate of one process, [`LocalGate`]; `shared` adds a claim on
//! the key that several processes hold in turn, [`SharedGate`]. A cluster may bring its own.
//!
//! A shard takes a place ([`enqueue`](IdentifyGate::enqueue)), dials when its turn is near
//! ([`may_dial`](IdentifyGate::may_dial)), asks for the permit after HELLO
//! ([`ask`](IdentifyGate::ask)) and holds it until its IDENTIFY is written
//! ([`written`](IdentifyGate::written)). READY is never waited for. A shard that drops leaves
//! ([`give_back`](IdentifyGate::give_back)). Called by `session` alone.

mod local;
mod shared;

use std::fmt;
use std::time::Duration;

pub use local::LocalGate;
pub use shared::{CLAIM_LEASE, Claim, KeyRecord, KeyStore, MemoryKeys, SharedGate};

use crate::clock::Time;
use crate::shard::id::ShardId;

/// From one written IDENTIFY of a key to the next grant. A little more than Discord's 5 s, as
/// network delay may bring two writes closer together.
pub const TURN: Duration = Duration::from_millis(5250);
/// The longest time after which a shard asks again that is connected, or near to its turn.
pub const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Who may IDENTIFY when. One for all shards of a process, whichever core they are on.
///
/// Polled: each call answers at once, from any thread, and may take a lock for some comparisons or
/// for a system call that does not wait, never for a disk or a network. A gate that has to ask
/// somebody else sends its question off, answers [`Turn::Later`], and knows more at the next call.
///
/// What every implementation keeps, or Discord answers IDENTIFYs with op 9: from a
/// [`Turn::Now`] of [`ask`](Self::ask) until [`TURN`] after [`written`](Self::written), no other
/// shard of the same key, in whatever process, is told [`Turn::Now`] by `ask`.
pub trait IdentifyGate: fmt::Debug + Send + Sync {
    /// How many keys there are.
    fn max_concurrency(&self) -> u32;

    /// Takes a place: among those who start for the `first` time by shard id, else at the end. A
    /// shard that already has a place keeps it.
    fn enqueue(&self, shard: ShardId, first: bool, now: Time) -> Ticket;

    /// Whether the shard is near enough to its turn to open its connection.
    fn may_dial(&self, ticket: &Ticket, now: Time) -> Turn;

    /// Asks for the permit to IDENTIFY; the connection is open and HELLO has come.
    ///
    /// After [`Turn::Now`] the shard holds the permit, and with it its key, until
    /// [`written`](Self::written), [`give_back`](Self::give_back) or [`abandon`](Self::abandon). It
    /// may ask again while it holds it, and is answered the same.
    fn ask(&self, ticket: &Ticket, now: Time) -> Turn;

    /// The IDENTIFY was written, or may have been: the next of this key comes [`TURN`] later.
    fn written(&self, ticket: Ticket, now: Time);

    /// The shard leaves without having written an IDENTIFY: its place or permit is free at once.
    fn give_back(&self, ticket: Ticket, now: Time);

    /// The shard is gone and nobody knows when it wrote its IDENTIFY, if at all: a permit that it
    /// held counts as used at the latest moment that is possible.
    fn abandon(&self, ticket: Ticket);

    /// How many shards of this process are in line, all keys together. For metrics.
    fn waiting(&self) -> usize;

    /// Checks the gate's own rules, for tests and simulations.
    ///
    /// # Panics
    /// If one is broken: a mistake of the gate.
    fn invariants(&self) {}
}

/// A shard's place in its line. Not a lock: if it is forgotten, the place goes overdue and is
/// passed.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place that is not given back holds up its line for a turn"]
pub struct Ticket {
    shard: ShardId,
}

impl Ticket {
    /// A shard's place, for whoever implements [`IdentifyGate`].
    pub const fn new(shard: ShardId) -> Self {
        Self { shard }
    }

    /// Whose place it is.
    pub const fn shard(&self) -> ShardId {
        self.shard
    }
}

/// The gate's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Now,
    /// Not yet: ask again then. The best estimate; at most [`ASK_AGAIN`] away from
    /// [`ask`](IdentifyGate::ask), some seconds from [`may_dial`](IdentifyGate::may_dial).
    Later(Time),
}

//! What stands between a session and the outside world, shared by all sessions of a process.
//!
//! Plain handles. Made by the engine, carried by each session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::shard::admission::{Admission, IN_FLIGHT_MAX};
use crate::shard::budget::Budget;
use crate::shard::close::{Fatal, Remedy, remedy};
use crate::shard::identify::{IdentifyGate, LocalGate};

/// What a session asks before it acts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guards {
    /// Who may open a connection, and to which host.
    pub admission: Arc<Admission>,
    /// How many IDENTIFYs there are.
    pub budget: Arc<Budget>,
    /// Who may IDENTIFY when.
    pub gate: Arc<dyn IdentifyGate>,
    /// What Discord has said of the whole bot.
    pub verdict: Arc<Verdict>,
}

/// A refusal that was told to one shard and holds for all: the token, the API version or the
/// intents. Whoever has no session would spend one of the day's IDENTIFYs to hear the same.
#[derive(Debug, Default)]
pub struct Verdict(AtomicU16);

impl Verdict {
    /// A shard was refused: if that is said of the bot and not of the shard, it is kept.
    pub fn pronounce(&self, fatal: Fatal) {
        if fatal.is_of_the_bot() {
            self.0.store(fatal.code(), Ordering::Relaxed);
        }
    }

    /// What was said of the bot.
    pub fn fatal(&self) -> Option<Fatal> {
        match remedy(Some(self.0.load(Ordering::Relaxed))) {
            Remedy::Fatal(fatal) => Some(fatal),
            _ => None,
        }
    }
}

impl Guards {
    /// Guards of one process that remember nothing: a [`LocalGate`] of so many keys, the default
    /// bound of connections on their way, and a budget of so many IDENTIFYs a day. For tests and
    /// benches.
    pub fn local(max_concurrency: u32, total: u32) -> Self {
        Self {
            admission: Arc::new(Admission::new(IN_FLIGHT_MAX, 0)),
            budget: Arc::new(Budget::with_total(total)),
            gate: Arc::new(LocalGate::new(max_concurrency)),
            verdict: Arc::default(),
        }
    }
}

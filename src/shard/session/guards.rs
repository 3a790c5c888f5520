//! What stands between a session and the outside world, shared by all sessions of a process.
//!
//! Plain handles. Made by the engine, carried by each session.

use std::sync::Arc;

use crate::shard::admission::{Admission, IN_FLIGHT_MAX};
use crate::shard::budget::Budget;
use crate::shard::identify::{IdentifyGate, LocalGate};

/// The three that a session asks before it acts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guards {
    /// Who may open a connection, and to which host.
    pub admission: Arc<Admission>,
    /// How many IDENTIFYs there are.
    pub budget: Arc<Budget>,
    /// Who may IDENTIFY when.
    pub gate: Arc<dyn IdentifyGate>,
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
        }
    }
}

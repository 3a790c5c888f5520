//! What other threads ask of a core: a bounded queue with one wake a batch.
//!
//! It never blocks the asker and never touches a shard. Invariant: at most `len_max` calls wait;
//! what the engine itself sends (answers of helpers, stop) has a place besides. Handles and
//! helpers push, the core takes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::clock::Time;
use crate::command::Prepared;
use crate::driver::names::Found;
use crate::driver::receipt::Giver;
use crate::driver::stages::Part;
use crate::metrics::Metrics;
use crate::shard::Shard;
use crate::shard::receipt::Ticket;
use crate::shard::session::LifeOrder;
use crate::shard::stage::Stage;

/// What another thread wants done with a shard, on the shard's core.
pub(crate) type Visit = Box<dyn FnOnce(Time, &mut Shard) + Send>;

/// Something for a core to do.
pub(crate) enum Mail {
    /// A command of a user for one shard, given at that moment.
    Command { shard: u32, command: Prepared, ticket: Ticket, given_at: Instant },
    /// Something to do with one shard, which is settled after it. Dropped if the core has no such
    /// shard, or ends before.
    Visit { shard: u32, visit: Visit },
    /// Somebody waits until a shard, or each of the core's, is at a stage.
    Await { shard: Option<u32>, stage: Stage, part: Part },
    /// A user's order to a shard. Told when it is carried out.
    Order { shard: u32, order: LifeOrder, told: Giver<()> },
    /// A copy of the metrics is wanted.
    Report(Box<dyn FnOnce(Metrics) + Send>),
    /// A name was resolved, for this dial of this core's shard.
    Resolved { local: u32, dial: u64, addresses: Found },
    /// All cores are up: the shards may dial.
    Start,
    /// Acknowledgements that a shard has asked for have come, or some were dropped.
    Acked { shard: u32 },
    /// The engine stops.
    Stop(Stop),
    /// The engine ends at once.
    Abort,
}

/// How an engine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The sessions end (close code 1000): the bot goes offline at once.
    EndSessions,
    /// The sessions stay resumable for the minutes that Discord keeps them (a 4000-range code).
    KeepSessions,
}

/// The queue of one core.
pub(crate) struct Mailbox {
    queue: Mutex<Queue>,
    /// Woken when the queue was empty and is not any more, and by the core's own completions.
    pub(crate) wake: Arc<Notify>,
    len_max: usize,
}

struct Queue {
    mail: VecDeque<Mail>,
    open: bool,
}

/// Why a call was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl Mailbox {
    pub(crate) fn new(len_max: usize) -> Self {
        Self {
            queue: Mutex::new(Queue { mail: VecDeque::new(), open: true }),
            wake: Arc::new(Notify::new()),
            len_max,
        }
    }

    /// Queues a call of a user.
    pub(crate) fn push(&self, mail: Mail) -> Result<(), Refused> {
        self.push_below(mail, self.len_max)
    }

    /// Queues what the engine itself sends: bounded by its own number (a stop, and one answer a
    /// dial), so the queue stays bounded.
    pub(crate) fn push_internal(&self, mail: Mail) -> Result<(), Refused> {
        self.push_below(mail, usize::MAX)
    }

    fn push_below(&self, mail: Mail, len_max: usize) -> Result<(), Refused> {
        let mut queue = self.lock();
        if !queue.open {
            return Err(Refused::Closed);
        }
        if queue.mail.len() >= len_max {
            return Err(Refused::Full);
        }
        queue.mail.push_back(mail);
        let first = queue.mail.len() == 1;
        drop(queue);
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Takes the oldest.
    pub(crate) fn pop(&self) -> Option<Mail> {
        self.lock().mail.pop_front()
    }

    /// Takes no more; what waits is dropped, and with it its receipts fail.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.open = false;
        let rest = std::mem::take(&mut queue.mail);
        drop(queue);
        drop(rest);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No user code runs under the lock, so a poisoned one still holds a whole queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

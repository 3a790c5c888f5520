//! The engine from outside: any thread, never blocking.
//!
//! It queues calls for cores and gives receipts; it reads nothing of a core directly. Users clone
//! it.

mod commands;
mod errands;
mod shard;
mod states;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use commands::{CommandReceipts, CommandTally};
pub use shard::ShardHandle;

use crate::clock::Time;
use crate::command::shard_of;
use crate::config::Config;
use crate::driver::mailbox::{Mail, Mailbox, Refused, Stop};
use crate::driver::receipt::{Giver, Receipt, receipt};
use crate::driver::shared::Shared;
use crate::driver::warning::Warning;
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::model::GuildId;
use crate::shard::Shard;

/// A handle to a running engine: `Clone`, `Send`, `Sync`; no call of it blocks.
#[derive(Clone)]
pub struct Handle {
    mailboxes: Arc<[Arc<Mailbox>]>,
    shared: Arc<Shared>,
    shards: Arc<[u32]>,
    total: u32,
    /// IDENTIFY's, by which commands are checked.
    intents: u64,
}

impl Handle {
    pub(crate) fn new(
        mailboxes: Arc<[Arc<Mailbox>]>,
        shared: Arc<Shared>,
        config: &Config,
    ) -> Self {
        Self {
            mailboxes,
            shared,
            shards: config.shards.ids().into(),
            total: config.shards.total(),
            intents: config.intents.bits(),
        }
    }

    /// Resolves when every shard has been READY once, those left out that their user has
    /// [taken down](ShardHandle) before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] if Discord refuses a shard for good, [`ErrorKind::CoreFailed`] if a
    /// core's thread is gone, [`ErrorKind::Stopped`] if the engine ends before.
    pub fn ready(&self) -> Receipt<()> {
        self.shared.ready()
    }

    /// Resolves with the first error that does not mend itself: a shard refused for good, a
    /// handler that panicked too often.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] if the engine ends without one.
    pub fn failure(&self) -> Receipt<Error> {
        self.shared.failure()
    }

    /// The last 64 such errors, oldest first.
    pub fn errors(&self) -> Vec<Error> {
        self.shared.errors()
    }

    /// What works, but not for long or not well; the last 64, oldest first. Each was told to the
    /// log, too.
    pub fn warnings(&self) -> Vec<Warning> {
        self.shared.warnings()
    }

    /// Lets a shard that its handler has paused go on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchShard`], [`ErrorKind::Full`], [`ErrorKind::Stopped`].
    pub fn unpause(&self, shard: u32) -> Result<(), Error> {
        self.visit(shard, |_, shard| shard.unpause())
    }

    /// Does something with a shard on its core's thread. Dropped undone if the engine ends before.
    fn visit(
        &self,
        shard: u32,
        visit: impl FnOnce(Time, &mut Shard) + Send + 'static,
    ) -> Result<(), Error> {
        Ok(self.mailbox(shard)?.push(Mail::Visit { shard, visit: Box::new(visit) })?)
    }

    /// The shard that a guild's events come on: `(guild_id >> 22) % total` (protocol.md §7).
    pub fn shard_of(&self, guild_id: impl Into<u64>) -> u32 {
        shard_of(GuildId::new(guild_id.into()), self.total)
    }

    /// The shards that this engine runs, ascending.
    pub fn shards(&self) -> &[u32] {
        &self.shards
    }

    /// A copy of what all cores have counted and timed, merged. It can be asked for when the engine
    /// has stopped, too.
    ///
    /// # Errors
    ///
    /// By the receipt: [`ErrorKind::Stopped`] if no core has anything to tell, which is so only
    /// when all of them failed or are overrun. To learn of the end ask
    /// [`is_stopped`](Self::is_stopped).
    pub fn metrics(&self) -> Receipt<Metrics> {
        let (giver, receipt) = receipt();
        let merged = Arc::new(Mutex::new(Merge {
            missing: self.mailboxes.len(),
            sum: self.shared.ended_metrics(),
            giver: Some(giver),
        }));
        for mailbox in self.mailboxes.iter() {
            let share = Share(Some(Arc::clone(&merged)));
            // A core that has ended, ends with this in its mailbox, or is overrun, is left out.
            let _ = mailbox.push(Mail::Report(Box::new(move |metrics| share.give(metrics))));
        }
        receipt
    }

    /// The engine has stopped: no handler will be called any more.
    pub fn is_stopped(&self) -> bool {
        self.shared.is_stopped()
    }

    /// Stops the engine; [`Engine::join`](crate::Engine::join) returns when it has stopped.
    /// Harmless when it is stopping already.
    pub fn stop(&self, stop: Stop) {
        for mailbox in self.mailboxes.iter() {
            // Closed: that core has ended.
            let _ = mailbox.push_internal(Mail::Stop(stop));
        }
    }

    pub(crate) fn close(&self) {
        self.shared.helpers.close();
        self.shared.resolvers.close();
        self.shared.stopped();
    }

    fn mailbox(&self, shard: u32) -> Result<&Mailbox, Error> {
        let position = self.shards.binary_search(&shard).map_err(|_| {
            Error::new(ErrorKind::NoSuchShard, format!("this engine does not run shard {shard}"))
        })?;
        // As `build` in run.rs spreads them.
        Ok(&self.mailboxes[position % self.mailboxes.len()])
    }
}

/// Copies of the cores' metrics as they come in.
struct Merge {
    missing: usize,
    sum: Option<Metrics>,
    giver: Option<Giver<Metrics>>,
}

/// A core's share in it: an empty one if it is dropped before it is given.
struct Share(Option<Arc<Mutex<Merge>>>);

impl Share {
    fn give(mut self, metrics: Metrics) {
        if let Some(merged) = self.0.take() {
            Merge::add(&merged, Some(metrics));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(merged) = self.0.take() {
            Merge::add(&merged, None);
        }
    }
}

impl Merge {
    /// One core's answer; the last one is told on. With none at all the receipt fails, as its
    /// giver is dropped.
    fn add(merged: &Mutex<Self>, metrics: Option<Metrics>) {
        let mut merge = merged.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut merge.sum, metrics) {
            (Some(sum), Some(metrics)) => sum.merge(metrics),
            (sum @ None, metrics) => *sum = metrics,
            (Some(_), None) => {}
        }
        merge.missing -= 1;
        if merge.missing == 0
            && let (Some(giver), Some(sum)) = (merge.giver.take(), merge.sum.take())
        {
            giver.give(Ok(sum));
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::new(ErrorKind::Full, "too many calls wait for this core"),
            Refused::Closed => Self::new(ErrorKind::Stopped, "the engine has stopped"),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("cores", &self.mailboxes.len())
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}

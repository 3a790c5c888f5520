//! What one core looks at for the whole engine, once a second: alarms of the budget, news of hosts,
//! and the book on its disk.
//!
//! It changes nothing: what it finds is told. Core 0 has it; a file is synced by a helper.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Time;
use crate::driver::book::Book;
use crate::driver::shared::Shared;
use crate::driver::warning::Warning;
use crate::shard::admission::Admission;
use crate::shard::budget::Budget;
use crate::shard::hosts::HostNews;
use crate::shard::session::Guards;

/// How often it looks.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How much of the book a power loss may cost.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// What is looked at.
pub(super) struct Watch {
    budget: Arc<Budget>,
    admission: Arc<Admission>,
    book: Option<Book>,
    synced_at: Time,
}

impl Watch {
    pub(super) fn new(guards: &Guards, book: Option<Book>, now: Time) -> Self {
        let (budget, admission) = (Arc::clone(&guards.budget), Arc::clone(&guards.admission));
        Self { budget, admission, book, synced_at: now }
    }

    /// Looks, and tells what there is.
    pub(super) fn look(&mut self, now: Time, shared: &Arc<Shared>) {
        while let Some(alarm) = self.budget.poll_alarm() {
            shared.warn(Warning::Budget(alarm));
        }
        while let Some(news) = self.admission.poll_news() {
            match &news {
                HostNews::Shut { .. } => tracing::warn!(target: "shardring::engine", "{news}"),
                _ => tracing::info!(target: "shardring::engine", "{news}"),
            }
        }
        let Some(book) = &self.book else { return };
        if now.since(self.synced_at) >= SYNC_INTERVAL {
            self.synced_at = now;
            let book = book.clone();
            let sync = move || {
                if let Err(error) = book.sync() {
                    tracing::warn!(target: "shardring::engine", %error, "the book is not synced");
                }
            };
            // Full: the next look tries again, soon enough.
            let _ = shared.helpers.push(Box::new(sync));
        }
    }
}

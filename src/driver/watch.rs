//! What one core looks at for the whole engine, once a second: alarms of the budget, news of hosts,
//! the book on its disk, and what Discord says of session starts meanwhile.
//!
//! It decides nothing: what it finds is told, or told to the budget and the gate. Core 0 has it;
//! what blocks is done by a helper.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Time;
use crate::config::Config;
use crate::driver::book::Book;
use crate::driver::core::Clock;
use crate::driver::shared::Shared;
use crate::driver::start::{Asker, OwnGate};
use crate::driver::warning::Warning;
use crate::metrics::StartMetrics;
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
    /// Its trouble was told.
    book_failed: bool,
    synced_at: Time,
    refresh: Option<Refresh>,
    /// All shards have been READY once: what the start had set aside is free.
    started: bool,
}

/// Asks Discord again.
pub(super) struct Refresh {
    asker: Arc<Asker>,
    own_gate: Arc<OwnGate>,
    interval: Duration,
    due: Time,
    clock: Clock,
}

impl Watch {
    pub(super) fn new(
        guards: &Guards,
        book: Option<Book>,
        refresh: Option<Refresh>,
        now: Time,
    ) -> Self {
        let (budget, admission) = (Arc::clone(&guards.budget), Arc::clone(&guards.admission));
        let (book_failed, started) = (false, false);
        Self { budget, admission, book, book_failed, synced_at: now, refresh, started }
    }

    /// What stands between the shards and Discord.
    pub(super) fn metrics(&self, now: Time) -> StartMetrics {
        let window = self.budget.window(now);
        let admission = self.admission.state();
        StartMetrics {
            uptime: now.since(Time::ZERO), // the engine's clock begins with it
            session_starts_remaining: window.remaining,
            session_starts_total: window.total,
            dials_waiting: admission.waiting,
            dials_in_flight: admission.in_flight,
            hosts_shut: admission.hosts_shut,
        }
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
        if !self.started && shared.is_ready() {
            self.started = true;
            self.budget.end_start();
        }
        if let Some(refresh) = &mut self.refresh
            && now >= refresh.due
        {
            refresh.due = now + refresh.interval;
            refresh.begin(&self.budget, shared);
        }
        let Some(book) = &self.book else { return };
        if book.take_damage() {
            shared.warn(Warning::Book { path: book.path().into(), trouble: None });
        }
        let trouble = book.trouble();
        if trouble.is_some() && !self.book_failed {
            shared.warn(Warning::Book { path: book.path().into(), trouble });
        }
        self.book_failed = trouble.is_some();
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

impl Refresh {
    /// To be asked again, if it was asked at all.
    pub(super) fn new(
        asker: Option<Asker>,
        own_gate: OwnGate,
        config: &Config,
        clock: Clock,
    ) -> Option<Self> {
        let interval = config.timeouts.discovery_refresh;
        let (asker, own_gate) = (Arc::new(asker?), Arc::new(own_gate));
        Some(Self { asker, own_gate, interval, due: clock.now() + interval, clock })
    }

    fn begin(&self, budget: &Arc<Budget>, shared: &Arc<Shared>) {
        let (asker, gate) = (Arc::clone(&self.asker), Arc::clone(&self.own_gate));
        let (budget, clock, all) = (Arc::clone(budget), self.clock, Arc::clone(shared));
        let ask = move || match asker.ask(Some(REFRESH_WITHIN)) {
            Ok(info) => {
                budget.refresh(info.session_start_limit, clock.now());
                gate.set_max_concurrency(info.session_start_limit.max_concurrency);
                if let Some(facts) = all.facts.get() {
                    facts.tell(&info, clock.now());
                }
            }
            Err(error) => tracing::warn!(
                target: "shardring::engine",
                %error,
                "GET /gateway/bot failed: session starts are counted without it"
            ),
        };
        // Full: the next time will do.
        let _ = shared.helpers.push(Box::new(ask));
    }
}

/// How long a helper may be kept by one asking.
const REFRESH_WITHIN: Duration = Duration::from_secs(10);

//! The presence of one shard: what is set, what waits to be sent, and how often it may change.
//!
//! Of several changes that wait the newest is sent, with what the older ones had changed beneath
//! it. Invariant: at most [`PRESENCES_MAX`] leave within [`PRESENCE_WINDOW`], over connections too.
//! Used by the outbox's queues alone.

use std::time::Duration;

use super::{TRAVEL_MARGIN, queues::Turn};
use crate::clock::Time;
use crate::command::{Presence, UpdatePresence};
use crate::shard::receipt::{Over, Ticket};

/// Changes of the status in [`PRESENCE_WINDOW`] (protocol section 7).
pub const PRESENCES_MAX: usize = 5;
/// The window of [`PRESENCES_MAX`].
pub const PRESENCE_WINDOW: Duration = Duration::from_secs(20);
/// A presence that was written this much before a connection was lost may not have arrived: after
/// RESUMED it is sent again. By then a connection that carries nothing has long been given up.
pub const PRESENCE_DOUBT: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
pub(super) struct PresenceSlot {
    /// What is set, by what waits too; `None`: nothing was ever set by a command.
    wanted: Option<Presence>,
    waiting: Option<Waiting>,
    /// When the last ones left, oldest first.
    sent_at: Vec<Time>,
    /// The last of them was raw JSON: what it set is not known here.
    is_raw: bool,
    /// Goes with the IDENTIFY that was handed out.
    identify: Option<Waiting>,
}

/// A change that is not known to be written.
#[derive(Debug)]
pub(super) struct Waiting {
    ticket: Ticket,
    turn: Turn,
    /// What was set before; taken back, that is set again.
    before: Option<Presence>,
}

impl Waiting {
    /// It was written.
    pub(super) fn sent(self, at: Time) {
        self.ticket.sent(at);
    }

    /// Nobody will know.
    pub(super) fn lost(self) {
        self.ticket.end(Over::Unknown);
    }
}

impl PresenceSlot {
    /// What is set.
    pub(super) fn wanted(&self) -> Option<&Presence> {
        match &self.waiting {
            Some(Waiting { ticket, before, .. }) if ticket.is_cancelled() => before.as_ref(),
            _ => self.wanted.as_ref(),
        }
    }

    pub(super) fn set(
        &mut self,
        update: &UpdatePresence,
        start: Option<&UpdatePresence>,
        ticket: Ticket,
        mut turn: Turn,
    ) {
        self.sweep();
        let wanted = match (&self.wanted, start) {
            (Some(wanted), _) => update.over(wanted),
            (None, Some(start)) => update.over(&start.over(&Presence::default())),
            (None, None) => update.over(&Presence::default()),
        };
        let shown = self.wanted.replace(wanted);
        let before = match self.waiting.take() {
            Some(older) => {
                turn.number = older.turn.number; // Its place, so that it is not put off for ever.
                older.ticket.end(Over::Superseded);
                older.before
            }
            None => shown,
        };
        self.waiting = Some(Waiting { ticket, turn, before });
    }

    /// Takes back what was cancelled.
    pub(super) fn sweep(&mut self) {
        if self.waiting.as_ref().is_some_and(|waiting| waiting.ticket.is_cancelled()) {
            self.take_back();
        }
    }

    /// Takes back what waits beyond its deadline.
    pub(super) fn expire(&mut self, now: Time) {
        if self.turn().is_some_and(|turn| turn.is_over(now))
            && let Some(ticket) = self.take_back()
        {
            ticket.end(Over::Expired);
        }
    }

    fn take_back(&mut self) -> Option<Ticket> {
        let waiting = self.waiting.take()?;
        self.wanted = waiting.before;
        Some(waiting.ticket)
    }

    /// Whose turn it is, if one waits.
    pub(super) fn turn(&self) -> Option<Turn> {
        self.waiting.as_ref().map(|waiting| waiting.turn)
    }

    /// When one more may leave.
    pub(super) fn free_at(&self, now: Time) -> Time {
        match self.sent_at.len().checked_sub(PRESENCES_MAX) {
            Some(first) => match self.sent_at[first] + (PRESENCE_WINDOW + TRAVEL_MARGIN) {
                at if at > now => at,
                _ => Time::ZERO,
            },
            None => Time::ZERO,
        }
    }

    /// One more leaves, as raw JSON.
    pub(super) fn record_raw(&mut self, now: Time) {
        self.record(now);
        self.is_raw = true;
    }

    fn record(&mut self, now: Time) {
        if self.sent_at.len() == PRESENCES_MAX {
            self.sent_at.remove(0);
        }
        self.sent_at.push(now);
    }

    /// Hands out what waits; `None` if it was cancelled.
    pub(super) fn pull(&mut self, now: Time) -> Option<(&Presence, Waiting)> {
        let waiting = self.fly()?;
        self.record(now);
        self.is_raw = false;
        self.wanted.as_ref().map(|wanted| (wanted, waiting))
    }

    /// IDENTIFY is handed out, with what is set.
    pub(super) fn identify(&mut self) {
        self.identify = self.fly();
    }

    fn fly(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.take()?;
        if waiting.ticket.fly() {
            return Some(waiting);
        }
        self.wanted = waiting.before;
        None
    }

    /// That IDENTIFY was written.
    pub(super) fn identified(&mut self, now: Time) {
        if let Some(waiting) = self.identify.take() {
            waiting.sent(now);
        }
    }

    /// The connection ended before the IDENTIFY was known to be written.
    pub(super) fn link_ended(&mut self) {
        if let Some(waiting) = self.identify.take() {
            self.put_back(waiting);
        }
    }

    /// What was handed out and is not known to be written waits again.
    pub(super) fn put_back(&mut self, waiting: Waiting) {
        if self.waiting.is_some() {
            return waiting.ticket.end(Over::Superseded);
        }
        waiting.ticket.land();
        self.waiting = Some(waiting);
    }

    /// The session goes on after a connection that was lost then: what may not have arrived is
    /// sent again, unless a newer one waits or a raw one has come after it.
    pub(super) fn resumed(&mut self, lost_at: Option<Time>, turn: Turn) {
        let Some((lost_at, last)) = lost_at.zip(self.sent_at.last()) else { return };
        let in_doubt = self.wanted.is_some() && lost_at.since(*last) < PRESENCE_DOUBT;
        if self.waiting.is_none() && in_doubt && !self.is_raw {
            let before = self.wanted.clone();
            self.waiting = Some(Waiting { ticket: Ticket::none(), turn, before });
        }
    }

    /// Forgets when the last ones left, once that is of no account.
    pub(super) fn forget(&mut self, now: Time) {
        self.sent_at.retain(|at| now.since(*at) < PRESENCE_DOUBT);
    }

    pub(super) fn is_idle(&self) -> bool {
        let none = self.wanted.is_none() && self.waiting.is_none() && self.identify.is_none();
        none && self.sent_at.is_empty()
    }

    pub(super) fn invariants(&self) {
        assert!(self.sent_at.len() <= PRESENCES_MAX, "bounded");
        assert!(self.waiting.is_none() || self.wanted.is_some(), "something is to be sent");
    }
}

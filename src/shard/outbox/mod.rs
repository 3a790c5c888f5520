//! Commands that wait to be sent, their send limit, and what each is told.
//!
//! Discord takes 120 payloads per 60 s and connection (protocol section 7) and closes with 4008
//! above. The room is shared out so that the sum can never be more: scheduled heartbeats have as
//! many slots as the interval fits into the window, IDENTIFY or RESUME has one, heartbeats that the
//! server asks for have [`ASKED_SPARE`] (of which a user's may take one), commands have the rest.
//! What waits is in `queues`, which a shard that sends nothing does not have. Used by `session`
//! alone.

use std::time::Duration;

use crate::clock::Time;
use crate::command::{Kind, Prepared, Presence, UpdatePresence};
use crate::error::{Error, ErrorKind};
use crate::model::{RateLimited, RateLimitedMeta};
use crate::shard::receipt::{Over, Ticket};

mod members;
mod presence;
mod queues;
mod window;

pub use members::{
    HOLDS_MAX, KEPT_MAX, REFUSED_WITHIN, RETRY_AFTER_MAX, TRIES_MAX, WHOLE_GUILD_EVERY,
};
pub use presence::{PRESENCE_DOUBT, PRESENCE_WINDOW, PRESENCES_MAX};
use queues::Queues;
use window::{SendWindow, quota};

/// Payloads per [`SEND_WINDOW`] and connection (protocol section 7).
pub const SENDS_MAX: u32 = 120;
/// The window of [`SENDS_MAX`].
pub const SEND_WINDOW: Duration = Duration::from_secs(60);
/// By how much our windows are longer than Discord's: what left us 60 s apart may arrive closer.
pub const TRAVEL_MARGIN: Duration = Duration::from_secs(1);
/// Slots of a window for heartbeats that the server asks for.
pub const ASKED_SPARE: u32 = 5;
/// Of those, the slots that heartbeats of the user may take when commands have used up theirs.
pub const USER_SPARE: u32 = 1;
/// Heartbeats that a user may have on order.
pub const BEATS_MAX: usize = 8;

/// The commands of one shard.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    window: SendWindow,
    queues: Option<Box<Queues>>,
    /// The user knows that commands wait for the limit.
    told: bool,
}

/// What an outbox is told with each command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// The most that may wait.
    pub(crate) len_max: usize,
    /// The presence of IDENTIFY before any was set.
    pub(crate) start: Option<&'a UpdatePresence>,
}

impl Outbox {
    /// How many commands wait.
    pub(crate) fn len(&self) -> usize {
        self.queues.as_ref().map_or(0, |queues| queues.len())
    }

    /// Queues a command.
    pub(crate) fn push(
        &mut self,
        now: Time,
        command: Prepared,
        ticket: Ticket,
        terms: Terms<'_>,
    ) -> Result<(), Error> {
        let Prepared { kind, priority, expires_in } = command;
        let queues = self.queues.get_or_insert_default();
        let turn = queues.turn(priority, expires_in.map(|after| now + after));
        let refused = match kind {
            Kind::Presence(update) => {
                queues.set_presence(&update, terms.start, ticket, turn, now);
                return Ok(());
            }
            Kind::Heartbeat => queues.push_beat(ticket),
            Kind::Text { text, what } => {
                queues.push(text, what, ticket, turn, (now, terms.len_max))
            }
        };
        refused.map_err(|ticket| {
            let detail = "as many commands wait in this shard as may; try again later";
            let error = Error::new(ErrorKind::Full, detail);
            ticket.end(Over::Rejected(error.clone()));
            error
        })
    }

    /// A new connection: a new window.
    pub(crate) fn link_opened(&mut self, now: Time) {
        self.window = SendWindow::new(now);
        self.told = false;
    }

    /// What was handed out and not confirmed is judged, command by command; what waits goes on
    /// waiting.
    pub(crate) fn link_ended(&mut self, len_max: usize) {
        if let Some(queues) = &mut self.queues {
            queues.link_ended(len_max);
        }
    }

    /// The session goes on. Its connection was lost at `lost_at`.
    pub(crate) fn resumed(&mut self, lost_at: Option<Time>) {
        if let Some(queues) = &mut self.queues {
            queues.resumed(lost_at);
        }
    }

    /// A new session is up.
    pub(crate) fn new_session(&mut self) {
        if let Some(queues) = &mut self.queues {
            queues.members.new_session();
        }
    }

    /// Everything that waits is dropped, with an answer.
    pub(crate) fn retire(&mut self) {
        if let Some(mut queues) = self.queues.take() {
            queues.retire(); // The rest is dropped, and a ticket then tells that the shard stopped.
        }
    }

    /// The next command, if the limits let one go.
    pub(crate) fn pull(&mut self, now: Time, beats: u32, out: &mut Vec<u8>) -> bool {
        let Some(queues) = &mut self.queues else { return false };
        if queues.due.is_none_or(|due| due > now) || self.window.wait(now, quota(beats)).is_some() {
            return false;
        }
        let pulled = queues.pull(now, out);
        if pulled {
            self.window.record(now);
            self.told = false;
        }
        pulled
    }

    /// Whether a heartbeat that the server asked for may go; it takes a slot if so.
    pub(crate) fn pull_asked(&mut self, now: Time, beats: u32) -> bool {
        self.take_slot(now, quota(beats) + ASKED_SPARE)
    }

    /// Whether a heartbeat that a user wants may go; it takes a slot if so.
    pub(crate) fn pull_beat(&mut self, now: Time, beats: u32) -> bool {
        self.wants_beat() && self.take_slot(now, quota(beats) + USER_SPARE)
    }

    fn take_slot(&mut self, now: Time, slots: u32) -> bool {
        let free = self.window.wait(now, slots).is_none();
        if free {
            self.window.record(now);
        }
        free
    }

    fn wants_beat(&self) -> bool {
        self.queues.as_ref().is_some_and(|queues| queues.wants_beat())
    }

    /// A heartbeat was handed out.
    pub(crate) fn beat_pulled(&mut self) {
        if let Some(queues) = &mut self.queues {
            queues.beat_pulled();
        }
    }

    /// A heartbeat was written.
    pub(crate) fn beat_written(&mut self, now: Time) {
        if let Some(queues) = &mut self.queues {
            queues.beat_written(now);
        }
    }

    /// IDENTIFY is handed out: the presence that a command had set.
    pub(crate) fn identify(&mut self) -> Option<&Presence> {
        let queues = self.queues.as_mut()?;
        queues.presence.identify();
        queues.presence.wanted()
    }

    /// IDENTIFY was written.
    pub(crate) fn identified(&mut self, now: Time) {
        if let Some(queues) = &mut self.queues {
            queues.presence.identified(now);
        }
    }

    /// The presence that a command had set.
    pub(crate) fn presence(&self) -> Option<&Presence> {
        self.queues.as_ref()?.presence.wanted()
    }

    /// Whether RATE_LIMITED is to be read.
    pub(crate) fn is_watching(&self) -> bool {
        self.queues.as_ref().is_some_and(|queues| queues.members.is_watching())
    }

    /// RATE_LIMITED came.
    pub(crate) fn rate_limited(&mut self, now: Time, event: &RateLimited<'_>) {
        let Some(queues) = &mut self.queues else { return };
        let RateLimitedMeta::RequestGuildMembers(meta) = event.meta else { return };
        let retry_after = event.retry_after().min(RETRY_AFTER_MAX);
        queues.members.rate_limited(now, meta.guild_id, meta.nonce, retry_after);
        queues.replan();
    }

    /// Ends what waits beyond its deadline.
    pub(crate) fn expire(&mut self, now: Time) {
        if let Some(queues) = &mut self.queues {
            queues.expire(now);
        }
    }

    /// Forgets what is over.
    pub(crate) fn prune(&mut self, now: Time) {
        self.window.prune(now);
        if let Some(queues) = &mut self.queues {
            queues.members.forget(now);
            queues.presence.forget(now);
            queues.plan(now);
            if queues.is_idle() {
                self.queues = None;
            }
        }
    }

    /// The oldest command in flight was written.
    pub(crate) fn written(&mut self, now: Time) {
        if let Some(queues) = &mut self.queues {
            queues.written(now);
        }
    }

    /// When the earliest deadline of those that wait is.
    pub(crate) fn expiry(&self) -> Option<Time> {
        self.queues.as_ref()?.expiry
    }

    /// When a heartbeat that is wanted may go; `None` if none is, or one may go now.
    pub(crate) fn beat_deadline(&self, beats: u32, asked: bool) -> Option<Time> {
        let asked = if asked { self.window.free_at(quota(beats) + ASKED_SPARE) } else { None };
        let wanted =
            if self.wants_beat() { self.window.free_at(quota(beats) + USER_SPARE) } else { None };
        [asked, wanted].into_iter().flatten().min()
    }

    /// When the next command may go; `None` if none waits or one may go now.
    pub(crate) fn deadline(&self, beats: u32) -> Option<Time> {
        let queues = self.queues.as_ref()?;
        let due = queues.due.filter(|_| !queues.is_busy())?;
        match self.window.free_at(quota(beats)) {
            Some(free) => Some(free.max(due)),
            None => Some(due).filter(|due| *due > Time::ZERO),
        }
    }

    /// Until when commands wait for the limit, if they do and nobody was told.
    pub(crate) fn tell_limited(&mut self, now: Time, beats: u32) -> Option<Time> {
        let due = self.queues.as_ref().and_then(|queues| queues.due);
        if self.told || due.is_none_or(|due| due > now) {
            return None;
        }
        let until = self.window.wait(now, quota(beats))?;
        self.told = true;
        Some(until)
    }

    pub(crate) fn invariants(&self, len_max: usize) {
        if let Some(queues) = &self.queues {
            queues.invariants(len_max);
        }
        assert!(self.window.len() <= SENDS_MAX as usize, "never over the limit");
    }
}

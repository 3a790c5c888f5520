//! Requests for members: the whole list once per guild in 30 s, and what RATE_LIMITED refuses
//! (protocol sections 7 and 11).
//!
//! A request is kept for a while after it was sent, to be sent again if it is refused. Invariants:
//! at most [`KEPT_MAX`] are kept, at most [`HOLDS_MAX`] guilds held; one request is sent at most
//! [`TRIES_MAX`] times. Used by the outbox's queues alone.

use std::collections::VecDeque;
use std::time::Duration;

use super::{TRAVEL_MARGIN, queues::Turn};
use crate::clock::Time;
use crate::command::{Asked, Encoded};
use crate::model::GuildId;
use crate::shard::receipt::{Over, Ticket};

/// The whole list of a guild may be asked for once in this time (protocol section 7).
pub const WHOLE_GUILD_EVERY: Duration = Duration::from_secs(30);
/// How often one request is sent, if RATE_LIMITED refuses it each time.
pub const TRIES_MAX: u8 = 4;
/// The longest wait that RATE_LIMITED is believed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// Requests that are kept: as many as a connection can send in a minute.
pub const KEPT_MAX: usize = 120;
/// Guilds whose last whole request is remembered; while there are as many, others wait.
pub const HOLDS_MAX: usize = 256;
/// For how long after it was written a request may still be refused.
pub const REFUSED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Requests {
    kept: VecDeque<Request>,
    holds: Vec<Hold>,
    next_key: u64,
}

/// Which of the requests that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u64);

#[derive(Debug)]
struct Request {
    key: Key,
    asked: Box<Asked>,
    text: Encoded,
    ticket: Ticket,
    turn: Turn,
    tries: u8,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Handed out.
    Flying,
    Sent(Time),
    /// To be sent again then.
    Again(Time),
}

/// A guild whose whole list may not be asked for until then.
#[derive(Debug)]
struct Hold {
    guild_id: GuildId,
    until: Time,
}

impl Requests {
    /// When this request, which was not sent yet, may go. `None`: not before something is written
    /// or refused.
    pub(super) fn free_at(&self, asked: &Asked, now: Time) -> Option<Time> {
        let is_full = self.kept.len() >= KEPT_MAX;
        if is_full && !self.kept.iter().any(|kept| matches!(kept.stage, Stage::Sent(_))) {
            return None;
        }
        Some(if asked.is_whole { self.whole_at(asked.guild_id, now) } else { Time::ZERO })
    }

    /// When the whole list of this guild may be asked for.
    fn whole_at(&self, guild_id: GuildId, now: Time) -> Time {
        let live = || self.holds.iter().filter(|hold| hold.until > now);
        if let Some(hold) = live().find(|hold| hold.guild_id == guild_id) {
            return hold.until;
        }
        match self.holds.len() < HOLDS_MAX || live().count() < HOLDS_MAX {
            true => Time::ZERO,
            false => live().map(|hold| hold.until).min().unwrap_or(Time::ZERO),
        }
    }

    /// A request is handed out for the first time.
    pub(super) fn keep(
        &mut self,
        asked: Box<Asked>,
        text: Encoded,
        ticket: Ticket,
        turn: Turn,
        now: Time,
    ) -> Key {
        if self.kept.len() >= KEPT_MAX
            && let Some(at) = self.kept.iter().position(|kept| matches!(kept.stage, Stage::Sent(_)))
        {
            self.kept.remove(at);
        }
        if asked.is_whole {
            self.hold(asked.guild_id, now + (WHOLE_GUILD_EVERY + TRAVEL_MARGIN), now);
        }
        let key = Key(self.next_key);
        self.next_key += 1;
        let stage = Stage::Flying;
        self.kept.push_back(Request { key, asked, text, ticket, turn, tries: 1, stage });
        key
    }

    fn hold(&mut self, guild_id: GuildId, until: Time, now: Time) {
        self.holds.retain(|hold| hold.until > now);
        let has_room = self.holds.len() < HOLDS_MAX;
        match self.holds.iter_mut().find(|hold| hold.guild_id == guild_id) {
            Some(hold) => hold.until = hold.until.max(until),
            None if has_room => self.holds.push(Hold { guild_id, until }),
            // Only if it is sent again while as many guilds are held: Discord judges.
            None => {}
        }
    }

    /// Those that are to be sent again: when, and their turns.
    pub(super) fn again(&self, now: Time) -> impl Iterator<Item = (Time, Turn, Key)> + '_ {
        self.kept.iter().filter_map(move |kept| match kept.stage {
            // Another of this guild may have gone meanwhile.
            Stage::Again(at) if kept.asked.is_whole => {
                Some((at.max(self.whole_at(kept.asked.guild_id, now)), kept.turn, kept.key))
            }
            Stage::Again(at) => Some((at, kept.turn, kept.key)),
            _ => None,
        })
    }

    /// Hands one out again; `false` if it was cancelled.
    pub(super) fn pull(&mut self, key: Key, now: Time, out: &mut Vec<u8>) -> bool {
        let Some(at) = self.kept.iter().position(|kept| kept.key == key) else { return false };
        let kept = &mut self.kept[at];
        if !kept.ticket.fly() {
            self.kept.remove(at);
            return false;
        }
        kept.stage = Stage::Flying;
        kept.tries += 1;
        out.extend_from_slice(kept.text.as_bytes());
        if kept.asked.is_whole {
            let guild_id = kept.asked.guild_id;
            self.hold(guild_id, now + (WHOLE_GUILD_EVERY + TRAVEL_MARGIN), now);
        }
        true
    }

    pub(super) fn written(&mut self, key: Key, now: Time) {
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.key == key)
            && kept.stage == Stage::Flying
        {
            kept.stage = Stage::Sent(now);
            kept.ticket.sent(now);
        }
    }

    /// The connection ended before this one was known to be written. Whether it arrived nobody
    /// knows: a second one might be one too many, and the answer may yet come.
    pub(super) fn lost(&mut self, key: Key) {
        let at = self.kept.iter().position(|kept| kept.key == key && kept.stage == Stage::Flying);
        if let Some(kept) = at.and_then(|at| self.kept.remove(at)) {
            kept.ticket.end(Over::Unknown);
        }
    }

    /// A new session: what the old one was asked is not refused any more.
    pub(super) fn new_session(&mut self) {
        self.kept.retain(|kept| !matches!(kept.stage, Stage::Sent(_)));
    }

    /// RATE_LIMITED came for a request of this guild with this nonce.
    pub(super) fn rate_limited(
        &mut self,
        now: Time,
        guild_id: GuildId,
        nonce: Option<&str>,
        retry_after: Duration,
    ) {
        let again_at = now + (retry_after + TRAVEL_MARGIN);
        let at = self.kept.iter().rposition(|kept| {
            let is_it = kept.asked.guild_id == guild_id && kept.asked.nonce.as_deref() == nonce;
            is_it && !matches!(kept.stage, Stage::Again(_))
        });
        let Some(at) = at else { return };
        if self.kept[at].asked.is_whole {
            self.hold(guild_id, again_at, now);
        }
        let kept = &mut self.kept[at];
        if kept.tries < TRIES_MAX {
            kept.stage = Stage::Again(again_at);
            kept.ticket.rate_limited(retry_after);
        } else if let Some(kept) = self.kept.remove(at) {
            kept.ticket.end(Over::Refused);
        }
    }

    /// Those whose deadline has passed while they waited to be sent again.
    pub(super) fn expire(&mut self, now: Time) {
        let is_over =
            |kept: &Request| matches!(kept.stage, Stage::Again(_)) && kept.turn.is_over(now);
        while let Some(at) = self.kept.iter().position(is_over) {
            if let Some(kept) = self.kept.remove(at) {
                kept.ticket.end(Over::Expired);
            }
        }
    }

    /// Forgets what cannot be refused any more, and guilds that are free again.
    pub(super) fn forget(&mut self, now: Time) {
        self.holds.retain(|hold| hold.until > now);
        self.kept.retain(|kept| match kept.stage {
            Stage::Sent(at) => now.since(at) < REFUSED_WITHIN,
            Stage::Again(_) => !kept.ticket.is_cancelled(),
            Stage::Flying => true,
        });
    }

    /// Whether RATE_LIMITED may be about one of these.
    pub(super) fn is_watching(&self) -> bool {
        !self.kept.is_empty()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.kept.is_empty() && self.holds.is_empty()
    }

    pub(super) fn invariants(&self) {
        assert!(self.kept.len() <= KEPT_MAX && self.holds.len() <= HOLDS_MAX, "bounded");
        assert!(self.kept.iter().all(|kept| kept.tries <= TRIES_MAX), "not for ever");
    }
}

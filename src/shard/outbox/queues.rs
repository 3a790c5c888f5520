//! The commands of one shard that has any: who waits, who goes first, who is on the way.
//!
//! Priorities, coalescing, deadlines and what a lost connection means for each are here; how much
//! may leave a connection is the [`Outbox`](super::Outbox)'s affair. Invariants: at most `len_max`
//! commands wait; each ticket is told exactly one end.

use std::collections::VecDeque;

use super::members::{Key, Requests};
use super::presence::{PresenceSlot, Waiting};
use super::{BEATS_MAX, SENDS_MAX};
use crate::clock::Time;
use crate::command::{Encoded, Priority, UpdatePresence, What};
use crate::model::GuildId;
use crate::shard::receipt::{Over, Ticket};

/// Where a command stands among those that wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) priority: Priority,
    pub(super) number: u64,
    pub(super) expires_at: Option<Time>,
}

impl Turn {
    /// Its deadline has passed.
    pub(super) fn is_over(self, now: Time) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    fn rank(self) -> (Priority, u64) {
        (self.priority, self.number)
    }
}

#[derive(Debug, Default)]
pub(super) struct Queues {
    waiting: VecDeque<Entry>,
    pub(super) presence: PresenceSlot,
    pub(super) members: Requests,
    /// Heartbeats that a user wants, and those of them that are handed out.
    beats: Vec<Ticket>,
    beats_flying: Vec<Ticket>,
    /// Handed to the driver, not yet known to be written.
    in_flight: VecDeque<Flight>,
    numbers: u64,
    /// The earliest moment at which one may go, as far as its own rules are concerned.
    pub(super) due: Option<Time>,
    /// The earliest deadline of those that wait.
    pub(super) expiry: Option<Time>,
}

#[derive(Debug)]
struct Entry {
    text: Encoded,
    what: What,
    ticket: Ticket,
    turn: Turn,
}

#[derive(Debug)]
enum Flight {
    Presence(Waiting),
    VoiceState(GuildId, Entry),
    Members(Key),
    Plain(Ticket),
}

/// Who goes next.
#[derive(Clone, Copy)]
enum Pick {
    Presence,
    Waiting(usize),
    Again(Key),
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.presence.turn().is_some())
    }

    /// The turn of a command that comes now.
    pub(super) fn turn(&mut self, priority: Priority, expires_at: Option<Time>) -> Turn {
        self.numbers += 1;
        Turn { priority, number: self.numbers, expires_at }
    }

    pub(super) fn set_presence(
        &mut self,
        update: &UpdatePresence,
        start: Option<&UpdatePresence>,
        ticket: Ticket,
        turn: Turn,
        now: Time,
    ) {
        self.presence.set(update, start, ticket, turn);
        self.sooner(Some(self.presence.free_at(now)), turn.expires_at);
    }

    /// Queues a written command. The ticket comes back if as many wait as may.
    pub(super) fn push(
        &mut self,
        text: Encoded,
        what: What,
        ticket: Ticket,
        turn: Turn,
        (now, len_max): (Time, usize),
    ) -> Result<(), Ticket> {
        let entry = match what {
            What::VoiceState(guild_id) => {
                let mut entry = Entry { text, what, ticket, turn };
                if let Some(older) = self.voice_of(guild_id) {
                    // It keeps the older one's place, so that it is not put off for ever.
                    entry.turn.number = older.turn.number;
                    let older = std::mem::replace(older, entry);
                    older.ticket.end(Over::Superseded);
                    self.sooner(Some(Time::ZERO), turn.expires_at);
                    return Ok(());
                }
                entry
            }
            what => Entry { text, what, ticket, turn },
        };
        if self.waiting.len() >= len_max {
            self.waiting.retain(|entry| !entry.ticket.is_cancelled());
        }
        if self.waiting.len() >= len_max {
            return Err(entry.ticket);
        }
        self.sooner(self.free_at(&entry, now), turn.expires_at);
        self.waiting.push_back(entry);
        Ok(())
    }

    fn voice_of(&mut self, guild_id: GuildId) -> Option<&mut Entry> {
        let is_it =
            |entry: &&mut Entry| matches!(entry.what, What::VoiceState(of) if of == guild_id);
        self.waiting.iter_mut().find(is_it)
    }

    fn sooner(&mut self, due: Option<Time>, expiry: Option<Time>) {
        self.due = [self.due, due].into_iter().flatten().min();
        self.expiry = [self.expiry, expiry].into_iter().flatten().min();
    }

    /// When an entry may go, as far as its own rules are concerned.
    fn free_at(&self, entry: &Entry, now: Time) -> Option<Time> {
        match &entry.what {
            What::Members(asked) => self.members.free_at(asked, now),
            What::Plain { op: UPDATE_PRESENCE } => Some(self.presence.free_at(now)),
            What::Plain { .. } | What::VoiceState(_) => Some(Time::ZERO),
        }
    }

    /// Every command that waits, with when it may go and its turn.
    fn candidates(&self, now: Time) -> impl Iterator<Item = (Option<Time>, Turn, Pick)> + '_ {
        let presence = self.presence.turn();
        let presence =
            presence.map(|turn| (Some(self.presence.free_at(now)), turn, Pick::Presence));
        let waiting = self.waiting.iter().enumerate();
        let waiting = waiting
            .map(move |(at, entry)| (self.free_at(entry, now), entry.turn, Pick::Waiting(at)));
        let again =
            self.members.again(now).map(|(at, turn, key)| (Some(at), turn, Pick::Again(key)));
        presence.into_iter().chain(waiting).chain(again)
    }

    /// Works out anew when something is to be done.
    pub(super) fn plan(&mut self, now: Time) {
        let (mut due, mut expiry): (Option<Time>, Option<Time>) = (None, None);
        for (free_at, turn, _) in self.candidates(now) {
            due = [due, free_at].into_iter().flatten().min();
            expiry = [expiry, turn.expires_at].into_iter().flatten().min();
        }
        (self.due, self.expiry) = (due, expiry);
    }

    /// As many are on the way as a connection takes in a minute: the driver does not tell.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.len() >= SENDS_MAX as usize
    }

    /// Writes the next command that may go by its own rules.
    pub(super) fn pull(&mut self, now: Time, out: &mut Vec<u8>) -> bool {
        if self.is_busy() || self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.expire(now);
        let mut pulled = false;
        while !pulled {
            let free = |free_at: Option<Time>| free_at.is_some_and(|at| at <= now);
            let candidates = self.candidates(now).filter(|(free_at, ..)| free(*free_at));
            let Some((.., pick)) = candidates.min_by_key(|(_, turn, _)| turn.rank()) else {
                break;
            };
            // Whoever is not handed out was cancelled, and is gone now.
            pulled = match pick {
                Pick::Presence => self.pull_presence(now, out),
                Pick::Waiting(at) => self.pull_waiting(at, now, out),
                Pick::Again(key) => {
                    self.members.pull(key, now, out) && {
                        self.in_flight.push_back(Flight::Members(key));
                        true
                    }
                }
            };
        }
        self.plan(now);
        pulled
    }

    fn pull_presence(&mut self, now: Time, out: &mut Vec<u8>) -> bool {
        let Some((presence, waiting)) = self.presence.pull(now) else { return false };
        out.extend_from_slice(br#"{"op":3,"d":"#);
        presence.write(out);
        out.push(b'}');
        self.in_flight.push_back(Flight::Presence(waiting));
        true
    }

    fn pull_waiting(&mut self, at: usize, now: Time, out: &mut Vec<u8>) -> bool {
        let Some(entry) = self.waiting.remove(at) else { return false };
        if !entry.ticket.fly() {
            return false;
        }
        out.extend_from_slice(entry.text.as_bytes());
        let flight = match entry.what {
            What::VoiceState(guild_id) => Flight::VoiceState(guild_id, entry),
            What::Members(asked) => {
                let Entry { text, ticket, turn, .. } = entry;
                Flight::Members(self.members.keep(asked, text, ticket, turn, now))
            }
            What::Plain { op } => {
                if op == UPDATE_PRESENCE {
                    self.presence.record_raw(now);
                }
                Flight::Plain(entry.ticket)
            }
        };
        self.in_flight.push_back(flight);
        true
    }

    /// The oldest command on the way was written.
    pub(super) fn written(&mut self, now: Time) {
        match self.in_flight.pop_front() {
            Some(Flight::Presence(waiting)) => waiting.sent(now),
            Some(Flight::Plain(ticket)) => ticket.sent(now),
            Some(Flight::VoiceState(_, entry)) => entry.ticket.sent(now),
            Some(Flight::Members(key)) => self.members.written(key, now),
            None => {}
        }
        if self.due.is_none() {
            self.plan(now); // Members may have waited for this.
        }
    }

    /// The connection ended: what becomes of the commands that were on the way. The newest first,
    /// so that an older one finds who supersedes it.
    pub(super) fn link_ended(&mut self, len_max: usize) {
        self.beats_ended();
        self.presence.link_ended();
        for flight in std::mem::take(&mut self.in_flight).into_iter().rev() {
            match flight {
                Flight::Presence(waiting) => self.presence.put_back(waiting),
                Flight::VoiceState(guild_id, entry) => {
                    if self.voice_of(guild_id).is_some() {
                        entry.ticket.end(Over::Superseded);
                    } else if self.waiting.len() >= len_max {
                        entry.ticket.end(Over::Unknown);
                    } else {
                        entry.ticket.land();
                        self.waiting.push_front(entry);
                    }
                }
                Flight::Members(key) => self.members.lost(key),
                Flight::Plain(ticket) => ticket.end(Over::Unknown),
            }
        }
        self.replan();
    }

    /// The shard stops: what is on the way may arrive or not.
    pub(super) fn retire(&mut self) {
        self.beats_ended();
        for flight in std::mem::take(&mut self.in_flight) {
            match flight {
                Flight::Presence(waiting) => waiting.lost(),
                Flight::Plain(ticket) => ticket.end(Over::Unknown),
                Flight::VoiceState(_, entry) => entry.ticket.end(Over::Unknown),
                Flight::Members(key) => self.members.lost(key),
            }
        }
    }

    /// A heartbeat that is asked for is one of this connection.
    fn beats_ended(&mut self) {
        self.beats.drain(..).for_each(|ticket| ticket.end(Over::Disconnected));
        self.beats_flying.drain(..).for_each(|ticket| ticket.end(Over::Unknown));
    }

    /// RESUMED, after a connection that was lost then.
    pub(super) fn resumed(&mut self, lost_at: Option<Time>) {
        let turn = Turn { priority: Priority::Normal, number: 0, expires_at: None };
        self.presence.resumed(lost_at, turn);
        self.replan();
    }

    /// Has everything looked at again as soon as that is possible.
    pub(super) fn replan(&mut self) {
        (self.due, self.expiry) = (Some(Time::ZERO), Some(Time::ZERO));
    }

    /// Ends what waits beyond its deadline.
    pub(super) fn expire(&mut self, now: Time) {
        if self.expiry.is_none_or(|expiry| expiry > now) {
            return;
        }
        self.presence.expire(now);
        self.members.expire(now);
        while let Some(at) = self.waiting.iter().position(|entry| entry.turn.is_over(now)) {
            if let Some(entry) = self.waiting.remove(at) {
                entry.ticket.end(Over::Expired);
            }
        }
        self.plan(now);
    }

    /// A user wants a heartbeat. The ticket comes back if too many do.
    pub(super) fn push_beat(&mut self, ticket: Ticket) -> Result<(), Ticket> {
        if self.beats.len() + self.beats_flying.len() >= BEATS_MAX {
            return Err(ticket);
        }
        self.beats.push(ticket);
        Ok(())
    }

    pub(super) fn wants_beat(&self) -> bool {
        !self.beats.is_empty()
    }

    /// A heartbeat is handed out, for whatever reason: it is the one that was wanted, too.
    pub(super) fn beat_pulled(&mut self) {
        for ticket in self.beats.drain(..) {
            if ticket.fly() {
                self.beats_flying.push(ticket);
            }
        }
    }

    pub(super) fn beat_written(&mut self, now: Time) {
        self.beats_flying.drain(..).for_each(|ticket| ticket.sent(now));
    }

    /// Nothing is here that is worth its memory.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.in_flight.is_empty()
            && self.beats.is_empty()
            && self.beats_flying.is_empty()
            && self.presence.is_idle()
            && self.members.is_idle()
    }

    pub(super) fn invariants(&self, len_max: usize) {
        assert!(self.waiting.len() <= len_max, "bounded");
        assert!(self.in_flight.len() <= SENDS_MAX as usize, "bounded");
        assert!(self.beats.len() + self.beats_flying.len() <= BEATS_MAX, "bounded");
        assert!(self.len() == 0 || self.due.is_some() || self.members.is_watching());
        self.presence.invariants();
        self.members.invariants();
    }
}

/// The opcode of a presence (protocol section 1).
const UPDATE_PRESENCE: u8 = 3;

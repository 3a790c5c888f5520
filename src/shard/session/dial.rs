//! The way to a connection, and from HELLO to the permit to IDENTIFY. Private to the session.
//!
//! Each step asks the guards: the budget and the gate before a connection for an IDENTIFY is made,
//! the admission before any is made, and gate and budget again after HELLO. What it is told to wait
//! for, it waits for in its present state.

use std::time::Duration;

use super::Session;
use crate::clock::Time;
use crate::shard::admission::{Admit, DialEnd, Need, Route};
use crate::shard::budget::{Leave, Start};
use crate::shard::close::{Cause, LinkEnd};
use crate::shard::hosts::{HostFailure, HostName};
use crate::shard::identify::{ASK_AGAIN, Ticket, Turn};
use crate::shard::notice::{Order, State};
use crate::wire::GatewayUrl;

/// Where the session stands with the gate.
#[derive(Debug)]
pub(super) enum Place {
    None,
    InLine(Ticket),
    /// Holds the permit, IDENTIFY not yet pulled.
    Granted(Ticket),
    /// IDENTIFY is on its way to the socket.
    HandedOut(Ticket),
}

impl Place {
    /// Leaves [`Place::None`]; gives the ticket if there was one.
    pub(super) fn take(&mut self) -> Option<Ticket> {
        match std::mem::replace(self, Self::None) {
            Self::None => None,
            Self::InLine(ticket) | Self::Granted(ticket) | Self::HandedOut(ticket) => Some(ticket),
        }
    }
}

/// No guard is asked more often.
const ASK_AGAIN_MIN: Duration = Duration::from_millis(1);

impl Session {
    /// Dials if the guards let it; else waits on.
    pub(super) fn try_dial(&mut self, now: Time) {
        let age_max = self.settings.session_age_max;
        if self.lost_link_at.is_some_and(|at| now.since(at) >= age_max) {
            self.settle_dial(now, DialEnd::Ended); // its place was that of a resume
            self.lose_session(now, Cause::SessionExpired);
        }
        if self.ends_with_the_bot(now) {
            return;
        }
        if self.session_id.is_none()
            && let Some(at) = self.waits_to_identify(now)
        {
            self.settle_dial(now, DialEnd::Ended); // it may be long
            return self.wait_until(now, at);
        }
        match self.admit(now) {
            Admit::Later(at) => self.wait_until(now, at),
            Admit::Now(target) => {
                self.target = target;
                self.url_replaced = false;
                self.state = State::Connecting;
                self.phase(now + self.settings.dial_wait);
                self.dial = Some(Order::Dial { target, attempt: self.failures });
            }
        }
    }

    /// Until when a shard without a session has no reason to dial: its back-off, then the budget,
    /// then its turn at the gate.
    fn waits_to_identify(&mut self, now: Time) -> Option<Time> {
        if now < self.identify_not_before {
            return Some(self.identify_not_before);
        }
        if let Leave::Later(at) = self.guards.budget.leave(self.start_kind(), now) {
            return Some(at);
        }
        self.take_place(now);
        let Place::InLine(ticket) = &self.place else { return None };
        match self.guards.gate.may_dial(ticket, now) {
            Turn::Later(at) => Some(at),
            Turn::Now => None,
        }
    }

    /// Asks the admission, in whose line it takes a place first.
    fn admit(&mut self, now: Time) -> Admit {
        let slip = match self.slip.take() {
            Some(slip) => slip,
            None => {
                let need = match &self.session_id {
                    Some(_) => Need::Resume { lost_at: self.lost_link_at.unwrap_or(now) },
                    None => Need::Identify,
                };
                self.guards.admission.enqueue(self.shard, need, self.route(), now)
            }
        };
        let admit = self.guards.admission.ask(&slip, now);
        self.slip = Some(slip);
        admit
    }

    /// The hosts that it could dial.
    fn route(&self) -> Route {
        let is_wanted = self.session_id.is_some() && !self.avoid_resume_host;
        let resume = self.resume_place().filter(|_| is_wanted).map(|url| HostName::of(&url));
        Route { main: HostName::parse(&self.settings.main_url).unwrap_or_default(), resume }
    }

    /// Where READY said that the session is to be resumed: only if that place is spoken to as the
    /// main one is. A gateway reached by TLS cannot have the token sent in the clear; and one that
    /// is reached without (a proxy of the user's own, which passes Discord's READY on) stands for
    /// what is behind it.
    pub(crate) fn resume_place(&self) -> Option<GatewayUrl> {
        let url = GatewayUrl::parse(self.resume_url.as_deref()?).ok()?;
        let main = GatewayUrl::parse(&self.settings.main_url).ok();
        main.is_none_or(|main| main.is_secure() == url.is_secure()).then_some(url)
    }

    /// The connection's making is over; of what is given up before it began, nothing is said.
    pub(super) fn settle_dial(&mut self, now: Time, end: DialEnd) {
        if let Some(slip) = self.slip.take() {
            self.guards.admission.settled(slip, end, now);
        }
    }

    /// What the end of a connection says about its host. To be called before the state changes.
    pub(super) fn dial_end(&self, cause: Cause) -> DialEnd {
        match (self.state, cause) {
            (_, Cause::Link(LinkEnd::HttpStatus(429))) => DialEnd::Failed(HostFailure::Busy),
            // 4xx: the host is well, and does not like what it was asked for.
            (_, Cause::Link(LinkEnd::HttpStatus(status))) if status < 500 => DialEnd::Ended,
            (State::Connecting | State::Greeting, Cause::Link(_) | Cause::HelloTimeout) => {
                DialEnd::Failed(HostFailure::Down)
            }
            _ => DialEnd::Ended,
        }
    }

    /// Asks for the permit to IDENTIFY, and has the IDENTIFY counted.
    pub(super) fn ask(&mut self, now: Time) {
        if self.ends_with_the_bot(now) {
            return;
        }
        let start = self.start_kind();
        if let Leave::Later(at) = self.guards.budget.leave(start, now) {
            // Those whom the budget lets go must not wait behind this one.
            self.release_place(now);
            return self.wait_until(now, at);
        }
        self.take_place(now); // the session went while its connection was being made
        let Place::InLine(ticket) = &self.place else { return };
        if let Turn::Later(at) = self.guards.gate.ask(ticket, now) {
            return self.wait_until(now, at);
        }
        // Counted before it can be pulled: if all ends here, that is one too many.
        if let Leave::Later(at) = self.guards.budget.count(start, now) {
            if at > now + ASK_AGAIN {
                self.release_place(now);
            }
            return self.wait_until(now, at); // for a moment it keeps the permit
        }
        self.identified = true;
        if let Some(ticket) = self.place.take() {
            self.place = Place::Granted(ticket);
        }
        self.state = State::Identifying;
        self.begin_handshake(now);
    }

    /// Stays in its state until then. A guard that names a moment that is past is asked again soon,
    /// not for ever at this one.
    fn wait_until(&mut self, now: Time, at: Time) {
        self.phase(at.max(now + ASK_AGAIN_MIN));
    }

    pub(super) fn start_kind(&self) -> Start {
        if self.identified { Start::Again } else { Start::First }
    }

    /// Takes a place at the gate, if it has none.
    fn take_place(&mut self, now: Time) {
        if let Place::None = self.place {
            let first = std::mem::take(&mut self.first);
            self.place = Place::InLine(self.guards.gate.enqueue(self.shard, first, now));
        }
    }

    /// Leaves the gate. An IDENTIFY that was handed out may have been written: it counts as such.
    pub(super) fn release_place(&mut self, now: Time) {
        let is_out = matches!(self.place, Place::HandedOut(_));
        match self.place.take() {
            None => {}
            Some(ticket) if is_out => self.guards.gate.written(ticket, now),
            Some(ticket) => self.guards.gate.give_back(ticket, now),
        }
    }
}

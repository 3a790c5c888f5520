//! What is pulled out of a session, and what may be read of it.

use std::time::Duration;

use super::{NOTICES_LEN_MAX, Place, Session};
use crate::clock::Time;
use crate::command::Presence;
use crate::shard::counters::{Counters, Latency};
use crate::shard::id::ShardId;
use crate::shard::notice::{Notice, Order, Sent, State, Target};
use crate::shard::outbox::SEND_WINDOW;
use crate::shard::payload;

impl Session {
    /// The next order, if there is one. See [`Order`] for what each asks of the driver.
    pub fn poll_order(&mut self) -> Option<Order> {
        self.cut.take().or_else(|| self.dial.take())
    }

    /// Appends the next payload (JSON text) to `out`, if one may go now: heartbeats first, then
    /// IDENTIFY or RESUME, then commands under the send limit. What comes out is regarded as sent:
    /// the driver writes it, in this order, and then calls [`transmitted`](Self::transmitted).
    pub fn poll_transmit(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Sent> {
        if !self.is_linked() {
            return None;
        }
        let beats = self.beats();
        let beat = match self.heartbeat.wants() {
            Some(true) => true,
            Some(false) => self.outbox.pull_asked(now, beats),
            None => self.outbox.pull_beat(now, beats),
        };
        if beat {
            payload::heartbeat(out, self.sequence);
            self.heartbeat.beaten(now, self.unread);
            self.outbox.beat_pulled();
            self.counters.heartbeats += 1;
            return Some(Sent::Heartbeat);
        }
        if std::mem::take(&mut self.handshake) {
            return Some(self.transmit_handshake(out));
        }
        if self.state == State::Active && self.outbox.pull(now, beats, out) {
            self.counters.commands += 1;
            return Some(Sent::Command);
        }
        None
    }

    fn transmit_handshake(&mut self, out: &mut Vec<u8>) -> Sent {
        if let Some(session_id) = &self.session_id {
            let sequence = self.sequence.unwrap_or(0);
            payload::resume(out, &self.settings.token, session_id, sequence);
            self.counters.resume_attempts += 1;
            return Sent::Resume;
        }
        if let Place::Granted(ticket) = std::mem::replace(&mut self.place, Place::None) {
            self.place = Place::HandedOut(ticket);
        }
        payload::identify(out, &self.settings, self.shard, self.outbox.identify());
        self.counters.identifies += 1;
        Sent::Identify
    }

    /// The next notice, in their order.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// When [`expire`](Self::expire) wants to be called; `None`: not before another input.
    pub fn poll_deadline(&self) -> Option<Time> {
        let mut deadline = self.phase_at;
        let mut sooner = |at: Option<Time>| {
            deadline = [deadline, at].into_iter().flatten().min();
        };
        sooner(self.errands.deadline());
        sooner(self.outbox.expiry());
        if self.is_linked() {
            sooner(self.heartbeat.deadline());
            let asked = self.heartbeat.wants() == Some(false);
            sooner(self.outbox.beat_deadline(self.beats(), asked));
            if self.state == State::Active {
                sooner(self.outbox.deadline(self.beats()));
            }
        }
        deadline
    }

    /// How many scheduled heartbeats may fall into a send window.
    pub(super) fn beats(&self) -> u32 {
        self.heartbeat.beats_in(SEND_WINDOW)
    }

    /// Which shard this is.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// What the session waits for.
    pub fn state(&self) -> State {
        self.state
    }

    /// The id of the session, if there is one that can be resumed.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The last sequence number seen in this session.
    pub fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Where the session is to be resumed, as READY gave it: maybe without slash, path or query.
    pub fn resume_url(&self) -> Option<&str> {
        self.resume_url.as_deref()
    }

    /// Where the present connection, or the one that is being made, was dialled; `None` without
    /// one, and where that is not known any more: a new session came on it while another was to be
    /// resumed.
    pub fn link_target(&self) -> Option<Target> {
        let is_linked =
            self.is_linked() || matches!(self.state, State::Connecting | State::Closing);
        (is_linked && !self.url_replaced).then_some(self.target)
    }

    /// Connections in a row that brought neither READY nor RESUMED.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The heartbeat interval of this link; `None` before HELLO.
    pub fn heartbeat_interval(&self) -> Option<Duration> {
        Some(self.heartbeat.interval()).filter(|interval| !interval.is_zero())
    }

    /// Round trips of the heartbeats.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// When the last ACK came, on whatever link. Its age tells how stale [`latency`](Self::latency)
    /// is.
    pub fn last_ack_at(&self) -> Option<Time> {
        self.heartbeat.last_ack_at()
    }

    /// What the session has counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The bot's user id; `None` before the first READY.
    pub fn user_id(&self) -> Option<u64> {
        self.errands.user_id
    }

    /// The presence that is set: by the last command, sent or waiting, or that of IDENTIFY.
    pub fn presence(&self) -> Option<Presence> {
        let start = || Some(self.settings.presence.as_ref()?.over(&Presence::default()));
        self.outbox.presence().cloned().or_else(start)
    }

    /// How many commands wait.
    pub fn outbox_len(&self) -> usize {
        self.outbox.len()
    }

    /// Checks the session's own rules; for tests and simulations, after each input.
    ///
    /// # Panics
    /// If a rule is broken: a mistake of the session, whatever the peer did.
    pub fn invariants(&self) {
        use State::{
            Active, Closing, Connecting, Greeting, Identifying, Idle, Queued, Resuming, Retired,
            Waiting,
        };
        let state = self.state;
        let placed = !matches!(self.place, Place::None);
        match state {
            Waiting | Connecting | Greeting | Queued | Closing => {
                assert!(self.phase_at.is_some(), "{state:?} must end some day");
            }
            Resuming => {
                assert!(self.phase_at.is_some() && self.session_id.is_some(), "{self:?}");
            }
            Active | Idle | Retired => assert!(self.phase_at.is_none(), "{self:?}"),
            Identifying => {}
        }
        match state {
            // Without a place it waits for the budget.
            Queued => assert!(matches!(self.place, Place::InLine(_) | Place::None), "{self:?}"),
            Identifying => {
                assert!(self.session_id.is_none(), "a session is resumed, never identified over");
                let granted = matches!(self.place, Place::Granted(_));
                assert_eq!(self.handshake, granted, "IDENTIFY goes with its permit");
            }
            Closing | Retired | Idle => assert!(!placed, "{self:?} holds up the gate"),
            Connecting | Greeting => {
                assert!(self.session_id.is_some() || placed, "{self:?} dialled without a turn");
            }
            Waiting | Resuming | Active => {}
        }
        match state {
            Connecting | Greeting => assert!(self.slip.is_some(), "{self:?} was not admitted"),
            Waiting | Resuming => {}
            _ => assert!(self.slip.is_none(), "{self:?} takes up room"),
        }
        if self.session_id.is_some() {
            let in_line = matches!(self.place, Place::InLine(_) | Place::Granted(_));
            assert!(!in_line, "{self:?} has a session, and waits to identify");
        }
        assert!(!self.going_down || state == Closing, "{self:?} goes down from a connection");
        assert!(!self.handshake || matches!(state, Identifying | Resuming));
        assert!(self.dial.is_none() || state == Connecting);
        if state == Connecting {
            let resumes = self.session_id.is_some();
            assert!(resumes || self.target == Target::Main, "{self:?} has nothing to resume");
        }
        assert!(self.notices.len() <= NOTICES_LEN_MAX);
        assert!(state != Retired || self.outbox.len() == 0);
        self.acks.invariants();
        self.heartbeat.invariants();
        self.outbox.invariants(self.settings.outbox_len_max);
    }
}

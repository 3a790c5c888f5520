//! The changes of state behind the inputs. Private to the session.

use std::time::Duration;

use super::{NOTICES_LEN_MAX, Place, SESSION_LASTED, Session};
use crate::clock::Time;
use crate::shard::admission::DialEnd;
use crate::shard::backoff;
use crate::shard::close::{CLOSE_TO_RESUME, Cause, Fatal, LinkEnd, Remedy, remedy};
use crate::shard::heartbeat::Health;
use crate::shard::notice::{Notice, Order, State, Target};

impl Session {
    /// Whether a link is up and not being closed.
    pub(super) fn is_linked(&self) -> bool {
        use State::{Active, Greeting, Identifying, Queued, Resuming};
        matches!(self.state, Greeting | Queued | Identifying | Resuming | Active)
    }

    pub(super) fn phase(&mut self, at: Time) {
        self.phase_at = Some(at);
        self.phase_unread = self.unread;
    }

    pub(super) fn begin_resume(&mut self, now: Time) {
        self.state = State::Resuming;
        self.replayed = 0;
        self.latest_replayed = false;
        self.progress_at = now;
        self.begin_handshake(now);
    }

    pub(super) fn begin_handshake(&mut self, now: Time) {
        self.handshake = true;
        self.handshake_at = now;
        self.stalled = false;
        self.phase(now + self.settings.stalled_after);
    }

    /// READY or RESUMED came.
    pub(super) fn up(&mut self, now: Time) {
        self.release_place(now); // an IDENTIFY that is answered was written
        self.settle_dial(now, DialEnd::Up);
        self.avoid_resume_host = false;
        self.handshake = false;
        self.state = State::Active;
        self.phase_at = None;
        self.failures = 0;
        self.lost_link_at = None;
    }

    /// This connection is over, or shall be: plans the next one. `close`: the link is up and is to
    /// be closed with this code.
    pub(super) fn leave(&mut self, now: Time, cause: Cause, close: Option<u16>) {
        let was = self.state;
        self.disconnected(cause);
        let identified = was == State::Identifying && !matches!(self.place, Place::Granted(_));
        self.release_place(now);
        self.settle_dial(now, self.dial_end(cause));
        if was == State::Active {
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
            self.avoid_resume_host = self.target == Target::Resume;
        }
        if self.session_id.is_some() {
            self.lost_link_at.get_or_insert(now);
        }
        let mut after = backoff::reconnect(&mut self.rng, self.failures);
        match self.remedy(cause) {
            Remedy::Fatal(error) => return self.end_fatally(now, cause, error),
            Remedy::NewSession => self.lose_session(now, cause),
            Remedy::ResumeAfterPause => after += backoff::rate_limited(&mut self.rng),
            Remedy::Resume => {}
        }
        if matches!(cause, Cause::InvalidSession { .. }) {
            after = after.max(backoff::invalid_session(&mut self.rng));
        }
        self.not_before = now + after;
        if identified {
            self.identify_failed(now);
        }
        let resume = self.session_id.is_some();
        self.notice(Notice::Reconnecting { cause, after, resume });
        match close {
            Some(code) => self.close(now, code),
            None => self.wait(),
        }
    }

    fn remedy(&self, cause: Cause) -> Remedy {
        match cause {
            Cause::Link(LinkEnd::Closed(code)) => remedy(code),
            Cause::InvalidSession { resumable: false } | Cause::Requested { resume: false } => {
                Remedy::NewSession
            }
            _ => Remedy::Resume,
        }
    }

    /// Counts and tells the end of a connection, and stops what belongs to it.
    pub(super) fn disconnected(&mut self, cause: Cause) {
        self.counters.disconnects[cause.index()] += 1;
        self.heartbeat.end();
        self.outbox.link_ended(self.settings.outbox_len_max);
        self.handshake = false;
        self.notice(Notice::Disconnected { cause });
    }

    /// Orders the close and waits for the link's end, not for long.
    pub(super) fn close(&mut self, now: Time, code: u16) {
        self.heartbeat.end();
        self.handshake = false;
        self.cut = Some(Order::Close { code });
        self.state = State::Closing;
        self.phase(now + self.settings.close_wait);
    }

    /// The link that we were closing is down (or was cut: `end` is `None`).
    pub(super) fn closed(&mut self, now: Time, end: Option<LinkEnd>) {
        if self.retiring {
            return self.retire(now);
        }
        if let Some(end @ LinkEnd::Closed(code)) = end {
            match remedy(code) {
                Remedy::Fatal(error) => return self.end_fatally(now, Cause::Link(end), error),
                Remedy::NewSession => self.lose_session(now, Cause::Link(end)),
                Remedy::Resume | Remedy::ResumeAfterPause => {}
            }
        }
        if self.going_down {
            return self.come_to_rest(now);
        }
        self.wait();
    }

    fn wait(&mut self) {
        self.state = State::Waiting;
        self.phase(self.not_before);
    }

    fn end_fatally(&mut self, now: Time, cause: Cause, error: Fatal) {
        self.guards.verdict.pronounce(error);
        self.fatal = Some(error);
        self.lose_session(now, cause);
        self.notice(Notice::Fatal { error });
        self.retire(now);
    }

    /// Ends a session that would have to IDENTIFY, if Discord has refused the whole bot.
    pub(super) fn ends_with_the_bot(&mut self, now: Time) -> bool {
        let Some(error) = self.guards.verdict.fatal().filter(|_| self.session_id.is_none()) else {
            return false;
        };
        let cause = Cause::Link(LinkEnd::Closed(Some(error.code())));
        if self.is_linked() {
            self.disconnected(cause);
            self.cut = Some(Order::Drop);
        }
        self.end_fatally(now, cause, error);
        true
    }

    pub(super) fn retire(&mut self, now: Time) {
        self.release_place(now);
        self.settle_dial(now, DialEnd::Ended);
        self.heartbeat.end();
        self.outbox.retire();
        self.errands.retire();
        self.handshake = false;
        self.retiring = true;
        self.going_down = false;
        self.phase_at = None;
        self.state = State::Retired;
    }

    /// The session is gone. What it numbered after the last dispatch delivered is lost.
    pub(super) fn lose_session(&mut self, now: Time, cause: Cause) {
        self.lost_link_at = None;
        self.resume_url = None;
        self.avoid_resume_host = false;
        let Some(session_id) = self.session_id.take() else { return };
        self.counters.sessions_lost += 1;
        let first_seq = self.sequence.map_or(0, |last| last.saturating_add(1));
        self.notice(Notice::SessionLost { session_id, first_seq, last_seq: None, cause });
        if now.since(self.ready_at) < SESSION_LASTED {
            self.identify_failed(now);
        } else {
            self.identify_failures = 0;
        }
    }

    /// The next IDENTIFY waits, longer each time.
    pub(super) fn identify_failed(&mut self, now: Time) {
        self.identify_failures = self.identify_failures.saturating_add(1);
        let failures = self.identify_failures;
        let after = backoff::identify(&mut self.rng, failures);
        self.identify_not_before = now + after;
        self.notice(Notice::IdentifyBackoff { after, failures });
    }

    pub(super) fn expire_heartbeat(&mut self, now: Time) {
        self.outbox.prune(now);
        match self.heartbeat.expire(now, self.unread) {
            Health::Good => {}
            Health::Late(waited) => self.notice(Notice::AckLate { waited }),
            Health::Unacknowledged => {
                self.leave(now, Cause::Unacknowledged, Some(CLOSE_TO_RESUME));
            }
            Health::Zombie => self.leave(now, Cause::Zombie, Some(CLOSE_TO_RESUME)),
        }
    }

    pub(super) fn expire_phase(&mut self, now: Time) {
        if let State::Connecting | State::Greeting = self.state {
            let unread = self.unread.saturating_sub(self.phase_unread);
            if !unread.is_zero() {
                return self.phase(now + unread); // we did not listen for so long
            }
        }
        match self.state {
            State::Waiting => self.try_dial(now),
            State::Connecting => {
                if self.dial.take().is_none() {
                    self.cut = Some(Order::Drop);
                }
                self.leave(now, Cause::Link(LinkEnd::DialTimeout), None);
            }
            State::Greeting => self.leave(now, Cause::HelloTimeout, Some(CLOSE_TO_RESUME)),
            State::Queued => self.ask(now),
            State::Identifying => {
                self.stall(now);
                self.phase_at = None; // READY may take as long as it takes
            }
            State::Resuming => self.expire_resume(now),
            State::Closing => {
                self.cut = Some(Order::Drop);
                self.closed(now, None);
            }
            State::Idle | State::Active | State::Retired => self.phase_at = None,
        }
    }

    fn expire_resume(&mut self, now: Time) {
        if !self.stalled && now >= self.handshake_at + self.settings.stalled_after {
            self.stall(now);
        }
        let unread = self.unread.saturating_sub(self.phase_unread);
        self.progress_at += unread;
        let give_up = self.progress_at + self.settings.resume_wait;
        if now >= give_up {
            return self.leave(now, Cause::ResumeTimeout, Some(CLOSE_TO_RESUME));
        }
        let stall = self.handshake_at + self.settings.stalled_after;
        self.phase(if self.stalled { give_up } else { give_up.min(stall) });
    }

    fn stall(&mut self, now: Time) {
        self.stalled = true;
        let waited: Duration = now.since(self.handshake_at);
        self.notice(Notice::Stalled { awaited: self.state, waited });
    }

    /// Keeps a notice. Without room an older one that is not grave goes, and is counted.
    pub(super) fn notice(&mut self, notice: Notice) {
        if self.notices.len() >= NOTICES_LEN_MAX {
            let at = self.notices.iter().position(|old| !old.is_grave()).unwrap_or(0);
            self.notices.remove(at);
            self.counters.notices_missed += 1;
        }
        self.notices.push_back(notice);
    }
}

//! Start, stop, and what a user orders of one shard: the inputs that no peer and no clock gives.
//!
//! Part of the session. A shard that its user takes down is [`State::Idle`] again, with its session
//! if that was not ended, until it is started. Invariants: an order never sends an IDENTIFY past
//! the budget and the gate; only an order that says so ends a session.

use std::time::Duration;

use super::{Place, Session};
use crate::clock::Time;
use crate::shard::acks::DroppedAcks;
use crate::shard::admission::DialEnd;
use crate::shard::budget::Leave;
use crate::shard::close::{CLOSE_TO_END, CLOSE_TO_RESUME, Cause, Fatal};
use crate::shard::notice::{Notice, Order, State};
use crate::shard::stage::Stage;

/// What a user orders of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeOrder {
    /// Close with 4000 and resume on another connection.
    Reconnect,
    /// End the session (1000) and identify anew.
    Restart,
    /// Close with 4000 and stay down, the session kept.
    Terminate,
    /// Close with 1000 and stay down: the session is over.
    Close,
    /// Cut the connection without a close frame and stay down, the session kept.
    Abort,
    /// Dial again after one of the last three.
    Start,
}

impl LifeOrder {
    /// The shard is down when it is carried out.
    pub const fn takes_down(self) -> bool {
        matches!(self, Self::Terminate | Self::Close | Self::Abort)
    }
}

/// Why an order was not carried out. Nothing was changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// Discord has refused the shard for good.
    Refused(Fatal),
    /// The engine stops, or has stopped.
    Stopped,
    /// Its user has taken the shard down.
    Down,
    /// There is no session that could be resumed.
    NoSession,
    /// The day's session starts, or the back-off after sessions that did not last, forbid another
    /// IDENTIFY now.
    Budget {
        /// How long at least.
        after: Duration,
    },
}

impl Session {
    /// Starts: the session dials as soon as admission and gate let it, and resumes if there is what
    /// to resume. Without effect on one that runs.
    pub fn start(&mut self, now: Time) {
        if self.going_down {
            self.going_down = false; // the connection that is being closed is not the last
            self.started_at = now;
            self.not_before = now;
        }
        if self.state == State::Idle {
            self.state = State::Waiting;
            self.started_at = now;
            self.not_before = now;
            self.try_dial(now);
        }
    }

    /// Does what a user orders.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn order(&mut self, now: Time, order: LifeOrder) -> Result<(), NotDone> {
        if let Some(over) = self.over() {
            return Err(over);
        }
        match order {
            LifeOrder::Start => self.start(now),
            LifeOrder::Reconnect => return self.reconnect(now),
            LifeOrder::Restart => return self.restart(now),
            LifeOrder::Terminate => self.take_down(now, Some(CLOSE_TO_RESUME)),
            LifeOrder::Close => self.take_down(now, Some(CLOSE_TO_END)),
            LifeOrder::Abort => self.take_down(now, None),
        }
        Ok(())
    }

    /// Why the session will never dial again, if that is so.
    pub fn over(&self) -> Option<NotDone> {
        if let Some(fatal) = self.fatal {
            return Some(NotDone::Refused(fatal));
        }
        (self.retiring || self.state == State::Retired).then_some(NotDone::Stopped)
    }

    /// Why it will not be more than [`Stage::Stopped`] by itself, if that is so.
    pub fn obstacle(&self) -> Option<NotDone> {
        self.over().or_else(|| self.is_down().then_some(NotDone::Down))
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        Stage::of(self.state)
    }

    /// When it was last started; `None` before, and while it is down.
    pub fn started_at(&self) -> Option<Time> {
        (self.stage() != Stage::Stopped).then_some(self.started_at)
    }

    fn is_down(&self) -> bool {
        self.state == State::Idle || self.going_down
    }

    fn reconnect(&mut self, now: Time) -> Result<(), NotDone> {
        if self.is_down() {
            return Err(NotDone::Down);
        }
        match self.state {
            // Another connection is planned already, or being made.
            State::Waiting | State::Connecting | State::Closing => Ok(()),
            _ if self.session_id.is_none() => Err(NotDone::NoSession),
            _ => {
                let cause = Cause::Requested { resume: true };
                self.leave(now, cause, Some(CLOSE_TO_RESUME));
                Ok(())
            }
        }
    }

    fn restart(&mut self, now: Time) -> Result<(), NotDone> {
        if self.session_id.is_none() {
            self.start(now); // it is on its way to a new session already, unless it is down
            return Ok(());
        }
        self.affords_identify(now)?;
        let cause = Cause::Requested { resume: false };
        match self.state {
            State::Idle => {
                self.lose_session(now, cause);
                self.start(now);
            }
            State::Waiting | State::Closing => {
                self.start(now);
                self.settle_dial(now, DialEnd::Ended); // its place was that of a resume
                self.lose_session(now, cause);
            }
            State::Connecting => {
                self.give_up_dial();
                self.leave(now, cause, None);
            }
            _ => self.leave(now, cause, Some(CLOSE_TO_END)),
        }
        Ok(())
    }

    /// Whether an IDENTIFY could go now, its turn at the gate apart. Counts nothing.
    fn affords_identify(&self, now: Time) -> Result<(), NotDone> {
        let mut at = self.identify_not_before;
        if let Leave::Later(later) = self.guards.budget.leave(self.start_kind(), now) {
            at = at.max(later);
        }
        if at > now { Err(NotDone::Budget { after: at.since(now) }) } else { Ok(()) }
    }

    /// Leads to [`State::Idle`]: with a close frame of this code, or by a cut.
    fn take_down(&mut self, now: Time, code: Option<u16>) {
        match self.state {
            State::Idle | State::Retired => {}
            State::Waiting => self.come_to_rest(now),
            State::Connecting => {
                self.give_up_dial();
                self.disconnected(Cause::Stopped);
                self.come_to_rest(now);
            }
            State::Closing if code.is_some() => self.going_down = true,
            State::Closing => {
                self.cut = Some(Order::Drop);
                self.come_to_rest(now);
            }
            State::Greeting
            | State::Queued
            | State::Identifying
            | State::Resuming
            | State::Active => self.leave_for_rest(now, code),
        }
        if code == Some(CLOSE_TO_END) {
            self.lose_session(now, Cause::Stopped);
            self.errands.retire(); // Nothing that they wait for will come.
        }
    }

    fn leave_for_rest(&mut self, now: Time, code: Option<u16>) {
        let granted = matches!(self.place, Place::Granted(_));
        let identified = self.state == State::Identifying && !granted;
        self.disconnected(Cause::Stopped);
        self.release_place(now);
        self.settle_dial(now, DialEnd::Ended);
        if self.session_id.is_some() {
            self.lost_link_at.get_or_insert(now);
        }
        if identified {
            self.identify_failed(now);
        }
        match code {
            Some(code) => {
                self.going_down = true;
                self.close(now, code);
            }
            None => {
                self.cut = Some(Order::Drop);
                self.come_to_rest(now);
            }
        }
    }

    /// The shard is down, and may be started again.
    pub(super) fn come_to_rest(&mut self, now: Time) {
        self.release_place(now);
        self.settle_dial(now, DialEnd::Ended);
        self.heartbeat.end();
        self.handshake = false;
        self.going_down = false;
        self.failures = 0;
        self.phase_at = None;
        self.state = State::Idle;
    }

    fn give_up_dial(&mut self) {
        if self.dial.take().is_none() {
            self.cut = Some(Order::Drop);
        }
    }

    /// Ends for good. With `keep_session` the close keeps the session alive at Discord for some
    /// minutes (whoever has its id, sequence and URL may resume it); without, the bot goes offline.
    pub fn stop(&mut self, now: Time, keep_session: bool) {
        if self.state == State::Retired || self.retiring {
            return;
        }
        if !keep_session {
            self.session_id = None;
        }
        if self.is_linked() {
            let code = if keep_session { CLOSE_TO_RESUME } else { CLOSE_TO_END };
            self.disconnected(Cause::Stopped);
            self.release_place(now);
            self.settle_dial(now, DialEnd::Ended);
            self.outbox.retire();
            self.retiring = true;
            self.close(now, code);
            return;
        }
        match self.state {
            State::Closing => {
                self.outbox.retire();
                self.retiring = true;
            }
            State::Connecting => {
                self.give_up_dial();
                self.disconnected(Cause::Stopped);
                self.retire(now);
            }
            _ => self.retire(now),
        }
    }

    /// After an event: the handler may have put off as many acknowledgements as may be open.
    pub(crate) fn judge_acks(&mut self) {
        if !self.acks.is_unused() {
            let dropped = self.acks.judge();
            self.tell_dropped(dropped);
        }
    }

    /// Acknowledgements that were asked for have come, or some were dropped.
    pub(crate) fn acknowledgements_came(&mut self) {
        let dropped = self.acks.woken();
        self.tell_dropped(dropped);
    }

    fn tell_dropped(&mut self, dropped: Option<DroppedAcks>) {
        if let Some(DroppedAcks { first_seq, last_seq, count }) = dropped {
            self.notice(Notice::AcksDropped { first_seq, last_seq, count });
        }
    }

    /// The number up to which the session's events are acknowledged: the last received, unless the
    /// handler has put some off.
    pub fn acknowledged(&self) -> Option<u64> {
        self.acks.acknowledged(self.sequence)
    }

    /// Ends for good and at once: the connection is cut without a close frame.
    pub fn abort(&mut self, now: Time) {
        if self.state != State::Retired {
            self.take_down(now, None);
            self.retire(now);
        }
    }
}

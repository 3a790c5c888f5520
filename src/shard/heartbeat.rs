//! When to beat, and whether the link still lives (protocol section 3.1).
//!
//! Life is judged by time in which we listened: time in which this core did not read the link is
//! not the peer's fault. Two questions, each from the beat it concerns:
//! - *silent*: the first beat sent since the last byte came. A whole interval of listening without
//!   a byte: zombie.
//! - *unacknowledged*: the oldest beat without an ACK. One interval of listening: late; three: dead.
//!
//! Never sends and never closes: `session` does. Invariant: between HELLO and the link's end a beat
//! is always due at some moment not further than one interval away.

use std::time::Duration;

use crate::clock::{Rng, Time};

/// Intervals from HELLO are taken as at least this. Discord's is about 41 s; one below half a
/// second would leave no room for commands in the send limit.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Intervals from HELLO are taken as at most this.
pub const INTERVAL_MAX: Duration = Duration::from_secs(600);
/// After how many intervals with bytes but without an ACK a link is dead.
pub const UNACKNOWLEDGED_MAX: u32 = 3;

/// What listening says about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    /// An ACK is one interval late. Said once per lateness.
    Late(Duration),
    /// No ACK for [`UNACKNOWLEDGED_MAX`] intervals.
    Unacknowledged,
    /// No byte for an interval.
    Zombie,
}

/// The heartbeat of one link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeat {
    /// Zero before HELLO.
    interval: Duration,
    due: Option<Time>,
    judge_at: Option<Time>,
    silent: Option<Mark>,
    unacknowledged: Option<Mark>,
    /// When the oldest beat without an ACK was written, for its round trip.
    sent_at: Time,
    last_ack_at: Option<Time>,
    /// A scheduled beat wants to be sent.
    pending: bool,
    /// The server asked for a beat.
    asked: bool,
    /// Lateness was said.
    late: bool,
    /// More than one beat is without an ACK.
    several: bool,
}

/// A moment, and how long until then this core had not read the link.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Time,
    unread: Duration,
}

impl Mark {
    /// How long since then we listened.
    fn listened(self, now: Time, unread: Duration) -> Duration {
        now.since(self.at).saturating_sub(unread.saturating_sub(self.unread))
    }
}

impl Heartbeat {
    /// HELLO came: the first beat is due after a random part of the interval.
    pub(crate) fn begin(&mut self, now: Time, interval_ms: u64, rng: &mut Rng) {
        self.interval = Duration::from_millis(interval_ms).clamp(INTERVAL_MIN, INTERVAL_MAX);
        self.due = Some(now + rng.jitter(self.interval));
    }

    /// The link ended. The time of the last ACK stays.
    pub(crate) fn end(&mut self) {
        *self = Self { last_ack_at: self.last_ack_at, ..Self::default() };
    }

    /// How many scheduled beats may fall into `window`.
    pub(crate) fn beats_in(&self, window: Duration) -> u32 {
        if self.interval.is_zero() {
            return 1;
        }
        (window.as_millis() / self.interval.as_millis()) as u32 + 1
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    pub(crate) fn last_ack_at(&self) -> Option<Time> {
        self.last_ack_at
    }

    pub(crate) fn heard(&mut self) {
        self.silent = None;
    }

    pub(crate) fn ask(&mut self) {
        self.asked = true;
    }

    /// Answers every beat so far. Gives the round trip of the oldest.
    pub(crate) fn ack(&mut self, now: Time) -> Option<Duration> {
        self.last_ack_at = Some(now);
        self.silent = None;
        self.late = false;
        self.several = false;
        self.judge_at = None;
        self.unacknowledged.take().map(|_| now.since(self.sent_at))
    }

    /// Whether a beat wants to go: `Some(true)` a scheduled one, `Some(false)` one that was asked.
    pub(crate) fn wants(&self) -> Option<bool> {
        if self.pending { Some(true) } else { self.asked.then_some(false) }
    }

    /// A beat was handed out. It answers the server's question too.
    pub(crate) fn beaten(&mut self, now: Time, unread: Duration) {
        self.pending = false;
        self.asked = false;
        if self.interval.is_zero() {
            return; // asked before HELLO: there is no interval to judge by
        }
        let mark = Mark { at: now, unread };
        self.silent.get_or_insert(mark);
        if self.unacknowledged.is_none() {
            self.unacknowledged = Some(mark);
            self.sent_at = now;
            self.judge_at = Some(now + self.interval);
        } else {
            self.several = true;
        }
    }

    /// A beat was written to the socket: the clock of its round trip starts there.
    pub(crate) fn written(&mut self, now: Time) {
        if self.unacknowledged.is_some() && !self.several {
            self.sent_at = now;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        [self.due, self.judge_at].into_iter().flatten().min()
    }

    /// Judges if it is time to, and makes the next beat pending if it is due.
    pub(crate) fn expire(&mut self, now: Time, unread: Duration) -> Health {
        let due = self.due.is_some_and(|due| due <= now);
        if !due && self.judge_at.is_none_or(|at| at > now) {
            return Health::Good;
        }
        let health = self.judge(now, unread);
        if due {
            self.pending = true;
            self.due = Some(now + self.interval);
        }
        health
    }

    fn judge(&mut self, now: Time, unread: Duration) -> Health {
        let Some(unacknowledged) = self.unacknowledged else {
            self.judge_at = None;
            return Health::Good;
        };
        let interval = self.interval;
        let mut again = interval;
        if let Some(silent) = self.silent {
            let listened = silent.listened(now, unread);
            if listened >= interval {
                return Health::Zombie;
            }
            again = interval - listened;
        }
        let listened = unacknowledged.listened(now, unread);
        let dead_after = interval * UNACKNOWLEDGED_MAX;
        if listened >= dead_after {
            return Health::Unacknowledged;
        }
        let next = if listened < interval { interval } else { dead_after };
        again = again.min(next - listened);
        self.judge_at = Some(now + again.max(JUDGE_STEP));
        if listened >= interval && !self.late {
            self.late = true;
            return Health::Late(now.since(unacknowledged.at));
        }
        Health::Good
    }

    pub(crate) fn invariants(&self) {
        assert_eq!(self.due.is_some(), !self.interval.is_zero(), "a beat is due after HELLO");
        assert!(self.unacknowledged.is_some() || !self.several);
        assert!(self.unacknowledged.is_none() || self.judge_at.is_some(), "someone will judge");
    }
}

/// A judgement that came too early is repeated at least this much later.
const JUDGE_STEP: Duration = Duration::from_millis(1);

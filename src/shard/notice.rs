//! What comes out of a session: its state, orders to the driver, news for the user.
//!
//! Plain values. Made by `session`; orders are carried out by the driver, notices are counted by
//! the spine and shown to the user's `on_link`.

use std::time::Duration;

use crate::clock::Time;
use crate::shard::close::{Cause, Fatal};

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be started: not yet, or taken down by its user.
    Idle,
    /// For its back-off to pass, or for its turn to dial.
    Waiting,
    /// For TCP and the upgrade.
    Connecting,
    /// For HELLO.
    Greeting,
    /// For the permit to IDENTIFY.
    Queued,
    /// For READY.
    Identifying,
    /// For RESUMED.
    Resuming,
    /// For events: the session is up.
    Active,
    /// For the end of a link that we are closing.
    Closing,
    /// For nothing: stopped, or ended by a fatal close code. Never leaves this state.
    Retired,
}

/// Which URL to dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// [`main_url`](crate::shard::settings::SessionSettings::main_url).
    Main,
    /// [`resume_url`](crate::shard::session::Session::resume_url).
    Resume,
}

/// What the driver must do. Each order is to be carried out before the next is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Open a link; answer with `link_opened` or `link_ended`.
    Dial {
        /// Where to.
        target: Target,
        /// How many attempts before this one brought neither READY nor RESUMED.
        attempt: u32,
    },
    /// Send a close frame with this code; answer with `link_ended` once the link is down. If that
    /// takes longer than `close_wait`, [`Order::Drop`] follows.
    Close {
        /// The close code.
        code: u16,
    },
    /// Cut the link, or abandon the dial, at once. The session regards it as ended: nothing more
    /// may be reported of it.
    Drop,
}

/// What to do with a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Give it to the handler.
    Deliver,
    /// Drop it: its sequence number is not above the last one of this session. Counted.
    Duplicate,
    /// Give it to the handler; `first..=last` before it never came. Counted and reported.
    Gap {
        /// The first number that is missing.
        first: u64,
        /// The last number that is missing.
        last: u64,
    },
}

/// What a payload handed to the driver is; to be given back to `transmitted` once it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Op 1.
    Heartbeat,
    /// Op 2.
    Identify,
    /// Op 6.
    Resume,
    /// What a user asked to send.
    Command,
}

/// What a user, or a metric, should learn.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// TCP and the upgrade are done.
    Connected {
        /// Which URL answered.
        target: Target,
    },
    /// A new session is up.
    Ready {
        /// Its id.
        session_id: Box<str>,
    },
    /// And READY named no guild. Follows [`Notice::Ready`].
    NoGuilds,
    /// The session goes on.
    Resumed {
        /// How many missed dispatches came before RESUMED.
        replayed: u64,
    },
    /// The connection ended.
    Disconnected {
        /// Why.
        cause: Cause,
    },
    /// Another connection will be dialled.
    Reconnecting {
        /// Why the last one ended.
        cause: Cause,
        /// How long the back-off is; the turn to identify may take longer.
        after: Duration,
        /// Whether the session will be resumed.
        resume: bool,
    },
    /// The session is gone; what it had numbered from `first_seq` on and not delivered is lost.
    SessionLost {
        /// Its id.
        session_id: Box<str>,
        /// The first sequence number that may be missing: the one after the last delivered.
        first_seq: u64,
        /// The last one that may be missing; `None`: Discord never says how far it got.
        last_seq: Option<u64>,
        /// Why it is gone.
        cause: Cause,
    },
    /// Sequence numbers were skipped.
    Gap {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// Neither READY nor RESUMED came for long. The shard goes on waiting.
    Stalled {
        /// What it waits for: [`State::Identifying`] or [`State::Resuming`].
        awaited: State,
        /// For how long so far.
        waited: Duration,
    },
    /// Bytes come, but the ACK of a heartbeat is an interval late.
    AckLate {
        /// How long ago that heartbeat was sent.
        waited: Duration,
    },
    /// Commands wait for the send limit (120 per 60 s, protocol section 7).
    RateLimited {
        /// When the next may go.
        until: Time,
    },
    /// An IDENTIFY brought no READY; the next one waits.
    IdentifyBackoff {
        /// How long.
        after: Duration,
        /// How many in a row failed.
        failures: u32,
    },
    /// Acknowledgements that the handler had put off were dropped.
    AcksDropped {
        /// The first of their events' numbers, where they have any.
        first_seq: Option<u64>,
        /// The last of them.
        last_seq: Option<u64>,
        /// How many events.
        count: u32,
    },
    /// The shard has stopped for good.
    Fatal {
        /// What Discord said, and what to do.
        error: Fatal,
    },
}

impl Notice {
    /// Whether it must not be dropped for want of room.
    pub(crate) fn is_grave(&self) -> bool {
        matches!(
            self,
            Self::SessionLost { .. }
                | Self::Fatal { .. }
                | Self::Gap { .. }
                | Self::AcksDropped { .. }
        )
    }
}

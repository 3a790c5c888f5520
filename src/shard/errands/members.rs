//! What a collection of members is asked, and what it tells: plain values.
//!
//! Made by `collections`, read by the user.

use std::fmt;
use std::time::Duration;

use crate::command::RequestGuildMembers;
use crate::error::{Error, ErrorKind};
use crate::model::{Event, GuildMembersChunk, OwnedEvent, UserId};

/// A member request whose answer is to be collected.
///
/// ```
/// use std::time::Duration;
/// use shardring::CollectMembers;
/// use shardring::command::RequestGuildMembers;
///
/// let collect = CollectMembers::new(RequestGuildMembers::all(41771983423143937u64))
///     .timeout(Duration::from_secs(90));
/// assert_eq!(collect.request.nonce, None); // one is made
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CollectMembers {
    /// What is asked. Without a nonce one is made, unique in the engine's run.
    pub request: RequestGuildMembers,
    /// How long nothing at all may come: from the call on, and from each chunk. A whole-guild
    /// request may have to wait 30 s for its turn (protocol section 7). Time in which the shard is
    /// paused or its core blocked does not count. Default: [`SILENCE_TIMEOUT`].
    pub timeout: Duration,
    /// How many chunks may wait for their reader; one more ends the collection. Default:
    /// [`CHUNKS_WAITING_MAX`].
    pub waiting_max: usize,
}

/// How long a collection may be silent if nothing else is said.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// How many chunks may wait if nothing else is said: 256,000 members, some 100 MB at the worst.
pub const CHUNKS_WAITING_MAX: usize = 256;
/// Collections that may be under way on a shard.
pub const COLLECTIONS_MAX: usize = 64;
/// The most chunks of one answer: sixty-five million members.
pub const CHUNK_COUNT_MAX: u32 = 1 << 16;
/// The longest wait of RATE_LIMITED that is believed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

impl CollectMembers {
    /// This request, with every default.
    pub fn new(request: RequestGuildMembers) -> Self {
        Self { request, timeout: SILENCE_TIMEOUT, waiting_max: CHUNKS_WAITING_MAX }
    }

    /// With another time-out.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With room for so many chunks; at least one.
    #[must_use]
    pub fn waiting_max(mut self, chunks: usize) -> Self {
        self.waiting_max = chunks;
        self
    }
}

impl From<RequestGuildMembers> for CollectMembers {
    fn from(request: RequestGuildMembers) -> Self {
        Self::new(request)
    }
}

/// What a collection tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MembersNews {
    /// A part of the answer. Each comes once; their order is Discord's.
    Chunk(MembersChunk),
    /// RATE_LIMITED: Discord dropped the request, which is asked again after the wait. The
    /// time-out begins anew after it.
    RateLimited {
        /// How long Discord says to wait.
        retry_after: Duration,
    },
    /// It is over; nothing follows.
    Ended(MembersEnd),
}

/// A GUILD_MEMBERS_CHUNK that is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MembersChunk {
    /// The event: [`visit`](Self::visit) opens it. At most 1000 members.
    pub event: OwnedEvent,
    /// Which part this is, from 0.
    pub chunk_index: u32,
    /// How many parts there are.
    pub chunk_count: u32,
    /// How many members it has.
    pub members_len: usize,
    /// What was asked for by id and is no member.
    pub not_found: Vec<UserId>,
}

impl MembersChunk {
    pub(super) fn new(event: &Event<'_>, chunk: &GuildMembersChunk<'_>) -> Self {
        Self {
            event: event.to_owned(),
            chunk_index: chunk.chunk_index,
            chunk_count: chunk.chunk_count.max(1),
            members_len: chunk.members.len(),
            not_found: chunk.not_found.unwrap_or_default().iter().map(|sent| sent.id).collect(),
        }
    }

    /// Opens the chunk: its members as they came. To open many, keep a
    /// [`Scratch`](crate::Scratch) and use [`OwnedEvent::read`].
    ///
    /// `None` never, but for a fault of this library: what was kept was such a chunk.
    pub fn visit<R>(&self, visit: impl FnOnce(&GuildMembersChunk<'_>) -> R) -> Option<R> {
        self.event.visit(|event| match event {
            Event::GuildMembersChunk(chunk) => Some(visit(chunk.get())),
            _ => None,
        })
    }
}

/// How a collection ended, and how far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MembersEnd {
    /// Why.
    pub cause: MembersEndCause,
    /// How many chunks came.
    pub received: u32,
    /// How many there are; `None` if none came.
    pub chunk_count: Option<u32>,
    /// Which chunks did not come, ascending; at most [`MISSING_LEN_MAX`] of them.
    pub missing: Vec<u32>,
}

/// The most missing chunks that are named.
pub const MISSING_LEN_MAX: usize = 1024;

impl MembersEnd {
    pub(crate) fn new(
        cause: MembersEndCause,
        received: u32,
        chunk_count: Option<u32>,
        missing: Vec<u32>,
    ) -> Self {
        Self { cause, received, chunk_count, missing }
    }

    /// Everything came.
    pub fn is_complete(&self) -> bool {
        self.cause == MembersEndCause::Complete
    }
}

/// Why a collection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembersEndCause {
    /// Every chunk came.
    Complete,
    /// Nothing came for [`CollectMembers::timeout`].
    TimedOut {
        /// Whether the request was sent at all.
        was_sent: bool,
    },
    /// The gateway's session was lost, and with it the rest of the answer. Ask again.
    SessionLost,
    /// [`CollectMembers::waiting_max`] chunks waited for their reader, and one more came: the
    /// shard does not wait for a collection, since its other guilds would have to.
    Overrun,
    /// The request will not be sent: too many commands wait.
    NotSent,
    /// The shard or the engine has stopped.
    Stopped,
}

impl fmt::Display for MembersEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.cause {
            MembersEndCause::Complete => "every chunk came",
            MembersEndCause::TimedOut { was_sent: true } => "Discord fell silent",
            MembersEndCause::TimedOut { was_sent: false } => "the request was not sent in time",
            MembersEndCause::SessionLost => "the session was lost",
            MembersEndCause::Overrun => "the reader was too slow",
            MembersEndCause::NotSent => "the request was dropped before it was sent",
            MembersEndCause::Stopped => "the shard has stopped",
        };
        match self.chunk_count {
            Some(count) => write!(f, "{why}: {} of {count} chunks", self.received),
            None => f.write_str(why),
        }
    }
}

impl std::error::Error for MembersEnd {}

impl From<MembersEnd> for Error {
    fn from(end: MembersEnd) -> Self {
        let kind = match end.cause {
            MembersEndCause::Stopped => ErrorKind::Stopped,
            MembersEndCause::Overrun => ErrorKind::Full,
            _ => ErrorKind::Dropped,
        };
        Self::new(kind, end.to_string())
    }
}

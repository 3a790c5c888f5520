//! What a shard itself waits for among its dispatches, whatever the handler wants to see of them:
//! the two halves of a voice connection, the bot's own voice states, the chunks of a member
//! request.
//!
//! Sans-io, a part of `session`: it watches dispatches, gives out commands to send, and tells its
//! news through an [`Outlet`]. It decides nothing about the connection. Invariants: a shard that
//! runs no errand pays one comparison a dispatch (and of GUILD_CREATE and VOICE_STATE_UPDATE a look
//! at the text) and no heap; each errand ends, and says how.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::clock::Time;
use crate::command::{Command, CommandError, UpdateVoiceState, shard_of};
use crate::config::Intents;
use crate::error::{Error, ErrorKind};
use crate::model::{Event, EventKind, GuildId, UserId};
use crate::shard::id::ShardId;
use crate::shard::receipt::{CommandReceipt, CommandStatus, Ticket, ticket};

mod calls;
mod collections;
mod look;
pub mod members;
pub mod voice;

use calls::{Join, Voice};
use collections::Collections;
use members::{CollectMembers, MembersNews};
use voice::{JoinVoice, OwnVoiceState, VoiceChange};

/// Where an errand tells its news: a queue with a reader, as a rule.
pub trait Outlet<T>: Send {
    /// One more. Never blocks.
    fn give(&mut self, news: T) -> Taken;

    /// Whether one more would be taken, for news that are dear to make.
    fn has_room(&self) -> Taken;

    /// The last one, which is taken even where there is no room.
    fn end(self: Box<Self>, news: T);
}

/// What became of a piece of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was taken.
    Yes,
    /// There is no room for it.
    Full,
    /// Nobody listens any more.
    Gone,
}

/// The errands of one shard.
#[derive(Debug)]
pub(crate) struct Errands {
    /// The bot's own, from READY.
    pub(crate) user_id: Option<u64>,
    shard: ShardId,
    intents: Intents,
    /// Member requests that were given a nonce here so far.
    nonces: u64,
    /// How long nobody has read this shard, as told last.
    unread: Duration,
    /// `None` while there is neither an errand nor a voice state of the bot.
    work: Option<Box<Work>>,
}

/// What is being waited for.
#[derive(Debug, Default)]
struct Work {
    voice: Voice,
    collections: Collections,
    out: Out,
}

/// Commands that errands want sent.
#[derive(Debug, Default)]
pub(crate) struct Out {
    queue: VecDeque<(Command, Ticket)>,
}

/// How far a command of an errand came; `None`: there was none yet. Dropped, it takes back what was
/// not sent: the errand is over.
#[derive(Debug, Default)]
pub(crate) struct Posted(Option<CommandReceipt>);

impl Errands {
    pub(crate) fn new(shard: ShardId, intents: u64) -> Self {
        let intents = Intents::from_bits(intents);
        Self { user_id: None, shard, intents, nonces: 0, unread: Duration::ZERO, work: None }
    }

    /// Whether an errand wants to see this dispatch, whose payload's text this is.
    #[inline]
    pub(crate) fn watch(&self, kind: EventKind, text: &[u8]) -> bool {
        use EventKind::{
            GuildCreate, GuildDelete, GuildMembersChunk, RateLimited, VoiceServerUpdate,
            VoiceStateUpdate,
        };
        match kind {
            VoiceStateUpdate | GuildCreate => self.watch_states(kind, text),
            VoiceServerUpdate | GuildDelete | GuildMembersChunk | RateLimited => {
                self.work.as_ref().is_some_and(|work| match kind {
                    VoiceServerUpdate => work.voice.has_calls(),
                    GuildDelete => !work.voice.is_idle(),
                    _ => !work.collections.is_empty(),
                })
            }
            _ => false,
        }
    }

    fn watch_states(&self, kind: EventKind, text: &[u8]) -> bool {
        if !self.intents.contains(Intents::GUILD_VOICE_STATES) {
            return false;
        }
        let Some(user_id) = self.user_id else { return false };
        let voice = self.work.as_ref().map(|work| &work.voice);
        match kind {
            EventKind::GuildCreate => look::concerns_guild(text, user_id, |guild_id| {
                voice.is_some_and(|voice| voice.has_guild(guild_id))
            }),
            _ => look::is_of_user(text, user_id),
        }
    }

    /// A dispatch that was watched for.
    pub(crate) fn observe(&mut self, now: Time, event: &Event<'_>) {
        // Watched for a voice state only where it is known.
        let user_id = UserId::new(self.user_id.unwrap_or(0));
        let work = self.work.get_or_insert_default();
        let Work { voice, collections, out } = &mut **work;
        match event {
            Event::VoiceStateUpdate(state) => voice.state(user_id, state, out),
            Event::VoiceServerUpdate(server) => voice.server(user_id, server),
            Event::GuildCreate(guild) => voice.guild_create(user_id, guild, out),
            Event::GuildDelete(guild) => voice.guild_delete(guild),
            Event::GuildMembersChunk(chunk) => collections.chunk(now, event, chunk),
            Event::RateLimited(limited) => collections.rate_limited(now, limited),
            _ => {}
        }
        self.rest();
    }

    /// A deadline may have passed. `unread`: as [`Session::expire`] has it.
    ///
    /// [`Session::expire`]: crate::shard::session::Session::expire
    pub(crate) fn expire(&mut self, now: Time, unread: Duration) {
        self.unread = unread;
        if let Some(work) = &mut self.work {
            // Whose command was dropped sends no leave after it.
            work.voice.end_dropped();
            work.collections.end_dropped();
            work.voice.expire(now, unread, &mut work.out);
            work.collections.expire(now, unread);
            self.rest();
        }
    }

    /// When [`expire`](Self::expire) is to be called.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let work = self.work.as_ref()?;
        [work.voice.deadline(), work.collections.deadline()].into_iter().flatten().min()
    }

    /// The next command that an errand wants sent, and who is told what became of it.
    pub(crate) fn poll_command(&mut self) -> Option<(Command, Ticket)> {
        let work = self.work.as_mut()?;
        if let Some(next) = work.out.queue.pop_front() {
            return Some(next);
        }
        work.voice.end_dropped();
        work.collections.end_dropped();
        self.rest();
        None
    }

    /// READY: a new session, which knows nothing of what the old one waited for.
    pub(crate) fn session_began(&mut self, now: Time) {
        let sees_guilds = self.intents.contains(Intents::GUILDS);
        let patience = sees_guilds.then(|| Patience::new(now, voice::CONFIRM_TIMEOUT, self.unread));
        if let Some(work) = &mut self.work {
            work.voice.session_began(patience, &mut work.out);
            work.collections.session_began(&mut work.out);
            self.rest();
        }
    }

    /// RESUMED: whatever was sent before counts, but for what nobody knows.
    pub(crate) fn session_resumed(&mut self) {
        if let Some(work) = &mut self.work {
            work.voice.session_resumed(&mut work.out);
            work.collections.session_resumed(&mut work.out);
        }
    }

    /// The shard has stopped: every errand ends.
    pub(crate) fn retire(&mut self) {
        if let Some(mut work) = self.work.take() {
            work.voice.retire();
            work.collections.retire();
        }
    }

    /// The bot's own voice state in a guild.
    pub(crate) fn voice_state(&self, guild_id: u64) -> Option<&OwnVoiceState> {
        self.work.as_ref()?.voice.own(guild_id)
    }

    /// Starts to wait for the halves of a voice connection; op 4 is among the commands.
    pub(crate) fn join_voice(
        &mut self,
        now: Time,
        (guild_id, channel_id): (u64, u64),
        options: JoinVoice,
        outlet: Box<dyn Outlet<VoiceChange>>,
    ) -> Result<(), ErrandError> {
        self.check_voice(guild_id)?;
        let join = Join { guild_id, channel_id, options };
        let patience = Patience::new(now, options.timeout, self.unread);
        let work = self.work.get_or_insert_default();
        work.voice.join(join, patience, outlet, &mut work.out)
    }

    /// Ends what waits for the guild's voice; op 4 is among the commands.
    pub(crate) fn leave_voice(&mut self, guild_id: u64, ticket: Ticket) -> Result<(), ErrandError> {
        self.check_voice(guild_id)?;
        let work = self.work.get_or_insert_default();
        work.voice.leave(guild_id);
        work.out.queue.push_back((UpdateVoiceState::leave(guild_id).into(), ticket));
        Ok(())
    }

    pub(crate) fn check_voice(&self, guild_id: u64) -> Result<(), ErrandError> {
        self.check_guild(guild_id)?;
        self.check_intent(Intents::GUILD_VOICE_STATES, "voice states")
    }

    /// Starts to collect the chunks of a member request; op 8 is among the commands.
    pub(crate) fn collect_members(
        &mut self,
        now: Time,
        mut collect: CollectMembers,
        outlet: Box<dyn Outlet<MembersNews>>,
    ) -> Result<(), ErrandError> {
        let request = &mut collect.request;
        self.check_guild(request.guild_id.get())?;
        request.check_intents(self.intents.bits()).map_err(ErrandError::Command)?;
        if request.nonce.is_none() {
            self.nonces += 1;
            request.nonce = Some(format!("sr{:x}-{:x}", self.shard.id, self.nonces));
        }
        let patience = Patience::new(now, collect.timeout, self.unread);
        let work = self.work.get_or_insert_default();
        work.collections.begin(collect, patience, outlet, &mut work.out)
    }

    fn check_guild(&self, guild_id: u64) -> Result<(), ErrandError> {
        let of = shard_of(GuildId::new(guild_id), self.shard.total);
        if of == self.shard.id {
            Ok(())
        } else {
            Err(ErrandError::WrongShard { guild_id, of, shard: self.shard.id })
        }
    }

    fn check_intent(&self, intent: Intents, needed_for: &'static str) -> Result<(), ErrandError> {
        match self.intents.contains(intent) {
            true => Ok(()),
            false => Err(ErrandError::MissingIntent { intent, needed_for }),
        }
    }

    /// Gives the memory back when nothing is left to wait for.
    fn rest(&mut self) {
        let is_idle = |work: &Work| {
            work.voice.is_idle() && work.collections.is_empty() && work.out.queue.is_empty()
        };
        if self.work.as_deref().is_some_and(is_idle) {
            self.work = None;
        }
    }
}

impl Out {
    /// A command to send; what becomes of it can be read from `posted`, which starts anew.
    fn push(&mut self, command: impl Into<Command>, posted: &mut Posted) {
        let (ticket, receipt) = ticket();
        *posted = Posted(Some(receipt));
        self.queue.push_back((command.into(), ticket));
    }

    /// A command of which nobody wants to know what became of it.
    fn push_untold(&mut self, command: impl Into<Command>) {
        self.queue.push_back((command.into(), Ticket::none()));
    }
}

impl Posted {
    /// It waits for its turn, or for a connection.
    fn is_waiting(&self) -> bool {
        let waits =
            |status| matches!(status, CommandStatus::Queued | CommandStatus::RateLimited { .. });
        self.0.as_ref().is_none_or(|receipt| waits(receipt.status()))
    }

    /// The connection ended as it was being written.
    fn is_unknown(&self) -> bool {
        self.0.as_ref().is_some_and(|receipt| receipt.status() == CommandStatus::Unknown)
    }

    /// It will never be sent, or never again.
    fn is_dropped(&self) -> bool {
        self.0.as_ref().is_some_and(|receipt| {
            use CommandStatus::{Cancelled, Dropped, Expired, Refused, Rejected, Superseded};
            let status = receipt.status();
            matches!(status, Cancelled | Dropped | Expired | Refused | Rejected | Superseded)
        })
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        if let Some(receipt) = &self.0 {
            receipt.cancel(); // Too late for one that was sent, and nothing changes then.
        }
    }
}

/// How long an errand waits. Time in which nobody read the shard (a handler that blocked, a pause)
/// is not held against Discord.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    deadline: Time,
    timeout: Duration,
    /// When the deadline was set.
    unread: Duration,
}

impl Patience {
    fn new(now: Time, timeout: Duration, unread: Duration) -> Self {
        Self { deadline: now + timeout, timeout, unread }
    }

    /// Begins anew, after so long.
    fn renew(&mut self, now: Time, after: Duration) {
        self.deadline = now + after + self.timeout;
    }

    /// Whether it is over; if nobody read meanwhile, it is prolonged.
    fn is_over(&mut self, now: Time, unread: Duration) -> bool {
        if now < self.deadline {
            return false;
        }
        let missed = unread.saturating_sub(self.unread);
        self.unread = unread;
        self.deadline = now + missed.min(self.timeout);
        missed.is_zero()
    }
}

/// Why an errand was not begun: the caller's fault. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrandError {
    /// Without this intent the answer would never come.
    MissingIntent {
        /// Which.
        intent: Intents,
        /// What it is needed for.
        needed_for: &'static str,
    },
    /// The guild's events come on another shard.
    WrongShard {
        /// Which guild.
        guild_id: u64,
        /// The shard that it is on.
        of: u32,
        /// The shard that was asked.
        shard: u32,
    },
    /// So many are under way on this shard already.
    TooMany {
        /// How many may be.
        len_max: usize,
    },
    /// A request with this nonce is under way on this shard.
    NonceInUse,
    /// The command itself is not valid.
    Command(CommandError),
    /// The shard has stopped.
    Stopped,
}

impl fmt::Display for ErrandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingIntent { intent, needed_for } => {
                write!(
                    f,
                    "{needed_for} need the intent {intent:?}, which the bot has not asked for"
                )
            }
            Self::WrongShard { guild_id, of, shard } => {
                write!(f, "guild {guild_id} is on shard {of}, not on shard {shard}")
            }
            Self::TooMany { len_max } => {
                write!(f, "{len_max} are under way on this shard; try again later")
            }
            Self::NonceInUse => f.write_str("a request with this nonce is under way"),
            Self::Command(error) => error.fmt(f),
            Self::Stopped => f.write_str("the shard has stopped"),
        }
    }
}

impl std::error::Error for ErrandError {}

impl From<ErrandError> for Error {
    fn from(error: ErrandError) -> Self {
        let kind = match error {
            ErrandError::TooMany { .. } => ErrorKind::Full,
            ErrandError::Stopped => ErrorKind::Stopped,
            ErrandError::WrongShard { .. } => ErrorKind::NoSuchShard,
            _ => ErrorKind::Command,
        };
        Self::new(kind, error.to_string())
    }
}

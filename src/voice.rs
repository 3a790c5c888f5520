//! The user's end of a voice hand-off: [`VoiceHandoff`], and what a handler can ask for.
//!
//! The protocol of it is `shard::errands`; here is the queue between a core and whoever drives the
//! voice client. It never sends anything by itself: dropping a hand-off leaves no channel. Made by
//! [`Context`] and by `Handle`.

use std::task::Poll;
use std::time::Duration;

use crate::error::Error;
use crate::feed::{Elapsed, Feed, WhenFull, feed};
use crate::model::{ChannelId, GuildId};
use crate::shard::errands::Outlet;
use crate::shard::errands::voice::{
    JoinVoice, OwnVoiceState, VoiceChange, VoiceConnectInfo, VoiceEnd,
};
use crate::shard::handler::Context;
use crate::shard::receipt::CommandReceipt;

/// A voice channel joined, or being joined: first what to connect a voice client with, then every
/// change that the voice client must know of.
///
/// It comes from [`Handle::join_voice`](crate::Handle::join_voice) and [`Context::join_voice`], may
/// be on any thread, and is awaited on any executor; or waited for, but never on a core's thread.
///
/// ```no_run
/// use shardring::{JoinVoice, VoiceChange};
/// # async fn run(handle: shardring::Handle) -> Result<(), shardring::Error> {
/// let (guild, channel) = (41771983423143937u64, 127121515262115840u64);
/// let mut voice = handle.join_voice(guild, channel, JoinVoice::default()).await?;
/// while let Some(change) = voice.next().await {
///     match change {
///         VoiceChange::Connect(info) => { /* driver.connect(info) */ }
///         VoiceChange::ServerGone => { /* driver.leave() */ }
///         VoiceChange::Ended(end) => println!("no longer in voice: {end}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// It survives reconnects that resume the session, and a new session if Discord still has the bot
/// in voice then. At most [`CHANGES_LEN_MAX`] changes wait; the oldest goes, as newer ones make it
/// void. Dropping it changes nothing but that nobody is told: use
/// [`Handle::leave_voice`](crate::Handle::leave_voice).
#[derive(Debug)]
#[must_use = "it has what the voice client needs"]
pub struct VoiceHandoff {
    guild_id: GuildId,
    feed: Feed<VoiceChange>,
    has_ended: bool,
}

/// The most changes of a hand-off that wait to be read.
pub const CHANGES_LEN_MAX: usize = 16;

impl VoiceHandoff {
    /// A hand-off and where it is fed.
    pub(crate) fn new(guild_id: u64) -> (Box<dyn Outlet<VoiceChange>>, Self) {
        let (feeder, feed) = feed(CHANGES_LEN_MAX, WhenFull::DropOldest);
        (Box::new(feeder), Self { guild_id: GuildId::new(guild_id), feed, has_ended: false })
    }

    /// In which guild.
    pub fn guild_id(&self) -> GuildId {
        self.guild_id
    }

    /// The next change; `None` after [`VoiceChange::Ended`]. No change is lost if the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<VoiceChange> {
        let change = self.feed.next().await;
        self.pass(change)
    }

    /// [`next`](Self::next) for those who write futures themselves.
    pub fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Option<VoiceChange>> {
        self.feed.poll_next(cx).map(|change| self.pass(change))
    }

    /// [`next`](Self::next), blocking this thread; never on a core's.
    pub fn next_wait(&mut self) -> Option<VoiceChange> {
        let change = self.feed.next_wait();
        self.pass(change)
    }

    /// [`next_wait`](Self::next_wait) for at most so long.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if nothing came in time; it may be asked again.
    pub fn next_wait_timeout(&mut self, at_most: Duration) -> Result<Option<VoiceChange>, Elapsed> {
        let change = self.feed.next_wait_timeout(at_most)?;
        Ok(self.pass(change))
    }

    /// What to connect with: passes over every change up to the next [`VoiceChange::Connect`].
    ///
    /// # Errors
    ///
    /// How it ended before that; [`VoiceEnd::Stopped`] too if it had ended already.
    pub async fn connected(&mut self) -> Result<VoiceConnectInfo, VoiceEnd> {
        loop {
            if let Some(result) = connect(self.next().await) {
                return result;
            }
        }
    }

    /// [`connected`](Self::connected), blocking this thread; never on a core's.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn connected_wait(&mut self) -> Result<VoiceConnectInfo, VoiceEnd> {
        loop {
            if let Some(result) = connect(self.next_wait()) {
                return result;
            }
        }
    }

    /// Sees to it that an end is told, and once.
    fn pass(&mut self, change: Option<VoiceChange>) -> Option<VoiceChange> {
        let change = match change {
            None if !self.has_ended => Some(VoiceChange::Ended(VoiceEnd::Stopped)),
            change => change,
        };
        self.has_ended |= matches!(change, Some(VoiceChange::Ended(_)));
        change
    }
}

fn connect(change: Option<VoiceChange>) -> Option<Result<VoiceConnectInfo, VoiceEnd>> {
    match change {
        Some(VoiceChange::Connect(info)) => Some(Ok(info)),
        Some(VoiceChange::Ended(end)) => Some(Err(end)),
        None => Some(Err(VoiceEnd::Stopped)),
        Some(_) => None,
    }
}

impl Context<'_> {
    /// Joins a voice channel of a guild of this shard, or moves there; a hand-off for the same
    /// guild that is open ends with [`VoiceEnd::Superseded`]. What comes of it is read elsewhere:
    /// by [`spawn`](Self::spawn)ing a future that awaits [`VoiceHandoff::next`], or on another
    /// thread.
    ///
    /// Where the bot is in that channel already it leaves first, since Discord answers nothing to
    /// who joins where it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Command`](crate::ErrorKind::Command) without the intent GUILD_VOICE_STATES,
    /// [`ErrorKind::NoSuchShard`](crate::ErrorKind::NoSuchShard) if the guild is on another shard
    /// (then use a [`Handle`](crate::Handle)), [`ErrorKind::Full`](crate::ErrorKind::Full),
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped). Nothing was sent then.
    pub fn join_voice(
        &mut self,
        guild_id: impl Into<GuildId>,
        channel_id: impl Into<ChannelId>,
        options: JoinVoice,
    ) -> Result<VoiceHandoff, Error> {
        let (guild_id, channel_id) = (guild_id.into().get(), channel_id.into().get());
        let (outlet, handoff) = VoiceHandoff::new(guild_id);
        self.session.join_voice(self.now, guild_id, channel_id, options, outlet)?;
        Ok(handoff)
    }

    /// Leaves voice in a guild of this shard, whether or not the bot is known to be there. An open
    /// hand-off ends with [`VoiceEnd::Left`].
    ///
    /// # Errors
    ///
    /// As [`join_voice`](Self::join_voice).
    pub fn leave_voice(&mut self, guild_id: impl Into<GuildId>) -> Result<CommandReceipt, Error> {
        Ok(self.session.leave_voice(self.now, guild_id.into().get())?)
    }

    /// Where the bot itself is in a guild's voice, as Discord told last; `None`: nowhere, or on
    /// another shard, or not known (which needs the intents GUILDS and GUILD_VOICE_STATES).
    pub fn voice_state(&self, guild_id: impl Into<GuildId>) -> Option<&OwnVoiceState> {
        self.session.voice_state(guild_id.into().get())
    }
}

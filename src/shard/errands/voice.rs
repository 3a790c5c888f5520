//! What the voice hand-off is asked, and what it tells: plain values.
//!
//! Invariant: neither a token nor a session id reaches `Debug`. Made by `calls`, read by the user.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::model::{ChannelId, GuildId, UserId, VoiceState};

/// How a voice channel is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinVoice {
    /// Whether the bot mutes itself. Default: no.
    pub self_mute: bool,
    /// Whether the bot deafens itself. Default: no.
    pub self_deaf: bool,
    /// How long both events may take, from the call on; a reconnect in between counts, time in
    /// which the shard is paused or its core blocked does not. Default: [`JOIN_TIMEOUT`].
    pub timeout: Duration,
}

/// How long a join may take if nothing else is said.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after READY the guild's GUILD_CREATE may take to show that the bot is still in voice; a
/// hand-off of which nothing was heard by then ends with [`VoiceEnd::SessionLost`].
pub const CONFIRM_TIMEOUT: Duration = Duration::from_secs(300);

/// The most hand-offs of a shard, and the most voice states of the bot that it keeps: a shard has
/// at most so many guilds (protocol section 7).
pub const GUILDS_MAX: usize = 2_500;

impl Default for JoinVoice {
    fn default() -> Self {
        Self { self_mute: false, self_deaf: false, timeout: JOIN_TIMEOUT }
    }
}

impl JoinVoice {
    /// Muted or not.
    #[must_use]
    pub fn self_mute(mut self, self_mute: bool) -> Self {
        self.self_mute = self_mute;
        self
    }

    /// Deafened or not. A bot that only plays saves bandwidth if it is.
    #[must_use]
    pub fn self_deaf(mut self, self_deaf: bool) -> Self {
        self.self_deaf = self_deaf;
        self
    }

    /// With another time-out.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What a voice client (songbird's driver, a Lavalink node) needs to connect. `Debug` shows
/// neither the token nor the session id.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VoiceConnectInfo {
    /// Host and port, without a scheme: `wss://` goes before it.
    pub endpoint: String,
    /// What the voice client shows to connect. Good for one connection; never to be kept.
    pub token: String,
    /// The voice session's id, which is not that of the gateway's.
    pub session_id: String,
    /// In which guild (`server_id` of the voice gateway).
    pub guild_id: GuildId,
    /// In which channel.
    pub channel_id: ChannelId,
    /// The bot.
    pub user_id: UserId,
}

impl fmt::Debug for VoiceConnectInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoiceConnectInfo")
            .field("endpoint", &self.endpoint)
            .field("guild_id", &self.guild_id)
            .field("channel_id", &self.channel_id)
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// What happens to a voice connection, as far as the gateway tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VoiceChange {
    /// Connect with this; where there is a voice connection already, connect anew: the server or
    /// the voice session changed, and the old token is void.
    Connect(VoiceConnectInfo),
    /// The voice server is gone (`endpoint: null`): disconnect, and wait for the next
    /// [`Connect`](Self::Connect).
    ServerGone,
    /// Somebody moved the bot to another channel of the guild. A [`Connect`](Self::Connect)
    /// follows if the voice client has to connect anew.
    Moved {
        /// Where it was.
        from: ChannelId,
        /// Where it is.
        to: ChannelId,
    },
    /// It is over; nothing follows.
    Ended(VoiceEnd),
}

/// How a voice hand-off ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VoiceEnd {
    /// The bot left, as it was told to.
    Left,
    /// The bot was disconnected: by a moderator, or as the channel was deleted.
    Disconnected,
    /// A newer join in the same guild took its place.
    Superseded,
    /// The two events did not come in time. The channel may be full, or closed to the bot: Discord
    /// says nothing then. A leave was sent.
    TimedOut {
        /// Whether op 4 was sent at all.
        was_sent: bool,
    },
    /// The bot is no longer in the guild.
    GuildGone,
    /// The gateway's session was lost, and the new one does not have the bot in voice.
    SessionLost,
    /// Op 4 will not be sent: too many commands wait, or another one took its place.
    NotSent,
    /// The shard or the engine has stopped.
    Stopped,
}

impl fmt::Display for VoiceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Left => "the bot left the voice channel",
            Self::Disconnected => "the bot was disconnected from voice",
            Self::Superseded => "a newer join in the same guild took its place",
            Self::TimedOut { was_sent: true } => {
                "Discord did not answer the join in time: the channel may be full or closed"
            }
            Self::TimedOut { was_sent: false } => "the join could not be sent in time",
            Self::GuildGone => "the bot is no longer in the guild",
            Self::SessionLost => "the session was lost, and with it the place in voice",
            Self::NotSent => "the join was dropped before it was sent",
            Self::Stopped => "the shard has stopped",
        })
    }
}

impl std::error::Error for VoiceEnd {}

impl From<VoiceEnd> for Error {
    fn from(end: VoiceEnd) -> Self {
        let kind = match end {
            VoiceEnd::Stopped => ErrorKind::Stopped,
            _ => ErrorKind::Dropped,
        };
        Self::new(kind, end.to_string())
    }
}

/// Where the bot itself is in a guild's voice, as the gateway told last.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnVoiceState {
    /// In which guild.
    pub guild_id: GuildId,
    /// In which channel.
    pub channel_id: ChannelId,
    /// The voice session's id; `Debug` does not show it.
    pub session_id: String,
    /// Whether the guild lets the bot hear nothing.
    pub deaf: bool,
    /// Whether the guild lets nobody hear the bot.
    pub mute: bool,
    /// Whether the bot deafened itself.
    pub self_deaf: bool,
    /// Whether the bot muted itself.
    pub self_mute: bool,
    /// Whether the bot may not speak on this stage.
    pub suppress: bool,
}

impl fmt::Debug for OwnVoiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnVoiceState")
            .field("guild_id", &self.guild_id)
            .field("channel_id", &self.channel_id)
            .field("deaf", &self.deaf)
            .field("mute", &self.mute)
            .field("self_deaf", &self.self_deaf)
            .field("self_mute", &self.self_mute)
            .field("suppress", &self.suppress)
            .finish_non_exhaustive()
    }
}

impl OwnVoiceState {
    pub(super) fn new(guild_id: GuildId, channel_id: ChannelId, state: &VoiceState<'_>) -> Self {
        Self {
            guild_id,
            channel_id,
            session_id: state.session_id.expose().to_owned(),
            deaf: state.deaf,
            mute: state.mute,
            self_deaf: state.self_deaf,
            self_mute: state.self_mute,
            suppress: state.suppress,
        }
    }
}

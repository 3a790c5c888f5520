//! Op 4 (protocol section 10): be in a voice channel of a guild, or in none.

use super::{CommandError, json, named};
use crate::model::{ChannelId, GuildId};

/// Joins, moves or leaves a voice channel. Of two for one guild that wait, the newer is sent.
#[derive(Clone, Copy, Debug)]
#[must_use = "a command does nothing until it is sent"]
pub struct UpdateVoiceState {
    /// The guild.
    pub guild_id: GuildId,
    /// The voice channel to be in; `None` leaves.
    pub channel_id: Option<ChannelId>,
    /// Whether the bot mutes itself.
    pub self_mute: bool,
    /// Whether the bot deafens itself.
    pub self_deaf: bool,
}

impl UpdateVoiceState {
    /// Joins or moves to a channel.
    pub fn join(guild_id: impl Into<GuildId>, channel_id: impl Into<ChannelId>) -> Self {
        Self {
            guild_id: guild_id.into(),
            channel_id: Some(channel_id.into()),
            self_mute: false,
            self_deaf: false,
        }
    }

    /// Leaves voice in a guild.
    pub fn leave(guild_id: impl Into<GuildId>) -> Self {
        let guild_id = guild_id.into();
        Self { guild_id, channel_id: None, self_mute: false, self_deaf: false }
    }

    /// Whether the bot mutes itself.
    pub fn self_mute(mut self, self_mute: bool) -> Self {
        self.self_mute = self_mute;
        self
    }

    /// Whether the bot deafens itself.
    pub fn self_deaf(mut self, self_deaf: bool) -> Self {
        self.self_deaf = self_deaf;
        self
    }

    pub(super) fn check(&self) -> Result<(), CommandError> {
        named("guild_id", self.guild_id)?;
        self.channel_id.map_or(Ok(()), |channel_id| named("channel_id", channel_id))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"guild_id":"#);
        json::snowflake(out, self.guild_id.get());
        out.extend_from_slice(br#","channel_id":"#);
        match self.channel_id {
            Some(channel_id) => json::snowflake(out, channel_id.get()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","self_mute":"#);
        json::boolean(out, self.self_mute);
        out.extend_from_slice(br#","self_deaf":"#);
        json::boolean(out, self.self_deaf);
        out.push(b'}');
    }
}

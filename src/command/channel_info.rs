//! Op 43 (protocol section 11): what channels of a guild show; one CHANNEL_INFO comes in answer.

use super::{CommandError, json, named};
use crate::model::GuildId;

/// Asks for facts of a guild's channels that no other event brings.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is sent"]
pub struct RequestChannelInfo {
    /// The guild.
    pub guild_id: GuildId,
    /// Which facts: at least one.
    pub fields: Vec<ChannelInfoField>,
}

/// A fact that op 43 can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelInfoField {
    /// The status of a voice channel.
    Status,
    /// Since when somebody is in a voice channel.
    VoiceStartTime,
}

impl ChannelInfoField {
    /// Discord's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::VoiceStartTime => "voice_start_time",
        }
    }
}

impl RequestChannelInfo {
    /// These facts of a guild's channels.
    pub fn new(
        guild_id: impl Into<GuildId>,
        fields: impl IntoIterator<Item = ChannelInfoField>,
    ) -> Self {
        Self { guild_id: guild_id.into(), fields: fields.into_iter().collect() }
    }

    pub(super) fn check(&self) -> Result<(), CommandError> {
        named("guild_id", self.guild_id)?;
        match self.fields.is_empty() {
            true => Err(CommandError::Nothing { argument: "fields" }),
            false => Ok(()),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"guild_id":"#);
        json::snowflake(out, self.guild_id.get());
        out.extend_from_slice(br#","fields":["#);
        for (at, field) in self.fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json::string(out, field.name());
        }
        out.extend_from_slice(b"]}");
    }
}

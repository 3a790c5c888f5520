//! Op 31 (protocol section 11): the soundboards of guilds; one SOUNDBOARD_SOUNDS comes for each.

use super::{CommandError, json, named};
use crate::model::GuildId;

/// Asks for the soundboard sounds of guilds, all of one shard.
/// [`Handle::request_soundboard_sounds`](crate::Handle::request_soundboard_sounds) sorts guilds by
/// their shards.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is sent"]
pub struct RequestSoundboardSounds {
    /// The guilds: 1 to [`SOUNDBOARD_GUILDS_MAX`].
    pub guild_ids: Vec<GuildId>,
}

/// The guilds of one request: as many as surely fit into a payload (23 bytes each, at most).
/// Discord names no bound.
pub const SOUNDBOARD_GUILDS_MAX: usize = 170;

impl RequestSoundboardSounds {
    /// Of these guilds.
    pub fn new<G: Into<GuildId>>(guild_ids: impl IntoIterator<Item = G>) -> Self {
        Self { guild_ids: guild_ids.into_iter().map(Into::into).collect() }
    }

    pub(super) fn check(&self) -> Result<(), CommandError> {
        match self.guild_ids.len() {
            0 => return Err(CommandError::Nothing { argument: "guild_ids" }),
            count if count > SOUNDBOARD_GUILDS_MAX => {
                return Err(CommandError::GuildCount { count });
            }
            _ => {}
        }
        self.guild_ids.iter().try_for_each(|id| named("guild_ids", *id))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"guild_ids":["#);
        for (at, id) in self.guild_ids.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json::snowflake(out, id.get());
        }
        out.extend_from_slice(b"]}");
    }
}

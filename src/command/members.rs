//! Op 8 (protocol section 11): members of a guild, which come as GUILD_MEMBERS_CHUNK.
//!
//! Users and a prefix exclude each other by their type. The intents that a request needs are
//! named here; who knows which IDENTIFY asks for hands them in.

use super::{CommandError, json, named};
use crate::model::{GuildId, UserId};

/// Asks for members of a guild.
///
/// All members of one guild may be asked for once in 30 s: a second such request waits in the
/// shard, and others pass it.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is sent"]
pub struct RequestGuildMembers {
    /// The guild.
    pub guild_id: GuildId,
    /// Which of its members.
    pub which: Members,
    /// Whether presences are wanted too (needs the intent GUILD_PRESENCES).
    pub presences: bool,
    /// Comes back in the chunks; at most [`NONCE_LEN_MAX`] bytes.
    pub nonce: Option<String>,
}

/// Which members are asked for.
#[derive(Clone, Debug)]
pub enum Members {
    /// All (needs the intent GUILD_MEMBERS; once per guild in 30 s).
    All,
    /// Those whose name starts with `prefix`, at most `limit`.
    Prefix {
        /// Start of the user name. Empty with a limit of 0: the same as [`Members::All`].
        prefix: String,
        /// How many at most: 0 to [`PREFIX_LIMIT_MAX`].
        limit: u32,
    },
    /// These users: 1 to [`USER_IDS_MAX`].
    Users(Vec<UserId>),
}

/// The longest nonce that Discord does not ignore, in bytes.
pub const NONCE_LEN_MAX: usize = 32;
/// The most users that one request may name.
pub const USER_IDS_MAX: usize = 100;
/// The most members that a prefix may ask for.
pub const PREFIX_LIMIT_MAX: u32 = 100;

/// GUILD_MEMBERS as a bit of IDENTIFY's intents (protocol section 8).
const GUILD_MEMBERS: u64 = 1 << 1;
/// GUILD_PRESENCES, likewise.
const GUILD_PRESENCES: u64 = 1 << 8;

impl RequestGuildMembers {
    /// All members of a guild.
    pub fn all(guild_id: impl Into<GuildId>) -> Self {
        Self::of(guild_id.into(), Members::All)
    }

    /// Members whose user name starts with `prefix`, at most `limit` (0 to [`PREFIX_LIMIT_MAX`]).
    pub fn prefix(guild_id: impl Into<GuildId>, prefix: impl Into<String>, limit: u32) -> Self {
        Self::of(guild_id.into(), Members::Prefix { prefix: prefix.into(), limit })
    }

    /// These users, at most [`USER_IDS_MAX`].
    pub fn users<U: Into<UserId>>(
        guild_id: impl Into<GuildId>,
        user_ids: impl IntoIterator<Item = U>,
    ) -> Self {
        let user_ids = user_ids.into_iter().map(Into::into).collect();
        Self::of(guild_id.into(), Members::Users(user_ids))
    }

    /// With presences.
    pub fn presences(mut self) -> Self {
        self.presences = true;
        self
    }

    /// With this nonce in every chunk of the answer.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// It asks for the whole list, which Discord allows once per guild in 30 s.
    pub fn is_whole(&self) -> bool {
        match &self.which {
            Members::All => true,
            Members::Prefix { prefix, limit } => prefix.is_empty() && *limit == 0,
            Members::Users(_) => false,
        }
    }

    fn of(guild_id: GuildId, which: Members) -> Self {
        Self { guild_id, which, presences: false, nonce: None }
    }

    pub(super) fn check(&self) -> Result<(), CommandError> {
        named("guild_id", self.guild_id)?;
        if let Some(nonce) = &self.nonce
            && nonce.len() > NONCE_LEN_MAX
        {
            return Err(CommandError::NonceTooLong { len: nonce.len() });
        }
        match &self.which {
            Members::Users(ids) if ids.is_empty() || ids.len() > USER_IDS_MAX => {
                Err(CommandError::UserCount { count: ids.len() })
            }
            Members::Users(ids) => ids.iter().try_for_each(|id| named("user_ids", *id)),
            Members::Prefix { limit, .. } if *limit > PREFIX_LIMIT_MAX => {
                Err(CommandError::Limit { limit: *limit })
            }
            Members::All | Members::Prefix { .. } => Ok(()),
        }
    }

    pub(crate) fn check_intents(&self, intents: u64) -> Result<(), CommandError> {
        let needs = |wanted: bool, bit: u64, argument, intent| match wanted && intents & bit == 0 {
            true => Err(CommandError::MissingIntent { argument, intent }),
            false => Ok(()),
        };
        needs(self.is_whole(), GUILD_MEMBERS, "which", "GUILD_MEMBERS")?;
        needs(self.presences, GUILD_PRESENCES, "presences", "GUILD_PRESENCES")
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"guild_id":"#);
        json::snowflake(out, self.guild_id.get());
        match &self.which {
            Members::All => out.extend_from_slice(br#","query":"","limit":0"#),
            Members::Prefix { prefix, limit } => {
                out.extend_from_slice(br#","query":"#);
                json::string(out, prefix);
                out.extend_from_slice(br#","limit":"#);
                json::number(out, (*limit).into());
            }
            Members::Users(ids) => {
                out.extend_from_slice(br#","user_ids":["#);
                for (at, id) in ids.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    json::snowflake(out, id.get());
                }
                out.push(b']');
            }
        }
        if self.presences {
            out.extend_from_slice(br#","presences":true"#);
        }
        if let Some(nonce) = &self.nonce {
            out.extend_from_slice(br#","nonce":"#);
            json::string(out, nonce);
        }
        out.push(b'}');
    }
}

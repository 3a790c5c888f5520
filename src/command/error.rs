//! Why a command cannot be sent: which argument, and which rule of Discord's it breaks.
//!
//! Values and their sentences; never a byte of what was to be sent. Made by the commands' checks,
//! shown to whoever gave the command.

use std::fmt;

use super::{
    NONCE_LEN_MAX, PAYLOAD_LEN_MAX, PREFIX_LIMIT_MAX, PRESENCE_LEN_MAX, SOUNDBOARD_GUILDS_MAX,
    USER_IDS_MAX,
};

/// Why a command cannot be sent. The caller's fault; nothing was queued, the session is untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The text has more than [`PAYLOAD_LEN_MAX`] bytes.
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// The presence's text has more than [`PRESENCE_LEN_MAX`] bytes: IDENTIFY, which carries it
    /// too, would not fit.
    PresenceTooLong {
        /// How many it has.
        len: usize,
    },
    /// Heartbeat, IDENTIFY and RESUME are sent by the session alone.
    SessionOpcode {
        /// The opcode asked for.
        op: u8,
    },
    /// Raw `d` is not well-formed JSON (or nests deeper than 64).
    NotJson {
        /// The byte at which it goes wrong.
        at: usize,
    },
    /// The nonce is longer than [`NONCE_LEN_MAX`]: Discord would leave it out of the answer.
    NonceTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// No user, or more than [`USER_IDS_MAX`], in one request.
    UserCount {
        /// How many.
        count: usize,
    },
    /// More than [`SOUNDBOARD_GUILDS_MAX`] guilds in one request.
    GuildCount {
        /// How many.
        count: usize,
    },
    /// A prefix is asked for with a limit above [`PREFIX_LIMIT_MAX`].
    Limit {
        /// The limit given.
        limit: u32,
    },
    /// An id is 0, which no thing has.
    NoId {
        /// Which argument.
        argument: &'static str,
    },
    /// A list that must name something is empty, or an update changes nothing.
    Nothing {
        /// Which argument.
        argument: &'static str,
    },
    /// A streaming activity without the address of its stream.
    StreamWithoutUrl {
        /// Its place in `activities`, from 0.
        index: usize,
    },
    /// IDENTIFY did not ask for an intent that the command needs.
    MissingIntent {
        /// Which argument needs it.
        argument: &'static str,
        /// Discord's name of the intent.
        intent: &'static str,
    },
    /// The guild's events come on another shard; Discord ignores what is asked of it on this one.
    WrongShard {
        /// The guild.
        guild_id: u64,
        /// The guild's shard.
        belongs_to: u32,
    },
}

impl CommandError {
    /// The argument that breaks a rule, by the name it has in the command (or in its JSON).
    pub const fn argument(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "command",
            Self::PresenceTooLong { .. } => "presence",
            Self::SessionOpcode { .. } => "op",
            Self::NotJson { .. } => "d",
            Self::NonceTooLong { .. } => "nonce",
            Self::UserCount { .. } => "user_ids",
            Self::GuildCount { .. } => "guild_ids",
            Self::Limit { .. } => "limit",
            Self::StreamWithoutUrl { .. } => "activities.url",
            Self::WrongShard { .. } => "guild_id",
            Self::NoId { argument }
            | Self::Nothing { argument }
            | Self::MissingIntent { argument, .. } => argument,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let argument = self.argument();
        match self {
            Self::TooLong { len } => {
                write!(f, "the command is {len} bytes of JSON; the gateway takes {PAYLOAD_LEN_MAX}")
            }
            Self::PresenceTooLong { len } => write!(
                f,
                "the presence is {len} bytes of JSON; beside the token IDENTIFY has room for \
                 {PRESENCE_LEN_MAX}"
            ),
            Self::SessionOpcode { op } => {
                write!(f, "op: opcode {op} is sent by the session itself, never by a command")
            }
            Self::NotJson { at } => write!(f, "raw `d` is not well-formed JSON at byte {at}"),
            Self::NonceTooLong { len } => {
                write!(f, "the nonce has {len} bytes; Discord ignores more than {NONCE_LEN_MAX}")
            }
            Self::UserCount { count } => {
                write!(f, "user_ids: {count} users in one request; it takes 1 to {USER_IDS_MAX}")
            }
            Self::GuildCount { count } => write!(
                f,
                "guild_ids: {count} guilds in one request; a payload has room for \
                 {SOUNDBOARD_GUILDS_MAX}"
            ),
            Self::Limit { limit } => {
                write!(f, "limit: {limit}; Discord takes 0 to {PREFIX_LIMIT_MAX}")
            }
            Self::NoId { .. } => write!(f, "{argument}: 0 is the id of nothing"),
            Self::Nothing { .. } => write!(f, "{argument}: names nothing"),
            Self::StreamWithoutUrl { index } => write!(
                f,
                "activities[{index}].url: a streaming activity needs the address of its stream \
                 (Twitch or YouTube)"
            ),
            Self::MissingIntent { intent, .. } => {
                write!(f, "{argument}: needs the intent {intent}, which IDENTIFY did not ask for")
            }
            Self::WrongShard { guild_id, belongs_to } => {
                write!(f, "guild_id: guild {guild_id} belongs to shard {belongs_to}")
            }
        }
    }
}

impl std::error::Error for CommandError {}

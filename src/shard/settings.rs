//! What every session of an engine is told once, shared by all of them.
//!
//! Plain values with named defaults. Never holds anything that changes. Built by `config` (or by a
//! test), read by `session` and `payload`.

use std::fmt;
use std::time::Duration;

use crate::command::{CommandError, PAYLOAD_LEN_MAX, UpdatePresence};
use crate::shard::id::ShardId;
use crate::shard::payload;
use crate::shard::token::Token;

/// What IDENTIFY says and how long a session waits for what. One `Arc` for all shards.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionSettings {
    /// The bot's token.
    pub token: Token,
    /// Bit set of intents (protocol section 8).
    pub intents: u64,
    /// Above how many members GUILD_CREATE leaves out those offline; 50 to 250.
    pub large_threshold: Option<u8>,
    /// The presence at IDENTIFY, until a command sets one.
    pub presence: Option<UpdatePresence>,
    /// The gateway's main URL, as GET /gateway gave it; [`Target::Main`] means this one.
    ///
    /// [`Target::Main`]: crate::shard::notice::Target::Main
    pub main_url: String,
    /// How long TCP and the upgrade may take together.
    pub dial_wait: Duration,
    /// How long HELLO may take after the upgrade.
    pub hello_wait: Duration,
    /// After how long without READY or RESUMED the session is called stalled. It goes on waiting.
    pub stalled_after: Duration,
    /// After how long without RESUMED and without any replayed dispatch RESUME is tried on another
    /// connection. Never leads to IDENTIFY.
    pub resume_wait: Duration,
    /// How long our close frame waits for the peer's before the link is cut.
    pub close_wait: Duration,
    /// How long after the connection was lost the session is still worth a RESUME.
    ///
    /// Discord keeps a session for some minutes and does not say how many. A RESUME that comes too
    /// late costs a round trip (op 9); an IDENTIFY that was not needed costs one of the day's
    /// starts and every event between: hence the generous default.
    pub session_age_max: Duration,
    /// How many commands may wait in a shard; one more is refused.
    pub outbox_len_max: usize,
}

impl SessionSettings {
    /// Settings with every default.
    pub fn new(token: Token, intents: u64, main_url: impl Into<String>) -> Self {
        Self {
            token,
            intents,
            large_threshold: None,
            presence: None,
            main_url: main_url.into(),
            dial_wait: DIAL_WAIT,
            hello_wait: HELLO_WAIT,
            stalled_after: STALLED_AFTER,
            resume_wait: RESUME_WAIT,
            close_wait: CLOSE_WAIT,
            session_age_max: SESSION_AGE_MAX,
            outbox_len_max: OUTBOX_LEN_MAX,
        }
    }

    /// Whether Discord could take an IDENTIFY made of these.
    ///
    /// # Errors
    /// [`SettingsError`] if `large_threshold` is out of its range, the presence is not valid, or
    /// IDENTIFY would be too long.
    pub fn check(&self) -> Result<(), SettingsError> {
        if let Some(large_threshold) = self.large_threshold
            && !(50..=250).contains(&large_threshold)
        {
            return Err(SettingsError::LargeThreshold { large_threshold });
        }
        if let Some(presence) = &self.presence {
            presence.check().map_err(SettingsError::Presence)?;
        }
        let mut out = Vec::new();
        payload::identify(&mut out, self, ShardId::new(u32::MAX, u32::MAX), None);
        if out.len() > PAYLOAD_LEN_MAX {
            return Err(SettingsError::IdentifyTooLong { len: out.len() });
        }
        Ok(())
    }
}

/// Default of [`SessionSettings::dial_wait`].
pub const DIAL_WAIT: Duration = Duration::from_secs(10);
/// Default of [`SessionSettings::hello_wait`].
pub const HELLO_WAIT: Duration = Duration::from_secs(20);
/// Default of [`SessionSettings::stalled_after`].
pub const STALLED_AFTER: Duration = Duration::from_secs(60);
/// Default of [`SessionSettings::resume_wait`].
pub const RESUME_WAIT: Duration = Duration::from_secs(180);
/// Default of [`SessionSettings::close_wait`].
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Default of [`SessionSettings::session_age_max`].
pub const SESSION_AGE_MAX: Duration = Duration::from_secs(3600);
/// Default of [`SessionSettings::outbox_len_max`].
pub const OUTBOX_LEN_MAX: usize = 64;

/// What is wrong with settings. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsError {
    /// Outside of 50..=250.
    LargeThreshold {
        /// What was given.
        large_threshold: u8,
    },
    /// The presence breaks a rule.
    Presence(CommandError),
    /// IDENTIFY would be longer than a payload may be.
    IdentifyTooLong {
        /// Its length in bytes.
        len: usize,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LargeThreshold { large_threshold } => {
                write!(f, "large_threshold is {large_threshold}; Discord takes 50 to 250")
            }
            Self::Presence(error) => write!(f, "presence: {error}"),
            Self::IdentifyTooLong { len } => write!(
                f,
                "IDENTIFY would be {len} bytes, the gateway takes {PAYLOAD_LEN_MAX}: \
                 shorten the presence"
            ),
        }
    }
}

impl std::error::Error for SettingsError {}

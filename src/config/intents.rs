//! Which events Discord is asked to send. A bit set and its names, nothing else.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// The gateway's events that Discord sends, by group (protocol.md §8, Discord's *Gateway Intents*).
///
/// ```
/// use shardring::Intents;
/// let intents = Intents::GUILDS | Intents::GUILD_MESSAGES;
/// assert_eq!(intents.bits(), 513);
/// assert!(intents.contains(Intents::GUILDS));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Intents(u64);

macro_rules! intents {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Intents {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
            /// Every intent that Discord documents, the three privileged ones included.
            pub const ALL: Self = Self(0 $(| 1 << $bit)*);
            const NAMES: &[(&'static str, Self)] = &[$((stringify!($name), Self::$name)),*];
        }
    };
}

intents! {
    /// Guilds, roles, channels, threads and stages.
    GUILDS = 0;
    /// Members joining, leaving, changing. Privileged.
    GUILD_MEMBERS = 1;
    /// Bans and the audit log.
    GUILD_MODERATION = 2;
    /// Emojis, stickers, soundboard sounds.
    GUILD_EXPRESSIONS = 3;
    /// Integrations.
    GUILD_INTEGRATIONS = 4;
    /// Webhooks.
    GUILD_WEBHOOKS = 5;
    /// Invites.
    GUILD_INVITES = 6;
    /// Voice states.
    GUILD_VOICE_STATES = 7;
    /// Presences. Privileged.
    GUILD_PRESENCES = 8;
    /// Messages in guilds.
    GUILD_MESSAGES = 9;
    /// Reactions in guilds.
    GUILD_MESSAGE_REACTIONS = 10;
    /// Typing in guilds.
    GUILD_MESSAGE_TYPING = 11;
    /// Direct messages.
    DIRECT_MESSAGES = 12;
    /// Reactions in direct messages.
    DIRECT_MESSAGE_REACTIONS = 13;
    /// Typing in direct messages.
    DIRECT_MESSAGE_TYPING = 14;
    /// The contents of messages. Privileged.
    MESSAGE_CONTENT = 15;
    /// Scheduled events.
    GUILD_SCHEDULED_EVENTS = 16;
    /// Rules of auto-moderation.
    AUTO_MODERATION_CONFIGURATION = 20;
    /// Actions of auto-moderation.
    AUTO_MODERATION_EXECUTION = 21;
    /// Polls in guilds.
    GUILD_MESSAGE_POLLS = 24;
    /// Polls in direct messages.
    DIRECT_MESSAGE_POLLS = 25;
}

impl Intents {
    /// None.
    pub const NONE: Self = Self(0);
    /// The three that must be switched on for the application first.
    pub const PRIVILEGED: Self =
        Self(Self::GUILD_MEMBERS.0 | Self::GUILD_PRESENCES.0 | Self::MESSAGE_CONTENT.0);
    /// All but the privileged ones.
    pub const UNPRIVILEGED: Self = Self(Self::ALL.0 & !Self::PRIVILEGED.0);

    /// The bits as IDENTIFY sends them. Bits that are not documented are kept: Discord judges.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Intents {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Intents {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Intents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut first = true;
        for (name, intent) in Self::NAMES {
            if self.contains(*intent) {
                f.write_str(if first { "" } else { " | " })?;
                f.write_str(name)?;
                first = false;
                rest &= !intent.0;
            }
        }
        match (rest, first) {
            (0, true) => f.write_str("(none)"),
            (0, false) => Ok(()),
            (_, true) => write!(f, "{rest:#x}"),
            (_, false) => write!(f, " | {rest:#x}"),
        }
    }
}

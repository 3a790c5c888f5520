//! A command with how urgent it is, and what a shard takes of it once it is checked.
//!
//! [`Outgoing`] is what users give; [`Prepared`] what a shard queues: valid, and its text written
//! where that does not depend on what the shard remembers. No queue and no clock is here.

use std::time::Duration;

use super::{
    Command, CommandError, Encoded, Heartbeat, Raw, RequestChannelInfo, RequestGuildMembers,
    RequestSoundboardSounds, UpdatePresence, UpdateVoiceState,
};
use crate::model::GuildId;

/// A command, with its priority and its deadline. Made of any command, as it is or by
/// `.priority(…)` and `.expires_in(…)`, which every command has:
///
/// ```
/// use std::time::Duration;
/// use shardring::command::{Outgoing, Priority, UpdateVoiceState};
/// let join: Outgoing = UpdateVoiceState::join(7u64, 8u64)
///     .priority(Priority::High)
///     .expires_in(Duration::from_secs(5));
/// # let _ = join;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is sent"]
pub struct Outgoing {
    /// What to send.
    pub command: Command,
    /// Before which others.
    pub priority: Priority,
    /// How long it may wait, from the call on; `None`: for ever.
    pub expires_in: Option<Duration>,
}

/// Which of the commands that wait goes first. Heartbeats are above all of them and have slots of
/// their own; among equals the older goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// Before all others.
    High,
    /// The default.
    #[default]
    Normal,
    /// When nothing else may go: as long as others do, it waits.
    Low,
}

impl Outgoing {
    /// With this priority.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Not to be sent any more so long after the call.
    pub fn expires_in(mut self, at_most: Duration) -> Self {
        self.expires_in = Some(at_most);
        self
    }

    /// Checks it and writes its text.
    pub(crate) fn prepare(self, rules: &Rules) -> Result<Prepared, CommandError> {
        let Self { command, priority, expires_in } = self;
        command.check()?;
        if let Command::RequestGuildMembers(request) = &command {
            request.check_intents(rules.intents)?;
        }
        if let Some((shard, total)) = rules.shard {
            command.check_shard(shard, total)?;
        }
        let kind = match command {
            Command::UpdatePresence(presence) => Kind::Presence(Box::new(presence)),
            Command::Heartbeat(_) => Kind::Heartbeat,
            command => {
                let text = command.encode()?;
                Kind::Text { text, what: What::of(&command) }
            }
        };
        Ok(Prepared { kind, priority, expires_in })
    }
}

/// What is known where a command is given, and decides whether it can be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// IDENTIFY's bits.
    pub(crate) intents: u64,
    /// The shard and the total, where the command's guild is to be compared with them.
    pub(crate) shard: Option<(u32, u32)>,
}

/// A command that was checked.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) kind: Kind,
    pub(crate) priority: Priority,
    pub(crate) expires_in: Option<Duration>,
}

/// What a shard does with it.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Merged with what the shard has, then written.
    Presence(Box<UpdatePresence>),
    /// Written by the session, which knows the sequence number.
    Heartbeat,
    /// Written already.
    Text { text: Encoded, what: What },
}

/// Which rules of its own a written command has.
#[derive(Debug)]
pub(crate) enum What {
    /// Of one guild the newest wins.
    VoiceState(GuildId),
    /// May be refused by RATE_LIMITED.
    Members(Box<Asked>),
    /// Nothing but its turn.
    Plain {
        /// Its opcode.
        op: u8,
    },
}

/// What RATE_LIMITED says again of a request for members.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) guild_id: GuildId,
    pub(crate) is_whole: bool,
    pub(crate) nonce: Option<Box<str>>,
}

impl What {
    fn of(command: &Command) -> Self {
        match command {
            Command::UpdateVoiceState(voice) => Self::VoiceState(voice.guild_id),
            Command::RequestGuildMembers(request) => Self::Members(Box::new(Asked {
                guild_id: request.guild_id,
                is_whole: request.is_whole(),
                nonce: request.nonce.as_deref().map(Into::into),
            })),
            Command::Raw(raw) => Self::Plain { op: raw.op },
            _ => Self::Plain { op: 0 },
        }
    }
}

impl From<Command> for Outgoing {
    fn from(command: Command) -> Self {
        Self { command, priority: Priority::default(), expires_in: None }
    }
}

macro_rules! commands {
    ($($name:ident)*) => {$(
        impl $name {
            /// With this priority.
            pub fn priority(self, priority: Priority) -> Outgoing {
                Outgoing::from(self).priority(priority)
            }

            /// Not to be sent any more so long after the call.
            pub fn expires_in(self, at_most: Duration) -> Outgoing {
                Outgoing::from(self).expires_in(at_most)
            }
        }

        impl From<$name> for Command {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        }

        impl From<$name> for Outgoing {
            fn from(command: $name) -> Self {
                Command::$name(command).into()
            }
        }
    )*};
}

commands! {
    UpdatePresence UpdateVoiceState RequestGuildMembers RequestSoundboardSounds RequestChannelInfo
    Raw Heartbeat
}

impl Command {
    /// With this priority.
    pub fn priority(self, priority: Priority) -> Outgoing {
        Outgoing::from(self).priority(priority)
    }

    /// Not to be sent any more so long after the call.
    pub fn expires_in(self, at_most: Duration) -> Outgoing {
        Outgoing::from(self).expires_in(at_most)
    }
}

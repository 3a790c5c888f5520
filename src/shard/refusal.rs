//! What Discord says when it refuses a shard for good, with what this bot had asked for: a sentence
//! that a stranger can act on.
//!
//! Values and their texts. Made by the spine when a session ends fatally; shown to `on_link`, on
//! the handle and in the log.

use std::fmt;

use crate::config::Intents;
use crate::shard::close::Fatal;
use crate::shard::id::ShardId;

/// Discord refuses a shard for good: no reconnect would change its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What Discord said.
    pub fatal: Fatal,
    /// To which shard.
    pub shard: ShardId,
    /// What IDENTIFY had asked for.
    pub intents: Intents,
    /// How many shards Discord recommends, where that was asked.
    pub recommended_shards: Option<u32>,
}

impl Refusal {
    /// The close code (protocol section 2).
    pub const fn code(&self) -> u16 {
        self.fatal.code()
    }

    /// The intents that were asked for and that Discord does not document: what 4013 is about.
    pub const fn unknown_intents(&self) -> Intents {
        Intents::from_bits(self.intents.bits() & !Intents::ALL.bits())
    }

    /// The privileged intents that were asked for: of these 4014 is about one at the least.
    pub const fn privileged_intents(&self) -> Intents {
        Intents::from_bits(self.intents.bits() & Intents::PRIVILEGED.bits())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShardId { id, total } = self.shard;
        write!(f, "{}: ", self.fatal)?;
        match self.fatal {
            Fatal::AuthenticationFailed => f.write_str(
                "copy the bot's token anew from the developer portal \
                 (https://discord.com/developers/applications, page Bot, Reset Token); Discord \
                 also resets the token of a bot that used up its session starts",
            ),
            Fatal::InvalidShard => {
                write!(f, "this was shard {id} of {total}; ")?;
                match self.recommended_shards {
                    Some(recommended) if !total.is_multiple_of(recommended.max(1)) => write!(
                        f,
                        "{total} is no multiple of {recommended}, which GET /gateway/bot gives \
                         and a large bot (from 150,000 guilds) must run a multiple of"
                    ),
                    _ => f.write_str(
                        "its number must be below the total, and the total of a large bot (from \
                         150,000 guilds) a multiple of the number that GET /gateway/bot gives",
                    ),
                }
            }
            Fatal::ShardingRequired => {
                write!(f, "raise the number of shards, which is {total} in all; ")?;
                match self.recommended_shards {
                    Some(recommended) => write!(f, "Discord recommends {recommended}"),
                    None => f.write_str("GET /gateway/bot recommends one"),
                }
            }
            Fatal::InvalidApiVersion => f.write_str("update shardring"),
            Fatal::InvalidIntents => match self.unknown_intents() {
                Intents::NONE => f.write_str("leave out what Discord's table of them has not"),
                unknown => write!(f, "Discord does not know {unknown:?}, leave that out"),
            },
            Fatal::DisallowedIntents => write!(
                f,
                "of {:?}, switch on what it needs in the developer portal \
                 (https://discord.com/developers/applications, page Bot, Privileged Gateway \
                 Intents), or leave it out; from 100 guilds on Discord must approve them first",
                self.privileged_intents(),
            ),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(fatal: Fatal, intents: Intents, recommended_shards: Option<u32>) -> String {
        let shard = ShardId::new(3, 10);
        Refusal { fatal, shard, intents, recommended_shards }.to_string()
    }

    #[test]
    fn what_discord_said_comes_first_and_in_the_same_words() {
        for fatal in [
            Fatal::AuthenticationFailed,
            Fatal::InvalidShard,
            Fatal::ShardingRequired,
            Fatal::InvalidApiVersion,
            Fatal::InvalidIntents,
            Fatal::DisallowedIntents,
        ] {
            let (said, text) = (fatal.to_string(), refusal(fatal, Intents::ALL, None));
            assert!(said.starts_with(&format!("close code {}: ", fatal.code())), "{said}");
            let advice = text.strip_prefix(&format!("{said}: ")).expect("it begins with that");
            assert!(!advice.is_empty(), "{text}");
        }
    }

    #[test]
    fn too_many_guilds_names_the_number_that_discord_recommends() {
        let text = refusal(Fatal::ShardingRequired, Intents::GUILDS, Some(24));
        assert!(text.contains("4011") && text.contains("Discord recommends 24"), "{text}");
        assert!(refusal(Fatal::ShardingRequired, Intents::GUILDS, None).contains("GET /gateway"));
    }

    #[test]
    fn a_bad_shard_number_names_what_the_total_must_be_a_multiple_of() {
        let text = refusal(Fatal::InvalidShard, Intents::GUILDS, Some(16));
        assert!(text.contains("shard 3 of 10") && text.contains("multiple of 16"), "{text}");
    }

    #[test]
    fn unknown_intents_are_named_bit_by_bit() {
        let intents = Intents::GUILDS | Intents::from_bits(1 << 40);
        let text = refusal(Fatal::InvalidIntents, intents, None);
        assert!(text.contains("0x10000000000") && !text.contains("GUILDS"), "{text}");
    }

    #[test]
    fn disallowed_intents_are_named_and_where_to_switch_them_on() {
        let intents = Intents::GUILDS | Intents::MESSAGE_CONTENT;
        let text = refusal(Fatal::DisallowedIntents, intents, None);
        assert!(text.contains("of MESSAGE_CONTENT") && text.contains("page Bot"), "{text}");
        assert!(!text.contains("GUILDS,") && !text.contains("GUILD_MEMBERS"), "{text}");
    }
}

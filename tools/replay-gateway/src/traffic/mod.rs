//! Generated traffic: what a busy bot with all intents receives, as pure functions of
//! (seed, variant, intents, index). Never holds state between events, never reads a clock.
//!
//! Invariant: [`Traffic::write_payload`] gives the same bytes for the same arguments, for ever
//! and on every machine; the gateway replays from it instead of keeping what it sent.
//! Called by the gateway's pump and block maker, by load-test and by tests.
//!
//! The mix (per 2,500 events exactly one GUILD_CREATE; the rest drawn by weight) and the sizes
//! follow `research/measurements-peers.md`: mean 1,251 bytes of JSON, 288 on the wire at zlib
//! level 6 with a sync flush a message.
//!
//! Guild ids of generated events belong to a pool of [`GUILDS`] per variant and do **not** hash to
//! the receiving shard: sessions of one variant share pre-compressed blocks.

mod events;
mod guild;
mod people;
mod random;
pub mod schedule;
mod text;

pub use guild::{big_guild_parts, guild_id_of_shard, start_guild, write_member};
pub use random::{Rng, key};

use crate::intents;
use std::ops::Range;

/// How many different contents the stream has: shards whose ids are equal modulo this receive
/// the same events, shards whose are not share no event id.
pub const VARIANTS: u32 = 16;

/// Events of one pre-compressed block, and the least distance of two full flushes in a session.
pub const BLOCK_EVENTS: u64 = 1_000;

/// Guilds that generated events of one variant speak of.
pub const GUILDS: u64 = 48;

/// One GUILD_CREATE in so many events, at a place drawn within them.
const GUILD_CREATE_EVERY: u64 = 2_500;

/// A kind of generated dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// MESSAGE_CREATE, 31.98 % of the events.
    MessageCreate,
    /// PRESENCE_UPDATE, 27.93 %.
    PresenceUpdate,
    /// TYPING_START, 14.16 %.
    TypingStart,
    /// MESSAGE_REACTION_ADD, 5.97 %.
    MessageReactionAdd,
    /// VOICE_STATE_UPDATE, 5.96 %.
    VoiceStateUpdate,
    /// GUILD_MEMBER_UPDATE, 4.99 %.
    GuildMemberUpdate,
    /// MESSAGE_UPDATE, 4.56 %.
    MessageUpdate,
    /// MESSAGE_DELETE, 2.40 %.
    MessageDelete,
    /// INTERACTION_CREATE, 2.02 %.
    InteractionCreate,
    /// GUILD_CREATE, 0.04 %: 200 channels, 100 roles, 250 members, 60 presences.
    GuildCreate,
}

/// The kinds, their names, weights (of 9,996; GUILD_CREATE comes by position), the path of the
/// unique id within `d`, and the mean size of the payload in bytes that the generator is held to.
#[rustfmt::skip]
const KINDS: [(Kind, &str, u32, &str, u32); 10] = [
    (Kind::MessageCreate,      "MESSAGE_CREATE",       3_197, "id",         1_739),
    (Kind::PresenceUpdate,     "PRESENCE_UPDATE",      2_793, "user.id",      544),
    (Kind::TypingStart,        "TYPING_START",         1_416, "user_id",      855),
    (Kind::MessageReactionAdd, "MESSAGE_REACTION_ADD",   597, "message_id",   984),
    (Kind::VoiceStateUpdate,   "VOICE_STATE_UPDATE",     596, "user_id",    1_010),
    (Kind::GuildMemberUpdate,  "GUILD_MEMBER_UPDATE",    499, "user.id",      762),
    (Kind::MessageUpdate,      "MESSAGE_UPDATE",         456, "id",         1_789),
    (Kind::MessageDelete,      "MESSAGE_DELETE",         240, "id",           138),
    (Kind::InteractionCreate,  "INTERACTION_CREATE",     202, "id",         1_950),
    (Kind::GuildCreate,        "GUILD_CREATE",             0, "id",       334_138),
];

impl Kind {
    /// All kinds, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Kind> {
        KINDS.iter().map(|row| row.0)
    }

    /// The dispatch's name, as `t` has it.
    pub fn name(self) -> &'static str {
        KINDS[self as usize].1
    }

    /// The mean size of the whole payload in bytes that tests hold the generator to (± 10 %).
    pub fn mean_bytes(self) -> u32 {
        KINDS[self as usize].4
    }

    /// The kind of a dispatch's name, if it is one that is generated.
    pub fn from_name(name: &str) -> Option<Kind> {
        KINDS.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// Where in `d` a kind carries its unique id: keys joined by dots. In every kind the value is a
/// string of digits that a client reads through its typed view.
///
/// | kind | field |
/// |---|---|
/// | MESSAGE_CREATE, MESSAGE_UPDATE, MESSAGE_DELETE, INTERACTION_CREATE, GUILD_CREATE | `id` |
/// | MESSAGE_REACTION_ADD | `message_id` |
/// | PRESENCE_UPDATE, GUILD_MEMBER_UPDATE | `user.id` |
/// | TYPING_START, VOICE_STATE_UPDATE | `user_id` |
pub fn id_field(kind: Kind) -> &'static str {
    KINDS[kind as usize].3
}

/// One stream of generated events: what every session of one variant and one set of intents gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Traffic {
    seed: u64,
    variant: u32,
    /// Bit `kind as u8` set: generated.
    kinds: u16,
    /// Whether message content fields are filled (MESSAGE_CONTENT).
    content: bool,
}

/// What [`Traffic::write_payload`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The kind of the dispatch.
    pub kind: Kind,
    /// Its unique id.
    pub id: u64,
    /// Where the text of `d` lies in the buffer.
    pub d: Range<usize>,
}

impl Traffic {
    /// The stream of a shard. `intents` filter it: kinds without their intent are never drawn
    /// (the others take their share), and without MESSAGE_CONTENT messages have no content.
    pub fn new(seed: u64, shard_id: u32, intents: u64) -> Self {
        let mut kinds = 0;
        for kind in Kind::all() {
            if intents::allows(intents, kind.name()) {
                kinds |= 1 << kind as u8;
            }
        }
        let content = intents & intents::MESSAGE_CONTENT != 0;
        Self { seed, variant: shard_id % VARIANTS, kinds, content }
    }

    /// Which of the [`VARIANTS`] this is.
    pub fn variant(&self) -> u32 {
        self.variant
    }

    /// Whether any kind is allowed at all. (INTERACTION_CREATE needs no intent: always true.)
    pub fn is_empty(&self) -> bool {
        self.kinds == 0
    }

    /// The kind of event `k` (counted from 0).
    pub fn kind(&self, k: u64) -> Kind {
        let window = k / GUILD_CREATE_EVERY;
        let place = key(self.seed, 0x6163 + u64::from(self.variant), window) % GUILD_CREATE_EVERY;
        if k % GUILD_CREATE_EVERY == place && self.has(Kind::GuildCreate) {
            return Kind::GuildCreate;
        }
        let total: u32 = KINDS.iter().filter(|row| self.has(row.0)).map(|row| row.2).sum();
        if total == 0 {
            return Kind::InteractionCreate;
        }
        let draw = key(self.seed, 0x6b69 + u64::from(self.variant), k) % u64::from(total);
        let mut draw = draw as u32;
        for row in KINDS.iter().filter(|row| self.has(row.0)) {
            if draw < row.2 {
                return row.0;
            }
            draw -= row.2;
        }
        Kind::InteractionCreate
    }

    /// The unique id of event `k`: a snowflake whose time rises with `k`, whose worker bits are
    /// the variant, and whose low bits are drawn. Unique for every (variant, k) with `k < 2^41`.
    pub fn id(&self, k: u64) -> u64 {
        let low = key(self.seed, 0x6964 + u64::from(self.variant), k) & 0x1_ffff;
        ((ID_BASE_MS + k) << 22) | (u64::from(self.variant) << 17) | low
    }

    /// Appends the whole payload of event `k` numbered `s`, in Discord's key order
    /// (`t`, `s`, `op`, `d`), and says what it wrote.
    pub fn write_payload(&self, k: u64, s: u64, out: &mut String) -> Written {
        let kind = self.kind(k);
        let id = self.id(k);
        write_envelope(kind.name(), s, out);
        let start = out.len();
        let mut rng = Rng::new(key(self.seed, 0x6576 + u64::from(self.variant), k));
        events::write(self, kind, id, k, &mut rng, out);
        let end = out.len();
        out.push('}');
        Written { kind, id, d: start..end }
    }

    fn has(&self, kind: Kind) -> bool {
        self.kinds & (1 << kind as u8) != 0
    }
}

/// Appends `{"t":"NAME","s":S,"op":0,"d":`: the text of `d` and a closing brace follow.
pub fn write_envelope(name: &str, s: u64, out: &mut String) {
    use std::fmt::Write as _;
    let _ = write!(out, "{{\"t\":\"{name}\",\"s\":{s},\"op\":0,\"d\":");
}

/// The time of the first generated id, in ms after Discord's epoch (in 2026).
const ID_BASE_MS: u64 = 353_000_000_000;

#[cfg(test)]
mod tests;

//! Snowflakes: 64-bit ids that say when they were made, one type per kind of thing.
//!
//! Read from decimal strings and from bare integers, both of which occur ([Discord's page]).
//! Used by every object of the model.
//!
//! [Discord's page]: https://discord.com/developers/docs/reference#snowflakes

use crate::decode::{Cursor, Decimal, Decode, Expected, MapKey, Shape};
use serde::{Serialize, Serializer};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// The id of a thing of kind `K`: a [`GuildId`] cannot be taken for a [`ChannelId`].
///
/// Where Discord leaves out an id that its documents call always present, the id is 0.
///
/// ```
/// use shardring::model::GuildId;
///
/// let guild = GuildId::new(175928847299117063);
/// assert_eq!(guild.timestamp_ms(), 1462015105796);
/// assert_eq!(guild.to_string(), "175928847299117063");
/// ```
pub struct Id<K> {
    value: u64,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// The id `value`; any number is one.
    pub const fn new(value: u64) -> Self {
        Self { value, kind: PhantomData }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.value
    }

    /// When the thing was made, in milliseconds of Unix time. Ids below 2²² give Discord's epoch,
    /// the first moment of 2015.
    pub const fn timestamp_ms(self) -> u64 {
        (self.value >> 22) + DISCORD_EPOCH_MS
    }

    /// The same number as the id of another kind, for the ids that Discord shares: a thread has
    /// the id of its message, the role @everyone that of its guild.
    pub const fn cast<L>(self) -> Id<L> {
        Id::new(self.value)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<K> From<u64> for Id<K> {
    fn from(value: u64) -> Self {
        Self::new(value)
    }
}

impl<'a, K: 'a> Decode<'a> for Id<K> {
    const ABSENT: Self = Self::new(0);
    #[inline]
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        decimal(cursor).map(Self::new).ok_or(Expected::Snowflake)
    }
    fn is_absent(&self) -> bool {
        self.value == 0
    }
    fn shape() -> Shape {
        Shape::Snowflake
    }
}

impl<'a, K: 'a> MapKey<'a> for Id<K> {
    const ABSENT: Self = Self::new(0);
    fn read(text: &'a str) -> Result<Self, Expected> {
        parse(text.as_bytes()).map(Self::new).ok_or(Expected::Snowflake)
    }
}

/// A decimal string, as Discord writes it.
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An unsigned number that may stand in a string: ids and permission bits.
#[inline]
pub(super) fn decimal(cursor: &mut Cursor<'_>) -> Option<u64> {
    match cursor.decimal() {
        Decimal::Digits(digits) => parse(digits),
        Decimal::Value(value) => Some(value),
        Decimal::Neither => None,
    }
}

/// The number that 1 to 20 decimal digits write, if it fits 64 bits.
fn parse(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    let mut value = 0u64;
    let mut rest = digits;
    while let Some((eight, after)) = rest.split_first_chunk() {
        value = value * 100_000_000 + parse_eight(u64::from_le_bytes(*eight))?;
        rest = after;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Eight ASCII digits at once, the first in the lowest byte.
#[inline]
fn parse_eight(word: u64) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    let is_digits =
        word & HIGH == ZEROS && word.wrapping_add(0x0606_0606_0606_0606) & HIGH == ZEROS;
    if !is_digits {
        return None;
    }
    // Pairs, then fours, then all eight: three multiplications instead of eight.
    let pairs = (word & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(2561) >> 8;
    let fours = (pairs & 0x00FF_00FF_00FF_00FF).wrapping_mul(6_553_601) >> 16;
    Some((fours & 0x0000_FFFF_0000_FFFF).wrapping_mul(42_949_672_960_001) >> 32)
}

macro_rules! ids {
    ($($alias:ident $kind:ident $what:literal;)*) => {
        /// What an [`Id`] can be the id of. These types have no values.
        pub mod kind {
            $(
                #[doc = concat!("The id is that of ", $what, ".")]
                #[derive(Debug)]
                pub enum $kind {}
            )*
        }
        $(#[doc = concat!("The id of ", $what, ".")] pub type $alias = Id<kind::$kind>;)*
    };
}

ids! {
    ApplicationId Application "an application";
    AuditLogEntryId AuditLogEntry "an entry of an audit log";
    AutoModerationRuleId AutoModerationRule "a rule of auto moderation";
    AttachmentId Attachment "an attachment";
    ChannelId Channel "a channel or thread";
    CommandId Command "an application command";
    CommandVersionId CommandVersion "a version of an application command";
    EmojiId Emoji "a custom emoji";
    EntitlementId Entitlement "an entitlement";
    ForumTagId ForumTag "a tag of a forum";
    GenericId Generic "a thing of which only another field tells the kind";
    GuildId Guild "a guild";
    IntegrationId Integration "an integration";
    InteractionId Interaction "an interaction";
    MessageId Message "a message";
    PromptId Prompt "a prompt of the onboarding, or one of its options";
    RoleId Role "a role";
    ScheduledEventId ScheduledEvent "a scheduled event of a guild";
    SkuId Sku "a SKU";
    SoundId Sound "a sound of a soundboard";
    StageId Stage "a stage";
    StickerId Sticker "a sticker";
    StickerPackId StickerPack "a pack of stickers";
    SubscriptionId Subscription "a subscription";
    SubscriptionPlanId SubscriptionPlan "a plan of a subscription";
    TeamId Team "a team";
    UserId User "a user";
    WebhookId Webhook "a webhook";
}

/// The first moment of 2015, from which snowflakes count, in milliseconds of Unix time.
const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_exactly_up_to_64_bits() {
        for value in
            [0, 7, 99, 12345678, 123456789, 175928847299117063, 9999999999999999999, u64::MAX]
        {
            assert_eq!(parse(value.to_string().as_bytes()), Some(value));
        }
        assert_eq!(parse(b"00000000000000000007"), Some(7));
        for text in ["", "18446744073709551616", "99999999999999999999", "-1", "+1", " 1", "1 "] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_byte_that_is_no_digit_is_seen_in_every_place() {
        for at in 0..19 {
            for byte in 0..=255u8 {
                let mut digits = *b"9123456789012345678";
                digits[at] = byte;
                assert_eq!(parse(&digits).is_some(), byte.is_ascii_digit(), "{at} {byte}");
            }
        }
    }
}

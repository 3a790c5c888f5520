//! Discord's objects and events as data: ids, flags, enumerations, structs. No behaviour.
//!
//! Everything borrows the payload or its arena, is `Copy`, and is gone when the handler returns;
//! what shall stay is copied out by the user. A struct is written once, by the `model!` macro,
//! which makes its decoder too; an event stands once in the table of `event.rs`, from which
//! everything else about events is derived. This room never does I/O and knows no shard.
//!
//! # Missing, null and value
//! What Discord's documents (events section 1) call optional and nullable is shown by the type:
//!
//! | documents | type here | reads as |
//! |---|---|---|
//! | always there | `T` | the value, or the empty one (`0`, `""`, `false`) if it is missing after all |
//! | optional, or nullable | `Option<T>` | `None` when missing, `None` when null |
//! | optional and nullable | [`Field<T>`] | three states, since a missing key and null differ in meaning |
//! | list, always there or optional | `&[T]` | empty when missing |
//! | list of a partial object ([`MessageUpdate`]) | `Option<&[T]>` | `None` when missing |
//!
//! Where the documents say what a missing key means (a message's `flags`: none; a reference's
//! `type`: `DEFAULT`), the type is plain and holds that. Keys that only HTTP answers carry, such
//! as a guild's `approximate_member_count`, have no field.
//!
//! Discord leaves out keys that its documents call required, so only the key that names an object
//! (mostly its `id`) is demanded; without it the object is not read, and an event whose own
//! object lacks it arrives as [`Event::Untyped`]. A value of another type than documented leaves
//! its field missing and is counted ([`Notes`](crate::decode::Notes)). Unknown keys are stepped
//! over; unknown enumeration values and unknown flag bits stay as they came.

#[macro_use]
mod macros;

mod embed;
mod emoji;
mod event;
mod field;
mod guild;
mod id;
mod message;
mod poll;
mod presence;
mod session;
mod time;
mod user;

pub use embed::{
    Attachment, AttachmentFlags, Embed, EmbedAuthor, EmbedField, EmbedFlags, EmbedFooter,
    EmbedMedia, EmbedMediaFlags, EmbedProvider, EmbedType,
};
pub use emoji::{
    Emoji, MessageReactionAdd, Reaction, ReactionCountDetails, ReactionType, Sticker,
    StickerFormatType, StickerItem, StickerType,
};
pub use event::{Event, EventKind, EventSet, Raw, Undecoded, Untyped};
pub use field::Field;
pub use guild::{
    DefaultMessageNotificationLevel, ExplicitContentFilterLevel, GuildAgeRestrictionLevel,
    GuildCreate, GuildFeature, Member, MemberFlags, MfaLevel, Permissions, PremiumTier,
    SystemChannelFlags, UnavailableGuild, VerificationLevel,
};
pub use id::{
    ApplicationId, AttachmentId, ChannelId, EmojiId, GuildId, Id, InteractionId, MessageId, RoleId,
    SkuId, StickerId, StickerPackId, UserId, WebhookId, kind,
};
pub use message::{
    ChannelMention, ChannelType, InteractionMetadata, InteractionType, Message, MessageActivity,
    MessageActivityType, MessageCall, MessageDelete, MessageFlags, MessageInteraction,
    MessageReference, MessageReferenceType, MessageSnapshot, MessageType, MessageUpdate, Nonce,
    RoleSubscriptionData, SharedClientTheme, SnapshotMessage, TypingStart,
};
pub use poll::{Poll, PollAnswer, PollAnswerCount, PollLayoutType, PollMedia, PollResults};
pub use presence::{
    Activity, ActivityAssets, ActivityEmoji, ActivityFlags, ActivityParty, ActivitySecrets,
    ActivityTimestamps, ActivityType, ClientStatus, PresenceUpdate, PresenceUser, Status,
    StatusDisplayType,
};
pub use session::{Hello, InvalidSession, Ready, ReadyApplication, Resumed, Secret};
pub use time::Timestamp;
pub use user::{
    AvatarDecorationData, Collectibles, Nameplate, PremiumType, User, UserFlags, UserPrimaryGuild,
};

//! Messages and what hangs on them ([Discord's page]; MESSAGE_CREATE, MESSAGE_DELETE,
//! MESSAGE_DELETE_BULK, TYPING_START).
//!
//! What changed of a message stands in `message_update.rs`, what it answers in
//! `message_interaction.rs`, what is written under it in `message_reaction.rs` and `poll.rs`.
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/message

use super::{
    Application, ApplicationId, Attachment, Channel, ChannelId, Component, Embed, Field, GuildId,
    InteractionMetadata, Member, MessageId, MessageInteraction, Poll, Reaction, Resolved, RoleId,
    SkuId, Sticker, StickerItem, Timestamp, User, UserId, WebhookId,
};
use crate::decode::{Cursor, Decode, Expected, Shape};
use serde::{Serialize, Serializer};

model! {
    /// MESSAGE_CREATE: a message.
    ///
    /// Without the MESSAGE_CONTENT intent `content`, `embeds`, `attachments` and `components` are
    /// empty and `poll` is missing, save in the bot's own messages, direct messages and mentions.
    pub struct Message<'a> demands id {
        /// Its id.
        pub id: MessageId,
        /// Where.
        pub channel_id: ChannelId,
        /// `None` in direct messages and for ephemeral ones.
        pub guild_id: Option<GuildId>,
        /// Who; for a webhook's message its id, name and avatar.
        pub author: User<'a>,
        /// Who, as a member without `user`; `None` outside guilds and for webhooks.
        pub member: Option<Member<'a>>,
        /// What it says.
        pub content: &'a str,
        /// When.
        pub timestamp: Timestamp<'a>,
        /// When last edited.
        pub edited_timestamp: Option<Timestamp<'a>> | null,
        /// Whether it was read aloud.
        pub tts: bool,
        /// Whether it mentions everyone.
        pub mention_everyone: bool,
        /// Users it mentions; in guilds each with its `member`.
        pub mentions: &'a [User<'a>],
        /// Roles it mentions.
        pub mention_roles: &'a [RoleId],
        /// Channels it mentions; crossposted messages only.
        pub mention_channels: &'a [ChannelMention<'a>] | missing,
        /// Its files.
        pub attachments: &'a [Attachment<'a>],
        /// Its boxes.
        pub embeds: &'a [Embed<'a>],
        /// Its reactions.
        pub reactions: &'a [Reaction<'a>] | missing,
        /// What the sender marked it with.
        pub nonce: Option<Nonce<'a>>,
        /// Whether it is pinned.
        pub pinned: bool,
        /// The webhook that wrote it.
        pub webhook_id: Option<WebhookId>,
        /// Its sort.
        pub kind: MessageType = "type",
        /// The sort of its channel.
        pub channel_type: Option<ChannelType>,
        /// An invitation to a game.
        pub activity: Option<MessageActivity<'a>>,
        /// The application of such an invitation.
        pub application: Option<&'a Application<'a>>,
        /// The application that answers an interaction or owns the webhook.
        pub application_id: Option<ApplicationId>,
        /// What it is.
        pub flags: MessageFlags | missing,
        /// The message it answers, forwards or tells of.
        pub message_reference: Option<MessageReference>,
        /// What it forwards.
        pub message_snapshots: &'a [MessageSnapshot<'a>] | missing,
        /// The message it answers: missing if Discord did not look, null if it was deleted.
        pub referenced_message: Field<&'a Message<'a>>,
        /// The interaction it answers.
        pub interaction_metadata: Option<InteractionMetadata<'a>>,
        /// The same; deprecated.
        pub interaction: Option<&'a MessageInteraction<'a>>,
        /// The thread that began with it.
        pub thread: Option<&'a Channel<'a>>,
        /// Its buttons and the like.
        pub components: &'a [Component<'a>] | missing,
        /// Its stickers.
        pub sticker_items: &'a [StickerItem<'a>] | missing,
        /// Its stickers in full; deprecated.
        pub stickers: &'a [Sticker<'a>] | missing,
        /// About where it stands in a thread; gaps and doubles occur.
        pub position: Option<u64>,
        /// The subscription it tells of.
        pub role_subscription_data: Option<&'a RoleSubscriptionData<'a>>,
        /// What its select menus name.
        pub resolved: Option<&'a Resolved<'a>>,
        /// Its poll.
        pub poll: Option<&'a Poll<'a>>,
        /// The call it tells of.
        pub call: Option<&'a MessageCall<'a>>,
        /// The theme it shows.
        pub shared_client_theme: Option<&'a SharedClientTheme<'a>>,
    }
}

model! {
    /// MESSAGE_DELETE: a message is gone.
    pub struct MessageDelete demands id {
        /// Its id.
        pub id: MessageId,
        /// Where it was.
        pub channel_id: ChannelId,
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
    }
}

model! {
    /// MESSAGE_DELETE_BULK: several messages are gone.
    pub struct MessageDeleteBulk<'a> demands ids {
        /// Their ids.
        pub ids: &'a [MessageId],
        /// Where they were.
        pub channel_id: ChannelId,
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
    }
}

model! {
    /// TYPING_START: somebody types.
    pub struct TypingStart<'a> demands channel_id {
        /// Where.
        pub channel_id: ChannelId,
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
        /// Who.
        pub user_id: UserId,
        /// Since when, in seconds of Unix time.
        pub timestamp_s: i64 = "timestamp",
        /// Who, as a member; `None` in direct messages.
        pub member: Option<Member<'a>>,
    }
}

model! {
    /// An invitation to a game.
    pub struct MessageActivity<'a> {
        /// To do what.
        pub kind: MessageActivityType = "type",
        /// The party.
        pub party_id: Option<&'a str>,
    }
}

model! {
    /// A call that a message tells of.
    pub struct MessageCall<'a> {
        /// Who took part.
        pub participants: &'a [UserId],
        /// When it ended.
        pub ended_timestamp: Field<Timestamp<'a>>,
    }
}

model! {
    /// The message that another answers, forwards or tells of.
    pub struct MessageReference {
        /// Why; missing means [`MessageReferenceType::DEFAULT`].
        pub kind: MessageReferenceType = "type" | missing,
        /// Which message.
        pub message_id: Option<MessageId>,
        /// Where.
        pub channel_id: Option<ChannelId>,
        /// In which guild.
        pub guild_id: Option<GuildId>,
    }
    omits { "fail_if_not_exists": "only sent by clients" }
}

model! {
    /// A message as it was when it was forwarded.
    pub struct MessageSnapshot<'a> {
        /// As much of it as a forward carries.
        pub message: SnapshotMessage<'a>,
    }
}

model! {
    /// As much of a message as a forward carries: no author, no place.
    pub struct SnapshotMessage<'a> {
        /// Its sort.
        pub kind: MessageType = "type",
        /// What it says.
        pub content: &'a str,
        /// Its boxes.
        pub embeds: &'a [Embed<'a>],
        /// Its files.
        pub attachments: &'a [Attachment<'a>],
        /// When.
        pub timestamp: Timestamp<'a>,
        /// When last edited.
        pub edited_timestamp: Option<Timestamp<'a>> | null,
        /// What it is.
        pub flags: MessageFlags,
        /// Users it mentions.
        pub mentions: &'a [User<'a>],
        /// Roles it mentions.
        pub mention_roles: &'a [RoleId],
        /// Its stickers in full; deprecated.
        pub stickers: &'a [Sticker<'a>] | missing,
        /// Its stickers.
        pub sticker_items: &'a [StickerItem<'a>] | missing,
        /// Its buttons and the like.
        pub components: &'a [Component<'a>],
    }
}

model! {
    /// A channel that a crossposted message mentions.
    pub struct ChannelMention<'a> demands id {
        /// Its id.
        pub id: ChannelId,
        /// Its guild.
        pub guild_id: GuildId,
        /// Its sort.
        pub kind: ChannelType = "type",
        /// Its name.
        pub name: &'a str,
    }
}

model! {
    /// A subscription to a role that a message tells of.
    pub struct RoleSubscriptionData<'a> {
        /// What was subscribed to.
        pub role_subscription_listing_id: SkuId,
        /// The tier's name.
        pub tier_name: &'a str,
        /// For how many months in all.
        pub total_months_subscribed: u64,
        /// False for a new one.
        pub is_renewal: bool,
    }
}

model! {
    /// A client's theme that a message shows.
    pub struct SharedClientTheme<'a> {
        /// At most 5, in hexadecimal.
        pub colors: &'a [&'a str],
        /// In degrees, at most 360.
        pub gradient_angle: u32,
        /// In hundredths, at most 100.
        pub base_mix: u32,
        /// What it is mixed with.
        pub base_theme: Field<BaseThemeType>,
    }
}

/// What a sender marked its message with: Discord passes on a number as a number and a string as
/// a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nonce<'a> {
    /// It was a number.
    Integer(i64),
    /// It was a string.
    String(&'a str),
}

impl<'a> Decode<'a> for Nonce<'a> {
    const ABSENT: Self = Self::Integer(0);
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        match cursor.json().as_str() {
            Some(text) => {
                cursor.skip();
                Ok(Self::String(text))
            }
            None => i64::decode(cursor).map(Self::Integer),
        }
    }
    fn is_absent(&self) -> bool {
        matches!(self, Self::Integer(0))
    }
    fn shape() -> Shape {
        Shape::IntegerOrString
    }
}

/// As it came.
impl Serialize for Nonce<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::String(text) => serializer.serialize_str(text),
        }
    }
}

wire_enum! {
    /// The sort of a message.
    pub struct MessageType(u32) {
        DEFAULT = 0, RECIPIENT_ADD = 1, RECIPIENT_REMOVE = 2, CALL = 3, CHANNEL_NAME_CHANGE = 4,
        CHANNEL_ICON_CHANGE = 5, CHANNEL_PINNED_MESSAGE = 6, USER_JOIN = 7, GUILD_BOOST = 8,
        GUILD_BOOST_TIER_1 = 9, GUILD_BOOST_TIER_2 = 10, GUILD_BOOST_TIER_3 = 11,
        CHANNEL_FOLLOW_ADD = 12, GUILD_DISCOVERY_DISQUALIFIED = 14,
        GUILD_DISCOVERY_REQUALIFIED = 15, GUILD_DISCOVERY_GRACE_PERIOD_INITIAL_WARNING = 16,
        GUILD_DISCOVERY_GRACE_PERIOD_FINAL_WARNING = 17, THREAD_CREATED = 18, REPLY = 19,
        CHAT_INPUT_COMMAND = 20, THREAD_STARTER_MESSAGE = 21, GUILD_INVITE_REMINDER = 22,
        CONTEXT_MENU_COMMAND = 23, AUTO_MODERATION_ACTION = 24, ROLE_SUBSCRIPTION_PURCHASE = 25,
        INTERACTION_PREMIUM_UPSELL = 26, STAGE_START = 27, STAGE_END = 28, STAGE_SPEAKER = 29,
        STAGE_TOPIC = 31, GUILD_APPLICATION_PREMIUM_SUBSCRIPTION = 32,
        GUILD_INCIDENT_ALERT_MODE_ENABLED = 36, GUILD_INCIDENT_ALERT_MODE_DISABLED = 37,
        GUILD_INCIDENT_REPORT_RAID = 38, GUILD_INCIDENT_REPORT_FALSE_ALARM = 39,
        PURCHASE_NOTIFICATION = 44, POLL_RESULT = 46,
    }
}

wire_enum! {
    /// The sort of a channel.
    pub struct ChannelType(u32) {
        GUILD_TEXT = 0, DM = 1, GUILD_VOICE = 2, GROUP_DM = 3, GUILD_CATEGORY = 4,
        GUILD_ANNOUNCEMENT = 5, ANNOUNCEMENT_THREAD = 10, PUBLIC_THREAD = 11,
        PRIVATE_THREAD = 12, GUILD_STAGE_VOICE = 13, GUILD_DIRECTORY = 14, GUILD_FORUM = 15,
        GUILD_MEDIA = 16,
    }
}

wire_enum! {
    /// What an invitation to a game is to.
    pub struct MessageActivityType(u32) {
        JOIN = 1, SPECTATE = 2, LISTEN = 3, JOIN_REQUEST = 5, STREAM_REQUEST = 6,
    }
}

wire_enum! {
    /// What a client's theme is mixed with.
    pub struct BaseThemeType(u32) { UNSET = 0, DARK = 1, LIGHT = 2, DARKER = 3, MIDNIGHT = 4 }
}

wire_enum! {
    /// Why a message refers to another.
    pub struct MessageReferenceType(u32) { DEFAULT = 0, FORWARD = 1 }
}

flags! {
    /// What a message is.
    pub struct MessageFlags {
        CROSSPOSTED = 0, IS_CROSSPOST = 1, SUPPRESS_EMBEDS = 2, SOURCE_MESSAGE_DELETED = 3,
        URGENT = 4, HAS_THREAD = 5, EPHEMERAL = 6, LOADING = 7,
        FAILED_TO_MENTION_SOME_ROLES_IN_THREAD = 8, SUPPRESS_NOTIFICATIONS = 12,
        IS_VOICE_MESSAGE = 13, HAS_SNAPSHOT = 14, IS_COMPONENTS_V2 = 15,
    }
}

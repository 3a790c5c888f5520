//! MESSAGE_UPDATE: what of a message changed ([Discord's page]).
//!
//! [Discord's page]: https://discord.com/developers/docs/events/gateway-events#message-update

use super::{
    Application, ApplicationId, Attachment, Channel, ChannelId, ChannelMention, ChannelType,
    Component, Embed, Field, GuildId, InteractionMetadata, Member, Message, MessageActivity,
    MessageCall, MessageFlags, MessageId, MessageInteraction, MessageReference, MessageSnapshot,
    MessageType, Nonce, Poll, Reaction, Resolved, RoleId, RoleSubscriptionData, SharedClientTheme,
    Sticker, StickerItem, Timestamp, User, WebhookId,
};

model! {
    /// MESSAGE_UPDATE: what of a message changed.
    ///
    /// Discord sends the message whole by now; servers that send parts are borne: everything but
    /// the id may be missing, and missing means that nothing was said about it.
    pub struct MessageUpdate<'a> demands id {
        /// Its id.
        pub id: MessageId,
        /// Where.
        pub channel_id: ChannelId,
        /// `None` in direct messages and for ephemeral ones.
        pub guild_id: Option<GuildId>,
        /// Who.
        pub author: Option<User<'a>>,
        /// Who, as a member without `user`.
        pub member: Option<Member<'a>>,
        /// What it says.
        pub content: Option<&'a str>,
        /// When.
        pub timestamp: Option<Timestamp<'a>>,
        /// When last edited; null when never, as when Discord only added embeds.
        pub edited_timestamp: Field<Timestamp<'a>>,
        /// Always false where it is there.
        pub tts: Option<bool>,
        /// Whether it mentions everyone.
        pub mention_everyone: Option<bool>,
        /// Users it mentions; in guilds each with its `member`.
        pub mentions: Option<&'a [User<'a>]>,
        /// Roles it mentions.
        pub mention_roles: Option<&'a [RoleId]>,
        /// Channels it mentions; crossposted messages only.
        pub mention_channels: Option<&'a [ChannelMention<'a>]>,
        /// Its files.
        pub attachments: Option<&'a [Attachment<'a>]>,
        /// Its boxes.
        pub embeds: Option<&'a [Embed<'a>]>,
        /// Its reactions.
        pub reactions: Option<&'a [Reaction<'a>]>,
        /// What the sender marked it with.
        pub nonce: Option<Nonce<'a>>,
        /// Whether it is pinned.
        pub pinned: Option<bool>,
        /// The webhook that wrote it.
        pub webhook_id: Option<WebhookId>,
        /// Its sort.
        pub kind: Option<MessageType> = "type",
        /// The sort of its channel.
        pub channel_type: Option<ChannelType>,
        /// An invitation to a game.
        pub activity: Option<MessageActivity<'a>>,
        /// The application of such an invitation.
        pub application: Option<&'a Application<'a>>,
        /// The application that answers an interaction or owns the webhook.
        pub application_id: Option<ApplicationId>,
        /// What it is.
        pub flags: Option<MessageFlags>,
        /// The message it answers, forwards or tells of.
        pub message_reference: Option<MessageReference>,
        /// What it forwards.
        pub message_snapshots: Option<&'a [MessageSnapshot<'a>]>,
        /// The message it answers: missing if Discord did not look, null if it was deleted.
        pub referenced_message: Field<&'a Message<'a>>,
        /// The interaction it answers.
        pub interaction_metadata: Option<InteractionMetadata<'a>>,
        /// The same; deprecated.
        pub interaction: Option<&'a MessageInteraction<'a>>,
        /// The thread that began with it.
        pub thread: Option<&'a Channel<'a>>,
        /// Its buttons and the like.
        pub components: Option<&'a [Component<'a>]>,
        /// Its stickers.
        pub sticker_items: Option<&'a [StickerItem<'a>]>,
        /// Its stickers in full; deprecated.
        pub stickers: Option<&'a [Sticker<'a>]>,
        /// About where it stands in a thread.
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

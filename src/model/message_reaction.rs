//! Reactions to messages ([Discord's page]; MESSAGE_REACTION_*).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/message#reaction-object

use super::{ChannelId, Emoji, GuildId, Member, MessageId, UserId};

model! {
    /// The reactions to a message with one emoji.
    pub struct Reaction<'a> {
        /// All of them, super reactions too.
        pub count: u64,
        /// Super and normal ones apart.
        pub count_details: Option<ReactionCountDetails>,
        /// Whether the bot reacted so.
        pub me: bool,
        /// Whether the bot super-reacted so.
        pub me_burst: bool,
        /// The emoji; only `id`, `name` and `animated` are set.
        pub emoji: Emoji<'a>,
        /// Colours of the super reaction, `#rrggbb`.
        pub burst_colors: &'a [&'a str],
    }
}

model! {
    /// How many reactions of either sort.
    pub struct ReactionCountDetails {
        /// Super reactions.
        pub burst: u64,
        /// Normal reactions.
        pub normal: u64,
    }
}

model! {
    /// MESSAGE_REACTION_ADD: somebody reacted to a message.
    pub struct MessageReactionAdd<'a> demands message_id {
        /// Who.
        pub user_id: UserId,
        /// Where.
        pub channel_id: ChannelId,
        /// To which message.
        pub message_id: MessageId,
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
        /// Who, as a member; `None` in direct messages.
        pub member: Option<Member<'a>>,
        /// With what; only `id`, `name` and `animated` are set.
        pub emoji: Emoji<'a>,
        /// Who wrote the message.
        pub message_author_id: Option<UserId>,
        /// Whether it is a super reaction.
        pub burst: bool,
        /// Colours of the super reaction, `#rrggbb`.
        pub burst_colors: &'a [&'a str] | missing,
        /// Normal or super.
        pub kind: ReactionType = "type",
    }
}

model! {
    /// MESSAGE_REACTION_REMOVE: somebody took a reaction back, or it was taken.
    pub struct MessageReactionRemove<'a> demands message_id {
        /// Whose reaction.
        pub user_id: UserId,
        /// Where.
        pub channel_id: ChannelId,
        /// To which message.
        pub message_id: MessageId,
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
        /// With what; only `id`, `name` and `animated` are set.
        pub emoji: Emoji<'a>,
        /// Whether it was a super reaction.
        pub burst: bool,
        /// Normal or super.
        pub kind: ReactionType = "type",
    }
}

model! {
    /// MESSAGE_REACTION_REMOVE_ALL: all reactions to a message were removed.
    pub struct MessageReactionRemoveAll demands message_id {
        /// Where.
        pub channel_id: ChannelId,
        /// To which message.
        pub message_id: MessageId,
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
    }
}

model! {
    /// MESSAGE_REACTION_REMOVE_EMOJI: all reactions to a message with one emoji were removed.
    pub struct MessageReactionRemoveEmoji<'a> demands message_id {
        /// Where.
        pub channel_id: ChannelId,
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
        /// To which message.
        pub message_id: MessageId,
        /// With what; only `id`, `name` and `animated` are set.
        pub emoji: Emoji<'a>,
    }
}

wire_enum! {
    /// Normal or super.
    pub struct ReactionType(u32) { NORMAL = 0, BURST = 1 }
}

//! Emoji, reactions and stickers (events section 5, Emoji, Stickers; MESSAGE_REACTION_ADD).

use super::{
    ChannelId, EmojiId, GuildId, Member, MessageId, RoleId, StickerId, StickerPackId, User, UserId,
};

model! {
    /// An emoji: custom if it has an id, else a Unicode one that is its name.
    pub struct Emoji<'a> {
        /// `None` for a Unicode emoji.
        pub id: Option<EmojiId>,
        /// `None` only in a reaction whose custom emoji is gone.
        pub name: Option<&'a str>,
        /// The roles that may use it; empty means all.
        pub roles: &'a [RoleId],
        /// Who made it.
        pub user: Option<&'a User<'a>>,
        /// Whether it must be wrapped in colons.
        pub require_colons: Option<bool>,
        /// Whether an integration manages it.
        pub managed: Option<bool>,
        /// Whether it moves.
        pub animated: Option<bool>,
        /// False after the guild lost the boosts for it.
        pub available: Option<bool>,
    }
}

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
        pub burst_colors: &'a [&'a str],
        /// Normal or super.
        pub kind: ReactionType = "type",
    }
}

model! {
    /// A sticker.
    pub struct Sticker<'a> demands id {
        /// Its id.
        pub id: StickerId,
        /// The pack of a standard sticker.
        pub pack_id: Option<StickerPackId>,
        /// Its name.
        pub name: &'a str,
        /// What it shows.
        pub description: Option<&'a str>,
        /// Words to find it by, mostly comma separated.
        pub tags: &'a str,
        /// Standard or of a guild.
        pub kind: StickerType = "type",
        /// The file's format.
        pub format_type: StickerFormatType,
        /// False after the guild lost the boosts for it.
        pub available: Option<bool>,
        /// The guild that owns it.
        pub guild_id: Option<GuildId>,
        /// Who made it.
        pub user: Option<&'a User<'a>>,
        /// Its place in the pack.
        pub sort_value: Option<u64>,
    }
}

model! {
    /// As much of a sticker as shows it.
    pub struct StickerItem<'a> demands id {
        /// Its id.
        pub id: StickerId,
        /// Its name.
        pub name: &'a str,
        /// The file's format.
        pub format_type: StickerFormatType,
    }
}

wire_enum! {
    /// Normal or super.
    pub struct ReactionType(u16) { NORMAL = 0, BURST = 1 }
}

wire_enum! {
    /// Standard or of a guild.
    pub struct StickerType(u16) { STANDARD = 1, GUILD = 2 }
}

wire_enum! {
    /// A sticker file's format.
    pub struct StickerFormatType(u16) { PNG = 1, APNG = 2, LOTTIE = 3, GIF = 4 }
}

//! Emoji and stickers ([Discord's page]).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/emoji

use super::{EmojiId, GuildId, RoleId, StickerId, StickerPackId, User};

model! {
    /// An emoji: custom if it has an id, else a Unicode one that is its name.
    pub struct Emoji<'a> {
        /// `None` for a Unicode emoji.
        pub id: Option<EmojiId> | null,
        /// `None` only in a reaction whose custom emoji is gone.
        pub name: Option<&'a str> | null,
        /// The roles that may use it; empty means all.
        pub roles: &'a [RoleId] | missing,
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
    /// A sticker.
    pub struct Sticker<'a> demands id {
        /// Its id.
        pub id: StickerId,
        /// The pack of a standard sticker.
        pub pack_id: Option<StickerPackId>,
        /// Its name.
        pub name: &'a str,
        /// What it shows.
        pub description: Option<&'a str> | null,
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
    /// Standard or of a guild.
    pub struct StickerType(u32) { STANDARD = 1, GUILD = 2 }
}

wire_enum! {
    /// A sticker file's format.
    pub struct StickerFormatType(u32) { PNG = 1, APNG = 2, LOTTIE = 3, GIF = 4 }
}

//! What a guild's emoji and stickers are now (GUILD_EMOJIS_UPDATE, GUILD_STICKERS_UPDATE).

use super::{Emoji, GuildId, Sticker};

model! {
    /// GUILD_EMOJIS_UPDATE: a guild's emoji changed.
    pub struct GuildEmojisUpdate<'a> demands guild_id {
        /// Which guild.
        pub guild_id: GuildId,
        /// All that it has now.
        pub emojis: &'a [Emoji<'a>],
    }
}

model! {
    /// GUILD_STICKERS_UPDATE: a guild's stickers changed.
    pub struct GuildStickersUpdate<'a> demands guild_id {
        /// Which guild.
        pub guild_id: GuildId,
        /// All that it has now.
        pub stickers: &'a [Sticker<'a>],
    }
}

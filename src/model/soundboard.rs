//! Soundboards ([Discord's page]; GUILD_SOUNDBOARD_*, SOUNDBOARD_SOUNDS).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/soundboard

use super::{EmojiId, GuildId, SoundId, User};

model! {
    /// GUILD_SOUNDBOARD_SOUND_CREATE, GUILD_SOUNDBOARD_SOUND_UPDATE: a sound of a soundboard.
    pub struct SoundboardSound<'a> demands sound_id {
        /// Its id.
        pub sound_id: SoundId,
        /// Its name.
        pub name: &'a str,
        /// How loud, from 0 to 1.
        pub volume: f64,
        /// A custom emoji.
        pub emoji_id: Option<EmojiId> | null,
        /// A Unicode emoji.
        pub emoji_name: Option<&'a str> | null,
        /// Its guild; `None` for those that every guild has.
        pub guild_id: Option<GuildId>,
        /// False after the guild lost the boosts for it.
        pub available: bool,
        /// Who made it.
        pub user: Option<&'a User<'a>>,
    }
}

model! {
    /// GUILD_SOUNDBOARD_SOUND_DELETE: a sound is gone.
    pub struct GuildSoundboardSoundDelete demands sound_id {
        /// The sound.
        pub sound_id: SoundId,
        /// Its guild.
        pub guild_id: GuildId,
    }
}

model! {
    /// GUILD_SOUNDBOARD_SOUNDS_UPDATE, SOUNDBOARD_SOUNDS: sounds of a guild, those that changed
    /// or, as the answer to a request, all of them.
    pub struct SoundboardSounds<'a> demands guild_id {
        /// Which guild.
        pub guild_id: GuildId,
        /// The sounds.
        pub soundboard_sounds: &'a [SoundboardSound<'a>],
    }
}

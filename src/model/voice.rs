//! Voice ([Discord's page]; VOICE_*). What a voice client needs to connect.
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/voice

use super::{ChannelId, Emoji, Field, GuildId, Member, Secret, SentId, Timestamp, UserId, kind};

model! {
    /// VOICE_STATE_UPDATE: somebody joined, left or moved in voice, or is heard otherwise.
    pub struct VoiceState<'a> demands user_id {
        /// Missing inside GUILD_CREATE; missing or null in calls.
        pub guild_id: Field<GuildId>,
        /// Where; `None` after leaving.
        pub channel_id: Option<ChannelId> | null,
        /// Who.
        pub user_id: UserId,
        /// Who, as a member.
        pub member: Option<&'a Member<'a>>,
        /// What a voice client names to connect.
        pub session_id: Secret<'a>,
        /// Whether the guild lets the member hear nothing.
        pub deaf: bool,
        /// Whether the guild lets nobody hear the member.
        pub mute: bool,
        /// Whether the user chose to hear nothing.
        pub self_deaf: bool,
        /// Whether the user chose not to be heard.
        pub self_mute: bool,
        /// Whether the user shows a screen.
        pub self_stream: Field<bool>,
        /// Whether the user's camera is on.
        pub self_video: bool,
        /// Whether the user may not speak on this stage.
        pub suppress: bool,
        /// Stages: since when the user asks to speak.
        pub request_to_speak_timestamp: Option<Timestamp<'a>> | null,
    }
}

model! {
    /// VOICE_SERVER_UPDATE: where a voice client connects. Comes after joining, and anew when the
    /// server changes.
    pub struct VoiceServerUpdate<'a> demands guild_id {
        /// What a voice client shows to connect.
        pub token: Secret<'a>,
        /// In which guild.
        pub guild_id: GuildId,
        /// Host and port, without a scheme. `None`: the server is gone; another event will name
        /// the next.
        pub endpoint: Option<&'a str> | null,
    }
}

model! {
    /// VOICE_CHANNEL_EFFECT_SEND: somebody sent an effect in the voice channel that the bot is in.
    pub struct VoiceChannelEffectSend<'a> demands channel_id {
        /// Where.
        pub channel_id: ChannelId,
        /// In which guild.
        pub guild_id: GuildId,
        /// Who.
        pub user_id: UserId,
        /// The emoji of a reaction, or of a sound.
        pub emoji: Field<&'a Emoji<'a>>,
        /// Which sort of animation.
        pub animation_type: Field<VoiceEffectAnimationType>,
        /// Which animation.
        pub animation_id: Option<u64>,
        /// Which sound; those that every guild has come as numbers.
        pub sound_id: Option<SentId<kind::Sound>>,
        /// How loud, from 0 to 1.
        pub sound_volume: Option<f64>,
    }
}

model! {
    /// VOICE_CHANNEL_START_TIME_UPDATE: a voice channel came into use or fell out of it.
    pub struct VoiceChannelStartTimeUpdate demands id {
        /// The channel.
        pub id: ChannelId,
        /// Its guild.
        pub guild_id: GuildId,
        /// Since when it is in use, in seconds of Unix time; null when it no longer is.
        pub voice_start_time_s: Field<i64> = "voice_start_time",
    }
}

model! {
    /// VOICE_CHANNEL_STATUS_UPDATE: a voice channel's status changed.
    pub struct VoiceChannelStatusUpdate<'a> demands id {
        /// The channel.
        pub id: ChannelId,
        /// Its guild.
        pub guild_id: GuildId,
        /// What it says now; `None` for nothing.
        pub status: Option<&'a str> | null,
    }
}

wire_enum! {
    /// The sort of animation of an effect.
    pub struct VoiceEffectAnimationType(u32) { PREMIUM = 0, BASIC = 1 }
}

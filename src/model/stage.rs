//! Stages ([Discord's page]; STAGE_INSTANCE_*).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/stage-instance

use super::{ChannelId, GuildId, ScheduledEventId, StageId};

model! {
    /// STAGE_INSTANCE_CREATE, STAGE_INSTANCE_UPDATE, STAGE_INSTANCE_DELETE: a stage that is on.
    pub struct StageInstance<'a> demands id {
        /// Its id.
        pub id: StageId,
        /// Its guild.
        pub guild_id: GuildId,
        /// Its channel.
        pub channel_id: ChannelId,
        /// What it is about, 1 to 120 characters.
        pub topic: &'a str,
        /// Who may listen.
        pub privacy_level: StagePrivacyLevel,
        /// Whether it cannot be discovered. Deprecated.
        pub discoverable_disabled: bool,
        /// The scheduled event that it is.
        pub guild_scheduled_event_id: Option<ScheduledEventId> | null,
    }
}

wire_enum! {
    /// Who may listen to a stage.
    pub struct StagePrivacyLevel(u32) { PUBLIC = 1, GUILD_ONLY = 2 }
}

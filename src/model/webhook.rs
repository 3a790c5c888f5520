//! Webhooks (WEBHOOKS_UPDATE).

use super::{ChannelId, GuildId};

model! {
    /// WEBHOOKS_UPDATE: a channel's webhooks changed. Which ones is to be asked over HTTP.
    pub struct WebhooksUpdate demands channel_id {
        /// In which guild.
        pub guild_id: GuildId,
        /// Where.
        pub channel_id: ChannelId,
    }
}

//! Integrations: what a guild is connected to ([Discord's page]; INTEGRATION_*).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/guild#integration-object

use super::{ApplicationId, Field, GuildId, IntegrationId, RoleId, SkuId, Timestamp, User};

model! {
    /// INTEGRATION_CREATE, INTEGRATION_UPDATE: a connection of a guild to another service or to an
    /// application.
    pub struct Integration<'a> demands id {
        /// Its id.
        pub id: IntegrationId,
        /// In which guild.
        pub guild_id: GuildId,
        /// Its application, where only that is told. The documents have it in their examples alone.
        pub application_id: Option<ApplicationId>,
        /// Its name.
        pub name: &'a str,
        /// To what: another service, or an application of Discord.
        pub kind: IntegrationType<'a> = "type",
        /// Whether it is on.
        pub enabled: bool,
        /// Whether it is brought up to date now. Like the next four and
        /// [`synced_at`](Self::synced_at), [`subscriber_count`](Self::subscriber_count) and
        /// [`revoked`](Self::revoked) missing for applications.
        pub syncing: Option<bool>,
        /// The role of the service's subscribers.
        pub role_id: Option<RoleId>,
        /// Whether the service's emotes are brought over (Twitch only).
        pub enable_emoticons: Option<bool>,
        /// What happens to those who are subscribers no more.
        pub expire_behavior: Option<IntegrationExpireBehavior>,
        /// How long before that happens, in days.
        pub expire_grace_period_days: Option<u64> = "expire_grace_period",
        /// Who made it; not told in events.
        pub user: Option<&'a User<'a>>,
        /// The account over there.
        pub account: IntegrationAccount<'a>,
        /// When it was last brought up to date.
        pub synced_at: Option<Timestamp<'a>>,
        /// How many subscribers it has.
        pub subscriber_count: Option<u64>,
        /// Whether it was taken back.
        pub revoked: Option<bool>,
        /// The application.
        pub application: Option<&'a IntegrationApplication<'a>>,
        /// What the application may do, as scopes of OAuth2.
        pub scopes: &'a [&'a str] | missing,
    }
}

model! {
    /// INTEGRATION_DELETE: an integration is gone.
    pub struct IntegrationDelete demands id {
        /// Its id.
        pub id: IntegrationId,
        /// In which guild.
        pub guild_id: GuildId,
        /// The application it was of.
        pub application_id: Option<ApplicationId>,
    }
}

model! {
    /// An account of another service.
    pub struct IntegrationAccount<'a> {
        /// Its id over there, which need not be a number.
        pub id: &'a str,
        /// Its name over there.
        pub name: &'a str,
    }
}

model! {
    /// An application as an integration shows it.
    pub struct IntegrationApplication<'a> demands id {
        /// Its id.
        pub id: ApplicationId,
        /// Its name.
        pub name: &'a str,
        /// The icon's hash.
        pub icon: Option<&'a str> | null,
        /// What it is about.
        pub description: &'a str,
        /// Its bot.
        pub bot: Option<&'a User<'a>>,
        /// As [`Application::kind`](super::Application::kind); only in Discord's HTTP
        /// specification, as the next two.
        pub kind: Field<u64> = "type",
        /// The hash of the image behind invitations to a game.
        pub cover_image: Option<&'a str>,
        /// What a game is sold as.
        pub primary_sku_id: Option<SkuId>,
    }
}

wire_enum! {
    /// To what an integration connects.
    pub struct IntegrationType<'a> {
        TWITCH = "twitch", YOUTUBE = "youtube", DISCORD = "discord",
        GUILD_SUBSCRIPTION = "guild_subscription",
    }
}

wire_enum! {
    /// What happens to those who are subscribers no more.
    pub struct IntegrationExpireBehavior(u32) { REMOVE_ROLE = 0, KICK = 1 }
}

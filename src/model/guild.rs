//! Guilds ([Discord's page]; GUILD_CREATE, GUILD_UPDATE, GUILD_DELETE).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/guild

use super::{
    ApplicationId, Channel, ChannelId, Emoji, EmojiId, Field, GuildId, GuildScheduledEvent, Member,
    PresenceUpdate, Role, SoundboardSound, StageInstance, Sticker, Timestamp, UserId, VoiceState,
};

model! {
    /// GUILD_DELETE, and the guilds of READY: a guild that is not there now, or no longer.
    pub struct UnavailableGuild demands id {
        /// Its id.
        pub id: GuildId,
        /// True: an outage. In GUILD_DELETE `None` means that the bot is no longer in the guild.
        pub unavailable: Option<bool>,
    }
}

impl UnavailableGuild {
    /// Whether a GUILD_DELETE says that the bot left or was removed, rather than an outage.
    pub fn is_removed(&self) -> bool {
        self.unavailable.is_none()
    }
}

extended! {
    /// GUILD_UPDATE: a guild as it is now.
    pub struct Guild<'a> demands id {
        /// Its id.
        pub id: GuildId,
        /// 2 to 100 characters.
        pub name: &'a str,
        /// The icon's hash.
        pub icon: Option<&'a str> | null,
        /// The hash of the image behind invitations.
        pub splash: Option<&'a str> | null,
        /// The hash of the image in discovery.
        pub discovery_splash: Option<&'a str> | null,
        /// Who owns it.
        pub owner_id: UserId,
        /// Deprecated; channels have their own.
        pub region: Field<&'a str>,
        /// Where the idle are moved.
        pub afk_channel_id: Option<ChannelId> | null,
        /// In seconds.
        pub afk_timeout_s: u64 = "afk_timeout",
        /// Whether the widget is on.
        pub widget_enabled: Option<bool>,
        /// Where the widget's invitation leads; null means there is none.
        pub widget_channel_id: Field<ChannelId>,
        /// Whom it trusts to write.
        pub verification_level: VerificationLevel,
        /// What members are told of.
        pub default_message_notifications: DefaultMessageNotificationLevel,
        /// Whose images are searched.
        pub explicit_content_filter: ExplicitContentFilterLevel,
        /// Its roles.
        pub roles: &'a [Role<'a>],
        /// Its emoji.
        pub emojis: &'a [Emoji<'a>],
        /// What it can do.
        pub features: &'a [GuildFeature<'a>],
        /// Whether moderators need two factors.
        pub mfa_level: MfaLevel,
        /// The application that made it.
        pub application_id: Option<ApplicationId> | null,
        /// Where Discord posts notices.
        pub system_channel_id: Option<ChannelId> | null,
        /// Which notices it does not.
        pub system_channel_flags: SystemChannelFlags,
        /// Where the rules stand.
        pub rules_channel_id: Option<ChannelId> | null,
        /// Null save for the largest guilds.
        pub max_presences: Field<u64>,
        /// How many members it can have.
        pub max_members: Option<u64>,
        /// The code of its own invitation.
        pub vanity_url_code: Option<&'a str> | null,
        /// What it is about.
        pub description: Option<&'a str> | null,
        /// The banner's hash.
        pub banner: Option<&'a str> | null,
        /// The level of its boosts.
        pub premium_tier: PremiumTier,
        /// The number of its boosts.
        pub premium_subscription_count: Option<u64>,
        /// A locale code.
        pub preferred_locale: &'a str,
        /// Where Discord posts news for moderators.
        pub public_updates_channel_id: Option<ChannelId> | null,
        /// How many may show video.
        pub max_video_channel_users: Option<u64>,
        /// How many may watch a stage with video.
        pub max_stage_video_channel_users: Option<u64>,
        /// What newcomers see; Discord sends it only with invitations.
        pub welcome_screen: Option<&'a WelcomeScreen<'a>>,
        /// For which age it is.
        pub nsfw_level: GuildAgeRestrictionLevel,
        /// Its stickers.
        pub stickers: &'a [Sticker<'a>] | missing,
        /// Whether the bar of boosts is shown.
        pub premium_progress_bar_enabled: bool,
        /// Where Discord posts safety alerts.
        pub safety_alerts_channel_id: Option<ChannelId> | null,
        /// What is paused after a raid.
        pub incidents_data: Option<&'a IncidentsData<'a>> | null,
    }
    omits {
        "icon_hash": "only in templates, over HTTP",
        "owner": "only in a user's list of guilds, over HTTP",
        "permissions": "only in a user's list of guilds, over HTTP",
        "approximate_member_count": "only over HTTP",
        "approximate_presence_count": "only over HTTP",
    }

    /// GUILD_CREATE: a guild after READY, after an outage or after joining it.
    ///
    /// During an outage only `id` and `unavailable` are set. The largest of events: of a big guild
    /// some megabytes, all of which is read. Who wants little of it asks for
    /// [`Delivery::Raw`](crate::Delivery::Raw).
    pub struct GuildCreate<'a> demands id, with {
        /// True during an outage.
        pub unavailable: Option<bool>,
        /// When the bot joined.
        pub joined_at: Option<Timestamp<'a>>,
        /// Whether it has more members than `large_threshold`.
        pub large: bool,
        /// How many members it has.
        pub member_count: u64,
        /// Who is in voice; without `guild_id`.
        pub voice_states: &'a [VoiceState<'a>],
        /// All its members if it is not `large`, else some. Without the GUILD_PRESENCES intent, or
        /// above 75,000 members, only the bot and who is in voice.
        pub members: &'a [Member<'a>],
        /// Its channels; without `guild_id`.
        pub channels: &'a [Channel<'a>],
        /// Active threads that the bot can see.
        pub threads: &'a [Channel<'a>],
        /// Presences, without `guild_id`; of a `large` guild only of those who are there.
        pub presences: &'a [PresenceUpdate<'a>],
        /// Its stages.
        pub stage_instances: &'a [StageInstance<'a>],
        /// What is planned.
        pub guild_scheduled_events: &'a [GuildScheduledEvent<'a>],
        /// Its sounds.
        pub soundboard_sounds: &'a [SoundboardSound<'a>],
    }
}

model! {
    /// What is paused in a guild after a raid.
    pub struct IncidentsData<'a> {
        /// Until when there are no invitations.
        pub invites_disabled_until: Option<Timestamp<'a>> | null,
        /// Until when members cannot write to one another directly.
        pub dms_disabled_until: Option<Timestamp<'a>> | null,
        /// When unwanted direct messages were noticed.
        pub dm_spam_detected_at: Field<Timestamp<'a>>,
        /// When a raid was noticed.
        pub raid_detected_at: Field<Timestamp<'a>>,
    }
}

model! {
    /// What newcomers to a guild see.
    pub struct WelcomeScreen<'a> {
        /// What the guild is about.
        pub description: Option<&'a str> | null,
        /// Channels to look at, at most 5.
        pub welcome_channels: &'a [WelcomeScreenChannel<'a>],
    }
}

model! {
    /// A channel that newcomers are shown; at most one of its emoji is set.
    pub struct WelcomeScreenChannel<'a> demands channel_id {
        /// The channel.
        pub channel_id: ChannelId,
        /// What it is about.
        pub description: &'a str,
        /// A custom emoji.
        pub emoji_id: Option<EmojiId> | null,
        /// A Unicode emoji.
        pub emoji_name: Option<&'a str> | null,
    }
}

model! {
    /// GUILD_INTEGRATIONS_UPDATE: a guild's integrations changed.
    pub struct GuildIntegrationsUpdate demands guild_id {
        /// Which guild.
        pub guild_id: GuildId,
    }
}

wire_enum! {
    /// Whom a guild trusts to write.
    pub struct VerificationLevel(u32) { NONE = 0, LOW = 1, MEDIUM = 2, HIGH = 3, VERY_HIGH = 4 }
}

wire_enum! {
    /// What members are told of.
    pub struct DefaultMessageNotificationLevel(u32) { ALL_MESSAGES = 0, ONLY_MENTIONS = 1 }
}

wire_enum! {
    /// Whose images are searched.
    pub struct ExplicitContentFilterLevel(u32) {
        DISABLED = 0, MEMBERS_WITHOUT_ROLES = 1, ALL_MEMBERS = 2,
    }
}

wire_enum! {
    /// Whether moderators need two factors.
    pub struct MfaLevel(u32) { NONE = 0, ELEVATED = 1 }
}

wire_enum! {
    /// For which age a guild is.
    pub struct GuildAgeRestrictionLevel(u32) {
        DEFAULT = 0, EXPLICIT = 1, SAFE = 2, AGE_RESTRICTED = 3,
    }
}

wire_enum! {
    /// The level of a guild's boosts.
    pub struct PremiumTier(u32) { NONE = 0, TIER_1 = 1, TIER_2 = 2, TIER_3 = 3 }
}

wire_enum! {
    /// What a guild can do.
    pub struct GuildFeature<'a> {
        ANIMATED_BANNER = "ANIMATED_BANNER", ANIMATED_ICON = "ANIMATED_ICON",
        APPLICATION_COMMAND_PERMISSIONS_V2 = "APPLICATION_COMMAND_PERMISSIONS_V2",
        AUTO_MODERATION = "AUTO_MODERATION", BANNER = "BANNER", COMMUNITY = "COMMUNITY",
        CREATOR_MONETIZABLE_PROVISIONAL = "CREATOR_MONETIZABLE_PROVISIONAL",
        CREATOR_STORE_PAGE = "CREATOR_STORE_PAGE",
        DEVELOPER_SUPPORT_SERVER = "DEVELOPER_SUPPORT_SERVER", DISCOVERABLE = "DISCOVERABLE",
        FEATURABLE = "FEATURABLE", INVITES_DISABLED = "INVITES_DISABLED",
        INVITE_SPLASH = "INVITE_SPLASH",
        MEMBER_VERIFICATION_GATE_ENABLED = "MEMBER_VERIFICATION_GATE_ENABLED",
        MORE_SOUNDBOARD = "MORE_SOUNDBOARD", MORE_STICKERS = "MORE_STICKERS", NEWS = "NEWS",
        PARTNERED = "PARTNERED", PREVIEW_ENABLED = "PREVIEW_ENABLED",
        RAID_ALERTS_DISABLED = "RAID_ALERTS_DISABLED", ROLE_ICONS = "ROLE_ICONS",
        ROLE_SUBSCRIPTIONS_AVAILABLE_FOR_PURCHASE = "ROLE_SUBSCRIPTIONS_AVAILABLE_FOR_PURCHASE",
        ROLE_SUBSCRIPTIONS_ENABLED = "ROLE_SUBSCRIPTIONS_ENABLED", SOUNDBOARD = "SOUNDBOARD",
        TICKETED_EVENTS_ENABLED = "TICKETED_EVENTS_ENABLED", VANITY_URL = "VANITY_URL",
        VERIFIED = "VERIFIED", VIP_REGIONS = "VIP_REGIONS",
        WELCOME_SCREEN_ENABLED = "WELCOME_SCREEN_ENABLED", GUESTS_ENABLED = "GUESTS_ENABLED",
        GUILD_TAGS = "GUILD_TAGS", ENHANCED_ROLE_COLORS = "ENHANCED_ROLE_COLORS",
    }
}

flags! {
    /// Which notices a guild does not want.
    pub struct SystemChannelFlags {
        SUPPRESS_JOIN_NOTIFICATIONS = 0, SUPPRESS_PREMIUM_SUBSCRIPTIONS = 1,
        SUPPRESS_GUILD_REMINDER_NOTIFICATIONS = 2, SUPPRESS_JOIN_NOTIFICATION_REPLIES = 3,
        SUPPRESS_ROLE_SUBSCRIPTION_PURCHASE_NOTIFICATIONS = 4,
        SUPPRESS_ROLE_SUBSCRIPTION_PURCHASE_NOTIFICATION_REPLIES = 5,
    }
}

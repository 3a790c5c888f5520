//! Guilds and members (events section 5, Guilds; GUILD_CREATE, GUILD_DELETE).

use super::{
    ApplicationId, AvatarDecorationData, ChannelId, Collectibles, Field, GuildId, RoleId,
    Timestamp, User, UserId,
};
use crate::decode::Json;

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

model! {
    /// GUILD_CREATE: a guild after READY, after an outage or after joining it.
    ///
    /// During an outage only `id` and `unavailable` are set. The guild's own fields are read; its
    /// lists are left as they came: [`Json::len`] counts one at once, [`Json::iter`] walks it, and
    /// [`Json::read`] makes an element a typed value.
    pub struct GuildCreate<'a> demands id {
        /// Its id.
        pub id: GuildId,
        /// True during an outage.
        pub unavailable: Option<bool>,
        /// 2 to 100 characters.
        pub name: &'a str,
        /// The icon's hash.
        pub icon: Option<&'a str>,
        /// The hash of the image behind invitations.
        pub splash: Option<&'a str>,
        /// The hash of the image in discovery.
        pub discovery_splash: Option<&'a str>,
        /// Who owns it.
        pub owner_id: UserId,
        /// Deprecated; channels have their own.
        pub region: Field<&'a str>,
        /// Where the idle are moved.
        pub afk_channel_id: Option<ChannelId>,
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
        /// What it can do.
        pub features: &'a [GuildFeature<'a>],
        /// Whether moderators need two factors.
        pub mfa_level: MfaLevel,
        /// The application that made it.
        pub application_id: Option<ApplicationId>,
        /// Where Discord posts notices.
        pub system_channel_id: Option<ChannelId>,
        /// Which notices it does not.
        pub system_channel_flags: SystemChannelFlags,
        /// Where the rules stand.
        pub rules_channel_id: Option<ChannelId>,
        /// Null save for the largest guilds.
        pub max_presences: Field<u64>,
        /// How many members it can have.
        pub max_members: Option<u64>,
        /// The code of its own invitation.
        pub vanity_url_code: Option<&'a str>,
        /// What it is about.
        pub description: Option<&'a str>,
        /// The banner's hash.
        pub banner: Option<&'a str>,
        /// The level of its boosts.
        pub premium_tier: PremiumTier,
        /// The number of its boosts.
        pub premium_subscription_count: Option<u64>,
        /// A locale code.
        pub preferred_locale: &'a str,
        /// Where Discord posts news for moderators.
        pub public_updates_channel_id: Option<ChannelId>,
        /// How many may show video.
        pub max_video_channel_users: Option<u64>,
        /// How many may watch a stage with video.
        pub max_stage_video_channel_users: Option<u64>,
        /// For which age it is.
        pub nsfw_level: GuildAgeRestrictionLevel,
        /// Whether the bar of boosts is shown.
        pub premium_progress_bar_enabled: bool,
        /// Where Discord posts safety alerts.
        pub safety_alerts_channel_id: Option<ChannelId>,
        /// When the bot joined.
        pub joined_at: Option<Timestamp<'a>>,
        /// Whether it has more members than `large_threshold`.
        pub large: bool,
        /// How many members it has.
        pub member_count: u64,
        /// What is paused after a raid, as it came.
        pub incidents_data: Json<'a>,
        /// Its roles, as they came.
        pub roles: Json<'a>,
        /// Its emoji, as they came.
        pub emojis: Json<'a>,
        /// Its stickers, as they came.
        pub stickers: Json<'a>,
        /// Who is in voice, as it came.
        pub voice_states: Json<'a>,
        /// Members, as they came: some or all of them.
        pub members: Json<'a>,
        /// Its channels, as they came.
        pub channels: Json<'a>,
        /// Active threads that the bot can see, as they came.
        pub threads: Json<'a>,
        /// Presences, as they came.
        pub presences: Json<'a>,
        /// Its stages, as they came.
        pub stage_instances: Json<'a>,
        /// What is planned, as it came.
        pub guild_scheduled_events: Json<'a>,
        /// Its sounds, as they came.
        pub soundboard_sounds: Json<'a>,
    }
}

model! {
    /// A user in a guild.
    pub struct Member<'a> {
        /// Who; missing in messages, where the author is beside it.
        pub user: Option<&'a User<'a>>,
        /// The name here.
        pub nick: Field<&'a str>,
        /// The image's hash here.
        pub avatar: Field<&'a str>,
        /// The banner's hash here.
        pub banner: Field<&'a str>,
        /// The roles, without @everyone.
        pub roles: &'a [RoleId],
        /// Since when; `None` for guests.
        pub joined_at: Option<Timestamp<'a>>,
        /// Since when the member boosts the guild.
        pub premium_since: Field<Timestamp<'a>>,
        /// Whether the member hears nothing in voice.
        pub deaf: bool,
        /// Whether the member is not heard in voice.
        pub mute: bool,
        /// What the member is or did.
        pub flags: MemberFlags,
        /// Whether the member has yet to accept the rules.
        pub pending: Option<bool>,
        /// Only in interactions: what the member may do in the channel.
        pub permissions: Option<Permissions>,
        /// Until when the member may say nothing; null or past: now.
        pub communication_disabled_until: Field<Timestamp<'a>>,
        /// The decoration round the avatar.
        pub avatar_decoration_data: Field<&'a AvatarDecorationData<'a>>,
        /// What the member collected.
        pub collectibles: Field<&'a Collectibles<'a>>,
    }
}

wire_enum! {
    /// Whom a guild trusts to write.
    pub struct VerificationLevel(u16) { NONE = 0, LOW = 1, MEDIUM = 2, HIGH = 3, VERY_HIGH = 4 }
}

wire_enum! {
    /// What members are told of.
    pub struct DefaultMessageNotificationLevel(u16) { ALL_MESSAGES = 0, ONLY_MENTIONS = 1 }
}

wire_enum! {
    /// Whose images are searched.
    pub struct ExplicitContentFilterLevel(u16) {
        DISABLED = 0, MEMBERS_WITHOUT_ROLES = 1, ALL_MEMBERS = 2,
    }
}

wire_enum! {
    /// Whether moderators need two factors.
    pub struct MfaLevel(u16) { NONE = 0, ELEVATED = 1 }
}

wire_enum! {
    /// For which age a guild is.
    pub struct GuildAgeRestrictionLevel(u16) {
        DEFAULT = 0, EXPLICIT = 1, SAFE = 2, AGE_RESTRICTED = 3,
    }
}

wire_enum! {
    /// The level of a guild's boosts.
    pub struct PremiumTier(u16) { NONE = 0, TIER_1 = 1, TIER_2 = 2, TIER_3 = 3 }
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

flags! {
    /// What a member is or did.
    pub struct MemberFlags {
        DID_REJOIN = 0, COMPLETED_ONBOARDING = 1, BYPASSES_VERIFICATION = 2,
        STARTED_ONBOARDING = 3, IS_GUEST = 4, STARTED_HOME_ACTIONS = 5,
        COMPLETED_HOME_ACTIONS = 6, AUTOMOD_QUARANTINED_USERNAME = 7,
        DM_SETTINGS_UPSELL_ACKNOWLEDGED = 9, AUTOMOD_QUARANTINED_GUILD_TAG = 10,
    }
}

flags! {
    /// What a member or a role may do; on the wire a decimal string.
    pub struct Permissions as string {
        CREATE_INSTANT_INVITE = 0, KICK_MEMBERS = 1, BAN_MEMBERS = 2, ADMINISTRATOR = 3,
        MANAGE_CHANNELS = 4, MANAGE_GUILD = 5, ADD_REACTIONS = 6, VIEW_AUDIT_LOG = 7,
        PRIORITY_SPEAKER = 8, STREAM = 9, VIEW_CHANNEL = 10, SEND_MESSAGES = 11,
        SEND_TTS_MESSAGES = 12, MANAGE_MESSAGES = 13, EMBED_LINKS = 14, ATTACH_FILES = 15,
        READ_MESSAGE_HISTORY = 16, MENTION_EVERYONE = 17, USE_EXTERNAL_EMOJIS = 18,
        VIEW_GUILD_INSIGHTS = 19, CONNECT = 20, SPEAK = 21, MUTE_MEMBERS = 22,
        DEAFEN_MEMBERS = 23, MOVE_MEMBERS = 24, USE_VAD = 25, CHANGE_NICKNAME = 26,
        MANAGE_NICKNAMES = 27, MANAGE_ROLES = 28, MANAGE_WEBHOOKS = 29,
        MANAGE_GUILD_EXPRESSIONS = 30, USE_APPLICATION_COMMANDS = 31, REQUEST_TO_SPEAK = 32,
        MANAGE_EVENTS = 33, MANAGE_THREADS = 34, CREATE_PUBLIC_THREADS = 35,
        CREATE_PRIVATE_THREADS = 36, USE_EXTERNAL_STICKERS = 37, SEND_MESSAGES_IN_THREADS = 38,
        USE_EMBEDDED_ACTIVITIES = 39, MODERATE_MEMBERS = 40,
        VIEW_CREATOR_MONETIZATION_ANALYTICS = 41, USE_SOUNDBOARD = 42,
        CREATE_GUILD_EXPRESSIONS = 43, CREATE_EVENTS = 44, USE_EXTERNAL_SOUNDS = 45,
        SEND_VOICE_MESSAGES = 46, SET_VOICE_CHANNEL_STATUS = 48, SEND_POLLS = 49,
        USE_EXTERNAL_APPS = 50, PIN_MESSAGES = 51, BYPASS_SLOWMODE = 52,
    }
}

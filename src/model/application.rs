//! Applications, teams, entitlements and subscriptions ([Discord's page]; ENTITLEMENT_*,
//! SUBSCRIPTION_*).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/application

use super::{
    ApplicationId, EntitlementId, Field, GenericId, Guild, GuildId, PartialUser, Permissions,
    SkuId, SubscriptionId, TeamId, Timestamp, UserId,
};
use crate::decode::{Cursor, Decode, Expected, Map, MapKey, Shape};
use serde::{Serialize, Serializer};

model! {
    /// An application. No event holds one in full: of those in messages, attachments and
    /// invitations everything but the id may be missing.
    pub struct Application<'a> demands id {
        /// Its id.
        pub id: ApplicationId,
        /// Its name.
        pub name: Option<&'a str>,
        /// The icon's hash.
        pub icon: Field<&'a str>,
        /// What it is about.
        pub description: Option<&'a str>,
        /// Its sort, of which Discord tells no more than 4: a guild's subscriptions to roles.
        pub kind: Field<u64> = "type",
        /// Where its RPC may come from.
        pub rpc_origins: &'a [&'a str] | missing,
        /// False if only its owner may add it to guilds.
        pub bot_public: Option<bool>,
        /// Whether its bot joins only after the whole OAuth2 grant.
        pub bot_require_code_grant: Option<bool>,
        /// Its bot.
        pub bot: Option<&'a PartialUser<'a>>,
        /// Where its terms of service stand.
        pub terms_of_service_url: Option<&'a str>,
        /// Where it says what it does with data.
        pub privacy_policy_url: Option<&'a str>,
        /// Who owns it.
        pub owner: Option<&'a PartialUser<'a>>,
        /// The key with which interactions over HTTP are checked, in hexadecimal digits.
        pub verify_key: Option<&'a str>,
        /// The team that owns it; null if none does.
        pub team: Field<&'a Team<'a>>,
        /// The guild that belongs to it.
        pub guild_id: Option<GuildId>,
        /// That guild; little of it.
        pub guild: Option<&'a Guild<'a>>,
        /// What a game is sold as.
        pub primary_sku_id: Option<SkuId>,
        /// The last part of its page's address in the shop.
        pub slug: Option<&'a str>,
        /// The hash of the image behind invitations to a game.
        pub cover_image: Option<&'a str>,
        /// What it is and may read.
        pub flags: Option<ApplicationFlags>,
        /// The same, as Discord writes them from now on.
        pub flags_new: Option<ApplicationFlagsNew>,
        /// About how many guilds have it.
        pub approximate_guild_count: Option<u64>,
        /// About how many users have it.
        pub approximate_user_install_count: Option<u64>,
        /// About how many users gave it a grant of OAuth2.
        pub approximate_user_authorization_count: Option<u64>,
        /// How many may take part in it at once; -1 or null for any number.
        pub max_participants: Field<i64>,
        /// Where OAuth2 may lead back to.
        pub redirect_uris: &'a [&'a str] | missing,
        /// Where interactions are sent, instead of the gateway.
        pub interactions_endpoint_url: Field<&'a str>,
        /// Where linked roles are checked.
        pub role_connections_verification_url: Field<&'a str>,
        /// Where webhook events are sent.
        pub event_webhooks_url: Field<&'a str>,
        /// Whether they are.
        pub event_webhooks_status: Option<ApplicationEventWebhookStatus>,
        /// The names of the webhook events it wants.
        pub event_webhooks_types: &'a [&'a str] | missing,
        /// Words about it, at most 5.
        pub tags: &'a [&'a str] | missing,
        /// What it asks for when it is added.
        pub install_params: Option<&'a InstallParams<'a>>,
        /// The ways it can be added, and what it asks for in each.
        pub integration_types_config:
            Map<'a, ApplicationIntegrationType, ApplicationIntegrationTypeConfiguration<'a>>,
        /// Where it is added, if it has a page of its own for that.
        pub custom_install_url: Option<&'a str>,
    }
}

model! {
    /// How an application is added in one of the ways.
    pub struct ApplicationIntegrationTypeConfiguration<'a> {
        /// What it asks for then.
        pub oauth2_install_params: Option<&'a InstallParams<'a>>,
    }
}

model! {
    /// What an application asks for when it is added.
    pub struct InstallParams<'a> {
        /// The scopes of OAuth2.
        pub scopes: &'a [&'a str],
        /// What its role may do.
        pub permissions: Permissions,
    }
}

model! {
    /// A team, which owns applications.
    pub struct Team<'a> demands id {
        /// The icon's hash.
        pub icon: Option<&'a str> | null,
        /// Its id.
        pub id: TeamId,
        /// Who is in it.
        pub members: &'a [TeamMember<'a>],
        /// Its name.
        pub name: &'a str,
        /// Who owns it.
        pub owner_user_id: UserId,
    }
}

model! {
    /// A user in a team.
    pub struct TeamMember<'a> {
        /// Whether the user is in it yet.
        pub membership_state: TeamMembershipState,
        /// What the user may do, by an older scheme: `*` for all. Not documented any more.
        pub permissions: &'a [&'a str] | missing,
        /// The team.
        pub team_id: TeamId,
        /// Who; only the id, the names and the avatar are set.
        pub user: PartialUser<'a>,
        /// What the user may do. The owner's role is not told here but by
        /// [`owner_user_id`](Team::owner_user_id).
        pub role: TeamMemberRole<'a> | missing,
    }
}

model! {
    /// ENTITLEMENT_CREATE, ENTITLEMENT_UPDATE, ENTITLEMENT_DELETE: what a user or a guild has of
    /// an application. Also stands in interactions.
    pub struct Entitlement<'a> demands id {
        /// Its id.
        pub id: EntitlementId,
        /// What was bought or given.
        pub sku_id: SkuId,
        /// The application it is of.
        pub application_id: ApplicationId,
        /// Whose it is, if a user's.
        pub user_id: Option<UserId>,
        /// How it came about.
        pub kind: EntitlementType = "type",
        /// Whether it was taken away.
        pub deleted: bool,
        /// From when; `None` if it has always begun.
        pub starts_at: Option<Timestamp<'a>> | null,
        /// Until when; `None` for ever.
        pub ends_at: Option<Timestamp<'a>> | null,
        /// Whose it is, if a guild's. Null stands in Discord's HTTP specification.
        pub guild_id: Field<GuildId>,
        /// Whether it is used up, if it can be.
        pub consumed: Option<bool>,
        /// The subscription it is from. Not documented, but in Discord's examples, as the next two.
        pub subscription_id: Option<SubscriptionId>,
        /// The promotion it is from.
        pub promotion_id: Field<GenericId>,
        /// What a gift's code is, as bits.
        pub gift_code_flags: Option<u64>,
        /// When it was handed out; only in Discord's HTTP specification, as the next three.
        pub fulfilled_at: Field<Timestamp<'a>>,
        /// How far the handing out is; 0 unknown, 1 not needed, 2 needed, 3 done, 4 failed,
        /// 5 to 7 the same of taking it back.
        pub fulfillment_status: Field<u64>,
        /// Who gave it.
        pub gifter_user_id: Field<UserId>,
        /// The entitlement it came with.
        pub parent_id: Field<EntitlementId>,
    }
}

model! {
    /// SUBSCRIPTION_CREATE, SUBSCRIPTION_UPDATE, SUBSCRIPTION_DELETE: what a user pays for
    /// regularly. Its status says nothing about what the user has: entitlements do.
    pub struct Subscription<'a> demands id {
        /// Its id.
        pub id: SubscriptionId,
        /// Who pays.
        pub user_id: UserId,
        /// What for.
        pub sku_ids: &'a [SkuId],
        /// What the user has by it.
        pub entitlement_ids: &'a [EntitlementId],
        /// What the user will pay for from the next period on; `None` if that does not change.
        pub renewal_sku_ids: Option<&'a [SkuId]> | null,
        /// When the present period began.
        pub current_period_start: Timestamp<'a>,
        /// When it ends.
        pub current_period_end: Timestamp<'a>,
        /// How it stands.
        pub status: SubscriptionStatus,
        /// When it was given up.
        pub canceled_at: Option<Timestamp<'a>> | null,
        /// Where the user pays, by ISO 3166-1; told only to some applications. Null stands in
        /// Discord's HTTP specification.
        pub country: Field<&'a str>,
    }
}

/// [`ApplicationFlags`] in a decimal string, which can hold more bits than a number in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApplicationFlagsNew(pub ApplicationFlags);

impl<'a> Decode<'a> for ApplicationFlagsNew {
    const ABSENT: Self = Self(ApplicationFlags::ABSENT);
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        ApplicationFlags::decode(cursor).map(Self)
    }
    fn is_absent(&self) -> bool {
        self.0.is_absent()
    }
    const LEFT_OUT: bool = false;
    fn shape() -> Shape {
        ApplicationFlags::shape()
    }
}

impl Serialize for ApplicationFlagsNew {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.bits())
    }
}

/// Read from the decimal digits of its number.
impl<'a> MapKey<'a> for ApplicationIntegrationType {
    const ABSENT: Self = Self::new(0);
    fn read(text: &'a str) -> Result<Self, Expected> {
        text.parse().map(Self::new).map_err(|_| Expected::Integer)
    }
}

flags! {
    /// What an application is and may read.
    pub struct ApplicationFlags {
        APPLICATION_AUTO_MODERATION_RULE_CREATE_BADGE = 6, GATEWAY_PRESENCE = 12,
        GATEWAY_PRESENCE_LIMITED = 13, GATEWAY_GUILD_MEMBERS = 14,
        GATEWAY_GUILD_MEMBERS_LIMITED = 15, VERIFICATION_PENDING_GUILD_LIMIT = 16, EMBEDDED = 17,
        GATEWAY_MESSAGE_CONTENT = 18, GATEWAY_MESSAGE_CONTENT_LIMITED = 19,
        APPLICATION_COMMAND_BADGE = 23,
    }
}

wire_enum! {
    /// To whom an application is added: also the key of the maps that Discord keys so.
    pub struct ApplicationIntegrationType(u32) { GUILD_INSTALL = 0, USER_INSTALL = 1 }
}

wire_enum! {
    /// Whether webhook events are sent.
    pub struct ApplicationEventWebhookStatus(u32) {
        DISABLED = 1, ENABLED = 2, DISABLED_BY_DISCORD = 3,
    }
}

wire_enum! {
    /// Whether a user is in a team yet.
    pub struct TeamMembershipState(u32) { INVITED = 1, ACCEPTED = 2 }
}

wire_enum! {
    /// What a member of a team may do.
    pub struct TeamMemberRole<'a> {
        ADMIN = "admin", DEVELOPER = "developer", READ_ONLY = "read_only",
    }
}

wire_enum! {
    /// How an entitlement came about.
    pub struct EntitlementType(u32) {
        PURCHASE = 1, PREMIUM_SUBSCRIPTION = 2, DEVELOPER_GIFT = 3, TEST_MODE_PURCHASE = 4,
        FREE_PURCHASE = 5, USER_GIFT = 6, PREMIUM_PURCHASE = 7, APPLICATION_SUBSCRIPTION = 8,
    }
}

wire_enum! {
    /// How a subscription stands.
    pub struct SubscriptionStatus(u32) { ACTIVE = 0, INACTIVE = 1, ENDING = 2 }
}

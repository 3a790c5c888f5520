//! Users and what hangs on them ([Discord's page]).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/user

use super::{Field, GuildId, Member, SkuId, UserId};

model! {
    /// A user, or what a webhook shows as its author.
    pub struct User<'a> demands id {
        /// Its id; a webhook's id where a webhook is the author.
        pub id: UserId,
        /// The name that is unique (or was, with the discriminator).
        pub username: &'a str,
        /// `"0"` for names without one, else four digits.
        pub discriminator: &'a str,
        /// The name to show.
        pub global_name: Option<&'a str> | null,
        /// The image's hash; `a_` in front means animated.
        pub avatar: Option<&'a str> | null,
        /// Whether an application owns it.
        pub bot: Option<bool>,
        /// Whether Discord's urgent messages come from it.
        pub system: Option<bool>,
        /// Whether it has two factors (own user only).
        pub mfa_enabled: Option<bool>,
        /// The banner's hash.
        pub banner: Field<&'a str>,
        /// The banner's colour, 0xRRGGBB.
        pub accent_color: Field<u32>,
        /// The language chosen (own user only).
        pub locale: Option<&'a str>,
        /// Whether the e-mail address is verified (own user only).
        pub verified: Option<bool>,
        /// The e-mail address (own user only).
        pub email: Field<&'a str>,
        /// All flags.
        pub flags: Option<UserFlags>,
        /// The subscription.
        pub premium_type: Option<PremiumType>,
        /// The flags that everybody sees.
        pub public_flags: Option<UserFlags>,
        /// The decoration round the avatar.
        pub avatar_decoration_data: Field<&'a AvatarDecorationData<'a>>,
        /// What the user collected.
        pub collectibles: Field<&'a Collectibles<'a>>,
        /// The guild whose tag the user wears.
        pub primary_guild: Field<&'a UserPrimaryGuild<'a>>,
        /// In `mentions` of a message in a guild: the member, without its `user`.
        pub member: Option<&'a Member<'a>>,
    }
    omits {
        "display_name_styles": "not documented: how the name is drawn",
        "clan": "not documented: the old name of `primary_guild`",
    }
}

model! {
    /// As much of a user as is told: in a presence the id and what changed, in a team the id, the
    /// names and the avatar. Everything but the id may be missing.
    pub struct PartialUser<'a> demands id {
        /// Its id.
        pub id: UserId,
        /// The name that is unique (or was, with the discriminator).
        pub username: Option<&'a str>,
        /// `"0"` for names without one, else four digits.
        pub discriminator: Option<&'a str>,
        /// The name to show.
        pub global_name: Field<&'a str>,
        /// The image's hash; `a_` in front means animated.
        pub avatar: Field<&'a str>,
        /// Whether an application owns it.
        pub bot: Option<bool>,
        /// Whether Discord's urgent messages come from it.
        pub system: Option<bool>,
        /// Whether it has two factors (own user only).
        pub mfa_enabled: Option<bool>,
        /// The banner's hash.
        pub banner: Field<&'a str>,
        /// The banner's colour, 0xRRGGBB.
        pub accent_color: Field<u32>,
        /// The language chosen (own user only).
        pub locale: Option<&'a str>,
        /// Whether the e-mail address is verified (own user only).
        pub verified: Option<bool>,
        /// The e-mail address (own user only).
        pub email: Field<&'a str>,
        /// All flags.
        pub flags: Option<UserFlags>,
        /// The subscription.
        pub premium_type: Option<PremiumType>,
        /// The flags that everybody sees.
        pub public_flags: Option<UserFlags>,
        /// The decoration round the avatar.
        pub avatar_decoration_data: Field<&'a AvatarDecorationData<'a>>,
        /// What the user collected.
        pub collectibles: Field<&'a Collectibles<'a>>,
        /// The guild whose tag the user wears.
        pub primary_guild: Field<&'a UserPrimaryGuild<'a>>,
    }
}

model! {
    /// The guild whose tag a user wears.
    pub struct UserPrimaryGuild<'a> {
        /// The guild.
        pub identity_guild_id: Option<GuildId> | null,
        /// Whether the tag is shown; `None` if Discord cleared it, false if the user did.
        pub identity_enabled: Option<bool> | null,
        /// The tag, at most 4 characters.
        pub tag: Option<&'a str> | null,
        /// The badge's hash.
        pub badge: Option<&'a str> | null,
    }
}

model! {
    /// The decoration round an avatar.
    pub struct AvatarDecorationData<'a> {
        /// The image's hash.
        pub asset: &'a str,
        /// What was bought.
        pub sku_id: SkuId,
    }
}

model! {
    /// What a user collected.
    pub struct Collectibles<'a> {
        /// The plate behind the name.
        pub nameplate: Option<&'a Nameplate<'a>>,
    }
}

model! {
    /// The plate behind a name.
    pub struct Nameplate<'a> {
        /// What was bought.
        pub sku_id: SkuId,
        /// Where the images lie.
        pub asset: &'a str,
        /// Unused so far.
        pub label: &'a str,
        /// The background colour's name, such as `cobalt`.
        pub palette: &'a str,
    }
}

flags! {
    /// What a user is or did.
    pub struct UserFlags {
        STAFF = 0, PARTNER = 1, HYPESQUAD = 2, BUG_HUNTER_LEVEL_1 = 3,
        HYPESQUAD_ONLINE_HOUSE_1 = 6, HYPESQUAD_ONLINE_HOUSE_2 = 7, HYPESQUAD_ONLINE_HOUSE_3 = 8,
        PREMIUM_EARLY_SUPPORTER = 9, TEAM_PSEUDO_USER = 10, BUG_HUNTER_LEVEL_2 = 14,
        VERIFIED_BOT = 16, VERIFIED_DEVELOPER = 17, CERTIFIED_MODERATOR = 18,
        BOT_HTTP_INTERACTIONS = 19,
    }
}

wire_enum! {
    /// A user's subscription.
    pub struct PremiumType(u32) { NONE = 0, NITRO_CLASSIC = 1, NITRO = 2, NITRO_BASIC = 3 }
}

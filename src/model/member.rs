//! Members and bans ([Discord's page]; GUILD_MEMBER_*, GUILD_MEMBERS_CHUNK,
//! GUILD_BAN_*).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/guild#guild-member-object

use super::{
    AvatarDecorationData, Collectibles, Field, GuildId, Permissions, PresenceUpdate, RoleId,
    SentId, Timestamp, User, kind,
};

extended! {
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
        pub joined_at: Option<Timestamp<'a>> | null,
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

    /// GUILD_MEMBER_ADD: a user joined a guild. May come again for one who is there already.
    pub struct GuildMemberAdd<'a> demands guild_id, with {
        /// Which guild.
        pub guild_id: GuildId,
    }
}

model! {
    /// GUILD_MEMBER_UPDATE: how a member or its user is now.
    pub struct GuildMemberUpdate<'a> demands user {
        /// In which guild.
        pub guild_id: GuildId,
        /// Who.
        pub user: User<'a>,
        /// The name here.
        pub nick: Field<&'a str>,
        /// The image's hash here.
        pub avatar: Option<&'a str> | null,
        /// The banner's hash here.
        pub banner: Option<&'a str> | null,
        /// The roles, without @everyone.
        pub roles: &'a [RoleId],
        /// Since when; `None` for guests.
        pub joined_at: Option<Timestamp<'a>> | null,
        /// Since when the member boosts the guild.
        pub premium_since: Field<Timestamp<'a>>,
        /// Whether the member hears nothing in voice.
        pub deaf: Option<bool>,
        /// Whether the member is not heard in voice.
        pub mute: Option<bool>,
        /// What the member is or did; sent, though not documented for this event.
        pub flags: Option<MemberFlags>,
        /// Whether the member has yet to accept the rules.
        pub pending: Option<bool>,
        /// Until when the member may say nothing; null or past: now.
        pub communication_disabled_until: Field<Timestamp<'a>>,
        /// The decoration round the avatar.
        pub avatar_decoration_data: Field<&'a AvatarDecorationData<'a>>,
        /// What the member collected.
        pub collectibles: Field<&'a Collectibles<'a>>,
    }
}

model! {
    /// GUILD_MEMBER_REMOVE: a user left a guild, or was removed.
    pub struct GuildMemberRemove<'a> demands user {
        /// Which guild.
        pub guild_id: GuildId,
        /// Who.
        pub user: User<'a>,
    }
}

model! {
    /// GUILD_MEMBERS_CHUNK: a part of the answer to a request for members.
    pub struct GuildMembersChunk<'a> demands guild_id {
        /// Which guild.
        pub guild_id: GuildId,
        /// At most 1000 of its members.
        pub members: &'a [Member<'a>],
        /// Which part this is, from 0.
        pub chunk_index: u32,
        /// How many parts there are.
        pub chunk_count: u32,
        /// What was asked for by id and is no member.
        pub not_found: Option<&'a [SentId<kind::User>]>,
        /// Their presences; `None` if they were not asked for.
        pub presences: Option<&'a [PresenceUpdate<'a>]>,
        /// What the request was marked with.
        pub nonce: Option<&'a str>,
    }
}

model! {
    /// GUILD_BAN_ADD, GUILD_BAN_REMOVE: a user was banned, or may come again.
    pub struct GuildBan<'a> demands user {
        /// In which guild.
        pub guild_id: GuildId,
        /// Who.
        pub user: User<'a>,
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

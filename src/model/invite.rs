//! Invitations (INVITE_CREATE, INVITE_DELETE).

use super::{Application, ChannelId, GuildId, RoleId, Timestamp, User};

model! {
    /// INVITE_CREATE: an invitation was made.
    pub struct InviteCreate<'a> demands code {
        /// Where it leads.
        pub channel_id: ChannelId,
        /// What names it, at the end of its address.
        pub code: &'a str,
        /// When it was made.
        pub created_at: Timestamp<'a>,
        /// In which guild; `None` for a group.
        pub guild_id: Option<GuildId>,
        /// Who made it.
        pub inviter: Option<&'a User<'a>>,
        /// For how long it is good, in seconds; 0 is forever.
        pub max_age_s: u64 = "max_age",
        /// How often it can be used; 0 is always.
        pub max_uses: u64,
        /// To what in a voice channel it invites.
        pub target_type: Option<InviteTargetType>,
        /// Whose stream it shows.
        pub target_user: Option<&'a User<'a>>,
        /// Which application it opens.
        pub target_application: Option<&'a Application<'a>>,
        /// Whether a member by it is removed again on going offline without a role.
        pub temporary: bool,
        /// How often it was used; always 0.
        pub uses: u64,
        /// Until when it is good; `None` for ever.
        pub expires_at: Option<Timestamp<'a>> | null,
        /// Roles that it gives.
        pub role_ids: &'a [RoleId] | missing,
    }
}

model! {
    /// INVITE_DELETE: an invitation is gone.
    pub struct InviteDelete<'a> demands code {
        /// Where it led.
        pub channel_id: ChannelId,
        /// In which guild; `None` for a group.
        pub guild_id: Option<GuildId>,
        /// What named it.
        pub code: &'a str,
    }
}

wire_enum! {
    /// To what in a voice channel an invitation is.
    pub struct InviteTargetType(u32) { STREAM = 1, EMBEDDED_APPLICATION = 2 }
}

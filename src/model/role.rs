//! Roles ([Discord's page]; GUILD_ROLE_*).
//!
//! [Discord's page]: https://discord.com/developers/docs/topics/permissions#role-object

use super::{Field, GuildId, IntegrationId, RoleId, SkuId, UserId};
use crate::decode::{Cursor, Decode, Expected, Shape};
use serde::{Serialize, Serializer};

model! {
    /// A role of a guild.
    pub struct Role<'a> demands id {
        /// Its id; that of @everyone is the guild's.
        pub id: RoleId,
        /// Its name.
        pub name: &'a str,
        /// The colour, 0xRRGGBB; 0 is none. Deprecated, but still sent.
        pub color: u32,
        /// The colours; `None` from servers that know only `color`.
        pub colors: Option<RoleColors>,
        /// Whether its members are listed apart.
        pub hoist: bool,
        /// The icon's hash.
        pub icon: Field<&'a str>,
        /// The emoji beside the name.
        pub unicode_emoji: Field<&'a str>,
        /// Its place from below; of two with the same place the one of the lower id is higher.
        pub position: i64,
        /// What its members may do.
        pub permissions: Permissions,
        /// Whether an integration manages it.
        pub managed: bool,
        /// Whether everyone may mention it.
        pub mentionable: bool,
        /// What it belongs to.
        pub tags: Option<&'a RoleTags>,
        /// What it is.
        pub flags: RoleFlags,
    }
}

model! {
    /// The colours of a role, 0xRRGGBB. Two or three need the guild's `ENHANCED_ROLE_COLORS`.
    pub struct RoleColors {
        /// The first; 0 is none.
        pub primary_color: u32,
        /// The second makes a gradient.
        pub secondary_color: Option<u32> | null,
        /// The third makes a hologram.
        pub tertiary_color: Option<u32> | null,
    }
}

model! {
    /// What a role belongs to.
    pub struct RoleTags {
        /// The bot.
        pub bot_id: Option<UserId>,
        /// The integration.
        pub integration_id: Option<IntegrationId>,
        /// Whether it is the role of those who boost the guild.
        pub premium_subscriber: Present,
        /// What is sold with it.
        pub subscription_listing_id: Option<SkuId>,
        /// Whether it can be bought.
        pub available_for_purchase: Present,
        /// Whether a linked account is what gives it.
        pub guild_connections: Present,
    }
}

model! {
    /// GUILD_ROLE_CREATE, GUILD_ROLE_UPDATE: a role that was made or changed.
    pub struct GuildRole<'a> demands role {
        /// In which guild.
        pub guild_id: GuildId,
        /// The role.
        pub role: Role<'a>,
    }
}

model! {
    /// GUILD_ROLE_DELETE: a role is gone.
    pub struct GuildRoleDelete demands role_id {
        /// In which guild.
        pub guild_id: GuildId,
        /// The role.
        pub role_id: RoleId,
    }
}

/// A key that says yes by being there: Discord writes it with null, and leaves it out for no.
///
/// A boolean is taken at its word, should one ever stand there; anything else says yes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Present(
    /// Whether the key was there.
    pub bool,
);

impl<'a> Decode<'a> for Present {
    const ABSENT: Self = Self(false);
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        let present = cursor.json().as_bool().unwrap_or(true);
        cursor.skip();
        Ok(Self(present))
    }
    fn is_absent(&self) -> bool {
        !self.0
    }
    fn shape() -> Shape {
        Shape::Json
    }
}

/// As null; where it is false the model leaves the key out.
impl Serialize for Present {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

flags! {
    /// What a role is.
    pub struct RoleFlags { IN_PROMPT = 0 }
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

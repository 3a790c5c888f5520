//! Presences and activities ([Discord's page]; PRESENCE_UPDATE).
//!
//! Discord does not validate these fields and may leave out any of them.
//!
//! [Discord's page]: https://discord.com/developers/docs/events/gateway-events#presence

use super::{ApplicationId, EmojiId, Field, GuildId, PartialUser, Secret};

model! {
    /// PRESENCE_UPDATE: a user came, went or does something else.
    pub struct PresenceUpdate<'a> demands user {
        /// Who; only the id is sure.
        pub user: PartialUser<'a>,
        /// In which guild.
        pub guild_id: GuildId,
        /// Whether the user is there.
        pub status: Status<'a>,
        /// What the user does.
        pub activities: &'a [Activity<'a>],
        /// Where the user is there.
        pub client_status: ClientStatus<'a> | always,
    }
}

model! {
    /// Whether a user is there, by kind of client; `None` where offline.
    pub struct ClientStatus<'a> {
        /// At a computer.
        pub desktop: Option<Status<'a>>,
        /// On a telephone.
        pub mobile: Option<Status<'a>>,
        /// In a browser; bots too.
        pub web: Option<Status<'a>>,
        /// In virtual reality.
        pub vr: Option<Status<'a>>,
    }
}

model! {
    /// What a user does.
    pub struct Activity<'a> {
        /// Its name.
        pub name: &'a str,
        /// Its sort.
        pub kind: ActivityType = "type",
        /// Where the stream is, if it is one.
        pub url: Field<&'a str>,
        /// Milliseconds of Unix time.
        pub created_at_ms: Option<i64> = "created_at",
        /// From when to when.
        pub timestamps: Option<ActivityTimestamps>,
        /// The game's application.
        pub application_id: Option<ApplicationId>,
        /// Which of the texts the member list shows.
        pub status_display_type: Field<StatusDisplayType>,
        /// What the user does in it.
        pub details: Field<&'a str>,
        /// Where the details lead.
        pub details_url: Field<&'a str>,
        /// How it stands, or the text of a custom status.
        pub state: Field<&'a str>,
        /// Where the state leads.
        pub state_url: Field<&'a str>,
        /// The emoji of a custom status.
        pub emoji: Field<&'a ActivityEmoji<'a>>,
        /// With whom.
        pub party: Option<&'a ActivityParty<'a>>,
        /// The images and their texts.
        pub assets: Option<&'a ActivityAssets<'a>>,
        /// What lets others join.
        pub secrets: Option<&'a ActivitySecrets<'a>>,
        /// Whether it is a session of a game.
        pub instance: Option<bool>,
        /// What others can do with it.
        pub flags: Option<ActivityFlags>,
        /// The buttons' labels, at most 2.
        pub buttons: &'a [&'a str] | missing,
    }
}

model! {
    /// From when to when, in milliseconds of Unix time.
    pub struct ActivityTimestamps {
        /// From when.
        pub start_ms: Option<i64> = "start",
        /// To when.
        pub end_ms: Option<i64> = "end",
    }
}

model! {
    /// The emoji of a custom status.
    pub struct ActivityEmoji<'a> {
        /// Its name, or the Unicode emoji itself.
        pub name: &'a str,
        /// `None` for a Unicode emoji.
        pub id: Option<EmojiId>,
        /// Whether it moves.
        pub animated: Option<bool>,
    }
}

model! {
    /// With whom an activity is done.
    pub struct ActivityParty<'a> {
        /// The party's name to machines.
        pub id: Option<&'a str>,
        /// How many there are and how many there can be.
        pub size: Option<[u64; 2]>,
    }
}

model! {
    /// Images of an activity. Names and texts are written by users.
    pub struct ActivityAssets<'a> {
        /// The large image: an asset's id, or a word such as `mp:…`.
        pub large_image: Option<&'a str>,
        /// Its text.
        pub large_text: Option<&'a str>,
        /// Where it leads.
        pub large_url: Option<&'a str>,
        /// The small image.
        pub small_image: Option<&'a str>,
        /// Its text.
        pub small_text: Option<&'a str>,
        /// Where it leads.
        pub small_url: Option<&'a str>,
        /// The image of an invitation.
        pub invite_cover_image: Option<&'a str>,
    }
}

model! {
    /// What lets others join an activity.
    pub struct ActivitySecrets<'a> {
        /// To join the party.
        pub join: Option<Secret<'a>>,
        /// To watch.
        pub spectate: Option<Secret<'a>>,
        /// To join the match.
        #[doc(alias = "match")]
        pub match_secret: Option<Secret<'a>> = "match",
    }
}

wire_enum! {
    /// Whether a user is there.
    pub struct Status<'a> {
        ONLINE = "online", DND = "dnd", IDLE = "idle", INVISIBLE = "invisible", OFFLINE = "offline",
    }
}

wire_enum! {
    /// The sort of an activity.
    pub struct ActivityType(u32) {
        PLAYING = 0, STREAMING = 1, LISTENING = 2, WATCHING = 3, CUSTOM = 4, COMPETING = 5,
    }
}

wire_enum! {
    /// Which text of an activity the member list shows.
    pub struct StatusDisplayType(u32) { NAME = 0, STATE = 1, DETAILS = 2 }
}

flags! {
    /// What others can do with an activity.
    pub struct ActivityFlags {
        INSTANCE = 0, JOIN = 1, SPECTATE = 2, JOIN_REQUEST = 3, SYNC = 4, PLAY = 5,
        PARTY_PRIVACY_FRIENDS = 6, PARTY_PRIVACY_VOICE_CHANNEL = 7, EMBEDDED = 8,
    }
}

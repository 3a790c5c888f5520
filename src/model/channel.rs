//! Channels and threads ([Discord's page]; CHANNEL_*, THREAD_*).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/channel

use super::{
    ApplicationId, ChannelId, ChannelType, EmojiId, Field, ForumTagId, GenericId, GuildId, Member,
    MessageId, Permissions, PresenceUpdate, Timestamp, User, UserId,
};

model! {
    /// CHANNEL_CREATE, CHANNEL_UPDATE, CHANNEL_DELETE, THREAD_CREATE, THREAD_UPDATE: a channel or
    /// a thread.
    ///
    /// Which of the fields are there depends on its sort: what is not said is `None`, lists too.
    pub struct Channel<'a> demands id {
        /// Its id.
        pub id: ChannelId,
        /// Its sort.
        pub kind: ChannelType = "type",
        /// Its guild; `None` in direct messages and inside GUILD_CREATE.
        pub guild_id: Option<GuildId>,
        /// Its place; two of the same place stand in the order of their ids.
        pub position: Option<i64>,
        /// What roles and members may do here other than elsewhere; `None` of threads, and where
        /// Discord tells only a part of the channel.
        pub permission_overwrites: Option<&'a [PermissionOverwrite]>,
        /// 1 to 100 characters; null in direct messages.
        pub name: Field<&'a str>,
        /// At most 4096 characters.
        pub topic: Field<&'a str>,
        /// Whether it is for adults; a thread is if its parent is, and does not say it.
        pub nsfw: Option<bool>,
        /// The last message, which may be gone; of a forum the last thread.
        pub last_message_id: Field<MessageId>,
        /// Voice: in bits a second.
        pub bitrate_bps: Option<u32> = "bitrate",
        /// Voice: how many may be in it; 0 is any number.
        pub user_limit: Option<u32>,
        /// Seconds that a user waits between two messages, or new threads; 0 to 21600.
        pub rate_limit_per_user_s: Option<u32> = "rate_limit_per_user",
        /// Direct messages: with whom.
        pub recipients: Option<&'a [User<'a>]>,
        /// Group direct messages: the icon's hash.
        pub icon: Field<&'a str>,
        /// Who made the group or the thread.
        pub owner_id: Option<UserId>,
        /// The application that made the group.
        pub application_id: Field<ApplicationId>,
        /// Whether an application manages the group.
        pub managed: Option<bool>,
        /// The category of a channel, or the channel of a thread.
        pub parent_id: Field<ChannelId>,
        /// When a message was last pinned.
        pub last_pin_timestamp: Field<Timestamp<'a>>,
        /// Voice: the region; null is automatic.
        pub rtc_region: Field<&'a str>,
        /// Voice: `None` means [`VideoQualityMode::AUTO`].
        pub video_quality_mode: Option<VideoQualityMode>,
        /// Threads: how many messages, without the first and the deleted; of threads older than
        /// July 2022 unsure above 50.
        pub message_count: Option<u64>,
        /// Threads: about how many members; stops at 50.
        pub member_count: Option<u32>,
        /// Threads: how they stand.
        pub thread_metadata: Option<&'a ThreadMetadata<'a>>,
        /// Threads: the bot's own membership, where Discord says it.
        pub member: Option<&'a ThreadMember<'a>>,
        /// Minutes after which clients let new threads be archived: 60, 1440, 4320 or 10080.
        pub default_auto_archive_duration_min: Option<u32> = "default_auto_archive_duration",
        /// Only in interactions: what the user may do here.
        pub permissions: Option<Permissions>,
        /// Only in interactions: what the application may do here.
        pub app_permissions: Option<Permissions>,
        /// What it is.
        pub flags: Option<ChannelFlags>,
        /// Threads: how many messages ever, the deleted too.
        pub total_message_sent: Option<u64>,
        /// Forums: the tags there are.
        pub available_tags: Option<&'a [ForumTag<'a>]>,
        /// Threads of forums: the tags they bear.
        pub applied_tags: Option<&'a [ForumTagId]>,
        /// Forums: the reaction that is offered.
        pub default_reaction_emoji: Field<&'a DefaultReaction<'a>>,
        /// The `rate_limit_per_user_s` that new threads begin with.
        pub default_thread_rate_limit_per_user_s: Option<u32>
            = "default_thread_rate_limit_per_user",
        /// Forums: null if nobody chose.
        pub default_sort_order: Field<SortOrderType>,
        /// Forums: how they look.
        pub default_forum_layout: Option<ForumLayoutType>,
        /// THREAD_CREATE: true if it was made now, rather than the bot added to it.
        pub newly_created: Option<bool>,
    }
}

model! {
    /// What a role or a member may do in a channel other than elsewhere.
    pub struct PermissionOverwrite demands id {
        /// Of whom: by `kind` a role or a user.
        pub id: GenericId,
        /// Whether it is of a role or of a member.
        pub kind: PermissionOverwriteType = "type",
        /// What is allowed.
        pub allow: Permissions,
        /// What is forbidden.
        pub deny: Permissions,
    }
}

model! {
    /// How a thread stands.
    pub struct ThreadMetadata<'a> {
        /// Whether it is archived.
        pub archived: bool,
        /// Minutes without a message after which it is hidden: 60, 1440, 4320 or 10080.
        pub auto_archive_duration_min: u32 = "auto_archive_duration",
        /// When it was last archived or opened again.
        pub archive_timestamp: Option<Timestamp<'a>> | null,
        /// Whether only those with `MANAGE_THREADS` may open it again.
        pub locked: bool,
        /// Private threads: whether every member may add others.
        pub invitable: Option<bool>,
        /// When it was made; only of threads since 9 January 2022.
        pub create_timestamp: Field<Timestamp<'a>>,
    }
}

model! {
    /// THREAD_MEMBER_UPDATE: a membership of a thread. As an event it is the bot's own.
    pub struct ThreadMember<'a> {
        /// The thread; `None` inside GUILD_CREATE.
        pub id: Option<ChannelId>,
        /// Who; `None` inside GUILD_CREATE.
        pub user_id: Option<UserId>,
        /// Since when.
        pub join_timestamp: Timestamp<'a>,
        /// What the user is told of; Discord does not publish the bits.
        pub flags: u64,
        /// THREAD_MEMBERS_UPDATE: who, as a member of the guild.
        pub member: Option<&'a Member<'a>>,
        /// THREAD_MEMBERS_UPDATE: the user's presence.
        pub presence: Field<&'a PresenceUpdate<'a>>,
        /// THREAD_MEMBER_UPDATE: the guild.
        pub guild_id: Option<GuildId>,
    }
}

model! {
    /// The reaction that a forum offers; at most one field is set.
    pub struct DefaultReaction<'a> {
        /// A custom emoji.
        pub emoji_id: Option<EmojiId> | null,
        /// A Unicode emoji.
        pub emoji_name: Option<&'a str> | null,
    }
}

model! {
    /// A tag of a forum; at most one of its emoji is set.
    pub struct ForumTag<'a> demands id {
        /// Its id.
        pub id: ForumTagId,
        /// At most 20 characters.
        pub name: &'a str,
        /// Whether only those with `MANAGE_THREADS` may set it.
        pub moderated: bool,
        /// A custom emoji.
        pub emoji_id: Option<EmojiId> | null,
        /// A Unicode emoji.
        pub emoji_name: Option<&'a str> | null,
    }
}

model! {
    /// CHANNEL_PINS_UPDATE: a message was pinned or unpinned. Deleting a pinned one says nothing.
    pub struct ChannelPinsUpdate<'a> demands channel_id {
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
        /// Where.
        pub channel_id: ChannelId,
        /// When a message that is still pinned was last pinned.
        pub last_pin_timestamp: Field<Timestamp<'a>>,
    }
}

model! {
    /// CHANNEL_INFO: the answer to a request for channel info.
    pub struct ChannelInfo<'a> demands guild_id {
        /// The guild.
        pub guild_id: GuildId,
        /// Its channels.
        pub channels: &'a [ChannelInfoChannel<'a>],
    }
}

model! {
    /// What was asked about a channel.
    pub struct ChannelInfoChannel<'a> demands id {
        /// Its id.
        pub id: ChannelId,
        /// The status of a voice channel.
        pub status: Field<&'a str>,
        /// Since when it is in use, in seconds of Unix time.
        pub voice_start_time_s: Field<i64> = "voice_start_time",
    }
}

model! {
    /// THREAD_DELETE: a thread is gone.
    pub struct ThreadDelete demands id {
        /// Its id.
        pub id: ChannelId,
        /// Its guild.
        pub guild_id: GuildId,
        /// Where it was.
        pub parent_id: Option<ChannelId>,
        /// Its sort.
        pub kind: ChannelType = "type",
    }
}

model! {
    /// THREAD_LIST_SYNC: the active threads of channels that the bot gained access to.
    pub struct ThreadListSync<'a> demands guild_id {
        /// The guild.
        pub guild_id: GuildId,
        /// The channels whose threads these are, those without any too; `None` is the whole guild.
        pub channel_ids: Option<&'a [ChannelId]>,
        /// All their active threads.
        pub threads: &'a [Channel<'a>],
        /// The bot's own memberships of them.
        pub members: &'a [ThreadMember<'a>],
    }
}

model! {
    /// THREAD_MEMBERS_UPDATE: users joined or left a thread. Without the GUILD_MEMBERS intent it
    /// comes only when the bot itself did.
    pub struct ThreadMembersUpdate<'a> demands id {
        /// The thread.
        pub id: ChannelId,
        /// Its guild.
        pub guild_id: GuildId,
        /// About how many members it has; stops at 50.
        pub member_count: u32,
        /// Who joined, each with `member` and `presence`.
        pub added_members: &'a [ThreadMember<'a>] | missing,
        /// Who left.
        pub removed_member_ids: &'a [UserId] | missing,
    }
}

wire_enum! {
    /// Whether an overwrite is of a role or of a member.
    pub struct PermissionOverwriteType(u32) { ROLE = 0, MEMBER = 1 }
}

wire_enum! {
    /// How good video is.
    pub struct VideoQualityMode(u32) { AUTO = 1, FULL = 2 }
}

wire_enum! {
    /// How a forum is sorted.
    pub struct SortOrderType(u32) { LATEST_ACTIVITY = 0, CREATION_DATE = 1 }
}

wire_enum! {
    /// How a forum looks.
    pub struct ForumLayoutType(u32) { NOT_SET = 0, LIST_VIEW = 1, GALLERY_VIEW = 2 }
}

flags! {
    /// What a channel is.
    pub struct ChannelFlags {
        PINNED = 1, REQUIRE_TAG = 4, HIDE_MEDIA_DOWNLOAD_OPTIONS = 15, IS_SPOILER_CHANNEL = 21,
    }
}

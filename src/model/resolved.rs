//! Resolved data: in full what an interaction or a message only names by id ([Discord's page]).
//!
//! [Discord's page]: https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object-resolved-data-structure

use super::{
    Attachment, AttachmentId, AvatarDecorationData, Channel, ChannelId, Collectibles, Field,
    MemberFlags, Message, MessageId, Permissions, Role, RoleId, Timestamp, User, UserId,
};
use crate::decode::Map;

model! {
    /// In full what options, menus and targets name by id.
    pub struct Resolved<'a> {
        /// Users.
        pub users: Option<Map<'a, UserId, &'a User<'a>>>,
        /// Members; each has its user under the same id in `users`.
        pub members: Option<Map<'a, UserId, &'a ResolvedMember<'a>>>,
        /// Roles.
        pub roles: Option<Map<'a, RoleId, &'a Role<'a>>>,
        /// Channels and threads, with few of their fields, and with the permissions of who acted.
        pub channels: Option<Map<'a, ChannelId, &'a Channel<'a>>>,
        /// Messages; some of their fields may be missing.
        pub messages: Option<Map<'a, MessageId, &'a Message<'a>>>,
        /// Files.
        pub attachments: Option<Map<'a, AttachmentId, &'a Attachment<'a>>>,
    }
}

impl<'a> Resolved<'a> {
    /// The user of this id.
    pub fn user(&self, id: UserId) -> Option<&'a User<'a>> {
        self.users?.get(id)
    }

    /// The member of this id; its user is [`user`](Self::user).
    pub fn member(&self, id: UserId) -> Option<&'a ResolvedMember<'a>> {
        self.members?.get(id)
    }

    /// The role of this id.
    pub fn role(&self, id: RoleId) -> Option<&'a Role<'a>> {
        self.roles?.get(id)
    }

    /// The channel of this id.
    pub fn channel(&self, id: ChannelId) -> Option<&'a Channel<'a>> {
        self.channels?.get(id)
    }

    /// The message of this id.
    pub fn message(&self, id: MessageId) -> Option<&'a Message<'a>> {
        self.messages?.get(id)
    }

    /// The file of this id.
    pub fn attachment(&self, id: AttachmentId) -> Option<&'a Attachment<'a>> {
        self.attachments?.get(id)
    }
}

model! {
    /// A member without `user`, `deaf` and `mute`.
    pub struct ResolvedMember<'a> {
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
        /// What the member is or did.
        pub flags: MemberFlags,
        /// Whether the member has yet to accept the rules.
        pub pending: Option<bool>,
        /// What the member may do in the channel.
        pub permissions: Option<Permissions>,
        /// Until when the member may say nothing; null or past: now.
        pub communication_disabled_until: Field<Timestamp<'a>>,
        /// The decoration round the avatar.
        pub avatar_decoration_data: Field<&'a AvatarDecorationData<'a>>,
        /// What the member collected.
        pub collectibles: Field<&'a Collectibles<'a>>,
    }
    omits {
        "user": "never sent here: it stands in `users` under the same id",
        "deaf": "never sent here",
        "mute": "never sent here",
    }
}

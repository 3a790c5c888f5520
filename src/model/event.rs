//! THE list of events. Whatever is known about an event by name stands in the table at the end of
//! this file, once; kinds, names, the typed enum and its decoder are derived from it.
//!
//! An event is never lost here: one without a type, or whose typed form cannot be read, arrives
//! as [`Event::Untyped`]; one that Discord added since arrives so under [`EventKind::Unknown`].
//! To give an event a type, write its struct beside its family and put the name behind its row.
//! Called by the shard; matched on by the user.

use super::*;
use crate::decode::{
    Cursor, Decode, DecodeError, DeserializeError, Json, Note, Notes, Shape, name_code,
};
use serde::ser::Error;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

macro_rules! events {
    ($(#[doc = $doc:literal] $kind:ident $name:literal $(=> $ty:ty)?;)*) => {
        /// The kinds of dispatches: one for each name that Discord documents, and
        /// [`Unknown`](Self::Unknown).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum EventKind {
            $(
                #[doc = concat!("`", $name, "`:")]
                #[doc = $doc]
                $kind,
            )*
            /// A name that this version of the library does not know.
            Unknown,
        }

        impl EventKind {
            /// Every kind, in the order of [`index`](Self::index); `Unknown` is the last.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)* Self::Unknown];

            /// How many kinds there are, `Unknown` included: the length of an array of counters.
            pub const COUNT: usize = Self::ALL.len();

            /// Discord's name of the event; `UNKNOWN` for [`Unknown`](Self::Unknown).
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                    Self::Unknown => "UNKNOWN",
                }
            }

            /// The kind that `name` names; [`Unknown`](Self::Unknown) if none does.
            pub fn from_name(name: &str) -> Self {
                #[allow(non_upper_case_globals)]
                mod code {
                    $(pub(super) const $kind: u64 = super::name_code($name.as_bytes());)*
                }
                match name_code(name.as_bytes()) {
                    $(code::$kind if name == $name => Self::$kind,)*
                    _ => Self::Unknown,
                }
            }

            /// Whether [`Event`] has a variant for the kind.
            pub const fn is_typed(self) -> bool {
                match self {
                    $($(Self::$kind => !stringify!($ty).is_empty(),)?)*
                    _ => false,
                }
            }
        }

        impl EventKind {
            /// What the type of the kind reads; `None` if it has none.
            #[allow(clippy::extra_unused_lifetimes)] // that of the rows' types
            pub fn shape<'a>(self) -> Option<Shape> {
                match self {
                    $($(Self::$kind => Some(<$ty as Decode<'a>>::shape()),)?)*
                    _ => None,
                }
            }
        }

        /// A dispatch, as the handler gets it.
        ///
        /// Everything in it borrows the payload and is gone when the handler returns. A few words
        /// in size: typed events are references into the arena, beside their JSON.
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub enum Event<'a> {
            $($(
                #[doc = concat!("`", $name, "`:")]
                #[doc = $doc]
                $kind(Typed<'a, $ty>),
            )?)*
            /// An event without a type, or one whose typed form could not be read: its JSON.
            Untyped(Untyped<'a>),
            /// An event that was asked for as text.
            Raw(Raw<'a>),
            /// An event whose text is no JSON. It counts as delivered; only its name is known.
            Undecoded(Undecoded<'a>),
        }

        /// Typed events as their type says, the others as their JSON. The text of
        /// [`Raw`](Event::Raw) was not parsed and that of [`Undecoded`](Event::Undecoded) cannot
        /// be: both are errors ([`Raw::data`] is the text of a raw event's `d`).
        impl<'a> Serialize for Event<'a> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $($(Self::$kind(event) => {
                        let _: &$ty = event.get();
                        event.serialize(serializer)
                    })?)*
                    Self::Untyped(event) => event.data.serialize(serializer),
                    Self::Raw(_) => Err(S::Error::custom("a raw event was not parsed")),
                    Self::Undecoded(_) => Err(S::Error::custom("the event's text is no JSON")),
                }
            }
        }

        impl<'a> Event<'a> {
            /// The kind of the event.
            pub fn kind(&self) -> EventKind {
                match self {
                    $($(Self::$kind(event) => {
                        let _: &$ty = event.get();
                        EventKind::$kind
                    })?)*
                    Self::Untyped(event) => event.kind,
                    Self::Raw(event) => event.kind,
                    Self::Undecoded(event) => event.kind,
                }
            }

            /// The event's `d` as it came, with the keys that no type knows. `None` for
            /// [`Raw`](Self::Raw), whose text was not parsed ([`Raw::data`] finds it), and for
            /// [`Undecoded`](Self::Undecoded).
            pub fn json(&self) -> Option<Json<'a>> {
                match self {
                    $($(Self::$kind(event) => {
                        let _: &$ty = event.get();
                        Some(event.json())
                    })?)*
                    Self::Untyped(event) => Some(event.data),
                    Self::Raw(_) | Self::Undecoded(_) => None,
                }
            }

            /// Reads the event whose `d` is under the cursor. Never fails: what has no type, or
            /// lacks the key that its type demands, is [`Untyped`](Self::Untyped). The latter is
            /// noted ([`Notes`](crate::decode::Notes)).
            pub fn decode(kind: EventKind, name: &'a str, cursor: Cursor<'a>) -> Self {
                let data = cursor.json();
                let unread = match kind {
                    $($(EventKind::$kind => match cursor.read::<&'a $ty>($name) {
                        Ok(event) => return Self::$kind(Typed::new(event, data)),
                        Err(error) => error,
                    },)?)*
                    _ => return Self::Untyped(Untyped { kind, name, data }),
                };
                note_unread(&cursor, unread);
                Self::Untyped(Untyped { kind, name, data })
            }
        }
    };
}

impl<'a> Event<'a> {
    /// Reads the event's `d` as any type that serde can read, from the tree that was parsed
    /// already: `twilight_model`'s types, for instance, or the user's own. Any number of times; the
    /// event stays as it is. Keys that the model does not know are there, too.
    ///
    /// # Errors
    /// [`Mismatch`](DeserializeError::Mismatch) when `T` wants something else;
    /// [`Raw`](DeserializeError::Raw) and [`Undecoded`](DeserializeError::Undecoded) for the
    /// events of these names.
    pub fn deserialize<T: Deserialize<'a>>(&self) -> Result<T, DeserializeError> {
        match self {
            Self::Raw(_) => Err(DeserializeError::Raw),
            Self::Undecoded(event) => Err(DeserializeError::Undecoded(event.error)),
            parsed => parsed.json().unwrap_or(Json::NULL).deserialize(),
        }
    }

    /// Which fields could not be read and were left as if they were missing: how many, and the
    /// first by name. Nearly always none. What is read of [`json`](Self::json) later adds its own.
    /// `None` for [`Raw`](Self::Raw) and [`Undecoded`](Self::Undecoded), which were not read.
    ///
    /// ```
    /// use shardring::{EventKind, OwnedEvent};
    ///
    /// let text = r#"{"id":"1","content":"hello","pinned":"perhaps"}"#;
    /// OwnedEvent::from_data(EventKind::MessageCreate, text)?.visit(|event| {
    ///     let notes = event.notes().expect("it was read");
    ///     let note = notes.iter().next().expect("one field could not be");
    ///     assert_eq!((note.object, note.field), ("Message", "pinned"));
    /// });
    /// # Ok::<(), shardring::DecodeError>(())
    /// ```
    pub fn notes(&self) -> Option<&'a Notes> {
        self.json()?.notes()
    }

    /// The event's name as it came; that of a typed event is its kind's.
    pub fn name(&self) -> &'a str {
        match self {
            Self::Untyped(event) => event.name,
            Self::Raw(event) => event.name,
            Self::Undecoded(event) => event.name,
            typed => typed.kind().name(),
        }
    }

    /// The event as text: `text` is the whole payload as it came, not parsed. It is checked to be
    /// UTF-8, no more; if it is not, the event is [`Undecoded`](Self::Undecoded).
    pub fn raw(kind: EventKind, name: &'a str, text: &'a [u8]) -> Self {
        match std::str::from_utf8(text) {
            Ok(text) => Self::Raw(Raw { kind, name, text }),
            Err(error) => {
                Self::undecoded(kind, name, DecodeError::Json { at: error.valid_up_to() })
            }
        }
    }

    /// The event of a payload that [`Scratch::read`](crate::decode::Scratch::read) refused.
    pub fn undecoded(kind: EventKind, name: &'a str, error: DecodeError) -> Self {
        Self::Undecoded(Undecoded { kind, name, error })
    }
}

impl EventKind {
    /// The place of the kind in [`ALL`](Self::ALL), for arrays of counters.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cold]
fn note_unread(cursor: &Cursor<'_>, error: DecodeError) {
    if let DecodeError::Field { object, field, expected } = error {
        cursor.note(Note { object, field, expected });
    }
}

events! {
    /// A session began. [Discord's page](https://discord.com/developers/docs/events/gateway-events#ready)
    Ready "READY" => Ready<'a>;
    /// The missed dispatches of a resumed session are delivered. [Discord's page](https://discord.com/developers/docs/events/gateway-events#resumed)
    Resumed "RESUMED" => Resumed<'a>;
    /// A sent command was over a limit. [Discord's page](https://discord.com/developers/docs/events/gateway-events#rate-limited)
    RateLimited "RATE_LIMITED" => RateLimited<'a>;
    /// An application command's permissions changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#application-command-permissions-update)
    ApplicationCommandPermissionsUpdate "APPLICATION_COMMAND_PERMISSIONS_UPDATE"
        => GuildCommandPermissions<'a>;
    /// A rule of auto moderation was made. [Discord's page](https://discord.com/developers/docs/events/gateway-events#auto-moderation-rule-create)
    AutoModerationRuleCreate "AUTO_MODERATION_RULE_CREATE" => AutoModerationRule<'a>;
    /// A rule of auto moderation changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#auto-moderation-rule-update)
    AutoModerationRuleUpdate "AUTO_MODERATION_RULE_UPDATE" => AutoModerationRule<'a>;
    /// A rule of auto moderation is gone. [Discord's page](https://discord.com/developers/docs/events/gateway-events#auto-moderation-rule-delete)
    AutoModerationRuleDelete "AUTO_MODERATION_RULE_DELETE" => AutoModerationRule<'a>;
    /// Auto moderation acted. [Discord's page](https://discord.com/developers/docs/events/gateway-events#auto-moderation-action-execution)
    AutoModerationActionExecution "AUTO_MODERATION_ACTION_EXECUTION"
        => AutoModerationActionExecution<'a>;
    /// A channel was made. [Discord's page](https://discord.com/developers/docs/events/gateway-events#channel-create)
    ChannelCreate "CHANNEL_CREATE" => Channel<'a>;
    /// A channel changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#channel-update)
    ChannelUpdate "CHANNEL_UPDATE" => Channel<'a>;
    /// A channel is gone. [Discord's page](https://discord.com/developers/docs/events/gateway-events#channel-delete)
    ChannelDelete "CHANNEL_DELETE" => Channel<'a>;
    /// The answer to a request for channel info. [Discord's page](https://discord.com/developers/docs/events/gateway-events#channel-info)
    ChannelInfo "CHANNEL_INFO" => ChannelInfo<'a>;
    /// A message was pinned or unpinned. [Discord's page](https://discord.com/developers/docs/events/gateway-events#channel-pins-update)
    ChannelPinsUpdate "CHANNEL_PINS_UPDATE" => ChannelPinsUpdate<'a>;
    /// A thread was made, or the bot was added to one. [Discord's page](https://discord.com/developers/docs/events/gateway-events#thread-create)
    ThreadCreate "THREAD_CREATE" => Channel<'a>;
    /// A thread changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#thread-update)
    ThreadUpdate "THREAD_UPDATE" => Channel<'a>;
    /// A thread is gone. [Discord's page](https://discord.com/developers/docs/events/gateway-events#thread-delete)
    ThreadDelete "THREAD_DELETE" => ThreadDelete;
    /// The active threads of channels that the bot gained access to. [Discord's page](https://discord.com/developers/docs/events/gateway-events#thread-list-sync)
    ThreadListSync "THREAD_LIST_SYNC" => ThreadListSync<'a>;
    /// The bot's own membership of a thread changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#thread-member-update)
    ThreadMemberUpdate "THREAD_MEMBER_UPDATE" => ThreadMember<'a>;
    /// Users joined or left a thread. [Discord's page](https://discord.com/developers/docs/events/gateway-events#thread-members-update)
    ThreadMembersUpdate "THREAD_MEMBERS_UPDATE" => ThreadMembersUpdate<'a>;
    /// Somebody bought something. [Discord's page](https://discord.com/developers/docs/events/gateway-events#entitlement-create)
    EntitlementCreate "ENTITLEMENT_CREATE" => Entitlement<'a>;
    /// An entitlement changed or ended. [Discord's page](https://discord.com/developers/docs/events/gateway-events#entitlement-update)
    EntitlementUpdate "ENTITLEMENT_UPDATE" => Entitlement<'a>;
    /// An entitlement was refunded or removed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#entitlement-delete)
    EntitlementDelete "ENTITLEMENT_DELETE" => Entitlement<'a>;
    /// A guild became available, or the bot joined it. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-create)
    GuildCreate "GUILD_CREATE" => GuildCreate<'a>;
    /// A guild changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-update)
    GuildUpdate "GUILD_UPDATE" => Guild<'a>;
    /// A guild became unavailable, or the bot left it. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-delete)
    GuildDelete "GUILD_DELETE" => UnavailableGuild;
    /// The audit log has a new entry. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-audit-log-entry-create)
    GuildAuditLogEntryCreate "GUILD_AUDIT_LOG_ENTRY_CREATE" => AuditLogEntry<'a>;
    /// A user was banned. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-ban-add)
    GuildBanAdd "GUILD_BAN_ADD" => GuildBan<'a>;
    /// A ban was lifted. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-ban-remove)
    GuildBanRemove "GUILD_BAN_REMOVE" => GuildBan<'a>;
    /// A guild's emoji changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-emojis-update)
    GuildEmojisUpdate "GUILD_EMOJIS_UPDATE" => GuildEmojisUpdate<'a>;
    /// A guild's stickers changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-stickers-update)
    GuildStickersUpdate "GUILD_STICKERS_UPDATE" => GuildStickersUpdate<'a>;
    /// A guild's integrations changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-integrations-update)
    GuildIntegrationsUpdate "GUILD_INTEGRATIONS_UPDATE" => GuildIntegrationsUpdate;
    /// A user joined a guild. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-member-add)
    GuildMemberAdd "GUILD_MEMBER_ADD" => GuildMemberAdd<'a>;
    /// A user left a guild. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-member-remove)
    GuildMemberRemove "GUILD_MEMBER_REMOVE" => GuildMemberRemove<'a>;
    /// A member changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-member-update)
    GuildMemberUpdate "GUILD_MEMBER_UPDATE" => GuildMemberUpdate<'a>;
    /// A part of the answer to a request for members. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-members-chunk)
    GuildMembersChunk "GUILD_MEMBERS_CHUNK" => GuildMembersChunk<'a>;
    /// A role was made. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-role-create)
    GuildRoleCreate "GUILD_ROLE_CREATE" => GuildRole<'a>;
    /// A role changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-role-update)
    GuildRoleUpdate "GUILD_ROLE_UPDATE" => GuildRole<'a>;
    /// A role is gone. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-role-delete)
    GuildRoleDelete "GUILD_ROLE_DELETE" => GuildRoleDelete;
    /// Something was planned. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-scheduled-event-create)
    GuildScheduledEventCreate "GUILD_SCHEDULED_EVENT_CREATE" => GuildScheduledEvent<'a>;
    /// A plan changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-scheduled-event-update)
    GuildScheduledEventUpdate "GUILD_SCHEDULED_EVENT_UPDATE" => GuildScheduledEvent<'a>;
    /// A plan was given up. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-scheduled-event-delete)
    GuildScheduledEventDelete "GUILD_SCHEDULED_EVENT_DELETE" => GuildScheduledEvent<'a>;
    /// A user subscribed to a plan. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-scheduled-event-user-add)
    GuildScheduledEventUserAdd "GUILD_SCHEDULED_EVENT_USER_ADD" => GuildScheduledEventUser;
    /// A user unsubscribed from a plan. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-scheduled-event-user-remove)
    GuildScheduledEventUserRemove "GUILD_SCHEDULED_EVENT_USER_REMOVE" => GuildScheduledEventUser;
    /// A sound was made. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-soundboard-sound-create)
    GuildSoundboardSoundCreate "GUILD_SOUNDBOARD_SOUND_CREATE" => SoundboardSound<'a>;
    /// A sound changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-soundboard-sound-update)
    GuildSoundboardSoundUpdate "GUILD_SOUNDBOARD_SOUND_UPDATE" => SoundboardSound<'a>;
    /// A sound is gone. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-soundboard-sound-delete)
    GuildSoundboardSoundDelete "GUILD_SOUNDBOARD_SOUND_DELETE" => GuildSoundboardSoundDelete;
    /// Several sounds changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#guild-soundboard-sounds-update)
    GuildSoundboardSoundsUpdate "GUILD_SOUNDBOARD_SOUNDS_UPDATE" => SoundboardSounds<'a>;
    /// The answer to a request for sounds. [Discord's page](https://discord.com/developers/docs/events/gateway-events#soundboard-sounds)
    SoundboardSounds "SOUNDBOARD_SOUNDS" => SoundboardSounds<'a>;
    /// An integration was made. [Discord's page](https://discord.com/developers/docs/events/gateway-events#integration-create)
    IntegrationCreate "INTEGRATION_CREATE" => Integration<'a>;
    /// An integration changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#integration-update)
    IntegrationUpdate "INTEGRATION_UPDATE" => Integration<'a>;
    /// An integration is gone. [Discord's page](https://discord.com/developers/docs/events/gateway-events#integration-delete)
    IntegrationDelete "INTEGRATION_DELETE" => IntegrationDelete;
    /// Somebody used a command, a component or a modal. [Discord's page](https://discord.com/developers/docs/events/gateway-events#interaction-create)
    InteractionCreate "INTERACTION_CREATE" => Interaction<'a>;
    /// An invitation was made. [Discord's page](https://discord.com/developers/docs/events/gateway-events#invite-create)
    InviteCreate "INVITE_CREATE" => InviteCreate<'a>;
    /// An invitation is gone. [Discord's page](https://discord.com/developers/docs/events/gateway-events#invite-delete)
    InviteDelete "INVITE_DELETE" => InviteDelete<'a>;
    /// A message was sent. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-create)
    MessageCreate "MESSAGE_CREATE" => Message<'a>;
    /// A message changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-update)
    MessageUpdate "MESSAGE_UPDATE" => MessageUpdate<'a>;
    /// A message was deleted. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-delete)
    MessageDelete "MESSAGE_DELETE" => MessageDelete;
    /// Several messages were deleted at once. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-delete-bulk)
    MessageDeleteBulk "MESSAGE_DELETE_BULK" => MessageDeleteBulk<'a>;
    /// Somebody reacted to a message. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-reaction-add)
    MessageReactionAdd "MESSAGE_REACTION_ADD" => MessageReactionAdd<'a>;
    /// Somebody took a reaction back. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-reaction-remove)
    MessageReactionRemove "MESSAGE_REACTION_REMOVE" => MessageReactionRemove<'a>;
    /// All reactions to a message were removed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-reaction-remove-all)
    MessageReactionRemoveAll "MESSAGE_REACTION_REMOVE_ALL" => MessageReactionRemoveAll;
    /// All reactions with one emoji were removed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-reaction-remove-emoji)
    MessageReactionRemoveEmoji "MESSAGE_REACTION_REMOVE_EMOJI" => MessageReactionRemoveEmoji<'a>;
    /// A user came, went or does something else. [Discord's page](https://discord.com/developers/docs/events/gateway-events#presence-update)
    PresenceUpdate "PRESENCE_UPDATE" => PresenceUpdate<'a>;
    /// A stage began. [Discord's page](https://discord.com/developers/docs/events/gateway-events#stage-instance-create)
    StageInstanceCreate "STAGE_INSTANCE_CREATE" => StageInstance<'a>;
    /// A stage changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#stage-instance-update)
    StageInstanceUpdate "STAGE_INSTANCE_UPDATE" => StageInstance<'a>;
    /// A stage ended. [Discord's page](https://discord.com/developers/docs/events/gateway-events#stage-instance-delete)
    StageInstanceDelete "STAGE_INSTANCE_DELETE" => StageInstance<'a>;
    /// A subscription was made. [Discord's page](https://discord.com/developers/docs/events/gateway-events#subscription-create)
    SubscriptionCreate "SUBSCRIPTION_CREATE" => Subscription<'a>;
    /// A subscription changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#subscription-update)
    SubscriptionUpdate "SUBSCRIPTION_UPDATE" => Subscription<'a>;
    /// A subscription is gone. [Discord's page](https://discord.com/developers/docs/events/gateway-events#subscription-delete)
    SubscriptionDelete "SUBSCRIPTION_DELETE" => Subscription<'a>;
    /// Somebody types. [Discord's page](https://discord.com/developers/docs/events/gateway-events#typing-start)
    TypingStart "TYPING_START" => TypingStart<'a>;
    /// The bot's own user changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#user-update)
    UserUpdate "USER_UPDATE" => User<'a>;
    /// Somebody sent an effect in the voice channel that the bot is in. [Discord's page](https://discord.com/developers/docs/events/gateway-events#voice-channel-effect-send)
    VoiceChannelEffectSend "VOICE_CHANNEL_EFFECT_SEND" => VoiceChannelEffectSend<'a>;
    /// A voice channel came into use or fell out of it. [Discord's page](https://discord.com/developers/docs/events/gateway-events#voice-channel-start-time-update)
    VoiceChannelStartTimeUpdate "VOICE_CHANNEL_START_TIME_UPDATE" => VoiceChannelStartTimeUpdate;
    /// A voice channel's status changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#voice-channel-status-update)
    VoiceChannelStatusUpdate "VOICE_CHANNEL_STATUS_UPDATE" => VoiceChannelStatusUpdate<'a>;
    /// Somebody joined, left or moved in voice. [Discord's page](https://discord.com/developers/docs/events/gateway-events#voice-state-update)
    VoiceStateUpdate "VOICE_STATE_UPDATE" => VoiceState<'a>;
    /// A guild's voice server changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#voice-server-update)
    VoiceServerUpdate "VOICE_SERVER_UPDATE" => VoiceServerUpdate<'a>;
    /// A channel's webhooks changed. [Discord's page](https://discord.com/developers/docs/events/gateway-events#webhooks-update)
    WebhooksUpdate "WEBHOOKS_UPDATE" => WebhooksUpdate;
    /// Somebody voted. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-poll-vote-add)
    MessagePollVoteAdd "MESSAGE_POLL_VOTE_ADD" => MessagePollVote;
    /// Somebody took a vote back. [Discord's page](https://discord.com/developers/docs/events/gateway-events#message-poll-vote-remove)
    MessagePollVoteRemove "MESSAGE_POLL_VOTE_REMOVE" => MessagePollVote;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_stands_at_its_index() {
        for (index, &kind) in EventKind::ALL.iter().enumerate() {
            assert_eq!(kind.index(), index);
            assert_eq!(EventKind::from_name(kind.name()), kind);
        }
        for name in ["", "READ", "READYY", "ready", "MESSAGE_CREATED", "GUILD_CREATE\0"] {
            assert_eq!(EventKind::from_name(name), EventKind::Unknown, "{name}");
        }
    }

    #[test]
    fn an_event_is_a_few_words() {
        assert!(size_of::<Event<'_>>() <= 64, "{}", size_of::<Event<'_>>());
    }

    #[test]
    fn the_debug_form_of_raw_text_has_no_text() {
        let event = Event::raw(EventKind::Ready, "READY", br#"{"d":{"token":"hush"}}"#);
        assert!(!format!("{event:?}").contains("hush"));
    }
}

//! The audit log: who did what in a guild ([Discord's page];
//! GUILD_AUDIT_LOG_ENTRY_CREATE).
//!
//! What changed is told by key and value, and the values are of any type: see [`AuditLogValue`].
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/audit-log

use super::{
    ApplicationId, AuditLogEntryId, AutoModerationTriggerType, ChannelId, Field, GenericId,
    GuildId, MessageId, RoleId, UserId,
};
use crate::decode::{Cursor, Decode, Expected, Json, JsonKind, Shape};
use serde::{Serialize, Serializer};

model! {
    /// GUILD_AUDIT_LOG_ENTRY_CREATE: somebody did something that the audit log keeps. Needs the
    /// permission VIEW_AUDIT_LOG.
    pub struct AuditLogEntry<'a> demands id {
        /// Its id.
        pub id: AuditLogEntryId,
        /// In which guild.
        pub guild_id: GuildId,
        /// To what it was done: mostly an id, of what kind
        /// [`action_type`](Self::action_type) tells.
        pub target_id: Option<&'a str> | null,
        /// What changed.
        pub changes: &'a [AuditLogChange<'a>] | missing,
        /// Who did it, a user or an application.
        pub user_id: Option<UserId> | null,
        /// What was done.
        pub action_type: AuditLogEvent,
        /// What else there is to say of it.
        pub options: Option<&'a AuditEntryOptions<'a>>,
        /// Why, in the words of who did it; 1 to 512 characters.
        pub reason: Option<&'a str>,
    }
}

model! {
    /// What else there is to say of an entry. Which keys are there depends on what was done.
    pub struct AuditEntryOptions<'a> {
        /// Whose commands' permissions changed; APPLICATION_COMMAND_PERMISSION_UPDATE.
        pub application_id: Option<ApplicationId>,
        /// The rule's name; AUTO_MODERATION_BLOCK_MESSAGE, _FLAG_TO_CHANNEL,
        /// _USER_COMMUNICATION_DISABLED, AUTO_MODERATION_QUARANTINE_USER.
        pub auto_moderation_rule_name: Option<&'a str>,
        /// What set the rule off; the same entries.
        pub auto_moderation_rule_trigger_type: Option<AutoModerationTriggerTypeText>,
        /// Where; MEMBER_MOVE, MESSAGE_PIN, MESSAGE_UNPIN, MESSAGE_DELETE, STAGE_INSTANCE_*,
        /// VOICE_CHANNEL_STATUS_*, and the entries of rules.
        pub channel_id: Option<ChannelId>,
        /// How many; MESSAGE_DELETE, MESSAGE_BULK_DELETE, MEMBER_DISCONNECT, MEMBER_MOVE.
        pub count: Option<NumberText>,
        /// After how many days of absence; MEMBER_PRUNE.
        pub delete_member_days: Option<NumberText>,
        /// Whose overwrite, a role's or a member's; CHANNEL_OVERWRITE_*.
        pub id: Option<GenericId>,
        /// How many left; MEMBER_PRUNE.
        pub members_removed: Option<NumberText>,
        /// Which message; MESSAGE_PIN, MESSAGE_UNPIN.
        pub message_id: Option<MessageId>,
        /// The role's name, if it is a role's overwrite; CHANNEL_OVERWRITE_*.
        pub role_name: Option<&'a str>,
        /// Whether it is a role's or a member's overwrite; CHANNEL_OVERWRITE_*.
        pub kind: Option<AuditLogOverwriteType<'a>> = "type",
        /// The integration that did it, by its type; MEMBER_KICK, MEMBER_ROLE_UPDATE.
        pub integration_type: Option<&'a str>,
        /// The new status; VOICE_CHANNEL_STATUS_CREATE.
        pub status: Option<&'a str>,
    }
}

model! {
    /// Something that changed.
    ///
    /// The key is mostly the name of a field of what was changed. Otherwise:
    /// * `$add` and `$remove` (MEMBER_ROLE_UPDATE): see [`roles`](Self::roles);
    /// * an id (APPLICATION_COMMAND_PERMISSION_UPDATE): the permission of that role, user or
    ///   channel, as an object;
    /// * `channel_id` of invitations, `avatar_hash` of webhooks (not `avatar`).
    pub struct AuditLogChange<'a> {
        /// After it; missing if there is none any more.
        pub new_value: Field<AuditLogValue<'a>>,
        /// Before it; missing if there was none.
        pub old_value: Field<AuditLogValue<'a>>,
        /// What.
        pub key: &'a str,
    }
}

model! {
    /// As much of a role as the audit log tells.
    pub struct AuditLogRole<'a> demands id {
        /// Its id.
        pub id: RoleId,
        /// Its name.
        pub name: &'a str,
    }
}

/// A value that changed: of any type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AuditLogValue<'a> {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// A string: a name, an id, a moment, permissions.
    String(&'a str),
    /// An array or an object as it came, or an integer from 2⁶³ on. [`Json::read`] makes it a
    /// typed value, for instance `json.read::<&[&str]>()` under the key `keyword_filter`.
    Json(Json<'a>),
}

/// A number that stands as a string of decimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumberText(pub u64);

/// An [`AutoModerationTriggerType`] whose number stands as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AutoModerationTriggerTypeText(pub AutoModerationTriggerType);

impl<'a> AuditLogChange<'a> {
    /// The roles that a member was given (`$add`) or lost (`$remove`); `None` for other keys, and
    /// where the value is no list.
    ///
    /// Makes a new list in the payload's arena at each call; `None` too when that is full, after
    /// some hundred calls.
    pub fn roles(&self) -> Option<&'a [AuditLogRole<'a>]> {
        match (self.key, self.new_value) {
            ("$add" | "$remove", Field::Value(AuditLogValue::Json(json))) => json.read().ok(),
            _ => None,
        }
    }
}

impl<'a> AuditLogValue<'a> {
    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// The array or object, if it is one.
    pub fn as_json(self) -> Option<Json<'a>> {
        match self {
            Self::Json(json) => Some(json),
            _ => None,
        }
    }
}

impl<'a> Decode<'a> for AuditLogValue<'a> {
    const ABSENT: Self = Self::Json(Json::NULL);

    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        let json = Json::decode(cursor)?;
        let scalar = match json.kind() {
            JsonKind::Bool => json.as_bool().map(Self::Bool),
            JsonKind::Number => match (json.as_i64(), json.as_u64()) {
                (Some(value), _) => Some(Self::Integer(value)),
                (None, Some(_)) => None, // would lose digits as a double
                (None, None) => json.as_f64().map(Self::Number),
            },
            JsonKind::String => json.as_str().map(Self::String),
            JsonKind::Null | JsonKind::Array | JsonKind::Object => None,
        };
        Ok(scalar.unwrap_or(Self::Json(json)))
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Json(json) if json.is_null())
    }

    fn shape() -> Shape {
        Shape::Json
    }
}

impl Serialize for AuditLogValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Bool(value) => serializer.serialize_bool(value),
            Self::Integer(value) => serializer.serialize_i64(value),
            Self::Number(value) => serializer.serialize_f64(value),
            Self::String(text) => serializer.serialize_str(text),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

impl<'a> Decode<'a> for NumberText {
    const ABSENT: Self = Self(0);
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        super::id::decimal(cursor).map(Self).ok_or(Expected::Integer)
    }
    fn is_absent(&self) -> bool {
        self.0 == 0
    }
    const LEFT_OUT: bool = false;
    fn shape() -> Shape {
        Shape::IntegerOrString
    }
}

/// Decimal digits in a string.
impl Serialize for NumberText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'a> Decode<'a> for AutoModerationTriggerTypeText {
    const ABSENT: Self = Self(AutoModerationTriggerType::ABSENT);
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        AutoModerationTriggerType::decode(cursor).map(Self)
    }
    fn is_absent(&self) -> bool {
        self.0.is_absent()
    }
    const LEFT_OUT: bool = false;
    fn shape() -> Shape {
        Shape::IntegerOrString
    }
}

/// Decimal digits in a string.
impl Serialize for AutoModerationTriggerTypeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.get())
    }
}

wire_enum! {
    /// Whose overwrite an entry is about: the documents' numbers, as strings.
    pub struct AuditLogOverwriteType<'a> { ROLE = "0", MEMBER = "1" }
}

wire_enum! {
    /// What was done.
    pub struct AuditLogEvent(u32) {
        GUILD_UPDATE = 1, CHANNEL_CREATE = 10, CHANNEL_UPDATE = 11, CHANNEL_DELETE = 12,
        CHANNEL_OVERWRITE_CREATE = 13, CHANNEL_OVERWRITE_UPDATE = 14,
        CHANNEL_OVERWRITE_DELETE = 15, MEMBER_KICK = 20, MEMBER_PRUNE = 21, MEMBER_BAN_ADD = 22,
        MEMBER_BAN_REMOVE = 23, MEMBER_UPDATE = 24, MEMBER_ROLE_UPDATE = 25, MEMBER_MOVE = 26,
        MEMBER_DISCONNECT = 27, BOT_ADD = 28, ROLE_CREATE = 30, ROLE_UPDATE = 31, ROLE_DELETE = 32,
        INVITE_CREATE = 40, INVITE_UPDATE = 41, INVITE_DELETE = 42, WEBHOOK_CREATE = 50,
        WEBHOOK_UPDATE = 51, WEBHOOK_DELETE = 52, EMOJI_CREATE = 60, EMOJI_UPDATE = 61,
        EMOJI_DELETE = 62, MESSAGE_DELETE = 72, MESSAGE_BULK_DELETE = 73, MESSAGE_PIN = 74,
        MESSAGE_UNPIN = 75, INTEGRATION_CREATE = 80, INTEGRATION_UPDATE = 81,
        INTEGRATION_DELETE = 82, STAGE_INSTANCE_CREATE = 83, STAGE_INSTANCE_UPDATE = 84,
        STAGE_INSTANCE_DELETE = 85, STICKER_CREATE = 90, STICKER_UPDATE = 91, STICKER_DELETE = 92,
        GUILD_SCHEDULED_EVENT_CREATE = 100, GUILD_SCHEDULED_EVENT_UPDATE = 101,
        GUILD_SCHEDULED_EVENT_DELETE = 102, THREAD_CREATE = 110, THREAD_UPDATE = 111,
        THREAD_DELETE = 112, APPLICATION_COMMAND_PERMISSION_UPDATE = 121,
        SOUNDBOARD_SOUND_CREATE = 130, SOUNDBOARD_SOUND_UPDATE = 131,
        SOUNDBOARD_SOUND_DELETE = 132, AUTO_MODERATION_RULE_CREATE = 140,
        AUTO_MODERATION_RULE_UPDATE = 141, AUTO_MODERATION_RULE_DELETE = 142,
        AUTO_MODERATION_BLOCK_MESSAGE = 143, AUTO_MODERATION_FLAG_TO_CHANNEL = 144,
        AUTO_MODERATION_USER_COMMUNICATION_DISABLED = 145, AUTO_MODERATION_QUARANTINE_USER = 146,
        CREATOR_MONETIZATION_REQUEST_CREATED = 150, CREATOR_MONETIZATION_TERMS_ACCEPTED = 151,
        ONBOARDING_PROMPT_CREATE = 163, ONBOARDING_PROMPT_UPDATE = 164,
        ONBOARDING_PROMPT_DELETE = 165, ONBOARDING_CREATE = 166, ONBOARDING_UPDATE = 167,
        HOME_SETTINGS_CREATE = 190, HOME_SETTINGS_UPDATE = 191, VOICE_CHANNEL_STATUS_CREATE = 192,
        VOICE_CHANNEL_STATUS_DELETE = 193,
    }
}

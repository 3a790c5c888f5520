//! Auto moderation: rules, what sets them off and what they do ([Discord's page];
//! AUTO_MODERATION_*).
//!
//! On the wire the metadata of a trigger and of an action is one object whose keys depend on the
//! type beside it. It is kept so, and [`AutoModerationRule::trigger`] and
//! [`AutoModerationAction::effect`] show it by type.
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/auto-moderation

use super::{AutoModerationRuleId, ChannelId, GuildId, MessageId, RoleId, UserId};

model! {
    /// AUTO_MODERATION_RULE_CREATE, AUTO_MODERATION_RULE_UPDATE, AUTO_MODERATION_RULE_DELETE: a
    /// rule by which Discord moderates a guild.
    pub struct AutoModerationRule<'a> demands id {
        /// Its id.
        pub id: AutoModerationRuleId,
        /// In which guild.
        pub guild_id: GuildId,
        /// Its name.
        pub name: &'a str,
        /// Who made it.
        pub creator_id: UserId,
        /// What it looks at.
        pub event_type: AutoModerationEventType,
        /// What sets it off.
        pub trigger_type: AutoModerationTriggerType,
        /// The same in detail; [`trigger`](Self::trigger) shows it by type.
        pub trigger_metadata: AutoModerationTriggerMetadata<'a> | always,
        /// What it does.
        pub actions: &'a [AutoModerationAction<'a>],
        /// Whether it is on.
        pub enabled: bool,
        /// Whom it leaves alone, at most 20 roles.
        pub exempt_roles: &'a [RoleId],
        /// What it does not look at, at most 50 channels.
        pub exempt_channels: &'a [ChannelId],
    }
}

model! {
    /// What sets a rule off, in detail. Which keys are there depends on the rule's
    /// [`trigger_type`](AutoModerationRule::trigger_type).
    pub struct AutoModerationTriggerMetadata<'a> {
        /// Words and parts of words, at most 1000 of 60 characters; KEYWORD, MEMBER_PROFILE.
        pub keyword_filter: &'a [&'a str] | missing,
        /// Patterns as Rust's regex has them, at most 10 of 260 characters; KEYWORD,
        /// MEMBER_PROFILE.
        pub regex_patterns: &'a [&'a str] | missing,
        /// Discord's own lists of words; KEYWORD_PRESET.
        pub presets: &'a [AutoModerationKeywordPresetType] | missing,
        /// What does not set it off, at most 100 of 60 characters (1000 for KEYWORD_PRESET);
        /// KEYWORD, KEYWORD_PRESET, MEMBER_PROFILE.
        pub allow_list: &'a [&'a str] | missing,
        /// From how many mentions of users and roles on, at most 50; MENTION_SPAM.
        pub mention_total_limit: Option<u64>,
        /// Whether raids of mentions are looked for; MENTION_SPAM.
        pub mention_raid_protection_enabled: Option<bool>,
    }
}

model! {
    /// What a rule does when it is set off.
    pub struct AutoModerationAction<'a> {
        /// Its sort.
        pub kind: AutoModerationActionType = "type",
        /// The same in detail; [`effect`](Self::effect) shows it by type.
        pub metadata: Option<AutoModerationActionMetadata<'a>>,
    }
}

model! {
    /// What a rule does, in detail. Which keys are there depends on the action's
    /// [`kind`](AutoModerationAction::kind).
    pub struct AutoModerationActionMetadata<'a> {
        /// Where the alert goes; SEND_ALERT_MESSAGE.
        pub channel_id: Option<ChannelId>,
        /// For how long, in seconds, at most 2419200 (four weeks); TIMEOUT.
        pub duration_s: Option<u64> = "duration_seconds",
        /// What the author is told, at most 150 characters; BLOCK_MESSAGE.
        pub custom_message: Option<&'a str>,
    }
}

model! {
    /// AUTO_MODERATION_ACTION_EXECUTION: a rule was set off and did something. One event for each
    /// action of the rule.
    pub struct AutoModerationActionExecution<'a> {
        /// In which guild.
        pub guild_id: GuildId,
        /// What was done.
        pub action: AutoModerationAction<'a>,
        /// By which rule.
        pub rule_id: AutoModerationRuleId,
        /// What set it off.
        pub rule_trigger_type: AutoModerationTriggerType,
        /// Who.
        pub user_id: UserId,
        /// Where.
        pub channel_id: Option<ChannelId>,
        /// By which message; `None` if it was blocked or the content is not a message's.
        pub message_id: Option<MessageId>,
        /// The alert that was sent, if that is what was done.
        pub alert_system_message_id: Option<MessageId>,
        /// What was written; empty without the MESSAGE_CONTENT intent.
        pub content: &'a str,
        /// The rule's word or phrase that was found.
        pub matched_keyword: Option<&'a str> | null,
        /// The part of the content in which it was found; empty without the MESSAGE_CONTENT intent.
        pub matched_content: Option<&'a str> | null,
    }
}

/// What sets a rule off, by type: see [`AutoModerationRule::trigger`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoModerationTrigger<'a> {
    /// Words of the guild's own.
    Keyword {
        /// Words and parts of words.
        keyword_filter: &'a [&'a str],
        /// Patterns as Rust's regex has them.
        regex_patterns: &'a [&'a str],
        /// What does not set it off.
        allow_list: &'a [&'a str],
    },
    /// What Discord takes for spam.
    Spam,
    /// Words of Discord's lists.
    KeywordPreset {
        /// Which lists.
        presets: &'a [AutoModerationKeywordPresetType],
        /// What does not set it off.
        allow_list: &'a [&'a str],
    },
    /// Too many mentions.
    MentionSpam {
        /// From how many mentions of users and roles on.
        mention_total_limit: Option<u64>,
        /// Whether raids of mentions are looked for.
        mention_raid_protection_enabled: bool,
    },
    /// Words of the guild's own, in a member's profile.
    MemberProfile {
        /// Words and parts of words.
        keyword_filter: &'a [&'a str],
        /// Patterns as Rust's regex has them.
        regex_patterns: &'a [&'a str],
        /// What does not set it off.
        allow_list: &'a [&'a str],
    },
    /// Something that this version of the library does not know.
    Unknown(AutoModerationTriggerType),
}

/// What a rule does, by type: see [`AutoModerationAction::effect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoModerationEffect<'a> {
    /// The message is not sent.
    BlockMessage {
        /// What its author is told.
        custom_message: Option<&'a str>,
    },
    /// The moderators are told.
    SendAlertMessage {
        /// Where.
        channel_id: Option<ChannelId>,
    },
    /// The member may say nothing for a while.
    Timeout {
        /// For how long, in seconds.
        duration_s: u64,
    },
    /// The member may use neither text, voice nor anything else.
    BlockMemberInteraction,
    /// Something that this version of the library does not know.
    Unknown(AutoModerationActionType),
}

impl<'a> AutoModerationRule<'a> {
    /// What sets the rule off, with what belongs to its type.
    pub fn trigger(&self) -> AutoModerationTrigger<'a> {
        let AutoModerationTriggerMetadata {
            keyword_filter,
            regex_patterns,
            presets,
            allow_list,
            mention_total_limit,
            mention_raid_protection_enabled,
        } = self.trigger_metadata;
        match self.trigger_type {
            AutoModerationTriggerType::KEYWORD => {
                AutoModerationTrigger::Keyword { keyword_filter, regex_patterns, allow_list }
            }
            AutoModerationTriggerType::SPAM => AutoModerationTrigger::Spam,
            AutoModerationTriggerType::KEYWORD_PRESET => {
                AutoModerationTrigger::KeywordPreset { presets, allow_list }
            }
            AutoModerationTriggerType::MENTION_SPAM => AutoModerationTrigger::MentionSpam {
                mention_total_limit,
                mention_raid_protection_enabled: mention_raid_protection_enabled.unwrap_or(false),
            },
            AutoModerationTriggerType::MEMBER_PROFILE => {
                AutoModerationTrigger::MemberProfile { keyword_filter, regex_patterns, allow_list }
            }
            other => AutoModerationTrigger::Unknown(other),
        }
    }
}

impl<'a> AutoModerationAction<'a> {
    /// What is done, with what belongs to its type.
    pub fn effect(&self) -> AutoModerationEffect<'a> {
        let metadata = self.metadata;
        match self.kind {
            AutoModerationActionType::BLOCK_MESSAGE => AutoModerationEffect::BlockMessage {
                custom_message: metadata.and_then(|metadata| metadata.custom_message),
            },
            AutoModerationActionType::SEND_ALERT_MESSAGE => {
                AutoModerationEffect::SendAlertMessage {
                    channel_id: metadata.and_then(|metadata| metadata.channel_id),
                }
            }
            AutoModerationActionType::TIMEOUT => AutoModerationEffect::Timeout {
                duration_s: metadata.and_then(|metadata| metadata.duration_s).unwrap_or(0),
            },
            AutoModerationActionType::BLOCK_MEMBER_INTERACTION => {
                AutoModerationEffect::BlockMemberInteraction
            }
            other => AutoModerationEffect::Unknown(other),
        }
    }
}

wire_enum! {
    /// What a rule looks at.
    pub struct AutoModerationEventType(u32) { MESSAGE_SEND = 1, MEMBER_UPDATE = 2 }
}

wire_enum! {
    /// What sets a rule off.
    pub struct AutoModerationTriggerType(u32) {
        KEYWORD = 1, SPAM = 3, KEYWORD_PRESET = 4, MENTION_SPAM = 5, MEMBER_PROFILE = 6,
    }
}

wire_enum! {
    /// A list of words that Discord keeps.
    pub struct AutoModerationKeywordPresetType(u32) {
        PROFANITY = 1, SEXUAL_CONTENT = 2, SLURS = 3,
    }
}

wire_enum! {
    /// What a rule does.
    pub struct AutoModerationActionType(u32) {
        BLOCK_MESSAGE = 1, SEND_ALERT_MESSAGE = 2, TIMEOUT = 3, BLOCK_MEMBER_INTERACTION = 4,
    }
}

//! Which intents let which dispatches through (protocol.md, section 8). Pure tables.

/// The privileged intents: GUILD_MEMBERS, GUILD_PRESENCES, MESSAGE_CONTENT.
pub const PRIVILEGED: u64 = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT;
/// Every bit that Discord knows; any other closes with 4013.
pub const ALL: u64 = 53_608_447;
/// Bit 0.
pub const GUILDS: u64 = 1;
/// Bit 1, privileged.
pub const GUILD_MEMBERS: u64 = 1 << 1;
/// Bit 8, privileged.
pub const GUILD_PRESENCES: u64 = 1 << 8;
/// Bit 15, privileged: whether message content fields are filled.
pub const MESSAGE_CONTENT: u64 = 1 << 15;

/// Whether a session with `intents` receives dispatches called `name`. Names that stand in no row
/// (READY, INTERACTION_CREATE, names of no document) need no intent. Rows that only direct
/// messages have are not told apart from the guild ones: either intent lets the name through.
pub fn allows(intents: u64, name: &str) -> bool {
    let mut listed = false;
    for (bit, names) in TABLE {
        if names.contains(&name) {
            if intents & (1 << bit) != 0 {
                return true;
            }
            listed = true;
        }
    }
    !listed
}

const MESSAGES: &[&str] =
    &["MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK"];
const REACTIONS: &[&str] = &[
    "MESSAGE_REACTION_ADD",
    "MESSAGE_REACTION_REMOVE",
    "MESSAGE_REACTION_REMOVE_ALL",
    "MESSAGE_REACTION_REMOVE_EMOJI",
];
const POLLS: &[&str] = &["MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE"];

#[rustfmt::skip]
const TABLE: &[(u32, &[&str])] = &[
    (0, &["GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE",
          "GUILD_ROLE_DELETE", "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE",
          "CHANNEL_PINS_UPDATE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE",
          "THREAD_LIST_SYNC", "THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE",
          "STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_UPDATE", "STAGE_INSTANCE_DELETE",
          "VOICE_CHANNEL_STATUS_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE"]),
    (1, &["GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE",
          "THREAD_MEMBERS_UPDATE"]),
    (2, &["GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE"]),
    (3, &["GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE", "GUILD_SOUNDBOARD_SOUND_CREATE",
          "GUILD_SOUNDBOARD_SOUND_UPDATE", "GUILD_SOUNDBOARD_SOUND_DELETE",
          "GUILD_SOUNDBOARD_SOUNDS_UPDATE"]),
    (4, &["GUILD_INTEGRATIONS_UPDATE", "INTEGRATION_CREATE", "INTEGRATION_UPDATE",
          "INTEGRATION_DELETE"]),
    (5, &["WEBHOOKS_UPDATE"]),
    (6, &["INVITE_CREATE", "INVITE_DELETE"]),
    (7, &["VOICE_CHANNEL_EFFECT_SEND", "VOICE_STATE_UPDATE"]),
    (8, &["PRESENCE_UPDATE"]),
    (9, MESSAGES),
    (10, REACTIONS),
    (11, &["TYPING_START"]),
    (12, MESSAGES),
    (12, &["CHANNEL_PINS_UPDATE"]),
    (13, REACTIONS),
    (14, &["TYPING_START"]),
    (16, &["GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE",
           "GUILD_SCHEDULED_EVENT_DELETE", "GUILD_SCHEDULED_EVENT_USER_ADD",
           "GUILD_SCHEDULED_EVENT_USER_REMOVE"]),
    (20, &["AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_UPDATE",
           "AUTO_MODERATION_RULE_DELETE"]),
    (21, &["AUTO_MODERATION_ACTION_EXECUTION"]),
    (24, POLLS),
    (25, POLLS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_passes_with_any_of_its_intents_and_unlisted_names_always_pass() {
        assert!(allows(1 << 12, "MESSAGE_CREATE"));
        assert!(allows(1 << 9, "MESSAGE_CREATE"));
        assert!(!allows(ALL & !(1 << 9 | 1 << 12), "MESSAGE_CREATE"));
        assert!(allows(0, "INTERACTION_CREATE"));
        assert!(allows(0, "SOME_EVENT_OF_TOMORROW"));
        assert!(!allows(0, "GUILD_CREATE"));
    }

    #[test]
    fn the_known_bits_are_those_of_the_table_and_message_content() {
        let bits = TABLE.iter().fold(MESSAGE_CONTENT, |bits, row| bits | 1 << row.0);
        assert_eq!(bits, ALL);
    }
}

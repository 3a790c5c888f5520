//! The texts that a session sends of itself: heartbeat, IDENTIFY, RESUME.
//!
//! Appends to a buffer, keeps nothing. The only place that writes the token into JSON.
//! Called by `session` when the driver pulls a payload.

use crate::command::{Presence, json};
use crate::shard::id::ShardId;
use crate::shard::settings::SessionSettings;
use crate::shard::token::Token;

/// Op 1: the last sequence number of the session, or null before the first.
pub(crate) fn heartbeat(out: &mut Vec<u8>, sequence: Option<u64>) {
    out.extend_from_slice(br#"{"op":1,"d":"#);
    match sequence {
        Some(sequence) => json::number(out, sequence),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

/// Op 2 (protocol section 4). Without `compress`: transport compression excludes it. `presence` is
/// what a command had set; otherwise it is that of the settings, if there is one.
pub(crate) fn identify(
    out: &mut Vec<u8>,
    settings: &SessionSettings,
    shard: ShardId,
    presence: Option<&Presence>,
) {
    out.extend_from_slice(br#"{"op":2,"d":{"token":"#);
    json::string(out, settings.token.expose());
    out.extend_from_slice(
        br#","properties":{"os":"linux","browser":"shardring","device":"shardring"},"intents":"#,
    );
    json::number(out, settings.intents);
    out.extend_from_slice(br#","shard":["#);
    json::number(out, shard.id.into());
    out.push(b',');
    json::number(out, shard.total.into());
    out.push(b']');
    if let Some(large_threshold) = settings.large_threshold {
        out.extend_from_slice(br#","large_threshold":"#);
        json::number(out, large_threshold.into());
    }
    let start = settings.presence.as_ref().filter(|_| presence.is_none());
    let start = start.map(|start| start.over(&Presence::default()));
    if let Some(presence) = presence.or(start.as_ref()) {
        out.extend_from_slice(br#","presence":"#);
        presence.write(out);
    }
    out.extend_from_slice(b"}}");
}

/// Op 6 (protocol section 5). A session that has seen no sequence number resumes from 0.
pub(crate) fn resume(out: &mut Vec<u8>, token: &Token, session_id: &str, sequence: u64) {
    out.extend_from_slice(br#"{"op":6,"d":{"token":"#);
    json::string(out, token.expose());
    out.extend_from_slice(br#","session_id":"#);
    json::string(out, session_id);
    out.extend_from_slice(br#","seq":"#);
    json::number(out, sequence);
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{CommandError, PAYLOAD_LEN_MAX, PRESENCE_LEN_MAX, Status, UpdatePresence};
    use crate::shard::settings::SettingsError;
    use crate::shard::token::TOKEN_LEN_MAX;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(json::check(&out), Ok(()));
        String::from_utf8(out).unwrap()
    }

    fn settings() -> SessionSettings {
        SessionSettings::new(Token::new("t.o-k").unwrap(), 513, "ws://localhost")
    }

    #[test]
    fn heartbeat_says_the_last_sequence_or_null() {
        assert_eq!(text(|out| heartbeat(out, None)), r#"{"op":1,"d":null}"#);
        assert_eq!(text(|out| heartbeat(out, Some(0))), r#"{"op":1,"d":0}"#);
    }

    #[test]
    fn identify_carries_what_the_settings_say_and_nothing_else() {
        let plain = text(|out| identify(out, &settings(), ShardId::new(3, 64), None));
        assert_eq!(
            plain,
            r#"{"op":2,"d":{"token":"t.o-k","properties":{"os":"linux","browser":"shardring","device":"shardring"},"intents":513,"shard":[3,64]}}"#
        );
        let mut rich = settings();
        rich.large_threshold = Some(250);
        rich.presence = Some(UpdatePresence::new(Status::Idle));
        let rich = text(|out| identify(out, &rich, ShardId::new(0, 1), None));
        assert!(rich.ends_with(
            r#""shard":[0,1],"large_threshold":250,"presence":{"since":null,"activities":[],"status":"idle","afk":false}}}"#
        ));
    }

    #[test]
    fn resume_escapes_the_session_id_of_a_strange_peer() {
        let token = Token::new("t").unwrap();
        assert_eq!(
            text(|out| resume(out, &token, "a\"b", 7)),
            r#"{"op":6,"d":{"token":"t","session_id":"a\"b","seq":7}}"#
        );
    }

    #[test]
    fn settings_that_discord_could_not_take_are_refused() {
        assert_eq!(settings().check(), Ok(()));
        let mut wrong = settings();
        wrong.large_threshold = Some(49);
        assert_eq!(wrong.check(), Err(SettingsError::LargeThreshold { large_threshold: 49 }));
        let mut long = settings();
        let activity = crate::command::Activity::playing("x".repeat(4000));
        long.presence = Some(UpdatePresence::default().activity(activity));
        let too_long = |error| matches!(error, CommandError::PresenceTooLong { .. });
        assert!(matches!(long.check(), Err(SettingsError::Presence(error)) if too_long(error)));
    }

    #[test]
    fn the_longest_presence_fits_into_identify_beside_the_longest_token() {
        let token = Token::new(&"t".repeat(TOKEN_LEN_MAX)).unwrap();
        let mut settings = SessionSettings::new(token, u64::MAX, "ws://localhost");
        settings.large_threshold = Some(250);
        let fits = |len: usize| {
            let activity = crate::command::Activity::playing("x".repeat(len));
            UpdatePresence::default().activity(activity)
        };
        let longest = (0..PRESENCE_LEN_MAX).rev().find(|len| fits(*len).check().is_ok()).unwrap();
        settings.presence = Some(fits(longest).idle_since_ms(u64::MAX).afk(false));
        assert_eq!(settings.check(), Ok(()));
        let identify = text(|out| identify(out, &settings, ShardId::new(u32::MAX, u32::MAX), None));
        assert!(identify.len() <= PAYLOAD_LEN_MAX && identify.len() > PRESENCE_LEN_MAX);
    }
}

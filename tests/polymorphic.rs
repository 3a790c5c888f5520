//! Data whose type another key tells, and objects of which little is told: limits by opcode, the
//! audit log's values, triggers and actions of rules, applications.
//!
//! Each is read from a payload of its own through the public doors, looked at, and written out.

use serde_json::{Value, json};
use shardring::decode::{PADDING, Scratch};
use shardring::model::*;

/// Reads `$text` as the `$type` of an event's data and runs `$check` with it and with what serde
/// writes it out to. Gives the number of fields that could not be read.
macro_rules! read {
    ($text:expr, |$value:ident: $type:ty, $out:ident| $check:expr) => {{
        let mut payload = format!(r#"{{"op":0,"d":{}}}"#, $text).into_bytes();
        let len = payload.len();
        payload.resize(len + PADDING, 0);
        let mut scratch = Scratch::new();
        let visit = scratch.read(&mut payload, len, |root| {
            let $value: $type = root.data().read("test").unwrap();
            let $out = serde_json::to_value(&$value).unwrap();
            $check
        });
        visit.unwrap();
        scratch.notes().count()
    }};
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_was_limited_is_told_by_the_opcode_wherever_it_stands() {
    for text in [
        r#"{"opcode":8,"retry_after":1.5,"meta":{"guild_id":"7","nonce":"a"}}"#,
        r#"{"meta":{"guild_id":"7","nonce":"a"},"retry_after":1.5,"opcode":8}"#,
    ] {
        let notes = read!(text, |limited: RateLimited<'_>, out| {
            let RateLimitedMeta::RequestGuildMembers(meta) = limited.meta else {
                panic!("{limited:?}")
            };
            assert_eq!((limited.retry_after_s, meta.guild_id.get()), (1.5, 7));
            assert_eq!(meta.nonce, Some("a"));
            assert_eq!(out, parse(text));
        });
        assert_eq!(notes, 0);
    }
}

#[test]
fn what_is_told_of_an_unknown_limit_is_kept() {
    for (text, notes_due) in [
        (r#"{"opcode":43,"retry_after":2.0,"meta":{"guild_id":"7","more":[1]}}"#, 0),
        (r#"{"opcode":8,"retry_after":2.0,"meta":{"channel_id":"7"}}"#, 1),
        (r#"{"opcode":8,"retry_after":2.0,"meta":null}"#, 1),
    ] {
        let notes = read!(text, |limited: RateLimited<'_>, out| {
            assert!(matches!(limited.meta, RateLimitedMeta::Unknown(_)));
            assert_eq!(out, parse(text));
        });
        assert_eq!(notes, notes_due, "{text}");
    }
}

#[test]
fn what_has_no_id_of_its_own_is_read_whatever_is_missing() {
    let text = r#"{"retry_after":2.0,"meta":{"guild_id":"7"}}"#;
    read!(text, |limited: RateLimited<'_>, _out| {
        assert_eq!((limited.opcode, limited.retry_after_s), (0, 2.0));
        assert!(matches!(limited.meta, RateLimitedMeta::Unknown(json) if json.len() == 1));
    });
    let text = r#"{"guild_id":"1","user_id":"2","action":{"type":4}}"#;
    read!(text, |event: AutoModerationActionExecution<'_>, _out| {
        assert_eq!((event.guild_id.get(), event.rule_id.get()), (1, 0));
        assert_eq!(event.action.effect(), AutoModerationEffect::BlockMemberInteraction);
    });
    let text = r#"{"id":"1","changes":[{"key":null,"new_value":"x"}]}"#;
    let notes = read!(text, |entry: AuditLogEntry<'_>, _out| {
        let [change] = entry.changes else { panic!("{entry:?}") };
        assert_eq!(change.key, "");
        assert_eq!(change.new_value.value().and_then(AuditLogValue::as_str), Some("x"));
    });
    assert_eq!(notes, 1, "of the key");
}

#[test]
fn control_payloads_read_what_other_servers_send_too() {
    for (text, resumable) in [("true", true), ("false", false), ("null", false), ("{}", false)] {
        read!(text, |session: InvalidSession, out| {
            assert_eq!((session.resumable, out), (resumable, json!(resumable)));
        });
        let notes = read!(text, |reconnect: Reconnect, out| {
            assert_eq!((reconnect, out), (Reconnect, Value::Null));
        });
        assert_eq!(notes, 0);
    }
}

#[test]
fn changes_of_every_type_are_kept_apart_and_written_as_they_came() {
    let text = r#"{"id":"1","guild_id":"2","target_id":"3","user_id":"4","action_type":1,
        "changes":[
            {"key":"a","new_value":true,"old_value":false},
            {"key":"b","new_value":-7,"old_value":9223372036854775807},
            {"key":"c","new_value":0.5,"old_value":18446744073709551615},
            {"key":"d","new_value":"x"},
            {"key":"e","old_value":["x",{"y":null}]},
            {"key":"f","new_value":null}]}"#;
    let notes = read!(text, |entry: AuditLogEntry<'_>, out| {
        use AuditLogValue::{Bool, Integer, Number};
        let change = |at: usize| (entry.changes[at].new_value, entry.changes[at].old_value);
        assert!(matches!(change(0), (Field::Value(Bool(true)), Field::Value(Bool(false)))));
        assert_eq!(change(1).0.value().and_then(AuditLogValue::as_i64), Some(-7));
        assert!(matches!(change(1).1, Field::Value(Integer(i64::MAX))));
        assert!(matches!(change(2).0, Field::Value(Number(half)) if half == 0.5));
        let large = change(2).1.value().and_then(AuditLogValue::as_json).unwrap();
        assert_eq!(large.as_u64(), Some(u64::MAX));
        assert_eq!(change(3).0.value().and_then(AuditLogValue::as_str), Some("x"));
        assert!(change(3).1.is_missing() && change(4).0.is_missing());
        let list = change(4).1.value().and_then(AuditLogValue::as_json).unwrap();
        assert_eq!(list.len(), 2);
        assert!(change(5).0.is_null());
        assert_eq!(out, parse(text));
    });
    assert_eq!(notes, 0);
}

#[test]
fn roles_that_a_member_was_given_or_lost_are_a_list() {
    let text = r#"{"id":"1","changes":[
        {"key":"$add","new_value":[{"id":"5","name":"five"},{"id":"6","name":"six"}]},
        {"key":"$remove","new_value":[{"id":"7","name":"seven"}]},
        {"key":"$add","new_value":"all"},
        {"key":"roles","new_value":[{"id":"8","name":"eight"}]}]}"#;
    read!(text, |entry: AuditLogEntry<'_>, _out| {
        let ids = |at: usize| {
            let roles = entry.changes[at].roles()?;
            Some(roles.iter().map(|role| role.id.get()).collect::<Vec<_>>())
        };
        assert_eq!((ids(0), ids(1)), (Some(vec![5, 6]), Some(vec![7])));
        assert_eq!((ids(2), ids(3)), (None, None));
    });
}

#[test]
fn numbers_in_strings_are_numbers_and_written_as_strings_again() {
    let text = r#"{"id":"1","options":{"count":"3","members_removed":12,"type":"0",
        "delete_member_days":"x","auto_moderation_rule_trigger_type":"4"}}"#;
    let notes = read!(text, |entry: AuditLogEntry<'_>, out| {
        let options = entry.options.unwrap();
        assert_eq!(options.count, Some(NumberText(3)));
        assert_eq!(options.members_removed, Some(NumberText(12)));
        assert_eq!(options.delete_member_days, None);
        assert_eq!(options.kind, Some(AuditLogOverwriteType::ROLE));
        let trigger = options.auto_moderation_rule_trigger_type.unwrap().0;
        assert_eq!(trigger, AutoModerationTriggerType::KEYWORD_PRESET);
        assert_eq!(out["options"]["members_removed"], "12");
        assert_eq!(out["options"]["auto_moderation_rule_trigger_type"], "4");
    });
    assert_eq!(notes, 1, "of days that are no number");
}

#[test]
fn a_trigger_shows_what_belongs_to_its_type_and_nothing_else() {
    type Trigger<'a> = AutoModerationTrigger<'a>;
    let (keyword_filter, regex_patterns): (&[&str], &[&str]) = (&["a"], &["b"]);
    let allow_list: &[&str] = &["c"];
    let presets = &[1, 9].map(AutoModerationKeywordPresetType::new);
    let raids = false; // the key is missing
    for (kind, expected) in [
        (1, Trigger::Keyword { keyword_filter, regex_patterns, allow_list }),
        (2, Trigger::Unknown(AutoModerationTriggerType::new(2))),
        (3, Trigger::Spam),
        (4, Trigger::KeywordPreset { presets, allow_list }),
        (
            5,
            Trigger::MentionSpam {
                mention_total_limit: Some(5),
                mention_raid_protection_enabled: raids,
            },
        ),
        (6, Trigger::MemberProfile { keyword_filter, regex_patterns, allow_list }),
    ] {
        let text = json!({"id": "1", "trigger_type": kind, "trigger_metadata": {
            "keyword_filter": ["a"], "regex_patterns": ["b"], "presets": [1, 9],
            "allow_list": ["c"], "mention_total_limit": 5,
        }});
        let notes = read!(text, |rule: AutoModerationRule<'_>, out| {
            assert_eq!(rule.trigger(), expected);
            assert_eq!(out["trigger_metadata"], text["trigger_metadata"]);
        });
        assert_eq!(notes, 0);
    }
}

#[test]
fn an_action_shows_what_belongs_to_its_type_and_nothing_else() {
    type Effect<'a> = AutoModerationEffect<'a>;
    let full = json!({"custom_message": "no", "channel_id": "7", "duration_seconds": 60});
    let alert = Effect::SendAlertMessage { channel_id: Some(ChannelId::new(7)) };
    for (kind, metadata, expected) in [
        (1, Some(&full), Effect::BlockMessage { custom_message: Some("no") }),
        (1, None, Effect::BlockMessage { custom_message: None }),
        (2, Some(&full), alert),
        (3, Some(&full), Effect::Timeout { duration_s: 60 }),
        (3, None, Effect::Timeout { duration_s: 0 }),
        (4, None, Effect::BlockMemberInteraction),
        (9, Some(&full), Effect::Unknown(AutoModerationActionType::new(9))),
    ] {
        let mut action = json!({"type": kind});
        if let Some(metadata) = metadata {
            action["metadata"] = metadata.clone();
        }
        let text = json!({"rule_id": "1", "action": action});
        let notes = read!(text, |event: AutoModerationActionExecution<'_>, out| {
            assert_eq!(event.action.effect(), expected);
            assert_eq!(out["action"], action);
        });
        assert_eq!(notes, 0);
    }
}

#[test]
fn an_application_of_which_little_is_told_is_written_with_no_more() {
    for text in [
        r#"{"id":"7"}"#,
        r#"{"id":"7","name":"a","icon":null,"description":"","type":null,"bot":{"id":"8"}}"#,
        r#"{"id":"7","flags":8192,"flags_new":"18014398509490176","team":null}"#,
        r#"{"id":"7","integration_types_config":{"0":{"oauth2_install_params":
            {"scopes":["bot"],"permissions":"2048"}},"1":{},"9":{}}}"#,
    ] {
        let notes = read!(text, |_application: Application<'_>, out| {
            assert_eq!(out, parse(text));
        });
        assert_eq!(notes, 0);
    }
}

#[test]
fn flags_are_the_same_in_a_number_and_in_a_string() {
    let text = r#"{"id":"7","flags":8192,"flags_new":"18014398509490176"}"#;
    read!(text, |application: Application<'_>, _out| {
        let new = application.flags_new.unwrap().0;
        assert!(new.contains(application.flags.unwrap()));
        assert_eq!(new.bits(), 1 << 54 | 1 << 13);
    });
}

#[test]
fn ways_in_which_an_application_is_added_are_found_by_their_type() {
    let text = r#"{"id":"7","integration_types_config":{"1":{},"0":{"oauth2_install_params":
        {"scopes":["bot"],"permissions":"2048"}},"x":{}}}"#;
    read!(text, |application: Application<'_>, _out| {
        let ways = application.integration_types_config;
        assert_eq!(ways.len(), 2);
        let guilds = ways.get(ApplicationIntegrationType::GUILD_INSTALL).unwrap();
        let params = guilds.oauth2_install_params.unwrap();
        assert_eq!(params.scopes, ["bot"]);
        assert_eq!(params.permissions, Permissions::SEND_MESSAGES);
        let users = ways.get(ApplicationIntegrationType::USER_INSTALL).unwrap();
        assert!(users.oauth2_install_params.is_none());
    });
}

#[test]
fn an_entitlement_is_written_with_the_keys_that_only_the_examples_show() {
    let text = r#"{"id":"1","sku_id":"2","application_id":"3","type":8,"deleted":false,
        "starts_at":"2022-09-14T17:00:18.704163+00:00","ends_at":null,"guild_id":"4",
        "promotion_id":null,"gift_code_flags":0,"subscription_id":"5"}"#;
    let notes = read!(text, |entitlement: Entitlement<'_>, out| {
        assert_eq!(entitlement.kind, EntitlementType::APPLICATION_SUBSCRIPTION);
        assert!(entitlement.starts_at.is_some() && entitlement.ends_at.is_none());
        assert!(entitlement.promotion_id.is_null());
        assert_eq!(out, parse(text));
    });
    assert_eq!(notes, 0);
}

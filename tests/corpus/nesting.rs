//! Nesting without end, on a stack so small that a recursion would show: a typed error beyond the
//! bound, an event that can be printed up to it.

use crate::corpus;
use crate::schema::Schema;
use shardring::decode::{DEPTH_MAX, DecodeError, Envelope, Scratch};
use shardring::model::EventKind;

/// A thread's stack: an eighth of what std gives.
const STACK_LEN: usize = 256 * 1024;
/// Levels of a hostile payload.
const LEVELS: usize = 100_000;

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK_LEN).spawn(test).unwrap().join().unwrap();
}

/// `levels` times `open`, a value, `levels` times `close`.
fn nest(open: &str, value: &str, close: &str, levels: usize) -> String {
    [&open.repeat(levels), value, &close.repeat(levels)].concat()
}

#[test]
fn a_hundred_thousand_levels_in_any_field_of_any_event_are_a_typed_error() {
    on_a_small_stack(|| {
        let schema = Schema::load();
        let deep = [nest("[", "1", "]", LEVELS), nest(r#"{"id":"#, "1", "}", LEVELS)];
        let mut scratch = Scratch::new();
        let mut count = 0;
        for name in schema.dispatches() {
            let kind = EventKind::from_name(name);
            let fields = schema.event(name);
            for (n, key) in fields.keys().map(String::as_str).chain(["of_tomorrow"]).enumerate() {
                let deep = &deep[n % 2];
                let text = format!(r#"{{"op":0,"d":{{"{key}":{deep}}},"s":3,"x":0,"t":"{name}"}}"#);
                let envelope = Envelope::scan(text.as_bytes()).unwrap();
                assert_eq!((envelope.s, envelope.t), (Some(3), Some(name)));
                let got = corpus::read(&mut scratch, kind, text.as_bytes(), |_, _| ());
                assert!(matches!(got, Err(DecodeError::Depth { .. })), "{name}.{key}: {got:?}");
                count += 1;
            }
        }
        assert!(count > 500, "only {count} fields");
    });
}

/// What recurses in the documents: the event, the text before the recursion, one level of it
/// (with `…` where the next stands), the innermost value, the text behind.
const CHAINS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "MESSAGE_CREATE",
        r#"{"id":"1","components":["#,
        r#"{"type":17,"components":[…]}"#,
        r#"{"type":10,"content":"x"}"#,
        "]}",
    ),
    (
        "MESSAGE_CREATE",
        r#"{"id":"1","components":["#,
        r#"{"type":1,"components":[…]}"#,
        r#"{"type":2,"style":1}"#,
        "]}",
    ),
    (
        "MESSAGE_CREATE",
        r#"{"id":"1","components":["#,
        r#"{"type":9,"components":[],"accessory":…}"#,
        r#"{"type":11}"#,
        "]}",
    ),
    (
        "MESSAGE_CREATE",
        r#"{"id":"1","components":["#,
        r#"{"type":18,"label":"x","component":…}"#,
        r#"{"type":4}"#,
        "]}",
    ),
    ("MESSAGE_CREATE", "", r#"{"id":"1","referenced_message":…}"#, r#"{"id":"1"}"#, ""),
    ("MESSAGE_UPDATE", "", r#"{"id":"1","referenced_message":…}"#, r#"{"id":"1"}"#, ""),
    (
        "MESSAGE_CREATE",
        "",
        r#"{"id":"1","message_snapshots":[{"message":…}]}"#,
        r#"{"id":"1"}"#,
        "",
    ),
    ("MESSAGE_CREATE", "", r#"{"id":"1","resolved":{"messages":{"1":…}}}"#, r#"{"id":"1"}"#, ""),
    (
        "MESSAGE_CREATE",
        r#"{"id":"1","interaction_metadata":"#,
        r#"{"id":"1","type":5,"triggering_interaction_metadata":…}"#,
        r#"{"id":"1","type":2}"#,
        "}",
    ),
    ("MESSAGE_CREATE", r#"{"id":"1","embeds":["#, r#"{"fields":[…]}"#, r#"{"name":"x"}"#, "]}"),
    (
        "INTERACTION_CREATE",
        r#"{"id":"1","type":2,"token":"t","data":{"id":"1","name":"x","type":1,"options":["#,
        r#"{"name":"x","type":2,"options":[…]}"#,
        r#"{"name":"x","type":3,"value":"y"}"#,
        "]}}",
    ),
    (
        "INTERACTION_CREATE",
        r#"{"id":"1","type":5,"token":"t","data":{"custom_id":"x","components":["#,
        r#"{"type":18,"id":1,"component":…}"#,
        r#"{"type":4,"id":1,"value":"x"}"#,
        "]}}",
    ),
    (
        "INTERACTION_CREATE",
        r#"{"id":"1","type":3,"token":"t","message":"#,
        r#"{"id":"1","referenced_message":…}"#,
        r#"{"id":"1"}"#,
        "}",
    ),
    (
        "INTERACTION_CREATE",
        r#"{"id":"1","type":2,"token":"t","data":{"id":"1","resolved":{"messages":{"1":"#,
        r#"{"id":"1","thread":{"id":"1"},"resolved":{"messages":{"1":…}}}"#,
        r#"{"id":"1"}"#,
        "}}}}",
    ),
    (
        "GUILD_AUDIT_LOG_ENTRY_CREATE",
        r#"{"id":"1","changes":[{"key":"x","new_value":"#,
        r#"{"x":[…]}"#,
        "1",
        "}]}",
    ),
    (
        "THREAD_MEMBERS_UPDATE",
        r#"{"id":"1","added_members":["#,
        r#"{"id":"1","member":…}"#,
        r#"{"roles":[]}"#,
        "]}",
    ),
    ("READY", r#"{"session_id":"s","auth":"#, "[…]", "1", "}"),
    ("RESUMED", "", "[…]", "1", ""),
    ("SOMETHING_NEW", "", r#"{"a":…}"#, "null", ""),
];

/// How many objects and lists are open at once in `text`.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[test]
fn chains_up_to_the_bound_are_events_and_beyond_it_typed_errors() {
    on_a_small_stack(|| {
        let mut scratch = Scratch::new();
        for (name, before, level, inner, after) in CHAINS {
            let kind = EventKind::from_name(name);
            let (open, close) = level.split_once('…').unwrap();
            let mut deepest = 0;
            for levels in 0..=DEPTH_MAX + 1 {
                let d = [before, nest(open, inner, close, levels).as_str(), after].concat();
                let text = format!(r#"{{"t":"{name}","s":1,"op":0,"d":{d}}}"#);
                let got = corpus::read(&mut scratch, kind, text.as_bytes(), |event, root| {
                    assert_eq!(event.kind(), kind);
                    assert_eq!(root.json().to_string(), d, "{name}");
                    format!("{event:?}").len().min(format!("{event:#?}").len())
                });
                let depth = depth(&text);
                if depth <= DEPTH_MAX {
                    assert!(got.is_ok_and(|len| len > 0), "{name} of depth {depth}: {got:?}");
                    deepest = depth;
                } else {
                    assert!(
                        matches!(got, Err(DecodeError::Depth { .. })),
                        "{name} {depth} {got:?}"
                    );
                }
            }
            assert!(deepest > DEPTH_MAX - 6, "{name} was read to {deepest} only");
        }
    });
}

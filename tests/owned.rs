//! Events that are kept: what is opened is what the handler saw.

mod payload;

use payload::{Random, corpus, read, with_data};
use serde_json::Value;
use shardring::decode::{DEPTH_MAX, Scratch};
use shardring::model::Untyped;
use shardring::{DecodeError, Event, EventKind, OwnedEvent};

/// All that can be seen of an event.
#[derive(Debug, PartialEq)]
struct Seen {
    kind: EventKind,
    name: String,
    debug: String,
    json: Option<String>,
    written: Option<String>,
    read: Option<Value>,
}

fn see(event: &Event<'_>) -> Seen {
    Seen {
        kind: event.kind(),
        name: event.name().to_owned(),
        debug: format!("{event:?}"),
        json: event.json().map(|json| json.to_string()),
        written: serde_json::to_string(event).ok(),
        read: event.deserialize().ok(),
    }
}

/// Keeps the event and looks at it in both ways, in a scratch that other events have used.
#[track_caller]
fn keep(event: &Event<'_>, scratch: &mut Scratch) -> OwnedEvent {
    let kept = event.to_owned();
    let want = see(event);
    assert_eq!((kept.kind(), kept.name()), (want.kind, &*want.name));
    assert_eq!(kept.visit(|event| see(&event)), want);
    assert_eq!(kept.read(scratch, |event| see(&event)), want);
    let copy = kept.clone();
    drop(kept);
    assert_eq!(copy.read(scratch, |event| see(&event)), want);
    // What was opened can be kept again.
    assert_eq!(copy.visit(|event| event.to_owned()).visit(|event| see(&event)), want);
    copy
}

#[test]
fn every_event_of_the_corpus_is_the_same_when_it_is_opened() {
    let (mut first, mut second) = (Scratch::new(), Scratch::new());
    for (name, text) in corpus() {
        read(&mut first, &text, |event| {
            let kept = keep(&event, &mut second);
            assert!(kept.heap_len() <= text.len(), "{name}: {} bytes", kept.heap_len());
        })
        .unwrap();
        assert_eq!(second.notes().count(), first.notes().count(), "{name}");
    }
}

#[test]
fn random_values_are_the_same_when_they_are_opened() {
    let mut random = Random(0xC0FFEE);
    let mut scratch = Scratch::new();
    for round in 0..1_500 {
        let mut text = String::new();
        let value = random.value(round % 8);
        random.write(&value, &mut text);
        with_data(&text, |event| {
            let kept = keep(&event, &mut scratch);
            let opened: Value = kept.visit(|event| event.deserialize().unwrap());
            assert_eq!(opened.to_string(), value.to_string());
        });
    }
}

#[test]
fn numbers_texts_and_nests_at_their_bounds_survive() {
    let mut scratch = Scratch::new();
    let mut texts: Vec<String> = [
        "0",
        "1",
        "14",
        "15",
        "16",
        "78",
        "79",
        "18446744073709551615",
        "9223372036854775807",
        "9223372036854775808",
        "-1",
        "-15",
        "-16",
        "-9223372036854775808",
        "-0",
        "-0.0",
        "0.0",
        "1.0",
        "5e-324",
        "1.7976931348623157e308",
        "-2.5",
        "0.1",
        "true",
        "false",
        "null",
        "{}",
        "[]",
        "[[]]",
        "[{}]",
        r#"{"":""}"#,
        r#"{"a":{"b":[1,{"c":[]}]},"a":2}"#,
        r#""\ud83d\ude00 \u0000 \u007f \u0080 \uffff \"\\\/\b\f\n\r\t""#,
    ]
    .map(str::to_owned)
    .into();
    // Lengths around each step of the head: 15, 15 + 64, 15 + 64².
    for len in [13, 14, 15, 16, 77, 78, 79, 80, 4_109, 4_110, 4_111, 4_112, 300_000] {
        texts.push(format!("\"{}\"", "x".repeat(len)));
        texts.push(format!("[{}0]", "0,".repeat(len - 1)));
        let entries: Vec<String> =
            (0..len.min(5_000)).map(|at| format!("\"{at}\":[{at}]")).collect();
        texts.push(format!("{{{}}}", entries.join(",")));
    }
    for levels in [DEPTH_MAX - 1, 30] {
        texts.push(format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        texts.push(format!("{}1{}", r#"{"k":"#.repeat(levels), "}".repeat(levels)));
    }
    for text in &texts {
        with_data(text, |event| {
            keep(&event, &mut scratch);
        });
    }
    with_data("-0.0", |event| {
        let opened = event.to_owned().visit(|event| event.json().unwrap().as_f64());
        assert_eq!(opened.map(f64::to_bits), Some((-0.0_f64).to_bits()));
    });
}

#[test]
fn each_form_is_kept_as_that_form() {
    let mut scratch = Scratch::new();
    let text = r#"{"op":0,"s":1,"t":"TYPING_START","d":{"user_id":"7","channel_id":"8"}}"#;
    let (kind, name) = (EventKind::TypingStart, "TYPING_START");
    read(&mut Scratch::new(), text, |event| {
        assert!(matches!(event, Event::TypingStart(_)));
        keep(&event, &mut scratch);
        // A typed kind whose tree alone was handed on.
        let data = event.json().unwrap();
        keep(&Event::Untyped(Untyped { kind, name, data }), &mut scratch);
    })
    .unwrap();
    keep(&Event::raw(kind, name, text.as_bytes()), &mut scratch);
    keep(
        &Event::raw(EventKind::Unknown, "NEW\u{e9}", "{\"d\": \"\u{1f600}\"}".as_bytes()),
        &mut scratch,
    );
    for error in [DecodeError::Json { at: 3 }, DecodeError::Depth { at: 70 }] {
        keep(&Event::undecoded(EventKind::Unknown, "BROKEN", error), &mut scratch);
    }
    // Without `d`, and with a type that is not readable.
    for text in [r#"{"op":0,"t":"MESSAGE_CREATE"}"#, r#"{"op":0,"t":"MESSAGE_CREATE","d":[1]}"#] {
        read(&mut Scratch::new(), text, |event| {
            assert!(matches!(event, Event::Untyped(_)));
            keep(&event, &mut scratch);
        })
        .unwrap();
    }
}

#[test]
fn a_list_that_was_too_long_for_the_arena_is_so_again() {
    let embeds = vec!["{}"; 40_000].join(",");
    let text = format!(r#"{{"op":0,"t":"MESSAGE_CREATE","d":{{"id":"1","embeds":[{embeds}]}}}}"#);
    let mut first = Scratch::new();
    read(&mut first, &text, |event| {
        assert!(matches!(event, Event::MessageCreate(message) if message.embeds.is_empty()));
        keep(&event, &mut Scratch::new());
    })
    .unwrap();
    assert!(first.notes().count() > 0, "the embeds did not fit");
}

#[test]
fn a_kept_event_is_opened_on_other_threads() {
    let kept = with_data(r#"{"a":[1,2,3]}"#, |event| event.to_owned());
    let kept = &kept;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                kept.visit(|event| {
                    assert_eq!(
                        event.deserialize::<Value>().unwrap(),
                        serde_json::json!({"a": [1, 2, 3]})
                    );
                });
            });
        }
    });
}

#[test]
fn the_debug_form_of_a_kept_event_has_no_content() {
    let kept = with_data(r#"{"token":"hush","k":"hush"}"#, |event| event.to_owned());
    assert!(!format!("{kept:?}").contains("hush"));
    assert_eq!(kept.name(), "SOMETHING_NEW");
}

#[test]
fn a_panic_in_the_visitor_leaves_the_scratch_usable() {
    let kept = with_data("[1,2]", |event| event.to_owned());
    let mut scratch = Scratch::new();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        kept.read(&mut scratch, |_| panic!("the visitor's fault"))
    }));
    assert!(unwound.is_err());
    assert_eq!(kept.read(&mut scratch, |event| event.json().unwrap().len()), 2);
}

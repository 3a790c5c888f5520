//! The bound of the arena, and what is noted and printed, whatever was read before.

mod payload;

use payload::{read, with_data};
use serde_json::Value;
use shardring::decode::Scratch;
use shardring::{Event, EventKind};

fn guild(channels: usize, pad: usize) -> String {
    let list = vec![r#"{"id":"1"}"#; channels].join(",");
    let pad = "x".repeat(pad);
    format!(
        r#"{{"op":0,"s":1,"t":"GUILD_CREATE","d":{{"id":"1","x":"{pad}","channels":[{list}]}}}}"#
    )
}

#[test]
fn what_the_arena_held_for_one_payload_does_not_lift_the_bound_of_the_next() {
    let mut scratch = Scratch::new();
    // A legal payload: much text beside few channels, so that a large chunk stays in the arena.
    read(&mut scratch, &guild(300, 200_000), |_| ()).unwrap();
    assert_eq!(scratch.notes().count(), 0);
    let mut lens = Vec::new();
    // Each list needs some 43 bytes of arena for each of its text, and is to be refused.
    for channels in [1_000, 4_000, 16_000, 64_000] {
        let text = guild(channels, 0);
        let mut fresh = Scratch::new();
        read(&mut fresh, &text, |_| ()).unwrap();
        assert_eq!(fresh.notes().count(), 1, "fresh buffers refuse {channels}");
        read(&mut scratch, &text, |_| ()).unwrap();
        lens.push((text.len(), fresh.heap_len(), scratch.heap_len(), scratch.notes().count()));
    }
    assert!(lens.iter().all(|len| len.3 == 1), "(text, heap fresh, heap warm, notes): {lens:?}");
}

#[test]
fn a_payload_within_its_allowance_is_read_whatever_was_read_before() {
    let (mut failed, mut tried) = (Vec::new(), 0);
    for n in [200usize, 400, 800, 1600] {
        // Four fifths of the allowance at most.
        let want = guild(n, n * 472 / 6 - n * 11);
        let notes = |scratch: &mut Scratch, text: &str| {
            read(scratch, text, |_| ()).unwrap();
            scratch.notes().iter().next()
        };
        if notes(&mut Scratch::new(), &want).is_some() {
            failed.push((n, 0, want.len()));
        }
        for before in (n / 20..n).step_by(n / 20) {
            let mut scratch = Scratch::new();
            assert_eq!(notes(&mut scratch, &guild(before, before * 300)), None);
            tried += 1;
            if notes(&mut scratch, &want).is_some() {
                failed.push((n, before, want.len()));
            }
        }
    }
    assert_eq!(failed, [], "of {tried}: lists were lost (channels, channels before, text)");
}

#[test]
fn the_entries_and_elements_of_json_do_not_print_tokens() {
    with_data(r#"{"token":"hush","list":[{"token":"hush"}],"session_id":"hush"}"#, |event| {
        let json = event.json().unwrap();
        assert!(!format!("{json:?}").contains("hush"));
        let list = json.get("list").unwrap();
        assert!(!format!("{:?}", list.iter()).contains("hush"), "Elements");
        assert!(!format!("{:?}", json.entries()).contains("hush"), "Entries");
    });
}

#[test]
fn notes_are_those_of_the_event_that_was_opened_last() {
    let mut scratch = Scratch::new();
    let kept = Event::raw(EventKind::TypingStart, "TYPING_START", b"{}").to_owned();
    let bad =
        r#"{"op":0,"s":1,"t":"TYPING_START","d":{"user_id":"7","channel_id":[],"timestamp":1}}"#;
    read(&mut scratch, bad, |_| ()).unwrap();
    assert!(scratch.notes().count() > 0);
    kept.read(&mut scratch, |_| ());
    assert_eq!(scratch.notes().count(), 0, "notes of another event");
}

#[test]
fn pairs_of_a_map_whose_key_cannot_be_read_are_noted() {
    let mut scratch = Scratch::new();
    let text = r#"{"op":0,"s":1,"t":"INTERACTION_CREATE","d":{"id":"1","type":2,"token":"x",
        "data":{"id":"1","name":"a","type":1,
        "resolved":{"users":{"one":{"id":"5","username":"u"}}}}}}"#;
    read(&mut scratch, text, |event| {
        let out = serde_json::to_value(event).unwrap();
        assert!(!out.to_string().contains("\"5\""), "{out}");
    })
    .unwrap();
    assert!(scratch.notes().count() > 0, "a user was lost without a word");
}

#[test]
fn numbers_beyond_a_double_are_not_written_as_something_that_is_no_json() {
    for number in ["1e400", "-1e400", "1e309", "123456789e400"] {
        let text = format!(r#"{{"op":0,"s":1,"t":"X","d":{{"a":{number}}}}}"#);
        let out = read(&mut Scratch::new(), &text, |event| event.json().unwrap().to_string());
        if let Ok(out) = out {
            assert!(serde_json::from_str::<Value>(&out).is_ok(), "{number}: {out}");
        }
    }
}

#[test]
fn roles_of_a_change_are_there_when_asked_for_again() {
    let text = r#"{"op":0,"s":1,"t":"GUILD_AUDIT_LOG_ENTRY_CREATE","d":{"id":"1","changes":[
        {"key":"$add","new_value":[{"id":"1","name":"a"},{"id":"2","name":"b"}]}]}}"#;
    read(&mut Scratch::new(), text, |event| {
        let Event::GuildAuditLogEntryCreate(entry) = event else { panic!() };
        for call in 0..100 {
            assert!(entry.changes[0].roles().is_some(), "call {call}");
        }
    })
    .unwrap();
}

#[test]
fn nested_messages_can_be_kept_and_read_by_serde_on_a_small_stack() {
    let run = || {
        for (open, close) in [
            (r#"{"id":"1","channel_id":"2","referenced_message":"#, "}"),
            (r#"{"id":"1","channel_id":"2","message_snapshots":[{"message":"#, "}]}"),
            (r#"{"id":"1","components":[{"type":17,"components":["#, "]}]}"),
            (r#"{"id":"1","embeds":["#, "]}"),
        ] {
            let levels = 62 / (open.matches(['{', '[']).count());
            let d = [&open.repeat(levels), "null", &close.repeat(levels)].concat();
            for name in ["MESSAGE_CREATE", "MESSAGE_UPDATE", "INTERACTION_CREATE"] {
                let text = match name {
                    "INTERACTION_CREATE" => format!(
                        r#"{{"op":0,"s":1,"t":"{name}","d":{{"id":"1","token":"a","message":{}}}}}"#,
                        [&open.repeat(levels - 1), "null", &close.repeat(levels - 1)].concat()
                    ),
                    _ => format!(r#"{{"op":0,"s":1,"t":"{name}","d":{d}}}"#),
                };
                read(&mut Scratch::new(), &text, |event| {
                    let kept = event.to_owned();
                    let value: Value = event.deserialize().unwrap();
                    assert!(!value.is_null() && !format!("{event:#?}").is_empty());
                    assert!(serde_json::to_value(event).is_ok());
                    kept.visit(|again| assert_eq!(format!("{again:?}"), format!("{event:?}")));
                })
                .unwrap();
            }
        }
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_handler_that_asks_again_does_not_fill_the_arena_without_bound() {
    let text = r#"{"op":0,"s":1,"t":"GUILD_CREATE","d":{"id":"1","channels":[{"id":"1"}]}}"#;
    let mut scratch = Scratch::new();
    read(&mut scratch, text, |event| {
        let channels = event.json().unwrap().get("channels").unwrap();
        for _ in 0..100_000 {
            let _ = channels.read::<&[shardring::model::Channel<'_>]>();
        }
    })
    .unwrap();
    assert!(scratch.heap_len() < 1 << 20, "{} bytes", scratch.heap_len());
}

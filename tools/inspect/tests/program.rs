//! The program as its users run it: what it prints, and its exit code.
//!
//! `documents.ndjson` holds the 108 examples of Discord's documents that are payloads or that an
//! event carries, each wrapped into that event (discord-api-docs, code samples under the MIT
//! licence, Copyright (c) 2016 Discord). Changed in them: an id of 21 digits, which no snowflake
//! can have, lost two of them; an empty `user` of a member who joins got an id. Left out are those
//! that only HTTP carries: application commands, an invitation, a guild's onboarding and preview,
//! a SKU, webhooks.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn inspect(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_inspect"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its flags does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn json(arguments: &[&str], input: &str) -> (Value, i32) {
    let output = inspect(&[&["--json"], arguments].concat(), input);
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (report, output.status.code().unwrap())
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_examples_of_the_documents_come_out_as_they_went_in() {
    let path = here("tests/documents.ndjson");
    let output = inspect(&["--roundtrip", path.to_str().unwrap()], "");
    let text = String::from_utf8(output.stdout).unwrap();
    let whole = "events, 0 keys lost, 0 values changed, 0 keys unknown";
    assert!(text.contains(whole), "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn the_corpus_comes_out_as_it_went_in() {
    let dir = here("../../tests/corpus");
    let mut paths: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .filter(|path| !path.ends_with("schema.json"))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    paths.sort();
    assert!(paths.len() >= 79, "{}", paths.len());
    let mut arguments = vec!["--roundtrip"];
    arguments.extend(paths.iter().map(String::as_str));
    let output = inspect(&arguments, "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("events, 0 keys lost, 0 values changed"), "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn what_discord_has_added_is_named_and_is_no_failure() {
    let input = r#"{"t":"MESSAGE_CREATE","s":1,"op":0,"d":{"id":"1","channel_id":"2","type":250,"flags":4611686018427387904,"brand_new":[1],"author":{"id":"3","username":"u","shiny":true}}}
{"t":"MESSAGE_SPARKLE","s":2,"op":0,"d":{}}
{"t":null,"s":null,"op":11,"d":null}"#;
    let (report, code) = json(&["-"], input);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["unknown_keys"][0]["key"], "brand_new");
    assert_eq!(report["unknown_keys"][0]["value"], "array");
    assert_eq!(report["unknown_keys"][1]["object"], "User");
    assert_eq!(report["unknown_values"][0]["of"], "MessageType");
    assert_eq!(report["unknown_values"][0]["value"], "250");
    assert_eq!(report["unknown_bits"][0]["bit"], 62);
    let sparkle = &report["kinds"][1];
    assert_eq!(
        (&sparkle["name"], &sparkle["is_known"]),
        (&"MESSAGE_SPARKLE".into(), &false.into())
    );
    assert_eq!(report["other_payloads"]["opcode 11"], 1);
}

#[test]
fn what_could_not_be_read_is_a_failure_and_says_why() {
    let input = r#"{"time_ms":0.5,"payload":{"t":"TYPING_START","s":1,"op":0,"d":{"channel_id":"2","user_id":"3","timestamp":"soon"}}}
{"t":"MESSAGE_CREATE","s":1,"op":0,"d":{"content":"no id"}}
{"t":"MESSAGE_CREATE","s":1,"op":0,
{"op":"?"}"#;
    let (report, code) = json(&["-"], input);
    assert_eq!(code, 1, "{report}");
    assert_eq!(report["kinds"][0]["untyped"], 1);
    assert_eq!(report["kinds"][1]["partly"], 1);
    let why = report["kinds"][1]["notes"].as_object().unwrap().keys().next().unwrap();
    assert!(why.contains("TypingStart.timestamp"), "{why}");
    assert_eq!(report["broken_count"], 2);
    // The file, the line and why; and all reasons in one place.
    assert!(report["broken"][0].as_str().unwrap().starts_with("-:3: EOF"), "{report}");
    assert_eq!(report["verdict"], "NOT whole");
    let reasons = ["broken documents: 2", "events untyped: 1", "events partly read: 1"];
    assert_eq!(report["reasons"], Value::from(reasons.to_vec()));
    let table = String::from_utf8(inspect(&["-"], input).stdout).unwrap();
    assert!(table.contains("-:3: EOF"), "{table}");
    let verdict = format!("2 events of 2 kinds: NOT whole: {}\n", reasons.join(", "));
    assert!(table.ends_with(&verdict), "{table}");
}

#[test]
fn a_file_that_is_not_there_is_told_apart() {
    let output = inspect(&["no/such/file"], "");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no/such/file"));
    assert_eq!(inspect(&["--no-such-flag"], "").status.code(), Some(2));
}

#[test]
fn a_broken_document_is_told_with_its_file() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let paths = ["good.ndjson", "bad.ndjson"].map(|name| dir.join(name));
    let good = r#"{"t":"TYPING_START","s":1,"op":0,"d":{"user_id":"7","channel_id":"8"}}"#;
    std::fs::write(&paths[0], good).unwrap();
    std::fs::write(&paths[1], format!("{good}\n{{\"t\":\n")).unwrap();
    let [good, bad] = paths.each_ref().map(|path| path.to_str().unwrap());
    let table = String::from_utf8(inspect(&[good, bad], "").stdout).unwrap();
    assert!(table.contains(&format!("{bad}:2: ")) && !table.contains(&format!("{good}:")));
}

#[test]
fn what_holds_no_event_is_not_whole_but_nothing_read() {
    for (input, others) in [("", 0), ("\n\n", 0), (r#"{"op":11}"#, 1)] {
        let (report, code) = json(&["-"], input);
        assert_eq!((&report["verdict"], code), (&"nothing read".into(), 4), "{input:?}");
        assert_eq!(report["other_payloads"].as_object().unwrap().len(), others);
        let table = String::from_utf8(inspect(&["-"], input).stdout).unwrap();
        assert!(table.ends_with("\n0 events of 0 kinds: nothing read\n"), "{table}");
    }
}

#[test]
fn the_table_and_the_json_say_it_in_the_same_words() {
    let input = r#"{"t":"MESSAGE_CREATE","s":1,"op":0,"d":{"id":"1","new_key":1}}
{"t":"MESSAGE_SPARKLE","s":2,"op":0,"d":{}}
{"op":11}"#;
    let table = String::from_utf8(inspect(&["--roundtrip", "-"], input).stdout).unwrap();
    let (report, _) = json(&["--roundtrip", "-"], input);
    let heading = table.lines().next().unwrap();
    let kind = report["kinds"][0].as_object().unwrap();
    for word in ["count", "in_full", "partly", "untyped", "undecoded"] {
        assert!(kind.contains_key(word) && heading.contains(&word.replace('_', " ")), "{word}");
    }
    for (key, told) in [
        ("unknown_keys", "\nUnknown"),
        ("other_payloads", "\nother payloads: opcode 11: 1"),
        ("verdict", "2 events of 2 kinds: whole"),
    ] {
        assert!(report.get(key).is_some() && table.contains(told), "{key}: {table}");
    }
    let trip = report["roundtrip"].as_object().unwrap();
    for word in ["lost", "changed", "unknown"] {
        assert!(trip.contains_key(word) && table.contains(&format!(" {word}")), "{word}");
    }
}

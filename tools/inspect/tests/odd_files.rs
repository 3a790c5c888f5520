//! Faults of the program that were found from outside: each test fails while the fault is there.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const GOOD: &str =
    r#"{"t":"TYPING_START","s":1,"op":0,"d":{"user_id":"7","channel_id":"8","timestamp":1}}"#;

fn inspect(flags: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_inspect"))
        .args(flags)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn what_stands_in_place_of_an_enumeration_is_not_printed_with_its_tokens() {
    let text = r#"{"t":"PRESENCE_UPDATE","s":1,"op":0,"d":{"user":{"id":"7"},"guild_id":"8",
        "status":{"token":"hush"},"activities":[{"name":"a","type":{"session_id":"hush"}}]}}"#;
    for flags in [&[][..], &["--json"], &["--roundtrip"]] {
        let out = inspect(flags, text.as_bytes());
        assert!(!String::from_utf8_lossy(&out.stdout).contains("hush"), "{flags:?}");
    }
}

#[test]
fn a_line_that_is_no_text_costs_itself_and_not_the_report() {
    let input = [GOOD.as_bytes(), b"\n\xFF\xFE\n", GOOD.as_bytes(), b"\n"].concat();
    let out = inspect(&[], &input);
    let told = String::from_utf8_lossy(&out.stdout);
    assert!(told.contains("TYPING_START"), "no report: {}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn a_byte_order_mark_does_not_cost_the_first_payload() {
    let input = [b"\xEF\xBB\xBF", GOOD.as_bytes(), b"\n"].concat();
    assert_eq!(inspect(&[], &input).status.code(), Some(0));
}

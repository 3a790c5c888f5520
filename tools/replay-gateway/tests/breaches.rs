//! What a client does wrong, and the close code or status that each breach has in the documents.

mod common;

use common::{ALL, Client, TOKEN, identify};
use replay_gateway::{Builder, Gateway, UnknownSession};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use tungstenite::Message;

fn gateway() -> Builder {
    Gateway::builder().token(TOKEN).max_concurrency(64)
}

/// The code that comes for an IDENTIFY with some fields replaced.
fn identify_code(gateway: Builder, change: Value) -> u16 {
    let gateway = gateway.spawn().expect("spawn");
    let mut payload = identify([0, 1], ALL);
    for (name, value) in change.as_object().expect("fields") {
        payload["d"][name] = value.clone();
    }
    let mut client = Client::plain(&gateway.url());
    client.hello();
    client.send(&payload);
    client.close_code()
}

#[test]
fn each_wrong_identify_has_its_code() {
    assert_eq!(identify_code(gateway(), json!({ "token": "another" })), 4004);
    assert_eq!(identify_code(gateway(), json!({ "token": 5 })), 4002);
    assert_eq!(identify_code(gateway(), json!({ "properties": null })), 4002);
    for shard in [json!([1, 1]), json!([0, 0]), json!([0]), json!("0"), json!([-1, 2])] {
        assert_eq!(identify_code(gateway(), json!({ "shard": shard })), 4010, "{shard}");
    }
    let three = gateway().shard_count_multiple(3);
    assert_eq!(identify_code(three, json!({ "shard": [0, 4] })), 4010);
    let many = gateway().guilds_total(5_001);
    assert_eq!(identify_code(many, json!({ "shard": [0, 2] })), 4011);
    assert_eq!(identify_code(gateway(), json!({ "intents": 1 << 17 })), 4013);
    assert_eq!(identify_code(gateway(), json!({ "intents": "513" })), 4013);
    let strict = gateway().intents_disallowed(replay_gateway::intents::PRIVILEGED);
    assert_eq!(identify_code(strict, json!({ "intents": 1 << 15 })), 4014);
}

/// The code that comes for a message sent before or after IDENTIFY.
fn message_code(after_identify: bool, message: Message) -> u16 {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    if after_identify {
        client.login([0, 1], ALL);
    } else {
        client.hello();
    }
    client.socket.send(message).expect("send");
    client.close_code()
}

#[test]
fn each_wrong_payload_has_its_code() {
    let text = |value: Value| Message::text(value.to_string());
    assert_eq!(message_code(true, text(json!({ "op": 99 }))), 4001);
    assert_eq!(message_code(true, text(json!({ "op": 0, "d": {} }))), 4001);
    assert_eq!(message_code(true, text(json!({ "op": 3, "d": 5 }))), 4001);
    assert_eq!(message_code(true, text(json!({ "op": 8, "d": {} }))), 4001);
    assert_eq!(message_code(true, Message::text("{\"op\":1")), 4002);
    assert_eq!(message_code(true, text(json!({ "d": 5 }))), 4002);
    assert_eq!(message_code(true, text(json!({ "op": 3, "d": "x".repeat(4_096) }))), 4002);
    assert_eq!(message_code(false, text(json!({ "op": 3, "d": {} }))), 4003);
    assert_eq!(message_code(true, text(identify([0, 1], ALL))), 4005);
}

#[test]
fn a_payload_of_4096_bytes_is_taken_and_one_more_is_not() {
    let of_len = |len: usize| {
        let mut text = json!({ "op": 3, "d": { "status": "online" } }).to_string();
        text.insert_str(text.len() - 1, &" ".repeat(len - text.len()));
        Message::text(text)
    };
    assert_eq!(message_code(true, of_len(4_097)), 4002);
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    client.socket.send(of_len(4_096)).expect("send");
    client.heartbeat();
    client.until(|payload| payload["op"] == 11);
    assert_eq!(gateway.stats().received[&3], 1);
}

#[test]
fn more_than_120_payloads_in_the_window_close_with_4008() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    (0..119).for_each(|_| client.heartbeat()); // IDENTIFY was the first
    (0..119).for_each(|_| drop(client.until(|payload| payload["op"] == 11)));
    client.heartbeat();
    assert_eq!(client.close_code(), 4008);
}

#[test]
fn what_a_connection_sends_is_measured_against_the_limits() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    (0..7).for_each(|_| client.send(&json!({ "op": 3, "d": { "status": "online" } })));
    let all = json!({ "op": 8, "d": { "guild_id": "41771983423143937", "query": "", "limit": 0 } });
    (0..2).for_each(|_| client.send(&all));
    client.until(|payload| payload["t"] == "RATE_LIMITED");
    let stats = gateway.stats();
    assert_eq!((stats.presences_per_window_max, stats.presences_over), (7, 2));
    assert_eq!((stats.payloads_per_window_max, stats.rate_limited), (10, 1));
}

#[test]
fn each_wrong_resume_has_its_answer() {
    let gateway = gateway().spawn().expect("spawn");
    let url = gateway.url();
    let mut client = Client::plain(&url);
    client.login([0, 1], ALL);
    let id = client.session_id.clone();
    client.close(4_100);
    let mut client = Client::plain(&url);
    client.hello();
    client.resume("never given", 1);
    assert_eq!(client.payload()["op"], 9);
    client.send(&json!({ "op": 6, "d": { "token": "another", "session_id": id, "seq": 1 } }));
    assert_eq!(client.close_code(), 4004);
    let mut client = Client::plain(&url);
    client.hello();
    client.resume(&id, 99);
    assert_eq!(client.close_code(), 4007);
    let strict = self::gateway().unknown_session(UnknownSession::Close4009).spawn().expect("spawn");
    let mut client = Client::plain(&strict.url());
    client.hello();
    client.resume(&id, 1);
    assert_eq!(client.close_code(), 4009);
}

#[test]
fn a_wrong_version_closes_with_4012_and_wrong_parameters_are_refused() {
    let gateway = gateway().spawn().expect("spawn");
    for query in ["v=8&encoding=json", "encoding=json"] {
        assert_eq!(Client::connect(&gateway.url(), query).close_code(), 4012);
    }
    // Nobody asks for a User-Agent here: Discord does not, and a known client has none.
    for (query, status) in [
        ("v=10&encoding=json&compress=brotli", "400"),
        ("v=10&encoding=etf", "400"),
        ("v=10&encoding=json", "101"),
    ] {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let answer = http(&gateway.url(), &format!("/?{query}"), upgrade);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{query}: {answer}");
    }
}

#[test]
fn frames_that_break_the_rfc_close_with_1002() {
    let gateway = gateway().spawn().expect("spawn");
    for frame in
        [&[0x81u8, 2, b'{', b'}'][..], &[0xc1, 0x80, 0, 0, 0, 0], &[0x80, 0x80, 0, 0, 0, 0]]
    {
        let mut client = Client::plain(&gateway.url());
        client.hello();
        client.socket.get_mut().write_all(frame).expect("write");
        assert_eq!(client.close_code(), 1002, "{frame:?}");
    }
}

#[test]
fn a_fragmented_client_message_is_put_together() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.hello();
    // {"op":1,"d":null} in three frames, the mask all zeroes, a ping between.
    let parts: [(u8, &[u8]); 4] =
        [(0x01, br#"{"op":1,"#), (0x89, b"x"), (0x00, br#""d":null}"#), (0x80, b"")];
    for (first, payload) in parts {
        let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        client.socket.get_mut().write_all(&frame).expect("write");
    }
    assert_eq!(client.payload()["op"], 11);
}

#[test]
fn over_the_session_starts_the_token_is_revoked() {
    let gateway = gateway().session_starts_total(1).spawn().expect("spawn");
    let mut first = Client::plain(&gateway.url());
    first.login([0, 2], ALL);
    let mut second = Client::plain(&gateway.url());
    second.hello();
    second.identify([1, 2], ALL);
    assert_eq!(second.close_code(), 4004);
    assert_eq!(first.close_code(), 4004);
}

#[test]
fn the_http_endpoints_give_the_url_and_the_limits_to_the_right_token() {
    let gateway =
        gateway().recommended_shards(7).max_concurrency(16).session_starts_total(1_000).spawn();
    let gateway = gateway.expect("spawn");
    let body = |answer: &str| -> Value {
        let at = answer.find("\r\n\r\n").expect("a body") + 4;
        serde_json::from_str(&answer[at..]).expect("valid JSON")
    };
    let answer = http(&gateway.url(), "/api/v10/gateway", "");
    assert_eq!(body(&answer), json!({ "url": gateway.url() }));
    let answer = http(&gateway.url(), "/api/v10/gateway/bot", "Authorization: Bot wrong\r\n");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let right = format!("Authorization: Bot {TOKEN}\r\n");
    let answer = http(&gateway.url(), "/api/v10/gateway/bot", &right);
    let reset_after = body(&answer)["session_start_limit"]["reset_after"].as_u64();
    let reset_after = reset_after.expect("a number");
    assert!((86_340_000..=86_400_000).contains(&reset_after), "it counts down: {reset_after}");
    let limit = json!({
        "total": 1_000, "remaining": 1_000, "reset_after": reset_after, "max_concurrency": 16
    });
    let expected = json!({ "url": gateway.url(), "shards": 7, "session_start_limit": limit });
    assert_eq!(body(&answer), expected);
    let answer = http(&gateway.url(), "/replay/traffic", "");
    assert_eq!(body(&answer), json!({ "seed": 42, "start_unix_ns": 0 }));
}

fn http(url: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("ws://")).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(8))).expect("timeout");
    let connection = if headers.contains("Connection:") { "" } else { "Connection: close\r\n" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n{connection}{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("write");
    if headers.contains("Upgrade:") {
        // What is granted does not end.
        let mut answer = [0; 512];
        let len = stream.read(&mut answer).expect("read");
        return String::from_utf8_lossy(&answer[..len]).into_owned();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

//! The request as a server reads it, and every reply that is not an upgrade.

use shardring::clock::Rng;
use shardring::wire::{
    Compression, Fault, GatewayUrl, PoolLimits, USER_AGENT, Upgrade, UserAgentError, WireError,
    WireLimits,
};
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response};

use crate::support::*;

fn rig() -> Rig {
    Rig::new(Compression::None, WireLimits::default(), PoolLimits::default())
}

fn failure(reply: &[u8]) -> WireError {
    let mut rig = rig();
    match &rig.feed(reply)[..] {
        [Seen::Failed(error)] => *error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_accepts_the_request_and_we_accept_its_reply() {
    let mut rng = Rng::new(1);
    for _ in 0..200 {
        let url = GatewayUrl::parse("wss://gateway.discord.gg").unwrap();
        let mut key = [0; 16];
        key.copy_from_slice(&random_bytes(&mut rng, 16));
        let upgrade = Upgrade::new(&url.with_query(Compression::ZlibStream), key);
        let bytes = upgrade.request();
        let (used, request) = Request::try_parse(&bytes).unwrap().unwrap();
        assert_eq!(used, bytes.len());
        assert_eq!(request.uri(), "/?v=10&encoding=json&compress=zlib-stream");
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(header("Host"), "gateway.discord.gg");
        assert_eq!(header("User-Agent"), USER_AGENT);
        assert!(!request.headers().contains_key("Sec-WebSocket-Extensions"));
        let response = create_response(&request).unwrap();
        let accept = response.headers()["Sec-WebSocket-Accept"].to_str().unwrap();
        let reply = format!(
            "HTTP/1.1 101 OK\r\nconnection: keep-alive, UPGRADE\r\nupgrade: WebSocket\r\n\
             sec-websocket-accept:{accept}\r\n\r\n"
        );
        let mut rig = rig();
        rig.wire = shardring::wire::Wire::new(Compression::None, WireLimits::default(), upgrade);
        assert_eq!(rig.feed(reply.as_bytes()), [Seen::Upgraded]);
    }
}

#[test]
fn bytes_behind_the_reply_belong_to_frames() {
    let bytes = [REPLY, &frame(true, TEXT, b"hello"), &frame(true, PING, b"?")].concat();
    let expected = [Seen::Upgraded, text_of(b"hello"), Seen::Ping(b"?".to_vec())];
    assert_eq!(rig().feed(&bytes), expected);
    for len in 1..bytes.len() {
        assert_eq!(rig().feed_split(&bytes, || len), expected, "in pieces of {len}");
    }
}

#[test]
fn a_refusal_tells_its_status_and_when_to_come_again() {
    let refused = |status, retry_after_s| WireError::Refused { status, retry_after_s };
    let table: [(&str, WireError); 8] = [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", refused(503, None)),
        ("HTTP/1.1 429 Too Many\r\nRetry-After: 17\r\n\r\n", refused(429, Some(17))),
        ("HTTP/1.1 503 x\r\nretry-after:  5 \r\n\r\n", refused(503, Some(5))),
        (
            "HTTP/1.1 503 x\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n",
            refused(503, None),
        ),
        ("HTTP/1.0 502 Bad Gateway\r\nConnection: close\r\n\r\n", refused(502, None)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", refused(200, None)),
        ("HTTP/1.1 301 Moved\r\nLocation: wss://elsewhere\r\n\r\n", refused(301, None)),
        ("HTTP/1.1 404 \r\n\n", refused(404, None)),
    ];
    for (reply, error) in table {
        assert_eq!(failure(reply.as_bytes()), error, "{reply:?}");
        assert_eq!((error.fault(), error.session_survives()), (Fault::Peer, true));
        assert_eq!(rig().feed_split(reply.as_bytes(), || 1), [Seen::Failed(error)]);
    }
    let text = refused(429, Some(17)).to_string();
    assert!(text.contains("429") && text.contains("17 s"), "{text}");
}

#[test]
fn a_101_without_its_headers_is_refused() {
    let good = std::str::from_utf8(REPLY).unwrap();
    let table = [
        ("Upgrade: websocket", "Upgrade: h2c", "Upgrade"),
        ("Upgrade: websocket", "X-Upgrade: websocket", "Upgrade"),
        ("Connection: Upgrade", "Connection: close", "Connection"),
        ("Connection: Upgrade\r\n", "", "Connection"),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=", "Sec-WebSocket-Accept"),
        ("Sec-WebSocket-Accept", "X-Accept", "Sec-WebSocket-Accept"),
        (
            "Upgrade: websocket",
            "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate",
            "Sec-WebSocket-Extensions",
        ),
        (
            "Upgrade: websocket",
            "Upgrade: websocket\r\nSec-WebSocket-Protocol: chat",
            "Sec-WebSocket-Protocol",
        ),
    ];
    for (from, to, header) in table {
        let reply = good.replacen(from, to, 1);
        assert_ne!(reply, good);
        assert_eq!(failure(reply.as_bytes()), WireError::UpgradeHeader { header }, "{reply}");
    }
    let old = good.replacen("HTTP/1.1", "HTTP/1.0", 1);
    assert_eq!(failure(old.as_bytes()), WireError::UpgradeMalformed);
}

#[test]
fn what_is_not_http_is_refused_at_its_first_wrong_byte() {
    let tls_alert = b"\x15\x03\x03\x00\x02\x02\x46";
    for reply in [&tls_alert[..], b"\r\nHTTP/1.1 101", b"HTTP/2 ", b"http/1.1 ", b"HTTP/1.2 "] {
        assert_eq!(failure(reply), WireError::UpgradeMalformed);
    }
    for reply in ["HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 101 x\r\nno colon\r\n\r\n", "HTTP/1.1 \r\n\r\n"]
    {
        assert_eq!(failure(reply.as_bytes()), WireError::UpgradeMalformed);
    }
    assert_eq!(rig().feed(b"HTTP/1.1 1"), [], "so far it may yet be one");
}

#[test]
fn a_reply_header_is_bounded() {
    let limits = WireLimits { upgrade_len_max: REPLY.len(), ..WireLimits::default() };
    let mut rig = Rig::new(Compression::None, limits, PoolLimits::default());
    assert_eq!(rig.feed(REPLY), [Seen::Upgraded]);
    let limits = WireLimits { upgrade_len_max: REPLY.len() - 1, ..WireLimits::default() };
    let error = WireError::UpgradeTooLong { len_max: REPLY.len() - 1 };
    let mut rig = Rig::new(Compression::None, limits, PoolLimits::default());
    assert_eq!(rig.feed(REPLY), [Seen::Failed(error)]);
    let endless = [&b"HTTP/1.1 101 x\r\nA: "[..], &vec![b'a'; 1 << 20]].concat();
    assert_eq!(failure(&endless), WireError::UpgradeTooLong { len_max: 16 << 10 });
    let many = format!("HTTP/1.1 101 x\r\n{}\r\n", "a: b\r\n".repeat(1000));
    assert_eq!(failure(many.as_bytes()), WireError::UpgradeMalformed);
}

#[test]
fn the_user_agent_can_be_named_but_breaks_no_header() {
    let url = GatewayUrl::parse("ws://[::1]:9000/path?x=1").unwrap();
    let upgrade = || Upgrade::new(&url, KEY);
    let named = upgrade().with_user_agent("DiscordBot (https://bot.example, 2.1) mine").unwrap();
    let expected = "GET /path?x=1 HTTP/1.1\r\nHost: [::1]:9000\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        User-Agent: DiscordBot (https://bot.example, 2.1) mine\r\n\r\n";
    assert_eq!(String::from_utf8(named.request()).unwrap(), expected);
    assert!(USER_AGENT.starts_with("DiscordBot (https://"));
    for bad in ["", "  ", "a\r\nX: y", "a\0b", "bot é", &"a".repeat(257)] {
        assert_eq!(upgrade().with_user_agent(bad).unwrap_err(), UserAgentError, "{bad:?}");
    }
}

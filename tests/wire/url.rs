//! Gateway URLs as HTTP and READY give them, and as nobody should.

use shardring::wire::{Compression, GatewayUrl, UrlError};

#[test]
fn a_url_is_taken_apart_with_its_defaults() {
    let table = [
        ("wss://gateway.discord.gg", true, "gateway.discord.gg", 443, "gateway.discord.gg", "/"),
        ("wss://gateway.discord.gg/", true, "gateway.discord.gg", 443, "gateway.discord.gg", "/"),
        ("WS://LocalHost:8080/a/b", false, "localhost", 8080, "localhost:8080", "/a/b"),
        ("ws://127.0.0.1:80?x=1", false, "127.0.0.1", 80, "127.0.0.1", "/?x=1"),
        ("wss://127.0.0.1:80/?x=1", true, "127.0.0.1", 80, "127.0.0.1:80", "/?x=1"),
        ("ws://[::1]", false, "::1", 80, "[::1]", "/"),
        ("wss://[2001:DB8::7]:444/x", true, "2001:db8::7", 444, "[2001:db8::7]:444", "/x"),
        ("ws://a_b-c.example:", false, "a_b-c.example", 80, "a_b-c.example", "/"),
        ("ws://h/a://b@c", false, "h", 80, "h", "/a://b@c"),
    ];
    for (text, is_secure, host, port, authority, target) in table {
        let url = GatewayUrl::parse(text).unwrap();
        let parts = (url.is_secure(), url.host(), url.port(), url.target());
        assert_eq!(parts, (is_secure, host, port, target), "{text}");
        assert_eq!(url.authority(), authority, "{text}");
        assert_eq!(url.to_string().parse::<GatewayUrl>(), Ok(url), "what it shows, it reads");
    }
}

#[test]
fn what_is_no_gateway_url_is_refused_by_the_part_that_is_wrong() {
    let long = format!("ws://h/{}", "a".repeat(2048));
    let long_host = format!("ws://{}", "a".repeat(254));
    let table = [
        ("", UrlError::Scheme),
        ("gateway.discord.gg", UrlError::Scheme),
        ("https://gateway.discord.gg", UrlError::Scheme),
        ("wss:/gateway.discord.gg", UrlError::Scheme),
        ("ws://", UrlError::Host),
        ("ws:///path", UrlError::Host),
        ("ws://:80", UrlError::Host),
        ("ws://a b", UrlError::Character),
        ("ws://a%20b", UrlError::Host),
        ("ws://[::1", UrlError::Host),
        ("ws://[]", UrlError::Host),
        ("ws://[localhost]", UrlError::Host),
        ("ws://[::1]80", UrlError::Host),
        ("ws://::1", UrlError::Host),
        (&long_host, UrlError::Host),
        ("ws://h:0", UrlError::Port),
        ("ws://h:65536", UrlError::Port),
        ("ws://h:+80", UrlError::Port),
        ("ws://h:80:81", UrlError::Port),
        ("ws://[::1]:x", UrlError::Port),
        ("ws://user:hunter2@h", UrlError::Userinfo),
        ("ws://user@h/", UrlError::Userinfo),
        ("ws://h/#top", UrlError::Fragment),
        ("ws://h#top", UrlError::Fragment),
        ("ws://h/\r\nX: y", UrlError::Character),
        ("ws://h/\0", UrlError::Character),
        ("ws://h/\x7F", UrlError::Character),
        ("ws://h\u{e9}", UrlError::Character),
        (&long, UrlError::TooLong),
    ];
    for (text, error) in table {
        assert_eq!(GatewayUrl::parse(text), Err(error), "{text:?}");
        assert!(!error.to_string().contains("hunter2"), "the text is not repeated");
    }
}

#[test]
fn the_query_is_merged_and_not_appended() {
    let with = |text: &str, compression| {
        GatewayUrl::parse(text).unwrap().with_query(compression).to_string()
    };
    let plain = "wss://h/?v=10&encoding=json";
    let zlib = "wss://h/?v=10&encoding=json&compress=zlib-stream";
    for text in ["wss://h", "wss://h/", "wss://h?", "wss://h/?", plain, zlib, "wss://h?v=9&&v=8"] {
        assert_eq!(with(text, Compression::None), plain, "{text}");
        assert_eq!(with(text, Compression::ZlibStream), zlib, "{text}");
    }
    assert_eq!(
        with("ws://h:1/p?a=b&encoding=etf&vv=1&compress", Compression::ZlibStream),
        "ws://h:1/p?a=b&vv=1&v=10&encoding=json&compress=zlib-stream"
    );
}

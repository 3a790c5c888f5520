//! Proxies by transcript: what is asked, and what each answer comes to.

use shardring::wire::{
    Channel, ChunkPool, PROXY_REPLY_LEN_MAX, PoolLimits, Proxy, ProxyError, RecordBuffer, Tunnel,
    WireError,
};

/// A dialogue: we write what is on the left, the proxy answers what is on the right.
type Lines<'a> = &'a [(&'a [u8], &'a [u8])];

fn channel(proxy: &str, host: &str) -> Channel {
    let proxy = Proxy::parse(proxy).unwrap();
    Channel::new(Some(Tunnel::new(&proxy, host, 443).unwrap()), None).unwrap()
}

/// Plays a dialogue, the answers cut into pieces; gives what was left of the last one.
fn play(channel: &mut Channel, lines: Lines<'_>, piece_len: usize) -> Result<Vec<u8>, WireError> {
    let mut pool = ChunkPool::new(PoolLimits::default());
    let mut record = RecordBuffer::new();
    let mut plain_seen = Vec::new();
    for (ours, theirs) in lines {
        assert_eq!(channel.wants_to_write(), !ours.is_empty());
        let (mut plain, mut out) = (b"the upgrade".to_vec(), Vec::new());
        channel.seal(&mut plain, &mut out)?;
        assert_eq!(out.escape_ascii().to_string(), ours.escape_ascii().to_string());
        assert_eq!(plain, b"the upgrade", "nothing of it before the proxy agreed");
        for piece in theirs.chunks(piece_len) {
            let mut piece = piece.to_vec();
            let mut rest = &mut piece[..];
            while !rest.is_empty() {
                let cleared = channel.open(rest, &mut pool, &mut record)?;
                plain_seen.extend_from_slice(cleared.plain);
                let used = cleared.used;
                assert!(used > 0);
                rest = &mut rest[used..];
            }
        }
    }
    assert_eq!(channel.held_len(), 0);
    Ok(plain_seen)
}

/// What a dialogue comes to, which no cutting may change.
fn outcome(proxy: &str, host: &str, lines: Lines<'_>) -> Result<Vec<u8>, WireError> {
    let [whole, others @ ..] = [100_000, 1, 2, 7].map(|piece_len| {
        let mut channel = channel(proxy, host);
        let outcome = play(&mut channel, lines, piece_len);
        match outcome {
            Ok(_) if channel.is_open() => assert_eq!(channel.eof(), Ok(())),
            Ok(_) => assert_eq!(channel.eof(), Err(WireError::ProxyClosed)),
            Err(error) => {
                assert_eq!(channel.eof(), Err(error));
                assert!(!channel.wants_to_write());
                let mut out = Vec::new();
                assert_eq!(channel.seal(&mut Vec::new(), &mut out), Err(error));
                channel.farewell(&mut out);
                assert!(out.is_empty());
            }
        }
        (outcome, channel.is_open())
    });
    assert!(others.iter().all(|other| *other == whole));
    assert!(
        whole.0.is_err() || whole.1 || lines.last().unwrap().1.is_empty() || whole.0 == Ok(vec![])
    );
    whole.0
}

const AGENT: &str = shardring::wire::USER_AGENT;

fn connect(authority: &str, more: &str) -> Vec<u8> {
    let text =
        format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {AGENT}\r\n");
    format!("{text}{more}\r\n").into_bytes()
}

#[test]
fn connect_asks_for_the_name_and_takes_what_follows_as_the_gateways() {
    let asked = connect("gateway.test:443", "");
    for answer in [
        &b"HTTP/1.1 200 Connection established\r\n\r\n"[..],
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nVia: x\r\n\r\n",
        b"HTTP/1.1 204\r\n\r\n",
        b"HTTP/1.1 200 \n\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200\r\n\r\n",
    ] {
        let with_data = [answer, b"\x81\x02{}"].concat();
        let got = outcome("http://proxy.test:3128", "gateway.test", &[(&asked, &with_data)]);
        assert_eq!(got, Ok(b"\x81\x02{}".to_vec()), "{}", answer.escape_ascii());
    }
    let asked = connect("[2001:db8::1]:443", "");
    let answer = b"HTTP/1.1 200 OK\r\n\r\n";
    assert_eq!(outcome("proxy.test", "2001:db8::1", &[(&asked, answer)]), Ok(vec![]));
}

#[test]
fn connect_carries_basic_credentials() {
    // RFC 7617 §2, and each length of padding
    for (url, pair) in [
        ("http://Aladdin:open%20sesame@proxy.test", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("http://a:b@proxy.test", "YTpi"),
        ("http://ab@proxy.test", "YWI6"),
        ("http://a:b%3Ac@proxy.test", "YTpiOmM="),
    ] {
        let asked = connect("gateway.test:443", &format!("Proxy-Authorization: Basic {pair}\r\n"));
        let lines: Lines<'_> = &[(&asked, b"HTTP/1.1 200 OK\r\n\r\n")];
        assert_eq!(outcome(url, "gateway.test", lines), Ok(vec![]), "{pair}");
    }
}

#[test]
fn each_refusal_of_an_http_proxy_has_its_name() {
    let asked = connect("gateway.test:443", "");
    let status = |status| WireError::ProxyStatus { status };
    let long = [b"HTTP/1.1 200 OK\r\nX: ", &vec![b'x'; PROXY_REPLY_LEN_MAX][..]].concat();
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    let too_long = WireError::ProxyTooLong { len_max: PROXY_REPLY_LEN_MAX };
    let table: &[(&[u8], WireError)] = &[
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n", WireError::ProxyAuth),
        (b"HTTP/1.1 403 Forbidden\r\n", status(403)),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>", status(502)),
        (b"HTTP/1.1 301 Moved\r\n", status(301)),
        (b"HTTP/1.1 600\r\n", status(600)),
        (b"SSH-2.0-OpenSSH", WireError::ProxyMalformed),
        (b"\x05\x00", WireError::ProxyMalformed),
        (b"HTTP/2.0 200 OK\r\n", WireError::ProxyMalformed),
        (b"HTTP/1.1 2x0 OK\r\n", WireError::ProxyMalformed),
        (b"HTTP/1.1 2000 OK\r\n", WireError::ProxyMalformed),
        (b"HTTP/1.1 20\r\n", WireError::ProxyMalformed),
        (b"HTTP/1.1 099 X\r\n", WireError::ProxyMalformed),
        (b"\r\n\r\n", WireError::ProxyMalformed),
        (&long, too_long),
        (&interim, too_long),
    ];
    for (answer, error) in table {
        let got = outcome("http://proxy.test", "gateway.test", &[(&asked, answer)]);
        assert_eq!(got, Err(*error), "{}", answer[..20.min(answer.len())].escape_ascii());
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn socks_asks_for_the_name_and_for_addresses_as_such() {
    let greeting: (&[u8], &[u8]) = (b"\x05\x01\x00", b"\x05\x00");
    let table: &[(&str, &[u8])] = &[
        ("gateway.test", b"\x05\x01\x00\x03\x0Cgateway.test\x01\xBB"),
        ("192.0.2.7", b"\x05\x01\x00\x01\xC0\x00\x02\x07\x01\xBB"),
        ("2001:db8::1", b"\x05\x01\x00\x04\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xBB"),
    ];
    let answers: &[&[u8]] = &[
        b"\x05\x00\x00\x01\x0A\x00\x00\x01\x04\x38",
        b"\x05\x00\x00\x03\x05proxy\x04\x38",
        b"\x05\x00\x00\x03\x00\x04\x38",
        b"\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x04\x38",
    ];
    for scheme in ["socks5", "socks5h"] {
        for (host, request) in table {
            for answer in answers {
                let with_data = [answer, &b"\x81\x02{}"[..]].concat();
                let lines: Lines<'_> = &[greeting, (request, &with_data)];
                let got = outcome(&format!("{scheme}://proxy.test"), host, lines);
                assert_eq!(got, Ok(b"\x81\x02{}".to_vec()), "{host}");
            }
        }
    }
}

#[test]
fn socks_authenticates_if_it_can_and_must() {
    let url = "socks5://bot:p%40ss@proxy.test";
    let greeting = b"\x05\x02\x00\x02";
    let auth = b"\x01\x03bot\x04p@ss";
    let request = b"\x05\x01\x00\x03\x0Cgateway.test\x01\xBB";
    let granted = b"\x05\x00\x00\x01\0\0\0\0\0\0";
    let must: Lines<'_> = &[(greeting, b"\x05\x02"), (auth, b"\x01\x00"), (request, granted)];
    assert_eq!(outcome(url, "gateway.test", must), Ok(vec![]));
    let need_not: Lines<'_> = &[(greeting, b"\x05\x00"), (request, granted)];
    assert_eq!(outcome(url, "gateway.test", need_not), Ok(vec![]));
    let refused: &[(&str, Lines<'_>)] = &[
        (url, &[(greeting, b"\x05\x02"), (auth, b"\x01\x01")]),
        (url, &[(greeting, b"\x05\xFF")]),
        ("socks5://proxy.test", &[(b"\x05\x01\x00", b"\x05\xFF")]),
    ];
    for (url, lines) in refused {
        assert_eq!(outcome(url, "gateway.test", lines), Err(WireError::ProxyAuth));
    }
}

#[test]
fn each_refusal_of_a_socks_proxy_has_its_name() {
    let request = b"\x05\x01\x00\x03\x0Cgateway.test\x01\xBB";
    let names = ["general", "ruleset", "network", "host", "refused", "TTL", "command", "address"];
    for (reply, name) in (1..=8).zip(names) {
        // some answer with no more than the code
        for answer in [&[5, reply][..], &[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]] {
            let lines: Lines<'_> = &[(b"\x05\x01\x00", b"\x05\x00"), (request, answer)];
            let error = outcome("socks5://proxy.test", "gateway.test", lines).unwrap_err();
            assert_eq!(error, WireError::ProxyRefused { reply });
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    let malformed: &[Lines<'_>] = &[
        &[(b"\x05\x01\x00", b"\x04\x5A")],
        &[(b"\x05\x01\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n")],
        &[(b"\x05\x01\x00", b"\x05\x02")], // a method that was not offered
        &[(b"\x05\x01\x00", b"\x05\x01")],
        &[(b"\x05\x01\x00", b"\x05\x00"), (request, b"\x04")],
        &[(b"\x05\x01\x00", b"\x05\x00"), (request, b"\x05\x00\x00\x02")],
    ];
    for lines in malformed {
        let got = outcome("socks5://proxy.test", "gateway.test", lines);
        assert_eq!(got, Err(WireError::ProxyMalformed), "{lines:?}");
    }
    let lines: Lines<'_> = &[(b"\x05\x02\x00\x02", b"\x05\x02"), (b"\x01\x01a\x01b", b"\x05\x00")];
    let got = outcome("socks5://a:b@proxy.test", "gateway.test", lines);
    assert_eq!(got, Err(WireError::ProxyMalformed));
}

#[test]
fn a_proxy_that_closes_before_its_answer_is_told_from_one_that_refuses() {
    let mut channel = channel("http://proxy.test", "gateway.test");
    assert_eq!(channel.eof(), Err(WireError::ProxyClosed));
    let asked = connect("gateway.test:443", "");
    play(&mut channel, &[(&asked, b"HTTP/1.1 200 OK\r\nVia: ")], 3).unwrap();
    assert_eq!((channel.eof(), channel.is_open()), (Err(WireError::ProxyClosed), false));
}

#[test]
fn no_host_can_smuggle_anything_into_the_request() {
    let proxy = Proxy::parse("http://proxy.test").unwrap();
    for host in ["", "a b", "a\r\nX: y", "a/b", "a@b", "ä", &"a".repeat(254)] {
        assert_eq!(Tunnel::new(&proxy, host, 443).err(), Some(ProxyError::Target), "{host}");
    }
}

#[test]
fn credentials_are_in_no_debug_text() {
    let proxy = Proxy::parse("socks5://hunter:secret2@proxy.test").unwrap();
    let tunnel = Tunnel::new(&proxy, "gateway.test", 443).unwrap();
    let texts = [
        format!("{proxy:?} {proxy} {tunnel:?}"),
        format!("{:?}", Channel::new(Some(tunnel), None).unwrap()),
        format!("{:?}", channel("http://hunter:secret2@proxy.test", "gateway.test")),
    ];
    for text in texts {
        assert!(!text.contains("hunter") && !text.contains("secret"), "{text}");
    }
}

/// TLS lies in the tunnel, and the proxy sees nothing of the WebSocket.
#[cfg(feature = "tls")]
#[test]
fn tls_begins_when_the_proxy_has_agreed() {
    use crate::tls_peer::*;
    use shardring::wire::TlsVersions;
    let ca = Ca::new();
    let tls = ca.client(TlsVersions::All, 8);
    let proxy = Proxy::parse("http://proxy.test").unwrap();
    let tunnel = Tunnel::new(&proxy, HOST, 443).unwrap();
    let mut client = Client::over(Channel::new(Some(tunnel), Some((tls, HOST))).unwrap());
    assert_eq!(client.sealed(b"text"), connect("gateway.test:443", ""));
    client.feed(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    assert!(!client.channel.is_open() && client.channel.wants_to_write(), "the hello");
    let config = std::sync::Arc::new(ca.server(GOOD, &[&rustls::version::TLS13]));
    let mut server = rustls::ServerConnection::new(config).unwrap();
    shake(&mut client, &mut server).unwrap();
    take(&mut server, &client.sealed(b"text")).unwrap();
    assert_eq!(heard(&mut server), b"text");
    client.release();
}

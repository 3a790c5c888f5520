//! TLS against rustls' own server: trust, versions, resumption, records in pieces, and every way a
//! connection can end.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, HandshakeKind, ProtocolVersion, ServerConnection};
use shardring::clock::Rng;
use shardring::wire::{Channel, Fault, RecordBuffer, TlsVersions, WireError};

use crate::support::{below, random_bytes};
use crate::tls_peer::*;

#[test]
fn a_good_certificate_opens_the_channel_in_both_versions_and_both_ways() {
    let ca = Ca::new();
    for (versions, version) in VERSIONS {
        let config = Arc::new(ca.server(GOOD, &[version]));
        let (mut client, mut server) = connected(&ca.client(versions, 8), &config);
        assert_eq!(server.protocol_version(), Some(version.version));
        assert_eq!(server.server_name(), Some(HOST), "SNI");
        assert_eq!(server.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(client.channel.was_resumed(), Some(false));
        for len in [1, 100, 16_384, 16_385, 200_000] {
            let text = random_bytes(&mut Rng::new(len as u64), len);
            let out = client.sealed(&text);
            let mut got = Vec::new();
            for part in out.chunks(10_000) {
                take(&mut server, part).unwrap();
                got.extend(heard(&mut server));
            }
            assert!(got == text, "{len} bytes to the server");
            client.feed(&written(&mut server, &text)).unwrap();
            assert!(client.plain == text, "{len} bytes from the server");
            client.plain.clear();
        }
        assert_eq!(client.channel.held_len(), 0);
        client.release();
    }
}

#[test]
fn text_waits_until_the_channel_is_open() {
    let ca = Ca::new();
    let config = Arc::new(ca.server(GOOD, &[&TLS12, &TLS13]));
    let mut client = Client::new(&ca.client(TlsVersions::All, 8));
    let mut server = ServerConnection::new(config).unwrap();
    assert!(client.channel.wants_to_write() && !client.channel.is_open());
    assert_eq!(client.channel.was_resumed(), None);
    let (mut plain, mut out) = (b"GET /".to_vec(), Vec::new());
    client.channel.seal(&mut plain, &mut out).unwrap();
    assert_eq!((&plain[..], out[0]), (&b"GET /"[..], 22), "a handshake record, and no more");
    assert!(!client.channel.wants_to_write());
    take(&mut server, &out).unwrap();
    client.feed(&written(&mut server, b"")).unwrap();
    assert!(client.channel.is_open() && client.channel.wants_to_write(), "Finished");
    out.clear();
    client.channel.seal(&mut plain, &mut out).unwrap();
    assert!(plain.is_empty());
    take(&mut server, &out).unwrap();
    assert_eq!(heard(&mut server), b"GET /");
}

#[test]
fn a_version_is_agreed_on_whoever_lacks_one() {
    let ca = Ca::new();
    let table: [(_, &[_], _); 4] = [
        (TlsVersions::All, &[&TLS12, &TLS13], Ok(ProtocolVersion::TLSv1_3)),
        (TlsVersions::All, &[&TLS12], Ok(ProtocolVersion::TLSv1_2)),
        (TlsVersions::Only12, &[&TLS12, &TLS13], Ok(ProtocolVersion::TLSv1_2)),
        // 70 is protocol_version
        (TlsVersions::Only13, &[&TLS12], Err(WireError::TlsAlert { description: 70 })),
    ];
    for (ours, theirs, expected) in table {
        let mut client = Client::new(&ca.client(ours, 8));
        let mut server = ServerConnection::new(Arc::new(ca.server(GOOD, theirs))).unwrap();
        let got = shake(&mut client, &mut server);
        assert_eq!(got.map(|()| server.protocol_version().unwrap()), expected, "{ours:?}");
    }
}

#[test]
fn a_certificate_that_is_not_right_is_refused_and_the_server_is_told_why() {
    let (ca, same_name, other) = (Ca::new(), Ca::new(), Ca::named("Another CA"));
    let table = [
        (&ca, Leaf { name: "other.test", ..GOOD }, WireError::TlsName, 42),
        (&ca, Leaf { name: "sub.gateway.test", ..GOOD }, WireError::TlsName, 42),
        (&ca, Leaf { years: (2020, 2021), ..GOOD }, WireError::TlsExpired, 45),
        (&ca, Leaf { years: (3000, 3001), ..GOOD }, WireError::TlsNotYetValid, 45),
        (&other, GOOD, WireError::TlsUnknownCa, 48),
        (&same_name, GOOD, WireError::TlsCertificate, 51),
    ];
    for (versions, version) in VERSIONS {
        for (issuer, leaf, error, alert) in table {
            let mut client = Client::new(&ca.client(versions, 8));
            let config = Arc::new(issuer.server(leaf, &[version]));
            let mut server = ServerConnection::new(config).unwrap();
            assert_eq!(shake(&mut client, &mut server), Err(error));
            assert!(!client.channel.is_open());
            assert_eq!(error.fault(), Fault::Peer);
            let mut out = Vec::new();
            assert_eq!(client.channel.seal(&mut b"secret".to_vec(), &mut out), Err(error));
            assert!(out.is_empty(), "nothing is ever sealed for it");
            client.channel.farewell(&mut out);
            let told = take(&mut server, &out).unwrap_err();
            let rustls::Error::AlertReceived(description) = told else { panic!("{told}") };
            assert_eq!(u8::from(description), alert, "{error}");
        }
    }
    // wildcards and addresses are names too
    for (name, host) in
        [("*.gateway.test", "a.gateway.test"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1")]
    {
        let client = ca.client(TlsVersions::All, 8);
        let channel = Channel::new(None, Some((client, host))).unwrap();
        let config = Arc::new(ca.server(Leaf { name, ..GOOD }, &[&TLS13]));
        let mut server = ServerConnection::new(config).unwrap();
        assert_eq!(shake(&mut Client::over(channel), &mut server), Ok(()), "{name}");
    }
    let client = ca.client(TlsVersions::All, 8);
    let refused = Channel::new(None, Some((client, "not a name")));
    assert_eq!(refused.err(), Some(WireError::TlsName));
}

#[test]
fn a_hundred_at_once_all_resume_if_each_has_left_a_ticket() {
    let ca = Ca::new();
    for (versions, version) in VERSIONS {
        let config = Arc::new(ca.server(GOOD, &[version]));
        let tls = ca.client(versions, 100);
        let first: Vec<_> = (0..100).map(|_| connected(&tls, &config)).collect();
        drop(first);
        for round in 0..3 {
            // all hellos are on their way before one is answered
            let mut all: Vec<_> = (0..100)
                .map(|_| {
                    let mut client = Client::new(&tls);
                    let hello = client.sealed(b"");
                    (client, hello, ServerConnection::new(Arc::clone(&config)).unwrap())
                })
                .collect();
            for (client, hello, server) in &mut all {
                take(server, hello).unwrap();
                client.feed(&written(server, b"")).unwrap();
                shake(client, server).unwrap();
                assert_eq!(client.channel.was_resumed(), Some(true), "{versions:?}, {round}");
                assert_eq!(server.handshake_kind(), Some(HandshakeKind::Resumed));
                client.feed(&written(server, b"hello")).unwrap();
                assert_eq!(client.plain, b"hello");
            }
        }
    }
}

#[test]
fn few_tickets_serve_any_number_that_come_a_few_at_a_time() {
    let ca = Ca::new();
    for (versions, version) in VERSIONS {
        let config = Arc::new(ca.server(GOOD, &[version]));
        let tls = ca.client(versions, 8);
        (0..8).for_each(|_| drop(connected(&tls, &config)));
        for _ in 0..40 {
            let mut eight: Vec<_> = (0..8).map(|_| Client::new(&tls)).collect();
            for client in &mut eight {
                let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
                shake(client, &mut server).unwrap();
                assert_eq!(client.channel.was_resumed(), Some(true));
            }
        }
    }
}

#[test]
fn tickets_are_for_one_server_each_and_never_more_than_were_allowed() {
    let ca = Ca::new();
    let tls = ca.client(TlsVersions::Only13, 4);
    let config = Arc::new(ca.server(Leaf { name: "*.hosts.test", ..GOOD }, &[&TLS13]));
    let resumed_at = |host: &str| {
        let channel = Channel::new(None, Some((tls.clone(), host))).unwrap();
        let mut client = Client::over(channel);
        let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
        shake(&mut client, &mut server).unwrap();
        client.channel.was_resumed().unwrap()
    };
    assert!(!resumed_at("one.hosts.test") && resumed_at("one.hosts.test"));
    assert!(!resumed_at("two.hosts.test"), "a ticket is for the name it was given for");
    assert!(resumed_at("one.hosts.test") && resumed_at("two.hosts.test"));
    // each handshake gives two: other names push out none that has fewer than the fullest
    let others: Vec<String> = (0..80).map(|i| format!("n{i}.hosts.test")).collect();
    assert!(others.iter().all(|host| !resumed_at(host)));
    let kept =
        others.iter().filter(|host| format!("{tls:?}").len() > 1 && resumed_at(host)).count();
    assert!(kept <= 4, "{kept}");
    assert!(format!("{tls:?}").contains("tickets_max: 4"));
    assert!(format!("{tls:?}").contains("tickets_len: 4"));
}

#[test]
fn any_split_of_the_same_bytes_gives_the_same_text() {
    let ca = Ca::new();
    let mut rng = Rng::new(3);
    for (versions, version) in VERSIONS {
        // 64: handshake messages are cut into many records as well
        for (fragment_len, rounds) in [(None, 25), (Some(1024), 10), (Some(128), 5)] {
            let mut config = ca.server(GOOD, &[version]);
            config.max_fragment_size = fragment_len;
            let config = Arc::new(config);
            for len_max in [1, 2, 4, 7, 100, 5000] {
                let tls = ca.client(versions, 8);
                let mut next_len = || below(&mut rng, len_max) + 1;
                let mut client = Client::new(&tls);
                let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
                shake_split(&mut client, &mut server, &mut next_len).unwrap();
                let mut expected = Vec::new();
                for round in 0..rounds {
                    let text = random_bytes(&mut Rng::new(round), 40 * round as usize);
                    let bytes = written(&mut server, &text);
                    client.feed_split(&bytes, &mut next_len).unwrap();
                    expected.extend(text);
                    assert_eq!(client.pool.used_len(), 0, "whole records leave no chunk");
                }
                assert!(client.plain == expected, "{versions:?}, pieces of {len_max}");
                take(&mut server, &client.sealed(b"still there")).unwrap();
                assert_eq!(heard(&mut server), b"still there");
                client.release();
            }
        }
    }
}

#[test]
fn the_longest_record_is_held_in_chunks_and_released() {
    let ca = Ca::new();
    for (versions, version) in VERSIONS {
        let config = Arc::new(ca.server(GOOD, &[version]));
        let (mut client, mut server) = connected(&ca.client(versions, 8), &config);
        let text = vec![7; 16_384];
        let bytes = written(&mut server, &text);
        let record_len = record_lens(&bytes)[0];
        assert_eq!(record_lens(&bytes), [record_len]);
        client.feed(&bytes[..record_len - 1]).unwrap();
        assert_eq!(client.channel.held_len(), record_len - 1);
        assert!(client.plain.is_empty());
        client.feed(&bytes[record_len - 1..]).unwrap();
        assert!(client.plain == text);
        assert_eq!((client.channel.held_len(), client.pool.used_len()), (0, 0));
        assert!(client.record.capacity() <= 18_437, "{}", client.record.capacity());
    }
}

#[test]
fn a_record_that_claims_too_much_is_refused_before_a_byte_of_it_is_kept() {
    let ca = Ca::new();
    let table: [(&[u8], WireError); 6] = [
        (&[22, 3, 3, 0x48, 1], WireError::TlsRecordTooLong), // 18,433
        (&[23, 3, 3, 0xFF, 0xFF], WireError::TlsRecordTooLong),
        (b"HTTP/1.1 400 Bad Request", WireError::TlsMalformed),
        (&[22, 2, 0, 0, 5, 1], WireError::TlsMalformed),
        (&[24, 3, 3, 0, 5], WireError::TlsMalformed), // heartbeat, which nobody asked for
        (&[0; 5], WireError::TlsMalformed),
    ];
    for (bytes, error) in table {
        for piece_len in [1, 3, 100] {
            let mut client = Client::new(&ca.client(TlsVersions::All, 8));
            assert_eq!(client.feed_split(bytes, &mut || piece_len), Err(error), "{bytes:?}");
            assert!(client.pool.counters().used_high_len <= 4096);
        }
    }
    // the longest that may be is waited for
    let mut client = Client::new(&ca.client(TlsVersions::All, 8));
    assert_eq!(client.feed(&[22, 3, 3, 0x48, 0]), Ok(()));
    client.release();
}

#[test]
fn a_handshake_message_in_very_many_records_is_refused() {
    let mut client = Client::new(&Ca::new().client(TlsVersions::All, 8));
    // a ServerHello that claims 64,000 bytes and sends one at a time
    let mut bytes = vec![22, 3, 3, 0, 4, 2, 0, 0xFA, 0];
    (0..200).for_each(|_| bytes.extend([22, 3, 3, 0, 1, 0]));
    assert_eq!(client.feed_split(&bytes, &mut || 6), Err(WireError::TlsRecordTooLong));
    // and one that claims more than any message may have
    let mut client = Client::new(&Ca::new().client(TlsVersions::All, 8));
    let error = client.feed(&[22, 3, 3, 0, 4, 2, 1, 0, 0]);
    assert_eq!(error, Err(WireError::TlsRecordTooLong));
}

#[test]
fn a_changed_record_ends_the_connection() {
    let ca = Ca::new();
    for (versions, version) in VERSIONS {
        let config = Arc::new(ca.server(GOOD, &[version]));
        let (mut client, mut server) = connected(&ca.client(versions, 8), &config);
        let good = written(&mut server, b"good");
        let mut bad = written(&mut server, b"never seen");
        let last = bad.len() - 1;
        bad[last] ^= 1;
        assert_eq!(client.feed(&[good, bad].concat()), Err(WireError::TlsProtocol));
        assert_eq!(client.plain, b"good");
        let mut out = Vec::new();
        client.channel.farewell(&mut out);
        let told = take(&mut server, &out);
        assert_eq!(told, Err(rustls::Error::AlertReceived(AlertDescription::BadRecordMac)));
    }
}

#[test]
fn an_alert_in_mid_message_is_named() {
    let ca = Ca::new();
    for (versions, version) in VERSIONS {
        let config = Arc::new(ca.server(GOOD, &[version]));
        let (mut client, mut server) = connected(&ca.client(versions, 8), &config);
        let half = written(&mut server, b"half of a mess");
        let refused = take(
            &mut server,
            &[23, 3, 3, 0, 20].iter().chain(&[0; 20]).copied().collect::<Vec<u8>>(),
        );
        assert!(refused.is_err(), "which makes the server send bad_record_mac");
        let bytes = [half, written(&mut server, b"")].concat();
        let error = WireError::TlsAlert { description: 20 };
        assert_eq!(client.feed_split(&bytes, &mut || 1_000_000), Err(error));
        assert_eq!(client.plain, b"half of a mess");
        assert!(error.to_string().contains("bad_record_mac (20)"));
    }
    // one without encryption, in the handshake
    let mut client = Client::new(&ca.client(TlsVersions::All, 8));
    let error = WireError::TlsAlert { description: 40 };
    assert_eq!(client.feed_split(&[21, 3, 3, 0, 2, 2, 40], &mut || 3), Err(error));
    assert!(error.to_string().contains("handshake_failure (40)"));
}

#[test]
fn an_end_is_clean_only_after_close_notify() {
    let ca = Ca::new();
    for (versions, version) in VERSIONS {
        let config = Arc::new(ca.server(GOOD, &[version]));
        let tls = ca.client(versions, 8);
        // in the handshake
        let mut client = Client::new(&tls);
        assert_eq!(client.channel.eof(), Err(WireError::TlsTruncated));
        let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
        take(&mut server, &client.sealed(b"")).unwrap();
        let flight = written(&mut server, b"");
        client.feed(&flight[..flight.len() / 2]).unwrap();
        assert_eq!(client.channel.eof(), Err(WireError::TlsTruncated));
        client.release();
        // between records, amid one, after close_notify
        let (mut client, mut server) = connected(&tls, &config);
        client.feed(&written(&mut server, b"half of a mess")).unwrap();
        assert_eq!(client.channel.eof(), Err(WireError::TlsTruncated));
        let record = written(&mut server, b"age");
        client.feed(&record[..10]).unwrap();
        assert_eq!(client.channel.eof(), Err(WireError::TlsTruncated));
        client.feed(&record[10..]).unwrap();
        assert!(!client.ended);
        server.send_close_notify();
        client.feed(&written(&mut server, b"")).unwrap();
        assert_eq!((client.channel.eof(), client.ended), (Ok(()), true));
        assert_eq!(client.plain, b"half of a message");
        client.feed(b"whatever follows").unwrap();
        assert_eq!(client.plain, b"half of a message");
        // the other direction is still there
        take(&mut server, &client.sealed(b"goodbye")).unwrap();
        assert_eq!(heard(&mut server), b"goodbye");
    }
}

#[test]
fn a_farewell_is_close_notify_and_said_once() {
    let ca = Ca::new();
    for (versions, version) in VERSIONS {
        let config = Arc::new(ca.server(GOOD, &[version]));
        let (mut client, mut server) = connected(&ca.client(versions, 8), &config);
        let mut out = client.sealed(b"last words");
        client.channel.farewell(&mut out);
        let len = out.len();
        client.channel.farewell(&mut out);
        assert_eq!(out.len(), len);
        take(&mut server, &out).unwrap();
        assert_eq!(heard(&mut server), b"last words");
        let state = server.process_new_packets().unwrap();
        assert!(state.peer_has_closed());
        // what comes and goes afterwards is nothing, even if it is wrong
        client.feed(&[0; 40]).unwrap();
        let mut plain = b"too late".to_vec();
        out.clear();
        client.channel.seal(&mut plain, &mut out).unwrap();
        assert_eq!((&plain[..], out.len()), (&b"too late"[..], 0));
        client.release();
    }
    // before the handshake is done there is nobody to take leave of
    let mut out = Vec::new();
    let mut client = Client::new(&ca.client(TlsVersions::All, 8));
    client.sealed(b"");
    client.channel.farewell(&mut out);
    assert!(out.is_empty());
}

#[test]
fn new_keys_of_the_server_are_taken_and_answered_before_the_next_text() {
    let ca = Ca::new();
    let config = Arc::new(ca.server(GOOD, &[&TLS13]));
    let (mut client, mut server) = connected(&ca.client(TlsVersions::All, 8), &config);
    let mut expected = Vec::new();
    for round in 0..20u8 {
        client.feed(&written(&mut server, &[round; 10])).unwrap();
        server.refresh_traffic_keys().unwrap();
        client.feed_split(&written(&mut server, &[round; 20]), &mut || 9).unwrap();
        expected.extend([round; 30]);
        assert!(!client.channel.wants_to_write(), "the answer waits for the next text");
        let out = client.sealed(&[round; 5]);
        assert_eq!(record_lens(&out).len(), 2, "KeyUpdate, then the text under the new key");
        let plain_out = client.sealed(&[round; 5]);
        assert_eq!(record_lens(&plain_out).len(), 1);
        take(&mut server, &[out, plain_out].concat()).unwrap();
        assert_eq!(heard(&mut server), [round; 10]);
    }
    assert_eq!(client.plain, expected);
}

#[test]
fn whatever_is_changed_on_the_way_no_wrong_text_comes_out_and_nothing_panics() {
    let ca = Ca::new();
    let configs = VERSIONS.map(|(_, version)| {
        let mut config = ca.server(GOOD, &[version]);
        config.max_fragment_size = Some(200);
        Arc::new(config)
    });
    let mut failed_count = 0;
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let tls = ca.client(TlsVersions::All, 2);
        let mut client = Client::new(&tls);
        let config = &configs[seed as usize % 2];
        let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
        let bad_at = below(&mut rng, 3000);
        let (mut at, mut result) = (0, Ok(()));
        for round in 0..10 {
            let _ = take(&mut server, &client.sealed(b""));
            let text: &[u8] = if client.channel.is_open() { &[b'x'; 500] } else { b"" };
            let mut bytes = written(&mut server, text);
            if (at..at + bytes.len()).contains(&bad_at) {
                match below(&mut rng, 4) {
                    0 => drop(bytes.remove(bad_at - at)),
                    1 => bytes.insert(bad_at - at, rng.next_u64() as u8),
                    _ => bytes[bad_at - at] ^= 1 << below(&mut rng, 8),
                }
            }
            at += bytes.len();
            result = client.feed_split(&bytes, &mut || below(&mut rng, 300) + 1);
            if result.is_err() || round == 9 {
                break;
            }
        }
        failed_count += usize::from(result.is_err());
        assert!(client.plain.iter().all(|&byte| byte == b'x'), "seed {seed}");
        let mut out = Vec::new();
        client.channel.farewell(&mut out);
        let _ = take(&mut server, &out);
        client.release();
    }
    assert!(failed_count > 300, "{failed_count}");
}

#[test]
fn a_plain_channel_hands_on_what_it_is_given() {
    let mut client = Client::over(Channel::plain());
    assert!(client.channel.is_open() && !client.channel.wants_to_write());
    let mut bytes = *b"frames";
    let at = bytes.as_ptr();
    let cleared = client.channel.open(&mut bytes, &mut client.pool, &mut client.record).unwrap();
    assert_eq!((cleared.used, cleared.plain, cleared.ended), (6, &b"frames"[..], false));
    assert_eq!(cleared.plain.as_ptr(), at, "no copy");
    let (mut plain, mut out) = (b"one".to_vec(), Vec::new());
    let at = plain.as_ptr();
    client.channel.seal(&mut plain, &mut out).unwrap();
    assert_eq!((&plain[..], &out[..]), (&b""[..], &b"one"[..]));
    assert_eq!(out.as_ptr(), at, "swapped");
    plain.extend(b"two");
    client.channel.seal(&mut plain, &mut out).unwrap();
    assert_eq!((&plain[..], &out[..]), (&b""[..], &b"onetwo"[..]));
    client.channel.farewell(&mut out);
    assert_eq!(out, b"onetwo");
    assert_eq!((client.channel.eof(), client.channel.was_resumed()), (Ok(()), None));
    assert_eq!(client.record.capacity(), 0);
    assert!(size_of::<Channel>() <= 16);
    let _ = RecordBuffer::LEN_MAX;
}

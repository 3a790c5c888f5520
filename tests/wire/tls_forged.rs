//! TLS 1.3 after the handshake, from a server that has the right keys and says what it must not.

use std::sync::Arc;

use rustls::crypto::cipher::{
    InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConnection, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use shardring::wire::{TlsVersions, WireError};

use crate::tls_peer::*;

/// A server's keys, in hands that seal anything.
struct Forger {
    sealer: Box<dyn MessageEncrypter>,
    seal_seq: u64,
    opener: Box<dyn MessageDecrypter>,
    open_seq: u64,
}

impl Forger {
    /// With a client that has finished its handshake.
    fn new() -> (Client, Self) {
        Self::of(&TLS13)
    }

    fn of(version: &'static SupportedProtocolVersion) -> (Client, Self) {
        let ca = Ca::new();
        let mut config = ca.server(GOOD, &[version]);
        config.enable_secret_extraction = true;
        let (client, server) = connected(&ca.client(TlsVersions::All, 8), &Arc::new(config));
        let suite = server.negotiated_cipher_suite().unwrap();
        let secrets = server.dangerous_extract_secrets().unwrap();
        let parts = |secrets| match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv }
            | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
            | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
            _ => panic!("a cipher that has no name here"),
        };
        let ((seal_seq, ours), (open_seq, theirs)) = (secrets.tx, secrets.rx);
        let (ours, theirs) = (parts(ours), parts(theirs));
        let (sealer, opener) = match suite {
            SupportedCipherSuite::Tls13(suite) => (
                suite.aead_alg.encrypter(ours.0, ours.1),
                suite.aead_alg.decrypter(theirs.0, theirs.1),
            ),
            SupportedCipherSuite::Tls12(suite) => {
                let (ours_fixed, ours_own) = ours.1.as_ref().split_at(4); // AES-GCM's
                (
                    suite.aead_alg.encrypter(ours.0, ours_fixed, ours_own),
                    suite.aead_alg.decrypter(theirs.0, &theirs.1.as_ref()[..4]),
                )
            }
        };
        (client, Self { sealer, seal_seq, opener, open_seq })
    }

    fn sealed(&mut self, typ: u8, payload: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: ContentType::from(typ),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        self.seal_seq += 1;
        self.sealer.encrypt(message, self.seal_seq - 1).unwrap().encode()
    }

    /// The alert that a record of the client is.
    fn alert_in(&mut self, record: &mut [u8]) -> [u8; 2] {
        let message = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut record[5..],
        );
        let message = self.opener.decrypt(message, self.open_seq).unwrap();
        self.open_seq += 1;
        assert_eq!(message.typ, ContentType::Alert);
        message.payload.try_into().unwrap()
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// A handshake message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&[kind, len[1], len[2], len[3]], body].concat()
}

/// A ticket of 60 bytes, without extensions.
fn ticket() -> Vec<u8> {
    let head = [0, 0, 14, 16, 1, 2, 3, 4, 2, 0, 1, 0, 60];
    message(4, &[&head[..], &[9; 60], &[0, 0]].concat())
}

#[test]
fn what_must_not_come_after_the_handshake_is_refused_with_the_right_alert() {
    let malformed_ticket = message(4, &[0; 5]);
    let update_and_more = [message(24, &[0]), ticket()].concat();
    let table: &[(u8, &[u8], WireError, u8)] = &[
        (HANDSHAKE, &message(13, b"certificate request"), WireError::TlsProtocol, 10),
        (HANDSHAKE, &message(0, b""), WireError::TlsProtocol, 10),
        (HANDSHAKE, &message(20, &[0; 32]), WireError::TlsProtocol, 10),
        (HANDSHAKE, b"", WireError::TlsProtocol, 10),
        (HANDSHAKE, &malformed_ticket, WireError::TlsProtocol, 50),
        (HANDSHAKE, &message(24, &[2]), WireError::TlsProtocol, 47),
        (HANDSHAKE, &message(24, &[0, 0]), WireError::TlsProtocol, 50),
        (HANDSHAKE, &message(24, b""), WireError::TlsProtocol, 50),
        (HANDSHAKE, &update_and_more, WireError::TlsProtocol, 10),
        (HANDSHAKE, &[4, 1, 0, 0], WireError::TlsRecordTooLong, 50),
        (20, &[1], WireError::TlsProtocol, 10), // change_cipher_spec, sealed
        (24, &[1], WireError::TlsProtocol, 10),
        (0, &[0; 8], WireError::TlsProtocol, 10), // no type, only padding
        (ALERT, &[2], WireError::TlsProtocol, 10),
        (ALERT, &[2, 40, 0], WireError::TlsProtocol, 10),
        (DATA, &[7; 16_385], WireError::TlsRecordTooLong, 22),
    ];
    for (typ, payload, error, alert) in table {
        for piece_len in [usize::MAX, 11] {
            let (mut client, mut forger) = Forger::new();
            let bytes = [forger.sealed(DATA, b"good"), forger.sealed(*typ, payload)].concat();
            let got = client.feed_split(&bytes, &mut || piece_len);
            assert_eq!(got, Err(*error), "{typ} {payload:?}");
            assert_eq!(client.plain, b"good");
            assert!(client.channel.wants_to_write());
            let mut out = Vec::new();
            client.channel.farewell(&mut out);
            assert_eq!(record_lens(&out).len(), 1);
            assert_eq!(forger.alert_in(&mut out), [2, *alert], "{typ} {payload:?}");
        }
    }
}

#[test]
fn nothing_in_the_clear_counts_after_the_handshake() {
    // a close_notify that anybody on the way could have written, for one
    let table: [&[u8]; 4] = [
        &[21, 3, 3, 0, 2, 1, 0],
        &[20, 3, 3, 0, 1, 1],
        &[22, 3, 3, 0, 5, 24, 0, 0, 1, 0],
        &[23, 3, 3, 0, 4, 1, 2, 3, 4],
    ];
    for bytes in table {
        let (mut client, _) = Forger::new();
        assert_eq!(client.feed(bytes), Err(WireError::TlsProtocol), "{bytes:?}");
        assert!(!client.ended);
    }
}

#[test]
fn alerts_that_end_and_alerts_that_do_not() {
    let (mut client, mut forger) = Forger::new();
    client.feed(&forger.sealed(ALERT, &[1, 90])).unwrap(); // user_canceled
    client.feed(&forger.sealed(DATA, b"")).unwrap();
    client.feed(&forger.sealed(DATA, b"still here")).unwrap();
    assert!(!client.ended);
    client.feed(&forger.sealed(ALERT, &[1, 0])).unwrap();
    assert_eq!((client.ended, client.channel.eof()), (true, Ok(())));
    assert_eq!(client.plain, b"still here");
    // any other is fatal, whatever level it claims (RFC 8446 §6)
    for level in [1, 2] {
        let (mut client, mut forger) = Forger::new();
        let error = WireError::TlsAlert { description: 80 };
        assert_eq!(client.feed(&forger.sealed(ALERT, &[level, 80])), Err(error));
        let mut out = Vec::new();
        client.channel.farewell(&mut out);
        assert!(out.is_empty(), "an alert is not answered");
    }
}

#[test]
fn a_ticket_may_come_in_many_records_with_nothing_between_them() {
    let ticket = ticket();
    for cut_len in [5, 6, 40, 200] {
        let (mut client, mut forger) = Forger::new();
        client.feed(&forger.sealed(DATA, b"go ")).unwrap();
        let two = [&ticket[..], &ticket].concat();
        for (i, part) in two.chunks(cut_len).enumerate() {
            let bytes = forger.sealed(HANDSHAKE, part);
            client.feed_split(&bytes, &mut || 7).unwrap_or_else(|e| panic!("{cut_len} {i} {e}"));
            // what is sealed meanwhile is sealed
            assert!(!client.sealed(b"x").is_empty());
        }
        assert_eq!(client.pool.used_len(), 0);
        client.feed(&forger.sealed(DATA, b"on")).unwrap();
        assert_eq!(client.plain, b"go on");
    }
    for (typ, payload) in [(DATA, &b"data"[..]), (ALERT, &[1, 0]), (DATA, b"")] {
        let (mut client, mut forger) = Forger::new();
        client.feed(&forger.sealed(HANDSHAKE, &ticket[..9])).unwrap();
        assert!(client.channel.held_len() == 9);
        let between = forger.sealed(typ, payload);
        assert_eq!(client.feed(&between), Err(WireError::TlsProtocol));
    }
}

#[test]
fn a_server_cannot_keep_us_busy_with_nothing() {
    for (typ, payload) in [(DATA, vec![]), (HANDSHAKE, ticket()), (ALERT, vec![1, 90])] {
        let (mut client, mut forger) = Forger::new();
        for _ in 0..3 {
            client.feed(&forger.sealed(DATA, b"data")).unwrap();
            (0..32).for_each(|_| client.feed(&forger.sealed(typ, &payload)).unwrap());
        }
        let one_more = forger.sealed(typ, &payload);
        assert_eq!(client.feed(&one_more), Err(WireError::TlsProtocol));
    }
}

#[test]
fn a_record_that_comes_twice_is_refused() {
    let (mut client, mut forger) = Forger::new();
    let record = forger.sealed(DATA, b"once");
    client.feed(&record).unwrap();
    assert_eq!(client.feed(&record), Err(WireError::TlsProtocol));
    assert_eq!(client.plain, b"once");
}

#[test]
fn in_tls_1_2_text_waits_while_a_handshake_message_is_not_whole() {
    let (mut client, mut forger) = Forger::of(&TLS12);
    client.feed(&forger.sealed(DATA, b"go ")).unwrap();
    client.feed(&forger.sealed(HANDSHAKE, &[0, 0])).unwrap(); // half a HelloRequest
    // Who asks whether the channel is open before giving text loses none of it.
    assert!(!client.channel.is_open());
    let (mut plain, mut out) = (b"text".to_vec(), Vec::new());
    client.channel.seal(&mut plain, &mut out).unwrap();
    assert_eq!((&plain[..], &out[..]), (&b"text"[..], &b""[..]));
    client.feed(&forger.sealed(HANDSHAKE, &[0, 0])).unwrap();
    assert!(client.channel.is_open());
    client.channel.seal(&mut plain, &mut out).unwrap();
    assert!(plain.is_empty());
    assert_eq!(record_lens(&out).len(), 2, "that there is no renegotiation, and the text");
    client.feed(&forger.sealed(DATA, b"on")).unwrap();
    assert_eq!(client.plain, b"go on");
    client.release();
}

#[test]
fn text_that_comes_with_the_servers_finished_is_whole_in_any_split() {
    let ca = Ca::new();
    let mut config = ca.server(GOOD, &[&TLS13]);
    config.send_half_rtt_data = true;
    let (config, tls) = (Arc::new(config), ca.client(TlsVersions::All, 0));
    let mut at = 1;
    loop {
        let mut client = Client::new(&tls);
        let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
        take(&mut server, &client.sealed(b"")).unwrap();
        let mut flight = written(&mut server, b"before ");
        flight.extend(written(&mut server, b"the client's Finished"));
        if at >= flight.len() {
            break;
        }
        let (first, second) = flight.split_at(at);
        client.feed(first).unwrap();
        client.feed(second).unwrap();
        assert_eq!(client.plain, b"before the client's Finished", "split at {at}");
        assert!(client.channel.is_open());
        let out = client.sealed(b"answer");
        take(&mut server, &out).unwrap();
        assert_eq!(heard(&mut server), b"answer", "split at {at}");
        client.feed(&written(&mut server, b"!")).unwrap();
        assert!(client.plain.ends_with(b"!"));
        client.release();
        at += 11;
    }
    assert!(at > 700, "there were splits");
}

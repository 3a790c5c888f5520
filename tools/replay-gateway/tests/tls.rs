//! TLS at the gateway: certificates right and wrong, versions, resumption, what can happen in the
//! records, and traffic through it.

mod common;

use common::{ALL, Client, Got, TOKEN, handshake, trust};
use replay_gateway::ledger::compare;
use replay_gateway::{
    Action, Builder, Certificate, Gateway, GatewayHandle, LedgerTo, Start, Target, TlsConfig,
    TlsFault, TlsVersions, TrafficConfig,
};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, Error, HandshakeKind};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::time::Duration;

const QUERY: &str = "v=10&encoding=json&compress=zlib-stream";

fn gateway(tls: TlsConfig) -> Builder {
    Gateway::builder().token(TOKEN).max_concurrency(64).tls(tls)
}

fn start(tls: TlsConfig) -> GatewayHandle {
    gateway(tls).spawn().expect("spawn")
}

fn ca(gateway: &GatewayHandle) -> &str {
    gateway.ca_pem().expect("a CA")
}

fn shows(certificate: Certificate) -> TlsConfig {
    TlsConfig { certificate, ..TlsConfig::default() }
}

#[test]
fn the_certificate_holds_the_names_and_addresses_of_this_machine() {
    let gateway = start(TlsConfig::default());
    assert!(gateway.url().starts_with("wss://127.0.0.1:"));
    for name in ["localhost", "127.0.0.1", "::1"] {
        handshake(&gateway.url(), name, &trust(ca(&gateway), &[&TLS13])).expect(name);
    }
    let wrong = handshake(&gateway.url(), "gateway.discord.gg", &trust(ca(&gateway), &[&TLS13]));
    assert!(wrong.is_err());
}

#[test]
fn each_wrong_certificate_is_wrong_in_its_own_way() {
    let why = |certificate| {
        let gateway = start(shows(certificate));
        let trust = trust(ca(&gateway), &[&TLS12, &TLS13]);
        let error = handshake(&gateway.url(), "127.0.0.1", &trust).err().expect("refused");
        let (stats, _) = gateway.wait_for(Duration::from_secs(5), |stats| stats.tls_failed == 1);
        assert_eq!((stats.tls_failed, stats.tls_handshaking, stats.tls_full), (1, 0, 0));
        match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(error)) => error.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(
        why(Certificate::WrongName),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    ));
    assert!(matches!(
        why(Certificate::Expired),
        CertificateError::Expired | CertificateError::ExpiredContext { .. }
    ));
    assert!(matches!(
        why(Certificate::NotYetValid),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }
    ));
    assert!(matches!(
        why(Certificate::UnknownCa),
        CertificateError::UnknownIssuer | CertificateError::BadSignature
    ));
}

#[test]
fn a_given_certificate_is_shown_and_its_chain_ends_in_what_is_to_be_trusted() {
    let folder = std::env::temp_dir().join(format!("replay-gateway-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("made");
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).expect("write");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("write");
    let ca_out = Some(folder.join("ca.pem"));
    let certificate = Certificate::Given { chain, key };
    let gateway = start(TlsConfig { certificate, ca_out, ..TlsConfig::default() });
    let written = std::fs::read_to_string(folder.join("ca.pem")).expect("written");
    std::fs::remove_dir_all(&folder).expect("remove");
    assert_eq!(written, ca(&gateway));
    handshake(&gateway.url(), "127.0.0.1", &trust(&written, &[&TLS13])).expect("trusted");
}

#[test]
fn the_versions_are_those_asked_for() {
    for (versions, only, other) in
        [(TlsVersions::Tls12, &TLS12, &TLS13), (TlsVersions::Tls13, &TLS13, &TLS12)]
    {
        let gateway = start(TlsConfig { versions, ..TlsConfig::default() });
        handshake(&gateway.url(), "localhost", &trust(ca(&gateway), &[only])).expect("spoken");
        assert!(handshake(&gateway.url(), "localhost", &trust(ca(&gateway), &[other])).is_err());
    }
}

#[test]
fn sessions_are_resumed_by_tickets_in_both_versions_unless_switched_off() {
    for no_tickets in [false, true] {
        for version in [&TLS12, &TLS13] {
            let gateway = start(TlsConfig { no_tickets, ..TlsConfig::default() });
            let trust = trust(ca(&gateway), &[version]);
            for round in 0..3 {
                let mut client = Client::tls(&gateway.url(), QUERY, &trust);
                client.hello();
                let common::Wire::Tls(tls) = client.socket.get_ref() else { panic!("plain") };
                let resumed = tls.conn.handshake_kind() == Some(HandshakeKind::Resumed);
                assert_eq!(resumed, round > 0 && !no_tickets, "{version:?} {round}");
            }
            let stats = gateway.stats();
            let expected = if no_tickets { (3, 0) } else { (1, 2) };
            assert_eq!((stats.tls_full, stats.tls_resumed), expected);
            assert!(stats.tls_handshaking_max >= 1);
        }
    }
}

#[test]
fn a_session_goes_on_after_its_keys_were_changed_on_demand() {
    let gateway = start(TlsConfig::default());
    let trust = trust(ca(&gateway), &[&TLS13]);
    let mut client = Client::tls(&gateway.url(), QUERY, &trust);
    client.login([0, 1], ALL);
    client.until(|payload| payload["t"] == "GUILD_CREATE");
    for n in 0..5 {
        gateway.act(Target::All, Action::Tls(TlsFault::KeyUpdate));
        gateway.dispatch(Target::All, "AFTER", &n.to_string());
        assert_eq!(client.payload()["d"], n);
    }
    client.heartbeat();
    assert_eq!(client.payload()["op"], 11);
    assert_eq!(gateway.stats().tls_key_updates, 5);
}

/// Logs in, commits a fault in the records, and gives how reading ended.
fn end_of(fault: TlsFault) -> (std::io::Error, GatewayHandle) {
    let gateway = start(TlsConfig::default());
    let trust = trust(ca(&gateway), &[&TLS13]);
    let mut client = Client::tls(&gateway.url(), "v=10&encoding=json", &trust);
    client.login([0, 1], ALL);
    client.until(|payload| payload["t"] == "GUILD_CREATE");
    gateway.act(Target::All, Action::Tls(fault));
    let wire = client.socket.get_mut();
    let mut rest = Vec::new();
    let error = wire.read_to_end(&mut rest).expect_err("no clean end");
    // What came before an error within the same read is still there.
    let common::Wire::Tls(tls) = wire else { panic!("plain") };
    let _ = tls.conn.reader().read_to_end(&mut rest);
    if fault != TlsFault::Garbage {
        assert!(!rest.is_empty() && rest[0] == 0x81, "half a frame came first: {rest:?}");
        assert!(rest.len() < 2 + usize::from(rest[1]), "and no more than a part of it");
    }
    (error, gateway)
}

#[test]
fn an_alert_comes_in_mid_message() {
    let (error, _gateway) = end_of(TlsFault::Alert);
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    assert!(matches!(inner, Some(Error::AlertReceived(_))), "{error:?}");
}

#[test]
fn a_fin_comes_in_mid_record_without_close_notify() {
    let (error, _gateway) = end_of(TlsFault::Truncate);
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_record_that_no_key_opens_comes_between_two_others() {
    let (error, gateway) = end_of(TlsFault::Garbage);
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    assert!(matches!(inner, Some(Error::DecryptError)), "{error:?}");
    let (stats, failed) = gateway.wait_for(Duration::from_secs(5), |stats| stats.tls_failed == 1);
    assert!(failed, "the client's alert is counted: {stats:?}");
}

#[test]
fn a_clean_close_says_close_notify_and_garbage_from_a_client_is_answered_by_an_alert() {
    let gateway = start(TlsConfig::default());
    let trust = trust(ca(&gateway), &[&TLS13]);
    let mut client = Client::tls(&gateway.url(), QUERY, &trust);
    client.hello();
    client.socket.close(None).expect("close");
    assert!(matches!(client.next(), Got::Close(_)));
    let mut rest = Vec::new();
    client.socket.get_mut().read_to_end(&mut rest).expect("an end with close_notify");

    let mut client = Client::tls(&gateway.url(), QUERY, &trust);
    client.hello();
    gateway.act(Target::All, Action::Drop);
    client.socket.get_mut().read_to_end(&mut rest).expect("no close frame, yet close_notify");

    let mut client = Client::tls(&gateway.url(), QUERY, &trust);
    client.hello();
    client.socket.get_ref().tcp().write_all(&[0x17, 3, 3, 0, 32]).expect("write");
    client.socket.get_ref().tcp().write_all(&[7; 32]).expect("write");
    let error = client.socket.get_mut().read_to_end(&mut rest).expect_err("an alert");
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    assert!(matches!(inner, Some(Error::AlertReceived(_))), "{error:?}");
    assert_eq!(gateway.stats().tls_failed, 1);
}

#[test]
fn traffic_flat_out_arrives_whole_also_by_a_narrow_socket() {
    const EVENTS: u64 = 6_000;
    for query in ["v=10&encoding=json", QUERY] {
        let traffic = TrafficConfig {
            start: Start::Shards(1),
            events_per_shard: Some(EVENTS),
            ..TrafficConfig::default()
        };
        let gateway = gateway(TlsConfig::default())
            .ledger(LedgerTo::Memory)
            .traffic(traffic)
            .send_buffer_bytes(4_096)
            .spawn()
            .expect("spawn");
        let mut client = Client::tls(&gateway.url(), query, &trust(ca(&gateway), &[&TLS13]));
        client.login([0, 1], ALL);
        let mut records = client.records_until(900);
        gateway.act(Target::All, Action::Tls(TlsFault::KeyUpdate));
        records.extend(client.records_until(EVENTS + 2));
        client.heartbeat();
        assert_eq!(client.payload(), json!({ "t": null, "s": null, "op": 11, "d": null }));
        let report = compare(&gateway.ledger(), &records, &[]);
        assert!(report.is_clean() && report.seen == EVENTS, "{report:?}");
        assert_eq!(gateway.stats().tls_key_updates, 1);
    }
}

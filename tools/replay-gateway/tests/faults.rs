//! Each fault does what it says, at its moment, on the connection it is about, and the session
//! can be resumed wherever it should.

mod common;

use common::{ALL, Client, Got, TOKEN};
use replay_gateway::ledger::compare;
use replay_gateway::{
    Action, Builder, Fault, Framing, Gateway, Injection, LedgerTo, ResumeUrl, Start, Target,
    TrafficConfig, When,
};
use serde_json::json;
use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::time::Duration;

fn gateway() -> Builder {
    Gateway::builder().token(TOKEN).max_concurrency(64)
}

fn traffic(events: u64) -> Builder {
    gateway().ledger(LedgerTo::Memory).traffic(TrafficConfig {
        start: Start::Each,
        events_per_shard: Some(events),
        ..TrafficConfig::default()
    })
}

#[test]
fn hello_may_never_come_and_the_next_connection_has_it() {
    let fault = Fault::new(When::Upgrade, Action::Swallow).connection(1);
    let gateway = gateway().fault(fault).spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.heartbeat();
    assert_eq!(client.payload()["op"], 11, "the first thing that comes is the answer");
    Client::plain(&gateway.url()).hello();
}

#[test]
fn ready_may_never_come_while_heartbeats_are_answered() {
    let gateway = gateway().fault(Fault::new(When::Identify, Action::Swallow)).spawn().expect("ok");
    let mut client = Client::plain(&gateway.url());
    client.hello();
    client.identify([0, 1], ALL);
    client.heartbeat();
    assert_eq!(client.payload()["op"], 11);
    let stats = gateway.stats();
    assert_eq!((stats.identifies, stats.sessions), (1, 0));
}

#[test]
fn op_7_comes_after_so_many_events_of_the_shard_and_the_ledger_stays_whole() {
    const EVENTS: u64 = 1_500;
    let fault = Fault::new(When::Events(500), Action::Reconnect).shard(1).connection(1);
    let gateway = traffic(EVENTS).fault(fault).spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([1, 2], ALL);
    let mut records = Vec::new();
    loop {
        let Got::Payload(text, payload) = client.next() else { panic!("no payload") };
        if payload["op"] == 7 {
            break;
        }
        records.extend(common::record(&client.session_id, &text, &payload));
    }
    assert_eq!(client.last_s, Some(502), "after 500 events");
    let id = client.session_id.clone();
    client.close(4_000);
    let mut client = Client::zlib(&gateway.url());
    client.hello();
    client.resume(&id, 502);
    (client.session_id, client.last_s) = (id, Some(502));
    records.extend(client.records_until(EVENTS + 2));
    let report = compare(&gateway.ledger(), &records, &[]);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(gateway.stats().faults, 1);
}

#[test]
fn a_close_on_identify_has_the_code_asked_for() {
    for code in [4000, 4004, 4010, 4011, 4013, 4014, 1012] {
        let close = Action::Close { code, reason: "on demand".to_owned() };
        let gateway = gateway().fault(Fault::new(When::Identify, close)).spawn().expect("spawn");
        let mut client = Client::plain(&gateway.url());
        client.hello();
        client.identify([0, 1], ALL);
        assert_eq!(client.close_code(), code);
    }
}

#[test]
fn op_9_in_session_ends_it_or_keeps_it() {
    for resumable in [true, false] {
        let fault = Fault::new(When::Ready, Action::InvalidSession(resumable)).connection(1);
        let gateway = gateway().fault(fault).spawn().expect("spawn");
        let mut client = Client::plain(&gateway.url());
        client.login([0, 1], ALL);
        let last = client.until(|payload| payload["op"] == 9).pop().expect("op 9");
        assert_eq!(last["d"], resumable);
        let id = client.session_id.clone();
        client.close(4_000);
        let mut client = Client::plain(&gateway.url());
        client.hello();
        client.resume(&id, 2);
        let answer = client.payload();
        assert_eq!(answer["t"] == "RESUMED", resumable, "{answer}");
    }
}

#[test]
fn a_reset_cuts_a_frame_and_the_event_comes_again_on_resume() {
    const EVENTS: u64 = 900;
    let fault = Fault::new(When::Events(300), Action::Reset).connection(1);
    let gateway = traffic(EVENTS).fault(fault).spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    let mut records = Vec::new();
    while let Got::Payload(text, payload) = client.next() {
        records.extend(common::record(&client.session_id, &text, &payload));
    }
    // A reset may overtake what the kernel had not handed over: fewer may have come, never more.
    let seq = client.last_s.expect("some came");
    assert!(seq <= 302, "{seq}");
    let id = client.session_id.clone();
    let mut client = Client::zlib(&gateway.url());
    client.hello();
    client.resume(&id, seq);
    (client.session_id, client.last_s) = (id, Some(seq));
    records.extend(client.records_until(EVENTS + 2));
    let report = compare(&gateway.ledger(), &records, &[]);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(gateway.stats().ends_without_close, 1);
}

#[test]
fn a_zombie_is_silent_with_tcp_open_until_it_is_revived() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    client.until(|payload| payload["t"] == "GUILD_CREATE");
    gateway.act(Target::Shard(0), Action::Zombie);
    gateway.stats();
    client.heartbeat();
    client
        .socket
        .get_ref()
        .tcp()
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("timeout");
    let silence = client.socket.get_mut().read(&mut [0; 16]).expect_err("nothing comes");
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    client.socket.get_ref().tcp().set_read_timeout(Some(Duration::from_secs(8))).expect("timeout");
    gateway.revive(Target::Shard(0));
    assert_eq!(client.payload()["op"], 11);
}

#[test]
fn acks_may_be_withheld_while_dispatches_go_on() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    client.until(|payload| payload["t"] == "GUILD_CREATE");
    gateway.pause_acks(Target::All, true);
    gateway.stats();
    client.heartbeat();
    let (_, came) = gateway.wait_for(Duration::from_secs(8), |stats| stats.heartbeats == 1);
    assert!(came);
    gateway.dispatch(Target::All, "STILL", "{}");
    assert_eq!(client.payload()["t"], "STILL");
    gateway.pause_acks(Target::All, false);
    gateway.stats();
    client.heartbeat();
    assert_eq!(client.payload()["op"], 11);
}

#[test]
fn a_heartbeat_may_be_asked_for() {
    let gateway =
        gateway().fault(Fault::new(When::Ready, Action::AskHeartbeat)).spawn().expect("s");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    client.until(|payload| payload["op"] == 1);
}

#[test]
fn the_resume_host_may_be_dead_in_two_ways_while_the_main_one_lives() {
    let gateway_a = gateway().resume_url(ResumeUrl::Refused).spawn().expect("spawn");
    let ready = Client::plain(&gateway_a.url()).login([0, 1], ALL);
    let url = ready["d"]["resume_gateway_url"].as_str().expect("a URL").to_owned();
    assert_ne!(url, gateway_a.url());
    let refused = TcpStream::connect(url.trim_start_matches("ws://")).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let gateway_b = gateway().resume_url(ResumeUrl::Unavailable).spawn().expect("spawn");
    let ready = Client::plain(&gateway_b.url()).login([0, 1], ALL);
    let url = ready["d"]["resume_gateway_url"].as_str().expect("a URL");
    let stream = TcpStream::connect(gateway_b.addr()).expect("connect");
    match tungstenite::client(url, stream).expect_err("503") {
        tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), 503);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_listening_socket_can_be_closed_and_opened_again() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    gateway.set_accepting(false);
    gateway.stats();
    let refused = TcpStream::connect(gateway.addr()).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    client.heartbeat();
    client.until(|payload| payload["op"] == 11);
    gateway.set_accepting(true);
    gateway.stats();
    Client::plain(&gateway.url()).hello();
}

#[test]
fn a_duplicate_repeats_a_number_and_a_gap_leaves_some_out() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    client.until(|payload| payload["t"] == "GUILD_CREATE");
    gateway.dispatch(Target::All, "ONE", "1");
    assert_eq!(client.payload()["s"], 3);
    gateway.act(Target::All, Action::Duplicate);
    let again = client.payload();
    assert_eq!((&again["s"], &again["t"]), (&json!(3), &json!("ONE")));
    gateway.act(Target::All, Action::Gap(5));
    gateway.dispatch(Target::All, "TWO", "2");
    assert_eq!(client.payload()["s"], 9);
}

#[test]
fn odd_framings_carry_the_same_messages() {
    for framing in [Framing::Fragments(3), Framing::EmptyFinal, Framing::Split(4)] {
        for zlib in [true, false] {
            let gateway = traffic(50).framing(framing).spawn().expect("spawn");
            let url = gateway.url();
            let mut client = if zlib { Client::zlib(&url) } else { Client::plain(&url) };
            client.login([0, 1], ALL);
            let records = client.records_until(52);
            let report = compare(&gateway.ledger(), &records, &[]);
            assert!(report.is_clean(), "{framing:?}, zlib {zlib}: {report:?}");
        }
    }
}

#[test]
fn injected_messages_come_as_asked_and_the_stream_goes_on() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    client.until(|payload| payload["t"] == "GUILD_CREATE");
    gateway.act(Target::All, Action::Inject(Injection::UnknownOpcode));
    assert_eq!(client.payload()["op"], 97);
    gateway.act(Target::All, Action::Inject(Injection::UnknownEvent));
    assert_eq!(client.payload()["t"], "SOMETHING_OF_TOMORROW");
    gateway.act(Target::All, Action::Inject(Injection::Bomb(20 << 20)));
    let Got::Payload(text, _) = client.next() else { panic!("no payload") };
    assert!(text.len() > 20 << 20);
    assert!(client.binary_bytes < 100_000, "{}", client.binary_bytes);
    gateway.act(Target::All, Action::Inject(Injection::Text("{\"op\":11}".to_owned())));
    assert_eq!(client.payload()["op"], 11);
}

#[test]
fn raw_injections_stand_between_frames_byte_for_byte() {
    let cases: [(Injection, &[u8]); 5] = [
        (Injection::Raw(vec![0x81, 2, 7, 9]), &[0x81, 2, 7, 9]),
        (Injection::Masked, &[0x81, 0x82, 1, 2, 3, 4]),
        (Injection::Claim(1 << 30), &[0x82, 127, 0, 0, 0, 0, 0x40, 0, 0, 0]),
        (Injection::InvalidUtf8, &[0x81, 4, b'{', 0xff, 0xfe, b'}']),
        (Injection::ReservedBits, &[0xc1, 2, b'{', b'}']),
    ];
    for (injection, bytes) in cases {
        let gateway = gateway().spawn().expect("spawn");
        let mut client = Client::plain(&gateway.url());
        client.login([0, 1], ALL);
        client.until(|payload| payload["t"] == "GUILD_CREATE");
        gateway.act(Target::All, Action::Inject(injection.clone()));
        let mut came = vec![0; bytes.len()];
        client.socket.get_mut().read_exact(&mut came).expect("read");
        assert_eq!(came, bytes, "{injection:?}");
    }
}

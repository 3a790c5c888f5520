//! Login, heartbeats, dispatches, RESUME: the ordinary life of a session, in text and zlib-stream.

mod common;

use common::{ALL, Client, Got, TOKEN};
use replay_gateway::{Builder, Gateway, GatewayHandle, Target};
use serde_json::json;
use std::time::Duration;

fn gateway() -> Builder {
    Gateway::builder().token(TOKEN).max_concurrency(64)
}

fn start() -> GatewayHandle {
    gateway().spawn().expect("spawn")
}

#[test]
fn a_login_brings_hello_ready_and_the_guilds_of_the_shard() {
    let gateway = gateway().guilds_per_shard(3).spawn().expect("spawn");
    for mut client in [Client::plain(&gateway.url()), Client::zlib(&gateway.url())] {
        let hello = client.hello();
        assert_eq!(hello["d"]["heartbeat_interval"], 41_250);
        let shard = if client.binary_bytes > 0 { 6 } else { 5 };
        client.identify([shard, 7], ALL);
        let ready = client.payload();
        assert_eq!((&ready["t"], &ready["s"]), (&json!("READY"), &json!(1)));
        assert_eq!(ready["d"]["shard"], json!([shard, 7]));
        assert_eq!(ready["d"]["resume_gateway_url"], gateway.url());
        let guilds = ready["d"]["guilds"].as_array().expect("guilds");
        assert_eq!(guilds.len(), 3);
        for (n, guild) in guilds.iter().enumerate() {
            assert_eq!(guild["unavailable"], true);
            let id: u64 = guild["id"].as_str().expect("id").parse().expect("snowflake");
            assert_eq!((id >> 22) % 7, u64::from(shard));
            let create = client.payload();
            assert_eq!(create["t"], "GUILD_CREATE");
            assert_eq!(create["s"], n + 2);
            assert_eq!(create["d"]["id"], guild["id"]);
        }
    }
}

#[test]
fn a_heartbeat_is_acknowledged_also_within_a_zlib_stream_and_before_identify() {
    let gateway = start();
    for mut client in [Client::plain(&gateway.url()), Client::zlib(&gateway.url())] {
        client.hello();
        client.heartbeat();
        assert_eq!(client.payload()["op"], 11);
        let shard = u32::from(client.binary_bytes > 0);
        client.identify([shard, 2], ALL);
        client.until(|payload| payload["t"] == "GUILD_CREATE");
        for n in 0..3 {
            gateway.dispatch(Target::Shard(shard), "TEST", &format!(r#"{{"n":{n}}}"#));
            let dispatch = client.payload();
            assert_eq!((&dispatch["t"], &dispatch["d"]["n"]), (&json!("TEST"), &json!(n)));
            assert_eq!(dispatch["s"], n + 3);
            client.heartbeat();
            assert_eq!(client.payload()["op"], 11);
        }
    }
    assert_eq!(gateway.stats().heartbeats, 8);
}

#[test]
fn a_resume_brings_what_was_missed_in_order_and_then_resumed() {
    let gateway = start();
    for compress in ["", "&compress=zlib-stream"] {
        let query = format!("v=10&encoding=json{compress}");
        let mut client = Client::connect(&gateway.url(), &query);
        let shard = u32::from(!compress.is_empty());
        client.login([shard, 2], ALL);
        client.until(|payload| payload["t"] == "GUILD_CREATE");
        let (id, seq) = (client.session_id.clone(), client.last_s.expect("numbered"));
        client.close(4_100);
        for n in 0..5 {
            gateway.dispatch(Target::Shard(shard), "MISSED", &n.to_string());
        }
        let mut client = Client::connect(&gateway.url(), &query);
        client.hello();
        client.resume(&id, seq);
        for n in 0..5 {
            let missed = client.payload();
            assert_eq!((&missed["t"], &missed["d"]), (&json!("MISSED"), &json!(n)));
            assert_eq!(missed["s"], seq + 1 + n);
        }
        assert_eq!(client.payload()["t"], "RESUMED");
        gateway.dispatch(Target::Shard(shard), "NEW", "null");
        assert_eq!(client.payload()["t"], "NEW");
    }
    let stats = gateway.stats();
    assert_eq!((stats.identifies, stats.resumes, stats.resumed, stats.replayed), (2, 2, 2, 10));
    assert_eq!(stats.closes_received[&4_100], 2);
}

#[test]
fn a_close_with_1000_or_1001_ends_the_session_and_any_other_end_keeps_it() {
    let gateway = start();
    for (shard, code, resumed) in [(0, 1000, false), (1, 1001, false), (2, 1012, true)] {
        let mut client = Client::plain(&gateway.url());
        client.login([shard, 4], ALL);
        client.close(code);
        let id = client.session_id.clone();
        let mut client = Client::plain(&gateway.url());
        client.hello();
        client.resume(&id, 1);
        let answer = client.payload();
        assert_eq!(answer["op"] == 9 && answer["d"] == false, !resumed, "{code}: {answer}");
    }
    let mut client = Client::plain(&gateway.url());
    client.login([3, 4], ALL);
    let id = client.session_id.clone();
    drop(client); // no close frame at all
    let mut client = Client::plain(&gateway.url());
    client.hello();
    client.resume(&id, 1);
    client.until(|payload| payload["t"] == "RESUMED");
}

#[test]
fn a_session_expires_after_its_time_and_a_buffer_that_no_longer_covers_refuses() {
    let gateway = gateway().session_ttl_ms(20).replay_events_max(3).spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    let id = client.session_id.clone();
    client.close(4_100);
    std::thread::sleep(Duration::from_millis(100));
    let mut client = Client::plain(&gateway.url());
    client.hello();
    client.resume(&id, 1);
    assert_eq!(client.payload(), json!({ "t": null, "s": null, "op": 9, "d": false }));

    let gateway = self::gateway().replay_events_max(3).spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    let id = client.session_id.clone();
    client.close(4_100);
    (0..10).for_each(|n| gateway.dispatch(Target::All, "MISSED", &n.to_string()));
    let mut client = Client::plain(&gateway.url());
    client.hello();
    client.resume(&id, 2);
    assert_eq!(client.payload()["op"], 9);
}

#[test]
fn a_resume_takes_the_session_from_its_old_connection() {
    let gateway = start();
    let mut old = Client::plain(&gateway.url());
    old.login([0, 1], ALL);
    old.until(|payload| payload["t"] == "GUILD_CREATE");
    let mut new = Client::plain(&gateway.url());
    new.hello();
    new.resume(&old.session_id, 2);
    assert_eq!(new.payload()["t"], "RESUMED");
    assert_eq!(old.close_code(), 4000);
    gateway.dispatch(Target::All, "NEW", "null");
    assert_eq!(new.payload()["t"], "NEW");
}

#[test]
fn intents_filter_the_guilds_and_dispatches() {
    let gateway = start();
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], 1 << 9);
    gateway.dispatch(Target::All, "TYPING_START", "{}");
    gateway.dispatch(Target::All, "MESSAGE_DELETE", "{}");
    let first = client.payload();
    assert_eq!((&first["t"], &first["s"]), (&json!("MESSAGE_DELETE"), &json!(2)));
}

#[test]
fn identifies_over_the_concurrency_are_refused_by_op_9_per_key() {
    let gateway =
        Gateway::builder().max_concurrency(2).identify_window_ms(60_000).spawn().expect("spawn");
    let mut clients: Vec<Client> = (0..3).map(|_| Client::plain(&gateway.url())).collect();
    for (shard, client) in clients.iter_mut().enumerate() {
        client.hello();
        client.identify([shard as u32, 4], ALL);
        let answer = client.payload();
        match shard {
            2 => assert_eq!((&answer["op"], &answer["d"]), (&json!(9), &json!(false))),
            _ => assert_eq!(answer["t"], "READY"),
        }
    }
    let stats = gateway.stats();
    assert_eq!((stats.identifies_too_soon, stats.identifies_per_window_max), (1, 2));
}

#[test]
fn a_connection_without_heartbeats_is_closed() {
    let gateway =
        gateway().heartbeat_deadline_ms(100).heartbeat_close(4_000).spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.hello();
    assert_eq!(client.close_code(), 4_000);
    let (stats, _) = gateway.wait_for(Duration::from_secs(5), |stats| stats.closes_sent.len() == 1);
    assert_eq!((stats.heartbeats_late, stats.closes_sent[&4_000]), (1, 1));
}

#[test]
fn pings_are_answered_and_close_frames_too() {
    let gateway = start();
    let mut client = Client::plain(&gateway.url());
    client.hello();
    client.socket.send(tungstenite::Message::Ping("abc".into())).expect("ping");
    assert_eq!(client.socket.read().expect("pong"), tungstenite::Message::Pong("abc".into()));
    client.socket.close(None).expect("close");
    assert!(matches!(client.next(), Got::Close(_)));
    assert!(matches!(client.next(), Got::End));
}

//! Traffic on the wire: blocks in one continuing zlib stream, RESUME in their middle, pacing,
//! captures, big guilds; and the ledger, which must notice every canary.

mod common;

use common::{ALL, Client, Got, TOKEN};
use replay_gateway::ledger::{self, Record, Report, compare};
use replay_gateway::traffic::schedule::{Pace, Schedule};
use replay_gateway::{
    Action, Builder, Canary, CanaryKind, CaptureConfig, Gateway, GatewayHandle, LedgerTo, Start,
    Target, TrafficConfig, VoiceFault,
};
use serde_json::json;
use std::time::Duration;

fn gateway(traffic: TrafficConfig) -> Builder {
    Gateway::builder().token(TOKEN).max_concurrency(64).ledger(LedgerTo::Memory).traffic(traffic)
}

fn flat(events: u64) -> TrafficConfig {
    TrafficConfig {
        start: Start::Shards(1),
        events_per_shard: Some(events),
        ..TrafficConfig::default()
    }
}

/// The ledger holds the records of traffic; compares them with what a client saw.
fn judge(gateway: &GatewayHandle, client: &[Record]) -> Report {
    compare(&gateway.ledger(), client, &[])
}

fn whole_run(gateway: &GatewayHandle, mut client: Client, events: u64) -> Vec<Record> {
    client.login([0, 1], ALL);
    let records = client.records_until(2 + events);
    client.close(1000);
    assert_eq!(gateway.stats().traffic_numbered, events);
    records
}

#[test]
fn flat_out_every_event_of_the_blocks_arrives_as_numbered() {
    const EVENTS: u64 = 4_321;
    for zlib in [true, false] {
        let gateway = gateway(flat(EVENTS)).spawn().expect("spawn");
        let url = gateway.url();
        let client = if zlib { Client::zlib(&url) } else { Client::plain(&url) };
        let records = whole_run(&gateway, client, EVENTS);
        let report = judge(&gateway, &records);
        assert!(report.is_clean(), "{report:?}");
        assert_eq!((report.seen, report.unhashed), (EVENTS, 1), "one start guild is unhashed");
        let stats = gateway.stats();
        assert_eq!(stats.traffic_from_blocks, EVENTS);
        assert!(stats.prepare_ns > 0);
    }
}

#[test]
fn heartbeats_are_answered_at_the_end_of_a_block() {
    let gateway = gateway(flat(20_000)).spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    client.until(|payload| payload["s"] == 1_500);
    client.heartbeat();
    let mut acks = 0;
    while client.last_s != Some(20_002) {
        acks += u64::from(client.payload()["op"] == 11);
    }
    assert_eq!(acks, 1);
    assert_eq!(gateway.stats().traffic_from_blocks, 20_000);
}

#[test]
fn a_resume_in_the_middle_of_a_block_goes_on_live_until_the_next_one() {
    const EVENTS: u64 = 3_500;
    let gateway = gateway(flat(EVENTS)).send_buffer_bytes(4_096).spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    let mut records = client.records_until(700);
    let id = client.session_id.clone();
    drop(client);
    let mut client = Client::zlib(&gateway.url());
    client.hello();
    client.resume(&id, 700);
    client.session_id = id;
    let mut resumed = 0;
    client.last_s = Some(700);
    while client.last_s != Some(EVENTS + 2) {
        match client.next() {
            Got::Payload(text, payload) => {
                resumed += u64::from(payload["t"] == "RESUMED");
                records.extend(common::record(&client.session_id, &text, &payload));
            }
            other => panic!("{other:?}"),
        }
    }
    let report = judge(&gateway, &records);
    assert!(report.is_clean(), "{report:?}");
    // RESUMED took one number, so one event fewer was generated.
    assert_eq!((resumed, report.seen), (1, EVENTS - 1));
    let stats = gateway.stats();
    assert!(stats.replayed > 0);
    assert!(stats.traffic_from_blocks > 1_000, "{}", stats.traffic_from_blocks);
}

#[test]
fn a_dispatch_in_the_middle_of_a_block_takes_a_number_and_the_rest_follows() {
    const EVENTS: u64 = 5_000;
    let gateway = gateway(flat(EVENTS)).send_buffer_bytes(4_096).spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    let mut records = client.records_until(300);
    gateway.dispatch(Target::All, "IN_THE_MIDDLE", "{}");
    gateway.stats(); // the order has been obeyed
    records.extend(client.records_until(EVENTS + 2));
    let report = judge(&gateway, &records);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.seen, EVENTS - 1);
}

#[test]
fn blocks_are_made_and_forgotten_as_sessions_go_within_their_memory() {
    const EVENTS: u64 = 9_000;
    for known in [Some(EVENTS), None] {
        let traffic = TrafficConfig {
            events_per_shard: known,
            block_bytes_max: 1_000_000,
            makers: 1,
            ..flat(EVENTS)
        };
        let gateway = gateway(traffic).spawn().expect("spawn");
        let mut client = Client::zlib(&gateway.url());
        client.login([0, 1], ALL);
        let records = client.records_until(EVENTS + 2);
        client.close(1000);
        let mut numbered = gateway.ledger();
        numbered.retain(|record| u64::from(record.s) <= EVENTS + 2);
        let report = compare(&numbered, &records, &[]);
        assert!(report.is_clean(), "{report:?}");
        let stats = gateway.stats();
        assert!(stats.traffic_from_blocks >= EVENTS);
        assert!(stats.block_bytes < 2_500_000, "{}", stats.block_bytes);
    }
}

#[test]
fn shards_of_a_variant_share_blocks_and_all_get_all() {
    const EVENTS: u64 = 2_000;
    let traffic = TrafficConfig { start: Start::Shards(18), burst: 4, ..flat(EVENTS) };
    let gateway = gateway(traffic).spawn().expect("spawn");
    let url = gateway.url();
    let clients: Vec<_> = (0..18)
        .map(|shard| {
            let url = url.clone();
            std::thread::spawn(move || {
                let mut client = Client::zlib(&url);
                client.login([shard, 18], ALL);
                client.records_until(EVENTS + 2)
            })
        })
        .collect();
    let records: Vec<Record> =
        clients.into_iter().flat_map(|client| client.join().expect("client")).collect();
    let report = judge(&gateway, &records);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.seen, 18 * EVENTS);
    assert_eq!(gateway.stats().blocks, 16 * 2);
}

#[test]
fn the_ledger_notices_an_event_dropped_doubled_swapped_or_altered() {
    const EVENTS: u64 = 1_200;
    for kind in [CanaryKind::Drop, CanaryKind::Double, CanaryKind::Swap, CanaryKind::Alter] {
        let canary = Canary { kind, shard: 0, at: 777 };
        let gateway = gateway(flat(EVENTS)).canary(canary).spawn().expect("spawn");
        let records = whole_run(&gateway, Client::zlib(&gateway.url()), EVENTS);
        let report = judge(&gateway, &records);
        assert!(!report.is_clean(), "{kind:?}");
        let found = (report.lost, report.doubled, report.out_of_order, report.altered);
        match kind {
            CanaryKind::Drop => assert_eq!(found, (1, 0, 0, 0)),
            CanaryKind::Double => assert_eq!(found, (1, 1, 0, 0)),
            CanaryKind::Swap => assert_eq!(found, (0, 0, 1, 0)),
            CanaryKind::Alter => assert_eq!(found, (0, 0, 0, 1)),
        }
    }
}

#[test]
fn paced_events_follow_the_schedule_that_a_client_can_compute() {
    const EVENTS: u64 = 200;
    for zlib in [true, false] {
        let traffic = TrafficConfig {
            rate_per_s: Some(2_000.0),
            rate_shards: 1,
            lead_ms: 50,
            ..flat(EVENTS)
        };
        let gateway = gateway(traffic).spawn().expect("spawn");
        let url = gateway.url();
        let client = if zlib { Client::zlib(&url) } else { Client::plain(&url) };
        let records = whole_run(&gateway, client, EVENTS);
        assert!(judge(&gateway, &records).is_clean());
        let stats = gateway.stats();
        let pace = Pace { seed: 42, rate_per_s: 2_000.0, shards: 1, burst: 1 };
        let last_due_ns = Schedule::new(pace, 0).due_ns(EVENTS - 1);
        let took_ns = stats.traffic_last_unix_ns - stats.traffic_start_unix_ns;
        // No upper bound: the machine may be busy. Never before its time (but for preparing).
        assert!(took_ns + 1_000_000 >= last_due_ns, "{took_ns} {last_due_ns}");
    }
}

#[test]
fn paced_events_are_numbered_while_the_client_is_away_and_replayed() {
    const EVENTS: u64 = 300;
    let traffic = TrafficConfig { rate_per_s: Some(3_000.0), rate_shards: 1, ..flat(EVENTS) };
    let gateway = gateway(traffic).spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    let mut records = client.records_until(20);
    let id = client.session_id.clone();
    client.close(4_200);
    let (stats, all) =
        gateway.wait_for(Duration::from_secs(20), |stats| stats.traffic_numbered == EVENTS);
    assert!(all, "{stats:?}");
    let mut client = Client::zlib(&gateway.url());
    client.hello();
    client.resume(&id, 20);
    (client.session_id, client.last_s) = (id, Some(20));
    records.extend(client.records_until(EVENTS + 2));
    let report = judge(&gateway, &records);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(client.payload()["t"], "RESUMED");
}

#[test]
fn fast_paced_traffic_comes_from_blocks() {
    const EVENTS: u64 = 3_000;
    let traffic = TrafficConfig { rate_per_s: Some(60_000.0), rate_shards: 1, ..flat(EVENTS) };
    let gateway = gateway(traffic).spawn().expect("spawn");
    let records = whole_run(&gateway, Client::zlib(&gateway.url()), EVENTS);
    let report = judge(&gateway, &records);
    assert!(report.is_clean(), "{report:?}");
    assert!(gateway.stats().traffic_from_blocks > 1_000);
}

#[test]
fn a_capture_is_played_byte_for_byte_to_each_session() {
    let name = format!("replay-gateway-capture-{}.jsonl", std::process::id());
    let path = std::env::temp_dir().join(name);
    let d = [r#"{"id":"1", "content" : "a  b"}"#, r#"{"id":"2"}"#, r#"{"id":"1","x":[1,2 ]}"#];
    let mut text = String::from(r#"{"time_ms":5,"payload":{"t":"READY","s":1,"op":0,"d":{}}}"#);
    for (n, d) in d.iter().enumerate() {
        text += &format!(
            "\n{{\"time_ms\":{},\"payload\":{{\"op\":0,\"s\":9,\"t\":\"MESSAGE_CREATE\",\"d\":{d}}}}}",
            10 + n
        );
    }
    std::fs::write(&path, text).expect("write");
    for speed in [None, Some(0.5)] {
        let capture = CaptureConfig { path: path.clone(), speed, start: Start::Each };
        let gateway = Gateway::builder()
            .max_concurrency(8)
            .ledger(LedgerTo::Memory)
            .capture(capture)
            .spawn()
            .expect("spawn");
        for shard in 0..2 {
            let mut client = Client::zlib(&gateway.url());
            client.login([shard, 2], ALL);
            client.until(|payload| payload["t"] == "GUILD_CREATE");
            let mut records = Vec::new();
            for (n, d) in d.iter().enumerate() {
                let Got::Payload(text, payload) = client.next() else { panic!("no payload") };
                assert_eq!(payload["s"], n + 3);
                assert!(text.ends_with(&format!("\"d\":{d}}}")), "{text}");
                records.extend(common::record(&client.session_id, &text, &payload));
            }
            let key = ledger::session_key(&client.session_id);
            let mut numbered = gateway.ledger();
            numbered.retain(|record| record.session == key);
            let report = compare(&numbered, &records, &[]);
            assert!(report.is_clean() && report.seen == 3, "{report:?}");
        }
    }
    std::fs::remove_file(&path).expect("remove");
}

#[test]
fn big_guilds_share_their_tail_and_the_stream_goes_on() {
    let gateway = Gateway::builder()
        .max_concurrency(8)
        .big_guild_bytes(3 << 20)
        .guilds_per_shard(2)
        .spawn()
        .expect("spawn");
    let clients = [Client::plain(&gateway.url()), Client::zlib(&gateway.url())];
    for (shard, mut client) in (0..).zip(clients) {
        let ready = client.login([shard, 2], ALL);
        for n in 0..2 {
            let Got::Payload(text, guild) = client.next() else { panic!("no payload") };
            assert!(text.len() > 3 << 20);
            assert_eq!(guild["d"]["id"], ready["d"]["guilds"][n]["id"]);
        }
        client.heartbeat();
        assert_eq!(client.payload()["op"], 11);
        client.close(1000);
    }
}

#[test]
fn whole_guild_requests_bring_chunks_of_a_thousand_and_then_a_rate_limit() {
    let gateway = Gateway::builder().members_per_guild(2_500).spawn().expect("spawn");
    let mut client = Client::zlib(&gateway.url());
    client.login([0, 1], ALL);
    client.until(|payload| payload["t"] == "GUILD_CREATE");
    let request = json!({ "op": 8, "d": {
        "guild_id": "81384788765712384", "query": "", "limit": 0, "nonce": "n1"
    } });
    client.send(&request);
    for (index, members) in [(0, 1_000), (1, 1_000), (2, 500)] {
        let chunk = client.payload();
        assert_eq!(chunk["t"], "GUILD_MEMBERS_CHUNK");
        let d = &chunk["d"];
        assert_eq!((&d["chunk_index"], &d["chunk_count"]), (&json!(index), &json!(3)));
        assert_eq!(
            (&d["nonce"], d["members"].as_array().expect("list").len()),
            (&json!("n1"), members)
        );
    }
    client.send(&request);
    let limited = client.payload();
    assert_eq!(limited["t"], "RATE_LIMITED");
    assert_eq!(limited["d"]["meta"], json!({ "guild_id": "81384788765712384", "nonce": "n1" }));
    assert!(limited["d"]["retry_after"].as_f64().expect("seconds") > 20.0);
    client.send(&json!({ "op": 8, "d": {
        "guild_id": "81384788765712384", "user_ids": ["80351110224678912", 12]
    } }));
    let some = client.payload();
    assert_eq!(some["d"]["members"][0]["user"]["id"], "80351110224678912");
    assert_eq!(some["d"]["not_found"], json!([12]));
}

#[test]
fn a_voice_request_is_answered_as_discord_does_and_faults_happen_to_the_bot() {
    let gateway = Gateway::builder().spawn().expect("spawn");
    let mut client = Client::plain(&gateway.url());
    client.login([0, 1], ALL);
    client.until(|payload| payload["t"] == "GUILD_CREATE");
    client.send(&json!({ "op": 4, "d": {
        "guild_id": "41771983423143937", "channel_id": "127121515262115840",
        "self_mute": true, "self_deaf": false
    } }));
    let state = client.payload();
    assert_eq!(
        (&state["t"], &state["d"]["self_mute"]),
        (&json!("VOICE_STATE_UPDATE"), &json!(true))
    );
    let server = client.payload();
    assert_eq!(server["t"], "VOICE_SERVER_UPDATE");
    let (guild, channel) = (41771983423143937, 127121515262115840);
    let voice = |fault| gateway.act(Target::All, Action::Voice(fault));
    voice(VoiceFault::ServerChange(guild));
    let changed = client.payload();
    assert_ne!(changed["d"]["token"], server["d"]["token"]);
    voice(VoiceFault::Move { guild, channel: 5 });
    assert_eq!(client.payload()["d"]["channel_id"], "5");
    assert_eq!(client.payload()["t"], "VOICE_SERVER_UPDATE");
    voice(VoiceFault::ServerFirst(true));
    voice(VoiceFault::Endpointless(true));
    voice(VoiceFault::Move { guild, channel });
    assert_eq!(client.payload()["d"]["endpoint"], json!(null));
    assert_eq!(client.payload()["d"]["channel_id"], channel.to_string());
    // Where it is already: the state, no server.
    client.send(&json!({ "op": 4, "d": {
        "guild_id": "41771983423143937", "channel_id": "127121515262115840",
        "self_mute": false, "self_deaf": true
    } }));
    assert_eq!(client.payload()["d"]["self_deaf"], json!(true));
    // A full channel answers nothing; the leave that follows does.
    voice(VoiceFault::Full(7));
    client.send(&json!({ "op": 4, "d": { "guild_id": "41771983423143937", "channel_id": "7" } }));
    client.send(&json!({ "op": 4, "d": {
        "guild_id": "41771983423143937", "channel_id": null, "self_mute": true, "self_deaf": false
    } }));
    assert_eq!(client.payload()["d"]["channel_id"], json!(null));
}

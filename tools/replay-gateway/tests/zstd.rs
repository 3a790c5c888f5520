//! zstd-stream on the wire: one frame that never ends, or one a message; live, from blocks, across
//! RESUME, big guilds and odd framings, with the ledger as the judge.

mod common;

use common::{ALL, Client, Got, TOKEN};
use replay_gateway::ledger::compare;
use replay_gateway::{
    Action, Builder, Framing, Gateway, Injection, LedgerTo, Start, Target, TrafficConfig,
    ZstdFrames,
};

const BOTH: [ZstdFrames; 2] = [ZstdFrames::Endless, ZstdFrames::EachMessage];

fn gateway(frames: ZstdFrames) -> Builder {
    Gateway::builder().token(TOKEN).max_concurrency(64).zstd_frames(frames)
}

fn flat(frames: ZstdFrames, events: u64) -> Builder {
    gateway(frames).ledger(LedgerTo::Memory).traffic(TrafficConfig {
        start: Start::Shards(1),
        events_per_shard: Some(events),
        ..TrafficConfig::default()
    })
}

#[test]
fn a_frame_never_ends_or_ends_with_each_message_as_asked_for() {
    for frames in BOTH {
        let gateway = gateway(frames).spawn().expect("spawn");
        let mut client = Client::zstd(&gateway.url());
        client.login([0, 1], ALL);
        client.until(|payload| payload["t"] == "GUILD_CREATE");
        for n in 0..50 {
            gateway.dispatch(Target::All, "TEST", &n.to_string());
            assert_eq!(client.payload()["d"], n);
            client.heartbeat();
            assert_eq!(client.payload()["op"], 11);
        }
        let messages = 3 + 2 * 50;
        let ended = if frames == ZstdFrames::Endless { 0 } else { messages };
        assert_eq!(client.frames_ended, ended);
    }
}

#[test]
fn flat_out_blocks_of_fresh_contexts_follow_each_other_in_one_frame() {
    const EVENTS: u64 = 5_432;
    for frames in BOTH {
        let gateway = flat(frames, EVENTS).send_buffer_bytes(4_096).spawn().expect("spawn");
        let mut client = Client::zstd(&gateway.url());
        client.login([0, 1], ALL);
        let mut records = client.records_until(700);
        // The middle of a block is left: live contexts, then the next block.
        gateway.dispatch(Target::All, "IN_THE_MIDDLE", "{}");
        gateway.stats();
        records.extend(client.records_until(EVENTS + 2));
        client.heartbeat();
        assert_eq!(client.payload()["op"], 11);
        let report = compare(&gateway.ledger(), &records, &[]);
        assert!(report.is_clean() && report.seen == EVENTS - 1, "{report:?}");
        let stats = gateway.stats();
        assert!(stats.traffic_from_blocks > EVENTS / 2, "{}", stats.traffic_from_blocks);
        assert_eq!(client.frames_ended > 0, frames == ZstdFrames::EachMessage);
        assert!(client.binary_bytes < 700 * EVENTS, "compressed: {}", client.binary_bytes);
    }
}

#[test]
fn a_resume_begins_a_frame_of_its_own_and_brings_what_was_missed() {
    const EVENTS: u64 = 3_500;
    for frames in BOTH {
        let gateway = flat(frames, EVENTS).send_buffer_bytes(4_096).spawn().expect("spawn");
        let mut client = Client::zstd(&gateway.url());
        client.login([0, 1], ALL);
        let mut records = client.records_until(700);
        let id = client.session_id.clone();
        drop(client);
        let mut client = Client::zstd(&gateway.url());
        client.hello();
        client.resume(&id, 700);
        (client.session_id, client.last_s) = (id, Some(700));
        records.extend(client.records_until(EVENTS + 2));
        let report = compare(&gateway.ledger(), &records, &[]);
        assert!(report.is_clean() && report.seen == EVENTS - 1, "{report:?}");
    }
}

#[test]
fn a_big_guild_a_bomb_and_cut_frames_come_through() {
    for frames in BOTH {
        let gateway = gateway(frames).big_guild_bytes(1 << 20).spawn().expect("spawn");
        let mut client = Client::zstd(&gateway.url());
        client.login([0, 1], ALL);
        let Got::Payload(text, guild) = client.next() else { panic!("no guild") };
        assert!(guild["t"] == "GUILD_CREATE" && text.len() > 1 << 20);
        gateway.act(Target::All, Action::Frame(Framing::Fragments(3)));
        for n in 0..3 {
            gateway.dispatch(Target::All, "CUT", &n.to_string());
            assert_eq!(client.payload()["d"], n);
        }
        gateway.act(Target::All, Action::Inject(Injection::Bomb(8 << 20)));
        let Got::Payload(text, _) = client.next() else { panic!("no bomb") };
        assert!(text.len() > 8 << 20);
        gateway.dispatch(Target::All, "LAST", "null");
        assert_eq!(client.payload()["t"], "LAST");
    }
}

//! The generator is held to the mix and sizes that the peers were measured on.

use super::*;
use std::collections::BTreeSet;
use zlib_rs::{Deflate, DeflateFlush};

const SEED: u64 = 42;
const EVENTS: u64 = 25_000;

#[test]
fn mean_json_and_wire_bytes_are_those_of_the_measured_stream() {
    let mut text = String::new();
    let mut frame = vec![0u8; 1 << 20];
    let (mut per_kind, mut json, mut wire) = ([(0u64, 0u64, 0u64); 10], 0u64, 0u64);
    let traffic = Traffic::new(SEED, 0, intents::ALL);
    let mut deflate = Deflate::new(6, false, 15);
    for k in 0..EVENTS {
        if k % BLOCK_EVENTS == 0 {
            deflate.reset();
        }
        text.clear();
        let written = traffic.write_payload(k, k + 2, &mut text);
        let before = deflate.total_out();
        deflate.compress(text.as_bytes(), &mut frame, DeflateFlush::SyncFlush).expect("deflate");
        let bytes = deflate.total_out() - before;
        json += text.len() as u64;
        wire += bytes;
        let row = &mut per_kind[written.kind as usize];
        *row = (row.0 + 1, row.1 + text.len() as u64, row.2 + bytes);
    }
    let (json, wire) = (json as f64 / EVENTS as f64, wire as f64 / EVENTS as f64);
    for kind in Kind::all() {
        let (count, json, _) = per_kind[kind as usize];
        let mean = json as f64 / count as f64;
        let off = mean / f64::from(kind.mean_bytes()) - 1.0;
        assert!(off.abs() < 0.10, "{}: {mean} bytes, {off:+.3} off", kind.name());
    }
    assert!((json / 1_251.0 - 1.0).abs() < 0.03, "{json} bytes of JSON");
    assert!((wire / 288.0 - 1.0).abs() < 0.05, "{wire} bytes on the wire");
}

#[test]
fn every_payload_is_json_with_its_id_where_the_table_says() {
    let mut text = String::new();
    for shard in [0, 7] {
        let traffic = Traffic::new(SEED, shard, intents::ALL);
        for k in 0..3_000 {
            text.clear();
            let written = traffic.write_payload(k, k + 9, &mut text);
            let payload: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
            assert_eq!(payload["t"], written.kind.name());
            assert_eq!(payload["s"], k + 9);
            let mut at = &payload["d"];
            for key in id_field(written.kind).split('.') {
                at = &at[key];
            }
            assert_eq!(at.as_str(), Some(written.id.to_string().as_str()), "{text}");
            let d: serde_json::Value = serde_json::from_str(&text[written.d]).expect("d alone");
            assert_eq!(d, payload["d"]);
        }
    }
}

#[test]
fn the_same_arguments_give_the_same_bytes_and_variants_share_no_id() {
    let (mut one, mut two) = (String::new(), String::new());
    Traffic::new(SEED, 3, intents::ALL).write_payload(77, 5, &mut one);
    Traffic::new(SEED, 3 + VARIANTS, intents::ALL).write_payload(77, 5, &mut two);
    assert_eq!(one, two);
    let mut ids = BTreeSet::new();
    for shard in 0..VARIANTS {
        let traffic = Traffic::new(SEED, shard, intents::ALL);
        for k in 0..2_000 {
            assert!(ids.insert(traffic.id(k)), "shard {shard}, event {k}");
        }
    }
}

#[test]
fn intents_decide_which_kinds_are_drawn_and_whether_content_is_filled() {
    let traffic = Traffic::new(SEED, 0, 1 << 9);
    let mut text = String::new();
    for k in 0..2_000 {
        text.clear();
        let written = traffic.write_payload(k, k, &mut text);
        assert!(intents::allows(1 << 9, written.kind.name()), "{:?}", written.kind);
        if written.kind == Kind::MessageCreate {
            let payload: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
            assert_eq!(payload["d"]["content"], "");
            assert_eq!(payload["d"]["attachments"], serde_json::json!([]));
        }
    }
}

#[test]
fn guilds_of_a_shard_hash_to_it() {
    for (shard, shards) in [(0, 1), (5, 7), (999, 1_000)] {
        for index in 0..100 {
            let id = guild_id_of_shard(SEED, shard, shards, index);
            assert_eq!((id >> 22) % u64::from(shards), u64::from(shard));
            assert!(id >> 63 == 0);
        }
    }
}

#[test]
fn start_guilds_are_small_and_the_big_one_is_as_big_as_asked() {
    let mut text = String::new();
    start_guild(1 << 40, &mut text);
    assert!((1_500..3_000).contains(&text.len()), "{}", text.len());
    let _: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let (first, second) = big_guild_parts(SEED, 1 << 40, 3 << 20);
    let whole = first + &second;
    assert!((3 << 20..4 << 20).contains(&whole.len()), "{}", whole.len());
    let guild: serde_json::Value = serde_json::from_str(&whole).expect("valid JSON");
    assert_eq!(guild["id"], (1u64 << 40).to_string());
}

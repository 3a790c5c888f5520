//! Bytes nobody should send: no panic, no chunk lost, no bound broken, and blind to splits.

use shardring::clock::Rng;
use shardring::wire::{Compression, PoolLimits, WireLimits};

use crate::support::*;

const LIMITS: WireLimits =
    WireLimits { compressed_len_max: 3000, inflated_len_max: 20_000, upgrade_len_max: 300 };
const POOL: PoolLimits = PoolLimits { len_max: 24_000, reserve_len_max: 0, keep_len: 8192 };

/// Gives `bytes` whole and in pieces: the same must come of both, within all bounds.
fn probe(compression: Compression, bytes: &[u8], is_upgraded: bool, rng: &mut Rng, what: &str) {
    let rig = || match is_upgraded {
        true => Rig::upgraded_with(compression, LIMITS, POOL),
        false => Rig::new(compression, LIMITS, POOL),
    };
    let mut whole_rig = rig();
    let whole = whole_rig.feed(bytes);
    let mut split_rig = rig();
    let split = split_rig.feed_split(bytes, || below(rng, 40) + 1);
    assert!(whole == split, "{what}");
    for rig in [whole_rig, split_rig] {
        assert!(rig.payload.capacity() <= 2 * 20_001, "{what}");
        assert!(rig.pool.counters().used_high_len <= 24_000, "{what}");
        assert_eq!(rig.pool.counters().refused_count, 0, "{what}: the limits keep within it");
        rig.release();
    }
}

fn compression(rng: &mut Rng) -> Compression {
    [Compression::None, Compression::ZlibStream][below(rng, 2)]
}

#[test]
fn random_bytes_do_no_harm() {
    for seed in 0..100_000 {
        let mut rng = Rng::new(seed);
        let len = below(&mut rng, 60);
        let mut bytes = random_bytes(&mut rng, len);
        // most first bytes break a rule at once: let many be lawful
        if let Some(first) = bytes.first_mut().filter(|_| seed % 4 != 0) {
            *first = [0x81, 0x82, 0x01, 0x02, 0x88, 0x89, 0x8A][below(&mut rng, 7)];
        }
        if let Some(second) = bytes.get_mut(1).filter(|_| seed % 8 != 0) {
            *second &= 0x7F;
        }
        let compression = compression(&mut rng);
        probe(compression, &bytes, seed % 16 != 0, &mut rng, &format!("seed {seed}"));
    }
}

#[test]
fn damaged_conversations_do_no_harm() {
    for seed in 0..10_000 {
        let mut rng = Rng::new(seed);
        let mode = compression(&mut rng);
        let mut compressor = Compressor::new();
        let mut bytes = if seed % 8 == 0 { REPLY.to_vec() } else { Vec::new() };
        for _ in 0..4 {
            let len = 1 + below(&mut rng, 2500); // a flush of nothing would be no message
            let text = random_text(&mut rng, len);
            let message = match mode {
                Compression::ZlibStream => compressor.message(&text),
                _ => zlib_whole(&text),
            };
            let cut = below(&mut rng, message.len());
            match below(&mut rng, 4) {
                0 => bytes.extend(frame(true, TEXT, &text)),
                1 => bytes.extend(frame(true, PING, &text[..text.len().min(125)])),
                2 => {
                    bytes.extend(frame(false, BINARY, &message[..cut]));
                    bytes.extend(frame(true, CONTINUE, &message[cut..]));
                }
                _ => bytes.extend(frame(true, BINARY, &message)),
            }
        }
        for _ in 0..below(&mut rng, 4) {
            let at = below(&mut rng, bytes.len());
            match below(&mut rng, 4) {
                0 => bytes[at] ^= 1 << below(&mut rng, 8),
                1 => bytes[at] = rng.next_u64() as u8,
                2 => drop(bytes.drain(at..bytes.len().min(at + 1 + below(&mut rng, 20)))),
                _ => bytes.insert(at, rng.next_u64() as u8),
            }
            if bytes.is_empty() {
                break;
            }
        }
        probe(mode, &bytes, seed % 8 != 0, &mut rng, &format!("seed {seed}"));
    }
}

#[test]
fn damaged_upgrade_replies_do_no_harm() {
    for seed in 0..20_000 {
        let mut rng = Rng::new(seed);
        let mut bytes = [REPLY, &frame(true, TEXT, b"hello")].concat();
        for _ in 0..1 + below(&mut rng, 3) {
            let at = below(&mut rng, bytes.len());
            match below(&mut rng, 3) {
                0 => bytes[at] = rng.next_u64() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n :\0"[below(&mut rng, 5)]),
            }
        }
        probe(Compression::None, &bytes, false, &mut rng, &format!("seed {seed}"));
    }
}

//! What the wire asks of the allocator: nothing per message once warm, nothing while idle.

#[path = "support/counting.rs"]
mod counting;
#[path = "wire/support.rs"]
mod support;

use counting::{allocated_count, live_len};
use shardring::clock::Rng;
use shardring::wire::{ChunkQueue, Compression, Opened, PoolLimits, WireLimits};
use support::*;

/// Gives the bytes in pieces of `piece_len` and keeps nothing.
fn drain(rig: &mut Rig, bytes: &[u8], piece_len: usize) -> usize {
    let mut message_count = 0;
    for mut piece in bytes.chunks(piece_len) {
        loop {
            let (used, opened) = rig.wire.open(piece, &mut rig.pool, &mut rig.payload).unwrap();
            piece = &piece[used..];
            match opened {
                Opened::Nothing => break,
                Opened::Payload { .. } => message_count += 1,
                _ => {}
            }
        }
    }
    message_count
}

fn conversation(compression: Compression, count: usize) -> Vec<u8> {
    let mut rng = Rng::new(1);
    let mut compressor = Compressor::new();
    let mut bytes = Vec::new();
    for i in 0..count {
        let len = if i % 100 == 99 { 300_000 } else { 200 + below(&mut rng, 3000) };
        let text = random_text(&mut rng, len);
        match compression {
            Compression::ZlibStream => {
                let message = compressor.message(&text);
                let cut = below(&mut rng, message.len());
                bytes.extend(frame(i % 3 != 0, BINARY, &message[..cut]));
                let opcode = if i % 3 != 0 { BINARY } else { CONTINUE };
                bytes.extend(frame(true, opcode, &message[cut..]));
            }
            _ if i % 5 == 0 => bytes.extend(frame(true, BINARY, &zlib_whole(&text))),
            _ => bytes.extend(frame(true, TEXT, &text)),
        }
        bytes.extend(frame(true, PING, b"still there?"));
    }
    bytes
}

#[test]
fn once_warm_no_message_allocates() {
    for compression in [Compression::None, Compression::ZlibStream] {
        for piece_len in [1 << 30, 4096, 700] {
            let bytes = conversation(compression, 600);
            let mut rig = Rig::upgraded(compression);
            // how much waits at once is chance: fill the pool's free list to its watermark
            let mut queue = ChunkQueue::new();
            queue.push(&[0; 1 << 20], &mut rig.pool).unwrap();
            queue.clear(&mut rig.pool);
            // a zlib stream cannot be given twice: its first third warms up the rest
            let warm_len = bytes.len() / 3;
            let warm_count = drain(&mut rig, &bytes[..warm_len], piece_len);
            let before = allocated_count();
            let count = drain(&mut rig, &bytes[warm_len..], piece_len);
            let allocated = allocated_count() - before;
            assert_eq!(allocated, 0, "{compression:?}, pieces of {piece_len}, {count} messages");
            assert_eq!(warm_count + count, 600);
            rig.release();
        }
    }
}

#[test]
fn an_idle_connection_owns_no_heap_before_its_first_compressed_byte() {
    let mut rig = Rig::new(Compression::ZlibStream, WireLimits::default(), PoolLimits::default());
    let mut live = live_len();
    // the reply's check is all that it owns so far
    let (used, opened) = rig.wire.open(REPLY, &mut rig.pool, &mut rig.payload).unwrap();
    assert_eq!((used, opened), (REPLY.len(), Opened::Upgraded));
    assert!(live_len() < live, "the upgrade's memory is freed");
    live = live_len();
    drain(&mut rig, &frame(true, PING, b"?"), 1);
    drain(&mut rig, &frame(true, TEXT, b""), 1);
    assert_eq!(live_len(), live, "control frames and the start of a message need none");

    let message = Compressor::new().message(b"text");
    drain(&mut rig, &frame(true, BINARY, &message), 1 << 20);
    let grown = live_len() - live - rig.payload.capacity() as i64;
    assert!((40_000..60_000).contains(&grown), "{grown}: the state of one zlib stream");
    let live = live_len();
    drain(&mut rig, &frame(false, BINARY, &[0; 100_000]), 1 << 20);
    assert!(live_len() - live >= 100_000);
    rig.wire.release(&mut rig.pool);
    let kept = rig.pool.counters().free_len as i64;
    assert!(live_len() <= live - 40_000 + kept, "its chunks and its stream are given back");
}

//! zstd-stream over the life of a connection: both framings, and bad data.

use shardring::clock::Rng;
use shardring::wire::{
    Compression, GatewayUrl, PoolLimits, WireError, WireLimits, ZSTD_WINDOW_LOG_MAX,
};
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer};

use crate::support::*;

const ZSTD: Compression = Compression::ZstdStream;

/// The server's side of zstd-stream.
struct Compressor {
    context: CCtx<'static>,
    ends_frames: bool,
}

impl Compressor {
    fn new(window_log: u32, ends_frames: bool) -> Self {
        let mut context = CCtx::create();
        context.set_parameter(CParameter::CompressionLevel(6)).unwrap();
        context.set_parameter(CParameter::WindowLog(window_log)).unwrap();
        Self { context, ends_frames }
    }

    /// One gateway message: flushed, or a frame of its own.
    fn message(&mut self, text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; zstd_safe::compress_bound(text.len()) + 64];
        let mut out = OutBuffer::around(&mut bytes[..]);
        let mut rest = InBuffer::around(text);
        while rest.pos() < text.len() {
            self.context.compress_stream(&mut out, &mut rest).unwrap();
        }
        let left = match self.ends_frames {
            true => self.context.end_stream(&mut out).unwrap(),
            false => self.context.flush_stream(&mut out).unwrap(),
        };
        assert_eq!(left, 0, "the flush is whole");
        let len = out.pos();
        bytes.truncate(len);
        bytes
    }
}

fn inflated(text: &[u8], message: &[u8]) -> Seen {
    Seen::Text { text: text.to_vec(), wire_len: message.len() }
}

#[test]
fn the_url_asks_for_it() {
    let url = GatewayUrl::parse("wss://gateway.test").unwrap().with_query(ZSTD);
    assert_eq!(url.target(), "/?v=10&encoding=json&compress=zstd-stream");
}

#[test]
fn a_frame_for_the_connection_and_a_frame_for_each_message_are_both_read_however_cut() {
    for ends_frames in [false, true] {
        let mut rng = Rng::new(21);
        let mut compressor = Compressor::new(18, ends_frames);
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for round in 0..1500 {
            let len = match round % 100 {
                99 => 400_000, // more than a window, more than a block
                98 => 131_072,
                _ => 20 + below(&mut rng, 3000),
            };
            let text = random_text(&mut rng, len);
            let message = compressor.message(&text);
            expected.push(inflated(&text, &message));
            let cut = below(&mut rng, message.len());
            if round % 3 == 0 {
                bytes.extend(frame(false, BINARY, &message[..cut]));
                bytes.extend(frame(true, CONTINUE, &message[cut..]));
            } else {
                bytes.extend(frame(true, BINARY, &message));
            }
            if round % 10 == 0 {
                bytes.extend(frame(true, TEXT, b"plain between"));
                expected.push(text_of(b"plain between"));
            }
        }
        assert!(seen_of(ZSTD, &bytes) == expected, "a frame each: {ends_frames}");
        assert_blind_to_splits(ZSTD, WireLimits::default(), &bytes, 22);
    }
}

#[test]
fn text_that_fills_the_output_exactly_is_whole_and_not_mixed_with_the_next() {
    for ends_frames in [false, true] {
        for len in [4095, 4096, 4097, 8192, 131_072, 262_144] {
            let mut compressor = Compressor::new(17, ends_frames);
            let texts = [vec![b'a'; len], vec![b'b'; len], b"end".to_vec()];
            let messages = texts.each_ref().map(|text| compressor.message(text));
            let bytes: Vec<u8> = messages.iter().flat_map(|m| frame(true, BINARY, m)).collect();
            let expected: Vec<_> =
                texts.iter().zip(&messages).map(|(text, m)| inflated(text, m)).collect();
            assert!(seen_of(ZSTD, &bytes) == expected, "{len}");
        }
    }
}

#[test]
fn one_frame_may_follow_another_in_the_middle_of_a_connection() {
    let (mut first, mut second) = (Compressor::new(17, false), Compressor::new(18, false));
    let mut messages = vec![first.message(b"one"), first.message(b"two")];
    first.ends_frames = true;
    messages.push(first.message(b"three"));
    messages.push(second.message(b"four"));
    messages.push(second.message(b"five"));
    let bytes: Vec<u8> = messages.iter().flat_map(|m| frame(true, BINARY, m)).collect();
    let texts = [&b"one"[..], b"two", b"three", b"four", b"five"];
    let expected: Vec<_> = texts.iter().zip(&messages).map(|(t, m)| inflated(t, m)).collect();
    assert_eq!(seen_of(ZSTD, &bytes), expected);
}

#[test]
fn a_bomb_is_stopped_at_the_limit_and_text_of_the_limit_is_not() {
    let limits = WireLimits { inflated_len_max: 100_000, ..WireLimits::default() };
    for ends_frames in [false, true] {
        let mut rig = Rig::upgraded_with(ZSTD, limits, PoolLimits::default());
        let mut compressor = Compressor::new(18, ends_frames);
        let fits = compressor.message(&[b'a'; 100_000]);
        assert!(rig.feed(&frame(true, BINARY, &fits)) == [inflated(&[b'a'; 100_000], &fits)]);
        let bomb = compressor.message(&vec![0; 64 << 20]);
        assert!(bomb.len() < 20_000);
        let error = WireError::InflatedTooLong { len_max: 100_000 };
        assert_eq!(rig.feed(&frame(true, BINARY, &bomb)), [Seen::Failed(error)]);
        assert!(rig.payload.capacity() <= 2 * 100_001);
        assert_eq!(rig.feed(b"x"), [Seen::Failed(error)], "what failed stays failed");
        rig.release();
    }
}

#[test]
fn a_window_up_to_the_bound_is_taken_and_a_larger_one_refused() {
    let text = random_text(&mut Rng::new(23), 5000);
    for window_log in [10, 17, ZSTD_WINDOW_LOG_MAX, ZSTD_WINDOW_LOG_MAX + 1, 27] {
        let message = Compressor::new(window_log, false).message(&text);
        let seen = seen_of(ZSTD, &frame(true, BINARY, &message));
        let expected = match window_log {
            ..=ZSTD_WINDOW_LOG_MAX => inflated(&text, &message),
            _ => Seen::Failed(WireError::ZstdWindow { log_max: ZSTD_WINDOW_LOG_MAX }),
        };
        assert!(seen == [expected], "{window_log}");
    }
}

#[test]
fn corrupt_bytes_are_an_error_wherever_they_stand() {
    let mut compressor = Compressor::new(18, false);
    let good = compressor.message(&random_text(&mut Rng::new(24), 3000));
    let next = compressor.message(b"the next");
    let mut changed = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        // whatever comes of it, nothing panics and the chunks go back
        let bytes = [frame(true, BINARY, &bad), frame(true, BINARY, &next)].concat();
        let seen = seen_of(ZSTD, &bytes);
        changed += usize::from(seen.iter().any(|seen| matches!(seen, Seen::Failed(_))));
    }
    assert!(changed > good.len() / 10, "{changed} of {}", good.len());
    let others: [&[u8]; 3] =
        [b"{\"op\":11}", &zlib_whole(b"zlib, not zstd"), &[0x28, 0xB5, 0x2F, 0xFD, 0xFF, 0xFF]];
    for bytes in others {
        assert_eq!(seen_of(ZSTD, &frame(true, BINARY, bytes)), [Seen::Failed(WireError::Zstd)]);
    }
    // a dictionary that nobody has: its id in the header
    let dictionary = [0x28, 0xB5, 0x2F, 0xFD, 0x01, 0x40, 0x07, 0x01, 0, 0];
    let seen = seen_of(ZSTD, &frame(true, BINARY, &dictionary));
    assert_eq!(seen, [Seen::Failed(WireError::Zstd)]);
}

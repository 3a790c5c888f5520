//! Random conversations, judged by tungstenite's own context over the same bytes.

use std::io::{self, Read, Write};

use shardring::clock::Rng;
use shardring::wire::{Compression, PoolLimits, WireLimits};
use tungstenite::protocol::{Role, WebSocketContext};
use tungstenite::{Error, Message};

use crate::support::*;

/// Bytes to read, and nowhere to write.
pub(crate) struct Feed<'a>(&'a [u8]);

impl<'a> Feed<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl Read for Feed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a caller saw, without what only one side knows: the kind of error, the length on the wire.
#[derive(Debug, PartialEq)]
enum Heard {
    Text(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>, String),
    Failed,
}

fn heard_by_oracle(bytes: &[u8]) -> Vec<Heard> {
    let mut context = WebSocketContext::new(Role::Client, None);
    let mut feed = Feed::new(bytes);
    let mut heard = Vec::new();
    loop {
        heard.push(match context.read(&mut feed) {
            Ok(Message::Text(text)) => Heard::Text(text.as_bytes().to_vec()),
            Ok(Message::Binary(zlib)) => Heard::Text(unzip(&zlib)),
            Ok(Message::Ping(data)) => Heard::Ping(data.to_vec()),
            Ok(Message::Pong(_)) => Heard::Pong,
            Ok(Message::Close(None)) => Heard::Close(None, String::new()),
            Ok(Message::Close(Some(close))) => {
                Heard::Close(Some(close.code.into()), close.reason.as_str().to_owned())
            }
            Ok(other) => panic!("{other:?}"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return heard,
            Err(_) => {
                heard.push(Heard::Failed);
                return heard;
            }
        });
    }
}

fn heard_by_us(bytes: &[u8], rng: &mut Rng, len_max: usize) -> Vec<Heard> {
    let mut rig = Rig::upgraded(Compression::None);
    let seen = rig.feed_split(bytes, || below(rng, len_max) + 1);
    rig.release();
    seen.into_iter()
        .map(|seen| match seen {
            Seen::Text { text, .. } => Heard::Text(text),
            Seen::Ping(data) => Heard::Ping(data),
            Seen::Pong => Heard::Pong,
            Seen::Close(close) => Heard::Close(close.code, close.reason),
            Seen::Failed(_) => Heard::Failed,
            Seen::Upgraded => panic!("twice"),
        })
        .collect()
}

fn unzip(zlib: &[u8]) -> Vec<u8> {
    let mut inflate = zlib_rs::Inflate::new(true, 15);
    let mut out = vec![0; 1 << 20];
    let status = inflate.decompress(zlib, &mut out, zlib_rs::InflateFlush::Finish).unwrap();
    assert_eq!(status, zlib_rs::Status::StreamEnd);
    out.truncate(inflate.total_out() as usize);
    out
}

fn random_len(rng: &mut Rng) -> usize {
    const EDGES: [usize; 12] = [0, 1, 124, 125, 126, 127, 4079, 4080, 4081, 65_534, 65_535, 65_536];
    match below(rng, 8) {
        0 => EDGES[below(rng, EDGES.len())],
        1 => below(rng, 10_000),
        _ => below(rng, 300),
    }
}

fn push_control(rng: &mut Rng, out: &mut Vec<u8>) {
    let len = [0, 1, 13, 124, 125][below(rng, 5)];
    let opcode = [PING, PONG][below(rng, 2)];
    let payload = random_bytes(rng, len);
    out.extend(frame(true, opcode, &payload));
}

/// One message in one to five fragments, control frames strewn in.
fn push_message(rng: &mut Rng, out: &mut Vec<u8>) {
    let len = random_len(rng);
    let text = random_text(rng, len);
    let (opcode, payload) = match below(rng, 3) {
        0 => (BINARY, zlib_whole(&text)),
        _ => (TEXT, text),
    };
    let mut rest = &payload[..];
    let count = if below(rng, 2) == 0 { 1 } else { below(rng, 5) + 1 };
    for i in 0..count {
        if below(rng, 4) == 0 {
            push_control(rng, out);
        }
        let is_final = i == count - 1;
        let len = if is_final { rest.len() } else { below(rng, rest.len() + 1) };
        let (now, later) = rest.split_at(len);
        out.extend(frame(is_final, if i == 0 { opcode } else { CONTINUE }, now));
        rest = later;
    }
}

/// Something that breaks a rule both sides know.
fn push_violation(rng: &mut Rng, out: &mut Vec<u8>) {
    out.extend(match below(rng, 8) {
        0 => raw_frame(0x81 | (0x10 << below(rng, 3)), b"rsv"),
        1 => b"\x81\x81\x01\x02\x03\x04x".to_vec(),
        2 => raw_frame(0x80 | (3 + below(rng, 5) as u8), b""),
        3 => raw_frame(0x80 | (11 + below(rng, 5) as u8), b""),
        4 => frame(false, PING, b""),
        5 => frame(true, PING, &[0; 126]),
        6 => frame(true, CONTINUE, b"of nothing"),
        _ => [frame(false, TEXT, b"begun"), frame(true, TEXT, b"again")].concat(),
    });
}

#[test]
fn random_conversations_sound_as_tungstenite_hears_them() {
    for seed in 0..1500 {
        let mut rng = Rng::new(seed);
        let mut bytes = Vec::new();
        for _ in 0..below(&mut rng, 12) {
            push_message(&mut rng, &mut bytes);
        }
        match below(&mut rng, 4) {
            0 => push_violation(&mut rng, &mut bytes),
            1 => bytes.extend(frame(true, CLOSE, b"\x0F\xA9session timed out")),
            2 => bytes.extend(frame(true, CLOSE, b"")),
            _ => bytes.truncate(bytes.len() - below(&mut rng, 200).min(bytes.len())),
        }
        let expected = heard_by_oracle(&bytes);
        for len_max in [1 << 30, 70_000, 4096, 100, 2] {
            let heard = heard_by_us(&bytes, &mut rng, len_max);
            assert!(heard == expected, "seed {seed}, pieces of up to {len_max} bytes");
        }
    }
}

#[test]
fn flipped_header_bits_are_judged_as_tungstenite_judges_them() {
    let mut failed_count = 0;
    for seed in 0..20_000 {
        let mut rng = Rng::new(seed);
        let mut bytes = Vec::new();
        for _ in 0..3 {
            push_control(&mut rng, &mut bytes);
            bytes.extend(frame(true, TEXT, b"some text"));
        }
        // only the first byte of a frame, so that neither side meets text that is no UTF-8
        let starts = frame_starts(&bytes);
        let at = starts[below(&mut rng, starts.len())];
        bytes[at] ^= 1 << below(&mut rng, 8);
        // a close or a binary frame is read further by our own rules
        if matches!(bytes[at] & 0x0F, 2 | 8) {
            continue;
        }
        // a ping's random bytes, once they are called text, are checked for UTF-8 by one side only
        if bytes[at] & 0x0F < 2 && std::str::from_utf8(&bytes).is_err() && bytes[at] & 0x70 == 0 {
            continue;
        }
        let expected = heard_by_oracle(&bytes);
        failed_count += usize::from(expected.last() == Some(&Heard::Failed));
        assert_eq!(heard_by_us(&bytes, &mut rng, 50), expected, "seed {seed}");
    }
    assert!(failed_count > 5000, "{failed_count}: the flips do break rules");
}

fn frame_starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        starts.push(at);
        at += 2 + usize::from(bytes[at + 1]); // all are short
    }
    starts
}

#[test]
fn the_limits_alone_never_change_what_is_within_them() {
    for seed in 0..50 {
        let mut rng = Rng::new(seed);
        let mut bytes = Vec::new();
        for _ in 0..5 {
            push_message(&mut rng, &mut bytes);
        }
        let limits = WireLimits {
            compressed_len_max: 80_000,
            inflated_len_max: 65_536,
            ..WireLimits::default()
        };
        let pool = PoolLimits { len_max: 100_000, reserve_len_max: 0, keep_len: 0 };
        let mut rig = Rig::upgraded_with(Compression::None, limits, pool);
        let seen = rig.feed_split(&bytes, || below(&mut rng, 3000) + 1);
        assert!(seen == seen_of(Compression::None, &bytes), "seed {seed}");
        assert_eq!(rig.pool.counters().free_len, 0, "above the watermark nothing is kept");
        rig.release();
    }
}

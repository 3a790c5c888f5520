//! A gateway's end of the wire, written anew (it shares no code with the library), and a rig that
//! holds what a core lends.

#![allow(dead_code)] // two test programs share it; neither needs all

use shardring::clock::Rng;
use shardring::wire::{
    ChunkPool, CloseFrame, Compression, GatewayUrl, Opened, PADDING, Payload, PoolLimits, Upgrade,
    Wire, WireError, WireLimits,
};
use zlib_rs::{Deflate, DeflateFlush};

pub(crate) const CONTINUE: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The key of RFC 6455 §1.3 and the reply it calls for.
pub(crate) const KEY: [u8; 16] = *b"the sample nonce";
pub(crate) const REPLY: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What a caller sees, in the order it sees it; `Opened::Nothing` left out, text taken along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Upgraded,
    Text { text: Vec<u8>, wire_len: usize },
    Ping(Vec<u8>),
    Pong,
    Close(CloseFrame),
    Failed(WireError),
}

pub(crate) struct Rig {
    pub(crate) wire: Wire,
    pub(crate) pool: ChunkPool,
    pub(crate) payload: Payload,
}

impl Rig {
    pub(crate) fn new(compression: Compression, limits: WireLimits, pool: PoolLimits) -> Self {
        let upgrade = Upgrade::new(&GatewayUrl::parse("ws://gateway.test").unwrap(), KEY);
        Self {
            wire: Wire::new(compression, limits, upgrade),
            pool: ChunkPool::new(pool),
            payload: Payload::new(0),
        }
    }

    pub(crate) fn upgraded(compression: Compression) -> Self {
        Self::upgraded_with(compression, WireLimits::default(), PoolLimits::default())
    }

    pub(crate) fn upgraded_with(c: Compression, limits: WireLimits, pool: PoolLimits) -> Self {
        let mut rig = Self::new(c, limits, pool);
        assert_eq!(rig.feed(REPLY), [Seen::Upgraded]);
        rig
    }

    /// Gives `bytes` until all are used or an error comes. Checks what every call must hold to.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            let (used, opened) = match self.wire.open(bytes, &mut self.pool, &mut self.payload) {
                Ok(opened) => opened,
                Err(error) => {
                    assert_eq!(self.wire.held_len(), 0);
                    assert_eq!(self.pool.used_len(), 0, "a failed wire returned its chunks");
                    seen.push(Seen::Failed(error));
                    return seen;
                }
            };
            assert!(self.pool.used_len() >= self.wire.held_len());
            match opened {
                Opened::Nothing => {
                    assert_eq!(used, bytes.len());
                    return seen;
                }
                Opened::Upgraded => seen.push(Seen::Upgraded),
                Opened::Payload { wire_len } => {
                    let text = self.payload.text().to_vec();
                    let (padded, len) = self.payload.padded();
                    assert_eq!(&padded[..len], text);
                    assert_eq!(&padded[len..], [0; PADDING]);
                    seen.push(Seen::Text { text, wire_len });
                }
                Opened::Ping(control) => seen.push(Seen::Ping(control.as_bytes().to_vec())),
                Opened::Pong => seen.push(Seen::Pong),
                Opened::Close(close) => seen.push(Seen::Close(close)),
                other => panic!("{other:?}"),
            }
            assert!(used > 0, "progress, or a caller would loop");
            bytes = &bytes[used..];
        }
    }

    /// The same, in pieces as long as `next_len` says.
    pub(crate) fn feed_split(
        &mut self,
        mut bytes: &[u8],
        mut next_len: impl FnMut() -> usize,
    ) -> Vec<Seen> {
        let mut seen = Vec::new();
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(next_len().clamp(1, bytes.len()));
            seen.extend(self.feed(now));
            if matches!(seen.last(), Some(Seen::Failed(_))) {
                return seen;
            }
            bytes = later;
        }
        seen
    }

    /// Ends the connection; every chunk must be back.
    pub(crate) fn release(mut self) {
        self.wire.release(&mut self.pool);
        assert_eq!(self.pool.used_len(), 0);
        assert_eq!(self.wire.held_len(), 0);
    }
}

/// What `bytes` give on a fresh upgraded connection; the chunks are checked to return.
pub(crate) fn seen_of(compression: Compression, bytes: &[u8]) -> Vec<Seen> {
    let mut rig = Rig::upgraded(compression);
    let seen = rig.feed(bytes);
    rig.release();
    seen
}

/// The splits that each stream must be blind to: byte by byte, and some at random.
pub(crate) fn assert_blind_to_splits(
    compression: Compression,
    limits: WireLimits,
    bytes: &[u8],
    seed: u64,
) {
    let rig = || Rig::upgraded_with(compression, limits, PoolLimits::default());
    let mut whole_rig = rig();
    let whole = whole_rig.feed(bytes);
    whole_rig.release();
    let mut rng = Rng::new(seed);
    for len_max in [1, 3, 200, 5000, 70_000] {
        let mut split_rig = rig();
        let split = split_rig.feed_split(bytes, || below(&mut rng, len_max) + 1);
        assert!(split == whole, "pieces of up to {len_max} bytes, seed {seed}");
        split_rig.release();
    }
}

pub(crate) fn below(rng: &mut Rng, bound: usize) -> usize {
    (rng.next_u64() % bound as u64) as usize
}

pub(crate) fn random_bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

/// Printable text that compresses about as well as JSON does.
pub(crate) fn random_text(rng: &mut Rng, len: usize) -> Vec<u8> {
    const WORDS: [&str; 8] =
        ["{\"id\":\"", "\",\"name\":", "null,", "\"roles\":[", "true}", "guild", "1216449", "]},"];
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        match rng.next_u64() % 4 {
            0 => text.extend(rng.next_u64().to_string().bytes()),
            n => text.extend(WORDS[(n as usize * 3 + below(rng, 4)) % 8].bytes()),
        }
    }
    text.truncate(len);
    text
}

/// A frame with the first byte as given: for what no server may send.
pub(crate) fn raw_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ ..126 => bytes.push(len as u8),
        len @ ..0x1_0000 => {
            bytes.push(126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

pub(crate) fn frame(is_final: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    raw_frame(opcode | if is_final { 0x80 } else { 0 }, payload)
}

pub(crate) fn text_of(text: &[u8]) -> Seen {
    Seen::Text { text: text.to_vec(), wire_len: text.len() }
}

/// The server's side of zlib-stream.
pub(crate) struct Compressor(Deflate);

impl Compressor {
    pub(crate) fn new() -> Self {
        Self(Deflate::new(6, true, 15))
    }

    /// One gateway message, with the flush mark at its end.
    pub(crate) fn message(&mut self, text: &[u8]) -> Vec<u8> {
        deflate(&mut self.0, text, DeflateFlush::SyncFlush)
    }
}

/// A zlib stream of its own, as payload compression has them.
pub(crate) fn zlib_whole(text: &[u8]) -> Vec<u8> {
    deflate(&mut Deflate::new(6, true, 15), text, DeflateFlush::Finish)
}

fn deflate(deflate: &mut Deflate, text: &[u8], flush: DeflateFlush) -> Vec<u8> {
    let mut out = vec![0; text.len() + text.len() / 100 + 1024];
    let (in_before, out_before) = (deflate.total_in(), deflate.total_out());
    deflate.compress(text, &mut out, flush).unwrap();
    assert_eq!((deflate.total_in() - in_before) as usize, text.len());
    let made = (deflate.total_out() - out_before) as usize;
    assert!(made < out.len(), "room was left, so the flush is whole");
    out.truncate(made);
    out
}

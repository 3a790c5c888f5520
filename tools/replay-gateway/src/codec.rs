//! From a payload's text to the frames of one connection: text, zlib-stream, zstd-stream, payload
//! compression, and the odd framings that faults ask for. Owns the connection's context; no
//! sockets.
//!
//! Invariant: the compressed bytes of a connection, in the order in which they were queued, are
//! one zlib stream (or one zstd frame: `zstd`). A zlib context is always made for raw deflate (the
//! two header bytes are written by hand), so that dropping it and starting a fresh one is what a
//! full flush is to the reader.

use crate::config::{Framing, ZstdFrames};
use crate::frame::{self, BINARY, FIN, TEXT};
use crate::out::OutQueue;
use crate::zstd::Zstd;
use std::sync::Arc;
use zlib_rs::{Deflate, DeflateFlush};

/// How a connection's payloads are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Compression {
    /// Text frames.
    None,
    /// Transport compression: binary frames, one context for the connection.
    ZlibStream,
    /// Transport compression: binary frames, one decoder for the connection.
    ZstdStream(ZstdFrames),
}

impl Compression {
    /// All there are.
    pub(crate) const ALL: [Self; 4] = [
        Self::None,
        Self::ZlibStream,
        Self::ZstdStream(ZstdFrames::Endless),
        Self::ZstdStream(ZstdFrames::EachMessage),
    ];

    /// Whether a message can refer to those before it.
    pub(crate) fn is_continuous(self) -> bool {
        !matches!(self, Self::None | Self::ZstdStream(ZstdFrames::EachMessage))
    }
}

/// Idle contexts (some 270 KB of zlib each, up to 1 MB of zstd), lent to the connections that
/// compress live.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Vec<Deflate>,
    idle_zstd: Vec<Zstd>,
    /// zstd contexts that connections hold.
    lent_zstd: usize,
    buffer: Vec<u8>,
}

impl Pool {
    fn take(&mut self) -> Deflate {
        match self.idle.pop() {
            Some(mut deflate) => {
                deflate.reset();
                deflate
            }
            None => Deflate::new(ZLIB_LEVEL, false, 15),
        }
    }

    fn give(&mut self, deflate: Deflate) {
        if self.idle.len() < POOL_MAX {
            self.idle.push(deflate);
        }
    }

    fn take_zstd(&mut self) -> Zstd {
        self.lent_zstd += 1;
        match self.idle_zstd.pop() {
            Some(mut zstd) => {
                zstd.begin_anew();
                zstd
            }
            None => Zstd::new(),
        }
    }

    fn give_zstd(&mut self, zstd: Zstd) {
        self.lent_zstd -= 1;
        if self.idle_zstd.len() < POOL_MAX {
            self.idle_zstd.push(zstd);
        }
    }
}

/// The encoder of one connection.
pub(crate) struct Codec {
    compression: Compression,
    /// IDENTIFY asked for payload compression (and there is no transport compression).
    payload_compression: bool,
    header_sent: bool,
    deflate: Option<Deflate>,
    zstd: Option<Zstd>,
    /// How messages are cut into frames; `Whole` but for faults.
    pub(crate) framing: Framing,
}

impl Codec {
    /// The encoder of a fresh connection.
    pub(crate) fn new(compression: Compression, framing: Framing) -> Self {
        Self {
            compression,
            payload_compression: false,
            header_sent: false,
            deflate: None,
            zstd: None,
            framing,
        }
    }

    /// What the connection's URL asked for.
    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    /// IDENTIFY's `compress`; without effect under transport compression.
    pub(crate) fn set_payload_compression(&mut self, on: bool) {
        self.payload_compression = on && self.compression == Compression::None;
    }

    /// Whether messages go out as the shared blocks hold them.
    pub(crate) fn is_plain(&self) -> bool {
        self.framing == Framing::Whole && !self.payload_compression
    }

    /// Queues one message.
    pub(crate) fn encode(&mut self, pool: &mut Pool, text: &[u8], out: &mut OutQueue) {
        match self.compression {
            Compression::None if self.payload_compression && text.len() > PAYLOAD_MIN => {
                let mut whole = Deflate::new(ZLIB_LEVEL, true, 15);
                pool.buffer.clear();
                deflate_into(&mut whole, text, DeflateFlush::Finish, &mut pool.buffer);
                self.cut(BINARY, &pool.buffer, out);
            }
            Compression::None => self.cut(TEXT, text, out),
            Compression::ZlibStream | Compression::ZstdStream(_) => {
                let mut bytes = std::mem::take(&mut pool.buffer);
                bytes.clear();
                self.compress(pool, text, &mut bytes);
                self.cut(BINARY, &bytes, out);
                pool.buffer = bytes;
            }
        }
    }

    /// Queues one message whose beginning is `text` and whose end is shared by many: as text, and
    /// as deflated by a context of its own. Its end is a place like a full flush.
    pub(crate) fn encode_shared(
        &mut self,
        pool: &mut Pool,
        text: &[u8],
        tail: &SharedTail,
        out: &mut OutQueue,
    ) {
        let (first, end) = match self.compression {
            Compression::None => (TEXT, &tail.text),
            Compression::ZlibStream => (BINARY, &tail.deflated),
            Compression::ZstdStream(ZstdFrames::Endless) => (BINARY, &tail.zstd),
            // A frame cannot be shared in part.
            Compression::ZstdStream(ZstdFrames::EachMessage) => {
                return self.encode(pool, &[text, tail.text.as_slice()].concat(), out);
            }
        };
        let mut bytes = std::mem::take(&mut pool.buffer);
        bytes.clear();
        match self.compression {
            Compression::None => bytes.extend_from_slice(text),
            _ => self.compress(pool, text, &mut bytes),
        }
        out.append(|buffer| {
            frame::write_header(first, bytes.len() + end.len(), buffer);
            buffer.extend_from_slice(&bytes);
        });
        out.share(end, 0, end.len());
        pool.buffer = bytes;
        self.rest(pool);
    }

    /// Forgets the context: what follows refers to nothing before. Called where a shared
    /// block begins, and after anything that this context did not see.
    pub(crate) fn rest(&mut self, pool: &mut Pool) {
        if let Some(deflate) = self.deflate.take() {
            pool.give(deflate);
        }
        if let Some(zstd) = self.zstd.take() {
            pool.give_zstd(zstd);
        }
    }

    fn compress(&mut self, pool: &mut Pool, text: &[u8], bytes: &mut Vec<u8>) {
        if let Compression::ZstdStream(frames) = self.compression {
            let zstd = self.zstd.get_or_insert_with(|| pool.take_zstd());
            let first = !std::mem::replace(&mut self.header_sent, true);
            zstd.message(frames, first, text, bytes);
            // Who may not keep one gives it back at once; so does a frame that has ended.
            if frames == ZstdFrames::EachMessage || pool.lent_zstd > LENT_MAX {
                self.rest(pool);
            }
            return;
        }
        if !self.header_sent {
            bytes.extend_from_slice(&ZLIB_HEADER);
            self.header_sent = true;
        }
        let deflate = self.deflate.get_or_insert_with(|| pool.take());
        deflate_into(deflate, text, DeflateFlush::SyncFlush, bytes);
    }

    /// Cuts a message into frames and queues them.
    fn cut(&mut self, first: u8, bytes: &[u8], out: &mut OutQueue) {
        let whole = |bytes: &[u8], out: &mut OutQueue| {
            out.append(|buffer| {
                frame::write_header(first, bytes.len(), buffer);
                buffer.extend_from_slice(bytes);
            });
        };
        match self.framing {
            Framing::Whole => whole(bytes, out),
            Framing::Split(parts) if first == BINARY => {
                pieces(bytes, parts).for_each(|part| whole(part, out));
            }
            Framing::Split(_) => whole(bytes, out),
            Framing::Fragments(parts) => {
                let count = pieces(bytes, parts).count();
                for (n, part) in pieces(bytes, parts).enumerate() {
                    let opcode = if n == 0 { first & 0x0f } else { 0 };
                    let fin = if n + 1 == count { FIN } else { 0 };
                    out.append(|buffer| {
                        frame::write_header(fin | opcode, part.len(), buffer);
                        buffer.extend_from_slice(part);
                    });
                }
            }
            Framing::EmptyFinal => out.append(|buffer| {
                frame::write_header(first & 0x0f, bytes.len(), buffer);
                buffer.extend_from_slice(bytes);
                frame::write_header(FIN, 0, buffer);
            }),
        }
    }
}

/// The end of a message that many connections share.
#[derive(Debug)]
pub(crate) struct SharedTail {
    pub(crate) text: Arc<Vec<u8>>,
    /// Raw deflate from a fresh context, with a sync flush at the end.
    pub(crate) deflated: Arc<Vec<u8>>,
    /// Blocks of a fresh zstd context for the middle of a frame, flushed.
    pub(crate) zstd: Arc<Vec<u8>>,
}

impl SharedTail {
    /// Compresses once what will be sent often.
    pub(crate) fn new(text: String) -> Self {
        let mut deflated = Vec::new();
        let mut deflate = Deflate::new(ZLIB_LEVEL, false, 15);
        deflate_into(&mut deflate, text.as_bytes(), DeflateFlush::SyncFlush, &mut deflated);
        let mut zstd = Vec::new();
        Zstd::new().message(ZstdFrames::Endless, false, text.as_bytes(), &mut zstd);
        let (deflated, zstd) = (Arc::new(deflated), Arc::new(zstd));
        Self { text: Arc::new(text.into_bytes()), deflated, zstd }
    }
}

/// Compresses `text` whole and appends the bytes.
pub(crate) fn deflate_into(
    deflate: &mut Deflate,
    text: &[u8],
    flush: DeflateFlush,
    bytes: &mut Vec<u8>,
) {
    let (start_in, start_out) = (deflate.total_in(), deflate.total_out());
    let base = bytes.len();
    bytes.resize(base + text.len() / 2 + 256, 0);
    loop {
        let read = (deflate.total_in() - start_in) as usize;
        let wrote = base + (deflate.total_out() - start_out) as usize;
        if bytes.len() - wrote < 64 {
            bytes.resize(bytes.len() * 2, 0);
        }
        // A context that this process made and feeds cannot be inconsistent; should it be, the
        // message is cut short and the client's inflate will say so.
        let done = deflate.compress(&text[read..], &mut bytes[wrote..], flush).is_err();
        let wrote = base + (deflate.total_out() - start_out) as usize;
        let all_read = (deflate.total_in() - start_in) as usize == text.len();
        if done || (all_read && wrote < bytes.len()) {
            bytes.truncate(wrote);
            return;
        }
    }
}

/// At most `parts` pieces of about equal length, at least one.
fn pieces(bytes: &[u8], parts: usize) -> impl Iterator<Item = &[u8]> {
    let size = bytes.len().div_ceil(parts.max(1)).max(1);
    bytes.chunks(size)
}

/// What starts every zlib stream of a 32 KiB window at the default level (RFC 1950).
pub(crate) const ZLIB_HEADER: [u8; 2] = [0x78, 0x9c];
/// Discord's level is not known; 6 is the usual one.
pub(crate) const ZLIB_LEVEL: i32 = 6;
/// Idle contexts kept.
const POOL_MAX: usize = 64;
/// zstd contexts that connections may keep between messages, 1 GB in all if each is made full use
/// of; the connections beyond compress each message by itself.
const LENT_MAX: usize = 1_024;
/// Payloads up to this many bytes are not worth a whole zlib stream of their own.
const PAYLOAD_MIN: usize = 512;

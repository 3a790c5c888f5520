//! Bytes to payload text and back, for one connection: upgrade, frames, inflate, in this order.
//! Below that lies what they pass first, if anything: a [`Channel`], of a proxy's tunnel and TLS.
//!
//! No sockets, no clock, no threads: bytes are handed in, text comes out in a buffer that the
//! caller lends. What is not a whole message yet lies in chunks of the core's [`ChunkPool`], never
//! elsewhere. The shard machine calls [`Wire::open`], the driver writes what is sealed.
//!
//! Invariants: a message is inflated only when it is whole; nothing is kept of a message whose
//! header already claims too much; any split of the same bytes into calls gives the same messages
//! (but a full pool fails only those that have to wait in it).
//!
//! ```
//! use shardring::wire::{ChunkPool, Compression, GatewayUrl, Opened, Payload, PoolLimits, Upgrade};
//! use shardring::wire::{Wire, WireLimits};
//!
//! let url = GatewayUrl::parse("ws://localhost:8080")?.with_query(Compression::None);
//! let upgrade = Upgrade::new(&url, *b"the sample nonce");
//! let request = upgrade.request(); // to be written to the socket
//! assert!(request.starts_with(b"GET /?v=10&encoding=json HTTP/1.1\r\n"));
//!
//! let mut wire = Wire::new(Compression::None, WireLimits::default(), upgrade);
//! let mut pool = ChunkPool::new(PoolLimits::default());
//! let mut payload = Payload::default();
//! let received = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
//!     Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\
//!     \x81\x09{\"op\":11}";
//!
//! let (used, opened) = wire.open(received, &mut pool, &mut payload)?;
//! assert_eq!(opened, Opened::Upgraded);
//! let (_, opened) = wire.open(&received[used..], &mut pool, &mut payload)?;
//! assert_eq!(opened, Opened::Payload { wire_len: 9 });
//! assert_eq!(payload.text(), b"{\"op\":11}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base64;
mod channel;
mod error;
mod frame;
mod inflate;
mod payload;
mod pool;
mod proxy;
mod proxy_env;
mod record;
#[cfg_attr(not(feature = "tls"), path = "tls/absent.rs")]
mod tls;
mod tunnel;
mod unpack;
mod upgrade;
mod url;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;

use frame::{Frames, Kind, Step};
use unpack::Unpack;
use upgrade::Reply;

pub use channel::{Channel, Cleared};
pub use error::{Fault, WireError};
pub use frame::{CloseFrame, Control};
pub use payload::{PADDING, Payload};
pub use pool::{CHUNK_LEN, ChunkPool, ChunkQueue, PoolCounters, PoolLimits};
pub use proxy::{Proxy, ProxyError, ProxyKind};
pub use proxy_env::{proxy_for, proxy_for_host};
pub use record::RecordBuffer;
pub use tls::TlsClient;
#[cfg(feature = "tls")]
pub use tls::TlsVersions;
pub use tunnel::{PROXY_REPLY_LEN_MAX, Tunnel};
pub(crate) use upgrade::agree;
pub use upgrade::{USER_AGENT, Upgrade, UserAgentError};
pub use url::{GatewayUrl, UrlError};
#[cfg(feature = "zstd")]
pub use zstd::ZSTD_WINDOW_LOG_MAX;

/// The bytes of one connection, from the server's reply to the upgrade to its end.
///
/// Small while nothing is unfinished (at most 256 bytes); the decompression state joins with the
/// first compressed message (zlib-stream 47.5 KB, zstd-stream 419 KiB at a window of 2^18, touched
/// as the window fills). Made anew for each connection, since the streams begin anew with each.
pub struct Wire {
    stage: Stage,
    frames: Frames,
    /// Payload of the message that is not whole.
    queue: ChunkQueue,
    /// The last four bytes of `queue`, to find the flush mark.
    last_four: u32,
    unpack: Option<Unpack>,
    limits: WireLimits,
    compression: Compression,
}

enum Stage {
    AwaitUpgrade(Box<Reply>),
    AwaitFrames,
    /// A close frame came, or the connection was released: bytes are ignored.
    Over,
    Failed(WireError),
}

/// How the server compresses what it sends. Chosen at run time, asked for in the URL's query
/// ([`GatewayUrl::with_query`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Text messages; binary ones are taken as single zlib payloads (Identify's `compress`).
    #[default]
    None,
    /// One zlib context for the connection, flushed after each message (protocol section 6).
    ZlibStream,
    /// One zstd context for the connection; each binary message is one payload, flushed (protocol
    /// section 6). Less CPU than zlib for several times its memory.
    #[cfg(feature = "zstd")]
    ZstdStream,
}

/// Bounds on what one connection may make us keep, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireLimits {
    /// A compressed message, all its fragments and parts together.
    pub compressed_len_max: usize,
    /// A message's text, inflated or sent plain.
    pub inflated_len_max: usize,
    /// The header of the reply to the upgrade.
    pub upgrade_len_max: usize,
}

/// What came of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opened {
    /// All bytes were used; what has begun is not whole.
    Nothing,
    /// The server agreed to the upgrade; frames follow.
    Upgraded,
    /// A message is whole; its text is in the payload buffer.
    Payload {
        /// Bytes of WebSocket payload that made it up (compressed, if it was), without headers.
        wire_len: usize,
    },
    /// The server wants this back in a pong ([`Wire::seal_pong`]), soon.
    Ping(Control),
    /// The answer to a ping, or an unasked one.
    Pong,
    /// The server closes. Bytes that follow are ignored.
    Close(CloseFrame),
}

impl Wire {
    /// A connection whose upgrade request is on its way: the 101 response is awaited first.
    pub fn new(compression: Compression, limits: WireLimits, upgrade: Upgrade) -> Self {
        Self {
            stage: Stage::AwaitUpgrade(Box::new(Reply::to(&upgrade))),
            frames: Frames::new(),
            queue: ChunkQueue::new(),
            last_four: NO_BYTES,
            unpack: None,
            limits,
            compression,
        }
    }

    /// Takes bytes from the front of `bytes`, at most up to the end of one message; gives how many
    /// were used and what came of them. The rest must be given again.
    ///
    /// With [`Opened::Nothing`] all were used; with anything else at least one. With
    /// [`Opened::Payload`] the text lies in `payload`, its UTF-8 not yet validated (the JSON parser
    /// does that); with anything else `payload` is as it was. A message that lies whole in `bytes`
    /// is inflated from there; of others the payload is copied into chunks of `pool`, which are
    /// back there before this returns the message.
    ///
    /// Bytes after a close frame are ignored.
    ///
    /// # Errors
    /// [`WireError`], and the same one at each later call: the connection must be dropped. Its
    /// chunks are back in the pool. `payload` may have been overwritten.
    pub fn open(
        &mut self,
        bytes: &[u8],
        pool: &mut ChunkPool,
        payload: &mut Payload,
    ) -> Result<(usize, Opened), WireError> {
        let opened = match &mut self.stage {
            Stage::AwaitFrames => self.open_frames(bytes, pool, payload),
            Stage::AwaitUpgrade(reply) => match reply.read(bytes, self.limits.upgrade_len_max) {
                Ok((used, true)) => {
                    self.stage = Stage::AwaitFrames;
                    return Ok((used, Opened::Upgraded));
                }
                Ok((used, false)) => return Ok((used, Opened::Nothing)),
                Err(error) => Err(error),
            },
            Stage::Over => return Ok((bytes.len(), Opened::Nothing)),
            Stage::Failed(error) => return Err(*error),
        };
        match &opened {
            Err(error) => self.end(Stage::Failed(*error), pool),
            Ok((_, Opened::Close(_))) => self.end(Stage::Over, pool),
            Ok(_) => {}
        }
        opened
    }

    /// Bytes of an unfinished message that lie in chunks.
    pub const fn held_len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of the current data frame still to come, known from its header; `None` between frames
    /// and while a header or a control frame is read.
    pub const fn lacking_len(&self) -> Option<usize> {
        self.frames.lacking_len()
    }

    /// The connection is over: chunks go back to the pool, the decompression state is freed, later
    /// bytes are ignored. To be called before a `Wire` is dropped.
    pub fn release(&mut self, pool: &mut ChunkPool) {
        let stage = match self.stage {
            Stage::Failed(error) => Stage::Failed(error),
            _ => Stage::Over,
        };
        self.end(stage, pool);
    }

    /// Appends `text` to `out` as one masked text frame. `mask` is random, new for each frame.
    pub fn seal_text(text: &str, mask: [u8; 4], out: &mut Vec<u8>) {
        frame::seal_text(text, mask, out);
    }

    /// Appends the pong that answers `ping` to `out`.
    pub fn seal_pong(ping: &Control, mask: [u8; 4], out: &mut Vec<u8>) {
        frame::seal_pong(ping, mask, out);
    }

    /// Appends a close frame to `out`. Codes 1000 and 1001 end the session (protocol section 2).
    ///
    /// Of `reason` as many characters are sent as fit in 123 bytes. A code that must not be sent
    /// (RFC 6455 §7.4: 1004–1006, 1015, below 1000, above 4999…) is left out together with the
    /// reason: the frame is then empty.
    pub fn seal_close(code: u16, reason: &str, mask: [u8; 4], out: &mut Vec<u8>) {
        frame::seal_close(code, reason, mask, out);
    }

    fn open_frames(
        &mut self,
        bytes: &[u8],
        pool: &mut ChunkPool,
        payload: &mut Payload,
    ) -> Result<(usize, Opened), WireError> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let (n, step) = self.frames.step(rest, self.queue.len(), &self.limits)?;
            used += n;
            let opened = match step {
                Step::Nothing => Opened::Nothing,
                Step::Piece { kind, len, is_last } => {
                    let piece = &bytes[used - len..used];
                    if !is_last || !self.ends_message(kind, piece) {
                        self.gather(piece, pool)?;
                        continue;
                    }
                    let wire_len = self.queue.len() + len;
                    self.read_whole(kind, piece, pool, payload)?;
                    Opened::Payload { wire_len }
                }
                Step::Ping(control) => Opened::Ping(control),
                Step::Pong => Opened::Pong,
                Step::Close(close) => Opened::Close(close),
            };
            return Ok((used, opened));
        }
    }

    /// Whether a gateway message ends with this last piece of a WebSocket message: on zlib-stream,
    /// only if the flush mark does (protocol section 6).
    fn ends_message(&self, kind: Kind, piece: &[u8]) -> bool {
        kind == Kind::Text
            || self.compression != Compression::ZlibStream
            || last_four(self.last_four, piece) == FLUSH_MARK
    }

    fn gather(&mut self, piece: &[u8], pool: &mut ChunkPool) -> Result<(), WireError> {
        self.last_four = last_four(self.last_four, piece);
        self.queue.push(piece, pool)
    }

    /// Turns what was gathered, and the last `piece` behind it, into text.
    fn read_whole(
        &mut self,
        kind: Kind,
        piece: &[u8],
        pool: &mut ChunkPool,
        payload: &mut Payload,
    ) -> Result<(), WireError> {
        self.last_four = NO_BYTES;
        payload.clear();
        match kind {
            Kind::Text => {
                payload.reserve(self.queue.len() + piece.len());
                while !self.queue.is_empty() {
                    payload.append(self.queue.front());
                    self.queue.consume(self.queue.front().len(), pool);
                }
                payload.append(piece);
            }
            Kind::Binary => self.inflate_whole(piece, pool, payload)?,
        }
        payload.pad();
        Ok(())
    }

    fn inflate_whole(
        &mut self,
        piece: &[u8],
        pool: &mut ChunkPool,
        payload: &mut Payload,
    ) -> Result<(), WireError> {
        if self.compression == Compression::None {
            let mut head = self.queue.front().iter().chain(piece);
            match (head.next(), head.next()) {
                (Some(&cmf), Some(&flg)) if inflate::is_zlib_header(cmf, flg) => {}
                _ => return Err(WireError::UnexpectedBinary),
            }
        }
        let len_max = self.limits.inflated_len_max;
        let unpack = match &mut self.unpack {
            Some(unpack) => unpack,
            none => none.insert(Unpack::new(self.compression)?),
        };
        unpack.begin();
        while !self.queue.is_empty() {
            unpack.feed(self.queue.front(), payload, len_max)?;
            self.queue.consume(self.queue.front().len(), pool);
        }
        unpack.feed(piece, payload, len_max)?;
        unpack.end()
    }

    fn end(&mut self, stage: Stage, pool: &mut ChunkPool) {
        self.stage = stage;
        self.frames = Frames::new();
        self.queue.clear(pool);
        self.unpack = None;
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage: &dyn fmt::Debug = match &self.stage {
            Stage::AwaitUpgrade(_) => &"AwaitUpgrade",
            Stage::AwaitFrames => &"AwaitFrames",
            Stage::Over => &"Over",
            Stage::Failed(error) => error,
        };
        f.debug_struct("Wire")
            .field("stage", stage)
            .field("compression", &self.compression)
            .field("held_len", &self.held_len())
            .field("lacking_len", &self.lacking_len())
            .finish_non_exhaustive()
    }
}

impl Compression {
    /// The value of the query key `compress`, if it is to be there.
    pub const fn query_value(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::ZlibStream => Some("zlib-stream"),
            #[cfg(feature = "zstd")]
            Self::ZstdStream => Some("zstd-stream"),
        }
    }
}

impl Default for WireLimits {
    /// 8 MiB compressed, 64 MiB of text, 16 KiB of upgrade header.
    fn default() -> Self {
        Self { compressed_len_max: 8 << 20, inflated_len_max: 64 << 20, upgrade_len_max: 16 << 10 }
    }
}

/// The last four bytes once `piece` follows.
fn last_four(before: u32, piece: &[u8]) -> u32 {
    let last = &piece[piece.len().saturating_sub(4)..];
    last.iter().fold(before, |four, &byte| four << 8 | u32::from(byte))
}

/// How each zlib-stream message ends: the end of an empty stored block, Z_SYNC_FLUSH.
const FLUSH_MARK: u32 = 0x0000_FFFF;

/// No start of the flush mark, so fewer than four bytes cannot make it up.
const NO_BYTES: u32 = u32::MAX;

const _: () = assert!(size_of::<Wire>() <= 256, "thousands of idle connections");

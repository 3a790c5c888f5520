//! Compressed bytes to text: the one door to zlib-rs.
//!
//! Takes the bytes of a whole message, piece by piece, and appends what they inflate to; knows
//! neither frames nor chunks. `Wire` calls it once a message is whole.
//!
//! Invariant: the output never grows past the limit given, whatever the input claims.

use zlib_rs::{InflateFlush, Status};

use super::error::WireError;
use super::payload::Payload;

/// The state of one connection's decompression: 47.5 KB, whose pages are touched as the window
/// fills. Made when the first compressed message is whole.
pub(super) struct Inflate {
    zlib: zlib_rs::Inflate,
    kind: Kind,
}

enum Kind {
    /// One stream for the life of the connection. Its zlib header is checked here and the rest is
    /// inflated raw: a stream that never ends has no checksum to verify, so none is computed.
    Stream { header: Header },
    /// Each message is a zlib stream of its own, checksum included.
    Message { ended: bool },
}

/// The two bytes at the start of a stream (RFC 1950 §2.2).
enum Header {
    Awaited,
    Half(u8),
    Seen,
}

impl Inflate {
    /// For zlib-stream: one context for all messages of a connection (protocol section 6).
    pub(super) fn stream() -> Self {
        let zlib = zlib_rs::Inflate::new(false, WINDOW_BITS);
        Self { zlib, kind: Kind::Stream { header: Header::Awaited } }
    }

    /// For payload compression: a context for each message (protocol section 6).
    pub(super) fn message() -> Self {
        let zlib = zlib_rs::Inflate::new(true, WINDOW_BITS);
        Self { zlib, kind: Kind::Message { ended: false } }
    }

    /// A message begins.
    pub(super) fn begin(&mut self) {
        if let Kind::Message { ended } = &mut self.kind {
            *ended = false;
            self.zlib.reset(true);
        }
    }

    /// Inflates a piece of the message to the end of `payload`. All of `input` is used, and all
    /// output that it determines is there.
    pub(super) fn feed(
        &mut self,
        mut input: &[u8],
        payload: &mut Payload,
        len_max: usize,
    ) -> Result<(), WireError> {
        match &mut self.kind {
            Kind::Stream { header } => input = header.skip(input)?,
            Kind::Message { ended: true } if !input.is_empty() => return Err(WireError::Deflate),
            Kind::Message { .. } => {}
        }
        if input.is_empty() {
            return Ok(());
        }
        loop {
            let (in_before, out_before) = (self.zlib.total_in(), self.zlib.total_out());
            let spare = payload.spare(len_max);
            let spare_len = spare.len();
            let status = self
                .zlib
                .decompress(input, spare, InflateFlush::SyncFlush)
                .map_err(|_| WireError::Deflate)?;
            let used = (self.zlib.total_in() - in_before) as usize;
            let made = (self.zlib.total_out() - out_before) as usize;
            input = &input[used..];
            payload.advance(made);
            if payload.len() > len_max {
                return Err(WireError::InflatedTooLong { len_max });
            }
            if status == Status::StreamEnd {
                return self.stream_ended(input);
            }
            // A full output may hide output that is pending: ask again, even without input.
            if made < spare_len {
                if input.is_empty() {
                    return Ok(());
                }
                if used == 0 && made == 0 {
                    return Err(WireError::Deflate);
                }
            }
        }
    }

    /// The message was fed whole.
    pub(super) fn end(&mut self) -> Result<(), WireError> {
        match self.kind {
            Kind::Message { ended: false } => Err(WireError::DeflateEnd),
            _ => Ok(()),
        }
    }

    fn stream_ended(&mut self, rest: &[u8]) -> Result<(), WireError> {
        match &mut self.kind {
            Kind::Message { ended } if rest.is_empty() => {
                *ended = true;
                Ok(())
            }
            Kind::Message { .. } => Err(WireError::Deflate),
            Kind::Stream { .. } => Err(WireError::DeflateEnd),
        }
    }
}

impl Header {
    fn skip<'a>(&mut self, mut input: &'a [u8]) -> Result<&'a [u8], WireError> {
        loop {
            let Some((&byte, rest)) = input.split_first() else { return Ok(input) };
            match *self {
                Self::Seen => return Ok(input),
                Self::Awaited => *self = Self::Half(byte),
                Self::Half(first) if is_zlib_header(first, byte) => *self = Self::Seen,
                Self::Half(_) => return Err(WireError::ZlibHeader),
            }
            input = rest;
        }
    }
}

/// Whether two bytes begin a zlib stream: deflate, a window of at most 32 KiB, the check bits
/// right, no preset dictionary (RFC 1950 §2.2).
pub(super) fn is_zlib_header(cmf: u8, flg: u8) -> bool {
    let checked = u16::from_be_bytes([cmf, flg]).is_multiple_of(31);
    cmf & 0x0F == 8 && cmf >> 4 <= 7 && checked && flg & 0x20 == 0
}

/// The largest window, 32 KiB; streams made with a smaller one are read as well.
const WINDOW_BITS: u8 = 15;

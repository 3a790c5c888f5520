//! The bytes waiting for a socket: own buffers and ranges of shared blocks, in order. Bounded by
//! the pump, which stops above a limit. Never copies a shared block.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

/// What waits to be written to one connection.
#[derive(Debug, Default)]
pub(crate) struct OutQueue {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// While set nothing is written: what is queued waits for its moment.
    pub(crate) held: bool,
}

#[derive(Debug)]
enum Piece {
    Own { bytes: Vec<u8>, at: usize },
    Shared { bytes: Arc<Vec<u8>>, at: usize, end: usize },
}

impl Piece {
    fn rest(&self) -> &[u8] {
        match self {
            Piece::Own { bytes, at } => &bytes[*at..],
            Piece::Shared { bytes, at, end } => &bytes[*at..*end],
        }
    }

    fn advance(&mut self, by: usize) {
        match self {
            Piece::Own { at, .. } | Piece::Shared { at, .. } => *at += by,
        }
    }
}

impl OutQueue {
    /// Bytes queued.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// Nothing is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Lets `write` append to the last own buffer.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let grown = match self.pieces.back_mut() {
            Some(Piece::Own { bytes, .. }) if bytes.len() < WRITE_BYTES => {
                let before = bytes.len();
                write(bytes);
                bytes.len() - before
            }
            _ => {
                let mut bytes = Vec::new();
                write(&mut bytes);
                let grown = bytes.len();
                self.pieces.push_back(Piece::Own { bytes, at: 0 });
                grown
            }
        };
        self.bytes += grown;
    }

    /// Queues a range of a shared block.
    pub(crate) fn share(&mut self, bytes: &Arc<Vec<u8>>, at: usize, end: usize) {
        self.bytes += end - at;
        self.pieces.push_back(Piece::Shared { bytes: Arc::clone(bytes), at, end });
    }

    /// Writes until all is written or the socket takes no more. Gives the bytes written and the
    /// calls made; an error is the socket's end.
    pub(crate) fn flush(&mut self, stream: &mut impl Write) -> io::Result<Flushed> {
        let mut flushed = Flushed::default();
        if self.held {
            return Ok(flushed);
        }
        while let Some(piece) = self.pieces.front_mut() {
            let rest = piece.rest();
            if rest.is_empty() {
                self.pieces.pop_front();
                continue;
            }
            flushed.calls += 1;
            match stream.write(&rest[..rest.len().min(WRITE_BYTES)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    piece.advance(count);
                    self.bytes -= count;
                    flushed.bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flushed.blocked = true;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(flushed)
    }

    /// Drops what is queued.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What a flush did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flushed {
    pub(crate) bytes: u64,
    pub(crate) calls: u64,
    /// The socket is full; its readiness will be told.
    pub(crate) blocked: bool,
}

/// Most bytes of one write.
pub(crate) const WRITE_BYTES: usize = 64 * 1024;

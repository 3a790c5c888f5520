//! Where TLS records begin and end: their header, and the buffer in which one is made contiguous.
//!
//! Knows the five bytes in front of a record (RFC 8446 §5.1) and nothing of what is in it. `tls`
//! and `channel` use it; a core lends the buffer to whichever connection is working.

use std::fmt;

/// The scratch buffer in which a TLS record lies that came in pieces.
///
/// One a core. Nothing is allocated before the first such record; then it grows to what was needed
/// (records of Discord's are seldom over 4 KiB) and stays, at most
/// [`LEN_MAX`](RecordBuffer::LEN_MAX) bytes.
#[derive(Default)]
pub struct RecordBuffer {
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    pub(super) bytes: Vec<u8>,
}

impl RecordBuffer {
    /// The most it can hold, bytes: the fragments of one handshake message and one more record.
    /// Application data never needs more than one record (18,437 bytes).
    pub const LEN_MAX: usize = HANDSHAKE_LEN_MAX + RECORD_LEN_MAX;

    /// An empty buffer.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Bytes of memory it has.
    pub const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Holds what waited in `queue`, which empties, and `last` behind it.
    #[cfg(feature = "tls")]
    pub(super) fn fill(
        &mut self,
        queue: &mut super::ChunkQueue,
        last: &[u8],
        pool: &mut super::ChunkPool,
    ) {
        self.bytes.clear();
        self.bytes.reserve_exact(queue.len() + last.len());
        while !queue.is_empty() {
            self.bytes.extend_from_slice(queue.front());
            queue.consume(queue.front().len(), pool);
        }
        self.bytes.extend_from_slice(last);
    }
}

impl fmt::Debug for RecordBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordBuffer").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// What the first five bytes of a record say.
#[cfg(feature = "tls")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header(pub(super) [u8; HEADER_LEN]);

#[cfg(feature = "tls")]
impl Header {
    /// The length of the whole record, this header included; or why there is none.
    pub(super) fn record_len(self) -> Result<usize, super::WireError> {
        let [kind, major, _, high, low] = self.0;
        // change_cipher_spec, alert, handshake, application_data; all versions have the major 3.
        if !(20..=23).contains(&kind) || major != 3 {
            return Err(super::WireError::TlsMalformed);
        }
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > FRAGMENT_LEN_MAX {
            return Err(super::WireError::TlsRecordTooLong);
        }
        Ok(HEADER_LEN + len)
    }
}

/// Type, version and length of a record, bytes.
pub(super) const HEADER_LEN: usize = 5;

/// What TLS 1.2 allows a record to carry (RFC 5246 §6.2.3); TLS 1.3 allows 1792 bytes less.
const FRAGMENT_LEN_MAX: usize = 16_384 + 2048;

/// A whole record, bytes.
pub(super) const RECORD_LEN_MAX: usize = HEADER_LEN + FRAGMENT_LEN_MAX;

/// The records of one handshake message that is not whole, bytes: 64 KiB, the longest that is taken
/// (a certificate chain), and what lies around it in four records and a few more.
pub(super) const HANDSHAKE_LEN_MAX: usize = 5 * RECORD_LEN_MAX;

//! The output of the wire: the text of one message, in a buffer that a core lends to its shards.
//!
//! Holds one message at a time and never says whether it is UTF-8 or JSON: the decoder finds out.
//! `Wire` fills it, the shard machine reads it.
//!
//! Invariant: [`PADDING`] zero bytes lie behind the text, so that a SIMD parser may read past it.

use std::fmt;

/// The scratch buffer for one message's text.
///
/// Grows by doubling up to what the wire's limits allow and keeps its size, so that after some
/// messages nothing is allocated any more; [`shrink`](Self::shrink) gives back what a rare huge
/// message left.
pub struct Payload {
    /// Always initialised, always at least `PADDING` longer than `len`.
    buffer: Vec<u8>,
    len: usize,
}

impl Payload {
    /// An empty payload with room for `len` bytes of text.
    pub fn new(len: usize) -> Self {
        Self { buffer: vec![0; len.saturating_add(PADDING)], len: 0 }
    }

    /// Bytes of text.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no text.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of text it has room for without growing.
    pub fn capacity(&self) -> usize {
        self.buffer.len() - PADDING
    }

    /// The text. Not checked to be UTF-8: the JSON parser validates it in the same pass as the
    /// structure, so checking here would cost a second pass.
    pub fn text(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The text for parsing in place: a slice of `len + PADDING` bytes, and `len`. The bytes behind
    /// the text are zero.
    pub fn padded(&mut self) -> (&mut [u8], usize) {
        (&mut self.buffer[..self.len + PADDING], self.len)
    }

    /// Forgets the text; if there is room for more than `keep_len` bytes, shrinks to that.
    pub fn shrink(&mut self, keep_len: usize) {
        self.clear();
        if self.capacity() > keep_len {
            self.buffer.truncate(keep_len + PADDING);
            self.buffer.shrink_to_fit();
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.pad();
    }

    /// Makes room for `more` bytes beyond the text. `more` was checked against a limit.
    pub(super) fn reserve(&mut self, more: usize) {
        let wanted = self.len + more;
        if wanted > self.capacity() {
            self.resize(wanted.max(self.capacity().saturating_mul(2)));
        }
    }

    /// Appends; room was reserved.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.buffer[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Room behind the text, at least one byte, but so that the text gets no longer than `len_max`
    /// and one: the one tells a text that is longer from one that just fits.
    pub(super) fn spare(&mut self, len_max: usize) -> &mut [u8] {
        let end_max = len_max.saturating_add(1);
        if self.len == self.capacity() {
            self.resize(self.capacity().saturating_mul(2).max(GROW_LEN_MIN).min(end_max));
        }
        let end = self.capacity().min(end_max);
        &mut self.buffer[self.len..end]
    }

    /// `n` bytes of [`spare`](Self::spare) were written.
    pub(super) fn advance(&mut self, n: usize) {
        self.len += n;
    }

    /// The text is whole: zeroes what lies behind it.
    pub(super) fn pad(&mut self) {
        self.buffer[self.len..self.len + PADDING].fill(0);
    }

    fn resize(&mut self, capacity: usize) {
        let len = capacity + PADDING;
        self.buffer.reserve_exact(len - self.buffer.len());
        self.buffer.resize(len, 0);
    }
}

impl Default for Payload {
    /// Room for 64 KiB: nearly all messages.
    fn default() -> Self {
        Self::new(64 << 10)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// Readable bytes behind the text: what simd-json's padded parse asks for.
pub const PADDING: usize = 64;

/// The first growth of an empty buffer, bytes.
const GROW_LEN_MIN: usize = 4096;

//! Text → tape → values, in place and without allocating once warm.
//!
//! [`Envelope::scan`] reads `op`, `s` and `t` from the raw text without parsing `d`.
//! [`Scratch::read`] parses a whole payload by simd-json into a tape that it keeps, and lends a
//! [`Root`] to a closure: strings borrow the payload, lists lie in a bump arena, and both are
//! gone when the closure returns. [`Json`] looks at any value of the tape as it is;
//! [`Decode`] makes typed values of it (the types stand in [`model`](crate::model)).
//!
//! This room never reads a socket or a clock, knows no event and no field by name save the
//! envelope's four, and never panics on what the peer sent. It is the only one to use simd-json
//! and bumpalo. Invariant: between two calls of `read` the tape and the arena are empty, also
//! when the closure unwound. Called by the shard.

mod cursor;
mod deserialize;
mod deserialize_error;
mod envelope;
mod error;
mod json;
mod keep;
mod keys;
mod map;
mod scan;
mod serialize;
mod shape;
mod skip;

pub(crate) use cursor::Decimal;
pub use cursor::{Cursor, Decode, DecodeObject, TYPED_DEPTH_MAX};
pub use deserialize_error::{DeserializeError, MESSAGE_LEN_MAX, Mismatch};
pub use envelope::{Envelope, EnvelopeError, KEYS_MAX};
pub use error::{DecodeError, Expected, NOTES_MAX, Note, Notes};
pub use json::{DEBUG_LEN_MAX, Elements, Entries, Json, JsonKind};
pub(crate) use keep::Kept;
pub(crate) use keys::{KeyPlaces, name_code};
pub use map::{Map, MapKey};
pub use scan::DATA_KEYS_MAX;
pub(crate) use scan::{DataScan, Doubt, ScannedText, Value};
pub use shape::{
    Absence, EnumShape, FieldShape, FlagsShape, ObjectShape, OnNull, Shape, UnionShape,
    VariantShape,
};

use bumpalo::Bump;
use simd_json::{Buffers, ErrorType, Node, StaticNode, Tape};
use std::cell::Cell;
use std::fmt;
use std::mem;

/// The buffers that decoding needs, lent to one payload after another.
///
/// One per core. After warm-up reading allocates nothing; a huge payload inflates the buffers
/// until [`shrink`](Self::shrink).
pub struct Scratch {
    tape: Tape<'static>,
    buffers: Buffers,
    arena: Arena,
    /// The longest text since the buffers were made: what `buffers`, which does not tell its
    /// size, may hold.
    len_seen: usize,
}

/// Where lists and nested objects of one payload lie, and the notes about it.
pub(crate) struct Arena {
    bump: Bump,
    /// Bytes that this payload may take, and what is left of them. Counted here, since bumpalo's
    /// own limit counts chunks, those kept from earlier payloads too.
    room: Cell<usize>,
    left: Cell<usize>,
    pub(crate) notes: Notes,
}

impl Scratch {
    /// Empty buffers; they grow with the first payloads.
    pub fn new() -> Self {
        Self {
            tape: Tape(Vec::new()),
            buffers: Buffers::with_max_depth(0, DEPTH_MAX),
            arena: Arena {
                bump: Bump::with_capacity(ARENA_LEN_MIN),
                room: Cell::new(0),
                left: Cell::new(0),
                notes: Notes::default(),
            },
            len_seen: 0,
        }
    }

    /// Parses the payload `payload[..len]`, whole and in place, and lends it to `visit`.
    ///
    /// Escapes are undone inside `payload`, so the text is no longer JSON afterwards (also after
    /// an error). The [`PADDING`] bytes after it may hold anything and are left as they were.
    /// What `visit` allocates in the arena is gone when `read` returns or unwinds; the scratch
    /// can be used again in either case.
    ///
    /// # Errors
    /// [`Json`](DecodeError::Json), [`Depth`](DecodeError::Depth) or
    /// [`TooLarge`](DecodeError::TooLarge) when the text is at fault;
    /// [`Field`](DecodeError::Field) when it is JSON but not an object;
    /// [`Padding`](DecodeError::Padding) when `payload` is shorter than `len + PADDING`.
    pub fn read<R>(
        &mut self,
        payload: &mut [u8],
        len: usize,
        visit: impl for<'a> FnOnce(Root<'a>) -> R,
    ) -> Result<R, DecodeError> {
        let have = payload.len().saturating_sub(len);
        if have < PADDING {
            return Err(DecodeError::Padding { have });
        }
        self.len_seen = self.len_seen.max(len);
        self.arena.notes.clear();
        let room = len.saturating_mul(ARENA_FACTOR).saturating_add(ARENA_LEN_MIN);
        self.arena.open(room);

        let tape = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let mut lease = Lease { scratch: self, tape };
        simd_json::fill_tape_padded(payload, len, &mut lease.scratch.buffers, &mut lease.tape)
            .map_err(|error| decode_error(&error, len))?;
        Ok(visit(Root::find(&lease.tape.0, &lease.scratch.arena)?))
    }

    /// The fields of the last payload that could not be read.
    pub fn notes(&self) -> &Notes {
        &self.arena.notes
    }

    /// Forgets the notes, for an event that nothing was read for.
    pub(crate) fn clear_notes(&mut self) {
        self.arena.notes.clear();
    }

    /// Gives memory back if a text of more than `len_keep` bytes has inflated the buffers.
    ///
    /// They start over empty then, so call it when a burst is over, not after each event.
    pub fn shrink(&mut self, len_keep: usize) {
        if self.len_seen > len_keep {
            *self = Self::new();
        }
    }

    /// About how many bytes of heap the buffers hold.
    pub fn heap_len(&self) -> usize {
        // The parser's own buffers do not tell: one byte of text each for unescaping, and four
        // bytes for each structural character, of which there are as many as the tape has nodes
        // and about half as many again (colons and commas).
        let nodes = self.tape.0.capacity();
        nodes * (size_of::<Node<'_>>() + 6) + self.len_seen + self.arena.bump.allocated_bytes()
    }
}

impl Arena {
    /// For the next payload, which may take `room` bytes. The arena is empty.
    fn open(&self, room: usize) {
        self.room.set(room);
        self.left.set(room);
    }

    /// How many bytes this payload may take in all.
    fn room(&self) -> usize {
        self.room.get()
    }

    fn take(&self, len: usize) -> Result<(), Expected> {
        let left = self.left.get().checked_sub(len).ok_or(Expected::LessRoom)?;
        self.left.set(left);
        Ok(())
    }

    #[inline]
    fn alloc<T: Copy>(&self, fill: impl FnOnce() -> T) -> Result<&mut T, Expected> {
        self.take(size_of::<T>())?;
        self.bump.try_alloc_with(fill).map_err(|_| Expected::LessRoom)
    }

    #[inline]
    fn alloc_slice<T: Copy>(&self, len: usize, fill: T) -> Result<&mut [T], Expected> {
        self.take(size_of::<T>().saturating_mul(len))?;
        self.bump.try_alloc_slice_fill_copy(len, fill).map_err(|_| Expected::LessRoom)
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("heap_len", &self.heap_len()).finish_non_exhaustive()
    }
}

/// The tape while it borrows a payload; puts everything back when dropped, unwinding included.
struct Lease<'s, 'p> {
    scratch: &'s mut Scratch,
    tape: Tape<'p>,
}

impl Drop for Lease<'_, '_> {
    fn drop(&mut self) {
        self.scratch.tape = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        self.scratch.arena.bump.reset();
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// A parsed payload: the envelope's fields, in whatever order they came.
#[derive(Clone, Copy)]
pub struct Root<'a> {
    op: Json<'a>,
    seq: Json<'a>,
    name: &'a str,
    data: Json<'a>,
    arena: &'a Arena,
}

impl<'a> Root<'a> {
    /// `op`, the opcode; `None` if it is missing or no unsigned integer.
    pub fn op(&self) -> Option<u64> {
        self.op.as_u64()
    }

    /// `s`, the sequence number; `None` if it is missing, null or no unsigned integer.
    pub fn seq(&self) -> Option<u64> {
        self.seq.as_u64()
    }

    /// `t`, the event's name with escapes undone; empty if it is missing or no string.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// A cursor at `d`; at a null if the key is missing.
    pub fn data(&self) -> Cursor<'a> {
        Cursor::new(self.data.nodes(), self.arena)
    }

    /// `d` as it is; null if the key is missing.
    pub fn json(&self) -> Json<'a> {
        self.data
    }

    fn find(nodes: &'a [Node<'a>], arena: &'a Arena) -> Result<Self, DecodeError> {
        let payload = Json::new(nodes, Some(arena));
        if payload.kind() != JsonKind::Object {
            return Err(DecodeError::Field {
                object: "payload",
                field: "",
                expected: Expected::Object,
            });
        }
        let mut root = Self { op: Json::NULL, seq: Json::NULL, name: "", data: Json::NULL, arena };
        for (key, value) in payload.entries() {
            match key {
                "t" => root.name = value.as_str().unwrap_or(""),
                "s" => root.seq = value,
                "op" => root.op = value,
                "d" => root.data = value,
                _ => {}
            }
        }
        Ok(root)
    }
}

impl fmt::Debug for Root<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root")
            .field("op", &self.op())
            .field("seq", &self.seq())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cold]
fn decode_error(error: &simd_json::Error, len: usize) -> DecodeError {
    match error.error() {
        ErrorType::DepthLimitExceeded => DecodeError::Depth { at: error.index() },
        ErrorType::InputTooLarge => DecodeError::TooLarge { len },
        _ => DecodeError::Json { at: error.index() },
    }
}

static NULL: [Node<'static>; 1] = [Node::Static(StaticNode::Null)];

/// Readable bytes that must follow a text in its buffer.
pub const PADDING: usize = simd_json::INPUT_PADDING;

/// So many objects and arrays may lie inside one another in a payload, the envelope included.
/// Discord's deepest come to about 20.
pub const DEPTH_MAX: usize = 64;

/// The arena of one payload may hold this many bytes for each byte of its text (and
/// [`ARENA_LEN_MIN`] besides), so that a list of a million `{}` cannot become gigabytes.
pub const ARENA_FACTOR: usize = 16;

/// Bytes that the arena starts with.
pub const ARENA_LEN_MIN: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn padded(text: &str) -> (Vec<u8>, usize) {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(text.len() + PADDING, 0xAA);
        (bytes, text.len())
    }

    #[test]
    fn the_envelope_is_found_in_any_order_and_the_padding_left_alone() {
        let mut scratch = Scratch::new();
        for text in [
            r#"{"t":"A","s":7,"op":0,"d":[1]}"#,
            r#"{"d":[1],"x":{"d":2},"op":0,"s":7,"t":"\u0041"}"#,
        ] {
            let (mut bytes, len) = padded(text);
            scratch
                .read(&mut bytes, len, |root| {
                    assert_eq!((root.op(), root.seq(), root.name()), (Some(0), Some(7), "A"));
                    assert_eq!(root.json().index(0).and_then(|v| v.as_u64()), Some(1));
                })
                .unwrap();
            assert!(bytes[len..].iter().all(|&byte| byte == 0xAA));
        }
    }

    #[test]
    fn a_panic_in_the_visitor_leaves_the_scratch_usable() {
        let mut scratch = Scratch::new();
        let (mut bytes, len) = padded(r#"{"op":0,"d":{"a":[1,2,3]}}"#);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            scratch.read(&mut bytes, len, |_| panic!("the handler's fault"))
        }));
        assert!(unwound.is_err());
        let (mut bytes, len) = padded(r#"{"op":11}"#);
        let op = scratch.read(&mut bytes, len, |root| (root.op(), root.json().is_null()));
        assert_eq!(op, Ok((Some(11), true)));
    }

    #[test]
    fn faults_of_caller_and_peer_are_told_apart() {
        let mut scratch = Scratch::new();
        let mut short = *b"{}";
        assert_eq!(scratch.read(&mut short, 2, |_| ()), Err(DecodeError::Padding { have: 0 }));
        assert_eq!(scratch.read(&mut short, 9, |_| ()), Err(DecodeError::Padding { have: 0 }));
        for (text, field) in [("", false), ("{", false), ("[]", true), ("1", true)] {
            let (mut bytes, len) = padded(text);
            let error = scratch.read(&mut bytes, len, |_| ()).unwrap_err();
            assert_eq!(matches!(error, DecodeError::Field { .. }), field, "{text:?} {error}");
        }
    }

    #[test]
    fn shrinking_gives_back_what_a_huge_payload_took() {
        let mut scratch = Scratch::new();
        let (mut bytes, len) = padded(&format!(r#"{{"d":[{}1]}}"#, "1,".repeat(500_000)));
        scratch.read(&mut bytes, len, |_| ()).unwrap();
        assert!(scratch.heap_len() > 10_000_000);
        scratch.shrink(len);
        assert!(scratch.heap_len() > 10_000_000, "not above the bound, so it stays");
        scratch.shrink(65_536);
        assert!(scratch.heap_len() < 65_536);
    }
}

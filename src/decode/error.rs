//! What can go wrong between the text and the values, and the notes about single fields.
//!
//! Nothing here holds payload text: an error may be logged by anybody. A payload that cannot be
//! read at all is a [`DecodeError`]; one field that cannot be read is a [`Note`] and costs only
//! that field. Built by the cursor and by [`Scratch`](super::Scratch), read by the shard.

use std::cell::Cell;
use std::fmt;

/// Why a payload, or the typed form of it, could not be read.
///
/// Every case but [`Padding`](Self::Padding) is the peer's doing. The session survives all of
/// them: the sequence number comes from the envelope, which was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The text is not JSON (broken syntax, bad UTF-8, an integer beyond 64 bits).
    Json {
        /// Byte offset at which reading stopped; 0 where it is not known.
        at: usize,
    },
    /// More than [`DEPTH_MAX`](super::DEPTH_MAX) objects and arrays inside one another.
    Depth {
        /// Byte offset of the bracket that was one too many.
        at: usize,
    },
    /// The text is longer than 4 GiB.
    TooLarge {
        /// Its length in bytes.
        len: usize,
    },
    /// The caller left fewer than [`PADDING`](super::PADDING) bytes after the text.
    Padding {
        /// The bytes that were left.
        have: usize,
    },
    /// The value is JSON, but without this field the typed form means nothing.
    Field {
        /// The object, by the name of its Rust type.
        object: &'static str,
        /// The field, by its name in JSON; empty when the object itself is meant.
        field: &'static str,
        /// What should have stood there.
        expected: Expected,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Json { at } => write!(f, "the peer sent broken JSON (byte {at})"),
            Self::Depth { at } => {
                write!(f, "the peer nested JSON deeper than {} (byte {at})", super::DEPTH_MAX)
            }
            Self::TooLarge { len } => write!(f, "the peer sent {len} bytes of JSON, above 4 GiB"),
            Self::Padding { have } => write!(
                f,
                "the caller left {have} bytes after the text, {} are needed",
                super::PADDING
            ),
            Self::Field { object, field: "", expected } => {
                write!(f, "{object} could not be read: expected {expected}")
            }
            Self::Field { object, field, expected } => {
                write!(f, "{object}.{field} could not be read: expected {expected}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

/// What should have stood where something else stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// A JSON object.
    Object,
    /// A JSON array, of the right length where that is fixed.
    Array,
    /// A JSON string.
    String,
    /// An integer that fits the field.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A snowflake: a decimal string or an integer of at most 64 bits.
    Snowflake,
    /// The object's own key field, which is missing or unreadable.
    OwnKey,
    /// Fewer objects inside one another ([`TYPED_DEPTH_MAX`](super::TYPED_DEPTH_MAX)).
    LessDepth,
    /// A list that fits the arena's bound ([`ARENA_FACTOR`](super::ARENA_FACTOR)).
    LessRoom,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Integer => "an integer in range",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Snowflake => "a snowflake",
            Self::OwnKey => "the field that names the object",
            Self::LessDepth => "less nesting",
            Self::LessRoom => "a shorter list",
        })
    }
}

/// One field that could not be read and was left as if it were missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// The object, by the name of its Rust type.
    pub object: &'static str,
    /// The field, by its name in JSON. An element left out of a list is noted as `list`, `element`.
    pub field: &'static str,
    /// What should have stood there.
    pub expected: Expected,
}

/// The fields of one payload that could not be read: how many, and the first
/// [`NOTES_MAX`] by name.
#[derive(Debug, Default)]
pub struct Notes {
    count: Cell<u32>,
    first: [Cell<Option<Note>>; NOTES_MAX],
}

impl Notes {
    /// How many fields could not be read (saturates).
    pub fn count(&self) -> u32 {
        self.count.get()
    }

    /// The first of them, at most [`NOTES_MAX`].
    pub fn iter(&self) -> impl Iterator<Item = Note> + '_ {
        self.first.iter().filter_map(Cell::get)
    }

    #[cold]
    pub(crate) fn add(&self, note: Note) {
        let count = self.count.get();
        if let Some(slot) = self.first.get(count as usize) {
            slot.set(Some(note));
        }
        self.count.set(count.saturating_add(1));
    }

    pub(crate) fn clear(&mut self) {
        if self.count.get() > 0 {
            *self = Self::default();
        }
    }
}

/// So many notes of a payload are kept by name; the rest are only counted.
pub const NOTES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_beyond_the_bound_are_counted_but_not_kept() {
        let mut notes = Notes::default();
        for _ in 0..10 {
            notes.add(Note { object: "User", field: "bot", expected: Expected::Bool });
        }
        assert_eq!((notes.count(), notes.iter().count()), (10, NOTES_MAX));
        notes.clear();
        assert_eq!((notes.count(), notes.iter().count()), (0, 0));
    }

    #[test]
    fn errors_name_object_and_field() {
        let error =
            DecodeError::Field { object: "Message", field: "id", expected: Expected::OwnKey };
        assert_eq!(
            error.to_string(),
            "Message.id could not be read: expected the field that names the object"
        );
    }
}

//! [`SentId`]: an id of which it matters whether a string or a number was sent.
//!
//! Read and written like any id, with the one bit besides.

use super::Id;
use crate::decode::{Cursor, Decode, Expected, Shape};
use serde::{Serialize, Serializer};

/// An id that comes in a string or, where it is too small to be a snowflake, as a number: of a
/// default sound, or one that was asked for and does not exist.
#[derive(Debug)]
pub struct SentId<K> {
    /// The id.
    pub id: Id<K>,
    /// Whether it came as a number.
    pub is_number: bool,
}

impl<K> Clone for SentId<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for SentId<K> {}

impl<K> PartialEq for SentId<K> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.is_number == other.is_number
    }
}

impl<K> Eq for SentId<K> {}

impl<'a, K: 'a> Decode<'a> for SentId<K> {
    const ABSENT: Self = Self { id: Id::new(0), is_number: false };
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        let is_number = cursor.json().as_u64().is_some();
        Id::decode(cursor).map(|id| Self { id, is_number })
    }
    fn is_absent(&self) -> bool {
        self.id.is_absent()
    }
    fn shape() -> Shape {
        Shape::IntegerOrString
    }
}

/// As it came.
impl<K> Serialize for SentId<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_number {
            serializer.serialize_u64(self.id.get())
        } else {
            self.id.serialize(serializer)
        }
    }
}

//! [`Field`]: missing, null or a value. Used where the difference means something.

use crate::decode::{Cursor, Decode, Expected, OnNull, Shape};
use serde::{Serialize, Serializer};

/// A key that may be missing and whose value may be null: three states.
///
/// ```
/// use shardring::model::Field;
///
/// assert_eq!(Field::Value(7).value(), Some(7));
/// assert_eq!(Field::<u64>::Null.value(), None);
/// assert!(Field::<u64>::Missing.is_missing());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Field<T> {
    /// The key is not there: nothing is said.
    #[default]
    Missing,
    /// The key is there with null: there is none.
    Null,
    /// The key is there with a value.
    Value(T),
}

impl<T> Field<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Null => None,
        }
    }

    /// `None` when missing, `Some(None)` when null: the shape for "set this if it was said".
    pub fn said(self) -> Option<Option<T>> {
        match self {
            Self::Missing => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }

    /// Whether the key was missing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// Whether the key was there with null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Field<T> {
    const ABSENT: Self = Self::Missing;
    #[inline]
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        Ok(match Option::<T>::decode(cursor)? {
            Some(value) => Self::Value(value),
            None => Self::Null,
        })
    }
    fn is_absent(&self) -> bool {
        self.is_missing()
    }
    const ON_NULL: OnNull = OnNull::Kept;
    fn shape() -> Shape {
        T::shape()
    }
}

/// Null is null; a missing one, which the model never writes, too.
impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => serializer.serialize_some(value),
            Self::Missing | Self::Null => serializer.serialize_none(),
        }
    }
}

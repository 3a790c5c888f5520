//! [`Shape`]: what a type of the model reads and writes, as data.
//!
//! Written by the macros of the model beside each decoder, from the same rows, so that it cannot
//! differ from what is decoded. Read by tests, which compare it with Discord's documents, and by
//! tools, which tell what a payload holds that the model does not. Costs nothing where nobody
//! reads it.

use super::cursor::Decode;
use std::fmt;

/// What JSON a type reads.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// A string.
    String,
    /// An integer or a string, whichever came.
    IntegerOrString,
    /// An id: a decimal string, or an integer.
    Snowflake,
    /// An ISO 8601 string.
    Timestamp,
    /// Anything, kept as it came.
    Json,
    /// An enumeration.
    Enum(&'static EnumShape),
    /// A bit set.
    Flags(&'static FlagsShape),
    /// An array of any length.
    List(fn() -> Shape),
    /// An array of this length.
    Array(fn() -> Shape, usize),
    /// An object whose keys are data.
    Map(fn() -> Shape),
    /// An object.
    Object(&'static ObjectShape),
    /// One of several objects.
    Union(&'static UnionShape),
}

/// An object: its name in Rust, its keys, and the keys that are left out on purpose.
#[derive(Clone, Copy, Debug)]
pub struct ObjectShape {
    /// The name of the Rust type.
    pub name: &'static str,
    /// Its keys, in the order of the declaration.
    pub fields: &'static [FieldShape],
    /// Keys that Discord documents and that have no field here, each with the reason.
    pub omitted: &'static [(&'static str, &'static str)],
}

/// One key of an object.
#[derive(Clone, Copy)]
pub struct FieldShape {
    /// The key in JSON.
    pub key: &'static str,
    /// What is written for a missing value.
    pub absence: Absence,
    /// Whether the type, where `absence` leaves it to the type, leaves the key out.
    pub left_out: bool,
    /// What null means there.
    pub on_null: OnNull,
    /// What stands there.
    pub shape: fn() -> Shape,
}

/// What is written where a field has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// What the type says: the empty value of a scalar or a list, nothing for everything else.
    Default,
    /// `null`: the documents show the key always there and nullable.
    Null,
    /// Nothing: the documents show the key optional.
    Missing,
    /// The empty value: the documents show the key always there.
    Always,
}

/// What null means to a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnNull {
    /// It is none of its values: the field is noted and left as if it were missing.
    Unread,
    /// The same as a missing key.
    Missing,
    /// A state of its own.
    Kept,
}

/// An enumeration: its values by name, as they stand in JSON.
#[derive(Clone, Copy, Debug)]
pub struct EnumShape {
    /// The name of the Rust type.
    pub name: &'static str,
    /// Name and value; the value of an enumeration by number in decimal digits.
    pub values: &'static [(&'static str, &'static str)],
}

/// A bit set: its bits by name.
#[derive(Clone, Copy, Debug)]
pub struct FlagsShape {
    /// The name of the Rust type.
    pub name: &'static str,
    /// Name and position from 0.
    pub bits: &'static [(&'static str, u32)],
}

/// One of several objects.
#[derive(Clone, Copy, Debug)]
pub struct UnionShape {
    /// The name of the Rust type.
    pub name: &'static str,
    /// What is told apart, mostly by the number under `type`, and what is read then.
    pub variants: &'static [VariantShape],
}

/// One object of a union: what tells it, and what it is.
pub type VariantShape = (&'static str, fn() -> Shape);

impl FieldShape {
    /// The field `key` of type `T`, with what the type says of it.
    pub const fn of<'a, T: Decode<'a>>(key: &'static str, absence: Absence) -> Self {
        Self { key, absence, left_out: T::LEFT_OUT, on_null: T::ON_NULL, shape: T::shape }
    }

    /// Whether the key is always written.
    pub fn is_always_written(&self) -> bool {
        match self.absence {
            Absence::Default => !self.left_out,
            Absence::Null | Absence::Always => true,
            Absence::Missing => false,
        }
    }
}

impl ObjectShape {
    /// The field of a key.
    pub fn field(&self, key: &str) -> Option<&'static FieldShape> {
        self.fields.iter().find(|field| field.key == key)
    }
}

/// Without what stands there: an object may hold itself.
impl fmt::Debug for FieldShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldShape")
            .field("key", &self.key)
            .field("absence", &self.absence)
            .field("on_null", &self.on_null)
            .finish_non_exhaustive()
    }
}

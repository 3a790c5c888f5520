//! The macros that write the model: `model!`, `one_of!`, `flags!` and `wire_enum!`.
//!
//! A row per field, flag or value; the macro makes the type, its documents and its decoder. What
//! they write never panics, never allocates outside the arena and keeps what it does not know.

use crate::decode::{Absence, Cursor, Decode};
use serde::ser::{Serialize, SerializeStruct};

/// An object: rows `pub field: Type = "wire name" | absence`, the name in JSON only where it
/// differs, the absence only where the type does not say it.
///
/// `demands field` names the key without which the object is not read. The decoder walks the
/// object once; each key is matched by a short code (a switch, not a walk through all names)
/// and then compared. `Copy` is what proves to the arena that nothing needs dropping.
///
/// An absent value is written as the type says: nothing for an `Option`, an object or an id, the
/// empty value for a scalar or a list. `| null` writes null (documented as always there and
/// nullable), `| missing` nothing (documented as optional, though the type is plain).
///
/// `omits { "key": "reason" }` lists the documented keys that have no field.
macro_rules! model {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(<$lt:lifetime>)? $(demands $own:ident)? {
            $(
                $(#[$field_meta:meta])*
                pub $field:ident: $ty:ty $(= $wire:literal)? $(| $absence:ident)?
            ),* $(,)?
        }
        $(omits { $($omitted:literal: $reason:literal),* $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name $(<$lt>)? {
            $($(#[$field_meta])* pub $field: $ty),*
        }

        impl<'a> crate::decode::Decode<'a> for $name $(<$lt>)? {
            const ABSENT: Self = Self { $($field: <$ty as crate::decode::Decode<'a>>::ABSENT),* };

            fn decode(
                cursor: &mut crate::decode::Cursor<'a>,
            ) -> Result<Self, crate::decode::Expected> {
                let mut value = Self::ABSENT;
                Self::decode_into(cursor, &mut value)?;
                Ok(value)
            }

            fn decode_into(
                cursor: &mut crate::decode::Cursor<'a>,
                slot: &mut Self,
            ) -> Result<(), crate::decode::Expected> {
                #[allow(non_upper_case_globals, dead_code)]
                mod key {
                    $(pub(super) const $field: &str = model!(@wire $field $($wire)?);)*
                    pub(super) const DEMANDED: &str = concat!($(stringify!($own))?);
                    pub(super) mod code {
                        $(pub(in super::super) const $field: u32 =
                            crate::decode::key_code(super::$field.as_bytes());)*
                    }
                    pub(super) mod demanded {
                        $(pub(in super::super) const $field: bool =
                            crate::model::macros::same(stringify!($field), super::DEMANDED);)*
                    }
                }
                let mut named = key::DEMANDED.is_empty();
                for _ in 0..cursor.object()? {
                    let name = cursor.key();
                    match crate::decode::key_code(name.as_bytes()) {
                        $(key::code::$field if name == key::$field => {
                            let read = cursor.field(&mut slot.$field, stringify!($name), key::$field);
                            named |= key::demanded::$field & read;
                        })*
                        _ => cursor.skip(),
                    }
                }
                if named { Ok(()) } else { Err(crate::decode::Expected::OwnKey) }
            }

            fn is_absent(&self) -> bool {
                true $(&& <$ty as crate::decode::Decode<'a>>::is_absent(&self.$field))*
            }

            fn shape() -> crate::decode::Shape {
                crate::decode::Shape::Object(
                    const { &<Self as crate::decode::DecodeObject<'a>>::SHAPE },
                )
            }
        }

        impl<'a> crate::decode::DecodeObject<'a> for $name $(<$lt>)? {
            const ABSENT_REF: &'a Self = &<Self as crate::decode::Decode<'a>>::ABSENT;

            const SHAPE: crate::decode::ObjectShape = crate::decode::ObjectShape {
                name: stringify!($name),
                fields: &[$(crate::decode::FieldShape {
                    key: model!(@wire $field $($wire)?),
                    absence: model!(@absence $($absence)?),
                    shape: <$ty as crate::decode::Decode<'a>>::shape,
                }),*],
                omitted: &[$($(($omitted, $reason)),*)?],
            };
        }

        impl $(<$lt>)? serde::Serialize for $name $(<$lt>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use crate::model::macros::{is_written, write_field};
                use serde::ser::SerializeStruct;
                let len = 0 $(+ usize::from(
                    is_written(&self.$field, model!(@absence $($absence)?))
                ))*;
                #[allow(unused_mut)] // of objects without a key
                let mut object = serializer.serialize_struct(stringify!($name), len)?;
                $(write_field(
                    &mut object,
                    model!(@wire $field $($wire)?),
                    &self.$field,
                    model!(@absence $($absence)?),
                )?;)*
                object.end()
            }
        }
    };
    (@wire $field:ident) => { stringify!($field) };
    (@wire $field:ident $wire:literal) => { $wire };
    (@absence) => { crate::decode::Absence::Default };
    (@absence null) => { crate::decode::Absence::Null };
    (@absence missing) => { crate::decode::Absence::Missing };
}

/// One of several objects, told apart by the number under `type`: rows `Variant(Type) = number`.
/// What is of another sort, or has none, is kept as it came, in `Unknown`.
#[allow(unused_macros)]
macro_rules! one_of {
    (
        $(#[$meta:meta])*
        pub enum $name:ident<$lt:lifetime> {
            $($(#[$variant_meta:meta])* $variant:ident($ty:ty) = $number:literal),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub enum $name<$lt> {
            $($(#[$variant_meta])* $variant(&$lt $ty),)*
            /// Of a sort that this version of the library does not know, as it came.
            Unknown(crate::decode::Json<$lt>),
        }

        impl<$lt> crate::decode::Decode<$lt> for $name<$lt> {
            const ABSENT: Self = Self::Unknown(crate::decode::Json::NULL);

            fn decode(
                cursor: &mut crate::decode::Cursor<$lt>,
            ) -> Result<Self, crate::decode::Expected> {
                use crate::decode::Decode;
                match crate::model::macros::sort(cursor) {
                    $(Some($number) => <&$lt $ty>::decode(cursor).map(Self::$variant),)*
                    _ => crate::decode::Json::decode(cursor).map(Self::Unknown),
                }
            }

            fn is_absent(&self) -> bool {
                matches!(self, Self::Unknown(json) if json.is_null())
            }

            fn shape() -> crate::decode::Shape {
                use crate::decode::{Decode, Shape, UnionShape};
                Shape::Union(const { &UnionShape {
                    name: stringify!($name),
                    variants: &[$((stringify!($number), <&$lt $ty>::shape)),*],
                }})
            }
        }

        impl serde::Serialize for $name<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(value) => serde::Serialize::serialize(value, serializer),)*
                    Self::Unknown(value) => serde::Serialize::serialize(value, serializer),
                }
            }
        }
    };
}

/// A bit set: rows `NAME = bit position`. Unknown bits are kept and printed as `1 << n`.
///
/// Read from integers and, since permissions pass 53 bits, from decimal strings. Written as an
/// integer, or `as string`.
macro_rules! flags {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(as $repr:ident)? { $($flag:ident = $bit:literal),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $name(u64);

        impl $name {
            $(
                #[doc = concat!("`", stringify!($flag), "`: bit ", $bit, ".")]
                pub const $flag: Self = Self(1 << $bit);
            )*

            /// The set of these bits, known or not.
            pub const fn from_bits(bits: u64) -> Self {
                Self(bits)
            }

            /// All bits, known or not.
            pub const fn bits(self) -> u64 {
                self.0
            }

            /// Whether no bit is set.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether every bit of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The bits of both.
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                const NAMES: &[(&str, u64)] = &[$((stringify!($flag), 1 << $bit)),*];
                crate::model::macros::write_flags(f, stringify!($name), NAMES, self.0)
            }
        }

        impl<'a> crate::decode::Decode<'a> for $name {
            const ABSENT: Self = Self(0);
            #[inline]
            fn decode(
                cursor: &mut crate::decode::Cursor<'a>,
            ) -> Result<Self, crate::decode::Expected> {
                crate::model::id::decimal(cursor).map(Self).ok_or(crate::decode::Expected::Integer)
            }
            fn is_absent(&self) -> bool {
                self.0 == 0
            }
            const LEFT_OUT: bool = false;
            fn shape() -> crate::decode::Shape {
                crate::decode::Shape::Flags(const { &crate::decode::FlagsShape {
                    name: stringify!($name),
                    bits: &[$((stringify!($flag), $bit)),*],
                }})
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                flags!(@write serializer, self.0 $(, $repr)?)
            }
        }
    };
    (@write $serializer:ident, $bits:expr) => { $serializer.serialize_u64($bits) };
    (@write $serializer:ident, $bits:expr, string) => { $serializer.collect_str(&$bits) };
}

/// An enumeration as Discord sends it, by number or by word: rows `NAME = value`. A value that
/// is not named is kept, compares and prints like any other.
macro_rules! wire_enum {
    (
        $(#[$meta:meta])*
        pub struct $name:ident($int:ident) { $($value:ident = $number:literal),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($int);

        impl $name {
            $(
                #[doc = concat!("`", stringify!($value), "`: ", $number, ".")]
                pub const $value: Self = Self($number);
            )*

            /// The value `number`, named or not.
            pub const fn new(number: $int) -> Self {
                Self(number)
            }

            /// The number on the wire; 0 if the key was missing.
            pub const fn get(self) -> $int {
                self.0
            }

            /// Discord's name of it, if it has one here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($value)),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($name), "({})"), self.0),
                }
            }
        }

        impl<'a> crate::decode::Decode<'a> for $name {
            const ABSENT: Self = Self(0);
            #[inline]
            fn decode(
                cursor: &mut crate::decode::Cursor<'a>,
            ) -> Result<Self, crate::decode::Expected> {
                <$int>::decode(cursor).map(Self)
            }
            fn is_absent(&self) -> bool {
                self.0 == 0
            }
            const LEFT_OUT: bool = false;
            fn shape() -> crate::decode::Shape {
                crate::decode::Shape::Enum(const { &crate::decode::EnumShape {
                    name: stringify!($name),
                    values: &[$((stringify!($value), stringify!($number))),*],
                }})
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&self.0, serializer)
            }
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident<$lt:lifetime> { $($value:ident = $word:literal),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name<$lt>(&$lt str);

        impl<$lt> $name<$lt> {
            $(
                #[doc = concat!("`", $word, "`.")]
                pub const $value: Self = Self($word);
            )*

            /// The value `word`, named or not.
            pub const fn new(word: &$lt str) -> Self {
                Self(word)
            }

            /// The word on the wire; empty if the key was missing.
            pub const fn as_str(self) -> &$lt str {
                self.0
            }
        }

        impl std::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self.0, f)
            }
        }

        impl<$lt> crate::decode::Decode<$lt> for $name<$lt> {
            const ABSENT: Self = Self("");
            #[inline]
            fn decode(
                cursor: &mut crate::decode::Cursor<$lt>,
            ) -> Result<Self, crate::decode::Expected> {
                <&$lt str>::decode(cursor).map(Self)
            }
            fn is_absent(&self) -> bool {
                self.0.is_empty()
            }
            fn shape() -> crate::decode::Shape {
                crate::decode::Shape::Enum(const { &crate::decode::EnumShape {
                    name: stringify!($name),
                    values: &[$((stringify!($value), $word)),*],
                }})
            }
        }

        impl serde::Serialize for $name<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0)
            }
        }
    };
}

/// Whether a field is written, or left out for want of a value.
pub(super) fn is_written<'a, T: Decode<'a>>(value: &T, absence: Absence) -> bool {
    match absence {
        Absence::Null => true,
        Absence::Missing => !value.is_absent(),
        Absence::Default => !T::LEFT_OUT || !value.is_absent(),
    }
}

/// Writes a field, or leaves it out.
pub(super) fn write_field<'a, T: Decode<'a> + Serialize, S: SerializeStruct>(
    object: &mut S,
    key: &'static str,
    value: &T,
    absence: Absence,
) -> Result<(), S::Error> {
    if absence == Absence::Null && value.is_absent() {
        object.serialize_field(key, &())
    } else if is_written(value, absence) {
        object.serialize_field(key, value)
    } else {
        object.skip_field(key)
    }
}

/// The number under `type` of the object under the cursor.
#[allow(dead_code)]
pub(super) fn sort(cursor: &Cursor<'_>) -> Option<u64> {
    cursor.json().get("type")?.as_u64()
}

/// Whether two names are the same, at compile time.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut same = a.len() == b.len();
    let mut at = 0;
    while same && at < a.len() {
        same = a[at] == b[at];
        at += 1;
    }
    same
}

/// Prints the names of the bits set in `bits`, and the rest by position.
pub(super) fn write_flags(
    f: &mut std::fmt::Formatter<'_>,
    object: &str,
    names: &[(&str, u64)],
    bits: u64,
) -> std::fmt::Result {
    write!(f, "{object}(")?;
    let mut first = true;
    for at in 0..u64::BITS {
        let bit = 1u64 << at;
        if bits & bit == 0 {
            continue;
        }
        if !first {
            f.write_str(" | ")?;
        }
        first = false;
        match names.iter().find(|(_, named)| *named == bit) {
            Some((name, _)) => f.write_str(name)?,
            None => write!(f, "1 << {at}")?,
        }
    }
    f.write_str(")")
}

#[cfg(test)]
#[allow(unreachable_pub)] // the macros write `pub` items
mod tests {
    use super::same;

    flags! {
        /// For the test.
        pub struct Colours { RED = 0, BLUE = 40 }
    }

    wire_enum! {
        /// For the test.
        pub struct Size(u16) { SMALL = 1 }
    }

    #[test]
    fn unknown_bits_and_values_are_kept_and_printed() {
        let colours = Colours::BLUE | Colours::from_bits(1 << 63);
        assert_eq!(format!("{colours:?}"), "Colours(BLUE | 1 << 63)");
        assert!(colours.bits() == 1 << 40 | 1 << 63 && !colours.is_empty());
        assert!(colours.contains(Colours::BLUE) && !colours.contains(Colours::RED));
        assert_eq!(format!("{:?} {:?}", Size::SMALL, Size::new(9)), "SMALL Size(9)");
        assert_eq!((Size::new(9).get(), Size::new(9).name()), (9, None));
    }

    #[test]
    fn names_are_compared_whole() {
        assert!(same("id", "id") && !same("id", "i") && !same("id", "ix") && !same("", "id"));
    }
}

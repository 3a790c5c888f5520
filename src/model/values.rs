//! The macros that write the flags and the enumerations of the model: `flags!` and `wire_enum!`.
//!
//! A row per flag or value. What they write never panics, takes no memory besides its number or
//! its word, and keeps what it does not know.

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
                crate::model::values::write_flags(f, stringify!($name), NAMES, self.0)
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
                // Some senders write numbers in strings.
                crate::model::id::decimal(cursor)
                    .and_then(|number| <$int>::try_from(number).ok())
                    .map(Self)
                    .ok_or(crate::decode::Expected::Integer)
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
    flags! {
        /// For the test.
        pub struct Colours { RED = 0, BLUE = 40 }
    }

    wire_enum! {
        /// For the test.
        pub struct Size(u32) { SMALL = 1 }
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
}

//! The macros that write the objects of the model: `model!` and `one_of!`.
//!
//! A row per field or variant; the macro makes the type, its documents, its decoder, its shape
//! and what writes it out. What they write never panics, never allocates outside the arena and
//! keeps what it does not know.

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
/// nullable), `| missing` nothing (documented as optional, though the type is plain), `| always`
/// the empty object (documented as always there, though all its keys may be missing).
///
/// Of a key that stands there twice the last one holds, and nothing of the first.
///
/// `then method` calls `fn method(&mut self, &Cursor)` when all keys are read, for a field that
/// only another one tells how to read.
///
/// `omits { "key": "reason" }` lists the documented keys that have no field.
macro_rules! model {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(<$lt:lifetime>)? $(demands $own:ident)? $(then $then:ident)? {
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

            const IS_FILLED: bool = true;

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
                    pub(super) const PLACES: crate::decode::KeyPlaces =
                        crate::decode::KeyPlaces::of(&[$($field),*]);
                    pub(super) mod place {
                        $(pub(in super::super) const $field: u32 =
                            super::PLACES.place(super::$field.as_bytes());)*
                    }
                    pub(super) mod demanded {
                        $(pub(in super::super) const $field: bool =
                            crate::model::macros::same(stringify!($field), super::DEMANDED);)*
                    }
                }
                let mut named = key::DEMANDED.is_empty();
                for _ in 0..cursor.object()? {
                    let name = cursor.key();
                    match key::PLACES.place(name.as_bytes()) {
                        $(key::place::$field if name == key::$field => {
                            if <$ty as crate::decode::Decode<'a>>::IS_FILLED {
                                slot.$field = <$ty as crate::decode::Decode<'a>>::ABSENT;
                            }
                            let read = cursor.field(&mut slot.$field, stringify!($name), key::$field);
                            if key::demanded::$field {
                                named = read;
                            }
                        })*
                        _ => cursor.skip(),
                    }
                }
                $(slot.$then(cursor);)?
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
                fields: &[$(crate::decode::FieldShape::of::<$ty>(
                    model!(@wire $field $($wire)?),
                    model!(@absence $($absence)?),
                )),*],
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
    (@absence always) => { crate::decode::Absence::Always };
}

/// One of several objects, told apart by the number under `type`: rows `Variant(Type) = number`.
/// What is of another sort, or has none, is kept as it came, in `Unknown`.
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
                match crate::model::macros::sort(cursor) {
                    $(Some($number) => <&$lt $ty>::decode(cursor).map(Self::$variant),)*
                    _ => crate::decode::Json::decode(cursor).map(Self::Unknown),
                }
            }

            fn is_absent(&self) -> bool {
                matches!(self, Self::Unknown(json) if json.is_null())
            }

            fn shape() -> crate::decode::Shape {
                use crate::decode::{Shape, UnionShape};
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

/// Whether a field is written, or left out for want of a value.
pub(super) fn is_written<'a, T: Decode<'a>>(value: &T, absence: Absence) -> bool {
    match absence {
        Absence::Null | Absence::Always => true,
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

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn names_are_compared_whole() {
        assert!(same("id", "id") && !same("id", "i") && !same("id", "ix") && !same("", "id"));
    }
}

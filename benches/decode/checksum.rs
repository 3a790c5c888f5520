//! Reads every field of a value and sums it up: the same reader for every contender, by serde.
//!
//! What it proves: that a contender has the fields at hand, and which contender holds how much. A
//! contender that decodes lazily would pay here.

use serde::ser::{self, Serialize};
use std::fmt::{self, Display, Write};

/// The sum over every field of `value`.
pub(crate) fn of(value: &impl Serialize) -> u64 {
    let mut sum = Checksum(0);
    // Nothing here fails.
    let _ = value.serialize(&mut sum);
    sum.0
}

struct Checksum(u64);

#[derive(Debug)]
pub(crate) struct Never;

impl Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a checksum fails never")
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl Checksum {
    fn add(&mut self, value: u64) -> Result<(), Never> {
        self.0 = self.0.rotate_left(1).wrapping_add(value);
        Ok(())
    }

    fn add_bytes(&mut self, bytes: &[u8]) -> Result<(), Never> {
        let (first, last) = (bytes.first().copied(), bytes.last().copied());
        self.add(bytes.len() as u64)?;
        self.add(u64::from(first.unwrap_or(0)) << 8 | u64::from(last.unwrap_or(0)))
    }
}

impl Write for Checksum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add_bytes(text.as_bytes()).map_err(|Never| fmt::Error)
    }
}

macro_rules! numbers {
    ($($method:ident($int:ty)),*) => {$(
        fn $method(self, value: $int) -> Result<(), Never> {
            self.add(value as u64)
        }
    )*};
}

macro_rules! compounds {
    ($($method:ident($($argument:ty),*);)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<Self, Never> {
            Ok(self)
        }
    )*};
}

impl ser::Serializer for &mut Checksum {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_bool(bool), serialize_char(char)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Never> {
        self.add(u64::from(value.to_bits()))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Never> {
        self.add(value.to_bits())
    }

    fn serialize_str(self, text: &str) -> Result<(), Never> {
        self.add_bytes(text.as_bytes())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Never> {
        self.add_bytes(bytes)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Never> {
        // Fails only where `Display` does.
        let _ = write!(self, "{value}");
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Never> {
        self.add(1)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        self.add(2)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Never> {
        self.add(3)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        at: u32,
        _: &'static str,
    ) -> Result<(), Never> {
        self.add(u64::from(at))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }

    compounds! {
        serialize_seq(Option<usize>);
        serialize_tuple(usize);
        serialize_tuple_struct(&'static str, usize);
        serialize_tuple_variant(&'static str, u32, &'static str, usize);
        serialize_map(Option<usize>);
        serialize_struct(&'static str, usize);
        serialize_struct_variant(&'static str, u32, &'static str, usize);
    }
}

macro_rules! elements {
    ($($of:ident::$method:ident),*) => {$(
        impl ser::$of for &mut Checksum {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element, SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field, SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($of:ident),*) => {$(
        impl ser::$of for &mut Checksum {
            type Ok = ();
            type Error = Never;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), Never> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for &mut Checksum {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

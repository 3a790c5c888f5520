//! [`Json`] read by serde: any type that is `Deserialize`, from the tape, any number of times.
//!
//! Strings are borrowed, values that nobody wants are stepped over in O(1), and the tape is left as
//! it was. The recursion is that of the type, once per level of nesting, of which a tape has at
//! most [`DEPTH_MAX`](super::DEPTH_MAX). Called by [`Json::deserialize`] and `Event::deserialize`.

use super::deserialize_error::DeserializeError;
use super::json::{Elements, Entries, Json};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use simd_json::{Node, StaticNode};

impl<'a> Json<'a> {
    /// Reads this value as any type that serde can read: the user's own, or another library's.
    ///
    /// The same JSON gives the same value as `serde_json` would, integers beyond 64 bits aside,
    /// which no tape holds. `&'a str` and `Cow` with `#[serde(borrow)]` borrow the payload.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use shardring::decode::{PADDING, Scratch};
    ///
    /// #[derive(Deserialize)]
    /// struct Greeting<'a> {
    ///     content: &'a str,
    ///     pinned: Option<bool>,
    /// }
    ///
    /// let text = br#"{"op":0,"t":"X","s":1,"d":{"content":"hi","flags":0}}"#;
    /// let mut payload = text.to_vec();
    /// payload.resize(text.len() + PADDING, 0);
    /// Scratch::new().read(&mut payload, text.len(), |root| {
    ///     let greeting: Greeting<'_> = root.json().deserialize().unwrap();
    ///     assert_eq!((greeting.content, greeting.pinned), ("hi", None));
    /// })?;
    /// # Ok::<(), shardring::decode::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`DeserializeError::Mismatch`] when `T` wants something else than stands here.
    pub fn deserialize<T: Deserialize<'a>>(self) -> Result<T, DeserializeError> {
        T::deserialize(self)
    }

    fn unexpected(self) -> Unexpected<'a> {
        match self.node() {
            Node::Static(StaticNode::Null) => Unexpected::Unit,
            Node::Static(StaticNode::Bool(value)) => Unexpected::Bool(value),
            Node::Static(StaticNode::U64(value)) => Unexpected::Unsigned(value),
            Node::Static(StaticNode::I64(value)) => Unexpected::Signed(value),
            Node::Static(StaticNode::F64(value)) => Unexpected::Float(value),
            Node::String(text) => Unexpected::Str(text),
            Node::Array { .. } => Unexpected::Seq,
            Node::Object { .. } => Unexpected::Map,
        }
    }

    fn visit_array<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        let len = self.len();
        let mut list = List { rest: self.iter(), left: len };
        let value = visitor.visit_seq(&mut list)?;
        match list.left {
            0 => Ok(value),
            _ => Err(DeserializeError::invalid_length(len, &"fewer elements in array")),
        }
    }

    fn visit_object<V: Visitor<'a>>(
        self,
        visitor: V,
        object: &'static str,
        fields: &'static [&'static str],
    ) -> Result<V::Value, DeserializeError> {
        let len = self.len();
        let entries = self.entries();
        let mut map = Object { entries, left: len, key: "", value: Json::NULL, object, fields };
        let value = visitor.visit_map(&mut map)?;
        match map.left {
            0 => Ok(value),
            _ => Err(DeserializeError::invalid_length(len, &"fewer elements in map")),
        }
    }
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match self.node() {
            Node::Static(StaticNode::Null) => visitor.visit_unit(),
            Node::Static(StaticNode::Bool(value)) => visitor.visit_bool(value),
            Node::Static(StaticNode::U64(value)) => visitor.visit_u64(value),
            Node::Static(StaticNode::I64(value)) => visitor.visit_i64(value),
            Node::Static(StaticNode::F64(value)) => visitor.visit_f64(value),
            Node::String(text) => visitor.visit_borrowed_str(text),
            Node::Array { .. } => self.visit_array(visitor),
            Node::Object { .. } => self.visit_object(visitor, "", &[]),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        match self.node() {
            Node::Object { .. } => self.visit_object(visitor, name, fields),
            _ => self.deserialize_any(visitor),
        }
    }

    /// Externally tagged, the only form that a type asks for by this name: `"Variant"` or
    /// `{"Variant": …}`. The others are read through `deserialize_any`.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        let (name, content) = match self.node() {
            Node::String(name) => (name, None),
            Node::Object { len: 1, .. } => match self.entries().next() {
                Some((name, value)) => (name, Some(value)),
                None => ("", None), // not on a tape: its length is 1
            },
            Node::Object { .. } => {
                let want = &"a map with a single key";
                return Err(DeserializeError::invalid_value(Unexpected::Map, want));
            }
            _ => return Err(DeserializeError::invalid_type(self.unexpected(), &"string or map")),
        };
        visitor.visit_enum(Variant { name, content })
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        match self.node() {
            Node::String(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        self.deserialize_bytes(visitor)
    }

    /// By name alone: an enum's tag that is a number is not taken for the place of a variant.
    fn deserialize_identifier<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        match self.node() {
            Node::String(name) => visitor.visit_borrowed_str(name),
            _ => Err(DeserializeError::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct seq
        tuple tuple_struct map
    }
}

impl<'de> IntoDeserializer<'de, DeserializeError> for Json<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// The elements of an array that were not taken yet.
struct List<'de> {
    rest: Elements<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = DeserializeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeserializeError> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        self.left = self.left.saturating_sub(1);
        seed.deserialize(value).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The keys and values of an object that were not taken yet.
struct Object<'de> {
    entries: Entries<'de>,
    left: usize,
    /// The key that was taken last, and its value.
    key: &'de str,
    value: Json<'de>,
    /// The type that is read and its keys, to say where an error is; empty for a map.
    object: &'static str,
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Object<'de> {
    type Error = DeserializeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeserializeError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.left = self.left.saturating_sub(1);
        (self.key, self.value) = (key, value);
        seed.deserialize(Key(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DeserializeError> {
        seed.deserialize(self.value).map_err(|error| self.locate(error))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl Object<'_> {
    /// Names the place of an error by the type's own words, never by the payload's.
    #[cold]
    fn locate(&self, error: DeserializeError) -> DeserializeError {
        match self.fields.iter().find(|&&field| field == self.key) {
            Some(field) => error.at(self.object, field),
            None => error,
        }
    }
}

/// A key of an object: a string, or what `T` wants to see written in it.
struct Key<'de>(&'de str);

macro_rules! written_in_a_key {
    ($($method:ident $visit:ident $ty:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
            match self.0.parse::<$ty>() {
                // "+1" and "01" are keys, but no numbers of JSON.
                Ok(value) if is_plain(self.0) => visitor.$visit(value),
                _ => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

/// What JSON would call a number, or a word.
fn is_plain(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0', b'0'..=b'9', ..] => false,
        [b'0'..=b'9', .., last] => last.is_ascii_digit(),
        [b'0'..=b'9'] => true,
        _ => text == "true" || text == "false",
    }
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = DeserializeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_borrowed_str(self.0)
    }

    written_in_a_key! {
        deserialize_bool visit_bool bool;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_enum(Variant { name: self.0, content: None })
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeError> {
        visitor.visit_borrowed_bytes(self.0.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        visitor.visit_borrowed_bytes(self.0.as_bytes())
    }

    forward_to_deserialize_any! {
        char str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The name of an enum's variant and what stands behind it.
struct Variant<'de> {
    name: &'de str,
    content: Option<Json<'de>>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = DeserializeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), DeserializeError> {
        let variant = seed.deserialize(BorrowedStrDeserializer::new(self.name))?;
        Ok((variant, self))
    }
}

impl<'de> Variant<'de> {
    fn content(self, want: &'static str) -> Result<Json<'de>, DeserializeError> {
        self.content.ok_or_else(|| DeserializeError::invalid_type(Unexpected::UnitVariant, &want))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = DeserializeError;

    fn unit_variant(self) -> Result<(), DeserializeError> {
        self.content.map_or(Ok(()), Json::deserialize)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DeserializeError> {
        seed.deserialize(self.content("newtype variant")?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        let json = self.content("tuple variant")?;
        match json.node() {
            Node::Array { .. } => json.visit_array(visitor),
            _ => Err(DeserializeError::invalid_type(json.unexpected(), &"tuple variant")),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeError> {
        let json = self.content("struct variant")?;
        match json.node() {
            Node::Object { .. } => json.visit_object(visitor, "", fields),
            Node::Array { .. } => json.visit_array(visitor),
            _ => Err(DeserializeError::invalid_type(json.unexpected(), &"struct variant")),
        }
    }
}

//! Walking the tape: the cursor, the trait of what can be read at one, and the plain values.
//!
//! A cursor never allocates outside the arena, never copies a string and never fails on a single
//! field: a field that cannot be read is noted, left as if it were missing, and stepped over.
//! Invariant: after an object or a list was read or given up, the cursor stands right behind it.
//! Used by the types of [`model`](crate::model), whose macro writes the calls.

use super::error::{DecodeError, Expected, Note};
use super::json::Json;
use super::shape::{ObjectShape, OnNull, Shape};
use super::{Arena, NULL};
use simd_json::{Node, StaticNode};

/// A place on the tape of one payload, in front of a value.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    nodes: &'a [Node<'a>],
    at: usize,
    depth: u32,
    arena: &'a Arena,
}

/// A number as ids come.
pub(crate) enum Decimal<'a> {
    /// A string, which may be digits.
    Digits(&'a [u8]),
    /// An unsigned integer.
    Value(u64),
    /// Anything else.
    Neither,
}

/// What can be read at a cursor.
///
/// Meant for the types of [`model`](crate::model); implementing it elsewhere is possible for
/// types made of those. `Copy`, so that nothing that lies in the arena needs dropping.
pub trait Decode<'a>: Copy + 'a {
    /// What stands in a field whose key is missing or whose value could not be read.
    const ABSENT: Self;

    /// Reads the value under the cursor and steps behind it.
    ///
    /// # Errors
    /// Something else stands there. The cursor's place is then unspecified.
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected>;

    /// As [`decode`](Self::decode), in place: `slot` holds [`ABSENT`](Self::ABSENT) and is
    /// unspecified after an error.
    ///
    /// # Errors
    /// Something else stands there. The cursor's place is then unspecified.
    #[inline]
    fn decode_into(cursor: &mut Cursor<'a>, slot: &mut Self) -> Result<(), Expected> {
        *slot = Self::decode(cursor)?;
        Ok(())
    }

    /// Whether this is [`ABSENT`](Self::ABSENT): then a key that may be missing is not written.
    fn is_absent(&self) -> bool;

    /// Whether an absent value is left out where nothing else is said of the field; if not, it
    /// is written as it is (`0`, `""`, `[]`).
    const LEFT_OUT: bool = true;

    /// Whether [`decode_into`](Self::decode_into) leaves alone what the text does not name: a field
    /// of such a type is emptied first, as its key may stand in the text for the second time.
    const IS_FILLED: bool = false;

    /// What null means to it.
    const ON_NULL: OnNull = OnNull::Unread;

    /// What it reads, as data.
    fn shape() -> Shape;
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(nodes: &'a [Node<'a>], arena: &'a Arena) -> Self {
        Self { nodes, at: 0, depth: 0, arena }
    }

    /// The value under the cursor as it is; null at the end.
    pub fn json(&self) -> Json<'a> {
        let rest = self.nodes.get(self.at..).unwrap_or(&[]);
        if rest.is_empty() { Json::NULL } else { Json::new(rest, Some(self.arena)) }
    }

    /// Reads the value under the cursor; the cursor is used up.
    ///
    /// # Errors
    /// [`DecodeError::Field`] naming `object`, when something else stands there.
    pub fn read<T: Decode<'a>>(mut self, object: &'static str) -> Result<T, DecodeError> {
        T::decode(&mut self).map_err(|expected| DecodeError::Field { object, field: "", expected })
    }

    /// Steps over the value under the cursor, however much lies in it.
    #[inline]
    pub fn skip(&mut self) {
        self.at += match self.nodes.get(self.at) {
            Some(Node::Object { count, .. } | Node::Array { count, .. }) => count + 1,
            _ => 1,
        };
    }

    /// Steps into an object: its number of keys. Then [`key`](Self::key) and a value so often.
    ///
    /// # Errors
    /// No object stands there.
    #[inline]
    pub fn object(&mut self) -> Result<usize, Expected> {
        match self.next() {
            Node::Object { len, .. } => Ok(*len),
            _ => Err(Expected::Object),
        }
    }

    /// Steps into an array: its number of elements.
    ///
    /// # Errors
    /// No array stands there.
    #[inline]
    pub fn array(&mut self) -> Result<usize, Expected> {
        match self.next() {
            Node::Array { len, .. } => Ok(*len),
            _ => Err(Expected::Array),
        }
    }

    /// The next key of an object.
    #[inline]
    pub fn key(&mut self) -> &'a str {
        match self.next() {
            Node::String(key) => key,
            _ => "", // not on a tape: keys are strings
        }
    }

    /// Reads a field's value into `slot`. What cannot be read is noted and leaves `slot` absent;
    /// either way the cursor stands behind the value.
    #[inline]
    pub fn field<T: Decode<'a>>(
        &mut self,
        slot: &mut T,
        object: &'static str,
        field: &'static str,
    ) -> bool {
        let before = (self.at, self.depth);
        match T::decode_into(self, slot) {
            Ok(()) => true,
            Err(expected) => {
                *slot = T::ABSENT;
                self.give_up(before, Note { object, field, expected });
                false
            }
        }
    }

    /// Steps over a value that writes a number, in a string or bare: its digits or its value.
    #[inline]
    pub(crate) fn decimal(&mut self) -> Decimal<'a> {
        match self.next() {
            Node::String(text) => Decimal::Digits(text.as_bytes()),
            Node::Static(StaticNode::U64(value)) => Decimal::Value(*value),
            _ => Decimal::Neither,
        }
    }

    /// Notes a field that could not be read, for the counters.
    pub fn note(&self, note: Note) {
        self.arena.notes.add(note);
    }

    #[cold]
    #[inline(never)]
    fn give_up(&mut self, (at, depth): (usize, u32), note: Note) {
        (self.at, self.depth) = (at, depth);
        self.note(note);
        self.skip();
    }

    #[inline]
    fn next(&mut self) -> &'a Node<'a> {
        let node = self.nodes.get(self.at).unwrap_or(&NULL[0]);
        self.at += 1;
        node
    }

    #[inline]
    fn take_null(&mut self) -> bool {
        let null = matches!(self.nodes.get(self.at), Some(Node::Static(StaticNode::Null)));
        self.at += usize::from(null);
        null
    }

    /// A slice of the arena, one level deeper; [`leave`](Self::leave) is owed.
    #[inline]
    pub(super) fn nested_slice<T: Copy>(
        &mut self,
        len: usize,
        fill: T,
    ) -> Result<&'a mut [T], Expected> {
        self.enter()?;
        self.arena.alloc_slice(len, fill)
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    #[inline]
    fn enter(&mut self) -> Result<(), Expected> {
        self.depth += 1;
        if self.depth > TYPED_DEPTH_MAX { Err(Expected::LessDepth) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Cursor").field(&self.json()).finish()
    }
}

impl<'a> Decode<'a> for &'a str {
    const ABSENT: Self = "";
    #[inline]
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        match cursor.next() {
            Node::String(text) => Ok(text),
            _ => Err(Expected::String),
        }
    }
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
    const LEFT_OUT: bool = false;
    fn shape() -> Shape {
        Shape::String
    }
}

impl<'a> Decode<'a> for bool {
    const ABSENT: Self = false;
    #[inline]
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        match cursor.next() {
            Node::Static(StaticNode::Bool(value)) => Ok(*value),
            _ => Err(Expected::Bool),
        }
    }
    fn is_absent(&self) -> bool {
        !self
    }
    const LEFT_OUT: bool = false;
    fn shape() -> Shape {
        Shape::Bool
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl<'a> Decode<'a> for $int {
            const ABSENT: Self = 0;
            #[inline]
            fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
                match cursor.next() {
                    Node::Static(StaticNode::U64(value)) => Self::try_from(*value).ok(),
                    Node::Static(StaticNode::I64(value)) => Self::try_from(*value).ok(),
                    _ => None,
                }
                .ok_or(Expected::Integer)
            }
            fn is_absent(&self) -> bool {
                *self == 0
            }
            const LEFT_OUT: bool = false;
            fn shape() -> Shape {
                Shape::Integer
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, i64);

impl<'a> Decode<'a> for f64 {
    const ABSENT: Self = 0.0;
    #[inline]
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        match cursor.next() {
            Node::Static(StaticNode::F64(value)) => Ok(*value),
            Node::Static(StaticNode::U64(value)) => Ok(*value as f64),
            Node::Static(StaticNode::I64(value)) => Ok(*value as f64),
            _ => Err(Expected::Number),
        }
    }
    fn is_absent(&self) -> bool {
        *self == 0.0
    }
    const LEFT_OUT: bool = false;
    fn shape() -> Shape {
        Shape::Number
    }
}

impl<'a> Decode<'a> for Json<'a> {
    const ABSENT: Self = Json::NULL;
    #[inline]
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        let json = cursor.json();
        cursor.at += json.nodes().len();
        Ok(json)
    }
    fn is_absent(&self) -> bool {
        self.is_null()
    }
    const ON_NULL: OnNull = OnNull::Missing;
    fn shape() -> Shape {
        Shape::Json
    }
}

/// `None` for a missing key and for null.
impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
    const ABSENT: Self = None;
    #[inline]
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        if cursor.take_null() { Ok(None) } else { T::decode(cursor).map(Some) }
    }
    #[inline]
    fn decode_into(cursor: &mut Cursor<'a>, slot: &mut Self) -> Result<(), Expected> {
        if cursor.take_null() {
            *slot = None;
            return Ok(());
        }
        // In place: a nested struct is not built elsewhere and copied here.
        T::decode_into(cursor, slot.insert(T::ABSENT))
    }
    fn is_absent(&self) -> bool {
        self.is_none()
    }
    const ON_NULL: OnNull = OnNull::Missing;
    fn shape() -> Shape {
        T::shape()
    }
}

/// A pair such as a shard's `[id, count]`; further elements are an error.
impl<'a, T: Decode<'a>, const N: usize> Decode<'a> for [T; N] {
    const ABSENT: Self = [T::ABSENT; N];
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        if cursor.array()? != N {
            return Err(Expected::Array);
        }
        let mut values = Self::ABSENT;
        for value in &mut values {
            *value = T::decode(cursor)?;
        }
        Ok(values)
    }
    fn is_absent(&self) -> bool {
        self.iter().all(T::is_absent)
    }
    fn shape() -> Shape {
        Shape::Array(T::shape, N)
    }
}

/// A nested object, in the arena.
impl<'a, T: DecodeObject<'a>> Decode<'a> for &'a T {
    const ABSENT: Self = T::ABSENT_REF;
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        cursor.enter()?;
        let slot = cursor.arena.alloc(|| T::ABSENT)?;
        T::decode_into(cursor, slot)?;
        cursor.leave();
        Ok(slot)
    }
    fn is_absent(&self) -> bool {
        T::is_absent(self)
    }
    fn shape() -> Shape {
        T::shape()
    }
}

/// A type that the `model!` macro wrote: lives in the arena behind a reference.
pub trait DecodeObject<'a>: Decode<'a> {
    /// The object of which every field is absent.
    const ABSENT_REF: &'a Self;

    /// Its keys.
    const SHAPE: ObjectShape;
}

/// A list, in the arena. Elements that cannot be read are noted and left out.
impl<'a, T: Decode<'a>> Decode<'a> for &'a [T] {
    const ABSENT: Self = &[];
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        let len = cursor.array()?;
        if len == 0 {
            return Ok(&[]);
        }
        let list = cursor.nested_slice(len, T::ABSENT)?;
        let mut filled = 0;
        for _ in 0..len {
            filled += usize::from(cursor.field(&mut list[filled], "list", "element"));
        }
        cursor.leave();
        Ok(&list[..filled])
    }
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
    const LEFT_OUT: bool = false;
    fn shape() -> Shape {
        Shape::List(T::shape)
    }
}

/// So many typed objects and lists may lie inside one another; what lies deeper is left out and
/// noted. Only a reply to a reply to a reply could reach it, and Discord sends one level.
pub const TYPED_DEPTH_MAX: u32 = 16;

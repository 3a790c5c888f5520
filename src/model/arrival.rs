//! The forms in which an event arrives: [`Typed`], [`Untyped`], [`Raw`], [`Undecoded`].
//!
//! All borrow the payload and are `Copy`; none holds heap memory. What they never do: print text
//! that may hold tokens. Made by [`Event`](super::Event), matched on by the user.

use super::EventKind;
use crate::decode::{DecodeError, Envelope, Json};
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::Deref;

/// The typed form of an event beside its JSON.
///
/// It is a reference to `T` (fields are read through it: `message.content`), is printed and written
/// out as `T` is, and knows the JSON that it was read from, with the keys that `T` does not know.
#[derive(Clone, Copy)]
pub struct Typed<'a, T> {
    value: &'a T,
    json: Json<'a>,
}

impl<'a, T> Typed<'a, T> {
    pub(super) fn new(value: &'a T, json: Json<'a>) -> Self {
        Self { value, json }
    }

    /// The typed form, for as long as the event lives. (A reference by `Deref` ends with `self`.)
    pub fn get(self) -> &'a T {
        self.value
    }

    /// The event's `d` as it came.
    pub fn json(self) -> Json<'a> {
        self.json
    }
}

impl<T> Deref for Typed<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Typed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// As `T`: what the model knows of the event. Its [`json`](Typed::json) is all that came.
impl<T: Serialize> Serialize for Typed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// An event as its name and its JSON.
#[derive(Clone, Copy, Debug)]
pub struct Untyped<'a> {
    /// Its kind.
    pub kind: EventKind,
    /// Its name as it came.
    pub name: &'a str,
    /// Its `d`; null if it is missing.
    pub data: Json<'a>,
}

/// An event as the text of its payload.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    /// Its kind.
    pub kind: EventKind,
    /// Its name as it came.
    pub name: &'a str,
    /// The whole payload `{op, d, s, t}`, byte for byte as the server wrote it.
    pub text: &'a str,
}

impl<'a> Raw<'a> {
    /// The text of `d`; `None` if it is missing or the payload is broken before its end. Steps
    /// through the text at each call.
    pub fn data(&self) -> Option<&'a str> {
        let range = Envelope::data_range(self.text.as_bytes()).ok()??;
        self.text.get(range)
    }
}

/// Without the text, which may hold tokens.
impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("len", &self.text.len())
            .finish()
    }
}

/// An event whose text is no JSON.
#[derive(Clone, Copy, Debug)]
pub struct Undecoded<'a> {
    /// Its kind.
    pub kind: EventKind,
    /// Its name as it came.
    pub name: &'a str,
    /// What is wrong with the text.
    pub error: DecodeError,
}

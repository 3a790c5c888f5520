//! [`Map`]: an object whose keys are data, such as the users of a resolved interaction by id.

use super::cursor::{Cursor, Decode};
use super::error::{Expected, Note};
use super::shape::Shape;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// What can be read from a key of an object.
pub trait MapKey<'a>: Copy + 'a {
    /// What stands in a place that was not filled.
    const ABSENT: Self;

    /// The key that `text` writes.
    ///
    /// # Errors
    /// Something else is written there.
    fn read(text: &'a str) -> Result<Self, Expected>;
}

impl<'a> MapKey<'a> for &'a str {
    const ABSENT: Self = "";
    fn read(text: &'a str) -> Result<Self, Expected> {
        Ok(text)
    }
}

/// Pairs of key and value, in the order in which they came. Pairs that cannot be read are noted
/// and left out.
///
/// ```
/// use shardring::decode::{Map, PADDING, Scratch};
///
/// let text = br#"{"op":0,"d":{"de":"Hallo","fr":"Salut"}}"#;
/// let mut payload = text.to_vec();
/// payload.resize(text.len() + PADDING, 0);
/// Scratch::new().read(&mut payload, text.len(), |root| {
///     let names: Map<'_, &str, &str> = root.json().read().unwrap();
///     assert_eq!(names.get("fr"), Some("Salut"));
/// })?;
/// # Ok::<(), shardring::decode::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Map<'a, K, V>(&'a [(K, V)]);

impl<'a, K: Copy, V: Copy> Map<'a, K, V> {
    /// The pairs.
    pub const fn pairs(self) -> &'a [(K, V)] {
        self.0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// The value of a key, the first should it stand there twice. Looks through all of them.
    pub fn get(self, key: K) -> Option<V>
    where
        K: PartialEq,
    {
        self.0.iter().find_map(|(name, value)| (*name == key).then_some(*value))
    }
}

impl<'a, K: MapKey<'a>, V: Decode<'a>> Decode<'a> for Map<'a, K, V> {
    const ABSENT: Self = Self(&[]);

    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        let len = cursor.object()?;
        if len == 0 {
            return Ok(Self::ABSENT);
        }
        let list = cursor.nested_slice(len, (K::ABSENT, V::ABSENT))?;
        let mut filled = 0;
        for _ in 0..len {
            let key = K::read(cursor.key());
            let read = cursor.field(&mut list[filled].1, "map", "value");
            match key {
                Ok(key) if read => {
                    list[filled].0 = key;
                    filled += 1;
                    continue;
                }
                Ok(_) => {}
                Err(expected) => cursor.note(Note { object: "map", field: "key", expected }),
            }
            list[filled].1 = V::ABSENT;
        }
        cursor.leave();
        Ok(Self(&list[..filled]))
    }

    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }

    fn shape() -> Shape {
        Shape::Map(V::shape)
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(key, value)| (key, value))).finish()
    }
}

impl<K: Serialize, V: Serialize> Serialize for Map<'_, K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

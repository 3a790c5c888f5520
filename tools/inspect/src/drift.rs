//! What a payload holds that the model does not: keys, values of enumerations, bits.
//!
//! Walks the JSON and the [`Shape`] of the type side by side. Recurses once per level of nesting,
//! which the parser bounds.

use shardring::decode::{Json, JsonKind, ObjectShape, Shape, UnionShape};
use std::collections::BTreeMap;

/// What was found in all events, by where it was found.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    /// `Object.key`, and what sort of value was seen there.
    pub(crate) keys: BTreeMap<(&'static str, String), Found>,
    /// The name of an enumeration, and a value that it does not name.
    pub(crate) values: BTreeMap<(&'static str, String), u64>,
    /// The name of a bit set, and a bit that it does not name.
    pub(crate) bits: BTreeMap<(&'static str, u32), u64>,
    /// `Object.key` left out on purpose, and the reason.
    pub(crate) omitted: BTreeMap<(&'static str, &'static str), (u64, &'static str)>,
    /// The paths of this event's keys that are left out on purpose.
    omitted_paths: Vec<String>,
    /// The paths of this event's keys that the model does not know.
    unknown_paths: Vec<String>,
}

/// A key that the model does not know.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) count: u64,
    pub(crate) kind: JsonKind,
}

impl Drift {
    /// Looks through an event's `d`.
    pub(crate) fn see(&mut self, json: Json<'_>, shape: Shape) {
        self.omitted_paths.clear();
        self.unknown_paths.clear();
        self.walk(json, shape, &mut String::new());
    }

    /// Whether the key at a path of the event seen last is left out on purpose.
    pub(crate) fn is_omitted(&self, path: &str) -> bool {
        self.omitted_paths.iter().any(|known| known == path)
    }

    /// Whether the key at a path of the event seen last is one that the model does not know.
    pub(crate) fn is_unknown(&self, path: &str) -> bool {
        self.unknown_paths.iter().any(|known| known == path)
    }

    fn walk(&mut self, json: Json<'_>, shape: Shape, path: &mut String) {
        match shape {
            Shape::Object(object) => self.walk_object(json, object, path),
            Shape::Union(union) => {
                if let Some(shape) = variant(json, union) {
                    self.walk(json, shape, path);
                } else if json.kind() == JsonKind::Object {
                    let sort = json.get("type").map_or("none".to_owned(), shown);
                    *self.values.entry((union.name, sort)).or_default() += 1;
                }
            }
            Shape::List(element) | Shape::Array(element, _) => {
                let len = path.len();
                path.push_str("[]");
                json.iter().for_each(|value| self.walk(value, element(), path));
                path.truncate(len);
            }
            Shape::Map(element) => {
                for (key, value) in json.entries() {
                    let len = path.len();
                    push(path, key);
                    self.walk(value, element(), path);
                    path.truncate(len);
                }
            }
            Shape::Enum(named) if !json.is_null() => {
                let value = shown(json);
                if named.values.iter().all(|(_, known)| *known != value) {
                    *self.values.entry((named.name, value)).or_default() += 1;
                }
            }
            Shape::Flags(named) => {
                let digits = json.as_str().and_then(|digits| digits.parse().ok());
                let bits: u64 = json.as_u64().or(digits).unwrap_or(0);
                let unnamed =
                    |bit: &u32| bits >> bit & 1 == 1 && named.bits.iter().all(|row| row.1 != *bit);
                for bit in (0..u64::BITS).filter(unnamed) {
                    *self.bits.entry((named.name, bit)).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    fn walk_object(&mut self, json: Json<'_>, object: &'static ObjectShape, path: &mut String) {
        for (key, value) in json.entries() {
            let len = path.len();
            push(path, key);
            if let Some(field) = object.field(key) {
                self.walk(value, (field.shape)(), path);
            } else if let Some((key, reason)) = object.omitted.iter().find(|row| row.0 == key) {
                self.omitted.entry((object.name, key)).or_insert((0, reason)).0 += 1;
                self.omitted_paths.push(path.clone());
            } else {
                let found = self.keys.entry((object.name, key.to_owned()));
                found.or_insert(Found { count: 0, kind: value.kind() }).count += 1;
                self.unknown_paths.push(path.clone());
            }
            path.truncate(len);
        }
    }
}

/// What a union reads from this object: by the number under `type`, or else the variant that
/// knows most of its keys.
fn variant(json: Json<'_>, union: &UnionShape) -> Option<Shape> {
    let sort = json.get("type").and_then(|sort| sort.as_u64()).map(|sort| sort.to_string());
    let by_sort = union.variants.iter().find(|row| Some(row.0) == sort.as_deref());
    let knows = |shape: Shape| match shape {
        Shape::Object(object) => {
            json.entries().filter(|(key, _)| object.field(key).is_some()).count()
        }
        _ => 0,
    };
    let has_sort = |shape: Shape| match shape {
        Shape::Object(object) => {
            object.field("type").is_some_and(|field| matches!((field.shape)(), Shape::Enum(_)))
        }
        _ => false,
    };
    // Where each variant has a `type` of its own, that tells them apart.
    let is_by_sort = union.variants.iter().all(|row| has_sort((row.1)()));
    let most = union.variants.iter().max_by_key(|row| knows((row.1)()));
    let chosen = if is_by_sort { by_sort } else { most };
    chosen.map(|row| (row.1)())
}

/// A value of an enumeration as it may be printed: a number or a word. Of what is neither, only
/// the sort: it may be or hold a secret.
fn shown(json: Json<'_>) -> String {
    let is_word = |text: &str| {
        text.len() <= WORD_LEN_MAX
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    match (json.kind(), json.as_str()) {
        (JsonKind::Number, _) => json.to_string(),
        (_, Some(text)) if is_word(text) => text.to_owned(),
        (kind, _) => format!("({kind:?})"),
    }
}

/// Longer words are not printed.
const WORD_LEN_MAX: usize = 40;

/// A key behind a path.
pub(crate) fn push(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

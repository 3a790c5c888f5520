//! The lockstep walk: a type as the documents have it beside the shape of the model's.
//!
//! Invariant: a pair of object and type is looked at once, so that the walk ends. What differs is
//! collected, never asserted here.

use crate::document::{Doc, Row, Schema, rows};
use serde_json::Value;
use shardring::decode::{Absence, FieldShape, ObjectShape, OnNull, Shape, UnionShape};
use std::collections::BTreeSet;

/// What the walk is told of the places where model and documents part.
pub(crate) struct Exceptions {
    /// Places that hold no more than these keys of the documented object, any of which may be
    /// missing.
    pub(crate) narrow: &'static [(&'static str, &'static [&'static str])],
    /// Events whose object may lack any of its keys, though the tables do not say so.
    pub(crate) partial: &'static [&'static str],
    /// Keys of objects and numbers of unions that the documents do not list: of which, these,
    /// and where they are from.
    pub(crate) beyond: &'static [(&'static str, &'static [&'static str], &'static str)],
}

/// A walk, and what it found: the place and what differs there.
pub(crate) struct Walk<'a> {
    schema: &'a Schema,
    exceptions: &'a Exceptions,
    pub(crate) differences: BTreeSet<(String, String)>,
    /// The objects, enumerations and flag sets that were compared.
    pub(crate) met: BTreeSet<&'a str>,
    compared: BTreeSet<(String, &'static str, bool)>,
}

/// A row and whose it is, an object's or an event's.
type Owned<'a> = (&'a str, Row<'a>);

impl<'a> Walk<'a> {
    pub(crate) fn new(schema: &'a Schema, exceptions: &'a Exceptions) -> Self {
        Self {
            schema,
            exceptions,
            differences: BTreeSet::new(),
            met: BTreeSet::new(),
            compared: BTreeSet::new(),
        }
    }

    pub(crate) fn differ(&mut self, at: &str, what: impl Into<String>) {
        self.differences.insert((at.to_owned(), what.into()));
    }

    /// An event: the rows of its base object, less some, and its own.
    pub(crate) fn event(&mut self, name: &'a str, event: &'a Value, shape: &Shape) {
        let own = rows(&event["fields"]);
        let without = event["without"].as_array().map_or(&[][..], |keys| keys);
        let partial = event["partial"] == true || self.exceptions.partial.contains(&name);
        let base = event["base"].as_str();
        self.met.extend(base);
        if let (Some(base), true) = (base, own.is_empty() && without.is_empty()) {
            return self.value(name, &Doc::Object { name: base, partial }, shape);
        }
        let mut all: Vec<Owned<'a>> = own.into_iter().map(|row| (name, row)).collect();
        for other in ["base", "or"].iter().filter_map(|key| event[key].as_str()) {
            for row in self.schema.object(other) {
                let is_left_out = without.iter().any(|key| key == row.key);
                if !is_left_out && all.iter().all(|(_, known)| known.key != row.key) {
                    all.push((other, row));
                }
            }
        }
        match shape {
            Shape::Object(object) => self.fields(name, &all, object, partial),
            _ if all.is_empty() => {}
            other => self.differ(name, format!("is an object, but read as {}", say(other))),
        }
    }

    /// The value at `at`.
    pub(crate) fn value(&mut self, at: &str, doc: &Doc<'a>, shape: &Shape) {
        match (doc, shape) {
            (Doc::Plain(text), shape) if is_plain(text, shape) => {}
            (Doc::Enum(name), Shape::Enum(shape)) => {
                self.met.insert(name);
                let named = |value: &str| shape.values.iter().find(|known| known.1 == value);
                let found = self.schema.values(name);
                let found = found.map(|(value, word)| (value.to_owned(), word, named(value)));
                let found = found.map(|(value, word, known)| (value, word, known.map(|k| k.0)));
                self.names(name, shape.name, found.collect());
            }
            (Doc::Flags(name), Shape::Flags(shape)) => {
                self.met.insert(name);
                let named = |bit: u32| shape.bits.iter().find(|known| known.1 == bit);
                let found = self.schema.values(name).map(|(value, word)| {
                    let value: u64 = value.parse().unwrap();
                    assert!(value.is_power_of_two(), "{name}");
                    let bit = value.trailing_zeros();
                    (format!("bit {bit}"), word, named(bit).map(|known| known.0))
                });
                self.names(name, shape.name, found.collect());
            }
            (Doc::List(doc), Shape::List(inner)) => self.value(at, doc, &inner()),
            (Doc::Pair(doc), Shape::Array(inner, 2)) => self.value(at, doc, &inner()),
            (Doc::Keyed(doc), Shape::Map(inner)) => self.value(at, doc, &inner()),
            (Doc::Keyed(doc), Shape::Object(object)) => {
                for field in object.fields {
                    self.value(at, doc, &(field.shape)());
                }
            }
            (Doc::Object { name, partial }, Shape::Object(object)) => {
                self.object(at, name, *partial, object);
            }
            (Doc::OneOf(objects), Shape::Union(union)) => {
                self.one_of(at, "", objects, union, false);
            }
            // All of them in one type: what one has the others may lack.
            (Doc::OneOf(objects), Shape::Object(object)) => {
                let names = objects.iter().map(|(_, name)| *name);
                let row = |name: &'a str| {
                    self.schema.object(name).into_iter().map(move |row| (name, row))
                };
                let all: Vec<Owned<'a>> = names.clone().flat_map(row).collect();
                self.met.extend(names);
                self.fields(at, &all, object, true);
            }
            (Doc::Union { name, narrowed }, Shape::Union(union)) => {
                let objects: Vec<_> = self.schema.union(name).collect();
                self.one_of(at, name, &objects, union, *narrowed);
            }
            (doc, shape) => {
                self.differ(at, format!("is {doc:?}, but read as {}", say(shape)));
            }
        }
    }

    fn object(&mut self, at: &str, name: &'a str, partial: bool, shape: &'static ObjectShape) {
        self.met.insert(name);
        let narrow = self.exceptions.narrow.iter().find(|(place, _)| *place == at);
        let memo = if narrow.is_some() { at } else { name };
        if !self.compared.insert((memo.to_owned(), shape.name, partial)) {
            return;
        }
        let mut all: Vec<Owned<'a>> =
            self.schema.object(name).into_iter().map(|row| (name, row)).collect();
        if let Some((_, keys)) = narrow {
            all.retain(|(_, row)| keys.contains(&row.key));
        }
        self.fields(name, &all, shape, partial || narrow.is_some());
    }

    fn fields(
        &mut self,
        name: &str,
        all: &[Owned<'a>],
        shape: &'static ObjectShape,
        partial: bool,
    ) {
        let rust = shape.name;
        for (owner, row) in all {
            let at = format!("{owner}.{}", row.key);
            let omitted = shape.omitted.iter().find(|(key, _)| *key == row.key);
            match (shape.field(row.key), omitted) {
                (Some(_), Some(_)) => self.differ(&at, format!("{rust} has it and omits it")),
                (None, Some((_, ""))) => self.differ(&at, format!("{rust} omits it unexplained")),
                (None, Some(_)) => {}
                (None, None) => self.differ(&at, format!("{rust} has no such field")),
                (Some(field), None) => {
                    let doc = self.schema.read(row.text);
                    if let Some(what) = of_absence(row, field, partial, self.may_be_empty(&doc)) {
                        self.differ(&at, format!("{rust}: {what}"));
                    }
                    self.value(&at, &doc, &(field.shape)());
                }
            }
        }
        let is_known = |key: &str| {
            all.iter().any(|(owner, row)| row.key == key || self.is_beyond(owner, key))
                || self.is_beyond(name, key)
        };
        let omitted = shape.omitted.iter().map(|(key, _)| *key);
        let keys = shape.fields.iter().map(|field| field.key).chain(omitted);
        for key in keys.filter(|key| !is_known(key)).collect::<Vec<_>>() {
            self.differ(&format!("{name}.{key}"), format!("{rust} has it, the documents do not"));
        }
    }

    /// Whether a key, or a number of a union, is known though it is not documented.
    fn is_beyond(&self, name: &str, key: &str) -> bool {
        let mut beyond = self.exceptions.beyond.iter();
        beyond.any(|(object, keys, _)| *object == name && keys.contains(&key))
    }

    /// Whether it is an object all whose keys may be missing.
    fn may_be_empty(&self, doc: &Doc<'_>) -> bool {
        matches!(doc, Doc::Object { name, .. } if
            self.schema.object(name).iter().all(|row| row.optional))
    }

    fn one_of(
        &mut self,
        at: &str,
        name: &str,
        objects: &[(&'a str, &'a str)],
        union: &UnionShape,
        narrowed: bool,
    ) {
        for (number, name) in objects {
            match union.variants.iter().find(|(known, _)| known == number) {
                Some((_, shape)) => {
                    self.value(at, &Doc::Object { name, partial: false }, &shape());
                }
                None if narrowed => {}
                None => self.differ(at, format!("{} has no variant {number}, {name}", union.name)),
            }
        }
        for (number, _) in union.variants {
            let is_known = objects.iter().any(|(known, _)| known == number);
            if !is_known && !self.is_beyond(name, number) {
                self.differ(at, format!("{}: {number} is not documented", union.name));
            }
        }
    }

    fn names(&mut self, name: &str, rust: &str, found: Vec<(String, &str, Option<&str>)>) {
        for (value, word, known) in found {
            let word = as_constant(word);
            match known {
                Some(known) if known == word => {}
                Some(known) => self.differ(name, format!("{rust}: {value} is {word}, not {known}")),
                None => self.differ(name, format!("{rust} lacks {word}, {value}")),
            }
        }
    }
}

/// What is wrong with how a field stands when it is null or missing.
fn of_absence(
    row: &Row<'_>,
    field: &FieldShape,
    partial: bool,
    may_be_empty: bool,
) -> Option<&'static str> {
    if row.nullable && field.on_null == OnNull::Unread {
        return Some("may be null, which it cannot read");
    }
    let what = match (row.optional, row.nullable) {
        _ if partial => return None,
        (false, true) if field.absence != Absence::Null => "is never missing: `| null` is due",
        (true, true) if field.on_null != OnNull::Kept => "missing and null fall together",
        (true, _) if field.is_always_written() => "may be missing, but is always written",
        (_, false) if field.absence == Absence::Null => "is never null, but written so",
        (false, false) if may_be_empty && !field.is_always_written() => {
            "is never missing, but left out when it is empty: `| always` is due"
        }
        _ => return None,
    };
    Some(what)
}

fn is_plain(text: &str, shape: &Shape) -> bool {
    match text {
        "any" => matches!(shape, Shape::Json),
        "bool" => matches!(shape, Shape::Bool),
        "float" | "int | float" => matches!(shape, Shape::Number),
        "int" => matches!(shape, Shape::Integer | Shape::Enum(_) | Shape::Flags(_)),
        "int | string" => matches!(shape, Shape::IntegerOrString),
        "snowflake" => matches!(shape, Shape::Snowflake),
        "snowflake | int" => matches!(shape, Shape::Snowflake | Shape::IntegerOrString),
        "string" => matches!(shape, Shape::String | Shape::Enum(_) | Shape::IntegerOrString),
        "timestamp" => matches!(shape, Shape::Timestamp),
        // A key that is there, with null, or not there: a fact.
        "null" => !matches!(shape, Shape::Object(_) | Shape::List(_)),
        "string | int | float | bool" => matches!(shape, Shape::Json),
        _ => false,
    }
}

/// A documented name as a constant is written.
fn as_constant(word: &str) -> String {
    let word = word.to_ascii_uppercase();
    let parts = word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("_")
}

fn say(shape: &Shape) -> String {
    match shape {
        Shape::Enum(shape) => format!("the values {}", shape.name),
        Shape::Flags(shape) => format!("the flags {}", shape.name),
        Shape::Object(shape) => format!("the object {}", shape.name),
        Shape::Union(shape) => format!("the union {}", shape.name),
        Shape::List(inner) => format!("a list of {}", say(&inner())),
        Shape::Map(inner) => format!("a map to {}", say(&inner())),
        other => format!("{other:?}"),
    }
}

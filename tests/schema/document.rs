//! The documents' tables: how they write types, and what they hold. Knows no type of the model.

use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// A type as the documents write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doc<'a> {
    /// `int`, `string` and so on; `snowflake | int` and the like too.
    Plain(&'a str),
    /// An enumeration, by name.
    Enum(&'a str),
    /// A flag set, by name.
    Flags(&'a str),
    /// An array.
    List(Box<Self>),
    /// An array of two.
    Pair(Box<Self>),
    /// An object whose keys are data.
    Keyed(Box<Self>),
    /// An object, by name; if it is partial, any of its keys may be missing.
    Object { name: &'a str, partial: bool },
    /// One of several objects, told apart by a number: that and the object's name.
    OneOf(Vec<(&'a str, &'a str)>),
    /// One of the objects of a union with a table of its own; maybe only some of them.
    Union { name: &'a str, narrowed: bool },
}

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) key: &'a str,
    pub(crate) text: &'a str,
    pub(crate) optional: bool,
    pub(crate) nullable: bool,
}

/// The tables.
pub(crate) struct Schema(Value);

impl Schema {
    /// Those of the corpus.
    pub(crate) fn open() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/schema.json");
        Self::new(&fs::read_to_string(path).unwrap())
    }

    pub(crate) fn new(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// `events`, `objects`, `enums` or `unions`.
    pub(crate) fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap()
    }

    /// The rows of an object.
    pub(crate) fn object(&self, name: &str) -> Vec<Row<'_>> {
        rows(&self.section("objects")[name])
    }

    /// Values and names of an enumeration or a flag set.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let values = self.section("enums")[name].as_object().unwrap();
        values.iter().map(|(value, name)| (value.as_str(), name.as_str().unwrap()))
    }

    /// The numbers and objects of a union.
    pub(crate) fn union(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let union = self.section("unions")[name].as_object().unwrap();
        union.iter().map(|(number, name)| (number.as_str(), name.as_str().unwrap()))
    }

    /// What a type is, as the documents write it.
    ///
    /// # Panics
    /// The text is of no form that is known here: then it needs one.
    pub(crate) fn read<'a>(&'a self, text: &'a str) -> Doc<'a> {
        if let Some((_, doc)) = IN_WORDS.iter().find(|(words, _)| *words == text) {
            return doc();
        }
        if !text.starts_with('[') {
            if let Some((_, name)) = text.split_once(" enum ") {
                return Doc::Enum(name);
            }
            if let Some((_, name)) = text.split_once(" flags ") {
                return Doc::Flags(name);
            }
        }
        if let Some(rest) = text.strip_prefix("map<") {
            let value = rest.strip_suffix('>').unwrap().rsplit_once(", ").unwrap().1;
            return Doc::Keyed(Box::new(self.read(value)));
        }
        if let Some((inner, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            return match (inner.split_once(", "), after) {
                (Some((first, _)), "") => Doc::Pair(Box::new(self.read(first))),
                (None, after) if inner == "Component" || inner == "Component response" => {
                    Doc::List(Box::new(union(inner, after)))
                }
                _ => Doc::List(Box::new(self.read(inner))),
            };
        }
        self.read_one(text)
    }

    fn read_one<'a>(&'a self, text: &'a str) -> Doc<'a> {
        let (name, remark) = text.split_once(" (").unwrap_or((text, ""));
        let (partial, name) = match name.strip_prefix("partial ") {
            Some(name) => (true, name),
            None => (remark == "partial)", name),
        };
        if self.section("unions").contains_key(name) {
            return union(name, remark);
        }
        if self.section("objects").contains_key(name) {
            return Doc::Object { name, partial };
        }
        assert!(PLAIN.contains(&text), "a type of a form that is not known: {text}");
        Doc::Plain(text)
    }
}

/// The rows of a table.
pub(crate) fn rows(table: &Value) -> Vec<Row<'_>> {
    table
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, row)| Row {
            key,
            text: row["type"].as_str().unwrap(),
            optional: row["opt"].as_bool().unwrap(),
            nullable: row["null"].as_bool().unwrap(),
        })
        .collect()
}

fn union<'a>(name: &'a str, remark: &str) -> Doc<'a> {
    Doc::Union { name, narrowed: !remark.is_empty() && !remark.contains("union by `type`") }
}

/// Types that are neither objects nor enumerations.
const PLAIN: &[&str] = &[
    "any",
    "bool",
    "float",
    "int",
    "int | float",
    "int | string",
    "null",
    "snowflake",
    "snowflake | int",
    "snowflake | [snowflake]",
    "string",
    "string | int | float",
    "string | int | float | bool",
    "timestamp",
];

type Meaning = fn() -> Doc<'static>;

/// Types that the documents describe in words.
const IN_WORDS: &[(&str, Meaning)] = &[
    ("string (permission bits)", || Doc::Flags("Bitwise Permission Flags")),
    ("[string] received; [Activity Buttons] sent", || Doc::List(Box::new(Doc::Plain("string")))),
    (
        "by `type`: 2 and 4 → Application Command Data; 3 → Message Component Data; \
         5 → Modal Submit Data",
        || {
            Doc::OneOf(vec![
                ("2", "Application Command Data"),
                ("3", "Message Component Data"),
                ("4", "Application Command Data"),
                ("5", "Modal Submit Data"),
            ])
        },
    ),
    (
        "one of: Application Command Interaction Metadata, Message Component Interaction \
         Metadata, Modal Submit Interaction Metadata (by `type` 2, 3, 5)",
        || {
            Doc::OneOf(vec![
                ("2", "Application Command Interaction Metadata"),
                ("3", "Message Component Interaction Metadata"),
                ("5", "Modal Submit Interaction Metadata"),
            ])
        },
    ),
    ("Application Command Interaction Metadata | Message Component Interaction Metadata", || {
        Doc::OneOf(vec![
            ("2", "Application Command Interaction Metadata"),
            ("3", "Message Component Interaction Metadata"),
        ])
    }),
    ("object, keyed by `opcode`: 8 → Request Guild Member Rate Limit Metadata", || {
        Doc::OneOf(vec![("8", "Request Guild Member Rate Limit Metadata")])
    }),
];

//! The documents' digest, `schema.json`, as types to walk a payload by.
//!
//! It knows the notation of the digest and no object by name but those whose kind stands in
//! another field. Used by `documents.rs` and `spoil.rs`.

use crate::corpus;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;

/// The digest.
pub(crate) struct Schema {
    digest: Value,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Any,
    Null,
    Int,
    Float,
    Bool,
    String,
    Snowflake,
    Timestamp,
    /// A bit set in a decimal string.
    Bits,
    /// A number of this enumeration.
    IntEnum(String),
    /// A word of this enumeration.
    WordEnum(String),
    /// A bit set.
    Flags(String),
    List(Box<Type>),
    /// An object whose keys are data.
    Map(Box<Type>),
    /// An object by its name; of its fields only some, if some are named.
    Object(String, Vec<String>),
    /// An object of this union, by its own `type`.
    Union(String),
    /// By the field of that name beside it, or in it (`true`): the object for each number.
    By(&'static str, bool, Vec<(u64, String)>),
    /// One of these.
    OneOf(Vec<Type>),
}

/// A field of an object.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) ty: Type,
    pub(crate) may_be_missing: bool,
    pub(crate) may_be_null: bool,
}

/// A value of a payload, beside what the documents say about it. With an empty key: an object
/// itself, before its fields.
pub(crate) struct Visit<'v> {
    pub(crate) pointer: &'v str,
    /// The object that it is a field of, or the event's name.
    pub(crate) object: &'v str,
    /// Its key there.
    pub(crate) key: &'v str,
    /// `None` if the documents do not know the key.
    pub(crate) field: Option<&'v Field>,
    pub(crate) value: &'v Value,
}

impl Schema {
    pub(crate) fn load() -> Self {
        let text = fs::read_to_string(corpus::folder().join("schema.json")).unwrap();
        Self { digest: serde_json::from_str(&text).unwrap() }
    }

    /// The names of all dispatches.
    pub(crate) fn dispatches(&self) -> Vec<&str> {
        let events = self.digest["events"].as_object().unwrap().iter();
        events.filter(|(_, event)| event["op"] == 0).map(|(name, _)| name.as_str()).collect()
    }

    /// The names of the enumeration's values.
    pub(crate) fn values(&self, enumeration: &str) -> &Map<String, Value> {
        self.digest["enums"][enumeration].as_object().unwrap()
    }

    /// The fields of an event's `d`: the event's own, and those of the object that it is. Each
    /// with the name of that object, or of the event.
    pub(crate) fn event(&self, name: &str) -> BTreeMap<String, (String, Field)> {
        let event = &self.digest["events"][name];
        let mut fields = BTreeMap::new();
        for base in [&event["base"], &event["or"]].into_iter().filter_map(Value::as_str) {
            let without = event["without"].as_array();
            for (key, field) in self.object(base) {
                if !without.is_some_and(|without| without.contains(&Value::from(key.as_str()))) {
                    fields.entry(key).or_insert_with(|| (base.to_owned(), field));
                }
            }
        }
        for (key, field) in self.fields(&event["fields"]) {
            fields.insert(key, (name.to_owned(), field));
        }
        fields
    }

    /// The fields of an object.
    pub(crate) fn object(&self, name: &str) -> BTreeMap<String, Field> {
        self.fields(&self.digest["objects"][name])
    }

    /// The objects of a union, by number.
    pub(crate) fn union(&self, name: &str) -> Vec<(u64, String)> {
        let union = self.digest["unions"][name].as_object().unwrap().iter();
        union.map(|(kind, name)| (kind.parse().unwrap(), name.as_str().unwrap().into())).collect()
    }

    fn fields(&self, fields: &Value) -> BTreeMap<String, Field> {
        let fields = fields.as_object().unwrap().iter();
        fields
            .map(|(key, field)| {
                let field = Field {
                    ty: self.parse(field["type"].as_str().unwrap()),
                    may_be_missing: field["opt"] == true,
                    may_be_null: field["null"] == true,
                };
                (key.clone(), field)
            })
            .collect()
    }

    fn parse(&self, text: &str) -> Type {
        let text = text.trim().trim_start_matches("partial ");
        if let Some(by) = parse_by(text) {
            return by;
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (inner, rest) = rest.split_once(']').unwrap();
            let mut inner = self.parse(inner.split(", ").next().unwrap());
            if let (Type::Object(name, only), Some(without)) =
                (&mut inner, rest.strip_prefix(" without `"))
            {
                only.extend(self.object(name).into_keys());
                only.retain(|key| key != without.trim_end_matches('`'));
            }
            return Type::List(Box::new(inner));
        }
        if let Some(map) = text.strip_prefix("map<").and_then(|map| map.strip_suffix('>')) {
            return Type::Map(Box::new(self.parse(map.split_once(", ").unwrap().1)));
        }
        if text.contains(" | ") {
            return Type::OneOf(text.split(" | ").map(|text| self.parse(text)).collect());
        }
        match text {
            "any" => return Type::Any,
            "null" => return Type::Null,
            "int" => return Type::Int,
            "float" => return Type::Float,
            "bool" => return Type::Bool,
            "string" => return Type::String,
            "snowflake" => return Type::Snowflake,
            "timestamp" => return Type::Timestamp,
            "string (permission bits)" => return Type::Bits,
            _ => {}
        }
        for (prefix, ty) in [
            ("int enum ", Type::IntEnum as fn(String) -> Type),
            ("string enum ", Type::WordEnum),
            ("int flags ", Type::Flags),
            ("string flags ", |_| Type::Bits),
        ] {
            if let Some(name) = text.strip_prefix(prefix) {
                return ty(name.to_owned());
            }
        }
        let (name, rest) = text.split_once(" (").unwrap_or((text, ""));
        if self.digest["unions"].get(name).is_some() {
            return Type::Union(name.to_owned());
        }
        assert!(self.digest["objects"].get(name).is_some(), "{text:?} is no type");
        // `partial X (`a`, `b`)`: no other fields.
        let only = rest.strip_suffix(')').filter(|rest| rest.starts_with('`'));
        let only = only.map_or(Vec::new(), |only| {
            only.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
        });
        Type::Object(name.to_owned(), only)
    }

    /// Walks an event's `d` and shows each field of each object in it; none of an event that the
    /// documents do not know.
    pub(crate) fn walk(&self, event: &str, d: &Value, visit: &mut dyn FnMut(&Visit<'_>)) {
        let Some(map) = d.as_object() else { return };
        if self.digest["events"].get(event).is_none() {
            return;
        }
        let fields = self.event(event);
        for (key, value) in map {
            let (object, field) = match fields.get(key) {
                Some((object, field)) => (object.as_str(), Some(field)),
                None => (event, None),
            };
            let pointer = format!("/d/{key}");
            visit(&Visit { pointer: &pointer, object, key, field, value });
            if let Some(field) = field {
                self.step(&field.ty, &pointer, value, d, visit);
            }
        }
    }

    /// Walks a value of type `ty` under `parent`.
    fn step(
        &self,
        ty: &Type,
        pointer: &str,
        value: &Value,
        parent: &Value,
        visit: &mut dyn FnMut(&Visit<'_>),
    ) {
        match ty {
            Type::List(inner) => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    self.step(inner, &format!("{pointer}/{index}"), value, parent, visit);
                }
            }
            Type::Map(inner) => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    self.step(inner, &format!("{pointer}/{key}"), value, parent, visit);
                }
            }
            Type::Object(name, _) => self.step_object(name, pointer, value, visit),
            Type::Union(_) | Type::By(..) => {
                if let Some(name) = self.chosen(ty, value, parent) {
                    self.step_object(&name, pointer, value, visit);
                }
            }
            _ => {}
        }
    }

    fn step_object(
        &self,
        name: &str,
        pointer: &str,
        value: &Value,
        visit: &mut dyn FnMut(&Visit<'_>),
    ) {
        visit(&Visit { pointer, object: name, key: "", field: None, value });
        let mut fields = self.object(name);
        // What these two carry in some lists only.
        let extra = match name {
            "User" => &["member"][..],
            "Thread Member" => &["presence"],
            _ => &[],
        };
        for key in extra {
            let object = if *key == "member" { "Guild Member" } else { "Presence Update" };
            let ty = Type::Object(object.to_owned(), Vec::new());
            let field = Field { ty, may_be_missing: true, may_be_null: *key == "presence" };
            fields.insert((*key).to_owned(), field);
        }
        for (key, inner) in value.as_object().into_iter().flatten() {
            let field = fields.get(key);
            let pointer = format!("{pointer}/{key}");
            visit(&Visit { pointer: &pointer, object: name, key, field, value: inner });
            if let Some(field) = field {
                self.step(&field.ty, &pointer, inner, value, visit);
            }
        }
    }

    /// The object that a polymorphic value is, if the documents know its kind.
    fn chosen(&self, ty: &Type, value: &Value, parent: &Value) -> Option<String> {
        let (kind, kinds) = match ty {
            Type::Union(name) => (&value["type"], self.union(name)),
            Type::By(key, is_inside, kinds) => {
                (if *is_inside { &value[key] } else { &parent[key] }, kinds.clone())
            }
            _ => return None,
        };
        kinds.into_iter().find(|(number, _)| kind == *number).map(|(_, name)| name)
    }

    /// The objects that a value of type `ty` may be or hold.
    pub(crate) fn objects_of(&self, ty: &Type) -> Vec<(String, Vec<String>)> {
        let named = |kinds: Vec<(u64, String)>| {
            kinds.into_iter().map(|(_, name)| (name, Vec::new())).collect()
        };
        match ty {
            Type::List(inner) | Type::Map(inner) => self.objects_of(inner),
            Type::Object(name, only) => vec![(name.clone(), only.clone())],
            Type::Union(name) => named(self.union(name)),
            Type::By(_, _, kinds) => named(kinds.clone()),
            _ => Vec::new(),
        }
    }
}

/// The types that are chosen by a number in another field.
fn parse_by(text: &str) -> Option<Type> {
    let by = |key, is_inside, kinds: &[(u64, &str)]| {
        let kinds = kinds.iter().map(|(number, name)| (*number, (*name).to_owned())).collect();
        Some(Type::By(key, is_inside, kinds))
    };
    let answers = [
        (2, "Application Command Interaction Metadata"),
        (3, "Message Component Interaction Metadata"),
        (5, "Modal Submit Interaction Metadata"),
    ];
    match text {
        _ if text.starts_with("by `type`: 2 and 4") => by(
            "type",
            false,
            &[
                (2, "Application Command Data"),
                (3, "Message Component Data"),
                (4, "Application Command Data"),
                (5, "Modal Submit Data"),
            ],
        ),
        _ if text.starts_with("object, keyed by `opcode`") => {
            by("opcode", false, &[(8, "Request Guild Member Rate Limit Metadata")])
        }
        _ if text.starts_with("one of: Application Command") => by("type", true, &answers),
        _ if text.starts_with("Application Command Interaction Metadata |") => {
            by("type", true, &answers[..2])
        }
        _ => None,
    }
}

//! The corpus against the documents: nothing documented is missing from it, nothing in it is
//! other than documented.

use crate::corpus::{self, Payload};
use crate::schema::{Schema, Type};
use serde_json::Value;
use shardring::model::EventKind;
use std::collections::{BTreeMap, BTreeSet};

/// Keys that Discord sends and does not document, as real payloads and its own examples have them.
const UNDOCUMENTED: &[(&str, &[&str])] = &[
    // Of the official example of an interaction, and of the other source.
    ("Guild", &["locale"]),
    ("Guild Member", &["unusual_dm_activity_until"]),
    ("Message Component Data", &["id"]),
    (
        "READY",
        &[
            "user_settings",
            "session_type",
            "relationships",
            "private_channels",
            "presences",
            "guild_join_requests",
            "geo_ordered_rtc_regions",
            "game_relationships",
            "auth",
            "_trace",
        ],
    ),
    ("RESUMED", &["_trace"]),
    ("GUILD_CREATE", &["version"]),
    ("PRESENCE_UPDATE", &["processed_at_timestamp"]),
    ("User", &["clan", "display_name_styles"]),
    ("Activity", &["id", "sync_id", "session_id"]),
    ("Attachment", &["content_scan_version"]),
    ("Sticker", &["asset"]),
    ("Guild Member", &["user_id"]),
    ("Message", &["guild_id", "member", "channel_type"]),
    ("Application Command Data", &["version"]),
    ("Application Command Interaction Metadata", &["name", "command_type"]),
];

/// Null where only the HTTP API's specification allows it.
const NULL_IN_THE_OTHER_SOURCE: &[(&str, &str)] = &[
    ("Voice State", "guild_id"),
    ("Voice State", "self_stream"),
    ("Entitlement", "guild_id"),
    ("Subscription", "country"),
    ("Attachment", "title"),
    ("Embed", "flags"),
];

fn json(payload: &Payload) -> Value {
    serde_json::from_str(&payload.text).unwrap()
}

#[test]
fn every_dispatch_has_a_payload_and_the_kind_that_it_says() {
    let schema = Schema::load();
    let payloads = corpus::payloads();
    for name in schema.dispatches() {
        let kind = EventKind::from_name(name);
        assert_eq!(kind.name(), name);
        assert!(payloads.iter().any(|payload| payload.kind == kind), "{name} has no payload");
    }
    let mut numbers = BTreeSet::new();
    for payload in &payloads {
        let whole = json(payload);
        assert_eq!(whole["t"], payload.name.split('.').next().unwrap());
        assert_eq!(whole["op"], 0, "{}", payload.name);
        assert!(numbers.insert(whole["s"].as_u64().unwrap()), "{}: s again", payload.name);
    }
    let len: usize = payloads.iter().map(|payload| payload.text.len()).sum();
    assert!(len < 600_000, "{len} bytes of payloads: the tests that spoil them take too long");
}

/// What of an object was seen: with a value, null, and in an object without the key.
#[derive(Default)]
struct Seen {
    values: BTreeSet<(String, String)>,
    nulls: BTreeSet<(String, String)>,
}

fn see(schema: &Schema, name: &str, payload: &Payload, seen: &mut Seen) {
    schema.walk(name, &json(payload)["d"], &mut |visit| {
        let place = (visit.object.to_owned(), visit.key.to_owned());
        let is_value =
            !visit.value.is_null() || visit.field.is_some_and(|field| field.ty == Type::Null);
        if is_value { &mut seen.values } else { &mut seen.nulls }.insert(place);
    });
}

/// Every field of every object that an event reaches, by the types of the documents.
fn reached(schema: &Schema, event: &str) -> BTreeMap<(String, String), bool> {
    let mut places = BTreeMap::new();
    let mut open: Vec<(String, Vec<String>)> = Vec::new();
    for (key, (object, field)) in schema.event(event) {
        open.extend(schema.objects_of(&field.ty));
        places.insert((object, key), field.may_be_null);
    }
    let mut done = BTreeSet::new();
    while let Some((object, only)) = open.pop() {
        if !done.insert((object.clone(), only.clone())) {
            continue;
        }
        for (key, field) in schema.object(&object) {
            if only.is_empty() || only.contains(&key) {
                open.extend(schema.objects_of(&field.ty));
                places.insert((object.clone(), key), field.may_be_null);
            }
        }
    }
    places
}

#[test]
fn every_documented_field_that_an_event_reaches_is_in_a_payload_of_that_event() {
    let schema = Schema::load();
    let payloads = corpus::payloads();
    let (mut missing, mut count) = (Vec::new(), 0);
    for name in schema.dispatches() {
        let mut seen = Seen::default();
        for payload in payloads.iter().filter(|payload| payload.kind.name() == name) {
            see(&schema, name, payload, &mut seen);
        }
        for (place, _) in reached(&schema, name) {
            count += 1;
            if !seen.values.contains(&place) {
                missing.push(format!("{name}: {}.{}", place.0, place.1));
            }
        }
    }
    assert!(missing.is_empty(), "{} are missing: {missing:#?}", missing.len());
    assert!(count > 4500, "only {count} fields were looked for");
}

#[test]
fn every_field_that_may_be_null_is_null_somewhere() {
    let schema = Schema::load();
    let mut seen = Seen::default();
    let mut nullable = BTreeSet::new();
    let payloads = corpus::payloads();
    for name in schema.dispatches() {
        for payload in payloads.iter().filter(|payload| payload.kind.name() == name) {
            see(&schema, name, payload, &mut seen);
        }
        nullable.extend(reached(&schema, name).into_iter().filter(|(_, null)| *null));
    }
    let missing: Vec<_> = nullable
        .iter()
        .map(|(place, _)| place)
        .filter(|place| !seen.nulls.contains(place))
        .collect();
    assert!(missing.is_empty(), "never null: {missing:#?}");
    assert!(nullable.len() > 100, "{}", nullable.len());
}

#[test]
fn every_field_that_may_be_missing_is_missing_somewhere() {
    let schema = Schema::load();
    let unions: BTreeSet<String> = ["Component", "Component response"]
        .iter()
        .flat_map(|union| schema.union(union))
        .map(|(_, object)| object)
        .collect();
    let mut always: BTreeMap<(String, String), bool> = BTreeMap::new();
    for payload in corpus::payloads() {
        schema.walk(payload.kind.name(), &json(&payload)["d"], &mut |visit| {
            let (true, Some(object)) = (visit.key.is_empty(), visit.value.as_object()) else {
                return;
            };
            for (key, field) in schema.object(visit.object) {
                // What tells one object of a union from another is never missing.
                let tells = key == "type" && unions.contains(visit.object);
                if field.may_be_missing && !tells {
                    let has_it = object.contains_key(&key);
                    *always.entry((visit.object.to_owned(), key)).or_insert(true) &= has_it;
                }
            }
        });
    }
    let always: Vec<_> = always.iter().filter(|(_, always)| **always).map(|(at, _)| at).collect();
    assert!(always.is_empty(), "never missing: {always:#?}");
}

#[test]
fn every_value_is_of_its_documented_type() {
    let schema = Schema::load();
    let mut faults = Vec::new();
    for payload in corpus::payloads() {
        let may_be_unknown = ["unknown", "kinds", "options", "modal-rows", "embeds"]
            .iter()
            .any(|word| payload.variant().starts_with(word))
            || payload.name == "GUILD_CREATE";
        schema.walk(payload.kind.name(), &json(&payload)["d"], &mut |visit| {
            if visit.key.is_empty() {
                return;
            }
            let Some(field) = visit.field else {
                let rows = UNDOCUMENTED.iter().filter(|(object, _)| *object == visit.object);
                if !rows.flat_map(|(_, keys)| *keys).any(|key| *key == visit.key) && !may_be_unknown
                {
                    faults.push(format!("{}{}: unknown key", payload.name, visit.pointer));
                }
                return;
            };
            let is_right = if visit.value.is_null() {
                field.may_be_null
                    || matches!(field.ty, Type::Null | Type::Any)
                    || NULL_IN_THE_OTHER_SOURCE.contains(&(visit.object, visit.key))
            } else {
                is_of(&schema, &field.ty, visit.value, may_be_unknown)
            };
            if !is_right {
                let what = format!("{}{}: {}", payload.name, visit.pointer, visit.value);
                faults.push(format!("{what} is no {:?}", field.ty));
            }
        });
    }
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

fn is_of(schema: &Schema, ty: &Type, value: &Value, may_be_unknown: bool) -> bool {
    let is_digits = |value: &Value| value.as_str().is_some_and(|text| text.parse::<u64>().is_ok());
    match ty {
        Type::Any => true,
        Type::Null => value.is_null(),
        Type::Int | Type::Flags(_) => value.is_i64() || value.is_u64(),
        Type::Float => value.is_number(),
        Type::Bool => value.is_boolean(),
        Type::String => value.is_string(),
        Type::Snowflake | Type::Bits => is_digits(value),
        Type::Timestamp => value.as_str().is_some_and(is_timestamp),
        Type::IntEnum(name) => {
            let number = value.as_u64().map(|number| number.to_string());
            number.is_some_and(|n| may_be_unknown || schema.values(name).contains_key(&n))
        }
        Type::WordEnum(name) => {
            value.as_str().is_some_and(|w| may_be_unknown || schema.values(name).contains_key(w))
        }
        Type::List(inner) => value.as_array().is_some_and(|list| {
            list.iter().all(|value| is_of(schema, inner, value, may_be_unknown))
        }),
        Type::Map(inner) => value.as_object().is_some_and(|map| {
            map.values().all(|value| is_of(schema, inner, value, may_be_unknown))
        }),
        Type::Object(..) | Type::Union(_) | Type::By(..) => value.is_object(),
        Type::OneOf(types) => types.iter().any(|ty| is_of(schema, ty, value, may_be_unknown)),
    }
}

/// `YYYY-MM-DDTHH:MM:SS[.f…]±HH:MM`.
fn is_timestamp(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let (date, rest) = shape.split_at(shape.len().min(19));
    let fraction = rest.strip_suffix("+00:00").unwrap_or("?");
    date == "0000-00-00T00:00:00"
        && (fraction.is_empty()
            || fraction.strip_prefix('.').is_some_and(|f| {
                !f.is_empty() && f.len() <= 6 && f.bytes().all(|byte| byte == b'0')
            }))
}

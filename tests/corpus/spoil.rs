//! Every payload of the corpus, spoilt: an event of its kind arrives, or a typed error; what
//! could not be read is noted, and no secret is printed.
//!
//! Written against the corpus and the doors, not against one type: whatever kind gets a type is
//! held to the same. In payloads above [`LARGE_LEN`] one spot in so many is tried.

use crate::corpus::{self, Payload, Spot};
use crate::schema::{Schema, Type};
use serde_json::Value;
use shardring::decode::{DecodeError, Envelope, Scratch};
use shardring::model::Event;
use std::collections::{BTreeMap, BTreeSet};

/// Payloads of more bytes are spoilt at a stride.
const LARGE_LEN: usize = 6 * 1024;
/// The stride: prime, so that it does not keep step with lists.
const LARGE_STRIDE: usize = 7;

/// What takes the place of each value. The first few are what a typed field that is not of that
/// type must either show or have noted; null, `{}`, `[]` and `""` may read as a missing key.
const VALUES: [&str; 16] = [
    "7",
    "-7",
    "1.5",
    "\"x\"",
    "true",
    "[[1]]",
    "null",
    "{}",
    "[]",
    "\"\"",
    "[{}]",
    "[null]",
    "{\"x\":{\"y\":1}}",
    "1e300",
    "18446744073709551615",
    BEYOND_64_BITS,
];
/// So many of [`VALUES`] may not vanish silently.
const VISIBLE: usize = 6;
/// Not a number that a tape can hold: a typed error, not an event, is right.
const BEYOND_64_BITS: &str = "18446744073709551616";

/// What a payload was read as.
struct Outcome {
    is_typed: bool,
    notes: u32,
    debug: String,
}

/// Reads spoilt forms of one payload and holds them to what must hold for all.
struct Reader<'p> {
    scratch: Scratch,
    payload: &'p Payload,
    secrets: Vec<String>,
}

impl<'p> Reader<'p> {
    fn new(payload: &'p Payload) -> Self {
        let secrets = corpus::secrets(std::slice::from_ref(payload));
        Self { scratch: Scratch::new(), payload, secrets }
    }

    fn read(&mut self, text: &str) -> Result<Outcome, DecodeError> {
        let kind = self.payload.kind;
        let _ = Envelope::scan(text.as_bytes());
        let _ = Envelope::data_range(text.as_bytes());
        let (is_typed, debug) =
            corpus::read(&mut self.scratch, kind, text.as_bytes(), |event, root| {
                assert_eq!((event.kind(), root.name() == event.name()), (kind, true), "{text}");
                (!matches!(event, Event::Untyped(_)), format!("{event:?}"))
            })
            .inspect_err(|error| assert!(!error.to_string().is_empty()))?;
        let notes = self.scratch.notes();
        for note in notes.iter() {
            assert!(!note.object.is_empty() && !note.expected.to_string().is_empty(), "{note:?}");
        }
        assert_eq!(notes.count() > 0, notes.iter().next().is_some(), "{text}");
        for secret in &self.secrets {
            assert!(!debug.contains(secret.as_str()), "{secret} is printed: {debug}");
        }
        Ok(Outcome { is_typed, notes: notes.count(), debug })
    }

    /// As [`read`](Self::read), for what is spoilt inside of `d` and still JSON.
    fn read_event(&mut self, text: &str) -> Outcome {
        let got = self.read(text);
        got.unwrap_or_else(|error| panic!("{error}: {} as {text}", self.payload.name))
    }

    /// The payload as it is.
    fn whole(&mut self) -> Outcome {
        let whole = self.read_event(&self.payload.text);
        assert_eq!(whole.is_typed, self.payload.kind.is_typed(), "{}", self.payload.name);
        assert_eq!(whole.notes, 0, "{}", self.payload.name);
        whole
    }
}

/// The values of a payload that lie in `d`, or are it.
fn data_spots(payload: &Payload) -> Vec<Spot> {
    let spots = corpus::spots(&payload.text).into_iter();
    spots.filter(|spot| spot.pointer == "/d" || spot.pointer.starts_with("/d/")).collect()
}

/// Whether the place `at` of a payload is tried.
fn is_tried(payload: &Payload, at: usize) -> bool {
    payload.text.len() <= LARGE_LEN || at.is_multiple_of(LARGE_STRIDE)
}

#[test]
fn every_truncation_is_a_typed_error() {
    for payload in corpus::payloads() {
        let mut scratch = Scratch::new();
        let bytes = payload.text.as_bytes();
        for len in (0..bytes.len()).filter(|len| is_tried(&payload, *len)) {
            let cut = &bytes[..len];
            if let Ok(envelope) = Envelope::scan(cut) {
                assert!(envelope.t.is_none_or(|name| payload.name.starts_with(name)));
            }
            let _ = Envelope::data_range(cut);
            let got = corpus::read(&mut scratch, payload.kind, cut, |_, _| ());
            let name = &payload.name;
            assert!(matches!(got, Err(DecodeError::Json { .. })), "{name} at {len}: {got:?}");
            // What the shard hands on in its place.
            let event = Event::undecoded(payload.kind, payload.kind.name(), got.unwrap_err());
            assert_eq!(event.kind(), payload.kind);
        }
        // What was cut leaves nothing behind.
        assert_eq!(corpus::read(&mut scratch, payload.kind, bytes, |_, _| ()), Ok(()));
    }
}

#[test]
fn every_single_key_may_be_missing_and_at_most_one_costs_the_type() {
    let mut demanded: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut count = 0;
    for payload in &corpus::payloads() {
        let mut reader = Reader::new(payload);
        let whole = reader.whole();
        for spot in data_spots(payload) {
            let outcome = reader.read_event(&spot.removed(&payload.text));
            count += 1;
            if whole.is_typed && !outcome.is_typed {
                assert!(outcome.notes > 0, "{}{}: silently", payload.name, spot.pointer);
                let key = spot.pointer.split('/').nth(2).unwrap_or("").to_owned();
                demanded.entry(payload.kind.name()).or_default().insert(key);
            }
        }
    }
    assert!(count > 8000, "only {count} keys were taken away");
    for (kind, keys) in &mut demanded {
        keys.remove(""); // `d` itself
        assert!(keys.len() <= 1, "{kind} demands {keys:?}");
    }
}

#[test]
fn every_value_may_be_of_any_type_and_what_was_not_read_is_noted() {
    let mut count = 0;
    for payload in &corpus::payloads() {
        let mut reader = Reader::new(payload);
        let whole = reader.whole();
        for (at, spot) in data_spots(payload).iter().enumerate() {
            let place = format!("{}{}", payload.name, spot.pointer);
            let mut removed = None;
            for (n, value) in VALUES.iter().enumerate().filter(|(n, _)| is_tried(payload, at + n)) {
                let text = spot.replaced(&payload.text, value);
                count += 1;
                if *value == BEYOND_64_BITS {
                    let got = reader.read(&text).map(|outcome| outcome.notes);
                    assert!(
                        matches!(got, Ok(_) | Err(DecodeError::Json { .. })),
                        "{place} {got:?}"
                    );
                    continue;
                }
                let outcome = reader.read_event(&text);
                if outcome.is_typed != whole.is_typed {
                    assert!(outcome.notes > 0, "{place} = {value}: silently without its type");
                }
                if n >= VISIBLE || outcome.notes > 0 || !outcome.is_typed {
                    continue;
                }
                // No note: then it was kept, or the key is not read at all.
                let removed = removed
                    .get_or_insert_with(|| reader.read_event(&spot.removed(&payload.text)).debug);
                assert!(
                    outcome.debug != *removed || *removed == whole.debug,
                    "{place} = {value}: reads as missing and is not noted"
                );
            }
        }
    }
    assert!(count > 80_000, "only {count} values were tried");
}

#[test]
fn an_envelope_of_any_types_is_an_event_or_a_typed_error() {
    for payload in &corpus::payloads() {
        let mut reader = Reader::new(payload);
        for spot in corpus::spots(&payload.text) {
            if !["", "/t", "/s", "/op"].contains(&spot.pointer.as_str()) {
                continue;
            }
            for value in VALUES {
                let text = spot.replaced(&payload.text, value);
                let got = reader.scratch_kind(&text);
                let place = format!("{}{} = {value}: {got:?}", payload.name, spot.pointer);
                match got {
                    Ok(is_kind) => assert!(is_kind, "{place}"),
                    Err(DecodeError::Json { .. }) => assert_eq!(value, BEYOND_64_BITS, "{place}"),
                    Err(error) => {
                        assert!(spot.pointer.is_empty(), "{place}");
                        assert!(
                            matches!(error, DecodeError::Field { object: "payload", .. }),
                            "{place}"
                        );
                    }
                }
            }
        }
    }
}

impl Reader<'_> {
    /// Reads a text whose name may be another: whether the event is of the payload's kind.
    fn scratch_kind(&mut self, text: &str) -> Result<bool, DecodeError> {
        let kind = self.payload.kind;
        let _ = Envelope::scan(text.as_bytes());
        corpus::read(&mut self.scratch, kind, text.as_bytes(), |event, root| {
            let _ = (root.op(), root.seq(), format!("{root:?}"));
            event.kind() == kind && !format!("{event:?}").is_empty()
        })
    }
}

/// The documented type of each value in a payload's `d`, elements of lists and maps included.
fn types(schema: &Schema, payload: &Payload) -> BTreeMap<String, Type> {
    fn elements(ty: &Type, value: &Value, pointer: String, out: &mut BTreeMap<String, Type>) {
        match (ty, value) {
            (Type::List(inner), Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    elements(inner, value, format!("{pointer}/{index}"), out);
                }
            }
            (Type::Map(inner), Value::Object(map)) => {
                for (key, value) in map {
                    elements(inner, value, format!("{pointer}/{key}"), out);
                }
            }
            _ => {}
        }
        out.insert(pointer, ty.clone());
    }
    let mut types = BTreeMap::new();
    let whole: Value = serde_json::from_str(&payload.text).unwrap();
    schema.walk(payload.kind.name(), &whole["d"], &mut |visit| {
        if let Some(field) = visit.field {
            elements(&field.ty, visit.value, visit.pointer.to_owned(), &mut types);
        }
    });
    types
}

/// Changes every value of each payload for which `other` has another text, first all at once,
/// then one by one, and demands that it is read without a note. How many were changed.
fn each_reads_without_a_note(other: impl Fn(&Type, &str) -> Option<String>) -> usize {
    let schema = Schema::load();
    let mut count = 0;
    for payload in &corpus::payloads() {
        let types = types(&schema, payload);
        let changes: Vec<(Spot, String)> = data_spots(payload)
            .into_iter()
            .filter_map(|spot| {
                let value = other(types.get(&spot.pointer)?, &payload.text[spot.value.clone()])?;
                Some((spot, value))
            })
            .collect();
        let mut reader = Reader::new(payload);
        let whole = reader.whole();
        let mut all = payload.text.clone();
        for (spot, value) in changes.iter().rev() {
            all = spot.replaced(&all, value);
        }
        let mut texts = vec![("all".to_owned(), all)];
        texts.extend(
            changes.iter().enumerate().filter(|(at, _)| is_tried(payload, *at)).map(
                |(_, (spot, value))| (spot.pointer.clone(), spot.replaced(&payload.text, value)),
            ),
        );
        for (place, text) in texts {
            let outcome = reader.read_event(&text);
            let notes: Vec<_> = reader.scratch.notes().iter().collect();
            let is_same = (outcome.is_typed, outcome.notes) == (whole.is_typed, 0);
            assert!(is_same, "{} {place}: {notes:?} in {text}", payload.name);
        }
        count += changes.len();
    }
    count
}

#[test]
fn snowflakes_may_be_bare_integers_and_permissions_numbers() {
    let count = each_reads_without_a_note(|ty, text| match ty {
        Type::Snowflake | Type::Bits => Some(text.trim_matches('"').to_owned()),
        _ => None,
    });
    assert!(count > 2000, "only {count}");
    let count = each_reads_without_a_note(|ty, _| match ty {
        Type::Snowflake | Type::Bits => Some(u64::MAX.to_string()),
        _ => None,
    });
    assert!(count > 2000, "only {count}");
}

#[test]
fn values_and_bits_that_nobody_knows_are_no_fault() {
    let count = each_reads_without_a_note(|ty, _| match ty {
        Type::IntEnum(_) => Some("60000".to_owned()),
        Type::WordEnum(_) => Some("\"of_tomorrow\"".to_owned()),
        Type::Flags(_) => Some((1u64 << 62 | 1).to_string()),
        Type::Bits => Some(format!("\"{}\"", 1u64 << 63 | 1)),
        _ => None,
    });
    assert!(count > 1000, "only {count}");
}

#[test]
fn keys_that_nobody_knows_are_stepped_over() {
    let schema = Schema::load();
    let mut count = 0;
    for payload in &corpus::payloads() {
        let types = types(&schema, payload);
        let mut text = payload.text.clone();
        for spot in data_spots(payload).iter().rev() {
            let is_map = matches!(types.get(&spot.pointer), Some(Type::Map(_)));
            if !text[spot.value.clone()].starts_with('{') || is_map {
                continue;
            }
            let at = spot.value.start + 1;
            let comma = if text[at..].starts_with('}') { "" } else { "," };
            text.insert_str(at, &format!(r#""of_tomorrow":{{"id":[1,null]}}{comma}"#));
            count += 1;
        }
        let mut reader = Reader::new(payload);
        let whole = reader.whole();
        let outcome = reader.read_event(&text);
        let is_same = (outcome.is_typed, outcome.notes) == (whole.is_typed, 0);
        assert!(is_same, "{}: {:?}", payload.name, reader.scratch.notes());
    }
    assert!(count > 1000, "only {count}");
}

#[test]
fn a_key_may_stand_there_twice() {
    for payload in &corpus::payloads() {
        let mut reader = Reader::new(payload);
        for (at, spot) in data_spots(payload).iter().enumerate() {
            if !spot.is_keyed || !is_tried(payload, at) {
                continue;
            }
            let text = &payload.text;
            let member = &text[spot.member.clone()];
            let key = spot.key();
            for twice in [
                format!("{member},{member}"),
                format!("\"{key}\":null,{member}"),
                format!("{member},\"{key}\":[[1]]"),
            ] {
                let (before, after) = (&text[..spot.member.start], &text[spot.member.end..]);
                reader.read_event(&[before, &twice, after].concat());
            }
        }
    }
}

#[test]
fn no_secret_is_printed_in_any_form() {
    let payloads = corpus::payloads();
    let secrets = corpus::secrets(&payloads);
    assert!(secrets.len() > 20, "{secrets:?}");
    let mut scratch = Scratch::new();
    for payload in &payloads {
        let mut shown = String::new();
        corpus::read(&mut scratch, payload.kind, payload.text.as_bytes(), |event, root| {
            shown += &format!("{event:?} {event:#?} {root:?} {:?}", root.data());
        })
        .unwrap();
        let raw = Event::raw(payload.kind, payload.kind.name(), payload.text.as_bytes());
        shown += &format!("{raw:?} {scratch:?}");
        for secret in &secrets {
            assert!(!shown.contains(secret.as_str()), "{}: {secret}", payload.name);
        }
    }
}

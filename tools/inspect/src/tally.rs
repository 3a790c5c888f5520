//! Decodes each payload through the library's public door and counts what came of it.

use crate::drift::Drift;
use crate::input::Document;
use crate::report::{KindReport, Quantiles, Report};
use crate::roundtrip::Differences;
use hdrhistogram::Histogram;
use serde_json::Value;
use shardring::decode::{PADDING, Scratch};
use shardring::model::{Event, EventKind};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Reads payloads and remembers how they were read.
pub(crate) struct Inspector {
    scratch: Scratch,
    buffer: Vec<u8>,
    kinds: BTreeMap<String, Tally>,
    drift: Drift,
    differences: Option<Differences>,
    /// Payloads that are no dispatch, by opcode.
    others: BTreeMap<String, u64>,
    /// Documents that are no payload: file, line and reason, the first few.
    broken: Vec<String>,
    broken_count: u64,
}

/// Where a document began.
#[derive(Clone, Copy)]
struct Place<'p> {
    file: &'p Path,
    line: u64,
}

/// How the events of a kind were read.
struct Tally {
    is_known: bool,
    count: u64,
    in_full: u64,
    partly: u64,
    untyped: u64,
    undecoded: u64,
    /// `Object.field: expected …`, so often.
    notes: BTreeMap<String, u64>,
    len: Histogram<u64>,
    time_ns: Histogram<u64>,
}

/// How one event was read.
enum Outcome {
    Typed,
    Untyped,
    Undecoded(String),
}

impl Inspector {
    pub(crate) fn new(roundtrip: bool) -> Self {
        Self {
            scratch: Scratch::new(),
            buffer: Vec::new(),
            kinds: BTreeMap::new(),
            drift: Drift::default(),
            differences: roundtrip.then(Differences::default),
            others: BTreeMap::new(),
            broken: Vec::new(),
            broken_count: 0,
        }
    }

    /// Reads one document of a file: a payload, or a line of a capture.
    pub(crate) fn see(&mut self, file: &Path, document: Document) {
        let place = Place { file, line: document.line };
        let value: Value = match serde_json::from_str(&document.text) {
            Ok(value) => value,
            Err(error) => return self.refuse(place, &error.to_string()),
        };
        match value {
            Value::Array(payloads) => {
                for payload in payloads {
                    self.see_payload(place, &payload.to_string(), payload);
                }
            }
            Value::Object(mut line) if line.contains_key("payload") && !line.contains_key("d") => {
                let payload = line.remove("payload").unwrap_or(Value::Null);
                self.see_payload(place, &payload.to_string(), payload);
            }
            payload => self.see_payload(place, document.text.trim(), payload),
        }
    }

    pub(crate) fn report(self) -> Report {
        let kinds = self.kinds.into_iter().map(|(name, tally)| tally.report(name)).collect();
        Report::new(
            kinds,
            self.drift,
            self.differences,
            self.others,
            self.broken,
            self.broken_count,
        )
    }

    fn see_payload(&mut self, place: Place<'_>, text: &str, value: Value) {
        let Value::Object(mut payload) = value else {
            return self.refuse(place, "no object");
        };
        let op = payload.get("op").cloned().unwrap_or(Value::Null);
        let name = payload.get("t").and_then(Value::as_str).unwrap_or("").to_owned();
        if name.is_empty() {
            return match op {
                Value::Number(op) => *self.others.entry(format!("opcode {op}")).or_default() += 1,
                _ => self.refuse(place, "neither `t` nor `op`: no payload"),
            };
        }
        let came = payload.remove("d").unwrap_or(Value::Null);
        self.see_event(&name, text, &came);
    }

    fn see_event(&mut self, name: &str, text: &str, came: &Value) {
        let len = text.len();
        self.buffer.clear();
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.resize(len + PADDING, 0);
        let kind = EventKind::from_name(name);
        let tally = self.kinds.entry(name.to_owned()).or_insert_with(|| Tally::new(kind));
        let (drift, differences) = (&mut self.drift, &mut self.differences);
        let began = Instant::now();
        let read = self.scratch.read(&mut self.buffer, len, |root| {
            let event = Event::decode(kind, root.name(), root.data());
            let took = began.elapsed();
            if let Some(shape) = kind.shape() {
                drift.see(root.json(), shape);
            }
            if let Some(differences) = differences
                && kind.is_typed()
            {
                // Fails for no event: every key is a string.
                let written = serde_json::to_value(event).unwrap_or(Value::Null);
                differences.see(name, came, &written, drift);
            }
            let is_untyped = matches!(event, Event::Untyped(_));
            (took, if is_untyped { Outcome::Untyped } else { Outcome::Typed })
        });
        let (took, outcome) =
            read.unwrap_or_else(|error| (began.elapsed(), Outcome::Undecoded(error.to_string())));
        // Values above the range count as its end.
        tally.len.saturating_record(len as u64);
        tally.time_ns.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        tally.count += 1;
        let notes = self.scratch.notes();
        match outcome {
            Outcome::Typed if notes.count() == 0 => tally.in_full += 1,
            Outcome::Typed => tally.partly += 1,
            Outcome::Untyped => tally.untyped += 1,
            Outcome::Undecoded(why) => {
                tally.undecoded += 1;
                return *tally.notes.entry(why).or_default() += 1;
            }
        }
        for note in notes.iter() {
            let why = format!("{}.{}: expected {}", note.object, note.field, note.expected);
            *tally.notes.entry(why).or_default() += 1;
        }
    }

    fn refuse(&mut self, place: Place<'_>, why: &str) {
        self.broken_count += 1;
        if self.broken.len() < BROKEN_MAX {
            self.broken.push(format!("{}:{}: {why}", place.file.display(), place.line));
        }
    }
}

impl Tally {
    fn new(kind: EventKind) -> Self {
        let histogram =
            |max| Histogram::new_with_bounds(1, max, 3).expect("the bounds are constants in order");
        Self {
            is_known: kind != EventKind::Unknown,
            count: 0,
            in_full: 0,
            partly: 0,
            untyped: 0,
            undecoded: 0,
            notes: BTreeMap::new(),
            len: histogram(1 << 32),
            time_ns: histogram(10_000_000_000),
        }
    }

    fn report(self, name: String) -> KindReport {
        KindReport {
            name,
            is_known: self.is_known,
            count: self.count,
            in_full: self.in_full,
            partly: self.partly,
            untyped: self.untyped,
            undecoded: self.undecoded,
            notes: self.notes,
            len: Quantiles::of(&self.len),
            decode_ns: Quantiles::of(&self.time_ns),
        }
    }
}

/// So many broken documents are named; the rest are counted.
const BROKEN_MAX: usize = 20;

//! What was found, as data: printed by the table, or written as JSON.

use crate::drift::Drift;
use crate::roundtrip::Differences;
use hdrhistogram::Histogram;
use serde::Serialize;
use shardring::decode::JsonKind;
use std::collections::BTreeMap;

/// All that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// By kind of event, in the order of their names.
    pub(crate) kinds: Vec<KindReport>,
    /// Keys that came and that the model does not know.
    pub(crate) unknown_keys: Vec<UnknownKey>,
    /// Values of enumerations that it does not name.
    pub(crate) unknown_values: Vec<UnknownValue>,
    /// Bits that it does not name.
    pub(crate) unknown_bits: Vec<UnknownBit>,
    /// Keys that came and are left out on purpose.
    pub(crate) omitted_keys: Vec<OmittedKey>,
    /// What was lost or changed when written out again; null if that was not asked for.
    pub(crate) roundtrip: Option<Roundtrip>,
    /// Payloads that are no dispatch, by opcode.
    pub(crate) other_payloads: BTreeMap<String, u64>,
    /// Documents that are no payload, and the first of them.
    pub(crate) broken_count: u64,
    pub(crate) broken: Vec<String>,
}

/// How the events of a kind were read.
#[derive(Debug, Serialize)]
pub(crate) struct KindReport {
    pub(crate) name: String,
    /// Whether the library knows the kind.
    pub(crate) is_known: bool,
    pub(crate) count: u64,
    /// Typed, every field read.
    pub(crate) full: u64,
    /// Typed, but for fields that could not be read.
    pub(crate) partly: u64,
    /// Not typed: kept as JSON.
    pub(crate) untyped: u64,
    /// No JSON.
    pub(crate) undecoded: u64,
    /// Why fields or events were not read, so often.
    pub(crate) notes: BTreeMap<String, u64>,
    /// Bytes of text.
    pub(crate) len: Quantiles,
    /// Nanoseconds from text to event.
    pub(crate) decode_ns: Quantiles,
}

/// What a histogram says, in short.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct UnknownKey {
    pub(crate) object: &'static str,
    pub(crate) key: String,
    pub(crate) count: u64,
    /// What sort of value stood there first.
    pub(crate) value: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct UnknownValue {
    pub(crate) of: &'static str,
    pub(crate) value: String,
    pub(crate) count: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct UnknownBit {
    pub(crate) of: &'static str,
    pub(crate) bit: u32,
    pub(crate) count: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct OmittedKey {
    pub(crate) object: &'static str,
    pub(crate) key: &'static str,
    pub(crate) count: u64,
    pub(crate) reason: &'static str,
}

/// What was lost or changed when written out again.
#[derive(Debug, Serialize)]
pub(crate) struct Roundtrip {
    pub(crate) compared: u64,
    /// Keys that the model knows and that were not written.
    pub(crate) lost: Vec<Difference>,
    /// Keys that it does not know, and that were not written therefore.
    pub(crate) unknown: Vec<Difference>,
    pub(crate) changed: Vec<Difference>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) event: String,
    /// `author.id`, `mentions[].id`.
    pub(crate) path: String,
    pub(crate) count: u64,
}

impl Report {
    pub(crate) fn new(
        kinds: Vec<KindReport>,
        drift: Drift,
        differences: Option<Differences>,
        other_payloads: BTreeMap<String, u64>,
        broken: Vec<String>,
        broken_count: u64,
    ) -> Self {
        let keys = drift.keys.into_iter().map(|((object, key), found)| UnknownKey {
            object,
            key,
            count: found.count,
            value: sort(found.kind),
        });
        let values = drift.values.into_iter();
        let bits = drift.bits.into_iter();
        let omitted = drift.omitted.into_iter();
        Self {
            kinds,
            unknown_keys: keys.collect(),
            unknown_values: values
                .map(|((of, value), count)| UnknownValue { of, value, count })
                .collect(),
            unknown_bits: bits.map(|((of, bit), count)| UnknownBit { of, bit, count }).collect(),
            omitted_keys: omitted
                .map(|((object, key), (count, reason))| OmittedKey { object, key, count, reason })
                .collect(),
            roundtrip: differences.map(|differences| Roundtrip {
                compared: differences.compared,
                lost: list(differences.lost),
                unknown: list(differences.unknown),
                changed: list(differences.changed),
            }),
            other_payloads,
            broken_count,
            broken,
        }
    }

    /// Whether every field that the model knows was read, and nothing was lost on the way out.
    pub(crate) fn is_whole(&self) -> bool {
        let is_read = |kind: &KindReport| {
            kind.partly == 0 && kind.undecoded == 0 && (kind.untyped == 0 || !kind.is_known)
        };
        let is_same = |trip: &Roundtrip| trip.lost.is_empty() && trip.changed.is_empty();
        self.broken_count == 0
            && self.kinds.iter().all(is_read)
            && self.roundtrip.as_ref().is_none_or(is_same)
    }

    /// Events in all.
    pub(crate) fn count(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.count).sum()
    }
}

impl Quantiles {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            max: histogram.max(),
        }
    }
}

fn list(differences: BTreeMap<(String, String), u64>) -> Vec<Difference> {
    let rows = differences.into_iter();
    rows.map(|((event, path), count)| Difference { event, path, count }).collect()
}

fn sort(kind: JsonKind) -> &'static str {
    match kind {
        JsonKind::Null => "null",
        JsonKind::Bool => "boolean",
        JsonKind::Number => "number",
        JsonKind::String => "string",
        JsonKind::Array => "array",
        JsonKind::Object => "object",
    }
}

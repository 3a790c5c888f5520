//! What was found, as data: printed by the table, or written as JSON.

use crate::drift::Drift;
use crate::roundtrip::Differences;
use hdrhistogram::Histogram;
use serde::Serialize;
use shardring::decode::JsonKind;
use std::collections::BTreeMap;
use std::fmt;

/// All that was found. The table says it in the same words.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// All in one word.
    pub(crate) verdict: Verdict,
    /// Why it is not whole.
    pub(crate) reasons: Vec<String>,
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
    /// Broken documents, which are no payload: how many, and the first of them by file and line.
    pub(crate) broken_count: u64,
    pub(crate) broken: Vec<String>,
}

/// What a report comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Verdict {
    /// Every field that the model knows was read, and nothing was lost on the way out.
    #[serde(rename = "whole")]
    Whole,
    /// There is a reason why not.
    #[serde(rename = "NOT whole")]
    NotWhole,
    /// There was no event.
    #[serde(rename = "nothing read")]
    NothingRead,
}

/// How the events of a kind were read.
#[derive(Debug, Serialize)]
pub(crate) struct KindReport {
    pub(crate) name: String,
    /// Whether the library knows the kind.
    pub(crate) is_known: bool,
    pub(crate) count: u64,
    /// Typed, every field read.
    pub(crate) in_full: u64,
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
    /// Values that were written otherwise, and keys that were written though they never came.
    pub(crate) changed: Vec<Difference>,
    /// Keys that it does not know, and that were not written therefore.
    pub(crate) unknown: Vec<Difference>,
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
        let mut report = Self {
            verdict: Verdict::Whole,
            reasons: Vec::new(),
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
        };
        report.judge();
        report
    }

    fn judge(&mut self) {
        let sum = |of: fn(&KindReport) -> u64| self.kinds.iter().map(of).sum::<u64>();
        // An event of a kind that is not known is untyped by nobody's fault.
        let untyped = sum(|kind| if kind.is_known { kind.untyped } else { 0 });
        let rows = |of: fn(&Roundtrip) -> &[Difference]| {
            let rows = self.roundtrip.as_ref().map_or(&[][..], of);
            rows.iter().map(|row| row.count).sum::<u64>()
        };
        self.reasons = [
            (self.broken_count, "broken documents"),
            (sum(|kind| kind.undecoded), "events undecoded"),
            (untyped, "events untyped"),
            (sum(|kind| kind.partly), "events partly read"),
            (rows(|trip| &trip.lost), "keys lost"),
            (rows(|trip| &trip.changed), "values changed"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what}: {count}"))
        .collect();
        self.verdict = match self.reasons.is_empty() {
            false => Verdict::NotWhole,
            true if self.count() == 0 => Verdict::NothingRead,
            true => Verdict::Whole,
        };
    }

    /// Events in all.
    pub(crate) fn count(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.count).sum()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "whole",
            Self::NotWhole => "NOT whole",
            Self::NothingRead => "nothing read",
        })
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

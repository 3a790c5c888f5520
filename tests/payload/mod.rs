//! Payloads for the tests of decoding: the corpus, random ones, and one read as the shard does.

#![allow(dead_code)] // Each test binary uses its part.

#[path = "../support/corpus.rs"]
mod files;

use serde_json::{Map, Number, Value};
use shardring::decode::{DecodeError, Scratch};
use shardring::model::{Event, EventKind};
use std::fmt::Write;

/// Name and text of each payload of the corpus, sorted.
pub(crate) fn corpus() -> Vec<(String, String)> {
    let payloads = files::payloads();
    assert!(payloads.len() >= 79, "the corpus was read");
    payloads.into_iter().map(|payload| (payload.name, payload.text)).collect()
}

/// Reads one payload as the shard does, and hands the event to `visit`.
pub(crate) fn read<R>(
    scratch: &mut Scratch,
    text: &str,
    visit: impl for<'a> FnOnce(Event<'a>) -> R,
) -> Result<R, DecodeError> {
    files::parse(scratch, text.as_bytes(), |root| {
        visit(Event::decode(EventKind::from_name(root.name()), root.name(), root.data()))
    })
}

/// Reads `data` as the `d` of an event without a type.
pub(crate) fn with_data<R>(data: &str, visit: impl for<'a> FnOnce(Event<'a>) -> R) -> R {
    let text = format!(r#"{{"op":0,"s":1,"t":"SOMETHING_NEW","d":{data}}}"#);
    read(&mut Scratch::new(), &text, visit).unwrap()
}

/// Random numbers; the same ones for the same seed (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    /// Any value of JSON that a tape can hold, at most `depth` levels deep.
    pub(crate) fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 | 3 => self.number(),
            4 | 5 => Value::String(self.text()),
            6 | 7 => {
                let len = self.below(7);
                Value::Array((0..len).map(|_| self.value(depth - 1)).collect())
            }
            _ => {
                let len = self.below(7);
                let entries = (0..len).map(|_| (self.text(), self.value(depth - 1)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    fn number(&mut self) -> Value {
        let bits = self.next();
        let int = bits >> self.below(64);
        match self.below(6) {
            0 | 1 => int.into(),
            2 => [-((int >> 1) as i64), i64::MIN, -1, -16][self.below(4)].into(),
            3 => [u64::MAX, i64::MAX as u64, 1 << 63, 0, 15, 64][self.below(6)].into(),
            4 => ODD_FLOATS[self.below(ODD_FLOATS.len())].into(),
            _ => Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number),
        }
    }

    fn text(&mut self) -> String {
        let bound = if self.below(8) == 0 { 3000 } else { 24 };
        let len = self.below(bound);
        (0..len).map(|_| ODD_CHARS[self.below(ODD_CHARS.len())]).collect()
    }

    /// `value` as text, escaped now so and now so.
    pub(crate) fn write(&mut self, value: &Value, out: &mut String) {
        match value {
            Value::String(text) => self.write_text(text, out),
            Value::Array(list) => {
                out.push('[');
                for (at, value) in list.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { " , " });
                    self.write(value, out);
                }
                out.push(']');
            }
            Value::Object(map) => {
                out.push('{');
                for (at, (key, value)) in map.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ",\n" });
                    self.write_text(key, out);
                    out.push(':');
                    self.write(value, out);
                }
                out.push('}');
            }
            scalar => write!(out, "{scalar}").unwrap(),
        }
    }

    fn write_text(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for char in text.chars() {
            if char < ' ' || char == '"' || char == '\\' || self.below(6) == 0 {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04X}").unwrap();
                }
            } else {
                out.push(char);
            }
        }
        out.push('"');
    }
}

/// Quotes, controls, one to four bytes of UTF-8, both ends of the surrogates.
const ODD_CHARS: [char; 20] = [
    'a',
    'Z',
    '0',
    ' ',
    '"',
    '\\',
    '/',
    '\n',
    '\t',
    '\0',
    '\u{1f}',
    '\u{7f}',
    '\u{80}',
    'ß',
    '\u{7ff}',
    '\u{800}',
    '\u{d7ff}',
    '\u{e000}',
    '\u{10000}',
    '\u{10ffff}',
];

const ODD_FLOATS: [f64; 9] =
    [0.0, -0.0, 1.0, -1.5, 1e300, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN];

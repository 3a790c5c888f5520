//! The corpus, mutated at random but from a seed, through the shard's door: never a panic, an
//! event of the kind that was asked for or a typed error, and JSON out again where JSON went in.
//!
//! serde_json is the second opinion on what is JSON and on what stands in it. A few seconds by
//! default; `SHARDRING_FUZZ_ITERATIONS` and `SHARDRING_FUZZ_SEED` make it longer and another. A
//! failure prints seed, iteration and text. `fuzz/` has targets for a fuzzer that is guided.

#[path = "support/corpus.rs"]
mod corpus;

use corpus::{Payload, Spot};
use serde_json::Value;
use shardring::decode::{DEPTH_MAX, DecodeError, Envelope, Scratch};
use shardring::model::EventKind;
use std::env;

/// Iterations, unless the environment says otherwise.
const ITERATIONS: u64 = 10_000;
/// A text that has grown longer is not mutated further.
const LEN_MAX: usize = 48 * 1024;
/// Every so often an untouched payload is read with the scratch that saw all the others.
const CHECK_EVERY: u64 = 32;

/// What numbers, strings and the rest look like at their edges. All of it is JSON.
const EDGES: [&str; 34] = [
    "0",
    "-0",
    "1",
    "-1",
    "255",
    "256",
    "65535",
    "65536",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1e1",
    "1E-400",
    "5e-324",
    "1.7976931348623157e308",
    "0.1",
    "-0.0",
    "true",
    "false",
    "null",
    "\"\"",
    "\"18446744073709551616\"",
    "\"0\"",
    "\"\\u0000\"",
    "\"\\uD83D\\uDE00\\\\\\\"\\/\"",
    "\"2026-13-99T99:99:99.999999999+99:99\"",
    "{}",
    "[]",
    "[[],{},[null]]",
];

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'s, T>(&mut self, of: &'s [T]) -> &'s T {
        &of[self.below(of.len())]
    }
}

/// The payloads and where their values stand.
struct Seeds {
    payloads: Vec<(Payload, Vec<Spot>)>,
    keys: Vec<String>,
}

impl Seeds {
    fn load() -> Self {
        let payloads: Vec<_> = corpus::payloads()
            .into_iter()
            .map(|payload| (corpus::spots(&payload.text), payload))
            .map(|(spots, payload)| (payload, spots))
            .collect();
        let spots = payloads.iter().flat_map(|(_, spots)| spots);
        let mut keys: Vec<_> =
            spots.filter(|spot| spot.is_keyed).map(|spot| spot.key().to_owned()).collect();
        keys.sort();
        keys.dedup();
        Self { payloads, keys }
    }

    /// The text of some value of some payload.
    fn value(&self, random: &mut Random) -> &str {
        let (payload, spots) = random.pick(&self.payloads);
        &payload.text[random.pick(spots).value.clone()]
    }

    /// `text` with one thing in it changed; JSON stays JSON.
    fn change(&self, random: &mut Random, text: &str, spots: &[Spot]) -> String {
        let spot = random.pick(spots);
        let member = &text[spot.member.clone()];
        let around =
            |inside: &str| [&text[..spot.member.start], inside, &text[spot.member.end..]].concat();
        match random.below(9) {
            0 if !spot.pointer.is_empty() => spot.removed(text),
            1 if !spot.pointer.is_empty() => around(&format!("{member},{member}")),
            2 if spot.is_keyed => {
                around(&format!("\"{}\":{}", random.pick(&self.keys), &text[spot.value.clone()]))
            }
            3 => {
                let levels = 1 + random.below(2 * DEPTH_MAX);
                let (open, close) = *random.pick(&[
                    ("[", "]"),
                    ("{\"a\":", "}"),
                    ("{\"components\":[", "]}"),
                    ("{\"id\":\"1\",\"referenced_message\":", "}"),
                    ("{\"type\":17,\"components\":[", "]}"),
                ]);
                let value = &text[spot.value.clone()];
                let nested = [&open.repeat(levels), value, &close.repeat(levels)].concat();
                spot.replaced(text, &nested)
            }
            4 => {
                // A list of many, or a string that is long.
                let value = &text[spot.value.clone()];
                let times = 1 + random.below(4000 / value.len().max(1));
                spot.replaced(text, &format!("[{}{value}]", format!("{value},").repeat(times)))
            }
            5 if spot.is_keyed => {
                let other = random.pick(spots);
                spot.replaced(text, &text[other.value.clone()])
            }
            6 | 7 => spot.replaced(text, random.pick::<&str>(&EDGES)),
            _ => spot.replaced(text, self.value(random)),
        }
    }

    /// A payload with one to four things changed: the text, and the kind to read it as.
    fn mutate(&self, random: &mut Random) -> (EventKind, Vec<u8>) {
        let (payload, spots) = random.pick(&self.payloads);
        let mut text = self.change(random, &payload.text, spots);
        for _ in 0..random.below(4) {
            if text.len() < LEN_MAX {
                text = self.change(random, &text, &corpus::spots(&text));
            }
        }
        let kind = if random.below(8) == 0 { *random.pick(EventKind::ALL) } else { payload.kind };
        let mut bytes = text.into_bytes();
        if random.below(3) == 0 {
            for _ in 0..=random.below(3) {
                self.damage(random, &mut bytes);
            }
        }
        (kind, bytes)
    }

    /// Changes bytes without regard to what they mean.
    fn damage(&self, random: &mut Random, bytes: &mut Vec<u8>) {
        const BYTES: &[u8] = b"{}[]\",:\\u0019-+.eEntfal \n\x00\x1f\x7f\x80\xc0\xed\xf4\xff";
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => {
                let (other, _) = random.pick(&self.payloads);
                bytes.truncate(at);
                bytes.extend_from_slice(&other.text.as_bytes()[random.below(other.text.len())..]);
            }
            2 => bytes.insert(at, *random.pick(BYTES)),
            3 if !bytes.is_empty() => drop(bytes.remove(at)),
            4 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            _ if !bytes.is_empty() => bytes[at] = *random.pick(BYTES),
            _ => {}
        }
    }
}

/// Of a text that is JSON: how deep it nests, and whether it has a number that may be an integer
/// beyond 64 bits or no finite double. By the text, since a `Value` forgets the first of two
/// members of one name.
fn shape(text: &[u8]) -> (usize, bool) {
    let (mut depth, mut deepest, mut has_huge) = (0usize, 0, false);
    let (mut at, mut digits) = (0, 0);
    while at < text.len() {
        digits = if text[at].is_ascii_digit() { digits + 1 } else { 0 };
        match text[at] {
            b'"' => {
                at += 1;
                while text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            byte => has_huge |= digits >= 19 || matches!(byte, b'e' | b'E') && at_number(text, at),
        }
        deepest = deepest.max(depth);
        at += 1;
    }
    (deepest, has_huge)
}

/// Whether the letter at `at` is the exponent's of a number, not one of `true` or `false`.
fn at_number(text: &[u8], at: usize) -> bool {
    at > 0 && text[at - 1].is_ascii_digit()
}

/// Whether two values are the same, but for the last digit of a double and for `-0`.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let pairs = || a.iter().map(|(key, a)| (a, b.get(key)));
            a.len() == b.len() && pairs().all(|(a, b)| b.is_some_and(|b| is_same(a, b)))
        }
        (Value::Number(a), Value::Number(b)) if a != b => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= a.abs() * 1e-14
        }
        (a, b) => a == b,
    }
}

/// Reads one text and holds what came of it to the second opinion. Whether it was an event.
fn check(scratch: &mut Scratch, kind: EventKind, text: &[u8]) -> bool {
    let _ = Envelope::scan(text);
    let _ = Envelope::data_range(text);
    let got = corpus::read(scratch, kind, text, |event, root| {
        assert_eq!(event.kind(), kind);
        assert!(!format!("{event:?}").is_empty());
        root.json().to_string()
    });
    let second = serde_json::from_slice::<Value>(text);
    match (got, second) {
        (Ok(json), Ok(second)) => {
            assert!(shape(text).0 <= DEPTH_MAX);
            let again: Value = serde_json::from_str(&json).unwrap();
            let d = second.get("d").unwrap_or(&Value::Null);
            assert!(is_same(&again, d), "{again} is not {d}");
            true
        }
        (Ok(_), Err(error)) => panic!("read as an event, though it is no JSON: {error}"),
        (Err(error), Ok(second)) => {
            let is_right = match error {
                DecodeError::Depth { .. } => shape(text).0 > DEPTH_MAX,
                DecodeError::Field { object: "payload", .. } => !second.is_object(),
                DecodeError::Json { .. } => shape(text).1,
                _ => false,
            };
            assert!(is_right, "{error}, though it is JSON");
            false
        }
        (Err(error), Err(_)) => {
            assert!(!format!("{error} {error:?}").is_empty());
            false
        }
    }
}

/// Prints what was read when a panic went through.
struct Culprit<'t> {
    seed: u64,
    iteration: u64,
    kind: EventKind,
    text: &'t [u8],
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, iteration, kind, text } = self;
            let text = String::from_utf8_lossy(text);
            eprintln!("seed {seed}, iteration {iteration}, as {kind}:\n{text}");
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn mutated_payloads_are_events_or_typed_errors() {
    let (iterations, seed) =
        (setting("SHARDRING_FUZZ_ITERATIONS", ITERATIONS), setting("SHARDRING_FUZZ_SEED", 1));
    let seeds = Seeds::load();
    let mut random = Random(seed);
    let mut scratch = Scratch::new();
    let mut events = 0;
    for iteration in 0..iterations {
        let (kind, text) = seeds.mutate(&mut random);
        let _culprit = Culprit { seed, iteration, kind, text: &text };
        events += u64::from(check(&mut scratch, kind, &text));
        if iteration % CHECK_EVERY == 0 {
            let (payload, _) = random.pick(&seeds.payloads);
            assert!(check(&mut scratch, payload.kind, payload.text.as_bytes()), "{}", payload.name);
            assert_eq!(scratch.notes().count(), 0, "{}", payload.name);
        }
    }
    eprintln!("seed {seed}: {iterations} texts, {events} of them events");
    assert!(events > iterations / 4 && events < iterations, "{events} events");
}

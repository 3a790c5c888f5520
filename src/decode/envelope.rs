//! The envelope `{op, d, s, t}`, read from the raw text without parsing `d`.
//!
//! What the shard must know of every payload, wanted or not, costs some tens of nanoseconds here
//! instead of a parse. Any order of keys is read, any of them may be missing, null, or of a
//! type that makes no sense (then it is `None`); unknown keys are stepped over. Where `d` comes
//! before `s` or `t` (`op,d,s,t`, the order of Discord's documents), the end of the text is tried
//! first, and only then is `d` stepped through. `d` itself is never judged: its brackets
//! are counted, no more, so a payload that scans may still fail to parse.
//!
//! Never allocates, never recurses; each loop is bounded by the text, and the number of keys by
//! [`KEYS_MAX`]. How a key and a value are stepped over stands in `scan`, which looks into `d`.
//! Called by the shard for each message.

use super::scan::{Members, unsigned};
use std::fmt;
use std::ops::Range;

/// The envelope of a payload (protocol section 1).
///
/// ```
/// use shardring::decode::Envelope;
///
/// let envelope = Envelope::scan(br#"{"t":"TYPING_START","s":4,"op":0,"d":{"any":["thing"]}}"#)?;
/// assert_eq!(envelope, Envelope { op: Some(0), s: Some(4), t: Some("TYPING_START") });
/// # Ok::<(), shardring::decode::EnvelopeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope<'t> {
    /// The opcode; `None` if missing, null or no unsigned integer of 64 bits.
    pub op: Option<u64>,
    /// The sequence number; `None` if missing, null or no unsigned integer of 64 bits.
    pub s: Option<u64>,
    /// The event's name; `None` if missing, null or no string. A name that holds escapes comes
    /// with them, one that is not UTF-8 comes empty: either way a name that nobody knows.
    pub t: Option<&'t str>,
}

/// Why an envelope could not be read. The peer's fault; nothing of the payload is known then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The text is no JSON object.
    NotAnObject,
    /// The text ends inside the object.
    Truncated,
    /// Something else than JSON asks for stands here.
    Syntax {
        /// Byte offset.
        at: usize,
    },
    /// More than [`KEYS_MAX`] keys.
    TooManyKeys,
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("the peer sent a payload that is no JSON object"),
            Self::Truncated => f.write_str("the peer sent a payload that ends inside its object"),
            Self::Syntax { at } => write!(f, "the peer sent a broken envelope (byte {at})"),
            Self::TooManyKeys => write!(f, "the peer sent an envelope of over {KEYS_MAX} keys"),
        }
    }
}

impl std::error::Error for EnvelopeError {}

impl<'t> Envelope<'t> {
    /// Reads `op`, `s` and `t`. Stops as soon as it has all three, so text behind that is not
    /// looked at. Of a key that stands there twice either may be taken.
    ///
    /// # Errors
    /// [`EnvelopeError`], when what was looked at is no object.
    pub fn scan(text: &'t [u8]) -> Result<Self, EnvelopeError> {
        let mut envelope = Self::default();
        let mut seen = 0;
        let mut tail_tried = false;
        let mut members = Members::open(text, KEYS_MAX)?;
        while seen != OP | S | T {
            let Some((key, _)) = members.key()? else { break };
            let bit = match key {
                b"op" => OP,
                b"s" => S,
                b"t" => T,
                b"d" if !tail_tried => {
                    tail_tried = true;
                    if envelope.take_tail(text, &mut seen) {
                        break;
                    }
                    0
                }
                _ => 0,
            };
            let value = &text[members.value()?];
            envelope.put(bit, value);
            seen |= bit;
        }
        Ok(envelope)
    }

    /// Where the value of `d` lies in `text`, white space trimmed; `None` if there is no `d`.
    /// Steps through all of it: some hundreds of nanoseconds per kilobyte.
    ///
    /// # Errors
    /// [`EnvelopeError`], when the text up to the end of `d` is no object.
    pub fn data_range(text: &[u8]) -> Result<Option<Range<usize>>, EnvelopeError> {
        let mut members = Members::open(text, KEYS_MAX)?;
        while let Some((key, _)) = members.key()? {
            let value = members.value()?;
            if key == b"d" {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn put(&mut self, bit: u8, value: &'t [u8]) {
        match bit {
            OP => self.op = unsigned(value),
            S => self.s = unsigned(value),
            T => self.t = string(value),
            _ => {}
        }
    }

    /// Reads `"s":…` and `"t":…` backwards from the end of the text, as far as they stand there;
    /// whether `op`, `s` and `t` are all known then.
    ///
    /// Sound for every text that is JSON: the last `}` closes the envelope, so a member that ends
    /// right before it belongs to the envelope; and the quote behind a comma cannot be the end of
    /// a string, since then `s` or `t` would stand between two tokens.
    fn take_tail(&mut self, text: &'t [u8], seen: &mut u8) -> bool {
        let mut found = *self;
        let mut bits = *seen;
        let mut rest = text.trim_ascii_end();
        match rest.split_last() {
            Some((b'}', before)) => rest = before,
            _ => return false,
        }
        while bits != OP | S | T {
            let from = match rest.last() {
                Some(b'"') => match rest[..rest.len() - 1].iter().rposition(|&b| b == b'"') {
                    Some(quote) => quote,
                    None => return false,
                },
                Some(byte) if byte.is_ascii_digit() => {
                    rest.iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |at| at + 1)
                }
                Some(b'l') if rest.ends_with(b"null") => rest.len() - 4,
                _ => return false,
            };
            let (before, value) = rest.split_at(from);
            let bit = if before.ends_with(b",\"s\":") {
                S
            } else if before.ends_with(b",\"t\":") {
                T
            } else {
                return false;
            };
            if bits & bit == 0 {
                found.put(bit, value);
            }
            bits |= bit;
            rest = &before[..before.len() - 5];
        }
        *self = found;
        *seen = bits;
        true
    }
}

const OP: u8 = 1;
const S: u8 = 2;
const T: u8 = 4;

fn string(value: &[u8]) -> Option<&str> {
    match value {
        [b'"', name @ .., b'"'] => Some(std::str::from_utf8(name).unwrap_or("")),
        _ => None,
    }
}

/// An envelope has four keys; one of more than so many is refused.
pub const KEYS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Envelope<'_>, EnvelopeError> {
        Envelope::scan(text.as_bytes())
    }

    #[test]
    fn wrong_types_read_as_missing() {
        let none = Envelope::default();
        assert_eq!(scan("{}"), Ok(none));
        assert_eq!(scan(r#"{"op":null,"s":null,"t":null}"#), Ok(none));
        assert_eq!(scan(r#"{"op":"0","s":-1,"t":[1]}"#), Ok(none));
        assert_eq!(scan(r#"{"op":1.5,"s":18446744073709551616,"t":{}}"#), Ok(none));
        assert_eq!(scan(r#"{"s":18446744073709551615}"#).unwrap().s, Some(u64::MAX));
        assert_eq!(scan(r#" { "s" : 0 , "op" : 0 } "#).unwrap().s, Some(0));
    }

    #[test]
    fn the_tail_is_believed_only_where_it_belongs_to_the_envelope() {
        for (text, s, t) in [
            (r#"{"op":0,"d":{},"s":1,"t":"A"}"#, Some(1), Some("A")),
            (r#"{"op":0,"d":{},"t":"A","s":1}"#, Some(1), Some("A")),
            (r#"{"op":0,"t":"A","d":[],"s":1}"#, Some(1), Some("A")),
            (r#"{"op":0,"d":{},"s":null,"t":null}"#, None, None),
            (r#"{"op":0,"d":{"x":0,"s":1,"t":"A"}}"#, None, None),
            (r#"{"op":0,"d":",\"s\":1,\"t\":\"A\"","t":"B"}"#, None, Some("B")),
            (r#"{"d":{"op":9,"s":1,"t":"A"},"s":2,"t":"B"}"#, Some(2), Some("B")),
            (r#"{"op":0,"d":{},"z":1,"s":1,"t":"A","y":"\"t\":\"B\""}"#, Some(1), Some("A")),
        ] {
            let envelope = scan(text).unwrap();
            assert_eq!((envelope.s, envelope.t), (s, t), "{text}");
        }
    }

    #[test]
    fn names_with_escapes_or_bad_utf8_are_names_that_nobody_knows() {
        assert_eq!(scan(r#"{"t":"RE\u0041DY"}"#).unwrap().t, Some(r"RE\u0041DY"));
        assert_eq!(Envelope::scan(b"{\"t\":\"\xFF\",\"s\":1}").unwrap().t, Some(""));
    }

    #[test]
    fn broken_envelopes_are_typed_errors() {
        use EnvelopeError::*;
        for (text, error) in [
            ("", NotAnObject),
            ("[]", NotAnObject),
            ("{", Truncated),
            (r#"{"op"#, Truncated),
            (r#"{"op":"#, Truncated),
            (r#"{"op":1"#, Truncated),
            (r#"{"t":"a\"#, Truncated),
            (r#"{"d":{"a":["#, Truncated),
            (r#"{"op" 1}"#, Syntax { at: 6 }),
            (r#"{"op":1 "s":1}"#, Syntax { at: 8 }),
            (r#"{,"op":1}"#, Syntax { at: 1 }),
            (r#"{"d":}"#, Syntax { at: 5 }),
        ] {
            assert_eq!(scan(text), Err(error), "{text}");
        }
        let many = format!("{{{}\"op\":1}}", r#""a":1,"#.repeat(KEYS_MAX));
        assert_eq!(scan(&many), Err(TooManyKeys));
    }

    #[test]
    fn the_range_of_d_is_exact() {
        for (text, data) in [
            (r#"{"op":0,"d": {"a":"}"} ,"s":1}"#, Some(r#"{"a":"}"}"#)),
            (r#"{"d":"a\"b","op":0}"#, Some(r#""a\"b""#)),
            (r#"{"op":11}"#, None),
            (r#"{"op":9,"d":false}"#, Some("false")),
        ] {
            let range = Envelope::data_range(text.as_bytes()).unwrap();
            assert_eq!(range.map(|range| &text[range]), data, "{text}");
        }
    }
}

//! The members of an object in the raw text: one key, one value after the other, nothing parsed.
//!
//! [`Members`] is what the envelope is read by. [`DataScan`] looks into `d` for those who want to
//! know a key or two of an event before it is parsed, or instead. It is strict where the envelope
//! is loose: whatever could mean something else than it seems is a [`Doubt`]. It knows no key of
//! any event, and does not judge what it steps over (brackets are counted, no more).
//!
//! Never allocates, never recurses; each loop is bounded by the text, and the number of keys by
//! [`KEYS_MAX`] and [`DATA_KEYS_MAX`]. Called by `envelope` and by the content filter.

use super::{EnvelopeError, KEYS_MAX, skip};
use std::ops::Range;

/// The top-level keys of `d`, and those of an object among its values.
///
/// Order of calls: [`key`](Self::key), then [`value`](Self::value) or [`inside`](Self::inside),
/// until there is no key; then [`close`](Self::close).
#[derive(Debug)]
pub(crate) struct DataScan<'t> {
    envelope: Members<'t>,
    data: Members<'t>,
    /// `t` stood before `d`.
    has_name: bool,
}

/// The text may mean something else than it seems: it is broken, a key holds escapes, a key of the
/// envelope stands there twice, or `d` is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubt;

impl From<EnvelopeError> for Doubt {
    fn from(_: EnvelopeError) -> Self {
        Self
    }
}

impl<'t> DataScan<'t> {
    /// Goes to the first key of `d`.
    pub(crate) fn open(text: &'t [u8]) -> Result<Self, Doubt> {
        let mut envelope = Members::open(text, KEYS_MAX)?;
        let mut has_name = false;
        loop {
            match envelope.plain_key()?.ok_or(Doubt)? {
                b"d" => break,
                b"t" if has_name => return Err(Doubt),
                b"t" => has_name = true,
                _ => {}
            }
            envelope.value()?;
        }
        let data = envelope.enter(DATA_KEYS_MAX)?;
        Ok(Self { envelope, data, has_name })
    }

    /// The next key of `d`; `None` at its end.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Option<&'t [u8]>, Doubt> {
        self.data.plain_key()
    }

    /// The value behind the key that came last.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<Value<'t>, Doubt> {
        let range = self.data.value()?;
        Ok(Value(&self.data.text[range]))
    }

    /// The value behind the key that came last, which is to be an object: `visit` gets each of its
    /// members.
    pub(crate) fn inside(
        &mut self,
        mut visit: impl FnMut(&'t [u8], Value<'t>) -> Result<(), Doubt>,
    ) -> Result<(), Doubt> {
        let mut inner = self.data.enter(DATA_KEYS_MAX)?;
        while let Some(key) = inner.plain_key()? {
            let range = inner.value()?;
            visit(key, Value(&inner.text[range]))?;
        }
        self.data.leave(inner);
        Ok(())
    }

    /// After the last key of `d`: sees to it that the text ends as an envelope does, and that `d`
    /// stood there once.
    pub(crate) fn close(self) -> Result<(), Doubt> {
        let Self { mut envelope, data, mut has_name } = self;
        envelope.leave(data);
        while let Some(key) = envelope.plain_key()? {
            match key {
                b"d" => return Err(Doubt),
                b"t" if has_name => return Err(Doubt),
                b"t" => has_name = true,
                _ => {}
            }
            envelope.value()?;
        }
        match envelope.text[envelope.at + 1..].trim_ascii().is_empty() {
            true => Ok(()),
            false => Err(Doubt),
        }
    }
}

/// The text of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'t>(&'t [u8]);

impl<'t> Value<'t> {
    /// The text, as it stands there.
    pub(crate) fn raw(self) -> &'t [u8] {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == b"null"
    }

    pub(crate) fn is_true(self) -> bool {
        self.0 == b"true"
    }

    /// An unsigned number as ids come: in a string, or bare. As the model reads them.
    #[inline]
    pub(crate) fn id(self) -> Option<u64> {
        match self.0 {
            [b'"', digits @ .., b'"'] => unsigned(digits),
            _ => self.number(),
        }
    }

    /// An unsigned number, bare.
    #[inline]
    pub(crate) fn number(self) -> Option<u64> {
        match self.0 {
            [b'0', _, ..] => None, // no number in JSON
            digits => unsigned(digits),
        }
    }

    /// A string; `None` if it is none, or is not UTF-8.
    pub(crate) fn text(self) -> Option<ScannedText<'t>> {
        let [b'"', raw @ .., b'"'] = self.0 else { return None };
        let plain_len = raw.iter().position(|byte| *byte == b'\\').unwrap_or(raw.len());
        let head = std::str::from_utf8(&raw[..plain_len]).ok()?;
        Some(ScannedText { head, is_whole: plain_len == raw.len() })
    }
}

/// A string of which escapes are not undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScannedText<'t> {
    /// What stands before the first escape.
    pub(crate) head: &'t str,
    /// There is no escape; otherwise at least one character more belongs to it.
    pub(crate) is_whole: bool,
}

/// The members of an object, one key and one value after the other.
#[derive(Debug)]
pub(super) struct Members<'t> {
    text: &'t [u8],
    at: usize,
    keys: usize,
    keys_max: usize,
}

impl<'t> Members<'t> {
    pub(super) fn open(text: &'t [u8], keys_max: usize) -> Result<Self, EnvelopeError> {
        let mut members = Self { text, at: 0, keys: 0, keys_max };
        members.skip_space();
        if members.peek() != Some(b'{') {
            return Err(EnvelopeError::NotAnObject);
        }
        members.at += 1;
        Ok(members)
    }

    /// The next key, without its quotes and with its escapes, and whether it has any; `None` at
    /// the end of the object, with the cursor at its brace. Otherwise it stands behind the colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Option<(&'t [u8], bool)>, EnvelopeError> {
        self.skip_space();
        match self.peek() {
            Some(b'}') => return Ok(None),
            Some(b',') if self.keys > 0 => {
                self.at += 1;
                self.skip_space();
            }
            _ if self.keys > 0 => return Err(self.fault()),
            _ => {}
        }
        self.keys += 1;
        if self.keys > self.keys_max {
            return Err(EnvelopeError::TooManyKeys);
        }
        if self.peek() != Some(b'"') {
            return Err(self.fault());
        }
        let from = self.at + 1;
        let (behind, has_escapes) = skip::string(self.text, self.at)?;
        self.at = behind;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(Some((&self.text[from..behind - 1], has_escapes)))
    }

    /// The next key, if it has no escapes.
    #[inline]
    fn plain_key(&mut self) -> Result<Option<&'t [u8]>, Doubt> {
        match self.key()? {
            Some((_, true)) => Err(Doubt),
            Some((key, false)) => Ok(Some(key)),
            None => Ok(None),
        }
    }

    /// Steps over the next value: where it lies.
    #[inline]
    pub(super) fn value(&mut self) -> Result<Range<usize>, EnvelopeError> {
        self.skip_space();
        let from = self.at;
        self.at = match self.peek() {
            Some(b'"') => skip::string(self.text, from)?.0,
            Some(b'{' | b'[') => skip::nested(self.text, from)?,
            Some(byte) if byte == b'-' || byte.is_ascii_alphanumeric() => {
                let rest = &self.text[from..];
                let belongs = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-');
                from + rest.iter().position(|b| !belongs(b)).ok_or(EnvelopeError::Truncated)?
            }
            _ => return Err(self.fault()),
        };
        Ok(from..self.at)
    }

    /// The members of the next value, which is an object.
    fn enter(&mut self, keys_max: usize) -> Result<Self, Doubt> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => Ok(Self { text: self.text, at: self.at + 1, keys: 0, keys_max }),
            _ => Err(Doubt),
        }
    }

    /// Goes on behind the value whose members were `inner`, which stands at its closing brace.
    fn leave(&mut self, inner: Self) {
        self.at = inner.at + 1;
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[cold]
    fn fault(&self) -> EnvelopeError {
        if self.at < self.text.len() {
            EnvelopeError::Syntax { at: self.at }
        } else {
            EnvelopeError::Truncated
        }
    }
}

/// The number that 1 to 20 decimal digits write, if it fits 64 bits.
#[inline]
pub(super) fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// `d`, and an object in it that is looked into, may have so many keys before they are in doubt.
/// Discord's largest, a guild, has about 70.
pub const DATA_KEYS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of `d` with their values, or a doubt.
    fn data(text: &str) -> Result<Vec<(&str, &str)>, Doubt> {
        let mut scan = DataScan::open(text.as_bytes())?;
        let mut found = Vec::new();
        while let Some(key) = scan.key()? {
            let value = scan.value()?.0;
            found.push((std::str::from_utf8(key).unwrap(), std::str::from_utf8(value).unwrap()));
        }
        scan.close()?;
        Ok(found)
    }

    #[test]
    fn the_keys_of_d_are_told_with_their_values() {
        let text =
            r#" { "t" : "A" , "d" : { "a" : [ {"x":"]"} ] , "b":"q\"}" , "c":-1.5e+3 } , "s":1 } "#;
        let found = [("a", r#"[ {"x":"]"} ]"#), ("b", r#""q\"}""#), ("c", "-1.5e+3")];
        assert_eq!(data(text), Ok(found.to_vec()));
        assert_eq!(data(r#"{"d":{}}"#), Ok(vec![]));
    }

    #[test]
    fn whatever_may_mean_something_else_is_a_doubt() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"d":null}"#,
            r#"{"d":[]}"#,
            r#"{"d":{"a":1}"#,
            r#"{"d":{"a":1}}}"#,
            r#"{"d":{"a":1}}{"#,
            r#"{"d":{"a":1},}"#,
            r#"{"d":{"a":1,}}"#,
            r#"{"d":{,"a":1}}"#,
            r#"{"d":{"a":1]}"#,
            r#"{"d":{"a":tru"e}}"#,
            r#"{"d":{"a":1},"d":{}}"#,
            r#"{"\u0064":{},"d":{"a":1}}"#,
            r#"{"d":{"a":1},"\u0064":{}}"#,
            r#"{"d":{"\u0061":1}}"#,
            r#"{"t":"A","t":"B","d":{"a":1}}"#,
            r#"{"t":"A","d":{"a":1},"t":"B"}"#,
            r#"{"d":{"a":1},"t":"A","t":"B"}"#,
        ] {
            assert_eq!(data(text), Err(Doubt), "{text}");
        }
        let keys = |count: usize| format!(r#"{{"d":{{"a":1{}}}}}"#, r#","a":1"#.repeat(count - 1));
        assert_eq!(data(&keys(DATA_KEYS_MAX)).unwrap().len(), DATA_KEYS_MAX);
        assert_eq!(data(&keys(DATA_KEYS_MAX + 1)), Err(Doubt));
    }

    #[test]
    fn ids_are_read_as_the_model_reads_them_and_strings_up_to_their_first_escape() {
        let id = |text: &'static str| Value(text.as_bytes()).id();
        assert_eq!(
            (id("\"12\""), id("12"), id("0"), id("\"012\"")),
            (Some(12), Some(12), Some(0), Some(12))
        );
        for text in
            ["012", "-1", "1.0", "1e3", "\"\"", "\"1 \"", "\"18446744073709551616\"", "null"]
        {
            assert_eq!(id(text), None, "{text}");
        }
        let text = |text: &'static str| {
            Value(text.as_bytes()).text().map(|text| (text.head, text.is_whole))
        };
        assert_eq!(text("\"ab\""), Some(("ab", true)));
        assert_eq!(text(r#""a\u0062c""#), Some(("a", false)));
        assert_eq!((text("12"), text("{}")), (None, None));
        assert_eq!(Value(b"\"\xFF\"").text(), None);
    }
}

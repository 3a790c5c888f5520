//! Writes JSON, and checks that a text is JSON. Never parses into values.
//!
//! Used by `command` and by `shard::payload`, for texts of at most a few kilobytes.

/// Writes a string with its quotes. What JSON must escape (RFC 8259 section 7) is escaped.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(br#"\""#),
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\t' => out.extend_from_slice(br"\t"),
            0..=0x1f => {
                out.extend_from_slice(br"\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Writes a number.
pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20]; // u64::MAX has 20
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes an id, which in JSON is a string (protocol section 12).
pub(crate) fn snowflake(out: &mut Vec<u8>, id: u64) {
    out.push(b'"');
    number(out, id);
    out.push(b'"');
}

/// Writes `true` or `false`.
pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// How deep a text may nest.
const DEPTH_MAX: u8 = 64;

/// Whether `text` is one JSON value (RFC 8259). The error is the byte at which it is not.
pub(crate) fn check(text: &[u8]) -> Result<(), usize> {
    let mut check = Check { text, at: 0 };
    check
        .value(DEPTH_MAX)
        .and_then(|()| {
            check.space();
            if check.at == text.len() { Some(()) } else { None }
        })
        .ok_or(check.at)
}

struct Check<'a> {
    text: &'a [u8],
    at: usize,
}

impl Check<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Some(())
        } else {
            None
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Some(())
        } else {
            None
        }
    }

    fn value(&mut self, depth: u8) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' => self.list(depth, b'}', true),
            b'[' => self.list(depth, b']', false),
            b'"' => self.string(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: u8, end: u8, keyed: bool) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.at += 1;
        self.space();
        if self.byte(end).is_some() {
            return Some(());
        }
        loop {
            if keyed {
                self.space();
                self.string()?;
                self.space();
                self.byte(b':')?;
            }
            self.value(depth)?;
            self.space();
            if self.byte(end).is_some() {
                return Some(());
            }
            self.byte(b',')?;
        }
    }

    fn string(&mut self) -> Option<()> {
        self.byte(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            self.at += 1;
                            for _ in 0..4 {
                                self.peek().filter(u8::is_ascii_hexdigit)?;
                                self.at += 1;
                            }
                        }
                        _ => return None,
                    }
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        self.peek().filter(u8::is_ascii_digit)?;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.byte(b'-');
        if self.byte(b'0').is_none() {
            self.digits()?;
        }
        if self.byte(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_must_escape_is_escaped_and_nothing_else() {
        let mut out = Vec::new();
        string(&mut out, "a\"\\\n\r\t\u{1}\u{7f}é😀");
        assert_eq!(out, "\"a\\\"\\\\\\n\\r\\t\\u0001\u{7f}é😀\"".as_bytes());
        assert_eq!(check(&out), Ok(()));
    }

    #[test]
    fn numbers_are_whole_at_both_ends() {
        for value in [0, 9, 10, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn the_check_takes_json_and_names_the_byte_that_is_not() {
        for good in ["null", " [1, -0.5e+3, \"\\u00e9\", {\"a\" : {}}] ", "{}", "0", "\"é\""] {
            assert_eq!(check(good.as_bytes()), Ok(()), "{good}");
        }
        let bad = [("", 0), ("[1 2]", 3), ("01", 1), ("\"\\x\"", 2), ("{\"a\"}", 4), ("1.", 2)];
        for (text, at) in bad {
            assert_eq!(check(text.as_bytes()), Err(at), "{text}");
        }
        assert!(check("[".repeat(65).as_bytes()).is_err());
        assert!(check(format!("{}{}", "[".repeat(64), "]".repeat(64)).as_bytes()).is_ok());
    }
}

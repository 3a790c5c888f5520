//! Steps over JSON text without reading it: strings a word at a time, objects and arrays by blocks
//! of 64 bytes.
//!
//! Of a block it makes one bit a byte for quotes, backslashes, opening and closing brackets; which
//! bytes lie in strings follows from the quotes by a running parity, so that brackets are counted
//! and not looked at: 0.26 ns a byte of a message, where a walk byte by byte outside of strings
//! takes 0.42. What is stepped over is not judged: brackets of both sorts are counted
//! together, and numbers, escapes and UTF-8 are left to the parser.
//!
//! Never allocates, never recurses; each loop is bounded by the text. Called by `scan`.

use super::EnvelopeError;

/// The offset behind the string whose opening quote stands at `at`, and whether it holds escapes.
#[inline]
pub(super) fn string(text: &[u8], at: usize) -> Result<(usize, bool), EnvelopeError> {
    let mut at = at + 1;
    let mut has_escapes = false;
    loop {
        while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk()) {
            let word = u64::from_le_bytes(*eight);
            let hits = bytes_equal(word, b'"') | bytes_equal(word, b'\\');
            if hits != 0 {
                at += hits.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match text.get(at) {
            Some(b'"') => return Ok((at + 1, has_escapes)),
            Some(b'\\') => {
                has_escapes = true;
                at += 2;
            }
            Some(_) => at += 1,
            None => return Err(EnvelopeError::Truncated),
        }
    }
}

/// The offset behind the object or array that opens at `at`. Braces and brackets are counted
/// together: which closes which is left to the parser.
#[inline]
pub(super) fn nested(text: &[u8], at: usize) -> Result<usize, EnvelopeError> {
    // Empty ones are frequent, and not worth a block.
    match text.get(at + 1) {
        Some(b'}' | b']') => Ok(at + 2),
        _ => nested_by_blocks(text, at),
    }
}

fn nested_by_blocks(text: &[u8], at: usize) -> Result<usize, EnvelopeError> {
    let mut strings = Strings::default();
    let mut depth = 0u64;
    let mut rest = &text[at..];
    loop {
        let marks = match rest.first_chunk() {
            Some(block) => Marks::of(block),
            None if rest.is_empty() => return Err(EnvelopeError::Truncated),
            None => {
                // Zeros are no mark: the padding changes nothing.
                let mut block = [0; BLOCK_LEN];
                block[..rest.len()].copy_from_slice(rest);
                Marks::of(&block)
            }
        };
        let outside = !strings.step(&marks);
        let (opens, closes) = (marks.opens & outside, marks.closes & outside);
        if u64::from(closes.count_ones()) < depth {
            depth = depth + u64::from(opens.count_ones()) - u64::from(closes.count_ones());
        } else {
            let mut brackets = opens | closes;
            while brackets != 0 {
                let bit = brackets & brackets.wrapping_neg();
                if opens & bit != 0 {
                    depth += 1;
                } else {
                    depth -= 1;
                    if depth == 0 {
                        let before = text.len() - rest.len();
                        return Ok(before + bit.trailing_zeros() as usize + 1);
                    }
                }
                brackets ^= bit;
            }
        }
        rest = rest.get(BLOCK_LEN..).unwrap_or_default();
    }
}

/// Which bytes of the text lie in strings, carried from block to block.
#[derive(Default)]
struct Strings {
    /// All ones if the block begins within a string.
    within: u64,
    /// 1 if the block's first byte is escaped.
    escaped: u64,
}

impl Strings {
    /// The bytes of the next block that lie in strings, the opening quotes among them.
    #[inline]
    fn step(&mut self, marks: &Marks) -> u64 {
        let quotes = marks.quotes & !self.escaped_bytes(marks.backslashes);
        let mut within = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            within ^= within << shift;
        }
        within ^= self.within;
        self.within = (within >> 63).wrapping_neg();
        within
    }

    /// The bytes that a backslash stands before which is not itself escaped. A subtraction tells
    /// the odd from the even of each run of backslashes, as simdjson does it.
    #[inline]
    fn escaped_bytes(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let escaping = backslashes & !self.escaped;
        let codes = ((escaping << 1) | ODD).wrapping_sub(escaping) ^ ODD;
        let escaped = codes ^ (backslashes | self.escaped);
        self.escaped = (codes & backslashes) >> 63;
        escaped
    }
}

/// One bit for each byte of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
}

impl Marks {
    #[inline]
    fn of(block: &[u8; BLOCK_LEN]) -> Self {
        // Most blocks have no backslash, and to know that is cheaper.
        let escapes = block.iter().fold(false, |any, byte| any | (*byte == b'\\'));
        Self {
            quotes: marked(block, 0, b'"'),
            backslashes: if escapes { marked(block, 0, b'\\') } else { 0 },
            opens: marked(block, FOLD, b'{'),
            closes: marked(block, FOLD, b'}'),
        }
    }
}

/// One bit for each byte of a block that equals `byte` once `fold` is set in it. Written so that
/// the compiler compares 16 bytes at a time: 1.1 times what SSE2's own instruction for it costs,
/// which would be unsafe code.
#[inline]
fn marked(block: &[u8; BLOCK_LEN], fold: u8, byte: u8) -> u64 {
    let hit = |at: usize| if block[at] | fold == byte { 0xFF } else { 0 };
    let hits: [u8; BLOCK_LEN] = std::array::from_fn(hit);
    let (eights, _) = hits.as_chunks();
    eights.iter().enumerate().fold(0, |bits, (index, eight)| {
        // The lowest bits of eight bytes become the highest byte of the product.
        let lowest = u64::from_le_bytes(*eight) & 0x0101_0101_0101_0101;
        bits | (lowest.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (index * 8)
    })
}

/// The high bit of each byte of `word` that equals `byte`; bits above the lowest one that is set
/// may be wrong.
#[inline]
const fn bytes_equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let difference = word ^ (LOW * byte as u64);
    difference.wrapping_sub(LOW) & !difference & HIGH
}

/// Bytes that are looked at together: one bit each in a word.
const BLOCK_LEN: usize = 64;

/// What tells a brace from a bracket: `[` and `{`, `]` and `}` differ by it.
const FOLD: u8 = b'[' ^ b'{';

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, byte by byte.
    fn plainly(text: &[u8], mut at: usize) -> Result<usize, EnvelopeError> {
        let mut depth = 0;
        loop {
            match text.get(at) {
                Some(b'"') => {
                    at = string(text, at)?.0;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') if depth == 1 => return Ok(at + 1),
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return Err(EnvelopeError::Truncated),
            }
            at += 1;
        }
    }

    #[test]
    fn quotes_are_found_at_every_offset_of_a_word() {
        for len in 0..40 {
            let text = format!("\"{}\"", "x".repeat(len));
            assert_eq!(string(text.as_bytes(), 0), Ok((text.len(), false)));
            let escaped = format!("\"{}\\\"\\\\\"", "\u{81}".repeat(len));
            assert_eq!(string(escaped.as_bytes(), 0), Ok((escaped.len(), true)));
        }
    }

    #[test]
    fn blocks_end_where_a_walk_byte_by_byte_ends() {
        // Any text of these bytes, JSON or not, as long as no backslash stands outside a string.
        const BYTES: &[u8] = b"{}[]\"\"\"\\\\x,:1 \xC3\xA9";
        let mut random = 0x9E37_79B9_7F4A_7C15u64;
        let mut ended = 0;
        for round in 0..20_000 {
            let mut text = vec![b'{'];
            let mut within = false;
            for _ in 0..round % 300 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                match BYTES[(random >> 33) as usize % BYTES.len()] {
                    b'"' => {
                        within = !within;
                        text.push(b'"');
                    }
                    b'\\' if within => text.extend([b'\\', b"\"\\n"[(random >> 50) as usize % 3]]),
                    b'\\' => text.push(b'['),
                    byte => text.push(byte),
                }
            }
            let found = nested_by_blocks(&text, 0);
            assert_eq!(found, plainly(&text, 0), "{}", String::from_utf8_lossy(&text));
            assert_eq!(nested(&text, 0), found, "{}", String::from_utf8_lossy(&text));
            ended += usize::from(found.is_ok());
        }
        assert!((4_000..19_000).contains(&ended), "{ended}");
    }

    #[test]
    fn runs_of_backslashes_are_told_odd_from_even_over_the_edge_of_a_block() {
        for before in 0..140 {
            for run in 0..140 {
                let text = format!("[\"{}{}\"]\"]", "x".repeat(before), "\\".repeat(run));
                let found = nested_by_blocks(text.as_bytes(), 0);
                assert_eq!(found, plainly(text.as_bytes(), 0), "{before} {run}");
            }
        }
    }

    #[test]
    fn each_byte_of_a_block_is_marked_for_what_it_is() {
        let mut random = 1u64;
        for _ in 0..10_000 {
            let block = std::array::from_fn(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                match random >> 62 {
                    0 => b"{}[]\"\\\x02\xDB\xFB\xFD\xDC\xA2"[(random >> 40) as usize % 12],
                    _ => (random >> 40) as u8,
                }
            });
            let bits = |wanted: fn(u8) -> bool| {
                (0..64).map(|at| u64::from(wanted(block[at])) << at).sum::<u64>()
            };
            let plain = Marks {
                quotes: bits(|byte| byte == b'"'),
                backslashes: bits(|byte| byte == b'\\'),
                opens: bits(|byte| byte == b'{' || byte == b'['),
                closes: bits(|byte| byte == b'}' || byte == b']'),
            };
            assert_eq!(Marks::of(&block), plain);
        }
    }
}

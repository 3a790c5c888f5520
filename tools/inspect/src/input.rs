//! Files cut into JSON documents: one a line, or spread over lines. Nothing is parsed here.
//!
//! A line that begins with a bracket in its first column begins a document; what was not complete
//! before it is given out as it is, and fails where it is parsed. So one broken line costs itself.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The documents of a file.
pub(crate) struct Documents {
    lines: Box<dyn BufRead>,
    line: u64,
    /// The document that is being read, and where it began.
    text: String,
    began: u64,
    brackets: Brackets,
    next: Vec<u8>,
}

/// One JSON document.
pub(crate) struct Document {
    /// The line on which it began, from 1.
    pub(crate) line: u64,
    pub(crate) text: String,
}

/// How deep a text stands, so far.
#[derive(Default)]
struct Brackets {
    depth: u32,
    in_string: bool,
    is_escaped: bool,
}

impl Documents {
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let lines: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(BufReader::new(File::open(path)?))
        };
        Ok(Self::new(lines))
    }

    pub(crate) fn new(lines: Box<dyn BufRead>) -> Self {
        Self {
            lines,
            line: 0,
            text: String::new(),
            began: 0,
            brackets: Brackets::default(),
            next: Vec::new(),
        }
    }

    fn take(&mut self) -> Option<Document> {
        self.brackets = Brackets::default();
        let text = std::mem::take(&mut self.text);
        (!text.trim().is_empty()).then_some(Document { line: self.began, text })
    }
}

impl Iterator for Documents {
    type Item = io::Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.next.is_empty() {
                let mut bounded = (&mut self.lines).take(DOCUMENT_LEN_MAX as u64 + 1);
                match bounded.read_until(b'\n', &mut self.next) {
                    Ok(0) => return self.take().map(Ok),
                    Ok(_) => self.line += 1,
                    Err(error) => return Some(Err(error)),
                }
                if self.line == 1 && self.next.starts_with(BYTE_ORDER_MARK) {
                    self.next.drain(..BYTE_ORDER_MARK.len());
                }
            }
            let begins = matches!(self.next.first(), Some(b'{' | b'['));
            if begins
                && !self.text.is_empty()
                && let Some(unfinished) = self.take()
            {
                return Some(Ok(unfinished));
            }
            if self.text.is_empty() {
                self.began = self.line;
            }
            if self.text.len() + self.next.len() > DOCUMENT_LEN_MAX {
                let text = format!("line {}: a document longer than 256 MiB", self.began);
                return Some(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
            }
            self.brackets.step(&self.next);
            // What is no text is no JSON either, and fails where it is parsed.
            match std::str::from_utf8(&self.next) {
                Ok(text) => self.text.push_str(text),
                Err(_) => self.text.push('\0'),
            }
            self.next.clear();
            if self.brackets.depth == 0
                && let Some(document) = self.take()
            {
                return Some(Ok(document));
            }
        }
    }
}

impl Brackets {
    fn step(&mut self, text: &[u8]) {
        for byte in text {
            match byte {
                _ if std::mem::take(&mut self.is_escaped) => {}
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// Longer documents are refused: a gateway's payload is some megabytes at most.
const DOCUMENT_LEN_MAX: usize = 256 << 20;

/// What some editors put before the first byte of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &'static str) -> Vec<(u64, String)> {
        Documents::new(Box::new(text.as_bytes()))
            .map(|document| document.unwrap())
            .map(|document| (document.line, document.text.trim_end().to_owned()))
            .collect()
    }

    #[test]
    fn documents_come_one_a_line_or_over_many_lines() {
        let text = "{\"a\":\"}\\\"\"}\n\n{\n  \"b\": [\n  1]\n}\n{\"c\":1}";
        let texts = cut(text);
        let lines: Vec<u64> = texts.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 7]);
        assert_eq!(texts[1].1, "{\n  \"b\": [\n  1]\n}");
    }

    #[test]
    fn a_broken_line_costs_only_itself() {
        let texts = cut("{\"a\":\n{\"b\":1}\n{\"c\n");
        assert_eq!(texts.len(), 3);
        assert_eq!(texts[1].1, "{\"b\":1}");
    }
}

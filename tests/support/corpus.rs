//! The payloads of `tests/corpus`, the way through the library's doors, and where in a text its
//! keys and values stand.
//!
//! For the tests that hold the corpus against the documents, spoil it and mutate it. It judges
//! nothing.

#![allow(dead_code)] // each test uses a part

use shardring::decode::{DecodeError, PADDING, Root, Scratch};
use shardring::model::{Event, EventKind};
use std::fs;
use std::ops::Range;
use std::path::PathBuf;

/// One payload of the corpus.
#[derive(Clone)]
pub(crate) struct Payload {
    /// `<KIND>[.<variant>]`, the file's name without `.json`.
    pub(crate) name: String,
    /// The kind that the file's name says.
    pub(crate) kind: EventKind,
    /// The whole payload, as the server sends it.
    pub(crate) text: String,
}

impl Payload {
    /// What stands behind the kind in the file's name; empty if nothing does.
    pub(crate) fn variant(&self) -> &str {
        self.name.split_once('.').map_or("", |(_, variant)| variant)
    }
}

/// Where the corpus lies.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Every payload, sorted by name.
pub(crate) fn payloads() -> Vec<Payload> {
    let mut payloads: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .filter(|path| !path.ends_with("schema.json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let kind = EventKind::from_name(name.split('.').next().unwrap());
            Payload { name, kind, text: fs::read_to_string(&path).unwrap() }
        })
        .collect();
    payloads.sort_by(|a, b| a.name.cmp(&b.name));
    payloads
}

/// Parses one payload as the shard does, with bytes behind it that would be seen if they were read.
pub(crate) fn parse<R>(
    scratch: &mut Scratch,
    text: &[u8],
    visit: impl for<'a> FnOnce(Root<'a>) -> R,
) -> Result<R, DecodeError> {
    let mut bytes = Vec::with_capacity(text.len() + PADDING);
    bytes.extend_from_slice(text);
    bytes.resize(text.len() + PADDING, b'"');
    scratch.read(&mut bytes, text.len(), visit)
}

/// Reads one payload as the shard does, and hands the event and its JSON to `visit`.
pub(crate) fn read<R>(
    scratch: &mut Scratch,
    kind: EventKind,
    text: &[u8],
    visit: impl for<'a> FnOnce(Event<'a>, Root<'a>) -> R,
) -> Result<R, DecodeError> {
    parse(scratch, text, |root| visit(Event::decode(kind, root.name(), root.data()), root))
}

/// A value in a text of JSON.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// Where it is, as in RFC 6901 (no key of the corpus needs its escapes).
    pub(crate) pointer: String,
    /// The value's text.
    pub(crate) value: Range<usize>,
    /// The text from its key's opening quote, or from the value in a list.
    pub(crate) member: Range<usize>,
    /// Whether it stands under a key.
    pub(crate) is_keyed: bool,
}

impl Spot {
    /// The key, or the place in the list; empty for the whole text.
    pub(crate) fn key(&self) -> &str {
        self.pointer.rsplit_once('/').map_or("", |(_, key)| key)
    }

    /// `text` with another value here.
    pub(crate) fn replaced(&self, text: &str, value: &str) -> String {
        [&text[..self.value.start], value, &text[self.value.end..]].concat()
    }

    /// `text` without this value, its key and one comma.
    pub(crate) fn removed(&self, text: &str) -> String {
        let (mut from, mut to) = (self.member.start, self.member.end);
        if text.as_bytes().get(to) == Some(&b',') {
            to += 1;
        } else if from > 0 && text.as_bytes()[from - 1] == b',' {
            from -= 1;
        }
        [&text[..from], &text[to..]].concat()
    }
}

/// Every value of `text`, outer ones before the inner; the whole text first. `text` is JSON
/// without white space between its tokens, as the corpus is.
pub(crate) fn spots(text: &str) -> Vec<Spot> {
    let mut spots = Vec::new();
    let end = value(text.as_bytes(), 0, String::new(), None, &mut spots);
    assert_eq!(end, text.len(), "white space, or no JSON");
    spots
}

/// Takes down the value at `at` and what lies in it; the offset behind it.
fn value(
    text: &[u8],
    at: usize,
    pointer: String,
    key_at: Option<usize>,
    spots: &mut Vec<Spot>,
) -> usize {
    let place = spots.len();
    spots.push(Spot {
        pointer: pointer.clone(),
        value: at..at,
        member: key_at.unwrap_or(at)..at,
        is_keyed: key_at.is_some(),
    });
    let end = match text[at] {
        b'"' => string(text, at),
        open @ (b'{' | b'[') => {
            let mut at = at + 1;
            let mut index = 0;
            while !matches!(text[at], b'}' | b']') {
                at += usize::from(text[at] == b',');
                if open == b'{' {
                    let colon = string(text, at);
                    let key = std::str::from_utf8(&text[at + 1..colon - 1]).unwrap();
                    at = value(text, colon + 1, format!("{pointer}/{key}"), Some(at), spots);
                } else {
                    at = value(text, at, format!("{pointer}/{index}"), None, spots);
                    index += 1;
                }
            }
            at + 1
        }
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']');
            at + text[at..].iter().position(ends).unwrap_or(text.len() - at)
        }
    };
    spots[place].value.end = end;
    spots[place].member.end = end;
    end
}

/// The offset behind the string that opens at `at`.
fn string(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// What the payloads hold that `Debug` must not print: whatever stands under `token`,
/// `session_id` or `secrets`.
pub(crate) fn secrets(payloads: &[Payload]) -> Vec<String> {
    let mut secrets: Vec<String> = Vec::new();
    for payload in payloads {
        for spot in spots(&payload.text) {
            let is_secret = ["token", "session_id"].contains(&spot.key())
                || spot.pointer.split('/').any(|key| key == "secrets");
            let text = payload.text[spot.value].trim_matches('"');
            if is_secret && !text.starts_with('{') && text.len() >= 8 {
                secrets.push(text.to_owned());
            }
        }
    }
    secrets.sort();
    secrets.dedup();
    secrets
}

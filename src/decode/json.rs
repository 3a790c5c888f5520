//! [`Json`]: any value of a payload as it came, looked at in place.
//!
//! A view is three words, copies freely, allocates nothing and knows nothing of the model. Steps
//! over objects and arrays are O(1), whatever lies in them. Values under a key that names a
//! secret (see [`Json`]'s `Debug`) are never printed by `Debug`. Used for events without a type,
//! for parts of typed ones that the model leaves as they are, and by whoever forwards them.

use super::cursor::{Cursor, Decode};
use super::error::{DecodeError, Notes};
use super::{Arena, NULL};
use simd_json::{Node, StaticNode};
use std::fmt::{self, Write};

/// A JSON value of the payload at hand: a scalar, an object or an array.
///
/// `Display` and [`write_json`](Self::write_json) give the JSON text again. `Debug` gives at most
/// [`DEBUG_LEN_MAX`] bytes of it, with `"…"` in place of strings under the keys `token`,
/// `session_id` and `secrets`.
///
/// ```
/// use shardring::decode::{PADDING, Scratch};
///
/// let text = br#"{"op":0,"t":"X","s":1,"d":{"id":"7","tags":["a","b"]}}"#;
/// let mut payload = text.to_vec();
/// payload.resize(text.len() + PADDING, 0);
/// let mut scratch = Scratch::new();
/// scratch.read(&mut payload, text.len(), |root| {
///     let d = root.json();
///     assert_eq!(d.get("id").and_then(|id| id.as_str()), Some("7"));
///     assert_eq!(d.get("tags").map(|tags| tags.len()), Some(2));
///     assert_eq!(d.to_string(), r#"{"id":"7","tags":["a","b"]}"#);
/// })?;
/// # Ok::<(), shardring::decode::DecodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Json<'a> {
    /// The nodes of this value and of nothing else; never empty.
    nodes: &'a [Node<'a>],
    /// `None` for the null that stands for a missing value.
    arena: Option<&'a Arena>,
}

/// What sort of value a [`Json`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonKind {
    /// `null`, and what stands for a missing value.
    Null,
    /// `true` or `false`.
    Bool,
    /// Any number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> Json<'a> {
    /// A null, which is also what a missing value looks like.
    pub const NULL: Self = Self { nodes: &NULL, arena: None };

    /// The value at the start of `nodes`.
    #[inline]
    pub(crate) fn new(nodes: &'a [Node<'a>], arena: Option<&'a Arena>) -> Self {
        let extent = match nodes.first() {
            Some(Node::Object { count, .. } | Node::Array { count, .. }) => count + 1,
            _ => 1,
        };
        match nodes.get(..extent) {
            Some(nodes) => Self { nodes, arena },
            None => Self::NULL,
        }
    }

    /// What could not be read of the payload that the value is of; `None` for a value of none.
    pub(crate) fn notes(self) -> Option<&'a Notes> {
        self.arena.map(|arena| &arena.notes)
    }

    #[inline]
    pub(crate) fn nodes(self) -> &'a [Node<'a>] {
        self.nodes
    }

    /// What sort of value this is.
    pub fn kind(self) -> JsonKind {
        match self.node() {
            Node::Static(StaticNode::Null) => JsonKind::Null,
            Node::Static(StaticNode::Bool(_)) => JsonKind::Bool,
            Node::Static(_) => JsonKind::Number,
            Node::String(_) => JsonKind::String,
            Node::Array { .. } => JsonKind::Array,
            Node::Object { .. } => JsonKind::Object,
        }
    }

    /// Whether this is null (or stands for a missing value).
    pub fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// The string, with escapes undone.
    pub fn as_str(self) -> Option<&'a str> {
        match self.node() {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.node() {
            Node::Static(StaticNode::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// The integer, if it is one from 0 to 2⁶⁴ − 1.
    pub fn as_u64(self) -> Option<u64> {
        match self.node() {
            Node::Static(StaticNode::U64(value)) => Some(value),
            Node::Static(StaticNode::I64(value)) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The integer, if it is one from −2⁶³ to 2⁶³ − 1.
    pub fn as_i64(self) -> Option<i64> {
        match self.node() {
            Node::Static(StaticNode::U64(value)) => i64::try_from(value).ok(),
            Node::Static(StaticNode::I64(value)) => Some(value),
            _ => None,
        }
    }

    /// The number, rounded to the nearest double if it is a large integer.
    pub fn as_f64(self) -> Option<f64> {
        match self.node() {
            Node::Static(StaticNode::F64(value)) => Some(value),
            Node::Static(StaticNode::U64(value)) => Some(value as f64),
            Node::Static(StaticNode::I64(value)) => Some(value as f64),
            _ => None,
        }
    }

    /// The number of elements of an array or of keys of an object; 0 for everything else.
    pub fn len(self) -> usize {
        match self.node() {
            Node::Array { len, .. } | Node::Object { len, .. } => len,
            _ => 0,
        }
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value under `key`, if this is an object that has it (the first, should it stand there
    /// twice). Takes time in proportion to the number of keys, not to their content.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.entries().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The element at `index`, counted from 0, if this is an array that long.
    pub fn index(self, index: usize) -> Option<Json<'a>> {
        self.iter().nth(index)
    }

    /// The elements of an array; none of everything else.
    pub fn iter(self) -> Elements<'a> {
        let rest = match self.node() {
            Node::Array { .. } => &self.nodes[1..],
            _ => &[],
        };
        Elements { rest, arena: self.arena }
    }

    /// The keys and values of an object, as they came; none of everything else.
    pub fn entries(self) -> Entries<'a> {
        let rest = match self.node() {
            Node::Object { .. } => &self.nodes[1..],
            _ => &[],
        };
        Entries(Elements { rest, arena: self.arena })
    }

    /// Reads this value as a type of the model, for instance `json.read::<User>()`. Lists and
    /// nested objects go to the payload's arena, at each call anew.
    ///
    /// # Errors
    /// [`DecodeError::Field`] when something else stands here.
    pub fn read<T: Decode<'a>>(self) -> Result<T, DecodeError> {
        match self.arena {
            Some(arena) => Cursor::new(self.nodes, arena).read("value"),
            None => Err(DecodeError::Field {
                object: "value",
                field: "",
                expected: super::Expected::Object,
            }),
        }
    }

    /// Writes the value as JSON text without spaces: keys in the order in which they came,
    /// strings escaped no more than JSON asks for.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json(self, out: &mut impl Write) -> fmt::Result {
        write_value(self, out, false)
    }

    /// How many bytes the payload's arena may hold.
    pub(super) fn room(self) -> Option<usize> {
        self.arena.map(Arena::room)
    }

    #[inline]
    pub(super) fn node(self) -> Node<'a> {
        self.nodes.first().copied().unwrap_or(NULL[0])
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_json(f)
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bounded = Bounded { out: f, left: DEBUG_LEN_MAX };
        // The only other error is that of the formatter, which `write_str` then meets again.
        match write_value(*self, &mut bounded, true) {
            Err(_) if bounded.left == 0 => f.write_str("…"),
            other => other,
        }
    }
}

/// The elements of an array: see [`Json::iter`].
#[derive(Clone)]
pub struct Elements<'a> {
    rest: &'a [Node<'a>],
    arena: Option<&'a Arena>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;
    fn next(&mut self) -> Option<Json<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let json = Json::new(self.rest, self.arena);
        self.rest = self.rest.get(json.nodes.len()..).unwrap_or(&[]);
        Some(json)
    }
}

/// The keys and values of an object: see [`Json::entries`].
#[derive(Clone)]
pub struct Entries<'a>(Elements<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, Json<'a>);
    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.next()?.as_str().unwrap_or("");
        Some((key, self.0.next().unwrap_or(Json::NULL)))
    }
}

/// Without what is still to come, which may hold tokens.
impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements").finish_non_exhaustive()
    }
}

/// Without what is still to come, which may hold tokens.
impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").finish_non_exhaustive()
    }
}

/// Recurses once per level of nesting, of which a tape has at most `DEPTH_MAX`.
fn write_value(json: Json<'_>, out: &mut impl Write, redact: bool) -> fmt::Result {
    match json.node() {
        Node::Static(StaticNode::Null) => out.write_str("null"),
        Node::Static(StaticNode::Bool(value)) => write!(out, "{value}"),
        Node::Static(StaticNode::U64(value)) => write!(out, "{value}"),
        Node::Static(StaticNode::I64(value)) => write!(out, "{value}"),
        // `{:?}` keeps the point of 1.0 and prints the shortest digits that read back the same.
        Node::Static(StaticNode::F64(value)) => write!(out, "{value:?}"),
        Node::String(text) => write_string(text, out),
        Node::Array { .. } => {
            for (index, value) in json.iter().enumerate() {
                out.write_char(if index == 0 { '[' } else { ',' })?;
                write_value(value, out, redact)?;
            }
            out.write_str(if json.is_empty() { "[]" } else { "]" })
        }
        Node::Object { .. } => {
            for (index, (key, value)) in json.entries().enumerate() {
                out.write_char(if index == 0 { '{' } else { ',' })?;
                write_string(key, out)?;
                out.write_char(':')?;
                if redact && SECRET_KEYS.contains(&key) && !value.is_null() {
                    out.write_str("\"…\"")?;
                } else {
                    write_value(value, out, redact)?;
                }
            }
            out.write_str(if json.is_empty() { "{}" } else { "}" })
        }
    }
}

fn write_string(text: &str, out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.write_str(&text[from..at])?;
        from = at + 1;
        match byte {
            b'"' => out.write_str("\\\"")?,
            b'\\' => out.write_str("\\\\")?,
            b'\n' => out.write_str("\\n")?,
            b'\r' => out.write_str("\\r")?,
            b'\t' => out.write_str("\\t")?,
            _ => write!(out, "\\u{byte:04x}")?,
        }
    }
    out.write_str(&text[from..])?;
    out.write_char('"')
}

/// Passes on `left` bytes, then fails.
struct Bounded<'o, 'f> {
    out: &'o mut fmt::Formatter<'f>,
    left: usize,
}

impl Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let cut = floor_char_boundary(text, self.left);
        self.left -= cut;
        self.out.write_str(&text[..cut])?;
        if cut < text.len() {
            self.left = 0;
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// `str::floor_char_boundary` is younger than the oldest compiler that we support.
pub(super) fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `Debug` of a [`Json`] prints at most so many bytes.
pub const DEBUG_LEN_MAX: usize = 1024;

/// Keys whose values `Debug` does not print: voice and interaction tokens, sessions, join secrets.
const SECRET_KEYS: [&str; 3] = ["token", "session_id", "secrets"];

//! [`Kept`]: a tape written down in one block of memory, and put back on a tape.
//!
//! The block is one `Box<str>`: whatever stands between the strings is written in bytes below
//! 0x80, so that the whole is UTF-8 and each string is lent from it without being checked again,
//! and without unsafe code. Nobody but this file makes one, so a reader may rely on what the writer
//! wrote; were it otherwise, values would be wrong, and no panic would follow but for want of
//! memory. Called by [`OwnedEvent`](crate::model::OwnedEvent).
//!
//! A block is a name, the room that the arena had, and either the nodes of the tape in their order
//! or a plain text. A node is a head, and what belongs to it:
//!
//! | node | number in its head | behind it |
//! |---|---|---|
//! | literal | 0 null, 1 false, 2 true | |
//! | float | 3, as a literal | ten bytes of 7 bits, the lowest first |
//! | integer | its value; a negative one as −1 − value | |
//! | string | its length | its bytes |
//! | array, object | its length | unless that is 0: how many nodes it has above the least |
//!
//! The head holds the sort in three bits and the number in four, or 15 and what it is above that
//! in bytes of six bits, the lowest first, 0x40 in all but the last.

use super::cursor::Cursor;
use super::json::Json;
use super::{ARENA_FACTOR, ARENA_LEN_MIN, Lease, Scratch};
use simd_json::{Node, StaticNode, Tape};
use std::mem;

/// A name and a value, or a name and a text, in one block of memory.
#[derive(Clone)]
pub(crate) struct Kept(Box<str>);

impl Kept {
    /// Writes down a value.
    pub(crate) fn json(name: &str, json: Json<'_>) -> Self {
        // Counted first, so that there is one allocation.
        let mut len = Len(0);
        write_json(&mut len, name, json);
        let mut text = String::with_capacity(len.0);
        write_json(&mut text, name, json);
        Self(text.into_boxed_str())
    }

    /// Writes down a text.
    pub(crate) fn text(name: &str, plain: &str) -> Self {
        let mut len = Len(plain.len());
        write_text(&mut len, name);
        let mut text = String::with_capacity(len.0);
        write_text(&mut text, name);
        text.push_str(plain);
        Self(text.into_boxed_str())
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        Reader::new(self).text()
    }

    /// The text of what [`text`](Self::text) made.
    pub(crate) fn rest(&self) -> &str {
        let mut reader = Reader::new(self);
        reader.text();
        reader.take(self.0.len() - reader.at)
    }

    /// Bytes of memory.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Scratch {
    /// Puts a value that [`Kept::json`] wrote down back on the tape and lends a cursor in front of
    /// it, as [`read`](Self::read) does with text.
    pub(crate) fn reopen<R>(
        &mut self,
        kept: &Kept,
        visit: impl for<'a> FnOnce(Cursor<'a>) -> R,
    ) -> R {
        let mut reader = Reader::new(kept);
        reader.text();
        let (_, room) = reader.head();
        self.len_seen = self.len_seen.max(room as usize / ARENA_FACTOR);
        self.arena.notes.clear();
        self.arena.open(room as usize);

        let tape = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let mut lease = Lease { scratch: self, tape };
        let nodes = &mut lease.tape.0;
        while !reader.is_at_end() {
            let node = reader.node();
            if let (0, Node::Array { count, .. } | Node::Object { count, .. }) = (nodes.len(), node)
            {
                nodes.reserve(count + 1);
            }
            nodes.push(node);
        }
        visit(Cursor::new(&lease.tape.0, &lease.scratch.arena))
    }
}

/// Where a block is written to, or counted.
trait Sink {
    /// Below 0x80.
    fn byte(&mut self, byte: u8);
    fn text(&mut self, text: &str);
}

struct Len(usize);

impl Sink for Len {
    fn byte(&mut self, _: u8) {
        self.0 += 1;
    }
    fn text(&mut self, text: &str) {
        self.0 += text.len();
    }
}

impl Sink for String {
    fn byte(&mut self, byte: u8) {
        self.push(char::from(byte & 0x7F));
    }
    fn text(&mut self, text: &str) {
        self.push_str(text);
    }
}

fn write_json(out: &mut impl Sink, name: &str, json: Json<'_>) {
    write_text(out, name);
    write_head(out, 0, json.room().unwrap_or(ARENA_LEN_MIN) as u64);
    json.nodes().iter().for_each(|node| write_node(out, node));
}

fn write_node(out: &mut impl Sink, node: &Node<'_>) {
    match *node {
        Node::Static(StaticNode::Null) => write_head(out, LITERAL, NULL),
        Node::Static(StaticNode::Bool(false)) => write_head(out, LITERAL, FALSE),
        Node::Static(StaticNode::Bool(true)) => write_head(out, LITERAL, TRUE),
        Node::Static(StaticNode::U64(value)) => write_head(out, UNSIGNED, value),
        Node::Static(StaticNode::I64(value)) if value < 0 => {
            write_head(out, NEGATIVE, !value as u64);
        }
        Node::Static(StaticNode::I64(value)) => write_head(out, SIGNED, value as u64),
        Node::Static(StaticNode::F64(value)) => {
            write_head(out, LITERAL, FLOAT);
            for group in 0..FLOAT_LEN {
                out.byte((value.to_bits() >> (7 * group)) as u8 & 0x7F);
            }
        }
        Node::String(text) => write_text(out, text),
        Node::Array { len, count } => {
            write_head(out, ARRAY, len as u64);
            if len > 0 {
                write_number(out, count.wrapping_sub(len) as u64);
            }
        }
        Node::Object { len, count } => {
            write_head(out, OBJECT, len as u64);
            if len > 0 {
                write_number(out, count.wrapping_sub(2 * len) as u64);
            }
        }
    }
}

fn write_text(out: &mut impl Sink, text: &str) {
    write_head(out, STRING, text.len() as u64);
    out.text(text);
}

fn write_head(out: &mut impl Sink, sort: u8, number: u64) {
    if number < NUMBER_LONG {
        out.byte(sort << 4 | number as u8);
    } else {
        out.byte(sort << 4 | NUMBER_LONG as u8);
        write_number(out, number - NUMBER_LONG);
    }
}

fn write_number(out: &mut impl Sink, mut number: u64) {
    while number >= 0x40 {
        out.byte(0x40 | (number & 0x3F) as u8);
        number >>= 6;
    }
    out.byte(number as u8);
}

/// A block that is read, and how far.
struct Reader<'k> {
    block: &'k str,
    at: usize,
}

impl<'k> Reader<'k> {
    fn new(kept: &'k Kept) -> Self {
        Self { block: &kept.0, at: 0 }
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.block.len()
    }

    #[inline]
    fn node(&mut self) -> Node<'k> {
        let (sort, number) = self.head();
        let len = number as usize;
        match sort {
            UNSIGNED => Node::Static(StaticNode::U64(number)),
            NEGATIVE => Node::Static(StaticNode::I64(!(number as i64))),
            SIGNED => Node::Static(StaticNode::I64(number as i64)),
            STRING => Node::String(self.take(len)),
            ARRAY => Node::Array { len, count: self.count(len) },
            OBJECT => Node::Object { len, count: self.count(2 * len) },
            _ => Node::Static(match number {
                FALSE => StaticNode::Bool(false),
                TRUE => StaticNode::Bool(true),
                FLOAT => StaticNode::F64(f64::from_bits(self.bits())),
                _ => StaticNode::Null,
            }),
        }
    }

    fn text(&mut self) -> &'k str {
        let (_, len) = self.head();
        self.take(len as usize)
    }

    /// The nodes inside of an object or array that has at least so many.
    fn count(&mut self, least: usize) -> usize {
        if least == 0 { 0 } else { least.wrapping_add(self.number() as usize) }
    }

    fn bits(&mut self) -> u64 {
        (0..FLOAT_LEN).fold(0, |bits, group| bits | u64::from(self.byte()) << (7 * group))
    }

    #[inline]
    fn head(&mut self) -> (u8, u64) {
        let byte = self.byte();
        match u64::from(byte & 0x0F) {
            NUMBER_LONG => (byte >> 4, NUMBER_LONG.wrapping_add(self.number())),
            number => (byte >> 4, number),
        }
    }

    fn number(&mut self) -> u64 {
        let mut number = 0;
        for group in 0..NUMBER_LEN_MAX {
            let byte = self.byte();
            number |= u64::from(byte & 0x3F) << (6 * group);
            if byte & 0x40 == 0 {
                break;
            }
        }
        number
    }

    #[inline]
    fn byte(&mut self) -> u8 {
        let byte = self.block.as_bytes().get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    #[inline]
    fn take(&mut self, len: usize) -> &'k str {
        let from = self.at;
        self.at = from.saturating_add(len);
        self.block.get(from..self.at).unwrap_or("") // it is there in what `Kept` wrote
    }
}

// The sorts of nodes.
const LITERAL: u8 = 0;
const UNSIGNED: u8 = 1;
const NEGATIVE: u8 = 2;
const SIGNED: u8 = 3;
const STRING: u8 = 4;
const ARRAY: u8 = 5;
const OBJECT: u8 = 6;

// The literals.
const NULL: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
const FLOAT: u64 = 3;

/// From here on a number does not fit into its head.
const NUMBER_LONG: u64 = 15;
/// A number of 64 bits in bytes of six.
const NUMBER_LEN_MAX: u32 = 11;
/// A double in bytes of seven bits.
const FLOAT_LEN: u32 = 10;

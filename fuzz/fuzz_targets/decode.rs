//! Any bytes through the door of the shard: a tape, an event of any kind, its `Debug`, its JSON.
//!
//! The first byte says the kind, the rest is the payload. A payload of `tests/corpus` begins with
//! `{`, which is as good a kind as any.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shardring::decode::{PADDING, Scratch};
use shardring::model::{Event, EventKind};
use std::cell::RefCell;
use std::fmt::{self, Write};

thread_local! {
    /// Kept from one input to the next, as the shard does.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

fuzz_target!(|data: &[u8]| {
    let Some(&kind) = data.first() else { return };
    let named = std::str::from_utf8(data).ok();
    SCRATCH.with_borrow_mut(|scratch| {
        // Whole, by the name that it says, and without its first byte, by the kind that it says.
        if named.is_some() {
            read(scratch, data, None);
        }
        read(scratch, &data[1..], Some(EventKind::ALL[usize::from(kind) % EventKind::COUNT]));
        assert!(scratch.heap_len() < HEAP_LEN_MAX);
    });
});

fn read(scratch: &mut Scratch, text: &[u8], kind: Option<EventKind>) {
    let mut bytes = text.to_vec();
    bytes.resize(text.len() + PADDING, b'"');
    let got = scratch.read(&mut bytes, text.len(), |root| {
        let kind = kind.unwrap_or_else(|| EventKind::from_name(root.name()));
        let event = Event::decode(kind, root.name(), root.data());
        assert_eq!(event.kind(), kind);
        write!(Sink, "{event:?} {} {:?}", root.json(), root).unwrap();
        (root.op(), root.seq())
    });
    match got {
        Ok(_) => assert!(scratch.notes().iter().count() as u32 <= scratch.notes().count()),
        Err(error) => write!(Sink, "{error} {error:?}").unwrap(),
    }
}

/// Takes text and keeps none.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

/// libFuzzer's inputs are of some kilobytes; a scratch above this has lost its bound.
const HEAP_LEN_MAX: usize = 256 * 1024 * 1024;

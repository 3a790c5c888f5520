//! The event path allocates nothing per event once it is warm: bytes to callback, text and zlib.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use shardring::command::UpdateVoiceState;
use shardring::{Compression, Context, Delivery, Event, EventKind, Handler, Interest};
use support::{Counting, Line, payloads};

struct CountingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator; the counter is a plain cell that
// needs neither an allocation nor a destructor.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: passed on to the caller.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: passed on to the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: passed on to the caller.
        unsafe { System.realloc(pointer, layout, len) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const COUNTED: u64 = 6_000;

/// Bytes as the driver gives them: in pieces of a ring buffer's size, whatever they hold.
fn allocations_per_run(compression: Compression, interest: Interest) -> (u64, u64) {
    let mut line = Line::new(compression, interest, Counting::default);
    line.log_in();
    // The same events twice, of the same lengths: the first time warms every buffer.
    let mut half = |first_s| {
        payloads(COUNTED, first_s).iter().flat_map(|text| line.frame(text)).collect::<Vec<u8>>()
    };
    let (warm_up, counted) = (half(10_000), half(20_000));
    for piece in warm_up.chunks(4096) {
        line.give(piece);
    }
    let (before, seen) = (ALLOCATIONS.with(Cell::get), line.desk.handler().events);
    for piece in counted.chunks(4096) {
        line.give(piece);
    }
    (ALLOCATIONS.with(Cell::get) - before, line.desk.handler().events - seen)
}

#[test]
fn zlib_stream_to_typed_events_allocates_nothing_after_warm_up() {
    let (allocations, events) =
        allocations_per_run(Compression::ZlibStream, Interest::all(Delivery::Typed));
    assert_eq!((allocations, events), (0, COUNTED));
}

#[test]
fn plain_text_to_typed_events_allocates_nothing_after_warm_up() {
    let (allocations, events) =
        allocations_per_run(Compression::None, Interest::all(Delivery::Typed));
    assert_eq!((allocations, events), (0, COUNTED));
}

#[test]
fn raw_and_typed_allocates_nothing_after_warm_up() {
    let (allocations, events) =
        allocations_per_run(Compression::ZlibStream, Interest::all(Delivery::RawAndTyped));
    assert_eq!((allocations, events), (0, COUNTED));
}

#[test]
fn raw_text_allocates_nothing_after_warm_up() {
    let (allocations, events) =
        allocations_per_run(Compression::ZlibStream, Interest::all(Delivery::Raw));
    assert_eq!((allocations, events), (0, COUNTED));
}

/// Sends a command at each event, and keeps what the dearest of the later ones took.
#[derive(Default)]
struct Sender {
    sends: u64,
    allocations_max: u64,
}

impl Handler for Sender {
    fn on_event(&mut self, cx: &mut Context<'_>, _: Event<'_>) {
        let before = ALLOCATIONS.with(Cell::get);
        let receipt = cx.send(UpdateVoiceState::join(1u64, 2u64));
        let took = ALLOCATIONS.with(Cell::get) - before;
        assert!(receipt.is_ok());
        self.sends += 1;
        if self.sends > 100 {
            self.allocations_max = self.allocations_max.max(took);
        }
    }
}

#[test]
fn a_command_takes_three_allocations_its_text_and_its_receipt() {
    let interest = Interest::typed([EventKind::TypingStart]);
    let mut line = Line::new(Compression::None, interest, Sender::default);
    line.log_in();
    for number in 2..1_000u64 {
        line.say(&format!(
            r#"{{"op":0,"t":"TYPING_START","s":{number},"d":{{"channel_id":"1","user_id":"2","timestamp":3}}}}"#
        ));
        line.heard();
        line.pass(Duration::from_secs(1));
    }
    let sender = line.desk.handler();
    assert!(sender.sends > 900, "{}", sender.sends);
    // The text, grown once to its exact length, and what receipt and shard share.
    assert!((1..=3).contains(&sender.allocations_max), "{}", sender.allocations_max);
}

#[test]
fn skipped_events_are_counted_and_never_parsed() {
    let mut line =
        Line::new(Compression::ZlibStream, Interest::typed([EventKind::MessageCreate]), || {
            Counting::default()
        });
    line.log_in();
    for text in payloads(1_000, 2) {
        line.say(&text);
    }
    let created = line.desk.metrics().kind(EventKind::MessageCreate);
    let typing = line.desk.metrics().kind(EventKind::TypingStart);
    assert!(created.received > 100 && created.delivered == created.received);
    assert!(typing.received > 50 && typing.skipped == typing.received && typing.delivered == 0);
    assert_eq!(line.desk.handler().events, created.received);
}

//! The event path allocates nothing per event once it is warm: bytes to callback, text and zlib.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use shardring::{Compression, Delivery, EventKind, Interest};
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

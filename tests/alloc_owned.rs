//! Keeping an event is one allocation, and opening it in a warm scratch none. Alone in its file:
//! the allocator counts for the whole process.

mod payload;

use payload::{corpus, read};
use shardring::decode::Scratch;
use shardring::{Event, EventKind, OwnedEvent};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(block, layout, len) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let before = ALLOCATIONS.load(Relaxed);
    let result = work();
    (result, ALLOCATIONS.load(Relaxed) - before)
}

#[test]
fn keeping_is_one_allocation_and_opening_none() {
    let mut scratch = Scratch::new();
    let mut opened = Scratch::new();
    for (name, text) in corpus() {
        let kept: OwnedEvent = read(&mut scratch, &text, |event| {
            let (kept, allocations) = count(|| event.to_owned());
            assert_eq!(allocations, 1, "{name}");
            kept
        })
        .unwrap();
        let (copy, allocations) = count(|| kept.clone());
        assert_eq!(allocations, 1, "{name}");
        for _ in 0..3 {
            copy.read(&mut opened, |event| {
                black_box(event);
            });
        }
        let (kind, allocations) = count(|| copy.read(&mut opened, |event| event.kind()));
        assert_eq!((kind, allocations), (kept.kind(), 0), "{name}");
    }
    let raw = Event::raw(EventKind::Ready, "READY", br#"{"op":0,"d":{}}"#);
    assert_eq!(count(|| raw.to_owned()).1, 1);
}

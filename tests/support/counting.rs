//! An allocator that counts what its thread asks for: for test programs that hold themselves to it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts this thread's allocations and live bytes.
struct Counting;

thread_local! {
    static ALLOCATED_COUNT: Cell<u64> = const { Cell::new(0) };
    static LIVE_LEN: Cell<i64> = const { Cell::new(0) };
}

fn count(allocated: u64, live: i64) {
    ALLOCATED_COUNT.with(|n| n.set(n.get() + allocated));
    LIVE_LEN.with(|n| n.set(n.get() + live));
}

// SAFETY: every call is handed to `System` as it came; the counters are plain thread-local numbers
// that neither allocate nor have a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        count(1, len as i64 - layout.size() as i64);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(at, layout, len) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread so far.
pub(crate) fn allocated_count() -> u64 {
    ALLOCATED_COUNT.with(Cell::get)
}

/// Bytes that this thread has allocated and not freed.
pub(crate) fn live_len() -> i64 {
    LIVE_LEN.with(Cell::get)
}

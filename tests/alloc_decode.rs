//! Decoding allocates nothing once the scratch is warm. Alone in its file: the allocator counts
//! for the whole process.

use shardring::decode::{Envelope, PADDING, Scratch};
use shardring::model::{Event, EventKind};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
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

#[test]
fn typed_and_untyped_events_cost_no_allocation_after_warm_up() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let texts: Vec<Vec<u8>> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .filter(|path| !path.ends_with("schema.json"))
        .map(|path| fs::read(path).unwrap())
        .collect();
    let longest = texts.iter().map(Vec::len).max().unwrap();
    let mut buffer = vec![0; longest + PADDING];
    let mut scratch = Scratch::new();
    let mut typed = 0;
    let mut before = 0;
    for round in 0..103 {
        if round == 3 {
            before = ALLOCATIONS.load(Relaxed);
            typed = 0;
        }
        for text in &texts {
            buffer[..text.len()].copy_from_slice(text);
            let envelope = Envelope::scan(&buffer[..text.len()]).unwrap();
            let kind = EventKind::from_name(envelope.t.unwrap());
            typed += scratch
                .read(&mut buffer, text.len(), |root| {
                    let event = Event::decode(kind, root.name(), root.data());
                    u64::from(!matches!(event, Event::Untyped(_)))
                })
                .unwrap();
        }
    }
    let allocated = ALLOCATIONS.load(Relaxed) - before;
    assert!(typed >= 1000, "{typed} typed events were read");
    assert_eq!(allocated, 0, "allocations in 100 rounds over {} payloads", texts.len());
}

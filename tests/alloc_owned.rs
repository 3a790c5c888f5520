//! Keeping an event is one allocation, and opening it in a warm scratch none. The
//! allocator counts for this program's threads.

#[path = "support/counting.rs"]
#[allow(dead_code)] // what lives is not counted here
mod counting;
mod payload;

use counting::allocated_count;
use payload::{corpus, read};
use shardring::decode::Scratch;
use shardring::{Event, EventKind, OwnedEvent};
use std::hint::black_box;

fn count<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let before = allocated_count();
    let result = work();
    (result, allocated_count() - before)
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

//! Decoding allocates nothing once the scratch is warm. The allocator counts for
//! each thread of this program.

#[path = "support/counting.rs"]
#[allow(dead_code)] // what lives is not counted here
mod counting;
mod payload;

use counting::allocated_count;
use payload::corpus;
use shardring::decode::{Envelope, PADDING, Scratch};
use shardring::model::{Event, EventKind};
#[test]
fn typed_and_untyped_events_cost_no_allocation_after_warm_up() {
    let texts: Vec<String> = corpus().into_iter().map(|(_, text)| text).collect();
    let longest = texts.iter().map(String::len).max().unwrap();
    let mut buffer = vec![0; longest + PADDING];
    let mut scratch = Scratch::new();
    let mut typed = 0;
    let mut before = 0;
    for round in 0..103 {
        if round == 3 {
            before = allocated_count();
            typed = 0;
        }
        for text in &texts {
            buffer[..text.len()].copy_from_slice(text.as_bytes());
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
    let allocated = allocated_count() - before;
    assert!(typed >= 1000, "{typed} typed events were read");
    assert_eq!(allocated, 0, "allocations in 100 rounds over {} payloads", texts.len());
}

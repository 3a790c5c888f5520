//! A peer that asks for more than it takes: what waits to be written stays bounded.

mod support;

use shardring::{Compression, Delivery, Interest};
use support::{Counting, Line};

#[test]
fn a_flood_of_pings_whose_pongs_nobody_reads_takes_no_memory() {
    let interest = Interest::all(Delivery::Typed);
    let mut line: Line<Counting> = Line::new(Compression::None, interest, Counting::default);
    line.log_in();
    line.heard();
    let ping = [&[0x89, 125][..], &[b'p'; 125]].concat();
    let many = ping.repeat(100);
    for _ in 0..1_000 {
        line.give(&many); // 12 MB in all, and no write completes meanwhile
    }
    let waiting = line.shard.take_outgoing().unwrap();
    assert!(waiting.len() >= 125, "pings are answered");
    assert!(waiting.len() <= 8 * 1024, "{} bytes of pongs wait", waiting.len());
}

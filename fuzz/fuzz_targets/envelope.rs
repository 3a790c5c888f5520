//! Any bytes through the scan of the envelope. Where the text is JSON after all, the scan and
//! the tape say the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shardring::decode::{Envelope, PADDING, Scratch};

fuzz_target!(|data: &[u8]| {
    let envelope = Envelope::scan(data);
    let range = Envelope::data_range(data);
    if let Ok(Some(range)) = &range {
        assert!(range.start < range.end && range.end <= data.len());
    }
    // A key that stands there twice may be read from either place, an escape in a name is undone
    // by the tape only, and `-0` is an unsigned integer to the tape but not to the scan.
    if count(data, "-0") > 0 {
        return;
    }
    if ["\"op\"", "\"s\"", "\"t\"", "\"d\"", "\\"].iter().any(|part| count(data, part) > 1) {
        return;
    }
    let mut bytes = data.to_vec();
    bytes.resize(data.len() + PADDING, b'"');
    let tape = Scratch::new()
        .read(&mut bytes, data.len(), |root| (root.op(), root.seq(), root.name().to_owned()));
    if let (Ok((op, s, name)), Ok(envelope)) = (tape, envelope) {
        if count(data, "\\") == 0 {
            assert_eq!((envelope.op, envelope.s), (op, s));
            assert_eq!(envelope.t.unwrap_or(""), name);
        }
    }
});

fn count(data: &[u8], part: &str) -> usize {
    data.windows(part.len()).filter(|window| *window == part.as_bytes()).count()
}

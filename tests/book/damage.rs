//! The file cut off at every length and spoiled at every byte: what is read is on the safe side.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use shardring::sans_io::shard::budget::{Counted, StartLedger as _, WINDOW};
use shardring::sans_io::shard::identify::{Claim, KeyStore as _, TURN};
use shardring::{Book, BookError};

use crate::support::{Place, TestHost, at, token};

/// Starts that the sound book has counted.
const COUNTED: u32 = 7;
/// The key that it has lent out.
const KEY: u32 = 3;
/// So many bytes hold all that was written: the header, two windows, the records of four keys.
const LEN: usize = 64 + 2 * 64 + 4 * 32;

/// The bytes of a book with seven starts counted and a key claimed by somebody who is gone.
fn sound(place: &Place, host: &Arc<TestHost>) -> Vec<u8> {
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    for _ in 0..COUNTED {
        assert!(matches!(book.count(100, at(1)), Counted::Yes(_)));
    }
    assert_eq!(book.claim(KEY, at(1)), Claim::Granted);
    fs::read(place.path()).unwrap()
}

/// Opens what lies there and checks that it errs to the safe side.
fn check(place: &Place, host: &Arc<TestHost>, what: &str) {
    let book = Book::open_on(place.path(), &token(), host.clone())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let counted = book.state(at(1)).counted;
    assert!([COUNTED, COUNTED + 1, u32::MAX].contains(&counted), "{what}: {counted}");
    let Claim::Later(free_at) = book.claim(KEY, at(1)) else { panic!("{what}: the key is lent") };
    assert!(free_at >= at(1) + TURN, "{what}: {free_at:?}");
    if counted == u32::MAX {
        assert!(matches!(book.count(u32::MAX, at(1)), Counted::Full(_)), "{what}");
        assert_eq!(book.align(9, at(1) + WINDOW, at(1)).counted, 9, "{what}: Discord knows");
    }
    let Counted::Yes(state) = book.count(u32::MAX, at(1)) else { panic!("{what}: goes on") };
    let again = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    assert_eq!(again.state(at(1)), state, "{what}: mended once, and for all");
}

#[test]
fn a_book_cut_off_at_any_length_never_counts_one_too_few_nor_frees_a_key() {
    let place = Place::new("truncated");
    let host = TestHost::new();
    let bytes = sound(&place, &host);
    for len in 0..=LEN {
        fs::write(place.path(), &bytes[..len]).unwrap();
        check(&place, &host, &format!("cut off after {len} bytes"));
    }
}

#[test]
fn a_book_spoiled_at_any_byte_never_counts_one_too_few_nor_frees_a_key() {
    let place = Place::new("spoiled");
    let host = TestHost::new();
    let bytes = sound(&place, &host);
    for at in 0..LEN {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x5A;
        fs::write(place.path(), &bytes).unwrap();
        if at < 8 {
            let error = Book::open_on(place.path(), &token(), host.clone()).unwrap_err();
            assert!(matches!(error, BookError::NotABook { .. }));
            assert_eq!(fs::read(place.path()).unwrap(), bytes, "left alone");
        } else {
            check(&place, &host, &format!("spoiled at byte {at}"));
        }
    }
}

#[test]
fn a_write_that_broke_off_under_a_running_process_is_mended_to_the_safe_side() {
    let place = Place::new("torn");
    let host = TestHost::new();
    drop(sound(&place, &host));
    for copy in [64..128, 128..192] {
        let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
        let before = book.state(at(1)).counted;
        let mut bytes = fs::read(place.path()).unwrap();
        bytes[copy].fill(0);
        fs::write(place.path(), &bytes).unwrap();
        let after = book.state(at(1)).counted;
        assert!((before..=before + 1).contains(&after), "{before} {after}");
        assert_eq!(book.state(at(1)).counted, after, "once");
    }
    // A key's record: held for a whole lease from when that was noticed, not for ever.
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    let mut bytes = fs::read(place.path()).unwrap();
    let record = LEN - 32..LEN;
    bytes[record].fill(0xEE);
    fs::write(place.path(), &bytes).unwrap();
    assert_eq!(book.claim(KEY, at(0)), Claim::Later(at(30)));
    host.advance(Duration::from_secs(29));
    assert_eq!(book.claim(KEY, at(29)), Claim::Later(at(30)));
    host.advance(Duration::from_secs(1));
    assert_eq!(book.claim(KEY, at(30)), Claim::Granted);
}

#[test]
fn a_book_emptied_under_a_running_process_is_damaged_for_it_and_for_the_next() {
    let place = Place::new("emptied");
    let host = TestHost::new();
    drop(sound(&place, &host));
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    assert!(!book.is_damaged());
    fs::write(place.path(), []).unwrap();
    assert_eq!(book.state(at(1)).counted, u32::MAX, "nobody knows");
    assert!(book.is_damaged());
    // It has written its window behind a header that is gone.
    let next = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    assert!(next.is_damaged() && next.state(at(1)).counted == u32::MAX);
    assert_eq!(next.align(9, at(1) + WINDOW, at(1)).counted, 9, "Discord knows");
    assert_eq!(book.state(at(1)).counted, 9);
    assert!(!book.is_damaged());
    // Zeros alone are no book.
    fs::write(place.path(), [0; LEN]).unwrap();
    let error = Book::open_on(place.path(), &token(), host).unwrap_err();
    assert!(matches!(error, BookError::NotABook { .. }));
}

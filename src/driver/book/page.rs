//! The book's records as bytes, and what a broken one is taken for.
//!
//! ```text
//!     0  header    magic, version, salt and tag of the bot, check         64 bytes
//!    64  window A  sequence, counted, end, stamps, boot, check            64 bytes
//!   128  window B  the same; written in turn, the higher sequence holds   64 bytes
//!   192  keys      owner, until, key, check                  32 bytes × 4096
//! ```
//!
//! Numbers are little-endian; times are milliseconds since the boot that `boot` names. No I/O and
//! no clock. Invariant: a record that was not written whole never passes for one that was, and is
//! read to the safe side: the window as one start more than its other copy says, or as spent if
//! both are broken; a key as held for a whole lease. Called by `book` and `store`.

use crate::shard::budget::{StartWindow, WINDOW};
use crate::shard::identify::{CLAIM_LEASE, KeyRecord, TURN};

/// The first page: whose book it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) salt: u64,
    pub(super) tag: u16,
}

/// What the first bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    Book(Header),
    /// Of another version of this library.
    Version(u32),
    /// A book, or its beginning, whose header is broken.
    Broken,
    /// Something else: hands off.
    Foreign,
}

impl Header {
    pub(super) fn of(identity: &str, salt: u64) -> Self {
        let sum = checksum(identity.as_bytes(), salt);
        Self { salt, tag: (sum >> 48) as u16 }
    }

    pub(super) fn is_of(self, identity: &str) -> bool {
        Self::of(identity, self.salt) == self
    }

    pub(super) fn bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.tag.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.salt.to_le_bytes());
        seal(&mut bytes, HEADER_SEED);
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Opened {
        let len = bytes.len().min(MAGIC.len());
        if bytes[..len] != MAGIC[..len] {
            return Opened::Foreign;
        }
        match bytes.get(..HEADER_LEN) {
            Some(header) if is_sealed(header, HEADER_SEED) => match number_u32(header, 8) {
                VERSION => Opened::Book(Self {
                    salt: number(header, 16),
                    tag: (number_u32(header, 12) & 0xFFFF) as u16,
                }),
                version => Opened::Version(version),
            },
            _ => Opened::Broken,
        }
    }
}

/// The window, and by which clocks it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WindowRecord {
    pub(super) sequence: u64,
    pub(super) window: StartWindow,
    pub(super) stamp: Stamp,
}

/// A moment of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Since the boot.
    pub(super) boot_ms: u64,
    /// Since 1970.
    pub(super) wall_ms: u64,
    /// Which boot.
    pub(super) boot: u64,
}

impl Stamp {
    fn is_of_boot(self, now: Self) -> bool {
        self.boot == now.boot && self.boot_ms <= now.boot_ms
    }
}

/// What the two copies of the window are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadWindow {
    pub(super) record: WindowRecord,
    /// A copy was broken: write the record again.
    pub(super) is_repaired: bool,
}

impl WindowRecord {
    pub(super) fn bytes(&self) -> [u8; WINDOW_LEN] {
        let mut bytes = [0; WINDOW_LEN];
        bytes[..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.window.counted.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.window.ends_ms.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.stamp.boot_ms.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.stamp.wall_ms.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.stamp.boot.to_le_bytes());
        seal(&mut bytes, WINDOW_SEED);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..WINDOW_LEN).filter(|bytes| is_sealed(bytes, WINDOW_SEED))?;
        let window = StartWindow { counted: number_u32(bytes, 8), ends_ms: number(bytes, 16) };
        let stamp = Stamp {
            boot_ms: number(bytes, 24),
            wall_ms: number(bytes, 32),
            boot: number(bytes, 40),
        };
        Some(Self { sequence: number(bytes, 0), window, stamp })
    }

    /// Where a record goes: the copy that is not the last one.
    pub(super) fn at(&self) -> u64 {
        (HEADER_LEN + WINDOW_LEN * (self.sequence % 2) as usize) as u64
    }

    /// Reads both copies, as seen at `now`.
    pub(super) fn read(bytes: &[u8], now: Stamp) -> ReadWindow {
        let first = Self::parse(bytes);
        let second = bytes.get(WINDOW_LEN..).and_then(Self::parse);
        let (record, is_repaired) = match (first, second) {
            (Some(a), Some(b)) if a.sequence > b.sequence => (a, false),
            (Some(_), Some(b)) => (b, false),
            (Some(one), None) | (None, Some(one)) => (one, true),
            (None, None) => {
                let record = Self { sequence: 0, window: spent(now), stamp: now };
                return ReadWindow { record, is_repaired: true };
            }
        };
        let mut record = record.seen_at(now);
        if is_repaired {
            // What was being written when it broke was a count of one more.
            record.window.count(SPENT, now.boot_ms);
        }
        ReadWindow { record, is_repaired }
    }

    /// Whether a copy of the window was written since the last boot; `None` if both are broken.
    pub(super) fn is_of_boot(bytes: &[u8], now: Stamp) -> Option<bool> {
        let copies = [Self::parse(bytes), bytes.get(WINDOW_LEN..).and_then(Self::parse)];
        copies.into_iter().flatten().map(|record| record.stamp.is_of_boot(now)).max()
    }

    /// Whether a copy of the window is whole.
    pub(super) fn is_any(bytes: &[u8]) -> bool {
        let second = bytes.get(WINDOW_LEN..).and_then(Self::parse);
        Self::parse(bytes).or(second).is_some()
    }

    /// The record in the terms of another moment: of another boot, if it is one.
    ///
    /// Across a boot only the wall clock goes on. One that was set back makes the window as long
    /// as it was when it was last written, and never longer than a day.
    fn seen_at(mut self, now: Stamp) -> Self {
        if !self.stamp.is_of_boot(now) {
            let elapsed_ms = now.wall_ms.saturating_sub(self.stamp.wall_ms);
            let left_ms = self.window.ends_ms.saturating_sub(self.stamp.boot_ms);
            match left_ms.min(WINDOW_MS).saturating_sub(elapsed_ms) {
                0 => self.window = StartWindow::default(),
                left_ms => self.window.ends_ms = now.boot_ms.saturating_add(left_ms),
            }
        }
        self.window.roll(now.boot_ms);
        self.stamp = now;
        self
    }
}

/// Nobody knows how many were counted: as many as may be, for a day or until Discord says.
pub(super) fn spent(now: Stamp) -> StartWindow {
    StartWindow { counted: SPENT, ends_ms: now.boot_ms.saturating_add(WINDOW_MS) }
}

/// Reads a key's record. `None`: broken, and to be taken for [`held`].
pub(super) fn read_key(bytes: &[u8], key: u32) -> Option<KeyRecord> {
    let bytes = bytes.get(..KEY_LEN)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Some(KeyRecord::default());
    }
    let is_whole = is_sealed(bytes, KEY_SEED) && number_u32(bytes, 16) == key;
    is_whole.then_some(KeyRecord { owner: number(bytes, 0), until_ms: number(bytes, 8) })
}

pub(super) fn key_bytes(key: u32, record: KeyRecord) -> [u8; KEY_LEN] {
    let mut bytes = [0; KEY_LEN];
    bytes[..8].copy_from_slice(&record.owner.to_le_bytes());
    bytes[8..16].copy_from_slice(&record.until_ms.to_le_bytes());
    bytes[16..20].copy_from_slice(&key.to_le_bytes());
    seal(&mut bytes, KEY_SEED);
    bytes
}

/// A key about which nothing is known: nobody has held it for longer.
pub(super) fn held(now: Stamp) -> KeyRecord {
    KeyRecord { owner: 0, until_ms: now.boot_ms.saturating_add(LEASE_MS) }
}

/// A key after a boot: who held it is gone, and what was written is a turn old then.
pub(super) fn rested(now: Stamp) -> KeyRecord {
    KeyRecord { owner: 0, until_ms: now.boot_ms.saturating_add(TURN_MS) }
}

pub(super) fn key_at(key: u32) -> u64 {
    (KEYS_AT + KEY_LEN * key as usize) as u64
}

fn seal(bytes: &mut [u8], seed: u64) {
    let end = bytes.len() - 8;
    let sum = checksum(&bytes[..end], seed);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
}

fn is_sealed(bytes: &[u8], seed: u64) -> bool {
    let end = bytes.len() - 8;
    checksum(&bytes[..end], seed) == number(bytes, end)
}

/// FNV-1a with a finish that spreads it over all bits: against accidents, not against people.
pub(super) fn checksum(bytes: &[u8], seed: u64) -> u64 {
    let mut sum = 0xCBF2_9CE4_8422_2325 ^ seed;
    for byte in bytes {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    sum ^= sum >> 32;
    sum = sum.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    sum ^ (sum >> 32)
}

fn number(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn number_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub(super) const MAGIC: &[u8; 8] = b"shrdbook";
const VERSION: u32 = 1;
pub(super) const HEADER_LEN: usize = 64;
pub(super) const WINDOW_LEN: usize = 64;
pub(super) const KEY_LEN: usize = 32;
pub(super) const KEYS_AT: usize = HEADER_LEN + 2 * WINDOW_LEN;
/// The most keys: far above any `max_concurrency`.
pub(super) const KEYS_MAX: u32 = 4096;
/// Bytes of a book.
pub(super) const BOOK_LEN: usize = KEYS_AT + KEY_LEN * KEYS_MAX as usize;
/// Counted, if nobody knows how many were.
pub(super) const SPENT: u32 = u32::MAX;

const HEADER_SEED: u64 = 1;
const WINDOW_SEED: u64 = 2;
const KEY_SEED: u64 = 3;
const WINDOW_MS: u64 = WINDOW.as_millis() as u64;
const LEASE_MS: u64 = CLAIM_LEASE.as_millis() as u64;
const TURN_MS: u64 = TURN.as_millis() as u64;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Stamp = Stamp { boot_ms: 1_000_000, wall_ms: 1_800_000_000_000, boot: 7 };

    fn record(sequence: u64, counted: u32) -> WindowRecord {
        let window = StartWindow { counted, ends_ms: NOW.boot_ms + 5_000 };
        WindowRecord { sequence, window, stamp: NOW }
    }

    fn two(old: &WindowRecord, new: &WindowRecord) -> Vec<u8> {
        let mut bytes = vec![0; 2 * WINDOW_LEN];
        for copy in [old, new] {
            let at = copy.at() as usize - HEADER_LEN;
            bytes[at..at + WINDOW_LEN].copy_from_slice(&copy.bytes());
        }
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let header = Header::of("81384788765712384", 99);
        assert_eq!(Header::read(&header.bytes()), Opened::Book(header));
        assert!(header.is_of("81384788765712384") && !header.is_of("81384788765712385"));
        for sequence in [1, 2, u64::MAX] {
            let bytes = two(&record(sequence - 1, 4), &record(sequence, 5));
            let read = WindowRecord::read(&bytes, NOW);
            assert_eq!(read, ReadWindow { record: record(sequence, 5), is_repaired: false });
        }
        let key = KeyRecord { owner: 3, until_ms: 4 };
        assert_eq!(read_key(&key_bytes(9, key), 9), Some(key));
        assert_eq!(read_key(&key_bytes(9, key), 8), None, "the record of another key");
        assert_eq!(read_key(&[0; KEY_LEN], 9), Some(KeyRecord::default()), "never used");
    }

    #[test]
    fn a_write_that_broke_off_anywhere_never_counts_one_too_few() {
        let (old, new) = (record(4, 10), record(5, 11));
        let before = two(&record(3, 9), &old);
        let at = new.at() as usize - HEADER_LEN;
        for written in 0..=WINDOW_LEN {
            for rest in [None, Some(0u8), Some(0xFF)] {
                let mut bytes = before.clone();
                if let Some(rest) = rest {
                    bytes[at..at + WINDOW_LEN].fill(rest);
                }
                bytes[at..at + written].copy_from_slice(&new.bytes()[..written]);
                let read = WindowRecord::read(&bytes, NOW);
                // Where nothing of it arrived, nobody was told that it is counted.
                let expected = if written == 0 && rest.is_none() { 10 } else { 11 };
                assert_eq!(read.record.window.counted, expected, "{written} {rest:?}");
                assert_eq!(read.record.window.ends_ms, NOW.boot_ms + 5_000);
            }
        }
    }

    #[test]
    fn one_broken_byte_anywhere_is_noticed() {
        let bytes = two(&record(4, 10), &record(5, 11));
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                let read = WindowRecord::read(&bytes, NOW);
                assert!(read.is_repaired && read.record.window.counted >= 11, "{at}");
            }
        }
        let key = key_bytes(1, KeyRecord { owner: 3, until_ms: 4 });
        let header = Header::of("x", 1).bytes();
        for at in 0..KEY_LEN {
            let mut key = key;
            key[at] ^= 0x10;
            assert_eq!(read_key(&key, 1), None, "{at}");
        }
        for at in 0..HEADER_LEN {
            let mut header = header;
            header[at] ^= 0x10;
            let expected = if at < MAGIC.len() { Opened::Foreign } else { Opened::Broken };
            assert_eq!(Header::read(&header), expected, "{at}");
        }
    }

    #[test]
    fn two_broken_copies_are_a_spent_window_of_a_day() {
        for bytes in [vec![], vec![0; 2 * WINDOW_LEN], vec![0xAB; 2 * WINDOW_LEN], vec![7; 30]] {
            let read = WindowRecord::read(&bytes, NOW);
            assert!(read.is_repaired);
            assert_eq!(read.record.window.counted, SPENT);
            assert_eq!(read.record.window.ends_ms, NOW.boot_ms + WINDOW_MS);
        }
    }

    #[test]
    fn a_broken_first_count_of_a_new_window_is_still_one() {
        let mut over = record(4, 10);
        over.window.ends_ms = NOW.boot_ms - 1;
        let mut bytes = two(&record(3, 9), &over);
        bytes[WINDOW_LEN] ^= 1;
        assert_eq!(WindowRecord::read(&bytes, NOW).record.window.counted, 1);
    }

    #[test]
    fn over_a_boot_the_wall_clock_says_how_much_of_the_window_is_left() {
        let left_after = |wall_ms: u64, boot_ms| {
            let bytes = two(&record(4, 10), &record(5, 11));
            let now = Stamp { boot_ms, wall_ms, boot: 8 };
            let window = WindowRecord::read(&bytes, now).record.window;
            (window.counted, window.ends_ms.saturating_sub(boot_ms))
        };
        assert_eq!(left_after(NOW.wall_ms + 2_000, 50), (11, 3_000));
        assert_eq!(left_after(NOW.wall_ms + 2_000, 9_000_000), (11, 3_000));
        assert_eq!(left_after(NOW.wall_ms + 5_000, 50), (0, 0), "over meanwhile");
        assert_eq!(left_after(NOW.wall_ms - 1_000_000, 50), (11, 5_000), "set back");
        assert_eq!(left_after(0, 50), (11, 5_000), "begun anew with 1970");
    }

    #[test]
    fn no_other_file_is_taken_for_a_book() {
        let whole = Header::of("x", 1).bytes();
        for len in 0..HEADER_LEN {
            assert_eq!(Header::read(&whole[..len]), Opened::Broken, "{len}");
        }
        assert_eq!(Header::read(b"#!/bin/sh"), Opened::Foreign);
        assert_eq!(Header::read(&[0; HEADER_LEN]), Opened::Foreign);
        let mut newer = whole;
        newer[8] = 2;
        seal(&mut newer, HEADER_SEED);
        assert_eq!(Header::read(&newer), Opened::Version(2));
    }
}

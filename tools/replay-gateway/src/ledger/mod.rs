//! The ledger: what a gateway numbered, what a client's handler saw, and their comparison.
//!
//! A ledger is a list of [`Record`]s: on disk a 64-byte [`Header`] and then 32 bytes a record, all
//! little-endian. Both sides write the same format, so one reader serves both:
//!
//! | bytes | header | | bytes | record |
//! |---|---|---|---|---|
//! | 0..8 | magic `SRLEDGR1` | | 0..8 | `session`: [`session_key`] of the session id |
//! | 8..16 | traffic start, Unix ns (0: never) | | 8..12 | `s`, modulo 2^32 |
//! | 16..24 | seed | | 12..16 | `flags` |
//! | 24..64 | zero | | 16..24 | the event's unique id, 0 if it has none |
//! | | | | 24..32 | [`hash`] of the text of `d`, 0 if not computed |
//!
//! Records are appended in the order in which events were numbered (gateway) or seen (client).
//! Never holds payload text. Used by the gateway, by load-test, and by tests.

mod compare;

pub use compare::{Report, SessionLost, compare};

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// One event, as one side knew it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// [`session_key`] of the session id in READY.
    pub session: u64,
    /// The sequence number.
    pub s: u32,
    /// [`TRAFFIC`], [`START_GUILD`] or 0. Clients write 0.
    pub flags: u32,
    /// The unique id that the event carries ([`crate::traffic::id_field`]); 0: none.
    pub id: u64,
    /// [`hash`] of the text of `d`; 0: not computed, not compared.
    pub hash: u64,
}

/// Flag of a gateway's record: generated or captured traffic. Clients must see it.
pub const TRAFFIC: u32 = 1;
/// Flag of a gateway's record: a GUILD_CREATE that follows READY.
pub const START_GUILD: u32 = 2;

/// The header of a ledger file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// When paced traffic started, in ns of CLOCK_REALTIME; 0 if it never did.
    pub start_unix_ns: u64,
    /// The traffic's seed.
    pub seed: u64,
}

/// The key of a session: [`hash`] of its id's bytes.
pub fn session_key(session_id: &str) -> u64 {
    hash(session_id.as_bytes())
}

/// A fast 64-bit hash of some bytes, never 0: eight bytes a step, folded by a 128-bit product.
/// Not for hostile input; it has to notice a changed, cut or swapped text.
pub fn hash(bytes: &[u8]) -> u64 {
    const K0: u64 = 0xa076_1d64_78bd_642f;
    const K1: u64 = 0xe703_7ed1_a0b4_28db;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = K0 ^ (bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        state = fold(state ^ word, K1);
    }
    let mut tail = [0u8; 8];
    tail[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    state = fold(state ^ u64::from_le_bytes(tail), K0);
    state.max(1)
}

/// Bytes of a record on disk.
pub const RECORD_BYTES: usize = 32;
/// Bytes of the header on disk.
pub const HEADER_BYTES: usize = 64;
const MAGIC: &[u8; 8] = b"SRLEDGR1";

impl Record {
    fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[0..8].copy_from_slice(&self.session.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.s.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.flags.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.hash.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Self {
        Self {
            session: u64_at(bytes, 0),
            s: u64_at(bytes, 8) as u32,
            flags: (u64_at(bytes, 8) >> 32) as u32,
            id: u64_at(bytes, 16),
            hash: u64_at(bytes, 24),
        }
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Writes a ledger file, buffered; appending a record is a copy of 32 bytes.
#[derive(Debug)]
pub struct Writer {
    file: BufWriter<File>,
    header: Header,
}

impl Writer {
    /// Creates (or empties) the file.
    ///
    /// # Errors
    /// Whatever creating the file or writing its header gives.
    pub fn create(path: &Path, header: Header) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(256 * 1024, File::create(path)?);
        file.write_all(&header_bytes(header))?;
        Ok(Self { file, header })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// Whatever writing to the file gives.
    pub fn append(&mut self, record: Record) -> io::Result<()> {
        self.file.write_all(&record.to_bytes())
    }

    /// Sets the start moment that [`Writer::finish`] puts in the header.
    pub fn set_start_unix_ns(&mut self, start_unix_ns: u64) {
        self.header.start_unix_ns = start_unix_ns;
    }

    /// Writes what is buffered and the header anew.
    ///
    /// # Errors
    /// Whatever writing to the file gives.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header_bytes(self.header))
    }
}

fn header_bytes(header: Header) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[0..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&header.start_unix_ns.to_le_bytes());
    bytes[16..24].copy_from_slice(&header.seed.to_le_bytes());
    bytes
}

/// Reads a whole ledger file. A last record cut short (a writer that was killed) is left out.
///
/// # Errors
/// Reading the file failed, or it is no ledger (`InvalidData`).
pub fn read(path: &Path) -> io::Result<(Header, Vec<Record>)> {
    let file = File::open(path)?;
    let count = (file.metadata()?.len() as usize).saturating_sub(HEADER_BYTES) / RECORD_BYTES;
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let mut head = [0; HEADER_BYTES];
    file.read_exact(&mut head)?;
    if &head[0..8] != MAGIC {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a ledger file"));
    }
    let header = Header { start_unix_ns: u64_at(&head, 8), seed: u64_at(&head, 16) };
    let mut records = Vec::with_capacity(count);
    let mut bytes = [0; RECORD_BYTES];
    for _ in 0..count {
        file.read_exact(&mut bytes)?;
        records.push(Record::from_bytes(&bytes));
    }
    Ok((header, records))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_with_the_late_start_moment() {
        let name = format!("replay-gateway-ledger-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut writer = Writer::create(&path, Header { start_unix_ns: 0, seed: 7 }).expect("new");
        let records: Vec<Record> = (0..1_000)
            .map(|n| Record { session: n, s: n as u32 + 2, flags: 1, id: n << 40, hash: !n })
            .collect();
        records.iter().for_each(|record| writer.append(*record).expect("append"));
        writer.set_start_unix_ns(99);
        writer.finish().expect("finish");
        let (header, back) = read(&path).expect("read");
        std::fs::remove_file(&path).expect("remove");
        assert_eq!(header, Header { start_unix_ns: 99, seed: 7 });
        assert_eq!(back, records);
    }

    #[test]
    fn the_hash_notices_each_changed_byte_each_length_and_swapped_words() {
        let text: Vec<u8> = (0..100u8).collect();
        let whole = hash(&text);
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert_ne!(hash(&changed), whole, "byte {at}");
            assert_ne!(hash(&text[..at]), whole, "length {at}");
        }
        let mut swapped = text.clone();
        swapped[0..16].rotate_left(8);
        assert_ne!(hash(&swapped), whole);
        assert_ne!(hash(b""), 0);
        assert_ne!(hash(b"a"), hash(b"a\0"));
    }
}

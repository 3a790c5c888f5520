//! The book's file: made at once or not at all, locked while it is read and changed.
//!
//! Invariants: a file that is no book is never written to; nobody waits for the lock except at the
//! opening; a new book appears under its name whole. What the bytes mean is `page`'s affair.
//! Called by `book`.

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::error::BookError;
use super::page::{
    BOOK_LEN, HEADER_LEN, Header, KEY_LEN, KEYS_AT, KEYS_MAX, Opened, ReadWindow, Stamp,
    WINDOW_LEN, WindowRecord, held, key_at, key_bytes, read_key, rested,
};
use crate::shard::budget::StartWindow;
use crate::shard::identify::KeyRecord;

/// An open book.
#[derive(Debug)]
pub(super) struct Store {
    file: Arc<File>,
}

/// The lock, as long as it lives.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    file: &'a File,
}

impl Store {
    /// Opens the book of a bot, or makes one. Waits up to [`OPEN_WAIT`] for the lock: not for a
    /// core's thread. Reads and writes it once, so that a disk that is full or read-only shows.
    pub(super) fn open(
        path: &Path,
        identity: &str,
        now: Stamp,
    ) -> Result<(Self, StartWindow), BookError> {
        let told = |what| move |error: io::Error| BookError::io(what, path, &error);
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path, identity, now).map_err(told("made"))?;
                options.open(path)
            }
            other => other,
        };
        let store = Self { file: Arc::new(file.map_err(told("opened"))?) };
        let is_file = store.file.metadata().map_err(told("read"))?.is_file();
        if !is_file {
            return Err(BookError::NotABook { path: path.into() });
        }
        let window = {
            let locked = store.lock_at_last(path)?;
            locked.check_header(path, identity)?;
            locked.settle(now).map_err(told("written"))?
        };
        Ok((store, window))
    }

    fn lock_at_last(&self, path: &Path) -> Result<Locked<'_>, BookError> {
        for _ in 0..OPEN_WAIT.as_millis() / OPEN_AGAIN.as_millis() {
            match self.lock() {
                Ok(Some(locked)) => return Ok(locked),
                Ok(None) => thread::sleep(OPEN_AGAIN),
                Err(error) => return Err(BookError::io("locked", path, &error)),
            }
        }
        Err(BookError::Busy { path: path.into() })
    }

    /// The lock, if nobody has it. Does not wait.
    pub(super) fn lock(&self) -> io::Result<Option<Locked<'_>>> {
        match self.file.try_lock() {
            Ok(()) => {
                let locked = Locked { file: &self.file };
                // A file that has lost its name is seen by nobody who starts from now on.
                if self.file.metadata()?.nlink() == 0 {
                    return Err(io::ErrorKind::NotFound.into());
                }
                Ok(Some(locked))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// For syncing.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

impl Locked<'_> {
    /// The window as of now, repaired if it was broken.
    pub(super) fn window(&self, now: Stamp) -> io::Result<WindowRecord> {
        let ReadWindow { mut record, is_repaired } = self.read_window(now)?;
        if is_repaired {
            self.keep(&mut record)?;
        }
        Ok(record)
    }

    /// Writes the window over the older of its two copies.
    pub(super) fn keep(&self, record: &mut WindowRecord) -> io::Result<()> {
        record.sequence = record.sequence.wrapping_add(1);
        self.file.write_all_at(&record.bytes(), record.at())
    }

    /// Changes a key's record, and writes it if that changed it or mended it.
    pub(super) fn with_key<T>(
        &self,
        key: u32,
        now: Stamp,
        change: impl FnOnce(&mut KeyRecord) -> T,
    ) -> io::Result<T> {
        let mut bytes = [0; KEY_LEN];
        let len = read_up_to(self.file, &mut bytes, key_at(key))?;
        let read = read_key(&bytes[..len], key);
        let mut record = read.unwrap_or(held(now));
        let result = change(&mut record);
        if read != Some(record) {
            self.file.write_all_at(&key_bytes(key, record), key_at(key))?;
        }
        Ok(result)
    }

    fn read_window(&self, now: Stamp) -> io::Result<ReadWindow> {
        let mut bytes = [0; 2 * WINDOW_LEN];
        let len = read_up_to(self.file, &mut bytes, HEADER_LEN as u64)?;
        Ok(WindowRecord::read(&bytes[..len], now))
    }

    fn check_header(&self, path: &Path, identity: &str) -> Result<(), BookError> {
        let told = |error: io::Error| BookError::io("read", path, &error);
        let mut bytes = [0; HEADER_LEN];
        let len = read_up_to(self.file, &mut bytes, 0).map_err(told)?;
        match Header::read(&bytes[..len]) {
            Opened::Book(header) if header.is_of(identity) => Ok(()),
            Opened::Book(_) => Err(BookError::OtherBot { path: path.into() }),
            Opened::Version(version) => Err(BookError::Version { path: path.into(), version }),
            // Cut off under a running process, which has written its window since.
            Opened::Foreign if bytes == [0; HEADER_LEN] && self.has_window().map_err(told)? => {
                self.make_header(path, identity)
            }
            Opened::Foreign => Err(BookError::NotABook { path: path.into() }),
            Opened::Broken => self.make_header(path, identity),
        }
    }

    /// Whether a whole window stands where a book has it.
    fn has_window(&self) -> io::Result<bool> {
        let mut bytes = [0; 2 * WINDOW_LEN];
        let len = read_up_to(self.file, &mut bytes, HEADER_LEN as u64)?;
        Ok(WindowRecord::is_any(&bytes[..len]))
    }

    fn make_header(&self, path: &Path, identity: &str) -> Result<(), BookError> {
        let header = Header::of(identity, RandomState::new().hash_one(path));
        let written = self.file.write_all_at(&header.bytes(), 0);
        written.map_err(|error| BookError::io("written", path, &error))
    }

    /// Brings a book that comes from another boot, or that is too short, into this one's terms.
    fn settle(&self, now: Stamp) -> io::Result<StartWindow> {
        let mut raw = [0; 2 * WINDOW_LEN];
        let len = read_up_to(self.file, &mut raw, HEADER_LEN as u64)?;
        let is_of_boot = WindowRecord::is_of_boot(&raw[..len], now);
        let mut record = WindowRecord::read(&raw[..len], now).record;
        // Over a boot all that was used rests; else what is broken or missing is held.
        let (resting, is_over) = match is_of_boot {
            Some(false) => (rested(now), true),
            Some(true) => (held(now), false),
            None => (held(now), true),
        };
        // The keys first: should this break off, the window still says that it is to be done.
        let mut keys = vec![0; BOOK_LEN - KEYS_AT];
        let len = read_up_to(self.file, &mut keys, KEYS_AT as u64)?;
        for key in 0..KEYS_MAX {
            let at = KEY_LEN * key as usize;
            let old = keys.get(at..len.min(at + KEY_LEN)).and_then(|bytes| read_key(bytes, key));
            if old.is_none() || (is_over && old != Some(KeyRecord::default())) {
                let bytes = key_bytes(key, resting);
                self.file.write_all_at(&bytes, key_at(key))?;
            }
        }
        // Twice: both copies are of this boot then, and neither is broken.
        self.keep(&mut record)?;
        self.keep(&mut record)?;
        Ok(record.window)
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // A lock that cannot be given back ends with the file; others see a busy book.
        let _ = self.file.unlock();
    }
}

/// Makes a new book beside its place and links it there, which fails if somebody was faster: then
/// that one is as good.
fn create(path: &Path, identity: &str, now: Stamp) -> io::Result<()> {
    let salt = RandomState::new().hash_one(path);
    let mut bytes = Vec::with_capacity(BOOK_LEN);
    bytes.extend_from_slice(&Header::of(identity, salt).bytes());
    for sequence in [0, 1] {
        let window = StartWindow::default();
        bytes.extend_from_slice(&WindowRecord { sequence, window, stamp: now }.bytes());
    }
    bytes.resize(BOOK_LEN, 0);
    let draft = draft_of(path, salt);
    let made = write_whole(&draft, &bytes).and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    });
    let removed = std::fs::remove_file(&draft);
    made.and(removed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // With a book of all its bytes, no later write needs room on the disk.
    file.write_all_at(bytes, 0)?;
    file.sync_all()
}

fn draft_of(path: &Path, salt: u64) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{salt:016x}.new"));
    path.with_file_name(name)
}

/// Reads what there is: a file may be shorter than it was made.
fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut len = 0;
    while len < bytes.len() {
        match file.read_at(&mut bytes[len..], at + len as u64) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// How long the opening waits for the lock, which others hold for microseconds.
const OPEN_WAIT: Duration = Duration::from_secs(5);
const OPEN_AGAIN: Duration = Duration::from_millis(5);

//! The book of a bot on one host: a file that counts session starts and lends out identify keys.
//!
//! It implements [`StartLedger`] and [`KeyStore`] over one small file that the bot's processes
//! share: `store` has the file and its lock, `page` the bytes and what a broken record is taken
//! for. It decides nothing; `budget` and `identify` do. Made by the engine, called by cores.
//!
//! **No core waits.** A call takes the lock only if it is free (others hold it for microseconds),
//! tries for [`TRIES`] short turns, and then says later. What must not be lost meanwhile (an
//! IDENTIFY written, a key given back, Discord's figures) waits in memory for the next call.
//!
//! **Time.** Moments in the file are milliseconds since the machine's boot: the same for all its
//! processes, and not to be set by anybody, so a wall clock that jumps changes nothing. Only over
//! a boot does the wall clock say how much of the window is left; set back, the window is as long
//! as it was; set forward, it may end early, until Discord is asked.
//!
//! **What holds.** A process killed at any moment has counted what it was told is counted; its keys
//! are free again when their leases end. Nothing is synced on the way: that is the kernel's, which
//! outlives processes. After a power loss the last seconds ([`Book::sync`] bounds them) may be
//! missing, and Discord's own figure, asked for at the start, holds if it is larger. A record that
//! was not written whole counts as one start more; two broken copies as a spent window.
//!
//! **A file that fails** (full, gone, read-only) stops IDENTIFYs, not resumes: no start is granted
//! that cannot be remembered, [`LedgerState::is_degraded`] raises the alarm, and it goes on by
//! itself when the file works again.
//!
//! **Whose book.** The file knows 16 salted bits of the bot's application id, the part of the token
//! before the first dot, which is public: enough to notice a wrong file, worth nothing to a thief.

mod error;
mod page;
mod store;

pub use error::BookError;
pub(super) use error::Damaged;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::hint::spin_loop;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::page::{KEYS_MAX, SPENT, Stamp, WindowRecord};
use self::store::{Locked, Store};
use crate::clock::Time;
use crate::driver::system::boot_ms;
use crate::shard::budget::{Counted, LedgerState, StartLedger, StartWindow};
use crate::shard::identify::{ASK_AGAIN, Claim, KeyStore};
use crate::shard::token::Token;

/// A bot's session starts and identify keys in a file, for all its processes on one host.
///
/// Clones are the same process; every [`open`](Self::open) is another user of the keys. The file
/// must lie on a local file system that outlives a boot (not on NFS or in `/run`), has about
/// 130 KB and mode 0600, and holds nothing of the token's secret part.
#[derive(Clone)]
pub struct Book(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// Who this process is among the users of the keys. Not 0.
    me: u64,
    host: Arc<dyn HostClock>,
    /// For syncing, which needs no lock.
    file: Arc<File>,
    store: Mutex<Store>,
    /// Never held while the file is read or written.
    seen: Mutex<Seen>,
}

/// What is known without the file.
#[derive(Debug, Default)]
struct Seen {
    /// The window as it was last read or written.
    window: StartWindow,
    /// What could not be written yet, of each key the last.
    keys: BTreeMap<u32, Left>,
    /// Discord's figures, which could not be written yet: used, and the end of its window.
    align: Option<(u32, u64)>,
    /// Since when the file could not be locked, ms since the boot.
    busy_since_ms: Option<u64>,
    trouble: Option<io::ErrorKind>,
    is_damaged: bool,
    damage_untold: bool,
}

#[derive(Clone, Copy, Debug)]
enum Left {
    Written { boot_ms: u64 },
    GivenBack,
}

/// A machine's clocks, for the book. The default is this machine's.
pub trait HostClock: fmt::Debug + Send + Sync {
    /// Milliseconds since the boot, sleep included. The same for all processes.
    fn boot_ms(&self) -> u64;
    /// Milliseconds since 1970.
    fn wall_ms(&self) -> u64;
    /// Which boot this is: another number after each.
    fn boot(&self) -> u64;
}

impl Book {
    /// Opens the book at `path`, or makes one. May wait for some seconds, and for the disk: not on
    /// a core's thread.
    ///
    /// # Errors
    /// [`BookError`]: the file cannot be used. What is no book of this bot is left alone.
    pub fn open(path: impl AsRef<Path>, token: &Token) -> Result<Self, BookError> {
        Self::open_on(path, token, Arc::new(ThisHost::new()))
    }

    /// The same, by other clocks: for tests and simulations.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(
        path: impl AsRef<Path>,
        token: &Token,
        host: Arc<dyn HostClock>,
    ) -> Result<Self, BookError> {
        let path = path.as_ref().to_path_buf();
        // Before the first dot stands the application id; without a dot nothing is known to be
        // public.
        let identity = token.expose().split_once('.').map_or("", |(id, _)| id);
        let now = stamp(&*host);
        let (store, window) = Store::open(&path, identity, now)?;
        let me = RandomState::new().hash_one((std::process::id(), now.wall_ms)).max(1);
        let seen = Mutex::new(Seen { window, ..Seen::default() });
        let file = store.file();
        let book = Self(Arc::new(Inner { path, me, host, file, store: Mutex::new(store), seen }));
        book.notice(window);
        Ok(book)
    }

    /// Puts everything on the disk, so that a power loss costs nothing older. May take long: for a
    /// helper thread, every few seconds.
    ///
    /// # Errors
    /// That of the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.0.file.sync_data()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What the file failed with, if it fails.
    pub fn trouble(&self) -> Option<io::ErrorKind> {
        self.seen().trouble
    }

    /// Nobody knows what the file had counted (it was emptied, cut off, spoiled): all is spent.
    pub fn is_damaged(&self) -> bool {
        self.seen().is_damaged
    }

    /// Whether there is damage that was not asked for yet: once for each.
    pub(super) fn take_damage(&self) -> bool {
        std::mem::take(&mut self.seen().damage_untold)
    }

    /// The most keys that a book has: the largest `max_concurrency`.
    pub const fn keys_max() -> u32 {
        KEYS_MAX
    }

    /// Locks the file, writes what was left, and does `work` on the window. Does not wait.
    fn transact<T>(
        &self,
        work: impl FnOnce(&Locked<'_>, &mut WindowRecord) -> io::Result<T>,
    ) -> Result<T, Stop> {
        let tries = if self.seen().busy_since_ms.is_some() { 1 } else { TRIES };
        let mut result = Err(Stop::Busy);
        for at in 0..tries {
            if at > 0 {
                (0..SPINS).for_each(|_| spin_loop());
            }
            let store = match self.0.store.try_lock() {
                Ok(store) => store,
                // It is a file's handle: nothing can be half changed.
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            let locked = store.lock();
            match locked {
                Ok(None) => {}
                Ok(Some(file)) => {
                    result = self.work_on(&file, work).map_err(Stop::from);
                    break;
                }
                Err(error) => {
                    result = Err(error.into());
                    break;
                }
            }
        }
        self.note(&result);
        result
    }

    fn work_on<T>(
        &self,
        file: &Locked<'_>,
        work: impl FnOnce(&Locked<'_>, &mut WindowRecord) -> io::Result<T>,
    ) -> io::Result<T> {
        let now = stamp(&*self.0.host);
        self.write_what_was_left(file, now)?;
        let mut record = file.window(now)?;
        self.notice(record.window);
        let result = work(file, &mut record);
        self.seen().window = record.window;
        result
    }

    fn write_what_was_left(&self, file: &Locked<'_>, now: Stamp) -> io::Result<()> {
        loop {
            // One at a time, so that what fails stays where it is.
            let Some((key, left)) = self.seen().keys.pop_first() else { break };
            let done = file.with_key(key, now, |record| match left {
                Left::Written { boot_ms } => record.written(self.0.me, boot_ms),
                Left::GivenBack => record.give_back(self.0.me, now.boot_ms),
            });
            if let Err(error) = done {
                self.seen().keys.entry(key).or_insert(left);
                return Err(error);
            }
        }
        let Some((used, reset_ms)) = self.seen().align else { return Ok(()) };
        let mut record = file.window(now)?;
        self.notice(record.window);
        align_to(&mut record.window, used, reset_ms, now.boot_ms);
        file.keep(&mut record)?;
        let mut seen = self.seen();
        // Unless there are newer figures meanwhile.
        seen.align = seen.align.filter(|align| *align != (used, reset_ms));
        Ok(())
    }

    /// Says so when nobody knows any more what was counted.
    fn notice(&self, window: StartWindow) {
        let is_damaged = window.counted == SPENT;
        let mut seen = self.seen();
        let was_damaged = std::mem::replace(&mut seen.is_damaged, is_damaged);
        if is_damaged && !was_damaged {
            seen.damage_untold = true;
            drop(seen);
            tracing::warn!(target: "shardring::engine", "{}", Damaged(&self.0.path));
        }
    }

    /// Remembers how it went, and says so when that changes.
    fn note<T>(&self, result: &Result<T, Stop>) {
        let now_ms = self.0.host.boot_ms();
        let mut seen = self.seen();
        let before = seen.trouble;
        match result {
            Ok(_) => (seen.busy_since_ms, seen.trouble) = (None, None),
            Err(Stop::Failed(kind)) => seen.trouble = Some(*kind),
            Err(Stop::Busy) => {
                let since_ms = *seen.busy_since_ms.get_or_insert(now_ms);
                if now_ms.saturating_sub(since_ms) >= BUSY_MS_MAX {
                    seen.trouble = Some(io::ErrorKind::ResourceBusy);
                }
            }
        }
        let after = seen.trouble;
        drop(seen);
        let path = self.0.path.display();
        match (before, after) {
            (None, Some(kind)) => tracing::error!(
                book = %path, error = %kind,
                "the book of session starts fails: no shard identifies until it works again"
            ),
            (Some(_), None) => tracing::info!(book = %path, "the book of session starts is back"),
            _ => {}
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Plain values, each replaced whole.
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known without the file.
    fn remembered(&self, now: Time) -> LedgerState {
        let boot_ms = self.0.host.boot_ms();
        let seen = self.seen();
        let mut window = seen.window;
        window.roll(boot_ms);
        state_of(window, seen.trouble.is_some(), boot_ms, now)
    }

    /// Has something of a key written, now or with a later transaction.
    fn leave(&self, key: u32, left: Left) {
        if key < KEYS_MAX {
            // One a key, so at most `KEYS_MAX`.
            self.seen().keys.insert(key, left);
            let _ = self.transact(|_, _| Ok(()));
        }
    }
}

impl StartLedger for Book {
    fn state(&self, now: Time) -> LedgerState {
        // If it cannot be read just now, what was read last is what is known.
        let _ = self.transact(|_, _| Ok(()));
        self.remembered(now)
    }

    fn count(&self, limit: u32, now: Time) -> Counted {
        let counted = self.transact(|file, record| {
            let is_counted = record.window.count(limit, record.stamp.boot_ms);
            if is_counted {
                file.keep(record)?;
            }
            Ok(is_counted)
        });
        match counted {
            Ok(true) => Counted::Yes(self.remembered(now)),
            Ok(false) => Counted::Full(self.remembered(now)),
            Err(Stop::Busy) => Counted::Busy(now + BUSY_AGAIN),
            Err(Stop::Failed(_)) => Counted::Busy(now + FAILED_AGAIN),
        }
    }

    fn align(&self, used: u32, reset_at: Time, now: Time) -> LedgerState {
        let boot_ms = self.0.host.boot_ms();
        let reset_ms = boot_ms.saturating_add(in_ms(reset_at.since(now)));
        {
            let mut seen = self.seen();
            // Known at once, and written with the next transaction, which may be this one.
            seen.align = Some((used, reset_ms));
            align_to(&mut seen.window, used, reset_ms, boot_ms);
        }
        self.state(now)
    }
}

impl KeyStore for Book {
    fn claim(&self, key: u32, now: Time) -> Claim {
        if key >= KEYS_MAX {
            return Claim::Later(now + ASK_AGAIN);
        }
        let claimed = self.transact(|file, record| {
            let now = record.stamp;
            file.with_key(key, now, |key| {
                let claimed = key.claim(self.0.me, now.boot_ms);
                claimed.map_err(|until_ms| until_ms.saturating_sub(now.boot_ms))
            })
        });
        match claimed {
            Ok(Ok(())) => Claim::Granted,
            Ok(Err(wait_ms)) => Claim::Later(now + Duration::from_millis(wait_ms)),
            Err(Stop::Busy) => Claim::Later(now + BUSY_AGAIN),
            Err(Stop::Failed(_)) => Claim::Later(now + ASK_AGAIN),
        }
    }

    fn written(&self, key: u32, _now: Time) {
        // Rounded up, so that no rest ends early.
        let boot_ms = self.0.host.boot_ms().saturating_add(1);
        self.leave(key, Left::Written { boot_ms });
    }

    fn give_back(&self, key: u32, _now: Time) {
        self.leave(key, Left::GivenBack);
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("path", &self.0.path)
            .field("seen", &*self.seen())
            .finish_non_exhaustive()
    }
}

/// Why a transaction did not happen.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Busy,
    Failed(io::ErrorKind),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.kind())
    }
}

/// The clocks of the machine that this runs on.
#[derive(Debug)]
struct ThisHost {
    boot: u64,
}

impl ThisHost {
    fn new() -> Self {
        // Without it a boot shows by the milliseconds since, which begin anew.
        let id = std::fs::read(BOOT_ID).unwrap_or_default();
        Self { boot: page::checksum(&id, 0) }
    }
}

impl HostClock for ThisHost {
    fn boot_ms(&self) -> u64 {
        boot_ms()
    }

    fn wall_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, in_ms)
    }

    fn boot(&self) -> u64 {
        self.boot
    }
}

fn stamp(host: &dyn HostClock) -> Stamp {
    Stamp { boot_ms: host.boot_ms(), wall_ms: host.wall_ms(), boot: host.boot() }
}

fn align_to(window: &mut StartWindow, used: u32, reset_ms: u64, now_ms: u64) {
    if window.counted == SPENT {
        // Nobody knew; now Discord has said.
        *window = StartWindow::default();
    }
    window.align(used, reset_ms, now_ms);
}

fn state_of(window: StartWindow, is_degraded: bool, boot_ms: u64, now: Time) -> LedgerState {
    let left = Duration::from_millis(window.ends_ms.saturating_sub(boot_ms));
    LedgerState {
        counted: window.counted,
        resets_at: (window.ends_ms != 0).then_some(now + left),
        is_degraded,
    }
}

fn in_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How often a call tries for the lock, and how long it spins in between: some 100 µs in all.
const TRIES: u32 = 50;
const SPINS: u32 = 100;
/// When a call that found the book busy may be made again.
const BUSY_AGAIN: Duration = Duration::from_millis(5);
/// When a call that found the file failing may be made again.
const FAILED_AGAIN: Duration = Duration::from_secs(5);
/// A book that is busy for longer than this has failed.
const BUSY_MS_MAX: u64 = 5_000;
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

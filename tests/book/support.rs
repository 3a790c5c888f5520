//! Places for books, a bot, and a host whose clocks the test sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use shardring::sans_io::clock::Time;
use shardring::{HostClock, Token};

/// A folder of its own for a test's book; gone with the next run.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder.join("book"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// A moment of an engine, in seconds.
pub(crate) fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

pub(crate) fn token() -> Token {
    token_of("81384788765712384", "verysecret")
}

pub(crate) fn token_of(application: &str, secret: &str) -> Token {
    Token::new(&format!("{application}.GhTuVw.{secret}")).unwrap()
}

/// A machine that stands still unless it is told otherwise.
#[derive(Debug)]
pub(crate) struct TestHost {
    boot_ms: AtomicU64,
    wall_ms: AtomicU64,
    boot: AtomicU64,
}

impl TestHost {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            boot_ms: 1_000_000.into(),
            wall_ms: 1_800_000_000_000.into(),
            boot: 1.into(),
        })
    }

    pub(crate) fn advance(&self, by: Duration) {
        let ms = by.as_millis() as u64;
        self.boot_ms.fetch_add(ms, SeqCst);
        self.wall_ms.fetch_add(ms, SeqCst);
    }

    pub(crate) fn set_wall(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, SeqCst);
    }

    /// The machine was off for so long, and has run for a second since.
    pub(crate) fn reboot(&self, off: Duration) {
        self.wall_ms.fetch_add(off.as_millis() as u64, SeqCst);
        self.boot_ms.store(1_000, SeqCst);
        self.boot.fetch_add(1, SeqCst);
    }
}

impl HostClock for TestHost {
    fn boot_ms(&self) -> u64 {
        self.boot_ms.load(SeqCst)
    }

    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(SeqCst)
    }

    fn boot(&self) -> u64 {
        self.boot.load(SeqCst)
    }
}

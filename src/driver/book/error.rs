//! Why a book cannot be opened, in words that a stranger can act on. No I/O, no token.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};

/// Why a book cannot be opened. What is no book of this bot was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BookError {
    /// The file system refused.
    Io {
        /// What was to be done: made, opened, read, locked, written.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why: a folder that is not there, a disk that is full or read-only, a permission.
        kind: io::ErrorKind,
    },
    /// Something else has stood there; it was left alone.
    NotABook {
        /// Where.
        path: PathBuf,
    },
    /// The book of another bot.
    OtherBot {
        /// Where.
        path: PathBuf,
    },
    /// A book of another version of this library.
    Version {
        /// Where.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Somebody has held the lock for seconds.
    Busy {
        /// Where.
        path: PathBuf,
    },
}

impl BookError {
    pub(super) fn io(what: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Io { what, path: path.into(), kind: error.kind() }
    }
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self {
            Self::Io { path, .. }
            | Self::NotABook { path }
            | Self::OtherBot { path }
            | Self::Version { path, .. }
            | Self::Busy { path } => path.display(),
        };
        write!(f, "the book of session starts at {path} ")?;
        match self {
            Self::Io { what, kind: io::ErrorKind::NotFound, .. } => {
                write!(f, "cannot be {what}: its folder does not exist")
            }
            Self::Io { what, kind, .. } => write!(f, "cannot be {what}: {kind}"),
            Self::NotABook { .. } => {
                f.write_str("is another file, and was left alone: choose another path")
            }
            Self::OtherBot { .. } => {
                f.write_str("belongs to another bot: choose a path for each bot")
            }
            Self::Version { version, .. } => write!(
                f,
                "was made by another version of this library (format {version}): use that one, or \
                 remove the file while no process of this bot runs"
            ),
            Self::Busy { .. } => f.write_str(
                "has been locked for seconds: is a process of this bot stopped (SIGSTOP, debugger)?",
            ),
        }
    }
}

/// What to say of a book that was emptied, cut off or spoiled.
pub(in crate::driver) struct Damaged<'a>(pub(in crate::driver) &'a Path);

impl fmt::Display for Damaged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the book at {} is damaged: its starts of the day count as spent, to be safe, until \
             Discord says how many are left; if you know better, delete it while no process of \
             this bot runs",
            self.0.display()
        )
    }
}

impl std::error::Error for BookError {}

impl From<BookError> for Error {
    fn from(error: BookError) -> Self {
        Self::new(ErrorKind::Config, error.to_string())
    }
}

//! What can go wrong for the user of the engine, whose fault it is, and what was done about it.
//!
//! Errors of one connection never come here: they are [`Link`](crate::Link) notices, since the
//! session survives them. Here is what ends a call, a core, or the engine. No error holds a token
//! or a byte of a payload. Everybody may use this file.

use std::fmt;
use std::sync::Arc;

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The caller: an argument or a configuration that cannot work.
    Caller,
    /// Discord (or whatever stands at the gateway's address) refused for good.
    Discord,
    /// The machine: kernel, limits, permissions.
    System,
    /// The user's handler panicked.
    Handler,
    /// This library. Please report it.
    Engine,
}

/// An error of the engine: cheap to clone, `Send`, without a token or a payload in it.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    detail: String,
}

/// What an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value in the configuration cannot work. Nothing was started.
    Config,
    /// The token is missing or malformed (nothing was sent), or discovery was refused it (401).
    Token,
    /// io_uring is denied, or lacks an operation that the engine needs. Nothing was started.
    IoUring,
    /// A limit of the process is too low (`RLIMIT_NOFILE`, `RLIMIT_MEMLOCK`). Nothing was started.
    Limit,
    /// A thread could not be made or pinned. Nothing was started.
    Thread,
    /// The handler's factory refused to make a handler.
    Factory,
    /// A queue is full; the call did nothing. Try again later.
    Full,
    /// A command is not valid; nothing was queued.
    Command,
    /// The shard named is not one of this engine's.
    NoSuchShard,
    /// The engine has stopped; the call did nothing.
    Stopped,
    /// The shard has no connection or no session yet, or its user has taken it down: the call did
    /// nothing.
    NotConnected,
    /// What was waited for did not come in time.
    TimedOut,
    /// Discord refused a shard for good (close codes 4004 and 4010–4014): it does not reconnect.
    Refused,
    /// A handler panicked three times in ten seconds: its core delivers no more dispatches, its
    /// heartbeats go on.
    HandlerPanicked,
    /// The connection ended as a command was being written: nobody knows whether it arrived, and
    /// it is not sent again.
    Dropped,
    /// A newer command of its sort took a command's place before it was sent.
    Superseded,
    /// A command was not sent before its deadline.
    Expired,
    /// A command was cancelled before it was sent.
    Cancelled,
    /// Discord refused a command by RATE_LIMITED, each time that it was sent.
    RateLimited,
    /// A core's thread ended by a fault of this library.
    CoreFailed,
    /// TLS cannot be set up on this machine. Nothing was started.
    Tls,
    /// `GET /gateway/bot` failed: the network, or an answer that cannot be used. Nothing was
    /// started.
    Discovery,
    /// The file of session starts cannot be used. Nothing was started.
    Book,
    /// The day's session starts cannot cover what was asked for, or run low.
    Budget,
}

impl Error {
    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self.0.kind {
            ErrorKind::Config
            | ErrorKind::Token
            | ErrorKind::Full
            | ErrorKind::Command
            | ErrorKind::NoSuchShard
            | ErrorKind::Stopped
            | ErrorKind::Superseded
            | ErrorKind::Expired
            | ErrorKind::Cancelled
            | ErrorKind::NotConnected
            | ErrorKind::Factory => Fault::Caller,
            ErrorKind::Refused
            | ErrorKind::Dropped
            | ErrorKind::RateLimited
            | ErrorKind::TimedOut
            | ErrorKind::Discovery
            | ErrorKind::Budget => Fault::Discord,
            ErrorKind::IoUring
            | ErrorKind::Limit
            | ErrorKind::Thread
            | ErrorKind::Tls
            | ErrorKind::Book => Fault::System,
            ErrorKind::HandlerPanicked => Fault::Handler,
            ErrorKind::CoreFailed => Fault::Engine,
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, detail: detail.into() }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

/// As a sentence too: it is what a `main` that returns it prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.0.detail, self.0.kind)
    }
}

impl std::error::Error for Error {}

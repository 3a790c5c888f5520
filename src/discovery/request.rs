//! One HTTP GET: the seam, its values, and errors that say what failed where.
//!
//! No socket here: `http` has them, `simulated` does without. `retry` judges what comes. Invariant:
//! `Debug` of a [`Request`] and every [`HttpError`] shows no token, no body, and no secret of a
//! proxy's address.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::shard::token::Token;

/// Sends a GET and gives its answer, whatever its status. Blocks for at most the time-out.
pub trait HttpGet {
    /// Sends it.
    ///
    /// # Errors
    /// [`HttpError`] if no answer came. A status is no error.
    fn get(&self, request: &Request) -> Result<Response, HttpError>;
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The whole address, `http://` or `https://`, without user and password.
    pub url: String,
    /// Sent as `Authorization: Bot …`.
    pub token: Token,
    /// The `User-Agent` that Discord demands.
    pub user_agent: String,
    /// From the name's resolution to the last byte of the body.
    pub timeout: Duration,
}

/// What came. The body is at most [`BODY_LEN_MAX`] bytes.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The `Retry-After` header, as it came.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// It took longer than allowed.
    Timeout,
    /// The name has no address, or no resolver answered.
    NoSuchHost,
    /// The connection failed: refused, no route, reset.
    Io(io::ErrorKind),
    /// The server's certificate is not believed: wrong name, expired, unknown CA.
    Certificate(String),
    /// TLS failed otherwise.
    Tls(String),
    /// The proxy refused, or could not reach the server.
    Proxy {
        /// What an HTTP proxy answered to CONNECT.
        status: Option<u16>,
        /// What a SOCKS proxy answered, in words.
        why: &'static str,
    },
    /// No connection to the proxy. Nothing is known of the server.
    ProxyUnreachable {
        /// `host:port`, without user and password.
        proxy: String,
        /// Why, in words.
        why: String,
    },
    /// The body is longer than [`BODY_LEN_MAX`], or the head longer than [`HEAD_LEN_MAX`].
    TooLong,
    /// What answered does not speak HTTP/1.1.
    NotHttp,
    /// The request cannot be sent at all; a mistake of the configuration.
    Request(String),
}

impl HttpError {
    /// Whether asking again within a minute cannot help.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Certificate(_) | Self::Request(_) => true,
            // 407 and its kin ask for other credentials; a 502 may be gone in a moment.
            Self::Proxy { status: Some(status), .. } => {
                (400..500).contains(status) && *status != 429
            }
            _ => false,
        }
    }
}

/// The longest body taken, in bytes; the usual one has 160.
pub const BODY_LEN_MAX: usize = 64 * 1024;

/// The longest head taken, in bytes.
pub const HEAD_LEN_MAX: usize = 16 * 1024;

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer in time"),
            Self::NoSuchHost => f.write_str("the host's name has no address (DNS)"),
            Self::Io(io::ErrorKind::ConnectionRefused) => {
                f.write_str("the connection was refused: nothing listens there")
            }
            Self::Io(
                kind @ (io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable),
            ) => write!(f, "no route ({kind}): is this machine on the network?"),
            Self::Io(kind) => write!(f, "the connection failed: {kind}"),
            Self::Certificate(why) => write!(f, "the server's certificate is not believed: {why}"),
            Self::Tls(why) => write!(f, "TLS failed: {why}"),
            Self::Proxy { status: Some(407), .. } => {
                f.write_str("the proxy wants another user and password (status 407)")
            }
            Self::Proxy { status: Some(status), .. } => {
                write!(f, "the proxy refused with status {status}")
            }
            Self::Proxy { status: None, why } => write!(f, "the proxy refused: {why}"),
            Self::ProxyUnreachable { proxy, why } => {
                write!(f, "the proxy at {proxy} cannot be reached: {why}")
            }
            Self::TooLong => f.write_str("the answer is too long"),
            Self::NotHttp => f.write_str("what answered does not speak HTTP/1.1"),
            Self::Request(why) => write!(f, "the request cannot be sent: {why}"),
        }
    }
}

impl std::error::Error for HttpError {}

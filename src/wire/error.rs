//! What can go wrong on one connection's bytes, whose fault it was, and what was done.
//!
//! Never holds payload text, reply bodies or URLs: an error may be logged as it stands. Everything
//! in `wire/` makes these errors; the shard machine reads them.
//!
//! Invariant: each variant belongs to exactly one [`Fault`], and none of them ends the session.

use std::fmt;

/// Why a connection's bytes could not be read any further.
///
/// A [`Wire`](super::Wire) that gave an error has returned its chunks to the pool and gives the
/// same error for ever: the connection must be dropped. The session survives (see
/// [`WireError::session_survives`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The server answered the upgrade request with another status than 101.
    Refused {
        /// The HTTP status, for example 503 or 429.
        status: u16,
        /// Seconds of a `Retry-After` header, where it had one in seconds.
        retry_after_s: Option<u64>,
    },
    /// The answer to the upgrade request was not an HTTP/1.1 response.
    UpgradeMalformed,
    /// The header of the upgrade response was longer than allowed.
    UpgradeTooLong {
        /// [`WireLimits::upgrade_len_max`](super::WireLimits::upgrade_len_max), bytes.
        len_max: usize,
    },
    /// The 101 response lacked a header, or had one with a wrong value (RFC 6455 §4.1).
    UpgradeHeader {
        /// The name of the header.
        header: &'static str,
    },
    /// A frame had a reserved bit set although no extension was negotiated (RFC 6455 §5.2).
    ReservedBits,
    /// A frame from the server was masked (RFC 6455 §5.1).
    MaskedFrame,
    /// A frame had an opcode that RFC 6455 §5.2 does not know.
    UnknownOpcode {
        /// The four bits.
        opcode: u8,
    },
    /// A ping, pong or close frame was fragmented (RFC 6455 §5.5).
    FragmentedControl,
    /// A ping, pong or close frame claimed more than 125 bytes (RFC 6455 §5.5).
    ControlTooLong {
        /// The claimed length, bytes.
        len: u64,
    },
    /// A continuation frame came although no message was begun (RFC 6455 §5.4).
    UnexpectedContinuation,
    /// A new message began before the fragments of the last one ended (RFC 6455 §5.4).
    InterruptedMessage,
    /// A close frame had a body of one byte (RFC 6455 §5.5.1).
    ClosePayload,
    /// A close frame had a code that must not be sent (RFC 6455 §7.4).
    CloseCode {
        /// The code.
        code: u16,
    },
    /// The reason of a close frame was not UTF-8 (RFC 6455 §5.5.1).
    CloseReason,
    /// A binary message claimed more bytes than allowed; refused when its header was read.
    CompressedTooLong {
        /// The length claimed so far over all fragments and parts, bytes.
        len: u64,
        /// [`WireLimits::compressed_len_max`](super::WireLimits::compressed_len_max), bytes.
        len_max: usize,
    },
    /// A text message claimed more bytes than allowed; refused when its header was read.
    TextTooLong {
        /// The length claimed so far over all fragments, bytes.
        len: u64,
        /// [`WireLimits::inflated_len_max`](super::WireLimits::inflated_len_max), bytes.
        len_max: usize,
    },
    /// A compressed message inflated to more than allowed (a zlib bomb, or a limit too low).
    InflatedTooLong {
        /// [`WireLimits::inflated_len_max`](super::WireLimits::inflated_len_max), bytes.
        len_max: usize,
    },
    /// A text message came between the parts of a compressed one.
    TextInsideCompressed,
    /// A binary message on a connection without compression was no zlib payload.
    UnexpectedBinary,
    /// The zlib stream of the connection did not begin with a valid header (RFC 1950 §2.2).
    ZlibHeader,
    /// The compressed bytes were corrupt (RFC 1951), or their checksum was (RFC 1950).
    Deflate,
    /// The compressed stream of the connection was ended, or a compressed payload was not.
    DeflateEnd,
    /// The chunk pool of this core was used up to its hard bound.
    PoolExhausted {
        /// `len_max + reserve_len_max` of [`PoolLimits`](super::PoolLimits), bytes.
        len_max: usize,
    },
}

/// Whose fault an error was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The other end of the connection, or something between it and us.
    Peer,
    /// This process or its machine: a bound of ours was reached.
    System,
}

impl WireError {
    /// Whose fault it was.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::PoolExhausted { .. } => Fault::System,
            _ => Fault::Peer,
        }
    }

    /// Whether the session may be resumed on a new connection. Always true.
    ///
    /// What breaks a connection's bytes says nothing of the session, which only the gateway's own
    /// words end (op 9, close codes 4003, 4007, 4009; protocol sections 2 and 5). Close with
    /// another code than 1000 or 1001, or without one.
    pub const fn session_survives(&self) -> bool {
        true
    }

    /// Whether a limit on a message's length was the cause: a resume would replay the same
    /// message into the same limit, so a caller should not resume without end.
    pub const fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::CompressedTooLong { .. }
                | Self::TextTooLong { .. }
                | Self::InflatedTooLong { .. }
        )
    }
}

impl std::error::Error for WireError {}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Refused { status, retry_after_s } => {
                write!(f, "the gateway refused the WebSocket upgrade with HTTP status {status}")?;
                match retry_after_s {
                    Some(s) => write!(f, " and asks to try again after {s} s"),
                    None => Ok(()),
                }
            }
            Self::UpgradeMalformed => f.write_str(
                "the answer to the WebSocket upgrade is not HTTP/1.1; \
                 is the host a gateway, and ws:// or wss:// right for its port?",
            ),
            Self::UpgradeTooLong { len_max } => {
                write!(
                    f,
                    "the header of the upgrade response exceeds upgrade_len_max ({len_max} bytes)"
                )
            }
            Self::UpgradeHeader { header } => write!(
                f,
                "the upgrade response has no valid {header} header; \
                 a proxy that does not speak WebSocket may stand between"
            ),
            Self::ReservedBits => {
                peer(f, "a frame with reserved bits set, no extension was agreed")
            }
            Self::MaskedFrame => peer(f, "a masked frame, which only clients may send"),
            Self::UnknownOpcode { opcode } => {
                write!(f, "the gateway sent a frame with the unknown WebSocket opcode {opcode:#x}")
            }
            Self::FragmentedControl => peer(f, "a fragmented ping, pong or close frame"),
            Self::ControlTooLong { len } => {
                write!(
                    f,
                    "the gateway sent a control frame of {len} bytes; at most 125 are allowed"
                )
            }
            Self::UnexpectedContinuation => peer(f, "a continuation frame without a message"),
            Self::InterruptedMessage => peer(f, "a new message before the last one was whole"),
            Self::ClosePayload => peer(f, "a close frame with half a close code"),
            Self::CloseCode { code } => {
                write!(f, "the gateway closed with code {code}, which must not be sent")
            }
            Self::CloseReason => peer(f, "a close frame whose reason is not UTF-8"),
            Self::CompressedTooLong { len, len_max } => write!(
                f,
                "a compressed message of at least {len} bytes exceeds compressed_len_max \
                 ({len_max} bytes); nothing of it was kept"
            ),
            Self::TextTooLong { len, len_max } => write!(
                f,
                "a text message of at least {len} bytes exceeds inflated_len_max \
                 ({len_max} bytes); nothing of it was kept"
            ),
            Self::InflatedTooLong { len_max } => write!(
                f,
                "a compressed message inflates to more than inflated_len_max ({len_max} bytes)"
            ),
            Self::TextInsideCompressed => peer(f, "a text message amid a compressed one"),
            Self::UnexpectedBinary => peer(
                f,
                "a binary message that is no zlib payload, on a connection without compression",
            ),
            Self::ZlibHeader => peer(f, "a compressed stream without a valid zlib header"),
            Self::Deflate => peer(f, "corrupt compressed data"),
            Self::DeflateEnd => peer(f, "a compressed stream that ends where it must not"),
            Self::PoolExhausted { len_max } => write!(
                f,
                "unfinished messages fill this core's chunk pool ({len_max} bytes); \
                 raise its limits, or put fewer shards on a core"
            ),
        }
    }
}

fn peer(f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
    write!(f, "the gateway sent {what}; the connection cannot be read any further")
}

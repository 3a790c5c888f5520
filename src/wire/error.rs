//! What can go wrong on one connection's bytes, whose fault it was, and what was done.
//!
//! Never holds payload text, reply bodies or URLs: an error may be logged as it stands. Everything
//! in `wire/` makes these errors; the shard machine reads them.
//!
//! Invariant: each variant belongs to exactly one [`Fault`], and none of them ends the session.

mod channel;

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
    /// The zstd stream of the connection was corrupt (RFC 8878), or asked for a dictionary.
    Zstd,
    /// A zstd frame asked for a larger window than allowed (RFC 8878 §3.1.1.1.2).
    ZstdWindow {
        /// `ZSTD_WINDOW_LOG_MAX`: windows of up to 2 to the power of this many bytes are taken.
        log_max: u32,
    },
    /// The state of a zstd stream could not be allocated.
    ZstdMemory,
    /// The proxy answered CONNECT with an HTTP status that is neither 2xx nor 407.
    ProxyStatus {
        /// The status, for example 403 or 502.
        status: u16,
    },
    /// The proxy wants credentials, others than it got, or a way of authentication that we have
    /// not (HTTP status 407; RFC 1928 §3, RFC 1929 §2).
    ProxyAuth,
    /// The SOCKS5 proxy could not connect, or did not want to (RFC 1928 §6).
    ProxyRefused {
        /// The reply code: 1 to 8 have names, which `Display` gives.
        reply: u8,
    },
    /// What the proxy answered is neither an HTTP/1 response nor SOCKS5, as it was to be.
    ProxyMalformed,
    /// The header of the proxy's answer to CONNECT was longer than allowed.
    ProxyTooLong {
        /// `PROXY_REPLY_LEN_MAX`, bytes.
        len_max: usize,
    },
    /// No connection to the proxy itself could be made: the gateway was never asked.
    ProxyUnreachable,
    /// The connection ended before the proxy had answered.
    ProxyClosed,
    /// The server's certificate is for other names than the one that was dialled.
    TlsName,
    /// A certificate of the server has expired, by this machine's clock.
    TlsExpired,
    /// A certificate of the server is not valid yet, by this machine's clock.
    TlsNotYetValid,
    /// The server's certificate leads to none of the roots that are believed.
    TlsUnknownCa,
    /// The server's certificate cannot be used for another reason: a signature, its purpose, an
    /// encoding, a revocation.
    TlsCertificate,
    /// The server ended TLS with an alert (RFC 8446 §6).
    TlsAlert {
        /// Its description, for example 40, `handshake_failure`.
        description: u8,
    },
    /// The first bytes are no TLS record: the port speaks something else.
    TlsMalformed,
    /// No version of TLS (1.2, 1.3), cipher suite or key exchange suits both sides.
    TlsIncompatible,
    /// The server broke the rules of TLS, or a record was changed on its way.
    TlsProtocol,
    /// A TLS record or handshake message was, or claimed to be, longer than allowed; refused
    /// before it was kept.
    TlsRecordTooLong,
    /// The connection ended inside a record, in the handshake or without a `close_notify`: what
    /// came before may be only a part of what was sent (RFC 8446 §6.1).
    TlsTruncated,
    /// One key of TLS 1.2 has sealed as many records as it may: a new connection has a new key.
    TlsExhausted,
    /// This machine gave no time or no randomness for TLS.
    TlsSystem,
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
            Self::PoolExhausted { .. }
            | Self::ZstdMemory
            | Self::TlsExhausted
            | Self::TlsSystem => Fault::System,
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
            Self::TextInsideCompressed => peer(f, "a text message amid a compressed one"),
            Self::UnexpectedBinary => peer(
                f,
                "a binary message that is no zlib payload, on a connection without compression",
            ),
            Self::PoolExhausted { len_max } => write!(
                f,
                "unfinished messages fill this core's chunk pool ({len_max} bytes); \
                 raise its limits, or put fewer shards on a core"
            ),
            below => fmt_compression(below, f),
        }
    }
}

/// What inflating says; the rest is the channel's.
fn fmt_compression(error: WireError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        WireError::InflatedTooLong { len_max } => write!(
            f,
            "a compressed message inflates to more than inflated_len_max ({len_max} bytes)"
        ),
        WireError::ZlibHeader => peer(f, "a compressed stream without a valid zlib header"),
        WireError::Deflate => peer(f, "corrupt compressed data"),
        WireError::DeflateEnd => peer(f, "a compressed stream that ends where it must not"),
        WireError::Zstd => peer(f, "a corrupt zstd stream, or one that needs a dictionary"),
        WireError::ZstdWindow { log_max } => write!(
            f,
            "the gateway sent a zstd frame whose window exceeds 2^{log_max} bytes; \
             zlib-stream needs no such window"
        ),
        WireError::ZstdMemory => f.write_str(
            "the state of a zstd stream could not be allocated; \
             zlib-stream needs a tenth of its memory",
        ),
        below => channel::fmt(below, f),
    }
}

fn peer(f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
    write!(f, "the gateway sent {what}; the connection cannot be read any further")
}

//! How a connection ends, and what each end means for the session.
//!
//! The table of protocol section 2 stands here once, as [`remedy`]. Nothing here acts. Used by
//! `session`; the types are shown to users through notices.

use std::fmt;

use crate::wire::WireError;

/// The code of every close of ours that means to resume: anything but 1000 and 1001 keeps the
/// session (protocol section 2).
pub const CLOSE_TO_RESUME: u16 = 4000;
/// The code of a close of ours that ends the session: the bot goes offline.
pub const CLOSE_TO_END: u16 = 1000;

/// How a link ended, as the driver saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEnd {
    /// The peer sent a close frame, with a code or without.
    Closed(Option<u16>),
    /// TCP ended without a close frame.
    Eof,
    /// TCP was reset, or another system error ended it.
    Reset,
    /// The host has no address, or no name server would tell one.
    NameNotFound,
    /// The host is there and refuses: nothing listens at that port, or a firewall rejects.
    ConnectionRefused,
    /// There is no route: this machine is offline, or cut off from that network.
    NoRoute,
    /// The dial failed for another reason.
    Unreachable,
    /// TCP or the upgrade took too long.
    DialTimeout,
    /// The upgrade was answered with this HTTP status instead of 101.
    HttpStatus(u16),
    /// The upgrade was answered with something that is no upgrade.
    Upgrade,
    /// The proxy would not, or could not, connect us.
    Proxy,
    /// TLS failed: the certificate, the handshake, an alert, a broken record.
    Tls,
    /// The peer broke WebSocket, zlib, UTF-8, JSON or a limit; the driver cut the link.
    Wire,
    /// A write did not finish in time; the driver cut the link.
    WriteStuck,
}

/// Why a connection ended or a session was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The link ended by itself.
    Link(LinkEnd),
    /// HELLO did not come in time.
    HelloTimeout,
    /// RESUME brought neither RESUMED nor any event for a long time.
    ResumeTimeout,
    /// A heartbeat brought neither its ACK nor any byte for a whole interval.
    Zombie,
    /// Bytes came, but no ACK for three intervals.
    Unacknowledged,
    /// Op 7.
    ReconnectAsked,
    /// Op 9.
    InvalidSession {
        /// Its `d`.
        resumable: bool,
    },
    /// The session is older than a RESUME is worth
    /// ([`session_age_max`](crate::shard::settings::SessionSettings::session_age_max)).
    SessionExpired,
    /// READY came with another session while this one was to be resumed.
    SessionReplaced,
    /// We were told to stop: the engine, or this shard by its
    /// [`ShardHandle`](crate::ShardHandle).
    Stopped,
    /// The user asked for another connection
    /// ([`ShardHandle::reconnect`](crate::ShardHandle::reconnect)) or for another session
    /// ([`ShardHandle::restart`](crate::ShardHandle::restart)).
    Requested {
        /// The session goes on.
        resume: bool,
    },
}

impl Cause {
    /// How many kinds of cause there are.
    pub const COUNT: usize = 24;

    /// The kind's name for metrics, indexed by [`index`](Self::index).
    pub const NAMES: [&str; Self::COUNT] = [
        "close_code",
        "close_without_code",
        "eof",
        "reset",
        "name_not_found",
        "connection_refused",
        "no_route",
        "unreachable",
        "dial_timeout",
        "http_status",
        "upgrade",
        "proxy",
        "tls",
        "wire",
        "write_stuck",
        "hello_timeout",
        "resume_timeout",
        "zombie",
        "unacknowledged",
        "reconnect_asked",
        "invalid_session",
        "session_expired",
        "stopped",
        "requested",
    ];

    /// The kind's place in [`NAMES`](Self::NAMES).
    pub const fn index(self) -> usize {
        match self {
            Self::Link(end) => end.index(),
            Self::HelloTimeout => 15,
            Self::ResumeTimeout => 16,
            Self::Zombie => 17,
            Self::Unacknowledged => 18,
            Self::ReconnectAsked => 19,
            Self::InvalidSession { .. } => 20,
            Self::SessionExpired | Self::SessionReplaced => 21,
            Self::Stopped => 22,
            Self::Requested { .. } => 23,
        }
    }
}

impl LinkEnd {
    /// What a wire error means for the session.
    pub(super) fn of(error: WireError) -> Self {
        match error {
            WireError::Refused { status, .. } => Self::HttpStatus(status),
            WireError::UpgradeMalformed
            | WireError::UpgradeTooLong { .. }
            | WireError::UpgradeHeader { .. } => Self::Upgrade,
            WireError::ProxyStatus { .. }
            | WireError::ProxyAuth
            | WireError::ProxyRefused { .. }
            | WireError::ProxyMalformed
            | WireError::ProxyTooLong { .. }
            | WireError::ProxyUnreachable
            | WireError::ProxyClosed => Self::Proxy,
            WireError::TlsName
            | WireError::TlsExpired
            | WireError::TlsNotYetValid
            | WireError::TlsUnknownCa
            | WireError::TlsCertificate
            | WireError::TlsAlert { .. }
            | WireError::TlsMalformed
            | WireError::TlsIncompatible
            | WireError::TlsProtocol
            | WireError::TlsRecordTooLong
            | WireError::TlsTruncated
            | WireError::TlsExhausted
            | WireError::TlsSystem => Self::Tls,
            _ => Self::Wire,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Closed(Some(_)) => 0,
            Self::Closed(None) => 1,
            Self::Eof => 2,
            Self::Reset => 3,
            Self::NameNotFound => 4,
            Self::ConnectionRefused => 5,
            Self::NoRoute => 6,
            Self::Unreachable => 7,
            Self::DialTimeout => 8,
            Self::HttpStatus(_) => 9,
            Self::Upgrade => 10,
            Self::Proxy => 11,
            Self::Tls => 12,
            Self::Wire => 13,
            Self::WriteStuck => 14,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(end) => end.fmt(f),
            Self::HelloTimeout => f.write_str("HELLO did not come"),
            Self::ResumeTimeout => f.write_str("RESUME was not answered"),
            Self::Zombie => f.write_str("the connection fell silent"),
            Self::Unacknowledged => f.write_str("heartbeats were no longer acknowledged"),
            Self::ReconnectAsked => f.write_str("the gateway asked to reconnect (op 7)"),
            Self::InvalidSession { resumable: true } => {
                f.write_str("the gateway called the session invalid, yet resumable (op 9)")
            }
            Self::InvalidSession { resumable: false } => {
                f.write_str("the gateway called the session invalid (op 9)")
            }
            Self::SessionExpired => f.write_str("the session is too old to resume"),
            Self::SessionReplaced => f.write_str("the gateway gave another session"),
            Self::Stopped => f.write_str("the shard was stopped"),
            Self::Requested { resume: true } => f.write_str("the user asked to reconnect"),
            Self::Requested { resume: false } => f.write_str("the user asked for a new session"),
        }
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(Some(code)) => write!(f, "the gateway closed with {code}"),
            Self::Closed(None) => f.write_str("the gateway closed without a code"),
            Self::Eof => f.write_str("the connection ended without a close frame"),
            Self::Reset => f.write_str("the connection was reset"),
            Self::NameNotFound => f.write_str(
                "the gateway's host has no address: check its name, and this machine's name servers",
            ),
            Self::ConnectionRefused => f.write_str(
                "the gateway's host refuses connections: nothing listens at that port, or a \
                 firewall rejects them",
            ),
            Self::NoRoute => f.write_str(
                "there is no route to the gateway's host: this machine is offline, or cut off \
                 from that network",
            ),
            Self::Unreachable => f.write_str("the gateway's host cannot be reached"),
            Self::DialTimeout => f.write_str(
                "the connection was not made in time: TCP, the proxy, TLS or the upgrade",
            ),
            Self::HttpStatus(status) => {
                write!(f, "the upgrade was answered with HTTP status {status}")
            }
            Self::Upgrade => f.write_str("the upgrade's answer was malformed"),
            Self::Proxy => f.write_str("the proxy did not let us through"),
            Self::Tls => f.write_str("TLS with the gateway failed"),
            Self::Wire => f.write_str("the gateway broke the wire protocol"),
            Self::WriteStuck => f.write_str("a write to the gateway got stuck"),
        }
    }
}

/// What a close code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Reconnect and RESUME.
    Resume,
    /// Reconnect and RESUME, but not at once (4008).
    ResumeAfterPause,
    /// Reconnect and IDENTIFY: the session is gone.
    NewSession,
    /// Reconnecting would meet the same answer.
    Fatal(Fatal),
}

/// What to do about a close frame with this code (protocol section 2).
///
/// Codes that are not in the table, ordinary WebSocket codes among them, are answered with RESUME:
/// if the session is gone, op 9 will say so, and no IDENTIFY was spent on a guess.
pub const fn remedy(code: Option<u16>) -> Remedy {
    match code {
        Some(4003 | 4007 | 4009) => Remedy::NewSession,
        Some(4004) => Remedy::Fatal(Fatal::AuthenticationFailed),
        Some(4008) => Remedy::ResumeAfterPause,
        Some(4010) => Remedy::Fatal(Fatal::InvalidShard),
        Some(4011) => Remedy::Fatal(Fatal::ShardingRequired),
        Some(4012) => Remedy::Fatal(Fatal::InvalidApiVersion),
        Some(4013) => Remedy::Fatal(Fatal::InvalidIntents),
        Some(4014) => Remedy::Fatal(Fatal::DisallowedIntents),
        _ => Remedy::Resume,
    }
}

/// Discord closed in a way that no reconnect cures. The caller's to mend; the shard has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fatal {
    /// 4004.
    AuthenticationFailed,
    /// 4010.
    InvalidShard,
    /// 4011.
    ShardingRequired,
    /// 4012.
    InvalidApiVersion,
    /// 4013.
    InvalidIntents,
    /// 4014.
    DisallowedIntents,
}

impl Fatal {
    /// The close code.
    pub const fn code(self) -> u16 {
        match self {
            Self::AuthenticationFailed => 4004,
            Self::InvalidShard => 4010,
            Self::ShardingRequired => 4011,
            Self::InvalidApiVersion => 4012,
            Self::InvalidIntents => 4013,
            Self::DisallowedIntents => 4014,
        }
    }
}

impl Fatal {
    /// It is said of the bot (its token, its intents, the API version), not of one shard.
    pub const fn is_of_the_bot(self) -> bool {
        match self {
            Self::AuthenticationFailed
            | Self::InvalidApiVersion
            | Self::InvalidIntents
            | Self::DisallowedIntents => true,
            Self::InvalidShard | Self::ShardingRequired => false,
        }
    }
}

/// What Discord said. What to do about it is [`Refusal`](crate::shard::refusal::Refusal)'s to say.
impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::AuthenticationFailed => "the token was refused",
            Self::InvalidShard => "the shard's number or the total was refused",
            Self::ShardingRequired => "too many guilds for one shard (2,500 at most)",
            Self::InvalidApiVersion => "the gateway no longer speaks this API version",
            Self::InvalidIntents => "the intents were refused as invalid",
            Self::DisallowedIntents => {
                "privileged intents were asked for that this bot may not use"
            }
        };
        write!(f, "close code {}: {text}", self.code())
    }
}

impl std::error::Error for Fatal {}

//! The texts of what goes wrong below the WebSocket: proxies and TLS.
//!
//! Each says what to look at, to somebody who has not read this code. Only `error.rs` calls it.

use std::fmt;

use super::WireError;

pub(super) fn fmt(error: WireError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        WireError::ProxyStatus { status } => write!(
            f,
            "the proxy refused to connect to the gateway with HTTP status {status}; \
             does it allow CONNECT to this host and port?"
        ),
        WireError::ProxyRefused { reply } => {
            write!(f, "the SOCKS5 proxy did not connect to the gateway: {}", socks_reply(reply))
        }
        WireError::ProxyTooLong { len_max } => {
            write!(f, "the header of the proxy's answer exceeds {len_max} bytes")
        }
        WireError::TlsAlert { description } => write!(
            f,
            "the server ended TLS with the alert {} ({description})",
            alert_name(description)
        ),
        _ => f.write_str(text(error)),
    }
}

fn text(error: WireError) -> &'static str {
    match error {
        WireError::ProxyAuth => {
            "the proxy wants a user name and password, or others than it was given \
             (scheme://user:password@host:port); it may want a way of authentication that is not \
             supported (Basic and RFC 1929 are)"
        }
        WireError::ProxyMalformed => {
            "the proxy did not answer as one of its kind; \
             is http:// or socks5:// right for its port?"
        }
        WireError::ProxyUnreachable => {
            "the proxy itself cannot be reached: is its address right, and does it run?"
        }
        WireError::ProxyClosed => "the proxy closed the connection before it had answered",
        WireError::TlsName => {
            "the server's certificate is not for this host; is the gateway URL right, \
             and does nothing between intercept TLS?"
        }
        WireError::TlsExpired => {
            "the server's certificate has expired; is this machine's clock right?"
        }
        WireError::TlsNotYetValid => {
            "the server's certificate is not valid yet; is this machine's clock right?"
        }
        WireError::TlsUnknownCa => {
            "the server's certificate comes from a CA that is not believed; for a private gateway \
             add its CA to the roots, for Discord see what intercepts TLS between"
        }
        WireError::TlsCertificate => {
            "the server's certificate cannot be used: a bad signature (of a CA that is believed by \
             name, but has another key?), purpose or encoding, or it was revoked"
        }
        WireError::TlsMalformed => {
            "the answer is not TLS; is wss:// right for this port, and does nothing between \
             answer in the gateway's place?"
        }
        WireError::TlsIncompatible => {
            "the server and this library share no version of TLS (1.2, 1.3), cipher suite or key \
             exchange"
        }
        WireError::TlsProtocol => {
            "the server broke the rules of TLS, or a record was changed on its way"
        }
        WireError::TlsRecordTooLong => {
            "a TLS record or handshake message is longer than TLS allows; nothing of it was kept"
        }
        WireError::TlsTruncated => {
            "the connection ended without TLS's close_notify: it was cut, in or between records"
        }
        WireError::TlsExhausted => {
            "a key of TLS 1.2 was used as often as it may be; a new connection has a new one"
        }
        WireError::TlsSystem => "this machine gave no time or no randomness for TLS",
        _ => "the connection's bytes cannot be read any further",
    }
}

/// RFC 1928 §6, in its words.
fn socks_reply(reply: u8) -> &'static str {
    match reply {
        1 => "general SOCKS server failure (1)",
        2 => "connection not allowed by ruleset (2); does the proxy allow this host and port?",
        3 => "network unreachable (3)",
        4 => "host unreachable (4); can the proxy resolve the gateway's name?",
        5 => "connection refused (5)",
        6 => "TTL expired (6)",
        7 => "command not supported (7)",
        8 => "address type not supported (8)",
        _ => "for a reason that RFC 1928 does not know",
    }
}

/// RFC 8446 §6 and RFC 5246 §7.2, in their words.
fn alert_name(description: u8) -> &'static str {
    match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "of a kind that TLS does not know",
    }
}

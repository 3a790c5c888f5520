//! A gateway's URL: where to connect, and what to ask for.
//!
//! Parsed once and refused early: what comes out can be written into an HTTP request as it stands.
//! No name is resolved here. Config, the shard machine and the driver use it.
//!
//! Invariant: host and target are printable ASCII without spaces, the target begins with `/`.

use std::fmt;

use super::Compression;

/// A `ws://` or `wss://` URL, as HTTP gives it (`GET /gateway`) or READY does
/// (`resume_gateway_url`, which may lack slash, path and query).
#[derive(Clone, PartialEq, Eq)]
pub struct GatewayUrl {
    is_secure: bool,
    /// Lower case; an IPv6 address without its brackets.
    host: String,
    port: u16,
    /// Path and query.
    target: String,
}

/// Why a text is no [`GatewayUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// Longer than 2048 bytes.
    TooLong,
    /// A space, a control character or one outside ASCII.
    Character,
    /// Neither `ws://` nor `wss://`.
    Scheme,
    /// A user name or password, which would be sent nowhere.
    Userinfo,
    /// No host, or one that is neither a name nor an IP address.
    Host,
    /// A port that is not a number from 1 to 65535.
    Port,
    /// A fragment (`#`), which a WebSocket URL must not have (RFC 6455 §3).
    Fragment,
}

impl GatewayUrl {
    /// Reads a URL. Port 80 or 443 and the path `/` are taken where it names none.
    ///
    /// # Errors
    /// [`UrlError`]: it names the part that is wrong, and never repeats the text.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        if url.len() > URL_LEN_MAX {
            return Err(UrlError::TooLong);
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let is_secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::Userinfo);
        }
        let (host, port) = split_authority(authority)?;
        let port = match port {
            None | Some("") => default_port(is_secure),
            Some(port) => parse_port(port)?,
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let target = format!("{slash}{target}");
        Ok(Self { is_secure, host: host.to_ascii_lowercase(), port, target })
    }

    /// The same URL with the query a gateway connection needs: `v=10`, `encoding=json` and, with
    /// compression, `compress=…` (protocol section 3). Values of these keys that it already has are
    /// replaced; other keys stay, before them.
    #[must_use]
    pub fn with_query(&self, compression: Compression) -> Self {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut target = format!("{path}?");
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let key = pair.split_once('=').map_or(pair, |(key, _)| key);
            if !matches!(key, "v" | "encoding" | "compress") {
                target.push_str(pair);
                target.push('&');
            }
        }
        target.push_str("v=10&encoding=json");
        if let Some(value) = compression.query_value() {
            target.push_str("&compress=");
            target.push_str(value);
        }
        Self { target, ..self.clone() }
    }

    /// The host to resolve or connect to: a name or an IP address, lower case, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is `wss://`.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Host and port as the `Host` header has them: IPv6 in brackets, no default port.
    pub fn authority(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let host = &self.host;
        if self.port == default_port(self.is_secure) {
            format!("{open}{host}{close}")
        } else {
            format!("{open}{host}{close}:{}", self.port)
        }
    }

    /// Path and query, as the request line has them.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

impl fmt::Debug for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayUrl({self})")
    }
}

impl std::str::FromStr for GatewayUrl {
    type Err = UrlError;
    fn from_str(url: &str) -> Result<Self, UrlError> {
        Self::parse(url)
    }
}

impl std::error::Error for UrlError {}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the gateway URL is longer than 2048 bytes",
            Self::Character => "the gateway URL has a space, control or non-ASCII character",
            Self::Scheme => "the gateway URL does not begin with ws:// or wss://",
            Self::Userinfo => "the gateway URL has a user name or password; it takes none",
            Self::Host => {
                "the gateway URL has no valid host (a name, an IPv4 or an [IPv6] address)"
            }
            Self::Port => "the gateway URL has a port that is not a number from 1 to 65535",
            Self::Fragment => "the gateway URL has a fragment (#), which WebSocket URLs must not",
        })
    }
}

/// Host (without brackets) and port text.
pub(super) fn split_authority(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<core::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(UrlError::Host),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_name_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || host.len() > HOST_LEN_MAX || !host.bytes().all(is_name_byte) {
        return Err(UrlError::Host);
    }
    Ok((host, port))
}

pub(super) fn parse_port(port: &str) -> Result<u16, UrlError> {
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit()); // `parse` would take a plus
    let port = port.parse::<u16>().ok().filter(|&port| is_number && port > 0);
    port.ok_or(UrlError::Port)
}

const fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

/// Far above any gateway's URL.
const URL_LEN_MAX: usize = 2048;

/// The longest name DNS knows (RFC 1035 §2.3.4).
const HOST_LEN_MAX: usize = 253;

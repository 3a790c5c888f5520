//! A proxy as a user names it: kind, address, credentials.
//!
//! Parsed once and refused early, so that what comes out can be written to a proxy as it stands.
//! Resolves nothing. Config and the driver make one, `Tunnel` speaks to it.
//!
//! Invariants: neither `Debug` nor `Display` nor an error shows credentials; user and password have
//! at most 255 bytes and no control characters.

use std::fmt;

use super::url::split_authority;

/// A proxy to reach gateways by.
///
/// ```
/// use shardring::wire::{Proxy, ProxyError, ProxyKind};
///
/// let proxy = Proxy::parse("socks5://bot:p%40ss@proxy.example")?;
/// assert_eq!((proxy.kind(), proxy.port()), (ProxyKind::Socks5, 1080));
/// assert_eq!(proxy.to_string(), "socks5://proxy.example:1080");
/// assert_eq!(Proxy::parse("https://proxy.example"), Err(ProxyError::SecureProxy));
/// # Ok::<(), ProxyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: ProxyKind,
    /// Lower case; an IPv6 address without its brackets.
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyKind {
    /// HTTP/1.1, the method CONNECT.
    Http,
    /// SOCKS 5 (RFC 1928).
    Socks5,
}

/// Why a text is no [`Proxy`], or a tunnel through one cannot be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// Longer than 2048 bytes.
    TooLong,
    /// A space, a control character or one outside ASCII.
    Character,
    /// Neither `http://` nor `socks5://` nor `socks5h://`.
    Scheme,
    /// `https://`: a proxy that is itself spoken to by TLS, which is not supported.
    SecureProxy,
    /// No host, or one that is neither a name nor an IP address.
    Host,
    /// A port that is not a number from 1 to 65535.
    Port,
    /// A path or query, which a proxy has not.
    Path,
    /// A user name or password that is badly escaped, over 255 bytes, or with control characters;
    /// or no user name; or, for HTTP, one with a colon.
    Credentials,
    /// The host to connect to is neither a name nor an IP address.
    Target,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Proxy {
    /// Reads `http://user:password@host:port`, `socks5://…` or `socks5h://…`. Without a scheme it
    /// is taken for `http://`, as `curl` does; without a port for 80 or 1080. User and password may
    /// be percent-encoded, and must be where they have `@`, `:`, `/` or `%`.
    ///
    /// Both SOCKS schemes are one: the proxy is sent the gateway's name and resolves it.
    ///
    /// # Errors
    /// [`ProxyError`]: it names the part that is wrong, and never repeats the text.
    pub fn parse(url: &str) -> Result<Self, ProxyError> {
        if url.len() > URL_LEN_MAX {
            return Err(ProxyError::TooLong);
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProxyError::Character);
        }
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "http" => ProxyKind::Http,
            "socks5" | "socks5h" => ProxyKind::Socks5,
            "https" => return Err(ProxyError::SecureProxy),
            _ => return Err(ProxyError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(ProxyError::Path);
        }
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(Credentials::parse(userinfo, kind)?), authority),
            None => (None, rest),
        };
        let (host, port) = split_authority(authority).map_err(|_| ProxyError::Host)?;
        let port = match port {
            None | Some("") => kind.default_port(),
            Some(port) => super::url::parse_port(port).map_err(|_| ProxyError::Port)?,
        };
        Ok(Self { kind, host: host.to_ascii_lowercase(), port, credentials })
    }

    /// What it speaks.
    pub const fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// The host to resolve or connect to: a name or an IP address, lower case, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it has a user name and password.
    pub const fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// The URL with its credentials, percent-encoded, for whoever dials by itself. Not to be shown.
    pub(crate) fn to_url(&self) -> String {
        let shown = self.to_string();
        let (Some(Credentials { user, password }), Some((scheme, rest))) =
            (&self.credentials, shown.split_once("://"))
        else {
            return shown;
        };
        let mut url = format!("{scheme}://");
        encode(user, &mut url);
        url.push(':');
        encode(password, &mut url);
        url.push('@');
        url.push_str(rest);
        url
    }

    pub(super) const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

impl ProxyKind {
    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Socks5 => 1080,
        }
    }
}

impl Credentials {
    fn parse(userinfo: &str, kind: ProxyKind) -> Result<Self, ProxyError> {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let (user, password) = (decoded(user)?, decoded(password)?);
        // RFC 7617 §2: Basic parts the two at the first colon.
        if user.is_empty() || (kind == ProxyKind::Http && user.contains(':')) {
            return Err(ProxyError::Credentials);
        }
        Ok(Self { user, password })
    }
}

/// Appends `text`, all but unreserved characters percent-encoded (RFC 3986 §2.3).
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
            }
        }
    }
}

impl fmt::Display for Proxy {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
        };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = if self.has_credentials() { ", with credentials" } else { "" };
        write!(f, "Proxy({self}{credentials})")
    }
}

impl std::str::FromStr for Proxy {
    type Err = ProxyError;
    fn from_str(url: &str) -> Result<Self, ProxyError> {
        Self::parse(url)
    }
}

impl std::error::Error for ProxyError {}

/// As a sentence too: it is what a `main` that returns it prints.
impl fmt::Debug for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the proxy URL is longer than 2048 bytes",
            Self::Character => "the proxy URL has a space, control or non-ASCII character",
            Self::Scheme => "the proxy URL does not begin with http://, socks5:// or socks5h://",
            Self::SecureProxy => {
                "the proxy URL begins with https://: a proxy that is itself spoken to by TLS is \
                 not supported; TLS to the gateway goes through http:// and socks5:// as well"
            }
            Self::Host => "the proxy URL has no valid host (a name, an IPv4 or an [IPv6] address)",
            Self::Port => "the proxy URL has a port that is not a number from 1 to 65535",
            Self::Path => "the proxy URL has a path, query or fragment",
            Self::Credentials => {
                "the proxy URL has a user name or password that cannot be used: empty, badly \
                 percent-encoded, longer than 255 bytes, or with a control character or colon"
            }
            Self::Target => "the host to reach through the proxy is no name or IP address",
        })
    }
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Result<String, ProxyError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(ProxyError::Credentials),
            },
            _ => byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| ProxyError::Credentials)?;
    if text.len() > CREDENTIAL_LEN_MAX || text.chars().any(char::is_control) {
        return Err(ProxyError::Credentials);
    }
    Ok(text)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

/// Far above any proxy's URL.
const URL_LEN_MAX: usize = 2048;

/// What RFC 1929 §2 has room for, bytes.
const CREDENTIAL_LEN_MAX: usize = 255;

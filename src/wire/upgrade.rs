//! The HTTP/1.1 upgrade: our request, and the check of the server's reply (RFC 6455 §4).
//!
//! Reads exactly the header of the reply: the bytes behind it belong to frames. Never offers an
//! extension, so no frame can ask for one. `Wire` reads the reply, the driver sends the request.
//!
//! Invariant: of a reply at most `upgrade_len_max` bytes are kept, and none once it is judged.

use std::fmt;

use tungstenite::handshake::client::Response;
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::HeaderMap;

use super::base64::base64;
use super::error::WireError;
use super::url::GatewayUrl;

/// An upgrade to WebSocket that is to be asked for.
#[derive(Clone, Debug)]
pub struct Upgrade {
    authority: String,
    target: String,
    key: String,
    user_agent: String,
}

/// A `User-Agent` that cannot stand in a header: empty, over 256 bytes, or not printable ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserAgentError;

impl Upgrade {
    /// An upgrade at `url` (its query set already, see [`GatewayUrl::with_query`]). `key` is 16
    /// random bytes, new for each connection (RFC 6455 §4.1); it is no secret.
    pub fn new(url: &GatewayUrl, key: [u8; 16]) -> Self {
        Self {
            authority: url.authority(),
            target: url.target().to_owned(),
            key: base64(&key),
            user_agent: USER_AGENT.to_owned(),
        }
    }

    /// Sets another `User-Agent` than [`USER_AGENT`]. Discord asks for the form
    /// `DiscordBot (URL, VERSION)` and refuses an upgrade without one (protocol section 7.1).
    ///
    /// # Errors
    /// [`UserAgentError`] if it cannot stand in a header.
    pub fn with_user_agent(mut self, user_agent: &str) -> Result<Self, UserAgentError> {
        let is_printable = user_agent.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if user_agent.trim().is_empty() || user_agent.len() > USER_AGENT_LEN_MAX || !is_printable {
            return Err(UserAgentError);
        }
        user_agent.trim().clone_into(&mut self.user_agent);
        Ok(self)
    }

    /// The request, whole, to be written first on the connection.
    pub fn request(&self) -> Vec<u8> {
        // Written here, since every part was checked to be printable: nothing can fail.
        let Self { authority, target, key, user_agent } = self;
        format!(
            "GET {target} HTTP/1.1\r\n\
             Host: {authority}\r\n\
             Connection: Upgrade\r\n\
             Upgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {key}\r\n\
             User-Agent: {user_agent}\r\n\
             \r\n"
        )
        .into_bytes()
    }
}

impl std::error::Error for UserAgentError {}

impl fmt::Display for UserAgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the User-Agent must be 1 to 256 characters of printable ASCII")
    }
}

/// The reply while it is read.
pub(super) struct Reply {
    accept: String,
    head: Vec<u8>,
}

impl Reply {
    pub(super) fn to(upgrade: &Upgrade) -> Self {
        Self { accept: derive_accept_key(upgrade.key.as_bytes()), head: Vec::new() }
    }

    /// Takes bytes up to the end of the header at most. Gives how many, and whether the upgrade is
    /// done.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        len_max: usize,
    ) -> Result<(usize, bool), WireError> {
        for (i, &byte) in bytes.iter().enumerate() {
            let at = self.head.len();
            // Proxies refuse in HTTP/1.0 too.
            if VERSION.get(at).is_some_and(|&expected| byte != expected)
                && !(at == MINOR_VERSION_AT && byte == b'0')
            {
                return Err(WireError::UpgradeMalformed);
            }
            if at >= len_max {
                return Err(WireError::UpgradeTooLong { len_max });
            }
            self.head.push(byte);
            if self.head.ends_with(b"\n\r\n") || self.head.ends_with(b"\n\n") {
                self.check()?;
                return Ok((i + 1, true));
            }
        }
        Ok((bytes.len(), false))
    }

    fn check(&mut self) -> Result<(), WireError> {
        // The parser takes 1.1 alone; the version decides nothing but whether 101 is lawful.
        let is_http_1_1 = std::mem::replace(&mut self.head[MINOR_VERSION_AT], b'1') == b'1';
        let response = match Response::try_parse(&self.head) {
            Ok(Some((len, response))) if len == self.head.len() => response,
            _ => return Err(WireError::UpgradeMalformed),
        };
        let headers = response.headers();
        let status = response.status().as_u16();
        if status != 101 {
            let retry_after_s = text(headers, "Retry-After").and_then(|s| s.trim().parse().ok());
            return Err(WireError::Refused { status, retry_after_s });
        }
        if !is_http_1_1 {
            return Err(WireError::UpgradeMalformed);
        }
        let wrong = |header| Err(WireError::UpgradeHeader { header });
        if !has_token(headers, "Upgrade", "websocket") {
            return wrong("Upgrade");
        }
        if !has_token(headers, "Connection", "upgrade") {
            return wrong("Connection");
        }
        if text(headers, "Sec-WebSocket-Accept").map(str::trim) != Some(&self.accept) {
            return wrong("Sec-WebSocket-Accept");
        }
        // We offer neither: a server that takes one would send what we cannot read.
        for header in ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"] {
            if headers.contains_key(header) {
                return wrong(header);
            }
        }
        Ok(())
    }
}

/// The server's half, for a scripted peer: the reply that agrees to a request of ours; `None` if it
/// asks for no upgrade.
pub(crate) fn agree(request: &[u8]) -> Option<Vec<u8>> {
    let request = std::str::from_utf8(request).ok()?;
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let accept = derive_accept_key(key.as_bytes());
    let reply = format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\
         \r\n"
    );
    Some(reply.into_bytes())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

/// What the library calls itself where the user does not name a bot.
pub const USER_AGENT: &str =
    concat!("DiscordBot (https://crates.io/crates/shardring, ", env!("CARGO_PKG_VERSION"), ")");

/// Far above any agent's name.
const USER_AGENT_LEN_MAX: usize = 256;

/// How a reply must begin; anything else (a TLS alert, say) is refused at its first wrong byte.
const VERSION: &[u8] = b"HTTP/1.1 ";

/// Where `VERSION` has its minor number.
const MINOR_VERSION_AT: usize = 7;

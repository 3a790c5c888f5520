//! Through a proxy: HTTP CONNECT (RFC 9110 §9.3.6) and SOCKS5 (RFC 1928, RFC 1929).
//!
//! Asks the proxy for a connection to the gateway's name, which the proxy resolves, and reads its
//! answer to the last byte and no further: what follows is the gateway's. No socket; `Channel`
//! calls it until the proxy has agreed.
//!
//! Invariants: of an HTTP answer at most [`PROXY_REPLY_LEN_MAX`] bytes are read and none but its
//! status is kept; credentials never reach `Debug`; a tunnel that failed stays failed.

use std::fmt;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::base64::base64;
use super::error::WireError;
use super::proxy::{Credentials, Proxy, ProxyError, ProxyKind};
use super::upgrade::USER_AGENT;

/// A connection to a gateway that is asked of a proxy.
pub struct Tunnel {
    /// To be written.
    out: Vec<u8>,
    state: State,
}

enum State {
    Http(HttpReply),
    Socks(Box<Socks>),
    Through,
    Failed(WireError),
}

impl Tunnel {
    /// A tunnel by `proxy` to a host (a name, or an IP address without brackets) and its port.
    ///
    /// # Errors
    /// [`ProxyError::Target`] if the host is longer than 253 bytes or has other characters than a
    /// name or an address. Hosts of a [`GatewayUrl`](super::GatewayUrl) never have.
    pub fn new(proxy: &Proxy, host: &str, port: u16) -> Result<Self, ProxyError> {
        let is_host_byte =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
        let len_is_fit = (1..=HOST_LEN_MAX).contains(&host.len());
        if !len_is_fit || !host.bytes().all(is_host_byte) {
            return Err(ProxyError::Target);
        }
        Ok(match proxy.kind() {
            ProxyKind::Http => Self {
                out: connect_request(proxy.credentials(), host, port),
                state: State::Http(HttpReply::default()),
            },
            ProxyKind::Socks5 => {
                let socks = Socks::new(proxy.credentials(), host, port);
                Self { out: socks.greeting(), state: State::Socks(Box::new(socks)) }
            }
        })
    }

    /// Reads the front of `bytes`; gives how many were used, and whether the proxy agreed: the rest
    /// is the gateway's.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, bool), WireError> {
        for (at, &byte) in bytes.iter().enumerate() {
            let step = match &mut self.state {
                State::Http(reply) => reply.step(byte),
                State::Socks(socks) => socks.step(byte, &mut self.out),
                State::Through => return Ok((at, true)),
                State::Failed(error) => Err(*error),
            };
            match step {
                Ok(false) => {}
                Ok(true) => {
                    self.state = State::Through;
                    return Ok((at + 1, true));
                }
                Err(error) => {
                    self.state = State::Failed(error);
                    return Err(error);
                }
            }
        }
        match self.state {
            State::Failed(error) => Err(error),
            State::Through => Ok((0, true)),
            _ => Ok((bytes.len(), false)),
        }
    }

    /// Appends what is to be written now.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) -> Result<(), WireError> {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        out.append(&mut self.out);
        Ok(())
    }

    pub(super) fn wants_to_write(&self) -> bool {
        !self.out.is_empty() && !matches!(self.state, State::Failed(_))
    }

    /// What the end of the connection means now.
    pub(super) fn eof(&self) -> WireError {
        match self.state {
            State::Failed(error) => error,
            _ => WireError::ProxyClosed,
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: &dyn fmt::Debug = match &self.state {
            State::Http(_) => &"AwaitHttp",
            State::Socks(socks) => &socks.awaited,
            State::Through => &"Through",
            State::Failed(error) => error,
        };
        f.debug_struct("Tunnel").field("state", state).finish_non_exhaustive()
    }
}

fn connect_request(credentials: Option<&Credentials>, host: &str, port: u16) -> Vec<u8> {
    let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
    let mut request = format!(
        "CONNECT {open}{host}{close}:{port} HTTP/1.1\r\n\
         Host: {open}{host}{close}:{port}\r\n\
         User-Agent: {USER_AGENT}\r\n"
    );
    if let Some(Credentials { user, password }) = credentials {
        let pair = base64(format!("{user}:{password}").as_bytes());
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&pair);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// The answer to CONNECT while it is read. Of it only the status counts.
#[derive(Default)]
struct HttpReply {
    /// Of all responses so far, bytes.
    len: usize,
    /// Of this response.
    line_len: usize,
    is_in_header: bool,
    status: u16,
}

impl HttpReply {
    fn step(&mut self, byte: u8) -> Result<bool, WireError> {
        self.len += 1;
        if self.len > PROXY_REPLY_LEN_MAX {
            return Err(WireError::ProxyTooLong { len_max: PROXY_REPLY_LEN_MAX });
        }
        if byte == b'\r' {
            return Ok(false); // a line may end in a bare line feed (RFC 9112 §2.2)
        }
        if byte != b'\n' {
            if !self.is_in_header {
                self.status_byte(byte)?;
            }
            self.line_len += 1;
            return Ok(false);
        }
        let len = std::mem::take(&mut self.line_len);
        if !self.is_in_header {
            if len < STATUS_END {
                return Err(WireError::ProxyMalformed);
            }
            self.is_in_header = true;
            return match self.status {
                100..=299 => Ok(false),
                407 => Err(WireError::ProxyAuth),
                status => Err(WireError::ProxyStatus { status }),
            };
        }
        if len > 0 {
            return Ok(false);
        }
        if self.status < 200 {
            // An interim response: the real one follows.
            *self = Self { len: self.len, ..Self::default() };
            return Ok(false);
        }
        Ok(true)
    }

    /// `HTTP/1.x NNN`, byte by byte, and whatever reason.
    fn status_byte(&mut self, byte: u8) -> Result<(), WireError> {
        let is_right = match self.line_len {
            at @ 0..7 => byte == b"HTTP/1."[at],
            7 => byte.is_ascii_digit(),
            8 => byte == b' ',
            9..STATUS_END => {
                self.status = self.status * 10 + u16::from(byte.wrapping_sub(b'0') & 0x0F);
                byte.is_ascii_digit() && self.status > 0
            }
            STATUS_END => byte == b' ',
            _ => true,
        };
        if is_right { Ok(()) } else { Err(WireError::ProxyMalformed) }
    }
}

/// SOCKS5: the dialogue, whose answers are all short.
struct Socks {
    credentials: Option<Credentials>,
    request: Vec<u8>,
    awaited: Awaited,
    /// Bytes of the awaited answer so far; a counter, for all of them but these are not kept.
    read_len: usize,
    /// How long the reply is, once its address type is known.
    reply_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Method,
    Auth,
    Reply,
}

impl Socks {
    fn new(credentials: Option<&Credentials>, host: &str, port: u16) -> Self {
        let mut request = vec![VERSION, CONNECT, 0];
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => {
                request.push(ADDRESS_IPV4);
                request.extend(Ipv4Addr::octets(&address));
            }
            Ok(IpAddr::V6(address)) => {
                request.push(ADDRESS_IPV6);
                request.extend(Ipv6Addr::octets(&address));
            }
            Err(_) => {
                request.extend([ADDRESS_NAME, host.len() as u8]); // at most 253
                request.extend(host.as_bytes());
            }
        }
        request.extend(port.to_be_bytes());
        Self {
            credentials: credentials.cloned(),
            request,
            awaited: Awaited::Method,
            read_len: 0,
            reply_len: usize::MAX,
        }
    }

    /// The methods that we have (RFC 1928 §3).
    fn greeting(&self) -> Vec<u8> {
        match self.credentials {
            Some(_) => vec![VERSION, 2, METHOD_NONE, METHOD_PASSWORD],
            None => vec![VERSION, 1, METHOD_NONE],
        }
    }

    /// Takes a byte; appends to `out` what an answer that is whole calls for.
    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<bool, WireError> {
        let at = self.read_len;
        self.read_len += 1;
        match (self.awaited, at) {
            (Awaited::Method | Awaited::Reply, 0) => expect(byte == VERSION)?,
            (Awaited::Auth, 0) => expect(byte == AUTH_VERSION)?,
            (Awaited::Method, _) => self.choose(byte, out)?,
            (Awaited::Auth, _) if byte != 0 => return Err(WireError::ProxyAuth),
            (Awaited::Auth, _) => self.ask(out),
            (Awaited::Reply, 1) if byte != 0 => {
                return Err(WireError::ProxyRefused { reply: byte });
            }
            (Awaited::Reply, 3) => {
                self.reply_len = match byte {
                    ADDRESS_IPV4 => 4 + 4 + 2,
                    ADDRESS_IPV6 => 4 + 16 + 2,
                    ADDRESS_NAME => usize::MAX,
                    _ => return Err(WireError::ProxyMalformed),
                };
            }
            (Awaited::Reply, 4) if self.reply_len == usize::MAX => {
                self.reply_len = 5 + usize::from(byte) + 2;
            }
            (Awaited::Reply, _) => {}
        }
        Ok(self.awaited == Awaited::Reply && self.read_len == self.reply_len)
    }

    fn choose(&mut self, method: u8, out: &mut Vec<u8>) -> Result<(), WireError> {
        match (method, &self.credentials) {
            (METHOD_NONE, _) => self.ask(out),
            (METHOD_PASSWORD, Some(Credentials { user, password })) => {
                // RFC 1929 §2; both were checked to have at most 255 bytes.
                out.extend([AUTH_VERSION, user.len() as u8]);
                out.extend(user.as_bytes());
                out.push(password.len() as u8);
                out.extend(password.as_bytes());
                self.awaited = Awaited::Auth;
                self.read_len = 0;
            }
            (METHOD_REFUSED, _) => return Err(WireError::ProxyAuth),
            _ => return Err(WireError::ProxyMalformed),
        }
        Ok(())
    }

    fn ask(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.request);
        self.awaited = Awaited::Reply;
        self.read_len = 0;
    }
}

fn expect(is_right: bool) -> Result<(), WireError> {
    if is_right { Ok(()) } else { Err(WireError::ProxyMalformed) }
}

const VERSION: u8 = 5;
const AUTH_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const METHOD_NONE: u8 = 0;
const METHOD_PASSWORD: u8 = 2;
const METHOD_REFUSED: u8 = 0xFF;
const ADDRESS_IPV4: u8 = 1;
const ADDRESS_NAME: u8 = 3;
const ADDRESS_IPV6: u8 = 4;

/// The end of `HTTP/1.x NNN`.
const STATUS_END: usize = 12;

/// The longest name DNS knows (RFC 1035 §2.3.4).
const HOST_LEN_MAX: usize = 253;

/// The header of the answer to CONNECT, bytes: as much as of the gateway's own.
pub const PROXY_REPLY_LEN_MAX: usize = 16 << 10;

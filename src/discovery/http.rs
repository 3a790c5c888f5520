//! The real HTTP client: ureq over rustls, one connection a request.
//!
//! ureq's own TLS connector takes certificates, not trust anchors, so [`Secure`] stands in its
//! place with the roots that the whole library believes in; verification cannot be switched off.
//! Redirects are not followed, since they would carry the token elsewhere. Invariant: what is read
//! is bounded, and no error quotes a header or a body. [`Discovery`](super::Discovery) makes one.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::time::{Duration as Span, Instant as Moment};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    SocksConnector, TcpConnector, Transport, TransportAdapter,
};
use ureq::{Agent, Proxy, http};

use crate::discovery::request::{
    BODY_LEN_MAX, HEAD_LEN_MAX, HttpError, HttpGet, Request, Response,
};
use crate::error::{Error, ErrorKind};
use crate::trust::Roots;

/// Sends requests into the world. A connection lives for one of them.
pub(super) struct Client {
    tls: Arc<ClientConfig>,
    proxy: Option<Proxy>,
}

impl Client {
    /// Reads the roots; sends nothing.
    pub(super) fn new(roots: &Roots, proxy: Option<&str>) -> Result<Self, Error> {
        let proxy = proxy.map(Proxy::new).transpose().map_err(|_| {
            // The text is not repeated: a password may stand in there.
            let detail = "proxy: not an address like http://host:port or socks5://host:port";
            Error::new(ErrorKind::Config, detail)
        })?;
        let tls = ClientConfig::builder_with_provider(crypto())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(ErrorKind::Tls, format!("discovery: {error}")))?
            .with_root_certificates(roots.load()?)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls), proxy })
    }

    fn agent(&self, request: &Request) -> Agent {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(self.proxy.clone()) // None as well: the environment is not asked
            .user_agent(request.user_agent.as_str())
            .accept("application/json")
            .max_response_header_size(HEAD_LEN_MAX)
            .timeout_global(Some(request.timeout))
            .build();
        let connector =
            ().chain(SocksConnector::default())
                .chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(Secure(Arc::clone(&self.tls)));
        Agent::with_parts(config, connector, DefaultResolver::default())
    }
}

impl HttpGet for Client {
    fn get(&self, request: &Request) -> Result<Response, HttpError> {
        let header = |name: &str, value: &str| {
            let no_header = |_| HttpError::Request(format!("the {name} cannot stand in a header"));
            http::HeaderValue::from_str(value).map_err(no_header)
        };
        // ureq panics on one that cannot.
        header("User-Agent", &request.user_agent)?;
        let mut authorization = header("token", &format!("Bot {}", request.token.expose()))?;
        authorization.set_sensitive(true);
        let mut answer = self
            .agent(request)
            .get(&request.url)
            .header("Authorization", authorization)
            .call()
            .map_err(|error| self.told(error))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("Retry-After");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let limit = u64::try_from(BODY_LEN_MAX).unwrap_or(u64::MAX);
        let body = answer.body_mut().with_config().limit(limit).read_to_vec();
        let body = match body {
            Ok(body) => body,
            Err(error) if status == 200 => return Err(self.told(error)),
            // The status says it all; a page that goes with it is no loss.
            Err(_) => Vec::new(),
        };
        Ok(Response { status, retry_after, body })
    }
}

impl Client {
    /// ureq's error in our words, without what it quotes.
    fn told(&self, error: ureq::Error) -> HttpError {
        match error {
            ureq::Error::Timeout(_) => HttpError::Timeout,
            ureq::Error::HostNotFound => self.of_proxy(HttpError::NoSuchHost),
            ureq::Error::ConnectionFailed => {
                self.of_proxy(HttpError::Io(io::ErrorKind::NotConnected))
            }
            ureq::Error::Io(error) => self.told_io(&error),
            ureq::Error::Rustls(error) => told_tls(&error),
            ureq::Error::Tls(why) => HttpError::Tls(why.to_owned()),
            ureq::Error::ConnectProxyFailed(why) => {
                HttpError::Proxy { status: status_in(&why), why: "it did not answer" }
            }
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                HttpError::TooLong
            }
            ureq::Error::Protocol(_) => HttpError::NotHttp,
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                HttpError::Request("the address is not valid".to_owned())
            }
            _ => HttpError::Io(io::ErrorKind::Other),
        }
    }

    fn told_io(&self, error: &io::Error) -> HttpError {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return told_tls(error);
        }
        let text = error.get_ref().map(ToString::to_string).unwrap_or_default();
        let is_socks = self.proxy.as_ref().is_some_and(|proxy| {
            !matches!(proxy.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https)
        });
        if is_socks && let Some(why) = SOCKS_REFUSALS.iter().find(|why| text == **why) {
            return HttpError::Proxy { status: None, why };
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => HttpError::Timeout,
            _ if text.starts_with(LOOKUP_FAILED) => self.of_proxy(HttpError::NoSuchHost),
            kind => self.of_proxy(HttpError::Io(kind)),
        }
    }

    /// With a proxy, what no connection could be made to is the proxy, not the server.
    fn of_proxy(&self, error: HttpError) -> HttpError {
        let Some(proxy) = &self.proxy else { return error };
        let is_of_proxy = match &error {
            // Some proxies are given an address, and then the server's name is looked up here.
            HttpError::NoSuchHost => !proxy.resolve_target(),
            HttpError::Io(kind) => CONNECT_FAILURES.contains(kind),
            _ => false,
        };
        if !is_of_proxy {
            return error;
        }
        let why = error.to_string();
        HttpError::ProxyUnreachable { proxy: format!("{}:{}", proxy.host(), proxy.port()), why }
    }
}

fn told_tls(error: &rustls::Error) -> HttpError {
    match error {
        rustls::Error::InvalidCertificate(why) => HttpError::Certificate(in_words(why)),
        error => HttpError::Tls(error.to_string()),
    }
}

/// rustls has words for some of them, and its names in the code for the others.
fn in_words(why: &CertificateError) -> String {
    let words = match why {
        CertificateError::BadSignature => "its signature is wrong: it was not signed by its issuer",
        CertificateError::BadEncoding => "it is malformed",
        CertificateError::Expired => "it has expired, or this machine's clock is wrong",
        CertificateError::NotValidYet => "it is not valid yet, or this machine's clock is wrong",
        CertificateError::Revoked => "it was revoked",
        CertificateError::UnknownIssuer => "no root that is believed has issued it",
        CertificateError::NotValidForName => "it is for another name",
        CertificateError::InvalidPurpose => "it is not for servers",
        CertificateError::UnhandledCriticalExtension => "it has an extension that is not known",
        CertificateError::ApplicationVerificationFailure => "it was turned down",
        other => return other.to_string(),
    };
    words.to_owned()
}

/// The status in ureq's sentence about a CONNECT that was refused.
fn status_in(text: &str) -> Option<u16> {
    text.split(|c: char| !c.is_ascii_digit())
        .find_map(|word| word.parse().ok().filter(|status| (100..600).contains(status)))
}

fn crypto() -> Arc<rustls::crypto::CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

/// The last link of the chain: TLS to where the request goes, over whatever leads there.
struct Secure(Arc<ClientConfig>);

impl<In: Transport> Connector<In> for Secure {
    type Out = Either<In, SecureTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ureq::Error::Tls("the host is no name that a certificate could bear"))?;
        let connection = ClientConnection::new(Arc::clone(&self.0), name)?;
        let mut under = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        under.set_timeout(left(details));
        let mut stream = StreamOwned::new(connection, under);
        // The handshake, now: what goes wrong in it is no fault of the request.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(unwrapped)?;
        }
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(SecureTransport { buffers: LazyBuffers::new(input, output), stream })))
    }
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secure")
    }
}

/// What is left of the time for connecting after name, proxy and TCP had theirs.
fn left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (Span::Exact(after), Moment::Exact(began), Moment::Exact(now)) =
        (timeout.after, details.now, (details.current_time)())
    {
        // Not zero, which would mean "no time-out" to a socket.
        let left = after.saturating_sub(now.saturating_duration_since(began));
        timeout.after = Span::Exact(left.max(Duration::from_millis(1)));
    }
    timeout
}

fn unwrapped(error: io::Error) -> ureq::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => ureq::Error::Rustls(inner.clone()),
        None => ureq::Error::from(error),
    }
}

struct SecureTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for SecureTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for SecureTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecureTransport")
    }
}

/// How a connection fails that was never made.
const CONNECT_FAILURES: &[io::ErrorKind] = &[
    io::ErrorKind::ConnectionRefused,
    io::ErrorKind::NetworkUnreachable,
    io::ErrorKind::HostUnreachable,
    io::ErrorKind::AddrNotAvailable,
    io::ErrorKind::NotConnected,
];

/// How std's resolver begins its errors, which have no kind that could be named.
const LOOKUP_FAILED: &str = "failed to lookup address information";

/// What a SOCKS proxy may answer instead of a connection, in ureq's words.
const SOCKS_REFUSALS: &[&str] = &[
    "password authentication failed",
    "no acceptable auth methods",
    "unknown auth method",
    "general SOCKS server failure",
    "connection not allowed by ruleset",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "TTL expired",
    "command not supported",
    "address kind not supported",
    "request rejected or failed",
    "invalid response version",
];

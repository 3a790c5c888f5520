//! TLS: whom discovery believes, and in which words it tells that it does not.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream, SupportedProtocolVersion};
use shardring::{Discovery, ErrorKind, Roots};

use crate::support::{Answer, Server, read_head, shown, token};

/// A certificate authority of a test.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A server's certificate and its key.
pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        let key = KeyPair::generate().unwrap();
        // Each has a name of its own: of two with the same, one would have signed badly.
        params.distinguished_name.push(DnType::CommonName, format!("{:?}", key.public_key_raw()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots::only_pem(&self.pem).unwrap()
    }

    pub(crate) fn server(&self, name: &str) -> Identity {
        self.server_until(name, 2100)
    }

    fn server_until(&self, name: &str, year: i32) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// A server behind TLS that gives every request the good answer.
pub(crate) struct TlsServer(Server);

impl TlsServer {
    /// Speaks these versions, or both if none is named.
    pub(crate) fn start(
        _ca: &Ca,
        (certificate, key): Identity,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let versions = if versions.is_empty() { rustls::ALL_VERSIONS } else { versions };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        Self(Server::serving(move |mut stream: TcpStream, heads| {
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut tls, &mut stream);
            let head = read_head(&mut stream);
            if !head.is_empty() {
                heads.lock().unwrap().push(head);
                let _ = Answer::good().play(&mut stream);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.address().port()
    }

    pub(crate) fn ask(&self) -> Discovery {
        Discovery::new(token()).rest_base(format!("https://localhost:{}", self.port())).seed(1)
    }
}

#[test]
fn a_server_of_a_believed_ca_is_asked_by_either_version_of_tls_and_by_address() {
    let ca = Ca::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = TlsServer::start(&ca, ca.server("localhost"), &[version]);
        assert_eq!(server.ask().roots(ca.roots()).fetch().unwrap().shard_count, 9);
        assert!(server.0.heads()[0].contains("very.se.cret"));
    }
    let server = TlsServer::start(&ca, ca.server("127.0.0.1"), &[]);
    let base = format!("https://127.0.0.1:{}", server.port());
    let discovery = Discovery::new(token()).rest_base(base).roots(ca.roots());
    assert_eq!(discovery.fetch().unwrap().shard_count, 9);
}

#[test]
fn a_certificate_that_is_not_believed_ends_it_at_once_and_the_token_stays_here() {
    let ca = Ca::new();
    for (identity, roots, text) in [
        (ca.server("gateway.example"), ca.roots(), "not valid for name"),
        (ca.server_until("localhost", 2021), ca.roots(), "expired"),
        (ca.server("localhost"), Ca::new().roots(), "no root that is believed"),
        (ca.server("localhost"), Roots::mozilla(), "no root that is believed"),
    ] {
        let server = TlsServer::start(&ca, identity, &[]);
        let error = server.ask().roots(roots).fetch().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Discovery);
        let shown = shown(&error);
        assert!(shown.contains("certificate is not believed"), "{shown}");
        assert!(shown.contains(text), "{shown}");
        assert!(!shown.contains("given up after"), "asked once: {shown}");
        assert!(server.0.heads().is_empty(), "nothing was sent");
    }
}

#[test]
fn a_server_that_does_not_speak_tls_is_told_as_that() {
    let server = Server::serving(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let base = format!("https://{}", server.address());
    let discovery = Discovery::new(token()).rest_base(base).roots(Ca::new().roots());
    let error = discovery.within(std::time::Duration::from_millis(1200)).fetch().unwrap_err();
    assert!(shown(&error).contains("TLS failed"), "{error}");
}

/// Accepts, does the handshake if it is to, then begins a record that it sends byte by byte.
fn dripping(identity: Identity, shakes_hands: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}/api/v10", listener.local_addr().unwrap());
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.0], identity.1)
            .unwrap();
    let config = Arc::new(config);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
            while shakes_hands && server.is_handshaking() {
                server.complete_io(&mut stream).unwrap();
            }
            let kind = if shakes_hands { 23 } else { 22 };
            let drops = [kind, 3, 3, 0x40, 0].into_iter().chain([2; 1000]);
            for drop in drops {
                if stream.write_all(&[drop]).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    });
    base
}

#[test]
fn a_server_that_sends_a_record_byte_by_byte_is_given_up() {
    let ca = Ca::new();
    for shakes_hands in [false, true] {
        let base = dripping(ca.server("127.0.0.1"), shakes_hands);
        let ask = Discovery::new(token()).rest_base(base).roots(ca.roots()).seed(1);
        // Had each byte its own time-out, the end of the record (twenty seconds) would be told.
        let patience = Duration::from_millis(300);
        let error = ask.timeout(patience).within(patience * 4).fetch().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Discovery);
        assert!(shown(&error).contains("no answer in time"), "{error}");
    }
}

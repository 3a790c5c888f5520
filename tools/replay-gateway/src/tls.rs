//! The gateway's TLS: what may be set, and the certificates and the server configuration made of
//! it at the start. A CA is made anew for each gateway, so that nothing trusts it that was not told
//! to. Never touches a socket; `stream` does.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// How a gateway speaks TLS. The default is what a client should meet: a certificate that is right
/// under the CA of [`crate::GatewayHandle::ca_pem`], TLS 1.2 and 1.3, tickets.
#[derive(Clone, Debug, Default)]
pub struct TlsConfig {
    /// The certificate shown.
    pub certificate: Certificate,
    /// The versions spoken.
    pub versions: TlsVersions,
    /// No session can be resumed: no tickets, no session ids.
    pub no_tickets: bool,
    /// Where the CA's certificate is written as PEM at the start.
    pub ca_out: Option<PathBuf>,
}

/// The certificate that a gateway shows. All but [`Certificate::Given`] are made at its start, for
/// `localhost`, `127.0.0.1`, `::1` and the address that it listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// All is right.
    #[default]
    Right,
    /// For `gateway.example` and nothing else.
    WrongName,
    /// Its time was in 2020.
    Expired,
    /// Its time begins in 4000.
    NotYetValid,
    /// Signed by another CA than the one that `ca_pem` and `ca_out` give.
    UnknownCa,
    /// A certificate with its chain and its key, both as PEM files; `ca_pem` gives the chain's
    /// last certificate.
    Given {
        /// The chain, the server's own certificate first.
        chain: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}

/// The versions of TLS that a gateway speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// Only 1.2.
    Tls12,
    /// Only 1.3.
    Tls13,
}

/// What the loop needs of it.
pub(crate) struct Tls {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

impl Tls {
    /// Makes the certificates and writes the CA's.
    ///
    /// # Errors
    /// A file cannot be read or written, or what was given is no certificate or key.
    pub(crate) fn new(config: &TlsConfig, ip: IpAddr) -> io::Result<Self> {
        let made = match &config.certificate {
            Certificate::Given { chain, key } => read(chain, key)?,
            certificate => make(certificate, ip).map_err(io::Error::other)?,
        };
        let versions: &[&rustls::SupportedProtocolVersion] = match config.versions {
            TlsVersions::Both => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersions::Tls12 => &[&rustls::version::TLS12],
            TlsVersions::Tls13 => &[&rustls::version::TLS13],
        };
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(made.chain, made.key)
            })
            .map_err(io::Error::other)?;
        if config.no_tickets {
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
        } else {
            server.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
        }
        if let Some(path) = &config.ca_out {
            std::fs::write(path, &made.ca_pem)?;
        }
        Ok(Self { server: Arc::new(server), ca_pem: made.ca_pem })
    }
}

struct Made {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    ca_pem: String,
}

fn read(chain: &PathBuf, key: &PathBuf) -> io::Result<Made> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}"));
    let text = std::fs::read_to_string(chain)?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    let key = PrivateKeyDer::from_pem_slice(&std::fs::read(key)?).map_err(invalid)?;
    let ca_pem = text.rfind("-----BEGIN CERTIFICATE").map_or("", |at| &text[at..]).to_owned();
    Ok(Made { chain: certificates, key, ca_pem })
}

fn make(certificate: &Certificate, ip: IpAddr) -> Result<Made, rcgen::Error> {
    let (ca_pem, issuer) = authority("Replay Gateway CA")?;
    let issuer = match certificate {
        Certificate::UnknownCa => authority("Another CA")?.1,
        _ => issuer,
    };
    let names = match certificate {
        Certificate::WrongName => vec!["gateway.example".to_owned()],
        _ => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
    };
    let mut params = CertificateParams::new(names)?;
    let own = rcgen::SanType::IpAddress(ip);
    if *certificate != Certificate::WrongName && !params.subject_alt_names.contains(&own) {
        params.subject_alt_names.push(own);
    }
    params.distinguished_name.push(DnType::CommonName, "Replay Gateway");
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    match certificate {
        Certificate::Expired => {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 12, 31);
        }
        Certificate::NotYetValid => params.not_before = rcgen::date_time_ymd(4000, 1, 1),
        _ => {}
    }
    let key = KeyPair::generate()?;
    let leaf = params.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok(Made { chain: vec![leaf.der().clone()], key, ca_pem })
}

/// A CA: its certificate as PEM, and what signs.
fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

//! Whose certificates are believed: the machine's store, Mozilla's list, a CA of the user's own.
//!
//! It reads the store when it is asked to, and otherwise does nothing; it cannot be told to believe
//! everybody. The engine asks it once, at its start, for TLS to the gateway and for discovery.

use std::fmt;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use crate::error::{Error, ErrorKind};

/// The roots that a server's certificate must lead to.
///
/// The default is [`Roots::platform`]. There is no value that believes every certificate.
///
/// ```
/// use shardring::Roots;
///
/// let roots = Roots::mozilla();
/// assert!(Roots::only_pem("no certificate in here").is_err());
/// # drop(roots);
/// ```
#[derive(Clone, Default)]
pub struct Roots {
    base: Base,
    extra: Vec<CertificateDer<'static>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Base {
    #[default]
    Platform,
    Mozilla,
    Nothing,
}

impl Roots {
    /// The machine's own store (`/etc/ssl`, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name); and
    /// Mozilla's list on a machine whose store is empty, as in many containers.
    pub const fn platform() -> Self {
        Self { base: Base::Platform, extra: Vec::new() }
    }

    /// Mozilla's list as it was when this library was built.
    pub const fn mozilla() -> Self {
        Self { base: Base::Mozilla, extra: Vec::new() }
    }

    /// Only the certificates of `pem`: a private gateway, and nothing else.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `pem` holds no certificate, or a broken one.
    pub fn only_pem(pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self { base: Base::Nothing, extra: Vec::new() }.with_pem(pem)
    }

    /// Believes the certificates of `pem`, too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `pem` holds no certificate, or a broken one.
    pub fn with_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let before = self.extra.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_ref()) {
            let certificate = certificate
                .map_err(|error| Error::new(ErrorKind::Config, format!("roots: {error}")))?;
            // Here and not at the start: what is no certificate is the caller's mistake.
            webpki_anchor(&certificate)?;
            self.extra.push(certificate);
        }
        if self.extra.len() == before {
            let detail = "roots: the PEM text holds no certificate (BEGIN CERTIFICATE)";
            return Err(Error::new(ErrorKind::Config, detail));
        }
        Ok(self)
    }

    /// The anchors, read anew.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Tls`] if there is none.
    pub(crate) fn load(&self) -> Result<rustls::RootCertStore, Error> {
        let mut store = rustls::RootCertStore::empty();
        if self.base == Base::Platform {
            // A store may hold a few that nobody can read: the others count.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if self.base == Base::Mozilla || (self.base == Base::Platform && store.is_empty()) {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for certificate in &self.extra {
            store.roots.push(webpki_anchor(certificate)?);
        }
        if store.is_empty() {
            return Err(Error::new(ErrorKind::Tls, "roots: not one certificate to believe in"));
        }
        Ok(store)
    }
}

fn webpki_anchor(certificate: &CertificateDer<'static>) -> Result<TrustAnchor<'static>, Error> {
    let mut store = rustls::RootCertStore::empty();
    store.add(certificate.clone()).map_err(|error| {
        Error::new(ErrorKind::Config, format!("roots: a certificate cannot be used: {error}"))
    })?;
    Ok(store.roots.remove(0))
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("base", &self.base).field("extra", &self.extra.len()).finish()
    }
}

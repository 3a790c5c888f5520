//! What rustls says went wrong, as a [`WireError`].
//!
//! The text of rustls' errors may quote the server's certificate; nothing of it is kept.

use rustls::{CertificateError, Error, InvalidMessage};

use crate::wire::WireError;

pub(super) fn of(error: &Error) -> WireError {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoCertificatesPresented | Error::InvalidCertRevocationList(_) => {
            WireError::TlsCertificate
        }
        Error::UnsupportedNameType => WireError::TlsName,
        Error::AlertReceived(alert) => WireError::TlsAlert { description: u8::from(*alert) },
        Error::PeerSentOversizedRecord
        | Error::InvalidMessage(
            InvalidMessage::MessageTooLarge
            | InvalidMessage::HandshakePayloadTooLarge
            | InvalidMessage::CertificatePayloadTooLarge,
        ) => WireError::TlsRecordTooLong,
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => WireError::TlsMalformed,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => WireError::TlsIncompatible,
        // The builder says it of a provider without suites for a version.
        Error::General(_) => WireError::TlsIncompatible,
        Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes => WireError::TlsSystem,
        _ => WireError::TlsProtocol,
    }
}

fn of_certificate(error: &CertificateError) -> WireError {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            WireError::TlsExpired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            WireError::TlsNotYetValid
        }
        CertificateError::UnknownIssuer => WireError::TlsUnknownCa,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            WireError::TlsName
        }
        _ => WireError::TlsCertificate,
    }
}

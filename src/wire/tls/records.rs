//! TLS 1.3 after the handshake: records opened where they lie, without a copy or an allocation.
//!
//! rustls' own connection copies each plaintext into a vector of its own and keeps its handshake's
//! buffers for ever. So when its handshake is done it is taken apart by the way that it has for
//! kernel TLS: it hands over the traffic keys and keeps the key schedule, which makes the next keys
//! (KeyUpdate) and reads tickets. The cryptography is its provider's as before; what is done here
//! are sequence numbers and the few messages that may come (RFC 8446 §4.6, §5, §6).
//!
//! Invariants: a sequence number is used once for a key; new keys are taken only where a record
//! ends; no key seals more records than its cipher allows. `Tls` calls it.

use rustls::client::ClientConnectionData;
use rustls::crypto::cipher::{
    InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
};
use rustls::kernel::KernelConnection;
use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, ExtractedSecrets, ProtocolVersion,
    Tls13CipherSuite,
};

use super::fault;
use crate::wire::WireError;
use crate::wire::record::HEADER_LEN;

pub(super) struct Records {
    keys: KernelConnection<ClientConnectionData>,
    suite: &'static Tls13CipherSuite,
    opener: Box<dyn MessageDecrypter>,
    open_seq: u64,
    sealer: Box<dyn MessageEncrypter>,
    seal_seq: u64,
    /// The server asked for new keys of ours, or the ones we have are nearly used up.
    owes_update: bool,
    /// Records without application data since the last one with it.
    fruitless_count: u8,
}

/// What was in a record.
pub(super) enum Content<'b> {
    Plain(&'b [u8]),
    /// The rest of handshake messages, the last of which is not whole: to be kept and given again
    /// in front of the next record's.
    Partial(Vec<u8>),
    Nothing,
    /// `close_notify`.
    End,
}

/// Why a record ends the connection, and the alert that says so to the server.
pub(super) struct Refused {
    pub(super) error: WireError,
    pub(super) alert: Option<u8>,
}

impl Records {
    pub(super) fn new(
        secrets: ExtractedSecrets,
        keys: KernelConnection<ClientConnectionData>,
    ) -> Result<Self, WireError> {
        let suite = keys.negotiated_cipher_suite().tls13().ok_or(WireError::TlsProtocol)?;
        let ((open_seq, opened_by), (seal_seq, sealed_by)) = (secrets.rx, secrets.tx);
        Ok(Self {
            keys,
            suite,
            opener: opener(suite, opened_by)?,
            open_seq,
            sealer: sealer(suite, sealed_by)?,
            seal_seq,
            owes_update: false,
            fruitless_count: 0,
        })
    }

    /// Opens a whole record in place. `kept` is what [`Content::Partial`] gave before.
    pub(super) fn open<'b>(
        &mut self,
        kept: &[u8],
        record: &'b mut [u8],
    ) -> Result<Content<'b>, Refused> {
        let Some((header, sealed)) = record.split_at_mut_checked(HEADER_LEN) else {
            return Err(Refused::with(DECODE_ERROR));
        };
        // Nothing is in the clear any more, neither alerts nor change_cipher_spec.
        if header[0] != u8::from(ContentType::ApplicationData) {
            return Err(Refused::with(UNEXPECTED_MESSAGE));
        }
        let sealed = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            sealed,
        );
        let message = self.opener.decrypt(sealed, self.open_seq).map_err(Refused::of_decrypt)?;
        self.open_seq = self.open_seq.checked_add(1).ok_or(Refused::EXHAUSTED)?;
        let is_handshake = message.typ == ContentType::Handshake;
        // A message in several records has nothing between them (RFC 8446 §5.1).
        if !kept.is_empty() && !is_handshake {
            return Err(Refused::with(UNEXPECTED_MESSAGE));
        }
        if message.typ == ContentType::ApplicationData && !message.payload.is_empty() {
            self.fruitless_count = 0;
            return Ok(Content::Plain(message.payload));
        }
        self.fruitless_count += 1;
        if self.fruitless_count > FRUITLESS_MAX {
            return Err(Refused::with(UNEXPECTED_MESSAGE));
        }
        match (message.typ, message.payload) {
            (ContentType::ApplicationData, _) => Ok(Content::Nothing),
            (ContentType::Alert, [_, CLOSE_NOTIFY]) => Ok(Content::End),
            // What it means is said by what follows it (RFC 8446 §6.1).
            (ContentType::Alert, [_, USER_CANCELED]) => Ok(Content::Nothing),
            (ContentType::Alert, &[_, description]) => {
                Err(Refused { error: WireError::TlsAlert { description }, alert: None })
            }
            (ContentType::Handshake, payload) if kept.is_empty() => self.take_messages(payload),
            (ContentType::Handshake, payload) => self.take_messages(&[kept, payload].concat()),
            _ => Err(Refused::with(UNEXPECTED_MESSAGE)),
        }
    }

    fn take_messages(&mut self, mut bytes: &[u8]) -> Result<Content<'static>, Refused> {
        if bytes.is_empty() {
            return Err(Refused::with(UNEXPECTED_MESSAGE)); // RFC 8446 §5.1
        }
        while let [kind, high, middle, low, rest @ ..] = bytes {
            let len = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            if len > MESSAGE_LEN_MAX {
                let error = WireError::TlsRecordTooLong;
                return Err(Refused { error, alert: Some(DECODE_ERROR) });
            }
            let Some((body, rest)) = rest.split_at_checked(len) else { break };
            match *kind {
                NEW_SESSION_TICKET => self
                    .keys
                    .handle_new_session_ticket(body)
                    .map_err(|_| Refused::with(DECODE_ERROR))?,
                // The next record is under another key already (RFC 8446 §5.1).
                KEY_UPDATE if rest.is_empty() => self.take_key_update(body)?,
                _ => return Err(Refused::with(UNEXPECTED_MESSAGE)),
            }
            bytes = rest;
        }
        if bytes.is_empty() { Ok(Content::Nothing) } else { Ok(Content::Partial(bytes.to_vec())) }
    }

    fn take_key_update(&mut self, body: &[u8]) -> Result<(), Refused> {
        match body {
            [0] => {}
            [1] => self.owes_update = true,
            [_] => return Err(Refused::with(ILLEGAL_PARAMETER)),
            _ => return Err(Refused::with(DECODE_ERROR)),
        }
        let internal = |error| Refused { error, alert: Some(INTERNAL_ERROR) };
        let updated = self.keys.update_rx_secret().map_err(|error| internal(fault::of(&error)))?;
        self.open_seq = updated.0;
        self.opener = opener(self.suite, updated.1).map_err(internal)?;
        Ok(())
    }

    /// Appends `plain`, sealed, and before it the KeyUpdate that is owed.
    pub(super) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        for part in plain.chunks(PLAIN_LEN_MAX) {
            // One record is left to say so under the old key, one for an alert.
            if self.seal_seq.saturating_add(2) >= self.suite.common.confidentiality_limit {
                self.owes_update = true;
            }
            if self.owes_update {
                self.update(out)?;
            }
            self.append(ContentType::ApplicationData, part, out)?;
        }
        Ok(())
    }

    fn update(&mut self, out: &mut Vec<u8>) -> Result<(), WireError> {
        // update_not_requested
        self.append(ContentType::Handshake, &[KEY_UPDATE, 0, 0, 1, 0], out)?;
        let updated = self.keys.update_tx_secret().map_err(|error| fault::of(&error))?;
        self.seal_seq = updated.0;
        self.sealer = sealer(self.suite, updated.1)?;
        self.owes_update = false;
        Ok(())
    }

    /// Appends an alert: `close_notify` as a warning, all others fatal.
    pub(super) fn alert(&mut self, description: u8, out: &mut Vec<u8>) -> Result<(), WireError> {
        let level = if description == CLOSE_NOTIFY { 1 } else { 2 };
        self.append(ContentType::Alert, &[level, description], out)
    }

    fn append(
        &mut self,
        typ: ContentType,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        let version = ProtocolVersion::TLSv1_2; // for the look of it (RFC 8446 §5.2)
        let message =
            OutboundPlainMessage { typ, version, payload: OutboundChunks::Single(payload) };
        let sealed =
            self.sealer.encrypt(message, self.seal_seq).map_err(|error| fault::of(&error))?;
        self.seal_seq = self.seal_seq.checked_add(1).ok_or(WireError::TlsExhausted)?;
        out.extend_from_slice(&sealed.encode());
        Ok(())
    }
}

impl Refused {
    const EXHAUSTED: Self = Self { error: WireError::TlsExhausted, alert: None };

    fn with(alert: u8) -> Self {
        Self { error: WireError::TlsProtocol, alert: Some(alert) }
    }

    fn of_decrypt(error: Error) -> Self {
        let alert = match error {
            Error::DecryptError => BAD_RECORD_MAC,
            Error::PeerSentOversizedRecord => RECORD_OVERFLOW,
            _ => UNEXPECTED_MESSAGE,
        };
        Self { error: fault::of(&error), alert: Some(alert) }
    }
}

fn opener(
    suite: &Tls13CipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Result<Box<dyn MessageDecrypter>, WireError> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
            Ok(suite.aead_alg.decrypter(key, iv))
        }
        _ => Err(WireError::TlsIncompatible),
    }
}

fn sealer(
    suite: &Tls13CipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Result<Box<dyn MessageEncrypter>, WireError> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
            Ok(suite.aead_alg.encrypter(key, iv))
        }
        _ => Err(WireError::TlsIncompatible),
    }
}

// Handshake messages that may come after the handshake (RFC 8446 §4.6).
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

// Alerts (RFC 8446 §6).
pub(super) const CLOSE_NOTIFY: u8 = 0;
const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const RECORD_OVERFLOW: u8 = 22;
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;
const INTERNAL_ERROR: u8 = 80;
const USER_CANCELED: u8 = 90;

/// What a record carries, bytes (RFC 8446 §5.1).
const PLAIN_LEN_MAX: usize = 16_384;

/// The longest handshake message that is taken, bytes, as in rustls.
const MESSAGE_LEN_MAX: usize = 0xFFFF;

/// Records in a row that bring the WebSocket nothing: tickets, KeyUpdates, empty ones.
const FRUITLESS_MAX: u8 = 32;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::crypto::ring;
    use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
    use rustls::{RootCertStore, ServerConfig, ServerConnection};

    use super::super::session::Session;
    use super::super::{TlsClient, TlsVersions};
    use super::*;

    /// A client's records and the server's way to open what they seal, by sequence number.
    fn pair() -> (Records, Box<dyn MessageDecrypter>) {
        let made = rcgen::generate_simple_self_signed(vec!["gateway.test".into()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.enable_secret_extraction = true;
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        let client = TlsClient::new(roots, TlsVersions::Only13, 0).unwrap();
        let name = ServerName::try_from("gateway.test").unwrap();
        let mut session = Session::new(&client, name).unwrap();
        while !session.is_ready_for_records() {
            let (mut out, mut answer) = (Vec::new(), Vec::new());
            session.flush(&mut out);
            server.read_tls(&mut &out[..]).unwrap();
            server.process_new_packets().unwrap();
            server.write_tls(&mut answer).unwrap();
            // the whole flight at once: a session takes more than one record as well
            let kept_from = session.read(&mut answer).unwrap().kept_from;
            assert_eq!(kept_from, answer.len());
        }
        let (records, pending) = session.into_records().unwrap();
        server.read_tls(&mut &pending[..]).unwrap();
        server.process_new_packets().unwrap();
        while server.wants_write() {
            server.write_tls(&mut std::io::sink()).unwrap();
        }
        let secrets = server.dangerous_extract_secrets().unwrap().rx.1;
        let opener = opener(records.suite, secrets).unwrap();
        (records, opener)
    }

    #[test]
    fn a_key_is_changed_before_it_has_sealed_too_many_records() {
        let (mut records, mut server) = pair();
        let limit = records.suite.common.confidentiality_limit;
        assert!(limit < 1 << 32, "AES-GCM's");
        records.seal_seq = limit - 4;
        let mut seen = Vec::new();
        for (count, seq) in (limit - 4..limit - 1).enumerate() {
            let mut out = Vec::new();
            records.seal(b"text", &mut out).unwrap();
            let len = HEADER_LEN + usize::from(u16::from_be_bytes([out[3], out[4]]));
            assert_eq!(out.len() > len, count == 2, "an update comes before the text");
            let version = ProtocolVersion::TLSv1_2;
            let body = &mut out[HEADER_LEN..len];
            let message = InboundOpaqueMessage::new(ContentType::ApplicationData, version, body);
            let message = server.decrypt(message, seq).unwrap();
            seen.push((message.typ, message.payload.to_vec()));
        }
        let text = (ContentType::ApplicationData, b"text".to_vec());
        let update = (ContentType::Handshake, vec![KEY_UPDATE, 0, 0, 1, 0]);
        assert_eq!(seen, [text.clone(), text, update]);
        assert_eq!(records.seal_seq, 1, "the text went out under the new key, as its first");
    }

    #[test]
    fn sequence_numbers_never_come_round() {
        let (mut records, _) = pair();
        records.seal_seq = u64::MAX;
        assert_eq!(records.alert(CLOSE_NOTIFY, &mut Vec::new()), Err(WireError::TlsExhausted));
    }
}

//! TLS between the socket and the WebSocket: records in, application data out, and back.
//!
//! One of the two doors of rustls (the other makes the roots). Each call decrypts at most one
//! record, where it lies; what is not a whole record waits in chunks. No socket; the clock that
//! certificates are held against, and the randomness, are rustls' own. `Channel` calls it.
//!
//! Invariants: certificates are always verified; a record whose header claims too much is refused
//! before a byte of it is kept; any split of the same bytes into calls gives the same plaintext;
//! a connection that failed stays failed.
//!
//! What it costs (measured by `tests/alloc_tls.rs`, which holds it to these bounds):
//!
//! | | ring |
//! |---|---|
//! | heap of an idle connection, without the server's certificates | MEASURE |
//! | a ticket, without them | MEASURE |
//! | allocations a record received | MEASURE |
//! | allocations a payload sent | MEASURE |
//!
//! Both keep a copy of the chain that the server sent.

mod fault;
mod tickets;

use std::fmt;
use std::sync::Arc;

use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};

use super::channel::Cleared;
use super::error::WireError;
use super::pool::{ChunkPool, ChunkQueue};
use super::record::{HANDSHAKE_LEN_MAX, HEADER_LEN, Header, RecordBuffer};
use tickets::Tickets;

/// How to speak TLS to gateways: whom to believe, which versions, and the tickets of sessions to
/// resume. Cheap to clone; all clones share their tickets.
///
/// There is no way to make one that does not verify certificates.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
}

/// Which versions of TLS are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsVersions {
    /// 1.3, and 1.2 for those who have not it.
    #[default]
    All,
    /// 1.2 alone, for tests.
    Only12,
    /// 1.3 alone.
    Only13,
}

impl TlsClient {
    /// A client that believes `roots` and keeps at most `tickets_max` tickets of TLS 1.3.
    ///
    /// A ticket is used once, and each connection is given new ones (two by most servers): what is
    /// needed are as many as handshakes are under way at one time, so the bound on those will do,
    /// and the number of shards always does. Beyond it the oldest go. TLS 1.2 needs no count: one
    /// session a server is used again and again.
    ///
    /// SNI is on, ALPN offers `http/1.1` (the upgrade needs it). The crypto library is aws-lc-rs
    /// with the feature of that name, else ring; nothing is installed for the process.
    ///
    /// # Errors
    /// [`WireError::TlsIncompatible`] if the crypto library has no cipher suite for `versions`.
    pub fn new(
        roots: RootCertStore,
        versions: TlsVersions,
        tickets_max: usize,
    ) -> Result<Self, WireError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions.offered())
            .map_err(|error| fault::of(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::store(Arc::new(Tickets::new(tickets_max)));
        Ok(Self { config: Arc::new(config) })
    }
}

impl TlsVersions {
    fn offered(self) -> &'static [&'static SupportedProtocolVersion] {
        static ALL: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::All => &ALL,
            Self::Only12 => &ALL[1..],
            Self::Only13 => &ALL[..1],
        }
    }
}

/// One connection's TLS, the client's side.
pub(super) struct Tls {
    connection: UnbufferedClientConnection,
    /// Bytes that wait: first `kept_len` of a handshake message that spans records, then the start
    /// of a record.
    held: ChunkQueue,
    /// Decrypted in place, and to be given to rustls again before the next record.
    kept_len: usize,
    /// How many records `kept_len` is made of.
    kept_count: usize,
    /// The start of the record that waits, as far as it came.
    header: Header,
    /// Records of rustls' own making, to be written.
    pending: Vec<u8>,
    /// The server said `close_notify`.
    is_ended: bool,
    /// We did, or the connection was released.
    is_over: bool,
    failed: Option<WireError>,
}

impl Tls {
    /// Begins a handshake with `host`, a name or an IP address without brackets.
    pub(super) fn new(client: &TlsClient, host: &str) -> Result<Self, WireError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| WireError::TlsName)?;
        let connection = UnbufferedClientConnection::new(Arc::clone(&client.config), name)
            .map_err(|error| fault::of(&error))?;
        Ok(Self {
            connection,
            held: ChunkQueue::new(),
            kept_len: 0,
            kept_count: 0,
            header: Header::default(),
            pending: Vec::new(),
            is_ended: false,
            is_over: false,
            failed: None,
        })
    }

    /// See [`Channel::open`](super::Channel::open).
    pub(super) fn open<'b>(
        &mut self,
        bytes: &'b mut [u8],
        pool: &mut ChunkPool,
        record: &'b mut RecordBuffer,
    ) -> Result<Cleared<'b>, WireError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.is_ended || self.is_over {
            return Ok(Cleared { used: bytes.len(), plain: &[], ended: self.is_ended });
        }
        let opened = self.open_record(bytes, pool, record);
        if let Err(error) = opened {
            self.fail(error, pool);
        }
        opened
    }

    pub(super) fn is_open(&self) -> bool {
        !self.connection.is_handshaking()
    }

    pub(super) fn wants_to_write(&self) -> bool {
        !self.pending.is_empty() || self.connection.wants_write()
    }

    pub(super) fn held_len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn was_resumed(&self) -> Option<bool> {
        self.connection.handshake_kind().map(|kind| kind == HandshakeKind::Resumed)
    }

    pub(super) fn eof(&self) -> Result<(), WireError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.is_ended || self.is_over => Ok(()),
            None => Err(WireError::TlsTruncated),
        }
    }

    pub(super) fn release(&mut self, pool: &mut ChunkPool) {
        self.held.clear(pool);
        self.kept_len = 0;
        self.is_over = true;
    }

    /// See [`Channel::seal`](super::Channel::seal).
    pub(super) fn seal(&mut self, plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), WireError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.flush(out);
        // While a handshake message waits for its next record rustls must not be asked.
        if self.is_over || plain.is_empty() || !self.is_open() || self.kept_len > 0 {
            return Ok(());
        }
        if let Err(error) = self.encrypt(plain, out) {
            self.failed = Some(error);
            return Err(error);
        }
        plain.clear();
        Ok(())
    }

    /// See [`Channel::farewell`](super::Channel::farewell).
    pub(super) fn farewell(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        let is_able = self.failed.is_none() && self.is_open() && self.kept_len == 0;
        if is_able && !self.is_over {
            // A connection whose keys are used up, or that said so already, has nothing to say.
            let _ = self.append_sealed(ALERT_LEN_MAX, out, |traffic, room| {
                traffic.queue_close_notify(room)
            });
        }
        // rustls says farewell once and takes it ill to be told of a fault afterwards.
        self.is_over = true;
    }

    fn open_record<'b>(
        &mut self,
        bytes: &'b mut [u8],
        pool: &mut ChunkPool,
        record: &'b mut RecordBuffer,
    ) -> Result<Cleared<'b>, WireError> {
        let waiting_len = self.held.len() - self.kept_len;
        let known_len = waiting_len.min(HEADER_LEN);
        let new_len = bytes.len().min(HEADER_LEN - known_len);
        self.header.0[known_len..known_len + new_len].copy_from_slice(&bytes[..new_len]);
        let lacking_len = match known_len + new_len {
            HEADER_LEN => self.header.record_len()? - waiting_len,
            _ => usize::MAX,
        };
        if bytes.len() < lacking_len {
            self.held.push(bytes, pool)?;
            return Ok(Cleared { used: bytes.len(), plain: &[], ended: false });
        }
        let whole = if self.held.is_empty() {
            &mut bytes[..lacking_len]
        } else {
            record.fill(&mut self.held, &bytes[..lacking_len], pool);
            &mut record.bytes[..]
        };
        let plain_len = self.process(whole, pool)?;
        Ok(Cleared { used: lacking_len, plain: &whole[..plain_len], ended: self.is_ended })
    }

    /// Has rustls read one record (behind what it wanted kept). Its plaintext is put at the front
    /// of `whole`; gives its length.
    fn process(&mut self, whole: &mut [u8], pool: &mut ChunkPool) -> Result<usize, WireError> {
        let mut done = 0;
        let is_plain = loop {
            let status = self.connection.process_tls_records(&mut whole[done..]);
            done += status.discard;
            match status.state.map_err(|error| fault::of(&error))? {
                // Taken below: its payload lies in rustls, and here it would keep `whole` borrowed.
                ConnectionState::ReadTraffic(_) => break true,
                ConnectionState::EncodeTlsData(mut data) => {
                    append_encoded(&mut self.pending, |room| data.encode(room));
                }
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::PeerClosed => self.is_ended = true,
                ConnectionState::BlockedHandshake
                | ConnectionState::WriteTraffic(_)
                | ConnectionState::Closed => break false,
                _ => return Err(WireError::TlsProtocol),
            }
        };
        self.keep(&whole[done..], pool)?;
        if is_plain { self.take_plain(whole) } else { Ok(0) }
    }

    /// Keeps the part of a handshake message that rustls wants to see again.
    fn keep(&mut self, rest: &[u8], pool: &mut ChunkPool) -> Result<(), WireError> {
        self.kept_len = rest.len();
        self.kept_count = if rest.is_empty() { 0 } else { self.kept_count + 1 };
        if self.kept_len > HANDSHAKE_LEN_MAX || self.kept_count > HANDSHAKE_RECORDS_MAX {
            return Err(WireError::TlsRecordTooLong);
        }
        self.held.push(rest, pool)
    }

    fn take_plain(&mut self, whole: &mut [u8]) -> Result<usize, WireError> {
        let status = self.connection.process_tls_records(&mut []);
        let Ok(ConnectionState::ReadTraffic(mut traffic)) = status.state else {
            return Err(WireError::TlsProtocol);
        };
        let mut len = 0;
        while let Some(record) = traffic.next_record() {
            let payload = record.map_err(|error| fault::of(&error))?.payload;
            // A plaintext is shorter than its record.
            let room = whole.get_mut(len..len + payload.len()).ok_or(WireError::TlsProtocol)?;
            room.copy_from_slice(payload);
            len += payload.len();
        }
        Ok(len)
    }

    /// Appends what rustls has to say by itself.
    fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            out.append(&mut self.pending);
            self.pending = Vec::new();
        }
        // Only while it wants to write: otherwise it would look for what it wanted kept.
        while self.connection.wants_write() {
            let status = self.connection.process_tls_records(&mut []);
            let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state else { break };
            append_encoded(out, |room| data.encode(room));
        }
    }

    fn encrypt(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        let records = plain.len() / PLAIN_LEN_MAX + 1;
        let room_len = plain.len() + records * OVERHEAD_LEN_MAX;
        self.append_sealed(room_len, out, |traffic, room| traffic.encrypt(plain, room))
    }

    /// Appends what `seal` writes, in as much room as it turns out to need.
    fn append_sealed(
        &mut self,
        room_len: usize,
        out: &mut Vec<u8>,
        mut seal: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), WireError> {
        let mut start = out.len();
        let mut room_len = room_len;
        let sealed = loop {
            out.resize(start + room_len, 0);
            let status = self.connection.process_tls_records(&mut []);
            match status.state.map_err(|error| fault::of(&error)) {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    match seal(&mut traffic, &mut out[start..]) {
                        Ok(len) => break Ok(len),
                        // It saw that a KeyUpdate is owed, and comes back with that first.
                        Err(EncryptError::InsufficientSize(size))
                            if size.required_size > room_len =>
                        {
                            room_len = size.required_size;
                        }
                        Err(_) => break Err(WireError::TlsExhausted),
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    out.truncate(start);
                    append_encoded(out, |room| data.encode(room));
                    start = out.len();
                }
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(ConnectionState::PeerClosed) => self.is_ended = true,
                Ok(_) => break Err(WireError::TlsProtocol),
                Err(error) => break Err(error),
            }
        };
        out.truncate(start + sealed.unwrap_or(0));
        sealed.map(|_| ())
    }

    fn fail(&mut self, error: WireError, pool: &mut ChunkPool) {
        self.failed = Some(error);
        self.held.clear(pool);
        self.kept_len = 0;
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("version", &self.connection.protocol_version())
            .field("kind", &self.connection.handshake_kind())
            .field("is_open", &self.is_open())
            .field("is_ended", &self.is_ended)
            .field("failed", &self.failed)
            .field("held_len", &self.held_len())
            .finish_non_exhaustive()
    }
}

type Traffic<'c> = rustls::unbuffered::WriteTraffic<'c, rustls::client::ClientConnectionData>;

/// Appends one record that rustls has ready.
fn append_encoded(
    out: &mut Vec<u8>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) {
    let start = out.len();
    if let Err(EncodeError::InsufficientSize(size)) = encode(&mut []) {
        out.resize(start + size.required_size, 0);
        let written = encode(&mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
    }
}

fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

/// What rustls puts into one record, bytes.
const PLAIN_LEN_MAX: usize = 16_384;

/// What a record adds to it, bytes: header, nonce or type, tag.
const OVERHEAD_LEN_MAX: usize = 32;

/// A sealed alert, bytes.
const ALERT_LEN_MAX: usize = 2 + OVERHEAD_LEN_MAX;

/// Records that one handshake message may be cut into. Each is gathered with all before it, so
/// their number must be bounded as well as their length; who cuts does so at 16 KiB.
const HANDSHAKE_RECORDS_MAX: usize = 64;

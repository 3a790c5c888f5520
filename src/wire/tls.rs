//! TLS between the socket and the WebSocket: records in, application data out, and back.
//!
//! One of the doors of rustls. Each call opens at most one record, where it lies; what is not a
//! whole record waits in chunks. No socket; the clock that certificates are held against, and the
//! randomness, are rustls' own. `Channel` calls it.
//!
//! rustls' connection does the handshake, and all of TLS 1.2 (`session`). TLS 1.3 goes on without
//! it, from its keys (`records`): that opens in place and owns a kilobyte less.
//!
//! Invariants: certificates are always verified; a record whose header claims too much is refused
//! before a byte of it is kept; any split of the same bytes into calls gives the same plaintext;
//! a connection that failed stays failed.
//!
//! What it costs with ring, as `tests/alloc_tls.rs` measures it and holds it to. The certificate is
//! of 0.4 KB there; one copy of the server's chain is in each connection and in each ticket:
//!
//! | | TLS 1.3 | TLS 1.2 |
//! |---|---|---|
//! | heap of an idle connection | 2.8 KB (resumed: 2.6) | 3.7 KB (3.6) |
//! | a ticket | 0.9 KB | one session a server |
//! | allocations a record received | 0 | 1 |
//! | allocations a payload sent | 1 | 1 |
//!
//! (The chains of public servers have two to three kilobytes: rustls keeps them, and gives no means
//! to forget them.)

mod fault;
mod records;
mod session;
mod tickets;

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::channel::Cleared;
use super::error::WireError;
use super::pool::{ChunkPool, ChunkQueue};
use super::record::{HANDSHAKE_LEN_MAX, HEADER_LEN, Header, RecordBuffer};
use records::{CLOSE_NOTIFY, Content, Records, Refused};
use session::Session;
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
    /// and the number of shards always does. Beyond it the oldest go. Each is 0.5 KB and the
    /// server's chain, 3 KB as a rule. TLS 1.2 needs no count: one session a server is used again
    /// and again.
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
        // For `Records`: the keys stay in this process, and in no log.
        config.enable_secret_extraction = true;
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
    stage: Stage,
    /// Bytes that wait: first `kept_len` of a handshake message that spans records, then the start
    /// of a record.
    held: ChunkQueue,
    /// Opened already, and to be given again before the next record.
    kept_len: usize,
    /// How many records `kept_len` is made of.
    kept_count: usize,
    /// The start of the record that waits, as far as it came.
    header: Header,
    /// Records that the handshake left to be written, or the alert of a failure.
    pending: Vec<u8>,
    was_resumed: Option<bool>,
    /// The server said `close_notify`.
    is_ended: bool,
    /// We did, or the connection was released.
    is_over: bool,
    failed: Option<WireError>,
}

enum Stage {
    /// In the handshake, and of TLS 1.2 for ever.
    Session(Box<Session>),
    /// Of TLS 1.3 from there on.
    Records(Box<Records>),
    /// The one could not become the other.
    Broken,
}

impl Tls {
    /// Begins a handshake with `host`, a name or an IP address without brackets.
    pub(super) fn new(client: &TlsClient, host: &str) -> Result<Self, WireError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| WireError::TlsName)?;
        Ok(Self {
            stage: Stage::Session(Box::new(Session::new(client, name)?)),
            held: ChunkQueue::new(),
            kept_len: 0,
            kept_count: 0,
            header: Header::default(),
            pending: Vec::new(),
            was_resumed: None,
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
            self.failed = Some(error);
            self.held.clear(pool);
            self.kept_len = 0;
        }
        opened
    }

    pub(super) fn is_open(&self) -> bool {
        match &self.stage {
            // rustls must not be asked while a handshake message waits for its next record.
            Stage::Session(session) => session.is_open() && self.kept_len == 0,
            Stage::Records(_) => true,
            Stage::Broken => false,
        }
    }

    pub(super) fn wants_to_write(&self) -> bool {
        let is_session_full =
            matches!(&self.stage, Stage::Session(session) if session.wants_to_write());
        !self.pending.is_empty() || is_session_full
    }

    pub(super) fn held_len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn was_resumed(&self) -> Option<bool> {
        self.was_resumed
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
        if !plain.is_empty() && self.may_seal() {
            let sealed = match &mut self.stage {
                Stage::Session(session) => session.seal(plain, out),
                Stage::Records(records) => records.seal(plain, out),
                Stage::Broken => Ok(()),
            };
            self.failed = sealed.err();
            sealed?;
            plain.clear();
        }
        Ok(())
    }

    /// See [`Channel::farewell`](super::Channel::farewell).
    pub(super) fn farewell(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        if self.failed.is_none() && self.may_seal() {
            // A connection whose keys are used up has nothing to say.
            let _ = match &mut self.stage {
                Stage::Session(session) => session.farewell(out),
                Stage::Records(records) => records.alert(CLOSE_NOTIFY, out),
                Stage::Broken => Ok(()),
            };
        }
        // To be told of a fault after one's farewell is nothing that rustls provides for.
        self.is_over = true;
    }

    fn may_seal(&self) -> bool {
        self.is_open() && !self.is_over
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            out.append(&mut self.pending);
            self.pending = Vec::new();
        }
        if let Stage::Session(session) = &mut self.stage {
            session.flush(out);
        }
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
        let plain = match self.stage {
            Stage::Session(_) => self.open_in_session(whole, pool)?,
            _ => self.open_in_place(whole, pool)?,
        };
        Ok(Cleared { used: lacking_len, plain, ended: self.is_ended })
    }

    fn open_in_session<'b>(
        &mut self,
        whole: &'b mut [u8],
        pool: &mut ChunkPool,
    ) -> Result<&'b [u8], WireError> {
        let Stage::Session(session) = &mut self.stage else { return Err(WireError::TlsProtocol) };
        let read = session.read(whole)?;
        self.is_ended = session.is_ended();
        self.was_resumed = session.was_resumed();
        let is_done = session.is_ready_for_records();
        self.keep(&whole[read.kept_from..], pool)?;
        // Finished ends its record, as its key does: nothing is kept then.
        if is_done && self.kept_len == 0 {
            self.go_on_with_records()?;
        }
        Ok(&whole[..read.plain_len])
    }

    fn go_on_with_records(&mut self) -> Result<(), WireError> {
        if let Stage::Session(session) = std::mem::replace(&mut self.stage, Stage::Broken) {
            let (records, pending) = session.into_records()?;
            self.pending = pending;
            self.stage = Stage::Records(Box::new(records));
        }
        Ok(())
    }

    fn open_in_place<'b>(
        &mut self,
        whole: &'b mut [u8],
        pool: &mut ChunkPool,
    ) -> Result<&'b [u8], WireError> {
        let Stage::Records(records) = &mut self.stage else { return Err(WireError::TlsProtocol) };
        let (kept, record) = whole.split_at_mut(self.kept_len);
        match records.open(kept, record) {
            Ok(Content::Plain(plain)) => return Ok(plain),
            Ok(Content::Partial(rest)) => self.keep(&rest, pool)?,
            Ok(Content::Nothing) => self.keep(&[], pool)?,
            Ok(Content::End) => self.is_ended = true,
            Err(Refused { error, alert }) => {
                // If even that cannot be sealed nothing is said.
                let _ = alert.map(|alert| records.alert(alert, &mut self.pending));
                return Err(error);
            }
        }
        Ok(&[])
    }

    /// Keeps the part of a handshake message that has to be given again.
    fn keep(&mut self, rest: &[u8], pool: &mut ChunkPool) -> Result<(), WireError> {
        self.kept_len = rest.len();
        self.kept_count = if rest.is_empty() { 0 } else { self.kept_count + 1 };
        if self.kept_len > HANDSHAKE_LEN_MAX || self.kept_count > HANDSHAKE_RECORDS_MAX {
            return Err(WireError::TlsRecordTooLong);
        }
        self.held.push(rest, pool)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Session(_) => "Session",
            Stage::Records(_) => "Records",
            Stage::Broken => "Broken",
        };
        f.debug_struct("Tls")
            .field("stage", &stage)
            .field("was_resumed", &self.was_resumed)
            .field("is_open", &self.is_open())
            .field("is_ended", &self.is_ended)
            .field("failed", &self.failed)
            .field("held_len", &self.held_len())
            .finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

/// Records that one handshake message may be cut into. Each is gathered with all before it, so
/// their number must be bounded as well as their length; who cuts does so at 16 KiB.
const HANDSHAKE_RECORDS_MAX: usize = 64;

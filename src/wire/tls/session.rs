//! rustls' own connection, by its unbuffered API: the handshake of both versions, and all of
//! TLS 1.2.
//!
//! It is given one record at a time, behind what it wanted to see again of the last ones. `Tls`
//! calls it, and turns one of TLS 1.3 into [`Records`] when the handshake is done.

use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, WriteTraffic};
use rustls::{HandshakeKind, ProtocolVersion};

use super::TlsClient;
use super::fault;
use super::records::Records;
use crate::wire::WireError;

pub(super) struct Session {
    connection: UnbufferedClientConnection,
    /// Records of rustls' own making, to be written.
    pending: Vec<u8>,
    is_ended: bool,
}

/// What came of a record.
pub(super) struct Read {
    /// The plaintext is the front of what was given, this many bytes.
    pub(super) plain_len: usize,
    /// From here on it wants to see again what it was given; with that, there is no plaintext.
    pub(super) kept_from: usize,
}

impl Session {
    pub(super) fn new(client: &TlsClient, name: ServerName<'static>) -> Result<Self, WireError> {
        let connection = UnbufferedClientConnection::new(Arc::clone(&client.config), name)
            .map_err(|error| fault::of(&error))?;
        Ok(Self { connection, pending: Vec::new(), is_ended: false })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// The server said `close_notify`.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    pub(super) fn wants_to_write(&self) -> bool {
        !self.pending.is_empty() || self.connection.wants_write()
    }

    pub(super) fn was_resumed(&self) -> Option<bool> {
        self.connection.handshake_kind().map(|kind| kind == HandshakeKind::Resumed)
    }

    /// Whether [`into_records`](Self::into_records) will do: an open connection of TLS 1.3.
    pub(super) fn is_ready_for_records(&self) -> bool {
        self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
            && self.is_open()
            && !self.connection.wants_write()
            && !self.is_ended
    }

    /// The keys of this connection, and what it still has to write.
    pub(super) fn into_records(self) -> Result<(Records, Vec<u8>), WireError> {
        let (secrets, keys) = self
            .connection
            .dangerous_into_kernel_connection()
            .map_err(|_| WireError::TlsProtocol)?;
        Ok((Records::new(secrets, keys)?, self.pending))
    }

    /// Has rustls read one record (behind what it kept). Its plaintext is put at the front of
    /// `whole`.
    pub(super) fn read(&mut self, whole: &mut [u8]) -> Result<Read, WireError> {
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
        let plain_len = match (is_plain, whole.len() - done) {
            (false, _) => 0,
            (true, 0) => self.take_plain(whole)?,
            (true, _) => return Err(WireError::TlsProtocol), // rustls refuses it before
        };
        Ok(Read { plain_len, kept_from: done })
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
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
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

    /// Appends `plain`, sealed. Not while it keeps a part of a message.
    pub(super) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        let records = plain.len() / PLAIN_LEN_MAX + 1;
        let room_len = plain.len() + records * OVERHEAD_LEN_MAX;
        self.append_sealed(room_len, out, |traffic, room| traffic.encrypt(plain, room))
    }

    /// Appends a `close_notify`. Not while it keeps a part of a message.
    pub(super) fn farewell(&mut self, out: &mut Vec<u8>) -> Result<(), WireError> {
        self.append_sealed(ALERT_LEN_MAX, out, |traffic, room| traffic.queue_close_notify(room))
    }

    /// Appends what `seal` writes, in as much room as it turns out to need.
    fn append_sealed(
        &mut self,
        room_len: usize,
        out: &mut Vec<u8>,
        mut seal: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), WireError> {
        let start = out.len();
        let mut room_len = room_len;
        let sealed = loop {
            out.resize(start + room_len, 0);
            let status = self.connection.process_tls_records(&mut []);
            match status.state.map_err(|error| fault::of(&error)) {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    match seal(&mut traffic, &mut out[start..]) {
                        Ok(len) => break Ok(len),
                        Err(EncryptError::InsufficientSize(size))
                            if size.required_size > room_len =>
                        {
                            room_len = size.required_size;
                        }
                        Err(_) => break Err(WireError::TlsExhausted),
                    }
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
}

type Traffic<'c> = WriteTraffic<'c, ClientConnectionData>;

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

/// What rustls puts into one record, bytes.
const PLAIN_LEN_MAX: usize = 16_384;

/// What a record adds to it, bytes: header, nonce, tag.
const OVERHEAD_LEN_MAX: usize = 32;

/// A sealed alert, bytes.
const ALERT_LEN_MAX: usize = 2 + OVERHEAD_LEN_MAX;

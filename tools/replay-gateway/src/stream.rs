//! A connection's bytes at the socket's edge: plain, or through rustls' buffered server. The one
//! place that knows TLS records; whatever reads and writes a connection sees plain bytes.
//!
//! Invariant: a write is taken only when everything before it has left for the kernel, so at most
//! one write's worth of ciphertext waits here per connection.

use crate::faults::TlsFault;
use mio::net::TcpStream;
use rustls::{HandshakeKind, ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::sync::Arc;

/// A socket, perhaps with TLS on it.
pub(crate) struct Stream {
    pub(crate) tcp: TcpStream,
    tls: Option<Box<Secured>>,
}

struct Secured {
    session: ServerConnection,
    /// Bytes that stand in place of whatever the session would say next: faults only.
    raw: Vec<u8>,
    /// The end of the handshake was told.
    told: bool,
    failed: bool,
}

/// What became of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// Keys were agreed anew, and the certificate was shown.
    Full,
    /// A ticket or session id was accepted.
    Resumed,
}

impl Stream {
    /// Plain.
    pub(crate) fn plain(tcp: TcpStream) -> Self {
        Self { tcp, tls: None }
    }

    /// With TLS; the handshake begins with what the client sends.
    ///
    /// # Errors
    /// The configuration cannot serve anybody.
    pub(crate) fn secured(tcp: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Self> {
        let mut session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        session.set_buffer_limit(Some(PENDING_BYTES_MAX));
        let secured = Secured { session, raw: Vec::new(), told: false, failed: false };
        Ok(Self { tcp, tls: Some(Box::new(secured)) })
    }

    /// Whether the handshake is still under way; never on a plain connection.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.told)
    }

    /// The peer broke TLS, or told of a fatal error.
    pub(crate) fn has_failed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.failed)
    }

    /// The end of the handshake, told once.
    pub(crate) fn take_handshake(&mut self) -> Option<Handshake> {
        let tls = self.tls.as_mut().filter(|tls| !tls.told && !tls.session.is_handshaking())?;
        tls.told = true;
        Some(match tls.session.handshake_kind() {
            Some(HandshakeKind::Resumed) => Handshake::Resumed,
            _ => Handshake::Full,
        })
    }

    /// Writes the records that wait. False: the socket is full; its readiness will be told.
    ///
    /// # Errors
    /// The socket's end.
    pub(crate) fn push(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        loop {
            let wrote = if tls.session.wants_write() {
                tls.session.write_tls(&mut self.tcp)
            } else if tls.raw.is_empty() {
                return Ok(true);
            } else {
                self.tcp.write(&tls.raw).inspect(|count| drop(tls.raw.drain(..*count)))
            };
            match wrote {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Queues close_notify; nothing to be done on a plain connection.
    pub(crate) fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.session.send_close_notify();
        }
    }

    /// Does what a fault says to the records. False: there is no TLS here, or its version does not
    /// know such a thing.
    pub(crate) fn commit(&mut self, fault: TlsFault) -> bool {
        let Some(tls) = &mut self.tls else { return false };
        match fault {
            TlsFault::KeyUpdate => return tls.session.refresh_traffic_keys().is_ok(),
            TlsFault::Garbage => tls.raw.extend_from_slice(&garbage()),
            TlsFault::Alert => {
                // A record that cannot be decrypted makes rustls send a fatal alert of its own.
                // Behind the beginning of a true one it takes as many as fill that.
                return (0..RECORDS_MAX).any(|_| {
                    let bytes = garbage();
                    let read = tls.session.read_tls(&mut bytes.as_slice());
                    read.is_err() || tls.session.process_new_packets().is_err()
                });
            }
            TlsFault::Truncate => {
                // One more record, cut in its middle: it would have held this.
                let _ = tls.session.writer().write(&[b' '; 512]);
                let mut records = Vec::new();
                while tls.session.wants_write() && tls.session.write_tls(&mut records).is_ok() {}
                records.truncate(records.len().saturating_sub(256));
                tls.raw.extend_from_slice(&records);
            }
        }
        true
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.read(buffer) };
        loop {
            match tls.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            tls.session.read_tls(&mut self.tcp)?;
            if let Err(error) = tls.session.process_new_packets() {
                tls.failed = true;
                // The alert that says why; the connection ends whether or not it arrives.
                let _ = tls.session.write_tls(&mut self.tcp);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.push()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(tls) = &mut self.tls else { return self.tcp.write(bytes) };
        let count = tls.session.writer().write(bytes)?;
        // What the socket does not take now waits for the next push.
        self.push()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A record of application data that no key opens.
fn garbage() -> Vec<u8> {
    let mut record = vec![0x17, 3, 3, 0, 64];
    record.extend((0..64_u8).map(|byte| byte.wrapping_mul(37) ^ 0x5a));
    record
}

/// Records of garbage that fill any true record.
const RECORDS_MAX: usize = 300;
/// Bytes of one write that rustls takes at once (`out::WRITE_BYTES` and what records add).
const PENDING_BYTES_MAX: usize = 80 * 1024;

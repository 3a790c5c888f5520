//! What a connection's bytes pass between the socket and the WebSocket: a proxy's tunnel, then TLS.
//!
//! Either, both or none. Sockets and the clock are the driver's, frames are `Wire`'s. The driver
//! calls it: what it received goes through [`Channel::open`], what the shard wrote through
//! [`Channel::seal`].
//!
//! Invariants: not a byte of the WebSocket is written before the channel is open; a plain channel
//! copies nothing and owns nothing; a channel that failed stays failed.

use super::error::WireError;
use super::pool::ChunkPool;
use super::record::RecordBuffer;
use super::tls::{Tls, TlsClient};
use super::tunnel::Tunnel;

/// The layers below the WebSocket of one connection. Made anew for each connection.
///
/// ```
/// use shardring::wire::{Channel, ChunkPool, PoolLimits, Proxy, RecordBuffer, Tunnel};
///
/// let proxy = Proxy::parse("http://proxy.example:3128")?;
/// let tunnel = Tunnel::new(&proxy, "gateway.discord.gg", 443)?;
/// let mut channel = Channel::new(Some(tunnel), None)?; // with wss:// TLS would follow
/// let mut pool = ChunkPool::new(PoolLimits::default());
/// let mut record = RecordBuffer::new();
///
/// let mut plain = b"GET / HTTP/1.1\r\n\r\n".to_vec(); // the upgrade, which has to wait
/// let mut out = Vec::new();
/// channel.seal(&mut plain, &mut out)?;
/// assert!(out.starts_with(b"CONNECT gateway.discord.gg:443 HTTP/1.1\r\n"));
/// assert!(!plain.is_empty());
///
/// let mut received = *b"HTTP/1.1 200 Connection established\r\n\r\n";
/// let cleared = channel.open(&mut received, &mut pool, &mut record)?;
/// assert_eq!((cleared.used, cleared.plain), (39, &b""[..]));
/// assert!(channel.is_open());
/// out.clear();
/// channel.seal(&mut plain, &mut out)?;
/// assert_eq!(out, b"GET / HTTP/1.1\r\n\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Channel {
    /// Until the proxy has agreed.
    tunnel: Option<Box<Tunnel>>,
    tls: Option<Box<Tls>>,
}

/// What came of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleared<'b> {
    /// How many bytes were used, from the front. The rest must be given again.
    pub used: usize,
    /// What they were for the WebSocket; often nothing.
    pub plain: &'b [u8],
    /// The server ended TLS with a `close_notify`: nothing follows.
    pub ended: bool,
}

impl Channel {
    /// A channel that is nothing: the WebSocket lies on the socket itself.
    pub const fn plain() -> Self {
        Self { tunnel: None, tls: None }
    }

    /// A channel through `tunnel`, then with TLS to the host named (a name or an IP address,
    /// without brackets), as far as there are. [`wants_to_write`](Self::wants_to_write) at once.
    ///
    /// # Errors
    /// [`WireError::TlsName`] for a host that cannot stand in a certificate,
    /// [`WireError::TlsSystem`] if the machine gives no randomness.
    pub fn new(tunnel: Option<Tunnel>, tls: Option<(TlsClient, &str)>) -> Result<Self, WireError> {
        let tls = match tls {
            Some((client, host)) => Some(Box::new(Tls::new(&client, host)?)),
            None => None,
        };
        Ok(Self { tunnel: tunnel.map(Box::new), tls })
    }

    /// Whether what is sealed is on its way to the WebSocket's other end: if so,
    /// [`seal`](Self::seal) takes all it is given. Once open a channel stays so, but for TLS 1.2
    /// while a handshake message of the server's is not whole.
    pub fn is_open(&self) -> bool {
        self.tunnel.is_none() && self.tls.as_ref().is_none_or(|tls| tls.is_open())
    }

    /// Takes bytes of the socket from the front of `bytes`, at most one TLS record; gives how many
    /// were used, and the plain bytes. Call it again with the rest until all are used. After each
    /// call [`wants_to_write`](Self::wants_to_write) may have become true.
    ///
    /// The plain bytes lie in `bytes`, or in `record` if the record came in pieces; those wait in
    /// chunks of `pool`. On a plain channel they are all of `bytes`.
    ///
    /// After `close_notify`, [`farewell`](Self::farewell) or [`release`](Self::release) all bytes
    /// are used and mean nothing.
    ///
    /// # Errors
    /// [`WireError`], and the same one at each later call: write the
    /// [`farewell`](Self::farewell), drop the connection. The chunks are back in the pool.
    pub fn open<'b>(
        &mut self,
        bytes: &'b mut [u8],
        pool: &mut ChunkPool,
        record: &'b mut RecordBuffer,
    ) -> Result<Cleared<'b>, WireError> {
        if let Some(tunnel) = &mut self.tunnel {
            let (used, is_through) = tunnel.read(bytes)?;
            if is_through {
                self.tunnel = None;
            }
            return Ok(Cleared { used, plain: &[], ended: false });
        }
        match &mut self.tls {
            Some(tls) => tls.open(bytes, pool, record),
            None => Ok(Cleared { used: bytes.len(), plain: bytes, ended: false }),
        }
    }

    /// Appends to `out` what has to be written now: what the layers have to say themselves and
    /// then, if the channel is open, all of `plain`, sealed; `plain` is then empty. Otherwise
    /// `plain` stays as it is.
    ///
    /// On a plain channel the two buffers are swapped if `out` is empty.
    ///
    /// # Errors
    /// The error that the channel failed with; [`WireError::TlsExhausted`].
    pub fn seal(&mut self, plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), WireError> {
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.write(out);
        }
        match &mut self.tls {
            Some(tls) => tls.seal(plain, out),
            None if out.is_empty() => {
                std::mem::swap(plain, out);
                Ok(())
            }
            None => {
                out.append(plain);
                Ok(())
            }
        }
    }

    /// Whether the layers have something to write although nobody gave them plain bytes.
    ///
    /// An answer to KeyUpdate is not counted: it goes before the next data (RFC 8446 §4.6.3), which
    /// a heartbeat is at the latest.
    pub fn wants_to_write(&self) -> bool {
        match (&self.tunnel, &self.tls) {
            (Some(tunnel), _) => tunnel.wants_to_write(),
            (None, Some(tls)) => tls.wants_to_write(),
            (None, None) => false,
        }
    }

    /// The socket's end came: whether that is a clean end for the WebSocket above.
    ///
    /// # Errors
    /// [`WireError::TlsTruncated`] without a `close_notify` before, [`WireError::ProxyClosed`] if
    /// the proxy had not answered, or the error that the channel failed with.
    pub fn eof(&self) -> Result<(), WireError> {
        match (&self.tunnel, &self.tls) {
            (Some(tunnel), _) => Err(tunnel.eof()),
            (None, Some(tls)) => tls.eof(),
            (None, None) => Ok(()),
        }
    }

    /// Appends the last words to `out`, to be written before the connection is cut: `close_notify`,
    /// or the alert of a failure. Nothing more can be sealed or opened after it.
    pub fn farewell(&mut self, out: &mut Vec<u8>) {
        if let (None, Some(tls)) = (&self.tunnel, &mut self.tls) {
            tls.farewell(out);
        }
    }

    /// Bytes of records that are not whole.
    pub fn held_len(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.held_len())
    }

    /// The connection is over: chunks go back to the pool. To be called before a channel is
    /// dropped.
    pub fn release(&mut self, pool: &mut ChunkPool) {
        if let Some(tls) = &mut self.tls {
            tls.release(pool);
        }
    }

    /// Whether the TLS handshake resumed a session; `None` without TLS, and before it is known.
    pub fn was_resumed(&self) -> Option<bool> {
        self.tls.as_ref()?.was_resumed()
    }
}

const _: () = assert!(size_of::<Channel>() <= 16, "every connection has one");

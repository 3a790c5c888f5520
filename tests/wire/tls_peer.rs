//! The other end of TLS: rustls' own server in memory, with a CA made for the test, and a rig that
//! holds the client's channel and what a core lends.

#![allow(dead_code)] // two test programs share it; neither needs all

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use shardring::wire::{
    Channel, ChunkPool, PoolLimits, RecordBuffer, TlsClient, TlsVersions, WireError,
};

pub(crate) const HOST: &str = "gateway.test";

/// Both versions, each alone.
pub(crate) const VERSIONS: [(TlsVersions, &SupportedProtocolVersion); 2] = [
    (TlsVersions::Only12, &rustls::version::TLS12),
    (TlsVersions::Only13, &rustls::version::TLS13),
];

/// A CA, from which servers have their certificates.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

/// What a server's certificate says.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) name: &'static str,
    pub(crate) years: (i32, i32),
    /// Bytes that make it as long as real ones are.
    pub(crate) ballast_len: usize,
}

pub(crate) const GOOD: Leaf = Leaf { name: HOST, years: (2020, 4000), ballast_len: 0 };

impl Ca {
    pub(crate) fn new() -> Self {
        Self::named("A CA of a test")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), root }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        roots
    }

    pub(crate) fn server(
        &self,
        leaf: Leaf,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let mut params = CertificateParams::new(vec![leaf.name.into()]).unwrap();
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        params.not_before = date_time_ymd(leaf.years.0, 1, 1);
        params.not_after = date_time_ymd(leaf.years.1, 1, 1);
        params.distinguished_name.push(DnType::CommonName, "x".repeat(leaf.ballast_len));
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        config.ticketer = ring::Ticketer::new().unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    pub(crate) fn client(&self, versions: TlsVersions, tickets_max: usize) -> TlsClient {
        TlsClient::new(self.roots(), versions, tickets_max).unwrap()
    }
}

/// The client's channel, and what came out of it.
pub(crate) struct Client {
    pub(crate) channel: Channel,
    pub(crate) pool: ChunkPool,
    pub(crate) record: RecordBuffer,
    pub(crate) plain: Vec<u8>,
    pub(crate) ended: bool,
}

impl Client {
    pub(crate) fn new(client: &TlsClient) -> Self {
        Self::over(Channel::new(None, Some((client.clone(), HOST))).unwrap())
    }

    pub(crate) fn over(channel: Channel) -> Self {
        Self {
            channel,
            pool: ChunkPool::new(PoolLimits::default()),
            record: RecordBuffer::new(),
            plain: Vec::new(),
            ended: false,
        }
    }

    /// Gives `bytes` until all are used or an error comes. Checks what every call must hold to.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut bytes = bytes.to_vec();
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let opened = self.channel.open(rest, &mut self.pool, &mut self.record);
            let cleared = match opened {
                Ok(cleared) => cleared,
                Err(error) => {
                    assert_eq!((self.channel.held_len(), self.pool.used_len()), (0, 0));
                    let mut more = [1];
                    let again = self.channel.open(&mut more, &mut self.pool, &mut self.record);
                    assert_eq!(again, Err(error), "what failed stays failed");
                    assert_eq!(self.channel.eof(), Err(error));
                    return Err(error);
                }
            };
            assert!(cleared.used > 0, "progress, or a caller would loop");
            self.plain.extend_from_slice(cleared.plain);
            self.ended |= cleared.ended;
            let used = cleared.used;
            assert!(self.pool.used_len() >= self.channel.held_len());
            assert_eq!(self.channel.held_len() == 0, self.pool.used_len() == 0);
            assert!(self.record.capacity() <= RecordBuffer::LEN_MAX);
            rest = &mut rest[used..];
        }
        Ok(())
    }

    /// The same, in pieces as long as `next_len` says.
    pub(crate) fn feed_split(
        &mut self,
        bytes: &[u8],
        next_len: &mut dyn FnMut() -> usize,
    ) -> Result<(), WireError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(next_len().clamp(1, rest.len()));
            self.feed(now)?;
            rest = later;
        }
        Ok(())
    }

    /// What the client writes now, `text` included if the channel is open.
    pub(crate) fn sealed(&mut self, text: &[u8]) -> Vec<u8> {
        let (mut plain, mut out) = (text.to_vec(), Vec::new());
        self.channel.seal(&mut plain, &mut out).unwrap();
        assert!(!self.channel.wants_to_write());
        assert_eq!(plain.is_empty(), text.is_empty() || self.channel.is_open());
        out
    }

    /// Ends the connection; every chunk must be back.
    pub(crate) fn release(mut self) {
        self.channel.release(&mut self.pool);
        assert_eq!((self.pool.used_len(), self.channel.held_len()), (0, 0));
    }
}

/// The server takes bytes.
pub(crate) fn take(server: &mut ServerConnection, mut bytes: &[u8]) -> Result<(), rustls::Error> {
    while !bytes.is_empty() {
        server.read_tls(&mut bytes).unwrap();
        server.process_new_packets()?;
    }
    Ok(())
}

/// What the server writes now, `text` included.
pub(crate) fn written(server: &mut ServerConnection, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in text.chunks(16_384) {
        server.writer().write_all(part).unwrap();
        drain(server, &mut out);
    }
    drain(server, &mut out);
    out
}

fn drain(server: &mut ServerConnection, out: &mut Vec<u8>) {
    while server.wants_write() {
        server.write_tls(out).unwrap();
    }
}

/// What the server has read.
pub(crate) fn heard(server: &mut ServerConnection) -> Vec<u8> {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(len @ 1..) = server.reader().read(&mut piece) {
        text.extend_from_slice(&piece[..len]);
    }
    text
}

/// The handshake, the server's bytes cut as `next_len` says.
pub(crate) fn shake_split(
    client: &mut Client,
    server: &mut ServerConnection,
    next_len: &mut dyn FnMut() -> usize,
) -> Result<(), WireError> {
    loop {
        let out = client.sealed(b"");
        // A server that takes offence says so in what it writes.
        let _ = take(server, &out);
        let answer = written(server, b"");
        if out.is_empty() && answer.is_empty() {
            return Ok(());
        }
        client.feed_split(&answer, next_len)?;
    }
}

pub(crate) fn shake(client: &mut Client, server: &mut ServerConnection) -> Result<(), WireError> {
    shake_split(client, server, &mut || usize::MAX)
}

/// A connection of `client` to a new server of `config`, the handshake done.
pub(crate) fn connected(
    client: &TlsClient,
    config: &Arc<ServerConfig>,
) -> (Client, ServerConnection) {
    let mut client = Client::new(client);
    let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
    shake(&mut client, &mut server).unwrap();
    assert!(client.channel.is_open() && !server.is_handshaking());
    (client, server)
}

/// The lengths of the records that `bytes` are.
pub(crate) fn record_lens(mut bytes: &[u8]) -> Vec<usize> {
    let mut lens = Vec::new();
    while let [_, _, _, high, low, ..] = bytes {
        let len = 5 + usize::from(u16::from_be_bytes([*high, *low]));
        lens.push(len);
        bytes = &bytes[len..];
    }
    assert!(bytes.is_empty());
    lens
}

//! A tiny blocking client, independent of the library under test: tungstenite's own client over a
//! `TcpStream`, perhaps with rustls, zlib-rs for zlib-stream and zstd's C library for zstd-stream,
//! one context for the whole connection.

#![allow(dead_code, unreachable_pub)] // a module of each test file, which uses its part

use replay_gateway::ledger::{self, Record};
use replay_gateway::traffic::{Kind, id_field};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocket};
use tungstenite::{Error, Message};
use zlib_rs::{Inflate, InflateFlush};
use zstd_safe::{DCtx, DParameter};

/// What came from the gateway.
#[derive(Clone, Debug)]
pub enum Got {
    /// A payload: its text and its tree.
    Payload(String, Value),
    /// A close frame's code (1005: none).
    Close(u16),
    /// The connection ended without a close frame.
    End,
}

/// A socket, perhaps with TLS.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(tcp) => tcp.read(buffer),
            Wire::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(tcp) => tcp.write(bytes),
            Wire::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(tcp) => tcp.flush(),
            Wire::Tls(tls) => tls.flush(),
        }
    }
}

/// What a client of TLS trusts and keeps (its tickets).
pub fn trust(ca_pem: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> Trust {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("a certificate");
    roots.add(ca).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub type Trust = Arc<ClientConfig>;

/// TCP and the whole handshake; the error is rustls' own.
pub fn handshake(url: &str, name: &str, trust: &Trust) -> io::Result<Wire> {
    let mut tcp = TcpStream::connect(url.trim_start_matches("wss://"))?;
    tcp.set_read_timeout(Some(Duration::from_secs(8)))?;
    let name = name.to_owned().try_into().expect("a name");
    let mut session = ClientConnection::new(Arc::clone(trust), name).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut tcp)?;
    }
    Ok(Wire::Tls(Box::new(StreamOwned::new(session, tcp))))
}

enum Decoder {
    Text,
    Zlib(Inflate),
    Zstd(DCtx<'static>),
}

pub struct Client {
    pub socket: WebSocket<Wire>,
    decoder: Decoder,
    compressed: Vec<u8>,
    pub last_s: Option<u64>,
    pub session_id: String,
    /// Bytes of binary messages received.
    pub binary_bytes: u64,
    /// zstd frames that ended.
    pub frames_ended: u64,
}

impl Client {
    /// Connects with a query such as `v=10&encoding=json`.
    pub fn connect(url: &str, query: &str) -> Self {
        let stream = TcpStream::connect(url.trim_start_matches("ws://")).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(8))).expect("timeout");
        Self::over(Wire::Plain(stream), url, query)
    }

    /// Connects by TLS, to the name 127.0.0.1.
    pub fn tls(url: &str, query: &str, trust: &Trust) -> Self {
        Self::over(handshake(url, "127.0.0.1", trust).expect("handshake"), url, query)
    }

    fn over(wire: Wire, url: &str, query: &str) -> Self {
        let mut request = format!("{url}/?{query}").into_client_request().expect("a URL");
        let agent = "DiscordBot (https://example.com, 1)".parse().expect("a header");
        request.headers_mut().insert("User-Agent", agent);
        let (socket, _) = tungstenite::client(request, wire).expect("upgrade");
        let decoder = if query.contains("zlib-stream") {
            Decoder::Zlib(Inflate::new(true, 15))
        } else if query.contains("zstd-stream") {
            let mut context = DCtx::create();
            context.set_parameter(DParameter::WindowLogMax(18)).expect("a parameter");
            Decoder::Zstd(context)
        } else {
            Decoder::Text
        };
        Self {
            socket,
            decoder,
            compressed: Vec::new(),
            last_s: None,
            session_id: String::new(),
            binary_bytes: 0,
            frames_ended: 0,
        }
    }

    pub fn plain(url: &str) -> Self {
        Self::connect(url, "v=10&encoding=json")
    }

    pub fn zlib(url: &str) -> Self {
        Self::connect(url, "v=10&encoding=json&compress=zlib-stream")
    }

    pub fn zstd(url: &str) -> Self {
        Self::connect(url, "v=10&encoding=json&compress=zstd-stream")
    }

    pub fn send(&mut self, payload: &Value) {
        self.socket.send(Message::text(payload.to_string())).expect("send");
    }

    /// The next payload, close frame or end.
    pub fn next(&mut self) -> Got {
        loop {
            let message = match self.socket.read() {
                Ok(message) => message,
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came for 8 s")
                }
                Err(_) => return Got::End,
            };
            let text = match message {
                Message::Text(text) => text.to_string(),
                Message::Binary(bytes) => {
                    self.binary_bytes += bytes.len() as u64;
                    self.compressed.extend_from_slice(&bytes);
                    let zlib = matches!(self.decoder, Decoder::Zlib(_));
                    if zlib && !self.compressed.ends_with(&[0, 0, 0xff, 0xff]) {
                        continue;
                    }
                    let text = match &mut self.decoder {
                        Decoder::Zlib(inflate) => inflated(inflate, &self.compressed),
                        Decoder::Zstd(context) => {
                            decompressed(context, &self.compressed, &mut self.frames_ended)
                        }
                        Decoder::Text => panic!("binary without compression"),
                    };
                    self.compressed.clear();
                    String::from_utf8(text).expect("UTF-8")
                }
                Message::Close(frame) => {
                    return Got::Close(frame.map_or(1005, |frame| frame.code.into()));
                }
                _ => continue,
            };
            let value: Value = serde_json::from_str(&text).expect("valid JSON");
            if value["op"] == 0 {
                self.last_s = value["s"].as_u64();
            }
            if value["t"] == "READY" {
                self.session_id = value["d"]["session_id"].as_str().expect("id").to_owned();
            }
            return Got::Payload(text, value);
        }
    }

    /// The next payload; anything else fails the test.
    pub fn payload(&mut self) -> Value {
        match self.next() {
            Got::Payload(_, value) => value,
            other => panic!("a payload was expected, {other:?} came"),
        }
    }

    /// The close code that comes, after whatever payloads.
    pub fn close_code(&mut self) -> u16 {
        loop {
            match self.next() {
                Got::Close(code) => return code,
                Got::End => panic!("the connection ended without a close frame"),
                Got::Payload(..) => {}
            }
        }
    }

    /// Payloads up to and including the first that satisfies a condition.
    pub fn until(&mut self, found: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut payloads = Vec::new();
        loop {
            let value = self.payload();
            let done = found(&value);
            payloads.push(value);
            if done {
                return payloads;
            }
        }
    }

    pub fn hello(&mut self) -> Value {
        let hello = self.payload();
        assert_eq!(hello["op"], 10, "{hello}");
        hello
    }

    pub fn identify(&mut self, shard: [u32; 2], intents: u64) {
        self.send(&identify(shard, intents));
    }

    /// HELLO, IDENTIFY, READY.
    pub fn login(&mut self, shard: [u32; 2], intents: u64) -> Value {
        self.hello();
        self.identify(shard, intents);
        let ready = self.payload();
        assert_eq!(ready["t"], "READY", "{ready}");
        ready
    }

    pub fn heartbeat(&mut self) {
        let last = self.last_s;
        self.send(&json!({ "op": 1, "d": last }));
    }

    pub fn resume(&mut self, session_id: &str, seq: u64) {
        self.send(&json!({ "op": 6, "d": {
            "token": TOKEN, "session_id": session_id, "seq": seq
        } }));
    }

    pub fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.socket.close(Some(frame)).expect("close");
        while self.socket.read().is_ok() {}
    }

    /// Reads traffic up to sequence number `last`, as records of a client's ledger.
    pub fn records_until(&mut self, last: u64) -> Vec<Record> {
        let mut records = Vec::new();
        while self.last_s.unwrap_or(0) < last {
            match self.next() {
                Got::Payload(text, value) => {
                    records.extend(record(&self.session_id, &text, &value))
                }
                other => panic!("{other:?} came after number {:?}", self.last_s),
            }
        }
        records
    }
}

fn inflated(inflate: &mut Inflate, compressed: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut piece = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let (read, wrote) = (inflate.total_in(), inflate.total_out());
        inflate
            .decompress(&compressed[at..], &mut piece, InflateFlush::SyncFlush)
            .expect("one continuing zlib stream");
        at += (inflate.total_in() - read) as usize;
        let count = (inflate.total_out() - wrote) as usize;
        text.extend_from_slice(&piece[..count]);
        if at == compressed.len() && count < piece.len() {
            return text;
        }
    }
}

fn decompressed(context: &mut DCtx<'_>, compressed: &[u8], frames_ended: &mut u64) -> Vec<u8> {
    let mut text = Vec::new();
    let mut piece = vec![0; 1 << 20];
    let mut input = zstd_safe::InBuffer::around(compressed);
    loop {
        let mut output = zstd_safe::OutBuffer::around(&mut piece[..]);
        let left = context.decompress_stream(&mut output, &mut input).expect("a zstd stream");
        *frames_ended += u64::from(left == 0);
        let count = output.pos();
        text.extend_from_slice(&piece[..count]);
        if input.pos() == compressed.len() && count < piece.len() {
            return text;
        }
    }
}

pub const TOKEN: &str = "a.token";

pub fn identify(shard: [u32; 2], intents: u64) -> Value {
    json!({ "op": 2, "d": {
        "token": TOKEN, "intents": intents, "shard": shard,
        "properties": { "os": "linux", "browser": "test", "device": "test" }
    } })
}

/// A dispatch as a client's ledger has it, if it is of a kind that is generated.
pub fn record(session_id: &str, text: &str, payload: &Value) -> Option<Record> {
    let kind = Kind::from_name(payload["t"].as_str()?)?;
    let mut at = &payload["d"];
    for key in id_field(kind).split('.') {
        at = &at[key];
    }
    let d = text.find("\"d\":")? + 4;
    Some(Record {
        session: ledger::session_key(session_id),
        s: payload["s"].as_u64()? as u32,
        flags: 0,
        id: at.as_str()?.parse().ok()?,
        hash: ledger::hash(&text.as_bytes()[d..text.len() - 1]),
    })
}

/// All intents.
pub const ALL: u64 = replay_gateway::intents::ALL;

//! A client that logs one or more shards in and throws away what comes: it shows what the gateway
//! itself costs. `drain ADDRESS:PORT [SHARDS] [zlib|zstd|none] [CA.pem]`, with the CA's file over
//! TLS; ends when nothing came for two seconds after the first MiB.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection, perhaps with TLS.
struct Link {
    tcp: TcpStream,
    tls: Option<ClientConnection>,
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            tls.read_tls(&mut self.tcp)?;
            tls.process_new_packets().map_err(std::io::Error::other)?;
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.write(bytes) };
        let count = tls.writer().write(bytes)?;
        while tls.wants_write() {
            tls.write_tls(&mut self.tcp)?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let shards: u32 = args.next().and_then(|count| count.parse().ok()).unwrap_or(1);
    let compress = match args.next().as_deref() {
        Some("none") => "",
        Some("zstd") => "&compress=zstd-stream",
        _ => "&compress=zlib-stream",
    };
    let trust = args.next().map(|path| trust(&path)).transpose()?;
    let mut streams = Vec::new();
    for shard in 0..shards {
        streams.push(login(&addr, shard, shards, compress, trust.as_ref())?);
    }
    let (mut bytes, mut first, mut last) = (0u64, None, Instant::now());
    let mut buffer = vec![0; 256 * 1024];
    while last.elapsed() < Duration::from_secs(2) || bytes < 1 << 20 {
        let mut came = false;
        for stream in &mut streams {
            match stream.read(&mut buffer) {
                Ok(0) => {}
                Ok(count) => {
                    bytes += count as u64;
                    came = true;
                    first.get_or_insert_with(Instant::now);
                    last = Instant::now();
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if !came {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    let took = last - first.unwrap_or(last);
    let mib = bytes as f64 / f64::from(1 << 20);
    eprintln!("{mib:.1} MiB in {:.3} s, {:.0} MiB/s", took.as_secs_f64(), mib / took.as_secs_f64());
    Ok(())
}

fn trust(path: &str) -> std::io::Result<Arc<ClientConfig>> {
    let ca = CertificateDer::from_pem_file(path).map_err(std::io::Error::other)?;
    let mut roots = RootCertStore::empty();
    roots.add(ca).map_err(std::io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn login(
    addr: &str,
    shard: u32,
    shards: u32,
    compress: &str,
    trust: Option<&Arc<ClientConfig>>,
) -> std::io::Result<Link> {
    let mut tcp = TcpStream::connect(addr)?;
    let host = addr.rsplit_once(':').map_or(addr, |(host, _)| host).to_owned();
    let tls = match trust {
        None => None,
        Some(trust) => {
            let name = host.try_into().map_err(std::io::Error::other)?;
            let mut tls =
                ClientConnection::new(Arc::clone(trust), name).map_err(std::io::Error::other)?;
            while tls.is_handshaking() {
                tls.complete_io(&mut tcp)?;
            }
            Some(tls)
        }
    };
    let mut stream = Link { tcp, tls };
    write!(
        stream,
        "GET /?v=10&encoding=json{compress} HTTP/1.1\r\nHost: {addr}\r\nUser-Agent: drain\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )?;
    let mut response = [0; 1_024];
    let _ = stream.read(&mut response)?;
    let intents = replay_gateway::intents::ALL;
    let identify = format!(
        r#"{{"op":2,"d":{{"token":"t","intents":{intents},"shard":[{shard},{shards}],"properties":{{}}}}}}"#
    );
    // A masked text frame with a mask of zeroes.
    let mut frame = vec![0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0];
    frame[2..4].copy_from_slice(&(identify.len() as u16).to_be_bytes());
    frame.extend_from_slice(identify.as_bytes());
    stream.write_all(&frame)?;
    stream.tcp.set_nonblocking(true)?;
    Ok(stream)
}

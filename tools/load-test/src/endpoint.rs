//! `--metrics-listen`: the client's OpenMetrics text over HTTP while a job runs, for the tool
//! `shardring-top` and for Prometheus. One connection at a time, one request each, bounded in time
//! and size. Never part of a job's outcome: whoever scrapes badly gets no answer, and the job goes
//! on.
//!
//! Invariant: the thread and its port are gone when [`Endpoint`] is dropped, so that the next job
//! of a scenario can listen there.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use shardring::Handle;
use shardring::metrics::OPENMETRICS_CONTENT_TYPE;

/// Serves as long as it lives.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Answers whoever asks there.
    ///
    /// # Errors
    /// No thread.
    pub(crate) fn open(listener: TcpListener, handle: Handle) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let serve = move || {
            for stream in listener.incoming() {
                if until.load(Ordering::Acquire) {
                    break;
                }
                if stream.and_then(|stream| answer(stream, &handle)).is_err() {
                    // A scraper that left, or a moment without descriptors: both pass.
                    std::thread::sleep(AFTER_ERROR);
                }
            }
        };
        let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(serve)?;
        Ok(Self { address, ended, thread: Some(thread) })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // It waits in `accept`: a connection of ours wakes it.
        let mut address = self.address;
        match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
                address.set_ip(Ipv4Addr::LOCALHOST.into())
            }
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
                address.set_ip(Ipv6Addr::LOCALHOST.into())
            }
            _ => {}
        }
        let woken = TcpStream::connect_timeout(&address, PATIENCE).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

/// One request, one answer.
fn answer(mut stream: TcpStream, handle: &Handle) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let head = read_head(&mut stream, until)?;
    let (status, content_type, body) = match target(&head) {
        Some("/metrics") => match handle.metrics().wait_timeout(left(until)?) {
            Ok(Ok(metrics)) => ("200 OK", OPENMETRICS_CONTENT_TYPE, metrics.render_openmetrics()),
            Ok(Err(error)) => ("503 Service Unavailable", "text/plain", format!("{error}\n")),
            Err(_) => {
                let text = "a core of the engine did not answer in time\n";
                ("503 Service Unavailable", "text/plain", text.to_owned())
            }
        },
        Some(_) => ("404 Not Found", "text/plain", "see /metrics\n".to_owned()),
        None => ("405 Method Not Allowed", "text/plain", "only GET\n".to_owned()),
    };
    let len = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len}\r\n\
         Connection: close\r\n\r\n"
    );
    let answer = head + &body;
    let until = Instant::now() + PATIENCE;
    let mut rest = answer.as_bytes();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match stream.write(rest)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            len => rest = &rest[len..],
        }
    }
    Ok(())
}

/// The path of a GET, without its query.
fn target(head: &str) -> Option<&str> {
    let mut words = head.split_ascii_whitespace();
    let target = (words.next()? == "GET").then(|| words.next())??;
    target.split('?').next()
}

/// Up to the blank line that ends it.
fn read_head(stream: &mut TcpStream, until: Instant) -> io::Result<String> {
    let mut head = Vec::new();
    let mut bytes = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.set_read_timeout(Some(left(until)?))?;
        let len = stream.read(&mut bytes)?;
        if len == 0 || head.len() + len > HEAD_LEN_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&bytes[..len]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// For a request to come and the engine to answer; then for the answer to be taken.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest head of a request, bytes.
const HEAD_LEN_MAX: usize = 8 << 10;
/// After a connection that failed.
const AFTER_ERROR: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_has_a_target() {
        assert_eq!(target("GET /metrics?x=1 HTTP/1.1\r\n"), Some("/metrics"));
        assert_eq!(target("GET / HTTP/1.1\r\n"), Some("/"));
        assert_eq!(target("POST /metrics HTTP/1.1\r\n"), None);
        assert_eq!(target("GET"), None);
        assert_eq!(target(""), None);
    }
}

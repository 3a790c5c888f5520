//! One GET over plain HTTP, bounded in time and size. Knows nothing of what comes back.
//!
//! Asked as HTTP/1.0, so that the answer is one piece that ends with the connection; a server that
//! sends chunks nevertheless is told so, and redirections are not followed. Called by `live` and
//! `once`, each time with a connection of its own.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::openmetrics::BODY_LEN_MAX;
use crate::snapshot::printable;

/// For all of it: connecting, asking, reading. Resolving a name is the system's affair.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of an answer, bytes.
const HEAD_LEN_MAX: usize = 16 << 10;

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `host:port`, for connecting.
    address: String,
    /// As the URL has it, for `Host`.
    authority: String,
    path: String,
}

impl Target {
    /// Of `http://host[:port][/path]`; without a path it is `/metrics`.
    ///
    /// # Errors
    /// A text that says what such an address looks like.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        if url.starts_with("https://") {
            return Err("plain HTTP only: reach it by a tunnel, such as ssh -L".to_owned());
        }
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host_end = authority.rfind(']').map_or(0, |at| at + 1);
        let port = authority[host_end..].split_once(':').map(|(_, port)| port);
        let is_whole = !authority.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_graphic())
            && !authority.contains('@')
            && !rest.contains("://")
            && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if !is_whole {
            return Err("an address looks like http://127.0.0.1:9464/metrics".to_owned());
        }
        let address = match port {
            Some(_) => authority.to_owned(),
            None => format!("{authority}:80"),
        };
        let path = match path {
            "" | "/" => "/metrics".to_owned(),
            path if path.starts_with('?') => format!("/metrics{path}"),
            path => path.to_owned(),
        };
        Ok(Self { address, authority: authority.to_owned(), path })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

/// Asks and gives the body of the answer.
///
/// # Errors
/// A text that says what went wrong, to be shown.
pub(crate) fn fetch(target: &Target) -> Result<String, String> {
    let until = Instant::now() + PATIENCE;
    let mut stream = connect(target, until)?;
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: shardring-top\r\n\
         Accept: application/openmetrics-text; version=1.0.0\r\nConnection: close\r\n\r\n",
        target.path, target.authority
    );
    left(until).and_then(|left| stream.set_write_timeout(Some(left))).map_err(said)?;
    stream.write_all(request.as_bytes()).map_err(said)?;
    let answer = read_answer(&mut stream, until)?;
    body(answer)
}

fn connect(target: &Target, until: Instant) -> Result<TcpStream, String> {
    let addresses = target.address.to_socket_addrs().map_err(said)?;
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match left(until).and_then(|left| TcpStream::connect_timeout(&address, left)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = said(error),
        }
    }
    Err(last)
}

/// Up to the end of the connection or of what `Content-Length` promises.
fn read_answer(stream: &mut TcpStream, until: Instant) -> Result<Vec<u8>, String> {
    let mut answer = Vec::with_capacity(64 << 10);
    let mut bytes = [0; 16 << 10];
    let mut end = None;
    loop {
        let timeout = left(until).map_err(said)?;
        stream.set_read_timeout(Some(timeout)).map_err(said)?;
        let len = match stream.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(said)?,
        };
        answer.extend_from_slice(&bytes[..len]);
        if end.is_none() {
            end = end_of(&answer)?;
        }
        if len == 0 || end.is_some_and(|end| answer.len() >= end) {
            break;
        }
        if answer.len() > HEAD_LEN_MAX + BODY_LEN_MAX {
            return Err(format!("the answer is longer than {BODY_LEN_MAX} bytes"));
        }
    }
    match end {
        Some(end) if answer.len() < end => Err("the answer was cut off".to_owned()),
        Some(end) => {
            answer.truncate(end);
            Ok(answer)
        }
        None => Ok(answer),
    }
}

/// Where the answer ends, once its head says so.
fn end_of(answer: &[u8]) -> Result<Option<usize>, String> {
    let Some(head_len) = head_len(answer) else {
        return match answer.len() > HEAD_LEN_MAX {
            true => Err("no HTTP: the answer has no end of a head".to_owned()),
            false => Ok(None),
        };
    };
    let head = String::from_utf8_lossy(&answer[..head_len]);
    let Some(len) = header(&head, "content-length") else { return Ok(None) };
    let len = len.parse::<usize>().ok().filter(|len| *len <= BODY_LEN_MAX);
    let len = len.ok_or("the answer has no length, or one that is too large")?;
    Ok(Some(head_len + len))
}

/// Status and headers must be as expected; what follows them is the body.
fn body(mut answer: Vec<u8>) -> Result<String, String> {
    let head_len = head_len(&answer).ok_or("no HTTP: the answer has no end of a head")?;
    let head = String::from_utf8_lossy(&answer[..head_len]).into_owned();
    let status_line = head.lines().next().unwrap_or("");
    let mut words = status_line.splitn(3, ' ');
    let (version, status) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if !version.starts_with("HTTP/1.") {
        return Err("no HTTP".to_owned());
    }
    let body = answer.split_off(head_len);
    if status != "200" {
        let why = String::from_utf8_lossy(&body);
        let why = why.lines().next().unwrap_or("").trim();
        let reason = words.next().unwrap_or("");
        let why = if why.is_empty() || why.starts_with('<') { reason } else { why };
        return Err(printable(&format!("HTTP {status}: {why}")));
    }
    if header(&head, "transfer-encoding").is_some() {
        return Err("the server answers HTTP/1.0 in chunks".to_owned());
    }
    String::from_utf8(body).map_err(|_| "the answer is no UTF-8".to_owned())
}

fn head_len(answer: &[u8]) -> Option<usize> {
    let head = &answer[..answer.len().min(HEAD_LEN_MAX + 4)];
    head.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// Without the number of the system's error.
fn said(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            format!("no answer within {} s", PATIENCE.as_secs())
        }
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => printable(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that gives these bytes to one client, and the address to ask.
    fn server(answer: impl Into<Vec<u8>>) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let answer = answer.into();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut bytes = [0; 1024];
            while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                let len = stream.read(&mut bytes).unwrap();
                asked.extend_from_slice(&bytes[..len]);
            }
            assert!(asked.starts_with(b"GET /metrics HTTP/1.0\r\n"));
            // A client that has seen enough may be gone.
            let _ = stream.write_all(&answer);
        });
        target
    }

    #[test]
    fn the_body_is_given_with_a_length_and_without_one() {
        let target = server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyand more");
        assert_eq!(fetch(&target).as_deref(), Ok("body"));
        let target = server("HTTP/1.0 200 OK\r\nA: b\r\n\r\nuntil the end");
        assert_eq!(fetch(&target).as_deref(), Ok("until the end"));
    }

    #[test]
    fn what_is_not_a_whole_answer_is_an_error_that_says_why() {
        for (answer, why) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", "cut off"),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\nthe engine has ended\n", "503: the engine"),
            ("HTTP/1.1 404 Not Found\r\n\r\n<html>", "404: Not Found"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunks"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "too large"),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "no length"),
            ("SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
            ("", "no HTTP"),
        ] {
            let error = fetch(&server(answer)).unwrap_err();
            assert!(error.contains(why), "{answer:?}: {error}");
        }
        let error = fetch(&server(b"HTTP/1.1 200 OK\r\n\r\n\xff".to_vec())).unwrap_err();
        assert!(error.contains("UTF-8"));
        let error = fetch(&server(" ".repeat(HEAD_LEN_MAX + 100))).unwrap_err();
        assert!(error.contains("head"), "{error}");
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(HEAD_LEN_MAX + BODY_LEN_MAX));
        assert!(fetch(&server(long)).unwrap_err().contains("longer"));
    }

    #[test]
    fn nobody_there_is_told_as_such() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&listener.local_addr().unwrap().to_string()).unwrap();
        drop(listener);
        assert_eq!(fetch(&target).unwrap_err(), "connection refused");
    }

    #[test]
    fn addresses_are_completed_and_those_that_are_none_refused() {
        let shown = |url: &str| Target::parse(url).map(|target| target.to_string());
        for (url, whole) in [
            ("http://127.0.0.1:9464/metrics", "http://127.0.0.1:9464/metrics"),
            ("127.0.0.1:9464", "http://127.0.0.1:9464/metrics"),
            ("http://bot.test/", "http://bot.test/metrics"),
            ("http://[::1]:80/m?x=1", "http://[::1]:80/m?x=1"),
        ] {
            assert_eq!(shown(url).as_deref(), Ok(whole));
        }
        assert_eq!(Target::parse("http://[::1]").unwrap().address, "[::1]:80");
        for url in
            ["https://a/metrics", "", "http://", "ftp://a", "a:b", "a:0", "a b", "u@a", "a\r\nb"]
        {
            assert!(shown(url).is_err(), "{url:?}");
        }
    }
}

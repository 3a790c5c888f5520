//! One GET to a gateway's HTTP side, to learn what traffic a replay gateway is about to send.
//! Small, bounded, with time-outs; everything unexpected is "no answer".

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::Deserialize;

/// What a replay gateway says of its traffic (`GET /replay/traffic`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct TrafficInfo {
    /// The traffic's seed.
    pub(crate) seed: u64,
    /// When it starts, Unix ns; 0 as long as that is not known.
    pub(crate) start_unix_ns: u64,
    /// Its pace; absent: flat out.
    pub(crate) rate_per_s: Option<f64>,
    /// Shards that share the rate.
    pub(crate) shards: u32,
    /// Events of one arrival.
    pub(crate) burst: u64,
}

/// Asks. `None`: nobody there, or no replay gateway.
pub(crate) fn traffic_info(url: &str) -> Option<TrafficInfo> {
    let authority = url.strip_prefix("ws://")?.split(['/', '?']).next()?;
    let with_port =
        if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let address = with_port.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    let request = format!(
        "GET /replay/traffic HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: load-test\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_LEN_MAX).read_to_string(&mut answer).ok()?;
    parse(&answer)
}

fn parse(answer: &str) -> Option<TrafficInfo> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    if status != "200" {
        return None;
    }
    serde_json::from_str(body).ok()
}

/// For each step of the exchange.
const TIMEOUT: Duration = Duration::from_secs(2);
/// More than this is not from a replay gateway.
const ANSWER_LEN_MAX: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_gateways_answer_is_understood_and_any_other_is_none() {
        let body = r#"{"seed":7,"start_unix_ns":12,"rate_per_s":20000,"shards":64,"burst":4}"#;
        let info = parse(&format!("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{body}")).unwrap();
        assert_eq!((info.seed, info.start_unix_ns, info.burst), (7, 12, 4));
        assert_eq!(info.rate_per_s, Some(20_000.0));
        let flat = parse("HTTP/1.1 200 OK\r\n\r\n{\"seed\":7,\"start_unix_ns\":0}").unwrap();
        assert_eq!(flat.rate_per_s, None);
        assert_eq!(parse("HTTP/1.1 404 Not Found\r\n\r\n{}"), None);
        assert_eq!(parse("HTTP/1.1 200 OK\r\n\r\n<html>"), None);
        assert_eq!(parse(""), None);
    }
}

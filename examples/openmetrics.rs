//! Serves the engine's metrics over HTTP as OpenMetrics text, for Prometheus and its kin.
//!
//! ```text
//! DISCORD_TOKEN=… GATEWAY_URL=ws://127.0.0.1:8080 SHARDS=4 METRICS_LISTEN=127.0.0.1:9464 \
//!     cargo run --example openmetrics
//! curl http://127.0.0.1:9464/metrics
//! ```
//!
//! Point Prometheus at it by a job in `prometheus.yml`: `scrape_configs: [{job_name: bot,
//! static_configs: [{targets: ["127.0.0.1:9464"]}]}]`; the path `/metrics` and a scrape a minute
//! are its defaults, and each scrape costs every core one copy of some 200 KiB. The names are
//! listed in `docs/metrics.md`. There is neither TLS nor a password here: listen on an address that
//! only your monitoring reaches.
//!
//! One thread, one connection at a time, one request each, [`PATIENCE`] for all of it: a scraper
//! that stalls delays the next one by so much and costs nothing else.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use shardring::metrics::OPENMETRICS_CONTENT_TYPE;
use shardring::{
    Config, ConfigBuilder, Context, Engine, Event, Handle, Handler, Intents, Shards, Stop, Token,
};
use signal_hook::consts::{SIGINT, SIGTERM};

/// The port that OpenTelemetry's exporters of this format use.
const LISTEN: &str = "127.0.0.1:9464";
/// For a request to come, the engine to answer, and the answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request, bytes.
const HEAD_LEN_MAX: usize = 8 * 1024;

/// Wants everything, keeps nothing: the metrics count.
struct Idle;

impl Handler for Idle {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let shards = std::env::var("SHARDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let config = at_gateway(Config::builder(token, Intents::UNPRIVILEGED))
        .shards(Shards::all(shards))
        .build()?;
    // Before the engine: a port that is taken should cost no IDENTIFY.
    let listen = std::env::var("METRICS_LISTEN").unwrap_or_else(|_| LISTEN.to_owned());
    let listener = TcpListener::bind(&listen).map_err(|error| format!("{listen}: {error}"))?;

    let engine = Engine::start(config, |_core| Ok(Idle))?;
    eprintln!("metrics at http://{}/metrics", listener.local_addr()?);
    let handle = engine.handle();
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            // A scraper that leaves in mid-answer, and a moment without descriptors, both pass.
            if let Err(error) = stream.and_then(|stream| serve(stream, &handle)) {
                eprintln!("metrics: {error}");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    })?;
    stop_on_signal(engine.handle());
    Ok(engine.join()?)
}

/// One request, one answer.
fn serve(mut stream: TcpStream, handle: &Handle) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let head = match read_head(&mut stream, until)? {
        Some(head) => head,
        None => {
            return answer(stream, until, "431 Request Header Fields Too Large", "text/plain", "");
        }
    };
    let mut words = head.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = target.split('?').next().unwrap_or("");
    match (method, path) {
        ("GET", "/metrics") => match metrics(handle, until) {
            Ok(text) => answer(stream, until, "200 OK", OPENMETRICS_CONTENT_TYPE, &text),
            Err(error) => {
                let text = format!("{error}\n");
                answer(stream, until, "503 Service Unavailable", "text/plain", &text)
            }
        },
        ("GET", _) => answer(stream, until, "404 Not Found", "text/plain", "see /metrics\n"),
        _ => answer(stream, until, "405 Method Not Allowed", "text/plain", "only GET\n"),
    }
}

/// The metrics as text, if every core answers in time.
fn metrics(handle: &Handle, until: Instant) -> Result<String, String> {
    let left = until.saturating_duration_since(Instant::now());
    match handle.metrics().wait_timeout(left) {
        Ok(Ok(metrics)) => Ok(metrics.render_openmetrics()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("a core of the engine did not answer in time".to_owned()),
    }
}

/// Up to the blank line that ends the head; `None` if it is too long.
fn read_head(stream: &mut TcpStream, until: Instant) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut bytes = [0; 1024];
    while head.len() <= HEAD_LEN_MAX {
        stream.set_read_timeout(Some(left(until)?))?;
        let len = stream.read(&mut bytes)?;
        head.extend_from_slice(&bytes[..len]);
        if len == 0 || head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
    }
    Ok(None)
}

fn answer(
    mut stream: TcpStream,
    until: Instant,
    status: &str,
    content_type: &str,
    body: &str,
) -> io::Result<()> {
    let mut text = String::with_capacity(body.len() + 256);
    write!(
        text,
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("a string takes everything");
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match stream.write(rest)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            len => rest = &rest[len..],
        }
    }
    Ok(())
}

/// The time that is left of [`PATIENCE`].
fn left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// `GATEWAY_URL`, if it is set.
fn at_gateway(config: ConfigBuilder) -> ConfigBuilder {
    match std::env::var("GATEWAY_URL") {
        Ok(url) => config.gateway_url(url),
        Err(_) => config,
    }
}

/// The library installs no signal handler: that is the program's affair.
fn stop_on_signal(handle: Handle) {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .expect("these two signals can be watched");
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            handle.stop(Stop::EndSessions);
        }
    });
}

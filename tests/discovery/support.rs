//! A server that answers as it is told, and keeps the requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use shardring::{Discovery, Error, Token};

pub(crate) const GOOD: &str = r#"{"url":"wss://gateway.discord.gg/","shards":9,"session_start_limit":{"total":1000,"remaining":999,"reset_after":14400000,"max_concurrency":1}}"#;

pub(crate) fn token() -> Token {
    Token::new("very.se.cret").unwrap()
}

/// Asks this server, always with the same jitter.
pub(crate) fn ask(server: &Server) -> Discovery {
    let base = format!("http://{}/api/v10", server.address());
    Discovery::new(token()).rest_base(base).seed(1)
}

/// All that an error says; it never says the token.
#[track_caller]
pub(crate) fn shown(error: &Error) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("very.se"), "{text}");
    text
}

/// What a server does with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// These bytes, then the end.
    Bytes(&'static str),
    /// The end, at once.
    Hangup,
    /// Nothing, for as long as the client stays.
    Silence,
    /// A byte of the head now and then.
    SlowHead,
    /// A byte of the body now and then.
    SlowBody,
    EndlessHead,
    EndlessHeaders,
    EndlessBody,
    EndlessChunks,
    Endless401,
}

impl Answer {
    pub(crate) fn raw(text: &str) -> Self {
        Self::Bytes(text.to_owned().leak())
    }

    pub(crate) fn status(status: u16, headers: &str, body: &str) -> Self {
        let len = body.len();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {len}\r\n{headers}\r\n");
        Self::raw(&(head + body))
    }

    pub(crate) fn good() -> Self {
        Self::status(200, "Content-Type: application/json\r\n", GOOD)
    }

    pub(crate) fn play(self, stream: &mut (impl Read + Write)) -> std::io::Result<()> {
        let slow = |stream: &mut dyn Write| {
            loop {
                stream.write_all(b"x")?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(20));
            }
        };
        let endless = |stream: &mut dyn Write, line: &[u8]| {
            loop {
                stream.write_all(line)?;
            }
        };
        match self {
            Self::Bytes(text) => stream.write_all(text.as_bytes()),
            Self::Hangup => Ok(()),
            Self::Silence => stream.read(&mut [0]).map(drop),
            Self::SlowHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ")?;
                slow(stream)
            }
            Self::SlowBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")?;
                slow(stream)
            }
            Self::EndlessHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
                endless(stream, b"X-Again")
            }
            Self::EndlessHeaders => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
                endless(stream, b"X-Again: and again and again\r\n")
            }
            Self::EndlessBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                endless(stream, &[b' '; 4096])
            }
            Self::EndlessChunks => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                endless(stream, b"8\r\n        \r\n")
            }
            Self::Endless401 => {
                stream.write_all(b"HTTP/1.1 401 Unauthorized\r\n\r\n")?;
                endless(stream, &[b' '; 4096])
            }
        }
    }
}

/// Answers each request in turn, and hangs up on those for which it has no answer.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Vec<_> = answers.into_iter().collect();
        let mut answers = answers.into_iter();
        Self::serving(move |mut stream, heads| {
            let head = read_head(&mut stream);
            heads.lock().unwrap().push(head);
            // An error is the client's leaving, which is its right.
            let _ = answers.next().unwrap_or(Answer::Hangup).play(&mut stream);
        })
    }

    /// A server of whatever kind: `serve` is called with each connection. Its thread ends with the
    /// test program.
    pub(crate) fn serving(
        mut serve: impl FnMut(TcpStream, &Mutex<Vec<String>>) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &kept);
            }
        });
        Self { address, heads }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Reads up to the empty line.
pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

//! A shard without a socket: bytes of a scripted gateway go in, its frames and actions come out.
//!
//! For tests and benches of the spine. The gateway's side is written here from the protocol, with
//! tungstenite's frames and zlib-rs' deflate; the traffic is the replay gateway's.

#![allow(dead_code)] // each test and bench uses a part

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use replay_gateway::traffic::Traffic;
use shardring::sans_io::clock::Time;
use shardring::sans_io::shard::session::Guards;
use shardring::sans_io::shard::settings::SessionSettings;
use shardring::sans_io::shard::{Action, Common, Desk, Flow, Shard};
use shardring::sans_io::wire::{GatewayUrl, WireLimits};
use shardring::{Compression, Context, Event, Handler, Interest, Limits, Link, ShardId, Token};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use zlib_rs::{Deflate, DeflateFlush};

/// Counts what it sees, and reads a little of each typed event.
#[derive(Default)]
pub(crate) struct Counting {
    pub(crate) events: u64,
    pub(crate) sum: u64,
    pub(crate) links: Vec<String>,
    pub(crate) keep_links: bool,
}

impl Handler for Counting {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        self.events += 1;
        self.sum = self.sum.wrapping_add(cx.sequence().unwrap_or(0));
        self.sum = self.sum.wrapping_add(match event {
            Event::MessageCreate(message) => message.content.len() as u64 + message.id.get(),
            Event::PresenceUpdate(presence) => presence.user.id.get(),
            Event::TypingStart(typing) => typing.user_id.get(),
            Event::Untyped(untyped) => untyped.name.len() as u64,
            _ => 1,
        });
    }

    fn on_link(&mut self, _: &mut Context<'_>, link: Link<'_>) {
        if self.keep_links {
            self.links.push(format!("{link:?}"));
        }
    }
}

/// One shard, its desk, and a gateway's end of the wire.
pub(crate) struct Line<H: Handler> {
    pub(crate) shard: Shard,
    pub(crate) desk: Desk<H>,
    pub(crate) now: Rc<Cell<Time>>,
    pub(crate) compression: Compression,
    deflate: Option<Deflate>,
}

impl<H: Handler> Line<H> {
    pub(crate) fn new(compression: Compression, interest: Interest, handler: fn() -> H) -> Self {
        let url = GatewayUrl::parse("ws://gateway.test").unwrap().with_query(compression);
        let token = Token::new("a.test.token").unwrap();
        let common = Common {
            settings: Arc::new(SessionSettings::new(token, 513, url.to_string())),
            interest,
            guards: Guards::local(1, 1000),
            main_url: url,
            compression,
            limits: WireLimits::default(),
        };
        let now = Rc::new(Cell::new(Time::ZERO));
        let clock = Rc::clone(&now);
        let desk = Desk::new(
            0,
            Arc::new(move |_| Ok(handler())),
            &Limits::default(),
            Box::new(move || clock.get()),
            1_700_000_000_000,
        )
        .unwrap();
        let shard = Shard::new(ShardId::new(0, 1), Arc::new(common), 1);
        Self { shard, desk, now, compression, deflate: None }
    }

    /// The same with a clock of the caller's, for benches that want the true one.
    pub(crate) fn with_clock(mut self, handler: fn() -> H, clock: Box<dyn Fn() -> Time>) -> Self {
        self.desk =
            Desk::new(0, Arc::new(move |_| Ok(handler())), &Limits::default(), clock, 0).unwrap();
        self
    }

    /// Dials and gets as far as READY; the traffic's first `s` is 2.
    pub(crate) fn log_in(&mut self) {
        self.shard.start(self.now.get());
        assert!(matches!(self.settle(), Some(Action::Dial(_))));
        self.open();
        self.say(r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#);
        assert!(self.heard().contains(r#""op":2"#), "IDENTIFY is sent");
        self.say(
            r#"{"t":"READY","s":1,"op":0,"d":{"v":10,"session_id":"the session","user":{"id":"1",
               "username":"bot"},"guilds":[],"resume_gateway_url":"ws://resume.test"}}"#,
        );
    }

    /// The answer to a dial: the upgrade.
    pub(crate) fn open(&mut self) {
        self.shard.dial(shardring::sans_io::shard::notice::Target::Main);
        let request = self.shard.take_outgoing().unwrap();
        let reply = upgrade_reply(&request);
        assert_eq!(self.give(&reply), Flow::All);
        self.deflate =
            (self.compression == Compression::ZlibStream).then(|| Deflate::new(6, true, 15));
    }

    /// The gateway says this payload.
    pub(crate) fn say(&mut self, text: &str) -> Flow {
        let bytes = self.frame(text);
        self.give(&bytes)
    }

    /// A payload as the gateway would frame it.
    pub(crate) fn frame(&mut self, text: &str) -> Vec<u8> {
        match &mut self.deflate {
            Some(deflate) => message(&compressed(deflate, text.as_bytes()), false),
            None => message(text.as_bytes(), true),
        }
    }

    /// Bytes arrive from the socket.
    pub(crate) fn give(&mut self, bytes: &[u8]) -> Flow {
        let now = self.now.get();
        self.shard.heard(now);
        let mut budget = u32::MAX;
        let received = self.shard.receive(now, bytes, &mut budget, &mut self.desk);
        if let Flow::Ended(end) = received.flow {
            self.shard.release(&mut self.desk.pool);
            self.shard.link_ended(now, end);
        }
        self.settle();
        received.flow
    }

    pub(crate) fn settle(&mut self) -> Option<Action> {
        self.shard.settle(self.now.get(), &mut self.desk)
    }

    /// What the shard sends, unmasked, frames joined by newlines.
    pub(crate) fn heard(&mut self) -> String {
        let Some(bytes) = self.shard.take_outgoing() else { return String::new() };
        let mut metrics = self.desk.metrics().clone();
        self.shard.written(self.now.get(), &mut metrics);
        unmasked(&bytes)
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.set(self.now.get() + time);
    }
}

/// The first so many generated payloads, numbered from `first_s` on.
pub(crate) fn payloads(count: u64, first_s: u64) -> Vec<String> {
    let traffic = Traffic::new(42, 0, u64::MAX);
    (0..count)
        .map(|k| {
            let mut text = String::new();
            traffic.write_payload(k, first_s + k, &mut text);
            text
        })
        .collect()
}

pub(crate) fn compressed(deflate: &mut Deflate, text: &[u8]) -> Vec<u8> {
    let mut out = vec![0; text.len() + 1024];
    let before = deflate.total_out();
    deflate.compress(text, &mut out, DeflateFlush::SyncFlush).unwrap();
    out.truncate((deflate.total_out() - before) as usize);
    assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out
}

pub(crate) fn message(payload: &[u8], is_text: bool) -> Vec<u8> {
    let data = if is_text { Data::Text } else { Data::Binary };
    let frame = Frame::message(payload.to_vec(), OpCode::Data(data), true);
    let mut out = Vec::new();
    frame.format(&mut out).unwrap();
    out
}

fn upgrade_reply(request: &[u8]) -> Vec<u8> {
    let request = std::str::from_utf8(request).unwrap();
    let key = request
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("sec-websocket-key:"))
        .and_then(|line| line.split_once(':'))
        .unwrap()
        .1
        .trim();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

fn unmasked(mut bytes: &[u8]) -> String {
    let mut out = String::new();
    while bytes.len() >= 6 {
        assert_eq!(bytes[1] & 0x80, 0x80, "client frames are masked");
        let (len, head) = match bytes[1] & 0x7F {
            126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            len => (usize::from(len), 2),
        };
        let mask = &bytes[head..head + 4];
        let payload = &bytes[head + 4..head + 4 + len];
        let text: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
        out.push_str(&String::from_utf8_lossy(&text));
        out.push('\n');
        bytes = &bytes[head + 4 + len..];
    }
    out
}

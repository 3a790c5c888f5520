//! The scripted gateway's end of one connection: frames in, frames out.
//!
//! It upgrades, greets and acknowledges by itself, and answers no IDENTIFY or RESUME before the
//! test says how. It reads the protocol by itself, apart from the machines under test, and keeps no
//! token: that of an IDENTIFY is struck out. Used by the rehearsal.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use crate::clock::Time;
use crate::decode::Envelope;
use crate::shard::ShardId;
use crate::shard::token::Token;
use crate::wire::agree;

/// Discord, as one shard sees it.
pub(super) struct Peer {
    shard: ShardId,
    token: Token,
    link: Link,
    /// What the shard asked for on this connection and has had no answer to.
    pub(super) asked: Option<Asked>,
    /// The last `s` that was given out in this session.
    pub(super) sequence: u64,
    sessions: u32,
    /// On its way to the shard, in whole frames, and how many of them are payloads.
    pub(super) inbox: Vec<u8>,
    pub(super) waiting: usize,
    /// When acknowledgements arrive.
    acks: VecDeque<Time>,
    pub(super) round_trip: Duration,
    pub(super) is_silent: bool,
    /// Commands that came.
    pub(super) sent: Vec<String>,
    /// The last IDENTIFY, without the token.
    pub(super) identify: Option<String>,
}

/// A connection, from the gateway's side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Down,
    Dialled,
    Open,
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Identify,
    Resume,
}

impl Peer {
    pub(super) fn new(shard: ShardId, token: &Token) -> Self {
        Self {
            shard,
            token: token.clone(),
            link: Link::Down,
            asked: None,
            sequence: 0,
            sessions: 0,
            inbox: Vec::new(),
            waiting: 0,
            acks: VecDeque::new(),
            round_trip: ROUND_TRIP,
            is_silent: false,
            sent: Vec::new(),
            identify: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.link == Link::Open
    }

    pub(super) fn dialled(&mut self) {
        self.hang_up();
        self.link = Link::Dialled;
    }

    /// The connection is gone, and what was on its way with it.
    pub(super) fn hang_up(&mut self) {
        self.link = Link::Down;
        self.asked = None;
        self.inbox.clear();
        self.waiting = 0;
        self.acks.clear();
    }

    /// The shard took so many bytes, and so many payloads in them.
    pub(super) fn taken(&mut self, len: usize, payloads: usize) {
        self.inbox.drain(..len);
        self.waiting = self.waiting.saturating_sub(payloads);
    }

    /// When the next acknowledgement arrives.
    pub(super) fn next_ack(&self) -> Option<Time> {
        self.acks.front().copied()
    }

    /// Puts the acknowledgements that are due on their way; whether there were any.
    pub(super) fn acknowledge(&mut self, now: Time) -> bool {
        let due = self.acks.iter().take_while(|at| **at <= now).count();
        self.acks.drain(..due);
        (0..due).for_each(|_| self.say(r#"{"t":null,"s":null,"op":11,"d":null}"#));
        due > 0
    }

    /// Bytes of the shard: its request to upgrade, or whole frames.
    pub(super) fn hear(&mut self, now: Time, bytes: &[u8]) {
        match self.link {
            Link::Down => {}
            Link::Dialled => {
                self.link = Link::Open;
                self.inbox.extend(agree(bytes).into_iter().flatten());
                self.say(&format!(
                    r#"{{"t":null,"s":null,"op":10,"d":{{"heartbeat_interval":{INTERVAL_MS}}}}}"#
                ));
            }
            Link::Open => {
                let mut bytes = bytes;
                while let Some((opcode, payload, rest)) = unframe(bytes) {
                    match opcode {
                        TEXT => self.hear_payload(now, &payload),
                        CLOSE => self.frame(CLOSE, &payload),
                        _ => {}
                    }
                    bytes = rest;
                }
            }
        }
    }

    fn hear_payload(&mut self, now: Time, payload: &[u8]) {
        let text = String::from_utf8_lossy(payload).into_owned();
        match Envelope::scan(payload).ok().and_then(|envelope| envelope.op) {
            Some(HEARTBEAT) if self.is_silent => {}
            Some(HEARTBEAT) => self.acks.push_back(now + self.round_trip),
            Some(IDENTIFY) => {
                self.asked = Some(Asked::Identify);
                self.identify = Some(text.replace(self.token.expose(), "(token)"));
            }
            Some(RESUME) => self.asked = Some(Asked::Resume),
            _ => self.sent.push(text),
        }
    }

    /// The answer to IDENTIFY: a new session, with the `d` that was given or one of its own.
    pub(super) fn ready(&mut self, data: Option<&str>) {
        self.asked = None;
        self.sessions += 1;
        self.sequence = 0;
        match data {
            Some(data) => self.dispatch("READY", data),
            None => self.dispatch("READY", &self.ready_data()),
        }
    }

    fn ready_data(&self) -> String {
        let ShardId { id, total } = self.shard;
        // A guild that falls to this shard: its id's upper bits, modulo the total, are the shard's.
        let guild = u64::from(id) + u64::from(total);
        format!(
            r#"{{"v":10,"user":{{"id":"{BOT_ID}","username":"rehearsal","discriminator":"0","global_name":null,"avatar":null,"bot":true}},"guilds":[{{"id":"{}","unavailable":true}}],"session_id":"rehearsal-{id}-{}","resume_gateway_url":"ws://resume.rehearsal","shard":[{id},{total}],"application":{{"id":"{BOT_ID}","flags":0}}}}"#,
            guild << 22,
            self.sessions
        )
    }

    /// A dispatch with the next number.
    pub(super) fn dispatch(&mut self, name: &str, data: &str) {
        self.sequence += 1;
        let mut text = String::with_capacity(data.len() + 64);
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{{"t":"{name}","s":{},"op":0,"d":{data}}}"#, self.sequence);
        self.say(&text);
    }

    /// A payload, as it is.
    pub(super) fn say(&mut self, text: &str) {
        self.waiting += 1;
        self.frame(TEXT, text.as_bytes());
    }

    /// A close frame.
    pub(super) fn close(&mut self, code: Option<u16>) {
        let code = code.map(u16::to_be_bytes);
        self.frame(CLOSE, code.as_ref().map_or(&[][..], |bytes| &bytes[..]));
    }

    /// A frame of a server: final and not masked (RFC 6455 §5.2).
    fn frame(&mut self, opcode: u8, payload: &[u8]) {
        self.inbox.push(FINAL | opcode);
        match payload.len() {
            len @ ..=125 => self.inbox.push(len as u8),
            len @ 126..=0xFFFF => {
                self.inbox.push(126);
                self.inbox.extend((len as u16).to_be_bytes());
            }
            len => {
                self.inbox.push(127);
                self.inbox.extend((len as u64).to_be_bytes());
            }
        }
        self.inbox.extend(payload);
    }
}

/// Takes a client's masked frame from the front: opcode, payload, and the rest.
fn unframe(bytes: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let ([first, second], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match second & 0x7F {
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*len) as usize, rest)
        }
        len => (usize::from(len), rest),
    };
    let (mask, rest) = rest.split_first_chunk::<4>()?;
    let (masked, rest) = rest.split_at_checked(len)?;
    let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Some((first & 0x0F, payload, rest))
}

/// RFC 6455 §5.2.
const FINAL: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;

/// Opcodes that a client sends of itself (protocol.md §1).
const HEARTBEAT: u64 = 1;
const IDENTIFY: u64 = 2;
const RESUME: u64 = 6;

/// What HELLO says: Discord's usual interval.
const INTERVAL_MS: u64 = 41_250;
/// How long an acknowledgement takes at first.
const ROUND_TRIP: Duration = Duration::from_millis(40);
/// The bot's user and application.
const BOT_ID: u64 = 1;

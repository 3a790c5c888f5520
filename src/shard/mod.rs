//! The protocol of one shard, without sockets and without a clock.
//!
//! [`Shard::receive`] is the spine, the function to read first: open the wire, scan the envelope,
//! step the session, ask whether the handler wants it, read it into the arena, call the
//! handler. `session` holds every rule of the protocol; `identify`, `budget`, `admission` are what
//! cores share; `handler` what the user sees. This room never opens a socket, starts a thread or
//! asks a clock: moments are arguments, and the [`Desk`] carries the one clock that times stages.
//!
//! Invariant: after each input the driver calls [`Shard::settle`] and drains the outputs before
//! the next input.

pub mod acks;
pub mod admission;
pub mod backoff;
pub mod budget;
pub mod close;
mod common;
pub mod counters;
mod desk;
pub mod errands;
pub mod handler;
pub mod heartbeat;
pub mod hosts;
pub mod id;
pub mod identify;
pub mod notice;
pub mod outbox;
mod outward;
pub mod payload;
mod ready;
pub mod receipt;
pub mod refusal;
pub mod session;
pub mod settings;
pub mod stage;
pub mod status;
pub mod token;
mod trace;

use std::sync::Arc;
use std::time::Duration;

pub use common::Common;
pub use desk::{Desk, Factory};
pub use id::ShardId;

use crate::clock::{Rng, Time};
use crate::command::Prepared;
use crate::config::Delivery;
use crate::decode::Envelope;
use crate::error::Error;
use crate::model::EventKind;
use crate::shard::close::LinkEnd;
use crate::shard::desk::{Delivered, Readers};
use crate::shard::handler::Handler;
use crate::shard::notice::{Sent, State, Target, Verdict};
use crate::shard::receipt::Ticket;
use crate::shard::session::Session;
use crate::wire::{ChunkPool, Opened, Wire, WireError};

/// One shard: its session, and the wire of its connection while it has one.
pub struct Shard {
    session: Session,
    wire: Option<Box<Wire>>,
    common: Arc<Common>,
    rng: Rng,
    /// Frames that wait to be written, in order.
    outgoing: Vec<u8>,
    /// What the payloads in `outgoing` are, and of those taken but not yet written.
    queued: Vec<Sent>,
    writing: Vec<Sent>,
    /// What broke the last connection, for the notice of its end.
    wire_error: Option<WireError>,
    paused_at: Option<Time>,
    /// The answer to the peer's close frame, if it was the first to close.
    farewell: Vec<u8>,
    was_ready: bool,
}

/// How far [`Shard::receive`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes used; the rest must be given again.
    pub used: usize,
    /// Why it stopped.
    pub flow: Flow,
}

/// Why [`Shard::receive`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// All bytes were used.
    All,
    /// The shard is paused, or the core's dispatches are stopped.
    Paused,
    /// The budget is used up; others have their turn.
    Budget,
    /// The connection is over. Report it by [`Shard::link_ended`].
    Ended(LinkEnd),
}

impl Shard {
    /// A shard that waits for [`start`](Self::start).
    pub fn new(id: ShardId, common: Arc<Common>, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let session =
            Session::new(id, Arc::clone(&common.settings), common.guards.clone(), rng.next_u64());
        Self {
            session,
            wire: None,
            common,
            rng,
            outgoing: Vec::new(),
            queued: Vec::new(),
            writing: Vec::new(),
            wire_error: None,
            paused_at: None,
            farewell: Vec::new(),
            was_ready: false,
        }
    }

    /// Bytes came from the socket: the spine.
    ///
    /// `received_at` is when they were taken from the socket, and serves only to time things. Each
    /// payload takes one from `budget`; whole payloads only, so a large one is not interrupted.
    pub fn receive<H: Handler>(
        &mut self,
        received_at: Time,
        bytes: &[u8],
        budget: &mut u32,
        desk: &mut Desk<H>,
    ) -> Received {
        desk.stage.mark = desk.stage.now();
        let mut used = 0;
        let flow = loop {
            if used == bytes.len() {
                break Flow::All;
            }
            if self.is_held(desk.is_halted()) {
                break Flow::Paused;
            }
            if *budget == 0 {
                break Flow::Budget;
            }
            let Some(wire) = &mut self.wire else {
                used = bytes.len(); // The connection was given up: nobody wants its bytes.
                break Flow::All;
            };
            let (n, opened) = match wire.open(&bytes[used..], &mut desk.pool, &mut desk.payload) {
                Ok(opened) => opened,
                Err(error) => break Flow::Ended(self.broke(error)),
            };
            used += n;
            match opened {
                Opened::Payload { .. } => {
                    *budget -= 1;
                    self.payload(received_at, desk);
                }
                Opened::Upgraded => self.session.link_opened(desk.stage.mark),
                // Who asks faster than it takes the answers gets no more of them.
                Opened::Ping(ping) if self.outgoing.len() < PONGS_LEN_MAX => {
                    Wire::seal_pong(&ping, mask(&mut self.rng), &mut self.outgoing);
                }
                Opened::Close(close) => {
                    self.answer_close(close.code);
                    break Flow::Ended(LinkEnd::Closed(close.code));
                }
                _ => {}
            }
        };
        Received { used, flow }
    }

    /// One payload lies in the desk's buffer.
    fn payload<H: Handler>(&mut self, received_at: Time, desk: &mut Desk<H>) {
        desk.note_len();
        let text = desk.payload.text();
        let counters = &mut desk.stage.metrics.counters;
        counters.payloads += 1;
        counters.text_len += text.len() as u64;
        let Ok(envelope) = Envelope::scan(text) else {
            // Not even the envelope can be read, so nobody knows what it was. If it was
            // a dispatch, the next sequence number tells that one is missing.
            counters.undecoded += 1;
            return;
        };
        // The last stage has just ended; what the session arms by it may come that much earlier.
        let now = desk.stage.mark;
        // A payload without an opcode but with an event's name can only be a dispatch.
        match envelope.op.or(envelope.t.map(|_| DISPATCH)) {
            Some(DISPATCH) => {
                let kind = EventKind::from_name(envelope.t.unwrap_or(""));
                let delivered = Delivered { kind, received_at, sequence: envelope.s };
                self.dispatch(delivered, text.len() as u64, desk);
            }
            Some(HEARTBEAT) => self.session.heartbeat_asked(now),
            Some(RECONNECT) => self.session.reconnect_asked(now),
            Some(INVALID_SESSION) => {
                let resumable = desk.control(|data| data.as_bool());
                self.session.invalid_session(now, resumable.unwrap_or(false));
            }
            Some(HELLO) => {
                let interval_ms =
                    desk.control(|data| data.get("heartbeat_interval").and_then(|ms| ms.as_u64()));
                self.session.hello(now, interval_ms.unwrap_or(HEARTBEAT_INTERVAL_MS));
            }
            Some(HEARTBEAT_ACK) => {
                let before = self.session.counters().acks;
                self.session.ack(now);
                if self.session.counters().acks != before
                    && let Some(round_trip) = self.session.latency().last()
                {
                    desk.stage.metrics.heartbeat.record(round_trip);
                }
            }
            _ => counters.opcodes_unknown += 1,
        }
    }

    /// A dispatch: judge its number, and deliver it as the interest asks.
    fn dispatch<H: Handler>(&mut self, delivered: Delivered, text_len: u64, desk: &mut Desk<H>) {
        if self.session.state() == State::Closing && self.wants_quiet(desk.is_halted()) {
            return; // Not to be delivered, and so not received: RESUME brings it again.
        }
        let Delivered { kind, sequence, .. } = delivered;
        let now = desk.stage.mark;
        let session = &mut self.session;
        let metrics = &mut desk.stage.metrics;
        let verdict = session.dispatch(now, sequence);
        if kind == EventKind::Resumed {
            session.resumed(now);
        }
        match verdict {
            // A new session numbers anew, whatever the last one came to.
            _ if kind == EventKind::Ready => {}
            Verdict::Duplicate => {
                metrics.counters.duplicates += 1;
                return;
            }
            Verdict::Gap { first, last } => metrics.counters.miss(last - first + 1),
            Verdict::Deliver => {}
        }
        metrics.counters.dispatches += 1;
        if kind == EventKind::Ready {
            session.acks.begin_session();
        }
        let delivery = self.common.interest.delivery(kind);
        let counters = metrics.kind_mut(kind);
        counters.received += 1;
        counters.text_len += text_len;
        let errands = session.watches(kind, desk.payload.text());
        let decoded = match delivery {
            _ if kind == EventKind::Ready => self.ready(delivered, delivery, desk),
            Delivery::Skip => {
                counters.skipped += 1;
                desk.observe(session, delivered, errands)
            }
            _ if self.common.interest.holds_back(kind, desk.payload.text()) => {
                counters.filtered += 1;
                desk.observe(session, delivered, errands)
            }
            // The parser rewrites the text, so that the handler comes first.
            Delivery::Raw => desk
                .deliver_raw(session, delivered)
                .and_then(|()| desk.observe(session, delivered, errands)),
            Delivery::Typed | Delivery::RawAndTyped => {
                let keeps_text = delivery == Delivery::RawAndTyped;
                let readers = Readers { errands, handler: true };
                desk.deliver_typed(session, delivered, keeps_text, |_, _| (), readers)
            }
        };
        if let Err(error) = decoded {
            desk.deliver_undecoded(&mut self.session, delivered, error);
        }
        self.session.judge_acks();
        if std::mem::take(&mut desk.stage.effects.pause) {
            self.pause(now);
        }
    }

    /// Bytes of this connection came, whether or not they can be looked at now.
    pub fn heard(&mut self, now: Time) {
        self.session.heard(now);
    }

    /// The bytes of this connection cannot be read any further: how it ends.
    pub fn broke(&mut self, error: WireError) -> LinkEnd {
        self.wire_error = Some(error);
        LinkEnd::of(error)
    }

    /// Starts: the shard dials when it is its turn.
    pub fn start(&mut self, now: Time) {
        self.session.start(now);
    }

    /// The connection is over; what it held goes back to the pool.
    pub fn release(&mut self, pool: &mut ChunkPool) {
        if let Some(mut wire) = self.wire.take() {
            wire.release(pool);
        }
        self.outgoing = Vec::new();
        self.farewell = Vec::new();
        self.queued.clear();
        self.writing.clear();
    }

    /// The connection ended (not by our [`Action::Drop`]).
    pub fn link_ended(&mut self, now: Time, end: LinkEnd) {
        // Nothing holds a shard without a connection; a paused one reconnects and is held again.
        self.session.link_ended(now, end);
    }

    /// A deadline has passed. `unread` is the time, since the start, in which nobody read this
    /// shard: the core was busy elsewhere, or the shard [is held](Self::is_held).
    pub fn expire(&mut self, now: Time, unread: Duration) {
        self.session.expire(now, unread);
    }

    /// Queues a command of the user.
    ///
    /// # Errors
    ///
    /// Why it was not queued; the ticket was told too.
    pub(crate) fn submit(
        &mut self,
        now: Time,
        command: Prepared,
        ticket: Ticket,
    ) -> Result<(), Error> {
        self.session.submit(now, command, ticket)
    }

    /// Stops; the session ends, or stays resumable for some minutes.
    pub fn stop(&mut self, now: Time, keep_session: bool) {
        self.session.stop(now, keep_session);
    }

    /// No more events until [`unpause`](Self::unpause).
    pub fn pause(&mut self, now: Time) {
        self.paused_at.get_or_insert(now);
    }

    /// Events go on.
    pub fn unpause(&mut self) {
        self.paused_at = None;
    }

    /// When [`expire`](Self::expire) is to be called.
    pub fn poll_deadline(&self) -> Option<Time> {
        self.session.poll_deadline()
    }

    /// Which shard.
    pub fn id(&self) -> ShardId {
        self.session.shard()
    }

    /// The session's protocol state.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// It was READY at least once.
    pub fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Its bytes are to wait: the handler has it paused, or has not acknowledged enough, or the
    /// core's dispatches are stopped.
    ///
    /// Only where dispatches may come: a paused shard that has to reconnect does so, and then
    /// waits with its RESUME sent.
    pub fn is_held(&self, halted: bool) -> bool {
        self.wants_quiet(halted)
            && matches!(self.session.state(), State::Identifying | State::Resuming | State::Active)
    }

    fn wants_quiet(&self, halted: bool) -> bool {
        self.paused_at.is_some() || halted || self.session.acks.is_full()
    }

    /// It will never dial again.
    pub fn is_retired(&self) -> bool {
        self.session.state() == State::Retired
    }

    /// Bytes of a message that is not yet whole.
    pub fn held_len(&self) -> usize {
        self.wire.as_ref().map_or(0, |wire| wire.held_len())
    }

    /// Bytes that this message lacks, if that is known.
    pub fn lacking_len(&self) -> Option<usize> {
        self.wire.as_ref().and_then(|wire| wire.lacking_len())
    }

    fn paused_for(&self, now: Time) -> Option<Duration> {
        self.paused_at.map(|since| now - since)
    }
}

/// What the driver is to do for a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a connection to where [`Shard::dial`] says.
    Dial(Target),
    /// Cut the connection, or give up the dial; report nothing of it any more.
    Drop,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard")
            .field("id", &self.id())
            .field("state", &self.session.state())
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}

fn mask(rng: &mut Rng) -> [u8; 4] {
    (rng.next_u64() as u32).to_le_bytes()
}

/// Pings are answered while less than this waits to be written, bytes.
const PONGS_LEN_MAX: usize = 4096;

/// Opcodes that are received (protocol.md §1).
const DISPATCH: u64 = 0;
const HEARTBEAT: u64 = 1;
const RECONNECT: u64 = 7;
const INVALID_SESSION: u64 = 9;
const HELLO: u64 = 10;
const HEARTBEAT_ACK: u64 = 11;

/// Taken where HELLO does not say: the documents' example.
const HEARTBEAT_INTERVAL_MS: u64 = 45_000;

//! One connection's state: bytes in, frames out, what it is attached to. Methods queue bytes;
//! the event loop alone touches the socket.

use crate::codec::{Codec, Compression, Pool};
use crate::config::Framing;
use crate::faults::{Action, TlsFault, When};
use crate::frame;
use crate::maker::Block;
use crate::out::OutQueue;
use crate::outage::Host;
use std::collections::VecDeque;
use std::sync::Arc;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The request is not yet whole, or its answer is on its way out.
    Http,
    /// After the 101 response.
    Open,
    /// A close frame was queued: the client's answer or end is awaited.
    Closing,
}

/// How a connection is to end, once what is queued has been written as far as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doom {
    /// FIN, after close_notify.
    Fin,
    /// FIN, without close_notify.
    Abrupt,
    /// RST.
    Reset,
}

/// A connection.
pub(crate) struct Conn {
    pub(crate) slot: usize,
    /// Never given twice.
    pub(crate) id: u64,
    pub(crate) phase: Phase,
    pub(crate) input: Vec<u8>,
    /// The frames of a fragmented client message gathered so far.
    pub(crate) fragments: Option<Vec<u8>>,
    pub(crate) out: OutQueue,
    pub(crate) codec: Codec,
    /// The shared block whose next event goes out next, and that event's place in it.
    pub(crate) block: Option<(Arc<Block>, usize)>,
    /// Payloads that wait for the end of the block.
    pub(crate) waiting: VecDeque<String>,
    /// Since when, as far as the pump has seen.
    pub(crate) waiting_since_ns: Option<u64>,
    pub(crate) session: Option<usize>,
    pub(crate) shard: Option<u32>,
    /// The last sequence number queued on this connection.
    pub(crate) sent_s: u64,
    /// RESUMED is owed once all that was missed is queued; the numbers up to here are replays.
    pub(crate) resumed_at: Option<u64>,
    /// The fault moment `Ready` has passed.
    pub(crate) ready_told: bool,
    pub(crate) zombie: bool,
    pub(crate) withhold_acks: bool,
    pub(crate) last_heartbeat_ns: u64,
    pub(crate) payload_times: VecDeque<u64>,
    /// When its last presences came.
    pub(crate) presence_times: VecDeque<u64>,
    pub(crate) traffic_sent: u64,
    pub(crate) armed: Vec<(When, Action)>,
    pub(crate) doom: Option<Doom>,
    /// What becomes of it once an answer that is late has been released.
    pub(crate) doom_after: Option<Doom>,
    /// To be done to the records of TLS once what is queued has been written.
    pub(crate) tls_fault: Option<TlsFault>,
    /// Where it came in.
    pub(crate) host: Host,
    /// In the queue of connections that may send.
    pub(crate) queued: bool,
    /// Waits for a block to be made.
    pub(crate) starving: bool,
    /// Ordinal of the connection, from 1.
    pub(crate) ordinal: u32,
    pub(crate) close_received: bool,
    /// A close frame was queued with this code and is not yet counted.
    pub(crate) close_code: Option<u16>,
    /// The wait for the peer's end is bounded already.
    pub(crate) lingering: bool,
}

impl Conn {
    /// A connection just accepted.
    pub(crate) fn new(slot: usize, id: u64, ordinal: u32, now_ns: u64) -> Self {
        Self {
            slot,
            id,
            phase: Phase::Http,
            input: Vec::new(),
            fragments: None,
            out: OutQueue::default(),
            codec: Codec::new(Compression::None, Framing::Whole),
            block: None,
            waiting: VecDeque::new(),
            waiting_since_ns: None,
            session: None,
            shard: None,
            sent_s: 0,
            resumed_at: None,
            ready_told: false,
            zombie: false,
            withhold_acks: false,
            last_heartbeat_ns: now_ns,
            payload_times: VecDeque::new(),
            presence_times: VecDeque::new(),
            traffic_sent: 0,
            armed: Vec::new(),
            doom: None,
            doom_after: None,
            tls_fault: None,
            host: Host::Main,
            queued: false,
            starving: false,
            ordinal,
            close_received: false,
            close_code: None,
            lingering: false,
        }
    }

    /// Queues a payload that has no number: at once, or at the end of the shared block.
    pub(crate) fn send(&mut self, pool: &mut Pool, text: &str) {
        if self.phase != Phase::Open {
            return;
        }
        let between_frames = !self.codec.compression().is_continuous();
        if self.block.is_some() && !between_frames && self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(text.to_owned());
            return;
        }
        self.codec.encode(pool, text.as_bytes(), &mut self.out);
    }

    /// Queues what waited for the end of a block. To be called where no block is under way.
    pub(crate) fn release(&mut self, pool: &mut Pool) {
        while let Some(text) = self.waiting.pop_front() {
            self.codec.encode(pool, text.as_bytes(), &mut self.out);
        }
    }

    /// Leaves the shared block, so that something else can be queued now; its other events will
    /// be made anew and compressed live.
    pub(crate) fn leave_block(&mut self, pool: &mut Pool) {
        if self.block.take().is_some() {
            self.codec.rest(pool);
        }
        self.release(pool);
    }

    /// Queues a close frame and waits for the client's.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        if self.phase == Phase::Open {
            self.out.append(|bytes| frame::write_close(code, reason, bytes));
            self.phase = Phase::Closing;
            self.close_code = (!self.close_received).then_some(code);
        }
    }

    /// The traffic count at which the next fault is due.
    pub(crate) fn next_fault_events(&self) -> u64 {
        let count = |(when, _): &(When, Action)| match when {
            When::Events(count) => *count,
            _ => u64::MAX,
        };
        self.armed.iter().map(count).min().unwrap_or(u64::MAX)
    }

    /// Takes the first armed fault that is due at this moment.
    pub(crate) fn take_fault(&mut self, moment: When) -> Option<Action> {
        let at = self.armed.iter().position(|(when, _)| *when == moment)?;
        // A fault on heartbeats stays armed: it is about each of them.
        if moment == When::Heartbeat {
            return Some(self.armed[at].1.clone());
        }
        Some(self.armed.remove(at).1)
    }
}

/// Payloads that may wait for the end of a block; more leave the block.
const WAITING_MAX: usize = 64;

//! Commands that wait to be sent, their send limit, and the answer each of them gets.
//!
//! Discord takes 120 payloads per 60 s and connection (protocol section 7) and closes with 4008
//! above. The room is shared out so that the sum can never be more: scheduled heartbeats have as
//! many slots as the interval fits into the window, IDENTIFY or RESUME has one, heartbeats that the
//! server asks for have [`ASKED_SPARE`], commands have the rest. Commands stay in their order, also
//! over reconnects. Every command gets exactly one [`Outcome`]. Used by `session` alone.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::clock::Time;
use crate::command::Encoded;

/// Payloads per [`SEND_WINDOW`] and connection (protocol section 7).
pub const SENDS_MAX: u32 = 120;
/// The window of [`SENDS_MAX`].
pub const SEND_WINDOW: Duration = Duration::from_secs(60);
/// By how much our window is longer than Discord's: what left us 60 s apart may arrive closer.
pub const TRAVEL_MARGIN: Duration = Duration::from_secs(1);
/// Slots of a window for heartbeats that the server asks for.
pub const ASKED_SPARE: u32 = 5;

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was written to the socket.
    Sent,
    /// It was handed to the socket, and the link ended before that was known to have worked.
    Unknown,
    /// It was never sent.
    Dropped(Dropped),
}

/// Why a command was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// As many wait as may.
    Full {
        /// How many that is.
        len_max: usize,
    },
    /// The shard was stopped, or has ended by a fatal close code.
    Stopped,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { len_max } => {
                write!(f, "{len_max} commands already wait in this shard; try again later")
            }
            Self::Stopped => f.write_str("the shard has stopped"),
        }
    }
}

impl std::error::Error for Dropped {}

/// Who is to be told what became of a command. Dropped untold, it tells [`Dropped::Stopped`].
pub struct Completion(Option<Box<dyn FnOnce(Outcome) + Send>>);

impl Completion {
    /// Calls `tell` exactly once, on the thread of the session; it should be short.
    pub fn new(tell: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    /// Nobody.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Tells.
    pub fn complete(mut self, outcome: Outcome) {
        if let Some(tell) = self.0.take() {
            tell(outcome);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(Outcome::Dropped(Dropped::Stopped));
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Completion(someone)" } else { "Completion(nobody)" })
    }
}

/// The commands of one shard.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<(Encoded, Completion)>,
    /// Handed to the driver, not yet known to be written; at most [`SENDS_MAX`].
    in_flight: VecDeque<Completion>,
    window: SendWindow,
    /// The user knows that commands wait for the limit.
    told: bool,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn push(
        &mut self,
        command: Encoded,
        completion: Completion,
        len_max: usize,
    ) -> Result<(), Dropped> {
        if self.waiting.len() >= len_max {
            let full = Dropped::Full { len_max };
            completion.complete(Outcome::Dropped(full));
            return Err(full);
        }
        self.waiting.push_back((command, completion));
        Ok(())
    }

    /// A new connection: a new window.
    pub(crate) fn link_opened(&mut self, now: Time) {
        self.window = SendWindow { origin: now, ..SendWindow::default() };
        self.told = false;
    }

    /// What was handed out and not confirmed stays unknown; what waits goes on waiting.
    pub(crate) fn link_ended(&mut self) {
        for completion in std::mem::take(&mut self.in_flight) {
            completion.complete(Outcome::Unknown);
        }
    }

    /// Everything that waits is dropped, with an answer.
    pub(crate) fn retire(&mut self) {
        self.link_ended();
        for (_, completion) in std::mem::take(&mut self.waiting) {
            completion.complete(Outcome::Dropped(Dropped::Stopped));
        }
    }

    /// The next command, if the limit lets it go.
    pub(crate) fn pull(&mut self, now: Time, beats: u32, out: &mut Vec<u8>) -> bool {
        let busy = self.in_flight.len() >= SENDS_MAX as usize;
        if busy || self.waiting.is_empty() || self.window.wait(now, quota(beats)).is_some() {
            return false;
        }
        let Some((command, completion)) = self.waiting.pop_front() else { return false };
        out.extend_from_slice(command.as_bytes());
        self.window.record(now);
        self.in_flight.push_back(completion);
        self.told = false;
        true
    }

    /// Whether a heartbeat that the server asked for may go; it takes a slot if so.
    pub(crate) fn pull_asked(&mut self, now: Time, beats: u32) -> bool {
        let free = self.window.wait(now, quota(beats) + ASKED_SPARE).is_none();
        if free {
            self.window.record(now);
        }
        free
    }

    /// Forgets what has left the window.
    pub(crate) fn prune(&mut self, now: Time) {
        self.window.prune(now);
    }

    /// The oldest command in flight was written.
    pub(crate) fn written(&mut self) {
        if let Some(completion) = self.in_flight.pop_front() {
            completion.complete(Outcome::Sent);
        }
    }

    /// When the next command (or asked heartbeat) may go; `None` if none waits or one may go now.
    pub(crate) fn deadline(&self, beats: u32, asked: bool) -> Option<Time> {
        if asked {
            self.window.free_at(quota(beats) + ASKED_SPARE)
        } else if self.waiting.is_empty() {
            None
        } else {
            self.window.free_at(quota(beats))
        }
    }

    /// Until when commands wait for the limit, if they do and nobody was told.
    pub(crate) fn tell_limited(&mut self, now: Time, beats: u32) -> Option<Time> {
        if self.told || self.waiting.is_empty() {
            return None;
        }
        let until = self.window.wait(now, quota(beats))?;
        self.told = true;
        Some(until)
    }

    pub(crate) fn invariants(&self, len_max: usize) {
        assert!(self.waiting.len() <= len_max, "bounded");
        assert!(self.in_flight.len() <= SENDS_MAX as usize, "bounded");
        assert!(self.window.sent_ms.len() <= SENDS_MAX as usize, "never over the limit");
    }
}

/// How many commands fit into a window beside `beats` heartbeats, a handshake and the spare.
fn quota(beats: u32) -> u32 {
    SENDS_MAX.saturating_sub(beats + 1 + ASKED_SPARE).max(1)
}

/// When the last payloads of a connection went, in ms since it opened. Grows as needed.
#[derive(Debug, Default)]
struct SendWindow {
    origin: Time,
    sent_ms: VecDeque<u64>,
}

impl SendWindow {
    /// `None` if one more may go now, else when.
    fn wait(&mut self, now: Time, quota: u32) -> Option<Time> {
        self.prune(now);
        self.free_at(quota)
    }

    fn prune(&mut self, now: Time) {
        let now_ms = self.ms(now);
        while self.sent_ms.front().is_some_and(|sent_ms| *sent_ms + WINDOW_MS <= now_ms) {
            self.sent_ms.pop_front();
        }
    }

    /// When the number in the window falls below `quota`; `None` if it is.
    fn free_at(&self, quota: u32) -> Option<Time> {
        let over = self.sent_ms.len().checked_sub(quota as usize)?;
        Some(self.origin + Duration::from_millis(self.sent_ms[over] + WINDOW_MS))
    }

    fn record(&mut self, now: Time) {
        let now_ms = self.ms(now);
        self.sent_ms.push_back(now_ms);
    }

    /// Rounded up, so that no slot frees early.
    fn ms(&self, now: Time) -> u64 {
        now.since(self.origin).as_nanos().div_ceil(1_000_000) as u64
    }
}

const WINDOW_MS: u64 = (SEND_WINDOW.as_millis() + TRAVEL_MARGIN.as_millis()) as u64;

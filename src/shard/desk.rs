//! What a core lends to whichever shard is working: scratch, pool, metrics, and the handler.
//!
//! So buffers belong to a core and not to a connection, and the handler needs neither `Send` nor
//! a lock. It knows events only as values to pass on. Invariant: a panic of the handler leaves
//! every buffer usable. The driver owns it, the spine works at it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Time;
use crate::config::Limits;
use crate::decode::{DecodeError, Envelope, Json, Root, Scratch};
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::model::{Event, EventKind};
use crate::shard::acks::AckSlot;
use crate::shard::handler::{Context, Effects, Handler, Link, Panicked};
use crate::shard::session::Session;
use crate::wire::{ChunkPool, Payload};

/// Makes the handler of a core, given the core's number; again after a panic.
pub type Factory<H> = Arc<dyn Fn(usize) -> Result<H, Error> + Send + Sync>;

/// A core's tools. One per core.
pub struct Desk<H> {
    /// Chunks for messages that are not yet whole.
    pub pool: ChunkPool,
    /// The text of the message being worked on.
    pub payload: Payload,
    pub(crate) stage: Stage<H>,
    scratch: Scratch,
    /// The text as it came, where parsing rewrites it and the handler wants it too.
    copy: Vec<u8>,
    keep_len: usize,
    /// The longest text since the last trim.
    longest: usize,
}

/// Where the handler is called: everything it touches, apart from the buffers that the event
/// borrows.
pub(crate) struct Stage<H> {
    pub(crate) handler: H,
    pub(crate) metrics: Metrics,
    pub(crate) effects: Effects,
    pub(crate) core: usize,
    /// When the stage that is being timed began.
    pub(crate) mark: Time,
    clock: Box<dyn Fn() -> Time>,
    /// Unix milliseconds at [`Time::ZERO`].
    epoch_ms: u64,
    factory: Factory<H>,
    panics: [Option<Time>; PANICS_MAX],
    halted: bool,
    /// Failures that the driver has not raised yet.
    failures: Vec<Error>,
}

/// So many panics within [`PANIC_WINDOW`] end a core's dispatches.
const PANICS_MAX: usize = 3;
/// See [`PANICS_MAX`].
const PANIC_WINDOW: Duration = Duration::from_secs(10);

/// Where a dispatch stands, for the handler's context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
    pub(crate) kind: EventKind,
    pub(crate) received_at: Time,
    pub(crate) sequence: Option<u64>,
}

/// Who is to read an event, in this order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readers {
    /// What the shard itself waits for ([`errands`](crate::shard::errands)).
    pub(crate) errands: bool,
    /// The user's handler.
    pub(crate) handler: bool,
}

impl<H: Handler> Desk<H> {
    /// A desk with a new handler.
    ///
    /// `clock` tells the time since the engine's start; `epoch_ms` is the Unix time of that start.
    ///
    /// # Errors
    ///
    /// Those of `factory`.
    pub fn new(
        core: usize,
        factory: Factory<H>,
        limits: &Limits,
        clock: Box<dyn Fn() -> Time>,
        epoch_ms: u64,
    ) -> Result<Self, Error> {
        let handler = factory(core)?;
        let stage = Stage {
            handler,
            metrics: Metrics::new(),
            effects: Effects::with_acks(limits.open_acks_max),
            core,
            mark: clock(),
            clock,
            epoch_ms,
            factory,
            panics: [None; PANICS_MAX],
            halted: false,
            failures: Vec::new(),
        };
        Ok(Self {
            pool: ChunkPool::new(limits.pool),
            payload: Payload::default(),
            stage,
            scratch: Scratch::new(),
            copy: Vec::new(),
            keep_len: limits.scratch_keep_len,
            longest: 0,
        })
    }

    /// What was counted so far.
    pub fn metrics(&self) -> &Metrics {
        &self.stage.metrics
    }

    /// The handler.
    pub fn handler(&mut self) -> &mut H {
        &mut self.stage.handler
    }

    /// The handler panicked too often: it is not called any more.
    pub fn is_halted(&self) -> bool {
        self.stage.halted
    }

    /// Reads a value of `d` of a control payload; `None` where there is none to read.
    pub(crate) fn control<T>(&mut self, read: impl FnOnce(Json<'_>) -> Option<T>) -> Option<T> {
        let (text, len) = self.payload.padded();
        self.scratch.read(text, len, |root| read(root.json())).ok().flatten()
    }

    /// Parses the payload and hands the event to its readers, with its text if that is to be kept.
    pub(crate) fn deliver_typed(
        &mut self,
        session: &mut Session,
        delivered: Delivered,
        keep_text: bool,
        first: impl FnOnce(&mut Session, &Root<'_>),
        readers: Readers,
    ) -> Result<(), DecodeError> {
        if keep_text {
            self.copy_text();
        }
        let Self { payload, scratch, copy, stage, .. } = self;
        let raw = if keep_text { std::str::from_utf8(copy).ok() } else { None };
        let (text, len) = payload.padded();
        scratch.read(text, len, |root| {
            first(session, &root);
            if !readers.handler && !readers.errands {
                return;
            }
            let event = Event::decode(delivered.kind, root.name(), root.data());
            if readers.errands {
                session.observe(stage.mark, &event);
            }
            if readers.handler {
                stage.event(session, delivered, raw, event);
            }
        })?;
        if scratch.notes().count() > 0 {
            stage.metrics.kind_mut(delivered.kind).imperfect += 1;
        }
        Ok(())
    }

    /// Parses the payload for what the shard itself waits for, if that is so.
    pub(crate) fn observe(
        &mut self,
        session: &mut Session,
        delivered: Delivered,
        errands: bool,
    ) -> Result<(), DecodeError> {
        if !errands {
            return Ok(());
        }
        let readers = Readers { errands, handler: false };
        self.deliver_typed(session, delivered, false, |_, _| (), readers)
    }

    /// Hands the payload's text to the handler, not parsed.
    pub(crate) fn deliver_raw(
        &mut self,
        session: &mut Session,
        delivered: Delivered,
    ) -> Result<(), DecodeError> {
        let Self { payload, stage, .. } = self;
        let text = payload.text();
        let name = Envelope::scan(text).ok().and_then(|envelope| envelope.t).unwrap_or("");
        match Event::raw(delivered.kind, name, text) {
            Event::Undecoded(event) => Err(event.error),
            event => {
                stage.event(session, delivered, None, event);
                Ok(())
            }
        }
    }

    /// Tells the handler of a dispatch whose JSON is broken.
    pub(crate) fn deliver_undecoded(
        &mut self,
        session: &mut Session,
        delivered: Delivered,
        error: DecodeError,
    ) {
        let stage = &mut self.stage;
        stage.metrics.counters.undecoded += 1;
        stage.metrics.kind_mut(delivered.kind).imperfect += 1;
        // The text is rewritten by the parser as far as it came: its own name is gone.
        let event = Event::undecoded(delivered.kind, delivered.kind.name(), error);
        stage.event(session, delivered, None, event);
    }

    fn copy_text(&mut self) {
        self.copy.clear();
        self.copy.extend_from_slice(self.payload.text());
    }

    /// Remembers how long texts become, for [`wants_trim`](Self::wants_trim).
    pub(crate) fn note_len(&mut self) {
        self.longest = self.longest.max(self.payload.text().len());
    }

    /// A large payload has made the buffers larger than they should stay.
    pub(crate) fn wants_trim(&self) -> bool {
        self.longest > self.keep_len
    }

    /// Frees what exceeds [`Limits::scratch_keep_len`]; gives the length of the longest text since
    /// the last time.
    pub(crate) fn trim(&mut self) -> usize {
        let longest = std::mem::take(&mut self.longest);
        self.payload.shrink(self.keep_len);
        self.scratch.shrink(self.keep_len);
        if self.copy.capacity() > self.keep_len {
            self.copy = Vec::new();
        }
        longest
    }
}

impl<H: Handler> Stage<H> {
    /// What time it is.
    pub(crate) fn now(&self) -> Time {
        (self.clock)()
    }

    /// Calls the handler with an event, and times it.
    fn event(
        &mut self,
        session: &mut Session,
        delivered: Delivered,
        raw: Option<&str>,
        event: Event<'_>,
    ) {
        let now = (self.clock)();
        self.metrics.decode.record(now - self.mark);
        self.metrics.receive_to_callback.record(now - delivered.received_at);
        self.metrics.counters.delivered += 1;
        self.metrics.kind_mut(delivered.kind).delivered += 1;
        if let Event::MessageCreate(message) = &event {
            let received_ms = self.epoch_ms + delivered.received_at.as_ms();
            let lag_ms = received_ms.saturating_sub(message.id.timestamp_ms());
            self.metrics.discord_lag.record(Duration::from_millis(lag_ms));
        }
        let mut cx = Context {
            session,
            effects: &mut self.effects,
            core: self.core,
            now,
            received_at: delivered.received_at,
            sequence: delivered.sequence,
            raw,
            ack_slot: AckSlot::Free,
        };
        let handler = &mut self.handler;
        // What the call leaves broken is the handler, which is replaced; session and effects are
        // only changed by whole calls of theirs.
        let called = catch_unwind(AssertUnwindSafe(|| handler.on_event(&mut cx, event)));
        self.mark = (self.clock)();
        self.metrics.callback.record(self.mark - now);
        if called.is_err() {
            self.panicked(Panicked { shard: session.shard(), event: Some(delivered.kind) });
        }
    }

    /// Calls the handler with news of the connection.
    pub(crate) fn link(&mut self, session: &mut Session, now: Time, link: Link<'_>) {
        if self.halted {
            return;
        }
        let mut cx = Context {
            session,
            effects: &mut self.effects,
            core: self.core,
            now,
            received_at: now,
            sequence: None,
            raw: None,
            ack_slot: AckSlot::None,
        };
        let handler = &mut self.handler;
        // As above.
        if catch_unwind(AssertUnwindSafe(|| handler.on_link(&mut cx, link))).is_err() {
            self.panicked(Panicked { shard: session.shard(), event: None });
        }
    }

    /// Replaces a handler that panicked, or ends the core's dispatches.
    #[cold]
    #[inline(never)]
    fn panicked(&mut self, cause: Panicked) {
        self.metrics.counters.handler_panics += 1;
        let now = (self.clock)();
        self.panics.rotate_left(1);
        self.panics[PANICS_MAX - 1] = Some(now);
        let too_often = self.panics[0].is_some_and(|first| now.since(first) <= PANIC_WINDOW);
        let what = match cause.event {
            Some(kind) => kind.name(),
            None => "a link notice",
        };
        if too_often {
            self.halt(format!(
                "the handler of core {} panicked {PANICS_MAX} times in {} s, last at {what} of \
                 shard {}: the core's dispatches are stopped, its heartbeats go on",
                self.core,
                PANIC_WINDOW.as_secs(),
                cause.shard
            ));
            return;
        }
        let factory = Arc::clone(&self.factory);
        let core = self.core;
        let replaced = catch_unwind(AssertUnwindSafe(|| factory(core)));
        match replaced {
            Ok(Ok(handler)) => {
                let broken = std::mem::replace(&mut self.handler, handler);
                // It may well panic again as it goes.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
                let handler = &mut self.handler;
                if catch_unwind(AssertUnwindSafe(|| handler.on_restart(&cause))).is_err() {
                    self.halt(format!("on_restart panicked on core {core}: its dispatches are stopped"));
                }
            }
            Ok(Err(error)) => self.halt(format!(
                "no new handler for core {core} after a panic at {what}: {error}; its dispatches are stopped"
            )),
            Err(_) => self.halt(format!(
                "the factory panicked as it made a new handler for core {core}: its dispatches are stopped"
            )),
        }
    }

    fn halt(&mut self, detail: String) {
        self.halted = true;
        self.failures.push(Error::new(ErrorKind::HandlerPanicked, detail));
    }

    pub(crate) fn fail(&mut self, error: Error) {
        self.failures.push(error);
    }

    /// Failures to raise on the handle.
    pub(crate) fn take_failures(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.failures)
    }
}

impl<H> std::fmt::Debug for Desk<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("core", &self.stage.core).finish_non_exhaustive()
    }
}

//! What the user writes ([`Handler`]) and what it is given ([`Context`], [`Link`]).
//!
//! No protocol rule stands here and nothing blocks: what a handler asks for is queued in the
//! session or in [`Effects`] and carried out by the driver after the call. The spine makes a
//! context for each call.

use std::future::Future;
use std::time::Duration;

use crate::clock::Time;
use crate::command::{CommandError, Outgoing};
use crate::error::{Error, ErrorKind};
use crate::model::{Event, EventKind};
use crate::shard::acks::{AckSettings, AckSlot};
use crate::shard::close::{Cause, Fatal};
use crate::shard::id::ShardId;
use crate::shard::notice::{Notice, State};
use crate::shard::receipt::CommandReceipt;
use crate::shard::refusal::Refusal;
use crate::shard::session::Session;
use crate::shard::token::TokenError;
use crate::wire::WireError;

/// A bot: one value per core, called on that core's thread only, so it needs neither locks nor
/// `Send`.
///
/// A call blocks its core: no event of that core's shards comes meanwhile (heartbeats neither).
/// Work that takes long belongs into [`Context::spawn`] or [`Context::spawn_blocking`].
///
/// ```
/// use shardring::{Context, Event, Handler, Link};
///
/// struct Bot { pings: u64 }
///
/// impl Handler for Bot {
///     fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
///         if let Event::MessageCreate(message) = event && message.content.starts_with("!ping") {
///             self.pings += 1;
///             let channel = message.channel_id; // a copy: the event ends with this call
///             cx.spawn(async move { println!("answer in {channel}") });
///         }
///     }
///
///     fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
///         if let Link::SessionLost { first_seq, .. } = link {
///             eprintln!("shard {}: events from {first_seq} on may be lost", cx.shard());
///         }
///     }
/// }
/// ```
pub trait Handler: 'static {
    /// An event of a kind that the handler has an [`Interest`](crate::Interest) in.
    ///
    /// What the event borrows ends with the call; copy what is to be kept. When this panics the
    /// event counts as delivered, and the engine replaces the handler (see
    /// [`on_restart`](Self::on_restart)).
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>);

    /// Something happened to a shard's connection or session.
    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        let _ = (cx, link);
    }

    /// This handler replaces one that panicked.
    ///
    /// Three panics within ten seconds end the dispatches of the core: its shards are held as if
    /// paused, their heartbeats go on, and [`Handle::failure`](crate::Handle::failure) tells.
    fn on_restart(&mut self, cause: &Panicked) {
        let _ = cause;
    }

    /// The engine stops: connections are closed already, no event will follow. Awaited for at most
    /// [`Limits::stop_timeout`](crate::Limits::stop_timeout).
    fn on_stop(&mut self) -> impl Future<Output = ()> {
        std::future::ready(())
    }
}

/// Which call panicked. What the panic said is not here: it may quote a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panicked {
    /// The shard that the call was for.
    pub shard: ShardId,
    /// The kind of event; `None` if it was [`Handler::on_link`].
    pub event: Option<EventKind>,
}

/// What happened to a shard's connection or session.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Link<'a> {
    /// TCP and WebSocket are up; HELLO is awaited.
    Connected,
    /// A new session is up.
    Ready {
        /// Its id.
        session_id: &'a str,
    },
    /// The session goes on after a reconnect, and everything missed has been delivered.
    Resumed {
        /// How many missed dispatches came before this.
        replayed: u64,
    },
    /// The connection ended. The session is kept unless [`Link::SessionLost`] follows.
    Disconnected {
        /// Why.
        cause: Cause,
        /// What was wrong with the bytes, if that was it.
        wire: Option<WireError>,
    },
    /// The next connection is planned.
    Reconnecting {
        /// Why the last one ended.
        cause: Cause,
        /// How long the back-off is.
        after: Duration,
        /// Whether the session will be resumed.
        resume: bool,
    },
    /// The session is gone. Events from `first_seq` on that were not delivered are lost.
    SessionLost {
        /// Its id.
        session_id: &'a str,
        /// The sequence number after the last one delivered.
        first_seq: u64,
        /// The last one that may be missing; `None` as long as Discord does not tell.
        last_seq: Option<u64>,
        /// Why.
        cause: Cause,
    },
    /// Sequence numbers were skipped by Discord.
    Gap {
        /// The first that is missing.
        first_seq: u64,
        /// The last that is missing.
        last_seq: u64,
    },
    /// Neither READY nor RESUMED came for a minute or longer. The shard goes on waiting, as
    /// Discord asks for in an outage; a second IDENTIFY would only spend the day's budget.
    Stalled {
        /// What it waits for.
        awaited: State,
        /// For how long so far.
        waited: Duration,
    },
    /// Bytes come, but the acknowledgement of a heartbeat is an interval late.
    AckLate {
        /// How long ago that heartbeat was sent.
        waited: Duration,
    },
    /// Commands wait for the send limit (120 in 60 s).
    RateLimited {
        /// For how long.
        wait: Duration,
    },
    /// An IDENTIFY brought no READY, or a session that was gone within a minute: should another
    /// IDENTIFY be needed, it waits so long, whatever [`Link::Reconnecting`] says of the dial.
    IdentifyBackoff {
        /// How long.
        after: Duration,
        /// How many in a row brought no lasting session.
        failures: u32,
    },
    /// Discord refuses the shard for good; it does not reconnect.
    Refused {
        /// What Discord said, and what to do.
        refusal: Refusal,
    },
    /// Events that the handler had put off ([`Context::defer_ack`]) were given up: their
    /// [`Ack`](crate::Ack)s were dropped without being acknowledged. What lies between the first
    /// and the last may have been acknowledged.
    AcksDropped {
        /// The first of their sequence numbers, where they have any.
        first_seq: Option<u64>,
        /// The last of them.
        last_seq: Option<u64>,
        /// How many events.
        count: u32,
    },
    /// READY names no guild: the bot is in none, or none falls to this shard (the total is larger
    /// than it need be). Follows [`Link::Ready`].
    NoGuilds,
}

impl<'a> Link<'a> {
    /// What a notice says to the user.
    ///
    /// `refusal` makes one of what Discord said.
    pub(crate) fn from_notice(
        notice: &'a Notice,
        now: Time,
        wire: Option<WireError>,
        refusal: impl FnOnce(Fatal) -> Refusal,
    ) -> Self {
        match notice {
            Notice::Connected { .. } => Self::Connected,
            Notice::Ready { session_id } => Self::Ready { session_id },
            Notice::NoGuilds => Self::NoGuilds,
            Notice::Resumed { replayed } => Self::Resumed { replayed: *replayed },
            Notice::Disconnected { cause } => Self::Disconnected { cause: *cause, wire },
            Notice::Reconnecting { cause, after, resume } => {
                Self::Reconnecting { cause: *cause, after: *after, resume: *resume }
            }
            Notice::SessionLost { session_id, first_seq, last_seq, cause } => Self::SessionLost {
                session_id,
                first_seq: *first_seq,
                last_seq: *last_seq,
                cause: *cause,
            },
            Notice::Gap { first, last } => Self::Gap { first_seq: *first, last_seq: *last },
            Notice::Stalled { awaited, waited } => {
                Self::Stalled { awaited: *awaited, waited: *waited }
            }
            Notice::AckLate { waited } => Self::AckLate { waited: *waited },
            Notice::RateLimited { until } => Self::RateLimited { wait: until.since(now) },
            Notice::IdentifyBackoff { after, failures } => {
                Self::IdentifyBackoff { after: *after, failures: *failures }
            }
            Notice::AcksDropped { first_seq, last_seq, count } => {
                Self::AcksDropped { first_seq: *first_seq, last_seq: *last_seq, count: *count }
            }
            Notice::Fatal { error } => Self::Refused { refusal: refusal(*error) },
        }
    }
}

/// What a handler may know and do during a call.
pub struct Context<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) effects: &'a mut Effects,
    pub(crate) core: usize,
    pub(crate) now: Time,
    pub(crate) received_at: Time,
    pub(crate) sequence: Option<u64>,
    pub(crate) raw: Option<&'a str>,
    pub(crate) ack_slot: AckSlot,
}

impl Context<'_> {
    /// The shard that the call is for.
    pub fn shard(&self) -> ShardId {
        self.session.shard()
    }

    /// The core that the call runs on, from 0.
    pub fn core(&self) -> usize {
        self.core
    }

    /// When the event's last byte was taken from the socket, since the engine's start.
    pub fn received_at(&self) -> Time {
        self.received_at
    }

    /// What time it was when the call began, since the engine's start.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The event's sequence number (`s`); `None` outside of
    /// [`on_event`](Handler::on_event), and where Discord sent none.
    pub fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// The session's id, if there is a session.
    pub fn session_id(&self) -> Option<&str> {
        self.session.session_id()
    }

    /// The payload's JSON text as it came, where the interest is
    /// [`RawAndTyped`](crate::Delivery::RawAndTyped).
    pub fn raw(&self) -> Option<&str> {
        self.raw
    }

    /// The last heartbeat's round trip; `None` before the first acknowledgement. It goes stale
    /// silently: the metrics show its age.
    pub fn latency(&self) -> Option<Duration> {
        self.session.latency().last()
    }

    /// Queues a command for this shard: any of [`command`](crate::command), as it is or with a
    /// priority and a deadline.
    ///
    /// It is sent as soon as the shard is connected and the limits (120 payloads per 60 s,
    /// heartbeats first; 5 presences per 20 s) allow. It waits over reconnects. The receipt tells
    /// what became of it, and can be awaited in [`spawn`](Self::spawn); never wait for it here: the
    /// core could then not send.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Command`] if it is not valid, longer than 4096 bytes or of a guild of another
    /// shard, [`ErrorKind::Full`] if [`Limits::outbox_len_max`](crate::Limits::outbox_len_max)
    /// commands wait, [`ErrorKind::NotConnected`] for a heartbeat without a connection,
    /// [`ErrorKind::Stopped`] if the shard has stopped for good. Nothing was queued then.
    pub fn send(&mut self, command: impl Into<Outgoing>) -> Result<CommandReceipt, Error> {
        self.session.send(self.now, command)
    }

    /// Runs a future on this core, besides the events. It may use anything made for tokio's
    /// current-thread runtime or for tokio-uring, timers included.
    ///
    /// Its panic is counted and raised on the handle, never fatal. When the engine stops, it is
    /// dropped where it stands. Gives `false`, and does nothing, if
    /// [`Limits::tasks_max`](crate::Limits::tasks_max) futures run on this core.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) -> bool {
        self.effects.spawn(Box::pin(future))
    }

    /// Runs a closure on one of the helper threads: files, queries, anything that blocks.
    ///
    /// Do not use tokio's `spawn_blocking` on a core: its threads inherit the core's pinning and
    /// fight with it. Gives `false`, and does nothing, if
    /// [`Limits::blocking_len_max`](crate::Limits::blocking_len_max) jobs wait already.
    pub fn spawn_blocking(&mut self, job: impl FnOnce() + Send + 'static) -> bool {
        self.effects.spawn_blocking(Box::new(job))
    }

    /// No more events of this shard after this one, until
    /// [`Handle::unpause`](crate::Handle::unpause).
    ///
    /// Its socket is not read meanwhile, so TCP pushes back; its heartbeats go on, and its silence
    /// does not count against it. Discord drops a consumer that stays slow for minutes; the
    /// session is resumed then.
    pub fn pause(&mut self) {
        self.effects.pause = true;
    }
}

/// What a handler's call left for the driver to do.
#[derive(Default)]
pub struct Effects {
    pub(crate) tasks: Vec<Task>,
    pub(crate) blocking: Vec<Box<dyn FnOnce() + Send>>,
    pub(crate) pause: bool,
    pub(crate) room: Room,
    pub(crate) acks: AckSettings,
}

/// A future of the user.
pub(crate) type Task = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// How much more may be started; the driver keeps it current.
pub(crate) struct Room {
    pub(crate) tasks: usize,
    pub(crate) blocking: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { tasks: usize::MAX, blocking: usize::MAX }
    }
}

impl Effects {
    pub(crate) fn with_acks(open_max: u32) -> Self {
        Self { acks: AckSettings { open_max, ..AckSettings::default() }, ..Self::default() }
    }

    fn spawn(&mut self, task: Task) -> bool {
        let has_room = self.tasks.len() < self.room.tasks;
        if has_room {
            self.tasks.push(task);
        }
        has_room
    }

    fn spawn_blocking(&mut self, job: Box<dyn FnOnce() + Send>) -> bool {
        let has_room = self.blocking.len() < self.room.blocking;
        if has_room {
            self.blocking.push(job);
        }
        has_room
    }
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effects")
            .field("tasks", &self.tasks.len())
            .field("blocking", &self.blocking.len())
            .field("pause", &self.pause)
            .finish()
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("shard", &self.shard())
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        Self::new(ErrorKind::Command, error.to_string())
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::new(ErrorKind::Token, error.to_string())
    }
}

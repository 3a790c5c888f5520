//! Every bound and every time-out of the engine, by name, with its default.

use std::time::Duration;

use crate::shard::{acks, admission, settings};
use crate::wire::{PoolLimits, WireLimits};

/// Every bound of the engine, by name. The defaults suit thousands of shards.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bounds of one gateway message: as it comes (8 MiB), inflated (64 MiB), and of the reply to
    /// the upgrade (16 KiB).
    pub wire: WireLimits,
    /// Bounds of a core's memory for messages that are not yet whole.
    pub pool: PoolLimits,
    /// Receive buffers of a core, shared by its shards: a power of two. Default 512.
    pub receive_buffers: u16,
    /// Bytes of a receive buffer. Default 4096.
    pub receive_buffer_len: u32,
    /// Calls from other threads that may wait for a core. Default 4096.
    pub mailbox_len_max: usize,
    /// Commands that may wait in a shard. Default 64.
    pub outbox_len_max: usize,
    /// Events of a shard whose acknowledgement may be put off
    /// ([`Context::defer_ack`](crate::Context::defer_ack)), from the oldest open one on; then the
    /// shard waits. Default 256. A shard whose handler puts some off keeps 36 bytes for each.
    pub open_acks_max: u32,
    /// Futures that a handler may have spawned on a core and that have not ended. Default 65,536.
    pub tasks_max: usize,
    /// Jobs that may wait for the helper threads. Default 4096.
    pub blocking_len_max: usize,
    /// Helper threads: files, [`Context::spawn_blocking`](crate::Context::spawn_blocking). Default
    /// 2. Names are looked up by four threads besides.
    pub helper_threads: usize,
    /// Connections of this process that are being made at a time, from the dial to HELLO, or to
    /// RESUMED. Default 64.
    pub dials_max: u32,
    /// Payloads of one shard that are handled in one go before the next shard has its turn. Default
    /// 256.
    pub payloads_per_turn: u32,
    /// How long a core handles payloads before it looks at timers, commands and the handler's
    /// futures. Default 2 ms; one payload is never interrupted.
    pub turn: Duration,
    /// Bytes of scratch (text, tape, arena) that a core keeps after a large payload. Default 1 MiB.
    pub scratch_keep_len: usize,
    /// How long a write may take before its connection counts as dead. Default 20 s.
    pub write_timeout: Duration,
    /// How long [`Handler::on_stop`](crate::Handler::on_stop) and the closing of connections may
    /// take. Default 5 s each.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wire: WireLimits::default(),
            pool: PoolLimits::default(),
            receive_buffers: 512,
            receive_buffer_len: 4096,
            mailbox_len_max: 4096,
            outbox_len_max: 64,
            open_acks_max: acks::OPEN_ACKS_MAX,
            tasks_max: 65_536,
            blocking_len_max: 4096,
            helper_threads: 2,
            dials_max: admission::IN_FLIGHT_MAX,
            payloads_per_turn: 256,
            turn: Duration::from_millis(2),
            scratch_keep_len: 1 << 20,
            write_timeout: Duration::from_secs(20),
            stop_timeout: Duration::from_secs(5),
        }
    }
}

/// How long a shard waits for what. None of them leads to an IDENTIFY.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Name, TCP and upgrade together. Default 10 s; then the next attempt.
    pub dial: Duration,
    /// HELLO after the upgrade. Default 20 s; then the next attempt.
    pub hello: Duration,
    /// READY or RESUMED, until [`Link::Stalled`](crate::Link::Stalled) is raised. Default 60 s; the
    /// shard goes on waiting.
    pub stalled: Duration,
    /// RESUMED or any missed event after RESUME. Default 180 s; then RESUME on a new connection.
    pub resume: Duration,
    /// The peer's answer to our close frame. Default 2 s; then the connection is cut.
    pub close: Duration,
    /// How old a session without a connection may become before it counts as expired and a new
    /// one is begun. Default 1 h; Discord keeps sessions for some minutes, and tells when one is
    /// gone.
    pub session_age_max: Duration,
    /// How often `GET /gateway/bot` is asked again while the engine runs, so that the budget and
    /// `max_concurrency` stay true. Default 1 h; only where it is
    /// [asked](crate::ConfigBuilder::discovery) at all.
    pub discovery_refresh: Duration,
    /// After how long without a byte the kernel asks the other end whether it is there
    /// (`TCP_KEEPIDLE`; three probes, a third of this apart). Default 60 s: a connection whose
    /// other end has gone is found dead even where heartbeats are far apart; `None` leaves it off.
    pub tcp_keepalive: Option<Duration>,
    /// How long what was sent may go unacknowledged by TCP (`TCP_USER_TIMEOUT`). Default 30 s: a
    /// heartbeat that nobody receives ends the connection then, rather than at the next beat;
    /// `None` leaves it to the kernel (some 15 minutes).
    pub tcp_user: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            dial: settings::DIAL_WAIT,
            hello: settings::HELLO_WAIT,
            stalled: settings::STALLED_AFTER,
            resume: settings::RESUME_WAIT,
            close: settings::CLOSE_WAIT,
            session_age_max: settings::SESSION_AGE_MAX,
            discovery_refresh: Duration::from_secs(3600),
            tcp_keepalive: Some(Duration::from_secs(60)),
            tcp_user: Some(Duration::from_secs(30)),
        }
    }
}

//! What the gateway counted. Plain numbers; the event loop writes, handles read a copy.

use serde::Serialize;
use std::collections::BTreeMap;

/// A copy of the gateway's counters.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// TCP connections accepted.
    pub connections: u64,
    /// Connections that are open now.
    pub connections_open: u64,
    /// Of all, those to the resume host.
    pub connections_resume_host: u64,
    /// The most connections accepted within one second of the gateway's clock.
    pub accepted_per_s_max: u64,
    /// TLS handshakes that agreed on keys anew.
    pub tls_full: u64,
    /// TLS handshakes that went on with a ticket or session id.
    pub tls_resumed: u64,
    /// Connections that ended before their handshake did, or that broke TLS later.
    pub tls_failed: u64,
    /// Handshakes that are under way now.
    pub tls_handshaking: u64,
    /// The most handshakes that were under way at a time.
    pub tls_handshaking_max: u64,
    /// Sending keys changed on demand.
    pub tls_key_updates: u64,
    /// What the cuts did; the times are those of the last one.
    pub cut: CutStats,
    /// WebSocket upgrades answered with 101.
    pub upgrades: u64,
    /// What their URLs asked for: `none`, `zlib-stream`, `zstd-stream`.
    pub compressions: BTreeMap<String, u64>,
    /// IDENTIFYs that asked for payload compression.
    pub payload_compressions: u64,
    /// Upgrades and requests answered with an error status.
    pub http_errors: u64,
    /// GET /gateway and /gateway/bot answered with 200.
    pub http_requests: u64,
    /// Requests of HTTP by method and endpoint, whatever the answer (the first 64 endpoints).
    pub http: BTreeMap<String, u64>,
    /// Per shard id: when it identified and resumed, and how often it connected.
    pub shards: BTreeMap<u32, ShardStats>,
    /// IDENTIFYs that brought a READY.
    pub sessions: u64,
    /// Sessions that have a connection now.
    pub sessions_connected: u64,
    /// Sessions that are kept for a RESUME now.
    pub sessions_waiting: u64,
    /// IDENTIFYs received (well-formed).
    pub identifies: u64,
    /// Of these, refused by op 9 for coming within the window of their key.
    pub identifies_too_soon: u64,
    /// The most IDENTIFYs of one key within one window (1 is what Discord allows).
    pub identifies_per_window_max: u64,
    /// RESUMEs received (well-formed).
    pub resumes: u64,
    /// Of these, answered by RESUMED.
    pub resumed: u64,
    /// Dispatches sent again after a RESUME.
    pub replayed: u64,
    /// Heartbeats received.
    pub heartbeats: u64,
    /// Connections closed because no heartbeat came in time.
    pub heartbeats_late: u64,
    /// Heartbeats that came later than their interval and the grace after it.
    pub heartbeats_overdue: u64,
    /// Op 11 sent.
    pub acks: u64,
    /// Dispatches numbered.
    pub numbered: u64,
    /// Of these, generated or captured traffic.
    pub traffic_numbered: u64,
    /// Traffic events that were queued to a connection (replays included).
    pub traffic_sent: u64,
    /// Of these, taken from prepared blocks.
    pub traffic_from_blocks: u64,
    /// Bytes written to sockets, handshakes included.
    pub bytes_written: u64,
    /// Calls of `write`.
    pub writes: u64,
    /// Close codes received from clients (1005: a close frame without a code).
    pub closes_received: BTreeMap<u16, u64>,
    /// Close codes sent first.
    pub closes_sent: BTreeMap<u16, u64>,
    /// Connections that ended without a close frame from the client.
    pub ends_without_close: u64,
    /// Payloads received by opcode.
    pub received: BTreeMap<u64, u64>,
    /// The most payloads of one connection within one window (120 in 60 s is what Discord allows).
    pub payloads_per_window_max: u64,
    /// The most presences of one connection within 20 s (Discord allows 5).
    pub presences_per_window_max: u64,
    /// Presences beyond that.
    pub presences_over: u64,
    /// RATE_LIMITED dispatches: whole member lists of a guild asked for again within 30 s.
    pub rate_limited: u64,
    /// Faults committed.
    pub faults: u64,
    /// When traffic started, Unix ns; 0: not yet.
    pub traffic_start_unix_ns: u64,
    /// When the last traffic event was queued, Unix ns.
    pub traffic_last_unix_ns: u64,
    /// Sessions that have been numbered all the traffic that was asked for.
    pub sessions_done: u64,
    /// Time from the first block asked for to the moment when all prepared ones were there, ns.
    pub prepare_ns: u64,
    /// Blocks made.
    pub blocks: u64,
    /// Bytes of blocks in memory.
    pub block_bytes: u64,
    /// Times that a session had to wait for a block.
    pub starved: u64,
    /// CPU of the event loop's thread, user, ns, since the traffic started.
    pub cpu_user_ns: u64,
    /// CPU of the event loop's thread, system, ns, since the traffic started.
    pub cpu_system_ns: u64,
}

/// What cuts did to sessions, and how they came back.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CutStats {
    /// Cuts so far, by order or incident.
    pub cuts: u64,
    /// Connections that they ended.
    pub connections: u64,
    /// When the last one was, ms since the gateway started.
    pub at_ms: u64,
    /// Sessions whose connection the last one ended.
    pub sessions: u64,
    /// Of these, not yet resumed.
    pub waiting: u64,
    /// Of these, ended or replaced by an IDENTIFY before they were resumed.
    pub lost: u64,
    /// From the last cut to the first RESUMED of such a session, ms.
    pub first_resumed_ms: u64,
    /// And to the latest so far: with none waiting, the time until all were back.
    pub last_resumed_ms: u64,
}

/// Counters of one shard id.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ShardStats {
    /// Connections that identified as it or resumed a session of it.
    pub connections: u32,
    /// When each well-formed IDENTIFY came, ms since the gateway started (the first 1,000).
    pub identify_ms: Vec<u64>,
    /// When each well-formed RESUME came, ms since the gateway started (the first 1,000).
    pub resume_ms: Vec<u64>,
    /// When each RESUMED was queued, ms since the gateway started (the first 1,000).
    pub resumed_ms: Vec<u64>,
    /// Of the RESUMEs, those that came by the resume host.
    pub resumes_resume_host: u32,
    /// Heartbeats that came later than their interval and the grace after it.
    pub heartbeats_overdue: u32,
    /// The longest time without a heartbeat on one connection, ms; the first counts from HELLO.
    pub heartbeat_gap_max_ms: u64,
    /// The `seq` of each of these RESUMEs.
    pub resume_seq: Vec<u64>,
    /// Close codes that its connections sent (the first 1,000).
    pub close_codes: Vec<u16>,
    /// Payloads received on its connections by opcode.
    pub received: BTreeMap<u64, u64>,
    /// The last sequence number of its newest session.
    pub last_s: u64,
    /// The last payload that was no heartbeat, IDENTIFY or RESUME (tests look at commands).
    pub last_command: Option<String>,
}

/// Entries that a list of moments keeps.
pub(crate) const MOMENTS_MAX: usize = 1_000;

/// Adds to a bounded list.
pub(crate) fn note<T>(list: &mut Vec<T>, value: T) {
    if list.len() < MOMENTS_MAX {
        list.push(value);
    }
}

/// CPU time of a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    pub(crate) user_ns: u64,
    pub(crate) system_ns: u64,
}

impl Cpu {
    /// The calling thread's, so far.
    pub(crate) fn of_this_thread() -> Self {
        use nix::sys::resource::{UsageWho, getrusage};
        let ns = |time: nix::sys::time::TimeVal| {
            time.tv_sec() as u64 * 1_000_000_000 + time.tv_usec() as u64 * 1_000
        };
        // It cannot fail for one's own thread; zero would show at once in the report.
        match getrusage(UsageWho::RUSAGE_THREAD) {
            Ok(usage) => {
                Self { user_ns: ns(usage.user_time()), system_ns: ns(usage.system_time()) }
            }
            Err(_) => Self { user_ns: 0, system_ns: 0 },
        }
    }
}

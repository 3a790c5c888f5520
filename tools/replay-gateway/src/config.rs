//! What a user of the gateway may set, and the builder that sets it. Plain data, no behaviour.

use crate::faults::Fault;
use crate::http_fault::HttpFault;
use crate::outage::Incident;
use crate::tls::TlsConfig;
use crate::token::Token;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Everything that can be set. Start from `Config::default()` or use [`crate::Gateway::builder`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The one token accepted; `None` accepts any that is not empty.
    pub token: Option<Token>,
    /// `heartbeat_interval` of HELLO, in ms.
    pub heartbeat_interval_ms: u32,
    /// After so long without a heartbeat a connection is closed, in ms; 0: one and a half
    /// intervals.
    pub heartbeat_deadline_ms: u32,
    /// The code of that close.
    pub heartbeat_close: u16,
    /// A heartbeat that comes later than this after its interval counts as overdue, in ms; it
    /// closes nothing.
    pub heartbeat_grace_ms: u32,
    /// Intents that close with 4014.
    pub intents_disallowed: u64,
    /// Guilds in each shard's READY.
    pub guilds_per_shard: u32,
    /// Bytes of the `d` of each GUILD_CREATE after READY; 0: small ones of some 2 KB.
    pub big_guild_bytes: usize,
    /// Spaces the GUILD_CREATEs after READY: session `n` (in order of READY) waits `n` times this
    /// many ms for them. 0: at once.
    pub start_guild_spacing_ms: u64,
    /// Members that a whole-guild request (op 8) yields, in chunks of 1,000.
    pub members_per_guild: u32,
    /// `max_concurrency` of `session_start_limit`. At least 1.
    pub max_concurrency: u32,
    /// The window in which one IDENTIFY per key is let through, in ms. Discord's is 5,000.
    pub identify_window_ms: u64,
    /// `total` of `session_start_limit`. One IDENTIFY more ends all sessions and revokes the token.
    pub session_starts_total: u32,
    /// `remaining` of it at the start; `None`: all.
    pub session_starts_remaining: Option<u32>,
    /// `reset_after` of it at the start, in ms; then `remaining` is `total` again, and so on.
    pub session_starts_reset_ms: u64,
    /// `shards` of GET /gateway/bot.
    pub recommended_shards: u32,
    /// Shard counts that are no multiple of this close with 4010. At least 1.
    pub shard_count_multiple: u32,
    /// The bot's guilds in all: more than 2,500 of them per shard close with 4011.
    pub guilds_total: u32,
    /// What READY gives as `resume_gateway_url`.
    pub resume_url: ResumeUrl,
    /// Where the resume host of [`ResumeUrl::Host`] listens; `None`: on a free port of the main
    /// address.
    pub resume_bind: Option<SocketAddr>,
    /// TLS on all that listens; `None`: plain TCP.
    pub tls: Option<TlsConfig>,
    /// How `compress=zstd-stream` is framed.
    pub zstd_frames: ZstdFrames,
    /// A request whose `User-Agent` is not of the form `DiscordBot (URL, VERSION)` gets 403.
    pub demand_user_agent: bool,
    /// How HTTP requests go wrong.
    pub http_faults: Vec<HttpFault>,
    /// What befalls the gateway, and when.
    pub incidents: Vec<Incident>,
    /// How long a session without a connection can be resumed, in ms.
    pub session_ttl_ms: u64,
    /// Dispatches that a session keeps for RESUME, in events.
    pub replay_events_max: u64,
    /// And of these the ones that are no function of the seed, in bytes of text.
    pub replay_bytes_max: usize,
    /// How a RESUME of an unknown or expired session is answered.
    pub unknown_session: UnknownSession,
    /// Payloads that a client may send in a window.
    pub payloads_max: u32,
    /// That window, in ms.
    pub payloads_window_ms: u64,
    /// SO_SNDBUF of each connection, in bytes: with the client's receive buffer this bounds what
    /// is under way.
    pub send_buffer_bytes: usize,
    /// Generated traffic, if any.
    pub traffic: Option<TrafficConfig>,
    /// A capture file to play, if any (instead of generated traffic).
    pub capture: Option<CaptureConfig>,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// Faults to commit.
    pub faults: Vec<Fault>,
    /// How messages are cut into frames.
    pub framing: Framing,
    /// One event sent other than the ledger says.
    pub canary: Option<Canary>,
    /// Where the ledger goes.
    pub ledger: LedgerTo,
    /// Connections accepted at a time; more are refused by a close.
    pub connections_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: None,
            heartbeat_interval_ms: 41_250,
            heartbeat_deadline_ms: 0,
            heartbeat_close: 4000,
            heartbeat_grace_ms: 1_000,
            intents_disallowed: 0,
            guilds_per_shard: 1,
            big_guild_bytes: 0,
            start_guild_spacing_ms: 0,
            members_per_guild: 2_500,
            max_concurrency: 1,
            identify_window_ms: 5_000,
            session_starts_total: 1_000_000,
            session_starts_remaining: None,
            session_starts_reset_ms: 86_400_000,
            recommended_shards: 1,
            shard_count_multiple: 1,
            guilds_total: 0,
            resume_url: ResumeUrl::Own,
            resume_bind: None,
            tls: None,
            zstd_frames: ZstdFrames::Endless,
            demand_user_agent: false,
            http_faults: Vec::new(),
            incidents: Vec::new(),
            session_ttl_ms: 120_000,
            replay_events_max: 1_000_000,
            replay_bytes_max: 16 << 20,
            unknown_session: UnknownSession::InvalidSession,
            payloads_max: 120,
            payloads_window_ms: 60_000,
            send_buffer_bytes: 256 * 1024,
            traffic: None,
            capture: None,
            seed: 42,
            faults: Vec::new(),
            framing: Framing::Whole,
            canary: None,
            ledger: LedgerTo::None,
            connections_max: 20_000,
        }
    }
}

/// Generated traffic.
#[derive(Clone, Copy, Debug)]
pub struct TrafficConfig {
    /// When it starts.
    pub start: Start,
    /// Events per second over all shards; `None`: flat out.
    pub rate_per_s: Option<f64>,
    /// How many shards share the rate. At least 1.
    pub rate_shards: u32,
    /// Messages sent to a shard before the next one's turn; 0: as many as one write holds.
    pub burst: u64,
    /// Sequence numbers given to traffic in each session, then it ends; `None`: no end.
    pub events_per_shard: Option<u64>,
    /// How long after all is ready the traffic starts, in ms (a client can ask for the moment).
    pub lead_ms: u64,
    /// Bytes of prepared blocks kept in memory.
    pub block_bytes_max: usize,
    /// Threads that make blocks.
    pub makers: usize,
}

impl Default for TrafficConfig {
    fn default() -> Self {
        Self {
            start: Start::Each,
            rate_per_s: None,
            rate_shards: 1,
            burst: 0,
            events_per_shard: None,
            lead_ms: 0,
            block_bytes_max: 2 << 30,
            makers: 2,
        }
    }
}

/// When traffic starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// In each session, once its READY and GUILD_CREATEs are out.
    Each,
    /// In all, once so many shards have theirs (and blocks are prepared).
    Shards(u32),
    /// In all, so many ms after the gateway started.
    After(u64),
}

/// A capture to play.
#[derive(Clone, Debug)]
pub struct CaptureConfig {
    /// The file; the README of the tool has its format.
    pub path: PathBuf,
    /// Times its recorded speed; `None`: flat out.
    pub speed: Option<f64>,
    /// When it starts.
    pub start: Start,
}

/// What READY gives as `resume_gateway_url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeUrl {
    /// The gateway's own URL.
    Own,
    /// A local port that refuses connections.
    Refused,
    /// The gateway's own port, with a path that answers the upgrade with 503.
    Unavailable,
    /// A second address of the gateway's own, which fails and comes back apart from the first:
    /// see [`crate::GatewayHandle::outage`].
    Host,
    /// Something else.
    Custom(String),
}

/// How a zstd-stream is framed; the window is 2^17 bytes in either case.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Deserialize,
    serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ZstdFrames {
    /// One frame that never ends, flushed with each message: Discord's way.
    #[default]
    Endless,
    /// Each message is a frame of its own.
    EachMessage,
}

/// How a RESUME of an unknown session is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownSession {
    /// Op 9 with `d: false`.
    InvalidSession,
    /// Close 4009.
    Close4009,
}

/// How a message is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// One frame a message.
    Whole,
    /// A fragmented WebSocket message of so many frames (RFC 6455, section 5.4).
    Fragments(usize),
    /// Two frames, the final one empty.
    EmptyFinal,
    /// So many WebSocket messages for one payload (compressed streams only; text stays whole).
    Split(usize),
}

/// A deliberate lie, to prove that the ledger notices: in sessions of `shard`, near event `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// What is done to the event.
    pub kind: CanaryKind,
    /// The shard whose sessions are lied to.
    pub shard: u32,
    /// The index of the traffic event, from 0.
    pub at: u64,
}

/// What a [`Canary`] does on the wire; sequence numbers stay in order and the ledger untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryKind {
    /// The event is not sent.
    Drop,
    /// The next number carries the event once more, in place of its own.
    Double,
    /// The event and the next one change places.
    Swap,
    /// A byte of the text of `d` is changed (the JSON stays valid, the id stays).
    Alter,
}

/// Where the ledger goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerTo {
    /// Nowhere.
    None,
    /// Kept in memory, for [`crate::GatewayHandle::ledger`].
    Memory,
    /// A file in the format of [`crate::ledger`].
    File(PathBuf),
}

/// Sets a gateway up; every setting has a default. See [`Config`] for what each means.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(crate) config: Config,
}

macro_rules! setters {
    ($($name:ident: $type:ty,)*) => {
        $(
            #[doc = concat!("Sets [`Config::", stringify!($name), "`].")]
            #[must_use]
            pub fn $name(mut self, $name: $type) -> Self {
                self.config.$name = $name;
                self
            }
        )*
    };
}

impl Builder {
    setters! {
        bind: SocketAddr,
        heartbeat_interval_ms: u32,
        heartbeat_deadline_ms: u32,
        heartbeat_close: u16,
        heartbeat_grace_ms: u32,
        intents_disallowed: u64,
        guilds_per_shard: u32,
        big_guild_bytes: usize,
        start_guild_spacing_ms: u64,
        members_per_guild: u32,
        max_concurrency: u32,
        identify_window_ms: u64,
        session_starts_total: u32,
        session_starts_remaining: Option<u32>,
        session_starts_reset_ms: u64,
        recommended_shards: u32,
        shard_count_multiple: u32,
        guilds_total: u32,
        resume_url: ResumeUrl,
        resume_bind: Option<SocketAddr>,
        zstd_frames: ZstdFrames,
        demand_user_agent: bool,
        session_ttl_ms: u64,
        replay_events_max: u64,
        replay_bytes_max: usize,
        unknown_session: UnknownSession,
        payloads_max: u32,
        payloads_window_ms: u64,
        send_buffer_bytes: usize,
        seed: u64,
        framing: Framing,
        ledger: LedgerTo,
        connections_max: usize,
    }

    /// Sets [`Config::token`].
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.config.token = Some(token.into());
        self
    }

    /// Sets [`Config::traffic`].
    #[must_use]
    pub fn traffic(mut self, traffic: TrafficConfig) -> Self {
        self.config.traffic = Some(traffic);
        self
    }

    /// Sets [`Config::capture`].
    #[must_use]
    pub fn capture(mut self, capture: CaptureConfig) -> Self {
        self.config.capture = Some(capture);
        self
    }

    /// Sets [`Config::canary`].
    #[must_use]
    pub fn canary(mut self, canary: Canary) -> Self {
        self.config.canary = Some(canary);
        self
    }

    /// Sets [`Config::tls`].
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.config.tls = Some(tls);
        self
    }

    /// Adds a fault of HTTP.
    #[must_use]
    pub fn http_fault(mut self, fault: HttpFault) -> Self {
        self.config.http_faults.push(fault);
        self
    }

    /// Adds an incident.
    #[must_use]
    pub fn incident(mut self, incident: Incident) -> Self {
        self.config.incidents.push(incident);
        self
    }

    /// Adds a fault.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.config.faults.push(fault);
        self
    }

    /// What has been set.
    pub fn config(self) -> Config {
        self.config
    }
}

//! What is to be done, after all rules of the flags: plain data. Made by `cli`, read by everybody.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use replay_gateway::Token;
use serde::{Deserialize, Serialize};
use shardring::Compression;

use crate::placement::Placement;

/// `--compression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    /// zlib-stream
    Zlib,
    /// zstd-stream
    Zstd,
    /// Plain text
    None,
}

impl Wanted {
    pub(crate) fn compression(self) -> Compression {
        match self {
            Self::Zlib => Compression::ZlibStream,
            Self::Zstd => Compression::ZstdStream,
            Self::None => Compression::None,
        }
    }

    /// As `--compression` takes it.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::None => "none",
        }
    }

    /// As Discord calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib-stream",
            Self::Zstd => "zstd-stream",
            Self::None => "no compression",
        }
    }
}

/// `--ledger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LedgerMode {
    /// Session, number, id, and a hash of the text of `d`
    Full,
    /// Session, number, id
    Ids,
    /// Nothing
    Off,
}

/// `--canary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Canary {
    /// An event is not sent
    Drop,
    /// An event is sent again in place of the next
    Double,
    /// Two events change places
    Swap,
    /// A byte of an event is changed
    Alter,
}

/// `--scenario`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// CPU per event: bursts of 1, 4 and 16 and flat out, on --shards and on one shard
    Speed,
    /// Memory: READY with one guild
    MemoryA,
    /// Memory: READY with 1,000 guilds and their GUILD_CREATEs, past the window
    MemoryB,
    /// Memory: (b), then a 3 MB GUILD_CREATE on each shard in turn
    MemoryC,
    /// All --shards are cut at once, over TLS, beside 200 shards that are not: how they come back
    Storm,
}

/// What is to be done: the flags after all rules.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) job: JobPlan,
    pub(crate) scenario: Option<Scenario>,
    /// Where the page goes, if one is wanted.
    pub(crate) report: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// One job.
#[derive(Clone, Debug)]
pub(crate) struct JobPlan {
    pub(crate) gateway: GatewayPlan,
    pub(crate) token: Token,
    pub(crate) shards: u32,
    pub(crate) max_concurrency: u32,
    pub(crate) placement: Placement,
    pub(crate) compression: Wanted,
    /// The embedded gateway speaks TLS.
    pub(crate) tls: bool,
    /// A CA to believe, for a gateway at `wss://`.
    pub(crate) ca: Option<PathBuf>,
    /// The first so many shards are cut in the midst of the traffic.
    pub(crate) cut: Option<u32>,
    pub(crate) linger: Duration,
    pub(crate) ledger: LedgerMode,
    pub(crate) load: Load,
    pub(crate) guilds_per_shard: u32,
    /// Commands beside the events, over all shards.
    pub(crate) commands_per_s: Option<f64>,
    /// Bytes of each GUILD_CREATE after READY; 0: small ones.
    pub(crate) guild_bytes: usize,
    pub(crate) seed: u64,
    pub(crate) ready_timeout: Duration,
    /// Where the client's metrics are served, if they are.
    pub(crate) metrics_listen: Option<SocketAddr>,
}

impl JobPlan {
    /// Between the last start event and the reading of idle memory: a core gives memory back a
    /// second after large payloads.
    pub(crate) fn settle(&self) -> Duration {
        let large = self.guild_bytes > 0 || self.load == Load::Idle { big_guilds: true };
        if large { SETTLE_LARGE } else { SETTLE }
    }
}

/// Who sends.
#[derive(Clone, Debug)]
pub(crate) enum GatewayPlan {
    /// A child of ours.
    Embedded { canary: Option<Canary>, faults: Vec<String> },
    /// Somebody else.
    At { url: String, ledger_file: Option<PathBuf> },
}

/// What is sent, once all shards are READY.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Load {
    /// Nothing: memory is measured; then, if asked for, a GUILD_CREATE of 3 MB on each shard in
    /// turn.
    Idle { big_guilds: bool },
    /// At drawn moments.
    Paced { rate_per_s: f64, burst: u64, events_per_shard: u64 },
    /// As fast as it goes; without a number for so long.
    FlatOut { burst: u64, events_per_shard: Option<u64>, at_most: Option<Duration> },
    /// A capture, to each shard.
    Capture { path: PathBuf, speed: Option<f64>, at_most: Option<Duration> },
    /// Whatever a foreign gateway sends, for so long or so many.
    Foreign { events: Option<u64>, at_most: Option<Duration> },
}

/// See [`JobPlan::settle`].
const SETTLE: Duration = Duration::from_millis(300);
/// The same after large payloads.
const SETTLE_LARGE: Duration = Duration::from_millis(2_000);
/// Bytes of a large guild.
pub(crate) const GUILD_BURST_BYTES: usize = 3_000_000;

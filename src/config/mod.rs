//! What a user may set: built valid or not at all.
//!
//! It holds no state and starts nothing. Every bound of the engine has its name in [`Limits`].
//! The engine reads it once, at the start.

mod builder;
mod filter;
mod intents;
mod interest;
mod limits;
mod shards;
mod sift;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use builder::ConfigBuilder;
pub use filter::{FILTER_IDS_MAX, FILTER_NAME_LEN_MAX, FILTER_NAMES_MAX, Filter};
pub use intents::Intents;
pub use interest::{Delivery, Interest};
pub use limits::{Limits, Timeouts};
pub use shards::Shards;

use crate::command::UpdatePresence;
use crate::error::{Error, ErrorKind};
use crate::shard::budget::{BudgetSettings, StartLedger};
use crate::shard::identify::IdentifyGate;
use crate::shard::token::Token;
#[cfg(feature = "tls")]
use crate::trust::Roots;
use crate::wire::{Compression, GatewayUrl, Proxy, ProxyError};

/// What an engine is started with. Made by [`Config::builder`]; valid if it exists.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) token: Token,
    pub(crate) intents: Intents,
    pub(crate) interest: Interest,
    pub(crate) shards: Shards,
    pub(crate) gateway_url: GatewayUrl,
    /// The gateway's address was given: what discovery says does not replace it.
    pub(crate) gateway_url_given: bool,
    pub(crate) rest_base: Given,
    /// Whether `GET /gateway/bot` is asked before the start.
    pub(crate) discovers: bool,
    /// A large bot's total need not be a multiple of what Discord recommends.
    pub(crate) any_total: bool,
    #[cfg(feature = "tls")]
    pub(crate) roots: Roots,
    pub(crate) proxy: ProxyChoice,
    pub(crate) compression: Compression,
    pub(crate) budget: BudgetSettings,
    pub(crate) book: Option<PathBuf>,
    pub(crate) start_ledger: Option<Arc<dyn StartLedger>>,
    pub(crate) identify_gate: Option<Arc<dyn IdentifyGate>>,
    /// `max_concurrency` was given: what discovery says later does not change it.
    pub(crate) max_concurrency_given: bool,
    /// As given; otherwise as discovered, or 1.
    pub(crate) max_concurrency: Option<u32>,
    pub(crate) large_threshold: Option<u8>,
    pub(crate) presence: Option<UpdatePresence>,
    pub(crate) cores: Cores,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) linger: Duration,
    pub(crate) seed: Option<u64>,
}

impl Config {
    /// Starts a configuration: the two things that have no default.
    ///
    /// ```
    /// use shardring::{Config, Intents, Shards, Token};
    /// # fn main() -> Result<(), shardring::Error> {
    /// let config = Config::builder(Token::new("not.a.token")?, Intents::GUILDS)
    ///     .shards(Shards::range(0..64, 128))
    ///     .gateway_url("ws://127.0.0.1:8080")
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(token: Token, intents: Intents) -> ConfigBuilder {
        ConfigBuilder::new(token, intents)
    }

    /// The shards that will run: none yet where as many are wanted as Discord recommends.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }
}

/// An address as it was given, unchecked: if a user or password may stand in there, `Debug` does
/// not repeat it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Given(pub(crate) String);

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.contains('@') {
            true => f.write_str("(holds a user or password)"),
            false => self.0.fmt(f),
        }
    }
}

/// The cores that an engine's threads are pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// All that the process may use.
    All,
    /// The first so many of those.
    First(usize),
    /// These, ascending.
    These(Vec<usize>),
}

impl From<ProxyError> for Error {
    fn from(error: ProxyError) -> Self {
        Self::new(ErrorKind::Config, error.to_string())
    }
}

/// Which proxy connections go through.
#[derive(Clone, Debug)]
pub(crate) enum ProxyChoice {
    /// What the environment names for the address.
    Environment,
    /// None, whatever the environment says.
    None,
    /// This one.
    Given(Proxy),
}

/// The gateway's address when none is given.
pub const DEFAULT_GATEWAY_URL: &str = "wss://gateway.discord.gg";

//! What a user may set: built valid or not at all.
//!
//! It holds no state and starts nothing. Every bound of the engine has its name in [`Limits`].
//! The engine reads it once, at the start.

mod intents;
mod limits;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

pub use intents::Intents;
pub use limits::{Limits, Timeouts};

use crate::command::UpdatePresence;
use crate::error::{Error, ErrorKind};
use crate::model::{EventKind, EventSet};
use crate::shard::token::Token;
use crate::wire::{Compression, GatewayUrl};

/// What the handler wants to see of a kind of event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Counted, never parsed. Costs the inflate and a scan of the envelope.
    Skip,
    /// Parsed into its typed value (or a JSON tree, where there is no type). No copy.
    #[default]
    Typed,
    /// The JSON text as it came, not parsed: for forwarding.
    Raw,
    /// Both: the typed value, and the text by [`Context::raw`](crate::Context::raw). The text is
    /// copied once before it is parsed, since parsing rewrites it, and checked to be UTF-8: some
    /// 0.5 µs for a payload of 1.2 KB (`whole/zlib_raw_and_typed` in `benches/receive.rs`).
    RawAndTyped,
}

/// What the handler wants to see, kind by kind. Fixed when the engine starts.
///
/// ```
/// use shardring::{Delivery, EventKind, Interest};
/// let interest = Interest::typed([EventKind::MessageCreate]).raw([EventKind::PresenceUpdate]);
/// assert_eq!(interest.delivery(EventKind::MessageCreate), Delivery::Typed);
/// assert_eq!(interest.delivery(EventKind::TypingStart), Delivery::Skip);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Interest([Delivery; EventKind::COUNT]);

impl Interest {
    /// The same for every kind, those that this version does not know included.
    pub const fn all(delivery: Delivery) -> Self {
        Self([delivery; EventKind::COUNT])
    }

    /// These kinds typed, all others skipped.
    pub fn typed(kinds: impl IntoIterator<Item = EventKind>) -> Self {
        Self::all(Delivery::Skip).with(kinds, Delivery::Typed)
    }

    /// These kinds as text.
    #[must_use]
    pub fn raw(self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.with(kinds, Delivery::Raw)
    }

    /// These kinds in this way; the rest stays as it was.
    #[must_use]
    pub fn with(mut self, kinds: impl IntoIterator<Item = EventKind>, delivery: Delivery) -> Self {
        for kind in kinds {
            self.0[kind.index()] = delivery;
        }
        self
    }

    /// How a kind is delivered.
    pub fn delivery(&self, kind: EventKind) -> Delivery {
        self.0[kind.index()]
    }

    /// The kinds that are not skipped.
    pub fn kinds(&self) -> EventSet {
        EventKind::ALL
            .iter()
            .copied()
            .filter(|kind| self.delivery(*kind) != Delivery::Skip)
            .collect()
    }
}

impl Default for Interest {
    /// Everything, typed.
    fn default() -> Self {
        Self::all(Delivery::Typed)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(EventKind::ALL.iter().map(|kind| (kind, self.delivery(*kind))))
            .finish()
    }
}

/// Which shards of how many this engine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shards {
    ids: Vec<u32>,
    total: u32,
}

impl Shards {
    /// All shards of a total.
    pub fn all(total: u32) -> Self {
        Self::range(0..total, total)
    }

    /// A range of a total: several processes may share one bot.
    pub fn range(ids: Range<u32>, total: u32) -> Self {
        Self { ids: ids.collect(), total }
    }

    /// A list of a total. Sorted; named twice is the same as once.
    pub fn list(ids: impl IntoIterator<Item = u32>, total: u32) -> Self {
        let ids: BTreeSet<u32> = ids.into_iter().collect();
        Self { ids: ids.into_iter().collect(), total }
    }

    /// The ids, ascending.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The `num_shards` of IDENTIFY.
    pub fn total(&self) -> u32 {
        self.total
    }
}

/// What an engine is started with. Made by [`Config::builder`]; valid if it exists.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) token: Token,
    pub(crate) intents: Intents,
    pub(crate) interest: Interest,
    pub(crate) shards: Shards,
    pub(crate) gateway_url: GatewayUrl,
    pub(crate) compression: Compression,
    pub(crate) max_concurrency: u32,
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
        ConfigBuilder {
            token,
            intents,
            interest: Interest::default(),
            shards: Shards::all(1),
            gateway_url: DEFAULT_GATEWAY_URL.to_owned(),
            compression: Compression::ZlibStream,
            max_concurrency: 1,
            large_threshold: None,
            presence: None,
            cores: Cores::All,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            linger: Duration::ZERO,
            seed: None,
        }
    }

    /// The shards that will run.
    pub fn shards(&self) -> &Shards {
        &self.shards
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

/// The gateway's address when none is given.
pub const DEFAULT_GATEWAY_URL: &str = "wss://gateway.discord.gg";

/// The largest `num_shards` accepted: beyond it something is mistyped.
const SHARDS_MAX: u32 = 1 << 20;

/// The longest [`ConfigBuilder::linger`].
const LINGER_MAX: Duration = Duration::from_millis(1);

/// Collects the settings of a [`Config`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `build`"]
pub struct ConfigBuilder {
    token: Token,
    intents: Intents,
    interest: Interest,
    shards: Shards,
    gateway_url: String,
    compression: Compression,
    max_concurrency: u32,
    large_threshold: Option<u8>,
    presence: Option<UpdatePresence>,
    cores: Cores,
    limits: Limits,
    timeouts: Timeouts,
    linger: Duration,
    seed: Option<u64>,
}

impl ConfigBuilder {
    /// What the handler wants to see. Default: everything, typed.
    pub fn interest(mut self, interest: Interest) -> Self {
        self.interest = interest;
        self
    }

    /// Which shards run. Default: one of one.
    pub fn shards(mut self, shards: Shards) -> Self {
        self.shards = shards;
        self
    }

    /// The gateway's address, `ws://host[:port][/path][?query]`; the query gets `v`, `encoding` and
    /// `compress`. Default [`DEFAULT_GATEWAY_URL`].
    pub fn gateway_url(mut self, url: impl Into<String>) -> Self {
        self.gateway_url = url.into();
        self
    }

    /// Transport compression. Default zlib-stream.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// `max_concurrency` of the session start limit (`GET /gateway/bot`): IDENTIFYs per five
    /// seconds. Default 1; 0 is taken as 1.
    pub fn max_concurrency(mut self, max_concurrency: u32) -> Self {
        self.max_concurrency = max_concurrency.max(1);
        self
    }

    /// From how many members on GUILD_CREATE leaves out offline ones: 50 to 250. Default: not
    /// sent, Discord then takes 50.
    pub fn large_threshold(mut self, members: u8) -> Self {
        self.large_threshold = Some(members);
        self
    }

    /// The presence sent with each IDENTIFY. Default: none is sent.
    pub fn presence(mut self, presence: UpdatePresence) -> Self {
        self.presence = Some(presence);
        self
    }

    /// How many cores to use: the first ones that the process may run on. Default: all of them.
    pub fn cores(mut self, count: usize) -> Self {
        self.cores = Cores::First(count);
        self
    }

    /// Which cores to use, by the numbers that the kernel gives them. One thread is pinned to each.
    pub fn cpus(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.cores = Cores::These(cpus.into_iter().collect::<BTreeSet<_>>().into_iter().collect());
        self
    }

    /// Bounds.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long shards wait for what.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// When something came, wait up to this long for more before going to sleep: at most 1 ms.
    ///
    /// Default zero. It trades latency for CPU time: at a steady trickle one wake-up then serves
    /// what came in that time, and wake-ups cost more there than decoding; each event may come
    /// later by up to this, and the handler's futures wait as long.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// The seed of all jitter and masks, so that a run can be repeated. Default: from the clock.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], naming the setting and the rule. Nothing was sent or started.
    pub fn build(self) -> Result<Config, Error> {
        let refuse = |detail: String| Err(Error::new(ErrorKind::Config, detail));
        let Shards { ids, total } = &self.shards;
        if *total == 0 || *total > SHARDS_MAX {
            return refuse(format!("shards: the total is {total}; it must be 1 to {SHARDS_MAX}"));
        }
        if ids.is_empty() {
            return refuse("shards: the range or list is empty".to_owned());
        }
        if let Some(id) = ids.iter().find(|id| *id >= total) {
            return refuse(format!("shards: id {id} does not exist in a total of {total}"));
        }
        let url = match GatewayUrl::parse(&self.gateway_url) {
            Ok(url) => url,
            Err(error) => return refuse(format!("gateway_url: {error}")),
        };
        if url.is_secure() {
            return refuse(format!(
                "gateway_url: {url} asks for TLS, which this version does not speak yet; \
                 use a ws:// address (a replay gateway, or a local proxy that speaks TLS)"
            ));
        }
        if let Some(members) = self.large_threshold
            && !(50..=250).contains(&members)
        {
            return refuse(format!("large_threshold: {members} is not in 50..=250"));
        }
        if self.linger > LINGER_MAX {
            return refuse(format!("linger: {:?} is more than {LINGER_MAX:?}", self.linger));
        }
        let cores_none = match &self.cores {
            Cores::All => false,
            Cores::First(count) => *count == 0,
            Cores::These(cpus) => cpus.is_empty(),
        };
        if cores_none {
            return refuse("cores: at least one is needed".to_owned());
        }
        self.check_limits()?;
        Ok(Config {
            token: self.token,
            intents: self.intents,
            interest: self.interest,
            shards: self.shards,
            gateway_url: url,
            compression: self.compression,
            max_concurrency: self.max_concurrency,
            large_threshold: self.large_threshold,
            presence: self.presence,
            cores: self.cores,
            limits: self.limits,
            timeouts: self.timeouts,
            linger: self.linger,
            seed: self.seed,
        })
    }

    fn check_limits(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let rules = [
            (
                limits.receive_buffers.is_power_of_two()
                    && (8..=2048).contains(&limits.receive_buffers),
                "limits.receive_buffers: a power of two from 8 to 2048",
            ),
            (
                (512..=65_536).contains(&limits.receive_buffer_len),
                "limits.receive_buffer_len: 512 to 65,536 bytes",
            ),
            (limits.mailbox_len_max > 0, "limits.mailbox_len_max: at least 1"),
            (limits.outbox_len_max > 0, "limits.outbox_len_max: at least 1"),
            (limits.tasks_max > 0, "limits.tasks_max: at least 1"),
            (limits.blocking_len_max > 0, "limits.blocking_len_max: at least 1"),
            ((1..=64).contains(&limits.helper_threads), "limits.helper_threads: 1 to 64"),
            (limits.payloads_per_turn > 0, "limits.payloads_per_turn: at least 1"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(Error::new(ErrorKind::Config, rule)),
            None => Ok(()),
        }
    }
}

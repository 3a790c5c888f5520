//! What a user may set: built valid or not at all.
//!
//! It holds no state and starts nothing. Every bound of the engine has its name in [`Limits`].
//! The engine reads it once, at the start.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{BitOr, BitOrAssign, Range};
use std::time::Duration;

use crate::command::UpdatePresence;
use crate::error::{Error, ErrorKind};
use crate::model::{EventKind, EventSet};
use crate::shard::settings;
use crate::shard::token::Token;
use crate::wire::{Compression, GatewayUrl, PoolLimits, WireLimits};

/// The gateway's events that Discord sends, by group (protocol.md §8, Discord's *Gateway Intents*).
///
/// ```
/// use shardring::Intents;
/// let intents = Intents::GUILDS | Intents::GUILD_MESSAGES;
/// assert_eq!(intents.bits(), 513);
/// assert!(intents.contains(Intents::GUILDS));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Intents(u64);

macro_rules! intents {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Intents {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
            /// Every intent that Discord documents, the three privileged ones included.
            pub const ALL: Self = Self(0 $(| 1 << $bit)*);
            const NAMES: &[(&'static str, Self)] = &[$((stringify!($name), Self::$name)),*];
        }
    };
}

intents! {
    /// Guilds, roles, channels, threads and stages.
    GUILDS = 0;
    /// Members joining, leaving, changing. Privileged.
    GUILD_MEMBERS = 1;
    /// Bans and the audit log.
    GUILD_MODERATION = 2;
    /// Emojis, stickers, soundboard sounds.
    GUILD_EXPRESSIONS = 3;
    /// Integrations.
    GUILD_INTEGRATIONS = 4;
    /// Webhooks.
    GUILD_WEBHOOKS = 5;
    /// Invites.
    GUILD_INVITES = 6;
    /// Voice states.
    GUILD_VOICE_STATES = 7;
    /// Presences. Privileged.
    GUILD_PRESENCES = 8;
    /// Messages in guilds.
    GUILD_MESSAGES = 9;
    /// Reactions in guilds.
    GUILD_MESSAGE_REACTIONS = 10;
    /// Typing in guilds.
    GUILD_MESSAGE_TYPING = 11;
    /// Direct messages.
    DIRECT_MESSAGES = 12;
    /// Reactions in direct messages.
    DIRECT_MESSAGE_REACTIONS = 13;
    /// Typing in direct messages.
    DIRECT_MESSAGE_TYPING = 14;
    /// The contents of messages. Privileged.
    MESSAGE_CONTENT = 15;
    /// Scheduled events.
    GUILD_SCHEDULED_EVENTS = 16;
    /// Rules of auto-moderation.
    AUTO_MODERATION_CONFIGURATION = 20;
    /// Actions of auto-moderation.
    AUTO_MODERATION_EXECUTION = 21;
    /// Polls in guilds.
    GUILD_MESSAGE_POLLS = 24;
    /// Polls in direct messages.
    DIRECT_MESSAGE_POLLS = 25;
}

impl Intents {
    /// The three that must be switched on for the application first.
    pub const PRIVILEGED: Self =
        Self(Self::GUILD_MEMBERS.0 | Self::GUILD_PRESENCES.0 | Self::MESSAGE_CONTENT.0);
    /// All but the privileged ones.
    pub const UNPRIVILEGED: Self = Self(Self::ALL.0 & !Self::PRIVILEGED.0);

    /// The bits as IDENTIFY sends them. Bits that are not documented are kept: Discord judges.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Intents {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Intents {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Intents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut first = true;
        for (name, intent) in Self::NAMES {
            if self.contains(*intent) {
                f.write_str(if first { "" } else { " | " })?;
                f.write_str(name)?;
                first = false;
                rest &= !intent.0;
            }
        }
        match (rest, first) {
            (0, true) => f.write_str("(none)"),
            (0, false) => Ok(()),
            (_, true) => write!(f, "{rest:#x}"),
            (_, false) => write!(f, " | {rest:#x}"),
        }
    }
}

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
    /// copied once before it is parsed, since parsing rewrites it: some 0.1 µs for a payload of
    /// 1.2 KB.
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
    /// Futures that a handler may have spawned on a core and that have not ended. Default 65,536.
    pub tasks_max: usize,
    /// Jobs that may wait for the helper threads. Default 4096.
    pub blocking_len_max: usize,
    /// Helper threads: DNS, files, [`Context::spawn_blocking`](crate::Context::spawn_blocking).
    /// Default 2.
    pub helper_threads: usize,
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
            tasks_max: 65_536,
            blocking_len_max: 4096,
            helper_threads: 2,
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
    /// one is begun. Default 1 h; Discord keeps sessions for some minutes and tells when one is gone.
    pub session_age_max: Duration,
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
        }
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

    /// After a wake-up, wait this long for more to arrive before handling anything: at most 1 ms.
    ///
    /// Default zero. It trades latency for CPU time: each event may come later by up to this,
    /// and the handler's futures wait as long; at a steady trickle of events it saves wake-ups,
    /// which cost more there than decoding.
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

//! Collects settings, and checks them together.
//!
//! Nothing is started or sent here; what is wrong is said in one sentence that names the setting.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Config, Cores, DEFAULT_GATEWAY_URL, Given, Intents, Interest, Limits, ProxyChoice, Shards,
    Timeouts,
};
use crate::command::UpdatePresence;
use crate::discovery::{DEFAULT_REST_BASE, check_base};
use crate::error::{Error, ErrorKind};
use crate::shard::budget::{BudgetSettings, StartLedger};
use crate::shard::identify::IdentifyGate;
use crate::shard::token::Token;
#[cfg(feature = "tls")]
use crate::trust::Roots;
use crate::wire::{Compression, GatewayUrl, Proxy};

/// Collects the settings of a [`Config`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `build`"]
pub struct ConfigBuilder {
    token: Token,
    intents: Intents,
    interest: Interest,
    shards: Option<Shards>,
    gateway_url: Option<Given>,
    rest_base: Option<Given>,
    discovers: Option<bool>,
    any_total: bool,
    #[cfg(feature = "tls")]
    roots: Roots,
    proxy: ProxyChoice,
    compression: Compression,
    budget: BudgetSettings,
    book: Option<PathBuf>,
    start_ledger: Option<Arc<dyn StartLedger>>,
    identify_gate: Option<Arc<dyn IdentifyGate>>,
    max_concurrency: Option<u32>,
    large_threshold: Option<u8>,
    presence: Option<UpdatePresence>,
    cores: Cores,
    limits: Limits,
    timeouts: Timeouts,
    linger: Duration,
    seed: Option<u64>,
}

impl ConfigBuilder {
    pub(super) fn new(token: Token, intents: Intents) -> Self {
        Self {
            token,
            intents,
            interest: Interest::default(),
            shards: None,
            gateway_url: None,
            rest_base: None,
            discovers: None,
            any_total: false,
            #[cfg(feature = "tls")]
            roots: Roots::default(),
            proxy: ProxyChoice::Environment,
            compression: Compression::ZlibStream,
            budget: BudgetSettings::default(),
            book: None,
            start_ledger: None,
            identify_gate: None,
            max_concurrency: None,
            large_threshold: None,
            presence: None,
            cores: Cores::All,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            linger: Duration::ZERO,
            seed: None,
        }
    }

    /// What the handler wants to see. Default: everything, typed.
    pub fn interest(mut self, interest: Interest) -> Self {
        self.interest = interest;
        self
    }

    /// Which shards run. Default: as many as recommended where that is
    /// [discovered](Self::discovery), else one of one.
    pub fn shards(mut self, shards: Shards) -> Self {
        self.shards = Some(shards);
        self
    }

    /// The gateway's address, `wss://host[:port][/path][?query]`, or `ws://` for one without TLS
    /// (a replay gateway, a proxy on this machine); the query gets `v`, `encoding` and `compress`.
    /// Default: what [discovery](Self::discovery) says, or [`DEFAULT_GATEWAY_URL`] without it.
    pub fn gateway_url(mut self, url: impl Into<String>) -> Self {
        self.gateway_url = Some(Given(url.into()));
        self
    }

    /// Where the REST API is: `http[s]://host[:port]/path`, the version included. Default
    /// [`DEFAULT_REST_BASE`].
    pub fn rest_base(mut self, base: impl Into<String>) -> Self {
        self.rest_base = Some(Given(base.into()));
        self
    }

    /// Whether [`Engine::start`](crate::Engine::start) asks `GET /gateway/bot` first: for the
    /// gateway's address, the recommended number of shards, and the session start limit, that the
    /// budget lives on. Default: yes, unless a [`gateway_url`](Self::gateway_url) was given and no
    /// [`rest_base`](Self::rest_base).
    pub fn discovery(mut self, on: bool) -> Self {
        self.discovers = Some(on);
        self
    }

    /// Runs a total that is no multiple of the recommended number though the bot is a large one,
    /// for which Discord demands that (close code 4010). Default: refused at the start.
    pub fn any_total(mut self) -> Self {
        self.any_total = true;
        self
    }

    /// Whose certificates are believed. Default [`Roots::platform`]. Certificates are always
    /// verified.
    #[cfg(feature = "tls")]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Goes through this proxy, for the gateway and for discovery. Default: what the environment
    /// names (`https_proxy`, `http_proxy`, `all_proxy`, less what `no_proxy` leaves out; never for
    /// this machine itself).
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = ProxyChoice::Given(proxy);
        self
    }

    /// Goes through no proxy, whatever the environment names.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::None;
        self
    }

    /// Transport compression. Default zlib-stream.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// `max_concurrency` of the session start limit (`GET /gateway/bot`): IDENTIFYs per five
    /// seconds. Default: as [discovered](Self::discovery), else 1; 0 is taken as 1.
    pub fn max_concurrency(mut self, max_concurrency: u32) -> Self {
        self.max_concurrency = Some(max_concurrency.max(1));
        self
    }

    /// How the day's session starts are rationed: their total where Discord is not asked, the
    /// reserve, and whether a start that they do not cover goes ahead. Default: as discovered, or
    /// Discord's documented 1000 a day; 5 % in reserve; such a start is refused.
    ///
    /// At gateways that are not Discord's (a replay gateway, a test) set
    /// [`total`](BudgetSettings::total) to what you need.
    pub fn budget(mut self, budget: BudgetSettings) -> Self {
        self.budget = budget;
        self
    }

    /// The file in which all processes of this bot on this host count their session starts and take
    /// turns to IDENTIFY; made if it is not there. It must outlive a boot and lie on a local disk.
    /// See [`Book`](crate::Book). Default: none, and each process and each restart counts from
    /// what Discord says at its start.
    pub fn book(mut self, path: impl Into<PathBuf>) -> Self {
        self.book = Some(path.into());
        self
    }

    /// Counts session starts in a ledger of your own, which a cluster may share. Default: the
    /// [book](Self::book), or this process's memory.
    pub fn start_ledger(mut self, ledger: Arc<dyn StartLedger>) -> Self {
        self.start_ledger = Some(ledger);
        self
    }

    /// Takes turns to IDENTIFY at a gate of your own, which a cluster may share. Default: a gate of
    /// this process, or of this host with a [book](Self::book).
    pub fn identify_gate(mut self, gate: Arc<dyn IdentifyGate>) -> Self {
        self.identify_gate = Some(gate);
        self
    }

    /// From how many members on GUILD_CREATE leaves out offline ones: 50 to 250. Default: not
    /// sent, Discord then takes 50.
    pub fn large_threshold(mut self, members: u8) -> Self {
        self.large_threshold = Some(members);
        self
    }

    /// The presence sent with each IDENTIFY, until a shard is given another by a command. What it
    /// does not set has its default (online, no activity, not idle). Default: none is sent.
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
        let gateway_url_given = self.gateway_url.is_some();
        let discovers = self.discovers.unwrap_or(!gateway_url_given || self.rest_base.is_some());
        let shards = self.shards.clone().unwrap_or_else(|| match discovers {
            true => Shards::recommended(),
            false => Shards::all(1),
        });
        if let Err(rule) = shards.check(discovers) {
            return refuse(format!("shards: {rule}"));
        }
        let gateway_url = self.checked_url(discovers)?;
        if let Some(members) = self.large_threshold
            && !(50..=250).contains(&members)
        {
            return refuse(format!("large_threshold: {members} is not in 50..=250"));
        }
        if let Some(Err(rule)) = self.presence.as_ref().map(UpdatePresence::check) {
            return refuse(format!("presence: {rule}"));
        }
        if let Err(rule) = self.interest.check() {
            return refuse(format!("interest: {rule}"));
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
            shards,
            gateway_url,
            gateway_url_given,
            rest_base: self.rest_base.unwrap_or_else(|| Given(DEFAULT_REST_BASE.to_owned())),
            discovers,
            any_total: self.any_total,
            #[cfg(feature = "tls")]
            roots: self.roots,
            proxy: self.proxy,
            compression: self.compression,
            budget: self.budget,
            book: self.book,
            start_ledger: self.start_ledger,
            identify_gate: self.identify_gate,
            max_concurrency_given: self.max_concurrency.is_some(),
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

    fn checked_url(&self, discovers: bool) -> Result<GatewayUrl, Error> {
        let refuse = |detail: String| Err(Error::new(ErrorKind::Config, detail));
        if discovers && cfg!(not(feature = "discovery")) {
            let rule = "discovery: this build has not the feature `discovery`; give gateway_url, \
                        or switch discovery off";
            return refuse(rule.to_owned());
        }
        if let Some(base) = &self.rest_base {
            check_base(&base.0)?;
        }
        let given = self.gateway_url.as_ref().map_or(DEFAULT_GATEWAY_URL, |given| &given.0);
        match GatewayUrl::parse(given) {
            Ok(url) if url.is_secure() && cfg!(not(feature = "tls")) => refuse(format!(
                "gateway_url: {url} asks for TLS, and this build has not the feature `tls`"
            )),
            Ok(url) => Ok(url),
            Err(error) => refuse(format!("gateway_url: {error}")),
        }
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
            ((1..=65_536).contains(&limits.open_acks_max), "limits.open_acks_max: 1 to 65,536"),
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

/// The longest [`ConfigBuilder::linger`].
const LINGER_MAX: Duration = Duration::from_millis(1);

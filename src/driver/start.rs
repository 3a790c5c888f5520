//! What an engine asks and checks before its first thread runs: discovery, the shards that follow
//! from it, what to warn of.
//!
//! It blocks the caller of `Engine::start`, and starts nothing. The engine calls it once.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Time;
use crate::config::{Config, Shards};
use crate::discovery::{GatewayBotInfo, PlanWarning, ShardsRequest, plan};
use crate::driver::book::{Book, Damaged};
use crate::driver::route::Route;
use crate::driver::warning::Warning;
use crate::error::{Error, ErrorKind};
use crate::shard::ShardId;
use crate::shard::admission::Admission;
use crate::shard::budget::{Budget, BudgetError, Forecast, MemoryLedger, StartLedger};
use crate::shard::identify::{IdentifyGate, LocalGate, SharedGate};
use crate::shard::session::Guards;
use crate::wire::GatewayUrl;

/// Makes the three that every dial and every IDENTIFY passes, and sees whether the budget covers
/// the start.
///
/// # Errors
///
/// [`ErrorKind::Book`] where the file of session starts cannot be used, [`ErrorKind::Budget`] where
/// the start is refused. Nothing was spent.
pub(super) fn guard(
    config: &Config,
    found: &Found,
    now: Time,
    seed: u64,
) -> Result<Guarded, Error> {
    let (ids, total) = (config.shards.ids(), config.shards.total());
    let max_concurrency = config.max_concurrency.unwrap_or(1);
    let book = match &config.book {
        Some(path) => Some(
            Book::open(path, &config.token)
                .map_err(|error| Error::new(ErrorKind::Book, error.to_string()))?,
        ),
        None => None,
    };
    let fleet = ids.iter().map(|id| ShardId::new(*id, total));
    let local = LocalGate::with_fleet(max_concurrency, fleet);
    let (gate, own): (Arc<dyn IdentifyGate>, _) = match (&config.identify_gate, &book) {
        (Some(gate), _) => (Arc::clone(gate), OwnGate::None),
        (None, Some(book)) => {
            let gate = Arc::new(SharedGate::new(local, book.clone()));
            (Arc::clone(&gate) as _, OwnGate::Shared(gate))
        }
        (None, None) => {
            let gate = Arc::new(local);
            (Arc::clone(&gate) as _, OwnGate::Local(gate))
        }
    };
    let ledger: Arc<dyn StartLedger> = match (&config.start_ledger, &book) {
        (Some(ledger), _) => Arc::clone(ledger),
        (None, Some(book)) => Arc::new(book.clone()),
        (None, None) => Arc::new(MemoryLedger::new()),
    };
    let limit = found.info.as_ref().map(|info| info.session_start_limit);
    let budget = Arc::new(Budget::new(config.budget, ledger, limit, now));
    let shards = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let forecast = budget
        .check_start(shards, max_concurrency, now)
        .map_err(|error| Error::new(ErrorKind::Budget, refused(&error, book.as_ref())))?;
    tracing::info!(target: "shardring::engine", "{forecast}");
    let admission = Arc::new(Admission::new(config.limits.dials_max, seed));
    let own_gate = if config.max_concurrency_given { OwnGate::None } else { own };
    Ok(Guarded {
        guards: Guards { admission, budget, gate, verdict: Arc::default() },
        own_gate,
        forecast,
        book,
    })
}

/// The refusal, with its cause if the book is that.
fn refused(error: &BudgetError, book: Option<&Book>) -> String {
    match book.filter(|book| book.is_damaged()) {
        Some(book) => format!("{}; {error}", Damaged(book.path())),
        None => error.to_string(),
    }
}

/// What [`guard`] made.
pub(super) struct Guarded {
    pub(super) guards: Guards,
    pub(super) own_gate: OwnGate,
    pub(super) forecast: Forecast,
    pub(super) book: Option<Book>,
}

/// The gate, if its `max_concurrency` is ours to change.
pub(super) enum OwnGate {
    None,
    Local(Arc<LocalGate>),
    Shared(Arc<SharedGate<Book>>),
}

impl OwnGate {
    /// Discord has said another `max_concurrency`, perhaps.
    pub(super) fn set_max_concurrency(&self, max_concurrency: u32) {
        match self {
            Self::None => {}
            Self::Local(gate) => gate.set_max_concurrency(max_concurrency),
            Self::Shared(gate) => gate.local().set_max_concurrency(max_concurrency),
        }
    }
}

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) info: Option<GatewayBotInfo>,
    /// To ask again.
    pub(super) asker: Option<Asker>,
    pub(super) warnings: Vec<Warning>,
}

impl Found {
    /// How many shards Discord recommends, if it was asked.
    pub(super) fn recommended_shards(&self) -> Option<u32> {
        self.info.as_ref().map(|info| info.shard_count)
    }
}

/// Asks `GET /gateway/bot` if the configuration wants that, and completes it by the answer.
///
/// # Errors
///
/// Those of the asking, and [`ErrorKind::Config`] where the shards asked for cannot run.
pub(super) fn discover(config: &mut Config, route: &Route) -> Result<Found, Error> {
    if !config.discovers {
        return Ok(Found::default());
    }
    let asker = Asker::new(config, route);
    let info = asker.ask(None)?;
    tracing::info!(
        target: "shardring::engine",
        url = %info.url,
        shards = info.shard_count,
        remaining = info.session_start_limit.remaining,
        total = info.session_start_limit.total,
        max_concurrency = info.session_start_limit.max_concurrency,
        "GET /gateway/bot"
    );
    let mut warnings: Vec<Warning> =
        info.oddities.iter().map(|oddity| Warning::Discovery(*oddity)).collect();
    let request = match config.shards.is_recommended() {
        true => ShardsRequest::Recommended,
        false => {
            ShardsRequest::These { ids: config.shards.ids().to_vec(), total: config.shards.total() }
        }
    };
    let planned = plan(&request, &info, config.any_total)?;
    warnings.extend(planned.warnings.iter().map(|warning: &PlanWarning| Warning::Shards(*warning)));
    config.shards = Shards::list(planned.ids, planned.total);
    config.max_concurrency =
        config.max_concurrency.or(Some(info.session_start_limit.max_concurrency));
    if !config.gateway_url_given {
        config.gateway_url = GatewayUrl::parse(&info.url).map_err(|error| {
            Error::new(ErrorKind::Discovery, format!("discovery: its address: {error}"))
        })?;
    }
    Ok(Found { info: Some(info), asker: Some(asker), warnings })
}

/// Asks `GET /gateway/bot`.
#[derive(Debug)]
pub(super) struct Asker {
    #[cfg(feature = "discovery")]
    discovery: crate::discovery::Discovery,
}

#[cfg(feature = "discovery")]
impl Asker {
    fn new(config: &Config, route: &Route) -> Self {
        let mut discovery = crate::discovery::Discovery::new(config.token.clone())
            .rest_base(&config.rest_base.0)
            .roots(config.roots.clone());
        // The proxy is chosen as it is for a gateway at that address.
        let as_gateway = config.rest_base.0.replacen("http", "ws", 1);
        if let Ok(url) = GatewayUrl::parse(&as_gateway)
            && let Some(proxy) = route.proxy_for(&url)
        {
            discovery = discovery.proxy(proxy.to_url());
        }
        Self { discovery }
    }

    /// Asks, for a minute or for so long. Blocks.
    pub(super) fn ask(&self, within: Option<Duration>) -> Result<GatewayBotInfo, Error> {
        let mut discovery = self.discovery.clone();
        if let Some(within) = within {
            discovery = discovery.within(within);
        }
        discovery.fetch_telling(|retry| {
            tracing::warn!(
                target: "shardring::engine",
                attempts = retry.attempts,
                trouble = %retry.trouble,
                wait = ?retry.wait,
                "GET /gateway/bot failed, and is tried again"
            );
        })
    }
}

#[cfg(not(feature = "discovery"))]
impl Asker {
    fn new(_config: &Config, _route: &Route) -> Self {
        Self {}
    }

    pub(super) fn ask(&self, _within: Option<Duration>) -> Result<GatewayBotInfo, Error> {
        Err(Error::new(ErrorKind::Config, "discovery: this build has not the feature `discovery`"))
    }
}

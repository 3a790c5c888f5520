//! What an engine asks and checks before its first thread runs: discovery, the shards that follow
//! from it, what to warn of.
//!
//! It blocks the caller of `Engine::start`, and starts nothing. The engine calls it once.

use crate::config::{Config, Shards};
use crate::discovery::{GatewayBotInfo, PlanWarning, ShardsRequest, plan};
use crate::driver::route::Route;
use crate::driver::warning::Warning;
use crate::error::{Error, ErrorKind};
use crate::wire::GatewayUrl;

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) info: Option<GatewayBotInfo>,
    pub(super) warnings: Vec<Warning>,
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
    let info = ask(config, route)?;
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
        false => ShardsRequest::These {
            ids: config.shards.ids().to_vec(),
            total: config.shards.total(),
        },
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
    Ok(Found { info: Some(info), warnings })
}

#[cfg(feature = "discovery")]
fn ask(config: &Config, route: &Route) -> Result<GatewayBotInfo, Error> {
    let mut discovery = crate::discovery::Discovery::new(config.token.clone())
        .rest_base(&config.rest_base)
        .roots(config.roots.clone());
    // The proxy is chosen as it is for a gateway at that address.
    let as_gateway = config.rest_base.replacen("http", "ws", 1);
    if let Ok(url) = GatewayUrl::parse(&as_gateway)
        && let Some(proxy) = route.proxy_for(&url)
    {
        discovery = discovery.proxy(proxy.to_url());
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

#[cfg(not(feature = "discovery"))]
fn ask(_config: &Config, _route: &Route) -> Result<GatewayBotInfo, Error> {
    Err(Error::new(ErrorKind::Config, "discovery: this build has not the feature `discovery`"))
}

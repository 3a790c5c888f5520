//! What the embedded gateway is told: plain data that goes to the child as one argument, and the
//! gateway's own configuration that the child makes of it.

use std::path::{Path, PathBuf};

use replay_gateway::traffic::{Kind, Traffic, big_guild_parts, guild_id_of_shard};
use replay_gateway::{
    CanaryKind, CaptureConfig, Config, Cut, Fault, Gateway, Incident, IncidentAction, LedgerTo,
    Moment, Start, TlsConfig, TrafficConfig,
};
use serde::{Deserialize, Serialize};
use shardring::Intents;

use crate::plan::{Canary, GUILD_BURST_BYTES, JobPlan, Load};

/// Orders to the child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// Its cores; empty: any.
    pub(crate) cpus: Vec<usize>,
    shards: u32,
    token: String,
    max_concurrency: u32,
    guilds_per_shard: u32,
    guild_bytes: usize,
    seed: u64,
    lead_ms: u64,
    ledger: Option<PathBuf>,
    traffic: Option<Generated>,
    capture: Option<Captured>,
    canary: Option<(Canary, u64)>,
    faults: Vec<String>,
    tls: bool,
    /// The first so many shards are cut.
    cut: Option<u32>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Generated {
    rate_per_s: Option<f64>,
    burst: u64,
    events_per_shard: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Captured {
    path: PathBuf,
    speed: Option<f64>,
}

impl Orders {
    /// Those of a plan.
    pub(crate) fn of(
        plan: &JobPlan,
        canary: Option<Canary>,
        faults: &[String],
        ledger: Option<&Path>,
    ) -> Self {
        let (mut traffic, mut capture) = (None, None);
        match &plan.load {
            Load::Idle { .. } | Load::Foreign { .. } => {}
            Load::Paced { rate_per_s, burst, events_per_shard } => {
                traffic = Some(Generated {
                    rate_per_s: Some(*rate_per_s),
                    burst: *burst,
                    events_per_shard: Some(*events_per_shard),
                });
            }
            Load::FlatOut { burst, events_per_shard, .. } => {
                let (burst, events_per_shard) = (*burst, *events_per_shard);
                traffic = Some(Generated { rate_per_s: None, burst, events_per_shard });
            }
            Load::Capture { path, speed, .. } => {
                capture = Some(Captured { path: path.clone(), speed: *speed });
            }
        }
        Self {
            cpus: plan.placement.others.clone(),
            shards: plan.shards,
            token: plan.token.as_str().to_owned(),
            max_concurrency: plan.max_concurrency,
            guilds_per_shard: plan.guilds_per_shard,
            guild_bytes: plan.guild_bytes,
            seed: plan.seed,
            lead_ms: plan.settle().as_millis() as u64 + LEAD_MS,
            ledger: ledger.map(Path::to_owned),
            traffic,
            capture,
            canary: canary.map(|canary| (canary, canary_at(plan.seed))),
            faults: faults.to_vec(),
            tls: plan.tls,
            cut: plan.cut,
        }
    }

    /// The `d` of a large GUILD_CREATE for each shard, one after the other.
    pub(crate) fn big_guilds(&self) -> impl Iterator<Item = (u32, String)> + '_ {
        (0..self.shards).map(|shard| {
            let id = guild_id_of_shard(self.seed, shard, self.shards, self.guilds_per_shard);
            let (head, rest) = big_guild_parts(self.seed, id, GUILD_BURST_BYTES);
            (shard, head + &rest)
        })
    }

    /// The gateway's configuration.
    ///
    /// # Errors
    /// A fault is not of the gateway's format.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let mut builder = Gateway::builder()
            .token(&self.token)
            .max_concurrency(self.max_concurrency)
            .guilds_per_shard(self.guilds_per_shard)
            .big_guild_bytes(self.guild_bytes)
            .recommended_shards(self.shards)
            .seed(self.seed)
            .connections_max(self.shards as usize * 2 + 64);
        if let Some(path) = &self.ledger {
            builder = builder.ledger(LedgerTo::File(path.clone()));
        }
        let start = Start::Shards(self.shards);
        if let Some(Generated { rate_per_s, burst, events_per_shard }) = self.traffic {
            builder = builder.traffic(TrafficConfig {
                start,
                rate_per_s,
                rate_shards: self.shards,
                burst,
                events_per_shard,
                lead_ms: self.lead_ms,
                ..TrafficConfig::default()
            });
        }
        if let Some(Captured { path, speed }) = &self.capture {
            builder = builder.capture(CaptureConfig { path: path.clone(), speed: *speed, start });
        }
        if let Some((canary, at)) = self.canary {
            let kind = match canary {
                Canary::Drop => CanaryKind::Drop,
                Canary::Double => CanaryKind::Double,
                Canary::Swap => CanaryKind::Swap,
                Canary::Alter => CanaryKind::Alter,
            };
            builder = builder.canary(replay_gateway::Canary { kind, shard: 0, at });
        }
        for fault in &self.faults {
            builder = builder.fault(parse_fault(fault)?);
        }
        if self.tls {
            builder = builder.tls(TlsConfig::default());
        }
        if let Some(cut) = self.cut {
            let action =
                IncidentAction::Cut { shards: Some((0, cut.saturating_sub(1))), how: Cut::Reset };
            builder = builder
                .heartbeat_interval_ms(STORM_HEARTBEAT_MS)
                .heartbeat_grace_ms(STORM_GRACE_MS)
                .incident(Incident { at: Moment::ReadyMs(self.lead_ms + CUT_AFTER_MS), action });
        }
        Ok(builder.config())
    }
}

/// Reads `--fault`.
///
/// # Errors
/// It is not of the gateway's format.
pub(crate) fn parse_fault(text: &str) -> Result<Fault, String> {
    serde_json::from_str(text).map_err(|error| format!("--fault: {error}"))
}

/// Where a canary sings: early, and at an event of which a byte can be changed with the JSON
/// staying valid (any but a GUILD_CREATE).
fn canary_at(seed: u64) -> u64 {
    let traffic = Traffic::new(seed, 0, Intents::ALL.bits());
    let small = |k: u64| traffic.kind(k) != Kind::GuildCreate;
    (CANARY_FROM..).find(|k| small(*k) && small(k + 1)).unwrap_or(CANARY_FROM)
}

/// The first event that may be the canary.
const CANARY_FROM: u64 = 3;
/// Events per shard that a job with a canary needs.
pub(crate) const CANARY_EVENTS_MIN: u64 = 8;
/// Heartbeats of a storm come often, so that one that is late shows.
const STORM_HEARTBEAT_MS: u32 = 1_000;
/// So much later than its interval a heartbeat of a storm is late.
const STORM_GRACE_MS: u32 = 250;
/// From the traffic's start to the cut.
const CUT_AFTER_MS: u64 = 4_000;
/// From the reading of idle memory to the traffic's start.
const LEAD_MS: u64 = 700;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canary_is_early_and_no_guild() {
        for seed in 0..50 {
            assert!(canary_at(seed) + 2 <= CANARY_EVENTS_MIN, "seed {seed}");
        }
    }

    #[test]
    fn faults_are_of_the_gateways_format() {
        assert!(parse_fault(r#"{"at": {"events": 5}, "do": "reconnect"}"#).is_ok());
        assert!(parse_fault(r#"{"at": "never", "do": "reconnect"}"#).is_err());
        assert!(parse_fault("reconnect").is_err());
    }
}

//! The metrics as OpenMetrics 1.0 text: which samples there are and how far they go into detail.
//! The families stand in `families`, and for people in `docs/metrics.md`; a test compares the two.
//!
//! Invariant: the number of samples is bounded ([`SHARDS_RENDERED_MAX`], [`CORES_RENDERED_MAX`],
//! kinds, causes, buckets); no label holds what a peer sent, nor an id of a session. Called by
//! [`Metrics::write_openmetrics`].

mod families;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod tests;
mod text;

use std::fmt::{self, Write};

use families::{
    ACKS_OPEN, BUCKETS, BUILD, CORES, CORES_LEFT_OUT, COUNTERS, DISCONNECTS, EACH_SHARD, KINDS,
    LATENCIES, PAUSED, POOL_PEAK, QUANTILE, QUANTILES, SHARDS, SHARDS_LEFT_OUT, SHARDS_MAX, START,
    STATES, UPTIME, state_index,
};
use text::{Label, Page};

use super::{CoreMetrics, Metrics, ShardMetrics};
use crate::shard::close::Cause;

/// Shards that are rendered one by one; of more than these, the ones with the lowest ids.
pub const SHARDS_RENDERED_MAX: usize = 1_000;

/// Cores that are rendered one by one.
pub const CORES_RENDERED_MAX: usize = 256;

/// The media type of [`Metrics::render_openmetrics`].
pub const OPENMETRICS_CONTENT_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn write(metrics: &Metrics, out: &mut impl Write) -> fmt::Result {
    let mut page = Page::new(out);
    page.family(&BUILD)?;
    page.sample(&[("version", &env!("CARGO_PKG_VERSION"))], 1)?;
    for (family, value) in COUNTERS {
        page.single(family, value(&metrics.counters))?;
    }
    page.single(&POOL_PEAK, metrics.counters.pool_peak_len)?;
    page.family(&UPTIME)?;
    if let Some(start) = metrics.start() {
        page.sample(&[], start.uptime.as_secs_f64())?;
    }
    for (family, value) in START {
        page.family(family)?;
        if let Some(start) = metrics.start() {
            page.sample(&[], value(&start))?;
        }
    }
    page.family(&DISCONNECTS)?;
    for (cause, count) in Cause::NAMES.iter().zip(metrics.counters.disconnects) {
        page.sample(&[("cause", cause)], count)?;
    }
    for (family, value) in KINDS {
        page.family(family)?;
        for (kind, counters) in metrics.kinds() {
            page.sample(&[("kind", &kind.name())], value(&counters))?;
        }
    }
    latencies(metrics, &mut page)?;
    cores(metrics.cores(), &mut page)?;
    shards(metrics.shards(), &mut page)?;
    page.end()
}

fn latencies<W: Write>(metrics: &Metrics, page: &mut Page<'_, W>) -> fmt::Result {
    for (family, latency) in LATENCIES {
        page.family(family)?;
        let latency = latency(metrics);
        let counts = latency.counts_up_to(BUCKETS.map(|(bound_ns, _)| bound_ns));
        for ((_, le), count) in BUCKETS.iter().zip(counts) {
            page.sample_of("_bucket", &[("le", le)], count)?;
        }
        page.sample_of("_bucket", &[("le", &"+Inf")], latency.len())?;
        page.sample_of("_count", &[], latency.len())?;
        page.sample_of("_sum", &[], latency.sum_s())?;
    }
    page.family(&QUANTILE)?;
    for (family, latency) in LATENCIES {
        let of = family.name.trim_start_matches("shardring_").trim_end_matches("_seconds");
        let latency = latency(metrics);
        for (percent, quantile) in QUANTILES.iter().filter(|_| !latency.is_empty()) {
            let labels: &[Label<'_>] = &[("of", &of), ("quantile", quantile)];
            page.sample(labels, latency.percentile(*percent).as_secs_f64())?;
        }
    }
    Ok(())
}

fn cores<W: Write>(cores: &[CoreMetrics], page: &mut Page<'_, W>) -> fmt::Result {
    let shown = &cores[..cores.len().min(CORES_RENDERED_MAX)];
    page.single(&CORES_LEFT_OUT, cores.len() - shown.len())?;
    for (family, value) in CORES {
        page.family(family)?;
        for core in shown {
            page.sample(&[("core", &core.core)], value(core))?;
        }
    }
    Ok(())
}

fn shards<W: Write>(shards: &[ShardMetrics], page: &mut Page<'_, W>) -> fmt::Result {
    page.family(&SHARDS)?;
    let mut by_state = [0u64; STATES.len()];
    shards.iter().for_each(|shard| by_state[state_index(shard.state)] += 1);
    for (state, count) in STATES.iter().zip(by_state) {
        page.sample(&[("state", state)], count)?;
    }
    page.single(&PAUSED, shards.iter().filter(|shard| shard.paused_for.is_some()).count())?;
    page.single(&ACKS_OPEN, shards.iter().map(|shard| shard.open_acks).sum::<usize>())?;
    for (family, value) in SHARDS_MAX {
        page.family(family)?;
        if let Some(max) = shards.iter().filter_map(value).max() {
            page.sample(&[], max.as_secs_f64())?;
        }
    }
    let shown = &shards[..shards.len().min(SHARDS_RENDERED_MAX)];
    page.single(&SHARDS_LEFT_OUT, shards.len() - shown.len())?;
    for (family, value) in EACH_SHARD {
        page.family(family)?;
        for shard in shown {
            if let Some(value) = value(shard) {
                page.sample(&[("shard", &shard.shard)], value)?;
            }
        }
    }
    Ok(())
}

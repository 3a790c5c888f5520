//! How many shards run: what was asked for against what Discord says.
//!
//! A pure function; nothing is asked, started or logged here. The engine calls it once, between
//! discovery and its start, and tells the warnings.

use std::fmt;

use crate::discovery::info::GatewayBotInfo;
use crate::error::{Error, ErrorKind};

/// Which shards are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardsRequest {
    /// All shards of the number that Discord recommends.
    Recommended,
    /// These of a total. Several processes may share one bot; all must name the same total, which
    /// is why there is no "a part of the recommended": that number changes between two askings.
    These {
        /// The ids, ascending, each below `total`.
        ids: Vec<u32>,
        /// The `num_shards` of IDENTIFY.
        total: u32,
    },
}

/// Which shards run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The ids, ascending.
    pub ids: Vec<u32>,
    /// The `num_shards` of IDENTIFY.
    pub total: u32,
    /// What the user should know. Nothing was changed because of it.
    pub warnings: Vec<PlanWarning>,
}

/// Something that will work, but not for long or not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanWarning {
    /// Fewer shards in all than Discord recommends: once a shard would carry more than 2500
    /// guilds it is closed with 4011.
    FewerThanRecommended {
        /// What was asked for.
        total: u32,
        /// What Discord recommends.
        recommended: u32,
    },
    /// A total that Discord may close with 4010, taken because the check was switched off.
    NotAMultiple {
        /// What was asked for.
        total: u32,
        /// What it should be a multiple of.
        recommended: u32,
    },
}

/// Joins what was asked for and what Discord said.
///
/// A bot with sharding for large bots (from 150,000 guilds on; it shows as a `max_concurrency`
/// above 1) must run a multiple of the number of shards that Discord gives, else it is closed with
/// 4010 (protocol section 7). `allow_any_total` turns that refusal into a warning.
///
/// # Errors
/// [`ErrorKind::Config`] if the total is no such multiple, or the ids do not fit the total.
pub fn plan(
    request: &ShardsRequest,
    info: &GatewayBotInfo,
    allow_any_total: bool,
) -> Result<Plan, Error> {
    let recommended = info.shard_count;
    let (ids, total) = match request {
        ShardsRequest::Recommended => ((0..recommended).collect(), recommended),
        ShardsRequest::These { ids, total } => (ids.clone(), *total),
    };
    check_ids(&ids, total)?;
    let mut warnings = Vec::new();
    let is_large = info.session_start_limit.max_concurrency > 1;
    if is_large && !total.is_multiple_of(recommended.max(1)) {
        let warning = PlanWarning::NotAMultiple { total, recommended };
        if !allow_any_total {
            let near = total.div_ceil(recommended).saturating_mul(recommended);
            let or_that = match near == recommended {
                true => String::new(),
                false => format!(" or {near}"),
            };
            let detail = format!(
                "{warning}: take {recommended}{or_that}, or call `ConfigBuilder::any_total` if you \
                 know better"
            );
            return Err(Error::new(ErrorKind::Config, detail));
        }
        warnings.push(warning);
    }
    if total < recommended {
        warnings.push(PlanWarning::FewerThanRecommended { total, recommended });
    }
    Ok(Plan { ids, total, warnings })
}

fn check_ids(ids: &[u32], total: u32) -> Result<(), Error> {
    let refuse = |detail: String| Err(Error::new(ErrorKind::Config, detail));
    if ids.is_empty() {
        return refuse("shards: no shard is asked for".to_owned());
    }
    if let Some(id) = ids.iter().find(|id| **id >= total) {
        return refuse(format!("shards: id {id} does not exist in a total of {total}"));
    }
    if !ids.is_sorted_by(|a, b| a < b) {
        return refuse("shards: the ids must ascend, each once".to_owned());
    }
    Ok(())
}

impl fmt::Display for PlanWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewerThanRecommended { total, recommended } => write!(
                f,
                "shards: {total} in all, Discord recommends {recommended}: a shard that would \
                 carry more than 2500 guilds is refused (close code 4011)"
            ),
            Self::NotAMultiple { total, recommended } => write!(
                f,
                "shards: {total} in all is no multiple of {recommended}, which a large bot (from \
                 150,000 guilds) must run: Discord may refuse it (close code 4010)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::budget::SessionStartLimit;
    use std::time::Duration;

    fn info(shard_count: u32, max_concurrency: u32) -> GatewayBotInfo {
        let limit = SessionStartLimit {
            total: 1000,
            remaining: 1000,
            reset_after: Duration::ZERO,
            max_concurrency,
        };
        GatewayBotInfo::new("wss://g", shard_count, limit)
    }

    fn these(ids: impl IntoIterator<Item = u32>, total: u32) -> ShardsRequest {
        ShardsRequest::These { ids: ids.into_iter().collect(), total }
    }

    #[test]
    fn the_recommended_number_is_taken_without_a_word() {
        for max_concurrency in [1, 16] {
            let plan = plan(&ShardsRequest::Recommended, &info(5, max_concurrency), false).unwrap();
            assert_eq!((plan.ids, plan.total), (vec![0, 1, 2, 3, 4], 5));
            assert!(plan.warnings.is_empty());
        }
    }

    #[test]
    fn a_part_of_a_total_stays_as_it_was_asked_for() {
        let plan = plan(&these([3, 8, 9], 10), &info(5, 16), false).unwrap();
        assert_eq!((plan.ids, plan.total, plan.warnings), (vec![3, 8, 9], 10, vec![]));
    }

    #[test]
    fn a_small_bot_may_run_more_without_and_fewer_with_a_warning() {
        assert!(plan(&these(0..7, 7), &info(5, 1), false).unwrap().warnings.is_empty());
        let fewer = plan(&these(0..4, 4), &info(5, 1), false).unwrap();
        let warning = PlanWarning::FewerThanRecommended { total: 4, recommended: 5 };
        assert_eq!(fewer.warnings, [warning]);
        assert!(warning.to_string().contains("4011"), "{warning}");
    }

    #[test]
    fn a_large_bot_must_run_a_multiple_unless_it_insists() {
        for total in [1, 96, 97, 191, 193] {
            let request = these([0], total);
            let verdict = plan(&request, &info(96, 16), false);
            if total == 96 {
                assert!(verdict.unwrap().warnings.is_empty());
                continue;
            }
            let error = verdict.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let near = total.div_ceil(96) * 96;
            let text = error.to_string();
            let offer =
                if near == 96 { "take 96, or".into() } else { format!("take 96 or {near},") };
            assert!(text.contains("4010") && text.contains(&offer), "{text}");
            assert!(text.contains("`ConfigBuilder::any_total`"), "{text}");
            let plan = plan(&request, &info(96, 16), true).unwrap();
            let expected = PlanWarning::NotAMultiple { total, recommended: 96 };
            assert_eq!(plan.warnings.first(), Some(&expected));
            assert_eq!(plan.warnings.len(), if total < 96 { 2 } else { 1 });
        }
        assert!(plan(&these([0], 192), &info(96, 16), false).unwrap().warnings.is_empty());
    }

    #[test]
    fn ids_that_do_not_fit_are_refused() {
        for request in [these([], 4), these([4], 4), these([1, 1], 4), these([2, 1], 4)] {
            let error = plan(&request, &info(1, 1), true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{request:?}");
        }
        assert!(plan(&these([0], 0), &info(1, 1), true).is_err());
    }
}

//! What the engine knows of the gateway and of the day's session starts, as a value for users.
//!
//! It asks nobody: Discord's last answer is kept by the engine, and how many starts are left is
//! counted by the budget. Handles give it out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::clock::Time;
use crate::discovery::GatewayBotInfo;
use crate::driver::core::Clock;
use crate::shard::budget::{Budget, SessionStartLimit, WINDOW};

/// The gateway, and the session starts that are left: see
/// [`Handle::gateway_info`](crate::Handle::gateway_info).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayInfo {
    /// Where shards without a session connect: as configured, or as Discord said at the start.
    pub url: String,
    /// How many shards Discord recommended when it was last asked; `None` if it never was.
    pub recommended_shards: Option<u32>,
    /// The session starts of the window as they are counted now: what Discord said, and every
    /// IDENTIFY since (of other processes, too, where there is a
    /// [`book`](crate::ConfigBuilder::book)). When the window has ended, all are there again.
    pub session_start_limit: SessionStartLimit,
    /// When this was so.
    pub at: SystemTime,
    /// When Discord was last asked ([`Timeouts::discovery_refresh`]); `None` if it never was: the
    /// limit is then the configured one, or assumed.
    ///
    /// [`Timeouts::discovery_refresh`]: crate::Timeouts::discovery_refresh
    pub asked_at: Option<SystemTime>,
}

impl GatewayInfo {
    /// Session starts of the window that are used up.
    pub fn used(&self) -> u32 {
        self.session_start_limit.used()
    }

    /// When the window ends and all session starts are there again.
    pub fn reset_at(&self) -> SystemTime {
        self.at + self.session_start_limit.reset_after
    }
}

/// What it is made of.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) budget: Arc<Budget>,
    pub(crate) clock: Clock,
    /// The wall clock at [`Time::ZERO`].
    pub(crate) origin: SystemTime,
    pub(crate) url: String,
    /// What the user has set.
    pub(crate) max_concurrency: Option<u32>,
    /// What Discord said, and when.
    pub(crate) told: Mutex<Option<(Told, Time)>>,
}

/// What is kept of Discord's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    shard_count: u32,
    max_concurrency: u32,
}

impl From<&GatewayBotInfo> for Told {
    fn from(info: &GatewayBotInfo) -> Self {
        let max_concurrency = info.session_start_limit.max_concurrency;
        Self { shard_count: info.shard_count, max_concurrency }
    }
}

impl Facts {
    /// Discord has answered.
    pub(crate) fn tell(&self, info: &GatewayBotInfo, now: Time) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((info.into(), now));
    }

    pub(crate) fn info(&self) -> GatewayInfo {
        let now = self.clock.now();
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let window = self.budget.window(now);
        let wall = |at: Time| self.origin + at.since(Time::ZERO);
        let max_concurrency = told.map_or(1, |(told, _)| told.max_concurrency);
        GatewayInfo {
            url: self.url.clone(),
            recommended_shards: told.map(|(told, _)| told.shard_count),
            session_start_limit: SessionStartLimit {
                total: window.total,
                remaining: window.remaining,
                reset_after: window.resets_after.unwrap_or(WINDOW),
                max_concurrency: self.max_concurrency.unwrap_or(max_concurrency),
            },
            at: wall(now),
            asked_at: told.map(|(_, at)| wall(at)),
        }
    }
}

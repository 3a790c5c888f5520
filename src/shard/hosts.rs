//! Which gateway hosts are well, as all shards of a process have found them together.
//!
//! A host that fails is *shut*: nobody dials it, but for probes after a time that doubles with each
//! of them. A probe that is greeted opens it again. Resume hosts are shut by the first failure, as
//! the main host takes their sessions too, and are probed by one shard at a time; the main host,
//! which nothing replaces, is shut by some failures in a row, and probed by two at a time and more
//! often. Without this every shard finds out for itself: a thousand shards then dial a dead host a
//! thousand times per round of their back-offs.
//!
//! Invariants: only hosts that fail are remembered, at most [`HOSTS_MAX`] of them, in an order that
//! no hash decides; a probe that ends without a verdict is given back. It never dials; `admission`
//! asks it under its own lock, and nobody else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Rng, Time};
use crate::wire::GatewayUrl;

/// How many failing hosts are remembered. Discord has some dozens; one more takes the place of the
/// one that is probed next anyway.
pub const HOSTS_MAX: usize = 128;
/// Failures in a row by which the main host is shut: one lost packet among thousands of shards must
/// not hold all of them up.
pub const MAIN_FAILURES_MAX: u32 = 3;
/// How many shards probe the main host at a time. Two, so that one that hangs until its time-out
/// does not hide that the host is back.
pub const MAIN_PROBES_MAX: u32 = 2;
/// The main host is probed first after this long; each round that fails doubles it.
pub const MAIN_PROBE_FIRST: Duration = Duration::from_secs(1);
/// The longest time between probes of the main host: what an outage is prolonged by at most.
pub const MAIN_PROBE_MAX: Duration = Duration::from_secs(30);
/// A resume host is probed first after this long; each probe that fails doubles it.
pub const RESUME_PROBE_FIRST: Duration = Duration::from_secs(10);
/// The longest time between probes of a resume host. Nobody waits for it: sessions go on elsewhere.
pub const RESUME_PROBE_MAX: Duration = Duration::from_secs(600);
/// The first probe of a host that answers 429: it has said that less is more.
pub const BUSY_PROBE_FIRST: Duration = Duration::from_secs(30);

/// After how long somebody who waits for a probe's answer asks again: nobody knows when it comes.
const PROBE_TAKES: Duration = Duration::from_millis(500);

/// A host and a port: whose health it is. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName {
    host: Arc<str>,
    port: u16,
}

impl HostName {
    /// Where a URL leads.
    pub fn of(url: &GatewayUrl) -> Self {
        Self { host: url.host().into(), port: url.port() }
    }

    /// Where a text leads that ought to be a URL; `None` if it is none.
    pub fn parse(url: &str) -> Option<Self> {
        GatewayUrl::parse(url).ok().map(|url| Self::of(&url))
    }

    /// The host: a name or an address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostName({self})")
    }
}

/// What a host did to a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFailure {
    /// It could not be reached, did not answer in time, or answered with no gateway: 5xx, a broken
    /// upgrade, TLS that failed, no HELLO.
    Down,
    /// It answered 429.
    Busy,
}

/// What became known of a host. For logs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostNews {
    /// Nobody dials it any more but for probes.
    Shut {
        /// Which.
        host: HostName,
        /// What it did last.
        failure: HostFailure,
        /// When it is probed.
        probe_after: Duration,
    },
    /// It greeted a probe: everybody may dial it again.
    Open {
        /// Which.
        host: HostName,
        /// For how long it was shut.
        shut_for: Duration,
    },
}

impl fmt::Display for HostNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shut { host, failure, probe_after } => {
                let how = match failure {
                    HostFailure::Down => "fails",
                    HostFailure::Busy => "asks for fewer connections (429)",
                };
                let secs = probe_after.as_secs_f64();
                write!(f, "{host} {how}: nobody dials it for {secs:.1} s, then a probe does")
            }
            Self::Open { host, shut_for } => {
                write!(f, "{host} answers again, after {:.1} s", shut_for.as_secs_f64())
            }
        }
    }
}

/// Whether a host may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// By everybody.
    Well,
    /// By this shard, to find out. Taken by [`Hosts::probed`].
    Probe,
    /// Not before then.
    Shut(Time),
}

/// Which probe a dial was: a verdict counts for its own round only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    round: u32,
}

/// The hosts that fail.
#[derive(Debug)]
pub(super) struct Hosts {
    failing: BTreeMap<HostName, Failing>,
    rng: Rng,
}

#[derive(Debug)]
struct Failing {
    is_main: bool,
    failures: u32,
    shut: Option<Shut>,
}

#[derive(Debug)]
struct Shut {
    since: Time,
    /// When it is probed next.
    until: Time,
    interval: Duration,
    round: u32,
    /// Probes granted in this round.
    probes: u32,
}

impl Hosts {
    pub(super) fn new(seed: u64) -> Self {
        Self { failing: BTreeMap::new(), rng: Rng::new(seed) }
    }

    pub(super) fn health(&self, host: &HostName, now: Time) -> Health {
        let Some(failing) = self.failing.get(host) else { return Health::Well };
        let Some(shut) = &failing.shut else { return Health::Well };
        let probes_max = if failing.is_main { MAIN_PROBES_MAX } else { 1 };
        if now < shut.until {
            Health::Shut(shut.until)
        } else if shut.probes < probes_max {
            Health::Probe
        } else {
            Health::Shut(now + PROBE_TAKES)
        }
    }

    /// A shard dials as a probe.
    pub(super) fn probed(&mut self, host: &HostName) -> Option<Probe> {
        let shut = self.failing.get_mut(host)?.shut.as_mut()?;
        shut.probes += 1;
        Some(Probe { round: shut.round })
    }

    /// A probe ended, and nothing is known from it.
    pub(super) fn unprobed(&mut self, host: &HostName, probe: Probe) {
        let shut = self.failing.get_mut(host).and_then(|failing| failing.shut.as_mut());
        if let Some(shut) = shut.filter(|shut| shut.round == probe.round) {
            shut.probes = shut.probes.saturating_sub(1);
        }
    }

    /// HELLO came from it.
    pub(super) fn greeted(&mut self, host: &HostName, now: Time) -> Option<HostNews> {
        let shut = self.failing.remove(host)?.shut?;
        Some(HostNews::Open { host: host.clone(), shut_for: now.since(shut.since) })
    }

    /// A dial failed by the host's fault.
    pub(super) fn failed(
        &mut self,
        host: &HostName,
        is_main: bool,
        probe: Option<Probe>,
        failure: HostFailure,
        now: Time,
    ) -> Option<HostNews> {
        self.make_room(host);
        let new = Failing { is_main, failures: 0, shut: None };
        let failing = self.failing.entry(host.clone()).or_insert(new);
        failing.is_main |= is_main;
        failing.failures = failing.failures.saturating_add(1);
        let (first, max) = if failing.is_main {
            (MAIN_PROBE_FIRST, MAIN_PROBE_MAX)
        } else {
            (RESUME_PROBE_FIRST, RESUME_PROBE_MAX)
        };
        let since = match &failing.shut {
            // Dialled before it was shut, or in a round that has had its verdict.
            Some(shut) if probe.is_none_or(|probe| probe.round != shut.round) => return None,
            Some(shut) => shut.since,
            None if failing.is_main
                && failing.failures < MAIN_FAILURES_MAX
                && failure == HostFailure::Down =>
            {
                return None;
            }
            None => now,
        };
        let last = failing.shut.as_ref();
        let interval = last.map_or(first, |shut| (shut.interval * 2).min(max));
        let interval = match failure {
            HostFailure::Busy => interval.max(BUSY_PROBE_FIRST),
            HostFailure::Down => interval,
        };
        let round = last.map_or(0, |shut| shut.round.wrapping_add(1));
        // Not whole: hosts that died together are not probed together.
        let probe_after = self.rng.between(interval * 3 / 4, interval);
        let until = now + probe_after;
        failing.shut = Some(Shut { since, until, interval, round, probes: 0 });
        Some(HostNews::Shut { host: host.clone(), failure, probe_after })
    }

    /// The hosts that are shut, and since when.
    pub(super) fn shut(&self) -> impl Iterator<Item = (&HostName, Time)> {
        self.failing.iter().filter_map(|(host, failing)| Some((host, failing.shut.as_ref()?.since)))
    }

    fn make_room(&mut self, host: &HostName) {
        if self.failing.len() < HOSTS_MAX || self.failing.contains_key(host) {
            return;
        }
        let until = |failing: &Failing| failing.shut.as_ref().map_or(Time::ZERO, |shut| shut.until);
        let others = self.failing.iter().filter(|(_, failing)| !failing.is_main);
        let soonest = others.min_by_key(|(_, failing)| until(failing));
        if let Some(host) = soonest.map(|(host, _)| host.clone()) {
            self.failing.remove(&host);
        }
    }

    pub(super) fn invariants(&self) {
        assert!(self.failing.len() <= HOSTS_MAX, "bounded");
        for failing in self.failing.values() {
            let max = if failing.is_main { MAIN_PROBES_MAX } else { 1 };
            assert!(failing.shut.as_ref().is_none_or(|shut| shut.probes <= max), "{failing:?}");
        }
    }
}

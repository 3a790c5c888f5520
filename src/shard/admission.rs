//! Storm control: which shard may open a connection now, and to which host.
//!
//! One [`Admission`] per process, shared by all cores. When a deploy or a cut of the network drops
//! thousands of connections at once, each of them passes here before it is dialled: a bounded
//! number is on its way at a time (from the dial until HELLO, or until RESUMED where a session is
//! resumed), sessions that were lost first come first, as they expire first, then shards that
//! identify, as the gate has let them near. It also holds what all shards know of the hosts
//! (`hosts`): one that fails is avoided by everybody.
//!
//! Polled, like the gate: a shard takes a place ([`enqueue`](Admission::enqueue)), asks
//! ([`ask`](Admission::ask)) when it was told to, says when it is greeted
//! ([`greeted`](Admission::greeted)) and how it went ([`settled`](Admission::settled)). Who is far
//! from its turn is told to come back later: a place costs at most 20 calls a second near the
//! head, and all places together some thousands.
//!
//! Invariants: never more than the bound on their way; one place a shard; a shard that is passed
//! over has either not come when it was told to, or has no host to dial. `now` is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Time;
use crate::shard::hosts::{Health, HostFailure, HostName, HostNews, Hosts, Probe};
use crate::shard::id::ShardId;
use crate::shard::notice::Target;

/// How many connections of a process are on their way at a time, by default.
///
/// A full TLS handshake costs about 1 ms of a core, so 64 that arrive at once delay the heartbeats
/// and events of that core's other shards by less than a tenth of a second. At 100 ms from dial to
/// RESUMED they are 640 connections a second: a thousand shards are back in two seconds.
pub const IN_FLIGHT_MAX: u32 = 64;
/// The shortest time after which a waiting shard asks again.
pub const ADMIT_AGAIN_MIN: Duration = Duration::from_millis(50);
/// The longest, while no more than a thousand wait; beyond that it grows, so that all of those far
/// from their turn ask no more than a thousand times a second.
pub const ADMIT_AGAIN_MAX: Duration = Duration::from_secs(1);
/// The longest while every host that it could dial is shut.
pub const STUCK_AGAIN_MAX: Duration = Duration::from_secs(5);
/// How long after HELLO a RESUME that goes on counts as on its way: a long replay makes room.
pub const RESUMING_MAX: Duration = Duration::from_secs(10);
/// How long a dial without HELLO counts as on its way, and as a probe: longer than it may take (ten
/// seconds, and twenty for HELLO). Beyond it its core hangs, and must not hold up the others.
pub const DIALLING_MAX: Duration = Duration::from_secs(60);
/// A shard that has not asked this long after it was told to is passed: its core is busy.
pub const PASSED_AFTER: Duration = Duration::from_millis(250);

/// The admission of a process.
#[derive(Debug)]
pub struct Admission {
    in_flight_max: usize,
    inner: Mutex<Inner>,
}

/// A shard's place, waiting or on its way. To be given back by [`Admission::settled`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place on its way that is not given back is one connection less for the others"]
pub struct Slip {
    shard: ShardId,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// To resume a session that has been without a connection since then.
    Resume {
        /// When it lost its connection.
        lost_at: Time,
    },
    /// To identify; the gate has said that it is near its turn.
    Identify,
}

/// Where a shard could dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The main URL's host.
    pub main: HostName,
    /// The resume URL's, if that is to be tried.
    pub resume: Option<HostName>,
}

/// The answer to [`Admission::ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Dial this one.
    Now(Target),
    /// Ask again then.
    Later(Time),
}

/// How a dial went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialEnd {
    /// Greeted, and resumed where there was a session.
    Up,
    /// The host was not to be had, or not for a gateway.
    Failed(HostFailure),
    /// It ended in a way that says nothing about the host.
    Ended,
}

/// How many wait and are on their way. For metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdmissionState {
    /// Shards that wait to dial.
    pub waiting: usize,
    /// Connections on their way.
    pub in_flight: usize,
    /// The most that were on their way at a time.
    pub in_flight_peak: usize,
    /// Hosts that nobody dials but for probes.
    pub hosts_shut: usize,
}

impl Admission {
    /// At most so many on their way at a time; 0 is 1. The seed decides the jitter of probes.
    pub fn new(in_flight_max: u32, seed: u64) -> Self {
        let inner = Inner {
            waiting: BTreeMap::new(),
            ranks: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            in_flight_peak: 0,
            arrivals: 0,
            handshake: HANDSHAKE_GUESS,
            hosts: Hosts::new(seed),
            news: VecDeque::new(),
        };
        Self { in_flight_max: in_flight_max.max(1) as usize, inner: Mutex::new(inner) }
    }

    /// Takes a place. A shard that already has one, waiting or on its way, loses that.
    pub fn enqueue(&self, shard: ShardId, need: Need, route: Route, now: Time) -> Slip {
        let mut inner = self.lock();
        inner.leave(shard);
        inner.arrivals += 1;
        let rank = Rank { need, arrival: inner.arrivals };
        inner.waiting.insert(rank, Waiting { shard, route, due: now, is_stuck: false });
        inner.ranks.insert(shard, rank);
        Slip { shard }
    }

    /// Whether the shard may dial, and where. After [`Admit::Now`] it is on its way.
    pub fn ask(&self, slip: &Slip, now: Time) -> Admit {
        let mut inner = self.lock();
        inner.sweep(now);
        let Some(rank) = inner.ranks.get(&slip.shard).copied() else {
            // Not waiting: answered already, and asked again by mistake. Never strand it.
            let flight = inner.in_flight.get(&slip.shard);
            return Admit::Now(flight.map_or(Target::Main, |flight| flight.target));
        };
        let again_max = inner.again_max();
        let (target, is_probe) = match inner.choose(rank, now) {
            Ok(choice) => choice,
            Err(until) => {
                // Not all of them at the moment at which one may probe.
                let at = until + SPREAD * (slip.shard.id % SPREAD_LEN);
                let stuck_max = STUCK_AGAIN_MAX.max(again_max);
                return inner.wait(rank, true, at.clamp(now + ADMIT_AGAIN_MIN, now + stuck_max));
            }
        };
        let ahead = inner.ahead(rank, now);
        if !inner.has_room(rank, ahead, self.in_flight_max) {
            let after = inner.estimate(ahead, self.in_flight_max);
            return inner.wait(rank, false, now + after.clamp(ADMIT_AGAIN_MIN, again_max));
        }
        inner.admit(rank, target, is_probe, now);
        Admit::Now(target)
    }

    /// HELLO came: the host is well.
    pub fn greeted(&self, slip: &Slip, now: Time) {
        let mut inner = self.lock();
        let Some(flight) = inner.in_flight.get_mut(&slip.shard) else { return };
        flight.greeted_at.get_or_insert(now);
        flight.probe = None;
        let host = flight.host.clone();
        let news = inner.hosts.greeted(&host, now);
        inner.tell(news);
    }

    /// The dial is over, or was given up before it began.
    pub fn settled(&self, slip: Slip, end: DialEnd, now: Time) {
        let mut inner = self.lock();
        let Some(flight) = inner.in_flight.get(&slip.shard) else {
            inner.leave(slip.shard);
            return;
        };
        let took = now.since(flight.since).clamp(HANDSHAKE_MIN, HANDSHAKE_MAX);
        let (host, probe, is_main) = (flight.host.clone(), flight.probe, flight.is_main);
        let was_greeted = flight.greeted_at.is_some();
        inner.handshake = (inner.handshake * 7 + took) / 8;
        let news = match end {
            // What greeted long ago says nothing of the host now.
            DialEnd::Up if !was_greeted => inner.hosts.greeted(&host, now),
            DialEnd::Failed(failure) => inner.hosts.failed(&host, is_main, probe, failure, now),
            DialEnd::Up | DialEnd::Ended => None,
        };
        inner.tell(news);
        inner.leave(slip.shard);
    }

    /// The shard is gone, and there is no clock to ask when.
    pub fn abandon(&self, slip: Slip) {
        self.lock().leave(slip.shard);
    }

    /// The next news of a host, if there is any.
    pub fn poll_news(&self) -> Option<HostNews> {
        self.lock().news.pop_front()
    }

    /// How many wait and are on their way.
    pub fn state(&self) -> AdmissionState {
        let inner = self.lock();
        AdmissionState {
            waiting: inner.waiting.len(),
            in_flight: inner.in_flight.len(),
            in_flight_peak: inner.in_flight_peak,
            hosts_shut: inner.hosts.shut().count(),
        }
    }

    /// The hosts that nobody dials but for probes, and since when.
    pub fn hosts_shut(&self) -> Vec<(HostName, Time)> {
        self.lock().hosts.shut().map(|(host, since)| (host.clone(), since)).collect()
    }

    /// Checks the admission's own rules, for tests and simulations.
    ///
    /// # Panics
    /// If one is broken: a mistake of the admission.
    pub fn invariants(&self) {
        let inner = self.lock();
        assert!(inner.in_flight.len() <= self.in_flight_max, "bounded");
        assert_eq!(inner.waiting.len(), inner.ranks.len(), "one place a shard");
        assert!(inner.news.len() <= NEWS_MAX, "bounded");
        inner.hosts.invariants();
    }

    /// The dearer half of [`invariants`](Self::invariants): looks at every place.
    ///
    /// # Panics
    /// As there.
    pub fn invariants_of_each(&self) {
        self.invariants();
        let inner = self.lock();
        for (shard, rank) in &inner.ranks {
            assert!(inner.waiting.get(rank).is_some_and(|waiting| waiting.shard == *shard));
            assert!(!inner.in_flight.contains_key(shard), "waits or is on its way");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No step in here panics half way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Inner {
    waiting: BTreeMap<Rank, Waiting>,
    ranks: BTreeMap<ShardId, Rank>,
    in_flight: BTreeMap<ShardId, Flight>,
    in_flight_peak: usize,
    arrivals: u64,
    /// How long a connection is on its way, as of late.
    handshake: Duration,
    hosts: Hosts,
    news: VecDeque<HostNews>,
}

/// The order of dials: resumes by age, then identifies, each by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    need: Need,
    arrival: u64,
}

#[derive(Debug)]
struct Waiting {
    shard: ShardId,
    route: Route,
    /// When it was told to ask.
    due: Time,
    /// All its hosts were shut when it last asked.
    is_stuck: bool,
}

#[derive(Debug)]
struct Flight {
    target: Target,
    host: HostName,
    is_main: bool,
    identifies: bool,
    probe: Option<Probe>,
    since: Time,
    greeted_at: Option<Time>,
}

impl Inner {
    /// Takes those off their way whose replay takes long, or whose core hangs.
    fn sweep(&mut self, now: Time) {
        let is_long = |flight: &Flight| match flight.greeted_at {
            Some(at) => now.since(at) >= RESUMING_MAX,
            None => now.since(flight.since) >= DIALLING_MAX,
        };
        let Self { in_flight, hosts, .. } = self;
        in_flight.retain(|_, flight| {
            let is_gone = is_long(flight);
            if let (true, Some(probe)) = (is_gone, flight.probe) {
                hosts.unprobed(&flight.host, probe);
            }
            !is_gone
        });
    }

    /// Where it may dial, and whether as a probe; else when that may be.
    fn choose(&self, rank: Rank, now: Time) -> Result<(Target, bool), Time> {
        let route = &self.waiting[&rank].route;
        let mut until = None;
        let resume = route.resume.iter().map(|host| (Target::Resume, host));
        for (target, host) in resume.chain([(Target::Main, &route.main)]) {
            match self.hosts.health(host, now) {
                Health::Well => return Ok((target, false)),
                Health::Probe => return Ok((target, true)),
                Health::Shut(at) => until = [until, Some(at)].into_iter().flatten().min(),
            }
        }
        Err(until.unwrap_or(now))
    }

    /// How many are before it that could dial and ask when they are told to. Counted no further
    /// than it matters.
    fn ahead(&self, rank: Rank, now: Time) -> usize {
        let comes = |waiting: &Waiting| !waiting.is_stuck && now <= waiting.due + PASSED_AFTER;
        self.waiting.range(..rank).filter(|(_, waiting)| comes(waiting)).take(AHEAD_MAX).count()
    }

    /// Whether it is among the first for whom there is room. Some of the room is kept for shards
    /// that identify, or resumes that fail for ever would keep them out for ever.
    fn has_room(&self, rank: Rank, ahead: usize, max: usize) -> bool {
        let free = max - self.in_flight.len().min(max);
        let identifying = self.in_flight.values().filter(|flight| flight.identifies).count();
        let kept = (max / IDENTIFY_SHARE).saturating_sub(identifying);
        let first_to_identify = Rank { need: Need::Identify, arrival: 0 };
        match rank.need {
            Need::Resume { .. } => {
                let identifiers = self.waiting.range(first_to_identify..).take(kept).count();
                ahead < free.saturating_sub(identifiers)
            }
            Need::Identify => {
                let before = self.waiting.range(first_to_identify..rank).take(kept).count();
                ahead < free || (free > 0 && before < kept)
            }
        }
    }

    /// When so many before it will have been let go.
    fn estimate(&self, ahead: usize, max: usize) -> Duration {
        let after = self.handshake * (ahead as u32) / (max as u32);
        if ahead < max * 2 {
            return after;
        }
        after.max(FAR_STEP * self.waiting.len() as u32)
    }

    fn again_max(&self) -> Duration {
        ADMIT_AGAIN_MAX.max(Duration::from_millis(self.waiting.len() as u64))
    }

    fn wait(&mut self, rank: Rank, is_stuck: bool, at: Time) -> Admit {
        if let Some(waiting) = self.waiting.get_mut(&rank) {
            (waiting.due, waiting.is_stuck) = (at, is_stuck);
        }
        Admit::Later(at)
    }

    fn admit(&mut self, rank: Rank, target: Target, is_probe: bool, now: Time) {
        let Some(Waiting { shard, route, .. }) = self.waiting.remove(&rank) else { return };
        self.ranks.remove(&shard);
        let is_main = target == Target::Main || route.resume.as_ref() == Some(&route.main);
        let host = match (target, route.resume) {
            (Target::Resume, Some(resume)) => resume,
            _ => route.main,
        };
        let probe = if is_probe { self.hosts.probed(&host) } else { None };
        let identifies = rank.need == Need::Identify;
        let flight =
            Flight { target, host, is_main, identifies, probe, since: now, greeted_at: None };
        self.in_flight.insert(shard, flight);
        self.in_flight_peak = self.in_flight_peak.max(self.in_flight.len());
    }

    /// Takes a shard out, wherever it stands.
    fn leave(&mut self, shard: ShardId) {
        if let Some(rank) = self.ranks.remove(&shard) {
            self.waiting.remove(&rank);
        }
        if let Some(flight) = self.in_flight.remove(&shard)
            && let Some(probe) = flight.probe
        {
            // Its round is another one if it had a verdict.
            self.hosts.unprobed(&flight.host, probe);
        }
    }

    fn tell(&mut self, news: Option<HostNews>) {
        let Some(news) = news else { return };
        if self.news.len() == NEWS_MAX {
            self.news.pop_front();
        }
        self.news.push_back(news);
    }
}

/// The first guess of how long a connection is on its way, and the bounds of what is believed.
const HANDSHAKE_GUESS: Duration = Duration::from_millis(100);
const HANDSHAKE_MIN: Duration = Duration::from_millis(1);
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Those before a shard are counted up to here.
const AHEAD_MAX: usize = 512;

/// Those far from their turn ask no more than 2000 times a second, all together.
const FAR_STEP: Duration = Duration::from_micros(500);

/// One in so many of those on their way may be a shard that identifies, though resumes wait.
const IDENTIFY_SHARE: usize = 8;

/// Shards that wait for a probe come this far apart, in as many steps.
const SPREAD: Duration = Duration::from_millis(10);
const SPREAD_LEN: u32 = 64;

/// The most news that are kept for somebody who does not pull them; older ones go.
const NEWS_MAX: usize = 32;

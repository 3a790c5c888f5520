//! Two processes of one host: one store of keys, one ledger, and `kill -9` at every step.

use std::sync::Arc;
use std::time::Duration;

use shardring::clock::Time;
use shardring::shard::admission::{Admission, IN_FLIGHT_MAX};
use shardring::shard::budget::{Budget, BudgetSettings, MemoryLedger, StartLedger};
use shardring::shard::id::ShardId;
use shardring::shard::identify::{CLAIM_LEASE, LocalGate, MemoryKeys, SharedGate};
use shardring::shard::session::Guards;

use crate::gateway::Gateway;
use crate::world::{Step, World, ms, s, settings};

const TOTAL: u32 = 24;

struct Host {
    keys: MemoryKeys,
    ledger: Arc<MemoryLedger>,
    max_concurrency: u32,
}

impl Host {
    fn new(max_concurrency: u32) -> Self {
        Self { keys: MemoryKeys::new(1), ledger: Arc::default(), max_concurrency }
    }

    /// The guards of a process that calls itself so.
    fn process(&self, owner: u64) -> Guards {
        let local = LocalGate::new(self.max_concurrency);
        let mut settings = BudgetSettings::default();
        settings.total = Some(1000);
        Guards {
            admission: Arc::new(Admission::new(IN_FLIGHT_MAX, owner)),
            budget: Arc::new(Budget::new(settings, self.ledger.clone(), None, Time::ZERO)),
            gate: Arc::new(SharedGate::new(local, self.keys.of(owner))),
            verdict: Arc::default(),
        }
    }

    fn world(&self, seed: u64) -> World<Gateway> {
        let ids = |parity| (0..TOTAL).filter(move |id| id / 2 % 2 == parity);
        let ids = |parity| ids(parity).map(|id| ShardId::new(id, TOTAL));
        let mut peer = Gateway::new(seed, self.max_concurrency);
        peer.write_delay = ms(400);
        let mut world = World::with_guards(ids(0), self.process(1), seed, peer, settings());
        world.add_process(ids(1), self.process(2));
        world
    }
}

/// The gateway's own count: one IDENTIFY a key and 5 s. Gives the longest wait between two.
fn check_spacing(world: &World<Gateway>, max_concurrency: usize) -> Duration {
    assert_eq!(world.peer.too_early, 0, "the gateway counted");
    let mut longest = Duration::ZERO;
    for key in 0..max_concurrency {
        let of_key = world.peer.identifies.iter().filter(|(_, id)| id % max_concurrency == key);
        let times: Vec<_> = of_key.map(|(when, _)| *when).collect();
        for pair in times.windows(2) {
            let apart = pair[1].since(pair[0]);
            assert!(apart >= s(5), "key {key}: {apart:?}");
            longest = longest.max(apart);
        }
    }
    longest
}

#[test]
fn two_processes_share_the_concurrency_and_lose_little_by_it() {
    for seed in 0..20 {
        let max_concurrency = 1 + (seed % 4) as u32;
        let host = Host::new(max_concurrency);
        let mut world = host.world(seed);
        world.start();
        let took = world.run_until_up(s(300));
        let longest = check_spacing(&world, max_concurrency as usize);
        assert_eq!(world.peer.identifies.len(), TOTAL as usize);
        assert_eq!(host.ledger.state(world.now).counted, TOTAL);
        // A turn, the write's delay, and that the other process learns of it by asking.
        assert!(longest < s(7) + ms(500), "seed {seed}: {longest:?}");
        let turns = TOTAL.div_ceil(max_concurrency);
        assert!(took < s(7) * turns, "seed {seed}: {took:?} for {turns} turns");
    }
}

#[test]
fn a_process_killed_at_any_step_breaks_no_spacing_and_frees_its_key_by_itself() {
    let steps = [Step::Queued, Step::Granted, Step::Sent, Step::Written];
    for (seed, step) in (0..40).flat_map(|seed| steps.map(|step| (seed, step))) {
        let max_concurrency = 1 + (seed % 3) as u32;
        let host = Host::new(max_concurrency);
        let mut world = host.world(seed);
        world.peer.write_delay = if step == Step::Written { Duration::ZERO } else { ms(400) };
        world.peer.reborn.push(host.process(3));
        world.crash = Some((step, 1 + (seed % 5) as u32));
        world.start();
        world.run(s(2));
        world.run_until_up(s(600));
        assert!(world.crash.is_none(), "it was killed");
        let longest = check_spacing(&world, max_concurrency as usize);
        assert!(longest < CLAIM_LEASE + s(8), "{step:?} seed {seed}: {longest:?}");
        // Never fewer are counted than were sent; at most the one too many of the kill.
        let counted = host.ledger.state(world.now).counted as usize;
        let sent = world.peer.identifies.len();
        let extra = usize::from(step == Step::Granted);
        assert_eq!(counted, sent + extra, "{step:?} seed {seed}");
    }
}

#[test]
fn a_process_killed_again_and_again_breaks_no_spacing() {
    let steps = [Step::Queued, Step::Granted, Step::Sent, Step::Written];
    for seed in 0..20 {
        let host = Host::new(1);
        let mut world = host.world(seed);
        world.start();
        for owner in 0..12 {
            world.peer.reborn.push(host.process(10 + owner));
            let step = steps[(seed + owner) as usize % steps.len()];
            world.peer.write_delay = if step == Step::Written { Duration::ZERO } else { ms(400) };
            world.crash = Some((step, 1));
            world.run(s(40));
            world.crash = None;
            world.peer.reborn.clear();
        }
        world.run_until_up(s(900));
        check_spacing(&world, 1);
        let counted = host.ledger.state(world.now).counted as usize;
        assert!(counted >= world.peer.identifies.len(), "one too many rather than one too few");
    }
}

//! Storms: a thousand shards, one admission, one gate, one budget, a gateway whose hosts fail.

use std::sync::Arc;
use std::time::Duration;

use shardring::clock::Time;
use shardring::shard::admission::{Admission, IN_FLIGHT_MAX};
use shardring::shard::budget::BudgetAlarm;
use shardring::shard::close::LinkEnd;
use shardring::shard::id::ShardId;
use shardring::shard::identify::LocalGate;
use shardring::shard::notice::{Sent, State};
use shardring::shard::session::Guards;

use crate::gateway::{Down, Gateway, RESUME_HOSTS, Resumes};
use crate::world::{Act, World, ms, s, settings};

const SHARDS: u32 = 1000;

/// A fleet that is up. The gate is wide at first, so that it comes up soon.
fn fleet(seed: u64, shards: u32, in_flight_max: u32, total: u32) -> World<Gateway> {
    let gate = Arc::new(LocalGate::new(shards));
    let guards = Guards {
        admission: Arc::new(Admission::new(in_flight_max, seed)),
        gate: gate.clone(),
        ..Guards::local(1, total)
    };
    let ids = (0..shards).map(|id| ShardId::new(id, shards));
    let peer = Gateway::new(seed, shards);
    let mut settings = settings();
    settings.session_age_max = s(2 * 3600);
    let mut world = World::with_guards(ids, guards, seed, peer, settings);
    world.check_each = 256;
    world.bring_up(s(60));
    world.on_way_peak = 0;
    gate.set_max_concurrency(16);
    world.peer.max_concurrency = 16;
    world
}

fn sent(world: &World<Gateway>, kind: Sent) -> usize {
    (0..world.seats.len()).map(|at| world.sent(at, kind).len()).sum()
}

#[test]
fn a_thousand_shards_cut_at_once_are_back_within_seconds_without_one_identify() {
    for seed in 0..3 {
        let mut world = fleet(seed, SHARDS, IN_FLIGHT_MAX, 10_000);
        let cut_at = world.now;
        let wakes = world.wakes;
        world.cut_all();
        let took = world.run_until_up(s(30));
        let wakes = (world.wakes - wakes) as f64 / took.as_secs_f64();
        eprintln!("seed {seed}: back in {took:?}, peak {}, {wakes:.0} wakes/s", world.on_way_peak);
        assert!(world.on_way_peak <= IN_FLIGHT_MAX as usize, "{}", world.on_way_peak);
        assert_eq!(world.peer.identifies.len(), 0);
        assert_eq!(world.peer.dials.len(), SHARDS as usize, "one dial each");
        assert_eq!(sent(&world, Sent::Resume), SHARDS as usize);
        let all_to_resume_hosts = world.peer.dials.iter().all(|(_, _, host)| host.is_some());
        assert!(all_to_resume_hosts && world.peer.dials[0].0 >= cut_at);
    }
}

#[test]
fn a_single_shard_that_is_asked_to_reconnect_is_not_held_up() {
    let mut world = fleet(1, 100, IN_FLIGHT_MAX, 1000);
    for at in 0..100 {
        let asked_at = world.now;
        world.peer.dials.clear();
        world.act(at, Act::Op7);
        world.run(s(3));
        let [(when, shard, host)] = world.peer.dials[..] else { panic!("one dial") };
        assert_eq!((shard, host), (at, Some(at % RESUME_HOSTS)));
        assert!(when.since(asked_at) <= s(1), "the back-off of a first attempt, and no more");
        assert_eq!(world.state(at), State::Active);
    }
}

#[test]
fn who_lost_the_connection_first_is_let_go_first() {
    // 2 ms apart, four times as fast as they can come back.
    for seed in 0..3 {
        let mut world = fleet(seed, SHARDS, 16, 10_000);
        let mut lost_at = Vec::new();
        for at in 0..SHARDS as usize {
            // Not in the order of their numbers.
            let at = at * 379 % SHARDS as usize;
            lost_at.push((world.now, at));
            world.act(at, Act::End(LinkEnd::Reset));
            world.run(ms(2));
        }
        let took = world.run_until_up(s(60));
        assert!(world.on_way_peak <= 16);
        let mut dialled_at = vec![Time::ZERO; SHARDS as usize];
        for (when, at, _) in &world.peer.dials {
            dialled_at[*at] = *when;
        }
        // The back-off is up to a second: from then on it stood in line.
        let mut worst = Duration::ZERO;
        for (rank, (lost, older)) in lost_at.iter().enumerate() {
            for (_, younger) in &lost_at[rank + 1..] {
                if dialled_at[*younger] > *lost + s(1) {
                    worst = worst.max(dialled_at[*older].since(dialled_at[*younger]));
                }
            }
        }
        eprintln!("seed {seed}: back in {took:?}, overtaken by {worst:?}");
        assert!(worst < ms(500), "an older session came {worst:?} later");
    }
}

#[test]
fn no_host_is_stormed_in_an_outage_of_an_hour_and_all_come_back_after_it() {
    for (seed, down) in [(1, Down::Refuses), (2, Down::Hangs), (3, Down::Answers(503))] {
        let mut world = fleet(seed, SHARDS, IN_FLIGHT_MAX, 10_000);
        let cut_at = world.now;
        world.peer.all_down(Some(down));
        let wakes = world.wakes;
        world.cut_all();
        world.run(s(3600));
        let wakes = (world.wakes - wakes) / 3600;
        let main = world.peer.dials_to(None, cut_at);
        let resume: Vec<_> =
            (0..RESUME_HOSTS).map(|host| world.peer.dials_to(Some(host), cut_at)).collect();
        eprintln!("{down:?}: main {main}, resume {resume:?}, {wakes} wakes/s");
        assert!(main <= 64 + 2 * 170, "{main}");
        assert!(resume.iter().all(|dials| *dials <= 64 + 13), "{resume:?}");
        assert!(world.peer.identifies.is_empty(), "sessions are kept");

        // Discord has forgotten every second session meanwhile.
        world.peer.sessions.retain(|_, shard| !shard.is_multiple_of(2));
        world.peer.all_down(None);
        world.on_way_peak = 0;
        let back_at = world.now;
        let resumed = |world: &World<Gateway>| {
            (0..SHARDS as usize).all(|at| at.is_multiple_of(2) || world.state(at) == State::Active)
        };
        while !resumed(&world) {
            world.run(ms(100));
            assert!(world.now.since(back_at) < s(120), "{} are up", world.active());
        }
        let took = world.now.since(back_at);
        assert!(world.on_way_peak <= IN_FLIGHT_MAX as usize);
        let all = world.run_until_up(s(900));
        eprintln!("{down:?}: resumed after {took:?}, all after {:?}", took + all);
        assert_eq!(world.peer.identifies.len(), SHARDS as usize / 2, "those that were forgotten");
        assert_eq!(world.peer.too_early, 0);
    }
}

#[test]
fn a_dead_resume_host_is_dialled_some_dozens_of_times_an_hour_by_a_thousand_shards_together() {
    for (seed, down) in [(1, Down::Refuses), (2, Down::Hangs), (3, Down::Answers(500))] {
        let mut world = fleet(seed, SHARDS, IN_FLIGHT_MAX, 10_000);
        world.peer.resume[1] = Some(down);
        let cut_at = world.now;
        world.cut_all();
        let took = world.run_until_up(s(60));
        // And each shard loses its connection every ten minutes.
        for round in 0..6 {
            for at in 0..SHARDS as usize {
                world.run(ms(600));
                if world.state(at) == State::Active {
                    world.act(at, Act::End(LinkEnd::Eof));
                }
            }
            assert!(world.active() > 950, "round {round}: {}", world.active());
        }
        world.run_until_up(s(60));
        let dead = world.peer.dials_to(Some(1), cut_at);
        eprintln!("{down:?}: all back in {took:?}, {dead} dials to the dead host");
        assert!(dead <= 64 + 13, "{dead}");
        assert!(world.peer.identifies.is_empty(), "sessions are resumed at the main host");

        world.peer.resume[1] = None;
        world.run(s(600));
        for at in (1..SHARDS as usize).step_by(RESUME_HOSTS) {
            world.act(at, Act::End(LinkEnd::Eof));
            world.run(ms(50));
        }
        world.run_until_up(s(60));
        let again = world.peer.dials_to(Some(1), cut_at) - dead;
        assert!(again > 200, "it is used again: {again}");
    }
}

#[test]
fn resumes_that_fail_for_an_hour_never_become_identifies_and_never_storm_the_hosts() {
    for (seed, resumes) in [(1, Resumes::Reset), (2, Resumes::Swallowed)] {
        let mut world = fleet(seed, 200, IN_FLIGHT_MAX, 10_000);
        world.peer.resumes = resumes;
        let cut_at = world.now;
        world.cut_all();
        world.run(s(3600));
        assert_eq!(world.active(), 0);
        assert_eq!(world.peer.identifies.len(), 0, "{resumes:?}");
        // The back-off is 30 s on average after the first minute.
        let dials = world.peer.dials.iter().filter(|dial| dial.0 >= cut_at).count();
        eprintln!("{resumes:?}: {dials} dials of 200 shards");
        assert!((200 * 15..200 * 140).contains(&dials), "{dials}");
        world.peer.resumes = Resumes::Well;
        let took = world.run_until_up(s(400));
        eprintln!("{resumes:?}: all back after {took:?}");
        assert_eq!(world.peer.identifies.len(), 0, "{resumes:?}");
    }
}

#[test]
fn sessions_that_are_lost_for_days_take_what_the_budget_gives_them_and_no_more() {
    const TOTAL: u32 = 1000;
    const DAY: u64 = 24 * 3600;
    for seed in 0..2 {
        let mut world = fleet(seed, 100, IN_FLIGHT_MAX, TOTAL);
        world.peer.resumes = Resumes::Op9;
        let started = 100;
        let (mut per_hour, mut alarms) = (Vec::new(), Vec::new());
        for _ in 0..2 * 24 {
            let before = world.peer.identifies.len();
            for _ in 0..36 {
                // Every session that has lasted is cut, and its RESUME is answered with op 9.
                world.run(s(100));
                world.cut_all_active();
            }
            per_hour.push(world.peer.identifies.len() - before);
            world.forget();
            alarms.extend(std::iter::from_fn(|| world.guards.budget.poll_alarm()));
        }
        // The window began with the first IDENTIFY, a second after the start.
        let day = |day: u64| {
            let (begin, end) = (day * DAY + 1, (day + 1) * DAY + 1);
            let times = world.peer.identifies.iter().map(|(when, _)| when.as_ms() / 1000);
            times.filter(|secs| (begin..end).contains(secs)).count()
        };
        let (first, second) = (started + day(0), day(1));
        for spent in [first, second] {
            assert!(spent <= (TOTAL - 50) as usize, "{spent}: the reserve is kept");
            assert!(spent > 800, "{spent}: and no more than that is");
        }
        // Half of it at once, the rest hour by hour: nobody is shut out for a day.
        assert!(per_hour[0] > 400 && per_hour[0] < 500, "{per_hour:?}");
        assert!(per_hour[1..23].iter().all(|count| (8..=40).contains(count)), "{per_hour:?}");
        assert_eq!(world.peer.too_early, 0);
        let percents = alarms.iter().filter_map(|alarm| match alarm {
            BudgetAlarm::Left { percent, .. } => Some(*percent),
            _ => None,
        });
        // Each once a window. The first IDENTIFY of the second is of the same instant as its end.
        assert_eq!(percents.collect::<Vec<_>>(), [50, 25, 10, 50, 25, 10], "{alarms:?}");
        let slowed = alarms.iter().filter(|alarm| matches!(alarm, BudgetAlarm::Slowed { .. }));
        assert!(slowed.count() >= 2, "{alarms:?}");
    }
}

#[test]
fn sessions_that_expire_in_line_identify_at_the_main_host_in_their_turn() {
    for seed in 0..4 {
        let mut world = fleet(seed, 100, IN_FLIGHT_MAX, 1000);
        world.peer.all_down(Some(Down::Refuses));
        world.cut_all();
        world.run(s(2 * 3600 - 5));
        assert!(world.seats.iter().all(|seat| seat.session.session_id().is_some()));
        world.run(s(65));
        assert!(world.seats.iter().all(|seat| seat.session.session_id().is_none()), "two hours");
        let back_at = world.now;
        world.peer.all_down(None);
        world.run_until_up(s(120));
        let since = world.peer.dials.iter().filter(|dial| dial.0 >= back_at);
        assert!(since.clone().all(|(_, _, host)| host.is_none()) && since.count() >= 100);
        assert_eq!((world.peer.identifies.len(), world.peer.too_early), (100, 0));
    }
}

impl World<Gateway> {
    fn cut_all_active(&mut self) {
        for at in 0..self.seats.len() {
            if self.state(at) == State::Active {
                self.act(at, Act::End(LinkEnd::Reset));
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_storm() {
    let run = |seed| {
        let mut world = fleet(seed, 200, 16, 10_000);
        world.peer.resume[2] = Some(Down::Hangs);
        world.cut_all();
        world.run(s(20));
        world.peer.all_down(Some(Down::Answers(503)));
        world.cut_all_active();
        world.run(s(200));
        world.peer.all_down(None);
        world.run(s(60));
        let seen: Vec<_> = world.seats.iter().map(|seat| format!("{:?}", seat.seen)).collect();
        (seen, world.peer.dials, world.wakes)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6), "the seed matters");
}

//! The identify gate, and how rarely a session identifies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shardring::clock::Time;
use shardring::shard::id::ShardId;
use shardring::shard::identify::{
    CLAIM_LEASE, IdentifyGate, KeyRecord, LocalGate, TURN, Ticket, Turn,
};
use shardring::shard::notice::{Notice, Sent, State};
use shardring::shard::session::Guards;

use crate::world::{Act, Answer, Script, World, active, ms, s, settings};

fn at(after: std::time::Duration) -> Time {
    Time::ZERO + after
}

fn shard(id: u32) -> ShardId {
    ShardId::new(id, 64)
}

#[test]
fn a_gateway_that_swallows_identify_for_an_hour_receives_exactly_one_per_shard() {
    let script = Script { identify: Answer::Nothing, ..Script::default() };
    let mut world = World::new(8, 2, 1, script);
    world.start();
    world.run(s(3600));
    for at in 0..8 {
        assert_eq!(world.state(at), State::Identifying);
        assert_eq!(world.sent(at, Sent::Identify).len(), 1);
        assert!(world.sent(at, Sent::Heartbeat).len() > 80, "it beats on");
        let stalled = world
            .notices(at)
            .into_iter()
            .filter(|(_, n)| matches!(n, Notice::Stalled { awaited: State::Identifying, .. }));
        assert_eq!(stalled.count(), 1, "said once");
        assert_eq!(world.dials(at).len(), 1);
    }
    // The outage is over: READY may come as late as it likes.
    world.act(0, Act::Ready { s: Some(1), id: "late".into(), url: None });
    assert_eq!(world.state(0), State::Active);
}

#[test]
fn a_gateway_that_always_answers_op_9_false_receives_at_most_12_per_shard_and_hour() {
    for seed in 0..40 {
        let script = Script { identify: Answer::Do(Act::Op9(false)), ..Script::default() };
        let mut world = World::new(3, 1, seed, script);
        world.start();
        world.run(s(3600));
        for at in 0..3 {
            let count = world.sent(at, Sent::Identify).len();
            assert!((6..=12).contains(&count), "seed {seed}: {count}");
            assert!(world.has_notice(at, |n| matches!(n, Notice::IdentifyBackoff { .. })));
        }
    }
}

#[test]
fn no_answer_to_identify_makes_a_loop_of_identifies() {
    use shardring::shard::close::LinkEnd::{Closed, Eof, Reset, Wire};
    let ends = [Reset, Eof, Wire, Closed(None), Closed(Some(4000)), Closed(Some(4003))];
    let mut acts: Vec<Act> = ends.into_iter().map(Act::End).collect();
    acts.extend([Act::Op7, Act::Op9(true)]);
    for act in acts {
        for seed in 0..5 {
            let script = Script { identify: Answer::Do(act.clone()), ..Script::default() };
            let mut world = World::new(1, 1, seed, script);
            world.start();
            world.run(s(3600));
            let count = world.sent(0, Sent::Identify).len();
            assert!((6..=12).contains(&count), "{act:?} seed {seed}: {count}");
        }
    }
}

#[test]
fn a_gateway_that_gives_sessions_and_takes_them_back_is_not_identified_to_in_a_loop() {
    for seed in 0..10 {
        let mut world = World::new(1, 1, seed, Script::default());
        world.start();
        for _ in 0..36_000 {
            world.run(ms(100));
            if world.state(0) == State::Active {
                world.act(0, Act::Op9(false));
            }
        }
        let count = world.sent(0, Sent::Identify).len();
        assert!((6..=13).contains(&count), "seed {seed}: {count}");
    }
}

#[test]
fn a_session_that_lasted_is_replaced_within_seconds_of_op_9() {
    for seed in 0..20 {
        let mut world = active(seed, Script::default());
        world.run(s(61));
        world.forget();
        let lost_at = world.now;
        world.act(0, Act::Op9(false));
        world.run(s(10));
        let again = world.sent(0, Sent::Identify)[0].0.since(lost_at);
        assert!(again >= s(1) && again < s(6), "{again:?}");
        assert_eq!(world.closes(0), [1000]);
    }
}

#[test]
fn a_key_gives_one_permit_and_the_next_5_25_s_after_the_write() {
    let gate = LocalGate::new(1);
    let first = gate.enqueue(shard(0), true, at(s(1)));
    let second = gate.enqueue(shard(1), true, at(s(1)));
    assert_eq!(gate.ask(&first, at(s(2))), Turn::Now);
    assert_eq!(gate.ask(&first, at(s(2))), Turn::Now, "asked twice, it still holds it");
    assert_eq!(gate.ask(&second, at(s(90))), Turn::Later(at(s(91))), "held until written");
    gate.written(first, at(s(100)));
    assert_eq!(gate.ask(&second, at(s(100))), Turn::Later(at(s(101))));
    assert_eq!(gate.ask(&second, at(s(105))), Turn::Later(at(ms(105_250))));
    assert_eq!(gate.ask(&second, at(ms(105_249))), Turn::Later(at(ms(105_250))));
    assert_eq!(gate.ask(&second, at(ms(105_250))), Turn::Now);
    gate.give_back(second, at(ms(105_250)));
    let third = gate.enqueue(shard(2), false, at(ms(105_251)));
    assert_eq!(gate.ask(&third, at(ms(105_251))), Turn::Now, "nothing was written");
    gate.abandon(third);
    let fourth = gate.enqueue(shard(3), false, at(s(200)));
    assert_eq!(gate.ask(&fourth, at(s(200))), Turn::Later(at(s(201))), "maybe it was written");
    assert_eq!(gate.ask(&fourth, at(s(200) + TURN)), Turn::Now);
}

#[test]
fn keys_are_apart_and_zero_concurrency_is_one() {
    let gate = LocalGate::new(16);
    for id in 0..16 {
        let ticket = gate.enqueue(shard(id), true, at(s(1)));
        assert_eq!(gate.ask(&ticket, at(s(1))), Turn::Now, "shard {id}");
    }
    let ticket = gate.enqueue(shard(16), true, at(s(1)));
    assert!(matches!(gate.ask(&ticket, at(s(1))), Turn::Later(_)));
    assert_eq!(LocalGate::new(0).max_concurrency(), 1);
}

#[test]
fn the_first_start_goes_by_shard_id_and_later_comers_by_time() {
    let gate = LocalGate::with_fleet(1, (0..4).map(shard));
    // Cores come up in the worst order; shard 9 lost its session before.
    let mut tickets = vec![gate.enqueue(shard(9), false, at(s(1)))];
    for id in [3, 2, 1, 0] {
        tickets.push(gate.enqueue(shard(id), true, at(s(1))));
    }
    tickets.push(gate.enqueue(shard(8), false, at(s(1))));
    assert_eq!(gate.waiting(), 6, "one place a shard");
    let mut order = Vec::new();
    let mut now = at(s(1));
    let names = [9, 3, 2, 1, 0, 8];
    let mut left: Vec<_> = tickets.into_iter().zip(names).collect();
    while !left.is_empty() {
        // All ask; one is let through.
        let granted: Vec<usize> =
            (0..left.len()).filter(|at| gate.ask(&left[*at].0, now) == Turn::Now).collect();
        if let [granted] = granted[..] {
            let (ticket, id) = left.remove(granted);
            order.push(id);
            gate.written(ticket, now);
        } else {
            assert!(granted.is_empty(), "two permits of one key");
        }
        now += ms(500);
    }
    assert_eq!(order, [0, 1, 2, 3, 9, 8]);
}

#[test]
fn only_the_next_two_may_dial_and_one_that_never_asks_is_passed_after_a_turn() {
    let gate = LocalGate::new(1);
    let now = at(s(10));
    let tickets: Vec<_> = (0..5).map(|id| gate.enqueue(shard(id), true, now)).collect();
    let dialling = |now| -> Vec<bool> {
        tickets.iter().map(|ticket| gate.may_dial(ticket, now) == Turn::Now).collect()
    };
    assert_eq!(dialling(now), [true, true, false, false, false]);
    assert!(matches!(gate.ask(&tickets[1], now), Turn::Later(_)), "shard 0 may still come");
    let passed = now + TURN;
    assert_eq!(dialling(passed), [true, true, true, false, false]);
    assert_eq!(gate.ask(&tickets[1], passed), Turn::Now);
    assert!(matches!(gate.ask(&tickets[0], passed), Turn::Later(_)));
}

#[test]
fn a_fleet_identifies_in_order_each_dialling_just_before_its_turn() {
    for max_concurrency in [1, 4, 16] {
        let shards = 64u32;
        let mut world = World::new(shards, max_concurrency, 5, Script::default());
        world.start();
        let turns = shards / max_concurrency;
        world.run(TURN * turns + s(5));
        let mut by_key = vec![Vec::new(); max_concurrency as usize];
        for at in 0..shards as usize {
            assert_eq!(world.state(at), State::Active);
            let identify = world.sent(at, Sent::Identify);
            assert_eq!(identify.len(), 1);
            let dialled_at = world.dials(at)[0].0;
            assert!(identify[0].0.since(dialled_at) <= TURN * 2 + s(1), "idle and unidentified");
            by_key[at % max_concurrency as usize].push(identify[0].0);
        }
        for times in by_key {
            for pair in times.windows(2) {
                assert!(pair[1] > pair[0], "FIFO by shard id");
                assert!(pair[1].since(pair[0]) >= TURN);
                assert!(pair[1].since(pair[0]) < TURN + ms(100), "no turn is wasted");
            }
        }
    }
}

#[test]
fn a_shard_that_is_dropped_leaves_the_gate_free() {
    let script = Script::default();
    let mut world = World::with_settings(3, LocalGate::new(1), 6, script, settings());
    world.start();
    world.run(ms(20));
    assert_eq!(world.guards.gate.waiting(), 3);
    world.seats.truncate(1);
    assert_eq!(world.guards.gate.waiting(), 1);
    world.run(s(1));
    assert_eq!(world.state(0), State::Active);
    assert_eq!(world.guards.gate.waiting(), 0);
}

#[test]
fn the_number_of_keys_changes_only_when_no_permit_is_out_and_after_every_rest() {
    for (before, after) in [(1, 4), (4, 1), (16, 6)] {
        let gate = LocalGate::new(before);
        let tickets: Vec<_> =
            (0..32).map(|id| Some(gate.enqueue(shard(id), true, at(s(1))))).collect();
        let mut tickets: Vec<Option<_>> = tickets;
        let first = tickets[0].take().unwrap();
        assert_eq!(gate.ask(&first, at(s(1))), Turn::Now);
        gate.set_max_concurrency(after);
        assert_eq!(gate.max_concurrency(), after);
        gate.invariants();
        for ticket in tickets.iter().flatten() {
            assert!(matches!(gate.ask(ticket, at(s(2))), Turn::Later(_)), "a permit is out");
        }
        assert_eq!(gate.ask(&first, at(s(9))), Turn::Now, "whose holder keeps it");
        gate.written(first, at(s(10)));
        gate.invariants();
        let mut now = at(s(10));
        let mut written: Vec<(Time, u32)> = Vec::new();
        while tickets.iter().any(Option::is_some) {
            for id in 0..32 {
                let Some(ticket) = &tickets[id as usize] else { continue };
                if gate.ask(ticket, now) == Turn::Now {
                    gate.written(tickets[id as usize].take().unwrap(), now);
                    written.push((now, id));
                }
                gate.invariants();
            }
            now += ms(250);
        }
        assert!(written[0].0 >= at(s(10)) + TURN, "whichever key it is of now");
        for key in 0..after {
            let times: Vec<_> = written.iter().filter(|(_, id)| id % after == key).collect();
            assert!(times.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= TURN));
            assert!(times.windows(2).all(|pair| pair[1].1 > pair[0].1), "{before}: {times:?}");
        }
        assert_eq!(gate.waiting(), 0);
    }
}

#[test]
fn a_key_of_a_store_is_one_owner_and_never_locked_for_ever() {
    let lease_ms = CLAIM_LEASE.as_millis() as u64;
    let turn_ms = TURN.as_millis() as u64;
    let mut key = KeyRecord::default();
    assert_eq!(key.claim(1, 1000), Ok(()));
    assert_eq!(key.claim(2, 2000), Err(1000 + lease_ms));
    assert_eq!(key.claim(1, 5000), Ok(()), "its owner may renew it");
    assert_eq!(key.claim(2, 5000 + lease_ms - 1), Err(5000 + lease_ms));
    key.give_back(2, 6000);
    assert_eq!(key.owner, 1, "only its owner can give it back");
    key.written(1, 7000);
    assert_eq!(key.claim(1, 7000), Err(7000 + turn_ms), "a written one rests for all");
    assert_eq!(key.claim(2, 7000 + turn_ms), Ok(()));
    // Its owner dies; the lease ends; then one who was asleep writes after all.
    assert_eq!(key.claim(3, 7000 + turn_ms + lease_ms), Ok(()));
    key.give_back(3, 60_000);
    key.written(2, 60_000);
    assert_eq!(key.claim(3, 60_001), Err(60_000 + turn_ms));
    // The machine starts anew, and its clock with it.
    assert_eq!(key.claim(3, 10), Err(10 + lease_ms));
    assert_eq!(key.claim(3, 10 + lease_ms), Ok(()));
    // The longest wait of a write and a turn fit into a lease, with room.
    assert!(CLAIM_LEASE > TURN + s(20) + s(4));
}

/// A gate that answers with moments that are past, as one of a cluster might.
#[derive(Debug)]
struct Confused(LocalGate, AtomicU32);

impl Confused {
    fn or_late(&self, turn: Turn) -> Turn {
        let calls = self.1.fetch_add(1, Ordering::Relaxed);
        if calls.is_multiple_of(10) { turn } else { Turn::Later(Time::ZERO) }
    }
}

impl IdentifyGate for Confused {
    fn max_concurrency(&self) -> u32 {
        self.0.max_concurrency()
    }
    fn enqueue(&self, shard: ShardId, first: bool, now: Time) -> Ticket {
        self.0.enqueue(shard, first, now)
    }
    fn may_dial(&self, ticket: &Ticket, now: Time) -> Turn {
        self.or_late(self.0.may_dial(ticket, now))
    }
    fn ask(&self, ticket: &Ticket, now: Time) -> Turn {
        self.or_late(self.0.ask(ticket, now))
    }
    fn written(&self, ticket: Ticket, now: Time) {
        self.0.written(ticket, now);
    }
    fn give_back(&self, ticket: Ticket, now: Time) {
        self.0.give_back(ticket, now);
    }
    fn abandon(&self, ticket: Ticket) {
        self.0.abandon(ticket);
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
}

#[test]
fn a_gate_that_names_moments_that_are_past_is_not_asked_without_end() {
    let gate = Arc::new(Confused(LocalGate::new(1), AtomicU32::new(0)));
    let guards = Guards { gate: gate.clone(), ..Guards::local(1, 1000) };
    let ids = (0..4).map(|id| ShardId::new(id, 4));
    let mut world = World::with_guards(ids, guards, 1, Script::default(), settings());
    world.start();
    world.run(s(30));
    assert!((0..4).all(|at| world.state(at) == State::Active));
    let calls = gate.1.load(Ordering::Relaxed);
    assert!(calls < 4 * 30_000, "{calls}");
    assert_eq!(gate.waiting(), 0);
}

#[test]
fn ten_thousand_shards_that_start_ask_the_gate_some_thousand_times_a_second() {
    let (shards, max_concurrency) = (10_000, 16);
    let gate =
        LocalGate::with_fleet(max_concurrency, (0..shards).map(|id| ShardId::new(id, shards)));
    let guards = Guards { gate: Arc::new(gate), ..Guards::local(1, 100_000) };
    let ids = (0..shards).map(|id| ShardId::new(id, shards));
    let mut world = World::with_guards(ids, guards, 1, Script::default(), settings());
    world.check_each = 4096;
    world.start();
    let wakes = world.wakes;
    world.run(s(60));
    let wakes = (world.wakes - wakes) / 60;
    assert!(wakes < 2500, "{wakes} a second");
    let active = (0..shards as usize).filter(|at| world.state(*at) == State::Active).count();
    let turns = s(60).as_millis() / TURN.as_millis();
    assert!(active >= max_concurrency as usize * turns as usize, "{active}: no turn is wasted");
}

//! Heartbeats, and who is a zombie.

use std::time::Duration;

use shardring::clock::Time;
use shardring::shard::close::Cause;
use shardring::shard::notice::{Notice, Sent, State};

use crate::world::{Act, Answer, Script, World, active, ms, s};

const INTERVAL: Duration = Duration::from_millis(41_250);

fn beats(world: &World<Script>) -> Vec<Time> {
    world.sent(0, Sent::Heartbeat).into_iter().map(|(when, _)| when).collect()
}

fn ended_by(world: &World<Script>, cause: Cause) -> Option<Time> {
    let ended = Notice::Disconnected { cause };
    world.notices(0).into_iter().find(|(_, notice)| *notice == ended).map(|(when, _)| when)
}

#[test]
fn the_first_beat_is_jittered_over_the_interval_and_the_rest_keep_it() {
    let mut firsts = Vec::new();
    for seed in 0..200 {
        let mut world = active(seed, Script::default());
        let hello_at = Time::ZERO + ms(1040);
        world.run(INTERVAL * 4);
        let beats = beats(&world);
        firsts.push(beats[0].since(hello_at));
        for pair in beats.windows(2) {
            assert_eq!(pair[1].since(pair[0]), INTERVAL);
        }
        assert_eq!(world.sent(0, Sent::Heartbeat)[1].1, r#"{"op":1,"d":1}"#);
        assert_eq!(world.seats[0].session.latency().last(), Some(ms(25)));
    }
    assert!(firsts.iter().all(|first| *first < INTERVAL));
    assert!(firsts.iter().any(|first| *first < INTERVAL / 10));
    assert!(firsts.iter().any(|first| *first > INTERVAL * 9 / 10));
}

#[test]
fn a_beat_before_the_first_dispatch_says_null() {
    let script = Script { identify: Answer::Nothing, ..Script::default() };
    let mut world = World::new(1, 1, 1, script);
    world.start();
    world.run(s(60));
    assert_eq!(world.sent(0, Sent::Heartbeat)[0].1, r#"{"op":1,"d":null}"#);
}

#[test]
fn a_beat_that_the_gateway_asks_for_goes_at_once_and_the_schedule_stays() {
    let mut world = active(2, Script::default());
    world.run(INTERVAL);
    let scheduled = *beats(&world).last().unwrap() + INTERVAL;
    world.forget();
    world.run(s(1));
    world.act(0, Act::AskBeat);
    assert_eq!(beats(&world), [world.now]);
    world.run(scheduled.since(world.now));
    assert_eq!(beats(&world)[1], scheduled);
    // Asked without end: answered as far as the limit allows, never over it, and never a zombie.
    world.forget();
    for _ in 0..2000 {
        world.run(ms(100));
        world.act(0, Act::AskBeat);
    }
    assert_eq!(world.state(0), State::Active);
    let beats = beats(&world);
    for window in beats.windows(121) {
        assert!(window[120].since(window[0]) > s(60));
    }
    assert!(beats.len() > 300, "{}", beats.len());
}

#[test]
fn silence_for_an_interval_after_a_beat_is_a_zombie() {
    for seed in 0..50 {
        let mut world = active(seed, Script::default());
        world.run(INTERVAL * 2);
        world.peer.ack = false;
        world.peer.dead = true;
        world.run(INTERVAL);
        let last = *beats(&world).last().unwrap();
        world.forget();
        while ended_by(&world, Cause::Zombie).is_none() {
            assert!(world.now.since(last) < INTERVAL * 3, "never found");
            world.run(s(1));
        }
        let ended_at = ended_by(&world, Cause::Zombie).expect("a zombie");
        assert_eq!(ended_at.since(last), INTERVAL, "seed {seed}");
        assert_eq!(world.closes(0), [4000]);
        world.peer = Script { sessions: world.peer.sessions, ..Script::default() };
        world.run(s(30));
        assert_eq!(world.state(0), State::Active);
        assert_eq!(world.sent(0, Sent::Resume).len(), 1);
        assert_eq!(world.sent(0, Sent::Identify).len(), 0);
    }
}

#[test]
fn bytes_without_acks_are_warned_of_after_one_interval_and_closed_after_three() {
    let mut world = active(3, Script::default());
    world.run(INTERVAL * 2);
    world.peer.ack = false;
    world.forget();
    let mut number = 2;
    while ended_by(&world, Cause::Unacknowledged).is_none() {
        world.run(s(1));
        world.act(0, Act::Dispatch(Some(number)));
        number += 1;
        assert!(number < 300, "never closed");
    }
    let first_beat = beats(&world)[0];
    let late: Vec<_> = world
        .notices(0)
        .into_iter()
        .filter(|(_, notice)| matches!(notice, Notice::AckLate { .. }))
        .collect();
    assert_eq!(late.len(), 1, "said once");
    assert_eq!(late[0].0.since(first_beat), INTERVAL);
    let ended_at = ended_by(&world, Cause::Unacknowledged).unwrap();
    assert_eq!(ended_at.since(first_beat), INTERVAL * 3);
    assert_eq!(beats(&world).len(), 3, "it went on beating");
    assert_eq!(world.closes(0), [4000]);
}

#[test]
fn an_ack_that_is_late_is_no_reason_to_close_if_it_comes() {
    let mut world = active(4, Script { ack: false, ..Script::default() });
    for second in 1..3600 {
        world.run(s(1));
        world.act(0, Act::Dispatch(Some(second + 1)));
        if second % 100 == 0 {
            world.act(0, Act::Ack);
        }
    }
    assert_eq!(world.closes(0), [] as [u16; 0]);
    let latency = *world.seats[0].session.latency();
    assert!(latency.max().unwrap() > s(30), "the oldest beat's round trip");
}

#[test]
fn time_in_which_we_did_not_read_is_not_held_against_the_peer() {
    for seed in 0..100 {
        let mut world = active(seed, Script::default());
        world.run(INTERVAL * 2 + ms(seed * 700));
        // A handler blocks for a minute, wherever in the interval.
        world.block(s(60));
        world.run(INTERVAL * 5);
        assert_eq!(world.closes(0), [] as [u16; 0], "seed {seed}");
        assert_eq!(world.state(0), State::Active);
        // The host is suspended for a day, with a beat in flight.
        world.block(s(86_400));
        world.run(INTERVAL * 5);
        assert_eq!(world.closes(0), [] as [u16; 0], "seed {seed}");
    }
}

#[test]
fn a_beat_in_flight_over_a_block_is_not_judged_before_its_ack_could_be_read() {
    for seed in 0..50 {
        let mut world = active(seed, Script::default());
        world.run(INTERVAL * 2 + ms(seed * 800));
        world.act(0, Act::AskBeat);
        world.block(s(60));
        // The first look at the link after the block brings nothing yet.
        let unread = world.seats[0].unread;
        world.input(0, |session, now| session.expire(now, unread));
        assert_eq!(world.closes(0), [] as [u16; 0], "seed {seed}");
        world.run(INTERVAL * 3);
        assert_eq!(world.closes(0), [] as [u16; 0], "seed {seed}");
    }
}

#[test]
fn a_paused_shard_beats_on_and_is_judged_only_by_what_it_listened() {
    let mut world = active(5, Script::default());
    world.run(INTERVAL);
    world.peer.ack = false; // the ACKs lie unread in the socket
    world.forget();
    let from = world.now;
    for _ in 0..3600 {
        world.seats[0].unread += s(1);
        world.run(s(1));
    }
    assert_eq!(world.state(0), State::Active);
    assert!(beats(&world).len() as u128 >= world.now.since(from).as_millis() / 41_250);
    // Unpaused, and the peer is truly dead: one interval of listening shows it.
    let from = world.now;
    world.run(INTERVAL + ms(10));
    let ended_at = ended_by(&world, Cause::Zombie).expect("a zombie");
    assert!(ended_at.since(from) > INTERVAL / 2, "not at once");
}

#[test]
fn a_core_that_is_busy_a_little_still_finds_the_zombie() {
    let mut world = active(6, Script::default());
    world.run(INTERVAL * 2);
    world.peer.ack = false;
    world.forget();
    while ended_by(&world, Cause::Zombie).is_none() {
        world.seats[0].unread += ms(100); // a tenth of the time
        world.run(s(1));
        assert!(beats(&world).len() < 4, "never found");
    }
    let took = ended_by(&world, Cause::Zombie).unwrap().since(beats(&world)[0]);
    assert!(took > INTERVAL * 105 / 100 && took < INTERVAL * 120 / 100, "{took:?}");
}

#[test]
fn a_strange_interval_is_bounded() {
    for (interval_ms, taken) in [(0, s(1)), (1, s(1)), (u64::MAX, s(600)), (5000, s(5))] {
        let script = Script { interval_ms, ..Script::default() };
        let mut world = active(7, script);
        assert_eq!(world.seats[0].session.heartbeat_interval(), Some(taken));
        world.run(s(1200));
        assert_eq!(world.state(0), State::Active);
    }
}

#[test]
fn a_beat_asked_for_before_hello_is_answered_and_judged_by_nothing() {
    let mut world = World::new(1, 1, 8, Script { hello: false, ack: false, ..Script::default() });
    world.start();
    world.run(ms(35));
    world.act(0, Act::AskBeat);
    assert_eq!(beats(&world).len(), 1);
    world.run(s(15));
    assert_eq!(world.state(0), State::Greeting);
}

//! What a user orders of a shard, in every state: the close code, the session, what follows.

use shardring::shard::close::{Cause, Fatal, LinkEnd};
use shardring::shard::notice::{Notice, Sent, State, Target};
use shardring::shard::session::{Guards, LifeOrder, NotDone};
use shardring::shard::stage::Stage;

use crate::world::{Act, Answer, Script, World, active, ms, s, settings};

const EVERY: [LifeOrder; 6] = [
    LifeOrder::Reconnect,
    LifeOrder::Restart,
    LifeOrder::Terminate,
    LifeOrder::Close,
    LifeOrder::Abort,
    LifeOrder::Start,
];

/// Moments of a first connection: waiting for the dial, connecting, greeting, identifying, active.
const MOMENTS_MS: [u64; 6] = [0, 5, 35, 45, 60, 1000];

fn order(world: &mut World<Script>, order: LifeOrder) -> Result<(), NotDone> {
    let mut result = Ok(());
    world.input(0, |session, now| result = session.order(now, order));
    result
}

/// A shard that has had its session for some while.
fn lasting(seed: u64) -> World<Script> {
    let mut world = active(seed, Script::default());
    world.run(s(100));
    world.act(0, Act::Dispatch(Some(2)));
    world.forget();
    world
}

#[test]
fn reconnect_closes_with_4000_and_resumes_the_session() {
    let mut world = lasting(1);
    order(&mut world, LifeOrder::Reconnect).unwrap();
    world.run(s(5));
    assert_eq!(world.closes(0), [4000]);
    assert_eq!((world.sent(0, Sent::Resume).len(), world.sent(0, Sent::Identify).len()), (1, 0));
    assert_eq!(world.dials(0).len(), 1);
    assert_eq!(world.state(0), State::Active);
    assert_eq!(world.seats[0].session.session_id(), Some("session-1"));
    let asked = Cause::Requested { resume: true };
    assert!(world.has_notice(0, |notice| *notice == Notice::Disconnected { cause: asked }));
}

#[test]
fn restart_ends_the_session_with_1000_tells_of_it_and_identifies_anew() {
    let mut world = lasting(2);
    order(&mut world, LifeOrder::Restart).unwrap();
    world.run(s(30));
    assert_eq!(world.closes(0), [1000]);
    assert_eq!((world.sent(0, Sent::Resume).len(), world.sent(0, Sent::Identify).len()), (0, 1));
    assert_eq!(world.dials(0)[0].1, Target::Main);
    assert_eq!(world.seats[0].session.session_id(), Some("session-2"));
    let is_told = |notice: &Notice| {
        matches!(notice, Notice::SessionLost { session_id, first_seq: 3, cause, .. }
            if **session_id == *"session-1" && *cause == Cause::Requested { resume: false })
    };
    assert!(world.has_notice(0, is_told));
}

#[test]
fn restart_keeps_the_session_if_the_budget_has_no_identify_left() {
    let guards = Guards::local(1, 1);
    let ids = [shardring::shard::id::ShardId::new(0, 1)];
    let mut world = World::with_guards(ids, guards, 3, Script::default(), settings());
    world.start();
    world.run(s(100));
    assert_eq!(world.state(0), State::Active);
    world.forget();
    let refused = order(&mut world, LifeOrder::Restart).unwrap_err();
    assert!(matches!(refused, NotDone::Budget { after } if !after.is_zero()), "{refused:?}");
    assert_eq!(world.state(0), State::Active);
    assert!(world.closes(0).is_empty());
    assert_eq!(world.seats[0].session.session_id(), Some("session-1"));
}

#[test]
fn sessions_that_are_restarted_again_and_again_wait_as_those_that_did_not_last() {
    let mut world = lasting(4);
    order(&mut world, LifeOrder::Restart).unwrap();
    world.run(s(20));
    assert_eq!(world.state(0), State::Active, "the first had lasted");
    order(&mut world, LifeOrder::Restart).unwrap();
    world.forget();
    world.run(s(4));
    assert!(world.sent(0, Sent::Identify).is_empty(), "the second had not");
    // Until then a third is refused, and what is on its way is left alone.
    world.run(s(30));
    assert_eq!(world.sent(0, Sent::Identify).len(), 1);
}

#[test]
fn who_is_taken_down_stays_down_and_start_resumes_what_was_kept() {
    for (down, closes, kept) in [
        (LifeOrder::Terminate, &[4000][..], true),
        (LifeOrder::Close, &[1000], false),
        (LifeOrder::Abort, &[], true),
    ] {
        let mut world = lasting(5);
        order(&mut world, down).unwrap();
        world.run(s(200));
        assert_eq!(world.closes(0), closes, "{down:?}");
        assert_eq!(world.state(0), State::Idle, "{down:?}");
        assert_eq!(world.seats[0].session.stage(), Stage::Stopped);
        assert!(world.dials(0).is_empty(), "{down:?} stays down");
        assert_eq!(world.seats[0].session.poll_deadline(), None, "nothing is due");
        assert_eq!(world.seats[0].session.session_id().is_some(), kept);
        assert_eq!(world.seats[0].session.started_at(), None);
        let lost = world.has_notice(0, |notice| matches!(notice, Notice::SessionLost { .. }));
        assert_eq!(lost, !kept, "{down:?}");
        order(&mut world, LifeOrder::Start).unwrap();
        let started_at = world.now;
        world.run(s(30));
        assert_eq!(world.state(0), State::Active, "{down:?}");
        assert_eq!(world.seats[0].session.started_at(), Some(started_at));
        assert_eq!(world.sent(0, Sent::Resume).len(), usize::from(kept), "{down:?}");
        assert_eq!(world.sent(0, Sent::Identify).len(), usize::from(!kept), "{down:?}");
    }
}

#[test]
fn who_is_down_for_longer_than_a_session_lives_identifies() {
    let mut world = lasting(6);
    order(&mut world, LifeOrder::Terminate).unwrap();
    world.run(s(3601));
    order(&mut world, LifeOrder::Start).unwrap();
    world.run(s(30));
    assert_eq!((world.sent(0, Sent::Resume).len(), world.sent(0, Sent::Identify).len()), (0, 1));
}

#[test]
fn every_order_in_every_state_leads_where_it_says() {
    for wanted in EVERY {
        for until_ms in MOMENTS_MS {
            for resumed in [false, true] {
                let mut world = World::new(1, 1, 7 + until_ms, Script::default());
                world.start();
                if resumed {
                    world.run(s(100));
                    world.act(0, Act::End(LinkEnd::Reset));
                    while world.state(0) == State::Waiting {
                        world.run(ms(1));
                    }
                }
                world.run(ms(until_ms));
                let before = world.state(0);
                let result = order(&mut world, wanted);
                world.run(s(200));
                let expected = if wanted.takes_down() { State::Idle } else { State::Active };
                assert_eq!(world.state(0), expected, "{wanted:?} in {before:?}: {result:?}");
                match result {
                    Ok(()) => {}
                    // Nothing to resume yet, or what there is has not lasted.
                    Err(NotDone::NoSession) => assert_eq!(wanted, LifeOrder::Reconnect),
                    Err(other) => panic!("{wanted:?} in {before:?}: {other:?}"),
                }
                assert!(world.closes(0).len() <= 1);
                // And up again from wherever it is.
                order(&mut world, LifeOrder::Start).unwrap();
                world.run(s(200));
                assert_eq!(world.state(0), State::Active, "{wanted:?} in {before:?}, then start");
                assert_eq!(world.guards.gate.waiting(), 0);
            }
        }
    }
}

#[test]
fn an_order_that_comes_while_a_connection_is_being_closed_counts() {
    for first in [LifeOrder::Terminate, LifeOrder::Close, LifeOrder::Reconnect, LifeOrder::Restart]
    {
        for then in EVERY {
            let mut world = lasting(8);
            order(&mut world, first).unwrap();
            assert_eq!(world.state(0), State::Closing);
            let result = order(&mut world, then);
            world.run(s(200));
            let is_down = match then {
                LifeOrder::Reconnect => first.takes_down(),
                _ => then.takes_down(),
            };
            let expected = if is_down { State::Idle } else { State::Active };
            assert_eq!(world.state(0), expected, "{first:?}, then {then:?}: {result:?}");
            if then == LifeOrder::Reconnect && first.takes_down() {
                assert_eq!(result, Err(NotDone::Down));
            }
        }
    }
}

#[test]
fn a_shard_that_is_down_takes_no_room_of_others_and_goes_with_the_engine() {
    for down in [LifeOrder::Terminate, LifeOrder::Close, LifeOrder::Abort] {
        for until_ms in MOMENTS_MS {
            let mut world = World::new(2, 1, 9, Script::default());
            world.start();
            world.run(ms(until_ms));
            order(&mut world, down).unwrap();
            world.run(s(60));
            assert_eq!(world.state(1), State::Active, "{down:?} at {until_ms} ms");
            for keep_session in [false, true] {
                world.input(0, |session, now| session.stop(now, keep_session));
                assert_eq!(world.state(0), State::Retired);
            }
            assert_eq!(order(&mut world, LifeOrder::Start), Err(NotDone::Stopped));
        }
    }
}

#[test]
fn a_dead_peer_does_not_keep_a_shard_from_going_down() {
    let mut world = active(10, Script { dead: true, ..Script::default() });
    order(&mut world, LifeOrder::Terminate).unwrap();
    assert_eq!(world.state(0), State::Closing);
    world.run(s(10));
    assert_eq!(world.state(0), State::Idle, "the close has its time-out");
}

#[test]
fn a_shard_that_discord_refuses_cannot_be_started() {
    let mut world = active(11, Script::default());
    world.act(0, Act::End(LinkEnd::Closed(Some(4010))));
    for wanted in EVERY {
        let refused = order(&mut world, wanted);
        assert_eq!(refused, Err(NotDone::Refused(Fatal::InvalidShard)), "{wanted:?}");
    }
    let mut world = active(12, Script { dead: true, ..Script::default() });
    order(&mut world, LifeOrder::Terminate).unwrap();
    world.act(0, Act::End(LinkEnd::Closed(Some(4010))));
    assert_eq!(order(&mut world, LifeOrder::Start), Err(NotDone::Refused(Fatal::InvalidShard)));
}

#[test]
fn an_identify_that_was_taken_down_counts_as_one_that_brought_nothing() {
    let script = Script { identify: Answer::Nothing, ..Script::default() };
    let mut world = World::new(1, 1, 13, script);
    world.start();
    world.run(s(1));
    assert_eq!(world.state(0), State::Identifying);
    order(&mut world, LifeOrder::Abort).unwrap();
    world.forget();
    order(&mut world, LifeOrder::Start).unwrap();
    world.run(s(4));
    assert!(world.sent(0, Sent::Identify).is_empty(), "it is backed off");
}

#[test]
fn an_abort_of_the_engine_cuts_without_a_close_frame_in_every_state() {
    for until_ms in MOMENTS_MS {
        let mut world = World::new(1, 1, 14, Script::default());
        world.start();
        world.run(ms(until_ms));
        world.input(0, |session, now| session.abort(now));
        assert_eq!(world.state(0), State::Retired);
        world.run(s(100));
        assert!(world.closes(0).is_empty());
        assert_eq!(world.guards.gate.waiting(), 0);
    }
}

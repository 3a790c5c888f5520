//! The send limit, the bound of the outbox, and the answer that every command gets.

use std::time::Duration;

use shardring::clock::Time;
use shardring::command::Command;
use shardring::shard::close::LinkEnd;
use shardring::shard::notice::{Notice, Sent, State};
use shardring::{CommandReceipt, CommandStatus, Error, ErrorKind};

use crate::world::{Act, Answer, Script, Seen, World, active, ms, number_after, s};

pub(crate) fn command(number: u64) -> Command {
    Command::raw(99, number.to_string())
}

fn send(world: &mut World<Script>, number: u64) -> Result<CommandReceipt, Error> {
    world.send(0, command(number))
}

pub(crate) fn commands(world: &World<Script>) -> Vec<u64> {
    world.sent(0, Sent::Command).iter().map(|(_, text)| number_after(text, "\"d\":")).collect()
}

#[test]
fn never_more_than_120_in_a_minute_and_heartbeats_always_go_in_time() {
    for interval_ms in [1000, 5000, 41_250] {
        let mut world = active(1, Script { interval_ms, ..Script::default() });
        let mut number = 0;
        for step in 0..6000 {
            while send(&mut world, number).is_ok() {
                number += 1;
            }
            if step % 97 == 0 {
                world.act(0, Act::AskBeat);
            }
            if step % 89 == 0 {
                let _ = world.send(0, shardring::command::Heartbeat);
            }
            world.run(ms(100));
        }
        assert_eq!(world.state(0), State::Active);
        let sent: Vec<Time> = world.seats[0]
            .seen
            .iter()
            .filter(|(_, seen)| matches!(seen, Seen::Out(..)))
            .map(|(when, _)| *when)
            .collect();
        for window in sent.windows(121) {
            assert!(window[120].since(window[0]) > s(60), "{interval_ms} ms");
        }
        let beats = world.sent(0, Sent::Heartbeat);
        for pair in beats.windows(2) {
            assert!(pair[1].0.since(pair[0].0) <= Duration::from_millis(interval_ms));
        }
        let commands = commands(&world);
        assert_eq!(commands, (0..commands.len() as u64).collect::<Vec<_>>(), "in order");
        // Ten windows of 61 s (the last not whole), less the slots that heartbeats keep and those
        // that the asked ones took.
        let slots = 120 - (60_000 / interval_ms + 1) - 1 - 5;
        assert!(commands.len() as u64 + 62 >= slots * 9, "{} of {slots}", commands.len());
        assert!(world.has_notice(0, |notice| matches!(notice, Notice::RateLimited { .. })));
    }
}

#[test]
fn a_full_outbox_is_an_answer_and_a_bound() {
    let mut world = World::new(1, 1, 2, Script::default());
    let receipts: Vec<_> = (0..64).map(|number| send(&mut world, number).unwrap()).collect();
    assert_eq!(send(&mut world, 64).unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(world.seats[0].session.outbox_len(), 64);
    assert!(receipts.iter().all(|receipt| receipt.status() == CommandStatus::Queued));
    world.start();
    world.run(s(2));
    assert_eq!(commands(&world), (0..64).collect::<Vec<_>>(), "what waited is sent after READY");
    for receipt in receipts {
        assert!(matches!(receipt.status(), CommandStatus::Sent { at } if at > Time::ZERO));
    }
}

#[test]
fn what_is_cancelled_makes_room() {
    let mut world = World::new(1, 1, 2, Script::default());
    let receipts: Vec<_> = (0..64).map(|number| send(&mut world, number).unwrap()).collect();
    assert!(receipts[7].cancel());
    send(&mut world, 64).unwrap();
    assert_eq!(send(&mut world, 65).unwrap_err().kind(), ErrorKind::Full);
}

#[test]
fn commands_wait_for_the_session_and_keep_their_order_over_reconnects() {
    let mut world = active(3, Script::default());
    world.peer.resume = Answer::Nothing;
    world.act(0, Act::End(LinkEnd::Reset));
    for number in 0..5 {
        send(&mut world, number).unwrap();
    }
    world.run(s(20));
    assert_eq!(world.state(0), State::Resuming);
    assert!(commands(&world).is_empty(), "nothing before RESUMED");
    world.act(0, Act::End(LinkEnd::Reset));
    send(&mut world, 5).unwrap();
    world.peer.resume = Answer::Well;
    world.run(s(20));
    assert_eq!(commands(&world), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_command_in_flight_when_the_link_ends_is_unknown_and_is_not_sent_twice() {
    let mut world = active(4, Script::default());
    world.peer.write_delay = s(1);
    let receipt = send(&mut world, 7).unwrap();
    assert_eq!(receipt.status(), CommandStatus::Queued, "not yet written");
    assert!(!receipt.cancel(), "too late for that");
    world.act(0, Act::End(LinkEnd::Reset));
    assert_eq!(receipt.status(), CommandStatus::Unknown);
    assert_eq!(receipt.wait().unwrap_err().kind(), ErrorKind::Dropped);
    world.forget();
    world.run(s(20));
    assert!(commands(&world).is_empty());
}

#[test]
fn stop_and_fatal_answer_every_command_that_waits() {
    for fatal in [false, true] {
        let mut world = World::new(1, 1, 5, Script::default());
        world.start();
        world.run(ms(35));
        let receipts: Vec<_> = (0..3).map(|number| send(&mut world, number).unwrap()).collect();
        if fatal {
            world.act(0, Act::End(LinkEnd::Closed(Some(4014))));
        } else {
            world.input(0, |session, now| session.stop(now, false));
        }
        assert_eq!(send(&mut world, 3).unwrap_err().kind(), ErrorKind::Stopped);
        for receipt in receipts {
            assert_eq!(receipt.status(), CommandStatus::Dropped);
            assert_eq!(receipt.wait().unwrap_err().kind(), ErrorKind::Stopped);
        }
    }
}

#[test]
fn a_session_that_is_dropped_answers_what_waits() {
    let mut world = World::new(1, 1, 6, Script::default());
    let receipt = send(&mut world, 0).unwrap();
    drop(world);
    assert_eq!(receipt.status(), CommandStatus::Dropped);
}

#[test]
fn a_driver_that_never_reports_a_write_is_not_given_commands_without_end() {
    let mut world = active(7, Script::default());
    let mut out = Vec::new();
    let mut pulled = 0;
    let session = &mut world.seats[0].session;
    let mut now = world.now;
    for number in 0..1000 {
        now += s(2);
        let _ = session.send(now, command(number));
        while let Some(sent) = session.poll_transmit(now, &mut out) {
            pulled += u32::from(sent == Sent::Command);
        }
        session.invariants();
    }
    assert_eq!(pulled, 120);
}

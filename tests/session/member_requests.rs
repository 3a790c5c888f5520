//! Requests for members under a virtual clock: 30 s between whole lists of a guild, RATE_LIMITED,
//! and what a lost connection means.

use std::time::Duration;

use shardring::clock::Time;
use shardring::command::{Priority, RequestGuildMembers};
use shardring::shard::close::LinkEnd;
use shardring::shard::identify::LocalGate;
use shardring::shard::notice::{Sent, State};
use shardring::shard::outbox::{RETRY_AFTER_MAX, TRIES_MAX, WHOLE_GUILD_EVERY};
use shardring::{CommandReceipt, CommandStatus, ErrorKind, EventKind};

use crate::errands::say;
use crate::world::{Act, Script, World, ms, s, settings, text_after};

/// One shard, up, that may ask for whole lists.
fn active() -> World<Script> {
    let mut settings = settings();
    settings.intents |= 1 << 1;
    let mut world = World::with_settings(1, LocalGate::new(1), 1, Script::default(), settings);
    world.start();
    world.run(s(1));
    assert_eq!(world.state(0), State::Active);
    world
}

/// The nonces of what was asked, with the times.
fn asked(world: &World<Script>) -> Vec<(Time, &str)> {
    let sent = world.sent(0, Sent::Command);
    sent.into_iter().map(|(when, text)| (when, text_after(text, "\"nonce\":"))).collect()
}

fn nonces(world: &World<Script>) -> Vec<&str> {
    asked(world).into_iter().map(|(_, nonce)| nonce).collect()
}

fn whole(guild: u64, nonce: &str) -> RequestGuildMembers {
    RequestGuildMembers::all(guild).nonce(nonce)
}

/// RATE_LIMITED comes for a request of this guild.
fn refuse(world: &mut World<Script>, guild: u64, nonce: Option<&str>, retry_after_s: f64) {
    let nonce = nonce.map_or(String::new(), |nonce| format!(r#","nonce":"{nonce}""#));
    let d = format!(
        r#"{{"opcode":8,"retry_after":{retry_after_s:?},"meta":{{"guild_id":"{guild}"{nonce}}}}}"#
    );
    say(world, EventKind::RateLimited, &d);
}

fn is_sent(receipt: &CommandReceipt) -> bool {
    matches!(receipt.status(), CommandStatus::Sent { .. })
}

#[test]
fn the_whole_list_of_a_guild_goes_once_in_thirty_seconds_and_others_pass_it() {
    let mut world = active();
    world.send(0, whole(1, "a")).unwrap();
    let second = world.send(0, whole(1, "b").priority(Priority::High)).unwrap();
    let same = RequestGuildMembers::prefix(1u64, "", 0).nonce("c");
    world.send(0, same).unwrap();
    world.send(0, whole(2, "d")).unwrap();
    world.send(0, RequestGuildMembers::prefix(1u64, "x", 5).nonce("e")).unwrap();
    world.send(0, RequestGuildMembers::users(1u64, [3u64]).nonce("f")).unwrap();
    assert_eq!(nonces(&world), ["a", "d", "e", "f"]);
    world.run(WHOLE_GUILD_EVERY);
    assert_eq!(second.status(), CommandStatus::Queued);
    world.run(s(80));
    assert_eq!(nonces(&world)[4..], ["b", "c"]);
    let asked = asked(&world);
    assert!(asked[4].0.since(asked[0].0) >= WHOLE_GUILD_EVERY);
    assert!(asked[5].0.since(asked[4].0) >= WHOLE_GUILD_EVERY);
}

#[test]
fn the_thirty_seconds_count_over_connections_and_sessions() {
    for end in [Act::End(LinkEnd::Reset), Act::Op9(false)] {
        let mut world = active();
        world.send(0, whole(1, "a")).unwrap();
        world.act(0, end);
        world.send(0, whole(1, "b")).unwrap();
        world.run(s(60));
        let asked = asked(&world);
        assert_eq!(asked.len(), 2);
        assert!(asked[1].0.since(asked[0].0) >= WHOLE_GUILD_EVERY);
    }
}

#[test]
fn a_request_that_is_refused_is_sent_again_when_discord_says_so() {
    let mut world = active();
    let request = |nonce| RequestGuildMembers::users(1u64, [3u64]).nonce(nonce);
    let receipt = world.send(0, request("a")).unwrap();
    let other = world.send(0, request("b")).unwrap();
    assert!(is_sent(&receipt) && is_sent(&other));
    world.forget();
    refuse(&mut world, 1, Some("c"), 5.0);
    refuse(&mut world, 1, None, 5.0);
    refuse(&mut world, 2, Some("a"), 5.0);
    assert!(is_sent(&receipt) && is_sent(&other), "none of these is about them");
    refuse(&mut world, 1, Some("a"), 5.0);
    assert_eq!(receipt.status(), CommandStatus::RateLimited { retry_after: s(5) });
    assert!(receipt.wait_timeout(Duration::ZERO).is_none(), "it has yet to be sent");
    world.run(s(5));
    assert!(nonces(&world).is_empty());
    world.run(ms(1001));
    assert_eq!(nonces(&world), ["a"]);
    assert!(is_sent(&receipt) && is_sent(&other));
}

#[test]
fn it_is_sent_so_often_and_no_more() {
    let mut world = active();
    let receipt = world.send(0, whole(1, "a")).unwrap();
    for _ in 1..TRIES_MAX {
        refuse(&mut world, 1, Some("a"), 40.0);
        assert_eq!(receipt.status(), CommandStatus::RateLimited { retry_after: s(40) });
        world.run(s(42));
        assert!(is_sent(&receipt));
    }
    refuse(&mut world, 1, Some("a"), 40.0);
    assert_eq!(receipt.status(), CommandStatus::Refused);
    assert_eq!(receipt.wait().unwrap_err().kind(), ErrorKind::RateLimited);
    world.run(s(100));
    assert_eq!(nonces(&world).len(), usize::from(TRIES_MAX));
}

#[test]
fn an_odd_wait_is_not_believed() {
    for (said, believed) in [(-3.0, 0), (1e300, 0), (1e9, 600), (0.5, 0)] {
        let mut world = active();
        let receipt = world.send(0, whole(1, "a")).unwrap();
        refuse(&mut world, 1, Some("a"), said);
        let CommandStatus::RateLimited { retry_after } = receipt.status() else { panic!() };
        assert_eq!(retry_after.as_secs(), believed);
        assert!(retry_after <= RETRY_AFTER_MAX);
        world.run(retry_after + s(35));
        assert!(is_sent(&receipt));
    }
}

#[test]
fn one_that_waits_to_be_sent_again_can_be_cancelled_and_expires() {
    let mut world = active();
    let cancelled = world.send(0, whole(1, "a")).unwrap();
    let late = world.send(0, whole(2, "b").expires_in(s(10))).unwrap();
    refuse(&mut world, 1, Some("a"), 30.0);
    refuse(&mut world, 2, Some("b"), 30.0);
    assert!(cancelled.cancel());
    world.run(s(10));
    assert_eq!(late.status(), CommandStatus::Expired);
    world.run(s(60));
    assert_eq!(nonces(&world).len(), 2);
    assert_eq!(cancelled.status(), CommandStatus::Cancelled);
}

#[test]
fn a_request_in_flight_at_the_loss_is_unknown_and_is_not_sent_again() {
    for end in [Act::End(LinkEnd::Reset), Act::Op9(false)] {
        let mut world = active();
        world.peer.write_delay = s(1);
        let flying = world.send(0, whole(1, "a")).unwrap();
        world.act(0, end);
        let waiting = world.send(0, whole(2, "b")).unwrap();
        world.peer.write_delay = Duration::ZERO;
        assert_eq!(flying.status(), CommandStatus::Unknown);
        world.run(s(60));
        assert_eq!(nonces(&world), ["a", "b"], "what waited is sent");
        assert!(is_sent(&waiting));
    }
}

#[test]
fn one_that_was_refused_is_sent_again_on_the_next_connection_and_in_the_next_session() {
    for end in [Act::End(LinkEnd::Reset), Act::Op9(false)] {
        let mut world = active();
        let receipt = world.send(0, whole(1, "a")).unwrap();
        refuse(&mut world, 1, Some("a"), 2.0);
        world.act(0, end);
        world.run(s(60));
        assert_eq!(nonces(&world), ["a", "a"]);
        assert!(is_sent(&receipt));
    }
}

#[test]
fn a_refusal_that_is_replayed_is_heeded_but_not_one_of_a_session_that_is_gone() {
    for (end, heeded) in [(Act::End(LinkEnd::Reset), true), (Act::Op9(false), false)] {
        let mut world = active();
        let receipt = world.send(0, whole(1, "a")).unwrap();
        world.act(0, end);
        world.run(s(20));
        assert_eq!(world.state(0), State::Active);
        refuse(&mut world, 1, Some("a"), 2.0);
        let limited = matches!(receipt.status(), CommandStatus::RateLimited { .. });
        assert_eq!(limited, heeded);
    }
}

#[test]
fn requests_without_end_stay_bounded() {
    let mut world = active();
    for round in 0..2000u64 {
        let _ = world.send(0, whole(round + 1, "n"));
        if round % 7 == 0 {
            refuse(&mut world, round + 1, Some("n"), 30.0);
        }
        world.run(ms(200)); // with the invariants after each input
    }
    let sent = world.sent(0, Sent::Command);
    for window in sent.windows(121) {
        assert!(window[120].0.since(window[0].0) > s(60));
    }
    assert!(sent.len() > 600, "{}", sent.len());
}

//! Presence, voice states, priorities, deadlines, heartbeats on request, under a virtual clock.

use std::time::Duration;

use shardring::clock::Time;
use shardring::command::{
    Activity, Command, Heartbeat, Presence, Priority, RequestGuildMembers, Status, UpdatePresence,
    UpdateVoiceState,
};
use shardring::shard::close::LinkEnd;
use shardring::shard::identify::LocalGate;
use shardring::shard::notice::{Sent, State};
use shardring::shard::outbox::{BEATS_MAX, PRESENCE_DOUBT, PRESENCE_WINDOW, PRESENCES_MAX};
use shardring::{CommandReceipt, CommandStatus, ErrorKind};

use crate::limits::command;
use crate::world::{Act, Answer, Script, World, active, ms, op, s, settings, text_after};

/// The texts of what was sent with this opcode, with their times.
fn sent_of(world: &World<Script>, wanted: u64) -> Vec<(Time, &str)> {
    world.sent(0, Sent::Command).into_iter().filter(|(_, text)| op(text) == wanted).collect()
}

fn texts(world: &World<Script>) -> Vec<&str> {
    world.sent(0, Sent::Command).into_iter().map(|(_, text)| text).collect()
}

/// What the presences sent say is played.
fn played(world: &World<Script>) -> Vec<&str> {
    sent_of(world, 3).into_iter().map(|(_, text)| text_after(text, "\"name\":")).collect()
}

fn playing(number: u32) -> UpdatePresence {
    UpdatePresence::default().activity(Activity::playing(number.to_string()))
}

fn is_sent(receipt: &CommandReceipt) -> bool {
    matches!(receipt.status(), CommandStatus::Sent { .. })
}

fn kind(receipt: &CommandReceipt) -> ErrorKind {
    receipt.wait_timeout(Duration::ZERO).expect("it has resolved").unwrap_err().kind()
}

/// The presence in the last IDENTIFY.
fn identified(world: &World<Script>) -> Option<String> {
    let (_, text) = world.sent(0, Sent::Identify).pop().expect("an IDENTIFY");
    let (_, presence) = text.split_once(r#","presence":"#)?;
    Some(presence.strip_suffix("}}").unwrap().to_owned())
}

#[test]
fn at_most_five_presences_leave_in_twenty_seconds_and_the_newest_wins() {
    let mut world = active(1, Script::default());
    let mut receipts = Vec::new();
    for number in 0..600 {
        receipts.push(world.send(0, playing(number)).unwrap());
        world.run(ms(100));
    }
    world.run(PRESENCE_WINDOW + s(2));
    let sent = sent_of(&world, 3);
    for window in sent.windows(PRESENCES_MAX + 1) {
        assert!(window[PRESENCES_MAX].0.since(window[0].0) > PRESENCE_WINDOW);
    }
    assert_eq!(&played(&world)[..5], ["0", "1", "2", "3", "4"]);
    assert_eq!(played(&world).last(), Some(&"599"));
    assert!(sent.len() >= 15, "{}", sent.len());
    let (done, rest): (Vec<_>, Vec<_>) = receipts.iter().partition(|receipt| is_sent(receipt));
    assert_eq!(done.len(), sent.len());
    assert!(rest.iter().all(|receipt| receipt.status() == CommandStatus::Superseded));
    assert_eq!(kind(rest[0]), ErrorKind::Superseded);
}

#[test]
fn a_raw_presence_counts_against_the_same_limit() {
    let mut world = active(2, Script::default());
    let d = r#"{"since":null,"activities":[],"status":"dnd","afk":false}"#;
    for _ in 0..4 {
        world.send(0, Command::raw(3, d)).unwrap();
    }
    for number in 0..4 {
        world.send(0, playing(number)).unwrap();
    }
    assert_eq!(sent_of(&world, 3).len(), PRESENCES_MAX);
    world.run(PRESENCE_WINDOW);
    assert_eq!(sent_of(&world, 3).len(), PRESENCES_MAX);
    world.run(s(2));
    assert_eq!(sent_of(&world, 3).len(), PRESENCES_MAX + 1);
}

#[test]
fn each_part_that_is_not_set_stays_as_the_shard_last_had_it() {
    let mut world = active(3, Script::default());
    assert_eq!(world.seats[0].session.presence(), None);
    world.send(0, UpdatePresence::new(Status::Dnd)).unwrap();
    world.send(0, playing(1)).unwrap();
    world.send(0, UpdatePresence::default().afk(true).idle_since_ms(7)).unwrap();
    world.send(0, UpdatePresence::new(Status::Offline).no_activity().not_idle()).unwrap();
    assert_eq!(
        texts(&world),
        [
            r#"{"op":3,"d":{"since":null,"activities":[],"status":"dnd","afk":false}}"#,
            r#"{"op":3,"d":{"since":null,"activities":[{"name":"1","type":0}],"status":"dnd","afk":false}}"#,
            r#"{"op":3,"d":{"since":7,"activities":[{"name":"1","type":0}],"status":"dnd","afk":true}}"#,
            r#"{"op":3,"d":{"since":null,"activities":[],"status":"invisible","afk":true}}"#,
        ]
    );
    let set = world.seats[0].session.presence().unwrap();
    assert_eq!((set.status, set.afk), (Status::Invisible, true));
}

#[test]
fn identify_has_no_presence_unless_one_was_set_and_then_a_whole_one() {
    let mut world = World::new(1, 1, 4, Script::default());
    world.start();
    world.run(s(1));
    assert_eq!(identified(&world), None);
    let mut world = World::new(1, 1, 4, Script::default());
    let receipt = world.send(0, UpdatePresence::default().afk(true)).unwrap();
    world.start();
    world.run(s(1));
    let whole = r#"{"since":null,"activities":[],"status":"online","afk":true}"#;
    assert_eq!(identified(&world).as_deref(), Some(whole));
    assert!(is_sent(&receipt), "it was written with IDENTIFY");
    assert!(texts(&world).is_empty(), "and needs no command");
}

#[test]
fn a_presence_of_the_settings_is_what_changes_start_from() {
    let mut settings = settings();
    settings.presence = Some(UpdatePresence::new(Status::Idle).activity(Activity::playing("a")));
    let mut world = World::with_settings(1, LocalGate::new(1), 5, Script::default(), settings);
    assert_eq!(world.seats[0].session.presence().unwrap().status, Status::Idle);
    world.start();
    world.run(s(1));
    assert!(identified(&world).unwrap().contains(r#""status":"idle""#));
    world.send(0, UpdatePresence::new(Status::Dnd)).unwrap();
    assert_eq!(played(&world), ["a"]);
    world.act(0, Act::Op9(false));
    world.run(s(30));
    assert!(identified(&world).unwrap().contains(r#""name":"a","type":0}],"status":"dnd""#));
}

#[test]
fn a_presence_that_is_taken_back_is_as_if_it_had_never_been() {
    let mut world = active(6, Script::default());
    world.send(0, playing(1)).unwrap();
    world.act(0, Act::End(LinkEnd::Reset));
    let (older, newer) = (world.send(0, playing(2)).unwrap(), world.send(0, playing(3)).unwrap());
    assert_eq!(older.status(), CommandStatus::Superseded);
    assert!(newer.cancel());
    assert!(!newer.cancel(), "once");
    assert_eq!(kind(&newer), ErrorKind::Cancelled);
    let shown = |world: &World<Script>| {
        world.seats[0].session.presence().map(|presence: Presence| presence.activities)
    };
    assert_eq!(shown(&world), Some(vec![Activity::playing("1")]));
    let late = world.send(0, playing(4).expires_in(ms(1))).unwrap();
    world.run(ms(2));
    assert_eq!(late.status(), CommandStatus::Expired);
    assert_eq!(kind(&late), ErrorKind::Expired);
    assert_eq!(shown(&world), Some(vec![Activity::playing("1")]));
}

#[test]
fn a_presence_set_while_disconnected_goes_after_resumed_or_with_identify() {
    for resumes in [true, false] {
        let mut world = active(7, Script::default());
        world.act(0, if resumes { Act::End(LinkEnd::Reset) } else { Act::Op9(false) });
        let receipt = world.send(0, playing(1)).unwrap();
        assert_eq!(receipt.status(), CommandStatus::Queued);
        world.run(s(30));
        assert_eq!(world.state(0), State::Active);
        assert!(is_sent(&receipt));
        assert_eq!(sent_of(&world, 3).len(), usize::from(resumes));
        let with_identify = identified(&world).is_some_and(|text| text.contains(r#""name":"1""#));
        assert_eq!(with_identify, !resumes);
    }
}

#[test]
fn a_presence_written_shortly_before_the_loss_is_sent_again_after_resumed() {
    for (before, again) in [(s(1), 1), (PRESENCE_DOUBT + s(1), 0)] {
        let mut world = active(8, Script::default());
        world.send(0, playing(1)).unwrap();
        world.run(before);
        world.forget();
        world.act(0, Act::End(LinkEnd::Reset));
        world.run(s(30));
        assert_eq!(world.state(0), State::Active);
        assert_eq!(sent_of(&world, 3).len(), again);
        world.act(0, Act::Op9(false));
        world.run(s(30));
        assert!(identified(&world).unwrap().contains(r#""name":"1""#), "always in IDENTIFY");
    }
}

#[test]
fn a_presence_is_not_sent_again_over_a_raw_one_that_came_after_it() {
    let mut world = active(8, Script::default());
    world.send(0, playing(1)).unwrap();
    world.run(s(30));
    let d = r#"{"since":null,"activities":[],"status":"dnd","afk":false}"#;
    world.send(0, Command::raw(3, d)).unwrap();
    world.run(s(1));
    world.forget();
    world.act(0, Act::End(LinkEnd::Reset));
    world.run(s(30));
    assert_eq!(world.state(0), State::Active);
    assert!(sent_of(&world, 3).is_empty(), "what was raw is what the bot shows");
}

#[test]
fn a_presence_in_flight_at_the_loss_is_sent_again_unless_a_newer_waits() {
    for newer in [false, true] {
        let mut world = active(9, Script::default());
        world.peer.write_delay = s(1);
        let older = world.send(0, playing(1)).unwrap();
        assert_eq!(older.status(), CommandStatus::Queued);
        world.act(0, Act::End(LinkEnd::Reset));
        world.peer.write_delay = Duration::ZERO;
        world.forget();
        let newer = newer.then(|| world.send(0, playing(2)).unwrap());
        world.run(s(30));
        match newer {
            None => assert!(is_sent(&older) && played(&world) == ["1"]),
            Some(newer) => {
                assert_eq!(older.status(), CommandStatus::Superseded);
                assert!(is_sent(&newer) && played(&world) == ["2"]);
            }
        }
    }
}

#[test]
fn an_identify_that_was_not_written_leaves_its_presence_waiting() {
    let mut world = World::new(1, 1, 10, Script::default());
    world.peer.write_delay = s(5);
    world.peer.identify = Answer::Nothing;
    let receipt = world.send(0, playing(1)).unwrap();
    world.start();
    world.run(s(1));
    assert!(identified(&world).is_some());
    assert_eq!(receipt.status(), CommandStatus::Queued);
    world.act(0, Act::End(LinkEnd::Reset));
    world.peer.write_delay = Duration::ZERO;
    world.peer.identify = Answer::Well;
    world.run(s(60));
    assert_eq!(world.state(0), State::Active);
    assert!(is_sent(&receipt));
    assert!(texts(&world).is_empty());
}

#[test]
fn a_presence_that_is_renewed_over_and_over_keeps_its_place() {
    let mut world = World::new(1, 1, 20, Script::default());
    world.start();
    world.run(s(1)); // IDENTIFY has gone without one
    while world.send(0, command(1)).is_ok() {}
    for number in 0..100 {
        world.send(0, playing(number)).unwrap();
        world.run(ms(700));
        let _ = world.send(0, command(2));
    }
    let presence = world.sent(0, Sent::Command).iter().position(|(_, text)| op(text) == 3);
    // The window took some 110; the 64 that waited before it go before it.
    assert!((100..190).contains(&presence.unwrap()), "{presence:?}");
}

#[test]
fn a_change_that_is_taken_back_leaves_what_is_to_be_sent_again() {
    let mut world = active(21, Script::default());
    for number in 0..5 {
        world.send(0, playing(number)).unwrap();
    }
    world.run(s(1));
    world.act(0, Act::End(LinkEnd::Reset));
    world.run(s(5));
    assert_eq!(world.state(0), State::Active);
    // The last may have been lost and is to go again, when the twenty seconds are over.
    let other = world.send(0, playing(9)).unwrap();
    assert!(other.cancel());
    world.run(s(30));
    world.act(0, Act::Op9(false));
    world.run(s(30));
    assert!(identified(&world).unwrap().contains(r#""name":"4""#));
}

fn channel(text: &str) -> &str {
    text_after(text, "\"channel_id\":")
}

#[test]
fn of_two_voice_states_of_a_guild_the_newer_takes_the_olders_place() {
    let mut world = World::new(1, 1, 11, Script::default());
    let first = world.send(0, UpdateVoiceState::join(1u64, 10u64)).unwrap();
    world.send(0, UpdateVoiceState::join(2u64, 20u64)).unwrap();
    let last = world.send(0, UpdateVoiceState::join(1u64, 11u64)).unwrap();
    assert_eq!(first.status(), CommandStatus::Superseded);
    world.start();
    world.run(s(1));
    let channels: Vec<_> = texts(&world).into_iter().map(channel).collect();
    assert_eq!(channels, ["11", "20"]);
    assert!(is_sent(&last));
}

#[test]
fn voice_states_are_bounded_as_all_commands_are_and_a_newer_one_always_has_room() {
    let mut world = World::new(1, 1, 12, Script::default());
    for guild in 1..=64u64 {
        world.send(0, UpdateVoiceState::join(guild, 1u64)).unwrap();
    }
    let full = world.send(0, UpdateVoiceState::join(65u64, 1u64)).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Full);
    world.send(0, UpdateVoiceState::leave(64u64)).unwrap();
}

#[test]
fn a_voice_state_waits_over_everything_and_one_in_flight_is_sent_again() {
    for resumes in [true, false] {
        let end = || if resumes { Act::End(LinkEnd::Reset) } else { Act::Op9(false) };
        let mut world = active(13, Script::default());
        world.peer.write_delay = s(1);
        let flying = world.send(0, UpdateVoiceState::join(1u64, 10u64)).unwrap();
        let older = world.send(0, UpdateVoiceState::join(2u64, 20u64)).unwrap();
        world.act(0, end());
        world.peer.write_delay = Duration::ZERO;
        world.forget();
        let newer = world.send(0, UpdateVoiceState::join(2u64, 21u64)).unwrap();
        world.run(s(30));
        let mut channels: Vec<_> = texts(&world).into_iter().map(channel).collect();
        channels.sort_unstable();
        assert_eq!(channels, ["10", "21"]);
        assert!(is_sent(&flying) && is_sent(&newer));
        assert_eq!(older.status(), CommandStatus::Superseded);
        // What was written is not: whoever was moved since is not moved back.
        world.forget();
        world.act(0, end());
        world.run(s(30));
        assert!(texts(&world).is_empty());
    }
}

#[test]
fn commands_go_by_their_priority_and_by_their_age() {
    let mut world = World::new(1, 1, 14, Script::default());
    let priorities = [Priority::Low, Priority::Normal, Priority::High];
    for number in 0..9 {
        world.send(0, command(number).priority(priorities[number as usize % 3])).unwrap();
    }
    world.start();
    world.run(s(1));
    assert_eq!(crate::limits::commands(&world), [2, 5, 8, 1, 4, 7, 0, 3, 6]);
}

#[test]
fn a_deadline_holds_wherever_the_command_waits() {
    // Without a connection, and for the send limit.
    let mut world = World::new(1, 1, 15, Script::default());
    let never = world.send(0, command(1).expires_in(s(3))).unwrap();
    world.run(s(2));
    assert_eq!(never.status(), CommandStatus::Queued);
    world.run(s(1));
    assert_eq!(never.status(), CommandStatus::Expired);
    let mut world = active(15, Script::default());
    let mut waits = Vec::new();
    for number in 0..170 {
        waits.push(world.send(0, command(number).expires_in(s(30))).unwrap());
    }
    world.run(s(31));
    let sent = waits.iter().filter(|receipt| is_sent(receipt)).count();
    let expired = |receipt: &&CommandReceipt| receipt.status() == CommandStatus::Expired;
    assert_eq!(sent + waits.iter().filter(expired).count(), 170);
    assert!((100..120).contains(&sent), "{sent}");
    world.run(s(60));
    assert_eq!(texts(&world).len(), sent, "what has expired is not sent");
}

#[test]
fn a_cancelled_command_is_not_sent_and_a_sent_one_cannot_be_cancelled() {
    let mut world = World::new(1, 1, 16, Script::default());
    let (gone, stays) = (world.send(0, command(1)).unwrap(), world.send(0, command(2)).unwrap());
    assert!(gone.cancel());
    world.start();
    world.run(s(1));
    assert_eq!(crate::limits::commands(&world), [2]);
    assert!(!stays.cancel());
    assert!(is_sent(&stays));
}

#[test]
fn a_heartbeat_on_request_is_sent_at_once_and_only_on_a_connection() {
    let mut world = World::new(1, 1, 17, Script::default());
    assert_eq!(world.send(0, Heartbeat).unwrap_err().kind(), ErrorKind::NotConnected);
    world.start();
    world.run(s(1));
    world.forget();
    let acks = world.seats[0].session.counters().acks;
    let receipt = world.send(0, Heartbeat).unwrap();
    assert!(is_sent(&receipt));
    assert_eq!(world.sent(0, Sent::Heartbeat).len(), 1);
    world.run(ms(100));
    assert_eq!(world.seats[0].session.counters().acks, acks + 1);
}

#[test]
fn heartbeats_on_request_leave_the_servers_slots_free() {
    let mut world = active(18, Script::default());
    while world.send(0, command(1)).is_ok() {}
    let receipts: Vec<_> = (0..BEATS_MAX).map(|_| world.send(0, Heartbeat).unwrap()).collect();
    assert!(is_sent(&receipts[0]), "one slot is theirs");
    assert_eq!(receipts[1].status(), CommandStatus::Queued);
    assert!(world.send(0, Heartbeat).is_ok_and(|receipt| !is_sent(&receipt)));
    assert_eq!(world.send(0, Heartbeat).unwrap_err().kind(), ErrorKind::Full);
    let before = world.sent(0, Sent::Heartbeat).len();
    world.act(0, Act::AskBeat);
    assert_eq!(world.sent(0, Sent::Heartbeat).len(), before + 1);
    assert!(receipts.iter().all(is_sent), "it answers them all");
    let waits = world.send(0, Heartbeat).unwrap();
    world.act(0, Act::End(LinkEnd::Reset));
    assert_eq!(waits.status(), CommandStatus::Dropped);
    assert_eq!(kind(&waits), ErrorKind::Dropped);
}

#[test]
fn a_command_that_discord_would_ignore_on_this_shard_is_refused() {
    let mut world = World::new(4, 4, 19, Script::default());
    let guild = 2u64 << 22;
    world.send(2, UpdateVoiceState::leave(guild)).unwrap();
    let wrong = world.send(1, UpdateVoiceState::leave(guild)).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Command);
    assert!(wrong.to_string().contains("shard 2"), "{wrong}");
    let intents = world.send(2, RequestGuildMembers::all(guild)).unwrap_err();
    assert!(intents.to_string().contains("GUILD_MEMBERS"), "{intents}");
}

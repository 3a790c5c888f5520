//! The voice hand-off under the virtual clock: both halves in either order, and all that may come
//! between and after.

use shardring::EventKind::{GuildCreate, GuildDelete, VoiceServerUpdate, VoiceStateUpdate};
use shardring::shard::errands::ErrandError;
use shardring::shard::errands::voice::{
    CONFIRM_TIMEOUT, JoinVoice, VoiceChange, VoiceConnectInfo, VoiceEnd,
};
use shardring::shard::session::LifeOrder;
use shardring::{Error, ErrorKind, Intents};

use crate::errands::{BOT, GUILD, Told, new_session, reconnect, say, sent, up};
use crate::world::{Act, Script, World, ms, s};

const CHANNEL: u64 = 9;

fn intents() -> u64 {
    (Intents::GUILDS | Intents::GUILD_VOICE_STATES).bits()
}

fn in_voice() -> World<Script> {
    up(intents())
}

fn try_join(
    world: &mut World<Script>,
    guild: u64,
    options: JoinVoice,
) -> (Result<(), ErrandError>, Told<VoiceChange>) {
    let (outlet, told) = Told::new();
    let mut result = Ok(());
    world.input(0, |session, now| {
        result = session.join_voice(now, guild, CHANNEL, options, outlet);
    });
    (result, told)
}

/// With a time-out that outlasts a new session.
fn join(world: &mut World<Script>) -> Told<VoiceChange> {
    let (result, told) = try_join(world, GUILD, JoinVoice::default().timeout(s(300)));
    result.unwrap();
    told
}

fn leave(world: &mut World<Script>) {
    world.input(0, |session, now| drop(session.leave_voice(now, GUILD).unwrap()));
}

fn state(world: &mut World<Script>, user: u64, channel: Option<u64>, session: &str) -> bool {
    let channel = channel.map_or("null".to_owned(), |id| format!("\"{id}\""));
    let d = format!(
        r#"{{"guild_id":"{GUILD}","channel_id":{channel},"user_id":"{user}",
            "session_id":"{session}","self_deaf":true}}"#
    );
    say(world, VoiceStateUpdate, &d)
}

fn own(world: &mut World<Script>, channel: Option<u64>) {
    assert!(state(world, BOT, channel, "v0ice"));
}

fn server(world: &mut World<Script>, token: &str, endpoint: Option<&str>) {
    let endpoint = endpoint.map_or("null".to_owned(), |host| format!("\"{host}\""));
    let d = format!(r#"{{"guild_id":"{GUILD}","token":"{token}","endpoint":{endpoint}}}"#);
    say(world, VoiceServerUpdate, &d);
}

/// Joined, handed over.
fn connected(world: &mut World<Script>) -> Told<VoiceChange> {
    let told = join(world);
    own(world, Some(CHANNEL));
    server(world, "t0ken", Some("host:443"));
    info(told.only());
    world.forget();
    told
}

#[track_caller]
fn info(change: VoiceChange) -> VoiceConnectInfo {
    match change {
        VoiceChange::Connect(info) => info,
        other => panic!("no info but {other:?}"),
    }
}

#[test]
fn both_halves_in_either_order_make_the_info() {
    for state_first in [true, false] {
        let mut world = in_voice();
        let (result, told) = try_join(&mut world, GUILD, JoinVoice::default().self_deaf(true));
        result.unwrap();
        let op4 = sent(&mut world, 4);
        let d = r#"{"guild_id":"5","channel_id":"9","self_mute":false,"self_deaf":true}"#;
        assert_eq!(op4, [format!(r#"{{"op":4,"d":{d}}}"#)]);
        if state_first {
            own(&mut world, Some(CHANNEL));
        }
        server(&mut world, "t0ken", Some("host:443"));
        if !state_first {
            assert!(told.take().is_empty(), "one half is not enough");
            own(&mut world, Some(CHANNEL));
        }
        let info = info(told.only());
        assert_eq!((&*info.endpoint, &*info.token), ("host:443", "t0ken"));
        assert_eq!((&*info.session_id, info.guild_id.get()), ("v0ice", GUILD));
        assert_eq!((info.channel_id.get(), info.user_id.get()), (CHANNEL, BOT));
        let debug = format!("{info:?} {:?}", VoiceChange::Connect(info.clone()));
        assert!(debug.contains("host:443"));
        assert!(!debug.contains("t0ken") && !debug.contains("v0ice"), "{debug}");
        world.run(s(600));
        assert!(told.take().is_empty(), "and it never times out after that");
    }
}

#[test]
fn a_full_channel_says_nothing_so_that_the_join_times_out_and_leaves() {
    let mut world = in_voice();
    let (result, told) = try_join(&mut world, GUILD, JoinVoice::default().timeout(s(3)));
    result.unwrap();
    sent(&mut world, 4);
    world.run(ms(2_999));
    assert!(told.take().is_empty());
    world.run(ms(1));
    let end = VoiceEnd::TimedOut { was_sent: true };
    assert_eq!(told.only(), VoiceChange::Ended(end));
    assert!(sent(&mut world, 4)[0].contains(r#""channel_id":null"#));
    assert_eq!(Error::from(end).kind(), ErrorKind::Dropped);
    // What comes too late is nobody's.
    own(&mut world, Some(CHANNEL));
    server(&mut world, "t0ken", Some("host:443"));
    assert!(told.take().is_empty());
}

#[test]
fn time_in_which_nobody_reads_is_not_held_against_discord() {
    let mut world = in_voice();
    let (result, told) = try_join(&mut world, GUILD, JoinVoice::default().timeout(s(3)));
    result.unwrap();
    world.block(s(5));
    world.run(ms(2_999));
    assert!(told.take().is_empty(), "three seconds more");
    world.run(ms(1));
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::TimedOut { was_sent: true }));
}

#[test]
fn without_an_endpoint_the_next_server_is_waited_for() {
    let mut world = in_voice();
    let told = join(&mut world);
    own(&mut world, Some(CHANNEL));
    server(&mut world, "first", None);
    assert!(told.take().is_empty());
    server(&mut world, "second", Some("host:443"));
    assert_eq!(info(told.only()).token, "second");
    // The same once it is connected.
    server(&mut world, "third", None);
    assert_eq!(told.only(), VoiceChange::ServerGone);
    server(&mut world, "fourth", Some("other:443"));
    let info = info(told.only());
    assert_eq!((&*info.token, &*info.endpoint), ("fourth", "other:443"));
}

#[test]
fn another_server_is_another_info() {
    let mut world = in_voice();
    let told = connected(&mut world);
    server(&mut world, "t1", Some("next:443"));
    let info = info(told.only());
    assert_eq!((&*info.token, &*info.session_id), ("t1", "v0ice"));
}

#[test]
fn a_move_by_somebody_is_told_and_so_is_what_follows() {
    let mut world = in_voice();
    let told = connected(&mut world);
    own(&mut world, Some(10));
    let (from, to) = (CHANNEL.into(), 10.into());
    assert_eq!(told.only(), VoiceChange::Moved { from, to });
    server(&mut world, "t1", Some("host:443"));
    let info = info(told.only());
    assert_eq!((info.channel_id.get(), &*info.token), (10, "t1"));
}

#[test]
fn a_forced_disconnect_and_a_leave_are_told_apart() {
    let mut world = in_voice();
    let told = connected(&mut world);
    own(&mut world, None);
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::Disconnected));
    let told = connected(&mut world);
    leave(&mut world);
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::Left));
    assert!(sent(&mut world, 4)[0].contains(r#""channel_id":null"#));
    own(&mut world, None);
    assert!(told.take().is_empty());
}

#[test]
fn a_newer_join_takes_the_place_of_an_older_one() {
    let mut world = in_voice();
    let first = join(&mut world);
    let second = join(&mut world);
    assert_eq!(first.only(), VoiceChange::Ended(VoiceEnd::Superseded));
    own(&mut world, Some(CHANNEL));
    server(&mut world, "t0ken", Some("host:443"));
    assert_eq!(info(second.only()).token, "t0ken");
    assert!(first.take().is_empty());
    // And a leave that of an open join; the echo of the leave is not the end of the next join.
    leave(&mut world);
    assert_eq!(second.only(), VoiceChange::Ended(VoiceEnd::Left));
    own(&mut world, None);
    let third = join(&mut world);
    own(&mut world, None);
    own(&mut world, Some(CHANNEL));
    server(&mut world, "t1", Some("host:443"));
    assert_eq!(info(third.only()).token, "t1");
}

#[test]
fn who_joins_where_the_bot_is_leaves_first() {
    let mut world = in_voice();
    let first = connected(&mut world);
    let second = join(&mut world);
    assert_eq!(first.only(), VoiceChange::Ended(VoiceEnd::Superseded));
    assert!(sent(&mut world, 4)[0].contains(r#""channel_id":null"#));
    own(&mut world, None);
    assert!(sent(&mut world, 4)[0].contains(r#""channel_id":"9""#));
    own(&mut world, Some(CHANNEL));
    server(&mut world, "t1", Some("host:443"));
    assert_eq!(info(second.only()).token, "t1");
}

#[test]
fn a_join_outlasts_a_resume_and_is_sent_once() {
    let mut world = in_voice();
    let told = join(&mut world);
    assert_eq!(sent(&mut world, 4).len(), 1);
    own(&mut world, Some(CHANNEL));
    reconnect(&mut world);
    assert!(sent(&mut world, 4).is_empty(), "the session knows of it");
    server(&mut world, "t0ken", Some("host:443"));
    assert_eq!(info(told.only()).session_id, "v0ice");
}

#[test]
fn a_join_that_waits_for_a_connection_is_sent_once_when_there_is_one() {
    let mut world = in_voice();
    world.act(0, Act::Op7);
    let told = join(&mut world);
    assert!(sent(&mut world, 4).is_empty());
    world.run(s(20));
    assert_eq!(sent(&mut world, 4).len(), 1);
    own(&mut world, Some(CHANNEL));
    server(&mut world, "t0ken", Some("host:443"));
    info(told.only());
}

#[test]
fn a_new_session_is_told_of_an_open_join_once_and_believes_no_old_half() {
    let mut world = in_voice();
    let told = join(&mut world);
    sent(&mut world, 4);
    own(&mut world, Some(CHANNEL));
    new_session(&mut world);
    assert_eq!(sent(&mut world, 4).len(), 1, "sent again");
    server(&mut world, "t1", Some("host:443"));
    assert!(told.take().is_empty(), "the old session's state does not count");
    assert!(state(&mut world, BOT, Some(CHANNEL), "n3w"));
    assert_eq!(info(told.only()).session_id, "n3w");
}

#[test]
fn after_a_new_session_guild_create_says_whether_the_bot_is_still_there() {
    let guild = |states: &str| format!(r#"{{"id":"{GUILD}","voice_states":[{states}]}}"#);
    let still = format!(r#"{{"user_id":"{BOT}","channel_id":"{CHANNEL}","session_id":"v0ice"}}"#);
    let mut world = in_voice();
    let told = connected(&mut world);
    new_session(&mut world);
    assert!(world.seats[0].session.voice_state(GUILD).is_none(), "nothing is known yet");
    assert!(say(&mut world, GuildCreate, &guild(&still)));
    assert!(world.seats[0].session.voice_state(GUILD).is_some());
    assert!(told.take().is_empty(), "it goes on");
    server(&mut world, "t1", Some("host:443"));
    assert_eq!(info(told.only()).token, "t1");
    new_session(&mut world);
    assert!(say(&mut world, GuildCreate, &guild("")));
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::SessionLost));
}

#[test]
fn a_hand_off_of_which_a_new_session_says_nothing_ends_in_time() {
    let mut world = in_voice();
    let told = connected(&mut world);
    new_session(&mut world);
    world.run(CONFIRM_TIMEOUT - s(90));
    assert!(told.take().is_empty(), "GUILD_CREATE may still come");
    world.run(s(90));
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::SessionLost));
    assert!(sent(&mut world, 4).is_empty(), "the bot is in no voice to be left");
}

#[test]
fn a_guild_that_is_gone_ends_it_and_an_outage_does_not() {
    let mut world = in_voice();
    let told = connected(&mut world);
    say(&mut world, GuildDelete, r#"{"id":"5","unavailable":true}"#);
    assert!(told.take().is_empty());
    assert!(world.seats[0].session.voice_state(GUILD).is_none());
    let states = format!(r#"{{"user_id":"{BOT}","channel_id":"9","session_id":"v0ice"}}"#);
    say(&mut world, GuildCreate, &format!(r#"{{"id":"5","voice_states":[{states}]}}"#));
    assert!(told.take().is_empty());
    say(&mut world, GuildDelete, r#"{"id":"5"}"#);
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::GuildGone));
}

#[test]
fn own_states_are_learnt_and_forgotten_and_no_other_is_looked_at() {
    let mut world = in_voice();
    assert!(!state(&mut world, 78, Some(CHANNEL), "x"), "somebody else's is not even parsed");
    own(&mut world, Some(CHANNEL));
    let known = world.seats[0].session.voice_state(GUILD).unwrap().clone();
    assert_eq!((known.channel_id.get(), known.self_deaf), (CHANNEL, true));
    assert!(!format!("{known:?}").contains("v0ice"));
    own(&mut world, None);
    assert!(world.seats[0].session.voice_state(GUILD).is_none());
    own(&mut world, Some(CHANNEL));
    reconnect(&mut world);
    assert!(world.seats[0].session.voice_state(GUILD).is_some(), "a resume keeps it");
    say(&mut world, GuildDelete, r#"{"id":"5"}"#);
    assert!(world.seats[0].session.voice_state(GUILD).is_none());
    assert!(!say(&mut world, GuildCreate, r#"{"id":"6","voice_states":[]}"#));
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let mut world = up(Intents::GUILDS.bits());
    let (refused, told) = try_join(&mut world, GUILD, JoinVoice::default());
    let error = Error::from(refused.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Command);
    assert!(error.to_string().contains("GUILD_VOICE_STATES"), "{error}");
    assert!(told.take().is_empty() && sent(&mut world, 4).is_empty());
    let mut world = in_voice();
    world.input(0, |session, now| session.stop(now, false));
    let (refused, _) = try_join(&mut world, GUILD, JoinVoice::default());
    assert_eq!(refused, Err(ErrandError::Stopped));
}

#[test]
fn a_full_outbox_and_a_stop_end_it_with_an_answer() {
    let mut settings = crate::world::settings();
    settings.intents = intents();
    settings.outbox_len_max = 0;
    let gate = shardring::shard::identify::LocalGate::new(1);
    let mut world = World::with_settings(1, gate, 1, Script::default(), settings);
    let (result, told) = try_join(&mut world, GUILD, JoinVoice::default());
    result.unwrap();
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::NotSent));
    let mut world = in_voice();
    let told = connected(&mut world);
    world.input(0, |session, now| session.stop(now, false));
    world.run(s(10));
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::Stopped));
}

#[test]
fn a_reader_that_is_gone_is_forgotten() {
    let mut world = in_voice();
    let told = connected(&mut world);
    told.leave();
    server(&mut world, "t1", Some("host:443"));
    own(&mut world, None);
    assert!(told.take().is_empty());
    assert!(!say(&mut world, VoiceServerUpdate, r#"{"guild_id":"5","token":"x","endpoint":"y"}"#));
}

fn order(world: &mut World<Script>, order: LifeOrder) {
    world.input(0, |session, now| session.order(now, order).unwrap());
}

#[test]
fn a_leave_that_waited_gives_way_to_the_join_in_a_new_session() {
    let mut world = in_voice();
    connected(&mut world);
    world.act(0, Act::Op9(false));
    let told = join(&mut world); // where it was: it would leave first
    world.run(s(60));
    let op4 = sent(&mut world, 4);
    assert_eq!(op4.len(), 1, "{op4:?}");
    assert!(op4[0].contains(r#""channel_id":"9""#), "{op4:?}");
    assert!(state(&mut world, BOT, Some(CHANNEL), "n3w"));
    server(&mut world, "t1", Some("host:443"));
    assert_eq!(info(told.only()).session_id, "n3w");
}

#[test]
fn a_server_that_came_before_the_bot_had_left_is_not_that_of_the_next_join() {
    let mut world = in_voice();
    let _first = join(&mut world);
    own(&mut world, Some(CHANNEL));
    let second = join(&mut world); // leaves first
    server(&mut world, "old", Some("host:443"));
    own(&mut world, None);
    assert!(state(&mut world, BOT, Some(CHANNEL), "n3w"));
    assert!(second.take().is_empty(), "that server's token is void");
    server(&mut world, "new", Some("host:443"));
    assert_eq!(info(second.only()).token, "new");
}

#[test]
fn a_join_that_could_not_even_leave_first_was_not_sent() {
    let mut world = in_voice();
    connected(&mut world);
    order(&mut world, LifeOrder::Terminate);
    let (result, told) = try_join(&mut world, GUILD, JoinVoice::default().timeout(s(3)));
    result.unwrap();
    world.run(s(3));
    assert!(sent(&mut world, 4).is_empty());
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::TimedOut { was_sent: false }));
}

#[test]
fn a_shard_that_is_closed_for_good_is_in_no_channel_and_joins_none_when_it_is_back() {
    let mut world = in_voice();
    let told = connected(&mut world);
    order(&mut world, LifeOrder::Close);
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::Stopped));
    assert!(world.seats[0].session.voice_state(GUILD).is_none());
    let mut world = in_voice();
    order(&mut world, LifeOrder::Terminate);
    let told = join(&mut world);
    assert!(told.take().is_empty(), "a session that is kept may go on");
    order(&mut world, LifeOrder::Close);
    assert_eq!(told.only(), VoiceChange::Ended(VoiceEnd::Stopped));
    order(&mut world, LifeOrder::Start);
    world.run(s(60));
    assert_eq!(world.state(0), shardring::shard::notice::State::Active);
    assert!(sent(&mut world, 4).is_empty(), "nobody would serve it");
}

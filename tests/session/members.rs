//! The member collector under the virtual clock: chunks by nonce, progress, silence, the limit, a
//! reader that is slow or gone, reconnects.

use std::time::Duration;

use shardring::EventKind::{GuildMembersChunk, RateLimited};
use shardring::command::RequestGuildMembers;
use shardring::shard::errands::ErrandError;
use shardring::shard::errands::members::{
    COLLECTIONS_MAX, CollectMembers, MembersChunk, MembersEnd, MembersEndCause, MembersNews,
};
use shardring::shard::session::LifeOrder;
use shardring::{Error, ErrorKind, Intents};

use crate::errands::{GUILD, Told, new_session, reconnect, say, sent, up};
use crate::world::{Act, Script, World, ms, s, text_after};

fn asking() -> World<Script> {
    up((Intents::GUILDS | Intents::GUILD_MEMBERS).bits())
}

fn try_collect(
    world: &mut World<Script>,
    collect: CollectMembers,
) -> (Result<(), ErrandError>, Told<MembersNews>) {
    let (outlet, told) = Told::new();
    let mut result = Ok(());
    world.input(0, |session, now| result = session.collect_members(now, collect, outlet));
    (result, told)
}

/// The collection, and its nonce as it was sent.
fn collect(world: &mut World<Script>) -> (Told<MembersNews>, String) {
    let (result, told) = try_collect(world, CollectMembers::new(RequestGuildMembers::all(GUILD)));
    result.unwrap();
    let op8 = sent(world, 8);
    (told, text_after(&op8[0], "\"nonce\":").to_owned())
}

fn chunk(world: &mut World<Script>, nonce: &str, index: u32, count: u32) -> bool {
    let d = format!(
        r#"{{"guild_id":"{GUILD}","nonce":"{nonce}","chunk_index":{index},"chunk_count":{count},
            "members":[{{"user":{{"id":"{index}1","username":"u"}}}}],"not_found":["12",13]}}"#
    );
    say(world, GuildMembersChunk, &d)
}

#[track_caller]
fn chunk_of(news: &MembersNews) -> &MembersChunk {
    match news {
        MembersNews::Chunk(chunk) => chunk,
        other => panic!("no chunk but {other:?}"),
    }
}

#[track_caller]
fn end_of(news: MembersNews) -> MembersEnd {
    match news {
        MembersNews::Ended(end) => end,
        other => panic!("no end but {other:?}"),
    }
}

#[test]
fn chunks_of_the_nonce_come_once_each_with_their_progress_and_then_the_end() {
    let mut world = asking();
    assert!(!chunk(&mut world, "anything", 0, 1), "without a collection nothing is looked at");
    let (told, nonce) = collect(&mut world);
    assert!(nonce.len() <= 32, "{nonce}");
    chunk(&mut world, "somebody else's", 0, 2);
    chunk(&mut world, &nonce, 1, 2);
    chunk(&mut world, &nonce, 1, 2);
    chunk(&mut world, &nonce, 0, 2);
    let mut news = told.take();
    let end = end_of(news.pop().unwrap());
    assert!(end.is_complete());
    assert_eq!((end.received, end.chunk_count, &*end.missing), (2, Some(2), &[][..]));
    let [first, second] = &news[..] else { panic!("two chunks, not {news:?}") };
    let (first, second) = (chunk_of(first), chunk_of(second));
    assert_eq!((first.chunk_index, second.chunk_index, first.chunk_count), (1, 0, 2));
    assert_eq!(first.not_found, [12.into(), 13.into()]);
    assert_eq!(first.members_len, 1);
    let id = first.visit(|chunk| chunk.members[0].user.map(|user| user.id.get()));
    assert_eq!(id, Some(Some(11)));
    assert!(!chunk(&mut world, &nonce, 0, 2), "and nothing is watched any more");
}

#[test]
fn every_collection_has_a_nonce_of_its_own() {
    let mut world = asking();
    let (first, nonce) = collect(&mut world);
    // Another whole list of the guild would have to wait.
    let prefix = CollectMembers::new(RequestGuildMembers::prefix(GUILD, "a", 5));
    let (result, second) = try_collect(&mut world, prefix);
    result.unwrap();
    let other = text_after(&sent(&mut world, 8)[0], "\"nonce\":").to_owned();
    assert_ne!(nonce, other);
    chunk(&mut world, &other, 0, 1);
    assert!(first.take().is_empty());
    assert_eq!(second.take().len(), 2);
    let named = CollectMembers::new(RequestGuildMembers::users(GUILD, [1]).nonce(&nonce));
    assert_eq!(try_collect(&mut world, named).0, Err(ErrandError::NonceInUse));
}

#[test]
fn silence_ends_it_and_each_chunk_begins_the_wait_anew() {
    let mut world = asking();
    let (told, nonce) = collect(&mut world);
    world.run(s(59));
    chunk(&mut world, &nonce, 2, 4);
    assert_eq!(told.take().len(), 1);
    world.run(ms(59_999));
    assert!(told.take().is_empty());
    world.run(ms(1));
    let end = end_of(told.only());
    assert_eq!(end.cause, MembersEndCause::TimedOut { was_sent: true });
    assert_eq!((end.received, &*end.missing), (1, &[0, 1, 3][..]));
    assert_eq!(Error::from(end).kind(), ErrorKind::Dropped);
}

#[test]
fn rate_limited_is_told_and_prolongs_the_wait() {
    for nonce_comes_back in [true, false] {
        let mut world = asking();
        let (told, nonce) = collect(&mut world);
        let meta = match nonce_comes_back {
            true => format!(r#"{{"guild_id":"5","nonce":"{nonce}"}}"#),
            false => r#"{"guild_id":"5"}"#.to_owned(),
        };
        let d = |meta: &str| format!(r#"{{"opcode":8,"retry_after":25.5,"meta":{meta}}}"#);
        say(&mut world, RateLimited, &d(r#"{"guild_id":"6"}"#));
        say(&mut world, RateLimited, &d(r#"{"guild_id":"5","nonce":"other"}"#));
        say(&mut world, RateLimited, r#"{"opcode":4,"retry_after":1}"#);
        assert!(told.take().is_empty(), "of another request");
        say(&mut world, RateLimited, &d(&meta));
        match told.only() {
            MembersNews::RateLimited { retry_after } => {
                assert_eq!(retry_after, Duration::from_millis(25_500));
            }
            other => panic!("not {other:?}"),
        }
        world.run(s(85));
        assert!(told.take().is_empty());
        chunk(&mut world, &nonce, 0, 1);
        assert_eq!(told.take().len(), 2);
    }
}

#[test]
fn a_wait_that_is_nonsense_does_no_harm() {
    let mut world = asking();
    let (told, _) = collect(&mut world);
    for wait in ["-1", "1e300", "null"] {
        let d = format!(r#"{{"opcode":8,"retry_after":{wait},"meta":{{"guild_id":"5"}}}}"#);
        say(&mut world, RateLimited, &d);
    }
    assert_eq!(told.take().len(), 3);
    world.run(s(7200));
    end_of(told.only());
}

#[test]
fn a_reader_that_is_too_slow_loses_the_rest_and_learns_of_it() {
    let mut world = asking();
    let (told, nonce) = collect(&mut world);
    told.narrow(2);
    for index in 0..4 {
        chunk(&mut world, &nonce, index, 9);
    }
    let mut news = told.take();
    let end = end_of(news.pop().unwrap());
    assert_eq!((news.len(), end.cause), (2, MembersEndCause::Overrun));
    assert_eq!((end.received, end.missing[0]), (2, 2));
}

#[test]
fn a_reader_that_is_gone_cancels() {
    let mut world = asking();
    let (told, nonce) = collect(&mut world);
    told.leave();
    chunk(&mut world, &nonce, 0, 2);
    assert!(!chunk(&mut world, &nonce, 1, 2));
    assert!(told.take().is_empty());
}

#[test]
fn a_resume_brings_the_rest_and_a_new_session_does_not() {
    let mut world = asking();
    let (told, nonce) = collect(&mut world);
    chunk(&mut world, &nonce, 0, 3);
    reconnect(&mut world);
    assert!(sent(&mut world, 8).is_empty());
    chunk(&mut world, &nonce, 1, 3);
    assert_eq!(told.take().len(), 2);
    new_session(&mut world);
    let end = end_of(told.only());
    assert_eq!((end.cause, &*end.missing), (MembersEndCause::SessionLost, &[2][..]));
}

#[test]
fn a_request_that_was_not_sent_yet_goes_with_the_new_session() {
    let mut world = asking();
    world.act(0, Act::Op9(false));
    let collect = CollectMembers::new(RequestGuildMembers::all(GUILD)).timeout(s(300));
    let (result, told) = try_collect(&mut world, collect);
    result.unwrap();
    world.run(s(60));
    let op8 = sent(&mut world, 8);
    assert_eq!(op8.len(), 1);
    chunk(&mut world, text_after(&op8[0], "\"nonce\":"), 0, 1);
    assert!(end_of(told.take().pop().unwrap()).is_complete());
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let mut world = up(Intents::GUILDS.bits());
    let all = CollectMembers::new(RequestGuildMembers::all(GUILD));
    let mut presences = RequestGuildMembers::users(GUILD, [1]);
    presences.presences = true;
    let many = RequestGuildMembers::users(GUILD, 0..101);
    for (collect, word) in [
        (all, "GUILD_MEMBERS"),
        (presences.into(), "GUILD_PRESENCES"),
        (many.into(), "101 users"),
        (RequestGuildMembers::users(GUILD, [1]).nonce("x".repeat(33)).into(), "33 bytes"),
    ] {
        let (refused, told) = try_collect(&mut world, collect);
        let error = Error::from(refused.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Command);
        assert!(error.to_string().contains(word), "{error}");
        assert!(told.take().is_empty());
    }
    assert!(sent(&mut world, 8).is_empty());
}

#[test]
fn collections_are_bounded_and_a_stop_ends_them() {
    let mut world = asking();
    let ask = || CollectMembers::new(RequestGuildMembers::users(GUILD, [1]));
    let told: Vec<_> = (0..COLLECTIONS_MAX)
        .map(|_| {
            let (result, told) = try_collect(&mut world, ask());
            result.unwrap();
            told
        })
        .collect();
    let refused = try_collect(&mut world, ask()).0.unwrap_err();
    assert_eq!(Error::from(refused).kind(), ErrorKind::Full);
    world.input(0, |session, now| session.stop(now, true));
    world.run(s(10));
    for told in told {
        assert_eq!(end_of(told.only()).cause, MembersEndCause::Stopped);
    }
}

#[test]
fn numbers_of_chunks_that_cannot_be_are_borne() {
    let mut world = asking();
    let (told, nonce) = collect(&mut world);
    chunk(&mut world, &nonce, u32::MAX, u32::MAX);
    assert!(told.take().is_empty());
    chunk(&mut world, &nonce, 0, 0);
    assert!(end_of(told.take().pop().unwrap()).is_complete());
}

#[test]
fn a_request_that_nobody_waits_for_any_more_is_not_sent_and_takes_up_no_room() {
    let mut world = asking();
    world.input(0, |session, now| session.order(now, LifeOrder::Terminate).unwrap());
    for _ in 0..100 {
        let ask = CollectMembers::new(RequestGuildMembers::users(GUILD, [1])).timeout(s(1));
        let (result, told) = try_collect(&mut world, ask);
        result.unwrap();
        world.run(s(1));
        assert_eq!(end_of(told.only()).cause, MembersEndCause::TimedOut { was_sent: false });
    }
    world.input(0, |session, now| session.order(now, LifeOrder::Start).unwrap());
    world.run(s(120));
    assert!(sent(&mut world, 8).is_empty());
}

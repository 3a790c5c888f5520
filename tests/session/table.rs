//! Every way a connection can end, and what follows: resume, a new session, or the end.

use shardring::shard::close::{Cause, Fatal, LinkEnd};
use shardring::shard::notice::{Notice, Sent, State, Target, Verdict};
use shardring::shard::session::Guards;

use crate::world::{Act, Answer, SECRET, Script, Seen, World, active, ms, s, settings};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Follows {
    Resume,
    ResumeAfter(u64),
    NewSession,
    Fatal(Fatal),
}

fn every_end() -> Vec<(Act, Follows)> {
    use Follows::{NewSession, Resume, ResumeAfter};
    let closed = |code: u16| Act::End(LinkEnd::Closed(Some(code)));
    let mut table = vec![
        (closed(4003), NewSession),
        (closed(4007), NewSession),
        (closed(4009), NewSession),
        (closed(4008), ResumeAfter(5)),
        (closed(4004), Follows::Fatal(Fatal::AuthenticationFailed)),
        (closed(4010), Follows::Fatal(Fatal::InvalidShard)),
        (closed(4011), Follows::Fatal(Fatal::ShardingRequired)),
        (closed(4012), Follows::Fatal(Fatal::InvalidApiVersion)),
        (closed(4013), Follows::Fatal(Fatal::InvalidIntents)),
        (closed(4014), Follows::Fatal(Fatal::DisallowedIntents)),
        (Act::End(LinkEnd::Closed(None)), Resume),
        (Act::End(LinkEnd::Eof), Resume),
        (Act::End(LinkEnd::Reset), Resume),
        (Act::End(LinkEnd::Wire), Resume),
        (Act::End(LinkEnd::WriteStuck), Resume),
        (Act::Op7, Resume),
        (Act::Op9(true), ResumeAfter(1)),
        (Act::Op9(false), NewSession),
    ];
    // Those of the table that resume, ordinary WebSocket codes, and codes nobody has heard of.
    for code in [4000, 4001, 4002, 4005, 4006, 4015, 4999, 1000, 1001, 1006, 1011, 1012, 0, 65535] {
        table.push((closed(code), Resume));
    }
    table
}

#[test]
fn every_end_of_an_active_session_has_its_consequence() {
    for (act, follows) in every_end() {
        for seed in 0..5 {
            let mut world = active(seed, Script::default());
            world.run(s(100)); // a session that lasted
            world.act(0, Act::Dispatch(Some(2)));
            world.forget();
            let ended_at = world.now;
            world.act(0, act.clone());
            world.run(s(30));
            let resumes = world.sent(0, Sent::Resume);
            let identifies = world.sent(0, Sent::Identify);
            let lost = world.has_notice(0, |notice| matches!(notice, Notice::SessionLost { .. }));
            let ours = world.closes(0);
            match follows {
                Follows::Resume | Follows::ResumeAfter(_) => {
                    assert_eq!((resumes.len(), identifies.len(), lost), (1, 0, false), "{act:?}");
                    let expected = format!(
                        r#"{{"op":6,"d":{{"token":"{SECRET}","session_id":"session-1","seq":2}}}}"#
                    );
                    assert_eq!(resumes[0].1, expected);
                    let pause = match follows {
                        Follows::ResumeAfter(pause) => pause,
                        _ => 0,
                    };
                    let dials = world.dials(0);
                    assert!(dials[0].0.since(ended_at) >= s(pause), "{act:?}");
                    assert!(dials[0].0.since(ended_at) <= s(11), "{act:?}");
                    assert_eq!(dials[0].1, Target::Resume);
                    assert_eq!(world.state(0), State::Active);
                    assert!(world.has_notice(0, |n| *n == Notice::Resumed { replayed: 0 }));
                    assert!(ours.iter().all(|code| *code == 4000), "{act:?} closed {ours:?}");
                }
                Follows::NewSession => {
                    assert_eq!((resumes.len(), identifies.len(), lost), (0, 1, true), "{act:?}");
                    assert_eq!(world.dials(0)[0].1, Target::Main);
                    assert_eq!(world.state(0), State::Active);
                    assert_eq!(world.seats[0].session.session_id(), Some("session-2"));
                    assert_eq!(world.seats[0].session.sequence(), Some(1), "numbers anew");
                }
                Follows::Fatal(error) => {
                    assert_eq!(world.state(0), State::Retired, "{act:?}");
                    assert!(world.has_notice(0, |notice| *notice == Notice::Fatal { error }));
                    assert!(world.dials(0).is_empty());
                    assert!(error.to_string().contains(&error.code().to_string()));
                    assert_eq!(world.seats[0].session.poll_deadline(), None);
                }
            }
        }
    }
}

#[test]
fn every_end_in_every_state_leads_back_to_an_active_session_or_to_a_fatal_error() {
    for (act, follows) in every_end() {
        for until_ms in [5, 35, 45, 90, 95] {
            // Connecting, Greeting, Identifying (twice), Active; then the same on a RESUME.
            for resumed in [false, true] {
                let script = Script::default();
                let mut world = World::new(1, 1, until_ms, script);
                if resumed {
                    world.start();
                    world.run(s(100));
                    world.act(0, Act::End(LinkEnd::Reset));
                    while world.state(0) == State::Waiting {
                        world.run(ms(1));
                    }
                } else {
                    world.start();
                }
                world.run(ms(until_ms));
                let before = world.state(0);
                let untouchable = before == State::Connecting && !matches!(act, Act::End(_));
                world.act(0, act.clone());
                world.run(s(120));
                match follows {
                    Follows::Fatal(_) => assert_eq!(world.state(0), State::Retired, "{act:?}"),
                    _ => assert_eq!(world.state(0), State::Active, "{act:?} in {before:?}"),
                }
                if untouchable {
                    let resumes = world.seats[0].session.counters().resumes;
                    assert_eq!(resumes, u32::from(resumed), "{act:?} is not of this link");
                }
                assert_eq!(world.guards.gate.waiting(), 0);
            }
        }
    }
}

#[test]
fn a_dead_resume_host_is_left_for_the_main_url_with_the_session_kept() {
    let dead = [
        LinkEnd::NameNotFound,
        LinkEnd::ConnectionRefused,
        LinkEnd::NoRoute,
        LinkEnd::Unreachable,
        LinkEnd::Proxy,
        LinkEnd::Tls,
        LinkEnd::DialTimeout,
        LinkEnd::HttpStatus(503),
        LinkEnd::HttpStatus(502),
        LinkEnd::Upgrade,
        LinkEnd::Reset,
    ];
    for end in dead {
        let mut world = active(3, Script { resume_host: Some(end), ..Script::default() });
        world.run(s(100));
        let mut to_the_dead = 0;
        for round in 0..20 {
            // Long after a failure, and seconds after it.
            for (pause, may_probe) in [(s(5), true), (s(300), false)] {
                world.forget();
                world.act(0, Act::End(LinkEnd::Reset));
                world.run(pause);
                assert_eq!(world.state(0), State::Active, "{end:?}");
                let dials: Vec<_> = world.dials(0).iter().map(|dial| dial.1).collect();
                to_the_dead += dials.len() - 1;
                match dials[..] {
                    [Target::Main] => assert!(round > 0 || !may_probe, "it is tried first"),
                    [Target::Resume, Target::Main] => assert!(may_probe, "{end:?}: just failed"),
                    _ => panic!("{end:?}: {dials:?}"),
                }
                assert_eq!(world.sent(0, Sent::Resume).len(), 1);
                assert_eq!(world.sent(0, Sent::Identify).len(), 0);
                assert_eq!(world.seats[0].session.session_id(), Some("session-1"));
            }
        }
        // After 10, 20, 40 … 600 s: in 6100 s of 40 reconnects.
        assert!((8..=16).contains(&to_the_dead), "{end:?}: {to_the_dead}");
    }
}

#[test]
fn with_both_hosts_dead_each_is_probed_and_the_session_is_kept_until_it_expires() {
    let mut world = active(4, Script::default());
    world.run(s(100));
    world.peer.main = Some(LinkEnd::Unreachable);
    world.peer.resume_host = Some(LinkEnd::HttpStatus(500));
    world.forget();
    world.act(0, Act::End(LinkEnd::Eof));
    world.run(s(1800));
    let dials = world.dials(0);
    let resume = dials.iter().filter(|dial| dial.1 == Target::Resume).count();
    assert!((4..=9).contains(&resume), "{resume} after 10, 20, 40 … 600 s");
    assert!(dials.len() > 30 && dials.len() < 200, "{}", dials.len());
    assert_eq!(world.seats[0].session.session_id(), Some("session-1"));
    world.run(s(1900));
    assert_eq!(world.seats[0].session.session_id(), None, "an hour is over");
    let lost = |notice: &Notice| {
        matches!(notice, Notice::SessionLost { cause: Cause::SessionExpired, first_seq: 2, .. })
    };
    assert!(world.has_notice(0, lost));
    world.forget();
    world.peer.main = None;
    world.run(s(120));
    assert_eq!(world.sent(0, Sent::Identify).len(), 1);
    assert_eq!(world.state(0), State::Active);
}

#[test]
fn a_resume_url_with_tls_is_left_for_a_main_url_without() {
    let mut settings = settings();
    for (main_url, target) in
        [("ws://main.test", Target::Main), ("wss://main.test", Target::Resume)]
    {
        settings.main_url = main_url.into();
        let ids = [shardring::ShardId::new(0, 1)];
        let guards = Guards::local(1, 1000);
        let mut world = World::with_guards(ids, guards, 1, Script::default(), settings.clone());
        world.start();
        world.run(s(100));
        world.forget();
        world.act(0, Act::End(LinkEnd::Eof));
        world.run(s(10));
        assert_eq!(world.dials(0)[0].1, target);
        assert_eq!((world.sent(0, Sent::Resume).len(), world.state(0)), (1, State::Active));
    }
}

#[test]
fn a_resume_that_is_swallowed_is_tried_on_the_other_host_and_never_identified_over() {
    let mut world = active(5, Script::default());
    world.run(s(100));
    world.forget();
    world.peer.resume = Answer::Nothing;
    world.act(0, Act::End(LinkEnd::Reset));
    world.run(s(170));
    let stalled = |n: &Notice| matches!(n, Notice::Stalled { awaited: State::Resuming, .. });
    assert!(world.has_notice(0, stalled));
    assert_eq!(world.sent(0, Sent::Resume).len(), 1);
    world.run(s(100));
    let dials: Vec<_> = world.dials(0).iter().map(|dial| dial.1).collect();
    assert_eq!(dials, [Target::Resume, Target::Main]);
    assert_eq!(world.sent(0, Sent::Identify).len(), 0);
    world.peer.resume = Answer::Well;
    world.run(s(200));
    assert_eq!(world.state(0), State::Active);
    assert_eq!(world.seats[0].session.session_id(), Some("session-1"));
}

#[test]
fn hello_that_never_comes_and_a_dial_that_hangs_lead_to_another_dial() {
    let mut world = World::new(1, 1, 6, Script { hello: false, ..Script::default() });
    world.start();
    world.run(ms(20_020));
    assert_eq!(world.state(0), State::Greeting);
    world.run(ms(20));
    assert_eq!(world.state(0), State::Closing);
    let timed_out =
        |notice: &Notice| *notice == Notice::Disconnected { cause: Cause::HelloTimeout };
    assert!(world.has_notice(0, timed_out));
    assert_eq!(world.closes(0), [4000]);
    world.peer.hello = true;
    world.run(s(10));
    assert_eq!(world.state(0), State::Active);

    // A driver that never answers the dial.
    let mut session = world.seats.remove(0).session;
    session.link_ended(world.now, LinkEnd::Reset);
    let dial_at = session.poll_deadline().unwrap();
    session.expire(dial_at, s(0));
    assert!(session.poll_order().is_some());
    assert_eq!(session.poll_deadline(), Some(dial_at + s(10)));
    session.expire(dial_at + s(10), s(0));
    assert_eq!(session.poll_order(), Some(shardring::shard::notice::Order::Drop));
    assert_eq!(session.state(), State::Waiting);
}

#[test]
fn op_7_before_hello_and_instead_of_ready_is_borne() {
    for until_ms in [35, 60] {
        let mut world = World::new(1, 1, 7, Script::default());
        world.start();
        world.run(ms(until_ms));
        world.act(0, Act::Op7);
        assert_eq!(world.closes(0), [4000]);
        world.run(s(30));
        assert_eq!(world.state(0), State::Active, "after {until_ms} ms");
    }
}

#[test]
fn a_peer_that_does_not_answer_our_close_is_cut_off() {
    let mut world = active(8, Script::default());
    world.peer.dead = true;
    world.act(0, Act::Op7);
    world.run(ms(1999));
    assert_eq!(world.state(0), State::Closing);
    world.run(s(1));
    assert!(world.seats[0].seen.iter().any(|(_, seen)| matches!(seen, Seen::Drop)));
    world.run(s(5));
    assert_eq!(world.state(0), State::Active);
}

#[test]
fn sequence_numbers_are_checked_within_a_session_and_start_anew_with_the_next() {
    let mut world = active(9, Script::default());
    world.run(s(100));
    world.forget();
    for number in [Some(2), Some(2), Some(1), None, Some(0), Some(3), Some(7), Some(6), Some(8)] {
        world.act(0, Act::Dispatch(number));
    }
    let verdicts: Vec<_> = world.seats[0]
        .seen
        .iter()
        .filter_map(|(_, seen)| match seen {
            Seen::Verdict(_, verdict) => Some(*verdict),
            _ => None,
        })
        .collect();
    use Verdict::{Deliver, Duplicate, Gap};
    let gap = Gap { first: 4, last: 6 };
    assert_eq!(
        verdicts,
        [Deliver, Duplicate, Duplicate, Deliver, Duplicate, Deliver, gap, Duplicate, Deliver]
    );
    assert!(world.has_notice(0, |notice| *notice == Notice::Gap { first: 4, last: 6 }));
    let counters = *world.seats[0].session.counters();
    assert_eq!((counters.duplicates, counters.gaps, counters.gap_events), (4, 1, 3));

    world.act(0, Act::Op9(false));
    let lost = Notice::SessionLost {
        session_id: "session-1".into(),
        first_seq: 9,
        last_seq: None,
        cause: Cause::InvalidSession { resumable: false },
    };
    assert!(world.has_notice(0, |notice| *notice == lost));
    world.run(s(30));
    world.forget();
    world.act(0, Act::Dispatch(Some(2)));
    let (_, seen) = &world.seats[0].seen[0];
    assert!(matches!(seen, Seen::Verdict(Some(2), Deliver)), "2 of the new session is new");
}

#[test]
fn a_sequence_may_begin_with_zero_and_a_dispatch_may_precede_ready() {
    let mut world = World::new(1, 1, 10, Script { identify: Answer::Nothing, ..Script::default() });
    world.start();
    world.run(ms(60));
    world.act(0, Act::Dispatch(Some(0)));
    world.act(0, Act::Ready { s: Some(1), id: "early".into(), url: None });
    world.act(0, Act::Dispatch(Some(2)));
    let delivered = world.seats[0]
        .seen
        .iter()
        .filter(|(_, seen)| matches!(seen, Seen::Verdict(_, Verdict::Deliver)));
    assert_eq!(delivered.count(), 3);
    assert_eq!(world.seats[0].session.sequence(), Some(2));
}

#[test]
fn resumed_counts_what_was_replayed_and_not_itself() {
    let mut world = active(11, Script { replay: 5, ..Script::default() });
    world.act(0, Act::Dispatch(Some(2)));
    world.act(0, Act::End(LinkEnd::Reset));
    world.run(s(5));
    assert!(world.has_notice(0, |notice| *notice == Notice::Resumed { replayed: 5 }));
    assert_eq!(world.seats[0].session.sequence(), Some(8));
    assert_eq!(world.seats[0].session.counters().replayed, 5);
}

#[test]
fn a_ready_in_answer_to_resume_is_a_new_session_and_the_old_one_is_reported_lost() {
    let other = Act::Ready { s: Some(1), id: "other".into(), url: None };
    let mut world = active(12, Script { resume: Answer::Do(other), ..Script::default() });
    for number in 2..50 {
        world.act(0, Act::Dispatch(Some(number)));
    }
    world.act(0, Act::End(LinkEnd::Reset));
    world.run(s(5));
    let lost = |notice: &Notice| {
        matches!(notice, Notice::SessionLost { session_id, first_seq: 50, .. }
            if &**session_id == "session-1")
    };
    assert!(world.has_notice(0, lost));
    assert_eq!(world.seats[0].session.session_id(), Some("other"));
    assert_eq!(world.seats[0].session.sequence(), Some(1));
    world.forget();
    world.act(0, Act::Dispatch(Some(2)));
    let (_, seen) = &world.seats[0].seen[0];
    assert!(matches!(seen, Seen::Verdict(_, Verdict::Deliver)));
}

#[test]
fn a_ready_with_an_impossible_session_id_ends_the_link_and_identifies_later() {
    for id in [String::new(), "x".repeat(513)] {
        let ready = Act::Ready { s: Some(1), id, url: None };
        let mut world =
            World::new(1, 1, 13, Script { identify: Answer::Do(ready), ..Script::default() });
        world.start();
        world.run(s(4));
        assert_eq!(world.sent(0, Sent::Identify).len(), 1, "the next one is backed off");
        world.peer.identify = Answer::Well;
        world.run(s(30));
        assert_eq!(world.state(0), State::Active);
    }
}

#[test]
fn stop_closes_with_1000_or_keeps_the_session_and_never_comes_back() {
    for keep_session in [false, true] {
        for until_ms in [0, 5, 35, 60, 1000] {
            let mut world = World::new(1, 1, 14, Script::default());
            if until_ms > 0 {
                world.start();
                world.run(ms(until_ms));
            }
            let linked = until_ms >= 35;
            world.input(0, |session, now| session.stop(now, keep_session));
            let closes: &[u16] = match (linked, keep_session) {
                (false, _) => &[],
                (true, false) => &[1000],
                (true, true) => &[4000],
            };
            assert_eq!(world.closes(0), closes);
            world.forget();
            world.run(s(100));
            world.start();
            world.input(0, |session, now| session.stop(now, false));
            world.run(s(100));
            assert_eq!(world.state(0), State::Retired);
            assert!(world.dials(0).is_empty());
            assert_eq!(world.guards.gate.waiting(), 0);
            let has_id = world.seats[0].session.session_id().is_some();
            assert_eq!(has_id, keep_session && until_ms == 1000);
        }
    }
}

#[test]
fn stop_while_we_close_to_resume_ends_for_good() {
    let mut world = active(15, Script::default());
    world.act(0, Act::Op7);
    world.input(0, |session, now| session.stop(now, true));
    world.forget();
    world.run(s(100));
    assert_eq!(world.state(0), State::Retired);
    assert!(world.dials(0).is_empty());
}

#[test]
fn a_fatal_code_in_answer_to_our_close_is_still_fatal() {
    let mut world = active(16, Script { dead: true, ..Script::default() });
    world.act(0, Act::Op7);
    world.act(0, Act::End(LinkEnd::Closed(Some(4004))));
    assert_eq!(world.state(0), State::Retired);
}

#[test]
fn op_9_false_after_op_7_loses_the_session_and_identifies() {
    let mut world = active(17, Script::default());
    world.run(s(100));
    world.forget();
    world.act(0, Act::Op7);
    world.act(0, Act::Op9(false));
    world.run(s(30));
    assert_eq!(world.sent(0, Sent::Resume).len(), 0);
    assert_eq!(world.sent(0, Sent::Identify).len(), 1);
    assert_eq!(world.state(0), State::Active);
}

#[test]
fn the_token_is_in_no_debug_text() {
    let world = active(18, Script::default());
    let session = &world.seats[0].session;
    let text = format!("{session:?} {:?} {:?} {:?}", settings(), world.guards, session.counters());
    assert!(!text.contains(SECRET), "{text}");
    assert!(text.contains("redacted"));
}

#[test]
fn a_session_is_small() {
    let size = std::mem::size_of::<shardring::shard::session::Session>();
    assert!(size <= 1024, "{size} bytes");
}

#[test]
fn numbers_that_a_peer_makes_up_overflow_nothing() {
    let mut world = active(3, Script::default());
    for session in 1..=2 {
        world.run(s(100));
        world.act(0, Act::Dispatch(Some(u64::MAX)));
        assert_eq!(world.seats[0].session.counters().gaps, session);
        world.act(0, Act::Op9(false));
        world.run(s(200));
        assert_eq!(world.state(0), State::Active, "a new session after {session}");
    }
    assert_eq!(world.seats[0].session.counters().gap_events, u64::MAX);
}

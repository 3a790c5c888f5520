//! The admission and what it knows of the hosts, asked directly.

use std::collections::BTreeMap;
use std::time::Duration;

use shardring::clock::{Rng, Time};
use shardring::shard::admission::{
    ADMIT_AGAIN_MAX, ADMIT_AGAIN_MIN, Admission, Admit, DIALLING_MAX, DialEnd, Need, PASSED_AFTER,
    RESUMING_MAX, Route, STUCK_AGAIN_MAX, Slip,
};
use shardring::shard::hosts::{
    BUSY_PROBE_FIRST, HOSTS_MAX, HostFailure, HostName, HostNews, MAIN_FAILURES_MAX,
    MAIN_PROBES_MAX, RESUME_PROBE_FIRST, RESUME_PROBE_MAX,
};
use shardring::shard::id::ShardId;
use shardring::shard::notice::Target;

use crate::world::{ms, s};

const DOWN: DialEnd = DialEnd::Failed(HostFailure::Down);

fn at(after: Duration) -> Time {
    Time::ZERO + after
}

fn shard(id: u32) -> ShardId {
    ShardId::new(id, 20_000)
}

fn host(name: &str) -> HostName {
    HostName::parse(&format!("wss://{name}.test")).expect("a URL")
}

fn route(resume: Option<&str>) -> Route {
    Route { main: host("main"), resume: resume.map(host) }
}

fn resume(lost_secs: u64) -> Need {
    Need::Resume { lost_at: at(s(lost_secs)) }
}

/// A place, and the first answer.
fn come(admission: &Admission, id: u32, need: Need, to: &Route, now: Time) -> (Slip, Admit) {
    let slip = admission.enqueue(shard(id), need, to.clone(), now);
    let admit = admission.ask(&slip, now);
    admission.invariants_of_each();
    (slip, admit)
}

/// Dials, and ends like this.
fn dial(admission: &Admission, id: u32, to: &Route, end: DialEnd, now: Time) -> Option<Target> {
    let (slip, admit) = come(admission, id, resume(0), to, now);
    admission.settled(slip, end, now);
    admission.invariants_of_each();
    match admit {
        Admit::Now(target) => Some(target),
        Admit::Later(_) => None,
    }
}

#[test]
fn the_bound_holds_and_a_place_that_is_given_back_lets_the_next_go() {
    let admission = Admission::new(2, 1);
    let now = at(s(100));
    let to = route(None);
    let (first, admit) = come(&admission, 0, resume(50), &to, now);
    assert_eq!(admit, Admit::Now(Target::Main));
    assert_eq!(admission.ask(&first, now), Admit::Now(Target::Main), "asked twice");
    let (_second, admit) = come(&admission, 1, resume(50), &to, now);
    assert_eq!(admit, Admit::Now(Target::Main));
    let (third, admit) = come(&admission, 2, resume(10), &to, now);
    assert!(matches!(admit, Admit::Later(again) if again == now + ADMIT_AGAIN_MIN), "{admit:?}");
    admission.settled(first, DialEnd::Up, now + ms(10));
    assert_eq!(admission.ask(&third, now + ms(50)), Admit::Now(Target::Main));
    let state = admission.state();
    assert_eq!((state.waiting, state.in_flight, state.in_flight_peak), (0, 2, 2));
    admission.abandon(third);
    assert_eq!(admission.state().in_flight, 1);
    assert!(format!("{:?}", Admission::new(0, 1)).contains("in_flight_max: 1"), "0 is 1");
}

#[test]
fn resumes_go_by_age_before_identifies_which_keep_an_eighth() {
    let admission = Admission::new(1, 1);
    let now = at(s(100));
    let to = route(None);
    let (blocker, _) = come(&admission, 99, resume(0), &to, now);
    let needs = [
        (0, Need::Identify),
        (1, resume(30)),
        (2, Need::Identify),
        (3, resume(10)),
        (4, resume(20)),
    ];
    let mut slips: Vec<_> =
        needs.map(|(id, need)| (id, come(&admission, id, need, &to, now).0)).into();
    let mut order = Vec::new();
    let (mut now, mut last) = (now, Some(blocker));
    while !slips.is_empty() {
        admission.settled(last.take().expect("one is on its way"), DialEnd::Up, now);
        now += ms(50);
        let mut asked = std::mem::take(&mut slips);
        // Whoever asks first.
        asked.rotate_left(order.len() % 2);
        for (id, slip) in asked {
            match admission.ask(&slip, now) {
                Admit::Now(_) => {
                    order.push(id);
                    last = Some(slip);
                }
                Admit::Later(_) => slips.push((id, slip)),
            }
        }
    }
    assert_eq!(order, [3, 4, 1, 0, 2]);

    // With sixteen at a time, two of them may be identifies though resumes wait.
    let admission = Admission::new(16, 1);
    let all: Vec<_> = (0..30).map(|id| come(&admission, id, resume(1), &to, now)).collect();
    let admitted = all.iter().filter(|(_, admit)| matches!(admit, Admit::Now(_))).count();
    assert_eq!(admitted, 16);
    let identifies: Vec<_> =
        (30..34).map(|id| come(&admission, id, Need::Identify, &to, now)).collect();
    let mut all = all.into_iter();
    for _ in 0..4 {
        admission.settled(all.next().unwrap().0, DialEnd::Up, now);
    }
    now += ms(50);
    let mut late = identifies.iter().map(|(slip, _)| admission.ask(slip, now));
    let late: Vec<_> = late.by_ref().map(|admit| matches!(admit, Admit::Now(_))).collect();
    assert_eq!(late, [true, true, false, false]);
}

#[test]
fn who_does_not_come_when_it_was_told_to_is_passed() {
    let admission = Admission::new(1, 1);
    let now = at(s(100));
    let to = route(None);
    let (first, _) = come(&admission, 0, resume(1), &to, now);
    let (blocked, _) = come(&admission, 1, resume(2), &to, now);
    let (young, _) = come(&admission, 2, resume(3), &to, now);
    admission.settled(first, DialEnd::Up, now);
    assert!(matches!(admission.ask(&young, now + ms(50)), Admit::Later(_)), "1 is about to come");
    let late = now + ADMIT_AGAIN_MIN + PASSED_AFTER + ms(1);
    assert_eq!(admission.ask(&young, late), Admit::Now(Target::Main));
    assert!(matches!(admission.ask(&blocked, late), Admit::Later(_)));
}

#[test]
fn a_replay_that_takes_long_makes_room() {
    let admission = Admission::new(1, 1);
    let now = at(s(100));
    let to = route(None);
    let (long, _) = come(&admission, 0, resume(1), &to, now);
    let (next, _) = come(&admission, 1, resume(1), &to, now);
    let late = now + s(30);
    assert!(matches!(admission.ask(&next, late), Admit::Later(_)), "it was not greeted yet");
    admission.greeted(&long, late);
    assert!(matches!(admission.ask(&next, late + (RESUMING_MAX - ms(1))), Admit::Later(_)));
    assert_eq!(admission.ask(&next, late + RESUMING_MAX), Admit::Now(Target::Main));
    admission.settled(long, DialEnd::Up, late + s(100));
    assert_eq!(admission.state().in_flight, 1, "the room is not given back twice");
}

#[test]
fn a_core_that_hangs_keeps_neither_the_room_nor_the_probes_of_the_others() {
    let now = at(s(100));
    let (to, blocked) = (route(None), route(Some("r")));
    let admission = Admission::new(2, 1);
    // Two that were let go and never heard of again.
    let hung = [0, 1].map(|id| come(&admission, id, resume(0), &to, now).0);
    let (third, admit) = come(&admission, 2, resume(0), &to, now);
    assert!(matches!(admit, Admit::Later(_)));
    assert!(matches!(admission.ask(&third, now + (DIALLING_MAX - ms(1))), Admit::Later(_)));
    assert_eq!(admission.ask(&third, now + DIALLING_MAX), Admit::Now(Target::Main));
    // When it wakes up it has nothing to give back.
    for slip in hung {
        admission.greeted(&slip, now + DIALLING_MAX);
        admission.settled(slip, DialEnd::Up, now + DIALLING_MAX);
    }
    assert_eq!(admission.state().in_flight, 1);
    admission.settled(third, DialEnd::Ended, now + DIALLING_MAX);

    // The same with probes: both hosts are shut, and who was to find out hangs.
    let mut now = now + DIALLING_MAX;
    assert_eq!(dial(&admission, 3, &blocked, DOWN, now), Some(Target::Resume));
    for _ in 0..MAIN_FAILURES_MAX {
        assert_eq!(dial(&admission, 3, &blocked, DOWN, now), Some(Target::Main));
    }
    now += s(30);
    let mut hung = vec![];
    for id in 0..=MAIN_PROBES_MAX {
        let admission = &admission;
        let (slip, admit) = come(admission, id, resume(0), &blocked, now);
        let is_probe = matches!(admit, Admit::Now(_));
        assert_eq!(is_probe, id < 2, "two are on their way at a time");
        hung.push(slip);
    }
    now += DIALLING_MAX;
    let (_slip, admit) = come(&admission, 9, resume(0), &blocked, now);
    assert_eq!(admit, Admit::Now(Target::Resume), "somebody else finds out");
    drop(hung);
}

#[test]
fn thousands_that_wait_ask_some_thousand_times_a_second_and_none_more_than_twenty_times() {
    for (waiting, asks_max) in [(1000u32, 5000), (10_000, 6500)] {
        let admission = Admission::new(64, 1);
        let to = route(None);
        let start = at(s(100));
        let mut due: BTreeMap<(Time, u32), Slip> = BTreeMap::new();
        for id in 0..waiting + 64 {
            let slip = admission.enqueue(shard(id), resume(u64::from(id % 7)), to.clone(), start);
            if let Admit::Later(again) = admission.ask(&slip, start) {
                due.insert((again, id), slip);
            }
        }
        // Nobody who is on the way arrives: the worst case of waiting.
        let (mut asks, mut of_one) = (0, BTreeMap::new());
        while let Some(((now, id), slip)) = due.pop_first() {
            if now > start + s(10) {
                break;
            }
            asks += 1;
            *of_one.entry(id).or_insert(0) += 1;
            match admission.ask(&slip, now) {
                Admit::Later(again) => due.insert((again, id), slip),
                Admit::Now(_) => panic!("over the bound"),
            };
        }
        assert!(asks / 10 < asks_max, "{waiting}: {} a second", asks / 10);
        assert!(of_one.values().all(|asks| *asks <= 200), "{waiting}");
        let slowest = of_one.values().min().copied().unwrap();
        assert!(slowest >= 1 && of_one.len() == waiting as usize, "all are heard of");
    }
}

#[test]
fn a_resume_host_is_shut_by_one_failure_and_opened_by_a_probe() {
    let admission = Admission::new(64, 1);
    let to = route(Some("a"));
    let mut now = at(s(100));
    assert_eq!(dial(&admission, 0, &to, DOWN, now), Some(Target::Resume));
    let news = admission.poll_news().expect("it is told");
    assert!(matches!(&news, HostNews::Shut { host, .. } if host.host() == "a.test"), "{news}");
    assert!(news.to_string().starts_with("a.test:443 fails"), "{news}");
    // All others go to the main host; another resume host is another.
    for id in 1..100 {
        assert_eq!(dial(&admission, id, &to, DialEnd::Up, now), Some(Target::Main));
    }
    assert_eq!(dial(&admission, 7, &route(Some("b")), DialEnd::Up, now), Some(Target::Resume));
    let mut interval = RESUME_PROBE_FIRST;
    for round in 0..12 {
        let shut_at = now;
        let probe = next_probe(&admission, &to, &mut now);
        let waited = now.since(shut_at);
        assert!(waited > interval / 2 && waited <= interval + s(1), "{round}: {waited:?}");
        assert_eq!(dial(&admission, 1, &to, DialEnd::Up, now), Some(Target::Main), "one probe");
        admission.settled(probe, DOWN, now);
        interval = (interval * 2).min(RESUME_PROBE_MAX);
    }
    // It is back, but the first probe leaves without a word.
    let probe = next_probe(&admission, &to, &mut now);
    admission.abandon(probe);
    let probe = next_probe(&admission, &to, &mut now);
    assert_eq!(dial(&admission, 1, &to, DialEnd::Up, now), Some(Target::Main));
    assert_eq!(admission.state().hosts_shut, 1);
    admission.greeted(&probe, now);
    let last = std::iter::from_fn(|| admission.poll_news()).last();
    assert!(matches!(last, Some(HostNews::Open { .. })), "{last:?}");
    assert_eq!(admission.state().hosts_shut, 0);
    // That this one fails now is no word on the host.
    admission.settled(probe, DialEnd::Ended, now);
    for id in 1..20 {
        assert_eq!(dial(&admission, id, &to, DialEnd::Up, now), Some(Target::Resume));
    }
}

/// Waits until a shard is sent to the resume host.
fn next_probe(admission: &Admission, to: &Route, now: &mut Time) -> Slip {
    let begin = *now;
    loop {
        assert!(now.since(begin) <= RESUME_PROBE_MAX + s(1), "it is never probed");
        let (slip, admit) = come(admission, 200, resume(0), to, *now);
        if admit == Admit::Now(Target::Resume) {
            return slip;
        }
        admission.settled(slip, DialEnd::Up, *now);
        *now += ms(100);
    }
}

#[test]
fn the_main_host_is_shut_by_failures_in_a_row_and_probed_by_two_at_a_time() {
    let admission = Admission::new(64, 1);
    let to = route(None);
    let now = at(s(100));
    for _ in 0..10 {
        for id in 1..MAIN_FAILURES_MAX {
            assert_eq!(dial(&admission, id, &to, DOWN, now), Some(Target::Main));
        }
        assert_eq!(dial(&admission, 0, &to, DialEnd::Up, now), Some(Target::Main), "not in a row");
    }
    // Those on their way when it is shut do not make it worse.
    let all: Vec<_> = (0..64).map(|id| come(&admission, id, resume(0), &to, now)).collect();
    for (slip, admit) in all {
        assert_eq!(admit, Admit::Now(Target::Main));
        admission.settled(slip, DOWN, now);
    }
    assert_eq!(std::iter::from_fn(|| admission.poll_news()).count(), 1);
    let (stuck, admit) = come(&admission, 1, resume(0), &to, now);
    let Admit::Later(again) = admit else { panic!("{admit:?}") };
    assert!(again > now + ms(500) && again < now + s(2), "{again:?}");
    let now = now + s(2);
    let mut probes: Vec<_> = (2..30).map(|id| come(&admission, id, resume(0), &to, now)).collect();
    probes.push((stuck, Admit::Later(now)));
    let admitted = probes.iter().filter(|(_, admit)| *admit == Admit::Now(Target::Main)).count();
    assert_eq!(admitted, MAIN_PROBES_MAX as usize);
    // The other probe of a round that has failed changes nothing; nor does one that says nothing.
    let mut left = probes.into_iter().map(|(slip, _)| slip);
    admission.settled(left.next().unwrap(), DOWN, now);
    admission.settled(left.next().unwrap(), DOWN, now);
    assert_eq!(std::iter::from_fn(|| admission.poll_news()).count(), 1);
    let rest: Vec<_> = left.collect();
    let now = now + s(2);
    let granted = rest.iter().position(|slip| matches!(admission.ask(slip, now), Admit::Now(_)));
    let probe = granted.expect("one of them probes");
    admission.greeted(&rest[probe], now);
    let mut open = rest.iter().filter(|slip| matches!(admission.ask(slip, now), Admit::Now(_)));
    assert_eq!(open.by_ref().count(), rest.len(), "all follow");
}

#[test]
fn what_is_stuck_asks_rarely_and_429_shuts_at_once_and_for_longer() {
    let admission = Admission::new(64, 1);
    let to = route(None);
    let now = at(s(100));
    let busy = DialEnd::Failed(HostFailure::Busy);
    assert_eq!(dial(&admission, 0, &to, busy, now), Some(Target::Main));
    for id in 0..1000 {
        let (_, admit) = come(&admission, id, resume(0), &to, now);
        assert_eq!(admit, Admit::Later(now + STUCK_AGAIN_MAX), "{id}");
    }
    let early = now + BUSY_PROBE_FIRST / 2;
    let (_, admit) = come(&admission, 1, resume(0), &to, early);
    assert!(matches!(admit, Admit::Later(_)));
    let (_, admit) = come(&admission, 1, resume(0), &to, now + BUSY_PROBE_FIRST);
    assert_eq!(admit, Admit::Now(Target::Main));
    let host = &admission.hosts_shut()[0];
    assert_eq!((host.0.to_string(), host.1), ("main.test:443".to_owned(), now));
    assert!(STUCK_AGAIN_MAX > ADMIT_AGAIN_MAX);
}

#[test]
fn a_peer_that_makes_up_hosts_fills_no_memory_and_never_hides_the_main_host() {
    let admission = Admission::new(64, 1);
    let mut now = at(s(100));
    for _ in 0..MAIN_FAILURES_MAX {
        dial(&admission, 0, &route(None), DOWN, now);
    }
    let mut rng = Rng::new(7);
    for id in 0..5 * HOSTS_MAX as u32 {
        let name = format!("host-{}", rng.next_u64());
        assert_eq!(dial(&admission, id, &route(Some(&name)), DOWN, now), Some(Target::Resume));
        now += ms(1);
    }
    let shut = admission.hosts_shut();
    assert_eq!(shut.len(), HOSTS_MAX);
    assert!(shut.iter().any(|(name, _)| *name == host("main")));
}

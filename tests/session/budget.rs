//! The identify budget: what it refuses, what it slows, what it remembers, and when it cries.

use std::sync::{Arc, Mutex};

use shardring::clock::Time;
use shardring::shard::budget::{
    ASSUMED_TOTAL, Budget, BudgetAlarm, BudgetError, BudgetSettings, Counted, LEAVE_AGAIN, Leave,
    LedgerState, MemoryLedger, SAME_WINDOW, SessionStartLimit, Start, StartLedger, StartWindow,
    WINDOW, default_reserve,
};
use shardring::shard::identify::TURN;
use shardring::shard::notice::{Sent, State};
use shardring::shard::session::Guards;

use crate::world::{Act, Answer, Script, World, ms, s, settings};

const HOUR: u64 = 3600;

fn at(secs: u64) -> Time {
    Time::ZERO + s(secs)
}

fn limit(total: u32, remaining: u32, reset_after: u64) -> SessionStartLimit {
    SessionStartLimit { total, remaining, reset_after: s(reset_after), max_concurrency: 16 }
}

fn with(change: impl FnOnce(&mut BudgetSettings)) -> BudgetSettings {
    let mut settings = BudgetSettings::default();
    change(&mut settings);
    settings
}

fn budget(settings: BudgetSettings, limit: Option<SessionStartLimit>) -> (Budget, MemoryLedger) {
    let ledger = MemoryLedger::new();
    (Budget::new(settings, Arc::new(ledger.clone()), limit, at(1)), ledger)
}

fn alarms(budget: &Budget) -> Vec<BudgetAlarm> {
    std::iter::from_fn(|| budget.poll_alarm()).collect()
}

/// Counts until it is told to wait; gives how many.
fn spend(budget: &Budget, start: Start, now: Time) -> u32 {
    let mut count = 0;
    while budget.leave(start, now) == Leave::Now {
        assert_eq!(budget.count(start, now), Leave::Now);
        budget.invariants();
        count += 1;
        assert!(count < 1_000_000);
    }
    count
}

#[test]
fn a_limit_knows_what_is_used_and_that_the_reset_gives_all_of_it_back() {
    let limit = limit(1000, 400, 60);
    assert_eq!((limit.used(), limit.reset_at(at(10))), (600, at(70)));
    assert_eq!(limit.remaining_at(at(10), at(69)), 400);
    assert_eq!(limit.remaining_at(at(10), at(70)), 1000);
    assert_eq!(SessionStartLimit { remaining: 2000, ..limit }.used(), 0, "odd figures are borne");
}

#[test]
fn the_reserve_is_a_twentieth_within_bounds() {
    let reserves = [(0, 0), (4, 1), (100, 25), (400, 25), (1000, 50), (50_000, 2500)];
    for (total, reserve) in reserves {
        assert_eq!(default_reserve(total), reserve, "of {total}");
    }
    assert!(default_reserve(u32::MAX) < u32::MAX / 4);
}

#[test]
fn a_start_that_the_rest_above_the_reserve_cannot_cover_is_refused_in_plain_words() {
    let (budget, _) = budget(BudgetSettings::default(), Some(limit(1000, 114, 2 * HOUR)));
    let refused = budget.check_start(65, 16, at(1)).unwrap_err();
    let BudgetError::TooFew { shards, remaining, reserve, total, is_assumed, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((shards, remaining, reserve, total, is_assumed), (65, 114, 50, 1000, false));
    let text = refused.to_string();
    for part in
        ["65 shards", "114 of the day", "50 are kept in reserve", "2 h 0 min", "resets the token"]
    {
        assert!(text.contains(part), "{text}");
    }
    let forecast = budget.check_start(64, 16, at(1)).expect("64 fit");
    assert_eq!(forecast.takes, TURN * 3, "four turns");
    assert_eq!(
        forecast.to_string(),
        "64 shards identify 16 at a time, which takes 16 s; then 50 of 1,000 session starts are \
         left for the next 2 h 0 min"
    );
    budget.check_start(1, 16, at(1)).expect_err("those of the first start are set aside");
    assert_eq!(spend(&budget, Start::Again, at(2)), 0, "nor do lost sessions take them");
    assert_eq!(spend(&budget, Start::First, at(2)), 64);
    assert_eq!(budget.remaining(at(2)), 50);

    let (budget, _) = self::budget(BudgetSettings::default(), Some(limit(1000, 114, 2 * HOUR)));
    budget.check_start(64, 16, at(1)).expect("64 fit");
    assert_eq!(budget.leave(Start::Again, at(2)), Leave::Later(at(2) + LEAVE_AGAIN));
    budget.end_start();
    assert_eq!(budget.leave(Start::Again, at(2)), Leave::Now, "they were not needed");
}

#[test]
fn an_override_may_use_the_reserve_and_never_more_than_the_total() {
    let overridden = with(|settings| settings.override_refusal = true);
    let (budget, _) = budget(overridden, Some(limit(1000, 30, HOUR)));
    let forecast = budget.check_start(64, 1, at(1)).expect("overridden");
    assert_eq!(forecast.remaining_after, 0);
    assert_eq!(spend(&budget, Start::Again, at(1)), 0, "it is for the start only");
    assert_eq!(spend(&budget, Start::First, at(1)), 30);
    assert_eq!(spend(&budget, Start::First, at(HOUR)), 0, "a second before the reset");
    assert_eq!(spend(&budget, Start::First, at(HOUR + 1)), 1000, "after it");
}

#[test]
fn without_discord_word_a_thousand_a_day_are_assumed_and_a_given_total_counts_instead() {
    let (assumed, _) = budget(BudgetSettings::default(), None);
    let refused = assumed.check_start(2000, 1, at(1)).unwrap_err();
    assert!(matches!(refused, BudgetError::TooFew { total: ASSUMED_TOTAL, is_assumed: true, .. }));
    assert!(refused.to_string().contains("that Discord documents"), "{refused}");
    assert_eq!(spend(&assumed, Start::First, at(1)), 950);

    let (given, _) = budget(with(|settings| settings.total = Some(u32::MAX)), None);
    let forecast = given.check_start(10_000, 10_000, at(1)).expect("a local gateway");
    assert_eq!(forecast.takes, s(0));
    for _ in 0..100_000 {
        assert_eq!(given.count(Start::First, at(1)), Leave::Now);
        assert_eq!(given.count(Start::Again, at(1)), Leave::Now);
    }
    assert_eq!(alarms(&given), []);
}

#[test]
fn the_count_survives_a_restart_and_another_process_sees_it_at_once() {
    let ledger = Arc::new(MemoryLedger::new());
    let new = |now| Budget::new(BudgetSettings::default(), ledger.clone(), None, now);
    let first = new(at(1));
    first.check_start(600, 16, at(1)).expect("enough");
    assert_eq!(first.count(Start::First, at(1)), Leave::Now);
    for _ in 1..600 {
        assert_eq!(first.count(Start::First, at(2)), Leave::Now);
    }
    drop(first);
    let second = new(at(100));
    assert_eq!(second.remaining(at(100)), 400);
    second.check_start(600, 16, at(100)).expect_err("a restart too many");
    let beside = new(at(100));
    assert_eq!(spend(&beside, Start::First, at(101)), 350);
    assert_eq!(second.leave(Start::First, at(101)), Leave::Later(at(101) + LEAVE_AGAIN));
    assert_eq!(second.count(Start::First, at(101)), Leave::Later(at(101) + LEAVE_AGAIN));
    let day = WINDOW.as_secs();
    assert_eq!(second.remaining(at(day)), 50, "a second before the window ends");
    assert_eq!(second.remaining(at(day + 1)), 1000);
    second.check_start(600, 16, at(day + 1)).expect("a new day");
}

#[test]
fn half_of_what_lost_sessions_have_goes_at_once_and_the_rest_over_the_day() {
    let (budget, _) = budget(BudgetSettings::default(), Some(limit(1000, 1000, 24 * HOUR)));
    budget.check_start(150, 16, at(1)).expect("enough");
    assert_eq!(spend(&budget, Start::Again, at(1)), 400, "half of 1000 - 50 - 150");
    assert_eq!(spend(&budget, Start::First, at(1)), 550, "a first start is never slowed");
    // That was more than the check had granted: nothing is left.
    assert_eq!(spend(&budget, Start::Again, at(HOUR)), 0);

    let (budget, _) = self::budget(BudgetSettings::default(), Some(limit(1000, 1000, 24 * HOUR)));
    assert_eq!(spend(&budget, Start::Again, at(1)), 475);
    let mut times = Vec::new();
    let mut now = at(1);
    while now < at(24 * HOUR) {
        match budget.count(Start::Again, now) {
            Leave::Now => times.push(now),
            Leave::Later(again) => {
                assert!(again > now && again <= now + LEAVE_AGAIN, "polled, but not hotly");
                now = again;
            }
        }
    }
    assert!((460..=475).contains(&times.len()), "{}", times.len());
    let widest = times.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap();
    let closest = times.windows(2).map(|pair| pair[1].since(pair[0])).min().unwrap();
    assert!(closest > s(85) && widest < s(300), "{closest:?} to {widest:?}");
}

#[test]
fn alarms_come_at_half_a_quarter_a_tenth_and_the_reserve_each_once_a_window() {
    let (budget, _) = budget(BudgetSettings::default(), Some(limit(1000, 900, HOUR)));
    assert_eq!(alarms(&budget), []);
    let mut seen = Vec::new();
    for _ in 0..900 {
        budget.count(Start::First, at(2));
        seen.extend(alarms(&budget).into_iter().map(|alarm| (budget.remaining(at(2)), alarm)));
    }
    let remaining: Vec<_> = seen.iter().map(|(remaining, _)| *remaining).collect();
    assert_eq!(remaining, [500, 250, 100, 50]);
    let percents: Vec<_> = seen[..3].iter().map(|(_, alarm)| alarm.to_string()).collect();
    assert_eq!(
        percents[0],
        "at most 50 % of the session starts are left: 500 of 1,000 for the next 60 min"
    );
    assert!(percents[1].contains("most 25 %") && percents[2].contains("most 10 %"));
    assert!(matches!(seen[3].1, BudgetAlarm::ReserveReached { remaining: 50, .. }));
    for _ in 0..100 {
        budget.count(Start::First, at(3));
    }
    assert_eq!(alarms(&budget), [], "each once");
    assert_eq!(spend(&budget, Start::First, at(HOUR + 2)), 950, "the next window");
    assert_eq!(alarms(&budget).len(), 4, "has its own");

    // A start in the last tenth is told of that, and not of what lies behind.
    let (late, _) = self::budget(BudgetSettings::default(), Some(limit(1000, 90, HOUR)));
    assert!(matches!(alarms(&late)[..], [BudgetAlarm::Left { percent: 10, .. }]));
}

#[test]
fn discord_figures_join_the_ledger_and_the_lower_rest_of_one_window_holds() {
    let ms_of = |secs: u64| secs * 1000;
    let mut window = StartWindow::default();
    assert!(window.count(10, ms_of(100)));
    assert_eq!(window.ends_ms, ms_of(100) + WINDOW.as_millis() as u64);
    // Another window than was guessed: Discord's figure.
    window.align(700, ms_of(5000), ms_of(200));
    assert_eq!((window.counted, window.ends_ms), (700, ms_of(5000)));
    // The same: what was counted since is not forgotten, what others spent is added.
    for _ in 0..50 {
        assert!(window.count(1000, ms_of(300)));
    }
    window.align(720, ms_of(5003), ms_of(301));
    assert_eq!(window.counted, 750);
    window.align(760, ms_of(5003), ms_of(302));
    assert_eq!(window.counted, 760);
    assert!(!window.count(760, ms_of(303)), "full");
    // Its end.
    assert!(window.count(1, ms_of(5003)));
    assert_eq!(window.counted, 1);
    // Discord's window is over by its own word, and yet not empty: a whole one is assumed.
    window.align(5, ms_of(5100), ms_of(5100));
    assert_eq!(window.ends_ms, ms_of(5100) + WINDOW.as_millis() as u64);
    window.align(0, 0, ms_of(5200));
    assert_eq!(window.ends_ms, 0, "none has begun");
    // A clock that was set back a year does not make a window of a year.
    let year_ms = 365 * 24 * HOUR * 1000;
    let mut window = StartWindow { counted: 3, ends_ms: year_ms };
    window.roll(1000);
    assert_eq!((window.counted, window.ends_ms), (3, 1000 + WINDOW.as_millis() as u64));
    assert!(SAME_WINDOW < WINDOW / 24);
}

/// A ledger that is held by others now and then, and that has lost its file.
#[derive(Debug, Default)]
struct Awkward {
    inner: MemoryLedger,
    calls: Mutex<u32>,
}

impl StartLedger for Awkward {
    fn state(&self, now: Time) -> LedgerState {
        LedgerState { is_degraded: true, ..self.inner.state(now) }
    }

    fn count(&self, limit: u32, now: Time) -> Counted {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        match *calls % 3 {
            1 => Counted::Busy(now),
            2 => Counted::Busy(now + ms(100)),
            _ => self.inner.count(limit, now),
        }
    }

    fn align(&self, used: u32, reset_at: Time, now: Time) -> LedgerState {
        self.inner.align(used, reset_at, now)
    }
}

#[test]
fn a_ledger_that_is_busy_delays_identifies_and_one_that_is_degraded_is_told_of_once() {
    let ledger = Arc::new(Awkward::default());
    let budget = Budget::new(BudgetSettings::default(), ledger.clone(), None, at(1));
    let guards = Guards { budget: Arc::new(budget), ..Guards::local(2, 0) };
    let ids = (0..8).map(|id| shardring::ShardId::new(id, 8));
    let mut world = World::with_guards(ids, guards, 1, Script::default(), settings());
    world.start();
    world.run(TURN * 4 + s(2));
    for at in 0..8 {
        assert_eq!(world.state(at), State::Active);
        assert_eq!(world.sent(at, Sent::Identify).len(), 1);
    }
    assert_eq!(ledger.inner.state(world.now).counted, 8, "one each");
    assert_eq!(alarms(&world.guards.budget), [BudgetAlarm::LedgerDegraded]);
}

#[test]
fn shards_without_budget_wait_without_dialling_until_the_reset_and_then_come_up() {
    let budget = Budget::new(
        BudgetSettings::default(),
        Arc::new(MemoryLedger::new()),
        Some(limit(1000, 56, HOUR)),
        at(1),
    );
    let guards = Guards { budget: Arc::new(budget), ..Guards::local(16, 0) };
    let ids = (0..10).map(|id| shardring::ShardId::new(id, 10));
    let mut world = World::with_guards(ids, guards, 1, Script::default(), settings());
    world.start();
    world.run(s(HOUR) - s(2));
    let active = (0..10).filter(|at| world.state(*at) == State::Active).count();
    assert_eq!(active, 6, "down to the reserve");
    let identifies: usize = (0..10).map(|at| world.sent(at, Sent::Identify).len()).sum();
    assert_eq!(identifies, 6);
    let dials: usize = (0..10).map(|at| world.dials(at).len()).sum();
    assert!(dials <= 10, "{dials}: nobody dials for nothing");
    assert!(world.wakes < 10 * HOUR / 2, "{} wakes", world.wakes);
    world.run(s(15));
    for at in 0..10 {
        assert_eq!(world.state(at), State::Active, "shard {at}");
    }
}

#[test]
fn an_identify_is_counted_before_it_can_be_pulled_and_again_for_each_that_fails() {
    let script = Script { identify: Answer::Do(Act::Op9(false)), ..Script::default() };
    let ledger = Arc::new(MemoryLedger::new());
    let budget = Budget::new(BudgetSettings::default(), ledger.clone(), None, at(1));
    let guards = Guards { budget: Arc::new(budget), ..Guards::local(1, 0) };
    let ids = (0..3).map(|id| shardring::ShardId::new(id, 3));
    let mut world = World::with_guards(ids, guards, 3, script, settings());
    world.start();
    for _ in 0..3600 {
        world.run(s(1));
        let sent: usize = (0..3).map(|at| world.sent(at, Sent::Identify).len()).sum();
        assert_eq!(ledger.state(world.now).counted as usize, sent);
    }
    assert!(ledger.state(world.now).counted > 18);
}

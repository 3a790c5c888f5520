//! The identify budget as a user meets it: over restarts by a book, and by what discovery says;
//! refusals with their numbers, alarms, the reserve. The gateway keeps a count of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use replay_gateway::{Action, GatewayHandle, Stats, Target};
use shardring::sans_io::clock::Time;
use shardring::sans_io::shard::budget::Counted;
use shardring::sans_io::shard::identify::TURN;
use shardring::{
    Book, BudgetAlarm, BudgetSettings, Config, ConfigBuilder, Engine, Error, ErrorKind, Shards,
    StartLedger as _, Stop, Token, Warning,
};

use crate::harness::{Recorder, Run, TOKEN, config, gateway};

/// A day, which a window lasts.
const DAY: Duration = Duration::from_secs(86_400);

/// Where a book lies, until the test is over.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let file = format!("engine-{name}-{}.book", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    /// The book, as another process of the bot has it.
    fn open(&self) -> Book {
        Book::open(&self.0, &Token::new(TOKEN).unwrap()).unwrap()
    }

    /// How many session starts it has counted.
    fn counted(&self) -> u32 {
        self.open().state(Time::ZERO).counted
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn budget(total: u32, reserve: u32) -> BudgetSettings {
    let mut budget = BudgetSettings::default();
    (budget.total, budget.reserve) = (Some(total), Some(reserve));
    budget
}

fn overridden(mut budget: BudgetSettings) -> BudgetSettings {
    budget.override_refusal = true;
    budget
}

/// An engine whose events nobody looks at.
fn start(config: ConfigBuilder) -> Result<Engine, Error> {
    let config: Config = config.build().unwrap();
    Engine::start(config, |_| Ok(Recorder(Arc::default())))
}

/// The start is refused for the budget, the text says all of this, and nobody dialled.
#[track_caller]
fn assert_refused(gateway: &GatewayHandle, config: ConfigBuilder, texts: &[&str]) {
    let before = gateway.stats();
    let error = start(config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget, "{error}");
    let text = error.to_string();
    assert!(texts.iter().all(|part| text.contains(part)), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
    let after = gateway.stats();
    // Of HTTP there may have been questions; of the gateway proper nothing was asked.
    let asked = |stats: &Stats| stats.connections - stats.http_requests;
    assert_eq!((asked(&before), before.upgrades), (asked(&after), after.upgrades));
    assert_eq!(before.identifies, after.identifies);
}

/// Waits for a warning.
#[track_caller]
fn until_warned(engine: &Engine, what: &str, is_it: impl Fn(&BudgetAlarm) -> bool) -> BudgetAlarm {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let warnings = engine.handle().warnings();
        let found = warnings.iter().find_map(|warning| match warning {
            Warning::Budget(alarm) if is_it(alarm) => Some(*alarm),
            _ => None,
        });
        if let Some(alarm) = found {
            return alarm;
        }
        assert!(Instant::now() < end, "no warning: {what}; there are {warnings:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_was_spent_before_a_restart_is_missing_after_it_down_to_the_last_start_of_the_total() {
    let place = Place::new("restarts");
    // The gateway has no more either: an IDENTIFY more, and it revokes the token.
    let gateway = gateway(16).session_starts_total(10).spawn().unwrap();
    // Ids of their own each time, so that nobody waits for the turn of a key.
    let part = |ids| config(16, &gateway.url()).shards(Shards::range(ids, 16)).book(&place.0);
    let run = |config, shards: u32, remaining_after: u32| {
        let engine = start(config).unwrap();
        let forecast = engine.forecast();
        assert_eq!((forecast.shards, forecast.remaining_after), (shards, remaining_after));
        assert_eq!((forecast.total, forecast.takes), (10, Duration::ZERO));
        engine.handle().ready().wait().unwrap();
        let resets_after = forecast.resets_after;
        engine.stop(Stop::EndSessions).unwrap();
        resets_after
    };
    assert_eq!(run(part(0..4).budget(budget(10, 3)), 4, 6), None, "no window had begun");
    assert_eq!((place.counted(), gateway.stats().identifies), (4, 4));

    let numbers = [
        "4 shards need a session start each",
        "6 of the day's 10 are left and 3 are kept in reserve",
        "`BudgetSettings::override_refusal`",
        "for the reset",
    ];
    assert_refused(&gateway, part(4..8).budget(budget(10, 3)), &numbers);
    assert_eq!(place.counted(), 4, "a refused start costs nothing");

    let resets_after = run(part(4..7).budget(budget(10, 3)), 3, 3);
    assert!(resets_after.is_some_and(|after| after <= DAY), "{resets_after:?}");
    run(part(7..10).budget(overridden(budget(10, 3))), 3, 0);
    assert_eq!((place.counted(), gateway.stats().identifies), (10, 10));

    // Nothing is left at all: an override goes as far as the total, and never beyond.
    let engine = start(part(10..11).budget(overridden(budget(10, 3)))).unwrap();
    until_warned(&engine, "it waits", |alarm| {
        matches!(alarm, BudgetAlarm::ReserveReached { remaining: 0, .. })
    });
    engine.stop(Stop::EndSessions).unwrap();
    assert_eq!((place.counted(), gateway.stats().identifies), (10, 10));
}

#[test]
fn without_a_book_what_discord_says_is_left_decides() {
    let with = |remaining| {
        let gateway = gateway(4).session_starts_total(1_000);
        gateway.session_starts_remaining(Some(remaining)).spawn().unwrap()
    };
    let discovering = |gateway: &GatewayHandle| {
        let base = format!("http://{}/api/v10", gateway.addr());
        config(4, &gateway.url()).rest_base(base)
    };
    // The default reserve of 1000 is 50.
    let short = with(53);
    let numbers = [
        "4 shards need a session start each",
        "53 of the day's 1,000 are left and 50 are kept in reserve",
        "for the reset",
    ];
    assert_refused(&short, discovering(&short), &numbers);
    assert_eq!(short.stats().upgrades, 0);

    let insisting = discovering(&short).budget(overridden(BudgetSettings::default()));
    for (gateway, config, left) in [(with(54), None, 50), (short, Some(insisting), 49)] {
        let engine = start(config.unwrap_or_else(|| discovering(&gateway))).unwrap();
        let forecast = engine.forecast();
        assert_eq!((forecast.total, forecast.remaining_after), (1_000, left));
        assert!(forecast.resets_after.is_some_and(|after| after <= DAY), "{forecast:?}");
        engine.handle().ready().wait().unwrap();
        assert_eq!(gateway.stats().identifies, 4);
        engine.stop(Stop::EndSessions).unwrap();
    }
}

#[test]
fn an_empty_book_is_named_as_damaged_and_holds_until_discord_says_what_is_left() {
    let place = Place::new("empty");
    std::fs::write(&place.0, []).unwrap();
    let gateway = gateway(4).session_starts_total(1_000).session_starts_remaining(Some(900));
    let gateway = gateway.spawn().unwrap();
    let config = || config(4, &gateway.url()).book(&place.0);
    let damaged = format!("the book at {} is damaged", place.0.display());
    assert_refused(&gateway, config(), &[&damaged, "0 of the day's 1,000"]);

    let base = format!("http://{}/api/v10", gateway.addr());
    let engine = start(config().rest_base(base)).unwrap();
    assert_eq!(engine.forecast().remaining_after, 896);
    engine.handle().ready().wait().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while !engine.handle().warnings().iter().any(|warning| {
        matches!(warning, Warning::Book { path, trouble: None } if *path == place.0)
            && warning.to_string().contains(&damaged)
    }) {
        assert!(Instant::now() < end, "{:?}", engine.handle().warnings());
        std::thread::sleep(Duration::from_millis(20));
    }
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn few_starts_left_are_told_at_the_start() {
    let gateway = gateway(4).spawn().unwrap();
    let engine = start(config(4, &gateway.url()).budget(budget(32, 8))).unwrap();
    engine.handle().ready().wait().unwrap();
    assert_eq!(engine.forecast().remaining_after, 28);
    assert_eq!(engine.handle().warnings(), [], "28 of 32 are plenty");
    engine.stop(Stop::EndSessions).unwrap();

    let place = Place::new("few");
    let other = place.open();
    (0..24).for_each(|_| assert!(matches!(other.count(32, Time::ZERO), Counted::Yes(_))));
    let config = config(4, &gateway.url()).book(&place.0).budget(budget(32, 4));
    let engine = start(config).unwrap();
    let alarm = until_warned(&engine, "a quarter is left", |alarm| {
        matches!(alarm, BudgetAlarm::Left { percent: 25, .. })
    });
    assert!(alarm.to_string().contains("8 of 32"), "{alarm}");
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn sessions_that_are_lost_again_and_again_slow_down_and_stop_at_the_reserve() {
    let place = Place::new("losses");
    let (shards, total, reserve) = (16, 40, 8);
    let gateway = gateway(shards).session_starts_total(total).spawn().unwrap();
    let run = Run::join_shards(shards, gateway, |config| {
        config.book(&place.0).budget(budget(total, reserve))
    });
    run.engine.handle().ready().wait().unwrap();
    assert_eq!(run.gateway.stats().identifies, 16);

    // 16 above the reserve are left for lost sessions: half of them go at once.
    run.gateway.act(Target::All, Action::InvalidSession(false));
    let alarm = until_warned(&run.engine, "they slow down", |alarm| {
        matches!(alarm, BudgetAlarm::Slowed { .. })
    });
    let BudgetAlarm::Slowed { spacing, remaining: 16 } = alarm else { panic!("{alarm:?}") };
    assert!(spacing >= DAY / (total - reserve), "the rest is spread over the day: {spacing:?}");
    until_warned(&run.engine, "half is left", |alarm| {
        matches!(alarm, BudgetAlarm::Left { percent: 50, .. })
    });
    run.until("half of them are back", |_, stats| stats.sessions_connected == 8);
    assert_eq!(run.gateway.stats().identifies, 24);

    // Another process of the bot takes what is left above the reserve.
    let other = place.open();
    (0..8).for_each(|_| assert!(matches!(other.count(32, Time::ZERO), Counted::Yes(_))));
    assert!(matches!(other.count(total - reserve, Time::ZERO), Counted::Full(_)));
    until_warned(&run.engine, "only the reserve is left", |alarm| {
        matches!(alarm, BudgetAlarm::ReserveReached { remaining: 8, .. })
    });
    run.gateway.act(Target::All, Action::InvalidSession(false));
    run.until("all have lost their sessions", |log, _| log.lost.len() == 24);
    let metrics = run.metrics();
    assert_eq!(metrics.counters.sessions_lost, 24);
    assert!(run.engine.handle().errors().is_empty(), "the token still stands");
    let stats = run.stop().unwrap();
    assert_eq!((stats.identifies, stats.sessions_connected), (24, 0));
    assert_eq!(place.counted(), total - reserve);
}

#[test]
fn the_forecast_says_how_long_a_start_takes_and_what_it_leaves() {
    let gateway = gateway(1).spawn().unwrap();
    let config = |concurrency| config(5, &gateway.url()).max_concurrency(concurrency);
    for (concurrency, turns) in [(1, 4), (2, 2), (4, 1), (5, 0), (16, 0)] {
        // Discord documents 1000 a day, where nobody has asked it.
        let engine = start(config(concurrency)).unwrap();
        let forecast = engine.forecast();
        engine.stop(Stop::EndSessions).unwrap();
        assert_eq!(forecast.takes, TURN * turns, "{concurrency}");
        assert_eq!((forecast.shards, forecast.max_concurrency), (5, concurrency));
        assert_eq!((forecast.remaining_after, forecast.total), (995, 1_000));
        assert_eq!(forecast.resets_after, None);
    }
    let engine = start(config(2)).unwrap();
    assert_eq!(
        engine.forecast().to_string(),
        "5 shards identify 2 at a time, which takes 11 s; then 995 of 1,000 session starts are left \
         for the day"
    );
    engine.stop(Stop::EndSessions).unwrap();
}

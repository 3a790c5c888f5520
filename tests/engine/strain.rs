//! A core under strain: overloaded, blocked, out of room, or with a handler that fails at the end.
//! One shard's trouble must not become another's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use replay_gateway::{Action, Builder, Fault, Start, When};
use shardring::{
    ConfigBuilder, Context, Engine, ErrorKind, Event, Handler, Limits, Link, LinkEnd, Stop,
};

use crate::harness::{Log, Recorder, Run, config, gateway, record, traffic};

fn run_with<H: Handler>(
    shards: u32,
    gateway: Builder,
    adjust: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
    handler: impl Fn(Arc<Mutex<Log>>) -> H + Send + Sync + 'static,
) -> Run {
    let gateway = gateway.spawn().unwrap();
    let config = adjust(config(shards, &gateway.url()).cores(1)).build().unwrap();
    let log = Arc::new(Mutex::new(Log::default()));
    let handlers = Arc::clone(&log);
    let engine = Engine::start(config, move |_| Ok(handler(Arc::clone(&handlers)))).unwrap();
    Run { gateway, engine: engine.into(), log }
}

/// Spawns a future that ends at once for each event.
struct Busy {
    log: Arc<Mutex<Log>>,
    accepted: Arc<AtomicU64>,
}

impl Handler for Busy {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        record(&self.log, cx, &event);
        let futures = cx.spawn(async {});
        let jobs = cx.spawn_blocking(|| {});
        self.accepted.fetch_add(u64::from(futures) + u64::from(jobs), Ordering::Relaxed);
    }
}

#[test]
fn room_for_futures_and_jobs_comes_back_as_they_end() {
    let accepted = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&accepted);
    let run = run_with(
        4,
        gateway(4).traffic(traffic(4, 500, Some(2_000.0))),
        |config| {
            let mut limits = Limits::default();
            (limits.tasks_max, limits.blocking_len_max) = (1, 1);
            config.limits(limits)
        },
        move |log| Busy { log, accepted: Arc::clone(&counted) },
    );
    run.traffic_done(4);
    let accepted = accepted.load(Ordering::Relaxed);
    assert!(accepted > 200, "{accepted} were accepted in a second");
    run.stop().unwrap();
}

/// Takes its time for each event.
struct Slow {
    recorder: Recorder,
    each: Duration,
}

impl Handler for Slow {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        self.recorder.on_event(cx, event);
        std::thread::sleep(self.each);
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        self.recorder.on_link(cx, link);
    }
}

#[test]
fn a_core_that_never_catches_up_with_one_shard_still_judges_the_others() {
    let mut flood = traffic(1, 40_000, None);
    flood.start = Start::Each;
    let run = run_with(
        2,
        gateway(2).traffic(flood).fault(Fault::new(When::Upgrade, Action::Swallow).connection(2)),
        |config| {
            let mut limits = Limits::default();
            limits.payloads_per_turn = 1;
            limits.turn = Duration::from_micros(50);
            config.limits(limits)
        },
        |log| Slow { recorder: Recorder(log), each: Duration::from_micros(250) },
    );
    let timed_out = |log: &Log| log.links.iter().any(|(_, text)| text.contains("HelloTimeout"));
    run.until("the time-out of the HELLO", |log, _| timed_out(log) || log.records.len() >= 40_000);
    let seen = run.log().records.len();
    assert!(timed_out(&run.log()), "the flood was over before anything was judged");
    assert!(seen < 40_000, "judged only when the flood was over");
    run.stop().unwrap();
}

/// Blocks at the first READYs.
struct Stuck {
    recorder: Recorder,
    blocks: u32,
}

impl Handler for Stuck {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        let is_ready = matches!(event, Event::Ready(_));
        self.recorder.on_event(cx, event);
        if is_ready && self.blocks > 0 {
            self.blocks -= 1;
            std::thread::sleep(WRITE_TIMEOUT * 2);
        }
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        self.recorder.on_link(cx, link);
    }
}

const WRITE_TIMEOUT: Duration = Duration::from_millis(150);

#[test]
fn a_write_that_waited_for_a_blocked_handler_does_not_count_as_stuck() {
    let shards = 64;
    let run = run_with(
        shards,
        gateway(shards).heartbeat_deadline_ms(60_000),
        |config| {
            let mut limits = Limits::default();
            limits.write_timeout = WRITE_TIMEOUT;
            config.limits(limits)
        },
        |log| Stuck { recorder: Recorder(log), blocks: 16 },
    );
    run.engine.handle().ready().wait().unwrap();
    let disconnects = run.log().links.iter().filter(|(_, text)| text.contains("Stuck")).count();
    assert_eq!(disconnects, 0, "{:?} of our own making", LinkEnd::WriteStuck);
    assert_eq!(run.gateway.stats().identifies, u64::from(shards));
    run.stop().unwrap();
}

/// Panics when it is asked to stop: as it makes its future, or in it.
struct BadEnd {
    at_once: bool,
}

impl Handler for BadEnd {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}

    fn on_stop(&mut self) -> impl Future<Output = ()> {
        assert!(!self.at_once, "on purpose");
        async { panic!("on purpose") }
    }
}

#[test]
fn a_panic_as_the_handler_stops_is_its_own_fault_and_costs_no_metrics() {
    for at_once in [true, false] {
        let run = run_with(2, gateway(2), |config| config, move |_| BadEnd { at_once });
        let handle = run.engine.handle();
        handle.ready().wait().unwrap();
        run.engine.stop(Stop::EndSessions).unwrap();
        let errors = handle.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].kind(), ErrorKind::HandlerPanicked);
        assert_eq!(handle.metrics().wait().unwrap().counters.identifies, 2);
    }
}

/// Panics at its third event, and once more as it is dropped.
struct BadDrop {
    recorder: Recorder,
    seen: u32,
    is_broken: bool,
}

impl Handler for BadDrop {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        self.recorder.on_event(cx, event);
        self.seen += 1;
        if self.is_broken && self.seen == 3 {
            panic!("on purpose");
        }
    }
}

impl Drop for BadDrop {
    fn drop(&mut self) {
        assert!(!(self.is_broken && self.seen == 3), "on purpose");
    }
}

#[test]
fn a_handler_that_panics_as_it_is_replaced_does_not_take_its_core_along() {
    let made = AtomicU64::new(0);
    let run = run_with(
        2,
        gateway(2).traffic(traffic(2, 100, None)),
        |config| config,
        move |log| {
            let is_broken = made.fetch_add(1, Ordering::Relaxed) == 0;
            BadDrop { recorder: Recorder(log), seen: 0, is_broken }
        },
    );
    run.until("all events", |log, _| log.records.len() >= 200);
    run.stop().unwrap();
}

#[test]
fn what_came_before_the_end_of_a_connection_is_worked_off_before_the_end_is_told() {
    let close = Action::Close { code: 4009, reason: String::new() };
    for (end, told) in [(close, "Closed(Some(4009))"), (Action::Drop, "Link(Eof)")] {
        let run = run_with(
            1,
            gateway(1)
                .traffic(traffic(1, 1_000, None))
                .fault(Fault::new(When::Events(40), end).shard(0).connection(1)),
            |config| {
                let mut limits = Limits::default();
                limits.payloads_per_turn = 1;
                limits.turn = Duration::from_micros(50);
                config.limits(limits)
            },
            |log| Slow { recorder: Recorder(log), each: Duration::from_millis(3) },
        );
        run.until_link(0, "Disconnected");
        let log = run.log();
        let links = log.links_of(0);
        let ended = links.iter().find(|text| text.starts_with("Disconnected")).unwrap();
        assert!(ended.contains(told), "{ended}");
        assert!(log.records.len() >= 40, "{} of 40 events were seen before", log.records.len());
        drop(log);
        run.stop().unwrap();
    }
}

//! Start, traffic, commands, pause, panics, futures, stop: what a user does with an engine.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shardring::command::{Status, UpdatePresence};
use shardring::{Context, Engine, ErrorKind, Event, EventKind, Handler, Interest, Panicked, Stop};

use crate::harness::{COMPRESSIONS, Log, Recorder, Run, config, gateway, record, traffic};

#[test]
fn many_shards_receive_everything_once_in_order_and_unaltered() {
    for compression in COMPRESSIONS {
        for rate in [None, Some(20_000.0)] {
            let shards = 32;
            let run = Run::start_shards(
                shards,
                gateway(shards).traffic(traffic(shards, 300, rate)),
                |config| config.compression(compression),
            );
            run.engine.handle().ready().wait().unwrap();
            let report = run.traffic_done(shards.into());
            assert!(report.is_clean(), "{report:#?}");
            assert_eq!(report.seen, u64::from(shards) * 300);
            let metrics = run.engine.handle().metrics().wait().unwrap();
            assert_eq!(metrics.counters.identifies, u64::from(shards));
            assert_eq!(metrics.counters.missing + metrics.counters.duplicates, 0);
            let stats = run.stop().unwrap();
            assert_eq!(stats.closes_received.get(&1000), Some(&u64::from(shards)));
        }
    }
}

#[test]
fn a_shard_that_is_slower_than_its_socket_is_not_read_ahead_without_bound() {
    let run = Run::start(gateway(4).traffic(traffic(4, 10_000, None)), |config| {
        let mut limits = shardring::Limits::default();
        limits.payloads_per_turn = 1;
        limits.turn = Duration::from_micros(50);
        config.limits(limits).cores(1)
    });
    let report = run.traffic_done(4);
    assert!(report.is_clean(), "{report:#?}");
    let counters = run.engine.handle().metrics().wait().unwrap().counters;
    // Four backlogs of 64 KiB, one GUILD_CREATE each, and what the ring's buffers held.
    assert!(counters.pool_peak_len < 4 << 20, "{} bytes", counters.pool_peak_len);
    assert_eq!(run.gateway.stats().connections, 4);
    run.stop().unwrap();
}

/// Pauses its shard at the n-th event of it.
struct Pauser {
    log: Arc<Mutex<Log>>,
    at: u64,
    seen: u64,
}

impl Handler for Pauser {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        record(&self.log, cx, &event);
        self.seen += 1;
        if self.seen == self.at {
            cx.pause();
        }
    }
}

#[test]
fn a_paused_shard_keeps_its_heartbeats_and_loses_nothing() {
    let gateway =
        gateway(1).heartbeat_interval_ms(1_000).traffic(traffic(1, 20_000, None)).spawn().unwrap();
    let log = Arc::new(Mutex::new(Log::default()));
    let handlers = Arc::clone(&log);
    let config = config(1, &gateway.url()).build().unwrap();
    let engine =
        Engine::start(config, move |_| Ok(Pauser { log: Arc::clone(&handlers), at: 500, seen: 0 }))
            .unwrap();
    let run = Run { gateway, engine: engine.into(), log };
    run.until("the pause", |log, _| log.records.len() > 400);
    std::thread::sleep(Duration::from_millis(100));
    let seen = run.log().records.len();
    // Long enough for a zombie rule that counts a pause against the peer.
    std::thread::sleep(Duration::from_millis(4_500));
    assert_eq!(run.log().records.len(), seen, "nothing is delivered in a pause");
    let stats = run.gateway.stats();
    assert!(stats.heartbeats >= 4, "{} heartbeats", stats.heartbeats);
    assert_eq!(stats.connections, 1, "nobody called it a zombie");
    let metrics = run.engine.handle().metrics().wait().unwrap();
    assert!(metrics.shards()[0].paused_for.unwrap() > Duration::from_secs(4));
    run.engine.handle().unpause(0).unwrap();
    let report = run.traffic_done(1);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(run.gateway.stats().connections, 1);
    run.stop().unwrap();
}

/// Panics at chosen events, counted over all its lives.
struct Panicker {
    log: Arc<Mutex<Log>>,
    seen: Arc<AtomicU64>,
    restarts: Arc<AtomicU32>,
    panics_at: &'static [u64],
}

impl Handler for Panicker {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        record(&self.log, cx, &event);
        let seen = self.seen.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics_at.contains(&seen), "on purpose");
    }

    fn on_restart(&mut self, cause: &Panicked) {
        assert!(cause.event.is_some());
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }
}

fn panicking(panics_at: &'static [u64]) -> (Run, Arc<AtomicU32>) {
    let gateway = gateway(2)
        .heartbeat_interval_ms(1_000)
        .traffic(traffic(2, 2_000, Some(10_000.0)))
        .spawn()
        .unwrap();
    let log = Arc::new(Mutex::new(Log::default()));
    let (restarts, seen) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)));
    let config = config(2, &gateway.url()).cores(1).build().unwrap();
    let (handlers, restarted) = (Arc::clone(&log), Arc::clone(&restarts));
    let engine = Engine::start(config, move |_| {
        Ok(Panicker {
            log: Arc::clone(&handlers),
            seen: Arc::clone(&seen),
            restarts: Arc::clone(&restarted),
            panics_at,
        })
    })
    .unwrap();
    (Run { gateway, engine: engine.into(), log }, restarts)
}

#[test]
fn a_handler_that_panics_is_replaced_and_the_event_counts_as_delivered() {
    let (run, restarts) = panicking(&[300, 700]);
    let report = run.traffic_done(2);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(restarts.load(Ordering::Relaxed), 2);
    let metrics = run.engine.handle().metrics().wait().unwrap();
    assert_eq!(metrics.counters.handler_panics, 2);
    assert!(run.engine.handle().errors().is_empty());
    assert_eq!(run.gateway.stats().connections, 2);
    run.stop().unwrap();
}

#[test]
fn three_panics_in_ten_seconds_stop_the_dispatches_and_not_the_heartbeats() {
    let (run, restarts) = panicking(&[300, 301, 302]);
    let error = run.engine.handle().failure().wait().unwrap();
    assert_eq!(error.kind(), ErrorKind::HandlerPanicked);
    assert!(error.to_string().contains("core 0"), "{error}");
    assert_eq!(restarts.load(Ordering::Relaxed), 2);
    let seen = run.log().records.len();
    let beats = run.gateway.stats().heartbeats;
    std::thread::sleep(Duration::from_millis(3_500));
    assert_eq!(run.log().records.len(), seen);
    let stats = run.gateway.stats();
    assert!(stats.heartbeats >= beats + 4, "{beats} then {}", stats.heartbeats);
    assert_eq!(stats.connections, 2, "nobody reconnects");
    run.stop().unwrap();
}

/// Blocks its core once, for long.
struct Blocker {
    log: Arc<Mutex<Log>>,
    block: Option<Duration>,
}

impl Handler for Blocker {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        record(&self.log, cx, &event);
        let seen = self.log.lock().unwrap().records.len();
        if seen > 2_000
            && let Some(block) = self.block.take()
        {
            std::thread::sleep(block);
        }
    }
}

#[test]
fn a_handler_that_blocks_for_six_intervals_causes_no_reconnect_by_us() {
    let shards = 200;
    let gateway = gateway(shards)
        .heartbeat_interval_ms(1_000)
        .heartbeat_deadline_ms(30_000)
        .traffic(traffic(shards, 100, Some(10_000.0)))
        .spawn()
        .unwrap();
    let log = Arc::new(Mutex::new(Log::default()));
    let handlers = Arc::clone(&log);
    let config = config(shards, &gateway.url()).cores(1).build().unwrap();
    let engine = Engine::start(config, move |_| {
        Ok(Blocker { log: Arc::clone(&handlers), block: Some(Duration::from_secs(6)) })
    })
    .unwrap();
    let run = Run { gateway, engine: engine.into(), log };
    let report = run.traffic_done(shards.into());
    assert!(report.is_clean(), "{report:#?}");
    // Time enough for a late verdict.
    std::thread::sleep(Duration::from_millis(2_500));
    let stats = run.gateway.stats();
    assert_eq!((stats.connections, stats.resumes), (u64::from(shards), 0));
    run.stop().unwrap();
}

/// Spawns futures and jobs from its first event on.
struct Spawner {
    ran: Arc<AtomicU64>,
    masks: Arc<Mutex<Vec<String>>>,
    done: bool,
}

impl Handler for Spawner {
    fn on_event(&mut self, cx: &mut Context<'_>, _: Event<'_>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let ran = Arc::clone(&self.ran);
        assert!(cx.spawn(async move {
            tokio_sleep().await;
            ran.fetch_add(1, Ordering::Relaxed);
        }));
        cx.spawn(async { panic!("on purpose") });
        let (ran, masks) = (Arc::clone(&self.ran), Arc::clone(&self.masks));
        assert!(cx.spawn_blocking(move || {
            masks.lock().unwrap().push(own_mask());
            ran.fetch_add(1, Ordering::Relaxed);
        }));
        self.masks.lock().unwrap().push(format!("core {}", own_mask()));
    }
}

/// A few turns of the executor, by nothing but the standard library.
async fn tokio_sleep() {
    for _ in 0..10 {
        let mut polled = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }
}

fn own_mask() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

#[test]
fn futures_run_on_the_pinned_core_and_jobs_with_the_mask_of_the_process() {
    let gateway = gateway(1).spawn().unwrap();
    let (ran, masks) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let config = config(1, &gateway.url()).build().unwrap();
    let (handler_ran, handler_masks) = (Arc::clone(&ran), Arc::clone(&masks));
    let engine = Engine::start(config, move |_| {
        Ok(Spawner {
            ran: Arc::clone(&handler_ran),
            masks: Arc::clone(&handler_masks),
            done: false,
        })
    })
    .unwrap();
    let run = Run { gateway, engine: engine.into(), log: Arc::default() };
    run.until("the future and the job", |_, _| ran.load(Ordering::Relaxed) == 2);
    let error = run.engine.handle().failure().wait().unwrap();
    assert!(error.to_string().contains("future"), "{error}");
    let mut masks = masks.lock().unwrap().clone();
    masks.sort();
    let core: Vec<&str> = masks.iter().filter_map(|mask| mask.strip_prefix("core ")).collect();
    assert!(core[0].parse::<usize>().is_ok(), "one core only: {core:?}");
    assert!(masks.contains(&own_mask()), "helpers keep the process's mask: {masks:?}");
    // The core goes on.
    run.engine.handle().metrics().wait().unwrap();
    run.stop().unwrap();
}

/// Spawns futures that never end and never sleep, but yield.
struct Yielder {
    log: Arc<Mutex<Log>>,
    yields: Arc<AtomicU64>,
    spawned: bool,
}

impl Handler for Yielder {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        record(&self.log, cx, &event);
        if !std::mem::replace(&mut self.spawned, true) {
            let yields = Arc::clone(&self.yields);
            cx.spawn(async move {
                loop {
                    tokio::task::yield_now().await;
                    yields.fetch_add(1, Ordering::Relaxed);
                }
            });
            cx.spawn(async {
                loop {
                    tokio_sleep().await;
                }
            });
        }
    }
}

#[test]
fn heartbeats_and_events_do_not_wait_behind_futures_that_yield() {
    // The futures never end: what waits behind them waits for ever. How long a turn of theirs takes
    // is the machine's affair, so the gateway is patient.
    let gateway = gateway(2)
        .heartbeat_interval_ms(2_000)
        .heartbeat_deadline_ms(30_000)
        .traffic(traffic(2, 1_000, Some(1_000.0)))
        .spawn()
        .unwrap();
    let log = Arc::new(Mutex::new(Log::default()));
    let yields = Arc::new(AtomicU64::new(0));
    let (handlers, counted) = (Arc::clone(&log), Arc::clone(&yields));
    let config = config(2, &gateway.url()).cores(1).build().unwrap();
    let engine = Engine::start(config, move |_| {
        let (log, yields) = (Arc::clone(&handlers), Arc::clone(&counted));
        Ok(Yielder { log, yields, spawned: false })
    })
    .unwrap();
    let run = Run { gateway, engine: engine.into(), log };
    let report = run.traffic_done(2);
    assert!(report.is_clean(), "{report:#?}");
    let (beats, before) = (run.gateway.stats().heartbeats, yields.load(Ordering::Relaxed));
    // No dispatch wakes the core any more: its timer does, and no future is starved for it.
    let stats = run.until("heartbeats and turns of the futures", |_, stats| {
        stats.heartbeats >= beats + 2 && yields.load(Ordering::Relaxed) > before
    });
    assert_eq!((stats.connections, stats.resumes), (2, 0));
    run.stop().unwrap();
}

#[test]
fn only_what_the_interest_names_reaches_the_handler() {
    let run = Run::start(gateway(4).traffic(traffic(4, 500, None)), |config| {
        config.interest(Interest::typed([EventKind::MessageCreate]))
    });
    run.until("the end of the traffic", |_, stats| stats.sessions_done == 4);
    let handle = run.engine.handle();
    let metrics = loop {
        let metrics = handle.metrics().wait().unwrap();
        if metrics.counters.dispatches >= run.gateway.stats().numbered {
            break metrics;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let created = metrics.kind(EventKind::MessageCreate);
    assert!(created.delivered > 500 && created.delivered == created.received);
    assert_eq!(run.log().records.len() as u64, created.delivered);
    assert_eq!(metrics.counters.delivered, created.delivered);
    let skipped: u64 = metrics.kinds().map(|(_, counters)| counters.skipped).sum();
    assert_eq!(skipped + created.delivered, metrics.counters.dispatches);
    run.stop().unwrap();
}

#[test]
fn a_stop_that_keeps_sessions_closes_in_the_4000_range() {
    let run = Run::start(gateway(4), |config| config);
    run.engine.handle().ready().wait().unwrap();
    let Run { gateway, engine, .. } = run;
    engine.stop(Stop::KeepSessions).unwrap();
    let (stats, _) = gateway.wait_for(Duration::from_secs(2), |s| s.connections_open == 0);
    assert_eq!(stats.closes_received.keys().copied().collect::<Vec<_>>(), [4000]);
}

#[test]
fn a_run_that_a_test_lets_go_leaves_no_engine_behind() {
    let run = Run::start(gateway(4), |config| config);
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    drop(run);
    assert!(handle.is_stopped());
}

#[test]
fn a_handle_outlives_its_engine_and_says_that_it_has_stopped() {
    let run = Run::start(gateway(4), |config| config);
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    assert!(!handle.is_stopped());
    run.stop().unwrap();
    assert!(handle.is_stopped());
    assert_eq!(handle.metrics().wait().unwrap().counters.readies, 4, "what was counted stays");
    let refused = handle.send(0, UpdatePresence::new(Status::Online)).wait().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Stopped);
    assert_eq!(handle.unpause(0).unwrap_err().kind(), ErrorKind::Stopped);
}

#[test]
fn a_factory_that_fails_stops_the_start_with_its_own_error() {
    let gateway = gateway(2).spawn().unwrap();
    let config = config(2, &gateway.url()).build().unwrap();
    let refused = shardring::Token::new("").unwrap_err();
    let error = Engine::start(config, move |core| {
        if core == 1 { Err(refused.clone().into()) } else { Ok(Recorder(Arc::default())) }
    })
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
}

//! What an operator asks of a running shard and of the engine, and orders of them: the gateway sees
//! the close codes, the receipts tell when it is done.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use replay_gateway::{Action, Fault, When};
use shardring::{
    Config, Context, Engine, ErrorKind, Event, Handler, ShardHandle, ShardStatus, Stage, State,
    Stop,
};

use crate::harness::{Log, Recorder, Run, config, gateway, record, traffic};

fn ready(shards: u32) -> Run {
    let run = Run::start_shards(shards, gateway(shards).traffic(traffic(shards, 50, None)), |c| c);
    run.engine.handle().ready().wait().unwrap();
    run.engine.handle().wait_all(Stage::Ready).wait().unwrap();
    run
}

fn shard(run: &Run, id: u32) -> ShardHandle {
    run.engine.handle().shard(id).unwrap()
}

fn status(run: &Run, id: u32) -> ShardStatus {
    shard(run, id).status().wait().unwrap()
}

/// Codes of the close frames that the gateway had of a shard.
fn codes(run: &Run, id: u32) -> Vec<u16> {
    run.gateway.stats().shards[&id].close_codes.clone()
}

#[test]
fn a_status_says_what_a_shard_is_and_where_it_stands() {
    let before = SystemTime::now();
    let run = Run::start(gateway(4).heartbeat_interval_ms(1_000), |config| config.cores(2));
    let handle = run.engine.handle();
    handle.wait_all(Stage::Ready).wait().unwrap();
    let first = status(&run, 3);
    assert_eq!((first.shard.id, first.shard.total, first.core), (3, 4, 1));
    assert_eq!(first.intents, shardring::Intents::ALL);
    assert_eq!((first.stage, first.state), (Stage::Ready, State::Active));
    assert!(first.url.as_deref().unwrap().starts_with(&run.gateway.url()), "{:?}", first.url);
    assert!(first.url.as_deref().unwrap().contains("v=10"), "{:?}", first.url);
    assert!(first.resume_url.is_some() && first.session_id.is_some());
    assert!(first.sequence.is_some() && first.was_ready && first.paused_for.is_none());
    assert_eq!(first.heartbeat_interval, Some(Duration::from_secs(1)));
    assert!(first.user_id().unwrap().get() > 0);
    assert_eq!((first.failures, first.commands_waiting), (0, 0));
    assert_eq!((first.counters.readies, first.counters.identifies), (1, 1));
    assert!(first.uptime().unwrap() < Duration::from_secs(30));
    assert!(handle.started_at() >= before - Duration::from_secs(1));
    assert!(handle.started_at() <= SystemTime::now());
    // The first heartbeat's answer gives the latency.
    run.until("an ACK of shard 3", |_, stats| stats.acks >= 12);
    let later = status(&run, 3);
    assert!(later.latency().unwrap() > Duration::ZERO);
    assert!(later.latency_mean().unwrap() > Duration::ZERO);
    assert!(later.last_ack_age.unwrap() < Duration::from_secs(10));
    assert!(!format!("{later:?}").contains(crate::harness::TOKEN));
    run.stop().unwrap();
}

#[test]
fn before_ready_there_is_no_user_id_and_no_latency() {
    // A gateway that takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", silent.local_addr().unwrap());
    let config = config(1, &url).build().unwrap();
    let engine = Engine::start(config, |_| Ok(Recorder(Arc::default()))).unwrap();
    let shard = engine.handle().shard(0).unwrap();
    shard.wait_for(Stage::Started).wait().unwrap();
    let status = shard.status().wait().unwrap();
    assert_eq!(status.stage, Stage::Started);
    let error = status.user_id().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert!(error.to_string().contains("shard 0/1: not connected yet"), "{error}");
    assert_eq!((status.latency(), status.latency_mean(), status.last_ack_age), (None, None, None));
    assert_eq!((status.session_id, status.sequence, status.heartbeat_interval), (None, None, None));
    assert_eq!(engine.handle().stages().started, 1);
    assert_eq!(engine.handle().stages().connected, 0);
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn a_shard_of_another_engine_has_no_handle() {
    let run = ready(2);
    let error = run.engine.handle().shard(7).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchShard);
    assert!(error.to_string().contains('7'));
    run.stop().unwrap();
}

#[test]
fn reconnect_closes_in_the_4000_range_and_resumes_without_a_loss() {
    let run = ready(2);
    let shard = shard(&run, 1);
    shard.reconnect().wait().unwrap();
    run.until_link(1, "Resumed");
    shard.wait_for(Stage::Ready).wait().unwrap();
    let stats = run.gateway.stats();
    assert_eq!(codes(&run, 1), [4000]);
    assert_eq!((stats.identifies, stats.resumed), (2, 1));
    let report = run.ledger_is_whole(2);
    assert_eq!(report.excused, 0);
    run.stop().unwrap();
}

/// Pauses its shard at its first event.
struct Pauser(Arc<std::sync::Mutex<Log>>);

impl Handler for Pauser {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        record(&self.0, cx, &event);
        if cx.sequence() == Some(20) {
            cx.pause();
        }
    }
}

#[test]
fn a_paused_shard_that_is_told_to_reconnect_delivers_nothing_until_it_goes_on() {
    let gateway = gateway(1).traffic(traffic(1, 2_000, None)).spawn().unwrap();
    let config = config(1, &gateway.url()).build().unwrap();
    let log = Arc::new(std::sync::Mutex::new(Log::default()));
    let handlers = Arc::clone(&log);
    let engine = Engine::start(config, move |_| Ok(Pauser(Arc::clone(&handlers)))).unwrap();
    let run = Run { gateway, engine: engine.into(), log };
    let seen = |log: &Log| log.records.len() + log.events.len();
    run.until("the pause", |log, _| seen(log) == 20);
    run.until("events behind it", |_, stats| stats.sessions_done == 1);
    shard(&run, 0).reconnect().wait().unwrap();
    run.until("the RESUME", |_, stats| stats.resumes == 1);
    assert_eq!(run.gateway.stats().shards[&0].resume_seq, [20]);
    assert_eq!(seen(&run.log()), 20, "it is paused still");
    assert!(status(&run, 0).paused_for.is_some());
    run.engine.handle().unpause(0).unwrap();
    let report = run.ledger_is_whole(1);
    assert_eq!((report.excused, run.metrics().counters.duplicates), (0, 0));
    run.stop().unwrap();
}

#[test]
fn restart_closes_with_1000_and_identifies_anew() {
    let run = ready(2);
    let before = status(&run, 0);
    shard(&run, 0).restart().wait().unwrap();
    run.until_link(0, "SessionLost");
    let stats = run.until("the new session", |_, stats| stats.identifies == 3);
    assert_eq!(stats.resumes, 0);
    run.until("two READYs", |log, _| {
        log.links_of(0).iter().filter(|link| link.starts_with("Ready")).count() == 2
    });
    assert_eq!(codes(&run, 0), [1000]);
    assert_ne!(status(&run, 0).session_id, before.session_id);
    run.stop().unwrap();
}

#[test]
fn restart_is_refused_if_the_day_has_no_session_start_left() {
    let run = Run::start_shards(2, gateway(2), |config| {
        let mut budget = shardring::BudgetSettings::default();
        budget.total = Some(2);
        budget.reserve = Some(0);
        config.budget(budget)
    });
    run.engine.handle().ready().wait().unwrap();
    let error = shard(&run, 0).restart().wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget);
    assert!(error.to_string().contains("keeps its session"), "{error}");
    assert_eq!(status(&run, 0).stage, Stage::Ready);
    assert_eq!(run.gateway.stats().identifies, 2);
    assert_eq!(run.engine.handle().gateway_info().session_start_limit.remaining, 0);
    run.stop().unwrap();
}

#[test]
fn what_is_taken_down_stays_down_by_its_own_code_and_start_brings_it_back() {
    let run = ready(3);
    let handle = run.engine.handle();
    let [terminated, closed, aborted] = [0, 1, 2].map(|id| shard(&run, id));
    terminated.terminate().wait().unwrap();
    closed.close().wait().unwrap();
    aborted.abort().wait().unwrap();
    // The engine goes on without any shard.
    for id in 0..3 {
        let status = status(&run, id);
        assert_eq!((status.stage, status.state), (Stage::Stopped, State::Idle));
        assert_eq!((status.url, status.started_at), (None, None));
        assert_eq!(status.session_id.is_some(), id != 1);
        let error = shard(&run, id).wait_for(Stage::Ready).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
        assert!(error.to_string().contains("start it first"), "{error}");
    }
    handle.wait_none(Stage::Connected).wait().unwrap();
    assert_eq!((handle.stages().stopped, handle.stages().started), (3, 0));
    run.until("all connections closed", |_, stats| stats.connections_open == 0);
    assert_eq!([0, 1, 2].map(|id| codes(&run, id)), [vec![4000], vec![1000], vec![]]);
    assert!(!handle.is_stopped());
    // Who waits for all does not wait for those that are down.
    handle.wait_all(Stage::Ready).wait().unwrap();
    for shard in [&terminated, &closed, &aborted] {
        shard.start().wait().unwrap();
        shard.wait_for(Stage::Ready).wait().unwrap();
    }
    let stats = run.gateway.stats();
    assert_eq!((stats.identifies, stats.resumed), (4, 2));
    assert_eq!(handle.stages().ready, 3);
    run.stop().unwrap();
}

#[test]
fn a_shard_that_is_taken_down_does_not_keep_the_others_from_being_ready() {
    let run = Run::start_shards(2, gateway(2), |config| config.max_concurrency(1));
    // The second waits five seconds for its turn to IDENTIFY.
    shard(&run, 1).close().wait().unwrap();
    run.engine.handle().ready().wait().unwrap();
    assert_eq!(run.engine.handle().stages().ready, 1);
    run.stop().unwrap();
}

#[test]
fn who_waits_for_a_shard_that_discord_refuses_hears_why() {
    let close = Action::Close { code: 4010, reason: String::new() };
    let gateway = gateway(2).fault(Fault::new(When::Identify, close).shard(1));
    // One core: the other shard keeps it alive.
    let run = Run::start_shards(2, gateway, |config| config.cores(1));
    let waits = shard(&run, 1).wait_for(Stage::Ready);
    let error = waits.wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("4010"), "{error}");
    let late = shard(&run, 1).wait_for(Stage::Connected).wait().unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Refused);
    assert_eq!(shard(&run, 1).start().wait().unwrap_err().kind(), ErrorKind::Refused);
    let all = run.engine.handle().wait_all(Stage::Ready).wait().unwrap_err();
    assert_eq!(all.kind(), ErrorKind::Refused);
    shard(&run, 1).wait_for(Stage::Stopped).wait().unwrap();
    run.stop().unwrap();
}

#[test]
fn all_shards_down_and_up_again_is_news_of_the_engine() {
    let run = ready(4);
    let handle = run.engine.handle();
    let gone = handle.wait_none(Stage::Ready);
    for id in 0..4 {
        shard(&run, id).reconnect().wait().unwrap();
        // Not all at once: it is the last that counts.
        if id < 3 {
            assert_eq!(handle.stages().started, 4);
        }
    }
    // Each comes back by itself; whether there was a moment without any is chance.
    drop(gone);
    handle.wait_all(Stage::Ready).wait().unwrap();
    let gone = handle.wait_none(Stage::Ready);
    (0..4).for_each(|id| shard(&run, id).terminate().wait().unwrap());
    gone.wait().unwrap();
    run.stop().unwrap();
}

#[test]
fn start_ready_returns_when_all_are_ready() {
    let gateway = gateway(3).spawn().unwrap();
    let config = config(3, &gateway.url()).build().unwrap();
    let engine =
        Engine::start_ready(config, |_| Ok(Recorder(Arc::default())), Duration::from_secs(30))
            .unwrap();
    assert_eq!(engine.handle().stages().ready, 3);
    assert_eq!(gateway.stats().identifies, 3);
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn start_ready_that_cannot_be_gives_the_reason_and_leaves_nothing_running() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", silent.local_addr().unwrap());
    let at_most = Duration::from_millis(300);
    let start =
        |config: Config| Engine::start_ready(config, |_| Ok(Recorder(Arc::default())), at_most);
    let error = start(config(2, &url).build().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("of 2, 0 are connected and 0 ready"), "{error}");

    let gateway = gateway(1).token("another.token.entirely").spawn().unwrap();
    let config = config(1, &gateway.url()).build().unwrap();
    let patient = Duration::from_secs(30);
    let refused = Engine::start_ready(config, |_| Ok(Recorder(Arc::default())), patient);
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("4004"), "{error}");
}

#[test]
fn the_end_can_be_awaited_without_owning_the_engine() {
    let run = ready(2);
    let handle = run.engine.handle();
    drop(handle.stopped()); // nobody minds
    let ended = handle.stopped();
    assert_eq!(handle.stages().ready, 2, "nothing has stopped by being waited for");
    handle.stop(Stop::KeepSessions);
    ended.wait().unwrap();
    assert!(handle.is_stopped());
    handle.stopped().wait().unwrap();
    let status = handle.shard(0).unwrap().status().wait().unwrap_err();
    assert_eq!(status.kind(), ErrorKind::Stopped);
    assert_eq!(handle.wait_all(Stage::Ready).wait().unwrap_err().kind(), ErrorKind::Stopped);
    handle.wait_none(Stage::Connected).wait().unwrap();
    run.engine.join().unwrap();
}

#[test]
fn abort_ends_the_engine_without_a_close_frame() {
    let run = ready(4);
    let handle = run.engine.handle();
    handle.abort();
    handle.stopped().wait().unwrap();
    run.engine.join().unwrap();
    let (stats, _) = run.gateway.wait_for(Duration::from_secs(5), |s| s.connections_open == 0);
    assert!(stats.closes_received.is_empty(), "{:?}", stats.closes_received);
    assert_eq!(stats.ends_without_close, 4);
}

#[test]
fn who_waits_when_the_engine_stops_is_told() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", silent.local_addr().unwrap());
    let config = config(2, &url).build().unwrap();
    let engine = Engine::start(config, |_| Ok(Recorder(Arc::default()))).unwrap();
    let handle = engine.handle();
    let one = handle.shard(1).unwrap().wait_for(Stage::Ready);
    let all = handle.wait_all(Stage::Connected);
    engine.stop(Stop::EndSessions).unwrap();
    assert_eq!(one.wait().unwrap_err().kind(), ErrorKind::Stopped);
    assert_eq!(all.wait().unwrap_err().kind(), ErrorKind::Stopped);
}

#[test]
fn the_gateway_info_says_what_discord_said_and_says_it_again_when_it_was_asked_again() {
    let gateway = gateway(4).session_starts_total(1_000).session_starts_remaining(Some(900));
    let gateway = gateway.spawn().unwrap();
    let base = format!("http://{}/api/v10", gateway.addr());
    let mut timeouts = shardring::Timeouts::default();
    timeouts.discovery_refresh = Duration::from_millis(500);
    let config = config(4, &gateway.url()).rest_base(base).timeouts(timeouts).build().unwrap();
    let engine = Engine::start(config, |_| Ok(Recorder(Arc::default()))).unwrap();
    let handle = engine.handle();
    handle.ready().wait().unwrap();
    let first = handle.gateway_info();
    assert!(first.recommended_shards.is_some_and(|shards| shards > 0));
    assert_eq!(first.session_start_limit.total, 1_000);
    assert_eq!(first.session_start_limit.remaining, 896);
    assert_eq!(first.used(), 104);
    let asked_at = first.asked_at.unwrap();
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while handle.gateway_info().asked_at == Some(asked_at) {
        assert!(std::time::Instant::now() < end, "nobody asks again");
        std::thread::sleep(Duration::from_millis(20));
    }
    let later = handle.gateway_info();
    assert!(later.asked_at > Some(asked_at) && later.reset_at() > later.at);
    assert_eq!(later.session_start_limit.remaining, 896);
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn the_gateway_info_counts_session_starts_as_they_go() {
    let run = Run::start_shards(3, gateway(3), |config| {
        let mut budget = shardring::BudgetSettings::default();
        budget.total = Some(500);
        config.budget(budget).max_concurrency(16)
    });
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    let info = handle.gateway_info();
    assert_eq!(info.url.trim_end_matches('/'), run.gateway.url().trim_end_matches('/'));
    assert_eq!((info.recommended_shards, info.asked_at), (None, None), "nobody was asked");
    let limit = info.session_start_limit;
    assert_eq!((limit.total, limit.remaining, limit.max_concurrency), (500, 497, 16));
    assert_eq!(info.used(), 3);
    let day = Duration::from_secs(24 * 3600);
    assert!(info.reset_at() > info.at + day - Duration::from_secs(60));
    assert!(info.reset_at() <= info.at + day);
    assert_eq!(info.clone(), info);
    run.stop().unwrap();
}

#[test]
fn an_order_without_effect_does_not_end_the_wait_for_a_shard_to_stop() {
    let run = ready(2);
    let shard = shard(&run, 1);
    let stopped = shard.wait_for(Stage::Stopped);
    shard.start().wait().unwrap(); // it runs
    shard.restart().wait_timeout(Duration::from_secs(20)).unwrap().ok();
    let stopped = stopped.wait_timeout(Duration::from_millis(100)).expect_err("it did not stop");
    shard.terminate().wait().unwrap();
    stopped.wait().unwrap();
    run.stop().unwrap();
}

#[test]
fn a_wait_of_any_length_is_a_wait() {
    let run = ready(1);
    let ready = run.engine.handle().ready();
    ready.wait_timeout(Duration::MAX).unwrap().unwrap();
    run.stop().unwrap();
}

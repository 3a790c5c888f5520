//! A handler that acknowledges later: the shard waits, its heartbeats do not; nothing is lost, and
//! what the bot itself gives up is told.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use replay_gateway::Builder;
use shardring::testing::{Dispatched, Rehearsal};
use shardring::{
    Ack, Compression, ConfigBuilder, Context, Engine, Event, Handler, Limits, Link, Stage,
};

use crate::harness::{Log, Recorder, Run, config, gateway, record, traffic};

/// Puts off the acknowledgement of every event, and sends it away.
struct Deferring {
    log: Arc<Mutex<Log>>,
    acks: Sender<Ack>,
    /// At this sequence number of shard 0 something goes wrong.
    mishap: Option<(u64, Mishap)>,
}

#[derive(Clone, Copy)]
enum Mishap {
    Drops,
    Panics,
}

impl Handler for Deferring {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        record(&self.log, cx, &event);
        let ack = cx.defer_ack();
        assert_eq!(ack.sequence(), cx.sequence());
        match self.mishap {
            Some((at, mishap)) if cx.shard().id == 0 && cx.sequence() == Some(at) => match mishap {
                Mishap::Drops => drop(ack),
                Mishap::Panics => panic!("on purpose"),
            },
            // Nobody takes it when the test is over: dropped with an alarm that nobody hears.
            _ => drop(self.acks.send(ack)),
        }
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        cx.defer_ack().ack(); // stands for nothing here
        Recorder(Arc::clone(&self.log)).on_link(cx, link);
    }
}

fn start(
    shards: u32,
    open_acks_max: u32,
    gateway: Builder,
    mishap: Option<(u64, Mishap)>,
    adjust: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
) -> (Run, Receiver<Ack>) {
    let gateway = gateway.spawn().unwrap();
    let mut limits = Limits::default();
    limits.open_acks_max = open_acks_max;
    let config = adjust(config(shards, &gateway.url()).limits(limits)).build().unwrap();
    let (sender, acks) = channel();
    let log = Arc::new(Mutex::new(Log::default()));
    let handlers = Arc::clone(&log);
    let sender = Mutex::new(sender);
    let engine = Engine::start(config, move |_| {
        let acks = sender.lock().unwrap().clone();
        Ok(Deferring { log: Arc::clone(&handlers), acks, mishap })
    })
    .unwrap();
    (Run { gateway, engine: engine.into(), log }, acks)
}

/// Acknowledges whatever comes, on three threads, a few at a time and those in the wrong order: a
/// wake that gets lost between them leaves a shard waiting for ever.
fn acknowledge(acks: Receiver<Ack>) -> JoinHandle<u64> {
    let acks = Arc::new(Mutex::new(acks));
    let workers = [3, 7, 12].map(|batch_len| {
        let acks = Arc::clone(&acks);
        std::thread::spawn(move || {
            let mut count = 0;
            loop {
                let batch: Vec<Ack> = {
                    let acks = acks.lock().unwrap();
                    let Ok(first) = acks.recv() else { return count };
                    [first].into_iter().chain(acks.try_iter().take(batch_len - 1)).collect()
                };
                count += batch.len() as u64;
                batch.into_iter().rev().for_each(Ack::ack);
            }
        })
    });
    std::thread::spawn(move || workers.into_iter().map(|worker| worker.join().unwrap()).sum())
}

#[test]
fn a_shard_waits_for_acknowledgements_with_its_heartbeats_on_time_and_loses_nothing() {
    let events = 40_000;
    let patient = gateway(1).heartbeat_interval_ms(1_000).traffic(traffic(1, events, None));
    let plain = |config: ConfigBuilder| config.compression(Compression::None);
    let (run, acks) = start(1, 32, patient, None, plain);
    let shard = run.engine.handle().shard(0).unwrap();
    let seen = |log: &Log| log.records.len() + log.events.len();
    run.until("a full window", |log, _| seen(log) >= 32);
    // Long enough for a zombie rule that counts the wait against the peer.
    std::thread::sleep(Duration::from_millis(4_500));
    assert_eq!(seen(&run.log()), 32, "nothing is delivered beyond the window");
    let stats = run.gateway.stats();
    assert!(stats.heartbeats >= 4, "{} heartbeats", stats.heartbeats);
    assert_eq!((stats.heartbeats_late, stats.heartbeats_overdue), (0, 0));
    assert_eq!(stats.connections, 1, "nobody called it a zombie");
    assert_eq!(stats.sessions_done, 0, "the gateway cannot get rid of its events");
    let status = shard.status().wait().unwrap();
    assert_eq!((status.open_acks, status.waits_for_acks), (32, true));
    assert!(status.oldest_ack_age.unwrap() > Duration::from_secs(4));
    assert_eq!((status.sequence, status.acknowledged), (Some(32), Some(0)));
    assert_eq!(status.paused_for, None, "nobody has paused it");
    assert_eq!(run.metrics().shards()[0].open_acks, 32);
    assert!(run.metrics().render_openmetrics().contains("shardring_acks_open 32\n"));

    let acknowledging = acknowledge(acks);
    let report = run.ledger_is_whole(1);
    assert_eq!((report.seen, report.excused), (events, 0));
    let stats = run.gateway.stats();
    assert_eq!((stats.connections, stats.heartbeats_overdue), (1, 0));
    run.until("the last acknowledgement", |_, _| {
        shard.status().wait().is_ok_and(|status| status.open_acks == 0)
    });
    let status = shard.status().wait().unwrap();
    assert_eq!(status.acknowledged, status.sequence);
    assert!(!status.waits_for_acks);
    assert_eq!(run.metrics().counters.acks_dropped, 0);
    run.stop().unwrap();
    assert!(acknowledging.join().unwrap() > events);
}

#[test]
fn acknowledgements_stay_good_over_a_reconnect_and_nothing_comes_twice() {
    let (run, acks) = start(4, 16, gateway(4).traffic(traffic(4, 3_000, None)), None, |c| c);
    let shards: Vec<_> = (0..4).map(|id| run.engine.handle().shard(id).unwrap()).collect();
    run.until("four windows", |log, _| log.records.len() + log.events.len() >= 64);
    // Closed while they wait, and resumed from what was received: what is open is not sent again.
    for shard in &shards {
        let status = shard.status().wait().unwrap();
        assert!(status.waits_for_acks);
        shard.reconnect().wait().unwrap();
    }
    run.until("four RESUMEs", |_, stats| stats.resumes == 4);
    let resumed_from: Vec<u64> =
        (0..4).map(|id| run.gateway.stats().shards[&id].resume_seq[0]).collect();
    assert_eq!(resumed_from, [16; 4], "RESUME names what was received, not what is acknowledged");
    let acknowledging = acknowledge(acks);
    shards.iter().for_each(|shard| shard.wait_for(Stage::Ready).wait().unwrap());
    let report = run.ledger_is_whole(4);
    assert_eq!(report.excused, 0);
    assert_eq!(run.metrics().counters.duplicates, 0);
    run.stop().unwrap();
    acknowledging.join().unwrap();
}

#[test]
fn an_event_that_the_bot_gives_up_raises_an_alarm_and_the_shard_goes_on() {
    for mishap in [Mishap::Drops, Mishap::Panics] {
        let traffic = traffic(2, 1_000, None);
        let (run, acks) = start(2, 64, gateway(2).traffic(traffic), Some((200, mishap)), |c| c);
        let acknowledging = acknowledge(acks);
        run.until_link(0, "AcksDropped { first_seq: Some(200), last_seq: Some(200), count: 1 }");
        let report = run.ledger_is_whole(2);
        assert_eq!(report.excused, 0);
        let counters = run.metrics().counters;
        assert_eq!(counters.acks_dropped, 1);
        assert_eq!(counters.handler_panics, u64::from(matches!(mishap, Mishap::Panics)));
        assert!(run.log().links_of(1).iter().all(|link| !link.starts_with("AcksDropped")));
        run.stop().unwrap();
        acknowledging.join().unwrap();
    }
}

#[test]
fn the_size_of_the_window_is_checked() {
    let mut limits = Limits::default();
    limits.open_acks_max = 0;
    let error = config(1, "ws://127.0.0.1:1").limits(limits).build().unwrap_err();
    assert!(error.to_string().contains("limits.open_acks_max"), "{error}");
}

#[test]
fn a_rehearsed_shard_waits_for_acknowledgements_as_an_engines_does() {
    let mut limits = Limits::default();
    limits.open_acks_max = 2;
    let config = config(1, "ws://gateway.test").limits(limits).build().unwrap();
    let (sender, acks) = channel();
    let sender = Mutex::new(sender);
    let mut stage = Rehearsal::start(config, move |_| {
        let acks = sender.lock().unwrap().clone();
        Ok(Deferring { log: Arc::default(), acks, mishap: None })
    })
    .unwrap();
    let open = |acks: &Receiver<Ack>| acks.try_iter().collect::<Vec<_>>();
    stage.ready(); // one is open
    assert_ne!(stage.dispatch("RESUMED", "{}"), Dispatched::Held);
    assert_eq!(stage.dispatch("RESUMED", "{}"), Dispatched::Held);
    stage.advance(Duration::from_secs(60));
    let first = open(&acks);
    assert_eq!(first.len(), 2);
    first.into_iter().for_each(Ack::ack);
    stage.advance(Duration::ZERO);
    assert_eq!(stage.gateway(0).waiting(), 0, "it goes on");
    drop(open(&acks));
    stage.advance(Duration::ZERO);
    assert_eq!(stage.metrics().counters.acks_dropped, 1, "the alarm needs no next event");
}

//! Every fault that the gateway can commit: the right reconnect, and the ledger whole.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use replay_gateway::{Action, Builder, Fault, ResumeUrl, ShardStats, Stats, Target, When};
use shardring::command::{Status, UpdatePresence};
use shardring::{Compression, Context, Engine, ErrorKind, Event, Handler, Intents, Link, Timeouts};

use crate::harness::{COMPRESSIONS, Recorder, Run, TOKEN, config, gateway, traffic};

/// Traffic events of each shard.
const EVENTS: u64 = 300;
/// The fault comes after so many of them.
const AT: u64 = 100;
/// The sequence number of that event: READY and one GUILD_CREATE come first.
const S_AT: u64 = AT + 2;

/// Some traffic, at a pace that lasts for a second.
fn lively(shards: u32) -> Builder {
    let rate_per_s = f64::from(shards) * EVENTS as f64;
    gateway(shards).traffic(traffic(shards, EVENTS, Some(rate_per_s)))
}

/// In the midst of the traffic of this shard's first connection.
fn amid(shard: u32, action: Action) -> Fault {
    Fault::new(When::Events(AT), action).shard(shard).connection(1)
}

/// Two shards with traffic; shard 0 is struck in the midst of it.
fn strike(action: Action, compression: Compression) -> Run {
    let gateway = lively(2).fault(amid(0, action));
    Run::start_shards(2, gateway, |config| config.compression(compression))
}

fn of(stats: &Stats, shard: u32) -> ShardStats {
    stats.shards.get(&shard).cloned().unwrap_or_default()
}

/// The numbers of IDENTIFYs and of RESUMEs of a shard.
fn starts(stats: &Stats, shard: u32) -> (usize, usize) {
    let shard = of(stats, shard);
    (shard.identify_ms.len(), shard.resume_ms.len())
}

/// No close of ours ended a session.
#[track_caller]
fn assert_sessions_kept(stats: &Stats) {
    let ends = |code: &u16| matches!(code, 1000 | 1001);
    assert!(!stats.closes_received.keys().any(ends), "{:?}", stats.closes_received);
}

/// Shard 0 resumed its session once, after this cause; shard 1 noticed nothing; nothing is lost.
#[track_caller]
fn assert_resumed(run: Run, cause: &str) -> Stats {
    let report = run.ledger_is_whole(2);
    assert_eq!(report.excused, 0);
    let disconnected = format!("Disconnected {{ cause: {cause}");
    let reconnecting = format!("Reconnecting {{ cause: {cause}");
    let expected = ["Connected", "Ready", &disconnected, &reconnecting, "Connected", "Resumed"];
    run.assert_links(0, &expected);
    assert!(run.log().links_of(0)[3].ends_with("resume: true }"));
    run.assert_links(1, &["Connected", "Ready"]);
    let stats = run.gateway.stats();
    assert_eq!(starts(&stats, 0), (1, 1));
    assert_eq!(starts(&stats, 1), (1, 0));
    // A zombie keeps the last event to itself.
    assert!(of(&stats, 0).resume_seq[0] >= S_AT - 1, "{:?}", of(&stats, 0));
    assert_sessions_kept(&stats);
    let metrics = run.metrics();
    assert_eq!((metrics.counters.resumed, metrics.counters.sessions_lost), (1, 0));
    assert_eq!(metrics.counters.missing, 0);
    run.stop().unwrap();
    stats
}

#[test]
fn op_7_is_followed_by_a_close_in_the_4000_range_and_a_resume() {
    for compression in COMPRESSIONS {
        let run = strike(Action::Reconnect, compression);
        let stats = assert_resumed(run, "ReconnectAsked");
        assert_eq!(of(&stats, 0).close_codes, [4000]);
    }
}

#[test]
fn op_7_before_hello_leads_to_another_connection_and_no_second_identify() {
    let fault = Fault::new(When::Upgrade, Action::Reconnect).connection(1);
    let run = Run::start_shards(2, lively(2).fault(fault), |config| config);
    run.ledger_is_whole(2);
    let stats = run.gateway.stats();
    assert_eq!((stats.connections, stats.identifies, stats.resumes), (3, 2, 0));
    assert_eq!(stats.closes_received.get(&4000), Some(&1));
    assert_sessions_kept(&stats);
    run.stop().unwrap();
}

#[test]
fn op_9_true_is_followed_by_a_resume_of_the_same_session() {
    let run = strike(Action::InvalidSession(true), Compression::ZlibStream);
    let stats = assert_resumed(run, "InvalidSession { resumable: true }");
    assert_eq!(of(&stats, 0).close_codes, [4000]);
    // Not at once: libraries wait a second at least (protocol section 3.2).
    let (first, second) = (of(&stats, 0).identify_ms[0], of(&stats, 0).resume_ms[0]);
    assert!(second >= first + 1_000, "{first} ms, {second} ms");
}

#[test]
fn op_9_false_is_followed_by_a_new_session_wherever_it_comes() {
    let at_resume = |shard, action| Fault::new(When::Resume, action).shard(shard).connection(2);
    let refused = Fault::new(When::Identify, Action::InvalidSession(false)).shard(3).connection(1);
    let gateway = gateway(4)
        .traffic(traffic(4, EVENTS, None))
        .fault(amid(0, Action::InvalidSession(false)))
        .fault(amid(1, Action::Drop))
        .fault(at_resume(1, Action::InvalidSession(false)))
        .fault(amid(2, Action::Drop))
        .fault(at_resume(2, Action::Close { code: 4009, reason: String::new() }))
        .fault(refused);
    let run = Run::start_shards(4, gateway, |config| config);
    let report = run.ledger_is_whole(4);
    // Flat out, all that was numbered on a connection was sent on it before it ended.
    assert_eq!(report.seen + report.excused, report.numbered);
    let stats = run.gateway.stats();
    for (shard, expected) in [(0, (2, 0)), (1, (2, 1)), (2, (2, 1)), (3, (2, 0))] {
        assert_eq!(starts(&stats, shard), expected, "shard {shard}");
        // A session that did not last is not followed by an IDENTIFY at once.
        let times = of(&stats, shard).identify_ms;
        assert!(times[1] >= times[0] + 5_000, "shard {shard}: {times:?}");
    }
    assert_eq!(stats.identifies_too_soon, 0);
    let log = run.log();
    let lost = |shard| {
        log.links_of(shard).into_iter().filter(|text| text.starts_with("SessionLost")).count()
    };
    assert_eq!([lost(0), lost(1), lost(2), lost(3)], [1, 1, 1, 0]);
    let told = log.links_of(2).into_iter().find(|text| text.starts_with("SessionLost")).unwrap();
    assert!(told.contains("cause: Link(Closed(Some(4009)))"), "{told}");
    drop(log);
    assert_eq!(run.metrics().counters.sessions_lost, 3);
    run.stop().unwrap();
}

/// What a close code asks for (protocol section 2).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Resume,
    ResumeAfterPause,
    NewSession,
}

#[test]
fn every_close_code_that_allows_a_reconnect_is_answered_as_the_table_says() {
    use Answer::{NewSession, Resume, ResumeAfterPause};
    let table = [
        (Some(4000), Resume),
        (Some(4001), Resume),
        (Some(4002), Resume),
        (Some(4003), NewSession),
        (Some(4005), Resume),
        (Some(4007), NewSession),
        (Some(4008), ResumeAfterPause),
        (Some(4009), NewSession),
        (Some(1000), Resume),
        (Some(1001), Resume),
        (Some(1011), Resume),
        (Some(4999), Resume),
        (None, Resume),
    ];
    let shards = table.len() as u32;
    let mut gateway = lively(shards);
    for (shard, (code, _)) in (0..).zip(table) {
        let action = match code {
            Some(code) => Action::Close { code, reason: "on purpose".into() },
            // A close frame without a body: no code at all.
            None => Action::Inject(replay_gateway::Injection::Raw(vec![0x88, 0])),
        };
        gateway = gateway.fault(amid(shard, action));
    }
    let run = Run::start_shards(shards, gateway, |config| config);
    run.ledger_is_whole(shards.into());
    let stats = run.gateway.stats();
    for (shard, (code, answer)) in (0..).zip(table) {
        let cause = format!("Link(Closed({code:?}))");
        let disconnected = format!("Disconnected {{ cause: {cause}, wire: None");
        let reconnecting = format!("Reconnecting {{ cause: {cause}");
        let (of_shard, starts) = (of(&stats, shard), starts(&stats, shard));
        match answer {
            Resume | ResumeAfterPause => {
                assert_eq!(starts, (1, 1), "{code:?}");
                let all =
                    ["Connected", "Ready", &disconnected, &reconnecting, "Connected", "Resumed"];
                run.assert_links(shard, &all);
            }
            NewSession => {
                assert_eq!(starts, (2, 0), "{code:?}");
                let all = [
                    "Connected",
                    "Ready",
                    &disconnected,
                    "SessionLost",
                    "IdentifyBackoff",
                    &reconnecting,
                    "Connected",
                    "Ready",
                ];
                run.assert_links(shard, &all);
            }
        }
        if answer == ResumeAfterPause {
            assert!(of_shard.resume_ms[0] >= of_shard.identify_ms[0] + 5_000, "{code:?}");
        }
        // The answer to the close frame, and never one that would end a session.
        assert!(of_shard.close_codes.len() <= 1, "{code:?}: {:?}", of_shard.close_codes);
    }
    assert_sessions_kept(&stats);
    assert_eq!(run.metrics().counters.sessions_lost, 3);
    run.stop().unwrap();
}

/// A gateway that refuses for good; the other end of `code`.
fn refusing(code: u16) -> Builder {
    let gateway = gateway(2);
    match code {
        4004 => gateway.token("another.token.altogether"),
        4010 => gateway.shard_count_multiple(16),
        4011 => gateway.guilds_total(5_001),
        4014 => gateway.intents_disallowed(Intents::MESSAGE_CONTENT.bits()),
        _ => {
            let close = Action::Close { code, reason: TOKEN.into() };
            gateway.fault(Fault::new(When::Identify, close))
        }
    }
}

#[test]
fn a_fatal_close_code_ends_the_engine_with_a_text_that_a_stranger_can_act_on() {
    let cases = [
        (4004, "developer portal"),
        (4010, "multiple"),
        (4011, "raise the number of shards"),
        (4012, "update shardring"),
        (4013, "intents"),
        (4014, "Privileged"),
    ];
    for (code, cure) in cases {
        let run = Run::start_shards(2, refusing(code), |config| config);
        let handle = run.engine.handle();
        let ready = handle.ready().wait().unwrap_err();
        let failure = handle.failure().wait().unwrap();
        run.until("the end of both shards", |log, _| {
            let refused = |(_, text): &&(u32, String)| text.starts_with("Refused");
            log.links.iter().filter(refused).count() == 2
        });
        let Run { gateway, engine, log } = run;
        // No shard is left: the engine ends by itself.
        let joined = engine.join().unwrap_err();
        for error in [&ready, &failure, &joined, &handle.errors()[0]] {
            assert_eq!(error.kind(), ErrorKind::Refused, "{code}");
            let text = error.to_string();
            assert!(text.contains(&code.to_string()) && text.contains(cure), "{text}");
            assert!(text.contains("shard"), "it does not say which shard: {text}");
            assert!(!format!("{error:?} {text}").contains(TOKEN), "{code}");
        }
        assert!(!format!("{:?}", log.lock().unwrap().links).contains(TOKEN), "{code}");
        // Who asks later hears the same.
        assert_eq!(handle.ready().wait().unwrap_err().kind(), ErrorKind::Refused);
        let stats = gateway.stats();
        // Nobody came twice; whoever heard of the other's refusal in time did not come at all.
        assert!(stats.connections <= 2, "{code}: {} connections", stats.connections);
        assert_eq!(stats.connections_open, 0, "{code}");
    }
}

#[test]
fn a_refusal_of_the_bot_costs_one_identify_and_not_one_a_shard() {
    for code in [4004, 4014] {
        let gateway = refusing(code).max_concurrency(1);
        let run = Run::start_shards(8, gateway, |config| config.max_concurrency(1));
        run.until("the end of all shards", |log, _| {
            let refused = |(_, text): &&(u32, String)| text.starts_with("Refused");
            log.links.iter().filter(refused).count() == 8
        });
        let Run { gateway, engine, .. } = run;
        assert_eq!(engine.join().unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(gateway.stats().received.get(&2), Some(&1), "{code}: IDENTIFYs");
    }
}

#[test]
fn a_shard_refused_for_good_leaves_the_others_at_work() {
    let close = Action::Close { code: 4014, reason: String::new() };
    let run = strike(close, Compression::ZlibStream);
    let error = run.engine.handle().failure().wait().unwrap();
    assert!(error.to_string().contains("4014"), "{error}");
    run.until("the traffic of the other", |log, _| {
        let theirs = log.records.len() as u64;
        theirs >= EVENTS + AT
    });
    run.assert_links(1, &["Connected", "Ready"]);
    let log = run.log();
    assert!(log.links_of(0).last().unwrap().starts_with("Refused"), "{:?}", log.links_of(0));
    drop(log);
    let stats = run.gateway.stats();
    assert_eq!((starts(&stats, 0), starts(&stats, 1)), ((1, 0), (1, 0)));
    assert_eq!(stats.connections, 2);
    // What went wrong is told at the end, too.
    assert_eq!(run.stop().unwrap_err().kind(), ErrorKind::Refused);
}

#[test]
fn a_reset_in_the_middle_of_a_message_loses_nothing() {
    for compression in COMPRESSIONS {
        assert_resumed(strike(Action::Reset, compression), "Link(");
    }
}

#[test]
fn an_end_without_a_close_frame_is_followed_by_a_resume() {
    assert_resumed(strike(Action::Drop, Compression::ZlibStream), "Link(Eof)");
}

#[test]
fn sixty_four_shards_reset_at_once_resume_without_one_identify() {
    let shards = 64;
    let run = Run::start_shards(shards, lively(shards), |config| config);
    run.until("half of the traffic", |log, _| log.records.len() as u64 > 32 * EVENTS);
    run.gateway.act(Target::All, Action::Reset);
    run.ledger_is_whole(shards.into());
    let stats = run.gateway.stats();
    for shard in 0..shards {
        assert_eq!(starts(&stats, shard), (1, 1), "shard {shard}");
    }
    assert_sessions_kept(&stats);
    assert_eq!(run.metrics().counters.sessions_lost, 0);
    run.stop().unwrap();
}

/// A host in front of the gateway: passes bytes on, and keeps the first line of each request.
fn proxy(listener: TcpListener, gateway: SocketAddr) -> Arc<Mutex<Vec<String>>> {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(mut client), seen) = (client, Arc::clone(&seen)) else { return };
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                let count = client.read(&mut buffer).unwrap_or(0);
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                seen.lock().unwrap().push(text.lines().next().unwrap_or("").to_owned());
                let mut server = TcpStream::connect(gateway).unwrap();
                server.write_all(&buffer[..count]).unwrap();
                let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut up, &mut server));
                let _ = std::io::copy(&mut down, &mut client);
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    requests
}

#[test]
fn a_session_is_resumed_at_the_url_that_ready_gave_with_the_same_query() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/over/here", listener.local_addr().unwrap());
    let gateway = lively(2).resume_url(ResumeUrl::Custom(url)).fault(amid(0, Action::Reconnect));
    let run = Run::start_shards(2, gateway, |config| config);
    let requests = proxy(listener, run.gateway.addr());
    let stats = assert_resumed(run, "ReconnectAsked");
    assert_eq!(stats.connections, 3);
    let requests = requests.lock().unwrap();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(request.starts_with("GET /over/here?"), "{request}");
    for part in ["v=10", "encoding=json", "compress=zlib-stream"] {
        assert!(request.contains(part), "{request}");
    }
}

/// The first RESUME goes to a host that is dead in this way, the second to the main URL.
fn dead_resume_host(resume_url: ResumeUrl, cause: &str) -> Stats {
    let gateway = lively(2).resume_url(resume_url).fault(amid(0, Action::Drop));
    let run = Run::start_shards(2, gateway, |config| config);
    let report = run.ledger_is_whole(2);
    assert_eq!(report.excused, 0);
    let (disconnected, reconnecting) =
        (format!("Disconnected {{ cause: {cause}"), format!("Reconnecting {{ cause: {cause}"));
    let all = [
        "Connected",
        "Ready",
        "Disconnected { cause: Link(Eof)",
        "Reconnecting { cause: Link(Eof)",
        &disconnected,
        &reconnecting,
        "Connected",
        "Resumed",
    ];
    run.assert_links(0, &all);
    assert!(run.log().links_of(0)[5].ends_with("resume: true }"));
    let stats = run.gateway.stats();
    assert_eq!((starts(&stats, 0), starts(&stats, 1)), ((1, 1), (1, 0)));
    assert_sessions_kept(&stats);
    assert_eq!(run.metrics().counters.sessions_lost, 0);
    run.stop().unwrap();
    stats
}

#[test]
fn a_resume_host_that_refuses_connections_is_left_for_the_main_url_and_the_session_kept() {
    let stats = dead_resume_host(ResumeUrl::Refused, "Link(ConnectionRefused)");
    assert_eq!(stats.connections, 3);
}

#[test]
fn a_resume_host_that_answers_503_is_left_for_the_main_url_and_the_session_kept() {
    let stats = dead_resume_host(ResumeUrl::Unavailable, "Link(HttpStatus(503))");
    assert_eq!((stats.connections, stats.http_errors), (4, 1));
}

#[test]
fn a_resume_url_that_is_none_counts_as_absent() {
    let url = ResumeUrl::Custom("no url at all".into());
    let gateway = lively(2).resume_url(url).fault(amid(0, Action::Reconnect));
    assert_resumed(Run::start_shards(2, gateway, |config| config), "ReconnectAsked");
}

#[test]
fn an_outage_of_the_whole_gateway_costs_no_session() {
    let run = Run::start_shards(2, lively(2), |config| config);
    run.until("traffic", |log, _| log.records.len() as u64 > AT);
    run.gateway.set_accepting(false);
    run.gateway.act(Target::All, Action::Reset);
    for shard in 0..2 {
        run.until("failed dials", |log, _| {
            let refused =
                |text: &&&str| text.starts_with("Disconnected { cause: Link(ConnectionRefused)");
            log.links_of(shard).iter().filter(refused).count() >= 2
        });
    }
    run.gateway.set_accepting(true);
    let report = run.ledger_is_whole(2);
    assert_eq!(report.excused, 0);
    let stats = run.gateway.stats();
    assert_eq!((starts(&stats, 0), starts(&stats, 1)), ((1, 1), (1, 1)));
    run.stop().unwrap();
}

#[test]
fn silence_after_a_heartbeat_is_a_zombie_that_is_closed_and_resumed() {
    let gateway = lively(2).heartbeat_interval_ms(1_000).fault(amid(0, Action::Zombie));
    let run = Run::start_shards(2, gateway, |config| {
        let mut timeouts = Timeouts::default();
        // The close waits so long for its answer that the gateway can be woken to read it.
        timeouts.close = Duration::from_secs(5);
        config.timeouts(timeouts)
    });
    run.until_link(0, "Disconnected { cause: Zombie");
    run.gateway.revive(Target::Shard(0));
    let stats = assert_resumed(run, "Zombie");
    assert_eq!(of(&stats, 0).close_codes, [4000]);
    assert_eq!(stats.heartbeats_late, 0, "the client noticed first");
}

#[test]
fn a_zombie_that_does_not_answer_our_close_is_cut() {
    let gateway = lively(2).heartbeat_interval_ms(1_000).fault(amid(0, Action::Zombie));
    assert_resumed(Run::start_shards(2, gateway, |config| config), "Zombie");
}

#[test]
fn dispatches_without_acks_are_told_after_one_interval_and_end_after_three() {
    let (shards, events) = (2, 600);
    let fault = Fault::new(When::Ready, Action::WithholdAcks).shard(0).connection(1);
    let gateway = gateway(shards)
        .heartbeat_interval_ms(1_000)
        .traffic(traffic(shards, events, Some(200.0)))
        .fault(fault);
    let run = Run::start_shards(shards, gateway, |config| config);
    run.until_link(0, "AckLate");
    let early = run.gateway.stats();
    assert_eq!(early.connections, 2, "late is not dead");
    let report = run.ledger_is_whole(2);
    assert_eq!(report.excused, 0);
    let all = [
        "Connected",
        "Ready",
        "AckLate",
        "Disconnected { cause: Unacknowledged",
        "Reconnecting { cause: Unacknowledged",
        "Connected",
        "Resumed",
    ];
    run.assert_links(0, &all);
    run.assert_links(1, &["Connected", "Ready"]);
    let stats = run.gateway.stats();
    assert_eq!((starts(&stats, 0), starts(&stats, 1)), ((1, 1), (1, 0)));
    assert_eq!(of(&stats, 0).close_codes, [4000]);
    let beats = of(&stats, 0).received[&1];
    assert!(beats >= 3, "{beats} heartbeats went out while none was acknowledged");
    run.stop().unwrap();
}

#[test]
fn a_hello_that_never_comes_leads_to_another_connection() {
    let fault = Fault::new(When::Upgrade, Action::Swallow).connection(1);
    let run = Run::start_shards(2, lively(2).fault(fault), |config| config);
    run.ledger_is_whole(2);
    let stats = run.gateway.stats();
    assert_eq!((stats.connections, stats.identifies, stats.resumes), (3, 2, 0));
    assert_eq!(stats.closes_received.get(&4000), Some(&1));
    let log = run.log();
    let timed_out = |(_, text): &&(u32, String)| {
        text.starts_with("Disconnected { cause: HelloTimeout, wire: None")
    };
    assert_eq!(log.links.iter().filter(timed_out).count(), 1, "{:#?}", log.links);
    drop(log);
    run.stop().unwrap();
}

#[test]
fn a_hello_that_never_comes_on_the_way_to_a_resume_keeps_the_session() {
    let gateway = lively(2)
        .fault(amid(0, Action::Drop))
        .fault(Fault::new(When::Upgrade, Action::Swallow).connection(3));
    let run = Run::start_shards(2, gateway, |config| config);
    let report = run.ledger_is_whole(2);
    assert_eq!(report.excused, 0);
    let stats = run.gateway.stats();
    assert_eq!((stats.connections, stats.identifies, stats.resumes), (4, 2, 1));
    assert_sessions_kept(&stats);
    assert_eq!(run.metrics().counters.sessions_lost, 0);
    run.stop().unwrap();
}

#[test]
fn a_ready_that_never_comes_costs_one_identify_and_is_told_while_heartbeats_go_on() {
    let swallow = |shard| Fault::new(When::Identify, Action::Swallow).shard(shard);
    let gateway = gateway(4)
        .heartbeat_interval_ms(1_000)
        .traffic(replay_gateway::TrafficConfig {
            start: replay_gateway::Start::Shards(2),
            ..traffic(2, EVENTS, Some(2.0 * EVENTS as f64))
        })
        .fault(swallow(1))
        .fault(swallow(2));
    let run = Run::start_shards(4, gateway, |config| config);
    run.ledger_is_whole(2);
    let stats = run.until("three heartbeats of each", |_, stats| {
        (0..4).all(|shard| of(stats, shard).received.get(&1).is_some_and(|beats| *beats >= 3))
    });
    for shard in [1, 2] {
        run.assert_links(shard, &["Connected", "Stalled { awaited: Identifying"]);
    }
    for shard in 0..4 {
        assert_eq!(starts(&stats, shard), (1, 0), "shard {shard}");
    }
    assert_eq!(stats.connections, 4);
    run.stop().unwrap();
}

#[test]
fn a_resumed_that_never_comes_is_told_and_then_asked_for_on_another_connection() {
    let gateway = lively(2)
        .fault(amid(0, Action::Drop))
        .fault(Fault::new(When::Resume, Action::Swallow).shard(0).connection(2));
    let run = Run::start_shards(2, gateway, |config| {
        let mut timeouts = Timeouts::default();
        timeouts.stalled = Duration::from_millis(300);
        timeouts.resume = Duration::from_millis(900);
        timeouts.close = Duration::from_millis(300);
        config.timeouts(timeouts)
    });
    let report = run.ledger_is_whole(2);
    assert_eq!(report.excused, 0);
    let all = [
        "Connected",
        "Ready",
        "Disconnected { cause: Link(Eof)",
        "Reconnecting { cause: Link(Eof)",
        "Connected",
        "Stalled { awaited: Resuming",
        "Disconnected { cause: ResumeTimeout",
        "Reconnecting { cause: ResumeTimeout",
        "Connected",
        "Resumed",
    ];
    run.assert_links(0, &all);
    let stats = run.gateway.stats();
    assert_eq!((starts(&stats, 0), starts(&stats, 1)), ((1, 2), (1, 0)));
    assert_sessions_kept(&stats);
    run.stop().unwrap();
}

#[test]
fn a_heartbeat_that_the_gateway_asks_for_is_sent_at_once() {
    // So long an interval that none of the heartbeats is a scheduled one.
    let run = Run::start_shards(1, gateway(1).heartbeat_interval_ms(600_000), |config| config);
    run.engine.handle().ready().wait().unwrap();
    let beats = |stats: &Stats| of(stats, 0).received.get(&1).copied().unwrap_or(0);
    let before = beats(&run.gateway.stats());
    for asked in 1..=3 {
        run.gateway.act(Target::Shard(0), Action::AskHeartbeat);
        run.until("the heartbeat asked for", |_, stats| beats(stats) >= before + asked);
    }
    let latest = run.metrics().shards()[0].round_trip.last;
    assert!(latest.is_some(), "its acknowledgement is a round trip");
    run.stop().unwrap();
}

#[test]
fn a_dispatch_that_comes_twice_is_dropped_once_and_counted() {
    for compression in COMPRESSIONS {
        let run = strike(Action::Duplicate, compression);
        run.ledger_is_whole(2);
        let metrics = run.metrics();
        assert_eq!((metrics.counters.duplicates, metrics.counters.missing), (1, 0));
        assert_eq!(run.gateway.stats().connections, 2);
        run.assert_links(0, &["Connected", "Ready"]);
        run.stop().unwrap();
    }
}

#[test]
fn a_gap_is_delivered_across_counted_and_told_with_its_range() {
    let run = strike(Action::Gap(5), Compression::ZlibStream);
    run.ledger_is_whole(2);
    let metrics = run.metrics();
    assert_eq!((metrics.counters.missing, metrics.counters.duplicates), (5, 0));
    let gap = format!("Gap {{ first_seq: {}, last_seq: {} }}", S_AT + 1, S_AT + 5);
    run.assert_links(0, &["Connected", "Ready", &gap]);
    assert_eq!(run.gateway.stats().connections, 2);
    run.stop().unwrap();
}

/// Sends a command at READY; at TRIGGER it blocks until the peer is gone, and sends another.
struct Blocked(Recorder, Arc<Barrier>);

impl Handler for Blocked {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match event.name() {
            "READY" => drop(cx.send(UpdatePresence::new(Status::Idle)).unwrap()),
            "TRIGGER" => {
                self.1.wait(); // here we are
                self.1.wait(); // and the peer is gone
                cx.send(UpdatePresence::new(Status::Dnd)).unwrap();
            }
            _ => {}
        }
        self.0.on_event(cx, event);
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        self.0.on_link(cx, link);
    }
}

/// Passes one connection on, of the client's bytes nothing after READY. When TRIGGER has passed it
/// closes with 4014, and so that TCP is reset: there are bytes of the client's that it never read.
fn close_and_reset(listener: TcpListener, gateway: SocketAddr, barrier: &Barrier) {
    let (mut client, _) = listener.accept().unwrap();
    client.set_nodelay(true).unwrap(); // or the reset overtakes the close frame
    let mut server = TcpStream::connect(gateway).unwrap();
    client.set_nonblocking(true).unwrap();
    server.set_nonblocking(true).unwrap();
    let (mut buffer, mut passed) = ([0; 4096], Vec::new());
    let has = |passed: &[u8], what: &[u8]| passed.windows(what.len()).any(|part| part == what);
    while !has(&passed, b"TRIGGER") {
        if let Ok(count) = server.read(&mut buffer) {
            passed.extend_from_slice(&buffer[..count]);
            client.write_all(&buffer[..count]).unwrap();
        }
        if !has(&passed, b"READY")
            && let Ok(count) = client.read(&mut buffer)
        {
            server.write_all(&buffer[..count]).unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    barrier.wait();
    client.set_nonblocking(false).unwrap();
    assert!(client.peek(&mut buffer).unwrap() > 0);
    client.write_all(&[0x88, 2, 0x0F, 0xAE]).unwrap();
    drop(client);
    barrier.wait();
}

#[test]
fn a_close_code_is_heard_although_a_write_fails_first() {
    let gateway = gateway(1).spawn().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let barrier = Arc::new(Barrier::new(2));
    let (addr, peers) = (gateway.addr(), Arc::clone(&barrier));
    let peer = std::thread::spawn(move || close_and_reset(listener, addr, &peers));
    let log = Arc::default();
    let handlers = Arc::clone(&log);
    let config = config(1, &url).compression(Compression::None).build().unwrap();
    let engine = Engine::start(config, move |_| {
        Ok(Blocked(Recorder(Arc::clone(&handlers)), Arc::clone(&barrier)))
    });
    let run = Run { gateway, engine: engine.unwrap().into(), log };
    run.until_link(0, "Ready");
    run.gateway.dispatch(Target::All, "TRIGGER", "{}");
    run.until_link(0, "Disconnected { cause: Link(Closed(Some(4014)))");
    peer.join().unwrap();
    assert_eq!(run.gateway.stats().connections, 1, "nobody tries again");
    let _ = run.stop();
}

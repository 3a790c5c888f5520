//! What no gateway should send: typed errors or pass-through, the session kept, memory bounded.

use std::fmt::{Debug, Display};
use std::process::Command;
use std::sync::{Arc, Mutex};

use replay_gateway::{Action, Builder, Fault, Framing, Injection, ShardStats, Stats, Target, When};
use shardring::{
    Compression, Context, Engine, ErrorKind, Event, Handler, Limits, Link, Shards, Stop, Token,
};

use crate::harness::{COMPRESSIONS, Run, TOKEN, config, gateway, traffic};

/// Traffic events of each shard.
const EVENTS: u64 = 300;
/// The bad input comes after so many of them.
const AT: u64 = 100;
/// The sequence number that the next dispatch has then: READY and one GUILD_CREATE come first.
const S_NEXT: u64 = AT + 3;

/// Some traffic, at a pace that lasts for a second.
fn lively(shards: u32) -> Builder {
    let rate_per_s = f64::from(shards) * EVENTS as f64;
    gateway(shards).traffic(traffic(shards, EVENTS, Some(rate_per_s)))
}

fn amid(shard: u32, injection: Injection) -> Fault {
    Fault::new(When::Events(AT), Action::Inject(injection)).shard(shard).connection(1)
}

fn raw(bytes: &[u8]) -> Injection {
    Injection::Raw(bytes.to_vec())
}

fn of(stats: &Stats, shard: u32) -> ShardStats {
    stats.shards.get(&shard).cloned().unwrap_or_default()
}

/// Each shard is sent one of these; each connection is cut for the reason named, each session
/// resumed, and nothing is lost.
fn assert_cut_and_resumed(compression: Compression, cases: Vec<(Injection, &str)>) -> Run {
    let shards = cases.len() as u32;
    let mut gateway = lively(shards);
    for (shard, (injection, _)) in (0..).zip(&cases) {
        gateway = gateway.fault(amid(shard, injection.clone()));
    }
    let run = Run::start_shards(shards, gateway, |config| {
        let mut limits = Limits::default();
        limits.wire.compressed_len_max = 256 << 10;
        limits.wire.inflated_len_max = 1 << 20;
        config.compression(compression).limits(limits)
    });
    let report = run.ledger_is_whole(shards.into());
    assert_eq!(report.excused, 0);
    let stats = run.gateway.stats();
    for (shard, (injection, reason)) in (0..).zip(&cases) {
        let disconnected = format!("Disconnected {{ cause: Link(Wire), wire: Some({reason}");
        let all = [
            "Connected",
            "Ready",
            &disconnected,
            "Reconnecting { cause: Link(Wire)",
            "Connected",
            "Resumed",
        ];
        run.assert_links(shard, &all);
        let of_shard = of(&stats, shard);
        let starts = (of_shard.identify_ms.len(), of_shard.resume_ms.len());
        assert_eq!(starts, (1, 1), "{injection:?}");
    }
    let ends = |code: &u16| matches!(code, 1000 | 1001);
    assert!(!stats.closes_received.keys().any(ends), "{:?}", stats.closes_received);
    assert_eq!(run.metrics().counters.sessions_lost, 0);
    run
}

#[test]
fn frames_that_the_rfc_forbids_cut_the_connection_with_a_typed_error_and_the_session_goes_on() {
    for compression in COMPRESSIONS {
        let long_ping = [&[0x89, 126, 0, 126][..], &[b'x'; 126]].concat();
        let cases = vec![
            (Injection::Masked, "MaskedFrame"),
            (Injection::ReservedBits, "ReservedBits"),
            (raw(&[0x83, 0]), "UnknownOpcode { opcode: 3 }"),
            (raw(&[0x8b, 0]), "UnknownOpcode { opcode: 11 }"),
            (raw(&[0x09, 0]), "FragmentedControl"),
            (Injection::Raw(long_ping), "ControlTooLong { len: 126 }"),
            (raw(&[0x80, 0]), "UnexpectedContinuation"),
            (raw(&[0x01, 1, b'{', 0x81, 1, b'}']), "InterruptedMessage"),
            (raw(&[0x88, 1, 3]), "ClosePayload"),
            (raw(&[0x88, 2, 3, 0xee]), "CloseCode { code: 1006 }"),
            (raw(&[0x88, 2, 0, 0]), "CloseCode { code: 0 }"),
            (raw(&[0x88, 3, 0x0f, 0xa0, 0xff]), "CloseReason"),
        ];
        assert_cut_and_resumed(compression, cases).stop().unwrap();
    }
}

#[test]
fn a_length_beyond_the_limit_is_refused_as_its_header_is_read() {
    for compression in COMPRESSIONS {
        let text = |len: u64| Injection::Raw([&[0x81, 127][..], &len.to_be_bytes()].concat());
        // A message that grows beyond it by its fragments.
        let fragments = [
            [&[0x01, 127][..], &(1u64 << 20).to_be_bytes(), &vec![b' '; 1 << 20]].concat(),
            vec![0x80, 1],
        ];
        let cases = vec![
            (Injection::Claim(1 << 30), "CompressedTooLong { len: 1073741824, len_max: 262144 }"),
            (Injection::Claim(u64::MAX), "CompressedTooLong"),
            (text(1 << 30), "TextTooLong { len: 1073741824, len_max: 1048576 }"),
            (Injection::Raw(fragments.concat()), "TextTooLong { len: 1048577"),
        ];
        assert_cut_and_resumed(compression, cases).stop().unwrap();
    }
}

#[test]
fn compressed_bytes_that_are_none_or_too_many_are_typed_errors() {
    let cases = vec![
        (Injection::BadDeflate, "Deflate"),
        (Injection::Bomb(16 << 20), "InflatedTooLong { len_max: 1048576 }"),
        // A part of a compressed payload, then a text message.
        (raw(&[0x82, 1, 0, 0x81, 2, b'{', b'}']), "TextInsideCompressed"),
    ];
    assert_cut_and_resumed(Compression::ZlibStream, cases).stop().unwrap();
    let cases = vec![
        (Injection::BadDeflate, "UnexpectedBinary"),
        (Injection::Bomb(16 << 20), "TextTooLong"),
    ];
    assert_cut_and_resumed(Compression::None, cases).stop().unwrap();
}

#[test]
fn random_bytes_cut_the_connection_and_cost_no_session() {
    for compression in COMPRESSIONS {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = |len: usize| {
            let bytes = (0..len).map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 24) as u8
            });
            Injection::Raw(bytes.collect())
        };
        let cases = (0..16).map(|n| (random(64 + n * 37), "")).collect();
        assert_cut_and_resumed(compression, cases).stop().unwrap();
    }
}

/// A text frame with this payload.
fn text_frame(payload: &[u8]) -> Injection {
    let mut frame = vec![0x81, 126];
    frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    frame.extend_from_slice(payload);
    Injection::Raw(frame)
}

#[test]
fn payloads_that_make_no_sense_are_counted_and_the_connection_goes_on() {
    for compression in COMPRESSIONS {
        let payloads: [&[u8]; 10] = [
            b"",
            b"null",
            b"[]",
            b"{",
            b"{}",
            b"\0\0\0\0",
            br#"{"op":"seven","d":null}"#,
            br#"{"op":-1,"d":{}}"#,
            br#"{"op":18446744073709551616}"#,
            &[b'{', 0xff, 0xfe, b'}'],
        ];
        let shards = payloads.len() as u32 + 2;
        let mut gateway = lively(shards)
            .fault(amid(shards - 2, Injection::UnknownOpcode))
            .fault(amid(shards - 1, Injection::InvalidUtf8));
        for (shard, payload) in (0..).zip(payloads) {
            gateway = gateway.fault(amid(shard, text_frame(payload)));
        }
        let run = Run::start_shards(shards, gateway, |config| config.compression(compression));
        run.ledger_is_whole(shards.into());
        for shard in 0..shards {
            run.assert_links(shard, &["Connected", "Ready"]);
        }
        let counters = run.metrics().counters;
        let counted = counters.undecoded + counters.opcodes_unknown;
        assert_eq!(counted, u64::from(shards), "{counters:?}");
        assert_eq!(run.gateway.stats().connections, u64::from(shards));
        run.stop().unwrap();
    }
}

/// A dispatch of the next number, with this as its `d`.
fn dispatch(data: &[u8]) -> Vec<u8> {
    let mut payload = format!(r#"{{"t":"MESSAGE_CREATE","s":{S_NEXT},"op":0,"d":"#).into_bytes();
    payload.extend_from_slice(data);
    payload.push(b'}');
    payload
}

#[test]
fn a_dispatch_of_broken_json_reaches_the_handler_undecoded_and_counts_as_delivered() {
    for compression in COMPRESSIONS {
        let deep = [vec![b'['; 20_000], vec![b']'; 20_000]].concat();
        let broken = [
            Injection::TruncatedJson,
            text_frame(&dispatch(b"{\"id\":\"1\",\"content\":\"\xff\xfe\"}")),
            text_frame(&dispatch(b"{\"id\":\"1\",\"content\":\"\\ud800\\x\"}")),
            text_frame(&dispatch(b"{\"id\":1e999999,}")),
            text_frame(&dispatch(&deep)),
        ];
        let shards = broken.len() as u32;
        let mut gateway = lively(shards);
        for (shard, injection) in (0..).zip(broken) {
            // The number that the broken dispatch bears is left out by what follows.
            let gap = Fault::new(When::Events(AT), Action::Gap(1)).shard(shard).connection(1);
            gateway = gateway.fault(amid(shard, injection)).fault(gap);
        }
        let run = Run::start_shards(shards, gateway, |config| config.compression(compression));
        run.ledger_is_whole(shards.into());
        for shard in 0..shards {
            run.assert_links(shard, &["Connected", "Ready"]);
            let log = run.log();
            let told = |(of, name): &&(u32, String)| *of == shard && name == "MESSAGE_CREATE";
            assert_eq!(log.events.iter().filter(told).count(), 1, "shard {shard}");
        }
        assert_eq!(run.log().undecoded, u64::from(shards));
        let counters = run.metrics().counters;
        assert_eq!(counters.undecoded, u64::from(shards));
        assert_eq!((counters.missing, counters.duplicates), (0, 0));
        assert_eq!(run.gateway.stats().connections, u64::from(shards));
        run.stop().unwrap();
    }
}

/// Keeps the unknown event.
struct Curious(Arc<Mutex<Vec<String>>>);

impl Handler for Curious {
    fn on_event(&mut self, _: &mut Context<'_>, event: Event<'_>) {
        if let Event::Untyped(untyped) = event {
            let of = untyped.data.get("of").and_then(|of| of.as_str()).unwrap_or("nobody");
            self.0.lock().unwrap().push(format!("{} of {of}", untyped.name));
        }
    }
}

#[test]
fn an_event_of_an_unknown_name_arrives_whole_with_its_name_and_its_tree() {
    let gateway = gateway(1).spawn().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handlers = Arc::clone(&seen);
    let engine = Engine::start(config(1, &gateway.url()).build().unwrap(), move |_| {
        Ok(Curious(Arc::clone(&handlers)))
    })
    .unwrap();
    engine.handle().ready().wait().unwrap();
    gateway.act(Target::Shard(0), Action::Inject(Injection::UnknownEvent));
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while seen.lock().unwrap().is_empty() {
        assert!(std::time::Instant::now() < end, "it never came");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(*seen.lock().unwrap(), ["SOMETHING_OF_TOMORROW of tomorrow"]);
    assert_eq!(gateway.stats().connections, 1);
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn messages_cut_in_odd_but_lawful_ways_are_read_as_if_whole() {
    let framings = [
        Framing::Fragments(2),
        Framing::Fragments(7),
        Framing::EmptyFinal,
        Framing::Split(2),
        Framing::Split(5),
    ];
    for compression in COMPRESSIONS {
        for framing in framings {
            let gateway = gateway(4).traffic(traffic(4, 500, None)).framing(framing);
            let run = Run::start_shards(4, gateway, |config| config.compression(compression));
            let report = run.ledger_is_whole(4);
            assert_eq!(report.seen, 4 * 500, "{framing:?}, {compression:?}");
            assert_eq!(run.gateway.stats().connections, 4, "{framing:?}, {compression:?}");
            run.stop().unwrap();
        }
    }
}

#[test]
fn the_framing_may_change_amid_the_stream() {
    let gateway = gateway(3)
        .traffic(traffic(3, 500, None))
        .fault(Fault::new(When::Events(AT), Action::Frame(Framing::EmptyFinal)).shard(0))
        .fault(Fault::new(When::Events(AT), Action::Frame(Framing::Split(3))).shard(1))
        .fault(Fault::new(When::Events(AT), Action::Frame(Framing::Fragments(4))).shard(2));
    let run = Run::start_shards(3, gateway, |config| config);
    run.ledger_is_whole(3);
    assert_eq!(run.gateway.stats().connections, 3);
    run.stop().unwrap();
}

/// Bytes of memory that this process has in use.
fn resident_len() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Runs a test in a process of its own, where nobody else takes memory: true in that process.
/// Neither that process's output nor its errors hold the token.
fn is_alone(test: &str) -> bool {
    if std::env::var_os("SHARDRING_TEST_ALONE").is_some() {
        return true;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("SHARDRING_TEST_ALONE", "1")
        .output()
        .unwrap();
    let (out, errors) =
        (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && out.contains("1 passed"), "{out}\n{errors}");
    assert!(!out.contains(TOKEN) && !errors.contains(TOKEN), "{out}\n{errors}");
    false
}

/// A frame of raw deflate (RFC 1951) that goes on with the connection's stream and holds about so
/// many bytes: a literal, then itself again and again, in one block of fixed Huffman codes. Made
/// by hand, as a compressor in this process would itself take the memory that is measured.
fn bomb(len: usize) -> Injection {
    let (mut bytes, mut bits) = (Vec::new(), 0);
    let mut put = |bit: u8| {
        if bits % 8 == 0 {
            bytes.push(0);
        }
        *bytes.last_mut().unwrap() |= bit << (bits % 8);
        bits += 1;
    };
    let mut put_code = |code: u16, width: u32| {
        (0..width).rev().for_each(|at| put((code >> at & 1) as u8));
    };
    put_code(0b010, 3); // Not the last block; its type is 1, least bit first.
    put_code(0x30 + u16::from(b'{'), 8);
    for _ in 0..len / 258 {
        put_code(0b1100_0101, 8); // Length 258 …
        put_code(0, 5); // … from distance 1.
    }
    put_code(0, 7); // The block's end.
    put_code(0, 3); // An empty stored block: the mark of a whole message.
    bytes.extend_from_slice(&[0, 0, 0xff, 0xff]);
    let header = [&[0x82, 127][..], &(bytes.len() as u64).to_be_bytes()].concat();
    Injection::Raw([header, bytes].concat())
}

/// Memory grows by less than this when somebody claims, or inflates to, a gigabyte.
const GROWTH_MAX: usize = 80 << 20;

#[test]
fn a_header_that_claims_a_gigabyte_takes_no_memory() {
    if !is_alone("bad_input::a_header_that_claims_a_gigabyte_takes_no_memory") {
        return;
    }
    let shards = 16;
    // The default limits: the claim exceeds them.
    let run = Run::start_shards(shards, lively(shards), |config| config);
    run.engine.handle().ready().wait().unwrap();
    let before = resident_len();
    for shard in 0..shards {
        let claim = Injection::Claim(1 << 30);
        run.gateway.act(Target::Shard(shard), Action::Inject(claim));
        run.until_link(shard, "Disconnected { cause: Link(Wire), wire: Some(CompressedTooLong");
        let now = resident_len();
        assert!(now < before + GROWTH_MAX, "{before}, then {now} bytes");
    }
    run.ledger_is_whole(shards.into());
    assert!(run.metrics().counters.pool_peak_len < 8 << 20);
    run.stop().unwrap();
}

#[test]
fn a_zlib_bomb_takes_no_more_memory_than_the_limit() {
    if !is_alone("bad_input::a_zlib_bomb_takes_no_more_memory_than_the_limit") {
        return;
    }
    let shards = 4;
    let run = Run::start_shards(shards, lively(shards), |config| {
        let mut limits = Limits::default();
        limits.wire.inflated_len_max = 8 << 20;
        config.limits(limits)
    });
    run.engine.handle().ready().wait().unwrap();
    let before = resident_len();
    for shard in 0..shards {
        run.gateway.act(Target::Shard(shard), Action::Inject(bomb(256 << 20)));
        run.until_link(shard, "Disconnected { cause: Link(Wire), wire: Some(InflatedTooLong");
        let now = resident_len();
        assert!(now < before + GROWTH_MAX, "{before}, then {now} bytes");
    }
    run.ledger_is_whole(shards.into());
    run.stop().unwrap();
}

/// Writes down all that can be shown.
struct Spy(Arc<Mutex<String>>);

impl Spy {
    fn show(&self, shown: &dyn Debug) {
        self.0.lock().unwrap().push_str(&format!("{shown:?} {shown:#?}\n"));
    }
}

impl Handler for Spy {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        self.show(cx);
        self.show(&event);
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        self.show(cx);
        self.show(&link);
    }
}

fn show(shown: &Mutex<String>, value: &dyn Debug) {
    shown.lock().unwrap().push_str(&format!("{value:?} {value:#?}\n"));
}

fn show_text(shown: &Mutex<String>, value: &dyn Display) {
    shown.lock().unwrap().push_str(&format!("{value}\n"));
}

#[test]
fn the_token_stands_nowhere_though_the_gateway_sends_it_back() {
    if !is_alone("bad_input::the_token_stands_nowhere_though_the_gateway_sends_it_back") {
        return;
    }
    let shown = Arc::new(Mutex::new(String::new()));
    let token = Token::new(TOKEN).unwrap();
    show(&shown, &token);
    show_text(&shown, &token);
    for mistyped in [format!("{TOKEN}\n{TOKEN}"), TOKEN.repeat(20), format!("\"{TOKEN}\"")] {
        let error = Token::new(&mistyped).unwrap_err();
        show(&shown, &error);
        show_text(&shown, &error);
        show(&shown, &shardring::Error::from(error));
    }
    let settings = shardring::sans_io::shard::settings::SessionSettings::new(token, 1, "ws://here");
    show(&shown, &settings);

    let close = |code| Action::Close { code, reason: TOKEN.into() };
    let fault = |at, action, nth| Fault::new(at, action).shard(0).connection(nth);
    let gateway = gateway(2)
        .fault(fault(When::Ready, close(4000), 1))
        .fault(fault(When::Ready, Action::Inject(Injection::Text(TOKEN.into())), 2))
        .fault(fault(When::Ready, Action::Inject(Injection::Masked), 2))
        .fault(fault(When::Ready, close(4004), 3))
        .spawn()
        .unwrap();
    let builder = config(2, &gateway.url());
    show(&shown, &builder);
    let wrong = builder.clone().shards(Shards::list([7], 2)).build().unwrap_err();
    show(&shown, &wrong);
    show_text(&shown, &wrong);
    let config = builder.build().unwrap();
    show(&shown, &config);
    let handlers = Arc::clone(&shown);
    let engine = Engine::start(config, move |_| Ok(Spy(Arc::clone(&handlers)))).unwrap();
    let handle = engine.handle();
    show(&shown, &engine);
    show(&shown, &handle);
    let failure = handle.failure().wait().unwrap();
    assert_eq!(failure.kind(), ErrorKind::Refused);
    show(&shown, &failure);
    show_text(&shown, &failure);
    show(&shown, &handle.metrics().wait().unwrap());
    show(&shown, &handle.errors());
    // A command that a caller mistook.
    let raw = shardring::command::Command::raw(2, TOKEN);
    let refused = handle.send(1, raw).wait().unwrap_err();
    show(&shown, &refused);
    show_text(&shown, &refused);
    let stats = gateway.stats();
    assert_eq!(stats.resumes, 2, "the token was sent in RESUME, too");
    let stopped = engine.stop(Stop::EndSessions).unwrap_err();
    show(&shown, &stopped);
    show_text(&shown, &stopped);

    let shown = shown.lock().unwrap();
    assert!(shown.contains("MaskedFrame") && shown.contains("Resumed"), "{shown}");
    assert!(!shown.contains(TOKEN), "the token is shown");
    // Nor a part of it that would do.
    assert!(!shown.contains("secret-of-the-tests"), "a part of the token is shown");
}

#[test]
fn peers_that_fall_silent_inside_large_messages_do_not_stall_the_others() {
    // Two shards begin messages of 900 KB and send two thirds of them: more than the pool's 1 MiB.
    let mut half = vec![0x82, 127];
    half.extend_from_slice(&900_000_u64.to_be_bytes());
    half.resize(600_000, 7);
    let shards = 12;
    let mut gateway = gateway(shards).heartbeat_interval_ms(8_000).traffic(traffic(
        shards,
        600,
        Some(f64::from(shards) * 200.0),
    ));
    for shard in [0, 1] {
        gateway = gateway
            .fault(amid(shard, raw(&half)))
            .fault(Fault::new(When::Events(AT + 5), Action::Zombie).shard(shard).connection(1));
    }
    let run = Run::start_shards(shards, gateway, |config| {
        let mut limits = Limits::default();
        limits.pool.len_max = 1 << 20;
        limits.pool.reserve_len_max = 2 << 20;
        config.limits(limits).cores(1)
    });
    // The others have all of theirs long before a heartbeat gives the silent ones away.
    run.until("the traffic of the others", |log, _| {
        log.records.len() as u64 >= u64::from(shards - 2) * 600
    });
    let counters = run.metrics().counters;
    assert!(counters.receivers_held_back > 0, "{counters:?}");
    assert!(counters.pool_peak_len <= 3 << 20, "{counters:?}");
    assert_eq!(counters.disconnects.iter().sum::<u64>(), 0, "{counters:?}");
    run.stop().unwrap();
}

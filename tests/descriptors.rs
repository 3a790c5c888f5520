//! Descriptors: dials that fail, in whatever way, leave none behind. A process of its own, as all
//! that are open in it are counted.
#![cfg(feature = "driver")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shardring::{
    BudgetSettings, Config, Context, Engine, Event, Handler, Intents, Limits, Shards, Stop,
    Timeouts, Token,
};

const SHARDS: u32 = 500;
/// Connections that the host below has ended.
const DIALS: usize = 2_000;
/// Connections that may be on their way at a time.
const DIALS_MAX: u32 = 128;
/// What the test and the engine have open besides.
const OTHERS: usize = 100;

struct Nobody;

impl Handler for Nobody {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

fn open_len() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Ends what it accepts, each time in another way. None of them shuts the host for all shards.
fn refuse(mut stream: TcpStream, count: usize) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = stream.read(&mut [0; 1024]);
    let answer: &[u8] = match count % 3 {
        0 => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        1 => b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nno such thing here",
        _ => b"HTTP/1.1 401 Unauthorized\r\n\r\n",
    };
    // The client may have had enough.
    let _ = stream.write_all(answer);
}

#[test]
fn thousands_of_dials_that_fail_leave_no_descriptor_behind() {
    let before = open_len();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // A name: where it has an address of the other family, that is tried as well, and refuses.
    let url = format!("ws://localhost:{}", listener.local_addr().unwrap().port());
    let ended = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ended);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            refuse(stream.unwrap(), counter.fetch_add(1, Ordering::Relaxed));
        }
    });
    let mut limits = Limits::default();
    limits.dials_max = DIALS_MAX;
    let mut timeouts = Timeouts::default();
    timeouts.close = Duration::from_millis(300);
    let mut budget = BudgetSettings::default();
    budget.total = Some(u32::MAX);
    let config = Config::builder(Token::new("a.b.c").unwrap(), Intents::ALL)
        .shards(Shards::all(SHARDS))
        .gateway_url(&url)
        .max_concurrency(SHARDS)
        .limits(limits)
        .timeouts(timeouts)
        .budget(budget)
        .cores(1)
        .build()
        .unwrap();
    let engine = Engine::start(config, |_| Ok(Nobody)).unwrap();
    let end = Instant::now() + Duration::from_secs(240);
    let mut most = 0;
    while ended.load(Ordering::Relaxed) < DIALS {
        assert!(Instant::now() < end, "{} dials only", ended.load(Ordering::Relaxed));
        most = most.max(open_len());
        std::thread::sleep(Duration::from_millis(5));
    }
    // Both ends of a connection are in this process, and of its attempts four at most are open.
    let bound = before + OTHERS + 5 * DIALS_MAX as usize;
    assert!(most <= bound, "{most} open at a time, {bound} at the most");
    engine.stop(Stop::EndSessions).unwrap();
    let after = open_len();
    assert!(after <= before + 10, "{before} before, {after} after");
}

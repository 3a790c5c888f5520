//! Two processes of one host run one bot: between them they keep Discord's rule of one IDENTIFY per
//! key and window, by the gateway's own count, and so they do when one is killed again and again.
//!
//! The engines run in processes of their own (this very program, started again) and share a book;
//! the gateway is here.

#![allow(clippy::print_stdout)] // an engine's process tells that it is ready

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use replay_gateway::{Gateway, GatewayHandle};
use shardring::sans_io::clock::{Rng, Time};
use shardring::{
    Book, Config, Context, Engine, Event, Handler, Intents, Shards, StartLedger as _, Stop, Token,
};

const TOKEN: &str = "MTIz.token-of-the-fleet.abc";
/// Set for a process that is to run shards: URL, book, first shard, end, total, max_concurrency.
const ORDERS: &str = "SHARDRING_FLEET_ORDERS";
/// What a process says once all its shards have been READY.
const READY: &str = "all shards are ready";
/// An IDENTIFY is longer, and the heartbeats that may come before it are shorter.
const IDENTIFY_LEN_MIN: usize = 100;
/// What the tests wait at most for anything.
const AT_MOST: Duration = Duration::from_secs(150);

struct Idle;

impl Handler for Idle {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

/// What a started process does, until its standard input ends. In the parent: nothing.
#[test]
fn the_part_of_a_process() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Vec<&str> = orders.split('|').collect();
    let [url, book, first, end, total, max_concurrency] = orders[..] else { panic!("{orders:?}") };
    let number = |text: &str| text.parse::<u32>().unwrap();
    let config = Config::builder(Token::new(TOKEN).unwrap(), Intents::ALL)
        .shards(Shards::range(number(first)..number(end), number(total)))
        .max_concurrency(number(max_concurrency))
        .gateway_url(url)
        .book(book)
        .cores(1)
        .build()
        .unwrap();
    let engine = Engine::start(config, |_| Ok(Idle)).unwrap();
    engine.handle().ready().wait().unwrap();
    println!("{READY}");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    engine.stop(Stop::EndSessions).unwrap();
}

/// A bot over several processes, and the gateway that it runs at.
struct Fleet {
    gateway: GatewayHandle,
    book: PathBuf,
    total: u32,
    max_concurrency: u32,
}

impl Fleet {
    fn new(name: &str, total: u32, max_concurrency: u32) -> Self {
        let file = format!("fleet-{name}-{}.book", std::process::id());
        let book = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        let _ = std::fs::remove_file(&book);
        let gateway = Gateway::builder().token(TOKEN).max_concurrency(max_concurrency);
        Self { gateway: gateway.spawn().unwrap(), book, total, max_concurrency }
    }

    fn start(&self, shards: Range<u32>) -> Process {
        self.start_at(&self.gateway.url(), shards)
    }

    /// The same, with another way to the gateway.
    fn start_at(&self, url: &str, shards: Range<u32>) -> Process {
        let (book, total, max_concurrency) =
            (self.book.to_str().unwrap(), self.total, self.max_concurrency);
        let Range { start, end } = shards;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_part_of_a_process", "--nocapture"])
            .env(ORDERS, format!("{url}|{book}|{start}|{end}|{total}|{max_concurrency}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let is_ready = Arc::new(AtomicBool::new(false));
        let (lines, told) = (child.stdout.take().unwrap(), Arc::clone(&is_ready));
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                told.fetch_or(line.ends_with(READY), Ordering::SeqCst);
            }
        });
        Process { stdin: child.stdin.take(), child, is_ready }
    }

    /// IDENTIFYs that the book has counted, of all processes.
    fn counted(&self) -> u32 {
        let book = Book::open(&self.book, &Token::new(TOKEN).unwrap()).unwrap();
        book.state(Time::ZERO).counted
    }

    #[track_caller]
    fn assert_rule_kept(&self) {
        let stats = self.gateway.stats();
        assert_eq!(stats.identifies_too_soon, 0, "{stats:#?}");
        assert!(stats.identifies_per_window_max <= 1, "{stats:#?}");
        assert!(u64::from(self.counted()) >= stats.identifies, "{} counted", self.counted());
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.book);
    }
}

/// A way to the gateway that carries the upgrade and HELLO, and swallows all that a client says
/// after its upgrade: an IDENTIFY is written, and never arrives.
struct Swallower {
    url: String,
    swallowed: Arc<AtomicBool>,
}

impl Swallower {
    fn start(fleet: &Fleet) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let swallowed = Arc::new(AtomicBool::new(false));
        let (gateway, told) = (fleet.gateway.addr(), Arc::clone(&swallowed));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(gateway).unwrap());
                let (to_client, from_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                // Either side's end is the end.
                std::thread::spawn(move || std::io::copy(&mut &from_server, &mut &to_client));
                let told = Arc::clone(&told);
                std::thread::spawn(move || swallow(&client, &server, &told));
            }
        });
        Self { url, swallowed }
    }
}

/// Passes the head of the upgrade on; what follows is swallowed, and told.
fn swallow(mut client: &TcpStream, mut server: &TcpStream, told: &AtomicBool) {
    let mut head = Vec::new();
    let (mut byte, mut identify) = ([0], [0; IDENTIFY_LEN_MIN]);
    while !head.ends_with(b"\r\n\r\n") && matches!(client.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let _ = server.write_all(&head);
    if client.read_exact(&mut identify).is_ok() {
        told.store(true, Ordering::SeqCst);
    }
    // Until it is killed, and then the gateway's side ends, too.
    let _ = std::io::copy(&mut client, &mut std::io::sink());
    let _ = server.shutdown(Shutdown::Both);
}

/// A process that runs some of the shards.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    is_ready: Arc<AtomicBool>,
}

impl Process {
    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::SeqCst)
    }

    #[track_caller]
    fn until_ready(&mut self, fleet: &Fleet) {
        let end = Instant::now() + AT_MOST;
        while !self.is_ready() {
            assert_eq!(self.child.try_wait().unwrap(), None, "it ended");
            assert!(Instant::now() < end, "never ready: {:#?}", fleet.gateway.stats());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL: it has no chance to write anything down.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn stop(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of a test that failed nothing is left behind; gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn assert_shared(name: &str, total: u32, max_concurrency: u32) {
    let fleet = Fleet::new(name, total, max_concurrency);
    // Each has shards of every key.
    let mut processes = [fleet.start(0..total / 2), fleet.start(total / 2..total)];
    for process in &mut processes {
        process.until_ready(&fleet);
    }
    let stats = fleet.gateway.stats();
    assert_eq!((stats.identifies, stats.sessions_connected), (total.into(), total.into()));
    assert_eq!(fleet.counted(), total);
    fleet.assert_rule_kept();
    processes.into_iter().for_each(Process::stop);
}

#[test]
fn two_processes_share_one_identify_per_window() {
    assert_shared("one", 4, 1);
}

#[test]
fn two_processes_share_the_two_keys_of_a_max_concurrency_of_2() {
    assert_shared("two", 6, 2);
}

#[test]
fn a_process_killed_again_and_again_as_it_starts_breaks_no_rule_and_holds_nobody_up_for_good() {
    let fleet = Fleet::new("kills", 12, 4);
    let mut survivor = fleet.start(0..6);
    let mut rng = Rng::new(7);
    for round in 0..9 {
        let (counted, upgrades) = (fleet.counted(), fleet.gateway.stats().upgrades);
        let swallower = Swallower::start(&fleet);
        let url = if round % 3 == 0 { swallower.url.clone() } else { fleet.gateway.url() };
        let victim = fleet.start_at(&url, 6..12);
        // As an IDENTIFY was written that nobody ever reads; as soon as the book has counted one,
        // which comes before its bytes; or when a connection is up, or somewhat later.
        let end = Instant::now() + AT_MOST;
        let is_time = |round| match round % 3 {
            0 => swallower.swallowed.load(Ordering::SeqCst),
            1 => fleet.counted() > counted,
            _ => fleet.gateway.stats().upgrades > upgrades,
        };
        while !is_time(round) {
            assert!(Instant::now() < end, "round {round}: {:#?}", fleet.gateway.stats());
        }
        if round % 3 == 2 {
            std::thread::sleep(Duration::from_micros(rng.next_u64() % 8_000));
        }
        victim.kill();
        fleet.assert_rule_kept();
    }
    let mut last = fleet.start(6..12);
    survivor.until_ready(&fleet);
    last.until_ready(&fleet);
    let stats = fleet.gateway.stats();
    let unseen = u64::from(fleet.counted()) - stats.identifies;
    assert!(unseen >= 3, "each IDENTIFY that was swallowed is counted; {unseen}");
    assert_eq!(stats.sessions_connected, 12, "{stats:#?}");
    assert_eq!(stats.heartbeats_late, 0);
    for shard in 0..6 {
        assert_eq!(stats.shards[&shard].identify_ms.len(), 1, "shard {shard} was not disturbed");
    }
    fleet.assert_rule_kept();
    survivor.stop();
    last.stop();
}

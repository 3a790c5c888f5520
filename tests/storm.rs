//! A thousand shards start at once, each with a GUILD_CREATE of 3 MB: everything arrives, and the
//! process stays under a bound that is stated beforehand.
//!
//! The gateway runs in a process of its own (this very program, started again), so that what is
//! measured is the engine.

#![allow(clippy::print_stdout)] // the gateway's process tells its address

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use replay_gateway::Gateway;
use shardring::{
    BudgetSettings, Compression, Config, Context, Engine, Event, EventKind, Handler, Intents,
    Interest, Link, Shards, Stop, Token,
};

const SHARDS: u32 = 1_000;
const GUILD_LEN: usize = 3_000_000;
const TOKEN: &str = "a.storm.token";
/// Set for the process that is to be the gateway.
const CHILD: &str = "SHARDRING_STORM_GATEWAY";

/// The default pool's 32 MiB and its reserve's 12; the sessions' windows and states, 52 KiB a
/// shard; the scratch of one 3 MB message (text, tape, parser's buffers), 24 MiB; 16 MiB for the
/// ring, the program and the allocator.
const RSS_MAX_KIB: u64 = (32 + 12 + 24 + 16) * 1024 + SHARDS as u64 * 52;

struct Counting {
    guilds: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Handler for Counting {
    fn on_event(&mut self, _: &mut Context<'_>, event: Event<'_>) {
        if let Event::GuildCreate(guild) = event {
            assert!(!guild.name.is_empty());
            self.guilds.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(guild.members.len() as u64, Ordering::Relaxed);
        }
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        if let Link::Disconnected { cause, wire: Some(wire) } = link {
            eprintln!("shard {}: {cause}: {wire}", cx.shard());
        }
    }
}

#[test]
fn a_thousand_shards_with_3_mb_each_arrive_within_a_bound() {
    if std::env::var_os(CHILD).is_some() {
        return be_the_gateway();
    }
    let (mut child, url) = start_gateway();
    let before_kib = memory_kib("VmRSS:");
    let config = Config::builder(Token::new(TOKEN).unwrap(), Intents::ALL)
        .shards(Shards::all(SHARDS))
        .max_concurrency(SHARDS)
        .gateway_url(url)
        .budget(BudgetSettings::unlimited())
        .compression(Compression::ZlibStream)
        .interest(Interest::typed([EventKind::GuildCreate]))
        .cores(1)
        .build()
        .unwrap();
    let (guilds, members) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (count, bytes) = (Arc::clone(&guilds), Arc::clone(&members));
    let engine = Engine::start(config, move |_| {
        Ok(Counting { guilds: Arc::clone(&count), bytes: Arc::clone(&bytes) })
    })
    .unwrap();
    let end = Instant::now() + Duration::from_secs(180);
    while guilds.load(Ordering::Relaxed) < u64::from(SHARDS) {
        assert!(Instant::now() < end, "{} arrived", guilds.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(20));
    }
    let metrics = engine.handle().metrics().wait().unwrap();
    let counters = metrics.counters;
    assert!(metrics.kind(EventKind::GuildCreate).text_len >= u64::from(SHARDS) * GUILD_LEN as u64);
    assert!(members.load(Ordering::Relaxed) > u64::from(SHARDS) * 100);
    assert_eq!(counters.disconnects.iter().sum::<u64>(), 0, "{:?}", counters.disconnects);
    assert_eq!(counters.duplicates + counters.missing, 0);
    assert!(counters.pool_peak_len <= (32 + 12) << 20, "{} bytes", counters.pool_peak_len);
    let peak_kib = memory_kib("VmHWM:") - before_kib;
    assert!(peak_kib <= RSS_MAX_KIB, "{peak_kib} KiB, {RSS_MAX_KIB} are stated; {counters:?}");
    engine.stop(Stop::EndSessions).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn start_gateway() -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_thousand_shards_with_3_mb_each_arrive_within_a_bound", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines
        .find_map(|line| line.unwrap().split_once("listening ").map(|(_, url)| url.to_owned()))
        .unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    (child, url)
}

/// Serves until standard input ends.
fn be_the_gateway() {
    let gateway = Gateway::builder()
        .token(TOKEN)
        .max_concurrency(SHARDS)
        .guilds_per_shard(1)
        .big_guild_bytes(GUILD_LEN)
        .spawn()
        .unwrap();
    println!("listening {}", gateway.url());
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    gateway.stop().unwrap();
}

fn memory_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

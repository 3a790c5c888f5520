//! Prints the engine's metrics every few seconds: totals, percentiles, kinds, shards.
//!
//! ```text
//! DISCORD_TOKEN=… GATEWAY_URL=ws://127.0.0.1:8080 SHARDS=4 \
//!     cargo run --example metrics
//! ```
//!
//! Each core counts for itself; asking merges copies of all cores, and costs them a copy of a few
//! hundred KiB. A shard's latency is printed with the age of its last acknowledgement, since a
//! small number that is ten minutes old says nothing.

#![allow(clippy::print_stdout, reason = "an example that prints is what it is for")]

use std::time::Duration;

use shardring::metrics::{Latency, ShardMetrics};
use shardring::{
    Config, ConfigBuilder, Context, Engine, Error, Event, Handle, Handler, Intents, Metrics,
    Shards, Stop, Token,
};
use signal_hook::consts::{SIGINT, SIGTERM};

const PERIOD: Duration = Duration::from_secs(5);
/// The most shards printed one by one.
const SHARDS_SHOWN_MAX: usize = 16;

/// Wants everything, keeps nothing: the metrics count.
struct Idle;

impl Handler for Idle {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

fn main() -> Result<(), Error> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let shards = std::env::var("SHARDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let config = at_gateway(Config::builder(token, Intents::UNPRIVILEGED))
        .shards(Shards::all(shards))
        .build()?;

    let engine = Engine::start(config, |_core| Ok(Idle))?;
    let handle = engine.handle();
    stop_on_signal(handle.clone());
    // A signal came, or every shard was refused: `join` says which.
    while !handle.is_stopped() {
        std::thread::sleep(PERIOD);
        match handle.metrics().wait() {
            Ok(metrics) => print(&metrics),
            Err(error) => println!("{error}"),
        }
    }
    engine.join()
}

fn print(metrics: &Metrics) {
    let counters = &metrics.counters;
    println!(
        "\n{} events ({} delivered), {} bytes on the wire, {} of JSON, {} resumed, {} missing",
        counters.dispatches,
        counters.delivered,
        counters.wire_len,
        counters.text_len,
        counters.resumed,
        counters.missing,
    );
    println!("{:>22} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "count", "p50", "p99", "p99.9", "max");
    latency("receive to callback", &metrics.receive_to_callback);
    latency("decode", &metrics.decode);
    latency("callback", &metrics.callback);
    latency("heartbeat", &metrics.heartbeat);
    for (kind, counters) in metrics.kinds() {
        println!(
            "{:>28} {:>9} received {:>9} delivered {:>5} imperfect",
            kind.name(),
            counters.received,
            counters.delivered,
            counters.imperfect
        );
    }
    for shard in metrics.shards().iter().take(SHARDS_SHOWN_MAX) {
        print_shard(shard);
    }
}

fn latency(name: &str, latency: &Latency) {
    println!(
        "{name:>22} {:>9} {:>9.1?} {:>9.1?} {:>9.1?} {:>9.1?}",
        latency.len(),
        latency.percentile(50.0),
        latency.percentile(99.0),
        latency.percentile(99.9),
        latency.max()
    );
}

fn print_shard(shard: &ShardMetrics) {
    print!("shard {:>4} on core {}: {:?}", shard.shard, shard.core, shard.state);
    if let Some(sequence) = shard.sequence {
        print!(", event {sequence}");
    }
    match (shard.round_trip.last, shard.last_ack_age) {
        (Some(last), Some(age)) => print!(", heartbeat {last:.1?}, {age:.1?} ago"),
        _ => print!(", no heartbeat acknowledged yet"),
    }
    if let Some(paused_for) = shard.paused_for {
        print!(", paused for {paused_for:.1?}");
    }
    println!(", {} disconnects", shard.disconnects);
}

/// `GATEWAY_URL`, if it is set.
fn at_gateway(config: ConfigBuilder) -> ConfigBuilder {
    match std::env::var("GATEWAY_URL") {
        Ok(url) => config.gateway_url(url),
        Err(_) => config,
    }
}

/// The library installs no signal handler: that is the program's affair.
fn stop_on_signal(handle: Handle) {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .expect("these two signals can be watched");
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            handle.stop(Stop::EndSessions);
        }
    });
}

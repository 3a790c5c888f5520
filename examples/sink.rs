//! Hands every event to a slow sink, a few at a time, and acknowledges it when the sink has it.
//!
//! ```text
//! DISCORD_TOKEN=… GATEWAY_URL=ws://127.0.0.1:8080 cargo run --example sink
//! ```
//!
//! The sink is a task of tokio on a thread of its own: it takes a batch, "writes" it (here: waits),
//! and acknowledges each event of it. Nothing grows without bound while it lags. A shard may have
//! [`WINDOW`] events open; then the engine stops reading its socket, TCP pushes back at the
//! gateway, and heartbeats go on, until half of the window is acknowledged. So the queue between
//! handler and sink needs no bound of its own: it never holds more than the windows of all shards
//! together.
//!
//! Once a second it prints what each side does: events in the sink, events open, shards that wait,
//! heartbeats sent. These go on; what the gateway answers to them lies in the socket behind the
//! events, and is not held against it.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use shardring::{
    Ack, Config, ConfigBuilder, Context, Delivery, Engine, Error, Event, Handle, Handler, Intents,
    Interest, Limits, Link, Shards, Stop, Token,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const SHARDS: u32 = 2;
/// Open events of a shard.
const WINDOW: u32 = 64;
/// Events that the sink takes at a time.
const BATCH_LEN: usize = 16;
/// How long it takes it.
const BATCH_WAIT: Duration = Duration::from_millis(20);

/// An event's text, and the promise to acknowledge it.
type Item = (Box<str>, Ack);

struct ToSink {
    /// Bounded by the windows.
    queue: UnboundedSender<Item>,
}

impl Handler for ToSink {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        if let Event::Raw(raw) = event {
            // Refused only when the sink is gone; the ack is dropped then, and the alarm raised.
            let _ = self.queue.send((raw.text.into(), cx.defer_ack()));
        }
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        if let Link::AcksDropped { first_seq, last_seq, count } = link {
            let shard = cx.shard();
            println!("shard {shard}: {count} events given up, {first_seq:?} to {last_seq:?}");
        }
    }
}

fn main() -> Result<(), Error> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let mut limits = Limits::default();
    limits.open_acks_max = WINDOW;
    let config = at_gateway(Config::builder(token, Intents::UNPRIVILEGED))
        .interest(Interest::all(Delivery::Raw))
        .shards(Shards::all(SHARDS))
        .limits(limits)
        .build()?;

    let (queue, items) = unbounded_channel();
    let written = Arc::new(AtomicU64::new(0));
    let sink = run_sink(items, Arc::clone(&written));
    let engine = Engine::start(config, move |_core| Ok(ToSink { queue: queue.clone() }))?;
    stop_on_signal(engine.handle());
    let teller = tell(engine.handle(), written);

    let ended = engine.join();
    // The handlers are gone, and with them the queue's other end: the sink ends when it is empty.
    for thread in [sink, teller] {
        if thread.join().is_err() {
            println!("a thread of this example panicked");
        }
    }
    ended
}

/// The sink: started before the engine, so that its thread is not pinned to a core of it.
fn run_sink(mut items: UnboundedReceiver<Item>, written: Arc<AtomicU64>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime can be made").block_on(async {
            let mut batch = Vec::with_capacity(BATCH_LEN);
            while items.recv_many(&mut batch, BATCH_LEN).await > 0 {
                tokio::time::sleep(BATCH_WAIT).await; // here the batch would be written
                written.fetch_add(batch.len() as u64, Ordering::Relaxed);
                batch.drain(..).for_each(|(_, ack)| ack.ack());
            }
        });
    })
}

/// Tells once a second how it goes, until the engine stops.
fn tell(handle: Handle, written: Arc<AtomicU64>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while let Err(still_running) = handle.stopped().wait_timeout(Duration::from_secs(1)) {
            drop(still_running);
            let mut waiting = 0;
            for shard in handle.shards().iter().filter_map(|id| handle.shard(*id).ok()) {
                let status = shard.status().wait();
                waiting += usize::from(status.is_ok_and(|status| status.waits_for_acks));
            }
            let Ok(metrics) = handle.metrics().wait() else { break };
            let open: usize = metrics.shards().iter().map(|shard| shard.open_acks).sum();
            println!(
                "{} events in the sink, {open} open, {waiting} shards wait, {} heartbeats sent",
                written.load(Ordering::Relaxed),
                metrics.counters.heartbeats,
            );
        }
    })
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

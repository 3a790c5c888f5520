//! Forwards every event's JSON text, as it came, to standard output: one payload a line.
//!
//! ```text
//! DISCORD_TOKEN=… GATEWAY_URL=ws://127.0.0.1:8080 \
//!     cargo run --example forward > events.jsonl
//! ```
//!
//! Nothing is parsed (`Delivery::Raw`), and nothing grows without bound when the reader of the
//! output is slow: the queue between the handler and the writer is bounded. A shard that finds it
//! full leaves its event in it and pauses; TCP then pushes back at the gateway while heartbeats go
//! on. When the writer has emptied the queue to a quarter it lets the paused shards go on.

#![allow(clippy::print_stderr, reason = "an example says on standard error how it fares")]

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use shardring::{
    Config, ConfigBuilder, Context, Delivery, Engine, Error, Event, Handle, Handler, Intents,
    Interest, Shards, Stop, Token,
};
use signal_hook::consts::{SIGINT, SIGTERM};

/// From so many lines on the shard that adds one pauses. The queue holds at most this and one line
/// more for each shard, since a paused shard adds nothing.
const LINES_HIGH: usize = 4096;
/// Emptied to here, the paused shards go on.
const LINES_LOW: usize = LINES_HIGH / 4;

/// Between the handlers of all cores and the writer.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Box<str>>,
    /// Shards that wait for [`LINES_LOW`].
    paused: Vec<u32>,
    is_closed: bool,
}

impl Queue {
    /// Adds a line. The shard must pause if this gives `true`; it stands in the list already.
    fn push(&self, shard: u32, line: &str) -> bool {
        let mut state = self.lock();
        state.lines.push_back(line.into());
        let is_full = state.lines.len() >= LINES_HIGH;
        if is_full {
            state.paused.push(shard);
        }
        drop(state);
        self.filled.notify_one();
        is_full
    }

    /// Takes a line; waits for one. `None` once the queue is closed and empty.
    fn pop(&self) -> Option<Box<str>> {
        let mut state = self.lock();
        loop {
            if let Some(line) = state.lines.pop_front() {
                return Some(line);
            }
            if state.is_closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the paused shards go on if there is room for them.
    fn release(&self, handle: &Handle) {
        let mut state = self.lock();
        if state.lines.len() <= LINES_LOW {
            for shard in state.paused.drain(..) {
                // A core's mailbox takes 4096 calls and nobody else makes any here, so the one
                // error left is that the engine has stopped: nothing has to go on then.
                let _ = handle.unpause(shard);
            }
        }
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Forward {
    queue: Arc<Queue>,
}

impl Handler for Forward {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        // Raw delivery gives `Raw` for every kind, also for those that this version does not know.
        if let Event::Raw(raw) = event
            && self.queue.push(cx.shard().id, raw.text)
        {
            cx.pause();
        }
    }
}

fn main() -> Result<(), Error> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let config = at_gateway(Config::builder(token, Intents::UNPRIVILEGED))
        .interest(Interest::all(Delivery::Raw))
        .shards(Shards::all(2))
        .build()?;

    let queue = Arc::new(Queue::default());
    let handlers_queue = Arc::clone(&queue);
    // One handler per core, and again after a panic: they share the queue.
    let engine =
        Engine::start(config, move |_core| Ok(Forward { queue: Arc::clone(&handlers_queue) }))?;
    stop_on_signal(engine.handle());
    let writer = write_on_a_thread(Arc::clone(&queue), engine.handle());

    let ended = engine.join();
    // No handler runs any more; what they queued is still written.
    queue.close();
    match writer.join() {
        Ok(Ok(lines)) => eprintln!("{lines} events forwarded"),
        Ok(Err(error)) => eprintln!("standard output: {error}"),
        Err(_) => eprintln!("the writer panicked"),
    }
    ended
}

/// Writes lines until the queue is closed; an output that fails stops the engine.
fn write_on_a_thread(queue: Arc<Queue>, handle: Handle) -> JoinHandle<io::Result<u64>> {
    std::thread::spawn(move || {
        let written = write_all(&queue, &handle);
        if written.is_err() {
            handle.stop(Stop::EndSessions);
        }
        written
    })
}

fn write_all(queue: &Queue, handle: &Handle) -> io::Result<u64> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut lines = 0;
    while let Some(line) = queue.pop() {
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
        lines += 1;
        queue.release(handle);
    }
    out.flush()?;
    Ok(lines)
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

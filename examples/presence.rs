//! Sets presences: from the handler as a shard becomes READY, and from outside by a handle.
//!
//! ```text
//! DISCORD_TOKEN=… GATEWAY_URL=ws://127.0.0.1:8080 cargo run --example presence
//! ```
//!
//! From the handler a command lands straight in its shard's outbox. A handle may be on any thread:
//! its call checks, queues, and gives a receipt, which is a future and can be waited for. Every
//! shard has its own presence, which it remembers over reconnects, and its own limits (120 payloads
//! in 60 s, 5 presences in 20 s).

#![allow(clippy::print_stdout, reason = "an example that prints is what it is for")]

use std::time::Duration;

use shardring::command::{Activity, Status, UpdatePresence};
use shardring::{
    Config, ConfigBuilder, Context, Engine, Error, ErrorKind, Event, EventKind, Handle, Handler,
    Intents, Interest, Link, Shards, Stop, Token,
};
use signal_hook::consts::{SIGINT, SIGTERM};

struct Bot;

impl Handler for Bot {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        if let Event::Ready(ready) = event {
            println!("[{}] {} is ready", cx.shard(), ready.user.username);
        }
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        if let Link::Ready { .. } = link {
            let shard = cx.shard();
            let presence = UpdatePresence::new(Status::Idle).activity(Activity::custom("waking"));
            // An error here means that nothing was queued: a full outbox, or a rule that is broken.
            match cx.send(presence) {
                Ok(_receipt) => println!("[{shard}] idle is queued"),
                Err(error) => println!("[{shard}] idle was not queued: {error}"),
            }
        }
    }
}

fn main() -> Result<(), Error> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let config = at_gateway(Config::builder(token, Intents::GUILDS))
        // What IDENTIFY says: the first presence costs no command.
        .presence(UpdatePresence::new(Status::Online))
        .interest(Interest::typed([EventKind::Ready]))
        .shards(Shards::all(2))
        .build()?;

    let engine = Engine::start(config, |_core| Ok(Bot))?;
    let handle = engine.handle();
    stop_on_signal(handle.clone());
    handle.ready().wait()?;
    match rotate(&handle) {
        // A signal came.
        Err(error) if error.kind() == ErrorKind::Stopped => engine.join(),
        result => result.and(engine.stop(Stop::EndSessions)),
    }
}

/// Shows each shard's number, then the time that it took to say so, over and over.
fn rotate(handle: &Handle) -> Result<(), Error> {
    for round in 0u64.. {
        // All are queued before the first is waited for: the shards write side by side.
        let receipts: Vec<_> = handle
            .shards()
            .iter()
            .map(|shard| {
                let playing = Activity::playing(format!("on shard {shard}, round {round}"));
                // The status stays what it is: it is not named.
                let presence = UpdatePresence::default().activity(playing);
                (*shard, handle.update_presence(*shard, presence))
            })
            .collect();
        for (shard, receipt) in receipts {
            match receipt.wait() {
                // Written to the socket. Discord does not acknowledge presences.
                Ok(sent) => println!("[{shard}] round {round} is sent at {:?}", sent.at),
                // Another part of the program was quicker.
                Err(error) if error.kind() == ErrorKind::Superseded => {}
                Err(error) => return Err(error),
            }
        }
        // The same for all: one call, one receipt.
        let tally = handle.update_presence_all(&UpdatePresence::new(Status::Online)).wait();
        println!("online on {} shards, not on {}", tally.sent, tally.failed.len());
        // At this pace a shard uses 12 of its 120 payloads a minute, and 4 of 5 presences in 20 s.
        std::thread::sleep(Duration::from_secs(10));
    }
    Ok(())
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

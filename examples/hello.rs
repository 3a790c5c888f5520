//! Logs in, answers nothing, prints what comes.
//!
//! ```text
//! DISCORD_TOKEN=… GATEWAY_URL=ws://127.0.0.1:8080 cargo run --example hello
//! ```
//!
//! `GATEWAY_URL` is the replay gateway's, or that of a local proxy that speaks TLS to Discord;
//! without it the library's own default is taken, and refused as long as there is no TLS.

#![allow(clippy::print_stdout, reason = "an example that prints is what it is for")]

use shardring::{
    Config, ConfigBuilder, Context, Engine, Error, Event, Handle, Handler, Intents, Link, Stop,
    Token,
};
use signal_hook::consts::{SIGINT, SIGTERM};

struct Hello;

impl Handler for Hello {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        let shard = cx.shard();
        match event {
            Event::Ready(ready) => {
                println!("[{shard}] {} is in {} guilds", ready.user.username, ready.guilds.len());
            }
            Event::MessageCreate(message) => {
                println!("[{shard}] {}: {}", message.author.username, message.content);
            }
            other => println!("[{shard}] {}", other.kind()),
        }
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        let shard = cx.shard();
        match link {
            Link::Connected => println!("[{shard}] connected"),
            Link::Resumed { replayed } => println!("[{shard}] resumed, {replayed} came late"),
            Link::Disconnected { cause, .. } => println!("[{shard}] disconnected: {cause}"),
            Link::Reconnecting { after, resume, .. } => {
                println!("[{shard}] dials again in {after:.1?}, to resume: {resume}");
            }
            Link::SessionLost { first_seq, .. } => {
                println!(
                    "[{shard}] session lost: events from number {first_seq} on may be missing"
                );
            }
            Link::Refused { refusal } => println!("[{shard}] refused for good: {refusal}"),
            _ => {}
        }
    }
}

fn main() -> Result<(), Error> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let intents = Intents::GUILDS | Intents::GUILD_MESSAGES | Intents::MESSAGE_CONTENT;
    let config = at_gateway(Config::builder(token, intents)).build()?;

    let engine = Engine::start(config, |_core| Ok(Hello))?;
    stop_on_signal(engine.handle());
    // Until a signal comes, or until Discord refuses the shard for good.
    engine.join()
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

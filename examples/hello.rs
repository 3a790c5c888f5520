//! Logs in, answers nothing, prints what comes.
//!
//! ```text
//! DISCORD_TOKEN=… cargo run --example hello
//! DISCORD_TOKEN=any GATEWAY_URL=ws://127.0.0.1:8080 cargo run --example hello
//! DISCORD_TOKEN=any GATEWAY_URL=wss://127.0.0.1:8080 GATEWAY_CA=ca.pem cargo run --example hello
//! ```
//!
//! Without `GATEWAY_URL` it is Discord: `GET /gateway/bot` says where, and how many shards. With
//! it, a replay gateway for example; `GATEWAY_CA` names a file with its CA, where it speaks TLS
//! with one of its own. What the library tells to `tracing`, from INFO on, goes to standard error.

#![allow(clippy::print_stdout, reason = "an example that prints is what it is for")]

use std::io::stderr;

use shardring::{
    Config, ConfigBuilder, Context, Engine, Error, Event, Handle, Handler, Intents, Link, Roots,
    Stop, Token,
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
            Link::Disconnected { cause, wire: None } => println!("[{shard}] disconnected: {cause}"),
            Link::Disconnected { cause, wire: Some(wire) } => {
                println!("[{shard}] disconnected: {cause}: {wire}");
            }
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
    // The log: any subscriber will do, and none is needed.
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(stderr).init();
    let config = at_gateway(Config::builder(token, intents))?.build()?;

    let engine = Engine::start(config, |_core| Ok(Hello))?;
    println!("{}", engine.forecast());
    stop_on_signal(engine.handle());
    // Until a signal comes, or until Discord refuses the shard for good.
    engine.join()
}

/// `GATEWAY_URL` and `GATEWAY_CA`, if they are set.
fn at_gateway(mut config: ConfigBuilder) -> Result<ConfigBuilder, Error> {
    if let Ok(url) = std::env::var("GATEWAY_URL") {
        config = config.gateway_url(url);
    }
    if let Ok(file) = std::env::var("GATEWAY_CA") {
        let pem = std::fs::read(&file).unwrap_or_default(); // refused below, if it is none
        config = config.roots(Roots::only_pem(pem)?);
    }
    Ok(config)
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

//! A bot that moves over from `twilight-model`: its events are read as twilight's types.
//!
//! ```text
//! DISCORD_TOKEN=… cargo run --example twilight
//! DISCORD_TOKEN=any GATEWAY_URL=ws://127.0.0.1:8080 cargo run --example twilight
//! ```
//!
//! The gateway is ours, the types are twilight's: what a bot has written for `twilight_model` (a
//! cache, command handlers) goes on working, event by event. The payload is not parsed twice, and
//! the event stays as it is, so that one may move over a line at a time.
//!
//! A message that is to be looked at later is kept as an `OwnedEvent`, in one allocation. Twilight
//! refuses an event whole if a single field is not as it expects: then ours is still there.

#![allow(clippy::print_stdout, reason = "an example that prints is what it is for")]

use std::collections::VecDeque;

use shardring::{
    Config, ConfigBuilder, Context, Engine, Error, Event, EventKind, Handle, Handler, Intents,
    Interest, OwnedEvent, Scratch, Stop, Token,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use twilight_model::gateway::payload::incoming::{MessageCreate, Ready, TypingStart};

/// So many of the last messages are kept.
const KEPT_MAX: usize = 5;

struct Bot {
    kept: VecDeque<OwnedEvent>,
    scratch: Scratch,
    refused: u64,
}

impl Bot {
    fn new() -> Self {
        Self { kept: VecDeque::new(), scratch: Scratch::new(), refused: 0 }
    }

    /// What the bot did before: it knows twilight alone.
    fn on_message(message: &MessageCreate) {
        println!("{} in {}: {}", message.author.name, message.channel_id, message.content);
    }

    /// Keeps a message, and looks at those that were kept.
    fn keep(&mut self, event: &Event<'_>) {
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(event.to_owned());
        let bytes: usize = self.kept.iter().map(OwnedEvent::heap_len).sum();
        let mut words = 0;
        for kept in &self.kept {
            // The same typed view as in the handler; or as twilight's type, from here too.
            words += kept.read(&mut self.scratch, |event| match event {
                Event::MessageCreate(message) => message.content.split_whitespace().count(),
                _ => 0,
            });
        }
        println!("  {} messages are kept: {bytes} bytes, {words} words", self.kept.len());
    }
}

impl Handler for Bot {
    fn on_event(&mut self, _cx: &mut Context<'_>, event: Event<'_>) {
        let read = match event.kind() {
            EventKind::Ready => event.deserialize::<Ready>().map(|ready| {
                println!("{} is in {} guilds", ready.user.name, ready.guilds.len());
            }),
            EventKind::MessageCreate => event.deserialize::<MessageCreate>().map(|message| {
                Self::on_message(&message);
                self.keep(&event);
            }),
            EventKind::TypingStart => event.deserialize::<TypingStart>().map(|typing| {
                println!("{} types in {}", typing.user_id, typing.channel_id);
            }),
            _ => Ok(()),
        };
        if let Err(error) = read {
            self.refused += 1;
            println!("twilight cannot read this {}: {error}", event.kind());
        }
    }
}

fn main() -> Result<(), Error> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let intents = Intents::GUILDS
        | Intents::GUILD_MESSAGES
        | Intents::GUILD_MESSAGE_TYPING
        | Intents::MESSAGE_CONTENT;
    let kinds = [EventKind::Ready, EventKind::MessageCreate, EventKind::TypingStart];
    let config =
        at_gateway(Config::builder(token, intents)).interest(Interest::typed(kinds)).build()?;

    let engine = Engine::start(config, |_core| Ok(Bot::new()))?;
    stop_on_signal(engine.handle());
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

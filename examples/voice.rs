//! Joins a voice channel, prints what a voice client would need, follows the changes, leaves.
//!
//! ```text
//! DISCORD_TOKEN=… cargo run --example voice -- GUILD_ID CHANNEL_ID
//! ```
//!
//! With `GATEWAY_URL=ws://127.0.0.1:8080` it runs against a replay gateway, which answers for any
//! guild; there is no voice server behind its endpoint. `examples/songbird` hands the same changes
//! to songbird's driver.

#![allow(clippy::print_stdout, reason = "an example that prints is what it is for")]

use std::time::Duration;

use shardring::{
    Config, ConfigBuilder, Context, Engine, Error, Event, Handler, Intents, Interest, JoinVoice,
    Shards, Stop, Token, VoiceChange,
};

/// The voice events do not need to reach a handler: the shard looks at them itself.
struct Bot;

impl Handler for Bot {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

fn main() -> Result<(), Error> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let [guild, channel] = ids();
    // Without GUILD_VOICE_STATES a join is refused; with GUILDS the bot's own state is known from
    // the start, and after a new session.
    let config = at_gateway(Config::builder(token, Intents::GUILDS | Intents::GUILD_VOICE_STATES))
        .interest(Interest::typed([]))
        .shards(Shards::all(1))
        .build()?;
    let engine = Engine::start(config, |_core| Ok(Bot))?;
    let handle = engine.handle();
    handle.ready().wait()?;

    let join = JoinVoice::default().self_deaf(true).timeout(Duration::from_secs(15));
    let mut voice = handle.join_voice(guild, channel, join).wait()?;
    // A bot would follow them for as long as it is in voice: this one looks on for two seconds.
    while let Ok(Some(change)) = voice.next_wait_timeout(Duration::from_secs(2)) {
        match change {
            // The token and the session id are in it, and are not printed.
            VoiceChange::Connect(info) => println!("connect to wss://{}: {info:?}", info.endpoint),
            VoiceChange::ServerGone => println!("disconnect, and wait for the next server"),
            VoiceChange::Moved { from, to } => println!("moved from {from} to {to}"),
            VoiceChange::Ended(end) => println!("over: {end}"),
            other => println!("{other:?}"),
        }
    }
    if let Some(own) = handle.voice_state(guild).wait()? {
        println!("the bot is in channel {}", own.channel_id);
        handle.leave_voice(guild).wait()?;
    }
    if let Some(VoiceChange::Ended(end)) = voice.next_wait() {
        println!("over: {end}");
    }
    engine.stop(Stop::EndSessions)
}

/// Guild and channel: from the arguments, or those of Discord's examples.
fn ids() -> [u64; 2] {
    let mut arguments = std::env::args().skip(1);
    [41771983423143937, 127121515262115840].map(|example| {
        let given = arguments.next();
        given.map_or(example, |id| id.parse().expect("guild id and channel id are numbers"))
    })
}

/// `GATEWAY_URL`, if it is set.
fn at_gateway(config: ConfigBuilder) -> ConfigBuilder {
    match std::env::var("GATEWAY_URL") {
        Ok(url) => config.gateway_url(url),
        Err(_) => config,
    }
}

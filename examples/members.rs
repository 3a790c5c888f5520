//! Collects the members of a guild, with progress, and counts the bots among them.
//!
//! ```text
//! DISCORD_TOKEN=… cargo run --example members -- GUILD_ID
//! ```
//!
//! With `GATEWAY_URL=ws://127.0.0.1:8080` it runs against a replay gateway, which has members for
//! any guild. On Discord all members of a guild need the privileged intent GUILD_MEMBERS, and may
//! be asked for once in 30 s a guild.

#![allow(clippy::print_stdout, reason = "an example that prints is what it is for")]

use shardring::command::RequestGuildMembers;
use shardring::{
    CollectMembers, Config, ConfigBuilder, Context, Engine, Error, Event, Handler, Intents,
    Interest, MembersNews, Scratch, Shards, Stop, Token,
};

/// The chunks do not need to reach a handler; one that wants them without a copy sees them too.
struct Bot;

impl Handler for Bot {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

fn main() -> Result<(), Error> {
    let token = Token::from_env("DISCORD_TOKEN")?;
    let guild = std::env::args().nth(1);
    let guild: u64 = guild.map_or(41771983423143937, |id| id.parse().expect("an id is a number"));
    let config = at_gateway(Config::builder(token, Intents::GUILDS | Intents::GUILD_MEMBERS))
        .interest(Interest::typed([]))
        .shards(Shards::all(1))
        .build()?;
    let engine = Engine::start(config, |_core| Ok(Bot))?;
    let handle = engine.handle();
    handle.ready().wait()?;

    let collect = CollectMembers::new(RequestGuildMembers::all(guild));
    let mut chunks = handle.collect_members(collect).wait()?;
    let (mut members, mut bots) = (0, 0);
    // Opens one chunk after the other in the same buffers.
    let mut scratch = Scratch::new();
    while let Some(news) = chunks.next_wait() {
        match news {
            MembersNews::Chunk(chunk) => {
                chunk.event.read(&mut scratch, |event| {
                    let Event::GuildMembersChunk(chunk) = event else { return };
                    members += chunk.members.len();
                    let users = chunk.members.iter().filter_map(|member| member.user);
                    bots += users.filter(|user| user.bot == Some(true)).count();
                });
                println!("chunk {} of {}", chunk.chunk_index + 1, chunk.chunk_count);
            }
            MembersNews::RateLimited { retry_after } => println!("again in {retry_after:?}"),
            MembersNews::Ended(end) => println!("{end}; missing: {:?}", end.missing),
            other => println!("{other:?}"),
        }
    }
    println!("{members} members, {bots} of them bots");
    engine.stop(Stop::EndSessions)
}

/// `GATEWAY_URL`, if it is set.
fn at_gateway(config: ConfigBuilder) -> ConfigBuilder {
    match std::env::var("GATEWAY_URL") {
        Ok(url) => config.gateway_url(url),
        Err(_) => config,
    }
}

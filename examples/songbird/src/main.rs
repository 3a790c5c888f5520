//! Hands the voice connection to songbird's driver, and keeps it right: connect, connect anew,
//! disconnect, as the gateway tells.
//!
//! ```text
//! DISCORD_TOKEN=… cargo run -- GUILD_ID CHANNEL_ID FILE
//! ```
//!
//! The driver lives in a runtime of its own, with threads of its own: on one of shardring's cores
//! it would mix audio between two gateway events.

use std::num::NonZeroU64;

use shardring::{
    Config, Context, Engine, Event, Handler, Intents, Interest, JoinVoice, Shards, Stop, Token,
    VoiceChange, VoiceConnectInfo, VoiceHandoff,
};
use songbird::input::File;
use songbird::{ConnectionInfo, Driver};

struct Bot;

impl Handler for Bot {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let [guild, channel, file] = arguments()?;
    let token = Token::from_env("DISCORD_TOKEN")?;
    let config = Config::builder(token, Intents::GUILDS | Intents::GUILD_VOICE_STATES)
        .interest(Interest::typed([]))
        .shards(Shards::recommended())
        .build()?;
    // Before the runtime: each core of the engine pins its thread, and tokio's shall not inherit
    // that.
    let engine = Engine::start(config, |_core| Ok(Bot))?;
    let handle = engine.handle();
    let runtime = tokio::runtime::Runtime::new()?;
    let played = runtime.block_on(async {
        handle.ready().await?;
        let guild: u64 = guild.parse()?;
        let join = JoinVoice::default().self_deaf(true);
        let voice = handle.join_voice(guild, channel.parse::<u64>()?, join).await?;
        let mut driver = Driver::new(songbird::Config::default());
        driver.play_input(File::new(file).into());
        tokio::select! {
            served = serve(voice, &mut driver) => served?,
            stop = tokio::signal::ctrl_c() => {
                stop?;
                driver.leave();
                handle.leave_voice(guild).await?;
            }
        }
        Ok::<_, Failure>(())
    });
    engine.stop(Stop::EndSessions)?;
    played
}

/// Keeps a driver where the gateway says that the bot is, until that is nowhere.
async fn serve(mut voice: VoiceHandoff, driver: &mut Driver) -> Result<(), Failure> {
    while let Some(change) = voice.next().await {
        match change {
            // The first one, and each time that server or session change: the old connection, if
            // there is one, is replaced, and what plays goes on.
            VoiceChange::Connect(info) => driver.connect(connection_info(info)?).await?,
            // The next `Connect` follows.
            VoiceChange::ServerGone => driver.leave(),
            // If the voice client has to connect anew, `Connect` follows.
            VoiceChange::Moved { to, .. } => println!("moved to channel {to}"),
            VoiceChange::Ended(end) => {
                println!("over: {end}");
                driver.leave();
            }
            _ => {}
        }
    }
    Ok(())
}

/// The same values in songbird's types.
fn connection_info(info: VoiceConnectInfo) -> Result<ConnectionInfo, Failure> {
    let id = |id: u64| NonZeroU64::new(id).ok_or("an id of zero");
    Ok(ConnectionInfo {
        channel_id: id(info.channel_id.get())?.into(),
        endpoint: info.endpoint,
        guild_id: id(info.guild_id.get())?.into(),
        session_id: info.session_id,
        token: info.token,
        user_id: id(info.user_id.get())?.into(),
    })
}

fn arguments() -> Result<[String; 3], Failure> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    given.try_into().map_err(|_| "usage: GUILD_ID CHANNEL_ID FILE".into())
}

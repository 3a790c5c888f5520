//! A whole bot: shows a presence, answers `!ping` over HTTP, joins guilds' first voice channels,
//! counts members. `DISCORD_TOKEN=… GATEWAY_URL=ws://… API_URL=http://… cargo run --example bot`

use shardring::command::{Activity, RequestGuildMembers, UpdatePresence};
use shardring::model::ChannelType;
use shardring::*;

#[derive(Clone)]
struct Bot(String, String); // where the HTTP API is, and what it wants as `Authorization`

impl Handler for Bot {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match event {
            Event::MessageCreate(message) if message.content == "!ping" => {
                let url = format!("{}/channels/{}/messages", self.0, message.channel_id);
                let post = ureq::post(url).header("Authorization", &self.1);
                let post = post.content_type("application/json");
                // Any HTTP client will do: this one blocks, so it goes to a helper thread.
                cx.spawn_blocking(|| eprintln!("pong: {:?}", post.send(r#"{"content":"pong"}"#)));
            }
            Event::GuildCreate(guild) => {
                let is_voice = |it: &&model::Channel<'_>| it.kind == ChannelType::GUILD_VOICE;
                if let Some(channel) = guild.channels.iter().find(is_voice)
                    && let Ok(mut voice) = cx.join_voice(guild.id, channel.id, JoinVoice::default())
                {
                    cx.spawn(async move { eprintln!("voice: {:?}", voice.connected().await) });
                }
                if let Ok(list) = cx.collect_members(RequestGuildMembers::all(guild.id)) {
                    cx.spawn(async move { eprintln!("members: {:?}", list.all(9).await.map(len)) });
                }
            }
            _ => {}
        }
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        if let Link::Ready { .. } = link {
            let _ = cx.send(UpdatePresence::default().activity(Activity::listening("!ping")));
        }
    }
}

pub(crate) fn start(token: String, gateway_url: &str, api: String) -> Result<Engine, Error> {
    let config = Config::builder(Token::new(&token)?, Intents::ALL).gateway_url(gateway_url);
    let interest = Interest::typed([EventKind::MessageCreate, EventKind::GuildCreate]);
    let config = config.interest(interest).shards(Shards::all(1));
    let bot = Bot(api, format!("Bot {token}"));
    Engine::start(config.build()?, move |_core| Ok(bot.clone()))
}

fn len(chunks: Vec<MembersChunk>) -> usize {
    chunks.iter().map(|chunk| chunk.members_len).sum()
}

fn main() -> Result<(), Error> {
    let [token, gateway, api] = ["DISCORD_TOKEN", "GATEWAY_URL", "API_URL"]
        .map(|name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set")));
    start(token, &gateway, api)?.join()
}

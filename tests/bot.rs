//! The example of a whole bot, against the replay gateway: it sets its presence, answers a message
//! over HTTP, joins voice and collects the members of a guild.

#[allow(dead_code)] // its `main`
#[path = "../examples/bot.rs"]
mod bot;

use std::time::{Duration, Instant};

use replay_gateway::{Gateway, Target};
use shardring::Stop;

const TOKEN: &str = "a.bots.token";
const PING: &str = r#"{"id":"162701077035089920","channel_id":"5","content":"!ping",
    "author":{"id":"3","username":"somebody"}}"#;

#[test]
fn the_bot_sets_its_presence_answers_joins_voice_and_collects_members() {
    let source = include_str!("../examples/bot.rs");
    assert!(source.lines().count() < 60, "it fits on a screen");
    let gateway = Gateway::builder().token(TOKEN).spawn().expect("a gateway");
    let api = gateway.url().replace("ws://", "http://") + "/api/v10";
    let engine = bot::start(TOKEN.to_owned(), &gateway.url(), api).expect("the bot starts");
    engine.handle().ready().wait().expect("it is ready");
    gateway.dispatch(Target::All, "MESSAGE_CREATE", PING);
    // Presence, voice state and member request, for the one guild of READY; and one message.
    let wanted = |stats: &replay_gateway::Stats| {
        [3, 4, 8].map(|op| stats.received.get(&op).copied().unwrap_or(0))
    };
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let stats = gateway.stats();
        let posted = stats.http.get("POST /channels/{id}/messages").copied().unwrap_or(0);
        if (wanted(&stats), posted, stats.http_errors) == ([1, 1, 1], 1, 0) {
            break;
        }
        assert!(Instant::now() < patience, "{:?} {posted}", wanted(&stats));
        std::thread::sleep(Duration::from_millis(20));
    }
    engine.stop(Stop::EndSessions).expect("it stops");
}

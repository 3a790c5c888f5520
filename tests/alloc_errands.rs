//! What a shard looks for in its dispatches costs no allocation while nothing is waited for. The
//! allocator counts for this program's threads.

#[path = "support/counting.rs"]
#[allow(dead_code)] // what lives is not counted here
mod counting;

use std::sync::Arc;

use counting::allocated_count;
use replay_gateway::traffic::{Traffic, big_guild_parts};
use shardring::decode::Envelope;
use shardring::shard::id::ShardId;
use shardring::shard::session::{Guards, Session};
use shardring::shard::settings::SessionSettings;
use shardring::{EventKind, Intents, Token};

fn session() -> Session {
    let token = Token::new("a.test.token").unwrap();
    let settings = SessionSettings::new(token, Intents::ALL.bits(), "ws://gateway.test");
    let mut session =
        Session::new(ShardId::new(0, 1), Arc::new(settings), Guards::local(1, 1000), 1);
    session.learn_user(Some(77));
    session
}

#[test]
fn a_shard_without_errands_looks_at_its_dispatches_without_an_allocation() {
    let session = session();
    let traffic = Traffic::new(42, 0, u64::MAX);
    let mut payloads: Vec<String> = (0..5_000)
        .map(|k| {
            let mut text = String::new();
            traffic.write_payload(k, k, &mut text);
            text
        })
        .collect();
    let (head, rest) = big_guild_parts(42, 1, 1 << 20);
    payloads.push(format!(r#"{{"t":"GUILD_CREATE","s":9,"op":0,"d":{head}{rest}}}"#));
    let (mut guilds, mut states) = (0, 0);
    for text in &payloads {
        let name = Envelope::scan(text.as_bytes()).unwrap().t;
        let kind = EventKind::from_name(name.unwrap_or(""));
        guilds += u32::from(kind == EventKind::GuildCreate);
        states += u32::from(kind == EventKind::VoiceStateUpdate);
        let before = allocated_count();
        let watched = session.watches(kind, text.as_bytes());
        assert_eq!((watched, allocated_count() - before), (false, 0), "{kind:?}");
    }
    assert!(guilds > 1 && states > 10, "{guilds} and {states} of the kinds that are looked at");
    assert!(session.voice_state(1).is_none());
}

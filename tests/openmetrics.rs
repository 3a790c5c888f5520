//! A running engine's metrics as OpenMetrics text: what two cores counted adds up, each shard is
//! told, and neither token nor session is.

use replay_gateway::Gateway;
use shardring::{Config, Context, Engine, Event, Handler, Intents, Shards, Stop, Token};

const SHARDS: u32 = 3;
const TOKEN: &str = "a.measured.token";

struct Idle;

impl Handler for Idle {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

#[test]
fn the_cores_of_an_engine_add_up_and_each_shard_is_told() {
    let gateway = Gateway::builder().max_concurrency(SHARDS).spawn().expect("the gateway starts");
    let config = Config::builder(Token::new(TOKEN).unwrap(), Intents::ALL)
        .shards(Shards::all(SHARDS))
        .gateway_url(gateway.url())
        .max_concurrency(SHARDS)
        .build()
        .unwrap();
    let engine = Engine::start(config, |_core| Ok(Idle)).unwrap();
    let handle = engine.handle();
    handle.ready().wait().unwrap();
    let metrics = handle.metrics().wait().unwrap();

    let sum = |value: fn(&shardring::metrics::Counters) -> u64| {
        metrics.cores().iter().map(|core| value(&core.counters)).sum::<u64>()
    };
    assert!(metrics.counters.dispatches >= u64::from(SHARDS));
    assert_eq!(sum(|counters| counters.dispatches), metrics.counters.dispatches);
    assert_eq!(sum(|counters| counters.wire_len), metrics.counters.wire_len);
    assert_eq!(metrics.cores().iter().map(|core| core.shards).sum::<usize>(), SHARDS as usize);

    let text = metrics.render_openmetrics();
    let mut written = String::new();
    metrics.write_openmetrics(&mut written).unwrap();
    assert_eq!(text, written, "both ways give the same");
    for line in [
        "shardring_shards{state=\"active\"} 3",
        "shardring_shard_state{shard=\"2\"} 7",
        "shardring_identifies_sent_total 3",
        "shardring_kind_received_total{kind=\"READY\"} 3",
        "shardring_shards_left_out 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(TOKEN));
    for shard in metrics.shards() {
        let session_id = shard.session_id.as_deref().expect("every shard is up");
        assert!(!text.contains(session_id));
    }
    engine.stop(Stop::EndSessions).unwrap();
    gateway.stop().unwrap();
}

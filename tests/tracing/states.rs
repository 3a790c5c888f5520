//! Each change of a shard's state, of a host, of the budget: told once, at its level, with shard,
//! session and cause; and of dispatches not a word.

use std::sync::Arc;

use replay_gateway::{Action, Cut, Fault, GatewayHandle, Host, Outage, Target, When};
use shardring::{BudgetSettings, ConfigBuilder, Engine, Intents, Stop};
use tracing::Level;

use crate::collector::{Told, Watch};
use crate::harness::{Recorder, Run, config, gateway, traffic};

const SHARD: &str = "shardring::shard";
const ENGINE: &str = "shardring::engine";

fn is_of<'a>(shard: u32, message: &'a str) -> impl Fn(&Told) -> bool + 'a {
    move |told| told.target == SHARD && told.shard() == Some(shard) && told.message == message
}

/// The first event like this says this of its session and its cause.
#[track_caller]
fn assert_told(watch: &Watch, shard: u32, message: &str, level: Level, session: &str, cause: &str) {
    let told = watch.until(message, is_of(shard, message));
    assert_eq!(told.level, level, "{told:?}");
    assert_eq!(told.field("session"), session, "{told:?}");
    assert!(told.field("cause").contains(cause), "{told:?}");
    assert_eq!(cause.is_empty(), told.field("cause").is_empty(), "{told:?}");
}

/// The session of a shard that has become ready.
#[track_caller]
fn session_of(watch: &Watch, shard: u32) -> String {
    let session = watch.until("ready", is_of(shard, "ready")).field("session").to_owned();
    assert!(!session.is_empty() && session != "none");
    session
}

#[test]
fn a_connection_that_comes_up_breaks_and_comes_back_is_told_step_by_step() {
    let watch = Watch::begin();
    let run = Run::start_shards(2, gateway(2), |config| config);
    let session = session_of(&watch, 0);
    assert_told(&watch, 0, "connected", Level::DEBUG, "none", "");
    run.gateway.act(Target::Shard(0), Action::Reset);
    assert_told(&watch, 0, "disconnected", Level::INFO, &session, "connection was reset");
    assert_told(&watch, 0, "reconnecting", Level::INFO, &session, "connection was reset");
    assert_told(&watch, 0, "resumed", Level::INFO, &session, "");
    let reconnecting = &watch.of("reconnecting")[0];
    assert_eq!(reconnecting.field("resume"), "true");
    assert!(!reconnecting.field("after").is_empty());
    assert_eq!(watch.of("resumed")[0].field("replayed"), "0");
    assert_eq!(watch.of("connected")[2].field("session"), session);

    // Bytes that are no WebSocket: what was wrong with them is told, too.
    let other = session_of(&watch, 1);
    run.gateway.act(Target::Shard(1), Action::Inject(replay_gateway::Injection::Masked));
    assert_told(&watch, 1, "disconnected", Level::WARN, &other, "broke the wire protocol");
    let broken = watch.until("the wire", |told| !told.field("wire").is_empty());
    assert_eq!(broken.shard(), Some(1));
    run.stop().unwrap();
}

#[test]
fn a_session_that_is_lost_is_told_with_its_id_and_what_may_be_missing() {
    let watch = Watch::begin();
    let run = Run::start_shards(1, gateway(1), |config| config);
    let session = session_of(&watch, 0);
    run.gateway.act(Target::Shard(0), Action::InvalidSession(false));
    assert_told(&watch, 0, "session lost", Level::WARN, &session, "invalid");
    assert_ne!(watch.of("session lost")[0].field("first_seq"), "");
    let is_new = |told: &Told| is_of(0, "ready")(told) && told.field("session") != session;
    watch.until("a new session", is_new);
    run.stop().unwrap();
}

#[test]
fn waiting_in_vain_is_told() {
    let watch = Watch::begin();
    let silent = Fault::new(When::Identify, Action::Swallow).shard(0);
    let deaf = Fault::new(When::Ready, Action::WithholdAcks).shard(1).connection(1);
    let mut traffic = traffic(1, 2_000, Some(200.0));
    traffic.start = replay_gateway::Start::Each;
    let gateway = gateway(2).heartbeat_interval_ms(1_000).traffic(traffic);
    let run = Run::start_shards(2, gateway.fault(silent).fault(deaf), |config| config);
    assert_told(&watch, 0, "stalled", Level::WARN, "none", "");
    assert_eq!(watch.of("stalled")[0].field("awaited"), "Identifying");
    let session = session_of(&watch, 1);
    assert_told(&watch, 1, "heartbeat not acknowledged", Level::WARN, &session, "");
    assert_ne!(watch.of("heartbeat not acknowledged")[0].field("waited"), "");
    assert_told(&watch, 1, "disconnected", Level::INFO, &session, "acknowledged");
    run.stop().unwrap();
}

#[test]
fn numbers_that_were_skipped_and_a_shard_without_guilds_are_told() {
    let watch = Watch::begin();
    let run = Run::start_shards(1, gateway(1).guilds_per_shard(0), |config| config);
    let session = session_of(&watch, 0);
    assert_told(&watch, 0, "no guild falls to this shard", Level::WARN, &session, "");
    run.gateway.act(Target::Shard(0), Action::Gap(3));
    run.gateway.dispatch(Target::Shard(0), "SOMETHING", "{}");
    assert_told(&watch, 0, "sequence numbers skipped", Level::WARN, &session, "");
    let skipped = &watch.of("sequence numbers skipped")[0];
    let field = |name| skipped.field(name).parse::<u64>().unwrap();
    assert_eq!(field("last") - field("first"), 2, "{skipped:?}");
    run.stop().unwrap();
}

#[test]
fn a_host_that_fails_and_answers_again_is_told_once_for_all_shards() {
    let watch = Watch::begin();
    let run = Run::start_shards(8, gateway(8), |config| config);
    run.engine.handle().ready().wait().unwrap();
    run.gateway.outage(Host::Main, Outage::Refuse);
    run.gateway.cut_all(Cut::Reset);
    let addr = run.gateway.addr().to_string();
    let is_news = |told: &Told, word: &str| {
        told.target == ENGINE && told.message.starts_with(&addr) && told.message.contains(word)
    };
    let shut = watch.until("the host is shut", |told| is_news(told, "nobody dials it"));
    assert_eq!(shut.level, Level::WARN);
    let refused = watch.until("refused", |told| {
        told.message == "disconnected" && told.field("cause").contains("refuses connections")
    });
    assert!(refused.shard().is_some_and(|shard| shard < 8), "{refused:?}");
    run.gateway.outage(Host::Main, Outage::None);
    let open = watch.until("the host is open", |told| is_news(told, "answers again"));
    assert_eq!(open.level, Level::INFO);
    run.until("all are back", |_, stats| stats.sessions_connected == 8);
    assert_eq!(watch.told().iter().filter(|told| is_news(told, "answers again")).count(), 1);
    assert_eq!(run.stop().unwrap().identifies, 8);
}

fn rest_base(gateway: &GatewayHandle) -> String {
    format!("http://{}/api/v10", gateway.addr())
}

fn start(config: ConfigBuilder) -> Engine {
    Engine::start(config.build().unwrap(), |_| Ok(Recorder(Arc::default()))).unwrap()
}

#[test]
fn what_discovery_found_the_forecast_and_every_warning_are_told() {
    let watch = Watch::begin();
    let gateway = gateway(1).recommended_shards(3).max_concurrency(1).spawn().unwrap();
    let mut budget = BudgetSettings::default();
    (budget.total, budget.reserve) = (Some(8), Some(2));
    let config = config(2, &gateway.url()).rest_base(rest_base(&gateway)).budget(budget);
    let engine = start(config.max_concurrency(16));
    engine.handle().ready().wait().unwrap();
    let found = watch.until("discovery", |told| told.message == "GET /gateway/bot");
    assert_eq!((found.level, found.field("shards")), (Level::INFO, "3"));
    let forecast = engine.forecast().to_string();
    let told = watch.until("the forecast", |told| told.message == forecast);
    assert_eq!((told.level, told.target.as_str()), (Level::INFO, ENGINE));
    let warnings = engine.handle().warnings();
    assert!(!warnings.is_empty(), "fewer shards than recommended");
    for warning in warnings {
        let told = watch.of(&warning.to_string());
        assert_eq!(told.len(), 1, "{warning}");
        assert_eq!((told[0].level, told[0].target.as_str()), (Level::WARN, ENGINE));
    }
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn ten_thousand_dispatches_cause_not_one_event() {
    let watch = Watch::begin();
    let gateway = gateway(2).traffic(traffic(2, 5_000, None));
    let run = Run::start_shards(2, gateway, |config| config);
    assert_eq!(run.ledger_is_whole(2).seen, 10_000);
    run.until("heartbeats", |_, stats| stats.heartbeats >= 2);
    let mut told = watch.told();
    told.sort_by(|a, b| a.message.cmp(&b.message));
    let messages: Vec<_> = told.iter().map(|told| told.message.as_str()).collect();
    let forecast = run.engine.forecast().to_string();
    let expected = [forecast.as_str(), "connected", "connected", "ready", "ready"];
    assert_eq!(messages, expected, "{told:#?}");
    run.stop().unwrap();
}

/// One shard is refused: once at ERROR, with a text that has all of this, and the same text at the
/// handle.
#[track_caller]
fn assert_refused(
    gateway: replay_gateway::Builder,
    adjust: impl FnOnce(ConfigBuilder, &GatewayHandle) -> ConfigBuilder,
    texts: &[&str],
) {
    let watch = Watch::begin();
    let gateway = gateway.spawn().unwrap();
    let engine = start(adjust(config(1, &gateway.url()), &gateway));
    let failure = engine.handle().failure().wait().unwrap().to_string();
    engine.stop(Stop::EndSessions).unwrap_err();
    let errors: Vec<_> =
        watch.told().into_iter().filter(|told| told.level == Level::ERROR).collect();
    let [error] = &errors[..] else { panic!("{errors:#?}") };
    assert_eq!((error.message.as_str(), error.shard()), ("refused for good", Some(0)));
    let text = error.field("refusal");
    assert!(texts.iter().all(|part| text.contains(part)), "{text}");
    assert!(failure.ends_with(text), "{failure}, and in the log: {text}");
    assert_eq!(gateway.stats().received.get(&2), Some(&1), "one IDENTIFY, and no other after it");
}

#[test]
fn intents_that_are_switched_off_are_told_once_with_what_to_switch_on() {
    let disallowed = Intents::MESSAGE_CONTENT.bits();
    let asked = Intents::GUILDS | Intents::MESSAGE_CONTENT;
    assert_refused(
        gateway(1).intents_disallowed(disallowed),
        |_, gateway| {
            let token = shardring::Token::new(crate::harness::TOKEN).unwrap();
            shardring::Config::builder(token, asked).gateway_url(gateway.url())
        },
        &["4014", "of MESSAGE_CONTENT", "https://discord.com/developers/applications"],
    );
}

#[test]
fn a_shard_that_is_refused_after_it_was_up_has_lost_its_session_and_is_told_so_once() {
    let watch = Watch::begin();
    let run = Run::start_shards(1, gateway(1), |config| config);
    let session = session_of(&watch, 0);
    let reason = String::new();
    run.gateway.act(Target::Shard(0), Action::Close { code: 4004, reason });
    assert_told(&watch, 0, "refused for good", Level::ERROR, "", "");
    assert_told(&watch, 0, "session lost", Level::WARN, &session, "closed with 4004");
    run.stop().unwrap_err();
    assert_eq!(watch.of("session lost").len(), 1);
    assert_eq!(watch.of("refused for good").len(), 1);
}

#[test]
fn too_many_guilds_for_a_shard_are_told_once_with_the_number_that_discord_recommends() {
    assert_refused(
        gateway(1).max_concurrency(1).guilds_total(10_000).recommended_shards(7),
        |config, gateway| config.rest_base(rest_base(gateway)),
        &["4011", "too many guilds for one shard", "Discord recommends 7"],
    );
}

#[test]
fn intents_that_nobody_knows_are_told_once_bit_by_bit() {
    assert_refused(
        gateway(1),
        |_, gateway| {
            let token = shardring::Token::new(crate::harness::TOKEN).unwrap();
            let intents = Intents::GUILDS | Intents::from_bits(1 << 40);
            shardring::Config::builder(token, intents).gateway_url(gateway.url())
        },
        &["4013", "0x10000000000"],
    );
}

//! The content filter: it holds back exactly what is sure not to be wanted, whatever the order of
//! keys, the spacing and the damage, and what it holds back never reaches the handler.
//!
//! What is sure is judged a second time here, by serde_json over the whole payload; the payloads
//! are the corpus and the replay gateway's traffic.

#[path = "support/counting.rs"]
#[allow(dead_code)] // what lives is not counted here
mod counting;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use shardring::model::{ChannelId, GuildId};
use shardring::sans_io::shard::Action;
use shardring::{
    Compression, Config, Context, Delivery, ErrorKind, Event, EventKind, FILTER_NAME_LEN_MAX,
    FILTER_NAMES_MAX, Filter, Handler, Intents, Interest, State, Token,
};
use support::{Counting, Line, payloads};

/// Each payload of the corpus.
fn corpus() -> Vec<(String, Value)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| !path.ends_with("schema.json"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.display().to_string(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() > 10);
    found
}

fn kind_of(payload: &Value) -> EventKind {
    EventKind::from_name(payload["t"].as_str().unwrap())
}

/// Whether an event of this kind passes a filter.
fn admits(filter: &Filter, kind: EventKind, text: &str) -> bool {
    Interest::default().filter(filter.clone()).admits(kind, text.as_bytes())
}

fn id(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The object with its keys in another order: `turn` rotates them, odd ones also reverse them.
fn reordered(value: &Value, turn: usize) -> Value {
    let Value::Object(object) = value else { return value.clone() };
    let mut members: Vec<_> =
        object.iter().map(|(key, value)| (key.clone(), reordered(value, turn))).collect();
    members.rotate_left(turn / 2 % object.len().max(1));
    if turn % 2 == 1 {
        members.reverse();
    }
    Value::Object(Map::from_iter(members))
}

/// As text, compact, or with white space wherever it may stand.
fn written(payload: &Value, spaced: bool) -> String {
    match spaced {
        true => serde_json::to_string_pretty(payload).unwrap().replace(": ", "\t:\r\n "),
        false => payload.to_string(),
    }
}

/// Filters over what the corpus holds, each with the rule that it stands for.
type Rule = (Filter, fn(EventKind, &Value) -> bool);

const GUILDS: [u64; 2] = [290926798626357999, 7];
const CHANNEL: u64 = 645027906669510667;

fn rules() -> Vec<Rule> {
    fn guild(kind: EventKind, d: &Value) -> bool {
        let of_itself = matches!(
            kind,
            EventKind::GuildCreate | EventKind::GuildUpdate | EventKind::GuildDelete
        );
        let key = if of_itself { "id" } else { "guild_id" };
        kind == EventKind::Unknown || id(&d[key]).is_none_or(|id| GUILDS.contains(&id))
    }
    fn channel(kind: EventKind, d: &Value) -> bool {
        // The table in the documents of `Filter`.
        let name = kind.name();
        let is_one = |names: &[&str]| names.contains(&name);
        let of_itself = is_one(&[
            "CHANNEL_CREATE",
            "CHANNEL_UPDATE",
            "CHANNEL_DELETE",
            "THREAD_CREATE",
            "THREAD_UPDATE",
            "THREAD_DELETE",
            "THREAD_MEMBER_UPDATE",
            "THREAD_MEMBERS_UPDATE",
            "VOICE_CHANNEL_STATUS_UPDATE",
            "VOICE_CHANNEL_START_TIME_UPDATE",
        ]);
        let by_key = ["MESSAGE_", "INVITE_", "STAGE_INSTANCE_"]
            .iter()
            .any(|family| name.starts_with(family))
            || is_one(&[
                "INTERACTION_CREATE",
                "TYPING_START",
                "CHANNEL_PINS_UPDATE",
                "WEBHOOKS_UPDATE",
                "VOICE_CHANNEL_EFFECT_SEND",
                "AUTO_MODERATION_ACTION_EXECUTION",
                "GUILD_SCHEDULED_EVENT_CREATE",
                "GUILD_SCHEDULED_EVENT_DELETE",
            ]);
        let key = if of_itself { "id" } else { "channel_id" };
        !(of_itself || by_key) || id(&d[key]).is_none_or(|id| id == CHANNEL)
    }
    fn human(kind: EventKind, d: &Value) -> bool {
        !kind.name().starts_with("MESSAGE_") || d["author"]["bot"] != json!(true)
    }
    fn command(kind: EventKind, d: &Value) -> bool {
        let is_command = matches!(d["type"].as_u64(), Some(2 | 4));
        let name = d["data"]["name"].as_str();
        kind != EventKind::InteractionCreate || !is_command || name.is_none_or(|n| n == "ping")
    }
    let ids = || GUILDS.map(GuildId::new);
    vec![
        (Filter::new().guilds(ids()), guild),
        (Filter::new().channels([ChannelId::new(CHANNEL)]), channel),
        (Filter::new().bots(false), human),
        (Filter::new().commands(["pong", "ping"]), |kind, d| {
            command(kind, d) || d["data"]["name"] == json!("pong")
        }),
        (Filter::new().guilds(ids()).bots(false).commands(["ping"]), |kind, d| {
            guild(kind, d) && human(kind, d) && command(kind, d)
        }),
        (
            Filter::new().guilds(ids()).channels([ChannelId::new(CHANNEL)]).direct_messages(false),
            |kind, d| {
                let may_be_direct = kind.name().starts_with("MESSAGE_")
                    || matches!(kind, EventKind::InteractionCreate | EventKind::TypingStart);
                guild(kind, d)
                    && channel(kind, d)
                    && !(may_be_direct && d.get("guild_id").is_none_or(Value::is_null))
            },
        ),
    ]
}

#[test]
fn the_scan_and_a_full_parse_agree_in_every_order_and_spacing() {
    let (mut held_back, mut passed) = (0, 0);
    let traffic = payloads(300, 2).into_iter().map(|text| ("traffic".to_owned(), parsed(&text)));
    for (name, payload) in corpus().into_iter().chain(traffic) {
        let kind = kind_of(&payload);
        if kind == EventKind::GuildCreate && name == "traffic" {
            continue; // hundreds of kilobytes: once is done below
        }
        for (number, (filter, wants)) in rules().iter().enumerate() {
            let wanted = wants(kind, &payload["d"]);
            for turn in 0..12 {
                let text = written(&reordered(&payload, turn), turn % 3 == 2);
                assert_eq!(admits(filter, kind, &text), wanted, "rule {number} {name} {text}");
            }
            *if wanted { &mut passed } else { &mut held_back } += 1;
        }
    }
    assert!(held_back > 300 && passed > 300, "{held_back} {passed}");
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_filter_asks_each_kind_for_its_own_key() {
    let other = json!("1");
    let guild = Filter::new().guilds([GuildId::new(2)]);
    let channel = Filter::new().channels([ChannelId::new(2)]);
    let asks = |filter: &Filter, kind: EventKind, key: &str| {
        let text = json!({"t": kind.name(), "s": 1, "op": 0, "d": {key: other}}).to_string();
        !admits(filter, kind, &text)
    };
    let mut by_id = BTreeSet::new();
    let mut without_guild = BTreeSet::new();
    for kind in EventKind::ALL {
        match (asks(&guild, *kind, "guild_id"), asks(&guild, *kind, "id")) {
            (true, true) => panic!("{kind} is asked for two guilds"),
            (false, true) => assert!(by_id.insert(kind.name())),
            (false, false) => assert!(without_guild.insert(kind.name())),
            (true, false) => {}
        }
    }
    assert_eq!(
        by_id.into_iter().collect::<Vec<_>>(),
        ["GUILD_CREATE", "GUILD_DELETE", "GUILD_UPDATE"]
    );
    assert_eq!(
        without_guild.into_iter().collect::<Vec<_>>(),
        [
            "RATE_LIMITED",
            "READY",
            "RESUMED",
            "SUBSCRIPTION_CREATE",
            "SUBSCRIPTION_DELETE",
            "SUBSCRIPTION_UPDATE",
            "UNKNOWN",
            "USER_UPDATE"
        ]
    );
    // The table of the documentation, by prefix.
    let by_channel_id = [
        "MESSAGE_",
        "INTERACTION_",
        "TYPING_",
        "CHANNEL_PINS_",
        "INVITE_",
        "WEBHOOKS_",
        "STAGE_INSTANCE_",
        "VOICE_CHANNEL_EFFECT_",
        "AUTO_MODERATION_ACTION_",
        "GUILD_SCHEDULED_EVENT_CREATE",
        "GUILD_SCHEDULED_EVENT_DELETE",
    ];
    let by_own_id = [
        "CHANNEL_CREATE",
        "CHANNEL_UPDATE",
        "CHANNEL_DELETE",
        "THREAD_CREATE",
        "THREAD_UPDATE",
        "THREAD_DELETE",
        "THREAD_MEMBER",
        "VOICE_CHANNEL_STATUS_",
        "VOICE_CHANNEL_START_TIME_",
    ];
    for kind in EventKind::ALL {
        let is_one_of = |names: &[&str]| names.iter().any(|name| kind.name().starts_with(name));
        let found = (asks(&channel, *kind, "channel_id"), asks(&channel, *kind, "id"));
        assert_eq!(found, (is_one_of(&by_channel_id), is_one_of(&by_own_id)), "{kind}");
    }
}

#[test]
fn in_doubt_an_event_is_delivered() {
    let guild = Filter::new().guilds([GuildId::new(7)]);
    let human = Filter::new().bots(false);
    let held_back = |filter: &Filter, d: &str| {
        let texts = [
            format!(r#"{{"t":"MESSAGE_CREATE","s":4,"op":0,"d":{d}}}"#),
            format!(r#"{{"op":0,"d":{d},"s":4,"t":"MESSAGE_CREATE"}}"#),
        ];
        let found = texts.map(|text| !admits(filter, EventKind::MessageCreate, &text));
        assert_eq!(found[0], found[1], "{d}");
        found[0]
    };
    for sure in [
        r#"{"guild_id":"8"}"#,
        r#"{"guild_id":8}"#,
        r#"{"id":"7","x":{"guild_id":"7"},"guild_id":"8"}"#,
        r#"{"content":"\"guild_id\":\"7\"","guild_id":"8","guilds":["7"]}"#,
        r#"{"guild_id":"8","content":"\\\"}"}"#,
    ] {
        assert!(held_back(&guild, sure), "{sure}");
    }
    for doubt in [
        r#"{}"#,
        r#"null"#,
        r#"[{"guild_id":"8"}]"#,
        r#"{"guild_id":null}"#,
        r#"{"guild_id":8.0}"#,
        r#"{"guild_id":-8}"#,
        r#"{"guild_id":"eight"}"#,
        r#"{"guild_id":{"guild_id":"8"}}"#,
        r#"{"guild_id":"99999999999999999999"}"#,
        r#"{"guild_id":"\u0038"}"#,
        r#"{"guild\u005fid":"7","guild_id":"8"}"#,
        r#"{"guild_id":"8","guild\u005fid":"7"}"#,
        r#"{"guild_id":"8","guild_id":"7"}"#,
        r#"{"guild_id":"8","guild_id":"8"}"#,
        r#"{"guild_id":"8","guild_id"}"#,
        r#"{"guild_id":"8""x":1}"#,
        r#"{"guild_id":"8"}},"d":{"guild_id":"7"}"#,
        r#"{"guild_id":"8"},"d":{"guild_id":"7"}"#,
        r#"{"guild_id":"8"},"\u0064":{"guild_id":"7"}"#,
    ] {
        assert!(!held_back(&guild, doubt), "{doubt}");
    }
    assert!(held_back(&human, r#"{"author":{"id":"1","bot":true}}"#));
    for doubt in [
        r#"{"author":{"id":"1"}}"#,
        r#"{"author":{"bot":false}}"#,
        r#"{"author":{"bot":"true"}}"#,
        r#"{"author":{"bot":1}}"#,
        r#"{"author":{"bot":true,"bot":false}}"#,
        r#"{"author":{"bot":true,"b\u006ft":false}}"#,
        r#"{"author":[{"bot":true}]}"#,
        r#"{"author":{"bot":true},"author":{"bot":false}}"#,
        r#"{"author":{"x":{"bot":true}},"bot":true}"#,
    ] {
        assert!(!held_back(&human, doubt), "{doubt}");
    }
}

#[test]
fn interactions_are_told_by_their_type_and_names_are_never_misread() {
    let filter =
        Filter::new().commands(["ping", "größe"]).custom_ids(["ticket:", "t", "tick", "é/"]);
    let held_back = |members: &str| {
        let text = format!(r#"{{"op":0,"t":"INTERACTION_CREATE","s":1,"d":{{{members}}}}}"#);
        !admits(&filter, EventKind::InteractionCreate, &text)
    };
    for sure in [
        r#""type":2,"data":{"name":"pong","id":"1"}"#,
        r#""data":{"options":[{"name":"ping"}],"name":"pong"},"type":4"#,
        r#""type":2,"data":{"name":"pin"}"#,
        r#""type":2,"data":{"name":"pings"}"#,
        r#""type":2,"data":{"name":""}"#,
        r#""type":2,"data":{"name":"x\u0070ing"}"#,
        r#""type":2,"data":{"name":"ping\u0070"}"#,
        r#""type":3,"data":{"custom_id":"vote:1","component_type":2}"#,
        r#""type":5,"data":{"components":[],"custom_id":""}"#,
        r#""type":3,"data":{"custom_id":"{\"t\":1}"}"#,
    ] {
        assert!(held_back(sure), "{sure}");
    }
    for wanted_or_doubt in [
        r#""type":1"#,
        r#""type":2"#,
        r#""type":2,"data":null"#,
        r#""type":2,"data":{}"#,
        r#""type":2,"data":{"name":"ping"}"#,
        r#""type":2,"data":{"name":"größe"}"#,
        r#""type":2,"data":{"name":"gr\u00f6\u00dfe"}"#,
        r#""type":2,"data":{"name":"\u0070ing"}"#,
        r#""type":2,"data":{"name":5}"#,
        r#""type":2,"data":{"name":"pong","name":"ping"}"#,
        r#""type":2,"data":{"custom_id":"vote"}"#,
        r#""type":3,"data":{"name":"pong","custom_id":"ticket:9"}"#,
        r#""type":3,"data":{"custom_id":"t"}"#,
        r#""type":3,"data":{"custom_id":"t\u0000"}"#,
        r#""type":3,"data":{"custom_id":"\u00e9/1"}"#,
        r#""type":5,"data":{"custom_id":"é/1"}"#,
        r#""type":9,"data":{"name":"pong","custom_id":"vote"}"#,
        r#""type":"2","data":{"name":"pong"}"#,
        r#""data":{"name":"pong"}"#,
    ] {
        assert!(!held_back(wanted_or_doubt), "{wanted_or_doubt}");
    }
    // An empty list wants none, and an empty prefix all.
    let custom_id = r#"{"op":0,"d":{"type":3,"data":{"custom_id":"a"}}}"#;
    let none = Filter::new().custom_ids(Vec::<String>::new());
    assert!(!admits(&none, EventKind::InteractionCreate, custom_id));
    assert!(admits(&Filter::new().custom_ids(["", "b"]), EventKind::InteractionCreate, custom_id));
    assert!(admits(&Filter::new().commands(["b"]), EventKind::InteractionCreate, custom_id));
}

#[test]
fn no_truncation_is_held_back_and_no_damage_panics() {
    for (name, payload) in corpus() {
        let kind = kind_of(&payload);
        let text = payload.to_string();
        for (filter, _) in rules() {
            let interest = Interest::default().filter(filter);
            for len in 0..text.len() {
                assert!(interest.admits(kind, &text.as_bytes()[..len]), "{name} cut at {len}");
            }
        }
        if text.len() > 2_500 {
            continue; // the larger ones are damaged in the same places, and take long
        }
        // Any byte replaced: an answer, and of texts that are JSON still the right one.
        let (filter, wants) = &rules()[4];
        let interest = Interest::default().filter(filter.clone());
        let mut bytes = text.into_bytes();
        for at in 0..bytes.len() {
            for damage in [b'"', b'\\', b'{', b'}', b',', 0xFF, b'8'] {
                let whole = std::mem::replace(&mut bytes[at], damage);
                let admitted = interest.admits(kind, &bytes);
                // Only what is wanted must be delivered; doubts may be.
                if let (false, Ok(changed)) = (admitted, serde_json::from_slice::<Value>(&bytes)) {
                    assert!(!wants(kind, &changed["d"]), "{name}: byte {at} made {damage}");
                }
                bytes[at] = whole;
            }
        }
    }
}

/// What reached the handler.
#[derive(Default)]
struct Seen {
    events: u64,
    sequences: Vec<u64>,
}

impl Handler for Seen {
    fn on_event(&mut self, cx: &mut Context<'_>, _: Event<'_>) {
        self.events += 1;
        self.sequences.extend(cx.sequence());
    }
}

#[test]
fn what_is_held_back_never_reaches_the_handler_and_is_counted() {
    let texts = payloads(3_000, 2);
    let values: Vec<Value> = texts.iter().map(|text| parsed(text)).collect();
    let guilds: BTreeSet<u64> = values.iter().filter_map(|v| id(&v["d"]["guild_id"])).collect();
    let wanted_guilds: Vec<u64> = guilds.iter().copied().step_by(5).collect();
    let filter = Filter::new().guilds(wanted_guilds.iter().copied().map(GuildId::new)).bots(false);
    for delivery in [Delivery::Typed, Delivery::Raw, Delivery::RawAndTyped] {
        let interest = Interest::all(delivery)
            .with([EventKind::TypingStart], Delivery::Skip)
            .filter(filter.clone());
        let mut line = Line::new(Compression::ZlibStream, interest, Seen::default);
        line.log_in();
        texts.iter().for_each(|text| {
            line.say(text);
        });
        let wants = |value: &&Value| {
            let key = if value["t"] == "GUILD_CREATE" { "id" } else { "guild_id" };
            let is_of_bot = value["t"].as_str().unwrap().starts_with("MESSAGE_")
                && value["d"]["author"]["bot"] == json!(true);
            value["t"] != "TYPING_START"
                && !is_of_bot
                && id(&value["d"][key]).is_none_or(|id| wanted_guilds.contains(&id))
        };
        let expected: Vec<u64> = std::iter::once(1)
            .chain(values.iter().filter(wants).map(|v| id(&v["s"]).unwrap()))
            .collect();
        assert!(expected.len() > 100 && expected.len() < 1_500, "{}", expected.len());
        assert_eq!(line.desk.handler().sequences, expected, "{delivery:?}");
        assert_eq!(line.shard.session().sequence(), Some(3_001), "all of them count");

        let metrics = line.desk.metrics();
        let mut filtered = 0;
        for (kind, counters) in metrics.kinds() {
            let accounted = counters.delivered + counters.skipped + counters.filtered;
            assert_eq!(accounted, counters.received, "{kind}");
            assert_eq!(counters.skipped > 0, kind == EventKind::TypingStart, "{kind}");
            filtered += counters.filtered;
        }
        let typing = metrics.kind(EventKind::TypingStart);
        assert_eq!(typing.skipped, typing.received);
        assert_eq!(filtered + typing.skipped + metrics.counters.delivered, 3_001);
        let text = metrics.render_openmetrics();
        let sample = format!(
            "shardring_kind_filtered_total{{kind=\"MESSAGE_CREATE\"}} {}",
            metrics.kind(EventKind::MessageCreate).filtered
        );
        assert!(text.lines().any(|line| line == sample), "{sample}");
    }
}

#[test]
fn the_shard_learns_its_session_and_resumes_whatever_the_filter_says() {
    let nothing = Filter::new()
        .guilds([])
        .channels([])
        .bots(false)
        .direct_messages(false)
        .commands(Vec::<String>::new())
        .custom_ids(Vec::<String>::new());
    let interest = Interest::default().filter(nothing);
    let mut line = Line::new(Compression::None, interest, Seen::default);
    line.log_in();
    assert_eq!(line.shard.session().session_id(), Some("the session"));
    line.say(r#"{"t":"GUILD_CREATE","s":2,"op":0,"d":{"id":"5","unavailable":true}}"#);
    line.say(r#"{"t":"GUILD_DELETE","s":3,"op":0,"d":{"id":"5","unavailable":true}}"#);
    line.say(r#"{"t":"MESSAGE_CREATE","s":4,"op":0,"d":{"id":"5","channel_id":"6"}}"#);
    line.say(r#"{"t":"SOMETHING_NEW","s":5,"op":0,"d":{"guild_id":"5"}}"#);
    assert_eq!(line.desk.handler().sequences, [1, 5], "READY, and what nobody knows");
    // What was held back counts as received: the session resumes behind it.
    line.say(r#"{"op":7,"d":null}"#);
    line.shard.release(&mut line.desk.pool);
    for _ in 0..10 {
        let deadline = line.shard.poll_deadline().expect("it reconnects");
        line.now.set(deadline);
        line.shard.expire(deadline, Duration::ZERO);
        if let Some(Action::Dial(_)) = line.settle() {
            break;
        }
    }
    line.open();
    line.say(r#"{"op":10,"d":{"heartbeat_interval":41250}}"#);
    let resume = line.heard();
    assert!(resume.contains(r#""op":6"#) && resume.contains(r#""seq":5"#), "{resume}");
    line.say(r#"{"t":"MESSAGE_CREATE","s":6,"op":0,"d":{"id":"5","channel_id":"6"}}"#);
    line.say(r#"{"t":"RESUMED","s":7,"op":0,"d":{}}"#);
    assert_eq!(line.desk.handler().sequences, [1, 5, 7]);
    assert_eq!(
        (line.shard.session().state(), line.shard.session().sequence()),
        (State::Active, Some(7))
    );
}

#[test]
fn a_filter_allocates_nothing_per_event() {
    let filter = Filter::new()
        .guilds((0..2_500).map(GuildId::new))
        .channels((0..2_500).map(ChannelId::new))
        .bots(false)
        .commands(["ping"])
        .custom_ids(["ticket:"]);
    let mut line =
        Line::new(Compression::ZlibStream, Interest::default().filter(filter), Counting::default);
    line.log_in();
    let mut half = |first_s| {
        payloads(3_000, first_s).iter().flat_map(|text| line.frame(text)).collect::<Vec<u8>>()
    };
    let (warm_up, counted) = (half(10_000), half(20_000));
    for piece in warm_up.chunks(4096) {
        line.give(piece);
    }
    let filtered = |line: &Line<Counting>| {
        line.desk.metrics().kinds().map(|(_, counters)| counters.filtered).sum::<u64>()
    };
    let (before, filtered_before) = (counting::allocated_count(), filtered(&line));
    for piece in counted.chunks(4096) {
        line.give(piece);
    }
    assert_eq!(counting::allocated_count() - before, 0);
    assert_eq!(filtered(&line) - filtered_before, 3_000);
}

#[test]
fn a_filter_beyond_its_bounds_is_refused_by_name() {
    let refused = |filter: Filter| {
        let token = Token::new("a.test.token").unwrap();
        let config = Config::builder(token, Intents::GUILDS)
            .gateway_url("ws://127.0.0.1:1")
            .interest(Interest::default().filter(filter))
            .build();
        let error = config.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    };
    let many = || (0..=FILTER_NAMES_MAX).map(|number| number.to_string());
    assert!(refused(Filter::new().commands(many())).contains("65537 commands, at most 65536"));
    let long = "x".repeat(FILTER_NAME_LEN_MAX + 1);
    assert!(refused(Filter::new().custom_ids([long])).contains("401 bytes"));
    let ids = (0..=shardring::FILTER_IDS_MAX as u64).map(GuildId::new);
    assert!(refused(Filter::new().guilds(ids)).contains("1048577 guilds, at most 1048576"));
}

#[test]
fn a_second_filter_of_a_kind_is_refused_unless_the_first_was_taken_away() {
    let build = |interest: Interest| {
        let config = Config::builder(Token::new("a.test.token").unwrap(), Intents::GUILDS)
            .gateway_url("ws://127.0.0.1:1")
            .interest(interest);
        config.build().map(drop).map_err(|error| (error.kind(), error.to_string()))
    };
    let (guilds, people) = (Filter::new().guilds([GuildId::new(1)]), Filter::new().bots(false));
    let message = [EventKind::MessageCreate];
    let both = guilds.clone().bots(false);
    let refused = [
        Interest::default().filter(guilds.clone()).only(message, people.clone()),
        Interest::default().only(message, people.clone()).filter(guilds.clone()),
        // The second asks for nothing that the kind has, and the first is lost all the same.
        Interest::default()
            .only(message, people.clone())
            .only(message, Filter::new().commands(["a"])),
    ];
    for interest in refused {
        let (kind, told) = build(interest).unwrap_err();
        assert_eq!(kind, ErrorKind::Config);
        assert!(told.contains("a filter of MESSAGE_CREATE replaced by another"), "{told}");
    }
    let taken = [
        Interest::default()
            .filter(guilds.clone())
            .only(message, Filter::new())
            .only(message, people),
        Interest::default().only(message, both.clone()).only(message, both),
        Interest::default().filter(guilds.clone()).only([EventKind::Ready], guilds),
    ];
    for interest in taken {
        assert_eq!(build(interest), Ok(()));
    }
}

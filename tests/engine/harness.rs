//! An engine against a replay gateway in the same process, and the ledger between them.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use replay_gateway::ledger::{self, Record, Report, SessionLost};
use replay_gateway::{Builder, Gateway, GatewayHandle, LedgerTo, Start, Stats, TrafficConfig};
use shardring::{
    Compression, Config, ConfigBuilder, Context, Delivery, Engine, Error, Event, Handler, Intents,
    Interest, Link, Metrics, Shards, Stop, Timeouts, Token,
};

/// What the handlers of all cores saw.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) records: Vec<Record>,
    pub(crate) lost: Vec<SessionLost>,
    /// (shard, what the notice says).
    pub(crate) links: Vec<(u32, String)>,
    /// Names of events seen, the generated traffic left out.
    pub(crate) events: Vec<(u32, String)>,
    pub(crate) undecoded: u64,
}

impl Log {
    pub(crate) fn links_of(&self, shard: u32) -> Vec<&str> {
        self.links.iter().filter(|(of, _)| *of == shard).map(|(_, text)| text.as_str()).collect()
    }
}

/// Writes everything down.
pub(crate) struct Recorder(pub(crate) Arc<Mutex<Log>>);

impl Handler for Recorder {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        record(&self.0, cx, &event);
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        let mut log = self.0.lock().unwrap();
        log.links.push((cx.shard().id, format!("{link:?}")));
        if let Link::SessionLost { session_id, first_seq, .. } = link {
            log.lost.push(SessionLost {
                session: ledger::session_key(session_id),
                after_s: first_seq as u32 - 1,
            });
        }
    }
}

/// Writes an event into the log.
pub(crate) fn record(log: &Mutex<Log>, cx: &Context<'_>, event: &Event<'_>) {
    let mut log = log.lock().unwrap();
    let id = unique_id(event);
    if let Event::Undecoded(_) = event {
        log.undecoded += 1;
    }
    if id == 0 {
        log.events.push((cx.shard().id, event.name().to_owned()));
        return;
    }
    let data = cx.raw().and_then(|text| {
        let range = shardring::sans_io::decode::Envelope::data_range(text.as_bytes()).ok()??;
        text.get(range)
    });
    log.records.push(Record {
        session: ledger::session_key(cx.session_id().unwrap_or("")),
        s: cx.sequence().unwrap_or(0) as u32,
        flags: 0,
        id,
        hash: data.map_or(0, |data| ledger::hash(data.as_bytes())),
    });
}

/// The id that a generated event carries, read as a user would (`traffic::id_field`).
fn unique_id(event: &Event<'_>) -> u64 {
    match event {
        Event::MessageCreate(message) => message.id.get(),
        Event::MessageUpdate(message) => message.id.get(),
        Event::MessageDelete(message) => message.id.get(),
        Event::MessageReactionAdd(reaction) => reaction.message_id.get(),
        Event::PresenceUpdate(presence) => presence.user.id.get(),
        Event::TypingStart(typing) => typing.user_id.get(),
        Event::InteractionCreate(interaction) => interaction.id.get(),
        Event::GuildCreate(guild) => guild.id.get(),
        Event::VoiceStateUpdate(state) => state.user_id.get(),
        Event::GuildMemberUpdate(update) => update.user.id.get(),
        Event::Untyped(untyped) => {
            let data = untyped.data;
            let field = match untyped.name {
                "INTERACTION_CREATE" => data.get("id"),
                _ => None,
            };
            field.and_then(|id| id.as_str()).and_then(|id| id.parse().ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

/// A gateway and an engine that talk.
pub(crate) struct Run {
    // Drop order: the engine ends before its gateway does.
    pub(crate) engine: Running,
    pub(crate) gateway: GatewayHandle,
    pub(crate) log: Arc<Mutex<Log>>,
}

pub(crate) const TOKEN: &str = "MTIz.secret-of-the-tests.abc";

/// Settings for a quick test: everything that waits for long waits for little.
pub(crate) fn config(shards: u32, url: &str) -> ConfigBuilder {
    let mut timeouts = Timeouts::default();
    timeouts.dial = Duration::from_secs(2);
    timeouts.hello = Duration::from_millis(700);
    timeouts.stalled = Duration::from_millis(700);
    timeouts.close = Duration::from_millis(300);
    Config::builder(Token::new(TOKEN).unwrap(), Intents::ALL)
        .shards(Shards::all(shards))
        .gateway_url(url)
        .max_concurrency(shards.max(16))
        .interest(Interest::all(Delivery::RawAndTyped))
        .timeouts(timeouts)
        .seed(7)
}

/// A gateway for them.
pub(crate) fn gateway(shards: u32) -> Builder {
    Gateway::builder()
        .token(TOKEN)
        .max_concurrency(shards.max(16))
        .ledger(LedgerTo::Memory)
        .heartbeat_interval_ms(5_000)
}

/// So much traffic for each shard, once all are ready, at an easy pace.
pub(crate) fn traffic(
    shards: u32,
    events_per_shard: u64,
    rate_per_s: Option<f64>,
) -> TrafficConfig {
    TrafficConfig {
        start: Start::Shards(shards),
        rate_per_s,
        rate_shards: shards,
        events_per_shard: Some(events_per_shard),
        ..TrafficConfig::default()
    }
}

/// An engine that a test which fails does not leave running, dialling a gateway that is gone, at
/// the cost of the tests beside it.
pub(crate) struct Running(Option<Engine>);

impl Running {
    pub(crate) fn stop(mut self, how: Stop) -> Result<(), Error> {
        self.0.take().expect("only its end takes it").stop(how)
    }

    pub(crate) fn join(mut self) -> Result<(), Error> {
        self.0.take().expect("only its end takes it").join()
    }
}

impl From<Engine> for Running {
    fn from(engine: Engine) -> Self {
        Self(Some(engine))
    }
}

impl Deref for Running {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.0.as_ref().expect("only its end takes it")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(engine) = self.0.take() {
            // The test has failed already, or does not ask how it ended.
            let _ = engine.stop(Stop::EndSessions);
        }
    }
}

impl Run {
    /// Starts both; does not wait.
    pub(crate) fn start(
        gateway: Builder,
        adjust: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
    ) -> Self {
        Self::start_shards(4, gateway, adjust)
    }

    pub(crate) fn start_shards(
        shards: u32,
        gateway: Builder,
        adjust: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
    ) -> Self {
        Self::join_shards(shards, gateway.spawn().unwrap(), adjust)
    }

    /// The same with a gateway that runs.
    pub(crate) fn join_shards(
        shards: u32,
        gateway: GatewayHandle,
        adjust: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
    ) -> Self {
        let config = adjust(config(shards, &gateway.url())).build().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let handlers = Arc::clone(&log);
        let engine = Engine::start(config, move |_| Ok(Recorder(Arc::clone(&handlers)))).unwrap();
        Self { gateway, engine: engine.into(), log }
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    /// Waits for something that must come about.
    pub(crate) fn until(&self, what: &str, done: impl Fn(&Log, &Stats) -> bool) -> Stats {
        let end = Instant::now() + AT_MOST;
        loop {
            let stats = self.gateway.stats();
            let log = self.log();
            if done(&log, &stats) {
                return stats;
            }
            assert!(
                Instant::now() < end,
                "{what} never came about.\nnotices: {:#?}\nevents: {:?}\nrecords: {}, {} undecoded\n\
                 gateway: {stats:#?}",
                log.links,
                log.events,
                log.records.len(),
                log.undecoded
            );
            drop(log);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until all traffic was numbered and seen (or lost with notice), and compares.
    pub(crate) fn traffic_done(&self, sessions: u64) -> Report {
        self.until("the end of the traffic", |log, stats| {
            stats.sessions_done >= sessions
                && (log.records.len() as u64 >= stats.traffic_numbered || !log.lost.is_empty())
        });
        // What is still on its way, if sessions were lost.
        std::thread::sleep(Duration::from_millis(100));
        self.compare()
    }

    /// Waits until so many sessions have had all their traffic and every event was seen, or was
    /// excused by a notice; an event lost, doubled, altered or out of order fails.
    pub(crate) fn ledger_is_whole(&self, sessions: u64) -> Report {
        let end = Instant::now() + AT_MOST;
        loop {
            let stats = self.gateway.stats();
            let report = self.compare();
            let settled = report.seen + report.excused >= stats.traffic_numbered;
            if stats.sessions_done >= sessions && settled && report.is_clean() {
                return report;
            }
            assert!(
                Instant::now() < end,
                "the ledger was never whole.\n{report:#?}\nnotices: {:#?}\ngateway: {stats:#?}",
                self.log().links,
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for a notice of a shard that begins like this.
    pub(crate) fn until_link(&self, shard: u32, begins: &str) -> Stats {
        self.until(begins, |log, _| log.links_of(shard).iter().any(|text| text.starts_with(begins)))
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.engine.handle().metrics().wait().unwrap()
    }

    /// The notices of a shard are these, in this order; each is given by its beginning. The last
    /// may yet have to come: RESUMED follows the last event that was replayed.
    #[track_caller]
    pub(crate) fn assert_links(&self, shard: u32, expected: &[&str]) {
        self.until("as many notices", |log, _| log.links_of(shard).len() >= expected.len());
        let log = self.log();
        let seen = log.links_of(shard);
        let alike = seen.len() == expected.len()
            && seen.iter().zip(expected).all(|(seen, begins)| seen.starts_with(begins));
        assert!(alike, "shard {shard}\nexpected {expected:#?}\nsaw {seen:#?}");
    }

    pub(crate) fn compare(&self) -> Report {
        let log = self.log();
        let start_guilds = self.gateway.ledger();
        ledger::compare(&start_guilds, &log.records, &log.lost)
    }

    pub(crate) fn stop(self) -> Result<Stats, Error> {
        let stopped = self.engine.stop(Stop::EndSessions);
        let stats = self.gateway.stats();
        stopped.map(|()| stats)
    }
}

/// What the tests wait at most for anything.
const AT_MOST: Duration = Duration::from_secs(30);

pub(crate) const COMPRESSIONS: [Compression; 2] = [Compression::ZlibStream, Compression::None];

//! Thousands of Discord gateway shards from one pinned io_uring thread per core.
//!
//! You write a [`Handler`]; the engine holds the connections, keeps the sessions alive over
//! everything that Discord and the network do to them, and calls the handler with events that
//! borrow the received bytes: no copy after inflating, no lock, no allocation per event. It is for
//! the very largest bots: for one with a few shards any library will do.
//!
//! ```no_run
//! use shardring::model::ChannelId;
//! use shardring::{Config, Context, Engine, Event, EventKind, Handler, Intents, Interest, Link};
//! use shardring::{ShardId, Token};
//!
//! struct Bot {
//!     seen: u64,
//! }
//!
//! impl Handler for Bot {
//!     fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
//!         match event {
//!             Event::MessageCreate(m) if m.content.starts_with("!ping") => {
//!                 let channel = m.channel_id; // a copy: the event ends with this call
//!                 cx.spawn(async move { reply(channel, "pong").await });
//!             }
//!             _ => self.seen += 1,
//!         }
//!     }
//!
//!     fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
//!         if let Link::SessionLost { first_seq, last_seq, .. } = link {
//!             alarm(cx.shard(), first_seq, last_seq);
//!         }
//!     }
//! }
//!
//! fn main() -> Result<(), shardring::Error> {
//!     let intents = Intents::GUILDS | Intents::GUILD_MESSAGES | Intents::MESSAGE_CONTENT;
//!     let config = Config::builder(Token::from_env("DISCORD_TOKEN")?, intents)
//!         .interest(Interest::typed([EventKind::MessageCreate]))
//!         .book("/var/lib/my-bot/session-starts") // counts IDENTIFYs over restarts
//!         .build()?; // as many shards as Discord recommends
//!     let engine = Engine::start(config, |_core| Ok(Bot { seen: 0 }))?; // one handler per core
//!     engine.handle().ready().wait()?;
//!     engine.join()
//! }
//!
//! async fn reply(channel: ChannelId, text: &str) { /* the HTTP client of your choice */ }
//! fn alarm(shard: ShardId, first_seq: u64, last_seq: Option<u64>) { /* tell somebody */ }
//! ```
//!
//! # The loop
//!
//! 1. **Start.** [`Config::builder`] takes the token and the intents, and checks every value in
//!    [`build`](ConfigBuilder::build), before anything runs. [`Engine::start`] pins one thread to
//!    each core, makes a handler on each by the factory, and returns when all run; what the machine
//!    does not allow (io_uring, descriptors, locked memory) is an error with its cure. Before that
//!    it asks `GET /gateway/bot` for the address, the number of shards and the session start
//!    limit, and refuses a start that would use up the bot's IDENTIFYs.
//! 2. **Ready.** Shards connect after that, as fast as the session start limit allows
//!    ([`max_concurrency`](ConfigBuilder::max_concurrency)). [`Handle::ready`] resolves when each
//!    has been READY once. Like every [`Receipt`] it is a future on any executor, and it can be
//!    [waited](Receipt::wait) for.
//! 3. **Events.** [`Handler::on_event`] is called on the core's thread, one call at a time. A guild
//!    stays on its shard and a shard on its core, so what a handler keeps of a guild needs no lock.
//! 4. **Links.** [`Handler::on_link`] tells what happens to connections and sessions: reconnects,
//!    resumes with the number of events replayed, and [`Link::SessionLost`], which says from which
//!    event on something may be missing. Reconnecting is the engine's affair; there is nothing to
//!    do but to know.
//! 5. **Stop.** [`Handle::stop`] from anywhere, then [`Engine::join`]; or [`Engine::stop`], which
//!    is both. [`Stop::KeepSessions`] leaves the sessions resumable. [`Handler::on_stop`] is
//!    awaited last. The library installs no signal handler; `examples/hello.rs` has one.
//!
//! ```no_run
//! # use shardring::{Config, Engine, Error, Handler, Stop};
//! # fn run(config: Config, make: fn() -> impl_::Bot) -> Result<(), Error> {
//! let engine = Engine::start(config, move |_core| Ok(make()))?;
//! let handle = engine.handle(); // Clone + Send: for any thread or task
//! std::thread::spawn(move || {
//!     let first = handle.failure().wait(); // an error that does not mend itself
//!     eprintln!("{first:?}");
//!     handle.stop(Stop::EndSessions);
//! });
//! engine.join()
//! # }
//! # mod impl_ {
//! #     use shardring::{Context, Event, Handler};
//! #     pub struct Bot;
//! #     impl Handler for Bot { fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {} }
//! # }
//! ```
//!
//! # What to know
//!
//! **Interest.** The intents decide what Discord sends, the [`Interest`] what is done with it, kind
//! by kind: [`Skip`](Delivery::Skip) counts it and never parses it, [`Typed`](Delivery::Typed)
//! reads it (a kind that this version does not know comes as [`Event::Untyped`], its name and its
//! JSON tree),
//! [`Raw`](Delivery::Raw) hands on the text as it came, [`RawAndTyped`](Delivery::RawAndTyped) does
//! both for one copy. It is fixed at the start. No event is dropped for being unknown or odd.
//!
//! ```
//! use shardring::{Delivery, EventKind, Interest};
//! let interest = Interest::typed([EventKind::MessageCreate, EventKind::GuildCreate])
//!     .raw([EventKind::PresenceUpdate]);
//! assert_eq!(interest.delivery(EventKind::TypingStart), Delivery::Skip);
//! ```
//!
//! It may also look inside: a [`Filter`] asks for guilds, channels, authors that are no bots, or
//! commands, and is judged on the text before anything is parsed. What is in doubt is delivered.
//!
//! **A call blocks its core.** While `on_event` runs, no other shard of that core is served. What
//! waits belongs into [`Context::spawn`]: a future on the same thread, beside the events, for
//! anything made for tokio's current-thread runtime or for tokio-uring. What blocks or computes for
//! long belongs into [`Context::spawn_blocking`]: a helper thread that is not pinned. (Not tokio's
//! own `spawn_blocking`: its threads inherit the pinning and fight the ring for the core.) Both are
//! bounded, and give `false` if they did nothing.
//!
//! **Backpressure.** [`Context::pause`] ends the events of one shard after the present one, until
//! [`Handle::unpause`]. Its socket is not read, so TCP pushes back; its heartbeats go on, and its
//! silence does not count against it. A handler that blocks for a minute costs no reconnect of ours
//! either: time in which a core did not read is not the peer's fault. `examples/forward.rs` joins
//! `pause` to a bounded queue. [`Context::defer_ack`] holds the shard by itself: an event then
//! counts as delivered when its [`Ack`] is acknowledged, from whatever thread, and a shard with
//! [`Limits::open_acks_max`] open ones waits (`examples/sink.rs`).
//!
//! **Asking and ordering.** [`Handle::shard`] gives a [`ShardHandle`]: its status, waiting for a
//! [`Stage`], reconnect, restart, terminate, close, abort, start. [`Handle::stages`],
//! [`Handle::wait_all`] and [`Handle::gateway_info`] are of the engine as a whole,
//! [`Engine::start_ready`] returns when all is up. `docs/operating.md` of the repository has the
//! tables.
//!
//! **Panics.** A handler that panics is replaced by a new one from the factory, which hears of it
//! by [`Handler::on_restart`]; the event counts as delivered. Three panics within ten seconds end
//! that core's events; its heartbeats go on and [`Handle::failure`] tells. A spawned future's panic
//! is counted and raised, never fatal. No message of ours quotes a payload. (With
//! `panic = "abort"` there is nothing to catch: the process ends.)
//!
//! **Commands.** [`Context::send`] queues in the shard itself, [`Handle::send`] from any thread.
//! Both check first, and give a [`CommandReceipt`] that resolves when the bytes are written or
//! never will be. See [`command`]. 120 payloads per 60 s and shard, of which heartbeats keep
//! theirs; what exceeds that waits in a bounded outbox, by priority, also over reconnects. A
//! presence is remembered and goes with each IDENTIFY; `docs/commands.md` of the repository has
//! every rule.
//!
//! **Voice and members.** [`Handle::join_voice`] gives what a voice client needs to connect, and
//! then every reason to connect anew ([`VoiceHandoff`]); [`Handle::collect_members`] gives the
//! chunks of a member request, their progress and what is missing ([`MemberChunks`]). Both work
//! from a [`Context`] too, whatever the handler's interest is, and survive a resume.
//! `docs/voice.md` of the repository has the sequence, and what bites.
//!
//! **Limits.** Every queue, buffer and loop has a bound, and each bound a name in [`Limits`]:
//!
//! ```
//! use shardring::Limits;
//! let mut limits = Limits::default();
//! limits.helper_threads = 4;
//! limits.wire.inflated_len_max = 16 << 20; // bytes; a longer message is a typed error
//! ```
//!
//! **Memory.** Buffers belong to a core, not to a connection. A core has 2 MiB of receive buffers,
//! at most 1 MiB of metrics, and a pool for messages that are not yet whole, which grows to
//! [`Limits::pool`] and no further: when it is full the largest receivers wait and TCP pushes back.
//! A shard itself keeps its session and, with zlib-stream, the state of its inflater, which is the
//! larger part of it by far; `load-test --scenario memory-a` of the repository measures what that
//! comes to.
//!
//! **Errors.** [`Error`] is what ends a call, a core or the engine: it says [what](ErrorKind) it is
//! about and [whose fault](Fault) it was. What befalls a connection is no error but a [`Link`]
//! notice, since the session survives it. Neither holds a token or a byte of a payload.
//!
//! **Metrics.** [`Handle::metrics`] merges what the cores counted and timed: latencies as
//! histograms, counters in all and by kind, and each shard with the age of its last
//! acknowledgement. See [`metrics`].
//!
//! # Keeping an event, moving from twilight-model
//!
//! An [`Event`] ends with the handler's call. [`Event::to_owned`] keeps it: one allocation of about
//! 0.85 of its text, `Send`, opened as the same typed event by [`OwnedEvent::read`] or
//! [`visit`](OwnedEvent::visit). To keep one takes half of the time of decoding, to open it three
//! quarters. Where only a few fields are wanted, copying them is cheaper.
//!
//! [`Event::deserialize`] reads the event as any serde type, from the tree that was parsed, any
//! number of times: as twilight's `MessageCreate`, for instance. That takes about as long as
//! twilight's own parser (for a message of 2.3 KB 9 µs, beside our 3): its types' allocations cost
//! more than the parsing does. So it is for moving over, a line at a time, and for structs of your
//! own that borrow. `examples/twilight.rs` is such a bot. The other way, every type is serde
//! `Serialize` to the JSON that Discord would have sent.
//!
//! ```
//! # use shardring::Event;
//! #[derive(serde::Deserialize)]
//! struct Sent<'a> {
//!     id: &'a str,
//!     nonce: Option<&'a str>,
//! }
//!
//! fn seen(event: &Event<'_>) -> bool {
//!     event.deserialize::<Sent<'_>>().is_ok_and(|sent| sent.nonce == Some(sent.id))
//! }
//! ```
//!
//! # Reaching Discord
//!
//! TLS with certificates always verified ([`Roots`]), HTTP and SOCKS proxies ([`Proxy`]), discovery
//! ([`ConfigBuilder::discovery`]), zlib-stream and zstd-stream ([`Compression`]), happy eyeballs
//! and shared look-ups. `docs/connecting.md` of the repository has all of it, with a table of what
//! you may see and what to do.
//!
//! **The identify budget.** Discord resets the token of a bot that identifies too often. Every
//! IDENTIFY is counted before its bytes can leave, over processes and restarts where there is a
//! [`book`](ConfigBuilder::book); a start that the rest of the day does not cover is refused; a
//! reserve is kept; [`Handle::warnings`] tells long before it is reached, and [`Engine::forecast`]
//! what a start costs. Several processes of one host share turns by the same file; a cluster brings
//! its own [`IdentifyGate`] and [`StartLedger`].
//!
//! **Storms.** Dials of all shards pass one admission: few at a time, the oldest sessions first,
//! and a host that fails is avoided by all, the sessions kept.
//!
//! # Testing a bot
//!
//! [`testing::Rehearsal`] plays Discord to a handler without a socket, under a clock that the test
//! moves: the shards that run are the engine's own. [`OwnedEvent::from_data`] makes an event of
//! JSON text. `docs/testing.md` of the repository has whole tests.
//!
//! # Features, log
//!
//! **Features.** `driver`, `tls`, `zstd` and `discovery` are on by default; `aws-lc-rs` takes that
//! crypto library instead of ring.
//!
//! **Log.** Each change of a shard's state is a [`tracing`](https://docs.rs/tracing) event with
//! shard, session and cause; none is made per event, and none holds the token or a payload.
//!
//! # What is not there yet
//!
//! Sessions handed over to another process. There is no REST client, no cache and no command
//! framework, and there will be none.
//!
//! # The map
//!
//! Payload is pushed down one corridor; orders to the world are pulled out of it:
//!
//! ```text
//! socket ─ driver ─ wire: proxy, TLS ─▶ shard ─▶ wire: frame → inflate ─▶ decode: tape → arena
//!                                         ▲                                  └─▶ Handler::on_event
//! commands ───────────────────────────────┘  session · heartbeat · outbox · close codes
//!                                            admission · budget · identify gate, for all shards
//! ```
//!
//! | room | what it does | I/O |
//! |---|---|---|
//! | `config`, `error` | what a user may set; whose fault it is. Re-exported here | no |
//! | [`command`] | what a bot may say, and its JSON text | no |
//! | [`model`] | Discord's objects and events as data; THE list of events | no |
//! | [`metrics`] | what a core counted and timed; merging | no |
//! | [`wire`] | bytes to payload text and back: proxies, TLS, upgrade, frames, inflate | no |
//! | [`decode`] | text to tape to values, in scratch that a core lends | no |
//! | [`shard`] | the protocol of one shard, and the spine; what all shards share of it | no |
//! | [`discovery`] | `GET /gateway/bot`: its retries, its answer, the plan of shards | the asking |
//! | `voice`, `members`, `feed` | the user's end of what a shard waits for: bounded queues | no |
//! | `trust` | whose certificates are believed | reads the store |
//! | [`clock`] | what time it is and what is random: arguments, always | no |
//! | `driver` | threads, pinning, io_uring, [`Engine`], [`Handle`] | all of it |
//! | [`testing`] | stand-ins for engine and gateway, for the tests of a bot | no |
//!
//! The rooms without I/O build without the feature `driver` (on by default) and are public as
//! [`sans_io`], outside of semantic versioning. The first function to read is
//! [`Shard::receive`](sans_io::shard::Shard::receive).
//!
//! # Further
//!
//! `README.md` has the machine's limits (kernel, seccomp, rlimits), the replay gateway, the load
//! test and the figures; `examples/` has whole programs: `hello`, `presence`, `forward`, `sink`,
//! `metrics`, `openmetrics`, `twilight`, `voice`, `members`, and `songbird`, which hands voice to
//! its driver.
//! The protocol is Discord's: <https://discord.com/developers/docs/events/gateway>.

#![warn(missing_debug_implementations)]
// Without the driver, or discovery, nobody calls what is there for it.
#![cfg_attr(not(all(feature = "driver", feature = "discovery")), allow(dead_code))]

#[doc(hidden)]
pub mod clock;
pub mod command;
mod config;
#[doc(hidden)]
pub mod decode;
#[doc(hidden)]
pub mod discovery;
#[cfg(feature = "driver")]
mod driver;
mod error;
mod feed;
mod members;
pub mod metrics;
pub mod model;
#[doc(hidden)]
pub mod shard;
pub mod testing;
#[cfg(feature = "tls")]
mod trust;
mod voice;
#[doc(hidden)]
pub mod wire;

pub use config::{
    Config, ConfigBuilder, DEFAULT_GATEWAY_URL, Delivery, FILTER_IDS_MAX, FILTER_NAME_LEN_MAX,
    FILTER_NAMES_MAX, Filter, Intents, Interest, Limits, Shards, Timeouts,
};
#[cfg(feature = "discovery")]
pub use discovery::Discovery;
pub use discovery::{DEFAULT_REST_BASE, GatewayBotInfo, Oddity, PlanWarning};
#[cfg(feature = "driver")]
pub use driver::{
    Book, BookError, CommandReceipts, CommandTally, Engine, GatewayInfo, Handle, HostClock,
    Receipt, ShardHandle, StageCounts, Stop, Warning,
};
pub use error::{Error, ErrorKind, Fault};
pub use feed::Elapsed;
pub use members::MemberChunks;
pub use metrics::Metrics;
pub use model::{Event, EventKind, EventSet, OwnedEvent};
pub use shard::ShardId;
pub use shard::acks::Ack;
pub use shard::budget::{BudgetAlarm, BudgetSettings, Forecast, SessionStartLimit, StartLedger};
pub use shard::close::{Cause, Fatal, LinkEnd};
pub use shard::counters::Counters as ShardCounters;
pub use shard::errands::members::{
    CHUNKS_WAITING_MAX, COLLECTIONS_MAX, CollectMembers, MISSING_LEN_MAX, MembersChunk, MembersEnd,
    MembersEndCause, MembersNews, SILENCE_TIMEOUT,
};
pub use shard::errands::voice::{
    CONFIRM_TIMEOUT, JOIN_TIMEOUT, JoinVoice, OwnVoiceState, VoiceChange, VoiceConnectInfo,
    VoiceEnd,
};
pub use shard::handler::{Context, Handler, Link, Panicked};
pub use shard::identify::IdentifyGate;
pub use shard::notice::State;
pub use shard::receipt::{CommandReceipt, CommandSent, CommandStatus};
pub use shard::refusal::Refusal;
pub use shard::stage::Stage;
pub use shard::status::ShardStatus;
pub use shard::token::Token;
#[cfg(feature = "tls")]
pub use trust::Roots;
pub use voice::{CHANGES_LEN_MAX, VoiceHandoff};
pub use wire::{Compression, PoolLimits, Proxy, ProxyError, WireError, WireLimits};

/// The machines without sockets and without a clock: for tests, simulations, other drivers.
///
/// **Outside of semantic versioning**: what is here may change with any release. Start with
/// [`Shard::receive`](shard::Shard::receive), the spine; `tests/support` of the repository drives
/// one without a socket.
pub mod sans_io {
    #[doc(inline)]
    pub use crate::{clock, decode, discovery, shard, wire};
}
pub use clock::Time;
pub use decode::{
    DecodeError, DeserializeError, Expected, Json, JsonKind, Map, Mismatch, NOTES_MAX, Note, Notes,
    Scratch,
};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The tests in it pass.
#[cfg(doctest)]
#[doc = include_str!("../docs/testing.md")]
struct Testing;

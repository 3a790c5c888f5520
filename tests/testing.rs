//! What `shardring::testing` promises to those who test a bot with it.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shardring::model::{ChannelId, Component, Message};
use shardring::sans_io::shard::budget::{Counted, LedgerState, MemoryLedger};
use shardring::sans_io::shard::identify::{LocalGate, Ticket, Turn};
use shardring::sans_io::shard::session::SESSION_LASTED;
use shardring::testing::{Dispatched, Rehearsal};
use shardring::{
    Cause, Config, ConfigBuilder, Context, Delivery, Error, ErrorKind, Event, EventKind, Filter,
    Handler, IdentifyGate, Intents, Interest, Link, LinkEnd, OwnedEvent, Panicked, ShardId, Shards,
    StartLedger, State, Time, Token,
};

/// Writes down what it sees, and does what the messages say.
#[derive(Default)]
struct Diary {
    seen: Vec<(u32, Option<u64>, String)>,
    links: Vec<String>,
    latency: Option<Duration>,
    restarts: Vec<Panicked>,
    ran: Rc<Cell<u32>>,
    stopped: Rc<Cell<bool>>,
}

impl Handler for Diary {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        self.latency = cx.latency();
        let Event::MessageCreate(message) = event else { return };
        self.seen.push((cx.shard().id, cx.sequence(), message.content.to_owned()));
        match message.content {
            "pause" => cx.pause(),
            "panic" => panic!("as told"),
            "send" => assert!(cx.send(shardring::command::Command::raw(99, "7")).is_ok()),
            "spawn" => {
                let ran = Rc::clone(&self.ran);
                assert!(cx.spawn(async move { ran.set(ran.get() + 1) }));
            }
            "wait" => assert!(cx.spawn(std::future::pending())),
            "fail" => assert!(cx.spawn(async { panic!("as told") })),
            "block" => {
                let thread = std::thread::current().id();
                assert!(cx.spawn_blocking(move || {
                    assert_eq!(std::thread::current().id(), thread, "jobs run in the test");
                }));
            }
            _ => {}
        }
    }

    fn on_link(&mut self, _: &mut Context<'_>, link: Link<'_>) {
        self.links.push(match link {
            Link::SessionLost { first_seq, last_seq, .. } => {
                format!("SessionLost {first_seq} {last_seq:?}")
            }
            Link::Resumed { replayed } => format!("Resumed {replayed}"),
            Link::Gap { first_seq, last_seq } => format!("Gap {first_seq} {last_seq}"),
            Link::Disconnected { cause, .. } => format!("Disconnected {cause}"),
            Link::Reconnecting { resume, .. } => format!("Reconnecting {resume}"),
            Link::Refused { refusal } => format!("Refused {:?}", refusal.fatal),
            other => {
                let text = format!("{other:?}");
                text.split([' ', '{']).next().unwrap().to_owned()
            }
        });
    }

    fn on_restart(&mut self, cause: &Panicked) {
        self.restarts.push(*cause);
    }

    async fn on_stop(&mut self) {
        self.stopped.set(true);
    }
}

impl Diary {
    fn contents(&self) -> Vec<&str> {
        self.seen.iter().map(|(_, _, content)| content.as_str()).collect()
    }
}

fn diary() -> Rehearsal<Diary> {
    let mut stage = Rehearsal::new(Interest::default(), Diary::default);
    stage.ready();
    stage
}

fn message(content: &str) -> String {
    format!(r#"{{"id":"1","channel_id":"2","content":"{content}","author":{{"id":"3"}}}}"#)
}

fn config() -> ConfigBuilder {
    Config::builder(Token::new("a.test.token").unwrap(), Intents::ALL)
        .gateway_url("ws://gateway.test")
}

#[track_caller]
fn assert_refused(what: impl FnOnce(), why: &str) {
    let panic = catch_unwind(AssertUnwindSafe(what)).expect_err("a mistake of the test's author");
    let told = panic.downcast_ref::<String>().expect("a sentence");
    assert!(told.contains(why), "{told}");
}

#[test]
fn a_start_is_played_as_discord_plays_it() {
    let mut stage = Rehearsal::new(Interest::default(), Diary::default);
    assert_eq!(stage.state(), State::Identifying);
    assert!(stage.gateway(0).identify().unwrap().contains(r#""token":"(token)""#));
    stage.ready();
    assert_eq!(stage.state(), State::Active);
    assert_eq!(stage.handler().links, ["Connected", "Ready"]);
    assert_eq!(stage.dispatch("MESSAGE_CREATE", &message("hello")), Dispatched::Delivered);
    assert_eq!(stage.handler().seen, [(0, Some(2), "hello".to_owned())]);
    let metrics = stage.metrics();
    assert_eq!((metrics.counters.readies, metrics.counters.identifies), (1, 1));
    assert_eq!(metrics.shards()[0].sequence, Some(2));
}

#[test]
fn what_became_of_a_dispatch_is_told() {
    let filter = Filter::new().bots(false);
    let interest = Interest::typed([EventKind::MessageCreate, EventKind::GuildCreate])
        .only([EventKind::MessageCreate], filter)
        .with([EventKind::TypingStart], Delivery::Raw);
    let mut stage = Rehearsal::new(interest, Diary::default);
    stage.ready();
    let by_bot = r#"{"id":"1","channel_id":"2","author":{"id":"3","bot":true}}"#;
    for (name, data, expected) in [
        ("MESSAGE_CREATE", message("a").as_str(), Dispatched::Delivered),
        ("MESSAGE_CREATE", by_bot, Dispatched::Filtered),
        ("MESSAGE_CREATE", r#"{"content":"no id"}"#, Dispatched::Imperfect),
        ("MESSAGE_CREATE", r#"{"id":"1","pinned":7}"#, Dispatched::Imperfect),
        ("TYPING_START", "{}", Dispatched::Delivered),
        ("PRESENCE_UPDATE", "{}", Dispatched::Skipped),
        ("SOMETHING_NEW", "{}", Dispatched::Skipped),
        ("MESSAGE_CREATE", message("panic").as_str(), Dispatched::Panicked),
        ("MESSAGE_CREATE", message("pause").as_str(), Dispatched::Delivered),
        ("MESSAGE_CREATE", message("b").as_str(), Dispatched::Held),
        ("PRESENCE_UPDATE", "{}", Dispatched::Held),
    ] {
        assert_eq!(stage.dispatch(name, data), expected, "{name} {data}");
    }
}

#[test]
fn mistakes_of_the_script_are_told_and_not_played() {
    let mut stage = diary();
    assert_refused(|| _ = stage.dispatch("MESSAGE_CREATE", "{"), "is no JSON");
    assert_refused(|| _ = stage.dispatch("MESSAGE_CREATE", r#"1,"d":{}"#), "is no JSON");
    assert_refused(|| stage.resume([]), "it asks for nothing before `disconnect`");
    assert_refused(|| _ = stage.gateway(1).state(), "no shard 1 runs here");
    stage.disconnect();
    assert_refused(|| _ = stage.dispatch("MESSAGE_CREATE", "{}"), "is not connected");
    assert_refused(|| stage.gateway(0).ready(), "call `resume` or `lose_session`");
    stage.lose_session();
    assert_refused(|| stage.resume([]), "call `ready`");
    stage.ready();
    assert_eq!(stage.handler().contents(), [""; 0]);
}

#[test]
fn commands_are_taken_in_order_and_once_and_heartbeats_are_none() {
    let mut stage = diary();
    stage.dispatch("MESSAGE_CREATE", &message("send"));
    stage.advance(Duration::from_secs(600));
    assert_eq!(stage.take_sent(), [r#"{"op":99,"d":7}"#]);
    assert_eq!(stage.take_sent(), [""; 0]);
    assert!(stage.metrics().counters.heartbeats >= 14);
}

#[test]
fn a_resumed_session_replays_with_the_numbers_that_follow() {
    let mut stage = diary();
    stage.dispatch("MESSAGE_CREATE", &message("before"));
    stage.disconnect();
    assert_eq!(stage.state(), State::Waiting);
    let missed = [message("missed 1"), message("missed 2")];
    stage.resume(missed.iter().map(|data| ("MESSAGE_CREATE", data.as_str())));
    stage.dispatch("MESSAGE_CREATE", &message("after"));
    let seen = &stage.handler().seen;
    let numbers: Vec<u64> = seen.iter().map(|(_, sequence, _)| sequence.unwrap()).collect();
    assert_eq!(numbers, [2, 3, 4, 6], "RESUMED has a number, too");
    let links = &stage.handler().links[2..];
    let cut = Cause::Link(LinkEnd::Eof);
    let expected = [format!("Disconnected {cut}"), "Reconnecting true".into(), "Connected".into()];
    assert_eq!(links[..3], expected);
    assert_eq!(links[3..], ["Resumed 2"]);
    assert_eq!(stage.metrics().counters.identifies, 1);
}

#[test]
fn a_lost_session_is_told_with_its_range_and_a_new_one_begins_at_one() {
    for is_up in [true, false] {
        let mut stage = diary();
        stage.dispatch("MESSAGE_CREATE", &message("before"));
        if !is_up {
            stage.disconnect();
        }
        stage.lose_session();
        assert!(stage.handler().links.contains(&"SessionLost 3 None".to_owned()), "{is_up}");
        stage.ready();
        stage.dispatch("MESSAGE_CREATE", &message("anew"));
        assert_eq!(stage.handler().seen.last().unwrap().1, Some(2));
        assert!(stage.now() > Time::ZERO + Duration::from_secs(1), "the back-off was waited for");
    }
}

#[test]
fn skipped_numbers_are_a_gap() {
    let mut stage = diary();
    stage.gateway(0).skip_sequence(3);
    stage.dispatch("MESSAGE_CREATE", &message("late"));
    assert_eq!(stage.handler().links.last().unwrap(), "Gap 2 4");
}

#[test]
fn a_paused_shard_gets_nothing_until_it_is_unpaused_and_keeps_its_connection() {
    let mut stage = diary();
    stage.dispatch("MESSAGE_CREATE", &message("pause"));
    for n in 0..3 {
        let held = stage.dispatch("MESSAGE_CREATE", &message(&n.to_string()));
        assert_eq!(held, Dispatched::Held);
    }
    let beats = stage.metrics().counters.heartbeats;
    stage.advance(Duration::from_secs(3600));
    assert!(stage.metrics().counters.heartbeats - beats >= 86, "heartbeats go on");
    assert_eq!(stage.handler().contents(), ["pause"]);
    assert!(stage.gateway(0).waiting() > 3, "its acknowledgements wait, too");
    assert_eq!(stage.metrics().shards()[0].paused_for, Some(Duration::from_secs(3600)));
    stage.unpause();
    assert_eq!(stage.handler().contents(), ["pause", "0", "1", "2"]);
    assert_eq!((stage.gateway(0).waiting(), stage.state()), (0, State::Active));
    stage.gateway(0).pause();
    assert_eq!(stage.dispatch("MESSAGE_CREATE", &message("x")), Dispatched::Held);
}

#[test]
fn a_gateway_that_falls_silent_is_left_and_the_session_resumed() {
    let mut stage = diary();
    stage.gateway(0).silence(true);
    stage.advance(Duration::from_secs(120));
    let zombie = format!("Disconnected {}", Cause::Zombie);
    assert!(stage.handler().links.contains(&zombie), "{:?}", stage.handler().links);
    stage.gateway(0).silence(false);
    stage.resume([]);
    assert_eq!(stage.state(), State::Active);
}

#[test]
fn the_latency_is_what_the_script_says() {
    let mut stage = diary();
    stage.dispatch("MESSAGE_CREATE", &message("a"));
    assert_eq!(stage.handler().latency, None);
    stage.round_trip(Duration::from_millis(123));
    stage.advance(Duration::from_secs(60));
    stage.dispatch("MESSAGE_CREATE", &message("b"));
    assert_eq!(stage.handler().latency, Some(Duration::from_millis(123)));
}

#[test]
fn a_handler_that_panics_is_replaced_and_three_in_ten_seconds_end_its_events() {
    let mut stage = diary();
    stage.dispatch("MESSAGE_CREATE", &message("a"));
    assert_eq!(stage.dispatch("MESSAGE_CREATE", &message("panic")), Dispatched::Panicked);
    let [panicked] = stage.handler().restarts[..] else { panic!("one restart") };
    assert_eq!(panicked.event, Some(EventKind::MessageCreate));
    assert_eq!(stage.handler().contents(), [""; 0], "it is another one");
    stage.advance(Duration::from_secs(11));
    for _ in 0..3 {
        assert!(stage.failures().is_empty());
        stage.dispatch("MESSAGE_CREATE", &message("panic"));
    }
    assert_eq!(stage.failures()[0].kind(), ErrorKind::HandlerPanicked);
    assert_eq!(stage.dispatch("MESSAGE_CREATE", &message("b")), Dispatched::Held);
}

#[test]
fn spawned_futures_run_when_told_and_their_panics_are_counted() {
    let mut stage = diary();
    for content in ["spawn", "wait", "fail", "spawn"] {
        stage.dispatch("MESSAGE_CREATE", &message(content));
    }
    assert_eq!(stage.handler().ran.get(), 0);
    assert_eq!(stage.run_spawned(), 1, "one waits for ever");
    assert_eq!(stage.handler().ran.get(), 2);
    assert_eq!(stage.metrics().counters.task_panics, 1);
    assert_eq!(stage.failures().len(), 1);
}

#[test]
fn a_future_goes_on_when_what_it_waits_for_comes() {
    type Wakers = Rc<RefCell<Vec<std::task::Waker>>>;
    #[derive(Default)]
    struct Waits {
        wakers: Wakers,
        is_done: Rc<Cell<bool>>,
    }
    impl Handler for Waits {
        fn on_event(&mut self, cx: &mut Context<'_>, _: Event<'_>) {
            let (wakers, is_done) = (Rc::clone(&self.wakers), Rc::clone(&self.is_done));
            let mut polls = 0;
            cx.spawn(async move {
                std::future::poll_fn(|cx| {
                    polls += 1;
                    wakers.borrow_mut().push(cx.waker().clone());
                    if polls < 3 { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
                })
                .await;
                is_done.set(true);
            });
        }
    }
    let mut stage = Rehearsal::new(Interest::typed([EventKind::MessageCreate]), Waits::default);
    stage.ready();
    stage.dispatch("MESSAGE_CREATE", &message(""));
    assert_eq!((stage.run_spawned(), stage.run_spawned()), (1, 1));
    let wakers = Rc::clone(&stage.handler().wakers);
    assert_eq!(wakers.borrow().len(), 1, "nobody woke it: it was polled once");
    for left in [1, 0] {
        let waker = wakers.borrow().last().unwrap().clone();
        waker.wake();
        assert_eq!(stage.run_spawned(), left);
    }
    assert!(stage.handler().is_done.get());
}

#[test]
fn spawned_futures_may_use_all_of_tokio_on_the_callers_runtime() {
    #[derive(Default)]
    struct Sleeps {
        woke: Rc<Cell<bool>>,
    }
    impl Handler for Sleeps {
        fn on_event(&mut self, cx: &mut Context<'_>, _: Event<'_>) {
            let woke = Rc::clone(&self.woke);
            cx.spawn(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                woke.set(true);
            });
        }
        async fn on_stop(&mut self) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.woke.set(false);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut stage =
            Rehearsal::new(Interest::typed([EventKind::MessageCreate]), Sleeps::default);
        stage.ready();
        stage.dispatch("MESSAGE_CREATE", &message(""));
        stage.finish_spawned().await;
        assert!(stage.handler().woke.get());
        stage.finish().await;
        assert!(!stage.handler().woke.get());
    });
}

#[test]
fn blocking_jobs_run_in_the_test_and_as_many_wait_as_in_an_engine() {
    let mut stage = diary();
    stage.dispatch("MESSAGE_CREATE", &message("block"));
    stage.dispatch("MESSAGE_CREATE", &message("block"));
    assert_eq!((stage.run_blocking(), stage.run_blocking()), (2, 0));
    assert!(stage.failures().is_empty());

    struct Greedy(u32);
    impl Handler for Greedy {
        fn on_event(&mut self, cx: &mut Context<'_>, _: Event<'_>) {
            self.0 += u32::from(cx.spawn(std::future::pending()));
            self.0 += u32::from(cx.spawn_blocking(|| panic!("as told")));
        }
    }
    let mut limits = shardring::Limits::default();
    (limits.tasks_max, limits.blocking_len_max) = (2, 3);
    let config = config().limits(limits).interest(Interest::typed([EventKind::MessageCreate]));
    let mut stage = Rehearsal::start(config.build().unwrap(), |_| Ok(Greedy(0))).unwrap();
    stage.ready();
    for _ in 0..10 {
        stage.dispatch("MESSAGE_CREATE", &message(""));
    }
    assert_eq!(stage.handler().0, 2 + 3);
    assert_eq!((stage.run_spawned(), stage.run_blocking()), (2, 3));
    assert_eq!(stage.failures().len(), 3);
}

#[test]
fn several_shards_take_their_turns_and_have_their_own_gateways() {
    let config = config().shards(Shards::list([1, 3], 4)).build().unwrap();
    let mut stage = Rehearsal::start(config, |core| {
        assert_eq!(core, 0);
        Ok(Diary::default())
    })
    .unwrap();
    stage.ready();
    assert!(stage.now() >= Time::ZERO + Duration::from_secs(5), "one IDENTIFY in five seconds");
    stage.gateway(3).dispatch("MESSAGE_CREATE", &message("three"));
    stage.dispatch("MESSAGE_CREATE", &message("first"));
    stage.gateway(1).disconnect();
    stage.gateway(3).dispatch("MESSAGE_CREATE", &message("send"));
    assert_eq!(stage.gateway(3).take_sent().len(), 1);
    assert_eq!(stage.gateway(3).state(), State::Active);
    stage.gateway(1).resume([]);
    let shards: Vec<u32> = stage.handler().seen.iter().map(|(shard, ..)| *shard).collect();
    assert_eq!(shards, [3, 1, 3]);
}

#[test]
fn closes_and_refused_dials_do_what_their_codes_say() {
    let mut stage = diary();
    stage.gateway(0).reconnect();
    stage.resume([]);
    stage.refuse_dials(Some(LinkEnd::ConnectionRefused));
    stage.gateway(0).close(None);
    stage.advance(Duration::from_secs(300));
    let refused = format!("Disconnected {}", Cause::Link(LinkEnd::ConnectionRefused));
    let tries = stage.handler().links.iter().filter(|link| **link == refused).count();
    assert!(tries > 3, "{:?}", stage.handler().links);
    stage.refuse_dials(None);
    stage.resume([]);
    assert_eq!(stage.metrics().counters.identifies, 1, "the session was kept over it all");
    stage.gateway(0).close(Some(4014));
    assert_eq!(stage.state(), State::Retired);
    assert_eq!(stage.handler().links.last().unwrap(), "Refused DisallowedIntents");
    assert_eq!(stage.failures()[0].kind(), ErrorKind::Refused);
    assert_refused(|| stage.ready(), "sends neither IDENTIFY nor RESUME");
}

#[test]
fn broken_payloads_can_be_said_on_purpose() {
    let mut stage = Rehearsal::new(Interest::all(Delivery::Typed), Undecoded::default);
    stage.ready();
    stage.gateway(0).say(r#"{"t":"MESSAGE_CREATE","s":2,"op":0,"d":{"id":}}"#);
    stage.gateway(0).say(r#"{"op":0,"t":"MESSAGE_CREATE","s":2,"d":{}}"#);
    assert_eq!(stage.handler().0, 1, "and the second has the number of the first");
    assert_eq!(stage.metrics().counters.duplicates, 1);
}

#[derive(Default)]
struct Undecoded(u32);

impl Handler for Undecoded {
    fn on_event(&mut self, _: &mut Context<'_>, event: Event<'_>) {
        self.0 += u32::from(matches!(event, Event::Undecoded(_)));
    }
}

#[test]
fn a_ready_of_ones_own_is_played() {
    struct Guilds(usize, Vec<String>);
    impl Handler for Guilds {
        fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
            if let Event::Ready(ready) = event {
                self.0 = ready.guilds.len();
                self.1.push(cx.session_id().unwrap_or("").to_owned());
            }
        }
    }
    let mut stage = Rehearsal::new(Interest::default(), || Guilds(9, Vec::new()));
    let ready = r#"{"v":10,"session_id":"mine","user":{"id":"5"},"guilds":[]}"#;
    stage.gateway(0).ready_with(ready);
    assert_eq!((stage.handler().0, stage.handler().1.as_slice()), (0, &["mine".to_owned()][..]));
}

#[test]
fn a_stop_ends_the_sessions_and_runs_on_stop() {
    let mut stage = diary();
    stage.dispatch("MESSAGE_CREATE", &message("wait"));
    let stopped = Rc::clone(&stage.handler().stopped);
    assert!(stage.stop() && stopped.get());
    assert_eq!((stage.state(), stage.run_spawned()), (State::Retired, 0));

    struct Waits;
    impl Handler for Waits {
        fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
        async fn on_stop(&mut self) {
            std::future::pending::<()>().await;
        }
    }
    assert!(!Rehearsal::new(Interest::default(), || Waits).stop(), "it waits for something");
}

#[test]
fn the_same_script_is_the_same_play() {
    let play = || {
        let mut stage = diary();
        stage.disconnect();
        stage.resume([]);
        stage.lose_session();
        stage.ready();
        stage.advance(SESSION_LASTED);
        (stage.now(), stage.handler().links.clone(), stage.metrics().counters.heartbeats)
    };
    assert_eq!(play(), play());
}

#[test]
fn what_cannot_start_is_refused_as_an_engine_would() {
    let mut budget = shardring::BudgetSettings::default();
    budget.total = Some(1);
    let config = config().shards(Shards::all(4)).budget(budget).build().unwrap();
    let refused = Rehearsal::start(config, |_| Ok(Diary::default()));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Budget);
    let config = self::config().build().unwrap();
    let failed = Rehearsal::<Diary>::start(config, |_| Err(Token::new("").unwrap_err().into()));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Token);
}

/// A gate that lets nobody pass before it is opened.
#[derive(Debug)]
struct Gate {
    inner: LocalGate,
    is_open: Mutex<bool>,
}

impl IdentifyGate for Gate {
    fn max_concurrency(&self) -> u32 {
        self.inner.max_concurrency()
    }
    fn enqueue(&self, shard: ShardId, first: bool, now: Time) -> Ticket {
        self.inner.enqueue(shard, first, now)
    }
    fn may_dial(&self, ticket: &Ticket, now: Time) -> Turn {
        self.inner.may_dial(ticket, now)
    }
    fn ask(&self, ticket: &Ticket, now: Time) -> Turn {
        match *self.is_open.lock().unwrap() {
            true => self.inner.ask(ticket, now),
            false => Turn::Later(now + Duration::from_secs(1)),
        }
    }
    fn written(&self, ticket: Ticket, now: Time) {
        self.inner.written(ticket, now);
    }
    fn give_back(&self, ticket: Ticket, now: Time) {
        self.inner.give_back(ticket, now);
    }
    fn abandon(&self, ticket: Ticket) {
        self.inner.abandon(ticket);
    }
    fn waiting(&self) -> usize {
        self.inner.waiting()
    }
}

/// A ledger that counts how often it was asked to count.
#[derive(Debug, Default)]
struct Ledger {
    inner: MemoryLedger,
    counted: AtomicU32,
}

impl StartLedger for Ledger {
    fn state(&self, now: Time) -> LedgerState {
        self.inner.state(now)
    }
    fn count(&self, limit: u32, now: Time) -> Counted {
        self.counted.fetch_add(1, Ordering::SeqCst);
        self.inner.count(limit, now)
    }
    fn align(&self, used: u32, reset_at: Time, now: Time) -> LedgerState {
        self.inner.align(used, reset_at, now)
    }
}

#[test]
fn gates_and_ledgers_of_ones_own_are_asked() {
    let gate = Arc::new(Gate { inner: LocalGate::new(1), is_open: Mutex::new(false) });
    let ledger = Arc::new(Ledger::default());
    let config = config()
        .identify_gate(Arc::clone(&gate) as Arc<dyn IdentifyGate>)
        .start_ledger(Arc::clone(&ledger) as Arc<dyn StartLedger>)
        .build()
        .unwrap();
    let mut stage = Rehearsal::start(config, |_| Ok(Diary::default())).unwrap();
    stage.advance(Duration::from_secs(60));
    assert_eq!((stage.state(), ledger.counted.load(Ordering::SeqCst)), (State::Queued, 0));
    *gate.is_open.lock().unwrap() = true;
    stage.ready();
    assert_eq!((stage.state(), ledger.counted.load(Ordering::SeqCst)), (State::Active, 1));
}

#[test]
fn debug_prints_neither_token_nor_payload() {
    let config = config().build().unwrap();
    let mut stage = Rehearsal::start(config, |_| Ok(Diary::default())).unwrap();
    let identify = stage.gateway(0).identify().unwrap().to_owned();
    stage.ready();
    stage.dispatch("MESSAGE_CREATE", &message("hush"));
    let text = format!("{stage:?}") + &format!("{:?}", stage.gateway(0)) + &identify;
    assert!(!text.contains("hush") && !text.contains("a.test.token"), "{text}");
}

#[test]
fn an_event_is_made_of_json_text() -> Result<(), Error> {
    let from_json = |text: &str| OwnedEvent::from_json(text).map(|event| event.kind());
    let from_data = |text: &str| OwnedEvent::from_data(EventKind::MessageCreate, text);
    let channel = |event: &OwnedEvent| {
        event.visit(|event| match event {
            Event::MessageCreate(message) => Some(message.channel_id),
            _ => None,
        })
    };
    let whole = format!(r#"{{"op":0,"s":4,"t":"MESSAGE_CREATE","d":{}}}"#, message("x"));
    let event = OwnedEvent::from_json(&whole).unwrap();
    assert_eq!(channel(&event), Some(ChannelId::new(2)));
    assert_eq!(channel(&from_data(&format!(" {} ", message("x"))).unwrap()), channel(&event));
    assert_eq!(from_json(r#"{"t":"NEW_THING","d":null}"#), Ok(EventKind::Unknown));
    assert_eq!(from_json(r#"{"t":"MESSAGE_CREATE"}"#), Ok(EventKind::MessageCreate));
    assert_eq!(channel(&from_data("{}").unwrap()), None, "without an id it is untyped");
    for broken in [r#"{"d":{}}"#, "[]", "{", "", r#"{"t":7,"d":{}}"#] {
        assert!(from_json(broken).is_err(), "{broken}");
    }
    for broken in ["", "{", "{}{}", "{},", "}", r#"{},"d":{}"#, r#"{},"t":"READY""#, "{]"] {
        assert!(from_data(broken).is_err(), "{broken}");
    }
    Ok(())
}

#[test]
fn an_event_tells_which_of_its_fields_could_not_be_read() {
    let note = |text: &str| {
        OwnedEvent::from_data(EventKind::MessageCreate, text).unwrap().visit(|event| {
            let notes = event.notes().unwrap();
            (notes.count(), notes.iter().map(|note| note.field).collect::<Vec<_>>())
        })
    };
    assert_eq!(note(&message("x")), (0, vec![]));
    assert_eq!(note(r#"{"id":"1","pinned":"x","content":7}"#), (2, vec!["pinned", "content"]));
    let raw = OwnedEvent::from(Event::raw(EventKind::MessageCreate, "MESSAGE_CREATE", b"{}"));
    assert!(raw.visit(|event| event.notes().is_none()));
}

#[test]
fn a_handler_sees_the_notes_of_its_event() {
    #[derive(Default)]
    struct Notes(Vec<(&'static str, &'static str)>);
    impl Handler for Notes {
        fn on_event(&mut self, _: &mut Context<'_>, event: Event<'_>) {
            let notes = event.notes().into_iter().flat_map(|notes| notes.iter());
            self.0.extend(notes.map(|note| (note.object, note.field)));
        }
    }
    let mut stage = Rehearsal::new(Interest::typed([EventKind::MessageCreate]), Notes::default);
    stage.ready();
    stage.dispatch("MESSAGE_CREATE", r#"{"id":"1","author":{"id":"2","bot":"maybe"}}"#);
    stage.dispatch("MESSAGE_CREATE", &message("whole"));
    stage.dispatch("MESSAGE_CREATE", "{}");
    assert_eq!(stage.handler().0, [("User", "bot"), ("MESSAGE_CREATE", "")], "what untyped it");
}

#[test]
fn every_component_is_walked_however_deep_it_lies_and_before_what_it_holds() {
    let button = |id: &str| format!(r#"{{"type":2,"style":1,"custom_id":"{id}"}}"#);
    let text = |content: &str| format!(r#"{{"type":10,"content":"{content}"}}"#);
    let row = format!(r#"{{"type":1,"components":[{},{}]}}"#, button("a"), button("b"));
    let section = format!(
        r#"{{"type":9,"components":[{},{}],"accessory":{}}}"#,
        text("c"),
        text("d"),
        button("e")
    );
    let bare = r#"{"type":9,"components":[]}"#;
    let label = format!(r#"{{"type":18,"label":"l","component":{}}}"#, button("f"));
    let container = format!(r#"{{"type":17,"components":[{row},{section},{bare}]}}"#);
    let new = r#"{"type":250,"custom_id":"g"}"#;
    let data =
        format!(r#"{{"id":"1","components":[{container},null,{label},{new},{}]}}"#, text("h"));
    let walked = |data: &str| {
        OwnedEvent::from_data(EventKind::MessageCreate, data).unwrap().visit(|event| {
            let Event::MessageCreate(message) = event else { panic!("{event:?}") };
            let name = |component: Component<'_>| match component {
                Component::TextDisplay(text) => text.content.to_owned(),
                Component::ActionRow(_) => "row".to_owned(),
                Component::Section(_) => "section".to_owned(),
                Component::Container(_) => "container".to_owned(),
                Component::Label(_) => "label".to_owned(),
                other => other.custom_id().unwrap_or("?").to_owned(),
            };
            let mut walk = message.walk_components();
            let names: Vec<String> = walk.by_ref().map(name).collect();
            assert!(walk.next().is_none(), "it stays at its end");
            let parts = message.components.iter().flat_map(|component| component.walk());
            assert_eq!(parts.map(name).collect::<Vec<_>>(), names, "part by part the same");
            names
        })
    };
    let expected = "container row a b section c d e section label f g h";
    assert_eq!(walked(&data).join(" "), expected);
    // As deep as the decoder goes, with something to come back to at each level.
    let mut deep = button("end");
    for level in (0..25).rev() {
        deep = format!(r#"{{"type":17,"components":[{deep},{}]}}"#, text(&level.to_string()));
    }
    let names = walked(&format!(r#"{{"id":"1","components":[{deep}]}}"#));
    // The decoder leaves out what lies deeper than it reads; what it read is all there.
    let depth = names.iter().filter(|name| *name == "container").count();
    let texts = &names[depth..];
    let expected: Vec<String> = (0..texts.len()).rev().map(|level| level.to_string()).collect();
    assert!((4..25).contains(&depth) && depth - texts.len() <= 1, "{names:?}");
    assert_eq!(texts, expected);
}

#[test]
fn of_a_key_that_stands_there_twice_the_last_holds_and_nothing_of_the_first() {
    let read = |data: &str, look: fn(&Message<'_>) -> String| {
        OwnedEvent::from_data(EventKind::MessageCreate, data).unwrap().visit(|event| match event {
            Event::MessageCreate(message) => look(&message),
            other => format!("{:?} {}", other.kind(), other.notes().is_some()),
        })
    };
    let author = |message: &Message<'_>| {
        let author = message.author;
        format!("{} {} {:?}", author.id, author.username, author.bot)
    };
    let first = r#"{"id":"2","username":"first","bot":true}"#;
    let twice = |second: &str| format!(r#"{{"id":"1","author":{first},"author":{second}}}"#);
    let once = |author: &str| format!(r#"{{"id":"1","author":{author}}}"#);
    for second in [r#"{"id":"3"}"#, "{}", "7", r#"{"id":"4","username":"second"}"#] {
        assert_eq!(read(&twice(second), author), read(&once(second), author), "{second}");
    }
    let content = |message: &Message<'_>| message.content.to_owned();
    assert_eq!(read(r#"{"id":"1","content":"a","content":"b"}"#, content), "b");
    assert_eq!(read(r#"{"id":"1","content":"a","content":7}"#, content), "");
    let members = |message: &Message<'_>| format!("{:?}", message.mention_roles);
    let roles = r#"{"id":"1","mention_roles":["1","2"],"mention_roles":["3"]}"#;
    assert_eq!(read(roles, members), read(r#"{"id":"1","mention_roles":["3"]}"#, members));
    // The id counts by its last word, too.
    let id = |message: &Message<'_>| message.id.to_string();
    assert_eq!(read(r#"{"id":"1","id":"2"}"#, id), "2");
    assert_eq!(read(r#"{"id":"1","id":"x"}"#, id), read(r#"{"id":"x"}"#, id));
}

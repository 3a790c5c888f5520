//! The harness: some sessions, their links, a peer, and one virtual clock for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use shardring::clock::Time;
use shardring::command::Outgoing;
use shardring::shard::close::LinkEnd;
use shardring::shard::id::ShardId;
use shardring::shard::identify::LocalGate;
use shardring::shard::notice::{Notice, Order, Sent, State, Target, Verdict};
use shardring::shard::session::{Guards, Session};
use shardring::shard::settings::SessionSettings;
use shardring::shard::token::Token;
use shardring::{CommandReceipt, Error};

pub(crate) const SECRET: &str = "s3cr3t.t0k3n";

/// What a peer does to a link.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Open,
    End(LinkEnd),
    Hello(u64),
    Ack,
    AskBeat,
    Op7,
    Op9(bool),
    Dispatch(Option<u64>),
    Ready { s: Option<u64>, id: String, url: Option<String> },
    Resumed { s: Option<u64> },
}

/// What was seen at a shard's edge.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Dial(Target),
    Close(u16),
    Drop,
    Out(Sent, String),
    Verdict(Option<u64>, Verdict),
    Notice(Notice),
}

/// Whoever is at the other end.
pub(crate) trait Peer {
    fn dialled(&mut self, now: Time, shard: usize, target: Target) -> Vec<(Duration, Act)>;
    fn told(&mut self, now: Time, shard: usize, text: &str) -> Vec<(Duration, Act)>;
    /// Our close frame arrives. `None`: the peer is dead and does not answer.
    fn closed(&mut self, _now: Time, _shard: usize, code: u16) -> Option<Duration> {
        let _ = code;
        Some(ms(20))
    }
    /// A link is gone, by whatever cause.
    fn gone(&mut self, _now: Time, _shard: usize) {}
    /// The guards of a process that starts anew.
    fn reborn(&mut self) -> Guards {
        unreachable!("nobody is killed here")
    }
    /// How long the driver takes to learn that a payload was written.
    fn write_delay(&mut self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) struct Seat {
    pub(crate) session: Session,
    pub(crate) seen: Vec<(Time, Seen)>,
    pub(crate) unread: Duration,
    /// Changes with every link; what belongs to an old one is dropped.
    pub(crate) link: u64,
    process: usize,
    up: bool,
    armed: Option<Time>,
    /// The state after the last input.
    was: State,
}

/// Between which of its steps a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The connection is up, and the shard in line.
    Queued,
    /// The permit is granted, and nothing was pulled.
    Granted,
    /// IDENTIFY is on the wire, and nobody was told.
    Sent,
    /// The gate was told.
    Written,
}

fn is_on_way(state: State) -> bool {
    matches!(state, State::Connecting | State::Greeting | State::Resuming)
}

enum Event {
    Start(usize),
    Act(usize, u64, Act),
    Written(usize, u64, Sent),
}

pub(crate) struct World<P> {
    pub(crate) now: Time,
    pub(crate) seats: Vec<Seat>,
    pub(crate) guards: Guards,
    /// The guards of further processes.
    others: Vec<Guards>,
    pub(crate) peer: P,
    /// Connections on their way, by the sessions' states, and the most of them so far.
    pub(crate) on_way: usize,
    pub(crate) on_way_peak: usize,
    /// Calls of `expire`.
    pub(crate) wakes: u64,
    /// A process to kill: at which of its steps, counted down.
    pub(crate) crash: Option<(Step, u32)>,
    seed: u64,
    settings: Arc<SessionSettings>,
    /// Inputs so far.
    pub(crate) steps: u64,
    /// After how many inputs the dearer invariants, which look at every shard, are checked.
    pub(crate) check_each: u64,
    events: BTreeMap<(Time, u64), Event>,
    count: u64,
    /// When each seat wants to be woken.
    deadlines: BTreeSet<(Time, usize)>,
}

impl<P: Peer> World<P> {
    pub(crate) fn new(shards: u32, max_concurrency: u32, seed: u64, peer: P) -> Self {
        Self::with_settings(shards, LocalGate::new(max_concurrency), seed, peer, settings())
    }

    pub(crate) fn with_settings(
        shards: u32,
        gate: LocalGate,
        seed: u64,
        peer: P,
        settings: SessionSettings,
    ) -> Self {
        let guards = Guards { gate: Arc::new(gate), ..Guards::local(1, TOTAL) };
        let ids = (0..shards).map(|id| ShardId::new(id, shards));
        Self::with_guards(ids, guards, seed, peer, settings)
    }

    pub(crate) fn with_guards(
        shards: impl IntoIterator<Item = ShardId>,
        guards: Guards,
        seed: u64,
        peer: P,
        settings: SessionSettings,
    ) -> Self {
        let mut world = Self {
            now: Time::ZERO + ms(1000),
            seats: Vec::new(),
            guards: guards.clone(),
            others: Vec::new(),
            peer,
            on_way: 0,
            on_way_peak: 0,
            wakes: 0,
            crash: None,
            seed,
            settings: Arc::new(settings),
            steps: 0,
            check_each: 1,
            events: BTreeMap::new(),
            count: 0,
            deadlines: BTreeSet::new(),
        };
        world.add(shards, &guards, 0);
        world
    }

    /// Another process with shards and guards of its own.
    pub(crate) fn add_process(
        &mut self,
        shards: impl IntoIterator<Item = ShardId>,
        guards: Guards,
    ) {
        self.others.push(guards.clone());
        self.add(shards, &guards, self.others.len());
    }

    fn add(&mut self, shards: impl IntoIterator<Item = ShardId>, guards: &Guards, process: usize) {
        for shard in shards {
            let session = self.session(shard, guards);
            self.seats.push(Seat {
                session,
                seen: Vec::new(),
                unread: Duration::ZERO,
                link: 0,
                process,
                up: false,
                armed: None,
                was: State::Idle,
            });
        }
    }

    fn session(&mut self, shard: ShardId, guards: &Guards) -> Session {
        self.count += 1;
        let seed = self.seed.wrapping_mul(1_000_003) + u64::from(shard.id) + (self.count << 32);
        Session::new(shard, self.settings.clone(), guards.clone(), seed)
    }

    /// Kills a process as `kill -9` does: nothing of it is run any more, its links end. It starts
    /// anew, with these guards, a second later.
    pub(crate) fn kill(&mut self, process: usize, guards: Guards) {
        match process.checked_sub(1) {
            None => self.guards = guards.clone(),
            Some(other) => self.others[other] = guards.clone(),
        }
        for at in 0..self.seats.len() {
            if self.seats[at].process != process {
                continue;
            }
            self.on_way -= usize::from(is_on_way(self.state(at)));
            let fresh = self.session(self.seats[at].session.shard(), &guards);
            std::mem::forget(std::mem::replace(&mut self.seats[at].session, fresh));
            self.seats[at].link += 1;
            self.seats[at].up = false;
            self.peer.gone(self.now, at);
            self.arm(at);
            self.push(self.now + s(1), Event::Start(at));
        }
    }

    /// Whether the process of this seat is to be killed here.
    fn crashes(&mut self, at: usize, step: Step) -> bool {
        let Some((wanted, left)) = &mut self.crash else { return false };
        if *wanted != step || self.seats[at].process != 0 {
            return false;
        }
        *left = left.saturating_sub(1);
        if *left > 0 {
            return false;
        }
        self.crash = None;
        let guards = self.peer.reborn();
        self.kill(0, guards);
        true
    }

    pub(crate) fn start(&mut self) {
        for at in 0..self.seats.len() {
            self.start_one(at);
        }
    }

    pub(crate) fn start_one(&mut self, at: usize) {
        self.input(at, |session, now| session.start(now));
    }

    /// One input, then everything that comes out.
    pub(crate) fn input(&mut self, at: usize, input: impl FnOnce(&mut Session, Time)) {
        self.on_way -= usize::from(is_on_way(self.state(at)));
        input(&mut self.seats[at].session, self.now);
        self.drain(at);
    }

    /// Gives a command to a shard.
    pub(crate) fn send(
        &mut self,
        at: usize,
        command: impl Into<Outgoing>,
    ) -> Result<CommandReceipt, Error> {
        let mut answer = None;
        self.input(at, |session, now| answer = Some(session.send(now, command)));
        answer.expect("the input was run")
    }

    pub(crate) fn act(&mut self, at: usize, act: Act) {
        self.on_way -= usize::from(is_on_way(self.state(at)));
        let (now, mut verdict) = (self.now, None);
        let seat = &mut self.seats[at];
        let session = &mut seat.session;
        if !matches!(act, Act::Open | Act::End(_)) {
            session.heard(now);
        }
        let mut dispatch = |session: &mut Session, s| {
            verdict = Some((s, session.dispatch(now, s)));
        };
        match act {
            Act::Open => session.link_opened(now),
            Act::End(end) => {
                seat.link += 1;
                seat.up = false;
                session.link_ended(now, end);
                self.peer.gone(now, at);
            }
            Act::Hello(interval_ms) => session.hello(now, interval_ms),
            Act::Ack => session.ack(now),
            Act::AskBeat => session.heartbeat_asked(now),
            Act::Op7 => session.reconnect_asked(now),
            Act::Op9(resumable) => session.invalid_session(now, resumable),
            Act::Dispatch(s) => dispatch(session, s),
            Act::Ready { s, id, url } => {
                dispatch(session, s);
                session.ready(now, &id, url.as_deref());
            }
            Act::Resumed { s } => {
                dispatch(session, s);
                session.resumed(now);
            }
        }
        if let Some((s, verdict)) = verdict {
            self.seats[at].seen.push((now, Seen::Verdict(s, verdict)));
        }
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        let now = self.now;
        self.on_way += usize::from(is_on_way(self.state(at)));
        self.on_way_peak = self.on_way_peak.max(self.on_way);
        self.seats[at].session.invariants();
        let state = self.state(at);
        let was = std::mem::replace(&mut self.seats[at].was, state);
        match state {
            State::Queued if self.crashes(at, Step::Queued) => return,
            State::Identifying if was != state && self.crashes(at, Step::Granted) => return,
            _ => {}
        }
        while let Some(order) = self.seats[at].session.poll_order() {
            match order {
                Order::Dial { target, .. } => {
                    self.seats[at].seen.push((now, Seen::Dial(target)));
                    self.seats[at].link += 1;
                    self.seats[at].up = true;
                    let acts = self.peer.dialled(now, at, target);
                    self.schedule(at, acts);
                }
                Order::Close { code } => {
                    self.seats[at].seen.push((now, Seen::Close(code)));
                    if let Some(delay) = self.peer.closed(now, at, code) {
                        let end = Act::End(LinkEnd::Closed(Some(code)));
                        self.schedule(at, vec![(delay, end)]);
                    }
                }
                Order::Drop => {
                    self.seats[at].seen.push((now, Seen::Drop));
                    self.seats[at].link += 1;
                    self.seats[at].up = false;
                    self.peer.gone(now, at);
                }
            }
        }
        let mut out = Vec::new();
        while let Some(sent) = self.seats[at].session.poll_transmit(now, &mut out) {
            let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
            assert!(text.len() <= 4096);
            let acts = self.peer.told(now, at, &text);
            self.seats[at].seen.push((now, Seen::Out(sent, text)));
            if sent == Sent::Identify && self.crashes(at, Step::Sent) {
                return;
            }
            let delay = self.peer.write_delay();
            if delay.is_zero() {
                self.seats[at].session.transmitted(now, sent);
                if sent == Sent::Identify && self.crashes(at, Step::Written) {
                    return;
                }
            } else {
                self.push(now + delay, Event::Written(at, self.seats[at].link, sent));
            }
            self.schedule(at, acts);
        }
        while let Some(notice) = self.seats[at].session.poll_notice() {
            assert!(!format!("{notice:?}").contains(SECRET));
            self.seats[at].seen.push((now, Seen::Notice(notice)));
        }
        assert_eq!(self.seats[at].session.counters().notices_missed, 0);
        self.seats[at].session.invariants();
        self.arm(at);
        self.steps += 1;
        for guards in self.others.iter().chain([&self.guards]) {
            guards.admission.invariants();
            guards.budget.invariants();
            if self.steps.is_multiple_of(self.check_each) {
                guards.gate.invariants();
                guards.admission.invariants_of_each();
            }
        }
    }

    /// Notes when the seat wants to be woken.
    fn arm(&mut self, at: usize) {
        let deadline = self.seats[at].session.poll_deadline();
        let armed = std::mem::replace(&mut self.seats[at].armed, deadline);
        if armed != deadline {
            armed.map(|when| self.deadlines.remove(&(when, at)));
            deadline.map(|when| self.deadlines.insert((when, at)));
        }
    }

    pub(crate) fn schedule(&mut self, at: usize, acts: Vec<(Duration, Act)>) {
        for (delay, act) in acts {
            let event = Event::Act(at, self.seats[at].link, act);
            self.push(self.now + delay, event);
        }
    }

    fn push(&mut self, when: Time, event: Event) {
        self.count += 1;
        self.events.insert((when, self.count), event);
    }

    /// Lets time pass: events and deadlines in their order.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut spins = (Time::ZERO, 0);
        loop {
            let deadline = self.deadlines.first().copied();
            let event = self.events.keys().next().copied();
            let next = [deadline.map(|(when, _)| when), event.map(|(when, _)| when)];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            spins = if spins.0 == self.now { (self.now, spins.1 + 1) } else { (self.now, 0) };
            assert!(spins.1 < 10_000 + 100 * self.seats.len(), "time stands still");
            // What came is read before a deadline is judged, as a driver does.
            if let Some(key) = event.filter(|(when, _)| *when <= self.now) {
                match self.events.remove(&key).unwrap() {
                    Event::Act(at, ..) | Event::Written(at, ..) | Event::Start(at)
                        if at >= self.seats.len() => {}
                    Event::Start(at) => self.start_one(at),
                    Event::Act(at, link, act) => {
                        if link == self.seats[at].link && self.seats[at].up {
                            self.act(at, act);
                        }
                    }
                    Event::Written(at, link, sent) => {
                        if link == self.seats[at].link && self.seats[at].up {
                            self.input(at, |session, now| session.transmitted(now, sent));
                        }
                    }
                }
            } else if let Some((_, at)) = deadline.filter(|(_, at)| *at >= self.seats.len()) {
                self.deadlines.retain(|(_, other)| *other != at); // its seat was taken away
            } else if let Some((_, at)) = deadline {
                let unread = self.seats[at].unread;
                self.wakes += 1;
                self.input(at, |session, now| session.expire(now, unread));
            }
        }
        self.now = end;
    }

    /// Lets time pass in which this core does nothing at all: no event is read, no deadline met.
    pub(crate) fn block(&mut self, span: Duration) {
        self.now += span;
        for seat in &mut self.seats {
            seat.unread += span;
        }
    }

    pub(crate) fn state(&self, at: usize) -> State {
        self.seats[at].session.state()
    }

    /// The payloads of a kind, with their times.
    pub(crate) fn sent(&self, at: usize, kind: Sent) -> Vec<(Time, &str)> {
        let of_kind = |(when, seen): &'_ (Time, Seen)| match seen {
            Seen::Out(sent, _) if *sent == kind => Some(*when),
            _ => None,
        };
        self.seats[at]
            .seen
            .iter()
            .filter_map(|entry| {
                let when = of_kind(entry)?;
                let Seen::Out(_, text) = &entry.1 else { return None };
                Some((when, text.as_str()))
            })
            .collect()
    }

    pub(crate) fn dials(&self, at: usize) -> Vec<(Time, Target)> {
        let dial = |(when, seen): &(Time, Seen)| match seen {
            Seen::Dial(target) => Some((*when, *target)),
            _ => None,
        };
        self.seats[at].seen.iter().filter_map(dial).collect()
    }

    pub(crate) fn closes(&self, at: usize) -> Vec<u16> {
        let close = |(_, seen): &(Time, Seen)| match seen {
            Seen::Close(code) => Some(*code),
            _ => None,
        };
        self.seats[at].seen.iter().filter_map(close).collect()
    }

    pub(crate) fn notices(&self, at: usize) -> Vec<(Time, Notice)> {
        let notice = |(when, seen): &(Time, Seen)| match seen {
            Seen::Notice(notice) => Some((*when, notice.clone())),
            _ => None,
        };
        self.seats[at].seen.iter().filter_map(notice).collect()
    }

    pub(crate) fn has_notice(&self, at: usize, wanted: impl Fn(&Notice) -> bool) -> bool {
        self.notices(at).iter().any(|(_, notice)| wanted(notice))
    }

    pub(crate) fn forget(&mut self) {
        for seat in &mut self.seats {
            seat.seen.clear();
        }
    }
}

/// How a scripted peer answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// READY, or RESUMED after `replay` dispatches.
    Well,
    Nothing,
    Do(Act),
}

/// A peer that does what its fields say. Sessions are called `session-N`, by count.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) interval_ms: u64,
    pub(crate) hello: bool,
    pub(crate) ack: bool,
    pub(crate) identify: Answer,
    pub(crate) resume: Answer,
    /// Dispatches replayed from the RESUME's seq on.
    pub(crate) replay: u64,
    pub(crate) main: Option<LinkEnd>,
    pub(crate) resume_host: Option<LinkEnd>,
    pub(crate) resume_url: bool,
    /// Answers neither to a close frame.
    pub(crate) dead: bool,
    /// How long the driver takes to learn of a write.
    pub(crate) write_delay: Duration,
    pub(crate) sessions: u64,
    pub(crate) heartbeats: u64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            interval_ms: 41_250,
            hello: true,
            ack: true,
            identify: Answer::Well,
            resume: Answer::Well,
            replay: 0,
            main: None,
            resume_host: None,
            resume_url: true,
            dead: false,
            write_delay: Duration::ZERO,
            sessions: 0,
            heartbeats: 0,
        }
    }
}

impl Peer for Script {
    fn dialled(&mut self, _: Time, _: usize, target: Target) -> Vec<(Duration, Act)> {
        let failure = if target == Target::Main { self.main } else { self.resume_host };
        match failure {
            Some(end) => vec![(ms(30), Act::End(end))],
            None if self.hello => {
                vec![(ms(30), Act::Open), (ms(40), Act::Hello(self.interval_ms))]
            }
            None => vec![(ms(30), Act::Open)],
        }
    }

    fn told(&mut self, _: Time, _: usize, text: &str) -> Vec<(Duration, Act)> {
        match op(text) {
            1 => {
                self.heartbeats += 1;
                if self.ack { vec![(ms(25), Act::Ack)] } else { vec![] }
            }
            2 => match &self.identify {
                Answer::Well => {
                    self.sessions += 1;
                    let id = format!("session-{}", self.sessions);
                    let url = self.resume_url.then(|| "wss://resume.test".to_owned());
                    vec![(ms(50), Act::Ready { s: Some(1), id, url })]
                }
                Answer::Nothing => vec![],
                Answer::Do(act) => vec![(ms(50), act.clone())],
            },
            6 => match &self.resume {
                Answer::Well => {
                    let seq = number_after(text, "\"seq\":");
                    let replayed = (1..=self.replay)
                        .map(|more| (ms(40 + more), Act::Dispatch(Some(seq + more))));
                    let end = Act::Resumed { s: Some(seq + self.replay + 1) };
                    replayed.chain([(ms(50 + self.replay), end)]).collect()
                }
                Answer::Nothing => vec![],
                Answer::Do(act) => vec![(ms(50), act.clone())],
            },
            _ => vec![],
        }
    }

    fn closed(&mut self, _: Time, _: usize, _: u16) -> Option<Duration> {
        (!self.dead).then_some(ms(20))
    }

    fn write_delay(&mut self) -> Duration {
        self.write_delay
    }
}

/// One shard, up.
pub(crate) fn active(seed: u64, script: Script) -> World<Script> {
    let mut world = World::new(1, 1, seed, script);
    world.start();
    world.run(ms(1000));
    assert_eq!(world.state(0), State::Active);
    world
}

/// IDENTIFYs that a day has, where a test is not about that.
pub(crate) const TOTAL: u32 = 100_000;

pub(crate) fn settings() -> SessionSettings {
    SessionSettings::new(Token::new(SECRET).unwrap(), 513, "wss://main.test")
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

pub(crate) fn op(text: &str) -> u64 {
    number_after(text, "{\"op\":")
}

pub(crate) fn number_after(text: &str, key: &str) -> u64 {
    let rest = &text[text.find(key).expect("the key") + key.len()..];
    let end = rest.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().expect("a number")
}

pub(crate) fn text_after<'a>(text: &'a str, key: &str) -> &'a str {
    let rest = &text[text.find(key).expect("the key") + key.len()..];
    &rest[1..1 + rest[1..].find('"').expect("a string")]
}

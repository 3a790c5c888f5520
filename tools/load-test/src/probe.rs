//! The handler under test: it reads every event, writes it to the ledger, times it, counts it.
//!
//! One per core, no locks: the job watches by relaxed atomics ([`Watch`]) and gets the rest
//! ([`Seen`]) when the engine stops. Everything it needs is allocated before the engine starts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use replay_gateway::ledger::{Record, SessionLost, hash, session_key};
use replay_gateway::traffic::schedule::Pace;
use shardring::decode::Envelope;
use shardring::model::Ready;
use shardring::wire::WireError;
use shardring::{Context, Event, Handler, Link, Panicked};

use crate::latency::{Due, Spans, UnixOffset};
use crate::ledger::Page;
use crate::process::CpuTime;
use crate::read::Paths;

/// What the handlers of a job do.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// How many shards the bot has in all.
    pub(crate) shards: u32,
    /// The pace, where traffic has one.
    pub(crate) pace: Option<Pace>,
    /// Hash the text of `d` (the events then come with their text).
    pub(crate) hashes: bool,
    /// Events are known by id; else (a capture) by number.
    pub(crate) by_id: bool,
}

/// What the job sees of its handlers while they run.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) cores: Vec<CoreWatch>,
    /// When paced traffic started, Unix ns; 0 until it is known.
    pub(crate) start_unix_ns: AtomicU64,
    /// CPU time of the process at the first event of traffic.
    pub(crate) cpu_first: OnceLock<CpuTime>,
    /// The first shard that Discord refused for good, and why.
    pub(crate) refused: OnceLock<String>,
    /// What was wrong with the bytes of the last connection that ended for that.
    pub(crate) wire: Mutex<Option<WireError>>,
}

/// The counters of one core. Written by its handler only.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CoreWatch {
    /// Events of traffic.
    pub(crate) events: AtomicU64,
    /// Dispatches that belong to a session's start (its GUILD_CREATEs).
    pub(crate) start_guilds: AtomicU64,
    /// When the first event of traffic came, ns of the engine's clock; 0: not yet.
    pub(crate) first_ns: AtomicU64,
    /// When the last one came.
    pub(crate) last_ns: AtomicU64,
    /// READYs.
    pub(crate) readies: AtomicU64,
    /// Sessions that were resumed.
    pub(crate) resumed: AtomicU64,
    /// Connections that ended.
    pub(crate) ended: AtomicU64,
    /// Shards with a session and a connection.
    pub(crate) up: AtomicU64,
}

impl Watch {
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            cores: (0..cores).map(|_| CoreWatch::default()).collect(),
            start_unix_ns: AtomicU64::new(0),
            cpu_first: OnceLock::new(),
            refused: OnceLock::new(),
            wire: Mutex::new(None),
        }
    }

    /// The sum of a counter over the cores.
    pub(crate) fn sum(&self, counter: impl Fn(&CoreWatch) -> &AtomicU64) -> u64 {
        self.cores.iter().map(|core| counter(core).load(Ordering::Relaxed)).sum()
    }

    /// From the first event of traffic to the last so far, ns.
    pub(crate) fn window_ns(&self) -> u64 {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let first = self.cores.iter().map(|core| load(&core.first_ns)).filter(|ns| *ns > 0).min();
        let last = self.cores.iter().map(|core| load(&core.last_ns)).max();
        last.unwrap_or(0).saturating_sub(first.unwrap_or(u64::MAX))
    }
}

/// What a handler gives back at its end.
#[derive(Debug)]
pub(crate) struct Seen {
    /// From the intended moment of sending to the callback.
    pub(crate) latency: Spans,
    /// Sessions that were lost with a notice.
    pub(crate) lost: Vec<SessionLost>,
    /// Each newest session and the last number seen of it.
    pub(crate) last: Vec<SessionLost>,
    /// Dispatches that could not be decoded.
    pub(crate) undecoded: u64,
    /// Events of traffic without a readable id.
    pub(crate) without_id: u64,
    /// Gaps that the library reported.
    pub(crate) gaps: u64,
    /// Times that the ledger's writer was waited for.
    pub(crate) ledger_waits: u64,
    /// Panics of this handler.
    pub(crate) panics: u64,
    /// So that reading fields has a use.
    pub(crate) checksum: u64,
}

/// What a core needs, made before the engine starts.
#[derive(Debug)]
pub(crate) struct Kit {
    page: Option<Page>,
    seen: Seen,
    shards: Vec<ShardSeen>,
}

#[derive(Clone, Debug)]
struct ShardSeen {
    /// The key of the session; 0: none yet.
    session: u64,
    /// The number of the session's first event of traffic.
    first_s: u64,
    last_s: u64,
    due: Option<Due>,
    up: bool,
}

impl Kit {
    pub(crate) fn new(task: &Task, page: Option<Page>) -> Self {
        let shard = ShardSeen { session: 0, first_s: u64::MAX, last_s: 0, due: None, up: false };
        let seen = Seen {
            latency: Spans::new(),
            lost: Vec::new(),
            last: Vec::new(),
            undecoded: 0,
            without_id: 0,
            gaps: 0,
            ledger_waits: 0,
            panics: 0,
            checksum: 0,
        };
        Self { page, seen, shards: vec![shard; task.shards as usize] }
    }
}

/// Gives each core its kit. A handler that replaces one that panicked has no ledger to write to:
/// what it sees counts as lost, as it should.
#[derive(Debug)]
pub(crate) struct Bench {
    task: Task,
    watch: Arc<Watch>,
    kits: Mutex<Vec<Option<Kit>>>,
    results: Mutex<Sender<Seen>>,
}

impl Bench {
    pub(crate) fn new(
        task: Task,
        watch: Arc<Watch>,
        kits: Vec<Kit>,
        results: Sender<Seen>,
    ) -> Arc<Self> {
        let kits = Mutex::new(kits.into_iter().map(Some).collect());
        Arc::new(Self { task, watch, kits, results: Mutex::new(results) })
    }

    /// The handler of a core.
    pub(crate) fn probe(self: &Arc<Self>, core: usize) -> Probe {
        let kit = self.kits.lock().unwrap_or_else(PoisonError::into_inner)[core].take();
        Probe {
            core,
            bench: Arc::clone(self),
            kit: kit.unwrap_or_else(|| Kit::new(&self.task, None)),
            paths: Paths::new(),
            offset: UnixOffset::unknown(),
            ended: false,
        }
    }
}

/// The handler.
pub(crate) struct Probe {
    core: usize,
    bench: Arc<Bench>,
    kit: Kit,
    paths: Paths,
    offset: UnixOffset,
    ended: bool,
}

impl Probe {
    fn watch(&self) -> &CoreWatch {
        &self.bench.watch.cores[self.core]
    }

    fn ready(&mut self, cx: &Context<'_>, ready: &Ready<'_>) {
        let task = &self.bench.task;
        let guilds = ready.guilds.len() as u64;
        let mut first_s = cx.sequence().unwrap_or(1) + guilds + 1;
        let mut first_k = 0;
        // A replay gateway says in READY where its traffic starts; nobody else does.
        if let Some(text) =
            cx.raw().and_then(|text| text.rfind("\"_traffic\":").map(|at| &text[at..]))
        {
            first_s = number_after(text, "\"first_s\":").unwrap_or(first_s);
            first_k = number_after(text, "\"first_k\":").unwrap_or(0);
        }
        let shard = &mut self.kit.shards[cx.shard().id as usize];
        shard.session = session_key(ready.session_id.expose());
        shard.first_s = first_s;
        shard.last_s = cx.sequence().unwrap_or(1);
        shard.due = task.pace.map(|pace| Due::new(pace, cx.shard().id, first_s, first_k));
        bump(&self.watch().readies, 1);
    }

    /// The text of `d`, hashed; 0 without text.
    fn hash(&self, cx: &Context<'_>) -> u64 {
        if !self.bench.task.hashes {
            return 0;
        }
        let Some(text) = cx.raw() else { return 0 };
        match Envelope::data_range(text.as_bytes()) {
            Ok(Some(range)) => hash(&text.as_bytes()[range]),
            Ok(None) | Err(_) => 0,
        }
    }

    fn set_up(&mut self, shard: u32, up: bool) {
        let shard = &mut self.kit.shards[shard as usize];
        if std::mem::replace(&mut shard.up, up) != up {
            let counter = &self.bench.watch.cores[self.core].up;
            if up {
                bump(counter, 1)
            } else {
                counter.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Gives back what was seen, once.
    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut kit = std::mem::replace(&mut self.kit, Kit::new(&self.bench.task, None));
        for shard in kit.shards.iter().filter(|shard| shard.session != 0) {
            let last = SessionLost { session: shard.session, after_s: shard.last_s as u32 };
            kit.seen.last.push(last);
        }
        if let Some(mut page) = kit.page.take() {
            page.flush();
            kit.seen.ledger_waits = page.waits;
        }
        let results = self.bench.results.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits any more: the job gave up on the engine.
        let _ = results.send(kit.seen);
    }
}

impl Handler for Probe {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match &event {
            Event::Ready(ready) => return self.ready(cx, ready),
            Event::Resumed(_) => return,
            Event::Undecoded(_) => self.kit.seen.undecoded += 1,
            _ => {}
        }
        let (id, sum) = self.paths.read(&event);
        let hash = self.hash(cx);
        let now_ns = cx.now().as_ns();
        let Some(s) = cx.sequence() else { return };
        let watch = &self.bench.watch.cores[self.core];
        let Kit { page, seen, shards } = &mut self.kit;
        seen.checksum = seen.checksum.rotate_left(7) ^ sum;
        let shard = &mut shards[cx.shard().id as usize];
        shard.last_s = s;
        if let Some(page) = page {
            // A capture's events are known by number; its start guilds are generated all the same.
            let id = if self.bench.task.by_id || s < shard.first_s { id } else { 0 };
            page.push(Record { session: shard.session, s: s as u32, flags: 0, id, hash });
        }
        if s < shard.first_s {
            return bump(&watch.start_guilds, 1);
        }
        if id == 0 && self.bench.task.by_id {
            seen.without_id += 1;
        }
        if watch.events.load(Ordering::Relaxed) == 0 {
            self.bench.watch.cpu_first.get_or_init(CpuTime::now);
            watch.first_ns.store(now_ns.max(1), Ordering::Relaxed);
        }
        if let Some(due) = &mut shard.due {
            let start = self.bench.watch.start_unix_ns.load(Ordering::Relaxed);
            if start != 0 {
                let due_unix_ns = start + due.due_ns(s);
                seen.latency.record_ns(self.offset.unix_ns(now_ns).saturating_sub(due_unix_ns));
            }
        }
        watch.last_ns.store(now_ns, Ordering::Relaxed);
        bump(&watch.events, 1);
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        self.offset.look(cx.now().as_ns());
        let shard = cx.shard().id;
        match link {
            Link::Ready { .. } => self.set_up(shard, true),
            Link::Resumed { .. } => {
                bump(&self.watch().resumed, 1);
                self.set_up(shard, true);
            }
            Link::Disconnected { wire, .. } => {
                if wire.is_some() {
                    let last = &self.bench.watch.wire;
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = wire;
                }
                bump(&self.watch().ended, 1);
                self.set_up(shard, false);
            }
            Link::SessionLost { session_id, first_seq, .. } => {
                let after_s = first_seq.saturating_sub(1) as u32;
                self.kit.seen.lost.push(SessionLost { session: session_key(session_id), after_s });
            }
            Link::Gap { .. } => self.kit.seen.gaps += 1,
            Link::Refused { refusal } => {
                let _ = self.bench.watch.refused.set(format!("shard {shard}: {refusal}"));
            }
            _ => {}
        }
    }

    fn on_restart(&mut self, _cause: &Panicked) {
        self.kit.seen.panics += 1;
    }

    async fn on_stop(&mut self) {
        self.end();
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if std::thread::panicking() || self.ended {
            return;
        }
        self.end();
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("core", &self.core).finish_non_exhaustive()
    }
}

/// Adds to a counter that only this thread writes: no locked instruction.
fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

/// The number behind `key` in a JSON text.
fn number_after(text: &str, key: &str) -> Option<u64> {
    let rest = text[text.find(key)? + key.len()..].trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_behind_their_key() {
        let text = r#""_traffic":{"seed":42,"first_s":12,"first_k": 7}}"#;
        assert_eq!(number_after(text, "\"first_s\":"), Some(12));
        assert_eq!(number_after(text, "\"first_k\":"), Some(7));
        assert_eq!(number_after(text, "\"burst\":"), None);
        assert_eq!(number_after("\"a\":x", "\"a\":"), None);
    }

    #[test]
    fn the_window_runs_from_the_first_event_of_any_core_to_the_last() {
        let watch = Watch::new(3);
        assert_eq!(watch.window_ns(), 0);
        for (core, first, last) in [(0, 50, 90), (2, 20, 60)] {
            watch.cores[core].first_ns.store(first, Ordering::Relaxed);
            watch.cores[core].last_ns.store(last, Ordering::Relaxed);
            bump(&watch.cores[core].events, 4);
        }
        assert_eq!(watch.window_ns(), 70);
        assert_eq!(watch.sum(|core| &core.events), 8);
    }
}

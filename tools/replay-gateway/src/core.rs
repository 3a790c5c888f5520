//! What all connections share: sessions, traffic, ledger, counters, the clock's last reading.
//! No sockets. Protocol and pump work on (`Core`, `Conn`) pairs; what concerns other connections
//! is left as an [`Effect`] for the event loop.

use crate::capture::Capture;
use crate::codec::{Compression, Pool, SharedTail};
use crate::config::{Config, LedgerTo};
use crate::control::Place;
use crate::http_fault::HttpFault;
use crate::intents;
use crate::ledger::{self, Record, START_GUILD, TRAFFIC};
use crate::maker::{Blocks, StreamKey};
use crate::outage::Outage;
use crate::session::{Session, Source, Stored};
use crate::stats::{Cpu, Stats};
use crate::traffic::schedule::{Pace, Schedule};
use crate::traffic::{self, Traffic, big_guild_parts, guild_id_of_shard};
use crate::voice::Voice;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Something to be done to connections other than the one at hand.
#[derive(Debug)]
pub(crate) enum Effect {
    /// End this connection with a close code: its session was resumed elsewhere, or ended.
    Kick { slot: usize, id: u64, code: u16 },
    /// The session has something to send.
    Wake(usize),
    /// Ask again at this moment.
    Timer(u64, Timer),
    /// Traffic may start now.
    Started,
}

/// What a timer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Has this connection (slot, id) sent a heartbeat?
    Heartbeat(usize, u64),
    /// Has this connection (slot, id) ended?
    Linger(usize, u64),
    /// A fault of this connection (slot, id), so many ms after its upgrade.
    Fault(usize, u64, u64),
    /// Is this session (slot, uid) still detached?
    Expire(usize, u64),
    /// The spaced GUILD_CREATEs of this session (slot, uid).
    Guilds(usize, u64),
    /// Traffic may start.
    Start,
    /// An incident of the configuration, by its place there.
    Incident(usize),
    /// A late answer of HTTP goes out on this connection (slot, id).
    Late(usize, u64),
}

/// The shared state.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) base: Instant,
    pub(crate) base_unix_ns: u64,
    /// Ns since `base`, read once a turn of the loop.
    pub(crate) now_ns: u64,
    pub(crate) sessions: Vec<Option<Session>>,
    pub(crate) by_id: BTreeMap<String, usize>,
    pub(crate) next_uid: u64,
    pub(crate) pool: Pool,
    pub(crate) stats: Stats,
    pub(crate) blocks: Option<Blocks>,
    pub(crate) capture: Option<Capture>,
    pub(crate) effects: Vec<Effect>,
    /// By key: when the last IDENTIFY was let through, and how many came in its window.
    pub(crate) gate: BTreeMap<u32, (u64, u64)>,
    pub(crate) session_starts: u64,
    /// When they count from 0 again.
    pub(crate) starts_reset_ns: u64,
    /// Those that are left.
    pub(crate) http_faults: Vec<HttpFault>,
    /// Of the main host and the resume host.
    pub(crate) outages: [Outage; 2],
    /// The sessions (uids) that the last cut ended and that have not been resumed.
    pub(crate) cut_waiting: BTreeSet<u64>,
    /// The second at hand, and the connections accepted in it.
    pub(crate) accepted_in: (u64, u64),
    pub(crate) token_revoked: bool,
    /// Last whole-guild member request by guild.
    pub(crate) member_requests: BTreeMap<u64, u64>,
    pub(crate) voice: Voice,
    /// When traffic started (ns since base).
    pub(crate) start_ns: Option<u64>,
    /// The moment of the start is fixed and its timer set.
    pub(crate) start_asked: bool,
    /// The start has come.
    pub(crate) started: bool,
    cpu_at_start: Option<Cpu>,
    first_want_ns: Option<u64>,
    pub(crate) ready_sessions: u32,
    /// As many as `recommended_shards` have been READY once.
    pub(crate) all_ready: bool,
    pub(crate) url: String,
    pub(crate) resume_url: Option<String>,
    pub(crate) refused_url: String,
    pub(crate) memory_ledger: Vec<Record>,
    pub(crate) file_ledger: Option<ledger::Writer>,
    pub(crate) scratch: String,
    pub(crate) big_tail: Option<Rc<SharedTail>>,
}

impl Core {
    /// The state of a gateway that listens at `place`.
    ///
    /// # Errors
    /// The ledger's file cannot be created, the capture cannot be read.
    pub(crate) fn new(
        config: Config,
        place: &Place,
        refused_url: String,
        blocks: Option<Blocks>,
    ) -> std::io::Result<Self> {
        let file_ledger = match &config.ledger {
            LedgerTo::File(path) => {
                let header = ledger::Header { start_unix_ns: 0, seed: config.seed };
                Some(ledger::Writer::create(path, header)?)
            }
            LedgerTo::None | LedgerTo::Memory => None,
        };
        let capture = match &config.capture {
            Some(capture) => Some(Capture::read(capture)?),
            None => None,
        };
        let big_tail = (config.big_guild_bytes > 0).then(|| {
            let (_, mut second) = big_guild_parts(config.seed, 1, config.big_guild_bytes);
            second.push('}');
            Rc::new(SharedTail::new(second))
        });
        let remaining = config.session_starts_remaining.unwrap_or(config.session_starts_total);
        let session_starts = u64::from(config.session_starts_total.saturating_sub(remaining));
        let starts_reset_ns = config.session_starts_reset_ms.max(1) * 1_000_000;
        let http_faults = config.http_faults.clone();
        Ok(Self {
            config,
            base: Instant::now(),
            base_unix_ns: unix_ns(),
            now_ns: 0,
            sessions: Vec::new(),
            by_id: BTreeMap::new(),
            next_uid: 0,
            pool: Pool::default(),
            stats: Stats::default(),
            blocks,
            capture,
            effects: Vec::new(),
            gate: BTreeMap::new(),
            session_starts,
            starts_reset_ns,
            http_faults,
            outages: [Outage::None; 2],
            cut_waiting: BTreeSet::new(),
            accepted_in: (0, 0),
            token_revoked: false,
            member_requests: BTreeMap::new(),
            voice: Voice::default(),
            start_ns: None,
            start_asked: false,
            started: false,
            cpu_at_start: None,
            first_want_ns: None,
            ready_sessions: 0,
            all_ready: false,
            url: place.url(place.addr),
            resume_url: place.resume_addr.map(|addr| place.url(addr)),
            refused_url,
            memory_ledger: Vec::new(),
            file_ledger,
            scratch: String::new(),
            big_tail,
        })
    }

    /// Reads the clock.
    pub(crate) fn tick(&mut self) {
        self.now_ns = self.base.elapsed().as_nanos() as u64;
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ns / 1_000_000
    }

    /// A session by its slot.
    pub(crate) fn session(&self, slot: usize) -> Option<&Session> {
        self.sessions.get(slot)?.as_ref()
    }

    /// A session by its slot.
    pub(crate) fn session_mut(&mut self, slot: usize) -> Option<&mut Session> {
        self.sessions.get_mut(slot)?.as_mut()
    }

    /// Starts a session on a connection: numbers READY (and the GUILD_CREATEs, if not spaced).
    pub(crate) fn open_session(
        &mut self,
        shard: (u32, u32),
        intents: u64,
        conn: (usize, u64),
        compression: Compression,
    ) -> usize {
        self.next_uid += 1;
        let uid = self.next_uid;
        let mut superseded = Vec::new();
        for old in self.sessions.iter_mut().flatten().filter(|old| old.shard == shard) {
            old.superseded = true;
            superseded.push(old.uid);
        }
        superseded.into_iter().for_each(|uid| self.lose_cut(uid));
        let seed = self.config.seed;
        let id = format!(
            "{:016x}{:016x}",
            traffic::key(seed, 0x7365, uid),
            traffic::key(self.base_unix_ns, 0x7365, uid)
        );
        let guilds = if intents & intents::GUILDS != 0 {
            u64::from(self.config.guilds_per_shard)
        } else {
            0
        };
        let stream = Traffic::new(seed, shard.0, intents);
        let mut session = Session::new(id.clone(), uid, shard, intents, stream, guilds + 2, conn);
        let first_s = session.first_s;
        if let (Some(pace), Some(start_ns)) = (self.pace(), self.start_ns) {
            let mut schedule = Schedule::new(pace, shard.0);
            session.first_k = schedule.first_due(self.now_ns.saturating_sub(start_ns));
        }
        session.number(Source::Ready, 1);
        session.guilds_owed = guilds > 0;
        let slot = match self.sessions.iter().position(Option::is_none) {
            Some(slot) => slot,
            None => {
                self.sessions.push(None);
                self.sessions.len() - 1
            }
        };
        self.sessions[slot] = Some(session);
        self.by_id.insert(id, slot);
        self.stats.sessions += 1;
        self.stats.numbered += 1;
        self.record(slot, 1, 0, 0, 0);
        let wait_ms = self.config.start_guild_spacing_ms * (self.stats.sessions - 1);
        if wait_ms == 0 {
            self.number_guilds(slot);
        } else {
            let at_ns = self.now_ns + wait_ms * 1_000_000;
            self.effects.push(Effect::Timer(at_ns, Timer::Guilds(slot, uid)));
        }
        if let Some(blocks) = &mut self.blocks {
            self.first_want_ns.get_or_insert(self.now_ns);
            blocks.want(StreamKey { traffic: stream, first_s, compression });
        }
        slot
    }

    /// Numbers the GUILD_CREATEs that follow READY.
    pub(crate) fn number_guilds(&mut self, slot: usize) {
        let (seed, guilds) = (self.config.seed, self.config.guilds_per_shard);
        let Some(session) = self.session_mut(slot) else { return };
        if !std::mem::take(&mut session.guilds_owed) {
            return;
        }
        let shard = session.shard;
        let first = session.number(Source::StartGuild(0), u64::from(guilds));
        self.stats.numbered += u64::from(guilds);
        for index in 0..guilds {
            let id = guild_id_of_shard(seed, shard.0, shard.1, index);
            self.record(slot, first + u64::from(index), START_GUILD, id, 0);
        }
    }

    /// Numbers a dispatch that is no function of the seed, if the session's intents let it
    /// through, and wakes the session.
    pub(crate) fn number_stored(&mut self, slot: usize, name: &str, d: String) {
        let (events_max, bytes_max) = (self.config.replay_events_max, self.config.replay_bytes_max);
        let Some(session) = self.session_mut(slot) else { return };
        if !intents::allows(session.intents, name) {
            return;
        }
        let hash = ledger::hash(d.as_bytes());
        let stored = Rc::new(Stored { name: name.to_owned(), d });
        let s = session.number(Source::Stored(stored), 1);
        session.trim(events_max, bytes_max, session.keep_from());
        self.stats.numbered += 1;
        self.record(slot, s, 0, 0, hash);
        self.effects.push(Effect::Wake(slot));
    }

    /// Whether a canary forbids taking these events of a session from a shared block.
    pub(crate) fn canary_in(&self, shard: u32, first_k: u64, count: u64) -> bool {
        self.config.canary.is_some_and(|canary| {
            canary.shard == shard && canary.at + 1 >= first_k && canary.at < first_k + count
        })
    }

    /// Adds to the ledger.
    pub(crate) fn record(&mut self, slot: usize, s: u64, flags: u32, id: u64, hash: u64) {
        if self.file_ledger.is_none() && self.config.ledger != LedgerTo::Memory {
            return;
        }
        let Some(session) = self.session(slot) else { return };
        let record = Record { session: session.key, s: s as u32, flags, id, hash };
        match &mut self.file_ledger {
            Some(writer) => {
                if let Err(error) = writer.append(record) {
                    eprintln!("the ledger cannot be written, it ends here: {error}");
                    self.file_ledger = None;
                }
            }
            None => self.memory_ledger.push(record),
        }
    }

    /// Adds many records of one session to the ledger.
    pub(crate) fn record_all(&mut self, records: impl Iterator<Item = Record>) {
        if self.config.ledger == LedgerTo::Memory {
            self.memory_ledger.extend(records);
            return;
        }
        let Some(writer) = &mut self.file_ledger else { return };
        for record in records {
            if let Err(error) = writer.append(record) {
                eprintln!("the ledger cannot be written, it ends here: {error}");
                self.file_ledger = None;
                return;
            }
        }
    }

    /// The next event of the capture that a session's intents let through: index, due time, hash.
    pub(crate) fn next_captured(&self, slot: usize) -> Option<(u64, u64, u64)> {
        let session = self.session(slot)?;
        let capture = self.capture.as_ref()?;
        let mut index = session.capture_at;
        loop {
            let event = capture.event(index)?;
            if intents::allows(session.intents, &event.name) {
                return Some((index, event.due_ns, event.hash));
            }
            index += 1;
        }
    }

    /// Numbers one generated or captured event and records it. `mark`: its id and hash.
    pub(crate) fn number_traffic(&mut self, slot: usize, source: Source, mark: (u64, u64)) -> u64 {
        let (events_max, bytes_max) = (self.config.replay_events_max, self.config.replay_bytes_max);
        let Some(session) = self.session_mut(slot) else { return 0 };
        let s = session.number(source, 1);
        session.trim(events_max, bytes_max, session.keep_from());
        self.stats.numbered += 1;
        self.stats.traffic_numbered += 1;
        self.record(slot, s, TRAFFIC, mark.0, mark.1);
        s
    }

    /// The pace of generated traffic, if it is paced.
    pub(crate) fn pace(&self) -> Option<Pace> {
        let traffic = self.config.traffic?;
        let rate_per_s = traffic.rate_per_s?;
        let (shards, burst) = (traffic.rate_shards.max(1), traffic.burst.max(1));
        Some(Pace { seed: self.config.seed, rate_per_s, shards, burst })
    }

    /// The traffic's fixed points as JSON (READY's `_traffic`, GET /replay/traffic).
    pub(crate) fn write_traffic_info(&self, session: Option<&Session>, text: &mut String) {
        let start = self.start_ns.map_or(0, |ns| self.base_unix_ns + ns);
        let _ = write!(text, r#"{{"seed":{},"start_unix_ns":{start}"#, self.config.seed);
        if let Some(pace) = self.pace() {
            let Pace { rate_per_s, shards, burst, .. } = pace;
            let _ = write!(text, r#","rate_per_s":{rate_per_s},"shards":{shards},"burst":{burst}"#);
        }
        if let Some(Session { first_s, first_k, .. }) = session {
            let _ = write!(text, r#","first_s":{first_s},"first_k":{first_k}"#);
        }
        text.push('}');
    }

    /// Fixes the moment of the traffic's start (once).
    pub(crate) fn fix_start(&mut self, at_ns: u64) {
        if self.start_ns.is_none() {
            self.start_ns = Some(at_ns);
            self.stats.traffic_start_unix_ns = self.base_unix_ns + at_ns;
            if let Some(writer) = &mut self.file_ledger {
                writer.set_start_unix_ns(self.base_unix_ns + at_ns);
            }
        }
    }

    /// The start has come: CPU is counted from here.
    pub(crate) fn start_counting(&mut self) {
        if !std::mem::replace(&mut self.started, true) {
            self.cpu_at_start = Some(Cpu::of_this_thread());
        }
    }

    /// Blocks came: notes how long preparing took.
    pub(crate) fn note_blocks(&mut self) {
        let Some(blocks) = &self.blocks else { return };
        self.stats.blocks = blocks.made_count;
        self.stats.block_bytes = blocks.bytes() as u64;
        if self.stats.prepare_ns == 0 && blocks.prepared() {
            let since = self.first_want_ns.unwrap_or(self.now_ns);
            self.stats.prepare_ns = self.base.elapsed().as_nanos() as u64 - since;
        }
    }

    /// A copy of the counters, with the thread's CPU filled in.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        if let Some(from) = self.cpu_at_start {
            let now = Cpu::of_this_thread();
            stats.cpu_user_ns = now.user_ns - from.user_ns;
            stats.cpu_system_ns = now.system_ns - from.system_ns;
        }
        let connected = self.sessions.iter().flatten().filter(|session| session.conn.is_some());
        stats.sessions_connected = connected.count() as u64;
        stats.sessions_waiting =
            self.sessions.iter().flatten().count() as u64 - stats.sessions_connected;
        for session in self.sessions.iter().flatten().filter(|session| !session.superseded) {
            stats.shards.entry(session.shard.0).or_default().last_s = session.last_s;
        }
        stats
    }

    /// Ends a session: it cannot be resumed any more.
    pub(crate) fn end_session(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get_mut(slot).and_then(Option::take) {
            self.by_id.remove(&session.id);
            self.lose_cut(session.uid);
            self.voice.end_session(session.uid);
        }
    }

    /// A session lost its connection; it expires after a while.
    pub(crate) fn detach(&mut self, slot: usize, conn_id: u64) {
        let (now_ns, ttl_ns) = (self.now_ns, self.config.session_ttl_ms * 1_000_000);
        let Some(session) = self.session_mut(slot) else { return };
        if session.conn.is_some_and(|conn| conn.1 == conn_id) {
            session.conn = None;
            session.detached_at_ns = now_ns;
            let timer = Timer::Expire(slot, session.uid);
            self.effects.push(Effect::Timer(now_ns + ttl_ns, timer));
        }
    }
}

pub(crate) fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// The bot's user and application id.
pub(crate) const BOT_ID: u64 = 1_216_449_876_777_209_472;

//! Orders to a running gateway, the handle that gives them, and the end. Every call returns
//! within a bounded time; a gateway that has ended answers with defaults.

use crate::conn::Conn;
use crate::core::Core;
use crate::fault;
use crate::faults::Action;
use crate::http_fault::HttpFault;
use crate::ledger::Record;
use crate::outage::{Cut, Host, Outage};
use crate::server::Server;
use crate::stats::Stats;
use mio::Waker;
use std::io;
use std::net::SocketAddr;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Which connections an order is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// All that are attached to a session, and those that have none yet.
    All,
    /// Those of this shard id.
    Shard(u32),
}

/// An order to the loop.
pub(crate) enum Command {
    Dispatch(Target, String, String),
    Act(Target, Action),
    PauseAcks(Target, bool),
    Revive(Target),
    Http(HttpFault),
    Outage(Host, Outage, Sender<()>),
    Cut(Option<(u32, u32)>, Cut, Sender<()>),
    EndSessions(Target),
    Stats(Sender<Stats>),
    Ledger(Sender<Vec<Record>>),
    Stop,
}

/// Where a gateway is to be found.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) addr: SocketAddr,
    pub(crate) resume_addr: Option<SocketAddr>,
    pub(crate) ca_pem: Option<String>,
}

impl Place {
    /// The URL of an address here.
    pub(crate) fn url(&self, addr: SocketAddr) -> String {
        format!("{}://{addr}", if self.ca_pem.is_some() { "wss" } else { "ws" })
    }
}

/// A gateway that runs on a thread of its own. Dropping it stops the thread.
pub struct GatewayHandle {
    place: Place,
    commands: Sender<Command>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<io::Result<Stats>>>,
}

impl std::fmt::Debug for GatewayHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayHandle").field("addr", &self.place.addr).finish_non_exhaustive()
    }
}

impl GatewayHandle {
    pub(crate) fn new(
        place: Place,
        commands: Sender<Command>,
        waker: Arc<Waker>,
        thread: JoinHandle<io::Result<Stats>>,
    ) -> Self {
        Self { place, commands, waker, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.place.addr
    }

    /// `ws://ADDRESS:PORT` or `wss://ADDRESS:PORT`, without path or query.
    pub fn url(&self) -> String {
        self.place.url(self.place.addr)
    }

    /// The same of the resume host, if there is one ([`crate::ResumeUrl::Host`]).
    pub fn resume_url(&self) -> Option<String> {
        self.place.resume_addr.map(|addr| self.place.url(addr))
    }

    /// The certificate, as PEM, that a client has to trust; `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.place.ca_pem.as_deref()
    }

    /// Sends a dispatch (numbered, subject to the session's intents) to each session of the
    /// target, connected or not. `d_json` is the text of `d`, sent as it is.
    pub fn dispatch(&self, target: Target, name: &str, d_json: &str) {
        self.order(Command::Dispatch(target, name.to_owned(), d_json.to_owned()));
    }

    /// Commits a fault now, on each open connection of the target.
    pub fn act(&self, target: Target, action: Action) {
        self.order(Command::Act(target, action));
    }

    /// Lets requests of HTTP go wrong from now on, after the faults that were asked for before.
    pub fn http_fault(&self, fault: HttpFault) {
        self.order(Command::Http(fault));
    }

    /// Withholds the ACKs of the target's open connections, or answers heartbeats again.
    pub fn pause_acks(&self, target: Target, paused: bool) {
        self.order(Command::PauseAcks(target, paused));
    }

    /// Lets zombies of the target read and write again.
    pub fn revive(&self, target: Target) {
        self.order(Command::Revive(target));
    }

    /// Puts a host out of order, or in order again ([`Outage::None`]), on the same port. Open
    /// connections stay open: see [`GatewayHandle::cut_all`]. It is so when this returns.
    pub fn outage(&self, host: Host, outage: Outage) {
        self.ask(|done| Command::Outage(host, outage, done));
    }

    /// [`Outage::Refuse`] of the main host, or its end.
    pub fn set_accepting(&self, accepting: bool) {
        self.outage(Host::Main, if accepting { Outage::None } else { Outage::Refuse });
    }

    /// Cuts the connections of these shards, all at once, on either host. It is done when this
    /// returns.
    pub fn cut(&self, shards: impl RangeBounds<u32>, how: Cut) {
        let first = match shards.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let last = match shards.end_bound() {
            Bound::Included(last) => *last,
            Bound::Excluded(0) => return,
            Bound::Excluded(after) => after - 1,
            Bound::Unbounded => u32::MAX,
        };
        self.ask(|done| Command::Cut(Some((first, last)), how, done));
    }

    /// Cuts every connection, those without a shard too. It is done when this returns.
    pub fn cut_all(&self, how: Cut) {
        self.ask(|done| Command::Cut(None, how, done));
    }

    /// Forgets the target's sessions without a word: a later RESUME finds none.
    pub fn end_sessions(&self, target: Target) {
        self.order(Command::EndSessions(target));
    }

    /// A copy of the counters.
    pub fn stats(&self) -> Stats {
        self.ask(Command::Stats)
    }

    /// The records so far, if the ledger is kept in memory.
    pub fn ledger(&self) -> Vec<Record> {
        self.ask(Command::Ledger)
    }

    /// Waits until the counters satisfy a condition, at most so long. Gives the last copy, and
    /// whether it did.
    pub fn wait_for(&self, at_most: Duration, done: impl Fn(&Stats) -> bool) -> (Stats, bool) {
        let until = Instant::now() + at_most;
        loop {
            let stats = self.stats();
            let fulfilled = done(&stats);
            if fulfilled || Instant::now() >= until {
                return (stats, fulfilled);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops the gateway: connections are dropped, the ledger's file is finished. Gives the last
    /// counters.
    ///
    /// # Errors
    /// Whatever ended the loop before, or finishing the ledger's file.
    pub fn stop(mut self) -> io::Result<Stats> {
        self.stop_and_join()
    }

    /// A handle to stop it with, from elsewhere (a signal's thread).
    pub(crate) fn stopper(&self) -> impl Fn() + Send + 'static {
        let (commands, waker) = (self.commands.clone(), Arc::clone(&self.waker));
        move || {
            // If the loop has ended there is nobody to tell.
            let _ = commands.send(Command::Stop);
            let _ = waker.wake();
        }
    }

    fn stop_and_join(&mut self) -> io::Result<Stats> {
        self.order(Command::Stop);
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(Stats::default()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the gateway's thread panicked")),
        }
    }

    /// Whether the loop has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn order(&self, command: Command) {
        // A gateway that has ended takes no orders; its end is told by `stop`.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }

    fn ask<T: Default>(&self, command: impl FnOnce(Sender<T>) -> Command) -> T {
        let (sender, answer) = channel();
        self.order(command(sender));
        answer.recv_timeout(ANSWER_WAIT).unwrap_or_default()
    }
}

impl Drop for GatewayHandle {
    fn drop(&mut self) {
        // Who drops the handle does not ask how it ended.
        let _ = self.stop_and_join();
    }
}

/// Obeys an order. True: stop.
pub(crate) fn obey(server: &mut Server, command: Command) -> bool {
    match command {
        Command::Dispatch(target, name, d) => {
            for slot in 0..server.core.sessions.len() {
                let shard = server.core.session(slot).map(|session| session.shard.0);
                if shard.is_some_and(|shard| target.includes(Some(shard))) {
                    server.core.number_stored(slot, &name, d.clone());
                }
            }
        }
        Command::Act(target, action) => each(server, target, |core, conn| {
            fault::commit(core, conn, &action);
        }),
        Command::Http(fault) => server.core.http_faults.push(fault),
        Command::PauseAcks(target, paused) => each(server, target, |_, conn| {
            conn.withhold_acks = paused;
        }),
        Command::Revive(target) => {
            each(server, target, |_, conn| conn.zombie = false);
            // What came in the meantime was not told again by the poll: read it now.
            (0..server.links.len()).for_each(|slot| server.on_readable(slot, false));
        }
        // Who asked may have given up waiting.
        Command::Outage(host, outage, done) => {
            server.set_outage(host, outage);
            let _ = done.send(());
        }
        Command::Cut(shards, how, done) => {
            server.cut(shards, how);
            let _ = done.send(());
        }
        Command::EndSessions(target) => {
            for slot in 0..server.core.sessions.len() {
                let shard = server.core.session(slot).map(|session| session.shard.0);
                if shard.is_some_and(|shard| target.includes(Some(shard))) {
                    server.core.end_session(slot);
                }
            }
        }
        // Who asked may have given up waiting.
        Command::Stats(sender) => drop(sender.send(server.core.stats())),
        Command::Ledger(sender) => drop(sender.send(server.core.memory_ledger.clone())),
        Command::Stop => return true,
    }
    false
}

impl Target {
    fn includes(self, shard: Option<u32>) -> bool {
        match self {
            Target::All => true,
            Target::Shard(id) => shard == Some(id),
        }
    }
}

fn each(server: &mut Server, target: Target, act: impl Fn(&mut Core, &mut Conn)) {
    for slot in 0..server.links.len() {
        if let Some(Some(link)) = server.links.get_mut(slot)
            && target.includes(link.conn.shard)
        {
            act(&mut server.core, &mut link.conn);
            server.queue(slot);
        }
    }
}

/// The loop has ended: finishes the ledger.
pub(crate) fn finish(core: &mut Core) -> io::Result<Stats> {
    if let Some(writer) = core.file_ledger.take() {
        writer.finish()?;
    }
    Ok(core.stats())
}

/// A loop that does not answer within this time has ended or is stuck.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

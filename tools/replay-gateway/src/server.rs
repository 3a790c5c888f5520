//! The event loop: one thread, one epoll, all sockets. Reads into connections, lets the protocol
//! and the pump work on them, writes what they queued, runs timers and the traffic's schedule.
//!
//! Invariant: nothing here blocks but the poll; each connection gets at most one write's worth
//! before the next one's turn.

use crate::config::{Config, Start};
use crate::conn::{Conn, Doom, Phase};
use crate::control::Command;
use crate::core::{Core, Effect, Timer};
use crate::faults::When;
use crate::frame::{self, Parsed};
use crate::maker::Blocks;
use crate::paced::Paced;
use crate::stats::Stats;
use crate::{control, fault, http, protocol, pump};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// The gateway's loop and what it owns.
pub(crate) struct Server {
    poll: Poll,
    listener: Option<TcpListener>,
    addr: SocketAddr,
    /// Holds the port that refuses.
    _refusing: socket2::Socket,
    pub(crate) core: Core,
    pub(crate) links: Vec<Option<Link>>,
    next_id: u64,
    accepted: u32,
    timers: BinaryHeap<Reverse<(u64, Timer)>>,
    /// Connections that may have something to send, in turn.
    runnable: VecDeque<(usize, u64)>,
    pub(crate) paced: Paced,
    commands: Receiver<Command>,
    buffer: Vec<u8>,
}

/// A connection and its socket.
pub(crate) struct Link {
    pub(crate) conn: Conn,
    pub(crate) stream: TcpStream,
}

impl Server {
    /// Listens; the loop does not run yet. `waker_for` is handed the poll's waker.
    ///
    /// # Errors
    /// Binding, epoll, the ledger's file or the capture failed.
    pub(crate) fn bind(
        config: Config,
        commands: Receiver<Command>,
    ) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let mut listener = listen(config.bind)?;
        let addr = listener.local_addr()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        // Bound but not listening: connecting to it is refused for as long as it is held.
        let refusing =
            socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
        refusing.bind(&SocketAddr::new(addr.ip(), 0).into())?;
        let refused = refusing.local_addr()?.as_socket().map_or(addr, |addr| addr);
        let blocks = match config.traffic {
            Some(traffic) if uses_blocks(&config) => {
                let waker = Arc::clone(&waker);
                // A wake that fails is made good by the next turn of the loop.
                let wake = move || drop(waker.wake());
                let (makers, bytes_max) = (traffic.makers.max(1), traffic.block_bytes_max);
                Some(Blocks::new(makers, bytes_max, traffic.events_per_shard, wake)?)
            }
            _ => None,
        };
        let core = Core::new(config, format!("ws://{addr}"), format!("ws://{refused}"), blocks)?;
        let server = Self {
            poll,
            listener: Some(listener),
            addr,
            _refusing: refusing,
            core,
            links: Vec::new(),
            next_id: 0,
            accepted: 0,
            timers: BinaryHeap::new(),
            runnable: VecDeque::new(),
            paced: Paced::default(),
            commands,
            buffer: vec![0; 64 * 1024],
        };
        Ok((server, waker))
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Runs until a command stops it; gives the last counters.
    ///
    /// # Errors
    /// The poll failed, or the ledger could not be finished.
    pub(crate) fn run(&mut self) -> io::Result<Stats> {
        let mut events = Events::with_capacity(1_024);
        if let Some(Start::After(ms)) = self.start_condition() {
            self.timers.push(Reverse((ms * 1_000_000, Timer::Start)));
        }
        loop {
            self.core.tick();
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            self.core.tick();
            let mut woken = false;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    WAKER => woken = true,
                    Token(slot) => {
                        if event.is_readable() || event.is_read_closed() {
                            self.on_readable(slot, event.is_read_closed());
                        }
                        if event.is_writable() {
                            self.queue(slot);
                        }
                    }
                }
            }
            if woken && self.on_wake() {
                break;
            }
            self.run_timers();
            self.run_paced();
            self.run_effects();
            self.run_runnable();
        }
        control::finish(&mut self.core)
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.runnable.is_empty() || !self.core.effects.is_empty() {
            return Some(Duration::ZERO);
        }
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let paced = self.paced.next_ns().map(|at| at.saturating_sub(SPIN_NS));
        let at = [timer, paced].into_iter().flatten().min()?;
        Some(Duration::from_nanos(at.saturating_sub(self.core.now_ns)))
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        // Bounded by the backlog; what comes in the meantime is told again by the poll.
        let mut fresh = Vec::new();
        loop {
            match listener.accept() {
                Ok((stream, _)) => fresh.push(stream),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    eprintln!("accepting failed: {error}");
                    break;
                }
            }
        }
        for stream in fresh {
            self.add(stream);
        }
    }

    fn add(&mut self, mut stream: TcpStream) {
        self.accepted += 1;
        self.core.stats.connections += 1;
        if self.links.len() >= self.core.config.connections_max
            && self.links.iter().all(Option::is_some)
        {
            return; // dropped: the client sees the connection end
        }
        let slot = match self.links.iter().position(Option::is_none) {
            Some(slot) if self.core.stats.connections_open < self.links.len() as u64 => slot,
            _ => {
                self.links.push(None);
                self.links.len() - 1
            }
        };
        // Both only make it better: without them the connection still works.
        let _ = stream.set_nodelay(true);
        let socket = socket2::SockRef::from(&stream);
        let _ = socket.set_send_buffer_size(self.core.config.send_buffer_bytes);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut stream, Token(slot), interest) {
            eprintln!("a connection cannot be watched: {error}");
            return;
        }
        self.next_id += 1;
        self.core.stats.connections_open += 1;
        let conn = Conn::new(slot, self.next_id, self.accepted, self.core.now_ns);
        let first_check = self.core.now_ns + self.heartbeat_deadline_ns();
        self.timers.push(Reverse((first_check, Timer::Heartbeat(slot, self.next_id))));
        self.links[slot] = Some(Link { conn, stream });
    }

    fn heartbeat_deadline_ns(&self) -> u64 {
        let config = &self.core.config;
        match config.heartbeat_deadline_ms {
            0 => u64::from(config.heartbeat_interval_ms) * 1_500_000,
            ms => u64::from(ms) * 1_000_000,
        }
    }

    /// Reads what the socket has.
    pub(crate) fn on_readable(&mut self, slot: usize, read_closed: bool) {
        let Some(Some(link)) = self.links.get_mut(slot) else { return };
        if link.conn.zombie {
            if read_closed {
                self.end(slot);
            }
            return;
        }
        let mut ended = false;
        loop {
            match link.stream.read(&mut self.buffer) {
                Ok(0) => {
                    ended = true;
                    break;
                }
                Ok(count) => {
                    link.conn.input.extend_from_slice(&self.buffer[..count]);
                    on_input(&mut self.core, &mut link.conn);
                    if link.conn.zombie {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    ended = true;
                    break;
                }
            }
        }
        if ended {
            self.end(slot);
        } else {
            self.queue(slot);
        }
    }

    /// Puts a connection in the queue of those that may send.
    pub(crate) fn queue(&mut self, slot: usize) {
        if let Some(Some(link)) = self.links.get_mut(slot)
            && !std::mem::replace(&mut link.conn.queued, true)
        {
            self.runnable.push_back((slot, link.conn.id));
        }
    }

    fn run_runnable(&mut self) {
        for _ in 0..self.runnable.len().min(TURNS) {
            let Some((slot, id)) = self.runnable.pop_front() else { return };
            if let Some(Some(link)) = self.links.get_mut(slot)
                && link.conn.id == id
            {
                link.conn.queued = false;
                self.serve(slot);
            }
            self.run_effects();
        }
    }

    /// Lets a connection queue what is next, and writes it.
    pub(crate) fn serve(&mut self, slot: usize) {
        let Some(Some(link)) = self.links.get_mut(slot) else { return };
        // With bytes still queued the pump adds none: it has to be asked again once they are out.
        let again = !link.conn.out.is_empty();
        let more = pump::pump(&mut self.core, &mut link.conn);
        if link.conn.zombie {
            return;
        }
        let closing = link.conn.phase == Phase::Closing;
        if let Some(code) = link.conn.close_code.take() {
            *self.core.stats.closes_sent.entry(code).or_default() += 1;
        }
        match link.conn.out.flush(&mut link.stream) {
            Err(_) => return self.end(slot),
            Ok(flushed) => {
                self.core.stats.bytes_written += flushed.bytes;
                self.core.stats.writes += flushed.calls;
                if flushed.blocked && link.conn.doom != Some(Doom::Reset) {
                    return; // the poll tells when there is room
                }
            }
        }
        match link.conn.doom {
            Some(Doom::Reset) => {
                // Linger 0: the close that follows is a RST.
                let _ = socket2::SockRef::from(&link.stream).set_linger(Some(Duration::ZERO));
                return self.end(slot);
            }
            Some(Doom::Fin) => return self.end_gently(slot),
            None if closing && link.conn.close_received => return self.end_gently(slot),
            None if closing => return self.linger(slot),
            None => {}
        }
        if more || again {
            self.queue(slot);
        }
    }

    /// All was written: FIN, then wait for the peer's, so that it reads what was sent.
    fn end_gently(&mut self, slot: usize) {
        let Some(Some(link)) = self.links.get_mut(slot) else { return };
        // If the shutdown fails the connection has ended already; the read will say so.
        let _ = link.stream.shutdown(std::net::Shutdown::Write);
        link.conn.phase = Phase::Closing;
        link.conn.doom = None;
        self.linger(slot);
    }

    /// Bounds the wait for the peer's end. The session is no longer this connection's.
    fn linger(&mut self, slot: usize) {
        let Some(Some(link)) = self.links.get_mut(slot) else { return };
        if let Some(session) = link.conn.session.take() {
            self.core.detach(session, link.conn.id);
        }
        if !std::mem::replace(&mut link.conn.lingering, true) {
            let at_ns = self.core.now_ns + LINGER_NS;
            self.timers.push(Reverse((at_ns, Timer::Linger(slot, link.conn.id))));
        }
    }

    /// Forgets a connection; dropping the socket closes it.
    pub(crate) fn end(&mut self, slot: usize) {
        let Some(mut link) = self.links.get_mut(slot).and_then(Option::take) else { return };
        // Deregistering can only fail if it was not registered.
        let _ = self.poll.registry().deregister(&mut link.stream);
        self.core.stats.connections_open -= 1;
        if link.conn.phase != Phase::Http && !link.conn.close_received {
            self.core.stats.ends_without_close += 1;
        }
        if let Some(session) = link.conn.session {
            self.core.detach(session, link.conn.id);
        }
        link.conn.out.clear();
        link.conn.codec.rest(&mut self.core.pool);
    }

    fn run_timers(&mut self) {
        while let Some(Reverse((at_ns, timer))) = self.timers.peek().copied() {
            if at_ns > self.core.now_ns {
                return;
            }
            self.timers.pop();
            self.on_timer(timer);
        }
    }

    fn link_of(&mut self, slot: usize, id: u64) -> Option<&mut Link> {
        self.links.get_mut(slot)?.as_mut().filter(|link| link.conn.id == id)
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Heartbeat(slot, id) => self.check_heartbeat(slot, id),
            Timer::Linger(slot, id) => {
                if self.link_of(slot, id).is_some() {
                    self.end(slot);
                }
            }
            Timer::Fault(slot, id, ms) => {
                let Some(Some(link)) = self.links.get_mut(slot) else { return };
                if link.conn.id == id {
                    fault::fire(&mut self.core, &mut link.conn, When::AfterMs(ms));
                    self.queue(slot);
                }
            }
            Timer::Expire(slot, uid) => {
                let ttl_ns = self.core.config.session_ttl_ms * 1_000_000;
                let now_ns = self.core.now_ns;
                let expired = self.core.session(slot).is_some_and(|session| {
                    session.uid == uid
                        && session.conn.is_none()
                        && session.detached_at_ns + ttl_ns <= now_ns
                });
                if expired {
                    self.core.end_session(slot);
                }
            }
            Timer::Guilds(slot, uid) => {
                if self.core.session(slot).is_some_and(|session| session.uid == uid) {
                    self.core.number_guilds(slot);
                    self.core.effects.push(Effect::Wake(slot));
                }
            }
            Timer::Start => self.start_traffic(),
        }
    }

    fn check_heartbeat(&mut self, slot: usize, id: u64) {
        let (now_ns, deadline_ns) = (self.core.now_ns, self.heartbeat_deadline_ns());
        let code = self.core.config.heartbeat_close;
        let Some(link) = self.link_of(slot, id) else { return };
        let due_ns = link.conn.last_heartbeat_ns + deadline_ns;
        if due_ns > now_ns {
            self.timers.push(Reverse((due_ns, Timer::Heartbeat(slot, id))));
            return;
        }
        if link.conn.zombie {
            return; // a zombie does not care
        }
        if link.conn.phase == Phase::Http {
            return self.end(slot);
        }
        let open = link.conn.phase == Phase::Open;
        link.conn.close(code, "No heartbeat came in time.");
        self.core.stats.heartbeats_late += u64::from(open);
        self.queue(slot);
    }

    /// What others left to be done.
    fn run_effects(&mut self) {
        while let Some(effect) = self.core.effects.pop() {
            match effect {
                Effect::Kick { slot, id, code } => {
                    if let Some(link) = self.link_of(slot, id) {
                        link.conn.session = None;
                        link.conn.close(code, "The session goes on elsewhere, or ended.");
                        self.queue(slot);
                    }
                }
                Effect::Wake(session) => {
                    let conn = self.core.session(session).and_then(|session| session.conn);
                    if let Some((slot, _)) = conn {
                        self.queue(slot);
                    }
                }
                Effect::Timer(at_ns, timer) => self.timers.push(Reverse((at_ns, timer))),
                Effect::Started => self.consider_start(),
            }
        }
    }

    fn start_condition(&self) -> Option<Start> {
        let config = &self.core.config;
        config.capture.as_ref().map(|c| c.start).or(config.traffic.map(|t| t.start))
    }

    /// Starts the traffic if all that it waits for is there.
    pub(crate) fn consider_start(&mut self) {
        if self.core.started {
            self.plan_paced();
            return;
        }
        let prepared = self.core.blocks.as_ref().is_none_or(Blocks::prepared);
        match self.start_condition() {
            Some(Start::Shards(shards)) => {
                if self.core.start_asked || self.core.ready_sessions < shards || !prepared {
                    return;
                }
                self.core.start_asked = true;
                let lead_ms = self.core.config.traffic.map_or(0, |traffic| traffic.lead_ms);
                // The moment is told to those who ask as soon as it is fixed.
                let at_ns = self.core.now_ns + lead_ms * 1_000_000;
                self.core.fix_start(at_ns);
                self.timers.push(Reverse((at_ns, Timer::Start)));
            }
            Some(Start::Each) => {
                self.start_traffic();
            }
            Some(Start::After(_)) | None => {}
        }
    }

    fn start_traffic(&mut self) {
        self.core.fix_start(self.core.now_ns);
        self.core.start_counting();
        self.plan_paced();
        for slot in 0..self.links.len() {
            self.queue(slot);
        }
    }

    fn on_wake(&mut self) -> bool {
        if let Some(blocks) = &mut self.core.blocks
            && blocks.collect()
        {
            self.core.note_blocks();
            for slot in 0..self.links.len() {
                if matches!(&self.links[slot], Some(link) if link.conn.starving) {
                    self.queue(slot);
                }
            }
            self.consider_start();
        }
        let mut stop = false;
        while let Ok(command) = self.commands.try_recv() {
            stop |= control::obey(self, command);
        }
        stop
    }

    /// Closes or opens the listening socket.
    pub(crate) fn set_accepting(&mut self, accepting: bool) -> io::Result<()> {
        if !accepting {
            self.listener = None;
        } else if self.listener.is_none() {
            let mut listener = listen(self.addr)?;
            self.poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
            self.listener = Some(listener);
        }
        Ok(())
    }
}

/// Bytes came: a request, or frames.
fn on_input(core: &mut Core, conn: &mut Conn) {
    if conn.phase == Phase::Http {
        if conn.doom.is_none() {
            http::on_input(core, conn);
        }
        if conn.phase == Phase::Http {
            return;
        }
    }
    let mut at = 0;
    while at < conn.input.len() && !conn.zombie {
        match frame::parse(&conn.input[at..], FRAME_BYTES_MAX) {
            Parsed::Partial => break,
            Parsed::Broken(code, reason) => {
                at = conn.input.len();
                conn.close(code, reason);
            }
            Parsed::Frame(frame, len) => {
                at += len;
                on_frame(core, conn, frame);
            }
        }
    }
    conn.input.drain(..at);
}

fn on_frame(core: &mut Core, conn: &mut Conn, frame: frame::ClientFrame) {
    match frame.opcode {
        8 => return protocol::on_close(core, conn, &frame.payload),
        9 if conn.phase == Phase::Open => {
            // A control frame may stand between any two frames, also within a block: but blocks
            // are queued by whole frames only, so the end of the queue is always such a place.
            conn.out.append(|bytes| {
                frame::write_header(frame::PONG, frame.payload.len(), bytes);
                bytes.extend_from_slice(&frame.payload);
            });
            return;
        }
        9 | 10 => return,
        _ => {}
    }
    if conn.phase != Phase::Open {
        return; // after our close frame only the client's is of interest
    }
    let message = match (frame.opcode, conn.fragments.take(), frame.fin) {
        (0, Some(mut gathered), fin) => {
            gathered.extend_from_slice(&frame.payload);
            if gathered.len() > FRAME_BYTES_MAX {
                return conn.close(4002, "Payload too long.");
            }
            if !fin {
                conn.fragments = Some(gathered);
                return;
            }
            gathered
        }
        (1 | 2, None, true) => frame.payload,
        (1 | 2, None, false) => {
            conn.fragments = Some(frame.payload);
            return;
        }
        _ => return conn.close(1002, "fragments out of order"),
    };
    protocol::on_message(core, conn, &message);
}

/// Whether anything will be sent from prepared blocks.
fn uses_blocks(config: &Config) -> bool {
    let Some(traffic) = config.traffic else { return false };
    let fast = traffic.rate_per_s.is_none_or(|rate| rate > LIVE_RATE_MAX);
    fast && config.capture.is_none()
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
/// Connections served between two polls.
const TURNS: usize = 64;
/// Pending connections: thousands of shards may dial at once.
const BACKLOG: i32 = 4_096;
/// A client frame longer than this is not even gathered (the protocol's limit is 4,096 bytes).
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// How long a closed connection may wait for the peer's end.
const LINGER_NS: u64 = 2_000_000_000;
/// An event due within this time is waited for by polling without sleep.
const SPIN_NS: u64 = 1_000_000;
/// Above this total rate paced traffic comes from blocks: compressing live would cost too much.
pub(crate) const LIVE_RATE_MAX: f64 = 30_000.0;

//! The event loop: one thread, one epoll, all sockets. Reads into connections, lets the protocol
//! and the pump work on them, writes what they queued, runs timers and the traffic's schedule.
//!
//! Invariant: nothing here blocks but the poll; each connection gets at most one write's worth
//! before the next one's turn.

use crate::config::{Config, Start};
use crate::conn::{Conn, Doom, Phase};
use crate::control::{Command, Place};
use crate::core::{Core, Timer};
use crate::faults::TlsFault;
use crate::hosts::{Hosts, LISTENER, RESUME_LISTENER};
use crate::maker::Blocks;
use crate::outage::{Host, Moment};
use crate::paced::Paced;
use crate::stats::Stats;
use crate::stream::{Handshake, Stream};
use crate::{control, input, pump};
use mio::{Events, Poll, Token, Waker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// The gateway's loop and what it owns.
pub(crate) struct Server {
    pub(crate) poll: Poll,
    pub(crate) hosts: Hosts,
    pub(crate) core: Core,
    pub(crate) links: Vec<Option<Link>>,
    pub(crate) next_id: u64,
    pub(crate) accepted: u32,
    pub(crate) timers: BinaryHeap<Reverse<(u64, Timer)>>,
    /// Connections that may have something to send, in turn.
    runnable: VecDeque<(usize, u64)>,
    pub(crate) paced: Paced,
    commands: Receiver<Command>,
    buffer: Vec<u8>,
}

/// A connection and its socket.
pub(crate) struct Link {
    pub(crate) conn: Conn,
    pub(crate) stream: Stream,
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
        let hosts = Hosts::bind(&config, poll.registry())?;
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
        let core = Core::new(config, &hosts.place(), hosts.refused_url(), blocks)?;
        let server = Self {
            poll,
            hosts,
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
    pub(crate) fn place(&self) -> Place {
        self.hosts.place()
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
        self.plan_incidents(|at| match at {
            Moment::StartMs(ms) => Some(ms),
            Moment::ReadyMs(_) => None,
        });
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
                    LISTENER => self.accept(Host::Main),
                    RESUME_LISTENER => self.accept(Host::Resume),
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

    /// How long a connection may be without a heartbeat.
    pub(crate) fn heartbeat_deadline_ns(&self) -> u64 {
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
                    input::on_input(&mut self.core, &mut link.conn);
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
        self.note_handshake(slot);
        if ended {
            self.end(slot);
        } else {
            self.queue(slot);
        }
    }

    fn note_handshake(&mut self, slot: usize) {
        let Some(Some(link)) = self.links.get_mut(slot) else { return };
        let Some(handshake) = link.stream.take_handshake() else { return };
        let stats = &mut self.core.stats;
        stats.tls_handshaking -= 1;
        match handshake {
            Handshake::Full => stats.tls_full += 1,
            Handshake::Resumed => stats.tls_resumed += 1,
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
        link.conn.out.held &= !closing && link.conn.doom.is_none();
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
        if let Some(fault) = link.conn.tls_fault.take() {
            let done = link.stream.commit(fault);
            let updated = done && fault == TlsFault::KeyUpdate;
            self.core.stats.tls_key_updates += u64::from(updated);
        }
        if link.conn.doom == Some(Doom::Fin) || (closing && link.conn.close_received) {
            link.stream.say_goodbye();
        }
        match link.stream.push() {
            Err(_) => return self.end(slot),
            Ok(false) if link.conn.doom != Some(Doom::Reset) => return,
            Ok(_) => {}
        }
        match link.conn.doom {
            Some(Doom::Reset) => {
                // Linger 0: the close that follows is a RST.
                let socket = socket2::SockRef::from(&link.stream.tcp);
                let _ = socket.set_linger(Some(Duration::ZERO));
                return self.end(slot);
            }
            Some(Doom::Fin | Doom::Abrupt) => return self.end_gently(slot),
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
        let _ = link.stream.tcp.shutdown(std::net::Shutdown::Write);
        link.conn.phase = Phase::Closing;
        link.conn.doom = None;
        self.linger(slot);
    }

    /// Bounds the wait for the peer's end. The session is no longer this connection's.
    pub(crate) fn linger(&mut self, slot: usize) {
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
        let _ = self.poll.registry().deregister(&mut link.stream.tcp);
        self.core.stats.connections_open -= 1;
        let cut_short = link.stream.is_handshaking();
        self.core.stats.tls_handshaking -= u64::from(cut_short);
        self.core.stats.tls_failed += u64::from(cut_short || link.stream.has_failed());
        if link.conn.phase != Phase::Http && !link.conn.close_received {
            self.core.stats.ends_without_close += 1;
        }
        if let Some(session) = link.conn.session {
            self.core.detach(session, link.conn.id);
        }
        link.conn.out.clear();
        link.conn.codec.rest(&mut self.core.pool);
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
}

/// Whether anything will be sent from prepared blocks.
fn uses_blocks(config: &Config) -> bool {
    let Some(traffic) = config.traffic else { return false };
    let fast = traffic.rate_per_s.is_none_or(|rate| rate > LIVE_RATE_MAX);
    fast && config.capture.is_none()
}

const WAKER: Token = Token(usize::MAX - 1);
/// Connections served between two polls.
const TURNS: usize = 64;
/// How long a closed connection may wait for the peer's end.
const LINGER_NS: u64 = 2_000_000_000;
/// An event due within this time is waited for by polling without sleep.
const SPIN_NS: u64 = 1_000_000;
/// Above this total rate paced traffic comes from blocks. Compressing live costs some 45 µs an
/// event once the contexts of several connections no longer fit the cache: 20,000 a second are
/// more than a core.
pub(crate) const LIVE_RATE_MAX: f64 = 5_000.0;

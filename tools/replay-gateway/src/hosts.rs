//! The addresses that the gateway listens on, and what befalls them: accepting, outages, cuts,
//! incidents. The loop's part that begins and ends connections; it never reads or writes them.

use crate::config::{Config, ResumeUrl};
use crate::conn::Conn;
use crate::control::Place;
use crate::core::{Core, Timer};
use crate::outage::{Cut, Host, IncidentAction, Moment, Outage};
use crate::server::{Link, Server};
use crate::stats::{CutStats, note};
use crate::stream::Stream;
use crate::tls::Tls;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use std::cmp::Reverse;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// What listens.
pub(crate) struct Hosts {
    main: (SocketAddr, Option<TcpListener>),
    resume: Option<(SocketAddr, Option<TcpListener>)>,
    /// Holds the port that refuses.
    _refusing: socket2::Socket,
    refused: SocketAddr,
    tls: Option<Tls>,
}

impl Hosts {
    /// Listens.
    ///
    /// # Errors
    /// Binding failed, or the certificates could not be made or written.
    pub(crate) fn bind(config: &Config, registry: &Registry) -> io::Result<Self> {
        let mut main = listen(config.bind)?;
        let addr = main.local_addr()?;
        registry.register(&mut main, LISTENER, Interest::READABLE)?;
        let resume = match config.resume_url {
            ResumeUrl::Host => {
                let bind = config.resume_bind.unwrap_or(SocketAddr::new(addr.ip(), 0));
                let mut resume = listen(bind)?;
                let addr = resume.local_addr()?;
                registry.register(&mut resume, RESUME_LISTENER, Interest::READABLE)?;
                Some((addr, Some(resume)))
            }
            _ => None,
        };
        // Bound but not listening: connecting to it is refused for as long as it is held.
        let refusing =
            socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
        refusing.bind(&SocketAddr::new(addr.ip(), 0).into())?;
        let refused = refusing.local_addr()?.as_socket().map_or(addr, |addr| addr);
        let tls = config.tls.as_ref().map(|tls| Tls::new(tls, addr.ip())).transpose()?;
        Ok(Self { main: (addr, Some(main)), resume, _refusing: refusing, refused, tls })
    }

    /// Where clients find it.
    pub(crate) fn place(&self) -> Place {
        Place {
            addr: self.main.0,
            resume_addr: self.resume.as_ref().map(|resume| resume.0),
            ca_pem: self.tls.as_ref().map(|tls| tls.ca_pem.clone()),
        }
    }

    /// The URL of the port that refuses.
    pub(crate) fn refused_url(&self) -> String {
        self.place().url(self.refused)
    }

    fn listener(&mut self, host: Host) -> Option<&mut (SocketAddr, Option<TcpListener>)> {
        match host {
            Host::Main => Some(&mut self.main),
            Host::Resume => self.resume.as_mut(),
        }
    }
}

impl Server {
    /// Takes all connections that wait at a host.
    pub(crate) fn accept(&mut self, host: Host) {
        // Bounded by the backlog; what comes in the meantime is told again by the poll.
        let mut fresh = Vec::new();
        if let Some((_, Some(listener))) = self.hosts.listener(host) {
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
        }
        for stream in fresh {
            self.add(host, stream);
        }
    }

    fn add(&mut self, host: Host, tcp: TcpStream) {
        self.accepted += 1;
        self.core.count_accepted(host);
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
        let _ = tcp.set_nodelay(true);
        let socket = socket2::SockRef::from(&tcp);
        let _ = socket.set_send_buffer_size(self.core.config.send_buffer_bytes);
        let stream = match &self.hosts.tls {
            None => Ok(Stream::plain(tcp)),
            Some(tls) => Stream::secured(tcp, &tls.server),
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let watched = stream.and_then(|mut stream| {
            self.poll.registry().register(&mut stream.tcp, Token(slot), interest)?;
            Ok(stream)
        });
        let stream = match watched {
            Ok(stream) => stream,
            Err(error) => return eprintln!("a connection cannot be served: {error}"),
        };
        self.next_id += 1;
        self.core.stats.connections_open += 1;
        if stream.is_handshaking() {
            let stats = &mut self.core.stats;
            stats.tls_handshaking += 1;
            stats.tls_handshaking_max = stats.tls_handshaking_max.max(stats.tls_handshaking);
        }
        let mut conn = Conn::new(slot, self.next_id, self.accepted, self.core.now_ns);
        conn.host = host;
        conn.zombie = self.core.outage_of(host) == Outage::BlackHole;
        let first_check = self.core.now_ns + self.heartbeat_deadline_ns();
        self.timers.push(Reverse((first_check, Timer::Heartbeat(slot, self.next_id))));
        self.links[slot] = Some(Link { conn, stream });
    }

    /// Puts a host out of order or in order.
    pub(crate) fn set_outage(&mut self, host: Host, outage: Outage) {
        self.core.outages[host as usize] = outage;
        let token = match host {
            Host::Main => LISTENER,
            Host::Resume => RESUME_LISTENER,
        };
        let Some((addr, listener)) = self.hosts.listener(host) else { return };
        if outage == Outage::Refuse {
            *listener = None;
        } else if listener.is_none() {
            let again = listen(*addr).and_then(|mut again| {
                self.poll.registry().register(&mut again, token, Interest::READABLE)?;
                Ok(again)
            });
            match again {
                Ok(again) => *listener = Some(again),
                Err(error) => eprintln!("listening again failed: {error}"),
            }
        }
    }

    /// Cuts the connections of a range of shards, or all.
    pub(crate) fn cut(&mut self, shards: Option<(u32, u32)>, how: Cut) {
        let within = |shard: Option<u32>| match (shards, shard) {
            (None, _) => true,
            (Some((first, last)), Some(shard)) => (first..=last).contains(&shard),
            (Some(_), None) => false,
        };
        self.core.cut_waiting.clear();
        let cuts = self.core.stats.cut.cuts + 1;
        let mut connections = self.core.stats.cut.connections;
        for slot in 0..self.links.len() {
            let Some(Some(link)) = self.links.get_mut(slot) else { continue };
            if !within(link.conn.shard) {
                continue;
            }
            connections += 1;
            let session = link.conn.session.and_then(|session| self.core.session(session));
            self.core.cut_waiting.extend(session.map(|session| session.uid));
            match how {
                // Linger 0: the close that follows is a RST.
                Cut::Reset => {
                    let socket = socket2::SockRef::from(&link.stream.tcp);
                    let _ = socket.set_linger(Some(Duration::ZERO));
                    self.end(slot);
                }
                Cut::Fin => {
                    // What the socket has not taken is lost, as with a host that dies.
                    link.conn.out.clear();
                    link.conn.zombie = true;
                    // If it fails the connection has ended already; the read will say so.
                    let _ = link.stream.tcp.shutdown(Shutdown::Write);
                    self.linger(slot);
                }
            }
        }
        let sessions = self.core.cut_waiting.len() as u64;
        let at_ms = self.core.now_ms();
        let (waiting, cut) = (sessions, CutStats::default());
        self.core.stats.cut = CutStats { cuts, connections, at_ms, sessions, waiting, ..cut };
    }

    /// Sets the timers of the incidents at this kind of moment.
    pub(crate) fn plan_incidents(&mut self, after_ms: impl Fn(Moment) -> Option<u64>) {
        for (index, incident) in self.core.config.incidents.iter().enumerate() {
            if let Some(ms) = after_ms(incident.at) {
                let at_ns = self.core.now_ns + ms * 1_000_000;
                self.timers.push(Reverse((at_ns, Timer::Incident(index))));
            }
        }
    }

    /// An incident's moment has come.
    pub(crate) fn befall(&mut self, index: usize) {
        match self.core.config.incidents.get(index).map(|incident| incident.action.clone()) {
            Some(IncidentAction::Cut { shards, how }) => self.cut(shards, how),
            Some(IncidentAction::Outage { host, is }) => self.set_outage(host, is),
            None => {}
        }
    }
}

impl Core {
    /// How a host is out of order.
    pub(crate) fn outage_of(&self, host: Host) -> Outage {
        self.outages[host as usize]
    }

    /// A session will never be resumed: no more to be waited for after a cut.
    pub(crate) fn lose_cut(&mut self, uid: u64) {
        if self.cut_waiting.remove(&uid) {
            self.stats.cut.waiting -= 1;
            self.stats.cut.lost += 1;
        }
    }

    /// A session had its RESUMED.
    pub(crate) fn note_resumed(&mut self, slot: usize) {
        self.stats.resumed += 1;
        let now_ms = self.now_ms();
        let Some(session) = self.session(slot) else { return };
        let (uid, shard) = (session.uid, session.shard.0);
        note(&mut self.stats.shards.entry(shard).or_default().resumed_ms, now_ms);
        if self.cut_waiting.remove(&uid) {
            let cut = &mut self.stats.cut;
            let after_ms = now_ms.saturating_sub(cut.at_ms);
            if cut.waiting + cut.lost == cut.sessions {
                cut.first_resumed_ms = after_ms;
            }
            cut.waiting -= 1;
            cut.last_resumed_ms = after_ms;
        }
    }

    fn count_accepted(&mut self, host: Host) {
        self.stats.connections += 1;
        self.stats.connections_resume_host += u64::from(host == Host::Resume);
        let second = self.now_ns / 1_000_000_000;
        let count = if self.accepted_in.0 == second { self.accepted_in.1 + 1 } else { 1 };
        self.accepted_in = (second, count);
        self.stats.accepted_per_s_max = self.stats.accepted_per_s_max.max(count);
    }
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

pub(crate) const LISTENER: Token = Token(usize::MAX);
pub(crate) const RESUME_LISTENER: Token = Token(usize::MAX - 2);
/// Pending connections: thousands of shards may dial at once.
const BACKLOG: i32 = 4_096;

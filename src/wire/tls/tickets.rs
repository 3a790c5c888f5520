//! The sessions that a later handshake may resume: TLS 1.3 tickets and TLS 1.2 sessions, by server.
//!
//! rustls' own store keeps eight tickets a server, and each is used once: of a thousand shards that
//! reconnect at once, nearly all would pay for a whole handshake. A ticket cannot be copied (rustls
//! gives no means, and RFC 8446 §C.4 asks not to), so this one keeps as many as it is told.
//!
//! Invariants: never more than `tickets_max` tickets in all and [`SERVERS_MAX`] servers; the newest
//! ticket goes out first, the oldest of the server with the most is dropped first. Shared by the
//! cores of a process; locked for a moment in each handshake, never for a record.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

pub(super) struct Tickets {
    tickets_max: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Least recently used first.
    servers: Vec<Server>,
    tickets_len: usize,
}

struct Server {
    name: ServerName<'static>,
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// Oldest first.
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl Tickets {
    pub(super) fn new(tickets_max: usize) -> Self {
        Self { tickets_max, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Whoever panicked with it left a whole table: each change is one step.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&mut self, name: &ServerName<'_>) -> Option<&mut Server> {
        self.servers.iter_mut().find(|server| server.name == *name)
    }

    /// The row of a server, made if there is none; then the last one in the list.
    fn touch(&mut self, name: ServerName<'static>) -> &mut Server {
        let found = self.servers.iter().position(|server| server.name == name);
        let server = match found {
            Some(at) => self.servers.remove(at),
            None => Server { name, group: None, tls12: None, tls13: VecDeque::new() },
        };
        if self.servers.len() >= SERVERS_MAX {
            let gone = self.servers.remove(0);
            self.tickets_len -= gone.tls13.len();
        }
        self.servers.push(server);
        let last = self.servers.len() - 1;
        &mut self.servers[last]
    }

    fn drop_oldest(&mut self) {
        let fullest = self.servers.iter_mut().max_by_key(|server| server.tls13.len());
        if fullest.and_then(|server| server.tls13.pop_front()).is_some() {
            self.tickets_len -= 1;
        }
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.table().touch(name).group = Some(group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.table().find(name)?.group
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.table().touch(name).tls12 = Some(session);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.table().find(name)?.tls12.clone()
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        if let Some(server) = self.table().find(name) {
            server.tls12 = None;
        }
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut table = self.table();
        table.touch(name).tls13.push_back(ticket);
        table.tickets_len += 1;
        if table.tickets_len > self.tickets_max {
            table.drop_oldest();
        }
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut table = self.table();
        let ticket = table.find(name)?.tls13.pop_back()?;
        table.tickets_len -= 1;
        Some(ticket)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the tickets: they are as good as keys.
        f.debug_struct("Tickets")
            .field("tickets_len", &self.table().tickets_len)
            .field("tickets_max", &self.tickets_max)
            .finish_non_exhaustive()
    }
}

/// Names of servers: Discord has one to identify at and some dozens to resume at.
const SERVERS_MAX: usize = 64;

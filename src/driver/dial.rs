//! From a shard's order to dial to a connection: the proxy or the host, its name, its addresses, a
//! TCP connect on the ring for each that is tried, and of those the first that answers.
//!
//! Names are resolved by threads of their own, never on a core; which address is tried when is
//! `eyeballs`' affair, which host and when the session's. Part of [`Core`].

use std::cmp::Reverse;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::clock::Time;
use crate::driver::core::{Core, Wake};
use crate::driver::eyeballs::Eyeballs;
use crate::driver::link::{Link, LinkKey, Op};
use crate::driver::mailbox::Mail;
use crate::driver::names::Found;
use crate::driver::ring::ConnectRequest;
use crate::driver::system;
use crate::shard::close::LinkEnd;
use crate::shard::handler::Handler;
use crate::shard::notice::Target;
use crate::wire::{GatewayUrl, Proxy, WireError};

/// A connection in the making.
#[derive(Debug)]
pub(super) struct Dialing {
    url: GatewayUrl,
    proxy: Option<Proxy>,
    /// Names the resolver's answer, so that one that comes late is known as such.
    id: u64,
    /// Once the addresses are known.
    eyeballs: Option<Eyeballs>,
    /// The links that try to connect.
    attempts: Vec<LinkKey>,
    /// Why the attempts failed so far: of their reasons the one that tells most.
    failure: LinkEnd,
}

impl Dialing {
    fn failed(&mut self, error: &io::Error) {
        let telling = |end| match end {
            LinkEnd::ConnectionRefused => 3,
            LinkEnd::DialTimeout => 2,
            LinkEnd::NoRoute => 1,
            _ => 0,
        };
        let end = end_of(error);
        if telling(end) >= telling(self.failure) {
            self.failure = end;
        }
    }
}

impl<H: Handler> Core<H> {
    /// Dials for a shard: at once where the host is an address, after a look-up where it is a name.
    pub(super) fn dial(&mut self, local: u32, target: Target) {
        let url = self.shards[local as usize].shard.dial(target);
        let proxy = self.route.proxy_for(&url);
        let (host, port) = match &proxy {
            Some(proxy) => (proxy.host().to_owned(), proxy.port()),
            None => (url.host().to_owned(), url.port()),
        };
        self.dials += 1;
        // Unique over the core's lifetime is enough: mail goes to this core only.
        let id = self.dials;
        let failure = LinkEnd::NameNotFound;
        let dialing = Dialing { url, proxy, id, eyeballs: None, attempts: Vec::new(), failure };
        self.shards[local as usize].dialing = Some(Box::new(dialing));
        if let Ok(ip) = host.parse::<IpAddr>() {
            self.try_addresses(local, vec![SocketAddr::new(ip, port)]);
            return;
        }
        let (mailbox, shared, clock) =
            (Arc::clone(&self.mailbox), Arc::clone(&self.shared), self.clock);
        let job = Box::new(move || {
            let addresses = shared.names.look_up(&host, port, || clock.now());
            // Closed: the engine has stopped, and nobody dials any more.
            let _ = mailbox.push_internal(Mail::Resolved { local, dial: id, addresses });
        });
        if self.shared.resolvers.push(job).is_err() {
            self.end_link(local, LinkEnd::Unreachable);
        }
    }

    /// A name was resolved.
    pub(super) fn resolved(&mut self, local: u32, dial: u64, addresses: Found) {
        let Some(slot) = self.shards.get(local as usize) else { return };
        let awaited = |dialing: &Dialing| dialing.id == dial && dialing.eyeballs.is_none();
        if slot.dialing.as_deref().is_some_and(awaited) {
            // No address and no name are one: the attempts are over before they begin.
            self.try_addresses(local, addresses.unwrap_or_default());
        }
    }

    fn try_addresses(&mut self, local: u32, addresses: Vec<SocketAddr>) {
        let now = self.clock.now();
        let Some(dialing) = &mut self.shards[local as usize].dialing else { return };
        dialing.eyeballs = Some(Eyeballs::new(addresses, &mut self.rng, now));
        self.attempt(local);
    }

    /// Begins the attempts that are due, and gives up when all have failed.
    pub(super) fn attempt(&mut self, local: u32) {
        let now = self.clock.now();
        while let Some(address) = self.eyeballs(local).and_then(|eyeballs| eyeballs.poll(now)) {
            let begun = self.connect(local, address);
            let Some(dialing) = &mut self.shards[local as usize].dialing else { return };
            match begun {
                Ok(key) => dialing.attempts.push(key),
                Err(error) => {
                    dialing.failed(&error);
                    self.eyeballs(local).expect("polled above").failed(now);
                }
            }
        }
        let Some(eyeballs) = self.eyeballs(local) else { return };
        if let Some(at) = eyeballs.deadline() {
            self.deadlines.push(Reverse((at, Wake::Dial(local))));
        } else if eyeballs.is_over() {
            self.dial_failed(local);
        }
    }

    /// The delay before a shard's next attempt has passed, perhaps.
    pub(super) fn expire_dial(&mut self, local: u32, now: Time) {
        let due = self.eyeballs(local).and_then(|eyeballs| eyeballs.deadline());
        if due.is_some_and(|due| due <= now) {
            self.attempt(local);
        }
    }

    fn eyeballs(&mut self, local: u32) -> Option<&mut Eyeballs> {
        self.shards[local as usize].dialing.as_mut()?.eyeballs.as_mut()
    }

    fn dial_failed(&mut self, local: u32) {
        let slot = &mut self.shards[local as usize];
        let Some(dialing) = &slot.dialing else { return };
        let end = match (&dialing.proxy, dialing.failure) {
            (None, end) => end,
            (Some(_), LinkEnd::DialTimeout) => LinkEnd::DialTimeout,
            // Not the gateway's host, but the proxy before it.
            (Some(_), _) => slot.shard.broke(WireError::ProxyUnreachable),
        };
        self.end_link(local, end);
    }

    /// Connects a new socket.
    fn connect(&mut self, local: u32, address: SocketAddr) -> io::Result<LinkKey> {
        let stream = system::tcp_socket(address.is_ipv6(), &self.tcp)?;
        let key = self.links.insert(Link::new(local, stream));
        let link = self.links.find(key).expect("inserted above");
        let fd = link.fd();
        let request = link.connecting.insert(ConnectRequest::new(address, self.dial_timeout));
        // SAFETY: the request is boxed and owned by the link, which is not removed before the
        // connect has completed (`is_quiet`); `connected` is the first to take it.
        let pushed = unsafe {
            self.ring.connect(fd, request, key.user_data(Op::Connect), key.user_data(Op::Ignored))
        };
        if let Err(error) = pushed {
            link.connecting = None;
            self.links.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    /// A connect has completed.
    pub(super) fn connected(&mut self, key: LinkKey, result: i32) -> io::Result<()> {
        let Some(link) = self.links.find(key) else { return Ok(()) };
        link.connecting = None;
        let Some(local) = link.shard else { return Ok(()) };
        if result < 0 {
            link.shard = None;
            let now = self.clock.now();
            let Some(dialing) = &mut self.shards[local as usize].dialing else { return Ok(()) };
            dialing.attempts.retain(|attempt| *attempt != key);
            dialing.failed(&io::Error::from_raw_os_error(-result));
            if let Some(eyeballs) = &mut dialing.eyeballs {
                eyeballs.failed(now);
            }
            self.attempt(local);
            return Ok(());
        }
        let slot = &mut self.shards[local as usize];
        let Some(dialing) = slot.dialing.take() else { return Ok(()) };
        slot.link = Some(key);
        for attempt in dialing.attempts.into_iter().filter(|attempt| *attempt != key) {
            self.drop_attempt(attempt);
        }
        let channel = self.route.channel(&dialing.url, dialing.proxy.as_ref());
        let Some(link) = self.links.find(key) else { return Ok(()) };
        match channel {
            Ok(channel) => link.channel = channel,
            Err(error) => {
                let end = self.shards[local as usize].shard.broke(error);
                self.end_link(local, end);
                return Ok(());
            }
        }
        self.starved.push(key); // Armed this turn, if nothing holds it.
        self.settle(local);
        Ok(())
    }

    /// Gives up the dial of a shard, if there is one.
    pub(super) fn drop_dial(&mut self, local: u32) {
        let Some(dialing) = self.shards[local as usize].dialing.take() else { return };
        dialing.attempts.into_iter().for_each(|attempt| self.drop_attempt(attempt));
    }

    fn drop_attempt(&mut self, key: LinkKey) {
        let Some(link) = self.links.find(key) else { return };
        link.shard = None;
        link.shut_down();
        if link.connecting.is_some() {
            // Should the queue be full, the connect's own time-out ends it.
            let _ = self.ring.cancel(key.user_data(Op::Connect), key.user_data(Op::Ignored));
        }
        self.remove_if_quiet(key);
    }
}

/// What an attempt's error means.
fn end_of(error: &io::Error) -> LinkEnd {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => LinkEnd::ConnectionRefused,
        Some(
            libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EHOSTDOWN
            | libc::EADDRNOTAVAIL
            | libc::EAFNOSUPPORT,
        ) => LinkEnd::NoRoute,
        // The linked time-out cancels the connect.
        Some(libc::ETIMEDOUT | libc::ECANCELED) => LinkEnd::DialTimeout,
        _ => LinkEnd::Unreachable,
    }
}

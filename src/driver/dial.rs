//! From a shard's order to dial to a TCP connect on the ring: resolve, socket, submit.
//!
//! Names are resolved by the helper threads, never on a core. It decides nothing: which host and
//! when is the session's business. Part of [`Core`].

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::driver::core::Core;
use crate::driver::link::{Link, Op};
use crate::driver::mailbox::Mail;
use crate::driver::ring::ConnectRequest;
use crate::driver::system;
use crate::shard::close::LinkEnd;
use crate::shard::handler::Handler;
use crate::shard::notice::Target;

impl<H: Handler> Core<H> {
    /// Dials for a shard: at once where the host is an address, after a look-up where it is a name.
    pub(super) fn dial(&mut self, local: u32, target: Target) {
        let url = self.shards[local as usize].shard.dial(target);
        let (host, port) = (url.host().to_owned(), url.port());
        if let Ok(ip) = host.parse::<IpAddr>() {
            self.connect(local, SocketAddr::new(ip, port));
            return;
        }
        self.dials += 1;
        // Unique over the cores' lifetime is enough: mail goes to this core only.
        let dial = self.dials;
        self.shards[local as usize].resolving = Some(dial);
        let mailbox = Arc::clone(&self.mailbox);
        let job = Box::new(move || {
            let addresses = (host.as_str(), port)
                .to_socket_addrs()
                .map(|addresses| addresses.take(ADDRESSES_MAX).collect())
                .map_err(|error| error.kind());
            // Closed: the engine has stopped, and nobody dials any more.
            let _ = mailbox.push_internal(Mail::Resolved { local, dial, addresses });
        });
        if self.shared.helpers.push(job).is_err() {
            self.shards[local as usize].resolving = None;
            self.end_link(local, LinkEnd::Unreachable);
        }
    }

    /// A name was resolved.
    pub(super) fn resolved(
        &mut self,
        local: u32,
        dial: u64,
        addresses: Result<Vec<SocketAddr>, std::io::ErrorKind>,
    ) {
        let Some(slot) = self.shards.get_mut(local as usize) else { return };
        if slot.resolving != Some(dial) {
            return; // The shard has given up this dial meanwhile.
        }
        slot.resolving = None;
        match addresses {
            Ok(addresses) if !addresses.is_empty() => {
                // Spread over what the name stands for.
                let choice = self.rng.next_u64() as usize % addresses.len();
                self.connect(local, addresses[choice]);
            }
            _ => self.end_link(local, LinkEnd::Unreachable),
        }
    }

    /// Connects a new socket.
    fn connect(&mut self, local: u32, address: SocketAddr) {
        let stream = match system::tcp_socket(address.is_ipv6()) {
            Ok(stream) => stream,
            Err(_) => {
                // No descriptor left, or no such protocol: tried again after the back-off.
                self.end_link(local, LinkEnd::Unreachable);
                return;
            }
        };
        let key = self.links.insert(Link::new(local, stream));
        self.shards[local as usize].link = Some(key);
        let link = self.links.find(key).expect("inserted above");
        let fd = link.fd();
        let request = link.connecting.insert(ConnectRequest::new(address, self.dial_timeout));
        // SAFETY: the request is boxed and owned by the link, which is not removed before the
        // connect has completed (`is_quiet`); `connected` is the first to take it.
        let pushed = unsafe {
            self.ring.connect(fd, request, key.user_data(Op::Connect), key.user_data(Op::Ignored))
        };
        if pushed.is_err() {
            link.connecting = None;
            self.end_link(local, LinkEnd::Unreachable);
        }
    }
}

/// Addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 16;

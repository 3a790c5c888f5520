//! What names stand for: asked of the system's resolver, on threads for that alone, and remembered
//! for a few seconds.
//!
//! When a thousand shards reconnect at once they ask for the same few names: one look-up serves
//! them. It knows nothing of shards. Invariant: at most [`NAMES_MAX`] names are remembered, and
//! none for longer than [`FRESH`]. The core's dial calls it from a resolver's job.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Time;
use crate::driver::eyeballs::ADDRESSES_MAX;

/// How long an answer is good for. Shorter than any name's time to live, which the resolver keeps
/// to itself; long enough for a storm.
const FRESH: Duration = Duration::from_secs(5);
/// How long "no such name" is good for.
const FRESH_FAILURE: Duration = Duration::from_secs(1);
/// Names remembered: the gateway's hosts are a handful.
const NAMES_MAX: usize = 32;

/// An address, or why there is none.
pub(crate) type Found = Result<Vec<SocketAddr>, io::ErrorKind>;

/// The answers of the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Mutex<Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    host: Box<str>,
    port: u16,
    asked_at: Time,
    found: Found,
}

impl Names {
    /// The addresses of a name, from memory or from the resolver: blocks.
    ///
    /// # Errors
    ///
    /// The resolver's: there is no such name, or nobody to ask.
    pub(crate) fn look_up(&self, host: &str, port: u16, clock: impl Fn() -> Time) -> Found {
        self.look_up_by(host, port, clock, |host, port| {
            let addresses = (host, port).to_socket_addrs().map_err(|error| error.kind())?;
            Ok(addresses.take(ADDRESSES_MAX).collect())
        })
    }

    fn look_up_by(
        &self,
        host: &str,
        port: u16,
        clock: impl Fn() -> Time,
        ask: impl FnOnce(&str, u16) -> Found,
    ) -> Found {
        let is_same = |known: &Known| *known.host == *host && known.port == port;
        let now = clock();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|known| {
                let fresh = if known.found.is_ok() { FRESH } else { FRESH_FAILURE };
                now.since(known.asked_at) < fresh
            });
            if let Some(known) = known.iter().find(|known| is_same(known)) {
                return known.found.clone();
            }
        }
        let found = ask(host, port);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| !is_same(known)); // another helper may have asked meanwhile
        if known.len() == NAMES_MAX {
            known.remove(0);
        }
        // From its answer on: a resolver may need long to say that it knows nothing.
        let asked_at = clock();
        known.push(Known { host: host.into(), port, asked_at, found: found.clone() });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> impl Fn() -> Time {
        move || Time::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn one_look_up_serves_a_storm_and_is_forgotten_soon() {
        let names = Names::default();
        let address: SocketAddr = "192.0.2.1:443".parse().unwrap();
        let found = names.look_up_by("gateway", 443, at(0), |_, _| Ok(vec![address]));
        assert_eq!(found, Ok(vec![address]));
        let unasked = |_: &str, _: u16| -> Found { panic!("asked again") };
        assert_eq!(names.look_up_by("gateway", 443, at(4_999), unasked), Ok(vec![address]));
        let failed = |_: &str, _: u16| Err(io::ErrorKind::NotFound);
        assert!(names.look_up_by("gateway", 443, at(5_000), failed).is_err());
        assert!(names.look_up_by("gateway", 443, at(5_999), unasked).is_err());
        assert!(names.look_up_by("gateway", 443, at(6_000), |_, _| Ok(vec![address])).is_ok());
    }

    #[test]
    fn the_memory_is_bounded() {
        let names = Names::default();
        for port in 0..1000 {
            let _ = names.look_up_by("host", port, at(0), |_, _| Ok(Vec::new()));
        }
        assert_eq!(names.known.lock().unwrap().len(), NAMES_MAX);
    }

    #[test]
    fn the_resolver_of_the_system_is_asked() {
        let found = Names::default().look_up("localhost", 80, at(0)).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
        assert!(!found.is_empty());
    }
}

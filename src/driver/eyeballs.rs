//! Happy eyeballs (RFC 8305): which of a name's addresses to try when.
//!
//! A machine: addresses, moments and failures go in, the next address to try comes out. It opens
//! no socket. Families alternate, the resolver's favourite first; within a family the order is
//! drawn, so that thousands of shards spread over what a name stands for. Invariant: each address
//! is tried at most once, at most [`ATTEMPTS_MAX`] at a time. The core's dial calls it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::{Rng, Time};

/// How long an attempt has the field to itself (RFC 8305 §5, "Connection Attempt Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Attempts in flight at a time.
const ATTEMPTS_MAX: usize = 4;
/// Addresses of a name that are looked at.
pub(crate) const ADDRESSES_MAX: usize = 16;

/// The attempts to reach one host.
#[derive(Debug)]
pub(crate) struct Eyeballs {
    untried: VecDeque<SocketAddr>,
    in_flight: usize,
    /// When the next attempt may begin beside those in flight.
    next_at: Time,
}

impl Eyeballs {
    /// Attempts at `addresses`, of which the first [`ADDRESSES_MAX`] count.
    pub(crate) fn new(mut addresses: Vec<SocketAddr>, rng: &mut Rng, now: Time) -> Self {
        addresses.truncate(ADDRESSES_MAX);
        let favours_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
        for at in (1..addresses.len()).rev() {
            addresses.swap(at, rng.next_u64() as usize % (at + 1));
        }
        let (mut favoured, mut others): (VecDeque<_>, VecDeque<_>) =
            addresses.into_iter().partition(|address| address.is_ipv6() == favours_v6);
        let mut untried = VecDeque::with_capacity(favoured.len() + others.len());
        while !(favoured.is_empty() && others.is_empty()) {
            untried.extend(favoured.pop_front());
            untried.extend(others.pop_front());
        }
        Self { untried, in_flight: 0, next_at: now }
    }

    /// An address to connect to now, if it is time for one.
    pub(crate) fn poll(&mut self, now: Time) -> Option<SocketAddr> {
        if now < self.next_at || self.in_flight >= ATTEMPTS_MAX {
            return None;
        }
        let address = self.untried.pop_front()?;
        self.in_flight += 1;
        self.next_at = now + ATTEMPT_DELAY;
        Some(address)
    }

    /// An attempt has failed: the next need not wait (RFC 8305 §5).
    pub(crate) fn failed(&mut self, now: Time) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.next_at = now;
    }

    /// When [`poll`](Self::poll) may give another address.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let may = !self.untried.is_empty() && self.in_flight < ATTEMPTS_MAX;
        may.then_some(self.next_at)
    }

    /// Every address has failed.
    pub(crate) fn is_over(&self) -> bool {
        self.untried.is_empty() && self.in_flight == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_alternate_from_the_resolvers_favourite() {
        let all = ["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"];
        for seed in 0..20 {
            let mut eyeballs = Eyeballs::new(addresses(&all), &mut Rng::new(seed), Time::ZERO);
            let mut now = Time::ZERO;
            let mut order = Vec::new();
            while let Some(address) = eyeballs.poll(now) {
                order.push(address);
                eyeballs.failed(now);
                now += Duration::from_millis(1);
            }
            let families: Vec<bool> = order.iter().map(SocketAddr::is_ipv6).collect();
            assert_eq!(families, [true, false, true, false, true]);
            order.sort();
            let mut expected = addresses(&all);
            expected.sort();
            assert_eq!(order, expected, "each address once");
            assert!(eyeballs.is_over());
        }
    }

    #[test]
    fn a_silent_address_has_a_quarter_of_a_second_before_the_next_joins_in() {
        let pair = addresses(&["[::1]:1", "1.0.0.1:1"]);
        let mut eyeballs = Eyeballs::new(pair, &mut Rng::new(1), Time::ZERO);
        assert!(eyeballs.poll(Time::ZERO).unwrap().is_ipv6());
        assert_eq!(eyeballs.poll(Time::ZERO), None);
        let due = eyeballs.deadline().unwrap();
        assert_eq!(due, Time::ZERO + ATTEMPT_DELAY);
        assert!(eyeballs.poll(due).unwrap().is_ipv4());
        assert_eq!((eyeballs.deadline(), eyeballs.is_over()), (None, false));
        eyeballs.failed(due);
        assert!(!eyeballs.is_over(), "the other may still answer");
        eyeballs.failed(due);
        assert!(eyeballs.is_over());
    }

    #[test]
    fn a_refusal_starts_the_next_attempt_at_once_and_few_are_in_flight() {
        let many: Vec<SocketAddr> =
            (1..=40).map(|port| SocketAddr::from(([1, 0, 0, 1], port))).collect();
        let mut eyeballs = Eyeballs::new(many, &mut Rng::new(1), Time::ZERO);
        assert!(eyeballs.poll(Time::ZERO).is_some());
        eyeballs.failed(Time::ZERO);
        assert!(eyeballs.poll(Time::ZERO).is_some());
        let mut now = Time::ZERO;
        for _ in 0..100 {
            now += ATTEMPT_DELAY;
            let _ = eyeballs.poll(now);
        }
        assert_eq!((eyeballs.in_flight, eyeballs.deadline()), (ATTEMPTS_MAX, None));
        assert_eq!(eyeballs.untried.len(), ADDRESSES_MAX - ATTEMPTS_MAX - 1);
    }
}

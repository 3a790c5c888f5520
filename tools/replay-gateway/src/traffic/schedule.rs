//! When each paced event is meant to be sent: Poisson arrivals as a pure function of
//! (seed, rate, shards, shard, index), so that gateway and client compute the same moments.
//!
//! Arrivals of a shard have exponential gaps of mean `shards * burst / rate`; an arrival brings
//! `burst` events. Event `k` of a shard is due with arrival `k / burst`. All sums are made in the
//! same order with the same `f64` operations on both sides, so the results are equal bit for bit.

use super::random::key;

/// What fixes a schedule, but for its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// The traffic's seed.
    pub seed: u64,
    /// Events per second over all shards together. Above 0.
    pub rate_per_s: f64,
    /// Shards that share the rate. At least 1.
    pub shards: u32,
    /// Events of one arrival. At least 1.
    pub burst: u64,
}

/// The arrivals of one shard, walked forward.
///
/// ```
/// use replay_gateway::traffic::schedule::{Pace, Schedule};
/// let pace = Pace { seed: 42, rate_per_s: 1_000.0, shards: 4, burst: 1 };
/// let mut at_gateway = Schedule::new(pace, 3);
/// let mut at_client = Schedule::new(pace, 3);
/// let due_ns = at_gateway.due_ns(10);
/// assert_eq!(at_client.due_ns(10), due_ns);
/// assert!(at_client.due_ns(11) > due_ns);
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    pace: Pace,
    shard_id: u32,
    /// The arrival that `at_ns` belongs to.
    arrival: u64,
    at_ns: f64,
}

impl Schedule {
    /// The schedule of `shard_id`, standing at its first arrival.
    pub fn new(pace: Pace, shard_id: u32) -> Self {
        let mut schedule = Self { pace, shard_id, arrival: 0, at_ns: 0.0 };
        schedule.at_ns = schedule.gap_ns(0);
        schedule
    }

    /// When event `k` is due, in ns after the traffic's start. Walks forward one step per arrival;
    /// asked for an earlier arrival than the last one, it starts over (same answer, more work).
    pub fn due_ns(&mut self, k: u64) -> u64 {
        let arrival = k / self.pace.burst.max(1);
        if arrival < self.arrival {
            *self = Self::new(self.pace, self.shard_id);
        }
        while self.arrival < arrival {
            self.arrival += 1;
            self.at_ns += self.gap_ns(self.arrival);
        }
        self.at_ns as u64
    }

    /// The first event that is due at or after `now_ns` (ns after the start).
    pub fn first_due(&mut self, now_ns: u64) -> u64 {
        while (self.at_ns as u64) < now_ns {
            self.arrival += 1;
            self.at_ns += self.gap_ns(self.arrival);
        }
        self.arrival * self.pace.burst.max(1)
    }

    fn gap_ns(&self, arrival: u64) -> f64 {
        let bits = key(self.pace.seed, 0x7363_6865 + u64::from(self.shard_id), arrival) >> 11;
        let unit = (bits as f64 + 1.0) / (1u64 << 53) as f64; // in (0, 1]
        -unit.ln() * self.mean_gap_ns()
    }

    fn mean_gap_ns(&self) -> f64 {
        let per_shard = self.pace.rate_per_s.max(1e-6) / f64::from(self.pace.shards.max(1));
        1e9 * self.pace.burst.max(1) as f64 / per_shard
    }
}

/// When event `k` of `shard_id` is meant to be sent, in ns of the clock that `start_ns` is of.
/// For a single question; use [`Schedule`] for many.
pub fn intended_send_ns(start_ns: u64, pace: Pace, shard_id: u32, k: u64) -> u64 {
    start_ns + Schedule::new(pace, shard_id).due_ns(k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_the_rate_and_bursts_share_a_moment() {
        let pace = Pace { seed: 1, rate_per_s: 20_000.0, shards: 16, burst: 4 };
        let mut schedule = Schedule::new(pace, 5);
        let last = schedule.due_ns(39_999);
        let expected = 40_000.0 / (20_000.0 / 16.0) * 1e9;
        assert!((last as f64 / expected - 1.0).abs() < 0.05, "{last}");
        assert_eq!(schedule.due_ns(4), schedule.due_ns(7));
        assert_ne!(schedule.due_ns(7), schedule.due_ns(8));
    }

    #[test]
    fn the_first_due_event_is_the_first_not_before_now() {
        let pace = Pace { seed: 9, rate_per_s: 100.0, shards: 1, burst: 1 };
        let mut schedule = Schedule::new(pace, 0);
        let k = schedule.first_due(2_000_000_000);
        assert!(schedule.due_ns(k) >= 2_000_000_000);
        assert!(k == 0 || Schedule::new(pace, 0).due_ns(k - 1) < 2_000_000_000);
    }

    #[test]
    fn a_single_question_gives_what_the_walk_gives() {
        let pace = Pace { seed: 3, rate_per_s: 5_000.0, shards: 2, burst: 1 };
        let mut walk = Schedule::new(pace, 1);
        for k in 0..100 {
            assert_eq!(intended_send_ns(7, pace, 1, k), 7 + walk.due_ns(k));
        }
    }
}

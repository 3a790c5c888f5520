//! How long to wait before the next attempt. Pure functions of a count and of randomness.
//!
//! Invariant: a reconnect waits less than [`RECONNECT_MAX`]; the waits after failed IDENTIFYs add
//! up so that no hour sees more than 12 IDENTIFYs of one shard. Called by `session`.

use std::time::Duration;

use crate::clock::Rng;

/// The first reconnect waits at most this long; each failure doubles it.
pub const RECONNECT_FIRST: Duration = Duration::from_secs(1);
/// No reconnect waits longer.
pub const RECONNECT_MAX: Duration = Duration::from_secs(60);

/// The wait before a reconnect after `failures` connections that brought neither READY nor RESUMED:
/// full jitter over 1, 2, 4 … 60 s.
pub fn reconnect(rng: &mut Rng, failures: u32) -> Duration {
    let cap = RECONNECT_FIRST.saturating_mul(1u32.checked_shl(failures).unwrap_or(u32::MAX));
    rng.jitter(cap.min(RECONNECT_MAX))
}

/// The shortest wait after an IDENTIFY that brought no READY.
pub const IDENTIFY_MIN: Duration = Duration::from_secs(5);
/// The longest.
pub const IDENTIFY_MAX: Duration = Duration::from_secs(15 * 60);

/// The wait before the next IDENTIFY after `failures` (at least 1) that brought no READY.
///
/// Between half and whole of 10, 30, 90, 270, 810, 900 s. The lower half is not drawn: an IDENTIFY
/// is one of the day's thousand, and small draws could add up to more than 12 in an hour. At
/// least 5 + 15 + 45 + 135 + 405 + 6 × 450 s pass before the 12th.
pub fn identify(rng: &mut Rng, failures: u32) -> Duration {
    let growth = 3u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let cap = IDENTIFY_MIN.saturating_mul(2).saturating_mul(growth).min(IDENTIFY_MAX);
    rng.between(cap / 2, cap)
}

/// The wait before a new session after op 9 (protocol section 3.2).
pub fn invalid_session(rng: &mut Rng) -> Duration {
    rng.between(Duration::from_secs(1), Duration::from_secs(5))
}

/// The pause after 4008, on top of the reconnect's own wait.
pub fn rate_limited(rng: &mut Rng) -> Duration {
    rng.between(Duration::from_secs(5), Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnect_waits_grow_to_a_minute_and_use_the_whole_range() {
        let mut rng = Rng::new(1);
        for failures in [0, 1, 5, 6, 31, 32, u32::MAX] {
            let cap = if failures < 6 { 1u64 << failures } else { 60 };
            let draws: Vec<_> = (0..1000).map(|_| reconnect(&mut rng, failures)).collect();
            let cap = Duration::from_secs(cap);
            assert!(draws.iter().all(|wait| *wait < cap));
            assert!(draws.iter().any(|wait| *wait > cap * 9 / 10));
            assert!(draws.iter().any(|wait| *wait < cap / 10));
        }
    }

    #[test]
    fn the_thirteenth_identify_never_falls_into_the_first_hour() {
        for seed in 0..2000 {
            let mut rng = Rng::new(seed);
            let total: Duration = (1..=12).map(|failures| identify(&mut rng, failures)).sum();
            assert!(total > Duration::from_secs(3600), "seed {seed}: {total:?}");
        }
        let least: u64 = 5 + 15 + 45 + 135 + 405 + 7 * 450;
        assert!(least > 3600, "even with the smallest draws");
    }

    #[test]
    fn identify_waits_stay_between_five_seconds_and_fifteen_minutes() {
        let mut rng = Rng::new(2);
        for failures in [0, 1, 2, 6, 40, u32::MAX] {
            let wait = identify(&mut rng, failures);
            assert!((IDENTIFY_MIN..=IDENTIFY_MAX).contains(&wait), "{failures}: {wait:?}");
        }
    }
}

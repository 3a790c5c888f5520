//! What a session counts, and its heartbeats' round trips. Plain numbers, never read by behaviour.
//!
//! Written by `session`, read by metrics.

use std::time::Duration;

use crate::shard::close::Cause;

/// Counts since the session was made. They wrap after 4 thousand million (of one shard).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Dispatches delivered, those before READY and without number among them.
    pub delivered: u64,
    /// Dispatches that came between RESUME and RESUMED.
    pub replayed: u64,
    /// Dispatches dropped because their number had been seen.
    pub duplicates: u32,
    /// How often numbers were skipped.
    pub gaps: u32,
    /// How many numbers were skipped in all.
    pub gap_events: u64,
    /// Connections that ended, by [`Cause::index`].
    pub disconnects: [u32; Cause::COUNT],
    /// IDENTIFYs handed to the driver.
    pub identifies: u32,
    /// READYs.
    pub readies: u32,
    /// RESUMEs handed to the driver.
    pub resume_attempts: u32,
    /// RESUMEDs.
    pub resumes: u32,
    /// Sessions lost.
    pub sessions_lost: u32,
    /// Heartbeats handed to the driver.
    pub heartbeats: u32,
    /// ACKs.
    pub acks: u32,
    /// Commands handed to the driver.
    pub commands: u32,
    /// Notices that had no room (nobody pulled them).
    pub notices_missed: u32,
}

/// Round trips of heartbeats.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    last_us: [u32; LAST_LEN],
    count: u32,
    min_us: u32,
    max_us: u32,
}

/// How many round trips are kept.
pub const LAST_LEN: usize = 10;

impl Latency {
    /// The latest round trip; `None` before the first ACK. See also
    /// [`last_ack_at`](crate::shard::session::Session::last_ack_at): this value does not age.
    pub fn last(&self) -> Option<Duration> {
        self.recent().next()
    }

    /// Up to [`LAST_LEN`] round trips, the latest first.
    pub fn recent(&self) -> impl Iterator<Item = Duration> + '_ {
        let count = self.count as usize;
        (0..count.min(LAST_LEN))
            .map(move |back| micros(self.last_us[(count - 1 - back) % LAST_LEN]))
    }

    /// The shortest so far.
    pub fn min(&self) -> Option<Duration> {
        (self.count > 0).then(|| micros(self.min_us))
    }

    /// The longest so far.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| micros(self.max_us))
    }

    /// Saturates at 71 minutes.
    pub(crate) fn record(&mut self, round_trip: Duration) {
        let us = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
        self.last_us[self.count as usize % LAST_LEN] = us;
        self.min_us = if self.count == 0 { us } else { self.min_us.min(us) };
        self.max_us = self.max_us.max(us);
        // After 4 thousand million ACKs the ring would restart: stay on a multiple of its length.
        self.count = self.count.checked_add(1).unwrap_or(LAST_LEN as u32);
    }
}

fn micros(us: u32) -> Duration {
    Duration::from_micros(us.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ten_round_trips_come_latest_first() {
        let mut latency = Latency::default();
        assert_eq!((latency.last(), latency.min(), latency.max()), (None, None, None));
        for us in [50, 3, 70].into_iter().chain(10..20) {
            latency.record(micros(us));
        }
        let recent: Vec<_> = latency.recent().collect();
        assert_eq!(recent, (10..20).rev().map(micros).collect::<Vec<_>>());
        assert_eq!(latency.min(), Some(micros(3)));
        assert_eq!(latency.max(), Some(micros(70)));
    }
}

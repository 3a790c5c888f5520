//! How long nobody has read: of a core, and of one shard. Silence in that time is not the peer's.
//!
//! Sums of durations, never falling; no clock of its own. The core keeps them, the sessions judge
//! zombies and time-outs by them.

use std::time::Duration;

use crate::clock::Time;

/// Time in which the core did not read, though something may have come: a handler that blocked,
/// a host that was suspended. A shard's silence in it is not the peer's fault.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) total: Duration,
    /// When everything that had arrived was last known to be read.
    pub(super) read_up_to: Time,
}

impl Unread {
    pub(super) fn caught_up(&mut self, now: Time) {
        self.total += self.gap(now);
        self.read_up_to = now;
    }

    /// The loop was asleep until now and nothing had come; `late` is by how much it overslept.
    pub(super) fn slept(&mut self, now: Time, late: Duration) {
        if late >= UNREAD_GAP_MIN {
            self.total += late;
        }
        self.read_up_to = now;
    }

    pub(super) fn gap(&self, now: Time) -> Duration {
        let gap = now.since(self.read_up_to);
        if gap >= UNREAD_GAP_MIN { gap } else { Duration::ZERO }
    }

    pub(super) fn up_to(&self, now: Time) -> Duration {
        self.total + self.gap(now)
    }
}

/// How long a shard's bytes waited for it; not the peer's fault either.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) total: Duration,
    pub(super) since: Option<Time>,
}

impl Held {
    /// Whether they wait from now on.
    pub(super) fn set(&mut self, now: Time, waits: bool) {
        if waits {
            self.since.get_or_insert(now);
        } else {
            *self = Self { total: self.up_to(now), since: None };
        }
    }

    pub(super) fn up_to(&self, now: Time) -> Duration {
        self.total + self.since.map_or(Duration::ZERO, |since| now - since)
    }
}

/// Gaps shorter than this are the ordinary course of a loop.
const UNREAD_GAP_MIN: Duration = Duration::from_millis(100);

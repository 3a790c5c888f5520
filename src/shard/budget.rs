//! The day's session starts, as `GET /gateway/bot` tells them.
//!
//! Data and arithmetic; it asks nobody what time it is. Discovery makes it, the identify budget
//! reads it.

use std::time::Duration;

use crate::clock::Time;

/// `session_start_limit` of `GET /gateway/bot` (protocol section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStartLimit {
    /// Session starts allowed in a window of 24 hours.
    pub total: u32,
    /// Those that were left when it was asked.
    pub remaining: u32,
    /// From the asking until `remaining` is `total` again.
    pub reset_after: Duration,
    /// IDENTIFYs per five seconds; the number of rate-limit keys. At least 1.
    pub max_concurrency: u32,
}

impl SessionStartLimit {
    /// How many were used when it was asked.
    pub const fn used(&self) -> u32 {
        self.total.saturating_sub(self.remaining)
    }

    /// When `remaining` is `total` again, if it was asked at `asked`.
    pub fn reset_at(&self, asked: Time) -> Time {
        asked + self.reset_after
    }

    /// How many are left `elapsed` after the asking, if nobody used any since: all of them once
    /// the window has ended.
    pub fn remaining_at(&self, elapsed: Duration) -> u32 {
        if elapsed >= self.reset_after { self.total } else { self.remaining }
    }
}

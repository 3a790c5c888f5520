//! When the last payloads of a connection went: the send limit (protocol section 7).
//!
//! It grows with what was sent and never counts early. Used by the outbox alone.

use std::collections::VecDeque;
use std::time::Duration;

use super::{ASKED_SPARE, SEND_WINDOW, SENDS_MAX, TRAVEL_MARGIN};
use crate::clock::Time;

/// How many commands fit into a window beside `beats` heartbeats, a handshake and the spare.
pub(super) fn quota(beats: u32) -> u32 {
    SENDS_MAX.saturating_sub(beats + 1 + ASKED_SPARE).max(1)
}

/// When the last payloads of a connection went, in ms since it opened. Grows as needed.
#[derive(Debug, Default)]
pub(super) struct SendWindow {
    origin: Time,
    sent_ms: VecDeque<u64>,
}

impl SendWindow {
    /// Of a connection that opened now.
    pub(super) fn new(now: Time) -> Self {
        Self { origin: now, sent_ms: VecDeque::new() }
    }

    /// `None` if one more may go now, else when.
    pub(super) fn wait(&mut self, now: Time, quota: u32) -> Option<Time> {
        self.prune(now);
        self.free_at(quota)
    }

    pub(super) fn prune(&mut self, now: Time) {
        let now_ms = self.ms(now);
        while self.sent_ms.front().is_some_and(|sent_ms| *sent_ms + WINDOW_MS <= now_ms) {
            self.sent_ms.pop_front();
        }
    }

    /// When the number in the window falls below `quota`; `None` if it is.
    pub(super) fn free_at(&self, quota: u32) -> Option<Time> {
        let over = self.sent_ms.len().checked_sub(quota as usize)?;
        Some(self.origin + Duration::from_millis(self.sent_ms[over] + WINDOW_MS))
    }

    pub(super) fn record(&mut self, now: Time) {
        let now_ms = self.ms(now);
        self.sent_ms.push_back(now_ms);
    }

    pub(super) fn len(&self) -> usize {
        self.sent_ms.len()
    }

    /// Rounded up, so that no slot frees early.
    fn ms(&self, now: Time) -> u64 {
        now.since(self.origin).as_nanos().div_ceil(1_000_000) as u64
    }
}

const WINDOW_MS: u64 = (SEND_WINDOW.as_millis() + TRAVEL_MARGIN.as_millis()) as u64;

//! The ledger of session starts: how many IDENTIFYs this bot has spent since Discord's last reset.
//!
//! [`StartLedger`] is the door to whatever remembers that over processes and restarts;
//! [`StartWindow`] is the record it keeps, written out once; [`MemoryLedger`] remembers it for one
//! process, or for several simulated ones. It decides nothing: `budget` does.
//!
//! Invariants: what was counted is never taken back before the window ends; a count and the check
//! against its limit are one step; whatever a clock does, no window lasts longer than [`WINDOW`]
//! from now. Called by `budget` alone, under no lock of the ledger's users.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Time;

/// How long a window lasts if Discord has not said when it ends (protocol section 4).
pub const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Session starts of one bot, counted over processes and restarts.
///
/// Polled: each call answers at once, from any thread. It may take a lock for a moment and make a
/// system call that does not wait; a ledger that would have to wait says [`Counted::Busy`], one
/// that has lost its file counts in memory and says so in [`LedgerState::is_degraded`]. The moments
/// are of this process' own clock; a ledger that outlives the process translates them to the wall
/// clock, in both directions, as Discord's window goes by the wall clock too.
pub trait StartLedger: fmt::Debug + Send + Sync {
    /// What it holds now.
    fn state(&self, now: Time) -> LedgerState;

    /// Counts one start if fewer than `limit` are counted in this window; check and count are one
    /// step over all processes. It must be remembered before this returns [`Counted::Yes`], so that
    /// a process that dies then has counted one start too many, and never one too few.
    fn count(&self, limit: u32, now: Time) -> Counted;

    /// Discord has said that `used` starts are spent in the window that ends at `reset_at`: see
    /// [`StartWindow::align`]. Gives what it holds after that.
    fn align(&self, used: u32, reset_at: Time, now: Time) -> LedgerState;
}

/// What a ledger holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// Starts counted in this window.
    pub counted: u32,
    /// When the window ends; `None`: none has begun, the next count begins one.
    pub resets_at: Option<Time>,
    /// It cannot reach what it shares with other processes, and counts for this one only.
    pub is_degraded: bool,
}

/// A ledger's answer to [`StartLedger::count`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// One more is counted, and remembered.
    Yes(LedgerState),
    /// As many are counted as may be; nothing was changed.
    Full(LedgerState),
    /// Others hold it just now; nothing was changed. Ask again then.
    Busy(Time),
}

/// The record of a ledger: one window. Times are milliseconds of a clock that all its users share,
/// usually since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartWindow {
    /// Starts counted.
    pub counted: u32,
    /// When it ends; 0: none has begun.
    pub ends_ms: u64,
}

impl StartWindow {
    /// Ends the window if its time is over. A clock that was set back makes no window longer than
    /// [`WINDOW`].
    pub fn roll(&mut self, now_ms: u64) {
        if now_ms >= self.ends_ms {
            *self = Self::default();
        }
        self.ends_ms = self.ends_ms.min(now_ms.saturating_add(WINDOW_MS));
    }

    /// Counts one, if fewer than `limit` are counted. Begins a window if none runs.
    pub fn count(&mut self, limit: u32, now_ms: u64) -> bool {
        self.roll(now_ms);
        if self.counted >= limit {
            return false;
        }
        if self.ends_ms == 0 {
            self.ends_ms = now_ms.saturating_add(WINDOW_MS);
        }
        self.counted += 1;
        true
    }

    /// Takes over what Discord says of its window.
    ///
    /// If that is the window of this record (its end is the same within [`SAME_WINDOW`]), the
    /// larger count holds: what was counted here may not have arrived there yet. If it is another,
    /// this record was of a window that Discord has ended, or guessed its end, and Discord's figure
    /// holds.
    pub fn align(&mut self, used: u32, reset_ms: u64, now_ms: u64) {
        self.roll(now_ms);
        let window_max_ms = now_ms.saturating_add(WINDOW_MS);
        let is_same = self.ends_ms != 0 && self.ends_ms.abs_diff(reset_ms) <= SAME_WINDOW_MS;
        let counted = if is_same { self.counted.max(used) } else { used };
        let ends_ms = match reset_ms.min(window_max_ms) {
            // Over already: whatever it held is of no use but to be careful.
            reset_ms if reset_ms <= now_ms => window_max_ms * u64::from(counted > 0),
            reset_ms => reset_ms,
        };
        *self = Self { counted, ends_ms };
    }
}

/// How far two figures of a window's end may lie apart: the answer's way and two clocks.
pub const SAME_WINDOW: Duration = Duration::from_secs(10 * 60);

const SAME_WINDOW_MS: u64 = SAME_WINDOW.as_millis() as u64;
const WINDOW_MS: u64 = WINDOW.as_millis() as u64;

/// A ledger in memory: of one process, or, cloned, of several simulated ones.
#[derive(Clone, Debug, Default)]
pub struct MemoryLedger {
    window: Arc<Mutex<StartWindow>>,
}

impl MemoryLedger {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, StartWindow> {
        // Plain numbers, replaced whole.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StartLedger for MemoryLedger {
    fn state(&self, now: Time) -> LedgerState {
        let mut window = self.lock();
        window.roll(now.as_ms());
        state_of(*window)
    }

    fn count(&self, limit: u32, now: Time) -> Counted {
        let mut window = self.lock();
        let counted = window.count(limit, now.as_ms());
        let state = state_of(*window);
        if counted { Counted::Yes(state) } else { Counted::Full(state) }
    }

    fn align(&self, used: u32, reset_at: Time, now: Time) -> LedgerState {
        let mut window = self.lock();
        window.align(used, reset_at.as_ms(), now.as_ms());
        state_of(*window)
    }
}

fn state_of(window: StartWindow) -> LedgerState {
    let resets_at = Time::from_ns(window.ends_ms.saturating_mul(1_000_000));
    LedgerState {
        counted: window.counted,
        resets_at: (window.ends_ms != 0).then_some(resets_at),
        is_degraded: false,
    }
}

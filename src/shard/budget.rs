//! The identify budget: a device that keeps a bot's token, by counting every IDENTIFY.
//!
//! Discord resets the token of a bot that identifies more often than its session start limit says
//! (protocol section 4). This machine stands between the shards of an engine and that limit: it
//! refuses a start that cannot be covered ([`Budget::check_start`]), has every IDENTIFY counted in
//! the ledger before its bytes can leave ([`Budget::count`]), slows those of lost sessions down as
//! the window's starts run short, stops at a reserve, and raises alarms long before
//! ([`Budget::poll_alarm`]). What the ledger remembers, over processes and restarts, is behind
//! [`StartLedger`].
//!
//! Whose IDENTIFY it is decides how far it may go. The first of each shard is covered by the check
//! at the start and is never slowed. One that replaces a lost session goes at once while half of
//! what the window has for such is there; the other half is spread over the time to the reset. The
//! reserve is for neither, unless the user has overridden the check.
//!
//! The window is Discord's as soon as [`Budget::refresh`] or the limit given at the start has told
//! the ledger when it ends. Without that it is a guess of 24 h from the first IDENTIFY, and what is
//! spent before and after its end may fall into one window of Discord's.
//!
//! Invariants: never more IDENTIFYs in a window than its total; never more than total less reserve
//! without an override; an IDENTIFY of a lost session never takes what the check has set aside for
//! a first one. `now` is an argument; the lock is held for one call of the ledger. Asked by
//! `session`, made and polled by the engine.

mod ledger;
mod limit;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use ledger::{
    Counted, LedgerState, MemoryLedger, SAME_WINDOW, StartLedger, StartWindow, WINDOW,
};
pub use limit::{
    ASSUMED_TOTAL, BudgetAlarm, BudgetError, BudgetSettings, Forecast, SessionStartLimit,
    default_reserve,
};

use crate::clock::Time;

/// The budget. One per engine, shared by all its shards.
pub struct Budget {
    settings: BudgetSettings,
    ledger: Arc<dyn StartLedger>,
    inner: Mutex<Inner>,
}

/// Whose IDENTIFY is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The shard's first.
    First,
    /// One after that: the session was lost, or never came.
    Again,
}

/// The budget's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Yes.
    Now,
    /// Not yet: ask again then, at most [`LEAVE_AGAIN`] away.
    Later(Time),
}

/// The session starts of a window, at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetWindow {
    /// How many there are.
    pub total: u32,
    /// How many are left, the reserve among them.
    pub remaining: u32,
    /// How long until all are there again; `None`: the window begins with the next IDENTIFY.
    pub resets_after: Option<Duration>,
}

/// The longest time after which a shard that waits for the budget asks again.
pub const LEAVE_AGAIN: Duration = Duration::from_secs(10);

/// The shares of the total, in per cent, of which an alarm tells that no more is left.
pub const ALARM_PERCENTS: [u32; 3] = [50, 25, 10];

impl Budget {
    /// A budget over a ledger. `limit` is what Discord said at `now`, if it was asked.
    pub fn new(
        settings: BudgetSettings,
        ledger: Arc<dyn StartLedger>,
        limit: Option<SessionStartLimit>,
        now: Time,
    ) -> Self {
        let inner = Inner { limit_total: limit.map(|limit| limit.total), ..Inner::default() };
        let budget = Self { settings, ledger, inner: Mutex::new(inner) };
        if let Some(limit) = limit {
            budget.refresh(limit, now);
        }
        budget
    }

    /// A budget of one process without a past, for tests and for gateways that are not Discord's.
    pub fn with_total(total: u32) -> Self {
        let settings = BudgetSettings { total: Some(total), ..BudgetSettings::default() };
        Self::new(settings, Arc::new(MemoryLedger::new()), None, Time::ZERO)
    }

    /// Discord was asked again, at `now`.
    pub fn refresh(&self, limit: SessionStartLimit, now: Time) {
        let mut inner = self.lock();
        inner.limit_total = Some(limit.total);
        let state = self.ledger.align(limit.used(), limit.reset_at(now), now);
        let rules = self.rules(&inner);
        inner.note(state, rules, now);
    }

    /// Whether so many shards may start; sets their first IDENTIFYs aside if so.
    ///
    /// # Errors
    /// [`BudgetError::TooFew`] if what is left above the reserve cannot cover them, and that is not
    /// overridden. Nothing is set aside then.
    pub fn check_start(
        &self,
        shards: u32,
        max_concurrency: u32,
        now: Time,
    ) -> Result<Forecast, BudgetError> {
        let mut inner = self.lock();
        let state = self.ledger.state(now);
        let rules = self.rules(&inner);
        inner.note(state, rules, now);
        let (total, reserve) = (rules.total, rules.reserve);
        let remaining = total.saturating_sub(state.counted).saturating_sub(inner.set_aside);
        let resets_after = state.resets_at.map(|at| at.since(now));
        if shards > remaining.saturating_sub(reserve) && !self.settings.override_refusal {
            let is_assumed = self.settings.total.or(inner.limit_total).is_none();
            let remaining = total.saturating_sub(state.counted);
            return Err(BudgetError::TooFew {
                shards,
                remaining,
                reserve,
                total,
                is_assumed,
                resets_after,
            });
        }
        inner.set_aside = inner.set_aside.saturating_add(shards);
        Ok(Forecast {
            shards,
            max_concurrency,
            takes: Forecast::span(shards, max_concurrency),
            remaining_after: remaining.saturating_sub(shards),
            total,
            resets_after,
        })
    }

    /// The start is over: what was set aside for it and not used is there for others. Without this
    /// it stays set aside for shards that may yet come.
    pub fn end_start(&self) {
        self.lock().set_aside = 0;
    }

    /// Whether an IDENTIFY could go now: asked before a connection is made for it. Counts nothing.
    pub fn leave(&self, start: Start, now: Time) -> Leave {
        let mut inner = self.lock();
        let state = self.ledger.state(now);
        let rules = self.rules(&inner);
        inner.note(state, rules, now);
        inner.leave(start, state, rules, now)
    }

    /// Counts an IDENTIFY that is about to be sent. After [`Leave::Now`] it is counted, whatever
    /// becomes of it; after [`Leave::Later`] nothing was, and it must not be sent.
    pub fn count(&self, start: Start, now: Time) -> Leave {
        let mut inner = self.lock();
        let state = self.ledger.state(now);
        let rules = self.rules(&inner);
        inner.note(state, rules, now);
        if let Leave::Later(at) = inner.leave(start, state, rules, now) {
            return Leave::Later(at);
        }
        match self.ledger.count(inner.ceiling(start, rules), now) {
            Counted::Yes(state) => {
                inner.counted(start, now);
                inner.note(state, rules, now);
                Leave::Now
            }
            Counted::Full(state) => {
                inner.note(state, rules, now);
                inner.stop_until_reset(state, rules, now)
            }
            Counted::Busy(at) => Leave::Later(at.clamp(now + BUSY_AGAIN_MIN, now + LEAVE_AGAIN)),
        }
    }

    /// How many IDENTIFYs are left in the window, the reserve among them.
    pub fn remaining(&self, now: Time) -> u32 {
        self.window(now).remaining
    }

    /// The window: its IDENTIFYs, how many of them are left (the reserve among them), its end.
    pub fn window(&self, now: Time) -> BudgetWindow {
        let inner = self.lock();
        let total = self.rules(&inner).total;
        let state = self.ledger.state(now);
        BudgetWindow {
            total,
            remaining: total.saturating_sub(state.counted),
            resets_after: state.resets_at.map(|at| at.since(now)),
        }
    }

    /// The next alarm, if there is one.
    pub fn poll_alarm(&self) -> Option<BudgetAlarm> {
        self.lock().alarms.pop_front()
    }

    /// Checks the budget's own rules, for tests and simulations.
    ///
    /// # Panics
    /// If one is broken: a mistake of the budget.
    pub fn invariants(&self) {
        let inner = self.lock();
        let rules = self.rules(&inner);
        assert!(rules.reserve <= rules.total && rules.first_max <= rules.total);
        assert!(inner.alarms.len() <= ALARMS_MAX, "bounded");
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Plain numbers: at worst an alarm is told twice.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self, inner: &Inner) -> Rules {
        let total = self.settings.total.or(inner.limit_total).unwrap_or(ASSUMED_TOTAL);
        let reserve = self.settings.reserve.unwrap_or(default_reserve(total)).min(total);
        let first_max = if self.settings.override_refusal { total } else { total - reserve };
        Rules { total, reserve, first_max }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Budget")
            .field("settings", &self.settings)
            .field("ledger", &self.ledger)
            .field("state", &*inner)
            .finish()
    }
}

/// The figures that hold at a moment.
#[derive(Clone, Copy, Debug)]
struct Rules {
    total: u32,
    reserve: u32,
    /// As many may be counted when a shard's first IDENTIFY goes.
    first_max: u32,
}

#[derive(Debug, Default)]
struct Inner {
    limit_total: Option<u32>,
    /// First IDENTIFYs that a check has granted and that are not yet counted.
    set_aside: u32,
    /// The ledger's count when it was last seen: it falls only as a window ends.
    seen: u32,
    /// IDENTIFYs for lost sessions in this window, and the last of them.
    again: u32,
    again_at: Time,
    /// Per alarm, whether this window has had it.
    told: [bool; ALARMS_MAX],
    alarms: VecDeque<BudgetAlarm>,
}

/// At most one of each kind waits: no window ends before somebody has read them, and if nobody
/// reads them nobody misses them.
const ALARMS_MAX: usize = ALARM_PERCENTS.len() + 3;
const SLOWED: usize = 3;
const RESERVE_REACHED: usize = 4;
const DEGRADED: usize = 5;

/// The shortest time after which a busy ledger is asked again.
const BUSY_AGAIN_MIN: Duration = Duration::from_millis(20);

impl Inner {
    /// The ledger was looked at: is it another window, and is there an alarm to raise?
    fn note(&mut self, state: LedgerState, rules: Rules, now: Time) {
        if state.counted < self.seen {
            self.again = 0;
            self.told = [false; ALARMS_MAX];
        }
        self.seen = state.counted;
        if state.is_degraded {
            self.raise(DEGRADED, BudgetAlarm::LedgerDegraded);
        }
        let remaining = rules.total.saturating_sub(state.counted);
        let resets_after = resets_after(state, now);
        let is_left = |percent: u32| {
            u64::from(remaining) * 100 <= u64::from(rules.total) * u64::from(percent)
        };
        let crossed = ALARM_PERCENTS.iter().rposition(|percent| is_left(*percent));
        if let Some(at) = crossed {
            let percent = ALARM_PERCENTS[at];
            let total = rules.total;
            self.raise(at, BudgetAlarm::Left { percent, remaining, total, resets_after });
            self.told[..at].fill(true);
        }
    }

    fn raise(&mut self, at: usize, alarm: BudgetAlarm) {
        if !std::mem::replace(&mut self.told[at], true) {
            if self.alarms.len() == ALARMS_MAX {
                self.alarms.pop_front();
            }
            self.alarms.push_back(alarm);
        }
    }

    /// Up to how many counted in the window such an IDENTIFY may go.
    fn ceiling(&self, start: Start, rules: Rules) -> u32 {
        match start {
            Start::First => rules.first_max,
            Start::Again => (rules.total - rules.reserve).saturating_sub(self.set_aside),
        }
    }

    fn leave(&mut self, start: Start, state: LedgerState, rules: Rules, now: Time) -> Leave {
        let left = self.ceiling(start, rules).saturating_sub(state.counted);
        if left == 0 {
            return self.stop_until_reset(state, rules, now);
        }
        if start == Start::First || self.again < left {
            return Leave::Now;
        }
        // Not faster than a whole window's share either, however near its end is: Discord's own
        // window may end at another moment.
        let steady = WINDOW / (rules.total - rules.reserve).max(1);
        let spacing = steady.max(resets_after(state, now) / left);
        let remaining = rules.total.saturating_sub(state.counted);
        self.raise(SLOWED, BudgetAlarm::Slowed { spacing, remaining });
        let at = self.again_at + spacing;
        if now >= at { Leave::Now } else { Leave::Later(at.min(now + LEAVE_AGAIN)) }
    }

    fn stop_until_reset(&mut self, state: LedgerState, rules: Rules, now: Time) -> Leave {
        let remaining = rules.total.saturating_sub(state.counted);
        let resets_after = resets_after(state, now);
        if remaining <= rules.reserve {
            self.raise(RESERVE_REACHED, BudgetAlarm::ReserveReached { remaining, resets_after });
        }
        Leave::Later(now + resets_after.clamp(BUSY_AGAIN_MIN, LEAVE_AGAIN))
    }

    fn counted(&mut self, start: Start, now: Time) {
        match start {
            Start::First => self.set_aside = self.set_aside.saturating_sub(1),
            Start::Again => {
                self.again += 1;
                self.again_at = now;
            }
        }
    }
}

/// A window that has not begun lasts from now on.
fn resets_after(state: LedgerState, now: Time) -> Duration {
    state.resets_at.map_or(WINDOW, |at| at.since(now))
}

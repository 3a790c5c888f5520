//! The plain values of the identify budget: Discord's limit, settings, forecast, refusal, alarms.
//!
//! Nothing here counts or decides. Made by `budget`, discovery and config, shown to users.

use std::fmt;
use std::time::Duration;

use crate::clock::Time;
use crate::shard::identify::TURN;

/// The session start limit, as `GET /gateway/bot` gives it (protocol section 7).
///
/// It was true when it was fetched: `reset_after` counts from then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStartLimit {
    /// IDENTIFYs that the bot may send in a window, over all its shards.
    pub total: u32,
    /// How many of them were left.
    pub remaining: u32,
    /// After how long the window ended: from then on `remaining` is `total`.
    pub reset_after: Duration,
    /// IDENTIFYs per five seconds, each of another key.
    pub max_concurrency: u32,
}

impl SessionStartLimit {
    /// IDENTIFYs spent in the window when this was fetched.
    pub const fn used(&self) -> u32 {
        self.total.saturating_sub(self.remaining)
    }

    /// When the window ends, of a limit that was fetched then.
    pub fn reset_at(&self, fetched_at: Time) -> Time {
        fetched_at + self.reset_after
    }

    /// What is left at `now` of a limit that was fetched then, if nobody has identified since.
    pub fn remaining_at(&self, fetched_at: Time, now: Time) -> u32 {
        if now >= self.reset_at(fetched_at) { self.total } else { self.remaining }
    }
}

/// What a user may set of the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetSettings {
    /// IDENTIFYs of a window, instead of what Discord said, or of [`ASSUMED_TOTAL`] if it was not
    /// asked. For gateways that are not Discord's: there [`u32::MAX`] switches the budget off.
    pub total: Option<u32>,
    /// How many IDENTIFYs of a window are kept back; `None`: [`default_reserve`]. It is not larger
    /// than the total.
    pub reserve: Option<u32>,
    /// A start goes ahead even if the shards need more than is left above the reserve. It may then
    /// use the reserve up, and never more than the total: what is above that waits for the reset.
    pub override_refusal: bool,
}

impl BudgetSettings {
    /// No budget: for gateways that are not Discord's.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { total: Some(u32::MAX), reserve: Some(0), ..Self::default() }
    }
}

/// The total if nobody has said one: what Discord documents for every bot that is not a large one
/// (protocol section 4). A large bot has more, and one that guesses low is told so at its start;
/// one that guesses high has its token reset.
pub const ASSUMED_TOTAL: u32 = 1000;

/// The reserve of a total: 5 % of it, at least 25 and at most a quarter.
///
/// It is for what this ledger cannot count: other machines of the same bot, a test run at a desk,
/// and the start of a person who mends an outage by hand. 5 % of the 1000 of a usual bot are 50;
/// 25 is what a bot of that size needs to be brought up once.
pub const fn default_reserve(total: u32) -> u32 {
    let share = total / 20;
    let at_least = if share > 25 { share } else { 25 };
    if at_least < total / 4 { at_least } else { total / 4 }
}

/// What a start will take. Its `Display` is a sentence to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Shards that will IDENTIFY.
    pub shards: u32,
    /// How many of them in parallel.
    pub max_concurrency: u32,
    /// How long until the last IDENTIFY, if nothing fails.
    pub takes: Duration,
    /// How many IDENTIFYs of the window will be left after it, the reserve among them.
    pub remaining_after: u32,
    /// IDENTIFYs of a window.
    pub total: u32,
    /// When the window ends, from now; `None`: it begins with the first IDENTIFY.
    pub resets_after: Option<Duration>,
}

impl Forecast {
    /// From the first IDENTIFY to the last: one turn of 5.25 s between those of a key.
    pub(crate) fn span(shards: u32, max_concurrency: u32) -> Duration {
        TURN * shards.div_ceil(max_concurrency.max(1)).saturating_sub(1)
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} at a time, which takes {}; then {} of {} session starts {} left",
            Grouped(self.shards),
            one_or(self.shards, "shard identifies", "shards identify"),
            self.max_concurrency,
            Span(self.takes),
            Grouped(self.remaining_after),
            Grouped(self.total),
            one_or(self.remaining_after, "is", "are"),
        )?;
        match self.resets_after {
            Some(resets_after) => write!(f, " for the next {}", Span(resets_after)),
            None => f.write_str(" for the day"),
        }
    }
}

/// Why a start is refused. The caller's to decide: nothing was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BudgetError {
    /// More shards than IDENTIFYs that are left above the reserve.
    TooFew {
        /// Shards that would IDENTIFY.
        shards: u32,
        /// IDENTIFYs left in the window, the reserve among them.
        remaining: u32,
        /// How many are kept back.
        reserve: u32,
        /// IDENTIFYs of a window.
        total: u32,
        /// Nobody has said that total: it is [`ASSUMED_TOTAL`].
        is_assumed: bool,
        /// When the window ends, from now; `None`: none has begun.
        resets_after: Option<Duration>,
    },
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::TooFew { shards, remaining, reserve, total, is_assumed, resets_after } = *self;
        let need =
            one_or(shards, "shard needs a session start", "shards need a session start each");
        write!(
            f,
            "{} {need}; {} of the day's {}{} {} left and {} {} kept in reserve: ",
            Grouped(shards),
            Grouped(remaining),
            Grouped(total),
            if is_assumed { " (the number that Discord documents)" } else { "" },
            one_or(remaining, "is", "are"),
            Grouped(reserve),
            one_or(reserve, "is", "are"),
        )?;
        match resets_after {
            Some(resets_after) => write!(f, "wait {} for the reset, ", Span(resets_after))?,
            None => f.write_str("start fewer shards, ")?,
        }
        if shards <= remaining {
            f.write_str("lower `BudgetSettings::reserve`, ")?;
        }
        if is_assumed {
            f.write_str("give the bot's true number as `BudgetSettings::total`, ")?;
        }
        f.write_str(
            "or set `BudgetSettings::override_refusal`; Discord resets the token of a bot that \
             goes over its limit",
        )
    }
}

impl std::error::Error for BudgetError {}

/// What the user should hear of the budget. Each once in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BudgetAlarm {
    /// At most so much of the window's session starts is left.
    Left {
        /// 50, 25 or 10 per cent.
        percent: u32,
        /// IDENTIFYs left, the reserve among them.
        remaining: u32,
        /// IDENTIFYs of a window.
        total: u32,
        /// When the window ends, from now.
        resets_after: Duration,
    },
    /// Shards that lost their session identify one by one from now on: half of what there was for
    /// them is spent.
    Slowed {
        /// The wait between two of them, as it stands now.
        spacing: Duration,
        /// IDENTIFYs left, the reserve among them.
        remaining: u32,
    },
    /// Only the reserve is left: no shard identifies before the window ends.
    ReserveReached {
        /// IDENTIFYs left: the reserve, or nothing if that was overridden.
        remaining: u32,
        /// When the window ends, from now.
        resets_after: Duration,
    },
    /// The ledger cannot reach what it shares with other processes, and counts for this one only.
    LedgerDegraded,
}

impl fmt::Display for BudgetAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Left { percent, remaining, total, resets_after } => write!(
                f,
                "at most {percent} % of the session starts are left: {} of {} for the next {}",
                Grouped(remaining),
                Grouped(total),
                Span(resets_after)
            ),
            Self::Slowed { spacing, remaining } => write!(
                f,
                "sessions are lost so often that new ones start only every {}: {} session {} left",
                Span(spacing),
                Grouped(remaining),
                one_or(remaining, "start is", "starts are"),
            ),
            Self::ReserveReached { remaining, resets_after } => write!(
                f,
                "no shard identifies for the next {}: {}",
                Span(resets_after),
                match remaining {
                    0 => "no session start is left".to_owned(),
                    1 => "1 session start is left, and kept in reserve".to_owned(),
                    more => {
                        format!("{} session starts are left, and kept in reserve", Grouped(more))
                    }
                }
            ),
            Self::LedgerDegraded => f.write_str(
                "the ledger of session starts cannot be reached: starts of other processes are not \
                 counted",
            ),
        }
    }
}

fn one_or(count: u32, one: &'static str, more: &'static str) -> &'static str {
    if count == 1 { one } else { more }
}

/// A number as people write it: 120,000.
struct Grouped(u32);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=999 => write!(f, "{}", self.0),
            number => write!(f, "{},{:03}", Self(number / 1000), number % 1000),
        }
    }
}

/// A duration as people say it.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_millis().div_ceil(1000) as u64;
        match secs {
            0..=119 => write!(f, "{secs} s"),
            120..=7199 => write!(f, "{} min", secs.div_ceil(60)),
            _ => write!(f, "{} h {} min", secs / 3600, secs % 3600 / 60),
        }
    }
}

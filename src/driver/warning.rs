//! What works, but not for long or not well: told, never acted upon.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::discovery::{Oddity, PlanWarning};
use crate::driver::book::Damaged;
use crate::shard::budget::BudgetAlarm;

/// Something that its user should know of. See [`Handle::warnings`](crate::Handle::warnings).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The number of shards: fewer than Discord recommends, or no multiple of it.
    Shards(PlanWarning),
    /// The day's session starts run low, or are used up.
    Budget(BudgetAlarm),
    /// A field of `GET /gateway/bot` was missing or absurd, and was replaced.
    Discovery(Oddity),
    /// The book of session starts is damaged, or fails. Told once for each time.
    Book {
        /// Where it is.
        path: PathBuf,
        /// What the file fails with: no shard identifies until it works again. `None`: the file
        /// was emptied, cut off or spoiled; its starts count as spent until the window ends or
        /// Discord says how many they are.
        trouble: Option<io::ErrorKind>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shards(warning) => warning.fmt(f),
            Self::Budget(alarm) => alarm.fmt(f),
            Self::Book { path, trouble: None } => Damaged(path).fmt(f),
            Self::Book { path, trouble: Some(kind) } => write!(
                f,
                "the book at {} fails ({kind}): no shard identifies until it works again",
                path.display()
            ),
            Self::Discovery(oddity) => match oddity.came {
                Some(came) => write!(
                    f,
                    "GET /gateway/bot: {} is {came}; taken as {}",
                    oddity.field, oddity.taken
                ),
                None => write!(
                    f,
                    "GET /gateway/bot: {} is missing; taken as {}",
                    oddity.field, oddity.taken
                ),
            },
        }
    }
}

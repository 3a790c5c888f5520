//! [`EventSet`]: kinds as bits. Made by users for their interest, read by the shard.

use super::EventKind;
use std::fmt;

/// A set of kinds.
///
/// ```
/// use shardring::model::{EventKind, EventSet};
///
/// const WANTED: EventSet = EventSet::of(&[EventKind::MessageCreate, EventKind::MessageDelete]);
/// assert!(WANTED.contains(EventKind::MessageCreate) && !WANTED.contains(EventKind::Ready));
/// assert_eq!(WANTED.iter().count(), 2);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EventSet(u128);

impl EventSet {
    /// No kind.
    pub const EMPTY: Self = Self(0);

    /// Every kind, [`EventKind::Unknown`] included.
    pub const ALL: Self = Self(u128::MAX >> (u128::BITS as usize - EventKind::COUNT));

    /// The kinds that have a type.
    pub const TYPED: Self = {
        let mut set = Self::EMPTY;
        let mut at = 0;
        while at < EventKind::COUNT {
            if EventKind::ALL[at].is_typed() {
                set = set.with(EventKind::ALL[at]);
            }
            at += 1;
        }
        set
    };

    /// These kinds.
    pub const fn of(kinds: &[EventKind]) -> Self {
        let mut set = Self::EMPTY;
        let mut at = 0;
        while at < kinds.len() {
            set = set.with(kinds[at]);
            at += 1;
        }
        set
    }

    /// This set and `kind`.
    pub const fn with(self, kind: EventKind) -> Self {
        Self(self.0 | 1 << kind.index())
    }

    /// This set without `kind`.
    pub const fn without(self, kind: EventKind) -> Self {
        Self(self.0 & !(1 << kind.index()))
    }

    /// The kinds of either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The kinds of both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `kind` is in it.
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & 1 << kind.index() != 0
    }

    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many kinds are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Its kinds, in the order of [`EventKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        EventKind::ALL.iter().copied().filter(move |&kind| self.contains(kind))
    }
}

impl<const N: usize> From<[EventKind; N]> for EventSet {
    fn from(kinds: [EventKind; N]) -> Self {
        Self::of(&kinds)
    }
}

impl FromIterator<EventKind> for EventSet {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for EventSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

const _: () = assert!(EventKind::COUNT <= u128::BITS as usize, "EventSet has a bit a kind");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_exactly_what_was_put_in() {
        for &kind in EventKind::ALL {
            let set = EventSet::EMPTY.with(kind);
            assert_eq!(set.iter().collect::<Vec<_>>(), [kind]);
            assert_eq!(EventSet::ALL.without(kind).len(), EventKind::COUNT - 1);
            assert!(EventSet::ALL.contains(kind));
        }
        assert_eq!(EventSet::TYPED, EventSet::ALL.without(EventKind::Unknown));
        assert!(!EventSet::TYPED.contains(EventKind::Unknown));
    }
}

//! What the handler wants to see, kind by kind. A table of answers, nothing else: what a [`Filter`]
//! asks of a text, `sift` answers.
//!
//! Invariant: each filter that is kept is that of a kind at least, so there are no more than kinds.

use std::fmt;

use super::filter::Filter;
use super::sift;
use crate::model::{EventKind, EventSet};

/// What the handler wants to see of a kind of event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Counted, never parsed. Costs the inflate and a scan of the envelope.
    Skip,
    /// Parsed into its typed value (or a JSON tree, where there is no type). No copy.
    #[default]
    Typed,
    /// The JSON text as it came, not parsed: for forwarding.
    Raw,
    /// Both: the typed value, and the text by [`Context::raw`](crate::Context::raw). The text is
    /// copied once before it is parsed, since parsing rewrites it, and checked to be UTF-8: some
    /// 0.5 µs for a payload of 1.2 KB (`whole/zlib_raw_and_typed` in `benches/receive.rs`).
    RawAndTyped,
}

/// What the handler wants to see, kind by kind. Fixed when the engine starts.
///
/// ```
/// use shardring::{Delivery, EventKind, Interest};
/// let interest = Interest::typed([EventKind::MessageCreate]).raw([EventKind::PresenceUpdate]);
/// assert_eq!(interest.delivery(EventKind::MessageCreate), Delivery::Typed);
/// assert_eq!(interest.delivery(EventKind::TypingStart), Delivery::Skip);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Interest {
    deliveries: [Delivery; EventKind::COUNT],
    filters: Vec<Filter>,
    /// Which of the filters is the kind's; [`NO_FILTER`] if it has none.
    filter_of: [u8; EventKind::COUNT],
    /// Kinds that lost a filter to a later one.
    replaced: EventSet,
}

impl Interest {
    /// The same for every kind, those that this version does not know included.
    pub const fn all(delivery: Delivery) -> Self {
        Self {
            deliveries: [delivery; EventKind::COUNT],
            filters: Vec::new(),
            filter_of: [NO_FILTER; EventKind::COUNT],
            replaced: EventSet::EMPTY,
        }
    }

    /// These kinds typed, all others skipped.
    pub fn typed(kinds: impl IntoIterator<Item = EventKind>) -> Self {
        Self::all(Delivery::Skip).with(kinds, Delivery::Typed)
    }

    /// These kinds as text.
    #[must_use]
    pub fn raw(self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.with(kinds, Delivery::Raw)
    }

    /// These kinds in this way; the rest stays as it was.
    #[must_use]
    pub fn with(mut self, kinds: impl IntoIterator<Item = EventKind>, delivery: Delivery) -> Self {
        for kind in kinds {
            self.deliveries[kind.index()] = delivery;
        }
        self
    }

    /// Of these kinds only the events that `filter` wants. How they are delivered stays as it was.
    /// Kinds without a key that the filter asks for are not filtered.
    ///
    /// A kind has one filter, that names all that shall hold. One that has another already is most
    /// likely a mistake, and [`ConfigBuilder::build`](crate::ConfigBuilder::build) refuses it; a
    /// filter is taken away first by one that asks for nothing, `only(kinds, Filter::new())`.
    ///
    /// Events that it does not want are counted
    /// ([`KindCounters::filtered`](crate::metrics::KindCounters::filtered)) and never parsed. Each
    /// costs a pass over its text beyond what a skipped kind costs.
    #[must_use]
    pub fn only(mut self, kinds: impl IntoIterator<Item = EventKind>, filter: Filter) -> Self {
        // At most one more than there are kinds.
        let index = self.filters.len() as u8;
        for kind in kinds {
            let concerned = sift::concerns(&filter, kind);
            let is_lost = self.filter_of(kind).is_some_and(|earlier| *earlier != filter);
            self.replaced = match is_lost {
                _ if filter == Filter::new() => self.replaced.without(kind),
                true => self.replaced.with(kind),
                false => self.replaced,
            };
            self.filter_of[kind.index()] = if concerned { index } else { NO_FILTER };
        }
        self.filters.push(filter);
        self.drop_unused()
    }

    /// Of every kind only the events that `filter` wants. As [`only`](Self::only), with every kind.
    #[must_use]
    pub fn filter(self, filter: Filter) -> Self {
        self.only(EventKind::ALL.iter().copied(), filter)
    }

    /// The filter of a kind: `None` if it has none, or none that asks for a key of the kind.
    pub fn filter_of(&self, kind: EventKind) -> Option<&Filter> {
        self.filters.get(usize::from(self.filter_of[kind.index()]))
    }

    /// Whether an event of `kind` whose payload is `text` (the whole of it, with its envelope) is
    /// delivered: the kind is not skipped, and its filter is not sure that it is not wanted.
    ///
    /// What the engine asks; for tests of your own filters. READY is seen by the shard in any case.
    pub fn admits(&self, kind: EventKind, text: &[u8]) -> bool {
        self.delivery(kind) != Delivery::Skip && !self.holds_back(kind, text)
    }

    /// The kind's filter does not want the event.
    #[inline]
    pub(crate) fn holds_back(&self, kind: EventKind, text: &[u8]) -> bool {
        self.filter_of(kind).is_some_and(|filter| sift::holds_back(filter, kind, text))
    }

    /// The rule that one of the filters breaks.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(kind) = self.replaced.iter().next() {
            return Err(format!(
                "a filter of {kind} replaced by another: put both into one, or take the first \
                 away by an empty one"
            ));
        }
        let named = |rule| format!("a filter with {rule}");
        self.filters.iter().try_for_each(|filter| filter.check().map_err(named))
    }

    /// Drops filters that no kind has any more.
    fn drop_unused(mut self) -> Self {
        let mut kept = 0;
        for index in 0..self.filters.len() {
            let number = index as u8;
            if self.filter_of.contains(&number) {
                self.filters.swap(kept, index);
                self.filter_of.iter_mut().filter(|of| **of == number).for_each(|of| {
                    *of = kept as u8;
                });
                kept += 1;
            }
        }
        self.filters.truncate(kept);
        self
    }

    /// How a kind is delivered.
    pub fn delivery(&self, kind: EventKind) -> Delivery {
        self.deliveries[kind.index()]
    }

    /// The kinds that are not skipped.
    pub fn kinds(&self) -> EventSet {
        EventKind::ALL
            .iter()
            .copied()
            .filter(|kind| self.delivery(*kind) != Delivery::Skip)
            .collect()
    }
}

impl Default for Interest {
    /// Everything, typed.
    fn default() -> Self {
        Self::all(Delivery::Typed)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = |kind: &EventKind| (*kind, (self.delivery(*kind), self.filter_of(*kind)));
        f.debug_map().entries(EventKind::ALL.iter().map(entry)).finish()
    }
}

/// No filter has this number.
const NO_FILTER: u8 = u8::MAX;

const _: () = assert!(EventKind::COUNT < NO_FILTER as usize, "a filter for each kind, and one");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GuildId;

    #[test]
    fn a_kind_has_the_filter_that_came_last_and_none_is_kept_for_nothing() {
        let of = |id: u64| Filter::new().guilds([GuildId::new(id)]);
        let mut interest = Interest::default();
        for round in 0..10 {
            for kind in EventKind::ALL {
                let id = round + kind.index() as u64;
                interest = interest.only([*kind], of(id));
                assert!(interest.filters.len() <= EventKind::COUNT);
                let has_guild = !crate::config::filter::guild_key(*kind).is_empty();
                assert_eq!(interest.filter_of(*kind), has_guild.then(|| of(id)).as_ref());
            }
        }
        assert_eq!(interest.filter_of(EventKind::GuildCreate).map(|f| f.check()), Some(Ok(())));
        assert_eq!(interest.filter_of(EventKind::Ready), None);
        interest = interest.only([EventKind::MessageCreate], Filter::new());
        assert_eq!(interest.filter_of(EventKind::MessageCreate), None);
        let interest = interest.filter(Filter::new()).filter(of(1));
        assert_eq!(interest.filters, [of(1)]);
        assert_eq!(interest, Interest::default().filter(of(1)));
    }
}

//! What the handler wants to see, kind by kind. A table of answers, nothing else.

use std::fmt;

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
pub struct Interest([Delivery; EventKind::COUNT]);

impl Interest {
    /// The same for every kind, those that this version does not know included.
    pub const fn all(delivery: Delivery) -> Self {
        Self([delivery; EventKind::COUNT])
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
            self.0[kind.index()] = delivery;
        }
        self
    }

    /// How a kind is delivered.
    pub fn delivery(&self, kind: EventKind) -> Delivery {
        self.0[kind.index()]
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
        f.debug_map()
            .entries(EventKind::ALL.iter().map(|kind| (kind, self.delivery(*kind))))
            .finish()
    }
}

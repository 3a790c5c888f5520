//! Acknowledgements that a handler has put off: which events of a shard are still open, and when
//! there are so many that the shard has to wait.
//!
//! Sans-io. The window (`Acks`) belongs to the shard's core; an [`Ack`] may go to any thread, and
//! to acknowledge is one atomic operation on the slot of its event. Only the acknowledgement that a
//! waiting shard has asked for wakes it (`AckWake`), so that a hundred of them are one call to
//! the core. A shard whose handler puts nothing off pays one comparison an event.
//!
//! The window is a span of events, not a count of open ones: it begins with the oldest that is
//! open. So what it holds is bounded, and `Acks::acknowledged` names a number up to which nothing
//! is missing.
//!
//! Invariants: at most `open_max` events from the oldest open one to the newest; a shard that is
//! full has asked for one acknowledgement of an event that is open. Filled by the handler's
//! context, judged by the spine after each event and when it is woken.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::clock::Time;
use crate::shard::handler::Context;
use crate::shard::id::ShardId;

/// The promise to acknowledge one event: from [`Context::defer_ack`].
///
/// Send it along with what you made of the event, to a task or a thread, and
/// [acknowledge](Self::ack) when that is done. Dropped without that, the event counts as given up:
/// [`Link::AcksDropped`](crate::Link::AcksDropped) names it, and the window goes on.
#[must_use = "dropped unacknowledged, it raises an alarm"]
pub struct Ack {
    /// `None`: it was acknowledged, or stands for nothing.
    flight: Option<Arc<Flight>>,
    slot: u32,
    sequence: Option<u64>,
}

impl Ack {
    /// The event is dealt with. From any thread; never blocks, but for a moment where it is the one
    /// that a waiting shard has asked for.
    pub fn ack(mut self) {
        if let Some(flight) = self.flight.take() {
            flight.done(self.slot);
        }
    }

    /// The event's sequence number, if it had one.
    pub fn sequence(&self) -> Option<u64> {
        self.sequence
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            flight.give_up(self.slot);
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// Puts off the acknowledgement of this event: it then counts as delivered when
    /// [`Ack::ack`] is called, and not when this call of the handler returns.
    ///
    /// At most [`Limits::open_acks_max`](crate::Limits::open_acks_max) events of a shard, counted
    /// from the oldest open one, may lie before it; then the shard waits. Its socket is not read,
    /// so TCP pushes back at the gateway; its heartbeats go on and its silence does not count
    /// against it. It goes on when half of the window is free. An event whose acknowledgement stays
    /// out keeps its place, whatever was acknowledged behind it.
    ///
    /// Called again for the same event it gives another [`Ack`]; the event is open until all of
    /// them are acknowledged. In [`on_link`](crate::Handler::on_link) there is no event, and the
    /// `Ack` stands for nothing.
    ///
    /// What it means for what comes after a reconnect: RESUME goes on from the last event
    /// *received*, since what is open here will still be dealt with, and would else be delivered
    /// twice. Up to where all is acknowledged,
    /// [`ShardStatus::acknowledged`](crate::ShardStatus::acknowledged) tells: that is the number
    /// for a process that takes the session over from one that is gone.
    pub fn defer_ack(&mut self) -> Ack {
        let (shard, now, sequence) = (self.shard(), self.now, self.sequence);
        let settings = &self.effects.acks;
        self.session.acks.defer(shard, now, sequence, &mut self.ack_slot, settings)
    }
}

/// Wakes a shard's core: called with the shard's number, from whatever thread acknowledged.
pub(crate) type AckWake = Arc<dyn Fn(u32) + Send + Sync>;

/// What the windows of a core's shards are made with.
#[derive(Clone)]
pub(crate) struct AckSettings {
    pub(crate) open_max: u32,
    pub(crate) wake: AckWake,
}

impl Default for AckSettings {
    fn default() -> Self {
        Self { open_max: OPEN_ACKS_MAX, wake: Arc::new(|_| {}) }
    }
}

/// The default of [`Limits::open_acks_max`](crate::Limits::open_acks_max).
pub const OPEN_ACKS_MAX: u32 = 256;

/// Where the event of a call stands in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AckSlot {
    /// There is no event.
    #[default]
    None,
    /// Its acknowledgement was not put off yet.
    Free,
    /// It has this slot.
    Taken(u32),
}

/// Events whose acknowledgements were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DroppedAcks {
    pub(crate) first_seq: Option<u64>,
    pub(crate) last_seq: Option<u64>,
    pub(crate) count: u32,
}

/// The open acknowledgements of one shard; nothing as long as its handler puts none off.
#[derive(Debug, Default)]
pub(crate) struct Acks(Option<Box<Window>>);

#[derive(Debug)]
struct Window {
    flight: Arc<Flight>,
    /// From the oldest open event to the newest that was put off.
    entries: VecDeque<Entry>,
    /// The slot of the first.
    head: u32,
    /// The shard waits.
    full: bool,
    /// Changes with every session: numbers of another one say nothing of this one.
    epoch: u32,
    /// Found, and not told yet.
    dropped: Option<DroppedAcks>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sequence: Option<u64>,
    at: Time,
    epoch: u32,
}

impl Acks {
    pub(crate) fn defer(
        &mut self,
        shard: ShardId,
        now: Time,
        sequence: Option<u64>,
        place: &mut AckSlot,
        settings: &AckSettings,
    ) -> Ack {
        let nothing = Ack { flight: None, slot: 0, sequence };
        let window = match place {
            AckSlot::None => return nothing,
            _ => self.0.get_or_insert_with(|| Box::new(Window::new(shard, settings))),
        };
        let slot = match *place {
            AckSlot::Taken(slot) => slot,
            _ => match window.open(Entry { sequence, at: now, epoch: window.epoch }) {
                Some(slot) => slot,
                // Only a gateway that sends dispatches before it was identified to comes here.
                None => return nothing,
            },
        };
        *place = AckSlot::Taken(slot);
        window.flight.slots[slot as usize].fetch_add(1, Ordering::Relaxed);
        Ack { flight: Some(Arc::clone(&window.flight)), slot, sequence }
    }

    /// After an event: looks whether the shard has to wait. Gives what was found to be dropped.
    pub(crate) fn judge(&mut self) -> Option<DroppedAcks> {
        let window = self.0.as_mut()?;
        window.judge();
        window.dropped.take()
    }

    /// The shard was woken: looks whether it may go on, and for what was dropped.
    pub(crate) fn woken(&mut self) -> Option<DroppedAcks> {
        let window = self.0.as_mut()?;
        if window.flight.alarmed.swap(false, Ordering::SeqCst) {
            window.find_dropped();
        }
        window.judge();
        window.dropped.take()
    }

    /// The shard has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.0.as_ref().is_some_and(|window| window.full)
    }

    /// Nothing was ever put off.
    pub(crate) fn is_unused(&self) -> bool {
        self.0.is_none()
    }

    /// A new session numbers anew.
    pub(crate) fn begin_session(&mut self) {
        if let Some(window) = &mut self.0 {
            window.epoch = window.epoch.wrapping_add(1);
        }
    }

    /// The number up to which this session's events are acknowledged; `received` is the last.
    pub(crate) fn acknowledged(&self, received: Option<u64>) -> Option<u64> {
        let Some(window) = &self.0 else { return received };
        let of_session = |entry: &&Entry| entry.epoch == window.epoch;
        let open = window.open_entries().filter(of_session).find_map(|entry| entry.sequence);
        open.map_or(received, |sequence| Some(sequence.saturating_sub(1)))
    }

    /// How many events are open, and how old the oldest is.
    pub(crate) fn open(&self, now: Time) -> (usize, Option<Duration>) {
        let Some(window) = &self.0 else { return (0, None) };
        let oldest = window.open_entries().next().map(|entry| now.since(entry.at));
        (window.open_entries().count(), oldest)
    }

    /// Checks the window's own rules.
    ///
    /// # Panics
    /// If one is broken: a mistake of the window.
    pub(crate) fn invariants(&self) {
        let Some(window) = &self.0 else { return };
        assert!(window.entries.len() <= window.flight.slots.len(), "bounded");
        let asked = window.flight.armed.load(Ordering::SeqCst) != 0;
        assert!(window.full || !asked, "only who waits has asked");
    }
}

impl Window {
    fn new(shard: ShardId, settings: &AckSettings) -> Self {
        let slots = (0..settings.open_max.max(1)).map(|_| AtomicU32::new(0)).collect();
        let flight = Flight {
            slots,
            armed: AtomicU32::new(0),
            alarmed: AtomicBool::new(false),
            shard: shard.id,
            wake: Arc::clone(&settings.wake),
        };
        Self {
            flight: Arc::new(flight),
            entries: VecDeque::new(),
            head: 0,
            full: false,
            epoch: 0,
            dropped: None,
        }
    }

    /// Gives the event a slot, with nothing open in it yet.
    fn open(&mut self, entry: Entry) -> Option<u32> {
        self.sweep();
        if self.entries.len() >= self.flight.slots.len() {
            return None;
        }
        let slot = self.slot(self.entries.len());
        self.entries.push_back(entry);
        Some(slot)
    }

    /// The slot of an entry.
    fn slot(&self, at: usize) -> u32 {
        ((self.head as usize + at) % self.flight.slots.len()) as u32
    }

    fn is_open(&self, at: usize) -> bool {
        self.flight.slots[self.slot(at) as usize].load(Ordering::SeqCst) & COUNT != 0
    }

    fn open_entries(&self) -> impl Iterator<Item = &Entry> {
        let open = |(at, _): &(usize, &Entry)| self.is_open(*at);
        self.entries.iter().enumerate().filter(open).map(|(_, entry)| entry)
    }

    /// Forgets what is done at the front.
    fn sweep(&mut self) {
        while !self.entries.is_empty() && !self.is_open(0) {
            let Some(entry) = self.entries.pop_front() else { return };
            let value = self.flight.slots[self.head as usize].swap(0, Ordering::SeqCst);
            self.head = (self.head + 1) % self.flight.slots.len() as u32;
            if value & DROPPED != 0 {
                self.note_dropped(entry);
            }
        }
    }

    fn judge(&mut self) {
        self.sweep();
        let len_max = self.flight.slots.len();
        self.full |= self.entries.len() >= len_max;
        while self.full {
            // To go on, so many at the front must be done: asks for the last of them.
            let needed = self.entries.len().saturating_sub(len_max / 2);
            match (0..needed).rev().find(|at| self.is_open(*at)) {
                Some(at) => {
                    self.flight.armed.store(self.slot(at) + 1, Ordering::SeqCst);
                    if self.is_open(at) {
                        return; // Whoever acknowledges it from now on sees what is asked.
                    }
                }
                None => {
                    self.flight.armed.store(0, Ordering::SeqCst);
                    self.full = false;
                    self.sweep();
                }
            }
        }
    }

    fn find_dropped(&mut self) {
        for at in 0..self.entries.len() {
            let slot = &self.flight.slots[self.slot(at) as usize];
            if slot.fetch_and(!DROPPED, Ordering::SeqCst) & DROPPED != 0 {
                self.note_dropped(self.entries[at]);
            }
        }
    }

    fn note_dropped(&mut self, entry: Entry) {
        let one = DroppedAcks { first_seq: entry.sequence, last_seq: entry.sequence, count: 0 };
        let dropped = self.dropped.get_or_insert(one);
        dropped.first_seq = dropped.first_seq.or(entry.sequence);
        dropped.last_seq = entry.sequence.or(dropped.last_seq);
        dropped.count += 1;
    }
}

/// What the window and the acknowledgements on their way share.
struct Flight {
    /// Of each event: how many of its acknowledgements are out, and whether one was dropped.
    slots: Box<[AtomicU32]>,
    /// The slot whose acknowledgement the shard waits for, plus 1; 0: none.
    armed: AtomicU32,
    /// One was dropped, and the core was told.
    alarmed: AtomicBool,
    shard: u32,
    wake: AckWake,
}

const _: () = assert!(size_of::<Acks>() == size_of::<usize>(), "every shard has one");

/// The bits of a slot that count.
const COUNT: u32 = !DROPPED;
/// An acknowledgement of this slot's event was dropped.
const DROPPED: u32 = 1 << 31;

impl Flight {
    /// One more acknowledgement of this slot has come. The slot is written before `armed` is read,
    /// and the window writes `armed` before it reads the slot: one of the two sees the other.
    fn done(&self, slot: u32) {
        let before = self.slots[slot as usize].fetch_sub(1, Ordering::SeqCst);
        let is_asked = || self.armed.load(Ordering::SeqCst) == slot + 1;
        if before & COUNT == 1 && is_asked() {
            let taken =
                self.armed.compare_exchange(slot + 1, 0, Ordering::SeqCst, Ordering::SeqCst);
            if taken.is_ok() {
                (self.wake)(self.shard);
            }
        }
    }

    #[cold]
    fn give_up(&self, slot: u32) {
        self.slots[slot as usize].fetch_or(DROPPED, Ordering::SeqCst);
        self.done(slot);
        if !self.alarmed.swap(true, Ordering::SeqCst) {
            (self.wake)(self.shard);
        }
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("shard", &self.shard).finish_non_exhaustive()
    }
}

impl fmt::Debug for AckSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckSettings").field("open_max", &self.open_max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Rng;

    struct Desk {
        acks: Acks,
        settings: AckSettings,
        wakes: Arc<AtomicU32>,
        next: u64,
    }

    impl Desk {
        fn new(open_max: u32) -> Self {
            let wakes = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&wakes);
            let wake = Arc::new(move |shard| {
                assert_eq!(shard, 5);
                counted.fetch_add(1, Ordering::SeqCst);
            });
            Self { acks: Acks::default(), settings: AckSettings { open_max, wake }, wakes, next: 1 }
        }

        /// One more event, put off.
        fn event(&mut self) -> Ack {
            let (place, sequence) = (&mut AckSlot::Free, Some(self.next));
            self.next += 1;
            let now = Time::ZERO + Duration::from_secs(self.next);
            let ack = self.acks.defer(ShardId::new(5, 9), now, sequence, place, &self.settings);
            assert_eq!(self.acks.judge(), None);
            self.acks.invariants();
            ack
        }

        fn wakes(&self) -> u32 {
            self.wakes.swap(0, Ordering::SeqCst)
        }
    }

    #[test]
    fn a_full_window_holds_until_half_of_it_is_free_and_wakes_once() {
        let mut desk = Desk::new(8);
        let mut open: VecDeque<Ack> = (0..8).map(|_| desk.event()).collect();
        assert!(desk.acks.is_full());
        for left in (4..8).rev() {
            open.pop_front().unwrap().ack();
            assert_eq!(desk.wakes(), u32::from(left == 4), "{left} are open");
            if left > 4 {
                desk.acks.judge();
                assert!(desk.acks.is_full());
            }
        }
        assert_eq!(desk.acks.judge(), None);
        assert!(!desk.acks.is_full());
        assert_eq!(desk.acks.acknowledged(Some(8)), Some(4));
        open.into_iter().for_each(Ack::ack);
        assert_eq!(desk.acks.acknowledged(Some(8)), Some(8));
        assert_eq!((desk.wakes(), desk.acks.open(Time::ZERO)), (0, (0, None)));
    }

    #[test]
    fn what_was_acknowledged_behind_an_open_event_waits_for_it() {
        let mut desk = Desk::new(4);
        let first = desk.event();
        (0..3).for_each(|_| desk.event().ack());
        assert!(desk.acks.is_full(), "the span counts");
        assert_eq!(desk.acks.acknowledged(Some(4)), Some(0));
        let now = Time::ZERO + Duration::from_secs(12);
        assert_eq!(desk.acks.open(now), (1, Some(Duration::from_secs(10))));
        first.ack();
        assert_eq!(desk.wakes(), 1);
        desk.acks.judge();
        assert!(!desk.acks.is_full());
        assert_eq!(desk.acks.acknowledged(Some(4)), Some(4));
    }

    #[test]
    fn an_event_with_two_acknowledgements_is_open_until_both_have_come() {
        let mut desk = Desk::new(4);
        let mut place = AckSlot::Free;
        let mut defer = || {
            let (shard, sequence) = (ShardId::new(5, 9), Some(7));
            desk.acks.defer(shard, Time::ZERO, sequence, &mut place, &desk.settings)
        };
        let (one, other) = (defer(), defer());
        one.ack();
        assert_eq!(desk.acks.acknowledged(Some(7)), Some(6));
        other.ack();
        assert_eq!(desk.acks.acknowledged(Some(7)), Some(7));
    }

    #[test]
    fn what_is_dropped_is_told_once_by_its_numbers_and_the_window_goes_on() {
        let mut desk = Desk::new(4);
        let first = desk.event();
        drop(desk.event_unjudged());
        drop(desk.event_unjudged());
        assert_eq!(desk.wakes(), 1, "the core is told at once, and once");
        let told = desk.acks.woken().unwrap();
        assert_eq!(told, DroppedAcks { first_seq: Some(2), last_seq: Some(3), count: 2 });
        assert_eq!(desk.acks.woken(), None);
        first.ack();
        assert_eq!(desk.acks.woken(), None, "told already");
        assert_eq!(desk.acks.acknowledged(Some(3)), Some(3));
        let mut last: Vec<Ack> = (0..4).map(|_| desk.event()).collect();
        assert!(desk.acks.is_full());
        last.drain(..).for_each(drop);
        assert_eq!(desk.acks.woken().map(|told| told.count), Some(4));
        assert!(!desk.acks.is_full());
    }

    impl Desk {
        fn event_unjudged(&mut self) -> Ack {
            let sequence = Some(self.next);
            self.next += 1;
            let (shard, place) = (ShardId::new(5, 9), &mut AckSlot::Free);
            self.acks.defer(shard, Time::ZERO, sequence, place, &self.settings)
        }
    }

    #[test]
    fn numbers_of_an_older_session_say_nothing_of_the_new_one() {
        let mut desk = Desk::new(4);
        let old = desk.event();
        desk.acks.begin_session();
        assert_eq!(desk.acks.acknowledged(Some(1)), Some(1));
        desk.next = 2;
        let new = desk.event();
        assert_eq!(desk.acks.acknowledged(Some(2)), Some(1));
        new.ack();
        assert_eq!(desk.acks.acknowledged(Some(2)), Some(2));
        assert_eq!(desk.acks.open(Time::ZERO).0, 1, "it keeps its place");
        old.ack();
        assert_eq!(desk.acks.open(Time::ZERO).0, 0);
    }

    #[test]
    fn outside_of_an_event_there_is_nothing_to_acknowledge() {
        let mut desk = Desk::new(1);
        let (shard, place) = (ShardId::new(5, 9), &mut AckSlot::None);
        drop(desk.acks.defer(shard, Time::ZERO, None, place, &desk.settings));
        assert!(desk.acks.is_unused() && desk.wakes() == 0);
    }

    #[test]
    fn in_whatever_order_they_come_a_shard_that_waits_is_woken_before_they_run_out() {
        for seed in 0..500 {
            let mut rng = Rng::new(seed);
            let open_max = 1 + (seed % 13) as u32;
            let mut desk = Desk::new(open_max);
            let mut open: Vec<Ack> = Vec::new();
            let (mut received, mut woken) = (0, 0);
            while received < 200 || !open.is_empty() {
                if desk.acks.is_full() || received == 200 || rng.next_u64().is_multiple_of(3) {
                    let full = desk.acks.is_full();
                    assert!(!open.is_empty() || !full, "seed {seed}: it waits for nobody");
                    if open.is_empty() {
                        continue;
                    }
                    let at = rng.next_u64() as usize % open.len();
                    open.swap_remove(at).ack();
                    let wakes = desk.wakes();
                    assert!(wakes <= 1 && (full || wakes == 0), "seed {seed}");
                    if wakes == 1 {
                        woken += 1;
                        assert_eq!(desk.acks.woken(), None);
                    }
                } else {
                    open.push(desk.event());
                    received += 1;
                }
                desk.acks.invariants();
                assert!(open.len() <= open_max as usize, "seed {seed}: bounded");
            }
            assert_eq!(desk.acks.acknowledged(Some(200)), Some(200));
            assert!(woken > 0, "seed {seed}: it never had to wait");
        }
    }
}

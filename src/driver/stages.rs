//! Who waits for a shard, or for all of them, to reach a stage; and what a user orders of a shard.
//!
//! Each core keeps the waiters of its own shards ([`Waiters`]) and looks at them when a shard's
//! stage has changed, never per event. A waiter learns at once if its shard cannot get there by
//! itself. Invariant: at most [`WAITERS_MAX`] wait on a core. The part with the orders belongs to
//! [`Core`].

use std::sync::{Arc, Mutex, PoisonError};

use crate::driver::core::Core;
use crate::driver::mailbox::Stop;
use crate::driver::receipt::{Giver, Receipt, receipt};
use crate::error::{Error, ErrorKind};
use crate::shard::handler::Handler;
use crate::shard::session::LifeOrder;
use crate::shard::stage::Stage;

/// Receipts for stages that may be open on a core.
pub(crate) const WAITERS_MAX: usize = 1024;

/// Where a shard stands, for those who wait.
#[derive(Debug)]
pub(crate) enum Standing {
    /// At this stage, and on its way.
    At(Stage),
    /// Stopped until its user starts it.
    Down(Error),
    /// Stopped for good.
    Over(Error),
}

/// Who waits on a core.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<Waiter>);

#[derive(Debug)]
struct Waiter {
    stage: Stage,
    /// The shards that have not got there, by their place on the core, ascending.
    pending: Vec<u32>,
    /// It asked for one shard: one that is down fails it. Who waits for all waits for the others.
    one: bool,
    part: Part,
}

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Somebody waits for one shard.
    pub(crate) fn add_one(&mut self, local: u32, now: Standing, stage: Stage, part: Part) {
        self.add([(local, now)], stage, true, part);
    }

    /// Somebody waits for all: each is to get there once from now on, and those that their user
    /// has taken down are left out.
    pub(crate) fn add_all(
        &mut self,
        shards: impl IntoIterator<Item = (u32, Standing)>,
        stage: Stage,
        part: Part,
    ) {
        self.add(shards, stage, false, part);
    }

    fn add(
        &mut self,
        shards: impl IntoIterator<Item = (u32, Standing)>,
        stage: Stage,
        one: bool,
        part: Part,
    ) {
        let mut pending = Vec::new();
        for (local, standing) in shards {
            match judge(stage, &standing, one) {
                Judged::Pending => pending.push(local),
                Judged::Done => {}
                Judged::Failed(error) => return part.give(Err(error)),
            }
        }
        if pending.is_empty() {
            return part.give(Ok(()));
        }
        if self.0.len() >= WAITERS_MAX {
            self.0.retain(|waiter| waiter.part.is_awaited());
        }
        if self.0.len() >= WAITERS_MAX {
            let detail = format!("{WAITERS_MAX} receipts for stages are open on this core");
            return part.give(Err(Error::new(ErrorKind::Full, detail)));
        }
        self.0.push(Waiter { stage, pending, one, part });
    }

    /// A shard's standing has changed.
    pub(crate) fn moved(&mut self, local: u32, standing: &Standing) {
        let mut at = 0;
        while let Some(waiter) = self.0.get_mut(at) {
            let Ok(place) = waiter.pending.binary_search(&local) else {
                at += 1;
                continue;
            };
            let end = match judge(waiter.stage, standing, waiter.one) {
                Judged::Pending => None,
                Judged::Failed(error) => Some(Err(error)),
                Judged::Done => {
                    waiter.pending.remove(place);
                    waiter.pending.is_empty().then_some(Ok(()))
                }
            };
            match end {
                Some(result) => self.0.swap_remove(at).part.give(result),
                None => at += 1,
            }
        }
    }

    /// A shard that was to go down was started again.
    fn started_again(&mut self, local: u32, shard: u32) {
        let waits = |waiter: &Waiter| {
            waiter.one && waiter.stage == Stage::Stopped && waiter.pending == [local]
        };
        for waiter in self.0.extract_if(.., |waiter| waits(waiter)) {
            let detail = format!("shard {shard} was started again before it was down");
            waiter.part.give(Err(Error::new(ErrorKind::Dropped, detail)));
        }
    }
}

enum Judged {
    Pending,
    Done,
    Failed(Error),
}

fn judge(stage: Stage, standing: &Standing, one: bool) -> Judged {
    match standing {
        Standing::At(at) if stage.is_reached(*at) => Judged::Done,
        Standing::At(_) => Judged::Pending,
        Standing::Down(_) | Standing::Over(_) if stage == Stage::Stopped => Judged::Done,
        Standing::Down(_) if !one => Judged::Done,
        Standing::Down(error) | Standing::Over(error) => Judged::Failed(error.clone()),
    }
}

/// A core's part in a receipt that several cores give together: resolved when each has given its
/// part, failed by the first that fails or ends without one.
#[derive(Debug)]
pub(crate) struct Part(Option<Arc<Mutex<Joint>>>);

#[derive(Debug)]
struct Joint {
    missing: usize,
    giver: Option<Giver<()>>,
}

impl Part {
    /// The parts of one receipt.
    pub(crate) fn split(parts: usize) -> (Vec<Self>, Receipt<()>) {
        let (giver, receipt) = receipt();
        (Self::of(parts, giver), receipt)
    }

    /// The whole of a receipt.
    pub(crate) fn whole(giver: Giver<()>) -> Self {
        Self(Some(Arc::new(Mutex::new(Joint { missing: 1, giver: Some(giver) }))))
    }

    fn of(parts: usize, giver: Giver<()>) -> Vec<Self> {
        let joint = Arc::new(Mutex::new(Joint { missing: parts, giver: Some(giver) }));
        (0..parts).map(|_| Self(Some(Arc::clone(&joint)))).collect()
    }

    pub(crate) fn give(mut self, result: Result<(), Error>) {
        self.give_once(|| result);
    }

    fn give_once(&mut self, result: impl FnOnce() -> Result<(), Error>) {
        let Some(joint) = self.0.take() else { return };
        let mut joint = joint.lock().unwrap_or_else(PoisonError::into_inner);
        joint.missing = joint.missing.saturating_sub(1);
        let result = result();
        let is_last = joint.missing == 0 || result.is_err();
        if let Some(giver) = joint.giver.take_if(|_| is_last) {
            drop(joint); // Whoever is woken by it may be quick.
            giver.give(result);
        }
    }

    /// Somebody still has the receipt.
    fn is_awaited(&self) -> bool {
        let Some(joint) = &self.0 else { return false };
        let joint = joint.lock().unwrap_or_else(PoisonError::into_inner);
        joint.giver.as_ref().is_some_and(Giver::is_awaited)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.give_once(|| {
            Err(Error::new(ErrorKind::Stopped, "the engine ended before it could answer"))
        });
    }
}

impl<H: Handler> Core<H> {
    /// Tells those who wait where a shard stands now.
    #[cold]
    pub(super) fn stage_changed(&mut self, local: u32) {
        let slot = &mut self.shards[local as usize];
        let stage = slot.shard.stage();
        let was = std::mem::replace(&mut slot.stage, stage);
        self.shared.stage_changed(was, stage);
        if slot.shard.is_down() && !std::mem::replace(&mut slot.told_ready, true) {
            // Who waits for all to be ready does not wait for this one.
            self.shared.shard_ready();
        }
        if !self.waiters.is_empty() {
            let standing = self.standing(local);
            self.waiters.moved(local, &standing);
        }
    }

    fn standing(&self, local: u32) -> Standing {
        let shard = &self.shards[local as usize].shard;
        match shard.obstacle() {
            // What is going down is not there yet.
            Some(error) if shard.stage() == Stage::Stopped || !shard.is_down() => {
                if shard.is_down() { Standing::Down(error) } else { Standing::Over(error) }
            }
            Some(_) | None => Standing::At(shard.stage()),
        }
    }

    /// Somebody waits for a shard, or for all of this core.
    pub(super) fn await_stage(&mut self, shard: Option<u32>, stage: Stage, part: Part) {
        match shard {
            None => {
                let shards = (0..self.shards.len() as u32).map(|at| (at, self.standing(at)));
                self.waiters.add_all(shards.collect::<Vec<_>>(), stage, part);
            }
            Some(shard) => match self.local(shard) {
                Some(local) => {
                    let standing = self.standing(local);
                    self.waiters.add_one(local, standing, stage, part);
                }
                None => part.give(Err(no_such_shard(shard))),
            },
        }
    }

    /// A user orders something of a shard.
    pub(super) fn order(&mut self, shard: u32, order: LifeOrder, told: Giver<()>) {
        let Some(local) = self.local(shard) else {
            told.give(Err(no_such_shard(shard)));
            return;
        };
        let now = self.clock.now();
        let slot = &mut self.shards[local as usize];
        let was_down = slot.shard.is_down();
        if let Err(error) = slot.shard.order(now, order) {
            told.give(Err(error));
            return;
        }
        if was_down && matches!(order, LifeOrder::Start | LifeOrder::Restart) {
            self.waiters.started_again(local, shard);
        }
        self.settle(local);
        match order.takes_down() {
            true => self.await_stage(Some(shard), Stage::Stopped, Part::whole(told)),
            false => told.give(Ok(())),
        }
    }

    /// A shard that waited for acknowledgements may go on.
    pub(super) fn acked(&mut self, shard: u32) {
        if let Some(local) = self.local(shard) {
            self.shards[local as usize].shard.acknowledgements_came();
            self.settle(local);
        }
    }

    /// Ends everything at once: no close frame, no `on_stop`.
    pub(super) fn abort(&mut self) {
        self.aborting = true;
        self.stopping.get_or_insert(Stop::KeepSessions);
        let now = self.clock.now();
        for local in 0..self.shards.len() as u32 {
            self.shards[local as usize].shard.abort(now);
            self.settle(local);
        }
    }
}

fn no_such_shard(shard: u32) -> Error {
    Error::new(ErrorKind::NoSuchShard, format!("this engine does not run shard {shard}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down() -> Standing {
        Standing::Down(Error::new(ErrorKind::NotConnected, "down"))
    }

    fn over() -> Standing {
        Standing::Over(Error::new(ErrorKind::Refused, "refused"))
    }

    fn whole() -> (Part, Receipt<()>) {
        let (mut parts, receipt) = Part::split(1);
        (parts.remove(0), receipt)
    }

    /// The outcome, if there is one already.
    fn outcome(receipt: Receipt<()>) -> Option<Result<(), ErrorKind>> {
        let waited = receipt.wait_timeout(std::time::Duration::ZERO);
        waited.ok().map(|result| result.map_err(|error| error.kind()))
    }

    #[test]
    fn who_waits_for_one_shard_hears_of_the_stage_or_of_the_obstacle() {
        for (then, expected) in [
            (Standing::At(Stage::Connected), None),
            (Standing::At(Stage::Ready), Some(Ok(()))),
            (down(), Some(Err(ErrorKind::NotConnected))),
            (over(), Some(Err(ErrorKind::Refused))),
        ] {
            let mut waiters = Waiters::default();
            let (part, receipt) = whole();
            waiters.add_one(3, Standing::At(Stage::Started), Stage::Ready, part);
            waiters.moved(2, &Standing::At(Stage::Ready));
            waiters.moved(3, &then);
            assert_eq!(waiters.is_empty(), expected.is_some(), "{then:?}");
            assert_eq!(outcome(receipt), expected, "{then:?}");
        }
    }

    #[test]
    fn who_waits_for_all_waits_for_each_once_and_not_for_one_that_is_down() {
        let mut waiters = Waiters::default();
        let (part, receipt) = whole();
        let started = || Standing::At(Stage::Started);
        let shards = [(0, started()), (1, Standing::At(Stage::Ready)), (2, started()), (3, down())];
        waiters.add_all(shards, Stage::Ready, part);
        waiters.moved(0, &Standing::At(Stage::Ready));
        waiters.moved(0, &started()); // lost again: it was there
        assert!(!waiters.is_empty());
        waiters.moved(2, &down());
        assert!(waiters.is_empty());
        assert_eq!(outcome(receipt), Some(Ok(())));
    }

    #[test]
    fn a_part_that_fails_or_is_lost_fails_the_whole() {
        let (mut parts, receipt) = Part::split(3);
        parts.remove(0).give(Ok(()));
        parts.remove(0).give(Err(Error::new(ErrorKind::Refused, "refused")));
        assert_eq!(outcome(receipt), Some(Err(ErrorKind::Refused)));
        let (mut parts, receipt) = Part::split(2);
        drop(parts.remove(0));
        assert_eq!(outcome(receipt), Some(Err(ErrorKind::Stopped)));
    }

    #[test]
    fn receipts_that_nobody_has_any_more_make_room_and_a_full_list_is_an_answer() {
        let mut waiters = Waiters::default();
        let add = |waiters: &mut Waiters| {
            let (part, receipt) = whole();
            waiters.add_one(0, Standing::At(Stage::Started), Stage::Ready, part);
            receipt
        };
        let held: Vec<_> = (0..WAITERS_MAX).map(|_| add(&mut waiters)).collect();
        assert_eq!(outcome(add(&mut waiters)), Some(Err(ErrorKind::Full)));
        drop(held);
        let receipt = add(&mut waiters);
        assert_eq!(waiters.0.len(), 1);
        waiters.moved(0, &Standing::At(Stage::Ready));
        assert_eq!(outcome(receipt), Some(Ok(())));
    }
}

//! What the cores of one engine and its handles share: who is ready, what failed, the helpers.
//!
//! Behind locks that no event passes: it is touched when a shard becomes ready, fails, or when a
//! handle asks. Invariant: the list of errors is bounded; the oldest go.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::driver::gateway_info::Facts;
use crate::driver::helpers::Helpers;
use crate::driver::names::Names;
use crate::driver::receipt::{Giver, Receipt, receipt};
use crate::driver::warning::Warning;
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::shard::stage::Stage;

/// Shared by all threads of an engine.
pub(crate) struct Shared {
    pub(crate) helpers: Helpers,
    /// Who look names up.
    pub(crate) resolvers: Helpers,
    pub(crate) names: Names,
    /// What is known of the way to Discord, once the engine is put together.
    pub(crate) facts: OnceLock<Facts>,
    state: Mutex<State>,
}

struct State {
    /// Shards that have not been ready yet.
    unready: usize,
    /// Cores whose threads have not ended.
    cores: usize,
    ready_wanted: Vec<Giver<()>>,
    failure_wanted: Vec<Giver<Error>>,
    stopped_wanted: Vec<Giver<()>>,
    /// Who waits until no shard is at a stage.
    none_wanted: Vec<(Stage, Giver<()>)>,
    /// How many shards are at each stage, and not further.
    stages: [usize; Stage::COUNT],
    /// What [`Engine::join`](crate::Engine::join) fails with.
    end_error: Option<Error>,
    errors: VecDeque<Error>,
    warnings: VecDeque<Warning>,
    /// What the cores that have ended had counted.
    ended: Option<Metrics>,
    stopped: bool,
}

/// How many of an engine's shards are at each [`Stage`]: a shard that is ready is counted as
/// connected and started, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageCounts {
    /// Without a connection and without the plan of one.
    pub stopped: usize,
    /// Told to run.
    pub started: usize,
    /// Of these, with a connection.
    pub connected: usize,
    /// Of these, with a session on it.
    pub ready: usize,
}

/// Errors kept for [`Shared::errors`].
const ERRORS_LEN_MAX: usize = 64;

/// Warnings kept for [`Shared::warnings`].
const WARNINGS_LEN_MAX: usize = 64;

/// Receipts of one sort that may be open at a time.
const WAITERS_MAX: usize = 1024;

impl Shared {
    pub(crate) fn new(helpers: Helpers, resolvers: Helpers, shards: usize, cores: usize) -> Self {
        Self {
            helpers,
            resolvers,
            names: Names::default(),
            facts: OnceLock::new(),
            state: Mutex::new(State {
                unready: shards,
                cores,
                ready_wanted: Vec::new(),
                failure_wanted: Vec::new(),
                stopped_wanted: Vec::new(),
                none_wanted: Vec::new(),
                stages: [shards, 0, 0, 0],
                end_error: None,
                errors: VecDeque::new(),
                warnings: VecDeque::new(),
                ended: None,
                stopped: false,
            }),
        }
    }

    /// One more shard has been READY for the first time.
    pub(crate) fn shard_ready(&self) {
        let mut state = self.lock();
        state.unready = state.unready.saturating_sub(1);
        if state.unready == 0 {
            let wanted = std::mem::take(&mut state.ready_wanted);
            drop(state);
            wanted.into_iter().for_each(|giver| giver.give(Ok(())));
        }
    }

    /// Every shard has been READY once.
    pub(crate) fn is_ready(&self) -> bool {
        self.lock().unready == 0
    }

    /// To be called once, before anybody has a handle.
    pub(crate) fn set_facts(&self, facts: Facts) {
        // The first stay.
        let _ = self.facts.set(facts);
    }

    /// A shard's stage has changed.
    pub(crate) fn stage_changed(&self, was: Stage, is: Stage) {
        let mut state = self.lock();
        state.stages[was as usize] = state.stages[was as usize].saturating_sub(1);
        state.stages[is as usize] += 1;
        if state.none_wanted.is_empty() {
            return;
        }
        let counts = StageCounts::of(state.stages);
        let told: Vec<_> =
            state.none_wanted.extract_if(.., |(stage, _)| counts.at(*stage) == 0).collect();
        drop(state);
        told.into_iter().for_each(|(_, giver)| giver.give(Ok(())));
    }

    /// How many shards are at which stage.
    pub(crate) fn stages(&self) -> StageCounts {
        StageCounts::of(self.lock().stages)
    }

    /// Resolves when no shard is at this stage.
    pub(crate) fn none(&self, wanted: Stage) -> Receipt<()> {
        let mut state = self.lock();
        if state.stopped || StageCounts::of(state.stages).at(wanted) == 0 {
            return Receipt::given(Ok(()));
        }
        if state.none_wanted.len() >= WAITERS_MAX {
            state.none_wanted.retain(|(_, giver)| giver.is_awaited());
        }
        if state.none_wanted.len() >= WAITERS_MAX {
            return Receipt::given(Err(too_many()));
        }
        let (giver, receipt) = receipt();
        state.none_wanted.push((wanted, giver));
        receipt
    }

    /// Resolves when every core has ended.
    pub(crate) fn end(&self) -> Receipt<()> {
        let mut state = self.lock();
        if state.stopped {
            return Receipt::given(state.end_error.clone().map_or(Ok(()), Err));
        }
        state
            .accept(|state| &mut state.stopped_wanted)
            .unwrap_or_else(|error| Receipt::given(Err(error)))
    }

    /// A core ends by this.
    pub(crate) fn ended_by(&self, error: &Error) {
        self.lock().end_error.get_or_insert_with(|| error.clone());
    }

    /// Something failed that does not mend itself.
    pub(crate) fn raise(&self, error: Error) {
        let mut state = self.lock();
        if state.errors.len() == ERRORS_LEN_MAX {
            state.errors.pop_front();
        }
        state.errors.push_back(error.clone());
        let failures = std::mem::take(&mut state.failure_wanted);
        let ready = match forbids_ready(&error) {
            true => std::mem::take(&mut state.ready_wanted),
            false => Vec::new(),
        };
        drop(state);
        failures.into_iter().for_each(|giver| giver.give(Ok(error.clone())));
        ready.into_iter().for_each(|giver| giver.give(Err(error.clone())));
    }

    /// Something that the user should know of. The oldest go.
    pub(crate) fn warn(&self, warning: Warning) {
        tracing::warn!(target: "shardring::engine", "{warning}");
        let mut state = self.lock();
        if state.warnings.len() == WARNINGS_LEN_MAX {
            state.warnings.pop_front();
        }
        state.warnings.push_back(warning);
    }

    pub(crate) fn warnings(&self) -> Vec<Warning> {
        self.lock().warnings.iter().cloned().collect()
    }

    /// What a core that ends has counted: it stays to be asked for.
    pub(crate) fn keep_metrics(&self, metrics: Metrics) {
        match &mut self.lock().ended {
            Some(sum) => sum.merge(metrics),
            ended @ None => *ended = Some(metrics),
        }
    }

    /// What the cores that have ended had counted.
    pub(crate) fn ended_metrics(&self) -> Option<Metrics> {
        self.lock().ended.clone()
    }

    /// A core's thread ends. With the last one, what still waits fails.
    pub(crate) fn core_ended(&self) {
        let mut state = self.lock();
        state.cores = state.cores.saturating_sub(1);
        let is_last = state.cores == 0;
        drop(state);
        if is_last {
            self.stopped();
        }
    }

    /// Every core has ended.
    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Fails what still waits.
    pub(crate) fn stopped(&self) {
        let mut state = self.lock();
        state.stopped = true;
        let (ready, failures) =
            (std::mem::take(&mut state.ready_wanted), std::mem::take(&mut state.failure_wanted));
        let ended = state.end_error.clone().map_or(Ok(()), Err);
        let (ends, none) =
            (std::mem::take(&mut state.stopped_wanted), std::mem::take(&mut state.none_wanted));
        drop(state);
        drop((ready, failures));
        ends.into_iter().for_each(|giver| giver.give(ended.clone()));
        none.into_iter().for_each(|(_, giver)| giver.give(Ok(())));
    }

    pub(crate) fn ready(&self) -> Receipt<()> {
        let mut state = self.lock();
        if state.unready == 0 {
            return Receipt::given(Ok(()));
        }
        if let Some(error) = state.errors.iter().find(|error| forbids_ready(error)) {
            return Receipt::given(Err(error.clone()));
        }
        match state.accept(|state| &mut state.ready_wanted) {
            Ok(receipt) => receipt,
            Err(error) => Receipt::given(Err(error)),
        }
    }

    pub(crate) fn failure(&self) -> Receipt<Error> {
        let mut state = self.lock();
        if let Some(error) = state.errors.front() {
            return Receipt::given(Ok(error.clone()));
        }
        match state.accept(|state| &mut state.failure_wanted) {
            Ok(receipt) => receipt,
            Err(error) => Receipt::given(Err(error)),
        }
    }

    pub(crate) fn errors(&self) -> Vec<Error> {
        self.lock().errors.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No user code runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A shard that Discord refuses for good, or whose core is gone, will never be ready.
fn forbids_ready(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Refused | ErrorKind::CoreFailed)
}

fn too_many() -> Error {
    Error::new(ErrorKind::Full, "too many receipts are open")
}

impl StageCounts {
    fn of([stopped, started, connected, ready]: [usize; Stage::COUNT]) -> Self {
        let connected = connected + ready;
        Self { stopped, started: started + connected, connected, ready }
    }

    /// How many are at this stage.
    pub fn at(&self, stage: Stage) -> usize {
        match stage {
            Stage::Stopped => self.stopped,
            Stage::Started => self.started,
            Stage::Connected => self.connected,
            Stage::Ready => self.ready,
        }
    }
}

impl State {
    fn accept<T>(
        &mut self,
        wanted: impl Fn(&mut Self) -> &mut Vec<Giver<T>>,
    ) -> Result<Receipt<T>, Error> {
        if self.stopped {
            return Err(Error::new(ErrorKind::Stopped, "the engine has stopped"));
        }
        if wanted(self).len() >= WAITERS_MAX {
            wanted(self).retain(|giver| giver.is_awaited());
        }
        if wanted(self).len() >= WAITERS_MAX {
            return Err(too_many());
        }
        let (giver, receipt) = receipt();
        wanted(self).push(giver);
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_ready_hears_of_a_core_that_is_gone() {
        let shared =
            Shared::new(Helpers::start(1, 1).unwrap(), Helpers::start(1, 1).unwrap(), 2, 2);
        let before = shared.ready();
        shared.raise(Error::new(ErrorKind::CoreFailed, "gone"));
        shared.core_ended(); // The other core runs on.
        for receipt in [before, shared.ready()] {
            assert_eq!(receipt.wait().unwrap_err().kind(), ErrorKind::CoreFailed);
        }
        assert_eq!(shared.failure().wait().unwrap().kind(), ErrorKind::CoreFailed);
    }
}

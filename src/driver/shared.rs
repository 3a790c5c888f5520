//! What the cores of one engine and its handles share: who is ready, what failed, the helpers.
//!
//! Behind locks that no event passes: it is touched when a shard becomes ready, fails, or when a
//! handle asks. Invariant: the list of errors is bounded; the oldest go.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::helpers::Helpers;
use crate::driver::names::Names;
use crate::driver::receipt::{Giver, Receipt, receipt};
use crate::driver::warning::Warning;
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;

/// Shared by all threads of an engine.
pub(crate) struct Shared {
    pub(crate) helpers: Helpers,
    /// Who look names up.
    pub(crate) resolvers: Helpers,
    pub(crate) names: Names,
    state: Mutex<State>,
}

struct State {
    /// Shards that have not been ready yet.
    unready: usize,
    /// Cores whose threads have not ended.
    cores: usize,
    ready_wanted: Vec<Giver<()>>,
    failure_wanted: Vec<Giver<Error>>,
    errors: VecDeque<Error>,
    warnings: VecDeque<Warning>,
    /// What the cores that have ended had counted.
    ended: Option<Metrics>,
    stopped: bool,
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
            state: Mutex::new(State {
                unready: shards,
                cores,
                ready_wanted: Vec::new(),
                failure_wanted: Vec::new(),
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
        drop(state);
        drop((ready, failures));
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

impl State {
    fn accept<T>(
        &mut self,
        wanted: impl Fn(&mut Self) -> &mut Vec<Giver<T>>,
    ) -> Result<Receipt<T>, Error> {
        if self.stopped {
            return Err(Error::new(ErrorKind::Stopped, "the engine has stopped"));
        }
        if wanted(self).len() >= WAITERS_MAX {
            return Err(Error::new(ErrorKind::Full, "too many receipts are open"));
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

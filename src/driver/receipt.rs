//! A promise of one value: a future on any executor, and something to wait for without one.
//!
//! It knows nothing of shards. Invariant: a [`Giver`] that is dropped without a value fails its
//! receipt, so nobody waits for ever. Handles make receipts; cores keep the givers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// A value to come: await it on any executor, or [`wait`](Self::wait) for it.
///
/// Dropping it does not undo the call that gave it.
#[must_use = "a receipt tells whether the call took effect"]
pub struct Receipt<T>(Arc<Shared<T>>);

/// The other end of a [`Receipt`].
pub(crate) struct Giver<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    given: Condvar,
}

enum State<T> {
    Awaited(Option<Waker>),
    Given(Result<T, Error>),
    Taken,
}

/// A receipt and its giver.
pub(crate) fn receipt<T>() -> (Giver<T>, Receipt<T>) {
    let shared =
        Arc::new(Shared { state: Mutex::new(State::Awaited(None)), given: Condvar::new() });
    (Giver(Arc::clone(&shared)), Receipt(shared))
}

impl<T> Receipt<T> {
    /// A receipt that has its value already.
    pub(crate) fn given(value: Result<T, Error>) -> Self {
        let (giver, receipt) = receipt();
        giver.give(value);
        receipt
    }

    /// Blocks this thread until the value is there. Never call it on a core's thread: the core
    /// could then not give it.
    ///
    /// # Errors
    ///
    /// What went wrong; [`ErrorKind::Stopped`] if the engine ended first.
    pub fn wait(self) -> Result<T, Error> {
        let mut state = self.0.lock();
        loop {
            match std::mem::replace(&mut *state, State::Taken) {
                State::Given(value) => return value,
                awaited => *state = awaited,
            }
            state = self.0.given.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Blocks this thread until the value is there or the time is over, and then gives the receipt
    /// back.
    ///
    /// # Errors
    ///
    /// The receipt itself, if the value has not come in time.
    pub fn wait_timeout(self, at_most: Duration) -> Result<Result<T, Error>, Self> {
        let Some(end) = Instant::now().checked_add(at_most) else { return Ok(self.wait()) };
        let mut state = self.0.lock();
        loop {
            match std::mem::replace(&mut *state, State::Taken) {
                State::Given(value) => return Ok(value),
                awaited => *state = awaited,
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let (next, _) =
                self.0.given.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
        drop(state);
        Err(self)
    }
}

impl<T> Future for Receipt<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Given(value) => Poll::Ready(value),
            State::Awaited(_) => {
                *state = State::Awaited(Some(cx.waker().clone()));
                Poll::Pending
            }
            // Polled after it was ready: pending for ever, as nothing is left to give.
            State::Taken => Poll::Pending,
        }
    }
}

impl<T> Giver<T> {
    /// Gives the value.
    pub(crate) fn give(self, value: Result<T, Error>) {
        self.0.give(value);
    }

    /// Somebody still has the receipt.
    pub(crate) fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        let state = self.0.lock();
        let awaited = matches!(*state, State::Awaited(_));
        drop(state);
        if awaited {
            self.0.give(Err(Error::new(
                ErrorKind::Stopped,
                "the engine ended before it could answer",
            )));
        }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No user code runs under the lock, so a poisoned one still holds a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, value: Result<T, Error>) {
        let before = {
            let mut state = self.lock();
            match *state {
                State::Awaited(_) => std::mem::replace(&mut *state, State::Given(value)),
                State::Given(_) | State::Taken => return,
            }
        };
        self.given.notify_all();
        if let State::Awaited(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> fmt::Debug for Giver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Giver").field("is_awaited", &self.is_awaited()).finish()
    }
}

impl<T> fmt::Debug for Receipt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match *self.0.lock() {
            State::Awaited(_) => "awaited",
            State::Given(_) => "given",
            State::Taken => "taken",
        };
        f.debug_tuple("Receipt").field(&state).finish()
    }
}

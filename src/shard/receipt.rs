//! What became of a command: the promise between a shard and whoever gave the command.
//!
//! The shard holds the `Ticket`, the caller the [`CommandReceipt`]. Nothing here blocks: the
//! driver adds waiting. Invariants: a command is handed out only if its ticket was not cancelled
//! first; a ticket that is dropped tells that the shard stopped, so nobody waits for ever.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::clock::Time;
use crate::error::{Error, ErrorKind};

/// Tells what became of a command: a future on any executor, and with the engine something to
/// wait for. Dropping it changes nothing.
///
/// It resolves when the command was written to the socket, or will never be. Discord acknowledges
/// no command, so that it was written is the most that anybody can know; one that RATE_LIMITED
/// refuses later is seen by [`status`](Self::status).
pub struct CommandReceipt(Arc<Promise>);

/// A command was written to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandSent {
    /// When, since the engine's start.
    pub at: Time,
}

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandStatus {
    /// It waits for its turn, or for the socket to take it.
    Queued,
    /// It was written.
    Sent {
        /// When, since the engine's start.
        at: Time,
    },
    /// RATE_LIMITED refused it. It is sent again when that says so.
    RateLimited {
        /// How long from when that came.
        retry_after: Duration,
    },
    /// It waited, and a newer one took its place: a presence, or a voice state of the same guild.
    Superseded,
    /// It was not sent before its deadline.
    Expired,
    /// It was [cancelled](CommandReceipt::cancel).
    Cancelled,
    /// The connection ended as it was being written: nobody knows whether it arrived. It is not
    /// sent again.
    Unknown,
    /// RATE_LIMITED refused it too often. It is not sent again.
    Refused,
    /// It waited, and the shard or the engine stopped; or, of a heartbeat, the connection ended.
    Dropped,
    /// It was never queued. The receipt's error says why.
    Rejected,
}

/// The shard's end of a [`CommandReceipt`], or of none.
pub(crate) struct Ticket(Option<Arc<Promise>>);

struct Promise(Mutex<Inner>);

struct Inner {
    state: State,
    /// Of whoever awaits it: the last that polled.
    task: Option<Waker>,
    /// Of the threads that wait for it now.
    threads: Vec<Waker>,
}

enum State {
    Queued,
    /// Handed to the driver.
    Flying,
    Sent(Time),
    RateLimited(Duration),
    Over(Over),
}

/// How a command ended that was not sent, or was refused.
#[derive(Clone, Debug)]
pub(crate) enum Over {
    Superseded,
    Expired,
    Cancelled,
    Unknown,
    Refused,
    Disconnected,
    Stopped,
    Rejected(Error),
}

/// A receipt and its ticket.
pub(crate) fn ticket() -> (Ticket, CommandReceipt) {
    let inner = Inner { state: State::Queued, task: None, threads: Vec::new() };
    let promise = Arc::new(Promise(Mutex::new(inner)));
    (Ticket(Some(Arc::clone(&promise))), CommandReceipt(promise))
}

impl CommandReceipt {
    /// A receipt of a command that was never queued.
    #[cfg_attr(not(feature = "driver"), allow(dead_code))]
    pub(crate) fn rejected(error: Error) -> Self {
        let (ticket, receipt) = ticket();
        ticket.end(Over::Rejected(error));
        receipt
    }

    /// Where the command stands.
    pub fn status(&self) -> CommandStatus {
        match &self.0.lock().state {
            State::Queued | State::Flying => CommandStatus::Queued,
            State::Sent(at) => CommandStatus::Sent { at: *at },
            State::RateLimited(retry_after) => {
                CommandStatus::RateLimited { retry_after: *retry_after }
            }
            State::Over(over) => match over {
                Over::Superseded => CommandStatus::Superseded,
                Over::Expired => CommandStatus::Expired,
                Over::Cancelled => CommandStatus::Cancelled,
                Over::Unknown => CommandStatus::Unknown,
                Over::Refused => CommandStatus::Refused,
                Over::Disconnected | Over::Stopped => CommandStatus::Dropped,
                Over::Rejected(_) => CommandStatus::Rejected,
            },
        }
    }

    /// Takes the command back. `true`: it will not be sent (again). `false`: it is too late for
    /// that, and nothing changed.
    ///
    /// A presence that is taken back takes with it those that it had superseded: the bot goes on
    /// showing what it shows.
    pub fn cancel(&self) -> bool {
        self.0.end(Over::Cancelled, |state| matches!(state, State::Queued | State::RateLimited(_)))
    }

    /// The result, if it is there; else this task is to be woken when it is, and no other.
    pub(crate) fn poll_result(&self, waker: &Waker) -> Poll<Result<CommandSent, Error>> {
        self.poll_or(|inner| match &mut inner.task {
            Some(task) => task.clone_from(waker),
            none => *none = Some(waker.clone()),
        })
    }

    /// The result, if it is there; else this thread is to be woken, too, until it
    /// [leaves](Self::leave).
    #[cfg_attr(not(feature = "driver"), allow(dead_code))]
    pub(crate) fn poll_thread(&self, waker: &Waker) -> Poll<Result<CommandSent, Error>> {
        self.poll_or(|inner| {
            if !inner.threads.iter().any(|known| known.will_wake(waker)) {
                inner.threads.push(waker.clone());
            }
        })
    }

    /// This thread waits no longer.
    #[cfg_attr(not(feature = "driver"), allow(dead_code))]
    pub(crate) fn leave(&self, waker: &Waker) {
        self.0.lock().threads.retain(|known| !known.will_wake(waker));
    }

    fn poll_or(&self, wait: impl FnOnce(&mut Inner)) -> Poll<Result<CommandSent, Error>> {
        let mut inner = self.0.lock();
        let result = match &inner.state {
            State::Sent(at) => Ok(CommandSent { at: *at }),
            State::Over(over) => Err(over.error()),
            State::Queued | State::Flying | State::RateLimited(_) => {
                wait(&mut inner);
                return Poll::Pending;
            }
        };
        Poll::Ready(result)
    }
}

impl Future for CommandReceipt {
    type Output = Result<CommandSent, Error>;

    /// Pending until the command was written or never will be. May be polled again after that.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_result(cx.waker())
    }
}

impl fmt::Debug for CommandReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CommandReceipt").field(&self.status()).finish()
    }
}

impl Ticket {
    /// Of a command that nobody waits for.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// It was cancelled: it must not be handed out, and takes up no room.
    pub(crate) fn is_cancelled(&self) -> bool {
        let promise = self.0.as_ref();
        promise.is_some_and(|promise| matches!(promise.lock().state, State::Over(Over::Cancelled)))
    }

    /// It is being handed out; `false` if it was cancelled before.
    pub(crate) fn fly(&self) -> bool {
        self.step(|state| match state {
            State::Over(_) => None,
            _ => Some(State::Flying),
        })
    }

    /// It is not handed out after all, and waits again.
    pub(crate) fn land(&self) {
        self.step(|state| matches!(state, State::Flying).then_some(State::Queued));
    }

    /// It was written.
    pub(crate) fn sent(&self, at: Time) {
        self.step(|state| matches!(state, State::Flying).then_some(State::Sent(at)));
    }

    /// RATE_LIMITED refused it, and it waits to be sent again.
    pub(crate) fn rate_limited(&self, retry_after: Duration) {
        let after = State::RateLimited(retry_after);
        self.step(|state| (!matches!(state, State::Over(_))).then_some(after));
    }

    /// It ended unsent, or refused.
    pub(crate) fn end(self, over: Over) {
        if let Some(promise) = &self.0 {
            promise.end(over, |state| !matches!(state, State::Over(_)));
        }
    }

    /// Changes the state if `next` gives one; tells who waits. `true` without a receipt, too.
    fn step(&self, next: impl FnOnce(&State) -> Option<State>) -> bool {
        let Some(promise) = &self.0 else { return true };
        let mut inner = promise.lock();
        let Some(state) = next(&inner.state) else { return false };
        inner.state = state;
        let wakers = match inner.state {
            State::Sent(_) => inner.take_wakers(),
            _ => return true,
        };
        drop(inner);
        wakers.for_each(Waker::wake);
        true
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(promise) = &self.0 {
            promise.end(Over::Stopped, |state| {
                matches!(state, State::Queued | State::Flying | State::RateLimited(_))
            });
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Ticket(someone)" } else { "Ticket(nobody)" })
    }
}

impl Promise {
    fn end(&self, over: Over, may: impl FnOnce(&State) -> bool) -> bool {
        let mut inner = self.lock();
        if !may(&inner.state) {
            return false;
        }
        inner.state = State::Over(over);
        let wakers = inner.take_wakers();
        drop(inner);
        wakers.for_each(Waker::wake);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No user code runs under the lock, so a poisoned one still holds a whole state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_wakers(&mut self) -> impl Iterator<Item = Waker> + use<> {
        self.task.take().into_iter().chain(std::mem::take(&mut self.threads))
    }
}

impl Over {
    pub(crate) fn error(&self) -> Error {
        let (kind, detail) = match self {
            Self::Superseded => (
                ErrorKind::Superseded,
                "a newer command of its sort took its place before it was sent",
            ),
            Self::Expired => (ErrorKind::Expired, "it was not sent before its deadline"),
            Self::Cancelled => (ErrorKind::Cancelled, "it was cancelled before it was sent"),
            Self::Unknown => (
                ErrorKind::Dropped,
                "the connection ended as the command was written: nobody knows if it arrived; it \
                 is not sent again",
            ),
            Self::Refused => (
                ErrorKind::RateLimited,
                "Discord refused it by RATE_LIMITED each time that it was sent",
            ),
            Self::Disconnected => {
                (ErrorKind::Dropped, "the connection ended before the heartbeat was sent")
            }
            Self::Stopped => (ErrorKind::Stopped, "the shard stopped before the command was sent"),
            Self::Rejected(error) => return error.clone(),
        };
        Error::new(kind, detail)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_no_longer_is_not_kept_and_who_does_is_woken() {
        let (ticket, receipt) = ticket();
        let [old, task, gone, thread] = [(); 4].map(|()| Arc::new(Count::default()));
        for waiter in [&old, &task] {
            assert!(receipt.poll_result(&Waker::from(Arc::clone(waiter))).is_pending());
        }
        for waiter in [&gone, &thread] {
            assert!(receipt.poll_thread(&Waker::from(Arc::clone(waiter))).is_pending());
        }
        receipt.leave(&Waker::from(Arc::clone(&gone)));
        assert_eq!([&old, &gone].map(Arc::strong_count), [1, 1]);
        assert!(ticket.fly());
        ticket.sent(Time::ZERO);
        let woken = [old, task, gone, thread].map(|waiter| waiter.0.load(Ordering::Relaxed));
        assert_eq!(woken, [0, 1, 0, 1]);
    }
}

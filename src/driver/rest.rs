//! Between two turns of a core: giving way to the user's futures, or sleeping.
//!
//! What is awaited is kept from turn to turn, since registering anew for each costs more than the
//! sleep. It knows no ring and no shard. Invariant: the thread parks, and tokio-uring with it
//! submits what the user's futures queued, at least once in [`PARK_INTERVAL`] while they run, and
//! whenever the core sleeps. The core's run uses it.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;

use crate::clock::Time;

/// What a core sleeps on.
pub(super) struct Rest {
    /// The ring's eventfd, watched and never read: each signal is an edge.
    signal: AsyncFd<OwnedFd>,
    wake: Arc<Notify>,
    woken: Pin<Box<OwnedNotified>>,
    timer: Pin<Box<Sleep>>,
    /// What the timer is set to, until it has gone off.
    armed: Option<Time>,
    parked_at: Time,
}

/// A core that has always more to do parks at least so often, for timers and descriptors of
/// futures that it does not know of.
const PARK_INTERVAL: Duration = Duration::from_millis(1);

impl Rest {
    /// Watches a duplicate of the ring's eventfd, and the mailbox's wake.
    pub(super) fn new(eventfd: OwnedFd, wake: Arc<Notify>) -> io::Result<Self> {
        // SAFETY: the watcher owns its descriptor, so it stays open and the same for as long as
        // the watcher lives.
        let signal = unsafe { AsyncFd::register_with_interest(eventfd, Interest::READABLE) }
            .map_err(|error| error.into_parts().1)?;
        Ok(Self {
            signal,
            woken: Box::pin(Arc::clone(&wake).notified_owned()),
            wake,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
            parked_at: Time::ZERO,
        })
    }

    /// Lets others run although there is more to do; at once back if nobody is known to wait.
    pub(super) async fn give_way(&mut self, now: Time, others_run: bool) {
        if !others_run && now - self.parked_at < PARK_INTERVAL {
            return;
        }
        self.parked_at = now;
        // Not tokio's `yield_now`: that lets the thread go round without parking, and tokio-uring
        // submits only when it parks.
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Sleeps until something completes, mail comes, or `due`.
    pub(super) async fn sleep(&mut self, now: Time, due: Option<Time>) {
        self.parked_at = now;
        if let Some(due) = due
            && self.armed != Some(due)
        {
            self.armed = Some(due);
            self.timer.as_mut().reset((Instant::now() + due.since(now)).into());
        }
        poll_fn(|cx| {
            if let Poll::Ready(ready) = self.signal.poll_read_ready(cx) {
                if let Ok(mut guard) = ready {
                    guard.clear_ready();
                }
                return Poll::Ready(());
            }
            if self.woken.as_mut().poll(cx).is_ready() {
                self.woken.set(Arc::clone(&self.wake).notified_owned());
                return Poll::Ready(());
            }
            if due.is_some() && self.timer.as_mut().poll(cx).is_ready() {
                self.armed = None;
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

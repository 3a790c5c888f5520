//! News that come one after the other: for `await` on any executor, and to wait for without one.
//!
//! A bounded queue with one end on a shard's core and the other wherever the user likes. It knows
//! nothing of shards but the [`Outlet`] that they give news to. Invariants: the core never blocks
//! on it; at most [`len_max`](feed) items wait, and the last one besides; after the last one there
//! is nothing. Used by `voice` and `members`.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::shard::errands::{Outlet, Taken};

/// The user's end. Dropping it tells the other end that nobody listens.
pub(crate) struct Feed<T>(Arc<Shared<T>>);

/// The core's end. Dropping it ends the feed.
pub(crate) struct Feeder<T>(Arc<Shared<T>>);

/// What a full feed does with one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Refuses it.
    Refuse,
    /// Forgets the oldest, which newer ones have made void.
    DropOldest,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    came: Condvar,
    len_max: usize,
    when_full: WhenFull,
}

struct Queue<T> {
    items: VecDeque<T>,
    waker: Option<Waker>,
    /// The core's end is there.
    is_fed: bool,
    /// The user's end is there.
    is_read: bool,
}

/// A feed in which at most `len_max` items wait.
pub(crate) fn feed<T>(len_max: usize, when_full: WhenFull) -> (Feeder<T>, Feed<T>) {
    let queue = Queue { items: VecDeque::new(), waker: None, is_fed: true, is_read: true };
    let shared =
        Arc::new(Shared { queue: Mutex::new(queue), came: Condvar::new(), len_max, when_full });
    (Feeder(Arc::clone(&shared)), Feed(shared))
}

impl<T> Feed<T> {
    /// The next item; `None` after the last.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut queue = self.0.lock();
        match queue.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if !queue.is_fed => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The next item; `None` after the last. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Blocks until there is one; `None` after the last.
    pub(crate) fn next_wait(&mut self) -> Option<T> {
        let mut queue = self.0.lock();
        loop {
            if let Some(item) = queue.items.pop_front() {
                return Some(item);
            }
            if !queue.is_fed {
                return None;
            }
            queue = self.0.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same for at most so long; `Err` if there was neither an item nor the end in time.
    pub(crate) fn next_wait_timeout(&mut self, at_most: Duration) -> Result<Option<T>, Elapsed> {
        let Some(end) = Instant::now().checked_add(at_most) else { return Ok(self.next_wait()) };
        let mut queue = self.0.lock();
        loop {
            if let Some(item) = queue.items.pop_front() {
                return Ok(Some(item));
            }
            if !queue.is_fed {
                return Ok(None);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Elapsed);
            }
            let waited = self.0.came.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The time is over, and nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing came in time")
    }
}

impl std::error::Error for Elapsed {}

impl<T: Send> Outlet<T> for Feeder<T> {
    fn give(&mut self, news: T) -> Taken {
        let mut queue = self.0.lock();
        if !queue.is_read {
            return Taken::Gone;
        }
        if queue.items.len() >= self.0.len_max {
            match self.0.when_full {
                WhenFull::Refuse => return Taken::Full,
                WhenFull::DropOldest => drop(queue.items.pop_front()),
            }
        }
        queue.items.push_back(news);
        self.0.tell(queue);
        Taken::Yes
    }

    fn has_room(&self) -> Taken {
        let queue = self.0.lock();
        match (queue.is_read, self.0.when_full) {
            (false, _) => Taken::Gone,
            (true, WhenFull::Refuse) if queue.items.len() >= self.0.len_max => Taken::Full,
            _ => Taken::Yes,
        }
    }

    fn end(self: Box<Self>, news: T) {
        let mut queue = self.0.lock();
        if queue.is_read {
            queue.items.push_back(news);
        }
        queue.is_fed = false;
        self.0.tell(queue);
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // No user code runs under the lock, so a poisoned one still holds a whole queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits, outside of the lock.
    fn tell(&self, mut queue: MutexGuard<'_, Queue<T>>) {
        let waker = queue.waker.take();
        drop(queue);
        self.came.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Feeder<T> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.is_fed = false;
        self.0.tell(queue);
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        let items = {
            let mut queue = self.0.lock();
            queue.is_read = false;
            std::mem::take(&mut queue.items)
        };
        drop(items); // a thousand members each: not under the lock
    }
}

impl<T> fmt::Debug for Feed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.0.lock();
        f.debug_struct("Feed")
            .field("waiting", &queue.items.len())
            .field("has_ended", &!queue.is_fed)
            .finish()
    }
}

impl<T> fmt::Debug for Feeder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feeder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_feed_refuses_or_forgets_the_oldest_and_always_takes_the_last() {
        let (mut feeder, mut feed) = self::feed(2, WhenFull::Refuse);
        assert_eq!([1, 2, 3].map(|n| feeder.give(n)), [Taken::Yes, Taken::Yes, Taken::Full]);
        Box::new(feeder).end(9);
        assert_eq!([(); 4].map(|()| feed.next_wait()), [Some(1), Some(2), Some(9), None]);
        let (mut feeder, mut feed) = self::feed(2, WhenFull::DropOldest);
        assert_eq!([1, 2, 3].map(|n| feeder.give(n)), [Taken::Yes; 3]);
        drop(feeder);
        assert_eq!([(); 3].map(|()| feed.next_wait()), [Some(2), Some(3), None]);
    }

    #[test]
    fn whoever_feeds_learns_that_nobody_reads() {
        let (mut feeder, feed) = self::feed(2, WhenFull::Refuse);
        assert_eq!(feeder.has_room(), Taken::Yes);
        drop(feed);
        assert_eq!((feeder.has_room(), feeder.give(1)), (Taken::Gone, Taken::Gone));
    }

    #[test]
    fn a_reader_on_another_thread_sees_everything_in_order() {
        let (mut feeder, mut feed) = self::feed(1000, WhenFull::Refuse);
        let reader = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while let Some(n) = feed.next_wait() {
                seen.push(n);
            }
            seen
        });
        (0..1000).for_each(|n| assert_eq!(feeder.give(n), Taken::Yes));
        drop(feeder);
        assert_eq!(reader.join().unwrap(), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_in_time_is_told_apart_from_the_end() {
        let (feeder, mut feed) = self::feed::<u8>(1, WhenFull::Refuse);
        assert_eq!(feed.next_wait_timeout(Duration::ZERO), Err(Elapsed));
        drop(feeder);
        assert_eq!(feed.next_wait_timeout(Duration::ZERO), Ok(None));
    }
}

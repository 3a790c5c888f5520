//! The handler's own futures on a core: counted, bounded, and guarded against panics.
//!
//! A panic in one of them is counted and raised on the handle; it never reaches the core. The core
//! spawns them on its runtime.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A future of the user.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// How many run, and how many have panicked. Shared by a core and its tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskCount(Rc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    running: Cell<usize>,
    panics: Cell<u64>,
}

impl TaskCount {
    pub(crate) fn running(&self) -> usize {
        self.0.running.get()
    }

    pub(crate) fn panics(&self) -> u64 {
        self.0.panics.get()
    }

    /// Counts a task from the moment it is accepted.
    pub(crate) fn accept(&self) {
        self.0.running.set(self.0.running.get() + 1);
    }
}

/// Runs an accepted task to its end, its panic included.
pub(crate) async fn run_guarded(task: Task, count: TaskCount) {
    struct Leave(TaskCount);
    impl Drop for Leave {
        fn drop(&mut self) {
            let counts = &self.0.0;
            counts.running.set(counts.running.get() - 1);
        }
    }
    let leave = Leave(count);
    if Guarded(task).await.is_err() {
        let counts = &leave.0.0;
        counts.panics.set(counts.panics.get() + 1);
    }
}

struct Guarded(Task);

impl Future for Guarded {
    type Output = Result<(), ()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A task that panicked is never polled again, so no broken state of its is seen.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(())),
        }
    }
}

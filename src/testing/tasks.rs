//! Futures of the handler, run without a runtime or on the caller's.
//!
//! A panic in one is counted and goes no further, as in an engine. Nothing here waits: what cannot
//! go on is left for the next time. Called by the rehearsal.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::shard::handler::Task;

/// What the handler has spawned and has not ended.
#[derive(Default)]
pub(super) struct Tasks(Vec<Spawned>);

struct Spawned {
    task: Task,
    woken: Arc<Woken>,
}

/// Whether a future asked to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Woken {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

impl Tasks {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, task: Task) {
        self.0.push(Spawned { task, woken: Woken::new() });
    }

    /// Polls what was woken until nothing is; gives how many panicked.
    pub(super) fn run(&mut self) -> u64 {
        let mut panics = 0;
        for _ in 0..ROUNDS_MAX {
            let mut polled = false;
            self.0.retain_mut(|spawned| {
                if !spawned.woken.take() {
                    return true;
                }
                polled = true;
                let waker = Waker::from(Arc::clone(&spawned.woken));
                !ends(&mut spawned.task, &mut Context::from_waker(&waker), &mut panics)
            });
            if !polled {
                break;
            }
        }
        panics
    }

    /// Polls all of them by the caller's waker; gives how many panicked, and whether all have
    /// ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> (u64, Poll<()>) {
        let mut panics = 0;
        self.0.retain_mut(|spawned| !ends(&mut spawned.task, cx, &mut panics));
        (panics, if self.0.is_empty() { Poll::Ready(()) } else { Poll::Pending })
    }
}

/// Polls a future once; whether it has ended, by a panic too.
fn ends(task: &mut Task, cx: &mut Context<'_>, panics: &mut u64) -> bool {
    // A future that panicked is dropped, so no broken state of it is seen.
    match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
        Ok(poll) => poll.is_ready(),
        Err(_) => {
            *panics += 1;
            true
        }
    }
}

/// Polls a future until it has ended, or waits for something; whether it has ended.
pub(super) fn run_to_rest(mut future: Pin<&mut impl Future<Output = ()>>) -> bool {
    let woken = Woken::new();
    let waker = Waker::from(Arc::clone(&woken));
    for _ in 0..ROUNDS_MAX {
        if !woken.take() {
            return false;
        }
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return true;
        }
    }
    false
}

/// A future that wakes itself without end is left after so many polls.
const ROUNDS_MAX: u32 = 10_000;

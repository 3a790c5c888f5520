//! A few threads for work that blocks: DNS, files, what a handler hands over.
//!
//! They are started before any core is pinned, so they keep the process's own affinity mask and
//! do not fight for a ring's core. An engine has two pools: names are resolved apart from the rest,
//! as a resolver that does not answer blocks for half a minute, and a handler's job for as long as
//! it likes; neither may hold up the other. Invariant: at most `len_max` jobs wait; full is an
//! answer. Cores and handles push; nobody waits here.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, ErrorKind};

/// Names looked up at a time: a gateway's hosts are few, and an answer serves all who wait.
const RESOLVERS: usize = 4;
/// Look-ups that may wait: beyond those of the dials under way, only such whose dial was given up.
const LOOK_UPS_LEN_MAX: usize = 4096;

/// A job: runs once, on some helper thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The pool. Dropping the last handle to it ends the threads when the queue is empty.
pub(crate) struct Helpers {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    len_max: usize,
}

struct State {
    jobs: VecDeque<Job>,
    open: bool,
}

impl Helpers {
    /// Starts the threads with the caller's own affinity mask, for what a handler hands over.
    pub(crate) fn start(threads: usize, len_max: usize) -> Result<Self, Error> {
        Self::start_named("shardring-help", threads, len_max)
    }

    /// The same for look-ups of names alone.
    pub(crate) fn start_resolvers() -> Result<Self, Error> {
        Self::start_named("shardring-name", RESOLVERS, LOOK_UPS_LEN_MAX)
    }

    fn start_named(name: &str, threads: usize, len_max: usize) -> Result<Self, Error> {
        let queue = Arc::new(Queue {
            state: Mutex::new(State { jobs: VecDeque::new(), open: true }),
            changed: Condvar::new(),
            len_max,
        });
        let helpers = Self { queue: Arc::clone(&queue), threads: Mutex::new(Vec::new()) };
        for index in 0..threads {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || queue.run())
                .map_err(|error| {
                    Error::new(ErrorKind::Thread, format!("cannot start a helper thread: {error}"))
                })?;
            helpers.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(helpers)
    }

    /// Queues a job.
    ///
    /// # Errors
    ///
    /// The job itself, if the queue is full or closed.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut state = self.queue.lock();
        if !state.open || state.jobs.len() >= self.queue.len_max {
            return Err(job);
        }
        state.jobs.push_back(job);
        drop(state);
        self.queue.changed.notify_one();
        Ok(())
    }

    /// How many more jobs may wait.
    pub(crate) fn room(&self) -> usize {
        self.queue.len_max.saturating_sub(self.queue.lock().jobs.len())
    }

    /// Takes no more jobs; what is queued still runs. Does not wait.
    pub(crate) fn close(&self) {
        self.queue.lock().open = false;
        self.queue.changed.notify_all();
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.close();
        // Not joined: a job may block for long, and the process should still be able to end.
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so a poisoned one still holds a whole queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            let job = loop {
                if let Some(job) = state.jobs.pop_front() {
                    break job;
                }
                if !state.open {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            // Who pushed it wants to hear of a panic; here the thread only survives it.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}

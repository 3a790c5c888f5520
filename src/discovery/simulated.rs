//! The world of discovery, simulated: scripted answers under a virtual clock.
//!
//! For tests and simulations. No socket and no thread; what is not scripted is an error, never a
//! panic.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::Time;
use crate::discovery::Clock;
use crate::discovery::request::{HttpError, HttpGet, Request, Response};

/// Answers in order, each after its time. Clones share script and clock.
#[derive(Clone, Debug, Default)]
pub struct Simulated {
    now: Rc<Cell<Time>>,
    script: Rc<RefCell<VecDeque<Scripted>>>,
    asked: Rc<RefCell<Vec<(Time, Duration)>>>,
}

/// How long it takes, and what it is.
type Scripted = (Duration, Result<Response, HttpError>);

impl Simulated {
    /// A world at time zero that answers nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more answer, `after` the request; later than its time-out it is a time-out.
    pub fn answer(&self, after: Duration, answer: Result<Response, HttpError>) -> &Self {
        self.script.borrow_mut().push_back((after, answer));
        self
    }

    /// When requests came, and with which time-outs.
    pub fn asked(&self) -> Vec<(Time, Duration)> {
        self.asked.borrow().clone()
    }
}

impl HttpGet for Simulated {
    fn get(&self, request: &Request) -> Result<Response, HttpError> {
        self.asked.borrow_mut().push((self.now.get(), request.timeout));
        let next = self.script.borrow_mut().pop_front();
        let (after, answer) = next.unwrap_or((Duration::MAX, Err(HttpError::Timeout)));
        self.now.set(self.now.get() + after.min(request.timeout));
        if after > request.timeout { Err(HttpError::Timeout) } else { answer }
    }
}

impl Clock for Simulated {
    fn now(&self) -> Time {
        self.now.get()
    }

    fn sleep_until(&self, at: Time) {
        self.now.set(self.now.get().max(at));
    }
}

//! What the engine tells `tracing`: each change of state once, nothing per dispatch, no secret.
//!
//! The engine's threads go by the process's one subscriber: the tests of this target take turns.

mod collector;
#[allow(dead_code)] // it has more than is asked for here
#[path = "../engine/harness.rs"]
mod harness;
mod secrets;
mod states;

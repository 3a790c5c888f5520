//! Thousands of Discord gateway shards from one pinned io_uring thread per core.

#![warn(missing_debug_implementations)]

#[doc(hidden)]
pub mod clock;
pub mod command;
mod config;
#[doc(hidden)]
pub mod decode;
#[cfg(feature = "driver")]
mod driver;
mod error;
pub mod metrics;
pub mod model;
#[doc(hidden)]
pub mod shard;
#[doc(hidden)]
pub mod wire;

pub use config::{
    Config, ConfigBuilder, DEFAULT_GATEWAY_URL, Delivery, Intents, Interest, Limits, Shards,
    Timeouts,
};
#[cfg(feature = "driver")]
pub use driver::{Engine, Handle, Receipt, Stop};
pub use error::{Error, ErrorKind, Fault};
pub use metrics::Metrics;
pub use model::{Event, EventKind, EventSet};
pub use shard::ShardId;
pub use shard::close::{Cause, Fatal, LinkEnd};
pub use shard::handler::{Context, Handler, Link, Panicked};
pub use shard::notice::State;
pub use shard::token::Token;
pub use wire::Compression;

/// The machines without sockets and without a clock: for tests, simulations, other drivers.
///
/// **Outside of semantic versioning**: what is here may change with any release. Start with
/// [`Shard::receive`](shard::Shard::receive), the spine; `tests/support` of the repository drives
/// one without a socket.
pub mod sans_io {
    #[doc(inline)]
    pub use crate::{clock, decode, shard, wire};
}
pub use decode::{Json, JsonKind};

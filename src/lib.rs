//! Thousands of Discord gateway shards from one pinned io_uring thread per core.

#![warn(missing_debug_implementations)]

pub mod clock;
pub mod command;
mod config;
pub mod decode;
#[cfg(feature = "driver")]
mod driver;
mod error;
pub mod metrics;
pub mod model;
pub mod shard;
pub mod wire;

pub use config::{
    Config, ConfigBuilder, DEFAULT_GATEWAY_URL, Delivery, Intents, Interest, Limits, Shards,
};
#[cfg(feature = "driver")]
pub use driver::{Engine, Handle, Receipt, Stop};
pub use error::{Error, ErrorKind, Fault};
pub use metrics::Metrics;
pub use model::{Event, EventKind, EventSet};
pub use shard::ShardId;
pub use shard::handler::{Context, Handler, Link, Panicked};
pub use shard::token::Token;
pub use wire::Compression;

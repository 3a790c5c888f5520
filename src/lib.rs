//! Thousands of Discord gateway shards from one pinned io_uring thread per core.

pub mod clock;
pub mod command;
pub mod decode;
mod metrics;
pub mod model;
pub mod shard;
pub mod wire;

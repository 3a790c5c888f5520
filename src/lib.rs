//! Thousands of Discord gateway shards from one pinned io_uring thread per core.

pub mod clock;
pub mod decode;
pub mod model;
mod metrics;
pub mod shard;
pub mod wire;

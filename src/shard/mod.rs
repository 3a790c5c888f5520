//! The protocol of one shard, without sockets and without a clock.
pub mod backoff;
pub mod close;
pub mod counters;
pub mod heartbeat;
pub mod id;
pub mod identify;
pub mod notice;
pub mod outbox;
pub mod payload;
pub mod session;
pub mod settings;
pub mod token;

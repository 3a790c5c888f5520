//! The protocol of one shard, without sockets and without a clock.

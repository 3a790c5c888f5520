//! Which shard of how many. A plain value; everybody in `shard` and above uses it.

use std::fmt;

/// A shard's number and how many there are, as IDENTIFY tells Discord: `[id, total]`
/// (protocol section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId {
    /// Its number, from 0.
    pub id: u32,
    /// How many shards share the guilds; at least 1.
    pub total: u32,
}

impl ShardId {
    /// Shard `id` of `total`.
    pub const fn new(id: u32, total: u32) -> Self {
        Self { id, total }
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.id, self.total)
    }
}

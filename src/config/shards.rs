//! Which shards an engine runs: ids and their total, or as many as Discord recommends.

use std::collections::BTreeSet;
use std::ops::Range;

/// Which shards of how many this engine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shards {
    ids: Vec<u32>,
    total: u32,
    recommended: bool,
}

impl Shards {
    /// All shards of a total.
    pub fn all(total: u32) -> Self {
        Self::range(0..total, total)
    }

    /// A range of a total: several processes may share one bot.
    pub fn range(ids: Range<u32>, total: u32) -> Self {
        Self { ids: ids.collect(), total, recommended: false }
    }

    /// A list of a total. Sorted; named twice is the same as once.
    pub fn list(ids: impl IntoIterator<Item = u32>, total: u32) -> Self {
        let ids: BTreeSet<u32> = ids.into_iter().collect();
        Self { ids: ids.into_iter().collect(), total, recommended: false }
    }

    /// As many as `GET /gateway/bot` recommends, all of them in this process. Several processes
    /// name a fixed total instead: the recommended number changes as the bot grows.
    pub const fn recommended() -> Self {
        Self { ids: Vec::new(), total: 0, recommended: true }
    }

    /// As many as Discord recommends; how many is not known yet.
    pub const fn is_recommended(&self) -> bool {
        self.recommended
    }

    /// What is wrong with them, if anything.
    pub(super) fn check(&self, discovers: bool) -> Result<(), String> {
        let Self { ids, total, .. } = self;
        if self.is_recommended() {
            return match discovers {
                true => Ok(()),
                false => Err("as many as recommended are wanted, and discovery is off".to_owned()),
            };
        }
        if *total == 0 || *total > SHARDS_MAX {
            return Err(format!("the total is {total}; it must be 1 to {SHARDS_MAX}"));
        }
        if ids.is_empty() {
            return Err("the range or list is empty".to_owned());
        }
        match ids.iter().find(|id| *id >= total) {
            Some(id) => Err(format!("id {id} does not exist in a total of {total}")),
            None => Ok(()),
        }
    }

    /// The ids, ascending; none where they are not known yet.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The `num_shards` of IDENTIFY.
    pub fn total(&self) -> u32 {
        self.total
    }
}

/// The largest `num_shards` accepted: beyond it something is mistyped.
const SHARDS_MAX: u32 = 1 << 20;

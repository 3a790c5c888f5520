//! Which connections a core does not read for now, and for how long: paused shards, long backlogs,
//! a full pool.
//!
//! It arms and cancels receives, and decides nothing: the shards, the backlogs and the relief of
//! the pool have. Part of [`Core`].

use crate::driver::core::{BACKLOG_LEN_MAX, Core};
use crate::driver::link::{Hold, LinkKey, Op, Receive};
use crate::shard::handler::Handler;

impl<H: Handler> Core<H> {
    /// Arms or cancels the receive by whether the shard is held.
    pub(super) fn hold_or_release(&mut self, local: u32) {
        let slot = &self.shards[local as usize];
        let Some(key) = slot.link else { return };
        let is_held = slot.shard.is_held(self.desk.is_halted());
        let Some(link) = self.links.find(key) else { return };
        match (is_held, link.hold) {
            (true, Hold::None | Hold::Pool | Hold::Backlog) => self.set_hold(key, Hold::Paused),
            // Its receive could not be cancelled then.
            (true, Hold::Paused) if link.receive == Receive::Armed => {
                self.set_hold(key, Hold::Paused);
            }
            (false, Hold::Paused) => self.set_hold(key, Hold::None),
            (false, Hold::None) if link.backlog.len() >= BACKLOG_LEN_MAX => {
                self.set_hold(key, Hold::Backlog);
            }
            (false, Hold::Backlog) if link.backlog.is_empty() => self.set_hold(key, Hold::None),
            _ => {}
        }
    }

    /// Holds a connection's receive, or lets it go on.
    pub(super) fn set_hold(&mut self, key: LinkKey, hold: Hold) {
        let Some(link) = self.links.find(key) else { return };
        let Some(local) = link.shard else { return };
        link.hold = hold;
        if hold == Hold::None {
            self.starved.push(key);
            if !link.backlog.is_empty() && !link.is_runnable {
                link.is_runnable = true;
                self.runnable.push_back(key);
            }
        } else if link.receive == Receive::Armed {
            link.receive = Receive::Cancelling;
            // Should the queue be full, the next settling tries again: it is still armed then.
            let data = key.user_data(Op::Receive);
            if self.ring.cancel(data, key.user_data(Op::Ignored)).is_err() {
                link.receive = Receive::Armed;
            }
        }
        self.count_held(local);
    }

    /// Keeps the time in which a shard's bytes wait.
    pub(super) fn count_held(&mut self, local: u32) {
        let slot = &mut self.shards[local as usize];
        let link = slot.link.and_then(|key| self.links.find(key));
        let waits = link.is_some_and(|link| link.hold != Hold::None || !link.backlog.is_empty());
        if waits != slot.held.since.is_some() {
            slot.held.set(self.clock.now(), waits);
        }
    }
}

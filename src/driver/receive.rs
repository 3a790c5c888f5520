//! What a core does with a completion: bytes to the shard or to the backlog, the end of a send or
//! of a connect.
//!
//! A ring buffer is held while its bytes are handed to the shard, and recycled before the next
//! completion; what the shard does not take lies in chunks of the pool. Part of [`Core`].

use std::io;

use crate::clock::Time;
use crate::driver::core::Core;
use crate::driver::link::{LinkKey, Receive};
use crate::driver::ring::{Completion, Filled};
use crate::shard::Flow;
use crate::shard::close::LinkEnd;
use crate::shard::handler::Handler;
use crate::wire::Cleared;

impl<H: Handler> Core<H> {
    /// Bytes came, or a multishot receive ended.
    pub(super) fn received(&mut self, key: LinkKey, completion: Completion) -> io::Result<()> {
        let Completion { result, filled, more, .. } = completion;
        let Some(link) = self.links.find(key) else {
            // Nobody's: the link is gone. Its buffer is still ours to give back.
            if let Some(filled) = filled {
                self.ring.recycle(filled);
            }
            return Ok(());
        };
        if !more {
            link.receive = Receive::Off;
        }
        let (shard, is_broken) = (link.shard, link.is_broken);
        let mut ended = None;
        if let Some(filled) = filled {
            if let Some(local) = shard
                && filled.len() > 0
            {
                ended = self.take(key, local, &filled);
            }
            self.ring.recycle(filled);
        }
        let Some(local) = shard else { return Ok(()) };
        if ended.is_none() && !more {
            let end = match -result {
                _ if result > 0 => None,
                0 | libc::ECANCELED if is_broken => Some(LinkEnd::Reset),
                0 => Some(self.end_of_bytes(key, local)),
                libc::ENOBUFS => {
                    self.desk.stage.metrics.counters.buffers_exhausted += 1;
                    None
                }
                libc::ECANCELED | libc::EINTR => None,
                _ => Some(LinkEnd::Reset),
            };
            match (end, self.links.find(key)) {
                // What came before the end is worked off before the end is told.
                (Some(_), Some(link)) if !link.backlog.is_empty() => link.ending = end,
                _ => ended = end,
            }
        }
        match ended {
            Some(end) => self.end_link(local, end),
            None => {
                if !more && self.links.find(key).is_some_and(|link| link.ending.is_none()) {
                    self.starved.push(key);
                }
                self.settle(local);
            }
        }
        Ok(())
    }

    /// The peer has said its last byte: whether that ends TLS, the proxy's answer, or neither.
    fn end_of_bytes(&mut self, key: LinkKey, local: u32) -> LinkEnd {
        let Some(link) = self.links.find(key) else { return LinkEnd::Eof };
        let Err(error) = link.channel.eof() else { return LinkEnd::Eof };
        let end = self.shards[local as usize].shard.broke(error);
        // Many close TCP without a word of TLS: told with the end, no fault of TLS.
        if link.channel.is_open() { LinkEnd::Eof } else { end }
    }

    /// Hands the bytes of a ring buffer to a shard, or to the backlog if they have to wait.
    pub(super) fn take(&mut self, key: LinkKey, local: u32, filled: &Filled) -> Option<LinkEnd> {
        let now = self.clock.now();
        let mut bytes = self.ring.bytes(filled);
        let link = self.links.find(key)?;
        let slot = &mut self.shards[local as usize];
        self.desk.stage.metrics.counters.wire_len += bytes.len() as u64;
        slot.shard.heard(now);
        let mut budget = self.limits.payloads_per_turn;
        while !bytes.is_empty() {
            let (pool, record) = (&mut self.desk.pool, &mut self.record);
            let cleared = match link.channel.open(bytes, pool, record) {
                Ok(cleared) => cleared,
                Err(error) => return Some(slot.shard.broke(error)),
            };
            let Cleared { plain, ended, .. } = cleared;
            let taken = cleared.used;
            let mut used = 0;
            if link.backlog.is_empty() && !plain.is_empty() {
                let received = slot.shard.receive(now, plain, &mut budget, &mut self.desk);
                if let Flow::Ended(end) = received.flow {
                    return Some(end);
                }
                used = received.used;
            }
            let rest = &plain[used..];
            if !rest.is_empty() && link.backlog.push(rest, &mut self.desk.pool).is_err() {
                return Some(LinkEnd::Wire); // The pool's hard bound.
            }
            if ended {
                // Not to wait for TCP's end: a server may leave that to us.
                if link.backlog.is_empty() {
                    return Some(LinkEnd::Eof);
                }
                link.ending = Some(LinkEnd::Eof);
                break;
            }
            bytes = &mut bytes[taken..];
        }
        if !link.backlog.is_empty() {
            link.backlog_since.get_or_insert(now);
            if !slot.shard.is_held(self.desk.is_halted()) && !link.is_runnable {
                link.is_runnable = true;
                self.runnable.push_back(key);
            }
        }
        None
    }

    /// Gives the links with a backlog their shares, in turn, until the turn is over; each of them
    /// one at the least, so that reaping alone cannot starve them.
    pub(super) fn work_off_backlogs(&mut self, end: Time) {
        let mut owed = self.runnable.len();
        while let Some(key) = self.runnable.pop_front() {
            self.work_off(key);
            owed = owed.saturating_sub(1);
            if owed == 0 && self.clock.now() >= end {
                break;
            }
        }
    }

    pub(super) fn work_off(&mut self, key: LinkKey) {
        let Some(link) = self.links.find(key) else { return };
        link.is_runnable = false;
        let Some(local) = link.shard else { return };
        let slot = &mut self.shards[local as usize];
        let mut ended = None;
        let mut budget = self.limits.payloads_per_turn;
        while !link.backlog.is_empty() {
            let now = self.clock.now();
            // It waits at least since then: rather too long a latency shown than too short.
            let since = link.backlog_since.unwrap_or(now);
            let front = link.backlog.front();
            let received = slot.shard.receive(since, front, &mut budget, &mut self.desk);
            link.backlog.consume(received.used, &mut self.desk.pool);
            if link.backlog.is_empty() {
                link.backlog_since = None;
            }
            match received.flow {
                Flow::All => {}
                Flow::Paused => break, // `settle` holds it.
                Flow::Budget => {
                    link.is_runnable = true;
                    self.runnable.push_back(key);
                    break;
                }
                Flow::Ended(end) => {
                    ended = Some(end);
                    break;
                }
            }
        }
        if ended.is_none() && link.backlog.is_empty() {
            ended = link.ending.take();
        }
        match ended {
            Some(end) => self.end_link(local, end),
            None => self.settle(local),
        }
    }

    /// A send has completed.
    pub(super) fn sent(&mut self, key: LinkKey, result: i32) {
        let Some(link) = self.links.find(key) else { return };
        let Some(sending) = link.sending.take() else { return };
        let Some(local) = link.shard else { return };
        let whole = usize::try_from(result).is_ok_and(|sent| sent == sending.bytes.len());
        if !whole {
            // Short only when the connection broke in the middle. What the peer said before that, a
            // close code above all, may lie in the socket yet: the receive ends behind it.
            link.is_broken = true;
            match link.receive {
                Receive::Armed => link.shut_down(),
                Receive::Off | Receive::Cancelling => self.end_link(local, LinkEnd::Reset),
            }
            return;
        }
        let now = self.clock.now();
        drop(sending);
        self.shards[local as usize].shard.written(now, &mut self.desk.stage.metrics);
        self.settle(local);
    }
}

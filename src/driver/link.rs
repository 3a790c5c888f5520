//! One TCP connection of one shard, and the table of all connections of a core.
//!
//! It holds what the kernel may still use: a link is removed only when no operation of its is in
//! flight ([`Link::is_quiet`]), so its descriptor, its connect request and its send buffer outlive
//! every operation. It never looks at a byte. Invariant of the table: a key carries a generation,
//! so a completion that comes late finds nobody and not the next tenant. The core calls it.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use crate::clock::Time;
use crate::driver::ring::ConnectRequest;
use crate::shard::close::LinkEnd;
use crate::wire::{Channel, ChunkQueue};

/// Which operation a completion belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    Receive = 1,
    Send = 2,
    Connect = 3,
    /// Completions that need no answer: cancellations and linked time-outs.
    Ignored = 4,
}

/// Names a link for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkKey {
    index: u32,
    /// 24 bits are kept in a completion: 16 million reuses of one slot before a clash.
    generation: u32,
}

const GENERATION_MASK: u32 = 0x00FF_FFFF;

impl LinkKey {
    /// The `user_data` of an operation of this link.
    pub(crate) fn user_data(self, op: Op) -> u64 {
        (op as u64) << 56 | u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// What `user_data` made of a key and an operation.
    pub(crate) fn parse(user_data: u64) -> (Self, Op) {
        let op = match (user_data >> 56) as u8 {
            1 => Op::Receive,
            2 => Op::Send,
            3 => Op::Connect,
            _ => Op::Ignored,
        };
        let generation = (user_data >> 32) as u32 & GENERATION_MASK;
        (Self { index: user_data as u32, generation }, op)
    }
}

/// Where a link's multishot receive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receive {
    /// Not armed.
    Off,
    /// Armed: completions come by themselves.
    Armed,
    /// A cancellation is on its way; the last completion has not come.
    Cancelling,
}

/// Why a link does not receive though it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nothing holds it.
    None,
    /// The shard is paused, or its core's dispatches are stopped.
    Paused,
    /// The pool is full, and this link is among the largest.
    Pool,
    /// Its backlog is long enough.
    Backlog,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// The local index of its shard; `None` when the shard has let go of it and only its last
    /// completions are awaited.
    pub(crate) shard: Option<u32>,
    stream: std::net::TcpStream,
    /// The connect in flight.
    pub(crate) connecting: Option<Box<ConnectRequest>>,
    pub(crate) receive: Receive,
    pub(crate) hold: Hold,
    /// The send in flight.
    pub(crate) sending: Option<Sending>,
    /// A send failed: nothing more is sent, and what the peer had said before is read to its end.
    pub(crate) is_broken: bool,
    /// What the bytes pass between the socket and the shard.
    pub(crate) channel: Channel,
    /// Bytes that have passed the channel and wait for the shard to take them.
    pub(crate) backlog: ChunkQueue,
    /// When its oldest bytes came.
    pub(crate) backlog_since: Option<Time>,
    /// How the connection ended, if bytes that came before still wait.
    pub(crate) ending: Option<LinkEnd>,
    /// The link stands in the core's list of those with a backlog to work on.
    pub(crate) is_runnable: bool,
}

/// A send in flight.
#[derive(Debug)]
pub(crate) struct Sending {
    /// Not touched until the completion: the kernel reads it.
    pub(crate) bytes: Vec<u8>,
    pub(crate) since: Time,
    /// What the core had left unread by then, since the start.
    pub(crate) unread: Duration,
}

impl Link {
    /// A link on a socket that is about to connect.
    pub(crate) fn new(shard: u32, stream: std::net::TcpStream) -> Self {
        Self {
            shard: Some(shard),
            stream,
            connecting: None,
            receive: Receive::Off,
            hold: Hold::None,
            sending: None,
            is_broken: false,
            channel: Channel::plain(),
            backlog: ChunkQueue::default(),
            backlog_since: None,
            ending: None,
            is_runnable: false,
        }
    }

    /// The descriptor, open for as long as the link lives.
    pub(crate) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// No operation is in flight: the link may be removed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.receive == Receive::Off && self.sending.is_none() && self.connecting.is_none()
    }

    /// Bytes that wait in chunks of the pool.
    pub(crate) fn held_len(&self) -> usize {
        self.channel.held_len() + self.backlog.len()
    }

    /// Ends both directions, so that operations in flight complete.
    pub(crate) fn shut_down(&self) {
        // Fails only where there is no connection to end.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// The links of a core.
#[derive(Debug, Default)]
pub(crate) struct Links {
    slots: Vec<Slot>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    link: Option<Box<Link>>,
}

impl Links {
    pub(crate) fn insert(&mut self, link: Link) -> LinkKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer links than 2^32")
        });
        let slot = &mut self.slots[index as usize];
        slot.link = Some(Box::new(link));
        self.len += 1;
        LinkKey { index, generation: slot.generation }
    }

    pub(crate) fn find(&mut self, key: LinkKey) -> Option<&mut Link> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        slot.link.as_deref_mut()
    }

    /// Removes a link that is quiet.
    pub(crate) fn remove(&mut self, key: LinkKey) -> Option<Box<Link>> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let link = slot.link.take()?;
        assert!(link.is_quiet(), "a link was removed with operations in flight");
        slot.generation = (slot.generation + 1) & GENERATION_MASK;
        self.free.push(key.index);
        self.len -= 1;
        Some(link)
    }

    /// How many there are, those that only await their last completions included.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (LinkKey, &mut Link)> {
        self.slots.iter_mut().enumerate().filter_map(|(index, slot)| {
            let key = LinkKey { index: index as u32, generation: slot.generation };
            slot.link.as_deref_mut().map(|link| (key, link))
        })
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // The core ends its links before it goes. If it could not (it panicked), what the kernel
        // may still use is leaked rather than freed under it.
        for slot in &mut self.slots {
            if slot.link.as_ref().is_some_and(|link| !link.is_quiet()) {
                std::mem::forget(slot.link.take());
            }
        }
    }
}

//! One shard from outside: its status, its stages, and orders to it.
//!
//! Each call is a mail to the shard's core; nothing here blocks or reads a shard. Users get it of
//! [`Handle::shard`].

use std::fmt;
use std::sync::Arc;

use crate::driver::handle::Handle;
use crate::driver::mailbox::{Mail, Mailbox};
use crate::driver::receipt::{Receipt, receipt};
use crate::driver::stages::Part;
use crate::error::Error;
use crate::shard::session::LifeOrder;
use crate::shard::stage::Stage;
use crate::shard::status::ShardStatus;

/// A handle to one shard: `Clone`, `Send`, `Sync`, cheap; no call of it blocks.
///
/// What its orders do:
///
/// | order | its connection | its session | then | the receipt resolves |
/// |---|---|---|---|---|
/// | [`reconnect`](Self::reconnect) | closed with 4000 | resumed | dials again within a second | as it is closed |
/// | [`restart`](Self::restart) | closed with 1000 | ended | identifies anew, when budget and gate let it | as it is closed |
/// | [`terminate`](Self::terminate) | closed with 4000 | kept | stays down | when it is down |
/// | [`close`](Self::close) | closed with 1000 | ended | stays down | when it is down |
/// | [`abort`](Self::abort) | cut, no close frame | kept | stays down | when it is down |
/// | [`start`](Self::start) | | resumed, if kept | dials when it is its turn | at once |
///
/// A session that is kept can be resumed for as long as Discord keeps it, some minutes; what came
/// meanwhile is replayed. A session that is ended is told as
/// [`Link::SessionLost`](crate::Link::SessionLost): events are missed until the next READY.
/// Commands that wait go on waiting while a shard is down. An engine whose shards are all down goes
/// on.
///
/// Every order fails with [`ErrorKind::Refused`](crate::ErrorKind::Refused) once Discord has
/// refused the shard for good, with [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) once the
/// engine stops, and with [`ErrorKind::Full`](crate::ErrorKind::Full) where too many calls wait for
/// the core.
#[derive(Clone)]
pub struct ShardHandle {
    mailbox: Arc<Mailbox>,
    shard: u32,
    core: usize,
}

impl Handle {
    /// A handle to one shard.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchShard`](crate::ErrorKind::NoSuchShard) if this engine does not run it.
    pub fn shard(&self, shard: u32) -> Result<ShardHandle, Error> {
        let mailbox = self.mailbox(shard)?;
        let same = |other: &Arc<Mailbox>| std::ptr::eq(Arc::as_ptr(other), mailbox);
        let core = self.mailboxes.iter().position(same).unwrap_or(0);
        Ok(ShardHandle { mailbox: Arc::clone(&self.mailboxes[core]), shard, core })
    }
}

impl ShardHandle {
    /// The shard's number.
    pub fn id(&self) -> u32 {
        self.shard
    }

    /// What is known of it now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`](crate::ErrorKind::Full),
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
    pub fn status(&self) -> Receipt<ShardStatus> {
        let (giver, receipt) = receipt();
        let core = self.core;
        let visit = Box::new(move |now, shard: &mut crate::shard::Shard| {
            giver.give(Ok(shard.status(now, core)));
        });
        match self.mailbox.push(Mail::Visit { shard: self.shard, visit }) {
            Ok(()) => receipt,
            Err(refused) => Receipt::given(Err(refused.into())),
        }
    }

    /// Resolves when the shard is at this stage: at once if it is now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) if Discord refuses the shard for good,
    /// [`ErrorKind::NotConnected`](crate::ErrorKind::NotConnected) if its user takes it down or has
    /// it down ([`start`](Self::start) it first),
    /// [`ErrorKind::Dropped`](crate::ErrorKind::Dropped) if it is going down, that is waited for,
    /// and it is started again before,
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) if the engine stops before,
    /// [`ErrorKind::Full`](crate::ErrorKind::Full) if 1024 such receipts are open on a core.
    pub fn wait_for(&self, stage: Stage) -> Receipt<()> {
        let (mut parts, receipt) = Part::split(1);
        let Some(part) = parts.pop() else { return receipt };
        match self.mailbox.push(Mail::Await { shard: Some(self.shard), stage, part }) {
            Ok(()) => receipt,
            Err(refused) => Receipt::given(Err(refused.into())),
        }
    }

    /// Closes the connection in the 4000 range and resumes the session on another. Without effect
    /// where another connection is planned already or being made: its back-off is kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotConnected`](crate::ErrorKind::NotConnected) without a session that could be
    /// resumed, and if the shard is down. It never costs an IDENTIFY of itself.
    pub fn reconnect(&self) -> Receipt<()> {
        self.order(LifeOrder::Reconnect)
    }

    /// Ends the session (close code 1000) and identifies anew, which takes one of the day's session
    /// starts and waits for its turn at the gate. A shard that is down is started; without effect
    /// on one that is on its way to a new session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Budget`](crate::ErrorKind::Budget) if no other IDENTIFY may go now: the session
    /// is kept then, and goes on.
    pub fn restart(&self) -> Receipt<()> {
        self.order(LifeOrder::Restart)
    }

    /// Takes the shard down, with a close code in the 4000 range: Discord keeps the session for
    /// some minutes, in which [`start`](Self::start) resumes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Dropped`](crate::ErrorKind::Dropped) if the shard is started again before it is
    /// down.
    pub fn terminate(&self) -> Receipt<()> {
        self.order(LifeOrder::Terminate)
    }

    /// Takes the shard down with close code 1000: the session is over and the shard's part of the
    /// bot goes offline. Voice hand-offs and collections of members end, as nothing more will come
    /// for them.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate).
    pub fn close(&self) -> Receipt<()> {
        self.order(LifeOrder::Close)
    }

    /// Takes the shard down at once: its connection is cut without a close frame. Discord keeps the
    /// session for some minutes.
    ///
    /// # Errors
    ///
    /// Those of every order.
    pub fn abort(&self) -> Receipt<()> {
        self.order(LifeOrder::Abort)
    }

    /// Starts a shard that is down: it resumes its session, or identifies if it has none. Without
    /// effect on one that runs. Follow it with [`wait_for`](Self::wait_for).
    ///
    /// # Errors
    ///
    /// Those of every order.
    pub fn start(&self) -> Receipt<()> {
        self.order(LifeOrder::Start)
    }

    fn order(&self, order: LifeOrder) -> Receipt<()> {
        let (told, receipt) = receipt();
        match self.mailbox.push(Mail::Order { shard: self.shard, order, told }) {
            Ok(()) => receipt,
            Err(refused) => Receipt::given(Err(refused.into())),
        }
    }
}

impl fmt::Debug for ShardHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardHandle").field("shard", &self.shard).finish_non_exhaustive()
    }
}

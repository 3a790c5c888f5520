//! What may be asked of the engine as a whole: who is how far, its end, the gateway.
//!
//! Part of [`Handle`], which users have. Nothing here blocks.

use std::time::SystemTime;

use crate::driver::gateway_info::{Facts, GatewayInfo};
use crate::driver::handle::Handle;
use crate::driver::mailbox::Mail;
use crate::driver::receipt::Receipt;
use crate::driver::shared::StageCounts;
use crate::driver::stages::Part;
use crate::error::Error;
use crate::shard::stage::Stage;

impl Handle {
    /// Resolves when each shard has been at this stage at some moment from now on (now included).
    /// Shards that their user has taken down are left out, unless it is [`Stage::Stopped`] that is
    /// waited for.
    ///
    /// [`ready`](Self::ready) counts from the engine's start: it resolves at once where every shard
    /// was READY, though it may not be now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) if Discord refuses a shard for good,
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) if the engine stops before,
    /// [`ErrorKind::Full`](crate::ErrorKind::Full) if 1024 such receipts are open on a core.
    pub fn wait_all(&self, stage: Stage) -> Receipt<()> {
        let (parts, receipt) = Part::split(self.mailboxes.len());
        for (mailbox, part) in self.mailboxes.iter().zip(parts) {
            // Refused: the part is dropped with its mail, which fails the receipt.
            if let Err(refused) = mailbox.push(Mail::Await { shard: None, stage, part }) {
                return Receipt::given(Err(Error::from(refused)));
            }
        }
        receipt
    }

    /// Resolves when no shard is at this stage: at once if none is now. `wait_none(Stage::Ready)`
    /// is the moment in which the last session went down; [`wait_all`](Self::wait_all) tells when
    /// all are back. It resolves at the engine's end, too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`](crate::ErrorKind::Full) if 1024 such receipts are open.
    pub fn wait_none(&self, stage: Stage) -> Receipt<()> {
        self.shared.none(stage)
    }

    /// How many shards are at which stage now.
    pub fn stages(&self) -> StageCounts {
        self.shared.stages()
    }

    /// Resolves when the engine has ended: every core's shards are gone and its
    /// [`Handler::on_stop`](crate::Handler::on_stop) is over. It is
    /// [`Engine::join`](crate::Engine::join) for those who do not own the engine; to drop the
    /// receipt changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Engine::join`](crate::Engine::join).
    pub fn stopped(&self) -> Receipt<()> {
        self.shared.end()
    }

    /// Ends the engine at once: connections are cut without a close frame,
    /// [`Handler::on_stop`](crate::Handler::on_stop) is not called. Sessions stay resumable at
    /// Discord for some minutes. A handler that is in a call, or in `on_stop` of an earlier
    /// [`stop`](Self::stop), is not interrupted.
    pub fn abort(&self) {
        for mailbox in self.mailboxes.iter() {
            // Closed: that core has ended.
            let _ = mailbox.push_internal(Mail::Abort);
        }
    }

    /// When the engine was started, by the wall clock: what [`Time`](crate::Time)s of events and
    /// statuses count from.
    pub fn started_at(&self) -> SystemTime {
        self.facts().origin
    }

    /// The gateway's address, the recommended number of shards, and the session starts that are
    /// left now. Reads the [`book`](crate::ConfigBuilder::book), if there is one.
    pub fn gateway_info(&self) -> GatewayInfo {
        self.facts().info()
    }

    fn facts(&self) -> &Facts {
        self.shared.facts.get().expect("set before anybody has a handle")
    }
}

//! Commands by the handle: to a shard, to all, to the shard of a guild.
//!
//! Everything is checked on the caller's thread; what is valid goes to the shard's core, and the
//! receipt tells the rest. Waiting for a receipt without an executor is here, too.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::Handle;
use crate::command::{
    Command, Outgoing, Presence, RequestChannelInfo, RequestGuildMembers, RequestSoundboardSounds,
    Rules, SOUNDBOARD_GUILDS_MAX, UpdatePresence, UpdateVoiceState,
};
use crate::driver::mailbox::Mail;
use crate::driver::receipt::{Receipt, receipt};
use crate::error::{Error, ErrorKind};
use crate::model::GuildId;
use crate::shard::receipt::{CommandReceipt, CommandSent, ticket};

impl Handle {
    /// Sends a command on a shard: any of [`command`](crate::command), as it is or with a priority
    /// and a deadline. Checked and written as JSON here, on the caller's thread.
    ///
    /// The receipt resolves when the command was written to the socket. Dropping it does nothing.
    ///
    /// # Errors
    ///
    /// By the receipt: [`ErrorKind::Command`] if it is not valid, longer than 4096 bytes, or of a
    /// guild of another shard; [`ErrorKind::NoSuchShard`]; [`ErrorKind::Full`] if too many wait;
    /// [`ErrorKind::NotConnected`] for a heartbeat without a connection. Later:
    /// [`ErrorKind::Superseded`], [`ErrorKind::Expired`], [`ErrorKind::Cancelled`],
    /// [`ErrorKind::RateLimited`], [`ErrorKind::Dropped`] if the connection ended as it was being
    /// written, [`ErrorKind::Stopped`].
    pub fn send(&self, shard: u32, command: impl Into<Outgoing>) -> CommandReceipt {
        self.try_send(shard, command.into()).unwrap_or_else(CommandReceipt::rejected)
    }

    fn try_send(&self, shard: u32, command: Outgoing) -> Result<CommandReceipt, Error> {
        let mailbox = self.mailbox(shard)?;
        let rules = Rules { intents: self.intents, shard: Some((shard, self.total)) };
        let command = command.prepare(&rules)?;
        let (ticket, receipt) = ticket();
        let given_at = Instant::now();
        mailbox.push(Mail::Command { shard, command, ticket, given_at })?;
        Ok(receipt)
    }

    /// Changes what the bot shows on a shard.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn update_presence(&self, shard: u32, presence: UpdatePresence) -> CommandReceipt {
        self.send(shard, presence)
    }

    /// Changes what the bot shows, on every shard of this engine.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), shard by shard.
    pub fn update_presence_all(&self, presence: &UpdatePresence) -> CommandReceipts {
        let shards = self.shards.iter();
        shards.map(|shard| (*shard, self.send(*shard, presence.clone()))).collect()
    }

    /// What is set on a shard: by the last command, sent or waiting, or else what IDENTIFY says;
    /// `None` if neither says anything.
    ///
    /// # Errors
    ///
    /// By the receipt: [`ErrorKind::NoSuchShard`], [`ErrorKind::Full`], [`ErrorKind::Stopped`].
    pub fn presence(&self, shard: u32) -> Receipt<Option<Presence>> {
        let (giver, receipt) = receipt();
        let asked = self.visit(shard, |_, shard| giver.give(Ok(shard.session().presence())));
        match asked {
            Ok(()) => receipt,
            Err(error) => Receipt::given(Err(error)),
        }
    }

    /// Joins, moves or leaves a voice channel, on the guild's shard.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`ErrorKind::NoSuchShard`] if another engine runs that shard.
    pub fn update_voice_state(&self, voice: UpdateVoiceState) -> CommandReceipt {
        self.send_to(voice.guild_id, voice.into())
    }

    /// Asks for members of a guild, on its shard. They come as GUILD_MEMBERS_CHUNK.
    ///
    /// # Errors
    ///
    /// As [`update_voice_state`](Self::update_voice_state).
    pub fn request_guild_members(&self, request: RequestGuildMembers) -> CommandReceipt {
        self.send_to(request.guild_id, request.into())
    }

    /// Asks for channel info of a guild, on its shard. It comes as CHANNEL_INFO.
    ///
    /// # Errors
    ///
    /// As [`update_voice_state`](Self::update_voice_state).
    pub fn request_channel_info(&self, request: RequestChannelInfo) -> CommandReceipt {
        self.send_to(request.guild_id, request.into())
    }

    /// Asks for the soundboards of guilds, each on its shard, at most [`SOUNDBOARD_GUILDS_MAX`] in
    /// one payload. They come as SOUNDBOARD_SOUNDS, one a guild.
    ///
    /// # Errors
    ///
    /// As [`update_voice_state`](Self::update_voice_state), payload by payload.
    pub fn request_soundboard_sounds<G: Into<GuildId>>(
        &self,
        guild_ids: impl IntoIterator<Item = G>,
    ) -> CommandReceipts {
        let mut by_shard = BTreeMap::<u32, Vec<GuildId>>::new();
        for guild_id in guild_ids {
            let guild_id = guild_id.into();
            by_shard.entry(self.shard_of(guild_id.get())).or_default().push(guild_id);
        }
        let mut receipts = CommandReceipts::default();
        for (shard, guild_ids) in by_shard {
            for guild_ids in guild_ids.chunks(SOUNDBOARD_GUILDS_MAX) {
                let request = RequestSoundboardSounds { guild_ids: guild_ids.to_vec() };
                receipts.receipts.push((shard, self.send(shard, request)));
            }
        }
        receipts
    }

    /// Sends to the shard of a guild.
    fn send_to(&self, guild_id: GuildId, command: Command) -> CommandReceipt {
        let shard = self.shard_of(guild_id.get());
        if self.shards.binary_search(&shard).is_err() {
            return CommandReceipt::rejected(Error::new(
                ErrorKind::NoSuchShard,
                format!(
                    "guild {guild_id} belongs to shard {shard} of {}, which this engine does not \
                     run",
                    self.total
                ),
            ));
        }
        self.send(shard, command)
    }
}

impl CommandReceipt {
    /// Blocks this thread until the command was written or never will be. Never call it on a
    /// core's thread: the core could then not send.
    ///
    /// # Errors
    ///
    /// Why it was not sent; see [`Handle::send`].
    pub fn wait(&self) -> Result<CommandSent, Error> {
        loop {
            if let Some(result) = self.wait_until(None) {
                return result;
            }
        }
    }

    /// Blocks this thread until the command was written or never will be, or the time is over:
    /// then `None`.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, at_most: Duration) -> Option<Result<CommandSent, Error>> {
        self.wait_until(Instant::now().checked_add(at_most))
    }

    /// `None`: for ever.
    fn wait_until(&self, end: Option<Instant>) -> Option<Result<CommandSent, Error>> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            if let Poll::Ready(result) = self.poll_thread(&waker) {
                return Some(result);
            }
            let Some(end) = end else {
                thread::park();
                continue;
            };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.leave(&waker);
                return None;
            }
            thread::park_timeout(left);
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The receipts of one call that sent several commands. Awaited, it gives a [`CommandTally`] when
/// each was written or never will be. Dropping it changes nothing.
#[derive(Default)]
pub struct CommandReceipts {
    receipts: Vec<(u32, CommandReceipt)>,
    /// Those before it have resolved.
    next: usize,
}

/// What became of the commands of one call.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CommandTally {
    /// How many were written.
    pub sent: usize,
    /// Those that were not: of which shard, and why.
    pub failed: Vec<(u32, Error)>,
}

impl CommandReceipts {
    /// Each with its shard, in ascending order of the shards.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &CommandReceipt)> {
        self.receipts.iter().map(|(shard, receipt)| (*shard, receipt))
    }

    /// How many commands it was.
    pub fn len(&self) -> usize {
        self.receipts.len()
    }

    /// Whether it was none.
    pub fn is_empty(&self) -> bool {
        self.receipts.is_empty()
    }

    /// Takes back those that are not sent yet; gives how many those were.
    pub fn cancel(&self) -> usize {
        self.iter().filter(|(_, receipt)| receipt.cancel()).count()
    }

    /// Blocks this thread until each was written or never will be. As [`CommandReceipt::wait`].
    pub fn wait(&self) -> CommandTally {
        let mut tally = CommandTally::default();
        for (shard, receipt) in self.iter() {
            tally.add(shard, receipt.wait());
        }
        tally
    }
}

impl FromIterator<(u32, CommandReceipt)> for CommandReceipts {
    fn from_iter<I: IntoIterator<Item = (u32, CommandReceipt)>>(receipts: I) -> Self {
        Self { receipts: receipts.into_iter().collect(), next: 0 }
    }
}

impl Future for CommandReceipts {
    type Output = CommandTally;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CommandTally> {
        // One after the other: whoever is through before its turn is through when asked.
        while let Some((_, receipt)) = self.receipts.get(self.next) {
            if receipt.poll_result(cx.waker()).is_pending() {
                return Poll::Pending;
            }
            self.next += 1;
        }
        let mut tally = CommandTally::default();
        for (shard, receipt) in self.iter() {
            match receipt.poll_result(cx.waker()) {
                Poll::Ready(result) => tally.add(shard, result),
                Poll::Pending => tally.sent += 1, // And refused meanwhile: it is sent once more.
            }
        }
        Poll::Ready(tally)
    }
}

impl CommandTally {
    fn add(&mut self, shard: u32, result: Result<CommandSent, Error>) {
        match result {
            Ok(_) => self.sent += 1,
            Err(error) => self.failed.push((shard, error)),
        }
    }
}

impl fmt::Debug for CommandReceipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(shard, receipt)| (shard, receipt.status())))
            .finish()
    }
}

//! Voice and members from any thread: each call visits the guild's shard on its core.
//!
//! It decides nothing; `shard::errands` does. Users call it.

use crate::clock::Time;
use crate::driver::handle::Handle;
use crate::driver::receipt::{Receipt, receipt};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::members::MemberChunks;
use crate::model::{ChannelId, GuildId};
use crate::shard::errands::members::CollectMembers;
use crate::shard::errands::voice::{JoinVoice, OwnVoiceState};
use crate::shard::receipt::{CommandReceipt, ticket};
use crate::shard::session::Session;
use crate::voice::VoiceHandoff;

impl Handle {
    /// Joins a voice channel, or moves there; a hand-off for the same guild that is open ends with
    /// [`VoiceEnd::Superseded`](crate::VoiceEnd::Superseded).
    ///
    /// The receipt resolves as soon as the guild's shard has taken it on, also while it reconnects;
    /// the answer of Discord comes by the [`VoiceHandoff`]. `docs/voice.md` of the repository has
    /// the whole sequence.
    ///
    /// ```no_run
    /// use shardring::JoinVoice;
    /// # fn run(handle: shardring::Handle) -> Result<(), shardring::Error> {
    /// let join = JoinVoice::default().self_deaf(true);
    /// let mut voice = handle.join_voice(41771983423143937, 127121515262115840, join).wait()?;
    /// let info = voice.connected_wait()?;
    /// println!("wss://{} for guild {}", info.endpoint, info.guild_id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// By the receipt, before anything is sent: [`ErrorKind::Command`] without the intent
    /// GUILD_VOICE_STATES, [`ErrorKind::NoSuchShard`] if this engine does not run the guild's
    /// shard, [`ErrorKind::Full`], [`ErrorKind::Stopped`].
    pub fn join_voice(
        &self,
        guild_id: impl Into<GuildId>,
        channel_id: impl Into<ChannelId>,
        options: JoinVoice,
    ) -> Receipt<VoiceHandoff> {
        let (guild_id, channel_id) = (guild_id.into(), channel_id.into().get());
        self.ask(guild_id, move |now, session| {
            let (outlet, handoff) = VoiceHandoff::new(guild_id.get());
            session.join_voice(now, guild_id.get(), channel_id, options, outlet)?;
            Ok(handoff)
        })
    }

    /// Leaves voice in a guild, whether or not the bot is known to be there. An open hand-off ends
    /// with [`VoiceEnd::Left`](crate::VoiceEnd::Left).
    ///
    /// The receipt resolves when the command was written to the socket.
    ///
    /// # Errors
    ///
    /// By the receipt: those of [`join_voice`](Self::join_voice), and those of
    /// [`send`](Self::send).
    pub fn leave_voice(&self, guild_id: impl Into<GuildId>) -> CommandReceipt {
        let guild_id = guild_id.into().get();
        let (ticket, receipt) = ticket();
        let visited = self.visit(self.shard_of(guild_id), move |now, shard| {
            // Refused: the ticket has told why.
            let _ = shard.session_mut().leave_voice_by(now, guild_id, ticket);
        });
        match visited {
            Ok(()) => receipt,
            Err(error) => CommandReceipt::rejected(error),
        }
    }

    /// Where the bot itself is in a guild's voice, as Discord told last; `None`: nowhere, or not
    /// known (which needs the intents GUILDS and GUILD_VOICE_STATES).
    ///
    /// # Errors
    ///
    /// By the receipt: [`ErrorKind::NoSuchShard`], [`ErrorKind::Full`], [`ErrorKind::Stopped`].
    pub fn voice_state(&self, guild_id: impl Into<GuildId>) -> Receipt<Option<OwnVoiceState>> {
        let guild_id = guild_id.into();
        self.ask(guild_id, move |_, session| Ok(session.voice_state(guild_id.get()).cloned()))
    }

    /// Asks for members of a guild, and collects the chunks of the answer.
    ///
    /// The receipt resolves as soon as the guild's shard has taken it on; the answer of Discord
    /// comes by the [`MemberChunks`].
    ///
    /// ```no_run
    /// use shardring::command::RequestGuildMembers;
    /// # fn run(handle: shardring::Handle) -> Result<(), shardring::Error> {
    /// let request = RequestGuildMembers::prefix(41771983423143937u64, "an", 100);
    /// let chunks = handle.collect_members(request).wait()?.all_wait(1)?;
    /// let found: usize = chunks.iter().map(|chunk| chunk.members_len).sum();
    /// # let _ = found;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// By the receipt, before anything is sent: those of
    /// [`Context::collect_members`](crate::Context::collect_members).
    pub fn collect_members(&self, collect: impl Into<CollectMembers>) -> Receipt<MemberChunks> {
        let collect = collect.into();
        self.ask(collect.request.guild_id, move |now, session| {
            let (outlet, chunks) = MemberChunks::new(collect.waiting_max);
            session.collect_members(now, collect, outlet)?;
            Ok(chunks)
        })
    }

    /// Asks the session of a guild's shard something, on its core.
    fn ask<T: Send + 'static>(
        &self,
        guild_id: GuildId,
        ask: impl FnOnce(Time, &mut Session) -> Result<T, Error> + Send + 'static,
    ) -> Receipt<T> {
        let (giver, receipt) = receipt();
        let visited = self.visit(self.shard_of(guild_id.get()), move |now, shard| {
            giver.give(ask(now, shard.session_mut()));
        });
        match visited {
            Ok(()) => receipt,
            Err(error) => Receipt::given(Err(error)),
        }
    }
}

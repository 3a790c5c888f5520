//! What the user asks of the [errands](crate::shard::errands), and what wakes them.

use super::Session;
use crate::clock::Time;
use crate::shard::Shard;
use crate::shard::errands::members::{CollectMembers, MembersNews};
use crate::shard::errands::voice::{JoinVoice, OwnVoiceState, VoiceChange};
use crate::shard::errands::{ErrandError, Outlet};
use crate::shard::notice::State;
use crate::shard::receipt::{CommandReceipt, Over, Ticket, ticket};

impl Session {
    /// Joins a voice channel of a guild of this shard; all news go to the outlet, the last is
    /// [`VoiceChange::Ended`].
    ///
    /// # Errors
    /// [`ErrandError`]; nothing was sent then, and the outlet is dropped untold.
    pub fn join_voice(
        &mut self,
        now: Time,
        guild_id: u64,
        channel_id: u64,
        options: JoinVoice,
        outlet: Box<dyn Outlet<VoiceChange>>,
    ) -> Result<(), ErrandError> {
        self.check_running()?;
        self.errands.join_voice(now, (guild_id, channel_id), options, outlet)?;
        self.send_errands(now);
        Ok(())
    }

    /// Leaves voice in a guild of this shard, whether or not the bot is known to be there.
    ///
    /// # Errors
    /// [`ErrandError`]; nothing was sent then.
    pub fn leave_voice(&mut self, now: Time, guild_id: u64) -> Result<CommandReceipt, ErrandError> {
        let (ticket, receipt) = ticket();
        self.leave_voice_by(now, guild_id, ticket)?;
        Ok(receipt)
    }

    /// The same, for somebody who has the receipt already.
    pub(crate) fn leave_voice_by(
        &mut self,
        now: Time,
        guild_id: u64,
        ticket: Ticket,
    ) -> Result<(), ErrandError> {
        let may = self.check_running().and_then(|()| self.errands.check_voice(guild_id));
        if let Err(error) = may {
            ticket.end(Over::Rejected(error.into()));
            return Err(error);
        }
        self.errands.leave_voice(guild_id, ticket)?;
        self.send_errands(now);
        Ok(())
    }

    /// Where the bot is in a guild's voice; `None`: nowhere, or it is not known.
    pub fn voice_state(&self, guild_id: u64) -> Option<&OwnVoiceState> {
        self.errands.voice_state(guild_id)
    }

    /// Asks for members of a guild of this shard; all news go to the outlet, the last is
    /// [`MembersNews::Ended`].
    ///
    /// # Errors
    /// [`ErrandError`]; nothing was sent then, and the outlet is dropped untold.
    pub fn collect_members(
        &mut self,
        now: Time,
        collect: CollectMembers,
        outlet: Box<dyn Outlet<MembersNews>>,
    ) -> Result<(), ErrandError> {
        self.check_running()?;
        self.errands.collect_members(now, collect, outlet)?;
        self.send_errands(now);
        Ok(())
    }

    fn check_running(&self) -> Result<(), ErrandError> {
        match self.retiring || self.state == State::Retired {
            true => Err(ErrandError::Stopped),
            false => Ok(()),
        }
    }
}

impl Shard {
    /// The session, for what is asked of it from other threads.
    pub(crate) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

//! The voice hand-off: what a voice client needs to connect, and what changes after that.
//!
//! protocol.md §10: op 4, then VOICE_STATE_UPDATE of the bot itself and VOICE_SERVER_UPDATE, in
//! either order. It never connects to voice, keeps no token after it was handed on, and believes
//! nothing of the old session once there is a new one. Invariant: one hand-off a guild; each ends
//! once, with a [`VoiceEnd`]. A part of `errands`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::voice::{GUILDS_MAX, JoinVoice, OwnVoiceState, VoiceChange, VoiceConnectInfo, VoiceEnd};
use super::{ErrandError, Out, Outlet, Patience, Posted, Taken};
use crate::clock::Time;
use crate::command::UpdateVoiceState;
use crate::model::{
    ChannelId, GuildCreate, GuildId, UnavailableGuild, UserId, VoiceServerUpdate, VoiceState,
};

/// What is to be joined, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Join {
    pub(crate) guild_id: u64,
    pub(crate) channel_id: u64,
    pub(crate) options: JoinVoice,
}

impl Join {
    fn command(&self) -> UpdateVoiceState {
        let mut command = UpdateVoiceState::join(self.guild_id, self.channel_id);
        command.self_mute = self.options.self_mute;
        command.self_deaf = self.options.self_deaf;
        command
    }
}

/// The bot in voice, on one shard.
#[derive(Debug, Default)]
pub(super) struct Voice {
    /// By guild.
    own: BTreeMap<u64, OwnVoiceState>,
    calls: BTreeMap<u64, Call>,
    /// The soonest deadline of the calls.
    soonest: Option<Time>,
}

/// A hand-off.
struct Call {
    join: Join,
    /// Where the bot is to be, or was moved to.
    channel_id: ChannelId,
    stage: Stage,
    /// The half from VOICE_STATE_UPDATE.
    session_id: Option<String>,
    /// The half from VOICE_SERVER_UPDATE, until it is handed on.
    server: Option<Server>,
    /// While joining, and while a new session has yet to show that the bot is still there.
    patience: Option<Patience>,
    posted: Posted,
    /// A new session (or an outage's end) must yet show that the bot is still there.
    is_unconfirmed: bool,
    outlet: Box<dyn Outlet<VoiceChange>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Out of the channel first: Discord tells nothing to who joins where it is already.
    Leaving,
    /// For both halves.
    Joining,
    /// It was handed on.
    Connected,
}

struct Server {
    token: String,
    endpoint: String,
}

impl Voice {
    pub(super) fn is_idle(&self) -> bool {
        self.own.is_empty() && self.calls.is_empty()
    }

    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Whether anything is known, or waited for, in the guild.
    pub(super) fn has_guild(&self, guild_id: u64) -> bool {
        self.own.contains_key(&guild_id) || self.calls.contains_key(&guild_id)
    }

    pub(super) fn own(&self, guild_id: u64) -> Option<&OwnVoiceState> {
        self.own.get(&guild_id)
    }

    pub(super) fn join(
        &mut self,
        join: Join,
        patience: Patience,
        outlet: Box<dyn Outlet<VoiceChange>>,
        out: &mut Out,
    ) -> Result<(), ErrandError> {
        let Join { guild_id, channel_id, .. } = join;
        if self.calls.len() >= GUILDS_MAX && !self.calls.contains_key(&guild_id) {
            return Err(ErrandError::TooMany { len_max: GUILDS_MAX });
        }
        self.end(guild_id, VoiceEnd::Superseded);
        let is_there =
            self.own.get(&guild_id).is_some_and(|own| own.channel_id.get() == channel_id);
        let mut call = Call {
            join,
            channel_id: ChannelId::new(channel_id),
            stage: if is_there { Stage::Leaving } else { Stage::Joining },
            session_id: None,
            server: None,
            patience: Some(patience),
            posted: Posted::default(),
            is_unconfirmed: false,
            outlet,
        };
        call.send(out);
        self.calls.insert(guild_id, call);
        self.rearm();
        Ok(())
    }

    /// The bot is about to leave.
    pub(super) fn leave(&mut self, guild_id: u64) {
        self.end(guild_id, VoiceEnd::Left);
    }

    /// VOICE_STATE_UPDATE, maybe of the bot.
    pub(super) fn state(&mut self, user_id: UserId, state: &VoiceState<'_>, out: &mut Out) {
        let Some(guild_id) = state.guild_id.value() else { return };
        if state.user_id == user_id {
            self.learn(user_id, guild_id, Some(state), out);
        }
    }

    /// GUILD_CREATE: the voice states that a new session knows, or the end of an outage.
    pub(super) fn guild_create(&mut self, user_id: UserId, guild: &GuildCreate<'_>, out: &mut Out) {
        let own = guild.voice_states.iter().find(|state| state.user_id == user_id);
        let is_unconfirmed =
            self.calls.get(&guild.id.get()).is_some_and(|call| call.is_unconfirmed);
        if own.is_some() || is_unconfirmed {
            self.learn(user_id, guild.id, own, out);
        } else {
            self.own.remove(&guild.id.get());
        }
    }

    /// Where the bot is now in a guild; without a state or a channel: nowhere.
    fn learn(
        &mut self,
        user_id: UserId,
        guild_id: GuildId,
        state: Option<&VoiceState<'_>>,
        out: &mut Out,
    ) {
        let state = state.and_then(|state| Some((state, state.channel_id?)));
        let key = guild_id.get();
        match state {
            Some((state, channel_id)) => {
                if self.own.len() < GUILDS_MAX || self.own.contains_key(&key) {
                    self.own.insert(key, OwnVoiceState::new(guild_id, channel_id, state));
                }
            }
            None => drop(self.own.remove(&key)),
        }
        let Some(call) = self.calls.get_mut(&key) else { return };
        let taken = match state {
            Some((state, channel_id)) => call.is_in(user_id, channel_id, state),
            None => match call.is_nowhere(out) {
                Ok(()) => Taken::Yes,
                Err(end) => return self.end(key, end),
            },
        };
        self.told(key, taken);
    }

    /// VOICE_SERVER_UPDATE.
    pub(super) fn server(&mut self, user_id: UserId, server: &VoiceServerUpdate<'_>) {
        let key = server.guild_id.get();
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.server = server.endpoint.filter(|endpoint| !endpoint.is_empty()).map(|endpoint| {
            Server { token: server.token.expose().to_owned(), endpoint: endpoint.to_owned() }
        });
        let taken = match (call.stage, &call.server) {
            (Stage::Connected, None) => call.outlet.give(VoiceChange::ServerGone),
            _ => call.hand_over(user_id),
        };
        self.told(key, taken);
    }

    /// GUILD_DELETE: the bot left, or there is an outage.
    pub(super) fn guild_delete(&mut self, guild: &UnavailableGuild) {
        let key = guild.id.get();
        self.own.remove(&key);
        if guild.is_removed() {
            self.end(key, VoiceEnd::GuildGone);
        } else if let Some(call) = self.calls.get_mut(&key) {
            call.is_unconfirmed = call.stage == Stage::Connected;
        }
    }

    /// A new session; `patience` is for GUILD_CREATE to show whether the bot is still in voice, if
    /// it comes at all.
    pub(super) fn session_began(&mut self, patience: Option<Patience>, out: &mut Out) {
        self.own.clear();
        for call in self.calls.values_mut() {
            if call.stage == Stage::Connected {
                call.is_unconfirmed = patience.is_some();
                call.patience = patience;
                continue;
            }
            // The new session is nowhere yet: nothing is to be left first.
            let was = std::mem::replace(&mut call.stage, Stage::Joining);
            (call.session_id, call.server) = (None, None);
            if was == Stage::Leaving || !call.posted.is_waiting() {
                call.send(out);
            }
        }
        self.rearm();
    }

    pub(super) fn session_resumed(&mut self, out: &mut Out) {
        for call in self.calls.values_mut() {
            if call.stage != Stage::Connected && call.posted.is_unknown() {
                call.send(out);
            }
        }
    }

    pub(super) fn expire(&mut self, now: Time, unread: Duration, out: &mut Out) {
        if self.soonest.is_none_or(|soonest| now < soonest) {
            return;
        }
        let mut over = Vec::new();
        for (key, call) in &mut self.calls {
            let is_over = |patience: &mut Patience| patience.is_over(now, unread);
            if call.patience.as_mut().is_some_and(is_over) {
                let was_sent = !call.posted.is_waiting();
                over.push((*key, call.stage, VoiceEnd::TimedOut { was_sent }));
            }
        }
        for (key, stage, end) in over {
            if stage == Stage::Connected {
                self.end(key, VoiceEnd::SessionLost);
            } else {
                self.end(key, end);
                // What comes too late shall not leave the bot where nobody serves it.
                out.push_untold(UpdateVoiceState::leave(key));
            }
        }
        self.rearm();
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.soonest
    }

    /// After anything that may have changed a deadline.
    fn rearm(&mut self) {
        let deadlines = self.calls.values().filter_map(|call| call.patience);
        self.soonest = deadlines.map(|patience| patience.deadline).min();
    }

    /// Ends the joins whose command was dropped.
    pub(super) fn end_dropped(&mut self) {
        let is_dropped = |call: &Call| call.stage != Stage::Connected && call.posted.is_dropped();
        while let Some((&key, _)) = self.calls.iter().find(|(_, call)| is_dropped(call)) {
            self.end(key, VoiceEnd::NotSent);
        }
    }

    pub(super) fn retire(&mut self) {
        while let Some((key, _)) = self.calls.first_key_value() {
            self.end(*key, VoiceEnd::Stopped);
        }
    }

    fn end(&mut self, key: u64, end: VoiceEnd) {
        if let Some(call) = self.calls.remove(&key) {
            call.outlet.end(VoiceChange::Ended(end));
        }
        self.rearm();
    }

    /// After news for a call.
    fn told(&mut self, key: u64, taken: Taken) {
        if taken == Taken::Gone {
            self.calls.remove(&key);
        }
        self.rearm();
    }
}

impl Call {
    /// Sends op 4, or sends it again.
    fn send(&mut self, out: &mut Out) {
        let command = match self.stage {
            Stage::Leaving => UpdateVoiceState::leave(self.join.guild_id),
            _ => self.join.command(),
        };
        out.push(command, &mut self.posted);
    }

    /// The bot is in a channel.
    fn is_in(&mut self, user_id: UserId, channel_id: ChannelId, state: &VoiceState<'_>) -> Taken {
        self.is_unconfirmed = false;
        self.patience = self.patience.filter(|_| self.stage != Stage::Connected);
        let session_id = state.session_id.expose();
        match self.stage {
            Stage::Leaving => return Taken::Yes,
            // On the way, or the echo of an older command.
            Stage::Joining if self.session_id.is_none() && channel_id != self.channel_id => {
                return Taken::Yes;
            }
            Stage::Joining | Stage::Connected => {}
        }
        if self.session_id.as_deref() != Some(session_id) {
            self.session_id = Some(session_id.to_owned());
        }
        let from = std::mem::replace(&mut self.channel_id, channel_id);
        if from != channel_id {
            let taken = self.outlet.give(VoiceChange::Moved { from, to: channel_id });
            if taken == Taken::Gone {
                return taken;
            }
        }
        self.hand_over(user_id)
    }

    /// The bot is in no channel. `Err`: this is the end.
    fn is_nowhere(&mut self, out: &mut Out) -> Result<(), VoiceEnd> {
        match self.stage {
            Stage::Leaving => {
                self.stage = Stage::Joining;
                self.server = None; // Of the place that was left.
                self.send(out);
                Ok(())
            }
            // The echo of a leave from before.
            Stage::Joining if self.session_id.is_none() => Ok(()),
            _ if self.is_unconfirmed => Err(VoiceEnd::SessionLost),
            _ => Err(VoiceEnd::Disconnected),
        }
    }

    /// Hands both halves on, if both are there.
    fn hand_over(&mut self, user_id: UserId) -> Taken {
        let (Some(session_id), Some(_)) = (&self.session_id, &self.server) else {
            return Taken::Yes;
        };
        let session_id = session_id.clone();
        let Some(Server { token, endpoint }) = self.server.take() else { return Taken::Yes };
        self.stage = Stage::Connected;
        self.patience = None;
        self.outlet.give(VoiceChange::Connect(VoiceConnectInfo {
            endpoint,
            token,
            session_id,
            guild_id: GuildId::new(self.join.guild_id),
            channel_id: self.channel_id,
            user_id,
        }))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("join", &self.join)
            .field("stage", &self.stage)
            .field("has_state", &self.session_id.is_some())
            .field("has_server", &self.server.is_some())
            .finish_non_exhaustive()
    }
}

//! The bot in voice: op 4, the two events that answer it, and what may happen to it
//! (protocol.md, section 10). No voice server stands behind the endpoint.
//!
//! As Discord does: who joins where it is already gets its state and no server; a full channel
//! answers nothing; a session that ends is out of voice.

use crate::core::Core;
use crate::protocol::bot_id;
use crate::requests::snowflake;
use crate::traffic::key;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What can happen to a bot in voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoiceFault {
    /// From now on this channel is full: who joins it is not answered.
    Full(u64),
    /// It has room again.
    Room(u64),
    /// From now on every VOICE_SERVER_UPDATE says `endpoint: null`, or no longer does.
    Endpointless(bool),
    /// From now on VOICE_SERVER_UPDATE comes before VOICE_STATE_UPDATE, or no longer does.
    ServerFirst(bool),
    /// The bot's voice server in this guild changes: VOICE_SERVER_UPDATE with a new token.
    ServerChange(u64),
    /// The bot is disconnected from voice in this guild.
    Disconnect(u64),
    /// The bot is moved.
    Move {
        /// In this guild.
        guild: u64,
        /// To this channel.
        channel: u64,
    },
}

/// Where the bot is in voice, and what goes wrong there.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    /// By session and guild; at most [`SEATS_MAX`].
    seats: BTreeMap<(u64, u64), Seat>,
    full: BTreeSet<u64>,
    endpointless: bool,
    server_first: bool,
    /// Tokens given so far.
    tokens: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    channel: u64,
    self_mute: bool,
    self_deaf: bool,
}

/// Seats that are kept; beyond, a join is answered and forgotten.
const SEATS_MAX: usize = 1_000_000;

impl Voice {
    /// A session has ended.
    pub(crate) fn end_session(&mut self, uid: u64) {
        let of_session: Vec<_> =
            self.seats.range((uid, 0)..=(uid, u64::MAX)).map(|(at, _)| *at).collect();
        for at in of_session {
            self.seats.remove(&at);
        }
    }
}

/// Answers op 4. False: it is not understood.
pub(crate) fn update(core: &mut Core, slot: usize, d: &Value) -> bool {
    let Some(guild) = snowflake(d.get("guild_id")) else { return false };
    let flag = |name| d.get(name).and_then(Value::as_bool).unwrap_or(false);
    let (self_mute, self_deaf) = (flag("self_mute"), flag("self_deaf"));
    let Some(uid) = core.session(slot).map(|session| session.uid) else { return true };
    let channel = match d.get("channel_id") {
        Some(Value::Null) => {
            leave(core, slot, guild);
            return true;
        }
        other => match snowflake(other) {
            Some(channel) => channel,
            None => return false,
        },
    };
    let was = core.voice.seats.get(&(uid, guild)).map(|seat| seat.channel);
    if was != Some(channel) && core.voice.full.contains(&channel) {
        return true;
    }
    sit(core, slot, guild, Seat { channel, self_mute, self_deaf }, was != Some(channel));
    true
}

/// Does what a fault says, to the session of a connection.
pub(crate) fn commit(core: &mut Core, slot: Option<usize>, fault: VoiceFault) {
    let voice = &mut core.voice;
    match fault {
        VoiceFault::Full(channel) => {
            voice.full.insert(channel);
        }
        VoiceFault::Room(channel) => {
            voice.full.remove(&channel);
        }
        VoiceFault::Endpointless(is) => voice.endpointless = is,
        VoiceFault::ServerFirst(is) => voice.server_first = is,
        VoiceFault::ServerChange(guild) => {
            if let Some((slot, _)) = seat(core, slot, guild) {
                server(core, slot, guild);
            }
        }
        VoiceFault::Disconnect(guild) => {
            if let Some((slot, _)) = seat(core, slot, guild) {
                leave(core, slot, guild);
            }
        }
        VoiceFault::Move { guild, channel } => {
            if let Some((slot, seat)) = seat(core, slot, guild) {
                sit(core, slot, guild, Seat { channel, ..seat }, true);
            }
        }
    }
}

fn seat(core: &Core, slot: Option<usize>, guild: u64) -> Option<(usize, Seat)> {
    let slot = slot?;
    let uid = core.session(slot)?.uid;
    core.voice.seats.get(&(uid, guild)).map(|seat| (slot, *seat))
}

/// The bot is in a channel now. A channel that it was not in comes with its server.
fn sit(core: &mut Core, slot: usize, guild: u64, seat: Seat, with_server: bool) {
    let Some(uid) = core.session(slot).map(|session| session.uid) else { return };
    if core.voice.seats.len() < SEATS_MAX {
        core.voice.seats.insert((uid, guild), seat);
    }
    let server_first = core.voice.server_first;
    if with_server && server_first {
        server(core, slot, guild);
    }
    state(core, slot, guild, Some(seat));
    if with_server && !server_first {
        server(core, slot, guild);
    }
}

fn leave(core: &mut Core, slot: usize, guild: u64) {
    let Some(uid) = core.session(slot).map(|session| session.uid) else { return };
    core.voice.seats.remove(&(uid, guild));
    state(core, slot, guild, None);
}

fn state(core: &mut Core, slot: usize, guild: u64, seat: Option<Seat>) {
    let Some(uid) = core.session(slot).map(|session| session.uid) else { return };
    let d = json!({
        "guild_id": guild.to_string(),
        "channel_id": seat.map(|seat| seat.channel.to_string()),
        "user_id": bot_id(),
        "session_id": format!("{:032x}", key(guild, 0x7673, uid)),
        "deaf": false, "mute": false,
        "self_deaf": seat.is_some_and(|seat| seat.self_deaf),
        "self_mute": seat.is_some_and(|seat| seat.self_mute),
        "self_video": false, "suppress": false, "request_to_speak_timestamp": null
    });
    core.number_stored(slot, "VOICE_STATE_UPDATE", d.to_string());
}

fn server(core: &mut Core, slot: usize, guild: u64) {
    core.voice.tokens += 1;
    let host = format!("voice{}.example.com:443", core.voice.tokens);
    let d = json!({
        "token": format!("{:016x}", key(guild, 0x7674, core.voice.tokens)),
        "guild_id": guild.to_string(),
        "endpoint": (!core.voice.endpointless).then_some(host)
    });
    core.number_stored(slot, "VOICE_SERVER_UPDATE", d.to_string());
}

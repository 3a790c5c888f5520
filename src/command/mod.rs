//! What a bot may say to the gateway, and its JSON text.
//!
//! Checking and writing happen on the caller's thread, before anything is queued: what a shard
//! receives is well formed and at most [`PAYLOAD_LEN_MAX`] bytes long. Nothing here knows a
//! connection, a clock or a rate. IDENTIFY and RESUME are the session's own and cannot be built
//! here. Called by users (through `Context` and `Handle`) and by `shard`.
//!
//! Each command is a type: [`UpdatePresence`], [`UpdateVoiceState`], [`RequestGuildMembers`],
//! [`RequestSoundboardSounds`], [`RequestChannelInfo`], [`Heartbeat`], and [`Raw`] JSON for the
//! rest. [`Context::send`](crate::Context::send) and [`Handle::send`](crate::Handle::send) take any
//! of them, as it is or as [`Outgoing`] with a [`Priority`] and a deadline, and give a
//! [`CommandReceipt`](crate::CommandReceipt). What happens to each over a reconnect, a resume and a
//! new session stands in `docs/commands.md` of the repository.

use std::fmt;

mod channel_info;
mod error;
pub(crate) mod json;
mod members;
mod outgoing;
mod presence;
mod raw;
mod soundboard;
mod voice;

pub use channel_info::{ChannelInfoField, RequestChannelInfo};
pub use error::CommandError;
pub use members::{Members, NONCE_LEN_MAX, PREFIX_LIMIT_MAX, RequestGuildMembers, USER_IDS_MAX};
pub(crate) use outgoing::{Asked, Kind, Prepared, Rules, What};
pub use outgoing::{Outgoing, Priority};
pub use presence::{Activity, ActivityKind, PRESENCE_LEN_MAX, Presence, Status, UpdatePresence};
pub use raw::Raw;
pub use soundboard::{RequestSoundboardSounds, SOUNDBOARD_GUILDS_MAX};
pub use voice::UpdateVoiceState;

use crate::model::{GuildId, Id};

/// The largest payload a client may send, in bytes; one more and Discord closes with 4002
/// (protocol section 6).
pub const PAYLOAD_LEN_MAX: usize = 4096;

/// A command for the gateway.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Op 3: what the bot shows as its status.
    UpdatePresence(UpdatePresence),
    /// Op 4: join, move or leave a voice channel.
    UpdateVoiceState(UpdateVoiceState),
    /// Op 8: ask for members; they come as GUILD_MEMBERS_CHUNK dispatches.
    RequestGuildMembers(RequestGuildMembers),
    /// Op 31: ask for soundboards; they come as SOUNDBOARD_SOUNDS dispatches.
    RequestSoundboardSounds(RequestSoundboardSounds),
    /// Op 43: ask for channel info; it comes as a CHANNEL_INFO dispatch.
    RequestChannelInfo(RequestChannelInfo),
    /// Any other opcode, with `d` as JSON text.
    Raw(Raw),
    /// Op 1: a heartbeat now, besides those that are due anyway.
    Heartbeat(Heartbeat),
}

/// A heartbeat now: its acknowledgement is a fresh measure of the latency. Refused while there is
/// no connection.
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a command does nothing until it is sent"]
pub struct Heartbeat;

impl Command {
    /// The command as the JSON text that goes to the gateway. A presence is written with defaults
    /// for the parts that it does not set; a shard writes what it last had instead.
    ///
    /// # Errors
    /// [`CommandError`] if the text would be longer than [`PAYLOAD_LEN_MAX`], if raw JSON is not
    /// well formed, or if a field breaks a limit that would make Discord ignore it or close; for
    /// [`Heartbeat`], which the session writes.
    pub fn encode(&self) -> Result<Encoded, CommandError> {
        self.check()?;
        let mut out = Vec::with_capacity(128);
        let op = self.op();
        out.extend_from_slice(br#"{"op":"#);
        json::number(&mut out, op.into());
        out.extend_from_slice(br#","d":"#);
        match self {
            Self::UpdatePresence(presence) => presence.over(&Presence::default()).write(&mut out),
            Self::UpdateVoiceState(voice) => voice.write(&mut out),
            Self::RequestGuildMembers(request) => request.write(&mut out),
            Self::RequestSoundboardSounds(request) => request.write(&mut out),
            Self::RequestChannelInfo(request) => request.write(&mut out),
            Self::Raw(raw) => out.extend_from_slice(raw.d.as_bytes()),
            Self::Heartbeat(Heartbeat) => return Err(CommandError::SessionOpcode { op }),
        }
        out.push(b'}');
        if out.len() > PAYLOAD_LEN_MAX {
            return Err(CommandError::TooLong { len: out.len() });
        }
        Ok(Encoded(out.into_boxed_slice()))
    }

    /// Any opcode that is not the session's own, with `d` as JSON text that is sent as it stands.
    pub fn raw(op: u8, d: impl Into<String>) -> Self {
        Self::Raw(Raw { op, d: d.into() })
    }

    /// Its opcode (protocol section 1).
    pub const fn op(&self) -> u8 {
        match self {
            Self::Heartbeat(_) => 1,
            Self::UpdatePresence(_) => 3,
            Self::UpdateVoiceState(_) => 4,
            Self::RequestGuildMembers(_) => 8,
            Self::RequestSoundboardSounds(_) => 31,
            Self::RequestChannelInfo(_) => 43,
            Self::Raw(raw) => raw.op,
        }
    }

    fn check(&self) -> Result<(), CommandError> {
        match self {
            Self::UpdatePresence(presence) => presence.check(),
            Self::UpdateVoiceState(voice) => voice.check(),
            Self::RequestGuildMembers(request) => request.check(),
            Self::RequestSoundboardSounds(request) => request.check(),
            Self::RequestChannelInfo(request) => request.check(),
            Self::Raw(raw) => raw.check(),
            Self::Heartbeat(Heartbeat) => Ok(()),
        }
    }

    /// Whether its guilds are this shard's.
    fn check_shard(&self, shard: u32, total: u32) -> Result<(), CommandError> {
        let of_guild = |guild_id: GuildId| match shard_of(guild_id, total) {
            belongs_to if belongs_to == shard => Ok(()),
            belongs_to => Err(CommandError::WrongShard { guild_id: guild_id.get(), belongs_to }),
        };
        match self {
            Self::UpdateVoiceState(voice) => of_guild(voice.guild_id),
            Self::RequestGuildMembers(request) => of_guild(request.guild_id),
            Self::RequestSoundboardSounds(request) => {
                request.guild_ids.iter().try_for_each(|id| of_guild(*id))
            }
            Self::RequestChannelInfo(request) => of_guild(request.guild_id),
            Self::UpdatePresence(_) | Self::Raw(_) | Self::Heartbeat(_) => Ok(()),
        }
    }
}

/// The shard that a guild's events come on (protocol section 7).
pub(crate) fn shard_of(guild_id: GuildId, total: u32) -> u32 {
    ((guild_id.get() >> 22) % u64::from(total.max(1))) as u32
}

/// An id that is the id of something.
fn named<K>(argument: &'static str, id: Id<K>) -> Result<(), CommandError> {
    match id.get() {
        0 => Err(CommandError::NoId { argument }),
        _ => Ok(()),
    }
}

/// A command as JSON text: well formed, at most [`PAYLOAD_LEN_MAX`] bytes.
///
/// `Debug` shows the length only.
#[derive(Clone)]
pub struct Encoded(Box<[u8]>);

impl Encoded {
    /// The UTF-8 text of the payload.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The length of the text in bytes, between 1 and [`PAYLOAD_LEN_MAX`].
    #[allow(clippy::len_without_is_empty)] // it is never empty
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(command: impl Into<Command>) -> String {
        String::from_utf8(command.into().encode().unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn every_command_is_written_as_the_protocol_has_it() {
        let presence = UpdatePresence::new(Status::Dnd).activity(Activity::playing("a \"b\"\n"));
        let fields = [ChannelInfoField::Status, ChannelInfoField::VoiceStartTime];
        let table: [(Command, &str); 10] = [
            (
                presence.into(),
                r#"{"op":3,"d":{"since":null,"activities":[{"name":"a \"b\"\n","type":0}],"status":"dnd","afk":false}}"#,
            ),
            (
                UpdateVoiceState::join(7u64, 8u64).self_deaf(true).into(),
                r#"{"op":4,"d":{"guild_id":"7","channel_id":"8","self_mute":false,"self_deaf":true}}"#,
            ),
            (
                UpdateVoiceState::leave(7u64).into(),
                r#"{"op":4,"d":{"guild_id":"7","channel_id":null,"self_mute":false,"self_deaf":false}}"#,
            ),
            (
                RequestGuildMembers::all(u64::MAX).nonce("n").into(),
                r#"{"op":8,"d":{"guild_id":"18446744073709551615","query":"","limit":0,"nonce":"n"}}"#,
            ),
            (
                RequestGuildMembers::prefix(1u64, "ab", 9).presences().into(),
                r#"{"op":8,"d":{"guild_id":"1","query":"ab","limit":9,"presences":true}}"#,
            ),
            (
                RequestGuildMembers::users(1u64, [2u64, 3]).into(),
                r#"{"op":8,"d":{"guild_id":"1","user_ids":["2","3"]}}"#,
            ),
            (
                RequestSoundboardSounds::new([1u64, 2]).into(),
                r#"{"op":31,"d":{"guild_ids":["1","2"]}}"#,
            ),
            (
                RequestChannelInfo::new(1u64, fields).into(),
                r#"{"op":43,"d":{"guild_id":"1","fields":["status","voice_start_time"]}}"#,
            ),
            (Command::raw(99, "[1]"), r#"{"op":99,"d":[1]}"#),
            (Command::raw(31, r#"{"guild_ids":[]}"#), r#"{"op":31,"d":{"guild_ids":[]}}"#),
        ];
        for (command, expected) in table {
            assert_eq!(text(command), expected);
        }
    }

    #[test]
    fn a_payload_of_4096_bytes_passes_and_one_more_does_not() {
        let frame = r#"{"op":99,"d":""}"#.len();
        let fits = format!("\"{}\"", "x".repeat(PAYLOAD_LEN_MAX - frame));
        assert_eq!(Command::raw(99, fits.clone()).encode().unwrap().len(), PAYLOAD_LEN_MAX);
        let over = format!("{} ", fits);
        assert_eq!(
            Command::raw(99, over).encode().unwrap_err(),
            CommandError::TooLong { len: PAYLOAD_LEN_MAX + 1 }
        );
        let most = (0..SOUNDBOARD_GUILDS_MAX).map(|_| u64::MAX);
        assert!(text(RequestSoundboardSounds::new(most)).len() <= PAYLOAD_LEN_MAX);
    }

    #[test]
    fn what_the_session_alone_may_say_is_refused() {
        for op in [1, 2, 6] {
            assert_eq!(
                Command::raw(op, "null").encode().unwrap_err(),
                CommandError::SessionOpcode { op }
            );
        }
    }

    /// Each command gives this error, which names its argument; or none.
    fn judge(table: Vec<(Command, Option<CommandError>, &str)>) {
        for (command, expected, argument) in table {
            let error = command.encode().err();
            assert_eq!(error, expected, "opcode {}", command.op());
            let Some(error) = error else { continue };
            assert_eq!(error.argument(), argument);
            let said = error.to_string();
            let is_named = argument.split('.').all(|part| said.contains(part));
            assert!(is_named, "{said:?} does not name {argument}");
        }
    }

    #[test]
    fn each_rule_of_presences_and_voice_states_is_an_error_that_names_the_argument() {
        use CommandError as E;
        let shows = |activity| UpdatePresence::default().activity(activity);
        let no_url = Activity::new(ActivityKind::Streaming, "s");
        let second = shows(Activity::playing("p")).activity(no_url);
        let no_id = |argument| Some(E::NoId { argument });
        let url = "activities.url";
        let good = "https://twitch.tv/s";
        judge(vec![
            (
                UpdatePresence::default().into(),
                Some(E::Nothing { argument: "presence" }),
                "presence",
            ),
            (second.into(), Some(E::StreamWithoutUrl { index: 1 }), url),
            (
                shows(Activity::streaming("s", "")).into(),
                Some(E::StreamWithoutUrl { index: 0 }),
                url,
            ),
            (shows(Activity::streaming("s", good)).into(), None, ""),
            (
                shows(Activity::playing("x".repeat(4000))).into(),
                Some(E::PresenceTooLong { len: 4096 }),
                "presence",
            ),
            (UpdateVoiceState::join(0u64, 1u64).into(), no_id("guild_id"), "guild_id"),
            (UpdateVoiceState::leave(0u64).into(), no_id("guild_id"), "guild_id"),
            (UpdateVoiceState::join(1u64, 0u64).into(), no_id("channel_id"), "channel_id"),
            (UpdateVoiceState::join(1u64, 1u64).into(), None, ""),
        ]);
    }

    #[test]
    fn each_rule_of_member_requests_is_an_error_that_names_the_argument() {
        use CommandError as E;
        let users = |count: u64| RequestGuildMembers::users(1u64, 1..=count).into();
        let prefix = |limit| RequestGuildMembers::prefix(1u64, "a", limit).into();
        let nonce = |nonce: String| RequestGuildMembers::all(1u64).nonce(nonce).into();
        let no_id = |argument| Some(E::NoId { argument });
        judge(vec![
            (RequestGuildMembers::all(0u64).into(), no_id("guild_id"), "guild_id"),
            (nonce("n".repeat(32)), None, ""),
            (nonce("é".repeat(17)), Some(E::NonceTooLong { len: 34 }), "nonce"),
            (users(0), Some(E::UserCount { count: 0 }), "user_ids"),
            (users(100), None, ""),
            (users(101), Some(E::UserCount { count: 101 }), "user_ids"),
            (RequestGuildMembers::users(1u64, [1u64, 0]).into(), no_id("user_ids"), "user_ids"),
            (prefix(0), None, ""),
            (prefix(100), None, ""),
            (prefix(101), Some(E::Limit { limit: 101 }), "limit"),
        ]);
    }

    #[test]
    fn each_rule_of_other_requests_is_an_error_that_names_the_argument() {
        use CommandError as E;
        let most = SOUNDBOARD_GUILDS_MAX as u64;
        let sounds = |count: u64| RequestSoundboardSounds::new(1..=count).into();
        let nothing = |argument| Some(E::Nothing { argument });
        let no_id = |argument| Some(E::NoId { argument });
        let status = [ChannelInfoField::Status];
        judge(vec![
            (sounds(0), nothing("guild_ids"), "guild_ids"),
            (sounds(most), None, ""),
            (sounds(most + 1), Some(E::GuildCount { count: most as usize + 1 }), "guild_ids"),
            (RequestSoundboardSounds::new([0u64]).into(), no_id("guild_ids"), "guild_ids"),
            (RequestChannelInfo::new(1u64, []).into(), nothing("fields"), "fields"),
            (RequestChannelInfo::new(1u64, status).into(), None, ""),
            (RequestChannelInfo::new(0u64, status).into(), no_id("guild_id"), "guild_id"),
        ]);
    }

    #[test]
    fn intents_and_shards_are_asked_where_they_are_known() {
        let prepare = |command: Outgoing, intents: u64, shard| {
            command.prepare(&Rules { intents, shard }).err()
        };
        let missing = |argument, intent| Some(CommandError::MissingIntent { argument, intent });
        let all = || RequestGuildMembers::all(5u64 << 22);
        let few = || RequestGuildMembers::users(5u64 << 22, [1u64]).presences();
        assert_eq!(prepare(all().into(), 1, None), missing("which", "GUILD_MEMBERS"));
        let same = RequestGuildMembers::prefix(5u64 << 22, "", 0);
        assert_eq!(prepare(same.into(), 1, None), missing("which", "GUILD_MEMBERS"));
        assert_eq!(prepare(all().into(), 2, None), None);
        assert_eq!(prepare(few().into(), 2, None), missing("presences", "GUILD_PRESENCES"));
        assert_eq!(prepare(few().into(), 256, None), None);
        let wrong = CommandError::WrongShard { guild_id: 5 << 22, belongs_to: 5 };
        assert_eq!(prepare(all().into(), 2, Some((4, 8))), Some(wrong));
        assert_eq!(prepare(all().into(), 2, Some((5, 8))), None);
        let sounds = RequestSoundboardSounds::new([4u64 << 22, 5 << 22]);
        assert_eq!(prepare(sounds.into(), 0, Some((4, 8))), Some(wrong));
    }

    #[test]
    fn a_part_that_is_not_set_stays_and_one_that_is_cleared_is_gone() {
        let first = UpdatePresence::new(Status::Offline)
            .idle_since_ms(7)
            .activity(Activity::playing("p"))
            .over(&Presence::default());
        assert_eq!(first.status, Status::Invisible, "what a connected bot can have of offline");
        let second = UpdatePresence::default().afk(true).over(&first);
        assert_eq!(second, Presence { afk: true, ..first.clone() });
        let third = UpdatePresence::default().no_activity().not_idle().over(&second);
        let cleared = Presence { activities: Vec::new(), idle_since_ms: None, ..second };
        assert_eq!(third, cleared);
    }

    #[test]
    fn a_custom_status_shows_its_state() {
        let custom = [Activity::custom("hi"), Activity::new(ActivityKind::Custom, "hi")];
        for activity in custom {
            let text = text(UpdatePresence::default().activity(activity));
            assert!(text.contains(r#"{"name":"Custom Status","type":4,"state":"hi"}"#), "{text}");
        }
    }

    #[test]
    fn broken_raw_json_is_refused_and_cannot_break_out_of_its_payload() {
        for d in ["", "{", "1}", "null},{\"op\":2", "{\"a\":1,}", "[1,]", "\"\n\"", "01", "nul"] {
            let error = Command::raw(3, d).encode().unwrap_err();
            assert!(matches!(error, CommandError::NotJson { .. }), "{d:?} gave {error:?}");
        }
    }
}

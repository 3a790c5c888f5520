//! What a bot may say to the gateway, and its JSON text.
//!
//! Encoding happens on the caller's thread, before anything is queued: what a shard receives is
//! [`Encoded`], well formed and at most [`PAYLOAD_LEN_MAX`] bytes long. Nothing here knows a
//! connection, a clock or a rate. Heartbeat, IDENTIFY and RESUME are the session's own and cannot
//! be built here. Called by users (through `Context` and `Handle`) and by `shard::payload`.

use std::fmt;

pub(crate) mod json;

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
    /// Any other opcode, with `d` as JSON text.
    Raw(Raw),
}

impl Command {
    /// The command as the JSON text that goes to the gateway.
    ///
    /// # Errors
    /// [`CommandError`] if the text would be longer than [`PAYLOAD_LEN_MAX`], if raw JSON is not
    /// well formed, or if a field breaks a limit that would make Discord ignore it or close.
    pub fn encode(&self) -> Result<Encoded, CommandError> {
        let mut out = Vec::with_capacity(128);
        match self {
            Self::UpdatePresence(presence) => {
                out.extend_from_slice(br#"{"op":3,"d":"#);
                presence.write(&mut out);
            }
            Self::UpdateVoiceState(voice) => {
                out.extend_from_slice(br#"{"op":4,"d":"#);
                voice.write(&mut out);
            }
            Self::RequestGuildMembers(request) => {
                request.check()?;
                out.extend_from_slice(br#"{"op":8,"d":"#);
                request.write(&mut out);
            }
            Self::Raw(raw) => {
                raw.check()?;
                out.extend_from_slice(br#"{"op":"#);
                json::number(&mut out, raw.op.into());
                out.extend_from_slice(br#","d":"#);
                out.extend_from_slice(raw.d.as_bytes());
            }
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
}

impl From<UpdatePresence> for Command {
    fn from(presence: UpdatePresence) -> Self {
        Self::UpdatePresence(presence)
    }
}

impl From<UpdateVoiceState> for Command {
    fn from(voice: UpdateVoiceState) -> Self {
        Self::UpdateVoiceState(voice)
    }
}

impl From<RequestGuildMembers> for Command {
    fn from(request: RequestGuildMembers) -> Self {
        Self::RequestGuildMembers(request)
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

/// Op 3, and `presence` of IDENTIFY (protocol section 9).
#[derive(Clone, Debug, Default)]
pub struct UpdatePresence {
    /// Since when the bot is idle, in Unix milliseconds; `None` unless it is.
    pub since_ms: Option<u64>,
    /// What the bot does. Discord shows the first.
    pub activities: Vec<Activity>,
    /// The coloured dot.
    pub status: Status,
    /// Whether the bot is away from its keyboard.
    pub afk: bool,
}

impl UpdatePresence {
    /// This status, no activity.
    pub fn new(status: Status) -> Self {
        Self { status, ..Self::default() }
    }

    /// With one more activity.
    pub fn activity(mut self, activity: Activity) -> Self {
        self.activities.push(activity);
        self
    }

    /// Writes `d`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"since":"#);
        match self.since_ms {
            Some(since_ms) => json::number(out, since_ms),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","activities":["#);
        for (at, activity) in self.activities.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            activity.write(out);
        }
        out.extend_from_slice(br#"],"status":"#);
        json::string(out, self.status.name());
        out.extend_from_slice(br#","afk":"#);
        json::boolean(out, self.afk);
        out.push(b'}');
    }
}

/// The status of a presence (protocol section 9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Green.
    #[default]
    Online,
    /// Red: do not disturb.
    Dnd,
    /// Yellow.
    Idle,
    /// Shown as offline, yet connected.
    Invisible,
    /// Offline.
    Offline,
}

impl Status {
    /// Discord's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Dnd => "dnd",
            Self::Idle => "idle",
            Self::Invisible => "invisible",
            Self::Offline => "offline",
        }
    }
}

/// An activity, with the fields that a bot may set (protocol section 9).
#[derive(Clone, Debug)]
pub struct Activity {
    /// Its name; required even for a custom status, which shows `state` only.
    pub name: String,
    /// Discord's number of the type: 0 playing, 1 streaming, 2 listening, 3 watching, 4 custom,
    /// 5 competing.
    pub kind: u8,
    /// The second line, or the text of a custom status.
    pub state: Option<String>,
    /// Address of the stream (type 1 only; Twitch or YouTube).
    pub url: Option<String>,
}

impl Activity {
    /// "Playing `name`".
    pub fn playing(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: 0, state: None, url: None }
    }

    /// A custom status that shows `state`.
    pub fn custom(state: impl Into<String>) -> Self {
        Self { name: "Custom Status".into(), kind: 4, state: Some(state.into()), url: None }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"name":"#);
        json::string(out, &self.name);
        out.extend_from_slice(br#","type":"#);
        json::number(out, self.kind.into());
        if let Some(state) = &self.state {
            out.extend_from_slice(br#","state":"#);
            json::string(out, state);
        }
        if let Some(url) = &self.url {
            out.extend_from_slice(br#","url":"#);
            json::string(out, url);
        }
        out.push(b'}');
    }
}

/// Op 4 (protocol section 10).
#[derive(Clone, Copy, Debug)]
pub struct UpdateVoiceState {
    /// The guild.
    pub guild_id: u64,
    /// The voice channel to be in; `None` leaves.
    pub channel_id: Option<u64>,
    /// Whether the bot mutes itself.
    pub self_mute: bool,
    /// Whether the bot deafens itself.
    pub self_deaf: bool,
}

impl UpdateVoiceState {
    /// Joins or moves to a channel.
    pub fn join(guild_id: impl Into<u64>, channel_id: impl Into<u64>) -> Self {
        Self {
            guild_id: guild_id.into(),
            channel_id: Some(channel_id.into()),
            self_mute: false,
            self_deaf: false,
        }
    }

    /// Leaves voice in a guild.
    pub fn leave(guild_id: impl Into<u64>) -> Self {
        Self { guild_id: guild_id.into(), channel_id: None, self_mute: false, self_deaf: false }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"guild_id":"#);
        json::snowflake(out, self.guild_id);
        out.extend_from_slice(br#","channel_id":"#);
        match self.channel_id {
            Some(channel_id) => json::snowflake(out, channel_id),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","self_mute":"#);
        json::boolean(out, self.self_mute);
        out.extend_from_slice(br#","self_deaf":"#);
        json::boolean(out, self.self_deaf);
        out.push(b'}');
    }
}

/// Op 8 (protocol section 11).
#[derive(Clone, Debug)]
pub struct RequestGuildMembers {
    /// The guild.
    pub guild_id: u64,
    /// Which of its members.
    pub which: Members,
    /// Whether presences are wanted too (needs the intent GUILD_PRESENCES).
    pub presences: bool,
    /// Comes back in the chunks; at most [`NONCE_LEN_MAX`] bytes.
    pub nonce: Option<String>,
}

/// Which members are asked for.
#[derive(Clone, Debug)]
pub enum Members {
    /// All (needs the intent GUILD_MEMBERS; once per guild in 30 s).
    All,
    /// Those whose name starts with `prefix`, at most `limit` (Discord gives at most 100).
    Prefix {
        /// Start of the user name.
        prefix: String,
        /// How many at most.
        limit: u32,
    },
    /// These users; at most [`USER_IDS_MAX`].
    Users(Vec<u64>),
}

/// The longest nonce that Discord does not ignore, in bytes.
pub const NONCE_LEN_MAX: usize = 32;
/// The most users that one request may name.
pub const USER_IDS_MAX: usize = 100;

impl RequestGuildMembers {
    /// All members of a guild.
    pub fn all(guild_id: impl Into<u64>) -> Self {
        Self { guild_id: guild_id.into(), which: Members::All, presences: false, nonce: None }
    }

    /// Members whose user name starts with `prefix`.
    pub fn prefix(guild_id: impl Into<u64>, prefix: impl Into<String>, limit: u32) -> Self {
        let which = Members::Prefix { prefix: prefix.into(), limit };
        Self { guild_id: guild_id.into(), which, presences: false, nonce: None }
    }

    /// These users.
    pub fn users(guild_id: impl Into<u64>, user_ids: impl IntoIterator<Item = u64>) -> Self {
        let which = Members::Users(user_ids.into_iter().collect());
        Self { guild_id: guild_id.into(), which, presences: false, nonce: None }
    }

    /// With this nonce in every chunk of the answer.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    fn check(&self) -> Result<(), CommandError> {
        if let Some(nonce) = &self.nonce
            && nonce.len() > NONCE_LEN_MAX
        {
            return Err(CommandError::NonceTooLong { len: nonce.len() });
        }
        match &self.which {
            Members::Users(ids) if ids.is_empty() || ids.len() > USER_IDS_MAX => {
                Err(CommandError::UserCount { count: ids.len() })
            }
            _ => Ok(()),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"guild_id":"#);
        json::snowflake(out, self.guild_id);
        match &self.which {
            Members::All => out.extend_from_slice(br#","query":"","limit":0"#),
            Members::Prefix { prefix, limit } => {
                out.extend_from_slice(br#","query":"#);
                json::string(out, prefix);
                out.extend_from_slice(br#","limit":"#);
                json::number(out, (*limit).into());
            }
            Members::Users(ids) => {
                out.extend_from_slice(br#","user_ids":["#);
                for (at, id) in ids.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    json::snowflake(out, *id);
                }
                out.push(b']');
            }
        }
        if self.presences {
            out.extend_from_slice(br#","presences":true"#);
        }
        if let Some(nonce) = &self.nonce {
            out.extend_from_slice(br#","nonce":"#);
            json::string(out, nonce);
        }
        out.push(b'}');
    }
}

/// A payload whose `d` the caller has written.
#[derive(Clone)]
pub struct Raw {
    op: u8,
    d: String,
}

impl Raw {
    fn check(&self) -> Result<(), CommandError> {
        if matches!(self.op, 1 | 2 | 6) {
            return Err(CommandError::SessionOpcode { op: self.op });
        }
        json::check(self.d.as_bytes()).map_err(|at| CommandError::NotJson { at })
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw {{ op: {}, d: {} bytes }}", self.op, self.d.len())
    }
}

/// Why a command cannot be sent. The caller's fault; nothing was queued, the session is untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The text has more than [`PAYLOAD_LEN_MAX`] bytes.
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// Heartbeat, IDENTIFY and RESUME are sent by the session alone.
    SessionOpcode {
        /// The opcode asked for.
        op: u8,
    },
    /// Raw `d` is not well-formed JSON (or nests deeper than 64).
    NotJson {
        /// The byte at which it goes wrong.
        at: usize,
    },
    /// The nonce is longer than [`NONCE_LEN_MAX`]: Discord would leave it out of the answer.
    NonceTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// No user, or more than [`USER_IDS_MAX`], in one request.
    UserCount {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len } => {
                write!(f, "the command is {len} bytes of JSON; the gateway takes {PAYLOAD_LEN_MAX}")
            }
            Self::SessionOpcode { op } => {
                write!(f, "opcode {op} is sent by the session itself, never by a command")
            }
            Self::NotJson { at } => write!(f, "raw `d` is not well-formed JSON at byte {at}"),
            Self::NonceTooLong { len } => {
                write!(f, "the nonce has {len} bytes; Discord ignores more than {NONCE_LEN_MAX}")
            }
            Self::UserCount { count } => {
                write!(f, "{count} users in one request; it takes 1 to {USER_IDS_MAX}")
            }
        }
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(command: impl Into<Command>) -> String {
        String::from_utf8(command.into().encode().unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn every_command_is_written_as_the_protocol_has_it() {
        let presence = UpdatePresence::new(Status::Dnd).activity(Activity::playing("a \"b\"\n"));
        assert_eq!(
            text(presence),
            r#"{"op":3,"d":{"since":null,"activities":[{"name":"a \"b\"\n","type":0}],"status":"dnd","afk":false}}"#
        );
        assert_eq!(
            text(UpdateVoiceState::join(7u64, 8u64)),
            r#"{"op":4,"d":{"guild_id":"7","channel_id":"8","self_mute":false,"self_deaf":false}}"#
        );
        assert_eq!(
            text(UpdateVoiceState::leave(7u64)),
            r#"{"op":4,"d":{"guild_id":"7","channel_id":null,"self_mute":false,"self_deaf":false}}"#
        );
        assert_eq!(
            text(RequestGuildMembers::all(u64::MAX).nonce("n")),
            r#"{"op":8,"d":{"guild_id":"18446744073709551615","query":"","limit":0,"nonce":"n"}}"#
        );
        assert_eq!(
            text(RequestGuildMembers::users(1u64, [2, 3])),
            r#"{"op":8,"d":{"guild_id":"1","user_ids":["2","3"]}}"#
        );
        assert_eq!(
            text(Command::raw(31, r#"{"guild_ids":[]}"#)),
            r#"{"op":31,"d":{"guild_ids":[]}}"#
        );
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

    #[test]
    fn what_discord_would_ignore_is_refused() {
        let long = RequestGuildMembers::all(1u64).nonce("n".repeat(33));
        assert_eq!(
            Command::from(long).encode().unwrap_err(),
            CommandError::NonceTooLong { len: 33 }
        );
        for count in [0, 101] {
            let request = RequestGuildMembers::users(1u64, (0..count).map(|id| id as u64));
            assert_eq!(
                Command::from(request).encode().unwrap_err(),
                CommandError::UserCount { count }
            );
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

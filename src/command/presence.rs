//! Op 3, and `presence` of IDENTIFY (protocol section 9): what to change, and what is set.
//!
//! [`UpdatePresence`] is a change: a part that is not set stays as it is. [`Presence`] is the whole
//! that comes of it, which a shard remembers and IDENTIFY carries. Nothing here knows a rate.

use super::{CommandError, json};

/// Changes what the bot shows. A part that is not named here stays as the shard last had it.
///
/// ```
/// use shardring::command::{Activity, Status, UpdatePresence};
/// let busy = UpdatePresence::new(Status::Dnd).activity(Activity::watching("the queue"));
/// let free = UpdatePresence::default().status(Status::Online).no_activity();
/// # let _ = (busy, free);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "an update does nothing until it is sent"]
pub struct UpdatePresence {
    idle_since_ms: Option<Option<u64>>,
    activities: Option<Vec<Activity>>,
    status: Option<Status>,
    afk: Option<bool>,
}

impl UpdatePresence {
    /// With this status; the rest unchanged.
    pub fn new(status: Status) -> Self {
        Self::default().status(status)
    }

    /// The coloured dot.
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// One more activity. The first one replaces what was shown before; Discord shows the first.
    pub fn activity(mut self, activity: Activity) -> Self {
        self.activities.get_or_insert_default().push(activity);
        self
    }

    /// No activity any more.
    pub fn no_activity(mut self) -> Self {
        self.activities = Some(Vec::new());
        self
    }

    /// Since when the bot is idle, in Unix milliseconds.
    pub fn idle_since_ms(mut self, unix_ms: u64) -> Self {
        self.idle_since_ms = Some(Some(unix_ms));
        self
    }

    /// Not idle any more.
    pub fn not_idle(mut self) -> Self {
        self.idle_since_ms = Some(None);
        self
    }

    /// Whether the bot is away from its keyboard.
    pub fn afk(mut self, afk: bool) -> Self {
        self.afk = Some(afk);
        self
    }

    /// What is set after this change of `before`; what neither says has its default.
    pub fn over(&self, before: &Presence) -> Presence {
        Presence {
            idle_since_ms: self.idle_since_ms.unwrap_or(before.idle_since_ms),
            activities: self.activities.clone().unwrap_or_else(|| before.activities.clone()),
            status: self.status.map_or(before.status, Status::as_sent),
            afk: self.afk.unwrap_or(before.afk),
        }
    }

    pub(crate) fn check(&self) -> Result<(), CommandError> {
        let Self { idle_since_ms, activities, status, afk } = self;
        let none = idle_since_ms.is_none() && activities.is_none();
        if none && status.is_none() && afk.is_none() {
            return Err(CommandError::Nothing { argument: "presence" });
        }
        for (index, activity) in activities.iter().flatten().enumerate() {
            let has_url = activity.url.as_ref().is_some_and(|url| !url.is_empty());
            if activity.kind == ActivityKind::Streaming && !has_url {
                return Err(CommandError::StreamWithoutUrl { index });
            }
        }
        // Whatever the other parts are: only activities are of any length.
        let longest = Presence { idle_since_ms: Some(u64::MAX), ..Presence::default() };
        let mut out = Vec::with_capacity(128);
        self.over(&longest).write(&mut out);
        if out.len() > PRESENCE_LEN_MAX {
            return Err(CommandError::PresenceTooLong { len: out.len() });
        }
        Ok(())
    }
}

/// The longest presence, in bytes of JSON: with the longest token it fits into IDENTIFY.
pub const PRESENCE_LEN_MAX: usize = 3584;

/// What a bot shows: the four parts, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// Since when the bot is idle, in Unix milliseconds; `None` unless it is.
    pub idle_since_ms: Option<u64>,
    /// What the bot does. Discord shows the first.
    pub activities: Vec<Activity>,
    /// The coloured dot.
    pub status: Status,
    /// Whether the bot is away from its keyboard.
    pub afk: bool,
}

impl Presence {
    /// Writes `d`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"since":"#);
        match self.idle_since_ms {
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
        json::string(out, self.status.as_sent().name());
        out.extend_from_slice(br#","afk":"#);
        json::boolean(out, self.afk);
        out.push(b'}');
    }
}

/// The status of a presence (protocol section 9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
    /// Sent as [`Status::Invisible`], which is what a connected bot can have of it.
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

    const fn as_sent(self) -> Self {
        match self {
            Self::Offline => Self::Invisible,
            status => status,
        }
    }
}

/// The sort of an activity (protocol section 9). A number that Discord adds later can be sent by
/// [`Command::raw`](super::Command::raw): this library does not know what such a sort demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActivityKind {
    /// "Playing {name}": type 0.
    Playing,
    /// "Streaming {name}": type 1. Needs a URL, of Twitch or YouTube.
    Streaming,
    /// "Listening to {name}": type 2.
    Listening,
    /// "Watching {name}": type 3.
    Watching,
    /// A custom status, which shows `state`: type 4.
    Custom,
    /// "Competing in {name}": type 5.
    Competing,
}

impl ActivityKind {
    /// Discord's number of it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Playing => 0,
            Self::Streaming => 1,
            Self::Listening => 2,
            Self::Watching => 3,
            Self::Custom => 4,
            Self::Competing => 5,
        }
    }
}

/// An activity, with the fields that a bot may set (protocol section 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Its name. Where a custom status has nothing but a name, that is sent as its `state`.
    pub name: String,
    /// Its sort.
    pub kind: ActivityKind,
    /// The second line, or the text of a custom status.
    pub state: Option<String>,
    /// Address of the stream ([`ActivityKind::Streaming`] only; Twitch or YouTube).
    pub url: Option<String>,
}

impl Activity {
    /// An activity of this sort.
    pub fn new(kind: ActivityKind, name: impl Into<String>) -> Self {
        Self { name: name.into(), kind, state: None, url: None }
    }

    /// "Playing `name`".
    pub fn playing(name: impl Into<String>) -> Self {
        Self::new(ActivityKind::Playing, name)
    }

    /// "Streaming `name`", at this address.
    pub fn streaming(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..Self::new(ActivityKind::Streaming, name) }
    }

    /// "Listening to `name`".
    pub fn listening(name: impl Into<String>) -> Self {
        Self::new(ActivityKind::Listening, name)
    }

    /// "Watching `name`".
    pub fn watching(name: impl Into<String>) -> Self {
        Self::new(ActivityKind::Watching, name)
    }

    /// "Competing in `name`".
    pub fn competing(name: impl Into<String>) -> Self {
        Self::new(ActivityKind::Competing, name)
    }

    /// A custom status that shows `state`.
    pub fn custom(state: impl Into<String>) -> Self {
        Self { state: Some(state.into()), ..Self::new(ActivityKind::Custom, CUSTOM_NAME) }
    }

    /// With this second line.
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (name, state) = match (&self.state, self.kind) {
            (None, ActivityKind::Custom) => (CUSTOM_NAME, Some(&self.name)),
            (state, _) => (self.name.as_str(), state.as_ref()),
        };
        out.extend_from_slice(br#"{"name":"#);
        json::string(out, name);
        out.extend_from_slice(br#","type":"#);
        json::number(out, self.kind.number().into());
        if let Some(state) = state {
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

/// The name of a custom status, which Discord demands and does not show.
const CUSTOM_NAME: &str = "Custom Status";

//! What an event must hold to be wanted: data, and which key of which kind it is about.
//!
//! It reads no text; `sift` does. Invariant: ids and names are sorted, so that to look one up
//! costs no more than a binary search and no allocation.

use std::fmt;

use crate::decode::ScannedText;
use crate::model::{ChannelId, EventKind, EventSet, GuildId};

/// Which events of a kind are wanted, by what they hold: guild, channel, author, command.
///
/// It is judged on the text before anything is parsed
/// ([`Interest::filter`](crate::Interest::filter), [`Interest::only`](crate::Interest::only)). What
/// it does not name it does not ask for; what it names must all hold.
///
/// ```
/// use shardring::model::GuildId;
/// use shardring::{EventKind, Filter, Interest};
///
/// let interest = Interest::typed([EventKind::MessageCreate, EventKind::InteractionCreate])
///     .only([EventKind::MessageCreate], Filter::new().guilds([GuildId::new(41)]).bots(false))
///     .only([EventKind::InteractionCreate], Filter::new().commands(["ping"]));
/// let message = br#"{"op":0,"t":"MESSAGE_CREATE","d":{"id":"7","guild_id":"42"}}"#;
/// assert!(!interest.admits(EventKind::MessageCreate, message));
/// ```
///
/// # In doubt it is delivered
///
/// An event is held back only if it is sure that it is not wanted. So it is delivered
///
/// - if the key is missing, null, or of a type that makes no sense: a direct message has no
///   `guild_id` and passes [`guilds`](Self::guilds) (but see
///   [`direct_messages`](Self::direct_messages));
/// - if a key that is asked for stands there twice, or `d` or `t` does;
/// - if the envelope or the top level of `d` is broken, ends too early, has a key that is written
///   with escapes, or more than [`DATA_KEYS_MAX`](crate::sans_io::decode::DATA_KEYS_MAX) keys;
/// - if a name holds escapes and could be one of those that are wanted;
/// - if the kind has no such key, or is [`Unknown`](EventKind::Unknown).
///
/// Values that are not asked for are stepped over, not judged: an event that is broken there and is
/// not wanted is held back, as one of a skipped kind is. READY is always seen by the shard, and
/// events that are held back count in sequence numbers and in
/// [`KindCounters::filtered`](crate::metrics::KindCounters::filtered).
///
/// # Which key is asked
///
/// | of | key of `d` | kinds |
/// |---|---|---|
/// | guild | `id` | GUILD_CREATE, GUILD_UPDATE, GUILD_DELETE |
/// | | `guild_id` | all others but READY, RESUMED, RATE_LIMITED, SUBSCRIPTION_\*, USER_UPDATE |
/// | channel | `id` | CHANNEL_CREATE, CHANNEL_UPDATE, CHANNEL_DELETE, THREAD_CREATE, THREAD_UPDATE, THREAD_DELETE, THREAD_MEMBER_UPDATE, THREAD_MEMBERS_UPDATE, VOICE_CHANNEL_STATUS_UPDATE, VOICE_CHANNEL_START_TIME_UPDATE |
/// | | `channel_id` | MESSAGE_\*, INTERACTION_CREATE, TYPING_START, CHANNEL_PINS_UPDATE, INVITE_\*, WEBHOOKS_UPDATE, STAGE_INSTANCE_\*, VOICE_CHANNEL_EFFECT_SEND, AUTO_MODERATION_ACTION_EXECUTION, GUILD_SCHEDULED_EVENT_CREATE, GUILD_SCHEDULED_EVENT_DELETE |
/// | author | `author.bot` | MESSAGE_CREATE, MESSAGE_UPDATE |
/// | command | `data.name`, where `type` is 2 or 4 | INTERACTION_CREATE |
/// | custom id | `data.custom_id`, where `type` is 3 or 5 | INTERACTION_CREATE |
///
/// The channel of a thread is the thread, not its parent. VOICE_STATE_UPDATE and
/// GUILD_SCHEDULED_EVENT_UPDATE are not asked for a channel: they also tell that another one was
/// left, which they do not name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub(super) guilds: Option<Ids>,
    pub(super) channels: Option<Ids>,
    pub(super) skips_bots: bool,
    pub(super) skips_direct: bool,
    pub(super) commands: Option<Names>,
    pub(super) custom_ids: Option<Names>,
}

impl Filter {
    /// Everything is wanted.
    pub const fn new() -> Self {
        Self {
            guilds: None,
            channels: None,
            skips_bots: false,
            skips_direct: false,
            commands: None,
            custom_ids: None,
        }
    }

    /// Of these guilds only; events without a guild pass. At most [`FILTER_IDS_MAX`].
    ///
    /// Like all of these, a second call replaces what the first said, and an empty list wants none.
    #[must_use]
    pub fn guilds(mut self, guilds: impl IntoIterator<Item = GuildId>) -> Self {
        self.guilds = Some(guilds.into_iter().map(|id| id.get()).collect());
        self
    }

    /// Of these channels and threads only. At most [`FILTER_IDS_MAX`].
    #[must_use]
    pub fn channels(mut self, channels: impl IntoIterator<Item = ChannelId>) -> Self {
        self.channels = Some(channels.into_iter().map(|id| id.get()).collect());
        self
    }

    /// `false`: no messages whose author is a bot. Those of webhooks and of this bot itself are
    /// among them, as far as Discord says `bot: true` of their author.
    #[must_use]
    pub const fn bots(mut self, wanted: bool) -> Self {
        self.skips_bots = !wanted;
        self
    }

    /// `false`: nothing that happened outside of a guild: events whose `guild_id` is missing or
    /// null, of the kinds that direct messages bring (MESSAGE_\*, TYPING_START,
    /// CHANNEL_PINS_UPDATE, INTERACTION_CREATE). Ephemeral messages have no `guild_id` either
    /// (protocol section 8).
    #[must_use]
    pub const fn direct_messages(mut self, wanted: bool) -> Self {
        self.skips_direct = !wanted;
        self
    }

    /// Of the interactions by command, auto-completion included, only these commands: top-level
    /// names, compared byte for byte. At most [`FILTER_NAMES_MAX`]. Components and modals pass.
    #[must_use]
    pub fn commands<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.commands = Some(names.into_iter().collect());
        self
    }

    /// Of the interactions by component or modal, only those whose `custom_id` begins with one of
    /// these; `""` wants all. At most [`FILTER_NAMES_MAX`]. Commands pass.
    #[must_use]
    pub fn custom_ids<N: Into<String>>(mut self, prefixes: impl IntoIterator<Item = N>) -> Self {
        let mut prefixes: Names = prefixes.into_iter().collect();
        // Without those that another one is the beginning of: see `Names::has_prefix_of`.
        prefixes.0.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
        self.custom_ids = Some(prefixes);
        self
    }

    /// What [`FILTER_IDS_MAX`] and [`FILTER_NAMES_MAX`] allow, or the rule that it breaks.
    pub(super) fn check(&self) -> Result<(), String> {
        for (what, ids) in [("guilds", &self.guilds), ("channels", &self.channels)] {
            let len = ids.as_ref().map_or(0, |ids| ids.0.len());
            if len > FILTER_IDS_MAX {
                return Err(format!("{len} {what}, at most {FILTER_IDS_MAX}"));
            }
        }
        for (what, names) in [("commands", &self.commands), ("custom ids", &self.custom_ids)] {
            let names: &[String] = names.as_ref().map_or(&[], |names| &names.0);
            if names.len() > FILTER_NAMES_MAX {
                return Err(format!("{} {what}, at most {FILTER_NAMES_MAX}", names.len()));
            }
            if let Some(name) = names.iter().find(|name| name.len() > FILTER_NAME_LEN_MAX) {
                let len = name.len();
                return Err(format!(
                    "one of {len} bytes among {what}, at most {FILTER_NAME_LEN_MAX}"
                ));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("guilds", &self.guilds.as_ref().map(|ids| ids.0.len()))
            .field("channels", &self.channels.as_ref().map(|ids| ids.0.len()))
            .field("bots", &!self.skips_bots)
            .field("direct_messages", &!self.skips_direct)
            .field("commands", &self.commands.as_ref().map(|names| &names.0))
            .field("custom_ids", &self.custom_ids.as_ref().map(|names| &names.0))
            .finish()
    }
}

/// Ids, ascending, each once.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ids(Box<[u64]>);

impl Ids {
    pub(super) fn has(&self, id: u64) -> bool {
        self.0.binary_search(&id).is_ok()
    }
}

impl FromIterator<u64> for Ids {
    fn from_iter<I: IntoIterator<Item = u64>>(ids: I) -> Self {
        let mut ids: Vec<u64> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids.into_boxed_slice())
    }
}

/// Names, ascending, each once.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// Whether `text` is one of the names, or could be.
    pub(super) fn may_have(&self, text: ScannedText<'_>) -> bool {
        match text.is_whole {
            true => self.0.binary_search_by(|name| name.as_str().cmp(text.head)).is_ok(),
            false => self.may_go_on(text.head),
        }
    }

    /// Whether `text` begins with one of the names, or could. Of these none may be the beginning
    /// of another.
    pub(super) fn may_begin(&self, text: ScannedText<'_>) -> bool {
        // Whatever is sorted between a beginning of `head` and `head` has that beginning too: so
        // if there is one, it is the last that is not behind `head`.
        let behind = self.0.partition_point(|name| name.as_str() <= text.head);
        let begins = behind > 0 && text.head.starts_with(&self.0[behind - 1]);
        begins || (!text.is_whole && self.may_go_on(text.head))
    }

    /// Whether there is a name that is longer than `head` and begins so.
    fn may_go_on(&self, head: &str) -> bool {
        let behind = self.0.partition_point(|name| name.as_str() <= head);
        self.0.get(behind).is_some_and(|name| name.starts_with(head))
    }
}

impl<N: Into<String>> FromIterator<N> for Names {
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }
}

/// The top-level key of `d` that holds the guild; `""` if the kind has none.
pub(super) const fn guild_key(kind: EventKind) -> &'static str {
    use EventKind as K;
    match kind {
        K::GuildCreate | K::GuildUpdate | K::GuildDelete => "id",
        K::Ready | K::Resumed | K::RateLimited | K::UserUpdate | K::Unknown => "",
        K::SubscriptionCreate | K::SubscriptionUpdate | K::SubscriptionDelete => "",
        _ => "guild_id",
    }
}

/// The top-level key of `d` that holds the channel; `""` if the kind has none, or also tells of a
/// channel that it does not name.
pub(super) const fn channel_key(kind: EventKind) -> &'static str {
    if CHANNEL_BY_ID.contains(kind) {
        "id"
    } else if CHANNEL_BY_CHANNEL_ID.contains(kind) {
        "channel_id"
    } else {
        ""
    }
}

const CHANNEL_BY_ID: EventSet = EventSet::of(&[
    EventKind::ChannelCreate,
    EventKind::ChannelUpdate,
    EventKind::ChannelDelete,
    EventKind::ThreadCreate,
    EventKind::ThreadUpdate,
    EventKind::ThreadDelete,
    EventKind::ThreadMemberUpdate,
    EventKind::ThreadMembersUpdate,
    EventKind::VoiceChannelStatusUpdate,
    EventKind::VoiceChannelStartTimeUpdate,
]);

const CHANNEL_BY_CHANNEL_ID: EventSet = DIRECT.union(EventSet::of(&[
    EventKind::InviteCreate,
    EventKind::InviteDelete,
    EventKind::WebhooksUpdate,
    EventKind::StageInstanceCreate,
    EventKind::StageInstanceUpdate,
    EventKind::StageInstanceDelete,
    EventKind::VoiceChannelEffectSend,
    EventKind::AutoModerationActionExecution,
    EventKind::GuildScheduledEventCreate,
    EventKind::GuildScheduledEventDelete,
]));

/// Kinds that come of direct messages too, then without `guild_id` (protocol section 8).
pub(super) const DIRECT: EventSet = EventSet::of(&[
    EventKind::MessageCreate,
    EventKind::MessageUpdate,
    EventKind::MessageDelete,
    EventKind::MessageDeleteBulk,
    EventKind::MessageReactionAdd,
    EventKind::MessageReactionRemove,
    EventKind::MessageReactionRemoveAll,
    EventKind::MessageReactionRemoveEmoji,
    EventKind::MessagePollVoteAdd,
    EventKind::MessagePollVoteRemove,
    EventKind::TypingStart,
    EventKind::ChannelPinsUpdate,
    EventKind::InteractionCreate,
]);

/// Kinds with an `author`.
pub(super) const AUTHORED: EventSet =
    EventSet::of(&[EventKind::MessageCreate, EventKind::MessageUpdate]);

/// The most guilds, and the most channels, of a [`Filter`]: 8 MB each.
pub const FILTER_IDS_MAX: usize = 1 << 20;

/// The most commands, and the most custom ids, of a [`Filter`].
pub const FILTER_NAMES_MAX: usize = 1 << 16;

/// The longest name in a [`Filter`], bytes. Discord allows 100 characters of a custom id.
pub const FILTER_NAME_LEN_MAX: usize = 400;

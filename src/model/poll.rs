//! Polls ([Discord's page]; MESSAGE_POLL_VOTE_ADD, MESSAGE_POLL_VOTE_REMOVE).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/poll

use super::{ChannelId, Emoji, GuildId, MessageId, Timestamp, UserId};

model! {
    /// A poll.
    pub struct Poll<'a> {
        /// What is asked; only `text` is set.
        pub question: PollMedia<'a> | always,
        /// What can be answered.
        pub answers: &'a [PollAnswer<'a>],
        /// When it ends; `None` for never.
        pub expiry: Option<Timestamp<'a>> | null,
        /// Whether one may give several answers.
        pub allow_multiselect: bool,
        /// How it looks.
        pub layout_type: PollLayoutType,
        /// The counts; `None` means unknown, not zero.
        pub results: Option<PollResults<'a>>,
    }
}

model! {
    /// A question or an answer.
    pub struct PollMedia<'a> {
        /// Its text.
        pub text: Option<&'a str>,
        /// Its emoji; only `id` or `name` is set.
        pub emoji: Option<&'a Emoji<'a>>,
    }
}

model! {
    /// A possible answer.
    pub struct PollAnswer<'a> {
        /// Its number, from 1.
        pub answer_id: u64,
        /// What it says.
        pub poll_media: PollMedia<'a> | always,
    }
}

model! {
    /// How a poll stands.
    pub struct PollResults<'a> {
        /// Whether the counts are final.
        pub is_finalized: bool,
        /// The counts; answers without a vote may be missing.
        pub answer_counts: &'a [PollAnswerCount],
    }
}

model! {
    /// The votes for one answer.
    pub struct PollAnswerCount demands id {
        /// The answer's number.
        pub id: u64,
        /// The votes.
        pub count: u64,
        /// Whether the bot voted so.
        pub me_voted: bool,
    }
}

model! {
    /// MESSAGE_POLL_VOTE_ADD and MESSAGE_POLL_VOTE_REMOVE: somebody voted for an answer, or no
    /// longer does. Where several answers are allowed, one event for each.
    pub struct MessagePollVote demands message_id {
        /// Who.
        pub user_id: UserId,
        /// Where.
        pub channel_id: ChannelId,
        /// The message with the poll.
        pub message_id: MessageId,
        /// `None` in direct messages.
        pub guild_id: Option<GuildId>,
        /// The answer's number.
        pub answer_id: u64,
    }
}

wire_enum! {
    /// How a poll looks.
    pub struct PollLayoutType(u32) { DEFAULT = 1 }
}

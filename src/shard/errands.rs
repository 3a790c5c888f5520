//! What a shard itself waits for among its dispatches, whatever the handler wants to see of them:
//! the two halves of a voice connection, the chunks of a member request, RATE_LIMITED.
//!
//! Sans-io, a part of `session`. It decides nothing about the connection. Invariant: a shard that
//! runs no errand pays one comparison a dispatch.

use crate::clock::Time;
use crate::command::Command;
use crate::model::{Event, EventKind};

/// The errands of one shard.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    /// The bot's own, from READY.
    pub(crate) user_id: Option<u64>,
}

impl Errands {
    /// Whether an errand wants to see this dispatch, whose payload's text this is.
    pub(crate) fn watch(&self, _kind: EventKind, _text: &[u8]) -> bool {
        false
    }

    /// A dispatch that was watched for.
    pub(crate) fn observe(&mut self, _now: Time, _event: &Event<'_>) {}

    /// A deadline may have passed.
    pub(crate) fn expire(&mut self, _now: Time) {}

    /// When [`expire`](Self::expire) is to be called.
    pub(crate) fn deadline(&self) -> Option<Time> {
        None
    }

    /// The next command that an errand wants sent.
    pub(crate) fn poll_command(&mut self) -> Option<Command> {
        None
    }
}

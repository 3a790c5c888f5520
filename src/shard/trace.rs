//! What a shard tells the log: each change of its state, with shard, session and cause.
//!
//! The only place of this room that names `tracing`. Never per dispatch, never a payload, never
//! the token. The spine calls it with each notice. Target: `shardring::shard`.

use tracing::{Level, debug, enabled, error, info, warn};

use crate::shard::notice::Notice;
use crate::shard::refusal::Refusal;
use crate::shard::session::Session;
use crate::wire::WireError;

/// Tells of a notice. `wire` is what was wrong with the bytes of the connection, if something was.
pub(super) fn notice(session: &Session, notice: &Notice, wire: Option<WireError>) {
    if !enabled!(target: TARGET, Level::ERROR) {
        return;
    }
    let shard = session.shard().id;
    let id = session.session_id().unwrap_or("none");
    match notice {
        Notice::Connected { target } => {
            debug!(target: TARGET, shard, session = id, ?target, "connected");
        }
        Notice::Ready { session_id } => {
            info!(target: TARGET, shard, session = %session_id, "ready");
        }
        Notice::NoGuilds => {
            let total = session.shard().total;
            warn!(target: TARGET, shard, session = id, total, "no guild falls to this shard");
        }
        Notice::Resumed { replayed } => {
            info!(target: TARGET, shard, session = id, replayed, "resumed");
        }
        Notice::Disconnected { cause } => match wire {
            Some(wire) => {
                warn!(target: TARGET, shard, session = id, %cause, %wire, "disconnected");
            }
            None => info!(target: TARGET, shard, session = id, %cause, "disconnected"),
        },
        Notice::Reconnecting { cause, after, resume } => {
            info!(target: TARGET, shard, session = id, %cause, ?after, resume, "reconnecting");
        }
        Notice::SessionLost { session_id, first_seq, cause, .. } => {
            warn!(target: TARGET, shard, session = %session_id, first_seq, %cause, "session lost");
        }
        Notice::Gap { first, last } => {
            warn!(target: TARGET, shard, session = id, first, last, "sequence numbers skipped");
        }
        Notice::Stalled { awaited, waited } => {
            warn!(target: TARGET, shard, session = id, ?awaited, ?waited, "stalled");
        }
        Notice::AckLate { waited } => {
            warn!(target: TARGET, shard, session = id, ?waited, "heartbeat not acknowledged");
        }
        Notice::RateLimited { .. } => {
            debug!(target: TARGET, shard, session = id, "commands wait for the send limit");
        }
        Notice::IdentifyBackoff { after, failures } => {
            warn!(target: TARGET, shard, ?after, failures, "identify brought no lasting session");
        }
        Notice::AcksDropped { first_seq, last_seq, count } => {
            warn!(target: TARGET, shard, session = id, first_seq, last_seq, count, "acks dropped");
        }
        // Told by `refused`, which knows what the bot had asked for.
        Notice::Fatal { .. } => {}
    }
}

/// Discord refuses a shard for good.
pub(super) fn refused(refusal: &Refusal) {
    error!(target: TARGET, shard = refusal.shard.id, %refusal, "refused for good");
}

const TARGET: &str = "shardring::shard";

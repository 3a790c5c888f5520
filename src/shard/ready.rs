//! What the spine does with READY: whether or not the handler wants it, the session lives on it.
//!
//! Part of [`Shard`].

use crate::config::Delivery;
use crate::decode::{DecodeError, Root};
use crate::model::EventKind;
use crate::shard::desk::{Delivered, Readers};
use crate::shard::handler::Handler;
use crate::shard::session::Session;
use crate::shard::{Desk, Shard};

impl Shard {
    /// READY: the session learns its id and where to resume, wanted or not; then the handler
    /// sees it.
    pub(super) fn ready<H: Handler>(
        &mut self,
        delivered: Delivered,
        delivery: Delivery,
        desk: &mut Desk<H>,
    ) -> Result<(), DecodeError> {
        let session = &mut self.session;
        let now = desk.stage.mark;
        if delivery == Delivery::Raw {
            desk.deliver_raw(session, delivered)?;
        }
        let learn = |session: &mut Session, root: &Root<'_>| {
            let data = root.json();
            let session_id = data.get("session_id").and_then(|id| id.as_str());
            let resume_url = data.get("resume_gateway_url").and_then(|url| url.as_str());
            let user_id = data.get("user").and_then(|user| user.get("id"));
            let user_id = user_id.and_then(|id| id.as_u64().or_else(|| id.as_str()?.parse().ok()));
            session.learn_user(user_id);
            session.ready(now, session_id.unwrap_or(""), resume_url);
            if data.get("guilds").is_some_and(|guilds| guilds.is_empty()) {
                session.no_guilds();
            }
        };
        let keeps_text = delivery == Delivery::RawAndTyped;
        let wanted = matches!(delivery, Delivery::Typed | Delivery::RawAndTyped);
        if delivery == Delivery::Skip {
            desk.stage.metrics.kind_mut(EventKind::Ready).skipped += 1;
        }
        let readers = Readers { errands: false, handler: wanted };
        let read = desk.deliver_typed(session, delivered, keeps_text, learn, readers);
        if read.is_err() {
            // A session that nobody can name cannot be resumed: the session machine gives it up.
            session.ready(now, "", None);
        }
        read
    }
}

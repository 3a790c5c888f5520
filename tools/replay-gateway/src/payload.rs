//! The text of what a session was numbered: READY, guilds, traffic, captures, kept dispatches. Made
//! when it is sent, and made again for RESUME.

use crate::codec::SharedTail;
use crate::config::{CanaryKind, ResumeUrl};
use crate::core::{BOT_ID, Core};
use crate::ledger;
use crate::session::{Session, Source};
use crate::traffic::{self, guild_id_of_shard, start_guild};
use std::fmt::Write as _;
use std::rc::Rc;

impl Core {
    /// Writes the payload of a number of a session.
    pub(crate) fn write_payload(&mut self, slot: usize, s: u64, text: &mut String) -> Wrote {
        text.clear();
        let Some(session) = self.session(slot) else { return Wrote::Nothing };
        let Some(source) = session.source(s) else { return Wrote::Nothing };
        match source {
            Source::Gap => return Wrote::Nothing,
            Source::Ready => self.write_ready(session, text),
            Source::StartGuild(index) => {
                let id =
                    guild_id_of_shard(self.config.seed, session.shard.0, session.shard.1, index);
                traffic::write_envelope("GUILD_CREATE", s, text);
                if let Some(tail) = &self.big_tail {
                    text.push_str(&traffic::big_guild_parts(self.config.seed, id, 0).0);
                    return Wrote::BeforeTail(Rc::clone(tail));
                }
                start_guild(id, text);
                text.push('}');
            }
            Source::Traffic => {
                let wrote = self.write_traffic(session, s, text);
                return if wrote { Wrote::Traffic } else { Wrote::Nothing };
            }
            Source::Capture(index) => {
                let Some(event) = self.capture.as_ref().and_then(|c| c.event(index)) else {
                    return Wrote::Nothing;
                };
                traffic::write_envelope(&event.name, s, text);
                text.push_str(&event.d);
                text.push('}');
                return Wrote::Traffic;
            }
            Source::Stored(stored) => {
                traffic::write_envelope(&stored.name, s, text);
                text.push_str(&stored.d);
                text.push('}');
            }
        }
        Wrote::Other
    }

    /// What the ledger says of a generated event: its id and hash.
    pub(crate) fn mark_of(&mut self, slot: usize, s: u64) -> (u64, u64) {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let mut mark = (0, 0);
        if let Some(session) = self.session(slot) {
            let k = session.traffic_index(s);
            let written = session.traffic.write_payload(k, s, &mut text);
            mark = (written.id, ledger::hash(&text.as_bytes()[written.d]));
        }
        self.scratch = text;
        mark
    }

    /// Writes a generated event as it goes out, which a canary may make other than it should be.
    /// False: the canary drops it.
    fn write_traffic(&self, session: &Session, s: u64, text: &mut String) -> bool {
        let k = session.traffic_index(s);
        let canary = self.config.canary.filter(|canary| canary.shard == session.shard.0);
        let mut content = k;
        match canary.map(|canary| (canary.kind, k.checked_sub(canary.at))) {
            Some((CanaryKind::Drop, Some(0))) => return false,
            Some((CanaryKind::Double | CanaryKind::Swap, Some(1))) => content = k - 1,
            Some((CanaryKind::Swap, Some(0))) => content = k + 1,
            _ => {}
        }
        let written = session.traffic.write_payload(content, s, text);
        if canary.is_some_and(|canary| canary.kind == CanaryKind::Alter && canary.at == k) {
            alter(text, written.d);
        }
        true
    }

    fn write_ready(&self, session: &Session, text: &mut String) {
        let own = || self.url.clone();
        let resume_url = match &self.config.resume_url {
            ResumeUrl::Own => own(),
            ResumeUrl::Refused => self.refused_url.clone(),
            ResumeUrl::Unavailable => own() + "/unavailable",
            ResumeUrl::Host => self.resume_url.clone().unwrap_or_else(own),
            ResumeUrl::Custom(url) => url.clone(),
        };
        traffic::write_envelope("READY", 1, text);
        let _ = write!(
            text,
            r#"{{"v":10,"user_settings":{{}},"user":{{"verified":true,"username":"Replay","primary_guild":null,"mfa_enabled":true,"id":"{BOT_ID}","global_name":null,"flags":0,"email":null,"discriminator":"4242","clan":null,"bot":true,"avatar":null}},"shard":[{},{}],"session_type":"normal","session_id":"{}","resume_gateway_url":{},"relationships":[],"private_channels":[],"presences":[],"guilds":["#,
            session.shard.0,
            session.shard.1,
            session.id,
            serde_json::Value::from(resume_url)
        );
        for index in 0..session.first_s.saturating_sub(2) {
            let comma = if index > 0 { "," } else { "" };
            let (shard_id, shards) = session.shard;
            let id = guild_id_of_shard(self.config.seed, shard_id, shards, index as u32);
            let _ = write!(text, r#"{comma}{{"unavailable":true,"id":"{id}"}}"#);
        }
        let _ = write!(
            text,
            r#"],"guild_join_requests":[],"geo_ordered_rtc_regions":["frankfurt","rotterdam"],"auth":{{}},"application":{{"id":"{BOT_ID}","flags":565248}},"_trace":["[\"replay-gateway\",{{\"micros\":0}}]"],"_traffic":"#
        );
        self.write_traffic_info(Some(session), text);
        text.push_str("}}");
    }
}

/// What [`Core::write_payload`] wrote.
pub(crate) enum Wrote {
    /// The whole payload of a generated or captured event.
    Traffic,
    /// The whole payload of another dispatch.
    Other,
    /// What comes before a tail that many share.
    BeforeTail(Rc<SharedTail>),
    /// The number is not to be sent.
    Nothing,
}

/// Changes one byte within the text of `d` such that the JSON stays valid and the id as it is.
fn alter(text: &mut String, d: std::ops::Range<usize>) {
    // The last digit of the guild's id: in every kind but GUILD_CREATE there is one.
    let Some(at) = text[d.clone()].rfind("\"guild_id\":\"").map(|at| d.start + at + 12) else {
        return;
    };
    let changed = if text.as_bytes()[at] == b'1' { "2" } else { "1" };
    text.replace_range(at..at + 1, changed);
}

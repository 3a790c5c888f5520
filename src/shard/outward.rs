//! What a shard gives out: the dial, frames to write, notices, actions, its report.
//!
//! The other half of [`Shard`], beside the spine: pulled by the driver after each input. It decides
//! nothing; the session has.

use crate::clock::Time;
use crate::config::Intents;
use crate::error::{Error, ErrorKind};
use crate::metrics::{Metrics, ShardMetrics};
use crate::shard::close::{CLOSE_TO_RESUME, Fatal};
use crate::shard::handler::{Handler, Link};
use crate::shard::notice::{Notice, Order, Sent, State, Target};
use crate::shard::refusal::Refusal;
use crate::shard::{Action, Desk, Shard, mask, trace};
use crate::wire::{GatewayUrl, Upgrade, Wire};

impl Shard {
    /// The answer to [`Action::Dial`]: where to, and the request to send first, which
    /// [`take_outgoing`](Self::take_outgoing) gives.
    pub fn dial(&mut self, target: Target) -> GatewayUrl {
        let main = &self.common.main_url;
        let url = match target {
            Target::Main => None,
            Target::Resume => self.session.resume_place(),
        };
        let url = match url {
            Some(url) => url.with_query(self.common.compression),
            None => main.clone(),
        };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.rng.next_u64().to_le_bytes());
        key[8..].copy_from_slice(&self.rng.next_u64().to_le_bytes());
        let upgrade = Upgrade::new(&url, key);
        self.outgoing = upgrade.request();
        let wire = Wire::new(self.common.compression, self.common.limits, upgrade);
        self.wire = Some(Box::new(wire));
        self.wire_error = None;
        url
    }

    /// The answer to a close frame (RFC 6455 §5.5.1), to be written before the connection is cut
    /// if that is possible at once.
    pub fn take_farewell(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.farewell)
    }

    pub(super) fn answer_close(&mut self, code: Option<u16>) {
        // In the middle of a write nothing can be put in; and our own close was the first word.
        if self.session.state() != State::Closing && self.outgoing.is_empty() {
            // Never 1000 or 1001 of ours: they would end the session.
            let code = code.filter(|code| !matches!(code, 1000 | 1001)).unwrap_or(CLOSE_TO_RESUME);
            Wire::seal_close(code, "", mask(&mut self.rng), &mut self.farewell);
        }
    }

    /// Drains what the session has to say: notices to metrics and handler, payloads into frames.
    /// Gives the driver's next action; call again until there is none.
    pub fn settle<H: Handler>(&mut self, now: Time, desk: &mut Desk<H>) -> Option<Action> {
        loop {
            while let Some(notice) = self.session.poll_notice() {
                self.notice(now, &notice, desk);
            }
            self.seal(now);
            return match self.session.poll_order()? {
                Order::Dial { target, .. } => Some(Action::Dial(target)),
                Order::Drop => Some(Action::Drop),
                Order::Close { code } => {
                    Wire::seal_close(code, "", mask(&mut self.rng), &mut self.outgoing);
                    continue;
                }
            };
        }
    }

    fn notice<H: Handler>(&mut self, now: Time, notice: &Notice, desk: &mut Desk<H>) {
        let counters = &mut desk.stage.metrics.counters;
        match notice {
            Notice::Ready { .. } => {
                counters.readies += 1;
                self.was_ready = true;
            }
            Notice::Resumed { replayed } => {
                counters.resumed += 1;
                counters.replayed += replayed;
                self.was_ready = true;
            }
            Notice::Disconnected { cause } => counters.disconnects[cause.index()] += 1,
            Notice::SessionLost { .. } => counters.sessions_lost += 1,
            Notice::AcksDropped { count, .. } => counters.acks_dropped += u64::from(*count),
            Notice::Fatal { error } => {
                let refusal = self.refusal(*error);
                trace::refused(&refusal);
                let detail = format!("shard {}: {refusal}", self.session.shard());
                desk.stage.fail(Error::new(ErrorKind::Refused, detail));
            }
            _ => {}
        }
        trace::notice(&self.session, notice, self.wire_error);
        let refusal = |error| self.refusal(error);
        let link = Link::from_notice(notice, now, self.wire_error, refusal);
        desk.stage.link(&mut self.session, now, link);
        if std::mem::take(&mut desk.stage.effects.pause) {
            self.pause(now);
        }
    }

    pub(super) fn refusal(&self, fatal: Fatal) -> Refusal {
        Refusal {
            fatal,
            shard: self.id(),
            intents: Intents::from_bits(self.common.settings.intents),
            recommended_shards: self.common.recommended_shards,
        }
    }

    /// Turns the payloads that may go now into frames.
    fn seal(&mut self, now: Time) {
        if self.wire.is_none() {
            return;
        }
        let mut text = Vec::new();
        while let Some(sent) = self.session.poll_transmit(now, &mut text) {
            // The session writes JSON from strings and numbers: always UTF-8.
            if let Ok(payload) = std::str::from_utf8(&text) {
                Wire::seal_text(payload, mask(&mut self.rng), &mut self.outgoing);
                self.queued.push(sent);
            }
            text.clear();
        }
    }

    /// Takes the frames that wait, to be written in one go. Not before the last were
    /// [`written`](Self::written).
    pub fn take_outgoing(&mut self) -> Option<Vec<u8>> {
        if self.outgoing.is_empty() {
            return None;
        }
        debug_assert!(self.writing.is_empty(), "one write in flight");
        std::mem::swap(&mut self.queued, &mut self.writing);
        Some(std::mem::take(&mut self.outgoing))
    }

    /// All bytes of the last [`take_outgoing`](Self::take_outgoing) are written.
    pub fn written(&mut self, now: Time, metrics: &mut Metrics) {
        for sent in self.writing.drain(..) {
            match sent {
                Sent::Heartbeat => metrics.counters.heartbeats += 1,
                Sent::Identify => metrics.counters.identifies += 1,
                Sent::Resume => metrics.counters.resumes += 1,
                Sent::Command => metrics.counters.commands += 1,
            }
            self.session.transmitted(now, sent);
        }
    }

    /// What the metrics show of it.
    pub(crate) fn report(&self, now: Time, core: usize) -> ShardMetrics {
        let session = &self.session;
        let counters = session.counters();
        let (open_acks, oldest_ack_age) = session.acks.open(now);
        ShardMetrics {
            shard: session.shard().id,
            core,
            state: session.state(),
            session_id: session.session_id().map(str::to_owned),
            sequence: session.sequence(),
            round_trip: self.round_trips(),
            last_ack_age: session.last_ack_at().map(|at| now - at),
            paused_for: self.paused_for(now),
            open_acks,
            oldest_ack_age,
            identifies: counters.identifies.into(),
            resumes: counters.resumes.into(),
            disconnects: counters.disconnects.iter().map(|count| u64::from(*count)).sum(),
        }
    }
}

//! What a session is asked to send, and what the [errands](crate::shard::errands) want sent.

use super::{Place, Session};
use crate::clock::Time;
use crate::command::Encoded;
use crate::model::Event;
use crate::shard::notice::{Notice, Sent, State};
use crate::shard::outbox::{Completion, Dropped, Outcome};

impl Session {
    /// Who the bot is, as READY said; before [`ready`](Self::ready).
    pub fn learn_user(&mut self, user_id: Option<u64>) {
        self.errands.user_id = user_id.or(self.errands.user_id);
    }

    /// An event that the session [watches](Self::watches) for was delivered.
    pub fn observe(&mut self, now: Time, event: &Event<'_>) {
        self.errands.observe(now, event);
        self.send_errands(now);
    }

    /// Queues what the errands want sent.
    pub(super) fn send_errands(&mut self, now: Time) {
        while let Some((command, completion)) = self.errands.poll_command() {
            // Full, stopped or not valid: the completion, told or dropped, tells the errand.
            if let Ok(encoded) = command.encode() {
                let _ = self.submit(now, encoded, completion);
            }
        }
    }

    /// Queues a command. It is sent in its turn, when the session is up and the send limit allows;
    /// over a reconnect it stays in its place.
    ///
    /// # Errors
    /// [`Dropped::Full`] if as many wait as may, [`Dropped::Stopped`] if the shard will send
    /// nothing any more. The completion has been told the same.
    pub fn submit(
        &mut self,
        now: Time,
        command: Encoded,
        completion: Completion,
    ) -> Result<(), Dropped> {
        if self.retiring || self.state == State::Retired {
            completion.complete(Outcome::Dropped(Dropped::Stopped));
            return Err(Dropped::Stopped);
        }
        self.outbox.push(command, completion, self.settings.outbox_len_max)?;
        if self.state == State::Active {
            let beats = self.beats();
            if let Some(until) = self.outbox.tell_limited(now, beats) {
                self.notice(Notice::RateLimited { until });
            }
        }
        Ok(())
    }

    /// A payload from [`poll_transmit`](Self::poll_transmit) was written to the socket, whole. To
    /// be called once for each, in their order.
    pub fn transmitted(&mut self, now: Time, sent: Sent) {
        match sent {
            Sent::Heartbeat => self.heartbeat.written(now),
            Sent::Identify => {
                if let Place::HandedOut(_) = self.place {
                    self.release_place(now);
                }
            }
            Sent::Resume => {}
            Sent::Command => self.outbox.written(),
        }
    }
}

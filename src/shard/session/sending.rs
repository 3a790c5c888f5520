//! What a session is asked to send, and what the [errands](crate::shard::errands) want sent.

use super::{Place, Session};
use crate::clock::Time;
use crate::command::{Kind, Outgoing, Prepared, Rules};
use crate::error::{Error, ErrorKind};
use crate::model::{Event, EventKind, RateLimited};
use crate::shard::notice::{Notice, Sent, State};
use crate::shard::outbox::Terms;
use crate::shard::receipt::{CommandReceipt, Over, Ticket, ticket};

impl Session {
    /// Who the bot is, as READY said; before [`ready`](Self::ready).
    pub fn learn_user(&mut self, user_id: Option<u64>) {
        self.errands.user_id = user_id.or(self.errands.user_id);
    }

    /// Whether a dispatch, whose payload's text this is, is to be parsed for
    /// [`observe`](Self::observe), whatever the handler wants of it.
    pub fn watches(&self, kind: EventKind, text: &[u8]) -> bool {
        self.errands.watch(kind, text)
            || (kind == EventKind::RateLimited && self.outbox.is_watching())
    }

    /// An event that the session [watches](Self::watches) for was delivered.
    pub fn observe(&mut self, now: Time, event: &Event<'_>) {
        if let Event::RateLimited(event) = event {
            self.rate_limited(now, event);
        }
        self.errands.observe(now, event);
        self.send_errands(now);
    }

    /// RATE_LIMITED, after its [`dispatch`](Self::dispatch): a request of this session was refused.
    pub fn rate_limited(&mut self, now: Time, event: &RateLimited<'_>) {
        self.outbox.rate_limited(now, event);
    }

    /// Queues what the errands want sent.
    pub(super) fn send_errands(&mut self, now: Time) {
        let rules = Rules { intents: self.settings.intents, shard: None };
        while let Some((command, ticket)) = self.errands.poll_command() {
            // Full, stopped or not valid: the ticket, told or dropped, tells the errand.
            if let Ok(prepared) = Outgoing::from(command).prepare(&rules) {
                let _ = self.queue(now, prepared, ticket);
            }
        }
    }

    /// Checks a command and queues it. It is sent in its turn, when the session is up and the
    /// limits allow; over a reconnect it stays in its place.
    ///
    /// # Errors
    /// [`ErrorKind::Command`] if it is not valid, or of a guild of another shard;
    /// [`ErrorKind::Full`] if as many wait as may; [`ErrorKind::NotConnected`] for a heartbeat
    /// without a connection; [`ErrorKind::Stopped`] if the shard will send nothing any more.
    pub fn send(
        &mut self,
        now: Time,
        command: impl Into<Outgoing>,
    ) -> Result<CommandReceipt, Error> {
        let shard = Some((self.shard.id, self.shard.total));
        let rules = Rules { intents: self.settings.intents, shard };
        let prepared = command.into().prepare(&rules)?;
        let (ticket, receipt) = ticket();
        self.submit(now, prepared, ticket)?;
        Ok(receipt)
    }

    /// Queues a command of the user that was checked. An error was told to the ticket, too.
    pub(crate) fn submit(
        &mut self,
        now: Time,
        command: Prepared,
        ticket: Ticket,
    ) -> Result<(), Error> {
        self.queue(now, command, ticket)?;
        self.send_errands(now); // It may have taken the place of one of theirs.
        Ok(())
    }

    fn queue(&mut self, now: Time, command: Prepared, ticket: Ticket) -> Result<(), Error> {
        if let Some(error) = self.refuses(&command.kind) {
            ticket.end(Over::Rejected(error.clone()));
            return Err(error);
        }
        let settings = &self.settings;
        let terms = Terms { len_max: settings.outbox_len_max, start: settings.presence.as_ref() };
        self.outbox.push(now, command, ticket, terms)?;
        self.tell_limited(now);
        Ok(())
    }

    fn refuses(&self, kind: &Kind) -> Option<Error> {
        if self.retiring || self.state == State::Retired {
            return Some(Error::new(ErrorKind::Stopped, "the shard has stopped"));
        }
        let has_beats = self.is_linked() && self.heartbeat_interval().is_some();
        if matches!(kind, Kind::Heartbeat) && !has_beats {
            let detail = "there is no connection that a heartbeat could be sent on";
            return Some(Error::new(ErrorKind::NotConnected, detail));
        }
        None
    }

    /// Tells the user, once a time, that commands wait for the send limit.
    pub(super) fn tell_limited(&mut self, now: Time) {
        if self.state == State::Active {
            let beats = self.beats();
            if let Some(until) = self.outbox.tell_limited(now, beats) {
                self.notice(Notice::RateLimited { until });
            }
        }
    }

    /// A payload from [`poll_transmit`](Self::poll_transmit) was written to the socket, whole. To
    /// be called once for each, in their order.
    pub fn transmitted(&mut self, now: Time, sent: Sent) {
        match sent {
            Sent::Heartbeat => {
                self.heartbeat.written(now);
                self.outbox.beat_written(now);
            }
            Sent::Identify => {
                self.outbox.identified(now);
                if let Place::HandedOut(_) = self.place {
                    self.release_place(now);
                }
            }
            Sent::Resume => {}
            Sent::Command => self.outbox.written(now),
        }
    }
}

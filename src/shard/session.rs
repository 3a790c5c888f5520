//! The protocol machine of one shard: what came in, what to do about it.
//!
//! Sans-io: `now` and a seed are arguments, bytes never appear. After **each** input the driver
//! pulls everything out: [`Session::poll_order`], [`Session::poll_transmit`] (as long as the link
//! can take a write), [`Session::poll_notice`], then arms its timer with
//! [`Session::poll_deadline`] and calls [`Session::expire`] when it has passed. This file holds the
//! inputs of peer and clock; `life` those of the user; `dial` the way to a connection and to the
//! permit to IDENTIFY; `transition` the other changes of state; `pull` the outputs and getters.
//!
//! What never happens: a dial that was not admitted; an IDENTIFY without the gate's permit, or one
//! that the budget has not counted; an IDENTIFY while there is a session
//! to resume; a second IDENTIFY without a close, a zombie or op 9 between; more than 120 payloads
//! in 60 s on a connection; a close of ours with 1000 or 1001 while the session shall live on.
//! Called by the spine (`shard`) and by the driver.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Rng, Time};
use crate::shard::acks::Acks;
use crate::shard::admission::{DialEnd, Slip};
use crate::shard::backoff;
use crate::shard::close::{CLOSE_TO_END, CLOSE_TO_RESUME, Cause, Fatal, LinkEnd};
use crate::shard::counters::{Counters, Latency};
use crate::shard::errands::Errands;
use crate::shard::heartbeat::Heartbeat;
use crate::shard::id::ShardId;
use crate::shard::notice::{Notice, Order, State, Target, Verdict};
use crate::shard::outbox::Outbox;
use crate::shard::settings::SessionSettings;

mod dial;
mod errand;
mod guards;
mod life;
mod pull;
mod sending;
mod transition;

use dial::Place;
pub use guards::Guards;
pub use life::{LifeOrder, NotDone};

/// One shard's session with Discord, over as many connections as it takes.
pub struct Session {
    shard: ShardId,
    settings: Arc<SessionSettings>,
    guards: Guards,
    rng: Rng,
    state: State,
    /// When the present state must be looked at again.
    phase_at: Option<Time>,
    /// `unread` when `phase_at` was set: what is unread since then prolongs the wait for the peer.
    phase_unread: Duration,
    /// The latest `unread` told by the driver.
    unread: Duration,

    session_id: Option<Box<str>>,
    resume_url: Option<Box<str>>,
    sequence: Option<u64>,
    /// The number of the last dispatch that came, duplicate or not.
    latest: Option<u64>,
    /// `sequence` before that one.
    previous: Option<u64>,
    /// Since when the session has had no connection that is up.
    lost_link_at: Option<Time>,
    /// When the session began, to tell one that lasted from one that did not.
    ready_at: Time,

    target: Target,
    /// A new session came on this connection: [`resume_url`](Self::resume_url) is not what was
    /// dialled.
    url_replaced: bool,
    /// The last attempt was at the resume host, and failed: the next one is at the main host,
    /// whatever is known of the hosts.
    avoid_resume_host: bool,
    /// The place in the admission's line, or on the way: from before the dial until HELLO or, with
    /// a session, RESUMED.
    slip: Option<Slip>,
    /// Connections in a row that brought neither READY nor RESUMED.
    failures: u32,
    not_before: Time,
    /// IDENTIFYs in a row that brought no lasting session.
    identify_failures: u32,
    identify_not_before: Time,
    place: Place,
    /// Has never been in the gate's line.
    first: bool,
    /// An IDENTIFY of it was counted.
    identified: bool,
    retiring: bool,
    /// Its user has taken it down: the connection that is being closed is the last for now.
    going_down: bool,
    started_at: Time,
    /// Why Discord has refused it for good.
    fatal: Option<Fatal>,

    /// IDENTIFY or RESUME waits to be pulled.
    handshake: bool,
    handshake_at: Time,
    /// When RESUME last brought anything.
    progress_at: Time,
    stalled: bool,
    replayed: u64,
    /// The last dispatch was counted as replayed.
    latest_replayed: bool,

    errands: Errands,
    /// What the handler has not acknowledged yet.
    pub(crate) acks: Acks,
    heartbeat: Heartbeat,
    outbox: Outbox,
    latency: Latency,
    counters: Counters,

    cut: Option<Order>,
    dial: Option<Order>,
    notices: VecDeque<Notice>,
}

/// The longest session id, and the longest resume URL, that is taken, in bytes. A READY with a longer
/// id (or an empty one) is the peer's fault and ends the link; a longer URL is as good as none.
pub const SESSION_TEXT_LEN_MAX: usize = 512;
/// A session that lasted less than this counts as a failed IDENTIFY: a gateway that gives sessions
/// and takes them back at once would otherwise use up the day's IDENTIFYs.
pub const SESSION_LASTED: Duration = Duration::from_secs(60);
/// The most notices that are kept for somebody who does not pull them.
pub const NOTICES_LEN_MAX: usize = 16;

impl Session {
    /// A session that has not started. The seed decides every jitter.
    pub fn new(shard: ShardId, settings: Arc<SessionSettings>, guards: Guards, seed: u64) -> Self {
        let errands = Errands::new(shard, settings.intents);
        Self {
            shard,
            settings,
            guards,
            rng: Rng::new(seed),
            state: State::Idle,
            phase_at: None,
            phase_unread: Duration::ZERO,
            unread: Duration::ZERO,
            session_id: None,
            resume_url: None,
            sequence: None,
            latest: None,
            previous: None,
            lost_link_at: None,
            ready_at: Time::ZERO,
            target: Target::Main,
            url_replaced: false,
            avoid_resume_host: false,
            slip: None,
            failures: 0,
            not_before: Time::ZERO,
            identify_failures: 0,
            identify_not_before: Time::ZERO,
            place: Place::None,
            first: true,
            identified: false,
            retiring: false,
            going_down: false,
            started_at: Time::ZERO,
            fatal: None,
            handshake: false,
            handshake_at: Time::ZERO,
            progress_at: Time::ZERO,
            stalled: false,
            replayed: 0,
            latest_replayed: false,
            errands,
            acks: Acks::default(),
            heartbeat: Heartbeat::default(),
            outbox: Outbox::default(),
            latency: Latency::default(),
            counters: Counters::default(),
            cut: None,
            dial: None,
            notices: VecDeque::new(),
        }
    }

    /// TCP and the upgrade are done.
    pub fn link_opened(&mut self, now: Time) {
        if self.state != State::Connecting {
            return;
        }
        self.state = State::Greeting;
        self.phase(now + self.settings.hello_wait);
        self.outbox.link_opened(now);
        if self.session_id.is_none() {
            self.sequence = None;
        }
        self.notice(Notice::Connected { target: self.target });
    }

    /// The link is down, or the dial failed. Not to be called after [`Order::Drop`].
    ///
    /// A driver that finds the peer breaking the wire protocol, or a write stuck, cuts the link
    /// (without a close frame of 1000 or 1001) and tells it here.
    pub fn link_ended(&mut self, now: Time, end: LinkEnd) {
        match self.state {
            State::Idle | State::Waiting | State::Retired => {}
            State::Closing => self.closed(now, Some(end)),
            _ => self.leave(now, Cause::Link(end), None),
        }
    }

    /// Some bytes came on the link. To be called before what they mean.
    pub fn heard(&mut self, _now: Time) {
        self.heartbeat.heard();
    }

    /// Op 10.
    pub fn hello(&mut self, now: Time, interval_ms: u64) {
        if self.state != State::Greeting {
            return; // a second HELLO changes nothing
        }
        self.heartbeat.begin(now, interval_ms, &mut self.rng);
        if self.session_id.is_some() {
            if let Some(slip) = &self.slip {
                self.guards.admission.greeted(slip, now);
            }
            self.begin_resume(now);
        } else {
            self.settle_dial(now, DialEnd::Up);
            self.state = State::Queued;
            self.ask(now);
        }
    }

    /// Op 11.
    pub fn ack(&mut self, now: Time) {
        if self.is_linked() {
            self.counters.acks += 1;
            if let Some(round_trip) = self.heartbeat.ack(now) {
                self.latency.record(round_trip);
            }
        }
    }

    /// Op 1: the gateway asks for a heartbeat; the next pull gives it.
    pub fn heartbeat_asked(&mut self, _now: Time) {
        if self.is_linked() {
            self.heartbeat.ask();
        }
    }

    /// Op 7, which may come even before HELLO.
    pub fn reconnect_asked(&mut self, now: Time) {
        if self.is_linked() {
            self.leave(now, Cause::ReconnectAsked, Some(CLOSE_TO_RESUME));
        }
    }

    /// Op 9. A missing `d` is `false`.
    pub fn invalid_session(&mut self, now: Time, resumable: bool) {
        let cause = Cause::InvalidSession { resumable };
        if self.is_linked() {
            let code = if resumable { CLOSE_TO_RESUME } else { CLOSE_TO_END };
            self.leave(now, cause, Some(code));
        } else if self.state == State::Closing && !self.retiring && !resumable {
            self.lose_session(now, cause);
            self.not_before = self.not_before.max(now + backoff::invalid_session(&mut self.rng));
        }
    }

    /// Op 0 of any kind, READY and RESUMED among them. A missing `s` is `None`.
    ///
    /// The verdict says whether the handler shall see it. For READY and RESUMED [`ready`] or
    /// [`resumed`] follows whatever the verdict is.
    ///
    /// [`ready`]: Self::ready
    /// [`resumed`]: Self::resumed
    pub fn dispatch(&mut self, now: Time, s: Option<u64>) -> Verdict {
        self.latest = s;
        self.previous = self.sequence;
        self.latest_replayed = false;
        let Some(s) = s else {
            self.counters.delivered += 1;
            return Verdict::Deliver;
        };
        let last = self.sequence;
        if last.is_some_and(|last| s <= last) {
            self.counters.duplicates += 1;
            return Verdict::Duplicate;
        }
        self.sequence = Some(s);
        self.counters.delivered += 1;
        if self.state == State::Resuming {
            self.progress_at = now;
            self.replayed += 1;
            self.latest_replayed = true;
        }
        match last {
            Some(last) if s - last > 1 => {
                let (first, last) = (last + 1, s - 1);
                self.counters.gaps += 1;
                let missing = last - first + 1;
                self.counters.gap_events = self.counters.gap_events.saturating_add(missing);
                self.notice(Notice::Gap { first, last });
                Verdict::Gap { first, last }
            }
            _ => Verdict::Deliver,
        }
    }

    /// READY, after its [`dispatch`](Self::dispatch).
    pub fn ready(&mut self, now: Time, session_id: &str, resume_gateway_url: Option<&str>) {
        if !self.is_linked() {
            return; // we have given this connection up already
        }
        let fits = |text: &str| !text.is_empty() && text.len() <= SESSION_TEXT_LEN_MAX;
        if !fits(session_id) {
            // A session that could never be resumed: better none than one that loses events.
            return self.leave(now, Cause::Link(LinkEnd::Wire), Some(CLOSE_TO_RESUME));
        }
        if self.session_id.as_deref().is_some_and(|old| old != session_id) {
            self.sequence = self.previous;
            self.lose_session(now, Cause::SessionReplaced);
            self.sequence = self.latest; // the new session numbers anew
        }
        self.session_id = Some(session_id.into());
        self.resume_url = resume_gateway_url.filter(|url| fits(url)).map(Into::into);
        self.url_replaced = self.target == Target::Resume;
        self.avoid_resume_host = false;
        self.ready_at = now;
        self.counters.readies += 1;
        self.outbox.new_session();
        self.up(now);
        self.notice(Notice::Ready { session_id: session_id.into() });
        self.errands.session_began(now);
        self.send_errands(now);
    }

    /// READY named no guild; after [`ready`](Self::ready).
    pub fn no_guilds(&mut self) {
        if self.state == State::Active {
            self.notice(Notice::NoGuilds);
        }
    }

    /// RESUMED, after its [`dispatch`](Self::dispatch).
    pub fn resumed(&mut self, now: Time) {
        if self.state != State::Resuming {
            return;
        }
        let replayed = self.replayed - u64::from(self.latest_replayed);
        self.counters.replayed += replayed;
        self.counters.resumes += 1;
        self.outbox.resumed(self.lost_link_at);
        self.up(now);
        self.notice(Notice::Resumed { replayed });
        self.errands.session_resumed();
        self.send_errands(now);
    }

    /// A deadline has passed. The driver reaps this link's completions first.
    ///
    /// `unread` is the time, summed up since ever, in which this core did not read this link: a
    /// handler that blocked, a paused shard, a suspended host. It never falls, and it is not held
    /// against the peer.
    pub fn expire(&mut self, now: Time, unread: Duration) {
        self.unread = self.unread.max(unread);
        if self.is_linked() {
            self.expire_heartbeat(now);
        }
        if self.phase_at.is_some_and(|at| at <= now) {
            self.expire_phase(now);
        }
        self.outbox.expire(now);
        self.errands.expire(now, self.unread);
        self.send_errands(now);
        self.tell_limited(now);
    }
}

impl Drop for Session {
    /// Leaves gate and admission, so that a core that dies does not hold up the others.
    fn drop(&mut self) {
        if let Some(ticket) = self.place.take() {
            self.guards.gate.abandon(ticket);
        }
        if let Some(slip) = self.slip.take() {
            self.guards.admission.abandon(slip);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("shard", &self.shard)
            .field("state", &self.state)
            .field("session_id", &self.session_id)
            .field("sequence", &self.sequence)
            .field("failures", &self.failures)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

//! What may be asked of a running shard, and what may be ordered of it.
//!
//! The status is made when somebody asks, so a shard keeps nothing for it. Part of [`Shard`]; the
//! driver's handles call it on the shard's core.

use std::time::Duration;

use crate::clock::Time;
use crate::config::Intents;
use crate::error::{Error, ErrorKind};
use crate::metrics::RoundTrips;
use crate::model::UserId;
use crate::shard::counters::Counters;
use crate::shard::id::ShardId;
use crate::shard::notice::{State, Target};
use crate::shard::session::{LifeOrder, NotDone};
use crate::shard::stage::Stage;
use crate::shard::{Common, Shard};

/// What is known of a shard at a moment: a value of its own, which does not change any more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShardStatus {
    /// Its number and the total.
    pub shard: ShardId,
    /// The core that drives it, from 0.
    pub core: usize,
    /// What it identifies with.
    pub intents: Intents,
    /// How far it is.
    pub stage: Stage,
    /// What exactly it waits for.
    pub state: State,
    /// When all this was so, since the engine's start
    /// ([`Handle::started_at`](crate::Handle::started_at)).
    pub at: Time,
    /// When it was last started, since the engine's start; `None` while it is stopped.
    pub started_at: Option<Time>,
    /// Where its connection leads, or the one that is being made; `None` without one.
    pub url: Option<String>,
    /// Where its session is to be resumed, as READY said.
    pub resume_url: Option<String>,
    /// The session that goes on, or can be resumed.
    pub session_id: Option<String>,
    /// The last sequence number (`s`) of that session.
    pub sequence: Option<u64>,
    /// The number up to which every event of that session is acknowledged: [`sequence`] unless the
    /// handler [puts acknowledgements off](crate::Context::defer_ack). Events that were given up
    /// count as acknowledged; [`Link::AcksDropped`](crate::Link::AcksDropped) has told of them.
    ///
    /// [`sequence`]: Self::sequence
    pub acknowledged: Option<u64>,
    /// HELLO's heartbeat interval; `None` without a connection.
    pub heartbeat_interval: Option<Duration>,
    /// Heartbeat round trips of this shard, over all its connections.
    pub round_trip: RoundTrips,
    /// How long ago the last heartbeat was acknowledged: a latency older than this is stale.
    pub last_ack_age: Option<Duration>,
    /// Commands that wait to be sent.
    pub commands_waiting: usize,
    /// Connections in a row that brought neither READY nor RESUMED.
    pub failures: u32,
    /// It was READY (or RESUMED) at least once.
    pub was_ready: bool,
    /// How long its handler has had it paused, if it has.
    pub paused_for: Option<Duration>,
    /// Events whose acknowledgement is put off and has not come.
    pub open_acks: usize,
    /// How long the oldest of them has been open.
    pub oldest_ack_age: Option<Duration>,
    /// So many of them that the shard waits.
    pub waits_for_acks: bool,
    /// What it has counted since the engine's start.
    pub counters: Counters,
    user_id: Option<UserId>,
}

impl ShardStatus {
    /// The bot's own user id, as READY said.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`] before the shard's first READY.
    pub fn user_id(&self) -> Result<UserId, Error> {
        self.user_id.ok_or_else(|| {
            let detail = format!("shard {}: not connected yet: READY tells who we are", self.shard);
            Error::new(ErrorKind::NotConnected, detail)
        })
    }

    /// The last heartbeat's round trip; `None` before the first acknowledgement. It does not age:
    /// see [`last_ack_age`](Self::last_ack_age).
    pub fn latency(&self) -> Option<Duration> {
        self.round_trip.last
    }

    /// The mean of the last ten; `None` before the first acknowledgement.
    pub fn latency_mean(&self) -> Option<Duration> {
        self.round_trip.mean()
    }

    /// How long it has been running; `None` while it is stopped.
    pub fn uptime(&self) -> Option<Duration> {
        self.started_at.map(|started_at| self.at.since(started_at))
    }
}

impl Shard {
    /// What is known of it; `core` is the one that drives it.
    pub fn status(&self, now: Time, core: usize) -> ShardStatus {
        let session = &self.session;
        let (open_acks, oldest_ack_age) = session.acks.open(now);
        ShardStatus {
            shard: session.shard(),
            core,
            intents: Intents::from_bits(self.common.settings.intents),
            stage: session.stage(),
            state: session.state(),
            at: now,
            started_at: session.started_at(),
            url: self.url(&self.common),
            resume_url: session.resume_url().map(str::to_owned),
            session_id: session.session_id().map(str::to_owned),
            sequence: session.session_id().and_then(|_| session.sequence()),
            acknowledged: session.session_id().and_then(|_| session.acknowledged()),
            heartbeat_interval: session.heartbeat_interval(),
            round_trip: self.round_trips(),
            last_ack_age: session.last_ack_at().map(|at| now.since(at)),
            commands_waiting: session.outbox_len(),
            failures: session.failures(),
            was_ready: self.was_ready,
            paused_for: self.paused_for(now),
            open_acks,
            oldest_ack_age,
            waits_for_acks: session.acks.is_full(),
            counters: *session.counters(),
            user_id: session.user_id().map(UserId::new),
        }
    }

    fn url(&self, common: &Common) -> Option<String> {
        Some(match self.session.link_target()? {
            Target::Main => common.main_url.to_string(),
            Target::Resume => {
                self.session.resume_place()?.with_query(common.compression).to_string()
            }
        })
    }

    pub(crate) fn round_trips(&self) -> RoundTrips {
        let latency = self.session.latency();
        let mut recent: Vec<Duration> = latency.recent().collect();
        recent.reverse();
        RoundTrips { last: latency.last(), recent, min: latency.min(), max: latency.max() }
    }

    /// Acknowledgements that were asked for have come, or some were dropped.
    pub(crate) fn acknowledgements_came(&mut self) {
        self.session.acknowledgements_came();
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.session.stage()
    }

    /// Does what its user orders.
    ///
    /// # Errors
    /// Why it was not done: [`ErrorKind::Refused`], [`ErrorKind::Stopped`],
    /// [`ErrorKind::NotConnected`] or [`ErrorKind::Budget`]. Nothing was changed then.
    pub fn order(&mut self, now: Time, order: LifeOrder) -> Result<(), Error> {
        self.session.order(now, order).map_err(|why| self.explain(why))
    }

    /// Ends for good, without a close frame.
    pub fn abort(&mut self, now: Time) {
        self.session.abort(now);
    }

    /// Why it will stay stopped unless its user starts it, if that is so.
    pub fn obstacle(&self) -> Option<Error> {
        self.session.obstacle().map(|why| self.explain(why))
    }

    /// Its user has taken it down, or is about to have.
    pub fn is_down(&self) -> bool {
        self.session.obstacle() == Some(NotDone::Down)
    }

    #[cold]
    fn explain(&self, why: NotDone) -> Error {
        let shard = self.session.shard();
        match why {
            NotDone::Refused(fatal) => {
                Error::new(ErrorKind::Refused, format!("shard {shard}: {}", self.refusal(fatal)))
            }
            NotDone::Stopped => {
                Error::new(ErrorKind::Stopped, format!("shard {shard}: the engine stops"))
            }
            NotDone::Down => Error::new(
                ErrorKind::NotConnected,
                format!("shard {shard} was taken down by its user: start it first"),
            ),
            NotDone::NoSession => Error::new(
                ErrorKind::NotConnected,
                format!("shard {shard} has no session yet that could be resumed"),
            ),
            NotDone::Budget { after } => Error::new(
                ErrorKind::Budget,
                format!(
                    "shard {shard} keeps its session: another IDENTIFY may go in {} s at the \
                     earliest",
                    after.as_secs().max(1)
                ),
            ),
        }
    }
}

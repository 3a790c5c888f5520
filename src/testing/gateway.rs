//! [`Gateway`]: what a test makes Discord do to one shard, and what came of it.
//!
//! A view into the [`Rehearsal`]; it keeps nothing. Panics are for mistakes of the test's author.

use std::fmt;

use crate::decode::DecodeError;
use crate::metrics::{KindCounters, Metrics};
use crate::model::{EventKind, OwnedEvent};
use crate::shard::close::LinkEnd;
use crate::shard::handler::Handler;
use crate::shard::notice::State;
use crate::testing::peer::Asked;
use crate::testing::play::Line;
use crate::testing::rehearsal::Rehearsal;

/// Discord's side of one shard, from [`Rehearsal::gateway`].
pub struct Gateway<'r, H: Handler> {
    stage: &'r mut Rehearsal<H>,
    at: usize,
}

/// What became of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dispatched {
    /// The handler saw it, whole.
    Delivered,
    /// The handler saw it, but not all of it: a field could not be read
    /// ([`Event::notes`](crate::Event::notes) names it), or the key was missing without which there
    /// is no typed form, and it came as [`Event::Untyped`](crate::Event::Untyped). If that was not
    /// the point of the test, its JSON is not what Discord sends.
    Imperfect,
    /// The interest skips the kind.
    Skipped,
    /// The interest's [`Filter`](crate::Filter) does not want it.
    Filtered,
    /// It waits: the shard is paused, or the handler has panicked too often to be called.
    Held,
    /// The handler saw it and panicked; another one has replaced it, or dispatches are stopped.
    Panicked,
}

impl<'r, H: Handler> Gateway<'r, H> {
    pub(super) fn new(stage: &'r mut Rehearsal<H>, at: usize) -> Self {
        Self { stage, at }
    }

    fn line(&mut self) -> &mut Line {
        &mut self.stage.lines[self.at]
    }

    /// Waits for the shard's IDENTIFY (its turn at the gate, back-offs) and answers it by READY:
    /// a new session, with one guild that is not available yet, for the user 1.
    ///
    /// # Panics
    ///
    /// If the shard is up, or has a session to resume (then [`resume`](Self::resume) or
    /// [`lose_session`](Self::lose_session) comes first), or will not identify.
    #[track_caller]
    pub fn ready(&mut self) {
        self.await_asked(Asked::Identify);
        self.line().peer.ready(None);
        self.stage.turn(self.at);
    }

    /// The same with a READY of your own: `data` is its `d`, in which `session_id` is demanded.
    ///
    /// # Panics
    ///
    /// As [`ready`](Self::ready), and if `data` is no JSON.
    #[track_caller]
    pub fn ready_with(&mut self, data: &str) {
        check("READY", data);
        self.await_asked(Asked::Identify);
        self.line().peer.ready(Some(data));
        self.stage.turn(self.at);
    }

    /// Sends a dispatch of this name, with the next sequence number; `data` is the JSON of its `d`.
    /// The gateway sends whatever it is told to, whether or not the intents would have it.
    ///
    /// # Panics
    ///
    /// If the shard is not connected, or `data` is no JSON (see [`say`](Self::say) for what is
    /// broken on purpose).
    #[track_caller]
    pub fn dispatch(&mut self, name: &str, data: &str) -> Dispatched {
        check(name, data);
        self.demand_connected();
        let kind = EventKind::from_name(name);
        let before = Counts::of(self.stage.desk.metrics(), kind);
        self.line().peer.dispatch(name, data);
        self.stage.turn(self.at);
        let is_held = self.line().peer.waiting > 0;
        let after = Counts::of(self.stage.desk.metrics(), kind);
        before.dispatched(after, is_held)
    }

    /// Sends a payload as it is: any opcode, any number, broken JSON.
    ///
    /// # Panics
    ///
    /// If there is no connection.
    #[track_caller]
    pub fn say(&mut self, payload: &str) {
        self.demand_connected();
        self.line().peer.say(payload);
        self.stage.turn(self.at);
    }

    /// Leaves out so many sequence numbers: the handler will hear of a
    /// [`Gap`](crate::Link::Gap) with the next dispatch.
    pub fn skip_sequence(&mut self, count: u64) {
        self.line().peer.sequence += count;
    }

    /// The connection is cut, without a close frame. The shard keeps its session, and dials again
    /// when [time passes](Rehearsal::advance).
    ///
    /// # Panics
    ///
    /// If there is no connection.
    #[track_caller]
    pub fn disconnect(&mut self) {
        self.demand_connected();
        self.stage.end(self.at, LinkEnd::Eof);
        self.stage.turn(self.at);
    }

    /// Closes with this code (protocol section 2), or without one: 4004 refuses the token, 4014 the
    /// intents, 4009 ends the session.
    ///
    /// # Panics
    ///
    /// If there is no connection.
    #[track_caller]
    pub fn close(&mut self, code: Option<u16>) {
        self.demand_connected();
        self.line().peer.close(code);
        self.stage.turn(self.at);
    }

    /// Asks the shard to reconnect (op 7).
    ///
    /// # Panics
    ///
    /// If there is no connection.
    #[track_caller]
    pub fn reconnect(&mut self) {
        self.say(r#"{"t":null,"s":null,"op":7,"d":null}"#);
    }

    /// Waits for the shard's RESUME after a reconnect, plays what it missed (names and `d`s, with
    /// the next sequence numbers), and ends with RESUMED.
    ///
    /// # Panics
    ///
    /// If the shard is up, or has no session, or what it missed is no JSON.
    #[track_caller]
    pub fn resume<'m>(&mut self, missed: impl IntoIterator<Item = (&'m str, &'m str)>) {
        self.await_asked(Asked::Resume);
        let peer = &mut self.line().peer;
        peer.asked = None;
        for (name, data) in missed {
            check(name, data);
            peer.dispatch(name, data);
        }
        peer.dispatch("RESUMED", r#"{"_trace":[]}"#);
        self.stage.turn(self.at);
    }

    /// Declares the session invalid (op 9, `false`): at once if the shard is up, else in answer to
    /// its RESUME. The handler hears of [`SessionLost`](crate::Link::SessionLost); the next call is
    /// [`ready`](Self::ready).
    ///
    /// # Panics
    ///
    /// If there is no session.
    #[track_caller]
    pub fn lose_session(&mut self) {
        if self.state() != State::Active {
            self.await_asked(Asked::Resume);
            self.line().peer.asked = None;
        }
        self.say(r#"{"t":null,"s":null,"op":9,"d":false}"#);
    }

    /// From here on the gateway acknowledges no heartbeat, or does so again. A connection on which
    /// nothing comes for an interval is given up.
    pub fn silence(&mut self, is_silent: bool) {
        self.line().peer.is_silent = is_silent;
    }

    /// What [`Context::pause`](crate::Context::pause) does, asked for from outside.
    pub fn pause(&mut self) {
        let now = self.stage.now();
        self.line().shard.pause(now);
        self.stage.turn(self.at);
    }

    /// What [`Handle::unpause`](crate::Handle::unpause) does: what waits is delivered.
    pub fn unpause(&mut self) {
        self.line().shard.unpause();
        self.stage.turn(self.at);
    }

    /// How many payloads wait for a paused shard.
    pub fn waiting(&self) -> usize {
        self.stage.lines[self.at].peer.waiting
    }

    /// The commands that came at the gateway since the last time, as their JSON text, in order.
    /// Heartbeats, IDENTIFY and RESUME are not among them.
    pub fn take_sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.line().peer.sent)
    }

    /// The last IDENTIFY that came, as JSON text, `(token)` in place of the token.
    pub fn identify(&self) -> Option<&str> {
        self.stage.lines[self.at].peer.identify.as_deref()
    }

    /// What the shard waits for.
    pub fn state(&self) -> State {
        self.stage.lines[self.at].shard.session().state()
    }

    #[track_caller]
    fn demand_connected(&self) {
        let line = &self.stage.lines[self.at];
        if !line.peer.is_open() {
            let (id, state) = (line.shard.id(), self.state());
            panic!("shard {id} is not connected but {state:?}: call `ready` or `resume` first");
        }
    }

    #[track_caller]
    fn await_asked(&mut self, wanted: Asked) {
        let id = self.line().shard.id();
        if self.state() == State::Active {
            panic!("shard {id} is up: it asks for nothing before `disconnect` or `close`");
        }
        self.stage
            .until(self.at, "sends neither IDENTIFY nor RESUME", |line| line.peer.asked.is_some());
        match self.line().peer.asked {
            Some(asked) if asked != wanted => {
                let instead = match asked {
                    Asked::Identify => "has no session and asks to identify: call `ready`",
                    Asked::Resume => "asks to resume: call `resume` or `lose_session`",
                };
                panic!("shard {id} {instead}");
            }
            _ => {}
        }
    }
}

/// `data` can be a dispatch's `d`.
#[track_caller]
fn check(name: &str, data: &str) {
    let read = OwnedEvent::from_data(EventKind::from_name(name), data);
    // Anything else that is wrong with it is for the shard to judge.
    if let Err(DecodeError::Json { at }) = read {
        panic!("the `d` of {name} is no JSON (byte {at})");
    }
}

/// The counters that tell what became of a dispatch.
#[derive(Clone, Copy)]
struct Counts {
    kind: KindCounters,
    panics: u64,
}

impl Counts {
    fn of(metrics: &Metrics, kind: EventKind) -> Self {
        Self { kind: metrics.kind(kind), panics: metrics.counters.handler_panics }
    }

    fn dispatched(self, after: Self, is_held: bool) -> Dispatched {
        if after.panics > self.panics {
            Dispatched::Panicked
        } else if is_held {
            Dispatched::Held
        } else if after.kind.skipped > self.kind.skipped {
            Dispatched::Skipped
        } else if after.kind.filtered > self.kind.filtered {
            Dispatched::Filtered
        } else if after.kind.imperfect > self.kind.imperfect {
            Dispatched::Imperfect
        } else {
            Dispatched::Delivered
        }
    }
}

impl<H: Handler> fmt::Debug for Gateway<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = &self.stage.lines[self.at];
        f.debug_struct("Gateway")
            .field("shard", &line.shard.id())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

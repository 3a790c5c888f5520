//! Timers, what connections leave to be done for others, and the traffic's start: the parts of
//! the event loop's turn that no socket began.

use crate::config::Start;
use crate::conn::Phase;
use crate::core::{Effect, Timer};
use crate::fault;
use crate::faults::When;
use crate::input;
use crate::maker::Blocks;
use crate::outage::Moment;
use crate::server::{Link, Server};
use std::cmp::Reverse;

impl Server {
    /// Runs the timers that are due.
    pub(crate) fn run_timers(&mut self) {
        while let Some(Reverse((at_ns, timer))) = self.timers.peek().copied() {
            if at_ns > self.core.now_ns {
                return;
            }
            self.timers.pop();
            self.on_timer(timer);
        }
    }

    fn link_of(&mut self, slot: usize, id: u64) -> Option<&mut Link> {
        self.links.get_mut(slot)?.as_mut().filter(|link| link.conn.id == id)
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Heartbeat(slot, id) => self.check_heartbeat(slot, id),
            Timer::Linger(slot, id) => {
                if self.link_of(slot, id).is_some() {
                    self.end(slot);
                }
            }
            Timer::Fault(slot, id, ms) => {
                let Some(Some(link)) = self.links.get_mut(slot) else { return };
                if link.conn.id == id {
                    fault::fire(&mut self.core, &mut link.conn, When::AfterMs(ms));
                    self.queue(slot);
                }
            }
            Timer::Expire(slot, uid) => {
                let ttl_ns = self.core.config.session_ttl_ms * 1_000_000;
                let now_ns = self.core.now_ns;
                let expired = self.core.session(slot).is_some_and(|session| {
                    session.uid == uid
                        && session.conn.is_none()
                        && session.detached_at_ns + ttl_ns <= now_ns
                });
                if expired {
                    self.core.end_session(slot);
                }
            }
            Timer::Guilds(slot, uid) => {
                if self.core.session(slot).is_some_and(|session| session.uid == uid) {
                    self.core.number_guilds(slot);
                    self.core.effects.push(Effect::Wake(slot));
                }
            }
            Timer::Start => self.start_traffic(),
            Timer::Incident(index) => self.befall(index),
            Timer::Late(slot, id) => {
                let Some(Some(link)) = self.links.get_mut(slot) else { return };
                if link.conn.id == id {
                    link.conn.out.held = false;
                    link.conn.doom = link.conn.doom_after.take();
                    // Requests that came behind it were not looked at.
                    input::on_input(&mut self.core, &mut link.conn);
                    self.queue(slot);
                }
            }
        }
    }

    fn check_heartbeat(&mut self, slot: usize, id: u64) {
        let (now_ns, deadline_ns) = (self.core.now_ns, self.heartbeat_deadline_ns());
        let code = self.core.config.heartbeat_close;
        let Some(link) = self.link_of(slot, id) else { return };
        let due_ns = link.conn.last_heartbeat_ns + deadline_ns;
        if due_ns > now_ns {
            self.timers.push(Reverse((due_ns, Timer::Heartbeat(slot, id))));
            return;
        }
        if link.conn.zombie {
            return; // a zombie does not care
        }
        if link.conn.phase == Phase::Http {
            return self.end(slot);
        }
        let open = link.conn.phase == Phase::Open;
        link.conn.close(code, "No heartbeat came in time.");
        self.core.stats.heartbeats_late += u64::from(open);
        self.queue(slot);
    }

    /// What others left to be done.
    pub(crate) fn run_effects(&mut self) {
        while let Some(effect) = self.core.effects.pop() {
            match effect {
                Effect::Kick { slot, id, code } => {
                    if let Some(link) = self.link_of(slot, id) {
                        link.conn.session = None;
                        link.conn.close(code, "The session goes on elsewhere, or ended.");
                        self.queue(slot);
                    }
                }
                Effect::Wake(session) => {
                    let conn = self.core.session(session).and_then(|session| session.conn);
                    if let Some((slot, _)) = conn {
                        self.queue(slot);
                    }
                }
                Effect::Timer(at_ns, timer) => self.timers.push(Reverse((at_ns, timer))),
                Effect::Started => {
                    self.consider_start();
                    self.note_ready();
                }
            }
        }
    }

    /// Incidents that wait for all shards to be READY have their moment fixed, once.
    fn note_ready(&mut self) {
        let all = self.core.ready_sessions >= self.core.config.recommended_shards;
        if all && !std::mem::replace(&mut self.core.all_ready, true) {
            self.plan_incidents(|at| match at {
                Moment::StartMs(_) => None,
                Moment::ReadyMs(ms) => Some(ms),
            });
        }
    }

    /// What the traffic waits for.
    pub(crate) fn start_condition(&self) -> Option<Start> {
        let config = &self.core.config;
        config.capture.as_ref().map(|c| c.start).or(config.traffic.map(|t| t.start))
    }

    /// Starts the traffic if all that it waits for is there.
    pub(crate) fn consider_start(&mut self) {
        if self.core.started {
            self.plan_paced();
            return;
        }
        let prepared = self.core.blocks.as_ref().is_none_or(Blocks::prepared);
        match self.start_condition() {
            Some(Start::Shards(shards)) => {
                if self.core.start_asked || self.core.ready_sessions < shards || !prepared {
                    return;
                }
                self.core.start_asked = true;
                let lead_ms = self.core.config.traffic.map_or(0, |traffic| traffic.lead_ms);
                // The moment is told to those who ask as soon as it is fixed.
                let at_ns = self.core.now_ns + lead_ms * 1_000_000;
                self.core.fix_start(at_ns);
                self.timers.push(Reverse((at_ns, Timer::Start)));
            }
            Some(Start::Each) => {
                self.start_traffic();
            }
            Some(Start::After(_)) | None => {}
        }
    }

    fn start_traffic(&mut self) {
        self.core.fix_start(self.core.now_ns);
        self.core.start_counting();
        self.plan_paced();
        for slot in 0..self.links.len() {
            self.queue(slot);
        }
    }
}

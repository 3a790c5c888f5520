//! Paced traffic: which session's event is due next, and sending it on time. An event due within
//! a fraction of a millisecond is numbered, compressed and queued ahead, held back, and written at
//! its moment, so that the cost of making it is not part of the latency a client measures.

use crate::conn::Conn;
use crate::core::Core;
use crate::pump;
use crate::server::{LIVE_RATE_MAX, Server};
use crate::session::Source;
use crate::traffic::schedule::Schedule;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The schedule of all sessions.
#[derive(Default)]
pub(crate) struct Paced {
    /// (due, ns since base; session's slot; its uid).
    heap: BinaryHeap<Reverse<(u64, usize, u64)>>,
    /// An event that waits on a held connection: (due, slot, connection id).
    prepared: Option<(u64, usize, u64)>,
}

impl Paced {
    /// When there is something to do next.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        let heap = self.heap.peek().map(|Reverse((due_ns, ..))| *due_ns);
        self.prepared.map(|(due_ns, ..)| due_ns).or(heap)
    }
}

impl Server {
    /// Puts the sessions that are ready into the schedule, if traffic is paced.
    pub(crate) fn plan_paced(&mut self) {
        let pace = self.core.pace();
        let played = self.core.config.capture.as_ref().map(|capture| capture.speed);
        let (None | Some(Some(_)), Some(start_ns)) = (played, self.core.start_ns) else { return };
        if played.is_none() && pace.is_none() {
            return;
        }
        for (slot, session) in self.core.sessions.iter_mut().enumerate() {
            let Some(session) = session.as_mut().filter(|session| session.ready) else { continue };
            if std::mem::replace(&mut session.planned, true) {
                continue;
            }
            if let Some(pace) = pace {
                session.schedule = Some(Schedule::new(pace, session.shard.0));
            }
            self.paced.heap.push(Reverse((start_ns, slot, session.uid)));
        }
    }

    /// Sends what is due, and prepares what is due at once.
    pub(crate) fn run_paced(&mut self) {
        if self.paced.next_ns().is_none() {
            return;
        }
        self.core.tick();
        if let Some((due_ns, slot, id)) = self.paced.prepared {
            if due_ns > self.core.now_ns {
                return;
            }
            self.paced.prepared = None;
            if let Some(Some(link)) = self.links.get_mut(slot)
                && link.conn.id == id
            {
                link.conn.out.held = false;
                self.core.stats.traffic_last_unix_ns = self.core.base_unix_ns + self.core.now_ns;
                self.serve(slot);
                self.queue(slot);
            }
        }
        for _ in 0..EVENTS_PER_TURN {
            let Some(Reverse((due_ns, slot, uid))) = self.paced.heap.peek().copied() else {
                return;
            };
            if due_ns > self.core.now_ns {
                if due_ns < self.core.now_ns + PREPARE_NS && self.paced.prepared.is_none() {
                    self.prepare(due_ns, slot, uid);
                }
                return;
            }
            self.paced.heap.pop();
            if let Some(next_ns) = self.send_due(slot, uid) {
                self.paced.heap.push(Reverse((next_ns, slot, uid)));
            }
            self.core.tick();
        }
    }

    /// Sends what a session is due. Gives the moment to look again.
    fn send_due(&mut self, slot: usize, uid: u64) -> Option<u64> {
        let due_ns = due(&mut self.core, slot, uid)?;
        if due_ns > self.core.now_ns {
            return Some(due_ns);
        }
        let conn = self.core.session(slot)?.conn;
        let link = conn.and_then(|(slot, id)| {
            self.links.get_mut(slot)?.as_mut().filter(|link| link.conn.id == id)
        });
        let Some(link) = link else {
            // Nobody is there: numbered all the same, to be had by RESUME.
            number_unseen(&mut self.core, slot);
            return due(&mut self.core, slot, uid);
        };
        let backlog = self.core.session(slot)?.last_s.saturating_sub(link.conn.sent_s);
        if backlog > BACKLOG_MAX {
            return Some(self.core.now_ns + RETRY_NS);
        }
        let link_slot = link.conn.slot;
        send(&mut self.core, &mut link.conn, slot);
        self.core.stats.traffic_last_unix_ns = self.core.base_unix_ns + self.core.now_ns;
        self.serve(link_slot);
        due(&mut self.core, slot, uid)
    }

    /// Queues the next event of a session ahead of its moment, held back, if nothing else is
    /// queued on its connection.
    fn prepare(&mut self, due_ns: u64, slot: usize, uid: u64) {
        // The heap may hold an earlier moment than the event's own.
        match due(&mut self.core, slot, uid) {
            Some(real_ns) if real_ns == due_ns => {}
            _ => return,
        }
        let Some((link_slot, id)) = self.core.session(slot).and_then(|session| session.conn) else {
            return;
        };
        let Some(Some(link)) = self.links.get_mut(link_slot) else { return };
        let last_s = self.core.session(slot).map_or(0, |session| session.last_s);
        let idle = link.conn.out.is_empty() && link.conn.sent_s == last_s;
        if link.conn.id != id || !idle || link.conn.zombie {
            return;
        }
        link.conn.out.held = true;
        send(&mut self.core, &mut link.conn, slot);
        if link.conn.doom.is_some() {
            link.conn.out.held = false; // a fault has its own moment
        }
        self.paced.heap.pop();
        self.paced.prepared = Some((due_ns, link_slot, id));
        if let Some(next_ns) = due(&mut self.core, slot, uid) {
            self.paced.heap.push(Reverse((next_ns, slot, uid)));
        }
    }
}

/// Numbers the next event and queues it if the connection can take it.
fn send(core: &mut Core, conn: &mut Conn, slot: usize) {
    if core.config.capture.is_some() {
        let _ = pump::captured_next(core, conn, slot);
        return;
    }
    let fast = core.pace().is_some_and(|pace| pace.rate_per_s > LIVE_RATE_MAX);
    if conn.zombie || conn.out.len() > OUT_MAX {
        number_unseen(core, slot);
    } else if !(fast && pump::one_from_block(core, conn, slot)) {
        pump::live(core, conn, slot);
    }
}

/// Numbers the next event of a session that cannot be sent anything now.
fn number_unseen(core: &mut Core, slot: usize) {
    if core.config.capture.is_some() {
        if let Some((index, _, hash)) = core.next_captured(slot) {
            core.number_traffic(slot, Source::Capture(index), (0, hash));
            if let Some(session) = core.session_mut(slot) {
                session.capture_at = index + 1;
            }
        }
        return;
    }
    let Some(s) = core.session(slot).map(|session| session.last_s + 1) else { return };
    let mark = core.mark_of(slot, s);
    core.number_traffic(slot, Source::Traffic, mark);
}

/// When a session's next event is due (ns since base); `None`: it gets none any more.
fn due(core: &mut Core, slot: usize, uid: u64) -> Option<u64> {
    let start_ns = core.start_ns?;
    let session = core.session(slot).filter(|session| session.uid == uid)?;
    if session.superseded {
        return None;
    }
    if core.config.capture.is_some() {
        return match core.next_captured(slot) {
            Some((_, due_ns, _)) => Some(start_ns + due_ns),
            None => {
                core.stats.sessions_done += 1;
                None
            }
        };
    }
    if !pump::traffic_flows(core, slot) {
        core.stats.sessions_done += 1;
        return None;
    }
    let session = core.session_mut(slot)?;
    // Other dispatches may have been numbered before the first traffic: their places are skipped.
    let k = session.traffic_index((session.last_s + 1).max(session.first_s));
    let due_ns = session.schedule.as_mut()?.due_ns(k);
    Some(start_ns + due_ns)
}

/// Events sent between two polls.
const EVENTS_PER_TURN: usize = 32;
/// How far ahead an event is prepared.
const PREPARE_NS: u64 = 200_000;
/// Numbered events that a connected client may not have had yet; above it the schedule waits.
const BACKLOG_MAX: u64 = 100_000;
/// How long it then waits before it looks again.
const RETRY_NS: u64 = 1_000_000;
/// Bytes queued on a connection above which events are only numbered.
const OUT_MAX: usize = 1 << 20;

//! A session and what it was numbered: enough to send any of it again. Never holds a socket.
//!
//! Invariant: `runs` cover exactly the sequence numbers `covered_from..=last_s`, in order. What is
//! a function of the seed is kept as a count, not as text, so a session of a million events is a
//! few runs.

use crate::traffic::Traffic;
use crate::traffic::schedule::Schedule;
use std::collections::VecDeque;
use std::rc::Rc;

/// Where the payload of a sequence number comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// READY, made anew.
    Ready,
    /// GUILD_CREATE after READY number so-and-so.
    StartGuild(u32),
    /// Generated traffic; the index follows from the sequence number.
    Traffic,
    /// The capture's event number so-and-so.
    Capture(u64),
    /// A text kept.
    Stored(Rc<Stored>),
    /// Left out on purpose: never sent.
    Gap,
}

/// A dispatch that is no function of the seed.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) d: String,
}

#[derive(Debug)]
struct Run {
    first_s: u64,
    count: u64,
    source: Source,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// [`crate::ledger::session_key`] of the id.
    pub(crate) key: u64,
    /// Never given twice: tells this session from another in the same slot.
    pub(crate) uid: u64,
    pub(crate) shard: (u32, u32),
    pub(crate) intents: u64,
    pub(crate) traffic: Traffic,
    /// The sequence number of traffic event `first_k`.
    pub(crate) first_s: u64,
    pub(crate) first_k: u64,
    pub(crate) last_s: u64,
    /// The connection that it is attached to: slot and id.
    pub(crate) conn: Option<(usize, u64)>,
    pub(crate) detached_at_ns: u64,
    /// READY and the GUILD_CREATEs were queued once.
    pub(crate) ready: bool,
    /// GUILD_CREATEs not yet numbered (they are spaced in time).
    pub(crate) guilds_owed: bool,
    /// A newer session of the same shard took its place: no new traffic.
    pub(crate) superseded: bool,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) capture_at: u64,
    /// The last number queued on the connection that it is attached to.
    pub(crate) queued_s: u64,
    /// It stands in the schedule of paced traffic.
    pub(crate) planned: bool,
    runs: VecDeque<Run>,
    stored_bytes: usize,
}

impl Session {
    /// A session that has been numbered nothing.
    #[allow(clippy::too_many_arguments)] // what fixes a session, each named at the one call
    pub(crate) fn new(
        id: String,
        uid: u64,
        shard: (u32, u32),
        intents: u64,
        traffic: Traffic,
        first_s: u64,
        conn: (usize, u64),
    ) -> Self {
        let key = crate::ledger::session_key(&id);
        Self {
            id,
            key,
            uid,
            shard,
            intents,
            traffic,
            first_s,
            first_k: 0,
            last_s: 0,
            conn: Some(conn),
            detached_at_ns: 0,
            ready: false,
            guilds_owed: false,
            superseded: false,
            schedule: None,
            capture_at: 0,
            queued_s: 0,
            planned: false,
            runs: VecDeque::new(),
            stored_bytes: 0,
        }
    }

    /// The traffic index that belongs to a sequence number at or after `first_s`.
    pub(crate) fn traffic_index(&self, s: u64) -> u64 {
        s - self.first_s + self.first_k
    }

    /// Numbers `count` dispatches of a source; gives the first number.
    pub(crate) fn number(&mut self, source: Source, count: u64) -> u64 {
        let first_s = self.last_s + 1;
        self.last_s += count;
        if let (Some(run), Source::Traffic) = (self.runs.back_mut(), &source)
            && matches!(run.source, Source::Traffic)
        {
            run.count += count;
            return first_s;
        }
        if let Source::Stored(stored) = &source {
            self.stored_bytes += stored.d.len();
        }
        self.runs.push_back(Run { first_s, count, source });
        first_s
    }

    /// The source of a sequence number, or `None` if it is no longer (or not yet) covered.
    pub(crate) fn source(&self, s: u64) -> Option<Source> {
        let at = self.runs.partition_point(|run| run.first_s + run.count <= s);
        let run = self.runs.get(at).filter(|run| run.first_s <= s)?;
        let offset = s - run.first_s;
        Some(match &run.source {
            Source::StartGuild(first) => Source::StartGuild(first + offset as u32),
            Source::Capture(first) => Source::Capture(first + offset),
            other => other.clone(),
        })
    }

    /// The lowest sequence number that can be sent again.
    pub(crate) fn covered_from(&self) -> u64 {
        self.runs.front().map_or(self.last_s + 1, |run| run.first_s)
    }

    /// The first number that must be kept: what the connection has not had. Without a connection
    /// the bounds alone decide.
    pub(crate) fn keep_from(&self) -> u64 {
        if self.conn.is_some() { self.queued_s + 1 } else { u64::MAX }
    }

    /// Forgets the oldest until at most so many events and bytes of text are kept, but nothing
    /// that `keep_from` (the first not yet queued to a live connection) still needs.
    pub(crate) fn trim(&mut self, events_max: u64, bytes_max: usize, keep_from: u64) {
        while let Some(run) = self.runs.front_mut() {
            let excess = (self.last_s + 1 - run.first_s).saturating_sub(events_max);
            let text_excess = self.stored_bytes > bytes_max;
            if excess == 0 && !text_excess {
                return;
            }
            let whole = excess >= run.count || (text_excess && excess == 0);
            let forget = if whole { run.count } else { excess };
            let forget = forget.min(keep_from.saturating_sub(run.first_s));
            if forget == 0 {
                return;
            }
            if forget == run.count {
                if let Source::Stored(stored) = &run.source {
                    self.stored_bytes -= stored.d.len();
                }
                self.runs.pop_front();
                continue;
            }
            run.first_s += forget;
            run.count -= forget;
            match &mut run.source {
                Source::StartGuild(first) => *first += forget as u32,
                Source::Capture(first) => *first += forget,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new("s".into(), 1, (0, 1), 1, Traffic::new(1, 0, 1), 3, (0, 0))
    }

    #[test]
    fn every_number_is_found_again_with_its_own_source() {
        let mut session = session();
        session.number(Source::Ready, 1);
        session.number(Source::StartGuild(0), 3);
        session.number(Source::Traffic, 10);
        let stored = Stored { name: "X".into(), d: "{}".into() };
        assert_eq!(session.number(Source::Stored(Rc::new(stored)), 1), 15);
        session.number(Source::Traffic, 5);
        session.number(Source::Traffic, 5);
        assert!(matches!(session.source(1), Some(Source::Ready)));
        assert!(matches!(session.source(4), Some(Source::StartGuild(2))));
        assert!(matches!(session.source(14), Some(Source::Traffic)));
        assert!(matches!(session.source(15), Some(Source::Stored(_))));
        assert!(matches!(session.source(25), Some(Source::Traffic)));
        assert!(session.source(26).is_none());
        assert_eq!(session.runs.len(), 5);
    }

    #[test]
    fn trimming_keeps_the_newest_and_what_is_still_needed() {
        let mut session = session();
        session.number(Source::Ready, 1);
        session.number(Source::StartGuild(0), 4);
        session.number(Source::Traffic, 100);
        session.trim(50, 1 << 20, 200);
        assert_eq!(session.covered_from(), 56);
        session.trim(10, 1 << 20, 60);
        assert_eq!(session.covered_from(), 60);
        assert!(matches!(session.source(60), Some(Source::Traffic)));
        let stored = || Source::Stored(Rc::new(Stored { name: "X".into(), d: "x".repeat(100) }));
        for _ in 0..10 {
            session.number(stored(), 1);
        }
        session.trim(1_000, 250, 1_000);
        assert_eq!(session.last_s + 1 - session.covered_from(), 2);
    }
}

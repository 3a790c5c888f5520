//! A Discord of several hosts for simulations of many shards: what it counts is the proof.
//!
//! It keeps sessions, limits IDENTIFYs as Discord does (one per key and 5 s, else op 9), and each
//! of its hosts can be switched off. Every dial and every IDENTIFY that reaches it is noted.

use std::collections::BTreeMap;
use std::time::Duration;

use shardring::clock::{Rng, Time};
use shardring::shard::close::LinkEnd;
use shardring::shard::notice::Target;
use shardring::shard::session::Guards;

use crate::world::{Act, Peer, World, ms, number_after, op, s, text_after};

/// Resume hosts; shard N is sent to N modulo this.
pub(crate) const RESUME_HOSTS: usize = 4;

/// How a host that is down answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    Refuses,
    Hangs,
    Answers(u16),
}

/// What it does with a RESUME of a session that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumes {
    Well,
    Swallowed,
    Reset,
    Op9,
}

pub(crate) struct Gateway {
    pub(crate) rng: Rng,
    pub(crate) main: Option<Down>,
    pub(crate) resume: [Option<Down>; RESUME_HOSTS],
    pub(crate) resumes: Resumes,
    /// From dial to HELLO.
    pub(crate) handshake: Duration,
    pub(crate) max_concurrency: u32,
    /// How long after an IDENTIFY was pulled its write is told, at most.
    pub(crate) write_delay: Duration,
    /// Sessions that live, and their shards.
    pub(crate) sessions: BTreeMap<String, usize>,
    made: u64,
    /// (when, shard, which host: `None` is the main one)
    pub(crate) dials: Vec<(Time, usize, Option<usize>)>,
    /// (when, shard's number)
    pub(crate) identifies: Vec<(Time, usize)>,
    /// IDENTIFYs that came too early.
    pub(crate) too_early: u32,
    next: BTreeMap<u32, Time>,
    /// Of processes that start anew.
    pub(crate) reborn: Vec<Guards>,
}

impl Gateway {
    pub(crate) fn new(seed: u64, max_concurrency: u32) -> Self {
        Self {
            rng: Rng::new(seed),
            main: None,
            resume: [None; RESUME_HOSTS],
            resumes: Resumes::Well,
            handshake: ms(60),
            max_concurrency,
            write_delay: Duration::ZERO,
            sessions: BTreeMap::new(),
            made: 0,
            dials: Vec::new(),
            identifies: Vec::new(),
            too_early: 0,
            next: BTreeMap::new(),
            reborn: Vec::new(),
        }
    }

    pub(crate) fn all_down(&mut self, down: Option<Down>) {
        self.main = down;
        self.resume = [down; RESUME_HOSTS];
    }

    /// Dials to a host from then on.
    pub(crate) fn dials_to(&self, host: Option<usize>, since: Time) -> usize {
        self.dials.iter().filter(|(when, _, to)| *to == host && *when >= since).count()
    }

    fn down(&mut self, shard: usize, target: Target) -> Option<Down> {
        match target {
            Target::Main => self.main,
            Target::Resume => self.resume[shard % RESUME_HOSTS],
        }
    }

    fn identified(&mut self, now: Time, shard: usize) -> Vec<(Duration, Act)> {
        self.identifies.push((now, shard));
        let key = shard as u32 % self.max_concurrency;
        if self.next.get(&key).is_some_and(|next| now < *next) {
            self.too_early += 1;
            return vec![(ms(20), Act::Op9(false))];
        }
        self.next.insert(key, now + s(5));
        self.made += 1;
        let id = format!("session-{}", self.made);
        self.sessions.insert(id.clone(), shard);
        let url = Some(format!("wss://resume-{}.test", shard % RESUME_HOSTS));
        vec![(ms(40), Act::Ready { s: Some(1), id, url })]
    }

    fn resumed(&mut self, text: &str) -> Vec<(Duration, Act)> {
        let (id, seq) = (text_after(text, "\"session_id\":"), number_after(text, "\"seq\":"));
        let wait = ms(20) + self.rng.jitter(ms(40));
        match self.resumes {
            Resumes::Swallowed => vec![],
            Resumes::Reset => vec![(wait, Act::End(LinkEnd::Reset))],
            Resumes::Well if self.sessions.contains_key(id) => {
                vec![(wait, Act::Resumed { s: Some(seq + 1) })]
            }
            _ => {
                self.sessions.remove(id);
                vec![(wait, Act::Op9(false))]
            }
        }
    }
}

impl Peer for Gateway {
    fn dialled(&mut self, now: Time, shard: usize, target: Target) -> Vec<(Duration, Act)> {
        let host = (target == Target::Resume).then_some(shard % RESUME_HOSTS);
        self.dials.push((now, shard, host));
        let way = ms(10) + self.rng.jitter(ms(20));
        match self.down(shard, target) {
            Some(Down::Refuses) => vec![(way, Act::End(LinkEnd::Unreachable))],
            Some(Down::Hangs) => vec![],
            Some(Down::Answers(status)) => {
                vec![(way * 3, Act::End(LinkEnd::HttpStatus(status)))]
            }
            None => {
                let hello = self.handshake / 2 + self.rng.jitter(self.handshake);
                vec![(hello / 2, Act::Open), (hello, Act::Hello(41_250))]
            }
        }
    }

    fn told(&mut self, now: Time, _: usize, text: &str) -> Vec<(Duration, Act)> {
        match op(text) {
            1 => vec![(ms(20), Act::Ack)],
            2 => {
                // The number in the text: several processes may sit in one row of seats.
                let shard = number_after(text, "\"shard\":[") as usize;
                self.identified(now, shard)
            }
            6 => self.resumed(text),
            _ => vec![],
        }
    }

    fn write_delay(&mut self) -> Duration {
        self.rng.jitter(self.write_delay)
    }

    fn reborn(&mut self) -> Guards {
        self.reborn.pop().expect("as many as are killed")
    }
}

impl World<Gateway> {
    /// How many sessions are up.
    pub(crate) fn active(&self) -> usize {
        use shardring::shard::notice::State::Active;
        (0..self.seats.len()).filter(|at| self.state(*at) == Active).count()
    }

    /// Starts, and waits until all are up.
    pub(crate) fn bring_up(&mut self, at_most: Duration) {
        self.start();
        self.run_until_up(at_most);
        self.run(s(100)); // sessions that lasted
        self.forget();
        self.peer.dials.clear();
        self.peer.identifies.clear();
    }

    /// Waits until all are up; gives how long that took.
    pub(crate) fn run_until_up(&mut self, at_most: Duration) -> Duration {
        let begin = self.now;
        while self.active() < self.seats.len() {
            assert!(self.now.since(begin) < at_most, "{} are up", self.active());
            self.run(ms(20));
        }
        self.now.since(begin)
    }

    /// The network is cut: every link ends at once.
    pub(crate) fn cut_all(&mut self) {
        for at in 0..self.seats.len() {
            self.act(at, Act::End(LinkEnd::Reset));
        }
    }
}

//! A load of commands beside the events: presences, voice states, members, soundboards, channel
//! info, at a pace, round the shards; what became of each, and whether the gateway saw its limits
//! kept.
//!
//! The pace may be more than Discord lets through: then the engine has to say no, and the gateway
//! must never have to. Invariants: at most [`OPEN_MAX`] receipts are open; each command is counted
//! once, by what its receipt says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use replay_gateway::traffic::guild_id_of_shard;
use serde::Serialize;
use serde_json::Value;
use shardring::command::{
    Activity, ChannelInfoField, Outgoing, RequestChannelInfo, RequestGuildMembers,
    RequestSoundboardSounds, Status, UpdatePresence, UpdateVoiceState,
};
use shardring::{CommandReceipt, Error, ErrorKind, Handle};

use crate::plan::JobPlan;
use crate::report::Report;
use crate::units::plural;

/// What became of the commands of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Commands {
    /// Given to the engine.
    pub(crate) given: u64,
    /// Written to a socket.
    pub(crate) sent: u64,
    /// Replaced by a newer one while they waited.
    pub(crate) superseded: u64,
    /// Not sent within [`EXPIRES_IN`].
    pub(crate) expired: u64,
    /// Refused because as many waited as may.
    pub(crate) full: u64,
    /// Lost in the end of a connection.
    pub(crate) dropped: u64,
    /// Anything else.
    pub(crate) failed: u64,
    /// Without an answer [`PATIENCE`] after the last one was given.
    pub(crate) unanswered: u64,
    /// The first of the failed ones, in words.
    pub(crate) first_failure: Option<String>,
}

/// The thread that gives them.
pub(crate) struct Commander {
    thread: JoinHandle<Commands>,
    stop: Arc<AtomicBool>,
}

impl Commander {
    /// Gives commands at the pace of the plan until [`finish`](Self::finish); `None` if it has
    /// none.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(plan: &JobPlan, handle: Handle) -> std::io::Result<Option<Self>> {
        let Some(per_s) = plan.commands_per_s else { return Ok(None) };
        let (seed, shards) = (plan.seed, plan.shards);
        let others = plan.placement.others.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("commands".to_owned()).spawn(move || {
            // One that may run anywhere is no less right.
            let _ = crate::placement::keep_to(&others);
            let (open, commands) = (VecDeque::new(), Commands::default());
            let mut giver = Giver { handle, seed, shards, turn: 0, open, commands };
            giver.run(per_s, &stopped);
            giver.commands
        })?;
        Ok(Some(Self { thread, stop }))
    }

    /// Gives no more, and waits for the answers.
    pub(crate) fn finish(self) -> Option<Commands> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().ok()
    }
}

/// Gives commands, and looks after their receipts.
struct Giver {
    handle: Handle,
    seed: u64,
    shards: u32,
    /// Commands so far.
    turn: u64,
    open: VecDeque<CommandReceipt>,
    commands: Commands,
}

impl Giver {
    fn run(&mut self, per_s: f64, stopped: &AtomicBool) {
        let began = Instant::now();
        while !stopped.load(Ordering::Relaxed) {
            let due = (began.elapsed().as_secs_f64() * per_s) as u64;
            // What fell behind while this thread did not run is given at once, within bounds.
            for _ in self.turn..due.min(self.turn + BURST_MAX) {
                self.give();
            }
            self.settle();
            std::thread::sleep(LOOK);
        }
        let end = Instant::now() + PATIENCE;
        while !self.open.is_empty() && Instant::now() < end {
            self.settle();
            std::thread::sleep(LOOK);
        }
        self.commands.unanswered = self.open.len() as u64;
    }

    fn give(&mut self) {
        let shard = (self.turn % u64::from(self.shards)) as u32;
        let round = self.turn / u64::from(self.shards);
        self.turn += 1;
        if self.open.len() >= OPEN_MAX {
            return; // This side is too slow, which is no finding.
        }
        let guild_id = guild_id_of_shard(self.seed, shard, self.shards, 0);
        let receipt = self.handle.send(shard, command(guild_id, round));
        self.commands.given += 1;
        self.open.push_back(receipt);
    }

    /// Counts what is answered.
    fn settle(&mut self) {
        for _ in 0..self.open.len() {
            let Some(receipt) = self.open.pop_front() else { return };
            match receipt.wait_timeout(Duration::ZERO) {
                None => self.open.push_back(receipt),
                Some(result) => self.commands.count(result.err().as_ref()),
            }
        }
    }
}

impl Commands {
    fn count(&mut self, error: Option<&Error>) {
        let count = match error.map(Error::kind) {
            None => &mut self.sent,
            Some(ErrorKind::Superseded) => &mut self.superseded,
            Some(ErrorKind::Expired) => &mut self.expired,
            Some(ErrorKind::Full) => &mut self.full,
            Some(ErrorKind::Dropped) => &mut self.dropped,
            Some(_) => {
                self.first_failure = self.first_failure.take().or(error.map(Error::to_string));
                &mut self.failed
            }
        };
        *count += 1;
    }
}

/// One of each sort in turn; a whole list of members now and then.
fn command(guild_id: u64, round: u64) -> Outgoing {
    let channel_id = guild_id + 1;
    let outgoing: Outgoing = match round % 8 {
        0 => UpdatePresence::new(Status::Online)
            .activity(Activity::playing(format!("round {round}")))
            .into(),
        1 => UpdateVoiceState::join(guild_id, channel_id).into(),
        2 => RequestGuildMembers::prefix(guild_id, "a", 10).into(),
        3 => UpdatePresence::new(Status::Idle).into(),
        4 => RequestGuildMembers::users(guild_id, [channel_id, channel_id + 1]).into(),
        5 => UpdateVoiceState::leave(guild_id).into(),
        6 if round % 16 == 6 => RequestGuildMembers::all(guild_id).into(),
        6 => RequestSoundboardSounds::new([guild_id]).into(),
        _ => {
            let fields = [ChannelInfoField::Status, ChannelInfoField::VoiceStartTime];
            RequestChannelInfo::new(guild_id, fields).into()
        }
    };
    outgoing.expires_in(EXPIRES_IN)
}

/// Whether both sides say what they should: the gateway that no limit was passed, the receipts what
/// it received.
pub(crate) fn judge(commands: &Commands, report: &mut Report) {
    if commands.failed > 0 {
        let first = commands.first_failure.as_deref().unwrap_or("?");
        report.problem(format!("{} failed: {first}", plural(commands.failed, "command")));
    }
    if commands.unanswered > 0 {
        let open = plural(commands.unanswered, "command");
        report.problem(format!("{open} without an answer after {} s", PATIENCE.as_secs()));
    }
    let Some(stats) = &report.gateway else { return };
    let number = |key: &str| stats.get(key).and_then(Value::as_u64).unwrap_or(0);
    let of = |map: &str, key: &str| stats[map].get(key).and_then(Value::as_u64).unwrap_or(0);
    let received: u64 = COMMAND_OPCODES.iter().map(|op| of("received", op)).sum();
    let mut found = Vec::new();
    for (count, what) in [
        (number("presences_over"), "presences above 5 in 20 s"),
        (number("rate_limited"), "requests refused by RATE_LIMITED"),
        (of("closes_sent", "4008"), "connections closed for more than 120 payloads in 60 s"),
        (of("closes_sent", "4002"), "connections closed for a payload that cannot be read"),
        (of("closes_sent", "4001"), "connections closed for an opcode or payload"),
        (number("heartbeats_overdue"), "heartbeats that came late"),
    ] {
        if count > 0 {
            found.push(format!("{count} {what}"));
        }
    }
    // What was lost with a connection may have arrived.
    let (least, most) = (commands.sent, commands.sent + commands.dropped + commands.unanswered);
    if !(least..=most).contains(&received) {
        found.push(format!("{received} commands received, {least} receipts that say sent"));
    }
    found.into_iter().for_each(|text| report.problem(format!("the gateway counted {text}")));
}

/// Receipts that are open at most.
const OPEN_MAX: usize = 65_536;
/// Commands given between two looks.
const BURST_MAX: u64 = 4_096;
/// Between two looks at the receipts.
const LOOK: Duration = Duration::from_millis(5);
/// A command that has waited so long is not sent any more.
const EXPIRES_IN: Duration = Duration::from_secs(5);
/// For the last answers: longer than any may wait.
const PATIENCE: Duration = Duration::from_secs(8);
/// Opcodes of commands (protocol sections 9 to 11).
const COMMAND_OPCODES: [&str; 5] = ["3", "4", "8", "31", "43"];

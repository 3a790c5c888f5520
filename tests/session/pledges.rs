//! Commands of all kinds at random, over connections that end at random: every promise is kept,
//! whatever happens, and every receipt resolves.

use std::collections::BTreeMap;
use std::time::Duration;

use shardring::clock::{Rng, Time};
use shardring::command::{
    Activity, Outgoing, Priority, RequestGuildMembers, UpdatePresence, UpdateVoiceState,
};
use shardring::model::{GuildId, RateLimited, RateLimitedMeta, RequestGuildMembersMeta};
use shardring::shard::close::LinkEnd;
use shardring::shard::identify::LocalGate;
use shardring::shard::notice::{Sent, State};
use shardring::shard::outbox::{PRESENCE_WINDOW, PRESENCES_MAX, TRIES_MAX, WHOLE_GUILD_EVERY};
use shardring::{CommandReceipt, CommandStatus};

use crate::limits::command;
use crate::world::{Act, Script, World, ms, op, s, settings, text_after};

/// A command that was given, by the number that its text carries.
struct Given {
    receipt: CommandReceipt,
    expires_at: Option<Time>,
    /// When cancelling took effect.
    cancelled_at: Option<Time>,
    /// When it was first seen superseded.
    superseded_at: Option<Time>,
    guild: Option<u64>,
}

struct Run {
    world: World<Script>,
    rng: Rng,
    given: BTreeMap<u64, Given>,
    next: u64,
}

impl Run {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    /// Gives a command of any kind.
    fn give(&mut self) {
        let number = self.next;
        self.next += 1;
        let guild = 1 + self.below(4);
        let nonce = format!("{number}");
        let (command, guild): (Outgoing, _) = match self.below(6) {
            0 | 1 => (UpdatePresence::default().activity(Activity::playing(nonce)).into(), None),
            2 => (UpdateVoiceState::join(guild, number).into(), None),
            3 => (RequestGuildMembers::all(guild).nonce(nonce).into(), Some(guild)),
            4 => (RequestGuildMembers::prefix(guild, "x", 1).nonce(nonce).into(), Some(guild)),
            _ => (command(number).into(), None),
        };
        let priorities = [Priority::High, Priority::Normal, Priority::Low];
        let mut command = command.priority(priorities[self.below(3) as usize]);
        let mut expires_at = None;
        if self.below(3) == 0 {
            let after = ms(self.below(20_000));
            command = command.expires_in(after);
            expires_at = Some(self.world.now + after);
        }
        if let Ok(receipt) = self.world.send(0, command) {
            let (cancelled_at, superseded_at) = (None, None);
            let given = Given { receipt, expires_at, cancelled_at, superseded_at, guild };
            self.given.insert(number, given);
        }
    }

    fn cancel(&mut self) {
        let number = self.next.saturating_sub(1 + self.below(20));
        let now = self.world.now;
        if let Some(given) = self.given.get_mut(&number)
            && given.receipt.cancel()
        {
            given.cancelled_at = Some(now);
        }
    }

    /// RATE_LIMITED comes for a request of late, or for one that is refused whenever it is sent.
    fn refuse(&mut self) {
        let is_stubborn = |(number, given): (&u64, &Given)| {
            let was_sent = matches!(given.receipt.status(), CommandStatus::Sent { .. });
            (given.guild.is_some() && was_sent && *number % 16 == 0).then_some(*number)
        };
        let stubborn = self.given.range(self.next.saturating_sub(500)..).find_map(is_stubborn);
        let of_late = self.next.saturating_sub(1 + self.below(20));
        let number = stubborn.filter(|_| self.below(2) == 0).unwrap_or(of_late);
        let Some(guild) = self.given.get(&number).and_then(|given| given.guild) else { return };
        let retry_after_s = self.below(40) as f64 / 2.0;
        let nonce = number.to_string();
        let meta = RequestGuildMembersMeta { guild_id: GuildId::new(guild), nonce: Some(&nonce) };
        let meta = RateLimitedMeta::RequestGuildMembers(&meta);
        let event = RateLimited { opcode: 8, retry_after_s, meta };
        self.world.input(0, |session, now| session.rate_limited(now, &event));
    }

    fn step(&mut self) {
        match self.below(40) {
            0 if self.world.state(0) == State::Active => {
                let acts = [Act::End(LinkEnd::Reset), Act::Op9(false), Act::Op7];
                let act = acts[self.below(3) as usize].clone();
                self.world.act(0, act);
            }
            1 => self.world.peer.write_delay = ms([0, 0, 80, 900][self.below(4) as usize]),
            2..=5 => self.cancel(),
            6..=9 => self.refuse(),
            10..=30 => self.give(),
            _ => {}
        }
        let now = self.world.now;
        for given in self.given.values_mut() {
            if given.superseded_at.is_none() && given.receipt.status() == CommandStatus::Superseded
            {
                given.superseded_at = Some(now);
            }
        }
        let span = ms(self.below(500));
        self.world.run(span);
    }

    /// When the text of each number left, in a command or in IDENTIFY.
    fn sent(&self) -> BTreeMap<u64, Vec<Time>> {
        let mut sent = BTreeMap::<u64, Vec<Time>>::new();
        let commands = self.world.sent(0, Sent::Command);
        let identifies = self.world.sent(0, Sent::Identify);
        for (when, text) in commands.into_iter().chain(identifies) {
            let number = match op(text) {
                2 if !text.contains("\"name\":") => continue,
                2 | 3 => text_after(text, "\"name\":").parse().unwrap(),
                4 => text_after(text, "\"channel_id\":").parse().unwrap(),
                8 => text_after(text, "\"nonce\":").parse().unwrap(),
                _ => crate::world::number_after(text, "\"d\":"),
            };
            sent.entry(number).or_default().push(when);
        }
        sent
    }
}

fn run(seed: u64) -> Run {
    let mut settings = settings();
    settings.intents |= 1 << 1;
    let mut world = World::with_settings(1, LocalGate::new(1), seed, Script::default(), settings);
    world.start();
    world.run(s(1));
    let mut run = Run { world, rng: Rng::new(seed), given: BTreeMap::new(), next: 1 };
    for _ in 0..1500 {
        run.step();
    }
    run.world.peer.write_delay = Duration::ZERO;
    run.world.run(s(1200));
    run
}

#[test]
fn every_promise_is_kept_whatever_happens_to_the_connections() {
    let mut ends = BTreeMap::<String, u32>::new();
    for seed in 0..12 {
        let run = run(seed);
        let sent = run.sent();
        for (number, given) in &run.given {
            let times = sent.get(number).map_or(&[][..], Vec::as_slice);
            let status = given.receipt.status();
            let name = format!("{status:?}");
            let name = name.split([' ', '{']).next().unwrap();
            *ends.entry(name.to_owned()).or_default() += 1;
            let last = times.iter().max();
            let not_after =
                |end: Option<Time>| end.is_none_or(|end| last.is_none_or(|last| *last <= end));
            let what = format!("seed {seed}, command {number}: {status:?}, sent {times:?}");
            assert!(not_after(given.cancelled_at), "{what} after it was cancelled");
            assert!(not_after(given.superseded_at), "{what} after it was superseded");
            match status {
                CommandStatus::Sent { at } => assert!(times.iter().any(|time| *time <= at)),
                // A request may have been refused before.
                CommandStatus::Unknown if given.guild.is_some() => assert!(!times.is_empty()),
                CommandStatus::Unknown => assert_eq!(times.len(), 1, "{what}"),
                CommandStatus::Refused => assert_eq!(times.len(), usize::from(TRIES_MAX)),
                CommandStatus::Expired => assert!(not_after(given.expires_at), "{what}"),
                CommandStatus::Cancelled | CommandStatus::Superseded => {}
                _ => panic!("{what}: it has no end"),
            }
        }
        let commands = run.world.sent(0, Sent::Command);
        let presences: Vec<_> = commands.iter().filter(|(_, text)| op(text) == 3).collect();
        for window in presences.windows(PRESENCES_MAX + 1) {
            assert!(window[PRESENCES_MAX].0.since(window[0].0) > PRESENCE_WINDOW);
        }
        let mut wholes = BTreeMap::<&str, Time>::new();
        for (when, text) in commands.iter().filter(|(_, text)| text.contains(r#""query":"""#)) {
            let before = wholes.insert(text_after(text, "\"guild_id\":"), *when);
            assert!(before.is_none_or(|before| when.since(before) >= WHOLE_GUILD_EVERY));
        }
    }
    // All of it came about.
    for end in ["Sent", "Superseded", "Expired", "Cancelled", "Unknown", "Refused"] {
        assert!(ends.get(end).is_some_and(|count| *count > 0), "{end} never: {ends:?}");
    }
}

//! Commands by handle and context against a gateway, and what their receipts say.

use std::sync::mpsc;
use std::time::Duration;

use shardring::command::{
    Activity, ChannelInfoField, Command, Heartbeat, RequestChannelInfo, RequestGuildMembers,
    RequestSoundboardSounds, Status, UpdatePresence, UpdateVoiceState,
};
use shardring::{
    CommandReceipt, CommandStatus, Context, Engine, ErrorKind, Event, EventKind, Handler, Intents,
    Interest, Shards, Stop,
};

use crate::harness::{Run, config, gateway};

/// A guild of this shard, of 4.
fn guild(shard: u32) -> u64 {
    (u64::from(shard) << 22) | 7
}

#[test]
fn each_command_of_the_handle_arrives_on_its_shard_and_its_receipt_says_so() {
    let run = Run::start(gateway(4), |config| config);
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    handle.send(2, UpdatePresence::new(Status::Dnd)).wait().unwrap();
    let join = UpdateVoiceState::join(guild(2), 6u64);
    let sent = handle.update_voice_state(join).wait().unwrap();
    assert!(sent.at > shardring::Time::ZERO);
    handle.request_guild_members(RequestGuildMembers::users(guild(1), [3u64])).wait().unwrap();
    let info = RequestChannelInfo::new(guild(3), [ChannelInfoField::Status]);
    handle.request_channel_info(info).wait().unwrap();
    handle.send(0, Heartbeat).wait().unwrap();
    let seen = |shard, op| {
        move |stats: &replay_gateway::Stats| {
            stats.shards.get(&shard).is_some_and(|shard| shard.received.contains_key(&op))
        }
    };
    let stats = run.until("the commands", |_, stats| {
        seen(2, 4)(stats) && seen(1, 8)(stats) && seen(3, 43)(stats) && seen(0, 1)(stats)
    });
    assert_eq!(stats.shards[&2].received.get(&3), Some(&1));
    assert!(stats.shards[&2].last_command.as_deref().unwrap().contains(r#""channel_id":"6""#));
    run.until("their answers", |log, _| {
        let has = |shard: u32, name: &str| log.events.contains(&(shard, name.to_owned()));
        has(2, "VOICE_SERVER_UPDATE") && has(1, "GUILD_MEMBERS_CHUNK") && has(3, "CHANNEL_INFO")
    });
    assert!(run.gateway.stats().closes_sent.is_empty());
    run.stop().unwrap();
}

#[test]
fn soundboards_are_asked_for_shard_by_shard() {
    let run = Run::start(gateway(4), |config| config);
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    let guilds = (0..700).map(|number| (u64::from(number % 3u32) << 22) | (u64::from(number) + 1));
    let receipts = handle.request_soundboard_sounds(guilds);
    // 234, 233 and 233 guilds, at most 170 in one.
    let shards: Vec<u32> = receipts.iter().map(|(shard, _)| shard).collect();
    assert_eq!(shards, [0, 0, 1, 1, 2, 2]);
    let tally = receipts.wait();
    assert_eq!((tally.sent, tally.failed.len()), (6, 0));
    run.until("an answer for each guild", |log, _| {
        log.events.iter().filter(|(_, name)| name == "SOUNDBOARD_SOUNDS").count() == 700
    });
    run.stop().unwrap();
}

#[test]
fn a_presence_for_all_is_one_receipt_and_each_shard_tells_what_is_set() {
    let run = Run::start(gateway(4), |config| config.presence(UpdatePresence::new(Status::Idle)));
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    let set = handle.presence(1).wait().unwrap().unwrap();
    assert_eq!((set.status, set.activities.len()), (Status::Idle, 0));
    let playing = UpdatePresence::default().activity(Activity::playing("chess"));
    let receipts = handle.update_presence_all(&playing);
    assert_eq!(receipts.len(), 4);
    let tally = receipts.wait();
    assert_eq!((tally.sent, tally.failed.len()), (4, 0));
    let set = handle.presence(1).wait().unwrap().unwrap();
    assert_eq!((set.status, set.activities), (Status::Idle, vec![Activity::playing("chess")]));
    assert_eq!(handle.presence(9).wait().unwrap_err().kind(), ErrorKind::NoSuchShard);
    run.stop().unwrap();
}

#[test]
fn a_receipt_is_a_future_and_so_are_those_of_all() {
    let run = Run::start(gateway(4), |config| config);
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    let tally = block_on(async move {
        handle.send(1, UpdatePresence::new(Status::Dnd)).await.unwrap();
        handle.update_presence_all(&UpdatePresence::new(Status::Idle)).await
    });
    assert_eq!((tally.sent, tally.failed.len()), (4, 0));
    run.stop().unwrap();
}

/// The smallest executor.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

#[test]
fn a_wrong_command_is_refused_before_anything_is_sent() {
    let run = Run::start(gateway(4), |config| config);
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    let refused = |receipt: CommandReceipt, kind, says: &str| {
        assert_eq!(receipt.status(), CommandStatus::Rejected);
        let error = receipt.wait().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    let too_long = Command::raw(3, format!(r#"{{"x":"{}"}}"#, "y".repeat(5000)));
    refused(handle.send(0, too_long), ErrorKind::Command, "4096");
    let idle = UpdatePresence::new(Status::Idle);
    refused(handle.send(99, idle), ErrorKind::NoSuchShard, "99");
    let nothing = UpdatePresence::default();
    refused(handle.update_presence(0, nothing), ErrorKind::Command, "presence");
    let elsewhere = UpdateVoiceState::leave(guild(3));
    refused(handle.send(1, elsewhere), ErrorKind::Command, "shard 3");
    assert!(run.gateway.stats().shards.values().all(|shard| shard.last_command.is_none()));
    run.stop().unwrap();
}

#[test]
fn what_an_intent_or_another_engine_is_needed_for_is_refused() {
    let gateway = gateway(4).spawn().unwrap();
    let config = shardring::Config::builder(
        shardring::Token::new(crate::harness::TOKEN).unwrap(),
        Intents::GUILDS,
    )
    .shards(Shards::range(0..2, 4))
    .gateway_url(gateway.url())
    .max_concurrency(16)
    .interest(Interest::typed([]))
    .build()
    .unwrap();
    let engine = Engine::start(config, |_| Ok(Quiet)).unwrap();
    let handle = engine.handle();
    handle.ready().wait().unwrap();
    let error = |receipt: CommandReceipt| receipt.wait().unwrap_err();
    let all = error(handle.request_guild_members(RequestGuildMembers::all(guild(1))));
    assert!(all.to_string().contains("GUILD_MEMBERS"), "{all}");
    let few = RequestGuildMembers::users(guild(1), [1u64]).presences();
    let few = error(handle.request_guild_members(few));
    assert!(few.to_string().contains("GUILD_PRESENCES"), "{few}");
    let far = error(handle.update_voice_state(UpdateVoiceState::leave(guild(3))));
    assert_eq!(far.kind(), ErrorKind::NoSuchShard);
    assert!(far.to_string().contains("shard 3 of 4"), "{far}");
    let tally = handle.request_soundboard_sounds([guild(1), guild(2)]).wait();
    assert_eq!((tally.sent, tally.failed.len(), tally.failed[0].0), (1, 1, 2));
    engine.stop(Stop::EndSessions).unwrap();
}

struct Quiet;

impl Handler for Quiet {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

#[test]
fn the_outbox_is_bounded_and_full_is_an_answer() {
    let run = Run::start(gateway(1), |config| {
        let mut limits = shardring::Limits::default();
        limits.outbox_len_max = 3;
        config.shards(Shards::all(1)).limits(limits)
    });
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    // The window takes some 110 of them at once; then three wait, and no more.
    let receipts: Vec<_> =
        (0..150).map(|_| handle.send(0, RequestSoundboardSounds::new([1u64]))).collect();
    let full = receipts
        .into_iter()
        .filter_map(|receipt| receipt.wait_timeout(Duration::from_millis(20)))
        .filter(|result| result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Full))
        .count();
    assert!((20..=60).contains(&full), "{full} refused");
    assert!(run.gateway.stats().closes_sent.is_empty(), "never over Discord's limit");
    run.stop().unwrap();
}

#[test]
fn presences_without_end_stay_within_five_in_twenty_seconds() {
    let run = Run::start(gateway(1), |config| config.shards(Shards::all(1)));
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    let statuses = [Status::Idle, Status::Dnd, Status::Online];
    let receipts: Vec<_> =
        (0..300).map(|number| handle.send(0, UpdatePresence::new(statuses[number % 3]))).collect();
    assert_eq!(handle.presence(0).wait().unwrap().unwrap().status, Status::Online);
    let count = |wanted: fn(&CommandStatus) -> bool| {
        receipts.iter().filter(|receipt| wanted(&receipt.status())).count()
    };
    run.until("five presences", |_, stats| stats.shards[&0].received.get(&3) == Some(&5));
    assert_eq!(count(|status| matches!(status, CommandStatus::Sent { .. })), 5);
    assert_eq!(count(|status| *status == CommandStatus::Superseded), 294);
    assert_eq!(receipts[299].status(), CommandStatus::Queued);
    assert!(receipts[299].cancel());
    run.stop().unwrap();
}

/// Whose whole list was asked for behind the library's back: RATE_LIMITED comes, whatever the
/// handler's interest.
#[test]
fn rate_limited_is_heeded_though_no_handler_wants_to_see_it() {
    for interest in [Interest::typed([]), Interest::typed([EventKind::RateLimited])] {
        let run = Run::start(gateway(4), |config| config.interest(interest));
        let handle = run.engine.handle();
        handle.ready().wait().unwrap();
        let d = format!(r#"{{"guild_id":"{}","query":"","limit":0}}"#, guild(1));
        handle.send(1, Command::raw(8, d)).wait().unwrap();
        let whole = RequestGuildMembers::all(guild(1)).nonce("mine");
        let receipt = handle.request_guild_members(whole);
        run.until("RATE_LIMITED", |_, _| {
            matches!(receipt.status(), CommandStatus::RateLimited { retry_after }
                if retry_after > Duration::from_secs(25))
        });
        assert!(receipt.cancel());
        run.stop().unwrap();
    }
}

/// Sends at READY, and awaits the receipt in a future of its own.
struct Sender(mpsc::Sender<Result<shardring::CommandSent, shardring::Error>>);

impl Handler for Sender {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        if let Event::Ready(_) = event {
            let receipt = cx.send(UpdatePresence::new(Status::Idle)).unwrap();
            let told = self.0.clone();
            assert!(cx.spawn(async move { told.send(receipt.await).unwrap() }));
            assert_eq!(
                cx.send(UpdatePresence::default()).unwrap_err().kind(),
                ErrorKind::Command,
                "nothing is changed by it"
            );
        }
    }
}

#[test]
fn a_receipt_of_the_context_can_be_awaited_on_its_core() {
    let gateway = gateway(1).spawn().unwrap();
    let config = config(1, &gateway.url()).build().unwrap();
    let (told, sent) = mpsc::channel();
    let engine = Engine::start(config, move |_| Ok(Sender(told.clone()))).unwrap();
    assert!(sent.recv_timeout(Duration::from_secs(20)).unwrap().is_ok());
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn an_engine_that_stops_answers_every_command() {
    let run = Run::start(gateway(1), |config| config.shards(Shards::all(1)));
    let handle = run.engine.handle();
    handle.ready().wait().unwrap();
    let receipts: Vec<_> =
        (0..150).map(|_| handle.send(0, RequestSoundboardSounds::new([1u64]))).collect();
    run.stop().unwrap();
    for receipt in receipts {
        if let Err(error) = receipt.wait() {
            let kinds = [ErrorKind::Stopped, ErrorKind::Dropped, ErrorKind::Full];
            assert!(kinds.contains(&error.kind()), "{error}");
        }
    }
    let after = handle.send(0, UpdatePresence::new(Status::Idle)).wait().unwrap_err();
    assert_eq!(after.kind(), ErrorKind::Stopped);
}

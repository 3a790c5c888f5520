//! Voice and members on a real engine: from a handle, from a handler's future, over reconnects.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use replay_gateway::{Action, Cut, GatewayHandle, Target, VoiceFault};
use shardring::command::{RequestGuildMembers, UpdateVoiceState};
use shardring::{
    CollectMembers, Config, Context, Delivery, Engine, ErrorKind, Event, EventKind, Handler,
    Intents, Interest, JoinVoice, Link, MembersEndCause, MembersNews, Shards, Stop, Token,
    VoiceChange, VoiceConnectInfo, VoiceEnd, VoiceHandoff,
};

use crate::harness::{Run, TOKEN, config, gateway};

/// Of shard 2 of 4.
const GUILD: u64 = (2 << 22) | 5;
const CHANNEL: u64 = 127_121_515_262_115_840;

/// Nothing reaches the handler: the errands see what they need all the same.
fn run() -> Run {
    let run = Run::start(gateway(4), |config| config.interest(Interest::typed([])));
    run.engine.handle().ready().wait().unwrap();
    run
}

fn voice(gateway: &GatewayHandle, fault: VoiceFault) {
    gateway.act(Target::Shard(2), Action::Voice(fault));
    gateway.stats(); // answered after the order was obeyed
}

fn join(run: &Run) -> VoiceHandoff {
    run.engine.handle().join_voice(GUILD, CHANNEL, JoinVoice::default()).wait().unwrap()
}

#[track_caller]
fn next(voice: &mut VoiceHandoff) -> VoiceChange {
    let news = voice.next_wait_timeout(Duration::from_secs(20)).expect("a change in time");
    news.expect("a change")
}

#[track_caller]
fn info(change: VoiceChange) -> VoiceConnectInfo {
    match change {
        VoiceChange::Connect(info) => info,
        other => panic!("no info but {other:?}"),
    }
}

#[test]
fn a_join_brings_the_info_and_every_change_after_it_until_the_leave() {
    let run = run();
    for server_first in [false, true] {
        voice(&run.gateway, VoiceFault::ServerFirst(server_first));
        let mut call = join(&run);
        let first = call.connected_wait().unwrap();
        assert_eq!((first.guild_id.get(), first.channel_id.get()), (GUILD, CHANNEL));
        assert!(first.endpoint.ends_with(".example.com:443"));
        let own = run.engine.handle().voice_state(GUILD).wait().unwrap().expect("it is there");
        assert_eq!((own.channel_id.get(), own.session_id), (CHANNEL, first.session_id.clone()));
        voice(&run.gateway, VoiceFault::ServerChange(GUILD));
        let second = info(next(&mut call));
        assert_ne!((&second.token, &second.endpoint), (&first.token, &first.endpoint));
        voice(&run.gateway, VoiceFault::Endpointless(true));
        voice(&run.gateway, VoiceFault::ServerChange(GUILD));
        assert_eq!(next(&mut call), VoiceChange::ServerGone);
        voice(&run.gateway, VoiceFault::Endpointless(false));
        voice(&run.gateway, VoiceFault::Move { guild: GUILD, channel: 6 });
        let moved = VoiceChange::Moved { from: CHANNEL.into(), to: 6.into() };
        let news = [next(&mut call), next(&mut call)];
        assert!(news.contains(&moved), "{news:?}");
        run.engine.handle().leave_voice(GUILD).wait().unwrap();
        assert_eq!(next(&mut call), VoiceChange::Ended(VoiceEnd::Left));
        assert_eq!(call.next_wait(), None);
        // The echo of the leave is behind the answer to a request that was sent after it.
        let ask = RequestGuildMembers::users(GUILD, [1 << 22]);
        run.engine.handle().collect_members(ask).wait().unwrap().all_wait(1).unwrap();
        assert_eq!(run.engine.handle().voice_state(GUILD).wait().unwrap(), None);
    }
    run.stop().unwrap();
}

#[test]
fn a_full_channel_times_out_and_a_forced_disconnect_is_told() {
    let run = run();
    voice(&run.gateway, VoiceFault::Full(CHANNEL));
    let options = JoinVoice::default().timeout(Duration::from_millis(300));
    let handle = run.engine.handle();
    let mut full = handle.join_voice(GUILD, CHANNEL, options).wait().unwrap();
    assert_eq!(full.connected_wait(), Err(VoiceEnd::TimedOut { was_sent: true }));
    voice(&run.gateway, VoiceFault::Room(CHANNEL));
    let mut call = join(&run);
    call.connected_wait().unwrap();
    voice(&run.gateway, VoiceFault::Disconnect(GUILD));
    assert_eq!(next(&mut call), VoiceChange::Ended(VoiceEnd::Disconnected));
    // Where the bot is already it leaves first, as Discord would not answer.
    let mut first = join(&run);
    let before = first.connected_wait().unwrap();
    let mut second = join(&run);
    assert_eq!(next(&mut first), VoiceChange::Ended(VoiceEnd::Superseded));
    assert_ne!(second.connected_wait().unwrap().token, before.token);
    drop(run.stop().unwrap());
    assert_eq!(next(&mut second), VoiceChange::Ended(VoiceEnd::Stopped));
}

#[test]
fn voice_survives_a_resume_and_a_new_session_says_that_it_did_not() {
    // As text: the handler sees it before it is parsed for the shard.
    let run = Run::start(gateway(4), |config| config.interest(Interest::all(Delivery::Raw)));
    run.engine.handle().ready().wait().unwrap();
    let mut call = join(&run);
    call.connected_wait().unwrap();
    run.gateway.cut(2..=2, Cut::Reset);
    run.until_link(2, "Resumed");
    voice(&run.gateway, VoiceFault::ServerChange(GUILD));
    info(next(&mut call));
    // A guild of READY's, which the new session's GUILD_CREATE speaks of.
    let guild = replay_gateway::traffic::guild_id_of_shard(42, 2, 4, 0);
    let options = JoinVoice::default();
    let handle = run.engine.handle();
    let mut call = handle.join_voice(guild, CHANNEL, options).wait().unwrap();
    call.connected_wait().unwrap();
    run.gateway.act(Target::Shard(2), Action::InvalidSession(false));
    assert_eq!(next(&mut call), VoiceChange::Ended(VoiceEnd::SessionLost));
    assert!(run.log().events.iter().any(|(_, name)| name == "VOICE_SERVER_UPDATE"));
    assert_eq!(run.log().undecoded, 0);
    run.stop().unwrap();
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let gateway = gateway(4).spawn().unwrap();
    let config = Config::builder(Token::new(TOKEN).unwrap(), Intents::GUILDS)
        .shards(Shards::all(4))
        .gateway_url(gateway.url())
        .max_concurrency(16)
        .build()
        .unwrap();
    let engine = Engine::start(config, |_| Ok(Idle)).unwrap();
    let handle = engine.handle();
    handle.ready().wait().unwrap();
    let voice = handle.join_voice(GUILD, CHANNEL, JoinVoice::default()).wait().unwrap_err();
    assert_eq!(voice.kind(), ErrorKind::Command);
    assert!(voice.to_string().contains("GUILD_VOICE_STATES"), "{voice}");
    assert_eq!(handle.leave_voice(GUILD).wait().unwrap_err().kind(), ErrorKind::Command);
    let members = handle.collect_members(RequestGuildMembers::all(GUILD)).wait().unwrap_err();
    assert!(members.to_string().contains("GUILD_MEMBERS"), "{members}");
    assert!(gateway.stats().shards.values().all(|shard| shard.last_command.is_none()));
    engine.stop(Stop::EndSessions).unwrap();
}

struct Idle;

impl Handler for Idle {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

#[test]
fn all_members_of_a_guild_come_with_their_progress() {
    let run = run();
    let handle = run.engine.handle();
    let mut chunks = handle.collect_members(RequestGuildMembers::all(GUILD)).wait().unwrap();
    let (mut members, mut progress) = (0, Vec::new());
    let end = loop {
        match chunks.next_wait().expect("an end comes first") {
            MembersNews::Chunk(chunk) => {
                members += chunk.visit(|chunk| chunk.members.len()).unwrap();
                progress.push(chunks.progress());
            }
            MembersNews::Ended(end) => break end,
            other => panic!("{other:?}"),
        }
    };
    assert!(end.is_complete() && chunks.next_wait().is_none());
    assert_eq!((members, progress), (2_500, vec![(1, Some(3)), (2, Some(3)), (3, Some(3))]));
    let some = RequestGuildMembers::users(GUILD, [1 << 22, 12]);
    let some = handle.collect_members(some).wait().unwrap().all_wait(1).unwrap();
    assert_eq!((some[0].members_len, &*some[0].not_found), (1, &[12.into()][..]));
    run.stop().unwrap();
}

#[test]
fn a_turn_that_does_not_come_a_slow_reader_and_a_bound_on_the_list_are_told() {
    let run = run();
    let handle = run.engine.handle();
    let all = || CollectMembers::new(RequestGuildMembers::all(GUILD));
    let too_many = handle.collect_members(all()).wait().unwrap().all_wait(2).unwrap_err();
    assert_eq!((too_many.cause, too_many.chunk_count), (MembersEndCause::Overrun, Some(3)));
    // The second within 30 s waits for its turn here, so that Discord need not refuse it.
    let limited = all().timeout(Duration::from_millis(200));
    let mut limited = handle.collect_members(limited).wait().unwrap();
    let news = limited.next_wait_timeout(Duration::from_secs(20)).unwrap().unwrap();
    let MembersNews::Ended(end) = news else { panic!("{news:?}") };
    assert_eq!(end.cause, MembersEndCause::TimedOut { was_sent: false });
    drop(limited);
    let mut other = CollectMembers::new(RequestGuildMembers::all((6u64 << 22) | 1)).waiting_max(1);
    other.request.nonce = Some("my own".into());
    let slow = handle.collect_members(other).wait().unwrap();
    // A later answer on the same shard: by now all three chunks came.
    let later = RequestGuildMembers::users(GUILD, [1 << 22]);
    handle.collect_members(later).wait().unwrap().all_wait(1).unwrap();
    let end = slow.all_wait(9).unwrap_err();
    assert_eq!((end.cause, end.received), (MembersEndCause::Overrun, 1));
    assert_eq!(end.missing, [1, 2]);
    run.stop().unwrap();
}

/// Joins and collects from its callbacks, by futures of its own core.
struct Bot(Sender<String>);

impl Handler for Bot {
    fn on_event(&mut self, _: &mut Context<'_>, event: Event<'_>) {
        if let Event::GuildMembersChunk(chunk) = event {
            let _ = self.0.send(format!("chunk of {}", chunk.members.len()));
        }
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        let Link::Ready { .. } = link else { return };
        if cx.shard().id != 2 {
            let elsewhere = cx.join_voice(GUILD, CHANNEL, JoinVoice::default()).unwrap_err();
            assert_eq!(elsewhere.kind(), ErrorKind::NoSuchShard);
            return;
        }
        let mut voice = cx.join_voice(GUILD, CHANNEL, JoinVoice::default()).unwrap();
        let members = cx.collect_members(RequestGuildMembers::prefix(GUILD, "a", 7)).unwrap();
        let told = self.0.clone();
        cx.spawn(async move {
            let info = voice.connected().await.unwrap();
            let _ = told.send(format!("connect in {}", info.channel_id));
            let chunks = members.all(1).await.unwrap();
            let _ = told.send(format!("collected {}", chunks[0].members_len));
        });
    }
}

#[test]
fn a_handler_joins_and_collects_and_sees_the_chunks_itself() {
    let gateway = gateway(4).spawn().unwrap();
    let (sender, told) = channel();
    let config = config(4, &gateway.url())
        .shards(Shards::all(4))
        .interest(Interest::typed([EventKind::GuildMembersChunk]))
        .build()
        .unwrap();
    let engine = Engine::start(config, move |_| Ok(Bot(sender.clone()))).unwrap();
    let mut seen: Vec<String> =
        (0..3).map(|_| told.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
    seen.sort();
    assert_eq!(seen, ["chunk of 7", "collected 7", &format!("connect in {CHANNEL}")]);
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn a_command_of_the_user_that_takes_the_place_of_a_join_ends_it_at_once_and_is_sent() {
    let run = run();
    let handle = run.engine.handle();
    let shard = handle.shard(2).unwrap();
    shard.terminate().wait().unwrap();
    let options = JoinVoice::default().timeout(Duration::from_secs(600));
    let mut voice = handle.join_voice(GUILD, CHANNEL, options).wait().unwrap();
    let own = handle.update_voice_state(UpdateVoiceState::join(GUILD, 6u64));
    assert_eq!(next(&mut voice), VoiceChange::Ended(VoiceEnd::NotSent));
    shard.start().wait().unwrap();
    own.wait().unwrap();
    run.stop().unwrap();
}

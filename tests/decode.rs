//! Decoding through its public doors: values, tolerance, bounds.
//!
//! `corpus/<NAME>[.<variant>].json` holds payloads in the shape in which Discord sends them, at
//! least one for each kind with every documented field in it. What is done to all of them stands
//! in `corpus/main.rs`.

mod payload;

use payload::{corpus, read};
use serde_json::Value;
use shardring::decode::{DEPTH_MAX, DecodeError, Envelope, Note, PADDING, Scratch};
use shardring::model::*;
use std::fs;
use std::path::Path;

fn payload(name: &str) -> String {
    corpus().into_iter().find(|(file, _)| file == name).unwrap().1
}

/// Reads one payload of the corpus and demands that no field was unreadable.
fn read_clean(name: &str, visit: impl for<'a> FnOnce(Event<'a>)) {
    let mut scratch = Scratch::new();
    read(&mut scratch, &payload(name), visit).unwrap();
    assert_eq!(scratch.notes().iter().collect::<Vec<Note>>(), [], "{name}");
}

macro_rules! expect {
    ($event:expr, $kind:ident) => {
        match $event {
            Event::$kind(event) => event.get(),
            other => panic!("expected {}, got {other:?}", stringify!($kind)),
        }
    };
}

#[test]
fn every_typed_kind_has_a_payload_that_reads_as_its_type_without_a_note() {
    let mut seen = EventSet::EMPTY;
    for (name, _) in corpus() {
        let kind = EventKind::from_name(name.split('.').next().unwrap());
        read_clean(&name, |event| {
            assert_eq!(event.kind(), kind, "{name}");
            assert_eq!(event.name(), name.split('.').next().unwrap());
            assert_eq!(matches!(event, Event::Untyped(_)), !kind.is_typed(), "{name}");
        });
        seen = seen.with(kind);
    }
    assert_eq!(seen.intersection(EventSet::TYPED), EventSet::TYPED);
}

#[test]
fn every_documented_dispatch_is_known_and_no_other() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(dir.join("tests/corpus/event_names.txt")).unwrap();
    let names: Vec<&str> = list.lines().collect();
    for name in &names {
        assert_eq!(EventKind::from_name(name).name(), *name);
    }
    assert_eq!(EventKind::COUNT, names.len() + 1);

    // Beside the repository the documents' digest may lie, from which the list was taken.
    if let Ok(schema) = fs::read_to_string(dir.join("../shared/discord/events.schema.json")) {
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let events = schema["events"].as_object().unwrap().iter();
        let dispatches: Vec<&str> =
            events.filter(|(_, event)| event["op"] == 0).map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, dispatches);
    }
}

#[test]
fn ready_tells_the_session() {
    read_clean("READY", |event| {
        let ready = expect!(event, Ready);
        assert_eq!((ready.v, ready.shard), (10, Some([3, 64])));
        assert_eq!(ready.session_id.expose(), "30f32c5d54ae86130fc4a215c7474263");
        assert_eq!(ready.resume_gateway_url, "wss://gateway-us-east1-b.discord.gg");
        let ids: Vec<u64> = ready.guilds.iter().map(|guild| guild.id.get()).collect();
        assert_eq!(ids, [290926798626357999, 41771983423143937]);
        assert!(ready.guilds.iter().all(|guild| guild.unavailable == Some(true)));
        assert_eq!((ready.user.username, ready.user.bot), ("shard-bot", Some(true)));
        assert_eq!((ready.user.email, ready.user.flags), (Field::Null, Some(UserFlags::default())));
        let application = ready.application.unwrap();
        assert_eq!((application.id.get(), application.flags.bits()), (1000000000000000000, 565248));
        assert!(!format!("{ready:?}").contains(ready.session_id.expose()));
    });
    read_clean("RESUMED", |event| {
        assert_eq!(expect!(event, Resumed).data.get("_trace").map(|trace| trace.len()), Some(1));
    });
}

#[test]
fn a_message_is_read_with_its_escapes_undone() {
    read_clean("MESSAGE_CREATE", |event| {
        let message = expect!(event, MessageCreate);
        assert_eq!(message.id.get(), 1216449876777209472);
        assert_eq!(message.id.timestamp_ms(), 1710094651169);
        assert_eq!(
            message.content,
            "Supa Hot, see \"docs\" at https://example.com/path?x=1\n\
             and a second line — with text 🔥"
        );
        assert_eq!(message.timestamp.unix_ms(), Some(1_773_249_669_318));
        assert_eq!((message.edited_timestamp, message.flags.bits()), (None, 0));
        assert_eq!(message.nonce, Some(Nonce::String("1216449876543209472")));
        assert_eq!(message.channel_type, Some(ChannelType::GUILD_TEXT));
        assert_eq!(message.mention_roles.len(), 2);
        let mentioned = message.mentions[0];
        assert_eq!((mentioned.id.get(), mentioned.global_name), (80351110224678912, None));
        assert_eq!(mentioned.member.unwrap().nick, Field::Null);
        let author = &message.author;
        assert_eq!((author.bot, author.banner), (Some(false), Field::Missing));
        assert_eq!(author.primary_guild.value().unwrap().tag, Some("DISC"));
        let plate = author.collectibles.value().unwrap().nameplate.unwrap();
        assert_eq!((plate.palette, plate.sku_id.get()), ("cobalt", 2247558840304243311));
        assert_eq!(
            author.avatar_decoration_data.value().unwrap().sku_id.get(),
            1144058844004233369
        );
        let member = message.member.unwrap();
        assert_eq!((member.nick.value(), member.roles.len()), (Some("NOT API SUPPORT"), 3));
        assert_eq!(member.flags, MemberFlags::COMPLETED_ONBOARDING);
        assert_eq!(member.communication_disabled_until, Field::Null);
        let file = message.attachments[0];
        assert_eq!((file.width, file.size), (Field::Value(1024), 82731));
        assert!(message.referenced_message.is_missing() && message.components.is_empty());
    });
}

#[test]
fn a_message_with_every_documented_field_keeps_every_one() {
    read_clean("MESSAGE_CREATE.full", |event| {
        let message = expect!(event, MessageCreate);
        assert_eq!((message.kind, message.nonce), (MessageType::REPLY, Some(Nonce::Integer(7))));
        assert_eq!(message.flags, MessageFlags::SUPPRESS_EMBEDS | MessageFlags::HAS_SNAPSHOT);
        let embed = &message.embeds[0];
        assert_eq!((embed.kind, embed.fields.len()), (Some(EmbedType::RICH), 2));
        assert_eq!(embed.image.unwrap().flags, Some(EmbedMediaFlags::IS_ANIMATED));
        assert_eq!(embed.video.unwrap().width, Some(1920));
        assert_eq!(embed.footer.unwrap().text, "small print");
        assert_eq!(message.attachments[1].height, Field::Null);
        assert_eq!(message.attachments[0].duration_secs, Some(5.25));
        assert_eq!(message.attachments[0].clip_participants[0].username, "someone_else");
        let reaction = &message.reactions[0];
        assert_eq!((reaction.emoji.name, reaction.emoji.id), (Some("🔥"), None));
        assert_eq!(reaction.count_details.unwrap().normal, 2);
        let snapshot = &message.message_snapshots[0].message;
        assert_eq!((snapshot.content, snapshot.stickers[0].name), ("as it was", "Wave"));
        let before = message.referenced_message.value().unwrap();
        assert_eq!((before.content, before.author.username), ("the one before", "mason"));
        assert_eq!(message.message_reference.unwrap().message_id, Some(before.id));
        let Some(InteractionMetadata::Modal(modal)) = message.interaction_metadata else {
            panic!("{message:?}")
        };
        assert_eq!(modal.kind, InteractionType::MODAL_SUBMIT);
        let trigger = modal.triggering_interaction_metadata;
        let TriggeringInteractionMetadata::Command(command) = trigger else { panic!("{modal:?}") };
        assert_eq!(command.target_user.unwrap().username, "someone_else");
        assert_eq!(message.interaction.unwrap().name, "cmd sub");
        let poll = message.poll.unwrap();
        assert_eq!(poll.answers[0].poll_media.emoji.unwrap().name, Some("🍵"));
        assert_eq!(poll.results.unwrap().answer_counts[0].count, 5);
        assert_eq!(message.call.unwrap().participants.len(), 2);
        assert_eq!(message.shared_client_theme.unwrap().colors, ["5865f2", "ff0000"]);
        assert_eq!(message.role_subscription_data.unwrap().total_months_subscribed, 4);
        let Component::Button(button) = message.components[0].children()[1] else {
            panic!("{message:?}")
        };
        assert_eq!((button.label, button.style), (Some("Go"), ButtonStyle::LINK));
        assert_eq!(message.thread.unwrap().message_count, Some(3));
        assert_eq!(message.mention_channels[0].kind, ChannelType::GUILD_ANNOUNCEMENT);
    });
}

#[test]
fn an_update_tells_what_was_not_said_from_what_is_empty() {
    read_clean("MESSAGE_UPDATE.partial", |event| {
        let update = expect!(event, MessageUpdate);
        assert_eq!(update.embeds.unwrap().len(), 1);
        assert!(update.content.is_none() && update.attachments.is_none());
        assert!(update.author.is_none() && update.edited_timestamp.is_missing());
    });
    read_clean("MESSAGE_UPDATE", |event| {
        let update = expect!(event, MessageUpdate);
        assert_eq!((update.content, update.pinned), (Some("edited"), Some(true)));
        assert!(update.referenced_message.is_null());
        assert_eq!(update.stickers.unwrap()[0].format_type, StickerFormatType::LOTTIE);
    });
}

#[test]
fn the_other_typed_events_are_read_whole() {
    read_clean("MESSAGE_DELETE", |event| {
        let delete = expect!(event, MessageDelete);
        assert_eq!(delete.guild_id.map(Id::get), Some(290926798626357999));
    });
    read_clean("MESSAGE_REACTION_ADD", |event| {
        let add = expect!(event, MessageReactionAdd);
        assert_eq!(
            (add.kind, add.burst_colors),
            (ReactionType::BURST, &["#ff0000", "#00ff00"][..])
        );
        assert_eq!((add.emoji.animated, add.emoji.user.is_none()), (Some(true), true));
        assert_eq!(add.member.unwrap().user.unwrap().id, add.user_id);
    });
    read_clean("TYPING_START", |event| {
        let typing = expect!(event, TypingStart);
        assert_eq!((typing.timestamp_s, typing.user_id.get()), (1772749669, 53908099506183680));
    });
    read_clean("PRESENCE_UPDATE", |event| {
        let presence = expect!(event, PresenceUpdate);
        assert_eq!(
            (presence.status, presence.client_status.vr),
            (Status::DND, Some(Status::ONLINE))
        );
        let [custom, game] = presence.activities else { panic!("{presence:?}") };
        assert_eq!(
            (custom.kind, custom.state.value()),
            (ActivityType::CUSTOM, Some("half asleep"))
        );
        assert_eq!(game.party.unwrap().size, Some([2, 3]));
        assert_eq!(game.timestamps.unwrap().end_ms, Some(1511200067000));
        assert_eq!((game.url, game.buttons), (Field::Null, &["Watch", "Ask"][..]));
        let secrets = game.secrets.unwrap();
        assert!(secrets.match_secret.unwrap().expose().starts_with("4b2f"));
        assert!(!format!("{presence:?}").contains("4b2f"));
    });
    read_clean("GUILD_DELETE", |event| assert!(!expect!(event, GuildDelete).is_removed()));
}

#[test]
fn a_guild_is_read_with_its_lists() {
    read_clean("GUILD_CREATE", |event| {
        let guild = expect!(event, GuildCreate);
        assert_eq!((guild.name, guild.member_count, guild.large), ("Discord Testers", 82431, true));
        assert_eq!(guild.features[2], GuildFeature::new("NEW_THING_OF_TOMORROW"));
        assert_eq!((guild.max_presences, guild.widget_channel_id), (Field::Null, Field::Null));
        assert_eq!((guild.channels.len(), guild.members.len()), (2, 2));
        assert_eq!(guild.members[1].user.unwrap().username, "someone_else");
        assert_eq!(guild.emojis[0].roles.len(), 2);
    });
    read_clean("GUILD_CREATE.unavailable", |event| {
        let guild = expect!(event, GuildCreate);
        assert_eq!((guild.unavailable, guild.name, guild.channels.len()), (Some(true), "", 0));
    });
}

#[test]
fn an_untyped_event_is_the_same_json_again() {
    for (name, text) in corpus() {
        let mut scratch = Scratch::new();
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(text.len() + PADDING, 0);
        let again = scratch.read(&mut bytes, text.len(), |root| root.json().to_string()).unwrap();
        let expected = serde_json::from_str::<Value>(&text).unwrap()["d"].to_string();
        assert_eq!(again, expected, "{name}");
    }
}

#[test]
fn raw_events_are_the_text_as_it_came_and_debug_shows_no_token() {
    let text = payload("VOICE_SERVER_UPDATE");
    let kind = EventKind::VoiceServerUpdate;
    let Event::Raw(raw) = Event::raw(kind, kind.name(), text.as_bytes()) else { panic!() };
    assert_eq!(raw.text, text);
    let data: Value = serde_json::from_str(raw.data().unwrap()).unwrap();
    assert_eq!(data["token"], "66d29164ee8cd919");
    read_clean("VOICE_SERVER_UPDATE", |event| {
        let debug = format!("{event:?}");
        assert!(debug.contains("sweetwater") && !debug.contains("66d2"), "{debug}");
    });
    assert!(matches!(Event::raw(kind, "", b"\xFF"), Event::Undecoded(_)));
}

#[test]
fn snowflakes_are_read_from_strings_and_integers_and_nothing_else() {
    for (id, value) in [
        ("\"175928847299117063\"", Some(175928847299117063)),
        ("175928847299117063", Some(175928847299117063)),
        ("18446744073709551615", Some(u64::MAX)),
        ("\"18446744073709551615\"", Some(u64::MAX)),
        ("0", Some(0)),
        ("\"0\"", Some(0)),
        ("\"18446744073709551616\"", None),
        ("-1", None),
        ("\"\"", None),
        ("\"12x\"", None),
        ("1.5", None),
        ("null", None),
        ("{}", None),
    ] {
        let text = format!(r#"{{"t":"MESSAGE_DELETE","s":1,"op":0,"d":{{"id":{id}}}}}"#);
        let mut scratch = Scratch::new();
        let got = read(&mut scratch, &text, |event| match event {
            Event::MessageDelete(delete) => Some(delete.id.get()),
            Event::Untyped(event) if event.kind == EventKind::MessageDelete => None,
            other => panic!("{other:?}"),
        });
        assert_eq!(got, Ok(value), "{id}");
        // The field itself is noted, and that the event has no type for want of it.
        assert_eq!(scratch.notes().count(), if value.is_some() { 0 } else { 2 }, "{id}");
    }
}

#[test]
fn escapes_and_surrogates_are_undone_or_refused() {
    for (escaped, content) in [
        (r#"\"\\\/\b\f\n\r\t"#, Some("\"\\/\u{8}\u{c}\n\r\t")),
        (r"\u0041\u00e9\u2014\uD83D\uDE00", Some("Aé—😀")),
        (r"\u0000", Some("\0")),
        (r"\x", None),
        (r"\u12", None),
        (r"\uDE00", None),
        (r"\uD83Dx", None),
    ] {
        let text = format!(r#"{{"t":"MESSAGE_CREATE","d":{{"id":"1","content":"{escaped}"}}}}"#);
        let got = read(&mut Scratch::new(), &text, |event| {
            expect!(event, MessageCreate).content.to_owned()
        });
        match content {
            Some(content) => assert_eq!(got.as_deref(), Ok(content), "{escaped}"),
            None => assert!(matches!(got, Err(DecodeError::Json { .. })), "{escaped} {got:?}"),
        }
    }
}

#[test]
fn one_unreadable_field_costs_that_field_and_is_noted_by_name() {
    let mut payload: Value = serde_json::from_str(&payload("MESSAGE_CREATE")).unwrap();
    payload["d"]["author"]["bot"] = Value::from("yes");
    payload["d"]["mentions"].as_array_mut().unwrap().insert(0, Value::from(5));
    let mut scratch = Scratch::new();
    read(&mut scratch, &payload.to_string(), |event| {
        let message = expect!(event, MessageCreate);
        assert_eq!((message.author.bot, message.author.username), (None, "mason"));
        assert_eq!((message.mentions.len(), message.mentions[0].id.get()), (1, 80351110224678912));
        assert_eq!(message.attachments[0].size, 82731);
    })
    .unwrap();
    let notes: Vec<_> = scratch.notes().iter().map(|note| (note.object, note.field)).collect();
    assert_eq!(notes, [("list", "element"), ("User", "bot")]);
    read(&mut scratch, r#"{"op":11}"#, |_| ()).unwrap();
    assert_eq!(scratch.notes().count(), 0, "notes are those of one payload");
}

#[test]
fn the_envelope_is_read_in_all_24_orders_with_any_spacing_and_foreign_keys() {
    let d = r#"{"op":9,"s":9,"t":"NO","a":"\"}],\"t\":\"NO\"\\","b":[{"s":8},"}"],"z":{"s":7}}"#;
    let members = [r#""op":0"#, r#""s":42"#, r#""t":"MESSAGE_CREATE""#, &format!(r#""d":{d}"#)];
    let expected = Envelope { op: Some(0), s: Some(42), t: Some("MESSAGE_CREATE") };
    for order in 0..24 {
        let mut left = members.to_vec();
        let picks = [order / 6, order / 2 % 3, order % 2, 0].map(|at| left.remove(at));
        for text in [
            format!("{{{}}}", picks.join(",")),
            format!(" {{ {} }}\n", picks.join(" ,\n\t").replacen(":", " : ", 1)),
            format!(r#"{{"x":{d},{},"y":"\\\"t\":1"}}"#, picks.join(r#","k":[null,-1.5e3],"#)),
        ] {
            serde_json::from_str::<Value>(&text).unwrap();
            assert_eq!(Envelope::scan(text.as_bytes()), Ok(expected), "{text}");
            let range = Envelope::data_range(text.as_bytes()).unwrap().unwrap();
            assert_eq!(&text[range], d);
        }
    }
}

#[test]
fn the_envelope_scan_and_the_tape_agree_on_the_corpus() {
    for (name, text) in corpus() {
        let envelope = Envelope::scan(text.as_bytes()).unwrap();
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(text.len() + PADDING, 0);
        let seen = Scratch::new().read(&mut bytes, text.len(), |root| {
            assert_eq!(envelope.t, Some(root.name()), "{name}");
            (root.op(), root.seq())
        });
        assert_eq!(seen, Ok((envelope.op, envelope.s)), "{name}");
    }
}

/// Runs `test` where the stack is small enough for a recursion to show.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 * 1024).spawn(test).unwrap().join().unwrap();
}

#[test]
fn a_hundred_thousand_nested_arrays_are_a_typed_error() {
    on_a_small_stack(|| {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let text = format!(
                r#"{{"op":0,"d":{}1{},"x":1,"s":3,"t":"MESSAGE_CREATE"}}"#,
                open.repeat(100_000),
                close.repeat(100_000)
            );
            let envelope = Envelope::scan(text.as_bytes()).unwrap();
            assert_eq!((envelope.s, envelope.t), (Some(3), Some("MESSAGE_CREATE")));
            let got = read(&mut Scratch::new(), &text, |_| ());
            assert!(matches!(got, Err(DecodeError::Depth { .. })), "{got:?}");
            let cut = read(&mut Scratch::new(), &text[..50_000], |_| ());
            assert!(cut.is_err(), "{cut:?}");
        }
    });
}

#[test]
fn replies_nested_to_the_bound_are_cut_and_noted_on_a_small_stack() {
    on_a_small_stack(|| {
        let levels = DEPTH_MAX - 2;
        let text = format!(
            r#"{{"t":"MESSAGE_CREATE","d":{}{{"id":"1"}}{}}}"#,
            r#"{"id":"1","referenced_message":"#.repeat(levels),
            "}".repeat(levels)
        );
        let mut scratch = Scratch::new();
        let depth = read(&mut scratch, &text, |event| {
            assert!(format!("{event:?}").len() > 100);
            let mut message = expect!(event, MessageCreate);
            let mut depth = 1;
            while let Field::Value(next) = message.referenced_message {
                message = next;
                depth += 1;
            }
            depth
        });
        assert_eq!(depth, Ok(shardring::decode::TYPED_DEPTH_MAX));
        assert_eq!(scratch.notes().count(), 1);
    });
}

#[test]
fn a_list_of_a_million_empty_objects_does_not_become_gigabytes() {
    let text = format!(
        r#"{{"t":"MESSAGE_CREATE","d":{{"id":"1","embeds":[{}{{}}],"content":"after"}}}}"#,
        "{},".repeat(1_000_000)
    );
    let mut scratch = Scratch::new();
    read(&mut scratch, &text, |event| {
        let message = expect!(event, MessageCreate);
        assert_eq!((message.embeds.len(), message.content), (0, "after"));
    })
    .unwrap();
    assert_eq!(scratch.notes().count(), 1);
    assert!(scratch.heap_len() < 300 * 1024 * 1024);
}

#[test]
fn control_payloads_are_read_whatever_is_missing() {
    let mut scratch = Scratch::new();
    let mut hello = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(text.len() + PADDING, 0);
        scratch
            .read(&mut bytes, text.len(), |root| root.data().read::<Hello>("Hello"))
            .unwrap()
            .map(|hello| hello.heartbeat_interval_ms)
            .ok()
    };
    assert_eq!(hello(r#"{"op":10,"d":{"heartbeat_interval":41250,"_trace":[]}}"#), Some(41250));
    assert_eq!(hello(r#"{"op":10,"d":{}}"#), None);
    assert_eq!(hello(r#"{"op":10}"#), None);
    for (text, resumable) in [
        (r#"{"op":9,"d":true,"s":3}"#, true),
        (r#"{"op":9,"d":false}"#, false),
        (r#"{"op":9,"d":null}"#, false),
        (r#"{"op":9}"#, false),
        (r#"{"op":9,"d":{}}"#, false),
    ] {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(text.len() + PADDING, 0);
        let read = Scratch::new().read(&mut bytes, text.len(), |root| {
            root.data().read::<InvalidSession>("InvalidSession").unwrap().resumable
        });
        assert_eq!(read, Ok(resumable), "{text}");
    }
}

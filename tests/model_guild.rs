//! Guilds and what is in them, through the public door: what each payload says is what the typed
//! event says, and what it is written out to again.

#![recursion_limit = "256"] // of `json!`, by a guild's many keys

mod payload;

use serde_json::{Value, json};
use shardring::decode::{Note, Scratch};
use shardring::model::*;

/// Reads `d` as the event `name`, hands it to `visit` and demands that all could be read.
fn read<R>(name: &str, d: &Value, visit: impl for<'a> FnOnce(Event<'a>) -> R) -> R {
    let (seen, notes) = read_noted(name, d, visit);
    assert_eq!(notes, [], "{name}");
    seen
}

/// As `read`; with what could not be read.
fn read_noted<R>(
    name: &str,
    d: &Value,
    visit: impl for<'a> FnOnce(Event<'a>) -> R,
) -> (R, Vec<Note>) {
    let text = json!({ "t": name, "s": 1, "op": 0, "d": d }).to_string();
    let mut scratch = Scratch::new();
    let seen = payload::read(&mut scratch, &text, visit);
    (seen.unwrap(), scratch.notes().iter().collect())
}

macro_rules! expect {
    ($event:expr, $kind:ident) => {
        match $event {
            Event::$kind(event) => event,
            other => panic!("expected {}, got {other:?}", stringify!($kind)),
        }
    };
}

/// What an event is written out to.
macro_rules! written {
    ($kind:ident $name:literal, $d:expr) => {
        read($name, $d, |event| serde_json::to_value(expect!(event, $kind)).unwrap())
    };
}

fn user(id: &str) -> Value {
    json!({
        "id": id, "username": "nelly", "discriminator": "0", "global_name": "Nelly",
        "avatar": "a_1269e74af4df7417b13759eae50c83dc", "public_flags": 64,
    })
}

fn member(id: &str) -> Value {
    json!({
        "user": user(id), "nick": null, "avatar": null, "roles": ["11", "12"],
        "joined_at": "2015-04-26T06:26:56.936000+00:00", "premium_since": null, "deaf": false,
        "mute": true, "flags": 2, "pending": false, "communication_disabled_until": null,
    })
}

fn role(id: &str, tags: Value) -> Value {
    json!({
        "id": id, "name": "new role", "color": 3447003, "hoist": true, "icon": null,
        "unicode_emoji": "⛵", "position": 1, "permissions": "4503599627370495",
        "managed": false, "mentionable": false, "flags": 1, "tags": tags,
        "colors": { "primary_color": 3447003, "secondary_color": null, "tertiary_color": 1 },
    })
}

fn forum() -> Value {
    json!({
        "id": "21", "type": 15, "position": -1, "name": "help", "topic": null, "nsfw": false,
        "last_message_id": null, "parent_id": "20", "rate_limit_per_user": 5, "flags": 16,
        "permission_overwrites": [
            { "id": "11", "type": 0, "allow": "0", "deny": "2251799813685248" },
            { "id": "80351110224678912", "type": 1, "allow": "1024", "deny": "0" },
        ],
        "available_tags": [
            { "id": "31", "name": "solved", "moderated": true, "emoji_id": null,
              "emoji_name": "✅" },
        ],
        "default_reaction_emoji": { "emoji_id": "41", "emoji_name": null },
        "default_sort_order": null, "default_forum_layout": 2,
        "default_auto_archive_duration": 4320, "default_thread_rate_limit_per_user": 10,
    })
}

fn voice() -> Value {
    json!({
        "id": "22", "type": 2, "position": 1, "permission_overwrites": [], "name": "lounge",
        "bitrate": 64000, "user_limit": 0, "rtc_region": null, "video_quality_mode": 2,
        "nsfw": false, "parent_id": null, "flags": 0,
    })
}

/// As in GUILD_CREATE: the membership without its ids.
fn thread() -> Value {
    json!({
        "id": "23", "type": 11, "parent_id": "21", "owner_id": "80351110224678912", "name": "how do I", "last_message_id": "24",
        "message_count": 3, "member_count": 50,
        "total_message_sent": 4, "applied_tags": ["31"], "rate_limit_per_user": 0,
        "thread_metadata": {
            "archived": false, "auto_archive_duration": 1440, "locked": true,
            "archive_timestamp": "2021-04-12T23:40:39.855793+00:00", "create_timestamp": null,
        },
        "member": { "join_timestamp": "2021-04-13T00:00:00+00:00", "flags": 5 },
    })
}

fn planned() -> Value {
    json!({
        "id": "51", "guild_id": "1", "channel_id": null, "creator_id": null, "name": "picnic",
        "description": "bring cake", "scheduled_start_time": "2026-09-01T10:00:00+00:00",
        "scheduled_end_time": "2026-09-01T12:00:00+00:00", "privacy_level": 2, "status": 1,
        "entity_type": 3, "entity_id": null, "entity_metadata": { "location": "the park" },
        "creator": user("80351110224678912"), "user_count": 3, "image": null,
        "recurrence_rule": {
            "start": "2026-09-01T10:00:00+00:00", "end": null, "frequency": 1, "interval": 1,
            "by_weekday": null, "by_n_weekday": [{ "n": 4, "day": 2 }], "by_month": [7, 12],
            "by_month_day": null, "by_year_day": null, "count": null,
        },
    })
}

fn sound() -> Value {
    json!({
        "sound_id": "61", "name": "quack", "volume": 0.5, "emoji_id": null, "emoji_name": "🦆",
        "guild_id": "1", "available": true, "user": user("80351110224678912"),
    })
}

fn guild() -> Value {
    json!({
        "id": "1", "name": "Boaters", "icon": "aa", "splash": null, "discovery_splash": null,
        "owner_id": "80351110224678912", "region": "deprecated", "afk_channel_id": "22",
        "afk_timeout": 300, "widget_enabled": true, "widget_channel_id": null,
        "verification_level": 3, "default_message_notifications": 1,
        "explicit_content_filter": 2, "features": ["COMMUNITY", "OF_TOMORROW"], "mfa_level": 1,
        "roles": [role("11", json!({ "bot_id": "81", "premium_subscriber": null }))],
        "emojis": [{ "id": "41", "name": "boat", "roles": ["11"], "animated": true,
                     "require_colons": true, "managed": false, "available": true }],
        "stickers": [{ "id": "42", "name": "wave", "description": "hand", "tags": "hi", "type": 2,
                       "format_type": 1, "available": true, "guild_id": "1" }],
        "application_id": null, "system_channel_id": "20", "system_channel_flags": 5,
        "rules_channel_id": null, "max_presences": null, "max_members": 500000,
        "vanity_url_code": null, "description": null, "banner": null, "premium_tier": 3,
        "premium_subscription_count": 33, "preferred_locale": "en-US",
        "public_updates_channel_id": null, "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50, "nsfw_level": 0,
        "premium_progress_bar_enabled": false, "safety_alerts_channel_id": null,
        "welcome_screen": { "description": "Ahoy", "welcome_channels": [
            { "channel_id": "20", "description": "rules", "emoji_id": null, "emoji_name": "📡" },
        ] },
        "incidents_data": {
            "invites_disabled_until": "2023-09-01T14:48:02.222000+00:00",
            "dms_disabled_until": null, "raid_detected_at": null,
        },
    })
}

fn guild_create() -> Value {
    let mut d = guild();
    let own = json!({
        "unavailable": false, "joined_at": "2020-01-01T00:00:00+00:00", "large": true,
        "member_count": 82431, "members": [member("80351110224678912"), member("81")],
        "channels": [forum(), voice()], "threads": [thread()],
        "voice_states": [{
            "channel_id": "22", "user_id": "81", "session_id": "hush", "deaf": false,
            "mute": false, "self_deaf": false, "self_mute": true, "self_stream": true,
            "self_video": false, "suppress": false, "request_to_speak_timestamp": null,
        }],
        "presences": [{
            "user": { "id": "81" }, "status": "idle", "client_status": { "mobile": "idle" },
            "activities": [{ "name": "sea", "type": 0, "buttons": ["Board"] }],
        }],
        "stage_instances": [{
            "id": "71", "guild_id": "1", "channel_id": "22", "topic": "ropes",
            "privacy_level": 2, "discoverable_disabled": true, "guild_scheduled_event_id": null,
        }],
        "guild_scheduled_events": [planned()], "soundboard_sounds": [sound()],
    });
    d.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    d
}

#[test]
fn a_guild_arrives_with_all_its_lists_typed() {
    read("GUILD_CREATE", &guild_create(), |event| {
        let guild = expect!(event, GuildCreate);
        assert_eq!((guild.name, guild.member_count, guild.large), ("Boaters", 82431, true));
        assert_eq!(guild.features[1], GuildFeature::new("OF_TOMORROW"));
        assert_eq!(guild.max_presences, Field::Null);
        assert_eq!(guild.incidents_data.unwrap().dm_spam_detected_at, Field::Missing);
        assert_eq!(guild.welcome_screen.unwrap().welcome_channels[0].emoji_name, Some("📡"));
        assert_eq!(guild.members[1].user.unwrap().id.get(), 81);
        assert_eq!((guild.members[1].roles.len(), guild.members[1].mute), (2, true));
        let state = &guild.voice_states[0];
        assert_eq!((state.session_id.expose(), state.self_stream), ("hush", Field::Value(true)));
        assert_eq!(guild.presences[0].activities[0].name, "sea");
        assert_eq!(guild.stage_instances[0].privacy_level, StagePrivacyLevel::GUILD_ONLY);
        let rule = guild.guild_scheduled_events[0].recurrence_rule.unwrap();
        assert_eq!(rule.by_n_weekday.unwrap()[0].day, RecurrenceRuleWeekday::WEDNESDAY);
        assert_eq!(rule.by_month.unwrap()[1], RecurrenceRuleMonth::DECEMBER);
        assert!(rule.by_weekday.is_none() && rule.count.is_none());
        assert_eq!(guild.soundboard_sounds[0].volume, 0.5);
        assert_eq!((guild.emojis[0].name, guild.stickers[0].tags), (Some("boat"), "hi"));
        assert!(!format!("{guild:?}").contains("hush"), "a session opens a voice connection");
    });
}

#[test]
fn channels_of_every_sort_tell_what_that_sort_has() {
    read("GUILD_CREATE", &guild_create(), |event| {
        let guild = expect!(event, GuildCreate);
        let [forum, voice] = guild.channels else { panic!("{:?}", guild.channels) };
        assert_eq!((forum.kind, forum.position), (ChannelType::GUILD_FORUM, Some(-1)));
        assert_eq!(forum.flags, Some(ChannelFlags::REQUIRE_TAG));
        assert_eq!((forum.guild_id, forum.topic), (None, Field::Null));
        assert_eq!(forum.available_tags.unwrap()[0].emoji_name, Some("✅"));
        assert_eq!(forum.default_reaction_emoji.value().unwrap().emoji_id.unwrap().get(), 41);
        assert_eq!(forum.default_sort_order, Field::Null);
        assert_eq!(forum.default_forum_layout, Some(ForumLayoutType::GALLERY_VIEW));
        assert_eq!(forum.default_thread_rate_limit_per_user_s, Some(10));
        let [role, member] = forum.permission_overwrites.unwrap() else { panic!("{forum:?}") };
        assert_eq!(
            (role.kind, role.deny),
            (PermissionOverwriteType::ROLE, Permissions::PIN_MESSAGES)
        );
        assert_eq!(
            (member.kind, member.id.get()),
            (PermissionOverwriteType::MEMBER, 80351110224678912)
        );
        assert_eq!((voice.bitrate_bps, voice.user_limit), (Some(64000), Some(0)));
        assert_eq!((voice.rtc_region, voice.parent_id), (Field::Null, Field::Null));
        assert_eq!(voice.video_quality_mode, Some(VideoQualityMode::FULL));
        let thread = &guild.threads[0];
        assert_eq!(thread.applied_tags.unwrap()[0].get(), 31);
        assert!(thread.permission_overwrites.is_none() && voice.permission_overwrites.is_some());
        let metadata = thread.thread_metadata.unwrap();
        assert_eq!((metadata.auto_archive_duration_min, metadata.locked), (1440, true));
        assert_eq!((metadata.create_timestamp, metadata.invitable), (Field::Null, None));
        let own = thread.member.unwrap();
        assert_eq!((own.id, own.user_id, own.flags), (None, None, 5));
    });
}

#[test]
fn a_guild_is_written_out_as_it_came() {
    assert_eq!(written!(GuildCreate "GUILD_CREATE", &guild_create()), guild_create());
    assert_eq!(written!(GuildUpdate "GUILD_UPDATE", &guild()), guild());
}

#[test]
fn a_guild_in_an_outage_has_its_id_and_nothing_else() {
    let d = json!({ "id": "1", "unavailable": true });
    read("GUILD_CREATE", &d, |event| {
        let guild = expect!(event, GuildCreate);
        assert_eq!((guild.id.get(), guild.unavailable), (1, Some(true)));
        assert!(guild.name.is_empty() && guild.channels.is_empty() && guild.members.is_empty());
    });
}

#[test]
fn an_event_that_extends_an_object_gives_the_object() {
    read("GUILD_CREATE", &guild_create(), |event| {
        let object = Guild::from(&*expect!(event, GuildCreate));
        assert_eq!(serde_json::to_value(object).unwrap(), guild());
    });
    let mut d = member("81");
    d["guild_id"] = json!("1");
    read("GUILD_MEMBER_ADD", &d, |event| {
        let add = expect!(event, GuildMemberAdd);
        assert_eq!(add.guild_id.get(), 1);
        let object = Member::from(&*add);
        assert_eq!(serde_json::to_value(object).unwrap(), member("81"));
    });
    assert_eq!(written!(GuildMemberAdd "GUILD_MEMBER_ADD", &d), d);
}

#[test]
fn what_a_role_says_by_a_key_with_null_is_yes() {
    let d = |tags| json!({ "guild_id": "1", "role": role("11", tags) });
    for tags in [
        json!({ "premium_subscriber": null }),
        json!({ "integration_id": "9", "subscription_listing_id": "8",
                "available_for_purchase": null, "guild_connections": null }),
        json!({ "bot_id": "81" }),
    ] {
        let has = |key: &str| Present(tags.get(key).is_some());
        read("GUILD_ROLE_CREATE", &d(tags.clone()), |event| {
            let role = &expect!(event, GuildRoleCreate).role;
            let read = role.tags.unwrap();
            assert_eq!(read.premium_subscriber, has("premium_subscriber"));
            assert_eq!(read.available_for_purchase, has("available_for_purchase"));
            assert_eq!(read.guild_connections, has("guild_connections"));
            assert_eq!(role.colors.unwrap().tertiary_color, Some(1));
            assert_eq!(role.flags, RoleFlags::IN_PROMPT);
        });
        assert_eq!(written!(GuildRoleUpdate "GUILD_ROLE_UPDATE", &d(tags.clone())), d(tags));
    }
    read("GUILD_ROLE_CREATE", &d(json!({ "premium_subscriber": false })), |event| {
        let tags = expect!(event, GuildRoleCreate).role.tags.unwrap();
        assert_eq!(tags.premium_subscriber, Present(false));
    });
}

#[test]
fn an_id_that_came_as_a_number_is_told_from_one_in_a_string() {
    let d = json!({
        "guild_id": "1", "members": [member("81")], "chunk_index": 0, "chunk_count": 2,
        "not_found": ["175928847299117063", 7], "nonce": "mine",
        "presences": [{ "user": { "id": "81" }, "guild_id": "1", "status": "online",
                        "activities": [], "client_status": { "web": "online" } }],
    });
    read("GUILD_MEMBERS_CHUNK", &d, |event| {
        let chunk = expect!(event, GuildMembersChunk);
        let [large, small] = chunk.not_found.unwrap() else { panic!("{chunk:?}") };
        assert_eq!((large.id.get(), large.is_number), (175928847299117063, false));
        assert_eq!((small.id.get(), small.is_number), (7, true));
        assert_eq!((chunk.chunk_index, chunk.chunk_count, chunk.nonce), (0, 2, Some("mine")));
    });
    assert_eq!(written!(GuildMembersChunk "GUILD_MEMBERS_CHUNK", &d), d);
    for sound in [json!(3), json!("1106714396018884649")] {
        let d = json!({
            "channel_id": "22", "guild_id": "1", "user_id": "81", "animation_id": 2,
            "emoji": { "id": "41", "name": "boat", "roles": ["11"] }, "animation_type": null,
            "sound_id": sound, "sound_volume": 0.25,
        });
        assert_eq!(written!(VoiceChannelEffectSend "VOICE_CHANNEL_EFFECT_SEND", &d), d);
    }
}

#[test]
fn a_member_update_tells_missing_from_null() {
    let d = json!({
        "guild_id": "1", "user": user("81"), "roles": [], "avatar": null, "banner": null,
        "joined_at": null, "premium_since": null, "nick": "Nel", "mute": false,
    });
    read("GUILD_MEMBER_UPDATE", &d, |event| {
        let update = expect!(event, GuildMemberUpdate);
        assert_eq!(update.nick, Field::Value("Nel"));
        assert!(update.premium_since.is_null());
        assert!(update.communication_disabled_until.is_missing());
        assert_eq!((update.mute, update.deaf, update.pending), (Some(false), None, None));
    });
    assert_eq!(written!(GuildMemberUpdate "GUILD_MEMBER_UPDATE", &d), d);
}

#[test]
fn the_keys_to_a_voice_server_are_read_and_not_shown() {
    let d = json!({ "token": "hush-token", "guild_id": "1", "endpoint": null });
    read("VOICE_SERVER_UPDATE", &d, |event| {
        let server = expect!(event, VoiceServerUpdate);
        assert_eq!((server.token.expose(), server.endpoint), ("hush-token", None));
        assert!(!format!("{event:?}").contains("hush"));
    });
    assert_eq!(written!(VoiceServerUpdate "VOICE_SERVER_UPDATE", &d), d);
    let d = json!({
        "guild_id": "1", "channel_id": null, "user_id": "81", "member": member("81"),
        "session_id": "hush-session", "deaf": false, "mute": false, "self_deaf": false,
        "self_mute": true, "self_video": false, "suppress": true,
        "request_to_speak_timestamp": "2021-03-31T18:45:31.297561+00:00",
    });
    read("VOICE_STATE_UPDATE", &d, |event| {
        let state = expect!(event, VoiceStateUpdate);
        assert_eq!(
            (state.channel_id, state.self_stream, state.suppress),
            (None, Field::Missing, true)
        );
        assert!(!format!("{event:?}").contains("hush"));
    });
    assert_eq!(written!(VoiceStateUpdate "VOICE_STATE_UPDATE", &d), d);
}

#[test]
fn threads_tell_whose_memberships_they_speak_of() {
    let joined = json!({
        "id": "23", "user_id": "81", "join_timestamp": "2021-04-13T00:00:00+00:00", "flags": 0,
        "member": member("81"), "presence": null,
    });
    let d = json!({
        "id": "23", "guild_id": "1", "member_count": 2, "added_members": [joined],
        "removed_member_ids": ["82"],
    });
    read("THREAD_MEMBERS_UPDATE", &d, |event| {
        let update = expect!(event, ThreadMembersUpdate);
        assert_eq!(update.added_members[0].member.unwrap().user.unwrap().id.get(), 81);
        assert!(update.added_members[0].presence.is_null());
        assert_eq!(update.removed_member_ids, [UserId::new(82)]);
    });
    assert_eq!(written!(ThreadMembersUpdate "THREAD_MEMBERS_UPDATE", &d), d);
    for (channels, whole) in [(json!(["21"]), false), (json!([]), false), (Value::Null, true)] {
        let mut d = json!({ "guild_id": "1", "threads": [thread()], "members": [] });
        if !channels.is_null() {
            d["channel_ids"] = channels;
        }
        read("THREAD_LIST_SYNC", &d, |event| {
            assert_eq!(expect!(event, ThreadListSync).channel_ids.is_none(), whole);
        });
        assert_eq!(written!(ThreadListSync "THREAD_LIST_SYNC", &d), d);
    }
    let mut d = thread();
    d["guild_id"] = json!("1");
    d["newly_created"] = json!(true);
    assert_eq!(written!(ThreadCreate "THREAD_CREATE", &d), d);
    read("THREAD_CREATE", &d, |event| {
        assert_eq!(expect!(event, ThreadCreate).newly_created, Some(true));
    });
}

#[test]
fn one_bad_element_of_a_list_costs_that_element() {
    let mut d = guild_create();
    d["channels"][0].as_object_mut().unwrap().remove("id");
    d["members"][0]["nick"] = json!(7);
    let (seen, notes) = read_noted("GUILD_CREATE", &d, |event| {
        let guild = expect!(event, GuildCreate);
        (guild.channels.len(), guild.members.len(), guild.members[0].nick.is_missing())
    });
    assert_eq!(seen, (1, 2, true));
    let noted: Vec<_> = notes.iter().map(|note| (note.object, note.field)).collect();
    assert_eq!(noted, [("Member", "nick"), ("list", "element")]);
}

/// What its elements take in the arena must stay within what a payload's text allows them.
#[test]
fn a_guild_of_many_short_elements_has_room() {
    const COUNT: usize = 5_000;
    let mut d = guild();
    let mut many = |key: &str, one: &dyn Fn(usize) -> Value| {
        d[key] = Value::Array((0..COUNT).map(|id| one(id + 1)).collect());
    };
    many("members", &|id| {
        json!({ "user": { "id": id.to_string(), "username": "u", "discriminator": "0",
                          "global_name": null, "avatar": null },
                "roles": [], "joined_at": null, "deaf": false, "mute": false, "flags": 0 })
    });
    many("channels", &|id| {
        json!({ "id": id.to_string(), "type": 0, "name": "c", "position": 0, "nsfw": false,
                "permission_overwrites": [], "parent_id": null, "topic": null, "flags": 0 })
    });
    many("presences", &|id| {
        json!({ "user": { "id": id.to_string() }, "status": "online", "activities": [],
                "client_status": {} })
    });
    many("emojis", &|id| json!({ "id": id.to_string(), "name": "e" }));
    read("GUILD_CREATE", &d, |event| {
        let guild = expect!(event, GuildCreate);
        assert_eq!((guild.members.len(), guild.channels.len()), (COUNT, COUNT));
        assert_eq!((guild.presences.len(), guild.emojis.len()), (COUNT, COUNT));
    });
}

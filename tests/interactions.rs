//! Interactions, commands and components through the public doors: what is told by a type, what a
//! bot asks of it, and that all of it is written out again.

mod payload;

use serde_json::{Value, json};
use shardring::decode::{DecodeError, Expected, Note, Scratch};
use shardring::model::*;
use std::fs;
use std::path::Path;

fn payload(name: &str) -> Value {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let text = fs::read_to_string(dir.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Reads one payload as the shard does, hands the event to `visit`, and gives the notes.
fn read(payload: &Value, visit: impl for<'a> FnOnce(Event<'a>)) -> Vec<Note> {
    let mut scratch = Scratch::new();
    let read = payload::read(&mut scratch, &payload.to_string(), visit);
    assert_eq!(read, Ok::<(), DecodeError>(()));
    scratch.notes().iter().collect()
}

/// Reads one payload of the corpus as an interaction, and demands that all of it was readable.
fn interaction(name: &str, visit: impl for<'a> FnOnce(&'a Interaction<'a>)) {
    let notes = read(&payload(name), |event| match event {
        Event::InteractionCreate(interaction) => visit(interaction.get()),
        other => panic!("{other:?}"),
    });
    assert_eq!(notes, [], "{name}");
}

#[test]
fn a_command_leads_through_group_and_subcommand_to_its_values() {
    interaction("INTERACTION_CREATE.command", |interaction| {
        let command = interaction.command().unwrap();
        assert_eq!(command.path().names(), ["config", "role", "add"]);
        assert_eq!(command.path().to_string(), "config role add");
        assert_eq!((command.options.len(), command.values().len()), (1, 9));
        let option = |name| command.option(name).unwrap();
        assert_eq!(option("why").as_str(), Some("\"because\"\nof it"));
        assert_eq!(option("days").as_i64(), Some(-7));
        assert_eq!(option("days").as_f64(), Some(-7.0));
        assert_eq!(option("silent").as_bool(), Some(true));
        assert_eq!(option("share").as_f64(), Some(0.25));
        assert_eq!(option("share").as_i64(), None);
        assert_eq!(option("where").as_id(), interaction.channel_id);
        assert_eq!(option("what").as_id(), Some(RoleId::new(41771983423143937)));
        assert_eq!(option("why").as_id::<kind::User>(), None);
        assert!(command.option("add").is_none() && command.option("").is_none());
        let user = command.user("who").unwrap();
        assert_eq!(
            (user.username, command.user("ping").map(|user| user.id)),
            ("nelly", Some(user.id))
        );
        let member = command.member("who").unwrap();
        assert_eq!((member.nick, member.roles.len()), (Field::Null, 1));
        assert_eq!(command.attachment("proof").unwrap().size, 82731);
        assert!(command.user("what").is_none() && command.attachment("who").is_none());
        let resolved = command.resolved.unwrap();
        let role = resolved.role(option("what").as_id().unwrap()).unwrap();
        assert_eq!(role.name, "Developer");
        assert!(resolved.channel(option("where").as_id().unwrap()).is_some());
    });
    interaction("INTERACTION_CREATE", |interaction| {
        let command = interaction.command().unwrap();
        assert_eq!(command.path().names(), ["cardsearch"]);
        assert_eq!(command.option("cardname").unwrap().as_str(), Some("The Gitrog Monster"));
    });
}

#[test]
fn options_nested_deeper_than_discord_nests_them_end_the_path() {
    let mut options = json!([{"type": 4, "name": "n", "value": 1}]);
    for name in ["d", "c", "b"] {
        options = json!([{"type": 1, "name": name, "options": options}]);
    }
    let data = json!({"id": "2", "type": 1, "name": "a", "options": options});
    let payload =
        json!({"op": 0, "t": "INTERACTION_CREATE", "d": {"id": "1", "type": 2, "data": data}});
    read(&payload, |event| {
        let Event::InteractionCreate(interaction) = event else { panic!("{event:?}") };
        let command = interaction.command().unwrap();
        assert_eq!(command.path().names(), ["a", "b", "c"]);
        assert_eq!(command.values()[0].name, "d");
    });
}

#[test]
fn what_is_said_of_an_interaction_is_read() {
    interaction("INTERACTION_CREATE.command", |interaction| {
        assert_eq!(interaction.author().unwrap().username, "mason");
        assert_eq!((interaction.locale, interaction.guild_locale), (Some("de"), Some("en-US")));
        assert_eq!(interaction.context, Some(InteractionContextType::GUILD));
        assert_eq!(interaction.attachment_size_limit, 524_288_000);
        assert!(interaction.app_permissions.contains(Permissions::USE_EXTERNAL_EMOJIS));
        let owners = interaction.authorizing_integration_owners.unwrap();
        assert_eq!(
            (owners.guild_id, owners.user_id.map(Id::get)),
            (interaction.guild_id, Some(53908099506183680))
        );
        assert_eq!(
            interaction.guild.unwrap().features,
            [GuildFeature::COMMUNITY, GuildFeature::NEWS]
        );
        assert_eq!((interaction.entitlements.len(), interaction.version), (1, 1));
        assert_eq!(interaction.token.expose(), "A_UNIQUE_TOKEN");
        assert!(!format!("{interaction:?}").contains("A_UNIQUE_TOKEN"));
    });
    interaction("INTERACTION_CREATE.component", |interaction| {
        assert!(interaction.member.is_none());
        assert_eq!(interaction.author().unwrap().username, "mason");
        let owners = interaction.authorizing_integration_owners.unwrap();
        assert_eq!((owners.guild_id, owners.user_id), (Some(GuildId::new(0)), None));
    });
}

#[test]
fn a_number_that_is_being_typed_is_a_string_and_reads_as_a_number() {
    interaction("INTERACTION_CREATE.autocomplete-times", |interaction| {
        assert!(interaction.command().is_none(), "it is not used yet");
        let command = interaction.autocomplete().unwrap();
        let focused = command.focused().unwrap();
        assert_eq!((focused.name, focused.kind), ("times", CommandOptionType::INTEGER));
        assert_eq!((focused.as_str(), focused.as_i64()), (Some("1"), Some(1)));
        assert_eq!(focused.as_f64(), Some(1.0));
        let variant = command.option("variant").unwrap();
        assert_eq!((variant.as_i64(), variant.as_f64()), (None, None));
    });
}

#[test]
fn values_are_read_from_whichever_json_holds_them_and_never_as_what_they_are_not() {
    let cases = [
        (6, json!(80351110224678912u64), None, Some(80351110224678912), None),
        (6, json!("80351110224678912x"), None, None, None),
        (6, json!(-1), Some(-1.0), None, None),
        (10, json!("2.5"), Some(2.5), None, None),
        (10, json!("inf"), None, None, None),
        (10, json!(3), Some(3.0), None, None),
        (4, json!(u64::MAX), Some(u64::MAX as f64), None, None),
        (5, json!("true"), None, None, None),
        (5, json!(false), None, None, Some(false)),
        (3, Value::Null, None, None, None),
        (77, json!("1"), Some(1.0), None, None),
    ];
    for (kind, value, number, id, boolean) in cases {
        let option = json!({"type": kind, "name": "o", "value": value});
        let data = json!({"name": "c", "type": 1, "options": [option]});
        let payload =
            json!({"op": 0, "t": "INTERACTION_CREATE", "d": {"data": data, "id": "1", "type": 2}});
        let notes = read(&payload, |event| {
            let Event::InteractionCreate(interaction) = event else { panic!("{event:?}") };
            let option = interaction.command().unwrap().option("o").unwrap();
            // Bare ids are read as numbers, too.
            assert_eq!(option.as_f64().filter(|_| id.is_none()), number, "{value}");
            assert_eq!(option.as_id::<kind::User>().map(Id::get), id, "{value}");
            assert_eq!(option.as_bool(), boolean, "{value}");
        });
        assert_eq!(notes, [], "{value}");
    }
}

#[test]
fn a_context_menu_names_its_target_in_full() {
    interaction("INTERACTION_CREATE.message", |interaction| {
        let command = interaction.command().unwrap();
        assert_eq!((command.kind, command.name), (CommandType::MESSAGE, "Report"));
        assert_eq!(command.target_message().unwrap().content, "pick one");
        assert!(command.target_user().is_none());
    });
}

#[test]
fn a_used_component_tells_what_was_chosen_and_where_it_stands() {
    interaction("INTERACTION_CREATE.component", |interaction| {
        let used = interaction.component().unwrap();
        assert_eq!(used.component_type, ComponentType::MENTIONABLE_SELECT);
        assert_eq!((used.custom_id, used.id), ("who_to_ping", Some(2)));
        let ids: Vec<GenericId> = used.ids().collect();
        let user = used.resolved.unwrap().user(ids[0].cast()).unwrap();
        assert_eq!((ids.len(), user.username), (2, "nelly"));
        let Component::ActionRow(row) = interaction.message.unwrap().components[0] else {
            panic!("{interaction:?}")
        };
        assert_eq!(row.components[0].custom_id(), Some("who_to_ping"));
    });
}

#[test]
fn a_modal_gives_back_every_sort_of_component_and_keeps_those_of_tomorrow() {
    interaction("INTERACTION_CREATE.modal-labels", |interaction| {
        let modal = interaction.modal().unwrap();
        assert_eq!((modal.custom_id, modal.components.len()), ("bug_modal", 13));
        assert_eq!((modal.text("reason"), modal.text("old")), (Some("it bites"), Some("of old")));
        assert_eq!((modal.text("one"), modal.text("tick"), modal.text("none")), (None, None, None));
        let find = |name| modal.component(name).unwrap();
        use ComponentResponse as Response;
        assert!(matches!(find("bug"), Response::StringSelect(s) if s.values == ["ant", "bee"]));
        let user = matches!(find("user"), Response::UserSelect(s)
            if s.resolved.unwrap().user(s.values[0]).unwrap().username == "nelly");
        assert!(user);
        assert!(matches!(find("role"), Response::RoleSelect(s)
            if modal.resolved.unwrap().role(s.values[0]).is_some()));
        assert!(matches!(find("either"), Response::MentionableSelect(s) if s.values.len() == 2));
        assert!(matches!(find("channel"), Response::ChannelSelect(s) if s.values.len() == 1));
        assert!(matches!(find("files"), Response::FileUpload(s)
            if modal.resolved.unwrap().attachment(s.values[0]).unwrap().filename == "image.png"));
        assert!(matches!(find("one"), Response::RadioGroup(s) if s.value.is_none()));
        assert!(matches!(find("some"), Response::CheckboxGroup(s) if s.values == ["a"]));
        assert!(matches!(find("tick"), Response::Checkbox(s) if s.value));
        let Response::Unknown(json) = find("future") else { panic!("{modal:?}") };
        assert_eq!(json.get("value").unwrap().to_string(), r#"{"x":1}"#);
    });
}

#[test]
fn data_is_read_by_the_type_whichever_of_them_comes_first() {
    let data = json!({"custom_id": "c", "component_type": 2, "components": [], "name": "n"});
    let of = |kind: Value, first: bool| {
        let (kind, data) = (("type", kind), ("data", data.clone()));
        let [a, b] = if first { [kind, data] } else { [data, kind] };
        let d: Value = [("id", json!("1")), a, b]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect::<serde_json::Map<_, _>>()
            .into();
        json!({"op": 0, "t": "INTERACTION_CREATE", "d": d})
    };
    for first in [true, false] {
        for (kind, sort) in [
            (json!(2), "Command"),
            (json!(3), "Component"),
            (json!(4), "Autocomplete"),
            (json!(5), "Modal"),
            (json!(1), "Unknown"),
            (json!(6), "Unknown"),
            (Value::Null, "Unknown"),
        ] {
            read(&of(kind.clone(), first), |event| {
                let Event::InteractionCreate(interaction) = event else { panic!("{event:?}") };
                let read = format!("{:?}", interaction.data.unwrap());
                assert!(read.starts_with(sort), "{kind}: {read}");
                assert_eq!(interaction.command().is_some(), kind == 2);
                assert_eq!(interaction.autocomplete().is_some(), kind == 4);
                assert_eq!(interaction.component().is_some(), kind == 3);
                assert_eq!(interaction.modal().is_some(), kind == 5);
            });
        }
    }
}

#[test]
fn data_that_is_no_object_is_noted_and_kept() {
    for kind in [2, 3, 4, 5] {
        let data = json!({"data": [7], "id": "1", "type": kind});
        let payload = json!({"op": 0, "t": "INTERACTION_CREATE", "d": data});
        let notes = read(&payload, |event| {
            let Event::InteractionCreate(interaction) = event else { panic!("{event:?}") };
            let Some(InteractionData::Unknown(json)) = interaction.data else {
                panic!("{event:?}")
            };
            assert_eq!(json.to_string(), "[7]");
        });
        let expected = Note { object: "Interaction", field: "data", expected: Expected::Object };
        assert_eq!(notes, [expected]);
    }
}

/// The number of a component's type and of those of all inside it.
fn types(component: &Component<'_>, out: &mut Vec<u64>) {
    let json = serde_json::to_value(component).unwrap();
    out.extend(json["type"].as_u64());
    component.children().iter().for_each(|inner| types(inner, out));
    match component {
        Component::Section(section) => types(&section.accessory, out),
        Component::Label(label) => types(&label.component, out),
        _ => {}
    }
}

#[test]
fn every_sort_of_component_is_typed_and_those_of_tomorrow_are_kept() {
    let notes = read(&payload("MESSAGE_CREATE.components"), |event| {
        let Event::MessageCreate(message) = event else { panic!("{event:?}") };
        let mut seen = Vec::new();
        message.components.iter().for_each(|component| types(component, &mut seen));
        seen.sort_unstable();
        seen.dedup();
        let documented = (1..=14).chain(17..=19).chain(21..=23);
        assert_eq!(seen, documented.chain([98]).collect::<Vec<u64>>());

        let Component::Container(container) = message.components[6] else { panic!("{event:?}") };
        assert_eq!((container.accent_color, container.spoiler), (Field::Null, Some(false)));
        let inside = container.components;
        let Component::Section(section) = inside[0] else { panic!("{event:?}") };
        let Component::Thumbnail(thumbnail) = section.accessory else { panic!("{event:?}") };
        assert_eq!(thumbnail.media.flags, Some(UnfurledMediaItemFlags::IS_ANIMATED));
        assert_eq!(
            (thumbnail.media.width, thumbnail.media.height),
            (Field::Value(640), Field::Null)
        );
        let Component::TextDisplay(text) = section.components[0] else { panic!("{event:?}") };
        assert_eq!(text.content, "# Title\n*text*");
        let Component::Separator(separator) = inside[3] else { panic!("{event:?}") };
        assert_eq!(separator.spacing, Some(SeparatorSpacing::LARGE));
        let Component::Unknown(json) = inside[6] else { panic!("{event:?}") };
        assert_eq!(json.get("novel").unwrap().to_string(), r#"[1,{"a":null}]"#);
        assert_eq!(inside[6].custom_id(), Some("tomorrow"));

        let metadata = message.interaction_metadata.unwrap();
        assert_eq!(metadata.user().unwrap().username, "mason");
        assert_eq!(metadata.id(), Some(InteractionId::new(1216449876777209472)));
        let Component::UserSelect(select) = message.components[2].children()[0] else {
            panic!("{event:?}")
        };
        assert_eq!(select.default_values[0].kind, SelectDefaultValueType::USER);
    });
    assert_eq!(notes, []);
}

#[test]
fn a_container_in_a_reply_to_a_message_of_an_interaction_is_within_the_depth() {
    let row = json!({"type": 1, "components": [{"type": 3, "custom_id": "deep",
        "options": [{"label": "l", "value": "v", "emoji": {"id": null, "name": "🐜", "roles": ["7"]}}]}]});
    let before = json!({"id": "4", "components": [{"type": 17, "components": [row]}]});
    let message = json!({"id": "3", "referenced_message": before});
    let data =
        json!({"name": "c", "type": 3, "target_id": "3", "resolved": {"messages": {"3": message}}});
    let payload =
        json!({"op": 0, "t": "INTERACTION_CREATE", "d": {"id": "1", "type": 2, "data": data}});
    let notes = read(&payload, |event| {
        let Event::InteractionCreate(interaction) = event else { panic!("{event:?}") };
        let target = interaction.command().unwrap().target_message().unwrap();
        let row = target.referenced_message.value().unwrap().components[0].children()[0];
        let Component::StringSelect(select) = row.children()[0] else { panic!("{event:?}") };
        assert_eq!(select.options[0].emoji.unwrap().roles, [RoleId::new(7)]);
    });
    assert_eq!(notes, []);
}

/// Keys that the payloads hold as Discord sends them and that its documents do not know; and a
/// key of users, which are looked at elsewhere.
const SKIPPED: &[&str] = &[
    "/asset",
    "/clan",
    "/command_type",
    "/content_scan_version",
    "/display_name_styles",
    "/global_name",
    "/triggering_interaction_metadata/name",
    "/unusual_dm_activity_until",
];

/// What `whole` holds and `again` does not, by place. What is empty may be missing.
fn lost(whole: &Value, again: &Value, at: &str, out: &mut Vec<String>) {
    match (whole, again) {
        (Value::Object(whole), Value::Object(again)) => {
            for (key, value) in whole {
                let at = format!("{at}/{key}");
                let is_empty = *value == json!([]) || *value == json!(0);
                match again.get(key) {
                    Some(again) => lost(value, again, &at, out),
                    None if is_empty || SKIPPED.iter().any(|place| at.ends_with(place)) => {}
                    None => out.push(format!("{at}: {value} is missing")),
                }
            }
        }
        (Value::Array(whole), Value::Array(again)) if whole.len() == again.len() => {
            for (index, (whole, again)) in whole.iter().zip(again).enumerate() {
                lost(whole, again, &format!("{at}/{index}"), out);
            }
        }
        _ if whole == again => {}
        _ => out.push(format!("{at}: {whole} became {again}")),
    }
}

#[test]
fn messages_and_interactions_are_written_out_as_they_came() {
    for name in [
        "APPLICATION_COMMAND_PERMISSIONS_UPDATE",
        "INTERACTION_CREATE",
        "INTERACTION_CREATE.autocomplete-times",
        "INTERACTION_CREATE.command",
        "INTERACTION_CREATE.component",
        "INTERACTION_CREATE.message",
        "INTERACTION_CREATE.modal-labels",
        "MESSAGE_CREATE",
        "MESSAGE_CREATE.components",
        "MESSAGE_CREATE.full",
        "MESSAGE_DELETE",
        "MESSAGE_DELETE_BULK",
        "MESSAGE_POLL_VOTE_ADD",
        "MESSAGE_POLL_VOTE_REMOVE",
        "MESSAGE_REACTION_ADD",
        "MESSAGE_REACTION_REMOVE",
        "MESSAGE_REACTION_REMOVE_ALL",
        "MESSAGE_REACTION_REMOVE_EMOJI",
        "MESSAGE_UPDATE",
        "MESSAGE_UPDATE.partial",
        "TYPING_START",
    ] {
        let payload = payload(name);
        let mut again = Value::Null;
        read(&payload, |event| {
            again = match event {
                Event::ApplicationCommandPermissionsUpdate(event) => serde_json::to_value(event),
                Event::InteractionCreate(event) => serde_json::to_value(event),
                Event::MessageCreate(event) => serde_json::to_value(event),
                Event::MessageDelete(event) => serde_json::to_value(event),
                Event::MessageDeleteBulk(event) => serde_json::to_value(event),
                Event::MessagePollVoteAdd(event) => serde_json::to_value(event),
                Event::MessagePollVoteRemove(event) => serde_json::to_value(event),
                Event::MessageReactionAdd(event) => serde_json::to_value(event),
                Event::MessageReactionRemove(event) => serde_json::to_value(event),
                Event::MessageReactionRemoveAll(event) => serde_json::to_value(event),
                Event::MessageReactionRemoveEmoji(event) => serde_json::to_value(event),
                Event::MessageUpdate(event) => serde_json::to_value(event),
                Event::TypingStart(event) => serde_json::to_value(event),
                other => panic!("{other:?}"),
            }
            .unwrap();
        });
        let mut differences = Vec::new();
        lost(&payload["d"], &again, "", &mut differences);
        assert_eq!(differences, Vec::<String>::new(), "{name}");
    }
}

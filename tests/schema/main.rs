//! The model beside Discord's documents.
//!
//! `corpus/schema.json` holds the documents' tables: every event, object, enumeration and flag
//! set. From the type of each kind the two are walked in lockstep: every event is typed, every
//! field has a row or a reason, every value and bit has its name, null and absence are as
//! documented. All that differs is printed at once, sorted by where it was found.

mod document;
mod walk;

use document::{Doc, Schema};
use shardring::decode::{Decode, Shape};
use shardring::model::{self, EventKind};
use std::fmt::Write;
use walk::{Exceptions, Walk};

/// Where the model differs from the documents on purpose: the place, and why.
const ALLOWED: &[(&str, &str)] = &[
    ("Activity Buttons", "a presence's buttons as clients send them; received are the labels"),
    ("Thread Metadata.archive_timestamp", "null in the HTTP specification"),
];

const EXCEPTIONS: Exceptions = Exceptions {
    narrow: &[
        ("READY.application", &["id", "flags"]),
        ("THREAD_DELETE", &["id", "guild_id", "parent_id", "type"]),
        ("Interaction.guild", &["id", "features"]),
        (
            "Message Snapshot.message",
            &[
                "type",
                "content",
                "embeds",
                "attachments",
                "timestamp",
                "edited_timestamp",
                "flags",
                "mentions",
                "mention_roles",
                "stickers",
                "sticker_items",
                "components",
            ],
        ),
    ],
    partial: &["MESSAGE_UPDATE"],
    beyond: &[
        ("Application", &["type", "max_participants"], "the HTTP specification"),
        ("Entitlement", &["subscription_id", "promotion_id", "gift_code_flags"], "the examples"),
        (
            "Entitlement",
            &["fulfilled_at", "fulfillment_status", "gifter_user_id", "parent_id"],
            "the HTTP specification",
        ),
        (
            "Integration Application",
            &["type", "cover_image", "primary_sku_id"],
            "the HTTP specification",
        ),
        ("Integration", &["user"], "the object has it; the events are said to leave it out"),
        ("Integration", &["application_id"], "the examples"),
        ("Application Command Data", &["version"], "the examples"),
        ("Channel", &["newly_created"], "the documents' words on THREAD_CREATE"),
        ("Component response", &["1"], "rows, as modals of the older form have them"),
        ("GUILD_MEMBER_UPDATE", &["flags"], "real payloads"),
        ("Guild", &["locale"], "the guild of real interactions"),
        ("Message Component Data", &["id"], "the examples"),
        ("Thread Member", &["guild_id", "presence"], "THREAD_MEMBER_UPDATE, THREAD_MEMBERS_UPDATE"),
        ("Message", &["guild_id", "member", "channel_type"], "MESSAGE_CREATE, MESSAGE_UPDATE"),
        ("Team Member", &["permissions"], "the examples"),
        ("User", &["display_name_styles", "clan"], "real payloads, left out"),
        ("User", &["member"], "the documents' words on `mentions`"),
    ],
};

type ShapeOf = fn() -> Shape;

/// Enumerations that stand beside no field in the documents' tables, and the model's type.
const UNBOUND: &[(&str, ShapeOf)] = &[
    ("Status Types", <model::Status<'static>>::shape),
    ("Application Integration Types", model::ApplicationIntegrationType::shape),
];

#[test]
fn the_model_is_what_the_documents_say() {
    let schema = Schema::open();
    let mut walk = Walk::new(&schema, &EXCEPTIONS);
    for (name, event) in schema.section("events") {
        let shape = match event["op"].as_u64() {
            Some(0) => EventKind::from_name(name).shape(),
            _ if name == "HELLO" => Some(model::Hello::shape()),
            _ => Some(Shape::Json), // RECONNECT and INVALID_SESSION have no rows
        };
        match shape {
            Some(shape) => walk.event(name, event, &shape),
            None => walk.differ(name, "has no type"),
        }
    }
    for (name, shape) in UNBOUND {
        walk.value(name, &Doc::Enum(name), &shape());
    }
    for section in ["objects", "enums"] {
        for name in schema.section(section).keys() {
            if !walk.met.contains(name.as_str()) {
                walk.differ(name, "is met in no event");
            }
        }
    }
    for kind in EventKind::ALL.iter().filter(|&&kind| kind != EventKind::Unknown) {
        if !schema.section("events").contains_key(kind.name()) {
            walk.differ(kind.name(), "is not documented");
        }
    }
    let mut text = String::new();
    for (at, what) in &walk.differences {
        if ALLOWED.iter().all(|(place, _)| place != at) {
            writeln!(text, "  {at}: {what}").unwrap();
        }
    }
    for (at, _) in ALLOWED {
        if walk.differences.iter().all(|(place, _)| place != at) {
            writeln!(text, "  {at}: is allowed to differ, but does not").unwrap();
        }
    }
    assert!(text.is_empty(), "{} differences\n{text}", text.lines().count());
}

#[test]
fn every_sort_of_difference_is_seen() {
    let schema = Schema::new(
        r#"{"unions": {}, "enums": {"User Flags": {"1": "STAFF", "2": "OTHER", "32": "FIVE"}},
            "objects": {"User": {
                "id": {"type": "string", "opt": false, "null": false},
                "username": {"type": "string", "opt": true, "null": false},
                "discriminator": {"type": "string", "opt": false, "null": true},
                "global_name": {"type": "string", "opt": false, "null": false},
                "bot": {"type": "bool", "opt": false, "null": true},
                "locale": {"type": "string", "opt": true, "null": true},
                "flags": {"type": "int flags User Flags", "opt": true, "null": false},
                "shoe_size": {"type": "int", "opt": true, "null": false}}}}"#,
    );
    let mut walk = Walk::new(&schema, &Exceptions { narrow: &[], partial: &[], beyond: &[] });
    walk.value("TEST", &Doc::Object { name: "User", partial: false }, &model::User::shape());
    let seen: Vec<String> = walk
        .differences
        .iter()
        .map(|(at, what)| format!("{at}: {what}"))
        .filter(|text| !text.ends_with("the documents do not"))
        .collect();
    let expected = [
        "User Flags: UserFlags lacks FIVE, bit 5",
        "User Flags: UserFlags: bit 1 is OTHER, not PARTNER",
        "User.bot: User: is never missing: `| null` is due",
        "User.discriminator: User: may be null, which it cannot read",
        "User.global_name: User: is never null, but written so",
        "User.id: is Plain(\"string\"), but read as Snowflake",
        "User.locale: User: missing and null fall together",
        "User.shoe_size: User has no such field",
        "User.username: User: may be missing, but is always written",
    ];
    assert_eq!(seen, expected);
    assert_eq!(walk.differences.len() - seen.len(), 15, "keys that the table lacks");
}

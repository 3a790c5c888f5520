//! GUILD_CREATE in its sizes (a start guild of some 2 KB, the mix's 334 KB one, one of several MB
//! on demand), and guild members. Pure text making.

use super::people::{User, snowflake};
use super::text::{NAMES, hex32, list, put, text, timestamp};
use super::{Rng, key};
use std::fmt::Write as _;

/// How many of each list a guild has.
#[derive(Clone, Copy, Debug)]
struct Size {
    channels: u64,
    roles: u64,
    members: u64,
    presences: u64,
}

/// The id of guild `index` of a shard, chosen so that `(id >> 22) % shards == shard_id`.
pub fn guild_id_of_shard(seed: u64, shard_id: u32, shards: u32, index: u32) -> u64 {
    let shards = u64::from(shards.max(1));
    let step = 1_000_003 + key(seed, 0x67, 0) % 1_000;
    let row = 150_000_000_000 / shards + u64::from(index) * step;
    let time = row * shards + u64::from(shard_id);
    (time << 22) | (key(seed, 0x67, u64::from(index)) & 0xfff)
}

/// Appends the `d` of a GUILD_CREATE that follows READY: about 2 KB.
pub fn start_guild(id: u64, out: &mut String) {
    let mut rng = Rng::new(key(id, 0x5367, 0));
    let size = Size { channels: 1, roles: 1, members: 1, presences: 0 };
    out.push('{');
    head(id, out);
    out.push(',');
    body(id, size, &mut rng, out);
    out.push('}');
}

/// A GUILD_CREATE of at least `bytes_min` bytes as two parts whose concatenation is its `d`: the
/// first holds the id, the second is the same for every guild of a seed, so that it can be
/// compressed once and shared by a thousand sessions.
pub fn big_guild_parts(seed: u64, id: u64, bytes_min: usize) -> (String, String) {
    let mut first = String::from("{");
    head(id, &mut first);
    first.push(',');
    let mut rng = Rng::new(key(seed, 0x6267, 0));
    let mut second = String::with_capacity(bytes_min + bytes_min / 8);
    // A member is some 560 bytes; presences, channels and roles come on top.
    let members = bytes_min as u64 / 620;
    let size = Size { channels: 400, roles: 200, members, presences: members / 8 };
    body(snowflake(key(seed, 0x6267, 1)), size, &mut rng, &mut second);
    let mut extra = 0;
    while first.len() + second.len() + 2 < bytes_min {
        // The last list of the body is open to more: members appended under a key of its own.
        let _ = write!(second, r#","_padding_{extra}":["#);
        list(200, &mut second, |out, _| write_member(rng.draw() >> 2, &mut rng.clone(), out));
        second.push(']');
        rng.draw();
        extra += 1;
    }
    second.push('}');
    (first, second)
}

/// Appends the `d` of the mix's GUILD_CREATE: 200 channels, 100 roles, 250 members, 60 presences.
pub(super) fn write_traffic_guild(id: u64, rng: &mut Rng, out: &mut String) {
    let size = Size { channels: 200, roles: 100, members: 250, presences: 60 };
    out.push('{');
    head(id, out);
    out.push(',');
    body(id, size, rng, out);
    out.push('}');
}

/// Appends a guild member with its user, as GUILD_CREATE and GUILD_MEMBERS_CHUNK have them.
pub fn write_member(user_id: u64, rng: &mut Rng, out: &mut String) {
    out.push_str(r#"{"user":"#);
    User::with_id(user_id, rng).write(out);
    out.push_str(r#","roles":["#);
    let count = rng.below(12);
    list(count, out, |out, _| put!(out, r#""{}""#, snowflake(key(21, 21, rng.below(64)))));
    out.push_str(
        r#"],"premium_since":null,"pending":false,"nick":null,"mute":false,"joined_at":""#,
    );
    timestamp(200_000_000_000 + rng.below(4_000) * 31_234_567, out);
    out.push_str(r#"","flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"#);
    out.push_str(r#""avatar":null}"#);
}

fn head(id: u64, out: &mut String) {
    let look = key(id, 0x68, 0);
    put!(out, r#""id":"{id}","unavailable":false,"name":"Guild {}","icon":"#, look % 10_000);
    put!(out, r#""{}","owner_id":"{}""#, hex32(look), snowflake(look));
}

fn body(id: u64, size: Size, rng: &mut Rng, out: &mut String) {
    put!(
        out,
        r#""voice_states":[],"verification_level":1,"vanity_url_code":null,"threads":[],"system_channel_id":null,"system_channel_flags":0,"stickers":[],"stage_instances":[],"splash":null,"soundboard_sounds":[],"safety_alerts_channel_id":null,"rules_channel_id":null,"region":"deprecated","public_updates_channel_id":null,"premium_tier":0,"premium_subscription_count":{},"premium_progress_bar_enabled":false,"preferred_locale":"en-US","nsfw_level":0,"nsfw":false,"mfa_level":0,"max_video_channel_users":25,"max_stage_video_channel_users":50,"max_members":25000000,"lazy":true,"large":{},"joined_at":"2023-08-11T09:12:44.513000+00:00","member_count":{},"incidents_data":null,"home_header":null,"hub_type":null,"guild_scheduled_events":[],"features":["NEWS","COMMUNITY","AUTO_MODERATION"],"explicit_content_filter":0,"emojis":[],"discovery_splash":null,"description":null,"default_message_notifications":1,"banner":null,"application_id":null,"application_command_counts":{{"1":{}}},"afk_timeout":300,"afk_channel_id":null,"roles":["#,
        rng.below(30),
        size.members > 50,
        size.members,
        rng.below(50)
    );
    list(size.roles, out, |out, n| role(id, n, rng, out));
    out.push_str(r#"],"channels":["#);
    list(size.channels, out, |out, n| channel(id, n, rng, out));
    out.push_str(r#"],"presences":["#);
    list(size.presences, out, |out, _| presence(rng, out));
    out.push_str(r#"],"members":["#);
    list(size.members, out, |out, _| write_member(snowflake(rng.draw()), rng, out));
    out.push(']');
}

fn role(id: u64, n: u64, rng: &mut Rng, out: &mut String) {
    let role_id = if n == 0 { id } else { snowflake(key(id, 3, n)) };
    let color = rng.below(0xff_ffff);
    put!(
        out,
        r#"{{"version":{},"unicode_emoji":null,"tags":{{}},"position":{n},"permissions":"{}","name":""#,
        1_690_000_000_000 + rng.below(99_999_999_999),
        rng.draw() >> 14
    );
    if n == 0 {
        out.push_str("@everyone");
    } else {
        text(1, 2, rng, out);
    }
    put!(
        out,
        r#"","mentionable":false,"managed":false,"id":"{role_id}","icon":null,"hoist":{},"flags":0,"colors":{{"tertiary_color":null,"secondary_color":null,"primary_color":{color}}},"color":{color}}}"#,
        n.is_multiple_of(3)
    );
}

fn channel(id: u64, n: u64, rng: &mut Rng, out: &mut String) {
    let channel_id = snowflake(key(id, 2, n));
    let version = 1_690_000_000_000 + rng.below(99_999_999_999);
    let kind = rng.pick(&[0, 0, 0, 2, 4, 5, 15]);
    put!(out, r#"{{"version":{version},"type":{kind},"topic":"#);
    if rng.percent(40) {
        out.push('"');
        text(4, 16, rng, out);
        out.push('"');
    } else {
        out.push_str("null");
    }
    put!(out, r#","rate_limit_per_user":0,"position":{n},"permission_overwrites":["#);
    let count = rng.below(7);
    list(count, out, |out, _| {
        put!(
            out,
            r#"{{"type":0,"id":"{}","deny":"{}","allow":"{}"}}"#,
            snowflake(key(id, 3, rng.below(40))),
            1u64 << rng.below(40),
            (1u64 << rng.below(40)) | 1024
        );
    });
    put!(out, r#"],"parent_id":"{}","nsfw":false,"name":""#, snowflake(key(id, 9, n / 12)));
    text(1, 3, rng, out);
    out.push_str(match kind {
        2 => r#"","bitrate":64000,"user_limit":0,"rtc_region":null,"video_quality_mode":1,"status":null,"#,
        15 => r#"","available_tags":[],"default_reaction_emoji":null,"default_sort_order":null,"default_forum_layout":0,"default_thread_rate_limit_per_user":0,"template":"","#,
        _ => r#"","#,
    });
    put!(
        out,
        r#""last_message_id":"{}","id":"{channel_id}","icon_emoji":null,"theme_color":null,"flags":0}}"#,
        snowflake(rng.draw())
    );
}

fn presence(rng: &mut Rng, out: &mut String) {
    put!(
        out,
        r#"{{"user":{{"id":"{}"}},"status":"online","game":null,"client_status":{{"desktop":"online"}},"activities":[{{"type":0,"timestamps":{{"start":{}}},"name":""#,
        snowflake(rng.draw()),
        1_773_000_000_000 + rng.below(70_400_000)
    );
    text(1, 3, rng, out);
    out.push_str(r#"","state":""#);
    text(2, 5, rng, out);
    out.push_str(r#"","details":""#);
    text(2, 6, rng, out);
    put!(
        out,
        r#"","assets":{{"large_text":"{}","large_image":"{}"}},"application_id":"{}","id":"{:x}","created_at":{}}}]}}"#,
        NAMES[rng.below(48) as usize],
        snowflake(rng.draw()),
        snowflake(key(7, 7, rng.below(30))),
        rng.draw() >> 4,
        1_773_000_000_000 + rng.below(70_400_000)
    );
}

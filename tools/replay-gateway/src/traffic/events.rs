//! The `d` of each generated kind, with the field sets of events.md, in Discord's usual
//! (descending) key order. Pure text making; called by `Traffic::write_payload` alone.

use super::guild::write_traffic_guild;
use super::people::{Place, User, member, snowflake};
use super::text::{EMOJI, NAMES, WORDS, hex32, list, put, text, timestamp};
use super::{ID_BASE_MS, Kind, Rng, Traffic, key};
use std::fmt::Write as _;

/// Appends the `d` of event `k`.
pub(super) fn write(
    traffic: &Traffic,
    kind: Kind,
    id: u64,
    k: u64,
    rng: &mut Rng,
    out: &mut String,
) {
    let place = Place::draw(traffic, rng);
    match kind {
        Kind::MessageCreate => message(traffic, &place, id, k, false, rng, out),
        Kind::MessageUpdate => message(traffic, &place, id, k, true, rng, out),
        Kind::PresenceUpdate => presence(&place, id, k, rng, out),
        Kind::TypingStart => typing(&place, id, k, rng, out),
        Kind::MessageReactionAdd => reaction(&place, id, rng, out),
        Kind::VoiceStateUpdate => voice_state(&place, id, rng, out),
        Kind::GuildMemberUpdate => member_update(&place, id, rng, out),
        Kind::MessageDelete => {
            let Place { guild, channel, .. } = place;
            put!(out, r#"{{"id":"{id}","channel_id":"{channel}","guild_id":"{guild}"}}"#);
        }
        Kind::InteractionCreate => interaction(&place, id, rng, out),
        Kind::GuildCreate => write_traffic_guild(id, rng, out),
    }
}

fn message(
    traffic: &Traffic,
    place: &Place,
    id: u64,
    k: u64,
    edited: bool,
    rng: &mut Rng,
    out: &mut String,
) {
    let reply = rng.percent(if edited { 16 } else { 15 });
    put!(out, r#"{{"type":{},"tts":false,"#, if reply { 19 } else { 0 });
    if reply {
        let replied = snowflake(rng.draw());
        out.push_str(r#""referenced_message":{"type":0,"tts":false,"#);
        message_fields(traffic, place, replied, k - k % 64, false, rng, out);
        put!(
            out,
            r#"}},"message_reference":{{"type":0,"message_id":"{replied}","guild_id":"{}","channel_id":"{}"}},"#,
            place.guild,
            place.channel
        );
    }
    if !edited {
        put!(out, r#""nonce":"{}","#, id - (rng.below(900) << 22));
    }
    out.push_str(r#""member":"#);
    member(place, None, 8, rng, out);
    out.push(',');
    message_fields(traffic, place, id, k, edited, rng, out);
    put!(out, r#","channel_type":0,"guild_id":"{}"}}"#, place.guild);
}

/// The fields that a message and a referenced message share, without braces.
fn message_fields(
    traffic: &Traffic,
    place: &Place,
    id: u64,
    k: u64,
    edited: bool,
    rng: &mut Rng,
    out: &mut String,
) {
    out.push_str(r#""timestamp":""#);
    timestamp(ID_BASE_MS + k, out);
    out.push_str(r#"","pinned":false,"mentions":["#);
    if rng.percent(16) {
        User::regular(place, rng).write(out);
    }
    out.push_str(r#"],"mention_roles":["#);
    if rng.percent(4) {
        put!(out, r#""{}""#, place.role(rng));
    }
    put!(out, r#"],"mention_everyone":false,"id":"{id}","flags":0,"embeds":["#);
    let (embed, attachment) = (rng.percent(29), rng.percent(23));
    let (embed, attachment) = (embed && traffic.content, attachment && traffic.content);
    if embed {
        write_embed(rng, out);
    }
    out.push_str(r#"],"edited_timestamp":"#);
    if edited {
        out.push('"');
        timestamp(ID_BASE_MS + k + 2_000, out);
        out.push('"');
    } else {
        out.push_str("null");
    }
    out.push_str(r#","content":""#);
    if traffic.content {
        text(4, 42, rng, out);
    }
    put!(out, r#"","components":[],"channel_id":"{}","author":"#, place.channel);
    User::regular(place, rng).write(out);
    out.push_str(r#","attachments":["#);
    if attachment {
        write_attachment(place, rng, out);
    }
    out.push(']');
}

fn write_embed(rng: &mut Rng, out: &mut String) {
    let site = rng.pick(NAMES);
    let page = rng.below(100_000);
    put!(out, r#"{{"url":"https://{site}.example.com/watch/{page}","type":"article","title":""#);
    text(3, 9, rng, out);
    out.push_str(r#"","thumbnail":{"width":1280,"#);
    put!(
        out,
        r#""url":"https://{site}.example.com/images/{page}.jpg","proxy_url":"https://images-ext-1.discordapp.net/external/{}/https/{site}.example.com/images/{page}.jpg","placeholder_version":1,"placeholder":"{:x}","height":720,"flags":0,"content_type":"image/jpeg"}},"#,
        hex32(rng.draw()),
        rng.draw() & 0xff_ffff_ffff
    );
    put!(out, r#""provider":{{"name":"{site}"}},"description":""#);
    text(10, 30, rng, out);
    put!(out, r#"","color":{},"content_scan_version":4}}"#, rng.below(0xff_ffff));
}

fn write_attachment(place: &Place, rng: &mut Rng, out: &mut String) {
    let id = snowflake(rng.draw());
    let (width, height) = (rng.below(1_920) + 64, rng.below(1_080) + 64);
    let (expires, issued) = (0x68d0_0000 + rng.below(0xffff), 0x68ce_0000 + rng.below(0xffff));
    let sign = hex32(rng.draw()) + &hex32(rng.draw());
    let channel = place.channel;
    put!(
        out,
        r#"{{"width":{width},"url":"https://cdn.discordapp.com/attachments/{channel}/{id}/image.png?ex={expires:x}&is={issued:x}&hm={sign}&","size":{},"proxy_url":"https://media.discordapp.net/attachments/{channel}/{id}/image.png?ex={expires:x}&is={issued:x}&hm={sign}&","placeholder_version":1,"placeholder":"{:x}","id":"{id}","height":{height},"flags":0,"filename":"image.png","content_type":"image/png","content_scan_version":4}}"#,
        rng.below(900_000) + 1_000,
        rng.draw() & 0xff_ffff_ffff
    );
}

fn presence(place: &Place, id: u64, k: u64, rng: &mut Rng, out: &mut String) {
    let status = rng.pick(&["online", "online", "online", "idle", "idle", "dnd", "dnd", "offline"]);
    put!(out, r#"{{"user":{{"id":"{id}"}},"status":"{status}","processed_at_timestamp":"#);
    let at = 1_420_070_400_000 + ID_BASE_MS + k;
    put!(out, r#"{at},"guild_id":"{}","client_status":{{"#, place.guild);
    if status != "offline" {
        put!(out, r#""{}":"{status}""#, rng.pick(&["desktop", "mobile", "web"]));
    }
    out.push_str(r#"},"activities":["#);
    let count = if status == "offline" { 0 } else { [1, 1, 1, 2][rng.below(4) as usize] };
    list(count, out, |out, _| activity(at, rng, out));
    out.push_str("]}");
}

fn activity(at_ms: u64, rng: &mut Rng, out: &mut String) {
    let started = at_ms - rng.below(7_200_000);
    if rng.percent(30) {
        put!(out, r#"{{"type":4,"state":""#);
        text(2, 7, rng, out);
        put!(out, r#"","name":"Custom Status","id":"custom","created_at":{started}}}"#);
        return;
    }
    if rng.percent(44) {
        listening(started, rng, out);
        return;
    }
    let application = snowflake(key(7, 7, rng.below(30)));
    put!(out, r#"{{"type":0,"timestamps":{{"start":{started}}},"state":""#);
    text(2, 5, rng, out);
    out.push_str(r#"","details":""#);
    text(2, 6, rng, out);
    put!(
        out,
        r#"","session_id":"{}","name":"{} {}","id":"{:x}","created_at":{},"assets":{{"large_text":"{}","large_image":"{}"}},"application_id":"{application}"}}"#,
        hex32(rng.draw()),
        NAMES[(application % 48) as usize],
        NAMES[(application / 48 % 48) as usize],
        rng.draw() >> 4,
        started + 700,
        NAMES[(application % 31) as usize],
        snowflake(rng.draw())
    );
}

/// What Spotify shows.
fn listening(started: u64, rng: &mut Rng, out: &mut String) {
    put!(out, r#"{{"type":2,"timestamps":{{"start":{started},"end":{}}},"#, started + 201_000);
    put!(out, r#""sync_id":"{:x}","state":""#, rng.draw() | 1 << 60);
    text(1, 3, rng, out);
    put!(out, r#"","session_id":"{}","party":{{"id":"spotify:"#, hex32(rng.draw()));
    put!(out, r#"{}"}},"name":"Spotify","id":"spotify:1","flags":48,"#, snowflake(rng.draw()));
    out.push_str(r#""details":""#);
    text(2, 6, rng, out);
    put!(out, r#"","created_at":{},"assets":{{"large_text":""#, started + 700);
    text(1, 3, rng, out);
    put!(out, r#"","large_image":"spotify:ab67616d0000b273{}"}}}}"#, hex32(rng.draw()));
}

fn typing(place: &Place, id: u64, k: u64, rng: &mut Rng, out: &mut String) {
    put!(out, r#"{{"user_id":"{id}","timestamp":{},"member":"#, 1_773_070_400 + k / 100);
    member(place, Some(&User::with_id(id, rng)), 9, rng, out);
    put!(out, r#","channel_id":"{}","guild_id":"{}"}}"#, place.channel, place.guild);
}

fn reaction(place: &Place, id: u64, rng: &mut Rng, out: &mut String) {
    let user = User::regular(place, rng);
    put!(out, r#"{{"user_id":"{}","type":0,"message_id":"{id}","#, user.id);
    put!(out, r#""message_author_id":"{}","member":"#, User::regular(place, rng).id);
    member(place, Some(&user), 10, rng, out);
    if rng.percent(50) {
        put!(
            out,
            r#","emoji":{{"name":"{}","id":"{}","animated":false}}"#,
            rng.pick(WORDS),
            snowflake(key(place.guild, 8, rng.below(40)))
        );
    } else {
        put!(out, r#","emoji":{{"name":"{}","id":null}}"#, rng.pick(EMOJI));
    }
    put!(out, r#","channel_id":"{}","burst":false,"guild_id":"{}"}}"#, place.channel, place.guild);
}

fn voice_state(place: &Place, id: u64, rng: &mut Rng, out: &mut String) {
    out.push_str(r#"{"member":"#);
    member(place, Some(&User::with_id(id, rng)), 9, rng, out);
    put!(out, r#","user_id":"{id}","suppress":false,"session_id":"{}","#, hex32(rng.draw()));
    let flag = |rng: &mut Rng| rng.percent(30);
    let (video, mute, deaf) = (flag(rng), flag(rng), flag(rng));
    put!(out, r#""self_video":{video},"self_mute":{mute},"self_deaf":{deaf},"self_stream":false,"#);
    out.push_str(r#""request_to_speak_timestamp":null,"mute":false,"guild_id":""#);
    put!(out, r#"{}","deaf":false,"channel_id":"#, place.guild);
    if rng.percent(25) {
        out.push_str("null}");
    } else {
        put!(out, r#""{}"}}"#, place.channel);
    }
}

fn member_update(place: &Place, id: u64, rng: &mut Rng, out: &mut String) {
    out.push_str(r#"{"user":"#);
    User::with_id(id, rng).write(out);
    out.push_str(r#","roles":["#);
    let count = rng.below(15);
    list(count, out, |out, _| put!(out, r#""{}""#, place.role(rng)));
    out.push_str(r#"],"premium_since":null,"pending":false,"nick":"#);
    if rng.percent(50) {
        put!(out, r#""{} {}""#, rng.pick(NAMES), rng.pick(WORDS));
    } else {
        out.push_str("null");
    }
    out.push_str(r#","mute":false,"joined_at":""#);
    timestamp(200_000_000_000 + rng.below(2_000) * 60_000_000, out);
    put!(
        out,
        r#"","guild_id":"{}","flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null}}"#,
        place.guild
    );
}

fn interaction(place: &Place, id: u64, rng: &mut Rng, out: &mut String) {
    let token = (0..4).map(|_| hex32(rng.draw())).collect::<String>();
    put!(out, r#"{{"version":1,"type":2,"token":"{token}","member":"#);
    member(place, Some(&User::regular(place, rng)), 6, rng, out);
    let (guild, channel) = (place.guild, place.channel);
    put!(
        out,
        r#","locale":"en-US","id":"{id}","guild_locale":"en-US","guild_id":"{guild}","guild":{{"locale":"en-US","id":"{guild}","features":["COMMUNITY","NEWS"]}},"entitlements":[],"entitlement_sku_ids":[],"data":{{"type":1,"#
    );
    put!(out, r#""options":[{{"value":""#);
    text(14, 46, rng, out);
    put!(out, r#"","type":3,"name":"{}"}}],"name":"{}","#, rng.pick(WORDS), rng.pick(WORDS));
    put!(out, r#""id":"{}"}},"context":0,"channel_id":"{channel}","#, snowflake(rng.draw()));
    put!(
        out,
        r#""channel":{{"type":0,"topic":null,"theme_color":null,"rate_limit_per_user":0,"position":{},"permissions":"2248473465835073","parent_id":"{}","nsfw":false,"name":"{}","last_message_id":"{}","id":"{channel}","icon_emoji":{{"name":"{}","id":null}},"guild_id":"{guild}","flags":0}},"#,
        rng.below(40),
        snowflake(key(guild, 9, rng.below(8))),
        rng.pick(WORDS),
        snowflake(rng.draw()),
        rng.pick(EMOJI)
    );
    put!(
        out,
        r#""authorizing_integration_owners":{{"0":"{guild}"}},"attachment_size_limit":10485760,"application_id":"{}","app_permissions":"2222085186637376"}}"#,
        snowflake(place.world)
    );
}

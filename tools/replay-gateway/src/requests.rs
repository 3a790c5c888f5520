//! Commands of an identified client and their answers: presence, members, soundboard, channel info
//! (protocol.md, sections 9 to 11); voice is `voice`'s. No sockets.

use crate::conn::Conn;
use crate::core::Core;
use crate::traffic::{Rng, write_member};
use crate::voice;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Answers op 3, 4, 8, 31 or 43.
pub(crate) fn answer(core: &mut Core, conn: &mut Conn, slot: usize, op: u64, d: &Value) {
    let understood = match op {
        3 => d.get("status").is_some_and(Value::is_string),
        4 => voice::update(core, slot, d),
        8 => members(core, slot, d),
        31 => soundboard_sounds(core, slot, d),
        _ => channel_info(core, slot, d),
    };
    if !understood {
        conn.close(4001, "Unknown opcode or invalid payload for it.");
    }
}

fn members(core: &mut Core, slot: usize, d: &Value) -> bool {
    let Some(guild_id) = snowflake(d.get("guild_id")) else { return false };
    let nonce = d.get("nonce").and_then(Value::as_str).filter(|nonce| nonce.len() <= 32);
    let nonce = nonce.map(str::to_owned);
    if let Some(ids) = d.get("user_ids") {
        let ids = match ids {
            Value::Array(ids) if ids.len() <= USER_IDS_MAX => ids.clone(),
            Value::String(_) => vec![ids.clone()],
            _ => return false,
        };
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in &ids {
            match snowflake(Some(id)) {
                // Everybody is a member, but for ids that no snowflake can be: these come back
                // as numbers.
                Some(id) if id >> 22 == 0 => missing.push(Value::from(id)),
                Some(id) => found.push(id),
                None => return false,
            }
        }
        chunks(core, slot, guild_id, &found, nonce.as_deref(), Some(missing));
        return true;
    }
    let Some(query) = d.get("query").and_then(Value::as_str) else { return false };
    let Some(limit) = d.get("limit").and_then(Value::as_u64) else { return false };
    let total = u64::from(core.config.members_per_guild);
    let count = match (query.is_empty(), limit) {
        (true, 0) => {
            if let Some(wait_s) = too_soon(core, guild_id) {
                rate_limited(core, slot, guild_id, wait_s, nonce);
                return true;
            }
            total
        }
        (_, limit) => limit.min(PREFIX_MAX).min(total),
    };
    let ids: Vec<u64> = (0..count).map(|n| ((1 << 36) + n * 977) << 22 | 1).collect();
    chunks(core, slot, guild_id, &ids, nonce.as_deref(), None);
    true
}

/// Seconds to wait if this guild's members were asked for within the last 30.
fn too_soon(core: &mut Core, guild_id: u64) -> Option<f64> {
    let now_ns = core.now_ns;
    if let Some(at) = core.member_requests.get(&guild_id)
        && now_ns < at + WHOLE_GUILD_EVERY_NS
    {
        return Some((at + WHOLE_GUILD_EVERY_NS - now_ns) as f64 / 1e9);
    }
    if core.member_requests.len() >= MEMBER_REQUESTS_MAX {
        core.member_requests.retain(|_, at| now_ns < *at + WHOLE_GUILD_EVERY_NS);
    }
    core.member_requests.insert(guild_id, now_ns);
    None
}

fn rate_limited(core: &mut Core, slot: usize, guild_id: u64, wait_s: f64, nonce: Option<String>) {
    let mut meta = json!({ "guild_id": guild_id.to_string() });
    if let Some(nonce) = nonce {
        meta["nonce"] = Value::from(nonce);
    }
    let d = json!({ "opcode": 8, "retry_after": wait_s, "meta": meta });
    core.stats.rate_limited += 1;
    core.number_stored(slot, "RATE_LIMITED", d.to_string());
}

fn chunks(
    core: &mut Core,
    slot: usize,
    guild_id: u64,
    ids: &[u64],
    nonce: Option<&str>,
    missing: Option<Vec<Value>>,
) {
    let count = ids.len().div_ceil(CHUNK).max(1);
    let mut parts = ids.chunks(CHUNK);
    for index in 0..count {
        let mut d = String::from(r#"{"presences":[],"#);
        if let (0, Some(missing)) = (index, &missing) {
            let _ = write!(d, r#""not_found":{},"#, Value::from(missing.clone()));
        }
        if let Some(nonce) = nonce {
            let _ = write!(d, r#""nonce":{},"#, Value::from(nonce));
        }
        d.push_str(r#""members":["#);
        for (n, id) in parts.next().unwrap_or_default().iter().enumerate() {
            if n > 0 {
                d.push(',');
            }
            write_member(*id, &mut Rng::new(*id), &mut d);
        }
        let _ =
            write!(d, r#"],"guild_id":"{guild_id}","chunk_index":{index},"chunk_count":{count}}}"#);
        core.number_stored(slot, "GUILD_MEMBERS_CHUNK", d);
    }
}

fn soundboard_sounds(core: &mut Core, slot: usize, d: &Value) -> bool {
    let Some(ids) = d.get("guild_ids").and_then(Value::as_array) else { return false };
    for id in ids {
        let Some(id) = snowflake(Some(id)) else { return false };
        let d = json!({ "soundboard_sounds": [], "guild_id": id.to_string() });
        core.number_stored(slot, "SOUNDBOARD_SOUNDS", d.to_string());
    }
    true
}

fn channel_info(core: &mut Core, slot: usize, d: &Value) -> bool {
    let Some(guild_id) = snowflake(d.get("guild_id")) else { return false };
    if !d.get("fields").is_some_and(Value::is_array) {
        return false;
    }
    let d = json!({ "guild_id": guild_id.to_string(), "channels": [] });
    core.number_stored(slot, "CHANNEL_INFO", d.to_string());
    true
}

/// A snowflake, as a string of digits or a number.
pub(crate) fn snowflake(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// Members of one chunk (protocol.md, section 11).
const CHUNK: usize = 1_000;
/// Ids of one request.
const USER_IDS_MAX: usize = 100;
/// Members that a query by prefix yields at most.
const PREFIX_MAX: u64 = 100;
/// One whole-guild request per guild in so long.
const WHOLE_GUILD_EVERY_NS: u64 = 30_000_000_000;
/// Guilds whose last request is remembered before old ones are dropped.
const MEMBER_REQUESTS_MAX: usize = 100_000;

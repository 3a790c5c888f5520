//! What clients send, judged by the documents (protocol.md, sections 1 to 11): every breach has
//! its close code, every request its answer. Works on a `Core` and one `Conn`; no sockets.

use crate::config::UnknownSession;
use crate::conn::{Conn, Phase};
use crate::core::{BOT_ID, Core, Effect};
use crate::faults::When;
use crate::outage::Host;
use crate::stats::note;
use crate::{fault, intents, requests};
use serde_json::Value;
use std::collections::VecDeque;

/// One whole message of a client.
pub(crate) fn on_message(core: &mut Core, conn: &mut Conn, message: &[u8]) {
    if !within_rate(core, conn) {
        return conn.close(4008, "You are being rate limited.");
    }
    if message.len() > PAYLOAD_BYTES_MAX {
        return conn.close(4002, "Payload too long.");
    }
    let Ok(payload) = serde_json::from_slice::<Value>(message) else {
        return conn.close(4002, "Error while decoding payload.");
    };
    let Some(op) = payload.get("op").and_then(Value::as_u64) else {
        return conn.close(4002, "Error while decoding payload.");
    };
    *core.stats.received.entry(op).or_default() += 1;
    let d = payload.get("d").unwrap_or(&Value::Null);
    let known = matches!(op, 1..=4 | 6 | 8 | 31 | 43);
    if !known {
        return conn.close(4001, "Unknown opcode.");
    }
    if let Some(shard) = conn.shard {
        let stats = core.stats.shards.entry(shard).or_default();
        *stats.received.entry(op).or_default() += 1;
        if !matches!(op, 1 | 2 | 6) {
            stats.last_command = Some(String::from_utf8_lossy(message).into_owned());
        }
    }
    match op {
        1 => heartbeat(core, conn, d),
        2 => identify(core, conn, d),
        6 => resume(core, conn, d),
        _ => {
            let Some(slot) = conn.session else {
                return conn.close(4003, "Not authenticated.");
            };
            if op == 3 {
                count_presence(core, conn);
            }
            requests::answer(core, conn, slot, op, d);
        }
    }
}

fn within_rate(core: &mut Core, conn: &mut Conn) -> bool {
    let window_ns = core.config.payloads_window_ms * 1_000_000;
    let sent = in_window(&mut conn.payload_times, window_ns, core.now_ns);
    core.stats.payloads_per_window_max = core.stats.payloads_per_window_max.max(sent);
    sent <= u64::from(core.config.payloads_max)
}

/// Discord ignores presences above the limit; here they are counted.
fn count_presence(core: &mut Core, conn: &mut Conn) {
    let sent = in_window(&mut conn.presence_times, PRESENCE_WINDOW_NS, core.now_ns);
    core.stats.presences_per_window_max = core.stats.presences_per_window_max.max(sent);
    core.stats.presences_over += u64::from(sent > PRESENCES_MAX);
}

/// Adds one to what came within the window, and gives how many that are.
fn in_window(times: &mut VecDeque<u64>, window_ns: u64, now_ns: u64) -> u64 {
    while times.front().is_some_and(|at| at + window_ns <= now_ns) {
        times.pop_front();
    }
    times.push_back(now_ns);
    times.len() as u64
}

fn heartbeat(core: &mut Core, conn: &mut Conn, d: &Value) {
    if !(d.is_null() || d.is_u64()) {
        return conn.close(4002, "Heartbeat with a bad sequence.");
    }
    core.stats.heartbeats += 1;
    note_gap(core, conn);
    conn.last_heartbeat_ns = core.now_ns;
    fault::fire(core, conn, When::Heartbeat);
    if !conn.withhold_acks && !conn.zombie && conn.phase == Phase::Open {
        conn.send(&mut core.pool, r#"{"t":null,"s":null,"op":11,"d":null}"#);
        core.stats.acks += 1;
    }
}

/// How long the connection was without a heartbeat; a client that was asked for one may be early.
fn note_gap(core: &mut Core, conn: &Conn) {
    let gap_ms = core.now_ns.saturating_sub(conn.last_heartbeat_ns) / 1_000_000;
    let config = &core.config;
    let overdue_ms = u64::from(config.heartbeat_interval_ms) + u64::from(config.heartbeat_grace_ms);
    let overdue = gap_ms > overdue_ms;
    core.stats.heartbeats_overdue += u64::from(overdue);
    if let Some(shard) = conn.shard {
        let stats = core.stats.shards.entry(shard).or_default();
        stats.heartbeats_overdue += u32::from(overdue);
        stats.heartbeat_gap_max_ms = stats.heartbeat_gap_max_ms.max(gap_ms);
    }
}

fn identify(core: &mut Core, conn: &mut Conn, d: &Value) {
    if conn.session.is_some() {
        return conn.close(4005, "Already authenticated.");
    }
    let Some(identify) = Identify::read(core, conn, d) else { return };
    let (shard_id, now_ms) = (identify.shard.0, core.now_ms());
    core.stats.identifies += 1;
    know_shard(core, conn, shard_id);
    let stats = core.stats.shards.entry(shard_id).or_default();
    note(&mut stats.identify_ms, now_ms);
    let _ = core.session_starts_left(); // begins a new day, if it is time
    core.session_starts += 1;
    if core.session_starts > u64::from(core.config.session_starts_total) {
        revoke_token(core);
        return conn.close(4004, "Authentication failed.");
    }
    if !pass_gate(core, shard_id) {
        return conn.send(&mut core.pool, INVALID_SESSION);
    }
    if fault::fire(core, conn, When::Identify) {
        return;
    }
    core.stats.payload_compressions += u64::from(identify.compress);
    conn.codec.set_payload_compression(identify.compress);
    let compression = conn.codec.compression();
    let at = (conn.slot, conn.id);
    let slot = core.open_session(identify.shard, identify.intents, at, compression);
    conn.session = Some(slot);
    conn.sent_s = 0;
    core.effects.push(Effect::Wake(slot));
}

/// What an IDENTIFY that passed its checks says.
struct Identify {
    shard: (u32, u32),
    intents: u64,
    compress: bool,
}

impl Identify {
    /// Reads and judges; closes the connection if it is wrong.
    fn read(core: &Core, conn: &mut Conn, d: &Value) -> Option<Self> {
        match Self::judge(core, d) {
            Ok(identify) => Some(identify),
            Err((code, reason)) => {
                conn.close(code, reason);
                None
            }
        }
    }

    fn judge(core: &Core, d: &Value) -> Result<Self, (u16, &'static str)> {
        let token = d.get("token").and_then(Value::as_str);
        let undecodable = (4002, "Error while decoding payload.");
        if !token_is_right(core, token.ok_or(undecodable)?) {
            return Err((4004, "Authentication failed."));
        }
        if !d.get("properties").is_some_and(Value::is_object) {
            return Err(undecodable);
        }
        let compress = match d.get("compress") {
            None => false,
            Some(value) => value.as_bool().ok_or(undecodable)?,
        };
        let bad_shard = (4010, "Invalid shard.");
        let shard = match d.get("shard") {
            None | Some(Value::Null) => (0, 1),
            Some(value) => shard_of(value).ok_or(bad_shard)?,
        };
        if !shard.1.is_multiple_of(core.config.shard_count_multiple.max(1)) {
            return Err(bad_shard);
        }
        if core.config.guilds_total > shard.1.saturating_mul(GUILDS_PER_SHARD_MAX) {
            return Err((4011, "Sharding required."));
        }
        let bits = d.get("intents").and_then(Value::as_u64).ok_or((4013, "Invalid intents."))?;
        if bits & !intents::ALL != 0 {
            return Err((4013, "Invalid intents."));
        }
        if bits & core.config.intents_disallowed != 0 {
            return Err((4014, "Disallowed intents."));
        }
        Ok(Self { shard, intents: bits, compress })
    }
}

fn shard_of(value: &Value) -> Option<(u32, u32)> {
    let [id, count] = value.as_array()?.as_slice() else { return None };
    let (id, count) = (u32::try_from(id.as_u64()?).ok()?, u32::try_from(count.as_u64()?).ok()?);
    (id < count && count <= SHARDS_MAX).then_some((id, count))
}

fn token_is_right(core: &Core, token: &str) -> bool {
    let right = match &core.config.token {
        Some(right) => token == right.as_str(),
        None => !token.is_empty(),
    };
    right && !core.token_revoked
}

/// The connection's shard is known from here on: faults about it are armed.
fn know_shard(core: &mut Core, conn: &mut Conn, shard_id: u32) {
    if conn.shard != Some(shard_id) {
        conn.shard = Some(shard_id);
        fault::arm_for_shard(core, conn, shard_id);
    }
}

/// One IDENTIFY per key and window.
fn pass_gate(core: &mut Core, shard_id: u32) -> bool {
    let key = shard_id % core.config.max_concurrency.max(1);
    let (now_ns, window_ns) = (core.now_ns, core.config.identify_window_ms * 1_000_000);
    let gate = core.gate.entry(key).or_insert((0, 0));
    // The window counts from the IDENTIFY that was let through.
    let free = gate.1 == 0 || gate.0 + window_ns <= now_ns;
    *gate = if free { (now_ns, 1) } else { (gate.0, gate.1 + 1) };
    core.stats.identifies_per_window_max = core.stats.identifies_per_window_max.max(gate.1);
    core.stats.identifies_too_soon += u64::from(!free);
    free
}

fn revoke_token(core: &mut Core) {
    core.token_revoked = true;
    for slot in 0..core.sessions.len() {
        if let Some((conn_slot, id)) = core.session(slot).and_then(|session| session.conn) {
            core.effects.push(Effect::Kick { slot: conn_slot, id, code: 4004 });
        }
        core.end_session(slot);
    }
}

fn resume(core: &mut Core, conn: &mut Conn, d: &Value) {
    if conn.session.is_some() {
        return conn.close(4005, "Already authenticated.");
    }
    let field = |name| d.get(name).and_then(Value::as_str);
    let seq = d.get("seq").and_then(Value::as_u64);
    let (Some(token), Some(id), Some(seq)) = (field("token"), field("session_id"), seq) else {
        return conn.close(4002, "Error while decoding payload.");
    };
    if !token_is_right(core, token) {
        return conn.close(4004, "Authentication failed.");
    }
    core.stats.resumes += 1;
    let slot = core.by_id.get(id).copied();
    let Some((slot, session)) = slot.and_then(|slot| Some((slot, core.session(slot)?))) else {
        return match core.config.unknown_session {
            UnknownSession::InvalidSession => conn.send(&mut core.pool, INVALID_SESSION),
            UnknownSession::Close4009 => conn.close(4009, "Session timed out."),
        };
    };
    let (last_s, covered_from) = (session.last_s, session.covered_from());
    let (shard_id, now_ms) = (session.shard.0, core.now_ms());
    know_shard(core, conn, shard_id);
    let stats = core.stats.shards.entry(shard_id).or_default();
    note(&mut stats.resume_ms, now_ms);
    note(&mut stats.resume_seq, seq);
    stats.resumes_resume_host += u32::from(conn.host == Host::Resume);
    if fault::fire(core, conn, When::Resume) {
        return;
    }
    if seq > last_s {
        core.end_session(slot);
        return conn.close(4007, "Invalid seq.");
    }
    if seq + 1 < covered_from {
        core.end_session(slot);
        return conn.send(&mut core.pool, INVALID_SESSION);
    }
    let at = (conn.slot, conn.id);
    if let Some(session) = core.session_mut(slot) {
        session.queued_s = seq;
        if let Some((old_slot, old_id)) = session.conn.replace(at) {
            core.effects.push(Effect::Kick { slot: old_slot, id: old_id, code: 4000 });
        }
    }
    conn.session = Some(slot);
    conn.sent_s = seq;
    conn.resumed_at = Some(last_s);
    core.effects.push(Effect::Wake(slot));
}

/// A client's close frame: 1000 and 1001 end the session, all else keeps it.
pub(crate) fn on_close(core: &mut Core, conn: &mut Conn, payload: &[u8]) {
    let code = match payload {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 1005,
    };
    conn.close_received = true;
    *core.stats.closes_received.entry(code).or_default() += 1;
    if let Some(shard) = conn.shard {
        note(&mut core.stats.shards.entry(shard).or_default().close_codes, code);
    }
    if matches!(code, 1000 | 1001)
        && let Some(slot) = conn.session.take()
    {
        core.end_session(slot);
    }
    if conn.phase == Phase::Open {
        conn.close(if code == 1005 { 1000 } else { code }, "");
    }
}

/// The bot's id as text.
pub(crate) fn bot_id() -> String {
    BOT_ID.to_string()
}

/// Op 9 that ends it.
pub(crate) const INVALID_SESSION: &str = r#"{"t":null,"s":null,"op":9,"d":false}"#;
/// What a client may send in one payload (protocol.md, section 6).
/// Presences that a connection may send within [`PRESENCE_WINDOW_NS`].
const PRESENCES_MAX: u64 = 5;
/// See [`PRESENCES_MAX`].
const PRESENCE_WINDOW_NS: u64 = 20_000_000_000;
pub(crate) const PAYLOAD_BYTES_MAX: usize = 4_096;
/// Guilds of one shard (protocol.md, section 7).
const GUILDS_PER_SHARD_MAX: u32 = 2_500;
/// No bot has so many shards; a larger count is a mistake.
const SHARDS_MAX: u32 = 1 << 20;

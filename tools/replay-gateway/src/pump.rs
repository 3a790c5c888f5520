//! What goes out on a connection next: what waited, what was missed, RESUMED, then traffic. Flat
//! out it numbers events when the socket has room; paced it is called when an event is due.
//! Queues bytes only; the event loop writes them.

use crate::codec::Compression;
use crate::config::{Framing, Start};
use crate::conn::{Conn, Phase};
use crate::core::{Core, Effect};
use crate::fault;
use crate::faults::When;
use crate::ledger::{Record, TRAFFIC};
use crate::maker::StreamKey;
use crate::out::WRITE_BYTES;
use crate::payload::Wrote;
use crate::session::Source;
use crate::traffic::BLOCK_EVENTS;

/// Queues what is next for a connection, up to about one write. True: there is more.
pub(crate) fn pump(core: &mut Core, conn: &mut Conn) -> bool {
    if conn.phase != Phase::Open || conn.zombie || conn.doom.is_some() {
        return false;
    }
    if !conn.out.is_empty() {
        return false; // called again when the socket has taken it
    }
    let Some(slot) = conn.session else {
        conn.leave_block(&mut core.pool);
        return false;
    };
    let Some(last_s) = core.session(slot).map(|session| session.last_s) else { return false };
    if conn.sent_s < last_s {
        catch_up(core, conn, slot, last_s);
        return true;
    }
    if conn.resumed_at.take().is_some() {
        conn.ready_told = false;
        core.note_resumed(slot);
        core.number_stored(slot, "RESUMED", r#"{"_trace":["[\"replay-gateway\"]"]}"#.to_owned());
        return true;
    }
    if !settled(core, conn, slot) {
        return true;
    }
    if traffic_flows(core, slot) {
        return core.pace().is_none() && flat(core, conn, slot);
    }
    conn.leave_block(&mut core.pool);
    captured_flat(core, conn, slot)
}

/// Queues numbered dispatches that this connection has not had.
fn catch_up(core: &mut Core, conn: &mut Conn, slot: usize, last_s: u64) {
    conn.leave_block(&mut core.pool);
    while conn.sent_s < last_s && conn.out.len() < WRITE_BYTES {
        if conn.phase != Phase::Open || conn.zombie || conn.doom.is_some() {
            return;
        }
        let s = conn.sent_s + 1;
        conn.sent_s = s;
        if conn.resumed_at.is_some_and(|at| s <= at) {
            core.stats.replayed += 1;
        }
        let mut text = std::mem::take(&mut core.scratch);
        let wrote = core.write_payload(slot, s, &mut text);
        encode(core, conn, &text, wrote);
        core.scratch = text;
    }
    note_queued(core, conn, slot);
}

fn note_queued(core: &mut Core, conn: &Conn, slot: usize) {
    if let Some(session) = core.session_mut(slot) {
        session.queued_s = conn.sent_s;
    }
}

fn encode(core: &mut Core, conn: &mut Conn, text: &str, wrote: Wrote) {
    match wrote {
        Wrote::Other => conn.codec.encode(&mut core.pool, text.as_bytes(), &mut conn.out),
        Wrote::Traffic => {
            conn.codec.encode(&mut core.pool, text.as_bytes(), &mut conn.out);
            sent_traffic(core, conn, 1);
        }
        Wrote::BeforeTail(tail) => {
            conn.codec.encode_shared(&mut core.pool, text.as_bytes(), &tail, &mut conn.out);
        }
        Wrote::Nothing => {}
    }
}

/// Counts traffic queued, and commits the fault that was waiting for so many events.
fn sent_traffic(core: &mut Core, conn: &mut Conn, count: u64) {
    conn.traffic_sent += count;
    core.stats.traffic_sent += count;
    if conn.traffic_sent >= conn.next_fault_events() {
        fault::fire(core, conn, When::Events(conn.next_fault_events()));
    }
}

/// READY (and its guilds) or RESUMED are queued: tells it once. False: something was numbered or
/// done that is to go out first.
fn settled(core: &mut Core, conn: &mut Conn, slot: usize) -> bool {
    if conn.ready_told {
        return true;
    }
    let Some(session) = core.session_mut(slot) else { return false };
    if session.guilds_owed {
        return true;
    }
    conn.ready_told = true;
    if !std::mem::replace(&mut session.ready, true) {
        core.ready_sessions += 1;
        core.effects.push(Effect::Started); // it may be the last one awaited
    }
    if core.blocks.is_some() {
        // Blocks come next, each from a fresh context: a thousand idle contexts are not kept.
        conn.codec.rest(&mut core.pool);
    }
    fault::fire(core, conn, When::Ready);
    false
}

/// Whether traffic is generated for this session now.
pub(crate) fn traffic_flows(core: &Core, slot: usize) -> bool {
    let Some(traffic) = core.config.traffic else { return false };
    let Some(session) = core.session(slot) else { return false };
    let started = match traffic.start {
        Start::Each => true,
        Start::Shards(_) | Start::After(_) => core.started,
    };
    let next = session.last_s + 1;
    started
        && session.ready
        && !session.superseded
        && core.capture.is_none()
        && traffic.events_per_shard.is_none_or(|events| next < session.first_s + events)
}

/// Flat out: numbers and queues as much as one burst or one write holds.
fn flat(core: &mut Core, conn: &mut Conn, slot: usize) -> bool {
    let Some(traffic) = core.config.traffic else { return false };
    let Some(session) = core.session(slot) else { return false };
    let next_k = session.traffic_index(session.last_s + 1);
    let mut want = if traffic.burst == 0 { u64::MAX } else { traffic.burst };
    if let Some(events) = traffic.events_per_shard {
        want = want.min(session.first_s + events - session.last_s - 1);
    }
    want = want.min(conn.next_fault_events().saturating_sub(conn.traffic_sent).max(1));
    let mut bytes_left = if traffic.burst == 0 { WRITE_BYTES } else { usize::MAX };
    let mut k = next_k;
    while want > 0 && bytes_left > 0 && conn.phase == Phase::Open && conn.doom.is_none() {
        let before = conn.out.len();
        match from_block(core, conn, slot, k, want, bytes_left) {
            Taken::Events(count) => {
                k += count;
                want -= count.min(want);
            }
            Taken::Starving => {
                conn.starving = true;
                core.stats.starved += 1;
                break;
            }
            Taken::Nothing => {
                live(core, conn, slot);
                k += 1;
                want -= 1;
            }
        }
        bytes_left = bytes_left.saturating_sub(conn.out.len() - before);
        if conn.zombie {
            break;
        }
    }
    finish_if_done(core, conn, slot);
    !conn.starving
}

/// The last event that was asked for is numbered: what waits need not wait for a block's end.
fn finish_if_done(core: &mut Core, conn: &mut Conn, slot: usize) {
    if !traffic_flows(core, slot)
        && let Some(session) = core.session(slot)
        && !session.superseded
        && session.last_s >= session.first_s
    {
        conn.leave_block(&mut core.pool);
        core.stats.sessions_done += 1;
    }
    core.stats.traffic_last_unix_ns = core.base_unix_ns + core.now_ns;
}

enum Taken {
    Events(u64),
    /// The block is being made.
    Starving,
    /// No block can serve: compress live.
    Nothing,
}

/// Numbers and queues up to `want` events from the shared block that holds event `k`.
fn from_block(
    core: &mut Core,
    conn: &mut Conn,
    slot: usize,
    k: u64,
    want: u64,
    bytes_max: usize,
) -> Taken {
    if waited_too_long(core, conn) {
        conn.leave_block(&mut core.pool);
    }
    if conn.block.is_none() && !enter_block(core, conn, slot, k) {
        return if conn.starving { Taken::Starving } else { Taken::Nothing };
    }
    let Some((block, at)) = &mut conn.block else { return Taken::Nothing };
    let fitting = block.fitting(*at, bytes_max);
    let count = fitting.min(usize::try_from(want).unwrap_or(usize::MAX));
    let (start, end) = (block.start(*at), block.ends[*at + count - 1] as usize);
    conn.out.share(&block.bytes, start, end);
    let marks = *at..*at + count;
    *at += count;
    let (block, at_end) = (std::sync::Arc::clone(block), *at == block.ends.len());
    number_block(core, slot, &block.marks[marks]);
    conn.sent_s += count as u64;
    core.stats.traffic_from_blocks += count as u64;
    if at_end {
        conn.block = None;
        conn.release(&mut core.pool);
        forget_passed(core, slot);
    }
    sent_traffic(core, conn, count as u64);
    Taken::Events(count as u64)
}

/// Whether a payload has waited for the end of its block for a quarter of the heartbeat interval:
/// with thousands of shards a block may last longer than an ACK may take.
fn waited_too_long(core: &Core, conn: &mut Conn) -> bool {
    if conn.waiting.is_empty() {
        conn.waiting_since_ns = None;
        return false;
    }
    let since_ns = *conn.waiting_since_ns.get_or_insert(core.now_ns);
    core.now_ns - since_ns > u64::from(core.config.heartbeat_interval_ms) * 250_000
}

/// Paced: numbers and queues the next event from the shared block. False: no block can serve.
pub(crate) fn one_from_block(core: &mut Core, conn: &mut Conn, slot: usize) -> bool {
    let Some(session) = core.session(slot) else { return false };
    if conn.sent_s != session.last_s {
        return false;
    }
    let k = session.traffic_index(session.last_s + 1);
    let taken = from_block(core, conn, slot, k, 1, usize::MAX);
    conn.starving = false; // what is due does not wait: it is compressed live
    matches!(taken, Taken::Events(_))
}

/// Numbers events of a block and records them, with the session looked up once.
fn number_block(core: &mut Core, slot: usize, marks: &[(u64, u64)]) {
    let (events_max, bytes_max) = (core.config.replay_events_max, core.config.replay_bytes_max);
    let Some(session) = core.session_mut(slot) else { return };
    let (key, count) = (session.key, marks.len() as u64);
    let first_s = session.number(Source::Traffic, count);
    session.queued_s = session.last_s;
    session.trim(events_max, bytes_max, first_s);
    core.stats.numbered += count;
    core.stats.traffic_numbered += count;
    core.record_all(marks.iter().zip(first_s..).map(|((id, hash), s)| Record {
        session: key,
        s: s as u32,
        flags: TRAFFIC,
        id: *id,
        hash: *hash,
    }));
}

/// Puts a connection into the shared block of event `k`, if there is one and it may be used.
fn enter_block(core: &mut Core, conn: &mut Conn, slot: usize, k: u64) -> bool {
    conn.starving = false;
    let compression = conn.codec.compression();
    let (index, at) = (k / BLOCK_EVENTS, (k % BLOCK_EVENTS) as usize);
    // A compressed block can only be entered where its context begins.
    if compression.is_continuous() && at != 0 {
        return false;
    }
    let Some(session) = core.session(slot) else { return false };
    let usable = conn.codec.is_plain()
        && conn.codec.framing == Framing::Whole
        && session.first_k == 0
        && !core.canary_in(session.shard.0, index * BLOCK_EVENTS, BLOCK_EVENTS);
    let Some(blocks) = core.blocks.as_ref().filter(|_| usable) else { return false };
    let key = StreamKey { traffic: session.traffic, first_s: session.first_s, compression };
    match blocks.block(&key, index) {
        Some(block) if at < block.ends.len() => {
            conn.release(&mut core.pool);
            conn.codec.rest(&mut core.pool);
            conn.block = Some((block, at));
            true
        }
        Some(_) => false,
        None => {
            conn.starving = blocks.will_come(&key, index);
            false
        }
    }
}

/// Lets the makers forget the blocks that every connected session of a stream has passed.
fn forget_passed(core: &mut Core, slot: usize) {
    let Some(session) = core.session(slot) else { return };
    let (traffic, first_s) = (session.traffic, session.first_s);
    let same = core.sessions.iter().flatten().filter(|other| {
        other.conn.is_some()
            && !other.superseded
            && (other.traffic, other.first_s) == (traffic, first_s)
    });
    let Some(least) = same.map(|other| (other.last_s + 1).saturating_sub(first_s)).min() else {
        return;
    };
    if let Some(blocks) = &mut core.blocks {
        for compression in Compression::ALL {
            let key = StreamKey { traffic, first_s, compression };
            blocks.forget_below(&key, least / BLOCK_EVENTS);
        }
    }
}

/// Numbers the next generated event and, if the connection has had all before it, queues it.
pub(crate) fn live(core: &mut Core, conn: &mut Conn, slot: usize) {
    let Some(session) = core.session(slot) else { return };
    let (s, traffic, shard) = (session.last_s + 1, session.traffic, session.shard.0);
    let k = session.traffic_index(s);
    let canaried = core.canary_in(shard, k, 1);
    let mut text = std::mem::take(&mut core.scratch);
    text.clear();
    let written = traffic.write_payload(k, s, &mut text);
    let hash = crate::ledger::hash(&text.as_bytes()[written.d]);
    core.number_traffic(slot, Source::Traffic, (written.id, hash));
    if conn.sent_s + 1 == s {
        conn.leave_block(&mut core.pool);
        conn.sent_s = s;
        let mut wrote = Wrote::Traffic;
        if canaried {
            wrote = core.write_payload(slot, s, &mut text);
        }
        encode(core, conn, &text, wrote);
        note_queued(core, conn, slot);
    }
    core.scratch = text;
}

/// Flat out playing of a capture: numbers and queues about one write.
fn captured_flat(core: &mut Core, conn: &mut Conn, slot: usize) -> bool {
    if core.config.capture.as_ref().is_none_or(|capture| capture.speed.is_some()) {
        return false;
    }
    let mut more = false;
    while conn.out.len() < WRITE_BYTES && captured_next(core, conn, slot).is_some() {
        more = true;
    }
    more
}

/// Numbers the next captured event that the session's intents let through, and queues it if the
/// connection has had all before it. Gives its due time; `None`: none is left, or not yet.
pub(crate) fn captured_next(core: &mut Core, conn: &mut Conn, slot: usize) -> Option<u64> {
    let session = core.session(slot)?;
    let start = core.config.capture.as_ref()?.start;
    if !session.ready || session.superseded || (start != Start::Each && !core.started) {
        return None;
    }
    let (index, due_ns, hash) = core.next_captured(slot)?;
    core.session_mut(slot)?.capture_at = index + 1;
    let s = core.number_traffic(slot, Source::Capture(index), (0, hash));
    if conn.sent_s + 1 == s {
        conn.sent_s = s;
        let mut text = std::mem::take(&mut core.scratch);
        let wrote = core.write_payload(slot, s, &mut text);
        encode(core, conn, &text, wrote);
        core.scratch = text;
        note_queued(core, conn, slot);
    }
    Some(due_ns)
}

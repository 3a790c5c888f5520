//! Committing faults: arming them for a connection, and doing what they say. No sockets: what
//! must happen to the socket is left in `Conn::doom`.

use crate::config::Framing;
use crate::conn::{Conn, Doom, Phase};
use crate::core::{Core, Effect, Timer};
use crate::faults::{Action, Fault, Injection, TlsFault, When};
use crate::frame;
use crate::payload::Wrote;
use crate::protocol::INVALID_SESSION;
use crate::session::Source;
use crate::traffic::{Rng, write_envelope};
use crate::voice;

/// Arms the faults that need no shard: at the upgrade.
pub(crate) fn arm_at_upgrade(core: &mut Core, conn: &mut Conn) {
    let ordinal = conn.ordinal;
    arm(core, conn, |fault| fault.shard.is_none() && nth(fault, ordinal));
}

/// Arms the faults of a shard, once the connection's shard is known.
pub(crate) fn arm_for_shard(core: &mut Core, conn: &mut Conn, shard_id: u32) {
    let stats = core.stats.shards.entry(shard_id).or_default();
    stats.connections += 1;
    let ordinal = stats.connections;
    arm(core, conn, |fault| fault.shard == Some(shard_id) && nth(fault, ordinal));
}

fn nth(fault: &Fault, ordinal: u32) -> bool {
    fault.connection.is_none_or(|nth| nth == ordinal)
}

fn arm(core: &mut Core, conn: &mut Conn, about: impl Fn(&Fault) -> bool) {
    for fault in core.config.faults.iter().filter(|fault| about(fault)) {
        conn.armed.push((fault.at, fault.action.clone()));
        if let When::AfterMs(ms) = fault.at {
            let at_ns = core.now_ns + ms * 1_000_000;
            core.effects.push(Effect::Timer(at_ns, Timer::Fault(conn.slot, conn.id, ms)));
        }
    }
}

/// Commits the faults armed for this moment. True if any of them stands in place of what the
/// moment would have brought.
pub(crate) fn fire(core: &mut Core, conn: &mut Conn, moment: When) -> bool {
    if conn.armed.is_empty() {
        return false;
    }
    let mut replaced = false;
    while let Some(action) = conn.take_fault(moment) {
        let beside = matches!(
            action,
            Action::WithholdAcks
                | Action::Frame(_)
                | Action::Gap(_)
                | Action::Voice(_)
                | Action::Tls(TlsFault::KeyUpdate | TlsFault::Garbage)
        );
        replaced |= !beside;
        commit(core, conn, &action);
        if moment == When::Heartbeat {
            break;
        }
    }
    replaced
}

/// Does what a fault says, now.
pub(crate) fn commit(core: &mut Core, conn: &mut Conn, action: &Action) {
    if conn.phase != Phase::Open {
        return;
    }
    core.stats.faults += 1;
    conn.leave_block(&mut core.pool);
    match action {
        Action::Reconnect => {
            conn.send(&mut core.pool, r#"{"t":null,"s":null,"op":7,"d":null}"#);
        }
        Action::InvalidSession(resumable) => {
            if *resumable {
                conn.send(&mut core.pool, r#"{"t":null,"s":null,"op":9,"d":true}"#);
            } else {
                conn.send(&mut core.pool, INVALID_SESSION);
                if let Some(slot) = conn.session.take() {
                    core.end_session(slot);
                }
            }
        }
        Action::Close { code, reason } => conn.close(*code, reason),
        Action::Reset => {
            half_a_frame(core, conn);
            conn.doom = Some(Doom::Reset);
        }
        Action::Drop => conn.doom = Some(Doom::Fin),
        Action::Zombie => conn.zombie = true,
        Action::WithholdAcks => conn.withhold_acks = true,
        Action::Swallow => {}
        Action::AskHeartbeat => {
            conn.send(&mut core.pool, r#"{"t":null,"s":null,"op":1,"d":null}"#);
        }
        Action::Inject(injection) => inject(core, conn, injection),
        Action::Duplicate => {
            let mut text = std::mem::take(&mut core.scratch);
            if let Some(slot) = conn.session
                && let Wrote::Traffic | Wrote::Other =
                    core.write_payload(slot, conn.sent_s, &mut text)
            {
                conn.codec.encode(&mut core.pool, text.as_bytes(), &mut conn.out);
            }
            core.scratch = text;
        }
        Action::Gap(count) => {
            if let Some(session) = conn.session.and_then(|slot| core.session_mut(slot)) {
                session.number(Source::Gap, *count);
            }
        }
        Action::Voice(fault) => voice::commit(core, conn.session, *fault),
        Action::Frame(framing) => conn.codec.framing = *framing,
        Action::Tls(fault) => {
            // Without TLS the half of a frame would be a fault of another kind.
            if core.config.tls.is_none() {
                return;
            }
            if matches!(fault, TlsFault::Alert | TlsFault::Truncate) {
                half_a_frame(core, conn);
                conn.doom = Some(Doom::Abrupt);
            }
            conn.tls_fault = Some(*fault);
        }
    }
}

/// Half of a frame. The frame holds the next traffic event if there is one (it was
/// numbered, and comes again on RESUME), else a dispatch that nobody numbered.
fn half_a_frame(core: &mut Core, conn: &mut Conn) {
    let mut text = String::new();
    if let Some(slot) = conn.session
        && crate::pump::traffic_flows(core, slot)
        && let Some(s) = core.session(slot).map(|session| session.last_s + 1)
    {
        let mark = core.mark_of(slot, s);
        core.number_traffic(slot, Source::Traffic, mark);
        // If a canary drops it there is half of nothing to send.
        let _ = core.write_payload(slot, s, &mut text);
    }
    if text.is_empty() {
        text = r#"{"t":null,"s":null,"op":11,"d":null}"#.to_owned();
    }
    let mut whole = crate::out::OutQueue::default();
    conn.codec.encode(&mut core.pool, text.as_bytes(), &mut whole);
    let mut bytes = Vec::new();
    // A queue into a Vec never blocks.
    let _ = whole.flush(&mut bytes);
    bytes.truncate(bytes.len() / 2);
    conn.out.append(|out| out.extend_from_slice(&bytes));
}

fn inject(core: &mut Core, conn: &mut Conn, injection: &Injection) {
    let raw = |conn: &mut Conn, bytes: &[u8]| {
        conn.out.append(|out| out.extend_from_slice(bytes));
    };
    match injection {
        Injection::Raw(bytes) => raw(conn, bytes),
        Injection::Random(count) => {
            let mut rng = Rng::new(core.config.seed ^ conn.id);
            let bytes: Vec<u8> = (0..*count).map(|_| rng.draw() as u8).collect();
            raw(conn, &bytes);
        }
        Injection::Masked => raw(conn, &[0x81, 0x82, 1, 2, 3, 4, b'{' ^ 1, b'}' ^ 2]),
        Injection::Claim(len) => {
            let mut header = vec![frame::BINARY, 127];
            header.extend_from_slice(&len.to_be_bytes());
            raw(conn, &header);
        }
        Injection::InvalidUtf8 => raw(conn, &[frame::TEXT, 4, b'{', 0xff, 0xfe, b'}']),
        Injection::Text(text) => conn.send(&mut core.pool, text),
        Injection::TruncatedJson => {
            let mut text = String::new();
            write_envelope("MESSAGE_CREATE", conn.sent_s + 1, &mut text);
            text.push_str(r#"{"id":"12"#);
            conn.send(&mut core.pool, &text);
        }
        Injection::Bomb(bytes) => bomb(core, conn, *bytes),
        Injection::UnknownOpcode => {
            conn.send(&mut core.pool, r#"{"t":null,"s":null,"op":97,"d":{"new":[1,2]}}"#);
        }
        Injection::UnknownEvent => {
            if let Some(slot) = conn.session {
                let d = r#"{"id":"77","of":"tomorrow","list":[1,{"a":null}]}"#;
                core.number_stored(slot, "SOMETHING_OF_TOMORROW", d.to_owned());
            }
        }
        Injection::ReservedBits => raw(conn, &[frame::TEXT | 0x40, 2, b'{', b'}']),
        Injection::BadDeflate => {
            raw(conn, &[frame::BINARY, 8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        }
    }
}

/// One message of so many bytes, nearly all of them spaces in a valid JSON text.
fn bomb(core: &mut Core, conn: &mut Conn, bytes: usize) {
    let text = format!(r#"{{"t":null,"s":null,"op":11,"d":null{}}}"#, " ".repeat(bytes));
    let framing = std::mem::replace(&mut conn.codec.framing, Framing::Whole);
    conn.send(&mut core.pool, &text);
    conn.codec.framing = framing;
}

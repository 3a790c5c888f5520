//! From a connection's bytes to requests and whole client messages. No sockets: the event loop
//! reads, this judges.

use crate::conn::{Conn, Phase};
use crate::core::Core;
use crate::frame::{self, Parsed};
use crate::{http, protocol};

/// Bytes came: a request, or frames.
pub(crate) fn on_input(core: &mut Core, conn: &mut Conn) {
    if conn.phase == Phase::Http {
        if conn.doom.is_none() {
            http::on_input(core, conn);
        }
        if conn.phase == Phase::Http {
            return;
        }
    }
    let mut at = 0;
    while at < conn.input.len() && !conn.zombie {
        match frame::parse(&conn.input[at..], FRAME_BYTES_MAX) {
            Parsed::Partial => break,
            Parsed::Broken(code, reason) => {
                at = conn.input.len();
                conn.close(code, reason);
            }
            Parsed::Frame(frame, len) => {
                at += len;
                on_frame(core, conn, frame);
            }
        }
    }
    conn.input.drain(..at);
}

fn on_frame(core: &mut Core, conn: &mut Conn, frame: frame::ClientFrame) {
    match frame.opcode {
        8 => return protocol::on_close(core, conn, &frame.payload),
        9 if conn.phase == Phase::Open => {
            // A control frame may stand between any two frames, also within a block: but blocks
            // are queued by whole frames only, so the end of the queue is always such a place.
            conn.out.append(|bytes| {
                frame::write_header(frame::PONG, frame.payload.len(), bytes);
                bytes.extend_from_slice(&frame.payload);
            });
            return;
        }
        9 | 10 => return,
        _ => {}
    }
    if conn.phase != Phase::Open {
        return; // after our close frame only the client's is of interest
    }
    let message = match (frame.opcode, conn.fragments.take(), frame.fin) {
        (0, Some(mut gathered), fin) => {
            gathered.extend_from_slice(&frame.payload);
            if gathered.len() > FRAME_BYTES_MAX {
                return conn.close(4002, "Payload too long.");
            }
            if !fin {
                conn.fragments = Some(gathered);
                return;
            }
            gathered
        }
        (1 | 2, None, true) => frame.payload,
        (1 | 2, None, false) => {
            conn.fragments = Some(frame.payload);
            return;
        }
        _ => return conn.close(1002, "fragments out of order"),
    };
    protocol::on_message(core, conn, &message);
}

/// A client frame longer than this is not even gathered (the protocol's limit is 4,096 bytes).
const FRAME_BYTES_MAX: usize = 64 * 1024;

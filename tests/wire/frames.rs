//! RFC 6455 rules, one by one, and the bounds on what is kept.

use shardring::wire::{
    CloseFrame, Compression, Fault, Opened, PoolLimits, Wire, WireError, WireLimits,
};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketContext};

use crate::oracle::Feed;
use crate::support::*;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn closed(code: u16, reason: &str) -> Seen {
    Seen::Close(CloseFrame { code: Some(code), reason: reason.to_owned() })
}

#[test]
fn control_frames_are_seen_between_fragments_and_the_message_is_whole() {
    let bytes = [
        frame(false, TEXT, b"{\"op\""),
        frame(true, PING, b"are you there"),
        frame(false, CONTINUE, b":1"),
        frame(true, PONG, b""),
        frame(false, CONTINUE, b"1}"),
        frame(true, PING, b""),
        frame(true, CONTINUE, b""),
        frame(true, TEXT, b"next"),
        frame(true, CLOSE, b"\x0F\xA0reason"),
    ]
    .concat();
    let expected = [
        Seen::Ping(b"are you there".to_vec()),
        Seen::Pong,
        Seen::Ping(Vec::new()),
        text_of(b"{\"op\":11}"),
        text_of(b"next"),
        closed(4000, "reason"),
    ];
    assert_eq!(seen_of(Compression::None, &bytes), expected);
    assert_blind_to_splits(Compression::None, WireLimits::default(), &bytes, 1);
}

#[test]
fn messages_of_every_length_format_come_whole() {
    for len in [0, 1, 125, 126, 127, 4079, 4080, 4081, 8160, 65_535, 65_536, 200_000] {
        let text: Vec<u8> = (0..len).map(|i| b'a' + (i % 23) as u8).collect();
        let bytes = [frame(true, TEXT, &text), frame(true, TEXT, b"end")].concat();
        assert_eq!(seen_of(Compression::None, &bytes), [text_of(&text), text_of(b"end")]);
        assert_blind_to_splits(Compression::None, WireLimits::default(), &bytes, len as u64);
    }
}

#[test]
fn what_a_server_must_not_send_is_a_typed_error() {
    let start = frame(false, TEXT, b"begun");
    let table: [(&str, Vec<u8>, WireError); 20] = [
        ("rsv1", raw_frame(0xC1, b"x"), WireError::ReservedBits),
        ("rsv2", raw_frame(0xA1, b"x"), WireError::ReservedBits),
        ("rsv3", raw_frame(0x91, b"x"), WireError::ReservedBits),
        ("rsv1 on a ping", raw_frame(0xC9, b""), WireError::ReservedBits),
        ("masked", b"\x81\x81\x01\x02\x03\x04x".to_vec(), WireError::MaskedFrame),
        ("opcode 3", raw_frame(0x83, b""), WireError::UnknownOpcode { opcode: 3 }),
        ("opcode 7", raw_frame(0x87, b""), WireError::UnknownOpcode { opcode: 7 }),
        ("opcode 11", raw_frame(0x8B, b""), WireError::UnknownOpcode { opcode: 11 }),
        ("opcode 15", raw_frame(0x8F, b""), WireError::UnknownOpcode { opcode: 15 }),
        ("ping in fragments", frame(false, PING, b""), WireError::FragmentedControl),
        ("close in fragments", frame(false, CLOSE, b""), WireError::FragmentedControl),
        ("long ping", frame(true, PING, &[0; 126]), WireError::ControlTooLong { len: 126 }),
        ("long close", frame(true, CLOSE, &[0; 300]), WireError::ControlTooLong { len: 300 }),
        ("continuation", frame(true, CONTINUE, b"x"), WireError::UnexpectedContinuation),
        (
            "continuation after a whole message",
            [frame(true, TEXT, b""), frame(true, CONTINUE, b"")].concat(),
            WireError::UnexpectedContinuation,
        ),
        (
            "text amid fragments",
            [start.clone(), frame(true, TEXT, b"x")].concat(),
            WireError::InterruptedMessage,
        ),
        (
            "binary amid fragments",
            [start, frame(true, BINARY, b"x")].concat(),
            WireError::InterruptedMessage,
        ),
        ("half a code", frame(true, CLOSE, b"\x03"), WireError::ClosePayload),
        ("code 1005", frame(true, CLOSE, b"\x03\xED"), WireError::CloseCode { code: 1005 }),
        ("reason", frame(true, CLOSE, b"\x03\xE8\xFF\xFE"), WireError::CloseReason),
    ];
    for (what, bytes, error) in table {
        let seen = seen_of(Compression::None, &bytes);
        assert_eq!(seen.last(), Some(&Seen::Failed(error)), "{what}");
        assert_blind_to_splits(Compression::None, WireLimits::default(), &bytes, 2);
        assert_eq!((error.fault(), error.session_survives()), (Fault::Peer, true), "{what}");
        assert!(error.to_string().len() > 20, "{what}: a text a stranger can act on");
    }
}

#[test]
fn exactly_the_close_codes_of_the_rfc_and_the_registry_are_taken() {
    for code in 0..=u16::MAX {
        let payload = [&code.to_be_bytes()[..], b"why"].concat();
        let expected = match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => closed(code, "why"),
            _ => Seen::Failed(WireError::CloseCode { code }),
        };
        assert_eq!(seen_of(Compression::None, &frame(true, CLOSE, &payload)), [expected]);
    }
    let expected = Seen::Close(CloseFrame { code: None, reason: String::new() });
    assert_eq!(seen_of(Compression::None, &frame(true, CLOSE, b"")), [expected]);
}

#[test]
fn a_failed_wire_stays_failed_with_the_same_error() {
    let mut rig = Rig::upgraded(Compression::None);
    let bytes = [frame(false, TEXT, &[b'x'; 9000]), raw_frame(0xF1, b"")].concat();
    assert_eq!(rig.feed(&bytes), [Seen::Failed(WireError::ReservedBits)]);
    for later in [frame(true, TEXT, b"fine"), Vec::new(), frame(true, CONTINUE, b"fine")] {
        assert_eq!(rig.feed(&later), [Seen::Failed(WireError::ReservedBits)]);
    }
    rig.wire.release(&mut rig.pool);
    assert_eq!(rig.feed(b"x"), [Seen::Failed(WireError::ReservedBits)]);
}

#[test]
fn bytes_after_a_close_or_a_release_are_ignored() {
    let mut rig = Rig::upgraded(Compression::None);
    let close = frame(true, CLOSE, b"\x03\xE8");
    let bytes = [frame(false, TEXT, &[b'x'; 9000]), close, raw_frame(0xFF, b"junk")].concat();
    assert_eq!(rig.feed(&bytes), [closed(1000, "")]);
    assert_eq!(rig.pool.used_len(), 0, "the message that cannot end any more is forgotten");
    assert_eq!(rig.feed(b"\xFF\xFF\xFF"), []);

    let mut rig = Rig::upgraded(Compression::None);
    assert_eq!(rig.feed(&frame(false, TEXT, &[b'x'; 9000])), []);
    assert!(rig.pool.used_len() > 9000);
    rig.wire.release(&mut rig.pool);
    assert_eq!(rig.pool.used_len(), 0);
    assert_eq!(rig.feed(b"\xFF\xFF\xFF"), []);
}

#[test]
fn held_and_lacking_lengths_tell_how_far_a_message_is() {
    let mut rig = Rig::upgraded(Compression::None);
    let bytes = frame(false, TEXT, &[b'x'; 1000]);
    let mut lens = Vec::new();
    for piece in [&bytes[..2], &bytes[2..4], &bytes[4..104], &bytes[104..]] {
        assert_eq!(rig.feed(piece), []);
        lens.push((rig.wire.held_len(), rig.wire.lacking_len()));
    }
    assert_eq!(lens, [(0, None), (0, Some(1000)), (100, Some(900)), (1000, None)]);
    rig.release();
}

#[test]
fn a_length_over_the_limit_is_refused_when_its_header_is_read() {
    let limits =
        WireLimits { compressed_len_max: 1000, inflated_len_max: 2000, upgrade_len_max: 500 };
    let text = |len| WireError::TextTooLong { len, len_max: 2000 };
    let binary = |len| WireError::CompressedTooLong { len, len_max: 1000 };
    let huge = |opcode: u8, len: u64| [&[0x80 | opcode, 127][..], &len.to_be_bytes()].concat();
    let header_of = |bytes: Vec<u8>| bytes[..4].to_vec();
    let table = [
        (huge(TEXT, 1 << 30), text(1 << 30)),
        (huge(BINARY, 1 << 30), binary(1 << 30)),
        (huge(TEXT, u64::MAX), text(u64::MAX)),
        (header_of(frame(true, TEXT, &[0; 2001])), text(2001)),
        (header_of(frame(true, BINARY, &[0; 1001])), binary(1001)),
        // over fragments
        (
            [frame(false, TEXT, &[0; 1500]), header_of(frame(true, CONTINUE, &[0; 501]))].concat(),
            text(2001),
        ),
        // over parts of one compressed message
        (
            [frame(true, BINARY, &[0; 600]), header_of(frame(true, BINARY, &[0; 401]))].concat(),
            binary(1001),
        ),
        ([frame(false, TEXT, b"x"), huge(CONTINUE, u64::MAX)].concat(), text(u64::MAX)),
    ];
    for (bytes, error) in table {
        let rig = || Rig::upgraded_with(Compression::ZlibStream, limits, PoolLimits::default());
        assert_eq!(rig().feed(&bytes), [Seen::Failed(error)]);
        assert!(error.is_limit());
        assert_blind_to_splits(Compression::ZlibStream, limits, &bytes, 3);
    }
    let mut rig = Rig::upgraded_with(Compression::ZlibStream, limits, PoolLimits::default());
    assert_eq!(rig.feed(&frame(true, TEXT, &[b'x'; 2000])), [text_of(&[b'x'; 2000])]);
}

#[test]
fn a_full_pool_fails_the_connection_as_our_own_fault() {
    let pool = PoolLimits { len_max: 8192, reserve_len_max: 4096, keep_len: 4096 };
    let mut rig = Rig::upgraded_with(Compression::None, WireLimits::default(), pool);
    let bytes = frame(false, TEXT, &[b'x'; 20_000]);
    let error = WireError::PoolExhausted { len_max: 12_288 };
    assert_eq!(rig.feed(&bytes), [Seen::Failed(error)]);
    assert_eq!((error.fault(), error.session_survives()), (Fault::System, true));
    let counters = rig.pool.counters();
    assert_eq!((counters.used_high_len, counters.refused_count), (12_288, 1));
    // a message that lies whole in the bytes needs no chunk
    let mut rig = Rig::upgraded_with(Compression::None, WireLimits::default(), pool);
    assert_eq!(rig.feed(&frame(true, TEXT, &[b'x'; 20_000])), [text_of(&[b'x'; 20_000])]);
    assert_eq!(rig.pool.counters().used_high_len, 0);
}

#[test]
fn only_a_message_with_a_payload_touches_the_payload() {
    let mut rig = Rig::upgraded(Compression::None);
    rig.feed(&frame(true, TEXT, b"keep me"));
    rig.feed(&[frame(true, PING, b"?"), frame(false, TEXT, b"half")].concat());
    assert_eq!(rig.payload.text(), b"keep me");
    rig.payload.shrink(3);
    assert_eq!((rig.payload.text(), rig.payload.capacity()), (&b""[..], 3));
    rig.feed(&frame(true, CONTINUE, b" and half"));
    assert_eq!(rig.payload.text(), b"half and half");
    rig.release();
}

#[test]
fn debug_output_holds_no_payload() {
    let mut rig = Rig::upgraded(Compression::None);
    let bytes = [frame(true, TEXT, b"s3cret"), frame(false, TEXT, b"s3cret")].concat();
    rig.feed(&bytes);
    let ping = frame(true, PING, b"s3cret");
    let (_, opened) = rig.wire.open(&ping, &mut rig.pool, &mut rig.payload).unwrap();
    let debug = format!("{:?} {:?} {:?} {opened:?}", rig.wire, rig.pool, rig.payload);
    assert!(debug.contains("held_len: 6"), "{debug}");
    assert!(!debug.contains("s3cret") && !debug.contains("115, 51"), "{debug}");
}

#[test]
fn a_server_reads_what_is_sealed() {
    let mut rig = Rig::upgraded(Compression::None);
    let ping = frame(true, PING, b"\x00\xFFping");
    let opened = rig.wire.open(&ping, &mut rig.pool, &mut rig.payload).unwrap().1;
    let Opened::Ping(ping) = opened else { panic!("{opened:?}") };
    let texts = [0, 1, 125, 126, 4096, 65_535, 65_536].map(|len| "é".repeat(len / 2));
    let mut out = Vec::new();
    for text in &texts {
        Wire::seal_text(text, MASK, &mut out);
    }
    Wire::seal_pong(&ping, MASK, &mut out);
    Wire::seal_close(4000, "zombie", MASK, &mut out);

    let mut server = WebSocketContext::new(Role::Server, None);
    let mut feed = Feed::new(&out);
    for text in &texts {
        assert_eq!(server.read(&mut feed).unwrap().into_text().unwrap().as_str(), text);
    }
    let pong = server.read(&mut feed).unwrap();
    assert!(pong.is_pong());
    assert_eq!(&pong.into_data()[..], b"\x00\xFFping");
    let close = server.read(&mut feed).unwrap();
    let tungstenite::Message::Close(Some(close)) = close else { panic!("{close:?}") };
    assert_eq!((close.code, close.reason.as_str()), (CloseCode::Library(4000), "zombie"));
}

#[test]
fn a_sealed_close_is_always_lawful() {
    let body = |code, reason: &str| {
        let mut out = Vec::new();
        Wire::seal_close(code, reason, [0; 4], &mut out);
        assert_eq!((out[0], usize::from(out[1] & 0x7F)), (0x88, out.len() - 6));
        out[6..].to_vec()
    };
    assert_eq!(body(1006, "dropped"), b"");
    assert_eq!(body(5000, "dropped"), b"");
    assert_eq!(body(4000, ""), 4000u16.to_be_bytes());
    let long = body(4000, &"a".repeat(500));
    assert_eq!(long.len(), 125);
    let cut = body(4000, &format!("{}é", "a".repeat(122)));
    assert_eq!(&cut[2..], "a".repeat(122).as_bytes(), "no half of a character");
    assert_eq!(body(4000, &"é".repeat(80)).len(), 124);
}

#[test]
fn a_mask_is_applied_byte_by_byte_in_its_order() {
    // RFC 6455 §5.7
    let mut out = b"before".to_vec();
    Wire::seal_text("Hello", MASK, &mut out);
    assert_eq!(out, b"before\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

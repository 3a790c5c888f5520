//! zlib-stream over the life of a connection, payload compression, and bad deflate data.

use shardring::clock::Rng;
use shardring::wire::{Compression, PoolLimits, WireError, WireLimits};

use crate::support::*;

const ZLIB: Compression = Compression::ZlibStream;

fn inflated(text: &[u8], wire_len: usize) -> Seen {
    Seen::Text { text: text.to_vec(), wire_len }
}

#[test]
fn thousands_of_messages_share_one_stream_however_they_are_cut() {
    let mut rng = Rng::new(7);
    let mut compressor = Compressor::new();
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for _ in 0..4000 {
        let len = 20 + below(&mut rng, 3000);
        let text = random_text(&mut rng, len);
        let message = compressor.message(&text);
        expected.push(inflated(&text, message.len()));
        // whole, in fragments, or in WebSocket messages that are only parts
        let cut = below(&mut rng, message.len());
        match below(&mut rng, 5) {
            0 => {
                bytes.extend(frame(false, BINARY, &message[..cut]));
                bytes.extend(frame(true, CONTINUE, &message[cut..]));
            }
            1 => {
                bytes.extend(frame(true, BINARY, &message[..cut]));
                bytes.extend(frame(true, BINARY, &message[cut..]));
            }
            2 => {
                bytes.extend(frame(true, BINARY, &message[..message.len() - 1]));
                bytes.extend(frame(true, BINARY, b""));
                bytes.extend(frame(true, BINARY, &message[message.len() - 1..]));
            }
            _ => bytes.extend(frame(true, BINARY, &message)),
        }
    }
    assert!(seen_of(ZLIB, &bytes) == expected);
    assert_blind_to_splits(ZLIB, WireLimits::default(), &bytes, 8);
}

#[test]
fn three_megabytes_come_whole_and_their_chunks_go_back() {
    let mut rng = Rng::new(9);
    let mut compressor = Compressor::new();
    let mut rig = Rig::upgraded(ZLIB);
    for round in 0..3 {
        let text = random_text(&mut rng, 3 << 20);
        let message = compressor.message(&text);
        let bytes = frame(true, BINARY, &message);
        let seen = rig.feed_split(&bytes, || 4096);
        assert!(seen == [inflated(&text, message.len())]);
        assert_eq!(rig.pool.used_len(), 0);
        let counters = rig.pool.counters();
        assert!(counters.used_high_len >= message.len() - 4096, "round {round}: it was gathered");
        assert!(counters.free_len <= PoolLimits::default().keep_len);
    }
    rig.release();
}

#[test]
fn incompressible_text_at_every_chunk_edge_survives() {
    let mut rng = Rng::new(10);
    let mut compressor = Compressor::new();
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for len in (4060..4110).chain([8160, 32_768, 65_536, 65_537]) {
        let text = random_bytes(&mut rng, len);
        let message = compressor.message(&text);
        expected.push(inflated(&text, message.len()));
        bytes.extend(frame(true, BINARY, &message));
    }
    assert!(seen_of(ZLIB, &bytes) == expected);
    assert_blind_to_splits(ZLIB, WireLimits::default(), &bytes, 11);
}

#[test]
fn text_that_fills_the_output_exactly_is_whole_and_not_mixed_with_the_next() {
    // 4096 is the first size of an empty output; the doublings follow
    for len in [4095, 4096, 4097, 8191, 8192, 8193, 16_384] {
        let mut compressor = Compressor::new();
        let texts = [vec![b'a'; len], vec![b'b'; len], b"end".to_vec()];
        let messages = texts.each_ref().map(|text| compressor.message(text));
        let bytes: Vec<u8> = messages.iter().flat_map(|m| frame(true, BINARY, m)).collect();
        let expected: Vec<_> =
            texts.iter().zip(&messages).map(|(t, m)| inflated(t, m.len())).collect();
        assert!(seen_of(ZLIB, &bytes) == expected, "{len}");
    }
}

#[test]
fn the_kind_of_a_frame_decides_even_on_a_compressed_connection() {
    let mut compressor = Compressor::new();
    let messages = [compressor.message(b"one"), compressor.message(b"two")];
    let bytes = [
        frame(true, TEXT, b"plain"),
        frame(true, BINARY, &messages[0]),
        frame(true, TEXT, b"plain too"),
        frame(true, BINARY, &messages[1]),
    ]
    .concat();
    let expected = [
        text_of(b"plain"),
        inflated(b"one", messages[0].len()),
        text_of(b"plain too"),
        inflated(b"two", messages[1].len()),
    ];
    assert_eq!(seen_of(ZLIB, &bytes), expected);
    assert_blind_to_splits(ZLIB, WireLimits::default(), &bytes, 12);
}

#[test]
fn text_between_the_parts_of_a_compressed_message_is_an_error() {
    let message = Compressor::new().message(b"in two parts");
    let bytes = [frame(true, BINARY, &message[..5]), frame(true, TEXT, b"plain")].concat();
    assert_eq!(seen_of(ZLIB, &bytes), [Seen::Failed(WireError::TextInsideCompressed)]);
    assert_blind_to_splits(ZLIB, WireLimits::default(), &bytes, 13);
}

#[test]
fn data_behind_the_flush_mark_waits_for_the_next_mark() {
    let mut compressor = Compressor::new();
    let (one, two) = (compressor.message(b"one,"), compressor.message(b"two"));
    let all = [&one[..], &two].concat();
    let (now, later) = all.split_at(one.len() + 2);
    let mut rig = Rig::upgraded(ZLIB);
    assert_eq!(rig.feed(&frame(true, BINARY, now)), []);
    assert_eq!(rig.wire.held_len(), now.len());
    assert_eq!(rig.feed(&frame(true, BINARY, later)), [inflated(b"one,two", all.len())]);
    rig.release();
    // two marks in one message are one text
    assert_eq!(seen_of(ZLIB, &frame(true, BINARY, &all)), [inflated(b"one,two", all.len())]);
}

#[test]
fn fewer_than_four_bytes_are_never_the_mark() {
    for bytes in [&b"\x00\x00\xFF"[..], b"\xFF\xFF", b"\x00\xFF\xFF", b"\xFF"] {
        let mut rig = Rig::upgraded(ZLIB);
        assert_eq!(rig.feed(&frame(true, BINARY, bytes)), []);
        assert_eq!(rig.wire.held_len(), bytes.len());
        rig.release();
    }
    // nor do they make it up with the end of the message before
    let message = Compressor::new().message(b"one");
    let (start, mark_end) = message.split_at(message.len() - 2);
    let mut rig = Rig::upgraded(ZLIB);
    assert_eq!(rig.feed(&frame(false, BINARY, start)), []);
    assert_eq!(rig.feed(&frame(true, CONTINUE, mark_end)), [inflated(b"one", message.len())]);
    assert_eq!(rig.feed(&frame(true, BINARY, b"\xFF\xFF")), []);
    rig.release();
}

#[test]
fn a_bomb_is_stopped_at_the_limit_and_text_of_the_limit_is_not() {
    let limits = WireLimits { inflated_len_max: 100_000, ..WireLimits::default() };
    let fits = Compressor::new().message(&[b'a'; 100_000]);
    let over = Compressor::new().message(&[b'a'; 100_001]);
    let bomb = Compressor::new().message(&vec![b'a'; 20 << 20]);
    let rig = || Rig::upgraded_with(ZLIB, limits, PoolLimits::default());

    assert!(rig().feed(&frame(true, BINARY, &fits)) == [inflated(&[b'a'; 100_000], fits.len())]);
    for message in [over, bomb] {
        let mut rig = rig();
        let error = WireError::InflatedTooLong { len_max: 100_000 };
        let bytes = frame(true, BINARY, &message);
        assert_eq!(rig.feed(&bytes), [Seen::Failed(error)]);
        assert!(rig.payload.capacity() <= 100_001, "the output never grew past the limit");
        assert!(error.is_limit() && error.to_string().contains("inflated_len_max"));
        assert_blind_to_splits(ZLIB, limits, &bytes, 14);
    }
    // an output that was large before is no licence
    let mut rig = rig();
    rig.payload = shardring::wire::Payload::new(1 << 20);
    let bomb = Compressor::new().message(&vec![b'a'; 20 << 20]);
    let error = WireError::InflatedTooLong { len_max: 100_000 };
    assert_eq!(rig.feed(&frame(true, BINARY, &bomb)), [Seen::Failed(error)]);
    assert_eq!(rig.payload.len(), 100_001, "one byte past the limit tells it");
}

#[test]
fn a_stream_must_begin_with_a_zlib_header() {
    let good = Compressor::new().message(b"text");
    let with_header = |cmf: u8, flg: u8| [&[cmf, flg][..], &good[2..]].concat();
    let checked = |cmf: u8, flags: u8| {
        let short = u16::from_be_bytes([cmf, flags]) % 31;
        with_header(cmf, flags + (31 - short as u8) % 31)
    };
    for bad in [
        with_header(good[0], good[1] ^ 1), // check bits
        with_header(0x1F, 0x8B),           // gzip
        checked(0x79, 0x80),               // not deflate
        checked(0x88, 0x00),               // a window over 32 KiB
        checked(0x78, 0x20),               // a preset dictionary
    ] {
        let seen = seen_of(ZLIB, &frame(true, BINARY, &bad));
        assert_eq!(seen, [Seen::Failed(WireError::ZlibHeader)], "{:02x?}", &bad[..2]);
        assert_blind_to_splits(ZLIB, WireLimits::default(), &frame(true, BINARY, &bad), 15);
    }
    // the flush mark alone, without a header: fewer bytes than a header and a block need
    let seen = seen_of(ZLIB, &frame(true, BINARY, b"\x00\x00\xFF\xFF"));
    assert_eq!(seen, [Seen::Failed(WireError::ZlibHeader)]);
    for small_window in [checked(0x18, 0x00), checked(0x48, 0x40)] {
        let seen = seen_of(ZLIB, &frame(true, BINARY, &small_window));
        assert_eq!(seen, [inflated(b"text", good.len())]);
    }
}

#[test]
fn corrupt_deflate_data_is_an_error_and_not_a_panic() {
    // block type 3 does not exist (RFC 1951 §3.2.3)
    let bytes = frame(true, BINARY, b"\x78\x9C\x07\x00\x00\xFF\xFF");
    assert_eq!(seen_of(ZLIB, &bytes), [Seen::Failed(WireError::Deflate)]);
    // a stored block whose length is not confirmed
    let bytes = frame(true, BINARY, b"\x78\x9C\x00\x05\x00\x00\x00\x00\x00\xFF\xFF");
    assert_eq!(seen_of(ZLIB, &bytes), [Seen::Failed(WireError::Deflate)]);
    // a match that reaches back before the beginning
    let mut compressor = Compressor::new();
    let text = random_text(&mut Rng::new(1), 5000);
    compressor.message(&text);
    let second = [&b"\x78\x9C"[..], &compressor.message(&text)].concat();
    let seen = seen_of(ZLIB, &frame(true, BINARY, &second));
    assert_eq!(seen, [Seen::Failed(WireError::Deflate)]);
}

#[test]
fn a_stream_that_ends_is_an_error() {
    let whole = [&zlib_whole(b"all there is")[..], b"\x00\x00\xFF\xFF"].concat();
    let seen = seen_of(ZLIB, &frame(true, BINARY, &whole));
    assert_eq!(seen, [Seen::Failed(WireError::DeflateEnd)]);
}

#[test]
fn a_truncated_message_gives_less_text_or_an_error_but_never_bytes_that_were_not_sent() {
    let mut rng = Rng::new(16);
    let text = random_text(&mut rng, 20_000);
    let message = Compressor::new().message(&text);
    for cut in (2..message.len()).step_by(97) {
        let bytes = frame(true, BINARY, &[&message[..cut], b"\x00\x00\xFF\xFF"].concat());
        match &seen_of(ZLIB, &bytes)[..] {
            [Seen::Failed(WireError::Deflate | WireError::DeflateEnd)] => {}
            [Seen::Text { text: got, .. }] => {
                let common = got.iter().zip(&text).take_while(|(a, b)| a == b).count();
                assert!(common + 600 >= got.len(), "four alien bytes decode to little: {cut}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn payload_compression_is_read_message_by_message_without_asking() {
    let mut rng = Rng::new(17);
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for len in [0, 1, 10, 5000, 100_000, 3] {
        let text = random_text(&mut rng, len);
        let message = zlib_whole(&text);
        expected.push(inflated(&text, message.len()));
        bytes.extend(frame(true, BINARY, &message));
        expected.push(text_of(b"plain"));
        bytes.extend(frame(true, TEXT, b"plain"));
    }
    assert!(seen_of(Compression::None, &bytes) == expected);
    assert_blind_to_splits(Compression::None, WireLimits::default(), &bytes, 18);
}

#[test]
fn binary_that_is_no_whole_zlib_payload_is_a_typed_error() {
    let good = zlib_whole(b"some text that is long enough to be worth it");
    let mut bad_sum = good.clone();
    *bad_sum.last_mut().unwrap() ^= 1;
    let table = [
        (&b""[..], WireError::UnexpectedBinary),
        (b"\x78", WireError::UnexpectedBinary),
        (b"{\"op\":11}", WireError::UnexpectedBinary),
        (b"\x83h\x03", WireError::UnexpectedBinary), // Erlang terms
        (b"\x78\x9C", WireError::DeflateEnd),
        (b"\x78\x9C\x07", WireError::Deflate),
        (&good[..good.len() - 1], WireError::DeflateEnd),
        (&bad_sum, WireError::Deflate),
        (&[&good[..], b"x"].concat(), WireError::Deflate),
        (&[&good[..], &good].concat(), WireError::Deflate),
    ];
    for (message, error) in table {
        let bytes = frame(true, BINARY, message);
        let seen = seen_of(Compression::None, &bytes);
        assert_eq!(seen, [Seen::Failed(error)], "{message:02x?}");
        assert_blind_to_splits(Compression::None, WireLimits::default(), &bytes, 19);
    }
    let bomb = zlib_whole(&vec![0; 2 << 20]);
    let limits = WireLimits { inflated_len_max: 1 << 20, ..WireLimits::default() };
    let mut rig = Rig::upgraded_with(Compression::None, limits, PoolLimits::default());
    let error = WireError::InflatedTooLong { len_max: 1 << 20 };
    assert_eq!(rig.feed(&frame(true, BINARY, &bomb)), [Seen::Failed(error)]);
}

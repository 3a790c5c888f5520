//! RFC 6455 frames, the server's side: headers written unmasked, client frames read masked.
//! Written by hand from the RFC and apart from the library under test. No sockets, no state but
//! what the caller passes.

/// Text frame, final.
pub(crate) const TEXT: u8 = 0x81;
/// Binary frame, final.
pub(crate) const BINARY: u8 = 0x82;
/// Close frame.
pub(crate) const CLOSE: u8 = 0x88;
/// Pong frame.
pub(crate) const PONG: u8 = 0x8a;
/// The FIN bit of a frame's first byte.
pub(crate) const FIN: u8 = 0x80;

/// Appends an unmasked header (section 5.2). `first` is FIN, RSV and opcode as they shall be.
pub(crate) fn write_header(first: u8, len: usize, out: &mut Vec<u8>) {
    out.push(first);
    match len {
        0..126 => out.push(len as u8),
        126..65_536 => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// Appends a close frame; the reason is cut to what a control frame holds (123 bytes).
pub(crate) fn write_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    write_header(CLOSE, 2 + end, out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&reason.as_bytes()[..end]);
}

/// A frame from a client, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFrame {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// What stands at the beginning of the bytes received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Not yet a whole frame.
    Partial,
    /// A frame, and the bytes it took.
    Frame(ClientFrame, usize),
    /// A breach of the RFC: close with this code.
    Broken(u16, &'static str),
}

/// Parses one client frame. Control frames must be final and short, every frame masked, no RSV
/// bit set (no extension was agreed), and no frame longer than `len_max`.
pub(crate) fn parse(bytes: &[u8], len_max: usize) -> Parsed {
    let [first, second, ..] = *bytes else { return Parsed::Partial };
    let (fin, opcode) = (first & FIN != 0, first & 0x0f);
    if first & 0x70 != 0 {
        return Parsed::Broken(1002, "reserved bits are set");
    }
    if !matches!(opcode, 0..=2 | 8..=10) {
        return Parsed::Broken(1002, "reserved opcode");
    }
    if second & 0x80 == 0 {
        return Parsed::Broken(1002, "client frames must be masked");
    }
    let (len, at) = match second & 0x7f {
        126 if bytes.len() < 4 => return Parsed::Partial,
        126 => (u64::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
        127 if bytes.len() < 10 => return Parsed::Partial,
        127 => (bytes[2..10].iter().fold(0, |len, byte| len << 8 | u64::from(*byte)), 10),
        short => (u64::from(short), 2),
    };
    if opcode >= 8 && (!fin || len > 125) {
        return Parsed::Broken(1002, "control frames must be whole and short");
    }
    if len > len_max as u64 {
        return Parsed::Broken(4002, "payload too long");
    }
    let (mask_end, end) = (at + 4, at + 4 + len as usize);
    if bytes.len() < end {
        return Parsed::Partial;
    }
    let mask = &bytes[at..mask_end];
    let payload =
        bytes[mask_end..end].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
    Parsed::Frame(ClientFrame { fin, opcode, payload }, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masked_hello_of_the_rfc_is_read() {
        let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let hello = ClientFrame { fin: true, opcode: 1, payload: b"Hello".to_vec() };
        assert_eq!(parse(&bytes, 100), Parsed::Frame(hello, bytes.len()));
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut], 100), Parsed::Partial, "cut at {cut}");
        }
    }

    #[test]
    fn breaches_are_told_with_their_close_code() {
        let code = |bytes: &[u8]| match parse(bytes, 4_096) {
            Parsed::Broken(code, _) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(&[0x81, 0x05]), 1002); // unmasked
        assert_eq!(code(&[0xc1, 0x85]), 1002); // RSV1
        assert_eq!(code(&[0x83, 0x85]), 1002); // opcode 3
        assert_eq!(code(&[0x09, 0x80]), 1002); // fragmented ping
        assert_eq!(code(&[0x89, 0xfe, 0, 126]), 1002); // long ping
        assert_eq!(code(&[0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]), 4002); // 2^63
    }

    #[test]
    fn headers_use_the_shortest_form() {
        let header = |len| {
            let mut out = Vec::new();
            write_header(TEXT, len, &mut out);
            out
        };
        assert_eq!(header(125), [0x81, 125]);
        assert_eq!(header(126), [0x81, 126, 0, 126]);
        assert_eq!(header(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(header(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}

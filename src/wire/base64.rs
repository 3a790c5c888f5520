//! Base64 with padding (RFC 4648 §4), one way: for a WebSocket key and for Basic credentials.

/// The text of `bytes`.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte));
        let bits = bits << (8 * (3 - group.len()));
        for i in 0..4 {
            let is_digit = i <= group.len();
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if is_digit { digit.into() } else { '=' });
        }
    }
    text
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

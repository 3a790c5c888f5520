//! zstd-stream: contexts that compress messages, and how bytes of a fresh context are put into a
//! frame that is under way. No sockets.
//!
//! Invariant: in an endless frame what a client receives is one zstd frame (RFC 8878), whatever
//! contexts made it. The blocks of a fresh context refer to nothing before them, except by the
//! three repeated offsets, which it takes to be 1, 4 and 8 as at a frame's beginning. So its frame
//! header is left out and [`BEGIN_ANEW`] stands in its place: a block that makes the decoder's
//! offsets just these. It decodes to 33 spaces, which stand before a message's JSON.

use crate::config::ZstdFrames;
use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

/// A context: 1 MB, of which one that compresses little touches a fraction.
pub(crate) struct Zstd {
    context: CCtx<'static>,
    /// It has compressed nothing since its beginning.
    fresh: bool,
}

impl Zstd {
    /// A fresh context.
    pub(crate) fn new() -> Self {
        let mut context = CCtx::create();
        for parameter in [
            CParameter::CompressionLevel(ZSTD_LEVEL),
            CParameter::WindowLog(WINDOW_LOG),
            CParameter::HashLog(TABLE_LOG),
            CParameter::ChainLog(TABLE_LOG),
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
        ] {
            // All are within the library's bounds; were one refused, its default would serve.
            let _ = context.set_parameter(parameter);
        }
        Self { context, fresh: true }
    }

    /// Forgets what it has compressed.
    pub(crate) fn begin_anew(&mut self) {
        // It can only fail for a context that does not exist.
        let _ = self.context.reset(ResetDirective::SessionOnly);
        self.fresh = true;
    }

    /// Appends a message: in an endless frame flushed; `first` if nothing of the frame went before.
    /// Else as a frame of its own.
    pub(crate) fn message(
        &mut self,
        frames: ZstdFrames,
        first: bool,
        text: &[u8],
        out: &mut Vec<u8>,
    ) {
        match frames {
            ZstdFrames::EachMessage => {
                self.run(text, ZSTD_EndDirective::ZSTD_e_end, out);
                self.fresh = true;
            }
            ZstdFrames::Endless if self.fresh && !first => {
                out.extend_from_slice(&BEGIN_ANEW);
                let header_at = out.len();
                self.run(text, ZSTD_EndDirective::ZSTD_e_flush, out);
                debug_assert_eq!(out[header_at..header_at + 6], FRAME_HEADER);
                out.copy_within(header_at + FRAME_HEADER.len().., header_at);
                out.truncate(out.len() - FRAME_HEADER.len());
                self.fresh = false;
            }
            ZstdFrames::Endless => {
                self.run(text, ZSTD_EndDirective::ZSTD_e_flush, out);
                self.fresh = false;
            }
        }
    }

    fn run(&mut self, text: &[u8], directive: ZSTD_EndDirective, out: &mut Vec<u8>) {
        let mut input = InBuffer::around(text);
        loop {
            out.reserve(text.len() / 3 + 1_024);
            let at = out.len();
            let mut output = OutBuffer::around_pos(out, at);
            let left = self.context.compress_stream2(&mut output, &mut input, directive);
            // A context that this process made and feeds cannot fail; should it, the message is
            // cut short and the client's decoder will say so.
            if left.is_err() || (left == Ok(0) && input.pos() == text.len()) {
                return;
            }
        }
    }
}

/// A compressed block (RFC 8878, section 3.1.1.2) after which the repeated offsets are 1, 4, 8. It
/// has 24 literals and three sequences of 8 literals and a match of 3, at offsets 8, 4 and 1.
pub(crate) const BEGIN_ANEW: [u8; 12] = [
    // Not the last block, compressed, 9 bytes.
    9 << 3 | 2 << 1,
    0,
    0,
    // Literals: 24 times a space (RLE, the size in 5 bits).
    24 << 3 | 1,
    b' ',
    // Three sequences; literal lengths and match lengths by RLE, offset codes by the default table.
    3,
    0b01_00_01_00,
    // Literal length code 8: 8. Match length code 0: 3.
    8,
    0,
    // From the end, the marker bit first: state 5 (code 3), 3 of 3 bits (8 + 3 - 3 = 8); state 14
    // (code 2), 3 of 2 bits (4 + 3 - 3 = 4); state 14, 0 of 2 bits (4 - 3 = 1).
    0b10111000,
    0b11011101,
    0b01001010,
];

/// What a context of ours begins a frame with: magic number, no content size or checksum, a
/// window of 2^17.
const FRAME_HEADER: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, (WINDOW_LOG as u8 - 10) << 3];
/// The window, of 128 KiB: what a client keeps per connection.
const WINDOW_LOG: u32 = 17;
/// Tables of 2^14 entries: a message is small, and contexts are many.
const TABLE_LOG: u32 = 14;
/// Discord's level is not known; 3 is the library's own.
const ZSTD_LEVEL: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use zstd_safe::{DCtx, DParameter};

    /// Decodes messages by one context that bears no larger window; no frame may end.
    fn decode(messages: &[Vec<u8>]) -> Vec<String> {
        let mut context = DCtx::create();
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).expect("a parameter");
        let decoded = messages.iter().map(|message| {
            let mut text = Vec::with_capacity(1 << 20);
            let mut input = InBuffer::around(message);
            while input.pos() < message.len() {
                let at = text.len();
                let mut output = OutBuffer::around_pos(&mut text, at);
                let left = context.decompress_stream(&mut output, &mut input).expect("zstd");
                assert_ne!(left, 0, "the frame ended");
            }
            String::from_utf8(text).expect("UTF-8")
        });
        decoded.collect()
    }

    /// Some begin with a run, which a fresh context tells by the offset that it takes to be 1.
    fn text(n: usize) -> String {
        let words = ["guild", "member", "\"id\":", "1216449876777209472", "presence", ","];
        let run = "0".repeat(if n.is_multiple_of(3) { 40 } else { 0 });
        let words = (0..40 + n % 7).map(|at| words[(at * n + at / 3) % 6]).collect::<String>();
        run + &words + &n.to_string()
    }

    #[test]
    fn fresh_contexts_take_turns_within_one_frame() {
        let (mut live, mut other) = (Zstd::new(), Zstd::new());
        let (mut messages, mut texts) = (Vec::new(), Vec::new());
        for n in 0..400 {
            if n % 5 == 4 {
                live.begin_anew();
            }
            if n % 11 == 0 {
                other.begin_anew();
            }
            // A turn of either lasts for ten messages, from its beginning.
            let context = if n % 20 < 10 { &mut live } else { &mut other };
            if n % 10 == 0 {
                context.begin_anew();
            }
            let mut bytes = Vec::new();
            context.message(ZstdFrames::Endless, n == 0, text(n).as_bytes(), &mut bytes);
            messages.push(bytes);
            texts.push(text(n));
        }
        let decoded = decode(&messages);
        assert!(decoded.iter().zip(&texts).all(|(came, text)| came.trim_start() == text));
        assert_eq!(decoded[0], texts[0], "nothing stands before the first");
        assert!(decoded.iter().all(|came| came.len() - came.trim_start().len() <= 33));
    }

    #[test]
    fn each_message_can_be_a_frame_of_its_own() {
        let mut context = Zstd::new();
        for n in 0..20 {
            let mut bytes = Vec::new();
            context.message(ZstdFrames::EachMessage, n == 0, text(n).as_bytes(), &mut bytes);
            assert_eq!(zstd_safe::find_frame_compressed_size(&bytes), Ok(bytes.len()));
            let mut out = vec![0; 4_096];
            let len = zstd_safe::decompress(&mut out[..], &bytes).expect("a frame");
            assert_eq!(out[..len], *text(n).as_bytes());
        }
    }

    #[test]
    fn a_context_holds_less_than_a_megabyte() {
        let mut context = Zstd::new();
        context.message(ZstdFrames::Endless, true, &[b'x'; 300_000], &mut Vec::new());
        let bytes = context.context.sizeof();
        assert!(bytes < 1 << 20, "{bytes}");
    }
}

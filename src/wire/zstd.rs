//! zstd-stream: the one door to the C library, by `zstd_safe`.
//!
//! One context for the life of a connection, fed with the bytes of whole messages; each message
//! was flushed, so all its text comes out (protocol section 6). A frame that goes on over all
//! messages is read as well as one that ends with each. Knows neither WebSocket frames nor chunks.
//!
//! Invariants: the output never grows past the limit given, the window never past
//! [`ZSTD_WINDOW_LOG_MAX`], whatever the input claims.
//!
//! Memory, from the C allocator and not in chunks: 94 KiB, and with the first frame as much as its
//! window and two blocks (734 KiB in all at a window of 2^18, 606 at 2^17, 2.5 MiB at the bound).
//! Resident, for messages of 1.1 KB: 35 KiB a stream after the first, 75 after 40, and 419 KiB (290
//! at 2^17, 2.2 MiB at the bound) once the window is full, after some hundreds; 35 KiB for ever
//! where each message is a frame. zlib-stream takes 47.5 KB.

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::error::WireError;
use super::payload::Payload;

/// The state of one connection's decompression.
pub(super) struct Zstd {
    context: DCtx<'static>,
    /// Nothing came of the message so far.
    is_empty: bool,
}

impl Zstd {
    pub(super) fn new() -> Result<Self, WireError> {
        let mut context = DCtx::try_create().ok_or(WireError::ZstdMemory)?;
        context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).map_err(fault)?;
        Ok(Self { context, is_empty: true })
    }

    /// A message begins.
    pub(super) fn begin(&mut self) {
        self.is_empty = true;
    }

    /// The message was fed whole. There is no mark to look for, as zlib-stream has; but a message
    /// of which nothing came is none, and was cut off.
    pub(super) fn end(&self) -> Result<(), WireError> {
        if self.is_empty { Err(WireError::Zstd) } else { Ok(()) }
    }

    /// Reads a piece of the message to the end of `payload`. All of `input` is used, and all output
    /// that it determines is there.
    pub(super) fn feed(
        &mut self,
        input: &[u8],
        payload: &mut Payload,
        len_max: usize,
    ) -> Result<(), WireError> {
        let mut rest = InBuffer::around(input);
        loop {
            let used_before = rest.pos();
            let spare = payload.spare(len_max);
            let spare_len = spare.len();
            let mut out = OutBuffer::around(spare);
            self.context.decompress_stream(&mut out, &mut rest).map_err(fault)?;
            let made = out.pos();
            payload.advance(made);
            self.is_empty &= made == 0;
            if payload.len() > len_max {
                return Err(WireError::InflatedTooLong { len_max });
            }
            // A full output may hide output that is pending: ask again, even without input.
            if made < spare_len {
                if rest.pos() == input.len() {
                    return Ok(());
                }
                if made == 0 && rest.pos() == used_before {
                    return Err(WireError::Zstd);
                }
            }
        }
    }
}

/// zstd gives its errors as negative numbers in an unsigned type.
fn fault(code: zstd_safe::ErrorCode) -> WireError {
    match code.wrapping_neg() {
        ERROR_WINDOW_TOO_LARGE => WireError::ZstdWindow { log_max: ZSTD_WINDOW_LOG_MAX },
        ERROR_MEMORY_ALLOCATION => WireError::ZstdMemory,
        _ => WireError::Zstd,
    }
}

/// The largest window that is taken, as a power of two: 2 MiB.
///
/// Discord has written of 18 (256 KiB). 21 is what the reference encoder takes at its default level
/// when it streams, so gateways that never chose are read too; and a server that means harm gets
/// 2.5 MiB a stream from us, not more (RFC 8878 §3.1.1.1.2 would have us take windows of 8).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 21;

/// `ZSTD_error_frameParameter_windowTooLarge` and `ZSTD_error_memory_allocation` of
/// `zstd_errors.h`, whose numbers are promised to stay.
const ERROR_WINDOW_TOO_LARGE: usize = 16;
const ERROR_MEMORY_ALLOCATION: usize = 64;

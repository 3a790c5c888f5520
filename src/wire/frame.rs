//! RFC 6455 frames: the receive state over tungstenite's header parser, and sealing.
//!
//! Says what the next bytes are (a piece of a data message, a control frame) and refuses what a
//! server must not send; never keeps data payload, and never waits for a length it would refuse.
//! Only `Wire` calls it.
//!
//! Invariant: between calls it holds at most the start of a header (14 bytes) or of a control
//! payload (125 bytes), never both.

use std::fmt;
use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control as ControlCode, Data, OpCode};

use super::WireLimits;
use super::error::WireError;

/// Where in the frames of a connection we are.
pub(super) struct Frames {
    /// The start of a header, or of a control payload, that the last bytes ended in.
    held: Control,
    state: State,
    /// The kind of the data message that has begun and not ended.
    message: Option<Kind>,
}

#[derive(Clone, Copy)]
enum State {
    Header,
    Data { lacking: usize, is_final: bool },
    Control { code: ControlCode, lacking: u8 },
}

/// What a data message is, by the opcode of its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
}

/// What the front of the bytes was.
pub(super) enum Step {
    /// All bytes are used.
    Nothing,
    /// The last `len` of the used bytes are payload of a data message; with `is_last` they end it.
    Piece {
        kind: Kind,
        len: usize,
        is_last: bool,
    },
    Ping(Control),
    Pong,
    Close(CloseFrame),
}

/// The payload of a ping: at most 125 bytes (RFC 6455 §5.5), to be sent back in a pong.
#[derive(Clone, Copy)]
pub struct Control {
    len: u8,
    bytes: [u8; CONTROL_LEN_MAX],
}

/// What the server said when it closed (RFC 6455 §5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The close code, if there was one: 1000–1003, 1007–1014 or 3000–4999. Discord's are
    /// 4000–4014 (protocol section 2).
    pub code: Option<u16>,
    /// The reason, at most 123 bytes; often empty.
    pub reason: String,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self { held: Control::EMPTY, state: State::Header, message: None }
    }

    /// Bytes of the current data frame still to come.
    pub(super) const fn lacking_len(&self) -> Option<usize> {
        match self.state {
            State::Data { lacking, .. } => Some(lacking),
            _ => None,
        }
    }

    /// Reads the front of `bytes` up to the end of a piece or of a control frame. `held_len` is how
    /// much of the unfinished message its owner holds: the limits count it.
    pub(super) fn step(
        &mut self,
        bytes: &[u8],
        held_len: usize,
        limits: &WireLimits,
    ) -> Result<(usize, Step), WireError> {
        let mut used = 0;
        if matches!(self.state, State::Header) {
            let (header_len, header) = self.read_header(bytes)?;
            used = header_len;
            match header {
                Some((header, len)) => self.begin_frame(&header, len, held_len, limits)?,
                None => return Ok((used, Step::Nothing)),
            }
        }
        let bytes = &bytes[used..];
        let (taken, step) = match self.state {
            State::Data { lacking, is_final } => self.take_data(bytes.len(), lacking, is_final),
            State::Control { code, lacking } => self.take_control(bytes, code, lacking)?,
            State::Header => (0, Step::Nothing),
        };
        Ok((used + taken, step))
    }

    fn read_header(
        &mut self,
        bytes: &[u8],
    ) -> Result<(usize, Option<(FrameHeader, u64)>), WireError> {
        if self.held.len == 0 {
            let mut cursor = Cursor::new(bytes);
            let header = parse_header(&mut cursor)?;
            if header.is_some() {
                return Ok((cursor.position() as usize, header));
            }
            self.held.push(bytes); // fewer than a header's 14, or it would have been parsed
            return Ok((bytes.len(), None));
        }
        for (i, byte) in bytes.iter().enumerate() {
            self.held.push(std::slice::from_ref(byte));
            let header = parse_header(&mut Cursor::new(self.held.as_bytes()))?;
            if header.is_some() {
                self.held.len = 0;
                return Ok((i + 1, header));
            }
        }
        Ok((bytes.len(), None))
    }

    /// Judges a header before a byte of its payload is kept.
    fn begin_frame(
        &mut self,
        header: &FrameHeader,
        len: u64,
        held_len: usize,
        limits: &WireLimits,
    ) -> Result<(), WireError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(WireError::ReservedBits);
        }
        if header.mask.is_some() {
            return Err(WireError::MaskedFrame);
        }
        let kind = match header.opcode {
            OpCode::Control(code) => {
                if !header.is_final {
                    return Err(WireError::FragmentedControl);
                }
                if len > CONTROL_LEN_MAX as u64 {
                    return Err(WireError::ControlTooLong { len });
                }
                self.state = State::Control { code, lacking: len as u8 };
                return Ok(());
            }
            OpCode::Data(data) => self.message_kind(data, held_len)?,
        };
        let len = len.saturating_add(held_len as u64);
        match kind {
            Kind::Text if len > limits.inflated_len_max as u64 => {
                return Err(WireError::TextTooLong { len, len_max: limits.inflated_len_max });
            }
            Kind::Binary if len > limits.compressed_len_max as u64 => {
                let len_max = limits.compressed_len_max;
                return Err(WireError::CompressedTooLong { len, len_max });
            }
            _ => {}
        }
        self.message = Some(kind);
        let lacking = len as usize - held_len; // within the limits, which are usize
        self.state = State::Data { lacking, is_final: header.is_final };
        Ok(())
    }

    fn message_kind(&self, data: Data, held_len: usize) -> Result<Kind, WireError> {
        match (data, self.message) {
            (Data::Continue, Some(kind)) => Ok(kind),
            (Data::Continue, None) => Err(WireError::UnexpectedContinuation),
            (Data::Text | Data::Binary, Some(_)) => Err(WireError::InterruptedMessage),
            // What is held between messages are parts of a compressed one.
            (Data::Text, None) if held_len > 0 => Err(WireError::TextInsideCompressed),
            (Data::Text, None) => Ok(Kind::Text),
            (Data::Binary, None) => Ok(Kind::Binary),
            (Data::Reserved(opcode), _) => Err(WireError::UnknownOpcode { opcode }),
        }
    }

    fn take_data(&mut self, bytes_len: usize, lacking: usize, is_final: bool) -> (usize, Step) {
        let len = bytes_len.min(lacking);
        let is_frame_end = len == lacking;
        let is_last = is_frame_end && is_final;
        let Some(kind) = self.message else { return (0, Step::Nothing) };
        if len == 0 && !is_frame_end {
            return (0, Step::Nothing);
        }
        if is_frame_end {
            self.state = State::Header;
        } else {
            self.state = State::Data { lacking: lacking - len, is_final };
        }
        if is_last {
            self.message = None;
        }
        (len, Step::Piece { kind, len, is_last })
    }

    fn take_control(
        &mut self,
        bytes: &[u8],
        code: ControlCode,
        lacking: u8,
    ) -> Result<(usize, Step), WireError> {
        let len = bytes.len().min(lacking.into());
        self.held.push(&bytes[..len]);
        let lacking = lacking - len as u8;
        if lacking > 0 {
            self.state = State::Control { code, lacking };
            return Ok((len, Step::Nothing));
        }
        self.state = State::Header;
        let control = std::mem::replace(&mut self.held, Control::EMPTY);
        let step = match code {
            ControlCode::Close => Step::Close(CloseFrame::read(control.as_bytes())?),
            ControlCode::Ping => Step::Ping(control),
            ControlCode::Pong => Step::Pong,
            ControlCode::Reserved(opcode) => return Err(WireError::UnknownOpcode { opcode }),
        };
        Ok((len, step))
    }
}

impl Control {
    const EMPTY: Self = Self { len: 0, bytes: [0; CONTROL_LEN_MAX] };

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }

    /// Appends; at most `CONTROL_LEN_MAX` bytes are ever held.
    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }
}

impl PartialEq for Control {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Control {}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("len", &self.len).finish_non_exhaustive()
    }
}

impl CloseFrame {
    fn read(payload: &[u8]) -> Result<Self, WireError> {
        let (code, reason) = match payload {
            [] => return Ok(Self { code: None, reason: String::new() }),
            [_] => return Err(WireError::ClosePayload),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !is_sendable(code) {
            return Err(WireError::CloseCode { code });
        }
        let reason = std::str::from_utf8(reason).map_err(|_| WireError::CloseReason)?;
        Ok(Self { code: Some(code), reason: reason.to_owned() })
    }
}

/// Appends a text frame.
pub(super) fn seal_text(text: &str, mask: [u8; 4], out: &mut Vec<u8>) {
    seal(OpCode::Data(Data::Text), text.as_bytes(), mask, out);
}

/// Appends a pong with the payload of the ping.
pub(super) fn seal_pong(ping: &Control, mask: [u8; 4], out: &mut Vec<u8>) {
    seal(OpCode::Control(ControlCode::Pong), ping.as_bytes(), mask, out);
}

/// Appends a close frame; a code that must not be sent is left out, with the reason.
pub(super) fn seal_close(code: u16, reason: &str, mask: [u8; 4], out: &mut Vec<u8>) {
    let mut body = Control::EMPTY;
    if is_sendable(code) {
        body.push(&code.to_be_bytes());
        body.push(&reason.as_bytes()[..char_boundary(reason, REASON_LEN_MAX)]);
    }
    seal(OpCode::Control(ControlCode::Close), body.as_bytes(), mask, out);
}

fn seal(opcode: OpCode, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.reserve(HEADER_LEN_MAX + payload.len());
    let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
    // Writing to a Vec cannot fail, and a header has no other failure.
    let _ = header.format(payload.len() as u64, out);
    let start = out.len();
    out.extend_from_slice(payload);
    for four in out[start..].chunks_mut(4) {
        four.iter_mut().zip(mask).for_each(|(byte, key)| *byte ^= key);
    }
}

/// The end of as many whole characters as fit in `len_max` bytes.
fn char_boundary(text: &str, len_max: usize) -> usize {
    (0..=len_max.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0)
}

fn parse_header(cursor: &mut Cursor<&[u8]>) -> Result<Option<(FrameHeader, u64)>, WireError> {
    use tungstenite::Error;
    use tungstenite::error::ProtocolError;
    FrameHeader::parse(cursor).map_err(|error| match error {
        Error::Protocol(ProtocolError::InvalidOpcode(opcode)) => {
            WireError::UnknownOpcode { opcode }
        }
        // The parser has no other error over a slice; none of its kind is known to us.
        _ => WireError::ReservedBits,
    })
}

/// Whether a close frame may carry this code (RFC 6455 §7.4). 1014 (bad gateway) is registered with
/// IANA after the RFC.
fn is_sendable(code: u16) -> bool {
    code == 1014 || CloseCode::from(code).is_allowed()
}

/// A server's header has no mask and is shorter; we read a masked one whole, to name the fault.
const HEADER_LEN_MAX: usize = 14;

/// Payload of a control frame (RFC 6455 §5.5).
const CONTROL_LEN_MAX: usize = 125;

/// What the code leaves of it for a reason.
const REASON_LEN_MAX: usize = CONTROL_LEN_MAX - 2;

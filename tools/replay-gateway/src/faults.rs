//! Faults that can be asked for: which connection, when, what. Plain data with the JSON form that
//! the program's `--fault` reads; committed by the gateway's protocol and pump.

use crate::config::Framing;
use crate::voice::VoiceFault;
use serde::Deserialize;

/// A fault: on which connections, when, and what happens. In JSON:
///
/// ```
/// use replay_gateway::{Action, Fault, When};
/// let text = r#"{"shard": 3, "connection": 1, "at": {"events": 500}, "do": "reconnect"}"#;
/// let fault: Fault = serde_json::from_str(text)?;
/// assert_eq!(fault.at, When::Events(500));
/// assert_eq!(fault.action, Action::Reconnect);
/// let text = r#"{"at": "identify", "do": {"close": {"code": 4004}}}"#;
/// let fault: Fault = serde_json::from_str(text)?;
/// assert_eq!(fault.action, Action::Close { code: 4004, reason: String::new() });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only connections of this shard; absent: all. Before IDENTIFY or RESUME no connection has a
    /// shard: faults at `upgrade` or `after_ms` with a shard are armed when the shard is known.
    #[serde(default)]
    pub shard: Option<u32>,
    /// Only the n-th connection (from 1): of the shard if one is given, else of the gateway.
    #[serde(default)]
    pub connection: Option<u32>,
    /// When.
    pub at: When,
    /// What.
    #[serde(rename = "do")]
    pub action: Action,
}

impl Fault {
    /// A fault on every connection.
    pub fn new(at: When, action: Action) -> Self {
        Self { shard: None, connection: None, at, action }
    }

    /// Only on this shard's connections.
    #[must_use]
    pub fn shard(mut self, shard: u32) -> Self {
        self.shard = Some(shard);
        self
    }

    /// Only on the n-th connection, from 1.
    #[must_use]
    pub fn connection(mut self, connection: u32) -> Self {
        self.connection = Some(connection);
        self
    }
}

/// The moment of a fault in the life of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// After the 101 response, before HELLO.
    Upgrade,
    /// In place of the answer to an IDENTIFY that passed its checks.
    Identify,
    /// In place of the answer to a RESUME that passed its checks.
    Resume,
    /// After READY or RESUMED was queued.
    Ready,
    /// On each heartbeat received, before its ACK.
    Heartbeat,
    /// After so many traffic events on this connection.
    Events(u64),
    /// So many ms after the upgrade.
    AfterMs(u64),
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Op 7.
    Reconnect,
    /// Op 9; `false` ends the session (or refuses the IDENTIFY or RESUME).
    InvalidSession(bool),
    /// A close frame with this code.
    Close {
        /// The close code.
        code: u16,
        /// Its reason.
        #[serde(default)]
        reason: String,
    },
    /// Half a frame, then TCP RST.
    Reset,
    /// The connection ends without a close frame (FIN).
    Drop,
    /// Nothing is read or written any more; TCP stays open.
    Zombie,
    /// Heartbeats are not answered any more; dispatches go on.
    WithholdAcks,
    /// Nothing: what would have come (HELLO at `upgrade`, READY at `identify`, RESUMED at
    /// `resume`) never comes; heartbeats are answered.
    Swallow,
    /// Op 1: a heartbeat is asked for.
    AskHeartbeat,
    /// Something that no gateway should send.
    Inject(Injection),
    /// The last dispatch is sent again with its number.
    Duplicate,
    /// So many sequence numbers are left out.
    Gap(u64),
    /// From now on messages are cut like this.
    Frame(Framing),
    /// Something in the records of TLS; nothing on a plain connection.
    Tls(TlsFault),
    /// Something happens to the bot in voice.
    Voice(VoiceFault),
}

/// What can happen in the records of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// Half a frame, then a fatal alert, then FIN.
    Alert,
    /// Half a frame, then half a record, then FIN without close_notify.
    Truncate,
    /// The sending key is changed before the next payload (TLS 1.3; nothing in TLS 1.2).
    KeyUpdate,
    /// A record of application data that no key opens, between two others.
    Garbage,
}

/// Bad input for a client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Injection {
    /// These bytes on the TCP stream, between frames.
    Raw(Vec<u8>),
    /// So many drawn bytes on the TCP stream.
    Random(usize),
    /// A text frame with the mask bit, which a server must not set.
    Masked,
    /// A frame header that claims so many bytes, and nothing after it.
    Claim(u64),
    /// A text frame that is no UTF-8.
    InvalidUtf8,
    /// A message (compressed if the stream is) with this text.
    Text(String),
    /// A dispatch cut in the middle of its JSON.
    TruncatedJson,
    /// A message that inflates to so many bytes; under text frames, a text of so many bytes.
    Bomb(usize),
    /// A payload with an opcode that nobody knows.
    UnknownOpcode,
    /// A numbered dispatch with a name that nobody knows.
    UnknownEvent,
    /// A frame with reserved bits set.
    ReservedBits,
    /// Bytes in a binary frame that are no deflate stream.
    BadDeflate,
}

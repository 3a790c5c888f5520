//! What a session begins, goes on and ends with: HELLO, READY, RESUMED, INVALID_SESSION.
//!
//! HELLO and INVALID_SESSION are control payloads that only the shard reads; the others are
//! dispatches that the handler sees too.

use super::{ApplicationId, UnavailableGuild, User};
use crate::decode::{Cursor, Decode, DecodeObject, Expected, Json, ObjectShape, Shape};
use serde::{Serialize, Serializer};
use std::fmt;

model! {
    /// Opcode 10: the connection is open.
    pub struct Hello demands heartbeat_interval_ms {
        /// Milliseconds between heartbeats.
        pub heartbeat_interval_ms: u64 = "heartbeat_interval",
    }
}

/// Opcode 9: the session is no more, or not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSession {
    /// Whether it may be resumed; false also where `d` is missing or no boolean.
    pub resumable: bool,
}

impl<'a> Decode<'a> for InvalidSession {
    const ABSENT: Self = Self { resumable: false };
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        Ok(Self { resumable: bool::decode(cursor).unwrap_or(false) })
    }
    fn is_absent(&self) -> bool {
        !self.resumable
    }
    fn shape() -> Shape {
        Shape::Bool
    }
}

model! {
    /// READY: a new session.
    pub struct Ready<'a> demands session_id {
        /// The version of the gateway's API.
        pub v: u64,
        /// The bot's own user.
        pub user: User<'a>,
        /// The guilds of this shard; each comes later by GUILD_CREATE.
        pub guilds: &'a [UnavailableGuild],
        /// What a resume names.
        pub session_id: Secret<'a>,
        /// Where to resume; empty if the server named no place. May lack slash, path and query.
        pub resume_gateway_url: &'a str,
        /// `[shard_id, num_shards]`, if it was sent in IDENTIFY.
        pub shard: Option<[u32; 2]>,
        /// The bot's application.
        pub application: Option<ReadyApplication>,
    }
}

model! {
    /// The application as READY shows it.
    pub struct ReadyApplication demands id {
        /// Its id.
        pub id: ApplicationId,
        /// Its flags, as bits.
        pub flags: u64,
    }
}

/// RESUMED: the missed dispatches are all delivered.
#[derive(Clone, Copy, Debug)]
pub struct Resumed<'a> {
    /// Discord does not describe it; null or an object.
    pub data: Json<'a>,
}

impl<'a> Decode<'a> for Resumed<'a> {
    const ABSENT: Self = Self { data: Json::NULL };
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        Json::decode(cursor).map(|data| Self { data })
    }
    fn is_absent(&self) -> bool {
        self.data.is_null()
    }
    fn shape() -> Shape {
        Shape::Json
    }
}

impl Serialize for Resumed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.data.serialize(serializer)
    }
}

impl<'a> DecodeObject<'a> for Resumed<'a> {
    const ABSENT_REF: &'a Self = &Self::ABSENT;
    const SHAPE: ObjectShape = ObjectShape { name: "Resumed", fields: &[], omitted: &[] };
}

/// A string that `Debug` does not print: it opens a session.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Secret<'a>(&'a str);

impl<'a> Secret<'a> {
    /// The string.
    pub const fn expose(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"…\"")
    }
}

impl<'a> Decode<'a> for Secret<'a> {
    const ABSENT: Self = Self("");
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        <&str>::decode(cursor).map(Self)
    }
    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
    fn shape() -> Shape {
        Shape::String
    }
}

/// In full: whoever writes an event out asks for all of it.
impl Serialize for Secret<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

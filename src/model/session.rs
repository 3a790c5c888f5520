//! What a session begins, goes on and ends with: HELLO, READY, RESUMED, RATE_LIMITED, RECONNECT,
//! INVALID_SESSION ([Discord's page]).
//!
//! HELLO, RECONNECT and INVALID_SESSION are control payloads that only the shard reads; the others
//! are dispatches that the handler sees too.
//!
//! [Discord's page]: https://discord.com/developers/docs/events/gateway-events#receive-events

use super::{ApplicationFlags, ApplicationId, GuildId, UnavailableGuild, User};
use crate::decode::{
    Absence, Cursor, Decode, DecodeObject, Expected, FieldShape, Json, Note, ObjectShape, OnNull,
    Shape, UnionShape,
};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

model! {
    /// Opcode 10: the connection is open.
    pub struct Hello demands heartbeat_interval_ms {
        /// Milliseconds between heartbeats.
        pub heartbeat_interval_ms: u64 = "heartbeat_interval",
    }
}

/// Opcode 7: the session shall be resumed by another connection. It says nothing more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconnect;

/// Reads anything: Discord sends null, or no `d`.
impl<'a> Decode<'a> for Reconnect {
    const ABSENT: Self = Self;
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        cursor.skip();
        Ok(Self)
    }
    fn is_absent(&self) -> bool {
        true
    }
    fn shape() -> Shape {
        Shape::Json
    }
}

/// Null.
impl Serialize for Reconnect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
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

impl Serialize for InvalidSession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(self.resumable)
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
        /// What it is and may read.
        pub flags: ApplicationFlags,
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

/// RATE_LIMITED: a command was over a limit of Discord's and was dropped.
#[derive(Clone, Copy, Debug)]
pub struct RateLimited<'a> {
    /// The command's opcode.
    pub opcode: u64,
    /// When to send it again, in seconds from now.
    pub retry_after_s: f64,
    /// Which command it was.
    pub meta: RateLimitedMeta<'a>,
}

impl RateLimited<'_> {
    /// `retry_after_s` as a time; what is no number of seconds asks for none. Unbounded.
    pub(crate) fn retry_after(&self) -> Duration {
        Duration::try_from_secs_f64(self.retry_after_s).unwrap_or_default()
    }
}

/// The command that was over a limit, by its opcode.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RateLimitedMeta<'a> {
    /// Opcode 8: a request for members.
    RequestGuildMembers(&'a RequestGuildMembersMeta<'a>),
    /// Another opcode's, or of another form than documented: as it came.
    Unknown(Json<'a>),
}

model! {
    /// The request for members that was over a limit.
    pub struct RequestGuildMembersMeta<'a> demands guild_id {
        /// Of which guild.
        pub guild_id: GuildId,
        /// What the request was marked with.
        pub nonce: Option<&'a str>,
    }
}

#[allow(unreachable_pub)] // the macro writes `pub` items
mod row {
    use crate::decode::Json;

    model! {
        /// RATE_LIMITED as it came: what `meta` is shows only when `opcode` is known.
        pub struct RateLimited<'a> {
            /// The command's opcode.
            pub opcode: u64,
            /// In seconds.
            pub retry_after: f64,
            /// Of which command.
            pub meta: Json<'a>,
        }
    }
}

impl<'a> Decode<'a> for RateLimited<'a> {
    const ABSENT: Self =
        Self { opcode: 0, retry_after_s: 0.0, meta: RateLimitedMeta::Unknown(Json::NULL) };

    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        let row::RateLimited { opcode, retry_after, meta } = row::RateLimited::decode(cursor)?;
        let request = match opcode {
            REQUEST_GUILD_MEMBERS => meta.read().map(Some),
            _ => Ok(None),
        };
        if request.is_err() {
            cursor.note(Note { object: "RateLimited", field: "meta", expected: Expected::Object });
        }
        let meta = match request {
            Ok(Some(request)) => RateLimitedMeta::RequestGuildMembers(request),
            _ => RateLimitedMeta::Unknown(meta),
        };
        Ok(Self { opcode, retry_after_s: retry_after, meta })
    }

    fn is_absent(&self) -> bool {
        self.opcode == 0
            && self.retry_after_s == 0.0
            && matches!(self.meta, RateLimitedMeta::Unknown(json) if json.is_null())
    }

    fn shape() -> Shape {
        Shape::Object(const { &<Self as DecodeObject<'a>>::SHAPE })
    }
}

impl<'a> DecodeObject<'a> for RateLimited<'a> {
    const ABSENT_REF: &'a Self = &Self::ABSENT;

    const SHAPE: ObjectShape = ObjectShape {
        name: "RateLimited",
        fields: &[
            FieldShape::of::<u64>("opcode", Absence::Default),
            FieldShape::of::<f64>("retry_after", Absence::Default),
            FieldShape {
                key: "meta",
                absence: Absence::Default,
                left_out: false,
                on_null: OnNull::Missing,
                shape: RateLimitedMeta::shape,
            },
        ],
        omitted: &[],
    };
}

impl Serialize for RateLimited<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("RateLimited", 3)?;
        object.serialize_field("opcode", &self.opcode)?;
        object.serialize_field("retry_after", &self.retry_after_s)?;
        match self.meta {
            RateLimitedMeta::RequestGuildMembers(meta) => object.serialize_field("meta", meta)?,
            RateLimitedMeta::Unknown(json) => object.serialize_field("meta", &json)?,
        }
        object.end()
    }
}

impl RateLimitedMeta<'_> {
    fn shape() -> Shape {
        Shape::Union(&UnionShape {
            name: "RateLimitedMeta",
            variants: &[("8", <&RequestGuildMembersMeta<'_>>::shape)],
        })
    }
}

/// The opcode of a request for members.
const REQUEST_GUILD_MEMBERS: u64 = 8;

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

//! Why an event could not be read as a type of the user's: [`DeserializeError`].
//!
//! It may be logged by anybody, so it holds no payload text: serde's messages, which quote values,
//! are worded anew without them. Only what a type's own `Deserialize` says in its own words is
//! passed on, cut at [`MESSAGE_LEN_MAX`] bytes. Built by serde, read by the user.

use super::error::DecodeError;
use super::json::floor_char_boundary;
use serde::de::{Error, Expected, Unexpected};
use std::fmt::{self, Display, Write};

/// Why an event, or a [`Json`](super::Json), could not be read as the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeserializeError {
    /// The event was asked for as text, so there is no tree to read. Ask for its kind as typed, or
    /// parse the text by any JSON library.
    Raw,
    /// The event's text is no JSON; the peer's fault.
    Undecoded(DecodeError),
    /// The event is JSON, but not what the type expects: mostly Discord has left out, or sent
    /// otherwise, what the type demands.
    Mismatch(Box<Mismatch>),
}

/// Where a type and the JSON differ, and in what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    object: &'static str,
    field: &'static str,
    message: String,
}

impl Mismatch {
    /// The name of the innermost struct that could not be read, as serde calls it; empty where it
    /// is not known (variants, and what serde buffers: flattened, untagged, internally tagged).
    pub fn object(&self) -> &'static str {
        self.object
    }

    /// The key in that struct; empty where it is not known.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong. No payload text but what the type's own `Deserialize` puts there; at most
    /// [`MESSAGE_LEN_MAX`] bytes.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl DeserializeError {
    /// Says where it was, unless that is known more closely.
    pub(super) fn at(mut self, object: &'static str, field: &'static str) -> Self {
        if let Self::Mismatch(mismatch) = &mut self
            && mismatch.field.is_empty()
        {
            (mismatch.object, mismatch.field) = (object, field);
        }
        self
    }
}

impl Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw => f.write_str("the event was asked for as text and not parsed"),
            Self::Undecoded(error) => error.fmt(f),
            Self::Mismatch(mismatch) => {
                match (mismatch.object, mismatch.field) {
                    (_, "") => {}
                    ("", field) => write!(f, "{field}: ")?,
                    (object, field) => write!(f, "{object}.{field}: ")?,
                }
                f.write_str(&mismatch.message)
            }
        }
    }
}

impl std::error::Error for DeserializeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Undecoded(error) => Some(error),
            Self::Raw | Self::Mismatch(_) => None,
        }
    }
}

impl Error for DeserializeError {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        let mut text = Cut(String::new());
        // Ends with an error when it is full, which is how it stops.
        let _ = write!(text, "{message}");
        Self::Mismatch(Box::new(Mismatch { object: "", field: "", message: text.0 }))
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid type: {}, expected {expected}", sort(found)))
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid value: {}, expected {expected}", sort(found)))
    }

    #[cold]
    fn unknown_variant(_variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("unknown variant, expected one of {expected:?}"))
    }

    #[cold]
    fn unknown_field(_field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("unknown field, expected one of {expected:?}"))
    }
}

/// What was found, without its value.
fn sort(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "floating point number",
        Unexpected::Char(_) => "character",
        Unexpected::Str(_) => "string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit => "null",
        Unexpected::Option => "optional value",
        Unexpected::NewtypeStruct => "newtype struct",
        Unexpected::Seq => "array",
        Unexpected::Map => "object",
        Unexpected::Enum => "enum",
        Unexpected::UnitVariant => "unit variant",
        Unexpected::NewtypeVariant => "newtype variant",
        Unexpected::TupleVariant => "tuple variant",
        Unexpected::StructVariant => "struct variant",
        Unexpected::Other(_) => "something else",
    }
}

/// Takes [`MESSAGE_LEN_MAX`] bytes, then fails.
struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let cut = floor_char_boundary(text, MESSAGE_LEN_MAX - self.0.len());
        self.0.push_str(&text[..cut]);
        if cut < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The message of a [`Mismatch`] is at most so many bytes long.
pub const MESSAGE_LEN_MAX: usize = 256;

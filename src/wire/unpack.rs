//! A connection's decompression, whichever it agreed on.
//!
//! Holds the state of one stream and hands on to it; `Wire` makes it with the first compressed
//! message and calls it for whole messages only.

use super::Compression;
use super::error::WireError;
use super::inflate::Inflate;
use super::payload::Payload;
#[cfg(feature = "zstd")]
use super::zstd::Zstd;

pub(super) enum Unpack {
    Zlib(Box<Inflate>),
    #[cfg(feature = "zstd")]
    Zstd(Box<Zstd>),
}

impl Unpack {
    pub(super) fn new(compression: Compression) -> Result<Self, WireError> {
        Ok(match compression {
            Compression::None => Self::Zlib(Box::new(Inflate::message())),
            Compression::ZlibStream => Self::Zlib(Box::new(Inflate::stream())),
            #[cfg(feature = "zstd")]
            Compression::ZstdStream => Self::Zstd(Box::new(Zstd::new()?)),
        })
    }

    /// A message begins.
    pub(super) fn begin(&mut self) {
        match self {
            Self::Zlib(inflate) => inflate.begin(),
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.begin(),
        }
    }

    /// Appends what a piece of the message becomes to `payload`, which gets no longer than
    /// `len_max`.
    pub(super) fn feed(
        &mut self,
        input: &[u8],
        payload: &mut Payload,
        len_max: usize,
    ) -> Result<(), WireError> {
        match self {
            Self::Zlib(inflate) => inflate.feed(input, payload, len_max),
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.feed(input, payload, len_max),
        }
    }

    /// The message was fed whole.
    pub(super) fn end(&mut self) -> Result<(), WireError> {
        match self {
            Self::Zlib(inflate) => inflate.end(),
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.end(),
        }
    }
}

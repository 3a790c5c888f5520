//! In TLS's place in a build without it: types that have no value, so that `Channel` is written
//! once.

use super::channel::Cleared;
use super::{ChunkPool, RecordBuffer, WireError};

/// TLS, which this build has not (feature `tls`): there is no value of this type.
#[derive(Clone, Debug)]
pub enum TlsClient {}

/// A connection's TLS, of which there is none.
#[derive(Debug)]
pub(super) enum Tls {}

impl Tls {
    pub(super) fn new(client: &TlsClient, _host: &str) -> Result<Self, WireError> {
        match *client {}
    }

    pub(super) fn open<'b>(
        &mut self,
        _bytes: &'b mut [u8],
        _pool: &mut ChunkPool,
        _record: &'b mut RecordBuffer,
    ) -> Result<Cleared<'b>, WireError> {
        match *self {}
    }

    pub(super) fn seal(&mut self, _: &mut Vec<u8>, _: &mut Vec<u8>) -> Result<(), WireError> {
        match *self {}
    }

    pub(super) fn is_open(&self) -> bool {
        match *self {}
    }

    pub(super) fn wants_to_write(&self) -> bool {
        match *self {}
    }

    pub(super) fn eof(&self) -> Result<(), WireError> {
        match *self {}
    }

    pub(super) fn farewell(&mut self, _out: &mut Vec<u8>) {
        match *self {}
    }

    pub(super) fn held_len(&self) -> usize {
        match *self {}
    }

    pub(super) fn release(&mut self, _pool: &mut ChunkPool) {
        match *self {}
    }

    pub(super) fn was_resumed(&self) -> Option<bool> {
        match *self {}
    }
}

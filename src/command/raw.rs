//! Any other opcode, with `d` as JSON that the caller has written.

use std::fmt;

use super::{CommandError, json};

/// A payload whose `d` the caller has written. It is checked to be JSON, and its opcode not to be
/// one of the session's own; nothing else about it is known, so it is neither coalesced nor
/// remembered. Opcode 3 counts against the limit of presences.
#[derive(Clone)]
#[must_use = "a command does nothing until it is sent"]
pub struct Raw {
    pub(super) op: u8,
    pub(super) d: String,
}

impl Raw {
    pub(super) fn check(&self) -> Result<(), CommandError> {
        if matches!(self.op, 1 | 2 | 6) {
            return Err(CommandError::SessionOpcode { op: self.op });
        }
        json::check(self.d.as_bytes()).map_err(|at| CommandError::NotJson { at })
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw {{ op: {}, d: {} bytes }}", self.op, self.d.len())
    }
}

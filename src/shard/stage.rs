//! How far a shard is, in the four steps that a user waits for.
//!
//! A plain value, made of the session's [`State`]. The driver's waiters and the status use it.

use crate::shard::notice::State;

/// How far a shard is. Each stage includes those before it, but for [`Stage::Stopped`], which
/// excludes the rest: a shard that is ready is connected and started, too.
///
/// | stage | the shard | other libraries call it |
/// |---|---|---|
/// | `Stopped` | has no connection and plans none: taken down by its user, refused for good, or the engine has ended | closed, not alive |
/// | `Started` | was told to run: it waits for its turn or its back-off, dials, or closes a connection | `is_alive` (hikari), `gateway_started` (naff) |
/// | `Connected` | has a connection: TCP, TLS and WebSocket are up; HELLO, its turn to IDENTIFY, READY or RESUMED may still be awaited | |
/// | `Ready` | has a session on this connection: READY or RESUMED came | `is_connected` (hikari), `ready` (naff), `is_ready` |
///
/// A stage is lost with what it stands for: a shard whose connection ends falls back to `Started`,
/// and is `Ready` again when it has resumed. Compare by order: `stage >= Stage::Connected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It has no connection and plans none.
    Stopped,
    /// It was told to run.
    Started,
    /// It has a connection.
    Connected,
    /// It has a session on that connection.
    Ready,
}

impl Stage {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The stage of a shard in this state.
    pub const fn of(state: State) -> Self {
        match state {
            State::Idle | State::Retired => Self::Stopped,
            State::Waiting | State::Connecting | State::Closing => Self::Started,
            State::Greeting | State::Queued | State::Identifying | State::Resuming => {
                Self::Connected
            }
            State::Active => Self::Ready,
        }
    }

    /// Whether who waits for this stage has it, with a shard that is at `at`.
    pub fn is_reached(self, at: Self) -> bool {
        match self {
            Self::Stopped => at == Self::Stopped,
            _ => at >= self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_shard_is_connected_and_started_and_a_stopped_one_is_neither() {
        let reached = |at: Stage| {
            [Stage::Stopped, Stage::Started, Stage::Connected, Stage::Ready]
                .map(|stage| stage.is_reached(at))
        };
        assert_eq!(reached(Stage::of(State::Active)), [false, true, true, true]);
        assert_eq!(reached(Stage::of(State::Resuming)), [false, true, true, false]);
        assert_eq!(reached(Stage::of(State::Waiting)), [false, true, false, false]);
        for over in [State::Idle, State::Retired] {
            assert_eq!(reached(Stage::of(over)), [true, false, false, false]);
        }
    }
}

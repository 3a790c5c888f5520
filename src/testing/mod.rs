//! Stand-ins for the engine and for Discord, for the tests of a bot.
//!
//! A [`Rehearsal`] is an engine of one core without a socket and without a clock: the shards, the
//! session machine, the budget, the gate and the calls of the handler are those that
//! [`Engine`](crate::Engine) runs; only the threads are missing, and in place of Discord stands a
//! gateway that does what the test says. So what a test sees of interest, filters, sequence
//! numbers, pauses, panics, reconnects and lost sessions is what will happen. Time passes when the
//! test lets it ([`Rehearsal::advance`]), and takes none.
//!
//! ```
//! use shardring::model::ChannelId;
//! use shardring::testing::{Dispatched, Rehearsal};
//! use shardring::{Context, Event, EventKind, Handler, Interest, Link};
//!
//! #[derive(Default)]
//! struct Bot {
//!     pinged: Vec<ChannelId>,
//!     lost_from: Option<u64>,
//! }
//!
//! impl Handler for Bot {
//!     fn on_event(&mut self, _: &mut Context<'_>, event: Event<'_>) {
//!         if let Event::MessageCreate(message) = event && message.content == "!ping" {
//!             self.pinged.push(message.channel_id);
//!         }
//!     }
//!     fn on_link(&mut self, _: &mut Context<'_>, link: Link<'_>) {
//!         if let Link::SessionLost { first_seq, .. } = link {
//!             self.lost_from = Some(first_seq);
//!         }
//!     }
//! }
//!
//! let mut stage = Rehearsal::new(Interest::typed([EventKind::MessageCreate]), Bot::default);
//! stage.ready(); // connect, HELLO, IDENTIFY, READY
//! let said = stage.dispatch("MESSAGE_CREATE", r#"{"id":"1","channel_id":"2","content":"!ping"}"#);
//! assert_eq!(said, Dispatched::Delivered);
//! assert_eq!(stage.handler().pinged, [ChannelId::new(2)]);
//! assert_eq!(stage.dispatch("TYPING_START", "{}"), Dispatched::Skipped); // no interest in those
//!
//! stage.disconnect(); // the connection is cut; the session is kept
//! stage.resume([("MESSAGE_CREATE", r#"{"id":"3","channel_id":"4","content":"!ping"}"#)]);
//! assert_eq!(stage.handler().pinged.len(), 2);
//!
//! stage.lose_session();
//! assert_eq!(stage.handler().lost_from, Some(6)); // READY 1, then 2, 3, 4 and RESUMED 5
//! ```
//!
//! More, with whole tests to copy, stands in `docs/testing.md` of the repository: answers by HTTP,
//! commands, backpressure, panics, several shards, gates and ledgers of your own.
//!
//! For a function that takes an [`Event`](crate::Event), no rehearsal is needed:
//! [`OwnedEvent::from_data`](crate::OwnedEvent::from_data) makes an event of JSON text.
//!
//! This module is always built: it is generic over the handler, so that a program that does not
//! use it holds nothing of it, and tests need no feature to be switched on.

// No socket, no thread, no clock, no runtime here. `mod` holds the documents, `rehearsal` the stage
// and what concerns all shards, `gateway` what a test makes Discord do to one, `play` carries bytes
// and time between shards and peers, `peer` is the scripted end of one connection, `tasks` runs
// futures. Invariant: between two calls of the test every shard is settled.

mod gateway;
mod peer;
mod play;
mod rehearsal;
mod tasks;

pub use gateway::{Dispatched, Gateway};
pub use rehearsal::Rehearsal;

//! Discord's objects and events as data: ids, flags, enumerations, structs. No behaviour.
//!
//! Everything borrows the payload or its arena, is `Copy`, and is gone when the handler returns;
//! what shall stay is copied out by the user. A struct is written once, by the `model!` macro,
//! which makes its decoder too; an event stands once in the table of `event.rs`, from which
//! everything else about events is derived. This room never does I/O and knows no shard.
//!
//! # Missing, null and value
//! What Discord's documents call optional and nullable is shown by the type:
//!
//! | documents | type here | reads as |
//! |---|---|---|
//! | always there | `T` | the value, or the empty one (`0`, `""`, `false`) if it is missing after
//! all |
//! | optional, or nullable | `Option<T>` | `None` when missing, `None` when null |
//! | optional and nullable | [`Field<T>`] | three states, since a missing key and null differ in
//! meaning |
//! | list, always there or optional | `&[T]` | empty when missing |
//! | list of a partial object ([`MessageUpdate`]) | `Option<&[T]>` | `None` when missing |
//!
//! Every type is written out by serde to the JSON that Discord would have sent: an `Option` that is
//! `None`, a missing [`Field`], an object or id that was not there are left out; where the
//! documents show a key always there and nullable, `None` is written as null, and where they show
//! an object always there whose keys may all be missing, `{}` is written.
//!
//! Where the documents say what a missing key means (a message's `flags`: none; a reference's
//! `type`: `DEFAULT`), the type is plain and holds that. Keys that only HTTP answers carry, such
//! as a guild's `approximate_member_count`, have no field.
//!
//! Discord leaves out keys that its documents call required, so only the key that names an object
//! (mostly its `id`) is demanded; without it the object is not read, and an event whose own
//! object lacks it arrives as [`Event::Untyped`]. A value of another type than documented leaves
//! its field missing and is counted ([`Notes`](crate::decode::Notes)). Unknown keys are stepped
//! over; unknown enumeration values and unknown flag bits stay as they came.

#[macro_use]
mod macros;
#[macro_use]
mod values;
#[macro_use]
mod extended;

mod application;
mod arrival;
mod audit_log;
mod auto_moderation;
mod channel;
mod command;
mod component;
mod component_input;
mod component_response;
mod component_walk;
mod embed;
mod emoji;
mod event;
mod event_set;
mod expressions;
mod field;
mod guild;
mod id;
mod integration;
mod interaction;
mod invite;
mod member;
mod message;
mod message_interaction;
mod message_reaction;
mod message_update;
mod owned;
mod poll;
mod presence;
mod resolved;
mod role;
mod scheduled_event;
mod sent_id;
mod session;
mod soundboard;
mod stage;
mod time;
mod user;
mod voice;
mod webhook;

pub use application::*;
pub use arrival::*;
pub use audit_log::*;
pub use auto_moderation::*;
pub use channel::*;
pub use command::*;
pub use component::*;
pub use component_input::*;
pub use component_response::*;
pub use component_walk::*;
pub use embed::*;
pub use emoji::*;
pub use event::*;
pub use event_set::*;
pub use expressions::*;
pub use field::*;
pub use guild::*;
pub use id::*;
pub use integration::*;
pub use interaction::*;
pub use invite::*;
pub use member::*;
pub use message::*;
pub use message_interaction::*;
pub use message_reaction::*;
pub use message_update::*;
pub use owned::*;
pub use poll::*;
pub use presence::*;
pub use resolved::*;
pub use role::*;
pub use scheduled_event::*;
pub use sent_id::*;
pub use session::*;
pub use soundboard::*;
pub use stage::*;
pub use time::*;
pub use user::*;
pub use voice::*;
pub use webhook::*;

//! [`Components`]: every component of a list, however deep it lies.
//!
//! Allocates nothing and recurses nowhere. Invariant: what waits fits its stack, since typed
//! objects nest no deeper than the decoder lets them. Used by whoever looks for one component of a
//! message.

use super::{Component, Message};
use crate::decode::TYPED_DEPTH_MAX;
use std::fmt;
use std::iter::FusedIterator;
use std::slice;

/// The components of a list and all that lie inside of them, each before what it holds: what stands
/// in rows, sections and containers, a section's accessory (behind its texts), a label's component.
///
/// ```
/// use shardring::model::Component;
/// use shardring::{Event, EventKind, OwnedEvent};
///
/// let message = r#"{"id":"1","components":[{"type":17,"components":[
///     {"type":9,"components":[{"type":10,"content":"Tea?"}],
///      "accessory":{"type":2,"style":1,"custom_id":"yes"}}]}]}"#;
/// OwnedEvent::from_data(EventKind::MessageCreate, message)?.visit(|event| {
///     let Event::MessageCreate(message) = event else { panic!("{event:?}") };
///     let button = message.walk_components().find_map(|component| component.custom_id());
///     assert_eq!(button, Some("yes"));
/// });
/// # Ok::<(), shardring::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct Components<'a> {
    /// Lists that were entered and not yet walked to their end; the last comes next.
    waiting: [&'a [Component<'a>]; WAITING_MAX],
    len: usize,
}

impl<'a> Components<'a> {
    /// Those of a list, such as [`Message::components`].
    pub fn of(list: &'a [Component<'a>]) -> Self {
        let mut components = Self { waiting: [&[]; WAITING_MAX], len: 0 };
        components.push(list);
        components
    }

    fn push(&mut self, list: &'a [Component<'a>]) {
        if let Some(place) = self.waiting.get_mut(self.len)
            && !list.is_empty()
        {
            *place = list;
            self.len += 1;
        }
    }
}

impl<'a> Iterator for Components<'a> {
    type Item = Component<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.len = self.len.checked_sub(1)?;
            let Some((component, rest)) = self.waiting[self.len].split_first() else { continue };
            self.push(rest);
            match *component {
                // What stands for an accessory that is not there.
                Component::Unknown(json) if json.is_null() => continue,
                Component::Section(section) => self.push(slice::from_ref(&section.accessory)),
                Component::Label(label) => self.push(slice::from_ref(&label.component)),
                _ => {}
            }
            self.push(component.children());
            return Some(*component);
        }
    }
}

impl FusedIterator for Components<'_> {}

impl<'a> Component<'a> {
    /// The component itself, and all that lie inside of it.
    pub fn walk(&'a self) -> Components<'a> {
        Components::of(slice::from_ref(self))
    }
}

impl<'a> Message<'a> {
    /// Every component of the message, however deep it lies.
    pub fn walk_components(&self) -> Components<'a> {
        Components::of(self.components)
    }
}

impl fmt::Debug for Components<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Components").field("waiting", &self.len).finish_non_exhaustive()
    }
}

/// Each level of nesting leaves at most three lists behind: the rest of its own, its children and
/// an accessory.
const WAITING_MAX: usize = 3 * TYPED_DEPTH_MAX as usize;

//! The ways from text to values that are compared. Each begins with the same copy of the text
//! into a buffer of its own, since those that work in place spoil it.

use crate::checksum;
use serde::de::DeserializeSeed;
use shardring::decode::{PADDING, Scratch};
use shardring::model::{Event, EventKind};
use simd_json::{Buffers, Tape};
use std::hint::black_box;
use twilight_model::gateway::event::{GatewayEvent, GatewayEventDeserializer};

/// A way from text to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// simd-json's tape alone: no value is built. The floor.
    Tape,
    /// shardring: the tape, and the typed event in the arena.
    Shardring,
    /// twilight-model's events by simd-json, as twilight-gateway reads them with that feature.
    TwilightSimd,
    /// The same owned structs by serde_json, as twilight-gateway reads them without it.
    TwilightSerde,
    /// The same owned structs by sonic-rs.
    TwilightSonic,
}

impl Way {
    pub(crate) const ALL: [Self; 5] =
        [Self::Tape, Self::Shardring, Self::TwilightSimd, Self::TwilightSerde, Self::TwilightSonic];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tape => "simd-json tape",
            Self::Shardring => "shardring",
            Self::TwilightSimd => "twilight simd-json",
            Self::TwilightSerde => "twilight serde_json",
            Self::TwilightSonic => "twilight sonic-rs",
        }
    }
}

/// The buffers of all ways, kept from one payload to the next.
pub(crate) struct Contest {
    buffer: Vec<u8>,
    scratch: Scratch,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Contest {
    pub(crate) fn new(len_max: usize) -> Self {
        Self {
            buffer: vec![0; len_max + PADDING],
            scratch: Scratch::new(),
            buffers: Buffers::default(),
            tape: Tape(Vec::new()),
        }
    }

    /// Reads a payload; with `sums`, reads every field of the event as well. The sum, or `None`
    /// if this way cannot read the payload.
    pub(crate) fn read(&mut self, way: Way, text: &[u8], sums: bool) -> Option<u64> {
        let len = text.len();
        self.buffer[..len].copy_from_slice(text);
        match way {
            Way::Tape => self.fill_tape(len),
            Way::Shardring => self.read_event(len, sums),
            Way::TwilightSimd => {
                let named = named(text)?;
                let mut reader =
                    simd_json::Deserializer::from_slice(&mut self.buffer[..len]).ok()?;
                taken(named.deserialize(&mut reader).ok()?, sums)
            }
            Way::TwilightSerde => {
                let mut reader = serde_json::Deserializer::from_slice(&self.buffer[..len]);
                taken(named(text)?.deserialize(&mut reader).ok()?, sums)
            }
            Way::TwilightSonic => {
                let mut reader = sonic_rs::Deserializer::from_slice(&self.buffer[..len]);
                taken(named(text)?.deserialize(&mut reader).ok()?, sums)
            }
        }
    }

    fn fill_tape(&mut self, len: usize) -> Option<u64> {
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let filled =
            simd_json::fill_tape_padded(&mut self.buffer, len, &mut self.buffers, &mut tape);
        black_box(&tape);
        self.tape = tape.reset();
        filled.ok().map(|()| 0)
    }

    fn read_event(&mut self, len: usize, sums: bool) -> Option<u64> {
        let read = self.scratch.read(&mut self.buffer, len, |root| {
            let kind = EventKind::from_name(root.name());
            let event = Event::decode(kind, root.name(), root.data());
            black_box(&event);
            if sums { checksum::of(&event) } else { 0 }
        });
        read.ok()
    }
}

/// What names the event, read from the text as twilight-gateway does: at its front and its end.
fn named(text: &[u8]) -> Option<GatewayEventDeserializer<'_>> {
    GatewayEventDeserializer::from_json(std::str::from_utf8(text).ok()?)
}

fn taken(event: GatewayEvent, sums: bool) -> Option<u64> {
    let event = black_box(event);
    Some(if sums { checksum::of(&event) } else { 0 })
}

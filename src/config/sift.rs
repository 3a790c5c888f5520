//! Judges a payload's text by a [`Filter`], before it is parsed.
//!
//! One pass over the keys of `d`. It is over as soon as everything that the filter asks for is
//! found and wanted; what is not wanted is held back only after the end of the text was reached,
//! since a key that stands there twice, or a text that is broken, is a doubt. Invariant: nothing is
//! held back in doubt. Never allocates, never recurses. Called by the interest.

use super::filter::{AUTHORED, DIRECT, Filter, Ids, channel_key, guild_key};
use crate::decode::{DataScan, Doubt, Value};
use crate::model::EventKind;

/// Whether the filter asks for anything that the kind has.
pub(super) fn concerns(filter: &Filter, kind: EventKind) -> bool {
    asked(filter, kind) != 0
}

/// Whether it is sure that the filter does not want the event.
pub(super) fn holds_back(filter: &Filter, kind: EventKind, text: &[u8]) -> bool {
    let asked = asked(filter, kind);
    asked != 0 && Sift::new(filter, kind, asked).run(text) == Ok(true)
}

/// What the filter asks for and the kind has.
fn asked(filter: &Filter, kind: EventKind) -> u8 {
    let mut asked = 0;
    let direct = filter.skips_direct && DIRECT.contains(kind);
    if (filter.guilds.is_some() && !guild_key(kind).is_empty()) || direct {
        asked |= GUILD;
    }
    if filter.channels.is_some() && !channel_key(kind).is_empty() {
        asked |= CHANNEL;
    }
    if filter.skips_bots && AUTHORED.contains(kind) {
        asked |= AUTHOR;
    }
    if (filter.commands.is_some() || filter.custom_ids.is_some())
        && kind == EventKind::InteractionCreate
    {
        asked |= TYPE | DATA;
    }
    asked
}

/// What is known of a payload so far.
struct Sift<'f> {
    filter: &'f Filter,
    kind: EventKind,
    asked: u8,
    seen: u8,
    /// Something is sure not to be wanted.
    is_missed: bool,
    has_guild: bool,
    /// The interaction's `type`.
    interaction: Option<u64>,
    command_is_missed: bool,
    custom_id_is_missed: bool,
}

impl<'f> Sift<'f> {
    fn new(filter: &'f Filter, kind: EventKind, asked: u8) -> Self {
        Self {
            filter,
            kind,
            asked,
            seen: 0,
            is_missed: false,
            has_guild: false,
            interaction: None,
            command_is_missed: false,
            custom_id_is_missed: false,
        }
    }

    /// Whether the event is not wanted.
    fn run(mut self, text: &[u8]) -> Result<bool, Doubt> {
        let guild_key = guild_key(self.kind).as_bytes();
        let channel_key = channel_key(self.kind).as_bytes();
        let mut data = DataScan::open(text)?;
        while let Some(key) = data.key()? {
            let bit = match key {
                _ if key == guild_key => GUILD,
                _ if key == channel_key => CHANNEL,
                b"author" => AUTHOR,
                b"type" => TYPE,
                b"data" => DATA,
                _ => 0,
            } & self.asked;
            if self.seen & bit != 0 {
                return Err(Doubt);
            }
            self.seen |= bit;
            match bit {
                AUTHOR if !self.is_missed => self.author(&mut data)?,
                DATA if !self.is_missed => self.data(&mut data)?,
                _ => self.take(bit, data.value()?),
            }
            if bit != 0 && self.seen == self.asked && !self.misses() {
                return Ok(false);
            }
        }
        if !self.misses() {
            return Ok(false);
        }
        data.close()?;
        Ok(true)
    }

    /// Whether what was seen so far is not wanted.
    fn misses(&mut self) -> bool {
        let absent = self.asked & GUILD != 0 && !self.has_guild;
        self.is_missed |= match self.interaction {
            Some(COMMAND | AUTOCOMPLETE) => self.command_is_missed,
            Some(COMPONENT | MODAL) => self.custom_id_is_missed,
            _ => false,
        };
        self.is_missed || (absent && self.filter.skips_direct && DIRECT.contains(self.kind))
    }

    fn take(&mut self, bit: u8, value: Value<'_>) {
        let misses = |ids: &Option<Ids>| match (ids, value.id()) {
            (Some(ids), Some(id)) => !ids.has(id),
            _ => false,
        };
        match bit {
            GUILD => {
                self.has_guild = !value.is_null();
                self.is_missed |= misses(&self.filter.guilds);
            }
            CHANNEL => self.is_missed |= misses(&self.filter.channels),
            TYPE => self.interaction = value.number(),
            _ => {}
        }
    }

    fn author(&mut self, data: &mut DataScan<'_>) -> Result<(), Doubt> {
        let mut bot = None;
        data.inside(|key, value| match key {
            b"bot" => once(&mut bot, value),
            _ => Ok(()),
        })?;
        self.is_missed |= bot.is_some_and(|bot| bot.is_true());
        Ok(())
    }

    fn data(&mut self, data: &mut DataScan<'_>) -> Result<(), Doubt> {
        let (mut name, mut custom_id) = (None, None);
        data.inside(|key, value| match key {
            b"name" => once(&mut name, value),
            b"custom_id" => once(&mut custom_id, value),
            _ => Ok(()),
        })?;
        let Filter { commands, custom_ids, .. } = self.filter;
        if let (Some(names), Some(name)) = (commands, name.and_then(Value::text)) {
            self.command_is_missed = !names.may_have(name);
        }
        if let (Some(names), Some(custom_id)) = (custom_ids, custom_id.and_then(Value::text)) {
            self.custom_id_is_missed = !names.may_begin(custom_id);
        }
        Ok(())
    }
}

/// Keeps a value that may stand there once.
fn once<'t>(place: &mut Option<Value<'t>>, value: Value<'t>) -> Result<(), Doubt> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Doubt),
    }
}

const GUILD: u8 = 1;
const CHANNEL: u8 = 2;
const AUTHOR: u8 = 4;
const TYPE: u8 = 8;
const DATA: u8 = 16;

/// Types of interactions, as `type` has them (events, Interaction Type).
const COMMAND: u64 = 2;
const COMPONENT: u64 = 3;
const AUTOCOMPLETE: u64 = 4;
const MODAL: u64 = 5;

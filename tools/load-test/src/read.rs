//! What is read of each event: its unique id, and enough of its fields that decoding them cannot
//! be optimised away. Typed views where the library has them, else the JSON tree.
//!
//! The gateway's table of id fields (`replay_gateway::traffic::id_field`) rules; a test holds the
//! typed reads to it. The handler calls this for every event.

use replay_gateway::traffic::{Kind, id_field};
use shardring::model::{
    CommandData, CommandOption, Member, Message, MessageUpdate, PresenceUpdate, User,
};
use shardring::{Event, EventKind};

/// Where untyped kinds carry their id.
#[derive(Clone, Debug)]
pub(crate) struct Paths([Option<Path>; EventKind::COUNT]);

/// Keys of `d`, the second one below the first.
type Path = (&'static str, Option<&'static str>);

impl Paths {
    /// The gateway's table.
    pub(crate) fn new() -> Self {
        let mut paths = [None; EventKind::COUNT];
        for kind in Kind::all() {
            let field = id_field(kind);
            let path = match field.split_once('.') {
                Some((first, second)) => (first, Some(second)),
                None => (field, None),
            };
            paths[EventKind::from_name(kind.name()).index()] = Some(path);
        }
        Self(paths)
    }

    /// The event's unique id (0: it has none, or none can be read) and a checksum of fields.
    pub(crate) fn read(&self, event: &Event<'_>) -> (u64, u64) {
        match event {
            Event::MessageCreate(event) => (event.id.get(), message(event)),
            Event::MessageUpdate(event) => (event.id.get(), message_update(event)),
            Event::MessageDelete(event) => {
                let guild = event.guild_id.map_or(0, |id| id.get());
                (event.id.get(), event.channel_id.get() ^ guild)
            }
            Event::PresenceUpdate(event) => (event.user.id.get(), presence(event)),
            Event::TypingStart(event) => {
                let sum = event.channel_id.get()
                    ^ event.timestamp_s as u64
                    ^ event.guild_id.map_or(0, |id| id.get())
                    ^ event.member.as_ref().map_or(0, member);
                (event.user_id.get(), sum)
            }
            Event::InteractionCreate(event) => {
                let sum = event.channel_id.map_or(0, |id| id.get())
                    ^ text(event.token.expose())
                    ^ event.author().map_or(0, user)
                    ^ event.member.map_or(0, member)
                    ^ event.command().map_or(0, command);
                (event.id.get(), sum)
            }
            Event::MessageReactionAdd(event) => {
                let sum = event.channel_id.get()
                    ^ event.user_id.get()
                    ^ u64::from(event.burst)
                    ^ text(event.emoji.name.unwrap_or(""))
                    ^ event.emoji.id.map_or(0, |id| id.get())
                    ^ event.member.as_ref().map_or(0, member);
                (event.message_id.get(), sum)
            }
            Event::GuildCreate(event) => {
                let sum = event.owner_id.get()
                    ^ event.member_count
                    ^ text(event.name)
                    ^ event.members.len() as u64
                    ^ event.channels.len() as u64
                    ^ event.roles.len() as u64;
                (event.id.get(), sum)
            }
            Event::VoiceStateUpdate(event) => {
                let sum = event.guild_id.value().map_or(0, |id| id.get())
                    ^ event.channel_id.map_or(0, |id| id.get())
                    ^ text(event.session_id.expose())
                    ^ u64::from(event.self_mute)
                    ^ event.member.map_or(0, member);
                (event.user_id.get(), sum)
            }
            Event::GuildMemberUpdate(event) => {
                let sum = event.guild_id.get()
                    ^ user(&event.user)
                    ^ event.roles.iter().map(|id| id.get()).sum::<u64>()
                    ^ text(event.nick.value().unwrap_or(""));
                (event.user.id.get(), sum)
            }
            Event::Untyped(event) => {
                let Some((first, second)) = self.0[event.kind.index()] else {
                    return (0, event.data.len() as u64);
                };
                let value = event.data.get(first);
                let value = match second {
                    Some(second) => value.and_then(|object| object.get(second)),
                    None => value,
                };
                let id = value.and_then(|id| id.as_str()).and_then(|id| id.parse().ok());
                (id.unwrap_or(0), event.data.len() as u64)
            }
            _ => (0, 0),
        }
    }
}

fn message(event: &Message<'_>) -> u64 {
    event.channel_id.get()
        ^ event.guild_id.map_or(0, |id| id.get())
        ^ user(&event.author)
        ^ event.member.as_ref().map_or(0, member)
        ^ text(event.content)
        ^ text(event.timestamp.as_str())
        ^ event.mentions.iter().map(user).fold(0, |sum, one| sum ^ one)
        ^ event.embeds.iter().map(|embed| text(embed.title.unwrap_or(""))).sum::<u64>()
        ^ event.attachments.iter().map(|file| file.id.get() ^ file.size).sum::<u64>()
        ^ u64::from(event.kind.get())
        ^ u64::from(event.pinned)
}

fn message_update(event: &MessageUpdate<'_>) -> u64 {
    event.channel_id.get()
        ^ event.guild_id.map_or(0, |id| id.get())
        ^ event.author.as_ref().map_or(0, user)
        ^ event.member.as_ref().map_or(0, member)
        ^ text(event.content.unwrap_or(""))
        ^ event.mentions.unwrap_or_default().iter().map(user).fold(0, |sum, one| sum ^ one)
        ^ event.embeds.map_or(0, |embeds| embeds.len() as u64)
}

fn command(command: &CommandData<'_>) -> u64 {
    let option =
        |option: &CommandOption<'_>| text(option.name) ^ text(option.as_str().unwrap_or(""));
    command.id.get() ^ text(command.name) ^ command.values().iter().map(option).sum::<u64>()
}

fn presence(event: &PresenceUpdate<'_>) -> u64 {
    event.guild_id.get()
        ^ text(event.status.as_str())
        ^ event.activities.iter().map(|activity| text(activity.name)).sum::<u64>()
        ^ text(event.client_status.desktop.map_or("", |status| status.as_str()))
}

fn user(user: &User<'_>) -> u64 {
    user.id.get() ^ text(user.username) ^ text(user.avatar.unwrap_or(""))
}

fn member(member: &Member<'_>) -> u64 {
    let roles = member.roles.iter().fold(0, |sum, role| sum ^ role.get());
    roles ^ u64::from(member.mute) ^ member.joined_at.map_or(0, |at| text(at.as_str()))
}

/// Length, first and last byte: the text was found and its memory touched.
fn text(text: &str) -> u64 {
    let ends = text.as_bytes().first().zip(text.as_bytes().last());
    let (first, last) = ends.map_or((0, 0), |(first, last)| (*first, *last));
    (text.len() as u64) << 16 | u64::from(first) << 8 | u64::from(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use replay_gateway::traffic::Traffic;
    use shardring::decode::Scratch;
    use shardring::wire::PADDING;
    use std::collections::BTreeSet;

    #[test]
    fn the_id_of_every_generated_kind_is_read_as_it_was_written() {
        let paths = Paths::new();
        let traffic = Traffic::new(7, 3, u64::MAX);
        let mut scratch = Scratch::new();
        let (mut kinds, mut k) = (BTreeSet::new(), 0);
        while kinds.len() < Kind::all().count() {
            let mut payload = String::new();
            let written = traffic.write_payload(k, k + 3, &mut payload);
            kinds.insert(written.kind);
            let len = payload.len();
            let mut bytes = payload.into_bytes();
            bytes.resize(len + PADDING, 0);
            let kind = EventKind::from_name(written.kind.name());
            let read = |event: Event<'_>| (event.kind(), paths.read(&event));
            let (decoded, (id, sum)) = scratch
                .read(&mut bytes, len, |root| read(Event::decode(kind, root.name(), root.data())))
                .expect("generated JSON is JSON");
            assert_eq!((decoded, id), (kind, written.id), "event {k}");
            assert_ne!(sum, 0, "event {k}: nothing of it was read");
            k += 1;
            assert!(k < 100_000, "the mix lacks a kind: {kinds:?}");
        }
    }
}

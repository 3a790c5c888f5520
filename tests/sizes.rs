//! The sizes of the model's hot types, in bytes: a field more is a choice, not an accident.
//!
//! What lies in the long lists of GUILD_CREATE and GUILD_MEMBERS_CHUNK costs its size for each of
//! a guild's members; what comes with each message costs it for each event. Nothing of it holds
//! heap memory or needs a drop, which the arena asks of it at compile time (`Copy`).

use shardring::model::*;
use std::mem::{needs_drop, size_of};

macro_rules! sizes {
    ($($ty:ty = $size:literal),* $(,)?) => {
        [$((stringify!($ty), size_of::<$ty>(), $size, needs_drop::<$ty>())),*]
    };
}

#[test]
fn hot_types_are_as_large_as_they_were() {
    let sizes = sizes![
        Event<'_> = 64,
        Message<'_> = 1008,
        MessageUpdate<'_> = 1032,
        MessageDelete = 32,
        MessageReactionAdd<'_> = 368,
        TypingStart<'_> = 264,
        PresenceUpdate<'_> = 360,
        Activity<'_> = 288,
        Interaction<'_> = 256,
        VoiceState<'_> = 88,
        User<'_> = 248,
        Member<'_> = 224,
        Role<'_> = 136,
        Channel<'_> = 480,
        PermissionOverwrite = 32,
        ThreadMember<'_> = 96,
        Emoji<'_> = 64,
        SoundboardSound<'_> = 96,
        GuildCreate<'_> = 640,
        Embed<'_> = 168,
        Attachment<'_> = 256,
        Component<'_> = 32,
        Id<kind::Guild> = 8,
        Timestamp<'_> = 16,
        Field<GuildId> = 16,
        OwnedEvent = 64,
    ];
    let changed: Vec<_> = sizes
        .iter()
        .filter(|(_, size, was, _)| size != was)
        .map(|(name, size, was, _)| format!("{name}: {size}, was {was}"))
        .collect();
    assert!(changed.is_empty(), "if it is meant, say so here and in the changelog: {changed:#?}");
    let dropped: Vec<_> = sizes.iter().filter(|(.., drops)| *drops).map(|row| row.0).collect();
    assert_eq!(dropped, ["OwnedEvent"], "it alone holds memory");
}

//! Small pieces of text: words, lists, hashes in hex, timestamps. Pure.

use super::{Rng, key};
use std::fmt::Write as _;

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{ let _ = write!($out, $($text)*); }};
}
pub(super) use put;

/// `count` items with commas between.
pub(super) fn list(count: u64, out: &mut String, mut item: impl FnMut(&mut String, u64)) {
    for n in 0..count {
        if n > 0 {
            out.push(',');
        }
        item(out, n);
    }
}

/// Between `min` and `max` words, now and then an emoji, an escape or a mention of a user.
pub(super) fn text(min: u64, max: u64, rng: &mut Rng, out: &mut String) {
    for n in 0..min + rng.below(max - min + 1) {
        if n > 0 {
            out.push(' ');
        }
        match rng.below(100) {
            0 => out.push_str(r"\n"),
            1 => put!(out, r#"\"{}\""#, rng.pick(NAMES)),
            2 => out.push_str(rng.pick(EMOJI)),
            9 => out.push_str(r"caf\u00e9"),
            3 => put!(out, "https://example.com/{:x}", rng.draw() >> 8),
            4..9 => out.push_str(rng.pick(NAMES)),
            _ => out.push_str(rng.pick(WORDS)),
        }
    }
}

/// 32 hex digits, as avatars and signatures have.
pub(super) fn hex32(bits: u64) -> String {
    format!("{bits:016x}{:016x}", key(bits, 11, 1))
}

/// Appends the ISO 8601 form of a moment given in ms after Discord's epoch (2015-01-01).
pub(super) fn timestamp(ms: u64, out: &mut String) {
    let (days, of_day) = (ms / 86_400_000 + 16_436, ms % 86_400_000);
    // Days since 1970-01-01 to a civil date (Howard Hinnant's `civil_from_days`).
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
    put!(out, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}000+00:00");
}

pub(super) const NAMES: &[&str] = &[
    "Aster", "Birch", "Cedar", "Delta", "Ember", "Fable", "Gale", "Harbor", "Indigo", "Juniper",
    "Kestrel", "Lumen", "Maple", "Nimbus", "Onyx", "Pixel", "Quartz", "Raven", "Saffron", "Tundra",
    "Umbra", "Velvet", "Willow", "Xenon", "Yarrow", "Zephyr", "Atlas", "Breeze", "Comet", "Drift",
    "Echo", "Flint", "Grove", "Haze", "Iris", "Jade", "Krypton", "Lotus", "Mirage", "Nova",
    "Orbit", "Prism", "Quill", "Ripple", "Solace", "Tempest", "Vortex", "Wisp",
];

pub(super) const WORDS: &[&str] = &[
    "the",
    "and",
    "hello",
    "lol",
    "thanks",
    "game",
    "server",
    "what",
    "when",
    "anyone",
    "play",
    "tonight",
    "ok",
    "sure",
    "nice",
    "build",
    "ship",
    "rust",
    "why",
    "because",
    "really",
    "maybe",
    "tomorrow",
    "link",
    "check",
    "this",
    "out",
    "voice",
    "chat",
    "please",
    "works",
    "again",
    "people",
    "something",
    "better",
    "world",
    "level",
    "music",
    "channel",
    "found",
    "update",
    "never",
    "always",
    "time",
    "little",
    "great",
    "where",
    "after",
    "before",
    "think",
    "about",
    "with",
    "you",
    "are",
    "for",
    "not",
    "have",
    "that",
    "just",
    "like",
    "was",
    "but",
    "can",
    "know",
];

pub(super) const EMOJI: &[&str] = &["🔥", "👍", "😂", "❤️", "🎉", "😭", "👀", "✅"];

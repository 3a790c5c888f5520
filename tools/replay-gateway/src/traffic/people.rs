//! Who and where: the users, members, guilds and channels that generated events speak of. Pure.

use super::text::{NAMES, WORDS, hex32, list, put, timestamp};
use super::{GUILDS, ID_BASE_MS, Rng, Traffic, key};
use std::fmt::Write as _;

/// Where an event happens: a guild of the pool and a channel of it.
pub(super) struct Place {
    pub(super) guild: u64,
    pub(super) channel: u64,
    pub(super) world: u64,
}

impl Place {
    pub(super) fn draw(traffic: &Traffic, rng: &mut Rng) -> Self {
        let world = key(traffic.seed, 0x776f, u64::from(traffic.variant));
        // Some guilds are much busier than others: the square leans to the low numbers.
        let draw = rng.below(GUILDS) * rng.below(GUILDS) / GUILDS;
        let guild = snowflake(key(world, 1, draw));
        let channel = snowflake(key(guild, 2, rng.below(40) * rng.below(40) / 40));
        Self { guild, channel, world }
    }

    pub(super) fn role(&self, rng: &mut Rng) -> u64 {
        snowflake(key(self.guild, 3, rng.below(36)))
    }
}

/// A snowflake of a past time made from 64 drawn bits.
pub(super) fn snowflake(bits: u64) -> u64 {
    let ms = 40_000_000_000 + bits % (ID_BASE_MS - 60_000_000_000);
    (ms << 22) | (bits >> 44)
}

/// A user of the variant's pool: the same number gives the same person.
pub(super) struct User {
    pub(super) id: u64,
    look: u64,
}

impl User {
    /// Somebody who is often seen (so that a compressor finds them again).
    pub(super) fn regular(place: &Place, rng: &mut Rng) -> Self {
        let number = rng.below(8_000) * rng.below(8_000) / 8_000;
        let look = key(place.world, 4, number);
        Self { id: snowflake(look), look }
    }

    /// The holder of a unique id: the look is one of the pool's.
    pub(super) fn with_id(id: u64, rng: &mut Rng) -> Self {
        Self { id, look: key(5, 5, rng.below(20_000)) }
    }

    fn name(&self) -> (&'static str, &'static str, u64) {
        let first = NAMES[(self.look % NAMES.len() as u64) as usize];
        let second = NAMES[(self.look / 64 % NAMES.len() as u64) as usize];
        (first, second, self.look / 4096 % 1000)
    }

    /// Appends the user object.
    pub(super) fn write(&self, out: &mut String) {
        let (first, second, number) = self.name();
        let look = self.look;
        put!(out, r#"{{"username":"{first}{second}{number}","public_flags":{},"#, (look >> 9) & 64);
        if look.is_multiple_of(5) {
            put!(
                out,
                r#""primary_guild":{{"tag":"{}","identity_guild_id":"{}","identity_enabled":true,"badge":"{:032x}"}},"#,
                &first.to_uppercase(),
                snowflake(look % 64),
                u128::from(look % 64) * 0x1234_5678_9abc_def1_2345_6789
            );
        } else {
            out.push_str(r#""primary_guild":null,"#);
        }
        put!(out, r#""id":"{}","global_name":"#, self.id);
        if look.is_multiple_of(4) {
            out.push_str("null");
        } else {
            put!(out, r#""{first} {second}""#);
        }
        out.push_str(r#","display_name_styles":null,"discriminator":"0","collectibles":null,"#);
        if look.is_multiple_of(16) {
            out.push_str(r#""bot":true,"#);
        }
        put!(out, r#""avatar_decoration_data":null,"avatar":"{}"}}"#, hex32(look));
    }
}

/// Appends a guild member, with its user if one is given. `roles`: how many at most.
pub(super) fn member(
    place: &Place,
    user: Option<&User>,
    roles: u64,
    rng: &mut Rng,
    out: &mut String,
) {
    out.push('{');
    if let Some(user) = user {
        out.push_str(r#""user":"#);
        user.write(out);
        out.push(',');
    }
    out.push_str(r#""roles":["#);
    let count = rng.below(roles + 2);
    list(count, out, |out, _| put!(out, r#""{}""#, place.role(rng)));
    out.push_str(r#"],"premium_since":null,"pending":false,"nick":"#);
    if rng.percent(30) {
        put!(out, r#""{} {}""#, rng.pick(NAMES), rng.pick(WORDS));
    } else {
        out.push_str("null");
    }
    out.push_str(r#","mute":false,"joined_at":""#);
    timestamp(200_000_000_000 + rng.below(2_000) * 60_000_000, out);
    put!(
        out,
        r#"","flags":{},"deaf":false,"communication_disabled_until":null,"collectibles":null,"banner":null,"avatar_decoration_data":null,"avatar":null}}"#,
        rng.below(4) & 2
    );
}

//! Names to numbers, for matches that are one jump: the keys of an object, the names of events.
//!
//! Nothing here decides anything: two names may share a number, so that a comparison follows each
//! match. Used by the macros of [`model`](crate::model), at compile time and once a key.

/// A short code of a key: its length and three of its bytes. Two keys may share a code, so a
/// match on it is followed by a comparison; it only makes the match a jump instead of a walk
/// through all names.
#[inline]
const fn key_code(key: &[u8]) -> u32 {
    let len = key.len();
    if len == 0 {
        return 0;
    }
    (len as u32 & 0xFF)
        | (key[0] as u32) << 8
        | (key[len / 2] as u32) << 16
        | (key[len - 1] as u32) << 24
}

/// Where the keys of one object lie in a table that is at most a quarter full, so that a match on
/// the place becomes one jump. Keys may share a place: a comparison follows.
#[derive(Clone, Copy)]
pub(crate) struct KeyPlaces {
    factor: u32,
    shift: u32,
}

impl KeyPlaces {
    /// Of the factors that are tried, the one by which the fewest keys share a place.
    pub(crate) const fn of(keys: &[&str]) -> Self {
        let bits = (keys.len() * 2 + 1).next_power_of_two().ilog2() + 1;
        let shift = 32 - if bits > PLACE_BITS_MAX { PLACE_BITS_MAX } else { bits };
        let mut best = Self { factor: 1, shift };
        let mut fewest = usize::MAX;
        let mut factor = FIRST_FACTOR;
        let mut tried = 0;
        while tried < FACTORS_MAX && fewest > 0 {
            let places = Self { factor, shift };
            let shared = places.shared(keys);
            if shared < fewest {
                (best, fewest) = (places, shared);
            }
            factor = factor.wrapping_mul(FACTOR_STEP);
            tried += 1;
        }
        best
    }

    /// How many keys share a place with one before them.
    const fn shared(self, keys: &[&str]) -> usize {
        let mut taken = [false; 1 << PLACE_BITS_MAX];
        let (mut shared, mut at) = (0, 0);
        while at < keys.len() {
            let place = self.place(keys[at].as_bytes()) as usize;
            shared += taken[place] as usize;
            taken[place] = true;
            at += 1;
        }
        shared
    }

    /// Where a key lies.
    #[inline(always)]
    pub(crate) const fn place(self, key: &[u8]) -> u32 {
        key_code(key).wrapping_mul(self.factor) >> self.shift
    }
}

/// A table has at most so many places (as a power of two).
const PLACE_BITS_MAX: u32 = 8;
/// So many factors are tried for an object.
const FACTORS_MAX: u32 = 64;
/// Odd numbers with bits well spread (from the golden ratio, and from Knuth's generator).
const FIRST_FACTOR: u32 = 0x9E37_79B1;
const FACTOR_STEP: u32 = 0x5851_F42D;

/// As [`key_code`], for the names of events: many end in a word of six letters (`CREATE`,
/// `UPDATE`, `DELETE`) that only its first tells apart.
#[inline]
pub(crate) const fn name_code(name: &[u8]) -> u64 {
    if name.len() < 6 {
        return key_code(name) as u64;
    }
    key_code(name) as u64 | (name[name.len() - 6] as u64) << 32
}

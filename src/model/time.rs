//! [`Timestamp`]: Discord's ISO 8601 strings, read when somebody asks.

use crate::decode::{Cursor, Decode, Expected, Shape};
use serde::{Serialize, Serializer};
use std::fmt;

/// A moment as Discord writes it, mostly `2026-03-11T17:21:09.318000+00:00`. Empty if it is
/// missing.
///
/// ```
/// use shardring::model::Timestamp;
///
/// let moment = Timestamp::new("2015-04-26T06:26:56.936000+00:00");
/// assert_eq!(moment.unix_ms(), Some(1_430_029_616_936));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Timestamp<'a>(&'a str);

impl<'a> Timestamp<'a> {
    /// The moment that `text` writes; nothing is checked.
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// As it came.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Milliseconds of Unix time, further digits cut off. `None` if this is not
    /// `YYYY-MM-DDTHH:MM:SS`, a fraction or none, then `Z`, `±HH:MM` or nothing (taken for UTC).
    pub fn unix_ms(self) -> Option<i64> {
        let text = self.0.as_bytes();
        let (head, mut rest) = text.split_at_checked(19)?;
        let signs = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if signs.iter().any(|&(at, sign)| head[at] != sign) {
            return None;
        }
        let (year, month) = (number(&head[..4])?, number(&head[5..7])?);
        let (day, hour) = (number(&head[8..10])?, number(&head[11..13])?);
        let (minute, second) = (number(&head[14..16])?, number(&head[17..])?);
        let in_range = (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !in_range {
            return None;
        }
        let mut ms = 0i64;
        if let Some((b'.', after)) = rest.split_first() {
            let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            for place in [100, 10, 1].iter().zip(&after[..digits]) {
                ms += place.0 * i64::from(place.1 - b'0');
            }
            rest = &after[digits..];
        }
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        Some((seconds - offset_s(rest)?) * 1000 + ms)
    }
}

impl fmt::Display for Timestamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Timestamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> Decode<'a> for Timestamp<'a> {
    const ABSENT: Self = Self("");
    #[inline]
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        <&str>::decode(cursor).map(Self)
    }
    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
    fn shape() -> Shape {
        Shape::Timestamp
    }
}

/// As it came.
impl Serialize for Timestamp<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// At most four digits.
fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// Seconds east of Greenwich.
fn offset_s(text: &[u8]) -> Option<i64> {
    match text {
        b"" | b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let east = number(&[*h1, *h2])? * 3600 + number(&[*m1, *m2])? * 60;
            Some(if *sign == b'+' { east } else { -east })
        }
        _ => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January 1970 in the Gregorian calendar, counted in years that begin in
/// March so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_and_offsets_of_any_length_are_read() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00", 0),
            ("1970-01-01T00:00:00.5Z", 500),
            ("1970-01-01T00:00:00.123456789+00:00", 123),
            ("1970-01-01T01:30:00.001+01:30", 1),
            ("1969-12-31T23:59:59-00:00", -1000),
            ("2000-02-29T12:00:00+00:00", 951_825_600_000),
            ("2026-03-11T17:21:09.318000+00:00", 1_773_249_669_318),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(Timestamp::new(text).unix_ms(), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2026-03-11",
            "2026-13-11T17:21:09Z",
            "2026-02-29T17:21:09Z",
            "2026-03-11 17:21:09Z",
            "2026-03-11T24:21:09Z",
            "2026-03-11T17:21:09.Z",
            "2026-03-11T17:21:09+0100",
            "2026-03-11T17:21:0é",
            "٢٠٢٦-03-11T17:21:09",
        ] {
            assert_eq!(Timestamp::new(text).unix_ms(), None, "{text}");
        }
    }
}

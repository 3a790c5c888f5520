//! Numbers for people: three digits, and the unit that suits them. Used by table, page, live line.

/// A number with its thousands apart.
pub(crate) fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that count, thousands apart.
pub(crate) fn digits(number: f64) -> String {
    let decimals = match number.abs() {
        small if small < 9.995 => 2,
        middle if middle < 99.95 => 1,
        _ => return spaced(number.round().max(0.0) as u64),
    };
    format!("{number:.decimals$}")
}

/// A time: ns, µs, ms or s.
pub(crate) fn micros(us: f64) -> String {
    match us {
        us if us < 0.9995 => format!("{:.0} ns", us * 1e3),
        us if us < 999.5 => format!("{} µs", digits(us)),
        us if us < 999_500.0 => format!("{} ms", digits(us / 1e3)),
        us => format!("{} s", digits(us / 1e6)),
    }
}

/// Bytes: B, KiB, MiB or GiB.
pub(crate) fn bytes(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < units.len() {
        value /= 1_024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{} B", spaced(value.round() as u64)),
        unit => format!("{} {}", digits(value), units[unit]),
    }
}

/// CPU time of an event, in µs.
pub(crate) fn cpu(ns: f64) -> String {
    format!("{} µs", digits(ns / 1e3))
}

/// Kibibytes, as [`bytes`].
pub(crate) fn kib(kib: u64) -> String {
    bytes(kib as f64 * 1024.0)
}

/// `1 shard`, `2 shards`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", spaced(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")] {
            assert_eq!(spaced(number), text);
        }
    }

    #[test]
    fn numbers_have_three_digits_and_the_unit_that_suits_them() {
        for (us, text) in [
            (0.25, "250 ns"),
            (0.9999, "1.00 µs"),
            (50.14, "50.1 µs"),
            (999.7, "1.00 ms"),
            (1_320.0, "1.32 ms"),
            (2_500_000.0, "2.50 s"),
            (3_600e6, "3,600 s"),
        ] {
            assert_eq!(micros(us), text);
        }
        assert_eq!((bytes(10.0), bytes(1_536.0)), ("10 B".into(), "1.50 KiB".into()));
        assert_eq!(bytes(27.1 * 1024.0 * 1024.0), "27.1 MiB");
        assert_eq!((digits(0.0), digits(99.97)), ("0.00".into(), "100".into()));
        assert_eq!(
            (plural(1, "shard"), plural(2_000, "shard")),
            ("1 shard".into(), "2,000 shards".into())
        );
    }
}

//! Text of the page: escaping, and numbers with the unit that suits them.

use crate::live::spaced;

/// Text as HTML, in elements and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Three digits that count, thousands apart.
pub(super) fn digits(number: f64) -> String {
    let decimals = match number.abs() {
        small if small < 9.995 => 2,
        middle if middle < 99.95 => 1,
        _ => return spaced(number.round().max(0.0) as u64),
    };
    format!("{number:.decimals$}")
}

/// A time: ns, µs, ms or s.
pub(super) fn micros(us: f64) -> String {
    match us {
        us if us < 0.9995 => format!("{:.0} ns", us * 1e3),
        us if us < 999.5 => format!("{} µs", digits(us)),
        us if us < 999_500.0 => format!("{} ms", digits(us / 1e3)),
        us => format!("{} s", digits(us / 1e6)),
    }
}

/// Bytes: B, KiB, MiB or GiB.
pub(super) fn bytes(bytes: f64) -> String {
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

/// `1 shard`, `2 shards`.
pub(super) fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", spaced(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_stays_text() {
        assert_eq!(escape("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
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

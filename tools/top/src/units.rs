//! Numbers as people read them, with their units. Pure; what is not known, NaN and infinity are
//! [`NONE`].

use std::time::Duration;

/// What is not known.
pub(crate) const NONE: &str = "-";

/// `12,345`.
pub(crate) fn count(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return NONE.to_owned() };
    let digits = format!("{:.0}", value.abs().min(1e15));
    let mut text = String::with_capacity(digits.len() + 6);
    if value < -0.5 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Per second: `0`, `0.02`, `3.4`, `20,013`.
pub(crate) fn rate(value: Option<f64>) -> String {
    match value {
        Some(0.0) => "0".to_owned(),
        Some(value) if value > 0.0 && value < 0.095 => format!("{:.2}", value.max(0.01)),
        Some(value) if value > 0.0 && value < 99.5 => format!("{value:.1}"),
        value => count(value),
    }
}

/// In at most seven characters (up to a year): `27.4 µs`, `3.30 ms`, `1.25 s`, `12 min`, `4.2 h`.
pub(crate) fn span(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) else {
        return NONE.to_owned();
    };
    let (value, unit) = match seconds {
        s if s < 0.999_5e-6 => (s * 1e9, "ns"),
        s if s < 0.999_5e-3 => (s * 1e6, "µs"),
        s if s < 0.999_5 => (s * 1e3, "ms"),
        s if s < 600.0 => (s, "s"),
        s if s < 5_970.0 => (s / 60.0, "min"),
        s => (s.min(1e9) / 3_600.0, "h"),
    };
    match value {
        value if unit == "min" => format!("{value:.0} {unit}"),
        value if value < 9.995 => format!("{value:.2} {unit}"),
        value if value < 99.95 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

/// Rounded: `4 s`, `12 min`, `3 h 20 min`, `12 d 4 h`.
pub(crate) fn long(span: Duration) -> String {
    let s = span.as_secs_f64().round() as u64;
    match s {
        _ if span.as_millis() < 950 => format!("{:.1} s", span.as_secs_f64()),
        0..120 => format!("{s} s"),
        120..3_600 => format!("{} min", s / 60),
        3_600..86_400 => format!("{} h {:02} min", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

/// `999 B`, `1.2 KiB`, `34 MiB`.
pub(crate) fn bytes(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite() && *value >= 0.0) else {
        return NONE.to_owned();
    };
    let mut rest = value.min(1e18);
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if rest < 999.5 {
            let whole = unit == "B" || rest >= 99.5;
            return if whole { format!("{rest:.0} {unit}") } else { format!("{rest:.1} {unit}") };
        }
        rest /= 1024.0;
    }
    format!("{rest:.1} TiB")
}

/// `12.3 %`.
pub(crate) fn percent(part: Option<f64>, whole: Option<f64>) -> String {
    match (part, whole) {
        (Some(part), Some(whole)) if whole > 0.0 => format!("{:.1} %", 100.0 * part / whole),
        _ => NONE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        let some = Some;
        assert_eq!(count(some(0.0)), "0");
        assert_eq!(count(some(999.0)), "999");
        assert_eq!(count(some(1_000.0)), "1,000");
        assert_eq!(count(some(1_234_567.0)), "1,234,567");
        assert_eq!(count(some(-1_000.0)), "-1,000");
        assert_eq!((count(None), count(some(f64::NAN))), ("-".into(), "-".into()));
        assert_eq!((rate(some(0.0)), rate(some(0.004))), ("0".into(), "0.01".into()));
        assert_eq!((rate(some(0.5)), rate(some(20_013.2))), ("0.5".into(), "20,013".into()));
        for (seconds, text) in [
            (0.0, "0.00 ns"),
            (27.4e-6, "27.4 µs"),
            (999.7e-6, "1.00 ms"),
            (3.3e-3, "3.30 ms"),
            (0.25, "250 ms"),
            (41.25, "41.2 s"),
            (720.0, "12 min"),
            (3_600.0, "60 min"),
            (15_000.0, "4.17 h"),
            (f64::NAN, "-"),
            (-1.0, "-"),
        ] {
            assert_eq!(span(some(seconds)), text, "{seconds}");
        }
        assert_eq!(long(Duration::from_millis(9_990)), "10 s");
        assert_eq!(long(Duration::from_millis(500)), "0.5 s");
        assert_eq!(long(Duration::from_secs(3_661)), "1 h 01 min");
        assert_eq!(long(Duration::from_secs(86_400 * 12 + 3_600 * 4)), "12 d 4 h");
        assert_eq!(
            (bytes(some(999.0)), bytes(some(1_048_576.0))),
            ("999 B".into(), "1.0 MiB".into())
        );
        assert_eq!(bytes(some(5e9)), "4.7 GiB");
        assert_eq!(
            (percent(some(1.0), some(3.0)), percent(some(1.0), some(0.0))),
            ("33.3 %".into(), "-".into())
        );
    }
}

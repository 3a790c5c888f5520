//! The machine that a job ran on, as far as its figures depend on it. No host name, no address.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is told of the machine; empty where the kernel does not say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// As the CPU names itself.
    pub(crate) cpu: String,
    /// Logical cores that the process may use.
    pub(crate) cores: usize,
    pub(crate) memory_kib: u64,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// When this was asked, Unix seconds.
    pub(crate) unix_s: u64,
}

impl Machine {
    /// Asks the kernel.
    pub(crate) fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            cpu: value(&read("/proc/cpuinfo"), "model name").unwrap_or_default().to_owned(),
            cores: crate::placement::allowed().map_or(0, |cores| cores.len()),
            memory_kib: value(&read("/proc/meminfo"), "MemTotal")
                .and_then(|text| text.split(' ').next()?.parse().ok())
                .unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            unix_s: now.map_or(0, |since| since.as_secs()),
        }
    }

    /// When, as `2026-11-22 07:58 UTC`.
    pub(crate) fn when(&self) -> String {
        let (days, rest_s) = (self.unix_s / 86_400, self.unix_s % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute) = (rest_s / 3_600, rest_s / 60 % 60);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
    }
}

/// The value behind a key of `key : value` lines.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim())
}

/// The Gregorian date of a day since 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_454, (2026, 1, 1)),
        ] {
            assert_eq!(date(days), expected);
        }
        let machine = Machine { unix_s: 20_454 * 86_400 + 3_661, ..Machine::default() };
        assert_eq!(machine.when(), "2026-01-01 01:01 UTC");
    }

    #[test]
    fn keys_of_proc_files_are_found() {
        let text = "processor\t: 0\nmodel name\t: A B: 3 GHz\n";
        assert_eq!(value(text, "model name"), Some("A B: 3 GHz"));
        assert_eq!(value(text, "cache"), None);
    }
}

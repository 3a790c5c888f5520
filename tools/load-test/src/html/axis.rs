//! Where the ticks of an axis go and what stands beside them. Numbers only, no drawing.

use crate::units::spaced;

/// A tick: its place on the axis from 0 to 1, and its label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) place: f64,
    pub(super) label: String,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// What its ends stand for: values, or their logarithms.
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) ticks: Vec<Tick>,
    /// What stands beside it, with the unit.
    pub(super) title: String,
}

impl Axis {
    /// From 0 to a round number that is `max` or more, with up to about `count` steps.
    pub(super) fn from_zero(title: &str, max: f64, count: usize) -> Self {
        let max = if max > 0.0 && max.is_finite() { max } else { 1.0 };
        let step = round_step(max / count.max(1) as f64);
        let steps = (max / step - 1e-9).ceil().max(1.0);
        let top = steps * step;
        let ticks = (0..=steps as usize)
            .map(|n| Tick { place: n as f64 / steps, label: label(n as f64 * step, step) })
            .collect();
        Self { min: 0.0, max: top, ticks, title: title.to_owned() }
    }

    /// Time from 0 to exactly `max_s`, in the unit that suits it.
    pub(super) fn time(max_s: f64, count: usize) -> Self {
        let max_s = if max_s > 0.0 { max_s } else { 1.0 };
        let (unit_s, unit) = match max_s {
            s if s < 0.1 => (0.001, "ms"),
            s if s <= 180.0 => (1.0, "s"),
            s if s <= 3.0 * 3_600.0 => (60.0, "min"),
            _ => (3_600.0, "h"),
        };
        let max = max_s / unit_s;
        let step = round_step(max / count.max(1) as f64);
        let ticks = (0..=(max / step + 1e-9) as usize)
            .map(|n| n as f64 * step)
            .map(|value| Tick { place: value / max, label: label(value, step) })
            .collect();
        let title = format!("time since the engine's start, {unit}");
        Self { min: 0.0, max: max_s, ticks, title }
    }

    /// Times in µs by their logarithm, in round steps around `min_us..=max_us`.
    pub(super) fn log_micros(title: &str, min_us: f64, max_us: f64) -> Self {
        let low = if min_us > MIN_US { min_us } else { MIN_US };
        let high = max_us.max(low);
        // At least a decade: less would blow up noise.
        let bottom = low.log10().floor();
        let top = (high.log10() - 1e-9).ceil().max(bottom + 1.0);
        let place = |exponent: f64| (exponent - bottom) / (top - bottom);
        let mantissas: &[f64] = if top - bottom <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let ticks = (bottom as i32..=top as i32)
            .flat_map(|decade| mantissas.iter().map(move |m| m * 10f64.powi(decade)))
            .map(|us| Tick { place: place(us.log10()), label: round_micros(us) })
            .filter(|tick| tick.place <= 1.0 + 1e-9)
            .collect();
        Self { min: bottom, max: top, ticks, title: title.to_owned() }
    }

    /// Percentiles by their nines: 0, 90, 99, 99.9 … and, if there is room, the median.
    pub(super) fn nines(max: f64) -> Self {
        let max = max.max(1.0);
        let percent = |nines: i32| match nines {
            0 => "0 %".to_owned(),
            1 => "90 %".to_owned(),
            2 => "99 %".to_owned(),
            more => format!("99.{} %", "9".repeat(more as usize - 2)),
        };
        let mut ticks: Vec<Tick> = (0..=(max + 1e-9) as i32)
            .map(|nines| Tick { place: f64::from(nines) / max, label: percent(nines) })
            .collect();
        ticks.push(Tick { place: 2f64.log10() / max, label: "50 %".to_owned() });
        Self { min: 0.0, max, ticks, title: "share of events that were as fast or faster".into() }
    }

    /// The place of a value, 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = (value - self.min) / (self.max - self.min);
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }
}

/// The round number (1, 2 or 5 times a power of ten) at or above `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let mantissas = [1.0, 2.0, 5.0, 10.0];
    let fits = mantissas.into_iter().find(|mantissa| mantissa * power >= least * (1.0 - 1e-9));
    fits.unwrap_or(10.0) * power
}

/// A multiple of a step with as many decimals as the step needs.
fn label(value: f64, step: f64) -> String {
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    match decimals {
        0 => spaced(value.round() as u64),
        decimals => format!("{value:.decimals$}"),
    }
}

fn round_micros(us: f64) -> String {
    match us {
        us if us < 0.99 => format!("{:.0} ns", us * 1e3),
        us if us < 990.0 => format!("{us:.0} µs"),
        us if us < 990_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{} s", spaced((us / 1e6).round() as u64)),
    }
}

/// Shorter than this is drawn as this.
pub(super) const MIN_US: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_the_axis_holds_its_values() {
        for (max, expected) in [
            (20_123.0, &["0", "5,000", "10,000", "15,000", "20,000", "25,000"][..]),
            (0.07, &["0.00", "0.02", "0.04", "0.06", "0.08"]),
            (1.0, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
            (0.0, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
            (100.0, &["0", "20", "40", "60", "80", "100"]),
        ] {
            let axis = Axis::from_zero("x", max, 5);
            assert_eq!(labels(&axis), expected, "{max}");
            assert!(axis.max >= max);
        }
        for max in [1e-9, 3.3, 7e12] {
            let axis = Axis::from_zero("x", max, 5);
            assert!(axis.max >= max && (2..=7).contains(&axis.ticks.len()), "{axis:?}");
        }
    }

    #[test]
    fn time_has_the_unit_that_suits_it_and_ends_with_the_job() {
        let axis = Axis::time(6.3, 7);
        assert_eq!(labels(&axis), ["0", "1", "2", "3", "4", "5", "6"]);
        assert_eq!((axis.max, axis.title.ends_with(", s")), (6.3, true));
        let hour = Axis::time(3_700.0, 7);
        assert_eq!(labels(&hour), ["0", "10", "20", "30", "40", "50", "60"]);
        assert!(hour.title.ends_with(", min"));
        assert!(Axis::time(86_400.0, 7).title.ends_with(", h"));
        assert_eq!(Axis::time(0.0, 5).max, 1.0);
    }

    #[test]
    fn latencies_are_by_decade_and_finer_where_there_are_few() {
        let axis = Axis::log_micros("x", 12.0, 4_100.0);
        assert_eq!(labels(&axis), ["10 µs", "100 µs", "1 ms", "10 ms"]);
        let one = Axis::log_micros("x", 30.0, 30.0);
        assert_eq!(labels(&one), ["10 µs", "20 µs", "50 µs", "100 µs"]);
        assert!(one.ticks.iter().all(|tick| (0.0..=1.0).contains(&tick.place)));
        assert!(Axis::log_micros("x", 0.0, 0.0).max > -3.0);
    }

    #[test]
    fn percentiles_stand_by_their_nines() {
        let axis = Axis::nines(5.2);
        assert_eq!(labels(&axis), ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "50 %"]);
        assert!((axis.place(2.6) - 0.5).abs() < 1e-9);
        assert_eq!(labels(&Axis::nines(0.0)), ["0 %", "90 %", "50 %"]);
    }
}

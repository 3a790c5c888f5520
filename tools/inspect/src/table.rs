//! The report for people.

use crate::report::{Difference, KindReport, Quantiles, Report};
use std::io::{self, Write};

/// Prints the report.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let width = report.kinds.iter().map(|kind| kind.name.len()).max().unwrap_or(0).max(5);
    writeln!(
        out,
        "{:width$} {:>9} {:>9} {:>7} {:>7} {:>9}  {:>24}  {:>24}",
        "event",
        "count",
        "in full",
        "partly",
        "untyped",
        "undecoded",
        "bytes p50/p99/max",
        "µs p50/p99/max"
    )?;
    for kind in &report.kinds {
        writeln!(
            out,
            "{:width$} {:>9} {:>9} {:>7} {:>7} {:>9}  {:>24}  {:>24}{}",
            kind.name,
            kind.count,
            kind.in_full,
            kind.partly,
            kind.untyped,
            kind.undecoded,
            whole(kind.len),
            micros(kind.decode_ns),
            if kind.is_known { "" } else { "  unknown: this version does not know it" },
        )?;
    }
    for (opcode, count) in &report.other_payloads {
        writeln!(out, "other payloads: {opcode}: {count}")?;
    }
    for kind in &report.kinds {
        write_notes(kind, out)?;
    }
    write_drift(report, out)?;
    write_roundtrip(report, out)?;
    if report.broken_count > 0 {
        writeln!(out, "\nBroken: {} documents", report.broken_count)?;
        report.broken.iter().try_for_each(|why| writeln!(out, "  {why}"))?;
    }
    let kinds = report.kinds.len();
    write!(out, "\n{} events of {kinds} kinds: {}", report.count(), report.verdict)?;
    match &report.reasons[..] {
        [] => writeln!(out),
        reasons => writeln!(out, ": {}", reasons.join(", ")),
    }
}

fn write_notes(kind: &KindReport, out: &mut impl Write) -> io::Result<()> {
    if kind.notes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}: not read", kind.name)?;
    kind.notes.iter().try_for_each(|(why, count)| writeln!(out, "  {count:>7} × {why}"))
}

fn write_drift(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let drifts =
        report.unknown_keys.len() + report.unknown_values.len() + report.unknown_bits.len();
    if drifts > 0 {
        writeln!(out, "\nUnknown (nothing is wrong with it: Discord is ahead of this version)")?;
    }
    for key in &report.unknown_keys {
        writeln!(out, "  {:>7} × key {}.{}, {}", key.count, key.object, key.key, key.value)?;
    }
    for value in &report.unknown_values {
        writeln!(out, "  {:>7} × {} {}", value.count, value.of, value.value)?;
    }
    for bit in &report.unknown_bits {
        writeln!(out, "  {:>7} × {} bit {}", bit.count, bit.of, bit.bit)?;
    }
    if !report.omitted_keys.is_empty() {
        writeln!(out, "\nOmitted on purpose")?;
    }
    for key in &report.omitted_keys {
        writeln!(out, "  {:>7} × {}.{}: {}", key.count, key.object, key.key, key.reason)?;
    }
    Ok(())
}

fn write_roundtrip(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(trip) = &report.roundtrip else { return Ok(()) };
    let (lost, changed) = (trip.lost.len(), trip.changed.len());
    writeln!(
        out,
        "\nWritten out again: {} events, {lost} keys lost, {changed} values changed, {} keys unknown",
        trip.compared,
        trip.unknown.len()
    )?;
    let mut list = |what: &str, rows: &[Difference]| {
        rows.iter().try_for_each(|row| {
            writeln!(out, "  {:>7} × {what}: {} {}", row.count, row.event, row.path)
        })
    };
    list("lost", &trip.lost)?;
    list("changed", &trip.changed)?;
    list("unknown", &trip.unknown)
}

fn whole(quantiles: Quantiles) -> String {
    format!("{} / {} / {}", quantiles.p50, quantiles.p99, quantiles.max)
}

fn micros(quantiles: Quantiles) -> String {
    let us = |ns: u64| ns as f64 / 1000.0;
    format!("{:.1} / {:.1} / {:.1}", us(quantiles.p50), us(quantiles.p99), us(quantiles.max))
}

//! Latency over percentiles, as HdrHistogram's own plots have it: an axis by nines, so that the
//! tail has as much room as the middle. The y axis is logarithmic: the curves differ by decades.

use std::fmt::Write as _;

use super::axis::{Axis, MIN_US};
use super::chart::{Chart, FULL, Line, X};
use crate::latency::Percentiles;
use crate::report::Report;
use crate::units::{micros, spaced};

/// Chart and table.
pub(super) fn section(report: &Report) -> String {
    let curves: Vec<_> =
        report.course.curves.iter().filter(|curve| !curve.points.is_empty()).collect();
    let rows = table(report);
    if curves.is_empty() {
        return format!("<h2>Latency</h2>\n<p>No event came.</p>\n{rows}");
    }
    let all = || curves.iter().flat_map(|curve| curve.points.iter());
    let min_us = all().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let max_us = all().map(|point| point.1).fold(0.0, f64::max);
    let nines = all().map(|point| point.0).fold(0.0, f64::max);
    let lines = curves.iter().zip(CLASSES).map(|(curve, class)| {
        let logarithm = |(nines, us): &(f64, f64)| Some((*nines, us.max(MIN_US).log10()));
        Line { class, points: curve.points.iter().map(logarithm).collect() }
    });
    let chart = Chart {
        title: "Latency by percentile",
        x: X::Nines(nines),
        y: Axis::log_micros("latency, logarithmic", min_us, max_us),
        lines: lines.collect(),
        marks: &[],
        band: None,
    };
    let mut legend = String::from("<ul class=\"legend\">\n");
    for (curve, class) in curves.iter().zip(CLASSES) {
        let _ = writeln!(
            legend,
            "<li><svg viewBox=\"0 0 28 8\" aria-hidden=\"true\"><path class=\"line {class}\" \
             d=\"M0 4H28\"/></svg>{}</li>",
            curve.name
        );
    }
    legend.push_str("</ul>\n");
    let figure = chart.figure(&FULL, "Latency by percentile", "");
    format!("<h2>Latency</h2>\n<p>{}</p>\n{legend}{figure}{rows}", meaning(report))
}

/// What the first curve tells.
fn meaning(report: &Report) -> &'static str {
    match report.latency_from {
        "intended_send" => {
            "Each event has a moment at which it was due to be sent. <em>Due to callback</em> runs \
             from there to the call of the handler: a gateway or a client that falls behind shows. \
             The other curves are the engine's own, from its start."
        }
        _ => {
            "Of this traffic nobody knows when it was due, so latency runs from the receipt of a \
             message's last byte. The curves are the engine's own, from its start."
        }
    }
}

fn table(report: &Report) -> String {
    let due = match report.latency_from {
        "intended_send" => report.latency.as_ref(),
        _ => None,
    };
    let rows = [
        ("due to callback", due),
        ("receive to callback", report.receive_to_callback.as_ref()),
        ("inflate and decode", report.decode.as_ref()),
        ("callback", report.callback.as_ref()),
        ("heartbeat to its ACK", report.heartbeat.as_ref()),
    ];
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"percentiles\">\n<thead><tr><th></th><th class=\"extra\">count</th><th>p50</th>\
         <th class=\"extra\">p90</th><th>p99</th><th>p99.9</th><th class=\"extra\">p99.99</th>\
         <th>longest</th></tr></thead>\n<tbody>\n",
    );
    let mut any = false;
    for (name, row) in rows {
        let Some(row) = row else { continue };
        any = true;
        let Percentiles { count, p50_us, p90_us, p99_us, p99_9_us, p99_99_us, max_us } = *row;
        let _ = write!(out, "<tr><th>{name}</th><td class=\"extra\">{}</td>", spaced(count));
        let (shown, extra) = ("", " class=\"extra\"");
        for (class, us) in [
            (shown, p50_us),
            (extra, p90_us),
            (shown, p99_us),
            (shown, p99_9_us),
            (extra, p99_99_us),
            (shown, max_us),
        ] {
            let _ = write!(out, "<td{class}>{}</td>", micros(us));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    if any { out } else { String::new() }
}

/// `p50 50.1 µs, p99 1.31 ms`, for a line of text.
pub(super) fn short(latency: &Percentiles) -> [(&'static str, String); 3] {
    [
        ("p50", micros(latency.p50_us)),
        ("p99", micros(latency.p99_us)),
        ("p99.9", micros(latency.p99_9_us)),
    ]
}

/// Of the curves, in their order.
const CLASSES: [&str; 4] = ["c1", "c2", "c3", "c4"];

//! `--report`: one page of HTML that needs nothing else: no script, no font, no address. It is for
//! people who were not there, so it says what was done, what it means, and what was not measured.
//!
//! Whatever came from outside is escaped, and the bot's token is struck out should a gateway's
//! address or an error hold it. Called by `scenario` once all jobs have ended.

mod axis;
mod chart;
mod percentiles;
pub(crate) mod tables;
mod time;

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::machine::Machine;
use crate::report::{Outcome, Report, strike_out};
use crate::units::{cpu, digits, plural, spaced};

/// Writes the page of these jobs.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, reports: &[Report], token: &str) -> io::Result<()> {
    std::fs::write(path, page(reports, &Machine::look(), token))
}

fn page(reports: &[Report], machine: &Machine, token: &str) -> String {
    let title = match reports {
        [report] => format!("load-test: {}", name(report)),
        _ => format!("load-test: {}", plural(reports.len() as u64, "job")),
    };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        escape(&title)
    );
    if reports.len() == 1 {
        reports.iter().for_each(|report| job(report, machine, &mut out));
    } else {
        series(reports, &mut out);
        for (at, report) in reports.iter().enumerate() {
            let _ = writeln!(out, "<section id=\"job{}\">", at + 1);
            job(report, machine, &mut out);
            out.push_str("</section>\n");
        }
    }
    let _ = write!(
        out,
        "<footer>Made by load-test {}, {}. All numbers are of this run on this machine.</footer>\n\
         </body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        machine.when()
    );
    strike_out(&strike_out(&out, token), &escape(token))
}

/// A line for each of several jobs.
fn series(reports: &[Report], out: &mut String) {
    let _ = write!(
        out,
        "<header>\n<h1>{}, side by side</h1>\n</header>\n<div class=\"scroll\"><table>\n\
         <thead><tr><th>job</th><th>events</th><th>events/s</th><th>CPU an event</th><th>p50</th>\
         <th>p99</th><th>KiB a shard</th><th>outcome</th></tr></thead>\n<tbody>\n",
        plural(reports.len() as u64, "job")
    );
    for (at, report) in reports.iter().enumerate() {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let latency = report.latency.as_ref().map(percentiles::short);
        let at_percent =
            |nth: usize| or_dash(latency.as_ref().map(|latency| latency[nth].1.clone()));
        let _ = writeln!(
            out,
            "<tr><th><a href=\"#job{}\">{}</a></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td></tr>",
            at + 1,
            escape(&name(report)),
            spaced(report.events),
            or_dash(report.events_per_s.map(digits)),
            or_dash(report.cpu_ns_per_event.map(cpu)),
            at_percent(0),
            at_percent(1),
            or_dash(report.rss_per_shard_kib.map(digits)),
            word(report)
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn job(report: &Report, machine: &Machine, out: &mut String) {
    let _ = write!(
        out,
        "<header>\n<h1>{}</h1>\n<p class=\"soft\">shardring against {}, {}</p>\n</header>\n",
        escape(&name(report)),
        match report.settings.gateway.as_str() {
            "embedded" => "a replay gateway".to_owned(),
            url => escape(url),
        },
        machine.when()
    );
    verdict(report, out);
    tiles(report, out);
    out.push_str(&tables::storm(report));
    out.push_str(&percentiles::section(report));
    out.push_str(&time::section(&report.course));
    let _ = write!(out, "<div class=\"side\">\n{}", tables::ledger(report));
    let _ = write!(out, "{}{}", tables::links(report), tables::cost(report));
    let _ = write!(
        out,
        "{}</div>\n{}",
        tables::job(report, machine),
        tables::kinds(&report.course.kinds)
    );
}

/// `64 shards, zlib-stream, 20,000 events/s`.
fn name(report: &Report) -> String {
    let settings = &report.settings;
    let storm = if settings.cut.is_some() { "storm: " } else { "" };
    let tls = if settings.tls { "TLS, " } else { "" };
    let (compression, traffic) = (tables::compression(settings), tables::traffic(settings));
    format!("{storm}{}, {tls}{compression}, {traffic}", settings.shards_text())
}

fn word(report: &Report) -> &'static str {
    match report.outcome {
        Outcome::Clean if report.never_ready => "interrupted",
        Outcome::Clean => "clean",
        Outcome::Findings => "FINDINGS",
        Outcome::Failed => "FAILED",
    }
}

fn verdict(report: &Report, out: &mut String) {
    let compared = report.ledger.is_some();
    let (class, text) = match report.outcome {
        Outcome::Clean if report.never_ready => {
            ("bad", "Interrupted before any shard was READY: nothing was tested.")
        }
        Outcome::Clean if report.interrupted => {
            ("good", "Clean as far as it went: it was interrupted.")
        }
        Outcome::Clean if compared => {
            ("good", "Clean: nothing was lost, doubled, out of order or altered.")
        }
        Outcome::Clean => ("good", "Clean: nothing was found. The ledgers were not compared."),
        Outcome::Findings => ("bad", "Findings: something is not as it should be."),
        Outcome::Failed => ("bad", "Failed: the job could not be done."),
    };
    let _ = writeln!(out, "<div class=\"verdict {class}\"><strong>{text}</strong>");
    list("", &report.problems, out);
    out.push_str("</div>\n");
    list("notes", &report.notes, out);
}

fn list(class: &str, lines: &[String], out: &mut String) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "<ul class=\"{class}\">");
    lines.iter().for_each(|line| {
        let _ = writeln!(out, "<li>{}</li>", escape(line));
    });
    out.push_str("</ul>\n");
}

/// The few numbers that most come for.
fn tiles(report: &Report, out: &mut String) {
    let mut tiles: Vec<(String, String)> = Vec::new();
    let mut tile = |value: String, what: String| tiles.push((value, what));
    let of = match report.events_expected {
        Some(all) if all != report.events => format!("events of {}", spaced(all)),
        _ => "events".to_owned(),
    };
    tile(spaced(report.events), of);
    if let Some(rate) = report.events_per_s {
        tile(digits(rate), format!("events/s over {} s", digits(report.window_ms / 1e3)));
    }
    if let Some(ns) = report.cpu_ns_per_event {
        tile(cpu(ns), "CPU time an event, all threads".to_owned());
        if report.window_ms > 0.0 {
            let share = ns * report.events as f64 / (report.window_ms * 1e4);
            tile(format!("{} %", digits(share)), "of one core, on average".to_owned());
        }
    }
    if let Some(latency) = &report.latency {
        let from = match report.latency_from {
            "intended_send" => "due to callback",
            _ => "receipt to callback",
        };
        for (percentile, value) in percentiles::short(latency) {
            tile(value, format!("{percentile}, {from}"));
        }
    }
    if let Some(kib) = report.rss_per_shard_kib {
        tile(format!("{} KiB", digits(kib)), "memory a shard, idle".to_owned());
    }
    out.push_str("<ul class=\"tiles\">\n");
    for (value, what) in tiles {
        let _ = writeln!(out, "<li><b>{value}</b><small>{what}</small></li>");
    }
    out.push_str("</ul>\n");
}

/// Text as HTML, in elements and in attributes.
fn escape(text: &str) -> String {
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

const STYLE: &str = include_str!("html/style.css");

#[cfg(test)]
mod tests;

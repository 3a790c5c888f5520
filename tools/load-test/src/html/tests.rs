//! The page of jobs that are known: whole, safe, and sensible at the edges.

use std::time::Duration;

use replay_gateway::ledger;
use shardring::metrics::KindCounters;

use super::*;
use crate::course::{Curve, Links, Moment};
use crate::latency::Percentiles;
use crate::report::Settings;

/// A job with `moments` moments, one each 100 ms.
fn report(moments: u64) -> Report {
    let mut report = Report { events: 100, events_per_s: Some(1_000.0), ..Report::default() };
    report.settings = Settings { shards: 4, load: "paced", ..Settings::default() };
    report.settings.rate_per_s = Some(1_000.0);
    report.latency_from = "intended_send";
    report.cpu_ns_per_event = Some(7_000.0);
    report.window_ms = 100.0;
    report.latency = Some(Percentiles {
        count: 100,
        p50_us: 50.0,
        p90_us: 90.0,
        p99_us: 900.0,
        p99_9_us: 1_000.0,
        p99_99_us: 1_000.0,
        max_us: 1_000.0,
    });
    report.set_ledger(ledger::Report { numbered: 100, seen: 100, ..Default::default() }, false);
    report.course.curves.push(Curve::of("due to callback", 100, |percent| 10.0 + percent));
    let mut counters = KindCounters::default();
    counters.received = 100;
    report.course.kinds.push(("MESSAGE_CREATE", counters));
    for n in 0..moments {
        let at = Duration::from_millis(n * 100);
        if !report.course.is_due(at) {
            continue;
        }
        report.course.push(Moment {
            at,
            events: n * 10,
            cpu_ns: n * 1_000_000,
            rss_kib: 10_240,
            shards_up: 4,
            links: Links { ended: n / 3, resumed: n / 4, ready: 4 },
        });
    }
    report
}

fn page_of(report: Report) -> String {
    page(&[report], &Machine::default(), "a.secret.token")
}

/// Opening and closing tags match, attributes are quoted, and no entity is half.
fn check(page: &str) {
    const VOID: &[&str] = &["!DOCTYPE", "meta"];
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("no end: {piece}"));
        assert!(!text.contains('>') || tag == "style", "a bare `>`: {text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed out of turn");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    assert!(!page.contains("NaN") && !page.contains("inf\""), "no number");
}

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
    let page = page_of(report(60));
    check(&page);
    for part in ["<script", "http:", "https:", "src=", "@import", "url(", "<link"] {
        assert!(!page.contains(part), "{part}");
    }
    for part in [
        "4 shards, zlib-stream, 1,000 events/s",
        "nothing was lost, doubled, out of order or altered",
        "prefers-color-scheme: dark",
        "Latency by percentile",
        "Throughput",
        "% of one core",
        "Resident memory",
        "19 connections ended",
        "14 sessions resumed",
        "4 sessions begun",
        "MESSAGE_CREATE",
        "7.00 µs",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
}

#[test]
fn markup_in_a_text_stays_text() {
    assert_eq!(escape("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
}

#[test]
fn few_moments_no_events_and_an_hour_make_a_page_too() {
    for moments in [0, 1, 2, 36_000] {
        let page = page_of(report(moments));
        check(&page);
        assert!(page.len() < 700_000, "{moments}: {}", page.len());
    }
    check(&page_of(Report::default()));
    let mut failed = Report::default();
    failed.fail("only 0 of 4 shards were READY");
    let page = page_of(failed);
    check(&page);
    assert!(page.contains("Failed: the job could not be done.") && page.contains("only 0 of 4"));
}

#[test]
fn texts_from_outside_stay_texts_and_the_token_is_struck_out() {
    let mut report = report(3);
    report.settings.gateway = "ws://host/?t=a.secret.token&x=<b>".to_owned();
    report.problem("<script>alert(1)</script> a.secret.token");
    let mut examples = ledger::Report::default();
    examples.examples.push("\"quoted\" a.secret.token".to_owned());
    report.ledger = Some(examples);
    let page = page_of(report);
    check(&page);
    assert!(!page.contains("<script") && page.contains("x=&lt;b&gt;"));
    assert!(!page.contains("a.secret.token"));
    assert_eq!(page.matches("(token)").count(), 4, "{page}");
}

#[test]
fn a_series_compares_its_jobs_and_links_to_each() {
    let page = page(&[report(5), report(9)], &Machine::default(), "");
    check(&page);
    for part in ["2 jobs, side by side", "href=\"#job2\"", "id=\"job2\""] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_storm_has_a_table_and_its_title_tells_who_was_cut_over_what() {
    let mut report = report(5);
    report.settings = Settings { shards: 400, cut: Some(200), tls: true, ..report.settings };
    report.set_gateway(serde_json::json!({"cut": {"sessions": 200, "last_resumed_ms": 1_500}}));
    crate::storm::judge(200, 400, &mut report);
    let page = page_of(report);
    check(&page);
    for part in [
        "storm: 400 shards (200 that are cut, 200 bystanders), TLS, zlib-stream",
        "<h2>Storm</h2>",
        "all back after",
        "1.50 s (the first after",
        "<th>the bystanders</th>",
        "<th>TLS</th><td>yes</td>",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    assert!(!page_of(super::tests::report(5)).contains("<h2>Storm</h2>"));
}

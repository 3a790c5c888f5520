//! What the exposition says of metrics that are known, by the strict reading in `strict`; and that
//! `docs/metrics.md` has the same table.

use std::collections::BTreeSet;
use std::time::Duration;

use super::strict::{Sample, find, read, value};
use super::text::{Family, Page, Type};
use super::*;
use crate::metrics::{Counters, RoundTrips, StartMetrics};
use crate::model::EventKind;
use crate::shard::notice::State;

#[test]
fn the_output_is_openmetrics_by_a_strict_reading() {
    for metrics in [Metrics::new(), sample()] {
        let families = read(&metrics.render_openmetrics()).unwrap();
        assert!(families.len() > 40, "{}", families.len());
    }
}

#[test]
fn the_table_in_the_docs_and_the_output_name_the_same_metrics() {
    let output: BTreeSet<[String; 4]> = read(&sample().render_openmetrics())
        .unwrap()
        .into_iter()
        .map(|family| {
            let labels: BTreeSet<&str> = family
                .samples
                .iter()
                .flat_map(|sample| sample.labels.iter().map(|(name, _)| name.as_str()))
                .filter(|name| *name != "le")
                .collect();
            let labels: Vec<&str> = labels.into_iter().collect();
            let suffix = match family.kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            [family.name + suffix, family.kind, family.unit, labels.join(", ")]
        })
        .collect();
    let documented: BTreeSet<[String; 4]> = include_str!("../../../docs/metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `shardring_"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, kind, unit, labels, meaning] = cells[..] else { panic!("{line}") };
            assert!(!meaning.is_empty(), "{line}");
            [name, kind, unit, labels].map(|cell| cell.replace('`', ""))
        })
        .collect();
    for cause in Cause::NAMES {
        let documented = include_str!("../../../docs/metrics.md");
        assert!(documented.contains(&format!("`{cause}`")), "{cause} is not in docs/metrics.md");
    }
    let of = |rows: Vec<&[String; 4]>| format!("{rows:#?}");
    assert_eq!(of(output.difference(&documented).collect()), "[]", "not in docs/metrics.md");
    assert_eq!(of(documented.difference(&output).collect()), "[]", "only in docs/metrics.md");
}

#[test]
fn every_counter_of_the_engine_is_in_the_output() {
    let families = read(&sample().render_openmetrics()).unwrap();
    let values: BTreeSet<u64> = families
        .iter()
        .filter(|family| !family.name.starts_with("shardring_core_"))
        .flat_map(|family| family.samples.iter().map(|sample| sample.value as u64))
        .collect();
    // Those of `counters`: each value stands there once.
    for value in (101..=124).chain(201..201 + Cause::COUNT as u64).chain(301..=305) {
        assert!(values.contains(&value), "{value} is not in the output");
    }
}

#[test]
fn beyond_the_bound_shards_are_left_out_and_counted_and_maxima_are_still_of_all() {
    let mut metrics = Metrics::new();
    for id in 0..SHARDS_RENDERED_MAX as u32 + 500 {
        metrics.push_shard(shard(id, State::Active, u64::from(id)));
    }
    let families = read(&metrics.render_openmetrics()).unwrap();
    let one = |name: &str| find(&families, name).samples[0].value;
    assert_eq!(one("shardring_shards_left_out"), 500.0);
    assert_eq!(one("shardring_last_ack_age_max_seconds"), 1_499.0);
    assert_eq!(value(&families, "shardring_shards", &[("state", "active")]), 1_500.0);
    let each: Vec<&Sample> = families
        .iter()
        .filter(|family| family.name.starts_with("shardring_shard_"))
        .flat_map(|family| &family.samples)
        .collect();
    assert_eq!(each.len(), EACH_SHARD.len() * SHARDS_RENDERED_MAX);
    assert!(each.iter().all(|sample| sample.labels[0].1.parse::<usize>().unwrap() < 1_000));
    let text = metrics.render_openmetrics();
    assert!(text.len() < 600_000, "{} bytes", text.len());
}

#[test]
fn beyond_the_bound_cores_are_left_out_and_counted() {
    let mut metrics = Metrics::new();
    for core in 0..CORES_RENDERED_MAX + 3 {
        let mut other = Metrics::new();
        other.sign(core);
        metrics.merge(other);
    }
    let families = read(&metrics.render_openmetrics()).unwrap();
    assert_eq!(find(&families, "shardring_cores_left_out").samples[0].value, 3.0);
    assert_eq!(find(&families, "shardring_core_turns").samples.len(), CORES_RENDERED_MAX);
}

#[test]
fn how_long_the_engine_has_run_is_told_unless_its_first_core_is_gone() {
    let families = read(&sample().render_openmetrics()).unwrap();
    assert_eq!(value(&families, "shardring_uptime_seconds", &[]), 306.5);
    let families = read(&Metrics::new().render_openmetrics()).unwrap();
    assert!(find(&families, "shardring_uptime_seconds").samples.is_empty());
}

#[test]
fn a_histogram_counts_up_to_its_bounds_over_all_cores() {
    let mut metrics = Metrics::new();
    for ns in [1, 1_000, 1_100, 100_000, 900_000_000] {
        metrics.decode.record(Duration::from_nanos(ns));
    }
    let mut other = Metrics::new();
    other.decode.record(Duration::from_secs(700));
    metrics.merge(other);
    let families = read(&metrics.render_openmetrics()).unwrap();
    let up_to = |le: &str| value(&families, "shardring_decode_seconds", &[("le", le)]);
    for (le, count) in
        [("1e-06", 2.0), ("2.5e-06", 3.0), ("5e-05", 3.0), ("0.0001", 4.0), ("0.5", 4.0)]
    {
        assert_eq!(up_to(le), count, "{le}");
    }
    assert_eq!((up_to("1.0"), up_to("600.0"), up_to("+Inf")), (5.0, 5.0, 6.0));
    let family = find(&families, "shardring_decode_seconds");
    let sum = family.samples.iter().find(|sample| sample.name.ends_with("_sum")).unwrap().value;
    assert!((sum - 700.900_102).abs() < 7.0, "{sum}");
    let longest = [("of", "decode"), ("quantile", "1.0")];
    let longest = value(&families, "shardring_latency_quantile_seconds", &longest);
    assert!((longest - 700.0).abs() < 7.0, "{longest}");
}

#[test]
fn what_a_label_holds_is_escaped_and_read_back_as_it_was() {
    let family = Family { name: "a", kind: Type::Gauge, unit: "", help: "so \"called\"\\\nhelp" };
    let odd = "a \"quoted\"\\n, {x=\"y\"} and\na line, ä # EOF";
    let mut text = String::new();
    let mut page = Page::new(&mut text);
    page.family(&family).unwrap();
    page.sample(&[("odd", &odd), ("plain", &1)], 0.5).unwrap();
    page.sample(&[("odd", &"\\"), ("plain", &"")], 1).unwrap();
    page.end().unwrap();
    let families = read(&text).unwrap();
    assert_eq!(families[0].help, family.help);
    assert_eq!(families[0].samples[0].labels[0].1, odd);
    assert_eq!(families[0].samples[1].labels[0].1, "\\");
}

#[test]
fn the_strict_reading_refuses_what_is_no_openmetrics() {
    let gauge = "# TYPE a gauge\na 1\n";
    let counter = "# TYPE a counter\na_total 1\n";
    read(&format!("{gauge}# EOF\n")).unwrap();
    for (text, why) in [
        (gauge.to_owned(), "no EOF"),
        (format!("{gauge}# EOF\na 1\n"), "after EOF"),
        (format!("{gauge}a 2\n# EOF\n"), "twice"),
        (format!("{gauge}# TYPE b gauge\nb 1\na{{x=\"1\"}} 1\n# EOF\n"), "interleaved"),
        (format!("{gauge}# TYPE a gauge\n# EOF\n"), "described twice"),
        (format!("{gauge}# HELP a late\n# EOF\n"), "descriptor after samples"),
        ("# TYPE a counter\na 1\n# EOF\n".to_owned(), "no _total"),
        ("# TYPE a counter\na_total -1\n# EOF\n".to_owned(), "negative"),
        ("# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n".to_owned(), "unit not in the name"),
        (format!("{counter}# TYPE a_total gauge\na_total 1\n# EOF\n"), "names clash"),
        ("# TYPE a gauge\na{x=\"\\t\"} 1\n# EOF\n".to_owned(), "bad escape"),
        ("# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n# EOF\n".to_owned(), "label twice"),
        ("# TYPE a gauge\na{0=\"1\"} 1\n# EOF\n".to_owned(), "label's name"),
        ("# TYPE a gauge\na  1\n# EOF\n".to_owned(), "two spaces"),
        ("# TYPE a gauge\na 1s\n# EOF\n".to_owned(), "no number"),
        ("# HELP a \"x\"\n# TYPE a gauge\na 1\n# EOF\n".to_owned(), "quote not escaped"),
        ("# TYPE a histogram\na_bucket{le=\"1.0\"} 1\na_count 1\na_sum 1\n# EOF\n".into(), "+Inf"),
        (
            "# TYPE a histogram\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\n\
             a_sum 1\n# EOF\n"
                .into(),
            "falling",
        ),
    ] {
        assert!(read(&text).is_err(), "{why}");
    }
}

/// Every counter with a value of its own, every histogram, two shards, two cores, two kinds.
fn sample() -> Metrics {
    let mut metrics = Metrics::new();
    let mut disconnects = [0; Cause::COUNT];
    (201..).zip(&mut disconnects).for_each(|(value, count)| *count = value);
    metrics.counters = Counters {
        wire_len: 101,
        text_len: 102,
        payloads: 103,
        dispatches: 104,
        delivered: 105,
        duplicates: 106,
        missing: 107,
        replayed: 108,
        undecoded: 109,
        opcodes_unknown: 110,
        identifies: 111,
        resumes: 112,
        resumed: 113,
        readies: 114,
        heartbeats: 115,
        sessions_lost: 116,
        handler_panics: 117,
        task_panics: 118,
        buffers_exhausted: 119,
        receivers_held_back: 120,
        pool_peak_len: 121,
        turns: 122,
        commands: 123,
        acks_dropped: 124,
        disconnects,
    };
    metrics.set_start(StartMetrics {
        uptime: Duration::from_millis(306_500),
        session_starts_remaining: 301,
        session_starts_total: 302,
        dials_waiting: 303,
        dials_in_flight: 304,
        hosts_shut: 305,
    });
    for latency in [
        &mut metrics.receive_to_callback,
        &mut metrics.decode,
        &mut metrics.callback,
        &mut metrics.heartbeat,
        &mut metrics.discord_lag,
    ] {
        (1..1_000).for_each(|us| latency.record(Duration::from_micros(us)));
    }
    for kind in [EventKind::MessageCreate, EventKind::Unknown] {
        let counters = metrics.kind_mut(kind);
        counters.received = 3;
        counters.text_len = 999;
    }
    metrics.push_shard(shard(0, State::Active, 4));
    metrics.sign(0);
    let mut other = Metrics::new();
    other.push_shard(shard(1, State::Queued, 2));
    other.sign(1);
    metrics.merge(other);
    metrics
}

fn shard(id: u32, state: State, ack_age_s: u64) -> ShardMetrics {
    ShardMetrics {
        shard: id,
        core: 0,
        state,
        session_id: Some("a secret of the session".to_owned()),
        sequence: Some(5),
        round_trip: RoundTrips { last: Some(Duration::from_millis(41)), ..RoundTrips::default() },
        last_ack_age: Some(Duration::from_secs(ack_age_s)),
        paused_for: Some(Duration::from_secs(1)),
        open_acks: 0,
        oldest_ack_age: None,
        identifies: 1,
        resumes: 2,
        disconnects: 2,
    }
}

#[test]
fn no_session_is_named() {
    assert!(!sample().render_openmetrics().contains("secret"));
}

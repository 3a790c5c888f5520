//! `--once --json`: one object for programs. Its keys are those of the README; what the engine does
//! not tell, or what no second scrape told, is `null`.

use serde_json::{Map, Value, json};

use crate::rates::{PARTS, Rates};
use crate::snapshot::{
    Gauge, Latency, OfCore, OfKind, OfShard, QUANTILES, STATES, Snapshot, Total,
};

/// Names of [`PARTS`].
const PART_NAMES: [&str; PARTS.len()] = ["p50", "p99", "p99_9"];
/// Names of [`QUANTILES`].
const QUANTILE_NAMES: [&str; QUANTILES.len()] = ["p50", "p90", "p99", "p99_9", "longest"];

/// The object.
pub(crate) fn of(url: &str, snapshot: &Snapshot, rates: Option<&Rates>) -> Value {
    let kinds = snapshot.kinds.iter().map(|row| {
        let mut of = values(&OfKind::ALL.map(OfKind::name), &row.values);
        of.insert("kind".to_owned(), json!(row.id));
        let per_s = rates.and_then(|rates| rates.kind(&row.id, OfKind::Received));
        of.insert("received_per_s".to_owned(), json!(per_s));
        Value::Object(of)
    });
    let causes = snapshot.causes.iter().map(|row| {
        let per_s = rates.and_then(|rates| rates.cause(&row.id));
        json!({"cause": row.id, "count": row.values[0], "per_s": per_s})
    });
    let cores = snapshot.cores.iter().map(|row| {
        let mut of = values(&OfCore::ALL.map(OfCore::name), &row.values);
        of.insert("core".to_owned(), json!(row.id));
        let per_s = rates.and_then(|rates| rates.core(row.id, OfCore::Received));
        of.insert("events_received_per_s".to_owned(), json!(per_s));
        Value::Object(of)
    });
    let shards = snapshot.shards.iter().map(|row| {
        let mut of = values(&OfShard::ALL.map(OfShard::name), &row.values);
        let state = row.values[OfShard::State as usize].filter(|place| *place >= 0.0);
        let state = state.and_then(|place| STATES.get(place as usize));
        of.insert("state".to_owned(), json!(state));
        of.insert("shard".to_owned(), json!(row.id));
        Value::Object(of)
    });
    let states = snapshot.states.map(Some);
    json!({
        "url": url,
        "version": snapshot.version,
        "span_s": rates.map(|rates| rates.span.as_secs_f64()),
        "gauges": values(&Gauge::ALL.map(Gauge::name), &Gauge::ALL.map(|of| snapshot.gauge(of))),
        "totals": values(&Total::ALL.map(Total::name), &Total::ALL.map(|of| snapshot.total(of))),
        "per_s": values(
            &Total::ALL.map(Total::name),
            &Total::ALL.map(|of| rates.and_then(|rates| rates.total(of))),
        ),
        "shards_by_state": values(&STATES, &states),
        "latencies_s": latencies(snapshot, rates),
        "kinds": kinds.collect::<Vec<_>>(),
        "disconnects": causes.collect::<Vec<_>>(),
        "cores": cores.collect::<Vec<_>>(),
        "shards": shards.collect::<Vec<_>>(),
    })
}

fn latencies(snapshot: &Snapshot, rates: Option<&Rates>) -> Map<String, Value> {
    let of = |of: Latency| {
        let window = rates.map(|rates| rates.latency(of));
        let quantiles = window.map_or([None; PARTS.len()], |window| window.quantiles);
        let mut span = values(&PART_NAMES, &quantiles);
        span.insert("count".to_owned(), json!(window.map(|window| window.count)));
        let mut since_start = values(&QUANTILE_NAMES, &snapshot.latency(of).quantiles);
        since_start.insert("count".to_owned(), json!(snapshot.latency(of).count()));
        (of.name().to_owned(), json!({"span": span, "since_start": since_start}))
    };
    Latency::ALL.into_iter().map(of).collect()
}

fn values(names: &[&str], values: &[Option<f64>]) -> Map<String, Value> {
    let number = |value: &Option<f64>| match value {
        // Counts are whole numbers: `7` and not `7.0`.
        Some(value) if value.fract() == 0.0 && value.abs() < 9e15 => json!(*value as i64),
        value => json!(value),
    };
    names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), number(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{exposition, page};
    use std::time::Duration;

    fn sample() -> Value {
        let scraped = |events| Snapshot::read(&exposition(4, events)).unwrap();
        let (old, new) = (scraped(1_000.0), scraped(3_000.0));
        let rates = Rates::between(&old, &new, Duration::from_secs(2)).unwrap();
        of("http://bot.test/metrics", &new, Some(&rates))
    }

    #[test]
    fn the_object_has_the_numbers() {
        let object = sample();
        assert_eq!(object["totals"]["events_received"], 3_000);
        assert_eq!(object["per_s"]["events_received"], 1_000);
        assert_eq!(object["per_s"]["commands_sent"], Value::Null);
        assert_eq!(object["shards_by_state"]["active"], 3);
        assert_eq!(object["latencies_s"]["decode"]["span"]["p50"], 0.001);
        assert_eq!(object["latencies_s"]["decode"]["since_start"]["longest"], 0.008);
        assert_eq!(object["kinds"][0]["kind"], "MESSAGE_CREATE");
        assert_eq!(object["kinds"][0]["received_per_s"], 750.0);
        assert_eq!(object["shards"][3]["state"], "queued");
        assert_eq!(object["cores"][1]["core"], 1);
        assert_eq!(object["disconnects"][1]["count"], 2.0);
        let empty = of("", &Snapshot::read(&page("")).unwrap(), None);
        assert_eq!(empty["span_s"], Value::Null);
    }

    #[test]
    fn the_readme_documents_each_key() {
        let readme = include_str!("../README.md");
        for key in sample().as_object().unwrap().keys() {
            assert!(readme.contains(&format!("| `{key}` |")), "{key}");
        }
    }
}

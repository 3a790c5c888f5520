//! Expositions for the tests, as an engine writes them.

use std::fmt::Write as _;

/// An engine with so many shards on two cores that has received so many events; all but the last
/// shard are active, and three quarters of the events are messages.
pub(crate) fn exposition(shards: u32, events: f64) -> String {
    let mut text = String::new();
    single(&mut text, "wire_bytes", "counter", events * 300.0);
    single(&mut text, "text_bytes", "counter", events * 1_000.0);
    single(&mut text, "events_received", "counter", events);
    single(&mut text, "events_delivered", "counter", events);
    single(&mut text, "sequence_numbers_missing", "counter", 0.0);
    single(&mut text, "sessions_lost", "counter", 0.0);
    single(&mut text, "handler_panics", "counter", 0.0);
    single(&mut text, "turns", "counter", events / 4.0);
    single(&mut text, "uptime_seconds", "gauge", 60.0 + events / 1_000.0);
    single(&mut text, "session_starts_remaining", "gauge", 936.0);
    single(&mut text, "session_starts_limit", "gauge", 1_000.0);
    single(&mut text, "dials_waiting", "gauge", 1.0);
    single(&mut text, "last_ack_age_max_seconds", "gauge", 39.0);
    single(&mut text, "pool_peak_bytes", "gauge", 1_048_576.0);
    family(&mut text, "disconnects", "counter");
    for (cause, count) in [("close_code", 0), ("zombie", 2), ("reset", 1)] {
        let _ = writeln!(text, "shardring_disconnects_total{{cause=\"{cause}\"}} {count}");
    }
    for (name, of_each) in [("received", 1.0), ("delivered", 1.0), ("text_bytes", 1_000.0)] {
        family(&mut text, &format!("kind_{name}"), "counter");
        for (kind, share) in [("MESSAGE_CREATE", 0.75), ("PRESENCE_UPDATE", 0.25)] {
            let value = events * share * of_each;
            let _ = writeln!(text, "shardring_kind_{name}_total{{kind=\"{kind}\"}} {value}");
        }
    }
    family(&mut text, "decode_seconds", "histogram");
    for (le, share) in [("0.001", 0.5), ("0.002", 0.9), ("0.004", 0.99), ("+Inf", 1.0)] {
        let value = events * share;
        let _ = writeln!(text, "shardring_decode_seconds_bucket{{le=\"{le}\"}} {value}");
    }
    family(&mut text, "latency_quantile_seconds", "gauge");
    for (quantile, value) in [("0.5", 0.001), ("0.99", 0.004), ("1.0", 0.008)] {
        let name = "shardring_latency_quantile_seconds";
        let _ = writeln!(text, "{name}{{of=\"decode\",quantile=\"{quantile}\"}} {value}");
    }
    for (name, kind, value) in
        [("shards", "gauge", shards as f64 / 2.0), ("events_received", "counter", events / 2.0)]
    {
        family(&mut text, &format!("core_{name}"), kind);
        let total = if kind == "counter" { "_total" } else { "" };
        for core in 0..2 {
            let _ = writeln!(text, "shardring_core_{name}{total}{{core=\"{core}\"}} {value}");
        }
    }
    each_shard(&mut text, shards);
    page(&text)
}

fn each_shard(text: &mut String, shards: u32) {
    family(text, "shards", "gauge");
    for (state, count) in [("queued", shards.min(1)), ("active", shards.saturating_sub(1))] {
        let _ = writeln!(text, "shardring_shards{{state=\"{state}\"}} {count}");
    }
    family(text, "shard_state", "gauge");
    for shard in 0..shards {
        let state = if shard + 1 == shards { 4 } else { 7 };
        let _ = writeln!(text, "shardring_shard_state{{shard=\"{shard}\"}} {state}");
    }
    family(text, "shard_last_ack_age_seconds", "gauge");
    for shard in 0..shards.saturating_sub(1) {
        let age = f64::from(shard) + 10.5;
        let _ = writeln!(text, "shardring_shard_last_ack_age_seconds{{shard=\"{shard}\"}} {age}");
    }
}

/// What an exposition is apart from its families.
pub(crate) fn page(families: &str) -> String {
    let build = "# TYPE shardring_build info\nshardring_build_info{version=\"0.1.0\"} 1\n";
    format!("{build}{families}# EOF\n")
}

fn family(text: &mut String, name: &str, kind: &str) {
    let _ = writeln!(text, "# TYPE shardring_{name} {kind}");
}

fn single(text: &mut String, name: &str, kind: &str, value: f64) {
    family(text, name, kind);
    let total = if kind == "counter" { "_total" } else { "" };
    let _ = writeln!(text, "shardring_{name}{total} {value}");
}

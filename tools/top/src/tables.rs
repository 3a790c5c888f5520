//! The tables: rows of text with a tone, made of a scrape and rates, sorted and filtered. Pure; the
//! screen and `--once` show the same ones.

use std::cmp::Ordering;
use std::time::Duration;

use crate::app::{App, Look, Pane};
use crate::rates::{PARTS, Rates};
use crate::snapshot::{ACTIVE, Gauge, Latency, OfCore, OfKind, OfShard, STATES, Snapshot, Total};
use crate::units::{NONE, bytes, count, long, percent, rate, span};

/// How a row or a fact is to be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// Nothing to see: a zero.
    Quiet,
    Good,
    Warn,
    Bad,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Numbers stand at the right.
    pub(crate) right: bool,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) cells: Vec<String>,
    pub(crate) tone: Tone,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// The most important ones first: what does not fit is left out from the end.
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Line>,
}

/// A number with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// What a pane's table can be sorted by; the first is the default.
pub(crate) fn sorts(pane: Pane) -> &'static [&'static str] {
    match pane {
        Pane::Overview => &[],
        Pane::Events => &["events/s", "events", "bytes/s", "kind"],
        Pane::Shards => &["last ACK", "round trip", "disconnects", "paused", "shard"],
        Pane::Connections => &["count", "rate", "cause"],
        Pane::Cores => &["core", "events/s", "shards"],
    }
}

/// Whether a pane's rows can be filtered.
pub(crate) fn has_filter(pane: Pane) -> bool {
    matches!(pane, Pane::Events | Pane::Shards | Pane::Connections)
}

/// The table of the pane that is shown; the overview has none.
pub(crate) fn of(app: &App) -> Option<Table> {
    let (snapshot, rates, look) = (app.snapshot()?, app.rates.as_ref(), app.look());
    Some(match app.pane {
        Pane::Overview => return None,
        Pane::Events => events(snapshot, rates, look),
        Pane::Shards => shards(snapshot, look),
        Pane::Connections => causes(snapshot, rates, look),
        Pane::Cores => cores(snapshot, rates, look),
    })
}

pub(crate) fn events(snapshot: &Snapshot, rates: Option<&Rates>, look: &Look) -> Table {
    let per_s = |id: &str, of: OfKind| rates.and_then(|rates| rates.kind(id, of));
    let mut kinds: Vec<_> = snapshot
        .kinds
        .iter()
        .filter(|row| contains(&row.id, &look.filter))
        .map(|row| (row, per_s(&row.id, OfKind::Received), per_s(&row.id, OfKind::TextBytes)))
        .collect();
    let received = OfKind::Received as usize;
    kinds.sort_by(|a, b| {
        let by = match look.sort {
            0 => falling(a.1, b.1).then(falling(a.0.values[received], b.0.values[received])),
            1 => falling(a.0.values[received], b.0.values[received]),
            2 => falling(a.2, b.2),
            _ => Ordering::Equal,
        };
        by.then_with(|| a.0.id.cmp(&b.0.id))
    });
    let all = rates.and_then(|rates| rates.total(Total::Received));
    let rows = kinds.into_iter().map(|(row, per_second, bytes_per_s)| {
        let of = |of: OfKind| row.values[of as usize];
        let mean = of(OfKind::TextBytes).zip(of(OfKind::Received)).map(|(len, count)| len / count);
        let imperfect = of(OfKind::Imperfect);
        let tone = match (imperfect, per_second) {
            (Some(imperfect), _) if imperfect > 0.0 => Tone::Warn,
            (_, Some(0.0)) => Tone::Quiet,
            _ => Tone::Plain,
        };
        let cells = vec![
            row.id.clone(),
            rate(per_second),
            percent(per_second, all),
            count(of(OfKind::Received)),
            bytes(bytes_per_s),
            bytes(mean),
            count(imperfect),
            count(of(OfKind::Delivered)),
            count(of(OfKind::Skipped)),
            count(of(OfKind::Filtered)),
        ];
        Line { cells, tone }
    });
    let columns = "<kind events/s share events bytes/s mean imperfect delivered skipped filtered";
    let rows: Vec<Line> = rows.collect();
    Table { title: title("Events by kind", rows.len(), look, Pane::Events), ..table(columns, rows) }
}

pub(crate) fn shards(snapshot: &Snapshot, look: &Look) -> Table {
    let state = |row: &crate::snapshot::ShardRow| {
        let place = row.values[OfShard::State as usize].filter(|place| *place >= 0.0);
        place.and_then(|place| STATES.get(place as usize)).copied().unwrap_or(NONE)
    };
    let fits = |row: &&crate::snapshot::ShardRow| {
        contains(state(row), &look.filter) || row.id.to_string() == look.filter
    };
    let mut found: Vec<_> = snapshot.shards.iter().filter(fits).collect();
    let by = match look.sort {
        0 => Some(OfShard::AckAge),
        1 => Some(OfShard::RoundTrip),
        2 => Some(OfShard::Disconnects),
        3 => Some(OfShard::Paused),
        _ => None,
    };
    found.sort_by(|a, b| {
        let by =
            by.map_or(Ordering::Equal, |of| falling(a.values[of as usize], b.values[of as usize]));
        by.then(a.id.cmp(&b.id))
    });
    let rows = found.into_iter().map(|row| {
        let of = |of: OfShard| row.values[of as usize];
        let paused = of(OfShard::Paused).filter(|paused| *paused > 0.0);
        let tone = match of(OfShard::AckAge) {
            Some(age) if age > ACK_AGE_BAD_S => Tone::Bad,
            _ if state(row) != STATES[ACTIVE] || paused.is_some() => Tone::Warn,
            _ => Tone::Plain,
        };
        let cells = vec![
            row.id.to_string(),
            state(row).to_owned(),
            span(of(OfShard::AckAge)),
            span(of(OfShard::RoundTrip)),
            count(of(OfShard::Disconnects)),
            span(paused),
            count(of(OfShard::Identifies)),
            count(of(OfShard::Resumed)),
        ];
        Line { cells, tone }
    });
    let rows: Vec<Line> = rows.collect();
    let mut title = title("Shards", rows.len(), look, Pane::Shards);
    if let Some(left_out) = snapshot.gauge(Gauge::ShardsLeftOut).filter(|count| *count > 0.0) {
        title = format!("{title}; {} more are not told one by one", count(Some(left_out)));
    }
    let columns = ">shard <state last_ACK round_trip disconnects paused identifies resumed";
    Table { title, ..table(columns, rows) }
}

pub(crate) fn causes(snapshot: &Snapshot, rates: Option<&Rates>, look: &Look) -> Table {
    let per_s = |id: &str| rates.and_then(|rates| rates.cause(id));
    let mut causes: Vec<_> = snapshot
        .causes
        .iter()
        .map(|row| (row.id.replace('_', " "), row.values[0], per_s(&row.id)))
        .filter(|row| contains(&row.0, &look.filter))
        .collect();
    causes.sort_by(|a, b| {
        let by = match look.sort {
            0 => falling(a.1, b.1),
            1 => falling(a.2, b.2).then(falling(a.1, b.1)),
            _ => Ordering::Equal,
        };
        by.then_with(|| a.0.cmp(&b.0))
    });
    let all = snapshot.causes.iter().filter_map(|row| row.values[0]).sum();
    let rows = causes.into_iter().map(|(cause, total, per_second)| {
        let tone = match (total, per_second) {
            (_, Some(per_second)) if per_second > 0.0 => Tone::Warn,
            (Some(total), _) if total > 0.0 => Tone::Plain,
            _ => Tone::Quiet,
        };
        let share = percent(total, Some(all));
        let cells = vec![cause, count(total), rate(per_second.map(|rate| rate * 60.0)), share];
        Line { cells, tone }
    });
    let rows: Vec<Line> = rows.collect();
    let title = title("Ended connections by cause", rows.len(), look, Pane::Connections);
    Table { title, ..table("<cause count per_min share", rows) }
}

pub(crate) fn cores(snapshot: &Snapshot, rates: Option<&Rates>, look: &Look) -> Table {
    let per_s = |id: u32, of: OfCore| rates.and_then(|rates| rates.core(id, of));
    let mut cores: Vec<_> = snapshot
        .cores
        .iter()
        .map(|row| (row, per_s(row.id, OfCore::Received), per_s(row.id, OfCore::Turns)))
        .collect();
    let shards = OfCore::Shards as usize;
    cores.sort_by(|a, b| {
        let by = match look.sort {
            1 => falling(a.1, b.1),
            2 => falling(a.0.values[shards], b.0.values[shards]),
            _ => Ordering::Equal,
        };
        by.then(a.0.id.cmp(&b.0.id))
    });
    let all = rates.and_then(|rates| rates.total(Total::Received));
    let rows = cores.into_iter().map(|(row, events, turns)| {
        let of = |of: OfCore| row.values[of as usize];
        let troubles = of(OfCore::BuffersExhausted).unwrap_or(0.0) > 0.0
            || of(OfCore::HeldBack).unwrap_or(0.0) > 0.0;
        let cells = vec![
            row.id.to_string(),
            count(of(OfCore::Shards)),
            rate(events),
            percent(events, all),
            bytes(per_s(row.id, OfCore::WireBytes)),
            rate(turns),
            rate(events.zip(turns).filter(|(_, turns)| *turns > 0.0).map(|(e, t)| e / t)),
            count(of(OfCore::BuffersExhausted)),
            count(of(OfCore::HeldBack)),
            bytes(of(OfCore::PoolPeak)),
        ];
        Line { cells, tone: if troubles { Tone::Warn } else { Tone::Plain } }
    });
    let rows: Vec<Line> = rows.collect();
    let columns = ">core shards events/s share wire/s turns/s ev/turn no_buffer held_back pool";
    Table { title: title("Cores", rows.len(), look, Pane::Cores), ..table(columns, rows) }
}

/// Latencies: of the span of the rates from buckets, and since the start.
pub(crate) fn latencies(snapshot: &Snapshot, rates: Option<&Rates>) -> Table {
    let rows = Latency::ALL.map(|of| {
        let window = rates.map(|rates| (rates.span, rates.latency(of)));
        let seconds = |span: Duration| span.as_secs_f64();
        let mut cells = vec![
            match of {
                Latency::ReceiveToCallback => "receive>callback",
                Latency::Callback => "callback",
                Latency::Decode => "decode",
                Latency::HeartbeatRoundTrip => "heartbeat",
                Latency::DiscordLag => "Discord lag",
            }
            .to_owned(),
            rate(window.map(|(span, window)| window.count / seconds(span))),
        ];
        let parts = PARTS.iter().enumerate();
        cells.extend(parts.map(|(at, _)| span(window.and_then(|(_, w)| w.quantiles[at]))));
        let since_start = snapshot.latency(of).quantiles;
        cells.extend([0, 2, 3, 4].map(|at| span(since_start[at])));
        Line { cells, tone: Tone::Plain }
    });
    let title = match rates {
        Some(rates) => format!("Latency of the last {}", long(rates.span)),
        None => "Latency".to_owned(),
    };
    Table { title, ..table("<of per_s p50 p99 p99.9 p50 p99 p99.9 longest", rows.into()) }
}

/// What else is to be known at a glance, the gravest last.
pub(crate) fn facts(snapshot: &Snapshot, rates: Option<&Rates>) -> Vec<Fact> {
    let gauge = |gauge: Gauge| snapshot.gauge(gauge);
    let total = |total: Total| snapshot.total(total);
    let now = |total: Total| rates.and_then(|rates| rates.total(total)).unwrap_or(0.0) > 0.0;
    let some = |value: Option<f64>| value.unwrap_or(0.0) > 0.0;
    let tone = |bad: bool, some: bool, tone: Tone| match (bad, some) {
        (true, _) => Tone::Bad,
        (_, true) => tone,
        _ => Tone::Plain,
    };
    let (left, limit) = (gauge(Gauge::StartsRemaining), gauge(Gauge::StartsLimit));
    let few = left.zip(limit).is_some_and(|(left, limit)| left < limit * STARTS_FEW);
    let ended: f64 = snapshot.causes.iter().filter_map(|row| row.values[0]).sum();
    let ended_per_s: Option<f64> =
        rates.map(|rates| rates.causes.iter().filter_map(|row| row.values[0]).sum());
    let old = gauge(Gauge::AckAgeMax).is_some_and(|age| age > ACK_AGE_BAD_S);
    let fact = |name, text, tone| Fact { name, text, tone };
    let c = |value: Option<f64>| count(value);
    vec![
        fact(
            "budget",
            match limit {
                Some(limit) if limit >= NO_LIMIT => "no limit of session starts".to_owned(),
                _ => format!("{} of {} session starts left", c(left), c(limit)),
            },
            tone(left == Some(0.0), few, Tone::Warn),
        ),
        fact(
            "dials",
            format!(
                "{} waiting, {} dialling, {} hosts shut",
                c(gauge(Gauge::DialsWaiting)),
                c(gauge(Gauge::DialsInFlight)),
                c(gauge(Gauge::HostsShut))
            ),
            tone(some(gauge(Gauge::HostsShut)), some(gauge(Gauge::DialsWaiting)), Tone::Warn),
        ),
        fact(
            "heartbeats",
            format!(
                "oldest ACK {}, trip up to {}",
                span(gauge(Gauge::AckAgeMax)),
                span(gauge(Gauge::RoundTripMax))
            ),
            tone(old, false, Tone::Warn),
        ),
        fact(
            "paused",
            format!("{} shards, up to {}", c(gauge(Gauge::Paused)), span(gauge(Gauge::PausedMax))),
            tone(false, some(gauge(Gauge::Paused)), Tone::Warn),
        ),
        fact(
            "connections",
            format!("{} ended, {}/min", c(Some(ended)), rate(ended_per_s.map(|rate| rate * 60.0))),
            tone(false, some(ended_per_s), Tone::Warn),
        ),
        fact(
            "sessions",
            format!(
                "{} lost, {} resumed, {} begun",
                c(total(Total::Lost)),
                c(total(Total::Resumed)),
                c(total(Total::Started))
            ),
            tone(now(Total::Lost), some(total(Total::Lost)), Tone::Warn),
        ),
        fact(
            "events",
            format!(
                "{} missing, {} duplicate, {} replayed",
                c(total(Total::Missing)),
                c(total(Total::Duplicate)),
                c(total(Total::Replayed))
            ),
            tone(now(Total::Missing), some(total(Total::Missing)), Tone::Warn),
        ),
        fact(
            "panics",
            format!(
                "{} handler, {} task",
                c(total(Total::HandlerPanics)),
                c(total(Total::TaskPanics))
            ),
            tone(
                now(Total::HandlerPanics) || now(Total::TaskPanics),
                some(total(Total::HandlerPanics)) || some(total(Total::TaskPanics)),
                Tone::Warn,
            ),
        ),
        fact(
            "memory",
            format!(
                "pool peak {}, {} starved, {} held",
                bytes(gauge(Gauge::PoolPeak)),
                c(total(Total::BuffersExhausted)),
                c(total(Total::HeldBack))
            ),
            tone(false, now(Total::BuffersExhausted) || now(Total::HeldBack), Tone::Warn),
        ),
    ]
}

/// Every counter and its rate.
pub(crate) fn totals(snapshot: &Snapshot, rates: Option<&Rates>) -> Table {
    let rows = Total::ALL.iter().map(|total| {
        let (value, per_s) = (snapshot.total(*total), rates.and_then(|rates| rates.total(*total)));
        let tone = if value == Some(0.0) { Tone::Quiet } else { Tone::Plain };
        let is_len = matches!(total, Total::WireBytes | Total::TextBytes);
        let (value, per_s) =
            if is_len { (bytes(value), bytes(per_s)) } else { (count(value), rate(per_s)) };
        Line { cells: vec![total.name().replace('_', " "), value, per_s], tone }
    });
    let rows = rows.collect();
    Table { title: "Counters since the start".to_owned(), ..table("<of count per_s", rows) }
}

/// Columns by their names, `_` for a blank; `<` and `>` say where a text stands, from there on the
/// others stand at the right.
fn table(columns: &'static str, rows: Vec<Line>) -> Table {
    let columns = columns.split(' ').map(|name| match name.strip_prefix('<') {
        Some(name) => Column { name, right: false },
        None => Column { name: name.trim_start_matches('>'), right: true },
    });
    Table { title: String::new(), columns: columns.collect(), rows }
}

fn title(what: &str, rows: usize, look: &Look, pane: Pane) -> String {
    let sort = sorts(pane).get(look.sort).unwrap_or(&"");
    let filter = match look.filter.as_str() {
        "" => String::new(),
        filter => format!(" with `{filter}`"),
    };
    format!("{what}: {rows}{filter}, by {sort}")
}

/// The filter is in lower case.
fn contains(text: &str, filter: &str) -> bool {
    filter.is_empty() || text.to_ascii_lowercase().contains(filter)
}

/// The largest first, what is not known last.
fn falling(a: Option<f64>, b: Option<f64>) -> Ordering {
    b.unwrap_or(f64::NEG_INFINITY).total_cmp(&a.unwrap_or(f64::NEG_INFINITY))
}

/// An acknowledgement that is older than this is a heartbeat that went unanswered: Discord asks for
/// one every 41 s, and the alert in `docs/metrics.md` has the same bound.
const ACK_AGE_BAD_S: f64 = 120.0;
/// What a gateway without a limit says: the largest number that fits.
const NO_LIMIT: f64 = u32::MAX as f64;
/// Less than this part of the session starts is few.
const STARTS_FEW: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{exposition, page};

    fn scraped(shards: u32, events: f64) -> Snapshot {
        Snapshot::read(&exposition(shards, events)).unwrap()
    }

    fn rates() -> (Snapshot, Rates) {
        let new = scraped(4, 3_000.0);
        let rates = Rates::between(&scraped(4, 1_000.0), &new, Duration::from_secs(2)).unwrap();
        (new, rates)
    }

    fn first(table: &Table) -> Vec<&str> {
        table.rows.iter().map(|row| row.cells[0].as_str()).collect()
    }

    #[test]
    fn kinds_are_sorted_and_filtered() {
        let (new, rates) = rates();
        let look = Look::default();
        let table = events(&new, Some(&rates), &look);
        assert_eq!(first(&table), ["MESSAGE_CREATE", "PRESENCE_UPDATE"]);
        assert_eq!(table.rows[0].cells[1..6], ["750", "75.0 %", "2,250", "732 KiB", "1.0 KiB"]);
        assert_eq!(table.title, "Events by kind: 2, by events/s");
        let look = Look { filter: "presence".to_owned(), sort: 3, ..look };
        let table = events(&new, Some(&rates), &look);
        assert_eq!(first(&table), ["PRESENCE_UPDATE"]);
        assert_eq!(table.title, "Events by kind: 1 with `presence`, by kind");
        let table = events(&new, None, &Look::default());
        assert_eq!(table.rows[0].cells[1], NONE, "no rate without a second scrape");
    }

    #[test]
    fn the_shard_whose_heartbeat_was_not_acknowledged_for_longest_comes_first() {
        let new = scraped(130, 0.0);
        let table = shards(&new, &Look::default());
        assert_eq!(table.rows[0].cells[..3], ["128", "active", "138 s"]);
        assert_eq!(table.rows[0].tone, Tone::Bad);
        let last = table.rows.last().unwrap();
        assert_eq!((last.cells[..3].join(" "), last.tone), ("129 queued -".into(), Tone::Warn));
        let by_id = Look { sort: 4, filter: "queued".to_owned(), ..Look::default() };
        assert_eq!(first(&shards(&new, &by_id)), ["129"]);
        let one = Look { filter: "7".to_owned(), ..Look::default() };
        assert_eq!(first(&shards(&new, &one)), ["7"], "a number is a shard's id");
    }

    #[test]
    fn causes_tell_how_often_and_how_often_now() {
        let (new, rates) = rates();
        let table = causes(&new, Some(&rates), &Look::default());
        assert_eq!(table.rows[0].cells, ["zombie", "2", "0", "66.7 %"]);
        assert_eq!(first(&table), ["zombie", "reset", "close code"]);
        assert_eq!(table.rows[2].tone, Tone::Quiet);
    }

    #[test]
    fn latencies_are_of_the_span_and_since_the_start() {
        let (new, rates) = rates();
        let table = latencies(&new, Some(&rates));
        assert_eq!(table.title, "Latency of the last 2 s");
        let decode = &table.rows[Latency::Decode as usize].cells;
        let expected = [
            "decode", "1,000", "1.00 ms", "4.00 ms", "4.00 ms", "1.00 ms", "4.00 ms", "-",
            "8.00 ms",
        ];
        assert_eq!(decode[..], expected);
        assert_eq!(table.rows[0].cells[1..], ["0", "-", "-", "-", "-", "-", "-", "-"]);
    }

    #[test]
    fn a_core_has_its_share() {
        let (new, rates) = rates();
        let table = cores(&new, Some(&rates), &Look::default());
        assert_eq!(table.rows[1].cells[..4], ["1", "2", "500", "50.0 %"]);
    }

    #[test]
    fn an_engine_that_tells_nothing_gives_tables_without_numbers() {
        let empty = Snapshot::read(&page("")).unwrap();
        let look = Look::default();
        assert!(events(&empty, None, &look).rows.is_empty());
        assert!(shards(&empty, &look).rows.is_empty());
        assert_eq!(facts(&empty, None)[0].text, "- of - session starts left");
        assert!(facts(&empty, None).iter().all(|fact| fact.tone == Tone::Plain));
        assert_eq!(totals(&empty, None).rows[0].cells[1..], [NONE, NONE]);
    }

    #[test]
    fn what_is_grave_has_its_tone() {
        let text = "# TYPE shardring_session_starts_remaining gauge\n\
                    shardring_session_starts_remaining 0\n\
                    # TYPE shardring_hosts_shut gauge\nshardring_hosts_shut 1\n\
                    # TYPE shardring_sessions_lost counter\nshardring_sessions_lost_total 1\n";
        let snapshot = Snapshot::read(&page(text)).unwrap();
        let facts = facts(&snapshot, None);
        let tone = |name: &str| facts.iter().find(|fact| fact.name == name).unwrap().tone;
        assert_eq!((tone("budget"), tone("dials")), (Tone::Bad, Tone::Bad));
        assert_eq!(tone("sessions"), Tone::Warn);
        assert_eq!(tone("panics"), Tone::Plain);
        let text = "# TYPE shardring_session_starts_limit gauge\n\
                    shardring_session_starts_limit 4294967295\n";
        let unlimited = Snapshot::read(&page(text)).unwrap();
        assert_eq!(super::facts(&unlimited, None)[0].text, "no limit of session starts");
    }
}

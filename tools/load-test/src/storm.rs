//! The scenario `storm`: a thousand shards are cut at once beside some that are not. What is seen
//! of it on this side, what the gateway counted, and whether that is as it must be.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::course::Moment;
use crate::report::Report;

/// How a storm went.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Storm {
    /// Shards that were cut.
    cut: u32,
    /// Shards that were not.
    bystanders: u32,
    /// From the cut to the first RESUMED, and to the last, as the gateway saw them.
    first_resumed_ms: u64,
    last_resumed_ms: u64,
    /// CPU of this process from the first end of a connection to the last RESUMED: in all, and
    /// without what the traffic takes (by the second before the cut).
    cpu_ms: f64,
    cpu_net_ms: f64,
    /// Sessions that were not resumed, and IDENTIFYs that there need not have been.
    not_resumed: u64,
    identifies_extra: u64,
    /// TLS handshakes after the cut.
    tls_resumed: u64,
    tls_full: u64,
    /// The most of them at a time, and the most connections accepted within a second.
    handshakes_max: u64,
    accepted_per_s_max: u64,
    /// Heartbeats of the bystanders that came late, and their longest time without one.
    bystanders_late: u64,
    bystanders_gap_max_ms: u64,
    #[serde(skip)]
    seen: Seen,
}

/// What was looked at meanwhile.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The last second or so.
    before: VecDeque<(Duration, u64)>,
    began: Option<(Duration, u64)>,
    /// CPU a second before the cut.
    usual_ns_per_s: f64,
    ended: Option<(Duration, u64)>,
    /// The last look, and the longest time between two.
    last_look: Option<Duration>,
    gap_max: Duration,
}

impl Storm {
    pub(crate) fn is_none(&self) -> bool {
        self.cut == 0
    }

    /// Looks where the job stands.
    pub(crate) fn look(&mut self, moment: &Moment, cut: u64) {
        let (now, seen) = ((moment.at, moment.cpu_ns), &mut self.seen);
        let since = seen.last_look.replace(moment.at).unwrap_or(moment.at);
        seen.gap_max = seen.gap_max.max(moment.at.saturating_sub(since));
        if moment.links.ended == 0 {
            seen.before.push_back(now);
            while seen.before.len() > LOOKS_MAX {
                seen.before.pop_front();
            }
        } else if seen.began.is_none()
            && let (Some(first), Some(last)) = (seen.before.front(), seen.before.back())
        {
            let span = (last.0 - first.0).as_secs_f64();
            seen.usual_ns_per_s = if span > 0.0 { (last.1 - first.1) as f64 / span } else { 0.0 };
            seen.began = Some(*last);
        }
        if seen.ended.is_none() && moment.links.resumed >= cut {
            seen.ended = Some(now);
        }
    }
}

/// Puts together what both sides saw, and whether it is as it must be.
pub(crate) fn judge(cut: u32, shards: u32, report: &mut Report) {
    let stats = report.gateway.take().unwrap_or_default();
    let storm = &mut report.storm;
    storm.cut = cut;
    storm.bystanders = shards - cut;
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    let of_cut = stats.get("cut").cloned().unwrap_or_default();
    storm.first_resumed_ms = number(&of_cut, "first_resumed_ms");
    storm.last_resumed_ms = number(&of_cut, "last_resumed_ms");
    storm.not_resumed = number(&of_cut, "waiting") + number(&of_cut, "lost");
    storm.identifies_extra = number(&stats, "identifies").saturating_sub(shards.into());
    let handshakes = number(&stats, "tls_resumed") + number(&stats, "tls_full");
    storm.tls_full = number(&stats, "tls_full").saturating_sub(shards.into());
    storm.tls_resumed = handshakes.saturating_sub(u64::from(shards)).saturating_sub(storm.tls_full);
    storm.handshakes_max = number(&stats, "tls_handshaking_max");
    storm.accepted_per_s_max = number(&stats, "accepted_per_s_max");
    for shard in cut..shards {
        let of_shard = stats.get("shards").and_then(|shards| shards.get(shard.to_string()));
        let Some(of_shard) = of_shard else { continue };
        storm.bystanders_late += number(of_shard, "heartbeats_overdue");
        let gap_ms = number(of_shard, "heartbeat_gap_max_ms");
        storm.bystanders_gap_max_ms = storm.bystanders_gap_max_ms.max(gap_ms);
    }
    if let (Some(began), Some(ended)) = (storm.seen.began, storm.seen.ended) {
        let usual_ns = storm.seen.usual_ns_per_s * (ended.0 - began.0).as_secs_f64();
        storm.cpu_ms = (ended.1 - began.1) as f64 / 1e6;
        storm.cpu_net_ms = (storm.cpu_ms - usual_ns / 1e6).max(0.0);
    }
    let sessions = number(&of_cut, "sessions");
    let (not_resumed, extra, late) =
        (storm.not_resumed, storm.identifies_extra, storm.bystanders_late);
    let busy = busy(storm.seen.gap_max, number(&stats, "starved"));
    report.gateway = Some(stats);
    if let Some(why) = busy.filter(|_| late > 0) {
        report.notes.push(format!("late heartbeats: {why}; a loaded machine alone does this"));
    }
    if sessions != u64::from(cut) {
        report.problem(format!("{sessions} of {cut} sessions were cut"));
    }
    for (count, what) in [
        (not_resumed, "sessions were not resumed"),
        (extra, "IDENTIFYs were sent that there need not have been"),
        (late, "heartbeats of shards that were not cut came late"),
    ] {
        if count > 0 {
            report.problem(format!("{count} {what}"));
        }
    }
}

/// What there is to say that the machine, not the library, may have made heartbeats late.
fn busy(look_gap_max: Duration, starved: u64) -> Option<String> {
    let gap_ms = look_gap_max.as_millis();
    let signs = [
        (look_gap_max > LOOK_GAP_USUAL, format!("looks 20 ms apart came up to {gap_ms} ms apart")),
        (starved > 0, format!("the gateway waited {starved} times for prepared traffic")),
        (cfg!(debug_assertions), "built without --release".to_owned()),
    ];
    let signs: Vec<String> = signs.into_iter().filter(|sign| sign.0).map(|sign| sign.1).collect();
    (!signs.is_empty()).then(|| signs.join(", "))
}

impl Storm {
    /// What a report tells of it: a name and a text a row.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let seconds = |ms: u64| ms as f64 / 1e3;
        let Self { cut, bystanders, handshakes_max, accepted_per_s_max, .. } = self;
        let (all_s, first_s) = (seconds(self.last_resumed_ms), seconds(self.first_resumed_ms));
        let each_ms = self.cpu_net_ms / f64::from(self.cut.max(1));
        let gap_s = seconds(self.bystanders_gap_max_ms);
        vec![
            (
                "cut",
                format!(
                    "{cut} shards at once; {bystanders} more, the bystanders, are left alone to \
                     show whether they suffer"
                ),
            ),
            ("all back after", format!("{all_s:.2} s (the first after {first_s:.2} s)")),
            (
                "CPU until then",
                format!(
                    "{:.0} ms, {:.0} of them above what the traffic takes: {each_ms:.2} ms a shard",
                    self.cpu_ms, self.cpu_net_ms
                ),
            ),
            ("IDENTIFYs", format!("{} besides the first of each shard", self.identifies_extra)),
            ("sessions", format!("{} not resumed", self.not_resumed)),
            (
                "TLS handshakes",
                format!(
                    "{} resumed, {} full; at most {handshakes_max} at a time, at most \
                     {accepted_per_s_max} connections a second",
                    self.tls_resumed, self.tls_full
                ),
            ),
            (
                "the bystanders",
                format!(
                    "{} heartbeats late; at most {gap_s:.2} s between two that are due every \
                     {HEARTBEAT_S:.0} s",
                    self.bystanders_late
                ),
            ),
        ]
    }
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nStorm")?;
        self.rows().iter().try_for_each(|(name, value)| writeln!(f, "{name:<20} {value}"))
    }
}

/// Looks that are remembered: about a second of them.
const LOOKS_MAX: usize = 50;
/// A thread that is not kept from running looks again within this time.
const LOOK_GAP_USUAL: Duration = Duration::from_millis(100);
/// The interval of a storm's heartbeats.
const HEARTBEAT_S: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Links;
    use serde_json::json;

    fn moment(ms: u64, cpu_ms: u64, ended: u64, resumed: u64) -> Moment {
        let links = Links { ended, resumed, ready: 0 };
        let (at, cpu_ns) = (Duration::from_millis(ms), cpu_ms * 1_000_000);
        Moment { at, cpu_ns, links, ..Moment::default() }
    }

    fn stats(identifies: u64, waiting: u64, late: u64) -> Value {
        json!({
            "identifies": identifies, "tls_full": 3, "tls_resumed": 2,
            "cut": {"sessions": 2, "waiting": waiting, "last_resumed_ms": 900},
            "shards": {"2": {"heartbeats_overdue": late, "heartbeat_gap_max_ms": 1_010}}
        })
    }

    #[test]
    fn the_cost_of_a_storm_is_what_goes_beyond_the_traffic() {
        let mut report = Report::default();
        for look in [(0, 0, 0, 0), (1_000, 100, 0, 0), (1_020, 150, 2, 0), (2_000, 600, 2, 2)] {
            let (ms, cpu_ms, ended, resumed) = look;
            report.storm.look(&moment(ms, cpu_ms, ended, resumed), 2);
        }
        report.set_gateway(stats(3, 0, 0));
        judge(2, 3, &mut report);
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!((report.storm.cpu_ms, report.storm.cpu_net_ms), (500.0, 400.0));
        assert_eq!((report.storm.tls_full, report.storm.tls_resumed), (0, 2));
        assert!(report.storm.to_string().contains("all back after       0.90 s"));
    }

    #[test]
    fn signs_of_a_busy_machine_are_named() {
        let text = busy(Duration::from_millis(340), 2).unwrap();
        assert!(text.contains("up to 340 ms apart") && text.contains("waited 2 times"), "{text}");
        let quiet = busy(Duration::from_millis(25), 0);
        assert_eq!(quiet.is_some(), cfg!(debug_assertions), "{quiet:?}");
    }

    #[test]
    fn a_storm_that_costs_an_identify_a_session_or_a_heartbeat_fails() {
        for stats in [stats(4, 0, 0), stats(3, 1, 0), stats(3, 0, 1)] {
            let mut report = Report::default();
            report.set_gateway(stats);
            judge(2, 3, &mut report);
            assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        }
    }
}

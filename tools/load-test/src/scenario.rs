//! One job, or a series of them; printing what they found. The only place that writes to standard
//! output.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::html;
use crate::job;
use crate::live::Live;
use crate::plan::{JobPlan, Load, Plan, Scenario};
use crate::report::{Outcome, Report};
use crate::table;

/// Does what the plan says and prints the report.
pub(crate) fn run(plan: &Plan, interrupted: &AtomicBool) -> Outcome {
    match plan.scenario {
        None => {
            let report = one(plan, &plan.job, "load-test", interrupted);
            print(plan, || json!(report), || table::of_job(&report));
            report.outcome.max(draw(plan, &[report]))
        }
        Some(Scenario::Speed) => speed(plan, interrupted),
        Some(Scenario::Storm) => {
            let report = one(plan, &plan.job, "storm", interrupted);
            let as_json = || json!({"scenario": plan.scenario, "jobs": [report]});
            print(plan, as_json, || table::of_job(&report) + &report.storm.to_string());
            report.outcome.max(draw(plan, &[report]))
        }
        Some(Scenario::MemoryA | Scenario::MemoryB | Scenario::MemoryC) => {
            memory(plan, interrupted)
        }
    }
}

fn one(plan: &Plan, job: &JobPlan, title: &str, interrupted: &AtomicBool) -> Report {
    let mut live = Live::new(title.to_owned(), plan.quiet);
    job::run(job, &mut live, interrupted)
}

/// Bursts and flat out, on one shard and on all.
fn speed(plan: &Plan, interrupted: &AtomicBool) -> Outcome {
    let mut shard_counts = vec![1, plan.job.shards];
    shard_counts.dedup();
    let mut reports = Vec::new();
    for shards in shard_counts {
        let events = match plan.job.load {
            Load::FlatOut { events_per_shard: Some(events), .. } => {
                events * u64::from(plan.job.shards)
            }
            _ => SPEED_EVENTS,
        };
        for burst in BURSTS {
            let mut job = plan.job.clone();
            job.shards = shards;
            job.max_concurrency = shards;
            job.load = Load::FlatOut {
                burst,
                events_per_shard: Some(events.div_ceil(u64::from(shards))),
                at_most: None,
            };
            let title = match burst {
                0 => format!("{shards} shard(s), flat out"),
                burst => format!("{shards} shard(s), bursts of {burst}"),
            };
            reports.push(one(plan, &job, &title, interrupted));
            if interrupted.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    print(plan, || json!({"scenario": "speed", "jobs": reports}), || table::of_series(&reports));
    let outcome = reports.iter().map(|report| report.outcome).max().unwrap_or_default();
    outcome.max(draw(plan, &reports))
}

fn memory(plan: &Plan, interrupted: &AtomicBool) -> Outcome {
    // In a process of its own: memory that was touched once tells nothing of the next job.
    let fixed_kib = if plan.job.shards > 1 { fixed_part_kib(&plan.job) } else { None };
    let report = one(plan, &plan.job, "memory", interrupted);
    let as_json = || json!({"scenario": plan.scenario, "fixed_kib": fixed_kib, "jobs": [report]});
    print(plan, as_json, || table::of_memory(&report, fixed_kib));
    report.outcome.max(draw(plan, &[report]))
}

/// What an engine with one shard takes, KiB; `None` if that could not be measured.
fn fixed_part_kib(job: &JobPlan) -> Option<f64> {
    let output = Command::new(std::env::current_exe().ok()?)
        .args(["--scenario", "memory-a", "--shards", "1", "--json", "--quiet", "--compression"])
        .arg(job.compression.flag())
        .args(job.tls.then_some("--tls"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let value: Value = serde_json::from_slice(&output.stdout).ok()?;
    value["jobs"][0]["rss_per_shard_kib"].as_f64()
}

/// Writes the page, if one is wanted.
fn draw(plan: &Plan, reports: &[Report]) -> Outcome {
    let Some(path) = &plan.report else { return Outcome::Clean };
    match html::write(path, reports, plan.job.token.as_str()) {
        Ok(()) => {
            if !plan.quiet {
                eprintln!("load-test: the report is in {}", path.display());
            }
            Outcome::Clean
        }
        Err(error) => {
            eprintln!("load-test: --report: {}: {error}", path.display());
            Outcome::Failed
        }
    }
}

fn print(plan: &Plan, as_json: impl FnOnce() -> Value, as_text: impl FnOnce() -> String) {
    let text = if plan.json { format!("{:#}\n", as_json()) } else { as_text() };
    let mut out = io::stdout().lock();
    // A closed pipe is the reader's choice; the exit code tells the outcome all the same.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Bursts of the speed scenario; 0: as many as a write holds.
const BURSTS: [u64; 4] = [1, 4, 16, 0];
/// Events of each of its jobs.
const SPEED_EVENTS: u64 = 300_000;

//! The table of the README, from what Criterion has just measured.

use crate::COMMON_MIX;
use crate::contenders::Way;
use shardring::model::EventKind;
use std::path::{Path, PathBuf};

/// Prints the mix in full (of so many events in its groups, in their order), then each kind:
/// nanoseconds by way, and how many times shardring's each other way takes.
#[allow(clippy::print_stdout)] // a program
pub(crate) fn print(mix: &str, lens: [usize; 3]) {
    let dir = target_dir().join("criterion");
    println!(
        "\n| payloads | simd-json tape | shardring | of it the walk | twilight simd-json | \
         serde_json | sonic-rs |"
    );
    println!("|---|---|---|---|---|---|---|");
    let rows = [
        ("mix", "mix, ns an event"),
        (COMMON_MIX, "of it what all can read"),
        ("mix, every field read", "mix, every field read"),
    ];
    for ((group, label), len) in rows.into_iter().zip(lens) {
        print_row(&dir, group, mix, label, len as f64);
    }
    for kind in EventKind::ALL.iter().filter(|kind| **kind != EventKind::Unknown) {
        print_row(&dir, "kind", kind.name(), kind.name(), 1.0);
    }
}

#[allow(clippy::print_stdout)] // a program
fn print_row(dir: &Path, group: &str, name: &str, label: &str, events: f64) {
    let [tape, ours, simd, serde, sonic] =
        Way::ALL.map(|way| median_ns(dir, group, way, name).map(|ns| ns / events));
    let Some(ours) = ours else { return };
    let walk = tape.map_or("–".to_owned(), |tape| format!("{:.2} × tape", (ours - tape) / tape));
    let other = |ns: Option<f64>| {
        ns.map_or("cannot".to_owned(), |ns| format!("{ns:.0} ({:.1} ×)", ns / ours))
    };
    println!(
        "| {label} | {} | {ours:.0} | {walk} | {} | {} | {} |",
        tape.map_or("–".to_owned(), |ns| format!("{ns:.0}")),
        other(simd),
        other(serde),
        other(sonic),
    );
}

/// The median that Criterion keeps of a row.
fn median_ns(dir: &Path, group: &str, way: Way, name: &str) -> Option<f64> {
    let path = dir.join(group.replace(',', "_")).join(way.name()).join(name);
    let path = if path.exists() { path } else { dir.join(group).join(way.name()).join(name) };
    let text = std::fs::read(path.join("new/estimates.json")).ok()?;
    let estimates: serde_json::Value = serde_json::from_slice(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

fn target_dir() -> PathBuf {
    let dir = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    dir.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"))
}

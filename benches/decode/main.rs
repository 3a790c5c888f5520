//! What decoding costs: JSON text to typed event, for a realistic mix and for each kind, against
//! simd-json's tape alone (the floor) and against twilight-model's owned structs by three parsers.
//!
//! Every way begins with a copy of the text into its buffer. The payloads are those of
//! `tests/corpus`: the mix of ordinary ones, the kinds each with one that holds every documented
//! field. `cargo bench --bench decode` measures and prints the table of the README.

mod checksum;
mod contenders;
mod table;

use contenders::{Contest, Way};
use criterion::{BenchmarkId, Criterion, Throughput};
use shardring::decode::Envelope;
use shardring::model::EventKind;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

/// Payloads of an ordinary size, and how often each comes in a hundred events of the mix.
const MIX: [(&str, usize); 8] = [
    ("MESSAGE_CREATE", 35),
    ("PRESENCE_UPDATE", 25),
    ("TYPING_START", 20),
    ("MESSAGE_REACTION_ADD", 8),
    ("MESSAGE_UPDATE.partial", 5),
    ("MESSAGE_DELETE", 4),
    ("MESSAGE_CREATE.full", 2),
    ("GUILD_CREATE", 1),
];

/// The mix among the rows.
const MIX_NAME: &str = "mix of 100";
/// How many payloads it has.
const MIX_LEN: usize = 100;
/// The group of those of the mix that every way can read.
const COMMON_MIX: &str = "what all can read";

fn text(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    std::fs::read(dir.join(format!("{name}.json"))).expect("a payload of the corpus")
}

fn envelope(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("envelope");
    let message = String::from_utf8(text("MESSAGE_CREATE")).expect("JSON is UTF-8");
    let range = Envelope::data_range(message.as_bytes()).expect("whole").expect("has d");
    let d = &message[range];
    for (order, text) in [
        ("t,s,op,d", message.clone()),
        ("op,t,d,s", format!(r#"{{"op":0,"t":"MESSAGE_CREATE","d":{d},"s":4213}}"#)),
        ("op,d,s,t", format!(r#"{{"op":0,"d":{d},"s":4213,"t":"MESSAGE_CREATE"}}"#)),
        ("d stepped through", format!(r#"{{"op":0,"d":{d},"s":4213,"t":"MESSAGE_CREATE","x":1}}"#)),
    ] {
        group.bench_function(order, |bencher| {
            bencher.iter(|| Envelope::scan(black_box(text.as_bytes())));
        });
    }
    group.bench_function("kind by name", |bencher| {
        let mut at = 0;
        bencher.iter(|| {
            at = (at + 1) % EventKind::COUNT;
            EventKind::from_name(black_box(EventKind::ALL[at].name()))
        });
    });
    group.finish();
}

/// The payloads of a set, one after the other, each way; a way that cannot read one of them has
/// no row.
fn contest(criterion: &mut Criterion, group: &str, sets: &[(String, Vec<Vec<u8>>)], sums: bool) {
    let mut group = criterion.benchmark_group(group);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    group.sample_size(20);
    for (name, texts) in sets {
        let mut contest = Contest::new(texts.iter().map(Vec::len).max().unwrap_or(0));
        group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
        for way in Way::ALL {
            if sums && way == Way::Tape
                || texts.iter().any(|text| contest.read(way, text, sums).is_none())
            {
                continue;
            }
            group.bench_function(BenchmarkId::new(way.name(), name), |bencher| {
                bencher.iter(|| {
                    for text in texts {
                        black_box(contest.read(way, text, sums));
                    }
                });
            });
        }
    }
    group.finish();
}

fn mix() -> (String, Vec<Vec<u8>>) {
    (MIX_NAME.to_owned(), MIX.iter().flat_map(|&(name, times)| vec![text(name); times]).collect())
}

/// What is left of the mix without the payloads that another way cannot read.
fn common_mix() -> (String, Vec<Vec<u8>>) {
    let (name, mut texts) = mix();
    let mut contest = Contest::new(texts.iter().map(Vec::len).max().unwrap_or(0));
    texts.retain(|text| Way::ALL.iter().all(|way| contest.read(*way, text, false).is_some()));
    (name, texts)
}

fn all(criterion: &mut Criterion) {
    contest(criterion, "mix", &[mix()], false);
    contest(criterion, COMMON_MIX, &[common_mix()], false);
    contest(criterion, "mix, every field read", &[mix()], true);
    let kinds = EventKind::ALL.iter().filter(|kind| **kind != EventKind::Unknown);
    let sets: Vec<_> =
        kinds.map(|kind| (kind.name().to_owned(), vec![text(kind.name())])).collect();
    contest(criterion, "kind", &sets, false);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    envelope(&mut criterion);
    all(&mut criterion);
    criterion.final_summary();
    if !std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        table::print(MIX_NAME, [MIX_LEN, common_mix().1.len(), MIX_LEN]);
    }
}

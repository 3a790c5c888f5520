//! What decoding costs, by stage: the envelope, the tape alone, the tape and the typed walk.
//!
//! `tape` is simd-json's own work on the same text through the same door and the floor of the
//! rest; each row also pays a copy of the text into the buffer, as `copy` shows. The payloads are
//! those of `tests/corpus`. `cargo bench --bench decode`; the crate docs quote medians.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shardring::decode::{Envelope, PADDING, Scratch};
use shardring::model::{Event, EventKind};
use std::hint::black_box;
use std::path::Path;

/// The typed kinds, and how often each comes in a hundred events of the mix.
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

/// Reads `texts` one after the other, to the stage named.
fn read_all(texts: &[Vec<u8>], buffer: &mut [u8], scratch: &mut Scratch, walk: bool) {
    for text in texts {
        buffer[..text.len()].copy_from_slice(text);
        let read = scratch.read(buffer, text.len(), |root| {
            if walk {
                let kind = EventKind::from_name(root.name());
                black_box(Event::decode(kind, root.name(), root.data()));
            } else {
                black_box(&root);
            }
        });
        read.expect("the corpus is JSON");
    }
}

fn stages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let mix = MIX.iter().flat_map(|&(name, times)| vec![text(name); times]).collect();
    let mut sets: Vec<(&str, Vec<Vec<u8>>)> = vec![("mix of 100", mix)];
    sets.extend(MIX.iter().map(|&(name, _)| (name, vec![text(name)])));
    let mut scratch = Scratch::new();
    for (name, texts) in &sets {
        let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
        let mut buffer = vec![0; longest + PADDING];
        group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
        group.bench_function(BenchmarkId::new("copy", name), |bencher| {
            bencher.iter(|| {
                for text in texts {
                    black_box(&mut buffer)[..text.len()].copy_from_slice(text);
                }
            });
        });
        group.bench_function(BenchmarkId::new("tape", name), |bencher| {
            bencher.iter(|| read_all(texts, &mut buffer, &mut scratch, false));
        });
        group.bench_function(BenchmarkId::new("tape+walk", name), |bencher| {
            bencher.iter(|| read_all(texts, &mut buffer, &mut scratch, true));
        });
    }
    group.finish();
}

criterion_group!(benches, envelope, stages);
criterion_main!(benches);

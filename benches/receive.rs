//! From bytes to callback: the whole spine, and each stage of it alone, over the generated mix.
//!
//! One shard, 10,000 events (mean 1,251 bytes of JSON, some 288 on the wire), all kinds decoded.
//! `floor` is what no engine of these parts can beat: inflate, tape and walk of the same bytes,
//! with nothing else. Times are per 10,000 events; the throughput line gives events per second.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use shardring::model::GuildId;
use shardring::sans_io::clock::Time;
use shardring::sans_io::decode::{Envelope, PADDING, Scratch};
use shardring::sans_io::wire::{ChunkPool, PoolLimits};
use shardring::{Compression, Delivery, Event, EventKind, Filter, Interest};
use support::{Counting, Line, payloads};
use zlib_rs::{Inflate, InflateFlush};

const EVENTS: u64 = 10_000;
/// As a ring buffer brings them.
const PIECE_LEN: usize = 4096;

fn logged_in(compression: Compression, delivery: Delivery) -> Line<Counting> {
    logged_in_with(compression, Interest::all(delivery))
}

fn logged_in_with(compression: Compression, interest: Interest) -> Line<Counting> {
    let origin = Instant::now();
    let mut line = Line::new(compression, interest, Counting::default)
        .with_clock(Counting::default, Box::new(move || Time::ZERO + origin.elapsed()));
    line.log_in();
    line
}

/// The bytes of all events as they follow a login.
fn stream(compression: Compression) -> Vec<u8> {
    let mut line = logged_in(compression, Delivery::Typed);
    payloads(EVENTS, 2).iter().flat_map(|text| line.frame(text)).collect()
}

/// The zlib messages of all events, from a fresh context.
fn messages() -> Vec<Vec<u8>> {
    let mut deflate = zlib_rs::Deflate::new(6, false, 15);
    payloads(EVENTS, 2)
        .iter()
        .map(|text| support::compressed(&mut deflate, text.as_bytes()))
        .collect()
}

fn inflate_one(inflate: &mut Inflate, message: &[u8], out: &mut Vec<u8>) -> usize {
    let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
    loop {
        let used = (inflate.total_in() - before_in) as usize;
        let made = (inflate.total_out() - before_out) as usize;
        if made + PADDING >= out.len() {
            out.resize(out.len() * 2, 0);
        }
        if used == message.len() {
            return made;
        }
        let room = out.len() - PADDING;
        inflate
            .decompress(&message[used..], &mut out[made..room], InflateFlush::SyncFlush)
            .expect("the stream is whole");
    }
}

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("whole");
    group.throughput(Throughput::Elements(EVENTS));
    for (name, compression, delivery) in [
        ("zlib_typed", Compression::ZlibStream, Delivery::Typed),
        ("zlib_raw", Compression::ZlibStream, Delivery::Raw),
        ("zlib_raw_and_typed", Compression::ZlibStream, Delivery::RawAndTyped),
        ("zlib_skip", Compression::ZlibStream, Delivery::Skip),
        ("text_typed", Compression::None, Delivery::Typed),
        ("text_skip", Compression::None, Delivery::Skip),
    ] {
        let bytes = stream(compression);
        group.bench_function(name, |b| {
            b.iter_batched(
                || logged_in(compression, delivery),
                |mut line| {
                    for piece in bytes.chunks(PIECE_LEN) {
                        line.give(piece);
                    }
                    black_box(line.desk.handler().sum);
                    line
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn floor(c: &mut Criterion) {
    let messages = messages();
    let mut group = c.benchmark_group("floor");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("inflate_tape_walk", |b| {
        b.iter_batched(
            || (Inflate::new(false, 15), Scratch::new(), vec![0; 1 << 20]),
            |(mut inflate, mut scratch, mut out)| {
                for message in &messages {
                    let len = inflate_one(&mut inflate, message, &mut out);
                    let kind = Envelope::scan(&out[..len])
                        .map_or(EventKind::Unknown, |e| EventKind::from_name(e.t.unwrap_or("")));
                    let _ = scratch.read(&mut out, len, |root| {
                        black_box(Event::decode(kind, root.name(), root.data()));
                    });
                }
                (inflate, scratch, out)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn stages(c: &mut Criterion) {
    let messages = messages();
    let texts = payloads(EVENTS, 2);
    let mut group = c.benchmark_group("stage");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("inflate", |b| {
        b.iter_batched(
            || (Inflate::new(false, 15), vec![0; 1 << 20]),
            |(mut inflate, mut out)| {
                for message in &messages {
                    black_box(inflate_one(&mut inflate, message, &mut out));
                }
                (inflate, out)
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("envelope", |b| {
        b.iter(|| {
            for text in &texts {
                black_box(Envelope::scan(black_box(text.as_bytes())).is_ok());
            }
        });
    });
    // Each text is copied in first, since the tape is made in place: 20 to 30 ns of it.
    let mut scratch = Scratch::new();
    let mut buffer = vec![0; 1 << 20];
    group.bench_function("tape", |b| {
        b.iter(|| {
            for text in &texts {
                buffer[..text.len()].copy_from_slice(text.as_bytes());
                let _ = scratch.read(&mut buffer, text.len(), |root| {
                    black_box(root.op());
                });
            }
        });
    });
    let kinds: Vec<EventKind> = texts
        .iter()
        .map(|t| EventKind::from_name(Envelope::scan(t.as_bytes()).unwrap().t.unwrap()))
        .collect();
    group.bench_function("tape_and_walk", |b| {
        b.iter(|| {
            for (text, kind) in texts.iter().zip(&kinds) {
                buffer[..text.len()].copy_from_slice(text.as_bytes());
                let _ = scratch.read(&mut buffer, text.len(), |root| {
                    black_box(Event::decode(*kind, root.name(), root.data()));
                });
            }
        });
    });
    group.finish();
}

/// What an event costs that the handler does not want: skipped by kind, held back by a filter, and
/// delivered. Then the filter alone, per 10,000 texts: held back, and passed.
fn filter(c: &mut Criterion) {
    let nowhere = || Filter::new().guilds([GuildId::new(1)]).direct_messages(false);
    let typed = Interest::all(Delivery::Typed);
    let mut group = c.benchmark_group("filter");
    group.throughput(Throughput::Elements(EVENTS));
    for compression in [Compression::ZlibStream, Compression::None] {
        let transport = if compression == Compression::None { "text" } else { "zlib" };
        let bytes = stream(compression);
        for (name, interest) in [
            ("skipped", Interest::all(Delivery::Skip)),
            ("filtered", typed.clone().filter(nowhere())),
            ("typed", typed.clone()),
        ] {
            group.bench_function(format!("{transport}_{name}"), |b| {
                b.iter_batched(
                    || logged_in_with(compression, interest.clone()),
                    |mut line| {
                        for piece in bytes.chunks(PIECE_LEN) {
                            line.give(piece);
                        }
                        black_box(line.desk.handler().sum);
                        line
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    let texts = payloads(EVENTS, 2);
    let kinds: Vec<EventKind> = texts
        .iter()
        .map(|t| EventKind::from_name(Envelope::scan(t.as_bytes()).unwrap().t.unwrap()))
        .collect();
    let guilds = texts.iter().filter_map(|text| {
        let (_, after) = text.rsplit_once(r#""guild_id":""#)?;
        after.split('"').next()?.parse().ok().map(GuildId::new)
    });
    for (name, filter) in [
        ("scan_holds_back", nowhere()),
        ("scan_passes", Filter::new().guilds(guilds)),
        ("scan_for_bots", Filter::new().bots(false)),
    ] {
        let interest = typed.clone().filter(filter);
        group.bench_function(name, |b| {
            b.iter(|| {
                for (text, kind) in texts.iter().zip(&kinds) {
                    black_box(interest.admits(*kind, black_box(text.as_bytes())));
                }
            });
        });
    }
    group.finish();
}

/// The carry pool alone: what a message costs that no ring buffer holds whole.
fn pool(c: &mut Criterion) {
    let mut group = c.benchmark_group("pool");
    let piece = [7; PIECE_LEN];
    group.throughput(Throughput::Bytes(64 * PIECE_LEN as u64));
    group.bench_function("push_and_consume_256_kib", |b| {
        let mut pool = ChunkPool::new(PoolLimits::default());
        let mut queue = shardring::sans_io::wire::ChunkQueue::new();
        b.iter(|| {
            for _ in 0..64 {
                queue.push(&piece, &mut pool).expect("below the bound");
            }
            while !queue.is_empty() {
                let len = queue.front().len();
                queue.consume(len, &mut pool);
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(5)).sample_size(20);
    targets = whole, floor, stages, filter, pool
}
criterion_main!(benches);

//! Prepared blocks of traffic: 1,000 events as the frames of a connection, made once on helper
//! threads and shared by every session of one variant. Compressing at level 6 costs some 20 µs an
//! event, writing prepared bytes some 50 ns; without blocks the gateway would be the bottleneck.
//!
//! Invariant: a block of compressed frames starts from a fresh context, so it may follow
//! anything; nothing may come between its frames. Blocks never outlive their byte bound: the
//! makers wait until sessions have passed the oldest ones.

use crate::codec::{Compression, ZLIB_LEVEL, deflate_into};
use crate::frame::{BINARY, TEXT, write_header};
use crate::ledger;
use crate::traffic::{BLOCK_EVENTS, Traffic};
use crate::zstd::Zstd;
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use zlib_rs::{Deflate, DeflateFlush};

/// What the bytes of a block depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamKey {
    pub(crate) traffic: Traffic,
    pub(crate) first_s: u64,
    pub(crate) compression: Compression,
}

/// The frames of events `index * 1000 ..` of a stream.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) bytes: Arc<Vec<u8>>,
    /// The end of each event's frame in `bytes`.
    pub(crate) ends: Vec<u32>,
    /// Each event's unique id and the hash of its `d`.
    pub(crate) marks: Vec<(u64, u64)>,
}

impl Block {
    fn make(key: StreamKey, index: u64, count: u64) -> Self {
        let mut bytes = Vec::with_capacity(match key.compression {
            Compression::None => 1_400 * count as usize,
            Compression::ZlibStream | Compression::ZstdStream(_) => 320 * count as usize,
        });
        let (mut ends, mut marks) = (Vec::new(), Vec::new());
        let (mut text, mut deflated) = (String::new(), Vec::new());
        let (mut deflate, mut zstd) = (None, None);
        for k in index * BLOCK_EVENTS..index * BLOCK_EVENTS + count {
            text.clear();
            let written = key.traffic.write_payload(k, key.first_s + k, &mut text);
            match key.compression {
                Compression::None => {
                    write_header(TEXT, text.len(), &mut bytes);
                    bytes.extend_from_slice(text.as_bytes());
                }
                Compression::ZlibStream => {
                    deflated.clear();
                    let flush = DeflateFlush::SyncFlush;
                    let new = || Deflate::new(ZLIB_LEVEL, false, 15);
                    let context = deflate.get_or_insert_with(new);
                    deflate_into(context, text.as_bytes(), flush, &mut deflated);
                    write_header(BINARY, deflated.len(), &mut bytes);
                    bytes.extend_from_slice(&deflated);
                }
                Compression::ZstdStream(frames) => {
                    deflated.clear();
                    let context = zstd.get_or_insert_with(Zstd::new);
                    context.message(frames, false, text.as_bytes(), &mut deflated);
                    write_header(BINARY, deflated.len(), &mut bytes);
                    bytes.extend_from_slice(&deflated);
                }
            }
            ends.push(bytes.len() as u32);
            marks.push((written.id, ledger::hash(&text.as_bytes()[written.d])));
        }
        Self { bytes: Arc::new(bytes), ends, marks }
    }

    /// Where the frame of event `at` starts.
    pub(crate) fn start(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.ends[at - 1] as usize }
    }

    /// The events that fit in `bytes_max` from event `at` on; at least one.
    pub(crate) fn fitting(&self, at: usize, bytes_max: usize) -> usize {
        let limit = self.start(at).saturating_add(bytes_max);
        self.ends[at..].partition_point(|end| *end as usize <= limit).max(1)
    }
}

/// The blocks of all streams, and the threads that make them.
pub(crate) struct Blocks {
    streams: BTreeMap<StreamKey, Stream>,
    shared: Arc<Shared>,
    made: Receiver<(StreamKey, u64, Block)>,
    threads: Vec<JoinHandle<()>>,
    bytes: usize,
    bytes_max: usize,
    events: Option<u64>,
    pub(crate) made_count: u64,
    in_work: usize,
}

#[derive(Default)]
struct Stream {
    /// Blocks made and not yet forgotten.
    blocks: BTreeMap<u64, Arc<Block>>,
    /// The next one to ask for.
    next: u64,
}

/// The makers' queue.
#[derive(Default)]
struct Shared {
    jobs: Mutex<Jobs>,
    wake: Condvar,
}

#[derive(Default)]
struct Jobs {
    queue: VecDeque<(StreamKey, u64, u64)>,
    stop: bool,
}

impl Blocks {
    /// Starts `makers` threads; `wake` is called by them after each block.
    pub(crate) fn new(
        makers: usize,
        bytes_max: usize,
        events: Option<u64>,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (sender, made) = channel();
        let mut threads = Vec::new();
        for n in 0..makers {
            let (shared, sender, wake) = (Arc::clone(&shared), sender.clone(), wake.clone());
            let thread = std::thread::Builder::new().name(format!("block-maker-{n}"));
            threads.push(thread.spawn(move || work(&shared, &sender, &wake))?);
        }
        Ok(Self {
            streams: BTreeMap::new(),
            shared,
            made,
            threads,
            bytes: 0,
            bytes_max,
            events,
            made_count: 0,
            in_work: 0,
        })
    }

    /// Makes sure that a stream's blocks are being made.
    pub(crate) fn want(&mut self, key: StreamKey) {
        self.streams.entry(key).or_default();
        self.order();
    }

    /// A block, if it has been made and not been forgotten.
    pub(crate) fn block(&self, key: &StreamKey, index: u64) -> Option<Arc<Block>> {
        self.streams.get(key)?.blocks.get(&index).cloned()
    }

    /// Whether a block may still come (so that waiting for it makes sense).
    pub(crate) fn will_come(&self, key: &StreamKey, index: u64) -> bool {
        self.streams.get(key).is_some_and(|stream| match stream.blocks.first_key_value() {
            Some((first, _)) => index >= *first,
            None => index >= stream.next.saturating_sub(self.in_work as u64),
        })
    }

    /// Takes what the makers finished. True if anything came.
    pub(crate) fn collect(&mut self) -> bool {
        let mut any = false;
        while let Ok((key, index, block)) = self.made.try_recv() {
            any = true;
            self.in_work -= 1;
            self.made_count += 1;
            self.bytes += block.bytes.len();
            if let Some(stream) = self.streams.get_mut(&key) {
                stream.blocks.insert(index, Arc::new(block));
            }
        }
        self.order();
        any
    }

    /// Forgets the blocks of a stream below `index`: every session has passed them.
    pub(crate) fn forget_below(&mut self, key: &StreamKey, index: u64) {
        // With a known number of events that fits in memory, later sessions will want them again.
        if self.events.is_some() && self.bytes < self.bytes_max / 2 {
            return;
        }
        if let Some(stream) = self.streams.get_mut(key) {
            while let Some(entry) = stream.blocks.first_entry() {
                if *entry.key() >= index {
                    break;
                }
                self.bytes -= entry.remove().bytes.len();
            }
        }
        self.order();
    }

    /// All blocks that were asked for are there, and (with a known number of events) all that
    /// will be needed or that fit.
    pub(crate) fn prepared(&self) -> bool {
        let enough = |stream: &Stream| match self.events {
            Some(events) => stream.next * BLOCK_EVENTS >= events,
            None => stream.next >= AHEAD,
        };
        self.in_work == 0 && (self.full() || self.streams.values().all(enough))
    }

    /// Bytes of blocks in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn full(&self) -> bool {
        // Blocks in work are not yet weighed: count them as the mean of those made.
        let mean = self.bytes / self.made_count.max(1) as usize;
        self.bytes + self.in_work * mean.max(300_000) >= self.bytes_max
    }

    /// Gives the makers work: the stream that is least far ahead first.
    fn order(&mut self) {
        while self.in_work < IN_WORK_MAX && !self.full() {
            let (events, next_block) = (self.events, |stream: &Stream| stream.next);
            let open = |stream: &Stream| match events {
                Some(events) => stream.next * BLOCK_EVENTS < events,
                None => {
                    let first = stream.blocks.first_key_value().map_or(0, |(index, _)| *index);
                    stream.next < first + AHEAD
                }
            };
            let candidates = self.streams.iter_mut().filter(|(_, stream)| open(stream));
            let Some((key, stream)) = candidates.min_by_key(|(_, stream)| next_block(stream))
            else {
                return;
            };
            let index = stream.next;
            let left = self.events.map_or(u64::MAX, |events| events - index * BLOCK_EVENTS);
            stream.next += 1;
            self.in_work += 1;
            let mut jobs = self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.queue.push_back((*key, index, left.min(BLOCK_EVENTS)));
            self.shared.wake.notify_one();
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        let mut jobs = self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.stop = true;
        jobs.queue.clear();
        drop(jobs);
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A maker that panicked has nothing to add to a shutdown.
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, made: &Sender<(StreamKey, u64, Block)>, wake: &impl Fn()) {
    loop {
        let mut jobs = shared.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, index, count) = loop {
            if jobs.stop {
                return;
            }
            match jobs.queue.pop_front() {
                Some(job) => break job,
                None => jobs = shared.wake.wait(jobs).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(jobs);
        if made.send((key, index, Block::make(key, index, count))).is_err() {
            return;
        }
        wake();
    }
}

/// Blocks made ahead of a stream's oldest kept one when the number of events is not known.
const AHEAD: u64 = 64;
/// Blocks given to the makers at a time.
const IN_WORK_MAX: usize = 8;

//! Chunks: where bytes wait that are not a whole message yet, and the bound on all of them.
//!
//! One [`ChunkPool`] a core; each connection (and each backlog of a paused shard) has a
//! [`ChunkQueue`], empty most of the time. Nothing here knows what the bytes mean. `Wire` and the
//! driver call it.
//!
//! Invariant: `used_len` never exceeds `len_max + reserve_len_max`, and a chunk is either in one
//! queue, in the free list, or given back to the allocator. Under the watermark `keep_len` no call
//! allocates.

use std::fmt;

use super::error::WireError;

/// The chunks of one core.
pub struct ChunkPool {
    free: Option<Box<Chunk>>,
    free_len: usize,
    used_len: usize,
    limits: PoolLimits,
    used_high_len: usize,
    allocated_count: u64,
    refused_count: u64,
}

/// Bounds of a [`ChunkPool`], in bytes of memory (each chunk counts as [`CHUNK_LEN`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// From here on the pool [is tight](ChunkPool::is_tight): the largest receivers are to pause.
    pub len_max: usize,
    /// Above `len_max`, for what is already on its way when it is reached; then
    /// [`WireError::PoolExhausted`].
    pub reserve_len_max: usize,
    /// Free chunks up to this many bytes are kept for reuse; more go back to the allocator.
    pub keep_len: usize,
}

/// What a [`ChunkPool`] counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounters {
    /// Bytes of chunks in use.
    pub used_len: usize,
    /// The most bytes of chunks that were in use at one time.
    pub used_high_len: usize,
    /// Bytes of free chunks kept for reuse.
    pub free_len: usize,
    /// Chunks that were asked of the allocator.
    pub allocated_count: u64,
    /// Chunks that were refused because of the hard bound.
    pub refused_count: u64,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { len_max: 32 << 20, reserve_len_max: 12 << 20, keep_len: 1 << 20 }
    }
}

impl ChunkPool {
    /// An empty pool. Nothing is allocated before the first chunk is needed.
    pub const fn new(limits: PoolLimits) -> Self {
        Self {
            free: None,
            free_len: 0,
            used_len: 0,
            limits,
            used_high_len: 0,
            allocated_count: 0,
            refused_count: 0,
        }
    }

    /// Bytes of chunks that queues hold; a multiple of [`CHUNK_LEN`].
    pub const fn used_len(&self) -> usize {
        self.used_len
    }

    /// Whether `used_len` reached `len_max`: the driver then stops re-arming the largest
    /// receivers, so that TCP pushes back, and the rest go on.
    pub const fn is_tight(&self) -> bool {
        self.used_len >= self.limits.len_max
    }

    /// The bounds it was made with.
    pub const fn limits(&self) -> PoolLimits {
        self.limits
    }

    /// What was counted so far.
    pub const fn counters(&self) -> PoolCounters {
        PoolCounters {
            used_len: self.used_len,
            used_high_len: self.used_high_len,
            free_len: self.free_len,
            allocated_count: self.allocated_count,
            refused_count: self.refused_count,
        }
    }

    fn take(&mut self) -> Result<Box<Chunk>, WireError> {
        let len_max = self.limits.len_max.saturating_add(self.limits.reserve_len_max);
        if len_max - self.used_len.min(len_max) < CHUNK_LEN {
            self.refused_count += 1;
            return Err(WireError::PoolExhausted { len_max });
        }
        self.used_len += CHUNK_LEN;
        self.used_high_len = self.used_high_len.max(self.used_len);
        if let Some(mut chunk) = self.free.take() {
            self.free = chunk.next.take();
            self.free_len -= CHUNK_LEN;
            chunk.len = 0;
            return Ok(chunk);
        }
        self.allocated_count += 1;
        Ok(Box::new(Chunk { next: None, len: 0, data: [0; DATA_LEN] }))
    }

    fn put(&mut self, mut chunk: Box<Chunk>) {
        self.used_len = self.used_len.saturating_sub(CHUNK_LEN);
        if self.free_len + CHUNK_LEN <= self.limits.keep_len {
            chunk.next = self.free.take();
            self.free = Some(chunk);
            self.free_len += CHUNK_LEN;
        }
    }
}

impl Drop for ChunkPool {
    fn drop(&mut self) {
        drop_list(self.free.take());
    }
}

impl fmt::Debug for ChunkPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkPool")
            .field("limits", &self.limits)
            .field("counters", &self.counters())
            .finish()
    }
}

/// Bytes in the order they came, lying in chunks of a pool. Empty, it owns no memory.
///
/// All calls must name the same pool. A queue must be [cleared](Self::clear) before it is dropped:
/// dropping frees its memory, but the pool would count the chunks as used for ever.
//
// Two lists make a queue in safe code: `front` oldest first, `back` newest first. When `front` runs
// out, `back` is turned round and becomes it, so each chunk is turned once. Invariant: `front` is
// empty only if `back` is too, and no chunk is empty.
#[derive(Default)]
pub struct ChunkQueue {
    front: Option<Box<Chunk>>,
    back: Option<Box<Chunk>>,
    front_start: usize,
    len: usize,
}

impl ChunkQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { front: None, back: None, front_start: 0, len: 0 }
    }

    /// Bytes that wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `bytes` to the end.
    ///
    /// # Errors
    /// [`WireError::PoolExhausted`]: the bytes that still fitted were taken (`len` tells how many),
    /// the rest not.
    pub fn push(&mut self, mut bytes: &[u8], pool: &mut ChunkPool) -> Result<(), WireError> {
        while !bytes.is_empty() {
            if let Some(last) = self.last_mut().filter(|last| last.len < DATA_LEN) {
                let (now, later) = bytes.split_at(bytes.len().min(DATA_LEN - last.len));
                last.data[last.len..last.len + now.len()].copy_from_slice(now);
                last.len += now.len();
                self.len += now.len();
                bytes = later;
            } else {
                let mut chunk = pool.take()?;
                if self.front.is_none() {
                    self.front = Some(chunk);
                } else {
                    chunk.next = self.back.take();
                    self.back = Some(chunk);
                }
            }
        }
        Ok(())
    }

    /// The oldest bytes, as many as lie together: at most a chunk's. Empty only if the queue is.
    pub fn front(&self) -> &[u8] {
        self.front.as_ref().map_or(&[], |chunk| &chunk.data[self.front_start..chunk.len])
    }

    /// Forgets the oldest `n` bytes (all of them, if fewer wait) and returns emptied chunks.
    pub fn consume(&mut self, mut n: usize, pool: &mut ChunkPool) {
        while let Some(mut chunk) = self.front.take() {
            let lying = chunk.len - self.front_start;
            if n < lying {
                self.front_start += n;
                self.len -= n;
                self.front = Some(chunk);
                return;
            }
            n -= lying;
            self.len -= lying;
            self.front_start = 0;
            self.front = chunk.next.take();
            pool.put(chunk);
            if self.front.is_none() {
                self.turn_back();
            }
        }
    }

    /// Forgets everything and returns all chunks.
    pub fn clear(&mut self, pool: &mut ChunkPool) {
        self.consume(self.len, pool);
    }

    /// The newest chunk, where it can be reached; behind a turned list it is left partly filled.
    fn last_mut(&mut self) -> Option<&mut Box<Chunk>> {
        match &mut self.back {
            Some(last) => Some(last),
            None => self.front.as_mut().filter(|chunk| chunk.next.is_none()),
        }
    }

    fn turn_back(&mut self) {
        while let Some(mut chunk) = self.back.take() {
            self.back = chunk.next.take();
            chunk.next = self.front.take();
            self.front = Some(chunk);
        }
    }
}

impl Drop for ChunkQueue {
    fn drop(&mut self) {
        drop_list(self.front.take());
        drop_list(self.back.take());
    }
}

impl fmt::Debug for ChunkQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkQueue").field("len", &self.len).finish_non_exhaustive()
    }
}

struct Chunk {
    next: Option<Box<Chunk>>,
    len: usize,
    data: [u8; DATA_LEN],
}

/// One by one: left to itself, a list of thousands of boxes is dropped by recursion.
fn drop_list(mut list: Option<Box<Chunk>>) {
    while let Some(mut chunk) = list {
        list = chunk.next.take();
    }
}

/// Memory of one chunk, bytes: a size that allocators serve without waste.
pub const CHUNK_LEN: usize = 4096;

/// Bytes that a chunk can hold: what its link and its length leave.
const DATA_LEN: usize = CHUNK_LEN - size_of::<Option<Box<Chunk>>>() - size_of::<usize>();

const _: () = assert!(size_of::<Chunk>() == CHUNK_LEN);

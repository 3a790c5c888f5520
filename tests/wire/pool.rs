//! Chunks: order, bounds, the watermark, and that none is lost.

use std::collections::VecDeque;

use shardring::clock::Rng;
use shardring::wire::{CHUNK_LEN, ChunkPool, ChunkQueue, PoolLimits, WireError};

use crate::support::*;

fn limits(len_max: usize, reserve_len_max: usize, keep_len: usize) -> PoolLimits {
    PoolLimits { len_max, reserve_len_max, keep_len }
}

#[test]
fn queues_give_the_bytes_back_in_their_order_whatever_is_pushed_and_consumed() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut pool = ChunkPool::new(limits(64 * CHUNK_LEN, 8 * CHUNK_LEN, 4 * CHUNK_LEN));
        let mut queues = [(); 3].map(|()| (ChunkQueue::new(), VecDeque::<u8>::new()));
        for _ in 0..400 {
            let (queue, model) = &mut queues[below(&mut rng, 3)];
            match below(&mut rng, 20) {
                0 => {
                    queue.clear(&mut pool);
                    model.clear();
                }
                1..10 => {
                    let len = [1, 10, 4080, 9000][below(&mut rng, 4)];
                    let bytes = {
                        let len = below(&mut rng, len + 1);
                        random_bytes(&mut rng, len)
                    };
                    let before = queue.len();
                    let pushed = queue.push(&bytes, &mut pool);
                    let taken = queue.len() - before;
                    let refused = Err(WireError::PoolExhausted { len_max: 72 * CHUNK_LEN });
                    assert_eq!(pushed, if taken == bytes.len() { Ok(()) } else { refused });
                    model.extend(&bytes[..taken]);
                }
                _ => {
                    let n = match below(&mut rng, 2) {
                        0 => queue.front().len(),
                        _ => below(&mut rng, 12_000),
                    };
                    queue.consume(n, &mut pool);
                    model.drain(..n.min(model.len()));
                }
            }
            let front = queue.front();
            assert_eq!(queue.len(), model.len());
            assert_eq!(front.is_empty(), model.is_empty());
            assert!(front.iter().eq(model.iter().take(front.len())));
            let counters = pool.counters();
            assert!(counters.used_len <= 72 * CHUNK_LEN && counters.free_len <= 4 * CHUNK_LEN);
            assert!(
                queues.iter().map(|(queue, _)| queue.len()).sum::<usize>() <= counters.used_len
            );
            assert_eq!(pool.is_tight(), counters.used_len >= 64 * CHUNK_LEN);
        }
        for (queue, model) in &mut queues {
            let mut rest = Vec::new();
            while !queue.is_empty() {
                rest.extend_from_slice(queue.front());
                queue.consume(queue.front().len(), &mut pool);
            }
            assert!(rest.iter().eq(model.iter()), "seed {seed}");
        }
        assert_eq!(pool.used_len(), 0);
    }
}

#[test]
fn memory_held_is_near_the_bytes_held() {
    let mut pool = ChunkPool::new(PoolLimits::default());
    let mut queue = ChunkQueue::new();
    // one byte in, one byte out, for long: a queue that crept forward would hold ever more
    queue.push(&[0; 10_000], &mut pool).unwrap();
    for i in 0..100_000 {
        queue.push(&[i as u8], &mut pool).unwrap();
        queue.consume(1, &mut pool);
        assert!(pool.used_len() <= 7 * CHUNK_LEN, "{}", pool.used_len());
    }
    queue.clear(&mut pool);
}

#[test]
fn the_hard_bound_holds_and_the_soft_one_is_told() {
    let mut pool = ChunkPool::new(limits(2 * CHUNK_LEN, CHUNK_LEN + 100, 0));
    let (mut one, mut two) = (ChunkQueue::new(), ChunkQueue::new());
    one.push(&[1], &mut pool).unwrap();
    assert!(!pool.is_tight());
    two.push(&[2], &mut pool).unwrap();
    assert!(pool.is_tight());
    one.push(&[1; 5000], &mut pool).unwrap();
    let len_max = 3 * CHUNK_LEN + 100;
    assert_eq!(two.push(&[2; 5000], &mut pool), Err(WireError::PoolExhausted { len_max }));
    assert_eq!(pool.used_len(), 3 * CHUNK_LEN);
    one.clear(&mut pool);
    two.clear(&mut pool);
    assert_eq!((pool.used_len(), pool.is_tight()), (0, false));
}

#[test]
fn free_chunks_are_kept_up_to_the_watermark_and_reused() {
    let mut pool = ChunkPool::new(limits(1 << 20, 0, 10 * CHUNK_LEN));
    let mut queue = ChunkQueue::new();
    queue.push(&[0; 100 * 4080], &mut pool).unwrap();
    queue.clear(&mut pool);
    let counters = pool.counters();
    assert_eq!((counters.allocated_count, counters.free_len), (100, 10 * CHUNK_LEN));
    assert_eq!(counters.used_high_len, 100 * CHUNK_LEN);
    for _ in 0..1000 {
        queue.push(&[0; 10 * 4080], &mut pool).unwrap();
        queue.clear(&mut pool);
    }
    assert_eq!(pool.counters().allocated_count, 100, "no more was asked of the allocator");
}

#[test]
fn long_lists_are_dropped_on_a_short_stack() {
    let drop_both = || {
        let mut pool = ChunkPool::new(limits(64 << 20, 0, 64 << 20));
        let mut queue = ChunkQueue::new();
        queue.push(&vec![0; 16 << 20], &mut pool).unwrap();
        queue.clear(&mut pool);
        assert_eq!(pool.counters().free_len % CHUNK_LEN, 0);
        queue.push(&vec![0; 8 << 20], &mut pool).unwrap();
    };
    std::thread::Builder::new().stack_size(64 << 10).spawn(drop_both).unwrap().join().unwrap();
}

//! What TLS asks of the allocator: little while idle, and what rustls needs for each record.
//!
//! Run with `--nocapture` it says what it measured; the bounds are those that `src/wire/tls.rs`
//! states.

#![cfg(feature = "tls")]

#[path = "support/counting.rs"]
mod counting;
#[path = "wire/tls_peer.rs"]
mod tls_peer;

use std::hint::black_box;
use std::sync::Arc;

use counting::{allocated_count, live_len};
use shardring::wire::{Channel, TlsVersions};
use tls_peer::*;

/// A connection that has carried some messages and lies idle, and the heap that it owns: by what
/// is freed with it.
fn idle_len(versions: TlsVersions, leaf: Leaf, is_resumed: bool) -> i64 {
    let ca = Ca::new();
    let config = Arc::new(ca.server(leaf, &[&rustls::version::TLS12, &rustls::version::TLS13]));
    let tls = ca.client(versions, 64);
    if is_resumed {
        drop(connected(&tls, &config));
    }
    let (mut client, mut server) = connected(&tls, &config);
    assert_eq!(client.channel.was_resumed(), Some(is_resumed));
    for _ in 0..20 {
        client.feed_split(&written(&mut server, &[7; 2048]), &mut || 700).unwrap();
        take(&mut server, &client.sealed(&[7; 60])).unwrap();
        heard(&mut server);
    }
    let before = live_len();
    client.channel = Channel::plain();
    before - live_len()
}

#[test]
fn an_idle_connection_owns_little() {
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        for is_resumed in [false, true] {
            let len = idle_len(versions, GOOD, is_resumed);
            let with_ballast = idle_len(versions, BALLAST, is_resumed);
            eprintln!(
                "{versions:?}, resumed: {is_resumed}: {len} B; with a certificate {} B longer: \
                 {with_ballast} B",
                BALLAST.ballast_len
            );
            let len_max = if versions == TlsVersions::Only13 { 3072 } else { 4096 };
            assert!(len <= len_max, "{versions:?}: {len}");
            assert!(with_ballast - len <= BALLAST.ballast_len as i64 + 16, "one copy of it");
        }
    }
}

const BALLAST: Leaf = Leaf { ballast_len: 2000, ..GOOD };

#[test]
fn a_ticket_is_small() {
    for leaf in [GOOD, BALLAST] {
        let ca = Ca::new();
        let config = Arc::new(ca.server(leaf, &[&rustls::version::TLS13]));
        let tls = ca.client(TlsVersions::Only13, 100);
        drop(connected(&tls, &config));
        let before = live_len();
        // each takes one and leaves two
        (0..64).for_each(|_| drop(connected(&tls, &config)));
        let len = (live_len() - before) / 64;
        eprintln!("a ticket of TLS 1.3, ballast {}: {len} B", leaf.ballast_len);
        assert!(len <= 1024 + leaf.ballast_len as i64, "{len}");
        // and no more than were allowed
        (0..64).for_each(|_| drop(connected(&tls, &config)));
        let full = live_len();
        (0..64).for_each(|_| drop(connected(&tls, &config)));
        assert!((live_len() - full).abs() <= len, "{}", live_len() - full);
    }
}

#[test]
fn a_record_costs_what_rustls_needs_for_it() {
    for (versions, version) in VERSIONS {
        let ca = Ca::new();
        let config = Arc::new(ca.server(GOOD, &[version]));
        let (mut client, mut server) = connected(&ca.client(versions, 8), &config);
        for (what, piece_len) in [("whole", usize::MAX), ("in three pieces", 800)] {
            let records: Vec<Vec<u8>> =
                (0..300).map(|_| written(&mut server, &[7; 2000])).collect();
            let mut allocated = 0;
            for (round, mut record) in records.into_iter().enumerate() {
                let before = allocated_count();
                for mut piece in record.chunks_mut(piece_len) {
                    while !piece.is_empty() {
                        let Client { channel, pool, record, .. } = &mut client;
                        let cleared = channel.open(piece, pool, record).unwrap();
                        black_box(cleared.plain);
                        let used = cleared.used;
                        piece = &mut piece[used..];
                    }
                }
                if round >= 100 {
                    allocated += allocated_count() - before;
                }
            }
            eprintln!("{versions:?}: {} allocations a record {what}", allocated as f64 / 200.0);
            let a_record = if versions == TlsVersions::Only13 { 0 } else { 1 };
            assert_eq!(allocated, 200 * a_record, "{versions:?}, {what}");
        }
        let (mut plain, mut out) = (Vec::with_capacity(4096), Vec::with_capacity(8192));
        let before = allocated_count();
        for _ in 0..200 {
            plain.resize(60, 7);
            out.clear();
            client.channel.seal(&mut plain, &mut out).unwrap();
        }
        let allocated = allocated_count() - before;
        eprintln!("{versions:?}: {} allocations a payload sent", allocated as f64 / 200.0);
        assert_eq!(allocated, 200, "{versions:?}");
    }
}

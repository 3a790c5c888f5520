//! Start, traffic, commands, pause, panics, stop.

use crate::harness::{COMPRESSIONS, Run, gateway, traffic};

#[test]
fn many_shards_receive_everything_once_in_order_and_unaltered() {
    for compression in COMPRESSIONS {
        for rate in [None, Some(20_000.0)] {
            let shards = 32;
            let run = Run::start_shards(
                shards,
                gateway(shards).traffic(traffic(shards, 300, rate)),
                |config| config.compression(compression),
            );
            run.engine.handle().ready().wait().unwrap();
            let report = run.traffic_done(shards.into());
            assert!(report.is_clean(), "{report:#?}");
            assert_eq!(report.seen, u64::from(shards) * 300);
            let metrics = run.engine.handle().metrics().wait().unwrap();
            assert_eq!(metrics.counters.identifies, u64::from(shards));
            assert_eq!(metrics.counters.missing + metrics.counters.duplicates, 0);
            let stats = run.stop().unwrap();
            assert_eq!(stats.closes_received.get(&1000), Some(&u64::from(shards)));
        }
    }
}

//! The engine over TLS, on a real ring: the right certificate, every wrong one, resumption, and
//! what TLS can meet in the midst of the traffic.

use std::time::Duration;

use replay_gateway::{Action, Certificate, Cut, Fault, TlsConfig, TlsFault, TlsVersions, When};
use shardring::{Compression, Limits, Roots};

use crate::harness::{COMPRESSIONS, Run, gateway, traffic};

/// Traffic events of each shard.
const EVENTS: u64 = 300;

/// Shards against a gateway that speaks TLS like this, whose CA they believe.
fn secure(shards: u32, tls: TlsConfig, compression: Compression, faults: &[Fault]) -> Run {
    let rate_per_s = f64::from(shards) * EVENTS as f64;
    let mut gateway = gateway(shards).traffic(traffic(shards, EVENTS, Some(rate_per_s))).tls(tls);
    for fault in faults {
        gateway = gateway.fault(fault.clone());
    }
    let gateway = gateway.spawn().unwrap();
    let roots = Roots::only_pem(gateway.ca_pem().unwrap()).unwrap();
    Run::join_shards(shards, gateway, |config| config.roots(roots).compression(compression))
}

#[test]
fn over_tls_every_event_arrives_once_and_as_it_was() {
    for compression in COMPRESSIONS {
        for versions in [TlsVersions::Tls12, TlsVersions::Tls13, TlsVersions::Both] {
            let tls = TlsConfig { versions, ..TlsConfig::default() };
            let run = secure(2, tls, compression, &[]);
            assert_eq!(run.ledger_is_whole(2).excused, 0);
            run.stop().unwrap();
        }
    }
}

#[test]
fn a_wrong_certificate_is_never_believed_and_told_for_what_it_is() {
    let cases = [
        (Certificate::WrongName, "TlsName"),
        (Certificate::Expired, "TlsExpired"),
        (Certificate::NotYetValid, "TlsNotYetValid"),
        (Certificate::UnknownCa, "TlsUnknownCa"),
    ];
    for (certificate, told) in cases {
        let tls = TlsConfig { certificate, ..TlsConfig::default() };
        let run = secure(1, tls, Compression::None, &[]);
        let stats = run.until(told, |log, _| {
            log.links_of(0).iter().any(|link| link.contains("Tls") && link.contains(told))
        });
        assert_eq!((stats.identifies, stats.sessions), (0, 0), "{told}");
        run.stop().unwrap();
    }
}

#[test]
fn the_machines_own_roots_do_not_believe_the_gateways_ca() {
    let gateway = gateway(1).tls(TlsConfig::default()).spawn().unwrap();
    let run = Run::join_shards(1, gateway, |config| config.roots(Roots::mozilla()));
    run.until("the refusal", |log, _| {
        log.links_of(0).iter().any(|link| link.contains("TlsUnknownCa"))
    });
    run.stop().unwrap();
}

#[test]
fn a_reconnect_resumes_the_tls_session_too() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let tls = TlsConfig { versions, ..TlsConfig::default() };
        let run = secure(4, tls, Compression::ZlibStream, &[]);
        run.until("all are ready", |_, stats| stats.sessions == 4);
        run.gateway.cut_all(Cut::Reset);
        run.until("all are back", |_, stats| stats.resumes >= 4);
        let stats = run.gateway.stats();
        assert_eq!(stats.identifies, 4);
        assert!(stats.tls_resumed >= 4, "{versions:?}: {} of 4", stats.tls_resumed);
        assert_eq!(run.ledger_is_whole(4).excused, 0);
        run.stop().unwrap();
    }
}

#[test]
fn what_tls_meets_in_the_midst_of_the_traffic_costs_no_event() {
    let faults = [TlsFault::KeyUpdate, TlsFault::Alert, TlsFault::Truncate, TlsFault::Garbage];
    for action in faults.map(Action::Tls) {
        for compression in COMPRESSIONS {
            let fault = Fault::new(When::Events(100), action.clone()).shard(0).connection(1);
            let run = secure(2, TlsConfig::default(), compression, &[fault]);
            assert_eq!(run.ledger_is_whole(2).excused, 0, "{action:?}");
            let links = run.log().links.clone();
            let stats = run.stop().unwrap();
            assert_eq!(stats.identifies, 2, "{action:?}: {links:?}");
            assert_eq!(
                stats.resumes > 0,
                action != Action::Tls(TlsFault::KeyUpdate),
                "{action:?}: {links:?}"
            );
        }
    }
}

#[test]
fn records_larger_than_a_receive_buffer_are_put_together() {
    // A GUILD_CREATE of 200 KB comes in records of 16 KiB; the ring's buffers hold 512 bytes.
    let gateway = gateway(2).tls(TlsConfig::default()).big_guild_bytes(200_000);
    let gateway = gateway.traffic(traffic(2, 50, Some(500.0))).spawn().unwrap();
    let roots = Roots::only_pem(gateway.ca_pem().unwrap()).unwrap();
    let run = Run::join_shards(2, gateway, |config| {
        let mut limits = Limits::default();
        limits.receive_buffer_len = 512;
        config.roots(roots).limits(limits).compression(Compression::None)
    });
    assert_eq!(run.ledger_is_whole(2).excused, 0);
    run.stop().unwrap();
}

#[test]
fn a_host_that_accepts_and_says_nothing_is_given_up_in_time() {
    let tls = TlsConfig::default();
    let gateway = gateway(1).tls(tls).spawn().unwrap();
    gateway.outage(replay_gateway::Host::Main, replay_gateway::Outage::BlackHole);
    let roots = Roots::only_pem(gateway.ca_pem().unwrap()).unwrap();
    let run = Run::join_shards(1, gateway, |config| {
        let mut timeouts = shardring::Timeouts::default();
        timeouts.dial = Duration::from_millis(300);
        config.roots(roots).timeouts(timeouts)
    });
    run.until("the time-out", |log, _| {
        log.links_of(0).iter().any(|link| link.contains("DialTimeout"))
    });
    run.gateway.outage(replay_gateway::Host::Main, replay_gateway::Outage::None);
    run.until("it is ready", |_, stats| stats.sessions == 1);
    run.stop().unwrap();
}

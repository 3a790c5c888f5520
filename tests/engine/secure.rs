//! The engine over TLS, on a real ring: the right certificate, every wrong one, resumption, and
//! what TLS can meet in the midst of the traffic.

use std::io::Read;
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use replay_gateway::{
    Action, Certificate, Cut, Fault, Host, Outage, ResumeUrl, TlsConfig, TlsFault, TlsVersions,
    When,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection};
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

/// One shard at a gateway that speaks TLS and gives this resume URL: ready.
fn ready_with(resume_url: ResumeUrl) -> Run {
    let gateway = gateway(1).tls(TlsConfig::default()).resume_url(resume_url).spawn().unwrap();
    let roots = Roots::only_pem(gateway.ca_pem().unwrap()).unwrap();
    let run = Run::join_shards(1, gateway, |config| config.roots(roots));
    run.until_link(0, "Ready");
    run
}

#[test]
fn over_tls_too_a_session_is_resumed_at_the_host_that_ready_gave() {
    let run = ready_with(ResumeUrl::Host);
    run.gateway.outage(Host::Main, Outage::Refuse);
    run.gateway.cut_all(Cut::Reset);
    let stats = run.until("it is back", |_, stats| stats.resumes == 1);
    assert_eq!(stats.identifies, 1);
    run.stop().unwrap();
}

#[test]
fn a_resume_url_without_tls_never_sees_the_token_of_a_session_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let run = ready_with(ResumeUrl::Custom(format!("ws://{}", listener.local_addr().unwrap())));
    run.gateway.cut_all(Cut::Reset);
    let stats = run.until("it is back", |_, stats| stats.resumes == 1);
    assert_eq!((stats.identifies, stats.connections), (1, 2));
    assert!(listener.accept().is_err(), "nobody came");
    run.stop().unwrap();
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

/// Accepts one connection, says `close_notify` as soon as TLS is open, leaves TCP as it is, and
/// tells when the client has ended that.
fn taciturn(listener: TcpListener, config: ServerConfig) -> mpsc::Receiver<()> {
    let (gone, is_gone) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        while server.is_handshaking() {
            server.complete_io(&mut stream).unwrap();
        }
        server.send_close_notify();
        while server.wants_write() {
            server.write_tls(&mut stream).unwrap();
        }
        while stream.read(&mut [0; 512]).is_ok_and(|len| len > 0) {}
        let _ = gone.send(());
    });
    is_gone
}

#[test]
fn a_close_notify_ends_the_connection_though_tcp_stays_open() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    let roots = Roots::only_pem(made.cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://{}", listener.local_addr().unwrap());
    let is_gone = taciturn(listener, server);
    let run = Run::join_shards(1, gateway(1).spawn().unwrap(), |config| {
        let mut timeouts = shardring::Timeouts::default();
        timeouts.dial = Duration::from_secs(600);
        config.gateway_url(&url).roots(roots).timeouts(timeouts)
    });
    is_gone.recv_timeout(Duration::from_secs(30)).expect("the client hangs up as well");
    run.until_link(0, "Disconnected { cause: Link(Eof)");
    run.stop().unwrap();
}

#[test]
fn a_host_that_accepts_and_says_nothing_is_given_up_in_time() {
    let tls = TlsConfig::default();
    let gateway = gateway(1).tls(tls).spawn().unwrap();
    gateway.outage(Host::Main, Outage::BlackHole);
    let roots = Roots::only_pem(gateway.ca_pem().unwrap()).unwrap();
    let run = Run::join_shards(1, gateway, |config| {
        let mut timeouts = shardring::Timeouts::default();
        timeouts.dial = Duration::from_millis(300);
        config.roots(roots).timeouts(timeouts)
    });
    run.until("the time-out", |log, _| {
        log.links_of(0).iter().any(|link| link.contains("DialTimeout"))
    });
    run.gateway.outage(Host::Main, Outage::None);
    run.until("it is ready", |_, stats| stats.sessions == 1);
    run.stop().unwrap();
}

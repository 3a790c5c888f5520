//! Hosts that fail and come back, connections cut all at once, and what the counters say of it.

mod common;

use common::{ALL, Client, Got, TOKEN, trust};
use replay_gateway::{
    Builder, Cut, Gateway, GatewayHandle, Host, Incident, IncidentAction, Moment, Outage,
    ResumeUrl, Stats, TlsConfig,
};
use rustls::version::TLS13;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

fn gateway() -> Builder {
    Gateway::builder().token(TOKEN).max_concurrency(64).identify_window_ms(1)
}

fn until(gateway: &GatewayHandle, done: impl Fn(&Stats) -> bool) -> Stats {
    let (stats, came) = gateway.wait_for(Duration::from_secs(8), done);
    assert!(came, "{stats:?}");
    stats
}

fn fleet(gateway: &GatewayHandle, shards: u32) -> Vec<Client> {
    let login = |shard| {
        let mut client = Client::plain(&gateway.url());
        client.login([shard, shards], ALL);
        client.until(|payload| payload["t"] == "GUILD_CREATE");
        client
    };
    (0..shards).map(login).collect()
}

fn resume(url: &str, old: &Client) -> Client {
    let mut client = Client::plain(url);
    client.hello();
    client.resume(&old.session_id, old.last_s.expect("numbered"));
    client.until(|payload| payload["t"] == "RESUMED");
    client
}

fn connects(addr: SocketAddr) -> bool {
    match TcpStream::connect(addr) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_range_of_shards_is_cut_at_once_and_the_others_stay() {
    for how in [Cut::Reset, Cut::Fin] {
        let gateway = gateway().spawn().expect("spawn");
        let mut clients = fleet(&gateway, 6);
        gateway.cut(1..4, how);
        for client in &mut clients[1..4] {
            let mut rest = Vec::new();
            let end = client.socket.get_mut().read_to_end(&mut rest);
            assert!(rest.is_empty(), "not even a close frame");
            let kind = end.map_err(|error| error.kind()).map(|_| ());
            let expected = if how == Cut::Reset { Err(ErrorKind::ConnectionReset) } else { Ok(()) };
            assert_eq!(kind, expected);
        }
        for shard in [0, 4, 5] {
            clients[shard].heartbeat();
            assert_eq!(clients[shard].payload()["op"], 11);
        }
        let cut = gateway.stats().cut;
        assert_eq!((cut.cuts, cut.connections, cut.sessions, cut.waiting), (1, 3, 3, 3));
        let _resumed: Vec<_> =
            clients[1..3].iter().map(|client| resume(&gateway.url(), client)).collect();
        let mut anew = Client::plain(&gateway.url());
        anew.login([3, 6], ALL);
        let stats = gateway.stats();
        assert_eq!((stats.cut.waiting, stats.cut.lost, stats.resumed), (0, 1, 2));
        assert!(stats.cut.first_resumed_ms <= stats.cut.last_resumed_ms);
        assert_eq!(stats.shards[&1].resumed_ms.len(), 1);
        assert!(stats.accepted_per_s_max >= 1 && stats.connections == 9);
    }
}

#[test]
fn all_are_cut_also_those_that_have_no_shard_yet() {
    let gateway = gateway().spawn().expect("spawn");
    let mut fresh = Client::plain(&gateway.url());
    fresh.hello();
    let mut clients = fleet(&gateway, 3);
    gateway.cut_all(Cut::Reset);
    assert!(matches!(fresh.next(), Got::End));
    assert!(clients.iter_mut().all(|client| matches!(client.next(), Got::End)));
    let stats = until(&gateway, |stats| stats.connections_open == 0);
    assert_eq!((stats.cut.connections, stats.cut.sessions), (4, 3));
}

#[test]
fn a_host_refuses_or_answers_503_or_never_and_is_there_again() {
    let gateway = gateway().spawn().expect("spawn");
    let mut client = fleet(&gateway, 1).remove(0);
    gateway.outage(Host::Main, Outage::Refuse);
    assert!(!connects(gateway.addr()));
    gateway.outage(Host::Main, Outage::BlackHole);
    let mut hole = TcpStream::connect(gateway.addr()).expect("accepted");
    hole.write_all(b"GET /api/v10/gateway HTTP/1.1\r\n\r\n").expect("write");
    hole.set_read_timeout(Some(Duration::from_millis(200))).expect("timeout");
    assert_eq!(hole.read(&mut [0; 9]).expect_err("silence").kind(), ErrorKind::WouldBlock);
    gateway.outage(Host::Main, Outage::Unavailable);
    let mut unavailable = TcpStream::connect(gateway.addr()).expect("accepted");
    let request = b"GET /?v=10&encoding=json HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    unavailable.write_all(request).expect("write");
    let mut answer = String::new();
    unavailable.read_to_string(&mut answer).expect("read");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // What was open stayed open all the while.
    client.heartbeat();
    assert_eq!(client.payload()["op"], 11);
    gateway.outage(Host::Main, Outage::None);
    resume(&gateway.url(), &client);
}

#[test]
fn the_resume_host_dies_apart_from_the_main_one_and_comes_back() {
    let gateway = gateway().resume_url(ResumeUrl::Host).spawn().expect("spawn");
    let resume_url = gateway.resume_url().expect("a second address");
    assert_ne!(resume_url, gateway.url());
    let mut client = Client::plain(&gateway.url());
    let ready = client.login([0, 1], ALL);
    assert_eq!(ready["d"]["resume_gateway_url"], *resume_url);
    client.until(|payload| payload["t"] == "GUILD_CREATE");

    gateway.cut_all(Cut::Reset);
    let mut at_resume = resume(&resume_url, &client);
    at_resume.session_id = client.session_id.clone();
    gateway.outage(Host::Resume, Outage::Refuse);
    gateway.cut_all(Cut::Reset);
    assert!(!connects(resume_url.trim_start_matches("ws://").parse().expect("an address")));
    let mut at_main = resume(&gateway.url(), &at_resume);
    at_main.session_id = client.session_id.clone();
    gateway.outage(Host::Resume, Outage::None);
    gateway.cut_all(Cut::Fin);
    resume(&resume_url, &at_main);

    let stats = gateway.stats();
    assert_eq!((stats.identifies, stats.resumed, stats.cut.cuts), (1, 3, 3));
    assert_eq!((stats.connections_resume_host, stats.connections), (2, 4));
    assert_eq!(stats.shards[&0].resumes_resume_host, 2);
}

#[test]
fn incidents_come_at_their_moments() {
    let cut = Incident {
        at: Moment::ReadyMs(30),
        action: IncidentAction::Cut { shards: Some((0, 0)), how: Cut::Reset },
    };
    let refuse = Incident {
        at: Moment::StartMs(1),
        action: IncidentAction::Outage { host: Host::Resume, is: Outage::Refuse },
    };
    let gateway = gateway()
        .resume_url(ResumeUrl::Host)
        .recommended_shards(2)
        .incident(cut)
        .incident(refuse)
        .spawn()
        .expect("spawn");
    let url = gateway.resume_url().expect("an address");
    let addr = url.trim_start_matches("ws://").parse().expect("an address");
    while connects(addr) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut clients = fleet(&gateway, 2);
    assert!(matches!(clients[0].next(), Got::End));
    clients[1].heartbeat();
    assert_eq!(clients[1].payload()["op"], 11);
    assert_eq!(gateway.stats().cut.sessions, 1);
}

#[test]
fn an_overdue_heartbeat_is_counted_for_its_shard_and_closes_nothing() {
    let gateway = gateway()
        .heartbeat_interval_ms(50)
        .heartbeat_grace_ms(50)
        .heartbeat_deadline_ms(60_000)
        .spawn()
        .expect("spawn");
    let mut clients = fleet(&gateway, 2);
    std::thread::sleep(Duration::from_millis(120));
    clients[1].heartbeat();
    assert_eq!(clients[1].payload()["op"], 11);
    let stats = gateway.stats();
    assert_eq!((stats.heartbeats_overdue, stats.heartbeats_late), (1, 0));
    assert_eq!(stats.shards[&1].heartbeats_overdue, 1);
    assert!(stats.shards[&1].heartbeat_gap_max_ms >= 120);
    assert_eq!(stats.shards[&0].heartbeats_overdue, 0);
}

#[test]
fn a_storm_of_tls_comes_back_by_tickets_and_the_counters_tell_how_fast() {
    const SHARDS: u32 = 40;
    let gateway = gateway().tls(TlsConfig::default()).spawn().expect("spawn");
    let trust = trust(gateway.ca_pem().expect("a CA"), &[&TLS13]);
    let query = "v=10&encoding=json";
    let login = |shard| {
        let mut client = Client::tls(&gateway.url(), query, &trust);
        client.login([shard, SHARDS], ALL);
        client.until(|payload| payload["t"] == "GUILD_CREATE");
        client
    };
    let clients: Vec<_> = (0..SHARDS).map(login).collect();
    let before = gateway.stats();
    gateway.cut_all(Cut::Reset);
    let _back: Vec<_> = clients
        .iter()
        .map(|old| {
            let mut client = Client::tls(&gateway.url(), query, &trust);
            client.hello();
            client.resume(&old.session_id, old.last_s.expect("numbered"));
            client.until(|payload| payload["t"] == "RESUMED");
            client
        })
        .collect();
    let stats = gateway.stats();
    assert_eq!((stats.cut.sessions, stats.cut.waiting, stats.cut.lost), (u64::from(SHARDS), 0, 0));
    assert_eq!(stats.tls_resumed - before.tls_resumed, u64::from(SHARDS));
    assert_eq!(stats.tls_full, before.tls_full);
    assert_eq!((stats.identifies, stats.resumed), (u64::from(SHARDS), u64::from(SHARDS)));
    assert!(stats.tls_handshaking == 0 && stats.cut.last_resumed_ms >= stats.cut.first_resumed_ms);
}

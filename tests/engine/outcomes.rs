//! What a shard is told of outcomes that look alike: no guild for it, no route to a host.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use shardring::{Delivery, EventKind, Interest};

use crate::harness::{Run, gateway};

#[test]
fn a_shard_to_which_no_guild_falls_is_told_however_its_handler_reads_ready() {
    use Delivery::{Raw, RawAndTyped, Skip, Typed};
    for delivery in [Skip, Typed, Raw, RawAndTyped] {
        let run = Run::start_shards(2, gateway(2).guilds_per_shard(0), |config| {
            config.interest(Interest::all(Typed).with([EventKind::Ready], delivery))
        });
        run.engine.handle().ready().wait().unwrap();
        for shard in 0..2 {
            run.assert_links(shard, &["Connected", "Ready", "NoGuilds"]);
        }
        run.stop().unwrap();
    }
}

#[test]
fn a_shard_that_has_guilds_is_told_nothing_of_the_kind() {
    let run = Run::start_shards(2, gateway(2).guilds_per_shard(1), |config| config);
    run.until("the guilds", |log, _| {
        log.records.len() + log.events.iter().filter(|(_, name)| name == "GUILD_CREATE").count()
            >= 2
    });
    for shard in 0..2 {
        run.assert_links(shard, &["Connected", "Ready"]);
    }
    run.stop().unwrap();
}

/// What the kernel itself says of a route to this address.
fn has_no_route(address: &str) -> bool {
    let address: SocketAddr = address.parse().unwrap();
    let result = TcpStream::connect_timeout(&address, Duration::from_millis(500));
    let no_route = [ErrorKind::NetworkUnreachable, ErrorKind::HostUnreachable];
    result.is_err_and(|error| no_route.contains(&error.kind()))
}

#[test]
fn a_network_without_a_route_is_told_apart_from_a_host_that_refuses_or_is_silent() {
    // TCP to a broadcast address has no route anywhere; the others depend on the machine.
    let addresses = ["255.255.255.255:80", "240.0.0.1:80", "[2001:db8::1]:80"];
    let mut shown = 0;
    for address in addresses {
        if !has_no_route(address) {
            eprintln!("SKIPPED: this machine does not say that {address} has no route");
            continue;
        }
        let run = Run::join_shards(1, gateway(1).spawn().unwrap(), |config| {
            config.gateway_url(format!("ws://{address}")).no_proxy()
        });
        run.until("no route", |log, _| {
            let links = log.links_of(0);
            links.iter().any(|link| link.starts_with("Disconnected { cause: Link(NoRoute)"))
        });
        let stats = run.stop().unwrap();
        assert_eq!(stats.connections, 0, "{address}");
        shown += 1;
    }
    assert!(shown > 0, "not even a broadcast address is without a route");
}

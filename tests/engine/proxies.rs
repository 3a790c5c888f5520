//! The engine through proxies: the small real ones of Debian (tinyproxy, microsocks), where they
//! are installed, and none that it was told of where it should not use it.
//!
//! Where a proxy is not installed its tests say so and pass; `.ci/run` installs both.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use shardring::{Proxy, Roots};

use crate::harness::{Run, gateway, traffic};

/// A proxy that runs for as long as this lives.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    /// Starts the program named, made ready for a port by `prepare`; `None` if it is not installed.
    fn start(program: &str, prepare: impl FnOnce(u16, &mut Command)) -> Option<Self> {
        // Bound and let go: the proxies cannot be handed a socket, nor say which port they took.
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = Command::new(program);
        prepare(port, &mut command);
        let started =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = started else {
            eprintln!("SKIPPED: {program} is not installed");
            return None;
        };
        let running = Self { child, address };
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "{program} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(running)
    }

    /// An HTTP proxy, with a user and a password or without.
    fn http(credentials: Option<(&str, &str)>) -> Option<Self> {
        Self::start("tinyproxy", |port, command| {
            let auth = credentials
                .map_or(String::new(), |(user, password)| format!("BasicAuth {user} {password}\n"));
            let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 600\n{auth}");
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tinyproxy-{port}"));
            fs::write(&file, text).unwrap();
            command.arg("-d").arg("-c").arg(file);
        })
    }

    /// A SOCKS 5 proxy, with a user and a password or without.
    fn socks(credentials: Option<(&str, &str)>) -> Option<Self> {
        Self::start("microsocks", |port, command| {
            command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
            if let Some((user, password)) = credentials {
                command.args(["-u", user, "-P", password]);
            }
        })
    }

    fn url(&self, scheme: &str, credentials: &str) -> Proxy {
        Proxy::parse(&format!("{scheme}://{credentials}{}", self.address)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two shards with traffic, through this proxy, over TLS or not: the ledger is whole.
#[track_caller]
fn assert_goes_through(proxy: &Proxy) {
    for secure in [false, true] {
        let builder = gateway(2).traffic(traffic(2, 200, Some(1_000.0)));
        let builder = if secure { builder.tls(Default::default()) } else { builder };
        let gateway = builder.spawn().unwrap();
        let ca = gateway.ca_pem().map(str::to_owned);
        // By name: the proxy resolves it.
        let url =
            format!("{}://localhost:{}", if secure { "wss" } else { "ws" }, gateway.addr().port());
        let run = Run::join_shards(2, gateway, |mut config| {
            if let Some(ca) = ca {
                config = config.roots(Roots::only_pem(ca).unwrap());
            }
            config.gateway_url(url).proxy(proxy.clone())
        });
        assert_eq!(run.ledger_is_whole(2).excused, 0);
        run.stop().unwrap();
    }
}

/// A shard is told this of the proxy, and no connection ever reaches the gateway.
#[track_caller]
fn assert_refused(proxy: &Proxy, url: Option<&str>, told: &str) {
    let run = Run::join_shards(1, gateway(1).spawn().unwrap(), |config| {
        let config = config.proxy(proxy.clone());
        match url {
            Some(url) => config.gateway_url(url),
            None => config,
        }
    });
    run.until(told, |log, _| {
        let links = log.links_of(0);
        links.iter().any(|link| link.contains("Link(Proxy)") && link.contains(told))
    });
    assert!(run.log().links.iter().all(|(_, link)| !link.contains("secret")));
    assert_eq!(run.stop().unwrap().connections, 0, "{told}");
}

#[test]
fn a_proxy_of_either_kind_carries_everything_with_and_without_credentials() {
    let user = Some(("bot", "secret"));
    if let (Some(open), Some(guarded)) = (Running::http(None), Running::http(user)) {
        assert_goes_through(&open.url("http", ""));
        assert_goes_through(&guarded.url("http", "bot:secret@"));
    }
    if let (Some(open), Some(guarded)) = (Running::socks(None), Running::socks(user)) {
        assert_goes_through(&open.url("socks5", ""));
        assert_goes_through(&guarded.url("socks5h", "bot:secret@"));
    }
}

#[test]
fn a_proxy_that_refuses_is_told_for_what_it_says_and_the_gateway_hears_nothing() {
    let user = Some(("bot", "secret"));
    // Nobody listens there, as the proxy finds out.
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let nobody = format!("ws://{nobody}");
    if let (Some(open), Some(guarded)) = (Running::http(None), Running::http(user)) {
        assert_refused(&guarded.url("http", ""), None, "ProxyAuth");
        assert_refused(&guarded.url("http", "bot:secret.but.wrong@"), None, "Proxy");
        assert_refused(&open.url("http", ""), Some(&nobody), "ProxyStatus");
    }
    if let (Some(open), Some(guarded)) = (Running::socks(None), Running::socks(user)) {
        assert_refused(&guarded.url("socks5", ""), None, "ProxyAuth");
        assert_refused(&guarded.url("socks5", "bot:secret.but.wrong@"), None, "ProxyAuth");
        assert_refused(&open.url("socks5", ""), Some(&nobody), "ProxyRefused");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_told_apart_from_a_gateway_that_is_not() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let proxy = Proxy::parse(&format!("http://{nobody}")).unwrap();
    assert_refused(&proxy, None, "ProxyUnreachable");
}

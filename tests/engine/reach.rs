//! How the engine reaches a gateway: names, families of addresses, discovery; and what it says
//! where it cannot.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use replay_gateway::{Cut, GatewayHandle, ResumeUrl};
use shardring::{
    Config, ConfigBuilder, Context, Engine, Error, ErrorKind, Event, Handler, Intents, Limits,
    Link, Roots, Stop, Timeouts, Token, Warning,
};

use crate::harness::{Recorder, Run, TOKEN, config, gateway};

/// An address of this machine at which nobody listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// What a shard says of a gateway that it cannot reach, begins like this.
#[track_caller]
fn assert_told(url: &str, told: &str) {
    let gateway = gateway(1).spawn().unwrap();
    let run = Run::join_shards(1, gateway, |config| config.gateway_url(url));
    run.until(told, |log, _| {
        let begins = format!("Disconnected {{ cause: Link({told})");
        log.links_of(0).iter().any(|link| link.starts_with(&begins))
    });
    run.stop().unwrap();
}

#[test]
fn a_name_without_an_address_is_told_apart_from_a_host_that_refuses() {
    assert_told("ws://no-such-host.invalid:80", "NameNotFound");
    assert_told(&format!("ws://{}", nobody()), "ConnectionRefused");
}

#[test]
fn a_name_with_addresses_of_both_families_is_reached_by_the_one_that_answers() {
    // `localhost` is ::1 as well as 127.0.0.1 on most machines; the gateway listens on the latter.
    let gateway = gateway(4).spawn().unwrap();
    let url = format!("ws://localhost:{}", gateway.addr().port());
    let run = Run::join_shards(4, gateway, |config| config.gateway_url(url));
    run.until("all are ready", |_, stats| stats.sessions == 4);
    assert!(run.log().links.iter().all(|(_, link)| !link.starts_with("Disconnected")));
    run.stop().unwrap();
}

/// Takes the helper threads for itself at READY, until the gate is opened.
struct Hog(Recorder, Arc<Barrier>);

impl Handler for Hog {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        self.0.on_event(cx, event);
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        if let Link::Ready { .. } = link {
            let gate = Arc::clone(&self.1);
            assert!(cx.spawn_blocking(move || _ = gate.wait()));
        }
        self.0.on_link(cx, link);
    }
}

#[test]
fn a_name_is_resolved_while_jobs_of_the_handlers_block_every_helper() {
    // The session's own host is of no use, so the main one is resolved for the RESUME too.
    let gateway = gateway(1).resume_url(ResumeUrl::Custom("nowhere".into())).spawn().unwrap();
    let mut limits = Limits::default();
    limits.helper_threads = 1;
    let url = format!("ws://localhost:{}", gateway.addr().port());
    let config = config(1, &url).limits(limits).build().unwrap();
    let (log, opened) = (Arc::default(), Arc::new(Barrier::new(2)));
    let handlers = (Arc::clone(&log), Arc::clone(&opened));
    let engine = Engine::start(config, move |_| {
        Ok(Hog(Recorder(Arc::clone(&handlers.0)), Arc::clone(&handlers.1)))
    });
    let run = Run { gateway, engine: engine.unwrap().into(), log };
    run.until_link(0, "Ready");
    run.gateway.cut_all(Cut::Reset);
    run.until("it is back", |_, stats| stats.resumes == 1);
    opened.wait();
    run.stop().unwrap();
}

/// Settings that leave everything to this gateway's REST API.
fn from_rest(scheme: &str, gateway: &GatewayHandle) -> ConfigBuilder {
    Config::builder(Token::new(TOKEN).unwrap(), Intents::ALL).rest_base(rest_base(scheme, gateway))
}

fn rest_base(scheme: &str, gateway: &GatewayHandle) -> String {
    format!("{scheme}://{}/api/v10", gateway.addr())
}

/// An engine whose events nobody looks at.
fn start(config: Config) -> Result<Engine, Error> {
    Engine::start(config, |_| Ok(Recorder(Arc::default())))
}

#[test]
fn the_engine_runs_as_many_shards_as_discord_recommends_at_the_address_that_it_gives() {
    let gateway = gateway(3).recommended_shards(3).spawn().unwrap();
    let config = from_rest("http", &gateway).build().unwrap();
    assert!(config.shards().is_recommended());
    let engine = start(config).unwrap();
    engine.handle().ready().wait().unwrap();
    assert_eq!(gateway.stats().sessions, 3);
    assert_eq!(engine.handle().metrics().wait().unwrap().shards().len(), 3);
    assert_eq!(engine.handle().warnings(), []);
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn fewer_shards_than_recommended_run_with_a_warning() {
    let gateway = gateway(2).recommended_shards(5).spawn().unwrap();
    // It shows a max_concurrency above 1, as a large bot's does: any total would be refused.
    let config = config(2, &gateway.url()).rest_base(rest_base("http", &gateway));
    let error = start(config.clone().build().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let engine = start(config.any_total().build().unwrap()).unwrap();
    engine.handle().ready().wait().unwrap();
    let warnings = engine.handle().warnings();
    let of_shards = |warning: &&Warning| matches!(warning, Warning::Shards(_));
    let texts: Vec<String> = warnings.iter().filter(of_shards).map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains("recommends 5")), "{texts:?}");
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn a_token_that_the_rest_api_refuses_starts_nothing() {
    let gateway = gateway(1).token("another.token.altogether").spawn().unwrap();
    let error = start(from_rest("http", &gateway).build().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    assert!(!format!("{error} {error:?}").contains(TOKEN));
    assert_eq!(gateway.stats().connections, 1, "one question, and no connection after it");
}

#[test]
fn discord_is_asked_again_while_the_engine_runs() {
    let gateway = gateway(1).recommended_shards(1).spawn().unwrap();
    let mut timeouts = Timeouts::default();
    timeouts.discovery_refresh = Duration::from_millis(10);
    let engine = start(from_rest("http", &gateway).timeouts(timeouts).build().unwrap()).unwrap();
    let (stats, asked) = gateway.wait_for(Duration::from_secs(30), |stats| stats.http_requests > 2);
    assert!(asked, "{stats:#?}");
    engine.stop(Stop::EndSessions).unwrap();
}

#[test]
fn the_rest_api_and_the_gateway_are_reached_over_tls_with_the_same_roots() {
    let gateway = gateway(1).recommended_shards(1).tls(Default::default()).spawn().unwrap();
    let roots = Roots::only_pem(gateway.ca_pem().unwrap()).unwrap();
    let config = from_rest("https", &gateway).roots(roots).build().unwrap();
    let engine = start(config).unwrap();
    engine.handle().ready().wait().unwrap();
    assert_eq!(gateway.stats().sessions, 1);
    engine.stop(Stop::EndSessions).unwrap();
}

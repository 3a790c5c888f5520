//! `GET /gateway/bot` over real sockets: the replay gateway, small servers that misbehave, proxies
//! and TLS.
//!
//! The rules of asking again stand in `src/discovery/retry.rs`, under a virtual clock; here is what
//! only a socket shows. Nothing here says how long something took.
#![cfg(feature = "discovery")]

mod proxies;
mod secure;
mod support;

use std::net::TcpListener;
use std::time::Duration;

use replay_gateway::Gateway;
use shardring::{Discovery, Error, ErrorKind, GatewayBotInfo, Roots, Token};

use support::{Answer, GOOD, Server, ask, shown};

#[test]
fn the_replay_gateway_is_asked_and_says_what_it_was_set_to() {
    let gateway = Gateway::builder().token("secret").max_concurrency(16).spawn().unwrap();
    let base = gateway.url().replace("ws://", "http://") + "/api/v10/";
    let ask = |token| Discovery::new(Token::new(token).unwrap()).rest_base(base.clone()).fetch();
    let info = ask("secret").unwrap();
    assert_eq!(info.url, gateway.url());
    assert_eq!(info.session_start_limit.max_concurrency, 16);
    assert_eq!(info.session_start_limit.used(), 0);
    assert!(info.oddities.is_empty(), "{:?}", info.oddities);

    let error = ask("another.one").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    assert!(error.to_string().contains("token refused (401)"), "{error}");
    gateway.stop().unwrap();
}

#[test]
fn the_request_is_what_discord_demands() {
    let server = Server::start([Answer::good()]);
    assert_eq!(ask(&server).fetch().unwrap().shard_count, 9);
    let heads = server.heads();
    let head = heads.first().unwrap();
    assert!(head.starts_with("GET /api/v10/gateway/bot HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|line| line.0.eq_ignore_ascii_case(name)).map(|line| line.1).collect()
    };
    let values: [Vec<_>; 3] = ["authorization", "user-agent", "host"].map(header);
    assert_eq!(values[0], ["Bot very.se.cret"]);
    let agent = values[1][0];
    assert!(agent.starts_with("DiscordBot (https://") && agent.ends_with(')'), "{agent}");
    assert_eq!(values[2], [server.address().to_string()]);
}

#[test]
fn what_passes_is_asked_again_and_each_time_is_told() {
    for (answer, text) in [
        (Answer::status(503, "", "<html>"), "status 503"),
        (Answer::raw("SSH-2.0-OpenSSH_9.6\r\n\r\n"), "does not speak HTTP"),
        (Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"url\":"), "failed"),
        (Answer::Hangup, "failed"),
        (Answer::status(200, "", "not yet"), "no JSON object"),
        (Answer::status(200, "", r#"{"url":"wss://g"}"#), "no usable `shards`"),
    ] {
        let server = Server::start([answer, Answer::good()]);
        let mut told = Vec::new();
        let info = ask(&server).fetch_telling(|retry| told.push(retry)).unwrap();
        assert_eq!((info.shard_count, told.len(), server.heads().len()), (9, 1, 2));
        let trouble = told[0].trouble.to_string();
        assert!(trouble.contains(text), "{trouble}");
        assert!(!format!("{told:?}").contains("cret"));
    }
}

#[test]
fn a_rate_limit_is_waited_out() {
    let body = r#"{"message":"You are being rate limited.","retry_after":0.25,"global":false}"#;
    let limited = Answer::status(429, "Retry-After: 1\r\n", body);
    let server = Server::start([limited, Answer::good()]);
    let mut waits = Vec::new();
    assert!(ask(&server).fetch_telling(|retry| waits.push(retry.wait)).is_ok());
    assert!(waits[0] > Duration::from_millis(900), "a second, as the header says: {waits:?}");
}

#[test]
fn refusals_are_final_and_a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("Location: http://{}/\r\n", elsewhere.local_addr().unwrap());
    for (status, header, kind, text) in [
        (401, "", ErrorKind::Token, "token refused"),
        (403, "", ErrorKind::Discovery, "status 403"),
        (404, "", ErrorKind::Discovery, "REST base"),
        (301, location.as_str(), ErrorKind::Discovery, "redirects are not followed"),
        (307, location.as_str(), ErrorKind::Discovery, "redirects are not followed"),
    ] {
        let server = Server::start([Answer::status(status, header, "{}"), Answer::good()]);
        let error = ask(&server).fetch().unwrap_err();
        assert_eq!(error.kind(), kind);
        let text_shown = shown(&error);
        assert!(text_shown.contains(text), "{text_shown}");
        assert_eq!(server.heads().len(), 1, "{status}: asked once");
    }
    assert!(elsewhere.accept().is_err(), "nobody came");
}

/// Asks with little patience: a second and a half in all, a fifth of a second for each request.
fn hasty(server: &Server) -> Result<GatewayBotInfo, Error> {
    ask(server).timeout(Duration::from_millis(200)).within(Duration::from_millis(1500)).fetch()
}

#[test]
fn servers_that_are_slow_in_whatever_way_are_given_up() {
    for answer in [Answer::Silence, Answer::SlowHead, Answer::SlowBody] {
        let server = Server::start(vec![answer; 12]);
        let error = hasty(&server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Discovery);
        assert!(error.to_string().contains("no answer in time"), "{answer:?}: {error}");
    }
}

#[test]
fn answers_without_end_are_cut_off() {
    for (answer, text) in [
        (Answer::EndlessBody, "too long"),
        (Answer::EndlessChunks, "too long"),
        (Answer::EndlessHead, "too long"),
        (Answer::EndlessHeaders, "does not speak HTTP"),
    ] {
        let server = Server::start(vec![answer; 12]);
        let error = ask(&server).fetch().unwrap_err();
        assert!(error.to_string().contains(text), "{answer:?}: {error}");
        assert_eq!(server.heads().len(), 3, "nonsense is asked for three times");
    }
}

#[test]
fn an_endless_page_with_a_status_is_that_status() {
    let server = Server::start([Answer::Endless401]);
    assert_eq!(ask(&server).fetch().unwrap_err().kind(), ErrorKind::Token);
}

#[test]
fn nobody_there_and_no_such_name_are_told_apart() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let label = "x".repeat(64); // one more than a name may have, so no resolver is asked
    for (base, text) in [
        (format!("http://127.0.0.1:{port}"), "refused: nothing listens there"),
        (format!("http://{label}.test"), "no address (DNS)"),
    ] {
        let discovery = Discovery::new(support::token()).rest_base(&base);
        let error = discovery.within(Duration::from_millis(1200)).fetch().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Discovery);
        let text_shown = shown(&error);
        assert!(text_shown.contains(text) && text_shown.contains(&base), "{text_shown}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_is_sent() {
    let new = || Discovery::new(support::token()).within(Duration::from_millis(100));
    for base in [
        "",
        "discord.com/api/v10",
        "ftp://discord.com",
        "https://",
        "https:///api",
        "https://:443",
        "https://user:se.cret@discord.com",
        "https://discord.com/api?x=1",
        "https://discord.com/a b",
        "https://discord.com/\r\nX: y",
    ] {
        let error = new().rest_base(base).fetch().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{base:?}");
        assert!(!shown(&error).contains("se.cret"));
        assert!(!format!("{:?}", new().rest_base(base)).contains("se.cret"));
    }
    let error = new().proxy("not a proxy:se.cret@").fetch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!shown(&error).contains("se.cret"));
    let error = new().rest_base("http://127.0.0.1:9").user_agent("a\nb").fetch().unwrap_err();
    assert!(shown(&error).contains("cannot be sent"), "{error}");
}

#[test]
fn neither_the_builder_nor_its_answers_show_a_secret() {
    let discovery = Discovery::new(support::token())
        .proxy("http://user:pass.word@127.0.0.1:1")
        .roots(Roots::mozilla());
    let text = format!("{discovery:?}");
    assert!(!text.contains("cret") && !text.contains("pass.word"), "{text}");
    let info = GatewayBotInfo::parse(GOOD.as_bytes()).unwrap();
    assert!(format!("{info:?}").contains("wss://gateway.discord.gg/"));
}

//! The HTTP endpoints that a bot's library needs to log in, kept-alive connections, and what can go
//! wrong with them on demand.

mod common;

use common::{ALL, Client, TOKEN};
use replay_gateway::{Builder, Gateway, GatewayHandle, Host, HttpAnswer, HttpFault, Outage};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn gateway() -> Builder {
    Gateway::builder().token(TOKEN).max_concurrency(64)
}

/// A connection that is kept.
struct Http {
    stream: BufReader<TcpStream>,
}

struct Answer {
    status: u16,
    headers: Vec<String>,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("valid JSON")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.headers.iter().find_map(|line| line.strip_prefix(&start))
    }
}

impl Http {
    fn new(gateway: &GatewayHandle) -> Self {
        let stream = TcpStream::connect(gateway.addr()).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(8))).expect("timeout");
        Self { stream: BufReader::new(stream) }
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("write");
    }

    fn read(&mut self) -> std::io::Result<Answer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let status = lines[0].split(' ').nth(1).expect("a status").parse().expect("a number");
        let mut answer = Answer { status, headers: lines, text: String::new() };
        let len = answer.header("Content-Length").expect("a length").parse().expect("a number");
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body)?;
        answer.text = String::from_utf8(body).expect("UTF-8");
        Ok(answer)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let headers = format!("Authorization: Bot {TOKEN}\r\n{AGENT}");
        self.send(method, path, &headers, body);
        self.read().expect("an answer")
    }

    fn bot(&mut self) -> Answer {
        self.ask("GET", "/api/v10/gateway/bot", "")
    }
}

const AGENT: &str = "User-Agent: DiscordBot (https://example.com, 1.0)\r\n";

#[test]
fn one_connection_serves_all_that_a_library_asks_for_as_it_logs_in() {
    let gateway = gateway().recommended_shards(3).guilds_per_shard(2).spawn().expect("spawn");
    let mut http = Http::new(&gateway);
    for base in ["/api", "/api/v9", "/api/v10"] {
        let user = http.ask("GET", &format!("{base}/users/@me"), "").json();
        assert_eq!((&user["bot"], &user["username"]), (&json!(true), &json!("Replay")));
        for path in ["/applications/@me", "/oauth2/applications/@me"] {
            let application = http.ask("GET", &format!("{base}{path}"), "").json();
            assert_eq!(application["id"], user["id"]);
            assert_eq!(application["verify_key"].as_str().map(str::len), Some(64));
            assert_eq!(application["approximate_guild_count"], 6);
        }
        assert_eq!(http.ask("GET", &format!("{base}/gateway/bot"), "").json()["shards"], 3);
        assert_eq!(http.ask("GET", &format!("{base}/gateway"), "").status, 200);
    }
    let stats = gateway.stats();
    assert_eq!((stats.connections, stats.http["GET /gateway/bot"]), (1, 3));
}

#[test]
fn the_guilds_are_those_of_ready_page_by_page() {
    let gateway = gateway().recommended_shards(2).guilds_per_shard(150).spawn().expect("spawn");
    let mut ids = Vec::new();
    for shard in 0..2 {
        let ready = Client::plain(&gateway.url()).login([shard, 2], ALL);
        let guilds = ready["d"]["guilds"].as_array().expect("guilds").clone();
        ids.extend(guilds.into_iter().map(|guild| guild["id"].as_str().expect("id").to_owned()));
    }
    ids.sort_by_key(|id| id.parse::<u64>().expect("a snowflake"));
    let mut http = Http::new(&gateway);
    let (mut paged, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = http.ask("GET", &format!("/api/users/@me/guilds?limit=200&after={after}"), "");
        let page = page.json();
        let Some(last) = page.as_array().expect("a list").last() else { break };
        after = last["id"].as_str().expect("id").to_owned();
        let page = page.as_array().into_iter().flatten();
        paged.extend(page.map(|guild| guild["id"].as_str().expect("id").to_owned()));
    }
    assert_eq!(paged, ids);
}

#[test]
fn commands_are_echoed_with_what_discord_adds_and_bodies_are_bounded() {
    let gateway = gateway().spawn().expect("spawn");
    let mut http = Http::new(&gateway);
    let path = "/api/v10/applications/1216449876777209472/commands";
    assert_eq!(http.ask("GET", path, "").json(), json!([]));
    let list = r#"[{"name":"a","description":"b"},{"name":"c","type":2}]"#;
    let put = http.ask("PUT", path, list).json();
    assert_eq!((&put[0]["name"], &put[1]["type"]), (&json!("a"), &json!(2)));
    assert_ne!(put[0]["id"], put[1]["id"]);
    let post = http.ask("POST", path, r#"{"name":"d"}"#);
    assert_eq!((post.status, &post.json()["name"]), (201, &json!("d")));
    assert_eq!(http.ask("PUT", path, "{").json()["code"], 50_109);
    assert_eq!(http.ask("DELETE", path, "").status, 405);
    http.send("PUT", path, "", &" ".repeat((1 << 20) + 1));
    assert_eq!(http.read().expect("an answer").status, 413);
}

#[test]
fn a_message_comes_back_as_it_was_sent_and_an_empty_one_is_refused() {
    let gateway = gateway().spawn().expect("spawn");
    let mut http = Http::new(&gateway);
    let path = "/api/v10/channels/41771983423143937/messages";
    let first = http.ask("POST", path, r#"{"content":"pong"}"#).json();
    let second = http.ask("POST", path, r#"{"content":"pong"}"#).json();
    assert_eq!(
        (&first["content"], &first["channel_id"]),
        (&json!("pong"), &json!("41771983423143937"))
    );
    assert_ne!(first["id"], second["id"]);
    assert_eq!(http.ask("POST", path, r#"{"content":""}"#).json()["code"], 50_006);
    assert_eq!(http.ask("POST", path, "{").json()["code"], 50_109);
    assert_eq!(http.ask("GET", path, "").status, 405);
    assert_eq!(gateway.stats().http["POST /channels/{id}/messages"], 4);
}

#[test]
fn refusals_have_discords_shape() {
    let gateway = gateway().demand_user_agent(true).spawn().expect("spawn");
    let mut http = Http::new(&gateway);
    let shape = |answer: Answer| (answer.status, answer.json());
    http.send("GET", "/api/v10/users/@me", &format!("Authorization: Bot no\r\n{AGENT}"), "");
    let answer = shape(http.read().expect("an answer"));
    assert_eq!(answer, (401, json!({ "message": "401: Unauthorized", "code": 0 })));
    let answer = shape(http.ask("GET", "/api/v10/no/such/thing", ""));
    assert_eq!(answer, (404, json!({ "message": "404: Not Found", "code": 0 })));
    for agent in ["", "User-Agent: curl/8\r\n", "User-Agent: DiscordBot (nothing)\r\n"] {
        let headers = format!("Authorization: Bot {TOKEN}\r\n{agent}");
        http.send("GET", "/api/v10/gateway/bot", &headers, "");
        assert_eq!(http.read().expect("an answer").status, 403, "{agent}");
    }
    assert_eq!(http.bot().status, 200, "the connection is still of use");
    http.send("GET", "/elsewhere", AGENT, "");
    assert_eq!(http.read().expect("an answer").status, 404);
}

#[test]
fn gateway_bot_fails_as_often_and_in_the_way_that_is_asked_for() {
    let gateway = gateway()
        .http_fault(HttpFault::gateway_bot(
            Some(2),
            HttpAnswer::RateLimited { retry_after_ms: 1_200, global: true },
        ))
        .http_fault(HttpFault::gateway_bot(Some(1), HttpAnswer::Status(503)))
        .http_fault(HttpFault::gateway_bot(Some(1), HttpAnswer::Status(401)))
        .http_fault(HttpFault::gateway_bot(Some(1), HttpAnswer::Malformed))
        .http_fault(HttpFault::gateway_bot(Some(1), HttpAnswer::Unexpected))
        .spawn()
        .expect("spawn");
    let mut http = Http::new(&gateway);
    for _ in 0..2 {
        let limited = http.bot();
        assert_eq!(limited.status, 429);
        assert_eq!(limited.header("Retry-After"), Some("2"));
        assert_eq!(limited.header("X-RateLimit-Global"), Some("true"));
        assert_eq!(limited.json()["retry_after"], 1.2);
    }
    assert_eq!(http.bot().status, 503);
    assert_eq!(http.bot().status, 401);
    let malformed = http.bot();
    assert_eq!(malformed.status, 200);
    assert!(serde_json::from_str::<Value>(&malformed.text).is_err());
    assert!(http.bot().json().is_array());
    assert_eq!(http.bot().json()["shards"], 1, "then all is well");
    assert_eq!(gateway.stats().faults, 6);
    gateway.http_fault(HttpFault::gateway_bot(None, HttpAnswer::Status(502)));
    gateway.stats(); // the order has been obeyed
    assert_eq!([http.bot().status, http.bot().status], [502, 502]);
}

#[test]
fn an_answer_may_be_late_or_never_come_or_be_a_reset() {
    let gateway = gateway()
        .http_fault(HttpFault::gateway_bot(Some(1), HttpAnswer::Slow(150)))
        .http_fault(HttpFault::gateway_bot(Some(1), HttpAnswer::Reset))
        .http_fault(HttpFault::gateway_bot(Some(1), HttpAnswer::Never))
        .spawn()
        .expect("spawn");
    let mut http = Http::new(&gateway);
    let asked = Instant::now();
    http.send("GET", "/api/v10/gateway/bot", &format!("Authorization: Bot {TOKEN}\r\n"), "");
    http.send("GET", "/api/v10/gateway", "", "");
    assert_eq!(http.read().expect("late").json()["shards"], 1);
    assert!(asked.elapsed() >= Duration::from_millis(150));
    assert_eq!(http.read().expect("what came behind it").status, 200);
    http.send("GET", "/api/v10/gateway/bot", &format!("Authorization: Bot {TOKEN}\r\n"), "");
    assert_eq!(http.read().err().map(|error| error.kind()), Some(ErrorKind::ConnectionReset));
    let mut http = Http::new(&gateway);
    http.stream.get_ref().set_read_timeout(Some(Duration::from_millis(300))).expect("timeout");
    http.send("GET", "/api/v10/gateway/bot", &format!("Authorization: Bot {TOKEN}\r\n"), "");
    assert_eq!(http.read().err().map(|error| error.kind()), Some(ErrorKind::WouldBlock));
}

fn limit(gateway: &GatewayHandle) -> (u64, u64) {
    let limit = Http::new(gateway).bot().json()["session_start_limit"].clone();
    (limit["remaining"].as_u64().expect("n"), limit["reset_after"].as_u64().expect("ms"))
}

#[test]
fn the_session_starts_count_down_with_identifies_and_begin_anew_after_the_reset() {
    let ten = || gateway().session_starts_total(1_000).session_starts_remaining(Some(10));
    let gateway = ten().spawn().expect("spawn");
    assert_eq!(limit(&gateway).0, 10);
    Client::plain(&gateway.url()).login([0, 1], ALL);
    let (remaining, reset_after) = limit(&gateway);
    assert!(remaining == 9 && reset_after <= 86_400_000, "{remaining} {reset_after}");
    let gateway = ten().session_starts_reset_ms(100).spawn().expect("spawn");
    while limit(&gateway).0 != 1_000 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(limit(&gateway).1 <= 100);
}

#[test]
fn in_an_outage_every_request_is_answered_by_503() {
    let gateway = gateway().spawn().expect("spawn");
    gateway.outage(Host::Main, Outage::Unavailable);
    assert_eq!(Http::new(&gateway).bot().status, 503);
    gateway.outage(Host::Main, Outage::None);
    assert_eq!(Http::new(&gateway).bot().status, 200);
}

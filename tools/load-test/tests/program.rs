//! The program as its user runs it: flags in; exit code, JSON and text out.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use replay_gateway::{Gateway, GatewayHandle, LedgerTo, Start, TrafficConfig};
use serde_json::Value;

const SHORT: &[&str] =
    &["--json", "--quiet", "--shards", "4", "--rate", "2000", "--seconds", "0.5"];

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load-test"));
    command.stdin(Stdio::null());
    command
}

fn run(args: &[&[&str]]) -> Output {
    program().args(args.concat()).output().expect("the program starts")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let (out, err) = (&output.stdout, &output.stderr);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        panic!("{error}: {}\n{}", text(out), text(err))
    })
}

#[test]
fn a_clean_job_exits_with_0_and_every_event_was_seen_once() {
    let output = run(&[SHORT]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!((&report["outcome"], &report["events"]), (&"clean".into(), &1000.into()));
    let ledger = &report["ledger"];
    assert_eq!((&ledger["numbered"], &ledger["seen"]), (&1000.into(), &1000.into()));
    // Of all that was compared only the start guilds have no hash.
    assert_eq!(ledger["unhashed"], 4);
    for key in ["cpu_ns_per_event", "events_per_s", "rss_per_shard_kib", "gateway_cpu_ns_per_event"]
    {
        assert!(report[key].as_f64().is_some_and(|number| number > 0.0), "{key}: {}", report[key]);
    }
    assert_eq!(report["latency_from"], "intended_send");
    assert_eq!(report["latency"]["count"], 1000);
}

#[test]
fn the_metrics_are_served_while_a_job_runs_and_not_any_longer() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut job = program()
        .args(["--json", "--quiet", "--shards", "4", "--rate", "2000", "--seconds", "1.5"])
        .args(["--metrics-listen", &address])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let text = loop {
        assert!(Instant::now() < until, "no metrics");
        let text = scraped(&address).unwrap_or_default();
        if text.contains("shardring_shards{state=\"active\"} 4\n") {
            break text;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text;"));
    assert!(text.contains("\nshardring_uptime_seconds ") && text.ends_with("# EOF\n"));
    assert!(job.wait().unwrap().success());
    assert!(scraped(&address).is_err());
}

fn scraped(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn the_keys_are_those_that_the_readme_documents() {
    let report = json(&run(&[SHORT, &["--compression", "none", "--ledger", "ids"]]));
    let keys: BTreeSet<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let readme = include_str!("../README.md");
    let documented: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(key, _)| key))
        .collect();
    assert_eq!(keys, documented);
}

#[test]
fn each_canary_is_found_and_named() {
    for (canary, key, count) in [
        ("drop", "lost", 1),
        ("double", "doubled", 1),
        ("swap", "out_of_order", 1),
        ("alter", "altered", 1),
    ] {
        let output = run(&[SHORT, &["--canary", canary]]);
        let report = json(&output);
        assert_eq!(output.status.code(), Some(1), "{canary}: {report:#}");
        assert_eq!(report["ledger"][key], count, "{canary}: {report:#}");
        assert_eq!(report["outcome"], "findings");
        let text = report["problems"].to_string();
        assert!(text.contains("the ledgers differ"), "{canary}: {text}");
    }
}

#[test]
fn flat_out_in_bursts_every_event_is_seen_once_too() {
    let flat =
        ["--json", "--quiet", "--flat-out", "--burst", "4", "--events", "8000", "--shards", "8"];
    let output = run(&[&flat]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["ledger"]["seen"], 8000);
    assert_eq!(report["latency_from"], "receipt");
}

#[test]
fn more_commands_than_discord_takes_pass_no_limit_and_each_is_answered() {
    let flags = ["--json", "--quiet", "--shards", "4", "--rate", "1000", "--seconds", "6"];
    let output = run(&[&flags, &["--commands", "100"]]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    let count = |key: &str| report["commands"][key].as_u64().unwrap();
    let keys = ["sent", "superseded", "expired", "full", "dropped", "failed", "unanswered"];
    assert_eq!(count("given"), keys.map(count).iter().sum::<u64>(), "{report:#}");
    // Some had to wait: 100 a second are more than 4 shards may send.
    assert!(count("sent") > 200 && count("superseded") > 0 && count("expired") > 0, "{report:#}");
    assert_eq!(report["gateway"]["presences_per_window_max"], 5);
    let received = &report["gateway"]["received"];
    let received: u64 =
        ["3", "4", "8", "31", "43"].map(|op| received[op].as_u64().unwrap()).iter().sum();
    assert_eq!(received, count("sent"));
}

#[test]
fn reconnects_lose_nothing_and_are_counted_by_their_cause() {
    let faults = [
        "--fault",
        r#"{"shard": 1, "connection": 1, "at": {"events": 100}, "do": "reconnect"}"#,
        "--fault",
        r#"{"shard": 2, "connection": 1, "at": {"events": 50}, "do": "reset"}"#,
    ];
    let output = run(&[SHORT, &faults]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    // A RESUMED in mid-traffic takes a number that an event would have had.
    let seen = report["ledger"]["seen"].as_u64().unwrap();
    assert!((998..=1000).contains(&seen), "{report:#}");
    assert_eq!(report["ledger"]["numbered"], seen);
    assert_eq!(report["reconnects_by_cause"]["reconnect_asked"], 1);
    assert_eq!(report["reconnects_by_cause"]["reset"], 1);
    assert_eq!(report["sessions_resumed"], 2);
}

#[test]
fn a_capture_is_played_to_every_shard() {
    let path = scratch("capture.jsonl");
    let lines = r#"{"time_ms": 0, "payload": {"op": 0, "t": "READY", "s": 1, "d": {}}}
{"time_ms": 10, "payload": {"op": 0, "t": "MESSAGE_DELETE", "d": {"id": "1", "channel_id": "2"}}}
{"time_ms": 20, "payload": {"op": 11}}
{"time_ms": 90, "payload": {"op": 0, "t": "NEVER_HEARD_OF", "d": {"x": [1, null]}}}
"#;
    std::fs::write(&path, lines).unwrap();
    let output =
        run(&[&["--json", "--quiet", "--shards", "3", "--capture", path.to_str().unwrap()]]);
    std::fs::remove_file(&path).unwrap();
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!((&report["events"], &report["ledger"]["seen"]), (&6.into(), &6.into()));
}

#[test]
fn the_page_is_written_beside_the_json_and_never_holds_the_token() {
    let page = scratch("report.html");
    let gateway = elsewhere(LedgerTo::None);
    let token = "a.token.that.nobody.may.see";
    let args = ["--json", "--quiet", "--shards", "2", "--max-concurrency", "2", "--events", "400"];
    let url = format!("{}/?echo={token}", gateway.url());
    let output = program()
        .args(args)
        .args(["--gateway", &url, "--report", page.to_str().unwrap()])
        .env("DISCORD_TOKEN", token)
        .output()
        .unwrap();
    gateway.stop().unwrap();
    let report = json(&output);
    let text = std::fs::read_to_string(&page).unwrap();
    std::fs::remove_file(&page).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert!(!text.contains(token) && text.contains("(token)"));
    assert!(!report.to_string().contains(token));
    for part in ["<svg", "Throughput", "2 sessions begun", "MESSAGE_CREATE", "</html>"] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn no_output_holds_the_token_be_it_a_table_or_json_and_the_job_done_or_refused() {
    let token = "a.token.that.nobody.may.see";
    let gateway = |expected: &str| {
        let gateway =
            Gateway::builder().token(expected).max_concurrency(2).traffic(TrafficConfig {
                start: Start::Shards(2),
                rate_shards: 2,
                events_per_shard: Some(200),
                ..TrafficConfig::default()
            });
        gateway.spawn().unwrap()
    };
    let args = ["--shards", "2", "--max-concurrency", "2", "--events", "400"];
    let cases = [(token, 0, "400 of 400"), ("another.token", 3, "the token was refused")];
    for (expected, code, text) in cases {
        for json in [false, true] {
            let gateway = gateway(expected);
            let page = scratch("no-token.html");
            let url = format!("{}/?echo={token}", gateway.url());
            let output = program()
                .args(args)
                .args(json.then_some("--json"))
                .args(["--gateway", &url, "--report", page.to_str().unwrap()])
                .env("DISCORD_TOKEN", token)
                .env("RUST_BACKTRACE", "1")
                .output()
                .unwrap();
            gateway.stop().unwrap();
            let said = [&output.stdout[..], &output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert_eq!(output.status.code(), Some(code), "{said}");
            assert!(json || said.contains(text), "{said}");
            assert!(!said.contains("that.nobody.may"), "{said}");
            if let Ok(page) = std::fs::read_to_string(&page) {
                assert!(!page.contains("that.nobody.may"));
                std::fs::remove_file(scratch("no-token.html")).unwrap();
            }
        }
    }
    // Flags that are wrong are repeated, but not what the environment holds.
    let output = program().arg("--no-such-flag").env("DISCORD_TOKEN", token).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("that.nobody.may"));
    let output = program().arg("--help").env("DISCORD_TOKEN", token).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("that.nobody.may"));
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_the_job() {
    let output = run(&[SHORT, &["--report", "no/such/folder/report.html"]]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no folder no/such/folder"));
}

#[test]
fn an_interrupt_ends_the_job_with_the_report_so_far() {
    let mut child = program()
        .args(["--json", "--shards", "4", "--rate", "1000", "--seconds", "600"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let began = lines.map_while(Result::ok).any(|line| line.ends_with(": traffic"));
    assert!(began, "traffic never began");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!((&report["interrupted"], &report["outcome"]), (&true.into(), &"clean".into()));
    assert_eq!(report["ledger"]["lost"], 0, "what was under way is no loss");
}

#[test]
fn no_gateway_is_left_when_the_program_is_killed() {
    let mut child = program()
        .args(["--quiet", "--shards", "1", "--rate", "10", "--seconds", "600"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let gateway = wait_for("the gateway's process", || first_child(&child));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the gateway's end", || (!is_running(gateway)).then_some(()));
}

#[test]
fn wrong_flags_exit_with_2_and_say_what_is_wrong() {
    for args in [
        &["--rate", "-1"][..],
        &["--shards", "0"],
        &["--flat-out", "--rate", "5"],
        &["--gateway", "https://gateway.discord.gg"],
        &["--capture", "no/such/file"],
        &["--no-such-flag"],
    ] {
        let output = run(&[args]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("error:"), "{args:?}");
    }
}

#[test]
fn a_gateway_that_is_not_there_is_told_within_the_time_given() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("ws://127.0.0.1:{port}");
    let output =
        run(&[&["--json", "--quiet", "--shards", "1", "--ready-timeout", "1", "--gateway", &url]]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(3), "{report:#}");
    assert_eq!(report["outcome"], "failed");
    let text = report["problems"].to_string();
    assert!(text.contains("only 0 of 1 shards were READY"), "{text}");
    assert!(text.contains("connection refused"), "the cause is told: {text}");
    assert!(text.contains("nothing was connected"), "{text}");
}

#[test]
fn a_gateway_whose_ca_is_not_believed_is_given_up_with_the_cause_and_a_hint() {
    let tls = replay_gateway::TlsConfig::default();
    let gateway = Gateway::builder().tls(tls).spawn().expect("the gateway starts");
    // Of 64 shards each has its turn to IDENTIFY: that would be more than five minutes.
    let output = run(&[&["--json", "--quiet", "--shards", "64", "--gateway", &gateway.url()]]);
    gateway.stop().unwrap();
    let report = json(&output);
    assert_eq!(output.status.code(), Some(3), "{report:#}");
    let text = report["problems"].to_string();
    for part in ["every attempt has failed", " tls", "CA that is not believed", "--ca FILE"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_ledger_of_a_gateway_that_runs_elsewhere_is_compared_once_it_ends() {
    let ledger = scratch("elsewhere.ledger");
    let gateway = elsewhere(LedgerTo::File(ledger.clone()));
    let args = ["--json", "--quiet", "--shards", "2", "--max-concurrency", "2", "--events", "400"];
    let child = program()
        .args(args)
        .args(["--gateway", &gateway.url(), "--ledger-file", ledger.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the client's end of traffic", || {
        let stats = gateway.stats();
        (stats.sessions == 2 && stats.connections_open == 0).then_some(())
    });
    gateway.stop().unwrap();
    let output = child.wait_with_output().unwrap();
    std::fs::remove_file(&ledger).unwrap();
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!((&report["ledger"]["seen"], &report["ledger"]["lost"]), (&400.into(), &0.into()));
}

#[test]
fn of_a_foreign_gateway_events_are_counted_and_nothing_is_claimed() {
    let gateway = elsewhere(LedgerTo::None);
    let args = ["--quiet", "--shards", "2", "--max-concurrency", "2", "--events", "400"];
    let output = run(&[&args, &["--gateway", &gateway.url()]]);
    gateway.stop().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("400 of 400") && text.contains("nothing compared"), "{text}");
}

/// A gateway in this process: two shards, 200 events each.
fn elsewhere(ledger: LedgerTo) -> GatewayHandle {
    let traffic = TrafficConfig {
        start: Start::Shards(2),
        rate_per_s: Some(2_000.0),
        rate_shards: 2,
        burst: 1,
        events_per_shard: Some(200),
        lead_ms: 500,
        ..TrafficConfig::default()
    };
    let gateway = Gateway::builder().max_concurrency(2).traffic(traffic).ledger(ledger).spawn();
    let gateway = gateway.expect("the gateway starts");
    TcpStream::connect(gateway.addr()).expect("it listens");
    gateway
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("load-test-program-{}-{name}", std::process::id()))
}

fn first_child(child: &Child) -> Option<u32> {
    let path = format!("/proc/{0}/task/{0}/children", child.id());
    std::fs::read_to_string(path).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// Neither gone nor a zombie that nobody has asked for.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "no {what} within 30 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

//! The program as another process: its first line, its ledger file, its ends, its report.

mod common;

use common::{ALL, Client};
use replay_gateway::ledger::{self, compare};
use rustls::version::TLS13;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

fn start(args: &[&str]) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_replay-gateway"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(if args.contains(&"--status") { Stdio::piped() } else { Stdio::inherit() })
        .spawn()
        .expect("spawn");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("read");
    let url = line.trim().strip_prefix("listening ").expect("the first line").to_owned();
    Program { child, stdout, url }
}

impl Program {
    /// Waits for the end; gives what else was written.
    fn end(mut self) -> String {
        assert!(self.child.wait().expect("wait").success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("read");
        rest
    }
}

#[test]
fn a_run_ends_when_done_with_a_whole_ledger_and_a_json_report() {
    let name = format!("replay-gateway-program-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let ledger = path.to_str().expect("a path");
    let args = ["--events", "1500", "--ledger", ledger, "--exit-when-done", "--json"];
    let program = start(&args);
    let mut client = Client::zlib(&program.url);
    client.login([0, 1], ALL);
    let records = client.records_until(1_502);
    client.close(1000);
    let rest = program.end();
    let (start, report) = rest.trim().split_once('\n').expect("two lines");
    assert!(start.starts_with("traffic {\"start_unix_ns\":"), "{start}");
    let report: serde_json::Value = serde_json::from_str(report).expect("valid JSON");
    assert_eq!(report["traffic_sent"], 1_500);
    assert!(report["cpu_user_ns_per_event"].is_number());
    let (header, numbered) = ledger::read(&path).expect("ledger");
    std::fs::remove_file(&path).expect("remove");
    assert_eq!(header.start_unix_ns, report["traffic_start_unix_ns"]);
    let report = compare(&numbered, &records, &[]);
    assert!(report.is_clean() && report.seen == 1_500, "{report:?}");
}

#[test]
fn it_ends_with_its_standard_input_and_on_sigterm() {
    let mut program = start(&["--quiet", "--exit-on-stdin"]);
    drop(program.child.stdin.take());
    assert!(program.end().contains("connections  0"));
    let program = start(&["--quiet"]);
    let pid = program.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    program.end();
}

#[test]
fn it_speaks_tls_by_a_ca_that_it_writes_down_and_tells_the_second_address_and_how_it_stands() {
    let name = format!("replay-gateway-program-{}.pem", std::process::id());
    let path = std::env::temp_dir().join(name);
    let ca_out = path.to_str().expect("a path");
    let args = ["--quiet", "--tls", "--tls-ca-out", ca_out, "--resume-url", "host"];
    let mut program = start(
        &[&args[..], &["--status", "10", "--exit-on-stdin", "--heartbeat-grace", "5"]].concat(),
    );
    let mut second = String::new();
    program.stdout.read_line(&mut second).expect("read");
    let second = second.trim().strip_prefix("resume host ").expect("the second line").to_owned();
    let trust = common::trust(&std::fs::read_to_string(&path).expect("a CA"), &[&TLS13]);
    std::fs::remove_file(&path).expect("remove");
    for url in [&program.url, &second] {
        assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
        Client::tls(url, "v=10&encoding=json&compress=zstd-stream", &trust).hello();
    }
    let mut line = String::new();
    let stderr = program.child.stderr.take().expect("stderr");
    BufReader::new(stderr).read_line(&mut line).expect("read");
    assert!(line.contains(" open, ") && line.contains(" events/s"), "{line}");
    drop(program.child.stdin.take());
    assert!(program.end().contains("TLS handshakes  1 full, 1 resumed, 0 failed"));
}

#[test]
fn the_token_is_in_no_line_and_no_file_that_it_writes() {
    let token = "a.token.that.nobody.may.see";
    let name = format!("replay-gateway-program-{}-token", std::process::id());
    let path = std::env::temp_dir().join(name);
    let ledger = path.to_str().expect("a path");
    for form in [&["--json"][..], &[]] {
        let args = ["--token", token, "--ledger", ledger, "--status", "10", "--exit-on-stdin"];
        let mut program = start(&[&args[..], form].concat());
        for (token, is_right) in [(token, true), ("another", false)] {
            let mut client = Client::plain(&program.url);
            client.hello();
            let mut identify = common::identify([0, 1], ALL);
            identify["d"]["token"] = token.into();
            client.send(&identify);
            match is_right {
                true => drop(client.until(|payload| payload["t"] == "READY")),
                false => assert_eq!(client.close_code(), 4004),
            }
        }
        let mut stderr = BufReader::new(program.child.stderr.take().expect("stderr"));
        let mut text = String::new();
        while !text.contains("events/s") {
            assert!(stderr.read_line(&mut text).expect("read") > 0, "it ended: {text}");
        }
        drop(program.child.stdin.take());
        text.push_str(&program.end());
        stderr.read_to_string(&mut text).expect("read");
        let file = std::fs::read(&path).expect("ledger");
        std::fs::remove_file(&path).expect("remove");
        text.push_str(&String::from_utf8_lossy(&file));
        assert!(text.contains("4004"), "{text}");
        assert!(!text.contains("that.nobody.may"), "{text}");
    }
}

#[test]
fn wrong_flags_are_told_with_their_name() {
    let wrong = [
        ["--incident", "{\"at\":{\"start_ms\":1},\"do\":\"rain\"}"],
        ["--http-fault", "{\"do\":\"weep\"}"],
        ["--zstd-frames", "some"],
        ["--fault", "{\"at\":\"never\"}"],
        ["--rate", "-1"],
        ["--capture", "/nowhere/at/all"],
    ];
    for args in wrong {
        let output =
            Command::new(env!("CARGO_BIN_EXE_replay-gateway")).args(args).output().expect("run");
        assert!(!output.status.success());
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

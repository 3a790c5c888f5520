//! The program as its user runs it against an endpoint: flags in; text, JSON and exit code out.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use serde_json::Value;

fn program(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardring-top"));
    command.args(args).stdin(Stdio::null()).output().expect("the program starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Answers each request with the next of these bodies; the address to ask.
fn endpoint(bodies: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for body in bodies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 1024];
            let mut asked = Vec::new();
            while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                let len = stream.read(&mut bytes).unwrap();
                assert!(len > 0, "the request ended early");
                asked.extend_from_slice(&bytes[..len]);
            }
            let len = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{body}").unwrap();
        }
    });
    url
}

/// An engine that has received so many events.
fn exposition(events: u64) -> String {
    format!(
        "# TYPE shardring_build info\nshardring_build_info{{version=\"9.8.7\"}} 1\n\
         # TYPE shardring_events_received counter\nshardring_events_received_total {events}\n\
         # TYPE shardring_shards gauge\nshardring_shards{{state=\"active\"}} 3\n\
         shardring_shards{{state=\"queued\"}} 1\n# EOF\n"
    )
}

#[test]
fn one_picture_as_text() {
    let url = endpoint(vec![exposition(1_000), exposition(6_000)]);
    let output = program(&["--once", "--interval", "0.5", "--url", &url]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(text.starts_with(&format!("shardring 9.8.7 at {url}\n")), "{text}");
    assert!(text.contains("shards active    3 of 4\nshards queued    1\n"), "{text}");
}

#[test]
fn one_picture_as_json_with_rates_from_two_scrapes() {
    let url = endpoint(vec![exposition(1_000), exposition(6_000)]);
    let output = program(&["--once", "--json", "--interval", "0.5", "--url", &url]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["totals"]["events_received"], 6_000);
    let span_s = object["span_s"].as_f64().unwrap();
    let events = object["per_s"]["events_received"].as_f64().unwrap() * span_s;
    assert!((events - 5_000.0).abs() < 1.0, "{events}");
}

#[test]
fn no_metrics_is_exit_code_3_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let output = program(&["--once", "--url", &url]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(said(&output), format!("shardring-top: {url}/metrics: connection refused\n"));

    let output = program(&["--once", "--url", &endpoint(vec!["other 1\n# EOF\n".to_owned()])]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("without shardring_build_info"), "{}", said(&output));

    let url = endpoint(vec![exposition(1_000), exposition(5)]);
    let output = program(&["--once", "--interval", "0.5", "--url", &url]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("restarted between two scrapes"), "{}", said(&output));
}

#[test]
fn it_waits_for_metrics_if_it_is_told_to() {
    let bodies = vec!["starting".to_owned(), exposition(1), exposition(2)];
    let url = endpoint(bodies);
    let output = program(&["--once", "--wait", "30", "--interval", "0.5", "--url", &url]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn the_live_view_needs_a_terminal_and_wrong_flags_are_exit_code_2() {
    let output = program(&[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("standard output is no terminal"), "{}", said(&output));
    assert_eq!(program(&["--url", "https://bot.test"]).status.code(), Some(2));
    let help = program(&["--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("q, Ctrl-C   quit"));
}

#[test]
fn it_ends_with_its_terminal_though_nobody_sends_a_signal() {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags).unwrap();
    unlockpt(&ours).unwrap();
    let side = |_| Stdio::from(ioctl_tiocgptpeer(&ours, flags).unwrap());
    let [input, output, error] = [0, 1, 2].map(side);
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardring-top"));
    command.args(["--url", "http://127.0.0.1:1/metrics"]);
    let mut child = command.stdin(input).stdout(output).stderr(error).spawn().unwrap();
    drop(command); // The last of its ends of the terminal here.
    let mut ours = File::from(ours);
    assert!(ours.read(&mut [0; 64]).unwrap() > 0, "it draws");
    drop(ours);
    let patience = Instant::now() + Duration::from_secs(30);
    let ended = loop {
        match child.try_wait().unwrap() {
            None if Instant::now() < patience => std::thread::sleep(Duration::from_millis(20)),
            ended => break ended,
        }
    };
    let _ = child.kill();
    assert_eq!(ended.map(|status| (status.code(), status.signal())), Some((Some(3), None)));
}

//! What the machine denies is an error that tells the cure, before anything is started.
//!
//! Each test starts this program again with less than it needs; the child tries to start an engine
//! and prints the error.

#![allow(clippy::print_stdout)] // the child's answer

use std::process::Command;

use shardring::{
    Config, Context, Engine, Error, ErrorKind, Event, Handler, Intents, Shards, Stop, Token,
};

/// Set in the child, to what it is to lack.
const CHILD: &str = "SHARDRING_LIMITS_CHILD";

struct Idle;

impl Handler for Idle {
    fn on_event(&mut self, _: &mut Context<'_>, _: Event<'_>) {}
}

/// Runs the named test again under a shell that has lowered its limits; gives what it printed.
fn child(test: &str, limits: &str, lack: &str) -> String {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{limits}; exec \"$0\" --exact {test} --nocapture"))
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, lack)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn try_to_start(shards: u32) {
    let config = Config::builder(Token::new("a.limited.token").unwrap(), Intents::GUILDS)
        .shards(Shards::all(shards))
        .gateway_url("ws://127.0.0.1:9")
        .cores(1)
        .build()
        .unwrap();
    match Engine::start(config, |_| Ok::<_, Error>(Idle)) {
        Ok(engine) => {
            engine.stop(Stop::EndSessions).unwrap();
            println!("started");
        }
        Err(error) => println!("refused {:?}: {error}", error.kind()),
    }
}

#[test]
fn too_few_descriptors_name_the_limit_and_the_number() {
    const NAME: &str = "too_few_descriptors_name_the_limit_and_the_number";
    if std::env::var_os(CHILD).is_some() {
        return try_to_start(500);
    }
    let said = child(NAME, "ulimit -n 200", "descriptors");
    assert!(said.contains(&format!("refused {:?}", ErrorKind::Limit)), "{said}");
    assert!(said.contains("RLIMIT_NOFILE") && said.contains("753"), "{said}");
}

#[test]
fn a_soft_limit_is_raised_to_what_is_needed() {
    const NAME: &str = "a_soft_limit_is_raised_to_what_is_needed";
    if std::env::var_os(CHILD).is_some() {
        return try_to_start(500);
    }
    let said = child(NAME, "ulimit -Sn 200", "soft descriptors");
    assert!(said.contains("started"), "{said}");
}

#[test]
fn an_io_uring_that_is_denied_names_the_cure() {
    const NAME: &str = "an_io_uring_that_is_denied_names_the_cure";
    if std::env::var_os(CHILD).is_some() {
        deny_io_uring();
        return try_to_start(1);
    }
    let said = child(NAME, ":", "io_uring");
    assert!(said.contains(&format!("refused {:?}", ErrorKind::IoUring)), "{said}");
    assert!(said.contains("seccomp") && said.contains("io_uring_disabled"), "{said}");
}

/// As a container's seccomp profile does: io_uring_setup gives EPERM.
fn deny_io_uring() {
    const LOAD_NR: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const ALLOW: u32 = 0x7FFF_0000;
    const ERRNO: u32 = 0x0005_0000;
    let rule = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut rules = [
        rule(LOAD_NR, 0, 0, 0),
        rule(IF_EQUAL, 0, 1, libc::SYS_io_uring_setup as u32),
        rule(RETURN, 0, 0, ERRNO | libc::EPERM as u32),
        rule(RETURN, 0, 0, ALLOW),
    ];
    let program = libc::sock_fprog { len: rules.len() as u16, filter: rules.as_mut_ptr() };
    // SAFETY: plain system calls; the filter lives through the second, which copies it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, 2, &raw const program), 0);
    }
}

//! The embedded gateway: this program once more, as a child process that becomes the replay
//! gateway. Another process, so that its CPU time and memory are never the client's.
//!
//! No orphan: the kernel ends the child when the thread that started it (the main one) is gone,
//! and dropping [`GatewayChild`] kills it. It has a process group of its own, so that Ctrl-C
//! reaches it only through us, after the client has stopped.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use replay_gateway::{Gateway, GatewayHandle, Target};
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::orders::Orders;
use crate::placement;
use crate::process;

/// The hidden first argument.
pub(crate) const SUBCOMMAND: &str = "replay-gateway";

/// A replay gateway that runs.
#[derive(Debug)]
pub(crate) struct GatewayChild {
    child: Child,
    url: String,
    /// Its CA, if it speaks TLS, as PEM.
    ca: Option<String>,
    /// What it prints, line by line; ends when it ends.
    lines: Receiver<String>,
    complaints: Arc<Mutex<String>>,
}

impl GatewayChild {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or ended, or did not listen within [`LISTEN_PATIENCE`]; what it
    /// printed on standard error is part of the text.
    pub(crate) fn start(orders: &Orders) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SUBCOMMAND)
            .arg(std::process::id().to_string())
            .arg(serde_json::to_string(orders)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (sender, lines) = channel();
        let complaints = Arc::new(Mutex::new(String::new()));
        // Made before the threads: whatever fails from here on, the child is killed.
        let mut this = Self {
            child,
            url: String::new(),
            ca: None,
            lines,
            complaints: Arc::clone(&complaints),
        };
        std::thread::Builder::new().name("gateway-out".to_owned()).spawn(move || {
            for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()) {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        })?;
        std::thread::Builder::new().name("gateway-err".to_owned()).spawn(move || {
            let mut bytes = [0; 4096];
            let Some(mut err) = err else { return };
            while let Ok(len) = err.read(&mut bytes)
                && len > 0
            {
                let mut text = complaints.lock().unwrap_or_else(PoisonError::into_inner);
                if text.len() < COMPLAINTS_LEN_MAX {
                    text.push_str(&String::from_utf8_lossy(&bytes[..len]));
                }
            }
        })?;
        let until = Instant::now() + LISTEN_PATIENCE;
        loop {
            match this.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(ca) = line.strip_prefix(CA) {
                        this.ca = serde_json::from_str(ca).ok();
                    } else if let Some(url) = line.strip_prefix(LISTENING) {
                        this.url = url.trim_end().to_owned();
                        return Ok(this);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(this.failure("the replay gateway does not listen"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(this.failure("the replay gateway ended as it started"));
                }
            }
        }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The CA that it made, as PEM, if it speaks TLS.
    pub(crate) fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// When its traffic starts, Unix ns, as soon as that is known.
    pub(crate) fn traffic_start(&self) -> Option<u64> {
        self.lines.try_iter().find_map(|line| line.strip_prefix(TRAFFIC)?.trim().parse().ok())
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it said on standard error.
    pub(crate) fn complaints(&self) -> String {
        let text = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        text.trim().to_owned()
    }

    /// Asks it for a large GUILD_CREATE on each shard in turn.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn send_big_guilds(&self) -> io::Result<()> {
        Ok(kill(Pid::from_raw(self.child.id() as i32), Signal::SIGUSR1)?)
    }

    /// Asks it to end, and gives the counters that it prints then. Its ledger is whole after that.
    ///
    /// # Errors
    /// It did not end within [`END_PATIENCE`] (it is killed then), failed, or printed no counters.
    pub(crate) fn stop(mut self) -> io::Result<Value> {
        // It has ended already: what it printed says how.
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let until = Instant::now() + END_PATIENCE;
        let mut text = String::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    text.push_str(&line);
                    text.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failure("the replay gateway does not end"));
                }
            }
        }
        let status = self.child.wait()?;
        if !status.success() {
            return Err(self.failure(&format!("the replay gateway ended with {status}")));
        }
        let start = text.find('{').unwrap_or(text.len());
        serde_json::from_str(&text[start..])
            .map_err(|error| self.failure(&format!("the replay gateway's counters: {error}")))
    }

    fn failure(&self, what: &str) -> io::Error {
        let complaints = self.complaints();
        let colon = if complaints.is_empty() { "" } else { ": " };
        io::Error::other(format!("{what}{colon}{complaints}"))
    }
}

impl Drop for GatewayChild {
    fn drop(&mut self) {
        if !self.has_ended() {
            // It may end between the two calls: then there is nothing to kill.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// What the child does: `args` are our process id and the [`Orders`]. Prints the address it listens
/// at, and at its end (SIGTERM, SIGINT) its counters as JSON.
pub(crate) fn become_gateway(args: &[String]) -> ExitCode {
    let [parent, orders] = args else {
        eprintln!("`{SUBCOMMAND}` is for load-test itself; run the program replay-gateway");
        return ExitCode::from(2);
    };
    match serve(parent, orders) {
        Ok(stats) => {
            say(&stats);
            ExitCode::SUCCESS
        }
        Err(detail) => {
            eprintln!("{detail}");
            ExitCode::FAILURE
        }
    }
}

fn serve(parent: &str, orders: &str) -> Result<String, String> {
    set_pdeathsig(Signal::SIGKILL).map_err(|error| format!("prctl: {error}"))?;
    // The parent may have died before the call above.
    if parent.parse() != Ok(getppid().as_raw()) {
        return Err("the program that started it is gone".to_owned());
    }
    let mut signals =
        Signals::new([SIGTERM, SIGINT, SIGUSR1]).map_err(|error| format!("signals: {error}"))?;
    let orders: Orders =
        serde_json::from_str(orders).map_err(|error| format!("orders: {error}"))?;
    placement::keep_to(&orders.cpus).map_err(|error| format!("sched_setaffinity: {error}"))?;
    process::raise_descriptors().map_err(|error| format!("RLIMIT_NOFILE: {error}"))?;
    let gateway = Gateway::spawn(orders.config()?).map_err(|error| error.to_string())?;
    if let Some(ca) = gateway.ca_pem() {
        say(&format!("{CA}{}", serde_json::Value::from(ca)));
    }
    say(&format!("{LISTENING}{}", gateway.url()));
    let gateway = std::sync::Arc::new(gateway);
    let watched = std::sync::Arc::downgrade(&gateway);
    let tell = std::thread::Builder::new().name("traffic-start".to_owned());
    tell.spawn(move || {
        while let Some(gateway) = watched.upgrade() {
            let start_unix_ns = gateway.stats().traffic_start_unix_ns;
            if start_unix_ns > 0 {
                return say(&format!("{TRAFFIC}{start_unix_ns}"));
            }
            drop(gateway);
            std::thread::sleep(LOOK_EVERY);
        }
    })
    .map_err(|error| format!("a thread: {error}"))?;
    for signal in signals.forever() {
        if signal != SIGUSR1 {
            break;
        }
        for (shard, guild) in orders.big_guilds() {
            gateway.dispatch(Target::Shard(shard), "GUILD_CREATE", &guild);
            std::thread::sleep(BIG_GUILD_EVERY);
        }
    }
    let gateway = unshared(gateway);
    let stats = gateway.stop().map_err(|error| format!("the gateway, as it stopped: {error}"))?;
    serde_json::to_string(&stats).map_err(|error| error.to_string())
}

/// Waits for the look that the other thread may have at it.
fn unshared(mut gateway: std::sync::Arc<GatewayHandle>) -> GatewayHandle {
    loop {
        match std::sync::Arc::try_unwrap(gateway) {
            Ok(gateway) => return gateway,
            Err(shared) => gateway = shared,
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // If nobody reads any more, the parent is gone and so are we in a moment.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// What the child's lines begin with: its CA as a JSON string, its address, its traffic's start.
const CA: &str = "ca ";
const LISTENING: &str = "listening ";
const TRAFFIC: &str = "traffic ";
/// Between two looks at whether the traffic's start is known.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long until it must listen.
const LISTEN_PATIENCE: Duration = Duration::from_secs(10);
/// How long its end may take: the ledger of a long job is written out then.
const END_PATIENCE: Duration = Duration::from_secs(20);
/// Between two large GUILD_CREATEs: about what it takes to compress one.
const BIG_GUILD_EVERY: Duration = Duration::from_millis(50);
/// Of its standard error so much is kept, bytes.
const COMPLAINTS_LEN_MAX: usize = 16 * 1024;

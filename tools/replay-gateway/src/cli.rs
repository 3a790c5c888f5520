//! The program: flags to a [`Config`], the listening line, and the report at the end. Another
//! binary may call [`main`] to become a gateway (load-test re-executes itself so).

#![allow(clippy::print_stdout)] // a program prints

use crate::config::{
    Canary, CanaryKind, CaptureConfig, Config, LedgerTo, ResumeUrl, Start, TrafficConfig,
    UnknownSession,
};
use crate::faults::Fault;
use crate::stats::Stats;
use crate::{Gateway, GatewayHandle};
use clap::{Parser, ValueEnum};
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A Discord gateway in a process: plays generated or recorded traffic, keeps a ledger of what it
/// numbered, and commits faults on demand.
///
/// The first line on standard output is `listening ws://ADDRESS:PORT`; the last thing is the
/// report. SIGINT and SIGTERM end it.
#[derive(Debug, Parser)]
#[command(name = "replay-gateway", version)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The one token accepted; without it any that is not empty. Better given by the variable
    /// REPLAY_GATEWAY_TOKEN, which no process list shows.
    #[arg(long)]
    token: Option<String>,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// heartbeat_interval of HELLO, ms.
    #[arg(long, default_value_t = 41_250)]
    heartbeat_interval: u32,
    /// Close a connection without a heartbeat for so long, ms (0: one and a half intervals).
    #[arg(long, default_value_t = 0)]
    heartbeat_deadline: u32,
    /// max_concurrency of session_start_limit.
    #[arg(long, default_value_t = 1)]
    max_concurrency: u32,
    /// Window of one IDENTIFY per key, ms.
    #[arg(long, default_value_t = 5_000)]
    identify_window: u64,
    /// `shards` of GET /gateway/bot; unless --start-after, traffic waits for so many to be READY.
    #[arg(long, default_value_t = 1)]
    shards: u32,
    /// Guilds in each shard's READY.
    #[arg(long, default_value_t = 1)]
    guilds: u32,
    /// GUILD_CREATEs after READY are at least so many bytes each (0: some 2 KB).
    #[arg(long, default_value_t = 0)]
    guild_bytes: usize,
    /// GUILD_CREATEs of the n-th session come n times so many ms after its READY ("in turn").
    #[arg(long, default_value_t = 0)]
    guild_spacing: u64,
    /// Members that a whole-guild request yields.
    #[arg(long, default_value_t = 2_500)]
    members: u32,
    /// No traffic at all.
    #[arg(long)]
    quiet: bool,
    /// Generated events per second over all shards (Poisson); without it flat out.
    #[arg(long)]
    rate: Option<f64>,
    /// Messages to a shard before the next one's turn (0: as many as one write holds).
    #[arg(long, default_value_t = 0)]
    burst: u64,
    /// Traffic events per shard, prepared before the traffic starts; without it no end.
    #[arg(long)]
    events: Option<u64>,
    /// Traffic starts so many ms after all are READY and prepared.
    #[arg(long, default_value_t = 100)]
    lead: u64,
    /// Traffic starts so many ms after the program, whoever is READY.
    #[arg(long)]
    start_after: Option<u64>,
    /// Memory for prepared blocks, MiB.
    #[arg(long, default_value_t = 2_048)]
    block_memory: usize,
    /// Threads that prepare blocks.
    #[arg(long, default_value_t = 2)]
    makers: usize,
    /// Play this capture instead of generated traffic.
    #[arg(long)]
    capture: Option<PathBuf>,
    /// Times the capture's recorded speed; without it flat out.
    #[arg(long, requires = "capture")]
    speed: Option<f64>,
    /// Write the ledger to this file.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// A fault as JSON (may be given many times); the README has the form.
    #[arg(long)]
    fault: Vec<String>,
    /// A file with a JSON array of faults.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// What READY gives as resume_gateway_url: own, refused, unavailable (503), or a URL.
    #[arg(long, default_value = "own")]
    resume_url: String,
    /// A session without a connection can be resumed for so long, ms.
    #[arg(long, default_value_t = 120_000)]
    session_ttl: u64,
    /// Dispatches that each session keeps for RESUME.
    #[arg(long, default_value_t = 1_000_000)]
    replay_events: u64,
    /// Answer a RESUME of an unknown session by close 4009 instead of op 9.
    #[arg(long)]
    close_unknown: bool,
    /// Intents that close with 4014.
    #[arg(long, default_value_t = 0)]
    disallowed_intents: u64,
    /// Send buffer of each connection, bytes.
    #[arg(long, default_value_t = 256 * 1024)]
    send_buffer: usize,
    /// Send one event other than the ledger says, to prove that a comparison notices.
    #[arg(long, value_enum, hide = true)]
    canary: Option<CanaryArg>,
    /// The event and the shard of the canary.
    #[arg(long, default_value_t = 500, hide = true)]
    canary_at: u64,
    /// The shard of the canary.
    #[arg(long, default_value_t = 0, hide = true)]
    canary_shard: u32,
    /// End once every shard waited for has had all its events and all have disconnected.
    #[arg(long)]
    exit_when_done: bool,
    /// End when standard input ends (for a parent process that may die).
    #[arg(long)]
    exit_on_stdin: bool,
    /// Report as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CanaryArg {
    Drop,
    Double,
    Swap,
    Alter,
}

/// Runs the program with these arguments (the first is its name). Returns when it has ended.
pub fn main(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help and version go to standard output, mistakes to standard error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replay-gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> std::io::Result<()> {
    let gateway = Gateway::spawn(config(args)?)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening {}", gateway.url())?;
    stdout.flush()?;
    watch_signals(&gateway)?;
    if args.exit_on_stdin {
        watch_stdin(&gateway)?;
    }
    wait(&gateway, args);
    report(&gateway.stop()?, args)
}

/// Waits for the end; tells when traffic starts.
fn wait(gateway: &GatewayHandle, args: &Args) {
    let mut told_start = false;
    loop {
        std::thread::sleep(LOOK_EVERY);
        if gateway.has_ended() {
            return;
        }
        if told_start && !args.exit_when_done {
            continue;
        }
        let stats = gateway.stats();
        if !told_start && stats.traffic_start_unix_ns != 0 {
            told_start = true;
            println!("traffic {{\"start_unix_ns\":{}}}", stats.traffic_start_unix_ns);
            // Who reads the lines may have gone; the report will say so.
            let _ = std::io::stdout().flush();
        }
        let done = stats.sessions_done >= u64::from(args.shards);
        if args.exit_when_done && done && stats.connections_open == 0 {
            return;
        }
    }
}

fn watch_signals(gateway: &GatewayHandle) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let stop = gateway.stopper();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.forever().next().is_some() {
            stop();
        }
    })?;
    Ok(())
}

fn watch_stdin(gateway: &GatewayHandle) -> std::io::Result<()> {
    let stop = gateway.stopper();
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut buffer = [0; 256];
        while matches!(std::io::stdin().read(&mut buffer), Ok(count) if count > 0) {}
        stop();
    })?;
    Ok(())
}

fn config(args: &Args) -> std::io::Result<Config> {
    let invalid = |text: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, text);
    if args.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err(invalid("--rate must be above 0".to_owned()));
    }
    let start = args.start_after.map_or(Start::Shards(args.shards), Start::After);
    let generated = !args.quiet && args.capture.is_none();
    let traffic = generated.then_some(TrafficConfig {
        start,
        rate_per_s: args.rate,
        rate_shards: args.shards.max(1),
        burst: args.burst,
        events_per_shard: args.events,
        lead_ms: args.lead,
        block_bytes_max: args.block_memory << 20,
        makers: args.makers,
    });
    let capture = args.capture.clone().map(|path| CaptureConfig { path, speed: args.speed, start });
    let canary = args.canary.map(|kind| Canary {
        kind: match kind {
            CanaryArg::Drop => CanaryKind::Drop,
            CanaryArg::Double => CanaryKind::Double,
            CanaryArg::Swap => CanaryKind::Swap,
            CanaryArg::Alter => CanaryKind::Alter,
        },
        shard: args.canary_shard,
        at: args.canary_at,
    });
    let mut faults = Vec::new();
    for text in &args.fault {
        let fault: Fault = serde_json::from_str(text)
            .map_err(|error| invalid(format!("--fault {text}: {error}")))?;
        faults.push(fault);
    }
    if let Some(path) = &args.faults {
        let text = std::fs::read_to_string(path)?;
        let list: Vec<Fault> = serde_json::from_str(&text)
            .map_err(|error| invalid(format!("{}: {error}", path.display())))?;
        faults.extend(list);
    }
    Ok(Config {
        bind: args.listen,
        token: args.token.clone().or_else(|| std::env::var("REPLAY_GATEWAY_TOKEN").ok()),
        heartbeat_interval_ms: args.heartbeat_interval,
        heartbeat_deadline_ms: args.heartbeat_deadline,
        intents_disallowed: args.disallowed_intents,
        guilds_per_shard: args.guilds,
        big_guild_bytes: args.guild_bytes,
        start_guild_spacing_ms: args.guild_spacing,
        members_per_guild: args.members,
        max_concurrency: args.max_concurrency,
        identify_window_ms: args.identify_window,
        recommended_shards: args.shards,
        resume_url: match args.resume_url.as_str() {
            "own" => ResumeUrl::Own,
            "refused" => ResumeUrl::Refused,
            "unavailable" => ResumeUrl::Unavailable,
            url => ResumeUrl::Custom(url.to_owned()),
        },
        session_ttl_ms: args.session_ttl,
        replay_events_max: args.replay_events,
        unknown_session: if args.close_unknown {
            UnknownSession::Close4009
        } else {
            UnknownSession::InvalidSession
        },
        send_buffer_bytes: args.send_buffer,
        traffic,
        capture,
        seed: args.seed,
        faults,
        canary,
        ledger: args.ledger.clone().map_or(LedgerTo::None, LedgerTo::File),
        ..Config::default()
    })
}

fn report(stats: &Stats, args: &Args) -> std::io::Result<()> {
    let sent = stats.traffic_sent.max(1) as f64;
    let cpu_ns = (stats.cpu_user_ns as f64 / sent, stats.cpu_system_ns as f64 / sent);
    let mut stdout = std::io::stdout();
    if args.json {
        let mut value = serde_json::to_value(stats).map_err(std::io::Error::other)?;
        value["cpu_user_ns_per_event"] = cpu_ns.0.into();
        value["cpu_system_ns_per_event"] = cpu_ns.1.into();
        return writeln!(stdout, "{value}");
    }
    let took_ns = stats.traffic_last_unix_ns.saturating_sub(stats.traffic_start_unix_ns);
    let rate = stats.traffic_sent as f64 / (took_ns.max(1) as f64 / 1e9);
    let rows = [
        ("connections", stats.connections.to_string()),
        ("sessions", stats.sessions.to_string()),
        ("identifies", format!("{} ({} too soon)", stats.identifies, stats.identifies_too_soon)),
        ("resumes", format!("{} ({} resumed)", stats.resumes, stats.resumed)),
        ("heartbeats", format!("{} ({} late)", stats.heartbeats, stats.heartbeats_late)),
        ("dispatches numbered", stats.numbered.to_string()),
        ("events sent", format!("{} ({rate:.0}/s)", stats.traffic_sent)),
        ("  from blocks", stats.traffic_from_blocks.to_string()),
        ("  replayed", stats.replayed.to_string()),
        ("bytes written", format!("{} in {} writes", stats.bytes_written, stats.writes)),
        ("blocks prepared in", format!("{:.2} s", stats.prepare_ns as f64 / 1e9)),
        ("waits for a block", stats.starved.to_string()),
        ("CPU ns per event", format!("{:.0} user, {:.0} system", cpu_ns.0, cpu_ns.1)),
        ("faults committed", stats.faults.to_string()),
    ];
    for (name, value) in rows {
        writeln!(stdout, "{name:>20}  {value}")?;
    }
    Ok(())
}

/// How often the end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

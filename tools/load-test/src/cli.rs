//! The flags, and what they mean together: a [`Plan`]. Nothing is started here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use replay_gateway::Token;

use crate::orders;
use crate::placement;
use crate::plan::{Canary, GUILD_BURST_BYTES, GatewayPlan, JobPlan, LedgerMode, Load, Plan};
use crate::plan::{Scenario, Wanted};

/// Drives shardring against a Discord gateway and reports what it saw.
///
/// Without any flag: 64 shards, zlib-stream, 20,000 events a second for five seconds, from a replay
/// gateway that is started as a child process. Every event is read by the handler, written to a
/// ledger, and compared with the gateway's own.
///
/// Exit code: 0 nothing was lost, doubled, out of order or altered; 1 something was; 2 wrong flags;
/// 3 the job could not be done. Ctrl-C ends the job early, with the report so far; twice: at once.
/// A gateway to which every attempt fails for 10 s, with no shard ever READY, is given up.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  load-test                                       the main job
  load-test --shards 1000 --rate 50000            paced, 1,000 shards on one core
  load-test --shards 1000 --flat-out --burst 4    as fast as it goes
  load-test --scenario speed                      bursts of 1, 4 and 16, flat out, one shard
  load-test --scenario memory-b --shards 1000     KiB a shard, windows filled
  load-test --scenario storm --shards 1000        1,000 TLS shards cut at once, beside 200 others
  load-test --commands 60 --seconds 60            events and commands: limits kept, receipts true
  load-test --report report.html                  the main job, with charts to look at
  load-test --gateway ws://127.0.0.1:8080 --ledger-file gateway.ledger")]
pub(crate) struct Cli {
    /// The gateway's address; its ledger is not known unless --ledger-file is given
    #[arg(long, value_name = "URL", help_heading = "Gateway")]
    gateway: Option<String>,
    /// The ledger that a replay gateway at --gateway writes (its --ledger), to compare with
    #[arg(long, value_name = "FILE", requires = "gateway", help_heading = "Gateway")]
    ledger_file: Option<PathBuf>,
    /// The bot's token, for --gateway
    #[arg(long, env = "DISCORD_TOKEN", hide_env_values = true, default_value = TOKEN)]
    #[arg(help_heading = "Gateway")]
    token: Token,
    /// IDENTIFYs per five seconds that the gateway allows; the embedded one allows all at once
    #[arg(long, value_name = "N", requires = "gateway", help_heading = "Gateway")]
    max_concurrency: Option<u32>,
    /// One event is sent other than the gateway's ledger says: the report must find it
    #[arg(long, value_name = "LIE", conflicts_with_all = ["gateway", "capture"])]
    #[arg(help_heading = "Gateway")]
    canary: Option<Canary>,
    /// A fault for the embedded gateway, in JSON (see its README); may be given many times
    #[arg(long, value_name = "JSON", conflicts_with = "gateway", help_heading = "Gateway")]
    fault: Vec<String>,

    /// Shards
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Client")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    shards: u32,
    /// Engine threads, one pinned to a core each [default: 1 of up to 3 cores, else half of them]
    #[arg(long, value_name = "T", help_heading = "Client")]
    threads: Option<usize>,
    /// Cores of the engine's threads, as `2,4-7` [default: the last ones]
    #[arg(long, value_name = "LIST", help_heading = "Client")]
    cpus: Option<String>,
    /// Cores of the embedded gateway and of everything else [default: the other ones]
    #[arg(long, value_name = "LIST", help_heading = "Client")]
    gateway_cpus: Option<String>,
    /// Transport compression
    #[arg(long, value_enum, default_value_t = Wanted::Zlib, help_heading = "Client")]
    compression: Wanted,
    /// The embedded gateway speaks TLS, with a CA made for the job
    #[arg(long, conflicts_with = "gateway", help_heading = "Gateway")]
    tls: bool,
    /// A CA to believe (PEM), for a gateway at wss:// that is not signed by a public one
    #[arg(long, value_name = "FILE", requires = "gateway", help_heading = "Gateway")]
    ca: Option<PathBuf>,
    /// After a wake-up the engine waits so long for more (up to 1,000); saves CPU, costs latency
    #[arg(long, value_name = "MICROS", default_value_t = 0, help_heading = "Client")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=1_000))]
    linger_us: u64,
    /// What the client writes down: full (ids and a hash of each text), ids, or off (counts only)
    #[arg(long, value_enum, help_heading = "Client")]
    ledger: Option<LedgerMode>,

    /// Events a second over all shards, at drawn moments [default: 20000]
    #[arg(long, value_name = "EVENTS_PER_S", conflicts_with = "flat_out")]
    #[arg(help_heading = "Traffic", value_parser = positive)]
    rate: Option<f64>,
    /// As fast as it goes, instead of a rate
    #[arg(long, help_heading = "Traffic")]
    flat_out: bool,
    /// Events that come to a shard at once; flat out: before the next shard's turn
    /// [default: 1; flat out: as many as a write holds]
    #[arg(long, value_name = "MESSAGES", help_heading = "Traffic")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=100_000))]
    burst: Option<u64>,
    /// How long [default: 5, or as long as --events or --capture take]
    #[arg(long, value_name = "S", conflicts_with = "events", help_heading = "Traffic")]
    #[arg(value_parser = positive)]
    seconds: Option<f64>,
    /// How many events, over all shards
    #[arg(long, value_name = "N", help_heading = "Traffic")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// Plays a capture to every shard: one JSON payload a line with its time
    #[arg(long, value_name = "FILE", conflicts_with_all = ["gateway", "rate", "events", "burst"])]
    #[arg(help_heading = "Traffic")]
    capture: Option<PathBuf>,
    /// How much faster than it was recorded the capture is played; with --flat-out: at once
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, requires = "capture")]
    #[arg(help_heading = "Traffic", value_parser = positive)]
    capture_speed: f64,
    /// Guilds in each shard's READY, each followed by its GUILD_CREATE
    #[arg(long, value_name = "G", default_value_t = 1, help_heading = "Traffic")]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=2_500))]
    guilds_per_shard: u32,
    /// The GUILD_CREATEs after READY are 3 MB each
    #[arg(long, conflicts_with = "gateway", help_heading = "Traffic")]
    guild_burst: bool,
    /// Commands a second beside the events, round the shards: presences, voice states, members,
    /// soundboards, channel info. More than Discord lets through is fine: what waits longer than
    /// 5 s expires, and the gateway's own count must not pass a limit
    #[arg(long, value_name = "COMMANDS_PER_S", conflicts_with_all = ["gateway", "scenario"])]
    #[arg(help_heading = "Traffic", value_parser = positive)]
    commands: Option<f64>,
    /// The seed of all that is drawn, on both sides
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = "Traffic")]
    seed: u64,

    /// A series of jobs instead of one
    #[arg(long, value_enum, conflicts_with_all = ["gateway", "canary", "capture"])]
    scenario: Option<Scenario>,
    /// One JSON object on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// Writes a page (HTML, nothing else needed) with charts of latency, throughput, CPU and memory
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Serves the client's metrics as OpenMetrics text at http://ADDR/metrics while a job runs, for
    /// shardring-top and Prometheus; each scrape is a little work for the engine that is measured
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    metrics_listen: Option<SocketAddr>,
    /// No live numbers on standard error
    #[arg(long, short)]
    quiet: bool,
    /// How long until all shards must be READY, besides the pacing of IDENTIFYs; a gateway that no
    /// attempt reaches is given up after 10
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = positive)]
    ready_timeout: f64,
}

impl Cli {
    /// The plan.
    ///
    /// # Errors
    /// A text that names the flag and the rule.
    pub(crate) fn plan(self) -> Result<Plan, String> {
        let allowed =
            placement::allowed().map_err(|error| format!("sched_getaffinity: {error}"))?;
        let placement = placement::place(
            &allowed,
            self.threads,
            self.cpus.as_deref(),
            self.gateway_cpus.as_deref(),
        )?;
        if let Some(path) = &self.report {
            writable(path)?;
        }
        let mut load = self.load()?;
        let mut guilds_per_shard = self.guilds_per_shard;
        match self.scenario {
            None | Some(Scenario::Speed | Scenario::Storm) => {}
            Some(Scenario::MemoryA) => {
                load = Load::Idle { big_guilds: false };
                guilds_per_shard = 1;
            }
            Some(scenario @ (Scenario::MemoryB | Scenario::MemoryC)) => {
                load = Load::Idle { big_guilds: scenario == Scenario::MemoryC };
                guilds_per_shard = MEMORY_GUILDS;
            }
        }
        let mut cut = None;
        if self.scenario == Some(Scenario::Storm) {
            cut = Some(self.shards);
            let (shards, rate_per_s) =
                (self.shards + BYSTANDERS, self.rate.unwrap_or(STORM_RATE_PER_S));
            let seconds = self.seconds.unwrap_or(STORM_SECONDS);
            let events = (rate_per_s * seconds).ceil().max(1.0) as u64;
            let events_per_shard = events.div_ceil(u64::from(shards));
            load = Load::Paced { rate_per_s, burst: 1, events_per_shard };
        }
        let shards = self.shards + cut.map_or(0, |_| BYSTANDERS);
        let compares = self.gateway.is_none() || self.ledger_file.is_some();
        let ledger = match self.ledger {
            Some(mode) => mode,
            None if !compares || matches!(load, Load::Idle { .. }) => LedgerMode::Off,
            None if self.scenario == Some(Scenario::Speed) => LedgerMode::Ids,
            None => LedgerMode::Full,
        };
        match (self.canary, ledger) {
            (Some(_), LedgerMode::Off) | (Some(Canary::Alter), LedgerMode::Ids) => {
                return Err("--canary: this --ledger cannot find it (alter needs full)".to_owned());
            }
            _ => {}
        }
        for fault in &self.fault {
            orders::parse_fault(fault)?;
        }
        let gateway = match self.gateway {
            Some(url) if url.starts_with("ws://") || url.starts_with("wss://") => {
                GatewayPlan::At { url, ledger_file: self.ledger_file }
            }
            Some(url) => return Err(format!("--gateway: `{url}` is no ws:// or wss:// address")),
            None => GatewayPlan::Embedded { canary: self.canary, faults: self.fault },
        };
        if let Load::Paced { events_per_shard, .. }
        | Load::FlatOut { events_per_shard: Some(events_per_shard), .. } = load
            && self.canary.is_some()
            && events_per_shard < orders::CANARY_EVENTS_MIN
        {
            let min = orders::CANARY_EVENTS_MIN;
            return Err(format!("--canary: at least {min} events per shard are needed"));
        }
        let embedded = matches!(gateway, GatewayPlan::Embedded { .. });
        let job = JobPlan {
            gateway,
            token: if embedded { TOKEN.into() } else { self.token },
            shards,
            max_concurrency: match self.max_concurrency {
                Some(max) => max,
                None if embedded => shards,
                None => 1,
            },
            placement,
            compression: self.compression,
            tls: self.tls || cut.is_some(),
            ca: self.ca,
            cut,
            linger: Duration::from_micros(self.linger_us),
            ledger,
            load,
            guilds_per_shard,
            commands_per_s: self.commands,
            guild_bytes: if self.guild_burst { GUILD_BURST_BYTES } else { 0 },
            seed: self.seed,
            ready_timeout: Duration::from_secs_f64(self.ready_timeout),
            metrics_listen: self.metrics_listen,
        };
        let Self { scenario, report, json, quiet, .. } = self;
        Ok(Plan { job, scenario, report, json, quiet })
    }

    fn load(&self) -> Result<Load, String> {
        let at_most = self.seconds.map(Duration::from_secs_f64);
        let per_shard = |events: u64| events.div_ceil(u64::from(self.shards));
        if let Some(path) = &self.capture {
            if !path.is_file() {
                return Err(format!("--capture: there is no file {}", path.display()));
            }
            let speed = (!self.flat_out).then_some(self.capture_speed);
            return Ok(Load::Capture { path: path.clone(), speed, at_most });
        }
        if self.gateway.is_some() {
            if self.rate.is_some() || self.flat_out || self.burst.is_some() {
                return Err("--rate, --flat-out, --burst: what the gateway at --gateway sends is \
                            its own affair"
                    .to_owned());
            }
            let at_most = at_most.or_else(|| self.events.is_none().then_some(SECONDS));
            return Ok(Load::Foreign { events: self.events, at_most });
        }
        if self.flat_out {
            let at_most = at_most.or_else(|| self.events.is_none().then_some(SECONDS));
            let events_per_shard = self.events.map(per_shard);
            return Ok(Load::FlatOut { burst: self.burst.unwrap_or(0), events_per_shard, at_most });
        }
        let rate_per_s = self.rate.unwrap_or(RATE_PER_S);
        let seconds = at_most.unwrap_or(SECONDS).as_secs_f64();
        let events = self.events.unwrap_or((rate_per_s * seconds).ceil().max(1.0) as u64);
        let burst = self.burst.unwrap_or(1);
        Ok(Load::Paced { rate_per_s, burst, events_per_shard: per_shard(events) })
    }
}

/// Whether a page may go there: better to know before the job than after it.
fn writable(path: &Path) -> Result<(), String> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(format!("--report: there is no folder {}", folder.display()));
    }
    if path.is_dir() {
        return Err(format!("--report: {} is a folder", path.display()));
    }
    Ok(())
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() > 0 => Ok(address),
        _ => Err("an address and a port, as 127.0.0.1:9464".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e9 => Ok(number),
        _ => Err("a number above 0 and up to 1e9".to_owned()),
    }
}

/// The token of replay gateways.
const TOKEN: &str = "replay.gateway.token";
/// The main job's pace.
const RATE_PER_S: f64 = 20_000.0;
/// The main job's length.
const SECONDS: Duration = Duration::from_secs(5);
/// Shards that a storm leaves alone.
const BYSTANDERS: u32 = 200;
/// Events a second of a storm: enough to see that none is lost.
const STORM_RATE_PER_S: f64 = 4_000.0;
/// How long its traffic lasts, s.
const STORM_SECONDS: f64 = 20.0;
/// Guilds of a shard in the memory scenarios (b) and (c).
const MEMORY_GUILDS: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn plan(args: &[&str]) -> Result<JobPlan, String> {
        let args = std::iter::once("load-test").chain(args.iter().copied());
        let cli = Cli::try_parse_from(args).map_err(|error| error.to_string())?;
        cli.plan().map(|plan| plan.job)
    }

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_token_reaches_the_job_and_no_debug_shows_it() {
        let text = "a.token.that.nobody.may.see";
        let flags = ["load-test", "--gateway", "ws://gateway.test", "--token", text];
        let cli = Cli::try_parse_from(flags).unwrap();
        let shown = format!("{cli:?}");
        let plan = cli.plan().unwrap();
        assert_eq!(plan.job.token.as_str(), text);
        let shown = format!("{shown} {plan:#?}");
        assert!(shown.contains("Token(redacted)") && !shown.contains(text), "{shown}");
    }

    #[test]
    fn without_flags_it_is_the_main_job() {
        let job = plan(&[]).unwrap();
        assert_eq!((job.shards, job.max_concurrency), (64, 64));
        assert_eq!((job.compression, job.ledger), (Wanted::Zlib, LedgerMode::Full));
        let events_per_shard = 100_000u64.div_ceil(64);
        assert_eq!(job.load, Load::Paced { rate_per_s: 20_000.0, burst: 1, events_per_shard });
    }

    #[test]
    fn events_and_seconds_bound_a_job_each_in_its_way() {
        let load = |args: &[&str]| plan(args).unwrap().load;
        let flat = load(&["--flat-out", "--events", "1000", "--shards", "10", "--burst", "4"]);
        let expected = Load::FlatOut { burst: 4, events_per_shard: Some(100), at_most: None };
        assert_eq!(flat, expected);
        let flat = load(&["--flat-out"]);
        let expected = Load::FlatOut { burst: 0, events_per_shard: None, at_most: Some(SECONDS) };
        assert_eq!(flat, expected);
        let foreign = load(&["--gateway", "ws://127.0.0.1:1", "--events", "7"]);
        assert_eq!(foreign, Load::Foreign { events: Some(7), at_most: None });
    }

    #[test]
    fn flags_that_cannot_work_are_refused() {
        for args in [
            &["--rate", "0"][..],
            &["--rate", "5", "--flat-out"],
            &["--seconds", "1", "--events", "5"],
            &["--shards", "0"],
            &["--gateway", "https://example.com"],
            &["--gateway", "wss://example.com", "--tls"],
            &["--ca", "ca.pem"],
            &["--gateway", "ws://localhost:1", "--rate", "5"],
            &["--gateway", "ws://localhost:1", "--canary", "drop"],
            &["--canary", "alter", "--ledger", "ids"],
            &["--canary", "drop", "--ledger", "off"],
            &["--ledger-file", "x"],
            &["--capture", "no/such/file"],
            &["--canary", "drop", "--events", "64"],
            &["--fault", "{}"],
            &["--linger-us", "5000"],
            &["--threads", "100000"],
            &["--scenario", "memory-d"],
            &["--report", "no/such/folder/report.html"],
            &["--report", "."],
            &["--metrics-listen", "9464"],
            &["--metrics-listen", "127.0.0.1:0"],
        ] {
            assert!(plan(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn a_foreign_gateway_is_paced_and_not_compared_unless_its_ledger_is_given() {
        let job = plan(&["--gateway", "ws://127.0.0.1:1"]).unwrap();
        assert_eq!((job.max_concurrency, job.ledger), (1, LedgerMode::Off));
        let job = plan(&["--gateway", "ws://127.0.0.1:1", "--ledger-file", "a"]).unwrap();
        assert_eq!(job.ledger, LedgerMode::Full);
    }
}

//! The program's flags, and the [`Config`] that they make. Reads files that flags name; starts
//! nothing.

use crate::config::{
    Canary, CanaryKind, CaptureConfig, Config, LedgerTo, ResumeUrl, Start, TrafficConfig,
    UnknownSession, ZstdFrames,
};
use crate::faults::Fault;
use crate::tls::{Certificate, TlsConfig, TlsVersions};
use crate::token::Token;
use clap::{Parser, ValueEnum};
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A Discord gateway in a process: plays generated or recorded traffic, keeps a ledger of what it
/// numbered, and commits faults on demand.
///
/// The first line on standard output is `listening ws://ADDRESS:PORT`; the last thing is the
/// report. SIGINT and SIGTERM end it.
#[derive(Debug, Parser)]
#[command(name = "replay-gateway", version)]
pub(super) struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The one token accepted; without it any that is not empty. Better given by the variable
    /// REPLAY_GATEWAY_TOKEN, which no process list shows.
    #[arg(long)]
    token: Option<Token>,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// heartbeat_interval of HELLO, ms.
    #[arg(long, default_value_t = 41_250)]
    heartbeat_interval: u32,
    /// Count a heartbeat as overdue when it comes so long after its interval, ms.
    #[arg(long, default_value_t = 1_000)]
    heartbeat_grace: u32,
    /// Close a connection without a heartbeat for so long, ms (0: one and a half intervals).
    #[arg(long, default_value_t = 0)]
    heartbeat_deadline: u32,
    /// max_concurrency of session_start_limit.
    #[arg(long, default_value_t = 1)]
    max_concurrency: u32,
    /// Window of one IDENTIFY per key, ms.
    #[arg(long, default_value_t = 5_000)]
    identify_window: u64,
    /// total of session_start_limit.
    #[arg(long, default_value_t = 1_000_000)]
    session_starts: u32,
    /// remaining of session_start_limit at the start; without it all.
    #[arg(long)]
    session_starts_remaining: Option<u32>,
    /// reset_after of session_start_limit at the start, ms.
    #[arg(long, default_value_t = 86_400_000)]
    session_starts_reset: u64,
    /// Refuse requests whose User-Agent is not of the form `DiscordBot (URL, VERSION)`.
    #[arg(long)]
    demand_user_agent: bool,
    /// `shards` of GET /gateway/bot; unless --start-after, traffic waits for so many to be READY.
    #[arg(long, default_value_t = 1)]
    pub(super) shards: u32,
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
    /// Speak TLS (wss://) with a certificate of a CA made at the start.
    #[arg(long)]
    tls: bool,
    /// Write the CA's certificate to this file, as PEM, for clients to trust.
    #[arg(long, requires = "tls")]
    tls_ca_out: Option<PathBuf>,
    /// The certificate shown.
    #[arg(long, value_enum, default_value = "right", requires = "tls")]
    tls_certificate: CertificateArg,
    /// Show this chain (PEM) instead; with --tls-key.
    #[arg(long, requires_all = ["tls", "tls_key"])]
    tls_chain: Option<PathBuf>,
    /// The key of --tls-chain (PEM).
    #[arg(long, requires = "tls_chain")]
    tls_key: Option<PathBuf>,
    /// The versions of TLS spoken.
    #[arg(long, value_enum, default_value = "both", requires = "tls")]
    tls_version: VersionArg,
    /// No TLS session can be resumed.
    #[arg(long, requires = "tls")]
    no_tls_tickets: bool,
    /// Frames of compress=zstd-stream: one that never ends, or one a message.
    #[arg(long, value_enum, default_value = "endless")]
    zstd_frames: FramesArg,
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
    /// An HTTP fault as JSON (may be given many times); the README has the form.
    #[arg(long)]
    http_fault: Vec<String>,
    /// An incident (cut, outage) as JSON (may be given many times); the README has the form.
    #[arg(long)]
    incident: Vec<String>,
    /// What READY gives as resume_gateway_url: own, host (a second port), refused, unavailable
    /// (503), or a URL.
    #[arg(long, default_value = "own")]
    resume_url: String,
    /// Where the second port of --resume-url host listens; without it on any free one.
    #[arg(long)]
    resume_listen: Option<SocketAddr>,
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
    pub(super) exit_when_done: bool,
    /// End when standard input ends (for a parent process that may die).
    #[arg(long)]
    pub(super) exit_on_stdin: bool,
    /// Report as one JSON object.
    #[arg(long)]
    pub(super) json: bool,
    /// A line of status on standard error every so many ms; 0: none. Without it once a second if
    /// standard error is a terminal.
    #[arg(long)]
    pub(super) status: Option<u64>,
}

impl Args {
    /// The error of a start with the flag it is about: the object that gives the same kind of
    /// error when it is opened once more. As it was if none does.
    pub(super) fn name_object(&self, error: std::io::Error) -> std::io::Error {
        let same = |again: std::io::Result<()>| again.is_err_and(|at| at.kind() == error.kind());
        let listens = |addr| std::net::TcpListener::bind(addr).map(drop);
        for (flag, addr) in
            [("--listen", Some(self.listen)), ("--resume-listen", self.resume_listen)]
        {
            if let Some(addr) = addr.filter(|addr| same(listens(*addr))) {
                return std::io::Error::new(error.kind(), format!("{flag} {addr}: {error}"));
            }
        }
        let writes = |path: &PathBuf| std::fs::OpenOptions::new().append(true).open(path);
        let in_folder = |path: &PathBuf| match writes(path) {
            // The file need not be there, but its folder.
            Err(at) if at.kind() == std::io::ErrorKind::NotFound => match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder.metadata().map(drop),
                _ => Ok(()),
            },
            written => written.map(drop),
        };
        let reads = |path: &PathBuf| std::fs::File::open(path).map(drop);
        let files = [
            ("--tls-ca-out", &self.tls_ca_out, self.tls_ca_out.as_ref().map(in_folder)),
            ("--ledger", &self.ledger, self.ledger.as_ref().map(in_folder)),
            ("--capture", &self.capture, self.capture.as_ref().map(reads)),
        ];
        for (flag, path, again) in files {
            if let Some(path) = path.as_ref().filter(|_| again.is_some_and(same)) {
                let text = format!("{flag} {}: {error}", path.display());
                return std::io::Error::new(error.kind(), text);
            }
        }
        error
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CanaryArg {
    Drop,
    Double,
    Swap,
    Alter,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CertificateArg {
    Right,
    WrongName,
    Expired,
    NotYetValid,
    UnknownCa,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VersionArg {
    Both,
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FramesArg {
    Endless,
    Message,
}

/// The configuration that the flags ask for.
///
/// # Errors
/// A flag's text cannot be read.
pub(super) fn config(args: &Args) -> std::io::Result<Config> {
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
    let mut faults = each::<Fault>("--fault", &args.fault)?;
    if let Some(path) = &args.faults {
        let text = std::fs::read_to_string(path)?;
        let list: Vec<Fault> = serde_json::from_str(&text)
            .map_err(|error| invalid(format!("{}: {error}", path.display())))?;
        faults.extend(list);
    }
    Ok(Config {
        bind: args.listen,
        token: args.token.clone().or_else(token_of_environment),
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
            "host" => ResumeUrl::Host,
            url => ResumeUrl::Custom(url.to_owned()),
        },
        resume_bind: args.resume_listen,
        tls: args.tls.then(|| tls(args)),
        zstd_frames: match args.zstd_frames {
            FramesArg::Endless => ZstdFrames::Endless,
            FramesArg::Message => ZstdFrames::EachMessage,
        },
        session_starts_total: args.session_starts,
        session_starts_remaining: args.session_starts_remaining,
        session_starts_reset_ms: args.session_starts_reset,
        demand_user_agent: args.demand_user_agent,
        http_faults: each("--http-fault", &args.http_fault)?,
        incidents: each("--incident", &args.incident)?,
        heartbeat_grace_ms: args.heartbeat_grace,
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
        canary: canary(args),
        ledger: args.ledger.clone().map_or(LedgerTo::None, LedgerTo::File),
        ..Config::default()
    })
}

fn token_of_environment() -> Option<Token> {
    std::env::var("REPLAY_GATEWAY_TOKEN").ok().map(Token::from)
}

fn canary(args: &Args) -> Option<Canary> {
    let kind = match args.canary? {
        CanaryArg::Drop => CanaryKind::Drop,
        CanaryArg::Double => CanaryKind::Double,
        CanaryArg::Swap => CanaryKind::Swap,
        CanaryArg::Alter => CanaryKind::Alter,
    };
    Some(Canary { kind, shard: args.canary_shard, at: args.canary_at })
}

fn tls(args: &Args) -> TlsConfig {
    let certificate = match (&args.tls_chain, &args.tls_key, args.tls_certificate) {
        (Some(chain), Some(key), _) => {
            Certificate::Given { chain: chain.clone(), key: key.clone() }
        }
        (_, _, CertificateArg::Right) => Certificate::Right,
        (_, _, CertificateArg::WrongName) => Certificate::WrongName,
        (_, _, CertificateArg::Expired) => Certificate::Expired,
        (_, _, CertificateArg::NotYetValid) => Certificate::NotYetValid,
        (_, _, CertificateArg::UnknownCa) => Certificate::UnknownCa,
    };
    let versions = match args.tls_version {
        VersionArg::Both => TlsVersions::Both,
        VersionArg::Tls12 => TlsVersions::Tls12,
        VersionArg::Tls13 => TlsVersions::Tls13,
    };
    let (no_tickets, ca_out) = (args.no_tls_tickets, args.tls_ca_out.clone());
    TlsConfig { certificate, versions, no_tickets, ca_out }
}

/// Reads a flag that may be given many times, each a JSON object.
fn each<T: DeserializeOwned>(flag: &str, texts: &[String]) -> std::io::Result<Vec<T>> {
    let read = |text: &String| {
        serde_json::from_str(text).map_err(|error| invalid(format!("{flag} {text}: {error}")))
    };
    texts.iter().map(read).collect()
}

fn invalid(text: String) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(flags: &[&str]) -> String {
        let args = Args::try_parse_from([&["replay-gateway"], flags].concat()).unwrap();
        let error = crate::Gateway::spawn(config(&args).unwrap()).err().unwrap();
        args.name_object(error).to_string()
    }

    #[test]
    fn the_token_is_taken_from_its_flag_and_no_debug_shows_it() {
        let text = "a.token.that.nobody.may.see";
        let args = Args::try_parse_from(["replay-gateway", "--token", text]).unwrap();
        let config = config(&args).unwrap();
        assert_eq!(config.token.as_ref().map(Token::as_str), Some(text));
        let builder = crate::Gateway::builder().token(text);
        let shown = format!("{args:?} {config:#?} {builder:?}");
        assert!(shown.contains("Token(redacted)") && !shown.contains(text), "{shown}");
    }

    #[test]
    fn an_error_of_the_start_names_the_address_or_the_file() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap().to_string();
        assert!(told(&["--listen", &addr]).starts_with(&format!("--listen {addr}: ")));
        for flags in
            [&["--tls", "--tls-ca-out", "no/such/folder/x"][..], &["--ledger", "no/such/folder/x"]]
        {
            let text = told(flags);
            assert!(text.contains("no/such/folder/x"), "{text}");
        }
    }
}

//! The program: flags to a [`Config`](crate::Config), the listening line, and the report at the
//! end. Another binary may call [`main`] to become a gateway (load-test re-executes itself so).

#![allow(clippy::print_stdout)] // a program prints

mod args;
mod report;

use crate::{Gateway, GatewayHandle};
use args::Args;
use clap::Parser as _;
use report::Status;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

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
    let config = args::config(args)?;
    let gateway = Gateway::spawn(config).map_err(|error| args.name_object(error))?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening {}", gateway.url())?;
    if let Some(url) = gateway.resume_url() {
        writeln!(stdout, "resume host {url}")?;
    }
    stdout.flush()?;
    watch_signals(&gateway)?;
    if args.exit_on_stdin {
        watch_stdin(&gateway)?;
    }
    wait(&gateway, args);
    report::report(&gateway.stop()?, args)
}

/// Waits for the end; tells when traffic starts, and from time to time how it stands.
fn wait(gateway: &GatewayHandle, args: &Args) {
    let mut told_start = false;
    let mut status = Status::new(args.status);
    loop {
        std::thread::sleep(LOOK_EVERY);
        if gateway.has_ended() {
            break;
        }
        if told_start && !args.exit_when_done && !status.is_due() {
            continue;
        }
        let stats = gateway.stats();
        if !told_start && stats.traffic_start_unix_ns != 0 {
            told_start = true;
            println!("traffic {{\"start_unix_ns\":{}}}", stats.traffic_start_unix_ns);
            // Who reads the lines may have gone; the report will say so.
            let _ = std::io::stdout().flush();
        }
        status.tell(&stats);
        let done = stats.sessions_done >= u64::from(args.shards);
        if args.exit_when_done && done && stats.connections_open == 0 {
            break;
        }
    }
    status.end();
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

/// How often the end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

//! Drives shardring against a gateway and reports what it saw.
//!
//! The program only: flags, one job or a scenario, the report, the exit code (0 clean, 1 findings,
//! 2 wrong flags, 3 the job could not be done). `load-test replay-gateway …`, which it starts as
//! its own child, becomes the replay gateway.

mod child;
mod cli;
mod commands;
mod course;
mod endpoint;
mod html;
mod http;
mod job;
mod latency;
mod ledger;
mod live;
mod machine;
mod orders;
mod placement;
mod plan;
mod probe;
mod process;
mod read;
mod report;
mod scenario;
mod settle;
mod setup;
mod storm;
mod table;
mod units;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use clap::error::ErrorKind;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::Cli;
use crate::report::Outcome;

fn main() -> ExitCode {
    let mut args = std::env::args();
    let _ = args.next();
    if args.next().as_deref() == Some(child::SUBCOMMAND) {
        return child::become_gateway(&args.collect::<Vec<_>>());
    }
    let cli = Cli::parse();
    let plan = match cli.plan() {
        Ok(plan) => plan,
        Err(detail) => {
            use clap::CommandFactory;
            Cli::command().error(ErrorKind::ValueValidation, detail).exit()
        }
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    if let Err(error) = watch_signals(Arc::clone(&interrupted)) {
        eprintln!("load-test: cannot watch for signals: {error}");
        return ExitCode::from(Outcome::Failed.exit_code());
    }
    let outcome = scenario::run(&plan, &interrupted);
    ExitCode::from(outcome.exit_code())
}

/// The first SIGINT or SIGTERM ends the job, with the report so far; a later one ends the process.
fn watch_signals(interrupted: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut first: Option<Instant> = None;
        for signal in signals.forever() {
            // Some senders signal process and process group: that is one wish, not two.
            if first.get_or_insert_with(Instant::now).elapsed() > SAME_WISH {
                std::process::exit(128 + signal);
            }
            interrupted.store(true, Ordering::Relaxed);
        }
    })?;
    Ok(())
}

/// Signals within this time of the first one mean the same.
const SAME_WISH: Duration = Duration::from_millis(500);

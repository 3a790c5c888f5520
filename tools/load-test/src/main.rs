//! Drives shardring against a gateway and reports what it saw.
//!
//! The program only: flags, one job or a scenario, the report, the exit code (0 clean, 1 findings,
//! 2 wrong flags, 3 the job could not be done). `load-test replay-gateway …`, which it starts as
//! its own child, becomes the replay gateway.

mod child;
mod cli;
mod http;
mod job;
mod latency;
mod ledger;
mod live;
mod orders;
mod placement;
mod probe;
mod process;
mod read;
mod report;
mod scenario;
mod settle;
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use clap::error::ErrorKind;
use signal_hook::consts::{SIGINT, SIGTERM};

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
    for signal in [SIGINT, SIGTERM] {
        // The second signal ends the process at once: registered before the one that sets the flag.
        let twice = signal_hook::flag::register_conditional_shutdown(
            signal,
            128 + signal,
            Arc::clone(&interrupted),
        );
        let once = signal_hook::flag::register(signal, Arc::clone(&interrupted));
        if let Err(error) = twice.and(once) {
            eprintln!("load-test: cannot watch for signals: {error}");
            return ExitCode::from(Outcome::Failed.exit_code());
        }
    }
    let outcome = scenario::run(&plan, &interrupted);
    ExitCode::from(outcome.exit_code())
}

//! The program `replay-gateway`: see `replay_gateway::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    replay_gateway::cli::main(std::env::args_os())
}

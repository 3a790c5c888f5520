//! `shardring-top`: a live terminal view of a shardring engine, through its OpenMetrics endpoint.
//!
//! The program only: flags, then the live view or one picture as text, and the exit code (0 done,
//! 2 wrong flags, 3 no metrics or no terminal). Scrapes and shows; never writes to the engine.

#![allow(clippy::print_stdout)] // a program

mod app;
mod fetch;
mod history;
mod json;
mod live;
mod once;
mod openmetrics;
mod rates;
#[cfg(test)]
mod samples;
mod snapshot;
mod tables;
mod units;
mod view;

use std::io::IsTerminal;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::fetch::Target;

/// Shows what a shardring engine does, live, from the OpenMetrics text that it serves.
///
/// `load-test --metrics-listen ADDR` serves it, the example `openmetrics` shows how a bot does.
/// Each scrape costs each core of the engine one copy of some 200 KiB.
///
/// Exit code: 0 done; 2 wrong flags; 3 no metrics (with --once), or no terminal to draw on.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// The endpoint: plain HTTP; without a path it is /metrics
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464/metrics")]
    #[arg(value_parser = Target::parse)]
    url: Target,
    /// Between two scrapes, 0.5 to 60
    #[arg(long, value_name = "S", default_value = "1", value_parser = interval)]
    interval: Duration,
    /// Prints one picture as text and ends: two scrapes, an interval apart
    #[arg(long)]
    once: bool,
    /// With --once: as one JSON object
    #[arg(long, requires = "once")]
    json: bool,
    /// With --once: asks again for so long until there are metrics
    #[arg(long, value_name = "S", default_value = "0", requires = "once", value_parser = seconds)]
    wait: Duration,
}

fn main() -> ExitCode {
    let keys = format!("Keys:\n{}", indented(view::KEYS));
    let matches = Cli::command().after_help(keys).get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let done = if cli.once {
        once::run(&cli.url, cli.interval, cli.wait, cli.json)
    } else if !std::io::stdout().is_terminal() {
        Err("standard output is no terminal: --once prints one picture as text".to_owned())
    } else {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        live::run(cli.url, cli.interval, view::Theme { colour })
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There may be nobody left to be told.
            let _ = writeln!(std::io::stderr(), "shardring-top: {error}");
            ExitCode::from(3)
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn interval(text: &str) -> Result<Duration, String> {
    let [shortest, .., longest] = app::INTERVALS;
    match seconds(text) {
        Ok(interval) if (shortest..=longest).contains(&interval) => Ok(interval),
        _ => Err("a number of seconds from 0.5 to 60".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1e6).contains(&number) => Ok(Duration::from_secs_f64(number)),
        _ => Err("a number of seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_that_cannot_work_are_refused() {
        for args in [
            &["--url", "https://bot.test"][..],
            &["--url", "nonsense:nonsense"],
            &["--interval", "0.1"],
            &["--interval", "61"],
            &["--interval", "NaN"],
            &["--json"],
            &["--wait", "1"],
            &["--once", "--wait", "-1"],
        ] {
            let args = std::iter::once("shardring-top").chain(args.iter().copied());
            assert!(Cli::try_parse_from(args).is_err());
        }
        let cli = Cli::try_parse_from(["shardring-top", "--interval", "0.5"]).unwrap();
        assert_eq!(cli.interval, app::INTERVALS[0]);
        assert_eq!(cli.url.to_string(), "http://127.0.0.1:9464/metrics");
    }

    #[test]
    fn the_readme_has_every_key() {
        let readme = include_str!("../README.md");
        for line in view::KEYS.lines() {
            assert!(readme.contains(line.trim()), "{line}");
        }
    }
}

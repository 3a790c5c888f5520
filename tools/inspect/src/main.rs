//! `inspect`: reads payloads through the library's public door and tells how they were read: in
//! full, in part, untyped or not at all; which keys and values the model does not know; and, with
//! `--roundtrip`, whether what is written out again is what came in.
//!
//! Prints to standard output; what keeps it from working goes to standard error.

#![allow(clippy::print_stdout)] // a program

mod drift;
mod input;
mod report;
mod roundtrip;
mod table;
mod tally;

use clap::Parser;
use input::Documents;
use report::{Report, Verdict};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use tally::Inspector;

/// Reads payloads of Discord's gateway as shardring reads them, and tells what it could not read
/// and what it does not know.
///
/// A FILE holds one JSON object after another, mostly one a line: payloads
/// `{"t":…,"s":…,"op":…,"d":…}`, or the lines of a capture, `{"time_ms":…,"payload":{…}}`.
/// Payloads that are no dispatch are counted and stepped over.
///
/// Exit code: 0 every field that the model knows was read (whole); 1 some event or field was not,
/// or one was lost or changed on the way out again, or a document was broken; 2 wrong flags; 3 a
/// file could not be read; 4 there was no event to read.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  inspect capture.ndjson               what is in it, and what the model does not know
  inspect --roundtrip capture.ndjson   and whether it is the same when written out again
  inspect --json - < payload.json      for programs")]
struct Cli {
    /// What to read; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write each event out again and compare it with what came, key by key
    #[arg(long)]
    roundtrip: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut inspector = Inspector::new(cli.roundtrip);
    for path in &cli.files {
        let documents = match Documents::open(path) {
            Ok(documents) => documents,
            Err(error) => return unreadable(path, &error),
        };
        for document in documents {
            match document {
                Ok(document) => inspector.see(path, document),
                Err(error) => return unreadable(path, &error),
            }
        }
    }
    let report = inspector.report();
    let mut out = std::io::stdout().lock();
    let written =
        if cli.json { write_json(&report, &mut out) } else { table::write(&report, &mut out) };
    match written {
        // Whoever read the table has seen enough of it.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("inspect: standard output: {error}");
            ExitCode::from(3)
        }
        _ => match report.verdict {
            Verdict::Whole => ExitCode::SUCCESS,
            Verdict::NotWhole => ExitCode::from(1),
            Verdict::NothingRead => ExitCode::from(4),
        },
    }
}

fn write_json(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

fn unreadable(path: &std::path::Path, error: &std::io::Error) -> ExitCode {
    eprintln!("inspect: {}: {error}", path.display());
    ExitCode::from(3)
}

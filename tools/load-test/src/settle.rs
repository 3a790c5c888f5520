//! The comparison of what the gateway numbered with what the handlers saw, from the two files.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use replay_gateway::ledger::{self, Record, SessionLost, compare};

use crate::report::Report;

/// Compares the ledgers of a gateway that has ended.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn compare_files(
    theirs: &Path,
    ours: &Path,
    notices: &[SessionLost],
) -> io::Result<ledger::Report> {
    let (_, gateway) = ledger::read(theirs)?;
    let (_, client) = ledger::read(ours)?;
    Ok(compare(&gateway, &client, notices))
}

/// Compares with the ledger of a gateway that may still be writing it: waits, up to
/// [`LEDGER_PATIENCE`], until it holds all that the client saw. Sessions of other clients, and
/// what was numbered after the client had left, are not ours to judge.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn compare_foreign(
    theirs: &Path,
    ours: &Path,
    lost: &[SessionLost],
    last: &[SessionLost],
) -> io::Result<ledger::Report> {
    let (_, client) = ledger::read(ours)?;
    let notices = [lost, last].concat();
    let sessions: BTreeSet<u64> = notices.iter().map(|notice| notice.session).collect();
    let until = Instant::now() + LEDGER_PATIENCE;
    loop {
        let gateway = match ledger::read(theirs) {
            Ok((_, gateway)) => gateway,
            // Its first records are still in the gateway's memory.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && Instant::now() < until => {
                std::thread::sleep(LEDGER_EVERY);
                continue;
            }
            Err(error) => return Err(error),
        };
        let gateway: Vec<Record> =
            gateway.into_iter().filter(|record| sessions.contains(&record.session)).collect();
        let report = compare(&gateway, &client, &notices);
        if report.unexpected == 0 || Instant::now() >= until {
            return Ok(report);
        }
        std::thread::sleep(LEDGER_EVERY);
    }
}

/// Enters a comparison into the report.
pub(crate) fn enter(compared: io::Result<ledger::Report>, ended_early: bool, report: &mut Report) {
    match compared {
        Ok(ledger) => report.set_ledger(ledger, ended_early),
        Err(error) => report.fail(format!("the ledgers cannot be compared: {error}")),
    }
}

/// How long the gateway's ledger is waited for.
const LEDGER_PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at it.
const LEDGER_EVERY: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use replay_gateway::ledger::{Header, TRAFFIC, Writer};
    use std::path::PathBuf;

    fn write(name: &str, records: &[Record]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("load-test-{}-{name}", std::process::id()));
        let mut writer = Writer::create(&path, Header::default()).unwrap();
        records.iter().for_each(|record| writer.append(*record).unwrap());
        writer.finish().unwrap();
        path
    }

    #[test]
    fn of_a_foreign_ledger_only_our_sessions_up_to_our_end_are_judged() {
        let record = |session: u64, s: u32| {
            let id = (session << 50) + (u64::from(s) << 40);
            Record { session, s, flags: TRAFFIC, id, hash: 1 }
        };
        let gateway: Vec<Record> =
            (1..=2).flat_map(|session| (2..12).map(move |s| record(session, s))).collect();
        let client: Vec<Record> = (2..8).filter(|s| *s != 5).map(|s| record(1, s)).collect();
        let (theirs, ours) = (write("theirs", &gateway), write("ours", &client));
        let last = [SessionLost { session: 1, after_s: 7 }];
        let report = compare_foreign(&theirs, &ours, &[], &last).unwrap();
        std::fs::remove_file(theirs).unwrap();
        std::fs::remove_file(ours).unwrap();
        assert_eq!((report.numbered, report.seen), (10, 5));
        assert_eq!((report.lost, report.excused), (1, 4), "5 is lost, 8 to 11 came after our end");
    }
}

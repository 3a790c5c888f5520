//! The client's ledger: what the handler saw, on its way to a file and to the comparison.
//!
//! A core fills chunks that were allocated (and touched) before the engine started; a writer
//! thread empties them into the file. Bound: [`CHUNKS`] chunks of [`CHUNK_RECORDS`] a core; when
//! all are full the core waits for the writer, which shows as latency and is counted. Nothing of a
//! payload but its hash is kept. The writer's CPU time is part of the process's and so of the
//! figures.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use replay_gateway::ledger::{Header, Record, Writer};

/// One core's end.
#[derive(Debug)]
pub(crate) struct Page {
    filling: Vec<Record>,
    full: Sender<Full>,
    empty: Receiver<Vec<Record>>,
    back: SyncSender<Vec<Record>>,
    /// Times that the core had to wait for the writer.
    pub(crate) waits: u64,
}

/// A chunk on its way to the writer, and where it goes back to.
struct Full(Vec<Record>, SyncSender<Vec<Record>>);

/// The writer thread.
#[derive(Debug)]
pub(crate) struct Clerk {
    thread: JoinHandle<io::Result<u64>>,
}

/// Creates the file, starts the writer, and makes the pages of `cores` cores. `pin` is called on
/// the writer's thread first.
///
/// # Errors
/// The file cannot be created, the thread cannot be started.
pub(crate) fn open(
    path: &Path,
    cores: usize,
    pin: impl FnOnce() + Send + 'static,
) -> io::Result<(Clerk, Vec<Page>)> {
    let mut writer = Writer::create(path, Header::default())?;
    let (full, filled) = channel::<Full>();
    let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || {
        pin();
        let (mut result, mut count) = (Ok(()), 0);
        for Full(mut chunk, back) in filled {
            for record in &chunk {
                if result.is_ok() {
                    result = writer.append(*record);
                    count += 1;
                }
            }
            chunk.clear();
            // A core that has ended wants no chunk back.
            let _ = back.send(chunk);
        }
        result.and_then(|()| writer.finish()).map(|()| count)
    })?;
    let pages = (0..cores).map(|_| Page::new(full.clone())).collect();
    Ok((Clerk { thread }, pages))
}

impl Page {
    fn new(full: Sender<Full>) -> Self {
        let (back, empty) = sync_channel(CHUNKS);
        for _ in 1..CHUNKS {
            // The channel holds CHUNKS and both ends are here.
            let _ = back.send(touched_chunk());
        }
        Self { filling: touched_chunk(), full, empty, back, waits: 0 }
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, record: Record) {
        self.filling.push(record);
        if self.filling.len() == CHUNK_RECORDS {
            self.turn();
        }
    }

    /// Hands the started chunk to the writer.
    pub(crate) fn flush(&mut self) {
        if !self.filling.is_empty() {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let next = self.empty.try_recv().ok().or_else(|| {
            self.waits += 1;
            self.empty.recv_timeout(WRITER_PATIENCE).ok()
        });
        // Without one (a disk that hangs) the ledger grows rather than the core standing still.
        let chunk = std::mem::replace(&mut self.filling, next.unwrap_or_default());
        let _ = self.full.send(Full(chunk, self.back.clone()));
    }
}

impl Clerk {
    /// Waits until everything is written; all pages must be gone. Gives the number of records.
    ///
    /// # Errors
    /// Whatever writing gave.
    pub(crate) fn close(self) -> io::Result<u64> {
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the ledger's writer panicked")))
    }
}

fn touched_chunk() -> Vec<Record> {
    let mut chunk = vec![Record { session: 1, ..Record::default() }; CHUNK_RECORDS];
    chunk.clear();
    chunk
}

/// Records of a chunk: 128 KiB.
const CHUNK_RECORDS: usize = 4_096;
/// Chunks of a core: 2 MiB.
const CHUNKS: usize = 16;
/// How long a core waits for the writer.
const WRITER_PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use replay_gateway::ledger::read;

    #[test]
    fn what_cores_push_is_in_the_file_in_the_order_of_each_core() {
        let name = format!("load-test-ledger-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let (clerk, pages) = open(&path, 2, || ()).unwrap();
        let count = 3 * CHUNKS * CHUNK_RECORDS + 17;
        let cores: Vec<_> = pages
            .into_iter()
            .enumerate()
            .map(|(core, mut page)| {
                std::thread::spawn(move || {
                    for n in 0..count {
                        let record =
                            Record { session: core as u64 + 1, s: n as u32, ..Record::default() };
                        page.push(record);
                    }
                    page.flush();
                })
            })
            .collect();
        cores.into_iter().for_each(|core| core.join().unwrap());
        assert_eq!(clerk.close().unwrap(), 2 * count as u64);
        let (_, records) = read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for core in 1..=2 {
            let seen =
                records.iter().filter(|record| record.session == core).map(|record| record.s);
            assert!(seen.eq(0..count as u32), "core {core}");
        }
    }
}

//! Several processes over one book, some of them killed: this test program, started again in a
//! part that an environment variable names.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shardring::sans_io::clock::{Rng, Time};
use shardring::sans_io::shard::budget::{Counted, StartLedger as _};
use shardring::sans_io::shard::identify::{CLAIM_LEASE, Claim, KeyStore as _, TURN};
use shardring::{Book, BookError, HostClock};

use crate::support::{Place, TestHost, at, token};

const PART: &str = "SHARDRING_BOOK_TEST_PART";
const PATH: &str = "SHARDRING_BOOK_TEST_PATH";

/// What a child process does. In the parent there is no part, and nothing to do.
#[test]
fn the_part_of_a_child() {
    let Ok(part) = std::env::var(PART) else { return };
    let path = std::env::var(PATH).unwrap();
    let path = Path::new(&path);
    match part.as_str() {
        "count-all" => count_all(path),
        "count-on" => count_on(path),
        "turns" => take_turns(path),
        "claim" | "claim-write" => claim_and_stay(path, part == "claim-write"),
        "full-disk" => on_a_full_disk(path),
        other => panic!("no part {other}"),
    }
}

fn child(part: &str, path: &Path) -> Child {
    start(Command::new(std::env::current_exe().unwrap()), part, path)
}

fn start(mut command: Command, part: &str, path: &Path) -> Child {
    command
        .args(["--exact", "processes::the_part_of_a_child", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(PATH, path)
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// Says a line that the parent is to read, whole or not at all.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    out.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// What children said, each line whole.
fn said(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    std::iter::from_fn(move || {
        loop {
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some(line) = line.trim_end().strip_prefix('@') {
                return Some(line.to_owned());
            }
        }
    })
}

fn kill(mut child: Child) {
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
}

const LIMIT: u32 = 10_000;

fn count_all(path: &Path) {
    let book = Book::open(path, &token()).unwrap();
    say("ready");
    while !path.with_file_name("go").exists() {
        thread::yield_now();
    }
    let mut mine = 0;
    loop {
        match book.count(LIMIT, at(1)) {
            Counted::Yes(_) => mine += 1,
            Counted::Full(_) => break,
            Counted::Busy(_) => thread::yield_now(),
        }
    }
    say(&format!("{mine}"));
}

#[test]
fn processes_that_count_at_once_count_exactly() {
    let place = Place::new("exact");
    let mut children: Vec<_> = (0..3).map(|_| child("count-all", place.path())).collect();
    let mut lines: Vec<_> = children.iter_mut().map(said).collect();
    assert!(lines.iter_mut().all(|lines| lines.next().as_deref() == Some("ready")));
    std::fs::write(place.path().with_file_name("go"), "").unwrap();
    let counted: Vec<u32> =
        lines.into_iter().map(|lines| lines.last().unwrap().parse().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(counted.iter().sum::<u32>(), LIMIT, "{counted:?}");
    let book = Book::open(place.path(), &token()).unwrap();
    assert_eq!(book.state(at(1)).counted, LIMIT);
}

fn count_on(path: &Path) {
    let book = Book::open(path, &token()).unwrap();
    loop {
        if let Counted::Yes(state) = book.count(u32::MAX, at(1)) {
            say(&format!("{}", state.counted));
        }
    }
}

#[test]
fn a_process_killed_at_any_moment_has_counted_what_it_was_told_and_at_most_one_more() {
    let place = Place::new("killed");
    let mut rng = Rng::new(3);
    let mut last = 0;
    for _ in 0..15 {
        let mut child = child("count-on", place.path());
        let mut lines = said(&mut child);
        let mut told: u32 = lines.next().unwrap().parse().unwrap();
        assert!(told > last, "what was counted before is remembered");
        thread::sleep(rng.jitter(Duration::from_millis(8)));
        kill(child);
        if let Some(line) = lines.last() {
            told = line.parse().unwrap();
        }
        let book = Book::open(place.path(), &token()).unwrap();
        last = book.state(at(1)).counted;
        assert!((told..=told + 1).contains(&last), "told {told}, remembered {last}");
    }
}

/// A hundred seconds pass on it in one: the same for all processes, since none can set it here.
#[derive(Debug)]
struct FastHost;

impl HostClock for FastHost {
    fn boot_ms(&self) -> u64 {
        self.wall_ms()
    }

    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        (since.as_micros() / 10) as u64
    }

    fn boot(&self) -> u64 {
        1
    }
}

const KEYS: u32 = 3;

/// Claims, writes and gives back for ever, and says each step: when it began at the earliest, or
/// ended at the latest.
fn take_turns(path: &Path) {
    let book = Book::open_on(path, &token(), Arc::new(FastHost)).unwrap();
    let mut rng = Rng::new(u64::from(std::process::id()));
    loop {
        let key = (rng.next_u64() % u64::from(KEYS)) as u32;
        let before_ms = FastHost.boot_ms();
        if book.claim(key, Time::ZERO) == Claim::Granted {
            say(&format!("granted {key} {before_ms} {}", FastHost.boot_ms()));
            thread::sleep(rng.jitter(Duration::from_millis(4)));
            if rng.fraction() < 0.2 {
                say(&format!("given-back {key} {0} {0}", FastHost.boot_ms()));
                book.give_back(key, Time::ZERO);
            } else {
                say(&format!("written {key} {0} {0}", FastHost.boot_ms()));
                book.written(key, Time::ZERO);
            }
        } else {
            thread::yield_now();
        }
    }
}

#[derive(Debug)]
struct Step {
    process: usize,
    what: String,
    key: u32,
    from_ms: u64,
    until_ms: u64,
}

#[test]
fn processes_never_hold_a_key_at_once_nor_within_a_turn_of_a_write_even_if_they_are_killed() {
    let place = Place::new("turns");
    let mut rng = Rng::new(5);
    let mut readers = Vec::new();
    let mut running = Vec::new();
    for process in 0..9 {
        let mut child = child("turns", place.path());
        let lines = said(&mut child);
        readers.push(thread::spawn(move || lines.map(|line| step(process, &line)).collect()));
        running.push(child);
        thread::sleep(Duration::from_millis(150) + rng.jitter(Duration::from_millis(150)));
        if running.len() == 3 {
            kill(running.remove((rng.next_u64() % 3) as usize));
        }
    }
    running.into_iter().for_each(kill);
    let steps: Vec<Vec<Step>> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    let mut steps: Vec<Step> = steps.into_iter().flatten().collect();
    steps.sort_by_key(|step| step.until_ms);
    let mut granted = 0;
    for key in 0..KEYS {
        // From when on the key may be another's, by what has been said.
        let (mut holder, mut free_at_ms) = (usize::MAX, 0);
        for step in steps.iter().filter(|step| step.key == key) {
            match step.what.as_str() {
                "granted" => {
                    let is_free = step.until_ms >= free_at_ms;
                    assert!(is_free, "free at {free_at_ms}, held by {holder}: {step:?}");
                    granted += 1;
                    holder = step.process;
                    free_at_ms = step.from_ms + CLAIM_LEASE.as_millis() as u64;
                }
                _ if step.process != holder => {} // its lease ended before it was woken
                "written" => free_at_ms = step.from_ms + TURN.as_millis() as u64,
                _ => free_at_ms = step.from_ms,
            }
        }
    }
    assert!(granted > 30, "{granted} turns were taken");
}

fn step(process: usize, line: &str) -> Step {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap();
    Step {
        process,
        what: word().to_owned(),
        key: word().parse().unwrap(),
        from_ms: word().parse().unwrap(),
        until_ms: word().parse().unwrap(),
    }
}

fn claim_and_stay(path: &Path, writes: bool) {
    let book = Book::open_on(path, &token(), TestHost::new()).unwrap();
    assert_eq!(book.claim(5, at(0)), Claim::Granted);
    assert!(matches!(book.count(9, at(0)), Counted::Yes(_)));
    if writes {
        book.written(5, at(0));
    }
    say("done");
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_process_killed_between_claim_and_write_frees_its_key_when_the_lease_ends() {
    for (part, rests) in [("claim", CLAIM_LEASE), ("claim-write", TURN + Duration::from_millis(1))]
    {
        let place = Place::new(part);
        let mut child = child(part, place.path());
        assert_eq!(said(&mut child).next().unwrap(), "done");
        kill(child);
        let host = TestHost::new();
        let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
        assert_eq!(book.state(at(0)).counted, 1, "{part}: counted is counted");
        assert_eq!(book.claim(5, at(0)), Claim::Later(Time::ZERO + rests), "{part}");
        host.advance(rests);
        assert_eq!(book.claim(5, at(0)), Claim::Granted, "{part}");
    }
}

/// No byte can be written after the first 512: by a limit, which fails as a full disk does.
fn on_a_full_disk(path: &Path) {
    let error = Book::open(path.with_file_name("new"), &token()).unwrap_err();
    assert!(matches!(error, BookError::Io { what: "made", .. }), "{error}");
    assert!(error.to_string().contains("cannot be made"), "{error}");

    let book = Book::open(path, &token()).unwrap();
    assert!(matches!(book.count(9, at(0)), Counted::Yes(_)), "the window is overwritten in place");
    assert!(matches!(book.claim(4000, at(0)), Claim::Later(_)), "not granted without a record");
    assert!(book.trouble().is_some());
    // The next call that works ends the trouble.
    assert!(!book.state(at(0)).is_degraded);
    say("refused");
}

#[test]
fn what_cannot_be_written_is_not_granted() {
    let place = Place::new("full");
    drop(Book::open(place.path(), &token()).unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]);
    shell.arg(std::env::current_exe().unwrap());
    let mut child = start(shell, "full-disk", place.path());
    let line = said(&mut child).last();
    assert!(child.wait().unwrap().success());
    assert_eq!(line.as_deref(), Some("refused"));
    let names = std::fs::read_dir(place.path().parent().unwrap()).unwrap().count();
    assert_eq!(names, 1, "no half of a book is left");
}

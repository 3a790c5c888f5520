//! The book of session starts and identify keys, through its public doors and as a file.
//!
//! `processes` has several of them share a book, and kills them; `damage` breaks the file; here is
//! one process under clocks of its own.
#![cfg(feature = "driver")]

mod damage;
mod processes;
mod support;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use shardring::sans_io::shard::ShardId;
use shardring::sans_io::shard::budget::{
    Budget, BudgetSettings, Counted, Leave, LedgerState, Start, StartLedger as _, WINDOW,
};
use shardring::sans_io::shard::identify::{
    CLAIM_LEASE, Claim, IdentifyGate as _, KeyStore as _, LocalGate, SharedGate, TURN, Turn,
};
use shardring::{Book, BookError, ErrorKind};

use support::{Place, TestHost, at, token};

#[test]
fn what_was_counted_is_remembered_and_the_limit_holds() {
    let place = Place::new("counted");
    let host = TestHost::new();
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    assert_eq!(book.state(at(5)), LedgerState::default());
    for expected in 1..=3 {
        let Counted::Yes(state) = book.count(3, at(5)) else { panic!("room is left") };
        assert_eq!(state.counted, expected);
        assert_eq!(state.resets_at, Some(at(5) + WINDOW));
    }
    assert!(matches!(book.count(3, at(5)), Counted::Full(state) if state.counted == 3));
    drop(book);

    host.advance(WINDOW - Duration::from_secs(1));
    let again = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    let state = again.state(at(9));
    assert_eq!((state.counted, state.resets_at), (3, Some(at(10))));
    host.advance(Duration::from_secs(1));
    assert_eq!(again.state(at(10)), LedgerState::default(), "the window is over");
}

#[test]
fn threads_of_one_process_count_exactly() {
    let place = Place::new("threads");
    let book = Book::open(place.path(), &token()).unwrap();
    let counted: u32 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = 0;
                    loop {
                        match book.count(400, at(1)) {
                            Counted::Yes(_) => mine += 1,
                            Counted::Full(_) => return mine,
                            Counted::Busy(_) => thread::yield_now(),
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((counted, book.state(at(1)).counted), (400, 400));
}

#[test]
fn a_key_rests_a_turn_after_it_was_written_and_none_after_it_was_given_back() {
    let place = Place::new("keys");
    let host = TestHost::new();
    let [one, two] = [1, 2].map(|_| Book::open_on(place.path(), &token(), host.clone()).unwrap());
    assert_eq!(one.claim(7, at(1)), Claim::Granted);
    assert_eq!(one.claim(7, at(1)), Claim::Granted, "it is its own");
    assert_eq!(two.claim(7, at(1)), Claim::Later(at(1) + CLAIM_LEASE));
    assert_eq!(two.claim(8, at(1)), Claim::Granted, "another key");
    one.give_back(7, at(1));
    assert_eq!(two.claim(7, at(1)), Claim::Granted);
    two.written(7, at(1));
    let Claim::Later(free_at) = one.claim(7, at(1)) else { panic!("it rests") };
    assert!(free_at >= at(1) + TURN && free_at <= at(1) + TURN + Duration::from_millis(2));
    assert!(matches!(two.claim(7, at(1)), Claim::Later(_)), "the rest is for all");
    host.advance(TURN);
    assert!(matches!(one.claim(7, at(1)), Claim::Later(_)), "rounded up");
    host.advance(Duration::from_millis(1));
    assert_eq!(one.claim(7, at(1)), Claim::Granted);
    assert!(matches!(one.claim(Book::keys_max(), at(1)), Claim::Later(_)), "no such key");
}

#[test]
fn gates_and_budgets_of_two_processes_work_over_one_book() {
    let place = Place::new("engines");
    let host = TestHost::new();
    let settings = || {
        let mut settings = BudgetSettings::default();
        (settings.total, settings.reserve) = (Some(3), Some(0));
        settings
    };
    let process = || {
        let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
        let budget = Budget::new(settings(), Arc::new(book.clone()), None, at(0));
        (SharedGate::new(LocalGate::new(1), book), budget)
    };
    let (one, two) = (process(), process());
    let shard = |id| ShardId { id, total: 2 };
    let (first, second) =
        (one.0.enqueue(shard(0), true, at(0)), two.0.enqueue(shard(1), true, at(0)));
    assert_eq!(one.0.ask(&first, at(0)), Turn::Now);
    assert!(matches!(two.0.ask(&second, at(0)), Turn::Later(_)), "the other process has the key");
    assert_eq!(one.1.count(Start::First, at(0)), Leave::Now);
    one.0.written(first, at(0));
    assert!(matches!(two.0.ask(&second, at(1)), Turn::Later(_)), "and then it rests");
    host.advance(Duration::from_secs(6));
    assert_eq!(two.0.ask(&second, at(6)), Turn::Now);
    assert_eq!(two.1.remaining(at(6)), 2, "the other's start is counted");
    assert_eq!(two.1.count(Start::First, at(6)), Leave::Now);
    two.0.written(second, at(6));
    assert_eq!(one.1.count(Start::Again, at(6)), Leave::Now);
    assert!(matches!(two.1.count(Start::First, at(6)), Leave::Later(_)), "all are spent");
    let three = process();
    assert!(three.1.check_start(1, 1, at(7)).is_err(), "and whoever starts anew knows it");
}

#[test]
fn a_wall_clock_that_jumps_changes_nothing_while_the_machine_runs() {
    let place = Place::new("jumps");
    let host = TestHost::new();
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    assert!(matches!(book.count(9, at(1)), Counted::Yes(_)));
    assert_eq!(book.claim(0, at(1)), Claim::Granted);
    let other = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    for wall_ms in [0, u64::MAX, 1] {
        host.set_wall(wall_ms);
        assert_eq!(book.state(at(1)).resets_at, Some(at(1) + WINDOW));
        assert_eq!(other.claim(0, at(1)), Claim::Later(at(1) + CLAIM_LEASE));
        let third = Book::open_on(place.path(), &token(), host.clone()).unwrap();
        assert_eq!(third.state(at(1)).counted, 1);
    }
}

#[test]
fn over_a_boot_the_day_goes_on_and_used_keys_rest_a_turn() {
    let place = Place::new("boot");
    let host = TestHost::new();
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    for _ in 0..5 {
        assert!(matches!(book.count(9, at(1)), Counted::Yes(_)));
    }
    assert_eq!(book.claim(3, at(1)), Claim::Granted);
    drop(book);

    host.reboot(Duration::from_secs(60));
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    let state = book.state(at(1));
    assert_eq!(
        (state.counted, state.resets_at),
        (5, Some(at(1) + (WINDOW - Duration::from_secs(60))))
    );
    assert_eq!(book.claim(3, at(1)), Claim::Later(at(1) + TURN));
    assert_eq!(book.claim(4, at(1)), Claim::Granted, "never used");
    drop(book);

    host.reboot(Duration::ZERO);
    host.set_wall(0); // the machine has lost its clock
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    let state = book.state(at(1));
    assert_eq!(state.counted, 5, "the day is not forgotten");
    assert!(state.resets_at <= Some(at(1) + WINDOW), "nor does it last for ever");
}

#[test]
fn discords_figures_are_kept_for_all() {
    let place = Place::new("align");
    let host = TestHost::new();
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    assert_eq!(book.align(700, at(3600), at(0)).counted, 700);
    let other = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    let state = other.state(at(0));
    assert_eq!((state.counted, state.resets_at), (700, Some(at(3600))));
    assert!(matches!(other.count(701, at(0)), Counted::Yes(_)));
    assert_eq!(book.align(650, at(3601), at(0)).counted, 701, "what is on its way counts");
    assert!(matches!(book.count(701, at(0)), Counted::Full(_)));
}

#[test]
fn a_book_that_others_hold_is_busy_and_nothing_is_lost_meanwhile() {
    let place = Place::new("busy");
    let host = TestHost::new();
    let book = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    let other = Book::open_on(place.path(), &token(), host.clone()).unwrap();
    assert!(matches!(book.count(9, at(1)), Counted::Yes(_)));
    assert_eq!(book.claim(1, at(1)), Claim::Granted);
    assert_eq!(book.claim(2, at(1)), Claim::Granted);

    let lock = File::open(place.path()).unwrap();
    lock.lock().unwrap();
    assert!(matches!(book.count(9, at(1)), Counted::Busy(again) if again > at(1)));
    assert!(matches!(book.claim(3, at(1)), Claim::Later(again) if again > at(1)));
    assert_eq!(book.state(at(1)).counted, 1, "as it was last seen");
    book.written(1, at(1));
    book.give_back(2, at(1));
    assert_eq!(book.align(100, at(50), at(1)).counted, 100, "known at once");
    assert!(!book.state(at(1)).is_degraded, "not yet");
    host.advance(Duration::from_secs(6));
    assert!(book.state(at(7)).is_degraded, "it has lasted too long");
    lock.unlock().unwrap();

    let state = book.state(at(7));
    assert_eq!((state.counted, state.is_degraded), (100, false));
    assert_eq!(other.state(at(7)).counted, 100);
    assert_eq!(other.claim(1, at(7)), Claim::Granted, "a turn after the write, not the call");
    assert_eq!(other.claim(2, at(7)), Claim::Granted, "given back");
}

#[test]
fn a_book_that_lost_its_name_grants_nothing_and_says_so() {
    let place = Place::new("unlinked");
    let book = Book::open(place.path(), &token()).unwrap();
    assert!(matches!(book.count(9, at(1)), Counted::Yes(_)));
    fs::remove_file(place.path()).unwrap();
    assert!(matches!(book.count(9, at(1)), Counted::Busy(_)));
    assert!(matches!(book.claim(0, at(1)), Claim::Later(_)));
    let state = book.state(at(1));
    assert_eq!((state.counted, state.is_degraded), (1, true));
    assert_eq!(book.trouble(), Some(std::io::ErrorKind::NotFound));
}

#[test]
fn paths_that_cannot_be_a_book_are_refused_in_words_and_left_alone() {
    let place = Place::new("refused");
    fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    let missing = place.path().join("no/such/folder/book");
    let error = Book::open(missing, &token()).unwrap_err();
    assert!(error.to_string().contains("its folder does not exist"), "{error}");

    let folder = place.path().parent().unwrap();
    assert!(matches!(Book::open(folder, &token()), Err(BookError::Io { .. })));
    assert!(matches!(Book::open("/dev/null", &token()), Err(BookError::NotABook { .. })));
    let error = Book::open("/proc/book", &token()).unwrap_err();
    assert!(matches!(error, BookError::Io { what: "made", .. }), "{error}");

    fs::write(place.path(), "#!/bin/sh\n").unwrap();
    let error = Book::open(place.path(), &token()).unwrap_err();
    assert!(matches!(error, BookError::NotABook { .. }));
    assert_eq!(fs::read(place.path()).unwrap(), b"#!/bin/sh\n");
    let error = shardring::Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("refused/book is another file"), "{error}");
}

#[test]
fn the_book_of_another_bot_is_refused_and_a_reset_token_is_the_same_bot() {
    let place = Place::new("bot");
    drop(Book::open(place.path(), &support::token_of("81384788765712384", "first")).unwrap());
    drop(Book::open(place.path(), &support::token_of("81384788765712384", "second")).unwrap());
    let other = Book::open(place.path(), &support::token_of("81384788765712385", "first"));
    assert!(matches!(other, Err(BookError::OtherBot { .. })));
}

#[test]
fn the_file_is_private_and_holds_nothing_of_the_token() {
    let place = Place::new("private");
    let book = Book::open(place.path(), &token()).unwrap();
    assert!(matches!(book.count(9, at(1)), Counted::Yes(_)));
    book.sync().unwrap();
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o177, 0, "{mode:o}");
    let bytes = fs::read(place.path()).unwrap();
    let shown = format!("{book:?}");
    for part in token().expose().split('.') {
        assert!(!bytes.windows(part.len()).any(|window| window == part.as_bytes()));
        assert!(!shown.contains(part), "{shown}");
    }
    let names: Vec<_> = fs::read_dir(place.path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["book"], "no draft is left behind");
}

#[test]
fn a_lock_that_is_never_given_back_fails_the_opening_in_words() {
    let place = Place::new("stopped");
    drop(Book::open(place.path(), &token()).unwrap());
    let lock = File::open(place.path()).unwrap();
    lock.lock().unwrap();
    let error = Book::open(place.path(), &token()).unwrap_err();
    assert!(matches!(error, BookError::Busy { .. }));
    assert!(error.to_string().contains("SIGSTOP"), "{error}");
}

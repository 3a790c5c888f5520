//! What each payload of the corpus decodes to, as `Debug` prints it, beside what it was when
//! somebody last looked: `snapshots/<NAME>.txt`.
//!
//! `SHARDRING_BLESS=1 cargo test --test corpus snapshots` writes the files anew (and strikes those
//! of payloads that are gone); the difference is then read in the commit.

use crate::corpus;
use shardring::decode::Scratch;
use std::collections::BTreeSet;
use std::fs;

#[test]
fn every_payload_decodes_to_its_snapshot() {
    let folder = corpus::folder().join("snapshots");
    let is_blessed = std::env::var_os("SHARDRING_BLESS").is_some_and(|word| word == "1");
    if is_blessed {
        fs::create_dir_all(&folder).unwrap();
    }
    let mut scratch = Scratch::new();
    let mut faults = Vec::new();
    let mut files = BTreeSet::new();
    for payload in corpus::payloads() {
        let text = payload.text.as_bytes();
        let mut got =
            corpus::read(&mut scratch, payload.kind, text, |event, _| format!("{event:#?}\n"))
                .unwrap();
        for note in scratch.notes().iter() {
            got += &format!("note: {}.{}: expected {}\n", note.object, note.field, note.expected);
        }
        let path = folder.join(format!("{}.txt", payload.name));
        let was = fs::read_to_string(&path).unwrap_or_default();
        if is_blessed && was != got {
            fs::write(&path, &got).unwrap();
        } else if was != got {
            faults.push(format!("{}: {}", payload.name, difference(&was, &got)));
        }
        files.insert(path);
    }
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if is_blessed && !files.contains(&path) {
            fs::remove_file(path).unwrap();
        } else if !files.contains(&path) {
            faults.push(format!("{}: of no payload", path.display()));
        }
    }
    assert!(faults.is_empty(), "{} differ (see {}):\n{}", faults.len(), file!(), faults.join("\n"));
}

/// The first line in which two texts differ.
fn difference(was: &str, got: &str) -> String {
    if was.is_empty() {
        return "has no snapshot".to_owned();
    }
    let same = was.lines().zip(got.lines()).take_while(|(was, got)| was == got).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").trim().to_owned();
    format!("line {}: was `{}`, is `{}`", same + 1, line(was), line(got))
}

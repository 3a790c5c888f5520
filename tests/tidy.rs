//! Style as a test: what CONTRIBUTING.md asks of the code and a compiler does not check.
//!
//! It reads the repository's text and knows nothing of Rust but how rustfmt lays it out (which the
//! first lane of `.ci/run` makes sure of). The tables below are the rules; three of them hold
//! exceptions of today, which may shrink and never grow.

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a source file, its inline tests not counted.
const FILE_LINES_MAX: usize = 460;
/// The most lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// The most characters of a line.
const LINE_LEN_MAX: usize = 100;

/// Files that are longer, with the size that they must not outgrow. Tables, most of them.
const LONG_FILES: &[(&str, usize)] = &[];

/// Functions that are longer, with the size that they must not outgrow.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// Files with comments that are too wide, and how many such lines they must not exceed.
const WIDE_FILES: &[(&str, usize)] = &[
    ("src/model/macros.rs", 1),
    ("src/shard/desk.rs", 1),
    ("src/shard/heartbeat.rs", 1),
    ("src/shard/identify.rs", 1),
    ("src/shard/session.rs", 3),
    ("src/shard/session/transition.rs", 1),
    ("tools/replay-gateway/src/config.rs", 1),
    ("tools/replay-gateway/tests/breaches.rs", 1),
];

/// Who may use whom. A room is a file or a folder directly under `src/`.
const ARROWS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("error", &[]),
    ("command", &[]),
    ("wire", &["clock"]),
    ("decode", &["clock"]),
    ("model", &["decode"]),
    ("metrics", &["model", "shard"]),
    ("trust", &["error"]),
    ("discovery", &["clock", "decode", "error", "shard", "trust", "wire"]),
    ("config", &["command", "decode", "discovery", "error", "model", "shard", "trust", "wire"]),
    ("shard", &["clock", "command", "config", "decode", "error", "metrics", "model", "wire"]),
    ("testing", &["clock", "config", "decode", "error", "metrics", "model", "shard", "wire"]),
    (
        "driver",
        &[
            "clock",
            "command",
            "config",
            "discovery",
            "error",
            "metrics",
            "model",
            "shard",
            "trust",
            "wire",
        ],
    ),
];

/// Rooms that take time, randomness and bytes as arguments.
const SANS_IO: &[&str] = &["clock", "command", "decode", "model", "shard", "testing", "wire"];

/// What those rooms never name.
const WORLD: &[&str] = &[
    "std::net",
    "std::thread",
    "std::fs",
    "std::process",
    "std::os",
    "Instant::now",
    "SystemTime",
    "tokio",
    "async fn",
    "thread_local!",
];

/// Each dependency and the only places that may name it.
const DOORS: &[(&str, &[&str])] = &[
    ("tungstenite", &["src/wire/frame.rs", "src/wire/upgrade.rs"]),
    ("zlib_rs", &["src/wire/inflate.rs"]),
    ("simd_json", &["src/decode/"]),
    ("bumpalo", &["src/decode/"]),
    ("serde", &["src/decode/", "src/model/"]),
    ("hdrhistogram", &["src/metrics/mod.rs"]),
    ("io_uring", &["src/driver/"]),
    ("tokio", &["src/driver/"]),
    ("tokio_uring", &["src/driver/"]),
    ("libc", &["src/driver/"]),
    ("rustls", &["src/wire/tls", "src/trust.rs", "src/discovery/http.rs"]),
    ("rustls_native_certs", &["src/trust.rs"]),
    ("webpki_roots", &["src/trust.rs"]),
    ("zstd_safe", &["src/wire/zstd.rs"]),
    ("ureq", &["src/discovery/http.rs"]),
    ("tracing", &["src/shard/trace.rs", "src/driver/"]),
];

/// Where `unsafe` may stand, and how often. Elsewhere: never.
const UNSAFE: &[(&str, usize)] = &[
    ("src/driver/ring.rs", usize::MAX),
    ("src/driver/system.rs", usize::MAX),
    // Each calls the ring, whose operations outlive the call.
    ("src/driver/core.rs", 1),
    ("src/driver/dial.rs", 1),
    ("src/driver/rest.rs", 1),
];

/// Work that is not done, and tests that do not run.
const BANNED: &[&str] =
    &["todo!", "unimplemented!", "dbg!", "#[ignore", "TODO", "FIXME", "XXX", "#[should_panic]"];

/// Places of one machine.
const MACHINE_PATHS: &[&str] = &["/root/", "/work/", "/home/", "/tmp/", "/Users/"];

#[test]
fn every_source_file_opens_with_what_it_holds() {
    let files = sources(&["src", "tests", "benches", "examples", "tools"]);
    let closed = files.iter().filter(|file| !file.text.starts_with("//! "));
    refuse(closed.map(|file| format!("{}: opens without `//!`", file.path)));
}

#[test]
fn rooms_use_only_the_rooms_that_their_arrows_allow() {
    let mut found = Vec::new();
    for file in sources(&["src"]).iter().filter(|file| file.path != "src/lib.rs") {
        let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == file.room()) else {
            found.push(format!("{}: a room without a row in ARROWS", file.path));
            continue;
        };
        for (number, line) in file.code() {
            for used in
                line.match_indices("crate::").map(|(at, word)| name(&line[at + word.len()..]))
            {
                // An empty name is a group, a capital a re-export: both hide which room is meant.
                if used != file.room() && !allowed.contains(&used) {
                    found.push(format!("{}:{number}: {} uses `{used}`", file.path, file.room()));
                }
            }
            let is_root = file.path.matches('/').count() == 1 || file.path.ends_with("/mod.rs");
            if is_root && !line.starts_with(' ') && line.contains("super::") {
                found.push(format!("{}:{number}: `super` is the crate: name the room", file.path));
            }
        }
    }
    refuse(found);
}

#[test]
fn rooms_without_io_never_name_the_world() {
    let files = sources(&["src"]);
    refuse(files.iter().filter(|file| SANS_IO.contains(&file.room())).flat_map(|file| {
        file.code().flat_map(move |(number, line)| {
            WORLD
                .iter()
                .filter(move |word| line.contains(**word))
                .map(move |word| format!("{}:{number}: {word}", file.path))
        })
    }));
}

#[test]
fn every_dependency_has_a_door_and_is_named_nowhere_else() {
    let manifest = read(&root().join("Cargo.toml"));
    let mut found: Vec<String> = manifest
        .split("\n[")
        .find(|section| section.starts_with("dependencies]"))
        .expect("the manifest has dependencies")
        .lines()
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name.replace('-', "_")))
        .filter(|dependency| DOORS.iter().all(|(known, _)| known != dependency))
        .map(|dependency| format!("Cargo.toml: {dependency} has no row in DOORS"))
        .collect();
    for file in sources(&["src"]) {
        for (dependency, doors) in DOORS {
            if doors.iter().any(|door| file.path.starts_with(door)) {
                continue;
            }
            for (number, line) in file.code().filter(|(_, line)| has_word(line, dependency)) {
                found.push(format!("{}:{number}: {dependency}: {line}", file.path));
            }
        }
    }
    refuse(found);
}

#[test]
fn unsafe_stands_only_at_the_ring_and_at_system_calls() {
    refuse(sources(&["src", "tools", "examples"]).iter().filter_map(|file| {
        let count = file.code().filter(|(_, line)| has_word(line, "unsafe")).count();
        let allowed = UNSAFE.iter().find(|(path, _)| *path == file.path).map_or(0, |row| row.1);
        (count > allowed).then(|| format!("{}: {count} times, allowed: {allowed}", file.path))
    }));
}

#[test]
fn nothing_is_left_half_done_and_no_test_is_switched_off() {
    refuse(occurrences(&sources(&["src", "tests", "benches", "examples", "tools"]), BANNED));
}

#[test]
fn no_text_names_a_place_of_one_machine() {
    let mut files = sources(&["src", "tests", "benches", "examples", "tools"]);
    files.extend(TEXTS.iter().map(|path| Source::read(&root().join(path))));
    refuse(occurrences(&files, MACHINE_PATHS));
}

/// Texts at the root that travel with the code.
const TEXTS: &[&str] = &["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Cargo.toml"];

#[test]
fn no_getter_is_called_get() {
    refuse(occurrences(&sources(&["src"]), &["fn get_"]));
}

#[test]
fn lines_fit_into_a_hundred_columns() {
    let files = sources(&["src", "tests", "benches", "examples", "tools"]);
    refuse(files.iter().flat_map(|file| {
        let wide: Vec<_> =
            file.text.lines().enumerate().filter(|(_, line)| is_too_long(line)).collect();
        let known = WIDE_FILES.iter().find(|(path, _)| *path == file.path).map_or(0, |row| row.1);
        let found = if wide.len() > known { wide } else { Vec::new() };
        found
            .into_iter()
            .map(|(at, line)| format!("{}:{}: {} columns", file.path, at + 1, line.chars().count()))
    }));
}

/// Rows of tables, addresses and literals are not broken.
fn is_too_long(line: &str) -> bool {
    let text = line.trim_start();
    let is_row = text.starts_with("//! |") || text.starts_with("/// |");
    line.chars().count() > LINE_LEN_MAX
        && !is_row
        && !text.contains("://")
        && !text.contains("r#\"")
        && !text.starts_with('"')
}

#[test]
fn files_stay_short_enough_to_be_read_at_once() {
    let mut found = Vec::new();
    for file in sources(&["src"]) {
        let len = file.untested().lines().count();
        let exception = LONG_FILES.iter().find(|(path, _)| *path == file.path);
        found.extend(ratchet(&file.path, len, FILE_LINES_MAX, exception.map(|row| row.1)));
    }
    refuse(found);
}

#[test]
fn functions_stay_short_enough_to_be_read_at_once() {
    let mut found = Vec::new();
    for file in sources(&["src"]) {
        for (name, len) in functions(file.untested()) {
            let exception = LONG_FUNCTIONS.iter().find(|row| row.0 == file.path && row.1 == name);
            let what = format!("{} fn {name}", file.path);
            found.extend(ratchet(&what, len, FUNCTION_LINES_MAX, exception.map(|row| row.2)));
        }
    }
    refuse(found);
}

/// What is wrong with a length: over the bound, over its exception, or an exception no more.
fn ratchet(what: &str, len: usize, len_max: usize, exception: Option<usize>) -> Option<String> {
    match exception {
        None if len > len_max => Some(format!("{what}: {len} lines, at most {len_max}")),
        Some(known) if len > known => Some(format!("{what}: {len} lines, grown from {known}")),
        Some(_) if len <= len_max => {
            Some(format!("{what}: {len} lines are no exception any more: strike its row"))
        }
        _ => None,
    }
}

#[test]
fn the_exceptions_are_still_there() {
    let files = sources(&["src"]);
    let is_there = |path: &str| files.iter().any(|file| file.path == path);
    let paths = LONG_FILES
        .iter()
        .map(|row| row.0)
        .chain(LONG_FUNCTIONS.iter().map(|row| row.0))
        .chain(UNSAFE.iter().map(|row| row.0));
    refuse(
        paths.filter(|path| !is_there(path)).map(|path| format!("{path}: gone, strike its row")),
    );
    refuse(LONG_FUNCTIONS.iter().filter_map(|(path, name, _)| {
        let file = files.iter().find(|file| file.path == *path)?;
        let is_there = functions(file.untested()).iter().any(|(found, _)| found == name);
        (!is_there).then(|| format!("{path} fn {name}: gone, strike its row"))
    }));
}

#[test]
fn the_yardsticks_measure() {
    let sample = "\
//! A sample.

impl A {
    fn short(&self) -> u8;
    pub(crate) const fn three(
        &self,
    ) -> u8 {
        1 // tokio
    }
    fn one(&self) {}
}
// unsafe
#[cfg(test)]
mod tests {
    fn four() {
        if true {
        }
    }
}
";
    let file = Source { path: "src/wire/sample.rs".into(), text: sample.into() };
    assert_eq!(file.room(), "wire");
    assert_eq!(functions(sample), [("three".to_owned(), 5), ("four".to_owned(), 4)]);
    assert_eq!(functions(file.untested()).len(), 1);
    let code: Vec<_> = file.code().map(|(_, line)| line).collect();
    assert!(code.contains(&"        1"), "a comment is no code");
    assert!(!code.iter().any(|line| line.contains("unsafe") || line.contains("tokio")));
    assert!(has_word("use tokio::net;", "tokio") && !has_word("use tokio_uring::net;", "tokio"));
    assert_eq!(name("shard::id"), "shard");
    assert!(is_too_long(&"x".repeat(101)) && !is_too_long(&"ä".repeat(100)));
    assert!(ratchet("x", 71, 70, None).is_some() && ratchet("x", 70, 70, None).is_none());
    assert!(ratchet("x", 81, 70, Some(80)).is_some() && ratchet("x", 80, 70, Some(80)).is_none());
    assert!(ratchet("x", 70, 70, Some(80)).is_some());
}

/// A file of the repository.
struct Source {
    /// From the root, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let from_root = path.strip_prefix(root()).expect("it lies under the root");
        Self { path: from_root.to_str().expect("names are ASCII").into(), text: read(path) }
    }

    /// The room that a file under `src/` belongs to.
    fn room(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split(['/', '.']).next().unwrap_or(inside)
    }

    /// Lines and their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| {
            let code = match line.find("//") {
                Some(comment) if line[..comment].trim().is_empty() => "",
                _ => line.split(" // ").next().unwrap_or(line),
            };
            (at + 1, code)
        })
    }

    /// The text before its inline tests.
    fn untested(&self) -> &str {
        match self.text.find("\n#[cfg(test)]\nmod tests {") {
            Some(end) => &self.text[..end],
            None => &self.text,
        }
    }
}

/// The functions that span lines, with how many: rustfmt closes each at the column it opened.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let text = line.trim_start();
        let Some(at) = text.find("fn ") else { continue };
        let is_signature = text[..at].split_whitespace().all(|word| {
            ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"].contains(&word)
        });
        if !is_signature || text.starts_with("//") {
            continue;
        }
        let indent = &line[..line.len() - text.len()];
        let closing = format!("{indent}}}");
        // The signature's end: a body, or nothing.
        let opens = lines[start..].iter().position(|line| line.ends_with(['{', ';', '}']));
        let Some(opens) = opens.filter(|opens| lines[start + opens].ends_with('{')) else {
            continue;
        };
        if let Some(body) = lines[start + opens..].iter().position(|line| *line == closing) {
            found.push((name(&text[at + 3..]).to_owned(), opens + body + 1));
        }
    }
    found
}

/// The identifier that a text begins with.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// `word` stands in `line` as a whole word.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

fn occurrences(files: &[Source], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    // This file names what it bans.
    for file in files.iter().filter(|file| file.path != "tests/tidy.rs") {
        for (at, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", file.path, at + 1));
            }
        }
    }
    found
}

/// All `.rs` files under these folders of the root, in a fixed order.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut files = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    assert!(files.iter().any(|path| path.ends_with("lib.rs")), "src/ was read");
    files.iter().map(|path| Source::read(path)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    // The tools do not travel with the published crate.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn refuse(found: impl IntoIterator<Item = String>) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

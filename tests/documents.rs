//! The documents lead where they say: each relative link of a Markdown file is a file of the
//! repository, and one that ends in `.rs#name` names a function that stands in it, so that a table
//! that promises a test cannot outlive it.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no documents of ours.
const SKIPPED: [&str; 2] = ["target", ".git"];

#[test]
fn every_relative_link_leads_to_a_file_and_every_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = Vec::new();
    collect(root, &mut documents);
    assert!(documents.len() >= 5, "the documents were found: {documents:?}");
    let mut links = 0;
    let mut broken = Vec::new();
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        for link in relative_links(&text) {
            links += 1;
            if let Err(why) = follow(document, link) {
                let name = document.strip_prefix(root).unwrap().display();
                broken.push(format!("{name}: {link}: {why}"));
            }
        }
    }
    assert!(links > 20, "links were found: {links}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Every row of the table of the older libraries' behaviours has an answer that is not empty, and
/// none is missing.
#[test]
fn every_behaviour_of_the_older_libraries_has_an_answer() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/parity.md"));
    let text = text.unwrap();
    for (letter, count) in [("N", 20), ("H", 17), ("S", 7), ("A", 12), ("C", 14)] {
        for number in 1..=count {
            let id = format!("| {letter}{number} |");
            let row = text.lines().find(|line| line.starts_with(&id));
            let row = row.unwrap_or_else(|| panic!("{id} has no row"));
            let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            assert!(cells.len() >= 4 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
            let shown = cells[3].contains(".rs#") || cells[3].starts_with("no place");
            assert!(shown, "{row}\nneither names a test nor says why it has no place");
        }
    }
}

fn collect(folder: &Path, documents: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
            collect(&path, documents);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
}

/// The targets of `[text](target)` outside of code blocks that are no URL and not in the document
/// itself.
fn relative_links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let mut rest = if in_code { "" } else { line };
        while let Some((_, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            rest = after;
            let elsewhere = target.contains("://") || target.starts_with(['#', '<']);
            if !elsewhere && !target.is_empty() && !target.contains(' ') {
                links.push(target);
            }
        }
    }
    links
}

fn follow(document: &Path, link: &str) -> Result<(), String> {
    let (file, name) = link.split_once('#').unwrap_or((link, ""));
    let path = document.parent().unwrap().join(file);
    if !path.exists() {
        return Err("there is no such file".to_owned());
    }
    if !file.ends_with(".rs") || name.is_empty() || is_line(name) {
        return Ok(());
    }
    let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let is_there = text.contains(&format!("fn {name}("));
    if is_there { Ok(()) } else { Err(format!("no function {name} stands there")) }
}

/// `L12`, as source browsers name a line.
fn is_line(name: &str) -> bool {
    name.strip_prefix('L').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let here = Path::new(file!());
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(here);
    assert_eq!(
        relative_links("a [b](c.md) [d](https://e) [f](#g) [h](i.rs#j)"),
        ["c.md", "i.rs#j"]
    );
    assert!(follow(&here, "nowhere.md").is_err());
    assert!(follow(&here, "documents.rs#no_such_test").is_err());
    assert!(follow(&here, "documents.rs#a_link_that_leads_nowhere_is_found").is_ok());
}

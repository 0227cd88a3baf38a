//! ARCHITECTURE.md names files, tests, crates and threads as they are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::docs::root;

/// Each heading of the code map that is a folder is followed by all of its files, and no others.
#[test]
fn the_map_is_complete() {
    let text = page();
    let sections = text.split("\n### `").skip(1).map(|section| section.split_once("`\n").unwrap());
    let mut mapped = Vec::new();
    for (folder, section) in sections {
        let rows = section.lines().take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with("| `"));
        let named: BTreeSet<&str> = rows.flat_map(|row| quoted(row.split('|').nth(1).unwrap())).collect();
        let found = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let found: BTreeSet<String> = found
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(named, found.iter().map(String::as_str).collect(), "{folder}");
        mapped.push(root().join(folder));
    }
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let sources = entry.unwrap().path().join("src");
        assert!(mapped.contains(&sources), "{} is not in the code map", sources.display());
    }
}

/// Each invariant names files that exist, and tests that are in the file named before them.
#[test]
fn guards_exist() {
    let text = page();
    let invariants = text.split_once("\n## Invariants\n").unwrap().1;
    let mut file = String::new();
    for word in quoted(invariants) {
        let path = root().join(word);
        if word.contains('/') {
            file = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{word}: {error}"));
        } else if word.contains('_') && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            let is_lint = ["float_cmp", "print_stdout", "unsafe_code"].contains(&word);
            assert!(is_lint || file.contains(&format!("fn {word}(")), "no test `{word}` in the file named before it");
        }
    }
}

/// Every file that the page names exists, the write that it describes step by step included.
#[test]
fn files_exist() {
    let is_path = |word: &&str| is_rust(word) && (word.starts_with("crates/") || word.starts_with("xtask/"));
    let mut is_code = false;
    let mut count = 0;
    for line in page().lines() {
        is_code ^= line.starts_with("```");
        for word in quoted(line).filter(|word| !is_code && is_path(word)) {
            assert!(root().join(word).is_file(), "ARCHITECTURE.md names `{word}`, which does not exist");
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_crate_is_listed() {
    let page = page();
    for folder in fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path()) {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let name = manifest.split("name = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let row = format!("| `{name}` | `crates/{}` |", folder.file_name().unwrap().to_str().unwrap());
        assert!(page.contains(&row), "no row begins with {row}");
    }
}

/// The table of threads has each thread that the crates start by a name, in a row that names its file.
#[test]
fn every_thread_is_listed() {
    let page = page();
    let table = page.split_once("\n## Threads\n").unwrap().1.split_once("\n## ").unwrap().0;
    let rows: Vec<Vec<&str>> =
        table.lines().filter(|line| line.starts_with("| ")).map(|row| row.split('|').collect()).collect();
    let mut count = 0;
    for folder in fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path()) {
        // Its threads are those of tests.
        if folder.ends_with("origin") {
            continue;
        }
        for file in sources_below(&folder.join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let file = file.strip_prefix(root()).unwrap().to_str().unwrap();
            for name in thread_names(&text, file) {
                let is_row = |row: &&Vec<&str>| {
                    quoted(row[1]).any(|thread| thread == name) && quoted(row[2]).any(|place| place == file)
                };
                assert!(rows.iter().any(|row| is_row(&row)), "no row for the thread `{name}`, which {file} starts");
                count += 1;
            }
        }
    }
    assert!(count >= 10, "only {count} threads were found in the sources");
}

/// The list of decisions has each page once, by number, with its title.
#[test]
fn decisions_are_listed() {
    let folder = root().join("docs/decisions");
    let mut pages: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    pages.sort();
    let rows: Vec<String> = pages
        .iter()
        .map(|page| {
            let text = fs::read_to_string(folder.join(page)).unwrap();
            let heading = text.lines().next().unwrap();
            let (number, title) =
                heading.trim_start_matches("# ").split_once(": ").unwrap_or_else(|| panic!("{page}: {heading}"));
            assert!(page.starts_with(&format!("{number}-")), "{page} has the heading `{heading}`");
            format!("| [{number}]({page}) | {title} |")
        })
        .collect();
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    let listed: Vec<&str> = list.lines().filter(|line| line.starts_with("| [")).collect();
    assert_eq!(listed, rows);
}

/// The names that a file gives to threads: as texts, or in constants whose names end with `THREAD`.
fn thread_names<'t>(text: &'t str, file: &str) -> BTreeSet<&'t str> {
    let starts =
        ["thread::Builder::new()", ".thread_name(", "BoundedThread::spawn("].iter().any(|mark| text.contains(mark));
    // `BoundedThread` gets its name from its callers.
    if !starts || file.ends_with("bounded_thread.rs") {
        return BTreeSet::new();
    }
    let literal = |rest: &'t str| rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
    let after = |mark: &'static str| text.split(mark).skip(1).filter_map(literal);
    let spawned = text.split("thread::Builder::new()").skip(1);
    let spawned = spawned.filter_map(|rest| rest.trim_start().strip_prefix(".name(")).filter_map(literal);
    let found = spawned
        .chain(after(" spawn("))
        .chain(after("BoundedThread::spawn("))
        .chain(after(".thread_name("))
        .chain(after("THREAD: &str = "));
    let names: BTreeSet<&str> = found.collect();
    assert!(!names.is_empty(), "{file} starts a thread whose name this test does not find");
    names
}

fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(sources_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn page() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

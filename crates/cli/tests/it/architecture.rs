//! What ARCHITECTURE.md says of files and tests is so.

use std::collections::BTreeSet;
use std::fs;

use crate::docs::root;

/// Each heading of the code map that is a folder is followed by all of its files, and no others.
#[test]
fn the_map_is_complete() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
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
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
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

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

//! Text that users read, comments and names of tests have the project's words: none that was replaced, and none that is
//! archaic.
//!
//! The lists are in `tests/words/`: a pattern, and what to write instead; exceptions name a file, a pattern and the reason.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::root;

/// A word or phrase that is not to be used.
struct Word {
    pattern: String,
    instead: String,
}

#[test]
fn no_replaced_or_archaic_word_is_in_texts_comments_and_names_of_tests() {
    let words: Vec<Word> = ["replaced.tsv", "archaic.tsv"].into_iter().flat_map(words).collect();
    let exceptions = rows("exceptions.tsv");
    let mut used = vec![false; exceptions.len()];
    let mut found = Vec::new();
    let mut check = |path: &Path, texts: Vec<(usize, String)>| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        for (line, text) in texts {
            for Word { pattern, instead } in words.iter().filter(|word| has(&text, &word.pattern)) {
                let exception = exceptions.iter().position(|row| name.starts_with(&row[0]) && row[1] == *pattern);
                match exception {
                    Some(number) => used[number] = true,
                    None => found.push(format!("{name}:{line}: `{pattern}`; write: {instead}\n    {}", text.trim())),
                }
            }
        }
    };
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let is_code = path.extension().is_some_and(|extension| extension == "rs");
        check(&path, if is_code { literals(&text) } else { prose(&text) });
    }
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        check(&path, comments(&text));
        check(&path, names_of_tests(&text));
    }
    assert!(found.is_empty(), "{} words to replace:\n{}", found.len(), found.join("\n"));
    for (row, used) in exceptions.iter().zip(used) {
        assert!(used, "the exception for `{}` in {} is not needed", row[1], row[0]);
        assert!(row.len() == 3 && !row[2].is_empty(), "the exception for `{}` in {} has no reason", row[1], row[0]);
    }
}

/// Every term of the design and of the code has an entry with all of its columns.
#[test]
fn the_glossary_has_every_term() {
    let page = fs::read_to_string(root().join("docs/reference/glossary.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| term"));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
    let rows: Vec<&Vec<&str>> = rows.iter().filter(|row| !row[1].starts_with("---")).collect();
    for row in &rows {
        assert!(row.len() == 6 && row[1..5].iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    let terms: Vec<&str> = rows.iter().flat_map(|row| row[1].split(", ")).collect();
    for term in [
        "document",
        "section",
        "flag",
        "entry",
        "stable",
        "new",
        "key",
        "position",
        "share",
        "ramp",
        "flip",
        "activation",
        "definition",
        "member",
        "lock",
        "source",
        "snapshot",
        "register",
        "stamp",
        "node",
        "peer",
        "epoch",
        "quarantined",
        "tombstone",
        "gc floor",
        "anti-entropy",
        "Merkle tree",
        "membership",
        "quorum",
        "majority",
        "driver",
        "committer",
        "receipt",
        "acknowledgement level",
        "lease",
        "view",
        "handle",
        "shadowed",
        "digest",
        "tag",
    ] {
        assert!(terms.contains(&term), "no entry for `{term}`");
    }
    for page in ["README.md", "ARCHITECTURE.md", "docs/README.md"] {
        assert!(fs::read_to_string(root().join(page)).unwrap().contains("reference/glossary.md"), "{page} has no link");
    }
}

#[test]
fn words_are_found_whole_in_literals_and_prose() {
    assert!(has("Take the dial away", "the dial") && has("Dialled.", "dialled"));
    assert!(!has("the dialer", "the dial") && !has("recommend", "mend") && !has("amended", "mended"));
    let code = "/// dial\nlet x = \"a dial\"; // \"dial\"\nlet y = r#\"b \"dial\" c\"#;\nlet q = '\"';\n#[cfg(test)]\nmod tests {\n\"dial\"";
    assert_eq!(literals(code), [(2, "a dial".to_owned()), (3, "b \"dial\" c".to_owned())]);
    assert_eq!(comments(code), [(1, "/ dial".to_owned()), (2, " \"dial\"".to_owned())]);
    assert_eq!(comments("let u = \"http://a b\";"), []);
    let code = "#[test]\nfn a_dial_is_set() {}\n#[tokio::test]\nasync fn it_dials() {}\nfn dial() {}\n";
    assert_eq!(names_of_tests(code), [(2, "a dial is set".to_owned()), (4, "it dials".to_owned())]);
    let page = "a `dial`\n```rust\ndial\n```\nb\n```text\nc\n```\nd\n";
    let prose: Vec<(usize, String)> = prose(page);
    assert_eq!(prose.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 5, 7, 9], "{prose:?}");
    assert_eq!(prose[0].1, "a  ");
}

/// Whether the text has the pattern as whole words, whatever their case.
fn has(text: &str, pattern: &str) -> bool {
    let text = text.to_lowercase();
    let is_word =
        |character: Option<char>| character.is_some_and(|character| character.is_alphanumeric() || character == '_');
    let pattern = pattern.to_lowercase();
    text.match_indices(&pattern).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + pattern.len()..]);
        !is_word(before.chars().next_back()) && !is_word(after.chars().next())
    })
}

/// Each string literal of a source file with its line, without those of a module of tests at its end.
fn literals(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut rest = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (skipped, literal) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("'\"'") {
            (3, None)
        } else if let Some((start, end)) = raw_literal(rest) {
            (end, Some(rest[start..end].trim_end_matches('#').trim_end_matches('"').to_owned()))
        } else if first == '"' {
            let mut escaped = false;
            let length = rest[1..].find(|character| {
                let is_end = character == '"' && !escaped;
                escaped = character == '\\' && !escaped;
                is_end
            });
            let end = 1 + length.unwrap_or(rest.len() - 1);
            (rest.len().min(end + 1), Some(rest[1..end].to_owned()))
        } else {
            (first.len_utf8(), None)
        };
        found.extend(literal.map(|literal| (line, literal)));
        line += rest[..skipped].matches('\n').count();
        rest = &rest[skipped..];
    }
    found
}

/// The comments of a source file with their lines.
fn comments(code: &str) -> Vec<(usize, String)> {
    let comment = |line: &str| {
        let at = line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'))?;
        Some(line[at + 2..].to_owned())
    };
    code.lines().enumerate().filter_map(|(number, line)| Some((number + 1, comment(line)?))).collect()
}

/// The names of the tests of a source file as words, with their lines.
fn names_of_tests(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_test = false;
    for (number, line) in code.lines().map(str::trim).enumerate() {
        if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            found.push((number + 1, name.replace('_', " ")));
        }
        is_test = line.starts_with('#') && (is_test || line.contains("test"));
    }
    found
}

/// The content of a raw string literal at the beginning of a text, and where it ends.
fn raw_literal(text: &str) -> Option<(usize, usize)> {
    let marks = text.strip_prefix('r')?.bytes().take_while(|byte| *byte == b'#').count();
    let start = 1 + marks + 1;
    (text.as_bytes().get(1 + marks) == Some(&b'"')).then_some(())?;
    let close = format!("\"{}", "#".repeat(marks));
    let end = text[start..].find(&close)?;
    Some((start, start + end + close.len()))
}

/// The lines of a page without its code: neither blocks, except output that users see, nor spans.
fn prose(page: &str) -> Vec<(usize, String)> {
    let (mut is_block, mut is_code) = (false, false);
    let mut found = Vec::new();
    for (number, line) in page.lines().enumerate() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            is_block = !is_block;
            is_code = is_block && !["text", "console"].contains(&kind);
            continue;
        }
        if !is_code {
            let outside: Vec<&str> = line.split('`').step_by(2).collect();
            found.push((number + 1, outside.join(" ")));
        }
    }
    found
}

/// The source of all crates, and the pages of the project, except the history: changelog and decisions.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].iter().map(|name| root().join(name)).collect();
    collect(&root().join("docs"), "md", &mut files);
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        collect(&entry.unwrap().path().join("src"), "rs", &mut files);
    }
    files.retain(|path| {
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs")
            || path.components().any(|part| part.as_os_str() == "tests");
        !is_test && !path.starts_with(root().join("docs/decisions"))
    });
    files.sort();
    files
}

/// The source files of all crates, tests among them, except those of this test.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in [
        "crates",
        "xtask/src",
        "bench/src",
        "bench/benches",
        "bench/peers/src",
        "examples",
        "fuzz/src",
        "fuzz/fuzz_targets",
    ] {
        if root().join(folder).is_dir() {
            collect(&root().join(folder), "rs", &mut files);
        }
    }
    files.retain(|path| !path.ends_with("tests/it/words.rs"));
    files.sort();
    assert!(files.len() > 300, "{} files", files.len());
    files
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}

fn words(file: &str) -> Vec<Word> {
    rows(file).into_iter().map(|row| Word { pattern: row[0].clone(), instead: row[1].clone() }).collect()
}

/// The rows of a list, each with its columns.
fn rows(file: &str) -> Vec<Vec<String>> {
    let path = root().join("crates/cli/tests/words").join(file);
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

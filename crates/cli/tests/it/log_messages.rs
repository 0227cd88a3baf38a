//! The guide explains every message that a server logs at its default level: docs/guide/log.md has a row for each, with its level,
//! and no row for a message that is gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::docs::root;

#[test]
fn the_guide_explains_every_message_of_the_default_level() {
    let documented = documented();
    let logged = logged();
    assert!(logged.len() > 50, "only {} messages were found in the sources", logged.len());
    let rows = |messages: Vec<&Message>| {
        messages.iter().fold(String::new(), |rows, (level, message)| format!("{rows}\n| {level} | {message} |"))
    };
    let missing = rows(logged.difference(&documented).collect());
    let stale = rows(documented.difference(&logged).collect());
    assert!(
        missing.is_empty() && stale.is_empty(),
        "docs/guide/log.md lacks a row for each of{missing}\nand explains what nothing logs:{stale}"
    );
}

/// A level, and a message in which everything that is put in is `…`.
type Message = (String, String);

/// What the rows of the page say.
fn documented() -> BTreeSet<Message> {
    let page = fs::read_to_string(root().join("docs/guide/log.md")).unwrap();
    let rows = page.lines().map(|row| row.split(" | ").collect::<Vec<_>>());
    let rows = rows.filter(|cells| ["| info", "| warn", "| error"].contains(&cells[0]));
    rows.flat_map(|cells| {
        assert_eq!(cells.len(), 4, "{cells:?}");
        let level = cells[0].trim_start_matches("| ").to_owned();
        // Between the spans of a cell stands a comma.
        let spans: Vec<&str> = cells[1].split("`, `").collect();
        spans.into_iter().map(move |span| (level.clone(), plain(span))).collect::<Vec<_>>()
    })
    .collect()
}

/// What the sources of the crates that log have in `info!`, `warn!` and `error!`.
fn logged() -> BTreeSet<Message> {
    let mut messages = BTreeSet::new();
    for name in ["mesh", "replica", "server", "tidegate"] {
        for file in sources_below(&root().join("crates").join(name).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap().split("\n#[test]").next().unwrap();
            let file = file.strip_prefix(root()).unwrap().to_str().unwrap();
            for level in ["info", "warn", "error"] {
                for call in calls(text, &format!("{level}!(")) {
                    let message = plain(literal(call).unwrap_or_else(|| panic!("{file}: no text in `{call:.60}`")));
                    if message == "…" {
                        messages.extend(made_elsewhere(file).into_iter().map(|message| (level.to_owned(), message)));
                    } else {
                        messages.insert((level.to_owned(), message));
                    }
                }
            }
        }
    }
    messages
}

/// The messages of the events whose whole text is made by another function.
fn made_elsewhere(file: &str) -> Vec<String> {
    let places: Vec<_> = MADE_ELSEWHERE.iter().filter(|(logging, _, _)| *logging == file).collect();
    assert!(!places.is_empty(), "{file} logs a text that is made elsewhere: name it in `MADE_ELSEWHERE`");
    let messages = places.into_iter().map(|(_, source, message)| {
        let text = fs::read_to_string(root().join(source)).unwrap().replace('`', "");
        for part in message.split('…').map(|part| part.trim_matches([' ', ';'])) {
            assert!(text.contains(part), "{source} has no `{part}`");
        }
        plain(message)
    });
    messages.collect()
}

/// A file that logs such a text, the file that makes it, and the text.
const MADE_ELSEWHERE: &[(&str, &str, &str)] = &[
    ("crates/mesh/src/reload.rs", "crates/mesh/src/reload.rs", "no other node accepts the certificate of this node: …"),
    ("crates/mesh/src/reload.rs", "crates/mesh/src/expiry.rs", "the certificate of this node expires in … days; …"),
    ("crates/mesh/src/reload.rs", "crates/mesh/src/expiry.rs", "the certificate of this node expires in … hours; …"),
    (
        "crates/mesh/src/reload.rs",
        "crates/mesh/src/expiry.rs",
        "the certificate of this node has expired, and no other node accepts it; …",
    ),
    (
        "crates/tidegate/src/live/driver/events.rs",
        "crates/tidegate/src/live/names.rs",
        "the clock of … is … ms … this host's; set whichever of the two is wrong",
    ),
    (
        "crates/tidegate/src/store/sqlite.rs",
        "crates/tidegate/src/store/folder.rs",
        "the file with the node's id was damaged and is now …; the id was …",
    ),
    (
        "crates/tidegate/src/store/sqlite.rs",
        "crates/tidegate/src/store/folder.rs",
        "the database was damaged (…) and is now …; … registers were whole and saved",
    ),
    (
        "crates/tidegate/src/store/sqlite.rs",
        "crates/tidegate/src/store/folder.rs",
        "the database of this node is gone; a new one was made",
    ),
    (
        "crates/tidegate/src/store/sqlite.rs",
        "crates/tidegate/src/store/folder.rs",
        "the end of the write-ahead log was cut short or damaged",
    ),
    (
        "crates/tidegate/src/store/sqlite.rs",
        "crates/tidegate/src/store/folder.rs",
        "… registers were damaged and are ignored",
    ),
];

/// The arguments of each call of a macro.
fn calls<'t>(text: &'t str, mark: &str) -> Vec<&'t str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let starts = text.match_indices(mark).filter(|(at, _)| !text[..*at].ends_with(is_name));
    starts.map(|(at, _)| &text[at + mark.len()..]).collect()
}

/// The first text among the arguments, up to its closing quote.
fn literal(call: &str) -> Option<&str> {
    let text = &call[call.find('"')? + 1..];
    let mut is_escaped = false;
    let end = text.find(|c: char| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    })?;
    Some(&text[..end])
}

/// Without backticks, escapes and line ends; what is put in is one `…`.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars().filter(|c| *c != '`').peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.peek() == Some(&'\n') => while rest.next_if(|c| c.is_whitespace()).is_some() {},
            '\\' => {}
            '{' | '…' => {
                if c == '{' {
                    while rest.next().is_some_and(|c| c != '}') {}
                }
                if !plain.ends_with('…') {
                    plain.push('…');
                }
            }
            c => plain.push(c),
        }
    }
    plain.trim().to_owned()
}

fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            files.extend(sources_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files
}

//! The committed page about the data folder, with tables and limits as they are in the source.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::super::committer::{GROUP_WEIGHT_MAX, QUEUE_WEIGHT_MAX};
use super::super::limits::FORMAT;
use super::super::sqlite::TABLES;
use super::super::{
    ASIDE_ROWS_MAX, HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX, HISTORY_PAGE_MAX, HISTORY_PER_KEY_MAX, WAL_PAGES_MAX,
};

#[test]
fn the_page_of_the_data_folder() {
    let mut page = include_str!("data_folder.md").to_owned();
    page.push_str("\n## Tables\n\n```sql\n");
    for table in TABLES {
        let _ = writeln!(page, "{table};");
    }
    page.push_str("```\n\n## Limits\n\n| limit | value | what, and why there |\n| --- | ---: | --- |\n");
    for (name, value, why) in limits() {
        let _ = writeln!(page, "| `{name}` | {} | {why} |", grouped(value));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/data-folder.md");
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&file, &page).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "`{}` has drifted; run `UPDATE=1 cargo xtask generate`", file.display());
}

fn limits() -> [(&'static str, u64, &'static str); 9] {
    [
        ("FORMAT", FORMAT.into(), "newest format of a data folder that this version reads and writes"),
        (
            "HISTORY_PER_KEY_MAX",
            HISTORY_PER_KEY_MAX.into(),
            "events of one key, about: they are counted after one change in sixteen; a flag that is moved ten times a \
             day has its last hundred days",
        ),
        (
            "HISTORY_EVENTS_MAX",
            HISTORY_EVENTS_MAX,
            "events of all keys; the oldest by arrival go first. A start checks all of them",
        ),
        ("HISTORY_BYTES_MAX", HISTORY_BYTES_MAX, "bytes of all events; definitions may be large"),
        ("HISTORY_PAGE_MAX", HISTORY_PAGE_MAX as u64, "events of one page of the history"),
        ("ASIDE_ROWS_MAX", ASIDE_ROWS_MAX.into(), "damaged rows that are kept, to be looked at"),
        (
            "WAL_PAGES_MAX",
            WAL_PAGES_MAX.into(),
            "pages of 4 KiB in the log at which it is written back into the database",
        ),
        ("GROUP_WEIGHT_MAX", GROUP_WEIGHT_MAX as u64, "registers of one transaction"),
        (
            "QUEUE_WEIGHT_MAX",
            QUEUE_WEIGHT_MAX as u64,
            "registers that wait for a disk; beyond it writes are refused and messages are not read",
        ),
    ]
}

/// With a comma after each three digits.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

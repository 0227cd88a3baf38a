//! The committed page of everything that is tried in `faults.rs`, for those who want to know before they trust.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tidegate_origin::{Blame, Misbehaviour, misbehaviours};

use super::support::document;

#[test]
fn the_page_of_misbehaviours() {
    let mut page = PAGE_HEAD.to_owned();
    for Misbehaviour { name, blame, .. } in misbehaviours(&document(7), 16 * 1024 * 1024) {
        let (noticed, health) = match blame {
            Blame::Transport => ("fetching", "stale"),
            Blame::Document => ("reading the document", "refused"),
            Blame::Time => ("the deadline", "stale"),
        };
        let _ = writeln!(page, "| {name} | {noticed} | {health} | the last good values |");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/misbehaving-origins.md");
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&file, &page).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "`{}` has drifted; run `UPDATE=1 cargo xtask generate`", file.display());
}

const PAGE_HEAD: &str = "\
# Origins that misbehave

A document is active. Then the origin sends each of these answers to several polls instead of the next document, and
finally a good document. Meanwhile readers read by name, by handle and by view. `crates/tidegate/tests/it/faults.rs`
tries each answer over real HTTP, and generates this page from the same list; refresh it with `UPDATE=1 cargo xtask generate`.

In every case the tag of the active document is kept, the status shows the problem and since when, and the first poll that
receives the good document activates it. A `Retry-After` of more than an hour counts as an hour.

| the origin's answer | noticed by | health | a reader saw |
| --- | --- | --- | --- |
";

//! Every source passes one suite, and sources with a fault do not. What was seen while a source was unreachable is a table of
//! the guide.

mod faulty;
mod subjects;

use std::path::Path;
use std::thread;

use tidegate::source::conformance::{self, Report};
use tidegate::{Health, ServedFrom};

use subjects::{Callback, File, Http};

/// Runs the suite on one source.
type Check = fn() -> Report;

/// How each source is made unreachable, in the words of the table, and what the suite says of it.
const SOURCES: &[(&str, Check)] = &[
    ("the file is missing", || conformance::check(File::new)),
    ("nothing listens at the port", || conformance::check(Http::plain)),
    ("nothing listens at the port", || conformance::check(Http::secure)),
    ("the function returns an error", || conformance::check(Callback::new)),
    #[cfg(feature = "zookeeper")]
    ("the server was killed", || conformance::check(super::zookeeper::server::Server::start)),
];

#[test]
fn every_source_conforms_and_the_generated_table_tells_what_it_does_when_unreachable() {
    let reports: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = SOURCES.iter().map(|(_, check)| scope.spawn(check)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut table = TABLE_HEAD.to_owned();
    for ((how, _), report) in SOURCES.iter().zip(&reports) {
        table.push_str(&row(how, report));
    }
    // The table has all of them.
    if cfg!(feature = "zookeeper") {
        check_generated(&table);
    }
}

#[test]
fn a_source_without_documents_violates_every_property_but_the_last() {
    let found = conformance::violations(faulty::Faulty::without_documents);
    assert!(found.len() >= 8, "{found:?}");
}

fn row(how: &str, report: &Report) -> String {
    let outage = &report.outage;
    let readers = |from: ServedFrom| match from {
        ServedFrom::Source => "the last good document",
        ServedFrom::Cache => "the document of the cache",
        ServedFrom::NoDocument => "the defaults of the program",
    };
    let health = |health: Health| match health {
        Health::Stale => "`stale`",
        _ => panic!("a source that was seen to be unreachable is {health:?}"),
    };
    format!(
        "| {} | {how} | {}: {} | {} | {}, {} | {} |\n",
        report.name,
        health(outage.health),
        without_port(&outage.message),
        readers(ServedFrom::Source),
        health(outage.restarted_health),
        readers(outage.restarted_from),
        readers(outage.uncached_from),
    )
}

/// A test listens on another port each time.
fn without_port(message: &str) -> String {
    let Some((before, rest)) = message.split_once("`127.0.0.1:") else { return message.to_owned() };
    format!("{before}`127.0.0.1:PORT{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Compares the table in the page with what was seen; with `UPDATE=1`, writes it.
fn check_generated(table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/sources.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        return std::fs::write(&file, expected).unwrap();
    }
    assert!(page == expected, "`{}` has drifted; run `UPDATE=1 cargo xtask generate`:\n{table}", file.display());
}

const BEGIN: &str = "<!-- generated from the conformance suite; refresh with `UPDATE=1 cargo xtask generate` -->\n\n";
const END: &str = "\n<!-- end of the generated table -->\n";

const TABLE_HEAD: &str = "\
| source | unreachable here | status | readers | after a restart meanwhile | without a cache |
| --- | --- | --- | --- | --- | --- |
";

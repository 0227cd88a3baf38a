//! The vectors of `conformance/`: answers that were worked out by another program, to be met exactly.

mod decisions;
mod positions;
mod ramps;
mod rules;
mod slowroll;
mod splits;
mod units;

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use tidegate_engine::{CompileOptions, Micros, Snapshot, compile, document, read};

/// A file of vectors, whole.
fn load<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn snapshot(text: &str) -> Snapshot {
    match read(text.as_bytes()) {
        Ok((document, _)) => compile(&document, &CompileOptions::default()),
        Err(diagnostics) => panic!("refused: {diagnostics:?}\n{text}"),
    }
}

fn time(text: &str) -> Micros {
    document::parse_time(text).unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

/// Collects what differs, so that one run shows all of it.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn expect<T: Debug + PartialEq>(&mut self, place: &str, got: &T, stated: &T) {
        if got != stated {
            self.0.push(format!("{place}: {got:?}, but the vector says {stated:?}"));
        }
    }

    fn none(&self, asked: usize, at_least: usize) {
        assert!(asked >= at_least, "only {asked} vectors were read");
        assert!(self.0.is_empty(), "{} differ:\n{}", self.0.len(), self.0.join("\n"));
    }
}

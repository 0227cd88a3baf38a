//! From text to a snapshot.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;

use serde::Deserialize;
use tidegate_engine::{CompileOptions, Snapshot, compile, read};

use crate::case::Case;
use crate::inputs::document;

pub(crate) const FLOOR: &str = "floor: 10,000 flags into a map of 32-byte states";

pub(crate) fn add(cases: &mut Vec<Case>) {
    // Made when it is first used: counting the other cases should not have to wait for it.
    let text = Rc::new(LazyCell::new(|| document(10_000)));
    let again = Rc::clone(&text);
    cases.push(Case::work(FLOOR, move || load_floor(&text).len() as u64).large());
    let work = move || load(black_box(&again)).len() as u64;
    cases.push(Case::work("load 10,000 flags: parse, check, compile", work).beside(FLOOR).large());
}

/// Parses, checks and compiles.
///
/// # Panics
///
/// Where the document is refused.
pub fn load(text: &str) -> Snapshot {
    let (document, _) = read(text.as_bytes()).expect("the document of the benchmarks is good");
    compile(&document, &CompileOptions::default())
}

/// What is left of a flag in the floor.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct State {
    interpolate: bool,
    end_pct: u8,
    start: [u64; 2],
    seed: u64,
}

/// Reads the same text into a map that keeps 32 bytes for each flag and looks at nothing.
///
/// # Panics
///
/// Where the text is not JSON.
pub fn load_floor(text: &str) -> HashMap<&str, State> {
    let sections: HashMap<&str, HashMap<&str, State>> = serde_json::from_str(text).expect("the text is JSON");
    sections.into_values().flatten().collect()
}

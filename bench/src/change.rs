//! A change of one flag among few others and among many, and a document of one flag beside as many live changes, in the engine
//! alone. Among many, more of what it touches is out of the caches; of a whole change, from the call to its receipt, `cargo
//! xtask bench cluster definitions` measures both.

use std::cell::RefCell;
use std::hint::black_box;

use tidegate_engine::document::read_definition;
use tidegate_engine::{Activation, CompileOptions, FlagKey, Share, Snapshot, compile, read};

use crate::case::Case;

pub(crate) fn add(cases: &mut Vec<Case>) {
    cases.push(definition(DEFINITION_AMONG_FEW, FEW));
    cases.push(definition("a definition among 10,000", MANY).beside(DEFINITION_AMONG_FEW));
    cases.push(activation(ACTIVATION_AMONG_FEW, FEW));
    cases.push(activation("an activation among 10,000", MANY).beside(ACTIVATION_AMONG_FEW));
    cases.push(document(DOCUMENT_BESIDE_FEW, FEW));
    cases.push(document("a document of one flag beside 10,000", MANY).beside(DOCUMENT_BESIDE_FEW));
}

/// Reads and compiles a document of one flag, and lays over it the definitions and activations of the others.
fn document(name: &'static str, others: usize) -> Case {
    change(name, others, |snapshot, flag| {
        let entry = r#"{"stable": false, "new": true}"#;
        let text = format!(r#"{{"documents": {{"{}": {entry}}}}}"#, flag.flag());
        let (document, _) = read(black_box(text.as_bytes())).expect("the document of the benchmarks is good");
        *snapshot = snapshot.with_documents(&compile(&document, &CompileOptions::default()));
    })
}

/// Reads, compiles and sets one definition, while somebody holds the snapshot before, as readers do.
fn definition(name: &'static str, others: usize) -> Case {
    change(name, others, |snapshot, flag| {
        let entry = r#"{"stable": false, "new": true, "end_time": "2026-12-01 00:00Z", "duration": "14d"}"#;
        snapshot.set_definition(flag, Some(&compiled(flag, black_box(entry))));
    })
}

fn activation(name: &'static str, others: usize) -> Case {
    change(name, others, |snapshot, flag| {
        let activation = Activation { share: black_box(Share::FULL), until: None, defined: true };
        snapshot.set_activation(flag, Some(activation));
    })
}

fn change(name: &'static str, others: usize, change: impl Fn(&mut Snapshot, &FlagKey) + 'static) -> Case {
    let state = RefCell::new(None);
    let work = move || {
        let mut state = state.borrow_mut();
        // Made when it is first used: counting the other cases should not have to wait for it.
        let (published, flags, next) = state.get_or_insert_with(|| {
            let flags: Vec<FlagKey> = (0..others).map(|number| FlagKey::new("bench", format!("f{number}"))).collect();
            (snapshot(&flags), flags, 0_usize)
        });
        // Another flag each time: one that was just changed is in the caches.
        *next = next.wrapping_add(7_919);
        let mut changed = published.clone();
        change(&mut changed, &flags[*next % flags.len()]);
        let flags = changed.len() as u64;
        *published = changed;
        flags
    };
    Case::work(name, work).counted_over(500)
}

fn snapshot(flags: &[FlagKey]) -> Snapshot {
    let mut snapshot = Snapshot::empty();
    for flag in flags {
        let activation = Activation { share: Share::ZERO, until: None, defined: true };
        snapshot.set_definition(flag, Some(&compiled(flag, r#"{"stable": false, "new": true}"#)));
        snapshot.set_activation(flag, Some(activation));
    }
    snapshot
}

fn compiled(flag: &FlagKey, entry: &str) -> Snapshot {
    let (definition, _) = read_definition(flag, entry).expect("the entry of the benchmarks is good");
    compile(&definition.into_document(), &CompileOptions::default())
}

const DEFINITION_AMONG_FEW: &str = "a definition among 10";
const ACTIVATION_AMONG_FEW: &str = "an activation among 10";
const DOCUMENT_BESIDE_FEW: &str = "a document of one flag beside 10";
const FEW: usize = 10;
const MANY: usize = 10_000;

//! The engine alone: a snapshot that is at hand, an instant that is given.

use std::hint::black_box;
use std::sync::Arc;

use tidegate_engine::lease::Clocks;
use tidegate_engine::{CompileOptions, Decision, Moment, Reason, Snapshot, Subject, compile, read};

use crate::case::Case;
use crate::floor;
use crate::inputs::{FLAGS, NOW, SECTION, document};

pub(crate) fn add(cases: &mut Vec<Case>) {
    let snapshot = Arc::new(snapshot());
    let by_name = |name: &'static str, flag: &'static str| {
        let snapshot = Arc::clone(&snapshot);
        Case::check(name, move |key| is_true(&ask(&snapshot, flag, &Subject::key(key))))
    };
    cases.push(by_name("engine: on/off by name", "on").beside(floor::NAME_ON));
    cases.push(by_name("engine: xxh3 rollout by name", "rollout").beside(floor::NAME_ROLLOUT));
    cases.push(by_name("engine: ramp by name", "ramp").beside(floor::NAME_ROLLOUT));
    cases.push(by_name("engine: rollback by name", "rollback").beside(floor::NAME_ROLLOUT));
    cases.push(by_name("engine: early adopters, not one of them", "adopters").beside(floor::NAME_ROLLOUT));
    cases.push(by_name("engine: sha1 rollout by name", "sha1").against(floor::SHA1, 1.3));
    cases.push(by_name("engine: interpolated by name", "interpolated").beside(floor::NAME_ON));
    cases.push(by_name("engine: unknown flag", "nothing").beside(floor::NAME_ON));
    cases.push(with_reason(&snapshot));
    cases.push(further_flags(&snapshot));
    cases.push(explain(&snapshot));
}

fn snapshot() -> Snapshot {
    let text = document(FLAGS);
    let (document, _) = read(text.as_bytes()).expect("the document of the benchmarks is good");
    compile(&document, &CompileOptions::default())
}

fn moment() -> Moment<'static> {
    Moment { now: black_box(NOW), leases: const { &Clocks::synced() } }
}

fn ask<'s>(snapshot: &'s Snapshot, flag: &str, subject: &Subject<'_>) -> Decision<'s> {
    let found = snapshot.find(black_box(SECTION), black_box(flag));
    snapshot.evaluate(found, subject, &moment())
}

fn is_true(decision: &Decision<'_>) -> bool {
    decision.answer.as_bool().unwrap_or_default()
}

/// The whole decision handed over, not only its boolean.
fn with_reason(snapshot: &Arc<Snapshot>) -> Case {
    let snapshot = Arc::clone(snapshot);
    let check = move |key: &str| black_box(ask(&snapshot, "rollout", &Subject::key(key))).reason == Reason::Split;
    Case::check("engine: xxh3 rollout by name, with reason and variant", check).beside(floor::NAME_ROLLOUT)
}

/// A SHA-1 rollout for a key that another flag has asked about before.
fn further_flags(snapshot: &Arc<Snapshot>) -> Case {
    let snapshot = Arc::clone(snapshot);
    let work = move || {
        let subject = Subject::key(black_box("user-00000000001"));
        (0..FURTHER).filter(|_| is_true(&ask(&snapshot, "sha1_other", &subject))).count() as u64
    };
    Case::work("engine: 100 sha1 rollouts of one key", work)
}

const FURTHER: usize = 100;

fn explain(snapshot: &Arc<Snapshot>) -> Case {
    let snapshot = Arc::clone(snapshot);
    let check = move |key: &str| {
        snapshot.explain(black_box(SECTION), black_box("ramp"), &Subject::key(key), &moment()).position.is_some()
    };
    Case::check("engine: explain a ramp", check)
}

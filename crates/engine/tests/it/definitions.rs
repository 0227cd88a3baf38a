//! Definitions of single flags beside the table of documents: they answer as if they stood in it.

use std::collections::BTreeMap;

use tidegate_engine::document::{Document, parse_percent, read_definition};
use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, CompileOptions, Digest, FlagKey, HostLock, Micros, Moment, Overlay, Part, Pin, Snapshot, Subject,
    Variant, compile, compile_all, read,
};

const ENTRIES: [&str; 6] = [
    r#"{"stable": false, "new": true}"#,
    r#"{"stable": false, "new": true, "lock": "new", "description": "for people"}"#,
    r#"{"stable": "old", "new": {"a": 1}, "start_time": "2026-01-01 00:00Z", "duration": "10d", "early_adopters": ["k3", {"regex": "^k1"}]}"#,
    r#"{"stable": 10, "new": 20, "interpolate": true, "start_time": "2026-01-01 00:00Z", "duration": "10d"}"#,
    r#"{"stable": false, "new": true, "start_time": "2026-01-01 00:00Z", "duration": "10d", "hash": "sha1", "salt": "s", "rollback": {"start_time": "2026-01-06 00:00Z", "duration": "1d"}}"#,
    r#"{"stable": false, "new": true, "enabled": false}"#,
];

fn definition(flag: &FlagKey, entry: usize) -> Document {
    read_definition(flag, ENTRIES[entry % ENTRIES.len()]).unwrap().0.into_document()
}

fn documents() -> Document {
    let entry = ENTRIES[2];
    let text = format!(r#"{{"a": {{"both": {entry}, "one": {{"stable": 1}}}}, "b": {{"one": {{"stable": 2}}}}}}"#);
    read(text.as_bytes()).unwrap().0
}

/// Everything that a snapshot says of a flag.
fn says(snapshot: &Snapshot, flag: &FlagKey) -> Vec<String> {
    let day = |day: i64| Micros::new(1_767_225_600_000_000 + day * 86_400_000_000);
    let clocks = Clocks::synced();
    let mut said = Vec::new();
    for moment in [-1, 0, 3, 5, 6, 20].map(|number| Moment { now: day(number), leases: &clocks }) {
        let found = snapshot.find(flag.section(), flag.flag());
        assert_eq!(found, snapshot.find_key(&flag.to_string()));
        for key in ["k1", "k2", "k3", "k4"] {
            let subject = Subject::key(key);
            let explained = snapshot.explain(flag.section(), flag.flag(), &subject, &moment);
            let decision = snapshot.evaluate(found, &subject, &moment);
            assert_eq!(explained.value, decision.answer.to_json().map(String::from));
            said.push(format!("{explained:?} {:?}", found.map(|found| snapshot.flag(found).flips(&subject, &moment))));
        }
        let Some(flag) = found.map(|found| snapshot.flag(found)) else { continue };
        said.push(format!("{:?} {:?} {:?}", flag.plan(&moment), flag.next_change(&moment), flag.rollback(&moment)));
        said.push(format!("{:?} {:?} {}", flag.stable(), flag.new_value(), flag.is_defined()));
        said.push(format!("{:?} {:?} {:?}", flag.salt(), flag.details(), flag.early_adopters()));
        said.push(format!("{} {} {}", flag.key(), flag.share_at(&moment), snapshot.is_settled(flag.index(), day(21))));
    }
    said
}

/// What should be in a snapshot, made the long way.
#[derive(Default)]
struct Model {
    definitions: BTreeMap<FlagKey, usize>,
    activations: BTreeMap<FlagKey, Activation>,
    locks: BTreeMap<FlagKey, HostLock>,
}

impl Model {
    fn snapshot(&self, documents: &Document) -> Snapshot {
        let options = CompileOptions::default();
        let definitions: Vec<Document> =
            self.definitions.iter().map(|(flag, entry)| definition(flag, *entry)).collect();
        let parts = [documents].into_iter().chain(&definitions).map(|document| Part { document, options: &options });
        compile_all(&parts.collect::<Vec<_>>()).overlaid(&Overlay {
            locks: self.locks.values().cloned().collect(),
            activations: self.activations.clone().into_iter().collect(),
            ..Overlay::default()
        })
    }
}

impl Model {
    /// The same, with definitions beside the table of the documents.
    fn snapshot_beside(&self, documents: &Document) -> Snapshot {
        let mut snapshot = compile(documents, &CompileOptions::default());
        for (flag, entry) in &self.definitions {
            snapshot.set_definition(flag, Some(&compile(&definition(flag, *entry), &CompileOptions::default())));
        }
        for (flag, activation) in &self.activations {
            snapshot.set_activation(flag, Some(activation.clone()));
        }
        for (flag, lock) in &self.locks {
            snapshot.set_lock(flag, Some(lock.clone()));
        }
        snapshot
    }
}

#[test]
fn changes_one_by_one_equal_compiling_everything() {
    let documents = documents();
    let mut snapshot = compile(&documents, &CompileOptions::default());
    let mut model = Model::default();
    let flags: Vec<FlagKey> = ["a/both", "a/x", "b/x", "c%2Fd/one", "one", "c/y"].map(FlagKey::parse).into();
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % below).unwrap()
    };
    for step in 0..150 {
        let flag = &flags[draw(flags.len() as u64)];
        let (is_set, number) = (draw(3) > 0, draw(6));
        match draw(3) {
            0 => {
                let alone = compile(&definition(flag, number), &CompileOptions::default());
                let is_beside = snapshot.set_definition(flag, is_set.then_some(&alone));
                assert_eq!(is_beside, flag.to_string() != "a/both", "a document comes first");
                if is_set && is_beside {
                    model.definitions.insert(flag.clone(), number);
                } else {
                    model.definitions.remove(flag);
                }
            }
            1 => {
                let share = parse_percent(&format!("{}", number * 20)).unwrap();
                let activation = is_set.then_some(Activation { share, until: None, defined: number % 2 == 0 });
                snapshot.set_activation(flag, activation.clone());
                model.activations.remove(flag);
                model.activations.extend(activation.map(|activation| (flag.clone(), activation)));
            }
            _ => {
                let pin = Pin::Variant(if number % 2 == 0 { Variant::New } else { Variant::Stable });
                let lock =
                    HostLock { flag: flag.clone(), pin, actor: String::new(), reason: String::new(), until: None };
                snapshot.set_lock(flag, is_set.then(|| lock.clone()));
                model.locks.remove(flag);
                model.locks.extend(is_set.then(|| (flag.clone(), lock)));
            }
        }
        let compiled_again = model.snapshot(&documents);
        assert_eq!((snapshot.digest(), snapshot.len()), (compiled_again.digest(), compiled_again.len()), "step {step}");
        let keys = |snapshot: &Snapshot| {
            let mut keys: Vec<String> = snapshot.flags().map(|flag| format!("{flag:?}")).collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&snapshot), keys(&compiled_again), "step {step}");
        for flag in &flags {
            assert_eq!(says(&snapshot, flag), says(&compiled_again, flag), "step {step}, {flag}");
        }
    }
}

/// The documents change under flags with every combination of definition, activation and lock.
#[test]
fn other_documents_under_the_same_overrides_equal_compiling_everything() {
    let entry = ENTRIES[3];
    let texts = [
        "{}".to_owned(),
        format!(r#"{{"a": {{"x": {entry}, "y": {{"stable": 1}}}}}}"#),
        format!(r#"{{"b": {{"x": {{"stable": 7}}}}, "a": {{"y": {entry}, "z": {entry}, "other": {{"stable": 1}}}}}}"#),
        r#"{"a": {"z": {"stable": 3}, "x": {"stable": 1}}}"#.to_owned(),
    ];
    let flags: Vec<FlagKey> =
        ["a/x", "a/y", "a/z", "b/x", "a/other", "c%2Fd/one", "one", "c/y"].map(FlagKey::parse).into();
    for combination in 0..8 {
        let mut model = Model::default();
        for (number, flag) in flags.iter().enumerate() {
            let share = parse_percent(&format!("{}", number * 10)).unwrap();
            let has = |bit: usize| (combination + number) >> bit & 1 == 1;
            if has(0) {
                model.definitions.insert(flag.clone(), number);
            }
            if has(1) {
                model.activations.insert(flag.clone(), Activation { share, until: None, defined: has(0) });
            }
            if has(2) {
                let pin = Pin::Variant(Variant::New);
                let lock =
                    HostLock { flag: flag.clone(), pin, actor: String::new(), reason: String::new(), until: None };
                model.locks.insert(flag.clone(), lock);
            }
        }
        for from in &texts {
            for to in &texts {
                let [from, to] = [from, to].map(|text| read(text.as_bytes()).unwrap().0);
                let mut snapshot =
                    model.snapshot_beside(&from).with_documents(&compile(&to, &CompileOptions::default()));
                // Definitions that a document had hidden are the caller's to set again.
                for (flag, entry) in &model.definitions {
                    let alone = compile(&definition(flag, *entry), &CompileOptions::default());
                    snapshot.set_definition(flag, Some(&alone));
                }
                let compiled_again = model.snapshot(&to);
                assert_eq!((snapshot.digest(), snapshot.len()), (compiled_again.digest(), compiled_again.len()));
                assert_eq!(snapshot.flags().count(), compiled_again.flags().count());
                for flag in &flags {
                    assert_eq!(says(&snapshot, flag), says(&compiled_again, flag), "{combination}, {flag}: {to:?}");
                }
            }
        }
    }
}

#[test]
fn a_change_of_a_copy_leaves_the_original_unchanged() {
    let mut snapshot = Snapshot::empty();
    let flags: Vec<FlagKey> = (0..5_000).map(|number| FlagKey::new("many", format!("flag-{number}"))).collect();
    for (number, flag) in flags.iter().enumerate() {
        snapshot.set_definition(flag, Some(&compile(&definition(flag, number), &CompileOptions::default())));
    }
    let before = snapshot.clone();
    let (digest, said) = (before.digest(), says(&before, &flags[2_500]));
    snapshot.set_definition(&flags[2_500], None);
    assert_eq!((before.digest(), says(&before, &flags[2_500])), (digest, said));
    assert_eq!((before.len(), snapshot.len()), (5_000, 4_999));
    assert!(snapshot.find("many", "flag-2500").is_none());
    for flag in &flags {
        snapshot.set_definition(flag, None);
    }
    assert_eq!((snapshot.len(), snapshot.flags().count(), snapshot.digest()), (0, 0, Digest::default()));
    assert_eq!(before.flags().count(), 5_000);
}

#[test]
fn a_definition_is_a_snapshot_with_this_flag_and_no_other() {
    let flag = FlagKey::parse("a/x");
    let mut snapshot = Snapshot::empty();
    for other in [compile(&documents(), &CompileOptions::default()), Snapshot::empty()] {
        assert!(snapshot.set_definition(&flag, Some(&other)));
        assert!(snapshot.find("a", "x").is_none());
    }
}

//! Locks and activations override documents.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, CompileOptions, Explanation, FlagKey, HostLock, Micros, Moment, Overlay, Part, Pin, Snapshot, Subject,
    Variant, compile, compile_all, document, read,
};

const DAY: i64 = 86_400_000_000;

/// A snapshot of this document under these overrides.
fn snapshot(text: &str, overlay: &Overlay) -> Snapshot {
    let (document, _) = read(text.as_bytes()).unwrap();
    compile(&document, &CompileOptions::default()).overlaid(overlay)
}

fn ask(snapshot: &Snapshot, subject: &Subject<'_>, now: Micros) -> Explanation {
    snapshot.explain("f", "x", subject, &Moment { now, leases: &Clocks::synced() })
}

fn activation(percent: &str, until: Option<Micros>, defined: bool) -> Overlay {
    let share = document::parse_percent(percent).unwrap();
    Overlay { activations: vec![(FlagKey::new("f", "x"), Activation { share, until, defined })], ..Overlay::default() }
}

fn told(explanation: &Explanation) -> (Option<&str>, &str) {
    (explanation.value.as_deref(), explanation.rule.as_str())
}

#[test]
fn adopters_have_stable_after_a_rollback_to_zero_also_under_an_activation() {
    let text = r#"{"f": {"x": {"stable": 1, "new": 2, "salt": "", "early_adopters": ["k"],
        "start_time": "1970-01-01 00:00Z", "duration": "4d", "rollback": {"start_time": "1970-01-03 00:00Z", "duration": "1d"}}}}"#;
    let snapshot = snapshot(text, &activation("0.000001", None, true));
    let end = Micros::new(3 * DAY);
    let before = ask(&snapshot, &Subject::key("k"), Micros::new(end.get() - 1));
    assert_eq!(told(&before), (Some("2"), "early_adopter"));
    assert_eq!(before.valid_until, Some(end));
    assert!(before.position.is_some());
    assert_eq!(told(&ask(&snapshot, &Subject::key("k"), end)), (Some("1"), "activation"));
}

#[test]
fn a_bare_flag_is_false_again_when_its_activation_expires() {
    let until = Micros::new(DAY);
    let snapshot = snapshot("{}", &activation("100", Some(until), false));
    let before = ask(&snapshot, &Subject::key("k"), Micros::new(DAY - 1));
    assert_eq!((told(&before), before.valid_until), ((Some("true"), "activation"), Some(until)));
    for subject in [Subject::key("k"), Subject::absent()] {
        let after = ask(&snapshot, &subject, until);
        assert_eq!((told(&after), after.error, after.valid_until), ((Some("false"), "ramp"), None, None));
    }
}

#[test]
fn a_bare_flag_reports_a_missing_key() {
    let snapshot = snapshot("{}", &activation("50", None, false));
    let told_by = ask(&snapshot, &Subject::absent(), Micros::new(0));
    assert_eq!((told(&told_by), told_by.error.is_some()), ((Some("false"), "key_missing"), true));
}

#[test]
fn a_lock_takes_precedence_over_the_activation_of_a_bare_flag() {
    for (variant, value) in [(Variant::Stable, "false"), (Variant::New, "true")] {
        let (actor, reason) = ("operator".to_owned(), "a test".to_owned());
        let lock = HostLock { flag: FlagKey::new("f", "x"), pin: Pin::Variant(variant), actor, reason, until: None };
        let mut overlay = activation("50", None, false);
        overlay.locks.push(lock);
        let locked = snapshot("{}", &overlay);
        assert_eq!(told(&ask(&locked, &Subject::absent(), Micros::new(0))), (Some(value), "host_lock"));
        // Without the activation, or with one that was set on a definition that is not loaded, its values are unknown.
        overlay.activations.iter_mut().for_each(|(_, activation)| activation.defined = true);
        let unknown = snapshot("{}", &overlay);
        assert_eq!(told(&ask(&unknown, &Subject::absent(), Micros::new(0))), (None, "unknown_flag"));
    }
}

#[test]
fn activations_and_documents_take_precedence_over_a_default() {
    let defaults = vec![(FlagKey::new("f", "x"), document::parse_percent("100").unwrap())];
    let answer = |text: &str, overlay: &Overlay, now: i64| {
        let explained = ask(&snapshot(text, overlay), &Subject::key("k"), Micros::new(now));
        explained.value
    };
    let mut overlay = Overlay { defaults, ..Overlay::default() };
    assert_eq!(answer("{}", &overlay, 0).as_deref(), Some("true"));
    assert_eq!(answer(r#"{"f": {"x": {"stable": 1}}}"#, &overlay, 0).as_deref(), Some("1"));
    overlay.activations = activation("0", Some(Micros::new(DAY)), false).activations;
    assert_eq!(answer("{}", &overlay, DAY - 1).as_deref(), Some("false"));
    assert_eq!(answer("{}", &overlay, DAY).as_deref(), Some("true"), "the activation is over");
    // It had a definition that is not loaded: no value is guessed.
    overlay.activations = activation("100", None, true).activations;
    assert_eq!(answer("{}", &overlay, 0), None);
}

#[test]
fn setting_one_activation_leaves_earlier_snapshots_unchanged() {
    let (document, _) = read(br#"{"f": {"x": {"stable": 1, "new": 2, "salt": ""}}}"#).unwrap();
    let plain = compile(&document, &CompileOptions::default());
    let full = || Some(Activation { share: tidegate_engine::Share::FULL, until: None, defined: false });
    let mut snapshot = plain.clone();
    let value = |snapshot: &Snapshot, flag: &str| {
        let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
        snapshot.explain("f", flag, &Subject::key("k"), &moment).value
    };
    let names: Vec<String> = (0..1_000).map(|number| format!("flag-{number}")).collect();
    for name in &names {
        snapshot.set_activation(&FlagKey::new("f", name), full());
    }
    snapshot.set_activation(&FlagKey::new("f", "x"), full());
    let all = snapshot.clone();
    for name in names.iter().step_by(2) {
        snapshot.set_activation(&FlagKey::new("f", name), None);
    }
    snapshot.set_activation(&FlagKey::new("f", "x"), None);
    for (number, name) in names.iter().enumerate() {
        assert_eq!(value(&all, name).as_deref(), Some("true"), "{name}");
        assert_eq!(value(&snapshot, name).is_some(), number % 2 == 1, "{name}");
    }
    assert_eq!((value(&all, "x").as_deref(), value(&snapshot, "x").as_deref()), (Some("2"), Some("1")));
    assert_eq!((all.flags().count(), snapshot.flags().count()), (1_001, 501));
    snapshot.set_activation(&FlagKey::new("f", "another"), full());
    assert_eq!(snapshot.flags().count(), 502);
    assert!(plain.flag(plain.find("f", "x").unwrap()).activation().is_none());
}

#[test]
fn of_several_documents_the_first_definition_counts() {
    let one = read(br#"{"f": {"x": {"stable": 1}}, "g": {"y": {"stable": 2}}}"#).unwrap().0;
    let other = read(br#"{"g": {"y": {"stable": 3}, "z": {"stable": 4}}, "h": {"x": {"stable": 5}}}"#).unwrap().0;
    let options = CompileOptions::default();
    let both = [Part { document: &one, options: &options }, Part { document: &other, options: &options }];
    let snapshot = compile_all(&both);
    let text =
        r#"{"f": {"x": {"stable": 1}}, "g": {"y": {"stable": 2}, "z": {"stable": 4}}, "h": {"x": {"stable": 5}}}"#;
    let same = compile(&read(text.as_bytes()).unwrap().0, &options);
    assert_eq!((snapshot.len(), snapshot.digest()), (4, same.digest()));
    for flag in same.flags() {
        let found = snapshot.find_key(&flag.key().to_string()).map(|index| snapshot.flag(index));
        assert_eq!(found.and_then(|found| found.stable()), flag.stable(), "{}", flag.key());
    }
}

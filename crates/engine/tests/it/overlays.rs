//! Locks and dials over documents: what they say where the flag has something else to say.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, CompileOptions, Explanation, FlagKey, HostLock, Micros, Moment, Overlay, Pin, Snapshot, Subject,
    Variant, compile, document, read,
};

const DAY: i64 = 86_400_000_000;

/// A snapshot of this document under these pins.
fn snapshot(text: &str, overlay: &Overlay) -> Snapshot {
    let (document, _) = read(text.as_bytes()).unwrap();
    compile(&document, &CompileOptions::default()).overlaid(overlay)
}

fn ask(snapshot: &Snapshot, subject: &Subject<'_>, now: Micros) -> Explanation {
    snapshot.explain("f", "x", subject, &Moment { now, leases: &Clocks::synced() })
}

fn dial(percent: &str, until: Option<Micros>, defined: bool) -> Overlay {
    let share = document::parse_percent(percent).unwrap();
    Overlay { activations: vec![(FlagKey::new("f", "x"), Activation { share, until, defined })], ..Overlay::default() }
}

fn told(explanation: &Explanation) -> (Option<&str>, &str) {
    (explanation.value.as_deref(), explanation.rule.as_str())
}

#[test]
fn adopters_stay_away_after_a_rollback_to_nothing_also_under_a_dial() {
    let text = r#"{"f": {"x": {"stable": 1, "new": 2, "salt": "", "early_adopters": ["k"],
        "start_time": "1970-01-01 00:00Z", "duration": "4d", "rollback": {"start_time": "1970-01-03 00:00Z", "duration": "1d"}}}}"#;
    let snapshot = snapshot(text, &dial("0.000001", None, true));
    let end = Micros::new(3 * DAY);
    let before = ask(&snapshot, &Subject::key("k"), Micros::new(end.get() - 1));
    assert_eq!(told(&before), (Some("2"), "early_adopter"));
    assert_eq!(before.valid_until, Some(end));
    assert!(before.position.is_some());
    assert_eq!(told(&ask(&snapshot, &Subject::key("k"), end)), (Some("1"), "activation"));
}

#[test]
fn a_flag_that_is_only_a_dial_is_false_again_when_the_dial_ends() {
    let until = Micros::new(DAY);
    let snapshot = snapshot("{}", &dial("100", Some(until), false));
    let before = ask(&snapshot, &Subject::key("k"), Micros::new(DAY - 1));
    assert_eq!((told(&before), before.valid_until), ((Some("true"), "activation"), Some(until)));
    for subject in [Subject::key("k"), Subject::absent()] {
        let after = ask(&snapshot, &subject, until);
        assert_eq!((told(&after), after.error, after.valid_until), ((Some("false"), "ramp"), None, None));
    }
}

#[test]
fn a_flag_that_is_only_a_dial_says_when_it_needs_a_key() {
    let snapshot = snapshot("{}", &dial("50", None, false));
    let told_by = ask(&snapshot, &Subject::absent(), Micros::new(0));
    assert_eq!((told(&told_by), told_by.error.is_some()), ((Some("false"), "key_missing"), true));
}

#[test]
fn a_lock_holds_a_flag_that_is_only_a_dial() {
    for (variant, value) in [(Variant::Stable, "false"), (Variant::New, "true")] {
        let (who, why) = ("operator".to_owned(), "a test".to_owned());
        let lock = HostLock { flag: FlagKey::new("f", "x"), pin: Pin::Variant(variant), who, why, until: None };
        let mut overlay = dial("50", None, false);
        overlay.locks.push(lock);
        let locked = snapshot("{}", &overlay);
        assert_eq!(told(&ask(&locked, &Subject::absent(), Micros::new(0))), (Some(value), "host_lock"));
        // Without the dial, or with one that was set on a definition that is not loaded, nobody knows its values.
        overlay.activations.iter_mut().for_each(|(_, dial)| dial.defined = true);
        let unknown = snapshot("{}", &overlay);
        assert_eq!(told(&ask(&unknown, &Subject::absent(), Micros::new(0))), (None, "unknown_flag"));
    }
}

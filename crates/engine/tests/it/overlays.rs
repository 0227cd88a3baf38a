//! Locks and dials over documents: what they say where the flag has something else to say.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, CompileOptions, Explanation, FlagKey, Micros, Moment, Overlay, Snapshot, Subject, compile, document,
    read,
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

//! Plans: which flags a handle answers without evaluating the snapshot, and which it must not.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, CompileOptions, FlagIndex, FlagKey, HostLock, KeyHash, Micros, Moment, Overlay, Pin, Plan, PlanKind,
    Snapshot, Subject, Variant, compile, read,
};

const SECOND: i64 = 1_000_000;

const DOCUMENT: &str = r#"{"s": {
    "constant": {"stable": false},
    "locked": {"stable": false, "new": true, "lock": "new"},
    "ramp": {"stable": false, "new": true, "start_time": "1970-01-01 00:00:01Z", "duration": "4s"},
    "salted": {"stable": false, "new": true, "start_time": "1970-01-01 00:00:01Z", "duration": "4s", "salt": "x"},
    "sha1": {"stable": false, "new": true, "start_time": "1970-01-01 00:00:01Z", "duration": "4s", "hash": "sha1", "salt": "x"},
    "murmur": {"stable": false, "new": true, "start_time": "1970-01-01 00:00:01Z", "duration": "4s", "hash": "murmur3"},
    "adopters": {"stable": false, "new": true, "start_time": "1970-01-01 00:00:01Z", "duration": "4s", "early_adopters": ["k7"]},
    "text": {"stable": "a", "new": "b", "start_time": "1970-01-01 00:00:01Z", "duration": "4s"},
    "steps": {"stable": false, "new": true, "start_time": "1970-01-01 00:00:01Z",
        "steps": [{"pct": 40, "over": "1s", "hold": "2s"}, {"pct": 100, "over": "1s"}]},
    "rollback": {"stable": false, "new": true, "start_time": "1970-01-01 00:00:00Z", "duration": "1s",
        "rollback": {"start_time": "1970-01-01 00:00:02Z", "duration": "4s"}},
    "half": {"stable": true, "start_time": "1970-01-01 00:00:01Z", "duration": "4s"}
}}"#;

fn moment(now: i64) -> Moment<'static> {
    Moment { now: Micros::new(now), leases: const { &Clocks::synced() } }
}

fn plan(snapshot: &Snapshot, flag: &str, now: i64) -> (FlagIndex, Plan) {
    let index = snapshot.find("s", flag).unwrap();
    (index, snapshot.flag(index).plan(&moment(now)))
}

/// How the plan answers, in a word, after comparing it with the snapshot for many keys.
fn kind(snapshot: &Snapshot, flag: &str, now: i64) -> &'static str {
    let (index, plan) = plan(snapshot, flag, now);
    for number in 0..200 {
        let key = format!("k{number}");
        let decision = snapshot.evaluate(Some(index), &Subject::key(&key), &moment(now));
        let Some(has_new) = plan.has_new(&key, Micros::new(now)) else { continue };
        let expected = decision.variant.map(|variant| variant == Variant::New);
        assert_eq!(Some(has_new), expected, "{flag} at {now} for {key}: {plan:?}");
        let value = match plan.kind {
            PlanKind::Fixed(_, value) => value,
            _ if has_new => plan.new,
            _ => plan.stable,
        };
        assert_eq!(value, decision.answer.as_bool(), "{flag} at {now} for {key}: {plan:?}");
    }
    match plan.kind {
        PlanKind::Fixed(Some(Variant::New), _) => "new",
        PlanKind::Fixed(Some(Variant::Stable), _) => "stable",
        PlanKind::Fixed(Some(Variant::Interpolated), _) => "interpolated",
        PlanKind::Fixed(Some(Variant::Named), _) => "named",
        PlanKind::Fixed(None, _) => "no variant",
        PlanKind::Share(KeyHash::Sha1, _) => "share, sha1",
        PlanKind::Share(KeyHash::Xxh3(_), _) => "share, xxh3",
        PlanKind::Rise(KeyHash::Sha1, _) => "rise, sha1",
        PlanKind::Rise(KeyHash::Xxh3(_), _) => "rise, xxh3",
        PlanKind::Fall(KeyHash::Sha1, _) => "fall, sha1",
        PlanKind::Fall(KeyHash::Xxh3(_), _) => "fall, xxh3",
        PlanKind::Ask => "ask",
    }
}

fn snapshot() -> Snapshot {
    compile(&read(DOCUMENT.as_bytes()).unwrap().0, &CompileOptions::default())
}

#[test]
fn a_plan_answers_flags_of_which_the_position_decides_and_no_others() {
    let snapshot = snapshot();
    let kinds = |flag: &str| [0, 3 * SECOND, 9 * SECOND].map(|now| kind(&snapshot, flag, now));
    assert_eq!(kinds("constant"), ["stable", "stable", "stable"]);
    assert_eq!(kinds("locked"), ["new", "new", "new"]);
    assert_eq!(kinds("ramp"), ["stable", "rise, sha1", "new"]);
    assert_eq!(kinds("salted"), ["stable", "rise, xxh3", "new"]);
    // A salt that is hashed with each key, and a hash that a plan does not know.
    assert_eq!(kinds("sha1"), ["stable", "ask", "new"]);
    assert_eq!(kinds("murmur"), ["stable", "ask", "new"]);
    assert_eq!(kinds("adopters"), ["ask", "ask", "ask"]);
    assert_eq!(kinds("text"), ["stable", "rise, sha1", "new"]);
    assert_eq!(kinds("steps"), ["stable", "share, sha1", "new"]);
    assert_eq!(kinds("rollback"), ["rise, sha1", "fall, sha1", "stable"]);
    assert_eq!(kinds("half"), ["stable", "stable", "stable"]);
}

#[test]
fn a_plan_under_an_override_answers_until_it_ends() {
    let until = Some(Micros::new(5 * SECOND));
    let activation = |flag: &str, share: &str| {
        let share = share.parse().unwrap();
        (FlagKey::new("s", flag), Activation { share, until, defined: !flag.starts_with("bare") })
    };
    let lock = |flag: &str, variant: Variant| HostLock {
        flag: FlagKey::new("s", flag),
        pin: Pin::Variant(variant),
        actor: "dana".into(),
        reason: String::new(),
        until,
    };
    let quarter = ["ramp", "salted", "sha1", "adopters", "half", "bare"].map(|flag| activation(flag, "25"));
    let whole = ["steps", "bare-on"].map(|flag| activation(flag, "100"));
    let overlay = Overlay {
        locks: vec![lock("rollback", Variant::New)],
        activations: quarter.into_iter().chain(whole).chain([activation("bare-off", "0")]).collect(),
        ..Overlay::default()
    };
    let overlaid = snapshot().overlaid(&overlay);
    let at = |flag: &str| kind(&overlaid, flag, 3 * SECOND);
    assert_eq!(["ramp", "salted", "sha1", "adopters"].map(at), ["share, sha1", "share, xxh3", "ask", "ask"]);
    assert_eq!(["steps", "rollback", "half"].map(at), ["new", "new", "stable"]);
    assert_eq!(["bare", "bare-on", "bare-off"].map(at), ["share, xxh3", "new", "stable"]);
    let interval = |flag: &str, now: i64| {
        let plan = plan(&overlaid, flag, now).1;
        (plan.from.max(Micros::new(0)).get(), plan.until.map(Micros::get))
    };
    for flag in ["ramp", "steps", "rollback", "bare-on"] {
        assert_eq!(interval(flag, 3 * SECOND), (0, Some(5 * SECOND)), "{flag}");
    }
    assert_eq!(interval("ramp", 5 * SECOND), (5 * SECOND, None));
    assert_eq!(interval("rollback", 5 * SECOND), (5 * SECOND, Some(6 * SECOND)));
}

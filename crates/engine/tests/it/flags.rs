//! What a flag of a snapshot says of itself, and which flags two snapshots define differently.

use tidegate_engine::document::{check, read_definition};
use tidegate_engine::{
    Activation, CompileOptions, FlagKey, HostLock, Micros, Overlay, Pin, Snapshot, Span, Variant, compile, read,
};

const DOCUMENT: &str = r#"{"s": {
    "full": {"stable": 1, "new": 2, "enabled": false, "lock": "new", "salt": "pepper", "hash": "sha1", "lease": "1h",
        "end_time": "2030-01-01 00:00Z", "duration": "1d", "early_adopters": ["ann", {"regex": "^ci"}], "owner": "dana"},
    "number": {"stable": 1, "new": 2, "end_time": "2030-01-01 00:00Z", "duration": "1d", "interpolate": true},
    "plain": {"stable": 1}
}}"#;

fn snapshot(text: &str) -> Snapshot {
    compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default())
}

fn activation(until: Option<i64>) -> Activation {
    Activation { share: "25".parse().unwrap(), until: until.map(Micros::new), defined: true }
}

#[test]
fn a_flag_says_what_its_entry_has() {
    let snapshot = snapshot(DOCUMENT);
    let [full, number, plain] =
        ["full", "number", "plain"].map(|name| snapshot.flag(snapshot.find("s", name).unwrap()));
    assert_eq!([full, number, plain].map(|flag| flag.is_enabled()), [false, true, true]);
    assert_eq!([full, number, plain].map(|flag| flag.lock()), [Some(Variant::New), None, None]);
    assert_eq!([full, number, plain].map(|flag| flag.interpolates()), [false, true, false]);
    assert_eq!([full, number, plain].map(|flag| flag.salt()), [Some("pepper"), None, None]);
    assert_eq!([full, number, plain].map(|flag| flag.lease()), [Some(Span::from_micros(3_600_000_000)), None, None]);
    assert_eq!([full, number, plain].map(|flag| flag.early_adopters().len()), [2, 0, 0]);
    let owner = full.details().and_then(|details| details.owner.as_deref());
    assert_eq!((owner, plain.details().is_none()), (Some("dana"), true));
    assert_eq!(format!("{full:?}"), "Flag(s/full)");
}

#[test]
fn a_flag_says_what_overrides_it_and_until_when() {
    let lock = HostLock {
        flag: FlagKey::new("s", "full"),
        pin: Pin::Variant(Variant::Stable),
        actor: "dana".into(),
        reason: String::new(),
        until: Some(Micros::new(5)),
    };
    let activations = [("full", Some(9)), ("number", None), ("bare", Some(7))];
    let overlay = Overlay {
        locks: vec![lock.clone()],
        activations: activations.map(|(name, until)| (FlagKey::new("s", name), activation(until))).into(),
        ..Overlay::default()
    };
    let overlaid = snapshot(DOCUMENT).overlaid(&overlay);
    let flags = ["full", "number", "bare", "plain"].map(|name| overlaid.flag(overlaid.find("s", name).unwrap()));
    assert_eq!(flags.map(|flag| flag.is_defined()), [true, true, false, true]);
    assert_eq!(flags.map(|flag| flag.host_lock().is_some()), [true, false, false, false]);
    assert_eq!(flags[0].host_lock(), Some(&lock));
    let shares = flags.map(|flag| flag.activation().map(|activation| activation.share.to_string()));
    let quarter = activation(None).share.to_string();
    assert_eq!(shares, [Some(quarter.clone()), Some(quarter.clone()), Some(quarter), None]);
    let untils =
        |now: i64| flags.map(|flag| flag.overridden_until(Micros::new(now)).map(|until| until.map(Micros::get)));
    assert_eq!(untils(4), [Some(Some(5)), Some(None), Some(Some(7)), None]);
    assert_eq!(untils(5), [Some(Some(9)), Some(None), Some(Some(7)), None]);
    assert_eq!(untils(9), [None, Some(None), None, None]);
}

#[test]
fn an_activation_is_no_difference_between_snapshots() {
    let document = snapshot(DOCUMENT);
    let overlay = Overlay { activations: vec![(FlagKey::new("s", "bare"), activation(None))], ..Overlay::default() };
    let overlaid = document.overlaid(&overlay);
    assert_eq!(overlaid.changed_flags(&overlaid, 9), Some(Vec::new()));
    assert_eq!(overlaid.changed_flags(&document, 9), Some(Vec::new()));
    assert_eq!(document.changed_flags(&overlaid, 9), Some(Vec::new()));
}

#[test]
fn a_name_is_suggested_that_differs_in_a_third_of_its_letters() {
    let snapshot = snapshot(r#"{"s": {"abcdefghi": {"stable": 1}}}"#);
    let found = |name: &str| snapshot.nearest(&FlagKey::new("s", name)).is_some();
    assert_eq!(["abcdef", "abcdefxyz", "abcdefghijkl"].map(found), [true, true, true]);
    assert_eq!(["abcde", "abcdewxyz", "abcdefghijklm"].map(found), [false, false, false]);
    // The same name elsewhere comes before one that is only spelt alike.
    let both = self::snapshot(r#"{"shop": {"new_login": {"stable": 1}}, "web": {"New_Login": {"stable": 1}}}"#);
    assert_eq!(both.nearest(&FlagKey::new("shop", "New_Login")), Some(FlagKey::new("web", "New_Login")));
}

#[test]
fn an_integer_beyond_two_to_the_53rd_is_noted() {
    let notes =
        |number: &str| check(format!(r#"{{"s": {{"x": {{"stable": {number}}}}}}}"#).as_bytes()).diagnostics.len();
    assert_eq!(["9007199254740992", "9007199254740993"].map(notes), [0, 1]);
    assert_eq!(["-9007199254740992", "-9007199254740993"].map(notes), [0, 1]);
}

#[test]
fn a_definition_is_written_without_steps_that_take_no_time() {
    let entry = r#"{"stable": 1, "new": 2, "start_time": "2030-01-01 00:00Z", "steps": [{"pct": 10, "over": "0s", "hold": "1h"}, {"pct": 100, "over": "2h", "hold": "0s"}]}"#;
    let (definition, _) = read_definition(&FlagKey::new("s", "x"), entry).unwrap();
    let steps = r#""steps": [{"pct": 10, "hold": "1h"}, {"pct": 100, "over": "2h"}]"#;
    assert!(definition.entry.contains(steps), "{}", definition.entry);
}

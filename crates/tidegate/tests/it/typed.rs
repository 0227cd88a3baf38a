//! A typed read gives what `serde_json` reads from the JSON text of the value, for every type and every way to read.

use std::fmt::Debug;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate::{Pin, Tidegate, View};

/// A flag for each path: a rollout that is over, one that needs a clock, one by SHA-1, a constant flag and one among early adopters.
/// Each of their values is this one.
fn document(json: &str) -> String {
    let over = r#""start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50"#;
    let moving = r#""start_time": "2020-01-01 00:00Z", "duration": "36500d""#;
    format!(
        r#"{{"features": {{
            "settled": {{"stable": {json}, "new": {json}, "salt": "s", {over}}},
            "moving": {{"stable": {json}, "new": {json}, "salt": "s", {moving}}},
            "sha1": {{"stable": {json}, "new": {json}, {over}}},
            "constant": {{"stable": {json}}},
            "adopters": {{"stable": {json}, "new": {json}, "salt": "s", {over}, "early_adopters": ["key-1"]}}
        }}}}"#
    )
}

const FLAGS: [&str; 5] = ["settled", "moving", "sha1", "constant", "adopters"];

/// An instance whose flags have this value: from a document, or by locks of this host.
fn connect(json: &str, is_locked: bool) -> Tidegate {
    let locked = FLAGS.iter().fold(Tidegate::builder().without_locks(), |builder, flag| {
        if is_locked { builder.pin(format!("features/{flag}").as_str(), Pin::Value(json.into())) } else { builder }
    });
    locked.text(document(if is_locked { "null" } else { json })).connect().unwrap()
}

/// What is read as a `T` from the text.
fn expected<'t, T: Deserialize<'t>>(json: &'t str) -> Option<T> {
    serde_json::from_str(json).ok()
}

/// Every way to read a value that can be kept.
fn check<T: DeserializeOwned + Clone + PartialEq + Debug>(
    tide: &Tidegate,
    json: &str,
    default: &T,
) -> Result<(), TestCaseError> {
    let expected = expected::<T>(json);
    let (view, name) = (tide.view(), std::any::type_name::<T>());
    let user = view.for_key("key-1");
    for flag in FLAGS {
        let handle = tide.flag("features", flag);
        let before = tide.status().type_errors.count;
        for read in [
            tide.get("features", flag, "key-1", default.clone()),
            view.get("features", flag, "key-1", default.clone()),
            user.get("features", flag, default.clone()),
            view.flag(&handle).get("key-1", default.clone()),
        ] {
            prop_assert_eq!(&read, expected.as_ref().unwrap_or(default), "{} of {} as {}", flag, json, name);
        }
        let counted = tide.status().type_errors.count - before;
        prop_assert_eq!(counted, if expected.is_some() { 0 } else { 4 }, "{} of {} as {}", flag, json, name);
    }
    Ok(())
}

/// Every way to read a text that is borrowed.
fn check_borrowed(tide: &Tidegate, view: &View, json: &str) -> Result<(), TestCaseError> {
    let expected = expected::<&str>(json);
    let user = view.for_key("key-1");
    for flag in FLAGS {
        let handle = tide.flag("features", flag);
        let before = tide.status().type_errors.count;
        for read in [
            view.get("features", flag, "key-1", "the default"),
            user.get("features", flag, "the default"),
            view.flag(&handle).get("key-1", "the default"),
        ] {
            prop_assert_eq!(read, expected.unwrap_or("the default"), "{} of {}", flag, json);
        }
        let counted = tide.status().type_errors.count - before;
        prop_assert_eq!(counted, if expected.is_some() { 0 } else { 3 }, "{} of {}", flag, json);
    }
    Ok(())
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Cents(u64);

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct IsOn(bool);

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Either {
    Number(f64),
    Text(String),
}

fn check_all(json: &str, is_locked: bool) -> Result<(), TestCaseError> {
    let tide = connect(json, is_locked);
    check(&tide, json, &false)?;
    check(&tide, json, &true)?;
    check(&tide, json, &7_u8)?;
    check(&tide, json, &7_u16)?;
    check(&tide, json, &7_u32)?;
    check(&tide, json, &7_u64)?;
    check(&tide, json, &7_u128)?;
    check(&tide, json, &7_i8)?;
    check(&tide, json, &7_i16)?;
    check(&tide, json, &7_i32)?;
    check(&tide, json, &7_i64)?;
    check(&tide, json, &7_i128)?;
    check(&tide, json, &0.7_f32)?;
    check(&tide, json, &0.7_f64)?;
    check(&tide, json, &'c')?;
    check(&tide, json, &"the default".to_owned())?;
    check(&tide, json, &Some(true))?;
    check(&tide, json, &Some(7_u64))?;
    check(&tide, json, &Some("the default".to_owned()))?;
    check(&tide, json, &vec![7_u8])?;
    check(&tide, json, &Value::from("the default"))?;
    check(&tide, json, &Cents(7))?;
    check(&tide, json, &IsOn(true))?;
    check(&tide, json, &Either::Text("the default".to_owned()))?;
    check_borrowed(&tide, &tide.view(), json)
}

#[test]
fn values_at_the_limits_of_types() {
    let in_documents = [
        "true",
        "false",
        "null",
        "0",
        "-0",
        "1",
        "-1",
        "127",
        "128",
        "-128",
        "-129",
        "255",
        "256",
        "4294967295",
        "4294967296",
        "9007199254740993",
        "999999999999999999",
        "1000000000000000000",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551615",
        "1.0",
        "-0.0",
        "1e2",
        "0.1",
        "-1.5",
        "1e-400",
        "1.7976931348623157e308",
        r#""""#,
        r#""a""#,
        r#""a\"b""#,
        r#""\\""#,
        r#""\u00e9""#,
        "\"\u{e9}\"",
        r#""a\u0000""#,
        "[]",
        "[7]",
        r#"{"a":1}"#,
    ];
    for json in in_documents {
        check_all(json, false).unwrap();
        check_all(json, true).unwrap();
    }
    // Neither a document nor a lock may have these, so no read meets them.
    for json in ["1e400", "-1e400", "18446744073709551616", "-9223372036854775809"] {
        let pin = Pin::Value(json.into());
        assert!(Tidegate::builder().without_locks().text("{}").pin("features/x", pin).connect().is_err(), "{json}");
        assert!(Tidegate::builder().without_locks().text(document(json)).connect().is_err(), "{json}");
    }
}

/// Any JSON that a document may have.
fn json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (-300_i64..300).prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        (any::<i32>(), 0_u32..100, -30_i32..30).prop_map(|(whole, part, power)| format!("{whole}.{part}e{power}")),
    ];
    let text =
        prop_oneof![".{0,12}", "[a-z]{0,40}", r#"[\\"/\n\t]{1,3}"#].prop_map(|text| Value::from(text).to_string());
    let scalar = prop_oneof![3 => number, 2 => text, 1 => prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned)];
    scalar.prop_recursive(2, 6, 3, |inner| {
        prop::collection::vec(inner, 0..3).prop_map(|elements| format!("[{}]", elements.join(",")))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_typed_read_gives_what_serde_json_reads(json in json(), is_locked in any::<bool>()) {
        check_all(&json, is_locked)?;
    }
}

#[test]
fn interpolated_numbers_are_read_as_any_number_is() {
    let ramp = r#""interpolate": true, "start_time": "2020-01-01 00:00Z", "duration": "1d""#;
    let text = format!(
        r#"{{"features": {{"whole": {{"stable": 1, "new": 18446744073709551615, {ramp}}},
            "negative": {{"stable": 1, "new": -7, {ramp}}}, "fraction": {{"stable": 1, "new": 2.5, {ramp}}}}}}}"#
    );
    let tide = Tidegate::builder().text(text).without_locks().connect().unwrap();
    let view = tide.view();
    assert_eq!(tide.get("features", "whole", "k", 0_u64), u64::MAX);
    assert_eq!(view.get("features", "whole", "k", Some(0_u64)), Some(u64::MAX));
    assert_eq!((tide.get("features", "negative", "k", 0_i8), view.get("features", "negative", "k", 0_i64)), (-7, -7));
    assert_eq!(
        (tide.get("features", "fraction", "k", 0.0_f64), view.get("features", "fraction", "k", 0.0_f32)),
        (2.5, 2.5)
    );
    assert_eq!(tide.status().type_errors.count, 0);
    assert_eq!((tide.get("features", "negative", "k", 3_u8), view.get("features", "fraction", "k", 3_i64)), (3, 3));
    assert!(!tide.get("features", "whole", "k", false));
    assert_eq!(tide.status().type_errors.count, 3);
}

//! Chapter 1: flag evaluation, by the typed methods of the client.

use open_feature::{
    EvaluationContext, EvaluationDetails, EvaluationErrorCode as Code, EvaluationReason as Reason, EvaluationResult,
    FlagMetadata, StructValue, Value,
};
use tidegate::Pin;
use tidegate_openfeature::TidegateProvider;

use crate::support::{builder, client, flags, key};

/// A flag of each type, with the values that programs take for nothing among them.
const TYPES: &str = r#"{"flags": {
    "switch": {"stable": true}, "off": {"stable": false},
    "word": {"stable": "hé\n"}, "empty": {"stable": ""},
    "whole": {"stable": 10}, "zero": {"stable": 0}, "least": {"stable": -9223372036854775808},
    "real": {"stable": 0.5}, "nil": {"stable": 0.0},
    "object": {"stable": {"pics": true, "title": "Look", "rows": 100, "scale": 1.0, "tags": ["a", "b"], "none": null}},
    "nothing": {"stable": {}}
}}"#;

/// 1.3.1.1, 1.3.3.1, 1.4.3, 1.4.5, 1.4.6, 1.4.7, 2.2.3, 2.2.4, 2.2.5: each type by its method, with key, variant and reason.
#[tokio::test]
async fn each_type_is_read_by_its_own_method() {
    fn check<T: PartialEq + std::fmt::Debug>(details: EvaluationResult<EvaluationDetails<T>>, name: &str, value: T) {
        let details = details.unwrap();
        assert_eq!((details.flag_key.as_str(), details.value), (name, value));
        assert_eq!((details.variant.as_deref(), details.reason), (Some("stable"), Some(Reason::Static)), "{name}");
        assert_eq!(details.flag_metadata, FlagMetadata::default(), "{name}");
    }
    let flags = flags(TYPES).await;
    check(flags.get_bool_details("switch", None, None).await, "switch", true);
    check(flags.get_bool_details("off", None, None).await, "off", false);
    check(flags.get_string_details("word", None, None).await, "word", "hé\n".to_owned());
    check(flags.get_string_details("empty", None, None).await, "empty", String::new());
    check(flags.get_int_details("whole", None, None).await, "whole", 10);
    check(flags.get_int_details("zero", None, None).await, "zero", 0);
    check(flags.get_int_details("least", None, None).await, "least", i64::MIN);
    check(flags.get_float_details("real", None, None).await, "real", 0.5);
    check(flags.get_float_details("nil", None, None).await, "nil", 0.0);
    check(flags.get_struct_details("nothing", None, None).await, "nothing", StructValue::default());
    let object = StructValue::default()
        .with_field("pics", true)
        .with_field("title", "Look")
        .with_field("rows", 100)
        .with_field("scale", 1.0)
        .with_field("tags", vec!["a", "b"]);
    check(flags.get_struct_details("object", None, None).await, "object", object);
}

/// The whole number that the member `rows` has.
#[derive(Debug, PartialEq)]
struct Rows(i64);

impl TryFrom<StructValue> for Rows {
    type Error = &'static str;

    fn try_from(value: StructValue) -> Result<Self, Self::Error> {
        value.fields.get("rows").and_then(Value::as_i64).map(Self).ok_or("no rows")
    }
}

/// 1.3.1.1: a structure as a type of the program's own.
#[tokio::test]
async fn a_structure_is_read_as_a_type_of_the_program() {
    let flags = flags(TYPES).await;
    assert_eq!(flags.get_struct_value::<Rows>("object", None, None).await, Ok(Rows(100)));
    assert_eq!(flags.get_struct_value::<Rows>("nothing", None, None).await.unwrap_err().code, Code::TypeMismatch);
}

/// 1.3.4, 1.4.8, 1.4.9, 1.4.13, 2.2.7: a value of another type is an error that says both types.
#[tokio::test]
async fn no_value_is_converted_to_another_type() {
    let flags = flags(TYPES).await;
    let types = [("switch", "a boolean"), ("whole", "an integer"), ("real", "a float"), ("word", "a string")];
    let types = types.into_iter().chain([("nil", "a float"), ("zero", "an integer"), ("object", "a structure")]);
    for (name, word) in types {
        let errors = [
            ("a boolean", flags.get_bool_value(name, None, None).await.err()),
            ("an integer", flags.get_int_value(name, None, None).await.err()),
            ("a float", flags.get_float_value(name, None, None).await.err()),
            ("a string", flags.get_string_value(name, None, None).await.err()),
            ("a structure", flags.get_struct_value::<StructValue>(name, None, None).await.err()),
        ];
        for (asked, error) in errors {
            let expected = (asked != word).then(|| {
                (Code::TypeMismatch, Some(format!("the value of `{name}` is {word}, not {asked}; ask for {word}")))
            });
            assert_eq!(error.map(|error| (error.code, error.message)), expected, "{name} as {asked}");
        }
    }
}

/// 1.3.4: what the SDK has no type for is said, with what to do.
#[tokio::test]
async fn a_value_that_openfeature_cannot_carry_is_said() {
    let flags = flags(
        r#"{"flags": {"list": {"stable": [1]}, "null": {"stable": null}, "large": {"stable": 9223372036854775808},
            "inner": {"stable": {"a": [null]}}}}"#,
    )
    .await;
    for (name, what) in [("list", "a list"), ("null", "`null`"), ("large", "an integer"), ("inner", "a structure")] {
        let errors = [
            flags.get_int_value(name, None, None).await.unwrap_err(),
            flags.get_struct_value::<StructValue>(name, None, None).await.unwrap_err(),
        ];
        for error in errors {
            let message = error.message.unwrap();
            assert_eq!(error.code, Code::TypeMismatch, "{name}");
            assert!(message.starts_with(&format!("the value of `{name}` is {what}: OpenFeature")), "{message}");
        }
    }
}

/// The type of a number belongs to the flag: with a float among its values, it has floats only.
#[tokio::test]
async fn a_flag_with_a_float_has_only_floats() {
    let flags = flags(
        r#"{"flags": {
            "factor": {"stable": 3, "new": 3.5, "early_adopters": ["ann"]},
            "between": {"stable": 0, "new": 10, "interpolate": true, "start_time": "2026-06-01 00:00Z", "duration": "1d"},
            "within": {"stable": 0, "new": 1.5, "interpolate": true, "start_time": "2026-06-01 00:00Z", "duration": "1d"}
        }}"#,
    )
    .await;
    for (user, value) in [("ann", 3.5), ("bob", 3.0)] {
        assert_eq!(flags.get_float_value("factor", Some(&key(user)), None).await, Ok(value), "{user}");
        assert_eq!(flags.get_int_value("factor", Some(&key(user)), None).await.unwrap_err().code, Code::TypeMismatch);
    }
    let between = flags.get_int_details("between", None, None).await.unwrap();
    assert_eq!((between.value, between.variant.as_deref()), (5, Some("interpolated")));
    assert_eq!(between.reason, Some(Reason::TargetingMatch));
    assert_eq!(flags.get_float_value("within", None, None).await, Ok(0.75));
}

/// One flag for each reason.
const REASONS: &str = r#"{"flags": {
    "ramp": {"stable": 1, "new": 2, "salt": "r", "start_time": "2026-06-01 00:00Z", "duration": "1d"},
    "begun": {"stable": 1, "new": 2, "start_time": "2027-01-01 00:00Z", "duration": "1d"},
    "locked": {"stable": 1, "new": 2, "lock": "new", "rules": [{"name": "r", "when": {"attribute": "a", "is": 1}, "serve": "new"}]},
    "adopted": {"stable": 1, "new": 2, "early_adopters": ["ann"]},
    "ruled": {"stable": 1, "new": 2, "rules": [{"name": "r", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}]},
    "both": {"stable": 1, "new": 2, "start_time": "2026-05-01 00:00Z", "duration": "1d",
        "rules": [{"name": "r", "when": {"attribute": "plan", "is": "premium"}, "serve": "stable"}]},
    "team/x": {"stable": 7}
}, "shop": {"x": {"stable": 8}}}"#;

/// 1.4.7, 2.2.5: why a flag has its value, in OpenFeature's words.
#[tokio::test]
async fn reasons_say_what_decided() {
    let flags = flags(REASONS).await;
    let premium = |user: &str| key(user).with_custom_field("plan", "premium");
    let empty = EvaluationContext::default();
    for (name, context, value, variant, reason) in [
        // 50 per cent: where the two keys are is a golden value of the hash.
        ("ramp", key("user-1"), 2, "new", Reason::Split),
        ("ramp", key("user-2"), 1, "stable", Reason::Split),
        ("begun", empty.clone(), 1, "stable", Reason::Split),
        ("locked", empty.clone(), 2, "new", Reason::Static),
        ("adopted", key("ann"), 2, "new", Reason::TargetingMatch),
        ("adopted", key("bob"), 1, "stable", Reason::Default),
        ("ruled", premium("bob"), 2, "new", Reason::TargetingMatch),
        ("ruled", key("bob").with_custom_field("plan", "free"), 1, "stable", Reason::Default),
        ("ruled", empty.clone(), 1, "stable", Reason::Default),
        ("both", premium("bob"), 1, "stable", Reason::TargetingMatch),
        ("both", key("bob"), 2, "new", Reason::Split),
        ("team/x", empty.clone(), 0, "", Reason::Error),
        ("shop/x", empty.clone(), 8, "stable", Reason::Static),
    ] {
        let details = flags.get_int_details(name, Some(&context), None).await;
        if reason == Reason::Error {
            assert_eq!(details.unwrap_err().code, Code::FlagNotFound, "{name}");
            continue;
        }
        let details = details.unwrap();
        let found = (details.value, details.variant.as_deref(), details.reason);
        assert_eq!(found, (value, Some(variant), Some(reason)), "{name} for {context:?}");
    }
}

/// 1.4.6, 2.2.4: a flag with variants of its own says their names; a key that a split places is not left to a default.
#[tokio::test]
async fn named_variants_are_told_by_their_names() {
    let flags = flags(
        r#"{"flags": {
            "colour": {"variants": {"red": "r", "blue": "b"}, "stable": "red", "rules": [
                {"name": "r", "when": {"attribute": "plan", "is": "premium"}, "serve": "blue"}]},
            "test": {"variants": {"red": "r", "blue": "b"}, "stable": {"split": {"red": 0, "blue": 1}}, "rules": [
                {"name": "r", "when": {"attribute": "plan", "is": "premium"}, "serve": "red"}]}
        }}"#,
    )
    .await;
    let premium = key("ann").with_custom_field("plan", "premium");
    for (name, context, value, variant, reason) in [
        ("colour", key("ann"), "r", "red", Reason::Default),
        ("colour", premium.clone(), "b", "blue", Reason::TargetingMatch),
        ("test", key("ann"), "b", "blue", Reason::Split),
        ("test", premium, "r", "red", Reason::TargetingMatch),
    ] {
        let details = flags.get_string_details(name, Some(&context), None).await.unwrap();
        let found = (details.value.as_str(), details.variant.as_deref(), details.reason);
        assert_eq!(found, (value, Some(variant), Some(reason)), "{name} for {context:?}");
    }
}

/// A value that this host has locked is no variant of the flag.
#[tokio::test]
async fn a_lock_of_this_host_is_static_and_has_a_variant_of_its_own() {
    let tide = builder().text(REASONS).pin("ramp", Pin::Value("5".into())).connect().unwrap();
    let flags = client(TidegateProvider::new(tide)).await;
    let details = flags.get_int_details("ramp", None, None).await.unwrap();
    assert_eq!((details.value, details.variant.as_deref(), details.reason), (5, Some("locked"), Some(Reason::Static)));
}

/// 1.4.8, 1.4.9, 1.4.13, 2.2.7: each code, with a text that says what to do.
#[tokio::test]
async fn errors_have_a_code_and_a_remedy() {
    let flags = flags(
        r#"{"flags": {"off": {"stable": true, "enabled": false},
            "ramp": {"stable": true, "new": false, "start_time": "2026-06-01 00:00Z", "duration": "1d"},
            "tenant": {"stable": true, "new": false, "bucket_by": "tenant", "start_time": "2026-06-01 00:00Z", "duration": "1d"}}}"#,
    )
    .await;
    for (name, context, code, message) in [
        ("of", key("ann"), Code::FlagNotFound, "flag of not found; did you mean `off`?"),
        ("shop/zzz", key("ann"), Code::FlagNotFound, "flag shop/zzz not found"),
        ("", key("ann"), Code::FlagNotFound, "flag  not found"),
        (
            "off",
            key("ann"),
            Code::General("DISABLED".to_owned()),
            "`off` is disabled, so the default of the caller applies",
        ),
        (
            "ramp",
            EvaluationContext::default(),
            Code::TargetingKeyMissing,
            "`ramp` depends on a key; set the targeting key of the evaluation context",
        ),
        (
            "ramp",
            key(""),
            Code::TargetingKeyMissing,
            "`ramp` depends on a key; set the targeting key of the evaluation context",
        ),
        (
            "tenant",
            key("ann"),
            Code::TargetingKeyMissing,
            "`tenant` depends on the attribute `tenant`; put it into the evaluation context as a text",
        ),
    ] {
        let error = flags.get_bool_details(name, Some(&context), None).await.unwrap_err();
        assert_eq!((error.code, error.message.as_deref()), (code, Some(message)), "{name}");
    }
    let tenant = EvaluationContext::default().with_custom_field("tenant", "acme");
    assert!(flags.get_bool_value("tenant", Some(&tenant), None).await.is_ok());
}

/// 1.4.14, 2.2.9: the entry's metadata, typed; and none for a flag that has none.
#[tokio::test]
async fn metadata_is_that_of_the_entry() {
    let flags = flags(
        r#"{"flags": {"with": {"stable": true, "metadata": {"v": "1.0.2", "n": 2, "f": 0.1, "w": 2.0, "b": true}},
            "without": {"stable": true}}}"#,
    )
    .await;
    let details = flags.get_bool_details("with", None, None).await.unwrap();
    let expected = FlagMetadata::default()
        .with_value("v", "1.0.2")
        .with_value("n", 2)
        .with_value("f", 0.1)
        .with_value("w", 2.0)
        .with_value("b", true);
    assert_eq!(details.flag_metadata, expected);
    let details = flags.get_bool_details("without", None, None).await.unwrap();
    assert_eq!(details.flag_metadata, FlagMetadata::default());
}

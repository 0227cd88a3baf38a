//! Chapter 3: the evaluation context, as attributes.

use open_feature::{EvaluationContext, EvaluationContextFieldValue as Field, OpenFeature, StructValue, Value};
use tidegate_openfeature::TidegateProvider;
use time::OffsetDateTime;

use crate::support::{builder, flags, key};

/// A flag `when` that is on where the condition holds.
fn document(condition: &str) -> String {
    format!(
        r#"{{"flags": {{"when": {{"stable": false, "new": true, "rules": [
            {{"name": "r", "when": {condition}, "serve": "new"}}]}}}}}}"#
    )
}

/// 3.1.2: fields of each type reach the rules, and nothing else does.
#[tokio::test]
async fn each_type_of_field_is_an_attribute() {
    let inner = StructValue::default().with_field("country", "DE").with_field("lines", vec!["one", "two"]);
    let nested = StructValue::default().with_field("home", inner.clone()).with_field("floor", 2);
    let time = OffsetDateTime::from_unix_timestamp(1_780_000_000).unwrap();
    let context = key("ann")
        .with_custom_field("bool", true)
        .with_custom_field("int", 31)
        .with_custom_field("float", 1.5)
        .with_custom_field("text", "premium")
        .with_custom_field("time", time)
        .with_custom_field("address", Field::new_struct(nested))
        .with_custom_field("single", Field::new_struct(Value::Int(5)))
        .with_custom_field("groups", Field::new_struct(vec!["a".to_owned(), "b".to_owned()]))
        .with_custom_field("levels", Field::new_struct(vec![Value::Int(1), Value::Struct(inner)]))
        .with_custom_field("other", Field::new_struct(1_u8))
        .with_custom_field("float_of_whole", 3.0);
    for (condition, expected) in [
        (r#"{"attribute": "bool", "is": true}"#, true),
        (r#"{"attribute": "int", "is": 31}"#, true),
        (r#"{"attribute": "int", "gt": 31}"#, false),
        (r#"{"attribute": "int", "is": "31"}"#, false),
        (r#"{"attribute": "float", "lt": 2}"#, true),
        (r#"{"attribute": "float_of_whole", "is": 3}"#, true),
        (r#"{"attribute": "text", "in": ["free", "premium"]}"#, true),
        (r#"{"attribute": "text", "matches": "^prem"}"#, true),
        // 2026-05-28 20:26:40 UTC.
        (r#"{"attribute": "time", "gte": "2026-05-28 20:26:40Z"}"#, true),
        (r#"{"attribute": "time", "lt": "2026-05-28 20:26:40Z"}"#, false),
        (r#"{"attribute": "time", "lt": "2026-05-28T22:26:40.000001+02:00"}"#, true),
        (r#"{"attribute": "address.home.country", "is": "DE"}"#, true),
        (r#"{"attribute": "address.home.lines", "contains": "two"}"#, true),
        (r#"{"attribute": "address.home.lines", "contains": "three"}"#, false),
        (r#"{"attribute": "address.floor", "is": 2}"#, true),
        (r#"{"attribute": "address", "exists": true}"#, true),
        (r#"{"attribute": "single", "is": 5}"#, true),
        (r#"{"attribute": "groups", "contains": "b"}"#, true),
        (r#"{"attribute": "levels", "contains": 1}"#, true),
        (r#"{"attribute": "other", "exists": true}"#, false),
        (r#"{"attribute": "nothing", "exists": true}"#, false),
        (r#"{"attribute": "$key", "is": "ann"}"#, true),
    ] {
        let flags = flags(&document(condition)).await;
        assert_eq!(flags.get_bool_value("when", Some(&context), None).await, Ok(expected), "{condition}");
    }
}

/// 3.2.1.1, 3.2.3: the contexts of API, client and evaluation are one for the rules; the nearest wins.
#[tokio::test]
async fn contexts_of_all_levels_are_merged() {
    let text = document(
        r#"{"all": [{"attribute": "api", "is": 1}, {"attribute": "client", "is": 2}, {"attribute": "call", "is": 3}]}"#,
    );
    let mut api = OpenFeature::default();
    let tide = builder().text(text).connect().unwrap();
    api.set_provider(TidegateProvider::new(tide)).await;
    let level = |name: &str, number: i64| EvaluationContext::default().with_custom_field(name, number);
    api.set_evaluation_context(level("api", 1).with_custom_field("client", 9)).await;
    let mut flags = api.create_client();
    flags.set_evaluation_context(level("client", 2).with_custom_field("call", 9));
    assert_eq!(flags.get_bool_value("when", None, None).await, Ok(false));
    assert_eq!(flags.get_bool_value("when", Some(&level("call", 3)), None).await, Ok(true));
}

//! Comparisons that can never hold, because their tests exclude each other.

use super::Value;
use super::rule::{Comparison, Order, Test};
use super::time::parse_time;
use crate::attributes::{KEY, Number};

/// Why a comparison never holds; `None` if it may.
pub(crate) fn reason(comparison: &Comparison) -> Option<&'static str> {
    let types = comparison.tests.iter().fold(ANY, |types, test| types & types_of(test));
    if types == 0 {
        return Some("its tests ask for values of different types");
    }
    if *comparison.attribute == *KEY && types & (TEXT | ABSENT) == 0 {
        return Some("the key is always a string");
    }
    if let Some(values) = values(comparison)
        && !values.iter().any(|value| comparison.tests.iter().all(|test| may_pass(test, value)))
    {
        return Some("no value passes all of its tests");
    }
    let bounds = |is_lower: bool| {
        comparison.tests.iter().filter_map(move |test| match test {
            Test::Order(order, bound) if is_upper(*order) != is_lower => Some((*order, bound)),
            _ => None,
        })
    };
    let is_empty = bounds(true).any(|(lower, from)| bounds(false).any(|(upper, to)| is_empty(lower, from, upper, to)));
    is_empty.then_some("nothing lies between its bounds")
}

/// The types of attributes that can pass a test, as bits.
fn types_of(test: &Test) -> u8 {
    match test {
        Test::Is(value) => type_of(value),
        Test::In(values) => values.iter().fold(0, |types, value| types | type_of(value)),
        Test::Contains(value) if type_of(value) == TEXT => TEXT | LIST,
        Test::Contains(_) => LIST,
        Test::StartsWith(_) | Test::EndsWith(_) | Test::Matches(_) | Test::Semver(_) | Test::InNetwork(_) => TEXT,
        Test::Order(_, bound) => type_of(bound),
        Test::Exists(true) => ANY & !ABSENT,
        Test::Exists(false) => ABSENT,
    }
}

fn type_of(value: &Value) -> u8 {
    match value.as_str().as_bytes().first() {
        Some(b'"') => TEXT,
        Some(b't' | b'f') => BOOL,
        _ => NUMBER,
    }
}

/// The only values that can pass, if the tests name them.
fn values(comparison: &Comparison) -> Option<Vec<&Value>> {
    comparison.tests.iter().find_map(|test| match test {
        Test::Is(value) => Some(vec![value]),
        Test::In(values) => Some(values.iter().collect()),
        _ => None,
    })
}

/// Whether a value may pass a test; where that takes more than a comparison it may.
fn may_pass(test: &Test, value: &Value) -> bool {
    let string = serde_json::from_str::<String>(value.as_str()).ok();
    match (test, string.as_deref()) {
        (Test::Is(other), _) => is_same(value, other),
        (Test::In(others), _) => others.iter().any(|other| is_same(value, other)),
        (Test::StartsWith(start), Some(string)) => string.starts_with(&**start),
        (Test::EndsWith(end), Some(string)) => string.ends_with(&**end),
        (Test::Order(order, bound), _) => compare(value, bound).is_some_and(|found| order.admits(found)),
        _ => types_of(test) & type_of(value) != 0,
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    match (Number::parse(one.as_str()), Number::parse(other.as_str())) {
        (Some(one), Some(other)) => one.is_same(other),
        _ => serde_json::from_str::<serde_json::Value>(one.as_str()).ok() == serde_json::from_str(other.as_str()).ok(),
    }
}

/// How two numbers, or two times, relate.
fn compare(one: &Value, other: &Value) -> Option<std::cmp::Ordering> {
    let time = |value: &Value| parse_time(&serde_json::from_str::<String>(value.as_str()).ok()?).ok();
    match (Number::parse(one.as_str()), Number::parse(other.as_str())) {
        (Some(one), Some(other)) => one.compare(other),
        _ => Some(time(one)?.cmp(&time(other)?)),
    }
}

fn is_empty(lower: Order, from: &Value, upper: Order, to: &Value) -> bool {
    let Some(order) = compare(from, to) else { return false };
    let has_both_ends = lower == Order::GreaterOrEqual && upper == Order::LessOrEqual;
    order.is_gt() || (order.is_eq() && !has_both_ends)
}

const fn is_upper(order: Order) -> bool {
    matches!(order, Order::Less | Order::LessOrEqual)
}

const TEXT: u8 = 1;
const NUMBER: u8 = 2;
const BOOL: u8 = 4;
const LIST: u8 = 8;
const OBJECT: u8 = 16;
const ABSENT: u8 = 32;
const ANY: u8 = TEXT | NUMBER | BOOL | LIST | OBJECT | ABSENT;

#[cfg(test)]
mod tests {
    use crate::{Code, check};

    fn warns(comparison: &str) -> bool {
        let text = format!(
            r#"{{"s": {{"x": {{"stable": 1, "new": 2, "rules": [{{"name": "r", "when": {{"attribute": {comparison}}}, "serve": "new"}}]}}}}}}"#
        );
        let checked = check(text.as_bytes());
        assert!(checked.document.is_some(), "{comparison}: {:#?}", checked.diagnostics);
        checked.diagnostics.iter().any(|found| found.code == Code::ComparisonNeverHolds)
    }

    #[test]
    fn tests_that_exclude_each_other_are_warned_of() {
        let never = [
            r#""x", "is": "a", "lt": 3"#,
            r#""x", "is": 1, "semver": "1""#,
            r#""x", "is": 1, "in": [2, 3]"#,
            r#""x", "is": "ab", "starts_with": "b""#,
            r#""x", "in": ["ab", "cd"], "ends_with": "e""#,
            r#""x", "gt": 5, "lt": 3"#,
            r#""x", "gt": 5, "lte": 5"#,
            r#""x", "gte": "2026-06-01 00:00Z", "lt": "2026-05-01 00:00Z""#,
            r#""x", "gte": 1, "lt": "2026-05-01 00:00Z""#,
            r#""x", "exists": false, "is": 1"#,
            r#""x", "contains": 1, "starts_with": "a""#,
            r#""x", "is": 7, "gt": 8"#,
            r#""$key", "is": 1"#,
            r#""$key", "gte": 18"#,
        ];
        for comparison in never {
            assert!(warns(comparison), "{comparison}");
        }
        let may = [
            r#""x", "is": "a""#,
            r#""x", "is": 1, "in": [1.0, 3]"#,
            r#""x", "is": "ab", "starts_with": "a", "contains": "b", "matches": "a""#,
            r#""x", "gte": 5, "lte": 5"#,
            r#""x", "gt": 3, "lt": 5, "exists": true"#,
            r#""x", "contains": "a", "starts_with": "a""#,
            r#""x", "exists": false"#,
            r#""$key", "starts_with": "a""#,
            r#""$key", "exists": false"#,
        ];
        for comparison in may {
            assert!(!warns(comparison), "{comparison}");
        }
    }
}

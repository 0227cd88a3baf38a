//! One test of an attribute, compiled.

use regex::Regex;

use crate::Micros;
use crate::attributes::{Found, Number};
use crate::document::patterns::compile_pattern;
use crate::document::{self, Order, Value, parse_time};
use crate::network::{Network, parse_address};
use crate::version_range::VersionRange;

/// One test of an attribute. An attribute that is absent, or of another type, does not pass.
#[derive(Debug)]
pub(crate) enum Test {
    Is(Scalar),
    /// Texts in order, and everything else.
    In(Box<[Box<str>]>, Box<[Scalar]>),
    Contains(Scalar),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Matches(Box<Regex>),
    Number(Order, Number),
    Time(Order, Micros),
    Semver(Box<VersionRange>),
    Exists(bool),
    InNetwork(Box<[Network]>),
    /// What the reader would not have let through.
    Never,
}

/// A string, a number or a boolean of a document.
#[derive(Debug)]
pub(crate) enum Scalar {
    Text(Box<str>),
    Number(Number),
    Bool(bool),
}

impl Scalar {
    /// The scalar that a value is; `None` for null, lists and objects.
    pub(crate) fn new(value: &Value) -> Option<Self> {
        match value.as_str() {
            "true" => Some(Self::Bool(true)),
            "false" => Some(Self::Bool(false)),
            text if text.starts_with('"') => serde_json::from_str(text).ok().map(Self::Text),
            text => Number::parse(text).map(Self::Number),
        }
    }

    #[inline]
    pub(crate) fn is(&self, found: Found<'_>) -> bool {
        match (self, found) {
            (Self::Text(text), Found::Text(found)) => **text == *found,
            (Self::Number(number), Found::Number(found)) => number.is_same(found),
            (Self::Bool(value), Found::Bool(found)) => *value == found,
            _ => false,
        }
    }
}

impl Test {
    /// Compiles a test, which the reader has checked.
    pub(crate) fn new(test: &document::Test) -> Self {
        Self::checked(test).unwrap_or(Self::Never)
    }

    fn checked(test: &document::Test) -> Option<Self> {
        Some(match test {
            document::Test::Is(value) => Self::Is(Scalar::new(value)?),
            document::Test::In(values) => is_one_of(values),
            document::Test::Contains(value) => Self::Contains(Scalar::new(value)?),
            document::Test::StartsWith(start) => Self::StartsWith(start.clone()),
            document::Test::EndsWith(end) => Self::EndsWith(end.clone()),
            document::Test::Matches(pattern) => Self::Matches(Box::new(compile_pattern(pattern).ok()?)),
            document::Test::Order(order, bound) => match Scalar::new(bound)? {
                Scalar::Number(number) => Self::Number(*order, number),
                Scalar::Text(time) => Self::Time(*order, parse_time(&time).ok()?),
                Scalar::Bool(_) => return None,
            },
            document::Test::Semver(range) => Self::Semver(Box::new(VersionRange::parse(range).ok()?)),
            document::Test::Exists(exists) => Self::Exists(*exists),
            document::Test::InNetwork(networks) => {
                Self::InNetwork(networks.iter().filter_map(|network| Network::parse(network).ok()).collect())
            }
        })
    }

    /// Whether an attribute passes.
    #[inline]
    pub(crate) fn passes(&self, found: Option<Found<'_>>) -> bool {
        let Some(found) = found else { return matches!(self, Self::Exists(false)) };
        match (self, found) {
            (Self::Is(scalar), found) => scalar.is(found),
            (Self::StartsWith(start), Found::Text(text)) => text.starts_with(&**start),
            (Self::EndsWith(end), Found::Text(text)) => text.ends_with(&**end),
            (Self::Number(order, bound), Found::Number(number)) => {
                number.compare(*bound).is_some_and(|found| order.admits(found))
            }
            (Self::Exists(exists), _) => *exists,
            (test, found) => test.passes_slowly(found),
        }
    }

    /// The tests that take longer than a comparison or two.
    #[inline(never)]
    fn passes_slowly(&self, found: Found<'_>) -> bool {
        match (self, found) {
            (Self::In(texts, _), Found::Text(found)) if texts.len() <= FEW_TEXTS => {
                texts.iter().any(|text| **text == *found)
            }
            (Self::In(texts, _), Found::Text(found)) => texts.binary_search_by(|text| (**text).cmp(found)).is_ok(),
            (Self::In(_, others), found) => others.iter().any(|scalar| scalar.is(found)),
            (Self::Contains(Scalar::Text(part)), Found::Text(text)) => text.contains(&**part),
            (Self::Contains(scalar), Found::List(elements)) => elements.any(|element| scalar.is(element)),
            (Self::Matches(pattern), Found::Text(text)) => pattern.is_match(text),
            (Self::Time(order, bound), Found::Text(text)) => {
                parse_time(text).is_ok_and(|found| order.admits(found.cmp(bound)))
            }
            (Self::Semver(range), Found::Text(text)) => range.has(text),
            (Self::InNetwork(networks), Found::Text(text)) => {
                parse_address(text).is_some_and(|address| networks.iter().any(|network| network.has(address)))
            }
            _ => false,
        }
    }
}

/// The test for one of several values, its texts in order.
fn is_one_of(values: &[Value]) -> Test {
    let (mut texts, mut others) = (Vec::new(), Vec::new());
    for scalar in values.iter().filter_map(Scalar::new) {
        match scalar {
            Scalar::Text(text) => texts.push(text),
            scalar => others.push(scalar),
        }
    }
    texts.sort_unstable();
    Test::In(texts.into(), others.into())
}

/// Up to this number, texts are compared one by one, which is faster than searching.
const FEW_TEXTS: usize = 8;

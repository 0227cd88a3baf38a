//! One test of an attribute, compiled.

use regex::Regex;

use crate::Micros;
use crate::attributes::{Attribute, Found, Number};
use crate::document::patterns::compile_pattern;
use crate::document::{self, Order, Value, parse_time};
use crate::ends::Ends;
use crate::network::{Network, parse_address};
use crate::same_text::is_same;
use crate::version_range::VersionRange;

/// A test of an attribute. An attribute that is absent, or of another type, does not pass.
#[derive(Debug)]
pub(crate) enum Test {
    Text(Box<str>),
    /// A number or a boolean.
    Is(Box<Scalar>),
    /// A few short texts.
    InFew(Box<[Ends]>),
    /// Texts in order, and everything else.
    In(Box<[Box<str>]>, Box<[Scalar]>),
    Contains(Scalar),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Matches(Box<Regex>),
    /// A bound that is an integer of 64 bits, and the first and the last such integer on that side of it.
    Integer {
        order: Order,
        bound: i64,
        first: i64,
        last: i64,
    },
    /// Any other bound.
    Number(Box<(Order, Number)>),
    Time(Order, Micros),
    Semver(Box<VersionRange>),
    Exists(bool),
    InNetwork(Box<[Network]>),
    /// Several tests of one attribute.
    All(Box<[Test]>),
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
    fn is(&self, found: Found<'_>) -> bool {
        match self {
            Self::Text(text) => found.as_text().is_some_and(|found| is_same(text.as_bytes(), found.as_bytes())),
            Self::Number(number) => found.as_number().is_some_and(|found| number.is_same(found)),
            Self::Bool(value) => found.as_bool() == Some(*value),
        }
    }
}

impl Test {
    /// Compiles the tests of one comparison.
    pub(crate) fn all(tests: &[document::Test]) -> Self {
        match tests {
            [test] => Self::new(test),
            tests => Self::All(tests.iter().map(Self::new).collect()),
        }
    }

    /// Compiles a test, which the reader has checked.
    fn new(test: &document::Test) -> Self {
        Self::checked(test).unwrap_or(Self::Never)
    }

    fn checked(test: &document::Test) -> Option<Self> {
        Some(match test {
            document::Test::Is(value) => match Scalar::new(value)? {
                Scalar::Text(string) => Self::Text(string),
                scalar => Self::Is(Box::new(scalar)),
            },
            document::Test::In(values) => is_one_of(values),
            document::Test::Contains(value) => Self::Contains(Scalar::new(value)?),
            document::Test::StartsWith(start) => Self::StartsWith(start.clone()),
            document::Test::EndsWith(end) => Self::EndsWith(end.clone()),
            document::Test::Matches(pattern) => Self::Matches(Box::new(compile_pattern(pattern).ok()?)),
            document::Test::Order(order, bound) => match Scalar::new(bound)? {
                Scalar::Number(number) => Self::bound(*order, number),
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

    fn bound(order: Order, number: Number) -> Self {
        let Some(bound) = number.as_integer().and_then(|integer| i64::try_from(integer).ok()) else {
            return Self::Number(Box::new((order, number)));
        };
        let ends = match order {
            Order::Less => bound.checked_sub(1).map(|last| (i64::MIN, last)),
            Order::LessOrEqual => Some((i64::MIN, bound)),
            Order::Greater => bound.checked_add(1).map(|first| (first, i64::MAX)),
            Order::GreaterOrEqual => Some((bound, i64::MAX)),
        };
        // There may be none, which lies between no ends.
        let (first, last) = ends.unwrap_or((i64::MAX, i64::MIN));
        Self::Integer { order, bound, first, last }
    }

    /// Whether an attribute passes.
    #[expect(clippy::inline_always, reason = "the rules of a flag are one loop, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn passes(&self, found: Option<Found<'_>>) -> bool {
        let Some(found) = found else { return matches!(self, Self::Exists(false)) };
        match self {
            Self::Text(text) => found.as_text().is_some_and(|found| is_same(text.as_bytes(), found.as_bytes())),
            Self::InFew(texts) => found.as_text().and_then(Ends::new).is_some_and(|found| {
                for text in texts {
                    if *text == found {
                        return true;
                    }
                }
                false
            }),
            Self::Integer { first, last, .. } if let Found::Typed(Attribute::Integer(found)) = found => {
                first <= found && found <= last
            }
            _ => self.passes_slowly(found),
        }
    }

    /// The tests that take longer than a comparison or two.
    #[inline(never)]
    fn passes_slowly(&self, found: Found<'_>) -> bool {
        let text = found.as_text();
        match self {
            Self::Is(scalar) => scalar.is(found),
            Self::In(texts, others) => match text {
                Some(found) => texts.binary_search_by(|text| (**text).cmp(found)).is_ok(),
                None => others.iter().any(|scalar| scalar.is(found)),
            },
            Self::Contains(Scalar::Text(part)) if let Some(text) = text => text.contains(&**part),
            Self::Contains(scalar) => found.has_element(|element| scalar.is(element)),
            Self::StartsWith(start) => text.is_some_and(|text| text.starts_with(&**start)),
            Self::EndsWith(end) => text.is_some_and(|text| text.ends_with(&**end)),
            Self::Matches(pattern) => text.is_some_and(|text| pattern.is_match(text)),
            Self::Integer { order, bound, .. } => is_on_side(found, *order, Number::Integer((*bound).into())),
            Self::Number(bound) => is_on_side(found, bound.0, bound.1),
            Self::Time(order, bound) => {
                text.and_then(|text| parse_time(text).ok()).is_some_and(|time| order.admits(time.cmp(bound)))
            }
            Self::Semver(range) => text.is_some_and(|text| range.has(text)),
            Self::Exists(exists) => *exists,
            Self::InNetwork(networks) => {
                text.and_then(parse_address).is_some_and(|address| networks.iter().any(|network| network.has(address)))
            }
            Self::All(tests) => tests.iter().all(|test| test.passes(Some(found))),
            Self::Text(_) | Self::InFew(_) | Self::Never => false,
        }
    }
}

/// Whether something is a number on this side of a bound.
fn is_on_side(found: Found<'_>, order: Order, bound: Number) -> bool {
    found.as_number().and_then(|number| number.compare(bound)).is_some_and(|found| order.admits(found))
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
    let ends: Option<Box<[Ends]>> = texts.iter().map(|text| Ends::new(text)).collect();
    if let Some(ends) = ends.filter(|ends| ends.len() <= FEW_TEXTS && others.is_empty()) {
        return Test::InFew(ends);
    }
    texts.sort_unstable();
    Test::In(texts.into(), others.into())
}

/// Up to this number, texts are compared one by one, which is faster than searching.
const FEW_TEXTS: usize = 8;

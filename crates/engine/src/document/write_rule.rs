//! Rules and conditions as text.

use std::fmt;

use super::rule::{Comparison, Condition, Serve, Targeting, TargetingRule, Test};
use super::variants::{Choice, Variants};
use super::write_schedule::{list, quoted, schedule_fields};
use super::{Segment, Value};

/// The rule as documents write it, in one line.
impl fmt::Display for TargetingRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&rule(self))
    }
}

/// The segment as documents write it, in one line: its name and its condition.
impl fmt::Display for Segment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&segment(self))
    }
}

/// A rule as JSON in one line.
pub(super) fn rule(rule: &TargetingRule) -> String {
    let serve = match &rule.serve {
        Serve::Variant(variant) => quoted(variant.as_str()),
        Serve::Choice(choice) => choice.to_string(),
        Serve::Ramp(schedule) => {
            let fields = schedule_fields(schedule).into_iter().map(|(name, json)| format!("\"{name}\": {json}"));
            format!("{{\"ramp\": {{{}}}}}", fields.collect::<Vec<_>>().join(", "))
        }
    };
    format!("{{\"name\": {}, \"when\": {}, \"serve\": {serve}}}", quoted(&rule.name), condition(&rule.when))
}

/// The choice as documents write it, in one line: a name in quotes, or a split.
impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variant(name) => formatter.write_str(&quoted(name)),
            Self::Split(portions) => {
                let portion = |portion: &super::Portion| format!("{}: {}", quoted(&portion.variant), portion.weight);
                let portions = portions.iter().map(portion).collect::<Vec<_>>();
                write!(formatter, "{{\"split\": {{{}}}}}", portions.join(", "))
            }
        }
    }
}

/// The named variants as JSON in one line, without what `stable` and `new` choose.
pub(crate) fn variants(variants: &Variants) -> String {
    let member = |variant: &super::NamedVariant| format!("{}: {}", quoted(&variant.name), variant.value.as_str());
    format!("{{{}}}", variants.values.iter().map(member).collect::<Vec<_>>().join(", "))
}

/// Rules and `bucket_by` as one text, for digests.
pub(crate) fn targeting(targeting: &Targeting) -> String {
    let bucket_by = targeting.bucket_by.as_deref().map(quoted).unwrap_or_default();
    format!("{}{bucket_by}", list(&targeting.rules, rule))
}

/// A segment as a member of the object that has them all.
pub(super) fn segment(segment: &Segment) -> String {
    format!("{}: {}", quoted(&segment.name), condition(&segment.when))
}

/// A condition as JSON in one line; reading it gives the same condition.
pub(crate) fn condition(when: &Condition) -> String {
    match when {
        Condition::Compare(comparison) => self::comparison(comparison),
        Condition::All(parts) => format!("{{\"all\": {}}}", list(parts, condition)),
        Condition::Any(parts) => format!("{{\"any\": {}}}", list(parts, condition)),
        Condition::Not(part) => format!("{{\"not\": {}}}", condition(part)),
        Condition::Segment(name) => format!("{{\"segment\": {}}}", quoted(name)),
        Condition::Flag { flag, is } => format!("{{\"flag\": {}, \"is\": {}}}", quoted(&flag.to_string()), quoted(is)),
    }
}

fn comparison(comparison: &Comparison) -> String {
    let tests = comparison.tests.iter().map(test).collect::<Vec<_>>().join(", ");
    format!("{{\"attribute\": {}, {tests}}}", quoted(&comparison.attribute))
}

fn test(test: &Test) -> String {
    match test {
        Test::Is(value) => format!("\"is\": {}", value.as_str()),
        Test::In(values) => format!("\"in\": {}", list(values, |value: &Value| value.as_str().to_owned())),
        Test::Contains(value) => format!("\"contains\": {}", value.as_str()),
        Test::StartsWith(start) => format!("\"starts_with\": {}", quoted(start)),
        Test::EndsWith(end) => format!("\"ends_with\": {}", quoted(end)),
        Test::Matches(pattern) => format!("\"matches\": {}", quoted(pattern)),
        Test::Order(order, bound) => format!("\"{}\": {}", order.as_str(), bound.as_str()),
        Test::Semver(range) => format!("\"semver\": {}", quoted(range)),
        Test::Exists(exists) => format!("\"exists\": {exists}"),
        Test::InNetwork(networks) => format!("\"in_network\": {}", list(networks, |network| quoted(network))),
    }
}

//! Reading conditions: what they are about, their tests, and the parts of groups.

use super::cursor::{Kind, Token};
use super::fields::{ConditionField, Names as _};
use super::findings::Findings;
use super::flag_patterns::Patterns;
use super::members::{At, Members};
use super::names;
use super::rule::{Comparison, Condition, Order, Test};
use super::time::parse_time;
use super::uses::Uses;
use super::{Value, never, value};
use crate::diagnostic::{Code, quote};
use crate::network::{Network, NetworkError};
use crate::version_range::VersionRange;
use crate::{FlagKey, Variant, limits};

type Fields<'t, 'a> = Members<'t, 'a, ConditionField>;

/// What conditions of one flag, or of all segments, have in common.
pub(crate) struct Reading<'r> {
    pub(crate) patterns: &'r mut Patterns,
    /// The segments and the flags that the conditions name, with their places.
    pub(crate) uses: &'r mut Uses,
}

/// Reads a condition; reports what is wrong in it.
pub(crate) fn read(
    at: At<'_, '_>,
    depth: usize,
    reading: &mut Reading<'_>,
    findings: &mut Findings,
) -> Option<Condition> {
    if depth > limits::CONDITION_DEPTH_MAX {
        report_too_deep(at, findings);
        return None;
    }
    if !at.is(Kind::Object, findings) {
        return None;
    }
    let fields = Fields::read(at.token.inside(), at.token, &at.trail, findings);
    let kinds: Vec<_> = KINDS.iter().filter_map(|kind| fields.get(*kind)).collect();
    let [kind] = kinds.as_slice() else {
        report_unclear(at, &kinds, &fields, findings);
        return None;
    };
    let (kind, named) = (*kind, ConditionField::from_name(kind.field.name)?);
    let beside = |tests: &[ConditionField]| tests.iter().find_map(|test| fields.get(*test));
    if named != ConditionField::Attribute
        && let Some(test) = beside(TESTS).filter(|test| !(named == ConditionField::Flag && test.field.name == "is"))
    {
        let (test_name, kind_name) = (test.field.name, kind.field.name);
        findings.add(Code::ConditionUnclear, test.trail, test.token.span(), || {
            (
                format!("`{test_name}` stands beside `{kind_name}`, but is about an `attribute`"),
                format!("put `{{\"attribute\": ..., \"{test_name}\": ...}}` and the other condition into `all`"),
            )
        });
        return None;
    }
    match named {
        ConditionField::All => Some(Condition::All(read_parts(kind, depth, reading, findings)?)),
        ConditionField::Any => Some(Condition::Any(read_parts(kind, depth, reading, findings)?)),
        ConditionField::Not => Some(Condition::Not(Box::new(read(kind, depth + 1, reading, findings)?))),
        ConditionField::Segment => {
            let name = kind.string(findings)?;
            reading.uses.add_segment(&name, kind);
            Some(Condition::Segment(name))
        }
        ConditionField::Flag => read_prerequisite(kind, &fields, reading, findings),
        _ => read_comparison(kind, &fields, reading, findings),
    }
}

fn read_parts(
    at: At<'_, '_>,
    depth: usize,
    reading: &mut Reading<'_>,
    findings: &mut Findings,
) -> Option<Vec<Condition>> {
    let elements = elements(at, findings)?;
    let count = elements.len();
    let mut parts = Vec::with_capacity(count);
    for (index, token) in elements.into_iter().enumerate() {
        let part = At { token, trail: at.trail.index(index), field: at.field };
        parts.extend(read_part(part, depth + 1, reading, findings));
    }
    (parts.len() == count).then_some(parts)
}

/// A condition in a list, whose wrong type is reported as such.
fn read_part(at: At<'_, '_>, depth: usize, reading: &mut Reading<'_>, findings: &mut Findings) -> Option<Condition> {
    if at.token.kind() != Kind::Object {
        report_unusable(at, "has an element that is not an object", "write conditions in it", findings);
        return None;
    }
    read(at, depth, reading, findings)
}

/// The elements of a list that has to have some.
fn elements<'t>(at: At<'t, '_>, findings: &mut Findings) -> Option<Vec<Token<'t>>> {
    if !at.is(Kind::List, findings) {
        return None;
    }
    let mut inside = at.token.inside();
    let mut elements = Vec::new();
    while let Some(token) = inside.value() {
        if elements.len() == limits::CONDITION_LIST_MAX {
            findings.add(Code::ConditionTooLarge, at.trail, token.span(), || {
                (
                    format!(
                        "`{}` has more than {} elements (CONDITION_LIST_MAX)",
                        at.field.name,
                        limits::CONDITION_LIST_MAX
                    ),
                    "use `matches`, a network with a shorter mask, or an attribute of its own".to_owned(),
                )
            });
            return None;
        }
        elements.push(token);
    }
    if elements.is_empty() {
        report_unusable(at, "is empty", "put something into it, or remove the condition", findings);
        return None;
    }
    Some(elements)
}

fn read_prerequisite(
    at: At<'_, '_>,
    fields: &Fields<'_, '_>,
    reading: &mut Reading<'_>,
    findings: &mut Findings,
) -> Option<Condition> {
    let is = fields.require(ConditionField::Is, findings).and_then(|is| Some((is, is.string(findings)?)));
    let flag = FlagKey::parse(&at.string(findings)?);
    if let Err(error) = flag.check() {
        findings.add(Code::OperandUnusable, at.trail, at.token.span(), || {
            (format!("`flag` is no flag key: {error}"), "write it as `section/flag`".to_owned())
        });
        return None;
    }
    let (is_at, is) = is?;
    reading.uses.add_flag(&flag, at, &is, is_at);
    Some(Condition::Flag { flag, is })
}

fn read_comparison(
    at: At<'_, '_>,
    fields: &Fields<'_, '_>,
    reading: &mut Reading<'_>,
    findings: &mut Findings,
) -> Option<Condition> {
    let attribute = read_attribute(at, findings);
    let mut tests = Vec::new();
    let mut count = 0;
    for &field in TESTS {
        let Some(test) = fields.get(field) else { continue };
        count += 1;
        tests.extend(read_test(field, test, reading, findings));
    }
    if count == 0 {
        findings.add(Code::OperatorMissing, at.trail, at.token.span(), || {
            (
                "the condition names an attribute, but no test of it".to_owned(),
                format!(
                    "add one of {}",
                    TESTS.iter().map(|test| format!("`{}`", name(*test))).collect::<Vec<_>>().join(", ")
                ),
            )
        });
        return None;
    }
    if tests.len() != count {
        return None;
    }
    let comparison = Comparison { attribute: attribute?, tests };
    if let Some(why) = never::reason(&comparison) {
        findings.add(Code::ComparisonNeverHolds, at.trail, at.token.span(), || {
            (
                format!("the comparison of {} never holds: {why}", quote(&comparison.attribute)),
                "change or remove one of the tests".to_owned(),
            )
        });
    }
    Some(Condition::Compare(comparison))
}

/// The name of an attribute.
pub(crate) fn read_attribute(at: At<'_, '_>, findings: &mut Findings) -> Option<Box<str>> {
    let name = at.string(findings)?;
    let is_long = name.len() > limits::NAME_BYTES_MAX;
    if name.is_empty() || is_long {
        let what = if is_long { "is longer than 256 bytes (NAME_BYTES_MAX)" } else { "is empty" };
        report_unusable(at, what, "write the name of an attribute", findings);
        return None;
    }
    if let Some(near) = name.strip_prefix('$').filter(|rest| *rest != "key") {
        let near = names::nearest(near, ["key"].into_iter()).map_or("", |_| "; did you mean `$key`?");
        let help = format!("`$key` is the key, and other names with `$` are reserved{near}");
        report_unusable(at, "begins with `$`", &help, findings);
        return None;
    }
    Some(name)
}

fn read_test(
    field: ConditionField,
    at: At<'_, '_>,
    reading: &mut Reading<'_>,
    findings: &mut Findings,
) -> Option<Test> {
    Some(match field {
        ConditionField::Is => Test::Is(read_scalar(at, findings)?),
        ConditionField::Contains => Test::Contains(read_scalar(at, findings)?),
        ConditionField::In => Test::In(read_scalars(at, findings)?),
        ConditionField::StartsWith => Test::StartsWith(at.string(findings)?),
        ConditionField::EndsWith => Test::EndsWith(at.string(findings)?),
        ConditionField::Matches => {
            Test::Matches(reading.patterns.read(at, "the test only asks for a string", findings)?)
        }
        ConditionField::Lt => Test::Order(Order::Less, read_bound(at, findings)?),
        ConditionField::Lte => Test::Order(Order::LessOrEqual, read_bound(at, findings)?),
        ConditionField::Gt => Test::Order(Order::Greater, read_bound(at, findings)?),
        ConditionField::Gte => Test::Order(Order::GreaterOrEqual, read_bound(at, findings)?),
        ConditionField::Semver => Test::Semver(read_range(at, findings)?),
        ConditionField::Exists => Test::Exists(at.boolean(findings)?),
        ConditionField::InNetwork => Test::InNetwork(read_networks(at, findings)?),
        _ => return None,
    })
}

fn read_scalar(at: At<'_, '_>, findings: &mut Findings) -> Option<Value> {
    let help = match at.token.kind() {
        Kind::String | Kind::Number | Kind::Boolean => return value::read(at.token, at.trail, findings),
        Kind::Null => "for an attribute that is absent or null, write `\"exists\": false`",
        Kind::List => "write `in` for one of several values",
        Kind::Object => "name a part of an object by a dot, such as `address.country`",
    };
    let what = format!("is {}, which is compared with nothing", at.token.kind().described());
    report_unusable(at, &what, help, findings);
    None
}

fn read_scalars(at: At<'_, '_>, findings: &mut Findings) -> Option<Vec<Value>> {
    let elements = elements(at, findings)?;
    let count = elements.len();
    let mut values = Vec::with_capacity(count);
    for (index, token) in elements.into_iter().enumerate() {
        values.extend(read_scalar(At { token, trail: at.trail.index(index), field: at.field }, findings));
    }
    (values.len() == count).then_some(values)
}

/// A number, or a string with a time.
fn read_bound(at: At<'_, '_>, findings: &mut Findings) -> Option<Value> {
    match at.token.kind() {
        Kind::Number => {}
        Kind::String => {
            let text = at.text(findings)?;
            if let Err(error) = parse_time(&text) {
                let what = format!("is {}, which {error}", quote(&text));
                let is_number = text.parse::<f64>().is_ok();
                let help = if is_number { "write a number without quotes" } else { error.help() };
                report_unusable(at, &what, help, findings);
                return None;
            }
        }
        kind => {
            let what = format!("is {}, which has no order", kind.described());
            report_unusable(at, &what, "write a number, or a string with a time", findings);
            return None;
        }
    }
    value::read(at.token, at.trail, findings)
}

fn read_range(at: At<'_, '_>, findings: &mut Findings) -> Option<Box<str>> {
    let text = at.string(findings)?;
    if let Err(reason) = VersionRange::parse(&text) {
        findings.add(Code::SemverUnreadable, at.trail, at.token.span(), || {
            (
                format!("`semver` is {}, which is no range of versions: {reason}", quote(&text)),
                "write it as Cargo does: `^1.4`, `>=1.4, <2` or `~1.2.3`".to_owned(),
            )
        });
        return None;
    }
    Some(text)
}

fn read_networks(at: At<'_, '_>, findings: &mut Findings) -> Option<Vec<Box<str>>> {
    if at.token.kind() == Kind::String {
        return Some(vec![read_network(at, findings)?]);
    }
    let elements = elements(at, findings)?;
    let count = elements.len();
    let mut networks = Vec::with_capacity(count);
    for (index, token) in elements.into_iter().enumerate() {
        let element = At { token, trail: at.trail.index(index), field: at.field };
        networks.extend(read_network(element, findings));
    }
    (networks.len() == count).then_some(networks)
}

fn read_network(at: At<'_, '_>, findings: &mut Findings) -> Option<Box<str>> {
    let text = at.string(findings)?;
    let help = match Network::parse(&text) {
        Ok(_) => return Some(text),
        Err(NetworkError::Unreadable) => "write it like `10.0.0.0/8`, `2001:db8::/32` or `10.0.0.1`".to_owned(),
        Err(NetworkError::BeyondMask(meant)) => {
            format!("the address has bits beyond the mask: did you mean `{meant}`?")
        }
    };
    findings.add(Code::NetworkUnreadable, at.trail, at.token.span(), || {
        (format!("`in_network` is {}, which is no network", quote(&text)), help)
    });
    None
}

fn report_unclear(at: At<'_, '_>, kinds: &[At<'_, '_>], fields: &Fields<'_, '_>, findings: &mut Findings) {
    let is_test = TESTS.iter().any(|test| fields.has(*test));
    findings.add(Code::ConditionUnclear, at.trail, at.token.span(), || {
        let names = kinds.iter().map(|kind| format!("`{}`", kind.field.name)).collect::<Vec<_>>().join(" and ");
        match kinds {
            [] if is_test => (
                "the condition tests something, but names no `attribute`".to_owned(),
                "add `attribute`, the name of what is tested; `$key` is the key".to_owned(),
            ),
            [] => (
                "the condition says nothing".to_owned(),
                "write `attribute` with a test, or one of `all`, `any`, `not`, `segment` and `flag`".to_owned(),
            ),
            _ => (
                format!("{names} stand in one condition"),
                "write each as a condition of its own, and join them by `all` or `any`".to_owned(),
            ),
        }
    });
}

fn report_too_deep(at: At<'_, '_>, findings: &mut Findings) {
    findings.add(Code::ConditionTooDeep, at.trail, at.token.span(), || {
        (
            format!("conditions nest deeper than {} (CONDITION_DEPTH_MAX)", limits::CONDITION_DEPTH_MAX),
            "flatten the condition, or give a part of it a name as a segment".to_owned(),
        )
    });
}

/// Reports something that a condition cannot work with.
pub(crate) fn report_unusable(at: At<'_, '_>, what: &str, help: &str, findings: &mut Findings) {
    findings.add(Code::OperandUnusable, at.trail, at.token.span(), || {
        (format!("`{}` {what}", at.field.name), help.to_owned())
    });
}

fn name(field: ConditionField) -> &'static str {
    ConditionField::TABLE.get(field.index()).map_or("", |field| field.name)
}

/// The fields of which a condition has exactly one.
const KINDS: &[ConditionField] = &[
    ConditionField::Attribute,
    ConditionField::All,
    ConditionField::Any,
    ConditionField::Not,
    ConditionField::Segment,
    ConditionField::Flag,
];

/// The tests of an attribute.
const TESTS: &[ConditionField] = &[
    ConditionField::Is,
    ConditionField::In,
    ConditionField::Contains,
    ConditionField::StartsWith,
    ConditionField::EndsWith,
    ConditionField::Matches,
    ConditionField::Lt,
    ConditionField::Lte,
    ConditionField::Gt,
    ConditionField::Gte,
    ConditionField::Semver,
    ConditionField::Exists,
    ConditionField::InNetwork,
];

/// The variants that a rule can serve in a flag without named ones.
pub(crate) const VARIANTS: &[(&str, Variant)] = &[("stable", Variant::Stable), ("new", Variant::New)];

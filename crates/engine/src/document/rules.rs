//! Reading the rules of a flag and the segments of a document.

use super::condition::{self, Reading, VARIANTS, read_attribute};
use super::cursor::Kind;
use super::fields::{EntryField, RampField, RuleField, ServeField};
use super::findings::Findings;
use super::flag_patterns::Patterns;
use super::members::{At, Members};
use super::read_variants::{Known, report_choice};
use super::rule::{Segment, Serve, Targeting, TargetingRule};
use super::seen::{Insert, Seen};
use super::uses::Uses;
use super::{Choice, Schedule, names, schedule};
use crate::diagnostic::{Code, quote};
use crate::limits;

/// The rules of an entry and what its positions are made of; `None` if it has neither.
pub(crate) fn read_targeting(
    entry: &Members<'_, '_, EntryField>,
    known: Option<&Known>,
    patterns: &mut Patterns,
    uses: &mut Uses,
    findings: &mut Findings,
) -> Option<Box<Targeting>> {
    let rules = entry.get(EntryField::Rules);
    let bucket_by = entry.get(EntryField::BucketBy);
    if rules.is_none() && bucket_by.is_none() {
        return None;
    }
    let interpolates = entry.get(EntryField::Interpolate).is_some_and(|at| at.token.text == "true");
    let targeting = Targeting {
        rules: rules.map_or_else(Vec::new, |at| {
            read_rules(at, (known, interpolates), &mut Reading { patterns, uses }, findings)
        }),
        bucket_by: bucket_by.and_then(|at| read_attribute(at, findings)),
    };
    (targeting != Targeting::default()).then(|| Box::new(targeting))
}

fn read_rules(
    at: At<'_, '_>,
    values: (Option<&Known>, bool),
    reading: &mut Reading<'_>,
    findings: &mut Findings,
) -> Vec<TargetingRule> {
    let mut rules = Vec::new();
    if !at.is(Kind::List, findings) {
        return rules;
    }
    reading.uses.add_rules(at);
    let mut elements = at.token.inside();
    let mut seen = Seen::new(findings.seed);
    let mut index = 0;
    while let Some(token) = elements.value() {
        if index == limits::RULES_MAX {
            findings.add(Code::TooManyRules, at.trail, token.span(), || {
                (
                    format!("there are more rules than the limit of {} (RULES_MAX)", limits::RULES_MAX),
                    "join rules that serve the same by `any`, or list values by `in`".to_owned(),
                )
            });
            return Vec::new();
        }
        let trail = at.trail.index(index);
        index += 1;
        if token.kind() != Kind::Object {
            condition::report_unusable(
                At { token, trail, field: at.field },
                "has an element that is not an object",
                "write a rule as `{\"name\": ..., \"when\": ..., \"serve\": ...}`",
                findings,
            );
            continue;
        }
        let members = Members::<RuleField>::read(token.inside(), token, &trail, findings);
        let name_at = members.require(RuleField::Name, findings);
        let name = name_at.and_then(|at| at.string(findings));
        if let (Some(name), Some(at)) = (&name, name_at) {
            names::check("rule", name, at.token, at.trail, findings);
            if at.token.decode().is_some_and(|name| seen.insert(name) == Insert::Twice) {
                findings.add(Code::RuleNameTwice, at.trail, at.token.span(), || {
                    (
                        format!("a rule before this one has the name {}, too", quote(name)),
                        "give each a name of its own: explanations name a rule by it".to_owned(),
                    )
                });
            }
        }
        let when = members.require(RuleField::When, findings).and_then(|at| condition::read(at, 1, reading, findings));
        let serve = members.require(RuleField::Serve, findings).and_then(|at| read_serve(at, values, findings));
        if let (Some(name), Some(when), Some(serve)) = (name, when, serve) {
            rules.push(TargetingRule { name, when, serve });
        }
    }
    rules
}

/// What a rule serves, in a flag with these variants, whose values are interpolated or not.
fn read_serve(at: At<'_, '_>, (known, interpolates): (Option<&Known>, bool), findings: &mut Findings) -> Option<Serve> {
    match (at.token.kind(), known) {
        (Kind::String, None) => return at.word(VARIANTS, findings).map(Serve::Variant),
        (Kind::String, Some(known)) => {
            return known.read_name(at, findings).map(|name| Serve::Choice(Choice::Variant(name)));
        }
        (Kind::Object, _) => {}
        (kind, _) => {
            let what =
                format!("is {}, but must be a variant, `{{\"ramp\": ...}}` or `{{\"split\": ...}}`", kind.described());
            condition::report_unusable(at, &what, "write `\"serve\": \"new\"`", findings);
            return None;
        }
    }
    let members = Members::<ServeField>::read(at.token.inside(), at.token, &at.trail, findings);
    if let Some(split) = members.get(ServeField::Split) {
        let Some(known) = known else {
            let help = "add `variants` to the flag: a split is over named variants";
            report_choice(split, "a rule serves a split, but the flag has no `variants`", help, findings);
            return None;
        };
        if members.has(ServeField::Ramp) {
            let help = "let the rule serve one of the two, or let `new` be the split that the ramp leads to";
            report_choice(at, "a rule serves a ramp and a split", help, findings);
            return None;
        }
        return known.read_split(split, findings).map(Serve::Choice);
    }
    let ramp = members.require(ServeField::Ramp, findings)?;
    if !ramp.is(Kind::Object, findings) {
        return None;
    }
    if interpolates {
        findings.add(Code::RuleRampInterpolated, ramp.trail, ramp.token.span(), || {
            (
                "a rule has a ramp, but with `interpolate` no key moves from one value to the other".to_owned(),
                "serve `stable` or `new`, or make two flags of it".to_owned(),
            )
        });
        return None;
    }
    let errors = findings.errors();
    let window = Members::<RampField>::read(ramp.token.inside(), ramp.token, &ramp.trail, findings);
    let schedule = schedule::read(&window, findings);
    if schedule == Schedule::None {
        if findings.errors() == errors {
            condition::report_unusable(
                ramp,
                "has no window",
                "add two of `start_time`, `end_time` and `duration`, or `steps`",
                findings,
            );
        }
        return None;
    }
    Some(Serve::Ramp(schedule))
}

/// The segments of a header.
pub(crate) fn read_segments(at: At<'_, '_>, uses: &mut Uses, findings: &mut Findings) -> Vec<Segment> {
    let mut segments = Vec::new();
    if !at.is(Kind::Object, findings) {
        return segments;
    }
    let mut patterns = Patterns::default();
    let mut members = at.token.inside();
    let mut seen = Seen::new(findings.seed);
    while let Some(name_token) = members.name() {
        let Some(token) = members.value() else { break };
        let Some(name) = names::decode(name_token, at.trail, findings) else { continue };
        let trail = at.trail.name(&name);
        if uses.segments() == limits::SEGMENTS_MAX {
            findings.add(Code::TooManyRules, at.trail, name_token.span(), || {
                (
                    format!("there are more segments than the limit of {} (SEGMENTS_MAX)", limits::SEGMENTS_MAX),
                    "join segments, or split the document".to_owned(),
                )
            });
            return segments;
        }
        if seen.insert(name.clone()) == Insert::Twice {
            names::report_twice(name_token, &name, trail, findings);
        }
        names::check("segment", &name, name_token, trail, findings);
        let place = At { token: name_token, trail, field: at.field };
        uses.begin_segment(&name, place);
        let mut reading = Reading { patterns: &mut patterns, uses };
        if let Some(when) = condition::read(At { token, trail, field: at.field }, 1, &mut reading, findings) {
            segments.push(Segment { name: (*name).into(), when });
        }
    }
    uses.end_segments();
    patterns.check(at, findings);
    segments
}

//! Checks across conditions: every segment that is named exists, nothing names itself by a detour, and no decision takes too
//! many comparisons.

use std::collections::HashMap;

use super::findings::Findings;
use super::rule::Condition;
use super::uses::{Owner, Place, Uses};
use super::{Document, Flag, Segment, Serve, names, read_variants};
use crate::diagnostic::{Code, quote};
use crate::{FlagKey, Variant, limits};

/// Checks what the conditions of a document name.
pub(crate) fn check(document: &Document, uses: &Uses, findings: &mut Findings) {
    if uses.ruled.is_empty() && uses.defined.is_empty() {
        return;
    }
    for (_, place) in &uses.segments {
        if !uses.defined.iter().any(|segment| segment.name == place.name) {
            report_unknown_segment(place, uses, findings);
        }
    }
    check_circles(uses, findings);
    // Of a document with errors, only parts are there.
    if findings.has_errors() {
        return;
    }
    let segments = document.segments.iter().map(|segment| (&*segment.name, segment)).collect();
    let flags = if uses.flags.is_empty() { HashMap::new() } else { flags_of(document) };
    let whole = Whole { segments, flags };
    for (flag, place, is) in &uses.flags {
        whole.check_prerequisite(flag, place, is, document, findings);
    }
    for (number, segment) in document.segments.iter().enumerate() {
        if let Some(place) = uses.defined.get(number) {
            whole.check_size(std::iter::once(&segment.when), place, findings);
        }
    }
    let ruled = if whole.flags.is_empty() { flags_with_rules(document) } else { HashMap::new() };
    for place in &uses.ruled {
        let key = place.flag();
        let name = (key.section(), key.flag());
        let Some(flag) = whole.flags.get(&name).or_else(|| ruled.get(&name)) else { continue };
        let Some(targeting) = &flag.targeting else { continue };
        whole.check_size(targeting.rules.iter().map(|rule| &rule.when), place, findings);
        whole.check_prerequisites(&key, flag, place, findings);
    }
}

type Flags<'d> = HashMap<(&'d str, &'d str), &'d Flag>;

fn flags_of(document: &Document) -> Flags<'_> {
    flags_with(document, |_| true)
}

/// Most flags of a document have no rules, so they are left out before a name is hashed.
fn flags_with_rules(document: &Document) -> Flags<'_> {
    flags_with(document, |flag| flag.targeting.is_some())
}

fn flags_with(document: &Document, is_wanted: impl Fn(&Flag) -> bool) -> Flags<'_> {
    let flags = document.sections.iter().flat_map(|section| section.flags.iter().map(|flag| (&*section.name, flag)));
    flags.filter(|(_, flag)| is_wanted(flag)).map(|(section, flag)| ((section, &*flag.name), flag)).collect()
}

/// The segments and the flags of a document by name.
struct Whole<'d> {
    segments: HashMap<&'d str, &'d Segment>,
    flags: Flags<'d>,
}

/// Why the prerequisites of a flag cannot be evaluated.
enum Obstacle {
    /// They lead back to the flag, by these flags.
    Circle(Vec<FlagKey>),
    TooMany,
}

impl<'d> Whole<'d> {
    /// Depth and comparisons of the conditions that decide about one flag, or one segment.
    fn check_size(&self, conditions: impl Iterator<Item = &'d Condition>, place: &Place, findings: &mut Findings) {
        let (mut parts, mut depth) = (0, 0);
        for condition in conditions {
            depth = depth.max(self.measure(condition, 1, &mut parts));
        }
        if depth > limits::CONDITION_DEPTH_MAX {
            findings.add_at(Code::ConditionTooDeep, place.path.clone(), place.span.clone(), || {
                (
                    format!(
                        "with the segments that they name, conditions nest deeper than {} (CONDITION_DEPTH_MAX)",
                        limits::CONDITION_DEPTH_MAX
                    ),
                    "let segments name fewer others".to_owned(),
                )
            });
        } else if parts > limits::COMPARISONS_MAX {
            findings.add_at(Code::ConditionTooLarge, place.path.clone(), place.span.clone(), || {
                (
                    format!(
                        "there are more than {} comparisons here, those of segments included (COMPARISONS_MAX)",
                        limits::COMPARISONS_MAX
                    ),
                    "list values by `in`, or let the program send an attribute that says the same".to_owned(),
                )
            });
        }
    }

    /// Counts comparisons, and returns the depth; stops early where a limit is passed.
    fn measure(&self, condition: &'d Condition, depth: usize, parts: &mut usize) -> usize {
        *parts += 1;
        if depth > limits::CONDITION_DEPTH_MAX || *parts > limits::COMPARISONS_MAX {
            return depth;
        }
        let inner = match condition {
            Condition::All(parts) | Condition::Any(parts) => parts.as_slice(),
            Condition::Not(part) => std::slice::from_ref(&**part),
            Condition::Segment(name) => {
                self.segments.get(&**name).map_or(&[][..], |segment| std::slice::from_ref(&segment.when))
            }
            Condition::Compare(comparison) => {
                *parts += comparison.tests.iter().map(super::rule::Test::parts).sum::<usize>();
                return depth;
            }
            Condition::Flag { .. } => return depth,
        };
        inner.iter().fold(depth, |deepest, part| deepest.max(self.measure(part, depth + 1, parts)))
    }

    fn check_prerequisite(
        &self,
        key: &FlagKey,
        place: &Place,
        is: &Place,
        document: &Document,
        findings: &mut Findings,
    ) {
        let Some(flag) = self.flags.get(&(key.section(), key.flag())) else {
            findings.add_at(Code::PrerequisiteUnknown, place.path.clone(), place.span.clone(), || {
                let all = document.sections.iter().flat_map(|section| {
                    section.flags.iter().map(|flag| FlagKey::new(&*section.name, &*flag.name).to_string())
                });
                let all: Vec<String> = all.take(NAMES_COMPARED).collect();
                let near = names::nearest(&key.to_string(), all.iter().map(String::as_str)).map(str::to_owned);
                (
                    format!(
                        "this document has no flag {}; while no document defines it, the condition does not hold",
                        quote(&key.to_string())
                    ),
                    near.map_or_else(
                        || "fine if another document defines it".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    ),
                )
            });
            return;
        };
        let why = match (flag.interpolate, &flag.new, &flag.variants) {
            (_, _, Some(variants)) if !variants.has(&is.name) => {
                let names = variants.values.iter().map(|variant| &*variant.name);
                findings.add_at(Code::VariantUnknown, is.path.clone(), is.span.clone(), || {
                    let (message, help) = read_variants::unknown_variant(&is.name, names);
                    (format!("{message} in the flag `{key}`"), help)
                });
                return;
            }
            (_, _, Some(_)) if !may_have(flag, &is.name) => "no field of it gives that variant to a key",
            (_, _, Some(_)) => return,
            (_, _, None) if ![Variant::Stable, Variant::New].iter().any(|one| *one.as_str() == *is.name) => {
                findings.add_at(Code::UnknownWord, is.path.clone(), is.span.clone(), || {
                    (
                        format!("the flag `{key}` has no variant {}: it has no `variants`", quote(&is.name)),
                        "write `stable` or `new`".to_owned(),
                    )
                });
                return;
            }
            (true, ..) => "its values are interpolated, so it has neither variant",
            (false, None, _) if *is.name == *Variant::New.as_str() => "it has no `new`",
            _ => return,
        };
        findings.add_at(Code::ComparisonNeverHolds, place.path.clone(), place.span.clone(), || {
            (
                format!("the condition on the flag `{key}` never holds: {why}"),
                "ask for another variant, or for another flag".to_owned(),
            )
        });
    }

    fn check_prerequisites(&self, key: &FlagKey, flag: &'d Flag, place: &Place, findings: &mut Findings) {
        let mut left = limits::PREREQUISITES_MAX;
        let mut way = vec![key.clone()];
        match self.walk(flag, &mut way, &mut left) {
            Ok(()) => {}
            Err(Obstacle::Circle(circle)) => {
                findings.add_at(Code::PrerequisiteCircle, place.path.clone(), place.span.clone(), || {
                    let way =
                        circle.iter().map(|flag| format!("`{flag}`")).collect::<Vec<_>>().join(", which asks for ");
                    (
                        format!("prerequisites form a circle: {way}"),
                        "remove one of the conditions on another flag".to_owned(),
                    )
                });
            }
            Err(Obstacle::TooMany) => {
                findings.add_at(Code::ConditionTooLarge, place.path.clone(), place.span.clone(), || {
                    (
                        format!(
                            "the rules ask for more than {} flags, those that these ask for included (PREREQUISITES_MAX)",
                            limits::PREREQUISITES_MAX
                        ),
                        "ask for fewer flags, or give what they have in common a name as a segment".to_owned(),
                    )
                });
            }
        }
    }

    /// Goes through all flags that a flag asks for, as an evaluation might.
    fn walk(&self, flag: &'d Flag, way: &mut Vec<FlagKey>, left: &mut usize) -> Result<(), Obstacle> {
        let Some(targeting) = &flag.targeting else { return Ok(()) };
        targeting.rules.iter().try_for_each(|rule| self.walk_condition(&rule.when, way, left))
    }

    fn walk_condition(
        &self,
        condition: &'d Condition,
        way: &mut Vec<FlagKey>,
        left: &mut usize,
    ) -> Result<(), Obstacle> {
        let mut named = Vec::new();
        condition.leaves(&mut |leaf| {
            if !matches!(leaf, Condition::Compare(_)) {
                named.push(leaf);
            }
        });
        for leaf in named {
            match leaf {
                Condition::Segment(name) => {
                    if let Some(segment) = self.segments.get(&**name) {
                        self.walk_condition(&segment.when, way, left)?;
                    }
                }
                Condition::Flag { flag, .. } => {
                    *left = left.checked_sub(1).ok_or(Obstacle::TooMany)?;
                    if way.first() == Some(flag) {
                        way.push(flag.clone());
                        return Err(Obstacle::Circle(std::mem::take(way)));
                    }
                    // A circle that does not lead through the first flag is reported where it does.
                    if way.contains(flag) {
                        continue;
                    }
                    if let Some(other) = self.flags.get(&(flag.section(), flag.flag())) {
                        way.push(flag.clone());
                        self.walk(other, way, left)?;
                        way.pop();
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a subject may have this variant of a flag with variants.
fn may_have(flag: &Flag, name: &str) -> bool {
    let rules = flag.targeting.as_ref().map_or(&[][..], |targeting| targeting.rules.as_slice());
    let by_rule = rules.iter().any(|rule| matches!(&rule.serve, Serve::Choice(choice) if choice.may_give(name)));
    let variants = flag.variants.as_ref();
    by_rule
        || variants.is_some_and(|variants| {
            variants.stable.may_give(name) || variants.new.as_ref().is_some_and(|new| new.may_give(name))
        })
}

fn report_unknown_segment(place: &Place, uses: &Uses, findings: &mut Findings) {
    findings.add_at(Code::SegmentUnknown, place.path.clone(), place.span.clone(), || {
        let near = names::nearest(&place.name, uses.defined.iter().map(|segment| &*segment.name));
        (
            format!("there is no segment {}", quote(&place.name)),
            match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "define it under `segments` in `$tidegate`".to_owned(),
            },
        )
    });
}

/// Reports segments that name each other in a circle.
fn check_circles(uses: &Uses, findings: &mut Findings) {
    let number_of: HashMap<&str, usize> =
        uses.defined.iter().enumerate().map(|(number, segment)| (&*segment.name, number)).collect();
    let mut named: Vec<Vec<(usize, &Place)>> = vec![Vec::new(); uses.defined.len()];
    for (owner, place) in &uses.segments {
        let Owner::Segment(owner) = owner else { continue };
        if let (Some(list), Some(number)) = (named.get_mut(*owner), number_of.get(&*place.name)) {
            list.push((*number, place));
        }
    }
    let mut state = vec![Visit::New; named.len()];
    for start in 0..named.len() {
        visit(start, &named, &mut state, findings);
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

/// Depth first, without recursion: a chain of segments may be as long as there are segments.
fn visit(start: usize, named: &[Vec<(usize, &Place)>], state: &mut [Visit], findings: &mut Findings) {
    let mut stack = vec![(start, 0)];
    if state.get(start) != Some(&Visit::New) {
        return;
    }
    mark(state, start, Visit::Open);
    while let Some((segment, next)) = stack.last_mut() {
        let Some((target, place)) = named.get(*segment).and_then(|list| list.get(*next)) else {
            mark(state, *segment, Visit::Done);
            stack.pop();
            continue;
        };
        *next += 1;
        match state.get(*target) {
            Some(Visit::New) => {
                mark(state, *target, Visit::Open);
                stack.push((*target, 0));
            }
            Some(Visit::Open) => {
                findings.add_at(Code::SegmentCircle, place.path.clone(), place.span.clone(), || {
                    (
                        format!("the segment {} names itself, directly or by others", quote(&place.name)),
                        "remove one of the conditions on a segment".to_owned(),
                    )
                });
            }
            _ => {}
        }
    }
}

fn mark(state: &mut [Visit], segment: usize, visit: Visit) {
    if let Some(place) = state.get_mut(segment) {
        *place = visit;
    }
}

/// How many flags a misspelt one is compared with.
const NAMES_COMPARED: usize = 1_000;

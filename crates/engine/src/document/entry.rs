//! One entry: its fields as a typed flag, and the checks that need several fields.

use super::cursor::{Kind, Token};
use super::fields::{EntryField, RollbackField};
use super::findings::Findings;
use super::flag_patterns::Patterns;
use super::members::{At, Members};
use super::names;
use super::read_variants::{self, Known};
use super::seen::{Insert, Seen};
use super::uses::Uses;
use super::{Choice, Details, Flag, Rollback, Schedule, Value, Visibility, adopters, rules, schedule, value};
use crate::diagnostic::{Code, quote};
use crate::{HashAlgorithm, Share, Span, Variant};

type Entry<'t, 'a> = Members<'t, 'a, EntryField>;

/// The flag that an entry describes. `None` if `stable` is missing or wrong; any other wrong field is reported and treated as
/// absent.
pub(crate) fn read(name: &str, entry: &Entry<'_, '_>, uses: &mut Uses, findings: &mut Findings) -> Option<Flag> {
    let known = Known::read(entry, findings);
    let stable = read_stable(entry, known.as_ref(), findings);
    let new_at = entry.get(EntryField::New);
    let new = new_at.and_then(|at| read_side(at, known.as_ref(), findings));
    let schedule = schedule::read(entry, findings);
    let mut patterns = Patterns::default();
    let adopters_at = entry.get(EntryField::EarlyAdopters);
    let early_adopters = adopters_at.map_or_else(Vec::new, |at| adopters::read(at, &mut patterns, findings));
    let targeting = rules::read_targeting(entry, known.as_ref(), &mut patterns, uses, findings);
    if let Some(at) = adopters_at.or_else(|| entry.get(EntryField::Rules)) {
        patterns.check(at, findings);
    }
    let ((stable_choice, stable), (new_choice, new)) = (stable?, new.unzip());
    let variants = known.and_then(|known| known.into_variants(stable_choice?, new_choice.flatten()));
    let flag = Flag {
        name: name.into(),
        stable,
        new,
        variants,
        schedule,
        early_adopters,
        targeting,
        interpolate: read_boolean(entry, EntryField::Interpolate, false, findings),
        rollback: entry.get(EntryField::Rollback).and_then(|at| read_rollback(at, findings)),
        lock: entry.get(EntryField::Lock).and_then(|at| at.word(LOCKS, findings)),
        lease: entry.get(EntryField::Lease).and_then(|at| read_lease(at, findings)),
        hash: entry.get(EntryField::Hash).and_then(|at| at.word(HASHES, findings)),
        salt: entry.get(EntryField::Salt).and_then(|at| at.string(findings)),
        enabled: read_boolean(entry, EntryField::Enabled, true, findings),
        details: read_details(entry, findings),
    };
    read_variants::check(&flag, entry, findings);
    check_interpolation(&flag, entry, findings);
    check_effects(&flag, entry, findings);
    check_rollback(&flag, entry, findings);
    if let (Some(new), Some(at)) = (&flag.new, new_at)
        && *new == flag.stable
    {
        findings.add(Code::NewEqualsStable, at.trail, at.token.span(), || {
            ("`new` is equal to `stable`, so the flag decides nothing".to_owned(), "change one of the two".to_owned())
        });
    }
    Some(flag)
}

/// What a side chooses, if the flag has variants, and its value; with variants the text of the field.
type Side = (Option<Choice>, Value);

fn read_stable(entry: &Entry<'_, '_>, known: Option<&Known>, findings: &mut Findings) -> Option<Side> {
    let Some(at) = entry.get(EntryField::Stable) else {
        findings.add(Code::StableMissing, *entry.trail, entry.name.span(), || {
            (
                "`stable` is missing, so keys that do not have `new` would have no value".to_owned(),
                "add the value from before the change, such as `\"stable\": false`".to_owned(),
            )
        });
        return None;
    };
    read_side(at, known, findings)
}

fn read_side(at: At<'_, '_>, known: Option<&Known>, findings: &mut Findings) -> Option<Side> {
    match known {
        None => Some((None, read_value(at, findings)?)),
        Some(known) => known.read_field(at, findings).map(|(choice, text)| (Some(choice), text)),
    }
}

fn read_value(at: At<'_, '_>, findings: &mut Findings) -> Option<Value> {
    read_variants::read_value(at, at.field.name, findings)
}

fn read_boolean(entry: &Entry<'_, '_>, field: EntryField, default: bool, findings: &mut Findings) -> bool {
    entry.get(field).and_then(|at| at.boolean(findings)).unwrap_or(default)
}

fn read_lease(at: At<'_, '_>, findings: &mut Findings) -> Option<Span> {
    let lease = at.duration(findings)?;
    if lease == Span::ZERO {
        findings.add(Code::LeaseZero, at.trail, at.token.span(), || {
            (
                "`lease` is zero, so the ramp would never move".to_owned(),
                "write a duration above 0, or leave `lease` out for a ramp that does not depend on polls".to_owned(),
            )
        });
        return None;
    }
    Some(lease)
}

fn read_rollback(at: At<'_, '_>, findings: &mut Findings) -> Option<Rollback> {
    if !at.is(Kind::Object, findings) {
        return None;
    }
    let members = Members::<RollbackField>::read(at.token.inside(), at.token, &at.trail, findings);
    let start = members.require(RollbackField::StartTime, findings).and_then(|at| at.time(findings));
    let over = members.get(RollbackField::Duration).map_or(Some(Span::ZERO), |at| at.duration(findings));
    let to = members.get(RollbackField::ToPct).map_or(Some(Share::ZERO), |at| at.percent(findings));
    Some(Rollback { start: start?, over: over?, to: to? })
}

fn read_details(entry: &Entry<'_, '_>, findings: &mut Findings) -> Option<Box<Details>> {
    let fields =
        [EntryField::Description, EntryField::Owner, EntryField::Tags, EntryField::Metadata, EntryField::Visibility];
    if !fields.into_iter().any(|field| entry.has(field)) {
        return None;
    }
    let details = Details {
        description: entry.get(EntryField::Description).and_then(|at| at.string(findings)),
        owner: entry.get(EntryField::Owner).and_then(|at| at.string(findings)),
        tags: entry.get(EntryField::Tags).map_or_else(Vec::new, |at| read_tags(at, findings)),
        metadata: entry.get(EntryField::Metadata).map_or_else(Vec::new, |at| read_metadata(at, findings)),
        visibility: entry
            .get(EntryField::Visibility)
            .and_then(|at| at.word(VISIBILITIES, findings))
            .unwrap_or_default(),
    };
    // Empty details equal absent ones, so that a written document reads back as the same.
    (details != Details::default()).then(|| Box::new(details))
}

fn read_tags(at: At<'_, '_>, findings: &mut Findings) -> Vec<Box<str>> {
    let mut tags = Vec::new();
    if !at.is(Kind::List, findings) {
        return tags;
    }
    let mut elements = at.token.inside();
    let mut index = 0;
    while let Some(token) = elements.value() {
        let element = At { token, trail: at.trail.index(index), field: at.field };
        index += 1;
        if token.kind() == Kind::String {
            tags.extend(element.string(findings));
        } else {
            report_element(element, "a tag", "a string", findings);
        }
    }
    tags
}

fn read_metadata(at: At<'_, '_>, findings: &mut Findings) -> Vec<(Box<str>, Value)> {
    let mut metadata = Vec::new();
    if !at.is(Kind::Object, findings) {
        return metadata;
    }
    let mut members = at.token.inside();
    let mut seen = Seen::new(findings.seed);
    while let Some(name_token) = members.name() {
        let Some(token) = members.value() else { break };
        let Some(name) = names::decode(name_token, at.trail, findings) else { continue };
        let trail = at.trail.name(&name);
        match seen.insert(name.clone()) {
            Insert::New => {}
            Insert::Twice => names::report_twice(name_token, &name, trail, findings),
            Insert::Full => {
                names::report_full(name_token, at.trail, findings);
                break;
            }
        }
        let element = At { token, trail, field: at.field };
        match token.kind() {
            Kind::String | Kind::Number | Kind::Boolean => {
                let kept = value::read(token, trail, findings);
                metadata.extend(kept.map(|value| (Box::from(&*name), value)));
            }
            Kind::Null | Kind::List | Kind::Object => {
                report_element(
                    element,
                    &format!("the metadata {}", quote(&name)),
                    "a string, a number or a boolean",
                    findings,
                );
            }
        }
    }
    metadata
}

fn report_element(at: At<'_, '_>, what: &str, expected: &str, findings: &mut Findings) {
    let found = at.token.kind().described();
    findings.add(Code::WrongType, at.trail, at.token.span(), || {
        (
            format!("{what} is {found}, but must be {expected}"),
            format!("write it like `\"{}\": {}`", at.field.name, at.field.example),
        )
    });
}

fn check_interpolation(flag: &Flag, entry: &Entry<'_, '_>, findings: &mut Findings) {
    let Some(at) = entry.get(EntryField::Interpolate).filter(|_| flag.interpolate) else { return };
    let is_number = |field: EntryField| entry.get(field).is_some_and(|at| at.token.kind() == Kind::Number);
    if entry.has(EntryField::Variants) || (is_number(EntryField::Stable) && is_number(EntryField::New)) {
        return;
    }
    findings.add(Code::InterpolateWithoutNumbers, at.trail, at.token.span(), || {
        (
            "`interpolate` needs a number in `stable` and another one in `new`".to_owned(),
            "write two numbers, or remove `interpolate`".to_owned(),
        )
    });
}

/// Reports fields that are legal but have no effect next to the others.
fn check_effects(flag: &Flag, entry: &Entry<'_, '_>, findings: &mut Findings) {
    let has_window = TIMES.iter().chain(&[EntryField::Steps]).any(|&field| entry.has(field));
    if !has_window {
        let has_rules = flag.targeting.as_ref().is_some_and(|targeting| !targeting.rules.is_empty());
        let leaves_adopters = flag.rollback.is_some_and(|rollback| rollback.to == Share::ZERO)
            && (has_rules || !flag.early_adopters.is_empty());
        let moves_by_rule = flag.targeting.as_ref().is_some_and(|targeting| targeting.has_ramp());
        for &field in WINDOW_ONLY {
            let Some(at) = entry.get(field) else { continue };
            if field == EntryField::Rollback && (leaves_adopters || moves_by_rule) {
                continue;
            }
            if field == EntryField::Lease && moves_by_rule {
                continue;
            }
            findings.add(Code::WithoutWindow, at.trail, at.token.span(), || {
                (
                    format!("`{}` has no effect: without a window the share is 0", at.field.name),
                    "add two of `start_time`, `end_time` and `duration`, or `steps`".to_owned(),
                )
            });
        }
    }
    if entry.has(EntryField::New) {
        return;
    }
    // With variants, rules can serve others than the two of the ramp.
    let serves_others =
        flag.variants.is_some() && flag.targeting.as_ref().is_some_and(|targeting| !targeting.has_ramp());
    let needing = NEW_ONLY.iter().filter(|field| **field != EntryField::Rules || !serves_others);
    let idle = needing.filter_map(|&field| entry.get(field));
    let mut idle = idle.chain(entry.get(EntryField::Lock).filter(|_| flag.lock == Some(Variant::New)));
    if let Some(at) = idle.next() {
        findings.add(Code::WithoutNew, at.trail, at.token.span(), || {
            (
                format!("`{}` has no effect: there is no `new`, so everyone has `stable`", at.field.name),
                "add `new`, the value to move to".to_owned(),
            )
        });
    }
}

fn check_rollback(flag: &Flag, entry: &Entry<'_, '_>, findings: &mut Findings) {
    let (Some(rollback), Some((start, last)), Some(at)) =
        (flag.rollback, schedule::extent(&flag.schedule), entry.get(EntryField::Rollback))
    else {
        return;
    };
    if rollback.start < start {
        findings.add(Code::RollbackTooEarly, at.trail, at.token.span(), || {
            (
                format!(
                    "the rollback begins at {}, before the ramp at {start}: the ramp never comes to anyone",
                    rollback.start
                ),
                "give the rollback a later `start_time`, or remove the ramp".to_owned(),
            )
        });
    } else if rollback.to >= last {
        findings.add(Code::RollbackNowhere, at.trail, at.token.span(), || {
            (
                format!("the rollback goes down to {}, but the ramp never goes above {last}", rollback.to),
                "give it a smaller `to_pct`".to_owned(),
            )
        });
    }
}

/// Whether the flag shares its order of keys with other flags without a salt.
pub(crate) fn unsalted_ramp(flag: &Flag) -> Option<HashAlgorithm> {
    let moves = flag.new.is_some() && !flag.interpolate && !matches!(flag.schedule, Schedule::None);
    (moves && flag.salt.is_none()).then(|| flag.hash.unwrap_or(HashAlgorithm::Sha1))
}

/// The flag's own name, where something about the whole entry is shown.
pub(crate) fn not_an_object(token: Token<'_>, looks_like_field: bool) -> (String, String) {
    let found = token.kind().described();
    let help = if looks_like_field {
        "this looks like an entry where a section should be: put the section's name and braces around it".to_owned()
    } else {
        "write `{\"stable\": ...}` for a flag that has one value".to_owned()
    };
    (format!("the flag is {found}, but must be an object"), help)
}

const TIMES: &[EntryField] = &[EntryField::StartTime, EntryField::EndTime, EntryField::Duration];
/// What needs a window to have an effect.
const WINDOW_ONLY: &[EntryField] =
    &[EntryField::StartPct, EntryField::EndPct, EntryField::Curve, EntryField::Lease, EntryField::Rollback];
/// What needs a value to move to.
const NEW_ONLY: &[EntryField] = &[
    EntryField::StartTime,
    EntryField::EndTime,
    EntryField::Duration,
    EntryField::Steps,
    EntryField::EarlyAdopters,
    EntryField::Rules,
    EntryField::Rollback,
    EntryField::Lease,
];
const VISIBILITIES: &[(&str, Visibility)] = &[("client", Visibility::Client), ("server", Visibility::Server)];
const LOCKS: &[(&str, Variant)] = &[("stable", Variant::Stable), ("new", Variant::New)];
pub(crate) const HASHES: &[(&str, HashAlgorithm)] =
    &[("sha1", HashAlgorithm::Sha1), ("xxh3", HashAlgorithm::Xxh3), ("murmur3", HashAlgorithm::Murmur3)];

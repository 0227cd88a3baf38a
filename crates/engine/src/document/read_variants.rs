//! Reading the variants of a flag, and the splits over them.

use super::cursor::{Cursor, Kind, Token};
use super::fields::{EntryField, Names as _, ServeField};
use super::findings::{Findings, Keep};
use super::members::{At, Members};
use super::percent::{PercentError, parse_millionths};
use super::rule::Serve;
use super::seen::{Insert, Seen};
use super::variants::{Choice, NamedVariant, Portion, Variants, Weight};
use super::{Flag, Value, names, value};
use crate::diagnostic::{Code, Trail, quote};
use crate::limits;

/// The variants of an entry while it is read: all names, also those whose values have errors.
#[derive(Debug, Default)]
pub(crate) struct Known {
    names: Vec<Box<str>>,
    values: Vec<NamedVariant>,
}

impl Known {
    /// The variants that an entry defines; `None` if it has no field `variants`.
    pub(crate) fn read(entry: &Members<'_, '_, EntryField>, findings: &mut Findings) -> Option<Self> {
        let at = entry.get(EntryField::Variants)?;
        let mut known = Self::default();
        if !at.is(Kind::Object, findings) {
            return Some(known);
        }
        let mut members = at.token.inside();
        let mut seen = Seen::new(findings.seed);
        while let Some(name_token) = members.name() {
            let Some(token) = members.value() else { break };
            if known.names.len() == limits::VARIANTS_MAX {
                findings.add(Code::TooManyVariants, at.trail, name_token.span(), || {
                    (
                        format!("there are more variants than the limit of {} (VARIANTS_MAX)", limits::VARIANTS_MAX),
                        "let a variant be an object, or make several flags of it".to_owned(),
                    )
                });
                break;
            }
            let Some(name) = names::decode(name_token, at.trail, findings) else { continue };
            let trail = at.trail.name(&name);
            if seen.insert(name.clone()) == Insert::Twice {
                names::report_twice(name_token, &name, trail, findings);
            }
            names::check("variant", &name, name_token, trail, findings);
            known.names.push((*name).into());
            let element = At { token, trail, field: at.field };
            if let Some(value) = read_value(element, &name, findings) {
                known.values.push(NamedVariant { name: (*name).into(), value });
            }
        }
        if known.names.is_empty() {
            findings.add(Code::VariantsEmpty, at.trail, at.token.span(), || {
                ("`variants` is empty, so `stable` has nothing to name".to_owned(), EXAMPLE.to_owned())
            });
        }
        Some(known)
    }

    /// What a field that names a variant, or is a split, chooses; the text of the field comes with it.
    pub(crate) fn read_field(&self, at: At<'_, '_>, findings: &mut Findings) -> Option<(Choice, Value)> {
        let choice = self.read_choice(at, findings)?;
        Some((choice, value::read(at.token, at.trail, findings)?))
    }

    fn read_choice(&self, at: At<'_, '_>, findings: &mut Findings) -> Option<Choice> {
        match at.token.kind() {
            Kind::String => self.read_name(at, findings).map(Choice::Variant),
            Kind::Object => {
                let members = Members::<ServeField>::read(at.token.inside(), at.token, &at.trail, findings);
                if let Some(ramp) = members.get(ServeField::Ramp) {
                    report_choice(ramp, "a ramp stands in a rule only", "remove `ramp`", findings);
                    return None;
                }
                members.require(ServeField::Split, findings).and_then(|split| self.read_split(split, findings))
            }
            kind => {
                let what =
                    format!("`{}` is {}, but names a variant beside `variants`", at.field.name, kind.described());
                report_choice(at, &what, CHOICES, findings);
                None
            }
        }
    }

    /// The name of one of the variants.
    pub(crate) fn read_name(&self, at: At<'_, '_>, findings: &mut Findings) -> Option<Box<str>> {
        let name = at.text(findings)?;
        if self.check_name(&name, at.token, at.trail, findings) { Some(name.into()) } else { None }
    }

    /// Whether there is a variant of this name; reports if there is none.
    fn check_name(&self, name: &str, token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) -> bool {
        let is_known = self.names.iter().any(|known| **known == *name);
        if !is_known {
            findings.add(Code::VariantUnknown, trail, token.span(), || {
                unknown_variant(name, self.names.iter().map(|name| &**name))
            });
        }
        is_known
    }

    /// The weights of a split.
    pub(crate) fn read_split(&self, at: At<'_, '_>, findings: &mut Findings) -> Option<Choice> {
        if !at.is(Kind::Object, findings) {
            return None;
        }
        let errors = findings.errors();
        let mut portions = Vec::new();
        let mut members = at.token.inside();
        let mut seen = Seen::new(findings.seed);
        while let Some(name_token) = members.name() {
            let Some(token) = members.value() else { break };
            let Some(name) = names::decode(name_token, at.trail, findings) else { continue };
            let trail = at.trail.name(&name);
            if seen.insert(name.clone()) == Insert::Twice {
                names::report_twice(name_token, &name, trail, findings);
            }
            let is_known = self.check_name(&name, name_token, trail, findings);
            let weight = read_weight(&name, At { token, trail, field: at.field }, findings);
            if let (true, Some(weight)) = (is_known, weight) {
                portions.push(Portion { variant: (*name).into(), weight });
            }
        }
        if findings.errors() != errors {
            return None;
        }
        if portions.iter().all(|portion| portion.weight == Weight::ZERO) {
            findings.add(Code::SplitEmpty, at.trail, at.token.span(), || {
                (
                    "no variant of the split has a weight above 0, so no key would have a variant".to_owned(),
                    "write weights such as `{\"blue\": 50, \"green\": 50}`".to_owned(),
                )
            });
            return None;
        }
        Some(Choice::Split(portions))
    }

    /// The variants with what `stable` and `new` choose; `None` if one of them has an error.
    pub(crate) fn into_variants(self, stable: Choice, new: Option<Choice>) -> Option<Box<Variants>> {
        let is_whole = self.values.len() == self.names.len();
        is_whole.then(|| Box::new(Variants { values: self.values, stable, new }))
    }
}

/// Reads the weights of a split from JSON, as documents write them; `None` if they are no split. Whether the variants exist is
/// not known.
///
/// ```
/// use tidegate_engine::document::parse_split;
///
/// let split = parse_split(r#"{"blue": 2.50, "green": 0}"#).unwrap();
/// assert_eq!(split.to_string(), r#"{"split": {"blue": 2.5, "green": 0}}"#);
/// assert_eq!(parse_split(r#"{"blue": -1}"#), None);
/// ```
pub fn parse_split(json: &str) -> Option<Choice> {
    serde_json::from_str::<serde::de::IgnoredAny>(json).ok()?;
    let mut findings = Findings::new(Keep::Counts);
    let mut members = Cursor::new(json);
    let mut known = Known::default();
    if !members.enter_object() {
        return None;
    }
    while let Some(name) = members.name() {
        members.value()?;
        known.names.push(name.decode()?.into());
    }
    let token = Cursor::new(json).value()?;
    known.read_split(At { token, trail: Trail::Root, field: ServeField::TABLE.first()? }, &mut findings)
}

/// A value of a flag, which this name stands for.
pub(crate) fn read_value(at: At<'_, '_>, name: &str, findings: &mut Findings) -> Option<Value> {
    let kind = at.token.kind();
    if matches!(kind, Kind::Null | Kind::List) {
        findings.add(Code::ValueNotInOfrep, at.trail, at.token.span(), || {
            (
                format!(
                    "{} is {}, which OFREP has no way to say: its clients get an error",
                    quote(name),
                    kind.described()
                ),
                "fine for the library and the command line; otherwise use an object".to_owned(),
            )
        });
    }
    value::read(at.token, at.trail, findings)
}

fn read_weight(name: &str, at: At<'_, '_>, findings: &mut Findings) -> Option<Weight> {
    let mut report = |what: String, help: &str| {
        findings.add(Code::WeightUnusable, at.trail, at.token.span(), || (what, help.to_owned()));
        None
    };
    if at.token.kind() != Kind::Number {
        let found = at.token.kind().described();
        return report(
            format!("the weight of {} is {found}, but must be a number", quote(name)),
            "write a number without quotes, such as `50`",
        );
    }
    let most = limits::WEIGHT_MAX.saturating_mul(1_000_000);
    let shown = || quote(at.token.text);
    match parse_millionths(at.token.text).map(|millionths| (millionths, millionths <= most)) {
        Ok((millionths, true)) => Some(Weight::from_millionths(millionths)),
        Ok(_) | Err(PercentError::AboveHundred) => report(
            format!("the weight {} is above the limit of {} (WEIGHT_MAX)", shown(), limits::WEIGHT_MAX),
            "divide all weights of the split by the same number",
        ),
        Err(PercentError::TooFine) => report(
            format!("the weight {} has more than six decimals", shown()),
            "round it, or multiply all weights of the split by the same number",
        ),
        Err(error) => {
            report(format!("the weight {} {error}", shown()), "write 0 for a variant that no key should have")
        }
    }
}

/// What there is to say about a name that no variant has: the message, and the remedy.
pub(crate) fn unknown_variant<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> (String, String) {
    let known: Vec<&str> = known.collect();
    let message = format!("there is no variant {}", quote(name));
    let help = match (names::nearest(name, known.iter().copied()), known.as_slice()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "define it in `variants`".to_owned(),
        (None, known) => {
            let shown = known.iter().take(NAMES_SHOWN).map(|name| quote(name)).collect::<Vec<_>>().join(", ");
            let more = known.len().saturating_sub(NAMES_SHOWN);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("the variants are {shown}{more}")
        }
    };
    (message, help)
}

/// Reports something that stands where a variant or a split has to.
pub(crate) fn report_choice(at: At<'_, '_>, what: &str, help: &str, findings: &mut Findings) {
    findings.add(Code::ChoiceUnusable, at.trail, at.token.span(), || (what.to_owned(), help.to_owned()));
}

/// Checks of a flag with variants that need the whole entry.
pub(crate) fn check(flag: &Flag, entry: &Members<'_, '_, EntryField>, findings: &mut Findings) {
    let Some(at) = entry.get(EntryField::Variants) else {
        check_absent(entry, findings);
        return;
    };
    if let Some(interpolate) = entry.get(EntryField::Interpolate).filter(|_| flag.interpolate) {
        findings.add(Code::VariantsInterpolated, interpolate.trail, interpolate.token.span(), || {
            (
                "with `interpolate` every key has a number between two, and no key has one of the `variants`"
                    .to_owned(),
                "remove one of the two".to_owned(),
            )
        });
    }
    // Of an entry with errors only parts are there.
    let Some(variants) = flag.variants.as_ref().filter(|_| !findings.has_errors()) else { return };
    let rules = flag.targeting.as_ref().map_or(&[][..], |targeting| targeting.rules.as_slice());
    let served = rules.iter().filter_map(|rule| match &rule.serve {
        Serve::Choice(choice) => Some(choice),
        Serve::Variant(_) | Serve::Ramp(_) => None,
    });
    let choices: Vec<&Choice> = [&variants.stable].into_iter().chain(&variants.new).chain(served).collect();
    let mut members = at.token.inside();
    while let Some(token) = members.name() {
        members.value();
        let Some(name) = token.decode() else { continue };
        let trail = at.trail.name(&name);
        if !choices.iter().any(|choice| choice.names().any(|used| *used == *name)) {
            findings.add(Code::VariantUnused, trail, token.span(), || {
                (
                    format!("no field of the flag names the variant {}, so no key has it", quote(&name)),
                    "name it in `stable`, `new` or a rule, or give it the weight 0 in a split".to_owned(),
                )
            });
        }
        let side = match &*name {
            "stable" => Some(&variants.stable),
            "new" => variants.new.as_ref(),
            "interpolated" => None,
            _ => continue,
        };
        if !side.is_some_and(|side| matches!(side, Choice::Variant(side) if **side == *name)) {
            findings.add(Code::VariantMisnamed, trail, token.span(), || {
                (
                    format!("the variant {} has the name of something else", quote(&name)),
                    "give it another name: reports would say `stable` or `new` and mean another value".to_owned(),
                )
            });
        }
    }
}

/// A value that looks like a split, in a flag without variants.
fn check_absent(entry: &Members<'_, '_, EntryField>, findings: &mut Findings) {
    for at in [EntryField::Stable, EntryField::New].into_iter().filter_map(|field| entry.get(field)) {
        if at.token.kind() != Kind::Object {
            continue;
        }
        let mut members = at.token.inside();
        let first = members.name().and_then(Token::decode);
        members.value();
        if first.as_deref() == Some("split") && members.name().is_none() {
            findings.add(Code::SplitWithoutVariants, at.trail, at.token.span(), || {
                (
                    format!(
                        "`{}` looks like a split, but without `variants` it is a value like any other",
                        at.field.name
                    ),
                    EXAMPLE.to_owned(),
                )
            });
        }
    }
}

const CHOICES: &str = "write the name of a variant, or `{\"split\": {\"blue\": 50, \"green\": 50}}`";
const EXAMPLE: &str = "add the values, such as `\"variants\": {\"blue\": \"#00f\", \"green\": \"#0f0\"}`";
/// How many names a message lists.
const NAMES_SHOWN: usize = 8;

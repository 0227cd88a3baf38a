//! Which fields of an entry differ, as text for people and programs.

use tidegate_engine::document::{Adopter, Curve, Flag, Rollback, Schedule, Targeting, Value, Visibility};
use tidegate_engine::{Document, Share, Span};

use crate::relative::short;

/// One field that differs; `None` is a field that is not there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
}

/// The fields in which two entries differ, as [`SPELLINGS`] writes them.
pub(crate) fn differing(old: &Flag, new: &Flag) -> Vec<Field> {
    let field = |(name, spell): &(&'static str, Spell)| Field { name, old: spell(old), new: spell(new) };
    SPELLINGS.iter().map(field).filter(|field| field.old != field.new).collect()
}

/// The segments, if they differ: they stand in the header, and change flags whose own fields are the same.
pub(crate) fn segments(old: &Document, new: &Document) -> Option<Field> {
    let spell = |document: &Document| {
        let segments = document.segments.iter().map(ToString::to_string).collect::<Vec<_>>();
        (!segments.is_empty()).then(|| segments.join(", "))
    };
    let field = Field { name: "segments", old: spell(old), new: spell(new) };
    (field.old != field.new).then_some(field)
}

type Spell = fn(&Flag) -> Option<String>;

/// How each field is written.
const SPELLINGS: &[(&str, Spell)] = &[
    ("stable", |flag| Some(flag.stable.as_str().to_owned())),
    ("new", |flag| flag.new.as_ref().map(|value| value.as_str().to_owned())),
    ("variants", |flag| {
        let named = flag.variants.as_ref()?.values.iter();
        Some(
            named
                .map(|variant| format!("{:?}: {}", variant.name, variant.value.as_str()))
                .collect::<Vec<_>>()
                .join(", "),
        )
    }),
    ("ramp", |flag| ramp(&flag.schedule)),
    ("early_adopters", |flag| adopters(&flag.early_adopters)),
    ("rules", |flag| targeting(flag).and_then(rules)),
    ("bucket_by", |flag| targeting(flag).and_then(|targeting| targeting.bucket_by.as_deref().map(str::to_owned))),
    ("interpolate", |flag| flag.interpolate.then(|| "true".to_owned())),
    ("rollback", |flag| flag.rollback.as_ref().map(rollback)),
    ("lock", |flag| flag.lock.map(|variant| variant.to_string())),
    ("lease", |flag| flag.lease.map(|lease| lease.to_string())),
    ("hash", |flag| flag.hash.map(|hash| hash.to_string())),
    ("salt", |flag| flag.salt.as_deref().map(|salt| format!("{salt:?}"))),
    ("enabled", |flag| (!flag.enabled).then(|| "false".to_owned())),
    ("description", |flag| detail(flag, |details| details.description.as_deref())),
    ("owner", |flag| detail(flag, |details| details.owner.as_deref())),
    ("tags", |flag| {
        flag.details.as_ref().filter(|details| !details.tags.is_empty()).map(|details| details.tags.join(", "))
    }),
    ("metadata", metadata),
    ("visibility", |flag| {
        let details = flag.details.as_ref().filter(|details| details.visibility != Visibility::Client);
        details.map(|details| details.visibility.as_str().to_owned())
    }),
];

fn ramp(schedule: &Schedule) -> Option<String> {
    match schedule {
        Schedule::None => None,
        Schedule::Window { start, end, from, to, curve } => {
            let curve = if *curve == Curve::Exponential { ", exponential" } else { "" };
            Some(format!("{from} % at {} to {to} % at {}{curve}", short(*start), short(*end)))
        }
        Schedule::Steps { start, steps } => {
            let step = |(share, over, hold): (Share, Span, Span)| {
                let over = if over == Span::ZERO { String::new() } else { format!(" over {over}") };
                let hold = if hold == Span::ZERO { String::new() } else { format!(" held {hold}") };
                format!("{share} %{over}{hold}")
            };
            let steps: Vec<String> = steps.iter().map(|each| step((each.share, each.over, each.hold))).collect();
            Some(format!("from {}: {}", short(*start), steps.join(", ")))
        }
    }
}

fn targeting(flag: &Flag) -> Option<&Targeting> {
    flag.targeting.as_deref()
}

/// The rules as documents write them.
fn rules(targeting: &Targeting) -> Option<String> {
    let rules = targeting.rules.iter().map(ToString::to_string).collect::<Vec<_>>();
    (!rules.is_empty()).then(|| rules.join(", "))
}

fn rollback(rollback: &Rollback) -> String {
    format!("at {} over {} to {} %", short(rollback.start), rollback.over, rollback.to)
}

/// The adopters, or how many where they are too many to read; two lists of the same length may differ all
/// the same, so a long list also shows a number made from all of it.
fn adopters(adopters: &[Adopter]) -> Option<String> {
    let one = |adopter: &Adopter| match adopter {
        Adopter::Key(key) => format!("{key:?}"),
        Adopter::Pattern(pattern) => format!("/{pattern}/"),
    };
    match adopters {
        [] => None,
        few if few.len() <= ADOPTERS_SHOWN => Some(few.iter().map(one).collect::<Vec<_>>().join(", ")),
        many => {
            let sum = many.iter().map(one).fold(0_u32, |sum, text| {
                text.bytes().fold(sum.rotate_left(5), |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(16_777_619))
            });
            Some(format!("{} of them ({sum:08x})", many.len()))
        }
    }
}

fn detail<'f>(
    flag: &'f Flag,
    read: impl Fn(&'f tidegate_engine::document::Details) -> Option<&'f str>,
) -> Option<String> {
    read(flag.details.as_deref()?).map(|text| format!("{text:?}"))
}

fn metadata(flag: &Flag) -> Option<String> {
    let details = flag.details.as_deref().filter(|details| !details.metadata.is_empty())?;
    let one = |(name, value): &(Box<str>, Value)| format!("{name}: {}", value.as_str());
    Some(details.metadata.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// The number of adopters that are shown by name.
const ADOPTERS_SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_detail_that_differs_is_named() {
        let flag = |fields: &str| {
            let text = format!(r#"{{"s": {{"x": {{"stable": 1{fields}}}}}}}"#);
            tidegate_engine::read(text.as_bytes()).unwrap().0.sections.remove(0).flags.remove(0)
        };
        let plain = flag("");
        for (field, name, shown) in [
            (r#", "description": "d""#, "description", "\"d\""),
            (r#", "owner": "o""#, "owner", "\"o\""),
            (r#", "tags": ["a", "b"]"#, "tags", "a, b"),
            (r#", "metadata": {"m": 1}"#, "metadata", "m: 1"),
            (r#", "visibility": "server""#, "visibility", "server"),
        ] {
            let expected = [Field { name, old: None, new: Some(shown.to_owned()) }];
            assert_eq!(differing(&plain, &flag(field)), expected, "{field}");
        }
    }
}

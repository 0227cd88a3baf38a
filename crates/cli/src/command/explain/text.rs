//! The explanation as text.

use tidegate_engine::document::Adopter;
use tidegate_engine::{
    ConditionPart, Explanation, HostLock, Micros, Passed, Pin, Position, Rule, Share, Tried, Variant,
};

use crate::data::Data;
use crate::relative::{relative, rough};
use crate::table::{HEADING, paint};
use crate::text::{escape, escape_json, shorten};

/// One aligned line.
pub(super) fn line(name: &str, text: &str) -> String {
    format!("{}  {text}", paint(&format!("{name:<NAME_COLUMNS$}"), HEADING))
}

/// The lines of the explanation: first the value, then what led to it.
pub(super) fn lines(explanation: &Explanation, key: &str, now: Micros, data: &Data) -> Vec<(&'static str, String)> {
    let value = match &explanation.value {
        Some(value) => escape_json(value).into_owned(),
        None => "the caller's default".to_owned(),
    };
    let variant = variant(explanation);
    let error = explanation.error.map(|error| format!(" ({error})")).unwrap_or_default();
    let mut lines = vec![
        ("flag", escape(&explanation.flag.to_string()).into_owned()),
        ("key", if key.is_empty() { "(the empty key)".to_owned() } else { escape(key).into_owned() }),
        ("value", value),
        ("variant", variant),
        ("reason", format!("{}{error}", explanation.reason)),
        ("rule", format!("{}: {}", explanation.rule.as_str(), because(explanation))),
    ];
    let others = explanation.passed.iter().filter(|passed| passed.tried.is_none());
    let others: Vec<String> = others.map(passed).collect();
    if !others.is_empty() {
        lines.push(("passed", others.join(", ")));
    }
    for tried in explanation.passed.iter().filter_map(|passed| passed.tried.as_ref()) {
        lines.push(("passed", format!("the rule {} does not match", named(tried))));
        lines.extend(tried.parts.iter().map(|part| ("", self::part(part))));
    }
    if let Some(tried) = &explanation.targeting {
        lines.extend(tried.parts.iter().map(|part| ("condition", self::part(part))));
    }
    if let Some(position) = explanation.position {
        lines.push(("position", format!("{} % ({position} of 2^32)", place(position))));
    }
    if let Some(split) = &explanation.split {
        lines.push(("split", format!("by weights: {}", shorten(&escape_json(&split.to_string()), CONDITION_COLUMNS))));
    }
    if let Some(share) = explanation.share {
        lines.push(("share", format!("{share} % on new")));
    }
    lines.push(("flip", flip(explanation, now)));
    lines.push((
        "valid until",
        explanation.valid_until.map_or("no end: it changes only with the flag".to_owned(), |until| at(until, now)),
    ));
    if let Some(instant) = explanation.ramp_instant {
        let behind = if instant < now { format!(", behind by {}", rough(now.since(instant))) } else { String::new() };
        lines.push(("ramp clock", format!("{instant}{behind}")));
    }
    lines.push(("as of", now.to_string()));
    lines.push(("data", data.describe()));
    lines
}

/// The variant by its name and, where it has one, the side that it stands for.
fn variant(explanation: &Explanation) -> String {
    let Some(name) = explanation.variant_name() else { return "-".to_owned() };
    let name = escape(name);
    let side = match (&explanation.name, explanation.variant) {
        (Some(_), Some(side @ (Variant::Stable | Variant::New))) => format!(", on the side of `{side}`"),
        _ => String::new(),
    };
    format!("{name}{side}")
}

/// Why the rule decided as it did.
fn because(explanation: &Explanation) -> String {
    let has_new = explanation.variant == Some(Variant::New);
    match explanation.rule {
        Rule::HostLock => explanation.lock.as_ref().map(locked).unwrap_or_default(),
        Rule::UnknownFlag => "no such flag".to_owned(),
        Rule::Activation if explanation.position.is_some() => {
            format!("an activation sets the share; {}", position_text(explanation))
        }
        Rule::Activation => "an activation sets the share".to_owned(),
        Rule::DocumentLock => "the document locks the flag for everyone".to_owned(),
        Rule::Disabled => "the document disables the flag".to_owned(),
        Rule::NoNew => "the entry has no `new`".to_owned(),
        Rule::EarlyAdopter => match &explanation.adopter {
            Some(Adopter::Pattern(pattern)) => format!("the key matches the pattern `{}`", escape(pattern)),
            _ => "the key is listed".to_owned(),
        },
        Rule::Targeting => match &explanation.targeting {
            Some(tried) => format!("the rule {} matches", named(tried)),
            None => "a rule matches".to_owned(),
        },
        Rule::Interpolation => "every key has the number that the share gives".to_owned(),
        Rule::Ramp | Rule::Rollback if explanation.position.is_none() => "no key was needed".to_owned(),
        Rule::Ramp if !has_new && explanation.flips.on.is_none() => {
            format!("{}, and the ramp never reaches it", position_text(explanation))
        }
        Rule::Ramp => position_text(explanation),
        Rule::Rollback if has_new => "the key keeps `new`: the rollback has not reached its position yet".to_owned(),
        Rule::Rollback if explanation.flips.on.is_none() => "the key did not have `new` before the rollback".to_owned(),
        Rule::Rollback => "the rollback has reached the key's position".to_owned(),
        Rule::KeyMissing => "the value depends on a key, and there is none".to_owned(),
    }
}

/// A rule by its name and its place.
fn named(tried: &Tried) -> String {
    format!("`{}` (number {})", escape(&tried.name), tried.number)
}

/// A step that did not decide; why, where that is not what its name says.
fn passed(passed: &Passed) -> String {
    let step = passed.step.as_str();
    if EXPECTED.contains(&&*passed.why) { step.to_owned() } else { format!("{step} ({})", escape(&passed.why)) }
}

/// A part of a condition, whether it held, and what the subject has there.
fn part(part: &ConditionPart) -> String {
    let held = if part.held { "holds" } else { "does not hold" };
    let segment = part.segment.as_ref().map(|name| format!(", in the segment `{}`", escape(name))).unwrap_or_default();
    let condition = shorten(&escape_json(&part.condition), CONDITION_COLUMNS).into_owned();
    match &part.found {
        Some(found) => format!("{condition} {held}{segment}: it is {}", escape_json(found)),
        None if part.condition.starts_with("{\"attribute\"") => format!("{condition} {held}{segment}: it is absent"),
        None => format!("{condition} {held}{segment}"),
    }
}

/// The key's position against the share, with two decimals where these are enough to see the difference.
fn position_text(explanation: &Explanation) -> String {
    let relation = if explanation.variant == Some(Variant::New) { "below" } else { "above" };
    let (Some(position), Some(share)) = (explanation.position.map(place), explanation.share) else {
        return format!("the key's position is {relation} the share");
    };
    let hundredths = |share: Share| (share.to_millionths() + 5_000) / 10_000;
    let rounded = |share: Share| format!("{}.{:02}", hundredths(share) / 100, hundredths(share) % 100);
    let (position, share) = if hundredths(position) == hundredths(share) {
        (position.to_string(), share.to_string())
    } else {
        (rounded(position), rounded(share))
    };
    format!("the key's position ({position} %) is {relation} the share ({share} %)")
}

/// Who locked the flag on this host, and why.
fn locked(lock: &HostLock) -> String {
    let pin = match &lock.pin {
        Pin::Variant(variant) => variant.as_str().to_owned(),
        Pin::Value(_) => "this value".to_owned(),
    };
    let until = lock.until.map_or(String::new(), |until| format!(", until {until}"));
    format!("{} locked it to {pin} on this host: {}{until}", escape(&lock.actor), escape(&lock.reason))
}

fn flip(explanation: &Explanation, now: Micros) -> String {
    match explanation.flip {
        None => "never by ramp or rollback".to_owned(),
        Some(flip) => {
            let to = if Some(flip) == explanation.flips.off { Variant::Stable } else { Variant::New };
            format!("{}, to {to}", at(flip, now))
        }
    }
}

fn at(instant: Micros, now: Micros) -> String {
    format!("{instant}, {}", relative(instant, now))
}

/// The position as a percentage: the share above which a key has `new`.
fn place(position: Position) -> Share {
    Share::new(u64::from(position.get())).unwrap_or(Share::FULL)
}

/// Why most steps of most flags do not decide.
const EXPECTED: [&str; 3] = ["there is none", "the flag is enabled", "the key is not among them"];

/// Longer conditions are shortened.
const CONDITION_COLUMNS: usize = 100;

/// The longest name is `valid until`.
const NAME_COLUMNS: usize = 11;

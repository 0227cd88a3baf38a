//! The comparison of two documents, as text and as JSON.

use serde::Serialize;
use tidegate_engine::Micros;

use crate::compare::{Bounds, Comparison, Counted, Difference, Kind, Movement};
use crate::exit::Failure;
use crate::json::{Percent, instant};
use crate::output::Output;
use crate::relative::short;
use crate::table::{FAINT, HEADING, paint};
use crate::text::{escape, shorten};

/// Prints the comparison as text.
pub(super) fn human(comparison: &Comparison, old: &str, now: Micros, output: &mut Output) -> Result<(), Failure> {
    for difference in &comparison.flags {
        output.line("")?;
        let name = difference.flag.to_string();
        let kind = difference.kind.as_str();
        output.line(format_args!("{}  {kind}", paint(&escape(&name), HEADING)))?;
        for field in &difference.fields {
            let side = |text: &Option<String>| {
                text.as_deref().map_or("(absent)".to_owned(), |text| shorten(&escape(text), FIELD_COLUMNS).into_owned())
            };
            let (old, new) = (side(&field.old), side(&field.new));
            if old.len() + new.len() <= LINE_COLUMNS {
                output.line(format_args!("  {:<15}{old} → {new}", field.name))?;
            } else {
                output.line(format_args!("  {:<15}{old}", field.name))?;
                output.line(format_args!("  {:>15}{new}", "→ "))?;
            }
        }
        output.line(format_args!("  {:<15}{}", "gains new", movement(&difference.movements.gain, now)))?;
        output.line(format_args!("  {:<15}{}", "loses new", movement(&difference.movements.loss, now)))?;
        if let Some(counted) = &difference.counted {
            output.line(format_args!("  {:<15}{}", "population", moved(counted)))?;
        } else if difference.has_variants {
            output.line(paint("  keys have named variants: --attributes FILE counts the subjects that move", FAINT))?;
        } else if difference.has_rules {
            output.line(paint("  rules decide as well: --attributes FILE counts the subjects that move", FAINT))?;
        }
        if difference.is_shuffled {
            output.line(paint("  hash or salt differ: every key gets another position", FAINT))?;
        }
    }
    if !comparison.flags.is_empty() {
        output.line("")?;
    }
    output.line(format_args!("against {}: {}", escape(old), summary(comparison)))
}

/// The warnings about the comparison.
pub(super) fn warnings(comparison: &Comparison) -> Vec<String> {
    let mut warnings = Vec::new();
    let removed = comparison.count(Kind::Removed);
    if comparison.removes_much() {
        let percent = removed * 100 / comparison.before.max(1);
        warnings.push(format!(
            "{removed} of {} flags are removed ({percent} %): is the document the right one, and complete?",
            comparison.before
        ));
    }
    let shuffled: Vec<&Difference> = comparison.flags.iter().filter(|difference| difference.is_shuffled).collect();
    if let [first, ..] = &*shuffled {
        let others = if shuffled.len() > 1 { format!(" and {} more", shuffled.len() - 1) } else { String::new() };
        let name = first.flag.to_string();
        warnings.push(format!(
            "hash or salt of `{}`{others} differ: keys that have new may lose it, and others may get it",
            escape(&name)
        ));
    }
    warnings
}

fn summary(comparison: &Comparison) -> String {
    let counts = [Kind::Added, Kind::Removed, Kind::Changed].map(|kind| (comparison.count(kind), kind.as_str()));
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .chain([(comparison.same, "the same")])
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

/// `12 of 1000 subjects gain new, 3 lose it, now`.
fn moved(counted: &Counted) -> String {
    let Counted { subjects, gain, loss, moved } = counted;
    match moved {
        None => format!("{gain} of {subjects} subjects gain new, {loss} lose it, now"),
        Some(moved) => {
            format!("{moved} of {subjects} subjects have another variant; {gain} gain new, {loss} lose it, now")
        }
    }
}

/// `12.5 % now, at most 40 % (2026-12-03 00:00Z)`.
fn movement(movement: &Movement, now: Micros) -> String {
    let most = match movement.most_at {
        None => return "no keys".to_owned(),
        Some(at) if at == now => "and no more later".to_owned(),
        Some(at) => format!("{} at most ({})", bounds(movement.most), short(at)),
    };
    format!("{} now, {most}", bounds(movement.now))
}

fn bounds(bounds: Bounds) -> String {
    if bounds.at_least == bounds.at_most {
        format!("{} %", bounds.at_most)
    } else {
        format!("{} to {} %", bounds.at_least, bounds.at_most)
    }
}

/// The comparison as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Against<'c> {
    source: &'c str,
    now: String,
    flags: Vec<Line<'c>>,
    added: usize,
    removed: usize,
    changed: usize,
    same: usize,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Line<'c> {
    flag: String,
    change: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldLine<'c>>,
    reshuffled: bool,
    gain: Moved,
    loss: Moved,
    /// Whether rules decide by one of the documents; `gain` and `loss` leave them out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rules: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    population: Option<Population>,
}

/// How many subjects of the population move now.
#[derive(Debug, Serialize)]
struct Population {
    subjects: usize,
    gain: usize,
    loss: usize,
    /// How many have another variant; only of a flag with named variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<usize>,
}

#[derive(Debug, Serialize)]
struct FieldLine<'c> {
    field: &'static str,
    old: Option<&'c str>,
    new: Option<&'c str>,
}

/// A percentage of the keys. The two `at_least` are present if the exact number is unknown.
#[derive(Debug, Serialize)]
struct Moved {
    now: Percent,
    most: Percent,
    most_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now_at_least: Option<Percent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most_at_least: Option<Percent>,
}

impl<'c> Against<'c> {
    pub(super) fn new(comparison: &'c Comparison, source: &'c str, now: Micros) -> Self {
        Self {
            source,
            now: instant(now),
            flags: comparison.flags.iter().map(Line::new).collect(),
            added: comparison.count(Kind::Added),
            removed: comparison.count(Kind::Removed),
            changed: comparison.count(Kind::Changed),
            same: comparison.same,
            warnings: warnings(comparison),
        }
    }
}

impl<'c> Line<'c> {
    fn new(difference: &'c Difference) -> Self {
        let field = |field: &'c crate::compare::Field| FieldLine {
            field: field.name,
            old: field.old.as_deref(),
            new: field.new.as_deref(),
        };
        Self {
            flag: difference.flag.to_string(),
            change: difference.kind.as_str(),
            fields: difference.fields.iter().map(field).collect(),
            reshuffled: difference.is_shuffled,
            gain: Moved::new(&difference.movements.gain),
            loss: Moved::new(&difference.movements.loss),
            rules: difference.has_rules,
            population: difference.counted.map(|Counted { subjects, gain, loss, moved }| Population {
                subjects,
                gain,
                loss,
                moved,
            }),
        }
    }
}

impl Moved {
    fn new(movement: &Movement) -> Self {
        let unless_exact = |bounds: Bounds| (bounds.at_least != bounds.at_most).then_some(Percent(bounds.at_least));
        Self {
            now: Percent(movement.now.at_most),
            most: Percent(movement.most.at_most),
            most_at: movement.most_at.map(instant),
            now_at_least: unless_exact(movement.now),
            most_at_least: unless_exact(movement.most),
        }
    }
}

/// Longer texts are shortened.
const FIELD_COLUMNS: usize = 120;
/// Both sides stand on one line if they fit into this number of columns.
const LINE_COLUMNS: usize = 70;

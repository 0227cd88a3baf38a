//! What a change of a document would do: which entries differ, and who gains or loses `new`.
//!
//! As long as hash and salt stay, the keys on `new` are always the first ones of the line, so the
//! difference of two shares is exactly the part of the line that changes sides. With another hash or salt
//! the keys lie elsewhere, and only bounds can be given.

mod counted;
mod fields;

use std::collections::{HashMap, HashSet};

use tidegate_engine::forecast::Curve;
use tidegate_engine::{CompileOptions, Document, FlagKey, Micros, Snapshot, compile, document};

use crate::subjects::KnownSubject;
pub(crate) use counted::Counted;
pub(crate) use fields::Field;
pub(crate) use tidegate_engine::forecast::{Bounds, Movement, Movements};

/// What differs between two documents.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// The flags that differ: in the order of the new document, then those that are gone.
    pub(crate) flags: Vec<Difference>,
    /// How many flags the old document has.
    pub(crate) before: usize,
    /// How many flags are the same in both.
    pub(crate) same: usize,
}

/// What differs in one flag.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) flag: FlagKey,
    pub(crate) kind: Kind,
    /// The fields that differ; none for a flag that comes or goes.
    pub(crate) fields: Vec<Field>,
    /// Hash or salt differ, so that the keys have other positions.
    pub(crate) is_shuffled: bool,
    pub(crate) movements: Movements,
    /// Rules decide by one of the documents, so that the movements are only those of everyone whom no rule decides about.
    pub(crate) has_rules: bool,
    /// The flag has named variants by one of the documents, so that keys move between variants as well.
    pub(crate) has_variants: bool,
    /// How many subjects of the population move now, if there is one.
    pub(crate) counted: Option<Counted>,
}

/// How a flag differs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Added,
    Removed,
    Changed,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl Comparison {
    /// Compares two documents as seen from `now` on; with a population, its subjects that move are counted.
    pub(crate) fn new(old: &Document, new: &Document, now: Micros, population: Option<&[KnownSubject]>) -> Self {
        let (before, after) = (Side::new(old), Side::new(new));
        let changed = after.snapshot.changed_flags(&before.snapshot, usize::MAX).unwrap_or_default();
        let changed: HashSet<FlagKey> = changed.into_iter().collect();
        let difference = |section: &str, flag: &str, kind, fields| {
            difference(section, flag, kind, fields, &before, &after, now, population)
        };
        let mut comparison = Self { flags: Vec::new(), before: before.entries.len(), same: 0 };
        for (section, entry) in entries(new) {
            let was = before.entries.get(&(section, &*entry.name));
            match was {
                Some(was) if *was == entry && !changed.contains(&FlagKey::new(section, &*entry.name)) => {
                    // Another flag that it asks for may be another one.
                    let moved = Some(difference(section, &entry.name, Kind::Changed, Vec::new()))
                        .filter(|_| population.is_some() && entry.targeting.is_some())
                        .filter(|difference| difference.counted.is_some_and(Counted::has_moved));
                    comparison.same += usize::from(moved.is_none());
                    comparison.flags.extend(moved);
                }
                Some(was) => {
                    let mut fields = fields::differing(was, entry);
                    fields.extend(fields::segments(old, new).filter(|_| *was == entry));
                    comparison.flags.push(difference(section, &entry.name, Kind::Changed, fields));
                }
                None => comparison.flags.push(difference(section, &entry.name, Kind::Added, Vec::new())),
            }
        }
        let gone = entries(old).filter(|(section, entry)| !after.entries.contains_key(&(*section, &*entry.name)));
        for (section, entry) in gone {
            comparison.flags.push(difference(section, &entry.name, Kind::Removed, Vec::new()));
        }
        comparison
    }

    /// How many flags differ in this way.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.flags.iter().filter(|difference| difference.kind == kind).count()
    }

    /// Whether so many flags are gone that a mistake is likely.
    pub(crate) fn removes_much(&self) -> bool {
        self.count(Kind::Removed) * 100 > self.before * REMOVED_PERCENT_MAX
    }
}

/// One of the two documents.
struct Side<'d> {
    snapshot: Snapshot,
    entries: HashMap<(&'d str, &'d str), &'d document::Flag>,
}

impl<'d> Side<'d> {
    fn new(document: &'d Document) -> Self {
        let entries = entries(document).map(|(section, entry)| ((section, &*entry.name), entry)).collect();
        Self { snapshot: compile(document, &CompileOptions::default()), entries }
    }

    fn curve(&self, section: &str, flag: &str) -> Option<Curve<'_>> {
        self.snapshot.find(section, flag).map(|index| Curve::new(self.snapshot.flag(index)))
    }
}

fn entries(document: &Document) -> impl Iterator<Item = (&str, &document::Flag)> {
    document.sections.iter().flat_map(|section| section.flags.iter().map(|flag| (&*section.name, flag)))
}

#[expect(clippy::too_many_arguments, reason = "one call, which binds all but the first four")]
fn difference(
    section: &str,
    flag: &str,
    kind: Kind,
    fields: Vec<Field>,
    before: &Side<'_>,
    after: &Side<'_>,
    now: Micros,
    population: Option<&[KnownSubject]>,
) -> Difference {
    let (old, new) = (before.curve(section, flag), after.curve(section, flag));
    let line = |curve: &Curve<'_>| (curve.flag.hash(), curve.flag.salt().unwrap_or_default().to_owned());
    let is_shuffled = matches!((&old, &new), (Some(old), Some(new)) if line(old) != line(new));
    let movements = Movements::between(old.as_ref(), new.as_ref(), is_shuffled, now);
    let has_rules = old.iter().chain(&new).any(|curve| curve.flag.targeting().is_some());
    let has_variants = old.iter().chain(&new).any(|curve| curve.flag.variants().is_some());
    let flag = FlagKey::new(section, flag);
    let counted = population.map(|subjects| Counted::new(&before.snapshot, &after.snapshot, &flag, now, subjects));
    Difference { flag, kind, fields, is_shuffled, movements, has_rules, has_variants, counted }
}

/// More removed flags than that are probably a mistake: a truncated file, or another document altogether.
const REMOVED_PERCENT_MAX: usize = 30;

//! Compiling rules, and the segments that they name.

use std::collections::{BTreeSet, HashMap};

use xxhash_rust::xxh3::xxh3_128;

use crate::condition::Program;
use crate::custom_hash::RecordHash;
use crate::document::{self, Condition, Document, Serve, condition_text, targeting_text};
use crate::snapshot::{BucketBy, Choice, CompiledRule, CompiledSegment, Served, Targeting, Variants};
use crate::{FlagKey, Micros, Variant};

use super::points;
use super::tables::Tables;

/// The segments of one document, by name.
#[derive(Debug, Default)]
pub(super) struct Segments<'d> {
    known: HashMap<&'d str, Known>,
}

#[derive(Clone, Debug)]
struct Known {
    number: u32,
    /// A hash of its condition and of those of the segments that it names.
    digest: u128,
    prerequisites: Box<[FlagKey]>,
}

impl<'d> Segments<'d> {
    /// Adds the segments of a document to the tables.
    pub(super) fn new(document: &'d Document, tables: &mut Tables) -> Self {
        let numbers: HashMap<&str, u32> = (tables.next_segment()..)
            .zip(&document.segments)
            .map(|(number, segment)| (&*segment.name, number))
            .collect();
        let mut segments = Self::default();
        let sources: HashMap<&str, &'d document::Segment> =
            document.segments.iter().map(|segment| (&*segment.name, segment)).collect();
        for segment in &document.segments {
            let when = Program::new(&segment.when, &|name| numbers.get(name).copied());
            tables.segment(CompiledSegment { when, source: segment.clone() });
            segments.learn(segment, &numbers, &sources);
        }
        segments
    }

    /// Computes what is known of a segment, after those that it names; they form no circle and nest within a limit.
    fn learn(
        &mut self,
        segment: &'d document::Segment,
        numbers: &HashMap<&str, u32>,
        sources: &HashMap<&str, &'d document::Segment>,
    ) {
        if self.known.contains_key(&*segment.name) {
            return;
        }
        segment.when.leaves(&mut |leaf| {
            if let Condition::Segment(name) = leaf
                && let Some(inner) = sources.get(&**name)
            {
                self.learn(inner, numbers, sources);
            }
        });
        let number = numbers.get(&*segment.name).copied().unwrap_or(u32::MAX);
        let (digest, prerequisites) = self.uses(&condition_text(&segment.when), [&segment.when].into_iter());
        self.known.insert(&segment.name, Known { number, digest, prerequisites });
    }

    /// A hash of a text and of the segments that the conditions name, and the flags that the conditions ask for.
    fn uses<'c>(&self, text: &str, conditions: impl Iterator<Item = &'c Condition>) -> (u128, Box<[FlagKey]>) {
        let mut bytes = text.as_bytes().to_vec();
        let mut prerequisites = BTreeSet::new();
        for condition in conditions {
            condition.leaves(&mut |leaf| match leaf {
                Condition::Segment(name) => {
                    let known = self.known.get(&**name);
                    bytes.extend_from_slice(&known.map_or(0, |known| known.digest).to_le_bytes());
                    prerequisites.extend(known.iter().flat_map(|known| &*known.prerequisites).cloned());
                }
                Condition::Flag { flag, .. } => {
                    prerequisites.insert(flag.clone());
                }
                _ => {}
            });
        }
        (xxh3_128(&bytes), prerequisites.into_iter().collect())
    }

    /// Compiles the rules of a flag whose positions are made by this hash.
    pub(super) fn compile(
        &self,
        source: &document::Targeting,
        hash: RecordHash,
        variants: Option<&Variants>,
    ) -> Targeting {
        let rules = source.rules.iter().map(|rule| CompiledRule {
            when: Program::new(&rule.when, &|name| self.known.get(name).map(|known| known.number)),
            serve: match &rule.serve {
                Serve::Variant(Variant::New) => Served::New,
                Serve::Variant(_) => Served::Stable,
                Serve::Ramp(schedule) => Served::Ramp(points::to_vec(schedule).into()),
                // The reader lets names through beside variants only.
                Serve::Choice(choice) => variants.map_or(Served::Stable, |variants| served(variants, choice)),
            },
        });
        let rules = rules.collect();
        let (digest, prerequisites) = self.uses(&targeting_text(source), source.rules.iter().map(|rule| &rule.when));
        Targeting {
            rules,
            bucket_by: source.bucket_by.as_deref().map(|attribute| BucketBy::new(attribute, hash)),
            source: Box::new(source.clone()),
            digest,
            prerequisites,
        }
    }
}

/// What a rule serves by a name or a split: one of the two sides, if that is what it says, so that it counts as that side.
fn served(variants: &Variants, choice: &document::Choice) -> Served {
    let choice: Choice = variants.compile(choice);
    if choice == variants.stable {
        Served::Stable
    } else if variants.new.as_ref() == Some(&choice) {
        Served::New
    } else {
        Served::Choice(choice)
    }
}

/// The last instant at which a rule changes what it serves.
pub(super) fn last_move(targeting: &Targeting) -> Micros {
    if !targeting.prerequisites.is_empty() {
        return Micros::MAX;
    }
    let ends = targeting.rules.iter().filter_map(|rule| match &rule.serve {
        Served::Ramp(points) => points.last().map(|point| point.at),
        Served::Stable | Served::New | Served::Choice(_) => None,
    });
    ends.max().unwrap_or(Micros::MIN)
}

//! From a document to a snapshot: the only way to make one.
//!
//! Everything that does not depend on key and time is computed here, once: the points of every ramp, the share from which
//! a rollback leads down, the seed of every salt, which values are booleans, which flags have one answer for every key at
//! all times. Compiling cannot fail, because a [`Document`] holds only what passed every check.

mod points;
mod rules;
mod tables;

use std::collections::{HashMap, HashSet};

use crate::custom_hash::{CustomHash, RecordHash};
use crate::document::{self, Document};
use crate::ramp::{Fall, Ramp};
use crate::snapshot::{Adopters, Extra, Interpolation, NONE, Record, RecordKind, Snapshot, Targeting, Variants};
use crate::{HashAlgorithm, Micros, Point, Share, Span, bucket, digest};

use rules::Segments;
use tables::Tables;

/// Settings of the host that complete a document when it is compiled.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// The lease of flags that name none. Default: none, so that every ramp is a pure function of time.
    pub default_lease: Option<Span>,
    /// The number of the document's source, for its leases: they follow the clocks of this source, see
    /// [`Clocks::for_source`](crate::lease::Clocks::for_source). Default: 0, for programs with one source.
    pub source: u16,
    /// The hash of flags that name neither a hash nor a salt. Default: none, so that it is `sha1`. All documents of one
    /// snapshot have the same.
    pub custom_hash: Option<CustomHash>,
}

impl CompileOptions {
    /// The program's own hash, if it places the keys of this flag.
    pub(crate) fn hash_of(&self, flag: &document::Flag) -> Option<&CustomHash> {
        self.custom_hash.as_ref().filter(|_| flag.hash.is_none() && flag.salt.is_none())
    }
}

/// Compiles one document. For several active documents see [`compile_all`].
///
/// ```
/// use tidegate_engine::{CompileOptions, Span, compile, read};
///
/// let (document, _) = read(br#"{"shop": {"dark": {"stable": false, "new": true}}}"#).unwrap();
/// // Ramps of flags without a lease of their own stop rising after an hour without a successful poll.
/// let options = CompileOptions { default_lease: Some(Span::from_micros(3_600_000_000)), ..CompileOptions::default() };
/// let snapshot = compile(&document, &options);
/// assert_eq!(snapshot.flag(snapshot.find_key("shop/dark").unwrap()).stable(), Some("false"));
/// ```
pub fn compile(document: &Document, options: &CompileOptions) -> Snapshot {
    let flags = document.sections.iter().map(|section| section.flags.len()).sum();
    let mut tables = Tables::with_capacity(flags, options.custom_hash.clone());
    let mut digest = digest::Accumulator::default();
    let segments = Segments::new(document, &mut tables);
    let source = Source { options, segments: &segments };
    for section in &document.sections {
        let number = tables.section(&section.name);
        for flag in &section.flags {
            source.add(&section.name, number, flag, &mut tables, &mut digest);
        }
    }
    Snapshot::from_core(tables.into_core(digest.finish()))
}

/// One of several documents that are active together.
#[derive(Clone, Copy, Debug)]
pub struct Part<'d> {
    /// The document.
    pub document: &'d Document,
    /// The host's settings for it.
    pub options: &'d CompileOptions,
}

/// Compiles several documents into one snapshot. If several of them define a flag, the first definition counts.
///
/// ```
/// use tidegate_engine::{CompileOptions, Part, compile_all, read};
///
/// let [first, second] = [r#"{"s": {"x": {"stable": 1}}}"#, r#"{"s": {"x": {"stable": 2}, "y": {"stable": 3}}}"#]
///     .map(|text| read(text.as_bytes()).unwrap().0);
/// let options = CompileOptions::default();
/// let parts = [&first, &second].map(|document| Part { document, options: &options });
/// let snapshot = compile_all(&parts);
/// let stable = |flag| snapshot.find("s", flag).and_then(|flag| snapshot.flag(flag).stable());
/// assert_eq!((stable("x"), stable("y")), (Some("1"), Some("3")));
/// ```
pub fn compile_all(parts: &[Part<'_>]) -> Snapshot {
    let flags = parts.iter().flat_map(|part| &part.document.sections).map(|section| section.flags.len()).sum();
    let custom_hash = parts.iter().find_map(|part| part.options.custom_hash.clone());
    let mut tables = Tables::with_capacity(flags, custom_hash);
    let segments: Vec<_> = parts.iter().map(|part| Segments::new(part.document, &mut tables)).collect();
    let (mut order, mut by_name) = (Vec::new(), HashMap::<&str, Vec<(&document::Section, Source<'_>)>>::new());
    for (Part { document, options }, segments) in parts.iter().zip(&segments) {
        let source = Source { options, segments };
        for section in &document.sections {
            let parts = by_name.entry(&section.name).or_default();
            if parts.is_empty() {
                order.push(&*section.name);
            }
            parts.push((section, source));
        }
    }
    let mut digest = digest::Accumulator::default();
    for name in order {
        let parts = by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let number = tables.section(name);
        let mut seen = HashSet::new();
        for (section, source) in parts {
            for flag in &section.flags {
                if parts.len() > 1 && !seen.insert(&*flag.name) {
                    continue;
                }
                source.add(name, number, flag, &mut tables, &mut digest);
            }
        }
    }
    Snapshot::from_core(tables.into_core(digest.finish()))
}

impl Snapshot {
    /// The snapshot without any flag: every caller gets its default.
    pub fn empty() -> Self {
        compile(&Document::default(), &CompileOptions::default())
    }
}

/// Where a flag comes from, as far as it decides.
#[derive(Clone, Copy)]
struct Source<'d> {
    options: &'d CompileOptions,
    segments: &'d Segments<'d>,
}

impl Source<'_> {
    /// Compiles a flag into the tables.
    fn add(
        self,
        section: &str,
        number: u32,
        flag: &document::Flag,
        tables: &mut Tables,
        digest: &mut digest::Accumulator,
    ) {
        let options = self.options;
        let hash = hash_of(flag, options);
        let variants = flag.variants.as_ref().map(|source| Variants::new(source, &Variants::salt(flag, section)));
        let compile = |targeting| Box::new(self.segments.compile(targeting, hash, variants.as_ref()));
        let targeting = flag.targeting.as_deref().map(compile);
        let targeting_digest = targeting.as_ref().map(|targeting| targeting.digest);
        let custom = options.hash_of(flag).map(CustomHash::name);
        digest.add(section, flag, options.default_lease, custom, targeting_digest);
        let record = compile_flag(flag, number, options, (targeting, variants.map(Box::new)), tables);
        tables.flag(&flag.name, record);
    }
}

fn hash_of(flag: &document::Flag, options: &CompileOptions) -> RecordHash {
    if options.hash_of(flag).is_some() {
        RecordHash::Custom
    } else {
        RecordHash::Algorithm(flag.hash.unwrap_or(HashAlgorithm::default_for(flag.salt.as_deref())))
    }
}

fn compile_flag(
    flag: &document::Flag,
    section: u32,
    options: &CompileOptions,
    (targeting, variants): (Option<Box<Targeting>>, Option<Box<Variants>>),
    tables: &mut Tables,
) -> Record {
    let hash = hash_of(flag, options);
    let salt = flag.salt.as_deref().unwrap_or_default();
    let mut window = [Point { at: Micros::MIN, share: Share::ZERO }; 2];
    let points = points::from_schedule(&flag.schedule, &mut window);
    let extra = compile_extra(flag, &points, options, targeting, variants);
    let is_targeted = extra.as_ref().is_some_and(Extra::is_targeted);
    let moves = flag.enabled && flag.new.is_some() && (!points.is_empty() || is_targeted);
    // A flag with variants is never as simple as that: what it answers depends on names and keys.
    let has_variants = extra.as_ref().is_some_and(|extra| extra.variants.is_some());
    let is_constant = !has_variants && (!moves || flag.lock.is_some());
    let kind = if is_constant { RecordKind::Constant } else { extra.as_ref().map_or(RecordKind::Share, Extra::kind) };
    let (moves_until, rest) = if is_constant { (Micros::MIN, Share::ZERO) } else { rest(&points, extra.as_ref()) };
    let is_by_attribute = extra.as_ref().is_some_and(Extra::is_by_attribute);
    Record {
        key: (0, 0),
        section,
        stable: tables.value(flag.stable.as_str()),
        new: flag.new.as_ref().map_or(NONE, |value| tables.value(value.as_str())),
        points: tables.points(&points),
        salt: flag.salt.as_deref().map_or(NONE, |salt| tables.salt(salt)),
        moves_until,
        rest,
        seed: if hash == RecordHash::Algorithm(HashAlgorithm::Xxh3) { bucket::xxh3_seed(salt) } else { 0 },
        extra: extra.map_or(NONE, |extra| tables.extra(extra)),
        hash: if is_by_attribute { RecordHash::ByAttribute } else { hash },
        lock: flag.lock,
        enabled: flag.enabled,
        kind,
    }
}

/// What only some flags have; `None` for a flag that has nothing of it, as most.
fn compile_extra(
    flag: &document::Flag,
    points: &[Point],
    options: &CompileOptions,
    targeting: Option<Box<Targeting>>,
    variants: Option<Box<Variants>>,
) -> Option<Extra> {
    let moves_by_rule = flag.targeting.as_ref().is_some_and(|targeting| targeting.has_ramp());
    let lease = if points.is_empty() && !moves_by_rule { None } else { flag.lease.or(options.default_lease) };
    let is_plain = flag.early_adopters.is_empty()
        && targeting.is_none()
        && variants.is_none()
        && flag.rollback.is_none()
        && lease.is_none()
        && !flag.interpolate
        && flag.details.is_none();
    if is_plain {
        return None;
    }
    Some(Extra {
        adopters: Adopters::new(&flag.early_adopters),
        adopters_leave: flag
            .rollback
            .filter(|rollback| rollback.to == Share::ZERO)
            .map(|rollback| rollback.start.saturating_add(rollback.over)),
        rollback: flag.rollback.map(|rollback| fall(points, rollback.start, rollback.over, rollback.to)),
        rollback_to: flag.rollback.map_or(Share::ZERO, |rollback| rollback.to),
        lease,
        source: options.source,
        interpolation: Interpolation::from_flag(flag),
        targeting,
        variants,
        details: flag.details.clone(),
    })
}

/// The instant after which the share no longer moves, and the share from then on.
fn rest(points: &[Point], extra: Option<&Extra>) -> (Micros, Share) {
    let last = points.last().copied().unwrap_or(Point { at: Micros::MIN, share: Share::ZERO });
    let Some(extra) = extra else { return (last.at.saturating_sub(Span::from_micros(1)), last.share) };
    // With a lease, the ramp follows a clock of its own, whose future is unknown when the document is compiled.
    let until = match (extra.lease, extra.rollback) {
        (Some(_), _) => return (Micros::MAX, last.share),
        (None, Some(fall)) => Point { at: fall.end(), share: fall.to },
        (None, None) => last,
    };
    // Numbers are taken at the whole second before.
    let lag = if extra.interpolation.is_some() { Span::SECOND } else { Span::ZERO };
    let by_rules = extra.targeting.as_ref().map_or(Micros::MIN, |targeting| rules::last_move(targeting));
    let last = until.at.saturating_add(lag).max(by_rules);
    (last.saturating_sub(Span::from_micros(1)), until.share)
}

/// The rollback from the share that the ramp has reached at `start`.
fn fall(points: &[Point], start: Micros, over: Span, to: Share) -> Fall {
    let from = Ramp::new(points).share_at(start);
    Fall { start, over, from, to: to.min(from) }
}

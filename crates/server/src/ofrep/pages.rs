//! Bulk answers put together from fragments.
//!
//! A page has what bulk answers for one section, or for all, have in common while no flag comes to another stretch of its ramp: the items
//! of flags that are the same for every key, as they go out, one after the other; and for each flag that depends on the key alone its
//! plan, and its item for each of its two variants. So an answer is a comparison and a copy for each of these flags. A flag that
//! needs more (rules, an interpolated number, a lease) is evaluated each time, and so is everything for a subject without a key.
//!
//! Invariant: an answer has the bytes that [`evaluation::bulk`] would give it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tidegate::{Micros, Span, View};
use tidegate_engine::{KeyHash, Plan, PlanKind, Position};

use super::catalog::Catalog;
use super::context::Context;
use super::evaluation::{self, begin_bulk, earlier, end_bulk};

/// The pages of the version that was asked for last.
#[derive(Debug, Default)]
pub(super) struct Pages {
    last: Mutex<Vec<Arc<Page>>>,
}

/// What bulk answers for one section, or for all, have in common.
#[derive(Debug)]
pub(super) struct Page {
    version: u64,
    section: Option<String>,
    catalog: Arc<Catalog>,
    pieces: Box<[Piece]>,
    /// What follows the items.
    end: Box<[u8]>,
    /// When it was made.
    made: Micros,
    /// It holds from this instant on.
    from: Micros,
    /// It holds until before this instant; none: for good.
    until: Option<Micros>,
    /// The most bytes that an answer can have.
    pub(super) bytes_max: usize,
    /// The same for a subject without a key.
    pub(super) keyless_bytes_max: usize,
}

#[derive(Debug)]
enum Piece {
    /// Items that are the same for every key, each with a comma after it.
    Same(Vec<u8>),
    /// The item of a flag that the position of the key decides.
    ByKey(Box<ByKey>),
    /// A flag that is evaluated, by its place in the section.
    Evaluated(usize),
}

#[derive(Debug)]
struct ByKey {
    /// Its place in the section.
    place: usize,
    plan: Plan,
    hash: KeyHash,
    /// The item for `stable` and that for `new`, each made when it is first needed.
    items: [OnceLock<Box<[u8]>>; 2],
}

impl Pages {
    /// The page of this view's version and instant; none where one that holds no longer was made just now, so that flags which
    /// change one after the other do not have pages made all the time.
    pub(super) fn current(&self, view: &View, section: Option<&str>, catalog: &Arc<Catalog>) -> Option<Arc<Page>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.first().is_some_and(|page| page.version != view.version()) || last.len() > PAGES_MAX {
            last.clear();
        }
        let place = last.iter().position(|page| page.section.as_deref() == section);
        if let Some(page) = place.and_then(|place| last.get(place)) {
            if page.holds_at(view.now()) {
                return Some(Arc::clone(page));
            }
            if page.made <= view.now() && view.now().since(page.made) < REMAKE_PERIOD {
                return None;
            }
        }
        if let Some(place) = place {
            last.swap_remove(place);
        }
        drop(last);
        let made = Arc::new(Page::new(view, section, catalog));
        self.last.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&made));
        Some(made)
    }
}

impl Page {
    fn new(view: &View, section: Option<&str>, catalog: &Arc<Catalog>) -> Self {
        let (snapshot, moment) = (view.snapshot(), view.moment());
        let flags = catalog.section(snapshot, section);
        let (mut pieces, mut from, mut until) = (Vec::<Piece>::new(), Micros::MIN, None);
        for (place, listed) in flags.iter().enumerate() {
            let flag = snapshot.flag(listed.index);
            let plan = flag.plan(&moment);
            // A plan knows sides, and not which named variant a split gives.
            let kind = if flag.variants().is_some() { PlanKind::Ask } else { plan.kind };
            let hash = match kind {
                PlanKind::Fixed(..) => None,
                PlanKind::Share(hash, _) | PlanKind::Rise(hash, _) | PlanKind::Fall(hash, _) => Some(hash),
                PlanKind::Ask => {
                    pieces.push(Piece::Evaluated(place));
                    continue;
                }
            };
            (from, until) = (from.max(plan.from), earlier(until, plan.until));
            if let Some(hash) = hash {
                pieces.push(Piece::ByKey(Box::new(ByKey { place, plan, hash, items: Default::default() })));
                continue;
            }
            if !matches!(pieces.last(), Some(Piece::Same(_))) {
                pieces.push(Piece::Same(Vec::new()));
            }
            if let Some(Piece::Same(items)) = pieces.last_mut() {
                // Every key gives the same.
                evaluation::item(snapshot, listed, section.is_some(), &"any".into(), &moment, items);
            }
        }
        let mut end = Vec::new();
        end_bulk(section, &mut end);
        Self {
            version: view.version(),
            section: section.map(str::to_owned),
            pieces: pieces.into(),
            end: end.into(),
            made: view.now(),
            from,
            until,
            bytes_max: evaluation::bulk_bytes_max(flags, section, false),
            keyless_bytes_max: evaluation::bulk_bytes_max(flags, section, true),
            catalog: Arc::clone(catalog),
        }
    }

    fn holds_at(&self, now: Micros) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }

    /// Appends the answer to a context with this key. The instant before which no flag in it changes by itself.
    pub(super) fn put(&self, view: &View, context: &Context, key: &str, json: &mut Vec<u8>) -> Option<Micros> {
        let (snapshot, moment, subject) = (view.snapshot(), view.moment(), context.subject());
        let flags = self.catalog.section(snapshot, self.section.as_deref());
        let is_bare = self.section.is_some();
        let (mut until, mut sha1) = (self.until, None);
        begin_bulk(json);
        for piece in &self.pieces {
            match piece {
                Piece::Same(items) => json.extend_from_slice(items),
                Piece::ByKey(flag) => {
                    let (has_new, flips) = flag.decide(key, view.now(), until, &mut sha1);
                    until = flips;
                    let item = flag.items.get(usize::from(has_new)).map(|item| {
                        item.get_or_init(|| {
                            let mut item = Vec::new();
                            if let Some(listed) = flags.get(flag.place) {
                                evaluation::item(snapshot, listed, is_bare, &subject, &moment, &mut item);
                            }
                            item.into()
                        })
                    });
                    json.extend_from_slice(item.map_or(&[], |item| item));
                }
                Piece::Evaluated(place) => {
                    let Some(listed) = flags.get(*place) else { continue };
                    until = earlier(until, evaluation::item(snapshot, listed, is_bare, &subject, &moment, json));
                }
            }
        }
        if json.last() == Some(&b',') {
            json.pop();
        }
        json.extend_from_slice(&self.end);
        until
    }
}

impl ByKey {
    /// Whether this key has `new` now, and the earlier one of `until` and the instant at which it flips.
    fn decide(
        &self,
        key: &str,
        now: Micros,
        until: Option<Micros>,
        sha1: &mut Option<Position>,
    ) -> (bool, Option<Micros>) {
        let position = match self.hash {
            // The same for all flags.
            KeyHash::Sha1 => *sha1.get_or_insert_with(|| self.hash.position(key)),
            KeyHash::Xxh3(_) => self.hash.position(key),
        };
        match self.plan.kind {
            PlanKind::Share(_, share) => (share.includes(position), until),
            PlanKind::Rise(_, rise) => {
                let has_new = rise.has_new(position, now);
                // A look at the latest instant that matters costs no division, which the flip itself does.
                let flips_later = until.is_some_and(|until| !rise.has_new(position, until));
                let flips = if has_new || flips_later { None } else { Some(rise.flip(position)) };
                (has_new, earlier(until, flips.filter(|flips| *flips > now)))
            }
            PlanKind::Fall(_, fall) => {
                let has_new = fall.has_new(position, now);
                let flips = if has_new { fall.flip(position) } else { None };
                (has_new, earlier(until, flips.filter(|flips| *flips > now)))
            }
            PlanKind::Fixed(..) | PlanKind::Ask => (false, until),
        }
    }
}

/// Sections whose pages are kept.
const PAGES_MAX: usize = 64;

/// Between two pages of one version and section.
const REMAKE_PERIOD: Span = Span::from_micros(1_000_000);

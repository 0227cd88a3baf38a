//! Entity tags of bulk answers, and what is remembered of them.
//!
//! A tag is the digest of the answer itself: two nodes, and one node before and after a restart, give the same answer the same tag. To
//! answer 304 without evaluating, the server remembers for some contexts which tag their answer had, at which version, and until
//! when no flag in it changes by itself.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use tidegate::Micros;
use tidegate_engine::Digest;

use super::context::Context;

/// A set-associative cache: an answer has its place in one of the [`WAYS`] of one set, and takes that of the oldest answer there.
///
/// With one place for each hash, contexts that share a place displace each other at every request, although most places are
/// free; the cost of one such pair is that of evaluating all flags.
#[derive(Debug)]
pub(super) struct Tags {
    hashers: [RandomState; 2],
    count: u64,
    sets: Mutex<Box<[Set]>>,
}

type Set = [Option<Kept>; WAYS];

/// The set of a section and a context, and what tells it from others there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    set: usize,
    hashes: [u64; 2],
}

#[derive(Clone, Debug)]
struct Kept {
    hashes: [u64; 2],
    version: u64,
    from: Micros,
    until: Option<Micros>,
    /// As it goes out.
    tag: HeaderValue,
}

impl Tags {
    /// Remembers this many answers, rounded up to whole sets.
    pub(super) fn new(answers: usize) -> Self {
        let sets = vec![Set::default(); answers.div_ceil(WAYS).max(1)].into_boxed_slice();
        let count = u64::try_from(sets.len()).unwrap_or(u64::MAX);
        Self { hashers: Default::default(), count, sets: Mutex::new(sets) }
    }

    pub(super) fn slot(&self, section: Option<&str>, context: &Context) -> Slot {
        let identity = context.identity();
        let hashes = [0, 1]
            .map(|number: usize| self.hashers.get(number).map_or(0, |hasher| hasher.hash_one((section, &identity))));
        let set = usize::try_from(hashes[0] % self.count).unwrap_or(0);
        Slot { set, hashes }
    }

    /// The tag of the answer at this version and instant, if it is known without evaluating.
    pub(super) fn find(&self, slot: Slot, version: u64, now: Micros) -> Option<HeaderValue> {
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = sets.get(slot.set)?.iter().flatten().find(|kept| kept.hashes == slot.hashes)?;
        // A clock may be set back.
        let holds = kept.from <= now && kept.until.is_none_or(|until| now < until);
        (kept.version == version && holds).then(|| kept.tag.clone())
    }

    pub(super) fn keep(&self, slot: Slot, version: u64, from: Micros, until: Option<Micros>, tag: HeaderValue) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(set) = sets.get_mut(slot.set) else { return };
        let has_hashes = |place: &Option<Kept>| place.as_ref().is_some_and(|kept| kept.hashes == slot.hashes);
        let own = set.iter().position(has_hashes);
        // Free places are the least.
        let age = |place: &Option<Kept>| place.as_ref().map(|kept| (kept.version, kept.from));
        let oldest = || (0..WAYS).min_by_key(|place| set.get(*place).and_then(age));
        if let Some(place) = own.or_else(oldest).and_then(|place| set.get_mut(place)) {
            *place = Some(Kept { hashes: slot.hashes, version, from, until, tag });
        }
    }
}

/// Answers in one set. With eight of them a table that is half full displaces almost none of what it could keep.
const WAYS: usize = 8;

/// A tag as it goes out, with its quotes.
pub(super) fn quoted(tag: Digest) -> HeaderValue {
    let text = Bytes::from(format!("\"{tag}\""));
    // Digits and quotes are good in a header.
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether a client says by `If-None-Match` that it has the answer with this tag, which is [`quoted`]. Tags without quotes count as
/// well, because the protocol's own example has one.
pub(super) fn has(headers: &HeaderMap, quoted: &HeaderValue) -> bool {
    let quoted = quoted.to_str().unwrap_or_default().trim_matches('"');
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|requested| {
        let requested = requested.trim();
        let requested = requested.strip_prefix("W/").unwrap_or(requested).trim_matches('"');
        requested == quoted || requested == "*"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use crate::ofrep::context::Names;

    fn context(key: &str) -> Context {
        Context::parse(format!(r#"{{"context": {{"targetingKey": "{key}"}}}}"#).as_bytes(), &Names::All).unwrap()
    }

    #[test]
    fn a_tag_is_known_while_version_and_validity_hold_and_only_for_its_context() {
        let (tags, tag) = (Tags::new(4), quoted(Digest::from_bytes(b"x")));
        let at = Micros::new;
        let slot = tags.slot(None, &context("ann"));
        tags.keep(slot, 7, at(10), Some(at(20)), tag.clone());
        for (version, now, expected) in
            [(7, 10, Some(&tag)), (7, 19, Some(&tag)), (7, 20, None), (7, 9, None), (8, 15, None)]
        {
            assert_eq!(tags.find(slot, version, at(now)).as_ref(), expected, "{version} {now}");
        }
        for other in [
            tags.slot(Some("flags"), &context("ann")),
            tags.slot(None, &context("bob")),
            tags.slot(None, &Context::default()),
        ] {
            assert_eq!(tags.find(other, 7, at(15)), None);
        }
        tags.keep(slot, 8, at(10), None, tag.clone());
        assert_eq!(tags.find(slot, 8, Micros::MAX), Some(tag));
    }

    #[test]
    fn a_thousand_contexts_do_not_displace_each_other_in_a_table_of_eight_thousand() {
        let tags = Tags::new(limits::OFREP_TAGS_MAX);
        let slots: Vec<Slot> = (0..1_024).map(|number| tags.slot(None, &context(&format!("user-{number}")))).collect();
        let tag = |number: usize| quoted(Digest::from_bytes(&number.to_le_bytes()));
        for (number, slot) in slots.iter().enumerate() {
            tags.keep(*slot, 1, Micros::new(0), None, tag(number));
        }
        let kept = |(number, slot): (usize, &Slot)| tags.find(*slot, 1, Micros::new(1)) == Some(tag(number));
        let count = slots.iter().enumerate().filter(|known| kept(*known)).count();
        // The hashes are random: more than two are displaced once in a million runs.
        assert!(count >= 1_022, "{count}");
    }

    #[test]
    fn a_full_set_gives_up_its_oldest_answer_and_those_of_older_versions_first() {
        let tags = Tags::new(WAYS);
        let slots: Vec<Slot> = (0..=WAYS).map(|number| tags.slot(None, &context(&format!("user-{number}")))).collect();
        let (tag, at) = (quoted(Digest::from_bytes(b"x")), Micros::new);
        let knows = |slot: Slot, version: u64| tags.find(slot, version, at(100)).is_some();
        for (moment, slot) in (0..).zip(&slots[..WAYS]) {
            tags.keep(*slot, 1, at(moment), None, tag.clone());
        }
        // The first one is made again, so the second is the oldest.
        tags.keep(slots[0], 1, at(50), None, tag.clone());
        assert!(
            slots[..WAYS].iter().all(|slot| knows(*slot, 1)),
            "a second answer for one context takes its own place"
        );
        tags.keep(slots[WAYS], 2, at(40), None, tag.clone());
        assert!(!knows(slots[1], 1) && knows(slots[0], 1) && knows(slots[WAYS], 2));
        for slot in &slots[1..WAYS] {
            tags.keep(*slot, 2, at(60), None, tag.clone());
        }
        let all = slots[1..].iter().all(|slot| knows(*slot, 2));
        assert!(all && !knows(slots[0], 1), "an older version goes before an older moment");
    }

    #[test]
    fn requested_tags_are_read_with_and_without_quotes() {
        let tag = Digest::from_bytes(b"x");
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, value.parse().unwrap());
            has(&headers, &quoted(tag))
        };
        for value in
            [format!("\"{tag}\""), tag.to_string(), format!("W/\"{tag}\""), format!("\"a\", \"{tag}\""), "*".into()]
        {
            assert!(read(&value), "{value}");
        }
        assert!(!read("\"a\"") && !read("") && !has(&HeaderMap::new(), &quoted(tag)));
    }
}

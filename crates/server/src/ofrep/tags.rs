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

/// A table with a fixed number of places; a later answer takes the place of an earlier one.
#[derive(Debug)]
pub(super) struct Tags {
    hashers: [RandomState; 2],
    count: u64,
    places: Mutex<Box<[Option<Kept>]>>,
}

/// The place of a section and a context.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    place: usize,
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
    pub(super) fn new(places: usize) -> Self {
        let places = vec![None; places.max(1)].into_boxed_slice();
        let count = u64::try_from(places.len()).unwrap_or(u64::MAX);
        Self { hashers: Default::default(), count, places: Mutex::new(places) }
    }

    pub(super) fn slot(&self, section: Option<&str>, context: &Context) -> Slot {
        let identity = context.identity();
        let hashes = [0, 1]
            .map(|number: usize| self.hashers.get(number).map_or(0, |hasher| hasher.hash_one((section, &identity))));
        let place = usize::try_from(hashes[0] % self.count).unwrap_or(0);
        Slot { place, hashes }
    }

    /// The tag of the answer at this version and instant, if it is known without evaluating.
    pub(super) fn find(&self, slot: Slot, version: u64, now: Micros) -> Option<HeaderValue> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = places.get(slot.place)?.as_ref()?;
        // A clock may be set back.
        let holds = kept.from <= now && kept.until.is_none_or(|until| now < until);
        (kept.hashes == slot.hashes && kept.version == version && holds).then(|| kept.tag.clone())
    }

    pub(super) fn keep(&self, slot: Slot, version: u64, from: Micros, until: Option<Micros>, tag: HeaderValue) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get_mut(slot.place) {
            *place = Some(Kept { hashes: slot.hashes, version, from, until, tag });
        }
    }
}

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

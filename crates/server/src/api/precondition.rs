//! `If-Match` and `If-None-Match`: a change is made only to what its sender has seen.
//!
//! A flag's tag names the stamps of its two registers, so it is another one after each change of either, and the same on
//! every node that has heard the same. Between the look at it and the change nobody gets in: the change itself names the
//! stamp that it replaces.

use axum::http::{HeaderMap, HeaderName, header};
use tidegate::{Change, FlagRecord, Stamp};

use super::problem::Problem;

/// Which of the two registers a change is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Register {
    Activation,
    Definition,
}

/// The tag of what stands in the registers of a flag.
pub(super) fn tag(record: Option<&FlagRecord>) -> String {
    let stamp = |stamp: Option<Stamp>| stamp.map_or_else(|| "0".to_owned(), |stamp| stamp.to_string());
    let definition = record.and_then(|record| record.definition.as_ref()).map(|register| register.stamp);
    let activation = record.and_then(|record| record.activation.as_ref()).map(|register| register.stamp);
    format!("{}.{}", stamp(definition), stamp(activation))
}

/// What the headers ask for.
#[derive(Debug, Default)]
pub(super) struct Precondition {
    matches: Option<Tags>,
    matches_not: Option<Tags>,
}

#[derive(Debug)]
enum Tags {
    Any,
    These(Vec<String>),
}

impl Precondition {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            matches: Tags::read(headers, &header::IF_MATCH)?,
            matches_not: Tags::read(headers, &header::IF_NONE_MATCH)?,
        })
    }

    /// Whether it asks for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.matches.is_none() && self.matches_not.is_none()
    }

    /// Holds it against what stands there, and binds the change to that.
    pub(super) fn bind(&self, change: Change, record: &FlagRecord, register: Register) -> Result<Change, Problem> {
        if self.is_empty() {
            return Ok(change);
        }
        let (tag, held) = match register {
            Register::Activation => (tag(Some(record)), &record.activation),
            Register::Definition => (tag(Some(record)), &record.definition),
        };
        let is_there = held.as_ref().is_some_and(|held| held.value.is_some());
        let is_among = |tags: &Tags| match tags {
            Tags::Any => is_there,
            Tags::These(tags) => tags.contains(&tag),
        };
        if self.matches.as_ref().is_some_and(|tags| !is_among(tags)) {
            return Err(Problem::changed("if-match", "it is not as it was when it was looked at"));
        }
        if self.matches_not.as_ref().is_some_and(is_among) {
            return Err(Problem::changed("if-none-match", "it is there already"));
        }
        Ok(change.if_stamp(held.as_ref().map(|held| held.stamp)))
    }
}

impl Tags {
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, Problem> {
        let wrong =
            || Problem::invalid(name.as_str(), "the header cannot be read", "send `*`, or tags as `ETag` gave them");
        let mut tags = Vec::new();
        let mut is_there = false;
        for value in headers.get_all(name) {
            is_there = true;
            let value = value.to_str().map_err(|_| wrong())?.trim();
            if value == "*" {
                return Ok(Some(Self::Any));
            }
            for tag in value.split(',').map(str::trim) {
                let inner =
                    tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
                let inner = inner.ok_or_else(wrong)?;
                // A weak tag never matches where something is to be changed; ours are strong.
                if !tag.starts_with("W/") {
                    tags.push(inner.to_owned());
                }
            }
        }
        Ok(is_there.then_some(Self::These(tags)))
    }
}

//! `If-Match` and `If-None-Match`: a change is made only to what its sender has seen.
//!
//! A flag's tag names the stamps of its two registers, so it changes with each change of either, and is the same on every node
//! that has the same changes. The library compares the tags in the step in which it makes the change.

use axum::http::{HeaderMap, HeaderName, header};
use tidegate::{Change, FlagTags};

use super::problem::Problem;

/// What the headers ask for.
#[derive(Debug, Default)]
pub(super) struct Precondition {
    matches: Option<FlagTags>,
    matches_not: Option<FlagTags>,
}

impl Precondition {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            matches: read_tags(headers, &header::IF_MATCH)?,
            matches_not: read_tags(headers, &header::IF_NONE_MATCH)?,
        })
    }

    /// Binds the change to it.
    pub(super) fn bind(self, mut change: Change) -> Change {
        if let Some(tags) = self.matches {
            change = change.if_match(tags);
        }
        if let Some(tags) = self.matches_not {
            change = change.if_none_match(tags);
        }
        change
    }
}

fn read_tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<FlagTags>, Problem> {
    let wrong =
        || Problem::invalid(name.as_str(), "the header cannot be read", "send `*`, or tags as `ETag` gave them");
    let mut tags = Vec::new();
    let mut is_there = false;
    for value in headers.get_all(name) {
        is_there = true;
        let value = value.to_str().map_err(|_| wrong())?.trim();
        if value == "*" {
            return Ok(Some(FlagTags::Any));
        }
        // RFC 9110, 5.6.1.2: a recipient ignores empty elements of a list.
        for tag in value.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let inner = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let inner = inner.ok_or_else(wrong)?;
            // A weak tag never matches where something is to be changed; ours are strong.
            if !tag.starts_with("W/") {
                tags.push(inner.to_owned());
            }
        }
    }
    Ok(is_there.then_some(FlagTags::OneOf(tags)))
}

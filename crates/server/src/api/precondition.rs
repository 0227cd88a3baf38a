//! `If-Match` and `If-None-Match`: a change is made only to what its sender has seen.
//!
//! A flag's tag names the stamps of its two registers, so it changes with each change of either, and is the same on every node
//! that has the same changes. The library compares the tags in the step in which it makes the change.

use axum::http::{HeaderMap, HeaderName, header};
use tidegate::{Change, FlagTags};

use super::ask::Fields;
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

    /// The same of the fields of one change, each written as the header of that name.
    pub(super) fn from_fields(fields: &Fields) -> Result<Self, Problem> {
        let read = |name: &str| -> Result<Option<FlagTags>, Problem> {
            let wrong = || Problem::invalid(name, format!("`{name}` cannot be read"), READ);
            let text = fields.text(name)?;
            text.map(|text| parse_tags([text.as_str()].into_iter(), wrong)).transpose()
        };
        Ok(Self { matches: read("if_match")?, matches_not: read("if_none_match")? })
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
    let wrong = || Problem::invalid(name.as_str(), "the header cannot be read", READ);
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let values = headers.get_all(name).iter().map(|value| value.to_str().map_err(|_| wrong()));
    let values: Vec<&str> = values.collect::<Result<_, _>>()?;
    parse_tags(values.into_iter(), wrong).map(Some)
}

fn parse_tags<'v>(values: impl Iterator<Item = &'v str>, wrong: impl Fn() -> Problem) -> Result<FlagTags, Problem> {
    let mut tags = Vec::new();
    for value in values.map(str::trim) {
        if value == "*" {
            return Ok(FlagTags::Any);
        }
        // RFC 9110, 5.6.1.2: a recipient ignores empty elements of a list.
        for tag in value.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let inner = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let inner = inner.ok_or_else(&wrong)?;
            // A weak tag never matches where something is to be changed; ours are strong.
            if !tag.starts_with("W/") {
                tags.push(inner.to_owned());
            }
        }
    }
    Ok(FlagTags::OneOf(tags))
}

const READ: &str = "send `*`, or tags as `ETag` gave them";

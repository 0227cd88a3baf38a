//! Forecasts and counts of the engine, as they serialize; and what requests about documents have in common.
#![expect(dead_code, reason = "only the schemas of these types are used")]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A document: an object, or a string with its text, which may have comments.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum DocumentOrText {
    Document(BTreeMap<String, Value>),
    Text(String),
}

/// The entry of a flag, as it stands in a document.
#[derive(Debug, ToSchema)]
pub(crate) struct EntryObject(BTreeMap<String, Value>);

/// Attributes of a subject.
#[derive(Debug, ToSchema)]
pub(crate) struct AttributesObject(BTreeMap<String, Value>);

/// The shares of flags over time.
#[derive(Debug, ToSchema)]
pub(crate) struct Plan {
    /// The first instant.
    #[schema(format = DateTime)]
    from: String,
    /// The last instant.
    #[schema(format = DateTime)]
    to: String,
    /// The instant at which the changes that come begin.
    #[schema(format = DateTime)]
    now: String,
    /// The ramps: of each flag, and of each rule that has one.
    flags: Vec<PlannedFlag>,
    /// The changes after now, in time order.
    changes: Vec<PlannedChange>,
    /// The times in which several flags move at once.
    overlaps: Vec<PlannedOverlap>,
}

/// The share of one flag over time: linear between the corners, a jump where two have one instant.
#[derive(Debug, ToSchema)]
pub(crate) struct PlannedFlag {
    /// The flag key.
    flag: String,
    /// The section.
    section: String,
    /// The name in the section.
    name: String,
    /// The rule whose ramp it is, where it is not the flag's own.
    rule: Option<String>,
    /// How many percent of the keys have `new` now.
    share: f64,
    /// The corners.
    corners: Vec<Corner>,
}

/// A corner of a share over time.
#[derive(Debug, ToSchema)]
pub(crate) struct Corner {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// The share, in percent.
    share: f64,
}

/// A change of a share.
#[derive(Debug, ToSchema)]
pub(crate) struct PlannedChange {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// The flag key.
    flag: String,
    /// The rule whose ramp it is, where it is not the flag's own.
    rule: Option<String>,
    /// What begins then: `rises`, `holds`, `ends`, `falls` or `expires`.
    what: String,
    /// The share at that instant, in percent.
    share: f64,
}

/// A time in which several flags move at once.
#[derive(Debug, ToSchema)]
pub(crate) struct PlannedOverlap {
    /// Its first instant.
    #[schema(format = DateTime)]
    from: String,
    /// Its end.
    #[schema(format = DateTime)]
    to: String,
    /// How many flags move at once when it is most.
    most: u64,
    /// The flags that move in that time.
    flags: Vec<String>,
}

/// How many keys have which variant, at each instant.
#[derive(Debug, ToSchema)]
pub(crate) struct Simulation {
    /// The flag key.
    flag: String,
    /// The counts, in time order.
    counts: Vec<KeyCounts>,
}

/// How many keys have which variant at one instant.
#[derive(Debug, ToSchema)]
pub(crate) struct KeyCounts {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// How many keys there are.
    population: u64,
    /// By the side of the flag.
    counts: CountsBySide,
    /// By the names of the flag's variants, for a flag with such.
    variants: Option<BTreeMap<String, u64>>,
}

/// Keys by the side that they have.
#[derive(Debug, ToSchema)]
pub(crate) struct CountsBySide {
    /// Keys that have `stable`.
    stable: u64,
    /// Keys that have `new`.
    new: u64,
    /// Keys that have a number between both, for a flag with `interpolate`.
    interpolated: Option<u64>,
}

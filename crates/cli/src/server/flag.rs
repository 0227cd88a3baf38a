//! A flag in the JSON of a server.

use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_engine::document::{parse_percent, parse_time};
use tidegate_engine::{Micros, Share};

/// One flag, with its activation and definition.
#[derive(Debug, Deserialize)]
pub(crate) struct FlagState {
    pub(crate) flag: String,
    /// Where it is defined: `document ...`, `api`, or `activation` if it has no definition.
    #[serde(default)]
    pub(crate) source: String,
    #[serde(default)]
    pub(crate) activation: Option<Activation>,
    #[serde(default)]
    pub(crate) stable: Option<Box<RawValue>>,
    #[serde(default)]
    pub(crate) new: Option<Box<RawValue>>,
    pub(crate) share: Percentage,
    #[serde(default)]
    pub(crate) next_change: Option<NextChange>,
}

/// The activation of a flag.
#[derive(Debug, Deserialize)]
pub(crate) struct Activation {
    #[serde(default)]
    pub(crate) percentage: Option<Percentage>,
    #[serde(default)]
    pub(crate) until: Option<Timestamp>,
    #[serde(default)]
    pub(crate) actor: Option<String>,
}

/// The next change of a flag's share.
#[derive(Debug, Deserialize)]
pub(crate) struct NextChange {
    pub(crate) at: Timestamp,
    pub(crate) what: String,
    pub(crate) share: Percentage,
}

/// A percentage, exactly as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Box<RawValue>")]
pub(crate) struct Percentage(pub(crate) Share);

impl TryFrom<Box<RawValue>> for Percentage {
    type Error = String;

    fn try_from(json: Box<RawValue>) -> Result<Self, String> {
        parse_percent(json.get().trim_matches('"')).map(Self).map_err(|error| error.to_string())
    }
}

/// An instant, as RFC 3339.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Timestamp(pub(crate) Micros);

impl TryFrom<String> for Timestamp {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_time(&text).map(Self).map_err(|error| format!("`{text}` {error}"))
    }
}

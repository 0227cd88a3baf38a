//! Parts of JSON output: values as the document writes them, and shares as numbers.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tidegate_engine::{Micros, Share};

/// JSON text that is written as it is: a value keeps the spelling of its numbers.
pub(crate) fn raw(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).ok()
}

/// An instant, as RFC 3339 with six digits.
pub(crate) fn instant(instant: Micros) -> String {
    instant.to_string()
}

/// A share as a percentage, with up to six decimals.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Percent(pub(crate) Share);

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw(&self.0.to_string()).serialize(serializer)
    }
}

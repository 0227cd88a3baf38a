//! Counts as JSON: one shape for the command line and the server.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::Counts;

/// `{"at", "population", "counts": {"stable", "new", "interpolated" (where there are such)}, "variants" (of a flag with named
/// variants)}`.
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("population", &self.population())?;
        let counts = BySide { stable: self.stable, new: self.new, interpolated: self.interpolated };
        map.serialize_entry("counts", &counts)?;
        if !self.named.is_empty() {
            map.serialize_entry("variants", &Named(&self.named))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct BySide {
    stable: u64,
    new: u64,
    #[serde(skip_serializing_if = "is_zero")]
    interpolated: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// By the names of the flag's variants, in the order of the names.
struct Named<'c>(&'c [(String, u64)]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.iter().map(|(name, count)| (name, count)).collect::<BTreeMap<_, _>>().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Micros;

    #[test]
    fn what_a_flag_cannot_have_is_left_out() {
        let check = |interpolated, named: &[(&str, u64)], expected: &str| {
            let named = named.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
            let counts = Counts { at: Micros::new(0), stable: 2, new: 1, interpolated, named };
            let expected = format!(r#"{{"at":"1970-01-01T00:00:00.000000Z",{expected}}}"#);
            assert_eq!(serde_json::to_string(&counts).unwrap(), expected);
        };
        check(0, &[], r#""population":3,"counts":{"stable":2,"new":1}"#);
        check(4, &[], r#""population":7,"counts":{"stable":2,"new":1,"interpolated":4}"#);
        let named = r#""population":3,"counts":{"stable":2,"new":1},"variants":{"blue":1,"red":2}"#;
        check(0, &[("red", 2), ("blue", 1)], named);
    }
}

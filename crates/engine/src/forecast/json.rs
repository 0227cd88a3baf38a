//! A forecast as JSON: one shape for the command line and the server.

use serde::{Serialize, Serializer};

use crate::{Change, Micros, Share};

use super::{Curve, Forecast, Overlap};

/// `{"from", "to", "now", "flags": [{"flag", "section", "name", "rule" (of the ramp of a rule), "share", "corners": [{"at",
/// "share"}]}], "changes": [{"at", "flag", "rule", "what", "share"}], "overlaps": [{"from", "to", "most", "flags"}]}`. Instants are
/// RFC 3339 in UTC with six digits of fraction, and shares per cent with up to six decimals.
impl Serialize for Forecast<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let change_line = |(curve, change): (&Curve<'_>, Change)| ChangeLine {
            at: change.at,
            flag: curve.flag.key().to_string(),
            rule: curve.rule_name().map(str::to_owned),
            what: change.kind.as_str(),
            share: change.share,
        };
        let overlap_line = |overlap: Overlap| OverlapLine {
            from: overlap.from,
            to: overlap.to,
            most: overlap.most,
            flags: overlap
                .curves
                .iter()
                .filter_map(|number| Some(self.curves.get(*number)?.flag.key().to_string()))
                .collect(),
        };
        let plan = Plan {
            from: self.from,
            to: self.to,
            now: self.now,
            flags: Lines(self),
            changes: self.coming().into_iter().map(change_line).collect(),
            overlaps: self.overlaps().into_iter().map(overlap_line).collect(),
        };
        plan.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Plan<'f, 's> {
    from: Micros,
    to: Micros,
    now: Micros,
    flags: Lines<'f, 's>,
    changes: Vec<ChangeLine>,
    overlaps: Vec<OverlapLine>,
}

/// The curves, each made when it is written.
struct Lines<'f, 's>(&'f Forecast<'s>);

impl Serialize for Lines<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(forecast) = self;
        serializer.collect_seq(forecast.curves.iter().map(|curve| CurveLine {
            flag: curve.flag.key().to_string(),
            section: curve.flag.section(),
            name: curve.flag.name(),
            rule: curve.rule_name(),
            share: curve.share_at(forecast.now),
            corners:
                curve.corners(forecast.from, forecast.to).into_iter().map(|(at, share)| Corner { at, share }).collect(),
        }))
    }
}

/// The share of one flag over time: linear between the corners, a jump where two share an instant.
#[derive(Serialize)]
struct CurveLine<'s> {
    flag: String,
    section: &'s str,
    name: &'s str,
    /// The rule whose ramp it is, where it is not the flag's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'s str>,
    share: Share,
    corners: Vec<Corner>,
}

#[derive(Serialize)]
struct Corner {
    at: Micros,
    share: Share,
}

#[derive(Serialize)]
struct ChangeLine {
    at: Micros,
    flag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    what: &'static str,
    share: Share,
}

/// A time in which several flags move at once.
#[derive(Serialize)]
struct OverlapLine {
    from: Micros,
    to: Micros,
    most: usize,
    flags: Vec<String>,
}

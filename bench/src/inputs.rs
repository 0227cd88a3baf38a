//! What the cases work on: keys, and documents of any size.

use std::fmt::Write as _;

use tidegate_engine::{Attribute, Micros};

/// The number of different keys, of 16 bytes each, that are asked for in turn.
pub const KEYS: usize = 1_024;

/// Flags in the document of the checks.
pub(crate) const FLAGS: usize = 1_000;

/// The instant of a check that is given one: 2026-01-01, in the middle of the long ramps.
pub(crate) const NOW: Micros = Micros::new(1_767_225_600_000_000);

/// The flags that are asked for, one for each kind of decision.
const ASKED: [(&str, &str); 10] = [
    ("on", r#"{"stable": false, "new": true, "lock": "new"}"#),
    (
        "rollout",
        r#"{"stable": false, "new": true, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50, "salt": "rollout"}"#,
    ),
    (
        "ramp",
        r#"{"stable": false, "new": true, "start_time": "1976-01-01 00:00Z", "end_time": "2076-01-01 00:00Z", "salt": "ramp"}"#,
    ),
    ("sha1", r#"{"stable": false, "new": true, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50}"#),
    (
        "sha1_other",
        r#"{"stable": false, "new": true, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 25}"#,
    ),
    (
        "adopters",
        r#"{"stable": false, "new": true, "early_adopters": ["canary-1", "canary-2", "canary-3", "canary-4"], "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50, "salt": "adopters"}"#,
    ),
    (
        "interpolated",
        r#"{"stable": 10, "new": 4000, "interpolate": true, "start_time": "1976-01-01 00:00Z", "end_time": "2076-01-01 00:00Z"}"#,
    ),
    (
        "rollback",
        r#"{"stable": false, "new": true, "start_time": "2020-01-01 00:00Z", "duration": "1d", "salt": "rollback", "rollback": {"start_time": "2021-01-01 00:00Z", "duration": "3650d"}}"#,
    ),
    (
        "text",
        r#"{"stable": "an old text", "new": "another text", "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50, "salt": "text"}"#,
    ),
    (
        "rule",
        r#"{"stable": false, "new": true, "rules": [{"name": "grown", "when": {"all": [{"attribute": "plan", "is": "premium"}, {"attribute": "age", "gte": 18}, {"attribute": "country", "in": ["de", "at", "ch"]}]}, "serve": "new"}]}"#,
    ),
];

/// The attributes of each subject that the rule of the flag `rule` is asked about, which holds.
pub(crate) const ATTRIBUTES: [(&str, Attribute<'_>); 3] =
    [("plan", Attribute::Text("premium")), ("age", Attribute::Integer(31)), ("country", Attribute::Text("ch"))];

/// The flags that are asked for by a name without a section.
const BARE: &str = r#""flags": {
  "bare_on": {"stable": false, "new": true, "lock": "new"},
  "bare_rollout": {"stable": false, "new": true, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50, "salt": "bare"},
  "whole": {"stable": 1000, "new": 2000, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50, "salt": "whole"},
  "fraction": {"stable": 0.25, "new": 0.75, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50, "salt": "fraction"}
}"#;

/// The section of every flag.
pub(crate) const SECTION: &str = "features";

/// Keys of 16 bytes.
pub(crate) fn keys() -> Box<[String; KEYS]> {
    Box::new(std::array::from_fn(|number| format!("user-{:011}", number * 7_919 % 99_999_989)))
}

/// A document of this number of flags. Of ten flags four are switched on or off, four have a window and a salt, one
/// has steps, and one has early adopters and words for people. The flags of the checks are among them.
///
/// # Panics
///
/// Never: a text takes every line.
pub fn document(flags: usize) -> String {
    let mut text = format!("{{\"{SECTION}\": {{\n");
    for number in 0..flags {
        let comma = if number + 1 < flags { "," } else { "" };
        // Spread over the document: a flag's place should not matter.
        let asked = ASKED.get(number / 100).filter(|_| number % 100 == 50);
        match asked {
            Some((name, entry)) => writeln!(text, "  \"{name}\": {entry}{comma}"),
            None => writeln!(text, "  \"flag_{number:06}\": {}{comma}", entry(number)),
        }
        .expect("a text takes every line");
    }
    text.push_str("},\n");
    text.push_str(BARE);
    text.push_str("}\n");
    text
}

fn entry(number: usize) -> String {
    match number % 10 {
        0 | 2 | 4 | 6 => format!(r#"{{"stable": false, "new": true, "lock": "{}"}}"#, ["new", "stable"][number / 2 % 2]),
        8 => r#"{"stable": false, "new": true, "start_time": "2026-01-01 00:00Z", "steps": [{"pct": 1, "hold": "1h"}, {"pct": 10, "over": "1d", "hold": "12h"}, {"pct": 100, "over": "3d"}], "salt": "s"}"#.to_owned(),
        9 => format!(
            r#"{{"stable": "old", "new": "new", "end_time": "2026-12-01 00:00Z", "duration": "14d", "salt": "flag_{number:06}", "early_adopters": ["canary-1", "canary-2"], "description": "moves a tool", "owner": "team-{}"}}"#,
            number % 50
        ),
        _ => format!(
            r#"{{"stable": false, "new": true, "end_time": "2026-12-{:02} 00:00Z", "duration": "14d", "salt": "flag_{number:06}"}}"#,
            number % 28 + 1
        ),
    }
}

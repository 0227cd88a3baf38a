//! The marks of a time axis: round instants, with the shortest labels that differ.

use tidegate_engine::{Micros, Span};

/// One mark of the axis.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Mark {
    pub(crate) at: Micros,
    pub(crate) label: String,
}

/// At most `most` round instants from `from` to `to`.
pub(crate) fn marks(from: Micros, to: Micros, most: usize) -> Vec<Mark> {
    let step = step(to.since(from), most);
    let first = first_at_or_after(from, step);
    let mut marks: Vec<Mark> = Vec::new();
    let mut at = first;
    while at <= to && marks.len() <= most {
        let day_before = marks.last().map(|mark| day(mark.at));
        marks.push(Mark { at, label: label(at, step, day_before.as_deref()) });
        let next = at.saturating_add(step);
        if next == at {
            break;
        }
        at = next;
    }
    marks
}

/// The shortest round step that gives at most `most` marks.
fn step(length: Span, most: usize) -> Span {
    let least = length.get() / most.max(1) as u64;
    let step = STEPS.iter().map(|seconds| seconds * SECOND).find(|step| *step >= least);
    Span::from_micros(step.unwrap_or_else(|| {
        // Beyond the table in steps of 1, 2, 4, 8, ... times its last.
        let longest = STEPS.last().map_or(SECOND, |seconds| seconds * SECOND);
        longest.saturating_mul(least.div_ceil(longest).next_power_of_two())
    }))
}

/// Whole steps are counted from the epoch, so that days begin at midnight.
fn first_at_or_after(from: Micros, step: Span) -> Micros {
    let step = i64::try_from(step.get()).unwrap_or(i64::MAX);
    let beyond = from.get().rem_euclid(step);
    if beyond == 0 { from } else { Micros::new(from.get().saturating_add(step - beyond)) }
}

/// The day, and the time of the day where days are cut up; the day only where it is another one.
fn label(at: Micros, step: Span, day_before: Option<&str>) -> String {
    let text = at.to_string();
    let Some((date, time)) = text.split_once('T') else { return text };
    if step.get() >= DAY * SECOND {
        return date.to_owned();
    }
    let digits = if step.get() >= 60 * SECOND { 5 } else { 8 };
    let time = time.get(..digits).unwrap_or(time);
    if day_before == Some(date) { time.to_owned() } else { format!("{} {time}", date.get(5..).unwrap_or(date)) }
}

fn day(at: Micros) -> String {
    at.to_string().split('T').next().unwrap_or_default().to_owned()
}

const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400;

/// Round lengths of time, in seconds.
const STEPS: &[u64] = &[
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    2 * 3_600,
    3 * 3_600,
    6 * 3_600,
    12 * 3_600,
    DAY,
    2 * DAY,
    5 * DAY,
    10 * DAY,
    20 * DAY,
    50 * DAY,
    100 * DAY,
    200 * DAY,
    500 * DAY,
    1_000 * DAY,
];

#[cfg(test)]
mod tests {
    use tidegate_engine::document::parse_time;

    use super::*;

    fn check(from: &str, to: &str, most: usize, labels: &[&str]) {
        let found = marks(parse_time(from).unwrap(), parse_time(to).unwrap(), most);
        let found: Vec<&str> = found.iter().map(|mark| &*mark.label).collect();
        assert_eq!(found, labels, "{from} to {to}");
    }

    #[test]
    fn round_instants() {
        check(
            "2026-12-01 00:00Z",
            "2026-12-05 00:00Z",
            5,
            &["2026-12-01", "2026-12-02", "2026-12-03", "2026-12-04", "2026-12-05"],
        );
        check("2026-12-01 22:10Z", "2026-12-02 04:00Z", 4, &["12-02 00:00", "02:00", "04:00"]);
        check("2026-12-01 22:10:01Z", "2026-12-01 22:10:09Z", 3, &["12-01 22:10:05"]);
        check("1960-01-01 12:00Z", "1960-01-04 12:00Z", 3, &["1960-01-02", "1960-01-03", "1960-01-04"]);
        assert!(marks(Micros::new(0), Micros::new(i64::MAX), 5).len() <= 6);
        assert!(marks(Micros::MIN, Micros::MAX, 5).len() <= 6);
    }
}

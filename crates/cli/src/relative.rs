//! Instants as text for people: how far away they are, and the shortest exact form.

use tidegate_engine::{Micros, Span};

/// The instant as seen from `now`: `in 3d2h`, `2h5m ago`, `now`.
pub(crate) fn relative(instant: Micros, now: Micros) -> String {
    if instant > now {
        format!("in {}", rough(instant.since(now)))
    } else if now.since(instant) < MILLISECOND {
        "now".to_owned()
    } else {
        format!("{} ago", rough(now.since(instant)))
    }
}

/// A length of time in its two largest units, rounded down: `120d`, `3d2h`, `2h`, `5m10s`, `250ms`.
pub(crate) fn rough(span: Span) -> String {
    let units = [(MANY_DAYS, DAY), (DAY, HOUR), (HOUR, MINUTE), (MINUTE, Span::SECOND), (Span::SECOND, Span::SECOND)];
    let micros = span.get();
    match units.iter().find(|(unit, _)| micros >= unit.get()) {
        Some((_, second)) => Span::from_micros(micros - micros % second.get()).to_string(),
        None if micros >= MILLISECOND.get() => Span::from_micros(micros - micros % MILLISECOND.get()).to_string(),
        None => span.to_string(),
    }
}

/// The instant as documents write it, without what is zero: `2026-12-01 00:00Z`, with seconds and a
/// fraction only where there are some. It can be pasted into a document.
pub(crate) fn short(instant: Micros) -> String {
    let full = instant.to_string();
    let Some((day, time)) = full.strip_suffix('Z').and_then(|full| full.split_once('T')) else { return full };
    let time = time.trim_end_matches('0').trim_end_matches('.');
    let time = time.strip_suffix(":00").filter(|time| time.len() == 5).unwrap_or(time);
    format!("{day} {time}Z")
}

const MILLISECOND: Span = Span::from_micros(1_000);
const MINUTE: Span = Span::from_micros(60_000_000);
const HOUR: Span = Span::from_micros(3_600_000_000);
/// From here on hours do not matter.
const MANY_DAYS: Span = Span::from_micros(100 * DAY.get());
const DAY: Span = Span::from_micros(86_400_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rough_lengths() {
        let lengths = [
            (0, "0s"),
            (1, "0.001ms"),
            (2_500, "2ms"),
            (1_500_000, "1s"),
            (61_000_000, "1m1s"),
            (7_261_000_000, "2h1m"),
            (86_400_000_000, "1d"),
            (8_730_000_000_000, "101d"),
            (266_399_000_000, "3d1h"),
        ];
        for (micros, text) in lengths {
            assert_eq!(rough(Span::from_micros(micros)), text);
        }
    }

    #[test]
    fn seen_from_now() {
        let now = Micros::new(1_000_000_000_000);
        let instants =
            [(0, "now"), (-999, "now"), (60_000_000, "in 1m"), (-90_000_000, "1m30s ago"), (1, "in 0.001ms")];
        for (offset, text) in instants {
            assert_eq!(relative(Micros::new(now.get() + offset), now), text);
        }
    }

    #[test]
    fn as_short_as_possible() {
        let instants = [
            (0, "1970-01-01 00:00Z"),
            (36_000_000_000, "1970-01-01 10:00Z"),
            (600_000_000, "1970-01-01 00:10Z"),
            (1_000_000, "1970-01-01 00:00:01Z"),
            (10_000_000, "1970-01-01 00:00:10Z"),
            (1_500_000, "1970-01-01 00:00:01.5Z"),
            (60_000_001, "1970-01-01 00:01:00.000001Z"),
        ];
        for (micros, text) in instants {
            assert_eq!(short(Micros::new(micros)), text);
        }
        assert_eq!(short(Micros::MAX), "9223372036854775807us");
    }
}

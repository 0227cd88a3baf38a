//! How far this host's clock is from that of the source, by the `Date` of its answers.
//!
//! A `Date` is cut to the second: one answer says that the offset lies in an interval of a second and the time that the answer
//! took, and no more. Polls come at different moments of a second, so each has another interval, and the offset lies in all of
//! them: after ten polls it is known to about a tenth of a second. What is concluded is what is certain: a clock is
//! suspicious when the whole interval lies further from zero than [`OFFSET_MAX`].

use std::collections::VecDeque;

use tidegate_engine::Micros;

use crate::ingest::source::ServerDate;

/// What the dates of the last answers of one source say.
#[derive(Debug, Default)]
pub(super) struct OffsetWatch {
    /// The newest last.
    seen: VecDeque<Offset>,
}

/// This host is ahead by at least `low` and at most `high`, in microseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Offset {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl OffsetWatch {
    /// Takes note of an answer, and returns what is known by now. `now` is this host's clock.
    pub(super) fn note(&mut self, date: &ServerDate, now: Micros) -> Offset {
        let (earliest, latest) = date.bounds();
        let difference = |server: Micros| now.get().saturating_sub(server.get());
        self.add(Offset { low: difference(latest), high: difference(earliest) })
    }

    fn add(&mut self, newest: Offset) -> Offset {
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(newest);
        let mut known = newest;
        let mut agreeing = 0;
        for seen in self.seen.iter().rev() {
            match known.and(*seen) {
                Some(both) => known = both,
                None => break,
            }
            agreeing += 1;
        }
        // Either clock was set since, or another machine answers: what was before says nothing of now.
        let outdated = self.seen.len() - agreeing;
        self.seen.drain(..outdated);
        known
    }
}

impl Offset {
    /// Where it lies if it lies in both.
    fn and(self, other: Self) -> Option<Self> {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        (both.low <= both.high).then_some(both)
    }

    /// Whether this host is certainly further off than [`OFFSET_MAX`].
    pub(super) fn is_suspicious(self) -> bool {
        self.low > OFFSET_MAX || self.high < -OFFSET_MAX
    }

    /// The middle, and how far both ends are from it.
    pub(super) fn middle(self) -> (i64, i64) {
        let half = self.high.saturating_sub(self.low) / 2;
        (self.low.saturating_add(half), half)
    }
}

/// An offset that is a reason to warn, in microseconds: 500 ms. A clock that is disciplined by NTP is off by milliseconds, and a
/// tenth of what a cluster refuses is early enough to set it.
const OFFSET_MAX: i64 = 500_000;

/// Answers that count together: a quarter of an hour of polls, in which no clock drifts by more than a few milliseconds.
const SEEN_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of polls in their seconds.
    fn moments() -> impl Iterator<Item = i64> {
        (1..16).map(|count| count * 618_034)
    }

    /// The interval of one poll without delay, for a host that is `ahead` of the source and polls at `at` of a second.
    fn poll(ahead: i64, at: i64) -> Offset {
        let server = at - ahead;
        let date = server.div_euclid(1_000_000) * 1_000_000;
        Offset { low: at - date - 1_000_000, high: at - date }
    }

    #[test]
    fn one_answer_says_a_second_and_many_say_more() {
        for ahead in [-700_000, -520_000, 0, 300_000, 510_000, 900_000, 3_200_000] {
            let mut watch = OffsetWatch::default();
            let first = watch.add(poll(ahead, 0));
            assert!(first.low <= ahead && ahead <= first.high && first.high - first.low == 1_000_000);
            let mut known = first;
            for at in moments() {
                known = watch.add(poll(ahead, at));
                assert!(known.low <= ahead && ahead <= known.high, "{ahead}: {known:?}");
            }
            assert!(known.high - known.low < 150_000, "{ahead}: {known:?}");
        }
    }

    #[test]
    fn a_clock_is_suspicious_only_when_it_is_certainly_off() {
        let check = |ahead: i64, first: bool, after_many: bool| {
            let mut watch = OffsetWatch::default();
            let mut known = watch.add(poll(ahead, 400_000));
            assert_eq!(known.is_suspicious(), first, "{ahead}: {known:?}");
            for at in moments() {
                known = watch.add(poll(ahead, at));
            }
            assert_eq!(known.is_suspicious(), after_many, "{ahead}: {known:?}");
        };
        check(0, false, false);
        check(400_000, false, false);
        check(-400_000, false, false);
        check(700_000, false, true);
        check(-700_000, true, true);
        check(1_600_000, true, true);
        check(-1_600_000, true, true);
        check(5_000_000, true, true);
    }

    #[test]
    fn a_clock_that_is_set_is_seen_at_the_next_answer() {
        let mut watch = OffsetWatch::default();
        for at in moments() {
            watch.add(poll(0, at));
        }
        assert!(watch.add(poll(60_000_000, 0)).is_suspicious());
        assert_eq!(watch.seen.len(), 1);
        assert!(!watch.add(poll(0, 0)).is_suspicious());
    }
}

//! The hybrid logical clock: it issues stamps that only rise, whatever the wall clock does.

use xxhash_rust::xxh3::xxh3_64;

use crate::{NodeId, Stamp};

/// Issues stamps of one node. Invariant: a stamp that is issued is greater than every one issued or observed before.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    node: NodeId,
    last: Stamp,
    /// How far its counters begin above those of others.
    gap: u16,
    /// Whether the last stamp was issued here.
    is_own: bool,
}

impl Clock {
    /// A clock that goes on above `last`.
    ///
    /// Each process, as `instance` names it, begins to count somewhere else. So a node whose disk went back, and that
    /// no other node can tell which stamps it has used, hardly ever issues one of them again when it sees what it saw then.
    pub(crate) fn new(node: NodeId, last: Stamp, instance: u64) -> Self {
        let gap = xxh3_64(&instance.to_be_bytes()) % GAPS;
        Self { node, last, gap: u16::try_from(gap).unwrap_or_default(), is_own: false }
    }

    /// The greatest stamp issued or observed.
    pub(crate) fn last(&self) -> Stamp {
        self.last
    }

    /// The current epoch.
    pub(crate) fn epoch(&self) -> u16 {
        self.last.epoch()
    }

    /// What the next stamp will be, without issuing it.
    pub(crate) fn next(&self, wall_ms: u64) -> Stamp {
        let (epoch, millis, counter) = self.last.time();
        let wall = Stamp::new(epoch, wall_ms, self.gap, self.node);
        let step = if self.is_own { 1 } else { self.gap.saturating_add(1) };
        let (millis, counter) = match counter.checked_add(step) {
            Some(counter) => (millis, counter),
            // A full millisecond is carried into the next one, never wrapped.
            None => (millis.saturating_add(1), if self.is_own { 0 } else { self.gap }),
        };
        let after = Stamp::new(epoch, millis, counter, self.node);
        if wall.millis() > self.last.millis() { wall } else { after }
    }

    /// Issues a stamp.
    pub(crate) fn issue(&mut self, wall_ms: u64) -> Stamp {
        self.last = self.next(wall_ms);
        self.is_own = true;
        self.last
    }

    /// Issues the first stamp of the next epoch: whatever the clock was, it continues at the wall clock. The caller makes sure
    /// it that there is a next one.
    pub(crate) fn raise_epoch(&mut self, wall_ms: u64) -> Stamp {
        self.last = Stamp::new(self.epoch().saturating_add(1), wall_ms, self.gap, self.node);
        self.is_own = true;
        self.last
    }

    /// Takes note of a stamp of somebody else's; later ones of ours are greater.
    pub(crate) fn observe(&mut self, stamp: Stamp) {
        if stamp > self.last {
            (self.last, self.is_own) = (stamp, false);
        }
    }

    /// How far `stamp` lies ahead of the wall clock, in milliseconds; of an epoch that has not begun here, for ever. One of an
    /// epoch that is over lies as far ahead as it did before: a repair of the clock releases nothing from quarantine.
    pub(crate) fn ahead(&self, stamp: Stamp, wall_ms: u64) -> u64 {
        if stamp.epoch() > self.epoch() {
            return u64::MAX;
        }
        stamp.millis().saturating_sub(wall_ms)
    }
}

/// The number of places to begin: enough that two processes seldom share one, few beside the 65,536 counts of a
/// millisecond.
const GAPS: u64 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId::new(7);

    #[test]
    fn stamps_rise_though_the_wall_clock_falls() {
        let mut clock = Clock::new(NODE, Stamp::ZERO, 1);
        let mut last = Stamp::ZERO;
        for wall in [10, 10, 12, 3, 0, 12, 13, u64::MAX, 0] {
            let stamp = clock.issue(wall);
            assert!(stamp > last, "{wall}: {stamp:?} after {last:?}");
            last = stamp;
        }
    }

    #[test]
    fn a_frozen_millisecond_is_carried() {
        let mut clock = Clock::new(NODE, Stamp::ZERO, 1);
        let mut last = Stamp::ZERO;
        for _ in 0..200_000 {
            let stamp = clock.issue(1_000);
            assert!(stamp > last);
            last = stamp;
        }
        let first = u64::from(clock.gap);
        let end = first + 199_999;
        assert_eq!((last.millis(), u64::from(last.counter())), (1_000 + end / 65_536, end % 65_536));
    }

    #[test]
    fn two_lives_that_see_the_same_count_differently() {
        let seen = Stamp::new(0, 5_000, 3, NodeId::new(9));
        let lives = [4, 5].map(|instance| {
            let mut clock = Clock::new(NODE, Stamp::ZERO, instance);
            clock.observe(seen);
            [1_000, 1_000, 6_000].map(|wall| clock.issue(wall))
        });
        for (first, second) in lives[0].iter().zip(&lives[1]) {
            assert!(first != second && *first > seen && *second > seen, "{first} {second}");
        }
        // A millisecond that is almost full is carried all the same.
        let mut clock = Clock::new(NODE, Stamp::new(0, 5_000, u16::MAX, NODE), 4);
        assert_eq!(clock.issue(1_000), Stamp::new(0, 5_001, clock.gap, NODE));
    }

    #[test]
    fn what_is_observed_is_below_what_comes() {
        let mut clock = Clock::new(NODE, Stamp::ZERO, 1);
        let seen = Stamp::new(3, 500, 9, NodeId::new(u64::MAX));
        clock.observe(seen);
        assert!(clock.issue(10) > seen);
        assert_eq!(clock.epoch(), 3);
    }

    #[test]
    fn an_epoch_outranks_a_poisoned_clock() {
        let poison = Stamp::new(0, 2_000_000, 0, NODE);
        let mut clock = Clock::new(NODE, poison, 1);
        assert_eq!(clock.ahead(poison, 1_000), 1_999_000);
        let stamp = clock.raise_epoch(1_000);
        assert!(stamp > poison);
        assert_eq!((stamp.epoch(), stamp.millis()), (1, 1_000));
        assert_eq!(clock.ahead(poison, 1_000), 1_999_000);
        assert_eq!(clock.ahead(Stamp::new(1, 900, 0, NODE), 1_000), 0);
        assert_eq!(clock.ahead(Stamp::new(2, 0, 0, NODE), 1_000), u64::MAX);
    }

    #[test]
    fn a_stamp_of_its_own_that_it_observes_again_costs_no_count() {
        let mut clock = Clock::new(NODE, Stamp::ZERO, 1);
        let first = clock.issue(1_000);
        clock.observe(first);
        assert_eq!(clock.issue(1_000), Stamp::new(0, 1_000, first.counter() + 1, NODE));
        assert_eq!(clock.last().counter(), first.counter() + 1);
    }
}

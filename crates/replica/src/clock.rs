//! The hybrid logical clock: stamps that only rise, whatever the wall clock does.

use crate::{NodeId, Stamp};

/// Issues stamps of one node. Invariant: a stamp that is issued is greater than every one issued or observed before.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    node: NodeId,
    last: Stamp,
}

impl Clock {
    /// A clock that goes on above `last`.
    pub(crate) fn new(node: NodeId, last: Stamp) -> Self {
        Self { node, last }
    }

    /// The greatest stamp issued or observed.
    pub(crate) fn last(&self) -> Stamp {
        self.last
    }

    /// The epoch in force.
    pub(crate) fn epoch(&self) -> u16 {
        self.last.epoch()
    }

    /// What the next stamp will be, without issuing it.
    pub(crate) fn next(&self, wall_ms: u64) -> Stamp {
        let (epoch, millis, counter) = self.last.time();
        let wall = Stamp::new(epoch, wall_ms, 0, self.node);
        let (millis, counter) = match counter.checked_add(1) {
            Some(counter) => (millis, counter),
            // A full millisecond is carried into the next one, never wrapped.
            None => (millis.saturating_add(1), 0),
        };
        let after = Stamp::new(epoch, millis, counter, self.node);
        if wall.time() > self.last.time() { wall } else { after }
    }

    /// Issues a stamp.
    pub(crate) fn issue(&mut self, wall_ms: u64) -> Stamp {
        self.last = self.next(wall_ms);
        self.last
    }

    /// Issues the first stamp of the next epoch: whatever the clock was, it begins anew at the wall clock.
    pub(crate) fn raise_epoch(&mut self, wall_ms: u64) -> Stamp {
        self.last = Stamp::new(self.epoch().saturating_add(1), wall_ms, 0, self.node);
        self.last
    }

    /// Takes note of a stamp of somebody else's; later ones of ours are greater.
    pub(crate) fn observe(&mut self, stamp: Stamp) {
        self.last = self.last.max(stamp);
    }

    /// How far `stamp` lies ahead of the wall clock, in milliseconds; 0 for one of an epoch that is over.
    pub(crate) fn ahead(&self, stamp: Stamp, wall_ms: u64) -> u64 {
        if stamp.epoch() < self.epoch() {
            return 0;
        }
        if stamp.epoch() > self.epoch().saturating_add(1) {
            return u64::MAX;
        }
        stamp.millis().saturating_sub(wall_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId::new(7);

    #[test]
    fn stamps_rise_though_the_wall_clock_falls() {
        let mut clock = Clock::new(NODE, Stamp::ZERO);
        let mut last = Stamp::ZERO;
        for wall in [10, 10, 12, 3, 0, 12, 13, u64::MAX, 0] {
            let stamp = clock.issue(wall);
            assert!(stamp > last, "{wall}: {stamp:?} after {last:?}");
            last = stamp;
        }
    }

    #[test]
    fn a_frozen_millisecond_is_carried() {
        let mut clock = Clock::new(NODE, Stamp::ZERO);
        let mut last = Stamp::ZERO;
        for _ in 0..200_000 {
            let stamp = clock.issue(1_000);
            assert!(stamp > last);
            last = stamp;
        }
        assert_eq!((last.millis(), last.counter()), (1_003, 3_391));
    }

    #[test]
    fn what_is_observed_is_below_what_comes() {
        let mut clock = Clock::new(NODE, Stamp::ZERO);
        let seen = Stamp::new(3, 500, 9, NodeId::new(u64::MAX));
        clock.observe(seen);
        assert!(clock.issue(10) > seen);
        assert_eq!(clock.epoch(), 3);
    }

    #[test]
    fn an_epoch_outranks_a_poisoned_clock() {
        let poison = Stamp::new(0, 2_000_000, 0, NODE);
        let mut clock = Clock::new(NODE, poison);
        assert_eq!(clock.ahead(poison, 1_000), 1_999_000);
        let stamp = clock.raise_epoch(1_000);
        assert!(stamp > poison);
        assert_eq!((stamp.epoch(), stamp.millis()), (1, 1_000));
        assert_eq!(clock.ahead(poison, 1_000), 0);
        assert_eq!(clock.ahead(Stamp::new(2, 900, 0, NODE), 1_000), 0);
        assert_eq!(clock.ahead(Stamp::new(3, 0, 0, NODE), 1_000), u64::MAX);
    }
}

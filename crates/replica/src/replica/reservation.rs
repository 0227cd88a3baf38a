//! The clock reservation: up to which stamp the clock may have gone, as the disk knows it. After a crash the clock continues above it.

use crate::message::Body;
use crate::{Mutant, NodeId, Now, Stamp};

use super::Replica;

impl Replica {
    /// No stamp above the clock reservation may be sent before the reservation is on the disk: after a crash the clock goes
    /// on above it, so that no stamp is issued twice.
    pub(super) fn reserve_clock(&mut self, stamp: Stamp, now: Now) {
        let timing = self.options.timing;
        let (reservation, ahead) =
            (self.durable.clock_reservation, now.wall_ms.saturating_add(timing.clock_reservation_ms));
        let is_low = reservation.epoch() != stamp.epoch()
            || reservation.millis() < stamp.millis().max(ahead.saturating_sub(timing.clock_reservation_ms / 3));
        if is_low {
            self.durable.clock_reservation =
                Stamp::new(stamp.epoch(), stamp.millis().max(ahead), u16::MAX, NodeId::new(u64::MAX));
            self.is_durable_state_new = true;
        }
    }

    /// While there are writes, the clock reservation is kept ahead of them, so that they need not wait for it. By a clock that is wrong
    /// nothing is written, and the reservation stays where it is: the next start begins there.
    pub(super) fn renew_clock_reservation(&mut self, now: Now) {
        let is_busy = self.timers.last_write_ms.is_some_and(|last| now.steady_ms.saturating_sub(last) < BUSY_MS);
        if is_busy && self.refusal(now).is_none() {
            let next = self.clock.next(now.wall_ms);
            if self.clock.ahead(next, now.wall_ms) == 0 {
                self.reserve_clock(next, now);
            }
        }
    }

    /// Pushes what was written, except what has to wait for the clock reservation.
    pub(super) fn push_new(&mut self) {
        for register in std::mem::take(&mut self.push) {
            let is_covered = register.stamp <= self.clock_reservation || self.has(Mutant::ClockReservationNotPersisted);
            if is_covered {
                let awaited = self.awaited(register.stamp);
                let message = self.message(Body::Push { registers: vec![register], awaited });
                self.output.broadcast.push(message);
            } else {
                self.unreserved.push_back((self.seq, register));
            }
        }
    }
}

/// For this long after a write, in milliseconds, another one is expected.
const BUSY_MS: u64 = 60_000;

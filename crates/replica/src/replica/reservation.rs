//! The clock reservation: a stamp on the disk above which the clock continues after a crash.
//!
//! Invariant: a register of this node that is in a message, or named as the winner in one, has a stamp up to the reservation that is
//! on the disk. Otherwise a crash could take the register from this node and leave it on others, and the clock could issue its stamp
//! again. A register above the reservation waits. Readers on this node have it already; other nodes get, in pushes, in anti-entropy and
//! in answers alike, what they would get if it had not been written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::message::Body;
use crate::{Mutant, NodeId, Now, Register, Stamp};

use super::Replica;

impl Replica {
    /// Raises the clock reservation, if `stamp` or what is written soon would lie above it.
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

    /// Whether the disk has reserved a stamp of this node's.
    pub(super) fn is_reserved(&self, stamp: Stamp) -> bool {
        stamp <= self.clock_reservation || self.has(Mutant::ClockReservationNotPersisted)
    }

    /// Up to this stamp the disk has reserved the clock: what waited for that is pushed.
    pub(super) fn note_reserved(&mut self, reservation: Stamp) {
        self.clock_reservation = reservation;
        self.push.extend(self.unreserved.release(reservation));
    }

    /// What other nodes may have of a register that is held here: itself, or while its stamp is not reserved the one that was active
    /// before it, if there was one. Every register that leaves this node goes through here, or is pushed after it was released.
    pub(super) fn shown<'r>(&'r self, register: &'r Register) -> Option<&'r Register> {
        if self.may_leave(register) { Some(register) } else { self.unreserved.before(&register.key) }
    }

    /// Whether other nodes may have a register.
    pub(super) fn may_leave(&self, register: &Register) -> bool {
        !self.unreserved.holds(register.stamp) || self.has(Mutant::AntiEntropyBeforeReservation)
    }

    /// The register of a key, as other nodes may have it.
    pub(super) fn shown_of(&self, key: &[u8]) -> Option<&Register> {
        self.table.get(key).and_then(|register| self.shown(register))
    }

    /// The registers in a range of key hashes, as other nodes may have them.
    pub(super) fn shown_within(&self, hashes: RangeInclusive<u64>) -> impl Iterator<Item = &Register> {
        self.table.visible_within(hashes).filter_map(|register| self.shown(register))
    }

    /// Pushes what was written, and may leave: the registers of each write in one message.
    pub(super) fn push_new(&mut self) {
        for registers in std::mem::take(&mut self.push) {
            let Some(last) = registers.last() else { continue };
            let awaited = self.awaited(last.stamp);
            for register in &registers {
                self.offer_to_store(register);
            }
            let message = self.message(Body::Push { registers, awaited });
            self.output.broadcast.push(message);
        }
    }
}

/// Registers of this node whose stamps lie above the clock reservation on the disk. No message may carry them: after a crash the
/// clock could issue their stamps again.
#[derive(Debug, Default)]
pub(super) struct Unreserved {
    /// The registers of each write, by the last of their stamps.
    writes: BTreeMap<Stamp, Vec<Register>>,
    /// By key, what other nodes may have instead.
    shown: BTreeMap<Arc<[u8]>, Shown>,
}

/// What other nodes may have under a key.
#[derive(Debug)]
struct Shown {
    /// The latest register of the key that waits.
    latest: Stamp,
    register: Option<Register>,
}

impl Unreserved {
    /// The registers of a write wait until all may leave; beside each, what other nodes may have until then.
    pub(super) fn hold(&mut self, write: Vec<(Register, Option<Register>)>) {
        let Some((last, _)) = write.last() else { return };
        let last = last.stamp;
        let hold = |(register, shown): (Register, Option<Register>)| {
            self.shown.insert(Arc::clone(&register.key), Shown { latest: register.stamp, register: shown });
            register
        };
        let registers = write.into_iter().map(hold).collect();
        self.writes.insert(last, registers);
    }

    /// How many registers wait.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.writes.values().map(Vec::len).sum()
    }

    fn holds(&self, stamp: Stamp) -> bool {
        let write = self.writes.range(stamp..).next();
        write.is_some_and(|(_, registers)| registers.binary_search_by_key(&stamp, |register| register.stamp).is_ok())
    }

    fn before(&self, key: &[u8]) -> Option<&Register> {
        self.shown.get(key).and_then(|shown| shown.register.as_ref())
    }

    /// A register of another node has lost against what is active here. If that waits, other nodes may have the one that has lost.
    pub(super) fn note_outranked(&mut self, register: &Register) {
        if let Some(shown) = self.shown.get_mut(&register.key) {
            shown.raise(register);
        }
    }

    /// The registers of the writes up to this stamp, which wait no longer.
    fn release(&mut self, reservation: Stamp) -> Vec<Vec<Register>> {
        let mut released = Vec::new();
        while let Some(first) = self.writes.first_entry().filter(|first| *first.key() <= reservation) {
            let registers = first.remove();
            for register in &registers {
                match self.shown.get_mut(&register.key) {
                    Some(shown) if shown.latest > register.stamp => shown.raise(register),
                    _ => _ = self.shown.remove(&register.key),
                }
            }
            released.push(registers);
        }
        released
    }
}

impl Shown {
    fn raise(&mut self, register: &Register) {
        if self.register.as_ref().is_none_or(|before| before.rank(register).is_lt()) {
            self.register = Some(register.clone());
        }
    }
}

/// For this long after a write, in milliseconds, another one is expected.
const BUSY_MS: u64 = 60_000;

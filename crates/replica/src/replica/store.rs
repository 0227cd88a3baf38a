//! A store that other processes share, and that is no node: registers go to it and come from it, and it acknowledges nothing here.
//!
//! What comes from it is merged as if its writer had sent it: the same limits, the same quarantine, the same gc floor. Only registers
//! of users and the repair of the clock are shared: members are those that have links to each other.

use crate::{Now, Register};

use super::{Replica, is_users};

/// Where registers come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Origin {
    /// This node, or another one.
    #[default]
    Node,
    /// The shared store.
    Store,
}

impl Replica {
    /// Merges registers from the store.
    pub(super) fn receive_from_store(&mut self, registers: Vec<Register>, now: Now) {
        let epoch = self.clock.epoch();
        self.origin = Origin::Store;
        for register in registers {
            let rank_stamp = register.rank_stamp();
            if !is_shared(&register) || !register.is_within_limits() {
                self.counters.malformed = self.counters.malformed.saturating_add(1);
            } else if self.table.visible(&register.key).is_none() && rank_stamp <= self.durable.enforced_gc_floor {
                self.counters.refused = self.counters.refused.saturating_add(1);
            } else if self.opens_epoch(&register, now) {
                self.clock.observe(register.stamp);
                self.accept(register, None, now);
            } else if self.is_of_later_epoch(&register) {
                self.counters.repairs_refused = self.counters.repairs_refused.saturating_add(1);
            } else if self.must_be_quarantined(&register, now) {
                let from = register.stamp.node();
                self.put_in_quarantine(register, from, now);
            } else {
                self.accept(register, None, now);
            }
        }
        self.origin = Origin::Node;
        if self.clock.epoch() > epoch {
            self.release_quarantine(now);
        }
    }

    /// The store may not have this one, which has become active here and may leave.
    pub(super) fn offer_to_store(&mut self, register: &Register) {
        if self.options.has_shared_store && self.origin != Origin::Store && is_shared(register) {
            self.output.to_store.push(register.clone());
        }
    }

    /// Everything that the shared store should have, the repair of the clock first.
    pub fn for_store(&self) -> Vec<Register> {
        let shown =
            self.table.iter().filter(|register| is_shared(register)).filter_map(|register| self.shown(register));
        let (mut repair, users): (Vec<Register>, Vec<Register>) = shown.cloned().partition(Register::is_repair);
        repair.extend(users);
        repair
    }
}

/// Whether a register is one that processes share through the store.
fn is_shared(register: &Register) -> bool {
    is_users(&register.key) || register.is_repair()
}

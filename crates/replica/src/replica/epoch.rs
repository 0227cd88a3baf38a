//! Epochs: how often the cluster's clock was repaired, and which repairs a node accepts.
//!
//! An epoch begins with one register, the repair, which an operator has a node write. Its value lists all repairs before it. A node
//! enters an epoch only by a repair whose list has every epoch from its own on, and whose time is not ahead. So a node that has missed
//! any number of repairs catches up with one register, and stamps of an epoch without a repair stay in quarantine, whichever node
//! sends them. A node relies on this chain, and on the carrier, which knows that the sender belongs to the cluster: such a node may
//! repair the clock as it may write any other register.
//!
//! A repair that is not accepted is not kept: it is no value for a person to decide about, and anti-entropy brings it again.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::codec::{Fields, Reader, Writer};
use crate::message::Body;
use crate::{Level, Mutant, NodeId, Now, Register, Stamp, WriteError, limits};

use super::write::Written;
use super::{OPERATOR_MS, Replica};

impl Replica {
    /// Starts a new epoch: its stamps are above all that there are.
    pub(super) fn raise_epoch(&mut self, request: u64, actor: Arc<str>, reason: Arc<str>, now: Now) {
        let epochs = self.clock.epoch();
        let error = if actor.len().max(reason.len()) > limits::TEXT_BYTES_MAX {
            Some(WriteError::Invalid { index: 0 })
        } else if epochs >= limits::EPOCHS_MAX {
            Some(WriteError::EpochsExhausted { epochs })
        } else {
            self.refusal_while_starting(now).or_else(|| self.refusal_except_poisoned(now))
        };
        if let Some(error) = error {
            return self.output.receipts.push((request, Err(error)));
        }
        let key: Arc<[u8]> = Arc::from(KEY);
        let value = Some(self.repairs_so_far());
        let stamp = self.clock.raise_epoch(now.wall_ms);
        let extra = Arc::default();
        self.install(vec![Written { key: Arc::clone(&key), stamp, value, actor, reason, extra }], now);
        let deadline_ms = now.steady_ms.saturating_add(OPERATOR_MS);
        self.expect_acks(request, vec![(key, stamp)], Level::Majority, deadline_ms, now);
    }

    /// Whether a register begins an epoch that this node is to enter.
    pub(super) fn opens_epoch(&self, register: &Register, now: Now) -> bool {
        let (here, there) = (self.clock.epoch(), register.stamp.epoch());
        if !self.is_of_later_epoch(register) || there > limits::EPOCHS_MAX {
            return false;
        }
        let is_ahead = register.stamp.millis().saturating_sub(now.wall_ms) > self.max_drift_ms;
        if self.has(Mutant::MissedRepairsShutOut) && there > here.saturating_add(1) {
            return false;
        }
        let known = repairs(register);
        !is_ahead && (here.saturating_add(1)..=there).all(|epoch| known.contains(&epoch))
    }

    /// Whether a register is a repair of an epoch that has not begun here.
    pub(super) fn is_of_later_epoch(&self, register: &Register) -> bool {
        *register.key == *KEY && register.stamp.epoch() > self.clock.epoch()
    }

    /// A peer lives in a later epoch than this node: how it began is what this node needs first.
    pub(super) fn ask_for_repairs(&mut self, from: NodeId) {
        let hash = self.table.hash(KEY);
        self.send(from, Body::RegistersRequest(vec![hash]));
    }

    /// The list for the next repair: all before it. This node lives in an epoch by good reason, even if it has lost how that began.
    pub(super) fn repairs_so_far(&self) -> Arc<[u8]> {
        let mut stamps = self.table.get(KEY).map(stamps_of).unwrap_or_default();
        let known: BTreeSet<u16> = stamps.iter().map(|stamp| stamp.epoch()).collect();
        let unknown = (1..=self.clock.epoch()).filter(|epoch| !known.contains(epoch));
        stamps.extend(unknown.map(|epoch| Stamp::new(epoch, 0, 0, self.options.node)));
        stamps.sort_unstable();
        stamps.dedup_by_key(|stamp| stamp.epoch());
        let mut list = Writer::default();
        for stamp in stamps {
            list.raw(&stamp.to_bytes());
        }
        let mut value = Writer::default();
        value.field(TAG_REPAIRS, list.as_bytes());
        value.into_bytes().into()
    }
}

/// The stamps of the repairs that a repair names, and its own.
fn stamps_of(register: &Register) -> Vec<Stamp> {
    let value = register.value.as_deref().unwrap_or_default();
    let mut stamps = vec![register.stamp];
    for field in Fields::new(value).flatten().filter(|field| field.tag == TAG_REPAIRS) {
        let mut reader = Reader::new(field.content);
        while let Ok(stamp) = reader.stamp() {
            stamps.push(stamp);
        }
    }
    stamps
}

pub(super) fn repairs(register: &Register) -> BTreeSet<u16> {
    stamps_of(register).into_iter().map(Stamp::epoch).collect()
}

/// The key of the repair.
pub(crate) const KEY: &[u8] = Register::REPAIR_KEY;

const TAG_REPAIRS: u8 = 1;

// The list of all repairs fits into one register.
const _: () = assert!((limits::EPOCHS_MAX as usize + 1) * Stamp::BYTES + 16 < limits::VALUE_BYTES_MAX);

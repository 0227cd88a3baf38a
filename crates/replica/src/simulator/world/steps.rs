//! The invariants that are checked at each step.

use std::sync::Arc;

use crate::message::{Body, Message};
use crate::{Level, Output, Receipt, Stamp, Timing, limits};

use super::{Requested, World};

impl World<'_> {
    /// Holds an output against what must hold at each step.
    pub(super) fn check(&mut self, index: usize, output: &Output) {
        let (id, place) = (self.nodes[index].id, self.place(index));
        let now = self.now(index);
        let is_early = self.now_ms < self.nodes[index].started_ms + Timing::default().learn_ms;
        let mut found = Ok(());
        let messages = output.broadcast.iter().chain(output.send.iter().map(|(_, bytes)| bytes));
        for bytes in messages.clone() {
            if bytes.len() > limits::MESSAGE_BYTES_MAX {
                found = found.and(Err(("I7", format!("{id} sent {} bytes at once", bytes.len()))));
            }
        }
        let bodies: Vec<Body> =
            messages.filter_map(|bytes| Message::decode(bytes).ok()).map(|read| read.0.body).collect();
        let own =
            output.persist.iter().flat_map(|batch| &batch.registers).filter(|register| register.stamp.node() == id);
        for register in own.filter(|register| !self.requests.is_empty() || register.key.first() == Some(&0)) {
            if bodies.iter().any(|body| is_push_of(body, register.stamp)) {
                found = found.and(self.ledger.issued(place, register, is_early));
            }
        }
        for register in output.persist.iter().flat_map(|batch| &batch.registers) {
            self.ledger.written(register);
        }
        for body in &bodies {
            found = found.and(self.check_body(index, body));
        }
        if let Some(replica) = &self.nodes[index].replica {
            for key in &output.changed {
                let register = replica.get(key);
                found = found.and(self.ledger.changed(place, key, register));
                let is_ahead = register.is_some_and(|register| {
                    let stamp = register.stamp;
                    let is_early = stamp.epoch() > self.epochs || stamp.millis() > now.wall_ms + DRIFT_MS;
                    stamp.node() != id && is_early
                });
                if is_ahead {
                    found = found.and(Err(("I8", format!("{id} took a stamp from the future"))));
                }
            }
        }
        self.judge(found);
    }

    /// What a node says of registers: it acknowledges what it has, and no other node gets one of its stamps before the clock reservation.
    fn check_body(&mut self, index: usize, body: &Body) -> Result<(), (&'static str, String)> {
        match body {
            Body::Ack(stamps) => stamps.iter().try_for_each(|stamp| self.check_ack(index, *stamp)),
            Body::Outranked(losses) => losses.iter().try_for_each(|loss| self.check_reserved(index, loss.by)),
            Body::Push { registers, .. } | Body::Repair(registers) | Body::SnapshotChunk { registers, .. } => {
                let place = self.place(index);
                registers.iter().try_for_each(|register| {
                    self.check_reserved(index, register.stamp)?;
                    self.ledger.visible(place, register)
                })
            }
            _ => Ok(()),
        }
    }

    /// A node shows a stamp of its own to others: its clock reservation on the disk is not below, or others have seen the stamp before.
    fn check_reserved(&self, index: usize, stamp: Stamp) -> Result<(), (&'static str, String)> {
        let node = &self.nodes[index];
        let is_reserved = stamp.node() != node.id || stamp <= node.disk.clock_reservation();
        if is_reserved || self.ledger.is_visible(stamp) {
            return Ok(());
        }
        Err(("I4", format!("{} sent {stamp}, and its disk has not reserved it", node.id)))
    }

    /// What a node acknowledges is on its disk, and active.
    fn check_ack(&self, index: usize, stamp: Stamp) -> Result<(), (&'static str, String)> {
        let mut keys = self.ledger.keys_of(stamp).peekable();
        if keys.peek().is_none() {
            return Ok(());
        }
        let node = &self.nodes[index];
        let Some(key) = keys.find(|key| node.disk.has(key, stamp)) else {
            return Err(("I2", format!("{} acknowledged {stamp}, which is not on its disk", node.id)));
        };
        let standing = node.replica.as_ref().map(|replica| (replica.get(key), replica.quarantined(key)));
        match standing {
            Some((Some(active), waiting)) => {
                let is_outranked = waiting.is_some_and(|waiting| waiting.rank(active).is_gt());
                let is_active = active.stamp == stamp && !is_outranked;
                let what = || format!("{} acknowledged {stamp}, which does not count there", node.id);
                if is_active { Ok(()) } else { Err(("I11", what())) }
            }
            _ => Ok(()),
        }
    }

    /// A level is reached by what is active on the node that says so, and by more nodes than one.
    pub(super) fn check_reached(
        &self,
        index: usize,
        key: &[u8],
        stamp: Stamp,
        receipt: &Receipt,
    ) -> Result<(), (&'static str, String)> {
        let node = &self.nodes[index];
        let Some(replica) = &node.replica else { return Ok(()) };
        if receipt.durable_on.contains(&node.id) {
            self.check_ack(index, stamp)?;
        }
        if replica.get(key).is_none_or(|active| active.stamp != stamp) || !receipt.outranked.is_empty() {
            return Err(("I11", format!("{} says of {stamp} that it was reached, and it had lost", node.id)));
        }
        let is_alone = self.setup.nodes > 1 && replica.members().all(|member| member.node == node.id);
        if receipt.level != Level::Local && is_alone {
            return Err(("I2", format!("{} reached {} alone, and expects others", node.id, receipt.level)));
        }
        Ok(())
    }

    /// A write of several registers was made, or refused, or waits: all of them are active, or none is. What was made is remembered, to be
    /// looked for on the disk after each restart.
    pub(super) fn note_change_set(
        &mut self,
        index: usize,
        requested: &[Requested],
    ) -> Result<(), (&'static str, String)> {
        let place = self.place(index);
        let Some(replica) = &self.nodes[index].replica else { return Ok(()) };
        let written = |requested: &Requested| {
            let stamp = replica.get(&requested.key)?.stamp;
            (stamp.node() == place.node && Some(stamp) > requested.before).then(|| (Arc::clone(&requested.key), stamp))
        };
        let written: Vec<_> = requested.iter().filter_map(written).collect();
        if !written.is_empty() && written.len() < requested.len() {
            let (all, count) = (requested.len(), written.len());
            return Err(("I13", format!("{} has made {count} of the {all} changes of a write", place.node)));
        }
        if written.len() > 1 {
            self.ledger.wrote_together(place, written);
        }
        Ok(())
    }

    /// Nothing that waits or is remembered grows beyond its bound.
    pub(super) fn check_bounds(&mut self, index: usize) {
        let now = self.now(index);
        let node = &self.nodes[index];
        let Some(replica) = &node.replica else { return };
        let status = replica.status(now);
        let counts = [
            ("waiting writes", replica.waiting(), limits::PENDING_MAX),
            ("quarantined registers", status.quarantined, limits::QUARANTINE_MAX),
            ("peers", status.peers.len(), limits::NODES_MAX),
        ];
        let id = node.id;
        let is_overfull = node.disk.is_overfull();
        for (what, count, most) in counts.into_iter().filter(|(_, count, most)| count > most) {
            self.judge(Err(("I7", format!("{id} has {count} {what}, and at most {most} are allowed"))));
        }
        if is_overfull {
            self.judge(Err(("I7", format!("{id} goes on though its disk is full"))));
        }
    }
}

fn is_push_of(body: &Body, stamp: Stamp) -> bool {
    matches!(body, Body::Push { registers, .. } if registers.iter().any(|register| register.stamp == stamp))
}

/// The drift that is allowed by default.
const DRIFT_MS: u64 = 5_000;

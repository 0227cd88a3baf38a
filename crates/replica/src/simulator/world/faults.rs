//! The faults, as they happen.

use std::sync::Arc;

use super::{Disk, Event, Fault, World};
use crate::message::{Awaited, Body, Message};
use crate::random::Random;
use crate::replica::epoch;
use crate::{Input, NodeId, Quarantined, Register, Resolution, Stamp, limits};

impl World<'_> {
    pub(super) fn fault(&mut self) {
        (0..self.setup.nodes).for_each(|index| self.check_bounds(index));
        let pause = 1 + self.random.below(self.plan.fault_ms * 2);
        self.after(pause, Event::Fault);
        let node = self.random.index(self.setup.nodes);
        let lasting = 500 + self.random.below(30_000);
        let fault = Fault::ALL[self.random.index(Fault::ALL.len())];
        if !self.plan.has(fault) {
            return;
        }
        self.log_step(node, &format!("fault {fault}"), None);
        match fault {
            Fault::Partition | Fault::OneWay => {
                self.part(fault == Fault::OneWay);
                self.after(lasting, Event::Heal);
            }
            Fault::Crash => {
                let stop = self.stop_while_writing(&[node]);
                let lasting = if self.random.below(2) == 0 { 1 } else { lasting };
                self.after(stop + lasting, Event::Start { node });
            }
            Fault::Blackout => {
                let all: Vec<usize> = (0..self.setup.nodes).collect();
                let stop = self.stop_while_writing(&all);
                let most = if self.random.below(2) == 0 { 50 } else { 3_000 };
                for node in all {
                    let delay = 1 + self.random.below(most);
                    self.after(stop + delay, Event::Start { node });
                    self.after(stop + delay + 50, Event::WriteOn { node });
                }
            }
            Fault::FailingSync => {
                self.nodes[node].has_failed = true;
                self.nodes[node].disk.fail();
                self.handle(node, Input::PersistFailed { message: "input/output error".to_owned() });
            }
            Fault::Damage => {
                self.crash(node, false);
                if self.nodes[node].disk.damage(&mut self.random) {
                    self.ledger.lost_rows(self.place(node), self.now_ms);
                }
                self.after(lasting, Event::Start { node });
            }
            Fault::Jump => {
                let by = [-3_600_000, -10_000, 10_000, 3_600_000, 315_360_000_000];
                self.nodes[node].offset_ms = by[self.random.index(by.len())];
                self.after(lasting, Event::CorrectClock { node });
            }
            Fault::Forget => {
                let by = (node + 1) % self.setup.nodes;
                let members = self.nodes[by].replica.as_ref().map_or(0, |replica| {
                    replica.status(self.now(by)).members.iter().filter(|member| !member.is_forgotten).count()
                });
                // An operator who forgets every member has no cluster any more.
                if members <= self.setup.nodes / 2 + 1 {
                    return;
                }
                self.crash(node, false);
                self.ledger.forgot(self.place(node));
                let (forgotten, reason) = (self.nodes[node].id, Arc::default());
                self.handle(by, Input::Forget { request: 0, node: forgotten, actor: Arc::from("dana"), reason });
                self.after(lasting + 20_000, Event::Start { node });
            }
            Fault::FullDisk => self.nodes[node].full_until_ms = self.now_ms + lasting,
            Fault::Restore => {
                let disk = self.nodes[node].disk.copy();
                let behind_ms = self.random.below(2) * self.random.below(lasting.min(BEHIND_MS));
                self.after(lasting, Event::PutBack { node, disk, behind_ms });
            }
            Fault::Copy => self.copy(node, lasting),
            Fault::Repair => {
                // What a repair must not release is in quarantine.
                if self.plan.has(Fault::Forge) && self.random.below(2) == 0 {
                    self.forge(node);
                }
                for _ in 0..=self.random.below(3) {
                    let by = self.random.index(self.setup.nodes);
                    self.repair_clock(by);
                    self.resolve(node);
                }
            }
            Fault::Forge => self.forge(node),
            Fault::Loss | Fault::Delay | Fault::Duplication | Fault::Skew => {}
        }
    }

    /// A node stops, and goes on with what its disk was some time ago.
    pub(super) fn put_back(&mut self, node: usize, disk: Disk, behind_ms: u64) {
        if self.copied_ms.is_some() {
            return;
        }
        self.crash(node, false);
        let members = disk.members();
        self.nodes[node].disk = disk;
        self.ledger.put_back(self.place(node), members, self.now_ms);
        self.start(node);
        if behind_ms > 0 {
            // A machine that was restored as a whole starts with the clock of then.
            self.nodes[node].offset_ms -= behind_ms.cast_signed();
            let soon = 1 + self.random.below(BEHIND_MS);
            self.after(soon, Event::CorrectClock { node });
        }
        self.write(node);
        for delay in [3, 300, 700] {
            self.after(delay, Event::WriteOn { node });
        }
    }

    /// A disk is copied, and a second process runs on the copy.
    fn copy(&mut self, node: usize, lasting: u64) {
        if self.copied_ms.is_some() || self.nodes[node].replica.is_none() {
            return;
        }
        let copy = self.setup.nodes;
        self.copied_ms = Some(self.now_ms);
        self.ledger.copied(self.place(node), copy);
        let (id, disk) = (self.nodes[node].id, self.nodes[node].disk.copy());
        let place = &mut self.nodes[copy];
        (place.id, place.disk, place.full_until_ms, place.offset_ms) = (id, disk, 0, 0);
        self.start(copy);
        self.after(lasting, Event::EndCopy);
    }

    /// An operator stops one of two processes; chance decides whose folder is kept.
    pub(super) fn end_copy(&mut self) {
        let Some(copied_ms) = self.copied_ms else { return };
        let copy = self.setup.nodes;
        let Some(node) = (0..copy).find(|node| self.nodes[*node].id == self.nodes[copy].id) else { return };
        let is_linked = !self.network.is_cut(node, copy) && !self.network.is_cut(copy, node);
        let since = [copied_ms, self.linked_ms, self.nodes[node].started_ms, self.nodes[copy].started_ms];
        let both_ms = self.now_ms - since.into_iter().max().unwrap_or_default();
        let is_certain = is_linked && self.plan.loss == 0 && both_ms > DUPLICATE_NOTICED_MS;
        for index in [node, copy] {
            let is_running = self.nodes[node].replica.is_some() && self.nodes[copy].replica.is_some();
            let is_deaf = self.nodes[index].heard_duplicate_ms.is_none() && self.nodes[index].disk.has_room();
            if is_certain && is_running && is_deaf {
                let id = self.nodes[node].id;
                self.judge(Err(("I4", format!("two processes of {id} never detected each other"))));
            }
        }
        self.crash(copy, false);
        self.copied_ms = None;
        if self.random.below(2) == 0 {
            self.crash(node, false);
            self.nodes[node].disk = self.nodes[copy].disk.copy();
            self.after(1, Event::Start { node });
        }
        self.ledger.end_copy(self.place(node), self.now_ms);
        self.nodes[copy].disk = Disk::default();
    }

    /// An operator repairs the cluster's clock, on this node.
    pub(super) fn repair_clock(&mut self, index: usize) {
        let now = self.now(index);
        let Some(replica) = &mut self.nodes[index].replica else { return };
        let before = replica.status(now).epoch;
        let request = Input::RaiseEpoch { request: 0, actor: Arc::from("dana"), reason: Arc::default() };
        let output = replica.handle(request, now);
        let after = replica.status(now).epoch;
        self.epochs = self.epochs.max(after);
        if after > before && !output.changed.is_empty() {
            self.judge(Err(("I8", "a repair of the clock has changed values".to_owned())));
        }
        self.perform(index, output);
    }

    /// A member sends a register of an epoch that no operator has opened, or of the next minute.
    fn forge(&mut self, node: usize) {
        let now = self.now(node);
        let Some(here) = self.nodes[node].replica.as_ref().map(|replica| replica.status(now).epoch) else { return };
        let from = (node + 1 + self.random.index(self.setup.nodes - 1)) % self.setup.nodes;
        let epochs = [here, here, here, self.epochs.saturating_add(FORGED_AHEAD), limits::EPOCHS_MAX, u16::MAX];
        let epoch = epochs[self.random.index(epochs.len())];
        let ahead_ms = if epoch == here { 6_000 + self.random.below(54_000) } else { 0 };
        let stamp = Stamp::new(epoch, now.wall_ms + ahead_ms, 0, NodeId::new(FORGER));
        let register = |key: &[u8]| Register {
            key: key.into(),
            stamp,
            value: Some(Arc::from(b"forged".as_slice())),
            replaces: None,
            supersedes: None,
            actor: Arc::default(),
            reason: Arc::default(),
            extra: Arc::default(),
        };
        let key = format!("k{}", self.random.below(self.plan.keys));
        let mut registers = vec![register(key.as_bytes())];
        if epoch == here {
            // Somebody is going to write it soon.
            let soon = 1 + self.random.below(ahead_ms - 5_500);
            self.after(soon, Event::WriteKey { node, key: key.into_bytes().into() });
        } else {
            registers.push(register(epoch::KEY));
        }
        let body = match self.random.below(3) {
            0 => Body::Push { registers, awaited: Awaited::Everybody },
            1 => Body::Repair(registers),
            _ => Body::Ack(vec![stamp]),
        };
        let bytes = Message { instance: self.instance(from), gc_floor: Stamp::ZERO, body }.encode();
        let from = self.nodes[from].id;
        self.handle(node, Input::Message { from, bytes });
    }

    pub(super) fn first_quarantined(&self, index: usize) -> Option<Quarantined> {
        self.nodes[index].replica.as_ref()?.quarantine().next()
    }

    /// An operator accepts or drops the first register in quarantine on this node.
    pub(super) fn resolve(&mut self, index: usize) {
        let Some(Quarantined { key, stamp, .. }) = self.first_quarantined(index) else { return };
        let is_accepted = key.first() != Some(&0) && self.random.below(2) == 0;
        let resolution = if is_accepted { Resolution::Accept } else { Resolution::Drop };
        let (actor, reason) = (Arc::from("dana"), Arc::default());
        self.handle(index, Input::Resolve { request: 0, key, stamp, resolution, actor, reason });
    }

    /// Nodes stop in the middle of their work; how soon.
    fn stop_while_writing(&mut self, nodes: &[usize]) -> u64 {
        let stop = 1 + self.random.below(60);
        let is_power_cut = self.random.below(2) == 0;
        for &node in nodes {
            self.write(node);
            if self.plan.has_change_sets {
                self.write_change_set(node);
            }
            self.after(stop, Event::Stop { node, is_power_cut });
        }
        stop
    }

    pub(super) fn part(&mut self, is_one_way: bool) {
        self.linked_ms = self.now_ms;
        self.network.part(is_one_way, &mut self.random);
        self.log_network(if is_one_way { "one-way partition" } else { "partition" });
        let noticed = self.random.below(3);
        self.tell_links(false, noticed);
    }

    /// The last partition: every carrier notices it, and none reports its end.
    pub(super) fn part_for_good(&mut self) {
        self.linked_ms = self.now_ms;
        self.network.part(false, &mut self.random);
        self.log_network("last partition");
        self.tell_links(false, 2);
    }

    /// Some clusters are parted from their start on, for longer than it takes tombstones to be collected: the nodes on one side know
    /// nothing of those on the other.
    pub(super) fn part_at_birth(&mut self) {
        // Numbers of its own, so that all other runs stay what they were.
        let mut random = Random::new(self.setup.seed ^ BIRTH);
        if random.below(8) == 0 && self.plan.has(Fault::Partition) {
            self.network.part(false, &mut random);
            self.log_network("partition from the start on");
            let first = BIRTH_PARTED_MS + random.below(BIRTH_PARTED_MS);
            self.after(first, Event::Heal);
        }
    }

    /// What the carrier notices of links that come and go: nothing at all, about half, or everything.
    fn tell_links(&mut self, is_up: bool, noticed: u64) {
        for node in 0..self.setup.nodes + usize::from(self.copied_ms.is_some()) {
            for peer in self.running(node).collect::<Vec<_>>() {
                let is_noticed = noticed == 2 || (noticed == 1 && self.random.below(2) == 0);
                if is_noticed && (is_up || self.network.is_cut(peer, node)) {
                    let delay = 1 + self.random.below(5_000);
                    self.after(delay, if is_up { Event::Up { node, peer } } else { Event::Down { node, peer } });
                }
            }
        }
    }

    pub(super) fn heal(&mut self) {
        self.linked_ms = self.now_ms;
        self.network.heal();
        self.log_network("heal");
        let noticed = self.random.below(3);
        self.tell_links(true, noticed);
    }
}

/// How many epochs a forged one is ahead: more than a run opens.
const FORGED_AHEAD: u16 = 1_000;

/// Seeds what is drawn of the first seconds.
const BIRTH: u64 = 0x6269_7274_6800;

/// A cluster that is parted from its start on is so for at least so long, in milliseconds: more than the age at which tombstones
/// are collected.
const BIRTH_PARTED_MS: u64 = 30_000;

/// The node that a forged stamp names; there is none.
const FORGER: u64 = 0xf0f0;

/// The most that a restored clock is behind, in milliseconds: less than what makes a node refuse writes.
const BEHIND_MS: u64 = 4_500;

/// Two processes of one node detect each other within this time after both run and are connected, in milliseconds.
const DUPLICATE_NOTICED_MS: u64 = 8_000;

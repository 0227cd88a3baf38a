//! The end of a run: all faults heal, and all nodes must agree and be at rest.

use std::sync::Arc;

use super::{Event, Node, REST_MS, World};
use crate::{Replica, WriteError};

impl World<'_> {
    /// The end of all faults: the network is whole, nodes run, clocks are right, the operator has repaired the cluster's.
    pub(super) fn heal_all(&mut self) {
        self.is_healed = true;
        let is_over = |event: &Event| {
            matches!(
                event,
                Event::Write
                    | Event::WriteOn { .. }
                    | Event::WriteKey { .. }
                    | Event::Fault
                    | Event::Stop { .. }
                    | Event::PutBack { .. }
            )
        };
        self.events.retain(|_, event| !is_over(event));
        self.end_copy();
        self.plan.loss = 0;
        self.network.heal();
        for index in 0..self.setup.nodes {
            self.nodes[index].offset_ms = 0;
            self.nodes[index].full_until_ms = 0;
            self.sync(index);
            if self.nodes[index].has_failed {
                self.crash(index, false);
            }
            self.start(index);
        }
        self.run_until(self.now_ms + 30_000);
        let is_poisoned = |world: &Self, index: usize| {
            let status = world.nodes[index].replica.as_ref().map(|replica| replica.status(world.now(index)));
            status.is_some_and(|status| matches!(status.writes_refused, Some(WriteError::ClockPoisoned { .. })))
        };
        // On the node in the latest epoch: it may have been repaired by a clock that was wrong, and all others refused it.
        let epoch = |world: &Self, index: usize| {
            world.nodes[index].replica.as_ref().map_or(0, |replica| replica.status(world.now(index)).epoch)
        };
        for _ in 0..REPAIRS_MAX {
            let latest = (0..self.setup.nodes).max_by_key(|index| epoch(self, *index)).unwrap_or_default();
            if (0..self.setup.nodes).any(|index| is_poisoned(self, index)) {
                self.repair_clock(latest);
                self.run_until(self.now_ms + 10_000);
            }
        }
        let epochs: Vec<u16> = self.replicas().map(|replica| replica.status(self.now(0)).epoch).collect();
        if epochs.iter().any(|epoch| *epoch != epochs[0]) {
            let refused: Vec<_> = self.replicas().map(|replica| replica.status(self.now(0)).writes_refused).collect();
            self.judge(Err(("I1", format!("nodes live in different epochs: {epochs:?}, and refuse {refused:?}"))));
        }
        // What is in quarantine stays there until somebody decides. A node may show the next one only when one is gone.
        for _ in 0..RESOLUTIONS_MAX {
            let Some(index) = (0..self.setup.nodes).find(|index| self.first_quarantined(*index).is_some()) else {
                return;
            };
            self.resolve(index);
            self.run_until(self.now_ms + 3_000);
        }
    }

    pub(super) fn converge(&mut self) {
        let deadline = self.now_ms + CONVERGENCE_MS;
        while self.outcome.violation.is_none() && !self.is_equal() {
            if self.now_ms >= deadline {
                return self.judge(Err(("I1", self.difference())));
            }
            self.run_until(self.now_ms + 1_000);
        }
        let nodes = self.nodes.iter();
        let lost = nodes.filter_map(|node| Some((node.replica.as_ref()?, node.id)));
        let broken = |(replica, id)| self.ledger.lost(replica, id).or_else(|| self.ledger.undone(replica, id));
        let lost = lost.map(broken).find(Option::is_some).flatten();
        self.judge(lost.map_or(Ok(()), Err));
    }

    /// The first key of which nodes hold different registers, and which.
    fn difference(&self) -> String {
        let roots: Vec<String> = self.replicas().map(|replica| format!("{:016x}", replica.root())).collect();
        let mut keys: Vec<_> =
            self.replicas().flat_map(Replica::all).map(|register| Arc::clone(&register.key)).collect();
        keys.sort_unstable();
        let held = |key: &[u8]| -> Vec<String> {
            let shown = |replica: &Replica| {
                let active = replica.get(key).map_or_else(|| "nothing".to_owned(), |register| format!("{register:?}"));
                format!("{active}{}", if replica.quarantined(key).is_some() { " (and quarantine)" } else { "" })
            };
            self.replicas().map(shown).collect()
        };
        let differs = |key: &&Arc<[u8]>| held(key).windows(2).any(|pair| pair[0] != pair[1]);
        let first = keys
            .iter()
            .find(differs)
            .map(|key| format!("{:?}: {}", String::from_utf8_lossy(key), held(key).join("; ")));
        format!("nodes still differ: {}; first at {}", roots.join(" "), first.unwrap_or_default())
    }

    fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes.iter().filter_map(|node| node.replica.as_ref())
    }

    /// Whether all nodes hold the same, register by register, and say so by their roots.
    fn is_equal(&self) -> bool {
        let mut replicas = self.replicas();
        let Some(first) = replicas.next() else { return true };
        replicas.all(|replica| replica.root() == first.root() && replica.iter().eq(first.iter()))
    }

    /// Nothing happens any more: counts the messages that are sent all the same.
    pub(super) fn rest(&mut self) {
        // Tombstones are collected and told of meanwhile.
        self.run_until(self.now_ms + REST_MS * 2);
        self.nodes.iter_mut().for_each(|node| node.sent = (0, 0));
        self.run_until(self.now_ms + REST_MS);
        let sum = |of: fn(&Node) -> u64| self.nodes.iter().map(of).sum::<u64>();
        self.outcome.at_rest = (sum(|node| node.sent.0), sum(|node| node.sent.1));
        let most = self.outcome.at_rest.0 / self.setup.nodes as u64;
        if most > REST_MESSAGES * REST_MS / 1_000 {
            self.judge(Err(("I9", format!("{most} messages a node in {} s of rest", REST_MS / 1_000))));
        }
        // A floor may just be on its way round, and nothing may have gone with it.
        self.converge();
    }
}

/// The most repairs of the clock at the end.
const REPAIRS_MAX: usize = 4;

/// The most decisions about quarantined registers at the end: enough for every key.
const RESOLUTIONS_MAX: usize = 2_000;

/// All nodes must hold the same this long after everything has healed, in milliseconds.
const CONVERGENCE_MS: u64 = 120_000;

/// The most messages that a node may send in a second of rest: a request, a reply, and now and then a hello.
const REST_MESSAGES: u64 = 3;

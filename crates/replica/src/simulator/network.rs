//! A network that partitions, loses, duplicates and delays messages.

use super::plan::Plan;
use crate::random::Random;

/// Which messages are cut.
#[derive(Clone, Debug)]
pub(super) struct Network {
    nodes: usize,
    /// Whether what one says does not come to another.
    cut: Vec<bool>,
}

impl Network {
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes, cut: vec![false; nodes * nodes] }
    }

    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.get(from * self.nodes + to).copied().unwrap_or(false)
    }

    /// No node receives anything from another one.
    pub(super) fn isolate(&mut self) {
        self.cut.fill(true);
    }

    pub(super) fn heal(&mut self) {
        self.cut.fill(false);
    }

    /// Two groups: the first does not hear the second and, unless it is one-way, the other way round.
    pub(super) fn part(&mut self, is_one_way: bool, random: &mut Random) {
        let sides: Vec<bool> = (0..self.nodes).map(|_| random.below(2) == 0).collect();
        for (from, is_first) in sides.iter().enumerate() {
            for (to, is_other_first) in sides.iter().enumerate() {
                let is_across = is_first != is_other_first && (!is_one_way || *is_first);
                if let Some(cut) = self.cut.get_mut(from * self.nodes + to) {
                    *cut = is_across;
                }
            }
        }
    }

    /// The delays after which a message comes: none, one, or two of them.
    pub(super) fn ways(plan: &Plan, random: &mut Random) -> [Option<u64>; 2] {
        if random.below(1_000) < plan.loss {
            return [None, None];
        }
        // Most messages are fast, a few are slow.
        let mut way = || {
            let most = if random.below(8) == 0 { plan.delay_ms } else { 5.min(plan.delay_ms) };
            1 + random.below(most)
        };
        let first = way();
        let second = way();
        let is_twice = random.below(1_000) < plan.duplication;
        [Some(first), is_twice.then_some(second)]
    }
}

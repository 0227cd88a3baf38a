//! A Merkle tree over all registers: two nodes find in a few steps where they differ.
//!
//! Keys are spread by their hash over 16^4 leaves. Each node of the tree is the XOR of the hashes of all entries below it, so a
//! change costs the same however many entries there are. Equal roots mean equal contents, except for a chance of one in 2^64.

use std::collections::BTreeMap;

/// A place in the tree: the first `depth` hexadecimal digits of a key's hash.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Branch {
    pub(crate) depth: u8,
    pub(crate) digits: u16,
}

impl Branch {
    /// Everything.
    pub(crate) const ROOT: Self = Self { depth: 0, digits: 0 };

    fn above(hash: u64, depth: u8) -> Self {
        let [first, second, ..] = hash.to_be_bytes();
        let unused = 16_u32.saturating_sub(u32::from(depth) * 4);
        Self { depth, digits: u16::from_be_bytes([first, second]).checked_shr(unused).unwrap_or(0) }
    }

    pub(crate) fn is_leaf(self) -> bool {
        self.depth >= DEPTH
    }

    /// Whether there is such a branch.
    pub(crate) fn is_sound(self) -> bool {
        self.depth <= DEPTH && u64::from(self.digits) >> (u32::from(self.depth) * 4) == 0
    }

    /// The branch below it with this digit.
    pub(crate) fn child(self, digit: usize) -> Self {
        let [low, ..] = digit.to_le_bytes();
        Self { depth: self.depth.saturating_add(1), digits: (self.digits << 4) | u16::from(low & 0xf) }
    }

    /// The hashes of the keys below it.
    pub(crate) fn hashes(self) -> std::ops::RangeInclusive<u64> {
        if self.depth == 0 {
            return 0..=u64::MAX;
        }
        let shift = 64 - u32::from(self.depth) * 4;
        let first = u64::from(self.digits) << shift;
        first..=first | ((1 << shift) - 1)
    }
}

/// A Merkle tree.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct MerkleTree {
    root: u64,
    /// The branches that are not 0, for each depth below the root.
    levels: [BTreeMap<u16, u64>; DEPTH as usize],
}

impl MerkleTree {
    pub(crate) fn root(&self) -> u64 {
        self.root
    }

    /// Adds an entry, or removes it: both are the same operation.
    pub(crate) fn toggle(&mut self, hash: u64, entry: u64) {
        self.root ^= entry;
        for (depth, level) in (1..).zip(&mut self.levels) {
            let digits = Branch::above(hash, depth).digits;
            let number = level.entry(digits).or_default();
            *number ^= entry;
            if *number == 0 {
                level.remove(&digits);
            }
        }
    }

    /// The numbers of the 16 branches below one that is no leaf.
    pub(crate) fn children(&self, branch: Branch) -> [u64; 16] {
        let mut children = [0; 16];
        if let Some(level) = self.levels.get(usize::from(branch.depth)) {
            let first = branch.child(0).digits;
            for (digits, number) in level.range(first..=first | 0xf) {
                if let Some(child) = children.get_mut(usize::from(digits & 0xf)) {
                    *child = *number;
                }
            }
        }
        children
    }
}

/// How often the tree branches: 65,536 leaves, so that 100,000 keys lie one or two to a leaf.
pub(crate) const DEPTH: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_the_sum_of_the_one_below() {
        let mut tree = MerkleTree::default();
        let entries = [(0_u64, 1), (u64::MAX, 2), (0x1234_5678_9abc_def0, 4), (0x1234_5000_0000_0000, 8)];
        for (hash, entry) in entries {
            tree.toggle(hash, entry);
        }
        assert_eq!(tree.root(), 15);
        let top = tree.children(Branch::ROOT);
        assert_eq!((top[0], top[1], top[15]), (1, 12, 2));
        let branch = Branch::ROOT.child(1).child(2).child(3);
        assert_eq!(tree.children(branch)[4], 4 ^ 8);
        assert!(branch.child(4).is_leaf() && branch.child(4) == Branch::above(0x1234_5678_9abc_def0, DEPTH));
        for (hash, entry) in entries {
            tree.toggle(hash, entry);
        }
        assert_eq!(tree, MerkleTree::default());
    }

    #[test]
    fn branches_hold_their_hashes() {
        assert_eq!(Branch::ROOT.hashes(), 0..=u64::MAX);
        assert_eq!(Branch::ROOT.child(15).hashes(), 0xf << 60..=u64::MAX);
        assert!(Branch::above(0xabcd << 48, DEPTH).hashes().contains(&(0xabcd << 48 | 0x4d)));
        assert!(!Branch { depth: 1, digits: 16 }.is_sound() && !Branch { depth: 5, digits: 0 }.is_sound());
        assert!(Branch { depth: 4, digits: u16::MAX }.is_sound());
    }
}

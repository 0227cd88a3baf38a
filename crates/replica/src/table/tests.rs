use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Few keys, stamps and values, so that registers meet: two contents under one stamp too, of which some rank below a
/// tombstone and some above it, and stamps that others supersede.
fn registers() -> impl Strategy<Value = Vec<Register>> {
    let superseded = proptest::option::weighted(0.3, 0..6_u64);
    let register = (0..4_u8, 0..2_u16, 0..4_u64, 0..2_u64, superseded, proptest::option::of(0..9_u8)).prop_map(
        |(key, epoch, millis, node, superseded, value)| Register {
            key: [b'k', key].as_slice().into(),
            stamp: Stamp::new(epoch, millis, 0, NodeId::new(node)),
            value: value.map(|value| [value].as_slice().into()),
            replaces: None,
            supersedes: superseded.map(|millis| Stamp::new(epoch, millis, 0, NodeId::new(7))),
            actor: "".into(),
            reason: "".into(),
            extra: [].into(),
        },
    );
    vec(register, 0..24)
}

fn merged<'r>(registers: impl IntoIterator<Item = &'r Register>) -> Table {
    let mut table = Table::new("tests");
    for register in registers {
        table.merge(register.clone(), false);
    }
    table
}

fn same(one: &Table, other: &Table) {
    assert!(one.iter().eq(other.iter()), "{one:?}\n{other:?}");
    assert_eq!(one.tree(), other.tree());
    assert_eq!(one.tombstones().count(), one.iter().filter(|register| register.is_tombstone()).count());
}

#[test]
fn values_rank_on_both_sides_of_a_tombstone() {
    let of = |value: Option<u8>| Register {
        key: b"k".as_slice().into(),
        stamp: Stamp::new(0, 1, 0, NodeId::new(1)),
        value: value.map(|value| [value].as_slice().into()),
        replaces: None,
        supersedes: None,
        actor: "".into(),
        reason: "".into(),
        extra: [].into(),
    };
    let tombstone = of(None);
    let (above, below): (Vec<u8>, Vec<u8>) = (0..9).partition(|value| of(Some(*value)).rank(&tombstone).is_gt());
    assert!(!above.is_empty() && !below.is_empty(), "the properties below reach neither side otherwise");
    let table = merged(&[tombstone.clone(), of(Some(above[0]))]);
    assert_eq!(table.tombstone_count(), 0);
    let table = merged(&[of(Some(below[0])), tombstone]);
    assert_eq!(table.tombstone_count(), 1);
}

#[test]
fn a_table_counts_its_registers_and_remembers_the_greatest_stamp_of_each_node() {
    let of = |key: &[u8], millis: u64, node: u64| Register {
        key: key.into(),
        stamp: Stamp::new(0, millis, 0, NodeId::new(node)),
        value: None,
        replaces: None,
        supersedes: None,
        actor: "".into(),
        reason: "".into(),
        extra: [].into(),
    };
    let mut table = merged(&[of(b"a", 5, 1), of(b"b", 9, 1), of(b"a", 3, 1), of(b"c", 7, 2)]);
    assert_eq!(table.visible_count(), 3);
    let greatest = |table: &Table| [1, 2, 3].map(|node| table.greatest_of(NodeId::new(node)).millis());
    assert_eq!(greatest(&table), [9, 7, 0]);
    // What is removed was still issued.
    table.remove(b"b");
    assert_eq!((table.visible_count(), greatest(&table)), (2, [9, 7, 0]));
}

proptest! {
    #[test]
    fn merge_is_commutative_associative_and_idempotent(
        registers in registers(),
        swaps in vec((any::<Index>(), any::<Index>()), 0..24),
    ) {
        let mut shuffled = registers.clone();
        for (one, other) in swaps {
            if !shuffled.is_empty() {
                let (one, other) = (one.index(shuffled.len()), other.index(shuffled.len()));
                shuffled.swap(one, other);
            }
        }
        let table = merged(&registers);
        same(&table, &merged(&shuffled));
        same(&table, &merged(registers.iter().chain(&shuffled)));
        // In two parts that were merged on their own first.
        let (first, second) = shuffled.split_at(shuffled.len() / 2);
        let (first, second) = (merged(first), merged(second));
        same(&table, &merged(second.iter().chain(first.iter())));
    }

    #[test]
    fn the_merkle_tree_equals_one_built_from_scratch(registers in registers(), removed in 0..4_u8) {
        let mut table = merged(&registers);
        table.remove(&[b'k', removed]);
        prop_assert!(table.check_tree());
        for register in registers {
            table.remove(&register.key);
        }
        prop_assert_eq!(table.tree(), &MerkleTree::default());
        prop_assert_eq!(table.tombstone_count(), 0);
    }

    #[test]
    fn hidden_tombstones_count_only_against_what_they_outrank(registers in registers(), hides in vec(any::<bool>(), 24)) {
        let (mut table, plain) = (Table::new("tests"), merged(&registers));
        for (register, hides) in registers.iter().zip(hides) {
            table.merge(register.clone(), false);
            if hides {
                table.hide(&register.key);
                prop_assert_eq!(table.visible(&register.key), table.get(&register.key).filter(|here| !here.is_tombstone()));
                prop_assert!(table.check_tree());
            }
        }
        prop_assert_eq!(table.visible_count(), table.visible_within(0..=u64::MAX).count());
        table.iter().map(|register| Arc::clone(&register.key)).collect::<Vec<_>>().iter().for_each(|key| table.reveal(key));
        same(&table, &plain);
    }

    #[test]
    fn the_rank_of_a_register_never_decreases(registers in registers()) {
        let mut table = Table::new("tests");
        for register in registers {
            let before = table.get(&register.key).cloned();
            table.merge(register.clone(), false);
            let after = table.get(&register.key).unwrap();
            prop_assert!(before.is_none_or(|before| before.rank(after).is_le()));
        }
    }
}

/// The mistake that a mutant makes is one that the check of the tree finds.
#[test]
fn a_forgotten_hash_is_noticed() {
    let mut table = Table::new("tests");
    for millis in [1, 2] {
        let register = Register {
            key: b"k".as_slice().into(),
            stamp: Stamp::new(0, millis, 0, NodeId::new(1)),
            value: None,
            replaces: None,
            supersedes: None,
            actor: "".into(),
            reason: "".into(),
            extra: [].into(),
        };
        table.merge(register, true);
    }
    assert!(!table.check_tree());
    assert!(table.check_tree());
}

//! Garbage collection of tombstones, and the gc floor.

use super::*;
use crate::merkle::{Branch, DEPTH};
use crate::message::Entry;

/// A node alone with tombstones of these stamps, in the epoch and at the steady time at which it began.
fn with_tombstones(stamps: &[(u16, u64)], epoch: (u16, u64)) -> Replica {
    let registers = stamps.iter().enumerate().map(|(number, (epoch, millis))| Register {
        stamp: Stamp::new(*epoch, *millis, 0, NodeId::new(1)),
        value: None,
        ..register(number as u64)
    });
    let own = Register { stamp: Stamp::new(epoch.0, START_MS - 9, 0, NodeId::new(1)), ..member(1) };
    let loaded = Loaded { registers: registers.chain([own]).collect(), ..Loaded::default() };
    let (mut replica, output) = Replica::new(Options::new("tests", NodeId::new(1)), loaded, AT);
    if let Some(batch) = output.persist.last() {
        replica.handle(Input::Persisted { upto: batch.seq }, AT);
    }
    replica.timers.epoch = epoch;
    replica
}

const DAY_MS: u64 = 24 * 3_600_000;

#[test]
fn a_tombstone_goes_when_it_is_older_than_its_age_and_not_before() {
    let mut replica = with_tombstones(&[(0, START_MS)], (0, 0));
    replica.collect_tombstones(Now { wall_ms: START_MS + DAY_MS, ..AT });
    assert!(replica.get(b"k0").is_some(), "at its age");
    replica.collect_tombstones(Now { wall_ms: START_MS + DAY_MS + 1, ..AT });
    assert!(replica.get(b"k0").is_none(), "after it");
    assert_eq!(replica.durable.announced_gc_floor.millis(), START_MS);
}

#[test]
fn a_tombstone_of_an_earlier_epoch_goes_when_the_epoch_is_old() {
    // Its stamp lies in the future: a clock was ahead, and was repaired.
    let mut replica = with_tombstones(&[(0, START_MS + 9 * DAY_MS)], (1, AT.steady_ms));
    replica.collect_tombstones(Now { wall_ms: START_MS + 1, steady_ms: AT.steady_ms + DAY_MS });
    assert!(replica.get(b"k0").is_some(), "the epoch is as old as a tombstone has to be");
    replica.collect_tombstones(Now { wall_ms: START_MS + 1, steady_ms: AT.steady_ms + DAY_MS + 1 });
    assert!(replica.get(b"k0").is_none());
}

#[test]
fn a_tombstone_of_this_epoch_is_not_old_because_the_epoch_is() {
    let mut replica = with_tombstones(&[(1, START_MS)], (1, AT.steady_ms));
    replica.collect_tombstones(Now { wall_ms: START_MS + 1, steady_ms: AT.steady_ms + 2 * DAY_MS });
    assert!(replica.get(b"k0").is_some());
}

#[test]
fn a_tombstone_of_a_later_epoch_is_never_old() {
    let mut replica = with_tombstones(&[(0, START_MS)], (0, AT.steady_ms));
    let later = Register { stamp: Stamp::new(1, START_MS, 0, NodeId::new(2)), value: None, ..register(7) };
    replica.table.merge(later, false);
    replica.collect_tombstones(Now { wall_ms: START_MS + 3 * DAY_MS, steady_ms: AT.steady_ms + 3 * DAY_MS });
    assert!(replica.get(b"k0").is_none() && replica.get(b"k7").is_some());
}

#[test]
fn nothing_is_collected_while_a_batch_waits_for_the_disk() {
    let mut replica = with_tombstones(&[(0, START_MS)], (0, 0));
    let now = Now { wall_ms: START_MS + DAY_MS + 1, ..AT };
    let written = write(&mut replica, 1, Level::Local, now);
    replica.collect_tombstones(now);
    assert!(replica.get(b"k0").is_some());
    replica.handle(Input::Persisted { upto: last_seq(&written) }, now);
    replica.collect_tombstones(now);
    assert!(replica.get(b"k0").is_none());
}

#[test]
fn nothing_is_collected_while_a_gc_floor_is_enforced_that_is_not_announced() {
    let mut replica = with_tombstones(&[(0, START_MS)], (0, 0));
    replica.durable.enforced_gc_floor = Stamp::new(0, START_MS - 5, 0, NodeId::new(2));
    let now = Now { wall_ms: START_MS + DAY_MS + 1, ..AT };
    replica.collect_tombstones(now);
    assert!(replica.get(b"k0").is_some());
    replica.announce_gc_floor();
    replica.collect_tombstones(now);
    assert!(replica.get(b"k0").is_none());
}

#[test]
fn a_gc_floor_is_common_when_every_other_member_has_agreed_to_it() {
    let mut replica = first_of(3, |options| options);
    let (floor, below) = (floor(1_000), floor(2_000));
    replica.durable.enforced_gc_floor = floor;
    let agree = |replica: &mut Replica, floors: [Stamp; 2]| {
        for (node, floor) in [2, 3].into_iter().zip(floors) {
            replica.peers.get_mut(&NodeId::new(node)).unwrap().agreed_gc_floor = Some(floor);
        }
        replica.is_gc_floor_common()
    };
    assert!(!agree(&mut replica, [floor, below]) && !agree(&mut replica, [below, below]));
    assert!(agree(&mut replica, [floor, floor]));
    let mut outsider = first_of(3, |options| Options { node: NodeId::new(9), is_durable: false, ..options });
    outsider.durable.enforced_gc_floor = floor;
    outsider.handle(Input::PeerUp { node: NodeId::new(1), instance: 1 }, AT);
    outsider.peers.values_mut().for_each(|peer| peer.agreed_gc_floor = Some(floor));
    assert!(!outsider.is_gc_floor_common(), "a reader is not a member");
}

#[test]
fn a_gc_floor_is_orphaned_while_every_member_announces_a_lower_one() {
    let mut replica = first_of(3, |options| options);
    let (floor, below) = (floor(1_000), floor(2_000));
    replica.durable.enforced_gc_floor = floor;
    let mut since = |claims: [Stamp; 2], steady_ms: u64| {
        for (node, floor) in [2, 3].into_iter().zip(claims) {
            replica.peers.get_mut(&NodeId::new(node)).unwrap().claimed = Some((node, floor));
        }
        replica.look_for_orphans(Now { steady_ms, ..AT });
        replica.orphaned_since_ms
    };
    assert_eq!(since([below, floor], 11_000), None, "the third announces the same floor");
    assert_eq!(since([below, below], 12_000), Some(12_000));
    assert_eq!(since([below, below], 13_000), Some(12_000));
    assert_eq!(since([floor, below], 14_000), None);
}

#[test]
fn registers_that_others_have_collected_are_counted() {
    let mut replica = first_of(2, |options| options);
    replica.durable.enforced_gc_floor = floor(0);
    for number in 1..=2 {
        let hash = replica.table.hash(format!("k{number}").as_bytes());
        hear(&mut replica, 2, Body::Push { registers: vec![register(number)], awaited: Awaited::Everybody }, AT);
        replica.table.merge(register(number), false);
        replica.drop_collected(floor(0), &[(hash, register(number).stamp)]);
        assert_eq!(replica.status(AT).counters.gone, number);
    }
}

#[test]
fn another_process_of_a_peer_may_announce_a_lower_gc_floor() {
    let mut peer = Peer::default();
    let mut note = |instance: u64, floor: Stamp| {
        peer.note_announced_gc_floor(instance, floor);
        peer.claimed
    };
    let (low, middle, high) = (floor(3_000), floor(2_000), floor(1_000));
    assert_eq!(note(1, high), Some((1, high)));
    assert_eq!(note(1, low), Some((1, high)), "a late message of the same process");
    assert_eq!(note(2, low), Some((2, low)), "a process on another disk");
    assert_eq!(note(2, middle), Some((2, middle)));
}

#[test]
fn registers_that_the_gc_floor_refuses_are_counted_and_answered() {
    let mut replica = first_of(2, |options| options);
    replica.durable.enforced_gc_floor = floor(0);
    for number in 1..=2 {
        let output = hear(&mut replica, 2, Body::Repair(vec![register(number)]), AT);
        let hash = replica.table.hash(format!("k{number}").as_bytes());
        assert!(bodies(&output).contains(&(2, Body::Collected(vec![(hash, register(number).stamp)]))));
        assert_eq!(replica.status(AT).counters.refused, number);
    }
}

#[test]
fn an_old_tombstone_that_came_after_the_last_confirmation_stays() {
    let removed = |number: u64| Register { value: None, ..register(number) };
    let loaded = Loaded { registers: [1, 2].map(member).into(), ..Loaded::default() };
    let (mut replica, output) = Replica::new(Options::new("tests", NodeId::new(1)), loaded, AT);
    let persist = |replica: &mut Replica, output: &Output| {
        output.persist.last().map(|batch| replica.handle(Input::Persisted { upto: batch.seq }, AT));
    };
    persist(&mut replica, &output);
    for (number, confirms) in [(1, true), (2, false)] {
        let output = hear(&mut replica, 2, Body::Repair(vec![removed(number)]), AT);
        persist(&mut replica, &output);
        let merges = replica.table.merges();
        if confirms {
            replica.peers.get_mut(&NodeId::new(2)).unwrap().confirmed = Some(merges);
        }
    }
    replica.is_synced = true;
    replica.collect_tombstones(Now { wall_ms: START_MS + DAY_MS, ..AT });
    assert_eq!([b"k1", b"k2"].map(|key| replica.get(key).is_some()), [false, true]);
}

#[test]
fn a_tombstone_counts_as_collected_between_the_announced_and_the_enforced_gc_floor() {
    let mut replica = first_of(2, |options| options);
    let (low, middle, high) = (floor(3_000), floor(2_000), floor(1_000));
    let mut is_collected = |announced: Stamp, enforced: Stamp, stamp: Stamp, floor: Stamp| {
        (replica.durable.announced_gc_floor, replica.durable.enforced_gc_floor) = (announced, enforced);
        replica.is_collected(stamp, floor)
    };
    assert!(is_collected(low, high, middle, high) && is_collected(low, high, high, high));
    assert!(is_collected(low, middle, middle, high), "the sender's floor is above the one that is enforced here");
    assert!(!is_collected(low, middle, high, high), "the stamp is above the enforced floor");
    assert!(!is_collected(low, high, high, middle), "the stamp is above the sender's floor");
    assert!(!is_collected(high, high, middle, high), "this node announces that floor itself");
    assert!(!is_collected(high, high, middle, middle), "and a higher one");
}

#[test]
fn a_gc_floor_that_this_node_announces_is_not_orphaned() {
    let mut replica = first_of(2, |options| options);
    (replica.durable.announced_gc_floor, replica.durable.enforced_gc_floor) = (floor(1_000), floor(1_000));
    replica.peers.get_mut(&NodeId::new(2)).unwrap().claimed = Some((2, floor(2_000)));
    replica.look_for_orphans(AT);
    assert_eq!(replica.orphaned_since_ms, None);
}

/// A node with `k1` and the tombstone of `k2`, which enforces a gc floor above both, and that floor.
fn beside_a_tombstone() -> (Replica, Stamp) {
    let mut replica = first_of(2, |options| options);
    let registers = vec![register(1), Register { value: None, ..register(2) }];
    hear(&mut replica, 2, Body::Repair(registers), AT);
    replica.durable.enforced_gc_floor = floor(0);
    (replica, floor(0))
}

/// Another node, which announces this floor, shows what it holds in the leaf of `k2`.
fn show_leaf(replica: &mut Replica, gc_floor: Stamp, entries: Vec<Entry>) -> Vec<(u64, Body)> {
    let [first, second, ..] = replica.table.hash(b"k2").to_be_bytes();
    let leaf = Branch { depth: DEPTH, digits: u16::from_be_bytes([first, second]) };
    let bytes = Message { instance: 2, gc_floor, body: Body::Leaves(vec![(leaf, entries)]) }.encode();
    bodies(&replica.handle(Input::Message { from: NodeId::new(2), bytes }, AT))
}

#[test]
fn a_tombstone_that_another_node_has_collected_is_hidden_until_this_node_announces_the_floor() {
    let (mut replica, floor) = beside_a_tombstone();
    let (root, count) = (replica.root(), replica.table.visible_count());
    assert_eq!(show_leaf(&mut replica, floor, vec![]), [], "it is not offered");
    assert_ne!(replica.root(), root);
    assert_eq!(replica.table.visible_count(), count - 1);
    assert!(replica.get(b"k2").is_some_and(Register::is_tombstone));
    assert!(replica.table.check_tree(), "the tree is without it");
    replica.announce_gc_floor();
    assert_eq!(replica.get(b"k2"), None);
}

#[test]
fn a_hidden_tombstone_outranks_what_it_stands_for() {
    let (mut replica, floor) = beside_a_tombstone();
    let root = replica.root();
    let removed = Register { stamp: Stamp::new(0, START_MS - 2_000_000, 0, NodeId::new(9)), ..register(2) };
    let shown = vec![replica.table.entry(&removed)];
    show_leaf(&mut replica, floor, vec![]);
    // From a node with a lower floor it is refused, as if the tombstone had gone.
    let hash = replica.table.hash(b"k2");
    let told = show_leaf(&mut replica, Stamp::ZERO, shown.clone());
    assert_eq!(told, [(2, Body::Collected(vec![(hash, removed.stamp)]))]);
    assert_ne!(replica.root(), root);
    // No floor refuses it, and the tombstone is back.
    let told = show_leaf(&mut replica, floor, shown);
    assert_eq!(told, [(2, Body::Repair(vec![Register { value: None, ..register(2) }]))]);
    assert_eq!(replica.root(), root);
    show_leaf(&mut replica, floor, vec![]);
    hear_with(&mut replica, floor, Body::Repair(vec![removed]));
    assert!(replica.get(b"k2").is_some_and(Register::is_tombstone));
    assert_eq!(replica.root(), root);
}

#[test]
fn a_new_register_replaces_a_hidden_tombstone() {
    let (mut replica, floor) = beside_a_tombstone();
    show_leaf(&mut replica, floor, vec![]);
    let newer = Register { stamp: Stamp::new(0, START_MS + 1, 0, NodeId::new(2)), ..register(2) };
    hear(&mut replica, 2, Body::Repair(vec![newer.clone()]), AT);
    assert_eq!(replica.get(b"k2"), Some(&newer));
    assert!(replica.table.check_tree());
    replica.announce_gc_floor();
    assert_eq!(replica.get(b"k2"), Some(&newer));
}

#[test]
fn a_tombstone_that_another_node_refuses_as_collected_is_hidden() {
    let (mut replica, floor) = beside_a_tombstone();
    let hash = replica.table.hash(b"k2");
    hear_with(&mut replica, floor, Body::Collected(vec![(hash, register(2).stamp)]));
    assert!(replica.get(b"k2").is_some() && replica.table.visible(b"k2").is_none());
}

#[test]
fn a_revealed_tombstone_has_to_be_confirmed_again() {
    let (mut replica, floor) = beside_a_tombstone();
    let confirmed = replica.table.merges();
    show_leaf(&mut replica, floor, vec![]);
    replica.table.reveal(b"k2");
    let arrived: Vec<u64> = replica.table.tombstones().map(|tombstone| tombstone.arrived).collect();
    assert!(arrived.iter().all(|arrived| *arrived > confirmed), "{arrived:?}, and {confirmed} before");
}

/// The other node announces this floor.
fn hear_with(replica: &mut Replica, gc_floor: Stamp, body: Body) {
    let bytes = Message { instance: 2, gc_floor, body }.encode();
    replica.handle(Input::Message { from: NodeId::new(2), bytes }, AT);
}

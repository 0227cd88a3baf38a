//! Garbage collection of tombstones, and the gc floor.

use super::*;

const DAY_MS: u64 = 24 * 3_600_000;

#[test]
fn a_tombstone_unknown_to_the_collector_still_counts() {
    let floor = floor(1_000);
    let behind = with_x(None, 2_000, Stamp::ZERO);
    let ahead = || with_x(Some("old"), 3_000, floor);
    let mut cluster = Cluster::loaded(vec![behind, ahead(), ahead()]);
    cluster.meet();
    cluster.pass(20_000);
    for (node, replica) in cluster.nodes.iter().enumerate() {
        assert!(replica.get(b"x").is_some_and(Register::is_tombstone), "{node}: {:?}", replica.get(b"x"));
        assert_eq!(replica.status(cluster.now(node)).gc_floor, floor);
    }
}

#[test]
fn a_tombstone_collected_elsewhere_is_dropped() {
    let floor = floor(1_000);
    let collected = Loaded { registers: vec![], ..with_x(None, 2_000, floor) };
    let mut cluster = Cluster::loaded(vec![with_x(None, 2_000, Stamp::ZERO), collected]);
    cluster.meet();
    cluster.pass(20_000);
    for (node, replica) in cluster.nodes.iter().enumerate() {
        assert_eq!(replica.get(b"x"), None, "{node}");
        assert_eq!(replica.status(cluster.now(node)).gc_floor, floor);
    }
}

#[test]
fn a_late_tombstone_does_not_lower_the_gc_floor() {
    let floor = floor(2 * DAY_MS);
    let late = || with_x(None, 3 * DAY_MS, floor);
    let mut cluster = Cluster::loaded(vec![late(), late()]);
    cluster.meet();
    for _ in 0..200 {
        cluster.pass(100);
        let floors = [0, 1].map(|node: usize| cluster.nodes[node].status(cluster.now(node)).gc_floor);
        assert_eq!(floors, [floor, floor], "after {} ms", cluster.steady_ms);
    }
    // It goes with the next one.
    let removed = Register { key: b"y".as_slice().into(), ..with_x(None, DAY_MS + 1_000, floor).registers.remove(0) };
    let bytes = Message {
        instance: 9,
        gc_floor: Stamp::ZERO,
        body: Body::Push { registers: vec![removed], awaited: Awaited::Everybody },
    }
    .encode();
    cluster.handle(0, Input::Message { from: NodeId::new(2), bytes });
    cluster.pass(40_000);
    for (node, replica) in cluster.nodes.iter().enumerate() {
        assert_eq!(replica.get(b"x"), None, "{node}");
        assert_eq!(replica.status(cluster.now(node)).gc_floor.millis(), START_MS - DAY_MS - 1_000);
    }
}

#[test]
fn an_orphaned_gc_floor_admits_nothing_below_the_announced_one() {
    let (claimed, heard) = (floor(3_000), floor(1_000));
    let meta = DurableState { enforced_gc_floor: heard, announced_gc_floor: claimed, ..DurableState::default() };
    let loaded = Loaded { registers: (1..=2).map(member).collect(), meta: Some(meta.encode()), ..Loaded::default() };
    let start = Now { wall_ms: START_MS, steady_ms: 5 };
    let (mut replica, _) = Replica::new(Options::new("tests", NodeId::new(1)), loaded, start);
    let (below, between) = (with_x(Some("removed"), 4_000, Stamp::ZERO), with_x(Some("kept"), 2_000, Stamp::ZERO));
    let mut push = |registers: Vec<Register>, ms: u64| {
        let now = Now { wall_ms: START_MS + ms, steady_ms: 5 + ms };
        let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body: Body::Repair(registers) }.encode();
        replica.handle(Input::Message { from: NodeId::new(2), bytes }, now);
        replica.handle(Input::Tick, now);
        replica.get(b"x").and_then(|register| register.value.clone()).map(|value| value.to_vec())
    };
    // Its member has lost what it had collected, and says so for long enough.
    assert_eq!(push(between.registers.clone(), 1_000), None);
    assert_eq!(push(vec![], 10_000), None);
    assert_eq!(push(below.registers, 11_000), None);
    assert_eq!(push(between.registers, 12_000).as_deref(), Some(b"kept".as_slice()));
}

/// The third node has collected the tombstone of `x`, and the others know. Before they hold the same as it does, an old copy
/// replaces its disk.
#[test]
fn a_removed_register_stays_removed_when_the_collector_loses_its_disk() {
    let floor = floor(1_000);
    let member = |number: u64| {
        let loaded = with_x(None, 2_000, Stamp::ZERO);
        Loaded { registers: [loaded.registers, vec![register(number)]].concat(), ..loaded }
    };
    let mut cluster = Cluster::loaded(vec![member(1), member(2)]);
    // Each of the two sees that the third holds nothing in the leaf of `x`, and nothing else.
    let [first, second, ..] = cluster.nodes[0].table.hash(b"x").to_be_bytes();
    let leaf = crate::merkle::Branch { depth: 4, digits: u16::from_be_bytes([first, second]) };
    let bytes = Message { instance: 33, gc_floor: floor, body: Body::Leaves(vec![(leaf, vec![])]) }.encode();
    (0..2).for_each(|node| cluster.handle(node, Input::Message { from: NodeId::new(3), bytes: bytes.clone() }));
    assert!(cluster.nodes.iter().all(|node| node.table.visible(b"x").is_none()));
    let old = with_x(Some("removed"), 3_000, Stamp::ZERO);
    let (replica, output) = Replica::new(Options::new("tests", NodeId::new(3)), old, cluster.now(0));
    cluster.nodes.push(replica);
    cluster.wall_ms.push(START_MS);
    cluster.perform(2, output);
    cluster.meet();
    let is_removed = |node: &Replica| node.get(b"x").is_none_or(Register::is_tombstone);
    for _ in 0..200 {
        cluster.pass(100);
        assert!(cluster.nodes[..2].iter().all(is_removed), "after {} ms", cluster.steady_ms);
    }
    assert!(is_removed(&cluster.nodes[2]));
    assert!(cluster.nodes.iter().all(|node| node.root() == cluster.nodes[0].root()));
}

/// A tombstone of `x` here, which the other node does not hold although it claims this floor.
fn tombstone_beside(here: Stamp, there: Stamp) -> Cluster {
    let of = |floor: Stamp, registers: Vec<Register>| {
        let meta = DurableState { enforced_gc_floor: floor, announced_gc_floor: floor, ..DurableState::default() };
        Loaded { registers, meta: Some(meta.encode()), ..Loaded::default() }
    };
    let removed = Register { value: None, stamp: floor(5_000), key: b"x".as_slice().into(), ..register(0) };
    let mut cluster = Cluster::loaded(vec![of(here, vec![removed]), of(there, vec![])]);
    cluster.meet();
    cluster.pass(3_000);
    cluster
}

#[test]
fn a_late_tombstone_is_not_taken_for_a_collected_one() {
    // Both claim the floor: the flag was removed after the collection, by a clock that was behind.
    let cluster = tombstone_beside(floor(1_000), floor(1_000));
    for node in 0..2 {
        assert!(cluster.nodes[node].get(b"x").is_some_and(Register::is_tombstone), "{node}");
    }
}

#[test]
fn a_gc_floor_from_a_clock_ahead_collects_nothing() {
    let ahead = Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(2));
    let cluster = tombstone_beside(Stamp::ZERO, ahead);
    assert!(cluster.nodes[0].get(b"x").is_some_and(Register::is_tombstone));
    assert_eq!(cluster.status(0).gc_floor, Stamp::ZERO);
}

#[test]
fn an_orphaned_gc_floor_is_enforced_until_every_member_was_heard_again() {
    let heard = floor(1_000);
    let meta = DurableState { enforced_gc_floor: heard, announced_gc_floor: Stamp::ZERO, ..DurableState::default() };
    let loaded = Loaded { registers: (1..=2).map(member).collect(), meta: Some(meta.encode()), ..Loaded::default() };
    let start = Now { wall_ms: START_MS, steady_ms: 5 };
    let (mut replica, _) = Replica::new(Options::new("tests", NodeId::new(1)), loaded, start);
    let kept = with_x(Some("kept"), 2_000, Stamp::ZERO);
    let mut is_taken_after = |ms: u64| {
        let now = Now { wall_ms: START_MS + ms, steady_ms: 5 + ms };
        let body = Body::Repair(kept.registers.clone());
        let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body }.encode();
        replica.handle(Input::Message { from: NodeId::new(2), bytes }, now);
        replica.handle(Input::Tick, now);
        replica.get(b"x").is_some()
    };
    // A message that was on its way when the floor was heard of says nothing of who has it.
    for (ms, is_taken) in [(1_000, false), (2_000, false), (5_500, false), (7_000, true)] {
        assert_eq!(is_taken_after(ms), is_taken, "after {ms} ms");
    }
}

#[test]
fn a_superseding_tombstone_neither_sets_nor_blocks_the_gc_floor() {
    let own = NodeId::new(1);
    let removed = |key: &str, ago_ms: u64, supersedes: Option<Stamp>| Register {
        key: key.as_bytes().into(),
        stamp: Stamp::new(0, START_MS - ago_ms, 0, own),
        value: None,
        supersedes,
        ..register(0)
    };
    let far = [Stamp::new(0, START_MS + 400 * DAY_MS, 0, own), Stamp::new(900, 5, 0, own)];
    let mut registers: Vec<Register> =
        far.iter().zip(["a", "b"]).map(|(far, key)| removed(key, 3 * DAY_MS, Some(*far))).collect();
    registers.push(removed("c", 2 * DAY_MS, None));
    let mut cluster = Cluster::loaded(vec![Loaded { registers, ..Loaded::default() }]);
    cluster.pass(3_000);
    assert_eq!(cluster.status(0).gc_floor.millis(), START_MS - 2 * DAY_MS);
    let has = |cluster: &Cluster, key: &str| cluster.nodes[0].get(key.as_bytes()).is_some();
    assert_eq!(["a", "b", "c"].map(|key| has(&cluster, key)), [true, true, false]);
    // A later epoch is above the first, so that it goes with the next removal there; the other's epoch never comes.
    cluster.handle(0, Input::RaiseEpoch { request: 900, actor: "dana".into(), reason: "".into() });
    cluster.write(0, "d", None, Level::Local);
    cluster.wall_ms[0] += 2 * DAY_MS;
    cluster.pass(3_000);
    assert_eq!(["a", "b", "d"].map(|key| has(&cluster, key)), [false, true, false]);
}

/// A removal that supersedes a stamp ahead of the clock is no floor when that time has come: what members wrote meanwhile stands
/// below it, and they may not have sent it yet. It goes with a later removal.
#[test]
fn a_superseding_tombstone_is_no_gc_floor() {
    let timing = crate::Timing { tombstone_ms: 20_000, ..crate::Timing::default() };
    let mut cluster =
        Cluster::made(vec![Loaded::default(), Loaded::default()], |options| Options { timing, ..options });
    cluster.meet();
    cluster.pass(3_000);
    let stamp = Stamp::new(0, START_MS + 40_000, 0, NodeId::new(2));
    cluster.hear(0, 2, Body::Repair(vec![Register { stamp, key: b"x".as_slice().into(), ..register(0) }]));
    cluster.write(0, "x", None, Level::Local);
    assert_eq!(cluster.nodes[0].get(b"x").unwrap().rank_stamp(), stamp);
    cluster.pass(10_000);
    // The other one is unreachable while it writes, and comes back when the removal is old.
    cluster.is_cut = true;
    cluster.write(1, "y", Some("1"), Level::Local);
    cluster.pass(80_000);
    cluster.is_cut = false;
    cluster.meet();
    cluster.pass(5_000);
    assert_eq!([0, 1].map(|node| cluster.value(node, "y")), [Some("1".to_owned()), Some("1".to_owned())]);
    assert!(cluster.nodes[0].get(b"x").is_some());
    cluster.write(0, "z", None, Level::Local);
    cluster.pass(60_000);
    assert!(cluster.nodes.iter().all(|node| node.get(b"x").is_none() && node.get(b"z").is_none()));
}

/// It knows no member but itself, and would wait for no other: what the others have written since would stand under its floor.
#[test]
fn a_node_that_is_not_in_sync_collects_nothing() {
    let timing = crate::Timing { tombstone_ms: 20_000, ..crate::Timing::default() };
    let removed = Register { value: None, ..register(1) };
    let own = Register {
        key: crate::membership::key(NodeId::new(1)),
        stamp: Stamp::new(0, START_MS - 1_000_000, 0, NodeId::new(1)),
        value: Some(crate::membership::member("a", None)),
        ..register(0)
    };
    let loaded = Loaded { registers: vec![removed, own], ..Loaded::default() };
    let with = |options| Options { expects_peers: true, timing, ..options };
    let mut cluster = Cluster::made(vec![loaded, Loaded::default()], with);
    (0..2).for_each(|node| cluster.handle(node, Input::UnmetPeers { count: 0 }));
    cluster.is_cut = true;
    cluster.pass(60_000);
    assert!(cluster.nodes[0].get(b"k1").is_some());
    cluster.is_cut = false;
    cluster.meet();
    cluster.pass(60_000);
    assert!(cluster.nodes[0].get(b"k1").is_none(), "after a comparison it is collected");
}

/// Two members of a cluster that are in sync, hold a tombstone that is old, and expect further nodes.
fn two_of_more() -> Cluster {
    let timing = crate::Timing { tombstone_ms: 20_000, ..crate::Timing::default() };
    let loaded = || Loaded { registers: vec![Register { value: None, ..register(1) }], ..Loaded::default() };
    let with = |options| Options { expects_peers: true, timing, ..options };
    let mut cluster = Cluster::made(vec![loaded(), loaded()], with);
    cluster.meet();
    cluster
}

#[test]
fn a_node_that_has_not_met_every_configured_peer_collects_nothing() {
    let mut cluster = two_of_more();
    cluster.pass(60_000);
    assert!(cluster.nodes.iter().all(|node| node.is_synced() && node.get(b"k1").is_some()));
    (0..2).for_each(|node| cluster.handle(node, Input::UnmetPeers { count: 3 }));
    cluster.pass(60_000);
    assert!(cluster.nodes.iter().all(|node| node.get(b"k1").is_some()));
    (0..2).for_each(|node| cluster.handle(node, Input::UnmetPeers { count: 0 }));
    cluster.pass(60_000);
    assert!(cluster.nodes.iter().all(|node| node.get(b"k1").is_none()));
}

#[test]
fn a_node_that_is_connected_to_an_unknown_node_collects_nothing_until_both_hold_the_same() {
    let mut cluster = two_of_more();
    cluster.handle(0, Input::UnmetPeers { count: 0 });
    // The third has not said yet whether it is a member, or what it has written.
    cluster.handle(0, Input::PeerUp { node: NodeId::new(3), instance: 3 });
    cluster.pass(60_000);
    assert!(cluster.nodes[0].get(b"k1").is_some());
    let root = cluster.nodes[0].root();
    cluster.hear(0, 3, Body::RootRequest(Summary { root, ..summary(START_MS, Stamp::ZERO) }));
    cluster.pass(60_000);
    assert!(cluster.nodes[0].get(b"k1").is_none());
}

//! What counts towards a level, and what does not.

use super::*;
use crate::Outranked;

/// A register of `x` from a node that is not a member, `after_ms` milliseconds after the start.
fn of_x(value: &str, after_ms: u64) -> Register {
    let stamp = Stamp::new(0, START_MS + after_ms, 0, NodeId::new(9));
    Register { key: b"x".as_slice().into(), stamp, value: Some(value.as_bytes().into()), ..register(0) }
}

fn push(register: Register) -> Body {
    Body::Push { registers: vec![register], awaited: Awaited::Everybody }
}

/// Three members that know each other.
fn three() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(3_000);
    cluster
}

#[test]
fn a_member_that_holds_a_greater_stamp_does_not_count() {
    let mut cluster = three();
    // Greater than what the first will write, and only the second and the third have it.
    let greater = of_x("on", cluster.steady_ms + 2_000);
    cluster.is_cut = true;
    cluster.hear(1, 9, push(greater.clone()));
    cluster.hear(2, 9, push(greater.clone()));
    cluster.is_cut = false;
    let request = cluster.write(0, "x", Some("off"), Level::Majority);
    let receipt = cluster.receipt(request).clone().unwrap();
    assert!(!receipt.is_reached && receipt.durable_on.iter().all(|node| *node == NodeId::new(1)), "{receipt:?}");
    let by = receipt.outranked.iter().find(|outranked| outranked.node != NodeId::new(1)).unwrap();
    assert_eq!((by.by, by.is_quarantined), (greater.stamp, false));
    // What outranks it has come with the answer: the next write is above it.
    assert_eq!(cluster.value(0, "x").as_deref(), Some("on"));
    let again = cluster.write(0, "x", Some("off"), Level::All);
    assert!(cluster.receipt(again).clone().unwrap().is_reached);
    assert_eq!(cluster.value(2, "x").as_deref(), Some("off"));
}

#[test]
fn a_member_that_has_a_greater_stamp_in_quarantine_does_not_count() {
    let mut cluster = three();
    let future = of_x("on", 3_600_000);
    cluster.hear(2, 9, push(future.clone()));
    assert_eq!(cluster.status(2).quarantined, 1);
    let request = cluster.write(0, "x", Some("off"), Level::All);
    let receipt = cluster.receipt(request).clone().unwrap();
    assert!(!receipt.is_reached);
    let by = Outranked { stamp: receipt.stamp(), node: NodeId::new(3), by: future.stamp, is_quarantined: true };
    assert_eq!(receipt.outranked, [by]);
    assert!(!receipt.durable_on.contains(&NodeId::new(3)) && !receipt.pending.contains(&NodeId::new(3)));
    // It has come with the answer, and a write that is made again supersedes it.
    assert_eq!(cluster.status(0).quarantined, 1);
    let again = cluster.write(0, "x", Some("off"), Level::All);
    assert!(cluster.receipt(again).clone().unwrap().is_reached);
    assert_eq!((0..3).map(|node| cluster.status(node).quarantined).sum::<usize>(), 0);
}

#[test]
fn a_write_that_is_outranked_here_does_not_reach_its_level() {
    let mut cluster = three();
    cluster.is_cut = true;
    let request = cluster.write(0, "x", Some("off"), Level::Majority);
    let stamp = cluster.nodes[0].get(b"x").unwrap().stamp;
    let greater = of_x("on", cluster.steady_ms + 2_000);
    cluster.hear(0, 9, push(greater.clone()));
    let receipt = cluster.receipt(request).clone().unwrap();
    let by = Outranked { stamp: receipt.stamp(), node: NodeId::new(1), by: greater.stamp, is_quarantined: false };
    assert_eq!(
        (receipt.is_reached, receipt.durable_on.as_slice(), receipt.outranked.as_slice()),
        (false, [].as_slice(), [by].as_slice())
    );
    // Answers that come late change nothing.
    cluster.hear(0, 2, Body::Ack(vec![stamp]));
    cluster.hear(0, 3, Body::Ack(vec![stamp]));
    assert_eq!(cluster.receipts.iter().filter(|(number, _)| *number == request).count(), 1);
}

#[test]
fn a_quarantined_register_outranks_a_write_that_waits() {
    let mut cluster = three();
    cluster.is_cut = true;
    let request = cluster.write(0, "x", Some("off"), Level::Majority);
    let future = of_x("on", 3_600_000);
    cluster.hear(0, 9, push(future.clone()));
    let receipt = cluster.receipt(request).clone().unwrap();
    let by = Outranked { stamp: receipt.stamp(), node: NodeId::new(1), by: future.stamp, is_quarantined: true };
    assert_eq!((receipt.is_reached, receipt.outranked.as_slice()), (false, [by].as_slice()));
}

#[test]
fn an_outranked_register_from_anti_entropy_is_not_acknowledged() {
    let mut cluster = three();
    cluster.is_cut = true;
    cluster.hear(1, 9, push(of_x("on", cluster.steady_ms + 2_000)));
    let request = cluster.write(0, "x", Some("off"), Level::One);
    let written = cluster.nodes[0].get(b"x").unwrap().clone();
    // It comes to the second by way of the third.
    cluster.is_cut = false;
    cluster.hear(1, 3, Body::Repair(vec![written]));
    let receipt = cluster.receipt(request).clone().unwrap();
    assert!(!receipt.is_reached && receipt.outranked.iter().any(|outranked| outranked.node == NodeId::new(2)));
}

#[test]
fn level_all_waits_for_reachable_members_only() {
    let mut cluster = three();
    cluster.handle(0, Input::PeerDown { node: NodeId::new(3), instance: 3 });
    cluster.nodes[2] = Replica::new(Options::new("other", NodeId::new(3)), Loaded::default(), cluster.now(2)).0;
    let change = |value: &str| Change {
        key: b"x".as_slice().into(),
        value: Some(value.as_bytes().into()),
        actor: "".into(),
        reason: "".into(),
        expected: Expected::Anything,
    };
    let now = cluster.now(0);
    let input = Input::Write { request: 77, changes: vec![change("1")], level: Level::All, timeout_ms: 500 };
    let output = cluster.nodes[0].handle(input, now);
    let stamp = cluster.nodes[0].get(b"x").unwrap().stamp;
    let upto = output.persist.last().unwrap().seq;
    assert!(cluster.nodes[0].handle(Input::Persisted { upto }, now).receipts.is_empty(), "the second is there");
    let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body: Body::Ack(vec![stamp]) }.encode();
    let output = cluster.nodes[0].handle(Input::Message { from: NodeId::new(2), bytes }, now);
    let (_, receipt) = output.receipts.into_iter().next().unwrap();
    let receipt = receipt.unwrap();
    assert_eq!((receipt.is_reached, receipt.pending.as_slice()), (true, [NodeId::new(3)].as_slice()));
}

#[test]
fn a_lost_push_is_sent_again_before_the_timeout() {
    let mut cluster = three();
    cluster.is_cut = true;
    let request = cluster.write(0, "x", Some("on"), Level::All);
    cluster.is_cut = false;
    // Anti-entropy would fix it too, but later.
    cluster.nodes.iter_mut().for_each(|node| node.timers.round_ms = u64::MAX);
    cluster.pass(200);
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
}

#[test]
fn a_node_that_expects_peers_is_no_majority_alone() {
    let mut cluster = Cluster::expecting(3);
    cluster.is_cut = true;
    let mut requests = Vec::new();
    for level in [Level::Local, Level::One, Level::Majority, Level::All] {
        requests.push(cluster.write(0, &level.to_string(), Some("on"), level));
        // The first seconds pass, in which it waits for word from the others.
        cluster.pass(2_100);
        requests.push(cluster.write(0, &level.to_string(), Some("on"), level));
        cluster.pass(600);
    }
    let reached: Vec<Option<bool>> = requests
        .iter()
        .map(|request| cluster.receipt(*request).clone().ok().map(|receipt| receipt.is_reached))
        .collect();
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(reached, [None, yes, no, no, no, no, no, no]);
    assert!(!cluster.status(0).is_membership_known);
    // They meet, enrol, and from then on the membership counts.
    cluster.is_cut = false;
    cluster.meet();
    cluster.pass(3_000);
    assert!(cluster.status(0).is_membership_known);
    let request = cluster.write(0, "x", Some("on"), Level::Majority);
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
}

#[test]
fn a_membership_known_from_disk_counts_although_all_others_were_forgotten() {
    let forgotten = Register {
        key: crate::membership::key(NodeId::new(2)),
        value: Some(crate::membership::forgotten("two")),
        ..register(0)
    };
    let loaded = Loaded { registers: vec![forgotten], ..Loaded::default() };
    let mut cluster = Cluster::made(vec![loaded], |options| Options { expects_peers: true, ..options });
    cluster.pass(2_100);
    let request = cluster.write(0, "x", Some("on"), Level::Majority);
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
}

#[test]
fn a_reader_without_members_reaches_no_level() {
    let mut cluster =
        Cluster::made(vec![Loaded::default()], |options| Options { expects_peers: true, is_durable: false, ..options });
    cluster.pass(2_100);
    for level in [Level::Local, Level::One, Level::Majority, Level::All] {
        let request = cluster.write(0, "x", Some("on"), level);
        cluster.pass(600);
        assert!(!cluster.receipt(request).clone().unwrap().is_reached, "{level}");
    }
}

#[test]
fn a_write_stands_although_its_level_is_not_reached() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.is_cut = true;
    let request = cluster.write(0, "x", Some("on"), Level::Majority);
    assert!(cluster.receipts.iter().all(|(number, _)| *number != request));
    cluster.pass(600);
    let receipt = cluster.receipt(request).clone().unwrap();
    assert!(!receipt.is_reached);
    assert_eq!(receipt.durable_on, [NodeId::new(1)]);
    assert_eq!(receipt.pending, [NodeId::new(2), NodeId::new(3)]);
    cluster.is_cut = false;
    cluster.pass(5_000);
    assert_eq!(cluster.value(2, "x").as_deref(), Some("on"));
}

#[test]
fn only_members_that_the_level_needs_flush_at_once() {
    let awaited = |level: Level| {
        let mut cluster = Cluster::new(5);
        cluster.meet();
        (0..5).for_each(|index| _ = cluster.write(index, "a", Some("1"), Level::All));
        // The second and the third answer late.
        for (node, ms) in [(2, 9), (3, 7), (4, 1), (5, 2)] {
            cluster.nodes[0].peers.get_mut(&NodeId::new(node)).unwrap().trip_ms = ms;
        }
        let change = Change {
            key: b"b".as_slice().into(),
            value: None,
            actor: "".into(),
            reason: "".into(),
            expected: Expected::Anything,
        };
        let now = cluster.now(0);
        let mut output =
            cluster.nodes[0].handle(Input::Write { request: 9, changes: vec![change], level, timeout_ms: 500 }, now);
        assert!(output.persist.iter().all(|batch| batch.is_awaited), "its writer waits");
        // A ceiling has to be on the disk first.
        if let Some(upto) = output.persist.last().map(|batch| batch.seq).filter(|_| output.broadcast.is_empty()) {
            output = cluster.nodes[0].handle(Input::Persisted { upto }, now);
        }
        let bytes = output.broadcast.pop().unwrap();
        let mut hurries = |index: usize| {
            let input = Input::Message { from: NodeId::new(1), bytes: bytes.clone() };
            let now = cluster.now(index);
            cluster.nodes[index].handle(input, now).persist.iter().any(|batch| batch.is_awaited)
        };
        (1..5).filter(|index| hurries(*index)).map(|index| index + 1).collect::<Vec<_>>()
    };
    assert_eq!(awaited(Level::Local), []);
    assert_eq!(awaited(Level::One), [4]);
    assert_eq!(awaited(Level::Majority), [4, 5]);
    assert_eq!(awaited(Level::All), [2, 3, 4, 5]);
}

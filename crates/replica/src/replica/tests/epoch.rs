//! Repairs of the clock: who catches up, and what is not believed.

use super::*;

fn repair(cluster: &mut Cluster, index: usize) -> Stamp {
    let request = 9_000 + cluster.receipts.len() as u64;
    cluster.handle(index, Input::RaiseEpoch { request, actor: "dana".into(), reason: "clock".into() });
    cluster.receipt(request).clone().unwrap().stamp()
}

fn epochs(cluster: &Cluster) -> Vec<u16> {
    (0..cluster.nodes.len()).map(|index| cluster.status(index).epoch).collect()
}

/// Three members, of whom the third misses `repairs` repairs.
fn one_has_missed(repairs: usize) -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(3_000);
    let third = std::mem::replace(
        &mut cluster.nodes[2],
        Replica::new(Options::new("other", NodeId::new(3)), Loaded::default(), Now::default()).0,
    );
    for number in 0..repairs {
        repair(&mut cluster, number % 2);
        cluster.write(number % 2, "x", Some(&number.to_string()), Level::Local);
        cluster.pass(1_000);
    }
    cluster.nodes[2] = third;
    cluster
}

#[test]
fn a_node_that_has_missed_any_number_of_repairs_catches_up() {
    for repairs in [1_u16, 2, 3, 40] {
        let mut cluster = one_has_missed(repairs.into());
        assert_eq!(epochs(&cluster), [repairs, repairs, 0]);
        cluster.meet();
        cluster.pass(2_000);
        assert_eq!(epochs(&cluster), [repairs; 3]);
        assert_eq!(cluster.value(2, "x"), Some((repairs - 1).to_string()));
        assert_eq!(cluster.nodes[2].root(), cluster.nodes[0].root());
        // It takes part again, and what it acknowledges counts.
        let request = cluster.write(2, "x", Some("new"), Level::All);
        assert!(cluster.receipt(request).clone().unwrap().is_reached);
        assert_eq!(cluster.value(0, "x").as_deref(), Some("new"));
    }
}

#[test]
fn one_member_is_enough_to_catch_up_with_missed_repairs() {
    let mut cluster = one_has_missed(5);
    cluster.nodes.iter_mut().for_each(|node| node.timers.round_ms = u64::MAX);
    cluster.nodes[0] = Replica::new(Options::new("other", NodeId::new(1)), Loaded::default(), Now::default()).0;
    let request = cluster.write(1, "y", Some("on"), Level::Majority);
    assert!(cluster.receipt(request).clone().unwrap().is_reached, "{:?}", cluster.receipt(request));
    assert_eq!((cluster.status(2).epoch, cluster.value(2, "y").as_deref()), (5, Some("on")));
}

#[test]
fn a_fresh_node_joins_after_many_repairs() {
    let mut cluster = one_has_missed(4);
    cluster.nodes[2] = Replica::new(Options::new("tests", NodeId::new(3)), Loaded::default(), cluster.now(2)).0;
    cluster.meet();
    cluster.pass(4_000);
    assert_eq!(epochs(&cluster), [4; 3]);
    assert_eq!(cluster.nodes[2].root(), cluster.nodes[0].root());
}

#[test]
fn an_epoch_without_a_repair_does_not_begin() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(3_000);
    repair(&mut cluster, 1);
    cluster.write(1, "x", Some("right"), Level::All);
    let millis = START_MS + cluster.steady_ms;
    for epoch in [2, 3, 10_001, u16::MAX] {
        let stamp = Stamp::new(epoch, millis, 0, NodeId::new(2));
        let forged =
            |key: &[u8], value: &[u8]| Register { key: key.into(), stamp, value: Some(value.into()), ..register(0) };
        let mut registers = vec![forged(b"x", b"forged")];
        if epoch > 2 {
            // A repair without those before it.
            registers.push(forged(crate::replica::epoch::KEY, b""));
        }
        let summary = Summary { clock: stamp, yours: stamp, ..summary(millis, stamp) };
        for body in [
            Body::Push { registers: registers.clone(), awaited: Awaited::Everybody },
            Body::Repair(registers),
            Body::Ack(vec![stamp]),
            Body::RootRequest(summary),
        ] {
            cluster.hear(0, 2, body);
            cluster.pass(1_000);
        }
        assert_eq!(epochs(&cluster), [1; 3], "{epoch}");
        assert_eq!(cluster.value(0, "x").as_deref(), Some("right"));
    }
    assert!(cluster.nodes[0].quarantine().count() > 0);
    // A later write supersedes it here, and so do the next repairs.
    let request = cluster.write(0, "x", Some("later"), Level::All);
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
    repair(&mut cluster, 0);
    cluster.write(1, "x", Some("last"), Level::All);
    cluster.pass(3_000);
    assert_eq!(epochs(&cluster), [2; 3]);
    assert!((0..3).all(|node| cluster.value(node, "x").as_deref() == Some("last")));
}

#[test]
fn a_node_that_knows_no_remaining_member_catches_up() {
    // All that it knows are gone, and the entry of the one that is there is of an epoch that it does not live in.
    let mut cluster = one_has_missed(3);
    let all = cluster.nodes[0].get(crate::replica::epoch::KEY).unwrap().clone();
    let stamp = Stamp::new(3, all.stamp.millis(), 9, NodeId::new(77));
    cluster.hear(2, 77, Body::Repair(vec![Register { stamp, ..member(77) }]));
    assert!(cluster.nodes[2].members().all(|member| member.node != NodeId::new(77)));
    cluster.hear(2, 77, Body::Repair(vec![all]));
    assert_eq!(cluster.status(2).epoch, 3);
    assert!(cluster.nodes[2].members().any(|member| member.node == NodeId::new(77)));
}

#[test]
fn a_repair_by_a_clock_ahead_is_refused_and_later_ones_count() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(3_000);
    let stamp = Stamp::new(1, START_MS + 3_600_000, 0, NodeId::new(2));
    let key: Arc<[u8]> = crate::replica::epoch::KEY.into();
    let ahead = Register { key: Arc::clone(&key), stamp, ..register(0) };
    cluster.hear(0, 2, Body::Repair(vec![ahead.clone()]));
    let status = cluster.status(0);
    assert_eq!((status.epoch, status.quarantined, status.counters.repairs_refused), (0, 0, 1));
    repair(&mut cluster, 1);
    cluster.pass(3_000);
    assert_eq!(epochs(&cluster), [1; 3]);
    // In the epoch itself it is a register like any other, that no node can accept.
    cluster.hear(0, 2, Body::Repair(vec![ahead]));
    for (request, resolution) in [(1_001, Resolution::Accept), (1_002, Resolution::Drop)] {
        let (key, actor, reason) = (Arc::clone(&key), "dana".into(), "".into());
        cluster.handle(0, Input::Resolve { request, key, stamp, resolution, actor, reason });
    }
    assert_eq!(cluster.receipt(1_001), &Err(WriteError::Invalid { index: 0 }));
    assert!(cluster.receipt(1_002).clone().unwrap().is_reached);
    repair(&mut cluster, 0);
    cluster.pass(3_000);
    assert_eq!(epochs(&cluster), [2; 3]);
    let listed = crate::replica::epoch::repairs(cluster.nodes[2].get(&key).unwrap());
    assert!(listed.contains(&1) && listed.contains(&2));
}

#[test]
fn a_clock_is_not_repaired_beyond_the_last_epoch() {
    let loaded = Loaded {
        registers: vec![Register { stamp: Stamp::new(limits::EPOCHS_MAX, 5, 0, NodeId::new(1)), ..register(0) }],
        ..Loaded::default()
    };
    let mut cluster = Cluster::loaded(vec![loaded]);
    cluster.handle(0, Input::RaiseEpoch { request: 7, actor: "dana".into(), reason: "".into() });
    assert_eq!(cluster.receipt(7), &Err(WriteError::EpochsExhausted { epochs: limits::EPOCHS_MAX }));
}

/// A node that does not know all members yet waits for too few confirmations. So a repair does not make a removal old: a floor
/// from it would refuse what the others wrote meanwhile.
#[test]
fn a_tombstone_of_an_earlier_epoch_is_collected_no_sooner_than_others() {
    let timing = crate::Timing { tombstone_ms: 20_000, ..crate::Timing::default() };
    let with = |options| Options { timing, ..options };
    let mut cluster = Cluster::made(vec![Loaded::default()], with);
    cluster.pass(3_000);
    cluster.write(0, "x", None, Level::Local);
    cluster.handle(0, Input::RaiseEpoch { request: 99, actor: "dana".into(), reason: "".into() });
    cluster.pass(15_000);
    assert!(cluster.nodes[0].get(b"x").is_some(), "it is not old enough");
    cluster.pass(15_000);
    assert!(cluster.nodes[0].get(b"x").is_none());
}

#[test]
fn writes_by_a_clock_ahead_are_quarantined_and_a_new_epoch_fixes_the_clock() {
    let mut cluster = Cluster::new(3);
    cluster.wall_ms[0] += 3_600_000;
    // No node is reachable that could have a newer epoch.
    cluster.write(0, "x", Some("future"), Level::Local);
    cluster.meet();
    cluster.pass(3_000);
    assert_eq!(cluster.value(0, "x").as_deref(), Some("future"));
    assert_eq!(cluster.value(1, "x"), None);
    assert_eq!(cluster.nodes[1].status(cluster.now(1)).quarantined, 1);
    cluster.pass(12_000);
    // By now the node knows that its clock is off.
    let refused = cluster.write(0, "y", Some("future"), Level::Local);
    assert!(matches!(cluster.receipt(refused), Err(WriteError::ClockOff { offset_ms }) if *offset_ms > 3_500_000));
    cluster.wall_ms[0] -= 3_600_000;
    cluster.pass(12_000);
    let refused = cluster.write(0, "y", Some("now"), Level::Local);
    assert!(matches!(cluster.receipt(refused), Err(WriteError::ClockPoisoned { .. })));
    let request = 1_000;
    cluster.handle(0, Input::RaiseEpoch { request, actor: "dana".into(), reason: "clock".into() });
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
    cluster.pass(12_000);
    let written = cluster.write(0, "x", Some("now"), Level::All);
    assert!(cluster.receipt(written).clone().unwrap().is_reached);
    assert_eq!(cluster.value(2, "x").as_deref(), Some("now"));
}

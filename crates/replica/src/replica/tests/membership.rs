//! Members: enrolling, names and addresses, forgetting, and members that are silent.

use super::*;

#[test]
fn a_node_that_refuses_writes_does_not_enrol() {
    let member = Register {
        key: crate::membership::key(NodeId::new(9)),
        value: Some(crate::membership::member("nine", None)),
        stamp: Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(9)),
        ..register(0)
    };
    let loaded = Loaded { registers: vec![member], ..Loaded::default() };
    let mut cluster = Cluster::loaded(vec![loaded]);
    cluster.pass(2_000);
    // Its stamp would lie an hour ahead, and everybody would set it aside.
    let status = cluster.nodes[0].status(cluster.now(0));
    assert!(matches!(status.writes_refused, Some(WriteError::ClockPoisoned { .. })));
    assert_eq!(status.members.len(), 1);
    let request = 1_000;
    cluster.handle(0, Input::RaiseEpoch { request, actor: "dana".into(), reason: "clock".into() });
    cluster.pass(2_000);
    assert_eq!(cluster.nodes[0].status(cluster.now(0)).members.len(), 2);
}

#[test]
fn a_member_silent_for_a_week_is_listed_until_it_is_forgotten() {
    let (mut replica, start) = put_back();
    let day = 24 * 3_600_000;
    let after = |ms: u64| Now { wall_ms: start.wall_ms + ms, steady_ms: start.steady_ms + ms };
    let hello = Message { instance: 2, gc_floor: Stamp::ZERO, body: Body::Hello }.encode();
    replica.handle(Input::Message { from: NodeId::new(2), bytes: hello }, after(day));
    assert_eq!(replica.status(after(7 * day - 1)).silent, []);
    assert_eq!(replica.status(after(7 * day)).silent, [3, 4, 5].map(NodeId::new));
    assert_eq!(replica.status(after(8 * day)).silent, [2, 3, 4, 5].map(NodeId::new));
    let (node, now) = (NodeId::new(3), after(8 * day));
    replica.handle(Input::Forget { request: 1, node, actor: "dana".into(), reason: "".into() }, now);
    assert_eq!(replica.status(now).silent, [2, 4, 5].map(NodeId::new));
}

#[test]
fn a_member_announces_its_new_name_and_address() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(3_000);
    let entry = |cluster: &Cluster, index: usize| {
        let member = cluster.nodes[index].members().find(|member| member.node == NodeId::new(1)).unwrap();
        (member.name.clone(), member.address.clone(), member.since)
    };
    let before = entry(&cluster, 1);
    assert_eq!(before.1, None);
    // The same disk under another name, at another address.
    let registers = cluster.nodes[0].table.iter().cloned().collect();
    let loaded = Loaded { registers, meta: Some(cluster.nodes[0].durable.encode()), is_damaged: false };
    let options = Options {
        name: "one".to_owned(),
        address: Some("node-1.example:7400".to_owned()),
        ..Options::new("tests", NodeId::new(1))
    };
    let (replica, output) = Replica::new(options, loaded, cluster.now(0));
    cluster.nodes[0] = replica;
    cluster.perform(0, output);
    cluster.pass(5_000);
    for index in 0..3 {
        let (name, address, since) = entry(&cluster, index);
        assert_eq!((name.as_str(), address.as_deref()), ("one", Some("node-1.example:7400")));
        assert!(since > before.2);
    }
    // Nothing is written while nothing changes.
    let written = entry(&cluster, 0);
    cluster.pass(10_000);
    assert_eq!(entry(&cluster, 2), written);
}

#[test]
fn a_forgotten_member_does_not_enrol_to_announce_its_address() {
    let mut cluster = Cluster::new(2);
    cluster.meet();
    cluster.pass(3_000);
    let node = NodeId::new(1);
    cluster.is_cut = true;
    cluster.handle(1, Input::Forget { request: 1_000, node, actor: "dana".into(), reason: "".into() });
    let own = cluster.nodes[1].get(&crate::membership::key(node)).unwrap().clone();
    cluster.nodes[0].options.address = Some("node-1.example:7400".to_owned());
    let mut replica = Replica::new(
        cluster.nodes[0].options.clone(),
        Loaded { registers: vec![own], ..Loaded::default() },
        cluster.now(0),
    );
    let ticked = replica.0.handle(Input::Tick, Now { steady_ms: 60_000, ..cluster.now(0) });
    assert!(ticked.broadcast.is_empty() && replica.0.membership.get(node).unwrap().is_forgotten);
}

#[test]
fn a_node_cannot_forget_itself() {
    let mut cluster = Cluster::new(1);
    cluster.write(0, "x", Some("on"), Level::Majority);
    let (node, request) = (NodeId::new(1), 1_000);
    cluster.handle(0, Input::Forget { request, node, actor: "dana".into(), reason: "".into() });
    assert_eq!(cluster.receipt(request), &Err(WriteError::ForgetsItself { node }));
    let written = cluster.write(0, "x", Some("off"), Level::Majority);
    assert!(cluster.receipt(written).clone().unwrap().is_reached);
}

#[test]
fn a_member_that_enrolled_by_a_wrong_clock_enrols_again_after_the_repair() {
    let mut cluster = Cluster::new(3);
    cluster.wall_ms[0] += HOUR_MS;
    // Each enrols alone, the first by its wrong clock.
    cluster.is_cut = true;
    for index in 0..3 {
        let options = Options::new("tests", NodeId::new(index as u64 + 1));
        let (replica, output) = Replica::new(options, Loaded::default(), cluster.now(index));
        cluster.nodes[index] = replica;
        cluster.perform(index, output);
    }
    cluster.pass(1_000);
    cluster.is_cut = false;
    cluster.meet();
    cluster.pass(3_000);
    let knows =
        |cluster: &Cluster, node: usize| cluster.nodes[node].members().any(|member| member.node == NodeId::new(1));
    assert!(!knows(&cluster, 1) && !knows(&cluster, 2));
    cluster.wall_ms[0] -= HOUR_MS;
    cluster.pass(62_000);
    assert!(!knows(&cluster, 1));
    cluster.handle(0, Input::RaiseEpoch { request: 900, actor: "dana".into(), reason: "".into() });
    cluster.pass(3_000);
    assert!(knows(&cluster, 1) && knows(&cluster, 2));
    assert_eq!(cluster.status(1).quarantined, 0);
}

#[test]
fn a_single_node_whose_clock_was_ahead_enrols_once() {
    let mut cluster = Cluster::new(1);
    cluster.wall_ms[0] -= HOUR_MS;
    let since = |cluster: &Cluster| cluster.nodes[0].members().next().unwrap().since;
    let before = since(&cluster);
    cluster.pass(10_000);
    assert_eq!(since(&cluster), before);
}

#[test]
fn a_member_enrols_again_when_its_name_or_its_address_alone_changes() {
    let address = "node-1.example:7400";
    for (name, address) in [("one", None), ("tests", Some(address)), ("one", Some(address))] {
        let mut cluster = Cluster::new(1);
        cluster.pass(3_000);
        cluster.nodes[0].options.name = name.to_owned();
        cluster.nodes[0].options.address = address.map(str::to_owned);
        cluster.pass(3_000);
        let member = cluster.nodes[0].members().next().unwrap().clone();
        assert_eq!((member.name.as_str(), member.address.as_deref()), (name, address));
    }
}

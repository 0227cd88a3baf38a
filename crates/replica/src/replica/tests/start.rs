//! The first seconds of a node, and what it says of clocks.

use super::*;

#[test]
fn a_write_in_the_first_seconds_keeps_its_timeout() {
    let mut cluster = Cluster::expecting(2);
    cluster.is_cut = true;
    let request = cluster.write(0, "x", Some("on"), Level::Local);
    assert!(cluster.receipts.is_empty());
    let now = cluster.now(0);
    let due = cluster.nodes[0].handle(Input::Tick, now).wake_at_ms;
    assert!(due <= 500, "{due}");
    cluster.pass(500);
    assert_eq!(cluster.receipt(request), &Err(WriteError::Starting));
    cluster.pass(2_000);
    assert_eq!((cluster.value(0, "x"), cluster.receipts.len()), (None, 1));
}

#[test]
fn a_write_whose_time_is_not_over_is_made_when_the_others_have_been_heard() {
    let mut cluster = Cluster::expecting(2);
    let request = cluster.write(0, "x", Some("on"), Level::Majority);
    cluster.pass(200);
    cluster.meet();
    cluster.pass(200);
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
}

#[test]
fn an_operator_s_command_in_the_first_seconds_issues_no_stamp() {
    let mut cluster = Cluster::expecting(2);
    cluster.is_cut = true;
    let stamp = Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(9));
    cluster.hear(0, 9, Body::Repair(vec![Register { stamp, ..register(1) }, member(5)]));
    let (key, resolution, node) = (register(1).key, Resolution::Drop, NodeId::new(5));
    let (actor, reason): (Arc<str>, Arc<str>) = ("dana".into(), "".into());
    let inputs = |from: u64| {
        let (key, actor, reason) = (Arc::clone(&key), Arc::clone(&actor), Arc::clone(&reason));
        [
            Input::Resolve {
                request: from,
                key,
                stamp,
                resolution,
                actor: Arc::clone(&actor),
                reason: Arc::clone(&reason),
            },
            Input::Forget { request: from + 1, node, actor: Arc::clone(&actor), reason: Arc::clone(&reason) },
            Input::RaiseEpoch { request: from + 2, actor, reason },
        ]
    };
    for input in inputs(1) {
        cluster.handle(0, input);
    }
    assert!((1..=3).all(|request| cluster.receipt(request) == &Err(WriteError::Starting)));
    cluster.pass(2_100);
    for input in inputs(11) {
        cluster.handle(0, input);
    }
    cluster.pass(2_100);
    assert!((11..=13).all(|request| cluster.receipt(request).is_ok()));
}

#[test]
fn what_others_hold_of_an_epoch_that_is_over_does_not_keep_a_node_from_writing() {
    // All clocks were ahead once, and the cluster was repaired: the others hold stamps of this node from the future of then.
    let repaired = Register {
        key: crate::replica::epoch::KEY.into(),
        stamp: Stamp::new(1, START_MS - 9, 0, NodeId::new(2)),
        ..register(0)
    };
    let loaded = Loaded { registers: (1..=3).map(member).chain([repaired]).collect(), ..Loaded::default() };
    let now = Now { wall_ms: START_MS, steady_ms: 5 };
    let options = Options { expects_peers: true, ..Options::new("tests", NodeId::new(1)) };
    let mut replica = Replica::new(options, loaded, now).0;
    for node in [2, 3] {
        let yours = Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(1));
        let told = Summary { clock: Stamp::new(1, START_MS, 0, NodeId::new(node)), ..summary(START_MS, yours) };
        let bytes = Message { instance: node, gc_floor: Stamp::ZERO, body: Body::RootRequest(told) }.encode();
        replica.handle(Input::Message { from: NodeId::new(node), bytes }, now);
    }
    assert!(replica.can_write_now(now));
}

#[test]
fn a_node_is_in_sync_once_it_has_what_one_member_has() {
    let members = || (1..=2).map(member).collect::<Vec<_>>();
    let full = Loaded { registers: (0..50).map(register).chain(members()).collect(), ..Loaded::default() };
    let empty = Loaded { registers: members(), ..Loaded::default() };
    let mut cluster = Cluster::made(vec![empty, full], |options| Options { expects_peers: true, ..options });
    cluster.is_cut = true;
    cluster.pass(5_000);
    assert!(!cluster.nodes[0].is_synced() && !cluster.status(0).is_synced);
    cluster.is_cut = false;
    cluster.meet();
    let mut held = cluster.nodes[0].iter().count();
    while !cluster.nodes[0].is_synced() {
        assert!(cluster.steady_ms < 7_000);
        cluster.pass(100);
        held = cluster.nodes[0].iter().count();
    }
    assert_eq!(held, 50);
    // It stays so when the other one goes.
    cluster.is_cut = true;
    cluster.write(1, "y", Some("on"), Level::Local);
    cluster.pass(3_000);
    assert!(cluster.nodes[0].is_synced());
}

#[test]
fn a_node_is_in_sync_though_the_roots_differ_for_long() {
    let members = || (1..=2).map(member).collect::<Vec<_>>();
    let future = Register { stamp: Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(9)), ..register(7) };
    let full = Loaded { registers: members().into_iter().chain([register(1), future]).collect(), ..Loaded::default() };
    let empty = Loaded { registers: members(), ..Loaded::default() };
    let mut cluster = Cluster::made(vec![empty, full], |options| Options { expects_peers: true, ..options });
    cluster.meet();
    cluster.pass(3_000);
    assert_ne!(cluster.nodes[0].root(), cluster.nodes[1].root());
    assert!(cluster.nodes[0].is_synced() && cluster.value(0, "k1").is_some());
}

#[test]
fn what_is_no_member_does_not_make_a_node_in_sync() {
    let mut cluster = Cluster::made(vec![Loaded::default(), Loaded::default()], |options| Options {
        expects_peers: true,
        is_durable: options.node == NodeId::new(1),
        ..options
    });
    cluster.meet();
    cluster.pass(10_000);
    assert_eq!(cluster.nodes[0].root(), cluster.nodes[1].root());
    assert!(!cluster.nodes[0].is_synced(), "the other one is a reader");
    assert!(cluster.nodes[1].is_synced());
}

#[test]
fn a_node_alone_that_expects_nobody_is_in_sync() {
    assert!(Cluster::new(1).nodes[0].is_synced());
}

#[test]
fn of_two_nodes_both_see_that_a_clock_is_off() {
    for (off_ms, is_off) in [(0, false), (499, false), (500, true), (4_000, true), (3_600_000, true)] {
        let mut cluster = Cluster::expecting(2);
        cluster.wall_ms[1] += off_ms;
        cluster.meet();
        cluster.pass(3_000);
        for (node, sign) in [(0, 1), (1, -1)] {
            let status = cluster.status(node);
            let offset = sign * i64::try_from(off_ms).unwrap();
            assert_eq!(
                (status.peers[0].clock_offset_ms, status.peers[0].is_clock_off),
                (Some(offset), is_off),
                "{off_ms}"
            );
            assert_eq!(status.clock_offset_ms, Some(-offset / 2));
            // With a single other clock nobody knows which one is wrong.
            assert!(!matches!(status.writes_refused, Some(WriteError::ClockOff { .. })));
        }
    }
}

#[test]
fn a_message_that_was_long_on_its_way_says_little_of_a_clock() {
    let (mut replica, now) = put_back();
    let peer = NodeId::new(2);
    let output = replica.handle(Input::PeerUp { node: peer, instance: 2 }, now);
    let asked = output.send.iter().find_map(|(_, bytes)| match Message::decode(bytes).unwrap().0.body {
        Body::RootRequest(summary) => Some(summary),
        _ => None,
    });
    let later = Now { wall_ms: now.wall_ms + 1_000, steady_ms: now.steady_ms + 1_000 };
    let summary = Summary { echo_ms: now.steady_ms, wall_ms: now.wall_ms + 1_400, ..asked.unwrap() };
    let body = Body::RootReply { summary, is_same: true, is_durable: true, children: [0; 16] };
    let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body }.encode();
    replica.handle(Input::Message { from: peer, bytes }, later);
    let status = replica.status(later);
    assert_eq!((status.peers[0].clock_offset_ms, status.peers[0].is_clock_off), (Some(900), false));
}

#[test]
fn of_two_middle_clocks_the_one_nearer_to_this_one_counts() {
    let (mut replica, now) = put_back();
    let mut hear = |clocks: [i64; 3]| {
        for (node, offset) in (2..).zip(clocks) {
            let peer = replica.peers.entry(NodeId::new(node)).or_default();
            peer.offset = Some((offset, now.steady_ms));
        }
        (
            replica.status(now).clock_offset_ms,
            matches!(replica.status(now).writes_refused, Some(WriteError::ClockOff { .. })),
        )
    };
    assert_eq!(hear([1_000, 7_000, 8_000]), (Some(-1_000), false));
    assert_eq!(hear([-8_000, -7_000, -1_000]), (Some(1_000), false));
    assert_eq!(hear([6_000, 7_000, 8_000]), (Some(-6_000), true));
}

#[test]
fn the_drift_that_is_allowed_has_bounds() {
    for (wanted, ahead_ms, is_taken) in [
        (60_000, 59_000, true),
        (60_000, 61_000, false),
        (10_000_000, 59_000, true),
        (10_000_000, 61_000, false),
        (0, 400, true),
        (0, 600, false),
    ] {
        let mut cluster = Cluster::made(vec![Loaded::default()], |options| Options { max_drift_ms: wanted, ..options });
        let stamp = Stamp::new(0, START_MS + ahead_ms, 0, NodeId::new(9));
        cluster.hear(0, 9, Body::Repair(vec![Register { stamp, ..register(1) }]));
        assert_eq!(cluster.value(0, "k1").is_some(), is_taken, "{wanted} {ahead_ms}");
    }
}

/// It knows no member but itself, and would wait for nobody: what the others have written since would stand under its floor.
#[test]
fn a_node_that_has_not_heard_the_others_since_its_start_collects_nothing() {
    let timing = crate::Timing { tombstone_ms: 20_000, ..crate::Timing::default() };
    let removed = Register { value: None, ..register(1) };
    let own = Register {
        key: membership::key(NodeId::new(1)),
        stamp: Stamp::new(0, START_MS - 1_000_000, 0, NodeId::new(1)),
        value: Some(membership::member("a", None)),
        ..register(0)
    };
    let loaded = Loaded { registers: vec![removed, own], ..Loaded::default() };
    let with = |options| Options { expects_peers: true, timing, ..options };
    let mut cluster = Cluster::made(vec![loaded, Loaded::default()], with);
    cluster.is_cut = true;
    cluster.pass(60_000);
    assert!(cluster.nodes[0].get(b"k1").is_some());
    cluster.is_cut = false;
    cluster.meet();
    cluster.pass(60_000);
    assert!(cluster.nodes[0].get(b"k1").is_none(), "after a comparison it is collected");
}

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
fn a_waiting_write_is_made_once_enough_members_have_answered() {
    let mut cluster = Cluster::expecting(2);
    let request = cluster.write(0, "x", Some("on"), Level::Majority);
    cluster.pass(200);
    cluster.meet();
    cluster.pass(200);
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
}

#[test]
fn operator_commands_are_refused_in_the_first_seconds() {
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
fn stamps_of_an_earlier_epoch_do_not_block_the_first_write() {
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
fn a_node_is_in_sync_once_it_holds_what_one_member_holds() {
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
fn a_node_is_in_sync_although_roots_differ() {
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
fn a_reader_does_not_make_a_node_in_sync() {
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
fn a_node_that_expects_no_peers_is_in_sync() {
    assert!(Cluster::new(1).nodes[0].is_synced());
}

#[test]
fn a_node_on_a_restored_disk_writes_above_the_stamps_of_a_majority() {
    let (mut replica, now) = put_back();
    let change = Change {
        key: b"x".as_slice().into(),
        value: None,
        actor: "dana".into(),
        reason: "".into(),
        expected: Expected::Anything,
    };
    replica.handle(Input::Write { request: 1, changes: vec![change], level: Level::Local, timeout_ms: 500 }, now);
    let used = Stamp::new(0, START_MS + 4_000, 7, NodeId::new(1));
    for (node, yours) in [(2, Stamp::ZERO), (3, Stamp::ZERO), (3, Stamp::ZERO), (4, used)] {
        // Two more of five may be those that do not have what three had acknowledged, this one among them.
        assert_eq!(replica.get(b"x"), None, "before word from {node}");
        let bytes =
            Message { instance: node, gc_floor: Stamp::ZERO, body: Body::RootRequest(summary(START_MS, yours)) }
                .encode();
        replica.handle(Input::Message { from: NodeId::new(node), bytes }, now);
    }
    assert!(replica.get(b"x").unwrap().stamp > used);
}

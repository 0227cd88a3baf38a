//! Two nodes that compare come to hold the same, whatever lies in a leaf.

use std::sync::LazyLock;

use super::*;

/// Keys of which several lie in one leaf of the tree.
static CROWDED: LazyLock<Vec<Arc<[u8]>>> = LazyLock::new(|| {
    let table = Table::new("tests");
    let mut leaves: BTreeMap<u64, Vec<Arc<[u8]>>> = BTreeMap::new();
    for number in 0..150_000_u64 {
        let key: Arc<[u8]> = format!("k{number}").into_bytes().into();
        leaves.entry(table.hash(&key) >> 48).or_default().push(key);
    }
    let mut crowded: Vec<Vec<Arc<[u8]>>> = leaves.into_values().filter(|keys| keys.len() >= 5).take(2).collect();
    assert_eq!(crowded.len(), 2);
    for keys in &mut crowded {
        keys.truncate(5);
    }
    crowded.concat()
});

/// Contents of one stamp, in the order of their ranks, with the tombstone in the middle.
fn contents() -> Vec<Option<Arc<[u8]>>> {
    let of = |value: Option<Arc<[u8]>>| Register { value, ..register(0) };
    let mut values: Vec<Option<Arc<[u8]>>> = (0..8_u8).map(|byte| Some(Arc::from([byte].as_slice()))).collect();
    values.push(None);
    values.sort_by(|one, other| of(one.clone()).rank(&of(other.clone())));
    let tombstone = values.iter().position(Option::is_none).unwrap();
    assert!(tombstone > 0 && tombstone + 1 < values.len(), "values rank on both sides of the tombstone");
    vec![values[tombstone - 1].clone(), None, values[tombstone + 1].clone()]
}

/// What two nodes hold of the crowded keys: key, millisecond and content of each register.
fn holdings() -> impl Strategy<Value = [Vec<(usize, u64, usize)>; 2]> {
    let held = || vec((0..10_usize, 0..3_u64, 0..3_usize), 0..20);
    [held(), held()]
}

fn loaded(held: &[(usize, u64, usize)], keys: &[Arc<[u8]>], contents: &[Option<Arc<[u8]>>]) -> Loaded {
    let registers = held.iter().map(|(key, millis, content)| Register {
        key: Arc::clone(&keys[*key]),
        stamp: Stamp::new(0, START_MS - 10 + millis, 0, NodeId::new(9)),
        value: contents[*content].clone(),
        ..register(0)
    });
    Loaded { registers: registers.collect(), ..Loaded::default() }
}

/// Nodes that meet, and compare leaves: what one lacks does not come in a stream of everything.
fn compared_only(loaded: Vec<Loaded>) -> Cluster {
    let mut cluster = Cluster::loaded(loaded);
    for node in &mut cluster.nodes {
        node.is_synced = true;
    }
    cluster.meet();
    cluster
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_nodes_converge_to_the_greatest_registers_of_both(held in holdings()) {
        let (keys, contents) = (&*CROWDED, contents());
        let all = held.each_ref().map(|held| loaded(held, keys, &contents));
        let mut expected = Table::new("tests");
        for register in all.iter().flat_map(|loaded| &loaded.registers) {
            expected.merge(register.clone(), false);
        }
        let mut cluster = compared_only(all.to_vec());
        cluster.pass(3_000);
        for (index, node) in cluster.nodes.iter().enumerate() {
            let held: Vec<&Register> = node.iter().collect();
            prop_assert_eq!(held, expected.iter().collect::<Vec<_>>(), "node {}", index);
            let tombstones = expected.iter().filter(|register| register.is_tombstone()).count();
            prop_assert_eq!(cluster.status(index).tombstones, tombstones);
        }
        prop_assert_eq!(cluster.nodes[0].root(), cluster.nodes[1].root());
    }
}

#[test]
fn two_contents_with_one_stamp_converge_in_a_leaf_with_other_keys() {
    let (keys, contents) = (&*CROWDED, contents());
    for (one, other) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)] {
        let beside = [(1, 0, 0), (2, 0, 1), (3, 0, 2)];
        let with = |content: usize| [&[(0, 1, content)], beside.as_slice()].concat();
        let mut cluster = compared_only([one, other].map(|content| loaded(&with(content), keys, &contents)).to_vec());
        cluster.pass(3_000);
        for node in &cluster.nodes {
            assert_eq!(node.get(&keys[0]).unwrap().value, contents[one.max(other)], "{one} {other}");
        }
    }
}

#[test]
fn one_stale_of_100_000_costs_2_kb() {
    let (mut stale, fresh) = (with(0..100_000), with(0..100_000));
    stale.registers.truncate(99_999);
    let mut cluster = Cluster::loaded(vec![stale, fresh]);
    cluster.sent = (0, 0);
    cluster.handle(0, Input::PeerUp { node: NodeId::new(2), instance: 2 });
    assert_eq!(cluster.value(0, "k99999").as_deref(), Some("{\"percentage\":\"20\"}"));
    let (messages, bytes) = cluster.sent;
    // Five questions and their answers, and the word that the register is there.
    assert!(messages <= 11 && bytes <= 2_048, "{messages} messages, {bytes} bytes");
}

#[test]
fn a_new_node_fetches_a_snapshot() {
    let mut cluster = Cluster::loaded(vec![Loaded::default(), with(0..20_000)]);
    cluster.handle(0, Input::PeerUp { node: NodeId::new(2), instance: 2 });
    cluster.pass(5_000);
    assert_eq!(cluster.nodes[0].root(), cluster.nodes[1].root());
    assert_eq!(cluster.nodes[0].iter().count(), 20_000);
}

#[test]
fn a_root_reply_to_another_process_is_ignored() {
    let (mut replica, now) = put_back();
    let peer = NodeId::new(2);
    let floor = Stamp::new(0, START_MS - 1, 0, peer);
    let output = replica.handle(Input::PeerUp { node: peer, instance: 2 }, now);
    let asked = output.send.iter().find_map(|(_, bytes)| match Message::decode(bytes).unwrap().0.body {
        Body::RootRequest(summary) => Some(summary),
        _ => None,
    });
    let asked = Summary { echo_ms: now.steady_ms, ..asked.unwrap() };
    let others = [
        Summary { echo_ms: 4, ..asked },
        Summary { merges: asked.merges + 1, ..asked },
        Summary { root: asked.root ^ 1, ..asked },
    ];
    let mut floor_after = |summary: Summary| {
        let body = Body::RootReply { summary, is_same: true, is_durable: true, children: [0; 16] };
        let bytes = Message { instance: 2, gc_floor: floor, body }.encode();
        replica.handle(Input::Message { from: peer, bytes }, now);
        replica.status(now).gc_floor
    };
    for other in others {
        assert_eq!(floor_after(other), Stamp::ZERO, "{other:?}");
    }
    assert_eq!(floor_after(asked), floor);
}

#[test]
fn a_root_reply_does_not_cover_registers_that_came_after_the_request() {
    let (mut replica, now) = put_back();
    let peer = NodeId::new(2);
    let output = replica.handle(Input::PeerUp { node: peer, instance: 2 }, now);
    let asked = output.send.iter().find_map(|(_, bytes)| match Message::decode(bytes).unwrap().0.body {
        Body::RootRequest(summary) => Some(summary),
        _ => None,
    });
    // Another node, which has not collected, hands in what the peer has removed.
    let push = Message {
        instance: 3,
        gc_floor: Stamp::ZERO,
        body: Body::Push { registers: vec![register(0)], awaited: Awaited::Everybody },
    }
    .encode();
    replica.handle(Input::Message { from: NodeId::new(3), bytes: push }, now);
    let summary = Summary { echo_ms: now.steady_ms, ..asked.unwrap() };
    let body = Body::RootReply { summary, is_same: true, is_durable: true, children: [0; 16] };
    let bytes = Message { instance: 2, gc_floor: Stamp::new(0, START_MS - 1, 0, peer), body }.encode();
    replica.handle(Input::Message { from: peer, bytes }, now);
    assert_eq!(replica.status(now).gc_floor, Stamp::ZERO);
}

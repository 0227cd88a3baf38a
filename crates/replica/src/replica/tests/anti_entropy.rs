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
    fn two_nodes_agree_on_the_greatest_of_all_that_both_had(held in holdings()) {
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
fn two_contents_under_one_stamp_converge_beside_other_keys() {
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
fn a_tombstone_that_came_late_is_not_taken_for_a_collected_one() {
    // Both claim the floor: whoever removed it has removed it after the collection, by a clock that was behind.
    let cluster = tombstone_beside(floor(1_000), floor(1_000));
    for node in 0..2 {
        assert!(cluster.nodes[node].get(b"x").is_some_and(Register::is_tombstone), "{node}");
    }
}

#[test]
fn a_floor_of_a_clock_that_is_ahead_collects_nothing_here() {
    let ahead = Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(2));
    let cluster = tombstone_beside(Stamp::ZERO, ahead);
    assert!(cluster.nodes[0].get(b"x").is_some_and(Register::is_tombstone));
    assert_eq!(cluster.status(0).gc_floor, Stamp::ZERO);
}

#[test]
fn an_orphaned_floor_is_kept_until_all_have_been_heard_again() {
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
fn a_tombstone_that_supersedes_a_far_stamp_is_no_floor_and_holds_up_no_other() {
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

//! Registers from the future: who releases them, and what outranks them.

use super::*;
use crate::Event;

const HOUR_MS: u64 = 3_600_000;

/// Three nodes, of which the first was an hour ahead when it wrote `x`, alone, and is right again.
fn with_x_from_the_future(value: Option<&str>) -> (Cluster, Stamp) {
    let mut cluster = Cluster::new(3);
    cluster.write(1, "x", Some("44"), Level::Local);
    cluster.meet();
    cluster.pass(3_000);
    cluster.is_cut = true;
    cluster.pass(70_000);
    cluster.wall_ms[0] += HOUR_MS;
    cluster.nodes[0].peers.clear();
    cluster.write(0, "x", value, Level::Local);
    cluster.wall_ms[0] -= HOUR_MS;
    let stamp = cluster.nodes[0].get(b"x").unwrap().stamp;
    cluster.is_cut = false;
    cluster.meet();
    cluster.pass(3_000);
    for node in [1, 2] {
        assert_eq!((cluster.value(node, "x").as_deref(), cluster.status(node).quarantined), (Some("44"), 1));
        assert_eq!(cluster.nodes[node].quarantine().next().unwrap().stamp, stamp);
    }
    (cluster, stamp)
}

fn resolve(cluster: &mut Cluster, index: usize, stamp: Stamp, resolution: Resolution) -> Result<Receipt, WriteError> {
    let request = 5_000 + cluster.receipts.len() as u64;
    let (actor, reason) = ("dana".into(), "INC-7".into());
    let key = b"x".as_slice().into();
    cluster.handle(index, Input::Resolve { request, key, stamp, resolution, actor, reason });
    cluster.receipt(request).clone()
}

fn values(cluster: &Cluster) -> Vec<Option<String>> {
    (0..3).map(|node| cluster.value(node, "x")).collect()
}

#[test]
fn a_write_supersedes_what_is_in_quarantine_on_all_nodes_for_ever() {
    let (mut cluster, stamp) = with_x_from_the_future(Some("88"));
    let request = cluster.write(1, "x", Some("0"), Level::All);
    let receipt = cluster.receipt(request).clone().unwrap();
    assert!(receipt.is_reached, "{receipt:?}");
    let off = || Some("0".to_owned());
    assert_eq!(values(&cluster), [off(), off(), off()]);
    assert!(cluster.nodes[0].get(b"x").unwrap().stamp < stamp);
    assert_eq!((0..3).map(|node| cluster.status(node).quarantined).sum::<usize>(), 0);
    // Its time comes, and somebody sends it once more.
    let late = Register { stamp, key: b"x".as_slice().into(), ..register(0) };
    cluster.pass(10_000);
    cluster.wall_ms.iter_mut().for_each(|wall| *wall += 2 * HOUR_MS);
    cluster.hear(2, 1, Body::Repair(vec![late]));
    cluster.pass(3_000);
    assert_eq!(values(&cluster), [off(), off(), off()]);
    // Later writes need not name it any more, and earlier ones did: whoever has seen the first outranks it.
    let request = cluster.write(2, "x", Some("7"), Level::All);
    assert!(cluster.receipt(request).clone().unwrap().is_reached);
    assert_eq!(cluster.nodes[0].get(b"x").unwrap().supersedes, None);
}

#[test]
fn a_later_write_outranks_one_that_supersedes() {
    let (mut cluster, _) = with_x_from_the_future(Some("88"));
    cluster.write(1, "x", Some("0"), Level::All);
    for (node, value) in [(2, "1"), (1, "2"), (2, "3")] {
        cluster.pass(100);
        let request = cluster.write(node, "x", Some(value), Level::Majority);
        assert!(cluster.receipt(request).clone().unwrap().is_reached);
        assert_eq!(values(&cluster)[1..], [Some(value.to_owned()), Some(value.to_owned())]);
    }
}

#[test]
fn a_repair_of_the_clock_changes_no_value() {
    let (mut cluster, stamp) = with_x_from_the_future(Some("88"));
    for node in [1, 0, 2] {
        let request = 1_000 + node as u64;
        cluster.handle(node, Input::RaiseEpoch { request, actor: "dana".into(), reason: "".into() });
        cluster.pass(12_000);
        let kept = Some("44".to_owned());
        assert_eq!(values(&cluster), [Some("88".to_owned()), kept.clone(), kept], "after the repair on {node}");
        assert_eq!(cluster.nodes[1].quarantine().next().unwrap().stamp, stamp);
    }
    // Its time comes, and nothing newer is there.
    cluster.wall_ms.iter_mut().for_each(|wall| *wall += HOUR_MS);
    cluster.pass(12_000);
    assert_eq!(values(&cluster), vec![Some("88".to_owned()); 3]);
}

#[test]
fn what_was_written_after_a_repair_stays_when_the_time_of_quarantine_comes() {
    let (mut cluster, _) = with_x_from_the_future(Some("88"));
    cluster.handle(1, Input::RaiseEpoch { request: 1_000, actor: "dana".into(), reason: "".into() });
    cluster.pass(12_000);
    cluster.write(2, "x", Some("0"), Level::All);
    cluster.wall_ms.iter_mut().for_each(|wall| *wall += HOUR_MS);
    cluster.pass(12_000);
    assert_eq!(values(&cluster), vec![Some("0".to_owned()); 3]);
}

#[test]
fn dropping_makes_what_is_active_here_active_everywhere() {
    let (mut cluster, stamp) = with_x_from_the_future(Some("88"));
    let wrong = Stamp::new(0, 1, 1, NodeId::new(1));
    let refused = resolve(&mut cluster, 1, wrong, Resolution::Drop);
    assert_eq!(refused, Err(WriteError::NotQuarantined { found: Some(stamp) }));
    let receipt = resolve(&mut cluster, 1, stamp, Resolution::Drop).unwrap();
    assert!(receipt.is_reached);
    cluster.pass(3_000);
    assert_eq!(values(&cluster), vec![Some("44".to_owned()); 3]);
    let active = cluster.nodes[0].get(b"x").unwrap();
    assert_eq!((&*active.actor, &*active.reason, active.stamp), ("dana", "INC-7", receipt.stamp));
    assert_eq!(resolve(&mut cluster, 1, stamp, Resolution::Drop), Err(WriteError::NotQuarantined { found: None }));
}

#[test]
fn accepting_makes_it_active_everywhere_with_a_stamp_of_now() {
    for value in [Some("88"), None] {
        let (mut cluster, stamp) = with_x_from_the_future(value);
        let receipt = resolve(&mut cluster, 2, stamp, Resolution::Accept).unwrap();
        assert!(receipt.is_reached && receipt.stamp < stamp);
        cluster.pass(3_000);
        assert_eq!(values(&cluster), vec![value.map(str::to_owned); 3]);
        assert_eq!((0..3).map(|node| cluster.status(node).quarantined).sum::<usize>(), 0);
    }
}

#[test]
fn dropping_where_nothing_is_active_removes_the_key() {
    let mut cluster = Cluster::new(2);
    cluster.meet();
    cluster.pass(3_000);
    let stamp = Stamp::new(0, START_MS + HOUR_MS, 0, NodeId::new(9));
    let future = Register { key: b"x".as_slice().into(), stamp, ..register(0) };
    cluster.hear(1, 9, Body::Repair(vec![future]));
    assert!(resolve(&mut cluster, 1, stamp, Resolution::Drop).unwrap().is_reached);
    assert!(cluster.nodes[0].get(b"x").is_some_and(Register::is_tombstone));
}

#[test]
fn both_are_in_the_history_and_so_is_what_was_in_quarantine() {
    let (mut cluster, stamp) = with_x_from_the_future(Some("88"));
    let now = cluster.now(1);
    let (key, resolution) = (Arc::<[u8]>::from(b"x".as_slice()), Resolution::Drop);
    let input = Input::Resolve { request: 1, key, stamp, resolution, actor: "dana".into(), reason: "INC-7".into() };
    let output = cluster.nodes[1].handle(input, now);
    let events: Vec<Event> = output.persist.into_iter().flat_map(|batch| batch.history).collect();
    let made = events.iter().find(|event| event.register.stamp != stamp).unwrap();
    assert_eq!((&*made.register.actor, &*made.register.reason), ("dana", "INC-7"));
    let dropped = events.iter().find(|event| event.register.stamp == stamp).unwrap();
    assert_eq!(dropped.lost_to, Some(made.register.stamp));
}

#[test]
fn the_list_says_who_sent_it_and_since_when() {
    let (mut cluster, stamp) = with_x_from_the_future(Some("88"));
    let listed = cluster.nodes[1].quarantine().next().unwrap();
    assert_eq!((&*listed.key, listed.stamp, listed.from), (b"x".as_slice(), stamp, NodeId::new(1)));
    let since = listed.since_ms;
    assert!(since > START_MS + 70_000 && since <= cluster.now(1).wall_ms);
    assert_eq!(cluster.nodes[1].quarantined(b"x").unwrap().value.as_deref(), Some(b"88".as_slice()));
    // It is offered again and again, and is the same one.
    cluster.pass(12_000);
    assert_eq!(cluster.nodes[1].quarantine().next().unwrap().since_ms, since);
    assert_eq!(cluster.status(1).counters.quarantined, 1);
}

#[test]
fn a_member_that_enrolled_by_a_wrong_clock_does_so_again_after_the_repair() {
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
fn a_node_alone_whose_clock_was_ahead_does_not_enrol_again_and_again() {
    let mut cluster = Cluster::new(1);
    cluster.wall_ms[0] -= HOUR_MS;
    let since = |cluster: &Cluster| cluster.nodes[0].members().next().unwrap().since;
    let before = since(&cluster);
    cluster.pass(10_000);
    assert_eq!(since(&cluster), before);
}

#[test]
fn what_is_released_must_not_stand_under_a_collected_tombstone() {
    let floor = Stamp::new(0, START_MS + 10_000, 0, NodeId::new(2));
    let meta = DurableState { enforced_gc_floor: floor, announced_gc_floor: floor, ..DurableState::default() };
    let loaded = Loaded { meta: Some(meta.encode()), ..Loaded::default() };
    let mut cluster = Cluster::loaded(vec![loaded]);
    let of = |key: &[u8], after_ms: u64| Register {
        key: key.into(),
        stamp: Stamp::new(0, START_MS + after_ms, 0, NodeId::new(9)),
        ..register(0)
    };
    // Both had a tombstone here once; who sends them does not know of the first one's end.
    let (below, above) = (of(b"below", 9_000), of(b"above", 11_000));
    cluster.nodes[0].quarantine.insert(Arc::clone(&below.key), QuarantinedRegister::new(below, NodeId::new(2), 0));
    cluster.nodes[0].quarantine.insert(Arc::clone(&above.key), QuarantinedRegister::new(above, NodeId::new(2), 0));
    cluster.pass(12_000);
    assert_eq!((cluster.value(0, "below"), cluster.value(0, "above").is_some()), (None, true));
    assert_eq!(cluster.status(0).quarantined, 0);
}

/// What is in quarantine may itself supersede a stamp far ahead; then its own stamp, from a clock that is ahead of this one, would
/// decide between the two.
#[test]
fn a_write_supersedes_what_is_in_quarantine_also_where_that_supersedes_something() {
    let mut cluster = Cluster::new(2);
    cluster.meet();
    cluster.pass(3_000);
    let ahead = START_MS + HOUR_MS;
    let far = Stamp::new(10_000, ahead, 0, NodeId::new(9));
    let stamp = Stamp::new(0, ahead, 0, NodeId::new(2));
    let waiting = Register { stamp, supersedes: Some(far), key: b"x".as_slice().into(), ..register(0) };
    cluster.hear(0, 2, Body::Repair(vec![waiting.clone()]));
    assert_eq!(cluster.status(0).quarantined, 1);
    cluster.write(0, "x", None, Level::Local);
    let written = cluster.nodes[0].get(b"x").unwrap();
    assert!(written.rank(&waiting).is_gt(), "{written:?}");
    assert_eq!(cluster.status(0).quarantined, 0);
}

/// A removal that supersedes a stamp ahead of the clock is no floor when that time has come: what members wrote meanwhile stands
/// below it, and they may not have sent it yet. It goes with a later removal.
#[test]
fn a_removal_that_supersedes_is_no_floor() {
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
    // The other one is away while it writes, and comes back when the removal is old.
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

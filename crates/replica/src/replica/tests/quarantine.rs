//! Registers from the future: who releases them, and what outranks them.

use super::*;
use crate::Event;

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
fn a_write_supersedes_the_quarantined_register_on_all_nodes() {
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
    // Later writes need not name it any more, and earlier ones did: a writer that has seen the first outranks it.
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
fn a_write_after_a_repair_outranks_the_quarantined_register() {
    let (mut cluster, _) = with_x_from_the_future(Some("88"));
    cluster.handle(1, Input::RaiseEpoch { request: 1_000, actor: "dana".into(), reason: "".into() });
    cluster.pass(12_000);
    cluster.write(2, "x", Some("0"), Level::All);
    cluster.wall_ms.iter_mut().for_each(|wall| *wall += HOUR_MS);
    cluster.pass(12_000);
    assert_eq!(values(&cluster), vec![Some("0".to_owned()); 3]);
}

#[test]
fn drop_makes_the_local_value_active_everywhere() {
    let (mut cluster, stamp) = with_x_from_the_future(Some("88"));
    let wrong = Stamp::new(0, 1, 1, NodeId::new(1));
    let refused = resolve(&mut cluster, 1, wrong, Resolution::Drop);
    assert_eq!(refused, Err(WriteError::NotQuarantined { found: Some(stamp) }));
    let receipt = resolve(&mut cluster, 1, stamp, Resolution::Drop).unwrap();
    assert!(receipt.is_reached);
    cluster.pass(3_000);
    assert_eq!(values(&cluster), vec![Some("44".to_owned()); 3]);
    let active = cluster.nodes[0].get(b"x").unwrap();
    assert_eq!((&*active.actor, &*active.reason, active.stamp), ("dana", "INC-7", receipt.stamp()));
    assert_eq!(resolve(&mut cluster, 1, stamp, Resolution::Drop), Err(WriteError::NotQuarantined { found: None }));
}

#[test]
fn accept_makes_the_quarantined_value_active_everywhere() {
    for value in [Some("88"), None] {
        let (mut cluster, stamp) = with_x_from_the_future(value);
        let receipt = resolve(&mut cluster, 2, stamp, Resolution::Accept).unwrap();
        assert!(receipt.is_reached && receipt.stamp() < stamp);
        cluster.pass(3_000);
        assert_eq!(values(&cluster), vec![value.map(str::to_owned); 3]);
        assert_eq!((0..3).map(|node| cluster.status(node).quarantined).sum::<usize>(), 0);
    }
}

#[test]
fn drop_without_an_active_value_removes_the_key() {
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
fn history_records_accept_drop_and_the_quarantined_register() {
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
fn the_list_shows_the_sender_and_the_time() {
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
fn a_register_below_the_gc_floor_is_not_released() {
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
fn a_write_supersedes_a_quarantined_register_that_itself_supersedes() {
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

#[test]
fn max_drift_is_clamped() {
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

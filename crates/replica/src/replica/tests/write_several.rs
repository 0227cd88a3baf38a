//! Writes of several registers as one.

use super::*;
use crate::Outranked;

const ANY: Expected = Expected::Anything;

/// A replica alone, that has written nothing, and its time.
fn alone() -> (Replica, Now) {
    let now = Now { wall_ms: START_MS, steady_ms: 0 };
    (Replica::new(Options::new("tests", NodeId::new(1)), Loaded::default(), now).0, now)
}

fn write(changes: Vec<Change>) -> Input {
    Input::Write { request: 7, changes, level: Level::Local, timeout_ms: 500 }
}

fn pushes(output: &Output) -> Vec<Vec<String>> {
    let bodies = output.broadcast.iter().map(|bytes| Message::decode(bytes).unwrap().0.body);
    let keys = |registers: Vec<Register>| {
        registers.iter().map(|register| String::from_utf8_lossy(&register.key).into_owned()).collect()
    };
    bodies
        .filter_map(|body| if let Body::Push { registers, .. } = body { Some(keys(registers)) } else { None })
        .collect()
}

#[test]
fn all_changes_have_one_batch_one_message_and_one_receipt() {
    let (mut replica, now) = alone();
    let changes = vec![change("a", Some("1"), ANY), change("b", Some("2"), ANY), change("c", None, ANY)];
    let output = replica.handle(write(changes), now);
    let batches: Vec<usize> = output.persist.iter().map(|batch| batch.registers.len()).collect();
    assert_eq!(batches.last(), Some(&3), "{batches:?}");
    assert_eq!(output.changed, [b"a", b"b", b"c"].map(|key| Arc::from(key.as_slice())));
    // Nothing leaves before the disk has reserved their stamps, and then all do.
    assert_eq!(pushes(&output), Vec::<Vec<String>>::new());
    let upto = output.persist.last().unwrap().seq;
    let output = replica.handle(Input::Persisted { upto }, now);
    assert!(pushes(&output).contains(&["a", "b", "c"].map(str::to_owned).to_vec()), "{:?}", pushes(&output));
    let [(7, Ok(receipt))] = output.receipts.as_slice() else { panic!("{:?}", output.receipts) };
    let stamps = [b"a", b"b", b"c"].map(|key| replica.get(key).unwrap().stamp);
    assert_eq!((receipt.stamps.as_slice(), receipt.is_reached), (stamps.as_slice(), true));
    assert!(stamps.is_sorted() && receipt.stamp() == stamps[2]);
}

#[test]
fn a_receiver_takes_all_of_it_in_one_batch() {
    let mut cluster = Cluster::new(2);
    cluster.meet();
    cluster.pass(3_000);
    cluster.is_cut = true;
    let now = cluster.now(0);
    let changes = vec![change("a", Some("1"), ANY), change("b", Some("2"), ANY)];
    let output = cluster.nodes[0].handle(write(changes), now);
    let [message] = output.broadcast.as_slice() else { panic!("{} messages", output.broadcast.len()) };
    let output = cluster.nodes[1].handle(Input::Message { from: NodeId::new(1), bytes: message.clone() }, now);
    let batches: Vec<usize> = output.persist.iter().map(|batch| batch.registers.len()).collect();
    assert_eq!((batches, output.changed.len()), (vec![2], 2));
}

#[test]
fn one_change_that_is_refused_refuses_all() {
    let (long, large) = ("x".repeat(limits::KEY_BYTES_MAX + 1), "x".repeat(limits::VALUE_BYTES_MAX));
    let too_large = vec![change("a", Some(&large), ANY), change("b", Some(&large), ANY)];
    let many = |count: usize| (0..count).map(|number| change(&format!("k{number}"), Some("1"), ANY)).collect();
    let cases: [(Vec<Change>, WriteError); 8] = [
        (vec![], WriteError::ChangeCount { count: 0 }),
        (vec![change("a", Some("1"), ANY), change(&long, None, ANY)], WriteError::Invalid { index: 1 }),
        (vec![change("a", Some("1"), ANY), change("\0n", None, ANY)], WriteError::Invalid { index: 1 }),
        (vec![change("a", Some("1"), ANY), change("a", None, ANY)], WriteError::Repeated { index: 1 }),
        (
            vec![change("a", Some("1"), ANY), change("b", Some("1"), Expected::Stamp(Stamp::ZERO))],
            WriteError::Conflict { index: 1, found: None },
        ),
        (many(limits::WRITE_CHANGES_MAX + 1), WriteError::ChangeCount { count: limits::WRITE_CHANGES_MAX + 1 }),
        (too_large, WriteError::TooLarge { bytes: 2 * (limits::VALUE_BYTES_MAX + 1 + 4 + 64) }),
        (many(limits::WRITE_CHANGES_MAX), WriteError::Busy),
    ];
    for (changes, expected) in cases {
        let (mut replica, now) = alone();
        if expected == WriteError::Busy {
            // Writes that wait leave room for all of its changes but one.
            let output = replica.handle(write(vec![change("first", Some("1"), ANY)]), now);
            for count in 0..limits::PENDING_MAX / limits::WRITE_CHANGES_MAX - 1 {
                let changes =
                    (0..limits::WRITE_CHANGES_MAX).map(|number| change(&format!("{count}-{number}"), None, ANY));
                replica.handle(write(changes.collect()), now);
            }
            assert!(output.receipts.is_empty());
        }
        let root = replica.root();
        let clock = replica.clock.last();
        assert_eq!(replica.check_write(&changes, now), Err(expected.clone()));
        let output = replica.handle(write(changes), now);
        assert_eq!(output.receipts, [(7, Err(expected.clone()))]);
        assert!(output.persist.is_empty() && output.changed.is_empty() && output.broadcast.is_empty());
        // No stamp is used, either.
        assert_eq!((replica.root(), replica.clock.last()), (root, clock), "{expected}");
    }
}

#[test]
fn a_check_finds_what_a_write_finds_and_changes_nothing() {
    let (mut replica, now) = alone();
    let changes = vec![change("a", Some("1"), Expected::Nothing), change("b", Some("2"), ANY)];
    let (root, clock) = (replica.root(), replica.clock.last());
    assert_eq!(replica.check_write(&changes, now), Ok(()));
    assert_eq!((replica.root(), replica.clock.last(), replica.waiting()), (root, clock, 0));
    let made = replica.handle(write(changes.clone()), now);
    assert_eq!(made.changed.len(), 2);
    let found = Some(replica.get(b"a").unwrap().stamp);
    assert_eq!(replica.check_write(&changes, now), Err(WriteError::Conflict { index: 0, found }));
    replica.handle(Input::PersistFailed { message: "input/output error".to_owned() }, now);
    assert!(matches!(replica.check_write(&changes[1..], now), Err(WriteError::ReadOnly { .. })));
    // A node that waits to hear which stamps it has used makes nothing yet.
    let (starting, now) = put_back();
    assert_eq!(starting.check_write(&changes, now), Err(WriteError::Starting));
}

#[test]
fn a_member_counts_once_it_has_acknowledged_every_change() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(3_000);
    cluster.is_cut = true;
    let request = cluster.write_all(0, &[("a", Some("1"), ANY), ("b", Some("2"), ANY)], Level::Majority);
    let stamps = [b"a", b"b"].map(|key| cluster.nodes[0].get(key).unwrap().stamp);
    // One change on one member and the other one on another are no majority.
    cluster.hear(0, 2, Body::Ack(vec![stamps[0]]));
    cluster.hear(0, 3, Body::Ack(vec![stamps[1]]));
    assert!(cluster.receipts.iter().all(|(number, _)| *number != request));
    cluster.hear(0, 2, Body::Ack(vec![stamps[1]]));
    let receipt = cluster.receipt(request).clone().unwrap();
    assert!(receipt.is_reached);
    assert_eq!(
        (receipt.stamps.as_slice(), receipt.durable_on),
        (stamps.as_slice(), vec![NodeId::new(1), NodeId::new(2)])
    );
    assert_eq!(receipt.pending, [NodeId::new(3)]);
    assert_eq!(cluster.nodes[0].waiting(), 0);
}

#[test]
fn a_receipt_names_the_change_that_is_outranked() {
    let mut cluster = Cluster::new(2);
    cluster.meet();
    cluster.pass(3_000);
    let stamp = Stamp::new(0, START_MS + cluster.steady_ms + 2_000, 0, NodeId::new(9));
    let greater = Register { key: b"b".as_slice().into(), stamp, ..register(0) };
    cluster.hear(1, 9, Body::Push { registers: vec![greater], awaited: Awaited::Everybody });
    let request = cluster.write_all(0, &[("a", Some("1"), ANY), ("b", Some("2"), ANY)], Level::All);
    let receipt = cluster.receipt(request).clone().unwrap();
    assert!(!receipt.is_reached);
    let outranked =
        |node| Outranked { stamp: receipt.stamps[1], node: NodeId::new(node), by: stamp, is_quarantined: false };
    assert!(receipt.outranked.contains(&outranked(2)), "{receipt:?}");
    assert!(receipt.outranked.iter().all(|loss| loss.stamp == receipt.stamps[1]), "{receipt:?}");
    assert_eq!((cluster.value(1, "a").as_deref(), cluster.value(1, "b")), (Some("1"), cluster.value(0, "b")));
}

#[test]
fn changes_leave_together_although_the_disk_has_reserved_the_first() {
    let (mut replica, now) = alone();
    let output = replica.handle(write(vec![change("x", Some("1"), ANY)]), now);
    let upto = output.persist.last().unwrap().seq;
    replica.handle(Input::Persisted { upto }, now);
    // The reservation on the disk ends between the stamps of this write.
    let reserved = replica.clock_reservation.millis();
    let later = Now { wall_ms: reserved, ..now };
    while replica.clock.last().counter() < u16::MAX - 1 {
        replica.clock.issue(reserved);
    }
    let changes: Vec<Change> = (0..3).map(|number| change(&format!("k{number}"), Some("1"), ANY)).collect();
    let output = replica.handle(write(changes), later);
    let stamps: Vec<Stamp> = (0..3).map(|number| replica.get(format!("k{number}").as_bytes()).unwrap().stamp).collect();
    assert!(stamps[0] <= replica.clock_reservation && stamps[2] > replica.clock_reservation, "{stamps:?}");
    assert_eq!((pushes(&output).len(), replica.unreserved.count()), (0, 3));
    let upto = output.persist.last().unwrap().seq;
    let output = replica.handle(Input::Persisted { upto }, later);
    assert_eq!(pushes(&output), [["k0", "k1", "k2"].map(str::to_owned).to_vec()]);
    assert_eq!(replica.unreserved.count(), 0);
}

#[test]
fn what_is_not_acknowledged_is_sent_again_together() {
    let mut cluster = Cluster::new(2);
    cluster.meet();
    cluster.pass(3_000);
    cluster.is_cut = true;
    let large = "x".repeat(150 * 1024);
    cluster.write_all(0, &[("a", Some(&large), ANY), ("b", Some(&large), ANY), ("c", Some("1"), ANY)], Level::All);
    // Its successor, which is not on the disk yet, is larger: two messages take what one took.
    let now = cluster.now(0);
    cluster.nodes[0].handle(write(vec![change("c", Some(&"y".repeat(200 * 1024)), ANY)]), now);
    let mut sent = Vec::new();
    for _ in 0..4 {
        cluster.steady_ms += 100;
        let now = cluster.now(0);
        let output = cluster.nodes[0].handle(Input::Tick, now);
        sent.extend(output.send.into_iter().filter(|(to, _)| *to == NodeId::new(2)).map(|(_, bytes)| bytes));
    }
    assert!(sent.iter().all(|bytes| bytes.len() <= limits::MESSAGE_BYTES_MAX));
    let keys: Vec<Vec<String>> = pushes(&Output { broadcast: sent, ..Output::default() });
    let first = [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]];
    assert!(keys.windows(2).any(|pair| pair == first), "{keys:?}");
}

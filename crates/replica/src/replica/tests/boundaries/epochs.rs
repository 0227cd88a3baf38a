//! Repairs of the clock, and decisions about the quarantine.

use super::*;

#[test]
fn a_repair_names_its_author_and_reason_up_to_the_limit() {
    for (actor, reason, is_valid) in [(1_024, 1_024, true), (1_025, 0, false), (0, 1_025, false)] {
        let mut replica = first_of(1, |options| options);
        let (actor, reason) = ("a".repeat(actor).into(), "r".repeat(reason).into());
        let output = replica.handle(Input::RaiseEpoch { request: 1, actor, reason }, AT);
        let is_refused = output.receipts.iter().any(|(_, receipt)| *receipt == Err(WriteError::Invalid { index: 0 }));
        assert_eq!((replica.status(AT).epoch, is_refused), (u16::from(is_valid), !is_valid));
    }
}

#[test]
fn a_node_of_the_first_epoch_enters_the_last_one() {
    let last = Register { stamp: Stamp::new(limits::EPOCHS_MAX - 1, 5, 0, NodeId::new(1)), ..register(0) };
    let loaded = Loaded { registers: vec![last], ..Loaded::default() };
    let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), loaded, AT).0;
    replica.handle(Input::RaiseEpoch { request: 1, actor: "dana".into(), reason: "".into() }, AT);
    let repair = replica.get(crate::replica::epoch::KEY).unwrap().clone();
    // It has lost the repairs before its own, and lists all of them.
    assert!(crate::replica::epoch::repairs(&repair).into_iter().eq(1..=limits::EPOCHS_MAX));
    let mut first = first_of(2, |options| options);
    hear(&mut first, 2, Body::Repair(vec![repair.clone()]), AT);
    assert_eq!(first.status(AT).epoch, limits::EPOCHS_MAX);
    // There is no epoch beyond, whatever a list says.
    let beyond = Register { stamp: Stamp::new(limits::EPOCHS_MAX + 1, 5, 0, NodeId::new(2)), ..repair };
    hear(&mut first, 2, Body::Repair(vec![beyond]), AT);
    assert_eq!(first.status(AT).epoch, limits::EPOCHS_MAX);
}

#[test]
fn a_repair_may_lie_ahead_by_the_greatest_drift_and_no_more() {
    for (ahead_ms, epoch) in [(5_000, 1), (5_001, 0)] {
        let mut replica = first_of(2, |options| options);
        let stamp = Stamp::new(1, START_MS + ahead_ms, 0, NodeId::new(2));
        let repair = Register { key: crate::replica::epoch::KEY.into(), stamp, ..register(0) };
        hear(&mut replica, 2, Body::Repair(vec![repair]), AT);
        assert_eq!(replica.status(AT).epoch, epoch, "{ahead_ms} ms ahead");
    }
}

#[test]
fn a_stamp_that_is_superseded_by_a_clock_ahead_is_exceeded_and_not_only_named() {
    let mut replica = first_of(1, |options| options);
    let node = NodeId::new(2);
    let (far, at) = (Stamp::new(0, START_MS + 99_000, 0, node), |millis| Stamp::new(0, START_MS + millis, 0, node));
    let held = Register { key: b"x".as_slice().into(), stamp: at(5), supersedes: Some(far), ..register(0) };
    replica.table.merge(held, false);
    assert_eq!(replica.stamp_to_supersede(b"x", at(6)), Some(far), "a later write outranks it by its own stamp");
    assert_eq!(replica.stamp_to_supersede(b"x", at(5)), Some(far.successor()));
    assert_eq!(replica.stamp_to_supersede(b"x", at(4)), Some(far.successor()));
    assert_eq!(replica.stamp_to_supersede(b"x", Stamp::new(0, START_MS + 99_001, 0, node)), None);
    assert_eq!(replica.stamp_to_supersede(b"y", at(1)), None);
}

#[test]
fn a_decision_names_its_author_and_reason_up_to_the_limit() {
    for (actor, reason, is_valid) in [(1_024, 1_024, true), (1_025, 0, false), (0, 1_025, false)] {
        let mut replica = first_of(1, |options| options);
        let stamp = Stamp::new(0, START_MS + 3_600_000, 0, NodeId::new(2));
        hear(&mut replica, 2, Body::Repair(vec![Register { stamp, ..register(1) }]), AT);
        let (actor, reason) = ("a".repeat(actor).into(), "r".repeat(reason).into());
        let (key, resolution) = (register(1).key, Resolution::Drop);
        let output = replica.handle(Input::Resolve { request: 1, key, stamp, resolution, actor, reason }, AT);
        let is_refused = output.receipts.iter().any(|(_, receipt)| *receipt == Err(WriteError::Invalid { index: 0 }));
        assert_eq!((replica.quarantine().count(), is_refused), (usize::from(!is_valid), !is_valid));
    }
}

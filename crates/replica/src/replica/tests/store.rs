//! A store that is no node.

use super::*;

/// Processes that have no links to each other, and one store, which keeps the greatest register of each key.
fn apart(count: u64) -> Cluster {
    let loaded = (0..count).map(|_| Loaded::default()).collect();
    let mut cluster = Cluster::made(loaded, |options| Options { has_shared_store: true, ..options });
    cluster.is_cut = true;
    cluster
}

fn share(cluster: &mut Cluster, from: usize, to: usize) {
    let registers = cluster.nodes[from].for_store();
    cluster.handle(to, Input::FromStore { registers });
}

fn write_now(cluster: &mut Cluster, index: usize, key: &str, value: &str) -> Output {
    let now = cluster.now(index);
    let change = Change {
        key: Arc::from(key.as_bytes()),
        value: Some(Arc::from(value.as_bytes())),
        actor: Arc::default(),
        reason: Arc::default(),
        expected: Expected::Anything,
    };
    cluster.nodes[index]
        .handle(Input::Write { request: 1, changes: vec![change], level: Level::Local, timeout_ms: 1_000 }, now)
}

#[test]
fn what_is_written_goes_to_the_store_once_its_stamp_is_reserved_and_what_came_from_it_does_not() {
    let mut cluster = apart(2);
    // Later than the reservation that the start has made.
    cluster.wall_ms[0] += 10_000;
    cluster.wall_ms[1] += 10_000;
    let output = write_now(&mut cluster, 0, "x", "1");
    assert!(output.to_store.is_empty(), "its stamp is not reserved on the disk yet");
    let (upto, now) = (output.persist.last().unwrap().seq, cluster.now(0));
    let output = cluster.nodes[0].handle(Input::Persisted { upto }, now);
    let keys: Vec<&[u8]> = output.to_store.iter().map(|register| &*register.key).collect();
    assert_eq!(keys, [b"x"], "the entry in the membership is not shared");
    let now = cluster.now(1);
    let output = cluster.nodes[1].handle(Input::FromStore { registers: output.to_store }, now);
    assert_eq!((output.to_store.len(), output.changed.len()), (0, 1));
    assert_eq!(cluster.value(1, "x").as_deref(), Some("1"));
}

#[test]
fn registers_of_the_membership_and_large_ones_are_refused() {
    let mut cluster = apart(2);
    cluster.write(0, "x", Some("1"), Level::Local);
    let mut register = cluster.nodes[0].for_store().remove(0);
    let large = Register { value: Some(vec![0; limits::VALUE_BYTES_MAX + 1].into()), ..register.clone() };
    register.key = Arc::from(b"\0nabc".as_slice());
    cluster.handle(1, Input::FromStore { registers: vec![register, large] });
    assert_eq!(cluster.nodes[1].counters().malformed, 2);
    assert_eq!(cluster.nodes[1].iter().count(), 0);
}

#[test]
fn a_register_from_the_future_is_quarantined_and_a_write_that_supersedes_it_wins_everywhere() {
    let mut cluster = apart(2);
    cluster.wall_ms[0] += HOUR_MS;
    cluster.write(0, "x", Some("future"), Level::Local);
    share(&mut cluster, 0, 1);
    assert_eq!((cluster.value(1, "x"), cluster.nodes[1].quarantine().count()), (None, 1));
    cluster.write(1, "x", Some("now"), Level::Local);
    share(&mut cluster, 1, 0);
    assert_eq!(cluster.value(0, "x").as_deref(), Some("now"));
}

#[test]
fn a_process_whose_stamps_others_would_quarantine_writes_nothing() {
    let mut cluster = apart(1);
    cluster.wall_ms[0] += HOUR_MS;
    cluster.write(0, "x", Some("1"), Level::Local);
    cluster.wall_ms[0] -= HOUR_MS;
    let refused = cluster.write(0, "x", Some("2"), Level::Local);
    assert!(
        matches!(cluster.receipt(refused), Err(WriteError::ClockPoisoned { .. })),
        "{:?}",
        cluster.receipt(refused)
    );
    let request = Input::RaiseEpoch { request: 99, actor: Arc::from("dana"), reason: Arc::default() };
    cluster.handle(0, request);
    let written = cluster.write(0, "x", Some("2"), Level::Local);
    assert!(cluster.receipt(written).is_ok());
    let first = &cluster.nodes[0].for_store()[0];
    assert!(first.is_repair(), "the repair comes before what is of its epoch");
}

#[test]
fn a_tombstone_is_never_collected_and_an_older_copy_brings_nothing_back() {
    let mut cluster = apart(1);
    cluster.write(0, "x", Some("1"), Level::Local);
    let older = cluster.nodes[0].for_store();
    cluster.write(0, "x", None, Level::Local);
    cluster.pass(48 * HOUR_MS);
    assert_eq!(cluster.nodes[0].for_store().len(), 1, "the tombstone is still there");
    cluster.handle(0, Input::FromStore { registers: older });
    assert_eq!(cluster.value(0, "x"), None);
}
